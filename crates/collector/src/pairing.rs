//! Biflows out of one-way records, in either order of arrival, within a bounded hold time of event time.
//! A record whose counterpart does not come stays one-way: its reverse is unknown (`None`), which is not zero.

use std::collections::VecDeque;

use ahash::RandomState;
use hashbrown::HashTable;
use weir_model::{FlowRecord, NANOS_PER_S, Time};

use crate::one_way::OneWay;

/// How long a record waits for its counterpart. Exporters send both directions within their expiry scan, a few seconds
/// apart; a quarter of a minute covers idle time-outs that end one direction first.
pub(crate) const HOLD_NS: i64 = 15 * NANOS_PER_S;
/// Counterparts must overlap, or follow each other within this: answers lie within a second, clocks are coarse.
const APART_MAX_NS: i64 = 5 * NANOS_PER_S;
/// Records held; some 25 MiB. More arrive only at rates where 15 s of records do not fit, and then the oldest go one-way.
const HELD_MAX: usize = 131_072;

/// Records between one that is driven out and one that is asked for, and so many more to one whose place is.
const AHEAD: usize = 8;

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

/// One-way records waiting for their counterparts. Records stand still in slots; what must be found fast are numbers only.
#[derive(Debug)]
pub struct Pairing {
    hold_ns: i64,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots of waiting records by the hash of their flow, both directions alike. Hashes are under a secret of this run, and
    /// every record found is compared, so neither strangers nor chance decide what pairs.
    waiting: HashTable<Waiting>,
    secret: RandomState,
    /// Slots with their serial numbers and arrivals, oldest first; some hold another record by now.
    order: VecDeque<(u32, u64, Time)>,
    serial: u64,
    counts: PairingCounts,
}

/// A record that waits, in the table. Its tag is part of the hash: nearly all that is not wanted is passed over without a
/// look into its slot, which is as good as never in a cache.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    place: u32,
    tag: u32,
}

/// Bits of the hash that the table itself does not look at.
const fn tag(hash: u64) -> u32 {
    (hash >> 25) as u32
}

/// A place for a record. Records are written and read where they lie: moving them about costs more than filling them.
#[derive(Debug)]
struct Slot {
    hash: u64,
    serial: u64,
    /// Of the last one that waited here, when free.
    record: OneWay,
    busy: bool,
}

impl Default for Pairing {
    fn default() -> Self {
        Self {
            hold_ns: HOLD_NS,
            slots: Vec::new(),
            free: Vec::new(),
            waiting: HashTable::new(),
            secret: RandomState::new(),
            order: VecDeque::new(),
            serial: 0,
            counts: PairingCounts::default(),
        }
    }
}

/// What waits already of the flow of a record that comes: serial numbers and places.
#[derive(Default)]
struct Found {
    /// The counterpart that has waited longest.
    counterpart: Option<(u64, u32)>,
    /// The record of the same direction that has waited longest, and their number.
    oldest: Option<(u64, u32)>,
    same: usize,
}

impl Pairing {
    /// From now on records wait for their counterparts for `hold_ns` nanoseconds of event time.
    pub const fn hold(&mut self, hold_ns: i64) {
        self.hold_ns = hold_ns;
    }

    /// Takes a record that came at `now`; what is ready goes to `out`.
    pub fn push(&mut self, flow: FlowRecord, now: Time, out: &mut Vec<FlowRecord>) {
        if flow.reverse.is_some() {
            self.pass();
            out.push(flow);
        } else {
            let mut one = OneWay::of(flow);
            self.take(&mut one, now, out);
        }
    }

    /// Counts a record that was a biflow when it came.
    pub(crate) const fn pass(&mut self) {
        self.counts.biflows += 1;
    }

    /// As [`Pairing::push`] for what exporters tell of one direction; nothing is left of `one`.
    pub(crate) fn take(&mut self, one: &mut OneWay, now: Time, out: &mut Vec<FlowRecord>) {
        if !one.pairs() {
            self.counts.lone += 1;
            one.lone(out);
            return;
        }
        let hash = self.hash(one);
        let found = self.find(hash, one);
        if let Some((_, place)) = found.counterpart
            && let Some(other) = self.remove(place)
        {
            other.join(one, out);
            self.counts.pairs += 1;
            return;
        }
        if self.held() >= HELD_MAX {
            self.look_ahead();
            self.counts.evicted += u64::from(self.release_oldest(out));
        }
        if let Some((serial, place)) = found.oldest.filter(|_| found.same >= SAME_MAX) {
            self.counts.evicted += u64::from(self.release(place, serial, out));
        }
        self.wait(hash, one.take(), now);
    }

    /// Asks for what will be driven out soon: it is far from any cache, and when its turn comes it is near.
    fn look_ahead(&self) {
        let slot = |ahead: usize| {
            let (place, ..) = self.order.get(ahead)?;
            self.slots.get(*place as usize)
        };
        let far = slot(2 * AHEAD).map(|slot| (slot.serial, slot.busy));
        let near = |slot: &Slot| {
            self.waiting
                .iter_hash(slot.hash)
                .any(|one| one.tag == tag(slot.hash))
        };
        std::hint::black_box((far, slot(AHEAD).map(near)));
    }

    /// Looks through what waits under this hash.
    fn find(&self, hash: u64, one: &OneWay) -> Found {
        let mut found = Found::default();
        for &Waiting { place, .. } in self.waiting.iter_hash(hash).filter(|one| one.tag == tag(hash)) {
            let slot = self.slots.get(place as usize);
            let Some(slot) = slot.filter(|slot| slot.busy && slot.hash == hash) else {
                continue;
            };
            let (held, mine) = (&slot.record, (slot.serial, place));
            if held.repeats(one) {
                found.same += 1;
                found.oldest = Some(found.oldest.map_or(mine, |other| other.min(mine)));
            } else if held.answers(one) && near(held, one) {
                found.counterpart = Some(found.counterpart.map_or(mine, |other| other.min(mine)));
            }
        }
        found
    }

    /// Keeps a record waiting.
    fn wait(&mut self, hash: u64, one: OneWay, now: Time) {
        let slot = Slot {
            hash,
            serial: self.serial,
            record: one,
            busy: true,
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
        let slots = &self.slots;
        let hash_of = |one: &Waiting| slots[one.place as usize].hash;
        let waiting = Waiting {
            place,
            tag: tag(hash),
        };
        self.waiting.insert_unique(hash, waiting, hash_of);
        self.order.push_back((place, self.serial, now));
        self.serial += 1;
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
    pub fn held(&self) -> usize {
        self.waiting.len()
    }

    /// Does the record of this serial number still wait here?
    fn waits(&self, place: u32, serial: u64) -> bool {
        let slot = self.slots.get(place as usize);
        slot.is_some_and(|slot| slot.busy && slot.serial == serial)
    }

    /// Frees this place; its record is to be read now.
    fn remove(&mut self, place: u32) -> Option<&mut OneWay> {
        let slot = self.slots.get_mut(place as usize).filter(|slot| slot.busy)?;
        slot.busy = false;
        if let Ok(entry) = self.waiting.find_entry(slot.hash, |other| other.place == place) {
            entry.remove();
        }
        self.free.push(place);
        Some(&mut slot.record)
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
        let Some(one) = self.remove(place) else {
            return false;
        };
        one.lone(out);
        self.counts.lone += 1;
        true
    }

    /// The hash of a flow, whichever direction the record tells of.
    fn hash(&self, one: &OneWay) -> u64 {
        let (from, to) = ((one.src, one.src_port), (one.dst, one.dst_port));
        self.secret
            .hash_one((from.min(to), from.max(to), one.exporter, one.proto))
    }
}

/// Do two records overlap in time, give or take what coarse clocks do?
fn near(one: &OneWay, other: &OneWay) -> bool {
    one.start.since(other.end) <= APART_MAX_NS && other.start.since(one.end) <= APART_MAX_NS
}
