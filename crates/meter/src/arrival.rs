//! One packet as the flow cache sees it: its key, its lengths, and what it adds to its flow.
//! Reads headers only; payload is the business of dissection.

use weir_model::tcp_flags::{ACK, SYN};
use weir_model::{Mac, Time};
use weir_wire::Arp;
use weir_wire::packet::{Ip, L4, Net, Packet, Tcp};

use crate::flow::Flow;
use crate::initiator::{self, Verdict};
use crate::key::{self, Key, Sighting};

/// UDP and ICMP header bytes: a first fragment carries one of them, and its length field speaks of all fragments.
const SHORT_HEADER_BYTES: u32 = 8;
/// SCTP common header bytes (RFC 9260).
const SCTP_HEADER_BYTES: u32 = 12;

/// A packet on its way into the cache.
pub(crate) struct Arrival<'a> {
    pub(crate) time: Time,
    pub(crate) packet: &'a Packet<'a>,
    pub(crate) sighting: Sighting,
    /// IP-layer bytes, or frame bytes when it is not IP.
    bytes: u32,
    payload_bytes: u32,
}

impl<'a> Arrival<'a> {
    /// An IP packet; `sighting` is given because fragments learn theirs from elsewhere.
    pub(crate) fn of_ip(time: Time, packet: &'a Packet<'a>, ip: &Ip<'_>, sighting: Sighting) -> Self {
        let rest = |header| ip.payload_bytes.saturating_sub(header);
        let payload_bytes = match &ip.transport {
            L4::Tcp(tcp) => tcp.payload_bytes,
            L4::Udp(udp) => udp.payload_bytes.min(rest(SHORT_HEADER_BYTES)),
            L4::Icmp(icmp) => icmp.payload_bytes.min(rest(SHORT_HEADER_BYTES)),
            L4::Sctp { .. } => rest(SCTP_HEADER_BYTES),
            L4::Other => ip.payload_bytes,
        };
        Self {
            time,
            packet,
            sighting,
            bytes: ip.total_bytes,
            payload_bytes,
        }
    }

    /// An ARP frame, or another frame without IP.
    pub(crate) fn of_frame(time: Time, packet: &'a Packet<'a>, payload: &[u8]) -> Self {
        let sighting = match arp(packet) {
            Some(arp) => Sighting::of_arp(&arp, packet.vlan),
            None => Sighting::of_frame(packet),
        };
        Self {
            time,
            packet,
            sighting,
            bytes: packet.frame_bytes,
            payload_bytes: payload.len() as u32,
        }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.sighting.key
    }

    /// The TCP header, when the packet has one.
    pub(crate) fn tcp(&self) -> Option<&Tcp<'a>> {
        match &self.packet.net {
            Net::Ip(Ip {
                transport: L4::Tcp(tcp),
                ..
            }) => Some(tcp),
            _ => None,
        }
    }

    /// Who began the flow this packet is the first of.
    pub(crate) fn verdict(&self) -> Verdict {
        match &self.packet.net {
            Net::Ip(ip) => {
                let (ports, one_way) = key::ports(ip);
                initiator::of_ip(ip, ports, one_way)
            }
            Net::Arp(_) | Net::Other(_) => {
                arp(self.packet).map_or(initiator::FIRST_PACKET, |arp| initiator::of_arp(&arp))
            }
        }
    }

    /// Counts the packet and notes what its headers say.
    pub(crate) fn note(&self, flow: &mut Flow, side: usize) {
        if flow.totals[side].packets == 0 {
            self.note_first(flow, side);
        }
        let payload_before = flow.totals[side].payload_bytes;
        flow.count(side, self.time, self.bytes, self.payload_bytes);
        let Net::Ip(ip) = &self.packet.net else { return };
        match &ip.transport {
            L4::Tcp(tcp) => {
                flow.flags[side] |= tcp.flags;
                flow.tcp.segment(side, tcp, &mut flow.history);
                if side == 0 && tcp.flags & (SYN | ACK) == SYN && flow.syn_bytes == 0 {
                    flow.syn_bytes = u16::try_from(self.bytes).unwrap_or(u16::MAX);
                    flow.syn_window = tcp.window;
                }
            }
            L4::Udp(_) if payload_before == 0 && self.payload_bytes > 0 => {
                flow.history.push(if side == 0 { b'D' } else { b'd' });
            }
            L4::Icmp(_) => {
                let payload = u16::try_from(self.payload_bytes).unwrap_or(u16::MAX);
                flow.icmp_payload_max = flow.icmp_payload_max.max(payload);
            }
            _ => {}
        }
    }

    /// Values taken from the first packet of a side.
    fn note_first(&self, flow: &mut Flow, side: usize) {
        let first_of_flow = flow.totals[1 - side].packets == 0;
        flow.macs[side] = self.packet.src_mac;
        if first_of_flow {
            flow.macs[1 - side] = self.packet.dst_mac.filter(|mac: &Mac| !mac.is_group());
        }
        let Net::Ip(ip) = &self.packet.net else { return };
        flow.ttls[side] = ip.ttl;
        if side == 0 {
            flow.tos = ip.tos;
        }
        match &ip.transport {
            L4::Tcp(tcp) if side == 0 => flow.first_flags = tcp.flags,
            L4::Icmp(icmp) if first_of_flow => flow.icmp = Some((icmp.kind, icmp.code)),
            _ => {}
        }
    }
}

fn arp(packet: &Packet<'_>) -> Option<Arp> {
    match packet.net {
        Net::Arp(bytes) => Arp::parse(bytes),
        _ => None,
    }
}
