//! RDP ([MS-RDPBCGR]): the connection request over TPKT and X.224 with its cookie and security protocols, and the
//! client's name when it is not encrypted. With TLS or CredSSP the rest is handed over; a verdict is never visible.

use weir_model::{Anomaly, Kind, Outcome, Protocol, Time, Transport, Value};

use crate::fields::fields;
use crate::pending::Pending;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, le, text};

fields! {
    COOKIE = text("rdp.cookie", "Cookie (user)");
    PROTOCOLS = texts("rdp.protocols", "Security requested");
    PROTOCOL = text("rdp.protocol", "Security chosen");
    FAILURE = text("rdp.failure", "Failure");
    CLIENT_NAME = text("rdp.client_name", "Client name");
    CLIENT_BUILD = number("rdp.client_build", "Client build");
}

/// Longest message read: a client's settings have some hundred bytes.
const MESSAGE_MAX: usize = 4096;
/// TPKT header (RFC 1006) and the fixed part of X.224 behind it.
const TPKT: usize = 4;
const X224_REQUEST: u8 = 0xe0;
const X224_CONFIRM: u8 = 0xd0;
const X224_DATA: u8 = 0xf0;
/// Offset of what follows the fixed part of a connection request or confirm.
const VARIABLE: usize = TPKT + 7;

/// RDP_NEG_REQ, RDP_NEG_RSP, RDP_NEG_FAILURE, 2.2.1.1.1 and 2.2.1.2.
const NEGOTIATION_REQUEST: u8 = 1;
const NEGOTIATION_RESPONSE: u8 = 2;
const NEGOTIATION_FAILURE: u8 = 3;
/// Type of the client core data, 2.2.1.3.2, in front of its length.
const CLIENT_CORE: [u8; 2] = [0x01, 0xc0];

/// State of one connection.
#[derive(Default)]
pub struct Rdp {
    held: [Pending; 2],
    request: Option<Request>,
    answered: bool,
    start: Time,
    end: Time,
    chosen: Option<u32>,
    failure: Option<u32>,
}

#[derive(Debug, Default)]
struct Request {
    cookie: Option<Box<str>>,
    protocols: Option<u32>,
}

/// What the client tells of itself in its settings.
struct Core {
    name: Box<str>,
    build: u32,
}

impl Dissector for Rdp {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Rdp,
        transports: &[Transport::Tcp],
        ports: &[3389],
        about: "Connection requests: cookie (often the user), security requested and chosen, client name when not encrypted. \
                Log-ins happen inside TLS and have no visible verdict.",
        fields: ALL,
    };

    fn probe(data: &[u8], _from: Side, _ports: (u16, u16)) -> Probe {
        // TPKT version 3, reserved, length; X.224 length and code.
        match data {
            [3, 0, high, low, indicator, code, ..] => {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                let fits = usize::from(*indicator) + 1 + TPKT == len;
                if fits && matches!(*code, X224_REQUEST | X224_CONFIRM) {
                    Probe::Match
                } else {
                    Probe::NoMatch
                }
            }
            [] | [3] | [3, 0, ..] => Probe::NeedMore,
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => {
                let mut held = std::mem::take(&mut self.held[from as usize]);
                let (mut want, mut nonsense) = (Want::More, false);
                let fed = held.feed(data, MESSAGE_MAX, |bytes| {
                    let mut used = 0;
                    while want == Want::More {
                        let Some(message) = tpkt(&bytes[used..]) else {
                            break;
                        };
                        used += message.len();
                        want = self.message(message, time, sink);
                    }
                    nonsense = is_nonsense(&bytes[used..]);
                    used
                });
                self.held[from as usize] = held;
                if want == Want::More && (fed.is_err() || nonsense) {
                    sink.odd(Anomaly::ProtocolError);
                    self.send(None, sink);
                    return Want::Nothing;
                }
                want
            }
            Input::Gap { .. } | Input::End { .. } => {
                self.send(None, sink);
                Want::Nothing
            }
        }
    }
}

impl Rdp {
    fn message(&mut self, message: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        match le::u8(message, TPKT + 1) {
            Some(X224_REQUEST) if self.request.is_none() => {
                (self.start, self.end) = (time, time);
                self.request = Some(request(message.get(VARIABLE..).unwrap_or_default()));
                Want::More
            }
            Some(X224_CONFIRM) if !self.answered => self.confirm(message, time, sink),
            Some(X224_DATA) => {
                // The first data of a client without encryption are its settings.
                self.end = time;
                let core = core(message);
                self.send(core, sink);
                Want::Nothing
            }
            _ => Want::More,
        }
    }

    fn confirm(&mut self, message: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        if self.request.is_none() {
            self.start = time;
        }
        (self.answered, self.end) = (true, time);
        let (kind, value) = (le::u8(message, VARIABLE), le::u32(message, VARIABLE + 4));
        match kind {
            Some(NEGOTIATION_RESPONSE) => self.chosen = value,
            Some(NEGOTIATION_FAILURE) => self.failure = value,
            // An old server confirms without a word: standard security.
            _ => self.chosen = Some(0),
        }
        match (self.chosen, self.failure) {
            (Some(0), _) => Want::More,
            (Some(_), _) => {
                self.send(None, sink);
                Want::HandOver(Protocol::Tls)
            }
            _ => {
                self.send(None, sink);
                Want::Nothing
            }
        }
    }

    fn send(&mut self, core: Option<Core>, sink: &mut Sink<'_>) {
        if self.request.is_none() && !self.answered {
            return;
        }
        let request = self.request.take().unwrap_or_default();
        let mut sent = sink.begin(Protocol::Rdp, Kind::Handshake, self.start);
        sent.end = self.end;
        sent.outcome = match (self.chosen, self.failure) {
            (_, Some(_)) => Outcome::Refused,
            (Some(_), _) => Outcome::Accepted,
            _ => Outcome::Unknown,
        };
        if let Some(cookie) = request.cookie {
            sent.set_text(&COOKIE, cookie);
        }
        if let Some(bits) = request.protocols {
            sent.set(&PROTOCOLS, Value::Texts(requested(bits)));
        }
        if let Some(chosen) = self.chosen {
            sent.set_text(&PROTOCOL, protocol(chosen));
        }
        if let Some(failure) = self.failure {
            sent.set_text(&FAILURE, failure_name(failure));
        }
        if let Some(core) = core {
            sent.set_text(&CLIENT_NAME, core.name);
            sent.set_number(&CLIENT_BUILD, core.build);
        }
        sink.emit(sent);
        self.answered = false;
    }
}

/// The first whole TPKT message, header included.
fn tpkt(bytes: &[u8]) -> Option<&[u8]> {
    let header = bytes.first_chunk::<TPKT>().filter(|_| !is_nonsense(bytes))?;
    bytes.get(..usize::from(u16::from_be_bytes([header[2], header[3]])))
}

/// Not the beginning of a TPKT message with X.224 inside.
fn is_nonsense(bytes: &[u8]) -> bool {
    let starts_wrong = bytes.first().is_some_and(|&version| version != 3);
    let too_short = bytes
        .first_chunk::<TPKT>()
        .is_some_and(|header| u16::from_be_bytes([header[2], header[3]]) < 7);
    starts_wrong || too_short
}

/// Cookie or routing token up to CR LF, then the negotiation request.
fn request(variable: &[u8]) -> Request {
    const COOKIE_MARK: &[u8] = b"Cookie: mstshash=";
    let line_end = memchr::memmem::find(variable, b"\r\n");
    let (line, rest) = match line_end {
        Some(at) => (&variable[..at], &variable[at + 2..]),
        None => (&variable[..0], variable),
    };
    let negotiation = (rest.first() == Some(&NEGOTIATION_REQUEST)).then_some(rest);
    Request {
        cookie: line.strip_prefix(COOKIE_MARK).map(text::bounded),
        protocols: negotiation.and_then(|request| le::u32(request, 4)),
    }
}

/// Client core data inside the MCS connect message, found by their type: version, size, keyboard, build, name.
fn core(message: &[u8]) -> Option<Core> {
    let at = memchr::memmem::find_iter(message, &CLIENT_CORE)
        .find(|&at| le::u16(message, at + 2).is_some_and(|len| (132..=256).contains(&len)))?;
    Some(Core {
        build: le::u32(message, at + 20)?,
        name: le::utf16(le::bytes(message, at + 24, 32)?),
    })
}

/// Names of the requested protocols, 2.2.1.1.1; without any bit it is standard security.
fn requested(bits: u32) -> Vec<Box<str>> {
    let names = (0..32)
        .filter(|bit| bits & 1 << bit != 0)
        .map(|bit| protocol(1 << bit).into());
    let all: Vec<Box<str>> = names.take(8).collect();
    if all.is_empty() {
        vec![protocol(0).into()]
    } else {
        all
    }
}

fn protocol(bits: u32) -> String {
    match bits {
        0 => "standard".to_owned(),
        1 => "tls".to_owned(),
        2 => "credssp".to_owned(),
        4 => "rdstls".to_owned(),
        8 => "credssp-early-auth".to_owned(),
        16 => "aad".to_owned(),
        other => format!("{other:#x}"),
    }
}

/// Codes of RDP_NEG_FAILURE, 2.2.1.2.2.
fn failure_name(code: u32) -> String {
    match code {
        1 => "SSL_REQUIRED_BY_SERVER".to_owned(),
        2 => "SSL_NOT_ALLOWED_BY_SERVER".to_owned(),
        3 => "SSL_CERT_NOT_ON_SERVER".to_owned(),
        4 => "INCONSISTENT_FLAGS".to_owned(),
        5 => "HYBRID_REQUIRED_BY_SERVER".to_owned(),
        6 => "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check_turns, client, server};

    fn x224(code: u8, variable: &[u8]) -> Vec<u8> {
        let len = (VARIABLE + variable.len()) as u8;
        [&[3, 0, 0, len, len - 5, code, 0, 0, 0, 0, 0][..], variable].concat()
    }

    #[test]
    fn tls_is_handed_over() {
        let turns = [
            client(x224(
                X224_REQUEST,
                b"Cookie: mstshash=kim\r\n\x01\0\x08\0\x03\0\0\0",
            )),
            server(x224(X224_CONFIRM, b"\x02\x1f\x08\0\x02\0\0\0")),
        ];
        check_turns::<Rdp>(
            &turns,
            &expect![[r#"
            handshake accepted 1s
              rdp.cookie kim
              rdp.protocols tls | credssp
              rdp.protocol credssp
            want HandOver(Tls)
        "#]],
        );
    }

    #[test]
    fn failure() {
        let turns = [
            client(x224(X224_REQUEST, b"\x01\0\x08\0\0\0\0\0")),
            server(x224(X224_CONFIRM, b"\x03\0\x08\0\x05\0\0\0")),
        ];
        check_turns::<Rdp>(
            &turns,
            &expect![[r#"
            handshake refused 1s
              rdp.protocols standard
              rdp.failure HYBRID_REQUIRED_BY_SERVER
            want Nothing
        "#]],
        );
    }

    #[test]
    fn old_clients_tell_their_name() {
        let mut core = vec![0x7f, 0x65, 0x01, 0xc0, 0xd8, 0];
        core.extend([0; 16]);
        core.extend(2600u32.to_le_bytes());
        core.extend("PC33".encode_utf16().flat_map(u16::to_le_bytes));
        core.resize(200, 0);
        let len = (7 + core.len()) as u8;
        let settings = [&[3, 0, 0, len, 2, X224_DATA, 0x80][..], &core].concat();
        let turns = [
            client(x224(X224_REQUEST, b"")),
            server(x224(X224_CONFIRM, b"")),
            client(settings),
        ];
        check_turns::<Rdp>(
            &turns,
            &expect![[r#"
            handshake accepted 2s
              rdp.protocol standard
              rdp.client_name PC33
              rdp.client_build 2600
            want Nothing
        "#]],
        );
    }

    #[test]
    fn probes() {
        let request = x224(X224_REQUEST, b"");
        assert_eq!(Rdp::probe(&request, Side::Initiator, (1, 2)), Probe::Match);
        assert_eq!(
            Rdp::probe(&request[..5], Side::Initiator, (1, 2)),
            Probe::NeedMore
        );
        assert_eq!(
            Rdp::probe(b"\x03\0\0\x20\x02\xf0\x80\x32", Side::Initiator, (1, 102)),
            Probe::NoMatch
        );
    }
}
