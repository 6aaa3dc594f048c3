//! What is counted of one source's probes: distinct hosts, ports and pairs that failed, and the port and the host that
//! failed most, each with its own share of failures, so that a scanner which also browses is still seen.

use std::hash::Hash;
use std::net::IpAddr;

use weir_model::{Target, Time};

use super::shape::Fate;
use crate::baseline::Distinct;

/// Ports and hosts followed one by one; the one with the fewest failures gives way to a new one.
const FOCUS_MAX: usize = 8;
/// Ports listed in an event.
const PORTS_LISTED_MAX: usize = 32;
/// Hosts listed in an event.
const HOSTS_LISTED_MAX: usize = 64;

/// One port (or host) with the distinct hosts (or ports) tried on it.
#[derive(Clone, Debug)]
pub(super) struct Focus<K> {
    pub(super) key: K,
    pub(super) first: Time,
    pub(super) last: Time,
    pub(super) failed: Distinct,
    pub(super) answered: Distinct,
}

impl<K> Focus<K> {
    /// Failed tries in all tries, 0 without any.
    pub(super) fn failed_share(&self) -> f64 {
        share(self.failed.count(), self.answered.count())
    }
}

/// Failures among failures and answers.
fn share(failed: u64, answered: u64) -> f64 {
    failed as f64 / (failed + answered).max(1) as f64
}

/// A short list of keys, those with the most failures.
#[derive(Clone, Debug)]
pub(super) struct FocusList<K> {
    list: Vec<Focus<K>>,
}

impl<K> Default for FocusList<K> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<K: PartialEq + Copy> FocusList<K> {
    fn fail(&mut self, key: K, item: impl Hash, start: Time, end: Time) {
        let at = match self.list.iter().position(|focus| focus.key == key) {
            Some(at) => at,
            None => self.admit(key, start),
        };
        let focus = &mut self.list[at];
        focus.failed.add(item);
        focus.first = focus.first.min(start);
        focus.last = focus.last.max(end);
    }

    /// Answers of keys without failures are not followed: they say nothing of a scan.
    fn answer(&mut self, key: K, item: impl Hash) {
        if let Some(focus) = self.list.iter_mut().find(|focus| focus.key == key) {
            focus.answered.add(item);
        }
    }

    fn admit(&mut self, key: K, start: Time) -> usize {
        let focus = Focus {
            key,
            first: start,
            last: start,
            failed: Distinct::default(),
            answered: Distinct::default(),
        };
        if self.list.len() < FOCUS_MAX {
            self.list.push(focus);
            return self.list.len() - 1;
        }
        let weakest = (0..self.list.len()).min_by_key(|&at| self.list[at].failed.count());
        let at = weakest.unwrap_or(0);
        self.list[at] = focus;
        at
    }

    /// The key with the most failures.
    pub(super) fn best(&self) -> Option<&Focus<K>> {
        // The first of equals, so that the result does not hang on the order of later ones.
        self.list.iter().rev().max_by_key(|focus| focus.failed.count())
    }
}

/// Probes of one shape by one source within a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    span: Option<(Time, Time)>,
    failed: Distinct,
    answered: Distinct,
    hosts: Distinct,
    ports: Distinct,
    pub(super) by_port: FocusList<u16>,
    pub(super) by_host: FocusList<IpAddr>,
    ports_listed: Vec<u16>,
    hosts_listed: Vec<IpAddr>,
}

impl Probes {
    /// Counts a probe.
    pub(super) fn add(&mut self, host: IpAddr, port: u16, fate: Fate, (start, end): (Time, Time)) {
        if fate == Fate::Answered {
            // The window begins with the first failure; before it answers say nothing, and most hosts never fail.
            if self.span.is_none() {
                return;
            }
            self.answered.add((host, port));
            self.by_port.answer(port, host);
            self.by_host.answer(host, port);
            return;
        }
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
        self.failed.add((host, port));
        if self.hosts.add(host) && self.hosts_listed.len() < HOSTS_LISTED_MAX {
            self.hosts_listed.push(host);
        }
        if self.ports.add(port) && self.ports_listed.len() < PORTS_LISTED_MAX {
            self.ports_listed.push(port);
        }
        self.by_port.fail(port, host, start, end);
        self.by_host.fail(host, port, start, end);
    }

    /// From the first failed probe to the end of the last.
    pub(super) const fn span(&self) -> Option<(Time, Time)> {
        self.span
    }
    /// Distinct pairs of host and port that failed.
    pub(super) fn failed(&self) -> u64 {
        self.failed.count()
    }
    /// Distinct pairs that answered.
    pub(super) fn answered(&self) -> u64 {
        self.answered.count()
    }
    /// Distinct hosts that failed on some port.
    pub(super) fn hosts(&self) -> u64 {
        self.hosts.count()
    }
    /// Distinct ports that failed on some host.
    pub(super) fn ports(&self) -> u64 {
        self.ports.count()
    }
    /// Failed pairs in all pairs.
    pub(super) fn failed_share(&self) -> f64 {
        share(self.failed(), self.answered())
    }
    /// How full the grid of hosts and ports is: pairs per host or per port, whichever are fewer. Near 1 when each host
    /// was tried on a port of its own, as peer-to-peer programs do.
    pub(super) fn repetition(&self) -> f64 {
        self.failed() as f64 / self.hosts().min(self.ports()).max(1) as f64
    }

    /// Zeek's classes: few ports, few hosts, or neither.
    pub(super) fn class(&self) -> &'static str {
        const FEW: u64 = 5;
        if self.ports() <= FEW && self.hosts() > FEW {
            "horizontal"
        } else if self.hosts() <= FEW {
            "vertical"
        } else {
            "chaotic"
        }
    }

    /// Answers on the same port, or of the same host, that the class is about: a browsing scanner's pages do not count.
    pub(super) fn answered_of_class(&self) -> u64 {
        let of = |answered: Option<&Distinct>| answered.map_or(0, Distinct::count);
        match self.class() {
            "horizontal" => of(self.by_port.best().map(|focus| &focus.answered)),
            "vertical" => of(self.by_host.best().map(|focus| &focus.answered)),
            _ => self.answered(),
        }
    }

    /// Ports for the event, sorted.
    pub(super) fn port_list(&self) -> Vec<u64> {
        let mut ports: Vec<u64> = self.ports_listed.iter().copied().map(u64::from).collect();
        ports.sort_unstable();
        ports
    }

    /// Hosts for the event.
    pub(super) fn targets(&self) -> impl Iterator<Item = Target> {
        self.hosts_listed.iter().copied().map(Target::ip)
    }
}
