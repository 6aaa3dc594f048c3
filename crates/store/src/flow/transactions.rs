//! The table of transactions: when, of which flow, which protocol, kind and outcome, and the named values as one JSON
//! text, because every protocol has others. The columns it shares with flow records are the same columns.

use std::sync::{Arc, LazyLock};

use arrow_array::types::{UInt8Type, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field as ArrowField, Schema, SchemaRef};
use serde_json::{Map, Value as Json};
use weir_model::{Field, FieldKind, FlowId, FlowRecord, Kind, Outcome, Transaction, Value};

use super::batch::{BatchError, Numbers, array, found, primitive, restore, text_values, texts, words_array};
use super::row::Row;
use super::schema::{self, COLUMNS, Codec, Column, Form};

/// Name of the table.
pub const TRANSACTIONS: &str = "transactions";

/// Columns shared with flow records, as the key, the moments and the protocol say them.
const SHARED: &[&str] = &[
    "start",
    "start_us",
    "start_ns",
    "duration_ms",
    "end_us",
    "end_ns",
    "ethertype",
    "vlan",
    "proto",
    "src_ip_hi",
    "src_ip_lo",
    "src_port",
    "dst_ip_hi",
    "dst_ip_lo",
    "dst_port",
    "src_selector",
    "dst_selector",
    "app",
    "src_inside",
    "dst_inside",
];

const KINDS: [Kind; 9] = [
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

const KIND_WORDS: &[&str] = &{
    let mut words = [""; KINDS.len()];
    let mut at = 0;
    while at < KINDS.len() {
        words[at] = KINDS[at].word();
        at += 1;
    }
    words
};

const OUTCOMES: &[&str] = &["accepted", "refused"];

/// Columns of transactions alone.
const OWN: [(&str, Form, Codec, bool); 4] = [
    ("flow_id", Form::U64, Codec::Dictionary, false),
    ("kind", Form::Words(KIND_WORDS), Codec::Dictionary, false),
    ("outcome", Form::Words(OUTCOMES), Codec::Dictionary, true),
    ("fields", Form::Text, Codec::Dictionary, true),
];

pub(super) fn shared() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| SHARED.contains(&column.name))
}

/// Layout by column.
pub(super) fn codecs() -> Vec<(&'static str, Codec)> {
    let own = OWN.iter().map(|(name, _, codec, _)| (*name, *codec));
    shared()
        .map(|column| (column.name, column.codec))
        .chain(own)
        .collect()
}

/// The Arrow schema of the table.
pub(super) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields = shared().map(|column| ArrowField::new(column.name, column.data_type(), column.nullable));
        let own = OWN
            .iter()
            .map(|(name, form, _, nullable)| ArrowField::new(*name, schema::data_type(*form), *nullable));
        let fields: Vec<ArrowField> = fields.chain(own).collect();
        Arc::new(Schema::new_with_metadata(fields, schema::metadata(TRANSACTIONS)))
    });
    SCHEMA.clone()
}

/// A flow record that says of key, moments and protocol what the transaction says.
pub(super) fn stand_in(transaction: &Transaction) -> FlowRecord {
    let mut flow = FlowRecord::new(transaction.key, transaction.start);
    flow.end = transaction.end;
    flow.protocol = Some(transaction.protocol);
    flow.initiator_inside = transaction.initiator_inside;
    flow.responder_inside = transaction.responder_inside;
    flow
}

/// A row of the table.
pub(super) struct Line {
    /// Says of key, moments and protocol what the transaction says.
    shared: FlowRecord,
    flow: u64,
    /// Place in [`KINDS`] and in [`OUTCOMES`].
    kind: Option<u64>,
    outcome: Option<u64>,
    /// JSON.
    fields: Option<String>,
}

impl Line {
    /// A row whose kind and outcome are told by their words.
    pub(super) fn new(
        flow: u64,
        shared: FlowRecord,
        kind: &str,
        outcome: Option<&str>,
        fields: Option<&str>,
    ) -> Self {
        let place = |words: &[&str], word: &str| {
            let place = words.iter().position(|known| *known == word);
            place.map(|at| at as u64)
        };
        Self {
            shared,
            flow,
            kind: place(KIND_WORDS, kind),
            outcome: outcome.and_then(|word| place(OUTCOMES, word)),
            fields: fields.map(str::to_owned),
        }
    }

    fn of(one: &Transaction) -> Self {
        let fields = json(&one.fields);
        let (kind, outcome) = (one.kind.word(), one.outcome.word());
        Self::new(one.flow.0, stand_in(one), kind, outcome, fields.as_deref())
    }
}

/// The transactions as a batch of [`schema`].
pub fn to_transaction_batch(transactions: &[Transaction]) -> Result<RecordBatch, BatchError> {
    batch(transactions.iter().map(Line::of).collect())
}

/// Rows as a batch of [`schema`].
pub(super) fn batch(lines: Vec<Line>) -> Result<RecordBatch, BatchError> {
    let each = || lines.iter();
    let own: [ArrayRef; OWN.len()] = [
        Arc::new(primitive::<UInt64Type>(
            each().map(|line| Some(line.flow)),
            |id| id,
        )),
        words_array(
            KIND_WORDS,
            primitive::<UInt8Type>(each().map(|line| line.kind), |v| v as u8),
        ),
        words_array(
            OUTCOMES,
            primitive::<UInt8Type>(each().map(|line| line.outcome), |v| v as u8),
        ),
        texts(each().map(|line| line.fields.as_deref())),
    ];
    let flows: Vec<FlowRecord> = lines.into_iter().map(|line| line.shared).collect();
    let columns = shared().map(|column| array(column, &flows)).chain(own);
    RecordBatch::try_new(schema(), columns.collect()).map_err(|error| BatchError::Arrow(error.to_string()))
}

/// Values by the names of their fields.
pub(super) fn json(fields: &[(&'static Field, Value)]) -> Option<String> {
    let pairs = fields.iter().map(|(field, value)| {
        let value = match value {
            Value::Number(number) => Json::from(*number),
            Value::Text(text) => Json::from(&**text),
            Value::Flag(flag) => Json::from(*flag),
            Value::Ip(ip) => Json::from(ip.to_string()),
            Value::Mac(mac) => Json::from(mac.to_string()),
            Value::Texts(all) => all.iter().map(|text| Json::from(&**text)).collect(),
        };
        (field.name.to_owned(), value)
    });
    let object: Map<String, Json> = pairs.collect();
    (!object.is_empty()).then(|| Json::Object(object).to_string())
}

/// The transactions of a batch. `field` knows the dissectors' fields by name; values of others, which a later or
/// earlier version had, are left out, as are rows of a protocol or kind this one does not know.
pub fn to_transactions(
    batch: &RecordBatch,
    field: impl Fn(&str) -> Option<&'static Field>,
) -> Result<Vec<Transaction>, BatchError> {
    let rows = batch.num_rows();
    let mut flows: Vec<Row> = (0..rows).map(|_| Row::new()).collect();
    for column in shared() {
        if let Some(array) = found(batch, column.name, column.form)? {
            restore(column, array, &mut flows);
        }
    }
    let numbers = |at: usize| -> Result<Vec<Option<u64>>, BatchError> {
        let (name, form, ..) = OWN[at];
        Ok(match found(batch, name, form)? {
            Some(array) => {
                let numbers = Numbers::of(array, form);
                (0..rows).map(|row| numbers.value(row)).collect()
            }
            None => vec![None; rows],
        })
    };
    let (ids, kinds, outcomes) = (numbers(0)?, numbers(1)?, numbers(2)?);
    let fields = found(batch, OWN[3].0, OWN[3].1)?.map(text_values);
    let mut transactions = Vec::with_capacity(rows);
    for (row, flow) in flows.into_iter().map(Row::record).enumerate() {
        let kind = kinds[row].and_then(|code| KINDS.get(code as usize));
        let (Some(kind), Some(protocol)) = (kind, flow.protocol) else {
            continue;
        };
        let id = FlowId(ids[row].unwrap_or(flow.id.0));
        let mut one = Transaction::new(id, flow.key, protocol, *kind, flow.start);
        one.end = flow.end;
        one.outcome = match outcomes[row] {
            Some(0) => Outcome::Accepted,
            Some(1) => Outcome::Refused,
            _ => Outcome::Unknown,
        };
        (one.initiator_inside, one.responder_inside) = (flow.initiator_inside, flow.responder_inside);
        let text = fields.as_ref().and_then(|fields| fields[row]);
        one.fields = text.map(|text| values(text, &field)).unwrap_or_default();
        transactions.push(one);
    }
    Ok(transactions)
}

fn values(text: &str, field: &impl Fn(&str) -> Option<&'static Field>) -> Vec<(&'static Field, Value)> {
    let Ok(Json::Object(object)) = serde_json::from_str(text) else {
        return Vec::new();
    };
    let pairs = object.into_iter().filter_map(|(name, json)| {
        let field = field(&name)?;
        Some((field, value(field.kind, json)?))
    });
    pairs.collect()
}

fn value(kind: FieldKind, json: Json) -> Option<Value> {
    let text = |json: Json| match json {
        Json::String(text) => Some(text.into_boxed_str()),
        _ => None,
    };
    match kind {
        FieldKind::Number => json.as_u64().map(Value::Number),
        FieldKind::Text => text(json).map(Value::Text),
        FieldKind::Flag => json.as_bool().map(Value::Flag),
        FieldKind::Ip => text(json)?.parse().ok().map(Value::Ip),
        FieldKind::Mac => text(json)?.parse().ok().map(Value::Mac),
        FieldKind::Texts => match json {
            Json::Array(all) => all.into_iter().map(text).collect::<Option<_>>().map(Value::Texts),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_model::{Mac, Protocol};

    use super::*;
    use crate::flow::tests::records::flow;

    static FIELDS: [Field; 6] = [
        Field::flag("a.flag", ""),
        Field::ip("a.ip", ""),
        Field::mac("a.mac", ""),
        Field::number("a.number", ""),
        Field::text("a.text", ""),
        Field::texts("a.texts", ""),
    ];

    fn known(name: &str) -> Option<&'static Field> {
        FIELDS.iter().find(|field| field.name == name)
    }

    prop_compose! {
        fn transaction()(
            flow in flow().boxed(),
            id in any::<u64>(),
            protocol in prop::sample::select(Protocol::ALL),
            (kind, outcome) in (0..KINDS.len(), 0..3_usize),
            kept in any::<[bool; 6]>(),
            (flag, ip, mac) in any::<(bool, std::net::IpAddr, [u8; 6])>(),
            number in any::<u64>(),
            text in any::<String>(),
            texts in prop::collection::vec(any::<String>(), 0..3),
        ) -> Transaction {
            let mut one = Transaction::new(FlowId(id), flow.key, protocol, KINDS[kind], flow.start);
            one.end = flow.end;
            one.outcome = [Outcome::Unknown, Outcome::Accepted, Outcome::Refused][outcome];
            (one.initiator_inside, one.responder_inside) = (flow.initiator_inside, flow.responder_inside);
            let values = [
                Value::Flag(flag),
                Value::Ip(ip),
                Value::Mac(Mac(mac)),
                Value::Number(number),
                Value::Text(text.into()),
                Value::Texts(texts.into_iter().map(Into::into).collect()),
            ];
            for ((field, value), kept) in FIELDS.iter().zip(values).zip(kept) {
                if kept {
                    one.set(field, value);
                }
            }
            one
        }
    }

    proptest! {
        #[test]
        fn transactions_come_back(all in prop::collection::vec(transaction().boxed(), 0..10)) {
            let batch = to_transaction_batch(&all).unwrap();
            prop_assert_eq!(batch.schema(), schema());
            prop_assert_eq!(to_transactions(&batch, known).unwrap(), all);
        }
    }

    #[test]
    fn fields_nobody_knows_are_left_out() {
        let flow = crate::flow::tests::records::plain(1);
        let mut one = Transaction::new(flow.id, flow.key, Protocol::Dns, Kind::Query, flow.start);
        one.set_number(&FIELDS[3], 7_u8);
        let batch = to_transaction_batch(std::slice::from_ref(&one)).unwrap();
        one.fields.clear();
        assert_eq!(to_transactions(&batch, |_| None).unwrap(), [one]);
    }
}
