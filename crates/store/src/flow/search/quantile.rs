//! Quantiles of numbers within one per cent, mergeable: counts per logarithmic bucket (DDSketch, Masson et al. 2019).
//! Whole counts in fixed buckets make the state a function of the numbers alone, whatever their order and partition.

use std::collections::BTreeMap;

/// Greatest relative error of an answer.
pub const ERROR: f64 = 0.01;
const GAMMA: f64 = (1.0 + ERROR) / (1.0 - ERROR);
/// Memory of one bucket, bytes: key, count and the tree's share.
const BUCKET_BYTES: usize = 32;

/// A sketch of numbers. At most 2,219 buckets span all of `u64`, so it needs no other limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantiles {
    zeros: u64,
    buckets: BTreeMap<u16, u64>,
}

impl Quantiles {
    /// Adds a number; tells by how many bytes the sketch grew.
    pub fn add(&mut self, number: u64) -> usize {
        self.count(number, 1)
    }

    fn count(&mut self, number: u64, times: u64) -> usize {
        if number == 0 {
            self.zeros += times;
            return 0;
        }
        self.raise(bucket(number), times)
    }

    fn raise(&mut self, bucket: u16, times: u64) -> usize {
        let before = self.buckets.len();
        *self.buckets.entry(bucket).or_default() += times;
        (self.buckets.len() - before) * BUCKET_BYTES
    }

    /// Adds what another sketch has seen; tells by how many bytes this one grew.
    pub fn merge(&mut self, other: &Self) -> usize {
        self.zeros += other.zeros;
        let grown = other.buckets.iter().map(|(at, times)| self.raise(*at, *times));
        grown.sum()
    }

    /// The number that `share` (0 to 1) of all numbers do not exceed; `None` without numbers.
    pub fn at(&self, share: f64) -> Option<f64> {
        let all = self.zeros + self.buckets.values().sum::<u64>();
        if all == 0 {
            return None;
        }
        let rank = (share.clamp(0.0, 1.0) * (all - 1) as f64).round() as u64;
        let mut below = self.zeros;
        if rank < below {
            return Some(0.0);
        }
        for (bucket, times) in &self.buckets {
            below += times;
            if rank < below {
                return Some(middle(*bucket));
            }
        }
        None
    }
}

fn bucket(number: u64) -> u16 {
    ((number as f64).ln() / GAMMA.ln()).ceil() as u16
}

/// The value whose relative distance to both ends of the bucket is the same.
fn middle(bucket: u16) -> f64 {
    2.0 * GAMMA.powi(i32::from(bucket)) / (GAMMA + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_hundredth() {
        let mut sketch = Quantiles::default();
        let numbers: Vec<u64> = (0..10_001_u64).map(|n| n * n / 3).collect();
        numbers.iter().for_each(|number| {
            sketch.add(*number);
        });
        for share in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
            let exact = numbers[(share * 10_000.0) as usize] as f64;
            let found = sketch.at(share).unwrap();
            assert!(
                (found - exact).abs() <= ERROR * exact + 1e-9,
                "{share}: {found} for {exact}"
            );
        }
    }

    #[test]
    fn parts_make_the_whole_and_ends_are_safe() {
        let (mut whole, mut left, mut right) = <(Quantiles, Quantiles, Quantiles)>::default();
        for number in [0, 1, 2, 77, u64::MAX, u64::MAX - 1, 5_000_000] {
            whole.add(number);
            if number % 2 == 0 { &mut left } else { &mut right }.add(number);
        }
        left.merge(&right);
        assert_eq!(whole, left);
        assert_eq!(Quantiles::default().at(0.5), None);
        assert!(whole.at(1.0).unwrap() > 1.8e19);
    }
}
