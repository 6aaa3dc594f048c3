//! The key of the flow cache: both directions of a biflow normalised to one value.
//! Smaller endpoint first, so a lookup needs no second try; [`FlowKey`] is made from it once direction is decided.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_model::community_id::icmp_counterpart;
use weir_model::{FlowKey, Mac, ethertype, proto};
use weir_wire::Arp;
use weir_wire::packet::{Icmp, Ip, L4, Packet, Quoted};

/// "No VLAN tag" in [`Key::vlan`]; a real id has 12 bits.
const VLAN_NONE: u16 = 0xffff;

/// Normalised flow key. Addresses are numbers; the EtherType says of which family (other frames: MAC addresses).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    low: u128,
    high: u128,
    low_port: u16,
    high_port: u16,
    vlan: u16,
    ethertype: u16,
    proto: u8,
    /// Not reordered: ICMP types without a counterpart, where the two directions are two flows (Community ID rule).
    one_way: bool,
}

/// A packet's key and which end of it sent the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) key: Key,
    pub(crate) sender_low: bool,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.low);
        state.write_u128(self.high);
        state.write_u64(
            u64::from(self.low_port) << 48
                | u64::from(self.high_port) << 32
                | u64::from(self.vlan) << 16
                | u64::from(self.ethertype),
        );
        state.write_u16(u16::from(self.proto) << 1 | u16::from(self.one_way));
    }
}

impl Key {
    /// The IP protocol number, 0 for frames that are not IP.
    pub(crate) const fn proto(&self) -> u8 {
        self.proto
    }

    /// The outward key, once it is known which end is the initiator.
    pub(crate) fn oriented(&self, initiator_low: bool) -> FlowKey {
        let (low, high) = (self.address(self.low), self.address(self.high));
        let (from, to, from_port, to_port) = if initiator_low {
            (low, high, self.low_port, self.high_port)
        } else {
            (high, low, self.high_port, self.low_port)
        };
        FlowKey {
            initiator_ip: from,
            responder_ip: to,
            initiator_port: from_port,
            responder_port: to_port,
            proto: self.proto,
            ethertype: self.ethertype,
            vlan: (self.vlan != VLAN_NONE).then_some(self.vlan),
        }
    }

    fn address(&self, number: u128) -> IpAddr {
        match self.ethertype {
            ethertype::IPV6 => IpAddr::V6(Ipv6Addr::from_bits(number)),
            ethertype::IPV4 | ethertype::ARP => IpAddr::V4(Ipv4Addr::from_bits(number as u32)),
            ethertype::GOOSE => mac_of(number).link_local(),
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }
}

impl Sighting {
    /// Key of an IP packet with these ports (for ICMP see [`icmp_ports`]).
    pub(crate) fn of_ip(ip: &Ip<'_>, vlan: Option<u16>, ports: (u16, u16), one_way: bool) -> Self {
        Self::between(
            (number(ip.src), ports.0),
            (number(ip.dst), ports.1),
            Key::blank(family(ip.src), vlan, ip.proto),
            one_way,
        )
    }

    /// Key of the flow a packet quoted in an ICMP error belongs to. Echo messages stand for quoted ICMP: errors
    /// are not sent about errors, and other requests are rare.
    pub(crate) fn of_quoted(quoted: &Quoted, vlan: Option<u16>) -> Self {
        let ports = match quoted.proto {
            proto::ICMP => (8, 0),
            proto::ICMP6 => (128, 129),
            _ => (quoted.src_port, quoted.dst_port),
        };
        Self::between(
            (number(quoted.src), ports.0),
            (number(quoted.dst), ports.1),
            Key::blank(family(quoted.src), vlan, quoted.proto),
            false,
        )
    }

    /// Key of an ARP frame.
    pub(crate) fn of_arp(arp: &Arp, vlan: Option<u16>) -> Self {
        Self::between(
            (u128::from(arp.sender_ip.to_bits()), 0),
            (u128::from(arp.target_ip.to_bits()), 0),
            Key::blank(ethertype::ARP, vlan, 0),
            false,
        )
    }

    /// Key of any other frame: its MAC addresses and EtherType.
    pub(crate) fn of_frame(packet: &Packet<'_>) -> Self {
        Self::between(
            (mac_number(packet.src_mac), 0),
            (mac_number(packet.dst_mac), 0),
            Key::blank(packet.ethertype, packet.vlan, 0),
            false,
        )
    }

    fn between(from: (u128, u16), to: (u128, u16), blank: Key, one_way: bool) -> Self {
        let sender_low = one_way || from <= to;
        let (low, high) = if sender_low { (from, to) } else { (to, from) };
        Self {
            key: Key {
                low: low.0,
                high: high.0,
                low_port: low.1,
                high_port: high.1,
                one_way,
                ..blank
            },
            sender_low,
        }
    }
}

impl Key {
    const fn blank(ethertype: u16, vlan: Option<u16>, proto: u8) -> Self {
        let vlan = match vlan {
            Some(vlan) => vlan,
            None => VLAN_NONE,
        };
        Self {
            low: 0,
            high: 0,
            low_port: 0,
            high_port: 0,
            vlan,
            ethertype,
            proto,
            one_way: false,
        }
    }
}

/// Ports of a packet's transport, (sender, receiver), and whether the flow is one-way.
pub(crate) fn ports(ip: &Ip<'_>) -> ((u16, u16), bool) {
    match &ip.transport {
        L4::Tcp(tcp) => ((tcp.src_port, tcp.dst_port), false),
        L4::Udp(udp) => ((udp.src_port, udp.dst_port), false),
        L4::Sctp { src_port, dst_port } => ((*src_port, *dst_port), false),
        L4::Icmp(icmp) => icmp_ports(ip.proto, icmp),
        L4::Other => ((0, 0), false),
    }
}

/// ICMP in place of ports: type and the type that answers it, or type and code of a one-way message.
fn icmp_ports(number: u8, icmp: &Icmp<'_>) -> ((u16, u16), bool) {
    match icmp_counterpart(number, icmp.kind) {
        Some(counterpart) => ((u16::from(icmp.kind), u16::from(counterpart)), false),
        None => ((u16::from(icmp.kind), u16::from(icmp.code)), true),
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn family(ip: IpAddr) -> u16 {
    match ip {
        IpAddr::V4(_) => ethertype::IPV4,
        IpAddr::V6(_) => ethertype::IPV6,
    }
}

fn mac_number(mac: Option<Mac>) -> u128 {
    let [a, b, c, d, e, f] = mac.unwrap_or_default().0;
    u128::from(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

fn mac_of(number: u128) -> Mac {
    let [_, _, a, b, c, d, e, f] = (number as u64).to_be_bytes();
    Mac([a, b, c, d, e, f])
}
