//! One captured frame to one `Packet`: link header, tags, IP headers, transport header, in one pass without
//! allocation. It never fails: what cannot be read becomes `Net::Other` or `L4::Other`, and `anomaly` names
//! the first thing wrong.
//!
//! A payload that ends early because the capture cut the frame (snap length) is no anomaly: lengths come from
//! the headers and slices hold what there is. `HeaderCut` means that headers are missing, `PacketCut` that
//! the frame was too short on the wire already for the IP packet it claims to carry.

mod extensions;
mod icmp;
mod ip4;
mod ip6;
mod link;
mod ppp;
mod tags;
mod transport;
mod wifi;

#[cfg(test)]
mod tests;

use weir_model::Anomaly;

use crate::link::LinkType;
use crate::packet::{Ip, Net, Packet};
use extensions::Body;

/// Decodes one frame. `frame_bytes` is its length on the wire; `frame` holds what the capture kept of it.
///
/// Frames of an unknown link type become `Net::Other` without an anomaly: whoever opened the source counts
/// them.
#[inline]
pub fn decode<'a>(link: LinkType, frame: &'a [u8], frame_bytes: u32) -> Packet<'a> {
    let kept_bytes = saturate(frame.len());
    let mut packet = Packet {
        src_mac: None,
        dst_mac: None,
        vlan: None,
        ethertype: 0,
        frame_bytes: frame_bytes.max(kept_bytes),
        net: Net::Other(frame),
        anomaly: None,
    };
    let cut_bytes = frame_bytes.saturating_sub(kept_bytes);
    let mut walk = Frame {
        packet: &mut packet,
        cut_bytes,
        vlan_tags: 0,
        mpls_labels: 0,
    };
    match link {
        LinkType::Ethernet => link::ethernet(&mut walk, frame),
        other => link::decode(&mut walk, other, frame),
    }
    packet
}

/// The datagram that `payload`, put together from fragments, makes with the header values of one of them.
///
/// Extension headers that lay in the fragmented part are passed over here. The second value is what was
/// wrong.
pub fn decode_ip_payload<'a>(ip: &Ip<'_>, payload: &'a [u8]) -> (Ip<'a>, Option<Anomaly>) {
    let payload_bytes = saturate(payload.len());
    let header_bytes = ip.total_bytes.saturating_sub(ip.payload_bytes);
    let mut anomaly = None;
    let body = Body {
        proto: ip.proto,
        wire_bytes: payload_bytes,
        kept: payload,
        fragment: None,
    };
    let body = if ip.src.is_ipv6() {
        body.behind_ip6(&mut anomaly)
    } else {
        body.behind_ip4(&mut anomaly)
    };
    let whole = Ip {
        src: ip.src,
        dst: ip.dst,
        proto: body.proto,
        ttl: ip.ttl,
        tos: ip.tos,
        total_bytes: header_bytes.saturating_add(payload_bytes),
        payload_bytes: body.wire_bytes,
        payload: body.kept,
        fragment: body.fragment,
        transport: transport::decode(&body, &mut anomaly),
    };
    (whole, anomaly)
}

/// A frame on its way through the layers. Each layer reads its header and hands the rest to the next.
struct Frame<'p, 'a> {
    packet: &'p mut Packet<'a>,
    /// Bytes at the end of the frame that the capture did not keep.
    cut_bytes: u32,
    /// VLAN tags passed so far.
    vlan_tags: usize,
    /// MPLS labels passed so far.
    mpls_labels: usize,
}

impl<'a> Frame<'_, 'a> {
    /// Length on the wire of the rest of the frame, of which `rest` is what the capture kept.
    #[inline]
    fn wire_bytes(&self, rest: &[u8]) -> u32 {
        saturate(rest.len()).saturating_add(self.cut_bytes)
    }

    /// Ends the frame at a length from a header, so that padding and checksums behind it do not count.
    fn limit(&mut self, rest: &'a [u8], wire_bytes: usize) -> &'a [u8] {
        if let Some(limited) = rest.get(..wire_bytes) {
            self.cut_bytes = 0;
            limited
        } else {
            self.cut_bytes = self
                .cut_bytes
                .min(saturate(wire_bytes.saturating_sub(rest.len())));
            rest
        }
    }

    /// Notes an anomaly unless one was found before.
    fn note(&mut self, anomaly: Anomaly) {
        self.packet.anomaly.get_or_insert(anomaly);
    }

    /// Ends decoding with a payload that is not IP or ARP.
    fn other(&mut self, rest: &'a [u8]) {
        self.packet.net = Net::Other(rest);
    }

    /// Ends decoding at headers that cannot be read.
    #[cold]
    fn give_up(&mut self, anomaly: Anomaly, rest: &'a [u8]) {
        self.note(anomaly);
        self.other(rest);
    }
}

/// A length as 32 bits; no frame comes near the bound.
#[inline]
pub(crate) fn saturate(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
