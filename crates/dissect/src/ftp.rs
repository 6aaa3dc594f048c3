//! FTP control connections (RFC 959, AUTH TLS of RFC 4217): log-ins with their verdict, transfers with their result.
//! Passwords are never stored; data connections are flows of their own and not followed.

use std::collections::VecDeque;

use weir_model::{Kind, Outcome, Protocol, Time, Transport};

use crate::fields::fields;
use crate::lines::{self, Lines, is_one_of, reply, word};
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text, waiting};

fields! {
    SERVER = text("ftp.server", "Server greeting");
    USER = text("ftp.user", "User");
    COMMAND = text("ftp.command", "Command");
    FILE = text("ftp.file", "File");
    CODE = number("ftp.code", "Reply code");
}

/// Commands without final reply; clients wait for each, only attackers send more.
const WAITING_MAX: usize = 32;

/// Commands that name a file and move, list or change it.
const FILE_COMMANDS: &[&str] = &[
    "RETR", "STOR", "STOU", "APPE", "DELE", "RNFR", "RNTO", "MKD", "RMD", "LIST", "NLST", "MLSD",
];

/// What a waiting command will become when its reply comes.
#[derive(Debug)]
enum Action {
    User(Box<str>),
    Pass,
    File(&'static str, Box<str>),
    AuthTls,
    Other,
}

/// State of one control connection.
#[derive(Default)]
pub struct Ftp {
    lines: [Lines; 2],
    /// Who sends the replies; told by the first reply, so that a capture turned round still works.
    server: Option<Side>,
    greeting: Option<Box<str>>,
    greeted: bool,
    waiting: VecDeque<(Time, Action)>,
    user: Option<(Time, Box<str>)>,
    logged_in: Option<Box<str>>,
}

impl Dissector for Ftp {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Ftp,
        transports: &[Transport::Tcp],
        ports: &[21],
        about: "Log-ins with verdict, files transferred, deleted, renamed. Data connections are not followed; AUTH TLS \
                hands over to TLS.",
        fields: ALL,
    };

    fn probe(data: &[u8], _from: Side, ports: (u16, u16)) -> Probe {
        let usual = Self::META.is_usual(ports);
        let (line, whole) = lines::first(data);
        if let Some((120 | 220 | 230 | 331 | 421 | 530, _)) = reply(line) {
            return lines::probe_greeting(line, whole, b"ftp", usual);
        }
        let (command, rest) = word(line);
        match is_one_of(command, &[b"USER", b"AUTH", b"FEAT", b"PASS"]) {
            // POP3 begins with USER too: away from the usual port its replies decide.
            true if whole && usual && (!rest.is_empty() || command.eq_ignore_ascii_case(b"FEAT")) => {
                Probe::Match
            }
            _ if !whole && usual && data.len() < 64 => Probe::NeedMore,
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
                if let Some((start, user)) = self.user.take()
                    && self
                        .waiting
                        .iter()
                        .any(|(_, action)| matches!(action, Action::Pass))
                {
                    self.login(start, user, Outcome::Unknown, None, time, sink);
                }
                Want::Nothing
            }
        }
    }
}

impl Ftp {
    fn line(&mut self, from: Side, line: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        let by_client = self.server.is_some_and(|server| server != from);
        match reply(line).filter(|_| !by_client) {
            Some((code, more)) => {
                self.server = Some(from);
                if more {
                    return Want::More;
                }
                return self.reply(code, line, time, sink);
            }
            // Text of a reply of several lines.
            None if self.server == Some(from) => {}
            None => self.command(line, time, sink),
        }
        Want::More
    }

    fn command(&mut self, line: &[u8], time: Time, sink: &mut Sink<'_>) {
        let (command, rest) = word(line);
        let is = |name: &str| command.eq_ignore_ascii_case(name.as_bytes());
        if command.is_empty() || command.len() > 8 || !command.iter().all(u8::is_ascii_alphabetic) {
            // Telnet codes in front of ABOR, or no command at all.
            return;
        }
        let action = match FILE_COMMANDS.iter().find(|name| is(name)) {
            Some(name) => Action::File(name, text::bounded(rest)),
            None if is("USER") => Action::User(text::bounded(rest)),
            None if is("PASS") => Action::Pass,
            None if is("AUTH") => Action::AuthTls,
            None => Action::Other,
        };
        waiting::push(&mut self.waiting, (time, action), WAITING_MAX, sink);
    }

    fn reply(&mut self, code: u16, line: &[u8], time: Time, sink: &mut Sink<'_>) -> Want {
        if !self.greeted && self.waiting.is_empty() {
            self.greeted = true;
            self.greeting = Some(text::bounded(line.get(4..).unwrap_or_default()));
            return Want::More;
        }
        // A mark (1xx) is followed by the final reply of the same command.
        if code < 200 {
            return Want::More;
        }
        let Some((start, action)) = self.waiting.pop_front() else {
            return Want::More;
        };
        match action {
            Action::User(user) => match verdict(code) {
                Outcome::Unknown => self.user = Some((start, user)),
                outcome => self.login(start, user, outcome, Some(code), time, sink),
            },
            Action::Pass => {
                if let Some((start, user)) = self.user.take() {
                    self.login(start, user, verdict(code), Some(code), time, sink);
                }
            }
            Action::File(command, name) => self.file((start, command, name), code, time, sink),
            Action::AuthTls if code == 234 => return Want::HandOver(Protocol::Tls),
            Action::AuthTls | Action::Other => {}
        }
        Want::More
    }

    fn login(
        &mut self,
        start: Time,
        user: Box<str>,
        outcome: Outcome,
        code: Option<u16>,
        time: Time,
        sink: &mut Sink<'_>,
    ) {
        let mut login = sink.begin(Protocol::Ftp, Kind::Login, start);
        login.end = time;
        login.outcome = outcome;
        login.set_text(&USER, user.clone());
        if let Some(code) = code {
            login.set_number(&CODE, code);
        }
        if let Some(greeting) = &self.greeting {
            login.set_text(&SERVER, greeting.clone());
        }
        sink.emit(login);
        if outcome == Outcome::Accepted {
            self.logged_in = Some(user);
        }
    }

    fn file(&self, request: (Time, &'static str, Box<str>), code: u16, time: Time, sink: &mut Sink<'_>) {
        let (start, command, name) = request;
        let mut file = sink.begin(Protocol::Ftp, Kind::File, start);
        file.end = time;
        file.outcome = if code < 400 {
            Outcome::Accepted
        } else {
            Outcome::Refused
        };
        if let Some(user) = &self.logged_in {
            file.set_text(&USER, user.clone());
        }
        file.set_text(&COMMAND, command);
        if !name.is_empty() {
            file.set_text(&FILE, name);
        }
        file.set_number(&CODE, code);
        sink.emit(file);
    }
}

/// What the reply to USER or PASS says of the log-in: 230 and 232 are in, 331 and 332 ask for more, 530 is refused.
/// 421 (too many connections) and 5xx of syntax judge something else.
const fn verdict(code: u16) -> Outcome {
    match code {
        230 | 232 | 202 => Outcome::Accepted,
        430 | 530..=539 => Outcome::Refused,
        _ => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, render, turns};

    #[test]
    fn logins_and_files() {
        check::<Ftp>(
            "S: 220-Welcome
             S: help is near
             S: 220 (vsFTPd 3.0.3)
             C: USER kim
             S: 331 Please specify the password.
             C: PASS wrong
             S: 530 Login incorrect.
             C: USER kim
             S: 331 Please specify the password.
             C: PASS right
             S: 230 Login successful.
             C: TYPE I
             S: 200 Switching to Binary mode.
             C: RETR plan.txt
             S: 150 Opening BINARY mode data connection.
             S: 226 Transfer complete.
             C: STOR x
             S: 550 Permission denied.
             C: USER eve
             S: 331 Please specify the password.
             C: PASS x",
            &expect![[r#"
                login refused 3s
                  ftp.user kim
                  ftp.code 530
                  ftp.server (vsFTPd 3.0.3)
                login accepted 3s
                  ftp.user kim
                  ftp.code 230
                  ftp.server (vsFTPd 3.0.3)
                file accepted 2s
                  ftp.user kim
                  ftp.command RETR
                  ftp.file plan.txt
                  ftp.code 226
                file refused 1s
                  ftp.user kim
                  ftp.command STOR
                  ftp.file x
                  ftp.code 550
                login unknown 3s
                  ftp.user eve
                  ftp.server (vsFTPd 3.0.3)
                want Nothing
            "#]],
        );
    }

    #[test]
    fn tls_is_handed_over() {
        let text = render::<Ftp>(&turns("S: 220 x\nC: AUTH TLS\nS: 234 Proceed"));
        expect!["want HandOver(Tls)\n"].assert_eq(&text);
    }

    #[test]
    fn probes() {
        let probe = |data: &[u8], port| Ftp::probe(data, Side::Responder, (port, 40000));
        assert_eq!(probe(b"220 x\r\n", 21), Probe::Match);
        assert_eq!(probe(b"220 ProFTPD ready\r\n", 2121), Probe::Match);
        assert_eq!(probe(b"220 mail ESMTP\r\n", 25), Probe::NoMatch);
        assert_eq!(probe(b"22", 21), Probe::NeedMore);
        assert_eq!(probe(b"\x16\x03\x01\n", 21), Probe::NoMatch);
    }

    #[test]
    fn commands_without_reply_are_bounded() {
        let text = render::<Ftp>(&turns(&"C: NOOP\n".repeat(100)));
        expect![[r#"
            odd protocol_limit x68
            want Nothing
        "#]]
        .assert_eq(&text);
    }
}
