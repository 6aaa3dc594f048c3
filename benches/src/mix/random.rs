//! The generator's own random numbers (xoshiro256++ seeded by splitmix64): integer arithmetic only, so that one seed
//! gives the same bytes on every machine and with every version of every crate.

/// A seeded stream of numbers; cloning it repeats the stream.
#[derive(Clone)]
pub(crate) struct Random([u64; 4]);

/// The splitmix64 finaliser: spreads any 64-bit value evenly; also used to finish the name digest.
#[must_use]
pub(crate) fn spread(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        let a = spread(seed);
        let b = spread(a);
        let c = spread(b);
        Self([a, b, c, spread(c)])
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..limit`; `limit` must be between 1 and 2^32, which keeps the multiplication exact.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        debug_assert!((1..=1 << 32).contains(&limit));
        ((self.bits() >> 32) * limit) >> 32
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, which must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// A value from a distribution given as its quantiles, linear between them: `[min, 25 %, median, 75 %, max]`
    /// has five entries, any number above one works.
    pub(crate) fn quantile(&mut self, quantiles: &[u64]) -> u64 {
        let step = self.below(quantiles.len() as u64 - 1) as usize;
        let (low, high) = (quantiles[step], quantiles[step + 1]);
        low + self.below(high - low + 1)
    }

    /// Appends `count` random bytes.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, count: usize) {
        let end = out.len() + count;
        while out.len() < end {
            let bytes = self.bits().to_le_bytes();
            let take = bytes.len().min(end - out.len());
            out.extend_from_slice(&bytes[..take]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_one_stream() {
        let mut a = Random::new(7);
        let mut b = Random::new(7);
        assert!((0..1000).all(|_| a.bits() == b.bits()));
        assert_ne!(Random::new(8).bits(), Random::new(7).bits());
    }

    #[test]
    fn quantiles_bound_the_values() {
        let mut random = Random::new(1);
        let values: Vec<u64> = (0..10_000).map(|_| random.quantile(&[10, 20, 1000])).collect();
        assert!(values.iter().all(|v| (10..=1000).contains(v)));
        let low = values.iter().filter(|v| **v <= 20).count();
        assert!((4_500..5_600).contains(&low), "{low} of 10,000 below the median");
    }
}
