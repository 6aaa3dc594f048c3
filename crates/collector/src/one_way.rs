//! A one-way record while it waits for its counterpart: what exporters tell of one direction, in half of the bytes of a
//! flow record, which is made once, when it is known what of.
//!
//! Addresses are numbers here. An `IpAddr` is written in one width and read in another, and a processor that has just
//! written it waits with the reading until everything written before has reached memory.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use weir_model::{
    Counters, EndReason, FlowId, FlowKey, FlowRecord, InitiatorReason, Mac, Performance, Phase, Time,
    ethertype, proto, tcp_flags,
};

use crate::{performance, record};

/// Ports from here on are chosen by clients; below are services (IANA's well-known and registered range is wider, but
/// clients of old systems start at 1024).
const CLIENT_PORT_MIN: u16 = 1_024;

/// What is known of one direction.
#[derive(Clone, Debug)]
pub(crate) struct OneWay {
    /// Who sent to whom; see [`number`].
    pub(crate) src: u128,
    pub(crate) dst: u128,
    /// Zero: not known.
    pub(crate) exporter: u128,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) proto: u8,
    pub(crate) ethertype: u16,
    pub(crate) vlan: Option<u16>,
    pub(crate) start: Time,
    pub(crate) end: Time,
    pub(crate) phase: Phase,
    pub(crate) end_reason: EndReason,
    pub(crate) counters: Counters,
    pub(crate) flags: u16,
    pub(crate) first_flags: u16,
    pub(crate) src_mac: Option<Mac>,
    pub(crate) dst_mac: Option<Mac>,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    /// What is said of the other direction without counting it.
    pub(crate) reverse_flags: u16,
    pub(crate) reverse_ttl: u8,
    pub(crate) icmp: Option<(u8, u8)>,
    pub(crate) sampling: u32,
    /// Elements without a name, as text.
    pub(crate) unnamed: Option<Arc<String>>,
    pub(crate) performance: Option<Box<Performance>>,
    /// The record it was taken from, when that says more than exporters do.
    pub(crate) whole: Option<Box<FlowRecord>>,
}

/// An address as a number, IPv4 as `::ffff:a.b.c.d`.
pub(crate) const fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => MAPPED | ip.to_bits() as u128,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The prefix of IPv4 in IPv6.
const MAPPED: u128 = 0xffff << 32;

/// The address of a number, where IPv6 traffic of mapped addresses stays IPv6.
const fn ip(number: u128, v4: bool) -> IpAddr {
    if v4 {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(number as u32))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(number))
    }
}

impl OneWay {
    /// What a record tells of its forward direction; it keeps what else it says.
    pub(crate) fn of(mut flow: FlowRecord) -> Self {
        Self {
            src: number(flow.key.initiator_ip),
            dst: number(flow.key.responder_ip),
            exporter: flow.exporter.map_or(0, number),
            src_port: flow.key.initiator_port,
            dst_port: flow.key.responder_port,
            proto: flow.key.proto,
            ethertype: flow.key.ethertype,
            vlan: flow.key.vlan,
            start: flow.start,
            end: flow.end,
            phase: flow.phase,
            end_reason: flow.end_reason,
            counters: flow.forward,
            flags: flow.forward_flags,
            first_flags: flow.first_flags,
            src_mac: flow.initiator_mac,
            dst_mac: flow.responder_mac,
            ttl: flow.forward_ttl,
            tos: flow.tos,
            reverse_flags: flow.reverse_flags,
            reverse_ttl: flow.reverse_ttl,
            icmp: flow.icmp,
            sampling: flow.sampling,
            unnamed: flow.unnamed.clone(),
            performance: flow.performance.take(),
            whole: Some(Box::new(flow)),
        }
    }

    /// Does it tell of the same flow, in the same direction, by the same exporter?
    pub(crate) const fn repeats(&self, other: &Self) -> bool {
        self.proto == other.proto
            && self.src_port == other.src_port
            && self.dst_port == other.dst_port
            && self.src == other.src
            && self.dst == other.dst
            && self.exporter == other.exporter
    }

    /// Does it tell of the same flow in the other direction, by the same exporter?
    pub(crate) const fn answers(&self, other: &Self) -> bool {
        self.proto == other.proto
            && self.src_port == other.dst_port
            && self.dst_port == other.src_port
            && self.src == other.dst
            && self.dst == other.src
            && self.exporter == other.exporter
    }

    /// Can there be a counterpart at all? What goes to a group, or to itself, and ICMP that asks nothing, has none.
    pub(crate) fn pairs(&self) -> bool {
        let group = match self.ethertype {
            ethertype::IPV4 => self.dst as u32 >> 28 == 0xe || self.dst as u32 == u32::MAX,
            _ => self.dst >> 120 == 0xff,
        };
        let one_way_icmp = matches!(self.proto, proto::ICMP | proto::ICMP6)
            && weir_model::community_id::icmp_counterpart(self.proto, self.src_port as u8).is_none();
        !group && !one_way_icmp && !self.answers(self)
    }

    fn key(&self) -> FlowKey {
        let v4 = self.ethertype == ethertype::IPV4;
        FlowKey {
            initiator_ip: ip(self.src, v4),
            responder_ip: ip(self.dst, v4),
            initiator_port: self.src_port,
            responder_port: self.dst_port,
            proto: self.proto,
            ethertype: self.ethertype,
            vlan: self.vlan,
        }
    }

    /// Moves it elsewhere; what stays says the same, but for what lies on the heap.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            unnamed: self.unnamed.take(),
            performance: self.performance.take(),
            whole: self.whole.take(),
            ..*self
        }
    }

    /// Appends the flow record, its reverse unknown and its connection state not judged yet. It is made where it stays:
    /// moving records about costs more than filling them.
    pub(crate) fn record<'a>(&mut self, out: &'a mut Vec<FlowRecord>) -> &'a mut FlowRecord {
        let whole = self.whole.take();
        let told = whole.is_none();
        out.push(match whole {
            None => FlowRecord::new(self.key(), self.start),
            Some(whole) => *whole,
        });
        let last = out.len() - 1;
        let flow = &mut out[last];
        if told {
            (flow.forward, flow.forward_total) = (self.counters, self.counters);
            (flow.forward_flags, flow.first_flags) = (self.flags, self.first_flags);
            (flow.reverse_flags, flow.reverse_ttl) = (self.reverse_flags, self.reverse_ttl);
            (flow.forward_ttl, flow.tos, flow.icmp) = (self.ttl, self.tos, self.icmp);
            flow.exporter = (self.exporter != 0).then(|| ip(self.exporter, self.exporter >> 32 == 0xffff));
        } else if self.start < flow.flow_start {
            flow.flow_start = self.start;
            flow.id = FlowId::derive(&flow.key, self.start);
        }
        (flow.start, flow.end) = (self.start, self.end);
        (flow.phase, flow.end_reason) = (self.phase, self.end_reason);
        (flow.initiator_mac, flow.responder_mac) = (self.src_mac, self.dst_mac);
        (flow.sampling, flow.unnamed) = (self.sampling, self.unnamed.take());
        flow.performance = self.performance.take();
        flow
    }

    /// Appends the flow record when no counterpart came. A lone answer from a service port is turned round, so that a server
    /// whose clients' packets went another way does not pass for one who calls them.
    pub(crate) fn lone(&mut self, out: &mut Vec<FlowRecord>) {
        let with_ports = matches!(self.proto, proto::TCP | proto::UDP);
        let opens =
            self.proto == proto::TCP && self.flags & (tcp_flags::SYN | tcp_flags::ACK) == tcp_flags::SYN;
        let answer = with_ports && !opens && from_server(self.src_port, self.dst_port);
        let flow = self.record(out);
        if answer {
            record::turn(flow);
            flow.initiator_reason = InitiatorReason::Port;
        }
        flow.conn_state = record::conn_state(flow);
    }

    /// Appends the biflow of two counterparts.
    pub(crate) fn join(&mut self, other: &mut Self, out: &mut Vec<FlowRecord>) {
        let (mine_begins, reason) = initiator(self, other);
        let (one, answer) = if mine_begins { (self, other) } else { (other, self) };
        answer.whole = None;
        one.start = one.start.min(answer.start);
        one.end = one.end.max(answer.end);
        one.src_mac = one.src_mac.or(answer.dst_mac);
        one.dst_mac = answer.src_mac.or(one.dst_mac);
        if answer.phase == Phase::Update {
            (one.phase, one.end_reason) = (Phase::Update, answer.end_reason);
        }
        one.sampling = one.sampling.max(answer.sampling);
        one.unnamed = both(one.unnamed.take(), answer.unnamed.take());
        one.performance = performance::joined(one.performance.take(), answer.performance.take());
        let flow = one.record(out);
        (flow.reverse, flow.reverse_total) = (Some(answer.counters), Some(answer.counters));
        (flow.reverse_flags, flow.reverse_ttl) = (answer.flags, answer.ttl);
        flow.initiator_reason = reason;
        flow.conn_state = record::conn_state(flow);
    }
}

/// What both directions told without names, the initiator's first.
fn both(one: Option<Arc<String>>, answer: Option<Arc<String>>) -> Option<Arc<String>> {
    match (one, answer) {
        (Some(one), Some(answer)) if one != answer => Some(Arc::new(format!("{one}; {answer}"))),
        (None, Some(answer)) => Some(Arc::new(format!("; {answer}"))),
        (one, _) => one,
    }
}

/// Do the ports say that `from` is the server's and `to` the client's?
const fn from_server(from: u16, to: u16) -> bool {
    from < CLIENT_PORT_MIN && to >= CLIENT_PORT_MIN
}

/// Did the first record's source begin, and how is that known: by SYN, by protocol, by time, by ports, in this order.
fn initiator(first: &OneWay, second: &OneWay) -> (bool, InitiatorReason) {
    let syn = |one: &OneWay| one.proto == proto::TCP && one.flags & tcp_flags::SYN != 0;
    if syn(first) != syn(second) {
        return (syn(first), InitiatorReason::Syn);
    }
    if matches!(first.proto, proto::ICMP | proto::ICMP6) {
        // Every pair of asking and answering types has the asker on an even IPv6 type, and on 8, 10, 13, 15 or 17.
        let asks = |one: &OneWay| {
            matches!(
                one.src_port,
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
    let (from, to) = (first.src_port, first.dst_port);
    if from == to {
        return (true, InitiatorReason::FirstPacket);
    }
    (from > to, InitiatorReason::Port)
}
