//! A Parquet part opened for a search: its metadata, and readers over any rows of a row group.

use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::SearchError;
use crate::disk::{Disk, Source};
use crate::flow::part::check_version;

/// Rows decoded at a time: few enough for the cache of a core, enough that the cost of a batch does not count.
pub(super) const BATCH_ROWS: usize = 8192;

/// An open part.
pub(super) struct Part {
    path: String,
    file: Shared,
    metadata: ArrowReaderMetadata,
}

/// A file that several threads read: by offset, because handles of one file share their position.
#[derive(Clone)]
struct Shared(Arc<Source>);

/// Reads on from an offset.
struct Onward {
    source: Arc<Source>,
    offset: u64,
}

fn read_at(source: &Source, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    match source {
        Source::File(file) => file.read_at(buffer, offset),
        Source::Memory(bytes) => {
            let start = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
            (&bytes[start..]).read(buffer)
        }
        Source::Ranged(file) => {
            let left = file.size().saturating_sub(offset);
            let bytes = file.range(offset, buffer.len().min(left as usize))?;
            buffer[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }
    }
}

impl Shared {
    /// An error of a reader: a part in an object store may go away while it is read.
    fn failed(&self, path: &str, error: &dyn std::fmt::Display) -> SearchError {
        match &*self.0 {
            Source::Ranged(file) if file.gone() => SearchError::Gone(path.to_owned()),
            _ => failed(path, error),
        }
    }
}

impl Read for Onward {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = read_at(&self.source, buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Length for Shared {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Shared {
    type T = BufReader<Onward>;

    fn get_read(&self, offset: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(Onward {
            source: self.0.clone(),
            offset,
        }))
    }

    fn get_bytes(&self, offset: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.len();
        if bytes.checked_sub(offset).is_none_or(|left| left < length as u64) {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {offset} of {bytes}"
            )));
        }
        match &*self.0 {
            Source::Memory(_) | Source::Ranged(_) => self.0.get_bytes(offset, length),
            Source::File(file) => {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(bytes.into())
            }
        }
    }
}

impl Part {
    /// Opens the part and reads its metadata.
    pub(super) fn open(disk: &dyn Disk, path: &str) -> Result<Self, SearchError> {
        let file = disk.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SearchError::Gone(path.to_owned()),
            _ => failed(path, &error),
        })?;
        let file = Shared(Arc::new(file));
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata =
            ArrowReaderMetadata::load(&file, options).map_err(|error| file.failed(path, &error))?;
        check_version(metadata.schema()).map_err(|error| failed(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
        })
    }

    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// Number of row groups.
    pub(super) fn groups(&self) -> usize {
        self.metadata().num_row_groups()
    }

    /// Rows of a row group.
    pub(super) fn rows(&self, group: usize) -> usize {
        usize::try_from(self.metadata().row_group(group).num_rows()).unwrap_or(0)
    }

    fn builder(&self) -> ParquetRecordBatchReaderBuilder<Shared> {
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
    }

    /// The bloom filter of a column of a row group, when it has one that can be read.
    pub(super) fn bloom(&self, group: usize, column: &str) -> Option<Sbbf> {
        let columns = self.metadata().file_metadata().schema_descr().columns();
        let at = columns
            .iter()
            .position(|known| known.path().parts() == [column])?;
        self.builder().get_row_group_column_bloom_filter(group, at).ok()?
    }

    /// Reads physical columns of the selected rows of a row group, in the order of the file.
    pub(super) fn read(
        &self,
        group: usize,
        columns: &[&'static str],
        rows: Option<RowSelection>,
    ) -> Result<PartReader<'_>, SearchError> {
        let builder = self.builder();
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let mut builder = builder
            .with_batch_size(BATCH_ROWS)
            .with_row_groups(vec![group])
            .with_projection(mask);
        if let Some(rows) = rows {
            builder = builder.with_row_selection(rows);
        }
        let reader = builder.build();
        let reader = reader.map_err(|error| self.file.failed(&self.path, &error))?;
        Ok(PartReader { part: self, reader })
    }
}

/// Batches of a part.
pub(super) struct PartReader<'a> {
    part: &'a Part,
    reader: ParquetRecordBatchReader,
}

impl Iterator for PartReader<'_> {
    type Item = Result<RecordBatch, SearchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        let Part { path, file, .. } = self.part;
        Some(batch.map_err(|error| file.failed(path, &ParquetError::from(error))))
    }
}

fn failed(path: &str, error: &dyn std::fmt::Display) -> SearchError {
    SearchError::Part {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
