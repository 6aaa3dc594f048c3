//! `weir feeds`: the lists of indicators that are fetched: how old each is, what went wrong, fetching one now.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use weir_model::Quantity;

use crate::config::{Config, did_you_mean};
use crate::fetch::{Fetched, Remote, State, now_s};

pub(super) const EXAMPLES: &str = "\
In the configuration:
  [[indicators]]
  name = \"drop\"
  url = \"https://lists.example/drop.json\"    # also via = \"misp\" or via = \"taxii\"
  interval_s = 21600

Examples:
  weir feeds list --config weir.toml           age, size and last error of each list
  weir feeds check --config weir.toml drop     fetches it beside the copy there is, and says what it holds
  weir feeds update --config weir.toml         fetches what is due; with names, those in any case";

/// See the file.
#[derive(Args)]
pub(super) struct FeedsArgs {
    #[command(subcommand)]
    verb: Verb,
    /// Configuration file with the lists.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Verb {
    /// Age, size, next fetch and last error of each list.
    List,
    /// Fetches lists now: those named, or all that are due.
    Update {
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Take a copy that has far fewer indicators than the one before.
        #[arg(long)]
        accept: bool,
    },
    /// Fetches lists into a temporary folder and says what they hold; what is in force stays.
    Check {
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}

/// Runs the command.
pub(super) fn run(args: &FeedsArgs) -> Result<ExitCode> {
    let Some(path) = &args.config else {
        bail!("which lists? give the configuration with --config FILE");
    };
    let config = Config::read(path)?;
    let (text, good) = match &args.verb {
        Verb::List => (list(&config), true),
        Verb::Update { names, accept } => update(&config, names, *accept)?,
        Verb::Check { names } => check(&config, names)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn list(config: &Config) -> String {
    let mut text = String::new();
    for remote in &config.remotes {
        let state = remote.state();
        let _ = writeln!(text, "{}", line(remote, &state));
    }
    // The others are read from files, and as old as these are.
    for line in &config.list_lines {
        let of = |remote: &Remote| {
            let behind = line
                .strip_prefix("list ")
                .and_then(|line| line.strip_prefix(&*remote.name));
            behind.is_some_and(|behind| behind.starts_with([':', ' ']))
        };
        let fetched = config.remotes.iter().any(of);
        if !fetched {
            let _ = writeln!(text, "{line}");
        }
    }
    if text.is_empty() {
        text.push_str("no list of indicators is configured\n");
    }
    text
}

fn line(remote: &Remote, state: &State) -> String {
    let now = now_s();
    let ago = |then: u64| match then {
        0 => "never".to_owned(),
        then => format!("{} ago", Quantity::Seconds(now.saturating_sub(then) as f64)),
    };
    let mut line = format!(
        "list {} (fetched): {} indicators, {}, confirmed {}, changed {}",
        remote.name,
        Quantity::Count(state.indicators),
        Quantity::Bytes(state.bytes),
        ago(state.fetched_s),
        ago(state.changed_s),
    );
    let wait = remote.due_s(state).saturating_sub(now);
    let next = match wait {
        0 => "due".to_owned(),
        wait => format!("next in {}", Quantity::Seconds(wait as f64)),
    };
    let _ = write!(line, ", {next}");
    if let Some(error) = &state.error {
        let _ = write!(
            line,
            "; failed {} times, {}: {error}",
            state.failures,
            ago(state.tried_s)
        );
    }
    line
}

/// The lists that are meant: those named, or all.
fn meant<'a>(config: &'a Config, names: &[String]) -> Result<Vec<&'a Remote>> {
    if names.is_empty() {
        return Ok(config.remotes.iter().collect());
    }
    let found = names.iter().map(|name| {
        let known = config.remotes.iter().find(|remote| remote.name == *name);
        known.ok_or_else(|| {
            let all: Vec<&'static str> = config
                .remotes
                .iter()
                .map(|one| &*one.name.clone().leak())
                .collect();
            anyhow::anyhow!("no list {name:?} is fetched{}", did_you_mean(name, all))
        })
    });
    found.collect()
}

fn update(config: &Config, names: &[String], accept: bool) -> Result<(String, bool)> {
    let mut text = String::new();
    let mut good = true;
    for remote in meant(config, names)? {
        if names.is_empty() && now_s() < remote.due_s(&remote.state()) {
            let _ = writeln!(text, "list {}: not due", remote.name);
            continue;
        }
        match remote.update(accept) {
            Ok(Fetched::Changed) => {
                let indicators = Quantity::Count(remote.state().indicators);
                let _ = writeln!(text, "list {}: {indicators} indicators fetched", remote.name);
            }
            Ok(Fetched::Same) => {
                let _ = writeln!(text, "list {}: unchanged", remote.name);
            }
            Err(error) => {
                good = false;
                let _ = writeln!(text, "list {}: {error}", remote.name);
            }
        }
    }
    if text.is_empty() {
        text.push_str("no list is fetched: give one a url in [[indicators]]\n");
    }
    Ok((text, good))
}

fn check(config: &Config, names: &[String]) -> Result<(String, bool)> {
    let mut text = String::new();
    let mut good = true;
    let folder = std::env::temp_dir().join(format!("weir-feeds-{}", std::process::id()));
    for remote in meant(config, names)? {
        let trial = Remote {
            folder: folder.join(&remote.name),
            ..remote.clone()
        };
        match trial.update(true) {
            Ok(_) => {
                let state = trial.state();
                let _ = writeln!(
                    text,
                    "list {}: {} indicators in {}; the copy in force has {}",
                    remote.name,
                    Quantity::Count(state.indicators),
                    Quantity::Bytes(state.bytes),
                    Quantity::Count(remote.state().indicators)
                );
            }
            Err(error) => {
                good = false;
                let _ = writeln!(text, "list {}: {error}", remote.name);
            }
        }
    }
    remove(&folder);
    Ok((text, good))
}

fn remove(folder: &Path) {
    // It lies where the system clears up by itself.
    let _ = std::fs::remove_dir_all(folder);
}
