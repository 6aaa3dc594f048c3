//! An object store in memory, for tests: requests fail on demand, before or after they had their effect.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::Objects;

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    requests: u64,
    reads: u64,
    fail_every: Option<u64>,
}

/// The object store; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Every so many requests one fails, in turns before it has its effect and behind; with 1 nothing has any. `None`: none
    /// fails.
    pub(crate) fn fail_every(&self, requests: Option<u64>) {
        self.state().fail_every = requests;
    }

    /// Requests that read bytes so far.
    pub(crate) fn reads(&self) -> u64 {
        self.state().reads
    }

    /// Names and sizes.
    pub(crate) fn names(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    fn request<T>(&self, effect: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state();
        state.requests += 1;
        let every = state.fail_every.unwrap_or(u64::MAX);
        let fails = state.requests.is_multiple_of(every);
        if fails && (every == 1 || (state.requests / every).is_multiple_of(2)) {
            return Err(ErrorKind::TimedOut.into());
        }
        let outcome = effect(&mut state);
        if fails {
            Err(ErrorKind::TimedOut.into())
        } else {
            outcome
        }
    }
}

impl Objects for Memory {
    fn put_new(&self, name: &str, bytes: Bytes) -> io::Result<()> {
        self.request(|state| {
            if state.objects.contains_key(name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            state.objects.insert(name.to_owned(), bytes);
            Ok(())
        })
    }

    fn read(&self, name: &str, from: u64, length: usize) -> io::Result<Bytes> {
        self.request(|state| {
            state.reads += 1;
            let all = state.objects.get(name).ok_or(ErrorKind::NotFound)?;
            let end = (from as usize + length).min(all.len());
            Ok(all.slice(from as usize..end))
        })
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        self.request(|state| {
            let bytes = state.objects.get(name).ok_or(ErrorKind::NotFound)?;
            Ok(bytes.len() as u64)
        })
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let start = format!("{folder}/");
        self.request(|state| {
            let below = state.objects.iter().filter(|(name, _)| name.starts_with(&start));
            Ok(below
                .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
                .collect())
        })
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.request(|state| {
            state.objects.remove(name);
            Ok(())
        })
    }
}
