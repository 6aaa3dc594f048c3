//! Flow records and transactions in a ClickHouse of somebody's, for what one machine cannot hold: the same columns, the
//! same filters, the same five shapes of question (`search::clickhouse` writes them as SQL), chosen by URL.
//!
//! Rows become blocks in a folder of this machine first (`spool`), synced every second; `deliver` sends each as one INSERT
//! whose deduplication token is the block's own, so that a block sent twice counts once. `table` says how a record lies
//! there, `definition` makes the tables; `client` is HTTP.

mod client;
mod definition;
mod deliver;
mod held;
mod place;
mod rows;
mod spool;
mod table;

pub use client::{Client, ClientError};
pub use definition::{Layout, definition};
pub use deliver::Sender;
pub use held::{Held, held};
pub use place::{Place, PlaceError};
pub use spool::{Feed, SpoolLimits, Spooled};

pub(in crate::flow) use rows::Reader;
pub(in crate::flow) use table::{
    FLOWS_ORDER, TRANSACTIONS_ORDER, read_columns, record, transaction, transaction_columns,
};

#[cfg(test)]
mod tests;
