//! The same flow told by several exporters that it passed: the first to tell it stands, the others are marked, so that
//! nothing counts twice because a network measures in two places.
//!
//! Every flow has two places side by side in a table of fixed size, by a hash of its ends: one look into memory a flow,
//! whatever was before. A third flow of these places displaces the older one; a double of the displaced one then passes
//! unmarked, which is the bias when in doubt. The hash has no secret, because equal input has to give equal marks; whoever
//! makes flows share places takes a mark away and never makes one, because the ends are compared.

use std::net::IpAddr;

use weir_model::{FlowRecord, NANOS_PER_S, Time};

/// Places at most, a power of two; 8 MiB.
const PLACES_MAX: usize = 131_072;
/// Places at first: small networks stay small.
const PLACES_MIN: usize = 4_096;
/// Records of one flow from two places overlap, or clocks differ by this much.
const APART_MAX_NS: i64 = 5 * NANOS_PER_S;
/// Exporters tell of one flow within their time-outs of each other. Displacing an older one loses nothing.
const AWAITED_NS: i64 = 60 * NANOS_PER_S;

/// Who told of which flow.
#[derive(Default)]
pub(crate) struct Duplicates {
    places: Vec<Option<Told>>,
    taken: usize,
}

/// What a record is to the flows told of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The first word of this flow, or another part of it by the same exporter.
    First,
    /// As `First`; a flow whose double may still come is forgotten for it.
    Displacing,
    /// Another exporter told of it before.
    Double,
}

/// A flow told of. A cache line.
#[derive(Clone, Copy)]
struct Told {
    ends: Ends,
    by: Option<u32>,
    start: Time,
    end: Time,
}

/// What passed, whoever measured it: both ends in order, and the protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends {
    /// Halves of both addresses; IPv4 addresses in the lower 32 bits.
    ips: [u64; 4],
    ports: [u16; 2],
    proto: u8,
}

impl Ends {
    fn of(flow: &FlowRecord) -> Self {
        let key = &flow.key;
        let one = (bits(key.initiator_ip), key.initiator_port);
        let other = (bits(key.responder_ip), key.responder_port);
        let (low, high) = (one.min(other), one.max(other));
        Self {
            ips: [low.0 >> 64, low.0, high.0 >> 64, high.0].map(|half| half as u64),
            ports: [low.1, high.1],
            proto: key.proto,
        }
    }

    /// The first of its two places among so many, a power of two.
    const fn place(&self, places: usize) -> usize {
        let [low_prefix, low, high_prefix, high] = self.ips;
        let ports = (self.ports[0] as u64) << 24 | (self.ports[1] as u64) << 8 | self.proto as u64;
        let hash = mix(mix(ports ^ low, low_prefix) ^ high, high_prefix);
        hash as usize & (places - 1) & !1
    }
}

/// Two words to one; every bit of them moves every bit of it. The constants are digits of pi.
const fn mix(one: u64, other: u64) -> u64 {
    let product = (one ^ 0x243f_6a88_85a3_08d3) as u128 * (other ^ 0x1319_8a2e_0370_7345) as u128;
    (product >> 64) as u64 ^ product as u64
}

const fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits() as u128,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// An exporter in four bytes: of two IPv6 exporters that fold alike doubles pass unmarked.
const fn folded(ip: IpAddr) -> u32 {
    let all = bits(ip);
    let half = (all >> 64) as u64 ^ all as u64;
    (half >> 32) as u32 ^ half as u32
}

impl Duplicates {
    /// Has another exporter told of this flow? Remembers it otherwise.
    pub(crate) fn see(&mut self, flow: &FlowRecord) -> Mark {
        let told = Told {
            ends: Ends::of(flow),
            by: flow.exporter.map(folded),
            start: flow.start,
            end: flow.end,
        };
        if self.taken * 4 >= self.places.len() && self.places.len() < PLACES_MAX {
            self.grow();
        }
        let place = told.ends.place(self.places.len());
        let Some(places) = self.places.get_mut(place..place + 2) else {
            return Mark::First;
        };
        let same = |slot: &Option<Told>| slot.is_some_and(|before| before.ends == told.ends);
        if let Some(at) = places.iter().position(same) {
            let double =
                places[at].is_some_and(|before| before.by != told.by && !told.apart(&before, APART_MAX_NS));
            if double {
                return Mark::Double;
            }
            places[at] = Some(told);
            return Mark::First;
        }
        // An empty place comes before every taken one, the older before the newer.
        let at = usize::from(places[1].map(|one| one.end) < places[0].map(|one| one.end));
        let before = places[at].replace(told);
        match before {
            None => {
                self.taken += 1;
                Mark::First
            }
            Some(before) if told.apart(&before, AWAITED_NS) => Mark::First,
            Some(_) => Mark::Displacing,
        }
    }

    /// Brings the places of flows that will be asked for nearer, all at once: one after the other each would be waited for.
    pub(crate) fn expect(&self, flows: &[FlowRecord]) {
        if self.places.is_empty() {
            return;
        }
        let near = |flow| self.places[Ends::of(flow).place(self.places.len())].is_some();
        std::hint::black_box(flows.iter().map(near).fold(false, |any, near| any | near));
    }

    /// Makes the table twice as large; no flow is displaced by that, because those of two places part or stay.
    fn grow(&mut self) {
        let places = (self.places.len() * 2).max(PLACES_MIN);
        let before = std::mem::replace(&mut self.places, vec![None; places]);
        for told in before.into_iter().flatten() {
            let place = told.ends.place(places);
            let at = place + usize::from(self.places[place].is_some());
            self.places[at] = Some(told);
        }
    }
}

impl Told {
    /// Is there more than this between the two?
    fn apart(&self, other: &Self, nanos: i64) -> bool {
        self.start.since(other.end) > nanos || other.start.since(self.end) > nanos
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testkit::notation;

    #[test]
    fn the_second_place_is_a_double_the_next_connection_is_not() {
        let mut duplicates = Duplicates::default();
        let mut flow = notation::batch("10.0.0.5 <> 10.0.0.9:443 tcp").flows.remove(0);
        let (here, there) = ("192.0.2.1".parse().ok(), "2001:db8::2".parse().ok());
        flow.exporter = here;
        assert_eq!(duplicates.see(&flow), Mark::First);
        assert_eq!(
            duplicates.see(&flow),
            Mark::First,
            "the same exporter sends parts"
        );
        flow.exporter = there;
        assert_eq!(duplicates.see(&flow), Mark::Double);
        flow.start = flow.end + 60 * NANOS_PER_S;
        flow.end = flow.start;
        assert_eq!(duplicates.see(&flow), Mark::First, "ports are used again");
    }

    #[test]
    fn the_table_is_bounded_and_counts_what_it_forgets() {
        let mut duplicates = Duplicates::default();
        let mut flow = notation::batch("10.0.0.5 <> 10.0.0.9:443 tcp").flows.remove(0);
        let mut displaced = 0;
        let flows = 2 * PLACES_MAX as u32;
        for at in 0..flows {
            flow.key.initiator_ip = IpAddr::from((0x0a00_0000 + at).to_be_bytes());
            displaced += u32::from(duplicates.see(&flow) == Mark::Displacing);
        }
        assert_eq!(size_of::<Option<Told>>(), 64);
        assert_eq!(duplicates.places.len(), PLACES_MAX);
        assert_eq!(duplicates.taken as u32 + displaced, flows);
        // Four flows for each two places, thrown at random, leave 3 e^-4 of the places empty; some went while it grew.
        let taken = duplicates.taken;
        assert!((116_000..127_000).contains(&taken), "{taken}");
        flow.start = flow.end + 120 * NANOS_PER_S;
        flow.end = flow.start;
        flow.key.initiator_ip = IpAddr::from([11, 0, 0, 1]);
        assert_eq!(duplicates.see(&flow), Mark::First, "what is old is not missed");
    }
}
