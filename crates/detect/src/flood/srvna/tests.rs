//! Services that stop; scans, hosts that are not there, backscatter and collectors of logs that must stay quiet.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

const WORKS: &str = "every 1s x60 10.0.0.{11..14} <> 10.0.0.9:445 tcp APRSF 900/8 800/7\n";

#[test]
fn a_service_stops() {
    check::<ServiceNotAvailable>(
        &format!("{WORKS}@400s every 2s x21 10.0.0.{{11..13}} > 10.0.0.9:445 tcp S 180/3"),
        expect![[r#"
            SRVNA.TCPService 53 % after 438 s, 2 findings, 3 targets: tcp/445 of 10.0.0.9 left 21 tries of 3 clients without an answer in 40 s
              failures >= attempts_min and clients >= clients_min and share >= relative_unsuccessful and answered_before >= once; silent at failures 20, clients 3, share 0.8, answered_before 1; dst ip 10.0.0.9 and proto tcp and dst port 445
        "#]],
    );
    // Nineteen tries; two clients; two of five clients still get through.
    check::<ServiceNotAvailable>(
        &format!("{WORKS}@400s every 2s x19 10.0.0.{{11..13}} > 10.0.0.9:445 tcp S 180/3"),
        expect![[""]],
    );
    check::<ServiceNotAvailable>(
        &format!("{WORKS}@400s every 2s x50 10.0.0.{{11..12}} > 10.0.0.9:445 tcp S 180/3"),
        expect![[""]],
    );
    check::<ServiceNotAvailable>(
        &format!(
            "{WORKS}@400s every 20s x7 10.0.0.{{14..15}} <> 10.0.0.9:445 tcp APRSF 900/8 800/7
             @402s every 2s x50 10.0.0.{{11..13}} > 10.0.0.9:445 tcp S 180/3"
        ),
        expect![[""]],
    );
}

/// It stops a minute after it answered everybody, within the same five minutes: told once nobody is answered for half a
/// minute. One that is back after twenty seconds, and one that answers anybody now and then, are not.
#[test]
fn a_service_stops_within_the_interval() {
    let text = |stopped: &str| {
        format!("every 1s x60 10.0.0.{{11..14}} <> 10.0.0.9:445 tcp APRSF 900/8 800/7\n{stopped}")
    };
    check::<ServiceNotAvailable>(
        &text("@60s every 1s x40 10.0.0.{11..13} <> 10.0.0.9:445 tcp S/RA 60/1 40/1"),
        expect![[r#"
            SRVNA.TCPServiceReset 90 % after 90 s, 2 findings, 3 targets: tcp/445 of 10.0.0.9 refused 40 of 40 tries of 3 clients in 39 s
              outage_failures >= attempts_min and outage_clients >= clients_min and outage >= outage_s and answered_before >= once; silent at outage_failures 20, outage_clients 3, outage 30 s, answered_before 1; dst ip 10.0.0.9 and proto tcp and dst port 445
        "#]],
    );
    check::<ServiceNotAvailable>(
        &text(
            "@60s every 0.5s x40 10.0.0.{11..13} <> 10.0.0.9:445 tcp S/RA 60/1 40/1
             @81s every 1s x30 10.0.0.{11..14} <> 10.0.0.9:445 tcp APRSF 900/8 800/7",
        ),
        expect![[""]],
    );
    check::<ServiceNotAvailable>(
        &text(
            "@60s every 1s x60 10.0.0.{11..13} <> 10.0.0.9:445 tcp S/RA 60/1 40/1
             @70s every 12s x5 10.0.0.14 <> 10.0.0.9:445 tcp APRSF 900/8 800/7",
        ),
        expect![[""]],
    );
}

/// The host refuses on the port, silence is wanted otherwise.
#[test]
fn a_service_refuses() {
    let text = format!("{WORKS}@400s every 2s x21 10.0.0.{{11..13}} <> 10.0.0.9:445 tcp S/RA 60/1 40/1");
    check::<ServiceNotAvailable>(
        &text,
        expect![[r#"
        SRVNA.TCPServiceReset 53 % after 438 s, 2 findings, 3 targets: tcp/445 of 10.0.0.9 refused 21 of 21 tries of 3 clients in 40 s
          failures >= attempts_min and clients >= clients_min and share >= relative_unsuccessful and answered_before >= once; silent at failures 20, clients 3, share 0.8, answered_before 1; dst ip 10.0.0.9 and proto tcp and dst port 445
    "#]],
    );
    check_with::<ServiceNotAvailable>(
        r#"{"only_rejected": true}"#,
        &text.replace("<> 10.0.0.9:445 tcp S/RA 60/1 40/1", "> 10.0.0.9:445 tcp S"),
        expect![[""]],
    );
}

#[test]
fn a_name_server_stops() {
    let text = |count| {
        format!(
            "every 1s x10 10.0.0.{{11..14}} <> 10.0.0.1:53 udp 60/1 120/1
             @400s every 1s x{count} 10.0.0.{{11..14}} > 10.0.0.1:53 udp 60/1"
        )
    };
    check::<ServiceNotAvailable>(
        &text(20),
        expect![[r#"
        SRVNA.UDPService 50 % after 419 s, 2 findings, 4 targets: udp/53 of 10.0.0.1 left 20 questions of 4 clients without an answer in 19 s
          failures >= udp_threshold and clients >= clients_min and share >= relative_unsuccessful and answered_before >= udp_answers_min; silent at failures 20, clients 3, share 0.8, answered_before 10; dst ip 10.0.0.1 and proto udp and dst port 53
    "#]],
    );
    check::<ServiceNotAvailable>(&text(19), expect![[""]]);
}

/// Never answered, but the host is there and clients keep coming back; no host; the Internet knocking.
#[test]
fn a_service_that_never_was() {
    let tries = "@0s every 2s x30 10.0.0.{11..13} > 10.0.0.9:8080 tcp S 180/3\n";
    check::<ServiceNotAvailable>(
        &format!("@0s 10.0.0.11 <> 10.0.0.9:22 tcp APRSF 900/8 800/7\n{tries}"),
        expect![[r#"
            SRVNA.TCPService 75 % after 38 s, 2 findings, 3 targets: tcp/8080 of 10.0.0.9 left 30 tries of 3 clients without an answer in 58 s
              failures >= attempts_min and clients >= clients_min and share >= relative_unsuccessful and tries_per_client >= tries_per_client_min and alive == once; silent at failures 20, clients 3, share 0.8, tries_per_client 3, alive 1; dst ip 10.0.0.9 and proto tcp and dst port 8080
        "#]],
    );
    check::<ServiceNotAvailable>(tries, expect![[""]]);
    check::<ServiceNotAvailable>(
        "@0s 10.0.0.11 <> 10.0.0.9:22 tcp APRSF 900/8 800/7
         @1s every 100ms x900 198.51.100.{1..250} > 10.0.0.9:23 tcp S 60/1
         @1s every 100ms x900 198.{18..19}.1.{1..250} > 10.0.0.9:51413 tcp S 60/1",
        expect![[""]],
    );
}

/// One client on all ports; backscatter; records without the other direction; logs; an outside host that is down.
#[test]
fn not_services() {
    check::<ServiceNotAvailable>(
        &format!(
            "{WORKS}@400s every 5ms x4000 10.0.0.66 <> 10.0.0.9:{{1..1000}} tcp S/RA 60/1 40/1
             @400s every 5ms x4000 10.0.0.67 > 10.0.0.10:{{1..1000}} tcp S 60/1
             @400s every 50ms x400 198.51.100.{{1..250}} < 10.0.0.9:445 tcp SA 60/1
             @400s every 50ms x400 10.0.0.{{11..90}} > 10.0.0.9:514 udp 400/2
             @400s every 50ms x400 10.0.0.{{11..19}} > 203.0.113.9:443 tcp S 180/3"
        ),
        expect![[""]],
    );
}
