//! The flow of a line: sizes, flags and `key=value` words behind its endpoints.
//! What the line leaves out is filled in as the smallest flow that fits it.

use weir_model::{
    ConnState, Counters, Country, FlowId, FlowRecord, Logins, Networks, Phase, Place, Protocol, Time,
    ethertype, proto, tcp_flags,
};

use super::{Line, Spoke, key, nanos, sighted};

/// The flow record of repetition `nth`.
pub(super) fn read(line: &mut Line<'_>, words: &[String], start: Time, nth: u32) -> FlowRecord {
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
        "reverse" if value == "unknown" => flow.reverse_total = None,
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
        "country" => flow.responder_place = place(line, value),
        "icountry" => flow.initiator_place = place(line, value),
        "vlan" => flow.key.vlan = Some(number() as u16),
        "ttl" => flow.forward_ttl = number() as u8,
        "sighted" => sighted(line, &mut flow.sightings, value),
        "syn" => {
            let (bytes, window) = value.split_once('/').unwrap_or_else(|| line.bad(value));
            flow.syn_bytes = bytes.parse().unwrap_or_else(|_| line.bad(value));
            flow.syn_window = window.parse().unwrap_or_else(|_| line.bad(value));
        }
        "state" => flow.conn_state = conn_state(value),
        "phase" if value == "update" => flow.phase = Phase::Update,
        _ => line.bad(name),
    }
}

/// A place in the country of two letters.
fn place(line: &Line<'_>, value: &str) -> Place {
    Place {
        country: Some(Country::from_code(value).unwrap_or_else(|| line.bad(value))),
        as_number: None,
    }
}

fn conn_state(word: &str) -> ConnState {
    use ConnState::{Oth, Rej, RstO, RstOS0, RstR, RstRH, S0, S1, S2, S3, SF, Sh, ShR};
    let all = [S0, S1, SF, Rej, S2, S3, RstO, RstR, RstOS0, RstRH, Sh, ShR, Oth];
    all.into_iter()
        .find(|state| state.word() == word)
        .unwrap_or_else(|| panic!("{word:?} is no connection state"))
}
