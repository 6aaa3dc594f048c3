//! One attack, one near miss and one harmless look-alike per submethod.

use expect_test::expect;

use crate::flood::icmpanom::IcmpAnomaly;
use crate::testing::check;

#[test]
fn scan() {
    check::<IcmpAnomaly>(
        "every 5s x30 10.0.0.5 > 10.0.1.{1..30} icmp icmp=8/0\n@0s every 5s x29 10.0.0.6 > 10.0.1.{1..29} icmp icmp=8/0",
        expect![[r#"
            ICMPANOM.ICMPScan 50 % after 145 s, 2 findings, 30 targets: 10.0.0.5 asked 30 hosts by ICMP within 2.42 min, 30 of them never answered
              hosts >= hosts_min and silent >= silent_min; silent at hosts 30, silent 0.2; src ip 10.0.0.5 and proto icmp
        "#]],
    );
}

#[test]
fn scan_in_a_burst() {
    check::<IcmpAnomaly>(
        "every 100ms x10 10.0.0.5 <> 10.0.1.{1..10} icmp icmp=8/0\nevery 100ms x5 10.0.0.5 > 10.0.1.{11..15} icmp icmp=13/0
        @0s every 100ms x9 10.0.0.6 <> 10.0.1.{1..9} icmp icmp=8/0\nevery 100ms x5 10.0.0.6 > 10.0.1.{11..15} icmp icmp=13/0",
        expect![[r#"
            ICMPANOM.ICMPScan 50 % after 1 s, 2 findings, 15 targets: 10.0.0.5 asked 15 hosts by ICMP within 1.4 s, 5 of them never answered
              hosts >= burst_hosts_min and asked_s <= burst_s and silent >= silent_min; silent at hosts 15, asked_s 10 s, silent 0.2; src ip 10.0.0.5 and proto icmp
        "#]],
    );
}

#[test]
fn monitors_ping_hosts_that_are_there() {
    check::<IcmpAnomaly>(
        "every 10ms x90 10.0.0.5 <> 10.0.1.{1..90} icmp icmp=8/0\nevery 10ms x10 10.0.0.5 > 10.0.1.{91..100} icmp icmp=8/0",
        expect![[""]],
    );
}

#[test]
fn ping_flood() {
    check::<IcmpAnomaly>(
        "10.0.0.5 <> 10.0.0.9 icmp 60KiB/1000 60KiB/1000 icmp=8/0 dur=10s\n@0s 10.0.0.6 <> 10.0.0.9 icmp 59KiB/999 59KiB/999 icmp=8/0 dur=10s",
        expect![[r#"
            ICMPANOM.PingFlood 50 % after 10 s, 2 findings, 1 targets: 10.0.0.5 sent 1000 echo requests to 10.0.0.9 in 10 s, 1000 a minute
              per_minute >= flood_per_minute_min; silent at per_minute 1000; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto icmp
        "#]],
    );
}

#[test]
fn a_patient_ping_is_no_flood() {
    check::<IcmpAnomaly>(
        "every 300s x12 10.0.0.5 <> 10.0.0.9 icmp 25200/300 25200/300 icmp=8/0 dur=300s",
        expect![[""]],
    );
}

#[test]
fn tunnel_by_replies() {
    check::<IcmpAnomaly>(
        "10.0.0.5 <> 10.0.0.9 icmp 8400/100 60000/206 icmp=8/0 icmppayload=1052 dur=90s
        @0s 10.0.0.6 <> 10.0.0.9 icmp 8400/100 12600/149 icmp=8/0 payload=5600 rpayload=8344 dur=90s",
        expect![[r#"
            ICMPANOM.LargePayload 69 % after 90 s, 2 findings, 1 targets: 10.0.0.5 and 10.0.0.9 exchanged 100 echo requests and 206 replies in 90 s, 183 B of payload on average, up to 1.03 KiB
              replies_per_request >= replies_min and replies >= tunnel_packets_min; silent at replies_per_request 1.5, replies 20; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto icmp
        "#]],
    );
}

#[test]
fn tunnel_by_skew() {
    check::<IcmpAnomaly>(
        "10.0.0.5 <> 10.0.0.9 icmp 2000/20 4000/20 icmp=8/0 payload=1000 rpayload=3000 dur=90s
        @0s 10.0.0.6 <> 10.0.0.9 icmp 2000/19 4000/19 icmp=8/0 payload=1000 rpayload=3000 dur=90s",
        expect![[r#"
            ICMPANOM.LargePayload 99 % after 90 s, 2 findings, 1 targets: 10.0.0.5 and 10.0.0.9 exchanged 20 echo requests and 20 replies in 90 s, 100 B of payload on average, up to 0 B
              skew >= skew_min and requests >= tunnel_packets_min and replies >= tunnel_packets_min; silent at skew 0.2, requests 20, replies 20; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto icmp
        "#]],
    );
}

#[test]
fn large_payload_for_long() {
    check::<IcmpAnomaly>(
        "10.0.0.5 <> 10.0.0.9 icmp 142800/100 142800/100 icmp=8/0 icmppayload=1400 dur=100s
        @0s 10.0.0.6 <> 10.0.0.9 icmp 7140/5 7140/5 icmp=8/0 icmppayload=1400 dur=5s
        @0s 10.0.0.7 <> 10.0.0.9 icmp 8400/100 8400/100 icmp=8/0 icmppayload=56 dur=100s",
        expect![[r#"
            ICMPANOM.LargePayload 100 % after 100 s, 2 findings, 1 targets: 10.0.0.5 and 10.0.0.9 exchanged 100 echo requests and 100 replies in 100 s, 1.36 KiB of payload on average, up to 1.37 KiB
              payload > payload_min and packets >= payload_packets_min; silent at payload 200 B, packets 200; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto icmp
        "#]],
    );
}

#[test]
fn smurf() {
    check::<IcmpAnomaly>(
        "10.0.0.5 > 10.0.1.255 icmp 8400/100 icmp=8/0 mac=02:00:00:00:00:66 dur=30s
        @0s x20 10.0.0.5 < 10.0.1.{1..20} icmp 8400/100 icmp=0/0 dur=30s
        # Somebody pings the broadcast address by hand.
        @0s 10.0.0.6 > 10.0.1.255 icmp 420/5 icmp=8/0 dur=5s\n@0s x20 10.0.0.6 < 10.0.1.{1..20} icmp 336/4 icmp=0/0 dur=5s",
        expect![[r#"
            ICMPANOM.SmurfAttack 50 % after 30 s, 2 findings, 20 targets: In the name of 10.0.0.5, 100 echo requests went to broadcast addresses in 30 s; 20 hosts sent it 2000 replies
              broadcast_per_minute >= smurf_per_minute_min and repliers >= smurf_repliers_min; silent at broadcast_per_minute 100, repliers 3; src ip 10.0.0.5 and proto icmp
        "#]],
    );
}

/// Records of one direction: the replies lie in records of their own and count for the host whose name was used. Alone
/// they say nothing, and whoever replies asks nobody.
#[test]
fn smurf_by_one_way_records() {
    let replies = "@0s x20 10.0.1.{1..20} > 10.0.0.5 icmp 84000/1000 icmp=0/0 dur=30s reverse=unknown";
    check::<IcmpAnomaly>(
        &format!("10.0.0.5 > 10.0.1.255 icmp 8400/100 icmp=8/0 dur=29s reverse=unknown\n{replies}"),
        expect![[r#"
            ICMPANOM.SmurfAttack 50 % after 30 s, 2 findings, 20 targets: In the name of 10.0.0.5, 100 echo requests went to broadcast addresses in 30 s; 20 hosts sent it 20,000 replies
              broadcast_per_minute >= smurf_per_minute_min and repliers >= smurf_repliers_min; silent at broadcast_per_minute 100, repliers 3; src ip 10.0.0.5 and proto icmp
        "#]],
    );
    check::<IcmpAnomaly>(replies, expect![[""]]);
}

#[test]
fn unreachables_above_habit() {
    let habit = "every 60s x70 10.0.0.1 > 10.0.0.{5,6,7} icmp 800/8 icmp=3/3\n";
    check::<IcmpAnomaly>(
        &format!(
            "{habit}x10 10.0.0.1 > 10.0.0.5 icmp 5600/56 icmp=3/3\n@70min x9 10.0.0.1 > 10.0.0.6 icmp 1000/10 icmp=3/1"
        ),
        expect![[r#"
            ICMPANOM.DestinationUnreachIP 100 % after 4200 s, 2 findings, 0 targets: 10.0.0.5 was told 560 times in 5 min that its destination is unreachable, usually 13.7 times
              unreachables >= unreachables_min and unreachables > unreachables_usual_max and intervals >= intervals_min; silent at unreachables 100, unreachables 41.1, intervals 12; dst ip 10.0.0.5 and proto icmp
            ICMPANOM.DestinationUnreachNetwork 66 % after 4200 s, 2 findings, 0 targets: 650 destination unreachable messages in 5 min, usually 40, most of them to 10.0.0.5
              unreachables >= unreachables_min and unreachables > unreachables_usual_max and intervals >= intervals_min; silent at unreachables 500, unreachables 120, intervals 12; dst ip 10.0.0.5 and proto icmp
        "#]],
    );
}
