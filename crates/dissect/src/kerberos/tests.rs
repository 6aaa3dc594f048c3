//! Kerberos exchanges built from DER by hand: tickets, log-ins, errors, over TCP and UDP.

use expect_test::expect;

use super::*;
use crate::testing;
use crate::testing::{Turn, check_turns, client, parts, server};

fn der(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    let len = (body.len() as u16).to_be_bytes();
    [&[tag, 0x82, len[0], len[1]][..], &body].concat()
}

fn tagged(number: u8, inner: Vec<u8>) -> Vec<u8> {
    der(0xa0 | number, &[inner])
}

fn int(value: u8) -> Vec<u8> {
    vec![2, 1, value]
}

fn string(text: &str) -> Vec<u8> {
    der(0x1b, &[text.as_bytes().to_vec()])
}

fn principal(kind: u8, names: &[&str]) -> Vec<u8> {
    let names: Vec<_> = names.iter().map(|name| string(name)).collect();
    der(0x30, &[tagged(0, int(kind)), tagged(1, der(0x30, &names))])
}

fn time() -> Vec<u8> {
    der(0x18, &[b"20240101000000Z".to_vec()])
}

fn request(tag: u8, user: &str, nonce: u8, preauth: bool) -> Vec<u8> {
    let number = tag & 0x1f;
    let body = der(
        0x30,
        &[
            tagged(0, vec![3, 5, 0, 0x40, 0x81, 0, 0x10]),
            tagged(1, principal(1, &[user])),
            tagged(2, string("LAB.EXAMPLE")),
            tagged(3, principal(2, &["krbtgt", "LAB.EXAMPLE"])),
            tagged(5, time()),
            tagged(7, int(nonce)),
            tagged(8, der(0x30, &[int(18), int(23)])),
        ],
    );
    let proof = der(0x30, &[tagged(1, int(2)), tagged(2, der(4, &[vec![0; 4]]))]);
    let mut parts = vec![tagged(1, int(5)), tagged(2, int(number))];
    if preauth {
        parts.push(tagged(3, der(0x30, &[proof])));
    }
    parts.push(tagged(4, body));
    der(tag, &[der(0x30, &parts)])
}

fn encrypted(etype: u8) -> Vec<u8> {
    der(0x30, &[tagged(0, int(etype)), tagged(2, der(4, &[vec![7; 20]]))])
}

fn reply(tag: u8) -> Vec<u8> {
    let ticket = der(
        0x61,
        &[der(
            0x30,
            &[
                tagged(0, int(5)),
                tagged(1, string("LAB.EXAMPLE")),
                tagged(2, principal(2, &["cifs", "dc"])),
                tagged(3, encrypted(23)),
            ],
        )],
    );
    let parts = [
        tagged(0, int(5)),
        tagged(1, int(tag & 0x1f)),
        tagged(3, string("LAB.EXAMPLE")),
        tagged(4, principal(1, &["kim"])),
        tagged(5, ticket),
        tagged(6, encrypted(18)),
    ];
    der(tag, &[der(0x30, &parts)])
}

fn error(code: u8) -> Vec<u8> {
    let parts = [
        tagged(0, int(5)),
        tagged(1, int(30)),
        tagged(4, time()),
        tagged(5, int(1)),
        tagged(6, int(code)),
        tagged(9, string("LAB.EXAMPLE")),
        tagged(10, principal(2, &["krbtgt", "LAB.EXAMPLE"])),
    ];
    der(KRB_ERROR, &[der(0x30, &parts)])
}

fn record(message: Vec<u8>) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], &message].concat()
}

#[test]
fn logins() {
    let turns: Vec<Turn> = vec![
        client(record(request(AS_REQ, "kim", 1, false))),
        server(record(error(25))),
        client(record(request(AS_REQ, "kim", 2, true))),
        server(record(error(24))),
        client(record(request(AS_REQ, "eve", 5, true))),
    ];
    check_turns::<Kerberos>(
        &turns,
        &expect![[r#"
        ticket unknown 1s
          krb.request AS
          krb.client kim
          krb.realm LAB.EXAMPLE
          krb.service krbtgt/LAB.EXAMPLE
          krb.preauth false
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
          krb.error 25
          krb.error_name KDC_ERR_PREAUTH_REQUIRED
        ticket refused 1s
          krb.request AS
          krb.client kim
          krb.realm LAB.EXAMPLE
          krb.service krbtgt/LAB.EXAMPLE
          krb.preauth true
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
          krb.error 24
          krb.error_name KDC_ERR_PREAUTH_FAILED
        login refused 1s
          krb.request AS
          krb.client kim
          krb.realm LAB.EXAMPLE
          krb.service krbtgt/LAB.EXAMPLE
          krb.preauth true
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
          krb.error 24
          krb.error_name KDC_ERR_PREAUTH_FAILED
        ticket unknown 1s
          krb.request AS
          krb.client eve
          krb.realm LAB.EXAMPLE
          krb.service krbtgt/LAB.EXAMPLE
          krb.preauth true
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
        login unknown 1s
          krb.request AS
          krb.client eve
          krb.realm LAB.EXAMPLE
          krb.service krbtgt/LAB.EXAMPLE
          krb.preauth true
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
        want Nothing
    "#]],
    );
}

#[test]
fn tickets() {
    let turns: Vec<Turn> = vec![
        client(record(request(AS_REQ, "kim", 3, true))),
        server(record(reply(AS_REP))),
        client(record(request(TGS_REQ, "kim", 4, false))),
        server(record(reply(TGS_REP))),
    ];
    check_turns::<Kerberos>(
        &turns,
        &expect![[r#"
        ticket accepted 1s
          krb.request AS
          krb.client kim
          krb.realm LAB.EXAMPLE
          krb.service cifs/dc
          krb.preauth true
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
          krb.cipher rc4-hmac
        login accepted 1s
          krb.request AS
          krb.client kim
          krb.realm LAB.EXAMPLE
          krb.service cifs/dc
          krb.preauth true
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
        ticket accepted 1s
          krb.request TGS
          krb.client kim
          krb.realm LAB.EXAMPLE
          krb.service cifs/dc
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
          krb.cipher rc4-hmac
        want Nothing
    "#]],
    );
}

#[test]
fn datagrams_sent_again() {
    let turns = [
        client(request(AS_REQ, "nobody", 1, false)),
        client(request(AS_REQ, "nobody", 1, false)),
        server(error(6)),
    ];
    let output = testing::run::<Kerberos>(&testing::udp(88), &parts(&turns));
    expect![[r#"
        ticket refused 2s
          krb.request AS
          krb.client nobody
          krb.realm LAB.EXAMPLE
          krb.service krbtgt/LAB.EXAMPLE
          krb.preauth false
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
          krb.error 6
          krb.error_name KDC_ERR_C_PRINCIPAL_UNKNOWN
        login refused 2s
          krb.request AS
          krb.client nobody
          krb.realm LAB.EXAMPLE
          krb.service krbtgt/LAB.EXAMPLE
          krb.preauth false
          krb.ciphers aes256-cts-hmac-sha1-96 | rc4-hmac
          krb.error 6
          krb.error_name KDC_ERR_C_PRINCIPAL_UNKNOWN
    "#]]
    .assert_eq(&testing::text(&output));
    testing::check_datagrams::<Kerberos>(&testing::udp(88), &parts(&turns));
}

#[test]
fn probes() {
    let message = request(AS_REQ, "kim", 1, false);
    assert_eq!(Kerberos::probe(&message, Side::Initiator, (1, 88)), Probe::Match);
    assert_eq!(
        Kerberos::probe(&record(message.clone()), Side::Initiator, (1, 88)),
        Probe::Match
    );
    assert_eq!(
        Kerberos::probe(&record(message)[..6], Side::Initiator, (1, 88)),
        Probe::NeedMore
    );
    assert_eq!(
        Kerberos::probe(b"\0\0\x10GET", Side::Initiator, (1, 88)),
        Probe::NoMatch
    );
}
