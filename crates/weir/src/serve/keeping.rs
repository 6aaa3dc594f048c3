//! The stores of the house, shared by the pipelines of all sources, and the consumer that keeps what a pipeline gives:
//! records first, then events, and only then are those told who follow.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::statvfs::statvfs;
use serde_json::json;
use tokio::runtime::Runtime;
use weir_api::status::{SourceKind, SourceState, StoreStatus};
use weir_api::{App, Flows};
use weir_model::{Batch, Time};
use weir_output::stamp::rfc3339;
use weir_store::event::{EventRecord, EventStore, Keeper, KeeperStats, Place, Spool};
use weir_store::flow::{FlowStore, Health, Limits, Retention, Stored};
use weir_store::{Disk, LocalDisk};
use weir_triage::{Change, Rules};

use super::setting::now;
use super::status::Board;
use crate::pipeline::Consumer;
use crate::syscheck::Notice;

/// Site of everything: there is one.
pub(super) const SITE: &str = "default";
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
    flows: Mutex<FlowStore>,
    /// The writer of events and the runtime it runs on.
    events: Mutex<Events>,
    readers: Flows,
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

impl Stores {
    /// Opens, or makes, the stores in a folder.
    pub(super) fn open(folder: &Path, retention: Retention) -> Result<Self> {
        let shown = || format!("store {}", folder.display());
        std::fs::create_dir_all(folder).with_context(shown)?;
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(folder).with_context(shown)?);
        let limits = Limits {
            retention,
            ..Limits::default()
        };
        let flows = FlowStore::open(folder, SITE, &limits).with_context(shown)?;
        let spool = Spool::open(&folder.join("events.spool"), SPOOL_BYTES_MAX).with_context(shown)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let place = Place::Folder(folder.to_owned());
        let keeper = runtime.block_on(Keeper::open(place.clone(), spool))?;
        let store = runtime.block_on(EventStore::open(&place))?;
        let rules = Rules::default();
        let kept = runtime.block_on(store.rules(None))?;
        rules.set(kept.into_iter().map(|kept| kept.rule).collect());
        Ok(Self {
            folder: folder.to_owned(),
            readers: Flows {
                disk,
                shared: flows.shared().0,
            },
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
        Flows {
            disk: self.readers.disk.clone(),
            shared: self.readers.shared.clone(),
        }
    }

    /// Rows, bytes, troubles.
    pub(super) fn status(&self) -> (Vec<StoreStatus>, Stored, KeeperStats) {
        let (stored, health, fullness) = {
            let flows = lock(&self.flows);
            (flows.stored(), flows.health(), flows.fullness())
        };
        let (stats, trouble) = {
            let events = lock(&self.events);
            (events.keeper.stats(), events.keeper.trouble().map(str::to_owned))
        };
        let full = match health {
            Health::Writing => lock(&self.trouble).clone(),
            Health::Full(_) => Some("the disk is full; it goes on by itself when there is room".to_owned()),
            Health::Failing(_) => Some("the disk fails".to_owned()),
        };
        let size = |name: &str| std::fs::metadata(self.folder.join(name)).map_or(0, |file| file.len());
        let bytes = size("events.db") + size("events.db-wal");
        let flows = StoreStatus {
            name: "flows".to_owned(),
            rows: self.readers.shared.latest().rows(),
            bytes: stored.bytes,
            days_left: fullness.days_left,
            trouble: full,
        };
        let events = StoreStatus {
            name: "events".to_owned(),
            rows: stats.stored,
            bytes,
            days_left: None,
            trouble,
        };
        (vec![flows, events], stored, stats)
    }

    /// Syncs what is due, and makes room when the disk runs full.
    pub(super) fn tick(&self) {
        // A disk that does not tell leaves only the other limits.
        let free = statvfs(&self.folder).map(|disk| disk.blocks_available() * disk.fragment_size());
        let ticked = {
            let mut flows = lock(&self.flows);
            let room = free.map_or(Ok(0), |free| flows.set_free(free));
            flows.tick(now()).and(room.map(drop))
        };
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

    fn append(&self, batch: &Batch) {
        self.given.fetch_add(batch.flows.len() as u64, Ordering::Relaxed);
        let appended = lock(&self.flows).append(batch, now());
        self.note(appended.map_err(|error| error.to_string()));
    }

    fn note(&self, outcome: std::result::Result<(), String>) {
        *lock(&self.trouble) = outcome.err();
    }

    fn keep(&self, records: Vec<EventRecord>) {
        let mut events = lock(&self.events);
        let Events { runtime, keeper, .. } = &mut *events;
        runtime.block_on(keeper.keep(records));
    }

    /// Everything is on the disk.
    pub(super) fn finish(&self) -> Result<()> {
        self.count_hidden();
        lock(&self.flows).finish(now())?;
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
