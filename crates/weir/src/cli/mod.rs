//! The command line: what people type, and the exit code.
//! It only turns words into a job and a job's end into words; the work is done in `pipeline`.

mod again;
mod collect;
mod config;
mod events;
mod exporters;
mod feeds;
mod flows;
mod hunt;
mod ipfix;
mod learn;
mod manual;
mod pattern;
mod profiles;
mod read;
mod remote;
mod serve;

pub use manual::page as manual_page;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

/// Watches a network from packets and raises few, explained events.
#[derive(Parser)]
#[command(name = "weir", version, about, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    read: ReadArgs,
}

const EXAMPLES: &str = "\
Examples:
  weir -r capture.pcap                       events as text, with a summary
  weir -r a.pcap.zst b.pcap.gz --output json events as NDJSON, one line each
  tcpdump -i eth0 -w - | weir -r -           from standard input
  weir -r nfcapd.20261122* conn.log.gz       flow records that other programs wrote
  weir -r capture.pcap --flows csv           flow records instead of events
  weir -r capture.pcap --flows ipfix=out.ipfix
                                             an IPFIX file for other programs, or for weir -r
  weir -r capture.pcap --flows csv --filter 'dst port 445 and bytes > 1M'
  weir -r capture.pcap --transactions json   DNS queries, TLS handshakes, log-ins ...
  weir -r capture.pcap --events DIR          events into a database as well
  weir events --store DIR --since 24h        what is in it
  weir collect --listen netflow              events from exporters, live
  weir -r capture.pcap --store flows/        keep flow records and transactions as well
  weir flows --store DIR -s srcip/bytes      who sent and received most (weir flows --help)
  weir profiles --store DIR                  counted views: traffic over years, by channel
  weir serve                                 all of it in one process, with the web interface
  weir config dump --effective               every value in force and the file it comes from
  weir demo                                  a replayed incident in the browser
  weir hunt --store DIR bad.example          was a name, address or list seen before it was known?
  weir learn --from DIR --learned DIR        teach methods from history
  weir pattern test 'where ...' --store DIR  what a pattern of your own would have said
  weir events --remote https://weir.example:8844 --token-file token
                                             the same of a weir serve elsewhere
  weir methods                               what Weir looks for
  weir methods DICTATTACK                    the manual page of one method";

#[derive(Subcommand)]
enum Command {
    /// Receives NetFlow, IPFIX and sFlow and prints events as they close, until SIGINT or SIGTERM.
    Collect(collect::CollectArgs),
    /// Checks the configuration, and shows what is in force and where it comes from.
    Config(config::ConfigArgs),
    /// Tells a running `weir serve` to read its configuration again.
    Ctl(config::CtlArgs),
    /// Lists stored events, shows one with its history, and does what people do with them.
    Events(Box<events::EventsArgs>),
    /// Runs everything in one process: sources, detection, stores, the web interface and its API.
    Serve(serve::ServeArgs),
    /// Replays a capture into a temporary store and shows it in the browser.
    Demo(serve::DemoArgs),
    /// What each exporter sends, how well, and what the methods can see of it.
    Exporters(exporters::ExportersArgs),
    /// Searches the flow store, or a capture, with nfdump's habits.
    #[command(after_help = flows::EXAMPLES)]
    Flows(Box<flows::FlowsArgs>),
    /// Lists of indicators that are fetched over the network: their age and errors; fetching and checking them.
    #[command(after_help = feeds::EXAMPLES)]
    Feeds(feeds::FeedsArgs),
    /// Looks for indicators in what a store holds: for those that came later than the traffic.
    #[command(after_help = hunt::EXAMPLES)]
    Hunt(hunt::HuntArgs),
    /// Teaches methods from history what is normal, without raising events; or shows what they have learned.
    #[command(after_help = learn::EXAMPLES)]
    Learn(learn::LearnArgs),
    /// Checks patterns of behaviour, and tries them out on stored flows or captures before they are switched on.
    #[command(after_help = pattern::EXAMPLES)]
    Pattern(pattern::PatternArgs),
    /// Views over filters, counted while records are stored and kept for years: what there are, and their numbers over time.
    #[command(after_help = profiles::EXAMPLES)]
    Profiles(profiles::ProfilesArgs),
    /// Lists the detection methods, or prints the manual page of one.
    Methods {
        /// Code of a method, for example DICTATTACK.
        code: Option<String>,
    },
}

/// Reading captures.
#[derive(Args)]
struct ReadArgs {
    /// Capture files (pcap or pcapng) or files of flow records (IPFIX, nfdump, flow-tools, Zeek conn.log, Suricata EVE, Argus,
    /// flow logs of AWS, Azure and GCP), plain, gzip or zstd, told by content and read in this order; "-" is standard input.
    #[arg(short = 'r', long = "read", value_name = "FILE", num_args = 1..)]
    files: Vec<PathBuf>,
    /// How events are printed.
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    output: Output,
    /// Print flow records instead of events: json, csv, or ipfix=FILE to write an IPFIX file (RFC 5655, biflows as in RFC 5103).
    #[arg(long, value_name = "FORM", value_parser = FlowForm::parse, conflicts_with_all = ["transactions", "output"])]
    flows: Option<FlowForm>,
    /// Print dissected exchanges (DNS queries, TLS handshakes, log-ins ...) instead of events.
    #[arg(long, value_enum, value_name = "FORM", conflicts_with = "output")]
    transactions: Option<TransactionForm>,
    /// Print only records that fit this filter, for example 'dst port 445 and bytes > 1M' (with --flows or --transactions).
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Keep flow records and transactions in this folder too (made when it does not exist), as Parquet files that
    /// DuckDB, Spark, Polars or ClickHouse read as they are; events in its database events.db, unless --events names
    /// another. Or elsewhere: s3://BUCKET/PREFIX (docs/guide/object-stores.md),
    /// clickhouse://USER@HOST/DATABASE (docs/guide/clickhouse.md).
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Print every update of an event, not only its last state (with --output json).
    #[arg(long)]
    follow_updates: bool,
    /// Store events as well: a folder (SQLite, made when missing) or a postgres:// URL, which `weir events` reads, or a
    /// mongodb:// URL (docs/guide/event-database.md).
    #[arg(long, value_name = "DIR|URL", conflicts_with_all = ["flows", "transactions", "no_detect"])]
    events: Option<String>,
    /// Take up what methods learned in earlier runs from this folder, and keep there what they learn now. For captures
    /// in the order of time.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["flows", "transactions", "no_detect"])]
    learned: Option<PathBuf>,
    /// Configuration file (TOML); unknown keys are errors.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A network that is inside, for example 10.0.0.0/8; may be given several times. Guessed from traffic when absent.
    #[arg(long, value_name = "CIDR", value_parser = crate::config::network)]
    inside: Vec<IpNet>,
    /// Detection workers (1 to 16). Events do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    shards: Option<u8>,
    /// Flow records only: no application protocols.
    #[arg(long)]
    no_dissect: bool,
    /// Do not look for events.
    #[arg(long)]
    no_detect: bool,
    /// Only results: no progress bar, no summary.
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// More with each event: rule, limits, query, technique; and which methods are blind.
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Coloured text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// How flow records are written.
#[derive(Clone, PartialEq, Eq)]
enum FlowForm {
    Json,
    Csv,
    /// To this file.
    Ipfix(PathBuf),
}

impl FlowForm {
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "json" => Ok(Self::Json),
            None if text == "csv" => Ok(Self::Csv),
            Some(("ipfix", file)) if !file.is_empty() => Ok(Self::Ipfix(file.into())),
            _ => Err("possible are json, csv and ipfix=FILE".into()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TransactionForm {
    Json,
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Demo(args)) => serve::demo(args),
        Some(Command::Collect(args)) => collect::run(args),
        Some(Command::Config(args)) => config::run(args),
        Some(Command::Ctl(args)) => config::ctl(args),
        Some(Command::Events(args)) => events::run(*args),
        Some(Command::Exporters(args)) => exporters::run(args),
        Some(Command::Flows(args)) => flows::run(&args),
        Some(Command::Feeds(args)) => feeds::run(&args),
        Some(Command::Hunt(args)) => hunt::run(&args),
        Some(Command::Learn(args)) => learn::run(&args),
        Some(Command::Pattern(args)) => pattern::run(args),
        Some(Command::Profiles(args)) => profiles::run(&args),
        Some(Command::Methods { code }) => manual::methods(code.as_deref()),
        None if cli.read.files.is_empty() => {
            eprint_line("weir: nothing to do: give a capture with -r FILE, or see --help");
            return ExitCode::from(2);
        }
        None if cli.read.filter.is_some() && cli.read.flows.is_none() && cli.read.transactions.is_none() => {
            eprint_line("weir: --filter selects records: give --flows or --transactions with it");
            return ExitCode::from(2);
        }
        None => read::run(cli.read),
    };
    match done {
        Ok(code) => code,
        Err(error) if closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprint_line(&format!("weir: {error:#}"));
            if error.is::<crate::config::ConfigError>()
                || error.is::<weir_query::QueryError>()
                || flows::is_usage(&error)
            {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// `weir ... | head` ends quietly, as every filter does.
fn closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The one way to standard error.
#[expect(clippy::print_stderr, reason = "this is the command line's voice")]
fn eprint_line(line: &str) {
    eprintln!("{line}");
}
