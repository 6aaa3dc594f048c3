//! A perspective made ready to look through: its filters parsed, and all of it as one expression of SQL that gives the
//! priority of an event, or says that it is hidden. Both databases compute it from what is stored, so that a perspective
//! that changes changes what was seen yesterday as well.

use weir_model::{Perspective, PerspectiveError, PerspectiveRule, Priority, Seen};
use weir_query::{Catalog, Check, Expr, Lists, QueryError};

use super::sql::Sql;

/// Names and ranges of all rules together. Every one is a value of the statement, and databases take 32,766 of them.
const VALUES_MAX: usize = 4000;
/// What a hidden event has in the place of a priority.
pub(super) const HIDDEN: i64 = -1;

/// A perspective, compiled. Compare it by the perspective it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Lens {
    /// The first that fits decides: those that hide, then from critical down, in the order of the perspective.
    rules: Vec<LensRule>,
    otherwise: Seen,
}

#[derive(Clone, Debug, PartialEq)]
struct LensRule {
    /// Its place in the perspective.
    place: usize,
    rule: PerspectiveRule,
    source: Option<Expr>,
    target: Option<Expr>,
    host: Option<Expr>,
}

/// Why a perspective cannot be looked through.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LensError {
    /// It is out of bounds.
    #[error(transparent)]
    Bounds(#[from] PerspectiveError),
    /// A filter is wrong; the place is a JSON pointer.
    #[error("{place}: {error}")]
    Filter { place: String, error: Box<QueryError> },
    /// Its rules and the lists they name have more entries than a database takes.
    #[error(
        "its rules and their lists have {found} entries, at most {VALUES_MAX}; write networks for addresses"
    )]
    TooLarge { found: usize },
}

impl Lens {
    /// Compiles a perspective; `lists` are the named lists of today.
    ///
    /// # Errors
    /// Says which rule is wrong, and where.
    pub fn new(perspective: &Perspective, lists: &dyn Lists) -> Result<Self, LensError> {
        perspective.check()?;
        let rules = perspective.rules.iter().enumerate();
        let mut rules = rules
            .map(|(place, rule)| LensRule::new(place, rule, lists))
            .collect::<Result<Vec<_>, _>>()?;
        let found = rules.iter().map(LensRule::values).sum();
        if found > VALUES_MAX {
            return Err(LensError::TooLarge { found });
        }
        // Stable: among equals the first of the perspective is told.
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.strength()));
        Ok(Self {
            rules,
            otherwise: perspective.otherwise,
        })
    }

    /// Rules there are.
    pub(super) const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Adds the priority an event `e` is seen with, [`HIDDEN`] when it is not.
    pub(super) fn add_priority(&self, sql: &mut Sql) {
        self.add_case(sql, |rule| rank(rule.rule.give));
        match self.otherwise {
            Seen::Own => sql.push("e.priority END"),
            other => sql.push(&format!("{} END", rank(other))),
        };
    }

    /// Adds the place of the rule that decides about `e`, -1 when none does.
    pub(super) fn add_winner(&self, sql: &mut Sql) {
        self.add_case(sql, |rule| rule.place as i64);
        sql.push("-1 END");
    }

    /// Adds for every rule, in the order of the perspective, how many events it fits, as columns `fits_0`, `fits_1` ...
    pub(super) fn add_fits(&self, sql: &mut Sql) {
        for rule in &self.rules {
            sql.push(", coalesce(sum(CASE WHEN ");
            rule.add(sql);
            sql.push(&format!(" THEN 1 ELSE 0 END), 0) AS fits_{}", rule.place));
        }
    }

    fn add_case(&self, sql: &mut Sql, value: impl Fn(&LensRule) -> i64) {
        // A CASE needs a branch; this one is never taken.
        sql.push("CASE WHEN 1 = 0 THEN 0");
        for rule in &self.rules {
            sql.push(" WHEN ");
            rule.add(sql);
            sql.push(&format!(" THEN {}", value(rule)));
        }
        sql.push(" ELSE ");
    }
}

/// The number of a priority in the database.
const fn rank(seen: Seen) -> i64 {
    match seen {
        Seen::As(priority) => priority as i64,
        Seen::Hidden | Seen::Own => HIDDEN,
    }
}

impl LensRule {
    fn new(place: usize, rule: &PerspectiveRule, lists: &dyn Lists) -> Result<Self, LensError> {
        let read = |word: &str, text: &str| {
            if text.trim().is_empty() {
                return Ok(None);
            }
            let wrong = |error| LensError::Filter {
                place: format!("/rules/{place}/{word}"),
                error: Box::new(error),
            };
            weir_query::parse(text, Catalog::ends(), lists)
                .map(Some)
                .map_err(wrong)
        };
        Ok(Self {
            place,
            source: read("source", &rule.source)?,
            target: read("target", &rule.target)?,
            host: read("host", &rule.host)?,
            rule: rule.clone(),
        })
    }

    /// What hides is stronger than any priority.
    fn strength(&self) -> i64 {
        match self.rule.give {
            Seen::Hidden | Seen::Own => Priority::Critical as i64 + 1,
            Seen::As(priority) => priority as i64,
        }
    }

    /// Values it binds.
    fn values(&self) -> usize {
        let rule = &self.rule;
        let filters = [&self.source, &self.target];
        let filters: usize = filters.into_iter().flatten().map(ranges).sum();
        2 * (rule.methods.len() + filters)
            + rule.instances.len()
            + rule.feeds.len()
            + 4 * self.host.as_ref().map_or(0, ranges)
    }

    /// Adds its condition on an event `e`.
    fn add(&self, sql: &mut Sql) {
        let rule = &self.rule;
        sql.push("(1 = 1");
        if !rule.methods.is_empty() {
            sql.push(" AND ");
            joined(sql, &rule.methods, " OR ", &|sql, name| {
                let (method, submethod) = name.split_once('.').unwrap_or((name, ""));
                sql.push("(e.method = ").bind(method.to_owned());
                if !submethod.is_empty() {
                    sql.push(" AND e.submethod = ").bind(submethod.to_owned());
                }
                sql.push(")");
            });
        }
        for (column, list) in [("instance", &rule.instances), ("feed", &rule.feeds)] {
            if !list.is_empty() {
                sql.push(&format!(" AND e.{column} IN ("));
                sql.list(list.iter().cloned()).push(")");
            }
        }
        if let Some(filter) = &self.source {
            sql.push(" AND ");
            add(sql, filter, &SOURCE);
        }
        if let Some(filter) = &self.target {
            sql.push(" AND ");
            add_target(sql, filter);
        }
        if let Some(filter) = &self.host {
            sql.push(" AND (");
            add(sql, filter, &SOURCE);
            sql.push(" OR ");
            add_target(sql, filter);
            sql.push(")");
        }
        sql.push(")");
    }
}

/// Where the address, the port and the hardware address of an end stand.
struct End {
    ip: &'static str,
    port: &'static str,
    mac: &'static str,
}

const SOURCE: End = End {
    ip: "e.source_key",
    // The database keeps no port of sources.
    port: "NULL",
    mac: "e.source_mac",
};
const TARGET: End = End {
    ip: "t.ip_key",
    port: "t.port",
    mac: "t.mac",
};

/// One of the targets fits.
fn add_target(sql: &mut Sql, filter: &Expr) {
    sql.push("EXISTS (SELECT 1 FROM event_targets t WHERE t.event_id = e.id AND ");
    add(sql, filter, &TARGET);
    sql.push(")");
}

/// Adds a filter of an end. What is not there fits nothing, and `not` turns that round: never NULL.
fn add(sql: &mut Sql, filter: &Expr, end: &End) {
    match filter {
        Expr::Any => {
            sql.push("1 = 1");
        }
        Expr::And(parts) => joined(sql, parts, " AND ", &|sql, part| add(sql, part, end)),
        Expr::Or(parts) => joined(sql, parts, " OR ", &|sql, part| add(sql, part, end)),
        Expr::Not(inner) => {
            sql.push("NOT (");
            add(sql, inner, end);
            sql.push(")");
        }
        Expr::Test(test) => {
            let column = match test.field.name {
                "ip" => end.ip,
                "port" => end.port,
                _ => end.mac,
            };
            let ranges = ranges_of(&test.check, test.field.name);
            sql.push(&format!("({column} IS NOT NULL"));
            if column != "NULL" && test.check != Check::Present {
                sql.push(" AND ");
                joined(sql, &ranges, " OR ", &|sql, range| {
                    sql.push(&format!("{column} BETWEEN "));
                    match range {
                        Between::Text(low, high) => sql.bind(low.clone()).push(" AND ").bind(high.clone()),
                        Between::Number(low, high) => sql.bind(*low).push(" AND ").bind(*high),
                    };
                });
            }
            sql.push(")");
        }
    }
}

/// Adds parts with a word between them; of none: nothing fits. SQLite takes expressions a thousand deep, and without
/// parentheses each part would lie one deeper than the one before.
fn joined<T>(sql: &mut Sql, parts: &[T], word: &str, each: &dyn Fn(&mut Sql, &T)) {
    match parts {
        [] => {
            sql.push("1 = 0");
        }
        [one] => each(sql, one),
        many => {
            let (first, second) = many.split_at(many.len() / 2);
            sql.push("(");
            joined(sql, first, word, each);
            sql.push(word);
            joined(sql, second, word, each);
            sql.push(")");
        }
    }
}

/// Bounds as the database compares them; both ends belong to the range.
enum Between {
    Text(String, String),
    Number(i64, i64),
}

fn ranges_of(check: &Check, field: &str) -> Vec<Between> {
    match check {
        Check::Addresses(set) => {
            let ranges = set.all().as_slice().iter();
            ranges
                .map(|(low, high)| Between::Text(format!("{low:032x}"), format!("{high:032x}")))
                .collect()
        }
        Check::Numbers(set) => {
            let ranges = set.all().as_slice().iter();
            ranges
                .map(|(low, high)| match field {
                    "mac" => Between::Text(mac(*low), mac(*high)),
                    _ => Between::Number(number(*low), number(*high)),
                })
                .collect()
        }
        // The words of ends have no other kinds.
        Check::Present
        | Check::Times(_)
        | Check::Rate(..)
        | Check::Flag(_)
        | Check::TcpFlags(_)
        | Check::Text(_) => Vec::new(),
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A hardware address as events write it; these texts are in the order of the numbers.
fn mac(number: u64) -> String {
    let [_, _, bytes @ ..] = number.to_be_bytes();
    // What lies above the last hardware address is behind all of them.
    if number >> 48 > 0 {
        return "g".to_owned();
    }
    weir_model::Mac(bytes).to_string()
}

/// Ranges of a filter.
fn ranges(filter: &Expr) -> usize {
    match filter {
        Expr::Any => 0,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().map(ranges).sum(),
        Expr::Not(inner) => ranges(inner),
        Expr::Test(test) => match &test.check {
            Check::Addresses(set) => set.all().as_slice().len(),
            Check::Numbers(set) => set.all().as_slice().len(),
            _ => 0,
        },
    }
}
