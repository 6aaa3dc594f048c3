//! PPP and PPPoE session headers (RFC 1661, RFC 1662, RFC 2516) and Cisco HDLC.
//! Links of access networks look like this; only IP and MPLS inside are followed.

use weir_model::{Anomaly, ethertype};

use super::Frame;
use super::tags::{MPLS, Next, PPPOE_SESSION, network};

/// EtherType of PPP itself, for control protocols.
const ETHERTYPE_PPP: u16 = 0x880b;
/// PPPoE bytes: version and type, code, session, length.
const PPPOE_BYTES: usize = 6;

/// A frame that begins with PPP or HDLC.
pub(super) fn link<'a>(frame: &mut Frame<'_, 'a>, rest: &'a [u8]) {
    if let Some((&[0x0f | 0x8f, 0x00, high, low], inner)) = rest.split_first_chunk() {
        return network(frame, u16::from_be_bytes([high, low]), inner);
    }
    frame.packet.ethertype = ETHERTYPE_PPP;
    if let Some((kind, inner)) = protocol(frame, rest) {
        network(frame, kind, inner);
    }
}

/// PPPoE session header; a code other than 0 is discovery.
pub(super) fn over_ethernet<'a>(frame: &mut Frame<'_, 'a>, rest: &'a [u8]) -> Next<'a> {
    frame.packet.ethertype = PPPOE_SESSION;
    let Some((&[version, code, _, _, high, low], inner)) = rest.split_first_chunk::<PPPOE_BYTES>() else {
        frame.give_up(Anomaly::HeaderCut, rest);
        return None;
    };
    if version != 0x11 {
        frame.give_up(Anomaly::HeaderBad, rest);
        return None;
    }
    if code != 0 {
        frame.other(rest);
        return None;
    }
    let inner = frame.limit(inner, usize::from(u16::from_be_bytes([high, low])));
    protocol(frame, inner)
}

/// PPP protocol number of one or two bytes, behind address and control bytes if they are there.
fn protocol<'a>(frame: &mut Frame<'_, 'a>, rest: &'a [u8]) -> Next<'a> {
    let numbered = match rest {
        [0xff, 0x03, behind @ ..] => behind,
        _ => rest,
    };
    let (number, inner) = match numbered {
        [low, inner @ ..] if low & 1 == 1 => (u16::from(*low), inner),
        [high, low, inner @ ..] => (u16::from_be_bytes([*high, *low]), inner),
        _ => {
            frame.give_up(Anomaly::HeaderCut, rest);
            return None;
        }
    };
    match number {
        0x0021 => Some((ethertype::IPV4, inner)),
        0x0057 => Some((ethertype::IPV6, inner)),
        0x0281 => Some((MPLS, inner)),
        _ => {
            frame.other(rest);
            None
        }
    }
}
