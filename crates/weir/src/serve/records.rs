//! Where `weir serve` keeps flow records: in its folder, in an object store, or in a ClickHouse. In the last two a thread sends
//! what is durable on this machine already.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::statvfs::statvfs;
use weir_api::Flows;
use weir_api::status::StoreStatus;
use weir_model::Batch;
use weir_store::flow::clickhouse::{Client, Feed, Held, Place, held};
use weir_store::flow::profile::{Profile, RollupCounters};
use weir_store::flow::{FlowStore, Health, Limits, Pins, StoreError};
use weir_store::object::ObjectDisk;
use weir_store::{Delivery, Disk, LocalDisk};

use super::setting::now;
use crate::storing::{self, OnObjects, Outside, Store};

/// How often a ClickHouse is asked what it holds.
const HELD_EVERY: Duration = Duration::from_secs(60);
/// How long a stop waits for what is on its way; what is not sent then is sent by the next start.
const LAST: Duration = Duration::from_secs(2);

/// The writer's end.
pub(super) enum Records {
    Folder(Box<FlowStore>),
    Objects {
        store: Box<FlowStore>,
        disk: Arc<ObjectDisk>,
        local: PathBuf,
    },
    ClickHouse {
        feed: Feed,
        spool: PathBuf,
    },
}

/// What the writer counted since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    /// Flow records; in a ClickHouse transactions as well.
    pub(super) offered: u64,
    pub(super) dropped: u64,
    /// What profiles could not count.
    pub(super) profiles: RollupCounters,
}

/// The thread that sends, and what it hears of the other end.
pub(super) struct Sending {
    going_on: Mutex<Option<SyncSender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    held: Arc<Mutex<Option<Held>>>,
}

impl Sending {
    fn start(
        mut step: impl FnMut() -> Delivery + Send + 'static,
        held: Arc<Mutex<Option<Held>>>,
    ) -> Result<Self> {
        let (going_on, ended) = sync_channel(0);
        let thread = thread::Builder::new()
            .name("sending".to_owned())
            .spawn(move || storing::send(&mut step, &ended))?;
        Ok(Self {
            going_on: Mutex::new(Some(going_on)),
            thread: Mutex::new(Some(thread)),
            held,
        })
    }

    /// Sends what is left, for a moment.
    pub(super) fn end(&self) {
        drop(lock(&self.going_on).take());
        let Some(thread) = lock(&self.thread).take() else {
            return;
        };
        let until = Instant::now() + LAST;
        while !thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Opens the place, for writing and for searches.
pub(super) fn open(
    name: &Path,
    site: &str,
    limits: &Limits,
    profiles: &[Profile],
) -> Result<(Records, Flows, Option<Sending>)> {
    match storing::open_limited(name, site, limits, Some(profiles))? {
        Store::Folder(store) => {
            let disk: Arc<dyn Disk> = Arc::new(LocalDisk::reading(name));
            let shared = store.shared().0;
            let profiles = store.profiles().shared();
            Ok((
                Records::Folder(store),
                Flows::Own {
                    disk,
                    shared,
                    profiles,
                },
                None,
            ))
        }
        Store::Objects(objects) => {
            let OnObjects { store, disk, local } = *objects;
            let flows = Flows::Own {
                disk: disk.clone(),
                shared: store.shared().0,
                profiles: store.profiles().shared(),
            };
            let sent = disk.clone();
            let sending = Sending::start(move || sent.step(), Arc::default())?;
            let records = Records::Objects {
                store: Box::new(store),
                disk,
                local,
            };
            Ok((records, flows, Some(sending)))
        }
        Store::ClickHouse(outside) => {
            let Outside {
                feed,
                mut sender,
                spool,
            } = *outside;
            let url = storing::clickhouse_url(name).context("the URL of a ClickHouse")?;
            let client = Client::new(Place::parse(url)?);
            let flows = Flows::ClickHouse {
                client: Arc::new(client.clone()),
                site: site.to_owned(),
            };
            let books = Arc::<Mutex<Option<Held>>>::default();
            let (written, mut asked) = (books.clone(), None::<Instant>);
            let step = move || {
                if asked.is_none_or(|at| at.elapsed() >= HELD_EVERY) {
                    asked = Some(Instant::now());
                    if let Ok([flows, _]) = held(&client) {
                        *lock(&written) = Some(flows);
                    }
                }
                sender.step()
            };
            let sending = Sending::start(step, books)?;
            Ok((Records::ClickHouse { feed, spool }, flows, Some(sending)))
        }
    }
}

impl Records {
    /// What is pinned; nothing in a ClickHouse, where days go as a whole.
    pub(super) fn pins(&self) -> Pins {
        match self {
            Self::Folder(store) | Self::Objects { store, .. } => store.pins().clone(),
            Self::ClickHouse { .. } => Pins::default(),
        }
    }

    /// Keeps what is pinned.
    pub(super) fn pin(&mut self, pins: &Pins) -> Result<(), StoreError> {
        match self {
            Self::Folder(store) | Self::Objects { store, .. } => store.set_pins(pins),
            Self::ClickHouse { .. } => Ok(()),
        }
    }

    pub(super) fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        match self {
            Self::Folder(store) | Self::Objects { store, .. } => store.append(batch, now()),
            Self::ClickHouse { feed, .. } => feed.append(batch, now()),
        }
    }

    /// Syncs what is due; in a folder, makes room when its disk runs full.
    pub(super) fn tick(&mut self, folder: &Path) -> Result<(), StoreError> {
        match self {
            Self::Folder(store) => {
                // A disk that does not tell leaves only the other limits.
                let free = statvfs(folder).map(|disk| disk.blocks_available() * disk.fragment_size());
                let room = free.map_or(Ok(0), |free| store.set_free(free));
                store.tick(now()).and(room.map(drop))
            }
            Self::Objects { store, .. } => store.tick(now()),
            Self::ClickHouse { feed, .. } => feed.tick(now()),
        }
    }

    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Folder(store) | Self::Objects { store, .. } => store.finish(now()),
            Self::ClickHouse { feed, .. } => feed.finish(now()),
        }
    }

    /// Rows, bytes, days left and troubles, and what was counted.
    pub(super) fn state(&self, readers: &Flows, sending: Option<&Sending>) -> (StoreStatus, Counted) {
        let rows = match readers {
            Flows::Own { shared, .. } => shared.latest().rows(),
            Flows::ClickHouse { .. } => 0,
        };
        match self {
            Self::Folder(store) => own(store, rows, None, "the disk is full"),
            Self::Objects { store, disk, local } => {
                let waits = storing::parts_waiting(&disk.waiting(), local);
                own(
                    store,
                    rows,
                    waits,
                    "too much waits to be sent, or the disk is full",
                )
            }
            Self::ClickHouse { feed, spool } => {
                let spooled = feed.spooled();
                let held = sending.and_then(|sending| *lock(&sending.held));
                // Blocks always wait for a moment; it is a trouble when they cannot be sent.
                let wait = spooled.trouble.is_some() || spooled.rows_refused > 0;
                let waits = wait.then(|| storing::rows_waiting(&spooled, spool)).flatten();
                let status = StoreStatus {
                    name: "flows".to_owned(),
                    rows: held.map_or(spooled.rows_sent, |held| held.rows),
                    bytes: held.map_or(0, |held| held.bytes),
                    days_left: held.and_then(|held| held.days_left()),
                    trouble: trouble(feed.health(), "the spool is full").or(waits),
                };
                let counted = Counted {
                    offered: spooled.rows_offered,
                    dropped: spooled.rows_dropped,
                    profiles: RollupCounters::default(),
                };
                (status, counted)
            }
        }
    }
}

fn own(store: &FlowStore, rows: u64, waits: Option<String>, full: &str) -> (StoreStatus, Counted) {
    let stored = store.stored();
    let status = StoreStatus {
        name: "flows".to_owned(),
        rows,
        bytes: stored.bytes,
        days_left: store.fullness().days_left,
        trouble: trouble(store.health(), full).or(waits),
    };
    let counted = Counted {
        offered: stored.flows.rows_offered,
        dropped: stored.flows.rows_dropped,
        profiles: stored.profiles,
    };
    (status, counted)
}

fn trouble(health: Health, full: &str) -> Option<String> {
    match health {
        Health::Writing => None,
        Health::Full(_) => Some(format!("{full}; it goes on by itself when there is room")),
        Health::Failing(_) => Some("the disk fails".to_owned()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
