//! Rows on their way to ClickHouse: gathered for a second at most, then written as a block (one file: RowBinary under
//! zstd, as the INSERT sends it) and synced. A block is only removed when ClickHouse has it. Bounded: while it is down and
//! the folder is full, further rows are refused and counted, and what was taken stays.
//!
//! `blocks/0000000000000007-0123456789abcdef-flows-1024-89abcdef.zst` is block 7 of the run with that random number: 1,024
//! rows of the table flows, CRC-32 89abcdef. Its name is the token by which ClickHouse knows a block it has seen.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_model::{Batch, NANOS_PER_S, Time};

use super::super::StoreError;
use super::super::writer::Health;
use super::table::{Put, Table, write_flow, write_transaction};
use crate::disk::{Disk, LocalDisk};

/// Nanoseconds until rows become a block even when they are few: what a crash can cost, and how often ClickHouse likes
/// an INSERT.
const SEAL_EVERY: i64 = NANOS_PER_S;
/// Days that rows of a block may have: each is a part of its own in ClickHouse. Rows of further days go to the day of the
/// clock.
const DAYS_MAX: usize = 16;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_S;
const FOLDER: &str = "blocks";
/// Blocks that ClickHouse refuses, for people to look at.
pub(super) const REFUSED: &str = "refused";
const UNFINISHED: &str = "unfinished-";

/// Limits of a spool.
#[derive(Clone, Debug)]
pub struct SpoolLimits {
    /// Rows of a block; fewer when its second is over.
    pub block_rows: usize,
    /// Bytes of all files in the folder.
    pub bytes_max: u64,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self {
            block_rows: 65_536,
            bytes_max: 4 << 30,
        }
    }
}

impl Block {
    /// The same whenever the block is sent, another for any other block.
    pub(super) fn token(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".zst").unwrap_or(name)
    }
}

/// What became of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spooled {
    pub rows_offered: u64,
    /// Rows that a crash cannot lose any more.
    pub rows_acknowledged: u64,
    /// Rows that found no room, or that the disk did not take.
    pub rows_dropped: u64,
    /// Rows in blocks of earlier runs.
    pub rows_recovered: u64,
    /// Rows ClickHouse has taken.
    pub rows_sent: u64,
    /// Rows in blocks that ClickHouse does not take or whose checksum failed; they lie in the folder `refused`.
    pub rows_refused: u64,
    /// Rows and bytes of blocks that wait.
    pub rows_waiting: u64,
    pub bytes_waiting: u64,
    /// Why nothing is sent now.
    pub trouble: Option<String>,
}

/// A block on disk; its name is in the path.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) table: Table,
    pub(super) path: String,
    pub(super) rows: u64,
    bytes: u64,
    pub(super) crc: u32,
}

#[derive(Debug, Default)]
struct State {
    done: Spooled,
    blocks: BTreeMap<u64, Block>,
    /// Bytes of all files, refused ones too.
    bytes: u64,
    health: Option<Health>,
}

/// What the two ends share.
pub(super) struct Spool {
    pub(super) disk: Arc<dyn Disk>,
    limits: SpoolLimits,
    state: Mutex<State>,
    _lock: Option<File>,
}

/// The end that takes rows. One owner.
pub struct Feed {
    spool: Arc<Spool>,
    site: String,
    /// Random number of this run, and the number of the next block.
    run: u64,
    next: u64,
    waiting: [Waiting; 2],
    sealed: Option<Time>,
}

/// Rows of a table that are not a block yet.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Where each row begins, and the day of its start.
    rows: Vec<(usize, i64)>,
}

impl Spool {
    pub(super) fn open(folder: &Path, limits: SpoolLimits) -> Result<Arc<Self>, StoreError> {
        let disk = LocalDisk::new(folder)?;
        let lock = disk.lock()?.ok_or(StoreError::Busy)?;
        let mut spool = Self::on(Arc::new(disk), limits)?;
        spool._lock = Some(lock);
        Ok(Arc::new(spool))
    }

    pub(super) fn on(disk: Arc<dyn Disk>, limits: SpoolLimits) -> Result<Self, StoreError> {
        for folder in [FOLDER, REFUSED] {
            disk.make_folder(folder)?;
        }
        let mut state = State::default();
        for entry in disk.list(REFUSED)? {
            state.bytes += entry.bytes;
        }
        for entry in disk.list(FOLDER)? {
            let path = format!("{FOLDER}/{}", entry.name);
            match named(&entry.name, &path, entry.bytes) {
                Some((sequence, block)) => {
                    state.bytes += block.bytes;
                    state.done.rows_recovered += block.rows;
                    state.blocks.insert(sequence, block);
                }
                // Of a block that was being written when the program was stopped.
                None => disk.remove(&path)?,
            }
        }
        Ok(Self {
            disk,
            limits,
            state: Mutex::new(state),
            _lock: None,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest block.
    pub(super) fn first(&self) -> Option<(u64, Block)> {
        let state = self.state();
        state
            .blocks
            .first_key_value()
            .map(|(at, block)| (*at, block.clone()))
    }

    /// ClickHouse has the block.
    pub(super) fn sent(&self, sequence: u64, block: &Block) {
        // A file that stays is sent again at the next start, and counts once by its token.
        let removed = self.disk.remove(&block.path).is_ok();
        let mut state = self.state();
        state.blocks.remove(&sequence);
        state.done.rows_sent += block.rows;
        state.done.trouble = None;
        if removed {
            state.bytes -= block.bytes.min(state.bytes);
        }
    }

    /// The block is of no use: it is set aside.
    pub(super) fn refused(&self, sequence: u64, block: &Block, why: String) {
        let name = block.path.rsplit('/').next().unwrap_or_default();
        // What cannot be set aside is met again at the next start.
        let _ = self.disk.rename(&block.path, &format!("{REFUSED}/{name}"));
        let mut state = self.state();
        state.blocks.remove(&sequence);
        state.done.rows_refused += block.rows;
        state.done.trouble = Some(why);
    }

    /// Nothing can be sent now.
    pub(super) fn trouble(&self, why: String) {
        self.state().done.trouble = Some(why);
    }

    /// What became of the rows so far.
    pub(super) fn spooled(&self) -> Spooled {
        let state = self.state();
        Spooled {
            rows_waiting: state.blocks.values().map(|block| block.rows).sum(),
            bytes_waiting: state.blocks.values().map(|block| block.bytes).sum(),
            ..state.done.clone()
        }
    }
}

impl Feed {
    pub(super) fn new(spool: Arc<Spool>, site: &str) -> Result<Self, StoreError> {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !site.bytes().all(named) || !(1..=64).contains(&site.len()) {
            return Err(StoreError::Site(site.to_owned()));
        }
        let last = spool.state().blocks.last_key_value().map(|(at, _)| *at);
        Ok(Self {
            run: getrandom::u64().map_err(std::io::Error::other)?,
            next: last.map_or(0, |last| last + 1),
            spool,
            site: site.to_owned(),
            waiting: Default::default(),
            sealed: None,
        })
    }

    /// Takes the records of a batch; they are safe when their second is over, see [`Self::tick`].
    ///
    /// # Errors
    /// When there is no room for them: the spool is full of blocks that ClickHouse did not take, or the disk fails.
    pub fn append(&mut self, batch: &Batch, now: Time) -> Result<(), StoreError> {
        let put = Put {
            site: &self.site,
            day: 0,
        };
        let [flows, transactions] = &mut self.waiting;
        for flow in &batch.flows {
            flows
                .rows
                .push((flows.bytes.len(), flow.start.0.div_euclid(NANOS_PER_DAY)));
            write_flow(flow, put, &mut flows.bytes);
        }
        for one in &batch.transactions {
            let day = one.start.0.div_euclid(NANOS_PER_DAY);
            transactions.rows.push((transactions.bytes.len(), day));
            write_transaction(one, put, &mut transactions.bytes);
        }
        let offered = batch.flows.len() + batch.transactions.len();
        self.spool.state().done.rows_offered += offered as u64;
        let mut outcome = Ok(());
        for at in 0..self.waiting.len() {
            if self.waiting[at].rows.len() >= self.spool.limits.block_rows {
                outcome = outcome.and(self.seal(at, now));
            }
        }
        outcome.and(self.tick(now))
    }

    /// Makes rows durable when their second is over. To be called when no batch comes, too.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn tick(&mut self, now: Time) -> Result<(), StoreError> {
        let last = *self.sealed.get_or_insert(now);
        if now.since(last) >= SEAL_EVERY || now < last {
            self.finish(now)
        } else {
            Ok(())
        }
    }

    /// Makes all rows durable.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn finish(&mut self, now: Time) -> Result<(), StoreError> {
        self.sealed = Some(now);
        let sealed = self.seal(0, now);
        sealed.and(self.seal(1, now))
    }

    /// What became of the rows so far.
    pub fn spooled(&self) -> Spooled {
        self.spool.spooled()
    }

    /// Can rows be taken?
    pub fn health(&self) -> Health {
        self.spool.state().health.unwrap_or(Health::Writing)
    }

    /// Writes what waits for a table as a block. Rows that cannot be written are dropped and counted.
    fn seal(&mut self, at: usize, now: Time) -> Result<(), StoreError> {
        let mut waiting = std::mem::take(&mut self.waiting[at]);
        if waiting.rows.is_empty() {
            return Ok(());
        }
        waiting.days(1 + self.site.len(), now.0.div_euclid(NANOS_PER_DAY));
        let rows = waiting.rows.len() as u64;
        let written = self.write(Table::ALL[at], rows, &waiting.bytes);
        // Also after a failure, which may leave a file: no number is given twice.
        self.next += 1;
        let mut state = self.spool.state();
        match written {
            Ok(block) => {
                state.bytes += block.bytes;
                state.done.rows_acknowledged += rows;
                state.blocks.insert(self.next - 1, block);
                state.health = None;
                Ok(())
            }
            Err(error) => {
                state.done.rows_dropped += rows;
                state.health = Some(match (&error, state.health) {
                    (StoreError::Full, Some(Health::Full(since))) => Health::Full(since),
                    (StoreError::Full, _) => Health::Full(now),
                    (_, Some(Health::Failing(since))) => Health::Failing(since),
                    (_, _) => Health::Failing(now),
                });
                Err(error)
            }
        }
    }

    fn write(&self, table: Table, rows: u64, bytes: &[u8]) -> Result<Block, StoreError> {
        let zstd = zstd::encode_all(bytes, 1).map_err(StoreError::Disk)?;
        if self.spool.state().bytes + zstd.len() as u64 > self.spool.limits.bytes_max {
            return Err(StoreError::Full);
        }
        let disk = &*self.spool.disk;
        let crc = crc32fast::hash(&zstd);
        let (next, run, table_name) = (self.next, self.run, table.name());
        let path = format!("{FOLDER}/{next:016}-{run:016x}-{table_name}-{rows}-{crc:08x}.zst");
        // A name never used before: whatever a loss of power leaves of others' names, none of them becomes this block.
        let unfinished = format!("{FOLDER}/{UNFINISHED}{run:016x}-{next}");
        let written = disk.create(&unfinished).and_then(|mut file| {
            file.append(&zstd)?;
            file.sync()
        });
        let named = written.and_then(|()| disk.rename(&unfinished, &path));
        if let Err(error) = named {
            // What is left of it is removed at the next start if not now.
            let _ = disk.remove(&unfinished);
            return Err(error.into());
        }
        disk.sync_folder(FOLDER)?;
        Ok(Block {
            table,
            path,
            rows,
            bytes: zstd.len() as u64,
            crc,
        })
    }
}

impl Waiting {
    /// Writes the day into each row, `offset` bytes behind its beginning: that of its start, or `today` where a block would
    /// have too many days or the day is none that ClickHouse has.
    fn days(&mut self, offset: usize, today: i64) {
        let known = |day: i64| u16::try_from(day).ok().filter(|day| *day <= DAY_MAX);
        let mut counts = BTreeMap::<u16, usize>::new();
        for day in self.rows.iter().filter_map(|(_, day)| known(*day)) {
            *counts.entry(day).or_default() += 1;
        }
        let mut by_count: Vec<(usize, u16)> = counts.into_iter().map(|(day, rows)| (rows, day)).collect();
        by_count.sort_unstable_by(|a, b| b.cmp(a));
        by_count.truncate(DAYS_MAX);
        let own: Vec<u16> = by_count.into_iter().map(|(_, day)| day).collect();
        let today = u16::try_from(today.clamp(0, DAY_MAX.into())).unwrap_or(DAY_MAX);
        for (at, day) in &self.rows {
            let day = known(*day).filter(|day| own.contains(day));
            let place = at + offset..at + offset + 2;
            self.bytes[place].copy_from_slice(&day.unwrap_or(today).to_le_bytes());
        }
    }
}

/// Last day that rows are put on, 2100-01-01: a TTL must not run over the end of ClickHouse's dates in 2149.
const DAY_MAX: u16 = 47_482;

fn named(name: &str, path: &str, bytes: u64) -> Option<(u64, Block)> {
    let mut fields = name.strip_suffix(".zst")?.split('-');
    let sequence = fields.next()?.parse().ok()?;
    let _run = fields.next()?;
    let table = fields.next()?;
    let table = Table::ALL.into_iter().find(|known| known.name() == table)?;
    let rows = fields.next()?.parse().ok()?;
    let crc = u32::from_str_radix(fields.next()?, 16).ok()?;
    let block = Block {
        table,
        path: path.to_owned(),
        rows,
        bytes,
        crc,
    };
    fields.next().is_none().then_some((sequence, block))
}
