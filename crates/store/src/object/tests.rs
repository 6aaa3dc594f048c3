//! The life of a store in an object store: in memory, where requests fail, and in SeaweedFS. The schedules of losses of
//! power are with those of a disk (`flow/tests/faults.rs`).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_model::{Batch, Time};

use super::memory::Memory;
use super::{Bucket, ObjectDisk, ObjectPlace, Objects, waiting};
use crate::delivery::Delivery;
use crate::disk::Disk;
use crate::flow::tests::fault_disk::{FaultDisk, Seeded};
use crate::flow::tests::records::plain;
use crate::flow::{FlowStore, Limits, Part, Retention, Snapshot, StoreError, Table, search};

/// 2026-11-22T00:00:00Z
const NOW: i64 = 1_795_305_600_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let own = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("weir-object-{}-{own}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn limits() -> Limits {
    Limits {
        frame_rows: 16,
        generation_rows: 64,
        part_rows: 256,
        ..Limits::default()
    }
}

fn batch(numbers: std::ops::Range<u32>) -> Batch {
    Batch {
        flows: numbers.map(plain).collect(),
        ..Batch::default()
    }
}

fn open(
    folder: &Folder,
    objects: &Arc<dyn Objects>,
    limits: &Limits,
) -> Result<(FlowStore, Arc<ObjectDisk>), StoreError> {
    FlowStore::open_on_objects(&folder.0, objects.clone(), "default", limits)
}

/// Sends what waits until nothing does.
fn send(disk: &ObjectDisk) {
    let mut waits = 0;
    loop {
        match disk.step() {
            Delivery::Moved => {}
            Delivery::Idle => return,
            Delivery::Wait(_) => waits += 1,
        }
        assert!(waits < 1000, "{:?}", disk.waiting());
    }
}

/// Ports (which `plain` numbers) of every record that a process finds whose folder this is.
fn ports(folder: &Folder, objects: &Arc<dyn Objects>) -> Vec<u16> {
    let disk: Arc<dyn Disk> = Arc::new(ObjectDisk::reading(&folder.0, objects.clone()));
    let snapshot = Snapshot::read(&*disk, Table::flows(), "default").unwrap();
    let question = search::Search {
        filter: weir_query::Expr::Any,
        view: search::View::Biflow,
        shape: search::Shape::List {
            order: search::RowOrder::Stored,
            limit: None,
        },
    };
    let sources = search::sources(&disk, &snapshot);
    let answer = search::run(&question, &sources, &search::Control::default()).unwrap();
    let search::Found::Records(records) = answer.found else {
        panic!("records were asked for");
    };
    let mut ports: Vec<u16> = records.iter().map(|record| record.key.initiator_port).collect();
    ports.sort_unstable();
    ports
}

fn expected(many: u32) -> Vec<u16> {
    (0..many).map(|number| 1024 + number as u16).collect()
}

/// Fills, reads, stops without an end, fills on, merges, ends, and lets the oldest parts go.
fn a_life(objects: &Arc<dyn Objects>) {
    let folder = Folder::new();
    let (mut store, disk) = open(&folder, objects, &limits()).unwrap();
    let mut now = NOW;
    for at in 0..10 {
        store.append(&batch(at * 50..at * 50 + 50), Time(now)).unwrap();
        now += SECOND;
    }
    store.tick(Time(now)).unwrap();
    assert!(disk.waiting().parts > 0, "nothing is sent by who writes");
    assert_eq!(ports(&folder, objects), expected(500), "beside the writer");
    assert!(disk.step() == Delivery::Moved && disk.step() == Delivery::Moved);
    assert_eq!(ports(&folder, objects), expected(500), "on the way");
    let refused = |folder: &Folder| open(folder, objects, &limits()).err().unwrap();
    assert!(matches!(refused(&folder), StoreError::Busy), "one process");
    drop((store, disk));
    let other = refused(&Folder::new());
    assert!(matches!(other, StoreError::Claimed(_)), "one machine: {other}");
    let (mut store, disk) = open(&folder, objects, &limits()).unwrap();
    store.append(&batch(500..600), Time(now)).unwrap();
    store.finish(Time(now)).unwrap();
    send(&disk);
    assert_eq!(ports(&folder, objects), expected(600), "after a restart");
    assert_eq!(
        ports(&Folder::new(), objects),
        expected(600),
        "from another machine"
    );
    assert!(disk.local.list(super::WAITING).unwrap().is_empty());
    let reading = ObjectDisk::reading(&folder.0, objects.clone());
    let snapshot = Snapshot::read(&reading, Table::flows(), "default").unwrap();
    snapshot
        .parts
        .iter()
        .for_each(|part| Part::verify(part, &reading).unwrap());
    drop((store, disk));
    expire(&folder, objects);
}

/// A folder's own name on a disk that fails and loses power: once told it stays, and it is never half a name.
#[test]
fn the_own_name_survives_what_disks_do() {
    for seed in 0..400 {
        let mut random = Seeded(seed);
        let mut disk = FaultDisk::default();
        let mut told = None;
        for _ in 0..20 {
            let fails = 1 + random.below(8);
            disk.fail_every((random.below(2) == 0).then_some(fails), io::ErrorKind::Other);
            let on = |disk: &FaultDisk| ObjectDisk::on(Arc::new(disk.clone()), Arc::new(Memory::default()));
            if let Ok(name) = on(&disk).own_name() {
                assert_eq!(name.len(), 32, "seed {seed}: {name:?}");
                assert!(
                    told.as_ref().is_none_or(|told| *told == name),
                    "seed {seed}: another name than before"
                );
                told = Some(name);
            }
            disk.fail_every(None, io::ErrorKind::Other);
            if random.below(3) == 0 {
                disk = disk.crashed(&mut random);
            }
        }
    }
}

/// Everything goes by age, in steps that the clock may make.
fn expire(folder: &Folder, objects: &Arc<dyn Objects>) {
    let young = Limits {
        retention: Retention {
            age_s: Some(60),
            ..Retention::default()
        },
        ..limits()
    };
    let (mut store, disk) = open(folder, objects, &young).unwrap();
    store.tick(Time(NOW)).unwrap();
    store.tick(Time(NOW + 3000 * SECOND)).unwrap();
    send(&disk);
    assert!(objects.list("flows").unwrap().is_empty(), "old parts are gone");
    assert_eq!(ports(folder, objects), expected(0));
}

#[test]
fn parts_lie_in_the_object_store() {
    a_life(&(Arc::new(Memory::default()) as Arc<dyn Objects>));
}

#[test]
fn an_object_store_that_is_away_stops_nobody() {
    let memory = Memory::default();
    let objects: Arc<dyn Objects> = Arc::new(memory.clone());
    let folder = Folder::new();
    let (mut store, disk) = open(&folder, &objects, &limits()).unwrap();
    memory.fail_every(Some(1));
    for at in 0..10 {
        let now = Time(NOW + i64::from(at) * SECOND);
        store.append(&batch(at * 50..at * 50 + 50), now).unwrap();
    }
    // Those merged meanwhile need not go up.
    let mut pauses = Vec::new();
    while pauses.len() < 8 {
        if let Delivery::Wait(pause) = disk.step() {
            pauses.push(pause.as_secs());
        }
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    let waiting = disk.waiting();
    assert_eq!((waiting.failures, waiting.parts_put), (8, 0));
    assert!(waiting.trouble.is_some() && waiting.parts > 0 && waiting.bytes > 0);
    memory.fail_every(None);
    send(&disk);
    let sent = disk.waiting();
    assert_eq!((sent.parts, sent.bytes, sent.trouble), (0, 0, None));
    assert_eq!(ports(&folder, &objects), expected(500));
}

#[test]
fn what_waits_is_bounded() {
    let memory = Memory::default();
    let folder = Folder::new();
    let objects: Arc<dyn Objects> = Arc::new(memory.clone());
    let (mut disk, _lock) = ObjectDisk::writing(&folder.0, objects.clone(), "default").unwrap();
    disk.waiting_bytes_max = 30_000;
    let disk = Arc::new(disk);
    let mut store = FlowStore::on(disk.clone(), "default", &limits()).unwrap();
    let mut refused = 0;
    for at in 0..40 {
        let now = Time(NOW + i64::from(at) * 6 * SECOND);
        if store.append(&batch(at * 50..at * 50 + 50), now).is_err() {
            refused += 1;
        }
    }
    assert!(
        refused > 0 && disk.waiting().bytes < 60_000,
        "{:?}",
        disk.waiting()
    );
    let dropped = store.stored().flows.rows_dropped;
    assert!(dropped > 0, "rows that do not fit are counted");
    let mut now = NOW + 1000 * SECOND;
    for _ in 0..100 {
        send(&disk);
        now += 6 * SECOND;
        let _ = store.tick(Time(now));
    }
    store.finish(Time(now)).unwrap();
    send(&disk);
    assert_eq!(ports(&folder, &objects).len() as u64, 2000 - dropped);
}

#[test]
fn nothing_is_lost_or_doubled_when_requests_fail() {
    for every in [2, 3, 5, 7] {
        let memory = Memory::default();
        let objects: Arc<dyn Objects> = Arc::new(memory.clone());
        let folder = Folder::new();
        let mut now = NOW;
        for life in 0..6 {
            memory.fail_every(None);
            let (mut store, disk) = open(&folder, &objects, &limits()).unwrap();
            memory.fail_every(Some(every));
            // Merging may fail, taking rows may not.
            let _ = store.append(&batch(life * 100..life * 100 + 100), Time(now));
            assert_eq!(store.stored().flows.rows_dropped, 0);
            for _ in 0..8 {
                now += SECOND;
                let _ = store.tick(Time(now));
                disk.step();
            }
        }
        memory.fail_every(None);
        let (mut store, disk) = open(&folder, &objects, &limits()).unwrap();
        store.finish(Time(now)).unwrap();
        send(&disk);
        assert_eq!(ports(&Folder::new(), &objects), expected(600), "every {every}");
    }
}

/// A part that goes away while it goes up, and one that comes again under its name.
#[test]
fn a_part_may_go_and_come_again() {
    let memory = Memory::default();
    let folder = Folder::new();
    let (disk, _lock) = ObjectDisk::writing(&folder.0, Arc::new(memory.clone()), "default").unwrap();
    let path = "flows/site=default/hour=mixed/0-0-1-00000000.parquet";
    let parts = || -> Vec<String> {
        let names = memory.names();
        names
            .into_iter()
            .filter(|name| name.starts_with("flows"))
            .collect()
    };
    let make = || {
        let unfinished = "flows/site=default/hour=mixed/unfinished-1";
        let mut file = disk.create(unfinished).unwrap();
        file.append(b"part").unwrap();
        file.sync().unwrap();
        disk.rename(unfinished, path).unwrap();
    };
    make();
    disk.remove(path).unwrap();
    send(&disk);
    assert!(parts().is_empty() && disk.waiting().parts_put == 0);
    // As if the answer of the first try came when the part had gone and come again: it must go up behind its deletion.
    make();
    memory.put_new(path, "part".into()).unwrap();
    disk.remove(path).unwrap();
    assert!(disk.list("flows/site=default").unwrap().is_empty());
    make();
    assert_eq!(disk.open(path).unwrap().bytes(), 4);
    assert_eq!(disk.step(), Delivery::Moved);
    assert!(
        disk.local.open(&waiting(path)).is_ok(),
        "the file is still needed"
    );
    send(&disk);
    assert_eq!(parts(), [path]);
    let sent = disk.waiting();
    assert_eq!((sent.parts, sent.bytes, sent.parts_lost), (0, 0, 0));
    assert_eq!(disk.open(path).unwrap().read_all().unwrap(), "part");
    make();
    disk.local.remove(&waiting(path)).unwrap();
    send(&disk);
    assert_eq!((disk.waiting().parts, disk.waiting().parts_lost), (0, 1));
    disk.remove(path).unwrap();
    send(&disk);
    assert!(parts().is_empty());
}

#[test]
fn a_second_search_reads_from_memory() {
    let memory = Memory::default();
    let objects: Arc<dyn Objects> = Arc::new(memory.clone());
    let folder = Folder::new();
    let (mut store, disk) = open(&folder, &objects, &limits()).unwrap();
    store.append(&batch(0..300), Time(NOW)).unwrap();
    store.finish(Time(NOW)).unwrap();
    send(&disk);
    drop(store);
    let reading = ObjectDisk::reading(&Folder::new().0, objects.clone());
    let snapshot = Snapshot::read(&reading, Table::flows(), "default").unwrap();
    let path = &snapshot.parts[0].path;
    let whole = reading.open(path).unwrap().read_all().unwrap();
    let before = memory.reads();
    assert_eq!(reading.open(path).unwrap().read_all().unwrap(), whole);
    assert_eq!(memory.reads(), before);
    let none = reading.open("flows/site=default/none.parquet").unwrap_err();
    assert_eq!(none.kind(), io::ErrorKind::NotFound);
    // Gone meanwhile: the cache of another process does not know.
    objects.delete(path).unwrap();
    let fresh = ObjectDisk::reading(&Folder::new().0, objects);
    let snapshot_before = search::sources(&(Arc::new(fresh) as Arc<dyn Disk>), &snapshot);
    let question = search::Search {
        filter: weir_query::Expr::Any,
        view: search::View::Biflow,
        shape: search::Shape::Exists,
    };
    let answer = search::run(&question, &snapshot_before, &search::Control::default());
    assert!(matches!(answer, Err(search::SearchError::Gone(_))));
}

/// Who reads on gets more and more in a request.
#[test]
fn a_reader_who_goes_on_needs_few_requests() {
    let memory = Memory::default();
    let objects: Arc<dyn Objects> = Arc::new(memory.clone());
    let path = "flows/site=default/hour=mixed/0-0-1-00000000.parquet";
    let bytes: Vec<u8> = (0..9_000_000_u32).map(|at| (at / 7) as u8).collect();
    objects.put_new(path, bytes.clone().into()).unwrap();
    let disk = ObjectDisk::reading(&Folder::new().0, objects);
    let crate::Source::Ranged(file) = disk.open(path).unwrap() else {
        panic!("a part of an object store");
    };
    for from in (0..8_900_000).step_by(50_000) {
        let read = file.range(from, 60_000).unwrap();
        assert_eq!(read, bytes[from as usize..from as usize + 60_000]);
    }
    assert!(memory.reads() <= 9, "{} requests", memory.reads());
    assert!(file.range(8_999_999, 2).is_err() && file.range(u64::MAX, 2).is_err());
}

#[test]
fn seaweedfs_does_what_memory_does() {
    let Some(server) = weir_testkit::server::seaweed("weir") else {
        return;
    };
    let url = format!(
        "s3://weir/some/prefix?endpoint=http://127.0.0.1:{}&region=eu-west-1",
        server.port
    );
    let bucket = Bucket::open_with(&ObjectPlace::parse(&url).unwrap(), ("any", "thing")).unwrap();
    assert_eq!(bucket.size("none").unwrap_err().kind(), io::ErrorKind::NotFound);
    a_life(&(Arc::new(bucket) as Arc<dyn Objects>));
}
