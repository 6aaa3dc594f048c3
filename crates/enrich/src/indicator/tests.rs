//! Lists of every format, whole and broken, through the snapshot to the record they mark.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use expect_test::{Expect, expect};
use ipnet::IpNet;
use proptest::prelude::*;
use weir_model::{Batch, Networks};
use weir_testkit::notation;

use super::snapshot::{CATEGORIES_MAX, LISTS_MAX};
use super::{Builder, ENTRIES_MAX, Entries, Entry, FORMATS, Format, ListSpec, Report, Snapshot, Value};
use crate::Enricher;

fn build(format: Format, text: &str) -> (Snapshot, Report) {
    let mut builder = Builder::new();
    let report = builder.list(ListSpec::new("test"), format, [text.as_bytes()]);
    (builder.finish(), report)
}

/// The report and what of the traffic is sighted.
fn check(format: Format, list: &str, traffic: &str, expect: Expect) {
    assert_eq!(Format::guess(list.as_bytes()), format, "the format is guessed");
    let (snapshot, report) = build(format, list);
    let mut shown = format!(
        "{} taken, {} bad, {} unseen\n",
        report.taken, report.bad, report.unseen
    );
    for fault in &report.faults {
        shown.push_str(&format!("{fault}\n"));
    }
    shown.push_str(&sighted(snapshot, traffic));
    expect.assert_eq(&shown);
}

fn sighted(snapshot: Snapshot, traffic: &str) -> String {
    let mut enricher = Enricher::new(Some(Networks::private()));
    enricher.follow(Arc::new(crate::Slot::new(Some(Arc::new(snapshot)))));
    let batches = enricher.push(notation::batch(traffic));
    let mut shown = String::new();
    for Batch {
        flows, transactions, ..
    } in &batches
    {
        let of_flows = flows.iter().map(|flow| (&flow.key, &flow.sightings));
        let of_transactions = transactions.iter().map(|one| (&one.key, &one.sightings));
        for (key, sightings) in of_flows.chain(of_transactions) {
            for seen in sightings.iter().flat_map(|sightings| sightings.iter()) {
                let days = seen.age_s.map(|age| age / 86_400);
                shown.push_str(&format!(
                    "{} > {} {:?} {}: {} [{}] score {} days {days:?}\n",
                    key.initiator_ip,
                    key.responder_ip,
                    seen.at,
                    seen.kind.word(),
                    seen.indicator,
                    seen.category,
                    seen.score
                ));
            }
        }
    }
    shown
}

#[test]
fn plain_lists() {
    check(
        Format::Plain,
        "\u{feff}# a list\r\n198.51.100.0/24 ; SBL1\r\n198.51.100.7\r\nevil.example # why\r\n\r\n203.0.113.1 - 203.0.113.2\r\n\
         2001:db8::/32\r\n0.0.0.0/0\r\nco.uk\r\nnot an indicator\r\n192.0.2.9:4444",
        "10.0.0.5 <> 198.51.100.7:443 tcp
         198.51.100.9 > 10.0.0.5:22 tcp S
         10.0.0.5 <> 203.0.113.2:53 udp
         10.0.0.5 <> 192.0.2.9:4444 tcp
         10.0.0.5 <> 192.0.2.9:4445 tcp
         2001:db8::1 <> fd00::1:80 tcp
         10.0.0.5 <> 203.0.113.3:53 udp
         tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=WWW.evil.example
         tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=notevil.example
         tx tls/handshake 10.0.0.5 > 192.0.2.1:443 tls.sni=evil.example",
        expect![[r#"
            7 taken, 3 bad, 0 unseen
            line 8: 0.0.0.0/0 is too wide: at least /8 is wanted
            line 9: co.uk is a public suffix: it would match everybody below it
            line 10: not is one word, not a domain
            10.0.0.5 > 198.51.100.7 Responder address: 198.51.100.7 [listed] score 10 days None
            10.0.0.5 > 198.51.100.7 Responder address: 198.51.100.0/24 [listed] score 10 days None
            198.51.100.9 > 10.0.0.5 Initiator address: 198.51.100.0/24 [listed] score 10 days None
            10.0.0.5 > 203.0.113.2 Responder address: 203.0.113.2 [listed] score 10 days None
            10.0.0.5 > 192.0.2.9 Responder service: 192.0.2.9:4444 [listed] score 10 days None
            2001:db8::1 > fd00::1:80 Initiator address: 2001:db8::/32 [listed] score 10 days None
            10.0.0.5 > 10.0.0.1 DnsName domain: evil.example [listed] score 10 days None
            10.0.0.5 > 192.0.2.1 WebName domain: evil.example [listed] score 10 days None
        "#]],
    );
}

#[test]
fn hosts_files() {
    check(
        Format::Hosts,
        "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n0.0.0.0 evil.example ads.evil.example # two\n\
         0.0.0.0 com\n192.0.2.1 own.example\n0.0.0.0",
        "tx http/request 10.0.0.5 > 192.0.2.1:80 http.host=evil.example:8080 http.uri=/x",
        expect![[r#"
            2 taken, 3 bad, 0 unseen
            line 4: com is one word, not a domain
            line 5: an address and a name are wanted, such as 0.0.0.0 evil.example
            line 6: an address and a name are wanted, such as 0.0.0.0 evil.example
            10.0.0.5 > 192.0.2.1 WebName domain: evil.example [listed] score 10 days None
        "#]],
    );
}

/// The shapes of abuse.ch, with made-up content.
#[test]
fn columns() {
    check(
        Format::Csv,
        "################\n# URLhaus shape #\n# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\n\
         \"1\",\"2025-12-01 10:00:00\",\"http://evil.example:8080/a,b.exe\",\"online\",\"2025-12-30 00:00:00\",\"malware_download\",\"elf,\"\"x\"\"\",\"https://x.example/1\",\"me\"\n\
         \"2\",\"2025-12-01 10:00:00\",\"ftp://evil.example/c\",\"offline\",\"None\",\"malware_download\",\"None\",\"\",\"me\"",
        "tx http/request 10.0.0.5 > 192.0.2.1:8080 http.host=Evil.example:8080 http.uri=/a,b.exe
         tx http/request 10.0.0.5 > 192.0.2.1:8080 http.host=evil.example:8080 http.uri=/other
         tx http/request 10.0.0.5 > 192.0.2.1:3128 http.host=proxy.lan http.uri=http://evil.example:8080/a,b.exe",
        expect![[r#"
            1 taken, 1 bad, 0 unseen
            line 5: scheme "ftp" is not looked at
            10.0.0.5 > 192.0.2.1 WebTarget url: evil.example:8080/a,b.exe [malware_download] score 10 days Some(2)
            10.0.0.5 > 192.0.2.1 WebTarget url: evil.example:8080/a,b.exe [malware_download] score 10 days Some(2)
        "#]],
    );
    check(
        Format::Csv,
        "# Feodo shape\n# first_seen_utc,dst_ip,dst_port,c2_status,last_online,malware\n\
         2025-11-01 00:00:00,203.0.113.5,443,online,2025-12-22,QakBot\n2025-11-01 00:00:00,203.0.113.6,https,online,2025-12-22,QakBot",
        "10.0.0.5 <> 203.0.113.5:443 tcp\n10.0.0.5 <> 203.0.113.5:80 tcp",
        expect![[r#"
            1 taken, 1 bad, 0 unseen
            line 4: "https" is no port
            10.0.0.5 > 203.0.113.5 Responder service: 203.0.113.5:443 [QakBot] score 10 days Some(10)
        "#]],
    );
    check(
        Format::Csv,
        "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"fk_malware\",\"malware_alias\",\"malware_printable\",\"last_seen_utc\",\"confidence_level\"\n\
         \"2025-12-01 00:00:00\", \"7\", \"192.0.2.9:4444\", \"ip:port\", \"botnet_cc\", \"x\", \"None\", \"Cobalt Strike\", \"\", \"50\"\n\
         \"2025-12-01 00:00:00\", \"8\", \"d41d8cd98f00b204e9800998ecf8427e\", \"md5_hash\", \"payload\", \"x\", \"None\", \"Other\", \"\", \"75\"",
        "10.0.0.5 <> 192.0.2.9:4444 tcp",
        expect![[r#"
            1 taken, 0 bad, 1 unseen
            10.0.0.5 > 192.0.2.9 Responder service: 192.0.2.9:4444 [Cobalt Strike] score 55 days Some(31)
        "#]],
    );
    check(
        Format::Csv,
        "# ja3_md5,Firstseen,Lastseen,Listingreason\ne7d705a3286e19ea42f587b344ee6865,2017-07-14 18:08:15,2019-07-27 20:42:54,Tofsee",
        "tx tls/handshake 10.0.0.5 > 192.0.2.1:443 tls.ja3=e7d705a3286e19ea42f587b344ee6865",
        expect![[r#"
            1 taken, 0 bad, 0 unseen
            10.0.0.5 > 192.0.2.1 Handshake ja3: e7d705a3286e19ea42f587b344ee6865 [Tofsee] score 10 days Some(2349)
        "#]],
    );
    check(
        Format::Csv,
        "# Listingdate,SHA1,Listingreason\n2025-12-31 00:00:00,a01b7ca5a1e3b2ea2d2dba3ac91e0cf8b3f4e4cf,Test C&C",
        "tx tls/handshake 10.0.0.5 > 192.0.2.1:443 tls.cert_sha1=a01b7ca5a1e3b2ea2d2dba3ac91e0cf8b3f4e4cf",
        expect![[r#"
            1 taken, 0 bad, 0 unseen
            10.0.0.5 > 192.0.2.1 Handshake certificate: a01b7ca5a1e3b2ea2d2dba3ac91e0cf8b3f4e4cf [Test C&C] score 10 days Some(1)
        "#]],
    );
}

#[test]
fn json_lists() {
    check(
        Format::Json,
        "{\"cidr\":\"198.51.100.0/24\",\"sblid\":\"SBL1\",\"rir\":\"test\"}\n{\"cidr\":\"broken\"}\n{\"asn\":64500}\n\
         {\"type\":\"metadata\",\"timestamp\":1,\"records\":1,\"copyright\":\"c\"}\n",
        "10.0.0.5 <> 198.51.100.7:443 tcp",
        expect![[r#"
            1 taken, 1 bad, 1 unseen
            line 2: broken is one word, not a domain
            10.0.0.5 > 198.51.100.7 Responder address: 198.51.100.0/24 [listed] score 10 days None
        "#]],
    );
    check(
        Format::Json,
        r#"[{"ip_address":"203.0.113.5","port":8443,"status":"online","malware":"Emotet","first_seen":"2025-12-01 00:00:00"}, 7]"#,
        "10.0.0.5 <> 203.0.113.5:8443 tcp",
        expect![[r#"
            1 taken, 1 bad, 0 unseen
            line 2: neither text nor object
            10.0.0.5 > 203.0.113.5 Responder service: 203.0.113.5:8443 [Emotet] score 10 days Some(31)
        "#]],
    );
}

/// A warning list takes back what other lists say, also of a service of its address; what only a pattern says is left out.
#[test]
fn warning_lists() {
    let warnings = r#"{"description":"resolvers","list":["192.0.2.53/32","known.example",7],
        "matching_attributes":["ip-dst"],"name":"known good","type":"cidr","version":1}"#;
    let patterns = r#"{"list":["^a.*"],"matching_attributes":["url"],"name":"p","type":"regex"}"#;
    assert_eq!(Format::guess(warnings.as_bytes()), Format::Warning);
    let traffic = "10.0.0.5 <> 192.0.2.53:53 udp
         10.0.0.5 <> 192.0.2.54:53 udp
         10.0.0.5 <> 192.0.2.53:4444 tcp
         tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=www.known.example
         tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=other.example";
    let threats = "192.0.2.52/30\n192.0.2.53:4444\nknown.example\nother.example";
    let of = |lists: &[(&str, Format, &str)]| {
        let mut builder = Builder::new();
        let mut shown = String::new();
        for (name, format, text) in lists {
            let report = builder.list(ListSpec::new(name), *format, [text.as_bytes()]);
            shown += &format!(
                "{name}: {} taken, {} bad, {} unseen\n",
                report.taken, report.bad, report.unseen
            );
        }
        shown + &sighted(builder.finish(), traffic)
    };
    let threat = ("threat", Format::Plain, threats);
    assert_eq!(of(&[threat]).lines().count(), 7);
    expect![[r#"
        threat: 4 taken, 0 bad, 0 unseen
        warning: 2 taken, 1 bad, 0 unseen
        pattern: 0 taken, 0 bad, 1 unseen
        10.0.0.5 > 192.0.2.54 Responder address: 192.0.2.52/30 [listed] score 10 days None
        10.0.0.5 > 10.0.0.1 DnsName domain: other.example [listed] score 10 days None
    "#]]
    .assert_eq(&of(&[
        threat,
        ("warning", Format::Warning, warnings),
        ("pattern", Format::Warning, patterns),
    ]));
}

#[test]
fn misp_events() {
    check(
        Format::Misp,
        r#"{"Event":{"info":"Campaign X","Attribute":[
            {"type":"ip-dst","value":"192.0.2.7","to_ids":true,"timestamp":"1767000000"},
            {"type":"ip-dst","value":"192.0.2.8","to_ids":false},
            {"type":"ip-dst|port","value":"192.0.2.9|443","to_ids":true},
            {"type":"md5","value":"d41d8cd98f00b204e9800998ecf8427e","to_ids":true},
            {"type":"domain"}],
           "Object":[{"Attribute":[{"type":"domain|ip","value":"evil.example|192.0.2.10","to_ids":true}]}]}}"#,
        "10.0.0.5 <> 192.0.2.{7..10}:443 tcp
         x4 10.0.0.5 <> 192.0.2.{7..10}:443 tcp
         tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=evil.example",
        expect![[r#"
            3 taken, 1 bad, 1 unseen
            line 5: no attribute: missing field `value` at line 1 column 17
            10.0.0.5 > 192.0.2.7 Responder address: 192.0.2.7 [Campaign X] score 10 days Some(2)
            10.0.0.5 > 192.0.2.7 Responder address: 192.0.2.7 [Campaign X] score 10 days Some(2)
            10.0.0.5 > 192.0.2.9 Responder service: 192.0.2.9:443 [Campaign X] score 10 days None
            10.0.0.5 > 10.0.0.1 DnsName domain: evil.example [Campaign X] score 10 days None
        "#]],
    );
}

#[test]
fn stix_bundles() {
    let pattern = |pattern: &str, more: &str| {
        format!(
            r#"{{"type":"indicator","pattern_type":"stix","name":"Test","modified":"2025-12-22T00:00:00Z","pattern":{pattern:?}{more}}}"#
        )
    };
    let objects = [
        pattern(
            "[ipv4-addr:value = '192.0.2.7'] OR [domain-name:value IN ('evil.example', 'bad.example')]",
            "",
        ),
        pattern(
            "[ipv4-addr:value ISSUBSET '198.51.100.0/24']",
            r#","confidence":40"#,
        ),
        pattern(
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.8' AND network-traffic:dst_port = 443]",
            "",
        ),
        pattern(
            "[network-traffic:dst_ref.value = '192.0.2.9' AND network-traffic:dst_port = 443]",
            "",
        ),
        pattern("[file:hashes.'SHA-256' = 'aa']", ""),
        pattern(
            "[ipv4-addr:value = '192.0.2.10'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.11']",
            "",
        ),
        pattern("[ipv4-addr:value = '192.0.2.12'] WITHIN 5 SECONDS", ""),
        pattern("[domain-name:value LIKE '%.example']", ""),
        pattern("[ipv4-addr:value != '192.0.2.13']", ""),
        pattern("[ipv4-addr:value = '192.0.2.14']", r#","revoked":true"#),
        pattern(
            "[ipv4-addr:value = '192.0.2.15']",
            r#","valid_until":"2025-12-31T00:00:00Z""#,
        ),
        pattern("[url:value = 'http://evil.example/a']", ""),
        r#"{"type":"malware","name":"x"}"#.to_owned(),
        "7".to_owned(),
    ];
    check(
        Format::Stix,
        &format!(r#"{{"type":"bundle","objects":[{}]}}"#, objects.join(",")),
        "x9 10.0.0.5 <> 192.0.2.{7..15}:443 tcp
         10.0.0.5 <> 198.51.100.1:443 tcp
         tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=a.bad.example
         tx http/request 10.0.0.5 > 192.0.2.1:80 http.host=evil.example http.uri=/a",
        expect![[r#"
            8 taken, 5 bad, 1 unseen
            line 6: FOLLOWEDBY between observations needs more than one record
            line 7: WITHIN between observations needs more than one record
            line 8: domain-name:value: only =, IN and ISSUBSET can be looked up
            line 9: ipv4-addr:value: only =, IN and ISSUBSET can be looked up
            line 14: no STIX object: invalid type: integer `7`, expected struct Object at line 1 column 1
            10.0.0.5 > 192.0.2.7 Responder address: 192.0.2.7 [Test] score 10 days Some(10)
            10.0.0.5 > 192.0.2.8 Responder service: 192.0.2.8:443 [Test] score 10 days Some(10)
            10.0.0.5 > 192.0.2.9 Responder service: 192.0.2.9:443 [Test] score 10 days Some(10)
            10.0.0.5 > 198.51.100.1 Responder address: 198.51.100.0/24 [Test] score 64 days Some(10)
            10.0.0.5 > 10.0.0.1 DnsName domain: bad.example [Test] score 10 days Some(10)
            10.0.0.5 > 192.0.2.1 WebName domain: evil.example [Test] score 10 days Some(10)
            10.0.0.5 > 192.0.2.1 WebTarget url: evil.example/a [Test] score 10 days Some(10)
        "#]],
    );
}

/// Two lists and one of known good things; a list that fades; inside addresses.
#[test]
fn lists_side_by_side() {
    let mut builder = Builder::new();
    let fading = ListSpec {
        expire_days: Some(30),
        ..ListSpec::new("fading")
    };
    let rows = "ip,last_seen\n192.0.2.1,2025-11-01\n192.0.2.2,2025-12-20\n192.0.2.3,2025-12-20\n10.0.0.7,2025-12-20\n192.0.2.2,2025-12-01";
    builder.list(fading, Format::Csv, [rows.as_bytes()]);
    builder.list(
        ListSpec::new("wide"),
        Format::Plain,
        [b"192.0.2.0/24\nexample.org".as_slice()],
    );
    let good = ListSpec {
        allow: true,
        ..ListSpec::new("good")
    };
    builder.list(good, Format::Plain, [b"192.0.2.3\nwww.example.org".as_slice()]);
    let own = ListSpec {
        inside: true,
        ..ListSpec::new("own")
    };
    builder.list(own, Format::Plain, [b"10.0.0.8".as_slice()]);
    expect![[r#"
        10.0.0.5 > 192.0.2.1 Responder address: 192.0.2.0/24 [listed] score 10 days None
        10.0.0.5 > 192.0.2.2 Responder address: 192.0.2.2 [listed] score 10 days Some(12)
        10.0.0.5 > 192.0.2.2 Responder address: 192.0.2.0/24 [listed] score 10 days None
        10.0.0.5 > 192.0.2.4 Responder address: 192.0.2.0/24 [listed] score 10 days None
        10.0.0.5 > 10.0.0.8 Responder address: 10.0.0.8 [listed] score 10 days None
        10.0.0.5 > 10.0.0.1 DnsName domain: example.org [listed] score 10 days None
    "#]]
    .assert_eq(&sighted(
        builder.finish(),
        "x4 10.0.0.5 <> 192.0.2.{1..4}:443 tcp
         x2 10.0.0.5 <> 10.0.0.{7,8}:443 tcp
         x3 tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query={www,a.www,b}.example.org",
    ));
}

#[test]
fn the_first_faults_are_kept_and_all_are_counted() {
    let text = "x\n".repeat(1000);
    let report = build(Format::Plain, &text).1;
    assert_eq!((report.bad, report.faults.len()), (1000, 10));
    assert_eq!(report.faults[9].line, 10);
}

/// More sightings than a record takes, and a chain of every prefix around one address.
/// A list that goes on for ever costs what is allowed, and the rest is counted.
#[test]
fn a_list_is_full_at_its_cap() {
    let mut builder = Builder::new();
    builder.list(ListSpec::new("endless"), Format::Plain, []);
    let mut entries = Entries::new(&mut builder, 0);
    for number in 0..=ENTRIES_MAX as u32 {
        let net = IpNet::from(IpAddr::from(Ipv4Addr::from_bits(0x0100_0000 + number)));
        entries.value(Value::Network(net), &Entry::default());
    }
    let report = entries.into_report();
    assert_eq!((report.taken, report.over), (ENTRIES_MAX, 1));
}

#[test]
fn lists_and_categories_past_their_caps() {
    let mut builder = Builder::new();
    let csv = |from: u32, to: u32| {
        let rows =
            (from..to).map(|number| format!("{},kind {number}\n", Ipv4Addr::from_bits(0x0100_0000 + number)));
        format!("ip,category\n{}", rows.collect::<String>())
    };
    let many = CATEGORIES_MAX as u32;
    builder.list(ListSpec::new("one"), Format::Csv, [csv(0, many + 2).as_bytes()]);
    for number in 1..LISTS_MAX {
        let report = builder.list(
            ListSpec::new(&format!("list{number}")),
            Format::Plain,
            [b"192.0.2.1".as_slice()],
        );
        assert_eq!((report.taken, report.over), (1, 0));
    }
    let report = builder.list(
        ListSpec::new("too many"),
        Format::Plain,
        [b"192.0.2.1".as_slice()],
    );
    assert_eq!((report.taken, report.over), (0, 1));
    let snapshot = builder.finish();
    assert_eq!(snapshot.lists().len(), LISTS_MAX);
    let last = Ipv4Addr::from_bits(0x0100_0000 + many + 1);
    let shown = sighted(snapshot, &format!("10.0.0.5 <> {last}:443 tcp"));
    assert!(shown.contains("[listed]"), "the list's own category: {shown}");
}

/// What came since: everything of a list but what was known before.
#[test]
fn only_what_is_new() {
    let known = "192.0.2.0/24\n192.0.2.1:80\nold.example\n2001:db8::/32";
    let (before, _) = build(Format::Plain, known);
    let mut builder = Builder::new().beyond(Some(Arc::new(before)));
    let list = format!("{known}\n192.0.2.0/25\n192.0.2.1:81\nnew.example\nhttp://old.example/a");
    builder.list(ListSpec::new("test"), Format::Plain, [list.as_bytes()]);
    let counts = builder.finish().counts();
    let found = (counts.addresses, counts.services, counts.domains, counts.urls);
    assert_eq!(found, (1, 1, 1, 1));
}

#[test]
fn sightings_of_a_record_are_bounded() {
    let text: String = (8..=32).map(|len| format!("192.0.2.1/{len}\n")).collect();
    let (snapshot, report) = build(Format::Plain, &text);
    assert_eq!(report.taken, 25);
    assert_eq!(
        sighted(snapshot, "10.0.0.5 <> 192.0.2.1:443 tcp").lines().count(),
        8
    );
}

proptest! {
    /// Any bytes through any parser: no panic, every line accounted for at most a few times.
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2000), at in 0..FORMATS.len()) {
        let mut builder = Builder::new();
        let report = builder.list(ListSpec::new("x"), FORMATS[at], [bytes.as_slice()]);
        prop_assert!(report.faults.len() <= 10 && report.faults.len() <= report.bad);
        let _ = Format::guess(&bytes);
    }

    /// Good lists cut and damaged anywhere.
    #[test]
    fn damaged_lists(at in 0..FORMATS.len(), cut in 0_usize..600, flips in proptest::collection::vec((0_usize..600, any::<u8>()), 0..4)) {
        let samples = [
            "198.51.100.0/24 ; x\nevil.example\n203.0.113.1-203.0.113.9\nhttp://evil.example:80/a?b\n[2001:db8::1]:443\n",
            "0.0.0.0 evil.example other.example # x\n",
            "# first_seen_utc,dst_ip,dst_port,malware\n\"2025-11-01\",203.0.113.5,443,\"Qak\"\"Bot\"\n",
            "{\"cidr\":\"198.51.100.0/24\"}\n{\"type\":\"metadata\"}\n",
            r#"{"Event":{"info":"x","Attribute":[{"type":"ip-dst|port","value":"192.0.2.7|80","to_ids":true,"timestamp":1}]}}"#,
            r#"{"objects":[{"type":"indicator","pattern":"[ipv4-addr:value = '192.0.2.7' OR domain-name:value IN ('a.example','b.example')]"}]}"#,
            r#"{"list":["192.0.2.0/24","evil.example"],"matching_attributes":["ip-dst"],"name":"x","type":"cidr"}"#,
        ];
        let mut bytes = samples[at].as_bytes().to_vec();
        for (place, byte) in flips {
            if let Some(slot) = bytes.get_mut(place) {
                *slot = byte;
            }
        }
        bytes.truncate(cut.max(1));
        let mut builder = Builder::new();
        builder.list(ListSpec::new("x"), FORMATS[at], [bytes.as_slice()]);
        let _ = sighted(builder.finish(), "10.0.0.5 <> 192.0.2.7:80 tcp");
    }
}
