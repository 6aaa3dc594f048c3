//! DNP3 over TCP and UDP (IEEE 1815): each application request with its answer, unsolicited answers, internal
//! indications. Objects are not read; a fragment's function stands in its first segment, the others are passed over.

use std::collections::VecDeque;

use weir_model::{Anomaly, Kind, Outcome, Protocol, Time, Transaction, Transport};

use crate::fields::fields;
use crate::pending::Pending;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, waiting};

fields! {
    SOURCE = number("dnp3.source", "Link address of the sender");
    DESTINATION = number("dnp3.destination", "Link address of the receiver");
    FUNCTION = number("dnp3.function", "Function code");
    CLASS = text("dnp3.class", "Class of the function");
    INDICATIONS = number("dnp3.iin", "Internal indications of the answer, as one number");
    REQUEST_BYTES = number("dnp3.request_bytes", "Request, bytes of its first frame");
    RESPONSE_BYTES = number("dnp3.response_bytes", "Answer, bytes of its first frame");
}

const START: [u8; 2] = [0x05, 0x64];
/// Start, length, control, two addresses, checksum.
const HEAD_BYTES: usize = 10;
/// User data of a frame come in blocks of so many bytes, each with a checksum of two.
const BLOCK_BYTES: usize = 16;
const FRAME_BYTES_MAX: usize = 292;
/// Requests without answer on one flow; masters send one at a time to each outstation.
const OPEN_MAX: usize = 32;
/// Bits of internal indications that refuse: no such function, unknown object, bad parameter (IEEE 1815, 4.5).
const REFUSING: u16 = 0x0700;

/// State of one flow.
#[derive(Default)]
pub struct Dnp3 {
    pending: [Pending; 2],
    open: VecDeque<Open>,
}

struct Open {
    /// Sender and receiver on the link, and sequence number of the application layer.
    id: (u16, u16, u8),
    transaction: Transaction,
}

/// What the first segment of a fragment says.
#[derive(Clone, Copy)]
struct Fragment {
    source: u16,
    destination: u16,
    sequence: u8,
    function: u8,
    indications: Option<u16>,
    bytes: usize,
}

/// Class of a function (IEEE 1815, table 4-4).
const fn class(function: u8) -> &'static str {
    match function {
        0 => "confirm",
        1 => "read",
        2 => "write",
        3..=6 => "control",
        7..=12 => "freeze",
        13..=18 => "application control",
        19..=22 => "configuration",
        23 | 24 => "time",
        25..=31 => "file",
        32 | 33 => "authentication",
        129 => "response",
        130 => "unsolicited",
        131 => "authentication response",
        _ => "reserved",
    }
}

/// Checksum of the link layer: polynomial 0x3d65, low bit first, inverted.
fn checksum(bytes: &[u8]) -> u16 {
    let sum = bytes.iter().fold(0_u16, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xa6bc } else { sum >> 1 }
        })
    });
    !sum
}

/// Is this the head of a frame? `None` when it is too short to tell.
fn is_head(bytes: &[u8]) -> Option<bool> {
    if !START.starts_with(&bytes[..bytes.len().min(2)]) {
        return Some(false);
    }
    let head = bytes.get(..HEAD_BYTES)?;
    Some(head[2] >= 5 && checksum(&head[..8]) == u16::from_le_bytes([head[8], head[9]]))
}

impl Dissector for Dnp3 {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Dnp3,
        transports: &[Transport::Tcp, Transport::Udp],
        ports: &[20_000],
        about: "DNP3 on any port, told by the checksum of its frames: each request with its answer, unsolicited answers, \
                internal indications. Not seen: objects and values, later segments of long fragments, DNP3 over serial lines.",
        fields: ALL,
    };

    fn probe(data: &[u8], _: Side, _: (u16, u16)) -> Probe {
        match is_head(data) {
            Some(true) => Probe::Match,
            Some(false) => Probe::NoMatch,
            None => Probe::NeedMore,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => {
                let mut pending = std::mem::take(&mut self.pending[from as usize]);
                let fed = pending.feed(data, FRAME_BYTES_MAX, |bytes| self.frames(bytes, time, sink));
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
            Input::End { .. } => {
                for open in self.open.drain(..) {
                    sink.emit(open.transaction);
                }
                Want::Nothing
            }
        }
    }
}

impl Dnp3 {
    /// Takes whole frames; returns how many bytes were used. What is no frame is passed over up to the next start.
    fn frames(&mut self, bytes: &[u8], time: Time, sink: &mut Sink<'_>) -> usize {
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            match is_head(rest) {
                None => break,
                Some(false) => {
                    sink.odd(Anomaly::ProtocolError);
                    used += 1 + memchr::memchr(START[0], &rest[1..]).unwrap_or(rest.len() - 1);
                }
                Some(true) => {
                    let data = usize::from(rest[2]) - 5;
                    let len = HEAD_BYTES + data + 2 * data.div_ceil(BLOCK_BYTES);
                    let Some(frame) = rest.get(..len) else { break };
                    if let Some(fragment) = fragment(frame) {
                        self.fragment(fragment, time, sink);
                    }
                    used += len;
                }
            }
        }
        used
    }

    fn fragment(&mut self, fragment: Fragment, time: Time, sink: &mut Sink<'_>) {
        let Fragment {
            source,
            destination,
            sequence,
            function,
            ..
        } = fragment;
        if function == 129 || function == 131 {
            return self.response(fragment, time, sink);
        }
        let mut transaction = begin(&fragment, time, sink);
        transaction.set_number(&REQUEST_BYTES, fragment.bytes as u64);
        if let Some(indications) = fragment.indications {
            transaction.set_number(&INDICATIONS, indications);
        }
        // Nobody answers a receipt, nor what came unasked.
        if function == 0 || function >= 128 {
            sink.emit(transaction);
            return;
        }
        let open = Open {
            id: (source, destination, sequence),
            transaction,
        };
        if let Some(oldest) = waiting::push(&mut self.open, open, OPEN_MAX, sink) {
            sink.emit(oldest.transaction);
        }
    }

    fn response(&mut self, fragment: Fragment, time: Time, sink: &mut Sink<'_>) {
        let id = (fragment.destination, fragment.source, fragment.sequence);
        let found = self.open.iter().position(|open| open.id == id);
        let mut transaction = match found.and_then(|at| self.open.remove(at)) {
            Some(open) => open.transaction,
            // Its question was not seen.
            None => begin(&fragment, time, sink),
        };
        transaction.end = time;
        transaction.set_number(&RESPONSE_BYTES, fragment.bytes as u64);
        let indications = fragment.indications.unwrap_or_default();
        transaction.set_number(&INDICATIONS, indications);
        transaction.outcome = match indications & REFUSING {
            0 => Outcome::Accepted,
            _ => Outcome::Refused,
        };
        sink.emit(transaction);
    }
}

fn begin(fragment: &Fragment, time: Time, sink: &Sink<'_>) -> Transaction {
    let mut transaction = sink.begin(Protocol::Dnp3, Kind::Request, time);
    transaction.set_number(&SOURCE, fragment.source);
    transaction.set_number(&DESTINATION, fragment.destination);
    transaction.set_number(&FUNCTION, fragment.function);
    transaction.set_text(&CLASS, class(fragment.function));
    transaction
}

/// The application layer's head, when this frame carries the first segment of a fragment.
fn fragment(frame: &[u8]) -> Option<Fragment> {
    const FIRST_SEGMENT: u8 = 0x40;
    let [
        _,
        _,
        length,
        _,
        destination_low,
        destination_high,
        source_low,
        source_high,
        ..,
    ] = *frame
    else {
        return None;
    };
    // Transport, control, function and two bytes of indications lie in the first block.
    let data = frame.get(HEAD_BYTES..)?;
    let data = &data[..data
        .len()
        .min(usize::from(length).checked_sub(5)?.min(BLOCK_BYTES))];
    let (transport, control, function) = (data.first()?, data.get(1)?, *data.get(2)?);
    let indications = match data.get(3..5) {
        Some(pair) if function >= 128 => Some(u16::from_be_bytes([pair[0], pair[1]])),
        _ => None,
    };
    (transport & FIRST_SEGMENT != 0).then_some(Fragment {
        source: u16::from_le_bytes([source_low, source_high]),
        destination: u16::from_le_bytes([destination_low, destination_high]),
        sequence: control & 0x0f,
        function,
        indications,
        bytes: frame.len(),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{Turn, check_turns, client, parts, run, server, tcp};

    /// A frame from one link address to another.
    fn frame(from: u16, to: u16, data: &[u8]) -> Vec<u8> {
        let mut head = [&START[..], &[data.len() as u8 + 5, 0xc4]].concat();
        head.extend(to.to_le_bytes());
        head.extend(from.to_le_bytes());
        head.extend(checksum(&head).to_le_bytes());
        for block in data.chunks(BLOCK_BYTES) {
            head.extend(block);
            head.extend(checksum(block).to_le_bytes());
        }
        head
    }

    /// The published check value of this checksum.
    #[test]
    fn checksums() {
        assert_eq!(checksum(b"123456789"), 0xea82);
    }

    /// A read in two segments of answer, an operation that is refused, an unsolicited answer and its receipt, something
    /// between the frames, and a question without answer.
    #[test]
    fn questions_and_answers() {
        let long = [&[0x40, 0xc1, 129, 0, 0][..], &[7; 30]].concat();
        check_turns::<Dnp3>(
            &[
                client(frame(1, 10, &[0xc0, 0xc1, 1, 60, 2, 6])),
                server([frame(10, 1, &long), frame(10, 1, &[0x81, 1, 2, 3])].concat()),
                client([b"xx".as_slice(), &frame(1, 10, &[0xc0, 0xc2, 5, 12, 1])].concat()),
                server(frame(10, 1, &[0xc0, 0xc2, 129, 0x04, 0])),
                server(frame(10, 1, &[0xc0, 0xf3, 130, 0x80, 0])),
                client(frame(1, 10, &[0xc0, 0xd3, 0])),
                client(frame(1, 10, &[0xc0, 0xc4, 13])),
            ],
            &expect![[r#"
                request accepted 1s
                  dnp3.source 1
                  dnp3.destination 10
                  dnp3.function 1
                  dnp3.class read
                  dnp3.request_bytes 18
                  dnp3.response_bytes 51
                  dnp3.iin 0
                request refused 1s
                  dnp3.source 1
                  dnp3.destination 10
                  dnp3.function 5
                  dnp3.class control
                  dnp3.request_bytes 17
                  dnp3.response_bytes 17
                  dnp3.iin 1024
                request unknown 0s
                  dnp3.source 10
                  dnp3.destination 1
                  dnp3.function 130
                  dnp3.class unsolicited
                  dnp3.request_bytes 17
                  dnp3.iin 32768
                request unknown 0s
                  dnp3.source 1
                  dnp3.destination 10
                  dnp3.function 0
                  dnp3.class confirm
                  dnp3.request_bytes 15
                request unknown 0s
                  dnp3.source 1
                  dnp3.destination 10
                  dnp3.function 13
                  dnp3.class application control
                  dnp3.request_bytes 15
                odd protocol_error x1
                want Nothing
            "#]],
        );
    }

    #[test]
    fn open_requests_are_bounded() {
        let turns: Vec<Turn> = (0..OPEN_MAX as u16 + 3)
            .map(|to| client(frame(1, to, &[0xc0, 0xc1, 1])))
            .collect();
        let output = run::<Dnp3>(&tcp(20_000), &parts(&turns));
        assert_eq!(output.transactions.len(), OPEN_MAX + 3);
        assert_eq!(output.anomalies.seen().map(|(_, times)| times).sum::<u64>(), 3);
    }

    #[test]
    fn probes() {
        let good = frame(1, 10, &[0xc0, 0xc1, 1]);
        let probe = |data: &[u8]| Dnp3::probe(data, Side::Initiator, (40000, 9));
        assert_eq!(probe(&good), Probe::Match);
        assert_eq!(probe(&good[..9]), Probe::NeedMore);
        let mut bad = good;
        bad[8] ^= 1;
        assert_eq!(probe(&bad), Probe::NoMatch);
        assert_eq!(probe(b"\x05hello"), Probe::NoMatch);
    }
}
