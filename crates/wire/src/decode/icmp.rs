//! ICMP and ICMPv6 headers (RFC 792, RFC 4443) and the packet that an error quotes.
//! The quote ties "unreachable" and "time exceeded" to the flow that caused them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_model::proto;

use super::extensions::Body;
use crate::packet::{Icmp, L4, Quoted};

const HEADER_BYTES: usize = 8;

/// Message types that differ between the two protocols.
pub(super) struct Kinds {
    /// Echo request and reply, which carry an identifier.
    echo: [u8; 2],
    /// Errors, which quote a packet.
    errors: &'static [u8],
}

/// RFC 792: unreachable, source quench, redirect, time exceeded, parameter problem.
pub(super) const V4: Kinds = Kinds {
    echo: [8, 0],
    errors: &[3, 4, 5, 11, 12],
};
/// RFC 4443: unreachable, packet too big, time exceeded, parameter problem.
pub(super) const V6: Kinds = Kinds {
    echo: [128, 129],
    errors: &[1, 2, 3, 4],
};

pub(super) fn decode<'a>(body: &Body<'a>, kinds: Kinds) -> Option<L4<'a>> {
    let (&[kind, code, _, _, id_high, id_low, _, _], payload) =
        body.kept.split_first_chunk::<HEADER_BYTES>()?;
    let id = if kinds.echo.contains(&kind) {
        u16::from_be_bytes([id_high, id_low])
    } else {
        0
    };
    Some(L4::Icmp(Icmp {
        kind,
        code,
        id,
        payload_bytes: body.wire_bytes.saturating_sub(super::saturate(HEADER_BYTES)),
        payload,
        quoted: if kinds.errors.contains(&kind) {
            quoted(payload)
        } else {
            None
        },
    }))
}

/// The quoted packet; `None` when its addresses are not all there. Errors may quote as little as 8 bytes
/// behind them.
fn quoted(bytes: &[u8]) -> Option<Quoted> {
    let (src, dst, body) = match bytes.first()? >> 4 {
        4 => {
            let header = bytes.first_chunk::<20>()?;
            let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
            let behind = bytes.get(usize::from(header[0] & 0x0f) * 4..).unwrap_or_default();
            let first = u16::from_be_bytes([header[6], header[7]]) & 0x1fff == 0;
            let body = quoted_body(header[9], if first { behind } else { &[] });
            let body = body.behind_ip4(&mut None);
            (
                IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
                IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
                body,
            )
        }
        6 => {
            let (header, behind) = bytes.split_first_chunk::<40>()?;
            let (src, dst) = header.split_at(24);
            let src = Ipv6Addr::from(*src.last_chunk::<16>()?);
            let dst = Ipv6Addr::from(*dst.first_chunk::<16>()?);
            let mut body = quoted_body(header[6], behind).behind_ip6(&mut None);
            if body.fragment.is_some_and(|fragment| fragment.offset != 0) {
                body.kept = &[];
            }
            (IpAddr::V6(src), IpAddr::V6(dst), body)
        }
        _ => return None,
    };
    let (src_port, dst_port) = ports(&body).unwrap_or((0, 0));
    Some(Quoted {
        src,
        dst,
        proto: body.proto,
        src_port,
        dst_port,
    })
}

fn quoted_body(proto: u8, kept: &[u8]) -> Body<'_> {
    Body {
        proto,
        wire_bytes: super::saturate(kept.len()),
        kept,
        fragment: None,
    }
}

fn ports(body: &Body<'_>) -> Option<(u16, u16)> {
    let &[a, b, c, d] = body.kept.first_chunk()?;
    matches!(body.proto, proto::TCP | proto::UDP | proto::SCTP)
        .then_some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}
