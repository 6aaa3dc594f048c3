//! Spans of time: the key that cuts moments, and a series without gaps.

use weir_query::{Catalog, Reads, Scalar};

use super::SearchError;
use super::answer::Table;
use super::groups::Grouping;
use super::plan::{Cut, Groups, Key, KeyValue, Measure};

/// Most spans of a series: five weeks of minutes twice over, more than any screen has columns.
pub const BUCKETS_MAX: u64 = 100_000;

/// The key of the span a record starts in.
pub(super) fn span(bucket_ns: i64) -> Result<Key, SearchError> {
    let start = Catalog::flows().field("start").map(|field| &field.reads);
    match start {
        Some(Reads::One(column)) if bucket_ns > 0 => Ok(Key {
            name: "time".to_owned(),
            value: KeyValue::Column(*column),
            cut: Cut::Span(bucket_ns),
        }),
        _ => Err(SearchError::Field {
            name: "time".to_owned(),
            reason: "needs a span longer than nothing",
        }),
    }
}

pub(super) fn groups(bucket_ns: i64, measures: &[Measure]) -> Result<Groups, SearchError> {
    Ok(Groups {
        keys: vec![span(bucket_ns)?],
        measures: measures.to_vec(),
        order: None,
        limit: None,
    })
}

pub(super) fn check(buckets: u64) -> Result<(), SearchError> {
    if buckets > BUCKETS_MAX {
        return Err(SearchError::TooManyBuckets(buckets));
    }
    Ok(())
}

/// The lines with one for every span between the first and the last: nothing is counted there, and nothing is known.
pub(super) fn without_gaps(
    mut table: Table,
    bucket_ns: i64,
    grouping: &Grouping,
) -> Result<Table, SearchError> {
    let begin = |row: &Vec<Option<Scalar<'static>>>| match row.first() {
        Some(Some(Scalar::Time(begin))) => Some(*begin),
        _ => None,
    };
    let (Some(first), Some(last)) = (
        table.rows.first().and_then(begin),
        table.rows.last().and_then(begin),
    ) else {
        return Ok(table);
    };
    check((last.abs_diff(first) / bucket_ns.unsigned_abs()).saturating_add(1))?;
    let measures = table.columns.len() - 1;
    let mut filled = Vec::new();
    for row in table.rows {
        let due = begin(&row).unwrap_or(first);
        let mut next = filled.last().and_then(begin).map_or(due, |last| last + bucket_ns);
        while next < due {
            let mut line = vec![Some(Scalar::Time(next))];
            line.extend((0..measures).map(|at| grouping.figures.nothing(at)));
            filled.push(line);
            next += bucket_ns;
        }
        filled.push(row);
    }
    table.rows = filled;
    Ok(table)
}
