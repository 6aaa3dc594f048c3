//! `weir flows --info`: what a store holds, by its own books; no record is read.

use anyhow::{Result, bail};
use nix::sys::statvfs::statvfs;
use serde_json::json;
use weir_model::{Quantity, Time};
use weir_output::stamp::rfc3339;
use weir_store::flow::clickhouse::{Held, held};
use weir_store::flow::{Fullness, MIXED, Snapshot, Table};

use super::source::Rows;

/// What a table holds.
struct Holding {
    table: &'static str,
    rows: u64,
    /// Of those, not in parts yet; unknown elsewhere.
    rows_in_log: Option<u64>,
    parts: u64,
    bytes: u64,
    /// Beginnings of the first hour (or day) and of the last.
    span: Option<(Time, Time)>,
    bytes_per_day: Option<f64>,
}

/// What a store holds.
pub(super) struct Info {
    tables: Vec<Holding>,
    /// Bytes free on its disk, where that can be asked.
    free: Option<u64>,
}

/// Asks the store.
pub(super) fn of(rows: &Rows) -> Result<Info> {
    match rows {
        Rows::Capture { .. } => bail!("--info is about a store: give --store"),
        Rows::Store { disk, site, folder } => {
            let table = |table: &'static Table| {
                let snapshot = Snapshot::read(&**disk, table, site)?;
                Ok(in_parts(table.name, &snapshot))
            };
            let free = folder.as_ref().and_then(|folder| statvfs(folder).ok());
            Ok(Info {
                tables: [Table::flows(), Table::transactions()]
                    .into_iter()
                    .map(table)
                    .collect::<Result<_>>()?,
                free: free.map(|disk| disk.blocks_available() * disk.fragment_size()),
            })
        }
        Rows::ClickHouse { client, .. } => {
            let [flows, transactions] = held(client)?;
            Ok(Info {
                free: flows.free,
                tables: vec![
                    in_clickhouse("flows", &flows),
                    in_clickhouse("transactions", &transactions),
                ],
            })
        }
    }
}

fn in_parts(table: &'static str, snapshot: &Snapshot) -> Holding {
    let fullness = Fullness::of(&snapshot.parts, None);
    let hours = || {
        snapshot
            .parts
            .iter()
            .map(|part| part.hour)
            .filter(|hour| *hour != MIXED)
    };
    let hour = |hour: i64| Time::from_secs(hour.saturating_mul(3600));
    Holding {
        table,
        rows: snapshot.rows(),
        rows_in_log: Some(snapshot.memory.iter().map(|batch| batch.num_rows() as u64).sum()),
        parts: snapshot.parts.len() as u64,
        bytes: fullness.bytes,
        span: hours().min().map(hour).zip(hours().max().map(hour)),
        bytes_per_day: fullness.bytes_per_day,
    }
}

fn in_clickhouse(table: &'static str, held: &Held) -> Holding {
    let day = |day: u64| Time::from_secs((day * 86_400).cast_signed());
    Holding {
        table,
        rows: held.rows,
        rows_in_log: None,
        parts: held.parts,
        bytes: held.bytes,
        span: held.days.map(|(first, last)| (day(first), day(last))),
        bytes_per_day: held.bytes_per_day,
    }
}

impl Info {
    /// Days until the disk is full, both tables going on as in the last week.
    fn days_left(&self) -> Option<f64> {
        let pace: f64 = self.tables.iter().filter_map(|table| table.bytes_per_day).sum();
        self.free.filter(|_| pace > 0.0).map(|free| free as f64 / pace)
    }

    /// As lines for people, or as one JSON object.
    pub(super) fn shown(&self, json: bool) -> String {
        if json {
            let tables = self.tables.iter().map(|table| {
                let mut value = json!({"rows": table.rows, "parts": table.parts, "bytes": table.bytes});
                let mut put = |key: &str, found: Option<serde_json::Value>| {
                    if let Some(found) = found {
                        value[key] = found;
                    }
                };
                put("rows_in_log", table.rows_in_log.map(Into::into));
                put("oldest", table.span.map(|(first, _)| rfc3339(first).into()));
                put("newest", table.span.map(|(_, last)| rfc3339(last).into()));
                put(
                    "bytes_per_day",
                    table.bytes_per_day.map(|pace| json!(pace.round())),
                );
                (table.table.to_owned(), value)
            });
            let mut value: serde_json::Map<String, serde_json::Value> = tables.collect();
            value.extend(self.free.map(|free| ("bytes_free".to_owned(), free.into())));
            value.extend(
                self.days_left()
                    .map(|days| ("days_left".to_owned(), json!(days.round()))),
            );
            return format!("{}\n", serde_json::Value::Object(value));
        }
        let mut text = String::new();
        for table in &self.tables {
            text += &table.shown();
        }
        if let Some(free) = self.free {
            text += &format!("free          {}", Quantity::Bytes(free));
            if let Some(days) = self.days_left() {
                text += &format!(", full in {days:.0} days at this pace");
            }
            text.push('\n');
        }
        text
    }
}

impl Holding {
    fn shown(&self) -> String {
        let mut line = format!("{:<14}{} records", self.table, Quantity::Count(self.rows));
        if let Some(log) = self.rows_in_log.filter(|rows| *rows > 0) {
            line += &format!(" ({} of them in the log)", Quantity::Count(log));
        }
        line += &format!(
            ", {} parts, {}",
            Quantity::Count(self.parts),
            Quantity::Bytes(self.bytes)
        );
        let in_parts = self.rows - self.rows_in_log.unwrap_or(0);
        if in_parts > 0 {
            line += &format!(" ({:.1} bytes a record)", self.bytes as f64 / in_parts as f64);
        }
        line.push('\n');
        if let Some((first, last)) = self.span {
            line += &format!("              from {} to {}", rfc3339(first), rfc3339(last));
            if let Some(pace) = self.bytes_per_day {
                line += &format!(", {} a day", Quantity::Bytes(pace as u64));
            }
            line.push('\n');
        }
        line
    }
}
