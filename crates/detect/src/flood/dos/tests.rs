//! One attack, one near miss and one harmless look-alike per submethod.

use expect_test::expect;

use crate::flood::dos::DenialOfService;
use crate::testing::check;

/// A server that answers a packet for a packet, in 30 min.
const HABIT: &str = "every 60s x35 10.1.0.{1..9} <> 10.0.0.9:80 tcp SAPF 60KiB/600 90KiB/600\n";

#[test]
fn ratio_against_habit() {
    check::<DenialOfService>(
        &format!("{HABIT}every 10ms x400 203.0.113.{{1..4}} > 10.0.0.9:{{5000..5003}} udp 60KiB/60"),
        expect![[r#"
            DOS.Volumetric 100 % after 2101 s, 2 findings, 4 targets: 10.0.0.9 received 24,000 packets from 4 senders in 3.99 s, 24001 for each it sent; usually 1 (sigma 0.25 over 7 intervals)
              ratio > ratio_usual_max and packets >= packets_min and ratio >= ratio_min and attackers >= attackers_min and intervals >= intervals_min; silent at ratio 2.25, packets 10,000, ratio 5, attackers 3, intervals 6; dst ip 10.0.0.9 and proto udp
        "#]],
    );
}

#[test]
fn ratio_just_below() {
    check::<DenialOfService>(
        &format!("{HABIT}every 10ms x400 203.0.113.{{1..4}} > 10.0.0.9:{{5000..5003}} udp 24KiB/24"),
        expect![[""]],
    );
}

#[test]
fn uploads_and_streams_are_not_floods() {
    // A backup of a million packets with its acknowledgements, a stream from one camera.
    check::<DenialOfService>(
        &format!(
            "{HABIT}x3 10.1.0.{{1..3}} <> 10.0.0.9:873 tcp SAPF 1GiB/1000000 16MiB/400000\n@30min 10.1.0.7:9000 > 10.0.0.9:5004 udp 30MiB/30000"
        ),
        expect![[""]],
    );
}

#[test]
fn burst_without_history() {
    check::<DenialOfService>(
        "every 1ms x500 198.51.100.{1..250}:4500 > 10.0.0.9:{20000..20499} udp 204/1",
        expect![[r#"
            DOS.Volumetric 50 % after 0 s, 2 findings, 251 targets: 10.0.0.9 received 500 packets from 251 senders in 499 ms, 501 for each it sent; 500 flows without an answer within 10 s
              burst_flows >= burst_flows_min and unanswered >= unanswered_min and attackers >= burst_attackers_min; silent at burst_flows 500, unanswered 0.8, attackers 100; dst ip 10.0.0.9 and proto udp
        "#]],
    );
}

#[test]
fn burst_just_below() {
    check::<DenialOfService>(
        "every 1ms x499 198.51.100.{1..250}:4500 > 10.0.0.9:{20000..20498} udp 204/1",
        expect![[""]],
    );
}

#[test]
fn a_scanned_host_is_not_flooded() {
    check::<DenialOfService>(
        "every 1ms x2000 10.1.0.5 > 10.0.0.9:{1..1000} tcp S\n@0s every 1ms x2000 10.1.0.5 > 10.0.0.9:{1..1000} udp",
        expect![[""]],
    );
}

#[test]
fn reflection() {
    check::<DenialOfService>(
        "every 20ms x400 198.51.100.{1..20}:53 > 10.0.0.9:22 udp 2800/2\nevery 20ms x400 198.51.100.{1..9}:53 > 10.0.0.8:22 udp 2800/2",
        expect![[r#"
            DOS.Volumetric 54 % after 7 s, 2 findings, 20 targets: 10.0.0.9 received 800 packets from 20 senders in 7.98 s, 801 for each it sent; 1.07 MiB of answers nobody asked for, from 20 servers
              reflected >= reflected_bytes_min and reflectors >= reflectors_min and reflected_packet >= reflected_packet_min; silent at reflected 1 MiB, reflectors 10, reflected_packet 500 B; dst ip 10.0.0.9 and proto udp
        "#]],
    );
}

#[test]
fn a_resolver_seen_from_one_side_is_not_reflected_upon() {
    check::<DenialOfService>(
        "every 25ms x8000 198.51.100.{1..200}:53 > 10.0.0.9:{20000..28000} udp 150/1",
        expect![""],
    );
}

#[test]
fn syn_flood() {
    check::<DenialOfService>(
        "every 10ms x1000 10.1.0.5:{1024..} > 10.0.0.9:80 tcp S 60/1\n@0s every 10ms x999 10.1.0.5:{1024..} > 10.0.0.8:80 tcp S 60/1",
        expect![[r#"
            DOS.SYNFlood 50 % after 9 s, 2 findings, 1 targets: 1000 connections to 10.0.0.9 were begun and not completed in 9.99 s, from 1 sender to 1 port
              half_open >= half_open_min and unfinished > unfinished_min and try_packets <= try_packets_max and flood_ports <= flood_ports_max; silent at half_open 1000, unfinished 0.8, try_packets 2, flood_ports 10; dst ip 10.0.0.9 and proto tcp
        "#]],
    );
}

#[test]
fn retries_at_a_dead_or_refusing_server_are_not_a_syn_flood() {
    check::<DenialOfService>(
        "every 100ms x1500 10.1.0.{1..50} > 10.0.0.9:80 tcp S 180/3\n@0s every 100ms x1500 10.1.0.{1..50} <> 10.0.0.8:80 tcp S/RA 60/1 40/1",
        expect![[""]],
    );
}

#[test]
fn fin_wait() {
    check::<DenialOfService>(
        "every 10ms x1000 10.1.0.5:{1024..} <> 10.0.0.9:80 tcp SA/SAF\n@0s every 10ms x999 10.1.0.5:{1024..} <> 10.0.0.8:80 tcp SA/SAF
        @0s every 10ms x2000 10.1.0.5:{1024..} <> 10.0.0.7:80 tcp SAF/SAF",
        expect![[r#"
            DOS.FIN2WAIT 50 % after 9 s, 2 findings, 1 targets: 10.0.0.9 closed 1000 connections in 9.91 s that its peers left open
              half_closed >= half_closed_min and half_closed_share > half_closed_share_min; silent at half_closed 1000, half_closed_share 0.8; dst ip 10.0.0.9 and proto tcp
        "#]],
    );
}
