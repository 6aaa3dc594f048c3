//! Parts: what goes in comes out, of any version, from any hour, sorted by source.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use proptest::prelude::*;
use weir_model::{FlowRecord, Time};

use super::fault_disk::FaultDisk;
use super::records::{flows, plain};
use crate::flow::{Limits, MIXED, Snapshot, StoreError, Table, Writer, part, schema, to_batch, to_records};

fn writer(disk: &FaultDisk, table: &'static Table) -> Writer {
    Writer::open(Arc::new(disk.clone()), table, "default", Limits::default()).unwrap()
}

/// All records of the store, in an order of their own.
fn stored(disk: &FaultDisk) -> Vec<FlowRecord> {
    let snapshot = Snapshot::read(disk, Table::flows(), "default").unwrap();
    let parts = snapshot.parts.iter().flat_map(|part| part.read(disk).unwrap());
    let batches: Vec<RecordBatch> = parts.chain(snapshot.memory.iter().cloned()).collect();
    in_order(
        batches
            .iter()
            .flat_map(|batch| to_records(batch).unwrap())
            .collect(),
    )
}

fn in_order(mut flows: Vec<FlowRecord>) -> Vec<FlowRecord> {
    flows.sort_by_cached_key(|flow| format!("{flow:?}"));
    flows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// Batch to part to batch, hours of any time between the years 1677 and 2262, merged or not.
    #[test]
    fn records_survive_log_parts_and_merging(groups in prop::collection::vec(flows(30), 1..4)) {
        let disk = FaultDisk::default();
        let mut writer = writer(&disk, Table::flows());
        for group in &groups {
            writer.append(to_batch(group).unwrap(), Time(0)).unwrap();
            writer.sync(Time(0)).unwrap();
            let logged = stored(&disk).len();
            prop_assert_eq!(logged as u64, writer.counters().rows_acknowledged);
            writer.finish(Time(0)).unwrap();
        }
        prop_assert_eq!(stored(&disk), in_order(groups.concat()));
    }
}

#[test]
fn stamps_of_too_many_hours_lie_together() {
    let disk = FaultDisk::default();
    let mut writer = writer(&disk, Table::flows());
    let flow = |hour: u32| {
        let mut flow = plain(hour);
        flow.start = Time::from_secs(i64::from(hour) * 3600);
        (flow.end, flow.flow_start) = (flow.start, flow.start);
        flow.id = weir_model::FlowId::derive(&flow.key, flow.start);
        flow
    };
    let flows: Vec<FlowRecord> = (0..500).map(flow).collect();
    writer.append(to_batch(&flows).unwrap(), Time(0)).unwrap();
    writer.finish(Time(0)).unwrap();
    let parts = writer.shared().latest().parts.clone();
    assert_eq!(parts.len(), 65, "64 hours and the rest");
    assert_eq!((parts[0].hour, parts[0].rows), (MIXED, 436));
    assert_eq!(stored(&disk), in_order(flows));
}

#[test]
fn rows_of_a_part_are_sorted_by_source() {
    let disk = FaultDisk::default();
    let mut writer = writer(&disk, Table::flows());
    let mut flows: Vec<FlowRecord> = (0..400).map(|number| plain(number * 7919 % 400)).collect();
    writer.append(to_batch(&flows).unwrap(), Time(0)).unwrap();
    writer.finish(Time(0)).unwrap();
    let part = writer.shared().latest().parts[0].clone();
    let read = part.read(&disk).unwrap();
    let read: Vec<FlowRecord> = read.iter().flat_map(|batch| to_records(batch).unwrap()).collect();
    flows.retain(|flow| flow.start.0.div_euclid(part::HOUR_MS * 1_000_000) == part.hour);
    let order = |flow: &FlowRecord| {
        (
            flow.key.initiator_ip,
            flow.key.responder_ip,
            flow.key.responder_port,
            flow.start,
        )
    };
    flows.sort_by_key(order);
    assert_eq!(read, flows);
}

/// The flow table as an earlier version might have had it: without some columns.
static EARLIER: LazyLock<Table> = LazyLock::new(|| {
    let fields: Vec<_> = schema::flows()
        .fields()
        .iter()
        .filter(|field| !["tos", "end_us", "sampling"].contains(&field.name().as_str()))
        .cloned()
        .collect();
    let metadata = [(schema::VERSION_KEY.to_owned(), "0".to_owned())];
    Table {
        name: schema::FLOWS,
        schema: Arc::new(Schema::new_with_metadata(fields, HashMap::from(metadata))),
        hours: 1,
        codecs: Vec::new(),
        bloom: &[],
    }
});

#[test]
fn a_store_of_an_earlier_version_opens_and_grows() {
    let disk = FaultDisk::default();
    let project = |batch: RecordBatch| {
        let schema = &EARLIER.schema;
        let columns = schema
            .fields()
            .iter()
            .map(|field| batch.column_by_name(field.name()).unwrap().clone());
        RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
    };
    let mut flows: Vec<FlowRecord> = (0..20).map(plain).collect();
    flows[3].tos = 8;
    flows[4].sampling = 100;
    let mut earlier = writer(&disk, &EARLIER);
    // Half of it in a part, half still in the log.
    earlier
        .append(project(to_batch(&flows[..10]).unwrap()), Time(0))
        .unwrap();
    earlier.finish(Time(0)).unwrap();
    earlier
        .append(project(to_batch(&flows[10..]).unwrap()), Time(0))
        .unwrap();
    earlier.sync(Time(0)).unwrap();
    drop(earlier);

    (flows[3].tos, flows[4].sampling) = (0, 1);
    assert_eq!(stored(&disk), in_order(flows.clone()));
    let mut now = writer(&disk, Table::flows());
    assert_eq!(now.counters().rows_recovered, 10);
    let more: Vec<FlowRecord> = (20..30).map(plain).collect();
    now.append(to_batch(&more).unwrap(), Time(0)).unwrap();
    now.finish(Time(0)).unwrap();
    flows.extend(more);
    assert_eq!(stored(&disk), in_order(flows));
}

#[test]
fn a_log_of_a_later_version_is_refused() {
    let metadata = [(schema::VERSION_KEY.to_owned(), "99".to_owned())];
    let later = Arc::new(Schema::new_with_metadata(
        schema::flows().fields().clone(),
        HashMap::from(metadata),
    ));
    let batch = to_batch(&[plain(1)]).unwrap();
    let batch = RecordBatch::try_new(later.clone(), batch.columns().to_vec()).unwrap();
    assert!(matches!(
        part::check_version(batch.schema_ref()),
        Err(StoreError::Later(99))
    ));
    let said = StoreError::Later(99).to_string();
    assert!(
        said.contains("later version") && said.contains("schema 99"),
        "{said}"
    );
}

#[test]
fn names_of_sites_cannot_leave_the_folder() {
    let disk = Arc::new(FaultDisk::default());
    for site in ["", "..", "a/b", "a b", &"x".repeat(65)] {
        let opened = Writer::open(disk.clone(), Table::flows(), site, Limits::default());
        assert!(matches!(opened, Err(StoreError::Site(_))), "{site:?}");
    }
}
