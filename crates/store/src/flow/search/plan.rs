//! What can be asked of the flow store: five shapes and no more. Each is a value, so that the command line, the API and
//! saved views build the same thing and a test can hold it against a plain model.

use weir_query::{Column, Expr, Field, Kind, Reads};

/// A question to the store.
#[derive(Clone, Debug)]
pub struct Search {
    /// Rows that count. The filter sees the rows of `view`.
    pub filter: Expr,
    pub view: View,
    pub shape: Shape,
}

/// What is one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// A record as it is stored: initiator, responder, both directions' counters.
    #[default]
    Biflow,
    /// Each direction that carried packets is a row of its own, as NetFlow v5 and nfdump have it: what came back is a row
    /// from the responder to the initiator.
    OneWay,
    /// An application exchange, of the table of transactions.
    Transactions,
}

/// What is made of the rows that fit.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a search has a handful of them")]
pub enum Shape {
    /// Records themselves.
    List { order: RowOrder, limit: Option<usize> },
    /// One line per group.
    Groups(Groups),
    /// One line per span of time, without gaps.
    Series { bucket_ns: i64, measures: Vec<Measure> },
    /// The first `groups.limit` groups of all the time, one line per group and span of time; what the others have is
    /// added up under a group without key.
    TopOverTime { groups: Groups, bucket_ns: i64 },
    /// Is there a row at all? Stops at the first.
    Exists,
}

/// Which rows of a list come first.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a search has a handful of them")]
pub enum RowOrder {
    /// As stored: fastest, any number of rows in fixed memory.
    Stored,
    /// By a value; rows without it come last. Equal rows keep the order of the store.
    By { value: Field, descending: bool },
}

/// Grouping with measures.
#[derive(Clone, Debug)]
pub struct Groups {
    /// None: all rows are one group.
    pub keys: Vec<Key>,
    pub measures: Vec<Measure>,
    /// Index into `measures` of the one that decides, greatest first; `None`: in order of the keys.
    pub order: Option<usize>,
    pub limit: Option<usize>,
}

/// One part of a group's key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Name of the column of answers.
    pub name: String,
    pub value: KeyValue,
    pub cut: Cut,
}

/// Where the key is read.
#[derive(Clone, Debug)]
pub enum KeyValue {
    Column(Column),
    /// Both sides: the row belongs to the group of its `src` and to that of its `dst` column, once if they are the same.
    /// With several such keys, all are read on one side and then all on the other.
    Either(Column, Column),
}

/// What the key keeps of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    #[default]
    Whole,
    /// Leading bits of IPv4 and of IPv6 addresses.
    Prefix { v4: u8, v6: u8 },
    /// The beginning of the span of so many nanoseconds, counted from 1970.
    Span(i64),
}

impl Key {
    /// The value of a field that reads one column or either side; `None` for a computed field.
    pub fn of(field: &Field) -> Option<Self> {
        let value = match &field.reads {
            Reads::One(column) => KeyValue::Column(*column),
            Reads::Either(src, dst) => KeyValue::Either(*src, *dst),
            _ => return None,
        };
        Some(Self {
            name: field.name.to_owned(),
            value,
            cut: Cut::Whole,
        })
    }

    /// Type of the value.
    pub fn kind(&self) -> Kind {
        match self.value {
            KeyValue::Column(column) | KeyValue::Either(column, _) => column.kind,
        }
    }

    /// Is it read from transactions alone?
    pub(super) fn of_transactions_alone(&self) -> bool {
        self.columns().iter().all(Column::of_transactions_alone)
    }

    pub(super) fn columns(&self) -> Vec<Column> {
        match self.value {
            KeyValue::Column(column) => vec![column],
            KeyValue::Either(src, dst) => vec![src, dst],
        }
    }
}

/// A figure of a group.
#[derive(Clone, Debug)]
pub struct Measure {
    /// Name of the column of answers.
    pub name: String,
    pub what: Figure,
}

/// What a figure is.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a search has a handful of them")]
pub enum Figure {
    /// Rows.
    Records,
    /// Numbers added up, saturating; a row without the value adds nothing.
    Sum(Field),
    /// Least and greatest number or moment.
    Least(Field),
    Greatest(Field),
    Mean(Field),
    /// TCP flags seen in any row.
    Flags(Field),
    /// Different values (see [`super::distinct`]).
    Distinct(Key),
    /// The number that this share of the rows does not exceed (see [`super::quantile`]).
    Quantile(Field, f64),
    /// A sum times a factor per nanosecond between the group's first and last packet; no value when that is no time.
    Rate(Field, f64),
    /// A sum per another sum; no value when that is zero.
    Quotient(Field, Field),
}

impl Measure {
    /// A figure by this name.
    pub fn new(name: impl Into<String>, what: Figure) -> Self {
        Self {
            name: name.into(),
            what,
        }
    }
}
