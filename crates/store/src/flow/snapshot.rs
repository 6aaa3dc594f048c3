//! What a table holds at one moment: parts, and rows that are only in the log. The process that writes shares its own
//! (`Shared`), any other reads one from the disk (`Snapshot::read`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;

use super::part::{self, Listing, Part};
use super::{StoreError, Table, log, rows};
use crate::disk::Disk;

/// Times a reader lists the store anew because a file it had listed was gone.
const TRIES_MAX: usize = 5;

/// Parts and rows of a table and site. No row is in both.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By hour, then age.
    pub parts: Arc<Vec<Arc<Part>>>,
    /// Rows that are not in parts yet, in the order they came.
    pub memory: Vec<RecordBatch>,
    /// Of each of them, the log segment it is in; 0: in none yet.
    pub generations: Vec<u64>,
}

impl Snapshot {
    /// Rows in parts and memory.
    pub fn rows(&self) -> u64 {
        let parts = self.parts.iter().map(|part| part.rows);
        let memory = self.memory.iter().map(|batch| batch.num_rows() as u64);
        parts.sum::<u64>() + memory.sum::<u64>()
    }

    /// Bytes of the parts.
    pub fn part_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Reads what is on the disk, changing nothing; another process may be writing.
    pub fn read(disk: &dyn Disk, table: &Table, site: &str) -> Result<Self, StoreError> {
        let mut tries = 0;
        loop {
            match Found::on(disk, table, site) {
                Err(StoreError::Disk(error))
                    if error.kind() == io::ErrorKind::NotFound && tries < TRIES_MAX =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
                Ok(found) => {
                    let memory = found.segments.into_iter().flat_map(|segment| {
                        let batches = segment.batches.into_iter();
                        batches.map(move |batch| (batch, segment.sequence))
                    });
                    let (memory, generations) = memory.unzip();
                    return Ok(Self {
                        parts: Arc::new(found.listing.parts.into_iter().map(Arc::new).collect()),
                        memory,
                        generations,
                    });
                }
            }
        }
    }
}

/// The writer's snapshot, for readers on other threads.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Arc<Snapshot>>>);

impl Shared {
    /// The latest snapshot.
    pub fn latest(&self) -> Arc<Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }
}

/// A log segment as it was found, without the rows that are in parts already.
#[derive(Debug)]
pub(super) struct FoundSegment {
    pub(super) sequence: u64,
    pub(super) path: String,
    pub(super) batches: Vec<RecordBatch>,
    /// Number behind its last row.
    pub(super) rows_to: u64,
    pub(super) torn_bytes: u64,
    pub(super) corrupt: u64,
}

/// Everything of a table and site that is on the disk.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) listing: Listing,
    pub(super) segments: Vec<FoundSegment>,
}

impl Found {
    /// Reads the log first and lists the parts behind it: a segment that was made into parts in between is then both
    /// read and covered, never neither.
    pub(super) fn on(disk: &dyn Disk, table: &Table, site: &str) -> Result<Self, StoreError> {
        let folder = log_folder(table, site);
        let mut read = Vec::new();
        for entry in disk.list(&folder)? {
            let Some(sequence) = sequence_of(&entry.name) else {
                continue;
            };
            let path = format!("{folder}/{}", entry.name);
            let bytes = disk.open(&path)?.read_all()?;
            read.push((sequence, path, log::read(&bytes)));
        }
        read.sort_by_key(|(sequence, ..)| *sequence);
        let listing = part::list(disk, table, site)?;
        let covered = Covered::of(&listing.parts);
        // A segment that could not be written on was left behind, and its unsynced rows were written again to the next.
        let bases: Vec<Option<u64>> = read
            .iter()
            .map(|(.., segment)| segment.frames.first().map(|frame| frame.first_row))
            .collect();
        let mut segments = Vec::new();
        for (at, (sequence, path, segment)) in read.into_iter().enumerate() {
            let again = bases[at + 1..]
                .iter()
                .flatten()
                .min()
                .copied()
                .unwrap_or(u64::MAX);
            let frames = segment.frames.into_iter().filter(|frame| frame.first_row < again);
            let (mut batches, mut rows_to) = (Vec::new(), 0);
            for frame in frames {
                rows_to = frame.first_row.saturating_add(frame.rows() as u64);
                for batch in frame.batches {
                    part::check_version(batch.schema_ref())?;
                    batches.push(rows::conform(&batch, &table.schema)?);
                }
            }
            let left = rows::by_hour(&batches, table.hours)?
                .into_iter()
                .filter(|(hour, _)| !covered.covers(*hour, sequence));
            segments.push(FoundSegment {
                sequence,
                path,
                batches: left.flat_map(|(_, batches)| batches).collect(),
                rows_to,
                torn_bytes: segment.torn_bytes,
                corrupt: segment.corrupt,
            });
        }
        Ok(Self { listing, segments })
    }
}

/// Log segments whose rows are in parts, by partition.
pub(super) struct Covered(BTreeMap<i64, BTreeSet<(u64, u64)>>);

impl Covered {
    /// By these parts.
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Self {
        let mut covered = BTreeMap::<i64, BTreeSet<(u64, u64)>>::new();
        for part in parts {
            covered.entry(part.hour).or_default().insert(part.segments);
        }
        Self(covered)
    }

    /// Does the partition have the rows of a segment?
    pub(super) fn covers(&self, hour: i64, sequence: u64) -> bool {
        let parts = self.0.get(&hour);
        parts.is_some_and(|parts| parts.iter().any(|(low, high)| (*low..=*high).contains(&sequence)))
    }
}

/// Folder of a table's log.
pub(super) fn log_folder(table: &Table, site: &str) -> String {
    format!("log/{}/{site}", table.name)
}

/// Name of a segment.
pub(super) fn segment_name(sequence: u64) -> String {
    format!("{sequence:010}.log")
}

fn sequence_of(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}
