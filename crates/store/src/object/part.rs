//! A part in the object store, read by ranges through the cache.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::Objects;
use super::cache::Cache;
use crate::disk::Ranged;

/// Blocks that a reader who goes on from block to block gets in one request, at most: 4 MiB.
const AHEAD_MAX: u64 = 16;

/// A part.
#[derive(Debug)]
pub(super) struct RemotePart {
    name: String,
    size: u64,
    objects: Arc<dyn Objects>,
    cache: Arc<Mutex<Cache>>,
    /// Block behind the last request, and blocks of that request: who reads on gets twice as many.
    next: AtomicU64,
    ahead: AtomicU64,
    /// The object store said that it is not there any more.
    gone: AtomicBool,
}

impl RemotePart {
    /// Opens it and reads its end, where Parquet begins.
    pub(super) fn open(
        name: &str,
        size: u64,
        objects: &Arc<dyn Objects>,
        cache: &Arc<Mutex<Cache>>,
    ) -> io::Result<Self> {
        let part = Self {
            name: name.to_owned(),
            size,
            objects: objects.clone(),
            cache: cache.clone(),
            next: AtomicU64::new(u64::MAX),
            ahead: AtomicU64::new(1),
            gone: AtomicBool::new(false),
        };
        if size > 0 {
            part.range(size - 1, 1)?;
        }
        Ok(part)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks from the first that lacks; `wanted` of them, or more for a reader who goes on.
    fn fetch(&self, first: u64, wanted: u64) -> io::Result<Vec<Bytes>> {
        let all = Cache::blocks(0, self.size).end;
        let ahead = if self.next.load(Ordering::Relaxed) == first {
            (self.ahead.load(Ordering::Relaxed) * 2).min(AHEAD_MAX)
        } else {
            1
        };
        let many = wanted.max(ahead).min(all - first);
        self.next.store(first + many, Ordering::Relaxed);
        self.ahead.store(ahead, Ordering::Relaxed);
        let start = Cache::start(first);
        let stop = Cache::start(first + many).min(self.size);
        let bytes = self.objects.read(&self.name, start, (stop - start) as usize);
        let bytes = bytes.inspect_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                self.gone.store(true, Ordering::Relaxed);
            }
        })?;
        if bytes.len() as u64 != stop - start {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let blocks: Vec<Bytes> = (0..many as usize).map(|at| Cache::cut(&bytes, at)).collect();
        let mut cache = self.cache();
        for (block, own) in (first..).zip(&blocks) {
            cache.put(&self.name, block, own.clone());
        }
        Ok(blocks)
    }
}

impl Ranged for RemotePart {
    fn size(&self) -> u64 {
        self.size
    }

    fn range(&self, from: u64, length: usize) -> io::Result<Bytes> {
        let end = from
            .checked_add(length as u64)
            .filter(|end| *end <= self.size)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let blocks = Cache::blocks(from, end);
        let cached = |block| self.cache().get(&self.name, block);
        let mut found: Vec<Option<Bytes>> = blocks.clone().map(cached).collect();
        // What lacks is read in as few requests as its gaps allow.
        let mut at = 0;
        while at < found.len() {
            let gap = found[at..].iter().take_while(|block| block.is_none()).count();
            if gap > 0 {
                let fetched = self.fetch(blocks.start + at as u64, gap as u64)?;
                for (place, own) in found[at..at + gap].iter_mut().zip(fetched) {
                    *place = Some(own);
                }
            }
            at += gap.max(1);
        }
        let mut skip = (from - Cache::start(blocks.start)) as usize;
        if let [Some(only)] = &found[..] {
            return Ok(only.slice(skip..skip + length));
        }
        let mut whole = Vec::with_capacity(length);
        for block in found.into_iter().flatten() {
            let take = (block.len() - skip).min(length - whole.len());
            whole.extend_from_slice(&block[skip..skip + take]);
            skip = 0;
        }
        Ok(whole.into())
    }

    fn gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}
