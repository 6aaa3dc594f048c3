//! Who may do what: every route for every role, with and without what a change must bring.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use weir_api::accounts::Role;

use crate::house::{Badge, House, PASS, block_on, now};

/// Method, path and least role of every operation, as the document tells them.
fn operations() -> Vec<(Method, String, Option<Role>)> {
    let document: Value = serde_json::from_str(&weir_api::document()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"]
                .as_array()
                .unwrap_or_else(|| panic!("{method} {path} says nothing"));
            let roles: Vec<&str> = security
                .iter()
                .flat_map(|scheme| scheme.as_object().unwrap().values())
                .map(|roles| roles[0].as_str().unwrap())
                .collect();
            assert!(
                roles.windows(2).all(|pair| pair[0] == pair[1]),
                "{method} {path}: {roles:?}"
            );
            let method = method.to_uppercase().parse().unwrap();
            let path = path
                .trim_start_matches("/api/v1")
                .replace("{", "")
                .replace("}", "");
            found.push((
                method,
                path,
                roles.first().map(|word| Role::from_word(word).unwrap()),
            ));
        }
    }
    found
}

#[test]
fn every_route_and_role() {
    block_on(async {
        let house = House::new("matrix", "").await;
        let nobody = Badge {
            csrf: Some("any".to_owned()),
            ..Badge::default()
        };
        let mut badges = vec![(None, nobody)];
        for role in Role::ALL {
            badges.push((Some(role), house.badge(role).await));
        }
        let operations = operations();
        assert!(operations.len() >= 30, "{}", operations.len());
        for (method, path, need) in &operations {
            for (role, badge) in &badges {
                if *path == "/stream" || (*method == Method::DELETE && *path == "/session") {
                    // The one never ends, the other ends the session of the test; they have tests of their own.
                    continue;
                }
                let body = (*method != Method::GET).then(|| json!({"unknown": 1}));
                let answer = house.send(method.clone(), path, badge, body).await;
                let (let_in, shown) = (role >= need, format!("{method} {path} {role:?}: {}", answer.text));
                match role {
                    None if !let_in => assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{shown}"),
                    Some(_) if !let_in => assert_eq!(answer.status, StatusCode::FORBIDDEN, "{shown}"),
                    _ => {
                        let denied = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                        assert!(!denied.contains(&answer.status), "{shown}");
                        assert!(!answer.status.is_server_error(), "{shown}");
                    }
                }
                if method.is_safe() || !let_in || role.is_none() {
                    continue;
                }
                for csrf in [None, Some("wrong".to_owned())] {
                    let forged = Badge {
                        csrf,
                        ..badge.clone()
                    };
                    let answer = house.send(method.clone(), path, &forged, Some(json!({}))).await;
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{shown}");
                }
            }
        }
    });
}

#[test]
fn what_is_not_a_route_is_denied() {
    block_on(async {
        let house = House::new("unknown", "").await;
        let admin = house.badge(Role::Admin).await;
        for (method, path) in [
            (Method::GET, "/nothing"),
            (Method::PUT, "/users"),
            (Method::TRACE, "/session"),
        ] {
            let answer = house.send(method.clone(), path, &admin, None).await;
            assert!(
                answer.status.is_client_error(),
                "{method} {path}: {}",
                answer.status
            );
        }
        let elsewhere = Request::get("/api/v1/session")
            .header("host", "evil.test")
            .body(Body::empty())
            .unwrap();
        assert_eq!(house.ask(elsewhere).await.status, StatusCode::MISDIRECTED_REQUEST);
        for (name, value) in [("origin", "http://evil.test"), ("sec-fetch-site", "cross-site")] {
            let forged = Request::post("/api/v1/tokens")
                .header("host", "weir.test")
                .header("cookie", admin.cookie.clone().unwrap())
                .header("x-weir-csrf", admin.csrf.clone().unwrap())
                .header(name, value)
                .body(Body::empty())
                .unwrap();
            assert_eq!(house.ask(forged).await.status, StatusCode::FORBIDDEN, "{name}");
        }
    });
}

#[test]
fn first_start_log_in_and_out() {
    block_on(async {
        let house = House::new("first", "").await;
        let stranger = Badge {
            csrf: Some("any".to_owned()),
            ..Badge::default()
        };
        assert_eq!(house.get("/session", &stranger).await.json()["needs_setup"], true);
        let token = house.app.accounts().setup_token(now()).unwrap();
        let made = |token: &str| Some(json!({"token": token, "name": "ann", "password": PASS}));
        let wrong = house.send(Method::POST, "/setup", &stranger, made("guess")).await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        let answer = house.send(Method::POST, "/setup", &stranger, made(&token)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
            "{cookie}"
        );
        assert!(
            answer.headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("default-src 'none'")
        );
        let ann = Badge {
            cookie: cookie.split(';').next().map(str::to_owned),
            csrf: answer.json()["user"]["csrf"].as_str().map(str::to_owned),
            token: None,
        };
        let again = house.send(Method::POST, "/setup", &stranger, made(&token)).await;
        assert_eq!(again.status, StatusCode::FORBIDDEN, "once");
        let session = house.get("/session", &ann).await.json();
        assert_eq!(
            (&session["user"]["role"], &session["needs_setup"]),
            (&json!("admin"), &json!(false))
        );
        let made = json!({"name": "script", "role": "viewer"});
        let made = house.send(Method::POST, "/tokens", &ann, Some(made)).await.json();
        let script = Badge {
            token: made["secret"].as_str().map(str::to_owned),
            ..Badge::default()
        };
        assert_eq!(house.get("/events", &script).await.status, StatusCode::OK);
        assert_eq!(house.get("/users", &script).await.status, StatusCode::FORBIDDEN);
        let trail = house.get("/audit", &ann).await.json();
        let actions: Vec<&str> = trail["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["action"].as_str().unwrap())
            .collect();
        assert_eq!(actions, ["add token", "set up"]);
        assert_eq!(trail["chained"], 2);
        assert!(!trail.to_string().contains(PASS));
        let ended = house.send(Method::DELETE, "/session", &ann, None).await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT);
        assert_eq!(house.get("/events", &ann).await.status, StatusCode::UNAUTHORIZED);
        let mut last = StatusCode::OK;
        for _ in 0..6 {
            let wrong = json!({"name": "ann", "password": "wrong"});
            last = house
                .send(Method::POST, "/session", &stranger, Some(wrong))
                .await
                .status;
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    });
}

#[test]
fn a_demonstration_lets_guests_work_but_not_rule() {
    block_on(async {
        let house = House::with("demo", "", true).await;
        let session = house.get("/session", &Badge::default()).await.json();
        assert_eq!(
            (&session["demo"], &session["needs_setup"]),
            (&json!(true), &json!(false))
        );
        let guest = Badge {
            csrf: session["user"]["csrf"].as_str().map(str::to_owned),
            ..Badge::default()
        };
        assert_eq!(house.get("/events", &guest).await.status, StatusCode::OK);
        assert_eq!(house.get("/users", &guest).await.status, StatusCode::FORBIDDEN);
        let token = json!({"name": "x", "role": "viewer"});
        let token = house.send(Method::POST, "/tokens", &guest, Some(token)).await;
        assert_eq!(token.status, StatusCode::FORBIDDEN);
        let acted = json!({"ids": ["none"], "verb": "acknowledge"});
        let acted = house
            .send(Method::POST, "/events/actions", &guest, Some(acted))
            .await;
        assert_eq!(acted.json()["results"], json!([{"id": "none", "changed": false}]));
    });
}
