//! A disk that forgets what was not synced, in the ways machines do: bytes written since the last sync are kept,
//! dropped or torn at sectors; names made, changed or removed since the folder's last sync are kept or dropped one by
//! one, in any order. Calls fail on demand, and the room on it can be limited.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::disk::{Append, Disk, Entry, Source};

const SECTOR: usize = 512;

/// A small generator (SplitMix64): a seed gives the same schedule for ever.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

#[derive(Clone, Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    synced: usize,
}

#[derive(Clone, Debug)]
enum Change {
    Link(String, usize),
    Unlink(String),
    Rename(String, String),
}

#[derive(Clone, Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    /// Changes of names since the folder's last sync.
    pending: Vec<(String, Change)>,
    calls: u64,
    fail_every: Option<u64>,
    fail_kind: Option<ErrorKind>,
    room: Option<usize>,
}

/// The disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultDisk(Arc<Mutex<State>>);

impl FaultDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Every so many calls one fails in this way; `None`: none does.
    pub(crate) fn fail_every(&self, calls: Option<u64>, kind: ErrorKind) {
        let mut state = self.state();
        (state.fail_every, state.fail_kind) = (calls, Some(kind));
    }

    /// Bytes that fit, all files together.
    pub(crate) fn limit(&self, bytes: Option<usize>) {
        self.state().room = bytes;
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Paths of the files.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// Changes the bytes of a file.
    pub(crate) fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let inode = state.names[path];
        change(&mut state.inodes[inode].bytes);
    }

    /// What is left when the machine loses its power now.
    pub(crate) fn crashed(&self, random: &mut Seeded) -> Self {
        let mut state = self.state().clone();
        let mut names = std::mem::take(&mut state.durable);
        for (_, change) in std::mem::take(&mut state.pending) {
            if random.below(2) == 0 {
                change.apply(&mut names);
            }
        }
        for inode in &mut state.inodes {
            let kept = inode.bytes.split_off(inode.synced.min(inode.bytes.len()));
            match random.below(3) {
                0 => {}
                1 => inode.bytes.extend(kept),
                _ => {
                    for sector in kept.chunks(SECTOR) {
                        match random.below(3) {
                            0 => inode.bytes.extend(sector.iter().map(|_| 0)),
                            1 => inode.bytes.extend(&sector[..sector.len() / 2]),
                            _ => inode.bytes.extend(sector),
                        }
                    }
                }
            }
            inode.synced = inode.bytes.len();
        }
        let (inodes, durable) = (state.inodes, names.clone());
        Self(Arc::new(Mutex::new(State {
            inodes,
            names,
            durable,
            ..State::default()
        })))
    }
}

impl Change {
    fn apply(self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(path, inode) => {
                names.insert(path, inode);
            }
            Self::Unlink(path) => {
                names.remove(&path);
            }
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(&from) {
                    names.insert(to, inode);
                }
            }
        }
    }
}

impl State {
    /// Counts a call that may fail.
    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        match (self.fail_every, self.fail_kind) {
            (Some(every), Some(kind)) if self.calls.is_multiple_of(every) => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn change(&mut self, path: &str, change: Change) {
        change.clone().apply(&mut self.names);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.pending.push((folder.to_owned(), change));
    }

    fn used(&self) -> usize {
        self.names
            .values()
            .map(|inode| self.inodes[*inode].bytes.len())
            .sum()
    }
}

struct FaultFile(FaultDisk, usize);

impl Append for FaultFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.state();
        let failure = state.call();
        let left = state
            .room
            .map_or(usize::MAX, |room| room.saturating_sub(state.used()));
        let taken = match failure {
            Err(_) => bytes.len() / 2,
            Ok(()) => bytes.len().min(left),
        };
        state.inodes[self.1].bytes.extend(&bytes[..taken]);
        failure?;
        if taken < bytes.len() {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.state();
        state.call()?;
        let inode = &mut state.inodes[self.1];
        inode.synced = inode.bytes.len();
        Ok(())
    }
}

impl Disk for FaultDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn Append>> {
        let mut state = self.state();
        state.call()?;
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.change(path, Change::Link(path.to_owned(), inode));
        Ok(Box::new(FaultFile(self.clone(), inode)))
    }

    fn open(&self, path: &str) -> io::Result<Source> {
        let mut state = self.state();
        state.call()?;
        let inode = *state.names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(Source::Memory(state.inodes[inode].bytes.clone().into()))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let mut state = self.state();
        state.call()?;
        let mut entries = BTreeMap::new();
        for (path, inode) in &state.names {
            let Some(rest) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else {
                continue;
            };
            let (name, below) = rest
                .split_once('/')
                .map_or((rest, false), |(name, _)| (name, true));
            entries.insert(
                name.to_owned(),
                Entry {
                    name: name.to_owned(),
                    folder: below,
                    bytes: state.inodes[*inode].bytes.len() as u64,
                },
            );
        }
        Ok(entries.into_values().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        if !state.names.contains_key(from) {
            return Err(ErrorKind::NotFound.into());
        }
        state.change(to, Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        if !state.names.contains_key(path) {
            return Err(ErrorKind::NotFound.into());
        }
        state.change(path, Change::Unlink(path.to_owned()));
        Ok(())
    }

    /// Folders are as durable as [`Disk`] asks.
    fn make_folder(&self, _: &str) -> io::Result<()> {
        self.state().call()
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        let pending = std::mem::take(&mut state.pending);
        for (of, change) in pending {
            if of == folder {
                change.apply(&mut state.durable);
            } else {
                state.pending.push((of, change));
            }
        }
        Ok(())
    }
}
