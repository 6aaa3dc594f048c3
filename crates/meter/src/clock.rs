//! Event time of a packet stream: a clock that only moves forward and that single packets cannot push.
//! Real captures hold packets stamped hours ahead and packets out of order; expiry must survive both.

use weir_model::Time;

/// Packets that must agree before the clock moves. One wrong stamp in a hundred then moves it once in 10^8 packets.
pub(crate) const WITNESSES: usize = 4;

/// Further ahead of the clock than this, a packet's stamp is suspect: no capture buffer holds packets for a minute.
const AHEAD_MAX_NS: i64 = 60 * weir_model::NANOS_PER_S;

/// Watermark over packet stamps: the highest value that [`WITNESSES`] packets in a row had reached.
#[derive(Debug)]
pub(crate) struct EventClock {
    now: Time,
    last: [Time; WITNESSES],
    seen: u64,
    /// Packets in a row that were too far ahead.
    ahead_run: u64,
    outliers: u64,
}

/// What one packet did to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Same whole second as before.
    Same,
    /// Crossed into a later whole second.
    Second,
    /// The clock runs from here on; before, too few packets had been seen.
    Started,
}

impl EventClock {
    pub(crate) const fn new() -> Self {
        Self {
            now: Time::MIN,
            last: [Time::MAX; WITNESSES],
            seen: 0,
            ahead_run: 0,
            outliers: 0,
        }
    }

    /// The watermark; [`Time::MIN`] before [`WITNESSES`] packets have been seen.
    pub(crate) const fn now(&self) -> Time {
        self.now
    }

    /// The watermark in whole seconds since 1970.
    pub(crate) const fn now_s(&self) -> i64 {
        self.now.bin(1)
    }

    /// Packets whose stamps were far ahead of their neighbours'.
    pub(crate) const fn outliers(&self) -> u64 {
        self.outliers
    }

    /// Takes the stamp of the next packet.
    pub(crate) fn advance(&mut self, time: Time) -> Step {
        self.last[(self.seen % WITNESSES as u64) as usize] = time;
        self.seen += 1;
        if self.seen < WITNESSES as u64 {
            return Step::Same;
        }
        let agreed = self.last.iter().copied().min().unwrap_or(time);
        let before = self.now;
        self.judge(time, agreed);
        self.now = before.max(agreed);
        if before == Time::MIN {
            Step::Started
        } else if self.now.bin(1) != before.bin(1) {
            Step::Second
        } else {
            Step::Same
        }
    }

    /// Counts a run of packets that were too far ahead once it ends without the others having followed.
    fn judge(&mut self, time: Time, agreed: Time) {
        let now = self.now.max(agreed);
        if time.since(now) > AHEAD_MAX_NS {
            self.ahead_run += 1;
        } else {
            if agreed.since(self.now) <= AHEAD_MAX_NS {
                self.outliers += self.ahead_run;
            }
            self.ahead_run = 0;
        }
    }

    /// The watermark for the end of input: of fewer than [`WITNESSES`] packets, the earliest stamp.
    pub(crate) fn final_time(&self) -> Time {
        let earliest = self.last.iter().copied().min().unwrap_or(Time::MAX);
        match (self.now, self.seen) {
            (_, 0) => Time::default(),
            (Time::MIN, _) => earliest,
            (now, _) => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds stamps in seconds; the clock after the last one and the outliers.
    fn check(stamps: &[i64], now_s: i64, outliers: u64) {
        let mut clock = EventClock::new();
        for &stamp in stamps {
            clock.advance(Time::from_secs(stamp));
        }
        assert_eq!(
            (clock.final_time(), clock.outliers()),
            (Time::from_secs(now_s), outliers)
        );
    }

    #[test]
    fn follows_ordered_stamps() {
        check(&[1, 2, 3, 4, 5, 6, 7], 4, 0);
    }

    #[test]
    fn isolated_stamps_ahead_do_not_move_it() {
        check(&[1, 2, 3, 4, 9000, 5, 6, 7, 8, 9000, 9001, 9, 10, 11, 12], 9, 3);
    }

    #[test]
    fn a_first_stamp_ahead_does_not_move_it() {
        check(&[9000, 1, 2, 3, 4, 5, 6, 7], 4, 0);
    }

    #[test]
    fn a_pause_is_no_outlier() {
        check(&[1, 1, 1, 1, 9000, 9000, 9000, 9000, 9001, 9002], 9000, 0);
    }

    #[test]
    fn descending_stamps_hold_it() {
        check(&[9, 8, 7, 6, 5, 4, 3], 6, 0);
    }

    #[test]
    fn few_packets_have_a_final_time() {
        check(&[7, 5], 5, 0);
        check(&[], 0, 0);
    }

    #[test]
    fn says_when_a_second_begins() {
        let mut clock = EventClock::new();
        let steps: Vec<Step> = [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]
            .map(|stamp| clock.advance(Time::from_secs(stamp)))
            .to_vec();
        let mut expected = vec![Step::Same; 10];
        expected[3] = Step::Started;
        expected[8] = Step::Second;
        assert_eq!(steps, expected);
    }
}
