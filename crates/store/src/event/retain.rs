//! How long events are kept: by age, by number, never those somebody pinned. What goes is written in the audit trail.

use weir_model::Time;

use super::audit::Trail;
use super::sql::{Columns, Sql};
use super::{EventStore, StoreError};

/// Events removed in one transaction, so that writing never waits for long.
const CHUNK: i64 = 500;

/// What may go; both may be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Last updated before this, nanoseconds since 1970.
    pub updated_before_ns: Option<i64>,
    /// More than this many events: those longest without an update.
    pub events_max: Option<i64>,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    pub removed: i64,
    /// Events beyond the limits that stay because they are pinned.
    pub pinned: i64,
}

impl EventStore {
    /// Removes what may go, oldest update first.
    pub async fn retain(&self, retention: Retention, actor: &str, at: Time) -> Result<Retired, StoreError> {
        let mut retired = Retired::default();
        if let Some(before) = retention.updated_before_ns {
            loop {
                let removed = self.remove_some(before, CHUNK, actor, at).await?;
                retired.removed += removed;
                if removed < CHUNK {
                    break;
                }
            }
            let mut sql =
                Sql::new("SELECT count(*) AS kept FROM events WHERE pinned = 1 AND last_update_ns < ");
            sql.bind(before);
            retired.pinned = sql.query().fetch_one(&self.pool).await?.number("kept")?;
        }
        if let Some(most) = retention.events_max {
            let total = Sql::new("SELECT count(*) AS events FROM events").query();
            let mut excess = total.fetch_one(&self.pool).await?.number("events")? - most.max(0);
            while excess > 0 {
                let removed = self.remove_some(i64::MAX, excess.min(CHUNK), actor, at).await?;
                if removed == 0 {
                    retired.pinned = retired.pinned.max(excess);
                    break;
                }
                retired.removed += removed;
                excess -= removed;
            }
        }
        Ok(retired)
    }

    async fn remove_some(&self, before_ns: i64, most: i64, actor: &str, at: Time) -> Result<i64, StoreError> {
        let mut transaction = self.writing().await?;
        let mut sql = Sql::new(
            "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE pinned = 0 AND last_update_ns < ",
        );
        sql.bind(before_ns)
            .push(" ORDER BY last_update_ns, id LIMIT ")
            .bind(most)
            .push(")");
        let gone = sql.query().execute(&mut *transaction).await?.rows_affected();
        let removed = i64::try_from(gone).unwrap_or(i64::MAX);
        if removed > 0 {
            let mut trail = Trail::of(&mut transaction, self.postgres).await?;
            let detail = format!("{removed} events");
            trail.add(at, actor, "retention", "events", &detail).await?;
        }
        transaction.commit().await?;
        Ok(removed)
    }
}
