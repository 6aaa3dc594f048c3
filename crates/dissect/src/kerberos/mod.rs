//! Kerberos 5 (RFC 4120) over UDP and TCP: tickets asked for, and log-ins with the verdict of the key distribution centre.
//! An exchange is one request and its answer on the same flow; requests sent again are known by their nonce.

mod codes;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use kerberos_parser::krb5::{KdcRep, KdcReq, KrbError, PrincipalName};
use kerberos_parser::krb5_parser::{parse_as_rep, parse_as_req, parse_tgs_rep, parse_tgs_req};
use weir_model::{Anomaly, Kind, Outcome, Protocol, Time, Transaction, Transport, Value, proto};

// One asn1-rs serves both parsers; this is the one name of it the workspace can reach.
use x509_parser::asn1_rs::FromDer;

use crate::fields::fields;
use crate::pending::Pending;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text, waiting};

fields! {
    REQUEST = text("krb.request", "Request");
    CLIENT = text("krb.client", "Client");
    REALM = text("krb.realm", "Realm");
    SERVICE = text("krb.service", "Service");
    PREAUTH = flag("krb.preauth", "Pre-authenticated");
    ERROR = number("krb.error", "Error");
    ERROR_NAME = text("krb.error_name", "Error name");
    CIPHER = text("krb.cipher", "Cipher of the ticket");
    CIPHERS = texts("krb.ciphers", "Ciphers offered");
}

/// Longest message over TCP: tickets with many groups reach some ten KiB.
const MESSAGE_MAX: usize = 32 * 1024;
/// Length in front of each message over TCP, RFC 4120 7.2.2.
const RECORD: usize = 4;
/// Requests without answer on one flow; clients wait for each.
const WAITING_MAX: usize = 16;
/// Ciphers kept of one request; clients offer up to eight.
const CIPHERS_MAX: usize = 16;

/// First byte of a message: its application tag.
const AS_REQ: u8 = 0x6a;
const AS_REP: u8 = 0x6b;
const TGS_REQ: u8 = 0x6c;
const TGS_REP: u8 = 0x6d;
const KRB_ERROR: u8 = 0x7e;
/// PA-ENC-TIMESTAMP (RFC 4120 5.2.7.2), PA-PK-AS-REQ (RFC 4556), PA-ENCRYPTED-CHALLENGE (RFC 6113): proofs of identity.
const PROOFS: [i32; 3] = [2, 16, 138];

/// A request as its answer needs it.
#[derive(Debug, Default)]
struct Request {
    start: Time,
    /// For a service (TGS) or to log in (AS)?
    for_service: bool,
    client: Option<Box<str>>,
    realm: Box<str>,
    service: Option<Box<str>>,
    ciphers: Vec<Box<str>>,
    nonce: u32,
    preauth: bool,
}

/// State of one flow.
#[derive(Default)]
pub struct Kerberos {
    held: [Pending; 2],
    waiting: VecDeque<Request>,
}

impl Dissector for Kerberos {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Kerberos,
        transports: &[Transport::Udp, Transport::Tcp],
        ports: &[88],
        about: "Tickets asked for, with client, service, ciphers and errors; log-ins with verdict. Service log-ins inside other \
                protocols are not seen.",
        fields: ALL,
    };

    fn probe(data: &[u8], _from: Side, _ports: (u16, u16)) -> Probe {
        let message = match data {
            [AS_REQ..=TGS_REP | KRB_ERROR, ..] => data,
            [0, 0, _, _] => return Probe::NeedMore,
            [0, 0, _, _, rest @ ..] => rest,
            [] | [0] | [0, 0] | [0, 0, _] => return Probe::NeedMore,
            _ => return Probe::NoMatch,
        };
        // Application tag, length, sequence: enough to tell it from anything else.
        match message {
            [AS_REQ..=TGS_REP | KRB_ERROR, 0x82, _, _, 0x30, ..] => Probe::Match,
            [AS_REQ..=TGS_REP | KRB_ERROR, 0x81, _, 0x30, ..] => Probe::Match,
            [AS_REQ..=TGS_REP | KRB_ERROR, 0..=0x7f, 0x30, ..] => Probe::Match,
            [AS_REQ..=TGS_REP | KRB_ERROR, rest @ ..] if rest.len() < 4 => Probe::NeedMore,
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { time, data, .. } if sink.key.proto == proto::UDP => {
                self.message(data, time, sink);
                Want::More
            }
            Input::Bytes { from, time, data } => {
                let mut held = std::mem::take(&mut self.held[from as usize]);
                let mut too_long = false;
                let fed = held.feed(data, MESSAGE_MAX + RECORD, |bytes| {
                    let mut used = 0;
                    while let Some(header) = bytes[used..].first_chunk::<RECORD>() {
                        let len = u32::from_be_bytes(*header) as usize;
                        too_long |= len > MESSAGE_MAX;
                        let Some(message) =
                            bytes.get(used + RECORD..used + RECORD + len.min(MESSAGE_MAX + 1))
                        else {
                            break;
                        };
                        self.message(message, time, sink);
                        used += RECORD + message.len();
                    }
                    used
                });
                self.held[from as usize] = held;
                if too_long || fed.is_err() {
                    sink.odd(Anomaly::ProtocolError);
                    return self.finish(time, sink);
                }
                Want::More
            }
            Input::Gap { time, .. } | Input::End { time } => self.finish(time, sink),
        }
    }
}

impl Kerberos {
    fn message(&mut self, message: &[u8], time: Time, sink: &mut Sink<'_>) {
        let read = match message.first() {
            Some(&AS_REQ) => parse_as_req(message)
                .map(|(_, request)| self.ask(&request, false, time, sink))
                .ok(),
            Some(&TGS_REQ) => parse_tgs_req(message)
                .map(|(_, request)| self.ask(&request, true, time, sink))
                .ok(),
            Some(&AS_REP) => parse_as_rep(message)
                .map(|(_, reply)| self.grant(&reply, false, time, sink))
                .ok(),
            Some(&TGS_REP) => parse_tgs_rep(message)
                .map(|(_, reply)| self.grant(&reply, true, time, sink))
                .ok(),
            Some(&KRB_ERROR) => KrbError::from_der(message)
                .map(|(_, error)| self.refuse(&error, time, sink))
                .ok(),
            // Password changes and safe messages travel on other ports.
            _ => None,
        };
        if read.is_none() {
            sink.odd(Anomaly::ProtocolError);
        }
    }

    fn ask(&mut self, asked: &KdcReq<'_>, for_service: bool, start: Time, sink: &mut Sink<'_>) {
        let body = &asked.req_body;
        if self
            .waiting
            .iter()
            .any(|known| known.nonce == body.nonce && known.for_service == for_service)
        {
            return;
        }
        let ciphers = body.etype.iter().take(CIPHERS_MAX);
        let request = Request {
            start,
            for_service,
            client: body.cname.as_ref().map(name),
            realm: text::bounded(body.realm.0.as_bytes()),
            service: body.sname.as_ref().map(name),
            ciphers: ciphers.map(|etype| codes::cipher(etype.0).into()).collect(),
            nonce: body.nonce,
            preauth: asked
                .padata
                .iter()
                .any(|data| PROOFS.contains(&data.padata_type.0)),
        };
        if let Some(oldest) = waiting::push(&mut self.waiting, request, WAITING_MAX, sink) {
            send(&oldest, Kind::Ticket, Outcome::Unknown, start, sink, |_| {});
        }
    }

    /// The request an answer belongs to: the oldest of its kind. Without one, the answer stands alone.
    fn asked(&mut self, for_service: Option<bool>, time: Time) -> Option<Request> {
        let fits = |request: &Request| for_service.is_none_or(|wanted| request.for_service == wanted);
        match self.waiting.iter().position(fits) {
            Some(index) => self.waiting.remove(index),
            None => for_service.map(|for_service| Request {
                start: time,
                for_service,
                ..Request::default()
            }),
        }
    }

    fn grant(&mut self, reply: &KdcRep<'_>, for_service: bool, time: Time, sink: &mut Sink<'_>) {
        let Some(mut request) = self.asked(Some(for_service), time) else {
            return;
        };
        request.client = Some(name(&reply.cname));
        request.service = Some(name(&reply.ticket.sname));
        request.realm = text::bounded(reply.crealm.0.as_bytes());
        let cipher = codes::cipher(reply.ticket.enc_part.etype.0);
        send(&request, Kind::Ticket, Outcome::Accepted, time, sink, |ticket| {
            ticket.set_text(&CIPHER, cipher);
        });
        if !for_service {
            send(&request, Kind::Login, Outcome::Accepted, time, sink, |_| {});
        }
    }

    fn refuse(&mut self, error: &KrbError<'_>, time: Time, sink: &mut Sink<'_>) {
        let Some(mut request) = self.asked(None, time) else {
            return;
        };
        if request.client.is_none() {
            request.client = error.cname.as_ref().map(name);
        }
        let code = error.error_code.0;
        let set_error = |transaction: &mut Transaction| {
            transaction.set_number(&ERROR, u64::try_from(code).unwrap_or(0));
            if let Some(name) = codes::error(code) {
                transaction.set_text(&ERROR_NAME, name);
            }
        };
        send(
            &request,
            Kind::Ticket,
            codes::ticket_verdict(code),
            time,
            sink,
            set_error,
        );
        let verdict = codes::login_verdict(code);
        if !request.for_service && verdict != Outcome::Unknown {
            send(&request, Kind::Login, verdict, time, sink, set_error);
        }
    }

    fn finish(&mut self, time: Time, sink: &mut Sink<'_>) -> Want {
        for request in std::mem::take(&mut self.waiting) {
            send(&request, Kind::Ticket, Outcome::Unknown, time, sink, |_| {});
            // Only a request with a proof is an attempt; the first one usually asks what proof is wanted.
            if request.preauth && !request.for_service {
                send(&request, Kind::Login, Outcome::Unknown, time, sink, |_| {});
            }
        }
        Want::Nothing
    }
}

fn send(
    request: &Request,
    kind: Kind,
    outcome: Outcome,
    end: Time,
    sink: &mut Sink<'_>,
    more: impl FnOnce(&mut Transaction),
) {
    let mut sent = sink.begin(Protocol::Kerberos, kind, request.start);
    (sent.end, sent.outcome) = (end, outcome);
    sent.set_text(&REQUEST, if request.for_service { "TGS" } else { "AS" });
    if let Some(client) = &request.client {
        sent.set_text(&CLIENT, client.clone());
    }
    if !request.realm.is_empty() {
        sent.set_text(&REALM, request.realm.clone());
    }
    if let Some(service) = &request.service {
        sent.set_text(&SERVICE, service.clone());
    }
    if !request.for_service {
        sent.set(&PREAUTH, Value::Flag(request.preauth));
    }
    if !request.ciphers.is_empty() {
        sent.set(&CIPHERS, Value::Texts(request.ciphers.clone()));
    }
    more(&mut sent);
    sink.emit(sent);
}

fn name(principal: &PrincipalName) -> Box<str> {
    text::bounded(principal.to_string().as_bytes())
}
