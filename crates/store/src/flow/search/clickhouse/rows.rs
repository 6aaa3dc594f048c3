//! The rows of a question as SQL: what stands behind `FROM` and `WHERE`. Records as they are stored, one row a direction,
//! transactions, or flows with what their transactions say of them; each under the column names the filter has.
//!
//! Subqueries about transactions are GLOBAL: on a cluster they run once, not on every shard.

use weir_query::{Column, Kind, Parameter};

use super::expressions::{cut_to, identifier, value};
use crate::flow::clickhouse::read_columns;
use crate::flow::search::SearchError;
use crate::flow::search::lifting::{self, Asked};
use crate::flow::search::plan::{Key, KeyValue, Search, View};
use crate::flow::search::view::{Direction, is_foreign};

/// The array of what a flow's transactions have of the columns asked for, and one of its elements as a key.
const TOLD: &str = "told";
const TOLD_KEY: &str = "told_key";

/// The rows of a question.
pub(super) struct Rows {
    view: View,
    database: String,
    /// Condition on the rows, and the columns it reads.
    filter: String,
    filtered: Vec<&'static str>,
    /// Columns that only transactions have.
    own: Vec<Column>,
    told: Option<Told>,
}

/// What flows are asked about their transactions.
struct Told {
    /// Conditions that one transaction has to fit, one after another.
    lifted: Vec<String>,
    /// Columns whose values are wanted.
    wanted: Vec<Column>,
    /// Condition on the transactions that have a say.
    which: String,
    /// Columns that the conditions read.
    read: Vec<&'static str>,
}

impl Rows {
    /// The rows, and the values bound in their conditions.
    ///
    /// # Errors
    /// When flows cannot be asked this about their transactions.
    pub(super) fn new(search: &Search, database: &str) -> Result<(Self, Vec<Parameter>), SearchError> {
        let own = lifting::columns_of(search);
        let asked = match search.view {
            View::Biflow | View::OneWay if !own.is_empty() => Some(lifting::asked(search)?),
            View::Biflow | View::OneWay | View::Transactions => None,
        };
        let filter = asked.as_ref().map_or(&search.filter, |asked| &asked.filter);
        let mut sql = weir_query::sql(filter);
        let told = asked.as_ref().map(
            |Asked {
                 lifted,
                 wanted,
                 which,
                 ..
             }| Told {
                lifted: lifted.iter().map(|expr| sql.condition(expr)).collect(),
                wanted: wanted.clone(),
                which: sql.condition(which),
                read: which.columns(),
            },
        );
        let rows = Self {
            view: search.view,
            database: database.to_owned(),
            filter: sql.text,
            filtered: filter.columns(),
            own,
            told,
        };
        Ok((rows, sql.parameters))
    }

    /// `FROM` and `WHERE`. `needed` are the columns that the rest of the statement reads beside the filter's; `join` stands
    /// between the two.
    pub(super) fn from(&self, needed: &[&'static str], join: &str) -> String {
        let filter = &self.filter;
        match (self.view, &self.told) {
            (View::Biflow, None) => format!(
                "FROM {} {join} WHERE \"site\" = {{site:String}} AND ({filter})",
                self.table("flows")
            ),
            (View::Biflow, Some(told)) => {
                format!("FROM ({}) {join} WHERE {filter}", self.flows_told(told, needed))
            }
            (View::Transactions, _) => {
                let needed = self.with_filters(needed);
                format!(
                    "FROM ({}) {join} WHERE {filter}",
                    self.transactions(&needed, &self.own)
                )
            }
            (View::OneWay, _) => format!("FROM ({}) {join} WHERE {filter}", self.directions(needed, false)),
        }
    }

    /// `FROM` and `WHERE` of whole one-way rows: the stored columns of the record as `s_` and their name, and its `way`.
    pub(super) fn carried(&self, needed: &[&'static str]) -> String {
        format!("FROM ({}) WHERE {}", self.directions(needed, true), self.filter)
    }

    /// Makes a row of every different value of these keys that the flow's transactions have, one where they have none;
    /// nothing without such keys. [`Self::told_key`] reads them.
    pub(super) fn spread(&self, keys: &[Key]) -> String {
        let Some(told) = &self.told else {
            return String::new();
        };
        let parts: Vec<String> = keys
            .iter()
            .filter(|key| key.of_transactions_alone())
            .filter_map(|key| told.element(key, "v"))
            .collect();
        if parts.is_empty() {
            return String::new();
        }
        let there = (1..=parts.len()).map(|at| format!("tupleElement(k, {at}) IS NOT NULL"));
        let there: Vec<String> = there.collect();
        let all = format!(
            "arrayDistinct(arrayMap(v -> tuple({}), {TOLD}))",
            parts.join(", ")
        );
        let some = format!("arrayFilter(k -> {}, {all})", there.join(" OR "));
        // One of what an empty array has: all values missing.
        format!("ARRAY JOIN if(notEmpty({some}), {some}, arrayResize({some}, 1)) AS {TOLD_KEY}")
    }

    /// The key with this number of those that [`Self::spread`] spread.
    pub(super) fn told_key(number: usize) -> String {
        format!("tupleElement({TOLD_KEY}, {})", number + 1)
    }

    /// Is the key one that [`Self::spread`] spreads?
    pub(super) fn is_told(&self, key: &Key) -> bool {
        self.told.is_some() && key.of_transactions_alone()
    }

    /// All values of a key that a flow's transactions have, as an array.
    pub(super) fn told_values(&self, key: &Key) -> Option<String> {
        let told = self.told.as_ref().filter(|_| key.of_transactions_alone())?;
        Some(format!("arrayMap(v -> {}, {TOLD})", told.element(key, "v")?))
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{}", identifier(&self.database), identifier(name))
    }

    fn with_filters(&self, needed: &[&'static str]) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = needed.iter().chain(&self.filtered).copied().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Transactions with these columns; `own` says of which kind those are that only transactions have.
    fn transactions(&self, names: &[&'static str], own: &[Column]) -> String {
        let selected: Vec<String> = names
            .iter()
            .map(|name| match own.iter().find(|column| column.name == *name) {
                Some(column) if !matches!(*name, "kind" | "outcome") => {
                    format!("{} AS {}", extracted(column), identifier(name))
                }
                _ => identifier(name),
            })
            .collect();
        let table = self.table("transactions");
        format!(
            "SELECT {} FROM {table} WHERE \"site\" = {{site:String}}",
            selected.join(", ")
        )
    }

    /// Flows with their stored columns and those needed, a flag for each comparison of transactions, and [`TOLD`].
    fn flows_told(&self, told: &Told, needed: &[&'static str]) -> String {
        let mut names = self.with_filters(needed);
        names.retain(|name| !is_foreign(name));
        names.extend(["site", "hour"]);
        names.extend(read_columns());
        names.sort_unstable();
        names.dedup();
        let mut selected: Vec<String> = names.into_iter().map(identifier).collect();
        let mut read = told.read.clone();
        read.push("flow_number");
        read.extend(told.wanted.iter().map(|column| column.name));
        read.sort_unstable();
        read.dedup();
        let transactions = self.transactions(&read, &self.own);
        for (bit, condition) in told.lifted.iter().enumerate() {
            selected.push(format!(
                "\"flow_number\" GLOBAL IN (SELECT \"flow_number\" FROM ({transactions}) WHERE ({}) AND ({condition})) AS {}",
                told.which,
                identifier(lifting::bit_name(bit))
            ));
        }
        let mut join = String::new();
        if !told.wanted.is_empty() {
            let values: Vec<String> = told.wanted.iter().map(value).collect();
            let present: Vec<String> = values
                .iter()
                .map(|value| format!("{value} IS NOT NULL"))
                .collect();
            join = format!(
                "GLOBAL ANY LEFT JOIN (SELECT \"flow_number\", groupUniqArray(tuple({})) AS {TOLD} FROM ({transactions}) \
                 WHERE ({}) AND ({}) GROUP BY \"flow_number\") AS said USING (\"flow_number\")",
                values.join(", "),
                told.which,
                present.join(" OR ")
            );
            selected.push(TOLD.to_owned());
        }
        format!(
            "SELECT {} FROM {} {join} WHERE \"site\" = {{site:String}}",
            selected.join(", "),
            self.table("flows")
        )
    }

    /// Rows of both directions with these columns and the filter's, under the names they have in it; `carried`: with the
    /// stored columns as well, as `s_` and their name.
    fn directions(&self, needed: &[&'static str], carried: bool) -> String {
        let mut needed = self.with_filters(needed);
        needed.retain(|name| !self.own.iter().any(|column| column.name == *name));
        let directions = self.view.directions().iter();
        let parts: Vec<String> = directions
            .map(|direction| self.direction(*direction, &needed, carried))
            .collect();
        parts.join(" UNION ALL ")
    }

    /// One of them, in two steps, because `src_ip` becomes `dst_ip` and the other way round.
    fn direction(&self, direction: Direction, needed: &[&'static str], carried: bool) -> String {
        let (mut inner, mut outer): (Vec<String>, Vec<String>) = Default::default();
        let mut read = Vec::new();
        for (at, name) in needed.iter().enumerate() {
            // What transactions say of a flow has no direction.
            let column = if is_foreign(name) {
                Some(*name)
            } else {
                direction.column(name)
            };
            let Some(column) = column else {
                outer.push(format!("CAST(NULL AS Nullable(UInt64)) AS \"{name}\""));
                continue;
            };
            read.push(column);
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
        let from = match &self.told {
            None => self.table("flows"),
            Some(told) => {
                if !told.wanted.is_empty() {
                    inner.push(TOLD.to_owned());
                    outer.push(TOLD.to_owned());
                }
                read.push("dst_packets");
                format!("({})", self.flows_told(told, &read))
            }
        };
        format!(
            "SELECT {} FROM (SELECT {} FROM {from} WHERE \"site\" = {{site:String}}{})",
            outer.join(", "),
            inner.join(", "),
            if reverse { " AND \"dst_packets\" > 0" } else { "" }
        )
    }
}

impl Told {
    /// The key in an element of [`TOLD`] by this name.
    fn element(&self, key: &Key, of: &str) -> Option<String> {
        let KeyValue::Column(column) = key.value else {
            return None;
        };
        let place = self.wanted.iter().position(|wanted| *wanted == column)?;
        Some(cut_to(&format!("tupleElement({of}, {})", place + 1), key.cut))
    }
}

/// A dissector's field out of the JSON of a row, of the type that filters take it to have.
fn extracted(column: &Column) -> String {
    // Names are ours: letters, digits, dots.
    let name = column.name.replace(['\'', '\\', '{', '}'], "");
    let json = |kind: &str| format!("JSONExtract(ifNull(\"fields\", ''), '{name}', '{kind}')");
    let text = json("Nullable(String)");
    match column.kind {
        Kind::Number(_) => json("Nullable(UInt64)"),
        Kind::Flag => json("Nullable(Bool)"),
        Kind::Text => text,
        Kind::Texts => json("Array(String)"),
        Kind::Address => format!("toIPv6OrNull({text})"),
        Kind::Mac => format!("if({text} IS NULL, NULL, MACStringToNum(assumeNotNull({text})))"),
        Kind::Rate(_) | Kind::Time | Kind::TcpFlags => "CAST(NULL AS Nullable(UInt64))".to_owned(),
    }
}
