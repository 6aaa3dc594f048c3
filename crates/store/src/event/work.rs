//! What people do with events: take them on, label, comment, judge. Every change is one entry of the audit trail, in
//! the same transaction, and none of it is touched by later updates of the event.

use sqlx::{Any, Transaction};
use weir_model::Time;

use super::audit::{Trail, stamp};
use super::sql::{Columns, Sql};
use super::{EventStore, StoreError};

/// Bytes of a label, category or name.
const NAME_BYTES_MAX: usize = 64;
/// Bytes of a comment or note.
const BODY_BYTES_MAX: usize = 16 << 10;
/// Comments, labels or categories of one event; past it nothing is added.
const ROWS_MAX: i64 = 1000;

/// How far people are with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workflow {
    New,
    Acknowledged,
    Resolved,
}

impl Workflow {
    /// All of them, in the order of work.
    pub const ALL: [Self; 3] = [Self::New, Self::Acknowledged, Self::Resolved];

    /// Word in the database and outside.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// How far a category of an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CategoryState {
    New,
    InWork,
    Solved,
}

impl CategoryState {
    /// Word in the database and outside.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InWork => "in work",
            Self::Solved => "solved",
        }
    }
}

/// Something done to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sets how far people are.
    Work(Workflow),
    /// Gives it to somebody; `None` takes it back.
    Assign(Option<String>),
    Label(String),
    Unlabel(String),
    /// Puts it into a category, or sets the category's state.
    Categorise(String, CategoryState),
    Uncategorise(String),
    Comment(String),
    /// Marks it as a false positive, with a note.
    FalsePositive(String),
    /// Takes the mark off.
    TruePositive,
    /// Keeps it from retention, or no longer.
    Pin(bool),
}

impl Action {
    /// Word and detail in the audit trail.
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Work(workflow) => ("workflow", workflow.word().to_owned()),
            Self::Assign(who) => ("assign", who.clone().unwrap_or_default()),
            Self::Label(label) => ("label", label.clone()),
            Self::Unlabel(label) => ("unlabel", label.clone()),
            Self::Categorise(category, state) => ("categorise", format!("{category}: {}", state.word())),
            Self::Uncategorise(category) => ("uncategorise", category.clone()),
            Self::Comment(body) => ("comment", body.clone()),
            Self::FalsePositive(note) => ("false positive", note.clone()),
            Self::TruePositive => ("true positive", String::new()),
            Self::Pin(true) => ("pin", String::new()),
            Self::Pin(false) => ("unpin", String::new()),
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        let (what, text, limit) = match self {
            Self::Assign(Some(name)) => ("name", name, NAME_BYTES_MAX),
            Self::Label(label) | Self::Unlabel(label) => ("label", label, NAME_BYTES_MAX),
            Self::Categorise(name, _) | Self::Uncategorise(name) => ("category", name, NAME_BYTES_MAX),
            Self::Comment(body) | Self::FalsePositive(body) => ("comment", body, BODY_BYTES_MAX),
            Self::Work(_) | Self::Assign(None) | Self::TruePositive | Self::Pin(_) => return Ok(()),
        };
        let found = text.len();
        if found > limit {
            return Err(StoreError::TooLong { what, limit, found });
        }
        Ok(())
    }
}

impl EventStore {
    /// Does the same to several events, by full id, in one transaction. Returns per event whether it changed anything;
    /// an event that does not exist, or has no room left, is not changed.
    pub async fn act(
        &self,
        ids: &[String],
        action: &Action,
        actor: &str,
        at: Time,
    ) -> Result<Vec<bool>, StoreError> {
        action.check()?;
        let mut transaction = self.writing().await?;
        let mut changed = Vec::with_capacity(ids.len());
        for id in ids {
            let known = exists(&mut transaction, id).await?;
            changed.push(known && apply(&mut transaction, id, action, actor, at).await?);
        }
        if changed.contains(&true) {
            let mut trail = Trail::of(&mut transaction, self.postgres).await?;
            let (word, detail) = action.words();
            let (word, detail) = (word, detail.replace('\0', "\u{fffd}"));
            for (id, _) in ids.iter().zip(&changed).filter(|(_, changed)| **changed) {
                trail.add(at, actor, word, id, &detail).await?;
            }
        }
        transaction.commit().await?;
        Ok(changed)
    }
}

async fn exists(transaction: &mut Transaction<'_, Any>, id: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT id FROM events WHERE id = ");
    sql.bind(id);
    Ok(sql.query().fetch_optional(&mut **transaction).await?.is_some())
}

async fn apply(
    transaction: &mut Transaction<'_, Any>,
    id: &str,
    action: &Action,
    actor: &str,
    at: Time,
) -> Result<bool, StoreError> {
    let sql = match action {
        Action::Work(workflow) => set("workflow", workflow.word(), id),
        Action::Assign(Some(who)) => set("assignee", who, id),
        Action::Assign(None) => {
            let mut sql = Sql::new("UPDATE events SET assignee = NULL WHERE assignee IS NOT NULL AND id = ");
            sql.bind(id);
            sql
        }
        Action::Pin(pinned) => flag("pinned", *pinned, id),
        Action::Unlabel(label) => remove("event_labels", "label", label, id),
        Action::Uncategorise(name) => remove("event_categories", "category", name, id),
        Action::Label(label) => {
            if full(transaction, "event_labels", id).await? {
                return Ok(false);
            }
            let mut sql = Sql::new("INSERT INTO event_labels (event_id, label, author, at) VALUES (");
            sql.list([id, label, actor, &stamp(at)])
                .push(") ON CONFLICT (event_id, label) DO NOTHING");
            sql
        }
        Action::Categorise(name, state) => {
            if full(transaction, "event_categories", id).await? {
                return Ok(false);
            }
            let mut sql =
                Sql::new("INSERT INTO event_categories (event_id, category, state, author, at) VALUES (");
            sql.list([id, name, state.word(), actor, &stamp(at)]).push(
                ") ON CONFLICT (event_id, category) DO UPDATE SET state = excluded.state, author = excluded.author, \
                 at = excluded.at WHERE event_categories.state <> excluded.state",
            );
            sql
        }
        Action::Comment(body) => {
            if full(transaction, "event_comments", id).await? {
                return Ok(false);
            }
            let mut sql = Sql::new(
                "INSERT INTO event_comments (event_id, author, at, body, position) \
                 SELECT ",
            );
            sql.list([id, actor, &stamp(at), body])
                .push(", coalesce(max(position), 0) + 1 FROM event_comments WHERE event_id = ")
                .bind(id);
            sql
        }
        Action::FalsePositive(note) => {
            let mut sql = Sql::new("INSERT INTO event_false_positives (event_id, author, at, note) VALUES (");
            sql.list([id, actor, &stamp(at), note]).push(
                ") ON CONFLICT (event_id) DO UPDATE SET author = excluded.author, at = excluded.at, note = excluded.note",
            );
            sql.query().execute(&mut **transaction).await?;
            flag("false_positive", true, id)
        }
        Action::TruePositive => {
            let mut sql = Sql::new("DELETE FROM event_false_positives WHERE event_id = ");
            sql.bind(id);
            sql.query().execute(&mut **transaction).await?;
            flag("false_positive", false, id)
        }
    };
    Ok(sql.query().execute(&mut **transaction).await?.rows_affected() > 0)
}

/// Sets a column that may be absent; does nothing when it is so already.
fn set(column: &str, value: &str, id: &str) -> Sql {
    let mut sql = Sql::new(&format!("UPDATE events SET {column} = "));
    sql.bind(value).push(" WHERE id = ").bind(id);
    sql.push(&format!(" AND coalesce({column}, '') <> ")).bind(value);
    sql
}

fn flag(column: &str, value: bool, id: &str) -> Sql {
    let value = i64::from(value);
    let mut sql = Sql::new(&format!("UPDATE events SET {column} = "));
    sql.bind(value).push(" WHERE id = ").bind(id);
    sql.push(&format!(" AND {column} <> ")).bind(value);
    sql
}

fn remove(table: &str, column: &str, value: &str, id: &str) -> Sql {
    let mut sql = Sql::new(&format!("DELETE FROM {table} WHERE event_id = "));
    sql.bind(id).push(&format!(" AND {column} = ")).bind(value);
    sql
}

async fn full(transaction: &mut Transaction<'_, Any>, table: &str, id: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT count(*) AS found FROM ");
    sql.push(table).push(" WHERE event_id = ").bind(id);
    let row = sql.query().fetch_one(&mut **transaction).await?;
    Ok(row.number("found")? >= ROWS_MAX)
}
