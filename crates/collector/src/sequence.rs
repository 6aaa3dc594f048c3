//! Sequence numbers of one observation domain: what was lost, what came late, when the exporter began anew.
//! Late messages give back what their gap had counted as lost, so reordering alone leaves no loss behind.

/// Gaps remembered, so that messages up to that many losses late are recognised.
const GAPS_MAX: usize = 64;
/// A jump further than this, either way, is a restart of the numbering and not a loss: no network loses so much between
/// two messages, and counting it as loss would drown every true figure.
const JUMP_MAX: u32 = 1 << 20;

/// Sequence accounting.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    next: Option<u32>,
    /// Number of the message before.
    last: u32,
    gaps: Vec<Gap>,
}

#[derive(Clone, Copy, Debug)]
struct Gap {
    start: u32,
    units: u32,
}

/// What one message did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Units newly missing.
    pub(crate) lost: u64,
    /// Units that were counted as missing and came after all.
    pub(crate) found: u64,
    /// Behind what was expected: late or a duplicate.
    pub(crate) late: bool,
    pub(crate) restart: bool,
}

impl Sequence {
    /// Takes a message with this number that holds `units`; `None` when they cannot be counted (data without template).
    pub(crate) fn step(&mut self, number: u32, units: Option<u32>) -> Step {
        let mut step = Step::default();
        let behind = units.map(|units| number.wrapping_add(units));
        let Some(next) = self.next else {
            self.last = number;
            self.next = behind;
            return step;
        };
        let ahead = number.wrapping_sub(next);
        let back = next.wrapping_sub(number);
        // softflowd's IPFIX counts the records of the message itself in; the RFC counts those before it.
        let counts_itself = units.is_some_and(|units| number.wrapping_sub(units) == self.last);
        if ahead == 0 || counts_itself {
            self.last = number;
            self.next = behind;
        } else if ahead <= JUMP_MAX {
            step.lost = ahead.into();
            if self.gaps.len() == GAPS_MAX {
                self.gaps.remove(0);
            }
            self.gaps.push(Gap {
                start: next,
                units: ahead,
            });
            self.last = number;
            self.next = behind;
        } else if back <= JUMP_MAX && number != 0 {
            step.late = true;
            step.found = self.fill(number, units.unwrap_or(0));
        } else {
            step.restart = true;
            self.last = number;
            self.restart(behind);
        }
        step
    }

    /// The exporter began anew; its next message is expected at `next`.
    pub(crate) fn restart(&mut self, next: Option<u32>) {
        self.next = next;
        self.gaps.clear();
    }

    /// Takes `units` from `number` on out of the gap they lie in.
    fn fill(&mut self, number: u32, units: u32) -> u64 {
        let found = self.gaps.iter().position(|gap| {
            let into = number.wrapping_sub(gap.start);
            into < gap.units && units <= gap.units - into
        });
        let Some(index) = found.filter(|_| units > 0) else {
            return 0;
        };
        let gap = self.gaps.remove(index);
        let before = number.wrapping_sub(gap.start);
        let after = gap.units - before - units;
        let rest = [
            Gap {
                start: gap.start,
                units: before,
            },
            Gap {
                start: number.wrapping_add(units),
                units: after,
            },
        ];
        self.gaps.extend(
            rest.into_iter()
                .filter(|gap| gap.units > 0)
                .take(GAPS_MAX - self.gaps.len()),
        );
        units.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lost units and late messages after messages of one unit with these numbers.
    fn check(numbers: &[u32]) -> (i64, u64, u64) {
        let mut sequence = Sequence::default();
        let mut sum = (0, 0, 0);
        for &number in numbers {
            let step = sequence.step(number, Some(1));
            sum.0 += step.lost as i64 - step.found as i64;
            sum.1 += u64::from(step.late);
            sum.2 += u64::from(step.restart);
        }
        sum
    }

    #[test]
    fn loss_reordering_duplicates_restart_wrap() {
        assert_eq!(check(&[1, 2, 3]), (0, 0, 0));
        assert_eq!(check(&[1, 2, 6]), (3, 0, 0));
        assert_eq!(check(&[1, 3, 2, 4]), (0, 1, 0));
        assert_eq!(check(&[1, 9, 4, 3, 2, 10]), (4, 3, 0));
        assert_eq!(check(&[1, 2, 2, 3]), (0, 1, 0));
        assert_eq!(check(&[5_000_000, 5_000_001, 1, 2]), (0, 0, 1));
        assert_eq!(check(&[900, 0, 1, 2]), (0, 0, 1));
        assert_eq!(check(&[u32::MAX, 0, 2]), (1, 0, 0));
    }

    #[test]
    fn numbers_that_count_their_own_message() {
        let mut sequence = Sequence::default();
        for (number, units) in [(25, 25), (57, 32), (60, 3), (92, 32)] {
            assert_eq!(sequence.step(number, Some(units)), Step::default());
        }
    }

    #[test]
    fn unknown_sizes_give_no_verdict() {
        let mut sequence = Sequence::default();
        sequence.step(10, None);
        assert_eq!(sequence.step(50, Some(5)), Step::default());
        assert_eq!(sequence.step(55, Some(5)), Step::default());
    }
}
