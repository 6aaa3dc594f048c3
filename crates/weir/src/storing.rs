//! The store's thread: batches from its own queue into the flow and transaction store, until the source ends.
//! From a file nothing may be missing, so the first trouble of the store ends the run.
//!
//! A store in ClickHouse or in an object store has a second thread: this one makes rows durable on this machine, that one
//! sends them, as long as it takes. While the other end is away nothing waits for it but what is to be sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use weir_model::{Batch, Quantity, Time};
use weir_store::flow::clickhouse::{Client, ClientError, Feed, Place, Sender, SpoolLimits, Spooled};
use weir_store::flow::profile::Profile;
use weir_store::flow::{FlowStore, Limits, StoreError, Stored};
use weir_store::object::{Bucket, ObjectDisk, ObjectPlace, Waiting};
use weir_store::{Delivery, Disk, LocalDisk};

use crate::collect;
use crate::config::Config;

/// Site of records of one machine without configured sites.
const SITE: &str = "default";

/// Without a batch for so long, rows that wait become durable.
const SILENCE: Duration = Duration::from_millis(200);
/// Bytes of parts that may wait to go up while a source goes on.
const AHEAD_BYTES: u64 = 1 << 30;
/// Folder of blocks on their way, in the program's folder for state, unless the URL names one.
const SPOOL_FOLDER: &str = "clickhouse";

/// Where flow records and transactions are kept.
pub enum Store {
    Folder(Box<FlowStore>),
    Objects(Box<OnObjects>),
    ClickHouse(Box<Outside>),
}

/// The store whose parts go up to an object store.
pub struct OnObjects {
    pub(crate) store: FlowStore,
    pub(crate) disk: Arc<ObjectDisk>,
    pub(crate) local: PathBuf,
}

/// The two ends of the way to ClickHouse.
pub struct Outside {
    pub(crate) feed: Feed,
    pub(crate) sender: Sender,
    pub(crate) spool: PathBuf,
}

impl Store {
    /// The store itself; `None` for a ClickHouse.
    pub(crate) fn own(&mut self) -> Option<&mut FlowStore> {
        match self {
            Self::Folder(store) => Some(store),
            Self::Objects(objects) => Some(&mut objects.store),
            Self::ClickHouse(_) => None,
        }
    }
}

/// What was kept.
pub(crate) enum Kept {
    Folder(Stored),
    Objects {
        stored: Stored,
        waiting: Waiting,
        local: PathBuf,
    },
    ClickHouse {
        spooled: Spooled,
        spool: PathBuf,
    },
}

/// Opens the store in a folder, or where the name is a URL.
pub(crate) fn open(name: &Path, config: &Config) -> Result<Store> {
    open_limited(name, SITE, &Limits::default(), config.profiles.as_deref())
}

/// Opens the store, and counts what it counted before.
pub(crate) fn open_as_it_is(name: &Path) -> Result<Store> {
    open_limited(name, SITE, &Limits::default(), None)
}

/// The same with limits. Those of a ClickHouse are in its tables.
/// `profiles` are counted from now on; `None` leaves those the store knows.
pub(crate) fn open_limited(
    name: &Path,
    site: &str,
    limits: &Limits,
    profiles: Option<&[Profile]>,
) -> Result<Store> {
    if let Some(url) = clickhouse_url(name) {
        if profiles.is_some_and(|profiles| !profiles.is_empty()) {
            bail!(
                "profiles are counted where flow records lie in a folder or an object store, not in a ClickHouse"
            );
        }
        return open_outside(Place::parse(url)?, site);
    }
    if let Some((place, local)) = objects(name)? {
        return open_on_objects(&place, local, site, limits, profiles);
    }
    let store = FlowStore::open(name, site, limits).and_then(|store| counting(store, profiles));
    let store = store.with_context(|| format!("store {}", name.display()))?;
    Ok(Store::Folder(Box::new(store)))
}

/// Is the name a URL, and not a folder of this machine?
pub(crate) fn is_url(name: &Path) -> bool {
    name.to_str()
        .is_some_and(|text| Place::is_url(text) || ObjectPlace::is_url(text))
}

/// The name as a ClickHouse URL, if it is one.
pub(crate) fn clickhouse_url(name: &Path) -> Option<&str> {
    name.to_str().filter(|text| Place::is_url(text))
}

/// The name as an object store, if it is its URL, and the folder of this machine for what is not there yet.
fn objects(name: &Path) -> Result<Option<(ObjectPlace, PathBuf)>> {
    let Some(url) = name.to_str().filter(|text| ObjectPlace::is_url(text)) else {
        return Ok(None);
    };
    let place = ObjectPlace::parse(url)?;
    let usual = || collect::default_directory().map(|folder| folder.join(place.folder_name()));
    match place.local.clone().or_else(usual) {
        Some(local) => Ok(Some((place, local))),
        None => bail!(
            "nowhere to keep the log of {}: add ?local=DIR to the URL, or set HOME",
            place.shown()
        ),
    }
}

/// The disk to search, if the name is the URL of an object store.
pub(crate) fn object_disk(name: &Path) -> Result<Option<ObjectDisk>> {
    let Some((place, local)) = objects(name)? else {
        return Ok(None);
    };
    let bucket = Bucket::open(&place).with_context(|| place.shown())?;
    Ok(Some(ObjectDisk::reading(&local, Arc::new(bucket))))
}

fn counting(mut store: FlowStore, profiles: Option<&[Profile]>) -> Result<FlowStore, StoreError> {
    if let Some(profiles) = profiles {
        store.set_profiles(profiles)?;
    }
    Ok(store)
}

/// The disk of a store that is only read: a folder, which has to exist, or an object store.
pub(crate) fn reading(name: &Path) -> Result<Arc<dyn Disk>> {
    if clickhouse_url(name).is_some() {
        bail!("this is kept in the folder or the object store of the flow records, not in a ClickHouse");
    }
    if let Some(disk) = object_disk(name)? {
        return Ok(Arc::new(disk));
    }
    if !name.is_dir() {
        let name = name.display();
        bail!("there is no store at {name}: fill one with weir -r FILE --store {name}");
    }
    Ok(Arc::new(LocalDisk::reading(name)))
}

fn open_on_objects(
    place: &ObjectPlace,
    local: PathBuf,
    site: &str,
    limits: &Limits,
    profiles: Option<&[Profile]>,
) -> Result<Store> {
    let bucket = Bucket::open(place).with_context(|| place.shown())?;
    let opened = FlowStore::open_on_objects(&local, Arc::new(bucket), site, limits);
    let opened = opened.and_then(|(store, disk)| Ok((counting(store, profiles)?, disk)));
    let (store, disk) = opened.with_context(|| format!("store {}", place.shown()))?;
    Ok(Store::Objects(Box::new(OnObjects { store, disk, local })))
}

fn open_outside(place: Place, site: &str) -> Result<Store> {
    let shown = place.shown();
    let usual = || collect::default_directory().map(|folder| folder.join(SPOOL_FOLDER));
    let Some(spool) = place.spool.clone().or_else(usual) else {
        bail!("nowhere to keep records until {shown} has them: add ?spool=DIR to the URL, or set HOME");
    };
    let opened = Sender::open(Client::new(place), &spool, site, SpoolLimits::default());
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
            fill(&mut store, batches, || {})?;
            Ok(Kept::Folder(store.stored()))
        }
        Store::Objects(objects) => {
            let OnObjects {
                mut store,
                disk,
                local,
            } = *objects;
            beside(|| disk.step(), || fill(&mut store, batches, || make_room(&disk)))?;
            Ok(Kept::Objects {
                stored: store.stored(),
                waiting: disk.waiting(),
                local,
            })
        }
        Store::ClickHouse(outside) => {
            let Outside {
                mut feed,
                mut sender,
                spool,
            } = *outside;
            let feed_all = || feed_all(&mut feed, batches).context("spool of the store");
            beside(|| sender.step(), feed_all)?;
            Ok(Kept::ClickHouse {
                spooled: feed.spooled(),
                spool,
            })
        }
    }
}

fn fill(store: &mut FlowStore, batches: &Receiver<Arc<Batch>>, room: impl Fn()) -> Result<()> {
    for batch in batches {
        room();
        store.append(&batch, now()).context("store")?;
    }
    store.finish(now()).context("store")
}

/// Lets parts go up before more are made, as long as the object store takes them: a file can wait.
fn make_room(disk: &ObjectDisk) {
    loop {
        let waiting = disk.waiting();
        if waiting.bytes < AHEAD_BYTES || waiting.trouble.is_some() {
            return;
        }
        thread::sleep(SILENCE);
    }
}

/// Does the work, and sends on a second thread what it leaves; afterwards what is left, unless the other end is away.
fn beside(step: impl FnMut() -> Delivery + Send, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let (going_on, ended) = sync_channel::<()>(0);
    thread::scope(|scope| {
        let sending = scope.spawn(move || send(step, &ended));
        let outcome = work();
        drop(going_on);
        sending
            .join()
            .map_err(|_| anyhow::anyhow!("the thread that sends records away panicked"))?;
        outcome
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

/// Sends what waits until the source has `ended`, and then what is left, unless the other end does not take it.
pub(crate) fn send(mut step: impl FnMut() -> Delivery, ended: &Receiver<()>) {
    let mut over = false;
    loop {
        let pause = match step() {
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
    match kept {
        Kept::Folder(_) => None,
        Kept::Objects { waiting, local, .. } => parts_waiting(waiting, local),
        Kept::ClickHouse { spooled, spool } => rows_waiting(spooled, spool),
    }
}

/// Rows that ClickHouse did not take, for people.
pub(crate) fn rows_waiting(spooled: &Spooled, spool: &Path) -> Option<String> {
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

/// Parts that did not go up, for people.
pub(crate) fn parts_waiting(waiting: &Waiting, local: &Path) -> Option<String> {
    if waiting.parts_lost > 0 {
        let parts = Quantity::Count(waiting.parts_lost);
        return Some(format!(
            "somebody took {parts} parts out of {} before they were sent",
            local.display()
        ));
    }
    let why = waiting.trouble.as_deref()?;
    Some(format!(
        "{} parts ({}) wait in {} and are sent later, by the next run at the latest: {why}",
        Quantity::Count(waiting.parts),
        Quantity::Bytes(waiting.bytes),
        local.display()
    ))
}

/// What was stored, for people.
pub(crate) fn line(kept: &Kept) -> String {
    let stored = match kept {
        Kept::Folder(stored) | Kept::Objects { stored, .. } => stored,
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
    let left_out = stored.profiles.left_out;
    if left_out > 0 {
        line += &format!("; {left_out} records of too many different times are in no profile");
    }
    if damaged > 0 {
        line += &format!("; {damaged} damaged files set aside in its folder quarantine");
    }
    line
}
