//! Dialogues over TCP, datagrams over UDP, limits.

use expect_test::{Expect, expect};

use super::*;
use crate::testing::{Turn, check_datagrams, check_turns, client, parts, run, server, text as render, udp};

const INVITE: &str = "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1\r\n\
    f: \"Kim\" <sip:kim@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\ni: a1@10.0.0.5\r\nCSeq: 7 INVITE\r\n\
    User-Agent: tele 1\r\nContent-Length: 4\r\n\r\nv=0\n";

fn answer(status: &str, cseq: &str) -> String {
    format!(
        "SIP/2.0 {status}\r\nFrom: <sip:kim@example.org>;tag=1\r\nTo: <sip:bob@example.org>;tag=2\r\n\
         Call-ID: a1@10.0.0.5\r\nCSeq: {cseq}\r\nServer: box 2\r\nContent-Length: 0\r\n\r\n"
    )
}

fn register(cseq: u32, more: &str) -> String {
    format!(
        "REGISTER sip:example.org SIP/2.0\r\nFrom: <sip:kim@example.org>;tag=3\r\nTo: <sip:kim@example.org>\r\n\
         Call-ID: a1@10.0.0.5\r\nCSeq: {cseq} REGISTER\r\n{more}\r\n"
    )
}

fn check_udp(turns: &[Turn], expected: &Expect) {
    let key = udp(5060);
    expected.assert_eq(&render(&run::<Sip>(&key, &parts(turns))));
    check_datagrams::<Sip>(&key, &parts(turns));
}

/// A call: provisional responses, a repeated answer, ACK, and BYE from the other side.
#[test]
fn a_call_over_tcp() {
    let bye = "BYE sip:kim@10.0.0.5 SIP/2.0\r\nFrom: <sip:bob@example.org>;tag=2\r\nTo: <sip:kim@example.org>;tag=1\r\n\
               Call-ID: a1@10.0.0.5\r\nCSeq: 1 BYE\r\n\r\n";
    check_turns::<Sip>(
        &[
            client(INVITE),
            server(answer("100 Trying", "7 INVITE") + &answer("180 Ringing", "7 INVITE")),
            server(answer("200 OK", "7 INVITE")),
            server(answer("200 OK", "7 INVITE")),
            client(
                INVITE
                    .replace("INVITE", "ACK")
                    .replace("Content-Length: 4", "l: 0")
                    .replace("v=0\n", ""),
            ),
            server(bye),
            client(answer("200 OK", "1 BYE")),
        ],
        &expect![[r#"
            request accepted 2s
              sip.method INVITE
              sip.client 10.0.0.5
              sip.from kim@example.org
              sip.to bob@example.org
              sip.call_id a1@10.0.0.5
              sip.uri sip:bob@example.org
              sip.user_agent tele 1
              sip.status 200
              sip.server box 2
              sip.provisional 180
            request accepted 1s
              sip.method BYE
              sip.client 10.0.0.9
              sip.from bob@example.org
              sip.to kim@example.org
              sip.call_id a1@10.0.0.5
              sip.uri sip:kim@10.0.0.5
              sip.status 200
              sip.server box 2
            want Nothing
        "#]],
    );
}

/// A challenge, then good and then bad credentials.
#[test]
fn registrations() {
    let digest = "Authorization: Digest username=\"kim\"\r\n";
    check_udp(
        &[
            client(register(1, "")),
            server(answer("401 Unauthorized", "1 REGISTER")),
            client(register(2, digest)),
            server(answer("200 OK", "2 REGISTER")),
            client(register(3, digest)),
            server(answer("403 Forbidden", "3 REGISTER")),
            client("\r\n\r\n"),
        ],
        &expect![[r#"
            request unknown 1s
              sip.method REGISTER
              sip.client 10.0.0.5
              sip.from kim@example.org
              sip.to kim@example.org
              sip.call_id a1@10.0.0.5
              sip.uri sip:example.org
              sip.status 401
              sip.server box 2
            request accepted 1s
              sip.method REGISTER
              sip.client 10.0.0.5
              sip.from kim@example.org
              sip.to kim@example.org
              sip.call_id a1@10.0.0.5
              sip.uri sip:example.org
              sip.credentials true
              sip.status 200
              sip.server box 2
            request refused 1s
              sip.method REGISTER
              sip.client 10.0.0.5
              sip.from kim@example.org
              sip.to kim@example.org
              sip.call_id a1@10.0.0.5
              sip.uri sip:example.org
              sip.credentials true
              sip.status 403
              sip.server box 2
        "#]],
    );
}

/// Passwords tried under one Call-ID and CSeq: each is an attempt of its own; a repeat is none.
#[test]
fn guesses() {
    let guess = |word: &str| {
        client(register(
            2,
            &format!("Authorization: Digest response=\"{word}\"\r\n"),
        ))
    };
    let turns = [
        guess("a"),
        guess("a"),
        server(answer("401 Unauthorized", "2 REGISTER")),
        guess("a"),
        guess("b"),
        server(answer("200 OK", "2 REGISTER")),
    ];
    let output = run::<Sip>(&udp(5060), &parts(&turns));
    let outcomes: Vec<_> = output.transactions.iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Refused, Outcome::Accepted]);
}

/// Repeated and never answered; an answer whose question was not seen; something else in between.
#[test]
fn halves() {
    check_udp(
        &[
            client(INVITE),
            client(INVITE),
            server(answer("404 Not Found", "9 OPTIONS")),
            client("hello\r\n\r\n"),
        ],
        &expect![[r#"
            request refused 0s
              sip.method OPTIONS
              sip.client 10.0.0.5
              sip.from kim@example.org
              sip.to bob@example.org
              sip.call_id a1@10.0.0.5
              sip.status 404
              sip.server box 2
            request unknown 0s
              sip.method INVITE
              sip.client 10.0.0.5
              sip.from kim@example.org
              sip.to bob@example.org
              sip.call_id a1@10.0.0.5
              sip.uri sip:bob@example.org
              sip.user_agent tele 1
              sip.repeats 1
            odd protocol_error x1
        "#]],
    );
}

/// More open requests than are kept: the oldest is sent as unanswered.
#[test]
fn a_flood_is_bounded() {
    let turns: Vec<Turn> = (0..OPEN_MAX + 6)
        .map(|at| client(INVITE.replace("a1@", &format!("a{at}@"))))
        .collect();
    // A second apart, those of the first half time out as well.
    let output = run::<Sip>(&udp(5060), &parts(&turns));
    assert_eq!(output.transactions.len(), OPEN_MAX + 6);
    let all = vec![(Side::Initiator, turns[0].1.as_slice())];
    let inputs: Vec<Input<'_>> = turns
        .iter()
        .map(|(from, data)| Input::Bytes {
            from: *from,
            time: Time::from_secs(0),
            data,
        })
        .collect();
    let output = crate::testing::feed::<Sip>(&udp(5060), &inputs);
    assert_eq!(output.transactions.len(), 6);
    assert_eq!(output.anomalies.seen().count(), 1);
    assert_eq!(run::<Sip>(&udp(5060), &all).transactions.len(), 1);
}

#[test]
fn probes() {
    let probe = |data: &str| Sip::probe(data.as_bytes(), Side::Initiator, (40000, 9999));
    assert_eq!(probe("OPTIONS sip:x SIP/2.0\r\n"), Probe::Match);
    assert_eq!(probe("\r\nSIP/2.0 200 OK\r\n"), Probe::Match);
    assert_eq!(probe("OPTI"), Probe::NeedMore);
    assert_eq!(probe("OPTIONS si"), Probe::NeedMore);
    assert_eq!(probe("OPTIONS * RT"), Probe::NoMatch);
    assert_eq!(probe("GET / HTTP/1.1\r\n"), Probe::NoMatch);
    assert_eq!(probe("\0\x01"), Probe::NoMatch);
}
