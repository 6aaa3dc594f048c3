//! Known resolvers by name and address, an unknown one by what its client does not do, and ordinary hosts.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

#[test]
fn known_resolvers() {
    check::<DohDetection>(
        "@0s tx tls/handshake 10.0.0.5 <> 104.16.248.249:443 tls.sni=mozilla.cloudflare-dns.com
         @1s 10.0.0.6 <> 8.8.8.8:443 tcp APSF 9000/60 20000/60 dur=30s
         @2s 10.0.0.7 <> 9.9.9.9:443 udp 9000/60 20000/60 dur=30s",
        expect![[r#"
            DOHDET.KnownServers 100 % after 0 s, 2 findings, 1 targets: 10.0.0.5 resolves names over HTTPS at 104.16.248.249:443 in 0 s, known by mozilla.cloudflare-dns.com: 0 B sent, 0 B received
              uses >= one; silent at uses 1; src ip 10.0.0.5 and dst port 443
            DOHDET.KnownServers 100 % after 31 s, 2 findings, 1 targets: 10.0.0.6 resolves names over HTTPS at 8.8.8.8:443 in 30 s, known by its address: 8.79 KiB sent, 19.5 KiB received
              uses >= one; silent at uses 1; src ip 10.0.0.6 and dst port 443
            DOHDET.KnownServers 100 % after 32 s, 2 findings, 1 targets: 10.0.0.7 resolves names over HTTPS at 9.9.9.9:443 in 30 s, known by its address: 8.79 KiB sent, 19.5 KiB received
              uses >= one; silent at uses 1; src ip 10.0.0.7 and dst port 443
        "#]],
    );
}

/// Plain DNS at the same address, a page of the operator, no answer, an allowed one, a host that is not watched.
#[test]
fn nothing_of_the_kind() {
    check::<DohDetection>(
        "@0s 10.0.0.5 <> 8.8.8.8:53 udp 60/1 120/1
         @1s tx tls/handshake 10.0.0.5 <> 203.0.113.9:443 tls.sni=www.cloudflare.com
         @2s 10.0.0.6 > 1.1.1.1:443 tcp S 180/3
         @3s 10.0.0.6 <> 1.1.1.1:443 tcp S/RA 60/1 40/1",
        expect![[""]],
    );
    check_with::<DohDetection>(
        r#"{"allowed": ["dns.google", "8.8.8.8"]}"#,
        "@0s tx tls/handshake 10.0.0.5 <> 8.8.8.8:443 tls.sni=dns.google
         @1s 10.0.0.6 <> 8.8.8.8:443 tcp APSF 9000/60 20000/60 dur=30s",
        expect![[""]],
    );
    check_with::<DohDetection>(
        r#"{"lan_filter": ["10.9.0.0/16"]}"#,
        "10.0.0.6 <> 8.8.8.8:443 tcp APSF 9000/60 20000/60 dur=30s",
        expect![[""]],
    );
}

#[test]
fn more_resolvers() {
    check_with::<DohDetection>(
        r#"{"resolver_names": ["doh.example.net"], "resolver_addresses": ["203.0.113.53"]}"#,
        "@0s tx tls/handshake 10.0.0.5 <> 203.0.113.9:443 tls.sni=doh.example.net
         @1s 10.0.0.6 <> 203.0.113.53:443 tcp APSF 9000/60 20000/60 dur=30s",
        expect![[r#"
            DOHDET.KnownServers 100 % after 0 s, 2 findings, 1 targets: 10.0.0.5 resolves names over HTTPS at 203.0.113.9:443 in 0 s, known by doh.example.net: 0 B sent, 0 B received
              uses >= one; silent at uses 1; src ip 10.0.0.5 and dst port 443
            DOHDET.KnownServers 100 % after 31 s, 2 findings, 1 targets: 10.0.0.6 resolves names over HTTPS at 203.0.113.53:443 in 30 s, known by its address: 8.79 KiB sent, 19.5 KiB received
              uses >= one; silent at uses 1; src ip 10.0.0.6 and dst port 443
        "#]],
    );
}

const SHAPE: &str = r#"{"behaviour": true}"#;
/// Ten web servers, and ten minutes of short questions.
const UNKNOWN: &str = "@0s every 50s x10 10.0.0.5 <> 198.51.100.{1..10}:443 tcp APSF 3000/20 40000/40 dur=4s
    @0s 10.0.0.5 <> 203.0.113.9:443 tcp APSF 30000/300 60000/300 dur=600s\n";

#[test]
fn an_unknown_resolver() {
    check_with::<DohDetection>(
        SHAPE,
        UNKNOWN,
        expect![[r#"
        DOHDET.BehavioralDetection 55 % after 600 s, 2 findings, 1 targets: 10.0.0.5 visited 11 web servers and asked 0 questions by plain DNS, beside 10 min with 203.0.113.9:443 of short questions (60 B) and answers (160 B)
          visited >= visited_min and plain <= plain_max and lasted >= session_min and question_bytes <= question_bytes_max and answer_bytes <= answer_bytes_max and rate >= rate_min; silent at visited 10, plain 0, lasted 10 min, question_bytes 160, answer_bytes 320, rate 600; src ip 10.0.0.5 and dst ip 203.0.113.9 and dst port 443
    "#]],
    );
}

/// Switched off; a question by plain DNS; a server less; a minute less; long answers; hardly a word.
#[test]
fn below_the_limits() {
    check::<DohDetection>(UNKNOWN, expect![[""]]);
    for text in [
        format!("{UNKNOWN}@9min 10.0.0.5 <> 10.0.0.1:53 udp 60/1 120/1"),
        UNKNOWN.replace("x10", "x8"),
        UNKNOWN.replace("600s", "599s"),
        UNKNOWN.replace("60000/300", "600000/300"),
        UNKNOWN
            .replace("30000/300", "14000/300")
            .replace("60000/300", "14000/300"),
    ] {
        check_with::<DohDetection>(SHAPE, &text, expect![[""]]);
    }
}
