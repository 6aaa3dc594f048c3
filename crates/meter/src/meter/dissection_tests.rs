//! Metering with real dissectors: how packets carry a message must not change what is said about it.

use proptest::prelude::*;
use weir_model::{Mac, Protocol};
use weir_testkit::packets::{self, Frame, frame, hex};
use weir_wire::{LinkType, decode};

use super::*;

const REQUEST: &[u8] =
    b"GET /index.html HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: test/1.0\r\nAccept: */*\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello";

/// A query for www.example.org, type A.
const QUERY: &[u8] =
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03org\x00\x00\x01\x00\x01";

fn run(frames: &[Frame]) -> (Batch, Meter) {
    let mut meter = Meter::new(MeterConfig::default());
    let mut out = Batch::default();
    for frame in frames {
        let packet = decode(LinkType::Ethernet, &frame.bytes, frame.bytes.len() as u32);
        meter.packet(frame.time, &packet, &mut out);
    }
    meter.finish(&mut out);
    (out, meter)
}

/// One segment of a side's stream, which begins at sequence number 1 behind its SYN.
fn segment(ends: &str, data: &[u8], from: usize, to: usize, ack: usize) -> Frame {
    let (seq, bytes) = (from + 1, hex(&data[from..to]));
    frame(&format!("1 tcp {ends} PA seq={seq} ack={ack} hex={bytes}"))
}

/// An HTTP exchange whose request travels in these pieces, in this order.
fn exchange(pieces: &[(usize, usize)]) -> Vec<Frame> {
    let (out, back) = ("10.0.0.5:40000 > 10.0.0.9:80", "10.0.0.9:80 > 10.0.0.5:40000");
    let mut frames = packets::frames(&format!("0 tcp {out} S seq=0\n0 tcp {back} SA seq=0 ack=1"));
    frames.extend(
        pieces
            .iter()
            .map(|&(from, to)| segment(out, REQUEST, from, to, 1)),
    );
    frames.push(segment(back, RESPONSE, 0, RESPONSE.len(), REQUEST.len() + 1));
    frames
}

#[test]
fn too_many_half_requests_push_out_the_longest_silent_only() {
    const FLOODERS: u32 = 70_000;
    let exchange = exchange(&[(0, 20), (20, 40), (40, 60), (60, REQUEST.len())]);
    let mut flood = (0..FLOODERS).map(|number| {
        let [_, b, c, d] = number.to_be_bytes();
        let source = format!("10.{}.{c}.{d}:40000", b + 1);
        let data = hex(b"GET / HTTP/1.1\r\nHo");
        frame(&format!("0 tcp {source} > 10.0.0.9:80 PA seq=1 hex={data}"))
    });
    // The honest exchange goes on in the midst of the flood, a piece a second.
    let mut frames = Vec::new();
    for (second, piece) in (0..).zip(exchange) {
        let time = Time::from_secs(second);
        frames.push(Frame { time, ..piece });
        let flooders = flood.by_ref().take(FLOODERS as usize / 7 + 1);
        frames.extend(flooders.map(|frame| Frame { time, ..frame }));
    }
    let (out, meter) = run(&frames);
    assert_eq!(out.flows.len(), FLOODERS as usize + 1);
    let dropped = meter.anomalies().of(Anomaly::DissectionDropped);
    assert!((4_000..5_000).contains(&dropped), "{dropped}");
    let whole = out
        .transactions
        .iter()
        .filter(|one| one.outcome == weir_model::Outcome::Accepted);
    assert_eq!(whole.count(), 1, "{:?}", out.transactions.first());
}

#[test]
fn transactions_come_before_the_end_of_their_flow() {
    let (out, meter) = run(&exchange(&[(0, REQUEST.len())]));
    let ([transaction], [flow]) = (&out.transactions[..], &out.flows[..]) else {
        panic!("{out:?}")
    };
    assert_eq!((transaction.flow, transaction.key), (flow.id, flow.key));
    assert!(transaction.seq < flow.seq);
    assert_eq!(
        (flow.protocol, flow.protocol_by_content),
        (Some(Protocol::Http), true)
    );
    assert_eq!(meter.stats().transactions, 1);
}

#[test]
fn a_lost_segment_is_a_gap_and_not_the_end() {
    let (out, meter) = run(&exchange(&[(0, 10), (20, REQUEST.len())]));
    assert_eq!(meter.anomalies().of(Anomaly::StreamGap), 1);
    assert_eq!(out.flows[0].history.as_str(), "ShDdG");
}

#[test]
fn log_ins_are_counted_to_their_flow() {
    let (out, back) = ("10.0.0.5:40000 > 10.0.0.9:21", "10.0.0.9:21 > 10.0.0.5:40000");
    let mut frames = packets::frames(&format!("0 tcp {out} S seq=0\n0 tcp {back} SA seq=0 ack=1"));
    let (mut sent, mut answered) = (0, 0);
    for (from_server, text) in [
        (true, "220 ready\r\n"),
        (false, "USER kim\r\n"),
        (true, "331 password\r\n"),
        (false, "PASS wrong\r\n"),
        (true, "530 no\r\n"),
        (false, "USER kim\r\n"),
        (true, "331 password\r\n"),
        (false, "PASS right\r\n"),
        (true, "230 in\r\n"),
    ] {
        let (ends, seq, ack) = if from_server {
            (back, &mut answered, sent)
        } else {
            (out, &mut sent, answered)
        };
        let line = format!(
            "1 tcp {ends} PA seq={} ack={} hex={}",
            *seq + 1,
            ack + 1,
            hex(text.as_bytes())
        );
        *seq += text.len();
        frames.push(frame(&line));
    }
    let (batch, _) = run(&frames);
    let logins = batch.flows[0].logins;
    assert_eq!((logins.refused, logins.accepted), (1, 1));
}

#[test]
fn fragments_are_counted_and_put_together() {
    let whole = frame(&format!("0 udp 10.0.0.5:40000 > 10.0.0.9:53 hex={}", hex(QUERY)));
    let [first, second] = packets::fragments(&whole, 16);
    for frames in [vec![first.clone(), second.clone()], vec![second, first]] {
        let (out, _) = run(&frames);
        assert_eq!(out.transactions.len(), 1);
        assert_eq!(out.transactions[0].text("dns.query"), Some("www.example.org"));
        let packets: u64 = out.flows.iter().map(|flow| flow.forward.packets).sum();
        let payload: u64 = out.flows.iter().map(|flow| flow.forward.payload_bytes).sum();
        assert_eq!((packets, payload), (2, QUERY.len() as u64));
    }
}

#[test]
fn neighbours_and_arp_are_dissected_too() {
    let solicitation = [vec![0xfd], vec![0; 14], vec![9], vec![1, 1, 2, 0, 0, 0, 0, 5]].concat();
    let (out, _) = run(&packets::frames(&format!(
        "0 arp-request 10.0.0.5 > 10.0.0.9
         0 arp-reply 10.0.0.9 > 10.0.0.5
         0 icmp fd00::5 > ff02::1:ff00:9 135/0 hex={}",
        hex(&solicitation)
    )));
    let protocols: Vec<_> = out.flows.iter().map(|flow| flow.protocol).collect();
    assert!(
        protocols.contains(&Some(Protocol::Arp)) && protocols.contains(&Some(Protocol::Nd)),
        "{protocols:?}"
    );
    assert!(out.transactions.len() >= 2, "{:?}", out.transactions);
}

/// GOOSE has no addresses: the link-local ones that the hardware addresses stand for take their place.
#[test]
fn goose_is_dissected_by_its_ethertype() {
    let (device, group) = ([2, 0, 0, 0, 0, 5], [1, 0x0c, 0xcd, 1, 0, 1]);
    let message = [
        0x30, 1, 0, 18, 0, 0, 0, 0, 0x61, 8, 0x80, 3, b'a', b'/', b'b', 0x85, 1, 3,
    ];
    let frame = |kind: [u8; 2]| packets::Frame {
        time: Time::from_secs(1),
        bytes: [&group[..], &device, &kind, &message, &[0; 30]].concat(),
    };
    let (out, _) = run(&[frame([0x88, 0xb8]), frame([0x88, 0xb8]), frame([0x88, 0xba])]);
    let seen: Vec<_> = out
        .transactions
        .iter()
        .map(|one| {
            (
                one.key.initiator_ip,
                one.text("goose.reference"),
                one.number("goose.state"),
            )
        })
        .collect();
    let device = Mac(device).link_local();
    assert_eq!(seen, [(device, Some("a/b"), Some(3)); 2]);
    let flow = out
        .flows
        .iter()
        .find(|flow| flow.protocol == Some(Protocol::Goose))
        .unwrap();
    assert_eq!(
        (flow.key.responder_ip, flow.key.is_ip()),
        (Mac(group).link_local(), false)
    );
    assert_eq!(out.flows.len(), 2);
}

proptest! {
    #[test]
    fn cutting_and_reordering_do_not_change_the_transaction(
        cuts in prop::collection::vec(1..REQUEST.len(), 0..8),
        order in any::<prop::sample::Index>(),
        again in any::<prop::sample::Index>(),
    ) {
        let mut cuts = cuts;
        cuts.extend([0, REQUEST.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut pieces: Vec<(usize, usize)> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let len = pieces.len();
        pieces.rotate_left(order.index(len));
        pieces.insert(again.index(len), pieces[again.index(len)]);
        let (plain, _) = run(&exchange(&[(0, REQUEST.len())]));
        let (cut, meter) = run(&exchange(&pieces));
        let text = |batch: &Batch| batch.transactions.iter().map(|t| format!("{:?}", t.fields)).collect::<Vec<_>>();
        prop_assert_eq!(text(&plain), text(&cut));
        prop_assert_eq!(meter.anomalies().of(Anomaly::StreamGap), 0);
    }
}
