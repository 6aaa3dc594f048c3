//! SIP over UDP and TCP (RFC 3261): requests with their final response, who calls or registers as whom. Either side of a
//! flow may ask. Bodies (SDP) are counted and passed over; credentials are only noticed, never kept.

mod message;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use weir_model::{Anomaly, Kind, NANOS_PER_S, Outcome, Protocol, Time, Transaction, Transport, Value, proto};

use crate::fields::fields;
use crate::pending::Pending;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text, waiting};
use message::{Id, Message, Start};

fields! {
    METHOD = text("sip.method", "Method");
    URI = text("sip.uri", "Request URI");
    FROM = text("sip.from", "From, without scheme and parameters");
    TO = text("sip.to", "To, without scheme and parameters");
    CLIENT = ip("sip.client", "Who sent the request");
    STATUS = number("sip.status", "Status of the final response");
    PROVISIONAL = number("sip.provisional", "Last status before the final one");
    CREDENTIALS = flag("sip.credentials", "The request carried credentials");
    REPEATS = number("sip.repeats", "Times the request was repeated");
    AGENT = text("sip.user_agent", "User agent of the client");
    SERVER = text("sip.server", "Program of the server");
    CALL_ID = text("sip.call_id", "Call-ID");
}

/// Longest message head, bytes; a UDP datagram cannot be longer, and real ones have two thousand.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Requests of one flow without a final response. Past it the oldest is sent as unanswered, and counted.
const OPEN_MAX: usize = 64;
/// Requests answered last: their repeated responses are not news.
const ANSWERED_MAX: usize = 16;
/// After this a request without a final response has failed (timers B and F of RFC 3261, 64 x T1), seconds. A call
/// that rings goes on for longer.
const TIMEOUT_S: i64 = 32;
const RINGING_S: i64 = 180;

/// State of one flow.
#[derive(Default)]
pub struct Sip {
    streams: [Stream; 2],
    open: VecDeque<Open>,
    answered: VecDeque<(Side, Id)>,
}

/// One side's stream over TCP.
#[derive(Default)]
struct Stream {
    pending: Pending,
    /// Bytes of a body still to be passed over.
    body: u64,
}

/// A request without a final response.
struct Open {
    from: Side,
    id: Id,
    transaction: Transaction,
    provisional: Option<u16>,
    repeats: u32,
}

impl Dissector for Sip {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Sip,
        transports: &[Transport::Udp, Transport::Tcp],
        ports: &[5060],
        about: "SIP on any port: each request with its final response, who asks (From), who is meant (To, URI), repeats. \
                Not seen: SIP over TLS, bodies; ACK belongs to its INVITE and is left out.",
        fields: ALL,
    };

    fn probe(data: &[u8], _: Side, _: (u16, u16)) -> Probe {
        let line = message::first_line(data);
        match line {
            Some(line) if Start::read(line).is_some() => Probe::Match,
            Some(_) => Probe::NoMatch,
            None if message::could_begin(data) => Probe::NeedMore,
            None => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } if sink.key.proto == proto::UDP => {
                self.give_up_old(time, sink);
                match Message::read(message::without_blank_lines(data)) {
                    Some(message) => self.message(from, &message, time, sink),
                    // Keep-alives are blank lines or zeros.
                    None if data.iter().all(|byte| matches!(byte, 0 | b'\r' | b'\n')) => {}
                    None => sink.odd(Anomaly::ProtocolError),
                }
                Want::More
            }
            Input::Bytes { from, time, data } => {
                self.give_up_old(time, sink);
                let mut stream = std::mem::take(&mut self.streams[from as usize]);
                let want = self.bytes(&mut stream, from, time, data, sink);
                self.streams[from as usize] = stream;
                want
            }
            Input::Gap { from, len, .. } => {
                let stream = &mut self.streams[from as usize];
                if stream.body >= len {
                    stream.body -= len;
                    return Want::More;
                }
                // Where the next message begins is not known any more.
                self.finish(sink)
            }
            Input::End { .. } => self.finish(sink),
        }
    }
}

impl Sip {
    fn bytes(
        &mut self,
        stream: &mut Stream,
        from: Side,
        time: Time,
        data: &[u8],
        sink: &mut Sink<'_>,
    ) -> Want {
        let Stream { pending, body } = stream;
        let mut broken = false;
        let fed = pending.feed(data, HEAD_BYTES_MAX, |bytes| {
            let mut used = 0;
            while used < bytes.len() && !broken {
                let rest = &bytes[used..];
                if *body > 0 {
                    let passed = (*body).min(rest.len() as u64);
                    *body -= passed;
                    used += passed as usize;
                    continue;
                }
                let blank = rest.len() - message::without_blank_lines(rest).len();
                if blank > 0 {
                    used += blank;
                    continue;
                }
                let Some(end) = message::head_end(rest) else { break };
                match Message::read(&rest[..end]) {
                    Some(message) => {
                        *body = message.content_length;
                        self.message(from, &message, time, sink);
                    }
                    None => broken = true,
                }
                used += end;
            }
            used
        });
        if fed.is_err() || broken {
            sink.odd(if broken {
                Anomaly::ProtocolError
            } else {
                Anomaly::ProtocolLimit
            });
            return self.finish(sink);
        }
        Want::More
    }

    fn message(&mut self, from: Side, message: &Message<'_>, time: Time, sink: &mut Sink<'_>) {
        match message.start {
            Start::Request { method: b"ACK", .. } => {}
            Start::Request { method, uri } => self.request(from, (method, uri), message, time, sink),
            Start::Response { status } => self.response(from, status, message, time, sink),
        }
    }

    fn request(
        &mut self,
        from: Side,
        (method, uri): (&[u8], &[u8]),
        message: &Message<'_>,
        time: Time,
        sink: &mut Sink<'_>,
    ) {
        let id = message.id();
        let same = |open: &&mut Open| (open.from, open.id) == (from, id);
        if let Some(open) = self.open.iter_mut().find(same) {
            open.repeats = open.repeats.saturating_add(1);
            return;
        }
        if self.answered.contains(&(from, id)) {
            return;
        }
        let mut transaction = begin(from, method, message, time, sink);
        transaction.set_text(&URI, text::bounded(uri));
        if let Some(agent) = message.agent {
            transaction.set_text(&AGENT, text::bounded(agent));
        }
        if message.credentials.is_some() {
            transaction.set(&CREDENTIALS, Value::Flag(true));
        }
        let open = Open {
            from,
            id,
            transaction,
            provisional: None,
            repeats: 0,
        };
        if let Some(oldest) = waiting::push(&mut self.open, open, OPEN_MAX, sink) {
            oldest.emit(sink);
        }
    }

    fn response(&mut self, from: Side, status: u16, message: &Message<'_>, time: Time, sink: &mut Sink<'_>) {
        let (asker, id) = (from.other(), message.id());
        // A response does not say which credentials it answers: the oldest that wait for one.
        let same = |from: Side, known: Id| (from, known.exchange) == (asker, id.exchange);
        let found = self.open.iter().position(|open| same(open.from, open.id));
        if status < 200 {
            if let Some(open) = found.and_then(|at| self.open.get_mut(at)) {
                (open.provisional, open.transaction.end) = (Some(status), time);
            }
            return;
        }
        let mut open = match found.and_then(|at| self.open.remove(at)) {
            Some(open) => open,
            None if self.answered.iter().any(|(from, known)| same(*from, *known)) => return,
            // Its request was not seen.
            None => Open {
                from: asker,
                id,
                transaction: begin(asker, message.cseq_method(), message, time, sink),
                provisional: None,
                repeats: 0,
            },
        };
        if self.answered.len() >= ANSWERED_MAX {
            self.answered.pop_front();
        }
        self.answered.push_back((asker, open.id));
        let transaction = &mut open.transaction;
        transaction.end = time;
        transaction.set_number(&STATUS, status);
        if let Some(server) = message.agent {
            transaction.set_text(&SERVER, text::bounded(server));
        }
        let credentials = transaction.flag("sip.credentials").unwrap_or_default();
        transaction.outcome = match status {
            200..=299 => Outcome::Accepted,
            // A challenge refuses nobody who has not shown anything yet.
            401 | 407 if !credentials => Outcome::Unknown,
            300..=399 => Outcome::Unknown,
            _ => Outcome::Refused,
        };
        open.emit(sink);
    }

    /// Sends requests that nobody will answer any more.
    fn give_up_old(&mut self, now: Time, sink: &mut Sink<'_>) {
        let timed_out = |open: &Open| {
            let limit_s = if open.provisional.is_some() {
                RINGING_S
            } else {
                TIMEOUT_S
            };
            now.since(open.transaction.end) > limit_s * NANOS_PER_S
        };
        while self.open.front().is_some_and(timed_out) {
            if let Some(open) = self.open.pop_front() {
                open.emit(sink);
            }
        }
    }

    fn finish(&mut self, sink: &mut Sink<'_>) -> Want {
        for open in self.open.drain(..) {
            open.emit(sink);
        }
        Want::Nothing
    }
}

/// A transaction with what request and response both tell.
fn begin(asker: Side, method: &[u8], message: &Message<'_>, time: Time, sink: &Sink<'_>) -> Transaction {
    let mut transaction = sink.begin(Protocol::Sip, Kind::Request, time);
    transaction.set_text(&METHOD, text::bounded(method));
    let client = match asker {
        Side::Initiator => sink.key.initiator_ip,
        Side::Responder => sink.key.responder_ip,
    };
    transaction.set(&CLIENT, Value::Ip(client));
    for (field, value) in [(&FROM, message.from), (&TO, message.to)] {
        if let Some(value) = value {
            transaction.set_text(field, text::bounded(message::identity(value)));
        }
    }
    if let Some(call_id) = message.call_id {
        transaction.set_text(&CALL_ID, text::bounded(call_id));
    }
    transaction
}

impl Open {
    fn emit(mut self, sink: &mut Sink<'_>) {
        if let Some(status) = self.provisional {
            self.transaction.set_number(&PROVISIONAL, status);
        }
        if self.repeats > 0 {
            self.transaction.set_number(&REPEATS, self.repeats);
        }
        sink.emit(self.transaction);
    }
}
