//! Where the lists in force lie: whoever reads lists anew puts a snapshot here, whoever marks records takes it up
//! before its next batch. The one lock is held for the copy of a pointer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::indicator::Snapshot;

/// A place for one snapshot; empty: no list is in force.
#[derive(Debug, Default)]
pub struct Slot {
    lists: Mutex<Option<Arc<Snapshot>>>,
    /// Times something was put here, so that looking costs nothing.
    changes: AtomicU64,
}

impl Slot {
    /// A place that holds these lists.
    pub fn new(lists: Option<Arc<Snapshot>>) -> Self {
        let slot = Self::default();
        slot.put(lists);
        slot
    }

    /// Puts lists in the place of those before.
    pub fn put(&self, lists: Option<Arc<Snapshot>>) {
        *self.lists.lock().unwrap_or_else(PoisonError::into_inner) = lists.filter(|lists| !lists.is_empty());
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// The lists in force.
    pub fn lists(&self) -> Option<Arc<Snapshot>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often lists were put here.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}
