//! Groups of spans of time without hashing: rows of a part are in the order of addresses, so that neighbours lie in any
//! span, and the number of a span is one multiplication away. The hash table still owns the groups; what is found in it
//! is remembered by number.

use super::SearchError;
use super::control::Control;
use super::table::Table;

/// Spans remembered on either side of the first row's; rows of others are looked up as any key is. More than an answer
/// may have ([`super::BUCKETS_MAX`]).
const REMEMBERED: u64 = 1 << 17;
/// Rows whose numbers are computed together, so that the table answers for all of them at once.
const TOGETHER: usize = 256;
const FIX: &str = "raise the memory limit";

/// Groups by the number of their span.
pub(super) struct KnownSpans {
    nanos: i64,
    /// One by the width: the quotient it gives is right or off by one.
    share: f64,
    /// Begin of the span with number 0.
    base: i64,
    /// Group plus one by number; empty before the first row.
    groups: Vec<u32>,
}

impl KnownSpans {
    pub(super) fn new(nanos: i64) -> Self {
        Self {
            nanos,
            share: 1.0 / nanos as f64,
            base: 0,
            groups: Vec::new(),
        }
    }

    /// The group of each row; `key` gives the key of a span by its begin, and `groups` is overwritten.
    pub(super) fn find_all(
        &mut self,
        times: &[i64],
        rows: &[u32],
        table: &mut Table,
        key: &dyn Fn(i64) -> Vec<u64>,
        groups: &mut Vec<u32>,
        control: &Control,
    ) -> Result<(), SearchError> {
        groups.clear();
        if let Some(first) = rows.first().filter(|_| self.groups.is_empty()) {
            self.begin(times[*first as usize], control)?;
        }
        let mut numbers = [0; TOGETHER];
        for rows in rows.chunks(TOGETHER) {
            for (number, row) in numbers.iter_mut().zip(rows) {
                *number = self.number(times[*row as usize]);
            }
            for (number, row) in numbers.iter().zip(rows) {
                let known = self.groups.get(*number as usize).copied().unwrap_or(0);
                groups.push(match known.checked_sub(1) {
                    Some(group) => group,
                    None => self.look_up(times[*row as usize], *number, table, key, control)?,
                });
            }
        }
        Ok(())
    }

    fn begin(&mut self, time: i64, control: &Control) -> Result<(), SearchError> {
        let spans = 2 * REMEMBERED as usize;
        control.take(spans * size_of::<u32>(), FIX)?;
        self.groups = vec![0; spans];
        let before = self.nanos.saturating_mul(REMEMBERED as i64);
        let base = time.saturating_sub(before);
        // At the very beginning of time the next span's begin is as good.
        let into = base.rem_euclid(self.nanos);
        let begin = base.checked_sub(into);
        self.base = begin.unwrap_or_else(|| base.saturating_add(self.nanos - into));
        Ok(())
    }

    /// The number of the span; one past all that are remembered when there is no such span among them.
    fn number(&self, time: i64) -> u64 {
        let Some(after) = time.checked_sub(self.base).filter(|after| *after >= 0) else {
            return u64::MAX;
        };
        let near = (after as f64 * self.share) as i64;
        if near >= 2 * REMEMBERED as i64 {
            return u64::MAX;
        }
        // Below the limit the product cannot overflow: it is at most a span more than `after`.
        let left = after.wrapping_sub(near.wrapping_mul(self.nanos));
        (near + i64::from(left >= self.nanos) - i64::from(left < 0)) as u64
    }

    #[cold]
    fn look_up(
        &mut self,
        time: i64,
        number: u64,
        table: &mut Table,
        key: &dyn Fn(i64) -> Vec<u64>,
        control: &Control,
    ) -> Result<u32, SearchError> {
        let begin = time.saturating_sub(time.rem_euclid(self.nanos));
        let mut found = Vec::with_capacity(1);
        table.find_all(&key(begin), &mut found, control)?;
        let group = found.first().copied().unwrap_or(0);
        if let Some(known) = self.groups.get_mut(number as usize) {
            *known = group + 1;
        }
        Ok(group)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every moment falls into the group of the begin of its span, near and far, before and after the first.
        #[test]
        fn groups_are_those_of_begins(
            nanos in prop_oneof![1..50_i64, 900_000_000..1_100_000_000_i64, Just(1), Just(i64::MAX)],
            first in any::<i64>(),
            moments in prop::collection::vec(prop_oneof![any::<i64>(), -5_000_000_000..5_000_000_000_i64], 1..40),
        ) {
            let control = Control::default();
            let mut table = Table::new(1, Vec::new());
            let mut known = KnownSpans::new(nanos);
            let moments = moments.into_iter().map(|near| first.saturating_add(near));
            let times: Vec<i64> = std::iter::once(first).chain(moments).collect();
            let rows: Vec<u32> = (0..times.len() as u32).collect();
            let key = |begin: i64| vec![begin.cast_unsigned()];
            let mut groups = Vec::new();
            // Twice: what is remembered is what was found.
            for _ in 0..2 {
                known.find_all(&times, &rows, &mut table, &key, &mut groups, &control).unwrap();
                for (time, group) in times.iter().zip(&groups) {
                    let begin = time.saturating_sub(time.rem_euclid(nanos));
                    prop_assert_eq!(table.key(*group as usize), [begin.cast_unsigned()]);
                }
            }
        }
    }
}
