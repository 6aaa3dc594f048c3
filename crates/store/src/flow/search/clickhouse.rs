//! The same search in ClickHouse: a plan written as SQL with bound values, and its answer read back as the same cells.
//! What a plan may ask, the names and types of its columns, and the order of lines are the embedded engine's, taken from
//! it; a property test holds the answers equal. Two figures are estimates there as here, each with its own sketch:
//! distinct counts past some thousands, and quantiles (both within a hundredth).

use weir_model::FlowRecord;
use weir_query::{Column, Field, Kind, Reads, Scalar};

use super::answer::{Answer, Cost, Found, Table};
use super::control::Control;
use super::groups::Grouping;
use super::plan::{Cut, Figure, Groups, Key, KeyValue, RowOrder, Search, Shape, View};
use super::related;
use super::view::Direction;
use super::{SearchError, columns, list, series};
use crate::flow::clickhouse::{Client, ClientError, FLOWS_ORDER, Reader, read_columns, record};

/// Groups that can be followed over time: their keys stand in the second question.
const FOLLOWED_MAX: usize = 10_000;
/// Bytes that an answer may have at least, however small the memory allowed.
const ANSWER_BYTES_MIN: usize = 1 << 20;

/// Runs a search over the flow table of a site.
///
/// # Errors
/// As [`super::run`], and when ClickHouse cannot be reached or refuses.
pub fn run_in_clickhouse(
    search: &Search,
    client: &Client,
    site: &str,
    control: &Control,
) -> Result<Answer, SearchError> {
    control.check()?;
    if search.view == View::Transactions || !related::columns_of(search).is_empty() {
        return Err(SearchError::Outside(
            "transactions are not searched in ClickHouse by this program yet: ask their table there, \
             its \"fields\" is JSON, or keep a store in a folder beside it"
                .to_owned(),
        ));
    }
    let asker = Asker {
        search,
        client,
        site,
        control,
        cost: std::cell::Cell::new(Cost::default()),
    };
    let found = match &search.shape {
        Shape::List { order, limit } => Found::Records(asker.list(order, *limit)?),
        Shape::Groups(groups) => {
            let grouping = Grouping::new(groups)?;
            Found::Table(asker.groups(groups, &grouping, groups.limit)?.0)
        }
        Shape::Series { bucket_ns, measures } => {
            let groups = series::groups(*bucket_ns, measures)?;
            let grouping = Grouping::new(&groups)?;
            let most = series::BUCKETS_MAX as usize + 1;
            let (table, _) = asker.groups(&groups, &grouping, Some(most))?;
            series::check(table.groups)?;
            Found::Table(series::without_gaps(table, *bucket_ns, &grouping)?)
        }
        Shape::TopOverTime { groups, bucket_ns } => {
            Found::Table(asker.over_time(groups, &series::span(*bucket_ns)?)?)
        }
        Shape::Exists => {
            let rows = asker.rows(Vec::new(), "");
            let answer = asker.ask(&format!("SELECT toUInt64(1) {rows} LIMIT 1"))?;
            Found::Exists(!answer.is_empty())
        }
    };
    control.check()?;
    Ok(Answer {
        found,
        cost: asker.cost.get(),
    })
}

impl From<ClientError> for SearchError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::TooLong(budget) => Self::Budget {
                budget,
                fix: "ask for fewer lines with a limit, narrow the filter, or raise the memory limit",
            },
            other => Self::Outside(other.to_string()),
        }
    }
}

struct Asker<'a> {
    search: &'a Search,
    client: &'a Client,
    site: &'a str,
    control: &'a Control,
    cost: std::cell::Cell<Cost>,
}

impl Asker<'_> {
    fn ask(&self, sql: &str) -> Result<Vec<u8>, SearchError> {
        self.control.check()?;
        let filter = weir_query::sql(&self.search.filter);
        let values = filter.parameters.iter().enumerate();
        let mut parameters: Vec<(String, String)> = values
            .map(|(at, value)| (format!("p{at}"), value.text()))
            .collect();
        parameters.push(("site".to_owned(), self.site.to_owned()));
        let bytes_max = self.control.memory_left().max(ANSWER_BYTES_MIN);
        let answer = self
            .client
            .ask(&format!("{sql} FORMAT RowBinary"), &parameters, bytes_max)?;
        let mut cost = self.cost.get();
        cost.rows_read += answer.rows_read;
        cost.rows += answer.rows_read;
        self.cost.set(cost);
        Ok(answer.bytes)
    }

    /// `FROM` and `WHERE` of the rows of the view that fit the filter. `needed` are the columns that the rest of the
    /// statement reads beside the filter's; `join` stands between the two.
    fn rows(&self, needed: Vec<&'static str>, join: &str) -> String {
        let filter = weir_query::sql(&self.search.filter).text;
        match self.search.view {
            View::Biflow | View::Transactions => {
                let table = self.table();
                format!("FROM {table} {join} WHERE \"site\" = {{site:String}} AND ({filter})")
            }
            View::OneWay => format!("FROM ({}) {join} WHERE {filter}", self.directions(needed, false)),
        }
    }

    fn table(&self) -> String {
        format!("\"{}\".\"flows\"", self.client.place().database())
    }

    /// Rows of both directions with these columns and the filter's, under the names they have in it; `carried`: with the
    /// stored columns as well, as `s_` and their name.
    fn directions(&self, mut needed: Vec<&'static str>, carried: bool) -> String {
        needed.extend(self.search.filter.columns());
        needed.sort_unstable();
        needed.dedup();
        let directions = self.search.view.directions().iter();
        let parts: Vec<String> = directions
            .map(|direction| self.direction(*direction, &needed, carried))
            .collect();
        parts.join(" UNION ALL ")
    }

    /// One of them, in two steps, because `src_ip` becomes `dst_ip` and the other way round.
    fn direction(&self, direction: Direction, needed: &[&'static str], carried: bool) -> String {
        let (mut inner, mut outer): (Vec<String>, Vec<String>) = Default::default();
        for (at, name) in needed.iter().enumerate() {
            let Some(column) = direction.column(name) else {
                outer.push(format!("CAST(NULL AS Nullable(UInt64)) AS \"{name}\""));
                continue;
            };
            inner.push(format!("\"{column}\" AS i{at}"));
            // TCP rows have an answer's flags, and none of them is set.
            outer.push(match *name {
                "dst_tcp_flags" => format!("bitAnd(i{at}, 0) AS \"{name}\""),
                _ => format!("i{at} AS \"{name}\""),
            });
        }
        let reverse = direction == Direction::Reverse;
        inner.push(format!("toUInt8({}) AS way", u8::from(reverse)));
        outer.push("way".to_owned());
        if carried {
            inner.extend(read_columns().map(|name| format!("\"{name}\" AS s_{name}")));
            outer.extend(read_columns().map(|name| format!("s_{name}")));
        }
        format!(
            "SELECT {} FROM (SELECT {} FROM {} WHERE \"site\" = {{site:String}}{})",
            outer.join(", "),
            inner.join(", "),
            self.table(),
            if reverse { " AND \"dst_packets\" > 0" } else { "" }
        )
    }

    fn list(&self, order: &RowOrder, limit: Option<usize>) -> Result<Vec<FlowRecord>, SearchError> {
        list::check(order)?;
        let (first, needed) = match order {
            RowOrder::Stored => (String::new(), Vec::new()),
            RowOrder::By { value, descending } => {
                let sign = if *descending { "DESC" } else { "ASC" };
                let columns = value.reads.columns();
                (
                    format!("{} {sign} NULLS LAST, ", number(value)?),
                    columns.iter().map(|column| column.name).collect(),
                )
            }
        };
        let sql = match self.search.view {
            View::Biflow | View::Transactions => {
                let names: Vec<String> = read_columns().map(|name| format!("\"{name}\"")).collect();
                let rows = self.rows(Vec::new(), "");
                format!(
                    "SELECT toUInt8(0), {} {rows} ORDER BY {first}{FLOWS_ORDER}",
                    names.join(", ")
                )
            }
            View::OneWay => {
                let names: Vec<String> = read_columns().map(|name| format!("s_{name}")).collect();
                let filter = weir_query::sql(&self.search.filter).text;
                format!(
                    "SELECT way, {} FROM ({}) WHERE {filter} \
                     ORDER BY {first}s_start, s_src_ip, s_dst_ip, s_dst_port, s_flow_number, way",
                    names.join(", "),
                    self.directions(needed, true)
                )
            }
        };
        let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        let bytes = self.ask(&(sql + &limit))?;
        let mut reader = Reader::new(&bytes);
        let mut records = Vec::new();
        while !reader.is_empty() {
            let (Some(way), Some(flow)) = (reader.number(1), record(&mut reader)) else {
                return Err(cut());
            };
            let direction = match (self.search.view, way) {
                (View::Biflow | View::Transactions, _) => Direction::Both,
                (View::OneWay, 0) => Direction::Forward,
                (View::OneWay, _) => Direction::Reverse,
            };
            if records.len() == records.capacity() {
                let more = records.capacity().max(1024);
                self.control.take(more * size_of::<FlowRecord>(), FIX)?;
                records.reserve_exact(more);
            }
            records.extend(direction.record(flow));
        }
        Ok(records)
    }

    /// Lines of a grouping, and the keys of each as one word.
    fn groups(
        &self,
        groups: &Groups,
        grouping: &Grouping,
        limit: Option<usize>,
    ) -> Result<(Table, Vec<String>), SearchError> {
        let keys = keys(&groups.keys);
        let figures = figures(groups)?;
        let word = word(keys.len());
        let select = named(&keys, 'k').chain(named(&figures, 'm'));
        let select: Vec<String> = select.collect();
        let rows = self.rows(columns(groups), &sides(&groups.keys));
        let by: Vec<String> = (0..keys.len()).map(|at| format!("k{at}")).collect();
        let by_keys = match by.is_empty() {
            true => String::new(),
            false => format!("GROUP BY {}", by.join(", ")),
        };
        let order = groups.order.map(|at| format!("m{at} DESC NULLS LAST"));
        let order = order
            .into_iter()
            .chain(by.iter().map(|key| format!("{key} ASC NULLS FIRST")));
        let order: Vec<String> = order.collect();
        let mut cells: Vec<String> = Vec::new();
        for (at, column) in grouping.columns().iter().enumerate() {
            let name = match at.checked_sub(keys.len()) {
                Some(measure) => format!("m{measure}"),
                None => format!("k{at}"),
            };
            cells.push(format!("CAST({name} AS {})", cell_type(column.kind)));
        }
        let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        let ordered = match order.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", order.join(", ")),
        };
        let bytes = self.ask(&format!(
            "SELECT toUInt64(count() OVER ()), {word}, {} FROM (SELECT {} {rows} {by_keys} HAVING count() > 0){ordered}{limit}",
            cells.join(", "),
            select.join(", "),
        ))?;
        let kinds: Vec<Kind> = grouping.columns().iter().map(|column| column.kind).collect();
        let mut reader = Reader::new(&bytes);
        let mut table = Table {
            columns: grouping.columns().to_vec(),
            ..Table::default()
        };
        let mut words = Vec::new();
        while !reader.is_empty() {
            let (Some(groups), Some(word)) = (reader.number(8), reader.text()) else {
                return Err(cut());
            };
            table.groups = groups;
            words.push(word.to_owned());
            table.rows.push(self.line(&kinds, &mut reader)?);
        }
        Ok((table, words))
    }

    /// The first groups of all the time, span by span; the others under a group without key.
    fn over_time(&self, groups: &Groups, span: &Key) -> Result<Table, SearchError> {
        let grouping = Grouping::new(groups)?;
        let (first, words) = self.groups(groups, &grouping, groups.limit)?;
        if words.len() > FOLLOWED_MAX {
            return Err(SearchError::Field {
                name: "the limit".to_owned(),
                reason: "lets too many groups through to follow over time: ask for 10,000 at most",
            });
        }
        let figures = figures(groups)?;
        let keys = keys(&groups.keys);
        // The words are ours: hexadecimal digits and three signs.
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let select: Vec<String> = named(&figures, 'm').collect();
        let mut needed = columns(groups);
        needed.push("start");
        let rows = self.rows(needed, &sides(&groups.keys));
        let kinds: Vec<Kind> = grouping.columns()[keys.len()..]
            .iter()
            .map(|column| column.kind)
            .collect();
        let cells = kinds.iter().enumerate();
        let cells: Vec<String> = cells
            .map(|(at, kind)| format!("CAST(m{at} AS {})", cell_type(*kind)))
            .collect();
        let bytes = self.ask(&format!(
            "SELECT CAST(t AS Int64), toUInt64(rank), {} FROM (SELECT {} AS t, \
             indexOf(CAST([{}] AS Array(String)), {}) AS place, if(place = 0, {}, place - 1) AS rank, {} \
             {rows} GROUP BY t, place) ORDER BY t, rank",
            cells.join(", "),
            key(&span_column(span)?, span.cut),
            words.join(", "),
            word_of(&keys),
            words.len(),
            select.join(", "),
        ))?;
        let mut table = Table {
            columns: vec![super::AnswerColumn {
                name: span.name.clone(),
                kind: span.kind(),
            }],
            rows: Vec::new(),
            groups: words.len() as u64,
        };
        table.columns.extend(grouping.columns().iter().cloned());
        let mut reader = Reader::new(&bytes);
        while !reader.is_empty() {
            let (Some(time), Some(rank)) = (reader.number(8), reader.number(8)) else {
                return Err(cut());
            };
            let mut line = vec![Some(Scalar::Time(time.cast_signed()))];
            match first.rows.get(rank as usize) {
                Some(known) => line.extend(known[..keys.len()].iter().cloned()),
                None => line.extend(std::iter::repeat_n(None, keys.len())),
            }
            line.extend(self.line(&kinds, &mut reader)?);
            table.rows.push(line);
        }
        Ok(table)
    }

    /// Cells of a line.
    fn line(
        &self,
        kinds: &[Kind],
        reader: &mut Reader<'_>,
    ) -> Result<Vec<Option<Scalar<'static>>>, SearchError> {
        self.control
            .take(kinds.len() * size_of::<Option<Scalar<'_>>>(), FIX)?;
        let cells = kinds.iter().map(|kind| cell(*kind, reader).ok_or_else(cut));
        cells.collect()
    }
}

const FIX: &str = "ask for fewer lines with a limit, narrow the filter, or raise the memory limit";

/// An answer that is not what was asked for.
fn cut() -> SearchError {
    SearchError::Outside("the answer of ClickHouse has another form than was asked for".to_owned())
}

/// ClickHouse's type of a cell of this kind; [`cell`] reads it.
fn cell_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Number(_) | Kind::TcpFlags | Kind::Mac => "Nullable(UInt64)",
        Kind::Rate(_) => "Nullable(Float64)",
        Kind::Time => "Nullable(Int64)",
        Kind::Address => "Nullable(IPv6)",
        Kind::Flag => "Nullable(UInt8)",
        Kind::Text | Kind::Texts => "Nullable(String)",
    }
}

fn cell(kind: Kind, reader: &mut Reader<'_>) -> Option<Option<Scalar<'static>>> {
    if !reader.mark()? {
        return Some(None);
    }
    Some(Some(match kind {
        Kind::Number(_) | Kind::TcpFlags => Scalar::Number(reader.number(8)?),
        Kind::Mac => Scalar::Mac(reader.number(8)?),
        Kind::Rate(_) => Scalar::Rate(f64::from_bits(reader.number(8)?)),
        Kind::Time => Scalar::Time(reader.number(8)?.cast_signed()),
        Kind::Address => Scalar::Address(reader.address()?),
        Kind::Flag => Scalar::Flag(reader.number(1)? != 0),
        Kind::Text | Kind::Texts => Scalar::Text(reader.text()?.to_owned().into()),
    }))
}

/// `expression AS k0` and so on.
fn named(expressions: &[String], letter: char) -> impl Iterator<Item = String> {
    let numbered = expressions.iter().enumerate();
    numbered.map(move |(at, expression)| format!("{expression} AS {letter}{at}"))
}

/// A column's value as cells have it.
fn value(column: &Column) -> String {
    let name = format!("\"{}\"", column.name);
    match column.kind {
        Kind::Time => format!("toUnixTimestamp64Nano({name})"),
        Kind::TcpFlags => format!("bitAnd({name}, 255)"),
        Kind::Text | Kind::Texts => format!("CAST({name} AS Nullable(String))"),
        Kind::Number(_) | Kind::Rate(_) | Kind::Address | Kind::Mac | Kind::Flag => name,
    }
}

fn span_column(span: &Key) -> Result<Column, SearchError> {
    match span.value {
        KeyValue::Column(column) => Ok(column),
        KeyValue::Either(..) => Err(cut()),
    }
}

/// A column cut to what a key keeps of it.
fn key(column: &Column, cut: Cut) -> String {
    let value = value(column);
    match cut {
        Cut::Whole => value,
        Cut::Span(nanos) => format!("({value} - positiveModulo({value}, {nanos}))"),
        Cut::Prefix { v4, v6 } => format!(
            "if({value} IS NULL, NULL, tupleElement(IPv6CIDRToRange(assumeNotNull({value}), toUInt8(if({value} \
             BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255'), {}, {v6}))), 1))",
            96 + u32::from(v4)
        ),
    }
}

/// Keys as expressions over a row, which [`sides`] may have made two.
fn keys(keys: &[Key]) -> Vec<String> {
    let one = |own: &Key| match &own.value {
        KeyValue::Column(column) => key(column, own.cut),
        KeyValue::Either(src, dst) => {
            format!("if(side = 1, {}, {})", key(src, own.cut), key(dst, own.cut))
        }
    };
    keys.iter().map(one).collect()
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
fn word_of(keys: &[String]) -> String {
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
fn word(keys: usize) -> String {
    word_of(&(0..keys).map(|at| format!("k{at}")).collect::<Vec<_>>())
}

/// The number of a row for a field.
fn number(field: &Field) -> Result<String, SearchError> {
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
fn figures(groups: &Groups) -> Result<Vec<String>, SearchError> {
    groups
        .measures
        .iter()
        .map(|measure| figure(&measure.what))
        .collect()
}

fn figure(figure: &Figure) -> Result<String, SearchError> {
    let total = |field: &Field| Ok::<_, SearchError>(format!("coalesce(sum({}), 0)", number(field)?));
    Ok(match figure {
        Figure::Records => "count()".to_owned(),
        Figure::Sum(field) => format!("sum({})", number(field)?),
        Figure::Least(field) => format!("min({})", number(field)?),
        Figure::Greatest(field) => format!("max({})", number(field)?),
        Figure::Mean(field) => format!("avg({})", number(field)?),
        Figure::Flags(field) => format!("groupBitOr({})", number(field)?),
        Figure::Distinct(own) => match &own.value {
            KeyValue::Column(column) => format!("coalesce(uniqCombined64({}), 0)", key(column, own.cut)),
            KeyValue::Either(src, dst) => format!(
                "uniqCombined64Array(arrayFilter(x -> x IS NOT NULL, [{}, {}]))",
                key(src, own.cut),
                key(dst, own.cut)
            ),
        },
        Figure::Quantile(field, share) => {
            let number = number(field)?;
            let error = super::quantile::ERROR;
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
