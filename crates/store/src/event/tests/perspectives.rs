//! Perspectives: what they make of events, alike in both databases, and how they are kept.

use std::sync::Arc;

use weir_model::{Perspective, PerspectiveRule, Priority, Seen, Time};
use weir_query::NoLists;

use super::cases::{NOW, seven};
use crate::event::{EventStore, Facet, Filter, Lens, LensError, RuleTally, Sort, StoreError};

fn perspective(name: &str, rules: Vec<PerspectiveRule>, otherwise: Seen) -> Perspective {
    Perspective {
        name: name.to_owned(),
        title: format!("For {name}"),
        about: String::new(),
        rules,
        otherwise,
    }
}

fn rule(give: Seen, change: impl FnOnce(&mut PerspectiveRule)) -> PerspectiveRule {
    let mut rule = PerspectiveRule::all(give);
    change(&mut rule);
    rule
}

const CRITICAL: Seen = Seen::As(Priority::Critical);
const LOW: Seen = Seen::As(Priority::Low);

/// What the events of [`seven`] are seen as, in their order.
async fn seen(store: &EventStore, rules: Vec<PerspectiveRule>, otherwise: Seen) -> String {
    let lens = Lens::new(&perspective("one", rules, otherwise), &NoLists).unwrap();
    let lens = Arc::new(lens);
    let filter = Filter {
        lens: Some(lens.clone()),
        ..Filter::default()
    };
    let all = store
        .list(&Filter::default(), Sort::Oldest, 100, None)
        .await
        .unwrap();
    let through = store.list(&filter, Sort::Oldest, 100, None).await.unwrap();
    let mut letters = String::new();
    for row in &all.rows {
        let found = through.rows.iter().find(|one| one.id == row.id);
        let word = found.map_or("-", |row| row.priority);
        let direct = store.seen(&row.id, &lens).await.unwrap();
        assert_eq!(direct.word(), if word == "-" { "hidden" } else { word });
        letters.push_str(&word[..1]);
    }
    assert_eq!(store.count(&filter).await.unwrap(), through.rows.len() as i64);
    letters
}

pub(super) async fn seeing(store: EventStore) {
    seven(&store).await;
    let own = || Seen::Own;
    let check = async |rule: PerspectiveRule| seen(&store, vec![rule], Seen::Hidden).await;
    assert_eq!(seen(&store, Vec::new(), own()).await, "hlhhhhh");
    assert_eq!(seen(&store, Vec::new(), Seen::Hidden).await, "-------");
    assert_eq!(check(PerspectiveRule::all(LOW)).await, "lllllll");
    let methods = |words: &'static [&'static str]| {
        rule(LOW, |rule| {
            rule.methods = words.iter().map(|word| (*word).to_owned()).collect()
        })
    };
    assert_eq!(check(methods(&["SCANS"])).await, "--l----");
    assert_eq!(
        check(methods(&["SCANS", "DICTATTACK.SambaProtocol"])).await,
        "lllllll"
    );
    assert_eq!(check(methods(&["DICTATTACK.SSHProtocol"])).await, "-------");
    assert_eq!(
        check(rule(LOW, |rule| rule.feeds = vec!["other".to_owned()])).await,
        "-------"
    );
    assert_eq!(
        check(rule(LOW, |rule| rule.instances = vec!["default".to_owned()])).await,
        "lllllll"
    );
    let source = |text: &str| rule(LOW, |rule| rule.source = text.to_owned());
    assert_eq!(check(source("ip 10.0.0.0/30 and not 10.0.0.2")).await, "l-l----");
    assert_eq!(
        check(source("not ip 10.0.0.0/30")).await,
        "---llll",
        "one has no address"
    );
    assert_eq!(check(source("mac 02:00:00:00:00:07")).await, "---l---");
    assert_eq!(check(source("not exists ip")).await, "---l---");
    assert_eq!(
        check(source("port 445 or not port > 0")).await,
        "lllllll",
        "sources have no port"
    );
    let target = |text: &str| rule(LOW, |rule| rule.target = text.to_owned());
    assert_eq!(check(target("ip 10.0.0.0/8")).await, "----l--");
    assert_eq!(check(target("ip 192.0.2.0/24 and port 445")).await, "llll-ll");
    assert_eq!(
        check(target("ip 2001:db8::/32 and port 445")).await,
        "-------",
        "of one target"
    );
    assert_eq!(
        check(target("port != 445")).await,
        "lllllll",
        "one of them has none"
    );
    let host = rule(LOW, |rule| rule.host = "ip in [10.0.0.1, 10.9.9.9]".to_owned());
    assert_eq!(check(host).await, "l---l--");
    // Of several that fit the highest wins, and what hides wins over all, in any order.
    let mut rules = vec![
        rule(LOW, |_| {}),
        rule(CRITICAL, |rule| rule.source = "ip 10.0.0.1".to_owned()),
        rule(CRITICAL, |rule| rule.methods = vec!["SCANS".to_owned()]),
        rule(Seen::Hidden, |rule| rule.source = "ip 10.0.0.3".to_owned()),
    ];
    for _ in 0..rules.len() {
        assert_eq!(seen(&store, rules.clone(), own()).await, "cl-llll");
        rules.rotate_left(1);
    }
    tallies(&store, rules).await;
}

async fn tallies(store: &EventStore, mut rules: Vec<PerspectiveRule>) {
    rules[0].methods = vec!["DICTATTACK".to_owned()];
    rules.push(rule(CRITICAL, |rule| rule.source = "ip 10.0.0.0/24".to_owned()));
    let lens = Arc::new(Lens::new(&perspective("one", rules, LOW), &NoLists).unwrap());
    let end = Time::from_secs(i64::from(i32::MAX));
    let tally = store.tally(&lens, Time(0), end).await.unwrap();
    let of = |fits, takes| RuleTally { fits, takes };
    // The scan is hidden, and of the two critical rules the first takes what both fit.
    assert_eq!(tally.rules, [of(6, 1), of(1, 1), of(1, 0), of(1, 1), of(6, 4)]);
    assert_eq!(
        (tally.seen, tally.hidden, tally.otherwise),
        ([0, 1, 0, 0, 5], 1, 0)
    );
    assert_eq!(tally.own, [0, 1, 0, 6, 0]);
    assert_eq!(store.tally(&lens, end, end).await.unwrap().rules, [of(0, 0); 5]);
    let filter = Filter {
        lens: Some(lens),
        priorities: vec![Priority::Critical],
        source: crate::event::SourceFilter::parse("10.0.0.0/29"),
        technique: Some("T1110".to_owned()),
        ..Filter::default()
    };
    let groups = store.facet(&filter, Facet::Priority, 10).await.unwrap();
    assert_eq!(groups, [("critical".to_owned(), 4)]);
    let groups = store.facet(&filter, Facet::Technique, 10).await.unwrap();
    assert_eq!(groups, [("T1110.001".to_owned(), 4)]);
    let (_, steps) = store.histogram(&filter, 3_600_000_000_000).await.unwrap();
    assert_eq!(
        (steps.len(), steps[0].priority, steps[0].events),
        (1, "critical", 4)
    );
    let threats = store.threats(&filter).await.unwrap();
    assert_eq!(threats["10.0.0.2"].events[0].priority, Priority::Critical as i64);
    let page = store.list(&filter, Sort::Detected, 3, None).await.unwrap();
    let next = store
        .list(&filter, Sort::Detected, 3, page.next.as_deref())
        .await
        .unwrap();
    assert_eq!((page.rows.len(), next.rows.len(), next.next), (3, 1, None));
}

/// The largest that is taken is also answered: SQLite bounds values and depth of a statement.
pub(super) async fn largest(store: EventStore) {
    seven(&store).await;
    let addresses = |count: usize| {
        let list: Vec<String> = (0..count)
            .map(|at| format!("10.{}.{}.1", at / 250, at % 250))
            .collect();
        let lists = move |name: &str| (name == "servers").then(|| list.clone());
        let rules = vec![rule(LOW, |rule| rule.source = "ip in @servers".to_owned()); 2];
        Lens::new(&perspective("one", rules, Seen::Hidden), &lists)
    };
    let lens = addresses(1000).unwrap();
    let filter = Filter {
        lens: Some(Arc::new(lens.clone())),
        ..Filter::default()
    };
    assert_eq!(store.count(&filter).await.unwrap(), 1);
    let tally = store.tally(&lens, Time(0), Time(i64::MAX)).await.unwrap();
    assert_eq!(
        (tally.rules[0].takes, tally.rules[1].takes, tally.hidden),
        (1, 0, 6)
    );
    assert_eq!(addresses(1001).unwrap_err(), LensError::TooLarge { found: 4004 });
    let deep = format!("{}ip 10.0.0.1{}", "(".repeat(60), ")".repeat(60));
    let wide = vec![deep; 1].join(" or ");
    let rules = vec![rule(LOW, |rule| rule.source = wide.clone()); 64];
    let lens = Lens::new(&perspective("wide", rules, Seen::Own), &NoLists).unwrap();
    let tally = store.tally(&lens, Time(0), Time(i64::MAX)).await.unwrap();
    assert_eq!(
        (tally.rules.len(), tally.rules[63].fits, tally.otherwise),
        (64, 1, 6)
    );
    let wrong = vec![
        rule(LOW, |_| {}),
        rule(LOW, |rule| rule.target = "bytes > 5".to_owned()),
    ];
    let error = Lens::new(&perspective("wrong", wrong, Seen::Own), &NoLists).unwrap_err();
    assert!(
        error.to_string().starts_with("/rules/1/target: ")
            && error.to_string().contains("\"bytes\" is not known of"),
        "{error}"
    );
}

pub(super) async fn keeping(store: EventStore) {
    let one = perspective("servers", vec![rule(CRITICAL, |_| {})], Seen::Own);
    let keep = async |site: &str, perspective: &Perspective, seen| {
        store.keep_perspective(site, perspective, seen, "ann", NOW).await
    };
    assert_eq!(keep("default", &one, Some(0)).await.unwrap(), 1);
    assert_eq!(keep("other", &one, None).await.unwrap(), 1);
    let changed = Perspective {
        otherwise: Seen::Hidden,
        about: "nul \0".to_owned(),
        ..one.clone()
    };
    let late = keep("default", &changed, Some(0)).await;
    assert!(
        matches!(late, Err(StoreError::Changed { version: 1, .. })),
        "{late:?}"
    );
    assert_eq!(keep("default", &changed, Some(1)).await.unwrap(), 2);
    assert_eq!(keep("default", &changed, None).await.unwrap(), 3);
    let kept = store.perspective("default", "servers").await.unwrap();
    assert_eq!((kept.version, &*kept.author, kept.changed), (3, "ann", NOW));
    assert_eq!(kept.perspective.otherwise, Seen::Hidden);
    assert_eq!(kept.perspective.about, "nul \u{fffd}");
    assert_eq!(
        store.perspective("other", "servers").await.unwrap().perspective,
        one
    );
    assert_eq!(store.perspectives(None).await.unwrap().len(), 2);

    let chosen = async |owner: &str| store.chosen_perspective("default", owner).await.unwrap();
    store
        .choose_perspective("default", "kim", Some("servers"))
        .await
        .unwrap();
    store
        .choose_perspective("default", "ben", Some("servers"))
        .await
        .unwrap();
    store.choose_perspective("default", "ben", None).await.unwrap();
    assert_eq!(
        (chosen("kim").await.as_deref(), chosen("ben").await),
        (Some("servers"), None)
    );
    let unknown = store.choose_perspective("default", "kim", Some("none")).await;
    assert!(matches!(unknown, Err(StoreError::NoSuch { .. })), "{unknown:?}");
    assert_eq!(
        chosen("kim").await.as_deref(),
        Some("servers"),
        "what was chosen stays"
    );
    let elsewhere = store.remove_perspective("third", "servers", "ann", NOW).await;
    assert!(
        matches!(elsewhere, Err(StoreError::NoSuch { .. })),
        "{elsewhere:?}"
    );
    store
        .remove_perspective("default", "servers", "ann", NOW)
        .await
        .unwrap();
    assert_eq!(chosen("kim").await, None);
    assert!(store.perspective("other", "servers").await.is_ok());
    let trail = store.audit(Some("servers"), 10).await.unwrap();
    let actions: Vec<&str> = trail.iter().map(|entry| &*entry.action).collect();
    let change = "change perspective";
    let add = "add perspective";
    assert_eq!(actions, ["remove perspective", change, change, add, add]);
    assert!(store.verify_audit(None).await.unwrap().holds());
    room(store, &one).await;
}

/// A hundred of a site, each with so many bytes.
async fn room(store: EventStore, one: &Perspective) {
    let keep = async |site: &str, perspective: &Perspective| {
        store.keep_perspective(site, perspective, None, "ann", NOW).await
    };
    for at in 0..100 {
        let named = perspective(&format!("p{at}"), Vec::new(), Seen::Own);
        keep("default", &named).await.unwrap();
    }
    let full = keep("default", one).await;
    assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
    let known = perspective("p7", Vec::new(), Seen::Hidden);
    assert_eq!(
        keep("default", &known).await.unwrap(),
        2,
        "a change needs no room"
    );
    let list = "x".repeat(128);
    let huge = rule(LOW, |rule| rule.methods = vec![list; 256]);
    let huge = perspective("huge", vec![huge; 3], Seen::Own);
    let long = keep("other", &huge).await;
    assert!(matches!(long, Err(StoreError::TooLong { .. })), "{long:?}");
}
