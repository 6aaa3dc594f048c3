//! One request with its response: what heads and bodies say, and the transactions made of it.
//! A request with credentials gives two transactions, because the log-in has a verdict of its own.

use weir_model::{Kind, Outcome, Protocol, Time, Transaction, Value};

use super::body::{Body, CHUNKED};
use super::form::{self, FormLogin};
use super::head::{Head, Start};
use super::{auth, fields};
use crate::{Sink, text};

/// Bytes of a form looked at; log-in forms have less, and large forms are no log-ins.
const FORM_BYTES_MAX: usize = 1024;

/// A request, and what has come of its response.
pub(crate) struct Exchange {
    transaction: Transaction,
    method: Method,
    /// Credentials of the head: the scheme is in the transaction.
    login: bool,
    proxy_login: bool,
    form: Form,
    request_bytes: u64,
    response_bytes: u64,
    status: Option<u16>,
}

/// Methods that change how the response is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Head,
    Connect,
    Other,
}

/// A log-in form in the request.
enum Form {
    No,
    /// The body may be one; its first bytes.
    Urlencoded(Vec<u8>),
    Json(Vec<u8>),
    /// The target was one.
    Found(FormLogin),
}

/// How a body is framed, as its head says.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
}

impl Framing {
    fn header(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"Content-Length") {
            self.length = std::str::from_utf8(value)
                .ok()
                .and_then(|digits| digits.parse().ok());
        } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
            self.chunked = value.to_ascii_lowercase().ends_with(b"chunked");
        }
    }

    /// The body; `otherwise` when the head says nothing.
    const fn body(&self, otherwise: Body) -> Body {
        match self.length {
            _ if self.chunked => CHUNKED,
            Some(0) => Body::None,
            Some(length) => Body::Length(length),
            None => otherwise,
        }
    }
}

/// What follows a response's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// A body, possibly empty.
    Body(Body),
    /// CONNECT was granted: the flow carries another protocol.
    Tunnel,
    /// The protocol changes (101).
    Upgrade,
}

impl Exchange {
    /// An exchange whose request was not seen.
    pub(crate) fn unasked(time: Time, sink: &Sink<'_>) -> Self {
        Self {
            transaction: sink.begin(Protocol::Http, Kind::Request, time),
            method: Method::Other,
            login: false,
            proxy_login: false,
            form: Form::No,
            request_bytes: 0,
            response_bytes: 0,
            status: None,
        }
    }

    /// An exchange from its request's head, and the body that follows.
    pub(crate) fn request(head: &Head<'_>, time: Time, sink: &Sink<'_>) -> (Self, Body) {
        let mut exchange = Self::unasked(time, sink);
        let Start::Request { method, uri } = head.start else {
            return (exchange, Body::None);
        };
        exchange.method = match method {
            b"HEAD" => Method::Head,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        };
        let transaction = &mut exchange.transaction;
        transaction.set_text(&fields::METHOD, text::bounded(method));
        transaction.set_text(&fields::URI, form::masked(uri));
        let mut framing = Framing::default();
        for (name, value) in head.headers() {
            framing.header(name, value);
            exchange.request_header(name, value);
        }
        if let Some(query) = memchr::memchr(b'?', uri)
            && let Some(login) = form::urlencoded(&uri[query + 1..])
        {
            exchange.form = Form::Found(login);
        }
        (exchange, framing.body(Body::None))
    }

    fn request_header(&mut self, name: &[u8], value: &[u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let transaction = &mut self.transaction;
        if is("Host") {
            transaction.set_text(&fields::HOST, text::bounded(&value.to_ascii_lowercase()));
        } else if is("User-Agent") {
            transaction.set_text(&fields::USER_AGENT, text::bounded(value));
        } else if is("Referer") {
            transaction.set_text(&fields::REFERER, form::masked(value));
        } else if is("X-Forwarded-For") {
            transaction.set_text(&fields::X_FORWARDED_FOR, text::bounded(value));
        } else if is("Cookie") {
            transaction.set(&fields::COOKIE, Value::Flag(true));
        } else if is("Content-Type") {
            transaction.set_text(&fields::REQUEST_CONTENT_TYPE, text::bounded(value));
            let kind = value.to_ascii_lowercase();
            if kind.starts_with(b"application/x-www-form-urlencoded") {
                self.form = Form::Urlencoded(Vec::new());
            } else if kind.starts_with(b"application/json") {
                self.form = Form::Json(Vec::new());
            }
        } else if is("Authorization") || is("Proxy-Authorization") {
            let auth = auth::read(value);
            transaction.set_text(&fields::AUTH, auth.scheme);
            if let Some(user) = auth.user {
                transaction.set_text(&fields::USER, user);
            }
            self.login = auth.is_login;
            self.proxy_login = is("Proxy-Authorization");
        }
    }

    /// Takes the response's head.
    pub(crate) fn respond(&mut self, head: &Head<'_>, status: u16, time: Time) -> After {
        self.transaction.end = time;
        self.status = Some(status);
        let transaction = &mut self.transaction;
        transaction.set_number(&fields::STATUS, status);
        let mut framing = Framing::default();
        for (name, value) in head.headers() {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            framing.header(name, value);
            if is("Server") {
                transaction.set_text(&fields::SERVER, text::bounded(value));
            } else if is("Content-Type") {
                transaction.set_text(&fields::CONTENT_TYPE, text::bounded(value));
            } else if is("Location") {
                transaction.set_text(&fields::LOCATION, form::masked(value));
            }
        }
        match (self.method, status) {
            (_, 101) => After::Upgrade,
            (Method::Connect, 200..=299) => After::Tunnel,
            (Method::Head, _) | (_, 100..=199 | 204 | 304) => After::Body(Body::None),
            _ => After::Body(framing.body(Body::UntilEnd)),
        }
    }

    /// Counts bytes of the request's body, and keeps the first of what may be a form.
    pub(crate) fn request_body(&mut self, content: &[u8]) {
        self.request_missing(content.len() as u64);
        if let Form::Urlencoded(kept) | Form::Json(kept) = &mut self.form {
            let room = FORM_BYTES_MAX - kept.len();
            kept.extend_from_slice(&content[..content.len().min(room)]);
        }
    }

    /// Counts bytes of the request's body that were not captured.
    pub(crate) const fn request_missing(&mut self, bytes: u64) {
        self.request_bytes = self.request_bytes.saturating_add(bytes);
    }

    /// Counts bytes of the response's body.
    pub(crate) const fn response_body(&mut self, bytes: u64, time: Time) {
        self.response_bytes = self.response_bytes.saturating_add(bytes);
        self.transaction.end = time;
    }

    /// Sends the request, and the log-in it carries.
    pub(crate) fn emit(mut self, sink: &mut Sink<'_>) {
        let form = match &self.form {
            Form::No => None,
            Form::Urlencoded(kept) => form::urlencoded(kept),
            Form::Json(kept) => form::json(kept),
            Form::Found(login) => Some(login.clone()),
        };
        self.transaction.outcome = match self.status {
            None => Outcome::Unknown,
            Some(..400) => Outcome::Accepted,
            Some(_) => Outcome::Refused,
        };
        self.transaction
            .set_number(&fields::REQUEST_BYTES, self.request_bytes);
        if self.status.is_some() {
            self.transaction
                .set_number(&fields::RESPONSE_BYTES, self.response_bytes);
        }
        let logins = [
            self.login.then(|| self.login(None)),
            form.map(|form| self.login(Some(form))),
        ];
        sink.emit(self.transaction);
        for login in logins.into_iter().flatten() {
            sink.emit(login);
        }
    }

    /// The log-in as a transaction of its own: by form, or by the credentials of the head.
    fn login(&self, form: Option<FormLogin>) -> Transaction {
        let request = &self.transaction;
        let mut login = Transaction::new(
            request.flow,
            request.key,
            Protocol::Http,
            Kind::Login,
            request.start,
        );
        login.end = request.end;
        let copied = [
            &fields::METHOD,
            &fields::HOST,
            &fields::URI,
            &fields::AUTH,
            &fields::USER,
            &fields::STATUS,
            &fields::RESPONSE_BYTES,
        ];
        for field in copied {
            if let Some(value) = request.get(field.name) {
                login.set(field, value.clone());
            }
        }
        login.outcome = match (self.status, &form) {
            (Some(407), None) if self.proxy_login => Outcome::Refused,
            (Some(401), _) | (Some(403), Some(_)) => Outcome::Refused,
            // A form that failed is often answered with the form again, and status 200.
            (Some(200..=399), None) => Outcome::Accepted,
            _ => Outcome::Unknown,
        };
        if let Some(form) = form {
            login.fields.retain(|(field, _)| field.name != fields::USER.name);
            login.set_text(&fields::AUTH, "form");
            if let Some(user) = form.user {
                login.set_text(&fields::USER, user);
            }
        }
        login
    }
}
