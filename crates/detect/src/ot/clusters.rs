//! Groups of similar intervals: sequential k-means (MacQueen 1967) over logarithms of counts, in constant space. The
//! logarithm makes one scale of all features, so that nothing has to be learned before the first group.

use serde::{Deserialize, Serialize};

/// Groups of one pair; past it an interval joins the nearest and widens it.
const CLUSTERS_MAX: usize = 8;
/// An interval this far from every group founds its own: about twice as much, or half, in one feature.
const FOUND_DISTANCE: f64 = 0.7;
/// Least radius of a group: some 40 % in one feature, which chance alone brings.
pub(super) const RADIUS_MIN: f64 = 0.35;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cluster {
    centre: Vec<f64>,
    count: u64,
    /// Farthest member when it joined.
    radius: f64,
}

/// The groups of one pair.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Clusters(Vec<Cluster>);

/// The nearest group to an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Nearest {
    pub(super) distance: f64,
    pub(super) radius: f64,
    /// The feature that lies farthest off, and what is usual for it.
    pub(super) feature: usize,
    pub(super) usual: f64,
}

/// A count on the scale of distances.
fn scaled(count: f64) -> f64 {
    count.max(0.0).ln_1p()
}

fn distance(centre: &[f64], at: &[f64]) -> f64 {
    let squares = centre.iter().zip(at).map(|(one, other)| (one - other).powi(2));
    squares.sum::<f64>().sqrt()
}

impl Clusters {
    fn nearest_index(&self, at: &[f64]) -> Option<(usize, f64)> {
        let all = self
            .0
            .iter()
            .map(|cluster| distance(&cluster.centre, at))
            .enumerate();
        all.min_by(|one, other| one.1.total_cmp(&other.1))
    }

    /// Groups so far.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Learns an interval.
    pub(super) fn learn(&mut self, counts: &[f64]) {
        let at: Vec<f64> = counts.iter().copied().map(scaled).collect();
        match self.nearest_index(&at) {
            Some((index, distance)) if distance < FOUND_DISTANCE || self.0.len() >= CLUSTERS_MAX => {
                let cluster = &mut self.0[index];
                cluster.count += 1;
                cluster.radius = cluster.radius.max(distance);
                let count = cluster.count as f64;
                for (centre, value) in cluster.centre.iter_mut().zip(&at) {
                    *centre += (value - *centre) / count;
                }
            }
            _ => self.0.push(Cluster {
                centre: at,
                count: 1,
                radius: RADIUS_MIN,
            }),
        }
    }

    /// The nearest group to an interval; `None` when nothing was learned. Of an interval that may not be `whole` only
    /// counts above the group's tell anything.
    pub(super) fn nearest(&self, counts: &[f64], whole: bool) -> Option<Nearest> {
        let at: Vec<f64> = counts.iter().copied().map(scaled).collect();
        let off = |cluster: &Cluster| -> Vec<f64> {
            let both = cluster.centre.iter().zip(&at);
            both.map(|(centre, value)| {
                if whole {
                    (value - centre).abs()
                } else {
                    (value - centre).max(0.0)
                }
            })
            .collect()
        };
        let length = |off: &[f64]| off.iter().map(|one| one * one).sum::<f64>().sqrt();
        let all = self.0.iter().map(|cluster| (cluster, off(cluster)));
        let (cluster, off) = all.min_by(|one, other| length(&one.1).total_cmp(&length(&other.1)))?;
        let distance = length(&off);
        let (feature, _) = off
            .iter()
            .enumerate()
            .max_by(|one, other| one.1.total_cmp(other.1))?;
        Some(Nearest {
            distance,
            radius: cluster.radius,
            feature,
            usual: cluster.centre[feature].exp_m1(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_habits_and_a_stranger() {
        let mut clusters = Clusters::default();
        for turn in 0..100 {
            let swing = f64::from(turn % 3);
            clusters.learn(&[100.0 + swing, 0.0]);
            clusters.learn(&[10.0, 50.0 + swing]);
        }
        assert_eq!(clusters.len(), 2);
        let usual = clusters.nearest(&[101.0, 0.0], true).unwrap();
        assert!(usual.distance < usual.radius, "{usual:?}");
        let odd = clusters.nearest(&[100.0, 5.0], true).unwrap();
        assert!(odd.distance > 3.0 * odd.radius && odd.feature == 1, "{odd:?}");
        assert!(odd.usual < 0.1);
        let cut = clusters.nearest(&[20.0, 0.0], false).unwrap();
        assert!(cut.distance < cut.radius, "{cut:?}");
    }

    #[test]
    fn groups_are_bounded() {
        let mut clusters = Clusters::default();
        for power in 0..40 {
            clusters.learn(&[f64::from(2 + power).exp()]);
        }
        assert_eq!(clusters.len(), CLUSTERS_MAX);
    }
}
