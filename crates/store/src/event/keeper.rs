//! Keeps events, whatever the database does: in the database when it answers, else in the spool, from where they catch
//! up. Who asks is answered when the events are on disk in one of the two.

use std::time::{Duration, Instant};

use super::mongo::MongoSink;
use super::{EventRecord, EventStore, Place, Put, Spool, StoreError};

/// How long the database may take for a batch before it counts as failing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pauses between tries of a database that fails.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Events brought in from the spool at once.
const CATCH_UP: usize = 256;

/// What a keeper has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeeperStats {
    /// States of events taken, from the pipeline.
    pub taken: u64,
    /// In the database: new or newer.
    pub stored: u64,
    /// Older than what was stored.
    pub stale: u64,
    /// Went to the spool.
    pub spooled: u64,
    /// Came back from the spool.
    pub caught_up: u64,
    /// Refused by the database for what they are.
    pub rejected: u64,
    /// Found no place: the database failed and the spool was full or failed too.
    pub lost: u64,
    /// Lines of the spool that were torn or damaged.
    pub torn: u64,
    /// Tries that failed.
    pub failures: u64,
}

/// What takes the events.
#[derive(Clone, Debug)]
enum Database {
    Ours(EventStore),
    Mongo(MongoSink),
}

impl Database {
    async fn open(place: &Place) -> Result<Self, StoreError> {
        Ok(match place {
            Place::Mongo(url) => Self::Mongo(MongoSink::open(place, url).await?),
            Place::Folder(_) | Place::Url(_) => Self::Ours(EventStore::open(place).await?),
        })
    }

    async fn put(&self, records: &[EventRecord]) -> Result<Put, StoreError> {
        match self {
            Self::Ours(store) => store.put(records).await,
            Self::Mongo(sink) => sink.put(records).await,
        }
    }

    async fn close(&self) {
        match self {
            Self::Ours(store) => store.close().await,
            Self::Mongo(sink) => sink.close().await,
        }
    }
}

/// The one owner of event database and spool.
#[derive(Debug)]
pub struct Keeper {
    place: Place,
    database: Option<Database>,
    spool: Spool,
    stats: KeeperStats,
    pause: Duration,
    retry_at: Option<Instant>,
    /// Why the database failed last.
    trouble: Option<String>,
}

impl Keeper {
    /// Opens the database; what waits in the spool is brought in with the first events.
    pub async fn open(place: Place, spool: Spool) -> Result<Self, StoreError> {
        let database = Database::open(&place).await?;
        let mut keeper = Self::waiting(place, spool);
        keeper.database = Some(database);
        Ok(keeper)
    }

    /// A keeper whose database is opened when it can be: events wait in the spool until then.
    pub fn waiting(place: Place, spool: Spool) -> Self {
        Self {
            place,
            database: None,
            spool,
            stats: KeeperStats::default(),
            pause: PAUSE_MIN,
            retry_at: None,
            trouble: None,
        }
    }

    /// Keeps the records. When it returns they are on disk, except those `lost` counts.
    pub async fn keep(&mut self, records: Vec<EventRecord>) {
        self.stats.taken += records.len() as u64;
        if self.is_due() {
            self.catch_up().await;
        }
        if self.is_due() && self.write(&records).await {
            return;
        }
        match self.spool.append(records.iter().map(EventRecord::line)) {
            Ok(()) => self.stats.spooled += records.len() as u64,
            Err(error) => {
                self.stats.lost += records.len() as u64;
                let why = StoreError::Spool {
                    at: self.spool.path().display().to_string(),
                    why: error,
                };
                self.trouble = Some(why.to_string());
            }
        }
    }

    /// Brings in what waits when it is time for another try. To be called when no event comes.
    pub async fn tick(&mut self) {
        if self.is_due() {
            self.catch_up().await;
        }
    }

    /// Brings in what waits, without minding the pause. True when nothing waits any more.
    pub async fn finish(&mut self) -> bool {
        self.retry_at = None;
        self.catch_up().await;
        if let Some(database) = &self.database {
            database.close().await;
        }
        self.spool.is_empty()
    }

    /// What it has done.
    pub const fn stats(&self) -> KeeperStats {
        self.stats
    }

    /// Why the database or the spool failed last, while it has not worked since.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The waiting room.
    pub const fn spool(&self) -> &Spool {
        &self.spool
    }

    /// May the database be tried now?
    fn is_due(&self) -> bool {
        self.retry_at.is_none_or(|at| Instant::now() >= at)
    }

    async fn catch_up(&mut self) {
        while !self.spool.is_empty() {
            let Ok((lines, place)) = self.spool.peek(CATCH_UP) else {
                return;
            };
            self.stats.torn = self.spool.torn();
            let records: Vec<EventRecord> = lines
                .iter()
                .filter_map(|line| EventRecord::from_line(line).ok())
                .collect();
            self.stats.rejected += (lines.len() - records.len()) as u64;
            if !self.write(&records).await {
                return;
            }
            self.stats.caught_up += records.len() as u64;
            if self.spool.done(place).is_err() {
                return;
            }
        }
    }

    /// Writes the records. False when the database failed; those it refuses for what they are do not come again.
    async fn write(&mut self, records: &[EventRecord]) -> bool {
        match self.put(records).await {
            Ok(()) => true,
            Err(error) if error.is_record() && records.len() > 1 => {
                for one in records {
                    match self.put(std::slice::from_ref(one)).await {
                        Ok(()) => {}
                        Err(error) if error.is_record() => self.stats.rejected += 1,
                        Err(error) => return self.failed(&error),
                    }
                }
                true
            }
            Err(error) if error.is_record() => {
                self.stats.rejected += 1;
                true
            }
            Err(error) => self.failed(&error),
        }
    }

    async fn put(&mut self, records: &[EventRecord]) -> Result<(), StoreError> {
        let database = match &self.database {
            Some(database) => database.clone(),
            None => {
                let database = in_time(Database::open(&self.place)).await?;
                self.database.insert(database).clone()
            }
        };
        let put = in_time(database.put(records)).await?;
        self.stats.stored += put.stored;
        self.stats.stale += put.stale;
        (self.retry_at, self.pause, self.trouble) = (None, PAUSE_MIN, None);
        Ok(())
    }

    fn failed(&mut self, error: &StoreError) -> bool {
        self.stats.failures += 1;
        self.trouble = Some(error.to_string());
        self.retry_at = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        false
    }
}

async fn in_time<T>(what: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, what).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Database(sqlx::Error::PoolTimedOut)),
    }
}
