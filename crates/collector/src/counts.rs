//! What the collector counted: nothing is dropped, refused or evicted without one of these going up.

use std::collections::BTreeMap;
use std::net::IpAddr;

use weir_wire::export::{Fault, elements};

/// Unknown elements told apart; further ones are counted together. Real networks have a few dozen.
const UNKNOWN_MAX: usize = 1_024;

/// Counters of one exporter, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams or messages given.
    pub messages: u64,
    /// Of those, with a fault: not read at all, or not all of them.
    pub malformed: u64,
    /// Flow records taken, before pairing.
    pub records: u64,
    /// Options records taken.
    pub options: u64,
    /// Records that are about no IP flow, or lack addresses.
    pub not_flows: u64,
    /// sFlow counter samples, and samples of other kinds.
    pub counter_samples: u64,
    pub other_samples: u64,
    /// Packets the exporters' samplers lost (sFlow), by their own count.
    pub sampler_drops: u64,
    /// Structured fields (RFC 6313) passed over.
    pub lists: u64,
    /// Templates learned, changed in meaning, withdrawn, refused over a limit.
    pub templates: u64,
    pub templates_changed: u64,
    pub templates_withdrawn: u64,
    pub templates_refused: u64,
    /// Data sets parked before their template came, replayed after, dropped over the limit.
    pub sets_parked: u64,
    pub sets_replayed: u64,
    pub sets_dropped: u64,
    /// Flows (v5, v7), packets (v9, sFlow) or records (IPFIX) missing by the sequence numbers.
    pub lost: u64,
    /// Messages that came late, or twice.
    pub late: u64,
    /// Exporter restarts, by uptime or sequence going back.
    pub restarts: u64,
    /// Observation domains and exporters forgotten to make room.
    pub domains_evicted: u64,
    pub exporters_evicted: u64,
    /// Faults by kind, in the order of [`Fault::ALL`].
    faults: [u64; Fault::ALL.len()],
}

impl Counts {
    /// Counts a fault.
    pub fn fault(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }

    /// How many faults occurred.
    pub fn fault_count(&self) -> u64 {
        self.faults.iter().sum()
    }

    /// How often a fault occurred.
    pub fn of(&self, fault: Fault) -> u64 {
        self.faults[fault as usize]
    }

    /// Faults that occurred, with their counts.
    pub fn faults(&self) -> impl Iterator<Item = (Fault, u64)> + '_ {
        Fault::ALL
            .into_iter()
            .map(|fault| (fault, self.of(fault)))
            .filter(|&(_, times)| times > 0)
    }

    /// Adds another set of counters.
    pub fn merge(&mut self, other: &Self) {
        let mine = self.all_mut();
        for (mine, theirs) in mine.into_iter().zip(other.clone().all_mut()) {
            *mine += *theirs;
        }
        for (mine, theirs) in self.faults.iter_mut().zip(other.faults) {
            *mine += theirs;
        }
    }

    /// What was counted since `before`; counts that can go back (a late message fills a gap) count as nothing then.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let (mut grown, mut before) = (self.clone(), before.clone());
        for (mine, theirs) in grown.all_mut().into_iter().zip(before.all_mut()) {
            *mine = mine.saturating_sub(*theirs);
        }
        for (mine, theirs) in grown.faults.iter_mut().zip(before.faults) {
            *mine = mine.saturating_sub(theirs);
        }
        grown
    }

    fn all_mut(&mut self) -> [&mut u64; 21] {
        [
            &mut self.messages,
            &mut self.malformed,
            &mut self.records,
            &mut self.options,
            &mut self.not_flows,
            &mut self.counter_samples,
            &mut self.other_samples,
            &mut self.sampler_drops,
            &mut self.lists,
            &mut self.templates,
            &mut self.templates_changed,
            &mut self.templates_withdrawn,
            &mut self.templates_refused,
            &mut self.sets_parked,
            &mut self.sets_replayed,
            &mut self.sets_dropped,
            &mut self.lost,
            &mut self.late,
            &mut self.restarts,
            &mut self.domains_evicted,
            &mut self.exporters_evicted,
        ]
    }
}

/// One exporter, for people.
#[derive(Clone, Debug)]
pub struct ExporterReport {
    pub address: IpAddr,
    pub domains: usize,
    pub templates: usize,
    /// How far the exporter's clock was behind the time of arrival, last seen, nanoseconds.
    pub skew_ns: i64,
    pub counts: Counts,
}

/// Elements that came without being in any table, by enterprise number and id.
#[derive(Clone, Debug, Default)]
pub struct Unknown {
    seen: BTreeMap<(u32, u16), u64>,
    /// Values of elements not told apart any more.
    pub others: u64,
}

impl Unknown {
    /// Counts `records` values of an element.
    pub(crate) fn count(&mut self, element: (u32, u16), records: u64) {
        if let Some(times) = self.seen.get_mut(&element) {
            *times += records;
        } else if self.seen.len() < UNKNOWN_MAX {
            self.seen.insert(element, records);
        } else {
            self.others += records;
        }
    }

    /// Names of the elements with the number of values seen.
    pub fn named(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        self.seen
            .iter()
            .map(|(&(pen, id), &times)| (elements::name(pen, id), times))
    }
}
