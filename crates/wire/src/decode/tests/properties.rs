//! Properties of `decode`: no bytes break it, lengths stay consistent, and it agrees with etherparse.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;

/// Every slice lies inside the length its header claims.
fn assert_consistent(packet: &Packet<'_>, frame: &[u8]) {
    assert!(packet.frame_bytes as usize >= frame.len());
    let Net::Ip(ip) = packet.net else { return };
    assert!(ip.payload.len() <= ip.payload_bytes as usize, "{packet:?}");
    assert!(ip.payload_bytes <= ip.total_bytes, "{packet:?}");
    let (payload, payload_bytes) = match ip.transport {
        L4::Tcp(tcp) => (tcp.payload, tcp.payload_bytes),
        L4::Udp(udp) => (udp.payload, udp.payload_bytes),
        L4::Icmp(icmp) => (icmp.payload, icmp.payload_bytes),
        L4::Sctp { .. } | L4::Other => return,
    };
    assert!(payload.len() <= payload_bytes as usize, "{packet:?}");
    assert!(payload_bytes <= ip.payload_bytes, "{packet:?}");
}

fn decode_every_way(bytes: &[u8], frame_bytes: u32) {
    for &link in LinkType::KNOWN {
        assert_consistent(&decode(link, bytes, frame_bytes), bytes);
    }
    assert_consistent(&decode(LinkType::Unknown(147), bytes, frame_bytes), bytes);
}

/// A transport header with its payload over IPv4 or IPv6 over Ethernet, with or without a VLAN tag.
fn built() -> impl Strategy<Value = Vec<u8>> {
    let addresses = (any::<[u8; 4]>(), any::<[u8; 4]>(), any::<bool>());
    let ports = (any::<u16>(), any::<u16>(), 0u8..3);
    let payload = prop::collection::vec(any::<u8>(), 0..100);
    (addresses, ports, prop::option::of(0u16..4096), payload).prop_map(
        |((src, dst, version6), (src_port, dst_port, kind), vlan, payload)| {
            let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
            let wide = |ip: [u8; 4]| [[0xfd, 0, 0, 0], [0; 4], [0; 4], ip].concat().try_into().unwrap();
            let ip = match (vlan, version6) {
                (None, false) => link.ipv4(src, dst, 64),
                (None, true) => link.ipv6(wide(src), wide(dst), 64),
                (Some(id), false) => link.single_vlan(id.try_into().unwrap()).ipv4(src, dst, 64),
                (Some(id), true) => link
                    .single_vlan(id.try_into().unwrap())
                    .ipv6(wide(src), wide(dst), 64),
            };
            let mut bytes = Vec::new();
            match kind {
                0 => ip.udp(src_port, dst_port).write(&mut bytes, &payload),
                1 if version6 => ip.icmpv6_echo_request(src_port, 1).write(&mut bytes, &payload),
                1 => ip.icmpv4_echo_request(src_port, 1).write(&mut bytes, &payload),
                _ => ip
                    .tcp(src_port, dst_port, 1, 512)
                    .ack(9)
                    .psh()
                    .write(&mut bytes, &payload),
            }
            .unwrap();
            bytes
        },
    )
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), cut_bytes in 0u32..100) {
        decode_every_way(&bytes, bytes.len() as u32 + cut_bytes);
        decode_every_way(&bytes, cut_bytes);
        decode_every_way(&bytes, u32::MAX);
    }

    /// Random bytes rarely get past the first header: damage good packets instead.
    #[test]
    fn never_panics_on_damage(
        mut bytes in built(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        kept in any::<prop::sample::Index>(),
    ) {
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let frame_bytes = bytes.len() as u32;
        bytes.truncate(kept.index(bytes.len()) + 1);
        decode_every_way(&bytes, frame_bytes);
        decode_every_way(&bytes[14.min(bytes.len())..], frame_bytes);
    }

    #[test]
    fn agrees_with_etherparse(bytes in built()) {
        let oracle = SlicedPacket::from_ethernet(&bytes).unwrap();
        let packet = decode_whole(LinkType::Ethernet, &bytes);
        prop_assert_eq!(packet.anomaly, None);
        let oracle_vlan = oracle.vlan_ids().first().map(|id| id.value()).filter(|&id| id != 0);
        prop_assert_eq!(packet.vlan, oracle_vlan);
        let Net::Ip(ip) = packet.net else { panic!("{packet:?}") };
        match oracle.net.unwrap() {
            NetSlice::Ipv4(oracle) => {
                prop_assert_eq!(ip.src, oracle.header().source_addr());
                prop_assert_eq!(ip.dst, oracle.header().destination_addr());
                prop_assert_eq!(ip.total_bytes, u32::from(oracle.header().total_len()));
                prop_assert_eq!(ip.payload, oracle.payload().payload);
            }
            NetSlice::Ipv6(oracle) => {
                prop_assert_eq!(ip.src, oracle.header().source_addr());
                prop_assert_eq!(ip.dst, oracle.header().destination_addr());
                prop_assert_eq!(ip.payload_bytes, u32::from(oracle.header().payload_length()));
                prop_assert_eq!(ip.payload, oracle.payload().payload);
            }
            other => panic!("{other:?}"),
        }
        match (ip.transport, oracle.transport.unwrap()) {
            (L4::Tcp(tcp), TransportSlice::Tcp(oracle)) => {
                prop_assert_eq!(tcp.src_port, oracle.source_port());
                prop_assert_eq!(tcp.dst_port, oracle.destination_port());
                prop_assert_eq!((tcp.seq, tcp.ack), (oracle.sequence_number(), oracle.acknowledgment_number()));
                prop_assert_eq!((tcp.window, tcp.flags), (oracle.window_size(), 0x18));
                prop_assert_eq!(tcp.payload, oracle.payload());
            }
            (L4::Udp(udp), TransportSlice::Udp(oracle)) => {
                prop_assert_eq!(udp.src_port, oracle.source_port());
                prop_assert_eq!(udp.dst_port, oracle.destination_port());
                prop_assert_eq!(udp.payload, oracle.payload());
            }
            (L4::Icmp(icmp), TransportSlice::Icmpv4(oracle)) => {
                prop_assert_eq!((icmp.kind, icmp.code), (oracle.type_u8(), oracle.code_u8()));
            }
            (L4::Icmp(icmp), TransportSlice::Icmpv6(oracle)) => {
                prop_assert_eq!((icmp.kind, icmp.code), (oracle.type_u8(), oracle.code_u8()));
            }
            (ours, theirs) => panic!("{ours:?} is not {theirs:?}"),
        }
    }
}
