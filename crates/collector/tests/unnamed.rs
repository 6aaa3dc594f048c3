//! Elements that no table names: kept raw with the flow they came with, of both directions, and counted by name.

use std::net::SocketAddr;

use weir_collector::Collector;
use weir_model::{FlowRecord, Time};

/// Source, destination, ports, value.
type Told = ([u8; 4], [u8; 4], [u16; 2], u16);

/// An IPFIX message of template 256 (ends, ports, protocol, packets, an element of enterprise 4242) and these records.
fn message(records: &[Told]) -> Vec<u8> {
    let words = |words: &[u16]| {
        words
            .iter()
            .flat_map(|word| word.to_be_bytes())
            .collect::<Vec<u8>>()
    };
    let fields = [8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 2, 4, 0x8000 | 9, 2];
    let mut template = [words(&[256, 7]), words(&fields)].concat();
    template.extend(4_242_u32.to_be_bytes());
    let mut data = Vec::new();
    for (src, dst, ports, value) in records {
        data.extend([&src[..], dst].concat());
        data.extend(words(ports));
        data.extend([17, 0, 0, 0, 3]);
        data.extend(value.to_be_bytes());
    }
    let set = |id: u16, body: &[u8]| [words(&[id, body.len() as u16 + 4]), body.to_vec()].concat();
    let sets = [set(2, &template), set(256, &data)].concat();
    let mut bytes = words(&[10, sets.len() as u16 + 16]);
    for word in [1_790_000_000_u32, 0, 1] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(sets);
    bytes
}

fn flows(message: &[u8]) -> (Vec<FlowRecord>, Vec<(String, u64)>) {
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    let from = SocketAddr::from(([192, 0, 2, 1], 4_739));
    collector.datagram(from, Time::from_secs(1_790_000_000), message, &mut out);
    collector.finish(&mut out);
    assert_eq!(collector.counts().fault_count(), 0);
    (out, collector.unknown().named().collect())
}

#[test]
fn both_directions_keep_what_they_were_told() {
    let (here, there) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let (flows, unknown) = flows(&message(&[
        (here, there, [50_000, 53], 1),
        (there, here, [53, 50_000], 2),
        (here, there, [50_001, 123], 3),
    ]));
    let told: Vec<_> = flows
        .iter()
        .map(|flow| flow.unnamed.as_ref().map(|text| text.as_str()))
        .collect();
    assert_eq!(
        told,
        [Some("e4242id9=0001; e4242id9=0002"), Some("e4242id9=0003")]
    );
    assert_eq!(unknown, [("e4242id9".to_owned(), 3)]);
}
