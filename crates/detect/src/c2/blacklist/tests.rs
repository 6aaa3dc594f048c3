//! Each submethod: contact that is told, contact that is not, harmless traffic.

use expect_test::expect;

use super::*;
use crate::testing::{check, check_with};

/// A beacon, a visitor from outside that got an answer, a service with its port.
#[test]
fn hosts_and_services() {
    check::<Blacklist>(
        "@0s every 10min x6 10.0.0.5 <> 198.51.100.7:443 tcp APRSF 900/8 4000/7 sighted=drop|threat|address|responder|198.51.100.0/24
         @0s 203.0.113.9 <> 10.0.0.7:22 tcp APRSF 900/8 800/7 sighted=scanners|threat|address|initiator|203.0.113.9
         @0s x2 10.0.0.6 <> 192.0.2.9:4444 tcp APRSF 900/8 800/7 sighted=feodo|threat|service|responder|192.0.2.9:4444 sighted=drop|threat|address|responder|192.0.2.9",
        expect![[r#"
            BLACKLIST.Host 100 % after 0 s, 7 findings, 1 targets: 6 flows of 10.0.0.5 with 198.51.100.7 in 50 min: 198.51.100.0/24 is on drop (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.5 and dst ip 198.51.100.7
            BLACKLIST.Host 100 % after 0 s, 2 findings, 1 targets: 1 flow of 203.0.113.9 with 10.0.0.7 in 0 s: 203.0.113.9 is on scanners (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 203.0.113.9 and dst ip 10.0.0.7
            BLACKLIST.Host 100 % after 0 s, 2 findings, 1 targets: 2 flows of 10.0.0.6 with 192.0.2.9 in 0 s: 192.0.2.9 is on drop (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.6 and dst ip 192.0.2.9
            BLACKLIST.Service 100 % after 0 s, 2 findings, 1 targets: 2 flows of 10.0.0.6 with 192.0.2.9:4444 in 0 s: 192.0.2.9:4444 is on feodo (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.6 and dst ip 192.0.2.9 and dst port 4444
        "#]],
    );
}

#[test]
fn names_fingerprints_and_certificates() {
    check::<Blacklist>(
        "tx dns/query every 5min x3 10.0.0.5 > 10.0.0.1:53 sighted=names|threat|domain|dns|evil.example
         @0s tx tls/handshake 10.0.0.5 > 192.0.2.1:443 sighted=names|threat|domain|name|evil.example sighted=ja|threat|ja3|handshake|e7d705a3286e19ea42f587b344ee6865
         @0s tx tls/handshake 10.0.0.5 > 192.0.2.1:443 sighted=ja|threat|ja4|handshake|t13d1516h2_8daaf6152771_b186095e22b6 sighted=certs|threat|certificate|handshake|aabb
         @0s tx http/request 10.0.0.6 > 192.0.2.1:80 sighted=urls|threat|url|target|evil.example/a.exe
         @0s 10.0.0.6 <> 192.0.2.3:443 tcp APRSF 900/8 800/7 sighted=video|application|address|responder|192.0.2.3",
        expect![[r#"
            BLACKLIST.Domain 100 % after 0 s, 4 findings, 1 targets: 3 exchanges of 10.0.0.5 with 10.0.0.1:53 in 10 min: evil.example is on names (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.5 and dst ip 10.0.0.1 and dst port 53
            BLACKLIST.Web 100 % after 0 s, 2 findings, 1 targets: 1 exchange of 10.0.0.5 with 192.0.2.1:443 in 0 s: evil.example is on names (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.5 and dst ip 192.0.2.1 and dst port 443
            BLACKLIST.JA3 100 % after 0 s, 2 findings, 1 targets: 1 exchange of 10.0.0.5 with 192.0.2.1:443 in 0 s: e7d705a3286e19ea42f587b344ee6865 is on ja (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.5 and dst ip 192.0.2.1 and dst port 443
            BLACKLIST.JA4 100 % after 0 s, 2 findings, 1 targets: 1 exchange of 10.0.0.5 with 192.0.2.1:443 in 0 s: t13d1516h2_8daaf6152771_b186095e22b6 is on ja (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.5 and dst ip 192.0.2.1 and dst port 443
            BLACKLIST.Certificate 100 % after 0 s, 2 findings, 1 targets: 1 exchange of 10.0.0.5 with 192.0.2.1:443 in 0 s: aabb is on certs (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.5 and dst ip 192.0.2.1 and dst port 443
            BLACKLIST.Web 100 % after 0 s, 2 findings, 1 targets: 1 exchange of 10.0.0.6 with 192.0.2.1:80 in 0 s: evil.example/a.exe is on urls (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.6 and dst ip 192.0.2.1 and dst port 80
            BLACKLIST.Application 100 % after 0 s, 2 findings, 1 targets: 1 flow of 10.0.0.6 with 192.0.2.3 in 0 s: 192.0.2.3 is on video (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.6 and dst ip 192.0.2.3
        "#]],
    );
}

/// Failed knocks from outside, what ICMP calls unreachable; and an inside try that failed, which does count.
#[test]
fn attempts() {
    check::<Blacklist>(
        "@0s x9 203.0.113.9 > 10.0.0.7:22 tcp S 60/1 sighted=scanners|threat|address|initiator|203.0.113.9
         @0s x9 203.0.113.8 <> 10.0.0.7:22 tcp S/RA 60/1 40/1 sighted=scanners|threat|address|initiator|203.0.113.8
         @0s x2 10.0.0.4 > 192.0.2.1:53 udp 60/1 icmperr=3/1 sighted=drop|threat|address|responder|192.0.2.1
         @0s 10.0.0.5 > 192.0.2.1:443 tcp S 180/3 sighted=drop|threat|address|responder|192.0.2.1",
        expect![[r#"
            BLACKLIST.Host 100 % after 0 s, 2 findings, 1 targets: 1 flow of 10.0.0.5 with 192.0.2.1 in 0 s: 192.0.2.1 is on drop (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.5 and dst ip 192.0.2.1
        "#]],
    );
}

/// One contact fewer than wanted, a reputation that is not bad enough, ports and sources that do not count.
#[test]
fn below_the_limits() {
    let contacts = "@0s x2 10.0.0.5 <> 192.0.2.1:443 tcp APRSF 900/8 800/7 sighted=drop|threat|address|responder|192.0.2.1";
    check_with::<Blacklist>(r#"{"sightings_min": 3}"#, contacts, expect![[""]]);
    check_with::<Blacklist>(r#"{"score_max": 9}"#, contacts, expect![[""]]);
    check_with::<Blacklist>(r#"{"ignore_ports": [443]}"#, contacts, expect![[""]]);
    check_with::<Blacklist>(
        r#"{"ignore_sources": ["10.0.0.0/30", "10.0.0.5/32"]}"#,
        contacts,
        expect![[""]],
    );
}

/// What no list names, and what belongs to a briefing.
#[test]
fn harmless() {
    check::<Blacklist>(
        "@0s every 1s x50 10.0.0.5 <> 198.51.100.{1..50}:443 tcp APRSF 900/8 800/7
         tx dns/query every 1s x50 10.0.0.5 > 10.0.0.1:53 dns.query=a{1..50}.example
         @0s 10.0.0.5 <> 192.0.2.1:443 tcp APRSF 900/8 800/7 sighted=TookPS|bundle|address|responder|192.0.2.1",
        expect![[""]],
    );
}

/// A long flow in several records is one contact with all its bytes.
#[test]
fn a_long_flow_is_one_contact() {
    check::<Blacklist>(
        "@0s 10.0.0.5 <> 192.0.2.1:443 tcp APS 900/8 800/7 dur=5min phase=update sighted=drop|threat|address|responder|192.0.2.1",
        expect![[r#"
            BLACKLIST.Host 100 % after 300 s, 2 findings, 1 targets: 1 flow of 10.0.0.5 with 192.0.2.1 in 5 min: 192.0.2.1 is on drop (malware, reputation 10, confirmed 24 h before)
              sightings >= sightings_min and score <= score_max; silent at sightings 1, score 60; src ip 10.0.0.5 and dst ip 192.0.2.1
        "#]],
    );
}
