//! Answers as Parquet files for other tools: records in the layout of the store's own parts, tables with a column per
//! key and figure.

use std::io::Write;
use std::net::Ipv6Addr;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array,
};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use weir_model::FlowRecord;
use weir_query::{Kind, Scalar};

use super::{SearchError, Table};
use crate::flow::to_batch;

/// Records as a Parquet file of the flow table.
///
/// # Errors
/// When the records make no batch.
pub fn records_to_parquet(records: &[FlowRecord]) -> Result<Vec<u8>, SearchError> {
    write(&to_batch(records).map_err(told)?)
}

/// A Parquet file of the flow table that is written piece by piece.
pub struct RecordsFile<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> RecordsFile<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// When its head cannot be written.
    pub fn new(out: W) -> Result<Self, SearchError> {
        let schema = to_batch(&[]).map_err(told)?.schema();
        Ok(Self(writer(out, schema)?))
    }

    /// Adds records.
    ///
    /// # Errors
    /// When they make no batch, or cannot be written.
    pub fn write(&mut self, records: &[FlowRecord]) -> Result<(), SearchError> {
        self.0.write(&to_batch(records).map_err(told)?).map_err(told)
    }

    /// Bytes so far, also those that are not written yet.
    pub fn bytes(&self) -> u64 {
        (self.0.bytes_written() + self.0.in_progress_size()) as u64
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<W, SearchError> {
        self.0.into_inner().map_err(told)
    }
}

/// A table of answers as a Parquet file: addresses as text, moments as nanoseconds, TCP flags as a number.
///
/// # Errors
/// When two columns have the same name.
pub fn table_to_parquet(table: &Table) -> Result<Vec<u8>, SearchError> {
    let columns = table.columns.iter().enumerate().map(|(at, column)| {
        let cells = || table.rows.iter().map(move |row| row[at].as_ref());
        let array: ArrayRef = match column.kind {
            Kind::Number(_) | Kind::TcpFlags => Arc::new(cells().map(number).collect::<UInt64Array>()),
            Kind::Rate(_) => Arc::new(cells().map(rate).collect::<Float64Array>()),
            Kind::Time => {
                let times = cells().map(time).collect::<TimestampNanosecondArray>();
                Arc::new(times.with_timezone("UTC"))
            }
            Kind::Flag => Arc::new(cells().map(flag).collect::<BooleanArray>()),
            Kind::Address | Kind::Mac | Kind::Text | Kind::Texts => {
                Arc::new(cells().map(text).collect::<StringArray>())
            }
        };
        (column.name.as_str(), array, true)
    });
    write(&RecordBatch::try_from_iter_with_nullable(columns).map_err(told)?)
}

fn writer<W: Write + Send>(out: W, schema: SchemaRef) -> Result<ArrowWriter<W>, SearchError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    ArrowWriter::try_new(out, schema, Some(properties)).map_err(told)
}

pub(super) fn write(batch: &RecordBatch) -> Result<Vec<u8>, SearchError> {
    let mut bytes = Vec::new();
    let mut writer = writer(&mut bytes, batch.schema())?;
    writer.write(batch).map_err(told)?;
    writer.close().map_err(told)?;
    Ok(bytes)
}

fn told(error: impl std::fmt::Display) -> SearchError {
    SearchError::Batch(error.to_string())
}

fn number(cell: Option<&Scalar<'_>>) -> Option<u64> {
    match cell? {
        Scalar::Number(number) => Some(*number),
        _ => None,
    }
}

fn rate(cell: Option<&Scalar<'_>>) -> Option<f64> {
    match cell? {
        Scalar::Rate(rate) => Some(*rate),
        _ => None,
    }
}

fn time(cell: Option<&Scalar<'_>>) -> Option<i64> {
    match cell? {
        Scalar::Time(time) => Some(*time),
        _ => None,
    }
}

fn flag(cell: Option<&Scalar<'_>>) -> Option<bool> {
    match cell? {
        Scalar::Flag(flag) => Some(*flag),
        _ => None,
    }
}

fn text(cell: Option<&Scalar<'_>>) -> Option<String> {
    Some(match cell? {
        Scalar::Text(text) => text.to_string(),
        Scalar::Texts(all) => all.join(" "),
        Scalar::Address(number) => {
            let six = Ipv6Addr::from_bits(*number);
            six.to_ipv4_mapped()
                .map_or_else(|| six.to_string(), |four| four.to_string())
        }
        Scalar::Mac(number) => {
            let bytes = number.to_be_bytes();
            let parts: Vec<String> = bytes[2..].iter().map(|byte| format!("{byte:02x}")).collect();
            parts.join(":")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
    use weir_query::Unit;

    use super::*;
    use crate::flow::search::AnswerColumn;
    use crate::flow::tests::records::plain;
    use crate::flow::to_records;

    fn read(bytes: Vec<u8>) -> RecordBatch {
        let mut batches = ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 1024).unwrap();
        batches.next().unwrap().unwrap()
    }

    #[test]
    fn files_hold_what_was_found() {
        let flows: Vec<FlowRecord> = (0..50).map(plain).collect();
        let batch = read(records_to_parquet(&flows).unwrap());
        assert_eq!(to_records(&batch).unwrap(), flows);

        let column = |name: &str, kind| AnswerColumn {
            name: name.to_owned(),
            kind,
        };
        let table = Table {
            columns: vec![
                column("ip", Kind::Address),
                column("n", Kind::Number(Unit::Count)),
            ],
            rows: vec![
                vec![Some(Scalar::Address(0xffff_0a00_0001)), Some(Scalar::Number(7))],
                vec![None, Some(Scalar::Number(1))],
            ],
            groups: 2,
            rest: Vec::new(),
        };
        let wanted = RecordBatch::try_from_iter_with_nullable([
            (
                "ip",
                Arc::new(StringArray::from(vec![Some("10.0.0.1"), None])) as ArrayRef,
                true,
            ),
            ("n", Arc::new(UInt64Array::from(vec![7, 1])) as ArrayRef, true),
        ]);
        assert_eq!(
            read(table_to_parquet(&table).unwrap()).columns(),
            wanted.unwrap().columns()
        );
    }
}
