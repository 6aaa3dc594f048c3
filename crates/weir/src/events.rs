//! The event database beside the pipeline: one thread with its own small runtime stores events, and a consumer holds
//! every event back from the next one until it is stored. So nobody is told of an event that is not on disk.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use weir_model::Batch;
use weir_store::event::{EventRecord, Keeper, KeeperStats, Place, Spool};
use weir_triage::Change;

use crate::pipeline::Consumer;
use crate::syscheck::Notice;

/// Groups of events under way to the database. Few: while it is slow they gather in larger groups, which it stores
/// faster; past it the output thread waits, because events are never dropped.
const GROUPS_QUEUED: usize = 64;
/// Answers not heard yet. They are heard after every group that goes off, so never more than the groups queued, the one
/// being stored and the one going off: the two threads cannot wait for each other.
const ANSWERS_QUEUED: usize = 2 * GROUPS_QUEUED;
/// Events stored in one transaction.
const GROUP_MAX: usize = 256;
/// What may wait on disk while the database cannot be written: some ten thousand events with all their evidence.
const SPOOL_BYTES_MAX: u64 = 256 << 20;

/// What became of the events of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub stats: KeeperStats,
    /// Where events still wait, and why; they come in at the next start.
    pub waiting: Option<(PathBuf, String)>,
}

impl Outcome {
    /// What the operator should know; nothing when all went well.
    pub fn trouble_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some((path, why)) = &self.waiting {
            lines.push(format!(
                "events wait in {} and are stored at the next start: {why}",
                path.display()
            ));
        }
        let stats = &self.stats;
        for (count, what) in [
            (
                stats.lost,
                "events were lost: the database failed and the spool had no room",
            ),
            (stats.rejected, "events were refused by the database"),
            (stats.torn, "events in the spool were damaged"),
        ] {
            if count > 0 {
                lines.push(format!("{count} {what}"));
            }
        }
        lines
    }
}

/// Stores the events, then tells them to the consumer behind it; without a database it only tells.
pub struct StoreFirst<C> {
    inner: C,
    database: Option<Database>,
}

/// The database's thread, and what is under way to it.
struct Database {
    groups: Option<SyncSender<Vec<EventRecord>>>,
    stored: Receiver<usize>,
    thread: JoinHandle<Outcome>,
    /// The group being gathered; it goes off with the next batch.
    group: Vec<EventRecord>,
    /// Not told yet, in order.
    untold: VecDeque<Change>,
}

impl<C: Consumer> StoreFirst<C> {
    /// Opens the database at `place`; without a place it only tells. An error here is final; one later sends events to
    /// the spool.
    pub fn open(place: Option<Place>, inner: C) -> Result<Self> {
        let Some(place) = place else {
            return Ok(Self {
                inner,
                database: None,
            });
        };
        let path = spool_of(&place)?;
        let (groups, received) = sync_channel(GROUPS_QUEUED);
        let (store, stored) = sync_channel(ANSWERS_QUEUED);
        let (ready, opened) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || keep(place, &path, &received, &store, &ready))?;
        match opened.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(anyhow!("the event database's thread ended")),
        }
        Ok(Self {
            inner,
            database: Some(Database {
                groups: Some(groups),
                stored,
                thread,
                group: Vec::new(),
                untold: VecDeque::new(),
            }),
        })
    }

    /// Waits until everything is stored and told. Returns the consumer, and what became of the events.
    pub fn finish(self) -> Result<(C, Option<Outcome>)> {
        let Self { mut inner, database } = self;
        let Some(mut database) = database else {
            return Ok((inner, None));
        };
        database.send();
        database.groups = None;
        while let Ok(stored) = database.stored.recv() {
            database.tell(stored, &mut inner)?;
        }
        let outcome = database
            .thread
            .join()
            .map_err(|_| anyhow!("the event database's thread panicked"))?;
        Ok((inner, Some(outcome)))
    }
}

impl Database {
    fn send(&mut self) {
        let group = std::mem::take(&mut self.group);
        if let Some(groups) = self.groups.as_ref().filter(|_| !group.is_empty()) {
            // It hangs up only when it panicked, which `finish` tells.
            let _ = groups.send(group);
        }
    }

    /// Sends the group off and tells what has been stored meanwhile.
    fn exchange<C: Consumer>(&mut self, inner: &mut C) -> io::Result<()> {
        self.send();
        loop {
            match self.stored.try_recv() {
                Ok(stored) => self.tell(stored, inner)?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => {
                    return Err(io::Error::other("the event database's thread ended"));
                }
            }
        }
    }

    /// Tells what has been stored.
    fn tell<C: Consumer>(&mut self, stored: usize, inner: &mut C) -> io::Result<()> {
        self.untold
            .drain(..stored.min(self.untold.len()))
            .try_for_each(|change| inner.change(change))
    }
}

impl<C: Consumer> Consumer for StoreFirst<C> {
    fn batch(&mut self, batch: &Batch) -> io::Result<()> {
        if let Some(database) = &mut self.database {
            database.exchange(&mut self.inner)?;
        }
        self.inner.batch(batch)
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        let Some(database) = &mut self.database else {
            return self.inner.change(change);
        };
        let (Change::Opened(event) | Change::Updated(event) | Change::Closed(event)) = &change;
        let record = EventRecord::from_line(&weir_output::json::event(event)).map_err(io::Error::other)?;
        database.group.push(record);
        database.untold.push_back(change);
        if database.group.len() >= GROUP_MAX {
            database.exchange(&mut self.inner)?;
        }
        Ok(())
    }

    fn notice(&mut self, notice: &Notice) -> io::Result<()> {
        self.inner.notice(notice)
    }
}

/// The thread: groups in, numbers of stored events out.
fn keep(
    place: Place,
    path: &Path,
    groups: &Receiver<Vec<EventRecord>>,
    stored: &SyncSender<usize>,
    ready: &SyncSender<Result<()>>,
) -> Outcome {
    let nothing = Outcome {
        stats: KeeperStats::default(),
        waiting: None,
    };
    let opened = Spool::open(path, SPOOL_BYTES_MAX)
        .with_context(|| format!("the events' spool {}", path.display()))
        .and_then(|spool| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let keeper = runtime.block_on(Keeper::open(place, spool))?;
            Ok((runtime, keeper))
        });
    let (runtime, mut keeper) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let _ = ready.send(Err(error));
            return nothing;
        }
    };
    if ready.send(Ok(())).is_err() {
        return nothing;
    }
    while let Ok(mut group) = groups.recv() {
        while group.len() < GROUP_MAX
            && let Ok(more) = groups.try_recv()
        {
            group.extend(more);
        }
        let count = group.len();
        runtime.block_on(keeper.keep(group));
        if stored.send(count).is_err() {
            break;
        }
    }
    let empty = runtime.block_on(keeper.finish());
    let why = keeper.trouble().unwrap_or("the database did not answer");
    Outcome {
        stats: keeper.stats(),
        waiting: (!empty).then(|| (path.to_owned(), why.to_owned())),
    }
}

/// Where events of this database wait: beside it, or for a server in the user's state folder.
fn spool_of(place: &Place) -> Result<PathBuf> {
    match place {
        Place::Folder(folder) => Ok(folder.join("events.spool")),
        Place::Url(_) | Place::Mongo(_) => {
            let from = |name: &str| {
                std::env::var_os(name)
                    .filter(|value| !value.is_empty())
                    .map(PathBuf::from)
            };
            let state = from("XDG_STATE_HOME")
                .or_else(|| Some(from("HOME")?.join(".local/state")))
                .context("events that must wait need a folder: set XDG_STATE_HOME")?;
            // One file a database; the URL without its password tells them apart.
            let name: String = place
                .shown()
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                .take(120)
                .collect();
            Ok(state.join("weir").join(format!("{name}.spool")))
        }
    }
}
