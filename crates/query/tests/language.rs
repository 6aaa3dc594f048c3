//! The language as people meet it: what common filters select, how errors read, what is offered next, how a filter is
//! explained, and the SQL it becomes.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use weir_model::{Field, Protocol};
use weir_query::{Catalog, NoLists, complete, explain, parse, sql};
use weir_testkit::notation;

const FLOWS: &str = "\
x1 10.0.0.5:40001 <> 10.0.0.9:445 tcp APRS 981/5 2MiB/1600 dur=2s app=smb state=SF mac=02:00:00:00:00:01
x1 10.0.0.5:40002 > 10.0.1.7:22 tcp S/ 60/1 state=S0
x1 10.0.0.6:40003 <> 8.8.8.8:53 udp 70/1 140/1 dur=30ms app=dns vlan=10
x1 8.8.8.8:999 > 10.0.0.9:80 tcp S/ 60/1 state=S0
x1 10.0.0.5 <> 10.0.0.9 icmp icmp=8/0 84/1 84/1";

fn lists() -> BTreeMap<String, Vec<String>> {
    let list = |name: &str, items: &[&str]| {
        (
            name.to_owned(),
            items.iter().map(|item| (*item).to_owned()).collect(),
        )
    };
    BTreeMap::from([
        list("servers", &["10.0.0.9", "10.0.1.0/24"]),
        list("wrong", &["10.0.0.9", "web"]),
    ])
}

/// Numbers of the lines of [`FLOWS`] that the filter selects.
fn check(filter: &str, lines: &[usize]) {
    let mut flows = notation::batch(FLOWS).flows;
    flows.sort_by_key(|flow| flow.start);
    let tree = parse(filter, Catalog::flows(), &lists()).unwrap_or_else(|error| panic!("{error}"));
    let found: Vec<usize> = (1..)
        .zip(&flows)
        .filter(|(_, flow)| tree.matches(flow))
        .map(|(line, _)| line)
        .collect();
    assert_eq!(found, lines, "{filter}");
}

#[test]
fn what_filters_select() {
    for (filter, lines) in [
        ("", &[1, 2, 3, 4, 5][..]),
        ("dst port 445 and bytes > 1M", &[1]),
        ("DST PORT 445 # a comment", &[1]),
        ("port in [22 53] or port 80-90", &[2, 3, 4]),
        ("ip 8.8.8.8", &[3, 4]),
        ("not ip 8.8.8.8", &[1, 2, 5]),
        ("ip != 8.8.8.8 and src host 10.0.0.5", &[1, 2, 5]),
        ("dst net 10.0.1.0/24", &[2]),
        ("dst ip in [@servers 8.8.8.8]", &[1, 2, 3, 4, 5]),
        ("dst ip @servers and proto icmp", &[5]),
        ("10.0.0.6", &[3]),
        ("udp or icmp", &[3, 5]),
        ("dns or 445", &[1, 3]),
        ("flags S and not flags AFRPU", &[2, 4]),
        ("flags S/SA", &[2, 4]),
        ("src flags SA", &[1]),
        ("state s0 and inbound", &[4]),
        ("outbound", &[3]),
        ("internal and src port < 40002", &[1]),
        ("src outside", &[4]),
        ("duration >= 1s", &[1]),
        ("duration 30ms or duration > 1.5s", &[1, 3]),
        ("bpp > 1000", &[1]),
        ("bps > 50k and bps < 60k", &[3]),
        ("vlan 10", &[3]),
        ("exists vlan", &[3]),
        ("vlan != 10", &[1, 2, 4, 5]),
        ("src mac 02-00-00-00-00-01", &[1]),
        ("icmp-type 8", &[5]),
        ("inet6", &[]),
        ("app in [dns smb]", &[1, 3]),
        (
            "first seen >= 2026-01-01 and last seen < 2026-01-02",
            &[1, 2, 3, 4, 5],
        ),
        ("(proto tcp || proto udp) && !(port 22)", &[1, 3, 4]),
    ] {
        check(filter, lines);
    }
}

static QUERY: Field = Field::text("dns.query", "Name asked for");
static BYTES: Field = Field::number("dns.query_bytes", "Length of the name, bytes");
static ANSWERS: Field = Field::texts("dns.answer", "Answers");

#[test]
fn transactions_by_their_fields() {
    let batch = notation::batch(
        "tx dns/query every 1s x3 10.0.0.5 > 10.0.0.1:53 outcome=refused dns.query=A{1..3}.evil.test dns.query_bytes=60",
    );
    let catalog = Catalog::transactions([&QUERY, &BYTES, &ANSWERS]);
    for (filter, count) in [
        ("dns.query ~ \"*.evil.test\"", 3),
        ("dns.query = \"A2.evil.test\"", 1),
        ("dns.query = \"a2.evil.test\"", 0),
        ("dns.query contains 'evil' and outcome refused and kind query", 3),
        ("dns.query not contains 'A2'", 2),
        ("dns.query =~ '^A[12]\\.'", 2),
        ("not exists dns.answer and dns.query-bytes > 50", 3),
        ("app dns and dst port 53 and src ip 10.0.0.5", 3),
    ] {
        let tree = parse(filter, &catalog, &NoLists).unwrap_or_else(|error| panic!("{error}"));
        let found = batch
            .transactions
            .iter()
            .filter(|one| tree.matches_transaction(one))
            .count();
        assert_eq!(found, count, "{filter}");
    }
    assert_eq!(batch.transactions[0].protocol, Protocol::Dns);
    let error = parse("bytes > 5", &catalog, &NoLists).unwrap_err();
    assert!(error.message.contains("of other records"), "{error}");
}

fn wrong(filter: &str, expected: &Expect) {
    let read = parse(filter, Catalog::flows(), &lists());
    expected.assert_eq(&read.map_or_else(|error| error.to_string(), |tree| tree.to_string()));
}

#[test]
fn errors_point_and_help() {
    wrong(
        "src ip 10.0.0.5 and dst_prot 445",
        &expect![[r#"
        there is no field "dst_prot"
          src ip 10.0.0.5 and dst_prot 445
                              ^^^^^^^^
        did you mean dst_port?"#]],
    );
    wrong(
        "dst port 70000",
        &expect![[r#"
        "70000" is more than dst_port can be (65535)
          dst port 70000
                   ^^^^^
        expected 445"#]],
    );
    wrong(
        "dst port",
        &expect![[r#"
        the filter ends too early
          dst port
                  ^
        expected =, !=, <, <=, >, >=, in, 445"#]],
    );
    wrong(
        "(port 80 or port 81",
        &expect![[r#"
        this parenthesis is still open
          (port 80 or port 81
          ^
        expected )"#]],
    );
    wrong(
        "port 80 port 81",
        &expect![[r#"
        one comparison ends here and something else follows
          port 80 port 81
                  ^^^^
        expected and, or, the end"#]],
    );
}

#[test]
fn errors_of_values() {
    wrong(
        "app dsn",
        &expect![[r#"
            app is never "dsn"
              app dsn
                  ^^^
            did you mean dns?"#]],
    );
    wrong(
        "ip in [@server]",
        &expect![[r#"
        there is no list @server
          ip in [@server]
                 ^^^^^^^
        did you mean @servers?"#]],
    );
    wrong(
        "ip in [10.0.0.1 @wrong]",
        &expect![[r#"
        in the list @wrong: "web" is not an address or prefix such as 10.0.0.5, 10.0.0.0/8 or fe80::1
          ip in [10.0.0.1 @wrong]
                          ^^^^^^
        expected 10.0.0.0/8"#]],
    );
    wrong(
        "ip > 10.0.0.1",
        &expect![[r#"
        ip is not compared with ">"
          ip > 10.0.0.1
             ^
        expected =, !=, in"#]],
    );
    wrong(
        "history =~ '('",
        &expect![[r#"
        this pattern is wrong: unclosed group
          history =~ '('
                     ^^^
        expected "text""#]],
    );
    wrong(
        "bytes > 1..5",
        &expect![[r#"
        "1..5" is a range and has no place behind ">"
          bytes > 1..5
                  ^^^^"#]],
    );
    wrong(
        "history = 'abc",
        &expect![[r#"
        this string has no end
          history = 'abc
                    ^"#]],
    );
    wrong(
        "dst blort 5",
        &expect![[r#"
        there is no field "dst blort"
          dst blort 5
              ^^^^^
        did you mean port?"#]],
    );
}

#[test]
fn limits_are_told() {
    let deep = format!("{}port 80{}", "(".repeat(65), ")".repeat(65));
    let long = format!("port in [{}]", "80 ".repeat(5000));
    let many = ["port 80"; 1025].join(" or ");
    let large = "history =~ '(a{1,500}){1,500}'".to_owned();
    let huge = "a".repeat(20_000);
    for text in [deep, long, many, large, huge] {
        assert!(parse(&text, Catalog::flows(), &NoLists).is_err());
    }
    let nots = "not ".repeat(10_000);
    assert!(parse(&nots, Catalog::flows(), &NoLists).is_err());
}

fn offered(text: &str) -> String {
    let all = complete(text, text.len(), Catalog::flows(), &lists());
    let labels: Vec<String> = all.into_iter().map(|one| one.label).take(12).collect();
    labels.join(" ")
}

#[test]
fn completion_follows_the_grammar() {
    let all: Vec<String> = [
        "",
        "dst po",
        "dst port ",
        "app d",
        "app dns ",
        "ip in [",
        "flags ",
        "src_",
        "blort x",
    ]
    .into_iter()
    .map(|text| format!("{text:?}: {}", offered(text)))
    .collect();
    expect![[r#"
        "": src dst ip port packets bytes payload_bytes tcp_flags mac ttl inside country
        "dst po": port
        "dst port ": = != < <= > >= in 445 @servers @wrong
        "app d": dhcp dnp3 dns
        "app dns ": and or
        "ip in [": 10.0.0.0/8 @servers @wrong ]
        "flags ": = S/SA
        "src_": src_ip src_port src_packets src_bytes src_payload_bytes src_tcp_flags src_mac src_ttl src_inside src_country src_asn src_retransmitted_packets
        "blort x": "#]].assert_eq(&all.join("\n"));
    let part = &complete("dst po and any", 6, Catalog::flows(), &NoLists)[0];
    assert_eq!((part.label.as_str(), part.replace.clone()), ("port", 4..6));
}

#[test]
fn explanations_and_sql() {
    let all: Vec<String> = [
        "dst port 445 and bytes > 1M",
        "ip in [10.0.0.0/8 @servers] and not flags AR",
        "bps >= 1.5M or (duration < 5s and app in [dns http])",
        "not vlan 10 and start >= 2026-11-01",
        "history contains \"S'; DROP\"",
        "proto tcp and src port in [80 443 1000-2000] and internal",
    ]
    .into_iter()
    .map(|text| {
        let tree = parse(text, Catalog::flows(), &lists()).unwrap();
        let sql = sql(&tree);
        format!(
            "{text}\n  {}\n  {}\n  {}",
            explain(&tree),
            sql.text,
            sql.inlined()
        )
    })
    .collect();
    expect![[r#"
        dst port 445 and bytes > 1M
          Records where dst port (responder port) is 445 and bytes of both directions together is more than 1MB.
          (("dst_port" = {p0:UInt64}) AND (("src_bytes" + coalesce("dst_bytes", 0)) >= {p1:UInt64}))
          (("dst_port" = 445) AND (("src_bytes" + coalesce("dst_bytes", 0)) >= 1000001))
        ip in [10.0.0.0/8 @servers] and not flags AR
          Records where ip of either side is 10.0.0.0/8 or in the list @servers and it is not so that the TCP flags set by either side include at least one of AR.
          ((("src_ip" BETWEEN {p0:IPv6} AND {p1:IPv6}) OR ("dst_ip" BETWEEN {p2:IPv6} AND {p3:IPv6})) AND NOT ((("src_tcp_flags" IS NOT NULL OR "dst_tcp_flags" IS NOT NULL) AND bitAnd(bitOr(coalesce("src_tcp_flags", 0), coalesce("dst_tcp_flags", 0)), {p4:UInt64}) <> 0)))
          ((("src_ip" BETWEEN toIPv6('::ffff:10.0.0.0') AND toIPv6('::ffff:10.255.255.255')) OR ("dst_ip" BETWEEN toIPv6('::ffff:10.0.0.0') AND toIPv6('::ffff:10.255.255.255'))) AND NOT ((("src_tcp_flags" IS NOT NULL OR "dst_tcp_flags" IS NOT NULL) AND bitAnd(bitOr(coalesce("src_tcp_flags", 0), coalesce("dst_tcp_flags", 0)), 20) <> 0)))
        bps >= 1.5M or (duration < 5s and app in [dns http])
          Records where bps (bits per second of the record) is at least 1500000 or (duration (time from the first packet of the flow to the last) is below 5s and app (application protocol) is "dns" or "http").
          ((greatest(toUnixTimestamp64Nano("end") - toUnixTimestamp64Nano("start"), 0) > 0 AND toFloat64(("src_bytes" + coalesce("dst_bytes", 0))) * 8000000000.0 / toFloat64(greatest(toUnixTimestamp64Nano("end") - toUnixTimestamp64Nano("start"), 0)) >= {p0:Float64}) OR ((greatest(toUnixTimestamp64Nano("end") - toUnixTimestamp64Nano("flow_start"), 0) <= {p1:UInt64}) AND "app" IN ({p2:String}, {p3:String})))
          ((greatest(toUnixTimestamp64Nano("end") - toUnixTimestamp64Nano("start"), 0) > 0 AND toFloat64(("src_bytes" + coalesce("dst_bytes", 0))) * 8000000000.0 / toFloat64(greatest(toUnixTimestamp64Nano("end") - toUnixTimestamp64Nano("start"), 0)) >= 1500000) OR ((greatest(toUnixTimestamp64Nano("end") - toUnixTimestamp64Nano("flow_start"), 0) <= 4999999999) AND "app" IN ('dns', 'http')))
        not vlan 10 and start >= 2026-11-01
          Records where it is not so that vlan (VLAN id) is 10 and start (first packet of the record) is at least 2026-11-01T00:00:00Z.
          (NOT (("vlan" IS NOT NULL AND ("vlan" = {p0:UInt64}))) AND ("start" >= fromUnixTimestamp64Nano({p1:Int64})))
          (NOT (("vlan" IS NOT NULL AND ("vlan" = 10))) AND ("start" >= fromUnixTimestamp64Nano(1793491200000000000)))
        history contains "S'; DROP"
          Records where history (history letters (Zeek)) contains "S'; DROP".
          position("history", {p0:String}) > 0
          position("history", 'S\'; DROP') > 0
        proto tcp and src port in [80 443 1000-2000] and internal
          Records where proto (IP protocol) is tcp and src port (initiator port) is 80, 443 or 1000 to 2000 and src inside (initiator is inside) (yes) and dst inside (responder is inside) (yes).
          (("proto" = {p0:UInt64}) AND ("src_port" BETWEEN {p3:UInt64} AND {p4:UInt64} OR "src_port" IN ({p1:UInt64}, {p2:UInt64})) AND "src_inside" = true AND "dst_inside" = true)
          (("proto" = 6) AND ("src_port" BETWEEN 1000 AND 2000 OR "src_port" IN (80, 443)) AND "src_inside" = true AND "dst_inside" = true)"#]].assert_eq(&all.join("\n"));
}

/// Countries in either case, systems by number, and what is neither.
#[test]
fn places() {
    let parsed = |text: &str| match parse(text, Catalog::flows(), &NoLists) {
        Ok(expr) => explain(&expr),
        Err(error) => error.to_string(),
    };
    let all: Vec<String> = [
        "src country cz",
        "country in [CZ, de] and not dst as 64500",
        "as 64500..64511",
        "country czech",
        "asn > 5000000000",
    ]
    .into_iter()
    .map(parsed)
    .collect();
    expect![[r#"
        Records where src country (country of the initiator (ISO 3166-1)) is "CZ".
        Records where country of either side is "CZ" or "DE" and it is not so that dst asn (autonomous system of the responder) is 64500.
        Records where asn of either side is 64500 to 64511.
        "czech" is no country code such as CZ
          country czech
                  ^^^^^
        expected CZ
        "5000000000" is more than asn can be (4294967295)
          asn > 5000000000
                ^^^^^^^^^^
        expected 10"#]].assert_eq(&all.join("\n"));
}
