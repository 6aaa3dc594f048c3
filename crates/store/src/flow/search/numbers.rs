//! The number a row has for a field, for a whole batch at once: a column as it lies there, or the sum, union or span of
//! two. What is computed goes into a buffer that the next batch uses again.

use weir_query::{Columns, Reads, Selection, Slice};

/// Numbers of a batch. Moments are shifted so that their order as unsigned numbers is that of time.
pub(super) struct Numbers<'a> {
    pub values: &'a [u64],
    /// Rows that have one; `None`: all.
    pub valid: Option<&'a Selection>,
}

/// Buffers for computed numbers.
#[derive(Default)]
pub(super) struct Scratch {
    values: Vec<u64>,
    valid: Option<Selection>,
}

const SIGN: u64 = 1 << 63;

/// A moment as a number in the same order.
pub(super) fn of_time(time: i64) -> u64 {
    time.cast_unsigned() ^ SIGN
}

/// The moment of [`of_time`].
pub(super) fn to_time(number: u64) -> i64 {
    (number ^ SIGN).cast_signed()
}

/// The numbers of a field; `None` when no row has one.
pub(super) fn numbers<'a>(
    reads: &Reads,
    columns: &'a dyn Lookup,
    scratch: &'a mut Scratch,
) -> Option<Numbers<'a>> {
    match reads {
        Reads::One(column) => match columns.slice(column.name) {
            Slice::Numbers(values, valid) => Some(Numbers {
                values,
                valid: partial(valid),
            }),
            Slice::Times(times, valid) => {
                scratch.values.clear();
                scratch.values.extend(times.iter().map(|time| of_time(*time)));
                Some(Numbers {
                    values: &scratch.values,
                    valid: partial(valid),
                })
            }
            _ => None,
        },
        Reads::Sum(src, dst) => joined(columns, [src.name, dst.name], scratch, u64::saturating_add),
        Reads::Union(src, dst) => joined(columns, [src.name, dst.name], scratch, |a, b| a | b),
        Reads::Span(from, to) => {
            let (Slice::Times(from, has_from), Slice::Times(to, has_to)) =
                (columns.slice(from.name), columns.slice(to.name))
            else {
                return None;
            };
            scratch.values.clear();
            let spans = from
                .iter()
                .zip(to)
                .map(|(from, to)| to.saturating_sub(*from).max(0).cast_unsigned());
            scratch.values.extend(spans);
            scratch.valid = match (partial(has_from), partial(has_to)) {
                (None, None) => None,
                _ => Some(has_from.without(&has_from.without(has_to))),
            };
            Some(scratch.numbers())
        }
        Reads::Either(..) | Reads::PerTime(..) | Reads::PerCount(..) => None,
    }
}

impl Scratch {
    fn numbers(&self) -> Numbers<'_> {
        Numbers {
            values: &self.values,
            valid: self.valid.as_ref(),
        }
    }
}

/// Two columns of numbers made one; a side without value does not count.
fn joined<'a>(
    columns: &'a dyn Lookup,
    names: [&str; 2],
    scratch: &'a mut Scratch,
    join: impl Fn(u64, u64) -> u64,
) -> Option<Numbers<'a>> {
    let side = |name| match columns.slice(name) {
        Slice::Numbers(values, valid) => Some((values, valid)),
        _ => None,
    };
    let ((a, has_a), (b, has_b)) = match (side(names[0]), side(names[1])) {
        (Some(a), Some(b)) => (a, b),
        (Some((values, valid)), None) | (None, Some((values, valid))) => {
            return Some(Numbers {
                values,
                valid: partial(valid),
            });
        }
        (None, None) => return None,
    };
    scratch.values.clear();
    let pairs = a.iter().zip(b);
    match (partial(has_a), partial(has_b)) {
        (None, None) => {
            scratch.values.extend(pairs.map(|(a, b)| join(*a, *b)));
            scratch.valid = None;
        }
        (None, Some(has_b)) => {
            let rows = pairs.enumerate();
            scratch
                .values
                .extend(rows.map(|(row, (a, b))| if has_b.contains(row) { join(*a, *b) } else { *a }));
            scratch.valid = None;
        }
        _ => {
            let rows = pairs.enumerate();
            scratch.values.extend(rows.map(|(row, (a, b))| {
                match (has_a.contains(row), has_b.contains(row)) {
                    (true, true) => join(*a, *b),
                    (true, false) => *a,
                    _ => *b,
                }
            }));
            scratch.valid = Some(has_a.union(has_b));
        }
    }
    Some(scratch.numbers())
}

/// The selection, when it leaves rows out.
pub(super) fn partial(valid: &Selection) -> Option<&Selection> {
    (!valid.is_all()).then_some(valid)
}

/// [`Columns`] behind a reference.
pub(super) trait Lookup {
    fn slice(&self, name: &str) -> Slice<'_>;
}

impl<C: Columns> Lookup for C {
    fn slice(&self, name: &str) -> Slice<'_> {
        self.column(name)
    }
}
