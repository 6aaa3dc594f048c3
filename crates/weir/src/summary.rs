//! What a run did, in numbers: packets, flows, hosts, span, losses, blind spots.
//! Whoever reads "no events" must be able to see here what was not looked at.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use weir_detect::Instance;
use weir_enrich::Scope;
use weir_meter::MeterStats;
use weir_model::{Anomaly, AnomalyCounts, Batch, Phase, Quantity, Time};
use weir_output::{escape::shown, stamp};

use crate::pipeline::Ended;
use crate::reading::Reading;
use crate::storing;

/// Hosts told apart in the summary; more are "at least" this many. About 10 MiB.
const HOSTS_MAX: usize = 262_144;

/// Counts over everything the output thread sees.
#[derive(Default)]
pub struct Census {
    hosts: HashSet<IpAddr, ahash::RandomState>,
    flows: u64,
    transactions: u64,
    first: Option<Time>,
    last: Option<Time>,
}

impl Census {
    /// Counts a batch.
    pub fn count(&mut self, batch: &Batch) {
        for flow in &batch.flows {
            self.flows += u64::from(flow.phase == Phase::End);
            self.first = Some(self.first.map_or(flow.start, |first| first.min(flow.start)));
            self.last = Some(self.last.map_or(flow.end, |last| last.max(flow.end)));
            if flow.key.is_ip() && self.hosts.len() < HOSTS_MAX {
                self.hosts.insert(flow.key.initiator_ip);
                self.hosts.insert(flow.key.responder_ip);
            }
        }
        self.transactions += batch.transactions.len() as u64;
    }
}

/// The figures of a run.
pub struct Summary {
    pub meter: MeterStats,
    pub anomalies: AnomalyCounts,
    /// Inside networks used, and how they were come by.
    pub scope: Option<Scope>,
    /// Files that could not be read, or not to their end.
    pub troubles: Vec<String>,
    /// What was collected, when the input was flow exports: lines for people.
    pub exports: Vec<String>,
    /// What went wrong with learned state.
    learning: Vec<String>,
    /// Who exported, when the input was flow exports.
    pub exporters: Vec<weir_collector::ExporterReport>,
    /// What the lists of indicators hold: lines for people.
    pub lists: Vec<String>,
    /// A file could not be opened.
    pub failed: bool,
    /// What was read, in words: packets, or datagrams.
    pub source: String,
    packets: u64,
    census: Census,
    stored: Option<storing::Kept>,
    blind: Vec<String>,
    broken: Vec<&'static str>,
    /// Cells forgotten because a method's table was full, by method.
    forgotten: BTreeMap<&'static str, u64>,
    /// Records each method took into account.
    folds: BTreeMap<&'static str, u64>,
}

impl Summary {
    pub(crate) fn new(instances: &[Instance]) -> Self {
        // Grouped by what is missing, so that the line stays short.
        let mut by_need: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for instance in instances {
            for (submethod, missing) in &instance.blind {
                let missing: Vec<_> = missing.iter().map(|need| need.words()).collect();
                let name = format!("{}.{submethod}", instance.meta.code);
                by_need.entry(missing.join(", ")).or_default().push(name);
            }
        }
        let blind = by_need
            .into_iter()
            .map(|(need, names)| format!("{} (needs {need})", names.join(", ")));
        Self {
            meter: MeterStats::default(),
            anomalies: AnomalyCounts::default(),
            scope: None,
            troubles: Vec::new(),
            exports: Vec::new(),
            learning: Vec::new(),
            exporters: Vec::new(),
            lists: Vec::new(),
            failed: false,
            source: String::new(),
            packets: 0,
            census: Census::default(),
            stored: None,
            blind: blind.collect(),
            broken: Vec::new(),
            forgotten: BTreeMap::new(),
            folds: BTreeMap::new(),
        }
    }

    /// Packets read.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    pub(crate) fn reading(&mut self, reading: &Reading) {
        self.anomalies.merge(reading.anomalies());
        self.troubles = reading.troubles().to_vec();
        self.failed = reading.failed();
        self.packets = reading.packets();
        self.source = format!(
            "{} packets ({})",
            Quantity::Count(self.packets),
            Quantity::Bytes(reading.frame_bytes())
        );
    }

    /// Takes what the stages behind the source counted.
    pub(crate) fn ended(&mut self, instances: &[Instance], ended: Ended) {
        self.anomalies.merge(&ended.triage);
        self.census = ended.census;
        self.stored = ended.stored;
        self.learning = ended.learning;
        for stats in &ended.shards {
            for (instance, stats) in instances.iter().zip(stats) {
                self.anomalies.add(Anomaly::CellEvicted, stats.evictions);
                if stats.evictions > 0 {
                    *self.forgotten.entry(instance.meta.code).or_default() += stats.evictions;
                }
                *self.folds.entry(instance.meta.code).or_default() += stats.folds;
                if stats.panicked {
                    self.anomalies.count(Anomaly::PluginPanic);
                    self.broken.push(instance.meta.code);
                }
            }
        }
    }

    /// Was there nothing to read in any file?
    pub fn nothing_read(&self) -> bool {
        self.failed && self.packets == 0
    }

    /// The summary for people, a few lines.
    pub fn text(&self, events: u64, took_s: f64, verbose: bool) -> String {
        let census = &self.census;
        let hosts = Quantity::Count(census.hosts.len() as u64);
        let at_least = if census.hosts.len() >= HOSTS_MAX {
            "at least "
        } else {
            ""
        };
        let mut lines = vec![format!(
            "{}, {} flows, {} transactions, {at_least}{hosts} hosts in {}: {} event{}",
            self.source,
            Quantity::Count(census.flows),
            Quantity::Count(census.transactions),
            Quantity::Seconds(took_s),
            Quantity::Count(events),
            if events == 1 { "" } else { "s" },
        )];
        if let (Some(first), Some(last)) = (census.first, census.last) {
            let span = Quantity::Seconds(last.secs_since(first));
            lines.push(format!(
                "from {} to {} UTC ({span})",
                stamp::short(first),
                stamp::short(last)
            ));
        }
        lines.extend_from_slice(&self.exports);
        lines.extend(self.stored.as_ref().map(storing::line));
        lines.extend(self.lists.iter().map(|line| shown(line).into_owned()));
        if let Some(scope) = self.scope.as_ref().filter(|scope| !scope.configured) {
            lines.push(format!(
                "inside networks guessed: {}; set them with --inside",
                scope.basis
            ));
        }
        let seen: Vec<String> = self
            .anomalies
            .seen()
            .map(|(anomaly, times)| format!("{anomaly} {times}"))
            .collect();
        if !seen.is_empty() {
            lines.push(format!("anomalies: {}", seen.join(", ")));
        }
        if !self.forgotten.is_empty() {
            let forgotten: Vec<String> = self
                .forgotten
                .iter()
                .map(|(code, cells)| format!("{code} {}", Quantity::Count(*cells)))
                .collect();
            lines.push(format!(
                "tables were full, longest silent entries forgotten: {}",
                forgotten.join(", ")
            ));
        }
        if !self.broken.is_empty() {
            lines.push(format!(
                "switched off after a fault of ours, please report: {}",
                self.broken.join(", ")
            ));
        }
        if verbose && !self.folds.is_empty() {
            let folds: Vec<String> = self
                .folds
                .iter()
                .map(|(code, folds)| format!("{code} {}", Quantity::Count(*folds)))
                .collect();
            lines.push(format!("records weighed by method: {}", folds.join(", ")));
        }
        if verbose && !self.blind.is_empty() {
            lines.push(format!("blind here: {}", self.blind.join("; ")));
        }
        lines.join("\n")
    }

    /// Sentences on files that gave trouble, safe to show.
    pub fn trouble_lines(&self) -> impl Iterator<Item = String> + '_ {
        let stored = self.stored.as_ref().and_then(storing::trouble);
        self.troubles
            .iter()
            .chain(&self.learning)
            .map(|trouble| shown(trouble).into_owned())
            .chain(stored.map(|trouble| shown(&trouble).into_owned()))
    }
}
