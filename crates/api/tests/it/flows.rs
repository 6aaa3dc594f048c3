//! Flows, hosts and the filter language over the interface.

use axum::http::StatusCode;
use serde_json::json;
use weir_api::accounts::Role;

use crate::house::{House, SPAN, block_on};

const FLOWS: &str = "\
every 10s x30 10.0.0.5 <> 10.0.0.9:445 tcp APRS 1000/5 2000/6
@0s every 1s x5 10.0.0.6 <> 10.0.0.9:443 tcp APRS 100/1 100/1";

#[test]
fn lists_groups_and_series() {
    block_on(async {
        let house = House::new("flows", FLOWS).await;
        let viewer = house.badge(Role::Viewer).await;
        let get = async |path: &str| house.get(&format!("{path}{SPAN}"), &viewer).await;
        let mut starts = Vec::new();
        let mut path = "/flows?limit=4&".to_owned();
        loop {
            let page = get(&path).await.json();
            let flows = page["flows"].as_array().unwrap();
            starts.extend(flows.iter().map(|flow| flow["start"].as_i64().unwrap()));
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            path = format!("/flows?limit=4&cursor={cursor}&");
        }
        assert_eq!(starts.len(), 35, "each once");
        assert!(starts.is_sorted_by(|one, other| one >= other), "latest first");
        let top = get("/flows/groups?by=src_ip&order=flows&").await.json();
        assert_eq!(
            top["rows"],
            json!([["10.0.0.5", 30, 330, 90000], ["10.0.0.6", 5, 10, 1000]])
        );
        let cut = get("/flows/groups?by=src_ip/24,dst_port&filter=dst%20port%20443&")
            .await
            .json();
        assert_eq!(cut["rows"][0][1], 443);
        let series = get("/flows/series?step=60&").await.json();
        let flows: u64 = series["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[1].as_u64().unwrap())
            .sum();
        assert_eq!(flows, 35);
        for (path, status) in [
            ("/flows?filter=dst%20prot%20445&", StatusCode::BAD_REQUEST),
            ("/flows?sort=colour&", StatusCode::BAD_REQUEST),
            ("/flows?cursor=1.x&", StatusCode::BAD_REQUEST),
            ("/flows/groups?by=colour&", StatusCode::BAD_REQUEST),
            ("/flows/groups?by=dst_port/24&", StatusCode::BAD_REQUEST),
            ("/flows/groups?by=a,b,c,d&", StatusCode::BAD_REQUEST),
            ("/flows/series?limit=3&", StatusCode::BAD_REQUEST),
            ("/flows/series?by=src_ip&limit=51&", StatusCode::BAD_REQUEST),
            ("/hosts?within=here&", StatusCode::BAD_REQUEST),
            ("/hosts/here?", StatusCode::BAD_REQUEST),
        ] {
            assert_eq!(get(path).await.status, status, "{path}");
        }
    });
}

#[test]
fn groups_over_time_and_what_hosts_are() {
    block_on(async {
        let house = House::new("over-time", FLOWS).await;
        let viewer = house.badge(Role::Viewer).await;
        let get = async |path: &str| house.get(&format!("{path}{SPAN}"), &viewer).await;
        let told_apart = get("/flows/series?step=3600&by=src_ip&limit=1&order=flows&")
            .await
            .json();
        let names: Vec<&str> = told_apart["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["time", "src_ip", "flows", "packets", "bytes", "rest"]);
        let of = |rest: bool, at: usize| -> u64 {
            let rows = told_apart["rows"].as_array().unwrap().iter();
            let rows = rows.filter(|row| row[5] == rest && row[1].is_null() == rest);
            rows.map(|row| row[at].as_u64().unwrap()).sum()
        };
        assert_eq!((of(false, 2), of(false, 4)), (30, 90_000), "the greatest");
        assert_eq!((of(true, 2), of(true, 4)), (5, 1000), "the others");
        let hosts = get("/hosts?order=flows&").await.json();
        let nine = hosts["hosts"].as_array().unwrap().iter();
        let nine = nine.into_iter().find(|host| host["ip"] == "10.0.0.9").unwrap();
        assert_eq!(nine["roles"], json!(["file server", "web server"]));
        assert_eq!(nine["offers"][0]["port"], 445);
    });
}

#[test]
fn profiles() {
    block_on(async {
        let house = House::new("profiles", FLOWS).await;
        let viewer = house.badge(Role::Viewer).await;
        let get = async |path: &str| house.get(path, &viewer).await;
        let list = get("/profiles").await.json();
        let all = json!({"name": "all", "title": "All sources", "filter": "any", "active": true,
            "channels": [{"name": "all", "filter": "any"}]});
        assert_eq!(list["profiles"], json!([all]));
        let seconds: Vec<i64> = list["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step["seconds"].as_i64().unwrap())
            .collect();
        assert_eq!(seconds, [30, 300, 86_400]);
        assert!(list["steps"][0]["since"].is_string(), "{list}");
        let of = async |rest: &str| get(&format!("/profiles/{rest}{SPAN}")).await;
        let series = of("all/series?step=45&").await.json();
        assert_eq!(
            (&series["step_s"], &series["channel"], &series["class"]),
            (&json!(60.0), &json!("all"), &json!("all"))
        );
        let asked = get(&format!("/flows/series?step=60&{SPAN}")).await.json();
        // Flows, packets and bytes of steps that have any.
        let figures = |answer: &serde_json::Value| -> Vec<serde_json::Value> {
            let rows = answer["rows"].as_array().unwrap().iter();
            let rows = rows.filter(|row| row[1] != 0);
            rows.map(|row| json!(row.as_array().unwrap()[..4])).collect()
        };
        assert_eq!(figures(&series), figures(&asked));
        let names: Vec<&str> = series["columns"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|column| column["name"].as_str())
            .collect();
        assert_eq!(names.len(), 21, "{names:?}");
        // Performance stands behind what was there before.
        let behind = "p50(rtt) p95(rtt) p50(srt) p95(srt) avg(rtt) avg(srt) retransmitted_packets out_of_order_packets \
                      rtr retransmission_index";
        assert_eq!(names[11..].join(" "), behind);
        let udp = of("all/series?class=udp&").await.json();
        assert_eq!(
            udp["rows"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row[1] != 0)
                .count(),
            0
        );
        for (path, status) in [
            ("none/series?", StatusCode::NOT_FOUND),
            ("all/series?channel=none&", StatusCode::BAD_REQUEST),
            ("all/series?class=sctp&", StatusCode::BAD_REQUEST),
        ] {
            assert_eq!(of(path).await.status, status, "{path}");
        }
    });
}

#[test]
fn hosts() {
    block_on(async {
        let house = House::new("hosts", FLOWS).await;
        house.events(&[|_| {}]).await;
        let viewer = house.badge(Role::Viewer).await;
        let get = async |path: &str| house.get(&format!("{path}{SPAN}"), &viewer).await.json();
        let hosts = get("/hosts?order=flows&").await;
        assert_eq!(hosts["total"], 3);
        let first = &hosts["hosts"][0];
        assert_eq!(
            (&first["ip"], &first["flows"], &first["peers"]),
            (&json!("10.0.0.9"), &json!(35), &json!(2))
        );
        let second = &hosts["hosts"][1];
        assert_eq!(
            (&second["ip"], &second["events"], &second["risk"]),
            (&json!("10.0.0.5"), &json!(1), &json!(50))
        );
        let within = get("/hosts?within=10.0.0.6/31&").await;
        assert_eq!(
            (&within["total"], &within["hosts"][0]["ip"]),
            (&json!(1), &json!("10.0.0.6"))
        );
        let host = get("/hosts/10.0.0.9?").await;
        assert_eq!(
            host["offered"][0],
            json!({"proto": 6, "port": 445, "flows": 30, "bytes": 90000})
        );
        assert_eq!(host["peers"][0]["ip"], "10.0.0.5");
        assert_eq!(host["events_as_target"].as_array().unwrap().len(), 1);
        assert_eq!(host["events_as_source"].as_array().unwrap().len(), 0);
        assert!(get("/hosts/10.9.9.9?").await.get("host").is_none());
    });
}

#[test]
fn filters() {
    block_on(async {
        let house = House::new("filters", "").await;
        let viewer = house.badge(Role::Viewer).await;
        let right = house
            .get("/filter/check?filter=dst+port+445+and+bytes+%3E+1M", &viewer)
            .await
            .json();
        assert_eq!(
            (&right["valid"], &right["canonical"]),
            (&json!(true), &json!("dst port 445 and bytes > 1M"))
        );
        let wrong = house
            .get("/filter/check?filter=dst+prot+445", &viewer)
            .await
            .json();
        let error = &wrong["error"];
        assert_eq!((&error["from"], &error["to"]), (&json!(4), &json!(8)));
        assert!(error["caret"].as_str().unwrap().contains("^^^^"));
        let next = house.get("/filter/complete?filter=dst+po", &viewer).await.json();
        assert_eq!((&next[0]["label"], &next[0]["from"]), (&json!("port"), &json!(4)));
        let within_letter = house
            .get("/filter/complete?filter=%C3%A9&cursor=1", &viewer)
            .await;
        assert_eq!(within_letter.status, StatusCode::OK);
    });
}
