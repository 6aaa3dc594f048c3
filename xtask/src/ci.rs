//! `cargo xtask ci`: the checks in order of cost, each shown with its time, stopping at the first that fails.
//! CI runs this and nothing else, so that what passes here passes there.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Instant, SystemTime};

use anyhow::{Result, bail};

use crate::{docs, licences, say, tidy};

pub(crate) fn run(root: &Path) -> Result<()> {
    let cargo = |arguments: &'static str| move |root: &Path| cargo(root, arguments);
    step(root, "tidy", tidy::run)?;
    step(root, "fmt", cargo("fmt --all --check"))?;
    step(
        root,
        "clippy",
        cargo("clippy --workspace --all-targets --locked --quiet -- -D warnings"),
    )?;
    step(root, "licences", licences::run)?;
    step(root, "reference", |root| docs::run(root, true))?;
    step(root, "web", web)?;
    step(root, "test", tests)?;
    step(root, "browser", browser)
}

fn step(root: &Path, name: &str, run: impl Fn(&Path) -> Result<()>) -> Result<()> {
    say(&format!("== {name}"));
    let started = Instant::now();
    run(root)?;
    say(&format!(
        "== {name} done in {:.0} s",
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// The interface in a browser, on the program that the tests built for themselves. The tests themselves say whether a browser is
/// there, and insist on one in CI.
fn browser(root: &Path) -> Result<()> {
    let folder = root.join("web");
    if run_in(&folder, "node", "node-is-new.mjs").is_err() {
        say("browser skipped: as the interface itself");
        return Ok(());
    }
    run_in(&folder, "npm", "run --silent e2e")
}

/// The interface: types as the API has them, types and rules of the language, unit tests, build.
fn web(root: &Path) -> Result<()> {
    let folder = root.join("web");
    if run_in(&folder, "node", "node-is-new.mjs").is_err() {
        let missing = "Node 20.19 or newer with npm is missing";
        if std::env::var_os("CI").is_some() {
            bail!(missing);
        }
        say(&format!("web skipped: {missing}"));
        return Ok(());
    }
    let built = folder.join("dist/index.html");
    let before = fs::read(&built).unwrap_or_default();
    for arguments in [
        "ci --no-audit --no-fund --silent",
        "run --silent check",
        "test --silent",
        "run --silent build",
    ] {
        run_in(&folder, "npm", arguments)?;
    }
    // Cargo does not see that there is an interface now where there was none: the file that takes it in is newer.
    if fs::read(&built)? != before {
        let taker = root.join("crates/api/src/ui.rs");
        fs::File::options()
            .append(true)
            .open(taker)?
            .set_modified(SystemTime::now())?;
    }
    Ok(())
}

/// nextest where it is installed (it isolates tests in processes), cargo's own runner otherwise.
fn tests(root: &Path) -> Result<()> {
    let nextest = Command::new("cargo")
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|done| done.status.success());
    cargo(
        root,
        if nextest {
            "nextest run --workspace --locked --no-fail-fast"
        } else {
            "test --workspace --locked"
        },
    )
}

fn cargo(root: &Path, arguments: &str) -> Result<()> {
    run_in(root, "cargo", arguments)
}

fn run_in(folder: &Path, program: &str, arguments: &str) -> Result<()> {
    let status = Command::new(program)
        .args(arguments.split(' '))
        .current_dir(folder)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        bail!("{program} {arguments} failed")
    }
}
