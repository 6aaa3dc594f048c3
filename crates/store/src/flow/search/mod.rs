//! The search over the flow store: five shapes of question (list, groups, series, top groups over time, existence) over
//! parts on disk and batches still in memory. Small on purpose: no SQL, no optimiser; what is asked is a value
//! ([`Search`]), and the same question gives the same answer on any number of threads.
//!
//! A search makes its threads when it starts and ends them before it returns (docs/adr has the reason); it owns nothing
//! that outlives it.

mod answer;
mod bounds;
mod clickhouse;
mod control;
pub mod distinct;
mod export;
mod figures;
mod groups;
mod keys;
mod lifting;
mod list;
mod numbers;
mod part;
mod plan;
pub mod quantile;
mod reading;
mod related;
mod scan;
mod seen;
mod series;
mod spans;
mod table;
mod view;

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use weir_query::Columns;

pub use answer::{Answer, AnswerColumn, Cost, Found, Table, TransactionRows};
pub use clickhouse::run_in_clickhouse;
pub use control::{Control, MEMORY_DEFAULT};
pub use export::{RecordsFile, records_to_parquet, table_to_parquet};
pub use plan::{Cut, Figure, Groups, Key, KeyValue, Measure, RowOrder, Search, Shape, View};
pub use series::BUCKETS_MAX;
pub use view::{one_way, reversed};

use super::{Part, Snapshot};
use crate::disk::Disk;
use groups::Grouping;
use list::ListFold;
use scan::{Chunk, Fold, Pieces, Scan, Scanned};
use seen::Records;

/// Where rows lie.
#[derive(Clone)]
pub enum Source {
    /// A Parquet part; opened when it is its turn, closed behind it.
    Part { disk: Arc<dyn Disk>, part: Arc<Part> },
    /// A batch of the flow table, of the log or of a capture just read.
    Batch(RecordBatch),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part { part, .. } => write!(f, "Part({})", part.path),
            Self::Batch(batch) => write!(f, "Batch({} rows)", batch.num_rows()),
        }
    }
}

/// Everything a snapshot holds, oldest parts first and the log behind them.
pub fn sources(disk: &Arc<dyn Disk>, snapshot: &Snapshot) -> Vec<Source> {
    let parts = snapshot.parts.iter().map(|part| Source::Part {
        disk: disk.clone(),
        part: part.clone(),
    });
    let memory = snapshot.memory.iter().cloned().map(Source::Batch);
    parts.chain(memory).collect()
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("the search was cancelled")]
    Cancelled,
    /// More memory would be needed than the caller allows.
    #[error("the search needs more than its {} MiB of memory: {fix}", budget >> 20)]
    Budget { budget: usize, fix: &'static str },
    #[error("there are more than four thousand million groups: narrow the filter or shorten prefixes")]
    TooManyGroups,
    #[error("too many columns to group by: their values take more than 64 bytes")]
    TooManyKeys,
    #[error("the series would have {0} spans, {max} at most: take longer ones", max = BUCKETS_MAX)]
    TooManyBuckets(u64),
    #[error("{name} {reason}")]
    Field { name: String, reason: &'static str },
    #[error("cannot read {path}: {reason}")]
    Part { path: String, reason: String },
    /// The part was merged or expired since the snapshot was taken: take a new one and ask again.
    #[error("{0} is gone: it was merged into another part or its time was over")]
    Gone(String),
    #[error("a batch of the store is not readable: {0}")]
    Batch(String),
    /// The database that holds the records.
    #[error("{0}")]
    Outside(String),
}

/// Runs a search.
///
/// # Errors
/// When it was cancelled, would take too much memory, asks for what fields cannot give, or a part cannot be read.
pub fn run(search: &Search, sources: &[Source], control: &Control) -> Result<Answer, SearchError> {
    let own = lifting::columns_of(search);
    if search.view == View::Transactions {
        return answer(search, sources, Records::Transactions(&own), control);
    }
    match own.first() {
        None => answer(search, sources, Records::Flows(None), control),
        Some(column) => Err(SearchError::Field {
            name: column.name.to_owned(),
            reason: "is known of transactions, which are not at hand here",
        }),
    }
}

/// Runs a search over flows that may ask about their transactions, whose sources are `transactions`.
///
/// # Errors
/// As [`run`].
pub fn run_with_transactions(
    search: &Search,
    flows: &[Source],
    transactions: &[Source],
    control: &Control,
) -> Result<Answer, SearchError> {
    if search.view == View::Transactions || lifting::columns_of(search).is_empty() {
        return run(search, flows, control);
    }
    control.check()?;
    let (search, related) = related::gather(search, transactions, control)?;
    answer(&search, flows, Records::Flows(Some(&related)), control)
}

/// The answer of these records.
fn answer(
    search: &Search,
    sources: &[Source],
    records: Records<'_>,
    control: &Control,
) -> Result<Answer, SearchError> {
    control.check()?;
    let pieces = Pieces(sources);
    let scan = |columns, spans: &[i64]| Scan::new(search, columns, spans, records);
    let (found, cost) = match &search.shape {
        Shape::List { order, limit } => listed(search, order, *limit, records, &pieces, control)?,
        Shape::Groups(groups) => {
            let grouping = Grouping::new(groups)?;
            let Scanned { folds, cost, .. } =
                pieces.scan(&scan(columns(groups), &spans(groups)), control, || {
                    grouping.fold()
                })?;
            let whole = grouping.join(folds, control)?;
            let picked = grouping.pick(&whole, groups, control)?;
            (Found::Table(grouping.lines(&whole, &picked, control)?), cost)
        }
        Shape::Series { bucket_ns, measures } => {
            let groups = series::groups(*bucket_ns, measures)?;
            let grouping = Grouping::new(&groups)?;
            let Scanned { folds, cost, .. } =
                pieces.scan(&scan(columns(&groups), &spans(&groups)), control, || {
                    grouping.fold()
                })?;
            let whole = grouping.join(folds, control)?;
            series::check(whole.table.groups() as u64)?;
            let picked = grouping.pick(&whole, &groups, control)?;
            let lines = grouping.lines(&whole, &picked, control)?;
            (
                Found::Table(series::without_gaps(lines, *bucket_ns, &grouping)?),
                cost,
            )
        }
        Shape::TopOverTime { groups, bucket_ns } => {
            let first = Grouping::new(groups)?;
            let Scanned { folds, mut cost, .. } =
                pieces.scan(&scan(columns(groups), &spans(groups)), control, || first.fold())?;
            let whole = first.join(folds, control)?;
            let picked = first.pick(&whole, groups, control)?;
            let span = series::span(*bucket_ns)?;
            let ranks = first.ranks(whole, &picked, &span, control)?;
            let second = Grouping::new(groups)?.ranked(ranks);
            let mut names = columns(groups);
            names.push("start");
            let again = pieces.scan(&scan(names, &[]), control, || second.fold())?;
            cost.add(&again.cost);
            let whole = second.join(again.folds, control)?;
            (Found::Table(second.ranked_lines(&whole, &span, control)?), cost)
        }
        Shape::Exists => {
            let Scanned { folds, cost, .. } =
                pieces.scan(&scan(Vec::new(), &[]), control, || AnyRow(false))?;
            (Found::Exists(folds.iter().any(|fold| fold.0)), cost)
        }
    };
    control.check()?;
    Ok(Answer { found, cost })
}

/// The records of a list.
fn listed(
    search: &Search,
    order: &RowOrder,
    limit: Option<usize>,
    records: Records<'_>,
    pieces: &Pieces<'_>,
    control: &Control,
) -> Result<(Found, Cost), SearchError> {
    list::check(order)?;
    let columns = match order {
        RowOrder::Stored => Vec::new(),
        RowOrder::By { value, .. } => value.reads.columns().iter().map(|column| column.name).collect(),
    };
    let make = || ListFold::new(order, limit);
    let scanned = pieces.scan(&Scan::new(search, columns, &[], records), control, make)?;
    let cost = scanned.cost;
    let found = if search.view == View::Transactions {
        Found::Transactions(TransactionRows(list::transactions(
            scanned, limit, pieces, control,
        )?))
    } else {
        Found::Records(list::records(scanned, limit, search.view, pieces, control)?)
    };
    Ok((found, cost))
}

/// The columns a grouping reads.
fn columns(groups: &Groups) -> Vec<&'static str> {
    let keys = groups.keys.iter().flat_map(Key::columns);
    let mut names: Vec<&'static str> = keys.map(|column| column.name).collect();
    figures::columns(&groups.measures, &mut names);
    names
}

/// The widths moments of the start are cut to; none when the start is read as it is as well.
fn spans(groups: &Groups) -> Vec<i64> {
    let mut finer = Vec::new();
    figures::columns(&groups.measures, &mut finer);
    let mut spans = Vec::new();
    for key in &groups.keys {
        match key.cut {
            Cut::Span(nanos) => spans.push(nanos),
            _ => finer.extend(key.columns().iter().map(|column| column.name)),
        }
    }
    spans.retain(|_| !finer.contains(&"start"));
    spans
}

/// Has a row passed?
struct AnyRow(bool);

impl Fold for AnyRow {
    fn fold<C: Columns>(&mut self, _: &Chunk<'_, C>, _: &Control) -> Result<(), SearchError> {
        self.0 = true;
        Ok(())
    }

    fn certain(&self) -> bool {
        self.0
    }
}

#[cfg(test)]
mod tests;
