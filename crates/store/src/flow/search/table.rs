//! The hash table of groups: keys of one to eight words and the words of their figures lie side by side, so that a row
//! costs one look into the slots and one into its group. Slots carry half of the hash and spare the look at groups that
//! only share a slot. Runs of equal keys, which sorted parts are full of, cost a comparison.

use std::hash::{BuildHasher, RandomState};

use super::SearchError;
use super::control::Control;

/// Most words of a key: five-tuple and the moment take six.
pub(super) const KEY_WORDS_MAX: usize = 8;
const SLOTS_MIN: usize = 1 << 10;
/// Keys looked up together, so that the memory answers for all of them at once instead of for one after another.
const TOGETHER: usize = 64;
const FIX: &str =
    "narrow the filter or the time, group by fewer columns or shorter prefixes, or raise the memory limit";

/// Groups and their words.
pub(super) struct Table {
    words: usize,
    stride: usize,
    /// What the words of a new group hold.
    fresh: Vec<u64>,
    rows: Vec<u64>,
    /// Number of the group plus one in the low half, hash in the high half; zero: free.
    slots: Vec<u64>,
    groups: usize,
    seeds: [u64; 2],
    bytes: usize,
}

impl Table {
    /// A table for keys of `words` words and groups that begin with `fresh`.
    pub(super) fn new(words: usize, fresh: Vec<u64>) -> Self {
        let random = RandomState::new();
        Self {
            words,
            stride: words + fresh.len(),
            fresh,
            rows: Vec::new(),
            slots: Vec::new(),
            groups: 0,
            seeds: [random.hash_one(0_u8) | 1, random.hash_one(1_u8)],
            bytes: 0,
        }
    }

    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    pub(super) fn key(&self, group: usize) -> &[u64] {
        &self.rows[group * self.stride..][..self.words]
    }

    pub(super) fn figures(&self, group: usize) -> &[u64] {
        &self.rows[group * self.stride + self.words..][..self.fresh.len()]
    }

    pub(super) fn figures_mut(&mut self, group: usize) -> &mut [u64] {
        &mut self.rows[group * self.stride + self.words..][..self.fresh.len()]
    }

    /// The word at `offset` of all groups: `words[group * stride]`.
    pub(super) fn column_mut(&mut self, offset: usize) -> (&mut [u64], usize) {
        let start = (self.words + offset).min(self.rows.len());
        (&mut self.rows[start..], self.stride)
    }

    /// Bytes charged for it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The group of each key, new ones made; `groups` is overwritten.
    pub(super) fn find_all(
        &mut self,
        keys: &[u64],
        groups: &mut Vec<u32>,
        control: &Control,
    ) -> Result<(), SearchError> {
        groups.clear();
        match self.words {
            1 => self.find_each::<1>(keys, groups, control),
            2 => self.find_each::<2>(keys, groups, control),
            3 => self.find_each::<3>(keys, groups, control),
            4 => self.find_each::<4>(keys, groups, control),
            5 => self.find_each::<5>(keys, groups, control),
            6 => self.find_each::<6>(keys, groups, control),
            7 => self.find_each::<7>(keys, groups, control),
            _ => self.find_each::<KEY_WORDS_MAX>(keys, groups, control),
        }
    }

    fn find_each<const W: usize>(
        &mut self,
        keys: &[u64],
        groups: &mut Vec<u32>,
        control: &Control,
    ) -> Result<(), SearchError> {
        let mut last: Option<(&[u64; W], u32)> = None;
        let (mut hashes, mut seen) = ([0; TOGETHER], [0; TOGETHER]);
        for keys in keys.as_chunks::<W>().0.chunks(TOGETHER) {
            while (self.groups + keys.len()) * 4 >= self.slots.len() * 3 {
                self.grow_slots(control)?;
            }
            let mask = self.slots.len() - 1;
            for (hash, key) in hashes.iter_mut().zip(keys) {
                *hash = self.hash(key);
            }
            for (slot, hash) in seen.iter_mut().zip(&hashes[..keys.len()]) {
                *slot = self.slots[*hash as usize & mask];
            }
            for ((key, hash), slot) in keys.iter().zip(&hashes).zip(&seen) {
                let group = match last {
                    Some((known, group)) if known == key => group,
                    _ if *slot != 0 && slot >> 32 == hash >> 32 && self.has(*slot, key) => *slot as u32 - 1,
                    _ => self.find::<W>(key, *hash, control)?,
                };
                last = Some((key, group));
                groups.push(group);
            }
        }
        Ok(())
    }

    /// Has the group of a slot this key?
    fn has<const W: usize>(&self, slot: u64, key: &[u64; W]) -> bool {
        let start = (slot as u32 - 1) as usize * self.stride;
        self.rows[start..start + W] == *key
    }

    /// The group of a key; there is a free slot.
    fn find<const W: usize>(
        &mut self,
        key: &[u64; W],
        hash: u64,
        control: &Control,
    ) -> Result<u32, SearchError> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return self.insert(key, hash, at, control);
            }
            if slot >> 32 == hash >> 32 && self.has(slot, key) {
                return Ok(slot as u32 - 1);
            }
            at = (at + 1) & mask;
        }
    }

    /// The group of a key, without making one.
    pub(super) fn get(&self, key: &[u64]) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let hash = self.hash(key);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            let group = (slot as u32).wrapping_sub(1);
            if slot >> 32 == hash >> 32 && self.key(group as usize) == key {
                return Some(group);
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, key: &[u64], hash: u64, at: usize, control: &Control) -> Result<u32, SearchError> {
        let number = u32::try_from(self.groups + 1).map_err(|_| SearchError::TooManyGroups)?;
        if self.rows.len() + self.stride > self.rows.capacity() {
            let more = (self.rows.capacity() / 2).max(64 * self.stride);
            self.charge(more * size_of::<u64>(), control)?;
            self.rows.reserve_exact(more);
        }
        self.rows.extend_from_slice(key);
        self.rows.extend_from_slice(&self.fresh);
        self.slots[at] = hash >> 32 << 32 | u64::from(number);
        self.groups += 1;
        Ok(number - 1)
    }

    fn grow_slots(&mut self, control: &Control) -> Result<(), SearchError> {
        let size = (self.slots.len() * 2).max(SLOTS_MIN);
        let (new, old) = (size * size_of::<u64>(), self.slots.len() * size_of::<u64>());
        self.charge(new, control)?;
        let mask = size - 1;
        let mut slots = vec![0_u64; size];
        for group in 0..self.groups {
            let hash = self.hash(self.key(group));
            let mut at = hash as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = hash >> 32 << 32 | (group as u64 + 1);
        }
        self.slots = slots;
        control.give_back(old);
        self.bytes -= old;
        Ok(())
    }

    fn charge(&mut self, bytes: usize, control: &Control) -> Result<(), SearchError> {
        control.take(bytes, FIX)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Folded multiplication with seeds of this run: whoever sends packets cannot choose keys that meet in one slot.
    fn hash(&self, key: &[u64]) -> u64 {
        let [first, second] = self.seeds;
        let mut hash = second;
        for word in key {
            let product = u128::from(word ^ hash) * u128::from(first ^ hash.rotate_left(32) | 1);
            hash = (product >> 64) as u64 ^ product as u64;
        }
        let product = u128::from(hash ^ first) * u128::from(second | 1);
        (product >> 64) as u64 ^ product as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_made() {
        let control = Control::default();
        let mut table = Table::new(2, vec![7, 0]);
        let keys: Vec<u64> = (0..20_000_u64).flat_map(|n| [n % 5_000, n % 3]).collect();
        let (mut first, mut again) = (Vec::new(), Vec::new());
        table.find_all(&keys, &mut first, &control).unwrap();
        table.find_all(&keys, &mut again, &control).unwrap();
        assert_eq!(first, again);
        assert_eq!(table.groups(), 15_000);
        for (key, group) in keys.as_chunks::<2>().0.iter().zip(&first) {
            assert_eq!(table.key(*group as usize), key);
            assert_eq!(table.get(key), Some(*group));
            assert_eq!(table.figures(*group as usize), [7, 0]);
        }
        assert_eq!(table.get(&[5_000, 0]), None);
        assert_eq!(control.memory(), table.bytes());
    }

    #[test]
    fn refuses_beyond_its_budget() {
        let control = Control::new(1, 1 << 20);
        let mut table = Table::new(1, vec![0; 4]);
        let keys: Vec<u64> = (0..100_000).collect();
        let refused = table.find_all(&keys, &mut Vec::new(), &control).unwrap_err();
        assert!(matches!(
            refused,
            SearchError::Budget {
                budget: 0x10_0000,
                ..
            }
        ));
        assert!(table.bytes() <= 1 << 20 && table.groups() > 5_000);
    }
}
