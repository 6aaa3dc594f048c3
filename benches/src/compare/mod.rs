//! The side by side comparison: every subject reads the same file in the same session, in rounds, so that a change of
//! the machine's speed meets all of them alike. Memory is measured before names are compared, because the harness's own
//! memory would otherwise show in its children's figures.

pub mod capture;
pub mod completeness;
pub mod measure;
pub mod report;
pub mod sink;
pub mod subject;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::mix::truth::Truth;
use capture::Size;
use measure::{CommandLine, Cost, run};
use report::{Measured, Report};
use sink::Sink;
use subject::{Places, StandardOutput, Subject, WHOLE_LINE};

/// Runs of each start-up command.
const STARTUP_RUNS: usize = 20;
/// Commands that start and do no work.
const STARTUP_COMMANDS: [&str; 2] = ["--version", "methods"];
/// Time for the last datagrams to reach the sink's thread.
const SINK_SETTLE: Duration = Duration::from_millis(50);

/// What to compare.
pub struct Options {
    pub capture: PathBuf,
    pub weir: PathBuf,
    /// Measured runs of each subject.
    pub runs: usize,
    /// Names out of [`subject::PEERS`].
    pub peers: Vec<String>,
    /// Truth of the capture; without it completeness is skipped.
    pub truth: Option<PathBuf>,
    /// Directory of the name lists; without it names are compared by count and digest.
    pub lists: Option<PathBuf>,
    /// Directory for temporary files; needs half the capture's size.
    pub scratch: PathBuf,
}

/// Runs everything and returns the report. An error means that nothing could be measured at all.
pub fn compare(options: &Options) -> io::Result<Report> {
    if find_program(&options.weir).is_none() {
        return Err(io::Error::other(format!(
            "{}: no such program",
            options.weir.display()
        )));
    }
    let scratch = Scratch::create(&options.scratch)?;
    let mut report = Report::default();
    report.line("# Weir and its peers on one capture\n");
    let size = capture::count(&options.capture)?;
    let name = options.capture.file_name().unwrap_or_default().display();
    let mean = size.bytes / size.packets.max(1);
    report.line(&format!(
        "- capture: {name}, {} packets, {} bytes, mean {mean} B",
        size.packets, size.bytes
    ));
    report.line(&format!(
        "- runs: {} of each subject, in rounds; page cache warm",
        options.runs
    ));
    report.machine();

    let mut bench = Bench {
        options,
        size,
        scratch: &scratch,
        sink: Sink::open()?,
        report,
    };
    let full = bench.throughput()?;
    bench.startup();
    bench.memory(&full)?;
    bench.completeness()?;
    Ok(bench.report)
}

struct Bench<'a> {
    options: &'a Options,
    size: Size,
    scratch: &'a Scratch,
    sink: Sink,
    report: Report,
}

impl Bench<'_> {
    /// Measures every subject in rounds and returns the costs of the whole line.
    fn throughput(&mut self) -> io::Result<Vec<Cost>> {
        self.report.heading("Throughput");
        let mut subjects = subject::weir(&self.options.weir);
        subjects.extend(self.options.peers.iter().filter_map(|name| subject::peer(name)));
        let mut left_out: BTreeMap<&str, String> = BTreeMap::new();
        for subject in &mut subjects {
            match (find_program(&subject.program), subject.package) {
                (Some(program), _) => subject.program = program,
                (None, package) => {
                    let package = package.unwrap_or("weir");
                    left_out.insert(
                        subject.name,
                        format!("skipped, not installed: `apt-get install {package}`"),
                    );
                }
            }
        }
        let mut rows: Vec<(&Subject, Measured)> = Vec::new();
        for round in 1..=self.options.runs {
            for subject in &subjects {
                if left_out.contains_key(subject.name) {
                    continue;
                }
                progress(&format!(
                    "round {round} of {}: {}",
                    self.options.runs, subject.name
                ));
                match self.measure(subject, &self.options.capture) {
                    Ok(measured) => merge(&mut rows, subject, measured),
                    Err(error) => {
                        left_out.insert(subject.name, format!("failed: {error}"));
                    }
                }
            }
        }
        rows.retain(|(subject, _)| !left_out.contains_key(subject.name));
        self.report.throughput(&rows);
        for subject in &subjects {
            if let Some(reason) = left_out.get(subject.name) {
                self.report.failed(subject, reason);
            }
        }
        self.report.load("after");
        let whole = rows.into_iter().find(|(subject, _)| subject.name == WHOLE_LINE);
        Ok(whole.map(|(_, measured)| measured.costs).unwrap_or_default())
    }

    /// One run of one subject on `capture`.
    fn measure(&self, subject: &Subject, capture: &Path) -> io::Result<Measured> {
        let output = self.scratch.empty_output()?;
        let places = Places {
            capture,
            output: &output,
            scratch: &self.scratch.0,
            sink: self.sink.address(),
        };
        let command = subject.command(&places);
        let kept = (subject.standard_output == StandardOutput::Kept).then(|| output.join("stdout"));
        let _ = self.sink.take_bytes();
        let cost = run(&command, kept.as_deref(), &self.scratch.errors())?;
        thread::sleep(SINK_SETTLE);
        let mut output_bytes = self.sink.take_bytes();
        for entry in fs::read_dir(&output)? {
            output_bytes += entry?.metadata()?.len();
        }
        let packets = subject.packets_max.unwrap_or(u64::MAX).min(self.size.packets);
        let command = self.scratch.without_paths(&command.to_string(), capture);
        Ok(Measured {
            costs: vec![cost],
            packets,
            output_bytes,
            command,
        })
    }

    fn startup(&mut self) {
        self.report.heading("Start-up");
        for argument in STARTUP_COMMANDS {
            progress(&format!("start-up: {argument}"));
            let command = CommandLine::new(&self.options.weir, [argument]);
            let runs = (0..STARTUP_RUNS).map(|_| Ok(run(&command, None, &self.scratch.errors())?.wall_s));
            match runs.collect::<io::Result<Vec<f64>>>() {
                Ok(walls_s) => self.report.startup(&format!("weir {argument}"), &walls_s),
                Err(error) => self.report.missing(&format!("weir {argument}"), &error),
            }
        }
    }

    fn memory(&mut self, full: &[Cost]) -> io::Result<()> {
        self.report.heading("Memory of the whole line");
        if full.is_empty() {
            self.report.line("- skipped: the whole line did not run");
            return Ok(());
        }
        progress("memory: first half of the capture");
        let half = self.scratch.0.join("half.pcap");
        let size = capture::copy_first(&self.options.capture, self.size.packets / 2, &half)?;
        let subjects = subject::weir(&self.options.weir);
        for subject in subjects.iter().filter(|subject| subject.name == WHOLE_LINE) {
            match self.measure(subject, &half) {
                Ok(measured) => {
                    self.report
                        .memory(&measured.costs[0], size.packets, full, self.size.packets);
                }
                Err(error) => self.report.missing("whole line on the first half", &error),
            }
        }
        fs::remove_file(half)
    }

    fn completeness(&mut self) -> io::Result<()> {
        self.report.heading("Completeness");
        let Some(truth) = &self.options.truth else {
            self.report.line(
                "- skipped: no truth for this capture (`weir-benches mix` writes one, `--truth` names it)",
            );
            return Ok(());
        };
        let truth = Truth::read(truth)?;
        if truth.packets != self.size.packets {
            let (said, held) = (truth.packets, self.size.packets);
            return Err(io::Error::other(format!(
                "truth of {said} packets beside a capture of {held}: not the same mix"
            )));
        }
        progress("completeness: transactions and flows");
        let transactions = self.weir_output("transactions.json", &["--transactions", "json", "-q"]);
        let flows = self.weir_output("flows.csv", &["-q", "--flows", "csv"]);
        let mut found = Vec::new();
        match transactions.and_then(|path| completeness::read_transactions(&path)) {
            Ok(reported) => found.extend(reported.compare(&truth, self.options.lists.as_deref())?),
            Err(error) => self.report.missing("names", &error),
        }
        match flows.and_then(|path| completeness::flows(&path, &truth)) {
            Ok(flows) => found.push(flows),
            Err(error) => self.report.missing("flows", &error),
        }
        self.report.completeness(&found);
        Ok(())
    }

    fn weir_output(&self, file: &str, rest: &[&str]) -> io::Result<PathBuf> {
        let path = self.scratch.0.join(file);
        let mut command = CommandLine::new(&self.options.weir, ["-r"]);
        command.arguments.push(self.options.capture.clone().into());
        command.arguments.extend(rest.iter().map(Into::into));
        run(&command, Some(&path), &self.scratch.errors())?;
        Ok(path)
    }
}

fn merge<'s>(rows: &mut Vec<(&'s Subject, Measured)>, subject: &'s Subject, measured: Measured) {
    match rows.iter_mut().find(|(known, _)| known.name == subject.name) {
        Some((_, known)) => known.costs.extend(measured.costs),
        None => rows.push((subject, measured)),
    }
}

/// A path as given, or the first match in PATH and the directories of system programs, which users often lack.
fn find_program(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_path_buf());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(system)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// Long runs say where they are; the report itself goes to standard output.
fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A directory of our own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn create(parent: &Path) -> io::Result<Self> {
        let directory = parent.join(format!("weir-benches-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }

    /// The output directory, empty.
    fn empty_output(&self) -> io::Result<PathBuf> {
        let output = self.0.join("output");
        if output.exists() {
            fs::remove_dir_all(&output)?;
        }
        fs::create_dir(&output)?;
        Ok(output)
    }

    fn errors(&self) -> PathBuf {
        self.0.join("stderr")
    }

    /// A command for the report, without the paths of this machine.
    fn without_paths(&self, command: &str, capture: &Path) -> String {
        command
            .replace(&capture.display().to_string(), "FILE")
            .replace(&self.0.join("output").display().to_string(), "OUT")
            .replace(&self.0.display().to_string(), "TMP")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
