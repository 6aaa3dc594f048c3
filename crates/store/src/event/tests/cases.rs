//! The cases both databases must pass. Each is given an empty store.

use std::pin::Pin;

use serde_json::json;
use weir_model::{Priority, Time};

use super::{EPOCH_S, life, line, people, perspectives, record};
use crate::event::sql::{Columns, Sql};
use crate::event::{
    Action, CategoryState, EventRecord, EventStore, Facet, Filter, Put, Retention, Sort, SourceFilter,
    StoreError, Workflow,
};

type Case = fn(EventStore) -> Pin<Box<dyn Future<Output = ()>>>;

pub(super) const ALL: &[(&str, Case)] = &[
    ("life", |store| Box::pin(any_order_ends_the_same(store))),
    ("filters", |store| Box::pin(filters(store))),
    ("pages", |store| Box::pin(pages_neither_repeat_nor_skip(store))),
    ("counts", |store| Box::pin(counts(store))),
    ("work", |store| Box::pin(work_stays(store))),
    ("limits", |store| Box::pin(limits(store))),
    ("audit", |store| Box::pin(the_trail_tells(store))),
    ("retention", |store| Box::pin(retention(store))),
    ("hostile", |store| Box::pin(hostile_text(store))),
    ("views", |store| Box::pin(views(store))),
    ("together", |store| Box::pin(all_or_none(store))),
    ("rules", |store| Box::pin(people::rules_mark_and_unmark(store))),
    ("threats", |store| Box::pin(people::threats(store))),
    ("searches", |store| Box::pin(people::searches(store))),
    ("perspectives", |store| Box::pin(perspectives::seeing(store))),
    ("largest_perspective", |store| {
        Box::pin(perspectives::largest(store))
    }),
    ("kept_perspectives", |store| {
        Box::pin(perspectives::keeping(store))
    }),
];

pub(super) const NOW: Time = Time::from_secs(EPOCH_S);

pub(super) async fn seven(store: &EventStore) -> Vec<String> {
    let records: Vec<EventRecord> = (0..7)
        .map(|number| {
            record(number, |event| match number {
                1 => event["priority"] = "low".into(),
                2 => event["method"] = "SCANS".into(),
                3 => event["source"] = json!({"mac": "02:00:00:00:00:07"}),
                4 => event["targets"] = json!([{"ip": "10.9.9.9"}]),
                5 => event["state"] = "closed".into(),
                6 => event["attack"] = json!([{"tactic": "TA0007", "technique": "T1046"}]),
                _ => {}
            })
        })
        .collect();
    store.put(&records).await.unwrap();
    records.iter().map(|record| record.id().to_owned()).collect()
}

/// Whatever the order, and however often, the latest state stays and every state is in the history.
async fn any_order_ends_the_same(store: EventStore) {
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]];
    for (number, order) in (0..).zip(orders) {
        let states = life(number);
        for at in order.into_iter().chain([0, 1, 2, 3, 3]) {
            store.put(std::slice::from_ref(&states[at])).await.unwrap();
        }
        let detail = store.get(states[0].id()).await.unwrap();
        assert_eq!(
            (&*detail.row.state, &*detail.row.reason),
            ("closed", "step 3"),
            "{order:?}"
        );
        assert_eq!(detail.document, states[3].line());
        assert_eq!(detail.row.updates, 2);
        let history: Vec<&str> = detail.history.iter().map(|update| &*update.reason).collect();
        assert_eq!(history, ["step 0", "step 1", "step 2", "step 3"], "{order:?}");
        let target = Filter {
            target: SourceFilter::parse("192.0.2.3"),
            ..Filter::default()
        };
        assert_eq!(store.count(&target).await.unwrap(), i64::from(number) + 1);
    }
    let states = life(9);
    let put = store.put(&[states[3].clone(), states[1].clone()]).await.unwrap();
    assert_eq!(put, Put { stored: 1, stale: 1 });
    assert_eq!(store.count(&Filter::default()).await.unwrap(), 5);
}

#[expect(clippy::too_many_lines, reason = "one table: conditions, and what they find")]
async fn filters(store: EventStore) {
    let ids = seven(&store).await;
    let label = Action::Label("to watch".into());
    store.act(&ids[..2], &label, "kim", NOW).await.unwrap();
    store
        .act(&ids[..1], &Action::Work(Workflow::Acknowledged), "kim", NOW)
        .await
        .unwrap();
    store
        .act(&ids[4..5], &Action::FalsePositive("printer".into()), "kim", NOW)
        .await
        .unwrap();
    let filter = Filter::default;
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let second = |second: i64| Some((EPOCH_S + second) * 1_000_000_000);
    for (filter, wanted) in [
        (filter(), vec![6, 5, 4, 3, 2, 1, 0]),
        (
            Filter {
                since_ns: second(61),
                until_ns: second(121),
                ..filter()
            },
            vec![1],
        ),
        (
            Filter {
                methods: words(&["SCANS", "DOS"]),
                ..filter()
            },
            vec![2],
        ),
        (
            Filter {
                submethods: words(&["TCPSyn"]),
                ..filter()
            },
            vec![],
        ),
        (
            Filter {
                sites: words(&["other"]),
                ..filter()
            },
            vec![],
        ),
        (
            Filter {
                feeds: words(&["default"]),
                priorities: vec![Priority::Low],
                ..filter()
            },
            vec![1],
        ),
        (
            Filter {
                priority_min: Some(Priority::Medium),
                until_ns: second(130),
                ..filter()
            },
            vec![2, 0],
        ),
        (
            Filter {
                source: SourceFilter::parse("10.0.0.3"),
                ..filter()
            },
            vec![2],
        ),
        (
            Filter {
                source: SourceFilter::parse("10.0.0.0/30"),
                ..filter()
            },
            vec![2, 1, 0],
        ),
        (
            Filter {
                source: SourceFilter::parse("::/0"),
                ..filter()
            },
            vec![6, 5, 4, 2, 1, 0],
        ),
        (
            Filter {
                target: SourceFilter::parse("10.9.0.0/16"),
                ..filter()
            },
            vec![4],
        ),
        (
            Filter {
                target: SourceFilter::parse("2001:db8::/32"),
                methods: words(&["SCANS"]),
                ..filter()
            },
            vec![2],
        ),
        (
            Filter {
                open: Some(false),
                ..filter()
            },
            vec![5],
        ),
        (
            Filter {
                open: Some(true),
                labels: words(&["to watch"]),
                ..filter()
            },
            vec![1, 0],
        ),
        (
            Filter {
                workflow: vec![Workflow::Acknowledged, Workflow::Resolved],
                ..filter()
            },
            vec![0],
        ),
        (
            Filter {
                false_positive: Some(true),
                ..filter()
            },
            vec![4],
        ),
        (
            Filter {
                technique: Some("T1110".into()),
                since_ns: second(301),
                ..filter()
            },
            vec![5],
        ),
        (
            Filter {
                text: Some("ALL  refused 10.0.0.7".into()),
                ..filter()
            },
            vec![6],
        ),
        (
            Filter {
                text: Some("02:00:00:00:00:07".into()),
                ..filter()
            },
            vec![3],
        ),
        (
            Filter {
                text: Some("10_0".into()),
                ..filter()
            },
            vec![],
        ),
        (
            Filter {
                assignee: Some("kim".into()),
                category: Some("x".into()),
                ..filter()
            },
            vec![],
        ),
    ] {
        let page = store.list(&filter, Sort::Detected, 100, None).await.unwrap();
        let found: Vec<usize> = page
            .rows
            .iter()
            .map(|row| ids.iter().position(|id| *id == row.id).unwrap())
            .collect();
        assert_eq!(found, wanted, "{filter:?}");
        assert_eq!(store.count(&filter).await.unwrap(), wanted.len() as i64);
    }
    assert_eq!(SourceFilter::parse("10.0.0.0/33"), None);
    assert_eq!(SourceFilter::parse("10.0.0"), None);
}

async fn pages_neither_repeat_nor_skip(store: EventStore) {
    // Many share a risk and a second, so that only the id tells them apart.
    let records: Vec<EventRecord> = (0..53)
        .map(|number| {
            record(number, |event| {
                event["risk"] = (number % 3).into();
                event["detected"] = line_time(number / 10);
            })
        })
        .collect();
    store.put(&records).await.unwrap();
    for sort in [Sort::Detected, Sort::Oldest, Sort::Updated, Sort::Risk] {
        let all = store.list(&Filter::default(), sort, 1000, None).await.unwrap();
        assert_eq!((all.rows.len(), &all.next), (53, &None));
        let (mut walked, mut cursor) = (Vec::new(), None);
        loop {
            let page = store
                .list(&Filter::default(), sort, 10, cursor.as_deref())
                .await
                .unwrap();
            walked.extend(page.rows);
            let Some(next) = page.next else { break };
            // An event of a later time does not move the pages that follow.
            let late = record(900 + walked.len() as u32, |event| {
                event["risk"] = if sort == Sort::Oldest { 0 } else { 99 }.into();
            });
            if sort != Sort::Oldest {
                store.put(&[late]).await.unwrap();
            }
            cursor = Some(next);
        }
        assert_eq!(walked, all.rows, "{sort:?}");
        let mut sql = Sql::new("DELETE FROM events WHERE id >= ");
        sql.bind("01920384");
        sql.query().execute(&store.pool).await.unwrap();
    }
    let page = store
        .list(&Filter::default(), Sort::Risk, 10, None)
        .await
        .unwrap();
    let mark = page.next.unwrap();
    for wrong in ["", "x", "d", "dx.y", &mark] {
        let error = store
            .list(&Filter::default(), Sort::Detected, 10, Some(wrong))
            .await;
        assert!(matches!(error, Err(StoreError::Cursor(_))), "{wrong}");
    }
}

fn line_time(number: u32) -> serde_json::Value {
    crate::event::audit::stamp(Time::from_secs(EPOCH_S + i64::from(number))).into()
}

async fn counts(store: EventStore) {
    let ids = seven(&store).await;
    for label in ["a", "b"] {
        let label = Action::Label(label.into());
        store.act(&ids[..3], &label, "kim", NOW).await.unwrap();
    }
    let all = Filter::default();
    let pairs = |found: Vec<(String, i64)>| {
        let text: Vec<String> = found
            .iter()
            .map(|(word, count)| format!("{word} {count}"))
            .collect();
        text.join(", ")
    };
    for (by, wanted) in [
        (Facet::Method, "DICTATTACK 6, SCANS 1"),
        (
            Facet::Submethod,
            "DICTATTACK.SambaProtocol 6, SCANS.SambaProtocol 1",
        ),
        (Facet::Priority, "high 6, low 1"),
        (Facet::State, "open 6, closed 1"),
        (Facet::Workflow, "new 7"),
        (Facet::Site, "default 7"),
        (Facet::Feed, "default 7"),
        (Facet::Target, "192.0.2.9 6, 2001:db8::9 6, 10.9.9.9 1"),
        (Facet::Label, "a 3, b 3"),
        (Facet::Technique, "T1110.001 6, T1046 1"),
    ] {
        assert_eq!(pairs(store.facet(&all, by, 10).await.unwrap()), wanted, "{by:?}");
    }
    let sources = store.facet(&all, Facet::Source, 2).await.unwrap();
    assert_eq!(pairs(sources), "02:00:00:00:00:07 1, 10.0.0.1 1");
    let minute = 60_000_000_000;
    let (step, steps) = store.histogram(&all, 2 * minute).await.unwrap();
    assert_eq!(step, 2 * minute);
    let shown: Vec<_> = steps
        .iter()
        .map(|step| {
            (
                step.start_ns / 1_000_000_000 - EPOCH_S,
                step.priority,
                step.events,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (0, "low", 1),
            (0, "high", 1),
            (120, "high", 2),
            (240, "high", 2),
            (360, "high", 1)
        ]
    );
    let (step, steps) = store.histogram(&all, 1).await.unwrap();
    assert!(step > 1 && steps.len() == 7, "{step}");
    let none = Filter {
        sites: vec!["none".into()],
        ..Filter::default()
    };
    assert_eq!(store.histogram(&none, minute).await.unwrap().1, []);
}

/// What people did survives every later state of the event.
async fn work_stays(store: EventStore) {
    let states = life(0);
    let id = vec![states[0].id().to_owned()];
    store.put(&states[..1]).await.unwrap();
    let actions = [
        Action::Work(Workflow::Acknowledged),
        Action::Assign(Some("lee".into())),
        Action::Label("phish".into()),
        Action::Label("gone".into()),
        Action::Unlabel("gone".into()),
        Action::Categorise("incident 7".into(), CategoryState::New),
        Action::Categorise("incident 7".into(), CategoryState::InWork),
        Action::Categorise("wrong".into(), CategoryState::New),
        Action::Uncategorise("wrong".into()),
        Action::Comment("seen".into()),
        Action::Comment("called the owner".into()),
        Action::FalsePositive("a scanner of ours".into()),
        Action::TruePositive,
        Action::FalsePositive("really".into()),
        Action::Pin(true),
    ];
    for action in &actions {
        assert_eq!(
            store.act(&id, action, "kim", NOW).await.unwrap(),
            [true],
            "{action:?}"
        );
    }
    for again in [
        Action::Work(Workflow::Acknowledged),
        Action::Label("phish".into()),
        Action::Categorise("incident 7".into(), CategoryState::InWork),
        Action::Pin(true),
        Action::Unlabel("never".into()),
    ] {
        assert_eq!(
            store.act(&id, &again, "kim", NOW).await.unwrap(),
            [false],
            "{again:?}"
        );
    }
    store.put(&states[1..]).await.unwrap();
    let detail = store.get(&id[0]).await.unwrap();
    let row = &detail.row;
    assert_eq!(
        (&*row.state, &*row.workflow, row.assignee.as_deref()),
        ("closed", "acknowledged", Some("lee"))
    );
    assert_eq!(
        (row.false_positive, row.pinned, &row.labels),
        (true, true, &vec!["phish".to_owned()])
    );
    let bodies: Vec<&str> = detail.comments.iter().map(|note| &*note.body).collect();
    assert_eq!(bodies, ["seen", "called the owner"]);
    assert_eq!(detail.categories.len(), 1);
    assert_eq!(
        (&*detail.categories[0].category, &*detail.categories[0].state),
        ("incident 7", "in work")
    );
    assert_eq!(detail.false_positive_mark.unwrap().body, "really");
    store.act(&id, &Action::Assign(None), "kim", NOW).await.unwrap();
    assert_eq!(store.get(&id[0]).await.unwrap().row.assignee, None);
    let unknown = ["nobody".to_owned(), id[0].clone()];
    let changed = store
        .act(&unknown, &Action::Pin(false), "kim", NOW)
        .await
        .unwrap();
    assert_eq!(changed, [false, true]);
    assert!(store.verify_audit(None).await.unwrap().holds());
}

async fn limits(store: EventStore) {
    let ids = seven(&store).await;
    for action in [Action::Label("x".repeat(65)), Action::Comment("x".repeat(16_385))] {
        let error = store.act(&ids, &action, "kim", NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
        assert!(error.is_record());
    }
    let page = store
        .list(&Filter::default(), Sort::Detected, 0, None)
        .await
        .unwrap();
    assert_eq!(page.rows.len(), 1);
    assert_eq!(
        store.find("0192").await.unwrap_err().to_string(),
        "\"0192\" begins the ids of several events; write more of it"
    );
    assert_eq!(store.find("01920003").await.unwrap(), ids[3]);
    assert_eq!(store.find(&ids[3].to_uppercase()).await.unwrap(), ids[3]);
    for unknown in ["", "01", "%%%%%", "01930003", "019_0003"] {
        assert!(
            matches!(store.find(unknown).await, Err(StoreError::Unknown(_))),
            "{unknown}"
        );
    }
    assert!(matches!(store.get("0192").await, Err(StoreError::Unknown(_))));
    for wrong in [
        "",
        "{}",
        &line(1, |event| event["state"] = "ajar".into()),
        &line(1, |event| event["priority"] = "urgent".into()),
        &line(1, |event| event["detected"] = "yesterday".into()),
        &line(1, |event| event["reason"] = "x".repeat(1 << 20).into()),
    ] {
        assert!(EventRecord::from_line(wrong).is_err(), "{:.40}", wrong);
    }
}

async fn the_trail_tells(store: EventStore) {
    assert!(store.verify_audit(None).await.unwrap().holds());
    let ids = seven(&store).await;
    for number in 0..5 {
        let comment = Action::Comment(format!("note {number}"));
        store.act(&ids[..2], &comment, "kim", NOW).await.unwrap();
    }
    let chain = store.verify_audit(None).await.unwrap();
    assert_eq!((chain.entries, chain.holds()), (10, true));
    let head = chain.head.unwrap();
    let entries = store.audit(Some(&ids[1]), 3).await.unwrap();
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| (entry.seq, &*entry.action, &*entry.detail))
        .collect();
    assert_eq!(
        shown,
        [
            (10, "comment", "note 4"),
            (8, "comment", "note 3"),
            (6, "comment", "note 2")
        ]
    );
    store
        .act(&ids[..1], &Action::Pin(true), "kim", NOW)
        .await
        .unwrap();
    assert!(store.verify_audit(Some(&head)).await.unwrap().holds());

    let run = async |text: &str| Sql::new(text).query().execute(&store.pool).await.unwrap();
    let broken = async || store.verify_audit(Some(&head)).await.unwrap().broken;
    run("UPDATE audit_trail SET detail = 'note 9' WHERE seq = 4").await;
    assert_eq!(broken().await.as_deref(), Some("entry 4 was changed"));
    run("UPDATE audit_trail SET detail = 'note 1' WHERE seq = 4").await;
    assert_eq!(broken().await, None);
    run("UPDATE audit_trail SET actor = 'kimn', detail = 'ote 1' WHERE seq = 4").await;
    assert!(broken().await.is_some(), "words moved between fields");
    run("UPDATE audit_trail SET actor = 'kim', detail = 'note 1' WHERE seq = 4").await;
    run("DELETE FROM audit_trail WHERE seq > 8").await;
    let cut = store.verify_audit(Some(&head)).await.unwrap();
    assert_eq!(
        (cut.broken.as_deref(), cut.head_found, cut.holds()),
        (None, false, false)
    );
    run("DELETE FROM audit_trail WHERE seq = 2").await;
    assert_eq!(broken().await.as_deref(), Some("entry 2 is missing"));
    run("DELETE FROM audit_trail WHERE seq = 1").await;
    assert_eq!(broken().await.as_deref(), Some("entry 1 is missing"));
}

async fn retention(store: EventStore) {
    let records: Vec<EventRecord> = (0..1100).map(|number| record(number, |_| {})).collect();
    for some in records.chunks(100) {
        store.put(some).await.unwrap();
    }
    let pinned: Vec<String> = records[..3].iter().map(|record| record.id().to_owned()).collect();
    store.act(&pinned, &Action::Pin(true), "kim", NOW).await.unwrap();
    let by_age = Retention {
        updated_before_ns: Some((EPOCH_S + 600 * 60) * 1_000_000_000),
        events_max: None,
    };
    let retired = store.retain(by_age, "weir", NOW).await.unwrap();
    assert_eq!((retired.removed, retired.pinned), (597, 3));
    let by_number = Retention {
        updated_before_ns: None,
        events_max: Some(2),
    };
    let retired = store.retain(by_number, "weir", NOW).await.unwrap();
    assert_eq!((retired.removed, retired.pinned), (500, 1));
    let page = store
        .list(&Filter::default(), Sort::Detected, 10, None)
        .await
        .unwrap();
    assert!(page.rows.iter().all(|row| row.pinned) && page.rows.len() == 3);
    for table in [
        "event_targets",
        "event_evidence",
        "event_updates",
        "event_attributes",
        "event_attack",
    ] {
        let sql = Sql::new(&format!(
            "SELECT count(DISTINCT event_id) AS left_over FROM {table}"
        ));
        let row = sql.query().fetch_one(&store.pool).await.unwrap();
        assert_eq!(row.number("left_over").unwrap(), 3, "{table}");
    }
    assert!(store.verify_audit(None).await.unwrap().holds());
    assert_eq!(store.audit(Some("events"), 10).await.unwrap().len(), 3);
}

/// Text of strangers goes in and comes out as it is, and is never taken for a statement or a pattern.
async fn hostile_text(store: EventStore) {
    let nasty = "'; DROP TABLE events; -- \" \\ % _ $1 ?1 \u{202e}\u{7} \u{1f600} <script>";
    let hostile = record(1, |event| {
        event["reason"] = nasty.into();
        event["detail"] = json!({nasty: nasty, "nul": "a\u{0}b", "list": [1, "x"]});
        event["source"] = json!({"hostname": nasty, "user": "\u{0}"});
        event["targets"] = json!([{"ip": "no address"}]);
    });
    let id = vec![hostile.id().to_owned()];
    store.put(&[hostile.clone(), record(2, |_| {})]).await.unwrap();
    let detail = store.get(&id[0]).await.unwrap();
    assert_eq!((&*detail.row.reason, &*detail.document), (nasty, hostile.line()));
    assert_eq!(detail.row.source_user.as_deref(), Some("\u{fffd}"));
    for text in ["% _", "drop table", "\\", "<SCRIPT>", "\u{1f600}"] {
        let filter = Filter {
            text: Some(text.into()),
            labels: Vec::new(),
            ..Filter::default()
        };
        assert_eq!(store.count(&filter).await.unwrap(), 1, "{text}");
    }
    for action in [Action::Label("'\u{1f600}".into()), Action::Comment(nasty.into())] {
        assert_eq!(store.act(&id, &action, nasty, NOW).await.unwrap(), [true]);
    }
    let filter = Filter {
        labels: vec!["'\u{1f600}".into()],
        ..Filter::default()
    };
    assert_eq!(store.count(&filter).await.unwrap(), 1);
    assert_eq!(store.get(&id[0]).await.unwrap().comments[0].body, nasty);
    assert!(store.verify_audit(None).await.unwrap().holds());
}

/// Names and columns other tools rely on: a change of this list is a new version of the views.
const VIEWS: &[(&str, &str, i64)] = &[
    ("bi_version", "version", 1),
    (
        "bi_events",
        "id, site, feed, instance, method, submethod, title, priority, priority_rank, probability, risk, \
      state, source_ip, source_mac, source_name, source_user, target_count, first_flow, first_flow_s, detected, \
      detected_s, last_update, last_update_s, ended, ended_s, updates, reason, workflow, assignee, false_positive, \
      pinned, document",
        7,
    ),
    ("bi_targets", "event_id, site, position, ip, mac, port", 13),
    (
        "bi_updates",
        "event_id, site, state, updates, at, at_s, risk, probability, target_count, reason",
        7,
    ),
    ("bi_attack", "event_id, site, tactic, technique", 7),
    ("bi_attributes", "event_id, site, name, value", 14),
    (
        "bi_evidence",
        "event_id, site, position, flow_id, start, src_ip, src_port, dst_ip, dst_port, proto, app, \
      src_packets, src_bytes, dst_packets, dst_bytes, src_tcp_flags, dst_tcp_flags",
        7,
    ),
    ("bi_labels", "event_id, site, label, author, at", 1),
    ("bi_categories", "event_id, site, category, state, author, at", 1),
    ("bi_comments", "event_id, site, position, author, at, body", 1),
    ("bi_false_positives", "event_id, site, author, at, note", 1),
    ("bi_audit", "seq, at, actor, action, subject, detail, hash", 4),
];

async fn views(store: EventStore) {
    let ids = seven(&store).await;
    for action in [
        Action::Label("a".into()),
        Action::Categorise("b".into(), CategoryState::Solved),
        Action::Comment("c".into()),
        Action::FalsePositive("d".into()),
    ] {
        store.act(&ids[..1], &action, "kim", NOW).await.unwrap();
    }
    let guide = include_str!("../../../../../docs/guide/event-database.md");
    for (view, columns, rows) in VIEWS {
        let sql = Sql::new(&format!("SELECT {columns} FROM {view}"));
        let found = sql.query().fetch_all(&store.pool).await.unwrap();
        assert_eq!(found.len() as i64, *rows, "{view}");
        let all = Sql::new(&format!("SELECT * FROM {view}"))
            .query()
            .fetch_all(&store.pool)
            .await
            .unwrap();
        assert_eq!(
            sqlx::Row::len(&all[0]),
            columns.split(',').count(),
            "{view} has further columns"
        );
        assert!(guide.contains(&format!("`{view}`")), "{view} is not in the guide");
        let write = Sql::new(&format!("DELETE FROM {view}"));
        assert!(
            write.query().execute(&store.pool).await.is_err(),
            "{view} can be written"
        );
    }
    let sql = Sql::new("SELECT detected, detected_s, priority FROM bi_events ORDER BY id LIMIT 1");
    let row = sql.query().fetch_one(&store.pool).await.unwrap();
    assert_eq!(row.text("detected").unwrap(), "2026-01-01T00:00:01Z");
    assert_eq!(
        (row.number("detected_s").unwrap(), row.text("priority").unwrap()),
        (EPOCH_S + 1, "high".to_owned())
    );
}

/// A statement that fails takes the whole batch back.
async fn all_or_none(store: EventStore) {
    store.put(&[record(1, |_| {})]).await.unwrap();
    let broken = Sql::new("ALTER TABLE event_evidence RENAME TO elsewhere").query();
    broken.execute(&store.pool).await.unwrap();
    let error = store
        .put(&[record(2, |_| {}), record(1, |event| event["risk"] = 99.into())])
        .await;
    assert!(error.is_err());
    let row = store.get(record(1, |_| {}).id()).await.unwrap().row;
    assert_eq!(
        (store.count(&Filter::default()).await.unwrap(), row.risk),
        (1, 51)
    );
}
