//! What an exporter's records show of its settings: sampling, time-outs, and how its clock goes.

use weir_model::{NANOS_PER_S, Time};

use crate::counts::{Counts, ExporterReport};
use crate::one_way::OneWay;
use crate::timeouts::Timeouts;

/// Clock differences below this are the network's, and of clocks that tell whole seconds.
const SKEW_MIN_NS: i64 = 5 * NANOS_PER_S;

/// Records that time-outs are learned from, and one of how many after them: of many exporters each has its histograms
/// far from any cache.
const LEARNED_MIN: u64 = 1_024;
const LEARNED_ONE_OF: u64 = 16;

/// Habits of one exporter.
#[derive(Default)]
pub(crate) struct Habits {
    /// Sampling intervals seen, in order of appearance.
    pub(crate) sampling: Vec<u32>,
    pub(crate) timeouts: Timeouts,
    pub(crate) clock: Clock,
}

impl Habits {
    /// Learns from a record exported at `export`.
    pub(crate) fn see(&mut self, one: &OneWay, export: Time, counts: &mut Counts) {
        if counts.records <= LEARNED_MIN || counts.records.is_multiple_of(LEARNED_ONE_OF) {
            self.timeouts.see(one, export);
        }
        counts.sampled += u64::from(one.sampling > 1);
        let known = self.sampling.contains(&one.sampling);
        if !known && self.sampling.len() < ExporterReport::SAMPLINGS_MAX {
            self.sampling.push(one.sampling);
        }
    }
}

/// An exporter's clock against ours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// Arrival less export time of the last message, nanoseconds; above zero the exporter's clock is behind.
    pub(crate) skew_ns: i64,
    /// What is added to its times when clocks are corrected. Stays the same while the clock does, so that times of one
    /// exporter keep their distances.
    pub(crate) correction_ns: i64,
}

impl Clock {
    /// Takes the export time of a message that arrived now.
    pub(crate) fn see(&mut self, arrival: Time, export: Time) {
        self.skew_ns = arrival.since(export);
        if self.skew_ns.saturating_sub(self.correction_ns).saturating_abs() < SKEW_MIN_NS {
            return;
        }
        self.correction_ns = if self.skew_ns.saturating_abs() < SKEW_MIN_NS {
            0
        } else {
            self.skew_ns
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_stays_while_the_clock_does() {
        let mut clock = Clock::default();
        let corrections = [(100, 99), (110, 19), (120, 32), (130, 39), (140, 139), (150, 240)];
        let corrections = corrections.map(|(arrival, export)| {
            clock.see(Time::from_secs(arrival), Time::from_secs(export));
            clock.correction_ns / NANOS_PER_S
        });
        assert_eq!(corrections, [0, 91, 91, 91, 0, -90]);
    }
}
