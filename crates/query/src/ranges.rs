//! Sets of ordered values as sorted ranges that never touch: what every comparison of numbers, moments, addresses
//! and hardware addresses becomes, so that all back ends share one meaning.

/// A value with neighbours, so that `> 5` and `>= 6` are the same set.
pub trait Point: Copy + Ord + std::fmt::Debug {
    /// The least value.
    const MIN: Self;
    /// The greatest value.
    const MAX: Self;
    /// The value after this one.
    fn next(self) -> Option<Self>;
    /// The value before this one.
    fn previous(self) -> Option<Self>;
}

macro_rules! point {
    ($($number:ty),*) => {$(
        impl Point for $number {
            const MIN: Self = <$number>::MIN;
            const MAX: Self = <$number>::MAX;
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn previous(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    )*};
}
point!(u64, i64, u128);

/// Sorted ranges, both ends included, with gaps between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges<T>(Vec<(T, T)>);

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Point> Ranges<T> {
    /// The union of these ranges; a range whose ends are swapped is empty.
    pub fn new(ranges: impl IntoIterator<Item = (T, T)>) -> Self {
        let mut sorted: Vec<(T, T)> = ranges.into_iter().filter(|(low, high)| low <= high).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(sorted.len());
        for (low, high) in sorted {
            match merged.last_mut() {
                Some(last) if last.1.next().is_none_or(|after| low <= after) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    /// Is the value in one of the ranges?
    pub fn contains(&self, value: T) -> bool {
        match self.0.as_slice() {
            [] => false,
            [(low, high)] => *low <= value && value <= *high,
            many => {
                let after = many.partition_point(|(low, _)| *low <= value);
                after > 0 && value <= many[after - 1].1
            }
        }
    }

    /// Does any value between `low` and `high` lie in the set?
    pub fn overlaps(&self, low: T, high: T) -> bool {
        let after = self.0.partition_point(|range| range.0 <= high);
        low <= high && after > 0 && self.0[after - 1].1 >= low
    }

    /// Do all values between `low` and `high` lie in the set?
    pub fn covers(&self, low: T, high: T) -> bool {
        let after = self.0.partition_point(|range| range.0 <= low);
        low <= high && after > 0 && self.0[after - 1].1 >= high
    }

    /// The ranges in order.
    pub fn as_slice(&self) -> &[(T, T)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_range() {
        let set = Ranges::<u64>::new([(7, 9), (1, 3), (4, 5), (20, u64::MAX), (30, 40), (3, 2)]);
        assert_eq!(set.as_slice(), [(1, 5), (7, 9), (20, u64::MAX)]);
        let found: Vec<u64> = (0..12).filter(|number| set.contains(*number)).collect();
        assert_eq!(found, [1, 2, 3, 4, 5, 7, 8, 9]);
    }

    #[test]
    fn overlap_and_cover() {
        let set = Ranges::<i64>::new([(-5, -1), (10, 20)]);
        assert!(set.overlaps(-9, -5) && set.overlaps(0, 10) && !set.overlaps(0, 9));
        assert!(set.covers(11, 20) && !set.covers(9, 11) && !set.covers(-5, 10));
    }
}
