//! What is remembered of a claimed address, and of a hardware address that claims.

use std::net::IpAddr;

use weir_model::{Mac, Time};

use crate::baseline::{Distinct, Sliding};

/// Hardware addresses remembered per address; more than a few is a storm of its own.
const HOLDERS_MAX: usize = 4;
/// Hosts told, and addresses claimed, that are listed.
const LISTED_MAX: usize = 16;
/// Own questions remembered, to recognise an answer pushed right behind.
const QUESTIONS_MAX: usize = 4;
/// An answer this soon after an own question to the same host is pushed: whoever was just asked has learned the asker's
/// address from the question (RFC 826) and needs some time before it checks it by asking back. Seconds.
const PUSHED_S: f64 = 0.1;
/// Last octets that gateways have by custom.
const GATEWAY_OCTETS: [u8; 2] = [1, 254];
/// Hosts that ask for such an address before custom is believed.
const GATEWAY_ASKERS_MIN: u64 = 2;
/// Bins of the announcement rate, seconds; six make a minute.
const RATE_BIN_S: i64 = 10;

/// A hardware address that held the address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) mac: Mac,
    /// Answers nobody asked for.
    pub(super) unasked: u32,
}

/// One address and who claimed it.
#[derive(Default)]
pub(super) struct Address {
    /// In order of first sight; the first is taken for the owner.
    holders: Vec<Holder>,
    current: Option<(Mac, Time)>,
    /// Times the address went from one to another.
    pub(super) changes: u32,
    asked: Option<Time>,
    pub(super) askers: Distinct,
    /// Hosts the claims were addressed to.
    pub(super) told: Vec<IpAddr>,
    pub(super) span: Option<(Time, Time)>,
}

impl Address {
    /// Who had it first.
    pub(super) fn owner(&self) -> Option<Mac> {
        self.holders.first().map(|holder| holder.mac)
    }

    /// The newcomer with the most answers nobody asked for.
    pub(super) fn offender(&self) -> Option<Holder> {
        // The last of equals: the newest.
        self.holders
            .iter()
            .skip(1)
            .max_by_key(|holder| holder.unasked)
            .copied()
    }

    /// Is it a gateway's address? Many ask for it, or some do and its number is customary.
    pub(super) fn is_gateway(&self, ip: IpAddr, askers_min: u64) -> bool {
        let customary = matches!(ip, IpAddr::V4(ip) if GATEWAY_OCTETS.contains(&ip.octets()[3]));
        let askers = self.askers.count();
        askers >= askers_min || customary && askers >= GATEWAY_ASKERS_MIN
    }

    /// Somebody asks for the address.
    pub(super) fn ask(&mut self, asker: IpAddr, at: Time) {
        self.asked = self.asked.max(Some(at));
        if !asker.is_unspecified() {
            self.askers.add(asker);
        }
    }

    /// Was the address asked for shortly before?
    pub(super) fn asked_within(&self, at: Time, seconds: f64) -> bool {
        self.asked.is_some_and(|asked| at.secs_since(asked) <= seconds)
    }

    /// Traffic shows who has it. It founds and keeps a claim but never challenges one: forwarded packets may come from
    /// anybody.
    pub(super) fn seen(&mut self, mac: Mac, at: Time, silence_s: f64) {
        match &mut self.current {
            Some((current, last)) if *current == mac => *last = (*last).max(at),
            Some((_, last)) if at.secs_since(*last) <= silence_s => {}
            _ => self.settle(mac, at),
        }
    }

    /// A claim; `unasked` when it answers no question.
    pub(super) fn claim(&mut self, mac: Mac, told: Option<IpAddr>, unasked: bool, at: Time, silence_s: f64) {
        match self.current {
            Some((current, _)) if current == mac => {}
            Some((_, last)) if at.secs_since(last) <= silence_s => {
                self.changes = self.changes.saturating_add(1);
                if self.changes == 1 {
                    self.span = Some((at, at));
                }
            }
            _ => self.settle(mac, at),
        }
        self.current = Some((mac, at));
        let Some(holder) = self.holder(mac) else { return };
        holder.unasked = holder.unasked.saturating_add(u32::from(unasked));
        self.span = self.span.map(|(first, last)| (first, last.max(at)));
        if let Some(told) = told {
            list(&mut self.told, told);
        }
    }

    /// The address is this one's from now on; what was before is forgotten.
    fn settle(&mut self, mac: Mac, at: Time) {
        self.holders = vec![Holder { mac, unasked: 0 }];
        self.current = Some((mac, at));
        self.changes = 0;
        self.told.clear();
        self.span = None;
    }

    fn holder(&mut self, mac: Mac) -> Option<&mut Holder> {
        if self.holders.len() < HOLDERS_MAX && self.holders.iter().all(|holder| holder.mac != mac) {
            self.holders.push(Holder { mac, unasked: 0 });
        }
        self.holders.iter_mut().find(|holder| holder.mac == mac)
    }
}

/// One hardware address and what it claimed.
#[derive(Default)]
pub(super) struct Claimant {
    pub(super) addresses: Distinct,
    pub(super) listed: Vec<IpAddr>,
    pub(super) told: Vec<IpAddr>,
    /// Own questions: as whom, to whom, when.
    questions: Vec<(IpAddr, IpAddr, Time)>,
    /// Answers pushed right behind an own question.
    pub(super) pushed: u32,
    shouts: Sliding<6>,
    /// Most announcements and pushed answers within a minute.
    pub(super) per_minute_max: u64,
    pub(super) span: Option<(Time, Time)>,
}

impl Claimant {
    pub(super) fn claim(
        &mut self,
        ip: IpAddr,
        other: Option<IpAddr>,
        reply: bool,
        announcement: bool,
        at: Time,
    ) {
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
        if self.addresses.add(ip) {
            list(&mut self.listed, ip);
        }
        let pushed = reply
            && self.questions.iter().any(|(from, to, asked)| {
                *from == ip && Some(*to) == other && (0.0..=PUSHED_S).contains(&at.secs_since(*asked))
            });
        self.pushed = self.pushed.saturating_add(u32::from(pushed));
        if pushed || announcement {
            self.shouts.add(at, RATE_BIN_S, 1);
            self.per_minute_max = self.per_minute_max.max(self.shouts.sum());
        }
        if let Some(other) = other {
            list(&mut self.told, other);
            if !reply {
                self.questions.truncate(QUESTIONS_MAX - 1);
                self.questions.insert(0, (ip, other, at));
            }
        }
    }
}

fn list(all: &mut Vec<IpAddr>, ip: IpAddr) {
    if all.len() < LISTED_MAX && !all.contains(&ip) {
        all.push(ip);
    }
}
