//! What the least and greatest values of a column say about a whole part of a store: that no row can fit, that every
//! row must, or nothing. A part that cannot fit is never read.

use crate::column::Column;
use crate::field::Reads;
use crate::tree::{Check, Expr, TextTest};

/// Least and greatest value of a column in a part.
#[derive(Clone, Debug, PartialEq)]
pub enum Bounds {
    /// Numbers, hardware addresses, TCP flags; yes/no as 1 and 0.
    Numbers(u64, u64),
    Times(i64, i64),
    Addresses(u128, u128),
    /// In byte order. May be cut short on the low side only.
    Texts(Box<str>, Box<str>),
    /// No row has a value.
    Empty,
}

/// Statistics of a part.
pub trait Statistics {
    /// Bounds of the column; `None` when they are not known.
    fn bounds(&self, column: &str) -> Option<Bounds>;
    /// Does every row have a value? False when that is not known.
    fn complete(&self, column: &str) -> bool;
}

/// What is certain about the rows of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    NoRow,
    SomeRows,
    EveryRow,
}

/// May any row of the part fit? `false` is certain.
pub fn may_match(expr: &Expr, statistics: &impl Statistics) -> bool {
    verdict(expr, statistics) != Verdict::NoRow
}

/// What the statistics prove about the part.
pub fn verdict(expr: &Expr, statistics: &impl Statistics) -> Verdict {
    use Verdict::{EveryRow, NoRow, SomeRows};
    let all = |parts: &[Expr], stop: Verdict, neutral: Verdict| {
        let mut verdicts = parts.iter().map(|part| verdict(part, statistics));
        verdicts.try_fold(neutral, |so_far, next| match next {
            next if next == stop => Err(stop),
            next if next == neutral => Ok(so_far),
            _ => Ok(SomeRows),
        })
    };
    match expr {
        Expr::Any => EveryRow,
        Expr::And(parts) => all(parts, NoRow, EveryRow).unwrap_or_else(|stop| stop),
        Expr::Or(parts) => all(parts, EveryRow, NoRow).unwrap_or_else(|stop| stop),
        Expr::Not(inner) => match verdict(inner, statistics) {
            NoRow => EveryRow,
            SomeRows => SomeRows,
            EveryRow => NoRow,
        },
        Expr::Test(test) => match &test.field.reads {
            Reads::One(column) => one(&test.check, column, statistics),
            Reads::Either(src, dst) => {
                match (
                    one(&test.check, src, statistics),
                    one(&test.check, dst, statistics),
                ) {
                    (EveryRow, _) | (_, EveryRow) => EveryRow,
                    (NoRow, NoRow) => NoRow,
                    _ => SomeRows,
                }
            }
            Reads::Sum(src, dst) => sum(&test.check, [src, dst], statistics),
            Reads::Union(..) | Reads::Span(..) | Reads::PerTime(..) | Reads::PerCount(..) => SomeRows,
        },
    }
}

/// A sum lies between the sums of the bounds; a side without values adds nothing.
fn sum(check: &Check, columns: [&Column; 2], statistics: &impl Statistics) -> Verdict {
    let (mut low, mut high, mut complete) = (0_u64, 0_u64, false);
    for column in columns {
        match statistics.bounds(column.name) {
            Some(Bounds::Numbers(least, greatest)) => {
                let always = statistics.complete(column.name);
                complete |= always;
                low = low.saturating_add(if always { least } else { 0 });
                high = high.saturating_add(greatest);
            }
            Some(Bounds::Empty) => {}
            _ => return Verdict::SomeRows,
        }
    }
    match check {
        Check::Numbers(set) => certain(
            set.all().overlaps(low, high),
            set.all().covers(low, high),
            complete,
        ),
        _ => Verdict::SomeRows,
    }
}

fn one(check: &Check, column: &Column, statistics: &impl Statistics) -> Verdict {
    let complete = !column.nullable || statistics.complete(column.name);
    let Some(bounds) = statistics.bounds(column.name) else {
        return Verdict::SomeRows;
    };
    match (check, bounds) {
        (_, Bounds::Empty) => Verdict::NoRow,
        (Check::Present, _) => certain(true, true, complete),
        (Check::Numbers(set), Bounds::Numbers(low, high)) => certain(
            set.all().overlaps(low, high),
            set.all().covers(low, high),
            complete,
        ),
        (Check::Flag(wanted), Bounds::Numbers(low, high)) => {
            let wanted = u64::from(*wanted);
            certain(
                low <= wanted && wanted <= high,
                low == wanted && high == wanted,
                complete,
            )
        }
        (Check::Times(set), Bounds::Times(low, high)) => certain(
            set.all().overlaps(low, high),
            set.all().covers(low, high),
            complete,
        ),
        (Check::Addresses(set), Bounds::Addresses(low, high)) => certain(
            set.all().overlaps(low, high),
            set.all().covers(low, high),
            complete,
        ),
        (Check::Text(TextTest::Is(words)), Bounds::Texts(low, high)) => {
            let inside = |word: &str| *low <= *word && *word <= *high;
            let every = low == high && words.contains(&low);
            certain(words.all().iter().any(|word| inside(word)), every, complete)
        }
        _ => Verdict::SomeRows,
    }
}

fn certain(some: bool, every: bool, complete: bool) -> Verdict {
    match (some, every && complete) {
        (false, _) => Verdict::NoRow,
        (true, true) => Verdict::EveryRow,
        (true, false) => Verdict::SomeRows,
    }
}
