//! Behaviours as people write them: what is read, printed back and refused, and what records give to it.

use expect_test::{Expect, expect};
use weir_model::Field;
use weir_query::{Catalog, NoLists, Scalar, parse_behaviour};
use weir_testkit::notation;

const FIELDS: &[Field] = &[
    Field::text("dns.query", "Name"),
    Field::number("dns.query_bytes", "Bytes"),
];

fn transactions() -> Catalog {
    Catalog::transactions(FIELDS.iter())
}

fn check(text: &str, expect: Expect) {
    let shown = match parse_behaviour(text, Catalog::flows(), &transactions(), &NoLists) {
        Ok(read) => {
            let printed = read.to_string();
            let again = parse_behaviour(&printed, Catalog::flows(), &transactions(), &NoLists);
            assert_eq!(again.as_ref(), Ok(&read), "{printed}");
            printed
        }
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&shown);
}

#[test]
fn read_and_printed() {
    check(
        "where dst port 445 having count > 20 and distinct dst ip > 5 per src ip within 5m",
        expect![
            "from flows where dst port 445 having count > 20 and distinct dst ip > 5 per src ip within 5min"
        ],
    );
    check(
        "dst port 23",
        expect!["from flows where dst port 23 having count >= 1 per src ip within 5min"],
    );
    check(
        "from transactions where dns and dns.query ~ '*.example' having distinct dns.query >= 3 or count > 100 per feed within 1h",
        expect![[
            r#"from transactions where app dns and dns.query ~ "*.example" having distinct dns.query >= 3 or count > 100 per feed within 1h"#
        ]],
    );
    check(
        "where any having sum src bytes > 10M and avg duration < 2s and max bps >= 1.5k per src ip, dst ip, dst port within 30s",
        expect![
            "from flows where any having sum src bytes > 10M and avg duration < 2s and max bps >= 1500 per src ip, dst ip, dst port within 30s"
        ],
    );
}

#[test]
fn refused_with_place_and_hint() {
    check(
        "",
        expect![[r#"
        a filter is missing
          
          ^
        expected where dst port 445, where any"#]],
    );
    check(
        "where dst port 445 having cuont > 3",
        expect![[r#"
        a condition does not begin like this
          where dst port 445 having cuont > 3
                                    ^^^^^
        did you mean count?"#]],
    );
    check(
        "where dst port 445 having distinct ip > 3",
        expect![[r#"
        of which side?
          where dst port 445 having distinct ip > 3
                                             ^^^
        expected src ip, dst ip"#]],
    );
    check(
        "where dst port 445 having sum app > 3",
        expect![[r#"
        app is no number
          where dst port 445 having sum app > 3
                                        ^^^^
        expected bytes, packets, duration"#]],
    );
    check(
        "where dst port 445 having distinct dst ip > 5000",
        expect![[r#"
        different values are counted up to 1000
          where dst port 445 having distinct dst ip > 5000
                                                      ^^^^"#]],
    );
}

#[test]
fn keys_windows_and_records_refused() {
    check(
        "where dst port 445 having count > 5 per country",
        expect![[r#"
        counts are not kept by this
          where dst port 445 having count > 5 per country
                                                  ^^^^^^^
        expected src ip, dst ip, dst port, src mac, feed"#]],
    );
    check(
        "where dst port 445 having count > 5 per dst port",
        expect![[r#"
        a port alone is nobody: add src ip or dst ip
          where dst port 445 having count > 5 per dst port
                                                          ^
        expected , src ip, , dst ip"#]],
    );
    check(
        "where dst port 445 wihtin 5m",
        expect![[r#"
        this does not belong here
          where dst port 445 wihtin 5m
                             ^^^^^^
        did you mean within?"#]],
    );
    check(
        "where dst port 445 within 3d",
        expect![[r#"
        "3d" is no window: whole seconds from 1s to 1d
          where dst port 445 within 3d
                                    ^^
        expected 30s, 5m, 1h"#]],
    );
    check(
        "from tansactions where dns",
        expect![[r#"
        from which records?
          from tansactions where dns
               ^^^^^^^^^^^
        did you mean transactions?"#]],
    );
    check(
        "where dst prot 445",
        expect![[r#"
        there is no field "dst prot"
          where dst prot 445
                    ^^^^
        did you mean port?"#]],
    );
}

#[test]
fn a_first_look() {
    let read = |text| parse_behaviour(text, Catalog::flows(), &transactions(), &NoLists).unwrap();
    let ports = read("where tcp and dst port in [22 23]");
    assert!(
        ports
            .ports()
            .is_some_and(|ports| ports.contains(23) && !ports.contains(24))
    );
    assert!(read("where dst port 22 or dst port 23").ports().is_none());
    let of = read("from transactions where app dns");
    assert_eq!(of.protocols().map(|words| words.len()), Some(1));
}

#[test]
fn values_of_records() {
    let batch = notation::batch(
        "x1 10.0.0.5:40001 <> 10.0.0.9:445 tcp APRS 981/5 2MiB/1600 dur=2s\n\
         tx dns/query 10.0.0.5 > 10.0.0.1:53 dns.query=a.example",
    );
    let field = |name: &str| Catalog::flows().field(name).cloned().unwrap();
    let flow = &batch.flows[0];
    assert_eq!(field("src_bytes").of_flow(flow), Some(Scalar::Number(981)));
    assert_eq!(field("packets").of_flow(flow), Some(Scalar::Number(1605)));
    assert_eq!(
        field("duration").of_flow(flow),
        Some(Scalar::Number(2_000_000_000))
    );
    assert_eq!(field("ip").of_flow(flow), None);
    let name = transactions().field("dns.query").cloned().unwrap();
    let transaction = &batch.transactions[0];
    assert_eq!(
        name.of_transaction(transaction),
        Some(Scalar::Text("a.example".into()))
    );
}
