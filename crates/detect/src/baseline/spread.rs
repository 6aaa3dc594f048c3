//! Mean and spread of a stream of numbers in constant space (Welford 1962).

use serde::{Deserialize, Serialize};

/// Running count, mean and variance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Spread {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
    }

    /// Values so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; 0 without values.
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation of the population; 0 without values.
    pub fn deviation(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            (self.squares / self.count as f64).max(0.0).sqrt()
        }
    }

    /// Deviation divided by mean (coefficient of variation); 0 when the mean is.
    pub fn variation(&self) -> f64 {
        if self.mean == 0.0 {
            0.0
        } else {
            self.deviation() / self.mean.abs()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_textbook() {
        let mut spread = Spread::default();
        for value in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            spread.add(value);
        }
        assert_eq!(
            (
                spread.count(),
                spread.mean(),
                spread.deviation(),
                spread.variation()
            ),
            (8, 5.0, 2.0, 0.4)
        );
    }
}
