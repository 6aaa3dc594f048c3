//! `weir learn`: teaches methods from history what is normal, so that they need not wait for weeks of live traffic; and
//! shows how far what they learned reaches.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use ipnet::IpNet;
use weir_detect::Shard;
use weir_model::{Batch, Networks, Quantity, Time};
use weir_store::learned::Learned;
use weir_triage::Change;

use super::again::PastArgs;
use super::eprint_line;
use crate::config::{Config, Purpose};
use crate::pipeline::Consumer;
use crate::replay::HAVE;
use crate::shutdown;

pub(super) const EXAMPLES: &str = "\
Examples:
  weir learn --learned DIR --from STORE                    a store that weir -r, weir collect or weir serve filled
  weir learn --learned DIR --from week1.pcap week2.pcap    captures, in the order of time
  weir learn --learned DIR --from conn.log.gz              Zeek's log; nfcapd.2026* and the like work as well
  weir learn --learned DIR --status                        what is known, and how far it reaches
Afterwards: weir -r, weir collect or weir serve with --learned DIR take it up.";

/// See the file.
#[derive(Args)]
pub(super) struct LearnArgs {
    /// Folder of what methods learn, made when it is missing; what is there already is built on.
    #[arg(long, value_name = "DIR")]
    learned: PathBuf,
    /// The store or the files to learn from.
    #[arg(long, value_name = "STORE|FILE", num_args = 1.., required_unless_present = "status")]
    from: Vec<PathBuf>,
    /// Only what begins in this window of the store (UTC): 'last 30 days', 'since 2026-11-01' ...
    #[arg(short = 't', long, value_name = "WINDOW")]
    time: Option<String>,
    /// Site of the store.
    #[arg(long, value_name = "NAME", default_value = "default")]
    site: String,
    /// Show what has been learned, and learn nothing unless --from is given too.
    #[arg(long)]
    status: bool,
    /// Configuration file: the instances that will use it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A network that is inside, for example 10.0.0.0/8; may be given several times.
    #[arg(long, value_name = "CIDR", value_parser = crate::config::network)]
    inside: Vec<IpNet>,
}

/// Runs the command.
pub(super) fn run(args: &LearnArgs) -> Result<ExitCode> {
    if !args.from.is_empty() {
        learn(args)?;
    }
    io::stdout().write_all(status(args)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration, for the methods that learn.
fn config(args: &LearnArgs) -> Result<Config> {
    let mut config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if !args.inside.is_empty() {
        config.inside = Some(Networks::new(args.inside.iter().copied()));
    }
    config.purpose = Purpose::Teach;
    Ok(config)
}

fn learn(args: &LearnArgs) -> Result<()> {
    let mut config = config(args)?;
    config.learned = Some(args.learned.clone());
    let stop = shutdown::flag()?;
    let store = match args.from.as_slice() {
        [one] if one.is_dir() => Some(one.clone()),
        files => {
            if let Some(folder) = files.iter().find(|path| path.is_dir()) {
                bail!("{} is a folder: a store is given alone", folder.display());
            }
            ensure!(
                args.time.is_none(),
                "--time is for stores: files are learned from as a whole"
            );
            None
        }
    };
    let past = PastArgs {
        read: if store.is_some() {
            Vec::new()
        } else {
            args.from.clone()
        },
        store,
        time: args.time.clone(),
        site: args.site.clone(),
    };
    let (Silent, told) = past.pass(config, Silent, Some(&stop))?;
    eprint_line(&format!("weir: learned from {}", told.line));
    Ok(())
}

/// Nobody is told: what was odd in the past is not raised.
struct Silent;

impl Consumer for Silent {
    fn batch(&mut self, _: &Batch) -> io::Result<()> {
        Ok(())
    }

    fn change(&mut self, _: Change) -> io::Result<()> {
        Ok(())
    }
}

/// What has been learned, a line each instance that would take it up.
fn status(args: &LearnArgs) -> Result<String> {
    let folder = &args.learned;
    ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    let at = || format!("the folder of learned state {}", folder.display());
    let config = config(args)?;
    let instances = config.instances_for(HAVE, true)?;
    let mut shard = Shard::new(0, 1, &instances);
    for (path, read) in Learned::open(folder).with_context(at)?.read().with_context(at)? {
        let taken = read.map_err(|error| error.to_string());
        let taken = taken.and_then(|text| shard.restore(&text).map_err(|error| error.to_string()));
        match taken {
            Ok(restored) if restored.refused > 0 => eprint_line(&format!(
                "weir: {}: {} of its entries cannot be read",
                path.display(),
                restored.refused
            )),
            Ok(_) => {}
            Err(why) => eprint_line(&format!("weir: {}: {why}", path.display())),
        }
    }
    let mut text = String::new();
    for progress in shard.progress().iter().filter(|progress| progress.entities > 0) {
        let (learned, needed) = progress.learned;
        let share = match needed {
            0 => "-".to_owned(),
            needed => format!("{} %", learned * 100 / needed),
        };
        let _ = writeln!(
            text,
            "{:<12} {:<14} {:>9} {:>9} {share:>8}  {}",
            progress.method,
            progress.instance,
            Quantity::Count(progress.entities).to_string(),
            Quantity::Count(progress.ready).to_string(),
            minute(progress.now),
        );
    }
    if text.is_empty() {
        return Ok(format!("nothing has been learned in {}\n", folder.display()));
    }
    let heading = format!(
        "{:<12} {:<14} {:>9} {:>9} {:>8}  {}\n",
        "method", "instance", "entities", "ready", "learned", "known until (UTC)"
    );
    Ok(heading + &text)
}

fn minute(at: Time) -> String {
    let text = at.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}
