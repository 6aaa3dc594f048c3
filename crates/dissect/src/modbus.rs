//! Modbus over TCP (Modbus Messaging on TCP/IP 1.0b): each request with its answer, what it reads or writes and where.
//! Values are not kept.

use std::collections::VecDeque;

use weir_model::{Anomaly, Kind, Outcome, Protocol, Time, Transaction, Transport};

use crate::fields::fields;
use crate::pending::Pending;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, waiting};

fields! {
    UNIT = number("modbus.unit", "Unit");
    FUNCTION = number("modbus.function", "Function code");
    CLASS = text("modbus.class", "Class of the function: read, write, diagnostic, other, undefined");
    ADDRESS = number("modbus.address", "First register or coil");
    COUNT = number("modbus.count", "Registers or coils");
    EXCEPTION = number("modbus.exception", "Exception code of the answer");
    REQUEST_BYTES = number("modbus.request_bytes", "Request, bytes");
    RESPONSE_BYTES = number("modbus.response_bytes", "Answer, bytes");
}

/// Bytes before the unit: transaction, protocol (0) and length.
const HEAD_BYTES: usize = 6;
/// What the length counts at most: unit, function and 252 bytes.
const LENGTH_MAX: usize = 254;
/// Requests without answer on one connection; the standard advises 16.
const OPEN_MAX: usize = 32;

/// State of one connection.
#[derive(Default)]
pub struct Modbus {
    pending: [Pending; 2],
    open: VecDeque<Open>,
}

struct Open {
    id: u16,
    function: u8,
    transaction: Transaction,
}

/// A message behind its head.
#[derive(Clone, Copy)]
struct Message<'a> {
    id: u16,
    unit: u8,
    function: u8,
    data: &'a [u8],
    bytes: usize,
}

/// Class of a function (Modbus Application Protocol 1.1b3, section 5): the codes 65 to 72 and 100 to 110 are the
/// makers' own.
const fn class(function: u8) -> &'static str {
    match function {
        1..=4 | 7 | 11 | 12 | 17 | 20 | 24 | 43 => "read",
        5 | 6 | 15 | 16 | 21..=23 => "write",
        8 => "diagnostic",
        65..=72 | 100..=110 => "other",
        _ => "undefined",
    }
}

impl Dissector for Modbus {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Modbus,
        transports: &[Transport::Tcp],
        ports: &[502],
        about: "Modbus/TCP on port 502: each request with its answer, function, registers, exceptions. Not seen: values, \
                Modbus over serial lines or UDP, Modbus/TCP with TLS.",
        fields: ALL,
    };

    fn probe(data: &[u8], _: Side, ports: (u16, u16)) -> Probe {
        if !Self::META.is_usual(ports) {
            return Probe::NoMatch;
        }
        match length(data) {
            Err(()) => Probe::NoMatch,
            Ok(_) if data.len() > HEAD_BYTES + 1 => Probe::Match,
            Ok(_) => Probe::NeedMore,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => {
                let mut pending = std::mem::take(&mut self.pending[from as usize]);
                let mut broken = false;
                let fed = pending.feed(data, HEAD_BYTES + LENGTH_MAX, |bytes| {
                    let mut used = 0;
                    while let Some(message) = next(&bytes[used..], &mut broken) {
                        used += message.bytes;
                        match from {
                            Side::Initiator => self.request(&message, time, sink),
                            Side::Responder => self.response(&message, time, sink),
                        }
                    }
                    used
                });
                self.pending[from as usize] = pending;
                if broken || fed.is_err() {
                    sink.odd(Anomaly::ProtocolError);
                    return self.finish(sink);
                }
                Want::More
            }
            // Masters wait for an answer before they send on: what comes next begins a message, or is found broken.
            Input::Gap { from, .. } => {
                self.pending[from as usize] = Pending::default();
                Want::More
            }
            Input::End { .. } => self.finish(sink),
        }
    }
}

/// What the head at the start says of the length behind it; `Err`: it is no head.
fn length(data: &[u8]) -> Result<usize, ()> {
    if data.get(2..4).is_some_and(|protocol| protocol != [0, 0]) || data.get(4).is_some_and(|high| *high != 0)
    {
        return Err(());
    }
    let length = data.get(5).map_or(2, |low| usize::from(*low));
    let function = data.get(7).map_or(1, |function| *function & 0x7f);
    if (2..=LENGTH_MAX).contains(&length) && function != 0 {
        Ok(length)
    } else {
        Err(())
    }
}

/// The first message, when all of it is there.
fn next<'a>(bytes: &'a [u8], broken: &mut bool) -> Option<Message<'a>> {
    if bytes.is_empty() || *broken {
        return None;
    }
    let Ok(length) = length(bytes) else {
        *broken = true;
        return None;
    };
    let whole = bytes.get(..HEAD_BYTES + length)?;
    let [first, second, _, _, _, _, unit, function, data @ ..] = whole else {
        return None;
    };
    Some(Message {
        id: u16::from_be_bytes([*first, *second]),
        unit: *unit,
        function: *function,
        data,
        bytes: whole.len(),
    })
}

impl Modbus {
    fn request(&mut self, message: &Message<'_>, time: Time, sink: &mut Sink<'_>) {
        let mut transaction = begin(message, time, sink);
        transaction.set_number(&REQUEST_BYTES, message.bytes as u64);
        let number = |at: usize| {
            let pair = message.data.get(at..at + 2)?;
            Some(u16::from_be_bytes([pair[0], pair[1]]))
        };
        if matches!(message.function, 1..=6 | 15 | 16 | 22..=24) {
            if let Some(address) = number(0) {
                transaction.set_number(&ADDRESS, address);
            }
            let count = match message.function {
                1..=4 | 15 | 16 | 23 => number(2),
                5 | 6 | 22 => Some(1),
                _ => None,
            };
            if let Some(count) = count {
                transaction.set_number(&COUNT, count);
            }
        }
        let open = Open {
            id: message.id,
            function: message.function,
            transaction,
        };
        if let Some(oldest) = waiting::push(&mut self.open, open, OPEN_MAX, sink) {
            sink.emit(oldest.transaction);
        }
    }

    fn response(&mut self, message: &Message<'_>, time: Time, sink: &mut Sink<'_>) {
        let function = message.function & 0x7f;
        let same = |open: &Open| (open.id, open.function) == (message.id, function);
        let found = self
            .open
            .iter()
            .position(same)
            .and_then(|at| self.open.remove(at));
        // An answer whose question was not seen stands for the exchange.
        let mut transaction = match found {
            Some(open) => open.transaction,
            None => begin(&Message { function, ..*message }, time, sink),
        };
        transaction.end = time;
        transaction.set_number(&RESPONSE_BYTES, message.bytes as u64);
        transaction.outcome = Outcome::Accepted;
        if message.function & 0x80 != 0 {
            transaction.outcome = Outcome::Refused;
            transaction.set_number(&EXCEPTION, message.data.first().copied().unwrap_or_default());
        }
        sink.emit(transaction);
    }

    fn finish(&mut self, sink: &mut Sink<'_>) -> Want {
        for open in self.open.drain(..) {
            sink.emit(open.transaction);
        }
        Want::Nothing
    }
}

fn begin(message: &Message<'_>, time: Time, sink: &Sink<'_>) -> Transaction {
    let mut transaction = sink.begin(Protocol::Modbus, Kind::Request, time);
    transaction.set_number(&UNIT, message.unit);
    transaction.set_number(&FUNCTION, message.function);
    transaction.set_text(&CLASS, class(message.function));
    transaction
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{Turn, check_turns, client, parts, run, server, tcp};

    fn adu(id: u16, function: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = id.to_be_bytes().to_vec();
        bytes.extend([0, 0, 0, data.len() as u8 + 2, 1, function]);
        bytes.extend(data);
        bytes
    }

    /// Two requests at once, answers in another order, an exception, an answer without question, one left open.
    #[test]
    fn requests_and_answers() {
        let read = adu(1, 3, &[0, 10, 0, 2]);
        let write = adu(2, 6, &[0, 7, 0, 1]);
        check_turns::<Modbus>(
            &[
                client([read.clone(), write.clone()].concat()),
                server([write, adu(1, 3, &[4, 0, 1, 0, 2])].concat()),
                client(adu(3, 16, &[1, 0, 0, 1, 2, 0, 0])),
                server(adu(3, 0x90, &[2])),
                server(adu(9, 8, &[0, 0, 0, 0])),
                client(adu(4, 90, &[])),
            ],
            &expect![[r#"
                request accepted 1s
                  modbus.unit 1
                  modbus.function 6
                  modbus.class write
                  modbus.request_bytes 12
                  modbus.address 7
                  modbus.count 1
                  modbus.response_bytes 12
                request accepted 1s
                  modbus.unit 1
                  modbus.function 3
                  modbus.class read
                  modbus.request_bytes 12
                  modbus.address 10
                  modbus.count 2
                  modbus.response_bytes 13
                request refused 1s
                  modbus.unit 1
                  modbus.function 16
                  modbus.class write
                  modbus.request_bytes 15
                  modbus.address 256
                  modbus.count 1
                  modbus.response_bytes 9
                  modbus.exception 2
                request accepted 0s
                  modbus.unit 1
                  modbus.function 8
                  modbus.class diagnostic
                  modbus.response_bytes 12
                request unknown 0s
                  modbus.unit 1
                  modbus.function 90
                  modbus.class undefined
                  modbus.request_bytes 8
                want Nothing
            "#]],
        );
    }

    #[test]
    fn open_requests_are_bounded() {
        let turns: Vec<Turn> = (0..OPEN_MAX as u16 + 3)
            .map(|id| client(adu(id, 3, &[0, 0, 0, 1])))
            .collect();
        let output = run::<Modbus>(&tcp(502), &parts(&turns));
        assert_eq!(output.transactions.len(), OPEN_MAX + 3);
        assert_eq!(output.anomalies.seen().map(|(_, times)| times).sum::<u64>(), 3);
    }

    #[test]
    fn probes() {
        let probe = |data: &[u8], port| Modbus::probe(data, Side::Initiator, (40000, port));
        assert_eq!(probe(&adu(1, 3, &[0, 0, 0, 1]), 502), Probe::Match);
        assert_eq!(probe(&adu(1, 3, &[0, 0, 0, 1]), 503), Probe::NoMatch);
        assert_eq!(probe(&[0, 1, 0], 502), Probe::NeedMore);
        assert_eq!(probe(b"GET / HTTP/1.1", 502), Probe::NoMatch);
    }
}
