//! What is counted of one source's probes: distinct hosts, ports and pairs that failed, and the port and the host that
//! failed most, each with its own share of failures, so that a scanner which also browses is still seen.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use siphasher::sip::SipHasher13;
use weir_model::{NANOS_PER_S, Target, Time};

use super::watched::Failure;
use crate::baseline::{Distinct, push_sparing};

/// Ports and hosts followed one by one; the one with the fewest failures gives way to a new one.
const FOCUS_MAX: usize = 8;
/// Pairs, hosts and ports of a source counted exactly; with more an event says "about".
const EXACT_MAX: usize = 4096;
/// Items of one port or host counted exactly.
const FOCUS_EXACT_MAX: usize = 512;
/// The last answers, remembered for failures that come after them: a scan meets open doors early, and a client's
/// connections that worked are over before those that failed are given up.
const ANSWERS_MAX: usize = 32;
/// Seconds an answer is remembered.
const ANSWER_S: u32 = 300;
/// Addresses this near to the one asked before follow it in order.
const NEAR: u32 = 8;
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
    pub(super) failed: Distinct<FOCUS_EXACT_MAX>,
    pub(super) answered: Distinct<FOCUS_EXACT_MAX>,
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
    /// Counts a failure. Returns whether the key has only now become one to follow.
    fn fail(&mut self, key: K, item: impl Hash, start: Time, end: Time) -> bool {
        let known = self.list.iter().position(|focus| focus.key == key);
        let at = known.unwrap_or_else(|| self.admit(key, start));
        let focus = &mut self.list[at];
        focus.failed.add(item);
        focus.first = focus.first.min(start);
        focus.last = focus.last.max(end);
        known.is_none()
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
            push_sparing(&mut self.list, focus);
            return self.list.len() - 1;
        }
        let weakest = (0..self.list.len()).min_by_key(|&at| self.list[at].failed.count());
        let at = weakest.unwrap_or(0);
        self.list[at] = focus;
        at
    }

    /// Failures of the keys that have at least `least` of them.
    fn lines(&self, least: u64) -> u64 {
        let counts = self.list.iter().map(|focus| focus.failed.count());
        counts.filter(|count| *count >= least).sum()
    }

    /// Answers of all keys that are followed.
    fn answered(&self) -> u64 {
        self.list.iter().map(|focus| focus.answered.count()).sum()
    }

    /// The key with the most failures.
    pub(super) fn best(&self) -> Option<&Focus<K>> {
        // The first of equals, so that the result does not hang on the order of later ones.
        self.list.iter().rev().max_by_key(|focus| focus.failed.count())
    }
}

/// The last answers to a source: windows begin with a failure, and ask what was answered before it. Nearly every host
/// has such a list, so each takes twelve bytes an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// A ring when it is full.
    list: Vec<Answer>,
    /// The oldest of a full list.
    oldest: u8,
}

/// Who answered on which port, and at which second.
#[derive(Clone, Copy, Debug)]
struct Answer {
    host: HostId,
    port: u16,
    second: u32,
}

/// A host in four bytes: an IPv4 address is itself, an IPv6 address a hash of it, which an attacker could only make
/// collide to make targets of its own look fewer, as in every distinct count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HostId(u32);

impl HostId {
    pub(super) fn of(host: IpAddr) -> Self {
        Self(match host {
            IpAddr::V4(ip) => ip.to_bits(),
            IpAddr::V6(ip) => {
                let mut hash = SipHasher13::new_with_keys(0x686f_7374, 0x6964);
                hash.write_u128(ip.to_bits());
                hash.finish() as u32
            }
        })
    }
}

impl Answers {
    /// Remembers an answer; the oldest makes room.
    pub(super) fn add(&mut self, host: HostId, port: u16, at: Time) {
        let second = second_of(at);
        let known = self
            .list
            .iter_mut()
            .find(|one| (one.port, one.host) == (port, host));
        if let Some(one) = known {
            one.second = second;
            return;
        }
        let answer = Answer { host, port, second };
        if self.list.len() < ANSWERS_MAX {
            if self.list.len() == self.list.capacity() {
                // Before it grows, what nobody will ask for any more makes room.
                self.list.retain(|one| recent(one.second, second));
            }
            self.list.push(answer);
        } else if let Some(oldest) = self.list.get_mut(usize::from(self.oldest)) {
            *oldest = answer;
            self.oldest = (self.oldest + 1) % ANSWERS_MAX as u8;
        }
    }

    /// Pairs that answered within the time remembered before `start`, or after it.
    fn before(&self, start: Time) -> impl Iterator<Item = (HostId, u16)> {
        let since = second_of(start);
        let recent = self.list.iter().filter(move |one| recent(one.second, since));
        recent.map(|one| (one.host, one.port))
    }
}

/// Is an answer remembered at `now`, or after it? Seconds wrap around: what lies half of all seconds back is taken for later.
const fn recent(second: u32, now: u32) -> bool {
    let ago = now.wrapping_sub(second);
    ago <= ANSWER_S || ago > u32::MAX / 2
}

fn second_of(at: Time) -> u32 {
    at.0.div_euclid(NANOS_PER_S) as u32
}

/// Probes of one shape by one source within a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    span: Option<(Time, Time)>,
    failed: Distinct<EXACT_MAX>,
    answered: Distinct<EXACT_MAX>,
    hosts: Distinct<EXACT_MAX>,
    ports: Distinct<EXACT_MAX>,
    /// Ports the failed probes came from.
    source_ports: Distinct,
    /// Address tried last, and how many new ones came near the one before.
    last_host: u32,
    in_order: u32,
    pub(super) by_port: FocusList<u16>,
    pub(super) by_host: FocusList<HostId>,
    ports_listed: Vec<u16>,
    hosts_listed: Vec<IpAddr>,
}

impl Probes {
    /// Counts an answer. It says nothing of a scan before something has failed.
    pub(super) fn answer(&mut self, host: HostId, port: u16) {
        if self.span.is_some() {
            self.answered.add((host, port));
            self.by_port.answer(port, host);
            self.by_host.answer(host, port);
        }
    }

    /// Counts a failure; `answers` are the source's last ones, of which the first failure of all, of a port and of a host
    /// take what concerns them.
    pub(super) fn fail(&mut self, failure: Failure, answers: &Answers) {
        let Failure { host: ip, port, .. } = failure;
        let ((start, end), host) = (failure.span, HostId::of(ip));
        if self.span.is_none() {
            for pair in answers.before(start) {
                self.answered.add(pair);
            }
        }
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
        self.failed.add((host, port));
        if self.hosts.add(host) {
            self.follow(ip);
            if self.hosts_listed.len() < HOSTS_LISTED_MAX {
                push_sparing(&mut self.hosts_listed, ip);
            }
        }
        if self.ports.add(port) && self.ports_listed.len() < PORTS_LISTED_MAX {
            self.ports_listed.push(port);
        }
        if self.by_port.fail(port, host, start, end) {
            let earlier = answers.before(start).filter(|(_, known)| *known == port);
            earlier.for_each(|(host, _)| self.by_port.answer(port, host));
        }
        if self.by_host.fail(host, port, start, end) {
            let earlier = answers.before(start).filter(|(known, _)| *known == host);
            earlier.for_each(|(_, port)| self.by_host.answer(host, port));
        }
    }

    /// Notes the port a failed probe came from.
    pub(super) fn add_source(&mut self, port: u16) {
        self.source_ports.add(port);
    }

    fn follow(&mut self, host: IpAddr) {
        let IpAddr::V4(host) = host else { return };
        let host = u32::from(host);
        self.in_order += u32::from(host.abs_diff(self.last_host) <= NEAR);
        self.last_host = host;
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

    /// Failed pairs per port they came from: a client opens a port of its own for each try, most scanners use one.
    pub(super) fn per_source_port(&self) -> f64 {
        self.failed() as f64 / self.source_ports.count().max(1) as f64
    }
    /// Share of new hosts whose address is near the one tried before.
    pub(super) fn in_order(&self) -> f64 {
        f64::from(self.in_order) / self.hosts().max(1) as f64
    }
    /// Are the counts of pairs exact?
    pub(super) const fn is_exact(&self) -> bool {
        self.failed.is_exact() && self.answered.is_exact()
    }

    /// Zeek's classes (few ports, few hosts, or neither), and "mixed" for sweeps and port scans within one window.
    pub(super) fn class(&self) -> &'static str {
        const FEW: u64 = 5;
        /// Items that make one port a sweep, one host a port scan; share of all pairs that such lines explain.
        const LINE_MIN: u64 = 30;
        const EXPLAINED_MIN: f64 = 0.8;
        if self.hosts() <= FEW {
            return "vertical";
        }
        if self.ports() <= FEW {
            return "horizontal";
        }
        let (across, down) = (self.by_port.lines(LINE_MIN), self.by_host.lines(LINE_MIN));
        let enough = (self.failed() as f64 * EXPLAINED_MIN) as u64;
        if across >= enough {
            "horizontal"
        } else if down >= enough {
            "vertical"
        } else if across + down >= enough {
            "mixed"
        } else {
            "chaotic"
        }
    }

    /// Answers on the same port, or of the same host, that the class is about: a browsing scanner's pages do not count.
    pub(super) fn answered_of_class(&self) -> u64 {
        match self.class() {
            "horizontal" => self.by_port.answered(),
            "vertical" => self.by_host.answered(),
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
