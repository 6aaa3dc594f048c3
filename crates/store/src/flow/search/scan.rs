//! The way of rows to the shapes: pieces (row groups and batches in memory) are ruled out by statistics, the filter's
//! columns are read and judged, and only then the other columns, of the rows that are left. Pieces are shared out over
//! threads that live as long as the scan.

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use parquet::arrow::arrow_reader::RowSelection;
use weir_query::{Columns, Expr, Selection, Slice, Verdict, select};

use super::answer::Cost;
use super::bounds;
use super::control::Control;
use super::part::{BATCH_ROWS, Part};
use super::view::{Directed, Direction};
use super::{Search, SearchError, Source, View};
use crate::flow::ArrowColumns;
use crate::flow::schema::{self, physical};

/// Share of a piece's rows (one of so many) up to which the other columns are read for fitting rows alone; above it,
/// whole pages decode faster than their parts.
const SPARSE_SHARE: usize = 8;

/// What is read and how rows are seen.
pub(super) struct Scan<'a> {
    pub filter: &'a Expr,
    pub view: View,
    /// Columns of the filter language that the shape reads.
    pub columns: Vec<&'static str>,
    /// Whole milliseconds of `start` are enough: the parts of a millisecond lie in columns of their own, and stay unread.
    pub coarse_start: bool,
}

impl<'a> Scan<'a> {
    /// A scan for these columns; `spans` are the widths that moments are cut to, when nothing finer is asked of them.
    pub(super) fn new(search: &'a Search, columns: Vec<&'static str>, spans: &[i64]) -> Self {
        let whole = spans.iter().all(|nanos| nanos % NANOS_PER_MS == 0);
        Self {
            filter: &search.filter,
            view: search.view,
            coarse_start: !spans.is_empty() && whole && !search.filter.columns().contains(&"start"),
            columns,
        }
    }
}

const NANOS_PER_MS: i64 = 1_000_000;

/// A batch as columns, with the start in milliseconds when that is enough.
struct Seen<'a> {
    columns: ArrowColumns<'a>,
    start: Option<(Vec<i64>, Selection)>,
}

impl<'a> Seen<'a> {
    fn new(batch: &'a RecordBatch, scan: &Scan<'_>) -> Self {
        let coarse = || {
            let start = batch.column_by_name("start").filter(|_| scan.coarse_start)?;
            let millis = start.as_primitive_opt::<TimestampMillisecondType>()?.values();
            let nanos = millis.iter().map(|millis| millis.saturating_mul(NANOS_PER_MS));
            Some((nanos.collect(), Selection::all(batch.num_rows())))
        };
        Self {
            columns: ArrowColumns::new(batch),
            start: coarse(),
        }
    }
}

impl Columns for Seen<'_> {
    fn rows(&self) -> usize {
        self.columns.rows()
    }

    fn column(&self, name: &str) -> Slice<'_> {
        match &self.start {
            Some((times, all)) if name == "start" => Slice::Times(times, all),
            _ => self.columns.column(name),
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
    pub(super) fn rows_at(&self, piece: Piece, places: &[u32]) -> Result<Vec<RecordBatch>, SearchError> {
        let all: Vec<&'static str> = schema::COLUMNS.iter().map(|column| column.name).collect();
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
        let mut reading = Reading {
            scan: self.scan,
            control: self.control,
            fold,
            cost,
            piece: number,
            rows: Vec::with_capacity(BATCH_ROWS),
        };
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

/// What is asked of the rows of a piece in one direction.
pub(super) struct Asked<'a> {
    pub direction: Direction,
    pub filter: Cow<'a, Expr>,
    verdict: Verdict,
}

impl<'a> Asked<'a> {
    fn whole(direction: Direction, filter: &'a Expr) -> Self {
        Self {
            direction,
            filter: Cow::Borrowed(filter),
            verdict: Verdict::SomeRows,
        }
    }
}

/// One piece being read.
struct Reading<'a, F> {
    scan: &'a Scan<'a>,
    control: &'a Control,
    fold: &'a mut F,
    cost: &'a mut Cost,
    piece: usize,
    rows: Vec<u32>,
}

/// Rows of a piece that fit, one byte a row read: bit `n` for the view's direction `n`.
type Marks = Vec<u8>;

impl<'a, F: Fold> Reading<'a, F> {
    fn memory(&mut self, batch: &RecordBatch) -> Result<(), SearchError> {
        let directions = self.scan.view.directions().iter();
        let asked: Vec<Asked> = directions.map(|at| Asked::whole(*at, self.scan.filter)).collect();
        let mut at = 0;
        while at < batch.num_rows() && !self.fold.certain() {
            let slice = batch.slice(at, BATCH_ROWS.min(batch.num_rows() - at));
            self.cost.rows_read += slice.num_rows() as u64;
            self.judge_and_fold(&slice, &asked, Places::From(at as u32))?;
            at += slice.num_rows();
        }
        Ok(())
    }

    /// Filters and folds a batch that has all columns.
    fn judge_and_fold(
        &mut self,
        batch: &RecordBatch,
        asked: &[Asked<'_>],
        places: Places<'_>,
    ) -> Result<(), SearchError> {
        self.control.check()?;
        let columns = Seen::new(batch, self.scan);
        for Asked {
            direction, filter, ..
        } in asked
        {
            let directed = Directed::new(&columns, *direction);
            let within = direction.rows(&columns);
            let fitting = select(filter, &directed, &within);
            self.rows.clear();
            self.rows.extend(fitting.iter().map(|row| row as u32));
            self.pass_on(&directed, *direction, places)?;
        }
        Ok(())
    }

    fn pass_on(
        &mut self,
        columns: &impl Columns,
        direction: Direction,
        places: Places<'_>,
    ) -> Result<(), SearchError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.cost.rows_fitting += self.rows.len() as u64;
        let chunk = Chunk {
            columns,
            rows: &self.rows,
            direction,
            piece: self.piece,
            places,
        };
        self.fold.fold(&chunk, self.control)
    }

    fn part(&mut self, part: &Part, group: usize) -> Result<(), SearchError> {
        let rows_all = part.rows(group);
        let directions = self.scan.view.directions();
        let asked: Vec<Asked> = directions.iter().map(|at| self.asked(part, group, *at)).collect();
        if asked.iter().all(|asked| asked.verdict == Verdict::NoRow) {
            self.cost.pieces_pruned += 1;
            return Ok(());
        }
        let empty = |name: &str| bounds::is_empty(part.metadata(), group, name);
        let names = directions.iter().map(|at| (*at, self.scan.columns.as_slice()));
        let needed = physical_columns(names, self.scan.coarse_start, &empty);
        let every = asked.iter().all(|asked| asked.verdict == Verdict::EveryRow);
        if every && self.scan.view == View::Biflow {
            return self.whole(part, group, &needed);
        }
        let judged = self.judged_columns(&asked, &empty);
        let ranges = bounds::of_pages(&asked, part.metadata(), group, rows_all, &judged);
        let places: Vec<u32> = ranges
            .iter()
            .flat_map(|range| range.start as u32..range.end as u32)
            .collect();
        let pruned = places.len() < rows_all;
        let selection = |ranges: &[std::ops::Range<usize>]| {
            RowSelection::from_consecutive_ranges(ranges.iter().cloned(), rows_all)
        };
        if places.is_empty() {
            self.cost.pieces_pruned += 1;
            return Ok(());
        }
        self.cost.rows_read += places.len() as u64;
        if needed.iter().all(|column| judged.contains(column)) {
            // One pass: what is judged is all that is needed.
            let mut at = 0;
            for batch in part.read(group, &judged, pruned.then(|| selection(&ranges)))? {
                let batch = batch?;
                self.judge_and_fold(&batch, &asked, Places::Each(&places[at..]))?;
                at += batch.num_rows();
                if self.fold.certain() {
                    break;
                }
            }
            return Ok(());
        }
        let rows = pruned.then(|| selection(&ranges));
        let marks = self.marks(part, group, &asked, &judged, rows)?;
        let fitting = marks.iter().filter(|mark| **mark != 0).count();
        if fitting == 0 {
            return Ok(());
        }
        if fitting * SPARSE_SHARE > marks.len() {
            return self.marked(
                part,
                group,
                &needed,
                pruned.then(|| selection(&ranges)),
                &places,
                &marks,
            );
        }
        let fits = |(place, mark): (&u32, &u8)| (*mark != 0).then_some((*place, *mark));
        let (places, marks): (Vec<u32>, Marks) = places.iter().zip(&marks).filter_map(fits).unzip();
        let ranges = ranges_of(places.iter().copied());
        self.marked(part, group, &needed, Some(selection(&ranges)), &places, &marks)
    }

    /// What is asked of a row group. Addresses that its bloom filters do not know are not asked for, so that their
    /// columns stay unread.
    fn asked(&self, part: &Part, group: usize, direction: Direction) -> Asked<'a> {
        let whole = Asked::whole(direction, self.scan.filter);
        let verdict = bounds::of_group(&whole.filter, part.metadata(), group, direction);
        if verdict != Verdict::SomeRows || !bounds::names_addresses(&whole.filter) {
            return Asked { verdict, ..whole };
        }
        let mut read = |column: &str| part.bloom(group, column);
        let filter = bounds::without_unknown(&whole.filter, direction, &mut read);
        Asked {
            verdict: bounds::of_group(&filter, part.metadata(), group, direction),
            filter: Cow::Owned(filter),
            direction,
        }
    }

    /// Physical columns of the filter and of the view.
    fn judged_columns(&self, asked: &[Asked<'_>], empty: &dyn Fn(&str) -> bool) -> Vec<&'static str> {
        let names: Vec<(Direction, Vec<&'static str>)> = asked
            .iter()
            .map(|asked| {
                let mut names = asked.filter.columns();
                if self.scan.view == View::OneWay {
                    names.extend(["src_packets", "dst_packets"]);
                }
                (asked.direction, names)
            })
            .collect();
        let names = names
            .iter()
            .map(|(direction, names)| (*direction, names.as_slice()));
        physical_columns(names, false, empty)
    }

    /// Every row fits: one pass over what is needed.
    fn whole(&mut self, part: &Part, group: usize, needed: &[&'static str]) -> Result<(), SearchError> {
        self.cost.rows_read += part.rows(group) as u64;
        let mut at = 0;
        let mut take = |reading: &mut Self, batch: &RecordBatch| {
            reading.control.check()?;
            reading.rows.clear();
            reading.rows.extend(0..batch.num_rows() as u32);
            let place = Places::From(at);
            at += batch.num_rows() as u32;
            reading.pass_on(&Seen::new(batch, reading.scan), Direction::Both, place)
        };
        for batch in part.read(group, needed, None)? {
            take(self, &batch?)?;
            if self.fold.certain() {
                break;
            }
        }
        Ok(())
    }

    /// Reads the columns of the filter and marks the rows that fit.
    fn marks(
        &self,
        part: &Part,
        group: usize,
        asked: &[Asked<'_>],
        judged: &[&'static str],
        rows: Option<RowSelection>,
    ) -> Result<Marks, SearchError> {
        let mut marks = Marks::with_capacity(part.rows(group));
        for batch in part.read(group, judged, rows)? {
            self.control.check()?;
            let batch = batch?;
            let columns = Seen::new(&batch, self.scan);
            let first = marks.len();
            marks.resize(first + batch.num_rows(), 0);
            for (
                bit,
                Asked {
                    direction, filter, ..
                },
            ) in asked.iter().enumerate()
            {
                let directed = Directed::new(&columns, *direction);
                let fitting = select(filter, &directed, &direction.rows(&columns));
                fitting.iter().for_each(|row| marks[first + row] |= 1 << bit);
            }
        }
        Ok(marks)
    }

    /// Reads what is needed and passes on the marked rows.
    fn marked(
        &mut self,
        part: &Part,
        group: usize,
        needed: &[&'static str],
        rows: Option<RowSelection>,
        places: &[u32],
        marks: &[u8],
    ) -> Result<(), SearchError> {
        let mut at = 0;
        for batch in part.read(group, needed, rows)? {
            self.control.check()?;
            let batch = batch?;
            let columns = Seen::new(&batch, self.scan);
            let own = &marks[at..at + batch.num_rows()];
            for (bit, direction) in self.scan.view.directions().iter().enumerate() {
                self.rows.clear();
                let fitting = (0..own.len() as u32).filter(|row| own[*row as usize] >> bit & 1 == 1);
                self.rows.extend(fitting);
                let directed = Directed::new(&columns, *direction);
                self.pass_on(&directed, *direction, Places::Each(&places[at..]))?;
            }
            at += batch.num_rows();
            if self.fold.certain() {
                break;
            }
        }
        Ok(())
    }
}

/// The physical columns behind these names in their directions, without those that are `empty`: what lacks its columns
/// has no values. A scan that needs none counts rows by one small column.
fn physical_columns<'n>(
    names: impl Iterator<Item = (Direction, &'n [&'static str])>,
    coarse_start: bool,
    empty: &dyn Fn(&str) -> bool,
) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for (direction, names) in names {
        let stored = names.iter().filter_map(|name| direction.column(name));
        for name in stored.filter(|name| !empty(name)) {
            let mut columns = physical(name);
            columns.truncate(if coarse_start && name == "start" {
                1
            } else {
                usize::MAX
            });
            for column in columns {
                if !found.contains(&column) {
                    found.push(column);
                }
            }
        }
    }
    if found.is_empty() {
        found.push("proto");
    }
    found
}

/// Ascending rows as ranges.
fn ranges_of(rows: impl Iterator<Item = u32>) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for row in rows.map(|row| row as usize) {
        match ranges.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => ranges.push(row..row + 1),
        }
    }
    ranges
}
