//! Perspectives in the database: kept, changed, chosen, and tried over what is stored.

use sqlx::any::AnyRow;
use weir_model::{Perspective, Priority, Seen, Time};

use super::audit::{Trail, stamp};
use super::lens::{HIDDEN, Lens};
use super::sql::{Columns, Sql};
use super::{EventStore, StoreError};

/// Perspectives of a site: people choose from a list, and nobody oversees more.
const PERSPECTIVES_MAX: i64 = 100;
/// Bytes of one as it is kept: its bounds allow more than anybody writes.
const DOCUMENT_BYTES_MAX: usize = 64 << 10;
/// Bytes of one in the audit trail.
const AUDIT_BYTES: usize = 4000;
/// People of a site whose choice is kept; more than a site has.
const CHOICES_MAX: i64 = 10_000;

/// A perspective as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPerspective {
    pub perspective: Perspective,
    pub site: String,
    /// Who changed it last.
    pub author: String,
    pub changed: Time,
    /// How often it was written.
    pub version: i64,
}

/// What a perspective makes of stored events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events by the priority they are seen with, from informational.
    pub seen: [i64; 5],
    pub hidden: i64,
    /// The same events by the priority their methods gave them.
    pub own: [i64; 5],
    /// What each rule did, in the order of the perspective.
    pub rules: Vec<RuleTally>,
    /// Events that no rule fits.
    pub otherwise: i64,
}

/// What a rule did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleTally {
    /// Events it fits.
    pub fits: i64,
    /// Of those, events it decides about: no stronger rule fits, nor an equal one before it.
    pub takes: i64,
}

impl EventStore {
    /// The perspectives of a site, or of all, by name. The built-in one is not among them.
    pub async fn perspectives(&self, site: Option<&str>) -> Result<Vec<KeptPerspective>, StoreError> {
        let mut sql = Sql::new(KEPT);
        if let Some(site) = site {
            sql.push(" WHERE site = ").bind(site.to_owned());
        }
        sql.push(" ORDER BY name, site");
        let found = sql.query().fetch_all(&self.pool).await?;
        found.iter().map(kept).collect()
    }

    /// One perspective of a site.
    pub async fn perspective(&self, site: &str, name: &str) -> Result<KeptPerspective, StoreError> {
        let mut sql = Sql::new(KEPT);
        sql.push(" WHERE site = ").bind(site.to_owned());
        sql.push(" AND name = ").bind(name.to_owned());
        match sql.query().fetch_optional(&self.pool).await? {
            Some(row) => kept(&row),
            None => Err(no_such(name)),
        }
    }

    /// Keeps a perspective, in the place of one of the same name. `seen`: the version that was looked at before, 0 for
    /// none; when it is another by now, nothing changes. Returns the version it has.
    pub async fn keep_perspective(
        &self,
        site: &str,
        perspective: &Perspective,
        seen: Option<i64>,
        actor: &str,
        at: Time,
    ) -> Result<i64, StoreError> {
        let document = serde_json::to_string(perspective)
            .unwrap_or_default()
            .replace("\\u0000", "\\ufffd");
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(StoreError::TooLong {
                what: "perspective",
                limit: DOCUMENT_BYTES_MAX,
                found: document.len(),
            });
        }
        let name = &perspective.name;
        let mut transaction = self.writing().await?;
        let mut sql = Sql::new("SELECT version FROM perspectives WHERE site = ");
        sql.bind(site.to_owned()).push(" AND name = ").bind(name.clone());
        let now = match sql.query().fetch_optional(&mut *transaction).await? {
            Some(row) => row.number("version")?,
            None => 0,
        };
        if let Some(version) = seen.filter(|seen| *seen != now).map(|_| now) {
            return Err(StoreError::Changed {
                what: "perspective",
                id: name.clone(),
                version,
            });
        }
        if now == 0 {
            let mut sql = Sql::new("SELECT count(*) AS found FROM perspectives WHERE site = ");
            sql.bind(site.to_owned());
            let found = sql.query().fetch_one(&mut *transaction).await?.number("found")?;
            if found >= PERSPECTIVES_MAX {
                return Err(StoreError::Full {
                    what: "perspectives",
                    limit: PERSPECTIVES_MAX,
                });
            }
        }
        let mut sql = Sql::new(
            "INSERT INTO perspectives (site, name, title, document, author, changed, changed_ns, version) VALUES (",
        );
        let title = perspective.title.replace('\0', "\u{fffd}");
        sql.list([site, name, &title, &document, actor, &stamp(at)]);
        sql.push(", ").list([at.0, now + 1]).push(
            ") ON CONFLICT (site, name) DO UPDATE SET title = excluded.title, document = excluded.document, \
             author = excluded.author, changed = excluded.changed, changed_ns = excluded.changed_ns, \
             version = excluded.version",
        );
        sql.query().execute(&mut *transaction).await?;
        let action = if now == 0 {
            "add perspective"
        } else {
            "change perspective"
        };
        let told = &document[..document.floor_char_boundary(AUDIT_BYTES)];
        Trail::of(&mut transaction, self.postgres)
            .await?
            .add(at, actor, action, name, told)
            .await?;
        transaction.commit().await?;
        Ok(now + 1)
    }

    /// Removes a perspective; whoever looked through it looks through the built-in one again.
    pub async fn remove_perspective(
        &self,
        site: &str,
        name: &str,
        actor: &str,
        at: Time,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writing().await?;
        let mut choices = 0;
        for table in ["perspectives", "perspective_choices"] {
            let mut sql = Sql::new("DELETE FROM ");
            sql.push(table).push(" WHERE site = ").bind(site.to_owned());
            sql.push(" AND name = ").bind(name.to_owned());
            choices = sql.query().execute(&mut *transaction).await?.rows_affected();
            if table == "perspectives" && choices == 0 {
                return Err(no_such(name));
            }
        }
        let detail = format!("{choices} people had chosen it");
        Trail::of(&mut transaction, self.postgres)
            .await?
            .add(at, actor, "remove perspective", name, &detail)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The name of the perspective somebody chose.
    pub async fn chosen_perspective(&self, site: &str, owner: &str) -> Result<Option<String>, StoreError> {
        let mut sql = Sql::new("SELECT name FROM perspective_choices WHERE site = ");
        sql.bind(site.to_owned())
            .push(" AND owner = ")
            .bind(owner.to_owned());
        let found = sql.query().fetch_optional(&self.pool).await?;
        Ok(found.map(|row| row.text("name")).transpose()?)
    }

    /// Remembers what somebody chose; `None`: the built-in one.
    pub async fn choose_perspective(
        &self,
        site: &str,
        owner: &str,
        name: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writing().await?;
        let mut sql = Sql::new("DELETE FROM perspective_choices WHERE site = ");
        sql.bind(site.to_owned())
            .push(" AND owner = ")
            .bind(owner.to_owned());
        sql.query().execute(&mut *transaction).await?;
        if let Some(name) = name {
            let mut sql = Sql::new("SELECT count(*) AS found FROM perspective_choices WHERE site = ");
            sql.bind(site.to_owned());
            let found = sql.query().fetch_one(&mut *transaction).await?.number("found")?;
            if found >= CHOICES_MAX {
                return Err(StoreError::Full {
                    what: "choices of perspectives",
                    limit: CHOICES_MAX,
                });
            }
            let mut sql = Sql::new("INSERT INTO perspective_choices (site, owner, name) SELECT site, ");
            sql.bind(owner.to_owned())
                .push(", name FROM perspectives WHERE site = ");
            sql.bind(site.to_owned())
                .push(" AND name = ")
                .bind(name.to_owned());
            if sql.query().execute(&mut *transaction).await?.rows_affected() == 0 {
                return Err(no_such(name));
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// What a perspective makes of the events detected from `since` until `until`.
    pub async fn tally(&self, lens: &Lens, since: Time, until: Time) -> Result<Tally, StoreError> {
        let within = |sql: &mut Sql| {
            sql.push(" FROM events e WHERE e.detected_ns >= ").bind(since.0);
            sql.push(" AND e.detected_ns < ").bind(until.0);
        };
        let mut tally = Tally {
            rules: vec![RuleTally::default(); lens.len()],
            ..Tally::default()
        };
        let mut sql = Sql::new("SELECT ");
        lens.add_winner(&mut sql);
        sql.push(" AS winner, ");
        lens.add_priority(&mut sql);
        sql.push(" AS seen, e.priority AS own, count(*) AS events");
        within(&mut sql);
        sql.push(" GROUP BY 1, 2, 3");
        for row in sql.query().fetch_all(&self.pool).await? {
            let events = row.number("events")?;
            let (winner, seen, own) = (row.number("winner")?, row.number("seen")?, row.number("own")?);
            match usize::try_from(winner)
                .ok()
                .and_then(|at| tally.rules.get_mut(at))
            {
                Some(rule) => rule.takes += events,
                None => tally.otherwise += events,
            }
            match seen {
                HIDDEN => tally.hidden += events,
                seen => *place(&mut tally.seen, seen) += events,
            }
            *place(&mut tally.own, own) += events;
        }
        let mut sql = Sql::new("SELECT count(*) AS events");
        lens.add_fits(&mut sql);
        within(&mut sql);
        let row = sql.query().fetch_one(&self.pool).await?;
        for (at, rule) in tally.rules.iter_mut().enumerate() {
            rule.fits = row.number(&format!("fits_{at}"))?;
        }
        Ok(tally)
    }

    /// How the event with this full id is seen.
    pub async fn seen(&self, id: &str, lens: &Lens) -> Result<Seen, StoreError> {
        let mut sql = Sql::new("SELECT ");
        lens.add_priority(&mut sql);
        sql.push(" AS seen FROM events e WHERE e.id = ")
            .bind(id.to_owned());
        let Some(row) = sql.query().fetch_optional(&self.pool).await? else {
            return Err(StoreError::Unknown(id.to_owned()));
        };
        Ok(match row.number("seen")? {
            HIDDEN => Seen::Hidden,
            seen => Priority::from_word(super::read::priority(seen)).map_or(Seen::Own, Seen::As),
        })
    }
}

const KEPT: &str = "SELECT site, document, author, changed_ns, version FROM perspectives";

fn kept(row: &AnyRow) -> Result<KeptPerspective, StoreError> {
    let document = row.text("document")?;
    let read = serde_json::from_str(&document);
    Ok(KeptPerspective {
        perspective: read.map_err(|error| StoreError::Database(sqlx::Error::Decode(Box::new(error))))?,
        site: row.text("site")?,
        author: row.text("author")?,
        changed: Time(row.number("changed_ns")?),
        version: row.number("version")?,
    })
}

fn place(counts: &mut [i64; 5], priority: i64) -> &mut i64 {
    let last = counts.len() as i64 - 1;
    &mut counts[priority.clamp(0, last) as usize]
}

fn no_such(name: &str) -> StoreError {
    StoreError::NoSuch {
        what: "perspective",
        id: name.to_owned(),
    }
}
