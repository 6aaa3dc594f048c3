//! The bytes of a part: Parquet with the encodings of the table. Columns are put in order, encoded and let go one after
//! another, so that a part of a million rows needs little more memory than its rows.

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::rows::{Sorted, nulls};
use super::schema::Codec;
use super::{StoreError, Table};

/// Rows of a page. A search for one address decodes about one page of each column it shows. In the bytes of a split
/// column those of one weight are 64 KiB then: zstd gives every 128 KiB a code of their own, and bytes of all weights
/// in one code took 0.3 to 0.4 bytes a value more.
const PAGE_ROWS: usize = 1 << 16;
/// Rows encoded at a time.
const BATCH_ROWS: usize = 1 << 14;
/// Rows of a row group: a full part is one, so that its addresses share one dictionary.
const GROUP_ROWS: usize = 1 << 20;
/// Bytes of a dictionary. Addresses of servers come again and again: half a million of them fit, where 1 MiB, which is
/// usual, ends the dictionary of a large part early.
const DICTIONARY_BYTES: usize = 4 << 20;

/// The rows as a Parquet file.
pub(super) fn encode(table: &Table, rows: &Sorted) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let writer = ArrowWriter::try_new(&mut bytes, table.schema.clone(), Some(properties(table)))?;
    let (mut file, columns) = writer.into_serialized_writer()?;
    for (group, first) in (0..rows.rows()).step_by(GROUP_ROWS).enumerate() {
        let last = rows.rows().min(first + GROUP_ROWS);
        let mut written = file.next_row_group()?;
        for (at, mut writer) in columns.create_column_writers(group)?.into_iter().enumerate() {
            match rows.column(at, first..last)? {
                Some(column) => write(table, at, &mut writer, &column)?,
                None => {
                    for from in (first..last).step_by(PAGE_ROWS) {
                        let count = PAGE_ROWS.min(last - from);
                        let empty = nulls(table.schema.field(at).data_type(), count);
                        write(table, at, &mut writer, &empty)?;
                    }
                }
            }
            writer.close()?.append_to_row_group(&mut written)?;
        }
        written.close()?;
    }
    file.close()?;
    Ok(bytes)
}

fn write(
    table: &Table,
    at: usize,
    writer: &mut ArrowColumnWriter,
    column: &arrow_array::ArrayRef,
) -> Result<(), StoreError> {
    for leaf in compute_leaves(table.schema.field(at), column)? {
        writer.write(&leaf)?;
    }
    Ok(())
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
        .set_write_batch_size(BATCH_ROWS)
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
