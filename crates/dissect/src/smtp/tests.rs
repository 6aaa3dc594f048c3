//! SMTP dialogues: log-ins, mails by DATA and BDAT, pipelining, hand-over to TLS.

use expect_test::expect;

use super::*;
use crate::testing::{check, render, turns};

#[test]
fn login_and_mail() {
    check::<Smtp>(
        "S: 220 mx.example.org ESMTP
         C: EHLO pc33
         S: 250-mx.example.org
         S: 250 AUTH LOGIN PLAIN
         C: AUTH LOGIN
         S: 334 VXNlcm5hbWU6
         C: a2lt
         S: 334 UGFzc3dvcmQ6
         C: c2VjcmV0
         S: 535 5.7.8 Error: authentication failed
         C: AUTH PLAIN AGtpbQBzZWNyZXQ=
         S: 235 2.7.0 ok
         C: MAIL FROM:<kim@example.org> SIZE=100
         C: RCPT TO:<a@example.com>
         C: RCPT TO:<b@example.com>
         S: 250 ok
         S: 250 ok
         S: 550 no such user
         C: DATA
         S: 354 go on
         C: From: kim
         C: Subject: the plan
         C: ..
         C: RCPT TO:<not@a.command>
         C: .
         S: 250 queued
         C: AUTH PLAIN
         S: 504 no
         C: QUIT",
        &expect![[r#"
            login refused 5s
              smtp.user kim
              smtp.auth LOGIN
              smtp.code 535
            login accepted 1s
              smtp.user kim
              smtp.auth PLAIN
              smtp.code 235
            mail accepted 13s
              smtp.helo pc33
              smtp.from kim@example.org
              smtp.to a@example.com
              smtp.subject the plan
              smtp.bytes 62
              smtp.code 250
            login unknown 1s
              smtp.auth PLAIN
              smtp.code 504
            want Nothing
        "#]],
    );
}

#[test]
fn bodies_and_chunks() {
    check::<Smtp>(
        "C: HELO x
         S: 250 hello
         C: MAIL FROM:<>
         S: 250 ok
         C: DATA
         S: 354 go on
         C: Subject: one
         C: 
         C: text
         C: .
         S: 554 spam
         C: MAIL FROM: a@example.org
         S: 250 ok
         C: BDAT 14 LAST
         C: Subject: two
         S: 250 ok",
        &expect![[r#"
            mail refused 8s
              smtp.helo x
              smtp.from 
              smtp.subject one
              smtp.bytes 25
              smtp.code 554
            mail accepted 4s
              smtp.helo x
              smtp.from a@example.org
              smtp.subject two
              smtp.bytes 14
              smtp.code 250
            want Nothing
        "#]],
    );
}

#[test]
fn tls_is_handed_over() {
    let text = render::<Smtp>(&turns("S: 220 x ESMTP\nC: STARTTLS\nS: 220 go"));
    expect!["want HandOver(Tls)\n"].assert_eq(&text);
}

#[test]
fn probes() {
    let probe = |data: &[u8], port| Smtp::probe(data, Side::Responder, (port, 40000));
    assert_eq!(probe(b"220 x\r\n", 25), Probe::Match);
    assert_eq!(probe(b"220 x ESMTP\r\n", 2525), Probe::Match);
    assert_eq!(probe(b"220 FTP\r\n", 21), Probe::NoMatch);
    assert_eq!(probe(b"EHLO x\r\n", 40001), Probe::Match);
    assert_eq!(probe(b"GET / HTTP/1.1\r\n", 80), Probe::NoMatch);
}
