//! IPv4 header with options (RFC 791). Addresses and protocol are kept even when options or the rest were
//! cut, so that the packet still counts for its flow.

use std::net::{IpAddr, Ipv4Addr};

use weir_model::Anomaly;

use super::extensions::Body;
use super::{Frame, transport};
use crate::packet::{Fragment, Ip, Net};

const HEADER_BYTES_MIN: usize = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

/// Decodes an IPv4 packet. A total length of 0 is what offloading network cards leave: the frame rest counts.
#[inline]
pub(super) fn decode<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES_MIN>() else {
        return frame.give_up(Anomaly::HeaderCut, bytes);
    };
    let header_bytes = usize::from(header[0] & 0x0f) * 4;
    let wire_bytes = frame.wire_bytes(bytes);
    let total_bytes = match u16::from_be_bytes([header[2], header[3]]) {
        0 => wire_bytes,
        claimed => u32::from(claimed),
    };
    let (total, version) = (total_bytes as usize, header[0] >> 4);
    if version != 4 || header_bytes < HEADER_BYTES_MIN || total < header_bytes {
        return frame.give_up(Anomaly::HeaderBad, bytes);
    }
    if total_bytes > wire_bytes {
        frame.note(Anomaly::PacketCut);
    }
    let kept = match bytes.get(header_bytes..total.min(bytes.len())) {
        Some(kept) => kept,
        None => {
            frame.note(Anomaly::HeaderCut);
            &[]
        }
    };
    let body = Body {
        proto: header[9],
        wire_bytes: total_bytes - super::saturate(header_bytes),
        kept,
        fragment: fragment(header),
    };
    let body = body.behind_ip4(&mut frame.packet.anomaly);
    frame.packet.net = Net::Ip(Ip {
        src: IpAddr::V4(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
        dst: IpAddr::V4(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
        proto: body.proto,
        ttl: header[8],
        tos: header[1],
        total_bytes,
        payload_bytes: body.wire_bytes,
        payload: body.kept,
        fragment: body.fragment,
        transport: transport::decode(&body, &mut frame.packet.anomaly),
    });
}

#[inline]
fn fragment(header: &[u8; HEADER_BYTES_MIN]) -> Option<Fragment> {
    let place = u16::from_be_bytes([header[6], header[7]]);
    (place & (MORE_FRAGMENTS | OFFSET_MASK) != 0).then(|| Fragment {
        id: u32::from(u16::from_be_bytes([header[4], header[5]])),
        offset: u32::from(place & OFFSET_MASK) * 8,
        more: place & MORE_FRAGMENTS != 0,
    })
}
