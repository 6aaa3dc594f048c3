//! SMTP (RFC 5321, AUTH of RFC 4954, STARTTLS of RFC 3207, BDAT of RFC 3030): log-ins and mails handed over.
//! Of a message only the subject is read; its body is scanned for the end and not kept.

mod message;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use weir_model::{Kind, Outcome, Protocol, Time, Transport, Value};

use crate::fields::fields;
use crate::lines::{self, Lines, is_one_of, reply, word};
use crate::sasl::Sasl;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text, waiting};
use message::Message;

fields! {
    HELO = text("smtp.helo", "Client name");
    USER = text("smtp.user", "User");
    AUTH = text("smtp.auth", "Authentication");
    FROM = text("smtp.from", "Sender");
    TO = texts("smtp.to", "Recipients");
    SUBJECT = text("smtp.subject", "Subject");
    BYTES = number("smtp.bytes", "Message (bytes)");
    CODE = number("smtp.code", "Reply code");
}

/// Commands without reply; pipelining (RFC 2920) sends a few recipients at once.
const WAITING_MAX: usize = 64;
/// Recipients kept of one mail; the rest says little more.
const RECIPIENTS_MAX: usize = 16;

#[derive(Debug)]
enum Action {
    Auth,
    Recipient(Box<str>),
    Data,
    /// The end of the message was sent.
    Handed,
    StartTls,
    Other,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Commands,
    /// The client answers a challenge of AUTH.
    Challenge,
    /// The client sends the message of DATA, up to a lone dot.
    Message,
    /// The client sends this many bytes of BDAT, the last ones or not.
    Chunk(u64, bool),
}

/// The mail at hand.
#[derive(Debug, Default)]
struct Mail {
    start: Time,
    from: Box<str>,
    to: Vec<Box<str>>,
    message: Message,
    /// The client began to send the message.
    sent: bool,
}

/// State of one connection.
#[derive(Default)]
pub struct Smtp {
    lines: [Lines; 2],
    /// Who sends the replies; told by the first reply, so that a capture turned round still works.
    server: Option<Side>,
    phase: Phase,
    waiting: VecDeque<Action>,
    helo: Option<Box<str>>,
    auth: Option<(Time, Sasl)>,
    mail: Option<Mail>,
}

impl Dissector for Smtp {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Smtp,
        transports: &[Transport::Tcp],
        ports: &[25, 587],
        about: "Log-ins with verdict and user, mails with sender, recipients, subject and size. STARTTLS hands over to TLS.",
        fields: ALL,
    };

    fn probe(data: &[u8], _from: Side, ports: (u16, u16)) -> Probe {
        let usual = Self::META.is_usual(ports);
        let (line, whole) = lines::first(data);
        if let Some((220 | 421 | 554, _)) = reply(line) {
            return lines::probe_greeting(line, whole, b"smtp", usual);
        }
        let (command, rest) = word(line);
        let opens = is_one_of(command, &[b"EHLO", b"HELO"]);
        match (opens && !rest.is_empty(), whole) {
            (true, true) => Probe::Match,
            (_, false) if (opens || line.len() < 4 || usual) && line.len() < 100 => Probe::NeedMore,
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => self.bytes(from, data, time, sink),
            Input::Gap { from, len, .. } => {
                self.lines[from as usize].gap();
                self.gap(from, len);
                Want::More
            }
            Input::End { time } => {
                if self.auth.is_some() {
                    self.login(Outcome::Unknown, None, time, sink);
                }
                if self.mail.as_ref().is_some_and(|mail| mail.sent) {
                    self.hand_over_mail(None, time, sink);
                }
                Want::Nothing
            }
        }
    }
}

impl Smtp {
    fn bytes(&mut self, from: Side, mut data: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        while !data.is_empty() {
            let by_client = self.server.is_some_and(|server| server != from);
            match &mut self.phase {
                Phase::Message if by_client => {
                    self.message(&mut data, sink);
                    continue;
                }
                Phase::Chunk(left, last) if by_client => {
                    let taken = data.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    let done = (*left == 0).then_some(*last);
                    self.chunk(&data[..taken], done, sink);
                    data = &data[taken..];
                    continue;
                }
                _ => {}
            }
            let Some(line) = self.lines[from as usize].next(&mut data) else {
                return Want::More;
            };
            let want = self.line(from, &line, time, sink);
            if want != Want::More {
                return want;
            }
        }
        Want::More
    }

    fn line(&mut self, from: Side, line: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        let by_client = self.server.is_some_and(|server| server != from);
        match reply(line).filter(|_| !by_client) {
            Some((code, more)) => {
                self.server = Some(from);
                if more {
                    return Want::More;
                }
                return self.reply(code, time, sink);
            }
            // Text of a reply of several lines.
            None if self.server == Some(from) => {}
            None => self.client_line(line, time, sink),
        }
        Want::More
    }

    fn message(&mut self, data: &mut &[u8], sink: &mut Sink<'_>) {
        let mail = self.mail.get_or_insert_default();
        mail.sent = true;
        if mail.message.feed(data) {
            self.phase = Phase::Commands;
            self.wait(Action::Handed, sink);
        }
    }

    fn chunk(&mut self, data: &[u8], done: Option<bool>, sink: &mut Sink<'_>) {
        let mail = self.mail.get_or_insert_default();
        mail.sent = true;
        mail.message.chunk(data);
        if let Some(last) = done {
            self.phase = Phase::Commands;
            let action = if last { Action::Handed } else { Action::Other };
            self.wait(action, sink);
        }
    }

    fn gap(&mut self, from: Side, len: u64) {
        if self.server == Some(from) {
            // Which reply belongs to which command is not known any more.
            self.waiting.clear();
        } else if let Phase::Chunk(left, _) = &mut self.phase {
            *left = left.saturating_sub(len);
        }
        if let Some(mail) = &mut self.mail {
            mail.message.gap(len);
        }
    }

    fn wait(&mut self, action: Action, sink: &mut Sink<'_>) {
        waiting::push(&mut self.waiting, action, WAITING_MAX, sink);
    }

    fn client_line(&mut self, line: &[u8], time: Time, sink: &mut Sink<'_>) {
        if let (Phase::Challenge, Some((_, sasl))) = (&self.phase, &mut self.auth) {
            sasl.response(line);
            self.phase = Phase::Commands;
            return;
        }
        let (command, rest) = word(line);
        let is = |name: &str| command.eq_ignore_ascii_case(name.as_bytes());
        let action = if is("AUTH") {
            let (mechanism, initial) = word(rest);
            self.auth = Some((time, Sasl::start(mechanism, initial)));
            Action::Auth
        } else if is("EHLO") || is("HELO") {
            self.helo = Some(text::bounded(rest));
            Action::Other
        } else if is("MAIL") {
            self.mail = Some(Mail {
                start: time,
                from: address(rest),
                ..Mail::default()
            });
            Action::Other
        } else if is("RCPT") {
            Action::Recipient(address(rest))
        } else if is("DATA") {
            self.phase = Phase::Message;
            Action::Data
        } else if is("BDAT") {
            let (size, last) = word(rest);
            let size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
            self.phase = Phase::Chunk(size.unwrap_or(0), !last.is_empty());
            if size.unwrap_or(0) > 0 {
                return;
            }
            self.chunk(&[], Some(!last.is_empty()), sink);
            return;
        } else if is("STARTTLS") {
            Action::StartTls
        } else {
            Action::Other
        };
        self.wait(action, sink);
    }

    fn reply(&mut self, code: u16, time: Time, sink: &mut Sink<'_>) -> Want {
        if code == 334 && matches!(self.waiting.front(), Some(Action::Auth)) {
            self.phase = Phase::Challenge;
            return Want::More;
        }
        match self.waiting.pop_front() {
            Some(Action::Auth) => self.login(verdict(code), Some(code), time, sink),
            Some(Action::Recipient(to)) if code < 300 => {
                if let Some(mail) = self.mail.as_mut().filter(|mail| mail.to.len() < RECIPIENTS_MAX) {
                    mail.to.push(to);
                }
            }
            Some(Action::Data) if code == 354 => {}
            Some(Action::Data) => {
                self.phase = Phase::Commands;
                self.hand_over_mail(Some(code), time, sink);
            }
            Some(Action::Handed) => self.hand_over_mail(Some(code), time, sink),
            Some(Action::StartTls) if code == 220 => return Want::HandOver(Protocol::Tls),
            // The end of the message was lost, but the server has seen it.
            None if matches!(self.phase, Phase::Message) && code != 354 => {
                self.phase = Phase::Commands;
                self.hand_over_mail(Some(code), time, sink);
            }
            _ => {}
        }
        Want::More
    }

    fn login(&mut self, outcome: Outcome, code: Option<u16>, time: Time, sink: &mut Sink<'_>) {
        self.phase = Phase::Commands;
        let Some((start, sasl)) = self.auth.take() else {
            return;
        };
        let mut login = sink.begin(Protocol::Smtp, Kind::Login, start);
        login.end = time;
        login.outcome = outcome;
        sasl.set(&mut login, &USER, &AUTH);
        if let Some(code) = code {
            login.set_number(&CODE, code);
        }
        sink.emit(login);
    }

    fn hand_over_mail(&mut self, code: Option<u16>, time: Time, sink: &mut Sink<'_>) {
        let Some(mail) = self.mail.take() else { return };
        let mut sent = sink.begin(Protocol::Smtp, Kind::Mail, mail.start);
        sent.end = time;
        sent.outcome = match code {
            Some(200..300) => Outcome::Accepted,
            Some(400..) => Outcome::Refused,
            _ => Outcome::Unknown,
        };
        if let Some(helo) = &self.helo {
            sent.set_text(&HELO, helo.clone());
        }
        sent.set_text(&FROM, mail.from);
        if !mail.to.is_empty() {
            sent.set(&TO, Value::Texts(mail.to));
        }
        if let Some(subject) = mail.message.subject() {
            sent.set_text(&SUBJECT, text::bounded(subject));
        }
        sent.set_number(&BYTES, mail.message.bytes());
        if let Some(code) = code {
            sent.set_number(&CODE, code);
        }
        sink.emit(sent);
    }
}

/// The address of `FROM:<a@example.org> SIZE=1`, with or without brackets.
fn address(rest: &[u8]) -> Box<str> {
    let after = rest
        .iter()
        .position(|&byte| byte == b':')
        .map_or(rest, |at| &rest[at + 1..]);
    let (first, _) = word(after.trim_ascii_start());
    let bare = first.strip_prefix(b"<").unwrap_or(first);
    text::bounded(bare.strip_suffix(b">").unwrap_or(bare))
}

/// 235 is in; other 5xx refuse, but 500 to 504 judge the command, and 4xx the server's mood.
const fn verdict(code: u16) -> Outcome {
    match code {
        235 => Outcome::Accepted,
        505..=599 => Outcome::Refused,
        _ => Outcome::Unknown,
    }
}
