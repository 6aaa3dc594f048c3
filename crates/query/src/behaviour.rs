//! A behaviour: a filter, and conditions over what passes it within a while, counted for each host, pair or service.
//! `where dst port 445 having distinct dst ip > 20 per src ip within 5m`. Parsed once; whoever counts asks it for values.

use std::fmt;
use std::ops::Range;

use weir_model::{FlowRecord, Op, Transaction};

use crate::column::{Kind, Scalar, Unit};
use crate::field::Field;
use crate::print::{number_shown, spelling};
use crate::ranges::Ranges;
use crate::row;
use crate::tree::{Check, Expr, Test, TextTest};

/// Conditions of one alternative, and alternatives: what a person can still follow.
pub const CONDITIONS_MAX: usize = 8;
/// Alternatives joined by `or`.
pub const ALTERNATIVES_MAX: usize = 4;
/// Largest limit on different values: whoever counts keeps about twice as many of them for every host.
pub const DISTINCT_MAX: u64 = 1_000;
/// Longest window, seconds.
pub const WITHIN_S_MAX: u32 = 86_400;
/// Window where none is written, seconds.
pub const WITHIN_S_DEFAULT: u32 = 300;

/// Which records a behaviour is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Records {
    #[default]
    Flows,
    /// Exchanges of application protocols.
    Transactions,
}

impl Records {
    /// Word behind `from`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Transactions => "transactions",
        }
    }
}

/// Whom counts are kept for: one for each value of what is set; nothing set is one count for the whole feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Per {
    pub src_ip: bool,
    pub dst_ip: bool,
    pub dst_port: bool,
    pub src_mac: bool,
}

/// What is counted.
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregate {
    /// Flows, each once however many records it comes in; or transactions.
    Count,
    /// Different values of a field.
    Distinct(Field),
    Sum(Field),
    Average(Field),
    Least(Field),
    Greatest(Field),
}

impl Aggregate {
    /// The field whose values count.
    pub fn field(&self) -> Option<&Field> {
        match self {
            Self::Count => None,
            Self::Distinct(field)
            | Self::Sum(field)
            | Self::Average(field)
            | Self::Least(field)
            | Self::Greatest(field) => Some(field),
        }
    }

    /// Word of the language.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Distinct(_) => "distinct",
            Self::Sum(_) => "sum",
            Self::Average(_) => "avg",
            Self::Least(_) => "min",
            Self::Greatest(_) => "max",
        }
    }

    /// Name in explanations and templates: `count`, `distinct_dst_ip`, `sum_src_bytes`.
    pub fn name(&self) -> String {
        match self.field() {
            None => self.word().to_owned(),
            Some(field) => format!("{}_{}", self.word(), field.name.replace('.', "_")),
        }
    }

    /// Unit of the result where it has the field's: not for counts of values.
    pub fn unit(&self) -> Unit {
        match self {
            Self::Count | Self::Distinct(_) => Unit::Count,
            Self::Sum(field) | Self::Average(field) | Self::Least(field) | Self::Greatest(field) => {
                match field.kind {
                    Kind::Number(unit) | Kind::Rate(unit) => unit,
                    _ => Unit::Count,
                }
            }
        }
    }
}

/// As written: `distinct dst ip`.
impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field() {
            None => f.write_str(self.word()),
            Some(field) => write!(f, "{} {}", self.word(), spelling(field)),
        }
    }
}

/// An aggregate compared with a limit, in the field's own unit (nanoseconds for durations).
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub aggregate: Aggregate,
    pub op: Op,
    pub limit: f64,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.op == Op::Is { "=" } else { self.op.sign() };
        write!(f, "{} {sign} ", self.aggregate)?;
        match self.aggregate.field() {
            Some(field) if self.aggregate.unit() != Unit::Count && self.limit.fract() == 0.0 => {
                f.write_str(&number_shown(field, self.limit as u64))
            }
            _ => write!(f, "{}", self.limit),
        }
    }
}

/// A compiled behaviour.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    pub records: Records,
    pub filter: Expr,
    /// It holds when all conditions of one of these hold; never empty.
    pub having: Vec<Vec<Condition>>,
    pub per: Per,
    /// Window, seconds of event time.
    pub within_s: u32,
}

impl Behaviour {
    /// Every aggregate asked for, each once, in the order written.
    pub fn aggregates(&self) -> Vec<&Aggregate> {
        let mut all: Vec<&Aggregate> = Vec::new();
        for condition in self.having.iter().flatten() {
            if !all.contains(&&condition.aggregate) {
                all.push(&condition.aggregate);
            }
        }
        all
    }

    /// Responder ports outside which no flow record fits, where the filter says so: a quick first look.
    pub fn ports(&self) -> Option<&Ranges<u64>> {
        self.required("dst_port").find_map(|test| match &test.check {
            Check::Numbers(set) => Some(set.all()),
            _ => None,
        })
    }

    /// Words of application protocols outside which no record fits, where the filter says so.
    pub fn protocols(&self) -> Option<&[Box<str>]> {
        self.required("app").find_map(|test| match &test.check {
            Check::Text(TextTest::Is(words)) => Some(words.all()),
            _ => None,
        })
    }

    /// Comparisons of this field that every fitting record passes.
    fn required<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a Test> {
        let parts = match &self.filter {
            Expr::And(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        parts.iter().filter_map(move |part| match part {
            Expr::Test(test) if test.field.name == field => Some(&**test),
            _ => None,
        })
    }
}

/// The whole in the language's own words; reads back as the same behaviour.
impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} where {} having ", self.records.word(), self.filter)?;
        for (at, conditions) in self.having.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " or " })?;
            for (at, condition) in conditions.iter().enumerate() {
                write!(f, "{}{condition}", if at == 0 { "" } else { " and " })?;
            }
        }
        write!(f, " per {} within {}", self.per, span(self.within_s))
    }
}

impl fmt::Display for Per {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = PER_FIELDS
            .iter()
            .filter(|(_, get, _)| get(self))
            .map(|(.., words)| *words);
        let parts: Vec<&str> = parts.collect();
        f.write_str(if parts.is_empty() { "feed" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

type PerField = (&'static str, fn(&Per) -> bool, &'static str);

/// Fields counts can be kept by, and how they are written.
pub(crate) const PER_FIELDS: [PerField; 4] = [
    ("src_ip", |per| per.src_ip, "src ip"),
    ("dst_ip", |per| per.dst_ip, "dst ip"),
    ("dst_port", |per| per.dst_port, "dst port"),
    ("src_mac", |per| per.src_mac, "src mac"),
];

/// Seconds in the unit that fits.
fn span(seconds: u32) -> String {
    crate::value::number_text(u64::from(seconds) * 1_000_000_000, Unit::Nanos)
}

impl Field {
    /// The value in a flow record; none for a field that may be either side's.
    pub fn of_flow(&self, flow: &FlowRecord) -> Option<Scalar<'static>> {
        row::of_flow(&self.reads, flow)
    }

    /// The value in a transaction; none for a field that may be either side's.
    pub fn of_transaction<'a>(&self, transaction: &'a Transaction) -> Option<Scalar<'a>> {
        row::of_transaction(&self.reads, transaction)
    }
}

/// A number of seconds that a window can have; the words say what is wrong.
pub(crate) fn within(text: &str) -> Result<u32, String> {
    const LONGEST: Range<u64> = 1_000_000_000..(WITHIN_S_MAX as u64 * 1_000_000_000 + 1);
    let nanos = crate::value::number(text, Unit::Nanos)?;
    if LONGEST.contains(&nanos) && nanos.is_multiple_of(1_000_000_000) {
        Ok((nanos / 1_000_000_000) as u32)
    } else {
        Err(format!(
            "{text:?} is no window: whole seconds from 1s to {}",
            span(WITHIN_S_MAX)
        ))
    }
}
