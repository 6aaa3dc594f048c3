//! Unknown servers and spammers; offices, newsletters and servers.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

/// Five stations with 72 mails an hour each, through the network's server.
const OFFICE: &str = "@0s tx smtp/mail every 10s x720 10.0.0.{11..15} <> 10.0.0.25:25 smtp.code=250\n";
const SERVERS: &str = r#"{"servers_filter": ["10.0.0.25/32"]}"#;

#[test]
fn unknown_servers() {
    check_with::<SmtpAnomaly>(
        SERVERS,
        "@0s 10.0.0.5 <> 203.0.113.25:25 tcp APSF 9000/20 2000/20 app=smtp dur=2s
         @9s 10.0.0.5 <> 203.0.113.26:465 tcp APSF 9000/20 2000/20 dur=2s",
        expect![[r#"
            SMTPANOMALY.UndefinedServer 100 % after 2 s, 2 findings, 2 targets: 10.0.0.5 sends mail past this network's servers, through 2 targets; connections in 11 s: 2
              flows >= one; silent at flows 1; src ip 10.0.0.5
        "#]],
    );
    check_with::<SmtpAnomaly>(
        r#"{"servers_filter": ["10.0.0.25/32"], "strict_mode": true}"#,
        "10.0.0.25 <> 203.0.113.26:25 tcp APSF 9000/20 2000/20",
        expect![[r#"
            SMTPANOMALY.UndefinedServer 100 % after 0 s, 2 findings, 1 targets: 10.0.0.25 sends mail past this network's servers, through 203.0.113.26:25; connections in 0 s: 1
              flows >= one; silent at flows 1; src ip 10.0.0.25 and dst ip 203.0.113.26 and dst port 25
        "#]],
    );
}

/// The own server from inside and from outside, the server's own mail, a scan, ports that do not count, no filter.
#[test]
fn known_servers() {
    check_with::<SmtpAnomaly>(
        SERVERS,
        "@0s 10.0.0.5 <> 10.0.0.25:25 tcp APSF 9000/20 2000/20
         @1s 203.0.113.9 <> 10.0.0.25:25 tcp APSF 9000/20 2000/20
         @2s 10.0.0.25 <> 203.0.113.26:25 tcp APSF 9000/20 2000/20
         @3s every 1s x30 10.0.0.5 > 203.0.113.{1..30}:25 tcp S 60/1",
        expect![[""]],
    );
    check_with::<SmtpAnomaly>(
        r#"{"servers_filter": ["10.0.0.25/32"], "ignore_secured_smtp": true, "ignore_tcp587": true}"#,
        "@0s 10.0.0.5 <> 203.0.113.25:465 tcp APSF 9000/20 2000/20
         @1s 10.0.0.5 <> 203.0.113.25:587 tcp APSF 9000/20 2000/20",
        expect![[""]],
    );
    check::<SmtpAnomaly>(
        "10.0.0.5 <> 203.0.113.25:25 tcp APSF 9000/20 2000/20",
        expect![[""]],
    );
    let blind = crate::testing::instance::<SmtpAnomaly>("{}").blind;
    assert_eq!(blind[0].0, "UndefinedServer");
}

#[test]
fn a_spammer_among_stations() {
    check::<SmtpAnomaly>(
        &format!(
            "{OFFICE}@60min tx smtp/mail every 2s x900 10.0.0.66 <> 198.51.100.{{1..7}}:25 smtp.code=250"
        ),
        expect![[r#"
            SMTPANOMALY.SpammingClient 62 % after 4920 s, 2 findings, 7 targets: 10.0.0.66 sent 811 mails to 7 servers in 27 min; the mean of 5 others is 66 in an hour
              mails > mails_max and mails >= minimal_mail_limit and stations >= stations_min; silent at mails 660, mails 30, stations 3; src ip 10.0.0.66 and proto tcp
        "#]],
    );
}

/// Nobody to compare with, under TLS: 300 connections to 20 servers.
#[test]
fn a_spammer_alone() {
    check::<SmtpAnomaly>(
        "every 10s x300 10.0.0.66 <> 198.51.100.{1..20}:25 tcp APSF 6000/20 1500/16 app=tls dur=3s",
        expect![[r#"
            SMTPANOMALY.SpammingClient 50 % after 2993 s, 2 findings, 20 targets: 10.0.0.66 sent 300 mails to 20 servers in 49.9 min; the mean of 0 others is 0 in an hour
              mails >= spam_counter and servers >= spam_servers_min; silent at mails 300, servers 20; src ip 10.0.0.66 and proto tcp
        "#]],
    );
}

/// Nine times the mean; 299 mails; all to one relay; a mail server; a newsletter.
#[test]
fn below_the_limits() {
    check::<SmtpAnomaly>(
        &format!("{OFFICE}@60min tx smtp/mail every 5s x650 10.0.0.66 <> 198.51.100.7:25 smtp.code=250"),
        expect![[""]],
    );
    check::<SmtpAnomaly>(
        "every 10s x299 10.0.0.66 <> 198.51.100.{1..20}:25 tcp APSF 6000/20 1500/16 dur=3s",
        expect![[""]],
    );
    check::<SmtpAnomaly>(
        "every 2s x900 10.0.0.66 <> 198.51.100.7:25 tcp APSF 6000/20 1500/16 dur=3s",
        expect![[""]],
    );
    check::<SmtpAnomaly>(
        "@0s 198.51.100.1 <> 10.0.0.25:25 tcp APSF 6000/20 1500/16 dur=3s
         @9s every 2s x900 10.0.0.25 <> 198.51.100.{1..90}:25 tcp APSF 6000/20 1500/16 dur=3s",
        expect![[""]],
    );
    check_with::<SmtpAnomaly>(
        r#"{"exclude_mail_servers": ["10.0.0.66/32"]}"#,
        "every 2s x900 10.0.0.66 <> 198.51.100.{1..90}:25 tcp APSF 6000/20 1500/16 dur=3s",
        expect![[""]],
    );
}
