//! Who may do what: every route for every role, with and without what a change must bring.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use weir_api::accounts::Role;

use crate::house::{Badge, House, PASS, block_on, now};

/// Method, path and least role of every operation, as the document tells them.
pub(crate) fn operations() -> Vec<(Method, String, Option<Role>)> {
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
                let let_in = need.is_none_or(|need| role.is_some_and(|role| role.may(need)));
                let shown = format!("{method} {path} {role:?}: {}", answer.text);
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

/// The code an authenticator with this secret (base 32) shows now; RFC 6238 told anew, so that one mistake is not made twice.
fn code(secret: &str) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = secret
        .bytes()
        .map(|letter| {
            format!(
                "{:05b}",
                letters.iter().position(|known| *known == letter).unwrap()
            )
        })
        .collect();
    let key: Vec<u8> = (0..bits.len() / 8)
        .map(|at| u8::from_str_radix(&bits[at * 8..at * 8 + 8], 2).unwrap())
        .collect();
    let script = format!(
        "import hmac,struct;h=hmac.new(bytes({key:?}),struct.pack('>Q',{}),'sha1').digest();o=h[19]&15;\
         print('%06d'%((struct.unpack('>I',h[o:o+4])[0]&0x7fffffff)%1000000))",
        now().0 / 30_000_000_000
    );
    let done = std::process::Command::new("python3")
        .args(["-c", &script])
        .output()
        .unwrap();
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_second_factor_is_asked_for() {
    block_on(async {
        let house = House::new("second", "").await;
        let ann = house.badge(Role::Admin).await;
        let stranger = Badge {
            csrf: Some("any".to_owned()),
            ..Badge::default()
        };
        let post = async |path: &str, badge: &Badge, body: Value| {
            house.send(Method::POST, path, badge, Some(body)).await
        };
        let wrong = post("/session/second-factor", &ann, json!({"password": "wrong"})).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        let begun = post("/session/second-factor", &ann, json!({"password": PASS}))
            .await
            .json();
        let secret = begun["secret"].as_str().unwrap().to_owned();
        assert!(
            begun["uri"]
                .as_str()
                .unwrap()
                .starts_with("otpauth://totp/Weir:admin?secret=")
        );
        let log_in = async |code: Option<&str>| {
            post(
                "/session",
                &stranger,
                json!({"name": "admin", "password": PASS, "code": code}),
            )
            .await
        };
        assert_eq!(log_in(None).await.status, StatusCode::OK, "not confirmed yet");
        let wrong = post("/session/second-factor/confirm", &ann, json!({"code": "000000"})).await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        let first = code(&secret);
        let confirmed = post("/session/second-factor/confirm", &ann, json!({"code": first})).await;
        assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
        let recovery = confirmed.json()["recovery"][0].as_str().unwrap().to_owned();
        let asked = log_in(None).await;
        assert_eq!(
            (asked.status, &asked.json()["errors"][0]["place"]),
            (StatusCode::UNAUTHORIZED, &json!("/code"))
        );
        assert_eq!(
            log_in(Some(&first)).await.status,
            StatusCode::UNAUTHORIZED,
            "a code is taken once"
        );
        assert_eq!(log_in(Some(&recovery)).await.status, StatusCode::OK);
        assert_eq!(
            log_in(Some(&recovery)).await.status,
            StatusCode::UNAUTHORIZED,
            "as is a recovery code"
        );
        let ended = house
            .send(Method::DELETE, "/users/admin/second-factor", &ann, None)
            .await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT);
        assert_eq!(log_in(None).await.status, StatusCode::OK);
        let trail = house.get("/audit", &ann).await.text;
        assert!(trail.contains("add second factor") && !trail.contains(&secret));
    });
}

#[test]
fn settings_are_changed_by_editors() {
    block_on(async {
        let house = House::new("settings", "").await;
        let editor = house.badge(Role::Editor).await;
        let auditor = house.badge(Role::Auditor).await;
        let patch =
            async |path: &str, body: Value| house.send(Method::PATCH, path, &editor, Some(body)).await;
        let changed = patch("/settings", json!({"preset": "quiet"})).await;
        assert_eq!(
            (changed.status, &changed.json()["applied"]),
            (StatusCode::OK, &json!(["preset"]))
        );
        let tried = patch("/settings?dry_run=true", json!({"preset": "quiet"})).await;
        assert_eq!(tried.json()["needs_restart"], json!(["dry true"]));
        let refused = patch("/settings", json!({"prest": "quiet"})).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let trail = house.get("/audit", &auditor).await.json();
        let entries = trail["entries"].as_array().unwrap();
        assert_eq!(
            entries.len(),
            1,
            "what was tried or refused is no change: {trail}"
        );
        assert_eq!(entries[0]["detail"], "{\"preset\":\"quiet\"}");
    });
}

#[test]
fn searches_are_kept() {
    block_on(async {
        let house = House::new("searches", "").await;
        let (viewer, analyst) = (house.badge(Role::Viewer).await, house.badge(Role::Analyst).await);
        let new = |shared| json!({"kind": "flows", "name": "smb", "query": {"filter": "dst port 445"}, "shared": shared});
        let made = house
            .send(Method::POST, "/searches", &viewer, Some(new(false)))
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let path = format!("/searches/{}", made.json()["id"].as_str().unwrap());
        assert_eq!(house.get("/searches", &analyst).await.json(), json!([]));
        let shared = house.send(Method::PUT, &path, &viewer, Some(new(true))).await;
        assert_eq!(shared.status, StatusCode::NO_CONTENT, "{}", shared.text);
        let seen = house.get("/searches", &analyst).await.json();
        assert_eq!(
            (&seen[0]["own"], &seen[0]["query"]["filter"]),
            (&json!(false), &json!("dst port 445"))
        );
        for method in [Method::DELETE, Method::PUT] {
            let body = (method == Method::PUT).then(|| new(true));
            let foreign = house.send(method, &path, &analyst, body).await;
            assert_eq!(foreign.status, StatusCode::NOT_FOUND, "only the owner");
        }
        assert_eq!(
            house.send(Method::DELETE, &path, &viewer, None).await.status,
            StatusCode::NO_CONTENT
        );
        let odd = json!({"kind": "colours", "name": "x", "query": {}});
        assert_eq!(
            house
                .send(Method::POST, "/searches", &viewer, Some(odd))
                .await
                .status,
            StatusCode::BAD_REQUEST
        );
    });
}
