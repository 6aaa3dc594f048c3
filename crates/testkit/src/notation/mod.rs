//! Flow notation: one line of text makes flow records or transactions, so that a method's test reads like its manual.
//!
//! ```text
//! every 117ms x195 10.0.0.5 <> 10.0.0.9:445 tcp APRS 981/5 828/6 refused=1
//! @30s x50 10.0.0.5 > 10.0.0.{1..50}:22 tcp S 60/1
//! x3 10.0.0.5:{40000..} <> 10.0.0.9:{1,2,3} udp 120/2 90/1 icmperr=3/3
//! tx dns/query every 1s x9 10.0.0.5 > 10.0.0.1:53 outcome=refused dns.query=a{1..9}.example
//! ```
//! `<>` answered, `>` unanswered, `<` only the responder spoke (an unasked answer). `@30s` starts at 30 s, else where
//! the line before ended. Ranges take one value per repetition, round robin. Sizes are IP bytes/packets, forward then
//! reverse; `~30%` behind a size varies it by a repeatable pattern. Flags stand alone, forward/reverse as `APRS/AS`.
//! Further `key=value`: dur, app, refused, accepted, icmp, icmperr, icmppayload, first (flags of the first packet),
//! reverse=unknown (of a one-way record), country (of the responder), icountry (of the initiator), payload, rpayload, mac, rmac, vlan, ttl, syn (bytes/window of the SYN), state, phase=update.
//! `sighted=list|class|kind|place|indicator`, repeated for several, as enrichment would tell it; places are initiator,
//! responder, dns, name, target, handshake.
//! A line that cannot be read panics with its text: it is a mistake in the test.

mod flow;
mod transaction;

use std::net::IpAddr;

use weir_model::{
    Batch, FlowKey, FlowRecord, IndicatorKind, ListClass, SeenAt, Sighting, Sightings, Tick, Time,
    Transaction, ethertype, proto,
};

/// Start of the time of every text: 2026-01-01 00:00 UTC.
pub const EPOCH: Time = Time::from_secs(1_767_225_600);

/// Parses a text into one batch: records sorted by end, ticks at every second that something ends in, a final tick.
///
/// # Panics
/// On text that is not in the notation; the message quotes the line.
pub fn batch(text: &str) -> Batch {
    let mut records = Vec::new();
    let mut cursor = 0;
    for line in text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
    {
        if !line.is_empty() {
            cursor = parse_line(line, cursor, &mut records);
        }
    }
    records.sort_by_key(|record| record.end());
    assemble(records)
}

enum Record {
    Flow(Box<FlowRecord>),
    Transaction(Box<Transaction>),
}

impl Record {
    fn end(&self) -> Time {
        match self {
            Self::Flow(flow) => flow.end,
            Self::Transaction(transaction) => transaction.end,
        }
    }
}

fn assemble(records: Vec<Record>) -> Batch {
    let (mut batch, mut seq, mut second) = (Batch::default(), 0, i64::MIN);
    let mut last = EPOCH;
    for record in records {
        let end = record.end();
        if end.bin(1) > second {
            second = end.bin(1);
            batch.ticks.push(Tick {
                seq,
                time: Time::from_secs(second),
                end: false,
            });
            seq += 1;
        }
        last = last.max(end);
        match record {
            Record::Flow(mut flow) => {
                flow.seq = seq;
                batch.flows.push(*flow);
            }
            Record::Transaction(mut transaction) => {
                transaction.seq = seq;
                batch.transactions.push(*transaction);
            }
        }
        seq += 1;
    }
    batch.ticks.push(Tick {
        seq,
        time: last,
        end: true,
    });
    batch
}

/// One line being read: words in order.
struct Line<'a> {
    text: &'a str,
    words: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
}

impl Line<'_> {
    fn bad(&self, word: &str) -> ! {
        panic!("{word:?} not understood in {:?}", self.text)
    }
}

fn parse_line(text: &str, cursor: i64, records: &mut Vec<Record>) -> i64 {
    let mut line = Line {
        text,
        words: text.split_whitespace().peekable(),
    };
    let mut kind = None;
    let (mut start, mut every, mut count) = (cursor, 0, 1);
    loop {
        match line.words.peek().copied() {
            Some(word) if word.starts_with('@') => start = nanos(&line, &word[1..]),
            Some("tx") => {
                line.words.next();
                let word = line.words.peek().copied().unwrap_or_default();
                kind = Some(transaction::kind(&line, word));
            }
            Some("every") => {
                line.words.next();
                let pause = line.words.peek().copied().unwrap_or_default();
                every = nanos(&line, pause);
            }
            Some(word) if word.starts_with('x') && word[1..].parse::<u32>().is_ok() => {
                count = word[1..].parse().unwrap_or(1);
            }
            _ => break,
        }
        line.words.next();
    }
    let rest: Vec<&str> = line.words.by_ref().collect();
    let mut end = start;
    for nth in 0..count {
        let at = start + i64::from(nth) * every;
        let mut one = Line {
            text,
            words: text.split_whitespace().peekable(),
        };
        let expanded: Vec<String> = rest.iter().map(|word| expand(word, nth as usize)).collect();
        let record = match kind {
            None => Record::Flow(Box::new(flow::read(&mut one, &expanded, EPOCH + at, nth))),
            Some((protocol, kind)) => Record::Transaction(Box::new(transaction::read(
                &mut one,
                &expanded,
                EPOCH + at,
                protocol,
                kind,
            ))),
        };
        end = end.max(record.end().since(EPOCH));
        records.push(record);
    }
    end.max(start + i64::from(count) * every)
}

/// Replaces `{1..50}`, `{1..}` and `{a,b,c}` by the value of repetition `nth`.
fn expand(word: &str, nth: usize) -> String {
    let Some((before, after)) = word.split_once('{') else {
        return word.to_owned();
    };
    let (inside, behind) = after.split_once('}').unwrap_or((after, ""));
    let value = match inside.split_once("..") {
        Some((low, high)) => {
            let low: usize = low.parse().unwrap_or(0);
            let span = high.parse::<usize>().map_or(usize::MAX, |high| high - low + 1);
            (low + nth % span).to_string()
        }
        None => {
            let all: Vec<&str> = inside.split(',').collect();
            all[nth % all.len()].to_owned()
        }
    };
    expand(&format!("{before}{value}{behind}"), nth)
}

/// Nanoseconds of `117ms`, `5s`, `2min`, `1h`, `3d`.
fn nanos(line: &Line<'_>, word: &str) -> i64 {
    let digits = word.find(|c: char| c.is_alphabetic()).unwrap_or(word.len());
    let unit = match &word[digits..] {
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "min" => 60e9,
        "h" => 3600e9,
        "d" => 86_400e9,
        _ => line.bad(word),
    };
    let number: f64 = word[..digits].parse().unwrap_or_else(|_| line.bad(word));
    (number * unit) as i64
}

/// `10.0.0.5`, `10.0.0.5:22`, `fe80::1`, `[fe80::1]:22`.
fn endpoint(line: &Line<'_>, word: &str) -> (IpAddr, u16) {
    if let Ok(ip) = word.parse() {
        return (ip, 0);
    }
    let parsed = word
        .rsplit_once(':')
        .and_then(|(ip, port)| Some((ip.trim_matches(['[', ']']).parse().ok()?, port.parse().ok()?)));
    parsed.unwrap_or_else(|| line.bad(word))
}

/// Adds the sighting of `sighted=`: of reputation 10, malware, confirmed a day before.
fn sighted(line: &Line<'_>, sightings: &mut Sightings, value: &str) {
    let words: Vec<&str> = value.split('|').collect();
    let [list, class, kind, at, indicator] = words.as_slice() else {
        line.bad(value)
    };
    let classes = [ListClass::Threat, ListClass::Application, ListClass::Bundle];
    let kinds = [
        IndicatorKind::Address,
        IndicatorKind::Service,
        IndicatorKind::Domain,
        IndicatorKind::Url,
        IndicatorKind::Ja3,
        IndicatorKind::Ja4,
        IndicatorKind::Certificate,
    ];
    let seen = Sighting {
        kind: kinds
            .into_iter()
            .find(|known| known.word() == *kind)
            .unwrap_or_else(|| line.bad(kind)),
        at: match *at {
            "initiator" => SeenAt::Initiator,
            "responder" => SeenAt::Responder,
            "dns" => SeenAt::DnsName,
            "name" => SeenAt::WebName,
            "target" => SeenAt::WebTarget,
            "handshake" => SeenAt::Handshake,
            _ => line.bad(at),
        },
        class: classes
            .into_iter()
            .find(|known| known.word() == *class)
            .unwrap_or_else(|| line.bad(class)),
        indicator: (*indicator).into(),
        list: (*list).into(),
        category: "malware".into(),
        score: 10,
        age_s: Some(86_400),
    };
    let known = sightings.iter().flat_map(|all| all.iter().cloned());
    *sightings = Some(known.chain([seen]).collect());
}

/// Which sides of a flow sent packets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spoke {
    Initiator,
    Responder,
    Both,
}

fn key(line: &mut Line<'_>, words: &[String], nth: u32) -> (FlowKey, Spoke) {
    let [from, arrow, to] = words.get(..3).unwrap_or_else(|| line.bad("too short")) else {
        line.bad("too short")
    };
    let (initiator_ip, mut initiator_port) = endpoint(line, from);
    let (responder_ip, responder_port) = endpoint(line, to);
    if initiator_port == 0 {
        initiator_port = 40_000 + (nth % 20_000) as u16;
    }
    let spoke = match arrow.as_str() {
        "<>" => Spoke::Both,
        ">" => Spoke::Initiator,
        "<" => Spoke::Responder,
        other => line.bad(other),
    };
    let ethertype = if initiator_ip.is_ipv4() {
        ethertype::IPV4
    } else {
        ethertype::IPV6
    };
    (
        FlowKey {
            initiator_ip,
            responder_ip,
            initiator_port,
            responder_port,
            proto: proto::TCP,
            ethertype,
            vlan: None,
        },
        spoke,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_makes_many_flows() {
        let batch = batch("every 117ms x195 10.0.0.5 <> 10.0.0.9:445 tcp APRS 981/5 828/6 refused=1");
        assert_eq!(batch.flows.len(), 195);
        let last = &batch.flows[194];
        assert_eq!(last.start.since(EPOCH), 194 * 117_000_000);
        assert_eq!(
            (
                last.forward.bytes,
                last.forward.packets,
                last.reverse_or_zero().bytes
            ),
            (981, 5, 828)
        );
        assert_eq!(last.logins.refused, 1);
        assert!(last.established() && last.initiator_inside);
    }

    #[test]
    fn ranges_and_transactions() {
        let batch = batch(
            "x3 10.0.0.5 > 10.0.0.{1..3}:22 tcp S\n@5s tx dns/query every 1s x2 10.0.0.5 > 10.0.0.1:53 dns.query=a{1..9}.example dns.query_bytes=30",
        );
        let to: Vec<String> = batch
            .flows
            .iter()
            .map(|flow| flow.key.responder_ip.to_string())
            .collect();
        assert_eq!(to, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        assert!(!batch.flows[0].answered());
        assert_eq!(batch.transactions[1].text("dns.query"), Some("a2.example"));
        assert_eq!(batch.transactions[1].number("dns.query_bytes"), Some(30));
    }

    #[test]
    #[should_panic(expected = "not understood")]
    fn nonsense_is_refused() {
        batch("10.0.0.5 -> 10.0.0.9 tcp");
    }
}
