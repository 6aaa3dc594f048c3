//! Keeps fetched lists fresh beside a running line: one thread looks which are due, and puts a new snapshot where the
//! line takes it up. Methods, cells and everything else go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use weir_enrich::indicator::Snapshot;

use super::{Fetched, now_s};
use crate::config::Config;

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(5);
/// How soon a stop is noticed.
const NAP: Duration = Duration::from_millis(100);

/// The thread.
pub(crate) struct Refresher {
    thread: JoinHandle<()>,
}

impl Refresher {
    /// Begins; `None` when nothing is fetched. `say` gets a line for people for everything that happens; `changed` gets
    /// what the lists hold that they did not hold before.
    pub(crate) fn start(
        config: &Config,
        stop: Arc<AtomicBool>,
        say: impl Fn(&str) + Send + 'static,
        changed: impl Fn(Arc<Snapshot>) + Send + 'static,
    ) -> Result<Option<Self>> {
        if config.remotes.is_empty() {
            return Ok(None);
        }
        let (remotes, lists, slot) = (
            config.remotes.clone(),
            config.lists_again(),
            config.indicators.clone(),
        );
        let thread = thread::Builder::new().name("lists".to_owned()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let mut any = false;
                for remote in &remotes {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if now_s() < remote.due_s(&remote.state()) {
                        continue;
                    }
                    match remote.update(false) {
                        Ok(Fetched::Changed) => {
                            any = true;
                            let state = remote.state();
                            say(&format!(
                                "list {}: {} indicators fetched",
                                remote.name, state.indicators
                            ));
                        }
                        Ok(Fetched::Same) => {}
                        Err(error) => say(&format!("list {}: {error}", remote.name)),
                    }
                }
                if any {
                    match lists.read() {
                        Ok(read) => {
                            let before = slot.lists();
                            slot.put(Some(read));
                            match lists.read_beyond(before) {
                                Ok(new) if !new.is_empty() => changed(new),
                                Ok(_) => {}
                                Err(error) => say(&format!("lists: {error}")),
                            }
                        }
                        Err(error) => say(&format!("lists: {error}")),
                    }
                }
                let mut slept = Duration::ZERO;
                while slept < LOOK && !stop.load(Ordering::Relaxed) {
                    thread::sleep(NAP);
                    slept += NAP;
                }
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
