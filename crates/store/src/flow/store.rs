//! The two tables of a site behind one handle, for the thread that owns them: batches in, once a second a sync, parts
//! when there is time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use weir_model::{Batch, NANOS_PER_S, Time};

use super::profile::{Profile, RollupCounters, Rollups};
use super::schema::VERSION;
use super::{
    Counters, Fullness, Health, Limits, Pins, Retention, Shared, StoreError, Table, Writer, to_batch,
    to_transaction_batch,
};
use crate::disk::{self, Disk, LocalDisk};
use crate::object::{ObjectDisk, Objects};

/// Nanoseconds between two syncs: what a crash can cost.
const SYNC_EVERY: i64 = NANOS_PER_S;
/// Nanoseconds until a disk that failed is tried with parts again: each try puts a whole generation in order.
const RETRY_EVERY: i64 = 5 * NANOS_PER_S;
/// Rows that one round of merging reads at most, so that appending does not wait long for it.
const MERGE_ROWS: u64 = 2 << 20;
/// Bytes of each table whose checksums a sync looks at, while a pass of [`Writer::scrub`] is under way: a terabyte takes
/// a day and a half, and a disk hardly notices.
const SCRUB_BYTES: u64 = 8 << 20;
/// File that says which schema the store has.
const VERSION_FILE: &str = "version";

/// The flow and transaction store of a site.
pub struct FlowStore {
    flows: Writer,
    transactions: Writer,
    profiles: Rollups,
    disk: Arc<dyn Disk>,
    synced: Option<Time>,
    /// When parts could not be made last.
    failed: Option<Time>,
    /// Bytes of the disk that nobody uses, as the owner said last.
    free: Option<u64>,
    retention: Retention,
    /// Held while this process writes.
    _lock: Option<File>,
}

/// What a store did, for the summary of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    pub flows: Counters,
    pub transactions: Counters,
    /// Of counted profiles.
    pub profiles: RollupCounters,
    /// Bytes of all parts of both tables now.
    pub bytes: u64,
}

impl FlowStore {
    /// Opens, or makes, the store in a folder, for writing: by one process at a time.
    pub fn open(folder: &Path, site: &str, limits: &Limits) -> Result<Self, StoreError> {
        let disk = LocalDisk::new(folder)?;
        let lock = disk.lock()?.ok_or(StoreError::Busy)?;
        let mut store = Self::on(Arc::new(disk), site, limits)?;
        store._lock = Some(lock);
        Ok(store)
    }

    /// Opens the store whose parts lie in an object store, for writing: by one process of one machine. Whoever owns it
    /// drives [`ObjectDisk::step`] from another thread.
    pub fn open_on_objects(
        folder: &Path,
        objects: Arc<dyn Objects>,
        site: &str,
        limits: &Limits,
    ) -> Result<(Self, Arc<ObjectDisk>), StoreError> {
        let (disk, lock) = ObjectDisk::writing(folder, objects, site)?;
        let disk = Arc::new(disk);
        let mut store = Self::on(disk.clone(), site, limits)?;
        store._lock = Some(lock);
        Ok((store, disk))
    }

    /// Opens the store on a disk that nobody else writes to.
    pub fn on(disk: Arc<dyn Disk>, site: &str, limits: &Limits) -> Result<Self, StoreError> {
        check_version(&*disk)?;
        let pins = Pins::read(&*disk)?;
        let open = |table| {
            let mut writer = Writer::open(disk.clone(), table, site, limits.clone())?;
            writer.set_pins(pins.clone());
            Ok::<_, StoreError>(writer)
        };
        let profiles = Rollups::open(&disk, site, &limits.profiles)?;
        let mut flows = open(Table::flows())?;
        // Parts of counted profiles outlive those of records, and a number of theirs stands for its records for ever.
        flows.begin_behind(profiles.highest());
        Ok(Self {
            flows,
            transactions: open(Table::transactions())?,
            profiles,
            disk,
            synced: None,
            failed: None,
            free: None,
            retention: limits.retention.clone(),
            _lock: None,
        })
    }

    /// Takes the records of a batch and does what is due at this moment of the wall clock. An error of kind
    /// [`StoreError::Full`] or [`StoreError::Disk`] means that rows were not taken, or not yet made durable; the store
    /// tries again by itself at the next call.
    pub fn append(&mut self, batch: &Batch, now: Time) -> Result<(), StoreError> {
        // What an earlier run left in the log becomes parts before it can be in the way of new rows.
        let before = self.make_parts(now, false);
        let flows = self.flows.append(to_batch(&batch.flows)?, now);
        if flows.is_err() {
            self.flows.drop_rows(batch.flows.len());
        }
        let transactions = self
            .transactions
            .append(to_transaction_batch(&batch.transactions)?, now);
        if transactions.is_err() {
            self.transactions.drop_rows(batch.transactions.len());
        }
        let due = self.tick(now);
        before.and(flows).and(transactions).and(due)
    }

    /// Syncs when a second has passed, and makes parts of what is ready. To be called when no batch comes, too.
    pub fn tick(&mut self, now: Time) -> Result<(), StoreError> {
        let last = *self.synced.get_or_insert(now);
        let due = now.since(last) >= SYNC_EVERY || now < last;
        if due {
            self.synced = Some(now);
        }
        let mut outcome = Ok(());
        if due {
            for writer in [&mut self.flows, &mut self.transactions] {
                outcome = outcome.and(writer.sync(now));
            }
        }
        outcome = outcome.and(self.make_parts(now, due));
        if due {
            for writer in [&mut self.flows, &mut self.transactions] {
                outcome = outcome.and(writer.scrub(now, SCRUB_BYTES));
            }
        }
        outcome
    }

    /// Makes parts of what waits, and merges and expires them when that is due; not at once after a failure.
    fn make_parts(&mut self, now: Time, due: bool) -> Result<(), StoreError> {
        let again = self
            .failed
            .is_none_or(|failed| now.since(failed) >= RETRY_EVERY || now < failed);
        let mut outcome = Ok(());
        let may =
            |writer: &Writer| (due || writer.waiting()) && (again || writer.health() == Health::Writing);
        if may(&self.flows) {
            outcome = self.count(now);
            if outcome.is_ok() {
                outcome = self.flows.maintain(now, MERGE_ROWS).map(drop);
            }
        }
        if may(&self.transactions) {
            outcome = outcome.and(self.transactions.maintain(now, MERGE_ROWS).map(drop));
        }
        if due && again {
            outcome = outcome.and(self.profiles.maintain(now, MERGE_ROWS));
        }
        if outcome.is_err() {
            self.failed = Some(now);
        }
        outcome
    }

    /// Counts the profiles of what becomes parts next.
    fn count(&mut self, now: Time) -> Result<(), StoreError> {
        let mut closed = self.flows.closed();
        let counted = closed.try_for_each(|(sequence, batches)| self.profiles.count(sequence, batches));
        drop(closed);
        counted.map_err(|error| self.flows.failed(error, now))
    }

    /// Everything is on the disk, in parts.
    pub fn finish(&mut self, now: Time) -> Result<(), StoreError> {
        self.flows.close(now)?;
        self.count(now)?;
        self.flows.finish(now)?;
        self.transactions.finish(now)?;
        self.profiles.finish(now)
    }

    /// Counts these profiles from now on, and that of all records; others end, and stay to be asked.
    ///
    /// # Errors
    /// When there are too many, a name cannot be one, or the disk fails.
    pub fn set_profiles(&mut self, profiles: &[Profile]) -> Result<(), StoreError> {
        self.profiles.set(profiles)
    }

    /// Counts a profile anew from all stored records; `told` hears parts done and parts in all, and says whether to go on.
    /// False when it was not to. See the module for what stays of earlier numbers.
    ///
    /// # Errors
    /// When no profile of this name is counted, a part cannot be read, or the disk fails.
    pub fn fill_profile(
        &mut self,
        name: &str,
        now: Time,
        told: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<bool, StoreError> {
        self.finish(now)?;
        let parts = self.flows.parts.clone();
        let (flows, profiles) = (&mut self.flows, &mut self.profiles);
        let filled = profiles.fill(name, &parts, || flows.take_sequence(), told)?;
        profiles.finish(now)?;
        Ok(filled)
    }

    /// Forgets a profile that is not counted any more. False when there is none of this name, or it is counted.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget_profile(&mut self, name: &str) -> Result<bool, StoreError> {
        self.profiles.forget(name)
    }

    /// The counted profiles.
    pub fn profiles(&self) -> &Rollups {
        &self.profiles
    }

    /// What is kept for somebody.
    pub fn pins(&self) -> &Pins {
        &self.flows.pins
    }

    /// Sets what is kept for somebody, durably.
    pub fn set_pins(&mut self, pins: &Pins) -> Result<(), StoreError> {
        pins.write(&*self.disk)?;
        self.flows.set_pins(pins.clone());
        self.transactions.set_pins(pins.clone());
        Ok(())
    }

    /// What was done.
    pub fn stored(&self) -> Stored {
        Stored {
            flows: self.flows.counters(),
            transactions: self.transactions.counters(),
            profiles: self.profiles.counters(),
            bytes: self.flows.fullness().bytes + self.transactions.fullness().bytes,
        }
    }

    /// Can both tables write? The worse of the two.
    pub fn health(&self) -> Health {
        match self.flows.health() {
            Health::Writing => self.transactions.health(),
            trouble => trouble,
        }
    }

    /// How full both tables are together; the nearer of the two limits says how many days are left.
    pub fn fullness(&self) -> Fullness {
        let (flows, transactions) = (self.flows.fullness(), self.transactions.fullness());
        let together = |a: Option<f64>, b: Option<f64>| a.map_or(b, |a| Some(a + b.unwrap_or(0.0)));
        let bytes_per_day = together(flows.bytes_per_day, transactions.bytes_per_day);
        let spare = self
            .free
            .map(|free| free.saturating_sub(self.retention.free_bytes.unwrap_or(0)));
        let until_full = spare.zip(bytes_per_day).map(|(spare, pace)| spare as f64 / pace);
        let days = [flows.days_left, transactions.days_left, until_full];
        Fullness {
            bytes: flows.bytes + transactions.bytes,
            bytes_per_day,
            days_left: days.into_iter().flatten().reduce(f64::min),
        }
    }

    /// Hears how many bytes of the disk nobody uses. Below [`Retention::free_bytes`] the oldest parts go, of both tables
    /// by their share; tells how many bytes went.
    pub fn set_free(&mut self, free: u64) -> Result<u64, StoreError> {
        self.free = Some(free);
        let wanted = self.retention.free_bytes.unwrap_or(0).saturating_sub(free);
        if wanted == 0 {
            return Ok(0);
        }
        let (flows, all) = (self.flows.fullness().bytes, self.fullness().bytes.max(1));
        let of_flows = (u128::from(wanted) * u128::from(flows) / u128::from(all)) as u64;
        let gone = self.flows.make_room(of_flows)? + self.transactions.make_room(wanted - of_flows)?;
        self.free = Some(free.saturating_add(gone));
        Ok(gone)
    }

    /// What readers on other threads see: flows, transactions.
    pub fn shared(&self) -> (Shared, Shared) {
        (self.flows.shared(), self.transactions.shared())
    }
}

/// Refuses a store of a later version; says in a new one which version it has.
fn check_version(disk: &dyn Disk) -> Result<(), StoreError> {
    match disk.open(VERSION_FILE) {
        Ok(file) => {
            let text = file.read_all()?;
            let found = std::str::from_utf8(&text).ok();
            match found.and_then(|text| text.trim().parse::<u32>().ok()) {
                Some(version) if version > VERSION => Err(StoreError::Later(version)),
                Some(_) => Ok(()),
                None => Err(StoreError::Damaged(VERSION_FILE.to_owned())),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(disk::replace(
            disk,
            VERSION_FILE,
            format!("{VERSION}\n").as_bytes(),
        )?),
        Err(error) => Err(error.into()),
    }
}
