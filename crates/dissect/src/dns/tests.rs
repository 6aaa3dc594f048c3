//! DNS bytes in, transactions as text out.

use expect_test::{Expect, expect};

use super::*;
use crate::Side::{Initiator, Responder};
use crate::testing::{Part, check_datagrams, check_stream, run, tcp, text, udp};

/// Head of a message: id, flags, counts.
fn head(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let words = [id, flags, counts[0], counts[1], counts[2], counts[3]];
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A name of dotted labels.
fn name(dotted: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in dotted.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn query(id: u16, dotted: &str, kind: u16) -> Vec<u8> {
    [head(id, 0x0100, [1, 0, 0, 0]), name(dotted), words(&[kind, 1])].concat()
}

/// An answer whose records are owned by the name asked for.
fn answer(id: u16, flags: u16, dotted: &str, kind: u16, records: &[(u16, u32, &[u8])]) -> Vec<u8> {
    let count = u16::try_from(records.len()).unwrap();
    let mut bytes = [head(id, flags, [1, count, 0, 0]), name(dotted), words(&[kind, 1])].concat();
    for (kind, ttl, data) in records {
        bytes.extend(words(&[0xc00c, *kind, 1]));
        bytes.extend(ttl.to_be_bytes());
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(data);
    }
    bytes
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn prefixed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

#[track_caller]
fn check(parts: &[Part<'_>], expected: &Expect) {
    expected.assert_eq(&text(&run::<Dns>(&udp(53), parts)));
}

#[test]
fn a_question_and_its_answer() {
    let asked = query(7, "WWW.Example.org", 1);
    let records: &[(u16, u32, &[u8])] = &[
        (5, 300, b"\x03cdn\xc0\x10"),
        (1, 60, &[192, 0, 2, 1]),
        (15, 90, b"\x00\x0a\x02mx\xc0\x10"),
        (16, 90, b"\x03abc\x01d"),
        (10, 90, &[1, 2, 3]),
        (33, 90, b"\x00\x01\x00\x02\x01\xbb\x01s\x00"),
    ];
    let answered = answer(7, 0x8580, "www.example.org", 1, records);
    check(
        &[(Initiator, &asked), (Responder, &answered)],
        &expect![[r#"
            query accepted 1s
              dns.query www.example.org
              dns.type A
              dns.type_code 1
              dns.id 7
              dns.rd true
              dns.query_bytes 33
              dns.answered true
              dns.rcode NOERROR
              dns.aa true
              dns.tc false
              dns.ra true
              dns.answer_bytes 140
              dns.answer_count 6
              dns.ttl_min 60
              dns.answers cdn.example.org | 192.0.2.1 | 10 mx.example.org | abcd | \# 3 010203 | 1 2 443 s
        "#]],
    );
}

#[test]
fn refused_unanswered_and_unasked() {
    let repeated = query(1, "gone.example", 28);
    let lost = query(2, "lost.example", 16);
    let refused = answer(1, 0x8183, "gone.example", 28, &[]);
    let unasked = answer(3, 0x8180, "other.example", 1, &[]);
    check(
        &[
            (Initiator, &repeated),
            (Initiator, &repeated),
            (Initiator, &lost),
            (Responder, &refused),
            (Responder, &unasked),
        ],
        &expect![[r#"
            query refused 3s
              dns.query gone.example
              dns.type AAAA
              dns.type_code 28
              dns.id 1
              dns.rd true
              dns.query_bytes 30
              dns.tries 2
              dns.answered true
              dns.rcode NXDOMAIN
              dns.aa false
              dns.tc false
              dns.ra true
              dns.answer_bytes 30
              dns.answer_count 0
            query accepted 0s
              dns.query other.example
              dns.type A
              dns.type_code 1
              dns.id 3
              dns.answered true
              dns.rcode NOERROR
              dns.aa false
              dns.tc false
              dns.ra true
              dns.answer_bytes 31
              dns.answer_count 0
            query unknown 0s
              dns.query lost.example
              dns.type TXT
              dns.type_code 16
              dns.id 2
              dns.rd true
              dns.query_bytes 30
              dns.answered false
        "#]],
    );
}

#[test]
fn edns_extends_the_response_code() {
    let mut message = answer(1, 0x8180, "a.example", 1, &[]);
    message[11] = 1;
    message.extend([0, 0, 41, 4, 0xd0, 1, 0, 0, 0, 0, 0]);
    let output = run::<Dns>(&udp(53), &[(Responder, &message)]);
    assert_eq!(output.transactions[0].text("dns.rcode"), Some("BADVERS"));
}

#[test]
fn announcements_and_multicast_questions() {
    let mut key = udp(5353);
    key.responder_ip = "224.0.0.251".parse().unwrap();
    let announced = [
        head(0, 0x8400, [0, 1, 0, 0]),
        name("host.local"),
        words(&[1, 0x8001, 0, 120, 4, 0x0a00, 0x0005]),
    ]
    .concat();
    let asked = [
        head(0, 0, [2, 0, 0, 0]),
        name("_ipp._tcp.local"),
        words(&[12, 1]),
        name("a.local"),
        words(&[1, 1]),
    ]
    .concat();
    let output = run::<Dns>(&key, &[(Initiator, &asked), (Initiator, &announced)]);
    expect![[r#"
        query unknown 0s
          dns.query _ipp._tcp.local
          dns.type PTR
          dns.type_code 12
          dns.id 0
          dns.rd false
          dns.query_bytes 46
        query accepted 0s
          dns.query host.local
          dns.type A
          dns.type_code 1
          dns.id 0
          dns.answered true
          dns.rcode NOERROR
          dns.aa true
          dns.tc false
          dns.ra false
          dns.answer_bytes 38
          dns.answer_count 1
          dns.ttl_min 120
          dns.answers 10.0.0.5
    "#]]
    .assert_eq(&text(&output));
    assert_eq!(Dns::probe(&announced, Initiator, (5353, 5353)), Probe::Match);
}

#[test]
fn over_tcp_however_cut() {
    let asked = [
        prefixed(&query(1, "a.example", 1)),
        prefixed(&query(2, "b.example", 16)),
    ]
    .concat();
    let answered = [
        prefixed(&answer(2, 0x8180, "b.example", 16, &[(16, 5, b"\x02hi")])),
        prefixed(&answer(1, 0x8180, "a.example", 1, &[(1, 5, &[10, 0, 0, 1])])),
    ]
    .concat();
    let parts: &[Part<'_>] = &[(Initiator, &asked), (Responder, &answered)];
    let output = run::<Dns>(&tcp(53), parts);
    assert_eq!(output.transactions.len(), 2);
    assert_eq!(output.transactions[0].text("dns.query"), Some("b.example"));
    check_stream::<Dns>(&tcp(53), parts);
}

#[test]
fn a_zone_transfer_is_one_transaction() {
    let asked = prefixed(&query(9, "example", 252));
    let mut answered = prefixed(&answer(9, 0x8400, "example", 252, &[(1, 5, &[10, 0, 0, 1])]));
    for _ in 0..3 {
        let further = [
            head(9, 0x8400, [0, 1, 0, 0]),
            name("x.example"),
            words(&[1, 1, 0, 5, 0]),
        ]
        .concat();
        answered.extend(prefixed(&further));
    }
    let output = run::<Dns>(&tcp(53), &[(Initiator, &asked), (Responder, &answered)]);
    assert_eq!(output.transactions.len(), 1);
}

#[test]
fn probes() {
    let asked = query(7, "www.example.org", 1);
    let answered = answer(7, 0x8180, "www.example.org", 1, &[(1, 60, &[192, 0, 2, 1])]);
    let any = (40000, 9999);
    for data in [&asked, &answered] {
        assert_eq!(Dns::probe(data, Initiator, any), Probe::Match);
        assert_eq!(Dns::probe(&prefixed(data), Initiator, any), Probe::Match);
        assert_eq!(
            Dns::probe(&data[..data.len() - 1], Initiator, any),
            Probe::NoMatch
        );
    }
    assert_eq!(
        Dns::probe(&prefixed(&asked)[..9], Initiator, (40000, 53)),
        Probe::NeedMore
    );
    // NetBIOS name service has the same head, and types of its own.
    let netbios = query(7, "FEEFFDFECACACACACACACACACACACACA", 32);
    assert_eq!(Dns::probe(&netbios, Initiator, (137, 137)), Probe::NoMatch);
    assert_eq!(Dns::probe(&[0; 64], Initiator, any), Probe::NoMatch);
    assert_eq!(
        Dns::probe(b"GET / HTTP/1.1\r\n\r\n", Initiator, (40000, 53)),
        Probe::NoMatch
    );
}

#[test]
fn limits_hold() {
    let questions: Vec<Vec<u8>> = (0..100).map(|id| query(id, "a.example", 1)).collect();
    let parts: Vec<Part<'_>> = questions
        .iter()
        .map(|data| (Initiator, data.as_slice()))
        .collect();
    let same_time: Vec<Input<'_>> = parts
        .iter()
        .map(|&(from, data)| Input::Bytes {
            from,
            time: Time(0),
            data,
        })
        .collect();
    let output = crate::testing::feed::<Dns>(&udp(53), &same_time);
    assert_eq!(output.transactions.len(), 100 - OPEN_MAX);
    assert_eq!(output.anomalies.of(Anomaly::ProtocolLimit), 100 - OPEN_MAX as u64);

    let records: Vec<(u16, u32, &[u8])> = vec![(1, 5, &[10, 0, 0, 1]); 40];
    let many = answer(1, 0x8180, "a.example", 1, &records);
    let output = run::<Dns>(&udp(53), &[(Responder, &many)]);
    assert_eq!(output.transactions[0].number("dns.answer_count"), Some(40));
    let Some(Value::Texts(texts)) = output.transactions[0].get("dns.answers") else {
        panic!("no answers");
    };
    assert_eq!(texts.len(), 16);
}

#[test]
fn hostile_datagrams() {
    let asked = query(7, "www.example.org", 1);
    let answered = answer(7, 0x8580, "www.example.org", 1, &[(5, 300, b"\x03cdn\xc0\x10")]);
    let parts: &[Part<'_>] = &[(Initiator, &asked), (Responder, &answered)];
    check_datagrams::<Dns>(&udp(53), parts);
}
