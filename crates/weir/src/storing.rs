//! The store's thread: batches from its own queue into the flow and transaction store, until the source ends.
//! From a file nothing may be missing, so the first trouble of the store ends the run.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use weir_model::{Batch, Quantity, Time};
use weir_store::flow::{FlowStore, Limits, Stored};

/// Site of records of one machine without configured sites.
const SITE: &str = "default";

/// Opens the store in a folder.
pub(crate) fn open(folder: &Path) -> Result<FlowStore> {
    FlowStore::open(folder, SITE, &Limits::default()).with_context(|| format!("store {}", folder.display()))
}

/// The store's clock: the time of day, for syncs and retention; never for records.
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time(since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
}

/// Stores batches until the last.
pub(crate) fn store(mut store: FlowStore, batches: &Receiver<Arc<Batch>>) -> Result<Stored> {
    for batch in batches {
        store.append(&batch, now()).context("store")?;
    }
    store.finish(now()).context("store")?;
    Ok(store.stored())
}

/// What was stored, for people.
pub(crate) fn line(stored: &Stored) -> String {
    let mut line = format!(
        "stored {} flow records and {} transactions; parts of the store: {}",
        Quantity::Count(stored.flows.rows_acknowledged),
        Quantity::Count(stored.transactions.rows_acknowledged),
        Quantity::Bytes(stored.bytes),
    );
    let recovered = stored.flows.rows_recovered + stored.transactions.rows_recovered;
    if recovered > 0 {
        line += &format!(
            "; {} records of a run that was cut off",
            Quantity::Count(recovered)
        );
    }
    let damaged = [stored.flows, stored.transactions]
        .iter()
        .map(|table| table.parts_damaged + table.log_damaged)
        .sum::<u64>();
    if damaged > 0 {
        line += &format!("; {damaged} damaged files set aside in its folder quarantine");
    }
    line
}
