//! Parts: Parquet files of one table, site and hour, sorted by source, that never change. The name says what is in one:
//! `flows/site=default/hour=2026-11-22T04/0000000003-0000000007-123456-89abcdef.parquet` holds what log segments 3 to 7
//! had for that hour, 123,456 rows, and the CRC-32 of the file is 89abcdef. A part whose range of segments lies within
//! another's of the same hour was merged into it and does not count.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt16Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat;
use arrow_select::take::{take, take_record_batch};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::schema::{self, Codec};
use super::{StoreError, Table};
use crate::disk::{Disk, Source};

/// Milliseconds in an hour: the width of a partition.
pub const HOUR_MS: i64 = 3_600_000;
/// Rows of a page. A search for one address decodes about one page of each column it shows.
const PAGE_ROWS: usize = 16_384;
/// Rows of a row group: a full part is one, so that its addresses share one dictionary.
const GROUP_ROWS: usize = 1 << 20;
/// Bytes of a dictionary. Addresses of servers come again and again: half a million of them fit, where 1 MiB, which is
/// usual, ends the dictionary of a large part early.
const DICTIONARY_BYTES: usize = 4 << 20;
/// Hours that one generation of rows is parted into. Stamps are hostile: rows of further hours lie together.
const HOURS_MAX: usize = 64;
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
    /// Hours since 1970-01-01 UTC; every row begins in this one. [`MIXED`]: in any.
    pub hour: i64,
    /// First and last log segment whose rows it has.
    pub segments: (u64, u64),
    pub rows: u64,
    pub bytes: u64,
    crc: u32,
}

impl Part {
    /// The part with this name in the folder of its hour; `None` for any other file.
    fn named(folder: &str, hour: i64, name: &str, bytes: u64) -> Option<Self> {
        let mut fields = name.strip_suffix(ENDING)?.split('-');
        let mut number = || fields.next()?.parse::<u64>().ok();
        let (low, high, rows) = (number()?, number()?, number()?);
        let crc = u32::from_str_radix(fields.next()?, 16).ok()?;
        (fields.next().is_none() && low <= high).then(|| Self {
            path: format!("{folder}/{name}"),
            hour,
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
        .filter_map(|file| Part::named(&folder, hour, &file.name, file.bytes))
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
    sorted: &RecordBatch,
) -> Result<Part, StoreError> {
    let bytes = encode(table, sorted)?;
    let crc = crc32fast::hash(&bytes);
    let folder = hour_folder(table, site, hour);
    let rows = sorted.num_rows();
    let name = format!("{:010}-{:010}-{rows}-{crc:08x}{ENDING}", segments.0, segments.1);
    let unfinished = format!("{folder}/{UNFINISHED}{:010}", segments.1);
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
        segments,
        rows: rows as u64,
        bytes: bytes.len() as u64,
        crc,
    })
}

fn encode(table: &Table, rows: &RecordBatch) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, table.schema.clone(), Some(properties(table)))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(bytes)
}

/// How a part is laid out: zstd 1 and the encodings of the table; statistics of chunks and pages; bloom filters.
fn properties(table: &Table) -> WriterProperties {
    let metadata = table.schema.metadata().iter();
    let metadata = metadata.map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(Some(metadata.collect()));
    for (name, codec) in &table.codecs {
        let path = ColumnPath::from(*name);
        let (dictionary, encoding) = match codec {
            Codec::Dictionary => (true, None),
            Codec::Delta => (false, Some(Encoding::DELTA_BINARY_PACKED)),
            Codec::Split => (false, Some(Encoding::BYTE_STREAM_SPLIT)),
        };
        properties = properties.set_column_dictionary_enabled(path.clone(), dictionary);
        if let Some(encoding) = encoding {
            properties = properties.set_column_encoding(path, encoding);
        }
    }
    for name in table.bloom {
        properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(*name), true);
    }
    properties.build()
}

/// Rows of several batches as one batch of the table, sorted; rows that compare equal stay in the order given.
pub(super) fn sorted(table: &Table, batches: &[RecordBatch]) -> Result<RecordBatch, StoreError> {
    let conformed: Vec<RecordBatch> = batches
        .iter()
        .map(|batch| conform(batch, &table.schema))
        .collect::<Result<_, _>>()?;
    let rows = conformed.iter().map(RecordBatch::num_rows).sum();
    let columns = table.schema.fields().iter().enumerate().map(|(at, field)| {
        let parts: Vec<&dyn Array> = conformed.iter().map(|batch| &**batch.column(at)).collect();
        if parts.iter().all(|part| part.null_count() == part.len()) {
            return Ok(new_null_array(field.data_type(), rows));
        }
        concat(&parts)
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
    drop(conformed);
    let order = order(&RecordBatch::try_new(table.schema.clone(), columns.clone())?);
    let taken = columns.into_iter().map(|column| {
        if column.null_count() == column.len() {
            Ok(column)
        } else {
            take(&column, &order, None)
        }
    });
    Ok(RecordBatch::try_new(
        table.schema.clone(),
        taken.collect::<Result<_, _>>()?,
    )?)
}

/// The batch with the columns of the schema: those it lacks are empty, or zero where every row has a value.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, StoreError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let rows = batch.num_rows();
    let columns = schema.fields().iter().map(|field| {
        let found = batch.column_by_name(field.name()).cloned();
        found.unwrap_or_else(|| {
            let empty = new_null_array(field.data_type(), rows);
            if field.is_nullable() { empty } else { zeros(&empty) }
        })
    });
    Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
}

/// The same array with its values (zeros, as nulls are made) valid.
fn zeros(nulls: &Arc<dyn Array>) -> Arc<dyn Array> {
    let plain = nulls.to_data().into_builder().nulls(None).null_count(0);
    plain
        .build()
        .map_or_else(|_| nulls.clone(), arrow_array::make_array)
}

/// Rows by source, destination, destination port and start: near rows are alike, and one address is in one place. A missing value is 0.
fn order(batch: &RecordBatch) -> UInt32Array {
    let address = |[high, low]: [&str; 2]| {
        let (high, low) = (numbers(batch, high), numbers(batch, low));
        move |row: usize| u128::from(high[row]) << 64 | u128::from(low[row])
    };
    let (src, dst) = (
        address(["src_ip_hi", "src_ip_lo"]),
        address(["dst_ip_hi", "dst_ip_lo"]),
    );
    let port = batch.column_by_name("dst_port");
    let port = port.and_then(|column| column.as_primitive_opt::<UInt16Type>());
    let start = starts(batch);
    let mut keys: Vec<_> = (0..batch.num_rows())
        .map(|row| {
            let port = port.map_or(0, |ports| ports.values()[row]);
            (src(row), dst(row), port, start[row], row as u32)
        })
        .collect();
    keys.sort_unstable();
    UInt32Array::from_iter_values(keys.into_iter().map(|key| key.4))
}

fn numbers(batch: &RecordBatch, name: &str) -> ScalarBuffer<u64> {
    let column = batch.column_by_name(name);
    match column.and_then(|column| column.as_primitive_opt::<UInt64Type>()) {
        Some(column) => column.values().clone(),
        None => vec![0; batch.num_rows()].into(),
    }
}

/// Start of each row, milliseconds since 1970.
pub(super) fn starts(batch: &RecordBatch) -> &[i64] {
    let column = batch.column_by_name("start");
    let column = column.and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
    column.map_or(&[], |column| column.values())
}

/// Rows by the hour they begin in; past [`HOURS_MAX`] hours those with the fewest rows together as [`MIXED`].
pub(super) fn by_hour(batches: &[RecordBatch]) -> Result<BTreeMap<i64, Vec<RecordBatch>>, StoreError> {
    let mut counts = BTreeMap::<i64, u64>::new();
    for start in batches.iter().flat_map(starts) {
        *counts.entry(start.div_euclid(HOUR_MS)).or_default() += 1;
    }
    let mut by_count: Vec<_> = counts
        .iter()
        .map(|(hour, rows)| (Reverse(*rows), *hour))
        .collect();
    by_count.sort_unstable();
    let own: BTreeSet<i64> = by_count
        .into_iter()
        .take(HOURS_MAX)
        .map(|(_, hour)| hour)
        .collect();
    let mut hours = BTreeMap::<i64, Vec<RecordBatch>>::new();
    for batch in batches {
        let mut rows = BTreeMap::<i64, Vec<u32>>::new();
        for (row, start) in starts(batch).iter().enumerate() {
            let hour = start.div_euclid(HOUR_MS);
            let hour = if own.contains(&hour) { hour } else { MIXED };
            rows.entry(hour).or_default().push(row as u32);
        }
        for (hour, rows) in rows {
            let part = if rows.len() == batch.num_rows() {
                batch.clone()
            } else {
                take_record_batch(batch, &UInt32Array::from(rows))?
            };
            hours.entry(hour).or_default().push(part);
        }
    }
    Ok(hours)
}
