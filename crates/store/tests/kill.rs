//! `kill -9` at random moments: a child process stores numbered rows and tells what is acknowledged, this one kills it
//! and looks. Twenty times; `WEIR_KILLS` sets how often.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_model::{Batch, FlowKey, FlowRecord, Time, ethertype, proto};
use weir_store::flow::profile::{ALL, Class, Series, View, series};
use weir_store::flow::{FlowStore, Limits, Snapshot, Table, to_records};
use weir_store::{Disk, LocalDisk};

const FOLDER: &str = "WEIR_KILL_FOLDER";

fn limits() -> Limits {
    Limits {
        frame_rows: 64,
        generation_rows: 512,
        part_rows: 8192,
        ..Limits::default()
    }
}

/// A record with this number in it; a new hour every 2,000.
fn record(number: u64) -> FlowRecord {
    let key = FlowKey {
        initiator_ip: [10, 0, 0, (number % 200) as u8].into(),
        responder_ip: [192, 0, 2, 1].into(),
        initiator_port: 1024,
        responder_port: 53,
        proto: proto::UDP,
        ethertype: ethertype::IPV4,
        vlan: None,
    };
    let mut flow = FlowRecord::new(key, Time::from_secs(1_700_000_000 + number as i64 * 2));
    flow.forward.packets = number;
    flow.forward_total = flow.forward;
    flow
}

/// The child: stores rows until it is killed, and tells after each sync how many are acknowledged.
fn store_until_killed(folder: &Path) {
    let mut store =
        FlowStore::open(folder, "default", &limits()).expect("the store opens again without help");
    let mut next = seen(folder).len() as u64;
    let mut out = std::io::stdout().lock();
    let mut now = Time(0);
    // The first sync is due a second after the first tick.
    store.tick(now).expect("nothing waits that cannot be stored");
    loop {
        let count = 1 + next % 97;
        let batch = Batch {
            flows: (next..next + count).map(record).collect(),
            ..Batch::default()
        };
        next += count;
        // More than a second later each time: every append is synced.
        now = now + 2_000_000_000;
        store.append(&batch, now).expect("rows are taken");
        writeln!(out, "acknowledged {next}").expect("the parent listens");
        out.flush().expect("the parent listens");
    }
}

/// Numbers of all rows; each must be there once.
fn seen(folder: &Path) -> BTreeSet<u64> {
    let disk = LocalDisk::reading(folder);
    let snapshot = Snapshot::read(&disk, Table::flows(), "default").expect("the store can be read");
    let mut numbers = BTreeSet::new();
    let mut take = |flows: Vec<FlowRecord>| {
        for flow in flows {
            assert!(numbers.insert(flow.forward.packets), "a row is there twice");
        }
    };
    for part in snapshot.parts.iter() {
        let file = disk.open(&part.path).expect("a part of the snapshot");
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
            .expect("a part is Parquet")
            .build()
            .expect("a part is Parquet");
        reader.for_each(|batch| take(to_records(&batch.expect("a whole batch")).expect("flow records")));
    }
    for batch in &snapshot.memory {
        take(to_records(batch).expect("flow records"));
    }
    numbers
}

/// Records and packets that the profile of all records counts, in steps of so many milliseconds.
fn counted(folder: &Path, step_ms: i64) -> (u64, u64) {
    let asked = Series {
        profile: ALL,
        channel: ALL,
        step_ms,
        from_ms: i64::MIN,
        to_ms: i64::MAX,
    };
    let view = View::read(Arc::new(LocalDisk::reading(folder)), "default").expect("the store can be read");
    let points = series(&asked, &view).expect("the numbers can be read");
    let each = points.iter().map(|point| point.counts(Class::All));
    each.fold((0, 0), |(flows, packets), own| {
        (flows + own.flows, packets + own.packets)
    })
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return store_until_killed(&PathBuf::from(folder));
    }
    let kills = std::env::var("WEIR_KILLS").ok();
    let kills = kills.and_then(|kills| kills.parse().ok()).unwrap_or(20_u64);
    let folder = std::env::temp_dir().join(format!("weir-kill-{}", std::process::id()));
    let mut random = 0x1234_5678_9abc_def0_u64;
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "killed_at_any_moment_nothing_acknowledged_is_lost",
                "--nocapture",
            ])
            .env(FOLDER, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let listener = std::thread::spawn(move || {
            let numbers = lines.map_while(Result::ok).filter_map(|line| {
                let number = line.rsplit_once("acknowledged ")?.1;
                number.parse::<u64>().ok()
            });
            numbers.last()
        });
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis(30 + (random >> 33) % 300));
        child.kill().expect("the child runs until it is killed");
        child.wait().expect("the child is gone");
        let acknowledged = listener.join().expect("the listener").unwrap_or(0);
        let started = Instant::now();
        let numbers = seen(&folder);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "kill {kill}: reading {} rows takes {:?}",
            numbers.len(),
            started.elapsed()
        );
        assert!(
            numbers.len() as u64 >= acknowledged,
            "kill {kill}: {} of {acknowledged}",
            numbers.len()
        );
        assert!(
            numbers.iter().copied().eq(0..numbers.len() as u64),
            "kill {kill}: a row is missing in between"
        );
        let sums = (numbers.len() as u64, numbers.iter().sum::<u64>());
        for step_ms in [30_000, 300_000, 86_400_000] {
            assert_eq!(
                counted(&folder, step_ms),
                sums,
                "kill {kill}: steps of {step_ms} ms"
            );
        }
    }
    assert!(seen(&folder).len() > 100, "the children hardly stored anything");
    std::fs::remove_dir_all(&folder).expect("the test's own folder");
}
