//! The watched folder: whatever capture file comes to lie there is read once, in the order of names. A ledger beside the
//! stores remembers what was begun, so that a restart reads nothing twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use weir_api::status::{SourceKind, SourceState};

use super::TICK;
use super::keeping::Keeping;
use super::site::SiteConfigured;
use super::status::Board;
use crate::config::Config;
use crate::pipeline::{self, Job};

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a file must not have been written to before it counts as whole, seconds.
const SETTLED_S: u64 = 2;
/// Files looked at; those beyond wait until others are taken away.
const FILES_MAX: usize = 10_000;

/// What to look after.
pub(super) struct Watched {
    pub(super) folder: PathBuf,
    pub(super) ledger: PathBuf,
    pub(super) config: Arc<SiteConfigured>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) board: Arc<Board>,
    pub(super) say: fn(&str),
}

/// Files that were begun, by name: bytes and time of the last write.
type Ledger = BTreeMap<String, (u64, u64)>;

impl Watched {
    /// Reads what comes, until the stop. `keeping` makes the consumer for a file.
    pub(super) fn run(&self, keeping: impl Fn(&str) -> Keeping) -> Result<()> {
        let mut ledger = read(&self.ledger)?;
        while !self.stop.load(Ordering::Relaxed) {
            let present = self.present()?;
            let known = ledger.len();
            ledger.retain(|name, _| present.contains_key(name));
            let mut changed = ledger.len() != known;
            for (name, mark) in present {
                if self.stop.load(Ordering::Relaxed) {
                    break;
                }
                if ledger.get(&name) == Some(&mark) || !settled(mark.1) {
                    continue;
                }
                ledger.insert(name.clone(), mark);
                // Before it is read: a file that ends the program is not read again and again.
                write(&self.ledger, &ledger)?;
                changed = false;
                self.file(&name, keeping(&name));
            }
            if changed {
                write(&self.ledger, &ledger)?;
            }
            let pauses = LOOK_EVERY.as_millis() / TICK.as_millis();
            for _ in 0..pauses {
                if !self.stop.load(Ordering::Relaxed) {
                    thread::sleep(TICK);
                }
            }
        }
        Ok(())
    }

    /// Plain files by name.
    fn present(&self) -> Result<BTreeMap<String, (u64, u64)>> {
        let failed = || format!("the watched folder {}", self.folder.display());
        let mut present = BTreeMap::new();
        for entry in fs::read_dir(&self.folder).with_context(failed)?.flatten() {
            let (Ok(name), Ok(meta)) = (entry.file_name().into_string(), entry.metadata()) else {
                continue;
            };
            if !meta.is_file() || name.starts_with('.') || meta.len() == 0 || present.len() >= FILES_MAX {
                continue;
            }
            let written = meta
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            present.insert(name, (meta.len(), written.map_or(0, |time| time.as_secs())));
        }
        Ok(present)
    }

    fn file(&self, name: &str, keeping: Keeping) {
        let path = self.folder.join(name);
        let done = self
            .config
            .config()
            .and_then(|config| replay(&path, config, &self.board, name, keeping));
        match done {
            Ok(()) => (self.say)(&format!("read {name}")),
            Err(error) => {
                let why = match self.stop.load(Ordering::Relaxed) {
                    true => "cut short by the stop; it is not read again by itself".to_owned(),
                    false => format!("{error:#}"),
                };
                (self.say)(&format!("{name}: {why}"));
                self.board.trouble(name, SourceKind::File, &why);
            }
        }
    }
}

/// Reads one file through the pipeline into the consumer.
pub(super) fn replay(path: &Path, config: Config, board: &Board, name: &str, keeping: Keeping) -> Result<()> {
    board.source(name, SourceKind::File, SourceState::Live);
    board.blind(&config.instances(config.inside.is_some())?);
    let bytes = fs::metadata(path)?.len();
    let job = Job {
        files: vec![path.to_owned()],
        config,
        detect: true,
        store: None,
    };
    let (keeping, summary) = pipeline::run(job, keeping, |_| {})?;
    keeping.finish();
    board.counted(name, SourceKind::File, summary.packets(), bytes);
    match summary.troubles.first() {
        Some(trouble) => {
            board.trouble(name, SourceKind::File, trouble);
            Ok(())
        }
        None => {
            board.ended(name, SourceState::Done);
            Ok(())
        }
    }
}

fn settled(written_s: u64) -> bool {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    // A time in the future never comes to rest: it is taken as it is.
    written_s > now || now - written_s >= SETTLED_S
}

fn read(path: &Path) -> Result<Ledger> {
    match fs::read(path) {
        Ok(text) => {
            serde_json::from_slice(&text).with_context(|| format!("{}: damaged; remove it", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ledger::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn write(path: &Path, ledger: &Ledger) -> Result<()> {
    let new = path.with_extension("json.new");
    fs::write(&new, serde_json::to_vec(ledger)?)?;
    Ok(fs::rename(&new, path)?)
}
