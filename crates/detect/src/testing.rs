//! One check for every method's tests: flow notation in, the findings as text out.

use std::fmt::Write;

use expect_test::Expect;
use weir_model::{Finding, Need};

use crate::{Method, Shard, entry};

/// What the test feeds offer: everything.
const EVERYTHING: &[Need] = &[
    Need::Packets,
    Need::TcpFlags,
    Need::Macs,
    Need::Payload,
    Need::BothDirections,
    Need::Unsampled,
    Need::InsideConfigured,
];

/// Runs the method with default parameters over flow notation and compares its findings, last per cell and submethod.
pub(crate) fn check<M: Method>(notation: &str, expect: Expect) {
    check_with::<M>("{}", notation, expect);
}

/// The same with parameters given as JSON.
pub(crate) fn check_with<M: Method>(params: &str, notation: &str, expect: Expect) {
    let batch = weir_testkit::notation::batch(notation);
    let shown = |shards: usize| {
        let entry = Box::leak(Box::new(entry::<M>()));
        let values = serde_json::from_str(params).expect("parameters as JSON");
        let instance = entry
            .instance("default", values, &[], EVERYTHING)
            .expect("good parameters");
        let instances = [instance];
        let mut emissions: Vec<_> = (0..shards)
            .flat_map(|index| Shard::new(index, shards, &instances).run(&batch))
            .collect();
        emissions.sort_by_key(|emission| (emission.seq, emission.tie));
        render(emissions.into_iter().map(|emission| emission.finding).collect())
    };
    let one = shown(1);
    assert_eq!(one, shown(4), "the shard count shows");
    expect.assert_eq(&one);
}

/// One block per cell and submethod: the first report's moment, then the final figures.
fn render(findings: Vec<Finding>) -> String {
    let mut last: Vec<(usize, Finding)> = Vec::new();
    for finding in findings {
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
