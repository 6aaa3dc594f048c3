//! The store against a disk that fails and forgets. Every row has a number; after every step each row that was offered
//! is there once, and after every loss of power each row that was acknowledged. `WEIR_FAULT_SCHEDULES` sets how many.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{RecordBatch, TimestampMillisecondArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use weir_model::{NANOS_PER_S, Time};

use super::fault_disk::{FaultDisk, Seeded};
use crate::delivery::Delivery;
use crate::disk::Disk;
use crate::flow::schema::{self, Codec};
use crate::flow::{Health, Limits, Retention, Snapshot, StoreError, Table, Writer, part};
use crate::object::ObjectDisk;
use crate::object::memory::Memory;

/// A table of two columns: the machinery is the same, and schedules are many.
pub(super) static NUMBERS: LazyLock<Table> = LazyLock::new(|| Table {
    name: "numbers",
    schema: Arc::new(Schema::new_with_metadata(
        vec![
            Field::new(
                "start",
                DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
                false,
            ),
            Field::new("number", DataType::UInt64, false),
        ],
        schema::metadata("numbers"),
    )),
    hours: 1,
    codecs: vec![("start", Codec::Delta), ("number", Codec::Split)],
    bloom: &[],
});

pub(super) fn limits() -> Limits {
    Limits {
        frame_rows: 4,
        generation_rows: 12,
        generation_age_s: 30,
        generations_max: 3,
        part_rows: 64,
        retention: Retention::default(),
        profiles: Default::default(),
    }
}

/// Rows with these numbers; every third lies in the next hour.
pub(super) fn rows(numbers: &[u64]) -> RecordBatch {
    let starts = numbers
        .iter()
        .map(|number| (number % 3 / 2 + number / 50) as i64 * part::HOUR_MS);
    let starts: TimestampMillisecondArray = starts.collect::<Vec<i64>>().into();
    let columns: [arrow_array::ArrayRef; 2] = [
        Arc::new(starts.with_timezone("UTC")),
        Arc::new(UInt64Array::from(numbers.to_vec())),
    ];
    RecordBatch::try_new(NUMBERS.schema.clone(), columns.to_vec()).unwrap()
}

/// Numbers of all rows of a snapshot.
pub(super) fn numbers(snapshot: &Snapshot, disk: &dyn Disk) -> Vec<u64> {
    let parts = snapshot.parts.iter().flat_map(|part| part.read(disk).unwrap());
    let batches = parts.chain(snapshot.memory.iter().cloned());
    let mut numbers: Vec<u64> = batches
        .flat_map(|batch| {
            batch
                .column_by_name("number")
                .unwrap()
                .as_primitive::<UInt64Type>()
                .values()
                .to_vec()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

struct Run {
    random: Seeded,
    disk: FaultDisk,
    /// With parts in an object store, behind this disk.
    objects: Option<(Memory, Arc<ObjectDisk>)>,
    writer: Writer,
    /// Rows that must be there, and rows that may be.
    acknowledged: BTreeSet<u64>,
    offered: BTreeSet<u64>,
    next: u64,
    now: Time,
    failures: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let disk = FaultDisk::default();
        Self {
            random: Seeded(seed),
            writer: Writer::open(Arc::new(disk.clone()), &NUMBERS, "default", limits()).unwrap(),
            disk,
            objects: None,
            acknowledged: BTreeSet::new(),
            offered: BTreeSet::new(),
            next: 0,
            now: Time(0),
            failures: 0,
        }
    }

    /// The same with parts in an object store.
    fn on_objects(seed: u64) -> Self {
        let mut run = Self::new(seed);
        run.disk = FaultDisk::default();
        run.objects = Some(behind(&run.disk, Memory::default()));
        run.reopen();
        run
    }

    /// What the store is on.
    fn store_disk(&self) -> Arc<dyn Disk> {
        match &self.objects {
            Some((_, disk)) => disk.clone(),
            None => Arc::new(self.disk.clone()),
        }
    }

    fn reopen(&mut self) {
        self.writer = Writer::open(self.store_disk(), &NUMBERS, "default", limits()).unwrap();
    }

    fn fail_nothing(&self) {
        self.disk.fail_every(None, ErrorKind::Other);
        if let Some((memory, _)) = &self.objects {
            memory.fail_every(None);
        }
    }

    /// Something goes up, or comes to fail.
    fn step_outside(&mut self) {
        let Some((memory, disk)) = &self.objects else {
            return;
        };
        if self.random.below(4) == 0 {
            memory.fail_every([None, Some(1), Some(2), Some(3), Some(7)][self.random.below(5) as usize]);
        }
        for _ in 0..self.random.below(4) {
            self.failures += u64::from(matches!(disk.step(), Delivery::Wait(_)));
        }
    }

    fn step(&mut self) {
        self.step_outside();
        self.now = self.now + self.random.below(4_000_000_000) as i64;
        match self.random.below(20) {
            0..=7 => {
                let count = 1 + self.random.below(6);
                let numbers: Vec<u64> = (self.next..self.next + count).collect();
                self.next += count;
                match self.writer.append(rows(&numbers), self.now) {
                    Ok(()) => self.offered.extend(numbers),
                    Err(_) => self.failures += 1,
                }
            }
            8..=12 => self.sync(),
            13..=15 => {
                let budget = [0, 20, u64::MAX][self.random.below(3) as usize];
                self.failures += u64::from(self.writer.maintain(self.now, budget).is_err());
            }
            16 => {
                let every =
                    [None, Some(1), Some(2), Some(3), Some(5), Some(11)][self.random.below(6) as usize];
                let kind = [ErrorKind::Other, ErrorKind::StorageFull][self.random.below(2) as usize];
                self.disk.fail_every(every, kind);
            }
            17 => {
                let room = [None, None, Some(0), Some(2000)][self.random.below(4) as usize];
                self.disk.limit(room);
            }
            18 => self.crash(),
            _ => self.check_live(),
        }
    }

    fn sync(&mut self) {
        match self.writer.sync(self.now) {
            Ok(()) => self.acknowledged = self.offered.clone(),
            Err(_) => self.failures += 1,
        }
    }

    /// Whatever failed, readers in the process see each row once.
    fn check_live(&mut self) {
        self.fail_nothing();
        // A snapshot is published when something was done; appended rows are in the next.
        let seen = numbers(&self.writer.shared().latest(), &*self.store_disk());
        let seen_set: BTreeSet<u64> = seen.iter().copied().collect();
        assert_eq!(seen.len(), seen_set.len(), "a row is seen twice");
        assert!(self.acknowledged.is_subset(&seen_set), "a row is not seen");
        assert!(seen_set.is_subset(&self.offered));
    }

    fn crash(&mut self) {
        self.fail_nothing();
        self.disk = self.disk.crashed(&mut self.random);
        if let Some((memory, _)) = self.objects.take() {
            self.objects = Some(behind(&self.disk, memory));
        }
        let disk = self.store_disk();
        let read = Snapshot::read(&*disk, &NUMBERS, "default").unwrap();
        let before = numbers(&read, &*disk);
        self.reopen();
        let seen = numbers(&self.writer.shared().latest(), &*self.store_disk());
        assert_eq!(before, seen, "a reader and the writer see the same");
        let seen_set: BTreeSet<u64> = seen.iter().copied().collect();
        assert_eq!(seen.len(), seen_set.len(), "a row came back twice: {seen:?}");
        let lost: Vec<_> = self.acknowledged.difference(&seen_set).collect();
        assert!(lost.is_empty(), "acknowledged rows are lost: {lost:?}");
        assert!(
            seen_set.is_subset(&self.offered),
            "rows that were given up came back"
        );
        (self.acknowledged, self.offered) = (seen_set.clone(), seen_set);
    }
}

/// An object store behind a disk.
fn behind(disk: &FaultDisk, memory: Memory) -> (Memory, Arc<ObjectDisk>) {
    let outer = ObjectDisk::on(Arc::new(disk.clone()), Arc::new(memory.clone()));
    outer.resume().unwrap();
    (memory, Arc::new(outer))
}

fn schedule(mut run: Run) -> u64 {
    for _ in 0..60 {
        run.step();
    }
    run.fail_nothing();
    run.disk.limit(None);
    run.writer.finish(run.now).unwrap();
    assert_eq!(run.writer.health(), Health::Writing);
    run.acknowledged = run.offered.clone();
    run.crash();
    assert_eq!(
        run.writer.counters().rows_recovered,
        0,
        "after a finish everything is in parts"
    );
    if let Some((memory, disk)) = &run.objects {
        while disk.step() != Delivery::Idle {}
        let (_, elsewhere) = behind(&FaultDisk::default(), memory.clone());
        let read = Snapshot::read(&*elsewhere, &NUMBERS, "default").unwrap();
        let seen: BTreeSet<u64> = numbers(&read, &*elsewhere).into_iter().collect();
        assert_eq!(seen, run.offered, "the object store has everything");
        assert_eq!(memory.names().len(), read.parts.len(), "and nothing else");
    }
    run.failures
}

#[test]
fn no_acknowledged_row_is_lost_and_none_comes_twice() {
    schedules(Run::new);
}

#[test]
fn nor_in_an_object_store() {
    schedules(Run::on_objects);
}

fn schedules(begin: fn(u64) -> Run) {
    let schedules = std::env::var("WEIR_FAULT_SCHEDULES").ok();
    let schedules = schedules.and_then(|count| count.parse().ok()).unwrap_or(120);
    let mut failures = 0;
    for seed in 0..schedules {
        let run = std::panic::catch_unwind(|| schedule(begin(seed)));
        failures += run.unwrap_or_else(|_| panic!("schedule with seed {seed}"));
    }
    assert!(
        failures > schedules,
        "the schedules hardly met a failure: {failures}"
    );
}

/// The N-th call of a scripted run fails, once, for every N; then the power goes.
#[test]
fn any_one_call_may_fail() {
    let mut calls = 0;
    for kind in [ErrorKind::Other, ErrorKind::StorageFull, ErrorKind::Interrupted] {
        let mut failing = 1;
        loop {
            let mut run = Run::new(failing);
            let opened = run.disk.calls();
            run.disk.fail_every(Some(opened + failing), kind);
            let mut failed = false;
            for _ in 0..6 {
                let numbers: Vec<u64> = (run.next..run.next + 5).collect();
                run.next += 5;
                match run.writer.append(rows(&numbers), run.now) {
                    Ok(()) => run.offered.extend(numbers),
                    Err(_) => failed = true,
                }
                let before = run.failures;
                run.sync();
                failed |= run.failures > before;
                failed |= run.writer.maintain(run.now, u64::MAX).is_err();
                if run.disk.calls() >= opened + failing {
                    run.disk.fail_every(None, kind);
                }
            }
            let done = run.disk.calls() < opened + failing;
            calls += u64::from(failed);
            run.crash();
            if done {
                break;
            }
            failing += 1;
        }
    }
    assert!(calls > 60, "{calls} failures reached the caller");
}

#[test]
fn a_full_disk_stops_writing_and_resumes() {
    let mut run = Run::new(1);
    run.disk.limit(Some(1500));
    let mut refused = 0;
    for number in 0..200 {
        run.now = run.now + 100_000_000;
        match run.writer.append(rows(&[number]), run.now) {
            Ok(()) => drop(run.offered.insert(number)),
            Err(StoreError::Full) => {
                refused += 1;
                run.writer.drop_rows(1);
            }
            Err(error) => panic!("{error}"),
        }
        if number % 10 == 9 {
            run.sync();
            let _ = run.writer.maintain(run.now, 100);
        }
    }
    assert!(
        matches!(run.writer.health(), Health::Full(_)),
        "{:?}",
        run.writer.health()
    );
    let counters = run.writer.counters();
    assert_eq!((counters.rows_dropped, counters.rows_offered), (refused, 200));
    assert!(refused > 100, "memory is bounded: {refused}");
    run.disk.limit(None);
    run.sync();
    run.writer.maintain(run.now, 100).unwrap();
    assert_eq!(run.writer.health(), Health::Writing);
    run.crash();
    assert_eq!(run.offered.len() as u64, 200 - refused);
}

#[test]
fn a_flipped_bit_in_a_part_costs_that_part() {
    let mut run = Run::new(2);
    for chunk in 0..6_u64 {
        let numbers: Vec<u64> = (chunk * 12..chunk * 12 + 12).map(|number| number * 3).collect();
        run.writer.append(rows(&numbers), run.now).unwrap();
        run.offered.extend(numbers);
        run.writer.sync(run.now).unwrap();
        run.writer.maintain(run.now, 0).unwrap();
    }
    let parts = run.writer.shared().latest().parts.clone();
    let mut random = Seeded(3);
    let hit = &parts[random.below(parts.len() as u64) as usize];
    run.disk.damage(&hit.path, |bytes| {
        let at = random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << random.below(8);
    });
    while run.writer.maintain(run.now, u64::MAX).unwrap() {}
    let checked = |run: &Run| run.writer.counters().parts_checked + run.writer.counters().parts_damaged;
    run.writer.scrub(run.now, u64::MAX).unwrap();
    assert_eq!(
        checked(&run),
        run.writer.counters().parts_damaged,
        "a start has other things to do"
    );
    let later = run.now + 600 * NANOS_PER_S;
    let all = run.writer.parts.len() as u64 + run.writer.counters().parts_damaged;
    for calls in 1..=all {
        run.writer.scrub(later, 1).unwrap();
        assert!(checked(&run) <= calls.max(1) + 1, "one part a call");
    }
    run.writer.scrub(later, 1).unwrap();
    run.writer.scrub(later, u64::MAX).unwrap();
    assert_eq!(
        (checked(&run), run.writer.counters().parts_damaged),
        (all, 1),
        "each once in a pass"
    );
    let left = numbers(&run.writer.shared().latest(), &run.disk);
    assert_eq!(left.len() as u64, 72 - hit.rows);
    assert!(
        run.disk
            .paths()
            .iter()
            .any(|path| path.starts_with("quarantine/"))
    );
}
