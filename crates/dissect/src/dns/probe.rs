//! Are these bytes DNS? On the usual ports a plausible head and name are enough; anywhere else only a message that is
//! DNS beyond doubt is taken, because a false match would hide the real protocol.

use super::RECORDS_MAX;
use super::message::{self as wire, HEADER_BYTES, Header, Question, Record};
use super::{codes, name};
use crate::Probe;

/// Bytes of the smallest question: root name, type, class.
const QUESTION_BYTES_MIN: usize = 5;
/// Bytes of the smallest record: root name, type, class, TTL, length.
const RECORD_BYTES_MIN: usize = 11;
/// Questions in one message that mDNS senders really use.
const QUESTIONS_MAX: u16 = 64;

/// Looks at a datagram or at the start of a TCP stream. Which of them is not known here: a stream starts with its own
/// length, which no id and flags imitate.
pub(crate) fn probe(data: &[u8], usual: bool) -> Probe {
    match (message(data, usual), stream(data, usual)) {
        (Probe::Match, _) | (_, Probe::Match) => Probe::Match,
        (Probe::NoMatch, Probe::NoMatch) => Probe::NoMatch,
        _ => Probe::NeedMore,
    }
}

/// Could this be a message? Away from the usual ports only what is DNS beyond doubt.
fn message(data: &[u8], usual: bool) -> Probe {
    let Some(header) = Header::read(data) else {
        return Probe::NoMatch;
    };
    let [questions, answers, authorities, additionals] = header.counts;
    let known_opcode = matches!(header.opcode(), 0 | 4 | 5);
    if header.reserved() || !known_opcode || (!header.is_answer() && header.rcode() != 0) {
        return Probe::NoMatch;
    }
    if usual {
        let records = usize::from(questions) * QUESTION_BYTES_MIN
            + (usize::from(answers) + usize::from(authorities)) * RECORD_BYTES_MIN;
        let plausible = (questions > 0 || answers > 0)
            && questions <= QUESTIONS_MAX
            && records <= data.len() - HEADER_BYTES;
        let named = name::skip(data, HEADER_BYTES).is_some();
        return if plausible && named {
            Probe::Match
        } else {
            Probe::NoMatch
        };
    }
    let question_only = !header.is_answer() && answers == 0 && authorities == 0 && additionals <= 2;
    if questions != 1 || !(question_only || header.is_answer()) {
        return Probe::NoMatch;
    }
    match wire::question(data, HEADER_BYTES) {
        Some((question, end)) if is_ordinary(&question) && records_fit(data, end, header) => Probe::Match,
        _ => Probe::NoMatch,
    }
}

/// A question nobody would take for something else.
fn is_ordinary(question: &Question) -> bool {
    codes::known_type(question.kind).is_some()
        && matches!(question.class, 1 | 3 | 255)
        && question.name.len() > 1
}

/// Do the records the head announces follow, and nothing else? Cut captures fail here, and are taken on usual ports only.
fn records_fit(data: &[u8], mut at: usize, header: Header) -> bool {
    let count = header.counts[1..]
        .iter()
        .map(|&count| u32::from(count))
        .sum::<u32>();
    for _ in 0..count.min(u32::from(RECORDS_MAX)) {
        match Record::read(data, at) {
            Some(record) => at = record.end(),
            None => return header.truncated(),
        }
    }
    at == data.len()
}

/// Could this be the start of a TCP stream of messages?
fn stream(data: &[u8], usual: bool) -> Probe {
    let Some((prefix, body)) = data.split_first_chunk::<2>() else {
        return if usual { Probe::NeedMore } else { Probe::NoMatch };
    };
    let len = usize::from(u16::from_be_bytes(*prefix));
    if len < HEADER_BYTES + QUESTION_BYTES_MIN {
        return Probe::NoMatch;
    }
    if let Some(body) = body.get(..len) {
        return message(body, usual);
    }
    match Header::read(body) {
        None if usual => Probe::NeedMore,
        Some(header)
            if header.counts[0] == 1 && !header.reserved() && matches!(header.opcode(), 0 | 4 | 5) =>
        {
            match wire::question(body, HEADER_BYTES) {
                Some((question, _)) if is_ordinary(&question) => Probe::Match,
                Some(_) => Probe::NoMatch,
                None if usual => Probe::NeedMore,
                None => Probe::NoMatch,
            }
        }
        _ => Probe::NoMatch,
    }
}
