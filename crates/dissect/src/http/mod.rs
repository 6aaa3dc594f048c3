//! HTTP/1.x over TCP on any port (RFC 9110, 9112): requests with their responses, and the log-ins they carry.
//! Bodies are counted and passed over; nothing of them is kept but the user's name in a log-in form.

mod auth;
mod body;
mod exchange;
mod fields;
mod form;
mod head;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use weir_model::{Anomaly, Protocol, Time, Transport};

use crate::pending::Pending;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, waiting};
use body::Body;
use exchange::{After, Exchange};
use head::{Head, Start};

/// Longest head, bytes; servers refuse more than 8 to 16 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Requests in flight on one connection; browsers send one, scanners tens. The oldest is sent without an answer beyond.
const PIPELINE_MAX: usize = 32;
/// A request line longer than this without an end is taken for HTTP by its beginning alone.
const LINE_BYTES_SURE: usize = 256;

/// HTTP state of one flow.
#[derive(Default)]
pub struct Http {
    streams: [Stream; 2],
    /// Requests without a response yet, oldest first.
    open: VecDeque<Exchange>,
    /// The exchange whose response body is passing.
    answered: Option<Exchange>,
    /// Is the newest of `open` still sending its body? Not when it was answered early.
    sending: bool,
}

/// One side's stream.
#[derive(Default)]
struct Stream {
    /// Start of a head.
    pending: Pending,
    body: Body,
    /// Is the message at hand a request? Decided by its head, so that a misjudged direction does no harm.
    is_request: bool,
}

impl Dissector for Http {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Http,
        transports: &[Transport::Tcp],
        ports: &[80, 3128, 8000, 8008, 8080, 8081, 8888],
        about: "HTTP/1.0 and 1.1 on any port: requests, responses, body sizes, log-ins by Basic, Digest, NTLM, Negotiate \
                and by form (form-encoded, JSON, or in the query). Not seen: HTTP/2 and 3, multipart forms, bodies.",
        fields: fields::ALL,
    };

    fn probe(data: &[u8], _: Side, _: (u16, u16)) -> Probe {
        if let Some(head) = data.first_chunk::<8>()
            && head.starts_with(b"HTTP/1.")
        {
            return Probe::Match;
        }
        if b"HTTP/1.".starts_with(&data[..data.len().min(7)]) {
            return Probe::NeedMore;
        }
        let word = data.split(|&byte| byte == b' ').next().unwrap_or_default();
        let line_end = memchr::memchr(b'\n', data);
        match line_end {
            _ if word.len() < data.len() && !head::is_method(word) => Probe::NoMatch,
            Some(end) if Head::read(&data[..=end]).is_some() => Probe::Match,
            Some(_) => Probe::NoMatch,
            None if word.len() == data.len() && !data.iter().all(u8::is_ascii_uppercase) => Probe::NoMatch,
            None if data.len() > LINE_BYTES_SURE && data.get(word.len() + 1) == Some(&b'/') => Probe::Match,
            None => Probe::NeedMore,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => {
                let mut stream = std::mem::take(&mut self.streams[from as usize]);
                let want = self.bytes(&mut stream, time, data, sink);
                self.streams[from as usize] = stream;
                want
            }
            Input::Gap { from, time, len } => self.gap(from, time, len, sink),
            Input::End { .. } => self.finish(sink),
        }
    }
}

impl Http {
    fn bytes(&mut self, stream: &mut Stream, time: Time, data: &[u8], sink: &mut Sink<'_>) -> Want {
        let Stream {
            pending,
            body,
            is_request,
        } = stream;
        let mut want = Want::More;
        let fed = pending.feed(data, HEAD_BYTES_MAX, |bytes| {
            let mut used = 0;
            while used < bytes.len() && want == Want::More {
                let rest = &bytes[used..];
                let step = if *body == Body::None {
                    match head_step(rest) {
                        Ok(0) => break,
                        Ok(length) => {
                            want = self.head(&rest[..length], body, is_request, time, sink);
                            Some(length)
                        }
                        Err(blank) => Some(blank),
                    }
                } else {
                    self.body(rest, body, *is_request, time, sink)
                };
                match step {
                    Some(length) => used += length,
                    None => want = self.broken(sink),
                }
            }
            used
        });
        if fed.is_err() {
            sink.odd(Anomaly::ProtocolLimit);
            return self.finish(sink);
        }
        want
    }

    /// Takes a whole head.
    fn head(
        &mut self,
        bytes: &[u8],
        body: &mut Body,
        is_request: &mut bool,
        time: Time,
        sink: &mut Sink<'_>,
    ) -> Want {
        let Some(head) = Head::read(bytes) else {
            return self.broken(sink);
        };
        match head.start {
            Start::Request { .. } => {
                *is_request = true;
                let (exchange, follows) = Exchange::request(&head, time, sink);
                if let Some(oldest) = waiting::push(&mut self.open, exchange, PIPELINE_MAX, sink) {
                    oldest.emit(sink);
                }
                *body = follows;
                self.sending = follows != Body::None;
                Want::More
            }
            // "Continue" and its like: the response proper comes later.
            Start::Response {
                status: 100 | 102..200,
            } => {
                *is_request = false;
                Want::More
            }
            Start::Response { status } => {
                *is_request = false;
                self.response(&head, status, body, time, sink)
            }
        }
    }

    fn response(
        &mut self,
        head: &Head<'_>,
        status: u16,
        body: &mut Body,
        time: Time,
        sink: &mut Sink<'_>,
    ) -> Want {
        let mut exchange = match self.open.pop_front() {
            Some(exchange) => exchange,
            None => Exchange::unasked(time, sink),
        };
        // Answered before its body was through: what still comes of it belongs to nobody.
        self.sending &= !self.open.is_empty();
        let after = exchange.respond(head, status, time);
        let ends = !matches!(after, After::Body(follows) if follows != Body::None);
        if ends {
            exchange.emit(sink);
        } else {
            self.answered = Some(exchange);
        }
        match after {
            After::Body(follows) => {
                *body = follows;
                Want::More
            }
            After::Tunnel => {
                self.finish(sink);
                Want::HandOver(Protocol::Tls)
            }
            After::Upgrade => self.finish(sink),
        }
    }

    /// Passes over bytes of a body; returns how many, None when its framing is broken.
    fn body(
        &mut self,
        bytes: &[u8],
        body: &mut Body,
        is_request: bool,
        time: Time,
        sink: &mut Sink<'_>,
    ) -> Option<usize> {
        let step = body.step(bytes)?;
        if is_request {
            if let Some(exchange) = self.open.back_mut().filter(|_| self.sending) {
                exchange.request_body(step.content);
            }
        } else if let Some(exchange) = &mut self.answered {
            exchange.response_body(step.content.len() as u64, time);
        }
        self.ended(*body, is_request, sink);
        Some(step.used)
    }

    /// Sends the exchange when its response has ended.
    fn ended(&mut self, body: Body, is_request: bool, sink: &mut Sink<'_>) {
        if body != Body::None {
            return;
        }
        if is_request {
            self.sending = false;
        } else if let Some(exchange) = self.answered.take() {
            exchange.emit(sink);
        }
    }

    fn gap(&mut self, from: Side, time: Time, len: u64, sink: &mut Sink<'_>) -> Want {
        let stream = &mut self.streams[from as usize];
        if stream.body == Body::None || !stream.body.pass(len) {
            return self.finish(sink);
        }
        let (body, is_request) = (stream.body, stream.is_request);
        if is_request {
            if let Some(exchange) = self.open.back_mut().filter(|_| self.sending) {
                exchange.request_missing(len);
            }
        } else if let Some(exchange) = &mut self.answered {
            exchange.response_body(len, time);
        }
        self.ended(body, is_request, sink);
        Want::More
    }

    fn broken(&mut self, sink: &mut Sink<'_>) -> Want {
        sink.odd(Anomaly::ProtocolError);
        self.finish(sink)
    }

    /// Sends what there is.
    fn finish(&mut self, sink: &mut Sink<'_>) -> Want {
        if let Some(exchange) = self.answered.take() {
            exchange.emit(sink);
        }
        for exchange in self.open.drain(..) {
            exchange.emit(sink);
        }
        Want::Nothing
    }
}

/// Length of the head that starts here, 0 when its end has not come. Err: so many blank bytes to pass over before it
/// (RFC 9112 2.2: some clients send an empty line behind a body).
fn head_step(bytes: &[u8]) -> Result<usize, usize> {
    let blank = bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    if blank > 0 {
        return Err(blank);
    }
    Ok(head::end(bytes).unwrap_or(0))
}
