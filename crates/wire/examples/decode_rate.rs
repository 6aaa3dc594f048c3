//! How fast `decode` is: plain Ethernet, IPv4 and TCP packets from cache, in million packets per second.
//! Run with `cargo run --release -p weir-wire --example decode_rate`; the floor is 20.

#![allow(clippy::print_stdout, reason = "a measurement prints its result")]

use std::hint::black_box;
use std::time::Instant;

use weir_wire::packet::{L4, Net};
use weir_wire::{LinkType, decode};

/// Enough different packets that branches are not learned by heart, few enough for the first-level cache.
const PACKETS: u32 = 256;
const ROUNDS: u32 = 200_000;

fn frame(number: u32) -> Vec<u8> {
    let [_, _, high, low] = number.to_be_bytes();
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    bytes.extend([
        0x45, 0, 0, 60, high, low, 0x40, 0, 64, 6, 0, 0, 10, 0, high, low, 10, 0, 0, 2,
    ]);
    bytes.extend([
        high, low, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0, 0, 0, 0, 0,
    ]);
    bytes.extend([0; 20]);
    bytes
}

fn main() {
    let frames: Vec<Vec<u8>> = (0..PACKETS).map(frame).collect();
    let mut payload_bytes: u64 = 0;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for frame in &frames {
            let packet = decode(LinkType::Ethernet, black_box(frame), 74);
            if let Net::Ip(ip) = &black_box(&packet).net
                && let L4::Tcp(tcp) = &ip.transport
            {
                payload_bytes += u64::from(tcp.payload_bytes);
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let packets = f64::from(PACKETS) * f64::from(ROUNDS);
    println!(
        "{:.1} M packets/s, {payload_bytes} payload bytes",
        packets / seconds / 1e6
    );
}
