//! What is kept: age, size, pins, a clock that jumps.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;

use weir_model::Time;

use super::fault_disk::{FaultDisk, Seeded};
use super::faults::{NUMBERS, limits, rows};
use crate::flow::{Limits, PINS_MAX, Part, Pins, Retention, StoreError, Writer};

const HOUR_S: i64 = 3600;

/// A store with a part in each of the hours 0, 2, 4, 6 and 8.
fn five_hours(retention: Retention) -> (FaultDisk, Writer) {
    let disk = FaultDisk::default();
    let limits = Limits {
        retention,
        ..limits()
    };
    let mut writer = Writer::open(Arc::new(disk.clone()), &NUMBERS, "default", limits).unwrap();
    for hour in [0, 2, 4, 6, 8] {
        let first = (hour * 50_u64).next_multiple_of(3);
        let numbers: Vec<u64> = (0..10).map(|number| first + number * 3).collect();
        writer.append(rows(&numbers), Time(0)).unwrap();
    }
    writer.finish(Time(0)).unwrap();
    (disk, writer)
}

fn hours(writer: &Writer) -> Vec<i64> {
    writer.parts.iter().map(|part| part.hour).collect()
}

fn at(hour: i64) -> Time {
    Time::from_secs(hour * HOUR_S)
}

#[test]
fn old_parts_go_and_pinned_ones_stay() {
    let (disk, mut writer) = five_hours(Retention {
        age_s: Some(3 * HOUR_S),
        bytes: None,
        ..Retention::default()
    });
    let mut pins = Pins::default();
    assert!(pins.pin("event-1", at(2), at(2) + 5));
    writer.set_pins(pins);
    assert_eq!(hours(&writer), [0, 2, 4, 6, 8]);
    for hour in 1..=9 {
        writer.maintain(at(hour), 0).unwrap();
    }
    assert_eq!(
        hours(&writer),
        [2, 6, 8],
        "hours 0 and 4 ended more than three hours before hour 9"
    );
    assert_eq!(writer.counters().parts_expired, 2);
    assert_eq!(
        disk.paths()
            .iter()
            .filter(|path| path.ends_with(".parquet"))
            .count(),
        3
    );
}

#[test]
fn a_clock_that_jumps_deletes_nothing_until_confirmed() {
    let (_, mut writer) = five_hours(Retention {
        age_s: Some(HOUR_S),
        bytes: None,
        ..Retention::default()
    });
    writer.maintain(at(24 * 3650), 0).unwrap();
    assert!(writer.clock_jumped());
    assert_eq!(hours(&writer).len(), 5);
    writer.confirm_clock();
    writer.maintain(at(24 * 3650), 0).unwrap();
    assert_eq!(hours(&writer), [0; 0]);
}

#[test]
fn the_oldest_parts_make_room() {
    let (_, mut writer) = five_hours(Retention::default());
    let part_bytes = writer.fullness().bytes / 5;
    writer.limits.retention.bytes = Some(part_bytes * 4 + part_bytes / 2);
    writer.maintain(Time(0), 0).unwrap();
    assert_eq!(hours(&writer), [2, 4, 6, 8]);
    let left = writer.fullness().days_left.unwrap();
    assert!(
        (0.01..0.1).contains(&left),
        "seven hours have four parts, half of one is free: {left} days"
    );
}

#[test]
fn room_is_made_of_the_oldest_parts_and_of_pinned_ones_last() {
    let (_, mut writer) = five_hours(Retention::default());
    let mut pins = Pins::default();
    assert!(pins.pin("event-1", at(0), at(0) + 5));
    writer.set_pins(pins);
    let part_bytes = writer.fullness().bytes / 5;
    assert_eq!(writer.make_room(0).unwrap(), 0);
    let gone = writer.make_room(part_bytes + part_bytes / 2).unwrap();
    assert!(gone >= part_bytes + part_bytes / 2, "{gone}");
    assert_eq!(hours(&writer), [0, 6, 8]);
    writer.make_room(2 * part_bytes - part_bytes / 2).unwrap();
    assert_eq!(hours(&writer), [0], "pinned parts stay as long as others can go");
    writer.make_room(1).unwrap();
    assert_eq!(hours(&writer), [0; 0], "a disk that is full is worse");
}

#[test]
fn pinned_parts_take_half_of_the_limit_at_most() {
    let (_, mut writer) = five_hours(Retention::default());
    let part_bytes = writer.fullness().bytes / 5;
    let mut pins = Pins::default();
    for hour in [0, 2, 4] {
        assert!(pins.pin(&format!("event-{hour}"), at(hour), at(hour) + 5));
    }
    writer.set_pins(pins.clone());
    // Room for four parts and a half: two of the three pinned ones are exempt, the newest.
    writer.limits.retention.bytes = Some(part_bytes * 4 + part_bytes / 2);
    writer.maintain(Time(0), 0).unwrap();
    assert_eq!(hours(&writer), [2, 4, 6, 8]);
    writer.limits.retention.bytes = Some(part_bytes * 3 + part_bytes / 2);
    writer.maintain(Time(0), 0).unwrap();
    assert_eq!(hours(&writer), [4, 6, 8], "half of the limit is one part now");
    writer.limits.retention.bytes = Some(part_bytes * 2 + part_bytes / 2);
    writer.maintain(Time(0), 0).unwrap();
    assert_eq!(hours(&writer), [4, 8], "what nothing pins goes first");
    pins.unpin("event-4");
    writer.set_pins(pins);
    writer.limits.retention.bytes = Some(part_bytes + part_bytes / 2);
    writer.maintain(Time(0), 0).unwrap();
    assert_eq!(hours(&writer), [8], "the event is over");
}

#[test]
fn pins_are_kept_checked_and_bounded() {
    let disk = FaultDisk::default();
    let mut pins = Pins::read(&disk).unwrap();
    assert!(!pins.pin("two\nlines", Time(0), Time(1)));
    for number in 0..PINS_MAX {
        assert!(pins.pin(&format!("event {number}"), Time(number as i64), Time(i64::MAX)));
    }
    assert!(!pins.pin("one more", Time(0), Time(1)));
    assert!(pins.pin("event 7", Time(0), Time(1)), "a known one may change");
    pins.unpin("event 8");
    pins.write(&disk).unwrap();
    assert_eq!(Pins::read(&disk).unwrap(), pins);
    disk.damage("pins", |bytes| bytes[3] ^= 1);
    assert!(matches!(Pins::read(&disk), Err(StoreError::Damaged(_))));
}

/// Pins written over and over on a disk that fails and loses power: what is read is what was written last without an
/// error, or one of the attempts since.
#[test]
fn pins_survive_what_disks_do() {
    for seed in 0..400 {
        let mut random = Seeded(seed);
        let mut disk = FaultDisk::default();
        let (mut kept, mut tried) = (0, BTreeSet::from([0]));
        let numbered = |number: u64| {
            let mut pins = Pins::default();
            for event in 0..number {
                pins.pin(&format!("event {event}"), Time(0), Time(event as i64));
            }
            pins
        };
        for number in 1..40 {
            let fails = 2 + random.below(8);
            disk.fail_every((random.below(2) == 0).then_some(fails), ErrorKind::Other);
            tried.insert(number);
            if numbered(number).write(&disk).is_ok() {
                (kept, tried) = (number, BTreeSet::from([number]));
            }
            disk.fail_every(None, ErrorKind::Other);
            if random.below(4) == 0 {
                disk = disk.crashed(&mut random);
            }
            let read = Pins::read(&disk).unwrap();
            let found = tried.iter().find(|number| numbered(**number) == read);
            assert!(
                found.is_some(),
                "seed {seed}: {kept} was written, {read:?} is read"
            );
        }
        numbered(1).write(&disk).unwrap();
        let left: Vec<String> = disk.paths();
        assert_eq!(left, ["pins"], "seed {seed}: attempts are cleared away");
    }
}

/// A reader that holds a snapshot can still open the parts that were merged meanwhile.
#[test]
fn merged_parts_stay_while_they_are_read() {
    let disk = FaultDisk::default();
    let limits = Limits {
        generation_rows: 3,
        ..limits()
    };
    let mut writer = Writer::open(Arc::new(disk.clone()), &NUMBERS, "default", limits).unwrap();
    let fill = |writer: &mut Writer, first: u64, now: Time| {
        writer.append(rows(&[first, first + 3, first + 6]), now).unwrap();
        writer.sync(now).unwrap();
        writer.maintain(now, 0).unwrap();
    };
    for round in 0..3 {
        fill(&mut writer, round * 9, at(round as i64));
    }
    // Closes the first hour, so that its parts are merged.
    fill(&mut writer, 150, at(5));
    let held = writer.shared().latest();
    let old: Vec<Arc<Part>> = held.parts.iter().filter(|part| part.hour == 0).cloned().collect();
    assert_eq!(old.len(), 3);
    writer.maintain(at(5), u64::MAX).unwrap();
    assert_eq!(writer.counters().parts_merged, 3);
    assert!(old.iter().all(|part| part.open(&disk).is_ok()));
    drop((held, old.clone()));
    let paths: Vec<String> = old.iter().map(|part| part.path.clone()).collect();
    drop(old);
    writer.maintain(at(5), 0).unwrap();
    assert!(paths.iter().all(|path| !disk.paths().contains(path)));
}
