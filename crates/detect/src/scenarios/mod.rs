//! Whole days of ordinary networks, which must stay quiet, and variants of attacks, which must be told: all methods with
//! default parameters over one text of flow notation.

mod attacks;
mod benign;

use weir_model::Need;

use crate::{REGISTRY, Shard};

/// What a capture offers. Which networks are inside is guessed there, not configured.
const CAPTURE: &[Need] = &[
    Need::Packets,
    Need::TcpFlags,
    Need::Macs,
    Need::Payload,
    Need::BothDirections,
    Need::Unsampled,
];

/// Every method's events as `CODE.Submethod source: reason`, one of each source, sorted.
fn events(notation: &str) -> Vec<String> {
    let batch = weir_testkit::notation::batch(notation);
    let instance = |entry: &'static crate::Entry| {
        entry
            .instance("default", serde_json::json!({}), &[], CAPTURE)
            .expect("default parameters are good")
    };
    let instances: Vec<_> = REGISTRY.iter().map(instance).collect();
    let mut last = std::collections::BTreeMap::new();
    for emission in Shard::new(0, 1, &instances).run(&batch) {
        let finding = emission.finding;
        let name = format!(
            "{}.{} {}",
            finding.method.code, finding.submethod.name, finding.source
        );
        last.insert(name, finding.reason());
    }
    last.into_iter()
        .map(|(name, reason)| format!("{name}: {reason}"))
        .collect()
}

/// Nobody says anything.
#[track_caller]
fn quiet(notation: &str) {
    let events = events(notation);
    assert!(events.is_empty(), "{notation}\n\n{}", events.join("\n"));
}

/// Exactly these are told, each given as `CODE.Submethod source` with a part of the reason behind a colon or without.
#[track_caller]
fn told(notation: &str, wanted: &[&str]) {
    let events = events(notation);
    let met = events.len() == wanted.len()
        && wanted.iter().all(|wanted| {
            let (name, part) = wanted.split_once(": ").unwrap_or((wanted, ""));
            events
                .iter()
                .any(|event| event.starts_with(&format!("{name}: ")) && event.contains(part))
        });
    assert!(met, "{notation}\n\nwanted {wanted:#?}\n\n{}", events.join("\n"));
}
