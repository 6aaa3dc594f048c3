//! Blocks of parts in memory, the least recently used gone first. Parts never change, so a block is never stale.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use bytes::Bytes;

/// Bytes of a block: a page or two, and few requests for a column.
const BLOCK: u64 = 256 << 10;

/// The cache.
#[derive(Debug)]
pub(super) struct Cache {
    bytes_max: usize,
    bytes: usize,
    blocks: HashMap<(String, u64), (Bytes, u64)>,
    /// Blocks by when they were used last.
    used: BTreeMap<u64, (String, u64)>,
    now: u64,
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            blocks: HashMap::new(),
            used: BTreeMap::new(),
            now: 0,
        }
    }

    /// Numbers of the blocks that hold these bytes.
    pub(super) fn blocks(from: u64, end: u64) -> Range<u64> {
        from / BLOCK..end.div_ceil(BLOCK).max(from / BLOCK)
    }

    /// Where a block begins.
    pub(super) fn start(block: u64) -> u64 {
        block * BLOCK
    }

    /// A block of bytes that begin with one: the last may be short.
    pub(super) fn cut(bytes: &Bytes, offset: usize) -> Bytes {
        let start = (offset * BLOCK as usize).min(bytes.len());
        let end = (start + BLOCK as usize).min(bytes.len());
        // A copy of its own: a slice would keep all the others in memory.
        Bytes::copy_from_slice(&bytes[start..end])
    }

    pub(super) fn get(&mut self, name: &str, block: u64) -> Option<Bytes> {
        let key = (name.to_owned(), block);
        let (bytes, last) = self.blocks.get_mut(&key)?;
        self.now += 1;
        self.used.remove(last);
        *last = self.now;
        self.used.insert(self.now, key);
        Some(bytes.clone())
    }

    pub(super) fn put(&mut self, name: &str, block: u64, bytes: Bytes) {
        if bytes.len() > self.bytes_max || self.get(name, block).is_some() {
            return;
        }
        while self.bytes + bytes.len() > self.bytes_max
            && let Some((_, oldest)) = self.used.pop_first()
            && let Some((gone, _)) = self.blocks.remove(&oldest)
        {
            self.bytes -= gone.len();
        }
        self.now += 1;
        self.bytes += bytes.len();
        let key = (name.to_owned(), block);
        self.used.insert(self.now, key.clone());
        self.blocks.insert(key, (bytes, self.now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_goes_first() {
        let mut cache = Cache::new(30);
        let block = Bytes::from_static(&[7; 10]);
        for at in 0..3 {
            cache.put("a", at, block.clone());
        }
        assert!(cache.get("a", 0).is_some());
        cache.put("b", 0, block.clone());
        assert!(cache.get("a", 1).is_none() && cache.get("a", 0).is_some() && cache.get("b", 0).is_some());
        cache.put("c", 0, Bytes::from_static(&[1; 31]));
        assert!(cache.get("c", 0).is_none() && cache.bytes == 30 && cache.used.len() == 3);
    }

    #[test]
    fn blocks_of_bytes() {
        assert_eq!(Cache::blocks(0, 0), 0..0);
        assert_eq!(Cache::blocks(1, BLOCK), 0..1);
        assert_eq!(Cache::blocks(BLOCK - 1, BLOCK + 1), 0..2);
        let bytes = Bytes::from(vec![0; BLOCK as usize + 5]);
        assert_eq!(
            (Cache::cut(&bytes, 0).len(), Cache::cut(&bytes, 1).len()),
            (BLOCK as usize, 5)
        );
    }
}
