//! Records to columns and back, against the records themselves and against the filter language's own columns.

pub(crate) mod fault_disk;
mod faults;
mod parts;
pub(crate) mod records;
mod retention;
mod store;

use proptest::prelude::*;
use weir_query::{Columns, FLOW_COLUMNS, FlowColumns, Slice};

use super::{ArrowColumns, schema, to_batch, to_records};
use records::{flow, flows};

proptest! {
    #[test]
    fn records_come_back(flows in flows(40)) {
        let batch = to_batch(&flows).unwrap();
        prop_assert_eq!(batch.schema(), schema::flows());
        prop_assert_eq!(to_records(&batch).unwrap(), flows);
    }

    /// The filter language sees in a batch what it sees in the records.
    #[test]
    fn columns_are_the_languages(flows in flows(20)) {
        let batch = to_batch(&flows).unwrap();
        let (stored, plain) = (ArrowColumns::new(&batch), FlowColumns::new(&flows));
        for column in FLOW_COLUMNS.iter() {
            prop_assert_eq!(cells(&stored, column.name), cells(&plain, column.name), "{}", column.name);
        }
    }

    /// A projection to the physical columns of one column is enough to read it.
    #[test]
    fn physical_columns_are_enough(flow in flow()) {
        let flows = [flow];
        let batch = to_batch(&flows).unwrap();
        for column in FLOW_COLUMNS.iter() {
            let indices: Vec<usize> = schema::physical(column.name)
                .iter()
                .map(|name| batch.schema_ref().index_of(name).unwrap())
                .collect();
            let projected = batch.project(&indices).unwrap();
            let (stored, plain) = (ArrowColumns::new(&projected), FlowColumns::new(&flows));
            prop_assert_eq!(cells(&stored, column.name), cells(&plain, column.name), "{}", column.name);
        }
    }
}

/// Values of a column in words, row by row.
fn cells(columns: &impl Columns, name: &str) -> Vec<Option<String>> {
    let rows = 0..columns.rows();
    let cell = |row: usize| match columns.column(name) {
        Slice::Missing => panic!("{name} cannot be read"),
        Slice::Numbers(values, valid) => valid.contains(row).then(|| values[row].to_string()),
        Slice::Times(values, valid) => valid.contains(row).then(|| values[row].to_string()),
        Slice::Addresses(values, valid) => valid.contains(row).then(|| values[row].to_string()),
        Slice::Texts(codes, texts, valid) => valid
            .contains(row)
            .then(|| texts[codes[row] as usize].to_string()),
        Slice::Lists(codes, lists, valid) => {
            valid.contains(row).then(|| lists[codes[row] as usize].join(", "))
        }
    };
    rows.map(cell).collect()
}

#[test]
fn a_batch_of_another_program_is_refused() {
    let batch = to_batch(&[]).unwrap();
    let wrong = arrow_array::RecordBatch::try_from_iter([(
        "src_port",
        batch.column_by_name("start").unwrap().clone(),
    )])
    .unwrap();
    let error = to_records(&wrong).unwrap_err().to_string();
    assert!(error.contains("src_port"), "{error}");
}

/// A part written before a column existed reads as if no record had it.
#[test]
fn columns_that_are_missing_have_no_values() {
    let mut flow = records::plain(7);
    let batch = to_batch(std::slice::from_ref(&flow)).unwrap();
    let kept: Vec<usize> = (0..batch.num_columns())
        .filter(|at| batch.schema_ref().field(*at).name() != "src_bytes")
        .collect();
    let read = to_records(&batch.project(&kept).unwrap()).unwrap();
    flow.forward.bytes = 0;
    // The totals were left out because they equalled the counters.
    flow.forward_total = flow.forward;
    assert_eq!(read, [flow]);
}
