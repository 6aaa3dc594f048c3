//! Data sets that came before their template, within a byte bound, until it comes.

use std::collections::VecDeque;

use weir_wire::export::Header;

/// Bytes of data sets parked per domain: some 200 datagrams, what an exporter sends in the first seconds.
pub(crate) const PARKED_BYTES_MAX: usize = 256 * 1024;

/// A data set with the header of its message, whose times it needs.
#[derive(Debug)]
pub(crate) struct ParkedSet {
    pub(crate) id: u16,
    pub(crate) header: Header,
    pub(crate) body: Box<[u8]>,
}

impl ParkedSet {
    /// Bytes it takes, bookkeeping included.
    pub(crate) fn bytes(&self) -> usize {
        self.body.len() + size_of::<Self>()
    }
}

/// The queue of one domain.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    sets: VecDeque<ParkedSet>,
    bytes: usize,
}

impl Parked {
    /// Parks a set; returns how many older ones had to go, and the change of bytes held.
    pub(crate) fn push(&mut self, set: ParkedSet) -> u64 {
        let mut dropped = 0;
        self.bytes += set.bytes();
        self.sets.push_back(set);
        while self.bytes > PARKED_BYTES_MAX {
            let Some(oldest) = self.sets.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes();
            dropped += 1;
        }
        dropped
    }

    /// Takes out what waits for the template `id`, in order.
    pub(crate) fn take(&mut self, id: u16) -> Vec<ParkedSet> {
        let all = std::mem::take(&mut self.sets);
        let (wanted, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|set| set.id == id);
        self.bytes -= wanted.iter().map(ParkedSet::bytes).sum::<usize>();
        self.sets = rest.into();
        wanted
    }

    /// Drops everything; returns how many sets that were.
    pub(crate) fn clear(&mut self) -> u64 {
        self.bytes = 0;
        std::mem::take(&mut self.sets).len() as u64
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }
}
