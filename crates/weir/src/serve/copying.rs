//! A second database of events, on a thread of its own: however slow it is or long away, nobody waits for it. What it does not
//! take waits in a spool.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use weir_api::status::StoreStatus;
use weir_store::event::{EventRecord, Keeper, Place, Spool};

/// Its name in health.
const NAME: &str = "events-copy";
/// What may wait on disk while it cannot be written.
const SPOOL_BYTES_MAX: u64 = 256 << 20;
/// Groups on their way to the thread. It writes them to the spool when a try takes long, so more mean a disk that hangs.
const GROUPS_QUEUED: usize = 1024;
/// Without events for so long, what waits is tried again.
const SILENCE: Duration = Duration::from_secs(1);
/// How long a stop waits for the thread; what is not sent then waits in the spool.
const LAST: Duration = Duration::from_secs(15);

/// The thread's two ends.
pub(super) struct Copying {
    groups: Mutex<Option<SyncSender<Vec<EventRecord>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    told: Arc<Mutex<Told>>,
}

/// What the thread did.
#[derive(Clone, Debug, Default)]
struct Told {
    stored: u64,
    spool_bytes: u64,
    trouble: Option<String>,
}

impl Copying {
    /// Begins. The database may be away.
    pub(super) fn start(url: &str, folder: &Path) -> Result<Self> {
        let path = folder.join(format!("{NAME}.spool"));
        let spool = Spool::open(&path, SPOOL_BYTES_MAX).with_context(|| path.display().to_string())?;
        let keeper = Keeper::waiting(Place::parse(url), spool);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (groups, received) = sync_channel(GROUPS_QUEUED);
        let told = Arc::<Mutex<Told>>::default();
        let telling = told.clone();
        let thread = thread::Builder::new().name(NAME.to_owned()).spawn(move || {
            runtime.block_on(copy(keeper, &received, &path, &telling));
        })?;
        Ok(Self {
            groups: Mutex::new(Some(groups)),
            thread: Mutex::new(Some(thread)),
            told,
        })
    }

    /// Hands events over.
    pub(super) fn keep(&self, records: Vec<EventRecord>) {
        let groups = lock(&self.groups).clone();
        // The thread ends only with the sender.
        let sent = groups.is_some_and(|groups| groups.send(records).is_ok());
        if !sent {
            lock(&self.told).trouble = Some("the thread of the second event database has ended".to_owned());
        }
    }

    /// For health.
    pub(super) fn status(&self) -> StoreStatus {
        let told = lock(&self.told).clone();
        StoreStatus {
            name: NAME.to_owned(),
            rows: told.stored,
            bytes: told.spool_bytes,
            days_left: None,
            trouble: told.trouble,
        }
    }

    /// Sends what is left, for a moment.
    pub(super) fn end(&self) {
        drop(lock(&self.groups).take());
        let Some(thread) = lock(&self.thread).take() else {
            return;
        };
        let until = Instant::now() + LAST;
        while !thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

async fn copy(mut keeper: Keeper, groups: &Receiver<Vec<EventRecord>>, spool: &Path, told: &Mutex<Told>) {
    loop {
        match groups.recv_timeout(SILENCE) {
            Ok(records) => keeper.keep(records).await,
            Err(RecvTimeoutError::Timeout) => keeper.tick().await,
            Err(RecvTimeoutError::Disconnected) => break,
        }
        *lock(told) = Told {
            stored: keeper.stats().stored,
            spool_bytes: std::fs::metadata(spool).map_or(0, |file| file.len()),
            trouble: keeper.trouble().map(str::to_owned),
        };
    }
    keeper.finish().await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
