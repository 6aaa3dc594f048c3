//! A run of export datagrams through the collector, templates then data, with connections, silence and restarts between:
//! nothing panics, every limit holds, and every record taken comes out once.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use weir_collector::{Collector, Limits};
use weir_model::{NANOS_PER_S, Time};

const LIMITS: Limits = Limits {
    exporters: 4,
    held_bytes: 64 << 10,
};
/// What one message can add before room is made: the largest datagram parked, or the templates in it.
const SLACK_BYTES: usize = 2 << 20;

fuzz_target!(|data: &[u8]| {
    let mut collector = Collector::new(LIMITS);
    let (mut out, mut now) = (Vec::new(), Time::from_secs(1_790_000_000));
    let mut rest = data;
    let mut sequence = 0;
    while let [kind, who, length, behind @ ..] = rest {
        let (body, after) = behind.split_at(behind.len().min(usize::from(*length)));
        rest = after;
        let from = SocketAddr::from(([192, 0, 2, who & 7], u16::from(who >> 3 & 3)));
        sequence += 1;
        match kind % 10 {
            0 => collector.datagram(from, now, body, &mut out),
            1 => collector.datagram(from, now, &v9(sequence, 0, body), &mut out),
            2 => collector.datagram(from, now, &v9(sequence, 1, body), &mut out),
            3 => collector.datagram(from, now, &v9(sequence, 256 + u16::from(who >> 5), body), &mut out),
            4 => collector.stream_message(from, now, &ipfix(sequence, 2, body), &mut out),
            5 => collector.datagram(from, now, &ipfix(sequence, 3, body), &mut out),
            6 => collector.stream_message(from, now, &ipfix(sequence, 256 + u16::from(who >> 5), body), &mut out),
            7 => collector.end_stream(from),
            8 => {
                now = now + i64::from(*length) * i64::from(*length) * NANOS_PER_S;
                collector.advance(now, &mut out);
                collector.expire(now);
            }
            _ => {
                let mut after = Collector::new(LIMITS);
                after.restore(collector.save(), now);
                assert!(after.exporters().len() <= LIMITS.exporters);
            }
        }
        assert!(collector.exporters().len() <= LIMITS.exporters);
        assert!(collector.held_bytes() <= LIMITS.held_bytes + SLACK_BYTES);
    }
    collector.finish(&mut out);
    let (counts, pairing, stitching) = (collector.counts(), collector.pairing(), collector.stitching());
    assert_eq!(counts.records, 2 * pairing.pairs + pairing.biflows + pairing.lone);
    let made = pairing.pairs + pairing.biflows + pairing.lone;
    assert_eq!((counts.one_way + counts.two_way, out.len() as u64), (made, made + stitching.ends));
});

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = [id, body.len() as u16 + 4].map(u16::to_be_bytes).concat();
    bytes.extend(body);
    bytes
}

fn v9(sequence: u32, id: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = [9u16, 1].map(u16::to_be_bytes).concat();
    bytes.extend([3_600_000, 1_790_000_000, sequence, 0].map(u32::to_be_bytes).concat());
    bytes.extend(set(id, body));
    bytes
}

fn ipfix(sequence: u32, id: u16, body: &[u8]) -> Vec<u8> {
    let set = set(id, body);
    let mut bytes = [10u16, 16 + set.len() as u16].map(u16::to_be_bytes).concat();
    bytes.extend([1_790_000_000, sequence, 0].map(u32::to_be_bytes).concat());
    bytes.extend(set);
    bytes
}
