//! Aliens of each kind, and those who belong here.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

#[test]
fn outside_the_allowed() {
    check_with::<AlienDevice>(
        r#"{"known_segment": ["10.0.0.0/24"]}"#,
        "@0s 10.0.0.5 <> 10.0.0.1:53 udp 60/1 90/1
         @1s 10.0.7.5 <> 10.0.0.1:53 udp 60/1 90/1
         @2s 203.0.113.5 <> 10.0.0.1:53 udp 60/1 90/1
         @3s 10.0.8.5 > 10.0.0.1:53 udp 60/1",
        expect![[r#"
            ALIENDEV.KnownSegment 100 % after 1 s, 2 findings, 0 targets: 10.0.7.5 is none of the allowed addresses; flows in 0 s: 1
              flows >= one; silent at flows 1; src ip 10.0.7.5
        "#]],
    );
}

/// Each hour for eight days from ten addresses; then an eleventh.
const KNOWN: &str = "@0s every 10min x1200 10.0.0.{1..10} <> 10.0.9.1:53 udp 60/1 90/1\n";

#[test]
fn a_new_address() {
    check::<AlienDevice>(
        &format!("{KNOWN}@8d every 1s x40 10.0.0.77 <> 10.0.9.1:53 udp 60/1 90/1"),
        expect![[r#"
            ALIENDEV.IPBased 58 % after 691200 s, 2 findings, 0 targets: 10.0.0.77 was never seen in its network, which has been learned for 8 days
              learned >= season; silent at learned 7; src ip 10.0.0.77
        "#]],
    );
}

/// An hour before the season is over; nobody answers; not watched; switched off.
#[test]
fn nothing_new() {
    check::<AlienDevice>(
        &format!("{KNOWN}@167h every 1s x40 10.0.0.77 <> 10.0.9.1:53 udp 60/1 90/1"),
        expect![[""]],
    );
    check::<AlienDevice>(
        &format!("{KNOWN}@7d every 1s x400 10.0.0.{{77..99}} > 10.0.9.1:53 udp 60/1"),
        expect![[""]],
    );
    let alien = format!("{KNOWN}@8d every 1s x40 10.0.0.77 <> 10.0.9.1:53 udp 60/1 90/1");
    check_with::<AlienDevice>(r#"{"lan_filter": ["10.0.5.0/24"]}"#, &alien, expect![[""]]);
    check_with::<AlienDevice>(r#"{"closed_season_d": 0}"#, &alien, expect![[""]]);
}

const CARDS: &str = "@0s tx arp/query every 12h x16 10.0.0.5 <> 10.0.0.1 arp.sender_mac=00:16:3e:00:00:05 arp.sender_ip=10.0.0.5\n";

#[test]
fn a_new_card() {
    check::<AlienDevice>(
        &format!(
            "{CARDS}@7d tx arp/query 10.0.0.77 <> 10.0.0.1 arp.sender_mac=00:16:3e:00:00:77 arp.sender_ip=10.0.0.77
             @7d tx dhcp/lease 10.0.0.78 <> 10.0.0.1:67 dhcp.client_mac=00:16:3e:00:00:78 dhcp.your_ip=10.0.0.78"
        ),
        expect![[r#"
            ALIENDEV.MACBased 50 % after 604800 s, 2 findings, 1 targets: the device 00:16:3e:00:00:77 (10.0.0.77) was never seen in this network, which has been learned for 7 days
              learned >= season; silent at learned 7; src mac 00:16:3e:00:00:77
            ALIENDEV.MACBased 50 % after 604800 s, 2 findings, 1 targets: the device 00:16:3e:00:00:78 (10.0.0.78) was never seen in this network, which has been learned for 7 days
              learned >= season; silent at learned 7; src mac 00:16:3e:00:00:78
        "#]],
    );
}

/// An hour early; drawn by lot; a virtual router.
#[test]
fn no_new_card() {
    let card = |at: &str, mac: &str| {
        format!(
            "{CARDS}@{at} tx arp/query 10.0.0.77 <> 10.0.0.1 arp.sender_mac={mac} arp.sender_ip=10.0.0.77"
        )
    };
    for text in [
        card("167h", "00:16:3e:00:00:77"),
        card("7d", "02:16:3e:00:00:77"),
        card("7d", "00:00:5e:00:01:07"),
    ] {
        check::<AlienDevice>(&text, expect![[""]]);
    }
}
