//! A partition's cells: a bounded table that forgets the longest silent cell first. Cells lie in a slab and are listed by
//! the moment of a touch; a cell touched since is listed anew only when its moment comes up, so that a touch costs its
//! own cell and no neighbour's, however full the table is.

mod slots;

use std::collections::BTreeMap;

use hashbrown::HashTable;
use weir_model::Time;

use crate::CellKey;
use crate::cell::Opens;
use crate::findings::Reported;
use slots::Slots;

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

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
    slots: Slots<Slot<S>>,
    free: Vec<u32>,
    /// First slot of the list of each moment, in no order. A cell is in the list of its last touch or of an earlier one.
    moments: BTreeMap<Time, u32>,
    /// The same for the moment that was last added to, which is not among them.
    moment: (Time, u32),
    /// The moment that came up, and its cells, longest silent last. Every list is of a later one.
    ripe_at: Time,
    ripe: Vec<u32>,
    /// The moment touches are ranked in, and the next rank.
    ranked: (Time, u32),
    cells_max: usize,
}

struct Slot<S> {
    /// Empty while the slot is free.
    cell: Option<Cell<S>>,
    /// The next of the same list.
    next: u32,
    /// Rank of the last touch among all of its moment.
    rank: u32,
}

impl<S: Default> CellTable<S> {
    /// Memory of one cell with its place, without what it points at.
    pub(crate) const CELL_BYTES: usize = size_of::<Slot<S>>();

    /// An empty table for at most `cells_max` cells (at least one).
    pub(crate) fn new(cells_max: usize) -> Self {
        Self {
            index: HashTable::new(),
            slots: Slots::default(),
            free: Vec::new(),
            moments: BTreeMap::new(),
            moment: (Time::MIN, NONE),
            ripe_at: Time::MIN,
            ripe: Vec::new(),
            ranked: (Time::MIN, 0),
            cells_max: cells_max.clamp(1, NONE as usize),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The place of `key`'s cell, or [`NONE`]; good as a hint until the table is changed again.
    pub(crate) fn place(&self, hash: u64, key: &CellKey) -> u32 {
        let known = self.index.find(hash, |&at| self.is(at, key));
        known.copied().unwrap_or(NONE)
    }

    /// The place of `key`'s cell and the cell that had to go for it: its broken predecessor (`breaks` says so of its
    /// state), or the longest silent one of a full table. A missing cell is made, unless the record opens nothing.
    /// `hash` is the same for equal keys; `hint` a place the cell had. `now` never falls.
    pub(crate) fn touch(
        &mut self,
        (key, hash, hint): (CellKey, u64, u32),
        opens: Opens,
        now: Time,
        hasher: impl Fn(&CellKey) -> u64,
        breaks: impl FnOnce(&S) -> bool,
    ) -> Option<(u32, Option<Gone<S>>)> {
        let at = match self.is(hint, &key) {
            true => hint,
            false => self.place(hash, &key),
        };
        if at == NONE {
            if opens == Opens::Nothing {
                return None;
            }
            let evicted = (self.len() >= self.cells_max).then(|| self.pop_oldest(&hasher));
            let at = self.insert(hash, Cell::new(key, now), hasher);
            return Some((at, evicted.flatten().map(Gone::Evicted)));
        }
        let slot = &mut self.slots[at as usize];
        let cell = slot.cell.as_mut()?;
        let gone = breaks(&cell.state).then(|| std::mem::replace(cell, Cell::new(key, now)));
        if gone.is_some() || cell.touched < now {
            cell.touched = now;
            slot.rank = rank(&mut self.ranked, now);
        }
        Some((at, gone.map(Gone::Broken)))
    }

    /// The cell at a place [`Self::touch`] named; its place is good until the table is changed again.
    pub(crate) fn cell(&mut self, at: u32) -> Option<&mut Cell<S>> {
        self.slots.get_mut(at as usize)?.cell.as_mut()
    }

    /// Takes out the longest silent cell if it has been silent since before `limit`.
    pub(crate) fn pop_idle(&mut self, limit: Time, hasher: impl Fn(&CellKey) -> u64) -> Option<Cell<S>> {
        loop {
            let Some(at) = self.ripe.pop() else {
                self.ripen(limit)?;
                continue;
            };
            let slot = &mut self.slots[at as usize];
            let cell = slot.cell.as_ref()?;
            if cell.touched > self.ripe_at {
                let moment = cell.touched;
                self.list(moment, at);
            } else if cell.touched >= limit {
                self.ripe.push(at);
                return None;
            } else {
                let hash = hasher(&cell.key);
                if let Ok(entry) = self.index.find_entry(hash, |&known| known == at) {
                    entry.remove();
                }
                self.free.push(at);
                return slot.cell.take();
            }
        }
    }

    /// Takes out the longest silent cell.
    fn pop_oldest(&mut self, hasher: impl Fn(&CellKey) -> u64) -> Option<Cell<S>> {
        self.pop_idle(Time::MAX, hasher)
    }

    /// Makes the next moment ripe if it is before `limit`: lists its cells anew or puts them in order.
    fn ripen(&mut self, limit: Time) -> Option<()> {
        let first = self.moments.first_key_value().map(|(&moment, _)| moment);
        let (moment, mut at) = match first {
            Some(first) if first < self.moment.0 || self.moment.1 == NONE => {
                (first < limit).then(|| self.moments.pop_first()).flatten()?
            }
            _ if self.moment.1 != NONE && self.moment.0 < limit => {
                (self.moment.0, std::mem::replace(&mut self.moment.1, NONE))
            }
            _ => return None,
        };
        self.ripe_at = moment;
        while let Some(slot) = self.slots.get(at as usize) {
            let here = std::mem::replace(&mut at, slot.next);
            match slot.cell.as_ref().map(|cell| cell.touched) {
                Some(touched) if touched > moment => self.list(touched, here),
                _ => self.ripe.push(here),
            }
        }
        let slots = &self.slots;
        self.ripe
            .sort_unstable_by_key(|&at| std::cmp::Reverse((slots[at as usize].rank, at)));
        Some(())
    }

    /// Puts a slot on the list of a moment.
    fn list(&mut self, moment: Time, at: u32) {
        if moment > self.moment.0 {
            let (before, list) = std::mem::replace(&mut self.moment, (moment, NONE));
            if list != NONE {
                self.moments.insert(before, list);
            }
        }
        let list = match moment == self.moment.0 {
            true => &mut self.moment.1,
            false => self.moments.entry(moment).or_insert(NONE),
        };
        self.slots[at as usize].next = std::mem::replace(list, at);
    }

    /// Every cell, in the order they lie in; `visit` is given the cell's rank by silence, longest silent lowest.
    pub(crate) fn each(&mut self, mut visit: impl FnMut((Time, u32), &mut Cell<S>)) {
        for slot in self.slots.iter_mut() {
            if let Some(cell) = &mut slot.cell {
                visit((cell.touched, slot.rank), cell);
            }
        }
    }

    /// Every cell, latest touched first, without changing it.
    pub(crate) fn latest_first(&self) -> impl Iterator<Item = &Cell<S>> {
        let ranked = |slot: &Slot<S>| slot.cell.as_ref().map(|cell| (cell.touched, slot.rank));
        let mut order: Vec<_> = (0..self.slots.len())
            .filter_map(|at| Some((ranked(&self.slots[at])?, at)))
            .collect();
        order.sort_unstable();
        let latest_first = order.into_iter().rev();
        latest_first.filter_map(|(_, at)| self.slots[at].cell.as_ref())
    }

    /// Every cell, in no order.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &Cell<S>> {
        self.slots.iter().filter_map(|slot| slot.cell.as_ref())
    }

    /// Puts back a cell as the latest touched of its moment; before the first touch. False when it has a place already
    /// or there is none left.
    pub(crate) fn put(&mut self, cell: Cell<S>, hasher: impl Fn(&CellKey) -> u64) -> bool {
        let hash = hasher(&cell.key);
        if self.place(hash, &cell.key) != NONE || self.len() >= self.cells_max {
            return false;
        }
        self.insert(hash, cell, hasher);
        true
    }

    fn insert(&mut self, hash: u64, cell: Cell<S>, hasher: impl Fn(&CellKey) -> u64) -> u32 {
        let touched = cell.touched;
        let slot = Slot {
            cell: Some(cell),
            next: NONE,
            rank: rank(&mut self.ranked, touched),
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
        self.list(touched, at);
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |&known| {
            let cell = slots[known as usize].cell.as_ref();
            cell.map_or(0, |cell| hasher(&cell.key))
        });
        at
    }

    fn is(&self, at: u32, key: &CellKey) -> bool {
        let slot = self.slots.get(at as usize);
        slot.and_then(|slot| slot.cell.as_ref())
            .is_some_and(|cell| cell.key == *key)
    }
}

/// The next rank in `moment`.
fn rank(ranked: &mut (Time, u32), moment: Time) -> u32 {
    if ranked.0 != moment {
        *ranked = (moment, 0);
    }
    ranked.1 = ranked.1.saturating_add(1);
    ranked.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn key(last: u8) -> CellKey {
        CellKey::host(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
    }

    /// Any function of the key will do; few bits make the index compare keys.
    fn hash(key: &CellKey) -> u64 {
        let IpAddr::V4(ip) = key.host else { return 0 };
        u64::from(ip.to_bits() & 7).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn of(last: u8) -> (CellKey, u64, u32) {
        (key(last), hash(&key(last)), NONE)
    }

    /// Every key, longest silent first.
    fn order(table: &mut CellTable<u32>) -> Vec<CellKey> {
        let mut order = Vec::new();
        table.each(|rank, cell| order.push((rank, cell.key)));
        order.sort_by_key(|&(rank, _)| rank);
        let latest_first: Vec<CellKey> = table.latest_first().map(|cell| cell.key).collect();
        let order: Vec<CellKey> = order.into_iter().map(|(_, key)| key).collect();
        assert!(order.iter().eq(latest_first.iter().rev()));
        order
    }

    fn touch(table: &mut CellTable<u32>, last: u8, second: i64) -> Option<CellKey> {
        let now = Time::from_secs(second);
        let (at, gone) = table
            .touch(of(last), Opens::Cell, now, hash, |state| *state >= 3)
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
        assert_eq!(table.pop_oldest(hash).map(|cell| cell.state), Some(2));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn idle_cells_leave_in_order() {
        let mut table = CellTable::<u32>::new(8);
        for last in [1, 2, 3] {
            touch(&mut table, last, i64::from(last));
        }
        touch(&mut table, 1, 10);
        assert_eq!(order(&mut table), [key(2), key(3), key(1)]);
        let gone: Vec<_> = std::iter::from_fn(|| table.pop_idle(Time::from_secs(5), hash))
            .map(|cell| cell.key)
            .collect();
        assert_eq!(gone, [key(2), key(3)]);
        assert_eq!(touch(&mut table, 1, 11), None);
    }

    /// Against a plain list: whatever is touched, expires and is evicted, order and contents agree. Many touches share
    /// a moment.
    #[test]
    fn agrees_with_a_list() {
        let mut table = CellTable::<u32>::new(16);
        let mut list: Vec<(CellKey, Time)> = Vec::new();
        let (mut seed, mut hint) = (7_u32, NONE);
        for step in 0..20_000 {
            let now = Time::from_secs(step / 7);
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if seed >> 29 == 0 {
                let limit = Time::from_secs(step / 7 - i64::from(seed >> 8 & 3));
                let ours = table.pop_idle(limit, hash).map(|cell| cell.key);
                let idle = list.first().is_some_and(|&(_, touched)| touched < limit);
                assert_eq!(ours, idle.then(|| list.remove(0).0));
                continue;
            }
            let wanted = (
                key((seed >> 24) as u8 % 40),
                hash(&key((seed >> 24) as u8 % 40)),
                hint,
            );
            let known = list.iter().position(|(key, _)| *key == wanted.0);
            let untouched = table
                .touch(wanted, Opens::Nothing, now, hash, |_| false)
                .is_none();
            assert_eq!(untouched, known.is_none());
            let (at, gone) = table.touch(wanted, Opens::Cell, now, hash, |_| false).unwrap();
            hint = at;
            let full = known.is_none() && list.len() == 16;
            let evicted = gone.map(|(Gone::Broken(cell) | Gone::Evicted(cell))| cell.key);
            assert_eq!(evicted, full.then(|| list.remove(0).0));
            match known {
                // Touched again in its moment, it keeps its turn.
                Some(at) if list[at].1 == now => {}
                known => {
                    if let Some(at) = known {
                        list.remove(at);
                    }
                    list.push((wanted.0, now));
                }
            }
        }
        assert!(order(&mut table).iter().eq(list.iter().map(|(key, _)| key)));
    }
}
