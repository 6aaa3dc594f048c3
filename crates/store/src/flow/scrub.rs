//! The check of parts that nobody reads: once a day the checksum of each, some megabytes at a time, so that damage is
//! found, and told, while other copies of the records may still exist.

use weir_model::{NANOS_PER_S, Time};

use super::merge::quarantine;
use super::{StoreError, writer::Writer};

/// Seconds after the store was opened until the first pass: a start has other things to do.
const FIRST_AFTER_S: i64 = 600;
/// Seconds between the beginnings of two passes.
const PASS_EVERY_S: i64 = 24 * 3600;

/// Where the check is.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    /// When the next pass begins.
    due: Option<Time>,
    /// Hour and segments of the part checked last; `None` while no pass is under way.
    under_way: Option<Option<(i64, (u64, u64))>>,
}

impl Writer {
    /// Verifies the checksums of parts of some `bytes_budget` bytes when a pass is due or under way, and sets damaged
    /// ones aside. To be called again and again; parts that come during a pass may wait for the next one.
    pub fn scrub(&mut self, now: Time, bytes_budget: u64) -> Result<(), StoreError> {
        if self.disk.guards_parts() {
            return Ok(());
        }
        let after = |seconds: i64| now + seconds * NANOS_PER_S;
        // A clock that was set back must not put the next pass off by years.
        let due = self
            .scrub
            .due
            .map_or(after(FIRST_AFTER_S), |due| due.min(after(PASS_EVERY_S)));
        self.scrub.due = Some(due);
        if self.scrub.under_way.is_none() && now >= due {
            self.scrub.under_way = Some(None);
            self.scrub.due = Some(after(PASS_EVERY_S));
        }
        let mut left = bytes_budget;
        while let Some(last) = self.scrub.under_way.filter(|_| left > 0) {
            let done = |known: (i64, (u64, u64))| last.is_some_and(|last| known <= last);
            let at = self
                .parts
                .partition_point(|part| done((part.hour, part.segments)));
            let Some(part) = self.parts.get(at).cloned() else {
                self.scrub.under_way = None;
                break;
            };
            // Past this part whatever comes of it: one that cannot be read must not stop the pass.
            self.scrub.under_way = Some(Some((part.hour, part.segments)));
            left = left.saturating_sub(part.bytes.max(1));
            match part.verify(&*self.disk) {
                Ok(()) => self.counters.parts_checked += 1,
                Err(StoreError::Damaged(_)) => {
                    quarantine(self, &part)?;
                    self.publish();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
