//! Reading events: pages of a list, one event with everything kept of it, counts by a column and over time.

use serde::Serialize;
use sqlx::any::AnyRow;
use weir_model::Priority;

use super::sql::{Columns, Sql};
use super::{EventStore, Filter, Sort, StoreError};

/// Rows of a page at most.
const PAGE_MAX: u32 = 1000;
/// Groups of a facet at most.
const GROUPS_MAX: u32 = 1000;
/// Steps of a histogram at most; a longer range is refused by taking wider steps.
const STEPS_MAX: i64 = 10_000;
/// Letters of an id that must be given.
const ID_LETTERS_MIN: usize = 4;

pub(super) const ROW: &str = "SELECT id, site, feed, instance, method, submethod, title, priority, probability, risk, state, workflow, assignee, \
                   false_positive, pinned, source_ip, source_mac, source_name, source_user, target_count, first_flow, detected, \
                   detected_ns, last_update, last_update_ns, ended, updates, reason";

/// An event in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub id: String,
    pub site: String,
    pub feed: String,
    /// Instance of the method.
    pub instance: String,
    pub method: String,
    pub submethod: String,
    pub title: String,
    pub priority: &'static str,
    pub probability: i64,
    pub risk: i64,
    /// `open` or `closed`: does the traffic go on?
    pub state: String,
    /// `new`, `acknowledged` or `resolved`: how far are people?
    pub workflow: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    pub false_positive: bool,
    pub pinned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_user: Option<String>,
    pub target_count: i64,
    pub first_flow: String,
    pub detected: String,
    pub last_update: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    pub updates: i64,
    pub reason: String,
    pub labels: Vec<String>,
}

/// Some rows, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    pub rows: Vec<Row>,
    /// Give this as the cursor for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An earlier state of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Update {
    pub state: String,
    pub updates: i64,
    pub at: String,
    pub risk: i64,
    pub probability: i64,
    pub target_count: i64,
    pub reason: String,
}

/// What somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    pub author: String,
    pub at: String,
    pub body: String,
}

/// A category of an event, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Category {
    pub category: String,
    pub state: String,
    pub author: String,
    pub at: String,
}

/// Everything kept of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    #[serde(flatten)]
    pub row: Row,
    pub history: Vec<Update>,
    pub comments: Vec<Note>,
    pub categories: Vec<Category>,
    /// Who marked it as false, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_positive_mark: Option<Note>,
    /// The event contract as it was stored last, with the frozen evidence: one JSON line.
    #[serde(skip)]
    pub document: String,
}

/// What events can be counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet {
    Method,
    Submethod,
    Priority,
    State,
    Workflow,
    Site,
    Feed,
    Source,
    Target,
    Label,
    Technique,
}

impl Facet {
    /// All of them, in the order of help texts.
    pub const ALL: [Self; 11] = [
        Self::Method,
        Self::Submethod,
        Self::Priority,
        Self::State,
        Self::Workflow,
        Self::Site,
        Self::Feed,
        Self::Source,
        Self::Target,
        Self::Label,
        Self::Technique,
    ];

    /// Word outside.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Submethod => "submethod",
            Self::Priority => "priority",
            Self::State => "state",
            Self::Workflow => "workflow",
            Self::Site => "site",
            Self::Feed => "feed",
            Self::Source => "source",
            Self::Target => "target",
            Self::Label => "label",
            Self::Technique => "technique",
        }
    }
}

/// One step of a histogram: events of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Start of the step, nanoseconds since 1970.
    pub start_ns: i64,
    pub priority: &'static str,
    pub events: i64,
}

impl EventStore {
    /// A page of events. `cursor` is the `next` of the page before.
    pub async fn list(
        &self,
        filter: &Filter,
        sort: Sort,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let (column, falling) = sort.column();
        let mut sql = Sql::new(ROW);
        filter.add_from(&mut sql);
        filter.add(&mut sql);
        if let Some(cursor) = cursor {
            let (value, id) = unmark(sort, cursor).ok_or_else(|| StoreError::Cursor(cursor.to_owned()))?;
            let sign = if falling { "<" } else { ">" };
            sql.push(&format!(" AND ({column}, id) {sign} ("));
            sql.bind(value).push(", ").bind(id.to_owned()).push(")");
        }
        let direction = if falling { "DESC" } else { "ASC" };
        sql.push(&format!(" ORDER BY {column} {direction}, id {direction} LIMIT "));
        sql.bind(i64::from(limit) + 1);
        let mut found = sql.query().fetch_all(&self.pool).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = match found.last().filter(|_| more) {
            Some(last) => Some(format!(
                "{}{}.{}",
                sort.letter(),
                last.number(column)?,
                last.text("id")?
            )),
            None => None,
        };
        let mut rows = found.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        self.add_labels(&mut rows).await?;
        Ok(Page { rows, next })
    }

    /// How many events there are.
    pub async fn count(&self, filter: &Filter) -> Result<i64, StoreError> {
        let mut sql = Sql::new("SELECT count(*) AS events");
        filter.add_from(&mut sql);
        filter.add(&mut sql);
        Ok(sql.query().fetch_one(&self.pool).await?.number("events")?)
    }

    /// Counts by a column, most first; `limit` groups at most.
    pub async fn facet(
        &self,
        filter: &Filter,
        by: Facet,
        limit: u32,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let (column, join) = match by {
            Facet::Method => ("method", ""),
            Facet::Submethod => ("method || '.' || submethod", ""),
            Facet::Priority => ("priority", ""),
            Facet::State => ("state", ""),
            Facet::Workflow => ("workflow", ""),
            Facet::Site => ("site", ""),
            Facet::Feed => ("feed", ""),
            Facet::Source => ("coalesce(source_ip, source_mac, 'unknown')", ""),
            Facet::Target => (
                "coalesce(ft.ip, ft.mac, 'unknown')",
                " JOIN event_targets ft ON ft.event_id = events.id",
            ),
            Facet::Label => ("fl.label", " JOIN event_labels fl ON fl.event_id = events.id"),
            Facet::Technique => ("fa.technique", " JOIN event_attack fa ON fa.event_id = events.id"),
        };
        let mut sql = Sql::new("SELECT CAST(");
        sql.push(column)
            .push(" AS TEXT) AS word, count(DISTINCT events.id) AS events");
        filter.add_from(&mut sql);
        sql.push(join);
        filter.add(&mut sql);
        sql.push(" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ")
            .bind(i64::from(limit.clamp(1, GROUPS_MAX)));
        let found = sql.query().fetch_all(&self.pool).await?;
        found
            .iter()
            .map(|row| {
                let word = row.text("word")?;
                let word = match by {
                    Facet::Priority => priority(word.parse().unwrap_or_default()).to_owned(),
                    _ => word,
                };
                Ok((word, row.number("events")?))
            })
            .collect()
    }

    /// Events by priority over time, in steps of `step_ns` from 1970; the filter's times bound it. Where that would be
    /// more than 10,000 steps the steps are widened. Returns them with the step's length.
    pub async fn histogram(&self, filter: &Filter, step_ns: i64) -> Result<(i64, Vec<Step>), StoreError> {
        let mut sql = Sql::new("SELECT min(detected_ns) AS first_ns, max(detected_ns) AS last_ns");
        filter.add_from(&mut sql);
        filter.add(&mut sql);
        let span = sql.query().fetch_one(&self.pool).await?;
        let (Some(first), Some(last)) = (span.maybe_number("first_ns")?, span.maybe_number("last_ns")?)
        else {
            return Ok((step_ns.max(1), Vec::new()));
        };
        let step_ns = step_ns.max(1).max(last.saturating_sub(first) / STEPS_MAX);
        let mut sql = Sql::new("SELECT detected_ns / ");
        // The same value twice: places are numbered, and GROUP BY needs the very same expression.
        sql.bind(step_ns).push(" AS step, priority, count(*) AS events");
        filter.add_from(&mut sql);
        filter.add(&mut sql);
        sql.push(" GROUP BY 1, 2 ORDER BY 1, 2");
        let found = sql.query().fetch_all(&self.pool).await?;
        let steps = found.iter().map(|row| {
            Ok(Step {
                start_ns: row.number("step")?.saturating_mul(step_ns),
                priority: priority(row.number("priority")?),
                events: row.number("events")?,
            })
        });
        Ok((step_ns, steps.collect::<Result<_, StoreError>>()?))
    }

    /// The full id that `id`, or its beginning, stands for.
    pub async fn find(&self, id: &str) -> Result<String, StoreError> {
        let unknown = || StoreError::Unknown(id.to_owned());
        let letters = |c: char| c.is_ascii_hexdigit() || c == '-';
        if id.len() < ID_LETTERS_MIN || !id.chars().all(letters) {
            return Err(unknown());
        }
        let mut sql = Sql::new("SELECT id FROM events WHERE id LIKE ");
        sql.bind(format!("{}%", id.to_ascii_lowercase())).push(" LIMIT 2");
        let found = sql.query().fetch_all(&self.pool).await?;
        match found.as_slice() {
            [] => Err(unknown()),
            [one] => Ok(one.text("id")?),
            _ => Err(StoreError::Ambiguous(id.to_owned())),
        }
    }

    /// Everything kept of the event with this full id.
    pub async fn get(&self, id: &str) -> Result<Detail, StoreError> {
        let mut sql = Sql::new(ROW);
        sql.push(" FROM events WHERE id = ").bind(id.to_owned());
        let Some(found) = sql.query().fetch_optional(&self.pool).await? else {
            return Err(StoreError::Unknown(id.to_owned()));
        };
        let mut rows = vec![row(&found)?];
        self.add_labels(&mut rows).await?;
        let document = self
            .rows_of("SELECT document FROM events WHERE id = ", id, "")
            .await?;
        let document = document.first().map(|row| row.text("document")).transpose()?;
        let history = self
            .rows_of(UPDATES, id, " ORDER BY at_ns, updates, closed_last")
            .await?;
        let comments = self.rows_of(COMMENTS, id, " ORDER BY position").await?;
        let categories = self.rows_of(CATEGORIES, id, " ORDER BY category").await?;
        let marks = self.rows_of(MARKS, id, "").await?;
        Ok(Detail {
            row: rows.swap_remove(0),
            history: history.iter().map(update).collect::<Result<_, _>>()?,
            comments: comments.iter().map(note).collect::<Result<_, _>>()?,
            categories: categories.iter().map(category).collect::<Result<_, _>>()?,
            false_positive_mark: marks.first().map(note).transpose()?,
            document: document.unwrap_or_default(),
        })
    }

    async fn rows_of(&self, text: &str, id: &str, order: &str) -> Result<Vec<AnyRow>, StoreError> {
        let mut sql = Sql::new(text);
        sql.bind(id.to_owned()).push(order);
        Ok(sql.query().fetch_all(&self.pool).await?)
    }

    pub(super) async fn add_labels(&self, rows: &mut [Row]) -> Result<(), StoreError> {
        for rows in rows.chunks_mut(PAGE_MAX as usize) {
            let mut sql = Sql::new("SELECT event_id, label FROM event_labels WHERE event_id IN (");
            sql.list(rows.iter().map(|row| row.id.clone()))
                .push(") ORDER BY label");
            for found in sql.query().fetch_all(&self.pool).await? {
                let id = found.text("event_id")?;
                if let Some(row) = rows.iter_mut().find(|row| row.id == id) {
                    row.labels.push(found.text("label")?);
                }
            }
        }
        Ok(())
    }
}

const UPDATES: &str = "SELECT state, updates, at, risk, probability, target_count, reason, \
                       CASE state WHEN 'closed' THEN 1 ELSE 0 END AS closed_last FROM event_updates WHERE event_id = ";
const COMMENTS: &str = "SELECT author, at, body FROM event_comments WHERE event_id = ";
const CATEGORIES: &str = "SELECT category, state, author, at FROM event_categories WHERE event_id = ";
const MARKS: &str = "SELECT author, at, note AS body FROM event_false_positives WHERE event_id = ";

pub(super) fn row(row: &AnyRow) -> Result<Row, StoreError> {
    Ok(Row {
        id: row.text("id")?,
        site: row.text("site")?,
        feed: row.text("feed")?,
        instance: row.text("instance")?,
        method: row.text("method")?,
        submethod: row.text("submethod")?,
        title: row.text("title")?,
        priority: priority(row.number("priority")?),
        probability: row.number("probability")?,
        risk: row.number("risk")?,
        state: row.text("state")?,
        workflow: row.text("workflow")?,
        assignee: row.maybe_text("assignee")?,
        false_positive: row.number("false_positive")? != 0,
        pinned: row.number("pinned")? != 0,
        source_ip: row.maybe_text("source_ip")?,
        source_mac: row.maybe_text("source_mac")?,
        source_name: row.maybe_text("source_name")?,
        source_user: row.maybe_text("source_user")?,
        target_count: row.number("target_count")?,
        first_flow: row.text("first_flow")?,
        detected: row.text("detected")?,
        last_update: row.text("last_update")?,
        ended: row.maybe_text("ended")?,
        updates: row.number("updates")?,
        reason: row.text("reason")?,
        labels: Vec::new(),
    })
}

fn update(row: &AnyRow) -> Result<Update, StoreError> {
    Ok(Update {
        state: row.text("state")?,
        updates: row.number("updates")?,
        at: row.text("at")?,
        risk: row.number("risk")?,
        probability: row.number("probability")?,
        target_count: row.number("target_count")?,
        reason: row.text("reason")?,
    })
}

fn note(row: &AnyRow) -> Result<Note, StoreError> {
    Ok(Note {
        author: row.text("author")?,
        at: row.text("at")?,
        body: row.text("body")?,
    })
}

fn category(row: &AnyRow) -> Result<Category, StoreError> {
    Ok(Category {
        category: row.text("category")?,
        state: row.text("state")?,
        author: row.text("author")?,
        at: row.text("at")?,
    })
}

/// The mark of a list: the order's letter, the value of its column, the id.
fn unmark(sort: Sort, cursor: &str) -> Option<(i64, &str)> {
    let (value, id) = cursor.strip_prefix(sort.letter())?.split_once('.')?;
    Some((value.parse().ok()?, id))
}

/// Word of a stored priority.
pub(super) fn priority(rank: i64) -> &'static str {
    match rank {
        4 => Priority::Critical,
        3 => Priority::High,
        2 => Priority::Medium,
        1 => Priority::Low,
        _ => Priority::Informational,
    }
    .word()
}
