//! DNS, mDNS and LLMNR (RFC 1035, 6762, 4795): a transaction per question, with its answer when one was seen.
//! Asked names, record types, sizes and refusals are what tunnels, generated domains and exfiltration leave behind.

mod codes;
mod exchange;
mod message;
mod name;
mod probe;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use weir_model::{Anomaly, NANOS_PER_S, Protocol, Time, Transaction, Transport, Value, proto};

use crate::pending::Pending;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, waiting};
use exchange::{announced, begin, fields, set_answer};
use message::{HEADER_BYTES, Header, Question};

/// Unanswered questions kept per flow; a resolver behind one port has tens in flight, the oldest is sent beyond that.
const OPEN_MAX: usize = 64;
/// After this long without an answer a question counts as unanswered; resolvers give up after 5 to 20 s.
const ANSWER_WAIT_NS: i64 = 30 * NANOS_PER_S;
/// Records looked at per message; a 64 KiB message can hold 6,000, which cost more than they tell.
const RECORDS_MAX: u16 = 1024;
/// Longest message over TCP with its length prefix (RFC 1035 4.2.2).
const STREAM_MESSAGE_MAX: usize = 2 + u16::MAX as usize;

/// Multicast DNS: ids are zero, messages carry several questions, answers go to everyone.
const MDNS_PORT: u16 = 5353;

/// DNS state of one flow.
#[derive(Default)]
pub struct Dns {
    open: VecDeque<Open>,
    /// Unfinished messages of either side, over TCP only.
    streams: Option<Box<[Pending; 2]>>,
    /// Id of the last answer, to know the further messages of a zone transfer by.
    last_answered: Option<u16>,
}

/// A question without an answer yet.
struct Open {
    id: u16,
    tries: u64,
    transaction: Transaction,
}

impl Dissector for Dns {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Dns,
        transports: &[Transport::Udp, Transport::Tcp],
        ports: &[53, MDNS_PORT, 5355],
        about: "DNS, mDNS and LLMNR over UDP and TCP: questions paired with their answers by id and name. \
                The first question of a message counts. Not seen: DNS over TLS, HTTPS and QUIC.",
        fields: fields::ALL,
    };

    fn probe(data: &[u8], _: Side, ports: (u16, u16)) -> Probe {
        probe::probe(data, Self::META.is_usual(ports))
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } if sink.key.proto == proto::TCP => {
                self.stream(from, time, data, sink)
            }
            Input::Bytes { time, data, .. } => {
                self.message(data, time, sink);
                Want::More
            }
            // Message borders are lost with the bytes: what follows could be anything.
            Input::Gap { .. } | Input::End { .. } => {
                self.flush(sink);
                Want::Nothing
            }
        }
    }
}

impl Dns {
    fn stream(&mut self, from: Side, time: Time, data: &[u8], sink: &mut Sink<'_>) -> Want {
        let mut streams = self.streams.take().unwrap_or_default();
        // Cannot overflow: a message is at most what its two-byte length says.
        let fed = streams[from as usize].feed(data, STREAM_MESSAGE_MAX, |bytes| {
            let mut used = 0;
            while let Some((prefix, rest)) = bytes[used..].split_first_chunk::<2>() {
                let len = usize::from(u16::from_be_bytes(*prefix));
                let Some(message) = rest.get(..len) else { break };
                self.message(message, time, sink);
                used += 2 + len;
            }
            used
        });
        self.streams = Some(streams);
        if fed.is_err() {
            sink.odd(Anomaly::ProtocolLimit);
            self.flush(sink);
            return Want::Nothing;
        }
        Want::More
    }

    fn message(&mut self, bytes: &[u8], time: Time, sink: &mut Sink<'_>) {
        self.give_up_old(time, sink);
        let Some(header) = Header::read(bytes) else {
            return sink.odd(Anomaly::ProtocolError);
        };
        let (question, records_at) = match header.counts[0] {
            0 => (None, HEADER_BYTES),
            questions => {
                let Some((question, mut at)) = message::question(bytes, HEADER_BYTES) else {
                    return sink.odd(Anomaly::ProtocolError);
                };
                if questions > 1 {
                    if !is_multicast_dns(sink) {
                        sink.odd(Anomaly::ProtocolLimit);
                    }
                    at = skip_questions(bytes, at, questions - 1);
                }
                (Some(question), at)
            }
        };
        if header.is_answer() {
            self.answer(bytes, header, question, records_at, time, sink);
        } else if let Some(question) = question {
            self.query(bytes, header, question, time, sink);
        } else {
            sink.odd(Anomaly::ProtocolError);
        }
    }

    fn query(&mut self, bytes: &[u8], header: Header, question: Question, time: Time, sink: &mut Sink<'_>) {
        if let Some(open) = self.open.iter_mut().find(|open| open.is(header.id, &question)) {
            open.tries += 1;
            return;
        }
        let mut transaction = begin(header, question, time, sink);
        transaction.fields.extend([
            (&fields::RD, Value::Flag(header.recursion_desired())),
            (&fields::QUERY_BYTES, Value::Number(bytes.len() as u64)),
        ]);
        if sink.key.responder_ip.is_multicast() {
            return sink.emit(transaction);
        }
        let open = Open {
            id: header.id,
            tries: 1,
            transaction,
        };
        if let Some(oldest) = waiting::push(&mut self.open, open, OPEN_MAX, sink) {
            oldest.give_up(sink);
        }
    }

    fn answer(
        &mut self,
        bytes: &[u8],
        header: Header,
        question: Option<Question>,
        records_at: usize,
        time: Time,
        sink: &mut Sink<'_>,
    ) {
        let same_id = |open: &Open| match &question {
            Some(question) => open.is(header.id, question),
            None => open.id == header.id,
        };
        let found = self
            .open
            .iter()
            .position(same_id)
            .and_then(|at| self.open.remove(at));
        let mut transaction = match (found, question) {
            (Some(open), _) => open.into_transaction(),
            (None, Some(question)) => begin(header, question, time, sink),
            // Further messages of a zone transfer.
            (None, None) if self.last_answered == Some(header.id) && sink.key.proto == proto::TCP => return,
            (None, None) => match announced(bytes, header, records_at) {
                Some(question) => begin(header, question, time, sink),
                None => return sink.odd(Anomaly::ProtocolError),
            },
        };
        self.last_answered = Some(header.id);
        transaction.end = time;
        if !set_answer(&mut transaction, bytes, header, records_at) {
            sink.odd(Anomaly::ProtocolError);
        }
        sink.emit(transaction);
    }

    fn give_up_old(&mut self, now: Time, sink: &mut Sink<'_>) {
        let is_old = |open: &mut Open| now.since(open.transaction.start) > ANSWER_WAIT_NS;
        while let Some(oldest) = self.open.pop_front_if(is_old) {
            oldest.give_up(sink);
        }
    }

    fn flush(&mut self, sink: &mut Sink<'_>) {
        for open in self.open.drain(..) {
            open.give_up(sink);
        }
    }
}

impl Open {
    fn is(&self, id: u16, question: &Question) -> bool {
        self.id == id
            && self.transaction.text(fields::QUERY.name) == Some(&question.name)
            && self.transaction.number(fields::TYPE_CODE.name) == Some(question.kind.into())
    }

    /// Sends the question as one without answer.
    fn give_up(self, sink: &mut Sink<'_>) {
        let mut transaction = self.into_transaction();
        transaction.fields.push((&fields::ANSWERED, Value::Flag(false)));
        sink.emit(transaction);
    }

    fn into_transaction(mut self) -> Transaction {
        if self.tries > 1 {
            self.transaction
                .fields
                .push((&fields::TRIES, Value::Number(self.tries)));
        }
        self.transaction
    }
}

fn is_multicast_dns(sink: &Sink<'_>) -> bool {
    [sink.key.initiator_port, sink.key.responder_port].contains(&MDNS_PORT)
}

/// Position behind `count` further questions, or behind the last that is there.
fn skip_questions(bytes: &[u8], mut at: usize, count: u16) -> usize {
    for _ in 0..count.min(RECORDS_MAX) {
        match name::skip(bytes, at) {
            Some(behind) if behind + 4 <= bytes.len() => at = behind + 4,
            _ => break,
        }
    }
    at
}
