//! Where a method's judgements go: rules decide here, probability and repetition are settled here.

use std::net::IpAddr;

use weir_model::{
    Facts, Finding, FlowFilter, Mac, MethodMeta, Offender, Quantity, SubmethodMeta, Target, Time, strength,
};

use crate::CellKey;

/// Seconds of event time between reports of one cell and submethod, after the first (vendor's update interval).
pub(crate) const UPDATE_INTERVAL_S: i64 = 300;

/// A report: the submethod's index, the host it is about where the cell tells of many, and when.
pub(crate) type Report = (u8, Option<IpAddr>, Time);

/// When a cell last reported which submethod. Hardly any cell ever does, so it takes one word until then.
#[derive(Debug, Default)]
pub(crate) struct Reported(Option<Box<Reports>>);

#[derive(Debug, Default)]
struct Reports {
    /// Oldest first.
    list: Vec<Report>,
}

impl Reported {
    /// Hosts whose last report a network-wide cell remembers; past it the oldest may be repeated early.
    const MAX: usize = 256;

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Report> {
        self.0.iter().flat_map(|reports| &reports.list)
    }

    fn last(&self, submethod: u8, host: Option<IpAddr>) -> Option<Time> {
        let known = self.iter().find(|one| (one.0, one.1) == (submethod, host));
        known.map(|&(_, _, at)| at)
    }

    fn note(&mut self, submethod: u8, host: Option<IpAddr>, now: Time) {
        let list = &mut self.0.get_or_insert_default().list;
        list.retain(|one| (one.0, one.1) != (submethod, host));
        if list.len() >= Self::MAX {
            list.remove(0);
        }
        list.push((submethod, host, now));
    }
}

impl FromIterator<Report> for Reported {
    fn from_iter<I: IntoIterator<Item = Report>>(reports: I) -> Self {
        let list: Vec<Report> = reports.into_iter().collect();
        Self((!list.is_empty()).then(|| Box::new(Reports { list })))
    }
}

/// Collects what one judgement of one cell finds.
pub struct Findings<'a> {
    pub(crate) meta: &'static MethodMeta,
    pub(crate) instance: &'static str,
    pub(crate) cell: &'a CellKey,
    pub(crate) now: Time,
    pub(crate) closing: bool,
    /// Submethods switched off: by configuration, or because the feed lacks what they need.
    pub(crate) off: &'a [&'static str],
    pub(crate) reported: &'a mut Reported,
    pub(crate) found: &'a mut Vec<Finding>,
}

impl Findings<'_> {
    /// The watermark.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Is this the cell's last judgement?
    pub fn closing(&self) -> bool {
        self.closing
    }

    /// Is this submethod switched on, and does the feed have what it needs? For fallbacks that speak only in its stead.
    pub fn is_on(&self, submethod: &str) -> bool {
        self.lookup(submethod).is_some() && !self.off.contains(&submethod)
    }

    /// May this submethod speak now? Not when it is off, nor within the update interval of its last report, except
    /// when the cell closes (then the final figures are wanted). Cheap; ask before building facts.
    pub fn due(&self, submethod: &str) -> bool {
        self.due_about(None, submethod)
    }

    /// The same for one host of a cell that compares many.
    pub fn due_about(&self, host: Option<IpAddr>, submethod: &str) -> bool {
        let Some((index, meta)) = self.lookup(submethod) else {
            return false;
        };
        !self.off.contains(&meta.name)
            && (self.closing
                || self
                    .reported
                    .last(index, host)
                    .is_none_or(|at| self.now.since(at) >= UPDATE_INTERVAL_S * weir_model::NANOS_PER_S))
    }

    /// Lets the submethod's rules decide on the facts. When one holds, returns the finding to be completed with
    /// source, targets, span, details and evidence; by default the source is the cell's host.
    pub fn judge(&mut self, submethod: &str, facts: Facts) -> Option<Verdict<'_>> {
        self.judge_about(None, submethod, facts)
    }

    /// The same where the cell compares many hosts and each may be reported on its own: the host is the source, and
    /// the update interval is kept per host.
    pub fn judge_about(
        &mut self,
        host: Option<IpAddr>,
        submethod: &str,
        facts: Facts,
    ) -> Option<Verdict<'_>> {
        if !self.due_about(host, submethod) {
            return None;
        }
        let (index, meta) = self.lookup(submethod)?;
        let rule = meta.holds(&facts)?;
        self.reported.note(index, host, self.now);
        let cell = match host {
            Some(host) => CellKey { host, ..*self.cell },
            None => *self.cell,
        };
        let probability = probability(strength(rule, &facts));
        self.found.push(Finding {
            method: self.meta,
            submethod: meta,
            instance: self.instance,
            source: Offender {
                ip: Some(cell.host).filter(|ip| !ip.is_unspecified()),
                mac: cell.mac,
            },
            targets: Vec::new(),
            target_count: 0,
            first_flow: self.now,
            last_flow: self.now,
            detected: self.now,
            probability,
            facts,
            rule,
            detail: Vec::new(),
            evidence: FlowFilter::default(),
            last: self.closing,
            cell: cell.id(),
        });
        self.found.last_mut().map(|finding| Verdict { finding })
    }

    fn lookup(&self, submethod: &str) -> Option<(u8, &'static SubmethodMeta)> {
        let found = self
            .meta
            .submethods
            .iter()
            .position(|known| known.name == submethod);
        debug_assert!(found.is_some(), "{} has no submethod {submethod}", self.meta.code);
        found.map(|index| (index as u8, &self.meta.submethods[index]))
    }
}

/// Logistic of (value / limit): at the limit 50 %, at twice the limit 90 %, and so on.
fn probability(strength: f64) -> u8 {
    let share = 1.0 / (1.0 + (-(9.0_f64.ln()) * (strength - 1.0)).exp());
    (share * 100.0).round() as u8
}

/// A finding being completed.
pub struct Verdict<'a> {
    finding: &'a mut Finding,
}

impl Verdict<'_> {
    /// Names the source by address, where it is not the cell's host.
    pub fn source(self, ip: IpAddr) -> Self {
        self.finding.source.ip = Some(ip);
        self
    }

    /// Adds the source's hardware address.
    pub fn source_mac(self, mac: Option<Mac>) -> Self {
        self.finding.source.mac = mac.or(self.finding.source.mac);
        self
    }

    /// Names the source by its hardware address alone, where the address of the cell is not its own.
    pub fn source_link(self, mac: Mac) -> Self {
        (self.finding.source.ip, self.finding.source.mac) = (None, Some(mac));
        self
    }

    /// Names the targets; `count` is how many there are in all, the list may be shorter.
    pub fn targets(self, targets: impl IntoIterator<Item = Target>, count: u64) -> Self {
        self.finding.targets = targets.into_iter().take(Finding::TARGETS_MAX).collect();
        self.finding.targets.sort_unstable();
        self.finding.target_count = count.max(self.finding.targets.len() as u64);
        self
    }

    /// Names the one target.
    pub fn target(self, target: Target) -> Self {
        self.targets([target], 1)
    }

    /// From the start of the first flow that counts to the end of the last.
    pub fn span(self, first: Time, last: Time) -> Self {
        self.finding.first_flow = first;
        self.finding.last_flow = last;
        self
    }

    /// Adds a detail under a vendor-style key.
    pub fn detail(self, key: &'static str, value: Quantity) -> Self {
        self.finding.detail.push((key, value));
        self
    }

    /// Which flows prove it. The start of the span is added.
    pub fn evidence(self, filter: FlowFilter) -> Self {
        self.finding.evidence = FlowFilter {
            since: Some(self.finding.first_flow),
            ..filter
        };
        self
    }

    /// The match is exact, not a matter of degree: probability 100 %.
    pub fn exact(self) -> Self {
        self.finding.probability = 100;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probability_by_distance_from_the_limit() {
        let shown: Vec<u8> = [0.0, 1.0, 1.5, 2.0, 9.75, 1e300]
            .into_iter()
            .map(probability)
            .collect();
        assert_eq!(shown, [10, 50, 75, 90, 100, 100]);
    }
}
