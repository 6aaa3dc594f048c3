//! What a search gives back: lines of typed cells, and what was read for them.

use arrow_array::RecordBatch;
use weir_model::{Field, FlowRecord, Transaction};
use weir_query::{Kind, Scalar};

use super::{SearchError, export};
use crate::flow::to_transactions;

/// A column of a table of answers.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerColumn {
    pub name: String,
    pub kind: Kind,
}

/// Lines of cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Keys first, then measures.
    pub columns: Vec<AnswerColumn>,
    pub rows: Vec<Vec<Option<Scalar<'static>>>>,
    /// Groups there were before the limit.
    pub groups: u64,
    /// Lines of the greatest groups over time that hold all other groups together; they have no key, which a group may
    /// lack as well.
    pub rest: Vec<usize>,
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Found {
    /// Records of a list, in order; in the one-way view without what came back.
    Records(Vec<FlowRecord>),
    /// Transactions of a list, in order.
    Transactions(TransactionRows),
    Table(Table),
    Exists(bool),
}

/// Rows of the transaction table, in the order of a list.
#[derive(Clone, Debug)]
pub struct TransactionRows(pub(super) RecordBatch);

impl TransactionRows {
    /// The transactions. `field` knows the dissectors' fields by name; values of others are left out.
    ///
    /// # Errors
    /// When the rows were not written by this program.
    pub fn transactions(
        &self,
        field: impl Fn(&str) -> Option<&'static Field>,
    ) -> Result<Vec<Transaction>, SearchError> {
        to_transactions(&self.0, field).map_err(|error| SearchError::Batch(error.to_string()))
    }

    /// A Parquet file in the layout of the store's own parts.
    ///
    /// # Errors
    /// When the rows cannot be encoded.
    pub fn to_parquet(&self) -> Result<Vec<u8>, SearchError> {
        export::write(&self.0)
    }
}

/// An answer and its cost.
#[derive(Clone, Debug)]
pub struct Answer {
    pub found: Found,
    pub cost: Cost,
}

/// What had to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Pieces (row groups, batches) there were and those that statistics or bloom filters ruled out.
    pub pieces: u64,
    pub pieces_pruned: u64,
    /// Rows of the pieces, rows whose filter columns were read, rows that fit (of the view).
    pub rows: u64,
    pub rows_read: u64,
    pub rows_fitting: u64,
}

impl Cost {
    pub(super) fn add(&mut self, other: &Self) {
        self.pieces += other.pieces;
        self.pieces_pruned += other.pieces_pruned;
        self.rows += other.rows;
        self.rows_read += other.rows_read;
        self.rows_fitting += other.rows_fitting;
    }
}
