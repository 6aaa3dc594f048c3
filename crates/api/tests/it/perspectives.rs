//! Perspectives over the interface: made, tried, looked through, chosen, carried elsewhere.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use weir_api::accounts::{Role, Sites};

use crate::house::{Answer, Badge, House, SPAN, block_on};

fn usual(_: &mut Value) {}

fn scan(event: &mut Value) {
    event["method"] = "SCANS".into();
    event["priority"] = "low".into();
    event["source"] = json!({"ip": "10.0.0.6"});
    event["targets"] = json!([{"ip": "192.0.2.9", "port": 22}]);
}

/// Scans of servers are critical, what 10.0.0.5 does is hidden, the rest is as it is.
fn servers() -> Value {
    json!({"name": "servers", "title": "Servers", "about": "who runs them", "otherwise": "own", "rules": [
        {"methods": ["SCANS"], "target": "ip in @servers", "give": "critical"},
        {"source": "ip 10.0.0.5", "give": "hidden"},
    ]})
}

async fn put(house: &House, badge: &Badge, perspective: &Value) -> Answer {
    let path = format!("/perspectives/{}", perspective["name"].as_str().unwrap());
    house
        .send(Method::PUT, &path, badge, Some(perspective.clone()))
        .await
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, each step on what the one before left"
)]
fn what_is_seen() {
    block_on(async {
        let house = House::new("perspectives", "every 1s x20 10.0.0.6 > 192.0.2.9:22 tcp").await;
        let ids = house.events(&[usual, scan, usual, scan]).await;
        let (editor, viewer) = (house.badge(Role::Editor).await, house.badge(Role::Viewer).await);
        let preview = json!({"perspective": servers(), "since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"});
        let preview = house
            .send(Method::POST, "/perspectives/preview", &viewer, Some(preview))
            .await
            .json();
        assert_eq!(
            preview["rules"],
            json!([{"fits": 2, "takes": 2}, {"fits": 2, "takes": 2}])
        );
        assert_eq!(
            (&preview["hidden"], &preview["otherwise"]),
            (&json!(2), &json!(0))
        );
        let critical = json!({"priority": "critical", "events": 2, "own": 0});
        assert_eq!(preview["priorities"][0], critical);
        assert_eq!(
            preview["priorities"][1],
            json!({"priority": "high", "events": 0, "own": 2})
        );
        assert_eq!(
            put(&house, &viewer, &servers()).await.status,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            put(&house, &editor, &servers()).await.json(),
            json!({"version": 1})
        );

        let get = async |path: &str| {
            let mark = if path.contains('?') { '&' } else { '?' };
            let answer = house
                .get(&format!("{path}{mark}perspective=servers"), &viewer)
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
            answer.json()
        };
        let events = get(&format!("/events?{SPAN}")).await;
        let seen = events["events"].as_array().unwrap();
        assert_eq!(seen.len(), 2);
        assert!(
            seen.iter()
                .all(|event| event["method"] == "SCANS" && event["priority"] == "critical")
        );
        assert_eq!(
            get(&format!("/events?{SPAN}&priority=low")).await["events"],
            json!([])
        );
        let facets = get(&format!("/events/facets?{SPAN}")).await;
        assert_eq!(
            (&facets["total"], &facets["priority"]),
            (&json!(2), &json!([{"value": "critical", "count": 2}]))
        );
        let steps = get(&format!("/events/histogram?{SPAN}&step=86400")).await;
        assert_eq!(
            (&steps["steps"][0]["critical"], &steps["steps"][0]["high"]),
            (&json!(2), &json!(0))
        );
        let overview = get(&format!("/overview?{SPAN}")).await;
        assert_eq!(
            overview["priorities"][0],
            json!({"priority": "critical", "events": 2, "before": 0})
        );
        assert_eq!(overview["sources"].as_array().unwrap().len(), 1);
        assert_eq!(overview["sources"][0]["priority"], "critical");
        let host = get(&format!("/hosts/10.0.0.6?{SPAN}")).await;
        assert_eq!(host["threat"]["terms"][0]["weight"], 40.0);
        assert_eq!(host["events_as_source"][0]["priority"], "critical");
        let hosts = get(&format!("/hosts?{SPAN}&order=threat")).await;
        assert_eq!(
            (&hosts["total"], &hosts["hosts"][0]["events"]),
            (&json!(1), &json!(2))
        );
        let one = get(&format!("/events/{}", ids[1])).await;
        assert_eq!(
            (&one["priority"], &one["document"]["priority"]),
            (&json!("critical"), &json!("low"))
        );
        assert_eq!(get(&format!("/events/{}", ids[0])).await["priority"], "hidden");
        let usual = house.get(&format!("/events/{}", ids[1]), &viewer).await.json();
        assert_eq!(usual["priority"], "low", "without a perspective nothing changed");
        let none = house
            .get(&format!("/events?{SPAN}&perspective=none"), &viewer)
            .await;
        assert_eq!(none.status, StatusCode::NOT_FOUND);
        let standard = house
            .get(&format!("/events?{SPAN}&perspective=security"), &viewer)
            .await;
        assert_eq!(standard.json()["events"].as_array().unwrap().len(), 4);
    });
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, each step on what the one before left"
)]
fn made_and_chosen() {
    block_on(async {
        let house = House::new("perspectives-made", "").await;
        let (editor, viewer) = (house.badge(Role::Editor).await, house.badge(Role::Viewer).await);
        let wrong = async |change: fn(&mut Value), place: &str| {
            let mut perspective = servers();
            change(&mut perspective);
            let answer = put(&house, &editor, &perspective).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{place}: {}", answer.text);
            assert_eq!(answer.json()["errors"][0]["place"], *place, "{}", answer.text);
            answer.json()
        };
        let filter = wrong(
            |one| one["rules"][0]["target"] = "ip in @none".into(),
            "/rules/0/target",
        )
        .await;
        assert!(filter["errors"][0]["caret"].is_string(), "{filter}");
        let filter = wrong(
            |one| one["rules"][1]["source"] = "bytes > 5".into(),
            "/rules/1/source",
        )
        .await;
        assert!(
            filter["detail"]
                .as_str()
                .unwrap()
                .contains("is not known of sources and targets"),
            "{filter}"
        );
        wrong(|one| one["rules"][1]["give"] = "loud".into(), "/rules/1/give").await;
        wrong(|one| one["rules"][1]["give"] = "own".into(), "/rules/1/give").await;
        wrong(|one| one["otherwise"] = "loud".into(), "/otherwise").await;
        wrong(|one| one["name"] = "security".into(), "/name").await;
        let elsewhere = house
            .send(Method::PUT, "/perspectives/other", &editor, Some(servers()))
            .await;
        assert_eq!(elsewhere.status, StatusCode::BAD_REQUEST);

        put(&house, &editor, &servers()).await;
        let choose = async |name: Value| {
            let body = Some(json!({"name": name}));
            house
                .send(Method::PUT, "/perspectives/choice", &viewer, body)
                .await
                .status
        };
        let chosen = async |badge: &Badge| {
            let all = house.get("/perspectives", badge).await.json();
            let all = all.as_array().unwrap().clone();
            let chosen: Vec<Value> = all.iter().filter(|one| one["chosen"] == true).cloned().collect();
            assert_eq!(chosen.len(), 1);
            chosen[0]["name"].clone()
        };
        assert_eq!(chosen(&viewer).await, "security");
        assert_eq!(choose(json!("servers")).await, StatusCode::NO_CONTENT);
        assert_eq!(
            (chosen(&viewer).await, chosen(&editor).await),
            (json!("servers"), json!("security"))
        );
        assert_eq!(choose(json!("none")).await, StatusCode::NOT_FOUND);
        assert_eq!(choose(json!("security")).await, StatusCode::NO_CONTENT);
        assert_eq!(chosen(&viewer).await, "security");
        choose(json!("servers")).await;

        let exported = house.get("/perspectives/export", &viewer).await.json();
        let removed = house
            .send(Method::DELETE, "/perspectives/servers", &editor, None)
            .await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT);
        assert_eq!(
            chosen(&viewer).await,
            "security",
            "what is gone is chosen by nobody"
        );
        let import = async |body: &Value| {
            house
                .send(Method::POST, "/perspectives/import", &editor, Some(body.clone()))
                .await
        };
        let mut file = exported.clone();
        file["perspectives"]
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "UPPER", "title": "x"}));
        for _ in 0..2 {
            let results = import(&file).await.json();
            assert_eq!(
                (&results["kept"], &results["results"][0]["kept"]),
                (&json!(1), &json!(true))
            );
            assert!(
                results["results"][1]["why"]
                    .as_str()
                    .unwrap()
                    .starts_with("/name: "),
                "{results}"
            );
        }
        assert_eq!(
            house.get("/perspectives/export", &viewer).await.json(),
            exported,
            "there and back"
        );
        file["format"] = "something else".into();
        assert_eq!(import(&file).await.status, StatusCode::BAD_REQUEST);

        let list = house.get("/perspectives", &viewer).await.json();
        assert_eq!(
            (&list[0]["built_in"], &list[1]["version"]),
            (&json!(true), &json!(2))
        );
        let late = async |version: &str| {
            let request = axum::http::Request::builder()
                .method(Method::PUT)
                .uri("/api/v1/perspectives/servers")
                .header("host", "weir.test")
                .header("content-type", "application/json")
                .header("cookie", editor.cookie.clone().unwrap())
                .header("x-weir-csrf", editor.csrf.clone().unwrap())
                .header("if-match", version);
            let body = axum::body::Body::from(servers().to_string());
            house.ask(request.body(body).unwrap()).await.status
        };
        assert_eq!(late("\"1\"").await, StatusCode::PRECONDITION_FAILED);
        assert_eq!(late("x").await, StatusCode::BAD_REQUEST);
        assert_eq!(late("\"2\"").await, StatusCode::OK);
        let trail = house
            .get("/audit?subject=servers", &house.badge(Role::Admin).await)
            .await
            .json();
        let actions: Vec<&str> = trail["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["action"].as_str().unwrap())
            .collect();
        assert_eq!(
            actions,
            [
                "change perspective",
                "change perspective",
                "add perspective",
                "remove perspective",
                "add perspective"
            ]
        );
    });
}

#[test]
fn each_site_has_its_own() {
    block_on(async {
        let house = House::of_sites(
            "perspectives-sites",
            &[("default", ""), ("acme", "")],
            false,
            None,
        )
        .await;
        let acme = Sites::of(["acme".to_owned()]);
        let editor = house.badge_of("ed", Role::Editor, acme).await;
        let made = put(&house, &editor, &servers()).await;
        assert_eq!(
            made.status,
            StatusCode::OK,
            "an editor of one site edits there: {}",
            made.text
        );
        let admin = house.badge(Role::Admin).await;
        let names = async |site: &str| {
            let all = house
                .get(&format!("/perspectives?site={site}"), &admin)
                .await
                .json();
            all.as_array()
                .unwrap()
                .iter()
                .map(|one| one["name"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!((names("acme").await.len(), names("default").await.len()), (2, 1));
        let there = house.get("/perspectives?site=default", &editor).await;
        assert_eq!(there.status, StatusCode::NOT_FOUND);
    });
}
