//! The same search in ClickHouse: a plan written as SQL with bound values, and its answer read back as the same cells.
//! What a plan may ask, the names and types of its columns, and the order of lines are the embedded engine's, taken from
//! it; a property test holds the answers equal. Two figures are estimates there as here, each with its own sketch:
//! distinct counts past some thousands, and quantiles (both within a hundredth).

mod expressions;
mod rows;

use weir_model::FlowRecord;
use weir_query::{Column, Kind, Scalar};

use super::answer::{Answer, Cost, Found, Table, TransactionRows};
use super::control::Control;
use super::groups::Grouping;
use super::plan::{Groups, Key, KeyValue, RowOrder, Search, Shape, View};
use super::view::Direction;
use super::{AnswerColumn, SearchError, columns, list, series};
use crate::flow::clickhouse::{
    Client, ClientError, FLOWS_ORDER, Reader, TRANSACTIONS_ORDER, read_columns, record, transaction,
    transaction_columns,
};
use crate::flow::transactions;
use expressions::{cell_type, figures, join, key, keys, named, number, word, word_of};
use rows::Rows;

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
    let (rows, parameters) = Rows::new(search, client.place().database())?;
    let values = parameters.iter().enumerate();
    let mut parameters: Vec<(String, String)> = values
        .map(|(at, value)| (format!("p{at}"), value.text()))
        .collect();
    parameters.push(("site".to_owned(), site.to_owned()));
    let asker = Asker {
        view: search.view,
        client,
        control,
        parameters,
        rows,
        cost: std::cell::Cell::new(Cost::default()),
    };
    let found = match &search.shape {
        Shape::List { order, limit } if search.view == View::Transactions => {
            Found::Transactions(asker.transactions(order, *limit)?)
        }
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
            let rows = asker.rows.from(&[], "");
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
    view: View,
    client: &'a Client,
    control: &'a Control,
    /// Values bound in every statement, by name.
    parameters: Vec<(String, String)>,
    rows: Rows,
    cost: std::cell::Cell<Cost>,
}

impl Asker<'_> {
    fn ask(&self, sql: &str) -> Result<Vec<u8>, SearchError> {
        self.control.check()?;
        let bytes_max = self.control.memory_left().max(ANSWER_BYTES_MIN);
        let answer = self
            .client
            .ask(&format!("{sql} FORMAT RowBinary"), &self.parameters, bytes_max)?;
        let mut cost = self.cost.get();
        cost.rows_read += answer.rows_read;
        cost.rows += answer.rows_read;
        self.cost.set(cost);
        Ok(answer.bytes)
    }

    fn list(&self, order: &RowOrder, limit: Option<usize>) -> Result<Vec<FlowRecord>, SearchError> {
        let (first, needed) = ordered(order)?;
        let limit = limited(limit);
        let sql = match self.view {
            View::Biflow | View::Transactions => {
                let names: Vec<String> = read_columns().map(expressions::identifier).collect();
                let rows = self.rows.from(&needed, "");
                format!(
                    "SELECT toUInt8(0), {} {rows} ORDER BY {first}{FLOWS_ORDER}{limit}",
                    names.join(", ")
                )
            }
            View::OneWay => {
                let names: Vec<String> = read_columns().map(|name| format!("s_{name}")).collect();
                format!(
                    "SELECT way, {} {} \
                     ORDER BY {first}s_start, s_src_ip, s_dst_ip, s_dst_port, s_flow_number, way{limit}",
                    names.join(", "),
                    self.rows.carried(&needed)
                )
            }
        };
        let bytes = self.ask(&sql)?;
        let mut reader = Reader::new(&bytes);
        let mut records = Vec::new();
        while !reader.is_empty() {
            let (Some(way), Some(flow)) = (reader.number(1), record(&mut reader)) else {
                return Err(cut());
            };
            let direction = match (self.view, way) {
                (View::Biflow | View::Transactions, _) => Direction::Both,
                (View::OneWay, 0) => Direction::Forward,
                (View::OneWay, _) => Direction::Reverse,
            };
            self.make_room(&mut records)?;
            records.extend(direction.record(flow));
        }
        Ok(records)
    }

    /// A list of transactions.
    fn transactions(&self, order: &RowOrder, limit: Option<usize>) -> Result<TransactionRows, SearchError> {
        let (first, mut needed) = ordered(order)?;
        needed.extend(transaction_columns());
        needed.extend(["site", "hour"]);
        let names: Vec<String> = transaction_columns().map(expressions::identifier).collect();
        let bytes = self.ask(&format!(
            "SELECT {} {} ORDER BY {first}{TRANSACTIONS_ORDER}{}",
            names.join(", "),
            self.rows.from(&needed, ""),
            limited(limit)
        ))?;
        let mut reader = Reader::new(&bytes);
        let mut lines = Vec::new();
        while !reader.is_empty() {
            self.make_room(&mut lines)?;
            lines.push(transaction(&mut reader).ok_or_else(cut)?);
        }
        let batch = transactions::batch(lines);
        Ok(TransactionRows(
            batch.map_err(|error| SearchError::Batch(error.to_string()))?,
        ))
    }

    /// Asks for the memory of some more, where the next one would need it.
    fn make_room<T>(&self, all: &mut Vec<T>) -> Result<(), SearchError> {
        if all.len() == all.capacity() {
            let more = all.capacity().max(1024);
            self.control.take(more * size_of::<T>(), FIX)?;
            all.reserve_exact(more);
        }
        Ok(())
    }

    /// Lines of a grouping, and the keys of each as one word.
    fn groups(
        &self,
        groups: &Groups,
        grouping: &Grouping,
        limit: Option<usize>,
    ) -> Result<(Table, Vec<String>), SearchError> {
        let keys = keys(&groups.keys, &self.rows);
        let figures = figures(groups, &self.rows)?;
        let word = word(keys.len());
        let select = named(&keys, 'k').chain(named(&figures, 'm'));
        let select: Vec<String> = select.collect();
        let rows = self.rows.from(&columns(groups), &join(&groups.keys, &self.rows));
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
        let limit = limited(limit);
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
        let figures = figures(groups, &self.rows)?;
        let keys = keys(&groups.keys, &self.rows);
        // The words are ours: hexadecimal digits and three signs.
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let select: Vec<String> = named(&figures, 'm').collect();
        let mut needed = columns(groups);
        needed.push("start");
        let rows = self.rows.from(&needed, &join(&groups.keys, &self.rows));
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
            columns: vec![AnswerColumn {
                name: span.name.clone(),
                kind: span.kind(),
            }],
            groups: words.len() as u64,
            ..Table::default()
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
                None => {
                    table.rest.push(table.rows.len());
                    line.extend(std::iter::repeat_n(None, keys.len()));
                }
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

/// What a list is ordered by first, and the columns that it reads.
fn ordered(order: &RowOrder) -> Result<(String, Vec<&'static str>), SearchError> {
    list::check(order)?;
    Ok(match order {
        RowOrder::Stored => (String::new(), Vec::new()),
        RowOrder::By { value, descending } => {
            let sign = if *descending { "DESC" } else { "ASC" };
            let columns = value.reads.columns();
            (
                format!("{} {sign} NULLS LAST, ", number(value)?),
                columns.iter().map(|column| column.name).collect(),
            )
        }
    })
}

fn limited(limit: Option<usize>) -> String {
    limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default()
}

/// A cell of the type [`cell_type`] says.
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

fn span_column(span: &Key) -> Result<Column, SearchError> {
    match span.value {
        KeyValue::Column(column) => Ok(column),
        KeyValue::Either(..) => Err(cut()),
    }
}
