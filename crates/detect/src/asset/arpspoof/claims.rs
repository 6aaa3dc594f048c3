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

/// A takeover is announced to all for about this long (keepalived: twice five times within some 5 s; RFC 4861: three
/// times within 3 s). Who still announces after it presses. Seconds.
const ANNOUNCED_S: f64 = 10.0;

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Somebody had asked, or it is a question itself.
    Asked,
    /// Told to all, as after a takeover.
    Announced,
    /// Told to one host that had not asked.
    Unasked,
}

/// A hardware address that held the address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub(super) mac: Mac,
    /// Answers nobody asked for, told to one host.
    told: u32,
    /// Answers told to all, the first of them and the last.
    announced: u32,
    announcing: Option<(Time, Time)>,
}

impl Holder {
    const fn new(mac: Mac) -> Self {
        Self {
            mac,
            told: 0,
            announced: 0,
            announcing: None,
        }
    }

    /// Answers nobody asked for. Announcements count once they go on for longer than a takeover needs.
    pub(super) fn unasked(&self) -> u32 {
        let pressing = self
            .announcing
            .is_some_and(|(first, last)| last.secs_since(first) > ANNOUNCED_S);
        self.told
            .saturating_add(if pressing { self.announced } else { 0 })
    }

    fn call(&mut self, call: Call, at: Time) {
        match call {
            Call::Asked => {}
            Call::Announced => {
                self.announced = self.announced.saturating_add(1);
                let (first, last) = self.announcing.unwrap_or((at, at));
                self.announcing = Some((first, last.max(at)));
            }
            Call::Unasked => self.told = self.told.saturating_add(1),
        }
    }
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
            .max_by_key(|holder| holder.unasked())
            .copied()
    }

    /// Is it a gateway's address? Many ask for it, or some do and its number is customary.
    pub(super) fn is_gateway(&self, ip: IpAddr, askers_min: u64) -> bool {
        let askers = self.askers.count();
        askers >= askers_min || is_customary(ip) && askers >= GATEWAY_ASKERS_MIN
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

    /// A claim, told to somebody.
    pub(super) fn claim(&mut self, mac: Mac, told: Option<IpAddr>, call: Call, at: Time, silence_s: f64) {
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
        holder.call(call, at);
        self.span = self.span.map(|(first, last)| (first, last.max(at)));
        if let Some(told) = told {
            list(&mut self.told, told);
        }
    }

    /// The address is this one's from now on; what was before is forgotten.
    fn settle(&mut self, mac: Mac, at: Time) {
        self.holders = vec![Holder::new(mac)];
        self.current = Some((mac, at));
        self.changes = 0;
        self.told.clear();
        self.span = None;
    }

    fn holder(&mut self, mac: Mac) -> Option<&mut Holder> {
        if self.holders.len() < HOLDERS_MAX && self.holders.iter().all(|holder| holder.mac != mac) {
            self.holders.push(Holder::new(mac));
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

/// Has the address a number that gateways have by custom?
pub(super) fn is_customary(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if GATEWAY_OCTETS.contains(&ip.octets()[3]))
}

fn list(all: &mut Vec<IpAddr>, ip: IpAddr) {
    if all.len() < LISTED_MAX && !all.contains(&ip) {
        all.push(ip);
    }
}
