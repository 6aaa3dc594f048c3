//! How records lie in ClickHouse. Columns carry the names of the filter language, so that its SQL fits and people read
//! them; what is physical only (`schema::COLUMNS`) keeps its name. Differences to the parts: moments and addresses are
//! ClickHouse's own types, the flow id is stored, and what follows from other columns is an ALIAS, computed when asked.
//!
//! `day` and `hour` are the writer's: rows are partitioned by the one and sorted by the other. They are the start's, except
//! where stamps are hostile (`spool` bounds the days of a block), which keeps the number of partitions small.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use weir_model::{FlowId, FlowRecord, Time, Transaction};
use weir_query::address;

use super::super::row::{self, Moment};
use super::super::schema::{COLUMNS, Column as Physical, Form, Read, VERSION, Write};
use super::super::transactions;
use super::rows::{Reader, Row};
use super::{Client, ClientError, Place};

/// Blocks whose tokens a table remembers: hours of one block a second.
const TOKENS_KEPT: u32 = 20_000;

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

/// Where the tables of a definition lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One server.
    Server,
    /// Shards and replicas of the cluster of this name: local tables and one over all of them.
    Cluster(String),
}

/// A column as it is stored.
enum Stored {
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

    const fn order(self) -> &'static str {
        match self {
            Self::Flows => FLOWS_ORDER,
            Self::Transactions => TRANSACTIONS_ORDER,
        }
    }

    fn stored(self) -> Vec<(&'static str, Stored)> {
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
    fn sql_type(&self) -> String {
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

    fn codec(&self) -> &'static str {
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

/// Columns that follow from others: name, type, expression.
fn aliases(table: Table) -> Vec<(&'static str, &'static str, String)> {
    const MOMENT: &str = "DateTime64(9, 'UTC')";
    let moment = |sign: &str| format!("fromUnixTimestamp64Nano(toUnixTimestamp64Nano(start) {sign}, 'UTC')");
    let mut aliases = vec![
        ("end", MOMENT, moment("+ duration_ns")),
        ("flow_id", "String", "lower(hex(flow_number))".to_owned()),
        ("community_id", "Nullable(String)", community_id()),
    ];
    if table == Table::Flows {
        let error = "if(icmp_error_type IS NULL, NULL, concat(toString(icmp_error_type), '/', toString(icmp_error_code)))";
        aliases.push(("flow_start", MOMENT, moment("- coalesce(before_ns, 0)")));
        aliases.push(("icmp_error", "Nullable(String)", error.to_owned()));
    }
    aliases
}

/// The Community ID of `weir_model::community_id`, with seed 0, as an expression: twenty random bytes a row are dearer to
/// store than to compute for the rows that are asked.
fn community_id() -> String {
    let one_way = "((proto = 1 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN (0, 8, 13, 14, 15, 16, 17, 18, 9, 10)) OR \
         (proto = 58 AND bitAnd(coalesce(src_selector, 0), 255) NOT IN \
         (128, 129, 130, 131, 133, 134, 135, 136, 139, 140, 144, 145)))";
    // Address and port of a side, as bytes: those of IPv4 are the last four.
    let side = |name: &str| {
        let port = format!("coalesce({name}_port, {name}_selector, 0)");
        let hex = format!("unhex(hex(coalesce({name}_ip, toIPv6('::'))))");
        format!(
            "concat(substring({hex}, if(ethertype = 2048, 13, 1)), char(bitShiftRight({port}, 8), bitAnd({port}, 255)))"
        )
    };
    let (from, to) = (side("src"), side("dst"));
    let ordered = |word: &str, plain: &str| format!("if({one_way}, {plain}, {word}({from}, {to}))");
    let hashed = "concat(char(0, 0), substring(a, 1, length(a) - 2), substring(b, 1, length(b) - 2), char(n, 0), \
         if(n IN (1, 6, 17, 58, 132), concat(substring(a, -2), substring(b, -2)), ''))";
    format!(
        "if(proto IS NULL, NULL, arrayElement(arrayMap((a, b, n) -> concat('1:', base64Encode(SHA1({hashed}))), \
         [{}], [{}], [coalesce(proto, 0)]), 1))",
        ordered("least", &from),
        ordered("greatest", &to)
    )
}

/// The comment of a table, which says which schema it has.
fn comment() -> String {
    format!("weir schema {VERSION}")
}

/// The statements that make the tables of a database, for people who make them by hand.
pub fn definition(database: &str, layout: &Layout, days: Option<u32>) -> Vec<String> {
    let mut statements = Vec::new();
    match layout {
        Layout::Server => statements.push(format!("CREATE DATABASE IF NOT EXISTS \"{database}\"")),
        Layout::Cluster(cluster) => {
            statements.push(format!(
                "CREATE DATABASE IF NOT EXISTS \"{database}\" ON CLUSTER '{cluster}'"
            ));
        }
    }
    for table in Table::ALL {
        statements.extend(create(table, database, layout, days));
    }
    statements
}

fn create(table: Table, database: &str, layout: &Layout, days: Option<u32>) -> Vec<String> {
    let name = table.name();
    let (local, engine, settings) = match layout {
        Layout::Server => (
            format!("\"{database}\".\"{name}\""),
            "MergeTree".to_owned(),
            // A block that was taken is on the disk; its token is known for hours.
            format!(
                ", fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = {TOKENS_KEPT}"
            ),
        ),
        Layout::Cluster(cluster) => (
            format!("\"{database}\".\"{name}_local\" ON CLUSTER '{cluster}'"),
            format!("ReplicatedMergeTree('/clickhouse/tables/{{shard}}/{database}/{name}', '{{replica}}')"),
            format!(", replicated_deduplication_window = {TOKENS_KEPT}"),
        ),
    };
    let mut text = format!("CREATE TABLE IF NOT EXISTS {local} (\n");
    for (name, stored) in table.stored() {
        let _ = writeln!(text, "    \"{name}\" {} {},", stored.sql_type(), stored.codec());
    }
    for (name, kind, expression) in aliases(table) {
        let _ = writeln!(text, "    \"{name}\" {kind} ALIAS {expression},");
    }
    // Sorted by hour, so the least and greatest start of a granule are near each other and rule it out by time.
    text += "    INDEX start_range \"start\" TYPE minmax GRANULARITY 1,\n";
    text += "    INDEX dst_bloom \"dst_ip\" TYPE bloom_filter GRANULARITY 4,\n";
    text += "    INDEX src_bloom \"src_ip\" TYPE bloom_filter GRANULARITY 4\n";
    let _ = write!(
        text,
        ") ENGINE = {engine}\nPARTITION BY \"day\"\nORDER BY ({})\n{}SETTINGS allow_nullable_key = 1{settings}\nCOMMENT '{}'",
        table.order(),
        days.map(|days| format!("TTL {}\n", ttl(days)))
            .unwrap_or_default(),
        comment()
    );
    let Layout::Cluster(cluster) = layout else {
        return vec![text];
    };
    let over = format!(
        "CREATE TABLE IF NOT EXISTS \"{database}\".\"{name}\" ON CLUSTER '{cluster}' AS \"{database}\".\"{name}_local\"\n\
         ENGINE = Distributed('{cluster}', '{database}', '{name}_local', flow_number)\nCOMMENT '{}'",
        comment()
    );
    vec![text, over]
}

fn ttl(days: u32) -> String {
    format!("day + toIntervalDay({days})")
}

/// Makes what is missing: database, tables, columns of a later schema, the TTL asked for.
///
/// # Errors
/// When ClickHouse refuses, or a table is of a later version of this program or not ours.
pub(super) fn migrate(client: &Client) -> Result<(), ClientError> {
    let place = client.place();
    if place.migrate {
        for statement in definition(&place.database, &Layout::Server, place.days) {
            client.run(&statement)?;
        }
    }
    for table in Table::ALL {
        check(client, table)?;
    }
    Ok(())
}

fn refused(place: &Place, message: String) -> ClientError {
    ClientError::Refused {
        at: place.shown(),
        code: 0,
        message,
    }
}

/// Compares a table with what is written to it, and extends it where that is allowed.
fn check(client: &Client, table: Table) -> Result<(), ClientError> {
    let place = client.place();
    let (database, name) = (&place.database, table.name());
    let engine = check_version(client, name)?;
    let known = check_columns(client, table)?;
    for (column, kind, expression) in aliases(table) {
        if place.migrate && !known.contains_key(column) {
            client.run(&format!(
                "ALTER TABLE \"{database}\".\"{name}\" ADD COLUMN IF NOT EXISTS \"{column}\" {kind} ALIAS {expression}"
            ))?;
        }
    }
    match place.days {
        Some(days) if place.migrate && !engine.contains(&format!("toIntervalDay({days})")) => client.run(
            &format!("ALTER TABLE \"{database}\".\"{name}\" MODIFY TTL {}", ttl(days)),
        ),
        _ => Ok(()),
    }
}

/// Is the table there, ours, and not newer than this program? Its engine with all settings.
fn check_version(client: &Client, name: &str) -> Result<String, ClientError> {
    let place = client.place();
    let question = format!(
        "SELECT comment, engine_full FROM system.tables WHERE database = '{}' AND name = '{name}' FORMAT RowBinary",
        place.database
    );
    let about = client.ask(&question, &[], 1 << 20)?;
    let mut reader = Reader::new(&about.bytes);
    let (Some(comment), Some(engine)) = (reader.text(), reader.text()) else {
        return Err(refused(
            place,
            format!(
                "there is no table {name}; leave migrate=false away, or make it (docs/guide/clickhouse.md)"
            ),
        ));
    };
    let version = comment
        .strip_prefix("weir schema ")
        .and_then(|text| text.parse::<u32>().ok());
    match version {
        Some(version) if version > VERSION => Err(refused(
            place,
            format!("the table {name} is of schema {version}, written by a newer Weir; use that one"),
        )),
        Some(_) => Ok(engine.to_owned()),
        None => Err(refused(
            place,
            format!("the table {name} is not Weir's (its comment has no schema); take another database"),
        )),
    }
}

/// Adds the columns that a table lacks. Those it had before, with their types.
fn check_columns(client: &Client, table: Table) -> Result<BTreeMap<String, String>, ClientError> {
    let place = client.place();
    let (database, name) = (&place.database, table.name());
    let question = format!(
        "SELECT name, type FROM system.columns WHERE database = '{database}' AND table = '{name}' FORMAT RowBinary"
    );
    let columns = client.ask(&question, &[], 1 << 20)?;
    let mut reader = Reader::new(&columns.bytes);
    let mut known = BTreeMap::new();
    while let (Some(name), Some(kind)) = (reader.text(), reader.text()) {
        known.insert(name.to_owned(), kind.to_owned());
    }
    for (column, stored) in table.stored() {
        let wanted = stored.sql_type();
        match known.get(column) {
            Some(kind) if *kind == wanted => {}
            Some(kind) => {
                return Err(refused(
                    place,
                    format!("column {column} of the table {name} is {kind}, not {wanted}: it is not Weir's"),
                ));
            }
            None if place.migrate => client.run(&format!(
                "ALTER TABLE \"{database}\".\"{name}\" ADD COLUMN IF NOT EXISTS \"{column}\" {wanted} {}",
                stored.codec()
            ))?,
            None => return Err(refused(place, format!("the table {name} has no column {column}"))),
        }
    }
    Ok(known)
}
