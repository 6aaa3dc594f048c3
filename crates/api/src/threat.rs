//! The threat score of a host: what its events amount to, with every term, so that people can follow the sum. It only
//! orders what is looked at first; no decision of the program depends on it.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;
use weir_model::{Priority, Time};
use weir_store::event::SourceThreat;

/// Points by priority, from informational: how many of the lesser make up for one of the greater.
const POINTS: [f64; 5] = [1.0, 3.0, 8.0, 20.0, 40.0];
/// Hours after which a term counts half.
const HALF_LIFE_H: f64 = 24.0;
/// What each further tactic, and each further method, adds to the whole.
const PER_TACTIC: f64 = 0.15;
const PER_METHOD: f64 = 0.10;

/// A threat score and what it is made of: the sum of the terms, times the factors, at most 100.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ThreatScore {
    /// 0 to 100.
    pub(crate) score: f64,
    /// Most points first.
    pub(crate) terms: Vec<ThreatTerm>,
    /// Sum of the terms' points.
    pub(crate) sum: f64,
    /// Different ATT&CK tactics of the events.
    pub(crate) tactics: Vec<String>,
    /// 1 + 0.15 for each tactic after the first.
    pub(crate) tactics_factor: f64,
    /// Different methods that found something.
    pub(crate) methods: usize,
    /// 1 + 0.10 for each method after the first.
    pub(crate) methods_factor: f64,
}

/// The events of one method and submethod: weight x probability x reach x age x repeats.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ThreatTerm {
    pub(crate) method: String,
    pub(crate) submethod: String,
    pub(crate) points: f64,
    pub(crate) events: i64,
    /// The highest priority: 40 critical, 20 high, 8 medium, 3 low, 1 informational.
    pub(crate) weight: f64,
    /// The highest probability, 0 to 1.
    pub(crate) probability: f64,
    /// 1 + 0.25 ln(1 + targets), of the event with most targets.
    pub(crate) reach: f64,
    /// Halves every 24 hours since the last update.
    pub(crate) age: f64,
    /// 1 + ln(events).
    pub(crate) repeats: f64,
}

/// The score of a source at `now`.
pub(crate) fn score(threat: &SourceThreat, now: Time) -> ThreatScore {
    let mut terms: Vec<ThreatTerm> = threat
        .events
        .iter()
        .map(|one| {
            let weight = POINTS[one.priority.clamp(0, Priority::Critical as i64) as usize];
            let probability = one.probability.clamp(0, 100) as f64 / 100.0;
            let reach = 1.0 + 0.25 * (1.0 + one.targets.max(0) as f64).ln();
            let hours = now.secs_since(Time(one.last_ns)).max(0.0) / 3600.0;
            let age = (-hours / HALF_LIFE_H).exp2();
            let repeats = 1.0 + (one.events.max(1) as f64).ln();
            ThreatTerm {
                method: one.method.clone(),
                submethod: one.submethod.clone(),
                points: weight * probability * reach * age * repeats,
                events: one.events,
                weight,
                probability,
                reach,
                age,
                repeats,
            }
        })
        .collect();
    terms.sort_by(|one, other| other.points.total_cmp(&one.points));
    let sum: f64 = terms.iter().map(|term| term.points).sum();
    let methods = threat
        .events
        .iter()
        .map(|one| &one.method)
        .collect::<BTreeSet<_>>();
    let further = |count: usize| count.saturating_sub(1) as f64;
    let tactics_factor = 1.0 + PER_TACTIC * further(threat.tactics.len());
    let methods_factor = 1.0 + PER_METHOD * further(methods.len());
    ThreatScore {
        score: (sum * tactics_factor * methods_factor).min(100.0),
        sum,
        tactics: threat.tactics.clone(),
        tactics_factor,
        methods: methods.len(),
        methods_factor,
        terms,
    }
}

#[cfg(test)]
mod tests {
    use weir_model::NANOS_PER_S;
    use weir_store::event::SourceEvents;

    use super::*;

    fn events(method: &str, events: i64, priority: Priority, targets: i64, hours_ago: i64) -> SourceEvents {
        SourceEvents {
            method: method.to_owned(),
            submethod: "General".to_owned(),
            events,
            priority: priority as i64,
            probability: 100,
            targets,
            last_ns: -hours_ago * 3600 * NANOS_PER_S,
        }
    }

    fn check(events: Vec<SourceEvents>, tactics: &[&str]) -> f64 {
        let tactics = tactics.iter().map(|tactic| (*tactic).to_owned()).collect();
        let score = score(&SourceThreat { events, tactics }, Time(0));
        (score.score * 10.0).round() / 10.0
    }

    #[test]
    fn every_term_counts() {
        let one = |hours, targets| events("A", 1, Priority::High, targets, hours);
        assert_eq!(check(Vec::new(), &[]), 0.0);
        assert_eq!(check(vec![one(0, 0)], &["TA0006"]), 20.0);
        assert_eq!(check(vec![one(24, 0)], &["TA0006"]), 10.0, "a day halves");
        assert_eq!(check(vec![one(0, 10)], &["TA0006"]), 32.0, "targets count");
        assert_eq!(check(vec![one(0, 0)], &["TA0006", "TA0007"]), 23.0, "tactics");
        let repeated = events("A", 10, Priority::High, 0, 0);
        assert_eq!(check(vec![repeated], &[]), 66.1, "repeats count less and less");
        let other = events("B", 1, Priority::Low, 0, 0);
        assert_eq!(check(vec![one(0, 0), other], &[]), 25.3, "(20 + 3) x 1.1");
        let many = events("A", 1000, Priority::Critical, 1000, 0);
        assert_eq!(check(vec![many], &[]), 100.0, "never above");
    }
}
