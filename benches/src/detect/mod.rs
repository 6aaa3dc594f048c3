//! What detection costs: every method with its defaults over generated flow records of very many hosts, and over a flood
//! of forged sources in which a real attack must still be found. CPU time of the generator is measured apart and taken
//! off; memory is what the process grew by while the cells were filled.

pub mod traffic;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::net::IpAddr;

use weir_detect::{Instance, REGISTRY, Shard, ShardStats};
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
    generator_cpu_s: f64,
    /// Growth of resident memory from the first record to the last, at its largest.
    grown_bytes: u64,
    cells: usize,
    evictions: u64,
    panicked: usize,
    /// `METHOD.Submethod source` of everything told.
    told: BTreeSet<String>,
}

/// Runs every method over the traffic on one shard.
pub fn run(settings: Settings) -> io::Result<Outcome> {
    let before = cpu_s()?;
    let records = Traffic::new(settings)
        .map(|batch| std::hint::black_box(batch).flows.len() as u64)
        .sum();
    let generator_cpu_s = cpu_s()? - before;

    let instances = REGISTRY
        .iter()
        .map(|entry| entry.instance("default", serde_json::json!({}), &[], FEED))
        .collect::<Result<Vec<Instance>, _>>()
        .map_err(io::Error::other)?;
    let mut shard = Shard::new(0, 1, &instances);
    let mut told = BTreeSet::new();
    let (resident, mut largest) = (resident_bytes()?, 0);
    let (mut cells, mut evictions, mut panicked) = (0, 0, 0);
    let before = cpu_s()?;
    for (at, batch) in Traffic::new(settings).enumerate() {
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
    let cpu_s = cpu_s()? - before - generator_cpu_s;
    for ShardStats {
        evictions: gone,
        panicked: broke,
        ..
    } in shard.stats()
    {
        evictions += gone;
        panicked += usize::from(broke);
    }
    Ok(Outcome {
        settings,
        methods: instances.len(),
        records,
        cpu_s,
        generator_cpu_s,
        grown_bytes: largest,
        cells,
        evictions,
        panicked,
        told,
    })
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
            forged: 90_000,
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
