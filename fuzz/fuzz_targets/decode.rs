//! Any bytes as a frame of every link type: no panic, and no slice longer than its header says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_wire::packet::{L4, Net};
use weir_wire::{Arp, LinkType, decode};

fuzz_target!(|frame: &[u8]| {
    let frame_bytes = frame.len() as u32;
    for &link in LinkType::KNOWN {
        for frame_bytes in [frame_bytes, frame_bytes + 1_000, u32::MAX] {
            let packet = decode(link, frame, frame_bytes);
            assert!(packet.frame_bytes >= frame_bytes);
            let ip = match packet.net {
                Net::Ip(ip) => ip,
                Net::Arp(bytes) => {
                    let _ = Arp::parse(bytes);
                    continue;
                }
                Net::Other(_) => continue,
            };
            assert!(ip.payload.len() <= ip.payload_bytes as usize);
            assert!(ip.payload_bytes <= ip.total_bytes);
            match ip.transport {
                L4::Tcp(tcp) => assert!(tcp.payload.len() <= tcp.payload_bytes as usize),
                L4::Udp(udp) => assert!(udp.payload.len() <= udp.payload_bytes as usize),
                L4::Icmp(icmp) => assert!(icmp.payload.len() <= icmp.payload_bytes as usize),
                L4::Sctp { .. } | L4::Other => {}
            }
        }
    }
});
