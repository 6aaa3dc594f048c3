//! What the store costs: bytes for each flow, and CPU time from record to sorted, merged part with the log in between.
//! The generator's own CPU time is measured apart, on the same records, and taken off.

pub mod flows;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use weir_model::{Batch, FlowRecord, Time};
use weir_store::flow::{FlowStore, Limits, Snapshot, Table, schema};
use weir_store::{Disk, LocalDisk};

use flows::{Flows, Settings};

/// The columns whose bytes are held against the bar; the others are written, and paid for in time, as well.
pub const COLUMNS: [&str; 12] = [
    "start",
    "end",
    "src_ip",
    "dst_ip",
    "src_port",
    "dst_port",
    "proto",
    "src_tcp_flags",
    "tos",
    "src_packets",
    "src_bytes",
    "exporter",
];
/// Bytes per flow for [`COLUMNS`]: what ClickHouse takes with zstd, sorted, for as many on like records.
const BYTES_BAR: f64 = 14.4;
/// Rows per CPU-second, log included.
const ROWS_BAR: f64 = 500_000.0;
/// Records appended at once, and batches between two syncs: a second at 500,000 flows a second.
const BATCH: usize = 1024;
const BATCHES_PER_SYNC: i64 = 488;

/// What was measured.
pub struct Outcome {
    rows: u64,
    parts: usize,
    ingest_cpu_s: f64,
    generator_cpu_s: f64,
    log_bytes: u64,
    part_bytes: u64,
    /// Bytes by physical column, with bloom filters and page indexes.
    columns: BTreeMap<String, u64>,
}

/// Fills a store in the folder, which must be empty or absent, and measures.
pub fn run(settings: Settings, folder: &Path) -> io::Result<Outcome> {
    let before = cpu_s()?;
    let made: u64 = batches(settings)
        .map(|batch| std::hint::black_box(batch).len() as u64)
        .sum();
    let generator_cpu_s = cpu_s()? - before;

    let before = cpu_s()?;
    let mut store = FlowStore::open(folder, "default", &Limits::default()).map_err(io::Error::other)?;
    let mut now = 0;
    for flows in batches(settings) {
        let batch = Batch {
            flows,
            ..Batch::default()
        };
        now += weir_model::NANOS_PER_S / BATCHES_PER_SYNC + 1;
        store.append(&batch, Time(now)).map_err(io::Error::other)?;
    }
    store.finish(Time(now)).map_err(io::Error::other)?;
    let ingest_cpu_s = cpu_s()? - before - generator_cpu_s;
    let log_bytes = store.stored().flows.log_bytes;
    drop(store);

    let disk = LocalDisk::reading(folder);
    let snapshot = Snapshot::read(&disk, Table::flows(), "default").map_err(io::Error::other)?;
    assert_eq!(
        (snapshot.rows(), made),
        (settings.flows, settings.flows),
        "every record is in the store"
    );
    let mut columns = BTreeMap::new();
    for part in snapshot.parts.iter() {
        let reader = SerializedFileReader::new(disk.open(&part.path)?).map_err(io::Error::other)?;
        let groups = reader.metadata().row_groups();
        for column in groups.iter().flat_map(|group| group.columns()) {
            let own = column.compressed_size()
                + i64::from(column.bloom_filter_length().unwrap_or(0))
                + i64::from(column.column_index_length().unwrap_or(0))
                + i64::from(column.offset_index_length().unwrap_or(0));
            *columns.entry(column.column_path().string()).or_default() += own as u64;
        }
    }
    Ok(Outcome {
        rows: snapshot.rows(),
        parts: snapshot.parts.len(),
        ingest_cpu_s,
        generator_cpu_s,
        log_bytes,
        part_bytes: snapshot.part_bytes(),
        columns,
    })
}

fn batches(settings: Settings) -> impl Iterator<Item = Vec<FlowRecord>> {
    let mut flows = Flows::new(settings);
    std::iter::from_fn(move || {
        let batch: Vec<FlowRecord> = flows.by_ref().take(BATCH).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

/// User and system time of this process so far, from `/proc/self/stat` (fields 14 and 15, in hundredths of a second).
pub(crate) fn cpu_s() -> io::Result<f64> {
    let stat = std::fs::read_to_string(PathBuf::from("/proc/self/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    Ok((ticks(11) + ticks(12)) / 100.0)
}

impl Outcome {
    fn bytes_of(&self, columns: &[&str]) -> u64 {
        let mut physical: Vec<&str> = columns
            .iter()
            .flat_map(|column| schema::physical(column))
            .collect();
        physical.sort_unstable();
        physical.dedup();
        physical.iter().filter_map(|name| self.columns.get(*name)).sum()
    }

    /// Bars that were missed.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let bytes = self.bytes_of(&COLUMNS) as f64 / self.rows as f64;
        if bytes > BYTES_BAR {
            missed.push(format!(
                "{bytes:.1} bytes per flow for 12 columns, bar {BYTES_BAR}"
            ));
        }
        let rate = self.rows as f64 / self.ingest_cpu_s;
        if rate < ROWS_BAR {
            missed.push(format!("{rate:.0} rows per CPU-second, bar {ROWS_BAR:.0}"));
        }
        missed
    }

    /// The figures as Markdown.
    pub fn text(&self) -> String {
        let per_flow = |bytes: u64| bytes as f64 / self.rows as f64;
        let mut text = String::from("| store | figure | bar |\n|---|---|---|\n");
        let rate = self.rows as f64 / self.ingest_cpu_s;
        let rows = [
            (
                "flows",
                format!("{} in {} parts", self.rows, self.parts),
                String::new(),
            ),
            (
                "bytes per flow, 12 columns",
                format!("{:.2}", per_flow(self.bytes_of(&COLUMNS))),
                BYTES_BAR.to_string(),
            ),
            (
                "bytes per flow, all columns, whole files",
                format!("{:.2}", per_flow(self.part_bytes)),
                String::new(),
            ),
            (
                "log, bytes per flow",
                format!("{:.1}", per_flow(self.log_bytes)),
                String::new(),
            ),
            (
                "ingest, rows per CPU-second",
                format!("{rate:.0}"),
                format!("{ROWS_BAR:.0}"),
            ),
            (
                "ingest, CPU-seconds",
                format!("{:.2}", self.ingest_cpu_s),
                String::new(),
            ),
            (
                "generator, CPU-seconds, not counted",
                format!("{:.2}", self.generator_cpu_s),
                String::new(),
            ),
        ];
        for (name, figure, bar) in rows {
            let _ = writeln!(text, "| {name} | {figure} | {bar} |");
        }
        text.push_str("\nBytes per flow by column:");
        let mut columns: Vec<_> = self
            .columns
            .iter()
            .filter(|(_, bytes)| per_flow(**bytes) >= 0.005)
            .collect();
        columns.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
        for (name, bytes) in columns {
            let _ = write!(text, " {name} {:.2},", per_flow(*bytes));
        }
        text.truncate(text.trim_end_matches(',').len());
        text.push_str(".\n");
        text
    }
}
