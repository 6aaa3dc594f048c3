//! Whom a method keeps state for: the keys of cells, and the partition each belongs to.
//! The table that holds them is in `table`.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};

use siphasher::sip::SipHasher13;
use weir_model::{FlowKey, FlowRecord, Mac, Time, Transaction};

/// Whom a cell is for. `host` decides the shard; `role` separates several kinds of cells of one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// The partition the cell lives in: fixed by the entity, whatever the number of shards. Unkeyed and cheap, because
    /// every method asks for every record; an attacker who aims at one partition fills a sixteenth of the cells.
    pub fn partition(&self) -> usize {
        let host = match self.host {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64 ^ ip.to_bits() as u64,
        };
        let mac = self.mac.map_or(0, |mac| {
            mac.0.iter().fold(1, |sum, byte| sum << 8 | u64::from(*byte))
        });
        // Fibonacci hashing: the upper bits of the product depend on every bit of the entity.
        ((host ^ mac.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize
    }

    /// A stable number for the cell, for telling findings of one cell from another's. It is part of what is stored, so
    /// it does not follow `Hash`, which only has to be fast.
    pub fn id(&self) -> u64 {
        let mut hash = SipHasher13::new_with_keys(0x6365_6c6c, 0x6964);
        self.role.hash(&mut hash);
        self.host.hash(&mut hash);
        self.mac.hash(&mut hash);
        self.peer.hash(&mut hash);
        self.port.hash(&mut hash);
        self.vlan.hash(&mut hash);
        hash.finish()
    }
}

/// As few words as there are: most keys are one address. Keys that only differ in what is left out are still unequal.
impl Hash for CellKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let vlan = self.vlan.map_or(0, |vlan| u64::from(vlan) + 1);
        state.write_u128(bits(self.host));
        state.write_u64(u64::from(self.role) | u64::from(self.port) << 8 | vlan << 24);
        if let Some(mac) = self.mac {
            mac.hash(state);
        }
        if let Some(peer) = self.peer {
            state.write_u128(bits(peer));
        }
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// Partitions of every method's cells. Shards own whole partitions, so results do not depend on the shard count.
pub(crate) const PARTITIONS: usize = 1 << 4;

/// The cells one record counts in; at most [`Cells::MAX`].
#[derive(Debug)]
pub struct Cells {
    keys: [(CellKey, Opens); Cells::MAX],
    /// Of those, in use.
    len: usize,
    /// Cells past those, of methods whose number of cells is configured.
    more: Vec<CellKey>,
}

/// What a record does where its cell is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opens {
    /// It makes the cell.
    Cell,
    /// It is passed over.
    Nothing,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            keys: [(CellKey::network(), Opens::Nothing); Self::MAX],
            len: 0,
            more: Vec::new(),
        }
    }
}

impl Cells {
    /// Cells per record and method.
    pub const MAX: usize = 3;

    /// Adds a cell, which is made when it is missing; a fourth is a bug in the method.
    pub fn add(&mut self, key: CellKey) {
        self.put(key, Opens::Cell);
    }

    /// Adds a cell if there is one already: for records too small to begin with.
    pub fn add_known(&mut self, key: CellKey) {
        self.put(key, Opens::Nothing);
    }

    /// Adds one of any number of cells, for methods that people give patterns to; it is made when it is missing.
    pub fn add_another(&mut self, key: CellKey) {
        self.more.push(key);
    }

    fn put(&mut self, key: CellKey, opens: Opens) {
        let free = self.keys.get_mut(self.len);
        debug_assert!(free.is_some(), "more than {} cells for one record", Self::MAX);
        if let Some(slot) = free {
            *slot = (key, opens);
            self.len += 1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (CellKey, Opens)> {
        let more = self.more.iter().map(|&key| (key, Opens::Cell));
        self.keys[..self.len].iter().copied().chain(more)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0 && self.more.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.more.clear();
    }
}

/// A record that can be folded.
#[derive(Clone, Copy)]
pub(crate) enum Record<'a> {
    Flow(&'a FlowRecord),
    Transaction(&'a Transaction),
}

impl Record<'_> {
    /// Its place in the total order of the pipeline.
    pub(crate) fn seq(self) -> u64 {
        match self {
            Self::Flow(flow) => flow.seq,
            Self::Transaction(transaction) => transaction.seq,
        }
    }

    /// Start of the exchange, for gaps.
    pub(crate) fn start(self) -> Time {
        match self {
            Self::Flow(flow) => flow.start,
            Self::Transaction(transaction) => transaction.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_spread_over_all_partitions() {
        let mut seen = [0; PARTITIONS];
        for last in 0..=255 {
            seen[CellKey::host(IpAddr::V4(Ipv4Addr::new(192, 168, 0, last))).partition()] += 1;
        }
        assert!(seen.iter().all(|hosts| (8..=32).contains(hosts)), "{seen:?}");
    }
}
