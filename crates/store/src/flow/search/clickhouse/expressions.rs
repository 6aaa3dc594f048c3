//! Parts of a statement: columns, keys and figures of a question as ClickHouse's expressions, and its types of cells.

use weir_query::{Column, Field, Kind, Reads};

use super::rows::Rows;
use crate::flow::search::plan::{Cut, Figure, Groups, Key, KeyValue};
use crate::flow::search::{SearchError, quantile};

/// ClickHouse's type of a cell of this kind; [`cell`] reads it.
pub(super) fn cell_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Number(_) | Kind::TcpFlags | Kind::Mac => "Nullable(UInt64)",
        Kind::Rate(_) => "Nullable(Float64)",
        Kind::Time => "Nullable(Int64)",
        Kind::Address => "Nullable(IPv6)",
        Kind::Flag => "Nullable(UInt8)",
        Kind::Text | Kind::Texts => "Nullable(String)",
    }
}

/// `expression AS k0` and so on.
pub(super) fn named(expressions: &[String], letter: char) -> impl Iterator<Item = String> {
    let numbered = expressions.iter().enumerate();
    numbered.map(move |(at, expression)| format!("{expression} AS {letter}{at}"))
}

/// A name of ours, quoted.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{name}\"")
}

/// A column's value as cells have it.
pub(super) fn value(column: &Column) -> String {
    let name = identifier(column.name);
    match column.kind {
        Kind::Time => format!("toUnixTimestamp64Nano({name})"),
        Kind::TcpFlags => format!("bitAnd({name}, 255)"),
        Kind::Text => format!("CAST({name} AS Nullable(String))"),
        // A list is one value: its texts in their order.
        Kind::Texts => format!("if(empty({name}), NULL, arrayStringConcat({name}, ', '))"),
        Kind::Number(_) | Kind::Rate(_) | Kind::Address | Kind::Mac | Kind::Flag => name,
    }
}

/// A column cut to what a key keeps of it.
pub(super) fn key(column: &Column, cut: Cut) -> String {
    cut_to(&value(column), cut)
}

/// A value cut to what a key keeps of it.
pub(super) fn cut_to(value: &str, cut: Cut) -> String {
    match cut {
        Cut::Whole => value.to_owned(),
        Cut::Span(nanos) => format!("({value} - positiveModulo({value}, {nanos}))"),
        Cut::Prefix { v4, v6 } => format!(
            "if({value} IS NULL, NULL, tupleElement(IPv6CIDRToRange(assumeNotNull({value}), toUInt8(if({value} \
             BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255'), {}, {v6}))), 1))",
            96 + u32::from(v4)
        ),
    }
}

/// Keys as expressions over a row, which [`join`] may have made several.
pub(super) fn keys(keys: &[Key], rows: &Rows) -> Vec<String> {
    let mut told = 0;
    let one = |own: &Key| {
        if rows.is_told(own) {
            told += 1;
            return Rows::told_key(told - 1);
        }
        match &own.value {
            KeyValue::Column(column) => key(column, own.cut),
            KeyValue::Either(src, dst) => {
                format!("if(side = 1, {}, {})", key(src, own.cut), key(dst, own.cut))
            }
        }
    };
    keys.iter().map(one).collect()
}

/// What makes several rows of one for these keys; nothing where one is enough.
pub(super) fn join(keys: &[Key], rows: &Rows) -> String {
    let spread = rows.spread(keys);
    match spread.is_empty() {
        true => sides(keys),
        false => spread,
    }
}

/// Makes a row of each side of a row, one where they are the same; nothing without keys of both sides.
fn sides(keys: &[Key]) -> String {
    let same = keys.iter().filter_map(|own| match &own.value {
        KeyValue::Either(src, dst) => {
            let (a, b) = (key(src, own.cut), key(dst, own.cut));
            Some(format!("ifNull({a} = {b}, {a} IS NULL AND {b} IS NULL)"))
        }
        KeyValue::Column(_) => None,
    });
    let same: Vec<String> = same.collect();
    match same.is_empty() {
        true => String::new(),
        false => format!("ARRAY JOIN if({}, [1], [1, 2]) AS side", same.join(" AND ")),
    }
}

/// Keys as one text: equal where all keys are.
pub(super) fn word_of(keys: &[String]) -> String {
    let parts: Vec<String> = keys
        .iter()
        .map(|key| format!("if({key} IS NULL, '-', concat('+', hex(toString({key})), '.'))"))
        .collect();
    match parts.as_slice() {
        [] => "''".to_owned(),
        [one] => format!("assumeNotNull({one})"),
        many => format!("assumeNotNull(concat({}))", many.join(", ")),
    }
}

/// [`word_of`] keys that have names already.
pub(super) fn word(keys: usize) -> String {
    word_of(&(0..keys).map(|at| format!("k{at}")).collect::<Vec<_>>())
}

/// The number of a row for a field.
pub(super) fn number(field: &Field) -> Result<String, SearchError> {
    let both = |a: &Column, b: &Column, joined: String| match a.nullable && b.nullable {
        true => format!(
            "if({} IS NULL AND {} IS NULL, NULL, {joined})",
            value(a),
            value(b)
        ),
        false => joined,
    };
    let zero = |column: &Column| format!("coalesce(toUInt64({}), 0)", value(column));
    match &field.reads {
        Reads::One(column) => Ok(value(column)),
        Reads::Sum(a, b) => Ok(both(a, b, format!("({} + {})", zero(a), zero(b)))),
        Reads::Union(a, b) => Ok(both(a, b, format!("bitOr({}, {})", zero(a), zero(b)))),
        Reads::Span(from, to) => Ok(format!("toUInt64(greatest({} - {}, 0))", value(to), value(from))),
        Reads::Either(..) | Reads::PerTime(..) | Reads::PerCount(..) => Err(SearchError::Field {
            name: field.name.to_owned(),
            reason: "holds no numbers of this kind",
        }),
    }
}

/// Figures as aggregates.
pub(super) fn figures(groups: &Groups, rows: &Rows) -> Result<Vec<String>, SearchError> {
    groups
        .measures
        .iter()
        .map(|measure| figure(&measure.what, rows))
        .collect()
}

fn figure(figure: &Figure, rows: &Rows) -> Result<String, SearchError> {
    let total = |field: &Field| Ok::<_, SearchError>(format!("coalesce(sum({}), 0)", number(field)?));
    Ok(match figure {
        Figure::Records => "count()".to_owned(),
        Figure::Sum(field) => format!("sum({})", number(field)?),
        Figure::Least(field) => format!("min({})", number(field)?),
        Figure::Greatest(field) => format!("max({})", number(field)?),
        Figure::Mean(field) => format!("avg({})", number(field)?),
        Figure::Flags(field) => format!("groupBitOr({})", number(field)?),
        Figure::Distinct(own) => match (rows.told_values(own), &own.value) {
            (Some(values), _) => {
                format!("coalesce(uniqCombined64Array(arrayFilter(x -> x IS NOT NULL, {values})), 0)")
            }
            (None, KeyValue::Column(column)) => {
                format!("coalesce(uniqCombined64({}), 0)", key(column, own.cut))
            }
            (None, KeyValue::Either(src, dst)) => format!(
                "uniqCombined64Array(arrayFilter(x -> x IS NOT NULL, [{}, {}]))",
                key(src, own.cut),
                key(dst, own.cut)
            ),
        },
        Figure::Quantile(field, share) => {
            let number = number(field)?;
            let error = quantile::ERROR;
            format!("if(count({number}) = 0, NULL, quantileDD({error}, {share:?})({number}))")
        }
        Figure::Rate(field, factor) => {
            let nanos = "(max(toUnixTimestamp64Nano(\"end\")) - min(toUnixTimestamp64Nano(\"start\")))";
            let rate = format!("toFloat64({}) * {factor:?} / toFloat64({nanos})", total(field)?);
            format!("if({nanos} > 0, {rate}, NULL)")
        }
        Figure::Quotient(part, whole) => {
            let (part, whole) = (total(part)?, total(whole)?);
            format!("if({whole} > 0, toFloat64({part}) / toFloat64({whole}), NULL)")
        }
    })
}
