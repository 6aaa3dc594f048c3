//! TCP, UDP and SCTP headers (RFC 9293, RFC 768, RFC 9260), and ICMP by way of `icmp`.
//! Where a transport length and the IP length differ, the payload is what both allow.

use weir_model::{Anomaly, proto};

use super::extensions::Body;
use super::icmp;
use crate::packet::{L4, Tcp, Udp};

const TCP_BYTES_MIN: usize = 20;
const UDP_BYTES: usize = 8;
/// SCTP: ports, verification tag, checksum.
const SCTP_BYTES: usize = 12;

/// Decodes the transport header, unless `body` is a fragment behind the first.
#[inline]
pub(super) fn decode<'a>(body: &Body<'a>, anomaly: &mut Option<Anomaly>) -> L4<'a> {
    if body.fragment.is_some_and(|fragment| fragment.offset != 0) {
        return L4::Other;
    }
    let decoded = match body.proto {
        proto::TCP => tcp(body, anomaly),
        proto::UDP => udp(body, anomaly),
        proto::ICMP => icmp::decode(body, icmp::V4),
        proto::ICMP6 => icmp::decode(body, icmp::V6),
        proto::SCTP => sctp(body),
        _ => Some(L4::Other),
    };
    decoded.unwrap_or_else(|| {
        anomaly.get_or_insert(Anomaly::HeaderCut);
        L4::Other
    })
}

/// A data offset that points outside the segment leaves the ports valid, so only the payload is given up.
#[inline]
fn tcp<'a>(body: &Body<'a>, anomaly: &mut Option<Anomaly>) -> Option<L4<'a>> {
    let header = body.kept.first_chunk::<TCP_BYTES_MIN>()?;
    let header_bytes = usize::from(header[12] >> 4) * 4;
    let (payload_bytes, payload) = match body.wire_bytes.checked_sub(super::saturate(header_bytes)) {
        Some(payload_bytes) if header_bytes >= TCP_BYTES_MIN => match body.kept.get(header_bytes..) {
            Some(payload) => (payload_bytes, payload),
            None => {
                anomaly.get_or_insert(Anomaly::HeaderCut);
                (payload_bytes, &[][..])
            }
        },
        _ => {
            anomaly.get_or_insert(Anomaly::HeaderBad);
            (0, &[][..])
        }
    };
    Some(L4::Tcp(Tcp {
        src_port: u16::from_be_bytes([header[0], header[1]]),
        dst_port: u16::from_be_bytes([header[2], header[3]]),
        seq: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        ack: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: u16::from_be_bytes([header[12] & 0x0f, header[13]]),
        window: u16::from_be_bytes([header[14], header[15]]),
        payload_bytes,
        payload,
    }))
}

/// A length of 0 is an offloaded segment (or a jumbogram); one above the IP length is normal in a first
/// fragment only. Bytes behind a shorter length are UDP options (RFC 9868), not payload.
#[inline]
fn udp<'a>(body: &Body<'a>, anomaly: &mut Option<Anomaly>) -> Option<L4<'a>> {
    let (header, rest) = body.kept.split_first_chunk::<UDP_BYTES>()?;
    let available = body.wire_bytes.saturating_sub(super::saturate(UDP_BYTES));
    let claimed = u16::from_be_bytes([header[4], header[5]]);
    let payload_bytes = match u32::from(claimed).checked_sub(super::saturate(UDP_BYTES)) {
        Some(payload_bytes) if payload_bytes <= available => payload_bytes,
        Some(_) if body.fragment.is_some() => available,
        None if claimed == 0 => available,
        _ => {
            anomaly.get_or_insert(Anomaly::HeaderBad);
            available
        }
    };
    Some(L4::Udp(Udp {
        src_port: u16::from_be_bytes([header[0], header[1]]),
        dst_port: u16::from_be_bytes([header[2], header[3]]),
        payload_bytes,
        payload: rest.get(..payload_bytes as usize).unwrap_or(rest),
    }))
}

fn sctp<'a>(body: &Body<'a>) -> Option<L4<'a>> {
    let header = body.kept.first_chunk::<SCTP_BYTES>()?;
    Some(L4::Sctp {
        src_port: u16::from_be_bytes([header[0], header[1]]),
        dst_port: u16::from_be_bytes([header[2], header[3]]),
    })
}
