//! The stores of the house, shared by the pipelines of all sources, and the consumer that keeps what a pipeline gives:
//! records first, then events, and only then are those told who follow. Where records go is `records`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use tokio::runtime::Runtime;
use weir_api::status::{SourceKind, SourceState, StoreStatus};
use weir_api::{App, Flows};
use weir_model::{Batch, Time};
use weir_output::stamp::rfc3339;
use weir_store::event::{EventRecord, EventStore, Keeper, KeeperStats, Place, Spool};
use weir_store::flow::profile::Profile;
use weir_store::flow::{Limits, Retention};
use weir_triage::{Change, Rules};

use super::copying::Copying;
use super::pinning::Pinning;
use super::records::{self, Counted, Records, Sending};
use super::status::Board;
use crate::pipeline::Consumer;
use crate::syscheck::Notice;

/// What may wait on disk while the event database cannot be written.
const SPOOL_BYTES_MAX: u64 = 256 << 20;
/// Events stored together.
const GROUP_MAX: usize = 256;
/// How finely a paced replay sleeps, so that a stop need not wait.
const NAP: Duration = Duration::from_millis(50);

/// Flow store and event database. Pipelines write to them one at a time.
pub(super) struct Stores {
    folder: PathBuf,
    /// The writer of flow records; sources append, the house ticks.
    flows: Mutex<Records>,
    /// The writer of events and the runtime it runs on.
    events: Mutex<Events>,
    readers: Flows,
    /// Sends records away, where they do not stay in the folder.
    sending: Option<Sending>,
    /// A second database of events.
    copy: Option<Copying>,
    /// What stays while events are open.
    pinning: Mutex<Pinning>,
    /// Flow records given to the store.
    pub(super) given: AtomicU64,
    /// Why the flow store failed last, until it works again.
    trouble: Mutex<Option<String>>,
    /// Rules of false positives, as the event database has them.
    pub(super) rules: Rules,
}

struct Events {
    runtime: Runtime,
    keeper: Keeper,
    /// For what is written beside events.
    store: EventStore,
}

/// Where everything of a site is kept.
#[derive(Clone)]
pub(super) struct Places<'a> {
    pub(super) site: &'a str,
    /// Events, learned state; flow records too unless they go elsewhere.
    pub(super) folder: &'a Path,
    pub(super) retention: Retention,
    /// What is counted of flow records, and how long that is kept, by step.
    pub(super) profiles: &'a [Profile],
    pub(super) keep_profiles: [Retention; 3],
    /// URL of an object store or a ClickHouse for flow records.
    pub(super) flows: Option<&'a Path>,
    /// URL of a database that every event goes to as well.
    pub(super) events_copy: Option<&'a str>,
}

impl Stores {
    /// Opens, or makes, the stores of a site.
    pub(super) fn open(places: Places<'_>) -> Result<Self> {
        let folder = places.folder;
        let shown = || format!("store {}", folder.display());
        std::fs::create_dir_all(folder).with_context(shown)?;
        let limits = Limits {
            retention: places.retention,
            profiles: places.keep_profiles,
            ..Limits::default()
        };
        let (flows, readers, sending) = records::open(
            places.flows.unwrap_or(folder),
            places.site,
            &limits,
            places.profiles,
        )?;
        let spool = Spool::open(&folder.join("events.spool"), SPOOL_BYTES_MAX).with_context(shown)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let place = Place::Folder(folder.to_owned());
        let keeper = runtime.block_on(Keeper::open(place.clone(), spool))?;
        let store = runtime.block_on(EventStore::open(&place))?;
        let copy = places.events_copy;
        let copy = copy.map(|url| Copying::start(url, folder)).transpose()?;
        let rules = Rules::default();
        let kept = runtime.block_on(store.rules(None))?;
        rules.set(kept.into_iter().map(|kept| kept.rule).collect());
        Ok(Self {
            folder: folder.to_owned(),
            readers,
            sending,
            copy,
            pinning: Mutex::new(Pinning::new(flows.pins())),
            flows: Mutex::new(flows),
            events: Mutex::new(Events {
                runtime,
                keeper,
                store,
            }),
            rules,
            given: AtomicU64::new(0),
            trouble: Mutex::new(None),
        })
    }

    /// The event database for reading, on the caller's runtime.
    pub(super) async fn reader(&self) -> Result<EventStore> {
        Ok(EventStore::open(&Place::Folder(self.folder.clone())).await?)
    }

    /// The flow table for searches.
    pub(super) fn flows(&self) -> Flows {
        self.readers.clone()
    }

    /// Are flow records in the folder, and not elsewhere?
    pub(super) fn in_folder(&self) -> bool {
        self.sending.is_none()
    }

    /// Rows, bytes, troubles.
    pub(super) fn status(&self) -> (Vec<StoreStatus>, Counted, KeeperStats) {
        let (state, counted) = lock(&self.flows).state(&self.readers, self.sending.as_ref());
        let flows = StoreStatus {
            trouble: state.trouble.clone().or_else(|| lock(&self.trouble).clone()),
            ..state
        };
        let events = lock(&self.events);
        let stats = events.keeper.stats();
        let size = |name: &str| std::fs::metadata(self.folder.join(name)).map_or(0, |file| file.len());
        let kept = StoreStatus {
            name: "events".to_owned(),
            rows: stats.stored,
            bytes: size("events.db") + size("events.db-wal"),
            days_left: None,
            trouble: events.keeper.trouble().map(str::to_owned),
        };
        let copy = self.copy.as_ref().map(Copying::status);
        let stores = [flows, kept].into_iter().chain(copy);
        (stores.collect(), counted, stats)
    }

    /// Keeps the evidence of open events, syncs what is due, and makes room when the disk runs full.
    pub(super) fn tick(&self) {
        self.pin();
        let ticked = lock(&self.flows).tick(&self.folder);
        self.note(ticked.map_err(|error| error.to_string()));
        self.count_hidden();
    }

    /// Writes down what rules hid; what the database does not take now is written the next time.
    fn count_hidden(&self) {
        let hidden = self.rules.take_hidden();
        if hidden.is_empty() {
            return;
        }
        let events = lock(&self.events);
        for one in hidden {
            let counted = events.store.count_hidden(&one.rule, one.hits, one.last);
            if events.runtime.block_on(counted).is_err() {
                self.rules.give_back(&one);
            }
        }
    }

    /// Tells the store what to keep for open events.
    fn pin(&self) {
        let pins = lock(&self.pinning).take();
        if let Some(pins) = pins
            && lock(&self.flows).pin(&pins).is_err()
        {
            lock(&self.pinning).again();
        }
    }

    /// Events for whose evidence nothing is kept, because there are too many.
    pub(super) fn not_pinned(&self) -> u64 {
        lock(&self.pinning).refused()
    }

    fn append(&self, batch: &Batch) {
        self.given.fetch_add(batch.flows.len() as u64, Ordering::Relaxed);
        let appended = lock(&self.flows).append(batch);
        self.note(appended.map_err(|error| error.to_string()));
    }

    fn note(&self, outcome: std::result::Result<(), String>) {
        *lock(&self.trouble) = outcome.err();
    }

    fn keep(&self, records: Vec<EventRecord>) {
        let copied = self.copy.as_ref().map(|_| records.clone());
        let mut events = lock(&self.events);
        let Events { runtime, keeper, .. } = &mut *events;
        runtime.block_on(keeper.keep(records));
        drop(events);
        if let (Some(copy), Some(records)) = (&self.copy, copied) {
            copy.keep(records);
        }
    }

    /// Everything is on the disk.
    pub(super) fn finish(&self) -> Result<()> {
        self.count_hidden();
        self.pin();
        lock(&self.flows).finish()?;
        if let Some(sending) = &self.sending {
            sending.end();
        }
        if let Some(copy) = &self.copy {
            copy.end();
        }
        let mut events = lock(&self.events);
        let Events { runtime, keeper, .. } = &mut *events;
        runtime.block_on(keeper.finish());
        events.runtime.block_on(events.store.close());
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How fast event time passes, and when it began.
struct Pace {
    speed: f64,
    began: Option<(Time, Instant)>,
}

/// Keeps what a pipeline gives.
pub(super) struct Keeping {
    stores: Arc<Stores>,
    board: Arc<Board>,
    app: Arc<App>,
    stop: Arc<AtomicBool>,
    source: String,
    kind: SourceKind,
    pace: Option<Pace>,
    /// A stop cuts the source short, instead of letting it end by itself.
    cut: bool,
    /// Not stored yet, in order.
    waiting: Vec<(Change, EventRecord)>,
}

impl Keeping {
    pub(super) fn new(
        stores: Arc<Stores>,
        board: Arc<Board>,
        app: Arc<App>,
        stop: Arc<AtomicBool>,
        (source, kind): (&str, SourceKind),
    ) -> Self {
        Self {
            stores,
            board,
            app,
            stop,
            source: source.to_owned(),
            cut: kind == SourceKind::File,
            kind,
            pace: None,
            waiting: Vec::new(),
        }
    }

    /// Event time passes so many times as fast as the clock.
    pub(super) fn paced(mut self, speed: f64) -> Self {
        self.pace = Some(Pace { speed, began: None });
        self
    }

    /// Stores and tells what still waits.
    pub(super) fn finish(mut self) {
        self.store();
    }

    fn store(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let (changes, records): (Vec<Change>, Vec<EventRecord>) = self.waiting.drain(..).unzip();
        self.stores.keep(records);
        for change in &changes {
            lock(&self.stores.pinning).hear(change);
        }
        for change in &changes {
            self.app.stream().tell("event", &told(change));
        }
    }

    /// Waits until it is the batch's turn. An error: the stop came first.
    fn wait(&mut self, batch: &Batch) -> io::Result<()> {
        if let Some(pace) = &mut self.pace
            && let Some(last) = batch.ticks.last()
        {
            let (began, at) = *pace.began.get_or_insert_with(|| {
                let first = batch.ticks.first().map_or(last.time, |tick| tick.time);
                (first, Instant::now())
            });
            let due =
                at + Duration::from_secs_f64((last.time.secs_since(began) / pace.speed).clamp(0.0, 3600.0));
            while !self.stop.load(Ordering::Relaxed) && Instant::now() < due {
                std::thread::sleep(NAP);
            }
        }
        if self.cut && self.stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(())
    }
}

impl Consumer for Keeping {
    fn notice(&mut self, notice: &Notice) -> io::Result<()> {
        self.board.notice(notice);
        let told = json!({"check": notice.check, "at": rfc3339(notice.at), "text": notice.text});
        self.app.stream().tell("notice", &told.to_string());
        Ok(())
    }

    fn batch(&mut self, batch: &Batch) -> io::Result<()> {
        self.store();
        self.wait(batch)?;
        self.stores.append(batch);
        self.board.batch(&self.source, self.kind, batch);
        Ok(())
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        let (Change::Opened(event) | Change::Updated(event) | Change::Closed(event)) = &change;
        let record = EventRecord::from_line(&weir_output::json::event(event)).map_err(io::Error::other)?;
        self.waiting.push((change, record));
        if self.waiting.len() >= GROUP_MAX {
            self.store();
        }
        Ok(())
    }
}

impl Drop for Keeping {
    /// Also when the pipeline ends with an error.
    fn drop(&mut self) {
        self.store();
        if self.kind == SourceKind::File {
            self.board.ended(&self.source, SourceState::Done);
        }
    }
}

/// What those who follow are told of a change.
fn told(change: &Change) -> String {
    let (event, word) = match change {
        Change::Opened(event) => (event, "opened"),
        Change::Updated(event) => (event, "updated"),
        Change::Closed(event) => (event, "closed"),
    };
    json!({
        "id": event.id.to_string(),
        "change": word,
        "method": event.lead.method.code,
        "submethod": event.lead.submethod.name,
        "priority": event.priority.word(),
        "risk": event.risk,
        "last_update": rfc3339(event.last_update),
        "reason": weir_output::text::reason(event),
    })
    .to_string()
}
