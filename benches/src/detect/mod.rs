//! What detection costs: every method with its defaults over generated flow records of very many hosts, and over a flood
//! of forged sources in which a real attack must still be found. CPU time of the generator is measured apart and taken
//! off; memory is what the process grew by while the cells were filled.

pub mod traffic;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::net::IpAddr;

use weir_detect::{Entry, Instance, REGISTRY, Shard, ShardStats};
use weir_model::Need;

use crate::store::cpu_s;
use traffic::{SCANNER, Settings, Traffic, VICTIM};

/// Flow records per CPU-second with all methods.
const RATE_BAR: f64 = 300_000.0;
/// Bytes of state per active host, on average.
const HOST_BAR: f64 = 2048.0;
/// What a meter offers that sees packets, without dissected exchanges.
const FEED: &[Need] = &[
    Need::Packets,
    Need::TcpFlags,
    Need::BothDirections,
    Need::Unsampled,
];

/// What was measured in one run.
pub struct Outcome {
    settings: Settings,
    methods: usize,
    records: u64,
    cpu_s: f64,
    /// Of the second half, in which nearly every host has its cells.
    settled_cpu_s: f64,
    generator_cpu_s: f64,
    /// Growth of resident memory from the first record to the last, at its largest.
    grown_bytes: u64,
    cells: usize,
    evictions: u64,
    panicked: usize,
    folds: u64,
    /// Of the method with the largest.
    cell_bytes: usize,
    /// `METHOD.Submethod source` of everything told.
    told: BTreeSet<String>,
}

/// Runs every method over the traffic on one shard.
pub fn run(settings: Settings) -> io::Result<Outcome> {
    run_these(settings, REGISTRY)
}

/// Heads the rows of [`alone`].
pub const COSTS: &str = "| method | ns per record | folds per record | cells | bytes a cell, without what it points at \
                         | memory grown, MB | given up |\n|---|---|---|---|---|---|---|\n";

/// Runs one method alone over the traffic: its row in a table of what each costs. A process of its own for each: what
/// another one left free would hide what this one takes.
pub fn alone(settings: Settings, code: &str) -> io::Result<String> {
    let at = REGISTRY.iter().position(|entry| entry.meta.code == code);
    let at = at.ok_or_else(|| io::Error::other(format!("no method {code}")))?;
    let outcome = run_these(settings, &REGISTRY[at..=at])?;
    let each = |value: f64| value / outcome.records.max(1) as f64;
    Ok(format!(
        "| {code} | {:.0} | {:.2} | {} | {} | {:.1} | {} |",
        each(outcome.cpu_s * 1e9),
        each(outcome.folds as f64),
        outcome.cells,
        outcome.cell_bytes,
        outcome.grown_bytes as f64 / 1e6,
        outcome.evictions
    ))
}

/// The codes of all methods.
pub fn codes() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|entry| entry.meta.code)
}

fn run_these(settings: Settings, entries: &'static [Entry]) -> io::Result<Outcome> {
    let before = cpu_s()?;
    let records = Traffic::new(settings)
        .map(|batch| std::hint::black_box(batch).flows.len() as u64)
        .sum();
    let generator_cpu_s = cpu_s()? - before;

    let instances = instances(entries)?;
    let mut shard = Shard::new(0, 1, &instances);
    let mut told = BTreeSet::new();
    let (resident, mut largest) = (resident_bytes()?, 0);
    let (mut cells, mut evictions, mut panicked, mut folds, mut cell_bytes) = (0, 0, 0, 0, 0);
    let before = cpu_s()?;
    let (mut done, mut halfway) = (0, None);
    for (at, batch) in Traffic::new(settings).enumerate() {
        if done >= records / 2 && halfway.is_none() {
            halfway = Some(cpu_s()?);
        }
        done += batch.flows.len() as u64;
        let ends = batch.ticks.iter().any(|tick| tick.end);
        // The end closes every cell: what they hold is looked at before it, and now and then.
        if ends || at % 1024 == 0 {
            largest = largest.max(resident_bytes()?.saturating_sub(resident));
            let stats = shard.stats();
            let open: usize = stats.iter().map(|stats| stats.cells).sum();
            cells = cells.max(open);
        }
        for emission in shard.run(&batch) {
            let finding = emission.finding;
            let source = finding
                .source
                .ip
                .map_or_else(|| finding.source.to_string(), |ip| ip.to_string());
            told.insert(format!(
                "{}.{} {source}",
                finding.method.code, finding.submethod.name
            ));
        }
    }
    let end = cpu_s()?;
    let cpu_s = end - before - generator_cpu_s;
    let settled_cpu_s = end - halfway.unwrap_or(before) - generator_cpu_s / 2.0;
    for ShardStats {
        evictions: gone,
        panicked: broke,
        folds: folded,
        cell_bytes: bytes,
        ..
    } in shard.stats()
    {
        evictions += gone;
        folds += folded;
        cell_bytes = cell_bytes.max(bytes);
        panicked += usize::from(broke);
    }
    Ok(Outcome {
        settings,
        methods: instances.len(),
        records,
        cpu_s,
        settled_cpu_s,
        generator_cpu_s,
        grown_bytes: largest,
        cells,
        evictions,
        panicked,
        folds,
        cell_bytes,
        told,
    })
}

/// Each method with its defaults.
fn instances(entries: &'static [Entry]) -> io::Result<Vec<Instance>> {
    entries
        .iter()
        .map(|entry| entry.instance("default", serde_json::json!({}), &[], FEED))
        .collect::<Result<Vec<Instance>, _>>()
        .map_err(io::Error::other)
}

impl Outcome {
    /// Was somebody told of as the source of an event of this method?
    #[must_use]
    pub fn tells(&self, method: &str, source: IpAddr) -> bool {
        let source = source.to_string();
        self.told.iter().any(|line| {
            line.split_once(' ')
                .is_some_and(|(name, who)| name.starts_with(method) && who == source)
        })
    }

    /// Bars that were missed.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        if self.panicked > 0 {
            missed.push(format!("{} methods panicked", self.panicked));
        }
        if self.settings.forged == 0 {
            if self.rate() < RATE_BAR {
                missed.push(format!(
                    "{:.0} records per CPU-second, bar {RATE_BAR:.0}",
                    self.rate()
                ));
            }
            if self.bytes_per_host() > HOST_BAR {
                missed.push(format!(
                    "{:.0} bytes per host, bar {HOST_BAR}",
                    self.bytes_per_host()
                ));
            }
        } else {
            for (method, source) in [("DOS", VICTIM), ("SCANS", SCANNER)] {
                if !self.tells(method, source.into()) {
                    missed.push(format!("{method} of {source} was not found in the flood"));
                }
            }
        }
        missed
    }

    fn rate(&self) -> f64 {
        self.records as f64 / self.cpu_s
    }

    fn bytes_per_host(&self) -> f64 {
        self.grown_bytes as f64 / self.settings.hosts.max(1) as f64
    }

    /// The figures as Markdown.
    #[must_use]
    pub fn text(&self) -> String {
        let title = match self.settings.forged {
            0 => "detection",
            _ => "detection in a flood",
        };
        let mut text = format!("| {title} | figure | bar |\n|---|---|---|\n");
        for (name, figure, bar) in self.rows() {
            let _ = writeln!(text, "| {name} | {figure} | {bar} |");
        }
        let told: String = self
            .told
            .iter()
            .take(8)
            .map(|line| format!("    {line}\n"))
            .collect();
        let _ = write!(text, "\nEvents: {}.\n{told}", self.told.len());
        text
    }

    /// Name, figure and bar of each line. Bars of cost are for ordinary traffic.
    fn rows(&self) -> Vec<(&'static str, String, String)> {
        let none = String::new;
        let bar = |value: f64| match self.settings.forged {
            0 => format!("{value:.0}"),
            _ => String::new(),
        };
        let mut rows = vec![
            ("methods", self.methods.to_string(), none()),
            (
                "records",
                format!("{} over {} s of event time", self.records, self.settings.seconds),
                none(),
            ),
            ("inside hosts", self.settings.hosts.to_string(), none()),
            ("forged sources", self.settings.forged.to_string(), none()),
            (
                "records per CPU-second",
                format!("{:.0}", self.rate()),
                bar(RATE_BAR),
            ),
            (
                "records per CPU-second, second half",
                format!("{:.0}", self.records as f64 / 2.0 / self.settled_cpu_s),
                none(),
            ),
            ("CPU-seconds", format!("{:.2}", self.cpu_s), none()),
            (
                "generator, CPU-seconds, not counted",
                format!("{:.2}", self.generator_cpu_s),
                none(),
            ),
            (
                "memory grown, MB",
                format!("{:.0}", self.grown_bytes as f64 / 1e6),
                none(),
            ),
            (
                "bytes per host",
                format!("{:.0}", self.bytes_per_host()),
                bar(HOST_BAR),
            ),
            ("cells at the most", self.cells.to_string(), none()),
            ("cells given up", self.evictions.to_string(), none()),
        ];
        if self.settings.forged > 0 {
            let found = |method: &str, source: IpAddr| match self.tells(method, source) {
                true => "found".to_owned(),
                false => "MISSED".to_owned(),
            };
            rows.push(("the flood (DOS)", found("DOS", VICTIM.into()), "found".to_owned()));
            rows.push((
                "the scanner in it (SCANS)",
                found("SCANS", SCANNER.into()),
                "found".to_owned(),
            ));
        }
        rows
    }
}

/// Resident memory of this process, from `/proc/self/statm` (pages of 4 KiB).
fn resident_bytes() -> io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    Ok(pages.unwrap_or(0) * 4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flood a little larger than a method's table: cells are given up, and counted; both attacks are found all the same.
    #[test]
    fn an_attack_in_a_flood_is_found() {
        let outcome = run(Settings {
            seed: 7,
            hosts: 2_000,
            flows: 10_000,
            forged: 170_000,
            seconds: 60,
        })
        .unwrap();
        assert_eq!(outcome.missed(), Vec::<String>::new(), "{}", outcome.text());
        assert!(outcome.evictions > 0, "{}", outcome.text());
        assert!(outcome.text().contains("| the flood (DOS) | found | found |"));
    }

    /// Ordinary traffic alone: nothing is said of anybody.
    #[test]
    fn the_mix_is_quiet() {
        let outcome = run(Settings {
            seed: 7,
            hosts: 500,
            flows: 10_000,
            forged: 0,
            seconds: 600,
        })
        .unwrap();
        assert!(outcome.told.is_empty(), "{}", outcome.text());
        assert!(!outcome.tells("SCANS", SCANNER.into()));
        assert_eq!(outcome.panicked, 0);
    }
}
