//! Strangers, floods and habits; renewals, relays and pairs of servers that must stay quiet.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

const RENEWALS: &str = "
 tx dhcp/lease every 5min x20 10.0.0.{20..39}:68 > 10.0.0.1:67 dhcp.message=REQUEST dhcp.client_mac=02:00:00:00:00:{20..39}
 @1s tx dhcp/lease every 5min x20 10.0.0.{20..39}:68 > 10.0.0.1:67 outcome=accepted dhcp.message=ACK dhcp.server_ip=10.0.0.1 dhcp.client_mac=02:00:00:00:00:{20..39}
";

fn offers(count: u32, server: &str) -> String {
    format!(
        "@90min tx dhcp/lease every 1s x{count} 255.255.255.255:68 > {server}:67 dhcp.message=OFFER \
         dhcp.server_ip={server} dhcp.client_mac=02:00:00:00:00:{{50..59}}"
    )
}

#[test]
fn a_stranger_among_known_servers() {
    check::<DhcpAnomaly>(
        &format!("{RENEWALS}{}", offers(2, "10.0.0.66")),
        expect![[r#"
        DHCPANOM.FakeServer 100 % after 5401 s, 3 findings, 1 targets: 10.0.0.66 gave addresses to 2 clients as a DHCP server in 1 s; 10.0.0.1 had answered before
          newcomer_answers >= answers_min and known_answers >= known_answers_min and known_for >= known_for_min; silent at newcomer_answers 2, known_answers 10, known_for 60 min; dst ip 10.0.0.66 and proto udp and dst port 67
    "#]],
    );
    // One answer, a server that was there from the start, and one that came too early to be a stranger.
    check::<DhcpAnomaly>(&format!("{RENEWALS}{}", offers(1, "10.0.0.66")), expect![[""]]);
    check_with::<DhcpAnomaly>(
        r#"{"known_for_min_min": 91}"#,
        &format!("{RENEWALS}{}", offers(9, "10.0.0.66")),
        expect![[""]],
    );
}

#[test]
fn a_server_that_is_not_on_the_list() {
    let text = format!("{RENEWALS}{}", offers(2, "10.0.0.66"));
    check_with::<DhcpAnomaly>(
        r#"{"dhcp_servers": ["10.0.0.1/32"]}"#,
        &text,
        expect![[r#"
        DHCPANOM.FakeServer 100 % after 5401 s, 3 findings, 1 targets: 10.0.0.66 gave addresses to 2 clients as a DHCP server in 1 s; 10.0.0.1 had answered before
          unlisted_answers >= answers_min; silent at unlisted_answers 2; dst ip 10.0.0.66 and proto udp and dst port 67
    "#]],
    );
    check_with::<DhcpAnomaly>(r#"{"dhcp_servers": ["10.0.0.0/24"]}"#, &text, expect![[""]]);
}

/// A relay that names itself as the server, and another VLAN with its own server.
#[test]
fn relays_and_other_networks() {
    check::<DhcpAnomaly>(
        &format!(
            "{RENEWALS}
             @90min tx dhcp/lease every 1s x9 10.0.9.1:67 > 10.0.0.7:67 dhcp.message=OFFER dhcp.server_ip=10.0.9.1 dhcp.relay_ip=10.0.9.1
             @90min tx dhcp/lease every 1s x9 10.1.0.9:68 > 10.1.0.1:67 dhcp.message=OFFER dhcp.server_ip=10.1.0.1 vlan=7"
        ),
        expect![[""]],
    );
}

#[test]
fn other_hardware() {
    let known = "every 5min x20 10.0.0.{20..39}:68 <> 10.0.0.1:67 udp 300/1 300/1 rmac=02:00:00:00:00:01\n";
    let change = "every 1s x2 10.0.0.{20..39}:68 <> 10.0.0.1:67 udp 300/1 300/1 rmac=02:00:00:00:00:66";
    check::<DhcpAnomaly>(
        &format!("{known}{change}"),
        expect![[r#"
        DHCPANOM.ServerChange 50 % after 6001 s, 2 findings, 0 targets: the DHCP server 10.0.0.1 answers from 02:00:00:00:00:66, until now from 02:00:00:00:00:01
          changed_answers >= answers_min and known_answers >= known_answers_min and known_for >= known_for_min; silent at changed_answers 2, known_answers 10, known_for 60 min; dst ip 10.0.0.1 and proto udp and dst port 67
    "#]],
    );
    // One answer only; and a change after too short a time.
    check::<DhcpAnomaly>(&format!("{known}{}", change.replace("x2", "x1")), expect![[""]]);
    check::<DhcpAnomaly>(&format!("{}{change}", known.replace("x20", "x9")), expect![[""]]);
}

#[test]
fn a_client_without_end() {
    let text = |count| {
        format!(
            "tx dhcp/lease every 20ms x{count} 10.0.{{1,2}}.{{1..250}}:68 > 10.0.0.1:67 dhcp.message=INFORM \
             dhcp.client_mac=02:00:00:00:00:66"
        )
    };
    check::<DhcpAnomaly>(
        &text(100),
        expect![[r#"
        DHCPANOM.OversendingClientIP 50 % after 1 s, 2 findings, 0 targets: 02:00:00:00:00:66 sent 100 DHCP messages in 1.98 s under 101 addresses, usually 0 in five minutes
          messages >= flood_min; silent at messages 100; src mac 02:00:00:00:00:66 and proto udp and dst port 67
    "#]],
    );
    check::<DhcpAnomaly>(&text(99), expect![[""]]);
}

/// Fifty renewals of ten clients, of which one sends thirty more.
#[test]
fn a_client_beyond_its_neighbours() {
    let text = |count| {
        format!(
            "tx dhcp/lease every 1s x50 10.0.0.{{1..10}}:68 > 10.0.0.1:67 dhcp.message=REQUEST dhcp.client_mac=02:00:00:00:00:{{10..19}}
             tx dhcp/lease every 1s x{count} 10.0.0.20:68 > 10.0.0.1:67 dhcp.message=REQUEST dhcp.client_mac=02:00:00:00:00:66"
        )
    };
    check::<DhcpAnomaly>(
        &text(30),
        expect![[r#"
        DHCPANOM.OversendingClientNetwork 90 % after 79 s, 2 findings, 0 targets: 02:00:00:00:00:66 sent 30 DHCP messages in 79 s, 10 other clients 5 each
          messages > others_max and messages >= oversending_min and clients >= clients_min; silent at messages 15, messages 30, clients 5; src mac 02:00:00:00:00:66 and proto udp and dst port 67
    "#]],
    );
    check::<DhcpAnomaly>(&text(29), expect![[""]]);
}

/// An hour of habit (shortened from a day), then ten times as much; and just below the limits.
#[test]
fn habits() {
    let params = r#"{"intervals_min": 12, "flood_min": 1000}"#;
    let habit = "tx dhcp/lease every 3s x1300 10.0.0.{20..39}:68 > 10.0.0.1:67 outcome=accepted dhcp.message=ACK dhcp.server_ip=10.0.0.1\n";
    let burst = |count| {
        format!(
            "@4200s tx dhcp/lease every 500ms x{count} 10.0.0.{{20..39}}:68 > 10.0.0.1:67 outcome=accepted dhcp.message=ACK dhcp.server_ip=10.0.0.1"
        )
    };
    check_with::<DhcpAnomaly>(
        params,
        &format!("{habit}{}", burst(400)),
        expect![[r#"
        DHCPANOM.ServerOverloadNetwork 68 % after 4350 s, 2 findings, 0 targets: 400 DHCP messages were answered within five minutes, usually 100; 10.0.0.1 answered most
          answers > answers_usual_max and answers >= overload_min and intervals >= intervals_min; silent at answers 300, answers 200, intervals 12; dst ip 10.0.0.1 and proto udp and dst port 67
        DHCPANOM.ServerOverloadIP 68 % after 4350 s, 2 findings, 0 targets: 10.0.0.1 answered 400 DHCP messages within five minutes, usually 100
          answers > answers_usual_max and answers >= overload_min and intervals >= intervals_min; silent at answers 300, answers 200, intervals 12; dst ip 10.0.0.1 and proto udp and dst port 67
    "#]],
    );
    check_with::<DhcpAnomaly>(params, &format!("{habit}{}", burst(199)), expect![[""]]);
    let client = "tx dhcp/lease every 100s x40 10.0.0.5:68 > 10.0.0.1:67 dhcp.message=REQUEST dhcp.client_mac=02:00:00:00:00:05\n";
    let more = "@4200s tx dhcp/lease every 2s x30 10.0.0.5:68 > 10.0.0.1:67 dhcp.message=REQUEST dhcp.client_mac=02:00:00:00:00:05";
    check_with::<DhcpAnomaly>(
        params,
        &format!("{client}{more}"),
        expect![[r#"
        DHCPANOM.OversendingClientIP 100 % after 4258 s, 2 findings, 0 targets: 02:00:00:00:00:05 sent 30 DHCP messages in 58 s under 1 addresses, usually 2.86 in five minutes
          messages > messages_usual_max and messages >= oversending_min and intervals >= intervals_min; silent at messages 8.57, messages 30, intervals 12; src mac 02:00:00:00:00:05 and proto udp and dst port 67
    "#]],
    );
    check::<DhcpAnomaly>(&format!("{client}{more}"), expect![[""]]);
}
