//! POP3 (RFC 1939, AUTH of RFC 5034, STLS of RFC 2595): log-ins by USER and PASS, APOP or AUTH with their verdict.
//! After a good log-in nothing more is wanted; passwords are never stored.

use std::collections::VecDeque;

use weir_model::{Kind, Outcome, Protocol, Time, Transport};

use crate::fields::fields;
use crate::lines::{self, Lines, is_one_of, word};
use crate::sasl::Sasl;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text, waiting};

fields! {
    USER = text("pop3.user", "User");
    AUTH = text("pop3.auth", "Authentication");
    REPLY = text("pop3.reply", "Reply");
}

/// Commands without reply; pipelining clients send a few.
const WAITING_MAX: usize = 32;

#[derive(Debug)]
enum Action {
    User(Time, Box<str>),
    Pass,
    /// APOP or AUTH.
    Login(Time, Sasl),
    Stls,
    Other,
}

/// State of one connection.
#[derive(Default)]
pub struct Pop3 {
    lines: [Lines; 2],
    /// Who sends the replies; told by the first reply, so that a capture turned round still works.
    server: Option<Side>,
    greeted: bool,
    waiting: VecDeque<Action>,
    user: Option<(Time, Box<str>)>,
    challenged: bool,
}

impl Dissector for Pop3 {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Pop3,
        transports: &[Transport::Tcp],
        ports: &[110],
        about: "Log-ins with verdict and user. Mails are not followed; STLS hands over to TLS.",
        fields: ALL,
    };

    fn probe(data: &[u8], _from: Side, ports: (u16, u16)) -> Probe {
        const GREETING: &[u8] = b"+OK";
        let usual = Self::META.is_usual(ports);
        if data.starts_with(GREETING) {
            // Others say "+OK" too (Redis): away from the usual port the greeting must speak of POP or carry APOP's stamp.
            let (line, whole) = lines::first(data);
            let says_pop =
                memchr::memmem::find(&line.to_ascii_lowercase(), b"pop").is_some() || line.contains(&b'<');
            return match (usual || says_pop, whole) {
                (true, _) => Probe::Match,
                (false, false) => Probe::NeedMore,
                (false, true) => Probe::NoMatch,
            };
        }
        let (command, _) = word(data);
        match is_one_of(command, &[b"USER", b"APOP", b"AUTH", b"CAPA", b"STLS", b"-ERR"]) {
            true if usual => Probe::Match,
            _ if GREETING.starts_with(data) || (usual && data.len() < 5) => Probe::NeedMore,
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, mut data } => {
                while let Some(line) = self.lines[from as usize].next(&mut data) {
                    let want = self.line(from, &line, time, sink);
                    if want != Want::More {
                        return want;
                    }
                }
                Want::More
            }
            Input::Gap { from, .. } => {
                self.lines[from as usize].gap();
                // Which reply belongs to which command is not known any more.
                self.waiting.clear();
                Want::More
            }
            Input::End { time } => {
                let user = self.user.take().map(|(start, user)| (start, plain(user)));
                for action in std::mem::take(&mut self.waiting) {
                    match action {
                        Action::Pass => {
                            if let Some((start, sasl)) = user {
                                send(start, sasl, Outcome::Unknown, None, time, sink);
                            }
                            break;
                        }
                        Action::Login(start, sasl) => send(start, sasl, Outcome::Unknown, None, time, sink),
                        _ => {}
                    }
                }
                Want::Nothing
            }
        }
    }
}

impl Pop3 {
    fn line(&mut self, from: Side, line: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        let (first, rest) = word(line);
        let by_client = self.server.is_some_and(|server| server != from);
        match first {
            b"+OK" | b"-ERR" if !by_client => {
                self.server = Some(from);
                self.reply(first == b"+OK", rest, time, sink)
            }
            b"+" if !by_client => {
                self.challenged = true;
                Want::More
            }
            // Lines of a listing.
            _ if self.server == Some(from) => Want::More,
            _ => {
                self.client_line(line, time, sink);
                Want::More
            }
        }
    }

    fn client_line(&mut self, line: &[u8], time: Time, sink: &mut Sink<'_>) {
        if std::mem::take(&mut self.challenged)
            && let Some(Action::Login(_, sasl)) = self.waiting.front_mut()
        {
            sasl.response(line);
            return;
        }
        let (command, rest) = word(line);
        let is = |name: &str| command.eq_ignore_ascii_case(name.as_bytes());
        let action = if is("USER") {
            Action::User(time, text::bounded(rest))
        } else if is("PASS") {
            Action::Pass
        } else if is("APOP") {
            let sasl = Sasl {
                mechanism: "APOP".into(),
                user: Some(text::bounded(word(rest).0)),
            };
            Action::Login(time, sasl)
        } else if is("AUTH") && !rest.is_empty() {
            let (mechanism, initial) = word(rest);
            Action::Login(time, Sasl::start(mechanism, initial))
        } else if is("STLS") {
            Action::Stls
        } else {
            Action::Other
        };
        waiting::push(&mut self.waiting, action, WAITING_MAX, sink);
    }

    fn reply(&mut self, ok: bool, said: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        if !std::mem::replace(&mut self.greeted, true) && self.waiting.is_empty() {
            return Want::More;
        }
        let (start, sasl) = match self.waiting.pop_front() {
            Some(Action::User(start, user)) if ok => {
                self.user = Some((start, user));
                return Want::More;
            }
            Some(Action::User(start, user)) => (start, plain(user)),
            Some(Action::Pass) => match self.user.take() {
                Some((start, user)) => (start, plain(user)),
                None => return Want::More,
            },
            Some(Action::Login(start, sasl)) => (start, sasl),
            Some(Action::Stls) if ok => return Want::HandOver(Protocol::Tls),
            _ => return Want::More,
        };
        let outcome = match ok {
            true => Outcome::Accepted,
            false if blames_server(said) => Outcome::Unknown,
            false => Outcome::Refused,
        };
        send(start, sasl, outcome, Some(said), time, sink);
        if ok { Want::Nothing } else { Want::More }
    }
}

fn plain(user: Box<str>) -> Sasl {
    Sasl {
        mechanism: "USER".into(),
        user: Some(user),
    }
}

fn send(start: Time, sasl: Sasl, outcome: Outcome, said: Option<&[u8]>, time: Time, sink: &mut Sink<'_>) {
    let mut login = sink.begin(Protocol::Pop3, Kind::Login, start);
    login.end = time;
    login.outcome = outcome;
    sasl.set(&mut login, &USER, &AUTH);
    if let Some(said) = said.filter(|said| !said.is_empty()) {
        login.set_text(&REPLY, text::bounded(said));
    }
    sink.emit(login);
}

/// Response codes (RFC 2449 8, RFC 3206) that say nothing of the credentials.
fn blames_server(said: &[u8]) -> bool {
    [&b"[IN-USE]"[..], b"[LOGIN-DELAY]", b"[SYS/"]
        .iter()
        .any(|code| said.starts_with(code))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, render, turns};

    #[test]
    fn logins() {
        check::<Pop3>(
            "S: +OK POP3 ready
             C: CAPA
             S: +OK list follows
             S: USER
             S: .
             C: USER kim
             S: +OK
             C: PASS wrong
             S: -ERR [AUTH] invalid
             C: USER eve
             S: -ERR no such user
             C: AUTH PLAIN
             S: +
             C: AGtpbQBzZWNyZXQ=
             S: -ERR [SYS/TEMP] later
             C: APOP kim c4c9334bac560ecc979e58001b3e22fb
             S: +OK maildrop has 1 message
             C: LIST",
            &expect![[r#"
                login refused 3s
                  pop3.user kim
                  pop3.auth USER
                  pop3.reply [AUTH] invalid
                login refused 1s
                  pop3.user eve
                  pop3.auth USER
                  pop3.reply no such user
                login unknown 3s
                  pop3.user kim
                  pop3.auth PLAIN
                  pop3.reply [SYS/TEMP] later
                login accepted 1s
                  pop3.user kim
                  pop3.auth APOP
                  pop3.reply maildrop has 1 message
                want Nothing
            "#]],
        );
    }

    #[test]
    fn probes() {
        let probe = |data: &[u8], port| Pop3::probe(data, Side::Responder, (port, 40000));
        assert_eq!(probe(b"+OK\r\n", 110), Probe::Match);
        assert_eq!(probe(b"+OK\r\n", 6379), Probe::NoMatch);
        assert_eq!(probe(b"+OK POP3 ready\r\n", 1110), Probe::Match);
    }

    #[test]
    fn no_verdict() {
        check::<Pop3>(
            "C: USER kim\nS: +OK\nC: PASS x",
            &expect![[r#"
            login unknown 3s
              pop3.user kim
              pop3.auth USER
            want Nothing
        "#]],
        );
    }

    #[test]
    fn tls_is_handed_over() {
        let text = render::<Pop3>(&turns("S: +OK hi\nC: STLS\nS: +OK go"));
        expect!["want HandOver(Tls)\n"].assert_eq(&text);
    }
}
