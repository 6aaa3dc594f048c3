//! False positives over the interface: proposed, previewed, in force, taken back.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use weir_api::accounts::Role;

use crate::house::{House, SPAN, block_on};

fn usual(_: &mut Value) {}

fn elsewhere(event: &mut Value) {
    event["targets"] = json!([{"ip": "10.0.0.10", "port": 445}]);
}

fn other_source(event: &mut Value) {
    event["source"] = json!({"ip": "10.0.0.6"});
}

#[test]
fn from_an_event_to_a_rule_and_back() {
    block_on(async {
        let house = House::new("false-positives", "").await;
        let ids = house.events(&[usual, elsewhere, other_source, usual]).await;
        let analyst = house.badge(Role::Analyst).await;
        let proposed = house
            .get(&format!("/events/{}/false-positive", ids[0]), &analyst)
            .await
            .json();
        assert_eq!(
            proposed["conditions"],
            json!({
                "methods": ["DICTATTACK.SambaProtocol"], "instances": [], "feeds": [], "sources": ["10.0.0.5"],
                "macs": [], "targets": ["10.0.0.9"], "ports": [445],
            })
        );
        let trial = json!({"conditions": proposed["conditions"], "since": "2026-01-01T00:00:00Z"});
        let preview = house
            .send(Method::POST, "/false-positives/preview", &analyst, Some(trial))
            .await
            .json();
        assert_eq!((&preview["events"], &preview["whole"]), (&json!(2), &json!(true)));
        assert_eq!(preview["latest"][0]["id"], ids[3]);
        let new = json!({
            "conditions": proposed["conditions"], "note": "backup", "days": 30, "mark_stored": true,
        });
        let made = house
            .send(Method::POST, "/false-positives", &analyst, Some(new))
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        assert_eq!(made.json()["marked"], 2);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(
            house.program.rules.lock().unwrap()[0].id,
            id,
            "the pipelines are told"
        );
        let marked = async || {
            let page = house
                .get(&format!("/events?{SPAN}&false_positive=true"), &analyst)
                .await
                .json();
            page["events"].as_array().unwrap().len()
        };
        assert_eq!(marked().await, 2);
        let rules = house.get("/false-positives", &analyst).await.json();
        assert_eq!(
            (&rules[0]["marked"], &rules[0]["hits"], &rules[0]["sources"]),
            (&json!(2), &json!(0), &Value::Null)
        );
        assert_eq!(rules[0]["conditions"]["sources"], json!(["10.0.0.5"]));
        let undone = house
            .send(
                Method::DELETE,
                &format!("/false-positives/{id}?unmark=true"),
                &analyst,
                None,
            )
            .await
            .json();
        assert_eq!(undone, json!({"unmarked": 2}));
        assert_eq!(marked().await, 0);
        assert!(house.program.rules.lock().unwrap().is_empty());
        let again = house
            .send(Method::DELETE, &format!("/false-positives/{id}"), &analyst, None)
            .await;
        assert_eq!(again.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn what_is_no_rule_is_refused() {
    block_on(async {
        let house = House::new("no-rules", "").await;
        let analyst = house.badge(Role::Analyst).await;
        for conditions in [
            json!({}),
            json!({"feeds": ["default"]}),
            json!({"sources": ["here"]}),
            json!({"macs": ["1:2"]}),
            json!({"methods": [""]}),
            json!({"methods": vec!["A"; 300]}),
            json!({"colours": ["red"]}),
        ] {
            for path in ["/false-positives", "/false-positives/preview"] {
                let body = json!({"conditions": conditions});
                let answer = house.send(Method::POST, path, &analyst, Some(body)).await;
                assert!(
                    answer.status.is_client_error(),
                    "{path} {conditions}: {}",
                    answer.text
                );
            }
        }
    });
}

#[test]
fn threat_scores_have_terms() {
    block_on(async {
        let house = House::new(
            "threat",
            "every 1s x3 10.0.0.5 <> 10.0.0.9:445 tcp APRS 981/5 828/6",
        )
        .await;
        let ids = house.events(&[usual, other_source, usual]).await;
        let analyst = house.badge(Role::Analyst).await;
        let detail = house
            .get(&format!("/hosts/10.0.0.5?{SPAN}"), &analyst)
            .await
            .json();
        let threat = &detail["threat"];
        assert_eq!(threat["terms"].as_array().unwrap().len(), 1, "{threat}");
        assert_eq!(threat["terms"][0]["weight"], 20.0);
        assert_eq!(threat["terms"][0]["events"], 2);
        assert_eq!(threat["tactics"], json!(["TA0006"]));
        let order = async || {
            let page = house
                .get(&format!("/hosts?{SPAN}&order=threat"), &analyst)
                .await
                .json();
            let hosts = page["hosts"].as_array().unwrap().clone();
            hosts
                .iter()
                .map(|host| host["ip"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(order().await, ["10.0.0.5", "10.0.0.6"]);
        let action = json!({"ids": [ids[0], ids[2]], "verb": "false_positive"});
        house
            .send(Method::POST, "/events/actions", &analyst, Some(action))
            .await;
        assert_eq!(order().await, ["10.0.0.6"], "what is false does not threaten");
    });
}
