//! A list that grows without being moved: in chunks, so that a table of cells takes what it holds and not what it might
//! come to hold, and growing it costs no copy of everything.

use std::ops::{Index, IndexMut};

/// Items of a chunk; the first one grows up to it as lists do.
const CHUNK: usize = 64;

/// A list of chunks, all full but the last.
pub(super) struct Slots<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Slots<T> {
    pub(super) fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    pub(super) fn push(&mut self, item: T) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(item),
            before => {
                let room = if before.is_some() { CHUNK } else { 1 };
                let mut chunk = Vec::with_capacity(room);
                chunk.push(item);
                self.chunks.push(chunk);
            }
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten()
    }
}

impl<T> Index<usize> for Slots<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.chunks[at / CHUNK][at % CHUNK]
    }
}

impl<T> IndexMut<usize> for Slots<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_list() {
        let mut slots = Slots::default();
        let mut list = Vec::new();
        assert_eq!((slots.len(), slots.get(0)), (0, None));
        for item in 0..3 * CHUNK + 1 {
            slots.push(item);
            list.push(item);
            assert_eq!(slots.len(), list.len());
        }
        slots[CHUNK] = 7;
        list[CHUNK] = 7;
        for (slot, item) in slots.iter_mut().zip(&mut list) {
            *slot += 1;
            *item += 1;
        }
        assert!(slots.iter().eq(&list));
        assert_eq!(slots[CHUNK], 8);
        let past = list.len();
        assert_eq!(slots.get(past), None);
        assert_eq!(slots.get_mut(past + CHUNK), None);
        assert_eq!(slots.get(past - 1), list.last());
    }
}
