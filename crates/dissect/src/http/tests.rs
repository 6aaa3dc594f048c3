//! HTTP bytes in, transactions as text out.

use expect_test::{Expect, expect};

use super::*;
use crate::Side::{Initiator, Responder};
use crate::testing::{Part, Turn, check_turns, feed, inputs, run, tcp};

/// Checks the output of what both sides say, and the contract of a stream.
#[track_caller]
fn check(said: &[(Side, &str)], expected: &Expect) {
    let turns: Vec<Turn> = said.iter().map(|&(from, said)| (from, said.into())).collect();
    check_turns::<Http>(&turns, expected);
}

#[test]
fn requests_on_one_connection() {
    check(
        &[
            (
                Initiator,
                "GET http://h/a?b=1 HTTP/1.1\r\nHost: WWW.Example.org\r\nUser-Agent: curl/8\r\nReferer: /r\r\n\
                 Cookie: c=1\r\nX-Forwarded-For: 10.1.1.1\r\n\r\nHEAD /h HTTP/1.1\r\n\r\n",
            ),
            (
                Responder,
                "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n\
                 5\r\nhello\r\n0\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n",
            ),
            (
                Initiator,
                "PUT /u HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
            ),
            (
                Responder,
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 302 Found\r\nLocation: /l?pass=x\r\n\r\nuntil the end",
            ),
        ],
        &expect![[r#"
            request accepted 1s
              http.method GET
              http.uri http://h/a?b=1
              http.host www.example.org
              http.user_agent curl/8
              http.referer /r
              http.cookie true
              http.x_forwarded_for 10.1.1.1
              http.status 200
              http.server nginx
              http.content_type text/html
              http.request_bytes 0
              http.response_bytes 5
            request refused 1s
              http.method HEAD
              http.uri /h
              http.status 404
              http.request_bytes 0
              http.response_bytes 0
            request accepted 1s
              http.method PUT
              http.uri /u
              http.status 302
              http.location /l?pass=***
              http.request_bytes 3
              http.response_bytes 13
            want Nothing
        "#]],
    );
}

#[test]
fn logins_of_the_head() {
    check(
        &[
            (
                Initiator,
                "GET / HTTP/1.1\r\nAuthorization: Basic a2ltOnNlY3JldA==\r\n\r\n",
            ),
            (Responder, "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno"),
            (
                Initiator,
                "GET / HTTP/1.1\r\nAuthorization: Basic a2ltOnNlY3JldA==\r\n\r\n",
            ),
            (Responder, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ],
        &expect![[r#"
            request refused 1s
              http.method GET
              http.uri /
              http.auth Basic
              http.user kim
              http.status 401
              http.request_bytes 0
              http.response_bytes 2
            login refused 1s
              http.method GET
              http.uri /
              http.auth Basic
              http.user kim
              http.status 401
              http.response_bytes 2
            request accepted 1s
              http.method GET
              http.uri /
              http.auth Basic
              http.user kim
              http.status 200
              http.request_bytes 0
              http.response_bytes 2
            login accepted 1s
              http.method GET
              http.uri /
              http.auth Basic
              http.user kim
              http.status 200
              http.response_bytes 2
            want Nothing
        "#]],
    );
}

#[test]
fn logins_by_form() {
    check(
        &[
            (
                Initiator,
                "POST /login.php HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: 38\r\n\r\nusername=kim&password=x123&Login=Login",
            ),
            (Responder, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"),
            (
                Initiator,
                "POST /api HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n\
                 {\"user\":\"kim\",\"passwd\":\"x\"}\n",
            ),
            (Responder, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
            (Initiator, "GET /v/?username=kim&password=x HTTP/1.1\r\n\r\n"),
        ],
        &expect![[r#"
            request accepted 1s
              http.method POST
              http.uri /login.php
              http.host h
              http.request_content_type application/x-www-form-urlencoded
              http.status 200
              http.request_bytes 38
              http.response_bytes 5
            login unknown 1s
              http.method POST
              http.host h
              http.uri /login.php
              http.status 200
              http.response_bytes 5
              http.auth form
              http.user kim
            request refused 1s
              http.method POST
              http.uri /api
              http.request_content_type application/json
              http.status 403
              http.request_bytes 28
              http.response_bytes 0
            login refused 1s
              http.method POST
              http.uri /api
              http.status 403
              http.response_bytes 0
              http.auth form
              http.user kim
            request unknown 0s
              http.method GET
              http.uri /v/?username=kim&password=***
              http.request_bytes 0
            login unknown 0s
              http.method GET
              http.uri /v/?username=kim&password=***
              http.auth form
              http.user kim
            want Nothing
        "#]],
    );
}

#[test]
fn tunnels_and_upgrades_end_it() {
    check(
        &[
            (Initiator, "CONNECT example.org:443 HTTP/1.1\r\n\r\n"),
            (Responder, "HTTP/1.1 200 Connection established\r\n\r\n"),
        ],
        &expect![[r#"
            request accepted 1s
              http.method CONNECT
              http.uri example.org:443
              http.status 200
              http.request_bytes 0
              http.response_bytes 0
            want HandOver(Tls)
        "#]],
    );
    check(
        &[
            (Initiator, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
            (Responder, "HTTP/1.1 101 Switching Protocols\r\n\r\n\x01\x02"),
        ],
        &expect![[r#"
            request accepted 1s
              http.method GET
              http.uri /ws
              http.status 101
              http.request_bytes 0
              http.response_bytes 0
            want Nothing
        "#]],
    );
}

#[test]
fn half_a_conversation() {
    let output = run::<Http>(
        &tcp(80),
        &[(Responder, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")],
    );
    assert_eq!(output.transactions[0].number("http.response_bytes"), Some(3));
    // The initiator was misjudged: roles follow the content.
    let parts: &[Part<'_>] = &[
        (Responder, b"GET / HTTP/1.1\r\n\r\n"),
        (Initiator, b"HTTP/1.1 204 -\r\n\r\n"),
    ];
    let output = run::<Http>(&tcp(80), parts);
    assert_eq!(output.transactions.len(), 1);
    assert_eq!(output.transactions[0].number("http.status"), Some(204));
}

#[test]
fn gaps_in_bodies_are_counted() {
    let parts: &[Part<'_>] = &[
        (Initiator, b"GET / HTTP/1.1\r\n\r\n"),
        (Responder, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"),
        (Responder, b"xyzHTTP/1.1 500 -\r\nContent-Length: 0\r\n\r\n"),
    ];
    let mut inputs = inputs(parts);
    let gap = |len| Input::Gap {
        from: Responder,
        time: Time::from_secs(2),
        len,
    };
    inputs.insert(2, gap(994));
    let output = feed::<Http>(&tcp(80), &inputs);
    assert_eq!(output.transactions[0].number("http.response_bytes"), Some(1000));
    assert_eq!(output.transactions[1].number("http.status"), Some(500));
    inputs[2] = gap(1994);
    let output = feed::<Http>(&tcp(80), &inputs);
    assert_eq!((output.transactions.len(), output.want), (1, Some(Want::Nothing)));
}

#[test]
fn limits_hold() {
    let requests = "GET / HTTP/1.1\r\n\r\n".repeat(PIPELINE_MAX + 5);
    let output = run::<Http>(&tcp(80), &[(Initiator, requests.as_bytes())]);
    assert_eq!(output.transactions.len(), PIPELINE_MAX + 5);
    assert_eq!(output.anomalies.of(Anomaly::ProtocolLimit), 5);

    let endless = ["GET / HTTP/1.1\r\n", &"x: y\r\n".repeat(HEAD_BYTES_MAX)].concat();
    let parts: Vec<Part<'_>> = endless
        .as_bytes()
        .chunks(1000)
        .map(|part| (Initiator, part))
        .collect();
    let output = run::<Http>(&tcp(80), &parts);
    assert_eq!(output.anomalies.of(Anomaly::ProtocolLimit), 1);
    assert_eq!(output.want, Some(Want::Nothing));
}

#[test]
fn probes() {
    let probe = |data: &[u8]| Http::probe(data, Initiator, (40000, 9999));
    assert_eq!(probe(b"GET / HTTP/1.1\r\nHost: x"), Probe::Match);
    assert_eq!(probe(b"PROPFIND / HTTP/1.0\r\n"), Probe::Match);
    assert_eq!(probe(b"HTTP/1.1 200 OK"), Probe::Match);
    for start in [b"G".as_slice(), b"GET", b"GET /", b"HTTP", b"", b"HTTP/1."] {
        assert_eq!(probe(start), Probe::NeedMore, "{start:?}");
    }
    let long = [b"GET /".as_slice(), &[b'a'; 400]].concat();
    assert_eq!(probe(&long), Probe::Match);
    for other in [
        b"OPTIONS sip:a SIP/2.0\r\n".as_slice(),
        b"PRI * HTTP/2.0\r\n\r\nSM",
        b"SSH-2.0-x\r\n",
        b"220 ftp ready\r\n",
        b"\x16\x03\x01",
        b"USER kim\r\n",
    ] {
        assert_eq!(probe(other), Probe::NoMatch, "{other:?}");
    }
}
