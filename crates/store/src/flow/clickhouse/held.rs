//! What a ClickHouse holds, by its own books: cheap to ask, however much it is.

use super::client::{Client, ClientError};
use super::rows::Reader;
use super::table::Table;

/// Bytes of the answer: some numbers.
const ANSWER_BYTES_MAX: usize = 1 << 16;
/// Days back that the pace is taken from, and the newest of them, which is not over.
const PACE_DAYS: u64 = 7;

/// What the server that was asked holds of a table, all sites together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Held {
    pub rows: u64,
    pub parts: u64,
    /// Bytes on its disk.
    pub bytes: u64,
    /// First and last day of the records, in days since 1970; `None` without records.
    pub days: Option<(u64, u64)>,
    /// Bytes of a day, at the pace of the last week.
    pub bytes_per_day: Option<f64>,
    /// Bytes that are free on its fullest disk; `None` when the user may not ask.
    pub free: Option<u64>,
}

impl Held {
    /// Days until the disk is full at this pace.
    pub fn days_left(&self) -> Option<f64> {
        let pace = self.bytes_per_day.filter(|pace| *pace > 0.0)?;
        Some(self.free? as f64 / pace)
    }
}

/// Asks for both tables: flows, transactions.
///
/// # Errors
/// When ClickHouse cannot be reached or refuses.
pub fn held(client: &Client) -> Result<[Held; 2], ClientError> {
    let free = free(client);
    let of = |table| {
        let mut held = books(client, table)?;
        held.free = free;
        Ok::<_, ClientError>(held)
    };
    Ok([of(Table::Flows)?, of(Table::Transactions)?])
}

fn books(client: &Client, table: Table) -> Result<Held, ClientError> {
    let (database, name) = (client.place().database(), table.name());
    // On a cluster the rows lie in the server's local table.
    let from = format!(
        "FROM system.parts WHERE database = '{database}' AND table IN ('{name}', '{name}_local') AND active"
    );
    // A partition is a day. Text that is no day (nothing is stored) is day 0.
    let day = "toUInt64(toRelativeDayNum(toDateOrZero(partition)))";
    let sql = format!(
        "SELECT toUInt64(sum(rows)), toUInt64(count()), toUInt64(sum(bytes_on_disk)), min({day}), max({day}), \
         toUInt64(sumIf(bytes_on_disk, {day} + {PACE_DAYS} > (SELECT max({day}) {from}))) {from} FORMAT RowBinary"
    );
    let answer = client.ask(&sql, &[], ANSWER_BYTES_MAX)?;
    let mut reader = Reader::new(&answer.bytes);
    let mut next = || reader.number(8).unwrap_or(0);
    let (rows, parts, bytes) = (next(), next(), next());
    let (first, last, recent) = (next(), next(), next());
    let days = (last.saturating_sub(first) + 1).min(PACE_DAYS);
    Ok(Held {
        rows,
        parts,
        bytes,
        days: (rows > 0).then_some((first, last)),
        bytes_per_day: (rows > 0).then(|| recent as f64 / days as f64),
        free: None,
    })
}

/// Not every user may ask.
fn free(client: &Client) -> Option<u64> {
    let sql = "SELECT toUInt64(min(free_space)) FROM system.disks FORMAT RowBinary";
    let answer = client.ask(sql, &[], ANSWER_BYTES_MAX).ok()?;
    Reader::new(&answer.bytes).number(8).filter(|free| *free > 0)
}
