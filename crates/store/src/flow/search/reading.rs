//! One piece being read: statistics rule it out, or the filter's columns are read and judged, and only then the other
//! columns, of the rows that are left.

use std::borrow::Cow;

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::RowSelection;
use weir_query::{Columns, Expr, Verdict, select};

use super::answer::Cost;
use super::bounds;
use super::control::Control;
use super::part::{BATCH_ROWS, Part};
use super::related::Told;
use super::scan::{Chunk, Fold, Places, Scan, ranges_of};
use super::seen::Seen;
use super::view::{Directed, Direction};
use super::{SearchError, View};

/// Share of a piece's rows (one of so many) up to which the other columns are read for fitting rows alone; above it,
/// whole pages decode faster than their parts.
const SPARSE_SHARE: usize = 8;

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
pub(super) struct Reading<'a, F> {
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
    /// A piece about to be read.
    pub(super) fn new(
        scan: &'a Scan<'a>,
        control: &'a Control,
        fold: &'a mut F,
        cost: &'a mut Cost,
        piece: usize,
    ) -> Self {
        Self {
            scan,
            control,
            fold,
            cost,
            piece,
            rows: Vec::with_capacity(BATCH_ROWS),
        }
    }

    /// Reads a batch in memory.
    pub(super) fn memory(&mut self, batch: &RecordBatch) -> Result<(), SearchError> {
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
            self.pass_on(&directed, *direction, places, columns.told())?;
        }
        Ok(())
    }

    fn pass_on(
        &mut self,
        columns: &impl Columns,
        direction: Direction,
        places: Places<'_>,
        told: Option<Told<'_>>,
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
            told,
        };
        self.fold.fold(&chunk, self.control)
    }

    /// Reads a row group of a part.
    pub(super) fn part(&mut self, part: &Part, group: usize) -> Result<(), SearchError> {
        let rows_all = part.rows(group);
        let directions = self.scan.view.directions();
        let asked: Vec<Asked> = directions.iter().map(|at| self.asked(part, group, *at)).collect();
        if asked.iter().all(|asked| asked.verdict == Verdict::NoRow) {
            self.cost.pieces_pruned += 1;
            return Ok(());
        }
        let empty = |name: &str| bounds::is_empty(part.metadata(), group, name);
        let names = directions.iter().map(|at| (*at, self.scan.columns.as_slice()));
        let needed = physical_columns(names, self.scan, self.scan.coarse_start, &empty);
        let every = asked.iter().all(|asked| asked.verdict == Verdict::EveryRow);
        if every && self.scan.view != View::OneWay {
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
        physical_columns(names, self.scan, false, empty)
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
            let columns = Seen::new(batch, reading.scan);
            reading.pass_on(&columns, Direction::Both, place, columns.told())
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
                self.pass_on(&directed, *direction, Places::Each(&places[at..]), columns.told())?;
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
    scan: &Scan<'_>,
    coarse_start: bool,
    empty: &dyn Fn(&str) -> bool,
) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = Vec::new();
    for (direction, names) in names {
        for name in names {
            let stored = direction.column(name);
            if stored.is_some_and(empty) || (stored.is_none() && direction.lacks(name)) {
                continue;
            }
            let mut columns = scan.records.physical(direction, name);
            if coarse_start && *name == "start" {
                columns.truncate(1);
            }
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
