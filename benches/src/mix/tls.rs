//! One TLS 1.3 connection (RFC 8446): a ClientHello in one of four shapes, ServerHello, then records of random bytes in
//! realistic sizes both ways. Only the hellos are readable on a wire, so only they are built field by field.

use super::random::Random;
use super::tcp::{Connection, Side};

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];
const X25519: u16 = 0x001d;
/// X25519MLKEM768: its key share makes the ClientHello span two segments, as most browsers' hellos do today.
const HYBRID: u16 = 0x11ec;
const HYBRID_CLIENT_SHARE: usize = 1216;
const HYBRID_SERVER_SHARE: usize = 1120;
/// Largest plaintext per record plus content type and authentication tag.
const RECORD_MAX: usize = 16_384 + 17;

/// Encrypted extensions, certificates, signature and Finished of the server, bytes of record payload.
const SERVER_FLIGHT: [u64; 5] = [700, 1_250, 2_200, 2_750, 4_200];
/// The same without certificates, when the client resumes an earlier connection.
const SERVER_FLIGHT_RESUMED: [u64; 2] = [90, 160];
const RESUMED_PERCENT: u64 = 35;
const REQUEST: [u64; 5] = [90, 220, 420, 800, 1_900];
const RESPONSE: [u64; 7] = [60, 250, 500, 900, 1_800, 5_500, 26_000];
/// Time the server takes to answer, microseconds.
const THINK_US: [u64; 5] = [150, 900, 5_000, 20_000, 150_000];

/// The clients of the mix; they differ in suites, extensions, their order and sizes, hence in fingerprint.
#[derive(Clone, Copy)]
struct Shape {
    suites: &'static [u16],
    groups: &'static [u16],
    alpn: &'static [&'static str],
    /// Extension types in the order of this client.
    extensions: &'static [u16],
    grease: bool,
}

const FIREFOX: Shape = Shape {
    suites: &[
        0x1301, 0x1303, 0x1302, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc02c, 0xc030, 0xc00a, 0xc009, 0xc013,
        0xc014, 0x9c, 0x9d, 0x2f, 0x35,
    ],
    groups: &[X25519, 0x17, 0x18, 0x19, 0x0100, 0x0101],
    alpn: &["h2", "http/1.1"],
    extensions: &[0, 23, 0xff01, 10, 11, 35, 16, 5, 51, 43, 13, 45, 28, 27],
    grease: false,
};
const BROWSER_HYBRID: Shape = Shape {
    suites: &[
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d,
        0x2f, 0x35,
    ],
    groups: &[HYBRID, X25519, 0x17, 0x18],
    alpn: &["h2", "http/1.1"],
    extensions: &[18, 11, 35, 10, 45, 51, 13, 0, 16, 43, 5, 27, 23, 0xff01],
    grease: true,
};
const LIBRARY: Shape = Shape {
    suites: &[
        0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x9f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f, 0x9e, 0xff,
    ],
    groups: &[X25519, 0x17, 0x1e, 0x19, 0x18],
    alpn: &["h2", "http/1.1"],
    extensions: &[0, 11, 10, 35, 16, 22, 23, 13, 43, 45, 51],
    grease: false,
};
const SERVICE: Shape = Shape {
    suites: &[0x1301, 0x1302, 0x1303],
    groups: &[X25519, 0x17],
    alpn: &["http/1.1"],
    extensions: &[0, 5, 10, 13, 16, 18, 43, 51],
    grease: false,
};
const SHAPES: [Shape; 4] = [FIREFOX, BROWSER_HYBRID, LIBRARY, SERVICE];

/// Writes a handshake for `name` and one to three request-response turns; `pause_us` passes before the last one.
pub(super) fn exchange(connection: &mut Connection<'_>, random: &mut Random, name: &str, pause_us: u64) {
    let shape = random.pick(&SHAPES);
    let mut session = Vec::with_capacity(32);
    random.append(&mut session, 32);
    connection.send(Side::Client, &client_hello(random, &shape, name, &session));
    connection.round_trip();
    connection.acknowledge_soon(random);
    connection.pause(random.quantile(&[100, 400, 2_500]));

    let mut flight = server_hello(random, &shape, &session);
    flight.extend_from_slice(&CHANGE_CIPHER_SPEC);
    let resumed = random.chance(RESUMED_PERCENT);
    let encrypted = random.quantile(if resumed {
        &SERVER_FLIGHT_RESUMED
    } else {
        &SERVER_FLIGHT[..]
    });
    application_data(random, &mut flight, encrypted as usize);
    // What the client has not acknowledged by then it acknowledges with its Finished.
    connection.send(Side::Server, &flight);
    connection.pause(random.quantile(&[80, 300, 1_500]));

    let turns = random.pick(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    for turn in 0..turns {
        if turn + 1 == turns && pause_us > 0 {
            connection.acknowledge(Side::Client);
            connection.pause(pause_us);
        }
        // The first request follows the client's Finished, the first response two session tickets.
        turn_around(connection, random, turn == 0);
    }
    // close_notify, which travels encrypted; half of the clients leave it out.
    if random.chance(50) {
        return;
    }
    let mut alert = Vec::with_capacity(24);
    application_data(random, &mut alert, 19);
    connection.send(Side::Client, &alert);
}

fn turn_around(connection: &mut Connection<'_>, random: &mut Random, first: bool) {
    let mut out = Vec::with_capacity(2048);
    if first {
        out.extend_from_slice(&CHANGE_CIPHER_SPEC);
        application_data(random, &mut out, 53);
    }
    let request = random.quantile(&REQUEST) as usize;
    application_data(random, &mut out, request);
    connection.send(Side::Client, &out);
    connection.round_trip();
    connection.acknowledge_soon(random);
    connection.pause(random.quantile(&THINK_US));
    out.clear();
    if first {
        application_data(random, &mut out, 250);
        application_data(random, &mut out, 250);
    }
    let response = random.quantile(&RESPONSE) as usize;
    application_data(random, &mut out, response);
    connection.send(Side::Server, &out);
}

/// Appends records that carry `length` encrypted bytes.
fn application_data(random: &mut Random, out: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    while rest > 0 {
        let take = rest.min(RECORD_MAX);
        rest -= take;
        out.extend_from_slice(&[APPLICATION_DATA, 3, 3]);
        put16(out, take as u16);
        random.append(out, take);
    }
}

fn client_hello(random: &mut Random, shape: &Shape, name: &str, session: &[u8]) -> Vec<u8> {
    let grease = 0x0a0a + 0x1010 * random.below(16) as u16;
    let mut body = vec![3, 3];
    random.append(&mut body, 32);
    body.push(session.len() as u8);
    body.extend_from_slice(session);
    let greased = if shape.grease { &[grease][..] } else { &[] };
    nested(&mut body, 2, |out| {
        greased
            .iter()
            .chain(shape.suites)
            .for_each(|suite| put16(out, *suite))
    });
    body.extend_from_slice(&[1, 0]);
    nested(&mut body, 2, |out| {
        if shape.grease {
            extension(out, grease, |_| {});
        }
        for kind in shape.extensions {
            extension(out, *kind, |out| {
                client_extension(random, shape, *kind, name, greased, out)
            });
        }
    });
    handshake_record(1, &body, 1)
}

fn client_extension(
    random: &mut Random,
    shape: &Shape,
    kind: u16,
    name: &str,
    grease: &[u16],
    out: &mut Vec<u8>,
) {
    match kind {
        0 => nested(out, 2, |out| {
            out.push(0);
            nested(out, 2, |out| out.extend_from_slice(name.as_bytes()));
        }),
        5 => out.extend_from_slice(&[1, 0, 0, 0, 0]),
        10 => nested(out, 2, |out| {
            grease
                .iter()
                .chain(shape.groups)
                .for_each(|group| put16(out, *group))
        }),
        11 => out.extend_from_slice(&[1, 0]),
        13 => nested(out, 2, |out| {
            [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]
                .iter()
                .for_each(|s| put16(out, *s));
        }),
        16 => nested(out, 2, |out| {
            shape
                .alpn
                .iter()
                .for_each(|name| nested(out, 1, |out| out.extend_from_slice(name.as_bytes())));
        }),
        27 => out.extend_from_slice(&[2, 0, 2]),
        28 => put16(out, 0x4001),
        43 => nested(out, 1, |out| {
            grease
                .iter()
                .chain(&[0x0304, 0x0303])
                .for_each(|version| put16(out, *version))
        }),
        45 => out.extend_from_slice(&[1, 1]),
        51 => nested(out, 2, |out| {
            for group in grease {
                key_share(random, out, *group, 1);
            }
            if shape.groups[0] == HYBRID {
                key_share(random, out, HYBRID, HYBRID_CLIENT_SHARE);
            }
            key_share(random, out, X25519, 32);
        }),
        0xff01 => out.push(0),
        // Session ticket, extended master secret, encrypt-then-mac, certificate timestamps: empty when offered anew.
        _ => {}
    }
}

fn server_hello(random: &mut Random, shape: &Shape, session: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    random.append(&mut body, 32);
    body.push(session.len() as u8);
    body.extend_from_slice(session);
    put16(&mut body, random.pick(&[0x1301, 0x1301, 0x1302]));
    body.push(0);
    nested(&mut body, 2, |out| {
        extension(out, 43, |out| put16(out, 0x0304));
        extension(out, 51, |out| match shape.groups[0] {
            HYBRID => key_share(random, out, HYBRID, HYBRID_SERVER_SHARE),
            group => key_share(random, out, group, 32),
        });
    });
    handshake_record(2, &body, 3)
}

/// A handshake message in one record; `minor` is the legacy record version's second byte.
fn handshake_record(kind: u8, body: &[u8], minor: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 9);
    out.extend_from_slice(&[HANDSHAKE, 3, minor]);
    nested(&mut out, 2, |out| {
        out.push(kind);
        nested(out, 3, |out| out.extend_from_slice(body));
    });
    out
}

fn extension(out: &mut Vec<u8>, kind: u16, content: impl FnOnce(&mut Vec<u8>)) {
    put16(out, kind);
    nested(out, 2, content);
}

fn key_share(random: &mut Random, out: &mut Vec<u8>, group: u16, length: usize) {
    put16(out, group);
    nested(out, 2, |out| random.append(out, length));
}

/// Writes `content` behind its length in `width` bytes.
fn nested(out: &mut Vec<u8>, width: usize, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.resize(start + width, 0);
    content(out);
    let length = (out.len() - start - width) as u32;
    out[start..start + width].copy_from_slice(&length.to_be_bytes()[4 - width..]);
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}
