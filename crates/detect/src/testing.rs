//! One check for every method's tests: flow notation in, the findings as text out.

use std::fmt::Write;

use expect_test::Expect;
use weir_model::{Batch, Finding, Item, Need};

use crate::{Checkpoint, Emission, Instance, Method, Shard, entry};

/// What the test feeds offer: everything.
const EVERYTHING: &[Need] = &[
    Need::Packets,
    Need::TcpFlags,
    Need::Macs,
    Need::Payload,
    Need::BothDirections,
    Need::Unsampled,
    Need::InsideConfigured,
    Need::Lists,
    Need::Briefings,
    Need::Countries,
];

/// Runs the method with default parameters over flow notation and compares its findings, last per cell and submethod.
pub(crate) fn check<M: Method>(notation: &str, expect: Expect) {
    check_with::<M>("{}", notation, expect);
}

/// The same with parameters given as JSON.
pub(crate) fn check_with<M: Method>(params: &str, notation: &str, expect: Expect) {
    let batch = weir_testkit::notation::batch(notation);
    let instances = [instance::<M>(params)];
    let one = render(run(&mut shards(&instances, 1), &batch));
    let four = render(run(&mut shards(&instances, 4), &batch));
    assert_eq!(one, four, "the shard count shows");
    if M::LEARNED.is_some() {
        assert_eq!(one, restarted(&instances, &batch), "a restart shows");
    }
    expect.assert_eq(&one);
}

/// An instance named "default" on a feed that offers everything.
pub(crate) fn instance<M: Method>(params: &str) -> Instance {
    let entry = Box::leak(Box::new(entry::<M>()));
    let values = serde_json::from_str(params).expect("parameters as JSON");
    entry
        .instance("default", values, &[], EVERYTHING)
        .expect("good parameters")
}

pub(crate) fn shards(instances: &[Instance], count: usize) -> Vec<Shard> {
    (0..count)
        .map(|index| Shard::new(index, count, instances))
        .collect()
}

pub(crate) fn run(shards: &mut [Shard], batch: &Batch) -> Vec<Emission> {
    let mut emissions: Vec<_> = shards.iter_mut().flat_map(|shard| shard.run(batch)).collect();
    emissions.sort_by_key(|emission| (emission.seq, emission.tie));
    emissions
}

/// The same input with a restart in its midst: four shards learn the first half, their checkpoint is all that one
/// shard knows of it when it is given the second.
fn restarted(instances: &[Instance], batch: &Batch) -> String {
    let (first, second) = halves(batch);
    let mut before = shards(instances, 4);
    let mut emissions = run(&mut before, &first);
    let mut after = shards(instances, 1);
    for checkpoint in Checkpoint::merge(before.iter_mut().map(Shard::learned)) {
        assert_eq!(checkpoint.left_out, 0);
        let restored = after[0].restore(&checkpoint.text()).expect("our own checkpoint");
        assert_eq!((restored.cells, restored.refused), (checkpoint.cells, 0));
    }
    emissions.extend(run(&mut after, &second));
    render(emissions)
}

/// The batch cut in two by its order.
pub(crate) fn halves(batch: &Batch) -> (Batch, Batch) {
    let (mut first, mut second) = (Batch::default(), Batch::default());
    let half = batch.items().count() / 2;
    for (at, item) in batch.items().enumerate() {
        let part = if at < half { &mut first } else { &mut second };
        match item {
            Item::Flow(flow) => part.flows.push(flow.clone()),
            Item::Transaction(transaction) => part.transactions.push(transaction.clone()),
            Item::Tick(tick) => part.ticks.push(tick),
        }
    }
    (first, second)
}

/// One block per cell and submethod: the first report's moment, then the final figures.
fn render(emissions: Vec<Emission>) -> String {
    let mut last: Vec<(usize, Finding)> = Vec::new();
    for finding in emissions.into_iter().map(|emission| emission.finding) {
        let same = |known: &&mut (usize, Finding)| {
            known.1.cell == finding.cell && known.1.submethod.name == finding.submethod.name
        };
        match last.iter_mut().find(same) {
            Some((times, known)) => {
                *times += 1;
                let detected = known.detected;
                *known = Finding { detected, ..finding };
            }
            None => last.push((1, finding)),
        }
    }
    let mut text = String::new();
    for (times, finding) in last {
        let reason = finding.reason();
        assert!(!reason.contains('?'), "a placeholder has no value: {reason}");
        let _ = writeln!(
            text,
            "{}.{} {} % after {:.0} s, {times} findings, {} targets: {}",
            finding.method.code,
            finding.submethod.name,
            finding.probability,
            finding.detected.secs_since(weir_testkit::notation::EPOCH),
            finding.target_count,
            reason
        );
        let silent: Vec<String> = finding
            .silent_below()
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let _ = writeln!(
            text,
            "  {}; silent at {}; {}",
            finding.rule_text(),
            silent.join(", "),
            finding.evidence
        );
    }
    text
}
