//! What the store holds, again and in pieces of time: for methods that learn from history, and for questions that only
//! they can answer. One piece is in memory at a time, however much is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use weir_model::{Field, FlowRecord, Time, Transaction};

use super::part::{HOUR_MS, MIXED, Part};
use super::rows::starts;
use super::{Snapshot, StoreError, Table, to_records, to_transactions};
use crate::disk::Disk;

/// Rows of a piece, about: an hour that has more is read several times, a piece each time.
const PIECE_ROWS: u64 = 400_000;
/// Pieces of one hour at most, so that a crowded hour is not read for ever.
const PIECES_MAX: u64 = 64;

/// A piece of time: start inclusive, end exclusive, milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub from_ms: i64,
    pub to_ms: i64,
}

/// The records of one site, as they were when it was opened.
pub struct Past {
    disk: Arc<dyn Disk>,
    flows: Snapshot,
    transactions: Snapshot,
}

impl Past {
    /// Looks at what is there. Another process may be writing; what it merges away meanwhile is an error later.
    ///
    /// # Errors
    /// When the folder cannot be read, or was written by a later version.
    pub fn open(disk: Arc<dyn Disk>, site: &str) -> Result<Self, StoreError> {
        Ok(Self {
            flows: Snapshot::read(&*disk, Table::flows(), site)?,
            transactions: Snapshot::read(&*disk, Table::transactions(), site)?,
            disk,
        })
    }

    /// Rows of both tables.
    pub fn rows(&self) -> u64 {
        self.flows.rows() + self.transactions.rows()
    }

    /// Pieces that hold records which begin in `since..until`, oldest first.
    ///
    /// # Errors
    /// When a part of mixed hours cannot be read.
    pub fn pieces(&self, since: Time, until: Time) -> Result<Vec<Piece>, StoreError> {
        let mut hours = BTreeMap::<i64, u64>::new();
        for snapshot in [&self.flows, &self.transactions] {
            for part in snapshot.parts.iter().filter(|part| part.hour != MIXED) {
                *hours.entry(part.hour).or_default() += part.rows;
            }
            let mixed = self.mixed(snapshot)?;
            for start in mixed.iter().chain(&snapshot.memory).flat_map(starts) {
                *hours.entry(start.div_euclid(HOUR_MS)).or_default() += 1;
            }
        }
        let (since, until) = (since.0.div_euclid(1_000_000), until.0.div_euclid(1_000_000));
        let mut pieces = Vec::new();
        for (hour, rows) in hours {
            let count = rows.div_ceil(PIECE_ROWS).clamp(1, PIECES_MAX) as i64;
            for at in 0..count {
                let bound = |at: i64| hour * HOUR_MS + at * HOUR_MS / count;
                let piece = Piece {
                    from_ms: bound(at).max(since),
                    to_ms: bound(at + 1).min(until),
                };
                if piece.from_ms < piece.to_ms {
                    pieces.push(piece);
                }
            }
        }
        Ok(pieces)
    }

    /// The records that begin in a piece, in no particular order. `field` knows the dissectors' fields by name.
    ///
    /// # Errors
    /// When a part is gone or damaged.
    pub fn read(
        &self,
        piece: Piece,
        field: impl Fn(&str) -> Option<&'static Field>,
    ) -> Result<(Vec<FlowRecord>, Vec<Transaction>), StoreError> {
        let (mut flows, mut transactions) = (Vec::new(), Vec::new());
        for batch in self.batches(&self.flows, piece)? {
            flows.extend(to_records(&batch)?);
        }
        for batch in self.batches(&self.transactions, piece)? {
            transactions.extend(to_transactions(&batch, &field)?);
        }
        Ok((flows, transactions))
    }

    fn mixed(&self, snapshot: &Snapshot) -> Result<Vec<RecordBatch>, StoreError> {
        let mut batches = Vec::new();
        for part in snapshot.parts.iter().filter(|part| part.hour == MIXED) {
            batches.extend(part.read(&*self.disk)?);
        }
        Ok(batches)
    }

    fn batches(&self, snapshot: &Snapshot, piece: Piece) -> Result<Vec<RecordBatch>, StoreError> {
        let (first, last) = (
            piece.from_ms.div_euclid(HOUR_MS),
            (piece.to_ms - 1).div_euclid(HOUR_MS),
        );
        let touches = |part: &&Arc<Part>| part.hour == MIXED || (first..=last).contains(&part.hour);
        let mut found = Vec::new();
        for part in snapshot.parts.iter().filter(touches) {
            for batch in part.read(&*self.disk)? {
                found.extend(within(&batch, piece)?);
            }
        }
        for batch in &snapshot.memory {
            found.extend(within(batch, piece)?);
        }
        Ok(found)
    }
}

/// The rows of a batch that begin in the piece.
fn within(batch: &RecordBatch, piece: Piece) -> Result<Option<RecordBatch>, StoreError> {
    let rows: Vec<u32> = (0..)
        .zip(starts(batch))
        .filter(|(_, start)| (piece.from_ms..piece.to_ms).contains(*start))
        .map(|(row, _)| row)
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    if rows.len() == batch.num_rows() {
        return Ok(Some(batch.clone()));
    }
    Ok(Some(take_record_batch(batch, &UInt32Array::from(rows))?))
}
