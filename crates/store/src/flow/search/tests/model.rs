//! What a search should answer, worked out the long way over plain records.

use std::collections::{BTreeMap, BTreeSet};

use weir_model::FlowRecord;
use weir_query::{Expr, Field, Reads, Scalar};

use crate::flow::search::{Cut, Figure, Groups, Key, KeyValue, View, one_way, reversed};

pub(super) type Cell = Option<Scalar<'static>>;

/// The rows of a view that fit.
pub(super) fn rows(flows: &[FlowRecord], view: View, filter: &Expr) -> Vec<FlowRecord> {
    let rows = flows.iter().flat_map(|flow| match view {
        View::Biflow | View::Transactions => vec![flow.clone()],
        View::OneWay => {
            let back = reversed(flow.clone());
            std::iter::once(one_way(flow.clone())).chain(back).collect()
        }
    });
    rows.filter(|row| filter.matches(row)).collect()
}

/// A value that can be sorted: absent first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sortable {
    None,
    Number(u128),
    Text(String),
}

pub(super) fn sortable(cell: &Cell) -> Sortable {
    match cell {
        None => Sortable::None,
        Some(Scalar::Number(n) | Scalar::Mac(n)) => Sortable::Number((*n).into()),
        Some(Scalar::Time(t)) => Sortable::Number((*t as i128 + (1 << 64)) as u128),
        Some(Scalar::Address(a)) => Sortable::Number(*a),
        Some(Scalar::Flag(f)) => Sortable::Number((*f).into()),
        Some(Scalar::Rate(r)) => Sortable::Number((r * 1e6) as u128),
        Some(Scalar::Text(t)) => Sortable::Text(t.to_string()),
        Some(Scalar::Texts(_)) => Sortable::None,
    }
}

fn cut(cell: Cell, cut: Cut) -> Cell {
    match (cell, cut) {
        (Some(Scalar::Address(address)), Cut::Prefix { v4, v6 }) => {
            let host = if address >> 32 == 0xffff {
                32 - u32::from(v4)
            } else {
                128 - u32::from(v6)
            };
            Some(Scalar::Address(if host == 128 {
                0
            } else {
                address >> host << host
            }))
        }
        (Some(Scalar::Time(time)), Cut::Span(nanos)) => Some(Scalar::Time(time - time.rem_euclid(nanos))),
        (cell, _) => cell,
    }
}

/// The key of a row on its first or second side.
fn key(row: &FlowRecord, keys: &[Key], second: bool) -> Vec<Cell> {
    let one = |key: &Key| {
        let column = match (&key.value, second) {
            (KeyValue::Column(column), _) | (KeyValue::Either(column, _), false) => column,
            (KeyValue::Either(_, column), true) => column,
        };
        cut(column.of_flow(row), key.cut)
    };
    keys.iter().map(one).collect()
}

fn number(row: &FlowRecord, field: &Field) -> Option<u64> {
    let of = |column: &weir_query::Column| match column.of_flow(row)? {
        Scalar::Number(number) => Some(number),
        Scalar::Time(time) => Some(time as u64),
        _ => None,
    };
    match &field.reads {
        Reads::One(column) => of(column),
        Reads::Sum(a, b) => match (of(a), of(b)) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
        },
        Reads::Union(a, b) => match (of(a), of(b)) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0) | b.unwrap_or(0)),
        },
        Reads::Span(a, b) => Some((of(b)? as i64 - of(a)? as i64).max(0) as u64),
        _ => None,
    }
}

/// The figure of these rows; quantiles are given as the exact value.
pub(super) fn figure(rows: &[&FlowRecord], figure: &Figure) -> Cell {
    let numbers = |field: &Field| {
        rows.iter()
            .filter_map(|row| number(row, field))
            .collect::<Vec<u64>>()
    };
    let total = |field: &Field| numbers(field).iter().sum::<u64>();
    match figure {
        Figure::Records => Some(Scalar::Number(rows.len() as u64)),
        Figure::Sum(field) => (!numbers(field).is_empty()).then(|| Scalar::Number(total(field))),
        Figure::Mean(field) => {
            let all = numbers(field);
            (!all.is_empty()).then(|| Scalar::Rate(total(field) as f64 / all.len() as f64))
        }
        Figure::Least(field) => numbers(field).into_iter().min().map(|n| back(n, field)),
        Figure::Greatest(field) => numbers(field).into_iter().max().map(|n| back(n, field)),
        Figure::Flags(field) => numbers(field)
            .into_iter()
            .reduce(|a, b| a | b)
            .map(Scalar::Number),
        Figure::Distinct(one) => {
            let keys = std::slice::from_ref(one);
            let sides: &[bool] = match one.value {
                KeyValue::Column(_) => &[false],
                KeyValue::Either(..) => &[false, true],
            };
            let values = rows
                .iter()
                .flat_map(|row| sides.iter().map(|second| key(row, keys, *second)[0].clone()));
            let distinct: BTreeSet<Sortable> = values.flatten().map(|value| sortable(&Some(value))).collect();
            Some(Scalar::Number(distinct.len() as u64))
        }
        Figure::Quantile(field, share) => {
            let mut all = numbers(field);
            all.sort_unstable();
            let at = (share * (all.len().max(1) - 1) as f64).round() as usize;
            all.get(at).map(|number| Scalar::Rate(*number as f64))
        }
        Figure::Rate(field, factor) => {
            let first = rows.iter().map(|row| row.start.0).min()?;
            let last = rows.iter().map(|row| row.end.0).max()?;
            (last > first).then(|| Scalar::Rate(total(field) as f64 * factor / (last - first) as f64))
        }
        Figure::Quotient(part, whole) => {
            let count = total(whole);
            (count > 0).then(|| Scalar::Rate(total(part) as f64 / count as f64))
        }
    }
}

fn back(number: u64, field: &Field) -> Scalar<'static> {
    match field.kind {
        weir_query::Kind::Time => Scalar::Time(number as i64),
        _ => Scalar::Number(number),
    }
}

/// Rows by group, in order of the keys.
pub(super) fn grouped<'a>(rows: &'a [FlowRecord], keys: &[Key]) -> Vec<(Vec<Cell>, Vec<&'a FlowRecord>)> {
    let mut found: BTreeMap<Vec<Sortable>, (Vec<Cell>, Vec<&FlowRecord>)> = BTreeMap::new();
    let either = keys.iter().any(|key| matches!(key.value, KeyValue::Either(..)));
    for row in rows {
        let first = key(row, keys, false);
        let mut own = vec![first.clone()];
        if either {
            let second = key(row, keys, true);
            if second != first {
                own.push(second);
            }
        }
        for key in own {
            let sorted = key.iter().map(sortable).collect();
            found
                .entry(sorted)
                .or_insert_with(|| (key, Vec::new()))
                .1
                .push(row);
        }
    }
    found.into_values().collect()
}

/// Lines of a grouping.
pub(super) fn lines(rows: &[FlowRecord], groups: &Groups) -> Vec<Vec<Cell>> {
    let mut lines: Vec<(Sortable, Vec<Cell>)> = grouped(rows, &groups.keys)
        .into_iter()
        .map(|(mut line, rows)| {
            let figures: Vec<Cell> = groups
                .measures
                .iter()
                .map(|measure| figure(&rows, &measure.what))
                .collect();
            let weight = groups.order.map_or(Sortable::None, |at| sortable(&figures[at]));
            line.extend(figures);
            (weight, line)
        })
        .collect();
    lines.sort_by(|a, b| b.0.cmp(&a.0));
    lines.truncate(groups.limit.unwrap_or(usize::MAX));
    lines.into_iter().map(|(_, line)| line).collect()
}
