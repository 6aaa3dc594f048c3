//! What is still to be done in the object store, in order: a part goes up, a part goes away. A deletion stands behind the
//! parts that were there before it, so that the object store has the merged part before it loses those merged into it.
//! Nothing of this need survive a crash: parts that wait are files, and a writer that opens the store finds what to delete.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use super::{ObjectDisk, State, site_of, waiting};
use crate::delivery::{Delivery, Pause};

/// What waits, and what was done since the store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Parts on this machine that are not in the object store, and their bytes.
    pub parts: u64,
    pub bytes: u64,
    /// Parts that went up, that were removed, and requests for either that failed.
    pub parts_put: u64,
    pub parts_deleted: u64,
    pub failures: u64,
    /// Parts whose file somebody took away before they went up.
    pub parts_lost: u64,
    /// Why the object store did not take the last one.
    pub trouble: Option<String>,
}

#[derive(Clone, Debug)]
enum Task {
    Put(String),
    Delete(String),
}

/// The tasks. Not longer than the parts of the store: one goes up, and goes away, as the store's own limits say.
#[derive(Default)]
pub(super) struct Queue {
    tasks: VecDeque<Task>,
    /// Sizes of parts that wait on this machine.
    here: BTreeMap<String, u64>,
    /// Parts that are to be deleted, and how often: one may come again under its name, and go again.
    deleted: BTreeMap<String, usize>,
    counters: Waiting,
    pause: Pause,
}

impl Queue {
    /// A part lies on this machine and is to go up.
    pub(super) fn put(&mut self, path: &str, bytes: u64) {
        self.counters.bytes += bytes;
        let before = self.here.insert(path.to_owned(), bytes);
        self.counters.bytes -= before.unwrap_or(0);
        self.tasks.push_back(Task::Put(path.to_owned()));
    }

    /// A part is not wanted any more; its file on this machine is gone. It may be in the object store all the same: sent
    /// by an earlier run, or just now.
    pub(super) fn delete(&mut self, path: &str) {
        self.forget(path);
        *self.deleted.entry(path.to_owned()).or_default() += 1;
        self.tasks.push_back(Task::Delete(path.to_owned()));
    }

    pub(super) fn is_deleted(&self, path: &str) -> bool {
        self.deleted.contains_key(path)
    }

    pub(super) fn waiting(&self) -> Waiting {
        Waiting {
            parts: self.here.len() as u64,
            ..self.counters.clone()
        }
    }

    /// The part does not wait any more; false when it did not.
    fn forget(&mut self, path: &str) -> bool {
        let bytes = self.here.remove(path);
        self.counters.bytes -= bytes.unwrap_or(0);
        bytes.is_some()
    }

    /// One of the part's deletions was done.
    fn undelete(&mut self, path: &str) {
        if let Some(times) = self.deleted.get_mut(path) {
            *times -= 1;
            if *times == 0 {
                self.deleted.remove(path);
            }
        }
    }

    fn failed(&mut self, error: &io::Error) -> Delivery {
        self.counters.failures += 1;
        self.counters.trouble = Some(error.to_string());
        self.pause.failed()
    }
}

impl ObjectDisk {
    /// What waits to go up.
    pub fn waiting(&self) -> Waiting {
        self.state().queue.waiting()
    }

    /// Does the oldest task. For a thread of its own: this is where an object store that is slow is waited for.
    pub fn step(&self) -> Delivery {
        let task = self.state().queue.tasks.front().cloned();
        let done = match &task {
            None => return Delivery::Idle,
            Some(Task::Put(path)) => self.put(path),
            Some(Task::Delete(path)) => self.objects.delete(path),
        };
        let mut state = self.state();
        let state = &mut *state;
        if let Err(error) = done {
            return state.queue.failed(&error);
        }
        state.queue.tasks.pop_front();
        state.queue.pause = Pause::default();
        state.queue.counters.trouble = None;
        match task {
            Some(Task::Put(path)) => self.taken(state, &path),
            Some(Task::Delete(path)) => {
                state.queue.undelete(&path);
                state.queue.counters.parts_deleted += 1;
                if let Some(listed) = state.listed.get_mut(site_of(&path)) {
                    listed.remove(&path);
                }
            }
            None => {}
        }
        Delivery::Moved
    }

    /// Sends a part up; nothing when it went away meanwhile.
    fn put(&self, path: &str) -> io::Result<()> {
        let bytes = match self.local.open(&waiting(path)) {
            Ok(file) => file.read_all()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut state = self.state();
                if state.queue.forget(path) {
                    state.queue.counters.parts_lost += 1;
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let length = bytes.len() as u64;
        match self.objects.put_new(path, bytes) {
            // The answer to an earlier try was lost: rows and checksum are in the name, so it is the same part.
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && self.objects.size(path)? == length =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// The object store has a part: the file is not needed any more.
    fn taken(&self, state: &mut State, path: &str) {
        // It may have gone meanwhile, and even have come again: then it goes up again behind its deletion.
        let Some(bytes) = state.queue.here.get(path).copied() else {
            return;
        };
        if state.queue.is_deleted(path) {
            return;
        }
        if let Some(listed) = state.listed.get_mut(site_of(path)) {
            listed.insert(path.to_owned(), bytes);
        }
        state.queue.forget(path);
        state.queue.counters.parts_put += 1;
        // A file that stays is sent again by the next run, and found to be there.
        let _ = self.local.remove(&waiting(path));
    }
}
