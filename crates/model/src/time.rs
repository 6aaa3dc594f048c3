//! Event time: nanoseconds since 1970-01-01 UTC, as read from packets and exports, never from a clock of ours.
//! Stamps are hostile input like everything else, so all arithmetic saturates.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Nanoseconds in one second.
pub const NANOS_PER_S: i64 = 1_000_000_000;

/// A moment of event time in nanoseconds since 1970-01-01 00:00 UTC. Negative before 1970; arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub i64);

impl Time {
    /// The earliest moment; "nothing seen yet" in running maxima.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest moment; "nothing seen yet" in running minima.
    pub const MAX: Self = Self(i64::MAX);

    /// A moment from whole seconds since 1970.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_S))
    }

    /// Nanoseconds since `earlier`; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds since `earlier`, for ratios and texts.
    pub fn secs_since(self, earlier: Self) -> f64 {
        self.since(earlier) as f64 / NANOS_PER_S as f64
    }

    /// Index of the interval of `secs` seconds (aligned to 1970) this moment lies in.
    pub const fn bin(self, secs: i64) -> i64 {
        self.0.div_euclid(secs.saturating_mul(NANOS_PER_S))
    }
}

impl Add<i64> for Time {
    type Output = Self;
    /// Later by `nanos`.
    fn add(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub<i64> for Time {
    type Output = Self;
    /// Earlier by `nanos`.
    fn sub(self, nanos: i64) -> Self {
        Self(self.0.saturating_sub(nanos))
    }
}

impl fmt::Display for Time {
    /// Seconds since 1970 with nanoseconds, for tests and logs; people-facing text is made at the edges.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:09}",
            self.0.div_euclid(NANOS_PER_S),
            self.0.rem_euclid(NANOS_PER_S)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_aligned_before_1970_too() {
        assert_eq!(Time::from_secs(299).bin(300), 0);
        assert_eq!(Time::from_secs(300).bin(300), 1);
        assert_eq!(Time::from_secs(-1).bin(300), -1);
        assert_eq!(Time(-1).to_string(), "-1.999999999");
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time::MAX + 1, Time::MAX);
        assert_eq!(Time::MIN.since(Time::MAX), i64::MIN);
    }
}
