//! Runs the pipeline in this process and keeps what it gives; finds the project's and the shared captures.

use std::path::{Path, PathBuf};

use weir::config::Config;
use weir::pipeline::{self, Consumer, Job};
use weir::summary::Summary;
use weir_model::{Batch, Event, FlowRecord, Transaction};
use weir_triage::Change;

/// Everything a run gives.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) events: Vec<Event>,
    pub(crate) flows: Vec<FlowRecord>,
    pub(crate) transactions: Vec<Transaction>,
}

impl Consumer for Kept {
    fn batch(&mut self, batch: &Batch) -> std::io::Result<()> {
        self.flows.extend_from_slice(&batch.flows);
        self.transactions.extend_from_slice(&batch.transactions);
        Ok(())
    }

    fn change(&mut self, change: Change) -> std::io::Result<()> {
        if let Change::Closed(event) = change {
            self.events.push(*event);
        }
        Ok(())
    }
}

impl Kept {
    /// The events as the NDJSON people get.
    pub(crate) fn ndjson(&self) -> String {
        self.events
            .iter()
            .map(|event| weir_output::json::event(event) + "\n")
            .collect()
    }
}

/// Runs the files as one stream over so many detection shards.
pub(crate) fn run(files: &[PathBuf], shards: usize) -> (Kept, Summary) {
    let mut config = Config::default();
    config.shards = shards;
    run_with(files, config)
}

/// The same with a configuration.
pub(crate) fn run_with(files: &[PathBuf], config: Config) -> (Kept, Summary) {
    let job = Job {
        files: files.to_vec(),
        config,
        detect: true,
        store: None,
    };
    pipeline::run(job, Kept::default(), |_| {}).expect("the pipeline runs")
}

/// The workspace root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The capture of a project case: the one file that is a capture in its folder.
pub(crate) fn case(folder: &Path) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    files
        .into_iter()
        .find(|path| path.to_string_lossy().contains(".pcap"))
}

/// The demo incident.
pub(crate) fn incident() -> PathBuf {
    case(&root().join("captures/incident")).expect("the incident is part of the project")
}

/// The folder of shared captures, when it is there; says so when it is not.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder =
        std::env::var_os("WEIR_CAPTURES").map_or_else(|| root().join("../shared/captures"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(&format!("{} is not there", folder.display()));
    None
}

/// A skipped test says why.
#[expect(clippy::print_stderr, reason = "a skip must be seen")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Every file below a folder, sorted.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}
