//! Rules of false positives in the database: kept, counted, asked about stored events, and taken back with every mark
//! they made.

use std::net::IpAddr;

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use weir_model::{Conditions, FalsePositiveRule, Mac, Suspect, Target, Time};

use super::audit::{Trail, stamp};
use super::read::{ROW, row};
use super::sql::{Columns, Sql};
use super::{EventStore, Filter, Row, StoreError};

/// Rules of a site; people cannot oversee more, and every finding is asked about each.
const RULES_MAX: i64 = 1000;
/// Stored events one preview looks at, latest first; and those a rule marks.
const LOOKED_MAX: usize = 20_000;
/// Events looked at together.
const PAGE: usize = 500;
/// Bytes of a note.
const NOTE_BYTES_MAX: usize = 2000;

/// A rule as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRule {
    pub rule: FalsePositiveRule,
    /// Findings it hid.
    pub hits: i64,
    /// When the last of those was detected.
    pub last_hit: Option<Time>,
    /// Stored events that carry its mark.
    pub marked: i64,
}

/// Stored events that conditions fit.
#[derive(Clone, Debug, Default)]
pub struct Fitting {
    /// Latest first.
    pub events: Vec<Row>,
    /// Were all events of the filter looked at?
    pub whole: bool,
}

impl EventStore {
    /// Stored events of the filter that fit; of more than 20,000 only the latest are looked at.
    pub async fn fitting(&self, conditions: &Conditions, filter: &Filter) -> Result<Fitting, StoreError> {
        let filter = narrowed(conditions, filter.clone());
        let mut fitting = Fitting::default();
        let (mut looked, mut last) = (0, None::<(i64, String)>);
        loop {
            let mut sql = Sql::new(ROW);
            filter.add_from(&mut sql);
            filter.add(&mut sql);
            if let Some((detected, id)) = last {
                sql.push(" AND (detected_ns, id) < (").bind(detected);
                sql.push(", ").bind(id).push(")");
            }
            sql.push(" ORDER BY detected_ns DESC, id DESC LIMIT ")
                .bind(PAGE as i64);
            let found = sql.query().fetch_all(&self.pool).await?;
            let targets = self.targets(&found).await?;
            for (one, targets) in found.iter().zip(&targets) {
                if conditions.fit(&Suspect {
                    method: &one.text("method")?,
                    submethod: &one.text("submethod")?,
                    instance: &one.text("instance")?,
                    feed: &one.text("feed")?,
                    source: parsed::<IpAddr>(one.maybe_text("source_ip")?),
                    mac: parsed::<Mac>(one.maybe_text("source_mac")?),
                    targets,
                    target_count: one.number("target_count")?.unsigned_abs(),
                }) {
                    fitting.events.push(row(one)?);
                }
            }
            looked += found.len();
            last = match found.last() {
                Some(one) => Some((one.number("detected_ns")?, one.text("id")?)),
                None => None,
            };
            fitting.whole = found.len() < PAGE;
            if fitting.whole || looked >= LOOKED_MAX {
                self.add_labels(&mut fitting.events).await?;
                return Ok(fitting);
            }
        }
    }

    /// The targets of each of these events.
    async fn targets(&self, events: &[AnyRow]) -> Result<Vec<Vec<Target>>, StoreError> {
        let mut targets = vec![Vec::new(); events.len()];
        if events.is_empty() {
            return Ok(targets);
        }
        let ids = events.iter().map(|one| one.text("id"));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let mut sql = Sql::new("SELECT event_id, ip, mac, port FROM event_targets WHERE event_id IN (");
        sql.list(ids.iter().cloned()).push(")");
        for found in sql.query().fetch_all(&self.pool).await? {
            let id = found.text("event_id")?;
            if let Some(at) = ids.iter().position(|known| *known == id) {
                targets[at].push(Target {
                    ip: parsed(found.maybe_text("ip")?),
                    mac: parsed(found.maybe_text("mac")?),
                    port: found
                        .maybe_number("port")?
                        .and_then(|port| u16::try_from(port).ok()),
                });
            }
        }
        Ok(targets)
    }

    /// The rules of a site, or of all, in the order of creation.
    pub async fn rules(&self, site: Option<&str>) -> Result<Vec<KeptRule>, StoreError> {
        let mut sql = Sql::new(
            "SELECT id, site, author, created_ns, expires_ns, note, conditions, hits, last_hit_ns, \
             (SELECT count(*) FROM event_false_positives m WHERE m.rule_id = false_positive_rules.id) AS marked \
             FROM false_positive_rules",
        );
        if let Some(site) = site {
            sql.push(" WHERE site = ").bind(site.to_owned());
        }
        sql.push(" ORDER BY created_ns, id");
        let found = sql.query().fetch_all(&self.pool).await?;
        found.iter().map(kept).collect()
    }

    /// Keeps a rule and marks these stored events as false; what somebody marked already stays as it is. Returns how
    /// many were marked.
    pub async fn add_rule(&self, rule: &FalsePositiveRule, mark: &[String]) -> Result<u64, StoreError> {
        if rule.note.len() > NOTE_BYTES_MAX {
            return Err(StoreError::TooLong {
                what: "note",
                limit: NOTE_BYTES_MAX,
                found: rule.note.len(),
            });
        }
        let conditions = serde_json::to_string(&rule.conditions).unwrap_or_default();
        let mut transaction = self.writing().await?;
        let mut count = Sql::new("SELECT count(*) AS found FROM false_positive_rules WHERE site = ");
        count.bind(rule.site.clone());
        if count
            .query()
            .fetch_one(&mut *transaction)
            .await?
            .number("found")?
            >= RULES_MAX
        {
            return Err(StoreError::Full {
                what: "rules",
                limit: RULES_MAX,
            });
        }
        let note = rule.note.replace('\0', "\u{fffd}");
        let mut sql = Sql::new(
            "INSERT INTO false_positive_rules (id, site, author, created, note, conditions, created_ns, expires, \
             expires_ns) VALUES (",
        );
        sql.list([
            &*rule.id,
            &rule.site,
            &rule.author,
            &stamp(rule.created),
            &note,
            &conditions,
        ]);
        sql.push(", ").bind(rule.created.0);
        sql.push(", ").bind(rule.expires.map(stamp));
        sql.push(", ").bind(rule.expires.map(|time| time.0)).push(")");
        sql.query().execute(&mut *transaction).await?;
        let mut marked = 0;
        for id in mark {
            marked += u64::from(mark_one(&mut transaction, rule, &note, id).await?);
        }
        let detail = format!("{conditions}; {marked} stored events marked; {note}");
        Trail::of(&mut transaction, self.postgres)
            .await?
            .add(
                rule.created,
                &rule.author,
                "add false positive rule",
                &rule.id,
                &detail,
            )
            .await?;
        transaction.commit().await?;
        Ok(marked)
    }

    /// Removes a rule of a site; with `unmark` also the marks it made. Returns how many marks were taken off.
    pub async fn remove_rule(
        &self,
        site: &str,
        id: &str,
        unmark: bool,
        actor: &str,
        at: Time,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.writing().await?;
        let mut sql = Sql::new("DELETE FROM false_positive_rules WHERE id = ");
        sql.bind(id.to_owned()).push(" AND site = ").bind(site.to_owned());
        if sql.query().execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(StoreError::NoSuch {
                what: "rule",
                id: id.to_owned(),
            });
        }
        let mut unmarked = 0;
        if unmark {
            let mut sql = Sql::new(
                "UPDATE events SET false_positive = 0 WHERE id IN \
                 (SELECT event_id FROM event_false_positives WHERE rule_id = ",
            );
            sql.bind(id.to_owned()).push(")");
            unmarked = sql.query().execute(&mut *transaction).await?.rows_affected();
            let mut sql = Sql::new("DELETE FROM event_false_positives WHERE rule_id = ");
            sql.bind(id.to_owned());
            sql.query().execute(&mut *transaction).await?;
        }
        let detail = format!("{unmarked} marks taken off");
        Trail::of(&mut transaction, self.postgres)
            .await?
            .add(at, actor, "remove false positive rule", id, &detail)
            .await?;
        transaction.commit().await?;
        Ok(unmarked)
    }

    /// Adds to what a rule hid; a rule that is gone counts nothing.
    pub async fn count_hidden(&self, rule: &str, hits: u64, last: Time) -> Result<(), StoreError> {
        let mut sql = Sql::new("UPDATE false_positive_rules SET hits = hits + ");
        sql.bind(i64::try_from(hits).unwrap_or(i64::MAX));
        sql.push(", last_hit_ns = ").bind(last.0);
        sql.push(" WHERE id = ").bind(rule.to_owned());
        sql.query().execute(&self.pool).await?;
        Ok(())
    }
}

/// Marks an event as the rule's; not when it is marked already, or not of the rule's site.
async fn mark_one(
    transaction: &mut Transaction<'_, Any>,
    rule: &FalsePositiveRule,
    note: &str,
    id: &str,
) -> Result<bool, StoreError> {
    let mut sql =
        Sql::new("INSERT INTO event_false_positives (event_id, author, at, note, rule_id) SELECT id, ");
    sql.list([&*rule.author, &stamp(rule.created), note, &rule.id]);
    sql.push(" FROM events WHERE id = ").bind(id.to_owned());
    sql.push(" AND site = ").bind(rule.site.clone());
    sql.push(" ON CONFLICT (event_id) DO NOTHING");
    if sql.query().execute(&mut **transaction).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let mut sql = Sql::new("UPDATE events SET false_positive = 1 WHERE id = ");
    sql.bind(id.to_owned());
    sql.query().execute(&mut **transaction).await?;
    Ok(true)
}

/// What of the conditions the database can ask by itself; the rest is asked of each event.
fn narrowed(conditions: &Conditions, filter: Filter) -> Filter {
    let methods = conditions.methods.iter();
    let methods: Vec<String> = methods
        .map(|name| name.split('.').next().unwrap_or_default().to_owned())
        .collect();
    let pick = |asked: Vec<String>, of_rule: Vec<String>| if asked.is_empty() { of_rule } else { asked };
    Filter {
        methods: pick(filter.methods, methods),
        feeds: pick(filter.feeds, conditions.feeds.clone()),
        ..filter
    }
}

fn kept(row: &AnyRow) -> Result<KeptRule, StoreError> {
    Ok(KeptRule {
        rule: FalsePositiveRule {
            id: row.text("id")?,
            site: row.text("site")?,
            // Written by this program; what another wrote there hides nothing.
            conditions: serde_json::from_str(&row.text("conditions")?).unwrap_or_else(|_| Conditions {
                methods: vec![String::new()],
                ..Conditions::default()
            }),
            author: row.text("author")?,
            created: Time(row.number("created_ns")?),
            expires: row.maybe_number("expires_ns")?.map(Time),
            note: row.text("note")?,
        },
        hits: row.number("hits")?,
        last_hit: row.maybe_number("last_hit_ns")?.map(Time),
        marked: row.number("marked")?,
    })
}

fn parsed<T: std::str::FromStr>(text: Option<String>) -> Option<T> {
    text?.parse().ok()
}
