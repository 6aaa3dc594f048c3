//! Network performance at the meter's boundary: packet notation in, figures of the records out.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use weir_model::{Batch, FlowRecord, Measured, Spread, Time, WayPerformance, tcp_flags};
use weir_testkit::packets::{Frame, frames};
use weir_wire::packet::Tcp;
use weir_wire::{LinkType, decode};

use super::{Exchanges, Ways, coarse, told};
use crate::tcp::{Order, TcpConn};
use crate::{Meter, MeterConfig};

fn run(frames: &[Frame]) -> Vec<FlowRecord> {
    let mut meter = Meter::new(MeterConfig::default());
    let mut out = Batch::default();
    for frame in frames {
        let packet = decode(LinkType::Ethernet, &frame.bytes, frame.bytes.len() as u32);
        meter.packet(frame.time, &packet, &mut out);
    }
    meter.finish(&mut out);
    out.flows
}

fn number(measured: Measured) -> String {
    measured
        .get()
        .map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn numbers(measured: &[Measured]) -> String {
    let all: Vec<String> = measured.iter().map(|one| number(*one)).collect();
    all.join("/")
}

fn spread(of: &Spread) -> String {
    numbers(&[of.min_us, of.avg_us, of.max_us, of.dev_us])
}

/// `rtt total/client/server srt mean/min/max/count`, then per direction `sent again/overtaken`.
fn line(record: &FlowRecord) -> String {
    let Some(told) = &record.performance else {
        return "nothing\n".to_owned();
    };
    let way = |way: &WayPerformance| numbers(&[way.retransmitted, way.out_of_order]);
    format!(
        "rtt {} srt {} > {} < {}\n",
        numbers(&[told.rtt_us, told.rtt_client_us, told.rtt_server_us]),
        numbers(&[told.srt_us, told.srt_min_us, told.srt_max_us, told.srt_count]),
        way(&told.forward),
        way(&told.reverse)
    )
}

fn check(text: &str, expect: Expect) {
    let lines: String = run(&frames(text)).iter().map(line).collect();
    expect.assert_eq(&lines);
}

/// Segments of one connection: `o` (initiator) or `r`, the time, and the rest of the notation.
fn notation(segments: &str) -> String {
    segments
        .split(',')
        .map(|segment| {
            let (time, rest) = segment.trim().split_once(' ').unwrap();
            let (side, rest) = rest.split_once(' ').unwrap();
            let ends = if side == "o" {
                "10.0.0.5:4000 > 10.0.0.9:4001"
            } else {
                "10.0.0.9:4001 > 10.0.0.5:4000"
            };
            format!("{time} tcp {ends} {rest}\n")
        })
        .collect()
}

fn check_tcp(segments: &str, expect: Expect) {
    check(&notation(segments), expect);
}

const HANDSHAKE: &str = "0 o S seq=1, 0.030 r SA seq=7 ack=2, 0.032 o A seq=2 ack=8";

#[test]
fn the_handshake_tells_both_round_trips() {
    check_tcp(
        HANDSHAKE,
        expect![[r#"
        rtt 32000/2000/30000 srt -/-/-/- > 0/0 < 0/0
    "#]],
    );
    // Data may come with the ACK, or in its place.
    check_tcp(
        "0 o S seq=1, 0.03 r SA seq=7 ack=2, 0.04 o PA seq=2 ack=8 len=9, 0.09 r PA seq=8 ack=11 len=4",
        expect![[r#"
            rtt 40000/10000/30000 srt 20000/20000/20000/1 > 0/0 < 0/0
        "#]],
    );
}

#[test]
fn a_flow_without_its_beginning_has_no_round_trip() {
    check_tcp(
        "0 o PA seq=2 ack=8 len=9, 0.1 r PA seq=8 ack=11 len=4, 0.2 o A seq=11 ack=12",
        expect![[r#"
            rtt -/-/- srt -/-/-/- > 0/0 < 0/0
        "#]],
    );
    // One direction alone, either of them.
    check_tcp(
        "0 o S seq=1, 0.03 o A seq=2 ack=8, 0.1 o PA seq=2 ack=8 len=9",
        expect![[r#"
        rtt -/-/- srt -/-/-/- > 0/0 < -/-
    "#]],
    );
    check_tcp(
        "0.03 r SA seq=7 ack=2, 0.1 r PA seq=8 ack=11 len=4",
        expect![[r#"
        rtt -/-/- srt -/-/-/- > -/- < 0/0
    "#]],
    );
    // From the SYN-ACK on: the way to the initiator is known.
    check_tcp(
        "0.03 r SA seq=7 ack=2, 0.04 o A seq=2 ack=8",
        expect![[r#"
        rtt -/10000/- srt -/-/-/- > 0/0 < 0/0
    "#]],
    );
    // A single packet tells nothing.
    check_tcp(
        "0 o S seq=1",
        expect![[r#"
        nothing
    "#]],
    );
    // A SYN-ACK to another SYN is no answer to this one.
    check_tcp(
        "0 o S seq=1, 0.03 r SA seq=7 ack=99, 0.04 o A seq=2 ack=8",
        expect![[r#"
        rtt -/-/- srt -/-/-/- > 0/0 < 0/0
    "#]],
    );
}

#[test]
fn the_latest_syn_and_syn_ack_are_answered() {
    check_tcp(
        "0 o S seq=1, 1 o S seq=1, 1.03 r SA seq=7 ack=2, 2.03 r SA seq=7 ack=2, 2.04 o A seq=2 ack=8",
        expect![[r#"
            rtt 40000/10000/30000 srt -/-/-/- > 1/0 < 1/0
        "#]],
    );
}

#[test]
fn response_time_is_from_the_end_of_the_request_without_the_network() {
    // Two packets of a request, an early acknowledgement, the response in two packets; then a quick second exchange.
    check_tcp(
        &format!(
            "{HANDSHAKE}, 1 o A seq=2 ack=8 len=100, 1.01 o PA seq=102 ack=8 len=50, 1.04 r A seq=8 ack=152, \
             1.09 r A seq=8 ack=152 len=100, 1.1 r PA seq=108 ack=152 len=10, 2 o PA seq=152 ack=118 len=5, \
             2.02 r PA seq=118 ack=157 len=5"
        ),
        expect![[r#"
            rtt 32000/2000/30000 srt 25000/0/50000/2 > 0/0 < 0/0
        "#]],
    );
    // What the server said before it had the request is no response to it; a greeting is none either.
    check_tcp(
        &format!(
            "{HANDSHAKE}, 0.1 r PA seq=8 ack=2 len=20, 0.2 o PA seq=2 ack=28 len=9, 0.21 r PA seq=28 ack=2 len=5, \
             0.3 r PA seq=33 ack=11 len=5"
        ),
        expect![[r#"
            rtt 32000/2000/30000 srt 70000/70000/70000/1 > 0/0 < 0/0
        "#]],
    );
    // A request sent again: nobody can say which copy was answered.
    check_tcp(
        &format!(
            "{HANDSHAKE}, 1 o PA seq=2 ack=8 len=9, 1.3 o PA seq=2 ack=8 len=9, 1.4 r PA seq=8 ack=11 len=5"
        ),
        expect![[r#"
            rtt 32000/2000/30000 srt -/-/-/- > 1/0 < 0/0
        "#]],
    );
}

#[test]
fn dns_over_udp_has_a_response_time() {
    check(
        "0 udp 10.0.0.5:4000 > 10.0.0.9:53 len=30
         0.012 udp 10.0.0.9:53 > 10.0.0.5:4000 len=90
         1 udp 10.0.0.5:4000 > 10.0.0.9:53 len=30
         1.004 udp 10.0.0.9:53 > 10.0.0.5:4000 len=90
         0 udp 10.0.0.5:4000 > 10.0.0.9:123 len=30
         0.012 udp 10.0.0.9:123 > 10.0.0.5:4000 len=90",
        expect![[r#"
            rtt -/-/- srt 8000/4000/12000/2 > -/- < -/-
            nothing
        "#]],
    );
}

#[test]
fn bytes_seen_before_were_sent_again() {
    check_tcp(
        &format!(
            "{HANDSHAKE}, 1 o A seq=2 ack=8 len=100, 1.1 o A seq=102 ack=8 len=100, 1.2 o A seq=2 ack=8 len=100, \
             1.3 o A seq=102 ack=8 len=200, 2 o FA seq=302 ack=8, 2.3 o FA seq=302 ack=8"
        ),
        expect![[r#"
            rtt 32000/2000/30000 srt -/-/-/- > 3/0 < 0/0
        "#]],
    );
    // Past the end of the sequence numbers.
    check_tcp(
        "0 o S seq=4294967200, 0.1 r SA seq=4294967290 ack=4294967201, 0.2 o A seq=4294967201 ack=4294967291, \
         1 o A seq=4294967201 ack=4294967291 len=200, 1.1 o A seq=105 ack=4294967291 len=50, 1.2 o A seq=4294967201 \
         ack=4294967291 len=200, 1.3 o A seq=105 ack=4294967291 len=50",
        expect![[r#"
            rtt 200000/100000/100000 srt -/-/-/- > 2/0 < 0/0
        "#]],
    );
}

#[test]
fn keep_alives_and_window_probes_are_not_sent_again() {
    check_tcp(
        &format!(
            "{HANDSHAKE}, 1 o A seq=2 ack=8 len=100, 11 o A seq=101 ack=8, 21 o A seq=101 ack=8 len=1, 31 o A seq=101 ack=8 \
             len=1, 32 r A seq=8 ack=102 win=0, 33 o A seq=102 ack=8 len=1, 34 o A seq=102 ack=8 len=1, 35 r A seq=8 \
             ack=102 win=900, 35.1 o A seq=102 ack=8 len=100"
        ),
        expect![[r#"
            rtt 32000/2000/30000 srt -/-/-/- > 0/0 < 0/0
        "#]],
    );
}

#[test]
fn a_hole_filled_soon_was_overtaken_and_late_sent_again() {
    let round = "0 o S seq=1, 0.030 r SA seq=7 ack=2, 0.040 o A seq=2 ack=8";
    for (fills, counts) in [("1.029", "0/1"), ("1.031", "1/0")] {
        let segments = format!(
            "{round}, 1 r A seq=1008 ack=2 len=1000, {fills} r A seq=8 ack=2 len=1000, 1.2 r A seq=2008 ack=2 len=9"
        );
        let lines: String = run(&frames(&notation(&segments))).iter().map(line).collect();
        assert_eq!(
            lines,
            format!("rtt 40000/10000/30000 srt -/-/-/- > 0/0 < {counts}\n")
        );
    }
}

#[test]
fn parts_have_their_own_figures() {
    let mut text = String::from(
        "0 tcp 10.0.0.5:4000 > 10.0.0.9:80 S seq=1
         0.030 tcp 10.0.0.9:80 > 10.0.0.5:4000 SA seq=7 ack=2
         0.032 tcp 10.0.0.5:4000 > 10.0.0.9:80 A seq=2 ack=8
         1 tcp 10.0.0.5:4000 > 10.0.0.9:80 A seq=2 ack=8 len=10
         1 tcp 10.0.0.5:4000 > 10.0.0.9:80 A seq=2 ack=8 len=10\n",
    );
    for s in (10..=700).step_by(10) {
        text += &format!("{s} udp 10.0.0.6:7 > 10.0.0.9:7 len=1\n").repeat(4);
        text += &format!("{s} tcp 10.0.0.5:4000 > 10.0.0.9:80 A seq=12 ack=8\n");
    }
    text += "700 tcp 10.0.0.5:4000 > 10.0.0.9:80 A seq=12 ack=8 len=10
         700.05 tcp 10.0.0.9:80 > 10.0.0.5:4000 A seq=8 ack=22 len=10\n";
    let lines: String = run(&frames(&text))
        .iter()
        .filter(|record| record.key.responder_port == 80)
        .map(line)
        .collect();
    expect![[r#"
        rtt 32000/2000/30000 srt -/-/-/- > 1/0 < 0/0
        rtt -/-/- srt -/-/-/- > 0/0 < -/-
        rtt -/-/- srt 20000/20000/20000/1 > 0/0 < 0/0
    "#]]
    .assert_eq(&lines);
}

#[test]
fn delays_and_jitter_of_a_direction() {
    // Gaps of 20, 20, 30 and 10 ms; they differ by 0, 10 and 20.
    let records = run(&frames(
        "0 udp 10.0.0.5:4000 > 10.0.0.9:5004 len=100
         0.02 udp 10.0.0.5:4000 > 10.0.0.9:5004 len=100
         0.04 udp 10.0.0.5:4000 > 10.0.0.9:5004 len=100
         0.05 udp 10.0.0.9:5004 > 10.0.0.5:4000 len=100
         0.07 udp 10.0.0.5:4000 > 10.0.0.9:5004 len=100
         0.08 udp 10.0.0.5:4000 > 10.0.0.9:5004 len=100",
    ));
    let told = records[0].performance.as_deref().unwrap();
    assert_eq!(spread(&told.forward.delay), "9984/19968/29952/7072");
    assert_eq!(spread(&told.forward.jitter), "0/9984/19968/8160");
    assert_eq!(spread(&told.reverse.delay), "-/-/-/-");
}

#[test]
fn spreads_are_kept_within_half_a_percent() {
    for number in (0..10_000_u32).chain([100_000, 12_345_678, u32::MAX - 1, u32::MAX]) {
        let kept = coarse(number).get().unwrap();
        assert!(
            f64::from(kept.abs_diff(number)) <= f64::from(number) * 0.004,
            "{number} {kept}"
        );
    }
}

proptest! {
    /// Whatever headers say: no panic, no more counted than came, least <= mean <= greatest.
    #[test]
    fn wild_segments(
        packets in prop::collection::vec(
            (any::<bool>(), -1_000_000_000_i64..3_000_000_000, any::<u32>(), any::<u32>(), 0_u16..64, 0_u32..70_000, any::<u16>()),
            2..80,
        ),
        near in any::<bool>(),
        cut in 0_usize..80,
    ) {
        let mut conn = TcpConn::default();
        let mut history = weir_model::History::default();
        let (mut exchanges, mut ways) = (Exchanges::default(), Ways::default());
        for (at, (responder, nanos, seq, ack, flags, payload_bytes, window)) in packets.iter().enumerate() {
            let (from, time) = (usize::from(*responder), Time(*nanos));
            // Numbers near to each other, around the wrap, meet each other's cases.
            let squeeze = |number: u32| if near { (number % 3_000).wrapping_sub(1_500) } else { number };
            let tcp = Tcp {
                src_port: 1,
                dst_port: 2,
                seq: squeeze(*seq),
                ack: squeeze(*ack),
                flags: *flags,
                window: *window,
                payload_bytes: *payload_bytes,
                payload: &[],
            };
            let order = conn.segment(from, &tcp, &mut history);
            if flags & tcp_flags::RST != 0 {
                prop_assert_eq!(order, Order::Apart);
            }
            exchanges.segment(from, time, &tcp, order, &conn);
            ways.packet(from, time);
            ways.count(from, time, order, exchanges.rtt_us());
            if at == cut {
                exchanges.begin_part();
                ways.begin_part();
            }
        }
        let Some(told) = told(&exchanges, Some(&ways), [true, true]) else { return Ok(()) };
        for way in [told.forward, told.reverse] {
            let (again, late) = (way.retransmitted.get().unwrap(), way.out_of_order.get().unwrap());
            prop_assert!((again + late) as usize <= packets.len());
            for Spread { min_us, avg_us, max_us, .. } in [way.delay, way.jitter] {
                prop_assert!(min_us.get() <= avg_us.get() && avg_us.get() <= max_us.get());
            }
        }
        prop_assert!(told.srt_min_us.get() <= told.srt_us.get() && told.srt_us.get() <= told.srt_max_us.get());
        prop_assert_eq!(told.srt_us.is_some(), told.srt_count.is_some());
    }
}
