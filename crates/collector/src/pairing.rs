//! Biflows out of one-way records, in either order of arrival, within a bounded hold time of event time.
//! A record whose counterpart does not come stays one-way: its reverse is unknown (`None`), which is not zero.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;

use ahash::RandomState;
use weir_model::{FlowKey, FlowRecord, InitiatorReason, NANOS_PER_S, Phase, Time, proto, tcp_flags};

use crate::record;

/// How long a record waits for its counterpart. Exporters send both directions within their expiry scan, a few seconds
/// apart; a quarter of a minute covers idle time-outs that end one direction first.
pub(crate) const HOLD_NS: i64 = 15 * NANOS_PER_S;
/// Counterparts must overlap, or follow each other within this: answers lie within a second, clocks are coarse.
const APART_MAX_NS: i64 = 5 * NANOS_PER_S;
/// Records held; some 40 MiB. More arrive only at rates where 15 s of records do not fit, and then the oldest go one-way.
const HELD_MAX: usize = 65_536;

/// Records of one flow and direction held; more come only from repeated exports, and each is looked through.
const SAME_MAX: usize = 16;

/// What pairing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairingCounts {
    /// Records that were biflows when they came.
    pub biflows: u64,
    /// Pairs made of two one-way records.
    pub pairs: u64,
    /// Records that stayed one-way.
    pub lone: u64,
    /// Of those, let go before their time because the table was full.
    pub evicted: u64,
}

/// No slot: the end of a chain.
const NONE: u32 = u32::MAX;

/// One-way records waiting for their counterparts. Records stand still in slots; what must be found fast are numbers only.
#[derive(Debug)]
pub struct Pairing {
    hold_ns: i64,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// First slot of the chain of records whose [`Match`] has this hash. Keys are hashes under a secret of this run, and
    /// every record found is compared, so neither strangers nor chance decide what pairs.
    chains: HashMap<u64, u32, BuildHasherDefault<Ready>>,
    secret: RandomState,
    /// Slots with their serial numbers and arrivals, oldest first; some hold another record by now.
    order: VecDeque<(u32, u64, Time)>,
    held: usize,
    serial: u64,
    counts: PairingCounts,
}

/// A place for a record.
#[derive(Debug)]
struct Slot {
    /// `None` when free.
    flow: Option<FlowRecord>,
    hash: u64,
    serial: u64,
    /// Next slot of the chain, older first.
    next: u32,
}

/// A hasher for keys that are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0 << 8 | u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What both records of a pair agree on: exporter and flow, sides put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Match {
    exporter: Option<IpAddr>,
    proto: u8,
    low: (IpAddr, u16),
    high: (IpAddr, u16),
    /// The record's source is `low`.
    from_low: bool,
}

impl Match {
    fn of(flow: &FlowRecord) -> Self {
        let key = &flow.key;
        let (from, to) = (
            (key.initiator_ip, key.initiator_port),
            (key.responder_ip, key.responder_port),
        );
        Self {
            exporter: flow.exporter,
            proto: key.proto,
            low: from.min(to),
            high: from.max(to),
            from_low: from <= to,
        }
    }

    const fn opposite(self) -> Self {
        Self {
            from_low: !self.from_low,
            ..self
        }
    }
}

impl Default for Pairing {
    fn default() -> Self {
        Self {
            hold_ns: HOLD_NS,
            slots: Vec::new(),
            free: Vec::new(),
            chains: HashMap::default(),
            secret: RandomState::new(),
            order: VecDeque::new(),
            held: 0,
            serial: 0,
            counts: PairingCounts::default(),
        }
    }
}

impl Pairing {
    /// From now on records wait for their counterparts for `hold_ns` nanoseconds of event time.
    pub const fn hold(&mut self, hold_ns: i64) {
        self.hold_ns = hold_ns;
    }

    /// Takes a record that came at `now`; what is ready goes to `out`.
    pub fn push(&mut self, flow: FlowRecord, now: Time, out: &mut Vec<FlowRecord>) {
        if flow.reverse.is_some() {
            self.counts.biflows += 1;
            out.push(flow);
            return;
        }
        if !pairs(&flow.key) {
            self.let_go(flow, out);
            return;
        }
        let mine = Match::of(&flow);
        if let Some(other) = self.take_counterpart(mine.opposite(), &flow) {
            self.counts.pairs += 1;
            out.push(join(other, flow));
            return;
        }
        if self.held >= HELD_MAX {
            self.counts.evicted += u64::from(self.release_oldest(out));
        }
        self.wait(mine, flow, now, out);
    }

    /// Keeps a record waiting, behind those that wait for the same counterpart.
    fn wait(&mut self, mine: Match, flow: FlowRecord, now: Time, out: &mut Vec<FlowRecord>) {
        let hash = self.secret.hash_one(mine);
        let (mut last, mut oldest, mut same) = (NONE, NONE, 0);
        let mut at = self.chains.get(&hash).copied().unwrap_or(NONE);
        while let Some(slot) = self.slots.get(at as usize) {
            if slot.flow.as_ref().is_some_and(|held| Match::of(held) == mine) {
                same += 1;
                oldest = if oldest == NONE { at } else { oldest };
            }
            (last, at) = (at, slot.next);
        }
        if same >= SAME_MAX {
            if last == oldest {
                last = NONE;
            }
            let serial = self.slots[oldest as usize].serial;
            self.counts.evicted += u64::from(self.release(oldest, serial, out));
        }
        let slot = Slot {
            flow: Some(flow),
            hash,
            serial: self.serial,
            next: NONE,
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        match self.slots.get_mut(last as usize) {
            Some(before) => before.next = place,
            None => drop(self.chains.insert(hash, place)),
        }
        self.order.push_back((place, self.serial, now));
        self.serial += 1;
        self.held += 1;
    }

    /// Lets go of what has waited long enough by `now`.
    pub fn advance(&mut self, now: Time, out: &mut Vec<FlowRecord>) {
        while let Some(&(place, serial, since)) = self.order.front() {
            if self.waits(place, serial) && now.since(since) < self.hold_ns {
                break;
            }
            self.order.pop_front();
            self.release(place, serial, out);
        }
    }

    /// Ends the input: nothing waits any longer.
    pub fn finish(&mut self, out: &mut Vec<FlowRecord>) {
        self.advance(Time::MAX, out);
    }

    /// What was done so far.
    pub const fn counts(&self) -> PairingCounts {
        self.counts
    }

    /// Records waiting.
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Does the record of this serial number still wait here?
    fn waits(&self, place: u32, serial: u64) -> bool {
        let slot = self.slots.get(place as usize);
        slot.is_some_and(|slot| slot.flow.is_some() && slot.serial == serial)
    }

    fn take_counterpart(&mut self, wanted: Match, flow: &FlowRecord) -> Option<FlowRecord> {
        let hash = self.secret.hash_one(wanted);
        let (mut before, mut at) = (NONE, *self.chains.get(&hash)?);
        while let Some(slot) = self.slots.get(at as usize) {
            let fits = |held: &FlowRecord| Match::of(held) == wanted && near(held, flow);
            if slot.flow.as_ref().is_some_and(fits) {
                return self.unlink(before, at);
            }
            (before, at) = (at, slot.next);
        }
        None
    }

    /// Takes the record at `place` out of its chain, where it stands behind `before`.
    fn unlink(&mut self, before: u32, place: u32) -> Option<FlowRecord> {
        let slot = self.slots.get_mut(place as usize)?;
        let (flow, next, hash) = (slot.flow.take()?, slot.next, slot.hash);
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.next = next,
            None if next == NONE => drop(self.chains.remove(&hash)),
            None => drop(self.chains.insert(hash, next)),
        }
        self.free.push(place);
        self.held -= 1;
        Some(flow)
    }

    fn release_oldest(&mut self, out: &mut Vec<FlowRecord>) -> bool {
        while let Some((place, serial, _)) = self.order.pop_front() {
            if self.release(place, serial, out) {
                return true;
            }
        }
        false
    }

    fn release(&mut self, place: u32, serial: u64, out: &mut Vec<FlowRecord>) -> bool {
        if !self.waits(place, serial) {
            return false;
        }
        let hash = self.slots[place as usize].hash;
        let (mut before, mut at) = (NONE, self.chains.get(&hash).copied().unwrap_or(NONE));
        while at != place
            && let Some(slot) = self.slots.get(at as usize)
        {
            (before, at) = (at, slot.next);
        }
        let Some(flow) = self.unlink(before, place) else {
            return false;
        };
        self.let_go(flow, out);
        true
    }

    fn let_go(&mut self, mut flow: FlowRecord, out: &mut Vec<FlowRecord>) {
        self.counts.lone += 1;
        record::settle_lone(&mut flow);
        out.push(flow);
    }
}

/// Can the flow have a counterpart at all? What goes to a group, and ICMP that asks nothing, has none.
fn pairs(key: &FlowKey) -> bool {
    let group = key.responder_ip.is_multicast() || key.responder_ip == IpAddr::from([255; 4]);
    let one_way_icmp = matches!(key.proto, proto::ICMP | proto::ICMP6)
        && weir_model::community_id::icmp_counterpart(key.proto, key.initiator_port as u8).is_none();
    !group && !one_way_icmp
}

/// Do two records overlap in time, give or take what coarse clocks do?
fn near(one: &FlowRecord, other: &FlowRecord) -> bool {
    one.start.since(other.end) <= APART_MAX_NS && other.start.since(one.end) <= APART_MAX_NS
}

/// Makes one biflow of two one-way records.
fn join(first: FlowRecord, second: FlowRecord) -> FlowRecord {
    let (first_begins, reason) = initiator(&first, &second);
    let (mut flow, answer) = if first_begins {
        (first, second)
    } else {
        (second, first)
    };
    flow.flow_start = flow.flow_start.min(answer.flow_start);
    flow.start = flow.start.min(answer.start);
    flow.end = flow.end.max(answer.end);
    flow.reverse = Some(answer.forward);
    flow.reverse_total = Some(answer.forward_total);
    flow.reverse_flags = answer.forward_flags;
    flow.reverse_ttl = answer.forward_ttl;
    flow.initiator_mac = flow.initiator_mac.or(answer.responder_mac);
    flow.responder_mac = answer.initiator_mac.or(flow.responder_mac);
    if answer.phase == Phase::Update {
        flow.phase = Phase::Update;
        flow.end_reason = answer.end_reason;
    }
    flow.sampling = flow.sampling.max(answer.sampling);
    flow.initiator_reason = reason;
    flow.id = weir_model::FlowId::derive(&flow.key, flow.flow_start);
    flow.conn_state = record::conn_state(&flow);
    flow
}

/// Did the first record's source begin, and how is that known: by SYN, by protocol, by time, by ports, in this order.
fn initiator(first: &FlowRecord, second: &FlowRecord) -> (bool, InitiatorReason) {
    let syn = |flow: &FlowRecord| flow.key.proto == proto::TCP && flow.forward_flags & tcp_flags::SYN != 0;
    if syn(first) != syn(second) {
        return (syn(first), InitiatorReason::Syn);
    }
    if matches!(first.key.proto, proto::ICMP | proto::ICMP6) {
        // Every pair of asking and answering types has the asker on an even IPv6 type, and on 8, 10, 13, 15 or 17.
        let asks = |flow: &FlowRecord| {
            matches!(
                flow.key.initiator_port,
                8 | 10 | 13 | 15 | 17 | 128 | 130 | 133 | 135 | 139 | 144
            )
        };
        if asks(first) != asks(second) {
            return (asks(first), InitiatorReason::Protocol);
        }
    }
    if first.start != second.start {
        return (first.start < second.start, InitiatorReason::FirstPacket);
    }
    let (from, to) = (first.key.initiator_port, first.key.responder_port);
    if from == to {
        return (true, InitiatorReason::FirstPacket);
    }
    (from > to, InitiatorReason::Port)
}
