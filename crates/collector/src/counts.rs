//! What the collector counted: nothing is dropped, refused or evicted without one of these going up.

use std::collections::BTreeMap;
use std::net::IpAddr;

use weir_model::{Need, Time};
use weir_wire::export::{Fault, Format, elements};

/// Unknown elements told apart; further ones are counted together. Real networks have a few dozen.
const UNKNOWN_MAX: usize = 1_024;

/// Names of the counters, in the order of [`Counts::all_mut`].
const NAMES: [&str; 32] = [
    "messages",
    "malformed",
    "shed",
    "records",
    "with_tcp_flags",
    "with_macs",
    "sampled",
    "two_way",
    "one_way",
    "duplicates",
    "marks_displaced",
    "options",
    "not_flows",
    "counter_samples",
    "other_samples",
    "sampler_drops",
    "lists",
    "lists_passed",
    "unnamed_cut",
    "templates",
    "templates_changed",
    "templates_withdrawn",
    "templates_refused",
    "sets_parked",
    "sets_replayed",
    "sets_dropped",
    "lost",
    "late",
    "restarts",
    "domains_evicted",
    "exporters_evicted",
    "exporters_expired",
];

/// Counters of one exporter, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams or messages given.
    pub messages: u64,
    /// Of those, with a fault: not read at all, or not all of them.
    pub malformed: u64,
    /// Messages that were not given, because their exporter sent more than its share.
    pub shed: u64,
    /// Flow records taken, before pairing.
    pub records: u64,
    /// Of those: with TCP flags, with hardware addresses, of a sampled stream of packets.
    pub with_tcp_flags: u64,
    pub with_macs: u64,
    pub sampled: u64,
    /// Flow records made of them: both directions (as they came, or paired), and one-way.
    pub two_way: u64,
    pub one_way: u64,
    /// Of those, told by another exporter before.
    pub duplicates: u64,
    /// Flows of other exporters, or its own, forgotten for this one's while their doubles might still have come.
    pub marks_displaced: u64,
    /// Options records taken.
    pub options: u64,
    /// Records that are about no IP flow, or lack addresses.
    pub not_flows: u64,
    /// sFlow counter samples, and samples of other kinds.
    pub counter_samples: u64,
    pub other_samples: u64,
    /// Packets the exporters' samplers lost (sFlow), by their own count.
    pub sampler_drops: u64,
    /// Structured fields (RFC 6313) that came; of those, such as nothing could be taken from.
    pub lists: u64,
    pub lists_passed: u64,
    /// Values of elements without a name that were too long to be kept with their record.
    pub unnamed_cut: u64,
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
    /// Exporters forgotten because they were silent for long.
    pub exporters_expired: u64,
    /// Faults by kind, in the order of [`Fault::ALL`].
    faults: [u64; Fault::ALL.len()],
}

impl Counts {
    /// Notes what `records` records tell: TCP flags, hardware addresses (both directions: seen per record).
    pub(crate) fn told(&mut self, (tcp_flags, macs, _): (bool, bool, bool), records: u64) {
        self.with_tcp_flags += records * u64::from(tcp_flags);
        self.with_macs += records * u64::from(macs);
    }

    /// Every counter with its name, faults as `fault_<word>`; zeros are left out.
    pub fn named(&self) -> Vec<(String, u64)> {
        let mut copy = self.clone();
        let counters = NAMES
            .iter()
            .zip(copy.all_mut())
            .map(|(name, times)| ((*name).to_owned(), *times));
        let faults = Fault::ALL.map(|fault| (format!("fault_{}", fault.word()), self.of(fault)));
        counters.chain(faults).filter(|&(_, times)| times > 0).collect()
    }

    /// Sets the counter of this name, as [`Counts::named`] gives it; false when there is none.
    pub fn set(&mut self, name: &str, times: u64) -> bool {
        if let Some(at) = NAMES.iter().position(|known| *known == name) {
            *self.all_mut()[at] = times;
            return true;
        }
        let fault = name
            .strip_prefix("fault_")
            .and_then(|word| Fault::ALL.into_iter().find(|fault| fault.word() == word));
        if let Some(fault) = fault {
            self.faults[fault as usize] = times;
        }
        fault.is_some()
    }

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

    fn all_mut(&mut self) -> [&mut u64; 32] {
        [
            &mut self.messages,
            &mut self.malformed,
            &mut self.shed,
            &mut self.records,
            &mut self.with_tcp_flags,
            &mut self.with_macs,
            &mut self.sampled,
            &mut self.two_way,
            &mut self.one_way,
            &mut self.duplicates,
            &mut self.marks_displaced,
            &mut self.options,
            &mut self.not_flows,
            &mut self.counter_samples,
            &mut self.other_samples,
            &mut self.sampler_drops,
            &mut self.lists,
            &mut self.lists_passed,
            &mut self.unnamed_cut,
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
            &mut self.exporters_expired,
        ]
    }
}

/// One exporter, for people.
#[derive(Clone, Debug)]
pub struct ExporterReport {
    pub address: IpAddr,
    /// Formats it sends.
    pub formats: Vec<Format>,
    pub domains: usize,
    pub templates: usize,
    /// Names of the elements in its templates, sorted; empty for formats without templates.
    pub elements: Vec<String>,
    /// One packet of so many, each value seen (at most [`Self::SAMPLINGS_MAX`]).
    pub sampling: Vec<u32>,
    /// Time-outs that its records show, seconds.
    pub active_timeout_s: Option<u32>,
    pub idle_timeout_s: Option<u32>,
    /// Arrival of its first and last message.
    pub first: Time,
    pub last: Time,
    /// How far the exporter's clock was behind the time of arrival, last seen, nanoseconds.
    pub skew_ns: i64,
    pub counts: Counts,
}

impl ExporterReport {
    /// Sampling intervals told apart; more are not kept.
    pub const SAMPLINGS_MAX: usize = 8;

    /// What this exporter's records offer to methods. Directions are paired where the exporter does not.
    pub fn offers(&self) -> Vec<Need> {
        self.counts.offers()
    }
}

impl Counts {
    /// What records as those counted offer to methods: what most of them tell, and whether none was sampled.
    pub fn offers(&self) -> Vec<Need> {
        let half = self.records / 2;
        let tells = (self.with_tcp_flags > half, self.with_macs > half);
        offered(tells, self.sampled == 0)
    }
}

/// What records that tell TCP flags and hardware addresses, or not, offer to methods. Directions are paired where the
/// exporter does not.
pub fn offered((tcp_flags, macs): (bool, bool), unsampled: bool) -> Vec<Need> {
    [
        (true, Need::BothDirections),
        (tcp_flags, Need::TcpFlags),
        (macs, Need::Macs),
        (unsampled, Need::Unsampled),
    ]
    .into_iter()
    .filter_map(|(offered, need)| offered.then_some(need))
    .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_bring_every_counter_back() {
        let mut counts = Counts::default();
        for (at, counter) in counts.all_mut().into_iter().enumerate() {
            *counter = at as u64 + 1;
        }
        counts.fault(Fault::Record);
        let mut back = Counts::default();
        for (name, times) in counts.named() {
            assert!(back.set(&name, times), "{name}");
        }
        assert_eq!(back, counts);
        assert_eq!((back.messages, back.of(Fault::Record)), (1, 1));
        assert!(!back.set("no such counter", 1));
    }
}
