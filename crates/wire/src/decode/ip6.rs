//! IPv6 header (RFC 8200); the extension headers behind it are walked in `extensions`. Jumbograms (RFC 2675)
//! are not followed: their payload length of 0 counts as the frame rest, as for offloaded segments.

use std::net::{IpAddr, Ipv6Addr};

use weir_model::Anomaly;

use super::extensions::{Body, NO_NEXT_HEADER};
use super::{Frame, transport};
use crate::packet::{Ip, Net};

const HEADER_BYTES: usize = 40;

/// Decodes an IPv6 packet.
#[inline]
pub(super) fn decode<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return frame.give_up(Anomaly::HeaderCut, bytes);
    };
    if header[0] >> 4 != 6 {
        return frame.give_up(Anomaly::HeaderBad, bytes);
    }
    let wire_bytes = frame.wire_bytes(rest);
    let payload_bytes = match (u16::from_be_bytes([header[4], header[5]]), header[6]) {
        (0, NO_NEXT_HEADER) => 0,
        (0, _) => wire_bytes,
        (claimed, _) => u32::from(claimed),
    };
    if payload_bytes > wire_bytes {
        frame.note(Anomaly::PacketCut);
    }
    let body = Body {
        proto: header[6],
        wire_bytes: payload_bytes,
        kept: rest.get(..payload_bytes as usize).unwrap_or(rest),
        fragment: None,
    };
    let body = body.behind_ip6(&mut frame.packet.anomaly);
    frame.packet.net = Net::Ip(Ip {
        src: IpAddr::V6(address(header, 8)),
        dst: IpAddr::V6(address(header, 24)),
        proto: body.proto,
        ttl: header[7],
        tos: (header[0] << 4) | (header[1] >> 4),
        total_bytes: payload_bytes.saturating_add(super::saturate(HEADER_BYTES)),
        payload_bytes: body.wire_bytes,
        payload: body.kept,
        fragment: body.fragment,
        transport: transport::decode(&body, &mut frame.packet.anomaly),
    });
}

#[inline]
fn address(header: &[u8; HEADER_BYTES], at: usize) -> Ipv6Addr {
    let octets = header.get(at..).and_then(|from| from.first_chunk::<16>());
    Ipv6Addr::from(octets.copied().unwrap_or_default())
}
