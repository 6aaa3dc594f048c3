//! Network performance of a flow: what its packets' times and sequence numbers say at the observation point.
//! What was not measured is absent and never zero: a flow whose beginning nobody saw has no round trip.

use std::fmt;

/// A measured number that may be absent, in four bytes: records hold many of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Measured(u32);

impl Measured {
    /// Nothing was measured.
    pub const NONE: Self = Self(u32::MAX);

    /// A number; what is too large is told as the largest there is (4,294,967,294; as microseconds 71 minutes).
    pub const fn of(number: u64) -> Self {
        if number < Self::NONE.0 as u64 {
            Self(number as u32)
        } else {
            Self(Self::NONE.0 - 1)
        }
    }

    /// The number.
    pub const fn get(self) -> Option<u32> {
        if self.0 == Self::NONE.0 {
            None
        } else {
            Some(self.0)
        }
    }

    /// Is there a number?
    pub const fn is_some(self) -> bool {
        self.0 != Self::NONE.0
    }

    /// This, or the other when there is none.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        if self.is_some() { self } else { other }
    }
}

impl Default for Measured {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<Option<u32>> for Measured {
    fn from(number: Option<u32>) -> Self {
        number.map_or(Self::NONE, |number| Self::of(number.into()))
    }
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Least, mean and greatest of some times, and how far they scatter (standard deviation), microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    pub min_us: Measured,
    pub avg_us: Measured,
    pub max_us: Measured,
    pub dev_us: Measured,
}

/// Performance of one direction, in the part of the flow that the record covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WayPerformance {
    /// TCP segments that were sent before, or that fill a hole so late that the sender must have sent them again.
    pub retransmitted: Measured,
    /// TCP segments that fill a hole sooner than the sender could have noticed it: overtaken on their way.
    pub out_of_order: Measured,
    /// Time from packet to packet.
    pub delay: Spread,
    /// Difference between a delay and the one before.
    pub jitter: Spread,
}

/// What was measured of a flow in the part that its record covers (see the guide, "Network performance").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Performance {
    /// Round trip of the TCP handshake: SYN to the ACK that ends it, microseconds. Both parts below, where both are known.
    pub rtt_us: Measured,
    /// SYN-ACK to ACK: from here to the initiator and back.
    pub rtt_client_us: Measured,
    /// SYN to SYN-ACK: from here to the responder and back.
    pub rtt_server_us: Measured,
    /// Server response time, mean of the exchanges: from the moment at which a server's acknowledgement of the whole request
    /// would pass here (its last packet and a round trip to the server later) to the first data of the response.
    pub srt_us: Measured,
    pub srt_min_us: Measured,
    pub srt_max_us: Measured,
    /// Exchanges of which the response time was measured.
    pub srt_count: Measured,
    pub forward: WayPerformance,
    pub reverse: WayPerformance,
}

impl Performance {
    /// The box a record keeps; none when nothing was measured.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// The same with initiator and responder changed. Response times are of whoever is the server then.
    pub fn turn(&mut self) {
        std::mem::swap(&mut self.forward, &mut self.reverse);
        std::mem::swap(&mut self.rtt_client_us, &mut self.rtt_server_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_zero() {
        assert_eq!(Measured::default().get(), None);
        assert_eq!(Measured::of(0).get(), Some(0));
        assert_eq!(Measured::of(u64::MAX).get(), Some(u32::MAX - 1));
        assert_eq!(Measured::from(Some(u32::MAX)).get(), Some(u32::MAX - 1));
        assert_eq!(Measured::NONE.or(Measured::of(3)).get(), Some(3));
        assert_eq!(Performance::default().boxed(), None);
    }

    #[test]
    fn a_record_carries_a_pointer() {
        assert_eq!(size_of::<Option<Box<Performance>>>(), 8);
        assert!(size_of::<Performance>() <= 112, "{}", size_of::<Performance>());
    }
}
