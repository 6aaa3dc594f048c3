//! Generations of rows become parts, small parts become large ones, and what is not needed any more goes.

use std::sync::Arc;

use arrow_array::RecordBatch;
use weir_model::Time;

use super::{Generation, Health, Writer};
use crate::flow::part::{self, Part};
use crate::flow::rows::{self, Sorted};
use crate::flow::snapshot::{Covered, Snapshot, log_folder};
use crate::flow::{StoreError, merge};

/// Makes rows of merged parts fewer: those that say the same add up.
pub(in crate::flow) type Combine =
    Box<dyn Fn(&[RecordBatch]) -> Result<Vec<RecordBatch>, StoreError> + Send + Sync>;

impl Writer {
    /// Merged rows go through this.
    pub(in crate::flow) fn combine_with(&mut self, combine: Combine) {
        self.combine = Some(combine);
    }

    /// Takes rows that are in the log of another table, segment `sequence`, straight into parts. Those of partitions that
    /// have this segment are there already. After an error all of it may be done again.
    pub(in crate::flow) fn add(&mut self, sequence: u64, batches: &[RecordBatch]) -> Result<(), StoreError> {
        let covered = Covered::of(self.parts.iter().map(|part| &**part));
        for (hour, batches) in rows::by_hour(batches, self.table.hours)? {
            if covered.covers(hour, sequence) {
                continue;
            }
            if self.unsure {
                merge::sweep(self, hour)?;
            }
            self.unsure = true;
            let rows = Sorted::of(self.table, &batches)?;
            let part = part::write(
                &*self.disk,
                self.table,
                &self.site,
                hour,
                (sequence, sequence),
                &rows,
            )?;
            self.unsure = false;
            self.counters.parts_written += 1;
            self.counters.part_bytes_written += part.bytes;
            self.parts.push(Arc::new(part));
            self.parts.sort_by_key(|part| (part.hour, part.segments));
        }
        self.publish();
        Ok(())
    }

    /// The highest number of a segment whose rows are in parts.
    pub(in crate::flow) fn highest(&self) -> u64 {
        self.parts.iter().map(|part| part.segments.1).max().unwrap_or(0)
    }

    /// A number that no segment has or will have.
    pub(in crate::flow) fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }

    /// Segments get greater numbers than this.
    pub(in crate::flow) fn begin_behind(&mut self, sequence: u64) {
        self.next_sequence = self.next_sequence.max(sequence + 1);
    }

    /// Closes the generation being filled, as soon as it is durable.
    pub(in crate::flow) fn close(&mut self, now: Time) -> Result<(), StoreError> {
        self.sync(now)?;
        self.freeze();
        Ok(())
    }

    /// Segment and rows of the generations that become parts next, oldest first.
    pub(in crate::flow) fn closed(&self) -> impl Iterator<Item = (u64, &[RecordBatch])> {
        let closed = self.frozen.iter();
        closed.map(
            |Generation {
                 sequence, batches, ..
             }| (*sequence, &batches[..]),
        )
    }

    /// Are there generations to make parts of?
    pub fn waiting(&self) -> bool {
        !self.frozen.is_empty()
    }

    /// Does what waits: generations become parts, small parts are merged (`rows_budget` rows at most), old ones go.
    /// True when there is more to do at once.
    pub fn maintain(&mut self, now: Time, rows_budget: u64) -> Result<bool, StoreError> {
        while !self.frozen.is_empty() {
            if let Err(error) = self.flush() {
                return Err(self.failed(error, now));
            }
        }
        let done = self.remove_stale().and_then(|()| merge::run(self, rows_budget));
        let more = match done {
            Ok(more) => more,
            Err(error) => return Err(self.failed(error, now)),
        };
        if let Err(error) = self.expire(now) {
            return Err(self.failed(error, now));
        }
        self.remove_retired();
        if self.open.rows == self.acknowledged_rows() {
            self.health = Health::Writing;
        }
        self.publish();
        Ok(more)
    }

    /// Everything becomes parts: at the end of a file, or when the program stops.
    pub fn finish(&mut self, now: Time) -> Result<(), StoreError> {
        self.close(now)?;
        while self.maintain(now, u64::MAX)? {}
        Ok(())
    }

    /// The oldest generation becomes parts. After an error it keeps the hours that are not done; those of too many
    /// hours go first, so that what is left is parted in the same way again.
    fn flush(&mut self) -> Result<(), StoreError> {
        let Some(generation) = self.frozen.front_mut() else {
            return Ok(());
        };
        let segments = (generation.sequence, generation.sequence);
        let mut hours = rows::by_hour(&generation.batches, self.table.hours)?;
        let mut outcome = Ok(());
        while let Some((hour, batches)) = hours.pop_first() {
            let written = Sorted::of(self.table, &batches)
                .and_then(|rows| part::write(&*self.disk, self.table, &self.site, hour, segments, &rows));
            match written {
                Ok(part) => {
                    self.counters.parts_written += 1;
                    self.counters.part_bytes_written += part.bytes;
                    self.parts.push(Arc::new(part));
                }
                Err(error) => {
                    hours.insert(hour, batches);
                    outcome = Err(error);
                    break;
                }
            }
        }
        generation.batches = hours.into_values().flatten().collect();
        if outcome.is_ok() {
            let done = self.frozen.pop_front();
            self.stale.extend(done.and_then(|generation| generation.segment));
        }
        self.parts.sort_by_key(|part| (part.hour, part.segments));
        self.publish();
        outcome
    }

    /// Removes segments that are not needed, oldest first. A condemned one is durably gone before the next.
    pub(super) fn remove_stale(&mut self) -> Result<(), StoreError> {
        let folder = log_folder(self.table, &self.site);
        while let Some(stale) = self.stale.front() {
            if stale.damaged {
                self.set_aside(&stale.path.clone())?;
            } else if let Err(error) = self.disk.remove(&stale.path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error.into());
            }
            if stale.condemned {
                self.disk.sync_folder(&folder)?;
            }
            self.stale.pop_front();
        }
        Ok(())
    }

    /// Moves a damaged file where nobody reads it and people find it.
    pub(in crate::flow) fn set_aside(&self, path: &str) -> Result<(), StoreError> {
        self.disk.make_folder("quarantine")?;
        let name = path.replace('/', "_");
        self.disk.rename(path, &format!("quarantine/{name}"))?;
        self.disk.sync_folder("quarantine")?;
        Ok(())
    }

    /// Takes parts out of the table and puts others in. The old files are removed when no reader holds them.
    pub(in crate::flow) fn replace(&mut self, old: &[Arc<Part>], new: Option<Part>) {
        self.parts.retain(|part| !old.contains(part));
        self.parts.extend(new.map(Arc::new));
        self.parts.sort_by_key(|part| (part.hour, part.segments));
        self.retired.extend_from_slice(old);
        self.publish();
    }

    /// A reader's snapshot keeps its parts readable; those of nobody go. What cannot be removed is tried again.
    fn remove_retired(&mut self) {
        let disk = self.disk.clone();
        self.retired.retain(|part| {
            let held = Arc::strong_count(part) > 1;
            held || disk
                .remove(&part.path)
                .is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound)
        });
    }

    pub(in crate::flow) fn publish(&self) {
        let generations = || self.frozen.iter().chain([&self.open]);
        let memory = generations().flat_map(|generation| {
            let batches = generation.batches.iter().cloned();
            batches.map(move |batch| (batch, generation.sequence))
        });
        let (memory, generations) = memory.unzip();
        self.shared.publish(Snapshot {
            parts: Arc::new(self.parts.clone()),
            memory,
            generations,
        });
    }
}
