//! Which events, and in which order: the conditions people set, as SQL both databases understand.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::Priority;

use super::Workflow;
use super::lens::{HIDDEN, Lens};
use super::record::ip_key;
use super::sql::Sql;

/// An address range: all addresses of a prefix, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFilter {
    low: IpAddr,
    high: IpAddr,
}

impl SourceFilter {
    /// Reads `10.0.0.5`, `10.0.0.0/8` or `2001:db8::/32`.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((ip, len)) = text.split_once('/') else {
            let ip = text.parse().ok()?;
            return Some(Self { low: ip, high: ip });
        };
        let (ip, len): (IpAddr, u32) = (ip.parse().ok()?, len.parse().ok()?);
        let host_bits = match ip {
            IpAddr::V4(_) => 32_u32.checked_sub(len)?,
            IpAddr::V6(_) => 128_u32.checked_sub(len)?,
        };
        let mask = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
        Some(match ip {
            IpAddr::V4(ip) => Self {
                low: IpAddr::V4((ip.to_bits() & !(mask as u32)).into()),
                high: IpAddr::V4((ip.to_bits() | mask as u32).into()),
            },
            IpAddr::V6(ip) => Self {
                low: IpAddr::V6((ip.to_bits() & !mask).into()),
                high: IpAddr::V6((ip.to_bits() | mask).into()),
            },
        })
    }
}

/// Conditions that must all hold; an empty list or `None` asks nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// The perspective events are seen from: priorities are its, and what it hides is not there.
    pub lens: Option<Arc<Lens>>,
    /// Detected at or after this, nanoseconds since 1970.
    pub since_ns: Option<i64>,
    /// Detected before this.
    pub until_ns: Option<i64>,
    pub sites: Vec<String>,
    pub feeds: Vec<String>,
    /// Codes of methods.
    pub methods: Vec<String>,
    pub submethods: Vec<String>,
    pub priorities: Vec<Priority>,
    /// At least this priority.
    pub priority_min: Option<Priority>,
    pub source: Option<SourceFilter>,
    pub target: Option<SourceFilter>,
    /// Still running, or over.
    pub open: Option<bool>,
    pub workflow: Vec<Workflow>,
    pub false_positive: Option<bool>,
    /// One of these labels.
    pub labels: Vec<String>,
    pub category: Option<String>,
    pub technique: Option<String>,
    pub assignee: Option<String>,
    /// Every word must occur in what the event says.
    pub text: Option<String>,
}

/// Words of a text search; more would only slow the database.
const WORDS_MAX: usize = 16;

/// Columns of events that lists and conditions read, without the priority.
const SEEN: &str = "e.id, e.site, e.feed, e.instance, e.method, e.submethod, e.title, e.probability, e.risk, e.state, \
                    e.closed, e.source_ip, e.source_key, e.source_mac, e.source_name, e.source_user, e.target_count, \
                    e.first_flow, e.detected, e.detected_ns, e.last_update, e.last_update_ns, e.ended, e.updates, \
                    e.reason, e.search, e.workflow, e.assignee, e.false_positive, e.pinned";

impl Filter {
    /// Adds ` FROM events`, with the priorities of the perspective in the place of their own. Both databases fold the
    /// inner query into the outer, so that indices serve it as they do the table.
    pub(super) fn add_from(&self, sql: &mut Sql) {
        let Some(lens) = &self.lens else {
            sql.push(" FROM events");
            return;
        };
        sql.push(" FROM (SELECT ").push(SEEN).push(", ");
        lens.add_priority(sql);
        sql.push(" AS priority FROM events e) AS events");
    }

    /// Adds ` WHERE ...` over what [`Self::add_from`] named; always at least a condition that holds.
    pub(super) fn add(&self, sql: &mut Sql) {
        sql.push(" WHERE 1 = 1");
        if self.lens.is_some() {
            sql.push(&format!(" AND priority > {HIDDEN}"));
        }
        self.add_times(sql);
        one_of(sql, "site", &self.sites);
        one_of(sql, "feed", &self.feeds);
        one_of(sql, "method", &self.methods);
        one_of(sql, "submethod", &self.submethods);
        let ranks: Vec<i64> = self.priorities.iter().map(|one| *one as i64).collect();
        if !ranks.is_empty() {
            sql.push(" AND priority IN (").list(ranks).push(")");
        }
        if let Some(least) = self.priority_min {
            sql.push(" AND priority >= ").bind(least as i64);
        }
        if let Some(source) = self.source {
            between(sql, " AND source_key BETWEEN ", source);
        }
        if let Some(target) = self.target {
            sql.push(" AND EXISTS (SELECT 1 FROM event_targets t WHERE t.event_id = events.id");
            between(sql, " AND t.ip_key BETWEEN ", target);
            sql.push(")");
        }
        if let Some(open) = self.open {
            sql.push(" AND closed = ").bind(i64::from(!open));
        }
        let words: Vec<&str> = self.workflow.iter().map(|one| one.word()).collect();
        if !words.is_empty() {
            sql.push(" AND workflow IN (").list(words).push(")");
        }
        if let Some(marked) = self.false_positive {
            sql.push(" AND false_positive = ").bind(i64::from(marked));
        }
        if let Some(assignee) = &self.assignee {
            sql.push(" AND assignee = ").bind(assignee.clone());
        }
        self.add_rows(sql);
        self.add_text(sql);
    }

    fn add_times(&self, sql: &mut Sql) {
        if let Some(since) = self.since_ns {
            sql.push(" AND detected_ns >= ").bind(since);
        }
        if let Some(until) = self.until_ns {
            sql.push(" AND detected_ns < ").bind(until);
        }
    }

    fn add_rows(&self, sql: &mut Sql) {
        if !self.labels.is_empty() {
            sql.push(
                " AND EXISTS (SELECT 1 FROM event_labels l WHERE l.event_id = events.id AND l.label IN (",
            );
            sql.list(self.labels.iter().cloned()).push("))");
        }
        if let Some(category) = &self.category {
            sql.push(" AND EXISTS (SELECT 1 FROM event_categories c WHERE c.event_id = events.id AND c.category = ");
            sql.bind(category.clone()).push(")");
        }
        if let Some(technique) = &self.technique {
            sql.push(" AND EXISTS (SELECT 1 FROM event_attack a WHERE a.event_id = events.id AND a.technique LIKE ");
            // T1110 also finds T1110.001.
            sql.bind(format!("{}%", escaped(technique))).push(" ESCAPE '\\')");
        }
    }

    fn add_text(&self, sql: &mut Sql) {
        let text = self.text.as_deref().unwrap_or_default().to_lowercase();
        for word in text.split_whitespace().take(WORDS_MAX) {
            sql.push(" AND search LIKE ");
            sql.bind(format!("%{}%", escaped(word))).push(" ESCAPE '\\'");
        }
    }
}

fn one_of(sql: &mut Sql, column: &str, values: &[String]) {
    if !values.is_empty() {
        sql.push(&format!(" AND {column} IN ("));
        sql.list(values.iter().cloned()).push(")");
    }
}

fn between(sql: &mut Sql, text: &str, range: SourceFilter) {
    sql.push(text).bind(ip_key(range.low));
    sql.push(" AND ").bind(ip_key(range.high));
}

/// Text in a LIKE pattern as itself.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// The order of a list; the id settles ties, so that pages neither repeat nor skip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Latest detected first.
    #[default]
    Detected,
    /// Earliest detected first.
    Oldest,
    /// Latest update first.
    Updated,
    /// Highest risk first.
    Risk,
}

impl Sort {
    /// The column, and whether it falls.
    pub(super) const fn column(self) -> (&'static str, bool) {
        match self {
            Self::Detected => ("detected_ns", true),
            Self::Oldest => ("detected_ns", false),
            Self::Updated => ("last_update_ns", true),
            Self::Risk => ("risk", true),
        }
    }

    /// A letter for the page mark, so that a mark of another order is told.
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Detected => 'd',
            Self::Oldest => 'o',
            Self::Updated => 'u',
            Self::Risk => 'r',
        }
    }
}
