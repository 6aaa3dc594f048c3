//! Searches people keep, for themselves or for everybody of their site.

use weir_model::Time;

use super::audit::stamp;
use super::sql::{Columns, Sql};
use super::{EventStore, StoreError};

/// Searches of one owner.
const SEARCHES_MAX: i64 = 500;
/// Searches in a list: one's own and those of others.
const LIST_MAX: i64 = 2000;
/// Bytes of name and query.
const NAME_BYTES_MAX: usize = 200;
const QUERY_BYTES_MAX: usize = 16 << 10;

/// A search somebody kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSearch {
    pub id: String,
    pub site: String,
    pub owner: String,
    /// `flows`, `events`, `hosts`.
    pub kind: String,
    pub name: String,
    /// JSON text.
    pub query: String,
    /// For everybody of the site.
    pub shared: bool,
    pub changed: Time,
}

impl EventStore {
    /// Searches of the site that this owner may see, by name.
    pub async fn searches(&self, site: &str, owner: &str) -> Result<Vec<SavedSearch>, StoreError> {
        let mut sql = Sql::new("SELECT * FROM saved_searches WHERE site = ");
        sql.bind(site.to_owned()).push(" AND (shared = 1 OR owner = ");
        sql.bind(owner.to_owned())
            .push(") ORDER BY name, id LIMIT ")
            .bind(LIST_MAX);
        let rows = sql.query().fetch_all(&self.pool).await?;
        let searches = rows.iter().map(|row| {
            Ok(SavedSearch {
                id: row.text("id")?,
                site: row.text("site")?,
                owner: row.text("owner")?,
                kind: row.text("kind")?,
                name: row.text("name")?,
                query: row.text("query")?,
                shared: row.number("shared")? != 0,
                changed: Time(row.number("changed_ns")?),
            })
        });
        searches.collect()
    }

    /// Keeps a search, or replaces the one of this id where it is the same owner's.
    pub async fn keep_search(&self, search: &SavedSearch) -> Result<(), StoreError> {
        for (what, text, limit) in [
            ("name", &search.name, NAME_BYTES_MAX),
            ("query", &search.query, QUERY_BYTES_MAX),
        ] {
            if text.len() > limit {
                return Err(StoreError::TooLong {
                    what,
                    limit,
                    found: text.len(),
                });
            }
        }
        let plain = |text: &str| text.replace('\0', "\u{fffd}");
        let mut transaction = self.writing().await?;
        let mut count = Sql::new("SELECT count(*) AS found FROM saved_searches WHERE site = ");
        count
            .bind(search.site.clone())
            .push(" AND owner = ")
            .bind(search.owner.clone());
        count.push(" AND id <> ").bind(search.id.clone());
        if count
            .query()
            .fetch_one(&mut *transaction)
            .await?
            .number("found")?
            >= SEARCHES_MAX
        {
            return Err(StoreError::Full {
                what: "saved searches",
                limit: SEARCHES_MAX,
            });
        }
        let mut sql = Sql::new(
            "INSERT INTO saved_searches (id, site, owner, kind, name, query, changed, shared, changed_ns) VALUES (",
        );
        sql.list([
            &*search.id,
            &search.site,
            &search.owner,
            &search.kind,
            &plain(&search.name),
            &plain(&search.query),
            &stamp(search.changed),
        ]);
        sql.push(", ").bind(i64::from(search.shared));
        sql.push(", ").bind(search.changed.0);
        sql.push(
            ") ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, query = excluded.query, \
             shared = excluded.shared, changed = excluded.changed, changed_ns = excluded.changed_ns \
             WHERE saved_searches.site = excluded.site AND saved_searches.owner = excluded.owner",
        );
        let kept = sql.query().execute(&mut *transaction).await?.rows_affected();
        transaction.commit().await?;
        if kept == 0 {
            return Err(no_such(&search.id));
        }
        Ok(())
    }

    /// Forgets a search of this owner.
    pub async fn forget_search(&self, site: &str, owner: &str, id: &str) -> Result<(), StoreError> {
        let mut sql = Sql::new("DELETE FROM saved_searches WHERE site = ");
        sql.bind(site.to_owned())
            .push(" AND owner = ")
            .bind(owner.to_owned());
        sql.push(" AND id = ").bind(id.to_owned());
        match sql.query().execute(&self.pool).await?.rows_affected() {
            0 => Err(no_such(id)),
            _ => Ok(()),
        }
    }
}

fn no_such(id: &str) -> StoreError {
    StoreError::NoSuch {
        what: "saved search of yours",
        id: id.to_owned(),
    }
}
