//! Correlation by example: made-up methods, findings at given seconds, the life of events as text.

use std::fmt::Write;
use std::net::IpAddr;

use expect_test::{Expect, expect};
use weir_model::{
    Clause, Conditions, Facts, FalsePositiveRule, FlowFilter, Manual, Maturity, MethodMeta, Offender,
    Quantity, Reads, Scope, SubmethodMeta, Target, Tick,
};

use super::*;

const MANUAL: Manual = Manual {
    what: "",
    basis: "",
    bias: "",
    false_positives: "",
    response: "",
};
const SUB: &[SubmethodMeta] = &[SubmethodMeta {
    name: "General",
    about: "",
    rules: &[&[Clause::at_least("tries", "tries_min")]],
    reason: "{tries} tries from {source} on {targets}",
    needs: &[],
    techniques: &[],
}];
const fn method(code: &'static str, priority: Priority, same_as: &'static [&'static str]) -> MethodMeta {
    MethodMeta {
        code,
        slug: "x",
        family: "x",
        title: "X",
        submethods: SUB,
        priority,
        maturity: Maturity::Stable,
        scope: Scope::Pair,
        reads: Reads::ENDED_FLOWS,
        needs: &[],
        same_as,
        manual: MANUAL,
    }
}
static GUESS: MethodMeta = method("GUESS", Priority::High, &[]);
static TWIN: MethodMeta = method("TWIN", Priority::High, &["GUESS.General"]);
static SMALL: MethodMeta = method("SMALL", Priority::Low, &[]);

/// A finding at second `at`: so many tries on host `target`.
fn finding(method: &'static MethodMeta, at: i64, target: u8, tries: u64, last: bool) -> (u64, Finding) {
    let target = IpAddr::from([10, 0, 0, target]);
    let source = IpAddr::from([10, 0, 0, 1]);
    let finding = Finding {
        method,
        submethod: &SUB[0],
        instance: "default",
        source: Offender {
            ip: Some(source),
            mac: None,
        },
        targets: vec![Target::ip(target)],
        target_count: 1,
        first_flow: Time::from_secs(0),
        last_flow: Time::from_secs(at),
        detected: Time::from_secs(at),
        probability: 90,
        facts: Facts::new()
            .input("tries", Quantity::Count(tries))
            .limit("tries_min", Quantity::Count(10)),
        rule: SUB[0].rules[0],
        detail: Vec::new(),
        evidence: FlowFilter {
            initiator: Some(source),
            ..FlowFilter::default()
        },
        last,
        cell: u64::from(last_octet(target)),
    };
    (at as u64 * 10, finding)
}

fn last_octet(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(_) => 0,
    }
}

fn check(preset: Preset, findings: Vec<(u64, Finding)>, end_s: i64, expect: Expect) {
    let mut triage = Triage::new(TriageConfig {
        preset,
        ..TriageConfig::default()
    });
    let ticks = (0..=end_s).map(|second| Tick {
        seq: second as u64 * 10 + 5,
        time: Time::from_secs(second),
        end: second == end_s,
    });
    let batch = Arc::new(Batch {
        ticks: ticks.collect(),
        ..Batch::default()
    });
    let mut text = String::new();
    for change in triage.batch(batch.clone(), findings) {
        let (word, event) = match &change {
            Change::Opened(event) => ("opened", event),
            Change::Updated(event) => ("updated", event),
            Change::Closed(event) => ("closed", event),
        };
        let end = event
            .end
            .map(|end| format!(" end {}", end.since(Time::from_secs(0)) / NANOS_PER_S))
            .unwrap_or_default();
        let also = if event.also.is_empty() {
            String::new()
        } else {
            format!(" also {}", event.also.join(" "))
        };
        let _ = writeln!(
            text,
            "{word}{end} {}: {} [{}]{also}",
            event.lead.method.code,
            event.lead.reason(),
            event.target_count
        );
    }
    expect.assert_eq(&text);
}

#[test]
fn one_event_with_updates_and_an_end() {
    check(
        Preset::Balanced,
        vec![
            finding(&GUESS, 1, 9, 10, false),
            finding(&GUESS, 100, 9, 50, false),
            finding(&GUESS, 302, 9, 90, true),
        ],
        700,
        expect![[r#"
            opened GUESS: 10 tries from 10.0.0.1 on 10.0.0.9 [1]
            updated GUESS: 90 tries from 10.0.0.1 on 10.0.0.9 [1]
            closed end 302 GUESS: 90 tries from 10.0.0.1 on 10.0.0.9 [1]
        "#]],
    );
}

#[test]
fn a_live_cell_keeps_its_event_open() {
    check(
        Preset::Balanced,
        vec![
            finding(&GUESS, 1, 9, 10, false),
            finding(&GUESS, 1500, 9, 20, true),
        ],
        1600,
        expect![[r#"
            opened GUESS: 10 tries from 10.0.0.1 on 10.0.0.9 [1]
            updated GUESS: 20 tries from 10.0.0.1 on 10.0.0.9 [1]
            closed end 1500 GUESS: 20 tries from 10.0.0.1 on 10.0.0.9 [1]
        "#]],
    );
}

#[test]
fn several_targets_are_one_event_led_by_the_strongest() {
    check(
        Preset::Balanced,
        vec![
            finding(&GUESS, 1, 9, 10, true),
            finding(&GUESS, 2, 8, 70, true),
            finding(&GUESS, 3, 7, 30, true),
        ],
        10,
        expect![[r#"
            opened GUESS: 10 tries from 10.0.0.1 on 10.0.0.9 [1]
            closed end 3 GUESS: 70 tries from 10.0.0.1 on 10.0.0.8 [3]
        "#]],
    );
}

#[test]
fn the_same_attack_is_told_once_and_names_the_other() {
    let findings = || {
        vec![
            finding(&GUESS, 1, 9, 10, true),
            finding(&TWIN, 2, 9, 10, true),
            finding(&TWIN, 9, 9, 20, true),
        ]
    };
    check(
        Preset::Balanced,
        findings(),
        20,
        expect![[r#"
            opened GUESS: 10 tries from 10.0.0.1 on 10.0.0.9 [1]
            closed end 1 GUESS: 10 tries from 10.0.0.1 on 10.0.0.9 [1] also TWIN.General
        "#]],
    );
    check(
        Preset::Everything,
        findings(),
        20,
        expect![[r#"
            opened GUESS: 10 tries from 10.0.0.1 on 10.0.0.9 [1]
            opened TWIN: 10 tries from 10.0.0.1 on 10.0.0.9 [1]
            closed end 1 GUESS: 10 tries from 10.0.0.1 on 10.0.0.9 [1]
            closed end 9 TWIN: 20 tries from 10.0.0.1 on 10.0.0.9 [1]
        "#]],
    );
}

fn rule(id: &str, target: &str, expires_s: Option<i64>) -> FalsePositiveRule {
    FalsePositiveRule {
        id: id.to_owned(),
        site: "default".to_owned(),
        conditions: Conditions {
            methods: vec!["GUESS".to_owned()],
            targets: vec![target.parse().unwrap()],
            ..Conditions::default()
        },
        author: "ann".to_owned(),
        created: Time::from_secs(0),
        expires: expires_s.map(Time::from_secs),
        note: String::new(),
    }
}

#[test]
fn what_is_harmless_is_hidden_and_counted() {
    let rules = Rules::default();
    rules.set(vec![
        rule("a", "10.0.0.9/32", Some(50)),
        rule("b", "10.0.0.0/28", Some(50)),
    ]);
    let mut triage = Triage::new(TriageConfig {
        rules: rules.clone(),
        ..TriageConfig::default()
    });
    let findings = vec![
        finding(&GUESS, 1, 9, 10, true),
        finding(&GUESS, 2, 9, 10, true),
        finding(&GUESS, 3, 200, 10, true),
        finding(&TWIN, 4, 9, 10, true),
        finding(&GUESS, 60, 8, 10, true),
    ];
    let changes = triage.batch(Arc::default(), findings);
    let told: Vec<String> = changes
        .iter()
        .map(|change| match change {
            Change::Opened(event) => format!("{} {}", event.lead.method.code, event.targets[0]),
            other => panic!("{other:?}"),
        })
        .collect();
    // The third lies outside, the fourth is of another method; the last comes after the rules and joins the third.
    assert_eq!(told, ["GUESS 10.0.0.200", "TWIN 10.0.0.9"]);
    let hidden = Hidden {
        rule: "a".to_owned(),
        hits: 2,
        last: Time::from_secs(2),
    };
    assert_eq!(
        rules.take_hidden(),
        std::slice::from_ref(&hidden),
        "the first rule counts"
    );
    assert_eq!(rules.take_hidden(), []);
    rules.give_back(&hidden);
    assert_eq!(rules.take_hidden(), [hidden]);
}

#[test]
fn a_new_rule_ends_the_open_event() {
    let rules = Rules::default();
    let mut triage = Triage::new(TriageConfig {
        rules: rules.clone(),
        ..TriageConfig::default()
    });
    let batch = Arc::new(Batch::default());
    assert_eq!(
        triage
            .batch(batch.clone(), vec![finding(&GUESS, 1, 9, 10, false)])
            .len(),
        1
    );
    rules.set(vec![rule("a", "10.0.0.9/32", None)]);
    let changes = triage.batch(batch.clone(), vec![finding(&GUESS, 2, 9, 20, false)]);
    assert!(matches!(changes.as_slice(), [Change::Closed(_)]), "{changes:?}");
    assert!(triage.open.is_empty());
}

#[test]
fn rules_are_bounded() {
    let rules = Rules::default();
    let many = (0..RULES_MAX + 3).map(|at| rule(&format!("{at:05}"), "10.0.0.9/32", None));
    assert_eq!(rules.set(many.collect()), 3);
}

#[test]
fn quiet_leaves_the_small_out() {
    check(
        Preset::Quiet,
        vec![finding(&SMALL, 1, 9, 10, true)],
        10,
        expect![""],
    );
}

#[test]
fn the_table_of_open_events_is_bounded() {
    let mut triage = Triage::new(TriageConfig::default());
    let sources = 0..(OPEN_MAX as u32 + 3);
    let findings = sources.map(|source| {
        let (seq, mut one) = finding(&GUESS, 1, 9, 10, false);
        one.source.ip = Some(IpAddr::from((0x0a00_0000 + source).to_be_bytes()));
        (seq, one)
    });
    let changes = triage.batch(Arc::default(), findings.collect());
    assert_eq!(
        changes
            .iter()
            .filter(|change| matches!(change, Change::Closed(_)))
            .count(),
        EVICTED_TOGETHER
    );
    let evicted = triage.anomalies().of(Anomaly::EventEvicted);
    assert_eq!(evicted, EVICTED_TOGETHER as u64);
    assert_eq!(triage.open.len(), OPEN_MAX + 3 - EVICTED_TOGETHER);
}
