//! How many different things: exact while few, an estimate (linear counting) when many, never more than 1 KiB.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// Items counted exactly before the estimate takes over, unless a method wants more; limits lie below it or near.
const EXACT_MAX: usize = 64;
/// Bits of the estimating bitmap. Linear counting (Whang 1990) stays within some 5 % up to about twice this many items.
const BITS: usize = 8192;

/// A bounded count of distinct items, the first `EXACT` of them one by one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
pub struct Distinct<const EXACT: usize = EXACT_MAX>(Items);

/// One of the three, in as little room as a list: there are several in most cells, and most count up to three.
#[derive(Clone, Debug)]
enum Items {
    /// The first so many of these are halves of hashes, in the order they came.
    Few([u32; FEW], u8),
    /// Halves of hashes, sorted: 4096 items collide once in 500 tables.
    Exact(Vec<u32>),
    Bitmap(Box<Bitmap>),
}

/// What fits beside the list's own words.
const FEW: usize = 3;
const _: () = assert!(size_of::<Items>() == size_of::<Vec<u32>>());

#[derive(Clone, Debug)]
struct Bitmap {
    words: [u64; BITS / 64],
    zeros: u32,
}

/// How a count is kept over restarts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Saved {
    Exact(Vec<u32>),
    Bitmap(Vec<u64>),
}

impl<const EXACT: usize> From<Distinct<EXACT>> for Saved {
    fn from(Distinct(items): Distinct<EXACT>) -> Self {
        match items {
            Items::Few(few, len) => {
                let mut hashes = few[..usize::from(len)].to_vec();
                hashes.sort_unstable();
                Self::Exact(hashes)
            }
            Items::Exact(hashes) => Self::Exact(hashes),
            Items::Bitmap(bitmap) => Self::Bitmap(bitmap.words.to_vec()),
        }
    }
}

impl<const EXACT: usize> TryFrom<Saved> for Distinct<EXACT> {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        match saved {
            Saved::Exact(exact) if exact.len() <= EXACT && exact.is_sorted_by(|a, b| a < b) => {
                Ok(Self(Items::Exact(exact)))
            }
            Saved::Exact(_) => Err("the hashes are not sorted, or too many"),
            Saved::Bitmap(words) => {
                let words: [u64; BITS / 64] = words.try_into().map_err(|_| "a bitmap of another size")?;
                let zeros = words.iter().map(|word| word.count_zeros()).sum();
                Ok(Self(Items::Bitmap(Box::new(Bitmap { words, zeros }))))
            }
        }
    }
}

impl<const EXACT: usize> Default for Distinct<EXACT> {
    fn default() -> Self {
        Self(Items::Few([0; FEW], 0))
    }
}

impl<const EXACT: usize> Distinct<EXACT> {
    /// Adds an item. Returns whether it was certainly new.
    pub fn add(&mut self, item: impl Hash) -> bool {
        const { assert!(EXACT > FEW) };
        // Fixed key: results must not differ between runs. An attacker can only make itself look smaller by colliding
        // 64-bit hashes of its own targets, which costs more than it gains.
        let mut hash = SipHasher13::new_with_keys(0x6469_7374, 0x696e_6374);
        item.hash(&mut hash);
        let hash = hash.finish() as u32;
        match &mut self.0 {
            Items::Few(few, len) => {
                if few[..usize::from(*len)].contains(&hash) {
                    return false;
                }
                if let Some(free) = few.get_mut(usize::from(*len)) {
                    *free = hash;
                    *len += 1;
                } else {
                    let mut hashes = few.to_vec();
                    hashes.push(hash);
                    hashes.sort_unstable();
                    self.0 = Items::Exact(hashes);
                }
                true
            }
            Items::Exact(hashes) => match hashes.binary_search(&hash) {
                Ok(_) => false,
                Err(at) if hashes.len() < EXACT => {
                    hashes.insert(at, hash);
                    true
                }
                Err(_) => {
                    let mut bitmap = Box::new(Bitmap {
                        words: [0; BITS / 64],
                        zeros: BITS as u32,
                    });
                    hashes.iter().chain([&hash]).for_each(|&hash| {
                        bitmap.set(hash);
                    });
                    self.0 = Items::Bitmap(bitmap);
                    true
                }
            },
            Items::Bitmap(bitmap) => bitmap.set(hash),
        }
    }

    /// Is the count exact, not an estimate?
    pub const fn is_exact(&self) -> bool {
        !matches!(self.0, Items::Bitmap(_))
    }

    /// How many different items; exact up to `EXACT`.
    pub fn count(&self) -> u64 {
        match &self.0 {
            Items::Few(_, len) => u64::from(*len),
            Items::Exact(hashes) => hashes.len() as u64,
            Items::Bitmap(bitmap) => {
                (BITS as f64 * (BITS as f64 / f64::from(bitmap.zeros.max(1))).ln()).round() as u64
            }
        }
    }
}

impl Bitmap {
    fn set(&mut self, hash: u32) -> bool {
        let bit = hash as usize % BITS;
        let word = &mut self.words[bit / 64];
        let new = *word & (1 << (bit % 64)) == 0;
        *word |= 1 << (bit % 64);
        self.zeros -= u32::from(new);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_then_close() {
        let mut distinct = Distinct::<EXACT_MAX>::default();
        for item in 0..EXACT_MAX {
            assert!(distinct.add(item));
            assert!(!distinct.add(item));
        }
        assert_eq!(distinct.count(), 64);
        for item in 0..10_000 {
            distinct.add(item);
        }
        let error = distinct.count().abs_diff(10_000);
        assert!(error < 500, "{}", distinct.count());
    }

    /// The count is kept over a restart from every form: few, a list, a bitmap.
    #[test]
    fn saved_and_restored() {
        for count in [0, 1, 3, 4, 64, 65, 500] {
            let mut distinct = Distinct::<EXACT_MAX>::default();
            (0..count).for_each(|item| {
                distinct.add(item);
            });
            let saved = serde_json::to_string(&distinct).unwrap();
            let mut restored: Distinct = serde_json::from_str(&saved).unwrap();
            assert_eq!(restored.count(), distinct.count());
            assert!((0..count).all(|item| !restored.add(item)), "{saved}");
        }
        let unsorted = serde_json::from_str::<Distinct>(r#"{"exact": [2, 1]}"#);
        assert!(unsorted.is_err());
    }

    #[test]
    fn saturates_instead_of_growing() {
        let mut distinct = Distinct::<EXACT_MAX>::default();
        for item in 0..1_000_000 {
            distinct.add(item);
        }
        assert!(distinct.count() > 60_000);
    }
}
