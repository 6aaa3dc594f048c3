//! `weir exporters`: what each exporter sends, how well, and what the methods can see of it. From the statistics of a
//! collector that runs or ran, or from files.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use ipnet::IpNet;
use serde_json::json;
use weir_collector::{Counts, ExporterReport};
use weir_model::{Batch, Need, Networks, Quantity};
use weir_output::stamp;
use weir_triage::Change;

use super::Output;
use super::remote::{self, RemoteArgs};
use crate::collect::{Known, Reach, coverage, default_directory, load_exporters, remarks, report_json};
use crate::config::Config;
use crate::pipeline::{self, Consumer, Job};

/// Clock differences below this are the network's and ours, seconds.
const SKEW_TOLD_S: f64 = 5.0;
/// Columns of the element list.
const WIDTH: usize = 100;

const EXAMPLES: &str = "\
Examples:
  weir exporters                      of the collector that runs or ran last on this machine
  weir exporters 192.0.2.1            one of them
  weir exporters -r exports.pcap      of a capture of exports
  weir exporters --remote https://weir.example:8844 --token-file token";

/// The exporters of a collector.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExportersArgs {
    /// Only the exporter with this address.
    address: Option<IpAddr>,
    /// Captures of flow exports, or IPFIX files, instead of a collector's statistics.
    #[arg(short = 'r', long = "read", value_name = "FILE", num_args = 1..)]
    files: Vec<PathBuf>,
    /// State directory of the collector.
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    state: Option<PathBuf>,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Site of the server elsewhere.
    #[arg(long, value_name = "NAME", requires = "remote")]
    site: Option<String>,
    /// How the page is printed.
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    output: Output,
    /// Configuration file (TOML): which methods are on, which networks are inside.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A network that is inside; some methods need it said.
    #[arg(long, value_name = "CIDR", value_parser = crate::config::network)]
    inside: Vec<IpNet>,
}

/// Runs the command.
pub(super) fn run(args: ExportersArgs) -> Result<ExitCode> {
    let local = args.state.is_some() || !args.files.is_empty();
    if let Some(server) = args.remote.server(local, args.site.as_deref())? {
        let text = remote::exporters::run(&server, args.address, args.output == Output::Json)?;
        io::stdout().write_all(text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if !args.inside.is_empty() {
        config.inside = Some(Networks::new(args.inside.iter().copied()));
    }
    let mut known = if args.files.is_empty() {
        saved(args.state.clone())?
    } else {
        of_files(args.files.clone())?
    };
    if let Some(address) = args.address {
        known.reports.retain(|report| report.address == address);
        if known.reports.is_empty() {
            bail!("no exporter {address} is known; weir exporters lists all");
        }
    }
    let mut text = String::new();
    match args.output {
        Output::Text => {
            let state = if known.running { "runs" } else { "has ended" };
            if args.files.is_empty() {
                let _ = writeln!(
                    text,
                    "collector {state}, as of {} UTC",
                    stamp::short(known.written)
                );
            }
            for report in &known.reports {
                text.push_str(&page(&config, report)?);
            }
            let _ = writeln!(text, "{} exporters", known.reports.len());
        }
        Output::Json => {
            for report in &known.reports {
                let _ = writeln!(text, "{}", json_line(&config, report)?);
            }
        }
    }
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn saved(directory: Option<PathBuf>) -> Result<Known> {
    let directory = directory
        .or_else(default_directory)
        .context("no state directory: give it with --state DIR")?;
    load_exporters(&directory)?.with_context(|| {
        format!(
            "{}: no collector has kept statistics there; start weir collect, or give --state DIR or -r FILE",
            directory.display()
        )
    })
}

fn of_files(files: Vec<PathBuf>) -> Result<Known> {
    /// Records are not wanted, only what the collector counted.
    struct Nobody;
    impl Consumer for Nobody {
        fn batch(&mut self, _: &Batch) -> io::Result<()> {
            Ok(())
        }
        fn change(&mut self, _: Change) -> io::Result<()> {
            Ok(())
        }
    }
    let job = Job {
        files,
        config: Config::default(),
        detect: false,
        store: None,
    };
    let (_, summary) = pipeline::run(job, Nobody, |_| {})?;
    if summary.exporters.is_empty() {
        bail!("no flow exports in there; weir -r reads packets");
    }
    let reports = summary.exporters;
    Ok(Known {
        written: reports.iter().map(|report| report.last).max().unwrap_or_default(),
        running: false,
        reports,
    })
}

/// The page of one exporter.
fn page(config: &Config, report: &ExporterReport) -> Result<String> {
    let counts = &report.counts;
    let number = |count: u64| Quantity::Count(count).to_string();
    let mut text = String::new();
    let mut line = |name: &str, words: String| {
        let _ = writeln!(text, "  {name:<12} {words}");
    };
    let formats: Vec<_> = report.formats.iter().map(|format| format.word()).collect();
    let span_s = report.last.secs_since(report.first);
    let rate = if span_s >= 1.0 {
        format!(" ({:.1}/s)", counts.records as f64 / span_s)
    } else {
        String::new()
    };
    line(
        "records",
        format!(
            "{} in {} messages over {}{rate}; {} domains, {} templates",
            number(counts.records),
            number(counts.messages),
            Quantity::Seconds(span_s),
            report.domains,
            report.templates
        ),
    );
    line("clock", clock(report.skew_ns as f64 / 1e9));
    line("sampling", sampling(&report.sampling));
    let shown = |time: Option<u32>| time.map_or("not visible".to_owned(), |time_s| format!("{time_s} s"));
    line(
        "time-outs",
        format!(
            "active {}, idle {}",
            shown(report.active_timeout_s),
            shown(report.idle_timeout_s)
        ),
    );
    let flows = counts.one_way + counts.two_way;
    line(
        "one-way",
        format!(
            "{} of {} flow records",
            percent(counts.one_way, flows),
            number(flows)
        ),
    );
    line(
        "lost",
        format!(
            "{} by sequence numbers; {} late or twice; {} restarts",
            number(counts.lost),
            number(counts.late),
            number(counts.restarts)
        ),
    );
    if let Some(dropped) = dropped(counts) {
        line("dropped", dropped);
    }
    if !report.elements.is_empty() {
        line("elements", wrapped(&report.elements));
    }
    for remark in remarks(report) {
        line("note", remark);
    }
    methods(config, report, &mut line)?;
    Ok(format!("\n{}  {}\n{text}", report.address, formats.join(", ")))
}

/// What was not used, with its cause.
fn dropped(counts: &Counts) -> Option<String> {
    let causes: Vec<_> = [
        ("malformed messages", counts.malformed),
        ("messages beyond its share", counts.shed),
        ("sets without template", counts.sets_dropped),
        ("templates refused", counts.templates_refused),
        ("records about no IP flow", counts.not_flows),
    ]
    .into_iter()
    .filter(|&(_, times)| times > 0)
    .map(|(what, times)| format!("{what} {}", Quantity::Count(times)))
    .collect();
    (!causes.is_empty()).then(|| causes.join(", "))
}

fn clock(behind_s: f64) -> String {
    if behind_s.abs() < SKEW_TOLD_S {
        return "agrees with ours".into();
    }
    let side = if behind_s > 0.0 { "behind" } else { "ahead of" };
    format!("{} {side} ours", Quantity::Seconds(behind_s.abs()))
}

fn sampling(seen: &[u32]) -> String {
    let mut seen: Vec<u32> = seen.to_vec();
    seen.sort_unstable();
    match &seen[..] {
        [] | [1] => "none".into(),
        all => {
            let all: Vec<_> = all.iter().map(|one_of| format!("1 of {one_of}")).collect();
            all.join(", ")
        }
    }
}

fn percent(part: u64, all: u64) -> String {
    if all == 0 {
        return "none".into();
    }
    format!("{:.1} %", part as f64 * 100.0 / all as f64)
}

fn methods(config: &Config, report: &ExporterReport, line: &mut impl FnMut(&str, String)) -> Result<()> {
    let all = coverage(config, report)?;
    let full: Vec<_> = all
        .iter()
        .filter(|(_, reach)| *reach == Reach::Full)
        .map(|(meta, _)| meta.code)
        .collect();
    line("fully", wrapped(&full));
    for (meta, reach) in &all {
        match reach {
            Reach::Full => {}
            Reach::Part(missing) => {
                let missing: Vec<_> = missing
                    .iter()
                    .map(|(name, needs)| format!("{name} (needs {})", words(needs)))
                    .collect();
                line("in part", format!("{} without {}", meta.code, missing.join(", ")));
            }
            Reach::Blind(needs) => line("blind", format!("{} (needs {})", meta.code, words(needs))),
        }
    }
    Ok(())
}

fn words(needs: &[Need]) -> String {
    let words: Vec<_> = needs.iter().map(|need| need.words()).collect();
    words.join(", ")
}

/// A list over several lines, indented under its name.
fn wrapped(list: &[impl AsRef<str>]) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for (at, word) in list.iter().map(AsRef::as_ref).enumerate() {
        if at > 0 {
            text.push(',');
            let full = column + word.len() > WIDTH;
            text.push_str(if full { "\n               " } else { " " });
            column = if full { 0 } else { column };
        }
        text.push_str(word);
        column += word.len() + 2;
    }
    text
}

fn json_line(config: &Config, report: &ExporterReport) -> Result<serde_json::Value> {
    let mut line = report_json(report);
    let reach = |reach: &Reach| match reach {
        Reach::Full => json!({"reach": "full"}),
        Reach::Part(missing) => {
            let missing = missing
                .iter()
                .map(|(name, needs)| ((*name).to_owned(), words(needs).into()));
            json!({"reach": "part", "missing": serde_json::Value::Object(missing.collect())})
        }
        Reach::Blind(needs) => json!({"reach": "blind", "missing": words(needs)}),
    };
    let methods = coverage(config, report)?;
    let methods = methods
        .iter()
        .map(|(meta, one)| (meta.code.to_owned(), reach(one)));
    line["methods"] = serde_json::Value::Object(methods.collect());
    line["notes"] = remarks(report).into();
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::testing::report;
    use expect_test::expect;

    #[test]
    fn a_page() {
        let page = page(&Config::default(), &report()).unwrap();
        let head = page.lines().take(12).collect::<Vec<_>>().join("\n");
        expect![[r#"

            192.0.2.1  NetFlow v9
              records      1000 in 40 messages over 100 s (10.0/s); 1 domains, 2 templates
              clock        90 s ahead of ours
              sampling     none
              time-outs    active 1800 s, idle not visible
              one-way      33.3 % of 600 flow records
              lost         30 by sequence numbers; 0 late or twice; 0 restarts
              elements     octetDeltaCount, protocolIdentifier
              note         long flows are told every 1800 s only; set the active time-out to 300 s or less
              note         2.9 % did not arrive: counts are too low, and answers may look missing
              fully        DICTATTACK, SSHDICT, RDPDICT, HTTPDICT, UPLOAD, HIGHTRANSF, TELNET, DNSANOMALY, DNSQUERY, ICMPANOM,"#]]
        .assert_eq(&head);
        assert!(page.contains("blind"));
    }
}
