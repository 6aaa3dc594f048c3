//! `weir config` and `weir ctl`: is the configuration right, what is in force and why, and a running server told to read
//! it again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::collect;
use crate::config::{self, Layers, MANAGED};

const EXAMPLES: &str = "\
Examples:
  weir config check weir.toml                          is it right? Exit code 2 and the place when it is not
  weir config dump --config weir.toml                  what it sets, and what was changed in the web interface
  weir config dump --effective --config weir.toml      every value in force, with the file it comes from
  weir config schema > config.schema.json              JSON Schema, for editors
  weir ctl reload                                      a running `weir serve` reads its file again";

/// The configuration.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Checks a configuration file with everything it names.
    Check {
        /// The file (TOML).
        file: PathBuf,
    },
    /// Prints what is set, as TOML, each value with the file it comes from.
    Dump {
        /// Configuration file (TOML).
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Folder of stores, where changes made in the web interface are kept; the state folder when absent.
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
        /// Every value in force, defaults too.
        #[arg(long)]
        effective: bool,
    },
    /// Prints the JSON Schema of the configuration file.
    Schema,
}

/// A running server.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CtlArgs {
    #[command(subcommand)]
    command: CtlCommand,
}

#[derive(Subcommand)]
enum CtlCommand {
    /// Reads the configuration file again, as SIGHUP does, and says what became of it.
    Reload {
        /// Folder of stores of the server; the state folder when absent.
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
    },
}

/// Runs `weir config`.
pub(super) fn run(args: ConfigArgs) -> Result<ExitCode> {
    let text = match args.command {
        ConfigCommand::Check { file } => {
            let config = Layers::read(Some(&file), None)?.config()?;
            let lists = config.list_lines.iter().map(|line| format!("{line}\n"));
            format!("{}{} is right\n", lists.collect::<String>(), file.display())
        }
        ConfigCommand::Dump {
            config,
            store,
            effective,
        } => {
            let store = store.or_else(collect::default_directory);
            let managed = store.map(|store| store.join(MANAGED));
            let layers = Layers::read(config.as_deref(), managed.as_deref())?;
            layers.config()?;
            config::dump(&layers, effective)
        }
        ConfigCommand::Schema => config::schema(),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `weir ctl`.
pub(super) fn ctl(args: CtlArgs) -> Result<ExitCode> {
    let CtlCommand::Reload { store } = args.command;
    let Some(store) = store.or_else(collect::default_directory) else {
        bail!("give the server's folder with --store DIR");
    };
    let answer = ask(&store, "reload")?;
    if let Some(why) = answer["rejected"].as_str().or(answer["error"].as_str()) {
        bail!("refused, nothing changed: {why}");
    }
    let keys = |name: &str| {
        let keys = answer[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let keys: Vec<&str> = keys.iter().filter_map(|key| key.as_str()).collect();
        if keys.is_empty() {
            "nothing".to_owned()
        } else {
            keys.join(", ")
        }
    };
    let text = format!(
        "applied: {}\nneeds a restart: {}\n",
        keys("applied"),
        keys("needs_restart")
    );
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn ask(store: &Path, word: &str) -> Result<serde_json::Value> {
    let answer = crate::serve::ask(store, word).with_context(|| {
        format!(
            "no `weir serve` answers in {}; give its folder with --store DIR",
            store.display()
        )
    })?;
    Ok(serde_json::from_str(&answer)?)
}
