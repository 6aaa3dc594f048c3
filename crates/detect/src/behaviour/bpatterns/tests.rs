//! What a pattern counts, for whom and in which window; what its memory is bounded by. The patterns that come with the
//! program are tested where they are read.

use expect_test::{Expect, expect};
use weir_model::Field;
use weir_query::{Catalog, NoLists, parse_behaviour};

use super::*;
use crate::testing::{run, shards};

const FIELDS: &[Field] = &[Field::text("dns.query", "Name")];

fn compiled(name: &str, text: &str) -> Compiled {
    let behaviour = parse_behaviour(
        text,
        Catalog::flows(),
        &Catalog::transactions(FIELDS.iter()),
        &NoLists,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    Compiled::new(Pattern {
        name: name.to_owned(),
        title: format!("Title of {name}"),
        detail: String::new(),
        techniques: Vec::new(),
        blames_responder: false,
        behaviour,
    })
    .unwrap()
}

fn instance_of_texts(texts: &[&str]) -> Instance {
    let names = ["A", "B", "C", "D", "E"];
    let all = names
        .iter()
        .zip(texts)
        .map(|(name, text)| Arc::new(compiled(name, text)));
    let have = [Need::Payload];
    instance(all.collect(), serde_json::json!({}), "default", &[], &have).unwrap()
}

/// Every finding of the patterns over flow notation, one line each.
fn check(texts: &[&str], traffic: &str, expect: Expect) {
    let batch = weir_testkit::notation::batch(traffic);
    let instances = [instance_of_texts(texts)];
    let lines = |count| {
        let found = run(&mut shards(&instances, count), &batch);
        let lines = found.into_iter().map(|emission| {
            let finding = emission.finding;
            let when = finding.detected.secs_since(weir_testkit::notation::EPOCH);
            let name = finding.submethod.name;
            format!(
                "{name} {} at {when:.0} s, {} %: {}",
                finding.source,
                finding.probability,
                finding.reason()
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(lines(1), lines(4), "the shard count shows");
    expect.assert_eq(&lines(1));
}

#[test]
fn counts_per_pair_and_port_in_one_record() {
    check(
        &[
            "where dst port 22 having count >= 3 per src ip",
            "where dst port 22 having count >= 3 per dst ip",
            "where dst port 22 having count >= 3 per src ip, dst ip",
            "where dst port 22 having count >= 3 per src ip, dst port",
            "where dst port 22 having count >= 3 per feed",
        ],
        "every 1s x3 10.0.0.5 <> 10.0.0.9:22 tcp APSF",
        expect![[r#"
            E unknown at 2 s, 50 %: unknown with 10.0.0.9:22 in 2 s: Title of E (count 3)
            A 10.0.0.5 at 2 s, 50 %: 10.0.0.5 with 10.0.0.9:22 in 2 s: Title of A (count 3)
            C 10.0.0.5 at 2 s, 50 %: 10.0.0.5 with 10.0.0.9:22 in 2 s: Title of C (count 3)
            D 10.0.0.5 at 2 s, 50 %: 10.0.0.5 with 10.0.0.9:22 in 2 s: Title of D (count 3)
            B 10.0.0.9 at 2 s, 50 %: 10.0.0.9 with 10.0.0.5 in 2 s: Title of B (count 3)
            E unknown at 2 s, 50 %: unknown with 10.0.0.9:22 in 2 s: Title of E (count 3)
            A 10.0.0.5 at 2 s, 50 %: 10.0.0.5 with 10.0.0.9:22 in 2 s: Title of A (count 3)
            C 10.0.0.5 at 2 s, 50 %: 10.0.0.5 with 10.0.0.9:22 in 2 s: Title of C (count 3)
            D 10.0.0.5 at 2 s, 50 %: 10.0.0.5 with 10.0.0.9:22 in 2 s: Title of D (count 3)
            B 10.0.0.9 at 2 s, 50 %: 10.0.0.9 with 10.0.0.5 in 2 s: Title of B (count 3)"#]],
    );
}

#[test]
fn the_window_moves_on() {
    let pattern = ["where dst port 22 having count > 3 and distinct dst ip > 2 per src ip within 80s"];
    let slow = "every 40s x20 10.0.0.5 <> 10.0.0.{1..}:22 tcp APSF";
    check(&pattern, slow, expect![[""]]);
    check(
        &pattern,
        "every 20s x4 10.0.0.5 <> 10.0.0.{1..}:22 tcp APSF",
        expect![[r#"
            A 10.0.0.5 at 60 s, 68 %: 10.0.0.5 with 4 targets in 60 s: Title of A (count 4, distinct dst ip 4)
            A 10.0.0.5 at 60 s, 68 %: 10.0.0.5 with 4 targets in 60 s: Title of A (count 4, distinct dst ip 4)"#]],
    );
}

#[test]
fn figures_of_numbers_and_alternatives() {
    check(
        &[
            "where udp having avg src bytes >= 150 and max src bytes < 400 per src ip",
            "where udp having sum src bytes > 1M or min duration >= 1s and count >= 2 per src ip",
        ],
        "10.0.0.5 <> 10.0.0.9:5000 udp 100/1 90/1 dur=2s\n10.0.0.5 <> 10.0.0.9:5000 udp 300/1 90/1 dur=1s",
        expect![[r#"
            A 10.0.0.5 at 3 s, 68 %: 10.0.0.5 with 10.0.0.9:5000 in 3 s: Title of A (avg src bytes 200, max src bytes 300 B)
            B 10.0.0.5 at 3 s, 50 %: 10.0.0.5 with 10.0.0.9:5000 in 3 s: Title of B (sum src bytes 400 B, min duration 1 s, count 2)
            A 10.0.0.5 at 3 s, 68 %: 10.0.0.5 with 10.0.0.9:5000 in 3 s: Title of A (avg src bytes 200, max src bytes 300 B)
            B 10.0.0.5 at 3 s, 50 %: 10.0.0.5 with 10.0.0.9:5000 in 3 s: Title of B (sum src bytes 400 B, min duration 1 s, count 2)"#]],
    );
}

/// A flow that lasts comes in several records and is one flow.
#[test]
fn a_long_flow_counts_once() {
    let pattern = compiled("A", "where dst port 443 having count >= 1 per src ip within 1h");
    let mut batch =
        weir_testkit::notation::batch("x1 10.0.0.5 <> 198.51.100.7:443 tcp APS phase=update dur=60s");
    let mut state = Counts::default();
    let first = batch.flows.remove(0);
    for minute in 0..5 {
        let mut flow = first.clone();
        flow.start = first.start + minute * 60 * weir_model::NANOS_PER_S;
        flow.end = flow.start + 60 * weir_model::NANOS_PER_S;
        state.flow(&pattern, &flow);
    }
    assert_eq!(state.values(&pattern), Some(vec![1.0]));
}

/// What one cell remembers is bounded, whatever comes: bins, different values, targets, samples.
#[test]
fn memory_is_bounded() {
    let text = "from transactions where app dns and dns.query contains x having distinct dns.query > 10 per src ip within 1h";
    let pattern = compiled("A", text);
    let traffic = "tx dns/query every 1s x9000 10.0.0.5 > 10.0.{0..200}.{0..250}:53 dns.query=x{1..}.example";
    let batch = weir_testkit::notation::batch(traffic);
    let mut state = Counts::default();
    for transaction in &batch.transactions {
        state.transaction(&pattern, transaction);
    }
    assert_eq!(state.values(&pattern), Some(vec![36.0]), "twice the limit and 16");
    assert!(
        format!("{:?}", state.sizes()) == "[9, 36, 32, 5]",
        "{:?}",
        state.sizes()
    );
}

/// More patterns than a record may have cells otherwise, and past the number an instance runs.
#[test]
fn many_patterns() {
    let all: Vec<Arc<Compiled>> = (0..=PATTERNS_MAX)
        .map(|number| {
            Arc::new(compiled(
                &format!("P{number}"),
                "where udp having count >= 1 per src ip",
            ))
        })
        .collect();
    let make =
        |patterns: &[Arc<Compiled>]| instance(patterns.to_vec(), serde_json::json!({}), "default", &[], &[]);
    assert!(make(&all).is_err());
    let instances = [make(&all[..PATTERNS_MAX]).unwrap()];
    let batch = weir_testkit::notation::batch("10.0.0.5 <> 10.0.0.9:5000 udp");
    let found = run(&mut shards(&instances, 1), &batch);
    assert_eq!(
        found.len(),
        2 * PATTERNS_MAX,
        "one when it holds, one when the cell closes"
    );
}

#[test]
fn sources_left_out() {
    let params = serde_json::json!({"ignore_sources": ["10.0.0.0/24"]});
    let patterns = vec![Arc::new(compiled("A", "where udp"))];
    let instances = [instance(patterns, params, "default", &[], &[]).unwrap()];
    let batch = weir_testkit::notation::batch("10.0.0.5 <> 10.0.0.9:5000 udp");
    assert!(run(&mut shards(&instances, 1), &batch).is_empty());
}
