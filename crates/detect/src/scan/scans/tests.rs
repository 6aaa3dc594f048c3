//! One attack, one near miss and one harmless look-alike per shape.

use expect_test::expect;

use crate::scan::scans::Scans;
use crate::testing::{check, check_with};

#[test]
fn syn_horizontal() {
    check::<Scans>(
        "every 100ms x30 10.0.0.5 > 10.0.1.{1..30}:445 tcp S",
        expect![[r#"
            SCANS.TCPSYN 50 % after 2 s, 2 findings, 30 targets: TCP SYN scan (horizontal): 10.0.0.5 tried port 445 on 30 hosts in 2.9 s, none answered
              hosts_on_port >= hosts_min and failed_on_port >= failed_min; silent at hosts_on_port 30, failed_on_port 0.8; src ip 10.0.0.5 and proto tcp and dst port 445
        "#]],
    );
}

/// Records of one direction: hosts that are not there answer nothing, and no record tells so. Connections of such a feed
/// have more than a SYN; of sampled ones nothing is known.
#[test]
fn syn_horizontal_by_one_way_records() {
    check::<Scans>(
        "every 100ms x30 10.0.0.5 > 10.0.1.{1..30}:445 tcp S 60/1 reverse=unknown",
        expect![[r#"
            SCANS.TCPSYN 50 % after 2 s, 2 findings, 30 targets: TCP SYN scan (horizontal): 10.0.0.5 tried port 445 on 30 hosts in 2.9 s, none answered
              hosts_on_port >= hosts_min and failed_on_port >= failed_min; silent at hosts_on_port 30, failed_on_port 0.8; src ip 10.0.0.5 and proto tcp and dst port 445
        "#]],
    );
    check::<Scans>(
        "every 100ms x90 10.0.0.5 > 10.0.1.{1..90}:445 tcp APSF 900/8 reverse=unknown
         @0s every 100ms x29 10.0.0.6 > 10.0.1.{1..29}:445 tcp S 60/1 reverse=unknown
         @0s every 100ms x90 10.0.0.7 > 10.0.1.{1..90}:53 udp 60/1 reverse=unknown",
        expect![[""]],
    );
}

#[test]
fn syn_horizontal_just_below() {
    check::<Scans>(
        "every 100ms x29 10.0.0.5 > 10.0.1.{1..29}:445 tcp S",
        expect![[""]],
    );
}

#[test]
fn syn_vertical_with_open_ports() {
    check::<Scans>(
        "every 10ms x100 10.0.0.5 <> 10.0.0.9:{1..100} tcp S/RA\nevery 10ms x5 10.0.0.5 <> 10.0.0.9:{8001..8005} tcp SR/SA",
        expect![[r#"
            SCANS.TCPSYN 99 % after 0 s, 2 findings, 1 targets: TCP SYN scan (vertical): 10.0.0.5 tried 105 ports on 10.0.0.9 in 990 ms, 5 answered
              ports_on_host >= ports_min and failed_on_host >= failed_min; silent at ports_on_host 30, failed_on_host 0.8; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp
        "#]],
    );
}

#[test]
fn syn_burst_without_an_answer() {
    check::<Scans>(
        "every 100ms x20 10.0.0.5 > 10.0.0.9:{21..40} tcp S",
        expect![[r#"
            SCANS.TCPSYN 50 % after 1 s, 2 findings, 1 targets: TCP SYN scan (vertical): 10.0.0.5 tried 20 ports on 10.0.0.9 in 1.9 s, none answered
              ports_on_host >= burst_ports_min and host_s <= burst_s and answers_of_host == no_answers; silent at ports_on_host 20, host_s 30 s, answers_of_host 0; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp
        "#]],
    );
}

#[test]
fn syn_burst_with_an_answer_is_not_enough() {
    check::<Scans>(
        "10.0.0.5 > 10.0.0.9:20 tcp S\n10.0.0.5 <> 10.0.0.9:443 tcp SAPF\nevery 100ms x19 10.0.0.5 > 10.0.0.9:{21..39} tcp S",
        expect![""],
    );
}

#[test]
fn syn_chaotic() {
    check::<Scans>(
        "every 10ms x100 10.0.0.5 > 10.0.1.{1..25}:{1000..1007} tcp S",
        expect![[r#"
            SCANS.TCPSYN 50 % after 0 s, 2 findings, 25 targets: TCP SYN scan (chaotic): 10.0.0.5 tried 100 ports in all on 25 hosts in 990 ms, none answered
              pairs >= pairs_min and failed >= failed_min and repetition >= repetition_min; silent at pairs 100, failed 0.8, repetition 2; src ip 10.0.0.5 and proto tcp
        "#]],
    );
}

#[test]
fn a_scanner_that_browses_is_seen() {
    check::<Scans>(
        "every 100ms x200 10.0.0.5 <> 198.51.100.{1..200}:443 tcp SAPF\n@0s every 300ms x40 10.0.0.5 > 10.0.1.{1..40}:445 tcp S",
        expect![[r#"
            SCANS.TCPSYN 68 % after 8 s, 2 findings, 40 targets: TCP SYN scan (horizontal): 10.0.0.5 tried port 445 on 40 hosts in 11.7 s, none answered
              hosts_on_port >= hosts_min and failed_on_port >= failed_min; silent at hosts_on_port 30, failed_on_port 0.8; src ip 10.0.0.5 and proto tcp and dst port 445
        "#]],
    );
}

#[test]
fn clients_with_bad_luck_are_not_scanners() {
    // A browser with some dead servers, a peer-to-peer program whose peers are gone, 200 questions to two dead resolvers.
    check::<Scans>(
        "every 1s x100 10.0.0.5 <> 198.51.100.{1..100}:443 tcp SAPF\n@0s every 10s x20 10.0.0.5 > 203.0.113.{1..20}:443 tcp S
        @0s every 1s x120 10.0.0.6 > 203.0.113.{1..120}:{20001..20120} tcp S
        @0s every 1s x120 10.0.0.6 > 203.0.113.{1..120}:{20001..20120} udp
        @0s every 1s x200 10.0.0.7 > 10.0.0.{1,2}:53 udp 60/1",
        expect![[""]],
    );
}

#[test]
fn backscatter_blames_nobody() {
    // The attacked server answers forged addresses: the meter takes the forged host for the initiator (^).
    check::<Scans>(
        "every 10ms x200 10.0.0.{1..200}:{1024..1223} < 198.51.100.98:80 tcp SA
        every 10ms x200 198.51.100.98:80 > 10.0.0.{1..200}:{1024..1223} tcp RA",
        expect![[""]],
    );
}

#[test]
fn fin_null_xmas() {
    check::<Scans>(
        "every 10ms x10 10.0.0.5 > 10.0.0.9:{1..10} tcp F\n@0s every 10ms x9 10.0.0.6 > 10.0.0.9:{1..9} tcp F
        @0s every 10ms x10 10.0.0.7 <> 10.0.0.9:{1..10} tcp ./RA\n@0s every 10ms x9 10.0.0.8 <> 10.0.0.9:{1..9} tcp ./RA
        @0s every 10ms x10 10.0.0.3 > 10.0.0.9:{1..10} tcp FPU\n@0s every 10ms x9 10.0.0.4 > 10.0.0.9:{1..9} tcp FPU",
        expect![[r#"
            SCANS.TCPFIN 50 % after 0 s, 2 findings, 1 targets: TCP FIN scan (vertical): 10.0.0.5 sent a lone FIN to 10 ports on 10.0.0.9 in 90 ms
              pairs >= odd_pairs_min; silent at pairs 10; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp
            SCANS.TCPNull 50 % after 0 s, 2 findings, 1 targets: TCP null scan (vertical): 10.0.0.7 sent packets without flags to 10 ports on 10.0.0.9 in 90 ms
              pairs >= odd_pairs_min; silent at pairs 10; src ip 10.0.0.7 and dst ip 10.0.0.9 and proto tcp
            SCANS.TCPXmas 50 % after 0 s, 2 findings, 1 targets: TCP Christmas tree scan (vertical): 10.0.0.3 sent FIN+PSH+URG to 10 ports on 10.0.0.9 in 90 ms
              pairs >= odd_pairs_min; silent at pairs 10; src ip 10.0.0.3 and dst ip 10.0.0.9 and proto tcp
        "#]],
    );
}

#[test]
fn closing_connections_are_not_odd() {
    check::<Scans>(
        "every 1s x60 10.0.0.5 <> 10.0.0.{1..60}:443 tcp FA/FA first=FA\nevery 1s x60 10.0.0.5 > 10.0.0.{1..60}:443 tcp RA",
        expect![[""]],
    );
}

#[test]
fn ack() {
    check::<Scans>(
        "every 10ms x30 10.0.0.5 <> 10.0.0.9:{1..30} tcp A/R\n@0s every 20s x29 10.0.0.6 <> 10.0.0.9:{1..29} tcp A/R
        @0s every 1s x60 10.0.0.7 <> 10.0.0.{1..60}:443 tcp A/A",
        expect![[r#"
            SCANS.TCPACK 50 % after 0 s, 2 findings, 1 targets: TCP ACK scan (vertical): 10.0.0.5 sent bare ACKs to 30 ports on 10.0.0.9 in 290 ms
              ports_on_host >= ports_min and failed_on_host >= failed_min; silent at ports_on_host 30, failed_on_host 0.8; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp
        "#]],
    );
}

#[test]
fn udp() {
    check::<Scans>(
        "every 10ms x40 10.0.0.5 > 10.0.0.9:{1..40} udp icmperr=3/3\n@0s every 20s x20 10.0.0.6 > 10.0.0.9:{1..20} udp icmperr=3/3",
        expect![[r#"
            SCANS.UDP 68 % after 0 s, 3 findings, 1 targets: UDP scan (vertical): 10.0.0.5 tried 40 ports on 10.0.0.9 in 390 ms, none answered
              ports_on_host >= ports_min and failed_on_host >= failed_min; silent at ports_on_host 30, failed_on_host 0.8; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto udp
        "#]],
    );
}

#[test]
fn udp_resolvers_traceroute_quic_and_multicast_are_not_scans() {
    check::<Scans>(
        "every 10ms x200 10.0.0.5 <> 198.51.100.{1..200}:53 udp 60/1 200/1\n@0s every 100ms x20 10.0.0.5 > 203.0.113.{1..20}:53 udp 60/1
        @0s every 10ms x90 10.0.0.6 > 198.51.100.7:{33434..33523} udp 60/1 icmperr=11/0
        @0s every 1s x100 10.0.0.7 > 198.51.100.{1..100}:443 udp 1228/1
        @0s every 1s x100 10.0.0.8 > 239.255.255.{1..100}:1900 udp 200/1",
        expect![[""]],
    );
}

#[test]
fn arp() {
    check::<Scans>(
        "every 10ms x50 10.0.0.5 > 10.0.0.{10..59} arp 28/1\n@0s every 10ms x49 10.0.0.6 > 10.0.0.{10..58} arp 28/1
        # A router asks for the hosts it has traffic for, and a DHCP server probes what it offers.
        @0s every 10ms x60 10.0.0.1 <> 10.0.0.{10..69} arp 28/1 28/1\n@0s every 10s x60 10.0.0.2 > 10.0.0.{10..69} arp 28/1",
        expect![[r#"
            SCANS.ARP 50 % after 0 s, 2 findings, 50 targets: ARP scan: 10.0.0.5 asked for 50 addresses in 490 ms, none answered
              hosts >= arp_hosts_min and failed >= arp_failed_min and in_order >= arp_order_min; silent at hosts 50, failed 0.5, in_order 0.5; src ip 10.0.0.5 and ethertype 0x0806
        "#]],
    );
}

#[test]
fn a_long_arp_scan_tells_its_last_figures() {
    check::<Scans>(
        "every 1s x250 10.0.0.5 > 10.0.1.{1..250} arp 28/1\n@20min 10.0.0.7 > 10.0.0.8 arp 28/1",
        expect![[r#"
            SCANS.ARP 100 % after 49 s, 2 findings, 250 targets: ARP scan: 10.0.0.5 asked for 250 addresses in 4.15 min, none answered
              hosts >= arp_hosts_min and failed >= arp_failed_min and in_order >= arp_order_min; silent at hosts 50, failed 0.5, in_order 0.5; src ip 10.0.0.5 and ethertype 0x0806
        "#]],
    );
}

#[test]
fn ping_sweep() {
    check::<Scans>(
        "every 10ms x30 10.0.0.5 > 10.0.0.{10..39} icmp icmp=8/0\n@0s every 10ms x29 10.0.0.6 > 10.0.0.{10..38} icmp icmp=8/0
        @0s every 10ms x60 10.0.0.7 <> 10.0.0.{10..69} icmp icmp=8/0",
        expect![[r#"
            SCANS.PingSweep 50 % after 0 s, 2 findings, 30 targets: Ping sweep: 10.0.0.5 asked 30 hosts in 290 ms, none answered
              hosts_on_port >= hosts_min and failed_on_port >= failed_min; silent at hosts_on_port 30, failed_on_port 0.8; src ip 10.0.0.5 and proto icmp and dst port 0
        "#]],
    );
}

#[test]
fn ip_protocols() {
    check::<Scans>(
        "x1 10.0.0.5 > 10.0.0.9 40\n10.0.0.5 > 10.0.0.9 41\n10.0.0.5 > 10.0.0.9 42\n10.0.0.5 > 10.0.0.9 43
        10.0.0.5 > 10.0.0.9 44\n10.0.0.5 > 10.0.0.9 45\n10.0.0.5 > 10.0.0.9 46\n10.0.0.5 > 10.0.0.9 47
        10.0.0.5 > 10.0.0.9 48\n10.0.0.5 > 10.0.0.9 49\n10.0.0.6 > 10.0.0.9 47\n10.0.0.6 > 10.0.0.9 50",
        expect![[r#"
            SCANS.IPProtocol 50 % after 0 s, 2 findings, 1 targets: IP protocol scan: 10.0.0.5 tried 10 protocol numbers on 10.0.0.9 in 0 s, none answered
              ports_on_host >= protocols_min and failed_on_host >= failed_min; silent at ports_on_host 10, failed_on_host 0.8; src ip 10.0.0.5 and dst ip 10.0.0.9
        "#]],
    );
}

#[test]
fn port_based_without_flags() {
    check::<Scans>(
        "10.0.0.5 <> 10.0.0.1:443 tcp . 900/9 9000/9\nevery 100ms x30 10.0.0.5 > 10.0.1.{1..30}:445 tcp .
        @0s 10.0.0.6 <> 10.0.0.1:443 tcp . 900/9 9000/9\n@0s every 100ms x29 10.0.0.6 > 10.0.1.{1..29}:445 tcp .",
        expect![[r#"
            SCANS.PortBased 50 % after 2 s, 2 findings, 30 targets: TCP scan (horizontal): 10.0.0.5 tried port 445 on 30 hosts in 2.9 s, none answered (no TCP flags in this feed)
              hosts_on_port >= hosts_min and failed_on_port >= failed_min; silent at hosts_on_port 30, failed_on_port 0.8; src ip 10.0.0.5 and proto tcp and dst port 445
        "#]],
    );
}

#[test]
fn slow_scan() {
    check::<Scans>(
        "every 10min x30 10.0.0.5 > 10.0.1.{1..30}:22 tcp S",
        expect![[r#"
            SCANS.SlowScan 50 % after 17400 s, 2 findings, 30 targets: Slow TCP SYN scan (horizontal): 10.0.0.5 tried port 22 on 30 hosts in 4.83 h, none answered
              hosts_on_port >= hosts_min and failed_on_port >= failed_min; silent at hosts_on_port 30, failed_on_port 0.8; src ip 10.0.0.5 and proto tcp and dst port 22
        "#]],
    );
}

#[test]
fn slow_scan_just_below_and_a_monitor() {
    check::<Scans>(
        "every 10min x29 10.0.0.5 > 10.0.1.{1..29}:22 tcp S
        @0s every 10min x140 10.0.0.6 <> 10.0.1.{1..100}:22 tcp SAF\n@0s every 10min x140 10.0.0.6 > 10.0.2.{1..20}:22 tcp S",
        expect![[""]],
    );
}

#[test]
fn fingerprint() {
    check::<Scans>(
        "x6 10.0.0.5 <> 10.0.0.9:135 tcp SR/SA\n10.0.0.5 > 10.0.0.9:135 tcp .\n10.0.0.5 > 10.0.0.9:135 tcp SFPU first=SFPU
        10.0.0.5 > 10.0.0.9:41296 tcp FPU\n10.0.0.6 > 10.0.0.9:135 tcp .\n10.0.0.6 > 10.0.0.9:135 tcp SFPU first=SFPU",
        expect![[r#"
            SCANS.Fingerprint 50 % after 0 s, 2 findings, 1 targets: Operating system detection: 10.0.0.5 sent 3 kinds of impossible TCP flags to 10.0.0.9 in 0 s
              odd_kinds >= odd_kinds_min and ports_on_host < odd_pairs_min; silent at odd_kinds 3, ports_on_host 10; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto tcp
        "#]],
    );
}

#[test]
fn a_long_scan_keeps_counting_and_ignored_sources_are_ignored() {
    check_with::<Scans>(
        r#"{"ignore_sources": ["10.0.0.6/32"]}"#,
        "every 5s x250 10.0.0.5 > 10.0.1.{1..250}:445 tcp S\n@0s every 100ms x250 10.0.0.6 > 10.0.1.{1..250}:445 tcp S",
        expect![[r#"
            SCANS.TCPSYN 100 % after 145 s, 5 findings, 250 targets: TCP SYN scan (horizontal): 10.0.0.5 tried port 445 on 250 hosts in 20.8 min, none answered
              hosts_on_port >= hosts_min and failed_on_port >= failed_min; silent at hosts_on_port 30, failed_on_port 0.8; src ip 10.0.0.5 and proto tcp and dst port 445
        "#]],
    );
}
