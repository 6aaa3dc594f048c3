//! Shapes of probes: which flows look like a knock at a door, and whether somebody opened.

use std::net::IpAddr;

use weir_model::tcp_flags::{ACK, CWR, ECE, FIN, RST, SYN, XMAS};
use weir_model::{Counters, FlowRecord, ethertype, proto};

use crate::address::is_group;

/// Packets of an unanswered UDP flow above which it is a stream nobody answers (syslog, media), not a probe.
const UDP_PROBE_PACKETS_MAX: u64 = 3;
/// Ports that traceroute counts through on purpose, one a probe.
const TRACEROUTE_PORTS: std::ops::RangeInclusive<u16> = 33_434..=33_689;
/// Packets of one side of a connection in which nothing was said, and bytes of IP a packet (header with options).
const HOLLOW_PACKETS_MAX: u64 = 4;
const HOLLOW_PACKET_BYTES_MAX: u64 = 64;
/// A QUIC client fills its first packets to at least this (RFC 9000, section 14.1); a firewall that drops QUIC makes
/// every browser look like a scanner of udp/443 otherwise.
const QUIC_INITIAL_BYTES_MIN: u64 = 1200;

/// Shape of a probe; its number is the role of the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Syn,
    Fin,
    Null,
    Xmas,
    Ack,
    Udp,
    Arp,
    Ping,
    Protocol,
    /// Any flag combination that no system sends: counted by kind, for fingerprinting.
    Odd,
}

impl Shape {
    pub(super) const ALL: [Self; 10] = [
        Self::Syn,
        Self::Fin,
        Self::Null,
        Self::Xmas,
        Self::Ack,
        Self::Udp,
        Self::Arp,
        Self::Ping,
        Self::Protocol,
        Self::Odd,
    ];

    /// Do ordinary hosts fail like this now and then, so that one failure is nothing to tell of?
    pub(super) const fn is_everyday(self) -> bool {
        matches!(
            self,
            Self::Syn | Self::Udp | Self::Ping | Self::Arp | Self::Protocol
        )
    }

    /// Name of the submethod that reports it.
    pub(super) const fn submethod(self) -> &'static str {
        match self {
            Self::Syn => "TCPSYN",
            Self::Fin => "TCPFIN",
            Self::Null => "TCPNull",
            Self::Xmas => "TCPXmas",
            Self::Ack => "TCPACK",
            Self::Udp => "UDP",
            Self::Arp => "ARP",
            Self::Ping => "PingSweep",
            Self::Protocol => "IPProtocol",
            Self::Odd => "Fingerprint",
        }
    }

    /// Words for people.
    pub(super) const fn protocol(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Arp => "ARP",
            Self::Ping => "ICMP",
            Self::Protocol => "IP",
            _ => "TCP",
        }
    }

    /// IP protocol number of its flows from this source; none for ARP and when the number is what is scanned.
    pub(super) const fn proto(self, source: IpAddr) -> Option<u8> {
        match self {
            Self::Udp => Some(proto::UDP),
            Self::Ping if source.is_ipv4() => Some(proto::ICMP),
            Self::Ping => Some(proto::ICMP6),
            Self::Arp | Self::Protocol => None,
            _ => Some(proto::TCP),
        }
    }
}

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Silence or refusal.
    Failed,
    /// Somebody is there: a handshake, an answer.
    Answered,
    /// A handshake was answered, and then nobody said anything.
    Opened,
}

impl Fate {
    const fn answered(yes: bool) -> Self {
        if yes { Self::Answered } else { Self::Failed }
    }
}

/// The flow as a probe (or as a success of the same kind, which speaks against scanning); `None` for everything else.
/// Only the side that began counts, by its own first packet: answers to forged addresses (backscatter) have no shape.
pub(super) fn of(flow: &FlowRecord) -> Option<(Shape, Fate)> {
    let key = &flow.key;
    if flow.forward_total.packets == 0 || is_group(key.responder_ip) {
        return None;
    }
    if flow.reverse_total.is_none() {
        return one_way(flow);
    }
    if key.ethertype == ethertype::ARP {
        let real = key.initiator_ip != key.responder_ip && !key.initiator_ip.is_unspecified();
        return real.then_some((Shape::Arp, Fate::answered(flow.answered())));
    }
    if !key.is_ip() {
        return None;
    }
    match key.proto {
        proto::TCP => tcp(flow),
        proto::UDP => udp(flow),
        proto::ICMP => matches!(flow.icmp, Some((8 | 13 | 15 | 17, _))).then(|| ping(flow)),
        proto::ICMP6 => matches!(flow.icmp, Some((128, _))).then(|| ping(flow)),
        _ => Some((Shape::Protocol, Fate::answered(flow.answered()))),
    }
}

/// A record whose other direction nobody told of: whether it was answered is not known, but a TCP side that never sent
/// more than its SYN was either not answered, or refused, or never meant to say anything. One packet of many (sampling)
/// tells none of that.
fn one_way(flow: &FlowRecord) -> Option<(Shape, Fate)> {
    let alone = flow.forward_flags & !(ECE | CWR) == SYN;
    (flow.key.is_ip() && flow.key.proto == proto::TCP && alone && flow.sampling <= 1)
        .then_some((Shape::Syn, Fate::Failed))
}

fn ping(flow: &FlowRecord) -> (Shape, Fate) {
    (Shape::Ping, Fate::answered(flow.answered()))
}

fn tcp(flow: &FlowRecord) -> Option<(Shape, Fate)> {
    let forward = flow.forward_flags & !(ECE | CWR);
    let first = first_flags(flow);
    if odd(first).is_some() {
        let shape = match forward {
            FIN => Shape::Fin,
            XMAS => Shape::Xmas,
            0 => Shape::Null,
            _ => Shape::Odd,
        };
        // Without any flags an answer is one; with flags, what comes back to such a packet is a refusal.
        let answered = shape == Shape::Null && flow.reverse_flags == 0 && flow.answered();
        return Some((shape, Fate::answered(answered)));
    }
    if first & (SYN | ACK) == SYN {
        let opened = forward & ACK != 0 || flow.reverse_flags & (SYN | ACK) == SYN | ACK;
        let fate = if opened && hollow(flow.forward_total) && hollow(flow.reverse_total_or_zero()) {
            Fate::Opened
        } else {
            Fate::answered(opened)
        };
        return Some((Shape::Syn, fate));
    }
    let bare_ack = forward == ACK && flow.forward_total.payload_bytes == 0 && flow.forward_total.packets <= 2;
    bare_ack.then(|| {
        let kept = flow.answered() && flow.reverse_flags & RST == 0;
        (Shape::Ack, Fate::answered(kept))
    })
}

/// Did one side of a connection open and close it, and no more? By sizes, so that plain flow records serve.
const fn hollow(sent: Counters) -> bool {
    sent.packets <= HOLLOW_PACKETS_MAX && sent.bytes <= HOLLOW_PACKET_BYTES_MAX * sent.packets
}

/// A conversation by TCP of which only the initiator's half was seen: nobody acknowledges what was not answered. Then the
/// answers to other probes of this host are not seen either.
pub(super) fn half_seen(flow: &FlowRecord) -> bool {
    flow.key.proto == proto::TCP
        && first_flags(flow) & (SYN | ACK) == SYN
        && flow.forward_flags & ACK != 0
        && flow.forward_total.packets > HOLLOW_PACKETS_MAX
        && flow.reverse_total.is_some_and(|reverse| reverse.packets == 0)
}

/// Flags of the initiator's first packet; exporters that give only the union are taken to begin with a SYN if there is one.
pub(super) const fn first_flags(flow: &FlowRecord) -> u16 {
    match flow.first_flags {
        0 if flow.forward_flags & SYN != 0 => SYN,
        0 => flow.forward_flags,
        known => known,
    }
}

/// Which impossible combination the flags of a first packet are, as one bit; `None` for possible ones.
pub(super) fn odd(first_flags: u16) -> Option<u8> {
    match first_flags & !(ECE | CWR) {
        0 => Some(1),
        XMAS => Some(2),
        FIN => Some(4),
        flags if flags & (SYN | FIN) == SYN | FIN => Some(8),
        flags if flags & (SYN | RST) == SYN | RST => Some(16),
        _ => None,
    }
}

fn udp(flow: &FlowRecord) -> Option<(Shape, Fate)> {
    if flow.answered() {
        return Some((Shape::Udp, Fate::Answered));
    }
    let sent = flow.forward_total;
    let expired = match flow.icmp_error {
        Some((kind, _)) => kind == if flow.key.responder_ip.is_ipv4() { 11 } else { 3 },
        None => false,
    };
    let quic = flow.key.responder_port == 443 && sent.bytes / sent.packets.max(1) >= QUIC_INITIAL_BYTES_MIN;
    let stream = sent.packets > UDP_PROBE_PACKETS_MAX && flow.icmp_error.is_none();
    let probe = !expired && !quic && !stream && !TRACEROUTE_PORTS.contains(&flow.key.responder_port);
    probe.then_some((Shape::Udp, Fate::Failed))
}
