//! What people add beside events: rules of false positives, saved searches; and what the threat score is made of.

use weir_model::{Conditions, FalsePositiveRule};

use super::cases::{NOW, seven};
use crate::event::{Action, EventStore, Filter, SavedSearch, StoreError};

fn rule(id: &str, conditions: Conditions) -> FalsePositiveRule {
    FalsePositiveRule {
        id: id.to_owned(),
        site: "default".to_owned(),
        conditions,
        author: "ann".to_owned(),
        created: NOW,
        expires: Some(NOW + 1),
        note: "our own\0 scanner".to_owned(),
    }
}

pub(super) async fn rules_mark_and_unmark(store: EventStore) {
    let ids = seven(&store).await;
    let conditions = Conditions {
        methods: vec!["DICTATTACK".to_owned()],
        targets: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        ..Conditions::default()
    };
    let fitting = store.fitting(&conditions, &Filter::default()).await.unwrap();
    let found: Vec<&str> = fitting.events.iter().map(|row| &*row.id).collect();
    // The third is of another method; the fifth has a target elsewhere, and fewer listed than counted.
    assert_eq!(found, [&*ids[6], &ids[5], &ids[3], &ids[1], &ids[0]]);
    assert!(fitting.whole);
    let by_hand = Action::FalsePositive("known".to_owned());
    store.act(&ids[..1], &by_hand, "ben", NOW).await.unwrap();
    let one = rule("one", conditions.clone());
    assert_eq!(
        store.add_rule(&one, &ids[..2]).await.unwrap(),
        1,
        "one was marked before"
    );
    store.count_hidden("one", 3, NOW).await.unwrap();
    store.count_hidden("one", 2, NOW + 5).await.unwrap();
    store.count_hidden("none", 2, NOW).await.unwrap();
    let kept = store.rules(Some("default")).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].hits, kept[0].last_hit, kept[0].marked),
        (5, Some(NOW + 5), 1)
    );
    assert_eq!(
        (&kept[0].rule.conditions, kept[0].rule.expires),
        (&conditions, Some(NOW + 1))
    );
    assert!(store.rules(Some("other")).await.unwrap().is_empty());
    let elsewhere = store.remove_rule("other", "one", true, "ann", NOW).await;
    assert!(
        matches!(elsewhere, Err(StoreError::NoSuch { .. })),
        "{elsewhere:?}"
    );
    assert_eq!(
        store
            .remove_rule("default", "one", true, "ann", NOW)
            .await
            .unwrap(),
        1
    );
    let marked = Filter {
        false_positive: Some(true),
        ..Filter::default()
    };
    assert_eq!(store.count(&marked).await.unwrap(), 1, "what ben marked stays");
    let long = FalsePositiveRule {
        note: "x".repeat(5000),
        ..rule("long", conditions)
    };
    assert!(matches!(
        store.add_rule(&long, &[]).await,
        Err(StoreError::TooLong { .. })
    ));
    let trail = store.audit(Some("one"), 10).await.unwrap();
    let actions: Vec<&str> = trail.iter().map(|entry| &*entry.action).collect();
    assert_eq!(actions, ["remove false positive rule", "add false positive rule"]);
    assert!(store.verify_audit(None).await.unwrap().holds());
}

pub(super) async fn threats(store: EventStore) {
    let ids = seven(&store).await;
    let mark = Action::FalsePositive(String::new());
    store.act(&ids[..1], &mark, "ben", NOW).await.unwrap();
    let threats = store.threats(&Filter::default()).await.unwrap();
    // The first is false, the fourth has no address.
    assert_eq!(threats.len(), 5);
    let scans = &threats["10.0.0.3"];
    assert_eq!((&*scans.events[0].method, scans.events[0].events), ("SCANS", 1));
    assert_eq!(scans.tactics, ["TA0006"]);
    assert_eq!(threats["10.0.0.7"].tactics, ["TA0007"]);
    let targeted = store.targeted(&Filter::default(), 10).await.unwrap();
    let said = targeted
        .iter()
        .map(|line| format!("{} {} {}", line.ip, line.method, line.events));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            "192.0.2.9 DICTATTACK 4",
            "2001:db8::9 DICTATTACK 4",
            "10.9.9.9 DICTATTACK 1",
            "192.0.2.9 SCANS 1",
            "2001:db8::9 SCANS 1"
        ]
    );
    assert_eq!((targeted[0].priority, targeted[0].risk), ("high", 56));
}

pub(super) async fn searches(store: EventStore) {
    let search = |id: &str, owner: &str, shared| SavedSearch {
        id: id.to_owned(),
        site: "default".to_owned(),
        owner: owner.to_owned(),
        kind: "flows".to_owned(),
        name: format!("search {id}"),
        query: "{\"filter\":\"dst port 445\"}".to_owned(),
        shared,
        changed: NOW,
    };
    for one in [
        search("a", "ann", false),
        search("b", "ann", true),
        search("c", "ben", false),
    ] {
        store.keep_search(&one).await.unwrap();
    }
    let seen = async |site: &str, owner: &str| {
        let found = store.searches(site, owner).await.unwrap();
        found.into_iter().map(|search| search.id).collect::<Vec<_>>()
    };
    assert_eq!(seen("default", "ann").await, ["a", "b"]);
    assert_eq!(seen("default", "ben").await, ["b", "c"]);
    assert!(seen("other", "ann").await.is_empty());
    let taken = store.keep_search(&search("a", "ben", true)).await;
    assert!(
        matches!(taken, Err(StoreError::NoSuch { .. })),
        "somebody else's stays: {taken:?}"
    );
    store.keep_search(&search("a", "ann", true)).await.unwrap();
    assert_eq!(seen("default", "ben").await, ["a", "b", "c"]);
    assert!(store.forget_search("default", "ben", "a").await.is_err());
    store.forget_search("default", "ann", "a").await.unwrap();
    assert_eq!(seen("default", "ann").await, ["b"]);
    for at in 0..499 {
        store
            .keep_search(&search(&format!("many{at}"), "ann", false))
            .await
            .unwrap();
    }
    let full = store.keep_search(&search("more", "ann", false)).await;
    assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
}
