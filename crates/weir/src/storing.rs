//! The store's thread: batches from its own queue into the flow and transaction store, until the source ends.
//! From a file nothing may be missing, so the first trouble of the store ends the run.
//!
//! A store in ClickHouse has a second thread: this one makes rows durable in a spool, that one sends them, as long as it
//! takes. While ClickHouse is down nothing waits for it but the spool.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use weir_model::{Batch, Quantity, Time};
use weir_store::flow::clickhouse::{
    Client, ClientError, Delivery, Feed, Place, Sender, SpoolLimits, Spooled,
};
use weir_store::flow::{FlowStore, Limits, Stored};

use crate::collect;

/// Site of records of one machine without configured sites.
const SITE: &str = "default";

/// Without a batch for so long, rows that wait become durable.
const SILENCE: Duration = Duration::from_millis(200);
/// Folder of blocks on their way, in the program's folder for state, unless the URL names one.
const SPOOL_FOLDER: &str = "clickhouse";

/// Where flow records and transactions are kept.
pub enum Store {
    Folder(Box<FlowStore>),
    ClickHouse(Box<Outside>),
}

/// The two ends of the way to ClickHouse.
pub struct Outside {
    feed: Feed,
    sender: Sender,
    spool: PathBuf,
}

/// What was kept.
pub(crate) enum Kept {
    Folder(Stored),
    ClickHouse { spooled: Spooled, spool: PathBuf },
}

/// Opens the store in a folder, or in ClickHouse where the name is its URL.
pub(crate) fn open(name: &Path) -> Result<Store> {
    if let Some(url) = clickhouse_url(name) {
        return open_outside(Place::parse(url)?);
    }
    let store = FlowStore::open(name, SITE, &Limits::default());
    let store = store.with_context(|| format!("store {}", name.display()))?;
    Ok(Store::Folder(Box::new(store)))
}

/// The name as a ClickHouse URL, if it is one.
pub(crate) fn clickhouse_url(name: &Path) -> Option<&str> {
    name.to_str().filter(|text| Place::is_url(text))
}

fn open_outside(place: Place) -> Result<Store> {
    let shown = place.shown();
    let usual = || collect::default_directory().map(|folder| folder.join(SPOOL_FOLDER));
    let Some(spool) = place.spool.clone().or_else(usual) else {
        bail!("nowhere to keep records until {shown} has them: add ?spool=DIR to the URL, or set HOME");
    };
    let opened = Sender::open(Client::new(place), &spool, SITE, SpoolLimits::default());
    let (feed, mut sender) = opened.with_context(|| format!("spool {}", spool.display()))?;
    match sender.prepare() {
        // It may be back before the records have to go.
        Ok(()) | Err(ClientError::Unreachable { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Store::ClickHouse(Box::new(Outside { feed, sender, spool })))
}

/// The store's clock: the time of day, for syncs and retention; never for records.
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time(since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
}

/// Stores batches until the last.
pub(crate) fn store(store: Store, batches: &Receiver<Arc<Batch>>) -> Result<Kept> {
    match store {
        Store::Folder(mut store) => {
            for batch in batches {
                store.append(&batch, now()).context("store")?;
            }
            store.finish(now()).context("store")?;
            Ok(Kept::Folder(store.stored()))
        }
        Store::ClickHouse(outside) => store_outside(*outside, batches),
    }
}

fn store_outside(outside: Outside, batches: &Receiver<Arc<Batch>>) -> Result<Kept> {
    let Outside {
        mut feed,
        mut sender,
        spool,
    } = outside;
    let (going_on, ended) = sync_channel::<()>(0);
    let outcome = thread::scope(|scope| {
        let sending = scope.spawn(move || send(&mut sender, &ended));
        let outcome = feed_all(&mut feed, batches).context("spool of the store");
        drop(going_on);
        sending
            .join()
            .map_err(|_| anyhow::anyhow!("the thread that sends to ClickHouse panicked"))?;
        outcome
    });
    outcome?;
    Ok(Kept::ClickHouse {
        spooled: feed.spooled(),
        spool,
    })
}

fn feed_all(feed: &mut Feed, batches: &Receiver<Arc<Batch>>) -> Result<()> {
    loop {
        match batches.recv_timeout(SILENCE) {
            Ok(batch) => feed.append(&batch, now())?,
            Err(RecvTimeoutError::Timeout) => feed.tick(now())?,
            Err(RecvTimeoutError::Disconnected) => return Ok(feed.finish(now())?),
        }
    }
}

/// Sends what waits until the source has `ended`, and then what is left, unless ClickHouse does not take it.
fn send(sender: &mut Sender, ended: &Receiver<()>) {
    let mut over = false;
    loop {
        let pause = match sender.step() {
            Delivery::Moved => continue,
            Delivery::Idle | Delivery::Wait(_) if over => return,
            Delivery::Idle => SILENCE,
            Delivery::Wait(pause) => pause,
        };
        over = matches!(ended.recv_timeout(pause), Err(RecvTimeoutError::Disconnected));
    }
}

/// What went wrong with what was to be kept, for people.
pub(crate) fn trouble(kept: &Kept) -> Option<String> {
    let Kept::ClickHouse { spooled, spool } = kept else {
        return None;
    };
    let why = spooled.trouble.as_deref().unwrap_or("no reason is known");
    if spooled.rows_refused > 0 {
        let rows = Quantity::Count(spooled.rows_refused);
        return Some(format!(
            "ClickHouse did not take {rows} records; they lie in {}/refused: {why}",
            spool.display()
        ));
    }
    (spooled.rows_waiting > 0).then(|| {
        let rows = Quantity::Count(spooled.rows_waiting);
        format!(
            "{rows} records wait in {} and are sent by the next run: {why}",
            spool.display()
        )
    })
}

/// What was stored, for people.
pub(crate) fn line(kept: &Kept) -> String {
    let stored = match kept {
        Kept::Folder(stored) => stored,
        Kept::ClickHouse { spooled, .. } => {
            let sent = Quantity::Count(spooled.rows_sent);
            return format!("ClickHouse took {sent} flow records and transactions");
        }
    };
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
