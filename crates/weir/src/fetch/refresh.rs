//! Keeps lists fresh beside a running line: one thread looks which are due to be fetched and whether the operator's own
//! files changed, and puts a new snapshot where the line takes it up. Methods, cells and everything else go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use weir_enrich::Slot;
use weir_enrich::indicator::Snapshot;

use super::{Fetched, Remote, now_s};
use crate::config::{Config, ListsAgain, Seen};

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(5);
/// How soon a stop is noticed.
const NAP: Duration = Duration::from_millis(100);

/// The thread.
pub(crate) struct Refresher {
    thread: JoinHandle<()>,
}

impl Refresher {
    /// Begins; `None` when there is no list. `say` gets a line for people for everything that happens; `changed` gets
    /// what the lists hold that they did not hold before.
    pub(crate) fn start(
        config: &Config,
        stop: Arc<AtomicBool>,
        say: impl Fn(&str) + Send + 'static,
        changed: impl Fn(Arc<Snapshot>) + Send + 'static,
    ) -> Result<Option<Self>> {
        let lists = config.lists_again();
        let seen = lists.seen();
        if config.remotes.is_empty() && seen == Seen::default() {
            return Ok(None);
        }
        let mut keeper = Keeper {
            remotes: config.remotes.clone(),
            lists,
            slot: config.indicators.clone(),
            read: seen.clone(),
            seen,
            stop,
            say,
            changed,
        };
        let thread = thread::Builder::new().name("lists".to_owned()).spawn(move || {
            while !keeper.stopped() {
                keeper.look();
                keeper.nap();
            }
        })?;
        Ok(Some(Self { thread }))
    }

    /// Waits for its end, after the stop. A fetch under way may take its time-out: it is left to itself.
    pub(crate) fn end(self) {
        for _ in 0..20 {
            if self.thread.is_finished() {
                return;
            }
            thread::sleep(NAP);
        }
    }
}

/// What the thread owns.
struct Keeper<S, C> {
    remotes: Vec<Remote>,
    lists: ListsAgain,
    slot: Arc<Slot>,
    /// The operator's files when they were read, and when they were last looked at.
    read: Seen,
    seen: Seen,
    stop: Arc<AtomicBool>,
    say: S,
    changed: C,
}

impl<S: Fn(&str), C: Fn(Arc<Snapshot>)> Keeper<S, C> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Fetches what is due, and reads everything again when something changed.
    fn look(&mut self) {
        let fetched = self.fetch();
        let edited = self.edited();
        if !fetched && !edited {
            return;
        }
        match self.lists.read() {
            Ok(read) => {
                if edited {
                    (self.say)(&format!("lists read again: {} indicators", read.len()));
                }
                let before = self.slot.lists();
                self.slot.put(Some(read));
                match self.lists.read_beyond(before) {
                    Ok(new) if !new.is_empty() => (self.changed)(new),
                    Ok(_) => {}
                    Err(error) => (self.say)(&format!("lists: {error}")),
                }
            }
            Err(error) => (self.say)(&format!("lists: {error}; those before stay in force")),
        }
    }

    /// Fetches the lists that are due; true when one changed.
    fn fetch(&self) -> bool {
        let mut any = false;
        for remote in &self.remotes {
            if self.stopped() {
                return false;
            }
            if now_s() < remote.due_s(&remote.state()) {
                continue;
            }
            match remote.update(false) {
                Ok(Fetched::Changed) => {
                    any = true;
                    let indicators = remote.state().indicators;
                    (self.say)(&format!("list {}: {indicators} indicators fetched", remote.name));
                }
                Ok(Fetched::Same) => {}
                Err(error) => (self.say)(&format!("list {}: {error}", remote.name)),
            }
        }
        any
    }

    /// Did the operator's files change, and stay so since the look before? Half-written ones go on changing.
    fn edited(&mut self) -> bool {
        let now = self.lists.seen();
        let still = now == self.seen;
        self.seen = now;
        let edited = still && self.seen != self.read;
        if edited {
            self.read = self.seen.clone();
        }
        edited
    }

    fn nap(&self) {
        let mut slept = Duration::ZERO;
        while slept < LOOK && !self.stopped() {
            thread::sleep(NAP);
            slept += NAP;
        }
    }
}
