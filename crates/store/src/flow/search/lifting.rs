//! What a question to flows asks of their transactions, taken apart: comparisons that one transaction has to fit, columns
//! whose values are wanted, and the question to the flows alone. Both engines go by it (`related`, `clickhouse`).

use weir_model::NANOS_PER_S;
use weir_query::{Check, Column, Expr, Field, Kind, Reads, Set};

use super::SearchError;
use super::figures;
use super::plan::{Figure, Groups, Key, KeyValue, RowOrder, Search, Shape};

/// Comparisons of transactions that one filter may hold.
const BITS: [&str; 16] = [
    "transaction fits 0",
    "transaction fits 1",
    "transaction fits 2",
    "transaction fits 3",
    "transaction fits 4",
    "transaction fits 5",
    "transaction fits 6",
    "transaction fits 7",
    "transaction fits 8",
    "transaction fits 9",
    "transaction fits 10",
    "transaction fits 11",
    "transaction fits 12",
    "transaction fits 13",
    "transaction fits 14",
    "transaction fits 15",
];
/// How far from the filter's window transactions are looked for.
const AROUND_NS: i64 = 86_400 * NANOS_PER_S;

/// A question to flows, taken apart.
pub(super) struct Asked {
    /// Of the flows: each comparison of transactions became a flag, named by [`bit_name`].
    pub(super) filter: Expr,
    /// What one of a flow's transactions has to fit, flag by flag.
    pub(super) lifted: Vec<Expr>,
    /// Columns of transactions whose values are wanted.
    pub(super) wanted: Vec<Column>,
    /// Transactions that have a say: in the time, and fitting a comparison or having a value.
    pub(super) which: Expr,
}

/// Takes a question apart.
///
/// # Errors
/// When a flow, which has several transactions, cannot be asked it.
pub(super) fn asked(search: &Search) -> Result<Asked, SearchError> {
    check(search)?;
    let mut lifted = Vec::new();
    let filter = lift(&search.filter, &mut lifted)?;
    let wanted = shape_columns(&search.shape);
    let present = wanted.iter().map(|column| {
        let field = Field {
            name: column.name,
            label: column.label,
            kind: column.kind,
            reads: Reads::One(*column),
        };
        Expr::test(&field, Check::Present)
    });
    let any = Expr::or(lifted.iter().cloned().chain(present));
    let which = Expr::and(window(&search.filter).into_iter().chain([any]));
    Ok(Asked {
        filter,
        lifted,
        wanted,
        which,
    })
}

impl Asked {
    /// Columns that only transactions have, of all that is asked of them.
    pub(super) fn columns(&self) -> Vec<Column> {
        let mut own = of_filter(&self.which);
        let more = self.wanted.iter().filter(|column| !own.contains(column));
        let more: Vec<Column> = more.copied().collect();
        own.extend(more);
        own
    }
}

/// Which comparison a column of a flow stands for.
pub(super) fn bit_of(name: &str) -> Option<usize> {
    BITS.iter().position(|known| *known == name)
}

/// The column of a flow that stands for a comparison.
pub(super) fn bit_name(bit: usize) -> &'static str {
    BITS.get(bit).copied().unwrap_or_default()
}

/// Columns of transactions that the shape reads.
fn shape_columns(shape: &Shape) -> Vec<Column> {
    let of_groups = |groups: &Groups| {
        let keys = groups.keys.iter().flat_map(Key::columns);
        keys.chain(figures::read(&groups.measures)).collect::<Vec<_>>()
    };
    let columns = match shape {
        Shape::List {
            order: RowOrder::By { value, .. },
            ..
        } => value.reads.columns(),
        Shape::List { .. } | Shape::Exists => Vec::new(),
        Shape::Groups(groups) | Shape::TopOverTime { groups, .. } => of_groups(groups),
        Shape::Series { measures, .. } => figures::read(measures),
    };
    let mut own: Vec<Column> = Vec::new();
    for column in columns.into_iter().filter(Column::of_transactions_alone) {
        if !own.contains(&column) {
            own.push(column);
        }
    }
    own
}

/// Columns that only transactions have, of a filter.
fn of_filter(filter: &Expr) -> Vec<Column> {
    let mut own = Vec::new();
    filter.each_field(&mut |field| {
        let read = field.reads.columns().into_iter();
        let new: Vec<Column> = read
            .filter(|column| column.of_transactions_alone() && !own.contains(column))
            .collect();
        own.extend(new);
    });
    own
}

/// Columns that only transactions have, of filter and shape.
pub(super) fn columns_of(search: &Search) -> Vec<Column> {
    let mut own = shape_columns(&search.shape);
    let more = of_filter(&search.filter);
    own.extend(
        more.into_iter()
            .filter(|column| !own.contains(column))
            .collect::<Vec<_>>(),
    );
    own
}

/// Can flows be asked this about their transactions? A number of one of several has no place in a flow's line.
fn check(search: &Search) -> Result<(), SearchError> {
    let refused = |field: &Field| {
        Err(SearchError::Field {
            name: field.name.to_owned(),
            reason: "is a number of transactions, of which a flow has several: ask the transactions themselves",
        })
    };
    let measures = match &search.shape {
        Shape::List {
            order: RowOrder::By { value, .. },
            ..
        } if value.of_transactions_alone() => {
            return refused(value);
        }
        Shape::List { .. } | Shape::Exists => return Ok(()),
        Shape::Groups(groups) | Shape::TopOverTime { groups, .. } => {
            let nested = groups.keys.iter().any(Key::of_transactions_alone);
            let either = groups
                .keys
                .iter()
                .find(|key| matches!(key.value, KeyValue::Either(..)));
            if let Some(key) = either.filter(|_| nested) {
                return Err(SearchError::Field {
                    name: key.name.clone(),
                    reason: "reads both sides, which fields of transactions do not: take src or dst",
                });
            }
            &groups.measures
        }
        Shape::Series { measures, .. } => measures,
    };
    for measure in measures {
        match &measure.what {
            Figure::Records | Figure::Distinct(_) => {}
            Figure::Sum(field)
            | Figure::Least(field)
            | Figure::Greatest(field)
            | Figure::Mean(field)
            | Figure::Flags(field)
            | Figure::Quantile(field, _)
            | Figure::Rate(field, _) => {
                if field.of_transactions_alone() {
                    return refused(field);
                }
            }
            Figure::Quotient(part, whole) => {
                for field in [part, whole] {
                    if field.of_transactions_alone() {
                        return refused(field);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Is everything compared a field of transactions, and nothing negated?
fn of_one_transaction(expr: &Expr) -> bool {
    match expr {
        Expr::Any | Expr::Not(_) => false,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(of_one_transaction),
        Expr::Test(test) => test.field.of_transactions_alone(),
    }
}

/// The filter with what transactions have to fit taken out, into `lifted`; a column of the flow stands in its place.
fn lift(expr: &Expr, lifted: &mut Vec<Expr>) -> Result<Expr, SearchError> {
    if of_one_transaction(expr) {
        let name = *BITS.get(lifted.len()).ok_or(SearchError::Field {
            name: "the filter".to_owned(),
            reason: "compares fields of transactions in more than sixteen places",
        })?;
        lifted.push(expr.clone());
        let column = Column::derived(name, Kind::Flag);
        let field = Field {
            name,
            label: "",
            kind: Kind::Flag,
            reads: Reads::One(column),
        };
        return Ok(Expr::test(&field, Check::Flag(true)));
    }
    let mut parts = |parts: &[Expr], join: fn(Vec<Expr>) -> Expr| -> Result<Vec<Expr>, SearchError> {
        let (whole, rest): (Vec<&Expr>, Vec<&Expr>) = parts.iter().partition(|part| of_one_transaction(part));
        let mut found = Vec::new();
        if !whole.is_empty() {
            found.push(lift(&join(whole.into_iter().cloned().collect()), lifted)?);
        }
        for part in rest {
            found.push(lift(part, lifted)?);
        }
        Ok(found)
    };
    Ok(match expr {
        Expr::And(all) => Expr::and(parts(all, Expr::and)?),
        Expr::Or(all) => Expr::or(parts(all, Expr::or)?),
        Expr::Not(inner) => lift(inner, lifted)?.negate(),
        other => other.clone(),
    })
}

/// The filter's window on the start, a day longer on either side.
fn window(filter: &Expr) -> Option<Expr> {
    let parts = match filter {
        Expr::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    parts.iter().find_map(|part| match part {
        Expr::Test(test) if test.field.name == "start" => match &test.check {
            Check::Times(set) => {
                let ranges = set.all().as_slice();
                let (from, to) = (ranges.first()?.0, ranges.last()?.1);
                let wider = (from.saturating_sub(AROUND_NS), to.saturating_add(AROUND_NS));
                Some(Expr::test(&test.field, Check::Times(Set::of([wider]))))
            }
            _ => None,
        },
        _ => None,
    })
}
