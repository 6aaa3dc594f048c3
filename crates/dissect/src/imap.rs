//! IMAP (RFC 9051): log-ins by LOGIN and AUTHENTICATE with the verdict of their tagged reply.
//! After a good log-in or STARTTLS nothing more is wanted; passwords are never stored.

use std::collections::VecDeque;

use weir_model::{Kind, Outcome, Protocol, Time, Transport};

use crate::fields::fields;
use crate::lines::{Lines, is_one_of, word};
use crate::sasl::Sasl;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text, waiting};

fields! {
    USER = text("imap.user", "User");
    AUTH = text("imap.auth", "Authentication");
    REPLY = text("imap.reply", "Reply");
}

/// Log-ins and STARTTLS without reply; clients wait for each.
const WAITING_MAX: usize = 16;
/// Longest tag kept; clients use up to ten letters.
const TAG_MAX: usize = 32;

#[derive(Debug)]
struct Waiting {
    tag: Box<[u8]>,
    start: Time,
    what: What,
}

#[derive(Debug)]
enum What {
    Login(Sasl),
    StartTls,
}

/// What the client's next line is, when it is no command.
#[derive(Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Command,
    /// A literal with the user's name of this length, then the password.
    UserLiteral(usize),
    /// A literal with the password.
    Password,
    /// An answer to a challenge of AUTHENTICATE.
    Response,
}

/// State of one connection.
#[derive(Default)]
pub struct Imap {
    lines: [Lines; 2],
    waiting: VecDeque<Waiting>,
    next: Next,
}

impl Dissector for Imap {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Imap,
        transports: &[Transport::Tcp],
        ports: &[143],
        about: "Log-ins with verdict and user. Mailboxes and mails are not followed; STARTTLS hands over to TLS.",
        fields: ALL,
    };

    fn probe(data: &[u8], _from: Side, ports: (u16, u16)) -> Probe {
        const GREETINGS: [&[u8]; 3] = [b"* OK", b"* PREAUTH", b"* BYE"];
        if GREETINGS.iter().any(|greeting| data.starts_with(greeting)) {
            return Probe::Match;
        }
        if GREETINGS.iter().any(|greeting| greeting.starts_with(data)) {
            return Probe::NeedMore;
        }
        let (_, rest) = word(data);
        let (command, _) = word(rest);
        let usual = Self::META.is_usual(ports);
        match is_one_of(command, &[b"LOGIN", b"CAPABILITY", b"AUTHENTICATE", b"STARTTLS"]) {
            true if usual => Probe::Match,
            _ if usual && data.len() < TAG_MAX && data.is_ascii() => Probe::NeedMore,
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, mut data } => {
                while let Some(line) = self.lines[from as usize].next(&mut data) {
                    let want = self.line(&line, time, sink);
                    if want != Want::More {
                        return want;
                    }
                }
                Want::More
            }
            Input::Gap { from, .. } => {
                self.lines[from as usize].gap();
                self.next = Next::Command;
                Want::More
            }
            Input::End { time } => {
                while let Some(waiting) = self.waiting.pop_front() {
                    send(waiting, Outcome::Unknown, None, time, sink);
                }
                Want::Nothing
            }
        }
    }
}

impl Imap {
    /// A line of either side: replies are told by their shape, since tags are the client's choice.
    fn line(&mut self, line: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        let (tag, rest) = word(line);
        match tag {
            // Sides are not trusted: a challenge is what begins with a plus.
            b"+" => Want::More,
            b"*" if rest.len() >= 7 && rest[..7].eq_ignore_ascii_case(b"PREAUTH") => Want::Nothing,
            b"*" => Want::More,
            _ => match self.waiting.iter().position(|waiting| *waiting.tag == *tag) {
                Some(index) if is_status(rest) => self.reply(index, rest, time, sink),
                _ => {
                    self.client_line(line, time, sink);
                    Want::More
                }
            },
        }
    }

    fn reply(&mut self, index: usize, rest: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        self.next = Next::Command;
        let Some(waiting) = self.waiting.remove(index) else {
            return Want::More;
        };
        let (status, said) = word(rest);
        let ok = status.eq_ignore_ascii_case(b"OK");
        if matches!(waiting.what, What::StartTls) {
            return if ok {
                Want::HandOver(Protocol::Tls)
            } else {
                Want::More
            };
        }
        let outcome = match ok {
            true => Outcome::Accepted,
            // BAD judges the command; UNAVAILABLE and the like (RFC 5530) the server.
            false if status.eq_ignore_ascii_case(b"NO") && !blames_server(said) => Outcome::Refused,
            false => Outcome::Unknown,
        };
        send(waiting, outcome, Some(rest), time, sink);
        if ok { Want::Nothing } else { Want::More }
    }

    fn client_line(&mut self, line: &[u8], time: Time, sink: &mut Sink<'_>) {
        let sasl = match self.waiting.back_mut() {
            Some(Waiting {
                what: What::Login(sasl),
                ..
            }) => Some(sasl),
            _ => None,
        };
        match (std::mem::take(&mut self.next), sasl) {
            (Next::UserLiteral(len), Some(sasl)) => {
                sasl.user = Some(text::bounded(&line[..line.len().min(len)]));
                if literal(line).is_some() {
                    self.next = Next::Password;
                }
            }
            (Next::Response, Some(sasl)) => {
                sasl.response(line);
                self.next = Next::Response;
            }
            (Next::Password, _) => {}
            _ => self.command(line, time, sink),
        }
    }

    fn command(&mut self, line: &[u8], time: Time, sink: &mut Sink<'_>) {
        let (tag, rest) = word(line);
        let (command, arguments) = word(rest);
        let what = if command.eq_ignore_ascii_case(b"LOGIN") {
            let (user, password) = astring(arguments);
            match literal(arguments) {
                Some(len) if user.is_none() => self.next = Next::UserLiteral(len),
                Some(_) if literal(password).is_some() => self.next = Next::Password,
                _ => {}
            }
            What::Login(Sasl {
                mechanism: "LOGIN".into(),
                user,
            })
        } else if command.eq_ignore_ascii_case(b"AUTHENTICATE") {
            let (mechanism, initial) = word(arguments);
            self.next = Next::Response;
            What::Login(Sasl::start(mechanism, initial))
        } else if command.eq_ignore_ascii_case(b"STARTTLS") {
            What::StartTls
        } else {
            return;
        };
        if tag.is_empty() || tag.len() > TAG_MAX {
            return;
        }
        let waiting = Waiting {
            tag: tag.into(),
            start: time,
            what,
        };
        waiting::push(&mut self.waiting, waiting, WAITING_MAX, sink);
    }
}

fn send(waiting: Waiting, outcome: Outcome, reply: Option<&[u8]>, time: Time, sink: &mut Sink<'_>) {
    let What::Login(sasl) = waiting.what else { return };
    let mut login = sink.begin(Protocol::Imap, Kind::Login, waiting.start);
    login.end = time;
    login.outcome = outcome;
    sasl.set(&mut login, &USER, &AUTH);
    if let Some(reply) = reply {
        login.set_text(&REPLY, text::bounded(reply));
    }
    sink.emit(login);
}

fn is_status(rest: &[u8]) -> bool {
    is_one_of(word(rest).0, &[b"OK", b"NO", b"BAD"])
}

fn blames_server(said: &[u8]) -> bool {
    [
        &b"[UNAVAILABLE]"[..],
        b"[INUSE]",
        b"[SERVERBUG]",
        b"[LIMIT]",
        b"[PRIVACYREQUIRED]",
    ]
    .iter()
    .any(|code| said.len() >= code.len() && said[..code.len()].eq_ignore_ascii_case(code))
}

/// The first argument, plain or quoted, and what follows; none when it is a literal.
fn astring(arguments: &[u8]) -> (Option<Box<str>>, &[u8]) {
    if let Some(quoted) = arguments.strip_prefix(b"\"") {
        let end = memchr::memchr(b'"', quoted).unwrap_or(quoted.len());
        return (
            Some(text::bounded(&quoted[..end])),
            quoted.get(end + 1..).unwrap_or_default(),
        );
    }
    let (first, rest) = word(arguments);
    let plain = (!first.is_empty() && !first.starts_with(b"{")).then(|| text::bounded(first));
    (plain, rest)
}

/// Length of the literal a line ends with: `{3}` or `{3+}` (RFC 7888).
fn literal(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', inner)?;
    let digits = &inner[open + 1..];
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, render, turns};

    #[test]
    fn logins() {
        check::<Imap>(
            "S: * OK [CAPABILITY IMAP4rev1] ready
             C: a1 CAPABILITY
             S: * CAPABILITY IMAP4rev1
             S: a1 OK done
             C: a2 LOGIN \"kim\" wrong
             S: a2 NO [AUTHENTICATIONFAILED] no
             C: a3 LOGIN {3}
             S: + go on
             C: eve {6}
             S: + go on
             C: secret
             S: a3 NO [UNAVAILABLE] later
             C: a4 AUTHENTICATE PLAIN
             S: +
             C: AGtpbQBzZWNyZXQ=
             S: a4 OK welcome
             C: a5 SELECT inbox",
            &expect![[r#"
                login refused 1s
                  imap.user kim
                  imap.auth LOGIN
                  imap.reply NO [AUTHENTICATIONFAILED] no
                login unknown 5s
                  imap.user eve
                  imap.auth LOGIN
                  imap.reply NO [UNAVAILABLE] later
                login accepted 3s
                  imap.user kim
                  imap.auth PLAIN
                  imap.reply OK welcome
                want Nothing
            "#]],
        );
    }

    #[test]
    fn tls_is_handed_over() {
        let text = render::<Imap>(&turns("S: * OK hi\nC: . STARTTLS\nS: . OK go"));
        expect!["want HandOver(Tls)\n"].assert_eq(&text);
    }

    #[test]
    fn no_verdict() {
        check::<Imap>(
            "C: a LOGIN kim x",
            &expect![[r#"
            login unknown 1s
              imap.user kim
              imap.auth LOGIN
            want Nothing
        "#]],
        );
    }
}
