//! Both tables behind one handle: what an earlier run left, a disk that is full, a disk that others need.

use std::ops::Range;
use std::sync::Arc;

use weir_model::{Batch, NANOS_PER_S, Time};

use super::fault_disk::FaultDisk;
use super::records::plain;
use crate::flow::{FlowStore, Health, Limits, Retention, Snapshot, Table};

fn numbered(numbers: Range<u32>) -> Batch {
    Batch {
        flows: numbers.map(plain).collect(),
        ..Batch::default()
    }
}

fn second(second: i64) -> Time {
    Time(second * NANOS_PER_S)
}

#[test]
fn what_earlier_runs_left_is_not_in_the_way_of_new_rows() {
    let disk = FaultDisk::default();
    let limits = Limits {
        generations_max: 1,
        ..Limits::default()
    };
    for run in 0..4_u32 {
        let mut store = FlowStore::on(Arc::new(disk.clone()), "default", &limits).unwrap();
        store
            .append(&numbered(run * 10..run * 10 + 10), second(0))
            .unwrap();
        store.tick(second(2)).unwrap();
        assert_eq!(store.stored().flows.rows_dropped, 0);
        assert_eq!(store.stored().flows.rows_recovered, if run == 0 { 0 } else { 10 });
    }
    let snapshot = Snapshot::read(&disk, Table::flows(), "default").unwrap();
    assert_eq!(snapshot.rows(), 40);
}

#[test]
fn a_full_disk_is_not_tried_with_every_batch() {
    let limits = Limits {
        generation_rows: 100,
        ..Limits::default()
    };
    let fill = |room: Option<usize>| {
        let disk = FaultDisk::default();
        let mut store = FlowStore::on(Arc::new(disk.clone()), "default", &limits).unwrap();
        store.append(&numbered(0..100), second(0)).unwrap();
        disk.limit(room);
        let filled = store.tick(second(1));
        (disk, store, filled)
    };
    let log_bytes = fill(None).1.stored().flows.log_bytes as usize;
    // Room for the log and the version, and not for a part as well.
    let (disk, mut store, filled) = fill(Some(log_bytes + 100));
    assert!(filled.is_err());
    assert!(matches!(store.health(), Health::Full(_)));
    let before = disk.calls();
    for number in 100..110 {
        store.append(&numbered(number..number + 1), second(1)).unwrap();
    }
    assert_eq!(disk.calls(), before);
    disk.limit(None);
    store.tick(second(3)).unwrap();
    assert!(
        matches!(store.health(), Health::Full(_)),
        "it waits for five seconds"
    );
    store.tick(second(7)).unwrap();
    assert_eq!(store.health(), Health::Writing);
    assert_eq!(store.stored().flows.rows_dropped, 0);
}

#[test]
fn a_disk_of_others_is_left_to_them() {
    let limits = Limits {
        retention: Retention {
            free_bytes: Some(1 << 30),
            ..Retention::default()
        },
        ..Limits::default()
    };
    let mut store = FlowStore::on(Arc::new(FaultDisk::default()), "default", &limits).unwrap();
    for hour in 0..4 {
        store
            .append(&numbered(hour * 1000..hour * 1000 + 50), Time(0))
            .unwrap();
        store.finish(Time(0)).unwrap();
    }
    let before = store.fullness();
    assert_eq!(before.days_left, None, "nobody said how much is free");
    assert_eq!(store.set_free(3 << 30).unwrap(), 0);
    let days = store.fullness().days_left.unwrap();
    let pace = before.bytes_per_day.unwrap();
    assert!(
        (days * pace / (2_u64 << 30) as f64 - 1.0).abs() < 1e-6,
        "{days} days at {pace} bytes a day"
    );
    let gone = store.set_free((1 << 30) - 10).unwrap();
    assert!(gone >= 10 && gone < before.bytes, "{gone} of {}", before.bytes);
    assert_eq!(store.fullness().bytes, before.bytes - gone);
}
