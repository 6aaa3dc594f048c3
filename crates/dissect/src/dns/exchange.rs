//! A question and its answer as a transaction: the fields, and what of a message fills them.
//! Each field is set once per side, so rows are pushed without looking for an earlier value.

use weir_model::{Kind, Outcome, Protocol, Time, Transaction, Value};

use super::message::{Header, Question, Record};
use super::{RECORDS_MAX, codes, name};
use crate::Sink;

/// Answers whose data is kept; real answers have fewer, floods should not fill the store.
const ANSWERS_MAX: usize = 16;

pub(crate) mod fields {
    crate::fields::fields! {
        QUERY = text("dns.query", "Name asked for, lower case");
        TYPE = text("dns.type", "Record type asked for");
        TYPE_CODE = number("dns.type_code", "Record type asked for, number");
        CLASS = text("dns.class", "Class asked for, when not IN");
        OPCODE = number("dns.opcode", "Kind of message, when not a query");
        ID = number("dns.id", "Message id");
        RD = flag("dns.rd", "Recursion desired");
        QUERY_BYTES = number("dns.query_bytes", "Size of the question message, bytes");
        TRIES = number("dns.tries", "Times the same question was sent, when repeated");
        ANSWERED = flag("dns.answered", "Answered; absent where answers go elsewhere (multicast)");
        RCODE = text("dns.rcode", "Response code");
        AA = flag("dns.aa", "Authoritative answer");
        TC = flag("dns.tc", "Answer cut short by the server");
        RA = flag("dns.ra", "Recursion available");
        ANSWER_BYTES = number("dns.answer_bytes", "Size of the answer message, bytes");
        ANSWER_COUNT = number("dns.answer_count", "Answer records");
        TTL_MIN = number("dns.ttl_min", "Smallest time to live of the answers, seconds");
        ANSWERS = texts("dns.answers", "Data of the first answers");
    }
}

/// An answer nobody asked for in this message (mDNS announcements): named after its first record.
pub(crate) fn announced(bytes: &[u8], header: Header, records_at: usize) -> Option<Question> {
    if header.counts[1] == 0 {
        return None;
    }
    let record = Record::read(bytes, records_at)?;
    let mut name = String::new();
    name::read(bytes, record.owner_at, &mut name)?;
    Some(Question {
        name,
        kind: record.kind,
        class: 1,
    })
}

/// A transaction with what the question says.
pub(crate) fn begin(header: Header, question: Question, time: Time, sink: &Sink<'_>) -> Transaction {
    let mut transaction = sink.begin(Protocol::Dns, Kind::Query, time);
    transaction.fields.reserve_exact(fields::ALL.len());
    transaction.fields.extend([
        (&fields::QUERY, Value::Text(question.name.into())),
        (&fields::TYPE, Value::Text(codes::type_text(question.kind))),
        (&fields::TYPE_CODE, Value::Number(question.kind.into())),
        (&fields::ID, Value::Number(header.id.into())),
    ]);
    if question.class != 1 {
        transaction.set_text(&fields::CLASS, codes::class_text(question.class));
    }
    if header.opcode() != 0 {
        transaction.set_number(&fields::OPCODE, header.opcode());
    }
    transaction
}

/// Adds what the answer says; false when its records are cut or broken.
pub(crate) fn set_answer(
    transaction: &mut Transaction,
    bytes: &[u8],
    header: Header,
    records_at: usize,
) -> bool {
    let [_, answers, authorities, additionals] = header.counts;
    let (mut at, mut rcode, mut ttl_min, mut whole) = (records_at, header.rcode(), None, true);
    let mut texts = Vec::new();
    let count = u32::from(answers) + u32::from(authorities) + u32::from(additionals);
    for index in 0..count.min(RECORDS_MAX.into()) {
        let Some(record) = Record::read(bytes, at) else {
            whole = header.truncated();
            break;
        };
        at = record.end();
        if index < u32::from(answers) {
            ttl_min = Some(ttl_min.map_or(record.ttl, |least: u32| least.min(record.ttl)));
            if texts.len() < ANSWERS_MAX {
                texts.push(record.data_text(bytes));
            }
        } else if let Some(high) = record.extended_rcode() {
            rcode |= high << 4;
        }
    }
    transaction.outcome = if rcode == 0 {
        Outcome::Accepted
    } else {
        Outcome::Refused
    };
    transaction.fields.extend([
        (&fields::ANSWERED, Value::Flag(true)),
        (&fields::RCODE, Value::Text(codes::rcode_text(rcode))),
        (&fields::AA, Value::Flag(header.authoritative())),
        (&fields::TC, Value::Flag(header.truncated())),
        (&fields::RA, Value::Flag(header.recursion_available())),
        (&fields::ANSWER_BYTES, Value::Number(bytes.len() as u64)),
        (&fields::ANSWER_COUNT, Value::Number(answers.into())),
    ]);
    if let Some(ttl) = ttl_min {
        transaction
            .fields
            .push((&fields::TTL_MIN, Value::Number(ttl.into())));
    }
    if !texts.is_empty() {
        transaction.fields.push((&fields::ANSWERS, Value::Texts(texts)));
    }
    whole
}
