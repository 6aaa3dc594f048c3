//! Flow records to an Arrow batch and back. Column by column over a slice of records, so that each loop has one type.

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int32Type, Int64Type, TimestampMillisecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowNativeTypeOp, BooleanArray, DictionaryArray, PrimitiveArray, RecordBatch,
    StringArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use weir_model::FlowRecord;

use super::row::Row;
use super::rows::nulls;
use super::schema::{self, COLUMNS, Column, Form, Read, Write};

/// Why a batch is not one of flow records.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BatchError {
    /// A column has another type than this program gives it.
    #[error("column {column} is of type {found}, not {wanted}: the file was not written by this program")]
    Type {
        column: &'static str,
        found: String,
        wanted: String,
    },
    /// The arrays do not make a batch.
    #[error("columns of a batch do not fit: {0}")]
    Arrow(String),
}

/// The records as a batch of [`schema::flows`].
pub fn to_batch(flows: &[FlowRecord]) -> Result<RecordBatch, BatchError> {
    let arrays = COLUMNS.iter().map(|column| array(column, flows));
    RecordBatch::try_new(schema::flows(), arrays.collect())
        .map_err(|error| BatchError::Arrow(error.to_string()))
}

/// Bytes of memory the batch's rows take. Columns without values share theirs: whole buffers would count many times over.
pub fn rows_bytes(batch: &RecordBatch) -> Result<usize, BatchError> {
    let bytes = |column: &ArrayRef| {
        let bytes = column.to_data().get_slice_memory_size();
        bytes.map_err(|error| BatchError::Arrow(error.to_string()))
    };
    batch.columns().iter().map(bytes).sum()
}

/// One column of the records. Most records lack most columns: those cost a look, and no memory.
pub(super) fn array(column: &Column, flows: &[FlowRecord]) -> ArrayRef {
    let lacking = column.nullable
        && match column.read {
            Read::Number(read) => flows.iter().all(|flow| read(flow).is_none()),
            Read::Text(read) => flows.iter().all(|flow| read(flow).is_none()),
        };
    match column.read {
        _ if lacking => missing(column.form, flows.len()),
        Read::Number(read) => numbers(column.form, flows, read),
        Read::Text(read) => texts(flows.iter().map(read)),
    }
}

fn missing(form: Form, rows: usize) -> ArrayRef {
    match form {
        Form::Words(words) => {
            let codes = nulls(&DataType::UInt8, rows);
            words_array(words, codes.as_primitive::<UInt8Type>().clone())
        }
        form => nulls(&schema::data_type(form), rows),
    }
}

fn numbers(form: Form, flows: &[FlowRecord], read: fn(&FlowRecord) -> Option<u64>) -> ArrayRef {
    let values = || flows.iter().map(read);
    match form {
        Form::Millis => {
            Arc::new(primitive::<TimestampMillisecondType>(values(), |v| v as i64).with_timezone("UTC"))
        }
        Form::I64 => Arc::new(primitive::<Int64Type>(values(), |v| v as i64)),
        Form::U8 => Arc::new(primitive::<UInt8Type>(values(), |v| v as u8)),
        Form::U16 => Arc::new(primitive::<UInt16Type>(values(), |v| v as u16)),
        Form::U32 => Arc::new(primitive::<UInt32Type>(values(), |v| v as u32)),
        Form::U64 => Arc::new(primitive::<UInt64Type>(values(), |v| v)),
        Form::Flag => {
            let bits = BooleanBuffer::from_iter(values().map(|value| value == Some(1)));
            let valid = NullBuffer::from_iter(values().map(|value| value.is_some()));
            Arc::new(BooleanArray::new(
                bits,
                Some(valid).filter(|valid| valid.null_count() > 0),
            ))
        }
        Form::Words(words) => words_array(words, primitive::<UInt8Type>(values(), |v| v as u8)),
        Form::Text => texts(values().map(|_| None)),
    }
}

pub(super) fn primitive<T: ArrowPrimitiveType>(
    values: impl ExactSizeIterator<Item = Option<u64>> + Clone,
    cast: impl Fn(u64) -> T::Native,
) -> PrimitiveArray<T> {
    // Most columns have a value in every row or in none, so that which rows have one is rarely asked a second time.
    let rows = values.len();
    let mut found = 0;
    let mut natives = Vec::with_capacity(rows);
    natives.extend(values.clone().map(|value| {
        found += usize::from(value.is_some());
        value.map_or(T::Native::ZERO, &cast)
    }));
    let valid = match found {
        _ if found == rows => None,
        0 => Some(NullBuffer::new_null(rows)),
        _ => Some(values.map(|value| value.is_some()).collect()),
    };
    PrimitiveArray::new(natives.into(), valid)
}

/// Codes with the fixed list as their dictionary, which all batches of the process share.
pub(super) fn words_array(words: &'static [&'static str], codes: PrimitiveArray<UInt8Type>) -> ArrayRef {
    static LISTS: LazyLock<std::sync::Mutex<Vec<(usize, ArrayRef)>>> = LazyLock::new(Default::default);
    let mut lists = LISTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let place = words.as_ptr() as usize;
    let list = match lists.iter().find(|(known, _)| *known == place) {
        Some((_, list)) => list.clone(),
        None => {
            let list: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
            lists.push((place, list.clone()));
            list
        }
    };
    Arc::new(DictionaryArray::new(codes, list))
}

/// Texts as a dictionary in the order met.
pub(super) fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<DictionaryArray<Int32Type>>())
}

/// The records of a batch of the flow table. Columns it lacks (an older part) are as if no record had the value.
pub fn to_records(batch: &RecordBatch) -> Result<Vec<FlowRecord>, BatchError> {
    let mut rows: Vec<Row> = (0..batch.num_rows()).map(|_| Row::new()).collect();
    for column in COLUMNS {
        if let Some(array) = found(batch, column.name, column.form)? {
            restore(column, array, &mut rows);
        }
    }
    Ok(rows.into_iter().map(Row::record).collect())
}

/// A column of the batch, of the right type; `None` where an older part lacks it.
pub(super) fn found<'a>(
    batch: &'a RecordBatch,
    name: &'static str,
    form: Form,
) -> Result<Option<&'a ArrayRef>, BatchError> {
    let Some(array) = batch.column_by_name(name) else {
        return Ok(None);
    };
    let wanted = schema::data_type(form);
    if *array.data_type() != wanted {
        return Err(BatchError::Type {
            column: name,
            found: array.data_type().to_string(),
            wanted: wanted.to_string(),
        });
    }
    Ok(Some(array))
}

/// Gives the values of one column to the rows.
pub(super) fn restore(column: &Column, array: &ArrayRef, rows: &mut [Row]) {
    match column.write {
        Write::Number(write) => {
            let values = Numbers::of(array, column.form);
            for (at, row) in rows.iter_mut().enumerate() {
                if let Some(value) = values.value(at) {
                    write(row, value);
                }
            }
        }
        Write::Text(write) => {
            for (row, text) in rows.iter_mut().zip(text_values(array)) {
                if let Some(text) = text {
                    write(row, text);
                }
            }
        }
    }
}

/// Numbers of a column as `u64`, whatever their width; words by their code in the fixed list.
pub(super) struct Numbers {
    values: ScalarBuffer<u64>,
    valid: Option<NullBuffer>,
}

impl Numbers {
    /// Reads an array; one that is not of the form has no values.
    pub(super) fn of(array: &ArrayRef, form: Form) -> Self {
        fn wide<T: ArrowPrimitiveType>(
            array: &ArrayRef,
            cast: impl Fn(T::Native) -> u64,
        ) -> Option<ScalarBuffer<u64>> {
            let values = array.as_primitive_opt::<T>()?.values();
            Some(values.iter().map(|value| cast(*value)).collect())
        }
        /// Values of eight bytes are taken as they lie there.
        fn same<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<ScalarBuffer<u64>> {
            let values = array.as_primitive_opt::<T>()?.values();
            Some(values.inner().clone().into())
        }
        let values = match form {
            Form::Millis => same::<TimestampMillisecondType>(array),
            Form::I64 => same::<Int64Type>(array),
            Form::U8 => wide::<UInt8Type>(array, u64::from),
            Form::U16 => wide::<UInt16Type>(array, u64::from),
            Form::U32 => wide::<UInt32Type>(array, u64::from),
            Form::U64 => same::<UInt64Type>(array),
            Form::Flag => array
                .as_any()
                .downcast_ref::<BooleanArray>()
                .map(|flags| flags.values().iter().map(u64::from).collect()),
            Form::Words(words) => codes(array, words).map(ScalarBuffer::from),
            Form::Text => None,
        };
        match values {
            Some(values) => Self {
                values,
                valid: array.nulls().cloned(),
            },
            None => Self {
                values: vec![0; array.len()].into(),
                valid: Some(NullBuffer::new_null(array.len())),
            },
        }
    }

    pub(super) fn value(&self, row: usize) -> Option<u64> {
        let valid = self.valid.as_ref().is_none_or(|valid| valid.is_valid(row));
        valid.then(|| self.values[row])
    }

    pub(super) fn into_parts(self) -> (ScalarBuffer<u64>, Option<NullBuffer>) {
        (self.values, self.valid)
    }
}

/// Codes of a batch's own dictionary as codes of the fixed list; words that are not in it stand past its end.
fn codes(array: &ArrayRef, words: &[&str]) -> Option<Vec<u64>> {
    let array = array.as_any().downcast_ref::<DictionaryArray<UInt8Type>>()?;
    let texts = array.values().as_any().downcast_ref::<StringArray>()?;
    let known = |text: &str| words.iter().position(|word| *word == text);
    let by_key: Vec<u64> = texts
        .iter()
        .map(|text| text.and_then(known).unwrap_or(words.len()) as u64)
        .collect();
    let code = |key: &u8| {
        by_key
            .get(usize::from(*key))
            .copied()
            .unwrap_or(words.len() as u64)
    };
    Some(array.keys().values().iter().map(code).collect())
}

/// The texts of a dictionary column, row by row.
pub(super) fn text_values(array: &ArrayRef) -> Vec<Option<&str>> {
    let Some(array) = array.as_any().downcast_ref::<DictionaryArray<Int32Type>>() else {
        return vec![None; array.len()];
    };
    let Some(texts) = array.values().as_any().downcast_ref::<StringArray>() else {
        return vec![None; array.len()];
    };
    let keys = array.keys().iter();
    keys.map(|key| key.map(|key| texts.value(key as usize))).collect()
}
