//! How records lie in ClickHouse. Columns carry the names of the filter language, so that its SQL fits and people read
//! them; what is physical only (`schema::COLUMNS`) keeps its name. Differences to the parts: moments and addresses are
//! ClickHouse's own types, the flow id is stored, and what follows from other columns is an ALIAS, computed when asked.
//!
//! `day` and `hour` are the writer's: rows are partitioned by the one and sorted by the other. They are the start's, except
//! where stamps are hostile (`spool` bounds the days of a block), which keeps the number of partitions small.

use weir_model::{FlowId, FlowRecord, Time, Transaction};
use weir_query::address;

use super::super::row::{self, Moment};
use super::super::schema::{COLUMNS, Column as Physical, Form, Read, Write};
use super::super::transactions;
use super::Place;
use super::rows::{Reader, Row};

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Flows,
    Transactions,
}

/// Order of rows in the flow table, and of lists that ask for none.
pub(in crate::flow) const FLOWS_ORDER: &str =
    "\"site\", \"hour\", \"src_ip\", \"dst_ip\", \"dst_port\", \"start\"";

/// The same of the table of transactions.
pub(in crate::flow) const TRANSACTIONS_ORDER: &str = "\"site\", \"hour\", \"flow_number\", \"start\"";

/// A column as it is stored.
pub(super) enum Stored {
    Site,
    Day,
    Hour,
    Start,
    /// End less start, nanoseconds.
    Duration,
    /// Start less the flow's start, nanoseconds, where the record is not the flow's first.
    Before,
    Id,
    Address(fn(&FlowRecord) -> Option<u128>),
    Physical(&'static Physical),
    /// Of transactions.
    Kind,
    Outcome,
    Fields,
}

/// Physical columns that others stand for.
const REPLACED: [&str; 16] = [
    "start",
    "start_us",
    "start_ns",
    "duration_ms",
    "end_us",
    "end_ns",
    "before_ms",
    "flow_start_us",
    "flow_start_ns",
    "flow_id",
    "src_ip_hi",
    "src_ip_lo",
    "dst_ip_hi",
    "dst_ip_lo",
    "exporter_hi",
    "exporter_lo",
];

fn addressed(flow: &FlowRecord) -> bool {
    flow.key.has_addresses()
}

const SRC: Stored = Stored::Address(|f| addressed(f).then(|| address(f.key.initiator_ip)));
const DST: Stored = Stored::Address(|f| addressed(f).then(|| address(f.key.responder_ip)));
const EXPORTER: Stored = Stored::Address(|f| f.exporter.map(address));

/// Where a row is put.
#[derive(Clone, Copy)]
pub(super) struct Put<'a> {
    pub(super) site: &'a str,
    /// Days since 1970.
    pub(super) day: u16,
}

impl Table {
    pub(super) const ALL: [Self; 2] = [Self::Flows, Self::Transactions];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Flows => super::super::schema::FLOWS,
            Self::Transactions => super::super::TRANSACTIONS,
        }
    }

    pub(super) const fn order(self) -> &'static str {
        match self {
            Self::Flows => FLOWS_ORDER,
            Self::Transactions => TRANSACTIONS_ORDER,
        }
    }

    pub(super) fn stored(self) -> Vec<(&'static str, Stored)> {
        let mut columns = vec![
            ("site", Stored::Site),
            ("day", Stored::Day),
            ("hour", Stored::Hour),
            ("start", Stored::Start),
            ("duration_ns", Stored::Duration),
        ];
        columns.extend(match self {
            Self::Flows => vec![("before_ns", Stored::Before)],
            Self::Transactions => Vec::new(),
        });
        columns.extend([("flow_number", Stored::Id), ("src_ip", SRC), ("dst_ip", DST)]);
        let physical = |column: &'static Physical| (column.name, Stored::Physical(column));
        let kept = |column: &&Physical| !REPLACED.contains(&column.name);
        match self {
            Self::Flows => {
                columns.push(("exporter", EXPORTER));
                columns.extend(COLUMNS.iter().filter(kept).map(physical));
            }
            Self::Transactions => {
                columns.extend(transactions::shared().filter(kept).map(physical));
                columns.extend([
                    ("kind", Stored::Kind),
                    ("outcome", Stored::Outcome),
                    ("fields", Stored::Fields),
                ]);
            }
        }
        columns
    }

    /// The head of an INSERT of rows as [`write_flow`] and [`write_transaction`] make them.
    pub(super) fn insert(self, place: &Place) -> String {
        let columns = self.stored();
        let names: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        format!(
            "INSERT INTO \"{}\".\"{}\" ({}) FORMAT RowBinary",
            place.database,
            self.name(),
            names.join(", ")
        )
    }
}

impl Stored {
    pub(super) fn sql_type(&self) -> String {
        let text = |nullable| match nullable {
            true => "LowCardinality(Nullable(String))".to_owned(),
            false => "LowCardinality(String)".to_owned(),
        };
        match self {
            Self::Site | Self::Kind => text(false),
            Self::Outcome => text(true),
            Self::Day => "Date".to_owned(),
            Self::Hour => "DateTime('UTC')".to_owned(),
            Self::Start => "DateTime64(9, 'UTC')".to_owned(),
            Self::Duration => "Int64".to_owned(),
            Self::Before => "Nullable(Int64)".to_owned(),
            Self::Id => "UInt64".to_owned(),
            Self::Address(_) => "Nullable(IPv6)".to_owned(),
            Self::Fields => "Nullable(String)".to_owned(),
            Self::Physical(column) => {
                let plain = match column.form {
                    Form::Words(_) | Form::Text => return text(column.nullable),
                    Form::U8 => "UInt8",
                    Form::U16 => "UInt16",
                    Form::U32 => "UInt32",
                    Form::U64 => "UInt64",
                    Form::I64 | Form::Millis => "Int64",
                    Form::Flag => "Bool",
                };
                match column.nullable {
                    true => format!("Nullable({plain})"),
                    false => plain.to_owned(),
                }
            }
        }
    }

    pub(super) fn codec(&self) -> &'static str {
        match self {
            Self::Start | Self::Day | Self::Hour => "CODEC(Delta, ZSTD(1))",
            Self::Id => "CODEC(NONE)",
            _ => "CODEC(ZSTD(1))",
        }
    }

    fn write(&self, flow: &FlowRecord, put: Put<'_>, row: &mut Row<'_>) {
        match self {
            Self::Site => row.text(put.site),
            Self::Day => row.number(put.day.into(), 2),
            Self::Hour => {
                let seconds = flow.start.0.div_euclid(weir_model::NANOS_PER_S);
                let hour = seconds.clamp(0, u32::MAX.into()) / 3600 * 3600;
                row.number(hour.cast_unsigned(), 4);
            }
            Self::Start => row.number(flow.start.0.cast_unsigned(), 8),
            Self::Duration => row.number(flow.end.0.wrapping_sub(flow.start.0).cast_unsigned(), 8),
            Self::Before => {
                if row.mark(flow.flow_start != flow.start) {
                    row.number(flow.start.0.wrapping_sub(flow.flow_start.0).cast_unsigned(), 8);
                }
            }
            Self::Id => row.number(flow.id.0, 8),
            Self::Address(of) => match of(flow) {
                Some(address) => {
                    row.mark(true);
                    row.address(address);
                }
                None => _ = row.mark(false),
            },
            Self::Physical(column) => physical(column, flow, row),
            Self::Kind | Self::Outcome | Self::Fields => {}
        }
    }

    /// Reads the value into a row on its way back.
    fn read(&self, name: &str, reader: &mut Reader<'_>, row: &mut row::Row) -> Option<()> {
        match self {
            Self::Start => row.start = Moment::of(Time(reader.number(8)?.cast_signed())),
            Self::Duration => {
                let duration = reader.number(8)?.cast_signed();
                let end = Moment::of(Time(row.start.time().0.wrapping_add(duration)));
                row.duration_ms = end.millis - row.start.millis;
                row.end = end;
            }
            Self::Before => {
                if reader.mark()? {
                    let before = reader.number(8)?.cast_signed();
                    let first = Moment::of(Time(row.start.time().0.wrapping_sub(before)));
                    row.flow_start = (Some(row.start.millis - first.millis), first.us, first.ns);
                }
            }
            Self::Id => row.id = Some(FlowId(reader.number(8)?).0),
            Self::Address(_) => {
                if reader.mark()? {
                    let address = reader.address()?;
                    let halves = ((address >> 64) as u64, address as u64);
                    match name {
                        "src_ip" => row.src = halves,
                        "dst_ip" => row.dst = halves,
                        _ => row.exporter = Some(halves),
                    }
                }
            }
            Self::Physical(column) => {
                if column.nullable && !reader.mark()? {
                    return Some(());
                }
                match (&column.write, column.form) {
                    (Write::Text(write), _) => write(row, reader.text()?),
                    (Write::Number(write), Form::Words(words)) => {
                        let word = reader.text()?;
                        let code = words.iter().position(|known| *known == word);
                        write(row, code.unwrap_or(words.len()) as u64);
                    }
                    (Write::Number(write), form) => write(row, reader.number(width(form))?),
                }
            }
            Self::Site | Self::Day | Self::Hour | Self::Kind | Self::Outcome | Self::Fields => {}
        }
        Some(())
    }
}

fn width(form: Form) -> usize {
    match form {
        Form::U8 | Form::Flag | Form::Words(_) | Form::Text => 1,
        Form::U16 => 2,
        Form::U32 => 4,
        Form::U64 | Form::I64 | Form::Millis => 8,
    }
}

fn physical(column: &Physical, flow: &FlowRecord, row: &mut Row<'_>) {
    match column.read {
        Read::Text(read) => match read(flow) {
            Some(text) => {
                row.mark(true);
                row.text(text);
            }
            None => _ = row.mark(false),
        },
        Read::Number(read) => {
            let value = read(flow);
            if column.nullable && !row.mark(value.is_some()) {
                return;
            }
            let value = value.unwrap_or_default();
            match column.form {
                Form::Words(words) => row.text(words.get(value as usize).copied().unwrap_or_default()),
                form => row.number(value, width(form)),
            }
        }
    }
}

/// Appends a flow record as a row.
pub(super) fn write_flow(flow: &FlowRecord, put: Put<'_>, out: &mut Vec<u8>) {
    static STORED: std::sync::LazyLock<Vec<(&'static str, Stored)>> =
        std::sync::LazyLock::new(|| Table::Flows.stored());
    let mut row = Row(out);
    for (_, stored) in &*STORED {
        stored.write(flow, put, &mut row);
    }
}

/// Appends a transaction as a row.
pub(super) fn write_transaction(one: &Transaction, put: Put<'_>, out: &mut Vec<u8>) {
    static STORED: std::sync::LazyLock<Vec<(&'static str, Stored)>> =
        std::sync::LazyLock::new(|| Table::Transactions.stored());
    let mut flow = transactions::stand_in(one);
    flow.id = one.flow;
    let mut row = Row(out);
    for (_, stored) in &*STORED {
        match stored {
            Stored::Kind => row.text(one.kind.word()),
            Stored::Outcome => maybe(one.outcome.word(), &mut row),
            Stored::Fields => maybe(transactions::json(&one.fields).as_deref(), &mut row),
            other => other.write(&flow, put, &mut row),
        }
    }
}

fn maybe(text: Option<&str>, row: &mut Row<'_>) {
    row.mark(text.is_some());
    if let Some(text) = text {
        row.text(text);
    }
}

/// The stored columns that [`record`] reads, in its order. The first three say where a row lies and are not read back.
pub(in crate::flow) fn read_columns() -> impl Iterator<Item = &'static str> {
    Table::Flows.stored().into_iter().skip(3).map(|(name, _)| name)
}

/// The next record of an answer with [`read_columns`]; `None` when the bytes are none.
pub(in crate::flow) fn record(reader: &mut Reader<'_>) -> Option<FlowRecord> {
    static STORED: std::sync::LazyLock<Vec<(&'static str, Stored)>> =
        std::sync::LazyLock::new(|| Table::Flows.stored());
    let mut row = row::Row::new();
    for (name, stored) in STORED.iter().skip(3) {
        stored.read(name, reader, &mut row)?;
    }
    Some(row.record())
}

/// The stored columns that [`transaction`] reads, in its order.
pub(in crate::flow) fn transaction_columns() -> impl Iterator<Item = &'static str> {
    Table::Transactions
        .stored()
        .into_iter()
        .skip(3)
        .map(|(name, _)| name)
}

/// The next transaction of an answer with [`transaction_columns`]; `None` when the bytes are none.
pub(in crate::flow) fn transaction(reader: &mut Reader<'_>) -> Option<transactions::Line> {
    static STORED: std::sync::LazyLock<Vec<(&'static str, Stored)>> =
        std::sync::LazyLock::new(|| Table::Transactions.stored());
    let mut row = row::Row::new();
    let (mut kind, mut outcome, mut fields) = (None, None, None);
    for (name, stored) in STORED.iter().skip(3) {
        match stored {
            Stored::Kind => kind = Some(reader.text()?),
            Stored::Outcome => outcome = text(reader)?,
            Stored::Fields => fields = text(reader)?,
            other => other.read(name, reader, &mut row)?,
        }
    }
    let flow = row.id.unwrap_or_default();
    Some(transactions::Line::new(
        flow,
        row.record(),
        kind?,
        outcome,
        fields,
    ))
}

/// A text that may be missing; the outer `None` says that the bytes are none.
fn text<'a>(reader: &mut Reader<'a>) -> Option<Option<&'a str>> {
    match reader.mark()? {
        true => reader.text().map(Some),
        false => Some(None),
    }
}
