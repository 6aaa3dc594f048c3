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

    /// Adds a number several times.
    pub(crate) fn count(&mut self, number: u64, times: u64) -> usize {
        if number == 0 {
            self.zeros = self.zeros.saturating_add(times);
            return 0;
        }
        self.raise(bucket(number), times)
    }

    fn raise(&mut self, bucket: u16, times: u64) -> usize {
        let before = self.buckets.len();
        let count = self.buckets.entry(bucket).or_default();
        *count = count.saturating_add(times);
        (self.buckets.len() - before) * BUCKET_BYTES
    }

    /// Adds what another sketch has seen; tells by how many bytes this one grew.
    pub fn merge(&mut self, other: &Self) -> usize {
        self.zeros = self.zeros.saturating_add(other.zeros);
        let grown = other.buckets.iter().map(|(at, times)| self.raise(*at, *times));
        grown.sum()
    }

    /// The number that `share` (0 to 1) of all numbers do not exceed; `None` without numbers.
    pub fn at(&self, share: f64) -> Option<f64> {
        let all = self
            .buckets
            .values()
            .fold(self.zeros, |all, times| all.saturating_add(*times));
        if all == 0 {
            return None;
        }
        let rank = (share.clamp(0.0, 1.0) * (all - 1) as f64).round() as u64;
        let rank = rank.min(all - 1);
        let mut below = self.zeros;
        if rank < below {
            return Some(0.0);
        }
        for (bucket, times) in &self.buckets {
            below = below.saturating_add(*times);
            if rank < below {
                return Some(middle(*bucket));
            }
        }
        None
    }
}

/// Compact bytes: what is kept on disk.
impl Quantiles {
    /// The zeros, then each bucket's distance from the one before and its count, in LEB128.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, self.zeros);
        let mut before = 0;
        for (bucket, times) in &self.buckets {
            put(&mut bytes, u64::from(bucket - before));
            put(&mut bytes, *times);
            before = *bucket;
        }
        bytes
    }

    /// What [`Self::to_bytes`] wrote; `None` for anything else.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut sketch = Self {
            zeros: take(&mut bytes)?,
            buckets: BTreeMap::new(),
        };
        let mut at = 0_u16;
        while !bytes.is_empty() {
            at = at.checked_add(take(&mut bytes)?.try_into().ok()?)?;
            if at > bucket(u64::MAX) || sketch.buckets.insert(at, take(&mut bytes)?).is_some() {
                return None;
            }
        }
        Some(sketch)
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Numbers on their way into a sketch: a place for each bucket, which costs a number less than the tree does.
#[derive(Debug)]
pub(crate) struct Tally {
    zeros: u64,
    counts: Vec<u64>,
    /// Buckets that count anything.
    touched: Vec<u16>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            zeros: 0,
            counts: vec![0; usize::from(bucket(u64::MAX)) + 1],
            touched: Vec::new(),
        }
    }
}

impl Tally {
    /// Adds a number several times.
    pub(crate) fn count(&mut self, number: u64, times: u64) {
        if number == 0 || times == 0 {
            self.zeros = self.zeros.saturating_add(times);
            return;
        }
        let bucket = bucket(number);
        let count = &mut self.counts[usize::from(bucket)];
        if *count == 0 {
            self.touched.push(bucket);
        }
        *count = count.saturating_add(times);
    }

    /// Gives all of it to a sketch, and is empty again.
    pub(crate) fn pour(&mut self, sketch: &mut Quantiles) {
        sketch.zeros = sketch.zeros.saturating_add(std::mem::take(&mut self.zeros));
        for bucket in self.touched.drain(..) {
            let times = std::mem::take(&mut self.counts[usize::from(bucket)]);
            sketch.raise(bucket, times);
        }
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

    /// What is tallied first comes to the same, zeros and numbers added no times included.
    #[test]
    fn a_tally_gives_what_the_sketch_counts() {
        let (mut own, mut poured, mut tally) = (Quantiles::default(), Quantiles::default(), Tally::default());
        for round in 0..3_u64 {
            for number in [0, 1, 2, 1_000, u64::MAX - round, 7 * round] {
                let times = (number % 3) * (u64::MAX / 5) + round;
                if times > 0 {
                    own.count(number, times);
                }
                tally.count(number, times);
            }
            tally.pour(&mut poured);
            assert_eq!(poured, own);
        }
        tally.pour(&mut poured);
        assert_eq!(poured, own, "it was empty");
    }

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

    #[test]
    fn bytes_come_back_and_others_are_refused() {
        let mut sketch = Quantiles::default();
        for number in [0, 0, 1, 2, 77, 5_000_000, u64::MAX] {
            sketch.add(number);
        }
        sketch.count(9, u64::MAX);
        let bytes = sketch.to_bytes();
        assert_eq!(Quantiles::from_bytes(&bytes), Some(sketch.clone()));
        assert_eq!(
            Quantiles::from_bytes(&Quantiles::default().to_bytes()),
            Some(Quantiles::default())
        );
        for at in 0..bytes.len() {
            // A cut between two buckets is a smaller sketch; anything else is none.
            if let Some(less) = Quantiles::from_bytes(&bytes[..at]) {
                assert!(less.buckets.len() < sketch.buckets.len());
            }
        }
        assert_eq!(Quantiles::from_bytes(&[]), None);
        assert_eq!(Quantiles::from_bytes(&[0xff; 11]), None);
        assert_eq!(
            Quantiles::from_bytes(&[0, 0xff, 0xff, 0x7f, 1]),
            None,
            "no such bucket"
        );
        assert_eq!(Quantiles::from_bytes(&[0, 5, 1, 0, 1]), None, "a bucket twice");
        let mut full = Quantiles::default();
        full.count(9, u64::MAX);
        full.count(9, 5);
        full.count(0, u64::MAX);
        assert_eq!(full.at(1.0), Some(0.0), "counts stop at the greatest number");
    }
}
