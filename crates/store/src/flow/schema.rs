//! What a flow record is on disk: the one table of physical columns, its Arrow schema and version. A new element of
//! `model::elements` is one nullable row here; a test holds that every column of the filter language can be read.
//!
//! Four things differ from the columns people see (`physical` gives the mapping), because they are smaller this way,
//! and other tools read plain integers best:
//! - Moments are a millisecond timestamp and two remainders (`start`, `start_us`, `start_ns`): exports count
//!   milliseconds and captures microseconds, so the finer columns are usually all zero. One nanosecond column costs
//!   2.0 to 2.3 bytes a moment more on NetFlow (measured on 830,000 sorted records). The end is a distance from the start.
//! - Addresses are two unsigned integers (`src_ip_hi`, `src_ip_lo`), IPv4 in `::ffff:0:0/96`. Sorted by source they take
//!   1.6 to 2.3 bytes where 16-byte binaries take 2.2 to 3.6, and integers scan faster.
//! - What a column does not show of a record (the ports of a frame without ports, which side of ARP is inside) is not
//!   stored, except what the flow's key needs.
//! - The flow id is stored only where key and start do not give it, the Community ID never: eight and twenty random
//!   bytes a record.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use weir_model::FlowRecord;

use super::row::Row;

mod flow_columns;

pub use flow_columns::COLUMNS;

/// Version of the tables on disk. Newer columns are nullable and older parts lack them; a store of a later version
/// than the program's is refused. Version 2 brought network performance.
pub const VERSION: u32 = 2;
/// Key of [`VERSION`] in the metadata of schemas and parts.
pub const VERSION_KEY: &str = "weir.schema_version";
/// Key of the table's name in the metadata.
pub const TABLE_KEY: &str = "weir.table";
/// Name of the flow table.
pub const FLOWS: &str = "flows";

/// Type of a physical column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Milliseconds since 1970-01-01 UTC.
    Millis,
    U8,
    U16,
    U32,
    U64,
    /// Signed; its bits travel as `u64`.
    I64,
    Flag,
    /// One word of a fixed list, as a dictionary with one-byte keys.
    Words(&'static [&'static str]),
    /// Any text, as a dictionary.
    Text,
}

/// How a column is laid out in a part, before compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Dictionary of distinct values.
    Dictionary,
    /// Differences of neighbours, packed: sorted columns.
    Delta,
    /// Bytes of equal weight together: moments, counters and other numbers without order. (Rows of a part are in the
    /// order of addresses: differences of their moments take a bit more than the moments do, and longer to read.)
    Split,
}

pub(super) enum Read {
    Number(fn(&FlowRecord) -> Option<u64>),
    Text(for<'a> fn(&'a FlowRecord) -> Option<&'a str>),
}

pub(super) enum Write {
    Number(fn(&mut Row, u64)),
    Text(fn(&mut Row, &str)),
}

/// One physical column.
pub struct Column {
    pub name: &'static str,
    pub form: Form,
    pub codec: Codec,
    pub nullable: bool,
    pub(super) read: Read,
    pub(super) write: Write,
}

impl Column {
    /// The column's Arrow type.
    pub fn data_type(&self) -> DataType {
        data_type(self.form)
    }
}

/// The Arrow type of a form.
pub(super) fn data_type(form: Form) -> DataType {
    let dictionary = |keys| DataType::Dictionary(Box::new(keys), Box::new(DataType::Utf8));
    match form {
        Form::Millis => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        Form::U8 => DataType::UInt8,
        Form::U16 => DataType::UInt16,
        Form::U32 => DataType::UInt32,
        Form::U64 => DataType::UInt64,
        Form::I64 => DataType::Int64,
        Form::Flag => DataType::Boolean,
        Form::Words(_) => dictionary(DataType::UInt8),
        Form::Text => dictionary(DataType::Int32),
    }
}

/// The Arrow schema of the flow table.
pub fn flows() -> SchemaRef {
    static FLOW_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields: Vec<Field> = COLUMNS
            .iter()
            .map(|column| Field::new(column.name, column.data_type(), column.nullable))
            .collect();
        Arc::new(Schema::new_with_metadata(fields, metadata(FLOWS)))
    });
    FLOW_SCHEMA.clone()
}

/// Metadata of a table's schema.
pub(super) fn metadata(table: &str) -> HashMap<String, String> {
    HashMap::from([
        (VERSION_KEY.to_owned(), VERSION.to_string()),
        (TABLE_KEY.to_owned(), table.to_owned()),
    ])
}

/// The physical columns that a column of the filter language is read from. A name that is not listed is its own.
pub fn physical(column: &str) -> Vec<&str> {
    const START: [&str; 3] = ["start", "start_us", "start_ns"];
    const FLOW_START: [&str; 3] = ["before_ms", "flow_start_us", "flow_start_ns"];
    const KEY: [&str; 11] = [
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
    ];
    match column {
        "start" => START.to_vec(),
        "end" => vec!["start", "duration_ms", "end_us", "end_ns"],
        "flow_start" => [START, FLOW_START].concat(),
        "src_ip" => vec!["src_ip_hi", "src_ip_lo"],
        "dst_ip" => vec!["dst_ip_hi", "dst_ip_lo"],
        "exporter" => vec!["exporter_hi", "exporter_lo"],
        "icmp_error" => vec!["icmp_error_type", "icmp_error_code"],
        "community_id" => KEY.to_vec(),
        "flow_id" => [&["flow_id"][..], &START, &FLOW_START, &KEY].concat(),
        own => vec![own],
    }
}
