//! What a search gives back: lines of typed cells, and what was read for them.

use weir_model::FlowRecord;
use weir_query::{Kind, Scalar};

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
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Found {
    /// Records of a list, in order; in the one-way view without what came back.
    Records(Vec<FlowRecord>),
    Table(Table),
    Exists(bool),
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
