//! Between a flow record and its columns: moments in three parts, addresses in two, codes of the fixed words, and the
//! row that collects columns until it is a record again.

use std::net::{IpAddr, Ipv6Addr};

use weir_model::{
    ConnState, Counters, EndReason, FlowId, FlowKey, FlowRecord, InitiatorReason, Performance, Phase,
    Protocol, Time, ethertype,
};

const NANOS_PER_MS: i64 = 1_000_000;

/// A moment as milliseconds since 1970 and what is left, in microseconds and in nanoseconds (0..=999 each).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) millis: i64,
    pub(crate) us: u16,
    pub(crate) ns: u16,
}

impl Moment {
    pub(crate) fn of(time: Time) -> Self {
        let rest = time.0.rem_euclid(NANOS_PER_MS);
        Self {
            millis: time.0.div_euclid(NANOS_PER_MS),
            us: (rest / 1000) as u16,
            ns: (rest % 1000) as u16,
        }
    }

    /// The moment again. Parts that no moment has (a part file made elsewhere) wrap instead of failing.
    pub(crate) fn time(self) -> Time {
        let rest = i64::from(self.us) * 1000 + i64::from(self.ns);
        Time(self.millis.wrapping_mul(NANOS_PER_MS).wrapping_add(rest))
    }
}

/// Upper half of an address as a 128-bit number, IPv4 in `::ffff:0:0/96`.
pub(crate) fn high(ip: IpAddr) -> u64 {
    (weir_query::address(ip) >> 64) as u64
}

/// Lower half of an address.
pub(crate) fn low(ip: IpAddr) -> u64 {
    weir_query::address(ip) as u64
}

/// The address of two halves; `six` keeps an IPv4-mapped one in IPv6, as it stood in the packet.
pub(crate) fn ip((high, low): (u64, u64), six: bool) -> IpAddr {
    let ip = Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low));
    match ip.to_ipv4_mapped() {
        Some(four) if !six => IpAddr::V4(four),
        _ => IpAddr::V6(ip),
    }
}

/// The flow id where key and start do not give it.
pub(crate) fn other_id(flow: &FlowRecord) -> Option<u64> {
    let derived = FlowId::derive(&stored_key(&flow.key), flow.flow_start);
    (derived != flow.id).then_some(flow.id.0)
}

/// The key as it will be read back: frames without addresses have the unspecified one, other than IP protocol 0.
fn stored_key(key: &FlowKey) -> FlowKey {
    let six = key.ethertype == ethertype::IPV6;
    let addressed = key.has_addresses();
    let stored = |address| {
        if addressed {
            ip((high(address), low(address)), six)
        } else {
            NO_ADDRESS
        }
    };
    FlowKey {
        initiator_ip: stored(key.initiator_ip),
        responder_ip: stored(key.responder_ip),
        proto: if key.is_ip() { key.proto } else { 0 },
        ..*key
    }
}

/// What stands in the key of frames without addresses.
const NO_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// Columns of one record on their way back.
pub(crate) struct Row {
    pub(crate) flow: FlowRecord,
    pub(crate) start: Moment,
    pub(crate) duration_ms: i64,
    /// `millis` is not used: the distance from the start says it.
    pub(crate) end: Moment,
    /// Milliseconds before the start, and the remainders.
    pub(crate) flow_start: (Option<i64>, u16, u16),
    pub(crate) id: Option<u64>,
    pub(crate) src: (u64, u64),
    pub(crate) dst: (u64, u64),
    pub(crate) exporter: Option<(u64, u64)>,
    forward_total: Option<Counters>,
    reverse_total: Option<Counters>,
}

impl Row {
    pub(crate) fn new() -> Self {
        let key = FlowKey {
            initiator_ip: NO_ADDRESS,
            responder_ip: NO_ADDRESS,
            initiator_port: 0,
            responder_port: 0,
            proto: 0,
            ethertype: 0,
            vlan: None,
        };
        Self {
            flow: FlowRecord::new(key, Time(0)),
            start: Moment::default(),
            duration_ms: 0,
            end: Moment::default(),
            flow_start: (None, 0, 0),
            id: None,
            src: (0, 0),
            dst: (0, 0),
            exporter: None,
            forward_total: None,
            reverse_total: None,
        }
    }

    pub(crate) fn reverse(&mut self) -> &mut Counters {
        self.flow.reverse.get_or_insert_default()
    }

    pub(crate) fn forward_total(&mut self) -> &mut Counters {
        self.forward_total.get_or_insert_default()
    }

    pub(crate) fn performance(&mut self) -> &mut Performance {
        self.flow.performance.get_or_insert_default()
    }

    pub(crate) fn reverse_total(&mut self) -> &mut Counters {
        self.reverse_total.get_or_insert_default()
    }

    /// The record, when all columns are in. Its `seq` is 0: the order of a run is not stored.
    pub(crate) fn record(self) -> FlowRecord {
        let mut flow = self.flow;
        let key = &mut flow.key;
        if key.has_addresses() {
            let six = key.ethertype == ethertype::IPV6;
            (key.initiator_ip, key.responder_ip) = (ip(self.src, six), ip(self.dst, six));
        }
        let later = |ms: i64| self.start.millis.wrapping_add(ms);
        flow.start = self.start.time();
        flow.end = Moment {
            millis: later(self.duration_ms),
            ..self.end
        }
        .time();
        flow.flow_start = match self.flow_start {
            (Some(before), us, ns) => {
                let millis = later(before.wrapping_neg());
                Moment { millis, us, ns }.time()
            }
            (None, ..) => flow.start,
        };
        flow.forward_total = self.forward_total.unwrap_or(flow.forward);
        flow.reverse_total = self.reverse_total.or(flow.reverse);
        flow.exporter = self.exporter.map(|halves| ip(halves, false));
        flow.id = self
            .id
            .map_or_else(|| FlowId::derive(&flow.key, flow.flow_start), FlowId);
        flow
    }
}

pub(crate) fn phase_code(phase: Phase) -> u64 {
    match phase {
        Phase::Start => 0,
        Phase::Update => 1,
        Phase::End => 2,
    }
}

pub(crate) fn phase(code: u64) -> Phase {
    match code {
        0 => Phase::Start,
        1 => Phase::Update,
        _ => Phase::End,
    }
}

pub(crate) fn end_reason(code: u64) -> EndReason {
    match code {
        2 => EndReason::Active,
        3 => EndReason::Finished,
        4 => EndReason::Forced,
        5 => EndReason::Resources,
        _ => EndReason::Idle,
    }
}

/// Words by code. The code of a word is its place; a test holds them equal to the model's.
pub(crate) const INITIATOR_REASONS: &[&str] = &["syn", "protocol", "port", "first_packet"];

pub(crate) fn initiator_reason_code(reason: InitiatorReason) -> u64 {
    match reason {
        InitiatorReason::Syn => 0,
        InitiatorReason::Protocol => 1,
        InitiatorReason::Port => 2,
        InitiatorReason::FirstPacket => 3,
    }
}

pub(crate) fn initiator_reason(code: u64) -> InitiatorReason {
    match code {
        0 => InitiatorReason::Syn,
        1 => InitiatorReason::Protocol,
        2 => InitiatorReason::Port,
        _ => InitiatorReason::FirstPacket,
    }
}

pub(crate) const CONN_STATES: &[&str] = &{
    let mut words = [""; ConnState::ALL.len()];
    let mut at = 0;
    while at < ConnState::ALL.len() {
        words[at] = ConnState::ALL[at].word();
        at += 1;
    }
    words
};

pub(crate) fn conn_state_code(state: ConnState) -> u64 {
    state as u64
}

pub(crate) fn conn_state(code: u64) -> ConnState {
    ConnState::ALL.get(code as usize).copied().unwrap_or_default()
}

/// Words of the application protocols, in the order of `Protocol::ALL`.
pub(crate) const APPS: &[&str] = &{
    let mut words = [""; Protocol::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = Protocol::ALL[at].word();
        at += 1;
    }
    words
};

pub(crate) fn app_code(app: Protocol) -> Option<u64> {
    Protocol::ALL
        .iter()
        .position(|known| *known == app)
        .map(|at| at as u64)
}

pub(crate) fn app(code: u64) -> Option<Protocol> {
    Protocol::ALL.get(code as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_models() {
        for (code, state) in ConnState::ALL.iter().enumerate() {
            assert_eq!(conn_state_code(*state), code as u64, "{state:?}");
            assert_eq!(CONN_STATES[code], state.word());
        }
        for (code, word) in INITIATOR_REASONS.iter().enumerate() {
            let reason = initiator_reason(code as u64);
            assert_eq!(
                (reason.word(), initiator_reason_code(reason)),
                (*word, code as u64)
            );
        }
        for code in 0..3 {
            assert_eq!(phase_code(phase(code)), code);
        }
        for code in 1..=5 {
            assert_eq!(u64::from(end_reason(code).code()), code);
        }
        let all: Vec<_> = (0..APPS.len() as u64).filter_map(app).collect();
        assert_eq!(all, Protocol::ALL);
    }

    #[test]
    fn moments_come_back() {
        for nanos in [0, -1, 1_700_000_000_123_456_789, i64::MIN, i64::MAX] {
            assert_eq!(Moment::of(Time(nanos)).time(), Time(nanos));
        }
    }
}
