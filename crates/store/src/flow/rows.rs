//! Rows of several batches as one: joined for a frame of the log, conformed to the table's schema, parted by hour, and
//! put in the order of a part. Most records lack most columns, so columns without any value are never copied.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{LazyLock, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt16Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::concat::concat;
use arrow_select::take::take;

use super::part::{HOUR_MS, MIXED};
use super::{StoreError, Table};

/// Partitions that one generation of rows is parted into. Stamps are hostile: rows of further hours lie together.
const HOURS_MAX: usize = 64;
/// Rows of the arrays without values that all batches share; longer ones are made when needed.
const SHARED_NULLS_MAX: usize = 1 << 15;

/// An array without values, which costs no memory of its own up to [`SHARED_NULLS_MAX`] rows.
pub(super) fn nulls(data_type: &DataType, rows: usize) -> ArrayRef {
    // Protects the list; there are a dozen types.
    static KNOWN: LazyLock<Mutex<Vec<(DataType, ArrayRef)>>> = LazyLock::new(Default::default);
    if rows > SHARED_NULLS_MAX {
        return new_null_array(data_type, rows);
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, array)) = known.iter().find(|(of, _)| of == data_type) {
        return array.slice(0, rows);
    }
    let array = new_null_array(data_type, SHARED_NULLS_MAX);
    known.push((data_type.clone(), array.clone()));
    array.slice(0, rows)
}

/// Has no row a value?
pub(super) fn is_empty(column: &dyn Array) -> bool {
    column.null_count() == column.len()
}

/// Has every row the same number? Such a column is in order as it is.
fn is_constant(column: &dyn Array) -> bool {
    let (data, Some(width)) = (column.to_data(), column.data_type().primitive_width()) else {
        return false;
    };
    let first = data.offset() * width;
    let values = data.buffers().first();
    let values = values.and_then(|values| values.get(first..first + data.len() * width));
    let same = values
        .is_some_and(|values| values.len() >= width && values[width..] == values[..values.len() - width]);
    column.null_count() == 0 && same
}

/// The batches as one of the table's schema, in their order.
pub(super) fn join(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch, StoreError> {
    if let [one] = batches {
        return conform(one, schema);
    }
    let conformed = conform_all(schema, batches)?;
    let rows = conformed.iter().map(RecordBatch::num_rows).sum();
    let columns = schema.fields().iter().enumerate().map(|(at, field)| {
        let joined = joined(&conformed, at)?;
        Ok(joined.unwrap_or_else(|| nulls(field.data_type(), rows)))
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, ArrowError>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

fn conform_all(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, StoreError> {
    batches.iter().map(|batch| conform(batch, schema)).collect()
}

/// A column of all batches, which have one schema; `None`: no row has a value.
fn joined(batches: &[RecordBatch], at: usize) -> Result<Option<ArrayRef>, ArrowError> {
    let parts: Vec<&dyn Array> = batches.iter().map(|batch| &**batch.column(at)).collect();
    if parts.iter().all(|part| is_empty(*part)) {
        return Ok(None);
    }
    concat(&parts).map(Some)
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
            let empty = nulls(field.data_type(), rows);
            if field.is_nullable() { empty } else { zeros(&empty) }
        })
    });
    Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
}

/// The same array with its values (zeros, as nulls are made) valid.
fn zeros(nulls: &ArrayRef) -> ArrayRef {
    let plain = nulls.to_data().into_builder().nulls(None).null_count(0);
    plain
        .build()
        .map_or_else(|_| nulls.clone(), arrow_array::make_array)
}

/// Rows in the order of a part. Columns are put in order one at a time, when they are asked for: the rows are in memory
/// once, and a column of them twice.
pub(super) struct Sorted {
    batches: Vec<RecordBatch>,
    order: UInt32Array,
}

impl Sorted {
    /// The rows of these batches: by source, destination, destination port and start, so that near rows are alike and
    /// one address is in one place. A missing value is 0; rows that compare equal stay in the order given.
    pub(super) fn of(table: &Table, batches: &[RecordBatch]) -> Result<Self, StoreError> {
        let batches = conform_all(&table.schema, batches)?;
        let order = order(&batches)?;
        Ok(Self { batches, order })
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.order.len()
    }

    /// Column `at` of some rows; `None`: no row of all has a value.
    pub(super) fn column(&self, at: usize, rows: Range<usize>) -> Result<Option<ArrayRef>, ArrowError> {
        let Some(column) = joined(&self.batches, at)? else {
            return Ok(None);
        };
        if is_constant(&*column) {
            return Ok(Some(column.slice(rows.start, rows.len())));
        }
        let order = self.order.slice(rows.start, rows.len());
        take(&column, &order, None).map(Some)
    }
}

fn order(batches: &[RecordBatch]) -> Result<UInt32Array, StoreError> {
    let whole = |name: &str| -> Result<Option<ArrayRef>, ArrowError> {
        let at = batches
            .first()
            .and_then(|batch| batch.schema_ref().index_of(name).ok());
        at.map_or(Ok(None), |at| joined(batches, at))
    };
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let words = |name: &str| -> Result<ScalarBuffer<u64>, ArrowError> {
        let column = whole(name)?;
        let column = column
            .as_ref()
            .and_then(|column| column.as_primitive_opt::<UInt64Type>());
        Ok(column.map_or_else(|| vec![0; rows].into(), |column| column.values().clone()))
    };
    let (src_high, src) = (words("src_ip_hi")?, words("src_ip_lo")?);
    let (dst_high, dst) = (words("dst_ip_hi")?, words("dst_ip_lo")?);
    let port = whole("dst_port")?;
    let port = port
        .as_ref()
        .and_then(|column| column.as_primitive_opt::<UInt16Type>());
    let start = whole("start")?;
    let start = start
        .as_ref()
        .and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
    let behind = |row: usize| {
        let port = port.map_or(0, |ports| ports.values()[row]);
        let start = start.map_or(0, |starts| starts.values()[row]);
        (dst_high[row], dst[row], port, start, row)
    };
    // Nearly all rows are told apart by their sources, and those of IPv4 by the lower half, which sorts fastest.
    let order = if src_high.iter().all(|high| *high == 0) {
        sort_by_source(src.iter().copied(), behind)
    } else {
        let whole = src_high.iter().zip(src.iter());
        let whole = whole.map(|(high, low)| u128::from(*high) << 64 | u128::from(*low));
        sort_by_source(whole, behind)
    };
    Ok(order.into())
}

/// Rows by source; those of one source by what `behind` says of a row.
fn sort_by_source<S: Ord + Copy, B: Ord>(
    sources: impl Iterator<Item = S>,
    behind: impl Fn(usize) -> B,
) -> Vec<u32> {
    let mut keys: Vec<(S, u32)> = sources.zip(0..).collect();
    keys.sort_unstable();
    for own in keys.chunk_by_mut(|a, b| a.0 == b.0) {
        if own.len() > 1 {
            own.sort_unstable_by_key(|(_, row)| behind(*row as usize));
        }
    }
    keys.into_iter().map(|(_, row)| row).collect()
}

/// Some rows of a batch.
fn picked(batch: &RecordBatch, rows: &UInt32Array) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| {
        if is_empty(column) {
            Ok(nulls(column.data_type(), rows.len()))
        } else {
            take(column, rows, None)
        }
    });
    RecordBatch::try_new(batch.schema(), columns.collect::<Result<_, _>>()?)
}

/// Start of each row, milliseconds since 1970.
pub(super) fn starts(batch: &RecordBatch) -> &[i64] {
    let column = batch.column_by_name("start");
    let column = column.and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
    column.map_or(&[], |column| column.values())
}

/// Rows by the first hour of the partition they begin in, `wide` hours each; past [`HOURS_MAX`] of them those with the
/// fewest rows together as [`MIXED`].
pub(super) fn by_hour(
    batches: &[RecordBatch],
    wide: i64,
) -> Result<BTreeMap<i64, Vec<RecordBatch>>, StoreError> {
    let of = |start: i64| start.div_euclid(HOUR_MS * wide) * wide;
    let mut counts = BTreeMap::<i64, u64>::new();
    for start in batches.iter().flat_map(starts) {
        *counts.entry(of(*start)).or_default() += 1;
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
            let hour = of(*start);
            let hour = if own.contains(&hour) { hour } else { MIXED };
            rows.entry(hour).or_default().push(row as u32);
        }
        for (hour, rows) in rows {
            let part = if rows.len() == batch.num_rows() {
                batch.clone()
            } else {
                picked(batch, &rows.into())?
            };
            hours.entry(hour).or_default().push(part);
        }
    }
    Ok(hours)
}

#[cfg(test)]
mod tests {
    use arrow_array::UInt16Array;

    use super::*;

    #[test]
    fn constant_columns_are_known() {
        let of = |values: &[u16]| is_constant(&UInt16Array::from(values.to_vec()));
        assert!(of(&[7, 7, 7]) && of(&[7]));
        assert!(!of(&[7, 7, 8]) && !of(&[8, 7, 7]) && !of(&[]));
        assert!(!is_constant(&UInt16Array::from(vec![Some(0), None])));
        let slice = UInt16Array::from(vec![1, 2, 2, 3]).slice(1, 2);
        assert!(is_constant(&slice));
    }

    #[test]
    fn missing_columns_share_their_memory() {
        let place = |rows| {
            let array = nulls(&DataType::UInt64, rows);
            assert_eq!((array.len(), array.null_count()), (rows, rows));
            array.to_data().buffers()[0].as_ptr()
        };
        assert_eq!(place(10), place(SHARED_NULLS_MAX));
        assert_ne!(place(10), place(SHARED_NULLS_MAX + 1));
    }
}
