//! A store whose parts lie in an object store: `s3://BUCKET/PREFIX?endpoint=URL&region=NAME&local=DIR`. Log, pins and what
//! is being written stay in a folder of this machine. A finished part is durable there first and goes up behind
//! ([`ObjectDisk::step`]), so that an object store that is slow or away stops nobody; then it is read by ranges, through a
//! cache of bounded size.
//!
//! This is a [`Disk`]: writer, merging, retention and search know nothing of it. [`Objects`] is what is asked of the object
//! store, so that tests can let it fail; `bucket` is S3, `queue` what is still to be done there.

mod bucket;
mod cache;
#[cfg(test)]
pub(crate) mod memory;
mod part;
mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use bucket::{Bucket, ObjectPlace, ObjectPlaceError};
pub use queue::Waiting;

use crate::disk::{Append, Disk, Entry, LocalDisk, Source, replace};
use crate::flow::StoreError;
use cache::Cache;
use part::RemotePart;
use queue::Queue;

/// Bytes of parts kept in memory, all searches together.
const CACHE_BYTES: usize = 256 << 20;
/// Bytes of parts on this machine that wait to go up; with more the store counts as full.
const WAITING_BYTES_MAX: u64 = 8 << 30;
/// Folder of parts that are being written or wait to go up. Their names are paths with `~` in the place of `/`.
const WAITING: &str = "waiting";
/// The object, and the file, that says who writes.
const CLAIM: &str = "writer";

/// What is asked of an object store. Names have parts joined by `/`.
pub trait Objects: Send + Sync + std::fmt::Debug {
    /// Stores an object; `AlreadyExists` when there is one of that name.
    fn put_new(&self, name: &str, bytes: Bytes) -> io::Result<()>;
    /// Bytes of an object; `NotFound` when there is none.
    fn read(&self, name: &str, from: u64, length: usize) -> io::Result<Bytes>;
    /// Its size.
    fn size(&self, name: &str) -> io::Result<u64>;
    /// Names below a folder, at any depth, and sizes.
    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>>;
    /// Removes an object, if it is there.
    fn delete(&self, name: &str) -> io::Result<()>;
}

/// A disk with parts in an object store.
pub struct ObjectDisk {
    local: Arc<dyn Disk>,
    objects: Arc<dyn Objects>,
    cache: Arc<Mutex<Cache>>,
    state: Mutex<State>,
    waiting_bytes_max: u64,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// Sizes by name, of the folders (a table and site each) that were listed, as they were then; a writer keeps them true.
    listed: BTreeMap<String, BTreeMap<String, u64>>,
}

impl ObjectDisk {
    /// For reading: other processes may write. `folder` is of this machine and need not exist.
    pub fn reading(folder: &Path, objects: Arc<dyn Objects>) -> Self {
        Self::on(Arc::new(LocalDisk::reading(folder)), objects)
    }

    /// For writing: takes the folder, until the file returned is dropped, and the site in the object store for good. A second
    /// machine that wrote there would merge the first one's parts away.
    ///
    /// # Errors
    /// When another process or machine has it, the folder cannot be used, or the object store does not answer.
    pub fn writing(folder: &Path, objects: Arc<dyn Objects>, site: &str) -> Result<(Self, File), StoreError> {
        let local = LocalDisk::new(folder)?;
        let lock = local.lock()?.ok_or(StoreError::Busy)?;
        let disk = Self::on(Arc::new(local), objects);
        if !disk.claim(site)? {
            return Err(StoreError::Claimed(claim_name(site)));
        }
        disk.resume()?;
        Ok((disk, lock))
    }

    pub(crate) fn on(local: Arc<dyn Disk>, objects: Arc<dyn Objects>) -> Self {
        Self {
            local,
            objects,
            cache: Arc::new(Mutex::new(Cache::new(CACHE_BYTES))),
            state: Mutex::default(),
            waiting_bytes_max: WAITING_BYTES_MAX,
        }
    }

    /// Puts the folder's own name on the site, or finds it there.
    fn claim(&self, site: &str) -> io::Result<bool> {
        let own = self.own_name()?;
        let name = claim_name(site);
        match self.objects.put_new(&name, own.clone()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let length = self.objects.size(&name)?;
                Ok(length == own.len() as u64 && self.objects.read(&name, 0, own.len())? == own)
            }
            Err(error) => Err(error),
        }
    }

    /// The folder's name among those that write.
    fn own_name(&self) -> io::Result<Bytes> {
        match self.local.open(CLAIM) {
            Ok(file) => {
                // An earlier attempt may have failed before the name of the file was durable.
                self.local.sync_folder("")?;
                file.read_all()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let random = || getrandom::u64().map_err(io::Error::other);
                let name = format!("{:016x}{:016x}", random()?, random()?);
                replace(&*self.local, CLAIM, name.as_bytes())?;
                Ok(name.into())
            }
            Err(error) => Err(error),
        }
    }

    /// What an earlier run left waiting goes up in its order of names: hours, then segments.
    pub(crate) fn resume(&self) -> io::Result<()> {
        self.local.make_folder(WAITING)?;
        for entry in self.local.list(WAITING)? {
            let path = entry.name.replace('~', "/");
            if is_part(&path) {
                self.state().queue.put(&path, entry.bytes);
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Parts in the object store below a folder: of the site's last listing, unless the site itself is asked for.
    fn remote(&self, folder: &str) -> io::Result<BTreeMap<String, u64>> {
        let site = site_of(folder);
        // Objects of `a` and `a/b`, not those of `a-c`; `0` is the sign behind `/`.
        let below = |all: &BTreeMap<String, u64>| {
            let named = all.range(format!("{folder}/")..format!("{folder}0"));
            named.map(|(name, bytes)| (name.clone(), *bytes)).collect()
        };
        if folder != site
            && let Some(all) = self.state().listed.get(site)
        {
            return Ok(below(all));
        }
        let found: BTreeMap<String, u64> = self.objects.list(folder)?.into_iter().collect();
        if folder == site {
            self.state().listed.insert(site.to_owned(), found.clone());
        }
        Ok(found)
    }

    /// Size of a part that was listed; asked for otherwise.
    fn size(&self, path: &str) -> io::Result<u64> {
        let listed = |state: &State| state.listed.get(site_of(path))?.get(path).copied();
        let known = listed(&self.state());
        known.map_or_else(|| self.objects.size(path), Ok)
    }
}

/// Name of the object that says who writes a site.
fn claim_name(site: &str) -> String {
    format!("{CLAIM}-{site}")
}

/// Table and site of a path.
fn site_of(path: &str) -> &str {
    let ends = path.match_indices('/').nth(1).map_or(path.len(), |(at, _)| at);
    &path[..ends]
}

/// Does the path lie among parts, and not in the log or with other files of the folder?
fn is_remote(path: &str) -> bool {
    let below = path.split_once('/').map_or("", |(_, below)| below);
    below.starts_with("site=")
}

/// Is it a finished part?
fn is_part(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    is_remote(path) && name.ends_with(".parquet") && !name.starts_with("unfinished-")
}

/// Where a part that does not lie in the object store yet is on this machine.
fn waiting(path: &str) -> String {
    format!("{WAITING}/{}", path.replace('/', "~"))
}

impl Disk for ObjectDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn Append>> {
        if !is_remote(path) {
            return self.local.create(path);
        }
        if self.state().queue.waiting().bytes >= self.waiting_bytes_max {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.local.create(&waiting(path))
    }

    fn open(&self, path: &str) -> io::Result<Source> {
        if !is_remote(path) {
            return self.local.open(path);
        }
        match self.local.open(&waiting(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            here => return here,
        }
        let part = RemotePart::open(path, self.size(path)?, &self.objects, &self.cache)?;
        Ok(Source::Ranged(Arc::new(part)))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        if !is_remote(folder) {
            return self.local.list(folder);
        }
        // What waits is listed first: a part that goes up meanwhile is then seen twice, never not at all.
        let here = self.local.list(WAITING)?;
        let mut files = self.remote(folder)?;
        let state = self.state();
        files.retain(|path, _| !state.queue.is_deleted(path));
        drop(state);
        for entry in here {
            files.insert(entry.name.replace('~', "/"), entry.bytes);
        }
        let (mut folders, mut entries) = (BTreeSet::new(), Vec::new());
        for (path, bytes) in files {
            let below = path.strip_prefix(folder).and_then(|path| path.strip_prefix('/'));
            match below.map(|below| below.split_once('/').ok_or(below)) {
                Some(Ok((below, _))) => _ = folders.insert(below.to_owned()),
                Some(Err(name)) => entries.push(Entry {
                    name: name.to_owned(),
                    folder: false,
                    bytes,
                }),
                None => {}
            }
        }
        entries.extend(folders.into_iter().map(|name| Entry {
            name,
            folder: true,
            bytes: 0,
        }));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match (is_remote(from), is_remote(to)) {
            (false, false) => self.local.rename(from, to),
            (true, true) => {
                self.local.rename(&waiting(from), &waiting(to))?;
                let bytes = self.local.open(&waiting(to)).map(|file| file.bytes())?;
                self.state().queue.put(to, bytes);
                Ok(())
            }
            // Set aside: people look for it on this machine.
            _ => {
                let bytes = self.open(from)?.read_all()?;
                let mut file = self.local.create(to)?;
                file.append(&bytes)?;
                file.sync()?;
                self.remove(from)
            }
        }
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        if !is_remote(path) {
            return self.local.remove(path);
        }
        match self.local.remove(&waiting(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if is_part(path) {
            self.state().queue.delete(path);
        }
        Ok(())
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        self.local
            .make_folder(if is_remote(folder) { WAITING } else { folder })
    }

    /// Object stores do; a daily pass from here would fetch everything there is.
    fn guards_parts(&self) -> bool {
        true
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.local
            .sync_folder(if is_remote(folder) { WAITING } else { folder })
    }
}

#[cfg(test)]
mod tests;
