//! Sums over the last while, in a ring of equal intervals of event time. The price of the fixed size is that the oldest
//! interval leaves as a whole, so the window is between `BINS - 1` and `BINS` intervals long.

use weir_model::Time;

/// Sums of the last `BINS` intervals. The interval's length belongs to the method and is given with every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding<const BINS: usize> {
    sums: [u64; BINS],
    /// Index of the newest interval (see [`Time::bin`]).
    newest: i64,
}

impl<const BINS: usize> Default for Sliding<BINS> {
    fn default() -> Self {
        Self {
            sums: [0; BINS],
            newest: i64::MIN,
        }
    }
}

impl<const BINS: usize> Sliding<BINS> {
    /// Adds a value that belongs to the moment `at`. What is older than the window is left out.
    pub fn add(&mut self, at: Time, bin_s: i64, value: u64) {
        self.advance(at, bin_s);
        let bin = at.bin(bin_s);
        if self.newest.saturating_sub(bin) < BINS as i64 {
            let sum = &mut self.sums[Self::slot(bin)];
            *sum = sum.saturating_add(value);
        }
    }

    /// Lets intervals pass that `now` has left behind.
    pub fn advance(&mut self, now: Time, bin_s: i64) {
        let bin = now.bin(bin_s);
        if bin <= self.newest {
            return;
        }
        if bin.saturating_sub(self.newest) >= BINS as i64 {
            self.sums = [0; BINS];
        } else {
            for passed in self.newest + 1..=bin {
                self.sums[Self::slot(passed)] = 0;
            }
        }
        self.newest = bin;
    }

    /// The sum over the window.
    pub fn sum(&self) -> u64 {
        self.sums.iter().fold(0, |all, sum| all.saturating_add(*sum))
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
