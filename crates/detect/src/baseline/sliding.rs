//! Sums over the last while, in a ring of equal intervals of event time. The price of the fixed size is that the oldest
//! interval leaves as a whole, so the window is between `BINS - 1` and `BINS` intervals long.

use serde::{Deserialize, Serialize};
use weir_model::Time;

/// Sums of the last `BINS` intervals. The interval's length belongs to the method and is given with every call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
pub struct Sliding<const BINS: usize> {
    /// Sum over the window.
    total: u64,
    /// Index of the newest interval (see [`Time::bin`]).
    newest: i64,
    /// The intervals' sums; while there is none, all of `total` belongs to the newest. Most entities live in one
    /// interval only, and need no ring.
    sums: Option<Box<[u64; BINS]>>,
}

/// How a window is kept over restarts.
#[derive(Serialize, Deserialize)]
struct Saved {
    newest: i64,
    sums: Vec<u64>,
}

impl<const BINS: usize> From<Sliding<BINS>> for Saved {
    fn from(mut sliding: Sliding<BINS>) -> Self {
        Self {
            newest: sliding.newest,
            sums: sliding.ring().to_vec(),
        }
    }
}

impl<const BINS: usize> TryFrom<Saved> for Sliding<BINS> {
    type Error = String;

    /// Of another number of intervals, or with sums past what can be added up, it is refused.
    fn try_from(saved: Saved) -> Result<Self, String> {
        let found = saved.sums.len();
        let sums: [u64; BINS] = saved
            .sums
            .try_into()
            .map_err(|_| format!("{found} intervals where {BINS} are kept"))?;
        let total = sums.iter().try_fold(0_u64, |total, sum| total.checked_add(*sum));
        Ok(Self {
            sums: Some(Box::new(sums)),
            total: total.ok_or("the sums overflow")?,
            newest: saved.newest,
        })
    }
}

impl<const BINS: usize> Default for Sliding<BINS> {
    fn default() -> Self {
        Self {
            total: 0,
            newest: i64::MIN,
            sums: None,
        }
    }
}

impl<const BINS: usize> Sliding<BINS> {
    /// Adds a value that belongs to the moment `at`. What is older than the window is left out.
    pub fn add(&mut self, at: Time, bin_s: i64, value: u64) {
        self.advance(at, bin_s);
        // A lying exporter must not overflow the sum.
        let value = value.min(u64::MAX - self.total);
        let bin = at.bin(bin_s);
        if self.newest.saturating_sub(bin) >= BINS as i64 {
            return;
        }
        if bin < self.newest || self.sums.is_some() {
            self.ring()[Self::slot(bin)] += value;
        }
        self.total += value;
    }

    /// Lets intervals pass that `now` has left behind.
    pub fn advance(&mut self, now: Time, bin_s: i64) {
        let bin = now.bin(bin_s);
        if bin <= self.newest {
            return;
        }
        if self.total == 0 || bin.saturating_sub(self.newest) >= BINS as i64 {
            (self.sums, self.total) = (None, 0);
        } else {
            let newest = self.newest;
            let sums = self.ring();
            let passed: u64 = (newest + 1..=bin)
                .map(|passed| std::mem::take(&mut sums[Self::slot(passed)]))
                .sum();
            self.total -= passed;
        }
        self.newest = bin;
    }

    /// The sum over the window.
    pub const fn sum(&self) -> u64 {
        self.total
    }

    fn ring(&mut self) -> &mut [u64; BINS] {
        let (total, newest) = (self.total, self.newest);
        self.sums.get_or_insert_with(|| {
            let mut sums = Box::new([0; BINS]);
            sums[Self::slot(newest)] = total;
            sums
        })
    }

    fn slot(bin: i64) -> usize {
        bin.rem_euclid(BINS as i64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_intervals_leave() {
        let mut sliding = Sliding::<3>::default();
        for second in 0..5 {
            sliding.add(Time::from_secs(second), 1, 10);
        }
        assert_eq!(sliding.sum(), 30);
        sliding.add(Time::from_secs(3), 1, 5);
        assert_eq!(sliding.sum(), 35, "late but within the window");
        sliding.add(Time::from_secs(1), 1, 5);
        assert_eq!(sliding.sum(), 35, "too late");
        sliding.advance(Time::from_secs(6), 1);
        assert_eq!(sliding.sum(), 10);
        sliding.advance(Time::from_secs(100), 1);
        assert_eq!(sliding.sum(), 0);
    }
}
