//! Logging in through an identity provider, and every way in which that must fail.

use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use weir_api::accounts::Role;

use crate::house::{Answer, Badge, House, PASS, block_on, now};
use crate::provider::{Bend, Bent, ISSUER, Provider};

/// A browser that nobody is logged in with.
fn stranger() -> Badge {
    Badge {
        csrf: Some("any".to_owned()),
        ..Badge::default()
    }
}

struct Door {
    house: House,
    provider: Provider,
    auditor: Badge,
}

impl Door {
    async fn new(name: &str) -> Self {
        let provider = Provider::default();
        let house = House::with_provider(name, provider.client()).await;
        house.badge(Role::Admin).await;
        let auditor = house.badge(Role::Auditor).await;
        Self {
            house,
            provider,
            auditor,
        }
    }

    async fn post(&self, path: &str, badge: &Badge, body: Value) -> Answer {
        self.house.send(Method::POST, path, badge, Some(body)).await
    }

    /// Begins, with the browser's cookie and what it brings back.
    async fn begin(&self) -> (Badge, String, String) {
        let begun = self.post("/session/provider", &stranger(), json!({})).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.text);
        let cookie = begun.headers["set-cookie"].to_str().unwrap();
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
            "{cookie}"
        );
        let browser = Badge {
            cookie: cookie.split(';').next().map(str::to_owned),
            ..stranger()
        };
        let (code, state) = self.provider.log_in(begun.json()["url"].as_str().unwrap());
        (browser, code, state)
    }

    /// The whole way.
    async fn log_in(&self) -> Answer {
        let (browser, code, state) = self.begin().await;
        let body = json!({"code": code, "state": state});
        self.post("/session/provider/answer", &browser, body).await
    }

    /// The same with a provider that is bent.
    async fn bent(&self, bent: Bent) -> Answer {
        self.provider.bend(bent);
        let answer = self.log_in().await;
        self.provider.bend(Bent::default());
        answer
    }

    /// Nobody came in, for this reason.
    async fn refused(&self, bent: Bent, why: &str) {
        let users = self.house.app.accounts().users().len();
        let answer = self.bent(bent).await;
        assert!(answer.status.is_client_error(), "{why}: {}", answer.text);
        assert!(answer.headers.get("set-cookie").is_none(), "{why}");
        assert!(
            answer.json()["detail"].as_str().unwrap().contains(why),
            "{why}: {}",
            answer.text
        );
        assert_eq!(self.house.app.accounts().users().len(), users, "{why}");
        let trail = self.house.get("/audit", &self.auditor).await.json();
        let last = &trail["entries"][0];
        assert_eq!(last["action"], "log in refused", "{why}");
        assert!(last["detail"].as_str().unwrap().contains(why), "{last}");
    }
}

/// The session's badge in an answer.
fn badge(answer: &Answer) -> Badge {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let cookies = answer.headers.get_all("set-cookie").iter();
    let session = cookies
        .filter_map(|cookie| cookie.to_str().unwrap().split(';').next())
        .find(|cookie| cookie.starts_with("weir="));
    Badge {
        cookie: session.map(str::to_owned),
        csrf: answer.json()["user"]["csrf"].as_str().map(str::to_owned),
        token: None,
    }
}

#[test]
fn groups_give_the_role() {
    block_on(async {
        let door = Door::new("door-groups").await;
        let session = door.house.get("/session", &stranger()).await.json();
        assert_eq!(session["provider"], "The Company");
        let first = door.log_in().await;
        let kim = badge(&first);
        let user = first.json()["user"].clone();
        assert_eq!(
            (&user["name"], &user["role"], &user["provided"]),
            (&json!("kim"), &json!("analyst"), &json!(true))
        );
        assert_eq!(door.house.get("/events", &kim).await.status, StatusCode::OK);
        assert_eq!(door.house.get("/users", &kim).await.status, StatusCode::FORBIDDEN);
        assert_eq!(
            door.provider.asked(),
            ["/.well-known/openid-configuration", "/token", "/keys"]
        );
        // Renamed there, and in other groups: the same account, with another role from now on.
        let claims = json!({"preferred_username": "kim.lee", "groups": ["soc", "heads", "board"]});
        let second = door
            .bent(Bent {
                claims,
                ..Bent::default()
            })
            .await;
        assert_eq!(second.json()["user"]["name"], "kim");
        assert_eq!(
            second.json()["user"]["role"],
            "admin",
            "of several roles the one that may most"
        );
        assert_eq!(
            door.provider.asked(),
            ["/token"],
            "what is known is not asked for again"
        );
        assert_eq!(
            door.house.get("/events", &kim).await.status,
            StatusCode::UNAUTHORIZED,
            "other role, old session"
        );
        let kim = badge(&second);
        let shown = door.house.get("/users", &kim).await.json();
        let one = shown
            .as_array()
            .unwrap()
            .iter()
            .find(|user| user["name"] == "kim")
            .unwrap();
        assert_eq!(one["provider"], ISSUER);
        let trail = door.house.get("/audit", &kim).await.json();
        let said: Vec<String> = trail["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| format!("{} {}: {}", entry["actor"], entry["action"], entry["detail"]))
            .collect();
        assert!(
            said[1].contains("change user") && said[1].contains("role admin, was analyst"),
            "{said:?}"
        );
        assert!(
            said[3].contains("add user") && said[3].contains("analyst"),
            "{said:?}"
        );
    });
}

#[test]
fn there_is_no_way_around_the_provider() {
    block_on(async {
        let door = Door::new("door-around").await;
        let claims = json!({"groups": ["heads"]});
        let kim = badge(
            &door
                .bent(Bent {
                    claims,
                    ..Bent::default()
                })
                .await,
        );
        let password = json!({"name": "kim", "password": ""});
        let tried = door.post("/session", &stranger(), password).await;
        assert_eq!(tried.status, StatusCode::UNAUTHORIZED);
        let given = json!({"password": PASS});
        let given = door
            .house
            .send(Method::PATCH, "/users/kim", &kim, Some(given))
            .await;
        assert_eq!(given.status, StatusCode::CONFLICT);
        let second = door
            .post("/session/second-factor", &kim, json!({"password": ""}))
            .await;
        assert_eq!(second.status, StatusCode::CONFLICT);
    });
}

#[test]
fn who_loses_the_groups_loses_the_account() {
    block_on(async {
        let door = Door::new("door-leave").await;
        let kim = badge(&door.log_in().await);
        let made = json!({"name": "script", "role": "viewer"});
        let made = door.post("/tokens", &kim, made).await.json();
        let script = Badge {
            token: made["secret"].as_str().map(str::to_owned),
            ..Badge::default()
        };
        assert_eq!(door.house.get("/events", &script).await.status, StatusCode::OK);
        let claims = json!({"groups": ["staff"]});
        let gone = door
            .bent(Bent {
                claims,
                ..Bent::default()
            })
            .await;
        assert_eq!(gone.status, StatusCode::FORBIDDEN);
        for badge in [&kim, &script] {
            assert_eq!(
                door.house.get("/events", badge).await.status,
                StatusCode::UNAUTHORIZED
            );
        }
        let back = door.log_in().await;
        assert_eq!(
            back.status,
            StatusCode::FORBIDDEN,
            "an administrator must let kim in again: {}",
            back.text
        );
        let admin = {
            let opened = door
                .house
                .app
                .accounts()
                .log_in("admin", PASS, None, "192.0.2.1", now())
                .unwrap();
            Badge {
                cookie: Some(format!("weir={}", opened.secret)),
                csrf: Some(opened.csrf),
                token: None,
            }
        };
        let on = door
            .house
            .send(
                Method::PATCH,
                "/users/kim",
                &admin,
                Some(json!({"disabled": false})),
            )
            .await;
        assert_eq!(on.status, StatusCode::NO_CONTENT, "{}", on.text);
        assert_eq!(door.log_in().await.status, StatusCode::OK);
    });
}

#[test]
fn what_the_provider_says_must_fit() {
    block_on(async {
        let door = Door::new("door-fit").await;
        let past = now().bin(1) - 3600;
        let bent = [
            (json!({"groups": ["staff"]}), "no group of kim"),
            (json!({"groups": null}), "no group of kim"),
            (json!({"preferred_username": "admin"}), "already a user"),
            (json!({"preferred_username": "Kim Lee"}), "name_claim"),
            (json!({"preferred_username": null}), "preferred_username"),
            (json!({"nonce": "another"}), "another log-in"),
            (json!({"nonce": null}), "another log-in"),
            (json!({"iss": "https://evil.test"}), "another issuer"),
            (json!({"aud": "other"}), "another client"),
            (json!({"aud": ["weir", "other"]}), "which of its clients"),
            (
                json!({"aud": ["weir", "other"], "azp": "other"}),
                "by another client",
            ),
            (json!({"exp": past}), "expired"),
            (json!({"exp": null}), "expired"),
            (json!({"exp": "9999999999"}), "expired"),
            (json!({"iat": past + 7200}), "not valid yet"),
            (json!({"nbf": past + 7200}), "not valid yet"),
            (json!({"nbf": "soon"}), "not valid yet"),
            (json!({"sub": null}), "who it is about"),
            (json!({"sub": "x".repeat(256)}), "who it is about"),
        ];
        for (claims, why) in bent {
            door.refused(
                Bent {
                    claims,
                    ..Bent::default()
                },
                why,
            )
            .await;
        }
        assert_eq!(
            door.log_in().await.status,
            StatusCode::OK,
            "the same provider, not bent"
        );
    });
}

#[test]
fn tokens_that_nobody_signed() {
    fn with_head(token: &str, head: &Value, mark: Option<&str>) -> String {
        let parts: Vec<&str> = token.split('.').collect();
        let head = URL_SAFE_NO_PAD.encode(head.to_string());
        format!("{head}.{}.{}", parts[1], mark.unwrap_or(parts[2]))
    }
    block_on(async {
        let door = Door::new("door-signed").await;
        let bent: [(Bend, &str); 7] = [
            (
                |token| with_head(&token, &json!({"alg": "none"}), Some("")),
                "not signed with",
            ),
            (
                |token| with_head(&token, &json!({"alg": "HS256", "kid": "first"}), None),
                "not signed with",
            ),
            (
                |token| {
                    with_head(
                        &token,
                        &json!({"alg": "ES256", "kid": "first", "crit": ["x"]}),
                        None,
                    )
                },
                "not known here",
            ),
            (
                |token| with_head(&token, &json!({"alg": "ES256"}), None),
                "signature",
            ),
            (
                |token| with_head(&token, &json!({"alg": "ES256", "kid": "theirs"}), None),
                "does not publish",
            ),
            (|token| token[..token.len() - 4].to_owned() + "AAAA", "signature"),
            (|_| "not a token".to_owned(), "no signed token"),
        ];
        for (token, why) in bent {
            door.refused(
                Bent {
                    token: Some(token),
                    ..Bent::default()
                },
                why,
            )
            .await;
        }
        // A new key is not known, and keys are not asked for again within a minute: whoever invents names of keys cannot
        // make this server ask and ask.
        let asked = door
            .provider
            .asked()
            .iter()
            .filter(|path| *path == "/keys")
            .count();
        assert_eq!(asked, 1);
        door.refused(
            Bent {
                key: Some("second"),
                ..Bent::default()
            },
            "does not publish",
        )
        .await;
    });
}

#[test]
fn the_answer_belongs_to_the_browser_that_began() {
    block_on(async {
        let door = Door::new("door-browser").await;
        let answer = |code: &str, state: &str| json!({"code": code, "state": state});
        let (browser, code, state) = door.begin().await;
        let (other, _, _) = door.begin().await;
        for (badge, state) in [(&stranger(), &*state), (&other, &*state), (&browser, "made up")] {
            let refused = door
                .post("/session/provider/answer", badge, answer(&code, state))
                .await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
        }
        let unmarked = Badge {
            csrf: None,
            ..browser.clone()
        };
        let refused = door
            .post("/session/provider/answer", &unmarked, answer(&code, &state))
            .await;
        assert_eq!(
            refused.status,
            StatusCode::FORBIDDEN,
            "a page elsewhere cannot end it"
        );
        assert!(
            !door.provider.asked().contains(&"/token".to_owned()),
            "nothing was asked for any of them"
        );
        let entered = door
            .post("/session/provider/answer", &browser, answer(&code, &state))
            .await;
        assert_eq!(entered.status, StatusCode::OK, "{}", entered.text);
        let again = door
            .post("/session/provider/answer", &browser, answer(&code, &state))
            .await;
        assert_eq!(again.status, StatusCode::UNAUTHORIZED, "once");
        // A code that was used already, brought to a log-in of its own: the provider does not take it.
        let (browser, _, state) = door.begin().await;
        let replayed = door
            .post("/session/provider/answer", &browser, answer(&code, &state))
            .await;
        assert!(replayed.text.contains("invalid_grant"), "{}", replayed.text);
        // A code of somebody else's log-in: their challenge is not ours.
        let (_, theirs, _) = door.begin().await;
        let (browser, _, state) = door.begin().await;
        let injected = door
            .post("/session/provider/answer", &browser, answer(&theirs, &state))
            .await;
        assert!(injected.text.contains("invalid_grant"), "{}", injected.text);
        // An answer that says it is of another provider (RFC 9207).
        let (browser, code, state) = door.begin().await;
        let mixed = json!({"code": code, "state": state, "iss": "https://evil.test"});
        let mixed = door.post("/session/provider/answer", &browser, mixed).await;
        assert!(mixed.text.contains("another issuer"), "{}", mixed.text);
    });
}

#[test]
fn a_provider_may_be_away_or_odd() {
    block_on(async {
        let door = Door::new("door-odd").await;
        let begin = async || door.post("/session/provider", &stranger(), json!({})).await;
        door.provider.bend(Bent {
            away: true,
            ..Bent::default()
        });
        assert_eq!(begin().await.status, StatusCode::BAD_GATEWAY);
        door.provider.bend(Bent::default());
        assert_eq!(
            begin().await.status,
            StatusCode::BAD_GATEWAY,
            "left alone for a while"
        );
        assert!(door.provider.asked().is_empty());
    });
    for (name, description) in [
        ("issuer", json!({"issuer": "https://evil.test"})),
        ("plain", json!({"token_endpoint": "http://id.test/token"})),
        ("nothing", json!({"jwks_uri": null})),
        ("script", json!({"authorization_endpoint": "javascript:alert(1)"})),
    ] {
        block_on(async {
            let door = Door::new(&format!("door-odd-{name}")).await;
            door.provider.bend(Bent {
                description,
                ..Bent::default()
            });
            let begun = door.post("/session/provider", &stranger(), json!({})).await;
            assert_eq!(begun.status, StatusCode::BAD_GATEWAY, "{name}: {}", begun.text);
        });
    }
    block_on(async {
        let door = Door::new("door-userinfo").await;
        let description = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]});
        let bent = |sub: &str| Bent {
            claims: json!({"groups": null}),
            userinfo: json!({"sub": sub, "groups": "board"}),
            description: description.clone(),
            ..Bent::default()
        };
        door.refused(bent("somebody else"), "somebody else").await;
        let entered = door.bent(bent("4711")).await;
        assert_eq!(entered.json()["user"]["role"], "auditor", "{}", entered.text);
    });
}

#[test]
fn the_first_administrator_comes_first() {
    block_on(async {
        let provider = Provider::default();
        let house = House::with_provider("door-first", provider.client()).await;
        let begun = house
            .send(Method::POST, "/session/provider", &stranger(), Some(json!({})))
            .await;
        let cookie = begun.headers["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .map(str::to_owned);
        let (code, state) = provider.log_in(begun.json()["url"].as_str().unwrap());
        let browser = Badge { cookie, ..stranger() };
        let body = json!({"code": code, "state": state});
        let entered = house
            .send(Method::POST, "/session/provider/answer", &browser, Some(body))
            .await;
        assert_eq!(entered.status, StatusCode::CONFLICT, "{}", entered.text);
        let without = House::new("door-none", "").await;
        let begun = without
            .send(Method::POST, "/session/provider", &stranger(), Some(json!({})))
            .await;
        assert_eq!(begun.status, StatusCode::NOT_FOUND);
    });
}
