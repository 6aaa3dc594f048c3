//! One HTTP/1.1 connection: a request with Host and the headers browsers and tools send, a response with a body that
//! spans segments. One request per connection, so that names in the truth equal transactions.

use std::fmt::Write as _;

use super::random::Random;
use super::tcp::{Connection, Side};

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "curl/8.14.1",
    "python-requests/2.32.4",
];
const PATHS: [&str; 8] = [
    "/",
    "/index.html",
    "/api/v2/items",
    "/static/css/site.css",
    "/files/report",
    "/search",
    "/feed.xml",
    "/account/settings",
];
/// Content types with the line their bodies repeat; none for random bytes.
const KINDS: [(&str, &[u8]); 4] = [
    (
        "text/html; charset=utf-8",
        b"<p>A quick measurement of a slow link tells more than a slow one of a quick link.</p>\n",
    ),
    (
        "application/json",
        b"{\"item\":1042,\"state\":\"ready\",\"price\":19.5,\"tags\":[\"new\",\"small\"]}\n",
    ),
    (
        "text/css",
        b".row{display:flex;gap:4px}.row>.cell{flex:1;padding:2px 6px;color:#234}\n",
    ),
    ("application/octet-stream", b""),
];
/// Body of a response, bytes.
const BODY: [u64; 6] = [180, 900, 2_400, 4_600, 9_000, 24_000];
/// Time the server takes to answer, microseconds.
const THINK_US: [u64; 5] = [200, 1_500, 6_000, 25_000, 180_000];

/// Writes request and response for `host`; `pause_us` is how long the connection idles before it closes.
pub(super) fn exchange(connection: &mut Connection<'_>, random: &mut Random, host: &str, pause_us: u64) {
    let request = request(random, host);
    connection.send(Side::Client, &request);
    connection.round_trip();
    connection.acknowledge_soon(random);
    connection.pause(random.quantile(&THINK_US));
    let response = response(random);
    connection.send(Side::Server, &response);
    if pause_us > 0 {
        connection.acknowledge(Side::Client);
        connection.pause(pause_us);
    }
}

fn request(random: &mut Random, host: &str) -> Vec<u8> {
    let post = random.chance(10);
    let mut head = String::with_capacity(512);
    let (method, path) = (if post { "POST" } else { "GET" }, random.pick(&PATHS));
    // Writing to a String cannot fail.
    let _ = write!(
        head,
        "{method} {path}?r={:x} HTTP/1.1\r\nHost: {host}\r\n",
        random.bits() >> 32
    );
    let _ = write!(head, "User-Agent: {}\r\nAccept: */*\r\n", random.pick(&AGENTS));
    if random.chance(70) {
        let _ = write!(
            head,
            "Accept-Language: en-GB,en;q=0.7\r\nAccept-Encoding: gzip, deflate\r\nDNT: 1\r\n"
        );
    }
    if random.chance(50) {
        let _ = write!(
            head,
            "Cookie: visit={:016x}{:016x}; theme=light\r\n",
            random.bits(),
            random.bits()
        );
    }
    if random.chance(40) {
        let _ = write!(head, "Referer: http://{host}/index.html\r\n");
    }
    let body = if post {
        random.quantile(&[40, 200, 1_200]) as usize
    } else {
        0
    };
    if post {
        let _ = write!(
            head,
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {body}\r\n"
        );
    }
    head.push_str("Connection: keep-alive\r\n\r\n");
    let mut out = head.into_bytes();
    out.extend(b"field=value&".iter().cycle().take(body));
    out
}

fn response(random: &mut Random) -> Vec<u8> {
    let status = random.pick(&[
        "200 OK",
        "200 OK",
        "200 OK",
        "200 OK",
        "206 Partial Content",
        "404 Not Found",
    ]);
    let size = random.quantile(&BODY) as usize;
    let (kind, line) = random.pick(&KINDS);
    let chunked = random.chance(15);
    let mut head = String::with_capacity(384);
    let _ = write!(
        head,
        "HTTP/1.1 {status}\r\nServer: nginx/1.26.3\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    );
    let _ = write!(
        head,
        "Content-Type: {kind}\r\nCache-Control: max-age=600\r\nETag: \"{:x}\"\r\n",
        random.bits()
    );
    let _ = match chunked {
        true => write!(head, "Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n"),
        false => write!(head, "Content-Length: {size}\r\nAccept-Ranges: bytes\r\n\r\n"),
    };
    let mut out = head.into_bytes();
    out.reserve(size + 8);
    if line.is_empty() {
        random.append(&mut out, size);
    } else {
        out.extend(line.iter().cycle().take(size));
    }
    if chunked {
        out.extend_from_slice(b"\r\n0\r\n\r\n");
    }
    out
}
