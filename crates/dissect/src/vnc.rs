//! VNC, the remote framebuffer protocol (RFC 6143 7.1): versions, the security type chosen, and the security result.
//! The log-in has no user name; with the result said, nothing more is wanted.

use weir_model::{Anomaly, Kind, Outcome, Protocol, Time, Transport};

use crate::fields::fields;
use crate::pending::Pending;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text};

fields! {
    VERSION = text("vnc.version", "Version");
    SECURITY = text("vnc.security", "Security");
}

/// Length of a version message: `RFB 003.008\n`.
const VERSION_LEN: usize = 12;
/// Challenge and response of VNC authentication, 7.2.2.
const CHALLENGE_LEN: usize = 16;
/// Held of one side: 255 security types and their count are the longest message read.
const HELD_MAX: usize = 1024;

/// Security types of 7.1.2 and the registry (RFC 6143 8.2) whose dialogue is known to its end.
const NONE: u8 = 1;
const VNC_AUTHENTICATION: u8 = 2;

/// What is expected next; the order of the handshake.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Step {
    #[default]
    ServerVersion,
    ClientVersion,
    /// The server offers security types (3.7 on) or decides on one (3.3).
    Offer,
    Choice,
    Challenge,
    Response,
    Result,
}

/// State of one connection.
#[derive(Default)]
pub struct Vnc {
    step: Step,
    held: [Pending; 2],
    server: Option<Side>,
    /// Minor version the client chose: 3, 7 or 8.
    minor: u8,
    version: Option<Box<str>>,
    security: Option<u8>,
    start: Option<Time>,
}

impl Dissector for Vnc {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Vnc,
        transports: &[Transport::Tcp],
        ports: &[5900, 5901, 5902, 5903, 5904, 5905, 5906, 5907, 5908, 5909, 5910],
        about: "Version, security type and verdict of the log-in. Vendor security types are named, without verdict.",
        fields: ALL,
    };

    fn probe(data: &[u8], _from: Side, _ports: (u16, u16)) -> Probe {
        const MAGIC: &[u8] = b"RFB ";
        match data.first_chunk::<VERSION_LEN>() {
            Some(version) if minor(version).is_some() => Probe::Match,
            None if data.starts_with(MAGIC) || MAGIC.starts_with(data) => Probe::NeedMore,
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => {
                let mut held = std::mem::take(&mut self.held[from as usize]);
                let mut want = Want::More;
                let fed = held.feed(data, HELD_MAX, |bytes| {
                    let mut used = 0;
                    while want == Want::More
                        && let Some(taken) = self.message(from, &bytes[used..], time, sink, &mut want)
                    {
                        used += taken;
                    }
                    used
                });
                self.held[from as usize] = held;
                if fed.is_err() {
                    sink.odd(Anomaly::ProtocolError);
                    return Want::Nothing;
                }
                want
            }
            // A handshake with a hole says nothing.
            Input::Gap { time, .. } | Input::End { time } => {
                if matches!(self.step, Step::Result | Step::Response) {
                    self.send(Outcome::Unknown, time, sink);
                }
                Want::Nothing
            }
        }
    }
}

impl Vnc {
    /// Reads the next message of a side; its length, or `None` when it is not there or not this side's turn.
    fn message(
        &mut self,
        from: Side,
        bytes: &[u8],
        time: Time,
        sink: &mut Sink<'_>,
        want: &mut Want,
    ) -> Option<usize> {
        let by_server = self.server.is_none_or(|server| server == from);
        match (self.step, by_server) {
            (Step::ServerVersion, _) => {
                let version = bytes.first_chunk::<VERSION_LEN>()?;
                if minor(version).is_none() {
                    sink.odd(Anomaly::ProtocolError);
                    *want = Want::Nothing;
                }
                // The server speaks first.
                self.server = Some(from);
                self.step = Step::ClientVersion;
                Some(VERSION_LEN)
            }
            (Step::ClientVersion, false) => {
                let version = bytes.first_chunk::<VERSION_LEN>()?;
                self.minor = minor(version).unwrap_or(8);
                self.version = Some(text::bounded(version[4..].trim_ascii()));
                self.step = Step::Offer;
                Some(VERSION_LEN)
            }
            (Step::Offer, true) => self.offer(bytes, time, want),
            (Step::Choice, false) => {
                self.choose(*bytes.first()?, time, want, sink);
                Some(1)
            }
            (Step::Challenge, true) => {
                bytes.get(..CHALLENGE_LEN)?;
                self.step = Step::Response;
                Some(CHALLENGE_LEN)
            }
            (Step::Response, false) => {
                bytes.get(..CHALLENGE_LEN)?;
                self.start = Some(time);
                self.step = Step::Result;
                Some(CHALLENGE_LEN)
            }
            (Step::Result, true) => {
                let result = u32::from_be_bytes(*bytes.first_chunk()?);
                let outcome = if result == 0 {
                    Outcome::Accepted
                } else {
                    Outcome::Refused
                };
                self.send(outcome, time, sink);
                *want = Want::Nothing;
                Some(4)
            }
            _ => None,
        }
    }

    fn offer(&mut self, bytes: &[u8], time: Time, want: &mut Want) -> Option<usize> {
        self.start = Some(time);
        if self.minor < 7 {
            let chosen = u32::from_be_bytes(*bytes.first_chunk()?);
            self.security = u8::try_from(chosen).ok();
            match self.security {
                Some(VNC_AUTHENTICATION) => self.step = Step::Challenge,
                // Nothing to check in 3.3, or refused altogether.
                _ => *want = Want::Nothing,
            }
            return Some(4);
        }
        let count = usize::from(*bytes.first()?);
        bytes.get(..=count)?;
        if count == 0 {
            // Refused before any log-in: too many attempts, or no security type in common.
            *want = Want::Nothing;
        }
        self.step = Step::Choice;
        Some(1 + count)
    }

    fn choose(&mut self, security: u8, time: Time, want: &mut Want, sink: &mut Sink<'_>) {
        self.security = Some(security);
        match security {
            VNC_AUTHENTICATION => self.step = Step::Challenge,
            // The result follows from 3.8 on; before, nothing was checked.
            NONE if self.minor >= 8 => {
                self.start = Some(time);
                self.step = Step::Result;
            }
            NONE => *want = Want::Nothing,
            _ => {
                self.send(Outcome::Unknown, time, sink);
                *want = Want::Nothing;
            }
        }
    }

    fn send(&self, outcome: Outcome, time: Time, sink: &mut Sink<'_>) {
        let mut login = sink.begin(Protocol::Vnc, Kind::Login, self.start.unwrap_or(time));
        login.end = time;
        login.outcome = outcome;
        if let Some(version) = &self.version {
            login.set_text(&VERSION, version.clone());
        }
        if let Some(security) = self.security {
            login.set_text(&SECURITY, security_name(security));
        }
        sink.emit(login);
    }
}

/// Minor version of a version message; Apple says 889.
fn minor(version: &[u8; VERSION_LEN]) -> Option<u8> {
    let numbers = version.strip_prefix(b"RFB ")?.strip_suffix(b"\n")?;
    match numbers {
        b"003.003" | b"003.005" => Some(3),
        b"003.007" => Some(7),
        _ if numbers[..3].iter().all(u8::is_ascii_digit) && numbers[3] == b'.' => Some(8),
        _ => None,
    }
}

/// Name of a security type, RFC 6143 8.2 and the registry it opened.
fn security_name(security: u8) -> String {
    match security {
        NONE => "none".to_owned(),
        VNC_AUTHENTICATION => "vnc".to_owned(),
        5 => "ra2".to_owned(),
        6 => "ra2ne".to_owned(),
        16 => "tight".to_owned(),
        17 => "ultra".to_owned(),
        18 => "tls".to_owned(),
        19 => "vencrypt".to_owned(),
        20 => "sasl".to_owned(),
        30 => "apple-dh".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{Turn, check_turns, client, server};

    fn opening(version: &str) -> Vec<Turn> {
        vec![server("RFB 003.008\n"), client(format!("RFB {version}\n"))]
    }

    #[test]
    fn refused() {
        let mut turns = opening("003.008");
        turns.extend([
            server([2, 2, 16]),
            client([2]),
            server([7; 16]),
            client([8; 16]),
            server([0, 0, 0, 1]),
        ]);
        check_turns::<Vnc>(
            &turns,
            &expect![[r#"
            login refused 1s
              vnc.version 003.008
              vnc.security vnc
            want Nothing
        "#]],
        );
    }

    #[test]
    fn accepted_by_an_old_client() {
        let mut turns = opening("003.003");
        turns.extend([
            server([0, 0, 0, 2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]),
            client([8; 16]),
        ]);
        turns.push(server([0; 4]));
        check_turns::<Vnc>(
            &turns,
            &expect![[r#"
            login accepted 1s
              vnc.version 003.003
              vnc.security vnc
            want Nothing
        "#]],
        );
    }

    #[test]
    fn vendor_security_has_no_verdict() {
        let mut turns = opening("003.889");
        turns.extend([server([1, 30]), client([30])]);
        check_turns::<Vnc>(
            &turns,
            &expect![[r#"
            login unknown 1s
              vnc.version 003.889
              vnc.security apple-dh
            want Nothing
        "#]],
        );
    }
}
