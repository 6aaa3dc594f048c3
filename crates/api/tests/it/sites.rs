//! Two customers under one roof: what belongs to the one is never seen from the other.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use weir_api::accounts::{Role, Sites};
use weir_api::sites::Scope;

use crate::access::operations;
use crate::house::{Answer, Badge, House, PASS, SPAN, block_on};
use crate::provider::{Bent, Provider};

/// Flows of the one and the other; their addresses tell them apart.
const ACME: &str = "every 1s x20 10.11.11.1 > 10.11.11.2:80 tcp";
const BETA: &str = "every 1s x20 10.22.22.1 > 10.22.22.2:80 tcp";

fn of(names: &[&str]) -> Sites {
    Sites::of(names.iter().map(|name| (*name).to_owned()))
}

fn at(path: &str, site: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}site={site}")
}

async fn house(name: &str) -> House {
    House::of_sites(
        name,
        &[("default", ""), ("acme", ACME), ("beta", BETA)],
        false,
        None,
    )
    .await
}

/// What differs between two answers by chance is taken out.
fn plain(answer: &Answer) -> String {
    let text = answer.text.split("\"instance\"").next().unwrap_or_default();
    format!("{} {text}", answer.status)
}

#[test]
fn every_route_role_and_site() {
    block_on(async {
        let house = house("site-matrix").await;
        let mut counted = [0, 0, 0];
        for role in Role::ALL {
            let badge = house.badge_of(role.word(), role, of(&["acme"])).await;
            for (method, path, need) in operations() {
                let Some(need) = need else { continue };
                if path == "/stream" || method == Method::DELETE && path == "/session" || !role.may(need) {
                    continue;
                }
                let body = (method != Method::GET).then(|| json!({"unknown": 1}));
                let ask = async |site: &str| {
                    house
                        .send(method.clone(), &at(&path, site), &badge, body.clone())
                        .await
                };
                let (own, other, none) = (ask("acme").await, ask("beta").await, ask("gamma").await);
                let shown = format!("{method} {path} {role:?}: {} / {}", own.text, other.text);
                let denied = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                match Scope::of(&format!("/api/v1{path}")).expect("every route belongs to somebody") {
                    Scope::Own => {
                        assert!(
                            !own.status.is_server_error() && own.status == other.status,
                            "{shown}"
                        );
                        counted[0] += 1;
                    }
                    Scope::Server | Scope::Shared => {
                        assert_eq!(
                            (own.status, other.status),
                            (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
                            "{shown}"
                        );
                        counted[1] += 1;
                    }
                    Scope::Site => {
                        assert!(
                            !denied.contains(&own.status) && !own.status.is_server_error(),
                            "{shown}"
                        );
                        assert_eq!(other.status, StatusCode::NOT_FOUND, "{shown}");
                        assert!(other.text.contains("there is no such site"), "{shown}");
                        assert_eq!(
                            plain(&other),
                            plain(&none),
                            "a foreign site looks like none: {shown}"
                        );
                        counted[2] += 1;
                    }
                }
            }
        }
        assert!(
            counted[0] >= 24 && counted[1] >= 10 && counted[2] >= 150,
            "{counted:?}"
        );
    });
}

#[test]
fn who_sees_what() {
    block_on(async {
        let house = house("site-who").await;
        let admin = house.badge(Role::Admin).await;
        let both = house.badge_of("both", Role::Analyst, of(&["acme", "beta"])).await;
        let nothing = house.badge_of("nothing", Role::Analyst, of(&[])).await;
        let sites = async |badge: &Badge| house.get("/session", badge).await.json()["sites"].clone();
        assert_eq!(sites(&admin).await, json!(["default", "acme", "beta"]));
        assert_eq!(sites(&both).await, json!(["acme", "beta"]));
        assert_eq!(sites(&nothing).await, json!([]));
        assert_eq!(
            sites(&Badge::default()).await,
            json!([]),
            "strangers learn no names"
        );
        assert_eq!(house.get("/flows", &nothing).await.status, StatusCode::NOT_FOUND);
        let flows = format!("/flows?{SPAN}");
        for (badge, path, seen, unseen) in [
            (&both, flows.clone(), "10.11.11.1", "10.22.22.1"),
            (&both, at(&flows, "beta"), "10.22.22.1", "10.11.11.1"),
            (&admin, at(&flows, "acme"), "10.11.11.1", "10.22.22.1"),
        ] {
            let answer = house.get(&path, badge).await;
            assert!(
                answer.text.contains(seen) && !answer.text.contains(unseen),
                "{path}: {}",
                answer.text
            );
        }
        assert!(
            !house.get(&flows, &admin).await.text.contains("10."),
            "the server's own site has none of them"
        );
        let beta = house.badge_of("beta", Role::Viewer, of(&["beta"])).await;
        // Named twice, in other ways, or nowhere: the last word counts, and none of them is a way in.
        for odd in [
            "site=acme&site=default",
            "site=",
            "site=ACME",
            "site=%61cme",
            "site=acme%00",
            "site=../acme",
        ] {
            let answer = house.get(&format!("{flows}&{odd}"), &beta).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{odd}: {}", answer.text);
        }
    });
}

#[test]
fn sites_of_users_and_tokens() {
    block_on(async {
        let house = house("site-users").await;
        let admin = house.badge(Role::Admin).await;
        let post = async |path: &str, badge: &Badge, body: Value| {
            house.send(Method::POST, path, badge, Some(body)).await
        };
        let made = json!({"name": "ann", "password": PASS, "role": "analyst", "sites": ["acme"]});
        assert_eq!(post("/users", &admin, made).await.status, StatusCode::CREATED);
        let odd = json!({"name": "odd", "password": PASS, "role": "analyst", "sites": ["gamma"]});
        let odd = post("/users", &admin, odd).await;
        assert!(
            odd.status == StatusCode::BAD_REQUEST && odd.text.contains("default, acme, beta"),
            "{}",
            odd.text
        );
        let shown = house.get("/users", &admin).await.json();
        assert_eq!(
            (&shown[0]["sites"], &shown[1]["sites"]),
            (&json!(["*"]), &json!(["acme"]))
        );
    });
}

#[test]
fn sites_of_tokens() {
    block_on(async {
        let house = house("site-tokens").await;
        let admin = house.badge(Role::Admin).await;
        let ann = house.badge_of("ann", Role::Analyst, of(&["acme"])).await;
        let token = async |badge: &Badge, sites: Value| {
            let new = json!({"name": "t", "role": "viewer", "sites": sites});
            let made = house.send(Method::POST, "/tokens", badge, Some(new)).await;
            let token = (made.status == StatusCode::CREATED)
                .then(|| made.json()["secret"].as_str().unwrap().to_owned());
            (
                made.status,
                Badge {
                    token,
                    ..Badge::default()
                },
            )
        };
        assert_eq!(
            token(&ann, json!(["beta"])).await.0,
            StatusCode::BAD_REQUEST,
            "not hers to give"
        );
        let (_, all_of_hers) = token(&ann, json!(["*"])).await;
        let (_, one) = token(&admin, json!(["beta"])).await;
        let status = async |path: &str, badge: &Badge| house.get(path, badge).await.status;
        assert_eq!(status("/flows?site=acme", &all_of_hers).await, StatusCode::OK);
        assert_eq!(
            status("/flows?site=beta", &all_of_hers).await,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            status("/flows", &one).await,
            StatusCode::OK,
            "its only site is meant"
        );
        assert_eq!(status("/flows?site=acme", &one).await, StatusCode::NOT_FOUND);
        // Moved to another customer: at once, with the session and the tokens.
        let beta = Some(json!({"sites": ["beta"]}));
        let moved = house.send(Method::PATCH, "/users/ann", &admin, beta).await;
        assert_eq!(moved.status, StatusCode::NO_CONTENT, "{}", moved.text);
        assert_eq!(status("/flows?site=acme", &ann).await, StatusCode::UNAUTHORIZED);
        assert_eq!(
            status("/flows?site=acme", &all_of_hers).await,
            StatusCode::NOT_FOUND
        );
        let last = house
            .send(
                Method::PATCH,
                "/users/admin",
                &admin,
                Some(json!({"sites": ["acme"]})),
            )
            .await;
        assert_eq!(
            last.status,
            StatusCode::CONFLICT,
            "somebody must look after the server: {}",
            last.text
        );
    });
}

#[test]
fn groups_give_sites() {
    block_on(async {
        let provider = Provider::default();
        let sites = [("default", ""), ("acme", ACME), ("beta", BETA)];
        let house = House::of_sites("site-groups", &sites, false, Some(provider.client())).await;
        house.badge(Role::Admin).await;
        for (groups, role, seen) in [
            (json!(["acme-soc"]), "analyst", json!(["acme"])),
            (
                json!(["acme-soc", "beta-soc"]),
                "analyst",
                json!(["acme", "beta"]),
            ),
            (json!(["acme-view", "beta-soc"]), "analyst", json!(["beta"])),
            (json!(["acme-view"]), "viewer", json!(["acme", "beta"])),
            (
                json!(["soc", "acme-soc"]),
                "analyst",
                json!(["default", "acme", "beta"]),
            ),
        ] {
            provider.bend(Bent {
                claims: json!({"groups": groups}),
                ..Bent::default()
            });
            let entered = house.sign_in(&provider).await.json();
            assert_eq!(
                (&entered["user"]["role"], &entered["sites"]),
                (&json!(role), &seen),
                "{groups}"
            );
        }
    });
}

/// A number of a fixed row of them, below `below`.
fn chance(state: &mut u64, below: usize) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    ((*state >> 33) as usize) % below
}

/// What each of the two must not see of the other.
const MARKS: [[&str; 3]; 2] = [
    ["canary-acme", "10.11.11.", "person-of-acme"],
    ["canary-beta", "10.22.22.", "person-of-beta"],
];
const SITES: [&str; 2] = ["acme", "beta"];

/// Puts canaries of a site into everything that can hold one; somebody of the site, and ids of its events.
async fn cage(house: &House, at: usize) -> (Badge, Vec<String>) {
    let change: [fn(&mut Value); 2] = [
        |event| {
            event["reason"] = json!("canary-acme");
            event["site"] = json!("acme");
            event["source"]["ip"] = json!("10.11.11.1");
        },
        |event| {
            event["reason"] = json!("canary-beta");
            event["site"] = json!("beta");
            event["source"]["ip"] = json!("10.22.22.1");
        },
    ];
    let site = SITES[at];
    let ids = house.events_at(site, &[change[at]; 3]).await;
    let badge = house
        .badge_of(&format!("person-of-{site}"), Role::Admin, of(&[site]))
        .await;
    let post = async |path: &str, body: Value| house.send(Method::POST, path, &badge, Some(body)).await;
    let search = json!({"kind": "flows", "name": MARKS[at][0], "query": {}, "shared": true});
    let kept = post("/searches", search).await;
    assert_eq!(kept.status, StatusCode::CREATED, "{}", kept.text);
    let label = json!({"ids": [ids[0]], "verb": "label", "text": MARKS[at][0]});
    let acted = post("/events/actions", label).await;
    assert_eq!(acted.status, StatusCode::OK, "{}", acted.text);
    let export = json!({"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", "form": "csv",
        "filter": format!("src ip {}1", MARKS[at][1])});
    let begun = post("/flows/export", export).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    (badge, ids)
}

/// Any call: address, and body where there is one.
fn any_call(state: &mut u64, (method, path): (&Method, &str), ids: &[String]) -> (String, Option<Value>) {
    const WORDS: [&str; 6] = [
        "canary-acme",
        "canary-beta",
        "10.11.11.1",
        "10.22.22.1",
        "src%20ip%2010.0.0.0%2F8",
        "acme",
    ];
    const NAMES: [&str; 12] = [
        "filter", "text", "source", "target", "sort", "order", "group", "by", "limit", "cursor", "name",
        "pos",
    ];
    let id = &ids[chance(state, ids.len())];
    let ip = ["10.11.11.1", "10.22.22.1"][chance(state, 2)];
    // Parameters of a path have their names where their values go.
    let parts = path.split('/').map(|part| match part {
        "id" => id.as_str(),
        "ip" => ip,
        part => part,
    });
    let mut path = format!("{}?{SPAN}", parts.collect::<Vec<_>>().join("/"));
    for _ in 0..chance(state, 3) {
        path = format!(
            "{path}&{}={}",
            NAMES[chance(state, NAMES.len())],
            WORDS[chance(state, WORDS.len())]
        );
    }
    if let Some(site) = ["acme", "beta", "default", "gamma", "*"].get(chance(state, 7)) {
        path = at(&path, site);
    }
    let body = (*method != Method::GET).then(|| match chance(state, 3) {
        0 => json!({"ids": ids, "verb": "acknowledge"}),
        1 => json!({"kind": "flows", "name": "mine", "query": {"text": "mine"}, "shared": true}),
        _ => json!({"filter": WORDS[chance(state, WORDS.len())], "name": "mine"}),
    });
    (path, body)
}

#[test]
fn canaries_stay_where_they_are() {
    // 100,000 when slow.
    let calls = if std::env::var_os("WEIR_SLOW").is_some() {
        100_000
    } else {
        2_000
    };
    block_on(async {
        let house = house("site-canary").await;
        let (one, other) = (cage(&house, 0).await, cage(&house, 1).await);
        let ids = [one.1, other.1].concat();
        let badges = [one.0, other.0];
        let operations: Vec<_> = operations()
            .into_iter()
            .filter(|(method, path, _)| {
                // The one never ends, the other ends the session of the test.
                path != "/stream" && !(method == Method::DELETE && path == "/session")
            })
            .collect();
        let (mut state, mut sung) = (6, [0, 0]);
        for _ in 0..calls {
            let who = chance(&mut state, 2);
            let (method, path, _) = &operations[chance(&mut state, operations.len())];
            let (path, body) = any_call(&mut state, (method, path), &ids);
            let asked = format!(
                "{method} {path} {}",
                body.as_ref().map(Value::to_string).unwrap_or_default()
            );
            let answer = house.send(method.clone(), &path, &badges[who], body).await;
            let busy = answer.status == StatusCode::SERVICE_UNAVAILABLE;
            assert!(
                busy || !answer.status.is_server_error(),
                "{asked}: {}",
                answer.text
            );
            for mark in MARKS[1 - who] {
                // What one asks for oneself may be said back.
                assert!(
                    asked.contains(mark) || !answer.text.contains(mark),
                    "{asked}: {}",
                    answer.text
                );
            }
            sung[who] += usize::from(MARKS[who].iter().any(|mark| answer.text.contains(mark)));
        }
        assert!(
            sung.iter().all(|sung| *sung > calls / 50),
            "canaries sing at home: {sung:?}"
        );
    });
}
