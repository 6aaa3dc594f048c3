//! IEC 60870-5-104 over TCP: every frame that carries data or controls the link, with type, cause, address and number of
//! objects. Values are not kept. After damage it looks for the next frame.

use weir_model::{Anomaly, Kind, Outcome, Protocol, Time, Transport, Value};

use crate::fields::fields;
use crate::pending::Pending;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};

fields! {
    FRAME = text("iec104.frame", "Frame: I, or the U frame's name");
    SENDER = ip("iec104.sender", "Who sent the frame");
    TYPE = number("iec104.type", "Type of the data unit");
    CAUSE = number("iec104.cause", "Cause of transmission");
    NEGATIVE = flag("iec104.negative", "Negative confirmation");
    TEST = flag("iec104.test", "Marked as a test");
    ADDRESS = number("iec104.address", "Common address");
    OBJECTS = number("iec104.objects", "Information objects");
    OBJECT = number("iec104.object", "First information object address");
    BYTES = number("iec104.bytes", "Frame, bytes");
}

const START: u8 = 0x68;
/// What the length counts: four control bytes at least, 253 bytes at most.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=253;
const FRAME_BYTES_MAX: usize = 255;

/// State of one connection.
#[derive(Default)]
pub struct Iec104 {
    pending: [Pending; 2],
}

/// Name of a U frame by its first control byte (IEC 60870-5-104, 5.3).
const fn unnumbered(control: u8) -> Option<&'static str> {
    Some(match control {
        0x07 => "STARTDT act",
        0x0b => "STARTDT con",
        0x13 => "STOPDT act",
        0x23 => "STOPDT con",
        0x43 => "TESTFR act",
        0x83 => "TESTFR con",
        _ => return None,
    })
}

impl Dissector for Iec104 {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Iec104,
        transports: &[Transport::Tcp],
        ports: &[2404],
        about: "IEC 60870-5-104 on port 2404, and elsewhere when a connection begins with STARTDT: data units by type, \
                cause, common address and number of objects, link control. Not seen: values, TLS (IEC 62351-3).",
        fields: ALL,
    };

    fn probe(data: &[u8], _: Side, ports: (u16, u16)) -> Probe {
        const BEGINNING: &[u8] = &[START, 4, 0x07, 0, 0, 0];
        if data.starts_with(BEGINNING) {
            return Probe::Match;
        }
        if !Self::META.is_usual(ports) {
            let may = data.len() >= 2 && BEGINNING.starts_with(data);
            return if may { Probe::NeedMore } else { Probe::NoMatch };
        }
        let head_fits = match *data {
            [START, length, sent, rest, received, ..] => match sent & 3 {
                1 => (length, sent, rest) == (4, 1, 0),
                3 => length == 4 && unnumbered(sent).is_some(),
                _ => LENGTHS.contains(&usize::from(length)) && received & 1 == 0,
            },
            [START, length, ..] => LENGTHS.contains(&usize::from(length)),
            [first] => first == START,
            _ => false,
        };
        match head_fits {
            true if data.len() >= 5 => Probe::Match,
            true => Probe::NeedMore,
            false => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => {
                let mut pending = std::mem::take(&mut self.pending[from as usize]);
                // A frame never overflows: whatever is no beginning of one is used up.
                let fed = pending.feed(data, FRAME_BYTES_MAX, |bytes| frames(bytes, from, time, sink));
                self.pending[from as usize] = pending;
                if fed.is_err() {
                    sink.odd(Anomaly::ProtocolLimit);
                }
                Want::More
            }
            Input::Gap { from, .. } => {
                self.pending[from as usize] = Pending::default();
                Want::More
            }
            Input::End { .. } => Want::Nothing,
        }
    }
}

/// Takes whole frames; returns how many bytes were used.
fn frames(bytes: &[u8], from: Side, time: Time, sink: &mut Sink<'_>) -> usize {
    let mut used = 0;
    while let Some(&first) = bytes.get(used) {
        let rest = &bytes[used..];
        if first != START {
            sink.odd(Anomaly::ProtocolError);
            used += memchr::memchr(START, rest).unwrap_or(rest.len());
            continue;
        }
        let Some(length) = rest.get(1).map(|length| usize::from(*length)) else {
            break;
        };
        if !LENGTHS.contains(&length) {
            sink.odd(Anomaly::ProtocolError);
            used += 1;
            continue;
        }
        let Some(frame) = rest.get(2..2 + length) else {
            break;
        };
        take(frame, from, time, sink);
        used += 2 + length;
    }
    used
}

/// Takes the control bytes and what follows. S frames only count frames and are left out.
fn take(frame: &[u8], from: Side, time: Time, sink: &mut Sink<'_>) {
    let Some(&control) = frame.first() else { return };
    let name = match control & 3 {
        1 => return,
        3 => unnumbered(control),
        _ => Some("I"),
    };
    let Some(name) = name else {
        sink.odd(Anomaly::ProtocolError);
        return;
    };
    let mut transaction = sink.begin(Protocol::Iec104, Kind::Request, time);
    transaction.set_text(&FRAME, name);
    let sender = match from {
        Side::Initiator => sink.key.initiator_ip,
        Side::Responder => sink.key.responder_ip,
    };
    transaction.set(&SENDER, Value::Ip(sender));
    if name == "I" {
        let [kind, structure, cause, _, low, high, objects @ ..] = frame.get(4..).unwrap_or_default() else {
            sink.odd(Anomaly::ProtocolError);
            return;
        };
        transaction.set_number(&TYPE, *kind);
        transaction.set_number(&CAUSE, cause & 0x3f);
        if cause & 0x40 != 0 {
            transaction.set(&NEGATIVE, Value::Flag(true));
            transaction.outcome = Outcome::Refused;
        }
        if cause & 0x80 != 0 {
            transaction.set(&TEST, Value::Flag(true));
        }
        transaction.set_number(&ADDRESS, u16::from_le_bytes([*low, *high]));
        transaction.set_number(&OBJECTS, structure & 0x7f);
        if let [low, middle, high, ..] = objects {
            transaction.set_number(&OBJECT, u32::from_le_bytes([*low, *middle, *high, 0]));
        }
    }
    transaction.set_number(&BYTES, frame.len() as u64 + 2);
    sink.emit(transaction);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check_turns, client, server};

    fn frame(control: [u8; 4], unit: &[u8]) -> Vec<u8> {
        [&[START, unit.len() as u8 + 4][..], &control, unit].concat()
    }

    /// Start, interrogation, an answer of two objects, a refused command, a receipt, and a test of the link.
    #[test]
    fn a_session() {
        check_turns::<Iec104>(
            &[
                client(frame([0x07, 0, 0, 0], &[])),
                server(frame([0x0b, 0, 0, 0], &[])),
                client(frame([0, 0, 0, 0], &[100, 1, 6, 0, 10, 0, 0, 0, 0, 20])),
                server(frame([0, 0, 2, 0], &[1, 0x82, 20, 0, 10, 0, 1, 0, 0, 1, 0])),
                client(frame([1, 0, 2, 0], &[])),
                server(frame([2, 0, 2, 0], &[45, 1, 0x47, 0, 10, 0, 5, 0, 0, 1])),
                client(frame([0x43, 0, 0, 0], &[])),
            ],
            &expect![[r#"
                request unknown 0s
                  iec104.frame STARTDT act
                  iec104.sender 10.0.0.5
                  iec104.bytes 6
                request unknown 0s
                  iec104.frame STARTDT con
                  iec104.sender 10.0.0.9
                  iec104.bytes 6
                request unknown 0s
                  iec104.frame I
                  iec104.sender 10.0.0.5
                  iec104.type 100
                  iec104.cause 6
                  iec104.address 10
                  iec104.objects 1
                  iec104.object 0
                  iec104.bytes 16
                request unknown 0s
                  iec104.frame I
                  iec104.sender 10.0.0.9
                  iec104.type 1
                  iec104.cause 20
                  iec104.address 10
                  iec104.objects 2
                  iec104.object 1
                  iec104.bytes 17
                request refused 0s
                  iec104.frame I
                  iec104.sender 10.0.0.9
                  iec104.type 45
                  iec104.cause 7
                  iec104.negative true
                  iec104.address 10
                  iec104.objects 1
                  iec104.object 5
                  iec104.bytes 16
                request unknown 0s
                  iec104.frame TESTFR act
                  iec104.sender 10.0.0.5
                  iec104.bytes 6
                want Nothing
            "#]],
        );
    }

    /// Bytes between frames, a length that is none, a U frame that is none, a data unit cut short.
    #[test]
    fn damage() {
        check_turns::<Iec104>(
            &[
                client([b"xx".as_slice(), &frame([0x43, 0, 0, 0], &[])].concat()),
                server([&[START, 3][..], &frame([0x83, 0, 0, 0], &[])].concat()),
                client(frame([0x47, 0, 0, 0], &[])),
                client(frame([0, 0, 0, 0], &[1, 1])),
            ],
            &expect![[r#"
                request unknown 0s
                  iec104.frame TESTFR act
                  iec104.sender 10.0.0.5
                  iec104.bytes 6
                request unknown 0s
                  iec104.frame TESTFR con
                  iec104.sender 10.0.0.9
                  iec104.bytes 6
                odd protocol_error x5
                want Nothing
            "#]],
        );
    }

    #[test]
    fn probes() {
        let probe = |data: &[u8], port| Iec104::probe(data, Side::Initiator, (40000, port));
        assert_eq!(probe(&[START, 4, 7, 0, 0, 0], 9), Probe::Match);
        assert_eq!(probe(&[START, 4, 7], 9), Probe::NeedMore);
        assert_eq!(probe(&[START, 14, 0], 9), Probe::NoMatch);
        assert_eq!(probe(&[START, 14, 0], 2404), Probe::NeedMore);
        assert_eq!(probe(&[START, 14, 0, 0, 0, 0], 2404), Probe::Match);
        assert_eq!(probe(&[START, 4, 1, 0, 2, 0], 2404), Probe::Match);
        assert_eq!(probe(&[START], 2404), Probe::NeedMore);
        assert_eq!(probe(b"hello", 2404), Probe::NoMatch);
    }
}
