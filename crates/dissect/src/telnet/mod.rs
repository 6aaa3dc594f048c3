//! Telnet (RFC 854): log-ins read from the dialogue of prompts, with options and sub-negotiations taken out.
//!
//! Basis: a prompt that ends with "login:", "username:" or "password:" asks; after the password a word of refusal or a
//! new prompt refuses, a greeting or a shell-like prompt accepts. Bias: unknown when neither comes. Passwords are never
//! stored, and after a good log-in or 64 KiB nothing more is wanted.

mod commands;

use weir_model::{Kind, Outcome, Protocol, Time, Transport};

use crate::fields::fields;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text};
use commands::{Commands, IAC, WITH_OPTION};

fields! {
    USER = text("telnet.user", "User");
}

/// Bytes of both sides looked at: room for banners and a hundred attempts.
const BYTES_MAX: u64 = 64 * 1024;
/// Kept of one line of the server: prompts and verdicts are short.
const LINE_MAX: usize = 512;
/// Longest user name typed.
const USER_MAX: usize = 128;

/// Words of a good log-in; looked for before [`REFUSED`], since "last failed login" greets a good one.
const ACCEPTED: &[&str] = &[
    "last login",
    "last failed login",
    "last successful login",
    "since the last",
    "welcome",
    "logged in",
];
const REFUSED: &[&str] = &[
    "incorrect",
    "failed",
    "failure",
    "denied",
    "invalid",
    "bad password",
    "bad username",
    "wrong password",
    "not correct",
    "error in authentication",
];
const USER_PROMPTS: &[&str] = &["login:", "username:", "user name:", "user:"];
const PASSWORD_PROMPTS: &[&str] = &["password:", "passcode:", "passwd:"];
/// Last letters of a shell's prompt.
const SHELL_PROMPTS: &[&str] = &["$", "#", ">", "%"];

/// What the dialogue waits for.
#[derive(Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Idle,
    User,
    Password,
    Verdict,
}

/// State of one connection.
#[derive(Default)]
pub struct Telnet {
    options: [Commands; 2],
    step: Step,
    /// The server's line at hand, lower case.
    line: String,
    typed: Vec<u8>,
    user: Option<Box<str>>,
    /// Who asks; told by the first prompt, so that a capture turned round still works.
    server: Option<Side>,
    start: Time,
    bytes: u64,
}

impl Dissector for Telnet {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Telnet,
        transports: &[Transport::Tcp],
        ports: &[23, 2323],
        about: "Log-ins with user and verdict, judged from prompts and the words after the password.",
        fields: ALL,
    };

    fn probe(data: &[u8], _from: Side, ports: (u16, u16)) -> Probe {
        let usual = Self::META.is_usual(ports);
        match data {
            [IAC, command, option, ..] if WITH_OPTION.contains(command) && *option < 64 => Probe::Match,
            [IAC] | [IAC, 251..=254] => Probe::NeedMore,
            _ if usual => {
                let text = String::from_utf8_lossy(data).to_ascii_lowercase();
                let asks = USER_PROMPTS
                    .iter()
                    .chain(PASSWORD_PROMPTS)
                    .any(|prompt| text.contains(prompt));
                if asks { Probe::Match } else { Probe::NeedMore }
            }
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => {
                for &byte in data {
                    let Some(byte) = self.options[from as usize].text(byte) else {
                        continue;
                    };
                    let accepted = if self.is_server(from) {
                        self.shown(byte, from, time, sink)
                    } else {
                        self.type_in(byte, time);
                        false
                    };
                    if accepted {
                        return Want::Nothing;
                    }
                }
                self.bytes += data.len() as u64;
                if self.bytes > BYTES_MAX {
                    self.finish(time, sink);
                    return Want::Nothing;
                }
                Want::More
            }
            Input::Gap { from, len, .. } => {
                self.bytes = self.bytes.saturating_add(len);
                self.options[from as usize] = Commands::default();
                self.line.clear();
                self.typed.clear();
                Want::More
            }
            Input::End { time } => {
                self.finish(time, sink);
                Want::Nothing
            }
        }
    }
}

impl Telnet {
    fn is_server(&self, from: Side) -> bool {
        self.server
            .map_or(from == Side::Responder, |server| server == from)
    }

    /// The server shows a letter. True when the log-in is accepted and nothing more is wanted.
    fn shown(&mut self, byte: u8, from: Side, time: Time, sink: &mut Sink<'_>) -> bool {
        if byte == b'\n' || byte == b'\r' {
            if self.step == Step::Verdict {
                match judge(&self.line) {
                    Outcome::Unknown => {}
                    outcome => {
                        self.send(outcome, time, sink);
                        self.line.clear();
                        return outcome == Outcome::Accepted;
                    }
                }
            }
            self.line.clear();
            return false;
        }
        if self.line.len() < LINE_MAX && (byte.is_ascii_graphic() || byte == b' ') {
            self.line.push(char::from(byte.to_ascii_lowercase()));
        }
        // A prompt is a line without end: it is known by its last letter.
        match byte {
            b':' => self.prompt(from, time, sink),
            b' ' if self.step == Step::Verdict && self.is_shell() => {
                self.send(Outcome::Accepted, time, sink);
                return true;
            }
            _ => {}
        }
        false
    }

    fn prompt(&mut self, from: Side, time: Time, sink: &mut Sink<'_>) {
        if ACCEPTED.iter().any(|words| self.line.contains(words)) {
            return;
        }
        let ends = |prompts: &[&str]| prompts.iter().any(|prompt| self.line.ends_with(prompt));
        let (asks_user, asks_password) = (ends(USER_PROMPTS), ends(PASSWORD_PROMPTS));
        if !asks_user && !asks_password {
            return;
        }
        self.server = Some(from);
        if self.step == Step::Verdict {
            // Asked again: the attempt was refused. Routers ask for the password alone, of the same user.
            let user = self.user.clone();
            self.send(Outcome::Refused, time, sink);
            self.user = user;
        }
        self.typed.clear();
        if asks_user {
            self.user = None;
            self.step = Step::User;
        } else {
            self.step = Step::Password;
        }
    }

    /// `host#`, `C:\>`, `[kim@pc ~]$`, or a bare `$` or `#`. A bare `%` begins Cisco's error messages.
    fn is_shell(&self) -> bool {
        let line = self.line.trim_end();
        let named = |prompt: &str| {
            line.strip_suffix(prompt)
                .is_some_and(|before| before.contains(|letter: char| letter.is_ascii_alphanumeric()))
        };
        matches!(line, "$" | "#") || SHELL_PROMPTS.iter().any(|prompt| named(prompt))
    }

    /// The client types a letter.
    fn type_in(&mut self, byte: u8, time: Time) {
        match (byte, &self.step) {
            (_, Step::Idle | Step::Verdict) => {}
            (b'\r', Step::User) => {
                let name = text::bounded(self.typed.trim_ascii());
                self.user = Some(name).filter(|name| !name.is_empty());
                self.start = time;
                self.typed.clear();
                self.step = Step::Idle;
            }
            (b'\r' | b'\n', Step::Password) => {
                if self.user.is_none() {
                    self.start = time;
                }
                self.line.clear();
                self.step = Step::Verdict;
            }
            (b'\n', Step::User) if !self.typed.is_empty() => self.type_in(b'\r', time),
            (8 | 127, Step::User) => {
                self.typed.pop();
            }
            (b' '..=b'~', Step::User) if self.typed.len() < USER_MAX => self.typed.push(byte),
            // The password is not looked at.
            _ => {}
        }
    }

    fn finish(&mut self, time: Time, sink: &mut Sink<'_>) {
        if self.step == Step::Verdict {
            // A shell's prompt may come without a blank behind it, as the last thing said.
            let outcome = if self.is_shell() {
                Outcome::Accepted
            } else {
                judge(&self.line)
            };
            self.send(outcome, time, sink);
        }
    }

    fn send(&mut self, outcome: Outcome, time: Time, sink: &mut Sink<'_>) {
        let mut login = sink.begin(Protocol::Telnet, Kind::Login, self.start);
        login.end = time;
        login.outcome = outcome;
        if let Some(user) = self.user.take() {
            login.set_text(&USER, user);
        }
        sink.emit(login);
        self.step = Step::Idle;
    }
}

/// What a line after the password says.
fn judge(line: &str) -> Outcome {
    let says = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if says(ACCEPTED) {
        Outcome::Accepted
    } else if says(REFUSED) {
        Outcome::Refused
    } else {
        Outcome::Unknown
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check_turns, client, server};

    #[test]
    fn refused_twice_then_in() {
        let turns = [
            server(*b"\xff\xfd\x18\xff\xfa\x18\x01\xff\xf0Ubuntu\r\nhost login: "),
            client(*b"\xff\xfc\x18root\r\0"),
            server("root\r\nPassword: "),
            client("toor\r\0"),
            server("\r\n"),
            server("Login incorrect\r\nhost login: "),
            client("kin\x7fm\r\n"),
            server("kim\r\nPassword: "),
            client("x\r\n"),
            server("\r\nhost login: "),
            client("kim\r\n"),
            server("kim\r\nPassword: "),
            client("right\r\n"),
            server("\r\nLinux pc 2.6.30\r\n\r\n$ "),
        ];
        check_turns::<Telnet>(
            &turns,
            &expect![[r#"
            login refused 4s
              telnet.user root
            login refused 3s
              telnet.user kim
            login accepted 3s
              telnet.user kim
            want Nothing
        "#]],
        );
    }

    #[test]
    fn routers_ask_for_a_password_only() {
        let turns = [
            server("User Access Verification\r\n\r\nPassword: "),
            client("a\r\n"),
            server("\r\nPassword: "),
            client("b\r\n"),
            server("\r\n% Bad passwords\r\nPassword: "),
            client("c\r\n"),
            server("\r\nrouter> "),
        ];
        check_turns::<Telnet>(
            &turns,
            &expect![[r#"
                login refused 1s
                login refused 1s
                login accepted 1s
                want Nothing
            "#]],
        );
    }

    #[test]
    fn a_greeting_that_speaks_of_failures() {
        let turns = [
            server("login: "),
            client("kim\r\n"),
            server("Password:"),
            client("x\r\n"),
            server("\r\nThere was 1 failed login attempt since the last successful login.\r\n"),
        ];
        check_turns::<Telnet>(
            &turns,
            &expect![[r#"
            login accepted 3s
              telnet.user kim
            want Nothing
        "#]],
        );
    }

    #[test]
    fn silent_in_doubt() {
        let turns = [
            server("login: "),
            client("kim\r\n"),
            server("Password:"),
            client("x\r\n"),
        ];
        check_turns::<Telnet>(
            &turns,
            &expect![[r#"
            login unknown 3s
              telnet.user kim
            want Nothing
        "#]],
        );
    }

    #[test]
    fn long_sessions_are_left() {
        let turns = [server("login: "), server(vec![b'x'; 70_000])];
        assert_eq!(crate::testing::render::<Telnet>(&turns), "want Nothing\n");
    }
}
