//! One packet as the flow cache sees it: its key, its lengths, and what it adds to its flow.
//! Reads headers only; payload is the business of dissection.

use weir_model::tcp_flags::{ACK, SYN};
use weir_model::{Mac, Time};
use weir_wire::Arp;
use weir_wire::packet::{Ip, L4, Net, Packet, Tcp};

use crate::flow::Flow;
use crate::initiator::{self, Verdict};
use crate::key::{self, Key, Sighting};
use crate::performance::Ways;

/// UDP and ICMP header bytes: a first fragment carries one of them, and its length field speaks of all fragments.
const SHORT_HEADER_BYTES: u32 = 8;
/// The UDP service whose response time is measured: it answers every datagram with one.
const DNS_PORT: u16 = 53;
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
        let before = flow.end;
        flow.count(side, self.time, self.bytes, self.payload_bytes);
        let Net::Ip(ip) = &self.packet.net else { return };
        if !matches!(ip.transport, L4::Tcp(_)) {
            pace(flow, side, before, self.time);
        }
        match &ip.transport {
            L4::Tcp(tcp) => self.note_tcp(flow, side, tcp),
            L4::Udp(udp) => {
                if payload_before == 0 && self.payload_bytes > 0 {
                    flow.history.push(if side == 0 { b'D' } else { b'd' });
                }
                if DNS_PORT == [udp.dst_port, udp.src_port][side] {
                    flow.exchanges.datagram(side, self.time);
                }
            }
            L4::Icmp(_) => {
                let payload = u16::try_from(self.payload_bytes).unwrap_or(u16::MAX);
                flow.icmp_payload_max = flow.icmp_payload_max.max(payload);
            }
            _ => {}
        }
    }

    fn note_tcp(&self, flow: &mut Flow, side: usize, tcp: &Tcp<'_>) {
        flow.flags[side] |= tcp.flags;
        let order = flow.tcp.segment(side, tcp, &mut flow.history);
        flow.exchanges.segment(side, self.time, tcp, order, &flow.tcp);
        if !order.is_plain() {
            let rtt_us = flow.exchanges.rtt_us();
            let ways = flow.ways.get_or_insert_default();
            ways.count(side, self.time, order, rtt_us);
        }
        if side == 0 && tcp.flags & (SYN | ACK) == SYN && flow.syn_bytes == 0 {
            flow.syn_bytes = u16::try_from(self.bytes).unwrap_or(u16::MAX);
            flow.syn_window = tcp.window;
        }
    }

    /// Values taken from the first packet of a side.
    fn note_first(&self, flow: &mut Flow, side: usize) {
        let first_of_flow = flow.totals[1 - side].packets == 0;
        flow.macs[side] = self.packet.src_mac;
        if first_of_flow {
            flow.first_side = side as u8;
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

/// Counts the packet's time, from the third packet of a flow on; what the first two said is made up for. The second came at
/// `before`. Not of TCP: there gaps are the sender's window and the program's pleasure, and following them would cost every
/// packet a tenth of its metering.
fn pace(flow: &mut Flow, side: usize, before: Time, time: Time) {
    if let Some(ways) = &mut flow.ways {
        ways.packet(side, time);
        return;
    }
    let [forward, reverse] = flow.totals.map(|sent| sent.packets);
    if forward + reverse < 3 {
        return;
    }
    let first = usize::from(flow.first_side);
    // Whose was the second? Of the first two, what the first one's side did not send.
    let mut sent = [forward, reverse];
    sent[side] -= 1;
    let second = if sent[first] == 2 { first } else { 1 - first };
    let mut ways = Ways::begun([(first, flow.flow_start), (second, before)]);
    ways.packet(side, time);
    flow.ways = Some(ways);
}

fn arp(packet: &Packet<'_>) -> Option<Arp> {
    match packet.net {
        Net::Arp(bytes) => Arp::parse(bytes),
        _ => None,
    }
}
