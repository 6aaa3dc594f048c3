//! What each exporter's records let the methods see, computed from the needs that the methods declare: a detection that
//! cannot work on a feed says so here, before anyone trusts its silence.

use anyhow::Result;
use weir_collector::ExporterReport;
use weir_detect::Instance;
use weir_model::{MethodMeta, Need};

use crate::config::Config;

/// Active time-outs above this delay what methods see of long flows, seconds.
const ACTIVE_TIMEOUT_GOOD_S: u32 = 300;
/// Share of records lost from which counts are not to be trusted, percent.
const LOST_TOLD_PERCENT: f64 = 1.0;

/// How far a method works on a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Full,
    /// Some submethods stay silent: their names, and what is missing.
    Part(Vec<(&'static str, Vec<Need>)>),
    /// None can work: what is missing.
    Blind(Vec<Need>),
}

/// The reach of every method that is switched on, in the order of the registry.
pub fn coverage(config: &Config, report: &ExporterReport) -> Result<Vec<(&'static MethodMeta, Reach)>> {
    let have = report.offers();
    let instances = config.instances_for(&have, config.inside.is_some())?;
    Ok(instances
        .iter()
        .map(|instance| (instance.meta, reach(instance, &have)))
        .collect())
}

fn reach(instance: &Instance, have: &[Need]) -> Reach {
    let reads = &instance.meta.reads;
    // Exchanges are dissected from packets; who reads nothing else has nothing to read here.
    if !reads.flow_ends && !reads.flow_updates && !have.contains(&Need::Payload) {
        return Reach::Blind(vec![Need::Payload]);
    }
    if instance.blind.is_empty() {
        Reach::Full
    } else if instance.blind.len() < instance.meta.submethods.len() {
        Reach::Part(instance.blind.clone())
    } else {
        let mut missing: Vec<Need> = Vec::new();
        for need in instance.blind.iter().flat_map(|(_, needs)| needs) {
            if !missing.contains(need) {
                missing.push(*need);
            }
        }
        Reach::Blind(missing)
    }
}

/// What spoils detection without making a method blind.
pub(crate) fn remarks(report: &ExporterReport) -> Vec<String> {
    let counts = &report.counts;
    let mut remarks = Vec::new();
    if let Some(active_s) = report
        .active_timeout_s
        .filter(|&time_s| time_s > ACTIVE_TIMEOUT_GOOD_S)
    {
        remarks.push(format!(
            "long flows are told every {active_s} s only; set the active time-out to {ACTIVE_TIMEOUT_GOOD_S} s or less"
        ));
    }
    let lost = counts.lost as f64 * 100.0 / (counts.lost + counts.records).max(1) as f64;
    if lost >= LOST_TOLD_PERCENT {
        remarks.push(format!(
            "{lost:.1} % did not arrive: counts are too low, and answers may look missing"
        ));
    }
    if counts.sampled > 0 {
        remarks.push("sampled: short exchanges are missed, counts are estimates".into());
    }
    if counts.one_way > counts.two_way {
        remarks.push("most records found no counterpart: export both directions".into());
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::testing::report;

    fn of(code: &str, report: &ExporterReport) -> Reach {
        let all = coverage(&Config::default(), report).unwrap();
        all.into_iter().find(|(meta, _)| meta.code == code).unwrap().1
    }

    #[test]
    fn needs_decide() {
        let mut good = report();
        good.counts.with_tcp_flags = good.counts.records;
        assert_eq!(of("SCANS", &good), Reach::Full);
        assert_eq!(
            of("ARPSPOOF", &good),
            Reach::Blind(vec![Need::Packets, Need::Macs])
        );
        let mut poor = report();
        poor.counts.sampled = 1;
        assert!(!matches!(of("SCANS", &poor), Reach::Full));
        let all = coverage(&Config::default(), &good).unwrap();
        assert_eq!(all.len(), weir_detect::REGISTRY.len());
    }
}
