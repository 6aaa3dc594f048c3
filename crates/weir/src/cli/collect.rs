//! `weir collect`: listens for flow exports and prints events (or the flow records) while they come.
//! Results go to standard output alone; listeners, troubles and the books go to standard error.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use ipnet::IpNet;
use weir_model::Networks;
use weir_store::event::Place;

use super::read::{self, Printer, What, filter};
use super::{FlowForm, Output, eprint_line};
use crate::collect::{self, Job, Listen, TlsFiles};
use crate::config::Config;
use crate::events::StoreFirst;
use crate::fetch::Refresher;
use crate::{shutdown, storing};

const EXAMPLES: &str = "\
Every UDP listener tells NetFlow v1, v5, v7, v9, IPFIX and sFlow v5 apart by content, from IPv4 and IPv6 exporters.
TCP and TLS listeners take IPFIX.

Examples:
  weir collect --listen netflow --listen sflow          UDP ports 2055 and 6343
  weir collect --listen udp://:4739 --listen tcp://:4739 --allow 10.0.0.0/8
  weir collect --listen tls://:4740 --tls-cert weir.pem --tls-key weir.key --tls-clients exporters-ca.pem
  weir collect --listen udp://127.0.0.1:9995 --flows csv --filter 'dst port 445'
  weir collect --listen ipfix --store DIR               records and events to search with weir flows, weir events

weir exporters tells what each exporter sends and which methods can work with it.

Stop it with Ctrl-C or SIGTERM: what is still open is closed and printed, and the exit code is 0.";

/// Receiving flow exports.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CollectArgs {
    /// Where to listen: udp://ADDRESS:PORT, tcp://ADDRESS:PORT, tls://ADDRESS:PORT (no address: all), or netflow, ipfix,
    /// sflow, ipfix-tls for the usual ports. May be given several times.
    #[arg(short, long, value_name = "LISTENER", required = true)]
    listen: Vec<Listen>,
    /// Takes exports from this network only; may be given several times. Others are counted and leave no trace.
    #[arg(long, value_name = "CIDR", value_parser = crate::config::network)]
    allow: Vec<IpNet>,
    /// Sockets and threads for each UDP listener (1 to 16). The kernel gives each exporter one of them for good.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    receivers: u8,
    /// Seconds that records are held to be put in order and paired; less is faster, more is safer.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=300))]
    hold: u16,
    /// Certificate chain of the TLS listeners, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the TLS listeners, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities (PEM) that must have signed the certificates of exporters.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_clients: Option<PathBuf>,
    /// Where templates, sampling and statistics are kept over restarts [default: $STATE_DIRECTORY, else
    /// $XDG_STATE_HOME/weir, else ~/.local/state/weir].
    #[arg(long, value_name = "DIR", conflicts_with = "no_state")]
    state: Option<PathBuf>,
    /// Keeps nothing.
    #[arg(long)]
    no_state: bool,
    /// How events are printed.
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    output: Output,
    /// Print flow records instead of events: json, csv, or ipfix=FILE to write an IPFIX file.
    #[arg(long, value_name = "FORM", value_parser = FlowForm::parse, conflicts_with = "output")]
    flows: Option<FlowForm>,
    /// Print only records that fit this filter (with --flows).
    #[arg(long, value_name = "FILTER", requires = "flows")]
    filter: Option<String>,
    /// Print every update of an event, not only its last state (with --output json).
    #[arg(long)]
    follow_updates: bool,
    /// Keep flow records in this folder too (made when it does not exist), as Parquet files, or in ClickHouse by its URL;
    /// events in the folder's database events.db, unless --events names another. `weir flows` and `weir events` read them.
    #[arg(long, value_name = "DIR|URL")]
    store: Option<PathBuf>,
    /// Store events as well: a folder (SQLite, made when missing) or a postgres:// URL, which `weir events` reads, or a
    /// mongodb:// URL (docs/guide/event-database.md).
    #[arg(long, value_name = "DIR|URL", conflicts_with_all = ["flows", "no_detect"])]
    events: Option<String>,
    /// Take up what methods learned in earlier runs from this folder, and keep there what they learn now.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["flows", "no_detect"])]
    learned: Option<PathBuf>,
    /// Do not look for events.
    #[arg(long)]
    no_detect: bool,
    /// Correct the times of exporters whose clocks are 5 s or more off, by the difference when their messages arrive.
    /// Without this, differences are only shown (weir exporters).
    #[arg(long)]
    correct_clocks: bool,
    /// Configuration file (TOML); unknown keys are errors.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A network that is inside, for example 10.0.0.0/8; may be given several times. Guessed from traffic when absent.
    #[arg(long, value_name = "CIDR", value_parser = crate::config::network)]
    inside: Vec<IpNet>,
    /// Only results: no listeners, troubles and books.
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// More with each event, and which methods are blind.
    #[arg(short, long)]
    verbose: bool,
}

/// Runs the command.
pub(super) fn run(args: CollectArgs) -> Result<ExitCode> {
    let started = Instant::now();
    let config = configuration(&args)?;
    let filter = filter(args.filter.as_deref(), args.flows.is_some(), &config.lists)?;
    let what = match &args.flows {
        Some(form) => What::flows(form)?,
        None => What::events(args.output, args.follow_updates, args.verbose),
    };
    let printer = Printer::of(what, filter);
    let tls = args
        .tls_cert
        .zip(args.tls_key)
        .map(|(certificate, key)| TlsFiles {
            certificate,
            key,
            clients: args.tls_clients,
        });
    let detect = args.flows.is_none() && !args.no_detect;
    let store = args.store.as_deref();
    let store = store.map(|name| storing::open(name, &config)).transpose()?;
    let job = Job {
        config,
        listen: args.listen,
        receivers: args.receivers.into(),
        allowed: (!args.allow.is_empty()).then(|| Networks::new(args.allow)),
        tls,
        hold: Duration::from_secs(args.hold.into()),
        state: args
            .state
            .or_else(collect::default_directory)
            .filter(|_| !args.no_state),
        correct_clocks: args.correct_clocks,
        detect,
        store,
        stop: shutdown::flag()?,
    };
    let quiet = args.quiet;
    let refresher = Refresher::start(
        &job.config,
        job.stop.clone(),
        move |line| {
            if !quiet {
                eprint_line(&format!("weir: {line}"));
            }
        },
        |_| {},
    )?;
    let first = StoreFirst::open(
        place(args.events.as_deref(), args.store.as_deref(), detect)?,
        printer,
    )?;
    let (first, summary) = collect::run(job, first, |line| {
        if !quiet {
            eprint_line(&format!("weir: {line}"));
        }
    })?;
    if let Some(refresher) = refresher {
        refresher.end();
    }
    let (mut printer, stored) = first.finish()?;
    printer.finish()?;
    for line in summary.trouble_lines() {
        eprint_line(&format!("weir: {line}"));
    }
    read::tell(stored.as_ref());
    if !quiet {
        let took_s = started.elapsed().as_secs_f64();
        eprint_line(&summary.text(printer.events, took_s, args.verbose));
    }
    Ok(ExitCode::SUCCESS)
}

/// The file's configuration with what the command line says over it.
fn configuration(args: &CollectArgs) -> Result<Config> {
    let mut config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if !args.inside.is_empty() {
        config.inside = Some(Networks::new(args.inside.clone()));
    }
    config.learned.clone_from(&args.learned);
    Ok(config)
}

/// Where events go: where they are told to, else beside the flows when those are in a folder.
fn place(events: Option<&str>, store: Option<&Path>, detect: bool) -> Result<Option<Place>> {
    Ok(match (events, store) {
        (Some(events), _) => Some(super::events::place(events)?),
        (None, Some(folder)) if detect && !storing::is_url(folder) => Some(Place::Folder(folder.to_owned())),
        _ => None,
    })
}
