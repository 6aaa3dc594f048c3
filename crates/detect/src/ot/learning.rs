//! The season in which a pair is learned, the same for the methods of control networks.

use serde::{Deserialize, Serialize};
use weir_model::{NANOS_PER_S, Time};

/// Intervals with traffic that must have been learned beside the hours: a pair that speaks once a day is not known
/// after a day.
pub(super) const INTERVALS_MIN: u32 = 12;

/// How far a pair is learned.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Season {
    since: Option<Time>,
    /// Intervals with traffic, learned.
    pub(super) intervals: u32,
}

impl Season {
    /// Something was seen.
    pub(super) fn see(&mut self, at: Time) {
        self.since.get_or_insert(at);
    }

    /// Hours since the first message.
    pub(super) fn hours(&self, now: Time) -> f64 {
        self.since.map_or(0.0, |since| {
            now.since(since) as f64 / (3_600 * NANOS_PER_S) as f64
        })
    }

    /// Has the pair been learned for that long, and often enough?
    pub(super) fn over(&self, now: Time, duration_h: u32) -> bool {
        self.hours(now) >= f64::from(duration_h) && self.intervals >= INTERVALS_MIN
    }
}

/// The interval before the one at hand. It waits until it is known whether the pair went on talking: at the edge of a
/// pause an interval is not whole, and that it holds little says nothing.
#[derive(Serialize, Deserialize)]
pub(super) struct Held<T> {
    /// The interval, and whether there was traffic in the one before it.
    held: Option<(T, bool)>,
    spoke: bool,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self {
            held: None,
            spoke: false,
        }
    }
}

impl<T> Held<T> {
    /// Takes the interval that is over, nothing for a silent one. Gives the one before it, and whether there was traffic
    /// on both sides of it.
    pub(super) fn pass(&mut self, interval: Option<T>) -> Option<(T, bool)> {
        let talks = interval.is_some();
        let before = self
            .held
            .take()
            .map(|(held, after_talk)| (held, after_talk && talks));
        self.held = interval.map(|interval| (interval, self.spoke));
        self.spoke = talks;
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_known() {
        let mut held = Held::default();
        let given: Vec<_> = [Some(1), Some(2), Some(3), None, Some(4), None, None]
            .into_iter()
            .map(|one| held.pass(one))
            .collect();
        let wanted = [
            None,
            Some((1, false)),
            Some((2, true)),
            Some((3, false)),
            None,
            Some((4, false)),
            None,
        ];
        assert_eq!(given, wanted);
    }
}
