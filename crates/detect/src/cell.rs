//! Cells: the state a method keeps per entity. A bounded table that forgets the longest silent cell first.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};

use ahash::AHashMap;
use siphasher::sip::SipHasher13;
use weir_model::{FlowKey, FlowRecord, Mac, Time, Transaction};

/// Whom a cell is for. `host` decides the shard; `role` separates several kinds of cells of one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CellKey {
    pub role: u8,
    pub host: IpAddr,
    pub mac: Option<Mac>,
    pub peer: Option<IpAddr>,
    pub port: u16,
    pub vlan: Option<u16>,
}

impl CellKey {
    /// The cell of one host.
    pub const fn host(host: IpAddr) -> Self {
        Self {
            role: 0,
            host,
            mac: None,
            peer: None,
            port: 0,
            vlan: None,
        }
    }
    /// The cell of the initiator.
    pub const fn initiator(key: &FlowKey) -> Self {
        Self::host(key.initiator_ip)
    }
    /// The cell of the responder.
    pub const fn responder(key: &FlowKey) -> Self {
        Self::host(key.responder_ip)
    }
    /// The cell of initiator and responder.
    pub const fn pair(key: &FlowKey) -> Self {
        Self {
            peer: Some(key.responder_ip),
            ..Self::host(key.initiator_ip)
        }
    }
    /// The cell of initiator, responder and responder port.
    pub const fn service(key: &FlowKey) -> Self {
        Self {
            port: key.responder_port,
            ..Self::pair(key)
        }
    }
    /// The cell of a hardware address.
    pub const fn link(mac: Mac) -> Self {
        Self {
            mac: Some(mac),
            ..Self::network()
        }
    }
    /// The one cell of the whole feed.
    pub const fn network() -> Self {
        Self::host(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
    /// The same entity in another role.
    #[must_use]
    pub const fn role(mut self, role: u8) -> Self {
        self.role = role;
        self
    }

    /// The partition the cell lives in: fixed by the entity, whatever the number of shards.
    pub fn partition(&self) -> usize {
        let mut hash = SipHasher13::new_with_keys(0x7061_7274, 0x6974_696f);
        self.host.hash(&mut hash);
        self.mac.hash(&mut hash);
        (hash.finish() % PARTITIONS as u64) as usize
    }

    /// A stable number for the cell, for telling findings of one cell from another's.
    pub fn id(&self) -> u64 {
        let mut hash = SipHasher13::new_with_keys(0x6365_6c6c, 0x6964);
        self.hash(&mut hash);
        hash.finish()
    }
}

/// Partitions of every method's cells. Shards own whole partitions, so results do not depend on the shard count.
pub(crate) const PARTITIONS: usize = 16;

/// The cells one record counts in; at most [`Cells::MAX`].
#[derive(Debug, Default)]
pub struct Cells {
    keys: [Option<CellKey>; Cells::MAX],
}

impl Cells {
    /// Cells per record and method.
    pub const MAX: usize = 3;

    /// Adds a cell; a fourth is a bug in the method.
    pub fn add(&mut self, key: CellKey) {
        let free = self.keys.iter_mut().find(|slot| slot.is_none());
        debug_assert!(free.is_some(), "more than {} cells for one record", Self::MAX);
        if let Some(slot) = free {
            *slot = Some(key);
        }
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = CellKey> + use<> {
        std::mem::take(&mut self.keys).into_iter().flatten()
    }
}

/// A record that can be folded.
#[derive(Clone, Copy)]
pub(crate) enum Record<'a> {
    Flow(&'a FlowRecord),
    Transaction(&'a Transaction),
}

impl Record<'_> {
    /// Start of the exchange, for gaps.
    pub(crate) fn start(self) -> Time {
        match self {
            Self::Flow(flow) => flow.start,
            Self::Transaction(transaction) => transaction.start,
        }
    }
}

/// A cell in its table.
pub(crate) struct Cell<S> {
    pub(crate) key: CellKey,
    pub(crate) state: S,
    /// Watermark of the last record.
    pub(crate) touched: Time,
    /// When which submethod (index) was last reported, about whom.
    pub(crate) reported: crate::findings::Reported,
    /// Position stamp in the queue of touches; older stamps are stale.
    stamp: u64,
}

/// A partition's cells with a bound. Touches queue up; a stale entry is skipped when it comes to the front.
pub(crate) struct CellTable<S> {
    cells: AHashMap<CellKey, Cell<S>>,
    touches: VecDeque<(CellKey, u64)>,
    next_stamp: u64,
    cells_max: usize,
}

impl<S: Default> CellTable<S> {
    pub(crate) fn new(cells_max: usize) -> Self {
        Self {
            cells: AHashMap::new(),
            touches: VecDeque::new(),
            next_stamp: 0,
            cells_max,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The cell of `key`, made when missing. Returns also the cell that had to go, when the table was full.
    pub(crate) fn touch(&mut self, key: CellKey, now: Time) -> (&mut Cell<S>, Option<Cell<S>>) {
        let evicted = if self.cells.len() >= self.cells_max && !self.cells.contains_key(&key) {
            self.pop_oldest()
        } else {
            None
        };
        self.compact();
        let stamp = self.next_stamp;
        self.next_stamp += 1;
        self.touches.push_back((key, stamp));
        let fresh = || Cell {
            key,
            state: S::default(),
            touched: now,
            reported: Vec::new(),
            stamp,
        };
        let cell = self.cells.entry(key).or_insert_with(fresh);
        cell.touched = cell.touched.max(now);
        cell.stamp = stamp;
        (cell, evicted)
    }

    /// Replaces the cell's state by a fresh one and returns the old cell.
    pub(crate) fn reset(&mut self, key: &CellKey) -> Option<Cell<S>> {
        self.cells.remove(key)
    }

    pub(crate) fn get(&self, key: &CellKey) -> Option<&Cell<S>> {
        self.cells.get(key)
    }

    /// Takes out the longest silent cell if it has been silent since before `limit`.
    pub(crate) fn pop_idle(&mut self, limit: Time) -> Option<Cell<S>> {
        loop {
            let &(key, stamp) = self.touches.front()?;
            match self.cells.get(&key) {
                Some(cell) if cell.stamp == stamp => {
                    if cell.touched >= limit {
                        return None;
                    }
                    self.touches.pop_front();
                    return self.cells.remove(&key);
                }
                _ => {
                    self.touches.pop_front();
                }
            }
        }
    }

    /// Takes out the longest silent cell.
    pub(crate) fn pop_oldest(&mut self) -> Option<Cell<S>> {
        self.pop_idle(Time::MAX)
    }

    /// Every cell, longest silent first, so that the order never depends on hashing.
    pub(crate) fn each(&mut self, mut visit: impl FnMut(&mut Cell<S>)) {
        for index in 0..self.touches.len() {
            let (key, stamp) = self.touches[index];
            if let Some(cell) = self.cells.get_mut(&key).filter(|cell| cell.stamp == stamp) {
                visit(cell);
            }
        }
    }

    /// Drops stale touches once they outnumber the cells, so that the queue stays bounded.
    fn compact(&mut self) {
        if self.touches.len() > 4 * self.cells.len() + 1024 {
            let cells = &self.cells;
            self.touches
                .retain(|(key, stamp)| cells.get(key).is_some_and(|cell| cell.stamp == *stamp));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(last: u8) -> CellKey {
        CellKey::host(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
    }

    #[test]
    fn a_full_table_forgets_the_longest_silent() {
        let mut table = CellTable::<u32>::new(3);
        for last in [1, 2, 3, 1] {
            assert!(
                table
                    .touch(key(last), Time::from_secs(i64::from(last)))
                    .1
                    .is_none()
            );
        }
        let gone = table.touch(key(4), Time::from_secs(9)).1.map(|cell| cell.key);
        assert_eq!(gone, Some(key(2)));
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn touches_stay_bounded() {
        let mut table = CellTable::<u32>::new(3);
        for _ in 0..100_000 {
            table.touch(key(1), Time::MIN);
        }
        assert!(table.touches.len() <= 2048, "{}", table.touches.len());
    }

    #[test]
    fn idle_cells_leave_in_order() {
        let mut table = CellTable::<u32>::new(8);
        for last in [1, 2, 3] {
            table.touch(key(last), Time::from_secs(i64::from(last)));
        }
        table.touch(key(1), Time::from_secs(10));
        let mut gone = Vec::new();
        while let Some(cell) = table.pop_idle(Time::from_secs(5)) {
            gone.push(cell.key);
        }
        assert_eq!(gone, [key(2), key(3)]);
    }
}
