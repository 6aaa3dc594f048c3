//! The comparison as Markdown: what was measured on which machine, every figure beside its bar, every skip with its
//! reason. A missed bar is printed, never hidden; only `--strict` turns it into an exit code.

use std::fmt::Write as _;
use std::{fs, io};

use super::completeness::Found;
use super::measure::{Cost, median, minimum};
use super::subject::Subject;

/// Peak memory of the whole line on the full capture, bytes.
pub const RSS_BAR_BYTES: f64 = 300e6;
/// Median wall time of a command that does no work, seconds.
pub const STARTUP_BAR_S: f64 = 0.050;

/// All runs of one subject.
pub struct Measured {
    pub costs: Vec<Cost>,
    /// Packets one run reads.
    pub packets: u64,
    /// What the last run wrote or sent, bytes.
    pub output_bytes: u64,
    /// The command, for the report.
    pub command: String,
}

/// Text in the making and the bars missed so far.
#[derive(Default)]
pub struct Report {
    text: String,
    missed: Vec<String>,
}

impl Report {
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Bars missed and commands failed.
    #[must_use]
    pub fn missed(&self) -> &[String] {
        &self.missed
    }

    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub fn heading(&mut self, title: &str) {
        self.line(&format!("\n## {title}\n"));
    }

    /// A verdict beside a figure; a miss is remembered.
    fn verdict(&mut self, passed: bool, what: &str) -> &'static str {
        if !passed {
            self.missed.push(what.to_owned());
        }
        if passed { "pass" } else { "MISS" }
    }

    /// A subject that could not be measured. Peers may be absent, Weir may not.
    pub fn failed(&mut self, subject: &Subject, reason: &str) {
        self.line(&format!("- {}: {reason}", subject.name));
        if subject.package.is_none() {
            self.missed.push(format!("{}: {reason}", subject.name));
        }
    }

    /// A figure that could not be taken because Weir failed.
    pub fn missing(&mut self, what: &str, error: &io::Error) {
        self.line(&format!("- {what}: failed: {error}"));
        self.missed.push(format!("{what}: {error}"));
    }

    pub fn throughput(&mut self, rows: &[(&Subject, Measured)]) {
        self.line(
            "| subject | Mpps per CPU-s, median | best | CPU s, median | min | wall s, median | min | RSS MB | output MB \
             | bar Mpps | verdict |",
        );
        self.line("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|");
        for (subject, measured) in rows {
            let millions = measured.packets as f64 / 1e6;
            let cpu_s = median(measured.costs.iter().map(|cost| cost.cpu_s));
            let cpu_min_s = minimum(measured.costs.iter().map(|cost| cost.cpu_s));
            let rate = millions / cpu_s.max(1e-6);
            let (bar, verdict) = match subject.bar_mpps {
                Some(bar) => {
                    let what = format!("{}: {rate:.3} Mpps per CPU-s, bar {bar}", subject.name);
                    (format!(">= {bar}"), self.verdict(rate >= bar, &what))
                }
                None => (String::new(), ""),
            };
            self.line(&format!(
                "| {} | {rate:.3} | {:.3} | {cpu_s:.3} | {cpu_min_s:.3} | {:.3} | {:.3} | {:.1} | {:.1} | {bar} | {verdict} |",
                subject.name,
                millions / cpu_min_s.max(1e-6),
                median(measured.costs.iter().map(|cost| cost.wall_s)),
                minimum(measured.costs.iter().map(|cost| cost.wall_s)),
                rss_max(&measured.costs) / 1e6,
                measured.output_bytes as f64 / 1e6,
            ));
        }
        self.line("");
        for (subject, measured) in rows {
            let part = match subject.packets_max {
                Some(_) => format!(", first {} packets only", measured.packets),
                None => String::new(),
            };
            self.line(&format!(
                "- {}: {}{part}. `{}`",
                subject.name, subject.duty, measured.command
            ));
        }
    }

    pub fn startup(&mut self, command: &str, walls_s: &[f64]) {
        let wall_s = median(walls_s.iter().copied());
        let verdict = self.verdict(
            wall_s < STARTUP_BAR_S,
            &format!("start-up of `{command}`: {:.1} ms", wall_s * 1e3),
        );
        let best = minimum(walls_s.iter().copied()) * 1e3;
        self.line(&format!(
            "- `{command}`: {:.1} ms median of {}, best {best:.1} ms (bar < {:.0} ms): {verdict}",
            wall_s * 1e3,
            walls_s.len(),
            STARTUP_BAR_S * 1e3
        ));
    }

    /// Memory of the whole line at two sizes of input.
    pub fn memory(&mut self, half: &Cost, half_packets: u64, full: &[Cost], full_packets: u64) {
        let (half, full) = (half.rss_bytes as f64 / 1e6, rss_max(full) / 1e6);
        let bar = RSS_BAR_BYTES / 1e6;
        let verdict = self.verdict(
            full < bar,
            &format!("memory of the whole line: {full:.1} MB, bar {bar:.0}"),
        );
        self.line(&format!("- first half, {half_packets} packets: {half:.1} MB"));
        self.line(&format!(
            "- whole capture, {full_packets} packets: {full:.1} MB (bar < {bar:.0} MB): {verdict}"
        ));
        self.line(&format!(
            "- growth from half to whole: {:.2} times (1.00 is flat)",
            full / half.max(1e-9)
        ));
    }

    pub fn completeness(&mut self, found: &[Found]) {
        self.line("| what | expected | matched | extra | % | compared by | bar | verdict |");
        self.line("|---|---:|---:|---:|---:|---|---|---|");
        for row in found {
            let what = format!(
                "completeness of {}: {:.3} %, {} extra",
                row.what,
                row.percent(),
                row.extra
            );
            let verdict = self.verdict(row.complete(), &what);
            let by = if row.exact { "name" } else { "count" };
            self.line(&format!(
                "| {} | {} | {} | {} | {:.3} | {by} | 100 % | {verdict} |",
                row.what,
                row.expected,
                row.matched,
                row.extra,
                row.percent()
            ));
        }
    }

    /// The machine and how busy it is, from /proc; figures taken under load say so themselves.
    pub fn machine(&mut self) {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let count = processors
            .lines()
            .filter(|line| line.starts_with("processor"))
            .count();
        let mut line = format!("- machine: {count} x {}", model.unwrap_or("unknown processor"));
        let _ = write!(line, ", Linux {}", read("/proc/sys/kernel/osrelease").trim());
        self.line(&line);
        self.load("before");
    }

    /// Notes the load average.
    pub fn load(&mut self, moment: &str) {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<&str> = load.split_whitespace().take(3).collect();
        self.line(&format!("- load average {moment}: {}", load.join(" ")));
    }
}

fn rss_max(costs: &[Cost]) -> f64 {
    costs.iter().map(|cost| cost.rss_bytes).max().unwrap_or(0) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_bars_are_printed_and_remembered() {
        let mut report = Report::default();
        report.startup("weir --version", &[0.004, 0.005, 0.006]);
        report.startup("weir methods", &[0.200]);
        let cost = |rss_bytes| Cost {
            cpu_s: 1.0,
            wall_s: 1.0,
            rss_bytes,
        };
        report.memory(&cost(100_000_000), 5, &[cost(150_000_000)], 10);
        assert!(
            report
                .text()
                .contains("5.0 ms median of 3, best 4.0 ms (bar < 50 ms): pass"),
            "{}",
            report.text()
        );
        assert!(report.text().contains("1.50 times"), "{}", report.text());
        assert_eq!(report.missed(), ["start-up of `weir methods`: 200.0 ms"]);
    }
}
