//! Command line of the benchmark: `mix` writes the capture, `compare` runs Weir and its peers on one. Everything else is
//! in the library.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use clap::{Parser, Subcommand};
use weir_benches::compare;
use weir_benches::compare::subject::PEERS;
use weir_benches::mix::truth::Kind;
use weir_benches::mix::{self, FLOWS_MAX, Settings};
use weir_benches::{collect, detect, search, serve, store};

/// The program's own allocator, so that the store costs here what it costs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BUFFER_BYTES: usize = 1 << 20;

#[derive(Parser)]
#[command(
    name = "weir-benches",
    version,
    about = "Traffic mix generator and side by side comparison with peers"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a capture of TLS 1.3, DNS and HTTP flows with a known content
    Mix(MixOptions),
    /// Run Weir and its peers on one capture and print a table
    Compare(CompareOptions),
    /// Fill a flow store with generated records and print bytes per flow and rows per CPU-second
    Store(StoreOptions),
    /// Decode and pair records, then receive and store them beside nfcapd and nfacctd, and print CPU time a record
    Collect(CollectOptions),
    /// Run every detection method over generated flow records, ordinary ones and a flood, and print what it costs
    Detect(DetectOptions),
    /// Run `weir serve` with flows and events stored, exports arriving and people at their screens, and print what they wait for
    Serve(ServeOptions),
    /// Ask a filled store five questions and print CPU seconds, beside DuckDB and DataFusion where Python has them
    Search(SearchOptions),
}

#[derive(clap::Args)]
struct CollectOptions {
    /// The weir binary
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
    /// Records a second sent to each subject
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    rate: u32,
    /// How long they are sent
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Peers to run beside; a missing one is told
    #[arg(long, value_delimiter = ',', value_parser = collect::live::PEERS, default_values = collect::live::PEERS)]
    peers: Vec<String>,
    /// Leave the peers out
    #[arg(long)]
    no_peers: bool,
    /// Only what is measured inside this process: no sockets, no weir binary
    #[arg(long)]
    inside: bool,
    /// Send the weir binary so many mutated datagrams as well, 60,000 a second
    #[arg(long, value_name = "DATAGRAMS", conflicts_with = "inside", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    hostile: Option<u64>,
    /// Directory for what subjects write
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Exit with 1 when a bar is missed
    #[arg(long)]
    strict: bool,
}

#[derive(clap::Args)]
struct ServeOptions {
    /// The weir binary
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
    /// Folder for what is stored before, kept for half a day for the next run
    #[arg(long, default_value = "target/bench-serve")]
    cache: PathBuf,
    /// Flow records stored before
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    flows: u64,
    /// Events stored before
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    events: u64,
    /// Flow records a second that arrive
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    rate: u32,
    /// How long
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// People at their screens
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    users: u32,
    /// The same seed gives the same records, events and screens
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Exit with 1 when a bar is missed
    #[arg(long)]
    strict: bool,
}

#[derive(clap::Args)]
struct SearchOptions {
    /// Folder of a store, as `store --dir` leaves it
    #[arg(long)]
    dir: PathBuf,
    /// Only the questions with this word in their names, without peers
    #[arg(long)]
    only: Option<String>,
    /// Python that has the packages duckdb (with pytz) and datafusion
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Leave the peers out
    #[arg(long)]
    no_peers: bool,
    /// Exit with 1 when a bar is missed
    #[arg(long)]
    strict: bool,
}

#[derive(clap::Args)]
struct MixOptions {
    /// Capture file to write (classic pcap)
    #[arg(long)]
    out: PathBuf,
    /// The same seed and sizes give the same bytes
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// Number of flows: 55 % TLS 1.3, 30 % DNS, 15 % HTTP
    #[arg(long, default_value_t = Settings::default().flows, value_parser = clap::value_parser!(u64).range(1..=FLOWS_MAX))]
    flows: u64,
    /// Time the flows are spread over, seconds
    #[arg(long, default_value_t = Settings::default().seconds, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Where to write counts and name digests as JSON (default: beside the capture, with extension json)
    #[arg(long)]
    truth: Option<PathBuf>,
    /// Directory for the names themselves: tls.txt, dns.txt, http.txt
    #[arg(long)]
    lists: Option<PathBuf>,
}

#[derive(clap::Args)]
struct CompareOptions {
    /// Capture every subject reads (pcap or pcapng)
    #[arg(long)]
    file: PathBuf,
    /// The weir binary
    #[arg(long, default_value = "target/release/weir")]
    weir: PathBuf,
    /// Measured runs of each subject; medians are printed
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    runs: u64,
    /// Peers to run beside; a missing one is skipped with the package to install
    #[arg(long, value_delimiter = ',', value_parser = PEERS, default_values = PEERS)]
    peers: Vec<String>,
    /// Leave the peers out
    #[arg(long)]
    no_peers: bool,
    /// Where to write the report besides standard output
    #[arg(long)]
    out: Option<PathBuf>,
    /// Truth of the capture (default: beside it with extension json, if there)
    #[arg(long)]
    truth: Option<PathBuf>,
    /// Directory of the name lists (default: the capture's, if they are there)
    #[arg(long)]
    lists: Option<PathBuf>,
    /// Directory for temporary files, half the capture's size
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Exit with 1 when a bar is missed
    #[arg(long)]
    strict: bool,
}

#[derive(clap::Args)]
struct StoreOptions {
    /// Flow records to generate
    #[arg(long, default_value_t = 10_000_000)]
    flows: u64,
    /// The same seed gives the same records
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Event time the flows are spread over, seconds
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..=864_000))]
    seconds: u32,
    /// Folder of the store; must not exist. It is left for other tools to read
    #[arg(long)]
    dir: PathBuf,
    /// Exit with 1 when a bar is missed
    #[arg(long)]
    strict: bool,
}

#[derive(clap::Args)]
struct DetectOptions {
    /// Inside hosts that are active
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=4_000_000))]
    hosts: u64,
    /// Records of the ordinary mix
    #[arg(long, default_value_t = 3_000_000)]
    flows: u64,
    /// Records of the flood, each from another source, in a second run; 0: no second run
    #[arg(long, default_value_t = 5_000_000)]
    forged: u64,
    /// Run each method alone instead, and say what each costs
    #[arg(long)]
    each: bool,
    /// Run this method alone: its row in the table of --each
    #[arg(long, value_name = "CODE", conflicts_with = "each")]
    method: Option<String>,
    /// Event time each run is spread over, seconds
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=864_000))]
    seconds: u64,
    /// The same seed gives the same records
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Exit with 1 when a bar is missed
    #[arg(long)]
    strict: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Mix(options) => write_mix(&options).map(|()| true),
        Command::Compare(options) => run_comparison(options),
        Command::Store(options) => measure_store(&options),
        Command::Collect(options) => measure_collecting(options),
        Command::Detect(options) => measure_detection(&options),
        Command::Serve(options) => measure_serving(options),
        Command::Search(options) => measure_search(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "weir-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_mix(options: &MixOptions) -> io::Result<()> {
    let create = |path: PathBuf| -> io::Result<_> {
        let file =
            File::create(&path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
    };
    let mut lists = match &options.lists {
        Some(directory) => {
            fs::create_dir_all(directory)?;
            Kind::ALL
                .iter()
                .map(|kind| create(directory.join(kind.list_file())))
                .collect::<io::Result<Vec<_>>>()?
        }
        None => Vec::new(),
    };
    let mut out = create(options.out.clone())?;
    let settings = Settings {
        seed: options.seed,
        flows: options.flows,
        seconds: options.seconds,
    };
    let truth = mix::generate(
        settings,
        &mut out,
        &mut |kind, name| match lists.get_mut(kind as usize) {
            Some(list) => writeln!(list, "{name}"),
            None => Ok(()),
        },
    )?;
    lists.iter_mut().try_for_each(Write::flush)?;
    let path = options
        .truth
        .clone()
        .unwrap_or_else(|| options.out.with_extension("json"));
    truth.write(&path)?;
    let mean = truth.bytes / truth.packets.max(1);
    writeln!(
        io::stdout(),
        "{}: {} packets, {} bytes of frames, mean {mean} B, {} flows; truth in {}",
        options.out.display(),
        truth.packets,
        truth.bytes,
        truth.flows.total,
        path.display(),
    )
}

/// True unless `--strict` is set and a bar was missed.
fn run_comparison(options: CompareOptions) -> io::Result<bool> {
    let beside = options.file.with_extension("json");
    let directory = options.file.parent().unwrap_or(Path::new("")).to_path_buf();
    let report = compare::compare(&compare::Options {
        truth: options.truth.or_else(|| beside.is_file().then_some(beside)),
        lists: options.lists.or_else(|| {
            directory
                .join(Kind::Tls.list_file())
                .is_file()
                .then_some(directory)
        }),
        capture: options.file,
        weir: options.weir,
        runs: options.runs as usize,
        peers: if options.no_peers {
            Vec::new()
        } else {
            options.peers
        },
        scratch: options.scratch.unwrap_or_else(std::env::temp_dir),
    })?;
    if let Some(path) = &options.out {
        fs::write(path, report.text())?;
    }
    let mut out = io::stdout();
    out.write_all(report.text().as_bytes())?;
    for missed in report.missed() {
        writeln!(out, "missed: {missed}")?;
    }
    Ok(report.missed().is_empty() || !options.strict)
}

/// True unless `--strict` is set and a bar was missed.
fn measure_store(options: &StoreOptions) -> io::Result<bool> {
    if options.dir.exists() {
        return Err(io::Error::other(format!(
            "{}: exists; give a new folder",
            options.dir.display()
        )));
    }
    let settings = store::flows::Settings {
        seed: options.seed,
        flows: options.flows,
        seconds: options.seconds,
    };
    let outcome = store::run(settings, &options.dir)?;
    let mut out = io::stdout();
    out.write_all(outcome.text().as_bytes())?;
    for missed in outcome.missed() {
        writeln!(out, "missed: {missed}")?;
    }
    Ok(outcome.missed().is_empty() || !options.strict)
}

/// True unless `--strict` is set and a bar was missed.
fn measure_search(options: &SearchOptions) -> io::Result<bool> {
    let peers = !options.no_peers && options.only.is_none();
    let python = peers.then_some(options.python.as_path());
    let outcome = search::run(&options.dir, options.only.as_deref(), python)?;
    let mut out = io::stdout();
    out.write_all(outcome.text().as_bytes())?;
    for missed in outcome.missed() {
        writeln!(out, "missed: {missed}")?;
    }
    Ok(outcome.missed().is_empty() || !options.strict)
}

/// True unless `--strict` is set and a bar was missed.
fn measure_collecting(options: CollectOptions) -> io::Result<bool> {
    let live = collect::live::Options {
        weir: options.weir,
        peers: if options.no_peers {
            Vec::new()
        } else {
            options.peers
        },
        rate: options.rate,
        seconds: options.seconds,
        scratch: options.scratch.unwrap_or_else(std::env::temp_dir),
    };
    let outcome = collect::run((!options.inside).then_some(&live), options.hostile)?;
    let mut out = io::stdout();
    out.write_all(outcome.text().as_bytes())?;
    for missed in outcome.missed() {
        writeln!(out, "missed: {missed}")?;
    }
    Ok(outcome.missed().is_empty() || !options.strict)
}

/// True unless `--strict` is set and a bar was missed.
fn measure_serving(options: ServeOptions) -> io::Result<bool> {
    let outcome = serve::run(&serve::Options {
        weir: options.weir,
        cache: options.cache,
        flows: options.flows,
        events: options.events,
        rate: options.rate,
        seconds: options.seconds,
        users: options.users as usize,
        seed: options.seed,
    })?;
    let mut out = io::stdout();
    out.write_all(outcome.text().as_bytes())?;
    for missed in outcome.missed() {
        writeln!(out, "missed: {missed}")?;
    }
    Ok(outcome.missed().is_empty() || !options.strict)
}

/// Every method in a process of its own, in the order of the manual.
fn measure_each_method(options: &DetectOptions) -> io::Result<()> {
    write!(io::stdout(), "{}", detect::COSTS)?;
    for code in detect::codes() {
        let status = process::Command::new(std::env::current_exe()?)
            .args(["detect", "--method", code])
            .args(["--hosts", &options.hosts.to_string()])
            .args(["--flows", &options.flows.to_string()])
            .args(["--seconds", &options.seconds.to_string()])
            .args(["--seed", &options.seed.to_string()])
            .status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{code} ended with {status}")));
        }
    }
    Ok(())
}

/// True unless `--strict` is set and a bar was missed. The flood's memory says nothing about hosts: it runs second.
fn measure_detection(options: &DetectOptions) -> io::Result<bool> {
    let ordinary = detect::traffic::Settings {
        seed: options.seed,
        hosts: options.hosts,
        flows: options.flows,
        forged: 0,
        seconds: options.seconds,
    };
    if let Some(code) = &options.method {
        writeln!(io::stdout(), "{}", detect::alone(ordinary, code)?)?;
        return Ok(true);
    }
    if options.each {
        measure_each_method(options)?;
        return Ok(true);
    }
    let flood = detect::traffic::Settings {
        forged: options.forged,
        ..ordinary
    };
    let runs = if options.forged > 0 {
        vec![ordinary, flood]
    } else {
        vec![ordinary]
    };
    let (mut out, mut met) = (io::stdout(), true);
    for settings in runs {
        let outcome = detect::run(settings)?;
        writeln!(out, "{}", outcome.text())?;
        for missed in outcome.missed() {
            met = false;
            writeln!(out, "missed: {missed}")?;
        }
    }
    Ok(met || !options.strict)
}
