//! Exports as jobs: begun, asked for, taken, cancelled, and never seen by others.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use weir_api::accounts::Role;

use crate::house::{Badge, House, block_on};

const FLOWS: &str =
    "every 60s x90 10.0.0.5 <> 10.0.0.9:445 tcp APRS 981/5 828/6\n10.0.0.6 <> 10.0.0.9:53 udp 60/1 90/1";

/// Begins a job and waits for its end.
async fn done(house: &House, path: &str, badge: &Badge, body: Value) -> Value {
    let begun = house.send(Method::POST, path, badge, Some(body)).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    let place = begun.headers["location"].to_str().unwrap().to_owned();
    let place = place.trim_start_matches("/api/v1").to_owned();
    loop {
        let job = house.get(&place, badge).await.json();
        if !["waiting", "running"].contains(&job["state"].as_str().unwrap()) {
            return job;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn result_of(job: &Value) -> String {
    format!("/jobs/{}/result", job["id"].as_str().unwrap())
}

#[test]
fn flows_are_exported_whole_and_only_to_who_asked() {
    block_on(async {
        let house = House::new("export", FLOWS).await;
        let (viewer, other) = (house.badge(Role::Viewer).await, house.badge(Role::Analyst).await);
        let asked = |form: &str| {
            // Years without a record are passed quickly.
            json!({"since": "1990-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z",
                   "filter": "dst port 445", "form": form})
        };
        let job = done(&house, "/flows/export", &viewer, asked("csv")).await;
        assert_eq!(
            (&job["state"], &job["progress"], &job["note"]),
            (&json!("done"), &json!(1.0), &json!("90 flow records"))
        );
        let file = house.get(&result_of(&job), &viewer).await;
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
        assert!(
            file.headers["content-disposition"]
                .to_str()
                .unwrap()
                .contains("weir-flows.csv")
        );
        let lines: Vec<&str> = file.text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (91, "src_ip,start"));
        let starts: Vec<i64> = lines[1..]
            .iter()
            .map(|line| line.split(',').nth(1).unwrap().parse().unwrap())
            .collect();
        assert!(starts.is_sorted(), "earliest first, over several pieces");
        assert_eq!(
            house.get(&result_of(&job), &other).await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(house.get("/jobs", &other).await.json(), json!([]));
        let lines = done(&house, "/flows/export", &viewer, asked("ndjson")).await;
        let file = house.get(&result_of(&lines), &viewer).await.text;
        assert_eq!(file.lines().filter(|line| line.starts_with('{')).count(), 90);
        let parquet = done(&house, "/flows/export", &viewer, asked("parquet")).await;
        assert!(
            parquet["result"]["bytes"].as_u64().unwrap() > 1000,
            "{parquet}: a reader of ours is tested in the store"
        );
        let admin = house.badge(Role::Admin).await;
        assert_eq!(
            house.get("/jobs", &admin).await.json().as_array().unwrap().len(),
            3
        );
        let trail = house.get("/audit", &admin).await.text;
        assert_eq!(trail.matches("export flows").count(), 3);
        let path = format!("/jobs/{}", job["id"].as_str().unwrap());
        let forgotten = house.send(Method::DELETE, &path, &viewer, None).await;
        assert_eq!(forgotten.status, StatusCode::NO_CONTENT);
        assert_eq!(house.get(&path, &viewer).await.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn events_are_exported_by_the_query_of_their_list() {
    block_on(async {
        let house = House::new("export-events", "").await;
        let viewer = house.badge(Role::Viewer).await;
        house
            .events(&[
                |_| {},
                |event| event["method"] = "SCANS".into(),
                |event| event["reason"] = "=1+1, \"quoted\"".into(),
            ])
            .await;
        let query = "since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z&method=DICTATTACK";
        let job = done(
            &house,
            "/events/export",
            &viewer,
            json!({"query": query, "form": "csv"}),
        )
        .await;
        assert_eq!(job["note"], "2 events");
        let file = house.get(&result_of(&job), &viewer).await.text;
        assert!(file.starts_with("id,detected,method"));
        assert!(
            file.contains("<=1+1, \"quoted\">"),
            "the outputs' way of cells: {file}"
        );
        let job = done(
            &house,
            "/events/export",
            &viewer,
            json!({"query": query, "form": "ndjson"}),
        )
        .await;
        let file = house.get(&result_of(&job), &viewer).await.text;
        let events: Vec<Value> = file
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(events[0]["explanation"]["inputs"]["attempts"], 195);
        for wrong in [
            json!({"query": "colour=red", "form": "csv"}),
            json!({"form": "parquet"}),
        ] {
            let refused = house
                .send(Method::POST, "/events/export", &viewer, Some(wrong))
                .await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        }
    });
}

#[test]
fn work_of_the_program_is_followed_and_cancelled() {
    block_on(async {
        let house = House::new("tasks", "").await;
        let (editor, viewer) = (house.badge(Role::Editor).await, house.badge(Role::Viewer).await);
        let pattern = json!({"name": "Mine", "title": "mine", "pattern": "where dst port 23"});
        let job = done(&house, "/patterns/test", &editor, json!({"pattern": pattern})).await;
        assert_eq!(
            (&job["kind"], &job["note"]),
            (&json!("pattern_test"), &json!("2 events"))
        );
        let result = house.get(&result_of(&job), &editor).await.json();
        assert_eq!(result["title"], "mine");
        let wrong = json!({"pattern": {"name": "Mine", "title": "mine", "pattern": "dst port 23"}});
        let refused = house
            .send(Method::POST, "/patterns/test", &editor, Some(wrong))
            .await;
        assert_eq!(
            (refused.status, &refused.json()["errors"][0]["place"]),
            (StatusCode::BAD_REQUEST, &json!("/pattern"))
        );
        let checked = json!({"name": "x", "title": "x", "pattern": "dst port 23"});
        let checked = house
            .send(Method::POST, "/patterns/check", &viewer, Some(checked))
            .await;
        assert_eq!(checked.json(), json!({"valid": false, "error": "expected where"}));
        let missing = house
            .send(Method::POST, "/indicators/none/refresh", &editor, None)
            .await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
        let begun = house
            .send(Method::POST, "/start/presets", &editor, Some(json!({})))
            .await;
        let path = format!("/jobs/{}", begun.json()["id"].as_str().unwrap());
        let running = loop {
            let job = house.get(&path, &editor).await.json();
            if job["progress"] == 0.5 {
                break job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        };
        assert_eq!(running["state"], "running");
        let early = house.get(&format!("{path}/result"), &editor).await;
        assert_eq!(early.status, StatusCode::CONFLICT);
        let cancelled = house.send(Method::DELETE, &path, &editor, None).await;
        assert_eq!(cancelled.status, StatusCode::NO_CONTENT);
        while house.get(&path, &editor).await.json()["state"] != "cancelled" {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn networks_are_proposed_from_the_traffic() {
    block_on(async {
        let flows = "every 1s x40 10.0.0.5 <> 192.0.2.9:443 tcp APRS 981/5 828/6\n\
                     every 1s x9 203.0.113.7 <> 10.1.0.9:25 tcp APRS 981/5 828/6\n\
                     every 1s x40 198.51.100.4 <> 192.0.2.9:443 tcp APRS 981/5 828/6\n\
                     10.0.0.6 > 224.0.0.251:5353 udp 60/1";
        let house = House::with("networks", flows, true).await;
        let session = house.get("/session", &Badge::default()).await.json();
        let guest = Badge {
            csrf: session["user"]["csrf"].as_str().map(str::to_owned),
            ..Badge::default()
        };
        house.app.publish(weir_api::status::Status {
            watermark_ns: Some(crate::house::EPOCH.0 + 3_600_000_000_000),
            ..weir_api::status::Status::default()
        });
        let proposed = house.get("/start/networks", &guest).await.json();
        let prefixes: Vec<&str> = proposed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["prefix"].as_str().unwrap())
            .collect();
        assert_eq!(prefixes, ["10.0.0.0/8", "198.51.100.0/24"], "{proposed}");
        assert_eq!(
            (&proposed[0]["private"], &proposed[1]["private"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(
            proposed[0]["seen"],
            json!([{"prefix": "10.0.0.0/24", "hosts": 2, "flows": 41},
                   {"prefix": "10.1.0.0/24", "hosts": 1, "flows": 9}])
        );
        let steps = house.get("/start", &guest).await.json();
        let state = |step: &str| {
            let all = steps.as_array().unwrap();
            all.iter().find(|one| one["step"] == step).unwrap()["state"].clone()
        };
        assert_eq!(
            (state("networks"), state("learning")),
            (json!("todo"), json!("waiting"))
        );
    });
}

#[test]
fn servers_are_proposed_by_whom_they_serve() {
    block_on(async {
        let flows = "every 1s x5 10.0.0.5 <> 10.0.0.1:53 udp 60/1 120/1\n\
                     every 1s x5 10.0.0.6 <> 10.0.0.1:53 udp 60/1 120/1\n\
                     every 1s x9 10.0.0.6 > 10.0.0.2:53 udp 60/1\n\
                     10.0.0.6 <> 10.0.0.9:67 udp 300/1 300/1";
        let house = House::with("servers", flows, true).await;
        house.app.publish(weir_api::status::Status {
            watermark_ns: Some(crate::house::EPOCH.0 + 3_600_000_000_000),
            ..weir_api::status::Status::default()
        });
        let proposed = house.get("/start/servers", &Badge::default()).await.json();
        // Who is asked and says nothing is no server.
        assert_eq!(
            proposed,
            json!([
                {"role": "names", "key": "methods.dnsanomaly.dns_servers", "configured": [],
                 "hosts": [{"ip": "10.0.0.1", "clients": 2, "flows": 10}]},
                {"role": "addresses", "key": "methods.dhcpanom.dhcp_servers", "configured": [],
                 "hosts": [{"ip": "10.0.0.9", "clients": 1, "flows": 1}]},
            ])
        );
    });
}
