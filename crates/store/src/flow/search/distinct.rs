//! How many different values there were: exact while they are few, then an estimate of fixed size (HyperLogLog, Flajolet
//! et al. 2007, with linear counting below its useful range). The state depends on the set of values only, not on their
//! order or on how it was put together from parts, so that answers do not depend on threads.

/// Values counted exactly; past it the estimate's error is 1.04 / sqrt(4096) = 1.6 %.
pub const EXACT_MAX: usize = 256;
const BITS: u32 = 12;
const REGISTERS: usize = 1 << BITS;

/// A count of different values, fed with their hashes.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct(State);

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Hashes in order of value.
    Few(Vec<u64>),
    Many(Box<[u8]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self(State::Few(Vec::new()))
    }
}

impl Distinct {
    /// Adds a value by its hash (see [`hash`]); tells by how many bytes the state grew.
    pub fn add(&mut self, hash: u64) -> usize {
        match &mut self.0 {
            State::Many(registers) => {
                raise(registers, hash);
                0
            }
            State::Few(hashes) => {
                let Err(at) = hashes.binary_search(&hash) else {
                    return 0;
                };
                if hashes.len() < EXACT_MAX {
                    let before = hashes.capacity();
                    hashes.insert(at, hash);
                    return (hashes.capacity() - before) * size_of::<u64>();
                }
                let before = hashes.capacity() * size_of::<u64>();
                let mut registers = vec![0; REGISTERS].into_boxed_slice();
                hashes.iter().for_each(|hash| raise(&mut registers, *hash));
                raise(&mut registers, hash);
                self.0 = State::Many(registers);
                REGISTERS.saturating_sub(before)
            }
        }
    }

    /// Adds what another count has seen; tells by how many bytes this one grew.
    pub fn merge(&mut self, other: &Self) -> usize {
        match (&mut self.0, &other.0) {
            (_, State::Few(hashes)) => hashes.iter().map(|hash| self.add(*hash)).sum(),
            (State::Many(own), State::Many(others)) => {
                for (own, other) in own.iter_mut().zip(others) {
                    *own = (*own).max(*other);
                }
                0
            }
            (State::Few(hashes), State::Many(others)) => {
                let mut registers = others.clone();
                hashes.iter().for_each(|hash| raise(&mut registers, *hash));
                self.0 = State::Many(registers);
                REGISTERS
            }
        }
    }

    /// The count: exact up to [`EXACT_MAX`].
    pub fn count(&self) -> u64 {
        match &self.0 {
            State::Few(hashes) => hashes.len() as u64,
            State::Many(registers) => estimate(registers),
        }
    }

    /// Is the count an estimate?
    pub fn is_estimate(&self) -> bool {
        matches!(self.0, State::Many(_))
    }
}

fn raise(registers: &mut [u8], hash: u64) {
    let at = (hash >> (64 - BITS)) as usize;
    // The bit set below the used ones bounds the count of zeros.
    let rank = ((hash << BITS) | 1 << (BITS - 1)).leading_zeros() as u8 + 1;
    registers[at] = registers[at].max(rank);
}

fn estimate(registers: &[u8]) -> u64 {
    let size = REGISTERS as f64;
    let sum: f64 = registers.iter().map(|rank| 2_f64.powi(-i32::from(*rank))).sum();
    let raw = 0.7213 / (1.0 + 1.079 / size) * size * size / sum;
    let empty = registers.iter().filter(|rank| **rank == 0).count();
    let count = if raw <= 2.5 * size && empty > 0 {
        size * (size / empty as f64).ln()
    } else {
        raw
    };
    count.round() as u64
}

/// Spreads the words of a value over 64 bits; the same in every run, so that stored states can be put together.
pub fn hash(words: &[u64]) -> u64 {
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |so_far, word| {
        let mut mixed = so_far.rotate_left(23) ^ word.wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ mixed >> 32).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Iterator<Item = u64>) -> Distinct {
        let mut found = Distinct::default();
        values.for_each(|value| {
            found.add(hash(&[value]));
        });
        found
    }

    #[test]
    fn exact_while_few() {
        let found = of((0..1000).map(|value| value % 256));
        assert_eq!((found.count(), found.is_estimate()), (256, false));
        assert!(of(0..257).is_estimate());
    }

    #[test]
    fn estimates_stay_near() {
        for size in [1_000_u64, 5_000, 20_000, 100_000, 500_000] {
            let count = of((0..size).map(|value| value * 7919)).count();
            let off = (count as f64 - size as f64).abs() / size as f64;
            assert!(off < 0.05, "{count} of {size}");
        }
    }

    #[test]
    fn state_is_of_the_set_not_of_the_way() {
        for (size, cut) in [(100_u64, 30), (300, 290), (600, 300), (9_000, 40)] {
            let whole = of((0..size).rev());
            let mut parts = of(0..cut);
            parts.merge(&of(cut / 2..size));
            assert_eq!(whole, parts, "{size} cut at {cut}");
        }
    }
}
