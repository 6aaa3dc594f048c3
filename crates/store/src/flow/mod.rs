//! The flow and transaction store: tables of columns. `schema` says what a flow record is on disk, `batch` turns
//! records into columns and back, `columns` shows a batch to the filter language.

mod batch;
mod columns;
mod row;
pub mod schema;

pub use batch::{BatchError, to_batch, to_records};
pub use columns::ArrowColumns;

#[cfg(test)]
mod tests;
