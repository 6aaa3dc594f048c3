//! Lists of records: which rows come first is settled by reading the filter's and the order's columns alone; all
//! columns are read for the rows that made it.

use std::collections::BinaryHeap;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use arrow_select::interleave::interleave_record_batch;
use weir_model::FlowRecord;
use weir_query::{Columns, Field};

use super::SearchError;
use super::control::Control;
use super::numbers::{Scratch, numbers};
use super::plan::{RowOrder, View};
use super::scan::{Chunk, Fold, Pieces, Scanned};
use super::view::Direction;
use crate::flow::rows::conform;
use crate::flow::{Table, to_records};

const FIX: &str =
    "ask for fewer records with a limit, narrow the filter or the time, or raise the memory limit";

/// A row and its place in the order: no value last, then the value, then where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pick {
    absent: bool,
    weight: u64,
    piece: u32,
    place: u32,
    reverse: bool,
}

/// The rows of one thread that may come first.
pub(super) struct ListFold<'a> {
    order: &'a RowOrder,
    limit: usize,
    /// The greatest, that is the last in order, on top.
    picks: BinaryHeap<Pick>,
    scratch: Scratch,
}

impl<'a> ListFold<'a> {
    pub(super) fn new(order: &'a RowOrder, limit: Option<usize>) -> Self {
        Self {
            order,
            limit: limit.unwrap_or(usize::MAX),
            picks: BinaryHeap::new(),
            scratch: Scratch::default(),
        }
    }

    fn offer(&mut self, pick: Pick, control: &Control) -> Result<(), SearchError> {
        if self.picks.len() >= self.limit {
            if self.picks.peek().is_some_and(|last| pick < *last) {
                self.picks.pop();
                self.picks.push(pick);
            }
            return Ok(());
        }
        if self.picks.len() == self.picks.capacity() {
            let more = self.picks.capacity().max(1024);
            control.take(more * size_of::<Pick>(), FIX)?;
            self.picks.reserve_exact(more);
        }
        self.picks.push(pick);
        Ok(())
    }
}

impl Fold for ListFold<'_> {
    fn fold<C: Columns>(&mut self, chunk: &Chunk<'_, C>, control: &Control) -> Result<(), SearchError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let pick = |row: u32| Pick {
            absent: true,
            weight: 0,
            piece: chunk.piece as u32,
            place: chunk.places.of(row),
            reverse: chunk.direction == Direction::Reverse,
        };
        match self.order {
            RowOrder::Stored => {
                for row in chunk.rows {
                    self.offer(pick(*row), control)?;
                }
            }
            RowOrder::By { value, descending } => {
                let found = numbers(&value.reads, chunk.columns, &mut scratch);
                for row in chunk.rows {
                    let at = *row as usize;
                    let number = found
                        .as_ref()
                        .filter(|found| found.valid.is_none_or(|valid| valid.contains(at)))
                        .map(|found| found.values[at]);
                    let pick = match number {
                        None => pick(*row),
                        Some(number) => Pick {
                            absent: false,
                            weight: if *descending { !number } else { number },
                            ..pick(*row)
                        },
                    };
                    self.offer(pick, control)?;
                }
            }
        }
        self.scratch = scratch;
        Ok(())
    }

    fn satisfied(&self) -> bool {
        // Pieces are begun in order, so those before this one are read to their end anyway.
        matches!(self.order, RowOrder::Stored) && self.picks.len() >= self.limit
    }
}

/// Can a list be ordered by the field?
pub(super) fn check(order: &RowOrder) -> Result<(), SearchError> {
    let RowOrder::By { value, .. } = order else {
        return Ok(());
    };
    if orders(value) {
        return Ok(());
    }
    Err(SearchError::Field {
        name: value.name.to_owned(),
        reason: "gives no order to a list: take a moment, a number, or a sum of numbers",
    })
}

fn orders(field: &Field) -> bool {
    use weir_query::{Kind, Reads};
    let kind = matches!(field.kind, Kind::Number(_) | Kind::Time);
    kind && matches!(field.reads, Reads::One(_) | Reads::Sum(..) | Reads::Span(..))
}

/// The rows that come first of all threads, in order, as records of the view.
pub(super) fn records(
    scanned: Scanned<ListFold<'_>>,
    limit: Option<usize>,
    view: View,
    pieces: &Pieces<'_>,
    control: &Control,
) -> Result<Vec<FlowRecord>, SearchError> {
    let folds = scanned.folds.into_iter();
    let mut picks: Vec<Pick> = folds.flat_map(|fold| fold.picks).collect();
    picks.sort_unstable();
    picks.truncate(limit.unwrap_or(usize::MAX));
    control.take(picks.len() * size_of::<Option<FlowRecord>>(), FIX)?;
    let mut found: Vec<Option<FlowRecord>> = vec![None; picks.len()];
    let mut by_place: Vec<u32> = (0..picks.len() as u32).collect();
    by_place.sort_unstable_by_key(|at| {
        let pick = &picks[*at as usize];
        (pick.piece, pick.place, pick.reverse)
    });
    for own in by_place.chunk_by(|a, b| picks[*a as usize].piece == picks[*b as usize].piece) {
        control.check()?;
        let mut places: Vec<u32> = own.iter().map(|at| picks[*at as usize].place).collect();
        places.dedup();
        let piece = scanned.pieces[picks[own[0] as usize].piece as usize];
        let mut records = Vec::with_capacity(places.len());
        for batch in pieces.rows_at(Table::flows(), piece, &places)? {
            records.extend(to_records(&batch).map_err(|error| SearchError::Batch(error.to_string()))?);
        }
        for at in own {
            let pick = &picks[*at as usize];
            let record = places
                .binary_search(&pick.place)
                .ok()
                .and_then(|place| records.get(place).cloned());
            let direction = match (view, pick.reverse) {
                (View::Biflow | View::Transactions, _) => Direction::Both,
                (View::OneWay, false) => Direction::Forward,
                (View::OneWay, true) => Direction::Reverse,
            };
            found[*at as usize] = record.and_then(|record| direction.record(record));
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// The rows of the transaction table that come first of all threads, in order.
pub(super) fn transactions(
    scanned: Scanned<ListFold<'_>>,
    limit: Option<usize>,
    pieces: &Pieces<'_>,
    control: &Control,
) -> Result<RecordBatch, SearchError> {
    let folds = scanned.folds.into_iter();
    let mut picks: Vec<Pick> = folds.flat_map(|fold| fold.picks).collect();
    picks.sort_unstable();
    picks.truncate(limit.unwrap_or(usize::MAX));
    let mut by_place: Vec<u32> = (0..picks.len() as u32).collect();
    by_place.sort_unstable_by_key(|at| {
        let pick = &picks[*at as usize];
        (pick.piece, pick.place)
    });
    let told = |error: ArrowError| SearchError::Batch(error.to_string());
    let schema = &Table::transactions().schema;
    let mut batches = Vec::new();
    let mut from = vec![(0, 0); picks.len()];
    for own in by_place.chunk_by(|a, b| picks[*a as usize].piece == picks[*b as usize].piece) {
        control.check()?;
        let places: Vec<u32> = own.iter().map(|at| picks[*at as usize].place).collect();
        let piece = scanned.pieces[picks[own[0] as usize].piece as usize];
        let mut own = own.iter();
        for batch in pieces.rows_at(Table::transactions(), piece, &places)? {
            let batch = conform(&batch, schema).map_err(|error| SearchError::Batch(error.to_string()))?;
            control.take(batch.get_array_memory_size(), FIX)?;
            for (row, at) in (0..batch.num_rows()).zip(own.by_ref()) {
                from[*at as usize] = (batches.len(), row);
            }
            batches.push(batch);
        }
    }
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    if batches.is_empty() {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    interleave_record_batch(&batches, &from).map_err(told)
}
