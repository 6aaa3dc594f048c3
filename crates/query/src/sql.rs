//! The third back end: SQL text in ClickHouse's dialect with bound parameters (`{p0:UInt64}`). Nothing a person typed is
//! ever part of the text. Column names are element names; a missing value is NULL and, as everywhere, does not fit.
//!
//! Storage it assumes: addresses IPv6 (IPv4 mapped), moments DateTime64(9), hardware addresses UInt64, TCP flags UInt16,
//! yes/no Bool, texts String, several texts Array(String). Two differences remain outside ASCII: `\w \d \s` know Unicode here and
//! ASCII in ClickHouse, as `.` of a pattern meets characters in both.

use crate::column::{Column, Kind};
use crate::field::{Field, Reads};
use crate::ranges::Ranges;
use crate::tree::{Check, Expr, FlagTest, Test, TextTest};
use crate::value;

/// A condition for WHERE and its parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sql {
    pub text: String,
    /// Named `p0`, `p1` ... in this order.
    pub parameters: Vec<Parameter>,
}

/// A bound value.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    UInt64(u64),
    Int64(i64),
    Float64(f64),
    /// In the notation of IPv6.
    Ipv6(u128),
    String(Box<str>),
}

impl Parameter {
    /// ClickHouse's name of the type.
    pub const fn sql_type(&self) -> &'static str {
        match self {
            Self::UInt64(_) => "UInt64",
            Self::Int64(_) => "Int64",
            Self::Float64(_) => "Float64",
            Self::Ipv6(_) => "IPv6",
            Self::String(_) => "String",
        }
    }

    /// The value as ClickHouse's HTTP interface reads `param_p0`: texts with backslash escapes, unquoted.
    pub fn text(&self) -> String {
        match self {
            Self::UInt64(number) => number.to_string(),
            Self::Int64(number) => number.to_string(),
            Self::Float64(number) => number.to_string(),
            Self::Ipv6(address) => std::net::Ipv6Addr::from_bits(*address).to_string(),
            Self::String(text) => escaped(text),
        }
    }

    /// The value as a literal, quoted so that no text can leave it.
    pub fn literal(&self) -> String {
        match self {
            Self::UInt64(_) | Self::Int64(_) | Self::Float64(_) => self.text(),
            Self::Ipv6(_) => format!("toIPv6('{}')", self.text()),
            Self::String(text) => format!("'{}'", escaped(text)),
        }
    }
}

/// Backslash escapes of ClickHouse's strings.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out
}

impl Sql {
    /// The condition with literals instead of parameters, for people and logs.
    pub fn inlined(&self) -> String {
        let mut out = String::new();
        let mut rest = self.text.as_str();
        // The text is ours: a brace opens a parameter and nothing else.
        while let Some((before, behind)) = rest.split_once('{') {
            out.push_str(before);
            let (name, after) = behind.split_once('}').unwrap_or((behind, ""));
            let index = name.split(':').next().and_then(|name| name.strip_prefix('p'));
            let parameter = index.and_then(|index| self.parameters.get(index.parse::<usize>().ok()?));
            out.push_str(&parameter.map(Parameter::literal).unwrap_or_default());
            rest = after;
        }
        out + rest
    }

    /// The condition of one more filter of the same statement; its parameters come behind those that are bound already.
    pub fn condition(&mut self, expr: &Expr) -> String {
        condition(expr, self, false)
    }

    fn bind(&mut self, parameter: Parameter) -> String {
        let place = format!("{{p{}:{}}}", self.parameters.len(), parameter.sql_type());
        self.parameters.push(parameter);
        place
    }
}

/// The filter as a condition for WHERE.
pub fn sql(expr: &Expr) -> Sql {
    let mut sql = Sql::default();
    sql.text = sql.condition(expr);
    sql
}

/// `negated`: below a NOT a comparison with NULL has to be false in so many words; elsewhere WHERE drops it anyway.
fn condition(expr: &Expr, sql: &mut Sql, negated: bool) -> String {
    match expr {
        Expr::Any => "true".to_owned(),
        Expr::And(parts) => joined(parts, " AND ", sql, negated),
        Expr::Or(parts) => joined(parts, " OR ", sql, negated),
        Expr::Not(inner) => format!("NOT ({})", condition(inner, sql, true)),
        Expr::Test(test) => comparison(test, sql, negated),
    }
}

fn joined(parts: &[Expr], word: &str, sql: &mut Sql, negated: bool) -> String {
    let parts: Vec<String> = parts.iter().map(|part| condition(part, sql, negated)).collect();
    format!("({})", parts.join(word))
}

/// A column as an identifier. Names are ours (`elements`, dissector tables), quoted for their dots and for `end`.
fn name(column: &Column) -> String {
    format!("\"{}\"", column.name.replace(['"', '\\', '{', '}'], ""))
}

fn comparison(test: &Test, sql: &mut Sql, negated: bool) -> String {
    let check = &test.check;
    match &test.field.reads {
        Reads::One(column) => one(&test.field, check, column, sql, negated),
        Reads::Either(src, dst) => {
            let left = one(&test.field, check, src, sql, negated);
            format!("({left} OR {})", one(&test.field, check, dst, sql, negated))
        }
        Reads::Sum(src, dst) => numeric(check, &sum([src, dst]), present([src, dst]), sql),
        Reads::Union(src, dst) => {
            let bits = format!("bitOr({}, {})", or_zero(src), or_zero(dst));
            numeric(check, &bits, present([src, dst]), sql)
        }
        Reads::Span(from, to) => {
            let both = [from, to].into_iter().filter(|column| column.nullable);
            let guard: Vec<String> = both
                .map(|column| format!("{} IS NOT NULL", name(column)))
                .collect();
            numeric(check, &nanos(from, to), guard.join(" AND "), sql)
        }
        Reads::PerTime([a, b], factor, [from, to]) => {
            let nanos = nanos(from, to);
            let rate = format!("toFloat64({}) * {factor:?} / toFloat64({nanos})", sum([a, b]));
            quotient(check, &rate, &format!("{nanos} > 0"), present([a, b]), sql)
        }
        Reads::PerCount([a, b], [c, d]) => {
            let count = sum([c, d]);
            let rate = format!("toFloat64({}) / toFloat64({count})", sum([a, b]));
            quotient(check, &rate, &format!("{count} > 0"), present([a, b]), sql)
        }
    }
}

fn or_zero(column: &Column) -> String {
    if column.nullable {
        format!("coalesce({}, 0)", name(column))
    } else {
        name(column)
    }
}

fn sum([src, dst]: [&Column; 2]) -> String {
    format!("({} + {})", or_zero(src), or_zero(dst))
}

/// A condition that one of the two has a value; empty when one always has.
fn present(columns: [&Column; 2]) -> String {
    if columns.iter().any(|column| !column.nullable) {
        return String::new();
    }
    let parts = columns.map(|column| format!("{} IS NOT NULL", name(column)));
    format!("({})", parts.join(" OR "))
}

fn nanos(from: &Column, to: &Column) -> String {
    let unix = |column| format!("toUnixTimestamp64Nano({})", name(column));
    format!("greatest({} - {}, 0)", unix(to), unix(from))
}

fn guarded(guard: String, condition: String) -> String {
    if guard.is_empty() {
        condition
    } else {
        format!("({guard} AND {condition})")
    }
}

fn numeric(check: &Check, value: &str, guard: String, sql: &mut Sql) -> String {
    let condition = match check {
        Check::Present => "true".to_owned(),
        Check::Numbers(set) => ranges(value, set.all(), sql, |sql, number| {
            sql.bind(Parameter::UInt64(number))
        }),
        Check::TcpFlags(test) => flags(value, *test, sql),
        _ => "false".to_owned(),
    };
    guarded(guard, condition)
}

fn quotient(check: &Check, value: &str, divisible: &str, guard: String, sql: &mut Sql) -> String {
    let condition = match check {
        Check::Present => divisible.to_owned(),
        Check::Rate(order, wanted) => {
            let wanted = sql.bind(Parameter::Float64(*wanted));
            format!("({divisible} AND {value} {} {wanted})", order.sign())
        }
        _ => "false".to_owned(),
    };
    guarded(guard, condition)
}

fn one(field: &Field, check: &Check, column: &Column, sql: &mut Sql, negated: bool) -> String {
    let value = name(column);
    if field.kind == Kind::Texts {
        return texts(check, &value, sql);
    }
    let condition = match check {
        Check::Present if column.nullable => return format!("{value} IS NOT NULL"),
        Check::Present => return "true".to_owned(),
        Check::Numbers(set) => ranges(&value, set.all(), sql, |sql, number| {
            sql.bind(Parameter::UInt64(number))
        }),
        Check::Times(set) => ranges(&value, set.all(), sql, |sql, nanos| {
            format!("fromUnixTimestamp64Nano({})", sql.bind(Parameter::Int64(nanos)))
        }),
        Check::Addresses(set) => ranges(&value, set.all(), sql, |sql, address| {
            sql.bind(Parameter::Ipv6(address))
        }),
        Check::Flag(wanted) => format!("{value} = {wanted}"),
        Check::TcpFlags(test) => flags(&value, *test, sql),
        Check::Text(test) => text(&value, test, sql),
        Check::Rate(..) => "false".to_owned(),
    };
    let guard = if negated && column.nullable {
        format!("{value} IS NOT NULL")
    } else {
        String::new()
    };
    guarded(guard, condition)
}

/// A value in one of the ranges: single values become one IN, the rest comparisons that an index can use.
fn ranges<T: crate::Point>(
    value: &str,
    set: &Ranges<T>,
    sql: &mut Sql,
    bind: impl Fn(&mut Sql, T) -> String,
) -> String {
    let mut parts = Vec::new();
    let mut singles = Vec::new();
    for (low, high) in set.as_slice().iter().copied() {
        if low == high {
            singles.push(bind(sql, low));
        } else if low == T::MIN && high == T::MAX {
            parts.push(format!("{value} = {value}"));
        } else if low == T::MIN {
            parts.push(format!("{value} <= {}", bind(sql, high)));
        } else if high == T::MAX {
            parts.push(format!("{value} >= {}", bind(sql, low)));
        } else {
            let low = bind(sql, low);
            parts.push(format!("{value} BETWEEN {low} AND {}", bind(sql, high)));
        }
    }
    match singles.as_slice() {
        [] => {}
        [single] => parts.push(format!("{value} = {single}")),
        many => parts.push(format!("{value} IN ({})", many.join(", "))),
    }
    match parts.as_slice() {
        [] => "false".to_owned(),
        [part] => format!("({part})"),
        many => format!("({})", many.join(" OR ")),
    }
}

fn flags(value: &str, test: FlagTest, sql: &mut Sql) -> String {
    let mut masked = |bits| format!("bitAnd({value}, {})", sql.bind(Parameter::UInt64(bits)));
    match test {
        FlagTest::All(bits) => format!("{} = {bits}", masked(bits)),
        FlagTest::AnyOf(bits) => format!("{} <> 0", masked(bits)),
        FlagTest::Exactly { set, of } => format!("{} = {set}", masked(of)),
    }
}

fn text(value: &str, test: &TextTest, sql: &mut Sql) -> String {
    let mut bind = |text: &str| sql.bind(Parameter::String(text.into()));
    match test {
        TextTest::Is(words) => match words.all() {
            [] => "false".to_owned(),
            [word] => format!("{value} = {}", bind(word)),
            many => {
                let places: Vec<String> = many.iter().map(|word| bind(word)).collect();
                format!("{value} IN ({})", places.join(", "))
            }
        },
        TextTest::Contains(part) => format!("position({value}, {}) > 0", bind(part)),
        TextTest::Glob(pattern) | TextTest::Regex(pattern) => {
            format!("match({value}, {})", bind(&pattern.source))
        }
    }
}

/// Several texts: an empty array is a value that is not there.
fn texts(check: &Check, value: &str, sql: &mut Sql) -> String {
    match check {
        Check::Present => format!("notEmpty({value})"),
        Check::Text(test) => format!("arrayExists(x -> {}, {value})", text("x", test, sql)),
        _ => "false".to_owned(),
    }
}

/// A moment for a reader of the parameters.
impl std::fmt::Display for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ipv6(address) => f.write_str(&value::ip(*address).to_string()),
            other => f.write_str(&other.literal()),
        }
    }
}
