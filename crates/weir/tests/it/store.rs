//! `weir -r FILE --store DIR`: what lies in the store afterwards is what was metered, record by record.

use std::path::{Path, PathBuf};
use std::process::Command;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use weir_model::{Field, FlowRecord, Transaction};
use weir_store::flow::{Snapshot, Table, to_records, to_transactions};
use weir_store::{Disk, LocalDisk};

use crate::run::{incident, run};

/// A folder of this test that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("weir-{name}-{}", std::process::id()));
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn batches(folder: &Path, table: &Table) -> Vec<arrow_array::RecordBatch> {
    let disk = LocalDisk::reading(folder);
    let snapshot = Snapshot::read(&disk, table, "default").expect("the store can be read");
    assert!(snapshot.memory.is_empty(), "a run that ended leaves parts only");
    let parts = snapshot.parts.iter().flat_map(|part| {
        let file = disk.open(&part.path).expect("a part of the snapshot");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
        let batches = reader.expect("a part is Parquet");
        batches
            .map(|batch| batch.expect("a whole batch"))
            .collect::<Vec<_>>()
    });
    parts.collect()
}

fn field(name: &str) -> Option<&'static Field> {
    let fields = weir_dissect::REGISTRY.iter().flat_map(|entry| entry.meta.fields);
    fields.copied().find(|field| field.name == name)
}

fn weir(arguments: &[&str]) -> std::process::Output {
    let weir = Command::new(env!("CARGO_BIN_EXE_weir")).args(arguments).output();
    weir.expect("weir starts")
}

#[test]
fn the_store_holds_what_was_metered() {
    let folder = Folder::new("store");
    let store = folder.0.to_string_lossy().into_owned();
    let done = weir(&["-r", &incident().to_string_lossy(), "--store", &store]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    let (kept, _) = run(&[incident()], 1);

    let mut wanted: Vec<FlowRecord> = kept.flows;
    for flow in &mut wanted {
        flow.seq = 0;
        // Only IP traffic has columns that say what is inside.
        flow.initiator_inside &= flow.key.is_ip();
        flow.responder_inside &= flow.key.is_ip();
    }
    let mut stored: Vec<FlowRecord> = batches(&folder.0, Table::flows())
        .iter()
        .flat_map(|batch| to_records(batch).unwrap())
        .collect();
    let order = |flow: &FlowRecord| (flow.start, flow.end, flow.id, flow.forward.bytes);
    wanted.sort_by_key(order);
    stored.sort_by_key(order);
    assert_eq!(stored.len(), wanted.len());
    for (stored, wanted) in stored.iter().zip(&wanted) {
        assert_eq!(stored, wanted);
    }

    let transactions = batches(&folder.0, Table::transactions());
    let mut stored: Vec<Transaction> = transactions
        .iter()
        .flat_map(|batch| to_transactions(batch, field).unwrap())
        .collect();
    let mut wanted = kept.transactions;
    for one in stored.iter_mut().chain(&mut wanted) {
        one.initiator_inside &= one.key.is_ip();
        one.responder_inside &= one.key.is_ip();
        one.seq = 0;
        one.fields.sort_by_key(|(field, _)| field.name);
    }
    let order = |one: &Transaction| format!("{one:?}");
    stored.sort_by_cached_key(order);
    wanted.sort_by_cached_key(order);
    assert_eq!(stored, wanted);
    let line = told
        .lines()
        .find(|line| line.starts_with("stored "))
        .unwrap_or_default();
    assert!(line.contains(" flow records and "), "{told}");

    // A second run adds to the store.
    let again = weir(&["-r", &incident().to_string_lossy(), "--store", &store, "-q"]);
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );
    let rows: usize = batches(&folder.0, Table::transactions())
        .iter()
        .map(|batch| batch.num_rows())
        .sum();
    assert_eq!(rows, 2 * wanted.len());
}

#[test]
fn two_writers_are_refused_and_told() {
    let folder = Folder::new("busy");
    let disk = LocalDisk::new(&folder.0).unwrap();
    let _held = disk.lock().unwrap().expect("nobody has it");
    let store = folder.0.to_string_lossy().into_owned();
    let done = weir(&["-r", &incident().to_string_lossy(), "--store", &store]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1));
    assert!(told.contains("another process writes to this store"), "{told}");
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let folder = Folder::new("later");
    std::fs::create_dir_all(&folder.0).unwrap();
    std::fs::write(folder.0.join("version"), "99\n").unwrap();
    let store = folder.0.to_string_lossy().into_owned();
    let done = weir(&["-r", &incident().to_string_lossy(), "--store", &store]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1));
    assert!(told.contains("later version"), "{told}");
}

/// DuckDB and pyarrow, which know nothing of Weir, read the same totals. Installed by `tests/setup.sh`.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn other_programs_read_the_parts() {
    let target = Path::new(env!("CARGO_BIN_EXE_weir"))
        .ancestors()
        .nth(2)
        .expect("the build's folder");
    let python = target.join("python/bin/python");
    if !python.exists() {
        return eprintln!("skipped: no {}: run tests/setup.sh", python.display());
    }
    let folder = Folder::new("readers");
    let store = folder.0.to_string_lossy().into_owned();
    let done = weir(&[
        "-r",
        &incident().to_string_lossy(),
        "--store",
        &store,
        "-q",
        "--no-detect",
    ]);
    assert!(done.status.success());
    let (kept, _) = run(&[incident()], 1);
    let flows = &kept.flows;
    let addressed = flows
        .iter()
        .filter(|flow| flow.key.is_ip() || flow.key.ethertype == weir_model::ethertype::ARP);
    let sources: std::collections::HashSet<_> = addressed.map(|flow| flow.key.initiator_ip).collect();
    let sum = |value: fn(&FlowRecord) -> u64| flows.iter().map(value).sum::<u64>();
    let wanted = serde_json::json!([
        flows.len(),
        sum(|flow| flow.forward.packets),
        sum(|flow| flow.forward.bytes),
        sum(|flow| flow.reverse_or_zero().bytes),
        sources.len(),
        flows.iter().map(|flow| flow.start.0.div_euclid(1_000_000)).min(),
    ]);
    let script = crate::run::root().join("tests/read_parts.py");
    let read = Command::new(python)
        .arg(script)
        .arg(&folder.0)
        .output()
        .expect("python starts");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let read: serde_json::Value = serde_json::from_slice(&read.stdout).expect("JSON of the totals");
    assert_eq!(read["duckdb"], wanted);
    assert_eq!(read["pyarrow"], wanted);
}
