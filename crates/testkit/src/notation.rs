//! Flow notation: one line of text makes flow records or transactions, so that a method's test reads like its manual.
//!
//! ```text
//! every 117ms x195 10.0.0.5 <> 10.0.0.9:445 tcp APRS 981/5 828/6 refused=1
//! @30s x50 10.0.0.5 > 10.0.0.{1..50}:22 tcp S 60/1
//! x3 10.0.0.5:{40000..} <> 10.0.0.9:{1,2,3} udp 120/2 90/1 icmperr=3/3
//! tx dns/query every 1s x9 10.0.0.5 > 10.0.0.1:53 outcome=refused dns.query=a{1..9}.example
//! ```
//! `<>` answered, `>` unanswered, `<` only the responder spoke (an unasked answer). `@30s` starts at 30 s, else where the line before ended. Ranges take one value per
//! repetition, round robin. Sizes are IP bytes/packets, forward then reverse; `~30%` behind a size varies it by a
//! repeatable pattern. Further `key=value`: dur, app, refused, accepted, icmp, icmperr, first (flags of the first
//! packet), payload, rpayload, mac, rmac, vlan, state, phase=update, flags/reverse flags as `APRS/AS`.

use std::net::{IpAddr, Ipv4Addr};

use weir_model::{
    Batch, ConnState, Counters, Field, FieldKind, FlowId, FlowKey, FlowRecord, Kind, Logins, Networks,
    Outcome, Phase, Protocol, Tick, Time, Transaction, Value, ethertype, proto, tcp_flags,
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
                kind = Some(transaction_kind(&line, word));
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
            None => Record::Flow(Box::new(flow(&mut one, &expanded, EPOCH + at, nth))),
            Some((protocol, kind)) => Record::Transaction(Box::new(transaction(
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

fn transaction_kind(line: &Line<'_>, word: &str) -> (Protocol, Kind) {
    let (protocol, kind) = word.split_once('/').unwrap_or_else(|| line.bad(word));
    let protocol = Protocol::ALL
        .iter()
        .copied()
        .find(|known| known.word() == protocol);
    let kinds = [
        Kind::Query,
        Kind::Handshake,
        Kind::Request,
        Kind::Login,
        Kind::Access,
        Kind::File,
        Kind::Mail,
        Kind::Lease,
        Kind::Ticket,
    ];
    let kind = kinds.into_iter().find(|known| known.word() == kind);
    protocol.zip(kind).unwrap_or_else(|| line.bad(word))
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

fn flow(line: &mut Line<'_>, words: &[String], start: Time, nth: u32) -> FlowRecord {
    let (mut key, spoke) = key(line, words, nth);
    let answered = spoke != Spoke::Initiator;
    key.proto = match words.get(3).map(String::as_str) {
        Some("tcp") => proto::TCP,
        Some("udp") => proto::UDP,
        Some("icmp") => proto::ICMP,
        Some("icmp6") => proto::ICMP6,
        Some("arp") => 0,
        Some(other) => other.parse().unwrap_or_else(|_| line.bad(other)),
        None => line.bad("protocol missing"),
    };
    if words[3] == "arp" {
        key.ethertype = ethertype::ARP;
    }
    if !matches!(key.proto, proto::TCP | proto::UDP) {
        key.initiator_port = 0;
    }
    let mut flow = FlowRecord::new(key, start);
    flow.reverse_total = Some(Counters::default());
    let mut sizes = 0;
    for word in &words[4..] {
        if let Some((name, value)) = word.split_once('=') {
            set(line, &mut flow, name, value);
        } else if word.starts_with(|c: char| c.is_ascii_digit()) {
            let counters = counters(line, word, nth);
            if sizes == 0 {
                flow.forward_total = counters
            } else {
                flow.reverse_total = Some(counters)
            }
            sizes += 1;
        } else {
            let (forward, reverse) = word
                .split_once('/')
                .unwrap_or((word, if answered { word } else { "" }));
            flow.forward_flags = flags(line, forward);
            flow.reverse_flags = flags(line, reverse);
        }
    }
    finish(flow, spoke)
}

fn finish(mut flow: FlowRecord, spoke: Spoke) -> FlowRecord {
    let answered = spoke != Spoke::Initiator;
    if spoke == Spoke::Responder {
        // The sizes and flags written are of the one direction there is; the other stays empty.
        flow.reverse_total = Some(flow.forward_total).filter(|counters| counters.packets > 0);
        flow.reverse_flags |= flow.forward_flags;
        flow.forward_total = Counters::default();
        flow.forward_flags = 0;
    } else if flow.forward_total.packets == 0 {
        flow.forward_total = Counters {
            packets: 1,
            bytes: 60,
            payload_bytes: 0,
        };
    }
    if answered && flow.reverse_total.is_none_or(|reverse| reverse.packets == 0) {
        flow.reverse_total = Some(Counters {
            packets: 1,
            bytes: 60,
            payload_bytes: 0,
        });
    }
    flow.forward = flow.forward_total;
    flow.reverse = flow.reverse_total;
    if flow.first_flags == 0 {
        flow.first_flags = if flow.forward_flags & tcp_flags::SYN != 0 {
            tcp_flags::SYN
        } else {
            flow.forward_flags
        };
    }
    if let Some((kind, code)) = flow.icmp {
        let counterpart = weir_model::community_id::icmp_counterpart(flow.key.proto, kind);
        flow.key.initiator_port = kind.into();
        flow.key.responder_port = counterpart.unwrap_or(code).into();
    }
    let inside = Networks::private();
    flow.initiator_inside = inside.contains(flow.key.initiator_ip);
    flow.responder_inside = inside.contains(flow.key.responder_ip);
    flow.id = FlowId::derive(&flow.key, flow.start);
    flow
}

fn flags(line: &Line<'_>, word: &str) -> u16 {
    word.chars().fold(0, |flags, letter| {
        flags
            | match letter {
                'F' => tcp_flags::FIN,
                'S' => tcp_flags::SYN,
                'R' => tcp_flags::RST,
                'P' => tcp_flags::PSH,
                'A' => tcp_flags::ACK,
                'U' => tcp_flags::URG,
                'E' => tcp_flags::ECE,
                'C' => tcp_flags::CWR,
                '.' => 0,
                _ => line.bad(word),
            }
    })
}

/// `981/5`, `60MiB/40000`, `981~30%/5`.
fn counters(line: &Line<'_>, word: &str, nth: u32) -> Counters {
    let (size, packets) = word.split_once('/').unwrap_or_else(|| line.bad(word));
    let (size, vary) = size.split_once('~').unwrap_or((size, "0%"));
    let digits = size.find(|c: char| c.is_alphabetic()).unwrap_or(size.len());
    let unit = match &size[digits..] {
        "" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1048576.0,
        "GiB" => 1073741824.0,
        _ => line.bad(word),
    };
    let number: f64 = size[..digits].parse().unwrap_or_else(|_| line.bad(word));
    let share: f64 = vary
        .trim_end_matches('%')
        .parse::<f64>()
        .unwrap_or_else(|_| line.bad(word))
        / 100.0;
    // A repeatable walk through -1..=1 (golden ratio), so that variation needs no random numbers.
    let walk = (f64::from(nth) * 0.618_033_988_75).fract() * 2.0 - 1.0;
    let bytes = (number * unit * (1.0 + share * walk)).max(0.0) as u64;
    let packets: u64 = packets.parse().unwrap_or_else(|_| line.bad(word));
    Counters {
        packets,
        bytes,
        payload_bytes: bytes.saturating_sub(40 * packets),
    }
}

fn set(line: &Line<'_>, flow: &mut FlowRecord, name: &str, value: &str) {
    let number = || value.parse::<u64>().unwrap_or_else(|_| line.bad(value));
    let pair = || {
        let (kind, code) = value.split_once('/').unwrap_or((value, "0"));
        kind.parse()
            .ok()
            .zip(code.parse().ok())
            .unwrap_or_else(|| line.bad(value))
    };
    match name {
        "dur" => flow.end = flow.start + nanos(line, value),
        "app" => {
            flow.protocol = Protocol::ALL.iter().copied().find(|known| known.word() == value);
            flow.protocol_by_content = true;
        }
        "refused" => {
            flow.logins = Logins {
                refused: number() as u16,
                ..flow.logins
            }
        }
        "accepted" => {
            flow.logins = Logins {
                accepted: number() as u16,
                ..flow.logins
            }
        }
        "icmp" => flow.icmp = Some(pair()),
        "icmperr" => flow.icmp_error = Some(pair()),
        "icmppayload" => flow.icmp_payload_max = number() as u16,
        "first" => flow.first_flags = flags(line, value),
        "payload" => flow.forward_total.payload_bytes = number(),
        "rpayload" => {
            let reverse = flow.reverse_total.get_or_insert_default();
            reverse.payload_bytes = number();
        }
        "mac" => flow.initiator_mac = value.parse().ok(),
        "rmac" => flow.responder_mac = value.parse().ok(),
        "vlan" => flow.key.vlan = Some(number() as u16),
        "ttl" => flow.forward_ttl = number() as u8,
        "state" => flow.conn_state = conn_state(value),
        "phase" if value == "update" => flow.phase = Phase::Update,
        _ => line.bad(name),
    }
}

fn conn_state(word: &str) -> ConnState {
    use ConnState::{Oth, Rej, RstO, RstOS0, RstR, RstRH, S0, S1, S2, S3, SF, Sh, ShR};
    let all = [S0, S1, SF, Rej, S2, S3, RstO, RstR, RstOS0, RstRH, Sh, ShR, Oth];
    all.into_iter()
        .find(|state| state.word() == word)
        .unwrap_or_else(|| panic!("{word:?} is no connection state"))
}

fn transaction(
    line: &mut Line<'_>,
    words: &[String],
    start: Time,
    protocol: Protocol,
    kind: Kind,
) -> Transaction {
    let (mut key, _) = key(line, words, 0);
    key.proto = if matches!(protocol, Protocol::Dns | Protocol::Dhcp) {
        proto::UDP
    } else {
        proto::TCP
    };
    if protocol == Protocol::Arp {
        (key.proto, key.ethertype) = (0, ethertype::ARP);
    }
    let mut transaction = Transaction::new(FlowId::derive(&key, start), key, protocol, kind, start);
    for word in &words[3..] {
        let (name, value) = word.split_once('=').unwrap_or_else(|| line.bad(word));
        match (name, value) {
            ("outcome", "refused") => transaction.outcome = Outcome::Refused,
            ("outcome", "accepted") => transaction.outcome = Outcome::Accepted,
            ("dur", value) => transaction.end = start + nanos(line, value),
            ("vlan", value) => transaction.key.vlan = value.parse().ok(),
            (name, value) => set_field(&mut transaction, name, value),
        }
    }
    let inside = Networks::private();
    transaction.initiator_inside = inside.contains(key.initiator_ip);
    transaction.responder_inside = inside.contains(key.responder_ip);
    transaction
}

/// The notation does not know the dissectors' tables, so the field's type is read from the value.
fn set_field(transaction: &mut Transaction, name: &str, value: &str) {
    let (kind, value) = if let Ok(number) = value.parse() {
        (FieldKind::Number, Value::Number(number))
    } else if let Ok(ip) = value.parse() {
        (FieldKind::Ip, Value::Ip(ip))
    } else if let Ok(mac) = value.parse() {
        (FieldKind::Mac, Value::Mac(mac))
    } else if let Ok(flag) = value.parse() {
        (FieldKind::Flag, Value::Flag(flag))
    } else {
        (FieldKind::Text, Value::Text(value.into()))
    };
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let field: &'static Field = Box::leak(Box::new(Field {
        name,
        kind,
        label: name,
    }));
    transaction.set(field, value);
}

/// An address that tests may use as "nobody".
pub const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

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
