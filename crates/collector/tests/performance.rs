//! What other exporters tell of network performance comes in the units and sides of our own records.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use weir_collector::Collector;
use weir_model::{FlowRecord, Measured, Time};

/// An element, by enterprise and number, and its value.
type Said = (u32, u16, u32);

const FLOWMON: u32 = 39_499;
const NTOP: u32 = 35_632;
const CISCO: u32 = 9;
const YAF: u32 = 6_871;

/// Ten packets from client to server, or back; a SYN was among them.
fn way(back: bool, proto: u32) -> Vec<Said> {
    let (client, server) = ((0x0a00_0005, 40_000), (0x0a00_0009, 443));
    let ((from, from_port), (to, to_port)) = if back { (server, client) } else { (client, server) };
    vec![
        (0, 8, from),
        (0, 12, to),
        (0, 7, from_port),
        (0, 11, to_port),
        (0, 4, proto),
        (0, 2, 10),
        (0, 1, 1_000),
        (0, 6, if back { 0x12 } else { 2 }),
    ]
}

/// One IPFIX message with these records, each with a template of its own; all elements are four bytes wide.
fn message(records: &[Vec<Said>]) -> Vec<u8> {
    let mut sets = Vec::new();
    for (id, record) in (256_u16..).zip(records) {
        let (mut fields, mut values) = (Vec::new(), Vec::new());
        for (pen, element, value) in record {
            let enterprise = if *pen == 0 { 0 } else { 0x8000 };
            fields.extend((element | enterprise).to_be_bytes());
            fields.extend(4_u16.to_be_bytes());
            if *pen != 0 {
                fields.extend(pen.to_be_bytes());
            }
            values.extend(value.to_be_bytes());
        }
        let head = [2, 8 + fields.len() as u16, id, record.len() as u16];
        sets.extend(head.iter().flat_map(|word| word.to_be_bytes()));
        sets.extend(fields);
        let head = [id, 4 + values.len() as u16];
        sets.extend(head.iter().flat_map(|word| word.to_be_bytes()));
        sets.extend(values);
    }
    let mut message = Vec::new();
    message.extend(10_u16.to_be_bytes());
    message.extend((16 + sets.len() as u16).to_be_bytes());
    message.extend(1_700_000_000_u32.to_be_bytes());
    message.extend([0; 8]);
    message.extend(sets);
    message
}

fn collected(records: &[Vec<Said>]) -> FlowRecord {
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    let exporter = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4739);
    collector.datagram(
        exporter,
        Time::from_secs(1_700_000_000),
        &message(records),
        &mut out,
    );
    collector.finish(&mut out);
    assert_eq!(collector.counts().faults().count(), 0);
    assert_eq!(out.len(), 1, "{out:?}");
    out.remove(0)
}

fn with(mut record: Vec<Said>, more: &[Said]) -> Vec<Said> {
    record.extend(more);
    record
}

/// Round trip, of the client, of the server; response time, least, greatest, how many; sent again and overtaken, each way.
fn figures(flow: &FlowRecord) -> [Option<u32>; 11] {
    let told = flow.performance.as_deref().copied().unwrap_or_default();
    [
        told.rtt_us,
        told.rtt_client_us,
        told.rtt_server_us,
        told.srt_us,
        told.srt_min_us,
        told.srt_max_us,
        told.srt_count,
        told.forward.retransmitted,
        told.reverse.retransmitted,
        told.forward.out_of_order,
        told.reverse.out_of_order,
    ]
    .map(Measured::get)
}

#[test]
fn flowmon_tells_each_direction_in_microseconds() {
    let there = with(
        way(false, 6),
        &[
            (FLOWMON, 69, 30_309),
            (FLOWMON, 70, 0),
            (FLOWMON, 71, 2),
            (FLOWMON, 72, 0),
        ],
    );
    let back = with(
        way(true, 6),
        &[
            (FLOWMON, 69, 0),
            (FLOWMON, 70, 89_557),
            (FLOWMON, 71, 0),
            (FLOWMON, 72, 1),
            (FLOWMON, 62, 40),
        ],
    );
    for records in [[there.clone(), back.clone()], [back, there]] {
        let flow = collected(&records);
        let n = None;
        assert_eq!(
            figures(&flow),
            [
                Some(30_309),
                n,
                n,
                Some(89_557),
                n,
                n,
                n,
                Some(2),
                Some(0),
                Some(0),
                Some(1)
            ]
        );
        let told = flow.performance.unwrap();
        assert_eq!(
            (flow.key.responder_port, told.reverse.jitter.avg_us.get()),
            (443, Some(40))
        );
        assert_eq!(told.forward.jitter.avg_us.get(), None);
    }
}

#[test]
fn nprobe_tells_half_round_trips_in_milliseconds() {
    let biflow = [
        (0, 299, 4),
        (NTOP, 123, 5),
        (NTOP, 124, 20),
        (NTOP, 125, 7),
        (NTOP, 109, 1),
        (NTOP, 110, 2),
        (NTOP, 111, 3),
        (NTOP, 112, 4),
    ];
    let n = None;
    assert_eq!(
        figures(&collected(&[with(way(false, 6), &biflow)])),
        [
            Some(50_000),
            Some(10_000),
            Some(40_000),
            Some(7_000),
            n,
            n,
            n,
            Some(1),
            Some(2),
            Some(3),
            Some(4)
        ]
    );
    // UDP numbers nothing, and has no handshake.
    let udp = figures(&collected(&[with(way(false, 17), &biflow)]));
    assert_eq!(udp, [n, n, n, Some(7_000), n, n, n, n, n, n, n]);
}

#[test]
fn cisco_tells_sums_over_responses_and_connections() {
    let flow = collected(&[with(
        way(false, 6),
        &[
            (0, 299, 4),
            (0, 278, 2),
            (CISCO, 9_313, 60),
            (CISCO, 9_316, 20),
            (CISCO, 9_319, 40),
            (CISCO, 9_292, 4),
            (CISCO, 9_306, 100),
            (CISCO, 9_307, 70),
            (CISCO, 9_308, 1),
            (CISCO, 9_268, 3),
            (CISCO, 9_270, 0),
        ],
    )]);
    assert_eq!(
        figures(&flow),
        [
            Some(30_000),
            Some(10_000),
            Some(20_000),
            Some(25_000),
            Some(1_000),
            Some(70_000),
            Some(4),
            Some(3),
            Some(0),
            None,
            None
        ]
    );
}

#[test]
fn yaf_tells_the_time_to_the_first_answer() {
    let told = [(0, 299, 4), (YAF, 21, 12)];
    let flow = collected(&[with(way(false, 6), &told)]);
    assert_eq!(figures(&flow)[..3], [None, None, Some(12_000)]);
    assert_eq!(collected(&[with(way(false, 17), &told)]).performance, None);
}

#[test]
fn who_tells_nothing_has_nothing() {
    assert_eq!(collected(&[way(false, 6), way(true, 6)]).performance, None);
}
