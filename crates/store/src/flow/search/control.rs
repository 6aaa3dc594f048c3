//! The strings a search hangs on: threads it may use, memory it may take, how far it is, and whether to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::SearchError;

/// Memory a search may take when nobody says otherwise, bytes.
pub const MEMORY_DEFAULT: usize = 512 << 20;

/// Limits of one run; watch it and stop it from another thread.
#[derive(Debug)]
pub struct Control {
    threads: usize,
    memory_max: usize,
    memory: AtomicUsize,
    cancelled: AtomicBool,
    rows_done: AtomicU64,
    rows_all: AtomicU64,
}

impl Default for Control {
    fn default() -> Self {
        Self::new(1, MEMORY_DEFAULT)
    }
}

impl Control {
    /// Runs on up to `threads` threads (at least one) and keeps at most `memory_max` bytes of groups, sketches and rows;
    /// decoding needs some megabytes a thread beside them.
    pub fn new(threads: usize, memory_max: usize) -> Self {
        Self {
            threads: threads.max(1),
            memory_max,
            memory: AtomicUsize::new(0),
            cancelled: AtomicBool::new(false),
            rows_done: AtomicU64::new(0),
            rows_all: AtomicU64::new(0),
        }
    }

    /// Makes the search end soon with [`SearchError::Cancelled`].
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Rows passed and rows there are; the second is zero before the search knows.
    pub fn progress(&self) -> (u64, u64) {
        (self.rows_done.load(Relaxed), self.rows_all.load(Relaxed))
    }

    /// Bytes of groups, sketches and rows that are kept now.
    pub fn memory(&self) -> usize {
        self.memory.load(Relaxed)
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    pub(super) fn expect_rows(&self, rows: u64) {
        self.rows_all.fetch_add(rows, Relaxed);
    }

    pub(super) fn passed(&self, rows: u64) {
        self.rows_done.fetch_add(rows, Relaxed);
    }

    /// Bytes that may still be taken.
    pub(super) fn memory_left(&self) -> usize {
        self.memory_max.saturating_sub(self.memory())
    }

    pub(super) fn check(&self) -> Result<(), SearchError> {
        if self.cancelled.load(Relaxed) {
            return Err(SearchError::Cancelled);
        }
        Ok(())
    }

    /// Asks for memory before it is taken.
    pub(super) fn take(&self, bytes: usize, fix: &'static str) -> Result<(), SearchError> {
        let before = self.memory.fetch_add(bytes, Relaxed);
        if before.saturating_add(bytes) > self.memory_max {
            return Err(SearchError::Budget {
                budget: self.memory_max,
                fix,
            });
        }
        Ok(())
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.memory.fetch_sub(bytes, Relaxed);
    }
}
