//! TLS bytes in, transactions as text out. The hellos are built here, so that each test shows what it depends on.

use expect_test::expect;

use super::*;
use crate::Side::{Initiator, Responder};
use crate::testing::{Part, check_stream, feed, inputs, run, tcp, text};

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn list8(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

fn list16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), list16(data).as_slice()].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, len[1], len[2], len[3]], body].concat()
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3], list16(payload).as_slice()].concat()
}

/// A TLS 1.3 client that asks for `name`, with GREASE.
fn client_hello(name: &str) -> Vec<u8> {
    let extensions = [
        extension(0x1a1a, &[]),
        extension(0, &list16(&[&[0], list16(name.as_bytes()).as_slice()].concat())),
        extension(10, &list16(&words(&[0x2a2a, 29, 23]))),
        extension(11, &list8(&[0])),
        extension(13, &list16(&words(&[0x0403, 0x0804]))),
        extension(16, &list16(&[list8(b"h2"), list8(b"http/1.1")].concat())),
        extension(43, &list8(&words(&[0x3a3a, 0x0304, 0x0303]))),
    ]
    .concat();
    let body = [
        words(&[0x0303]),
        vec![7; 32],
        list8(&[9; 4]),
        list16(&words(&[0x0a0a, 0x1302, 0x1301, 0xc02f])),
        list8(&[0]),
        list16(&extensions),
    ]
    .concat();
    message(CLIENT_HELLO, &body)
}

fn server_hello(session_id: &[u8], cipher: u16, extensions: &[u8]) -> Vec<u8> {
    let body = [
        words(&[0x0303]),
        vec![8; 32],
        list8(session_id),
        words(&[cipher]),
        vec![0],
        list16(extensions),
    ]
    .concat();
    message(SERVER_HELLO, &body)
}

const CHANGE: &[u8] = &[20, 3, 3, 0, 1, 1];

#[test]
fn tls13_stops_at_the_clients_finished() {
    let hello = record(22, &client_hello("WWW.Example.org"));
    let answer = [
        record(
            22,
            &server_hello(&[9; 4], 0x1301, &extension(43, &words(&[0x0304]))),
        ),
        CHANGE.to_vec(),
        record(23, &[0; 900]),
    ]
    .concat();
    let finished = [CHANGE.to_vec(), record(23, &[0; 53])].concat();
    let parts: &[Part<'_>] = &[(Initiator, &hello), (Responder, &answer), (Initiator, &finished)];
    let output = run::<Tls>(&tcp(443), parts);
    assert_eq!(output.want, Some(Want::Nothing));
    expect![[r#"
        handshake accepted 2s
          tls.version_offered TLS1.3
          tls.sni www.example.org
          tls.alpn h2 | http/1.1
          tls.ja3 7a36bd646cfd44ffe5268a460aeea992
          tls.ja3_string 771,4866-4865-49199,0-10-11-13-16-43,29-23,0
          tls.ja4 t13d0306h2_40b44b994229_fb71836bce29
          tls.ja4_raw t13d0306h2_1301,1302,c02f_000a,000b,000d,002b_0403,0804
          tls.version TLS1.3
          tls.cipher TLS_AES_128_GCM_SHA256
          tls.ja3s cce84e7a8b742462e40afb585a3e3ccc
          tls.ja3s_string 771,4865,43
          tls.resumed false
          tls.established true
    "#]]
    .assert_eq(&text(&output));
    check_stream::<Tls>(&tcp(443), parts);
}

#[test]
fn tls12_messages_share_and_span_records() {
    let hello = client_hello("a.example");
    let (first, second) = hello.split_at(20);
    let client = [record(22, first), record(22, second)].concat();
    let certificate = message(CERTIFICATE, &[0, 0, 6, 0, 0, 3, 1, 2, 3]);
    let flight = [
        server_hello(&[], 0xc02f, &extension(16, &list16(&list8(b"h2")))),
        certificate,
        message(14, &[]),
    ];
    let server = record(22, &flight.concat());
    let finished = [
        record(22, &message(16, &[0; 66])),
        CHANGE.to_vec(),
        record(22, &[0; 40]),
    ]
    .concat();
    let done = [CHANGE.to_vec(), record(22, &[0; 40])].concat();
    let parts: &[Part<'_>] = &[
        (Initiator, &client),
        (Responder, &server),
        (Initiator, &finished),
        (Responder, &done),
    ];
    expect![[r#"
        handshake accepted 3s
          tls.version_offered TLS1.3
          tls.sni a.example
          tls.alpn h2 | http/1.1
          tls.ja3 7a36bd646cfd44ffe5268a460aeea992
          tls.ja3_string 771,4866-4865-49199,0-10-11-13-16-43,29-23,0
          tls.ja4 t13d0306h2_40b44b994229_fb71836bce29
          tls.ja4_raw t13d0306h2_1301,1302,c02f_000a,000b,000d,002b_0403,0804
          tls.version TLS1.2
          tls.cipher TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
          tls.alpn_chosen h2
          tls.ja3s 896415616b22361262d7a961b6325cfd
          tls.ja3s_string 771,49199,16
          tls.resumed false
          tls.cert_count 1
          tls.cert_sha256 039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81
          tls.cert_sha1 7037807198c22a7d2b0807371d763779a84fdfcf
          tls.established true
        odd protocol_error x1
    "#]]
    .assert_eq(&text(&run::<Tls>(&tcp(443), parts)));
    check_stream::<Tls>(&tcp(443), parts);
}

#[test]
fn a_refusal_names_its_reason() {
    let hello = record(22, &client_hello("a.example"));
    let alert = record(21, &[2, 40]);
    let output = run::<Tls>(&tcp(443), &[(Initiator, &hello), (Responder, &alert)]);
    let transaction = &output.transactions[0];
    assert_eq!(transaction.text("tls.alert"), Some("handshake_failure"));
    assert_eq!(transaction.outcome, Outcome::Refused);
    assert_eq!(transaction.flag("tls.established"), Some(false));
}

#[test]
fn a_retry_keeps_the_first_hello_and_the_second_answer() {
    let hello = record(22, &client_hello("a.example"));
    let again = [CHANGE.to_vec(), record(22, &client_hello("b.example"))].concat();
    let mut retry = server_hello(&[], 0x1302, &extension(43, &words(&[0x0304])));
    retry[6..38].copy_from_slice(&[
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
        0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ]);
    let retry = [record(22, &retry), CHANGE.to_vec()].concat();
    let answer = record(22, &server_hello(&[], 0x1301, &extension(43, &words(&[0x0304]))));
    let parts: &[Part<'_>] = &[
        (Initiator, &hello),
        (Responder, &retry),
        (Initiator, &again),
        (Responder, &answer),
    ];
    let output = run::<Tls>(&tcp(443), parts);
    let transaction = &output.transactions[0];
    assert_eq!(transaction.text("tls.sni"), Some("a.example"));
    assert_eq!(transaction.text("tls.cipher"), Some("TLS_AES_128_GCM_SHA256"));
}

#[test]
fn resumption_is_an_echoed_session() {
    let hello = record(22, &client_hello("a.example"));
    let answer = [record(22, &server_hello(&[9; 4], 0xc02f, &[])), CHANGE.to_vec()].concat();
    let parts: &[Part<'_>] = &[(Initiator, &hello), (Responder, &answer), (Initiator, CHANGE)];
    let output = run::<Tls>(&tcp(443), parts);
    assert_eq!(output.transactions[0].flag("tls.resumed"), Some(true));
    assert_eq!(output.transactions[0].outcome, Outcome::Accepted);
}

#[test]
fn a_cut_hello_has_a_name_and_no_fingerprint() {
    let hello = record(22, &client_hello("a.example"));
    let output = run::<Tls>(&tcp(443), &[(Initiator, &hello[..hello.len() - 30])]);
    assert_eq!(output.transactions[0].text("tls.sni"), Some("a.example"));
    assert_eq!(output.transactions[0].text("tls.ja3"), None);
}

#[test]
fn gaps_matter_only_where_something_is_read() {
    let hello = record(22, &client_hello("a.example"));
    let answer = record(22, &server_hello(&[], 0x1301, &extension(43, &words(&[0x0304]))));
    let opaque = record(23, &[0; 900]);
    let finished = record(23, &[0; 53]);
    let parts: &[Part<'_>] = &[
        (Initiator, &hello),
        (Responder, &answer),
        (Responder, &opaque[..100]),
        (Initiator, &finished),
    ];
    let mut inputs = inputs(parts);
    let gap = |len| Input::Gap {
        from: Responder,
        time: Time::from_secs(2),
        len,
    };
    inputs.insert(3, gap(805));
    assert_eq!(
        feed::<Tls>(&tcp(443), &inputs).transactions[0].outcome,
        Outcome::Accepted
    );
    inputs[3] = gap(806);
    assert_eq!(
        feed::<Tls>(&tcp(443), &inputs).transactions[0].outcome,
        Outcome::Unknown
    );
}

#[test]
fn messages_beyond_the_limit_are_passed_over() {
    let hello = record(22, &client_hello("a.example"));
    let mut parts = vec![hello, record(22, &[CERTIFICATE, 2, 0, 0])];
    parts.extend((0..9).map(|_| record(22, &[0; 16_000])));
    let parts: Vec<Part<'_>> = parts.iter().map(|part| (Initiator, part.as_slice())).collect();
    let output = run::<Tls>(&tcp(443), &parts);
    assert_eq!(output.anomalies.of(Anomaly::ProtocolLimit), 1);
    assert_eq!(output.anomalies.of(Anomaly::ProtocolError), 0);
}

#[test]
fn probes() {
    let hello = record(22, &client_hello("a.example"));
    for end in 0..11 {
        assert_eq!(Tls::probe(&hello[..end], Initiator, (1, 2)), Probe::NeedMore);
    }
    assert_eq!(Tls::probe(&hello[..11], Initiator, (1, 2)), Probe::Match);
    assert_eq!(
        Tls::probe(b"\x16\x03\x01 GET / HTTP", Initiator, (1, 443)),
        Probe::NoMatch
    );
    assert_eq!(Tls::probe(b"SSH-2.0", Initiator, (1, 443)), Probe::NoMatch);
}

#[test]
fn other_things_than_hellos_end_it() {
    let output = run::<Tls>(&tcp(443), &[(Initiator, b"SSH-2.0-x\r\n")]);
    assert_eq!(output.want, Some(Want::Nothing));
    assert_eq!(output.anomalies.of(Anomaly::ProtocolError), 1);
}
