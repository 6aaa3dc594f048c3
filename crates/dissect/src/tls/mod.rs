//! TLS and SSL 3.0 over TCP (RFC 5246, 8446): one transaction per handshake, from what both sides say in the clear.
//! Names, fingerprints and certificates identify programs and servers; dissection stops where encryption starts.

mod certificate;
mod fields;
mod hello;
mod ja3;
mod ja4;
mod names;
mod record;
#[cfg(test)]
mod tests;

use weir_model::{Anomaly, Kind, Outcome, Protocol, Time, Transaction, Transport, Value};

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text};
use hello::{ClientHello, ServerHello, TLS13, extension};
use record::{CERTIFICATE, CLIENT_HELLO, Event, Records, SERVER_HELLO, Then};

/// Application protocols kept of an offer; real offers have one to three.
const ALPN_MAX: usize = 8;
/// Longest raw fingerprint kept; those of real clients have 100 to 600 characters. Hashes are of the whole.
const RAW_MAX: usize = 2048;
/// Encrypted records after which waiting for the rest of the handshake is given up: one side is not seen.
const RECORDS_MAX: u32 = 64;
/// A TLS 1.3 client's Finished takes 53 bytes or more, an encrypted alert at most 24: what is longer says that the
/// client accepted the server. In doubt the handshake is not called established.
const FINISHED_BYTES_MIN: usize = 32;
/// Level of an alert that ends the connection.
const FATAL: u8 = 2;
/// Alerts that do not end a handshake whatever their level: close_notify, user_canceled, no_renegotiation.
const HARMLESS: [u8; 3] = [0, 90, 100];

/// TLS state of one flow.
#[derive(Default)]
pub struct Tls {
    sides: [Records; 2],
    handshake: Handshake,
}

/// What both sides have said so far.
#[derive(Default)]
struct Handshake {
    transaction: Option<Transaction>,
    client: Option<Side>,
    /// Session id the client proposed: a server that repeats it resumes that session.
    session_id: Box<[u8]>,
    version: Option<u16>,
    /// The server wants another ClientHello: ChangeCipherSpec means nothing now.
    retried: bool,
    changed_cipher: [bool; 2],
    encrypted_records: u32,
}

impl Dissector for Tls {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Tls,
        transports: &[Transport::Tcp],
        ports: &[443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 8443],
        about: "TLS 1.0 to 1.3 and SSL 3.0 handshakes on any port: versions, names, JA3, JA3S, JA4, certificates up to \
                TLS 1.2 (TLS 1.3 encrypts them). Not seen: DTLS, SSL 2.0 hellos, anything after the handshake.",
        fields: fields::ALL,
    };

    fn probe(data: &[u8], _: Side, _: (u16, u16)) -> Probe {
        // Handshake record, version 3.0 to 3.4, a length above the message head; then a hello of version 3.x.
        let expected = |at: usize, byte: u8| match at {
            0 => byte == 22,
            1 => byte == 3,
            2 => byte <= 4,
            3 => byte <= 0x48,
            5 => matches!(byte, CLIENT_HELLO | SERVER_HELLO),
            6 => byte == 0,
            9 => byte == 3,
            10 => byte <= 4,
            _ => true,
        };
        let fits = data
            .iter()
            .take(11)
            .enumerate()
            .all(|(at, &byte)| expected(at, byte));
        match (fits, data.len()) {
            (false, _) => Probe::NoMatch,
            (true, 11..) => Probe::Match,
            (true, _) => Probe::NeedMore,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => {
                let handshake = &mut self.handshake;
                let mut on = |event: Event<'_>| handshake.on(event, from, time, sink);
                if self.sides[from as usize].feed(data, &mut on) == Then::Stop {
                    return Want::Nothing;
                }
                Want::More
            }
            Input::Gap { from, time, len } => {
                if self.sides[from as usize].pass(len) {
                    return Want::More;
                }
                self.handshake.unfinished(&self.sides, time, sink);
                self.handshake.finish(None, sink);
                Want::Nothing
            }
            Input::End { time } => {
                self.handshake.unfinished(&self.sides, time, sink);
                self.handshake.finish(Some(false), sink);
                Want::Nothing
            }
        }
    }
}

impl Handshake {
    fn on(&mut self, event: Event<'_>, from: Side, time: Time, sink: &mut Sink<'_>) -> Then {
        if let Some(transaction) = &mut self.transaction {
            transaction.end = time;
        }
        match event {
            Event::Message { kind, body } => {
                if !self.message(kind, body, from, time, sink) {
                    sink.odd(Anomaly::ProtocolError);
                }
                Then::Continue
            }
            Event::ChangeCipherSpec => self.change_cipher_spec(from, sink),
            Event::Alert { level, description } => self.alert(level, description, time, sink),
            Event::Application { bytes } => self.encrypted(bytes, from, sink),
            Event::TooLong => {
                sink.odd(Anomaly::ProtocolLimit);
                Then::Continue
            }
            Event::Broken => {
                sink.odd(Anomaly::ProtocolError);
                self.finish(None, sink)
            }
        }
    }

    fn transaction(&mut self, time: Time, sink: &Sink<'_>) -> &mut Transaction {
        self.transaction
            .get_or_insert_with(|| sink.begin(Protocol::Tls, Kind::Handshake, time))
    }

    /// Takes a message; false when it cannot be read.
    fn message(&mut self, kind: u8, body: &[u8], from: Side, time: Time, sink: &Sink<'_>) -> bool {
        match kind {
            CLIENT_HELLO => match ClientHello::read(body) {
                Some(hello) if self.client.is_none() => {
                    self.client = Some(from);
                    self.session_id = hello.session_id.into();
                    set_client(self.transaction(time, sink), &hello);
                    hello.whole
                }
                hello => hello.is_some(),
            },
            SERVER_HELLO => match ServerHello::read(body) {
                Some(hello) => {
                    self.server_hello(&hello, from, time, sink);
                    true
                }
                None => false,
            },
            CERTIFICATE if Some(from) == self.client => true,
            CERTIFICATE => certificate::set(self.transaction(time, sink), body),
            _ => true,
        }
    }

    fn server_hello(&mut self, hello: &ServerHello<'_>, from: Side, time: Time, sink: &Sink<'_>) {
        self.retried = hello.is_retry;
        if hello.is_retry {
            return;
        }
        self.client.get_or_insert(from.other());
        let version = hello.version();
        self.version = Some(version);
        let resumed = if version >= TLS13 {
            hello.extensions.find(extension::PRE_SHARED_KEY).is_some()
        } else {
            !hello.session_id.is_empty() && hello.session_id == &*self.session_id
        };
        let transaction = self.transaction(time, sink);
        set_server(transaction, hello);
        transaction.set(&fields::RESUMED, Value::Flag(resumed));
    }

    fn change_cipher_spec(&mut self, from: Side, sink: &mut Sink<'_>) -> Then {
        // In TLS 1.3 it is a word without meaning, sent for old middleboxes.
        if self.retried || self.version.is_some_and(|version| version >= TLS13) {
            return Then::Continue;
        }
        self.changed_cipher[from as usize] = true;
        if self.version.is_some() && self.changed_cipher == [true, true] {
            return self.finish(Some(true), sink);
        }
        Then::Opaque
    }

    fn encrypted(&mut self, bytes: usize, from: Side, sink: &mut Sink<'_>) -> Then {
        self.encrypted_records += 1;
        let is_client = self.client == Some(from);
        let finished = match self.version {
            Some(version) if version >= TLS13 => is_client && bytes > FINISHED_BYTES_MIN,
            // Nobody sends data before the handshake is over, early data of TLS 1.3 aside.
            Some(_) => true,
            None => self.changed_cipher[from as usize] && !is_client,
        };
        if finished {
            self.finish(Some(true), sink)
        } else if self.encrypted_records >= RECORDS_MAX {
            self.finish(None, sink)
        } else {
            Then::Continue
        }
    }

    fn alert(&mut self, level: u8, description: u8, time: Time, sink: &mut Sink<'_>) -> Then {
        let ends = level == FATAL && !HARMLESS.contains(&description);
        if description != 0 || ends {
            self.transaction(time, sink)
                .set_text(&fields::ALERT, names::alert(description));
        }
        if ends {
            self.finish(Some(false), sink)
        } else {
            Then::Continue
        }
    }

    /// A hello whose end never came still names what was asked for.
    fn unfinished(&mut self, sides: &[Records; 2], time: Time, sink: &mut Sink<'_>) {
        for (from, records) in [Side::Initiator, Side::Responder].into_iter().zip(sides) {
            if let Some((kind @ (CLIENT_HELLO | SERVER_HELLO), body)) = records.unfinished()
                && !self.message(kind, body, from, time, sink)
            {
                sink.odd(Anomaly::ProtocolError);
            }
        }
    }

    /// Sends the transaction. Established: yes, no, or not known.
    fn finish(&mut self, established: Option<bool>, sink: &mut Sink<'_>) -> Then {
        if let Some(mut transaction) = self.transaction.take() {
            if let Some(established) = established {
                transaction.set(&fields::ESTABLISHED, Value::Flag(established));
            }
            transaction.outcome = match established {
                Some(true) => Outcome::Accepted,
                Some(false) if transaction.text(fields::ALERT.name).is_some() => Outcome::Refused,
                _ => Outcome::Unknown,
            };
            sink.emit(transaction);
        }
        Then::Stop
    }
}

fn set_client(transaction: &mut Transaction, hello: &ClientHello<'_>) {
    transaction.set_text(&fields::VERSION_OFFERED, names::version(hello.version_max()));
    if let Some(name) = hello.server_name() {
        transaction.set_text(&fields::SNI, text::bounded(&name.to_ascii_lowercase()));
    }
    let offered: Vec<Box<str>> = hello.alpn().take(ALPN_MAX).map(text::bounded).collect();
    if !offered.is_empty() {
        transaction.set(&fields::ALPN, Value::Texts(offered));
    }
    if !hello.whole {
        return;
    }
    let (ja3, ja4) = (ja3::client(hello), ja4::client(hello));
    set_fingerprint(transaction, (&fields::JA3, &fields::JA3_STRING), ja3);
    set_fingerprint(transaction, (&fields::JA4, &fields::JA4_RAW), ja4);
}

fn set_server(transaction: &mut Transaction, hello: &ServerHello<'_>) {
    transaction.set_text(&fields::VERSION, names::version(hello.version()));
    transaction.set_text(&fields::CIPHER, names::cipher(hello.cipher));
    if let Some(chosen) = hello.alpn() {
        transaction.set_text(&fields::ALPN_CHOSEN, text::bounded(chosen));
    }
    set_fingerprint(
        transaction,
        (&fields::JA3S, &fields::JA3S_STRING),
        ja3::server(hello),
    );
}

fn set_fingerprint(
    transaction: &mut Transaction,
    (hash, raw): (&'static weir_model::Field, &'static weir_model::Field),
    fingerprint: ja3::Fingerprint,
) {
    transaction.set_text(hash, fingerprint.hash);
    if fingerprint.raw.len() <= RAW_MAX {
        transaction.set_text(raw, fingerprint.raw);
    }
}
