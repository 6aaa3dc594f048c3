//! A run of IPv4 packets cut from any bytes through reassembly: limits hold, and what comes out decodes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_model::Time;
use weir_wire::fragments::{DATAGRAM_BYTES_MAX, DATAGRAMS_MAX, HELD_BYTES_MAX};
use weir_wire::packet::Net;
use weir_wire::{Fragments, LinkType, decode, decode_ip_payload};

fuzz_target!(|bytes: &[u8]| {
    let mut fragments = Fragments::new();
    let mut now = Time::from_secs(1);
    let mut rest = bytes;
    // Each packet: its length, tenths of seconds since the last, an identification, and its bytes from byte 6 on.
    while let [length, wait, id, tail @ ..] = rest {
        let (packet, behind) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = behind;
        now = now + i64::from(*wait) * 100_000_000;
        let total = (packet.len() + 6).to_be_bytes();
        let head = [0x45, 0, total[total.len() - 2], total[total.len() - 1], 0, id % 4];
        let frame = [&head, packet].concat();
        let decoded = decode(LinkType::Ipv4, &frame, frame.len() as u32);
        let Net::Ip(ip) = decoded.net else { continue };
        if let Some(whole) = fragments.push(now, decoded.vlan, &ip) {
            assert!(whole.len() <= DATAGRAM_BYTES_MAX as usize);
            let (joined, _) = decode_ip_payload(&ip, &whole);
            assert!(joined.payload.len() <= whole.len());
        }
        assert!(fragments.len() <= DATAGRAMS_MAX && fragments.held_bytes() <= HELD_BYTES_MAX);
    }
    fragments.finish();
    assert!(fragments.is_empty() && fragments.held_bytes() == 0);
});
