//! The heaviest items of a stream in constant space (space-saving, Metwally 2005). An item heavier than one part in
//! `MAX` of the total is always listed; a weight may be too high by what was evicted before it, never too low.

use serde::{Deserialize, Serialize};

/// At most `MAX` items with their weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Top<T, const MAX: usize> {
    items: Vec<(T, u64)>,
}

impl<T, const MAX: usize> Default for Top<T, MAX> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T: Copy + Ord, const MAX: usize> Top<T, MAX> {
    /// Adds weight to an item. In a full list the lightest item gives way and leaves its weight behind.
    pub fn add(&mut self, item: T, weight: u64) {
        if let Some((_, sum)) = self.items.iter_mut().find(|(known, _)| *known == item) {
            *sum = sum.saturating_add(weight);
        } else if self.items.len() < MAX {
            self.items.push((item, weight));
        } else if let Some(lightest) = self.items.iter_mut().min_by_key(|(known, sum)| (*sum, *known)) {
            *lightest = (item, lightest.1.saturating_add(weight));
        }
    }

    /// Weight of an item; 0 when it is not listed.
    pub fn weight(&self, item: T) -> u64 {
        self.items
            .iter()
            .find(|(known, _)| *known == item)
            .map_or(0, |(_, sum)| *sum)
    }

    /// Items and weights, heaviest first.
    pub fn heaviest(&self) -> Vec<(T, u64)> {
        let mut all = self.items.clone();
        all.sort_unstable_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
        all
    }

    /// Halves every weight and drops what has none left: the past fades.
    pub fn halve(&mut self) {
        self.items.iter_mut().for_each(|(_, sum)| *sum /= 2);
        self.items.retain(|(_, sum)| *sum > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heavy_stay() {
        let mut top = Top::<u32, 4>::default();
        for item in 0..1000 {
            top.add(item, 1);
            top.add(7, 2);
        }
        assert_eq!(top.heaviest()[0].0, 7);
        assert!(top.weight(7) >= 2000);
        assert_eq!(top.heaviest().len(), 4);
        top.halve();
        assert!(top.weight(7) >= 1000);
    }
}
