//! The way of rows to the shapes: pieces (row groups and batches in memory) are shared out over threads that live as
//! long as the scan; [`super::reading`] reads one.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::RowSelection;
use weir_query::{Columns, Expr};

use super::answer::Cost;
use super::bounds;
use super::control::Control;
use super::part::Part;
use super::reading::Reading;
use super::related::Told;
use super::seen::{NANOS_PER_MS, Records};
use super::view::Direction;
use super::{Search, SearchError, Source, View};
use crate::flow::Table;

/// What is read and how rows are seen.
pub(super) struct Scan<'a> {
    pub filter: &'a Expr,
    pub view: View,
    /// Columns of the filter language that the shape reads.
    pub columns: Vec<&'static str>,
    /// Whole milliseconds of `start` are enough: the parts of a millisecond lie in columns of their own, and stay unread.
    pub coarse_start: bool,
    pub records: Records<'a>,
}

impl<'a> Scan<'a> {
    /// A scan for these columns; `spans` are the widths that moments are cut to, when nothing finer is asked of them.
    pub(super) fn new(
        search: &'a Search,
        columns: Vec<&'static str>,
        spans: &[i64],
        records: Records<'a>,
    ) -> Self {
        let whole = spans.iter().all(|nanos| nanos % NANOS_PER_MS == 0);
        Self {
            filter: &search.filter,
            view: search.view,
            coarse_start: !spans.is_empty() && whole && !search.filter.columns().contains(&"start"),
            columns,
            records,
        }
    }
}

/// Rows of one batch that fit.
pub(super) struct Chunk<'a, C> {
    pub columns: &'a C,
    /// Rows of the batch, ascending, at least one.
    pub rows: &'a [u32],
    pub direction: Direction,
    pub piece: usize,
    /// Where the rows of the batch lie in their piece.
    pub places: Places<'a>,
    /// What transactions say of the rows of the batch, when flows are asked about them.
    pub told: Option<Told<'a>>,
}

/// Where rows of a batch lie in their piece.
#[derive(Clone, Copy)]
pub(super) enum Places<'a> {
    From(u32),
    Each(&'a [u32]),
}

impl Places<'_> {
    pub(super) fn of(&self, row: u32) -> u32 {
        match self {
            Self::From(first) => first + row,
            Self::Each(places) => places[row as usize],
        }
    }
}

/// What takes rows in. One lives on each thread.
pub(super) trait Fold: Send {
    fn fold<C: Columns>(&mut self, chunk: &Chunk<'_, C>, control: &Control) -> Result<(), SearchError>;

    /// Is nothing more needed from pieces not begun?
    fn satisfied(&self) -> bool {
        false
    }

    /// Is nothing more needed at all?
    fn certain(&self) -> bool {
        false
    }
}

/// The pieces of these sources.
pub(super) struct Pieces<'a>(pub &'a [Source]);

/// A piece: its source and its row group.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    source: usize,
    group: usize,
}

/// What came of a scan.
pub(super) struct Scanned<F> {
    pub folds: Vec<F>,
    pub cost: Cost,
    /// Pieces in the order of their numbers.
    pub pieces: Vec<Piece>,
}

impl Pieces<'_> {
    /// All columns of some rows of a piece, in their order.
    pub(super) fn rows_at(
        &self,
        table: &'static Table,
        piece: Piece,
        places: &[u32],
    ) -> Result<Vec<RecordBatch>, SearchError> {
        let all: Vec<&'static str> = table.codecs.iter().map(|(name, _)| *name).collect();
        match &self.0[piece.source] {
            Source::Part { disk, part } => {
                let part = Part::open(&**disk, &part.path)?;
                let rows = ranges_of(places.iter().copied());
                let whole = part.rows(piece.group);
                let rows = RowSelection::from_consecutive_ranges(rows.into_iter(), whole);
                part.read(piece.group, &all, Some(rows))?.collect()
            }
            Source::Batch(batch) => {
                let indices = arrow_array::UInt32Array::from(places.to_vec());
                let taken = arrow_select::take::take_record_batch(batch, &indices);
                Ok(vec![
                    taken.map_err(|error| SearchError::Batch(error.to_string()))?,
                ])
            }
        }
    }

    fn rows(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|source| match source {
            Source::Part { part, .. } => part.rows,
            Source::Batch(batch) => batch.num_rows() as u64,
        })
    }

    /// Lets every row that fits pass through the folds made by `make`, one for each thread.
    pub(super) fn scan<F: Fold>(
        &self,
        scan: &Scan<'_>,
        control: &Control,
        make: impl Fn() -> F,
    ) -> Result<Scanned<F>, SearchError> {
        let rows = self.rows().sum();
        control.expect_rows(rows);
        let shared = Shared {
            scan,
            control,
            next: Mutex::new(Next {
                sources: self.0,
                source: 0,
                part: None,
                pieces: Vec::new(),
                pruned: 0,
            }),
            stop: AtomicBool::new(false),
        };
        let mut done: Vec<Result<(F, Cost), SearchError>> = Vec::with_capacity(control.threads());
        thread::scope(|scope| {
            let others: Vec<_> = (1..control.threads())
                .map(|_| {
                    let fold = make();
                    scope.spawn(|| shared.work(fold))
                })
                .collect();
            done.push(shared.work(make()));
            for other in others {
                done.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
        });
        let next = shared.next.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut cost = Cost {
            pieces: next.pieces.len() as u64 + next.pruned,
            pieces_pruned: next.pruned,
            rows,
            ..Cost::default()
        };
        let mut folds = Vec::with_capacity(done.len());
        for result in done {
            let (fold, own) = result?;
            cost.add(&own);
            folds.push(fold);
        }
        Ok(Scanned {
            folds,
            cost,
            pieces: next.pieces,
        })
    }
}

/// Which piece comes next. Parts are opened in order, one at a time: a store has more of them than a process may open.
struct Next<'a> {
    sources: &'a [Source],
    /// The source to open next.
    source: usize,
    /// The part that pieces are taken of, and its next row group.
    part: Option<(Arc<Part>, usize)>,
    /// Pieces given out.
    pieces: Vec<Piece>,
    /// Parts that their hour rules out.
    pruned: u64,
}

/// A piece with what it is read from.
enum Opened<'a> {
    Part(Arc<Part>, usize),
    Batch(&'a RecordBatch),
}

impl<'a> Next<'a> {
    /// The next piece and its number.
    fn piece(&mut self, shared: &Shared<'a>) -> Result<Option<(usize, Opened<'a>)>, SearchError> {
        loop {
            if let Some((part, group)) = &mut self.part {
                if *group < part.groups() {
                    let opened = Opened::Part(part.clone(), *group);
                    *group += 1;
                    return Ok(Some((self.number(), opened)));
                }
                self.part = None;
            }
            let Some(source) = self.sources.get(self.source) else {
                return Ok(None);
            };
            self.source += 1;
            match source {
                Source::Batch(batch) => return Ok(Some((self.number(), Opened::Batch(batch)))),
                Source::Part { part, .. } if !bounds::hour_may_fit(shared.scan.filter, part.hour) => {
                    self.pruned += 1;
                    shared.control.passed(part.rows);
                }
                Source::Part { disk, part } => {
                    self.part = Some((Arc::new(Part::open(&**disk, &part.path)?), 0));
                }
            }
        }
    }

    /// The number of the piece given out now.
    fn number(&mut self) -> usize {
        self.pieces.push(Piece {
            source: self.source - 1,
            group: match &self.part {
                Some((_, next)) => next - 1,
                None => 0,
            },
        });
        self.pieces.len() - 1
    }
}

/// What the threads of one scan share.
struct Shared<'a> {
    scan: &'a Scan<'a>,
    control: &'a Control,
    next: Mutex<Next<'a>>,
    stop: AtomicBool,
}

impl<'a> Shared<'a> {
    fn work<F: Fold>(&self, mut fold: F) -> Result<(F, Cost), SearchError> {
        let mut cost = Cost::default();
        while !self.stop.load(Relaxed) {
            let done = self.one(&mut fold, &mut cost);
            if !matches!(done, Ok(true)) || fold.satisfied() || fold.certain() {
                self.stop.store(true, Relaxed);
            }
            done?;
        }
        Ok((fold, cost))
    }

    /// Reads a piece; false when there is none left.
    fn one<F: Fold>(&self, fold: &mut F, cost: &mut Cost) -> Result<bool, SearchError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((number, opened)) = next.piece(self)? else {
            return Ok(false);
        };
        drop(next);
        let mut reading = Reading::new(self.scan, self.control, fold, cost, number);
        let rows = match opened {
            Opened::Part(part, group) => {
                reading.part(&part, group)?;
                part.rows(group)
            }
            Opened::Batch(batch) => {
                reading.memory(batch)?;
                batch.num_rows()
            }
        };
        self.control.passed(rows as u64);
        Ok(true)
    }
}

/// Ascending rows as ranges.
pub(super) fn ranges_of(rows: impl Iterator<Item = u32>) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for row in rows.map(|row| row as usize) {
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}
