//! The meter at its boundary: packet notation in, records and ticks as text out.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use weir_model::{FlowRecord, Item, NANOS_PER_S};
use weir_testkit::packets::{Frame, frames};
use weir_wire::{LinkType, decode};

use super::*;

fn run_with(config: MeterConfig, frames: &[Frame]) -> (Batch, Meter) {
    let mut meter = Meter::new(config);
    let mut out = Batch::default();
    for frame in frames {
        let packet = decode(LinkType::Ethernet, &frame.bytes, frame.bytes.len() as u32);
        meter.packet(frame.time, &packet, &mut out);
    }
    meter.finish(&mut out);
    (out, meter)
}

/// Records of the packets in `text`, without ticks, then anomalies.
fn check_with(config: MeterConfig, text: &str, expect: Expect) {
    let (out, meter) = run_with(config, &frames(text));
    let mut lines: String = out.flows.iter().map(|record| line(record) + "\n").collect();
    for (anomaly, times) in meter.anomalies().seen() {
        let _ = writeln!(lines, "{anomaly} {times}");
    }
    expect.assert_eq(&lines);
}

fn check(text: &str, expect: Expect) {
    check_with(MeterConfig::default(), text, expect);
}

fn line(record: &FlowRecord) -> String {
    let secs = |time: Time| time.0 as f64 / NANOS_PER_S as f64;
    let key = &record.key;
    let reverse = record.reverse.unwrap();
    let mut text = format!(
        "{:?}/{:?} {}:{} > {}:{} {} {} {} {}/{}/{} {}/{}/{} {}-{}",
        record.phase,
        record.end_reason,
        key.initiator_ip,
        key.initiator_port,
        key.responder_ip,
        key.responder_port,
        record.initiator_reason.word(),
        record.conn_state.word(),
        if record.history.as_str().is_empty() {
            "-"
        } else {
            record.history.as_str()
        },
        record.forward.packets,
        record.forward.bytes,
        record.forward.payload_bytes,
        reverse.packets,
        reverse.bytes,
        reverse.payload_bytes,
        secs(record.start),
        secs(record.end),
    );
    if let Some((kind, code)) = record.icmp_error {
        let _ = write!(text, " error {kind}/{code}");
    }
    text
}

/// Connection state and history of one connection between `o` (initiator) and `r`.
fn check_state(segments: &str, expected: &str) {
    let text: String = segments
        .split(", ")
        .map(|segment| {
            let (side, rest) = segment.split_once(' ').unwrap();
            let ends = if side == "o" {
                "10.0.0.5:4000 > 10.0.0.9:4001"
            } else {
                "10.0.0.9:4001 > 10.0.0.5:4000"
            };
            format!("0 tcp {ends} {rest}\n")
        })
        .collect();
    let (out, _) = run_with(MeterConfig::default(), &frames(&text));
    let seen: Vec<String> = out
        .flows
        .iter()
        .map(|record| format!("{} {}", record.conn_state.word(), record.history.as_str()))
        .collect();
    assert_eq!(seen.join(", "), expected, "{segments}");
}

#[test]
fn connection_states_are_zeeks() {
    check_state("o S seq=1", "S0 S");
    check_state("o S seq=1, r SA seq=7 ack=2", "S1 Sh");
    check_state("o S seq=1, r SA seq=7 ack=2, o A seq=2 ack=8", "S1 ShA");
    check_state(
        "o S seq=1, r SA seq=7 ack=2, o A seq=2 ack=8, o PA seq=2 ack=8 len=5, r A seq=8 ack=7, r PA seq=8 ack=7 len=3, \
         o FA seq=7 ack=11, r FA seq=11 ack=8, o A seq=8 ack=12",
        "SF ShADadFf",
    );
    check_state("o S seq=1, r RA seq=0 ack=2", "REJ Sr");
    check_state("o S seq=1, r SA seq=7 ack=2, o FA seq=2 ack=8", "S2 ShF");
    check_state(
        "o S seq=1, r SA seq=7 ack=2, o A seq=2 ack=8, r FA seq=8 ack=2",
        "S3 ShAf",
    );
    check_state(
        "o S seq=1, r SA seq=7 ack=2, o A seq=2 ack=8, o R seq=2",
        "RSTO ShAR",
    );
    check_state(
        "o S seq=1, r SA seq=7 ack=2, o A seq=2 ack=8, r R seq=8",
        "RSTR ShAr",
    );
    check_state("o S seq=1, o R seq=2", "RSTOS0 SR");
    check_state("r SA seq=7 ack=2, r R seq=8", "RSTRH ^hr");
    check_state("o S seq=1, o F seq=2", "SH SF");
    check_state("r SA seq=7 ack=2, r FA seq=8 ack=2", "SHR ^hf");
    check_state("o A seq=2 ack=8, r A seq=8 ack=2", "OTH Aa");
    check_state("o SF seq=2", "SH Q");
    check_state("o FR seq=2", "RSTOS0 I");
}

#[test]
fn history_repeats_by_powers_of_ten() {
    let again = ["o PA seq=2 ack=8 len=5"; 12].join(", ");
    check_state(&format!("o S seq=1, r SA seq=7 ack=2, {again}"), "S1 ShDTT");
    // Reordering is no retransmission; an ACK for bytes nobody saw is a gap.
    check_state(
        "o S seq=1, o PA seq=7 len=5, o PA seq=2 len=5, r A seq=7 ack=12",
        "OTH SDa",
    );
    check_state("o S seq=1, o PA seq=7 len=5, r A seq=7 ack=12", "OTH SDaG");
    check_state("o A seq=1 ack=1 win=0, r A seq=1 ack=1", "OTH AWa");
}

#[test]
fn initiator_by_protocol_then_port_then_first_packet() {
    check(
        "0 tcp 10.0.0.9:4001 > 10.0.0.5:4000 SA seq=1 ack=1
         1 tcp 10.0.0.9:445 > 10.0.0.6:50000 PA seq=1 ack=1 len=4
         2 udp 10.0.0.9:53 > 10.0.0.6:50000 len=9
         3 udp 10.0.0.6:40000 > 10.0.0.9:50000 len=9
         4 udp 10.0.0.9:67 > 10.0.0.6:68 len=9
         5 icmp 10.0.0.9 > 10.0.0.6 0/0 len=9
         6 arp-reply 10.0.0.9 > 10.0.0.6
         7 arp-reply 10.0.0.9 > 10.0.0.9
         8 udp 10.0.0.9:1900 > 239.255.255.250:40000 len=9
         9 udp [fd00::9]:53 > [fd00::6]:50000 len=9",
        expect![[r#"
            End/Forced 10.0.0.5:4000 > 10.0.0.9:4001 syn OTH ^h 0/0/0 1/40/0 0-0
            End/Forced 10.0.0.6:50000 > 10.0.0.9:445 port OTH ^d 0/0/0 1/44/4 1-1
            End/Forced 10.0.0.6:50000 > 10.0.0.9:53 port SHR ^d 0/0/0 1/37/9 2-2
            End/Forced 10.0.0.6:40000 > 10.0.0.9:50000 first_packet S0 D 1/37/9 0/0/0 3-3
            End/Forced 10.0.0.6:68 > 10.0.0.9:67 protocol SHR ^d 0/0/0 1/37/9 4-4
            End/Forced 10.0.0.6:8 > 10.0.0.9:0 protocol SHR - 0/0/0 1/37/9 5-5
            End/Forced 10.0.0.6:0 > 10.0.0.9:0 protocol OTH - 0/0/0 1/42/28 6-6
            End/Forced 10.0.0.9:0 > 10.0.0.9:0 first_packet OTH - 1/42/28 0/0/0 7-7
            End/Forced 10.0.0.9:1900 > 239.255.255.250:40000 first_packet S0 D 1/37/9 0/0/0 8-8
            End/Forced fd00::6:50000 > fd00::9:53 port SHR ^d 0/0/0 1/57/9 9-9
        "#]],
    );
}

#[test]
fn silence_ends_flows_by_their_class() {
    let others: String = (1..=400)
        .map(|s| format!("{s} udp 10.9.9.9:7 > 10.9.9.8:7 len=1\n"))
        .collect();
    let text = "0 tcp 10.0.0.5:4000 > 10.0.0.9:80 S seq=1
        0 tcp 10.0.0.5:4001 > 10.0.0.9:80 S seq=1
        0 tcp 10.0.0.9:80 > 10.0.0.5:4001 SA seq=1 ack=2
        0 tcp 10.0.0.5:4001 > 10.0.0.9:80 A seq=2 ack=2
        0 tcp 10.0.0.5:4002 > 10.0.0.9:80 S seq=1
        0 tcp 10.0.0.9:80 > 10.0.0.5:4002 RA ack=2
        0 udp 10.0.0.5:4000 > 10.0.0.9:53 len=1
        0 udp 10.0.0.5:4001 > 10.0.0.9:53 len=1
        0 udp 10.0.0.9:53 > 10.0.0.5:4001 len=1
        0 icmp 10.0.0.5 > 10.0.0.9 8/0";
    let (out, _) = run_with(MeterConfig::default(), &frames(&format!("{text}\n{others}")));
    let mut tick = Time::MIN;
    let mut lines = String::new();
    for item in out.items() {
        match item {
            Item::Tick(next) => tick = next.time,
            Item::Flow(record) if record.key.initiator_ip != record.key.responder_ip => {
                let _ = writeln!(
                    lines,
                    "after {} {:?} {} {}:{}",
                    tick.bin(1),
                    record.end_reason,
                    record.key.proto,
                    record.key.initiator_port,
                    record.key.responder_port
                );
            }
            _ => {}
        }
    }
    expect![[r#"
        after 2 Finished 6 4002:80
        after 10 Idle 6 4000:80
        after 10 Idle 17 4000:53
        after 10 Idle 1 8:0
        after 30 Idle 17 4001:53
        after 300 Active 17 7:7
        after 300 Idle 6 4001:80
        after 397 Forced 17 7:7
    "#]]
    .assert_eq(&lines);
}

/// The clock follows some packets behind. What begins when a silence ends is not ended with it, whenever the clock jumps.
#[test]
fn what_begins_after_a_silence_is_one_connection() {
    let before = |packets: usize| -> String {
        (0..packets)
            .map(|at| format!("0.{at} udp 10.0.0.7:4000{at} > 10.0.0.9:53 len=9\n"))
            .collect()
    };
    let connection = "400.0 tcp 10.0.0.5:4000 > 10.0.0.9:4001 S seq=1
         400.1 tcp 10.0.0.9:4001 > 10.0.0.5:4000 SA seq=7 ack=2
         400.2 tcp 10.0.0.5:4000 > 10.0.0.9:4001 A seq=2 ack=8
         400.3 tcp 10.0.0.5:4000 > 10.0.0.9:4001 PA seq=2 ack=8 len=5
         401.4 tcp 10.0.0.9:4001 > 10.0.0.5:4000 PA seq=8 ack=7 len=3
         401.5 tcp 10.0.0.5:4000 > 10.0.0.9:4001 FA seq=7 ack=11
         401.6 tcp 10.0.0.9:4001 > 10.0.0.5:4000 FA seq=11 ack=8";
    for packets in 4..9 {
        let (out, _) = run_with(MeterConfig::default(), &frames(&(before(packets) + connection)));
        let tcp = out.flows.iter().filter(|record| record.key.proto == proto::TCP);
        let seen: Vec<&str> = tcp.map(|record| record.history.as_str()).collect();
        assert_eq!(seen, ["ShADdFf"], "behind {packets} packets");
    }
}

#[test]
fn what_a_silence_ends_can_be_taken_batch_by_batch() {
    let mut text = String::new();
    for flow in 0..2500 {
        let _ = writeln!(
            text,
            "0 udp 10.0.{}.{}:5000 > 10.0.0.9:9 len=5",
            flow / 250,
            flow % 250 + 1
        );
    }
    text += &"100 udp 10.0.0.1:5000 > 10.0.0.9:9 len=5\n".repeat(5);
    let frames = frames(&text);
    let mut meter = Meter::new(MeterConfig::default());
    let mut whole = Batch::default();
    for frame in &frames {
        let mut out = Batch::default();
        while !meter.advance_some(frame.time, &mut out) {
            assert!(out.len() <= Batch::RECORDS_MAX);
            whole.flows.append(&mut out.flows);
        }
        let packet = decode(LinkType::Ethernet, &frame.bytes, frame.bytes.len() as u32);
        meter.packet(frame.time, &packet, &mut out);
        assert!(out.len() <= Batch::RECORDS_MAX);
        whole.flows.append(&mut out.flows);
        whole.ticks.append(&mut out.ticks);
    }
    meter.finish(&mut whole);
    let at_once = run_with(MeterConfig::default(), &frames).0;
    assert_eq!((whole.flows, whole.ticks), (at_once.flows, at_once.ticks));
}

#[test]
fn updates_carry_deltas_and_totals() {
    let text: String = (0..=700)
        .step_by(10)
        .map(|s| format!("{s} udp 10.0.0.5:7 > 10.0.0.9:7 len=10\n"))
        .collect();
    check(
        &text,
        expect![[r#"
            Update/Active 10.0.0.5:7 > 10.0.0.9:7 first_packet S0 D 33/1254/330 0/0/0 0-320
            Update/Active 10.0.0.5:7 > 10.0.0.9:7 first_packet S0 D 30/1140/300 0/0/0 330-620
            End/Forced 10.0.0.5:7 > 10.0.0.9:7 first_packet S0 D 8/304/80 0/0/0 630-700
        "#]],
    );
    let (out, _) = run_with(MeterConfig::default(), &frames(&text));
    let last = out.flows.last().unwrap();
    assert_eq!((last.forward_total.packets, last.flow_start), (71, Time(0)));
    assert!(out.flows.iter().all(|record| record.id == last.id));
}

#[test]
fn ports_are_reused_by_another_syn() {
    check(
        "0 tcp 10.0.0.5:4000 > 10.0.0.9:80 S seq=1
         0 tcp 10.0.0.9:80 > 10.0.0.5:4000 RA ack=2
         0.1 tcp 10.0.0.5:4000 > 10.0.0.9:80 S seq=1
         0.2 tcp 10.0.0.9:80 > 10.0.0.5:4000 RA ack=2
         0.3 tcp 10.0.0.5:4000 > 10.0.0.9:80 S seq=77
         1 udp 10.0.0.5:1 > 10.0.0.9:1 len=1
         9 udp 10.0.0.5:1 > 10.0.0.9:1 len=1
         9 udp 10.0.0.5:1 > 10.0.0.9:1 len=1
         9 udp 10.0.0.5:1 > 10.0.0.9:1 len=1
         9 udp 10.0.0.5:1 > 10.0.0.9:1 len=1
         9 tcp 10.0.0.5:4000 > 10.0.0.9:80 S seq=99",
        expect![[r#"
            End/Finished 10.0.0.5:4000 > 10.0.0.9:80 syn REJ Sr 2/80/0 2/80/0 0-0.2
            End/Idle 10.0.0.5:4000 > 10.0.0.9:80 syn S0 S 1/40/0 0/0/0 0.3-0.3
            End/Forced 10.0.0.5:1 > 10.0.0.9:1 first_packet S0 D 5/145/5 0/0/0 1-9
            End/Forced 10.0.0.5:4000 > 10.0.0.9:80 syn S0 S 1/40/0 0/0/0 9-9
        "#]],
    );
}

#[test]
fn icmp_errors_mark_the_flow_they_quote() {
    check(
        "0 udp 10.0.0.5:4000 > 10.0.0.9:161 len=8
         0 icmp 10.0.0.9 > 10.0.0.5 3/3 quote=udp,10.0.0.5:4000,10.0.0.9:161
         1 tcp 10.0.0.5:4000 > 10.0.0.9:22 S seq=1
         1 icmp 10.0.0.1 > 10.0.0.5 3/13 quote=tcp,10.0.0.5:4000,10.0.0.9:22
         2 udp 10.0.0.5:4001 > 10.0.0.9:53 len=8
         2 udp 10.0.0.9:53 > 10.0.0.5:4001 len=8
         2 icmp 10.0.0.5 > 10.0.0.9 3/3 quote=udp,10.0.0.9:53,10.0.0.5:4001
         3 icmp 10.0.0.5 > 10.0.0.7 8/0 len=8
         3 icmp 10.0.0.1 > 10.0.0.5 11/0 quote=icmp,10.0.0.5,10.0.0.7",
        expect![[r#"
            End/Forced 10.0.0.5:4000 > 10.0.0.9:161 port S0 D 1/36/8 0/0/0 0-0 error 3/3
            End/Forced 10.0.0.9:3 > 10.0.0.5:3 first_packet S0 - 1/64/36 0/0/0 0-0
            End/Forced 10.0.0.1:3 > 10.0.0.5:13 first_packet S0 - 1/76/48 0/0/0 1-1
            End/Forced 10.0.0.5:4000 > 10.0.0.9:22 syn S0 S 1/40/0 0/0/0 1-1 error 3/13
            End/Forced 10.0.0.5:3 > 10.0.0.9:3 first_packet S0 - 1/64/36 0/0/0 2-2
            End/Forced 10.0.0.5:4001 > 10.0.0.9:53 port SF Dd 1/36/8 1/36/8 2-2
            End/Forced 10.0.0.1:11 > 10.0.0.5:0 first_packet S0 - 1/64/36 0/0/0 3-3
            End/Forced 10.0.0.5:8 > 10.0.0.7:0 protocol S0 - 1/36/8 0/0/0 3-3 error 11/0
        "#]],
    );
}

#[test]
fn one_way_icmp_has_a_flow_per_direction() {
    check(
        "0 icmp 10.0.0.5 > 10.0.0.9 5/5 len=1
         0 icmp 10.0.0.9 > 10.0.0.5 5/5 len=1
         0 icmp 10.0.0.5 > 10.0.0.9 8/0 len=1
         0 icmp 10.0.0.9 > 10.0.0.5 0/0 len=1",
        expect![[r#"
            End/Forced 10.0.0.5:5 > 10.0.0.9:5 first_packet S0 - 1/29/1 0/0/0 0-0
            End/Forced 10.0.0.9:5 > 10.0.0.5:5 first_packet S0 - 1/29/1 0/0/0 0-0
            End/Forced 10.0.0.5:8 > 10.0.0.9:0 protocol SF - 1/29/1 1/29/1 0-0
        "#]],
    );
}

#[test]
fn a_full_cache_gives_up_unanswered_flows_first() {
    let config = MeterConfig {
        flows_max: 3,
        ..MeterConfig::default()
    };
    check_with(
        config,
        "0 udp 10.0.0.5:4000 > 10.0.0.9:53 len=1
         0 udp 10.0.0.9:53 > 10.0.0.5:4000 len=1
         0 tcp 10.0.0.6:1 > 10.0.0.9:80 S seq=1
         0 udp 10.0.0.5:4001 > 10.0.0.9:53 len=1
         0 udp 10.0.0.9:53 > 10.0.0.5:4001 len=1
         1 tcp 10.0.0.6:2 > 10.0.0.9:80 S seq=1
         2 tcp 10.0.0.6:3 > 10.0.0.9:80 S seq=1
         3 tcp 10.0.0.9:80 > 10.0.0.6:3 SA seq=1 ack=2
         3 tcp 10.0.0.6:3 > 10.0.0.9:80 A seq=2 ack=2
         4 tcp 10.0.0.6:4 > 10.0.0.9:80 S seq=1",
        expect![[r#"
            End/Resources 10.0.0.6:1 > 10.0.0.9:80 syn S0 S 1/40/0 0/0/0 0-0
            End/Resources 10.0.0.6:2 > 10.0.0.9:80 syn S0 S 1/40/0 0/0/0 1-1
            End/Resources 10.0.0.5:4000 > 10.0.0.9:53 port SF Dd 1/29/1 1/29/1 0-0
            End/Forced 10.0.0.5:4001 > 10.0.0.9:53 port SF Dd 1/29/1 1/29/1 0-0
            End/Forced 10.0.0.6:3 > 10.0.0.9:80 syn S1 ShA 2/80/0 1/40/0 2-3
            End/Forced 10.0.0.6:4 > 10.0.0.9:80 syn S0 S 1/40/0 0/0/0 4-4
            flow_evicted 3
        "#]],
    );
}

#[test]
fn a_descending_capture_keeps_its_flows_whole() {
    let text: String = (0..=50)
        .rev()
        .map(|s| format!("{} udp 10.0.0.5:7 > 10.0.0.9:7 len=10\n", s * 60))
        .collect();
    check(
        &text,
        expect![[r#"
        End/Forced 10.0.0.5:7 > 10.0.0.9:7 first_packet S0 D 51/1938/510 0/0/0 0-3000
    "#]],
    );
}

#[test]
fn a_stamp_hours_ahead_ends_nothing() {
    check(
        "0 tcp 10.0.0.5:4000 > 10.0.0.9:80 S seq=1
         1 tcp 10.0.0.9:80 > 10.0.0.5:4000 SA seq=1 ack=2
         9000 tcp 10.0.0.5:4000 > 10.0.0.9:80 A seq=2 ack=2
         2 tcp 10.0.0.5:4000 > 10.0.0.9:80 PA seq=2 ack=2 len=3
         3 tcp 10.0.0.9:80 > 10.0.0.5:4000 A seq=2 ack=5
         9000 tcp 10.0.0.5:4000 > 10.0.0.9:80 PA seq=2 ack=2 len=3
         4 tcp 10.0.0.9:80 > 10.0.0.5:4000 A seq=2 ack=5",
        expect![[r#"
            End/Forced 10.0.0.5:4000 > 10.0.0.9:80 syn S1 ShADaT 4/166/6 3/120/0 0-9000
            clock_outlier 1
        "#]],
    );
}

#[test]
fn ticks_come_once_per_second_crossed() {
    let (out, _) = run_with(
        MeterConfig::default(),
        &frames(
            &[1, 1, 1, 1, 1, 2, 2, 2, 2, 7200, 7200, 7200, 7200]
                .map(|s| format!("{s} udp 10.0.0.5:7 > 10.0.0.9:7 len=1\n"))
                .concat(),
        ),
    );
    let ticks: Vec<(i64, bool)> = out
        .ticks
        .iter()
        .map(|tick| (tick.time.bin(1), tick.end))
        .collect();
    assert_eq!(ticks, [(1, false), (2, false), (7200, false), (7200, true)]);
    let seqs: Vec<u64> = out
        .items()
        .map(|item| match item {
            Item::Flow(record) => record.seq,
            Item::Transaction(transaction) => transaction.seq,
            Item::Tick(tick) => tick.seq,
        })
        .collect();
    assert!(seqs.iter().copied().eq(0..seqs.len() as u64), "{seqs:?}");
}

#[test]
fn first_packets_are_remembered() {
    let (out, _) = run_with(
        MeterConfig {
            start_records: true,
            ..MeterConfig::default()
        },
        &frames(
            "0 tcp 10.0.0.9:80 > 10.0.0.5:4000 SA seq=1 ack=2 ttl=60 vlan=9
             0 tcp 10.0.0.5:4000 > 10.0.0.9:80 S seq=1 ttl=128 win=1024 vlan=9
             0 tcp 10.0.0.5:4000 > 10.0.0.9:80 A seq=1 ttl=3 vlan=9",
        ),
    );
    let [start, end] = &out.flows[..] else {
        panic!("{out:?}")
    };
    assert_eq!(
        (start.phase, start.forward_total.packets, start.id),
        (Phase::Start, 0, end.id)
    );
    assert_eq!(
        (end.first_flags, end.forward_flags, end.reverse_flags),
        (0x02, 0x12, 0x12)
    );
    assert_eq!((end.syn_bytes, end.syn_window), (40, 1024));
    assert_eq!(
        (end.forward_ttl, end.reverse_ttl, end.key.vlan),
        (128, 60, Some(9))
    );
    assert_eq!(end.initiator_mac.unwrap().to_string(), "02:00:0a:00:00:05");
    assert_eq!(end.responder_mac.unwrap().to_string(), "02:00:0a:00:00:09");
}

/// A line of a random small network: few hosts and ports, so that flows meet, close and return.
fn any_line() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["tcp", "udp", "icmp", "arp-request", "arp-reply"]);
    let flags = prop::sample::select(vec!["S", "SA", "A", "PA", "FA", "R", "RA", "SF", "."]);
    (kind, 1..4u8, 1..4u8, 1..3u16, flags, 0..40i64, 0..9u32, 0..9u32).prop_map(
        |(kind, from, to, port, flags, second, seq, len)| {
            let ends = match kind {
                "tcp" | "udp" => format!("10.0.0.{from}:{port} > 10.0.0.{to}:80 {flags}"),
                "icmp" => format!("10.0.0.{from} > 10.0.0.{to} {}/0", port * 8 % 16),
                _ => format!("10.0.0.{from} > 10.0.0.{to}"),
            };
            format!("{second} {kind} {ends} seq={seq} ack={len} len={len}")
        },
    )
}

proptest! {
    #[test]
    fn every_packet_is_counted_once(lines in prop::collection::vec(any_line(), 0..120), flows_max in 1..9usize) {
        let frames = frames(&lines.join("\n"));
        let config = MeterConfig { flows_max, active_timeout_s: 5, ..MeterConfig::default() };
        let (out, meter) = run_with(config, &frames);
        let packets: u64 = out.flows.iter().map(|r| r.forward.packets + r.reverse_or_zero().packets).sum();
        prop_assert_eq!(packets, frames.len() as u64);
        prop_assert_eq!(meter.stats().flows_active, 0);
        prop_assert_eq!(meter.stats().stream_bytes_waiting, 0);
        let (again, _) = run_with(config, &frames);
        prop_assert_eq!(format!("{out:?}"), format!("{again:?}"));
    }

    #[test]
    fn damaged_packets_never_panic(
        lines in prop::collection::vec(any_line(), 1..30),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut frames = frames(&lines.join("\n"));
        for (which, place, value) in damage {
            let frame = which.get_mut(&mut frames);
            *place.get_mut(&mut frame.bytes) = value;
        }
        let first = &mut frames[0].bytes;
        first.truncate(cut.index(first.len()));
        let (out, _) = run_with(MeterConfig::default(), &frames);
        let packets: u64 = out.flows.iter().map(|r| r.forward.packets + r.reverse_or_zero().packets).sum();
        prop_assert_eq!(packets, frames.len() as u64);
    }
}
