//! Templates that are lost, late, or change their meaning under the same id: data are read by the template that was in force
//! when they came, and never by another.

use std::net::SocketAddr;

use weir_collector::{Collector, Counts};
use weir_model::{FlowRecord, Time};

const START_S: i64 = 1_790_000_000;

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [words(&[id, body.len() as u16 + 4]), body.to_vec()].concat()
}

/// A template 256 of protocol and packets (three bytes), and the ends in the order given: 8 is the source.
fn template(ends: [u16; 2]) -> Vec<u8> {
    let fields = [256, 4, ends[0], 4, ends[1], 4, 4, 1, 2, 3];
    set(0, &words(&fields))
}

fn data(first: [u8; 4], second: [u8; 4]) -> Vec<u8> {
    set(256, &[&first[..], &second, &[17, 0, 0, 9]].concat())
}

/// Feeds sets, each in a message of its own.
fn feed(sets: &[Vec<u8>]) -> (Vec<FlowRecord>, Counts) {
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    for (sequence, set) in (0u32..).zip(sets) {
        let mut bytes = words(&[9, 1]);
        for word in [60_000, START_S as u32, sequence, 1] {
            bytes.extend(u32::to_be_bytes(word));
        }
        bytes.extend(set);
        let from = SocketAddr::from(([192, 0, 2, 1], 2_055));
        collector.datagram(from, Time::from_secs(START_S), &bytes, &mut out);
    }
    collector.finish(&mut out);
    (out, collector.counts())
}

/// Sources, in order.
fn sources(flows: &[FlowRecord]) -> Vec<String> {
    flows
        .iter()
        .map(|flow| flow.key.initiator_ip.to_string())
        .collect()
}

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [192, 0, 2, 9];
const C: [u8; 4] = [192, 0, 2, 7];

#[test]
fn a_change_of_meaning_is_counted_and_does_not_reach_back() {
    let (flows, counts) = feed(&[template([8, 12]), data(A, B), template([12, 8]), data(A, C)]);
    assert_eq!(sources(&flows), ["10.0.0.1", "192.0.2.7"]);
    assert_eq!((counts.templates, counts.templates_changed), (1, 1));
    assert_eq!((counts.records, counts.lost, counts.fault_count()), (2, 0, 0));
}

#[test]
fn the_same_template_again_changes_nothing() {
    let (flows, counts) = feed(&[template([8, 12]), data(A, B), template([8, 12]), data(A, C)]);
    assert_eq!(sources(&flows), ["10.0.0.1", "10.0.0.1"]);
    assert_eq!((counts.templates, counts.templates_changed), (1, 0));
}

#[test]
fn a_lost_template_delays_its_data_until_it_comes_again() {
    let (flows, counts) = feed(&[data(A, B), data(A, C), template([8, 12])]);
    assert_eq!(sources(&flows), ["10.0.0.1", "10.0.0.1"]);
    assert_eq!(
        (counts.sets_parked, counts.sets_replayed, counts.sets_dropped),
        (2, 2, 0)
    );
}
