//! `weir hunt`: indicators of today in the traffic of yesterday. What is stored passes the look-up once more; what
//! matches is told as an event, marked as found afterwards.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use weir_enrich::Slot;
use weir_enrich::indicator::{Builder, Format, ListSpec};
use weir_model::Quantity;

use super::again::PastArgs;
use super::read::{Printer, What, filter};
use super::{Output, eprint_line};
use crate::config::{Config, Purpose};
use crate::hunting::Afterwards;
use crate::shutdown;

pub(super) const EXAMPLES: &str = "\
Examples:
  weir hunt --store DIR 198.51.100.7 bad.example      addresses, prefixes, names, URLs, fingerprints
  weir hunt --store DIR list.csv                      a list in any format that [[indicators]] reads
  weir hunt -r old.pcap list.txt --output json
  weir hunt --store DIR -t 'last 7 days' --config weir.toml --configured
                                                       every list of the configuration";

/// Bytes of a list.
const LIST_BYTES_MAX: u64 = 256 << 20;

/// See the file.
#[derive(Args)]
pub(super) struct HuntArgs {
    /// What to look for: addresses, prefixes, address:port, names, URLs, JA3, JA4, certificates; or files of them.
    #[arg(value_name = "INDICATOR|LIST", required_unless_present = "configured")]
    wanted: Vec<String>,
    #[command(flatten)]
    past: PastArgs,
    /// Look for the lists of the configuration too.
    #[arg(long, requires = "config")]
    configured: bool,
    /// How events are printed.
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    output: Output,
    /// Configuration file: inside networks, and what BLACKLIST ignores.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// More with each event.
    #[arg(short, long)]
    verbose: bool,
}

/// Runs the command.
pub(super) fn run(args: &HuntArgs) -> Result<ExitCode> {
    let mut config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if !args.configured {
        config.indicators = Arc::new(Slot::new(Some(Arc::new(snapshot(args)?))));
    }
    config.has_lists = true;
    config.purpose = Purpose::Hunt;
    let what = What::events(args.output, false, args.verbose);
    let printer = Afterwards(Printer::of(what, filter(None, true, &config.lists)?));
    let stop = shutdown::flag()?;
    let (Afterwards(mut printer), told) = args.past.pass(config, printer, Some(&stop))?;
    printer.finish()?;
    eprint_line(&format!("weir: {} found in {}", printer.events, told.line));
    Ok(ExitCode::SUCCESS)
}

/// The indicators of the command line.
fn snapshot(args: &HuntArgs) -> Result<weir_enrich::indicator::Snapshot> {
    let mut builder = Builder::new();
    let mut alone = Vec::new();
    for wanted in &args.wanted {
        let path = std::path::Path::new(wanted);
        if !path.is_file() {
            alone.push(wanted.as_str());
            continue;
        }
        if std::fs::metadata(path)?.len() > LIST_BYTES_MAX {
            bail!("{wanted} has more than {LIST_BYTES_MAX} bytes");
        }
        let bytes = std::fs::read(path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let report = builder.list(ListSpec::new(&name), Format::guess(&bytes), [bytes.as_slice()]);
        let taken = Quantity::Count(report.taken as u64);
        match report.faults.first() {
            Some(first) => eprint_line(&format!(
                "weir: {wanted}: {taken} indicators, {} not understood, first {first}",
                report.bad
            )),
            None => eprint_line(&format!("weir: {wanted}: {taken} indicators")),
        }
    }
    if !alone.is_empty() {
        // Who names a host of his own means it.
        let spec = ListSpec {
            inside: true,
            ..ListSpec::new("hunt")
        };
        let report = builder.list(spec, Format::Plain, [alone.join("\n").as_bytes()]);
        if let Some(fault) = report.faults.first() {
            bail!("neither a file nor an indicator: {fault}");
        }
    }
    let snapshot = builder.finish();
    if snapshot.is_empty() {
        bail!("there is nothing to look for in {}", args.wanted.join(", "));
    }
    Ok(snapshot)
}
