//! A partition's cells: a bounded table that forgets the longest silent cell first. One look-up per record, cells in a
//! slab linked by their last touch, so that expiry and eviction cost the same however full it is.

use ahash::RandomState;
use hashbrown::HashTable;
use weir_model::Time;

use crate::CellKey;
use crate::cell::Opens;
use crate::findings::Reported;

/// No slot.
const NONE: u32 = u32::MAX;

/// A cell in its table.
pub(crate) struct Cell<S> {
    pub(crate) key: CellKey,
    pub(crate) state: S,
    /// Watermark of the last record.
    pub(crate) touched: Time,
    /// When which submethod (index) was last reported, about whom.
    pub(crate) reported: Reported,
}

impl<S: Default> Cell<S> {
    fn new(key: CellKey, now: Time) -> Self {
        Self {
            key,
            state: S::default(),
            touched: now,
            reported: Reported::default(),
        }
    }
}

/// A cell that has left the table, and why.
pub(crate) enum Gone<S> {
    /// What came no longer belongs to what it told of.
    Broken(Cell<S>),
    /// The table was full and it had been silent the longest.
    Evicted(Cell<S>),
}

/// Cells by key and by last touch.
pub(crate) struct CellTable<S> {
    index: HashTable<u32>,
    hasher: RandomState,
    slots: Vec<Slot<S>>,
    free: Vec<u32>,
    /// Longest silent and latest touched.
    oldest: u32,
    latest: u32,
    cells_max: usize,
}

struct Slot<S> {
    /// Empty while the slot is free.
    cell: Option<Cell<S>>,
    older: u32,
    newer: u32,
}

impl<S: Default> CellTable<S> {
    /// An empty table for at most `cells_max` cells (at least one).
    pub(crate) fn new(cells_max: usize) -> Self {
        Self {
            index: HashTable::new(),
            hasher: RandomState::new(),
            slots: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            latest: NONE,
            cells_max: cells_max.clamp(1, NONE as usize),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The place of `key`'s cell and the cell that had to go for it: its broken predecessor (`breaks` says so of its state), or
    /// the longest silent one of a full table. A missing cell is made, unless the record opens nothing.
    pub(crate) fn touch(
        &mut self,
        key: CellKey,
        opens: Opens,
        now: Time,
        breaks: impl FnOnce(&S) -> bool,
    ) -> Option<(u32, Option<Gone<S>>)> {
        let hash = self.hasher.hash_one(key);
        let slots = &self.slots;
        let known = self.index.find(hash, |&at| slots[at as usize].is(&key)).copied();
        let Some(at) = known else {
            if opens == Opens::Nothing {
                return None;
            }
            let evicted = (self.len() >= self.cells_max).then(|| self.pop_oldest());
            let at = self.insert(hash, key, now);
            self.link_latest(at);
            return Some((at, evicted.flatten().map(Gone::Evicted)));
        };
        let slot = &mut self.slots[at as usize];
        let broken = slot.cell.as_ref().is_some_and(|cell| breaks(&cell.state));
        let gone = broken.then(|| slot.cell.replace(Cell::new(key, now))).flatten();
        // Between two ticks all touches are of one moment: moving the cell once is enough, and costs cold neighbours.
        if broken || slot.cell.as_ref().is_some_and(|cell| cell.touched < now) {
            self.unlink(at);
            self.link_latest(at);
            if let Some(cell) = self.cell(at) {
                cell.touched = now;
            }
        }
        Some((at, gone.map(Gone::Broken)))
    }

    /// The cell at a place [`Self::touch`] named; its place is good until the table is changed again.
    pub(crate) fn cell(&mut self, at: u32) -> Option<&mut Cell<S>> {
        self.slots.get_mut(at as usize)?.cell.as_mut()
    }

    /// Takes out the longest silent cell if it has been silent since before `limit`.
    pub(crate) fn pop_idle(&mut self, limit: Time) -> Option<Cell<S>> {
        let oldest = self.slots.get(self.oldest as usize)?.cell.as_ref()?;
        if oldest.touched < limit {
            self.pop_oldest()
        } else {
            None
        }
    }

    /// Takes out the longest silent cell.
    pub(crate) fn pop_oldest(&mut self) -> Option<Cell<S>> {
        let at = self.oldest;
        let key = self.slots.get(at as usize)?.cell.as_ref()?.key;
        self.unlink(at);
        if let Ok(entry) = self
            .index
            .find_entry(self.hasher.hash_one(key), |&known| known == at)
        {
            entry.remove();
        }
        self.free.push(at);
        self.slots[at as usize].cell.take()
    }

    /// Every cell, longest silent first, so that the order never depends on hashing.
    pub(crate) fn each(&mut self, mut visit: impl FnMut(&mut Cell<S>)) {
        let mut at = self.oldest;
        while let Some(slot) = self.slots.get_mut(at as usize) {
            at = slot.newer;
            slot.cell.iter_mut().for_each(&mut visit);
        }
    }

    /// Every cell, latest touched first, without changing it.
    pub(crate) fn latest_first(&self) -> impl Iterator<Item = &Cell<S>> {
        let mut at = self.latest;
        std::iter::from_fn(move || {
            let slot = self.slots.get(at as usize)?;
            at = slot.older;
            slot.cell.as_ref()
        })
    }

    /// Puts back a cell as the latest touched. False when it has a place already or there is none left.
    pub(crate) fn put(&mut self, cell: Cell<S>) -> bool {
        let key = cell.key;
        let hash = self.hasher.hash_one(key);
        let known = self.index.find(hash, |&at| self.slots[at as usize].is(&key));
        if known.is_some() || self.len() >= self.cells_max {
            return false;
        }
        let at = self.insert(hash, key, cell.touched);
        self.slots[at as usize].cell = Some(cell);
        self.link_latest(at);
        true
    }

    fn insert(&mut self, hash: u64, key: CellKey, now: Time) -> u32 {
        let slot = Slot {
            cell: Some(Cell::new(key, now)),
            older: NONE,
            newer: NONE,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, at, |&known| {
            slots[known as usize]
                .cell
                .as_ref()
                .map_or(0, |cell| hasher.hash_one(cell.key))
        });
        at
    }

    fn unlink(&mut self, at: u32) {
        let Slot { older, newer, .. } = self.slots[at as usize];
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.latest = older,
        }
    }

    fn link_latest(&mut self, at: u32) {
        let before = self.latest;
        let slot = &mut self.slots[at as usize];
        (slot.older, slot.newer) = (before, NONE);
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        self.latest = at;
    }
}

impl<S> Slot<S> {
    fn is(&self, key: &CellKey) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.key == *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn key(last: u8) -> CellKey {
        CellKey::host(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
    }

    fn touch(table: &mut CellTable<u32>, last: u8, second: i64) -> Option<CellKey> {
        let (at, gone) = table
            .touch(key(last), Opens::Cell, Time::from_secs(second), |state| {
                *state >= 3
            })
            .unwrap();
        table.cell(at).unwrap().state += 1;
        gone.map(|(Gone::Broken(cell) | Gone::Evicted(cell))| cell.key)
    }

    #[test]
    fn a_full_table_forgets_the_longest_silent() {
        let mut table = CellTable::<u32>::new(3);
        for (second, last) in [1, 2, 3, 1].into_iter().enumerate() {
            assert_eq!(touch(&mut table, last, second as i64), None);
        }
        assert_eq!(touch(&mut table, 4, 9), Some(key(2)));
        assert_eq!(touch(&mut table, 2, 9), Some(key(3)));
        assert_eq!((table.len(), table.slots.len()), (3, 3));
    }

    #[test]
    fn a_broken_cell_starts_anew() {
        let mut table = CellTable::<u32>::new(3);
        let gone: Vec<_> = (0..5).map(|second| touch(&mut table, 1, second)).collect();
        assert_eq!(gone, [None, None, None, Some(key(1)), None]);
        assert_eq!(table.pop_oldest().map(|cell| cell.state), Some(2));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn idle_cells_leave_in_order() {
        let mut table = CellTable::<u32>::new(8);
        for last in [1, 2, 3] {
            touch(&mut table, last, i64::from(last));
        }
        touch(&mut table, 1, 10);
        let mut order = Vec::new();
        table.each(|cell| order.push(cell.key));
        assert_eq!(order, [key(2), key(3), key(1)]);
        let gone: Vec<_> = std::iter::from_fn(|| table.pop_idle(Time::from_secs(5)))
            .map(|cell| cell.key)
            .collect();
        assert_eq!(gone, [key(2), key(3)]);
        assert_eq!(touch(&mut table, 1, 11), None);
    }

    /// Against a plain list: whatever is touched and taken, order and contents agree.
    #[test]
    fn agrees_with_a_list() {
        let mut table = CellTable::<u32>::new(16);
        let mut list: Vec<CellKey> = Vec::new();
        let mut seed = 7_u32;
        for second in 0..20_000 {
            let now = Time::from_secs(second);
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if seed >> 29 == 0 {
                let ours = table.pop_oldest().map(|cell| cell.key);
                assert_eq!(ours, (!list.is_empty()).then(|| list.remove(0)));
                continue;
            }
            let wanted = key((seed >> 24) as u8 % 40);
            let known = list.iter().position(|key| *key == wanted);
            let untouched = table.touch(wanted, Opens::Nothing, now, |_| false).is_none();
            assert_eq!(untouched, known.is_none());
            let (_, gone) = table.touch(wanted, Opens::Cell, now, |_| false).unwrap();
            let evicted = gone.is_some();
            assert_eq!(evicted, known.is_none() && list.len() == 16);
            if let Some(at) = known.or(evicted.then_some(0)) {
                list.remove(at);
            }
            list.push(wanted);
        }
        let mut order = Vec::new();
        table.each(|cell| order.push(cell.key));
        assert_eq!(order, list);
    }
}
