//! Community ID version 1: one text that names a flow in every tool
//! (<https://github.com/corelight/community-id-spec>). Own code because the crate of that name is GPL.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::{FlowKey, proto};

const ICMP_PAIRS: [(u8, u8); 10] = [
    (8, 0),
    (0, 8),
    (13, 14),
    (14, 13),
    (15, 16),
    (16, 15),
    (17, 18),
    (18, 17),
    (10, 9),
    (9, 10),
];
const ICMP6_PAIRS: [(u8, u8); 12] = [
    (128, 129),
    (129, 128),
    (133, 134),
    (134, 133),
    (135, 136),
    (136, 135),
    (130, 131),
    (131, 130),
    (139, 140),
    (140, 139),
    (144, 145),
    (145, 144),
];

/// The ICMP type that answers `kind`, for the two-way types of ICMP and ICMPv6.
pub fn icmp_counterpart(number: u8, kind: u8) -> Option<u8> {
    let pairs: &[(u8, u8)] = if number == proto::ICMP6 {
        &ICMP6_PAIRS
    } else {
        &ICMP_PAIRS
    };
    pairs
        .iter()
        .find(|(this, _)| *this == kind)
        .map(|(_, other)| *other)
}

/// Community ID of a flow; `None` for frames that are not IP.
pub fn of(key: &FlowKey, seed: u16) -> Option<String> {
    if !key.is_ip() {
        return None;
    }
    let icmp = matches!(key.proto, proto::ICMP | proto::ICMP6);
    let with_ports = icmp || matches!(key.proto, proto::TCP | proto::UDP | proto::SCTP);
    let one_way = icmp && icmp_counterpart(key.proto, key.initiator_port as u8).is_none();
    let mut from = (octets(key.initiator_ip), key.initiator_port);
    let mut to = (octets(key.responder_ip), key.responder_port);
    if !one_way && (&to.0, to.1) < (&from.0, from.1) {
        std::mem::swap(&mut from, &mut to);
    }
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    hash.update(&from.0);
    hash.update(&to.0);
    hash.update([key.proto, 0]);
    if with_ports {
        hash.update(from.1.to_be_bytes());
        hash.update(to.1.to_be_bytes());
    }
    Some(format!("1:{}", STANDARD.encode(hash.finalize())))
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethertype;

    fn id(from: (&str, u16), to: (&str, u16), number: u8) -> String {
        let key = FlowKey {
            initiator_ip: from.0.parse().unwrap(),
            responder_ip: to.0.parse().unwrap(),
            initiator_port: from.1,
            responder_port: to.1,
            proto: number,
            ethertype: ethertype::IPV4,
            vlan: None,
        };
        of(&key, 0).unwrap()
    }

    #[test]
    fn published_vectors() {
        assert_eq!(
            id(("192.168.1.52", 54585), ("8.8.8.8", 53), 17),
            "1:d/FP5EW3wiY1vCndhwleRRKHowQ="
        );
        assert_eq!(
            id(("192.168.0.89", 8), ("192.168.0.1", 0), 1),
            "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="
        );
        assert_eq!(
            id(("10.1.12.1", 0), ("10.1.12.2", 0), 46),
            "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="
        );
    }

    #[test]
    fn both_directions_agree() {
        assert_eq!(
            id(("8.8.8.8", 53), ("192.168.1.52", 54585), 17),
            id(("192.168.1.52", 54585), ("8.8.8.8", 53), 17)
        );
    }
}
