//! From an EtherType to the network header: VLAN tags, MPLS labels, PPPoE and LLC/SNAP in any order.
//! Tags and labels have separate caps per frame, which also bounds the loop over all of them.

use weir_model::{Anomaly, Mac, ethertype};

use super::{Frame, ip4, ip6, ppp};
use crate::packet::Net;

/// VLAN tags in one frame; two are common (802.1ad), four occur in provider test beds.
const VLAN_TAGS_MAX: usize = 4;
/// MPLS labels in one frame; segment routing stacks more than a tunnel does, hardware rarely above eight.
const MPLS_LABELS_MAX: usize = 8;

const VLAN: u16 = 0x8100;
const VLAN_SERVICE: u16 = 0x88a8;
const VLAN_OLD_QINQ: u16 = 0x9100;
pub(super) const MPLS: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
pub(super) const PPPOE_SESSION: u16 = 0x8864;
/// Largest IEEE 802.3 length; 1501 to 1535 are neither length nor EtherType.
const LENGTH_MAX: u16 = 1500;
const ETHERTYPE_MIN: u16 = 1536;

/// EtherType of the next header and the bytes from there; `None` when the frame is done.
pub(super) type Next<'a> = Option<(u16, &'a [u8])>;

/// Decodes what an EtherType (or an IEEE 802.3 length) announces.
#[inline]
pub(super) fn network<'a>(frame: &mut Frame<'_, 'a>, kind: u16, rest: &'a [u8]) {
    let (mut kind, mut rest) = (kind, rest);
    loop {
        frame.packet.ethertype = kind;
        let next = match kind {
            ethertype::IPV4 => return ip4::decode(frame, rest),
            ethertype::IPV6 => return ip6::decode(frame, rest),
            ethertype::ARP => {
                frame.packet.net = Net::Arp(rest);
                return;
            }
            VLAN | VLAN_SERVICE | VLAN_OLD_QINQ => vlan(frame, rest),
            MPLS | MPLS_MULTICAST => mpls(frame, rest),
            PPPOE_SESSION => ppp::over_ethernet(frame, rest),
            length @ ..=LENGTH_MAX => {
                let limited = frame.limit(rest, usize::from(length));
                llc(frame, limited)
            }
            ETHERTYPE_MIN.. => return frame.other(rest),
            _ => return frame.give_up(Anomaly::HeaderBad, rest),
        };
        match next {
            Some(inner) => (kind, rest) = inner,
            None => return,
        }
    }
}

/// IEEE 802.1Q tag. Id 0 is a priority without a VLAN, which would tell two directions of one flow apart.
fn vlan<'a>(frame: &mut Frame<'_, 'a>, rest: &'a [u8]) -> Next<'a> {
    frame.vlan_tags += 1;
    if frame.vlan_tags > VLAN_TAGS_MAX {
        frame.give_up(Anomaly::NestingDeep, rest);
        return None;
    }
    let Some((&[tag_high, tag_low, kind_high, kind_low], inner)) = rest.split_first_chunk() else {
        frame.give_up(Anomaly::HeaderCut, rest);
        return None;
    };
    let id = u16::from_be_bytes([tag_high, tag_low]) & 0x0fff;
    if id != 0 {
        frame.packet.vlan.get_or_insert(id);
    }
    Some((u16::from_be_bytes([kind_high, kind_low]), inner))
}

/// MPLS label stack (RFC 3032). Nothing names the payload: its first nibble is the customary guess (RFC
/// 4928).
fn mpls<'a>(frame: &mut Frame<'_, 'a>, rest: &'a [u8]) -> Next<'a> {
    let mut inner = rest;
    loop {
        frame.mpls_labels += 1;
        if frame.mpls_labels > MPLS_LABELS_MAX {
            frame.give_up(Anomaly::NestingDeep, inner);
            return None;
        }
        let Some((&[_, _, bottom, _], behind)) = inner.split_first_chunk() else {
            frame.give_up(Anomaly::HeaderCut, inner);
            return None;
        };
        inner = behind;
        if bottom & 1 == 1 {
            break;
        }
    }
    match inner.first().map(|first| first >> 4) {
        Some(4) => Some((ethertype::IPV4, inner)),
        Some(6) => Some((ethertype::IPV6, inner)),
        _ => pseudowire(frame, inner),
    }
}

/// Ethernet over MPLS (RFC 4448), with its optional control word; taken only when a known EtherType is where
/// it should be. The inner addresses replace the outer ones: they are those of the hosts.
fn pseudowire<'a>(frame: &mut Frame<'_, 'a>, rest: &'a [u8]) -> Next<'a> {
    let behind_control_word = match rest.split_first_chunk() {
        Some((&[0, 0, _, _], behind)) => known_ethernet(behind),
        _ => None,
    };
    let Some(header) = behind_control_word.or_else(|| known_ethernet(rest)) else {
        frame.other(rest);
        return None;
    };
    frame.packet.dst_mac = Some(header.dst);
    frame.packet.src_mac = Some(header.src);
    Some((header.kind, header.rest))
}

fn known_ethernet(bytes: &[u8]) -> Option<Ethernet<'_>> {
    ethernet_header(bytes).filter(|header| {
        matches!(
            header.kind,
            ethertype::IPV4 | ethertype::IPV6 | ethertype::ARP | VLAN | VLAN_SERVICE
        )
    })
}

/// An Ethernet header and what follows it.
pub(super) struct Ethernet<'a> {
    pub(super) dst: Mac,
    pub(super) src: Mac,
    /// EtherType, or length of an IEEE 802.3 frame.
    pub(super) kind: u16,
    pub(super) rest: &'a [u8],
}

/// Reads an Ethernet header; `None` when it is cut.
#[inline]
pub(super) fn ethernet_header(bytes: &[u8]) -> Option<Ethernet<'_>> {
    let (&[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, high, low], rest) = bytes.split_first_chunk()?;
    Some(Ethernet {
        dst: Mac([d0, d1, d2, d3, d4, d5]),
        src: Mac([s0, s1, s2, s3, s4, s5]),
        kind: u16::from_be_bytes([high, low]),
        rest,
    })
}

/// IEEE 802.2 LLC header, and the SNAP extension that carries an EtherType (RFC 1042).
pub(super) fn llc<'a>(frame: &mut Frame<'_, 'a>, rest: &'a [u8]) -> Next<'a> {
    if let Some((&[0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00 | 0xf8, high, low], inner)) = rest.split_first_chunk() {
        let kind = u16::from_be_bytes([high, low]);
        if kind >= ETHERTYPE_MIN {
            return Some((kind, inner));
        }
    }
    match rest.first() {
        Some(&dsap) => {
            frame.packet.ethertype = u16::from(dsap);
            frame.other(rest);
        }
        None => frame.give_up(Anomaly::HeaderCut, rest),
    }
    None
}
