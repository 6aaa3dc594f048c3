//! Events over the interface.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use weir_api::accounts::Role;

use crate::house::{House, SPAN, block_on};

const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{0007}\"' OR 1=1 --";

fn usual(_: &mut Value) {}

fn low(event: &mut Value) {
    event["priority"] = "low".into();
    event["risk"] = 10.into();
    event["method"] = "SCANS".into();
    event["source"] = json!({"ip": "10.0.0.6"});
}

fn hostile(event: &mut Value) {
    event["reason"] = HOSTILE.into();
    event["source"] = json!({"ip": "10.0.0.7", "hostname": HOSTILE});
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, each step on what the one before left"
)]
fn lists_counts_and_pages() {
    block_on(async {
        let house = House::new("lists", "").await;
        let ids = house.events(&[usual, low, hostile, usual, low]).await;
        let viewer = house.badge(Role::Viewer).await;
        let mut seen = Vec::new();
        let mut path = format!("/events?{SPAN}&limit=2");
        loop {
            let page = house.get(&path, &viewer).await.json();
            let events = page["events"].as_array().unwrap();
            seen.extend(
                events
                    .iter()
                    .map(|event| event["id"].as_str().unwrap().to_owned()),
            );
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            path = format!("/events?{SPAN}&limit=2&cursor={cursor}");
        }
        let mut newest_first = ids.clone();
        newest_first.reverse();
        assert_eq!(seen, newest_first);
        for (query, expected) in [
            ("priority=low", 2),
            ("priority=low,high", 5),
            ("source=10.0.0.0/30", 0),
            ("source=10.0.0.5", 2),
            ("target=10.0.0.9", 5),
            ("method=SCANS", 2),
            ("technique=T1110", 5),
            ("text=alert", 1),
            ("state=closed", 0),
            ("workflow=new", 5),
        ] {
            let page = house
                .get(&format!("/events?{SPAN}&{query}"), &viewer)
                .await
                .json();
            assert_eq!(page["events"].as_array().unwrap().len(), expected, "{query}");
        }
        for wrong in [
            "priority=urgent",
            "source=here",
            "limit=0",
            "limit=5000",
            "cursor=x",
            "colour=red",
            "since=now&until=now",
        ] {
            let answer = house.get(&format!("/events?{wrong}"), &viewer).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}: {}", answer.text);
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            assert!(
                answer.json()["instance"]
                    .as_str()
                    .unwrap()
                    .starts_with("urn:weir:problem:")
            );
        }
        let facets = house.get(&format!("/events/facets?{SPAN}"), &viewer).await.json();
        assert_eq!(facets["total"], 5);
        assert_eq!(facets["method"][0], json!({"value": "DICTATTACK", "count": 3}));
        let histogram = house
            .get(&format!("/events/histogram?{SPAN}&step=3600"), &viewer)
            .await
            .json();
        let step = json!({"start": "2026-01-01T00:00:00Z", "informational": 0, "low": 2, "medium": 0, "high": 3, "critical": 0});
        assert_eq!(histogram["steps"], json!([step]));
        let overview = house.get(&format!("/overview?{SPAN}"), &viewer).await.json();
        assert_eq!(
            overview["priorities"][1],
            json!({"priority": "high", "events": 3, "before": 0})
        );
        assert_eq!(overview["sources"][0]["source"], "10.0.0.5");
        assert_eq!(overview["sources"][0]["events"], 2);
        let empty = house.get("/overview?since=now-1h", &viewer).await.json();
        assert_eq!(
            empty["data"]["until"], "2026-01-01T01:04:01Z",
            "where the data are"
        );
    });
}

#[test]
fn one_event_and_what_people_do() {
    block_on(async {
        let house = House::new("work", "").await;
        let ids = house.events(&[usual, hostile]).await;
        let analyst = house.badge(Role::Analyst).await;
        let act = async |ids: &[&str], verb: &str, text: Option<&str>| {
            let body = json!({"ids": ids, "verb": verb, "text": text});
            house
                .send(Method::POST, "/events/actions", &analyst, Some(body))
                .await
        };
        let both = [
            ids[0].as_str(),
            ids[1].as_str(),
            "0192ffff-0000-7000-8000-000000000000",
        ];
        let done = act(&both, "acknowledge", None).await.json();
        assert_eq!(done["changed"], 2);
        assert_eq!(done["results"][2]["changed"], false, "no such event");
        assert_eq!(act(&both[..1], "label", Some("phish")).await.json()["changed"], 1);
        assert_eq!(
            act(&both[..1], "label", None).await.status,
            StatusCode::BAD_REQUEST
        );
        assert_eq!(
            act(&both[..1], "comment", Some(HOSTILE)).await.json()["changed"],
            1
        );
        assert_eq!(
            act(&both[..1], "comment", Some(&"x".repeat(20_000))).await.status,
            StatusCode::BAD_REQUEST
        );
        assert_eq!(act(&[], "close", None).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(act(&both[..1], "close", None).await.json()["changed"], 1);
        let event = house.get(&format!("/events/{}", ids[0]), &analyst).await.json();
        assert_eq!(
            (&event["workflow"], &event["labels"]),
            (&json!("resolved"), &json!(["phish"]))
        );
        assert_eq!(event["comments"][0]["body"], HOSTILE);
        assert_eq!(event["comments"][0]["author"], "analyst");
        assert_eq!(event["document"]["explanation"]["inputs"]["attempts"], 195);
        assert_eq!(event["history"].as_array().unwrap().len(), 1);
        let hostile = house
            .get(&format!("/events/{}", &ids[1][..8]), &analyst)
            .await
            .json();
        assert_eq!(hostile["reason"], HOSTILE, "as it is: the page shows it as text");
        let missing = house.get("/events/0192ffff", &analyst).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
    });
}

/// Counts of one second are computed once; what somebody does is seen at once all the same.
#[test]
fn who_ask_the_same_share_the_answer() {
    block_on(async {
        let house = House::new("shared", "").await;
        let ids = house.events(&[usual]).await;
        let (viewer, analyst) = (house.badge(Role::Viewer).await, house.badge(Role::Analyst).await);
        let path = format!("/events/facets?{SPAN}");
        let ask = async |path: &str| {
            let answer = house.get(path, &viewer).await;
            assert_eq!(answer.headers["content-type"], "application/json");
            answer.json()
        };
        let until = std::time::Instant::now() + std::time::Duration::from_millis(500);
        assert_eq!(ask(&path).await["total"], 1);
        house.events(&[usual, low]).await;
        let shared = ask(&path).await;
        if std::time::Instant::now() < until {
            assert_eq!(shared["total"], 1, "the answer of this second");
        }
        assert_eq!(
            ask(&format!("{path}&state=open")).await["total"],
            2,
            "another question"
        );
        let body = json!({"ids": ids, "verb": "acknowledge"});
        house
            .send(Method::POST, "/events/actions", &analyst, Some(body))
            .await;
        assert_eq!(ask(&path).await["total"], 2, "somebody did something");
        let nobody = house.get(&path, &crate::house::Badge::default()).await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "shared with who may ask");
        for _ in 0..2 {
            let wrong = house.get(&format!("{path}&priority=loud"), &viewer).await;
            assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
        }
    });
}
