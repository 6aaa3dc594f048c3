//! Lists of relays, handshakes without a list, and what is neither.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

const LIST: &str = r#"{"relays": ["198.51.100.7:9001", "198.51.100.8", "[2001:db8::9]:443"]}"#;

#[test]
fn a_client_and_an_exit() {
    check_with::<Tor>(
        LIST,
        "@0s 10.0.0.5 <> 198.51.100.7:9001 tcp APS 60KiB/120 900KiB/700 dur=60s
         @5s 10.0.0.5 <> 198.51.100.8:443 tcp APS 9000/30 20000/30 dur=9s
         @9s fd00::5 <> [2001:db8::9]:443 tcp APS 9000/30 20000/30 dur=9s
         @20s 198.51.100.7 <> 10.0.0.80:80 tcp APSF 900/8 9000/9 dur=1s",
        expect![[r#"
            TOR.ClientDirectAccess 100 % after 14 s, 2 findings, 2 targets: 10.0.0.5 contacted Tor relays (2 targets) with 2 flows in 60 s; 68.8 KiB sent, 920 KiB received, answered: yes
              flows >= flows_min; silent at flows 1; src ip 10.0.0.5
            TOR.ClientDirectAccess 100 % after 18 s, 2 findings, 1 targets: fd00::5 contacted Tor relays ([2001:db8::9]:443) with 1 flows in 9 s; 8.79 KiB sent, 19.5 KiB received, answered: yes
              flows >= flows_min; silent at flows 1; src ip fd00::5 and dst ip 2001:db8::9
            TOR.ServerAccess 100 % after 21 s, 2 findings, 1 targets: the Tor relay 198.51.100.7 contacted 10.0.0.80:80 with 1 flows in 1 s; 900 B sent, 8.79 KiB received, answered: yes
              flows >= flows_min; silent at flows 1; src ip 198.51.100.7 and dst ip 10.0.0.80
        "#]],
    );
}

/// Another port of a relay, nobody answers, a host that is nobody's relay, both inside, and not watched.
#[test]
fn nothing_of_the_kind() {
    check_with::<Tor>(
        LIST,
        "@0s 10.0.0.5 <> 198.51.100.7:443 tcp APSF 9000/30 20000/30
         @1s 10.0.0.5 > 198.51.100.7:9001 tcp S 180/3
         @2s 10.0.0.5 <> 198.51.100.7:9001 tcp S/RA 60/1 40/1
         @3s 198.51.100.7 > 10.0.0.80:22 tcp S 60/1
         @4s 10.0.0.5 <> 203.0.113.9:9001 tcp APSF 9000/30 20000/30",
        expect![[""]],
    );
    check_with::<Tor>(
        r#"{"relays": ["198.51.100.8"], "monitored_devices": ["10.9.0.0/16"]}"#,
        "10.0.0.5 <> 198.51.100.8:443 tcp APSF 9000/30 20000/30",
        expect![[""]],
    );
    check_with::<Tor>(
        r#"{"relays": ["198.51.100.8"], "flows_min": 2}"#,
        "10.0.0.5 <> 198.51.100.8:443 tcp APSF 9000/30 20000/30",
        expect![[""]],
    );
}

#[test]
fn without_a_list_it_says_so() {
    check::<Tor>(
        "10.0.0.5 <> 198.51.100.7:9001 tcp APSF 9000/30 20000/30",
        expect![[""]],
    );
    let instance = crate::testing::instance::<Tor>("{}");
    let missing: Vec<_> = instance
        .blind
        .iter()
        .map(|(submethod, needs)| format!("{submethod}: {}", needs[0].words()))
        .collect();
    assert_eq!(
        missing,
        [
            "ClientDirectAccess: a list of relays in methods.tor.relays",
            "ServerAccess: a list of relays in methods.tor.relays"
        ]
    );
    assert!(crate::testing::instance::<Tor>(LIST).blind.is_empty());
}

/// Two relays, each with names by lot.
#[test]
fn a_handshake_needs_no_list() {
    let text = "tx tls/handshake every 9s x2 10.0.0.5 <> 203.0.113.{1,2}:443 tls.sni=www.ct7ctrgb6cr7.com tls.cert_subject=CN=www.g6ghvisevf3ibuu5.net tls.cert_issuer=CN=www.xkgk7fdx362yyyxib.com";
    check::<Tor>(
        text,
        expect![[r#"
        TOR.ClientHandshake 100 % after 0 s, 2 findings, 2 targets: 10.0.0.5 entered Tor at 2 targets: 2 TLS handshakes in 9 s ask for a name made up by lot (www.ct7ctrgb6cr7.com) and get a certificate made up by lot (CN=www.g6ghvisevf3ibuu5.net)
          handshakes >= handshakes_min; silent at handshakes 1; src ip 10.0.0.5
    "#]],
    );
    // A site whose certificate names it; one from an ordinary issuer; one that has no name; a letter base32 lacks.
    for (from, to) in [
        ("www.g6ghvisevf3ibuu5.net", "www.ct7ctrgb6cr7.com"),
        ("CN=www.xkgk7fdx362yyyxib.com", "CN=R11"),
        ("tls.sni=www.ct7ctrgb6cr7.com", "tls.version=1.2"),
        ("www.g6ghvisevf3ibuu5.net", "www.g1ghvisevf3ibuu5.net"),
    ] {
        let other = text.replace(from, to);
        assert_ne!(other, text);
        check::<Tor>(&other, expect![[""]]);
    }
}
