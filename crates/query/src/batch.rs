//! The second back end: typed columns of many rows at once. Only columns that are needed are asked for, each
//! conjunct looks only at rows that are left, and texts are compared once per distinct text.

use std::cell::OnceCell;
use std::collections::HashMap;

use weir_model::FlowRecord;

use crate::column::{Column, FLOW_COLUMNS, Kind, Scalar};
use crate::field::Reads;
use crate::row::{between, one_fits, per_time};
use crate::selection::Selection;
use crate::tree::{Check, Expr, Test};

/// Values of one column, row by row, and which rows have one. The value of a row without one is not looked at.
#[derive(Clone, Copy, Debug)]
pub enum Slice<'a> {
    /// The batch has no such column: no row has a value.
    Missing,
    /// Numbers, hardware addresses, TCP flags, and yes/no as 1 and 0.
    Numbers(&'a [u64], &'a Selection),
    Times(&'a [i64], &'a Selection),
    Addresses(&'a [u128], &'a Selection),
    /// Codes into a dictionary of distinct texts.
    Texts(&'a [u32], &'a [Box<str>], &'a Selection),
    /// Codes into a dictionary of distinct lists of texts.
    Lists(&'a [u32], &'a [Vec<Box<str>>], &'a Selection),
}

/// A batch seen as columns: what a store implements over its own format.
pub trait Columns {
    /// Number of rows.
    fn rows(&self) -> usize;
    /// The column with this name.
    fn column(&self, name: &str) -> Slice<'_>;
}

/// The rows of `within` that fit.
pub fn select(expr: &Expr, columns: &impl Columns, within: &Selection) -> Selection {
    match expr {
        Expr::Any => within.clone(),
        Expr::And(parts) => {
            let mut left = within.clone();
            for part in cheapest_first(parts) {
                if left.is_empty() {
                    break;
                }
                left = select(part, columns, &left);
            }
            left
        }
        Expr::Or(parts) => {
            let mut found = Selection::none(columns.rows());
            let mut open = within.clone();
            for part in cheapest_first(parts) {
                if open.is_empty() {
                    break;
                }
                let fitting = select(part, columns, &open);
                open = open.without(&fitting);
                found = found.union(&fitting);
            }
            found
        }
        Expr::Not(inner) => within.without(&select(inner, columns, within)),
        Expr::Test(test) => fitting(test, columns, within),
    }
}

/// The parts in order of what a row costs; the order written decides between equals.
fn cheapest_first(parts: &[Expr]) -> Vec<&Expr> {
    let mut sorted: Vec<&Expr> = parts.iter().collect();
    sorted.sort_by_key(|part| cost(part));
    sorted
}

fn cost(expr: &Expr) -> u32 {
    match expr {
        Expr::Any => 0,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().map(cost).fold(0, u32::saturating_add),
        Expr::Not(inner) => cost(inner),
        Expr::Test(test) => {
            let columns = test.field.reads.columns().len() as u32;
            match test.check {
                Check::Present | Check::Flag(_) | Check::TcpFlags(_) => columns,
                Check::Numbers(_) | Check::Times(_) | Check::Rate(..) => 2 * columns,
                Check::Addresses(_) => 3 * columns,
                Check::Text(_) => 8 * columns,
            }
        }
    }
}

fn fitting(test: &Test, columns: &impl Columns, within: &Selection) -> Selection {
    let slice = |column: &Column| columns.column(column.name);
    let check = &test.check;
    match &test.field.reads {
        Reads::One(column) => one(check, slice(column), within),
        Reads::Either(src, dst) => {
            let left = one(check, slice(src), within);
            one(check, slice(dst), &within.without(&left)).union(&left)
        }
        Reads::Sum(src, dst) => {
            let sum = pair(slice(src), slice(dst), u64::saturating_add);
            within.keep(|row| sum(row).is_some_and(|sum| number(check, sum)))
        }
        Reads::Union(src, dst) => {
            let bits = pair(slice(src), slice(dst), |a, b| a | b);
            within.keep(|row| bits(row).is_some_and(|bits| number(check, bits)))
        }
        Reads::Span(from, to) => {
            let nanos = nanos(slice(from), slice(to));
            within.keep(|row| nanos(row).is_some_and(|nanos| number(check, nanos)))
        }
        Reads::PerTime([a, b], factor, [from, to]) => {
            let sum = pair(slice(a), slice(b), u64::saturating_add);
            let nanos = nanos(slice(from), slice(to));
            within.keep(|row| {
                let parts = sum(row).zip(nanos(row).filter(|nanos| *nanos > 0));
                parts.is_some_and(|(sum, nanos)| rate(check, per_time(sum, *factor, nanos)))
            })
        }
        Reads::PerCount([a, b], [c, d]) => {
            let sum = pair(slice(a), slice(b), u64::saturating_add);
            let count = pair(slice(c), slice(d), u64::saturating_add);
            within.keep(|row| {
                let parts = sum(row).zip(count(row).filter(|count| *count > 0));
                parts.is_some_and(|(sum, count)| rate(check, sum as f64 / count as f64))
            })
        }
    }
}

/// One column: the loop is chosen by the types once, not per row.
fn one(check: &Check, slice: Slice<'_>, within: &Selection) -> Selection {
    match (check, slice) {
        (
            Check::Present,
            Slice::Numbers(_, valid)
            | Slice::Times(_, valid)
            | Slice::Addresses(_, valid)
            | Slice::Texts(_, _, valid)
            | Slice::Lists(_, _, valid),
        ) => within.keep(|row| valid.contains(row)),
        (Check::Numbers(set), Slice::Numbers(values, valid)) => {
            within.keep(|row| valid.contains(row) && set.all().contains(values[row]))
        }
        (Check::TcpFlags(test), Slice::Numbers(values, valid)) => {
            within.keep(|row| valid.contains(row) && test.accepts(values[row]))
        }
        (Check::Flag(wanted), Slice::Numbers(values, valid)) => {
            within.keep(|row| valid.contains(row) && (values[row] != 0) == *wanted)
        }
        (Check::Times(set), Slice::Times(values, valid)) => {
            within.keep(|row| valid.contains(row) && set.all().contains(values[row]))
        }
        (Check::Addresses(set), Slice::Addresses(values, valid)) => {
            within.keep(|row| valid.contains(row) && set.all().contains(values[row]))
        }
        (Check::Text(test), Slice::Texts(codes, texts, valid)) => {
            let fitting: Vec<bool> = texts.iter().map(|text| test.accepts(text)).collect();
            within.keep(|row| valid.contains(row) && fitting[codes[row] as usize])
        }
        (Check::Text(test), Slice::Lists(codes, lists, valid)) => {
            let fitting: Vec<bool> = lists.iter().map(|list| one_fits(test, list)).collect();
            within.keep(|row| valid.contains(row) && fitting[codes[row] as usize])
        }
        _ => Selection::none(within.rows()),
    }
}

/// Two columns of numbers made one; a side without value does not count.
fn pair<'a>(
    left: Slice<'a>,
    right: Slice<'a>,
    join: impl Fn(u64, u64) -> u64 + 'a,
) -> impl Fn(usize) -> Option<u64> + 'a {
    let value = |slice: Slice<'_>, row: usize| match slice {
        Slice::Numbers(values, valid) if valid.contains(row) => Some(values[row]),
        _ => None,
    };
    move |row| match (value(left, row), value(right, row)) {
        (Some(a), Some(b)) => Some(join(a, b)),
        (one, other) => one.or(other),
    }
}

fn nanos<'a>(from: Slice<'a>, to: Slice<'a>) -> impl Fn(usize) -> Option<u64> + 'a {
    move |row| match (from, to) {
        (Slice::Times(from, has_from), Slice::Times(to, has_to))
            if has_from.contains(row) && has_to.contains(row) =>
        {
            Some(between(from[row], to[row]))
        }
        _ => None,
    }
}

fn number(check: &Check, number: u64) -> bool {
    match check {
        Check::Present => true,
        Check::Numbers(set) => set.all().contains(number),
        Check::TcpFlags(test) => test.accepts(number),
        _ => false,
    }
}

fn rate(check: &Check, found: f64) -> bool {
    match check {
        Check::Present => true,
        Check::Rate(order, wanted) => order.holds(found, *wanted),
        _ => false,
    }
}

/// Flow records as columns; a column is built when it is first asked for.
pub struct FlowColumns<'a> {
    flows: &'a [FlowRecord],
    built: Vec<OnceCell<Built>>,
}

enum Built {
    Numbers(Vec<u64>, Selection),
    Times(Vec<i64>, Selection),
    Addresses(Vec<u128>, Selection),
    Texts(Vec<u32>, Vec<Box<str>>, Selection),
}

impl<'a> FlowColumns<'a> {
    /// Sees these records as columns.
    pub fn new(flows: &'a [FlowRecord]) -> Self {
        Self {
            flows,
            built: FLOW_COLUMNS.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    /// Names of the columns that were asked for.
    pub fn touched(&self) -> Vec<&'static str> {
        let cells = FLOW_COLUMNS.iter().zip(&self.built);
        cells
            .filter(|(_, cell)| cell.get().is_some())
            .map(|(column, _)| column.name)
            .collect()
    }
}

impl Columns for FlowColumns<'_> {
    fn rows(&self) -> usize {
        self.flows.len()
    }

    fn column(&self, name: &str) -> Slice<'_> {
        let Some(at) = FLOW_COLUMNS.iter().position(|column| column.name == name) else {
            return Slice::Missing;
        };
        match self.built[at].get_or_init(|| build(self.flows, &FLOW_COLUMNS[at])) {
            Built::Numbers(values, valid) => Slice::Numbers(values, valid),
            Built::Times(values, valid) => Slice::Times(values, valid),
            Built::Addresses(values, valid) => Slice::Addresses(values, valid),
            Built::Texts(codes, texts, valid) => Slice::Texts(codes, texts, valid),
        }
    }
}

fn build(flows: &[FlowRecord], column: &Column) -> Built {
    let cells: Vec<Option<Scalar<'static>>> = flows.iter().map(|flow| column.of_flow(flow)).collect();
    let valid = Selection::from_fn(cells.len(), |row| cells[row].is_some());
    match column.kind {
        Kind::Time => Built::Times(
            values(cells, |cell| match cell {
                Scalar::Time(time) => time,
                _ => 0,
            }),
            valid,
        ),
        Kind::Address => Built::Addresses(
            values(cells, |cell| match cell {
                Scalar::Address(address) => address,
                _ => 0,
            }),
            valid,
        ),
        Kind::Text | Kind::Texts => {
            let (codes, texts) = dictionary(cells);
            Built::Texts(codes, texts, valid)
        }
        Kind::Number(_) | Kind::Rate(_) | Kind::Mac | Kind::TcpFlags | Kind::Flag => Built::Numbers(
            values(cells, |cell| match cell {
                Scalar::Number(number) | Scalar::Mac(number) => number,
                Scalar::Flag(flag) => u64::from(flag),
                _ => 0,
            }),
            valid,
        ),
    }
}

fn values<T: Default>(cells: Vec<Option<Scalar<'static>>>, value: impl Fn(Scalar<'static>) -> T) -> Vec<T> {
    cells
        .into_iter()
        .map(|cell| cell.map(&value).unwrap_or_default())
        .collect()
}

/// Distinct texts in the order met, and the code of each row.
fn dictionary(cells: Vec<Option<Scalar<'static>>>) -> (Vec<u32>, Vec<Box<str>>) {
    let mut texts: Vec<Box<str>> = Vec::new();
    let mut known: HashMap<Box<str>, u32> = HashMap::new();
    let codes = cells.into_iter().map(|cell| match cell {
        Some(Scalar::Text(text)) => *known.entry(text.as_ref().into()).or_insert_with(|| {
            texts.push(text.as_ref().into());
            texts.len() as u32 - 1
        }),
        _ => 0,
    });
    (codes.collect(), texts)
}
