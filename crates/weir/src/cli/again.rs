//! Records of the past for commands that pass them through methods once more: a store, or files, within a window.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, bail};
use clap::Args;
use weir_model::{Quantity, Time};

use super::eprint_line;
use super::flows::when;
use crate::config::Config;
use crate::pipeline::{self, Consumer, Job};
use crate::replay::{self, Again, HAVE};

/// Which records.
#[derive(Args)]
pub(super) struct PastArgs {
    /// The store's folder, as given to `weir -r FILE --store DIR`; the environment's WEIR_STORE when absent.
    #[arg(long, value_name = "DIR", conflicts_with = "read")]
    pub(super) store: Option<PathBuf>,
    /// Files instead of a store: captures, Zeek logs, nfcapd files and whatever else weir -r reads.
    #[arg(short = 'r', long, value_name = "FILE", num_args = 1..)]
    pub(super) read: Vec<PathBuf>,
    /// Only records of the store that begin in this window (UTC): 'last 2 hours', 'yesterday', '2026-11-22 03:00 - 04:00' ...
    #[arg(short = 't', long, value_name = "WINDOW", conflicts_with = "read")]
    pub(super) time: Option<String>,
    /// Site of the records.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(super) site: String,
}

/// What passed, in words.
pub(super) struct Told {
    pub(super) line: String,
    /// Length of the traffic, seconds.
    pub(super) span_s: f64,
}

impl PastArgs {
    /// Passes the records through the methods of the configuration's purpose.
    pub(super) fn pass<C: Consumer>(
        &self,
        config: Config,
        consumer: C,
        stop: Option<&AtomicBool>,
    ) -> Result<(C, Told)> {
        if !self.read.is_empty() {
            return files(self.read.clone(), config, consumer);
        }
        let named = std::env::var_os("WEIR_STORE").map(PathBuf::from);
        let Some(store) = self.store.clone().or(named) else {
            bail!("which records? give --store DIR (or set WEIR_STORE), or files with -r FILE");
        };
        let window = match &self.time {
            Some(text) => when::window(text, super::events::now().0)?,
            None => i64::MIN..i64::MAX,
        };
        let instances = config.instances_for(HAVE, true)?;
        let again = Again {
            store: &store,
            site: &self.site,
            since: Time(window.start),
            until: Time(window.end),
            stop,
            gentle: false,
        };
        let (consumer, ended, passed) = replay::run(&again, &config, &instances, consumer)?;
        for line in &ended.learning {
            eprint_line(&format!("weir: {line}"));
        }
        let span_s = passed.span.map_or(0.0, |(first, last)| last.secs_since(first));
        let line = format!(
            "{} flow records and {} transactions of {}{}",
            Quantity::Count(passed.flows),
            Quantity::Count(passed.transactions),
            Quantity::Seconds(span_s),
            if passed.stopped { "; stopped early" } else { "" }
        );
        Ok((consumer, Told { line, span_s }))
    }
}

fn files<C: Consumer>(files: Vec<PathBuf>, config: Config, consumer: C) -> Result<(C, Told)> {
    let job = Job {
        files,
        config,
        detect: true,
        store: None,
    };
    let (consumer, summary) = pipeline::run(job, Watching::new(consumer), |_| {})?;
    for line in summary.trouble_lines() {
        eprint_line(&format!("weir: {line}"));
    }
    if summary.failed && summary.nothing_read() {
        bail!("nothing could be read");
    }
    let span_s = consumer.span.map_or(0.0, |(first, last)| last.secs_since(first));
    let line = format!(
        "{} flow records and {} transactions of {}",
        Quantity::Count(consumer.flows),
        Quantity::Count(consumer.transactions),
        Quantity::Seconds(span_s)
    );
    Ok((consumer.inner, Told { line, span_s }))
}

/// Counts what passes.
struct Watching<C> {
    inner: C,
    flows: u64,
    transactions: u64,
    span: Option<(Time, Time)>,
}

impl<C> Watching<C> {
    fn new(inner: C) -> Self {
        Self {
            inner,
            flows: 0,
            transactions: 0,
            span: None,
        }
    }
}

impl<C: Consumer> Consumer for Watching<C> {
    fn batch(&mut self, batch: &weir_model::Batch) -> std::io::Result<()> {
        self.flows += batch.flows.len() as u64;
        self.transactions += batch.transactions.len() as u64;
        let flows = batch.flows.iter().map(|flow| (flow.start, flow.end));
        let transactions = batch.transactions.iter().map(|one| (one.start, one.end));
        for (start, end) in flows.chain(transactions) {
            let (first, last) = self.span.unwrap_or((start, end));
            self.span = Some((first.min(start), last.max(end)));
        }
        self.inner.batch(batch)
    }

    fn change(&mut self, change: weir_triage::Change) -> std::io::Result<()> {
        self.inner.change(change)
    }
}
