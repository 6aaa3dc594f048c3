//! The flow record: what passed between two endpoints, always seen as a biflow (RFC 5103).
//! Counters are deltas of the interval the record covers; totals of the whole flow stand beside them.

use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::{Mac, Performance, Place, Protocol, Sightings, Time};

/// IP protocol numbers (IANA) that code names.
pub mod proto {
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const ICMP6: u8 = 58;
    pub const SCTP: u8 = 132;
}

/// EtherTypes that code names.
pub mod ethertype {
    pub const IPV4: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    pub const IPV6: u16 = 0x86dd;
    /// IEC 61850-8-1: messages of protection and control devices.
    pub const GOOSE: u16 = 0x88b8;
}

/// TCP control bits (RFC 9293), low byte of `tcpControlBits`.
pub mod tcp_flags {
    pub const FIN: u16 = 0x01;
    pub const SYN: u16 = 0x02;
    pub const RST: u16 = 0x04;
    pub const PSH: u16 = 0x08;
    pub const ACK: u16 = 0x10;
    pub const URG: u16 = 0x20;
    pub const ECE: u16 = 0x40;
    pub const CWR: u16 = 0x80;
    /// FIN, PSH and URG together: the "Christmas tree" of scanners.
    pub const XMAS: u16 = FIN | PSH | URG;
}

/// Identity of one flow, derived from key and start, so that the same traffic has the same ids in every run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

impl FlowId {
    /// Id of the flow with `key` whose first packet came at `start`.
    pub fn derive(key: &FlowKey, start: Time) -> Self {
        let mut hash = SipHasher13::new_with_keys(0x7765_6972, 0x666c_6f77);
        for ip in [key.initiator_ip, key.responder_ip] {
            match ip {
                IpAddr::V4(ip) => hash.write(&ip.octets()),
                IpAddr::V6(ip) => hash.write(&ip.octets()),
            }
        }
        hash.write_u32(u32::from(key.initiator_port) << 16 | u32::from(key.responder_port));
        hash.write_u64(
            u64::from(key.ethertype) << 32
                | u64::from(key.vlan.unwrap_or(0xffff)) << 8
                | u64::from(key.proto),
        );
        hash.write_i64(start.0);
        Self(hash.finish())
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Who talked to whom over what. Initiator and responder are decided once per flow (see [`InitiatorReason`]).
/// ARP: sender and target protocol address. GOOSE: the link-local addresses its MACs stand for ([`Mac::link_local`]).
/// Other non-IP frames: unspecified addresses, told apart by MACs and EtherType.
/// ICMP: initiator port = type, responder port = counterpart type, or the code when there is none (Community ID rule).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    pub initiator_ip: IpAddr,
    pub responder_ip: IpAddr,
    pub initiator_port: u16,
    pub responder_port: u16,
    /// IP protocol number; for ARP 0, for other non-IP frames 0.
    pub proto: u8,
    /// EtherType of the payload: 0x0800, 0x86dd, 0x0806 ...; values below 1536 are LLC frames (DSAP).
    pub ethertype: u16,
    /// Outer VLAN id (0..=4095), when tagged.
    pub vlan: Option<u16>,
}

impl FlowKey {
    /// Does the key hold IP addresses of IP traffic (not ARP, not other frames)?
    pub fn is_ip(&self) -> bool {
        matches!(self.ethertype, ethertype::IPV4 | ethertype::IPV6)
    }

    /// Does the key tell endpoints apart by addresses? Of other frames only the MACs do.
    pub fn has_addresses(&self) -> bool {
        self.is_ip() || matches!(self.ethertype, ethertype::ARP | ethertype::GOOSE)
    }
}

/// Counters of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub packets: u64,
    /// IP-layer bytes (`octetDeltaCount`): header and payload, without link layer; frame bytes for non-IP.
    pub bytes: u64,
    /// Transport payload bytes, by the lengths in the headers (a cut capture does not shrink them).
    pub payload_bytes: u64,
}

impl Counters {
    /// Adds another count to this one.
    pub fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.payload_bytes += other.payload_bytes;
    }

    /// The estimate of what passed when one packet of `sampling` was counted.
    #[must_use]
    pub fn scaled(self, sampling: u32) -> Self {
        let factor = u64::from(sampling.max(1));
        Self {
            packets: self.packets.saturating_mul(factor),
            bytes: self.bytes.saturating_mul(factor),
            payload_bytes: self.payload_bytes.saturating_mul(factor),
        }
    }
}

/// Which moment in the life of a flow a record tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// First packet seen. Sent only when somebody asked for start records; all counters are zero.
    Start,
    /// Active time-out: the flow goes on.
    Update,
    /// The flow is over.
    End,
}

/// Why a record was sent (IPFIX `flowEndReason`, element 136).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// 1: idle time-out.
    Idle,
    /// 2: active time-out.
    Active,
    /// 3: end of flow seen (FIN both ways, RST, or an answered one-packet exchange).
    Finished,
    /// 4: end of input or stop.
    Forced,
    /// 5: flow cache full.
    Resources,
}

impl EndReason {
    /// IPFIX code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Idle => 1,
            Self::Active => 2,
            Self::Finished => 3,
            Self::Forced => 4,
            Self::Resources => 5,
        }
    }
}

/// How the initiator was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InitiatorReason {
    /// Sent the SYN (or is the target of a SYN-ACK).
    Syn,
    /// ICMP request, DHCP client, ARP request ...: the protocol says so.
    Protocol,
    /// Has the higher port where the lower is a well-known or registered service port.
    Port,
    /// Sent the first packet seen.
    FirstPacket,
}

impl InitiatorReason {
    /// Word used in outputs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Syn => "syn",
            Self::Protocol => "protocol",
            Self::Port => "port",
            Self::FirstPacket => "first_packet",
        }
    }
}

/// Zeek's thirteen connection states; TCP by its flags, UDP and ICMP by whether both sides spoke (SF, S0, SHR).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConnState {
    S0,
    S1,
    SF,
    Rej,
    S2,
    S3,
    RstO,
    RstR,
    RstOS0,
    RstRH,
    Sh,
    ShR,
    #[default]
    Oth,
}

impl ConnState {
    /// Every state. Stores keep a state as its place in this list, so new ones go to the end.
    pub const ALL: &'static [Self] = &[
        Self::S0,
        Self::S1,
        Self::SF,
        Self::Rej,
        Self::S2,
        Self::S3,
        Self::RstO,
        Self::RstR,
        Self::RstOS0,
        Self::RstRH,
        Self::Sh,
        Self::ShR,
        Self::Oth,
    ];

    /// Zeek's spelling.
    pub const fn word(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::SF => "SF",
            Self::Rej => "REJ",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::RstO => "RSTO",
            Self::RstR => "RSTR",
            Self::RstOS0 => "RSTOS0",
            Self::RstRH => "RSTRH",
            Self::Sh => "SH",
            Self::ShR => "SHR",
            Self::Oth => "OTH",
        }
    }
}

/// Zeek history letters of one flow: upper case = initiator. Bounded; later letters are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    letters: [u8; History::LEN_MAX],
    len: u8,
}

impl History {
    /// Longest history kept; enough for every letter of both sides once plus logarithmic repeats.
    pub const LEN_MAX: usize = 23;

    /// Appends an ASCII letter; silently full at [`Self::LEN_MAX`].
    pub fn push(&mut self, letter: u8) {
        if let Some(slot) = self.letters.get_mut(usize::from(self.len)) {
            *slot = letter;
            self.len += 1;
        }
    }

    /// The letters so far.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..usize::from(self.len)]).unwrap_or_default()
    }
}

/// Log-in attempts the dissectors judged on this flow, by the protocol's own verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logins {
    pub refused: u16,
    pub accepted: u16,
}

impl Logins {
    /// Did the protocol speak a verdict on this flow at all?
    pub const fn any(self) -> bool {
        self.refused > 0 || self.accepted > 0
    }
}

/// A biflow record. `forward` is initiator to responder. "Reverse unknown" (`None`) is not "reverse zero": a meter that
/// sees both directions writes `Some` with zeros for an unanswered flow; a one-way export without counterpart is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRecord {
    /// Position in the pipeline's total order; shared with transactions and ticks.
    pub seq: u64,
    pub id: FlowId,
    pub key: FlowKey,
    pub phase: Phase,
    /// First packet of the whole flow.
    pub flow_start: Time,
    /// First and last packet of the interval this record covers.
    pub start: Time,
    pub end: Time,
    pub end_reason: EndReason,
    /// Deltas of this record's interval.
    pub forward: Counters,
    pub reverse: Option<Counters>,
    /// Whole flow so far.
    pub forward_total: Counters,
    pub reverse_total: Option<Counters>,
    /// Union of TCP flags of the whole flow so far, per direction (see [`tcp_flags`]).
    pub forward_flags: u16,
    pub reverse_flags: u16,
    /// Flags of the initiator's first packet: the shape of a probe.
    pub first_flags: u16,
    pub initiator_mac: Option<Mac>,
    pub responder_mac: Option<Mac>,
    /// TTL or hop limit of the first packet of each direction.
    pub forward_ttl: u8,
    pub reverse_ttl: u8,
    /// Type of service byte (DSCP and ECN) of the initiator's first packet.
    pub tos: u8,
    /// IP length and TCP window of the initiator's first SYN; zero when none was seen.
    pub syn_bytes: u16,
    pub syn_window: u16,
    /// ICMP type and code of the first packet.
    pub icmp: Option<(u8, u8)>,
    /// ICMP error (type, code) that came back for this flow: a refusal of UDP, a filtered TCP try.
    pub icmp_error: Option<(u8, u8)>,
    /// Largest ICMP payload seen in either direction, bytes.
    pub icmp_payload_max: u16,
    pub initiator_reason: InitiatorReason,
    pub conn_state: ConnState,
    pub history: History,
    /// Application protocol, and whether content (true) or the port alone (false) says so.
    pub protocol: Option<Protocol>,
    pub protocol_by_content: bool,
    pub logins: Logins,
    /// What was measured of its packets' times and sequence numbers. Behind a pointer: records move often, and are read for
    /// other things.
    pub performance: Option<Box<Performance>>,
    /// Is the endpoint in an inside network? Set by enrichment.
    pub initiator_inside: bool,
    pub responder_inside: bool,
    /// Where an outside endpoint is registered. Set by enrichment; nothing is known without a country database.
    pub initiator_place: Place,
    pub responder_place: Place,
    /// One packet of so many was counted; 1: every packet. Counters are raw, [`Counters::scaled`] estimates.
    pub sampling: u32,
    /// Who sent this record, when it was exported and not metered here.
    pub exporter: Option<IpAddr>,
    /// Another exporter told of the same flow before: methods pass this record over.
    pub duplicate: bool,
    /// What the exporter told in elements that no table names, raw: `e<enterprise>id<number>=<bytes in hexadecimal>`, a blank
    /// between two; what the responder's record told stands behind a semicolon. Almost always nothing, which costs no memory.
    pub unnamed: Option<Arc<String>>,
    /// Indicators of configured lists that name an end. Set by enrichment.
    pub sightings: Sightings,
}

impl FlowRecord {
    /// A record with nothing but its key and moment; producers fill in the rest.
    pub fn new(key: FlowKey, start: Time) -> Self {
        Self {
            seq: 0,
            id: FlowId::derive(&key, start),
            key,
            phase: Phase::End,
            flow_start: start,
            start,
            end: start,
            end_reason: EndReason::Idle,
            forward: Counters::default(),
            reverse: None,
            forward_total: Counters::default(),
            reverse_total: None,
            forward_flags: 0,
            reverse_flags: 0,
            first_flags: 0,
            initiator_mac: None,
            responder_mac: None,
            forward_ttl: 0,
            reverse_ttl: 0,
            tos: 0,
            syn_bytes: 0,
            syn_window: 0,
            icmp: None,
            icmp_error: None,
            icmp_payload_max: 0,
            initiator_reason: InitiatorReason::FirstPacket,
            conn_state: ConnState::default(),
            history: History::default(),
            protocol: None,
            protocol_by_content: false,
            logins: Logins::default(),
            performance: None,
            initiator_inside: false,
            responder_inside: false,
            initiator_place: Place::default(),
            responder_place: Place::default(),
            sampling: 1,
            exporter: None,
            duplicate: false,
            unnamed: None,
            sightings: None,
        }
    }

    /// Did the responder send anything? False also when the reverse direction is unknown.
    pub fn answered(&self) -> bool {
        self.reverse_total.is_some_and(|reverse| reverse.packets > 0)
    }

    /// TCP: did both sides complete the handshake (SYN answered by SYN-ACK)? Joined flows count by ACKs both ways.
    pub fn established(&self) -> bool {
        use tcp_flags::{ACK, SYN};
        let syn_both = self.forward_flags & SYN != 0 && self.reverse_flags & (SYN | ACK) == SYN | ACK;
        let joined = self.forward_flags & SYN == 0 && self.forward_flags & self.reverse_flags & ACK != 0;
        self.key.proto == proto::TCP && (syn_both && self.forward_flags & ACK != 0 || joined)
    }

    /// Seconds from first to last packet of the whole flow.
    pub fn duration_s(&self) -> f64 {
        self.end.secs_since(self.flow_start)
    }

    /// Reverse counters of the interval, zero when unknown.
    pub fn reverse_or_zero(&self) -> Counters {
        self.reverse.unwrap_or_default()
    }

    /// Reverse totals, zero when unknown.
    pub fn reverse_total_or_zero(&self) -> Counters {
        self.reverse_total.unwrap_or_default()
    }
}
