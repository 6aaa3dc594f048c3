//! Link headers other than IEEE 802.11: Ethernet, loopback, raw IP, Linux cooked capture.
//! Each one finds out the EtherType (or its equivalent) and hands the rest on.

use weir_model::{Anomaly, Mac, ethertype};

use super::tags::{ethernet_header, llc, network};
use super::{Frame, ip4, ip6, ppp, wifi};
use crate::link::LinkType;

/// ARPHRD_NETLINK: the protocol field holds a netlink family, not an EtherType.
const ARPHRD_NETLINK: u16 = 824;
/// Cooked capture's protocol value for IEEE 802.2 frames.
const SLL_LLC: u16 = 4;

/// Every link type but Ethernet, which the caller takes first.
pub(super) fn decode<'a>(frame: &mut Frame<'_, 'a>, link: LinkType, bytes: &'a [u8]) {
    match link {
        LinkType::Ethernet => ethernet(frame, bytes),
        LinkType::Null | LinkType::Loop => loopback(frame, bytes),
        LinkType::RawIp => raw_ip(frame, bytes),
        LinkType::Ipv4 => {
            frame.packet.ethertype = ethertype::IPV4;
            ip4::decode(frame, bytes);
        }
        LinkType::Ipv6 => {
            frame.packet.ethertype = ethertype::IPV6;
            ip6::decode(frame, bytes);
        }
        LinkType::LinuxSll => sll(frame, bytes),
        LinkType::LinuxSll2 => sll2(frame, bytes),
        LinkType::Ppp | LinkType::PppHdlc => ppp::link(frame, bytes),
        LinkType::PppEther => {
            if let Some((kind, rest)) = ppp::over_ethernet(frame, bytes) {
                network(frame, kind, rest);
            }
        }
        LinkType::Ieee80211 => wifi::ieee80211(frame, bytes, 0),
        LinkType::Radiotap => wifi::radiotap(frame, bytes),
        LinkType::Prism | LinkType::Avs => wifi::prism_or_avs(frame, bytes),
        LinkType::Unknown(_) => {}
    }
}

/// Ethernet II or IEEE 802.3.
#[inline]
pub(super) fn ethernet<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) {
    let Some(header) = ethernet_header(bytes) else {
        return frame.give_up(Anomaly::HeaderCut, bytes);
    };
    frame.packet.dst_mac = Some(header.dst);
    frame.packet.src_mac = Some(header.src);
    network(frame, header.kind, header.rest);
}

/// Address family in four bytes of either order: files do not say which machine wrote them.
fn loopback<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) {
    let Some((family, rest)) = bytes.split_first_chunk() else {
        return frame.give_up(Anomaly::HeaderCut, bytes);
    };
    match family {
        [0, 0, 0, 2] | [2, 0, 0, 0] => network(frame, ethertype::IPV4, rest),
        // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, and macOS.
        [0, 0, 0, 10 | 24 | 28 | 30] | [10 | 24 | 28 | 30, 0, 0, 0] => network(frame, ethertype::IPV6, rest),
        _ => frame.other(rest),
    }
}

fn raw_ip<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => network(frame, ethertype::IPV4, bytes),
        Some(6) => network(frame, ethertype::IPV6, bytes),
        Some(_) => frame.give_up(Anomaly::HeaderBad, bytes),
        None => frame.give_up(Anomaly::HeaderCut, bytes),
    }
}

/// Cooked capture: packet type, ARPHRD_ type, address length, address, protocol.
fn sll<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) {
    let Some((header, rest)) = bytes.split_first_chunk::<16>() else {
        return frame.give_up(Anomaly::HeaderCut, bytes);
    };
    let [
        _,
        _,
        type_high,
        type_low,
        length_high,
        length_low,
        a,
        b,
        c,
        d,
        e,
        f,
        _,
        _,
        high,
        low,
    ] = *header;
    if [length_high, length_low] == [0, 6] {
        frame.packet.src_mac = Some(Mac([a, b, c, d, e, f]));
    }
    let hardware = u16::from_be_bytes([type_high, type_low]);
    cooked(frame, hardware, u16::from_be_bytes([high, low]), rest);
}

/// Version 2: protocol, reserved, interface, ARPHRD_ type, packet type, address length, address.
fn sll2<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) {
    let Some((header, rest)) = bytes.split_first_chunk::<20>() else {
        return frame.give_up(Anomaly::HeaderCut, bytes);
    };
    let [
        high,
        low,
        _,
        _,
        _,
        _,
        _,
        _,
        type_high,
        type_low,
        _,
        length,
        a,
        b,
        c,
        d,
        e,
        f,
        _,
        _,
    ] = *header;
    if length == 6 {
        frame.packet.src_mac = Some(Mac([a, b, c, d, e, f]));
    }
    let hardware = u16::from_be_bytes([type_high, type_low]);
    cooked(frame, hardware, u16::from_be_bytes([high, low]), rest);
}

fn cooked<'a>(frame: &mut Frame<'_, 'a>, hardware: u16, kind: u16, rest: &'a [u8]) {
    frame.packet.ethertype = kind;
    if hardware == ARPHRD_NETLINK {
        return frame.other(rest);
    }
    match kind {
        SLL_LLC => {
            if let Some((kind, inner)) = llc(frame, rest) {
                network(frame, kind, inner);
            }
        }
        1536.. => network(frame, kind, rest),
        _ => frame.other(rest),
    }
}
