//! Which rows of a batch are still in play: one bit per row. Conjunctions narrow a selection instead of comparing whole
//! columns again, so the cheap comparison in front pays for the dear one behind.

/// A set of rows of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    words: Vec<u64>,
    rows: usize,
}

impl Selection {
    /// All of `rows` rows.
    pub fn all(rows: usize) -> Self {
        let mut words = vec![u64::MAX; rows.div_ceil(64)];
        if let Some(last) = words.last_mut().filter(|_| !rows.is_multiple_of(64)) {
            *last = (1 << (rows % 64)) - 1;
        }
        Self { words, rows }
    }

    /// None of `rows` rows.
    pub fn none(rows: usize) -> Self {
        Self {
            words: vec![0; rows.div_ceil(64)],
            rows,
        }
    }

    /// Of `rows` rows, those whose bit is set, the first row in the lowest bit of the first word.
    pub fn of_words(words: impl Iterator<Item = u64>, rows: usize) -> Self {
        let words = words.chain(std::iter::repeat(0));
        let all = Self::all(rows);
        Self {
            words: all
                .words
                .iter()
                .zip(words)
                .map(|(all, word)| all & word)
                .collect(),
            rows,
        }
    }

    /// The rows for which `holds`, among `rows` rows.
    pub fn from_fn(rows: usize, holds: impl FnMut(usize) -> bool) -> Self {
        Self::all(rows).keep(holds)
    }

    /// Of these rows, those for which `holds`.
    #[must_use]
    pub fn keep(&self, mut holds: impl FnMut(usize) -> bool) -> Self {
        let words = self.words.iter().enumerate().map(|(at, word)| {
            let (mut left, mut kept) = (*word, 0);
            while left != 0 {
                let bit = left & left.wrapping_neg();
                if holds(at * 64 + left.trailing_zeros() as usize) {
                    kept |= bit;
                }
                left ^= bit;
            }
            kept
        });
        Self {
            words: words.collect(),
            rows: self.rows,
        }
    }

    /// Rows of this selection that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.zip(other, |own, other| own & !other)
    }

    /// Rows of either selection.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, |own, other| own | other)
    }

    fn zip(&self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        debug_assert_eq!(self.rows, other.rows, "selections of different batches");
        let words = self
            .words
            .iter()
            .zip(&other.words)
            .map(|(own, other)| join(*own, *other));
        Self {
            words: words.collect(),
            rows: self.rows,
        }
    }

    /// Is the row in it?
    pub fn contains(&self, row: usize) -> bool {
        row < self.rows && self.words[row / 64] >> (row % 64) & 1 == 1
    }

    /// Number of rows of the batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of rows in it.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// No row at all?
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Every row?
    pub fn is_all(&self) -> bool {
        self.count() == self.rows
    }

    /// Its rows in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                (bit < 64).then_some(at * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_rows() {
        let all = Selection::all(70);
        let even = all.keep(|row| row.is_multiple_of(2));
        assert_eq!(
            (all.count(), even.count(), Selection::none(70).count()),
            (70, 35, 0)
        );
        assert_eq!(all.without(&even).iter().take(3).collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(all.without(&even).union(&even), all);
        assert_eq!(Selection::of_words([u64::MAX, u64::MAX, 1].into_iter(), 70), all);
        assert_eq!(
            Selection::of_words([5].into_iter(), 70)
                .iter()
                .collect::<Vec<_>>(),
            [0, 2]
        );
        assert!(even.contains(68) && !even.contains(69) && !even.contains(70));
    }
}
