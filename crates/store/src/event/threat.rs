//! What the threat score of a source is made of: its events of a span by method and submethod, and the tactics they
//! stand for. Events that somebody called false do not count.

use std::collections::BTreeMap;

use super::read::priority;
use super::sql::{Columns, Sql};
use super::{EventStore, Filter, StoreError};

/// Rows read for all sources together: a thousand sources with many methods each.
const ROWS_MAX: i64 = 20_000;

/// Events of one source, method and submethod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEvents {
    pub method: String,
    pub submethod: String,
    pub events: i64,
    /// The highest: 0 informational to 4 critical.
    pub priority: i64,
    /// The highest, 0 to 100.
    pub probability: i64,
    /// The most targets of one event.
    pub targets: i64,
    /// The latest update, nanoseconds since 1970.
    pub last_ns: i64,
}

/// What events say about one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceThreat {
    /// By method and submethod.
    pub events: Vec<SourceEvents>,
    /// ATT&CK, sorted.
    pub tactics: Vec<String>,
}

/// What events of one method say about one of their targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetEvents {
    pub ip: String,
    pub method: String,
    pub events: i64,
    /// The highest, 0 to 100.
    pub risk: i64,
    /// The highest.
    pub priority: &'static str,
}

impl EventStore {
    /// What events of the filter say about their targets, by address and method, the highest risk first; `limit` lines
    /// at most.
    pub async fn targeted(&self, filter: &Filter, limit: u32) -> Result<Vec<TargetEvents>, StoreError> {
        let filter = Filter {
            false_positive: Some(false),
            ..filter.clone()
        };
        let mut sql = Sql::new(
            "SELECT tt.ip AS ip, method, count(DISTINCT events.id) AS events, max(risk) AS risk, \
             max(priority) AS priority",
        );
        filter.add_from(&mut sql);
        sql.push(" JOIN event_targets tt ON tt.event_id = events.id");
        filter.add(&mut sql);
        sql.push(" AND tt.ip IS NOT NULL GROUP BY tt.ip, method ORDER BY 4 DESC, 3 DESC, 1, 2 LIMIT ")
            .bind(i64::from(limit));
        let found = sql.query().fetch_all(&self.pool).await?;
        let lines = found.iter().map(|row| {
            Ok(TargetEvents {
                ip: row.text("ip")?,
                method: row.text("method")?,
                events: row.number("events")?,
                risk: row.number("risk")?,
                priority: priority(row.number("priority")?),
            })
        });
        lines.collect()
    }

    /// What events of the filter say about their sources, by address. Where there are more than 20,000 groups, those
    /// of the highest priority.
    pub async fn threats(&self, filter: &Filter) -> Result<BTreeMap<String, SourceThreat>, StoreError> {
        let filter = Filter {
            false_positive: Some(false),
            ..filter.clone()
        };
        let mut threats: BTreeMap<String, SourceThreat> = BTreeMap::new();
        let mut sql = Sql::new(
            "SELECT source_ip, method, submethod, count(*) AS events, max(priority) AS priority, \
             max(probability) AS probability, max(target_count) AS targets, max(last_update_ns) AS last_ns",
        );
        filter.add_from(&mut sql);
        filter.add(&mut sql);
        sql.push(
            " AND source_ip IS NOT NULL GROUP BY source_ip, method, submethod \
             ORDER BY 5 DESC, 1, 2, 3 LIMIT ",
        );
        sql.bind(ROWS_MAX);
        for row in sql.query().fetch_all(&self.pool).await? {
            let events = &mut threats.entry(row.text("source_ip")?).or_default().events;
            events.push(SourceEvents {
                method: row.text("method")?,
                submethod: row.text("submethod")?,
                events: row.number("events")?,
                priority: row.number("priority")?,
                probability: row.number("probability")?,
                targets: row.number("targets")?,
                last_ns: row.number("last_ns")?,
            });
        }
        let mut sql = Sql::new("SELECT DISTINCT source_ip, ta.tactic AS tactic");
        filter.add_from(&mut sql);
        sql.push(" JOIN event_attack ta ON ta.event_id = events.id");
        filter.add(&mut sql);
        sql.push(" AND source_ip IS NOT NULL ORDER BY 1, 2 LIMIT ")
            .bind(ROWS_MAX);
        for row in sql.query().fetch_all(&self.pool).await? {
            if let Some(threat) = threats.get_mut(&row.text("source_ip")?) {
                threat.tactics.push(row.text("tactic")?);
            }
        }
        Ok(threats)
    }
}
