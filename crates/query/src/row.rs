//! The first back end: does one record fit? Used where records pass one by one: live filters, suppression rules,
//! triggers.

use weir_model::{FlowRecord, Transaction};

use crate::column::{Column, Scalar, stand_in};
use crate::field::Reads;
use crate::tree::{Check, Expr, Test, TextTest};

/// A record whose columns can be read one at a time.
trait Row {
    fn read(&self, column: &Column) -> Option<Scalar<'_>>;

    fn number(&self, column: &Column) -> Option<u64> {
        match self.read(column)? {
            Scalar::Number(number) => Some(number),
            _ => None,
        }
    }

    fn time(&self, column: &Column) -> Option<i64> {
        match self.read(column)? {
            Scalar::Time(time) => Some(time),
            _ => None,
        }
    }
}

impl Row for FlowRecord {
    fn read(&self, column: &Column) -> Option<Scalar<'_>> {
        column.of_flow(self)
    }
}

struct TransactionRow<'a> {
    transaction: &'a Transaction,
    flow: FlowRecord,
}

impl Row for TransactionRow<'_> {
    fn read(&self, column: &Column) -> Option<Scalar<'_>> {
        column.of_transaction(self.transaction, &self.flow)
    }
}

impl Expr {
    /// Does the flow record fit? Fields that only transactions have never do.
    pub fn matches(&self, flow: &FlowRecord) -> bool {
        holds(self, flow)
    }

    /// Does the transaction fit? Fields that only flow records have never do.
    pub fn matches_transaction(&self, transaction: &Transaction) -> bool {
        let row = TransactionRow {
            transaction,
            flow: stand_in(transaction),
        };
        holds(self, &row)
    }
}

fn holds(expr: &Expr, row: &impl Row) -> bool {
    match expr {
        Expr::Any => true,
        Expr::And(parts) => parts.iter().all(|part| holds(part, row)),
        Expr::Or(parts) => parts.iter().any(|part| holds(part, row)),
        Expr::Not(inner) => !holds(inner, row),
        Expr::Test(test) => fits(test, row),
    }
}

fn fits(test: &Test, row: &impl Row) -> bool {
    let check = &test.check;
    let accepts = |scalar: Option<Scalar<'_>>| scalar.is_some_and(|scalar| accepts(check, &scalar));
    match &test.field.reads {
        Reads::Either(src, dst) => accepts(row.read(src)) || accepts(row.read(dst)),
        reads => accepts(value(reads, row)),
    }
}

/// The value of a flow record that is read so; none where either side's would do.
pub(crate) fn of_flow(reads: &Reads, flow: &FlowRecord) -> Option<Scalar<'static>> {
    match reads {
        Reads::One(column) => column.of_flow(flow),
        reads => value(reads, flow).and_then(owned),
    }
}

/// The same of a transaction.
pub(crate) fn of_transaction<'a>(reads: &Reads, transaction: &'a Transaction) -> Option<Scalar<'a>> {
    let flow = stand_in(transaction);
    match reads {
        Reads::One(column) => column.of_transaction(transaction, &flow),
        reads => value(reads, &TransactionRow { transaction, flow }).and_then(owned),
    }
}

/// What is computed is a number, and borrows nothing.
fn owned(scalar: Scalar<'_>) -> Option<Scalar<'static>> {
    match scalar {
        Scalar::Number(number) => Some(Scalar::Number(number)),
        Scalar::Rate(rate) => Some(Scalar::Rate(rate)),
        _ => None,
    }
}

/// The one value of a row that is read so; none where either side's would do.
fn value<'a>(reads: &Reads, row: &'a impl Row) -> Option<Scalar<'a>> {
    match reads {
        Reads::One(column) => row.read(column),
        Reads::Either(..) => None,
        Reads::Sum(src, dst) => sum(row, [src, dst]).map(Scalar::Number),
        Reads::Union(src, dst) => {
            let bits = [src, dst].into_iter().filter_map(|column| row.number(column));
            bits.reduce(|a, b| a | b).map(Scalar::Number)
        }
        Reads::Span(from, to) => nanos(row, [from, to]).map(Scalar::Number),
        Reads::PerTime([a, b], factor, [from, to]) => {
            let nanos = nanos(row, [from, to]).filter(|nanos| *nanos > 0)?;
            Some(Scalar::Rate(per_time(sum(row, [a, b])?, *factor, nanos)))
        }
        Reads::PerCount([a, b], [c, d]) => {
            let count = sum(row, [c, d]).filter(|count| *count > 0)?;
            Some(Scalar::Rate(sum(row, [a, b])? as f64 / count as f64))
        }
    }
}

/// The one formula of rates; SQL repeats it in the same order, so that rounding is the same.
pub(crate) fn per_time(sum: u64, factor: f64, nanos: u64) -> f64 {
    sum as f64 * factor / nanos as f64
}

/// Nanoseconds between two moments, at least zero.
pub(crate) fn between(from: i64, to: i64) -> u64 {
    to.saturating_sub(from).max(0).cast_unsigned()
}

fn sum(row: &impl Row, columns: [&Column; 2]) -> Option<u64> {
    let counts = columns.into_iter().filter_map(|column| row.number(column));
    counts.reduce(u64::saturating_add)
}

fn nanos(row: &impl Row, [from, to]: [&Column; 2]) -> Option<u64> {
    Some(between(row.time(from)?, row.time(to)?))
}

/// Does a value that is there fit?
pub(crate) fn accepts(check: &Check, scalar: &Scalar<'_>) -> bool {
    match (check, scalar) {
        (Check::Present, _) => true,
        (Check::Numbers(set), Scalar::Number(number) | Scalar::Mac(number)) => set.all().contains(*number),
        (Check::Times(set), Scalar::Time(time)) => set.all().contains(*time),
        (Check::Addresses(set), Scalar::Address(address)) => set.all().contains(*address),
        (Check::Rate(order, wanted), Scalar::Rate(found)) => order.holds(*found, *wanted),
        (Check::Flag(wanted), Scalar::Flag(found)) => wanted == found,
        (Check::TcpFlags(test), Scalar::Number(bits)) => test.accepts(*bits),
        (Check::Text(test), Scalar::Text(text)) => test.accepts(text),
        (Check::Text(test), Scalar::Texts(all)) => one_fits(test, all),
        _ => false,
    }
}

pub(crate) fn one_fits(test: &TextTest, all: &[Box<str>]) -> bool {
    all.iter().any(|text| test.accepts(text))
}
