//! The flow and transaction store: tables of columns. `schema` says what a record is on disk, `batch` turns records
//! into columns and back, `columns` shows a batch to the filter language; `writer` takes rows through the log (`log`)
//! into parts (`rows`, `encode`, `part`), `merge`, `retention` and `scrub` keep them few, young and whole, `snapshot` is what a search reads.

mod batch;
pub mod clickhouse;
mod columns;
mod encode;
mod error;
mod log;
mod merge;
mod part;
mod past;
pub mod profile;
mod retention;
mod row;
mod rows;
pub mod schema;
mod scrub;
pub mod search;
mod snapshot;
mod store;
mod transaction_columns;
mod transactions;
mod writer;

use arrow_schema::SchemaRef;

pub use batch::{BatchError, rows_bytes, to_batch, to_records};
pub use columns::ArrowColumns;
pub use error::StoreError;
pub use part::{HOUR_MS, MIXED, Part};
pub use past::{Past, Piece};
pub use retention::{Fullness, PINS_MAX, Pins, Retention};
pub use snapshot::{Shared, Snapshot};
pub use store::{FlowStore, Stored};
pub use transactions::{TRANSACTIONS, to_transaction_batch, to_transactions};
pub use writer::{Counters, Health, Limits, Writer};

/// A table of the store: one kind of record.
#[derive(Debug)]
pub struct Table {
    /// Name, and folder of its parts.
    pub name: &'static str,
    pub schema: SchemaRef,
    /// Hours of a partition.
    hours: i64,
    /// Layout by column.
    codecs: Vec<(&'static str, schema::Codec)>,
    /// Columns with a bloom filter in every row group. Sources need none: parts are sorted by them.
    bloom: &'static [&'static str],
}

impl Table {
    /// The table of flow records.
    pub fn flows() -> &'static Self {
        static FLOWS: std::sync::LazyLock<Table> = std::sync::LazyLock::new(|| Table {
            name: schema::FLOWS,
            schema: schema::flows(),
            hours: 1,
            codecs: schema::COLUMNS
                .iter()
                .map(|column| (column.name, column.codec))
                .collect(),
            bloom: &["dst_ip_lo"],
        });
        &FLOWS
    }

    /// The table of transactions.
    pub fn transactions() -> &'static Self {
        static TRANSACTIONS: std::sync::LazyLock<Table> = std::sync::LazyLock::new(|| Table {
            name: transactions::TRANSACTIONS,
            schema: transactions::schema(),
            hours: 1,
            codecs: transactions::codecs(),
            bloom: &["dst_ip_lo"],
        });
        &TRANSACTIONS
    }
}

#[cfg(test)]
pub(crate) mod tests;
