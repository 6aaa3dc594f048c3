//! The project's own commands. `cargo xtask ci` is exactly what CI runs; the others are its parts, and `new`.

mod ci;
mod docs;
mod licences;
mod new;
mod proof;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Project commands of Weir.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything CI checks: formatting, lints, layout, licences, tests, generated reference.
    Ci,
    /// Writes docs/reference from the code.
    Docs {
        /// Change nothing; fail when a page differs.
        #[arg(long)]
        check: bool,
    },
    /// Checks the layout of the tree: imports between crates, file sizes, file heads, leftovers.
    Tidy,
    /// Checks the licences of all dependencies.
    Licences,
    /// Writes the skeleton of a plug-in.
    New {
        #[command(subcommand)]
        kind: Kind,
    },
}

#[derive(Subcommand)]
enum Kind {
    /// A detection method: `cargo xtask new method brute dictattack DICTATTACK`.
    Method {
        family: String,
        slug: String,
        code: String,
    },
}

fn main() -> ExitCode {
    let root = root();
    let done = match Cli::parse().command {
        Command::Ci => ci::run(&root),
        Command::Docs { check } => docs::run(&root, check),
        Command::Tidy => tidy::run(&root),
        Command::Licences => licences::run(&root),
        Command::New {
            kind: Kind::Method { family, slug, code },
        } => new::method(&root, &family, &slug, &code),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The workspace root: this package's parent.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// The one way to standard error.
#[expect(clippy::print_stderr, reason = "a command talks to its user")]
fn say(line: &str) {
    eprintln!("{line}");
}
