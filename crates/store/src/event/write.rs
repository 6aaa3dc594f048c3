//! Storing events: each by its id, as often as wanted. A later state of an event replaces an earlier one, never the
//! other way round, and what people added stays.

use sqlx::{Any, Transaction};

use super::record::{EventRecord, key_of};
use super::sql::Sql;
use super::{EventStore, StoreError};

/// Rows in one statement: 15 columns of them stay far below the 32,766 values SQLite takes.
const ROWS_PER_STATEMENT: usize = 100;

/// Columns of the pipeline, in the order [`columns`] binds them.
const COLUMNS: &[&str] = &[
    "id",
    "site",
    "feed",
    "instance",
    "method",
    "submethod",
    "title",
    "priority",
    "probability",
    "risk",
    "state",
    "closed",
    "source_ip",
    "source_key",
    "source_mac",
    "source_name",
    "source_user",
    "target_count",
    "first_flow",
    "first_flow_ns",
    "detected",
    "detected_ns",
    "last_update",
    "last_update_ns",
    "ended",
    "ended_ns",
    "updates",
    "reason",
    "search",
    "document",
];

/// What became of the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// New, or newer than what was stored.
    pub stored: u64,
    /// Older than what was stored: only noted among the event's updates.
    pub stale: u64,
}

impl EventStore {
    /// Stores the records in one transaction: all of them, or none.
    pub async fn put(&self, records: &[EventRecord]) -> Result<Put, StoreError> {
        let mut put = Put::default();
        let mut transaction = self.writing().await?;
        for record in records {
            if upsert(&mut transaction, record).await? {
                rows(&mut transaction, record).await?;
                put.stored += 1;
            } else {
                put.stale += 1;
            }
            update(&mut transaction, record).await?;
        }
        transaction.commit().await?;
        Ok(put)
    }
}

/// Writes the event's row. False when a later state is there already.
async fn upsert(transaction: &mut Transaction<'_, Any>, record: &EventRecord) -> Result<bool, StoreError> {
    let mut sql = Sql::new("INSERT INTO events (");
    sql.push(&COLUMNS.join(", ")).push(") VALUES (");
    columns(&mut sql, record);
    sql.push(") ON CONFLICT (id) DO UPDATE SET ");
    for (at, column) in COLUMNS.iter().skip(1).enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        sql.push(&format!("{comma}{column} = excluded.{column}"));
    }
    sql.push(
        " WHERE (excluded.closed, excluded.last_update_ns, excluded.updates) \
         >= (events.closed, events.last_update_ns, events.updates)",
    );
    Ok(sql.query().execute(&mut **transaction).await?.rows_affected() > 0)
}

fn columns(sql: &mut Sql, record: &EventRecord) {
    let comma = ", ";
    let source = &record.source;
    let end = record.end.as_ref();
    sql.list([
        &*record.id,
        &record.site,
        &record.feed,
        &record.instance,
        &record.method,
        &record.submethod,
        &record.title,
    ]);
    sql.push(comma)
        .list([record.priority, record.probability, record.risk]);
    sql.push(comma).bind(record.state());
    sql.push(comma).bind(i64::from(record.closed));
    sql.push(comma).list([
        source.ip.clone(),
        key_of(source.ip.as_ref()),
        source.mac.clone(),
        source.hostname.clone(),
        source.user.clone(),
    ]);
    sql.push(comma).bind(record.target_count);
    for moment in [&record.first_flow, &record.detected, &record.last_update] {
        sql.push(comma).bind(&*moment.text);
        sql.push(comma).bind(moment.ns);
    }
    sql.push(comma).bind(end.map(|end| end.text.clone()));
    sql.push(comma).bind(end.map(|end| end.ns));
    sql.push(comma).bind(record.updates);
    sql.push(comma)
        .list([&*record.reason, &record.search, &record.document]);
}

/// Replaces the event's rows in the tables beside it.
async fn rows(transaction: &mut Transaction<'_, Any>, record: &EventRecord) -> Result<(), StoreError> {
    for table in [
        "event_targets",
        "event_attack",
        "event_attributes",
        "event_evidence",
    ] {
        let mut sql = Sql::new("DELETE FROM ");
        sql.push(table).push(" WHERE event_id = ").bind(&*record.id);
        sql.query().execute(&mut **transaction).await?;
    }
    let id = &*record.id;
    insert(
        transaction,
        "event_targets (event_id, position, ip, ip_key, mac, port)",
        id,
        &record.targets,
        |sql, target| {
            sql.list([target.ip.clone(), key_of(target.ip.as_ref()), target.mac.clone()]);
            sql.push(", ").bind(target.port);
        },
    )
    .await?;
    insert(
        transaction,
        "event_attack (event_id, position, tactic, technique)",
        id,
        &record.attack,
        |sql, attack| {
            sql.list([&*attack.tactic, &attack.technique]);
        },
    )
    .await?;
    insert(
        transaction,
        "event_attributes (event_id, position, name, value)",
        id,
        &record.attributes,
        |sql, (name, value)| {
            sql.list([&**name, value]);
        },
    )
    .await?;
    flows(transaction, record).await
}

/// The frozen evidence.
async fn flows(transaction: &mut Transaction<'_, Any>, record: &EventRecord) -> Result<(), StoreError> {
    insert(
        transaction,
        "event_evidence (event_id, position, flow_id, start, src_ip, dst_ip, app, src_tcp_flags, dst_tcp_flags, \
         src_port, dst_port, proto, src_packets, src_bytes, dst_packets, dst_bytes)",
        &record.id,
        &record.flows,
        |sql, flow| {
            sql.list([
                flow.flow_id.clone(),
                flow.start.clone(),
                flow.src_ip.clone(),
                flow.dst_ip.clone(),
                flow.app.clone(),
                flow.src_tcp_flags.clone(),
                flow.dst_tcp_flags.clone(),
            ]);
            sql.push(", ").list([
                flow.src_port,
                flow.dst_port,
                flow.proto,
                flow.src_packets,
                flow.src_bytes,
                flow.dst_packets,
                flow.dst_bytes,
            ]);
        },
    )
    .await
}

/// Inserts rows with the event's id and a running position.
async fn insert<T>(
    transaction: &mut Transaction<'_, Any>,
    into: &str,
    id: &str,
    all: &[T],
    values: impl Fn(&mut Sql, &T),
) -> Result<(), StoreError> {
    for (chunk_at, chunk) in all.chunks(ROWS_PER_STATEMENT).enumerate() {
        let mut sql = Sql::new("INSERT INTO ");
        sql.push(into).push(" VALUES ");
        for (at, one) in chunk.iter().enumerate() {
            sql.push(if at == 0 { "(" } else { ", (" });
            sql.bind(id);
            let position = chunk_at * ROWS_PER_STATEMENT + at;
            sql.push(", ").bind(position as i64).push(", ");
            values(&mut sql, one);
            sql.push(")");
        }
        sql.query().execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Notes this state of the event in its history.
async fn update(transaction: &mut Transaction<'_, Any>, record: &EventRecord) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO event_updates (event_id, state, at, reason, updates, at_ns, risk, probability, target_count) VALUES (",
    );
    sql.list([
        &*record.id,
        record.state(),
        &record.last_update.text,
        &record.reason,
    ]);
    sql.push(", ").list([
        record.updates,
        record.last_update.ns,
        record.risk,
        record.probability,
        record.target_count,
    ]);
    sql.push(") ON CONFLICT (event_id, state, updates) DO NOTHING");
    sql.query().execute(&mut **transaction).await?;
    Ok(())
}
