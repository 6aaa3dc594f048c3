//! The one writer of a table and site: rows go to the log and are acknowledged when it is synced, generations of rows
//! become parts, parts are merged. It owns no thread and reads no clock: its owner calls `append`, `sync` every second
//! and `maintain` when there is time, and passes the moment.
//!
//! A failed write or sync condemns the log segment it happened in (after a failed fsync nothing is known of a file).
//! What was acknowledged of it stays good; the rest is still in memory and goes to a new segment. Row numbers in the
//! frames tell a later start which copy counts.

mod parts;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use weir_model::Time;

use super::part::Part;
use super::retention::{Clock, Pins, Retention};
use super::rows;
use super::scrub::Scrub;
use super::snapshot::{Found, Shared, log_folder, segment_name};
use super::{StoreError, Table, log};
use crate::disk::{Append, Disk};
use parts::Combine;

/// Limits of a writer.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Rows of a log frame; fewer when a sync comes first.
    pub frame_rows: usize,
    /// Rows that are made into parts together: a full part each hour of a busy site. 60 to 150 bytes each in memory, and
    /// while they are put in order half as much again.
    pub generation_rows: usize,
    /// Seconds after which rows become parts even when they are few.
    pub generation_age_s: i64,
    /// Generations waiting to become parts, beside the one being filled. More are refused: the disk does not follow.
    pub generations_max: usize,
    /// Rows of a part that is not merged any further.
    pub part_rows: u64,
    /// What is kept.
    pub retention: Retention,
    /// What is kept of counted profiles, by step: half minutes, five minutes, days.
    pub profiles: [Retention; 3],
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_rows: 16_384,
            generation_rows: 1 << 20,
            generation_age_s: 300,
            generations_max: 3,
            part_rows: 1 << 20,
            retention: Retention::default(),
            profiles: Default::default(),
        }
    }
}

/// Segments that could not be removed yet; the log takes no further rows while there are more.
const STALE_MAX: usize = 64;

/// What a writer did since it was opened, and what it met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub rows_offered: u64,
    /// Rows that a crash cannot lose any more.
    pub rows_acknowledged: u64,
    /// Rows refused because memory was full of rows the disk did not take.
    pub rows_dropped: u64,
    /// Rows read from the log of an earlier run.
    pub rows_recovered: u64,
    /// Bytes of cut frames at the ends of segments.
    pub torn_bytes: u64,
    /// Damaged stretches of log segments; those segments were set aside.
    pub log_damaged: u64,
    /// Parts whose checksum held when it was looked at in the background.
    pub parts_checked: u64,
    /// Parts whose checksum failed; they were set aside.
    pub parts_damaged: u64,
    pub parts_written: u64,
    pub parts_merged: u64,
    pub parts_expired: u64,
    /// Writes, syncs and renames that failed.
    pub disk_failures: u64,
    pub log_bytes: u64,
    pub part_bytes_written: u64,
}

/// Can the store write?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Writing,
    /// Since this moment it cannot: the disk is full. It goes on by itself when there is room.
    Full(Time),
    /// Since this moment the disk fails.
    Failing(Time),
}

/// Rows that become parts together, and their log segment.
#[derive(Debug, Default)]
pub(super) struct Generation {
    pub(super) sequence: u64,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) rows: usize,
    /// The segment's file, if it has one.
    segment: Option<Stale>,
}

/// A segment file that is not, or soon not, needed.
#[derive(Clone, Debug)]
struct Stale {
    path: String,
    /// It may hold rows that a later segment has too: it has to be gone before that one is.
    condemned: bool,
    /// Damaged by something else than a crash: kept aside for people.
    damaged: bool,
}

/// The segment being written.
struct Segment {
    file: Box<dyn Append>,
    path: String,
    /// Written since the last sync.
    dirty: bool,
}

/// A table's writer.
pub struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) table: &'static Table,
    pub(super) site: String,
    pub(super) limits: Limits,
    pub(super) counters: Counters,
    pub(super) parts: Vec<Arc<Part>>,
    pub(super) clock: Clock,
    pub(super) pins: Pins,
    pub(super) scrub: Scrub,
    /// What merged rows go through.
    pub(super) combine: Option<Combine>,
    /// May a part have been written that failed afterwards?
    unsure: bool,
    health: Health,
    shared: Shared,
    segment: Option<Segment>,
    /// Being filled: batches that are acknowledged, that are written to the segment, and that are neither.
    open: Generation,
    acknowledged: usize,
    written: usize,
    opened: Option<Time>,
    frozen: VecDeque<Generation>,
    stale: VecDeque<Stale>,
    /// Parts merged into others, removed when no reader holds them.
    pub(super) retired: Vec<Arc<Part>>,
    next_row: u64,
    next_sequence: u64,
}

impl Writer {
    /// Opens the table of a site: cleans up behind a crash and reads the log's rows back. One process at a time; the
    /// caller holds the lock.
    pub fn open(
        disk: Arc<dyn Disk>,
        table: &'static Table,
        site: &str,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let named = site
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !named || !(1..=64).contains(&site.len()) {
            return Err(StoreError::Site(site.to_owned()));
        }
        let found = Found::on(&*disk, table, site)?;
        for path in &found.listing.unfinished {
            disk.remove(path)?;
            // Attempts are counted anew: the old name must be gone for good before one is used again.
            if let Some((folder, _)) = path.rsplit_once('/') {
                disk.sync_folder(folder)?;
            }
        }
        for part in &found.listing.merged {
            disk.remove(&part.path)?;
        }
        disk.make_folder(&log_folder(table, site))?;
        let highest = found.listing.parts.iter().map(|part| part.segments.1);
        let sequences = found.segments.iter().map(|segment| segment.sequence);
        let mut writer = Self {
            next_sequence: highest.chain(sequences).max().unwrap_or(0) + 1,
            disk,
            table,
            site: site.to_owned(),
            limits,
            counters: Counters::default(),
            parts: found.listing.parts.into_iter().map(Arc::new).collect(),
            clock: Clock::default(),
            pins: Pins::default(),
            scrub: Scrub::default(),
            combine: None,
            unsure: false,
            health: Health::Writing,
            shared: Shared::default(),
            segment: None,
            open: Generation::default(),
            acknowledged: 0,
            written: 0,
            opened: None,
            frozen: VecDeque::new(),
            stale: VecDeque::new(),
            retired: Vec::new(),
            next_row: 0,
        };
        for segment in found.segments {
            let rows = segment.batches.iter().map(RecordBatch::num_rows).sum();
            writer.counters.rows_recovered += rows as u64;
            writer.counters.torn_bytes += segment.torn_bytes;
            writer.counters.log_damaged += segment.corrupt;
            writer.next_row = writer.next_row.max(segment.rows_to);
            writer.frozen.push_back(Generation {
                sequence: segment.sequence,
                batches: segment.batches,
                rows,
                segment: Some(Stale {
                    path: segment.path,
                    // An earlier run may have condemned it; that is not written anywhere.
                    condemned: true,
                    damaged: segment.corrupt > 0,
                }),
            });
        }
        writer.publish();
        Ok(writer)
    }

    /// What it did.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Can it write?
    pub fn health(&self) -> Health {
        self.health
    }

    /// The handle for readers on other threads.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// Keeps parts of these spans; the caller reads and writes them ([`Pins::read`]).
    pub fn set_pins(&mut self, pins: Pins) {
        self.pins = pins;
    }

    /// Takes rows. They are acknowledged by a later [`Self::sync`]. An error means that they were not taken: memory is
    /// full of rows the disk does not take; the caller may sync and maintain, and offer them again or drop them.
    pub fn append(&mut self, rows: RecordBatch, now: Time) -> Result<(), StoreError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        if self.open.rows >= self.limits.generation_rows {
            self.sync(now)?;
        }
        if self.frozen.len() >= self.limits.generations_max || self.open.rows >= self.limits.generation_rows {
            return Err(match self.health {
                Health::Writing | Health::Full(_) => StoreError::Full,
                Health::Failing(_) => StoreError::Disk(std::io::ErrorKind::Other.into()),
            });
        }
        self.counters.rows_offered += rows.num_rows() as u64;
        self.open.rows += rows.num_rows();
        self.open.batches.push(rows);
        self.opened.get_or_insert(now);
        let waiting = self.open.batches[self.written..].iter();
        if waiting.map(RecordBatch::num_rows).sum::<usize>() >= self.limits.frame_rows {
            // A failure shows again, and is returned, at the next sync.
            let _ = self.write_frame(now);
        }
        Ok(())
    }

    /// Counts rows that [`Self::append`] refused and the caller gave up.
    pub fn drop_rows(&mut self, rows: usize) {
        self.counters.rows_offered += rows as u64;
        self.counters.rows_dropped += rows as u64;
    }

    /// Makes all rows taken so far durable. On an error none of those since the last sync is acknowledged; they are
    /// kept and tried again.
    pub fn sync(&mut self, now: Time) -> Result<(), StoreError> {
        self.write_frame(now)?;
        if let Some(segment) = self.segment.as_mut().filter(|segment| segment.dirty) {
            let synced = segment.file.sync();
            segment.dirty = false;
            if let Err(error) = synced {
                return Err(self.condemn(error.into(), now));
            }
        }
        let rows = self.open.batches[self.acknowledged..].iter();
        self.counters.rows_acknowledged += rows.map(|batch| batch.num_rows() as u64).sum::<u64>();
        self.acknowledged = self.open.batches.len();
        if self.acknowledged > 0 && self.frozen.is_empty() {
            self.health = Health::Writing;
        }
        let age = self
            .opened
            .map_or(0, |opened| now.since(opened) / weir_model::NANOS_PER_S);
        if self.open.rows >= self.limits.generation_rows || age >= self.limits.generation_age_s {
            self.freeze();
        }
        self.publish();
        Ok(())
    }

    /// Writes what waits as one frame, and keeps it as one batch.
    fn write_frame(&mut self, now: Time) -> Result<(), StoreError> {
        let waiting = &self.open.batches[self.written..];
        if waiting.is_empty() {
            return Ok(());
        }
        let rows = rows::join(&self.table.schema, waiting)?;
        let frame = log::frame(self.next_row, &rows)?;
        if self.segment.is_none()
            && let Err(error) = self.start_segment()
        {
            return Err(self.failed(error, now));
        }
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        segment.dirty = true;
        if let Err(error) = segment.file.append(&frame) {
            return Err(self.condemn(error.into(), now));
        }
        self.counters.log_bytes += frame.len() as u64;
        self.next_row += rows.num_rows() as u64;
        // One batch in the place of many small ones: columns without a value take no memory in it.
        self.open.batches.truncate(self.written);
        self.open.batches.push(rows);
        self.written = self.open.batches.len();
        Ok(())
    }

    fn start_segment(&mut self) -> Result<(), StoreError> {
        self.remove_stale()?;
        if self.stale.len() > STALE_MAX {
            return Err(StoreError::Full);
        }
        let folder = log_folder(self.table, &self.site);
        let path = format!("{folder}/{}", segment_name(self.next_sequence));
        self.open.sequence = self.next_sequence;
        self.next_sequence += 1;
        let stale = Stale {
            path: path.clone(),
            condemned: true,
            damaged: false,
        };
        let made = self.disk.create(&path);
        let made = made.and_then(|file| self.disk.sync_folder(&folder).map(|()| file));
        match made {
            Ok(file) => {
                self.segment = Some(Segment {
                    file,
                    path,
                    dirty: false,
                });
                Ok(())
            }
            Err(error) => {
                self.stale.push_back(stale);
                Err(error.into())
            }
        }
    }

    /// Gives up the segment: what it has acknowledged becomes a generation of its own, the rest goes to a new one.
    fn condemn(&mut self, error: StoreError, now: Time) -> StoreError {
        let rest = self.open.batches.split_off(self.acknowledged);
        let rest_rows: usize = rest.iter().map(RecordBatch::num_rows).sum();
        self.next_row -= self.unacknowledged_rows(&rest);
        if let Some(segment) = self.segment.take() {
            let stale = Stale {
                path: segment.path,
                condemned: true,
                damaged: false,
            };
            if self.acknowledged > 0 {
                self.open.rows -= rest_rows;
                self.open.segment = Some(stale);
                self.frozen.push_back(std::mem::take(&mut self.open));
            } else {
                self.stale.push_back(stale);
            }
        }
        self.open.batches = rest;
        self.open.rows = rest_rows;
        (self.acknowledged, self.written) = (0, 0);
        self.opened = Some(now);
        self.failed(error, now)
    }

    /// Rows of `rest` that already had numbers, being in the segment that is given up.
    fn unacknowledged_rows(&self, rest: &[RecordBatch]) -> u64 {
        let numbered = self.written - self.acknowledged;
        let rows = rest[..numbered].iter().map(RecordBatch::num_rows);
        rows.sum::<usize>() as u64
    }

    fn acknowledged_rows(&self) -> usize {
        let rows = self.open.batches[..self.acknowledged].iter();
        rows.map(RecordBatch::num_rows).sum()
    }

    pub(super) fn failed(&mut self, error: StoreError, now: Time) -> StoreError {
        self.counters.disk_failures += 1;
        self.health = match (&error, self.health) {
            (StoreError::Full, Health::Full(since)) => Health::Full(since),
            (StoreError::Full, _) => Health::Full(now),
            (_, Health::Failing(since)) => Health::Failing(since),
            (_, _) => Health::Failing(now),
        };
        error
    }

    /// Closes the generation being filled; all of it is acknowledged.
    fn freeze(&mut self) {
        if let Some(segment) = self.segment.take() {
            self.open.segment = Some(Stale {
                path: segment.path,
                condemned: false,
                damaged: false,
            });
        }
        if self.open.rows > 0 {
            self.frozen.push_back(std::mem::take(&mut self.open));
        }
        (self.acknowledged, self.written, self.opened) = (0, 0, None);
    }
}
