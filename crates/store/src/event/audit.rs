//! Who did what to events, in a chain: each entry carries the hash of the one before, so that changing or taking out an
//! entry shows. Cutting off the newest entries shows only to who noted the head elsewhere; `verify` takes it.

use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use weir_model::Time;

use super::sql::{Columns, Sql};
use super::{EventStore, StoreError};

/// Entries read at a time while the chain is checked.
const PAGE: i64 = 1000;
/// What the first entry names as the hash before it.
const GENESIS: &str = "weir audit trail";

/// An entry of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    pub seq: i64,
    pub at: String,
    pub actor: String,
    pub action: String,
    /// Id of the event, or what else it was done to.
    pub subject: String,
    pub detail: String,
    pub previous: String,
    pub hash: String,
}

/// What a check of the chain says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Entries that follow from one another, from the first.
    pub entries: i64,
    /// Hash of the last of them. Note it where nobody with access to the database can change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The first place where the chain breaks, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Was the head that was asked for met on the way? Always true when none was.
    pub head_found: bool,
}

impl Chain {
    /// Does it hold, and reach the head that was asked for?
    pub fn holds(&self) -> bool {
        self.broken.is_none() && self.head_found
    }
}

impl AuditEntry {
    fn computed(&self) -> String {
        let mut hash = Sha256::new();
        let Self {
            seq,
            at,
            actor,
            action,
            subject,
            detail,
            previous,
            hash: _,
        } = self;
        for field in [&seq.to_string(), at, actor, action, subject, detail, previous] {
            // The length first, or words could move from one field to the next unseen.
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field.as_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn read(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: row.number("seq")?,
            at: row.text("at")?,
            actor: row.text("actor")?,
            action: row.text("action")?,
            subject: row.text("subject")?,
            detail: row.text("detail")?,
            previous: row.text("previous")?,
            hash: row.text("hash")?,
        })
    }
}

/// The trail, ready to be added to within a transaction.
pub(super) struct Trail<'a> {
    transaction: &'a mut Transaction<'static, Any>,
    seq: i64,
    previous: String,
}

impl<'a> Trail<'a> {
    /// Nobody else can add until the transaction ends.
    pub(super) async fn of(
        transaction: &'a mut Transaction<'static, Any>,
        postgres: bool,
    ) -> Result<Self, sqlx::Error> {
        if postgres {
            let lock = Sql::new("LOCK TABLE audit_trail IN EXCLUSIVE MODE");
            lock.query().execute(&mut **transaction).await?;
        }
        let last = Sql::new("SELECT seq, hash FROM audit_trail ORDER BY seq DESC LIMIT 1");
        let last = last.query().fetch_optional(&mut **transaction).await?;
        let (seq, previous) = match last {
            Some(row) => (row.number("seq")? + 1, row.text("hash")?),
            None => (1, GENESIS.to_owned()),
        };
        Ok(Self {
            transaction,
            seq,
            previous,
        })
    }

    /// Adds an entry.
    pub(super) async fn add(
        &mut self,
        at: Time,
        actor: &str,
        action: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), sqlx::Error> {
        let mut entry = AuditEntry {
            seq: self.seq,
            at: stamp(at),
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: detail.to_owned(),
            previous: self.previous.clone(),
            hash: String::new(),
        };
        entry.hash = entry.computed();
        let mut sql = Sql::new(
            "INSERT INTO audit_trail (seq, at, actor, action, subject, detail, previous, hash) VALUES (",
        );
        sql.bind(entry.seq).push(", ");
        sql.list([
            &*entry.at,
            &entry.actor,
            &entry.action,
            &entry.subject,
            &entry.detail,
            &entry.previous,
            &entry.hash,
        ]);
        sql.push(")");
        sql.query().execute(&mut **self.transaction).await?;
        self.seq += 1;
        self.previous = entry.hash;
        Ok(())
    }
}

impl EventStore {
    /// Adds an entry about something else than an event: a log-in, a user, a setting.
    pub async fn note(
        &self,
        at: Time,
        actor: &str,
        action: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        let plain = |text: &str| text.replace('\0', "\u{fffd}");
        let mut transaction = self.writing().await?;
        let mut trail = Trail::of(&mut transaction, self.postgres).await?;
        trail
            .add(at, &plain(actor), action, &plain(subject), &plain(detail))
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The latest entries, newest first; of one subject when it is given.
    pub async fn audit(&self, subject: Option<&str>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let mut sql = Sql::new("SELECT * FROM audit_trail");
        if let Some(subject) = subject {
            sql.push(" WHERE subject = ").bind(subject.to_owned());
        }
        sql.push(" ORDER BY seq DESC LIMIT ").bind(i64::from(limit));
        let rows = sql.query().fetch_all(&self.pool).await?;
        Ok(rows.iter().map(AuditEntry::read).collect::<Result<_, _>>()?)
    }

    /// Computes the chain anew from its first entry. With `head`, a hash noted earlier must occur in it.
    pub async fn verify_audit(&self, head: Option<&str>) -> Result<Chain, StoreError> {
        let mut chain = Chain {
            head_found: head.is_none(),
            ..Chain::default()
        };
        let mut previous = GENESIS.to_owned();
        loop {
            let mut sql = Sql::new("SELECT * FROM audit_trail WHERE seq > ");
            sql.bind(chain.entries).push(" ORDER BY seq LIMIT ").bind(PAGE);
            let rows = sql.query().fetch_all(&self.pool).await?;
            for row in &rows {
                let entry = AuditEntry::read(row)?;
                let expected = chain.entries + 1;
                chain.broken = if entry.seq != expected {
                    Some(format!("entry {expected} is missing"))
                } else if entry.previous != previous {
                    Some(format!("entry {expected} does not follow the one before it"))
                } else if entry.computed() != entry.hash {
                    Some(format!("entry {expected} was changed"))
                } else {
                    None
                };
                if chain.broken.is_some() {
                    return Ok(chain);
                }
                chain.entries = entry.seq;
                chain.head_found |= head == Some(&*entry.hash);
                chain.head = Some(entry.hash.clone());
                previous = entry.hash;
            }
            if (rows.len() as i64) < PAGE {
                return Ok(chain);
            }
        }
    }
}

/// RFC 3339 in UTC; a moment no calendar has stands as seconds.
pub(super) fn stamp(at: Time) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0))
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| at.to_string())
}
