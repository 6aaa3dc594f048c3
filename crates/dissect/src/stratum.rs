//! Stratum: how miners of coins talk to their pool. Three families of words share one form, a JSON object a line over TCP:
//! `mining.*` (Bitcoin), `eth_*` (Ethereum and kin), `login`, `job`, `submit` (CryptoNote). Passwords are never stored.

use serde_json::Value as Json;
use weir_model::{Anomaly, Kind, Outcome, Protocol, Time, Transaction, Transport, Value};

use crate::fields::fields;
use crate::lines::Lines;
use crate::text::bounded;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};

fields! {
    METHOD = text("stratum.method", "Message");
    SENDER = ip("stratum.sender", "Who sent the message");
    USER = text("stratum.user", "Wallet or worker");
    AGENT = text("stratum.agent", "Program");
    REASON = text("stratum.reason", "Why the pool refuses");
}

/// First bytes in which the word of the protocol must stand: programs put their algorithms behind it.
const PROBE_BYTES: usize = 256;
/// Words of Ethereum's pools that no other client says over bare TCP.
const ETHEREUM: &[&str] = &[
    "eth_submitLogin",
    "eth_login",
    "eth_getWork",
    "eth_submitWork",
    "eth_submitHashrate",
];
/// Words with which a miner names itself.
const LOGINS: &[&str] = &["login", "mining.authorize", "eth_submitLogin", "eth_login"];

/// State of one connection.
#[derive(Default)]
pub struct Stratum {
    lines: [Lines; 2],
    /// The log-in that waits for its answer: who asked, by which number.
    login: Option<(Side, Json, Transaction)>,
}

impl Dissector for Stratum {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Stratum,
        transports: &[Transport::Tcp],
        ports: &[],
        about: "Stratum of mining pools for Bitcoin, Ethereum and CryptoNote coins, on any port, in the clear: messages of \
                both sides, wallet or worker, program, log-ins with verdict. Not seen: Stratum in TLS, version 2.",
        fields: ALL,
    };

    fn probe(data: &[u8], _: Side, _: (u16, u16)) -> Probe {
        let start = data.trim_ascii_start();
        if !start.is_empty() && start[0] != b'{' {
            return Probe::NoMatch;
        }
        let whole = start.len() >= PROBE_BYTES || memchr::memchr(b'\n', start).is_some();
        let line = &start[..memchr::memchr(b'\n', start).unwrap_or(start.len())];
        match method(line) {
            Some(word) if is_ours(word, line) => Probe::Match,
            // The word is there, and what would tell it from others may follow.
            _ if !whole => Probe::NeedMore,
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, mut data } => {
                while let Some(line) = self.lines[from as usize].next(&mut data) {
                    if line.trim_ascii().is_empty() {
                        continue;
                    }
                    match serde_json::from_slice(&line) {
                        Ok(Json::Object(message)) => self.take(&message, from, time, sink),
                        _ => sink.odd(Anomaly::ProtocolError),
                    }
                }
                Want::More
            }
            Input::Gap { from, .. } => {
                self.lines[from as usize].gap();
                Want::More
            }
            Input::End { .. } => {
                self.settle(None, sink);
                Want::Nothing
            }
        }
    }
}

impl Stratum {
    fn take(&mut self, message: &serde_json::Map<String, Json>, from: Side, time: Time, sink: &mut Sink<'_>) {
        let id = message.get("id").cloned().unwrap_or_default();
        let Some(method) = message.get("method").and_then(Json::as_str) else {
            let answers = |(side, asked, _): &(Side, Json, Transaction)| *side != from && *asked == id;
            if self.login.as_ref().is_some_and(answers) {
                self.settle(Some((message, time)), sink);
            }
            return;
        };
        let login = LOGINS.contains(&method);
        let kind = if login { Kind::Login } else { Kind::Request };
        let mut transaction = sink.begin(Protocol::Stratum, kind, time);
        transaction.set_text(&METHOD, bounded(method.as_bytes()));
        let sender = match from {
            Side::Initiator => sink.key.initiator_ip,
            Side::Responder => sink.key.responder_ip,
        };
        transaction.set(&SENDER, Value::Ip(sender));
        let params = message.get("params").unwrap_or(&Json::Null);
        let text = |value: Option<&Json>| {
            let text = value.and_then(Json::as_str).filter(|text| !text.is_empty());
            text.map(|text| bounded(text.as_bytes()))
        };
        if login && let Some(user) = text(params.get("login").or_else(|| params.get(0))) {
            transaction.set_text(&USER, user);
        }
        let agent = match method {
            "mining.subscribe" => params.get(0),
            _ => params.get("agent"),
        };
        if let Some(agent) = text(agent) {
            transaction.set_text(&AGENT, agent);
        }
        if login {
            self.settle(None, sink);
            self.login = Some((from, id, transaction));
        } else {
            sink.emit(transaction);
        }
    }

    /// Sends the log-in that waits, with the answer that came.
    fn settle(&mut self, answer: Option<(&serde_json::Map<String, Json>, Time)>, sink: &mut Sink<'_>) {
        let Some((_, _, mut login)) = self.login.take() else {
            return;
        };
        if let Some((answer, time)) = answer {
            login.end = time;
            let error = answer.get("error").filter(|error| !error.is_null());
            let refused = error.is_some()
                || matches!(answer.get("result"), None | Some(Json::Null | Json::Bool(false)));
            login.outcome = if refused {
                Outcome::Refused
            } else {
                Outcome::Accepted
            };
            // `[code, "text", null]`, or an object with `message`.
            let reason = error.and_then(|error| error.get("message").or_else(|| error.get(1)));
            if let Some(reason) = reason.and_then(Json::as_str) {
                login.set_text(&REASON, bounded(reason.as_bytes()));
            }
        }
        sink.emit(login);
    }
}

/// The value of `"method"` in a line whose end may be missing.
fn method(line: &[u8]) -> Option<&str> {
    const NAME: &[u8] = b"\"method\"";
    let at = memchr::memmem::find(line, NAME)?;
    let rest = line[at + NAME.len()..].trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', rest)?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// Is it a word of mining? Those that others say as well need what belongs to them.
fn is_ours(word: &str, line: &[u8]) -> bool {
    let has = |name: &str| memchr::memmem::find(line, name.as_bytes()).is_some();
    match word {
        "login" => has("\"login\":") || has("\"login\" :"),
        "job" => has("\"job_id\"") || has("\"blob\""),
        "submit" => has("\"nonce\""),
        word => word.starts_with("mining.") || ETHEREUM.contains(&word),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check_stream, parts, run, tcp, text, turns};

    fn check(dialogue: &str, expected: &expect_test::Expect) {
        let (key, turns) = (tcp(3333), turns(dialogue));
        expected.assert_eq(&text(&run::<Stratum>(&key, &parts(&turns))));
        check_stream::<Stratum>(&key, &parts(&turns));
    }

    #[test]
    fn bitcoin() {
        check(
            r#"C: {"id":1,"method":"mining.subscribe","params":["cgminer/4.9.2"]}
                S: {"id":1,"result":[[["mining.notify","ae"]],"08000002",4],"error":null}
                C: {"params":["wallet.rig1","secret"],"id":2,"method":"mining.authorize"}
                S: {"id":null,"method":"mining.set_difficulty","params":[8192]}
                S: {"id":2,"result":false,"error":[24,"Unauthorized worker",null]}
                S: not an object"#,
            &expect![[r#"
                request unknown 0s
                  stratum.method mining.subscribe
                  stratum.sender 10.0.0.5
                  stratum.agent cgminer/4.9.2
                request unknown 0s
                  stratum.method mining.set_difficulty
                  stratum.sender 10.0.0.9
                login refused 2s
                  stratum.method mining.authorize
                  stratum.sender 10.0.0.5
                  stratum.user wallet.rig1
                  stratum.reason Unauthorized worker
                odd protocol_error x1
            "#]],
        );
    }

    /// A log-in with its job; one that is never answered; one of Ethereum.
    #[test]
    fn others() {
        check(
            r#"C: {"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"4ABC","pass":"x","agent":"miner/6.2"}}
                S: {"id":1,"jsonrpc":"2.0","result":{"id":"7","job":{"blob":"05","job_id":"1"},"status":"OK"},"error":null}
                S: {"jsonrpc":"2.0","method":"job","params":{"blob":"06","job_id":"2"}}
                C: {"id":2,"method":"submit","params":{"id":"7","job_id":"1","nonce":"aa","result":"bb"}}
                C: {"worker":"eth1","params":["0x9c/rig","x"],"id":3,"method":"eth_submitLogin"}"#,
            &expect![[r#"
                login accepted 1s
                  stratum.method login
                  stratum.sender 10.0.0.5
                  stratum.user 4ABC
                  stratum.agent miner/6.2
                request unknown 0s
                  stratum.method job
                  stratum.sender 10.0.0.9
                request unknown 0s
                  stratum.method submit
                  stratum.sender 10.0.0.5
                login unknown 0s
                  stratum.method eth_submitLogin
                  stratum.sender 10.0.0.5
                  stratum.user 0x9c/rig
            "#]],
        );
    }

    #[test]
    fn probes() {
        let probe = |text: &str| Stratum::probe(text.as_bytes(), Side::Initiator, (40000, 3333));
        assert_eq!(
            probe(r#"{"id":1,"method":"mining.subscribe","params":[]}"#),
            Probe::Match
        );
        let long = format!(
            r#"{{"id":1,"method":"login","params":{{"login":"4A","algo":["{}"#,
            "x".repeat(900)
        );
        assert_eq!(probe(&long), Probe::Match);
        assert_eq!(probe(r#"{"id":1,"method":"log"#), Probe::NeedMore);
        assert_eq!(
            probe(r#"{"id":1,"method":"login","params":{"user":"a"}}"#),
            Probe::NeedMore
        );
        assert_eq!(
            probe("{\"id\":1,\"method\":\"login\",\"params\":{\"user\":\"a\"}}\n"),
            Probe::NoMatch
        );
        assert_eq!(probe("{\"method\":\"eth_blockNumber\"}\n"), Probe::NoMatch);
        assert_eq!(probe("GET / HTTP/1.1"), Probe::NoMatch);
        assert_eq!(probe(&format!("{{{}", " ".repeat(PROBE_BYTES))), Probe::NoMatch);
    }
}
