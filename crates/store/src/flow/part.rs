//! Parts: Parquet files of one table, site and hour, sorted by source, that never change. The name says what is in one:
//! `flows/site=default/hour=2026-11-22T04/0000000003-0000000007-123456-89abcdef.parquet` holds what log segments 3 to 7
//! had for that hour, 123,456 rows, and the CRC-32 of the file is 89abcdef. A part whose range of segments lies within
//! another's of the same hour was merged into it and does not count.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::encode::encode;
use super::rows::Sorted;
use super::{StoreError, Table, schema};
use crate::disk::{Disk, Source};

/// Milliseconds in an hour: the width of a partition.
pub const HOUR_MS: i64 = 3_600_000;
/// The partition of rows from too many hours, in the folder `hour=mixed`.
pub const MIXED: i64 = i64::MIN;
const MIXED_TEXT: &str = "mixed";
/// Ending of a part.
const ENDING: &str = ".parquet";
/// In front of names that are not yet, or no longer, a part.
pub(super) const UNFINISHED: &str = "unfinished-";

/// A part, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Path from the store's folder.
    pub path: String,
    /// Hours since 1970-01-01 UTC: every row begins in this one, or in those behind it that its partition spans.
    /// [`MIXED`]: in any.
    pub hour: i64,
    /// Hours from there that its partition spans: 1 for records, more for what is counted of them.
    pub hours: i64,
    /// First and last log segment whose rows it has.
    pub segments: (u64, u64),
    pub rows: u64,
    pub bytes: u64,
    crc: u32,
}

impl Part {
    /// The part with this name in the folder of its hour; `None` for any other file.
    fn named(folder: &str, (hour, hours): (i64, i64), name: &str, bytes: u64) -> Option<Self> {
        let mut fields = name.strip_suffix(ENDING)?.split('-');
        let mut number = || fields.next()?.parse::<u64>().ok();
        let (low, high, rows) = (number()?, number()?, number()?);
        let crc = u32::from_str_radix(fields.next()?, 16).ok()?;
        (fields.next().is_none() && low <= high).then(|| Self {
            path: format!("{folder}/{name}"),
            hour,
            hours,
            segments: (low, high),
            rows,
            bytes,
            crc,
        })
    }

    #[cfg(test)]
    pub(in crate::flow) fn for_test(hour: i64, segments: (u64, u64), rows: u64) -> Self {
        Self {
            path: String::new(),
            hour,
            hours: 1,
            segments,
            rows,
            bytes: rows,
            crc: 0,
        }
    }

    /// Was this one merged into `other`?
    pub(super) fn within(&self, other: &Self) -> bool {
        self.hour == other.hour
            && self.segments != other.segments
            && other.segments.0 <= self.segments.0
            && self.segments.1 <= other.segments.1
    }

    /// Opens the file. It may be gone when the part was merged or expired meanwhile: take a new snapshot then.
    pub fn open(&self, disk: &dyn Disk) -> std::io::Result<Source> {
        disk.open(&self.path)
    }

    /// Reads the whole file and compares its checksum.
    pub(super) fn read_checked(&self, disk: &dyn Disk) -> Result<Bytes, StoreError> {
        let bytes = self.open(disk)?.read_all()?;
        if crc32fast::hash(&bytes) == self.crc {
            Ok(bytes)
        } else {
            Err(StoreError::Damaged(self.path.clone()))
        }
    }

    /// Is the file as it was written?
    pub fn verify(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        self.read_checked(disk).map(drop)
    }

    /// All rows, after the checksum held.
    pub(super) fn read(&self, disk: &dyn Disk) -> Result<Vec<RecordBatch>, StoreError> {
        let bytes = self.read_checked(disk)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(1 << 16);
        check_version(reader.schema())?;
        Ok(reader.build()?.collect::<Result<_, _>>()?)
    }
}

/// Refuses what a later version of the program wrote.
pub(super) fn check_version(schema: &SchemaRef) -> Result<(), StoreError> {
    let version = schema.metadata().get(schema::VERSION_KEY);
    match version.and_then(|version| version.parse::<u32>().ok()) {
        Some(version) if version > schema::VERSION => Err(StoreError::Later(version)),
        _ => Ok(()),
    }
}

/// Parts of a table and site, by hour and first segment, without those merged into others (which are `merged`).
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) parts: Vec<Part>,
    pub(super) merged: Vec<Part>,
    /// Files that were being written when the store was stopped.
    pub(super) unfinished: Vec<String>,
}

/// Lists the parts.
pub(super) fn list(disk: &dyn Disk, table: &Table, site: &str) -> std::io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in disk.list(&folder(table, site))? {
        if let Some(hour) = entry.name.strip_prefix("hour=").and_then(hour_of) {
            let own = list_hour(disk, table, site, hour)?;
            listing.parts.extend(own.parts);
            listing.merged.extend(own.merged);
            listing.unfinished.extend(own.unfinished);
        }
    }
    listing.parts.sort_by_key(|part| (part.hour, part.segments));
    Ok(listing)
}

/// Lists the parts of an hour.
pub(super) fn list_hour(disk: &dyn Disk, table: &Table, site: &str, hour: i64) -> std::io::Result<Listing> {
    let folder = hour_folder(table, site, hour);
    let files = disk.list(&folder)?;
    let unfinished = files.iter().filter(|file| file.name.starts_with(UNFINISHED));
    let parts: Vec<Part> = files
        .iter()
        .filter_map(|file| Part::named(&folder, (hour, table.hours), &file.name, file.bytes))
        .collect();
    let is_merged = |part: &Part| parts.iter().any(|other| part.within(other));
    let (merged, kept) = parts.iter().cloned().partition(is_merged);
    Ok(Listing {
        parts: kept,
        merged,
        unfinished: unfinished.map(|file| format!("{folder}/{}", file.name)).collect(),
    })
}

/// Folder of a table's parts.
fn folder(table: &Table, site: &str) -> String {
    format!("{}/site={site}", table.name)
}

/// Folder of an hour's parts.
pub(super) fn hour_folder(table: &Table, site: &str, hour: i64) -> String {
    format!("{}/hour={}", folder(table, site), hour_text(hour))
}

/// `2026-11-22T04` of hours since 1970.
fn hour_text(hour: i64) -> String {
    if hour == MIXED {
        return MIXED_TEXT.to_owned();
    }
    let start = time::OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::hours(hour));
    let (year, month, day) = (start.year(), u8::from(start.month()), start.day());
    format!("{year:04}-{month:02}-{day:02}T{:02}", start.hour())
}

fn hour_of(text: &str) -> Option<i64> {
    if text == MIXED_TEXT {
        return Some(MIXED);
    }
    let (date, hour) = text.rsplit_once('T')?;
    let mut fields = date.splitn(3, '-');
    let year = fields.next()?.parse().ok()?;
    let month = fields.next()?.parse::<u8>().ok()?.try_into().ok()?;
    let day = fields.next()?.parse().ok()?;
    let date = time::Date::from_calendar_date(year, month, day).ok()?;
    let start = date.with_hms(hour.parse().ok()?, 0, 0).ok()?.assume_utc();
    Some(start.unix_timestamp().div_euclid(3600))
}

/// Writes rows as a part: to a file with another name, synced, renamed, and the folder synced.
pub(super) fn write(
    disk: &dyn Disk,
    table: &Table,
    site: &str,
    hour: i64,
    segments: (u64, u64),
    sorted: &Sorted,
) -> Result<Part, StoreError> {
    let bytes = encode(table, sorted)?;
    let crc = crc32fast::hash(&bytes);
    let folder = hour_folder(table, site, hour);
    let rows = sorted.rows();
    let name = format!("{:010}-{:010}-{rows}-{crc:08x}{ENDING}", segments.0, segments.1);
    // A name of its own for each attempt: after a loss of power names may be kept and lost in any order, and a rename
    // must never find the torn file of an earlier attempt.
    static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
    let attempt = ATTEMPTS.fetch_add(1, Relaxed);
    let unfinished = format!("{folder}/{UNFINISHED}{:010}-{attempt}", segments.1);
    disk.make_folder(&folder)?;
    let written = disk.create(&unfinished).and_then(|mut file| {
        file.append(&bytes)?;
        file.sync()
    });
    let path = format!("{folder}/{name}");
    if let Err(error) = written.and_then(|()| disk.rename(&unfinished, &path)) {
        // What is left of it is removed at the next start if not now.
        let _ = disk.remove(&unfinished);
        return Err(error.into());
    }
    disk.sync_folder(&folder)?;
    Ok(Part {
        path,
        hour,
        hours: table.hours,
        segments,
        rows: rows as u64,
        bytes: bytes.len() as u64,
        crc,
    })
}
