//! Keeps what profiles come to: counts each generation of the log once, before it becomes parts, and fills profiles from
//! the stored past.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use weir_model::Time;

use super::combine::combine;
use super::known::Known;
use super::roll::{Plan, Rolled};
use super::table::Rows;
use super::{Profile, STEPS, Step};
use crate::disk::Disk;
use crate::flow::part::{HOUR_MS, MIXED, Part};
use crate::flow::retention::Retention;
use crate::flow::{Counters, Limits, Shared, StoreError, Table, Writer};

/// What counting came to since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollupCounters {
    /// Records of channels that found no room, because one segment of the log told of too many different times.
    pub left_out: u64,
    /// Segments that could not be counted.
    pub segments_failed: u64,
}

/// The counted profiles of a site.
pub struct Rollups {
    disk: Arc<dyn Disk>,
    known: Known,
    plan: Plan,
    /// By step.
    writers: [Writer; 3],
    /// The last generation that was counted since the store was opened.
    counted: Option<u64>,
    counters: RollupCounters,
}

impl Rollups {
    pub(in crate::flow) fn open(
        disk: &Arc<dyn Disk>,
        site: &str,
        keep: &[Retention; 3],
    ) -> Result<Self, StoreError> {
        let known = Known::read(&**disk)?;
        let open = |step: Step| {
            let limits = Limits {
                retention: keep[step.at()].clone(),
                ..Limits::default()
            };
            Writer::open(disk.clone(), Table::profiles(step), site, limits)
        };
        let mut rollups = Self {
            disk: disk.clone(),
            plan: Plan::default(),
            known: Known::default(),
            writers: [open(STEPS[0])?, open(STEPS[1])?, open(STEPS[2])?],
            counted: None,
            counters: RollupCounters::default(),
        };
        rollups.learn(known);
        Ok(rollups)
    }

    /// Goes by these definitions.
    fn learn(&mut self, known: Known) {
        self.plan = Plan::of(&known);
        for (step, writer) in STEPS.into_iter().zip(&mut self.writers) {
            let known = known.clone();
            writer.combine_with(Box::new(move |batches| combine(step, &known, batches)));
        }
        self.known = known;
    }

    /// Puts other definitions in the place of those on the disk, and goes by them.
    fn define(&mut self, known: Known) -> Result<(), StoreError> {
        if known != self.known || known == Known::default() {
            known.write(&*self.disk)?;
        }
        self.learn(known);
        Ok(())
    }

    /// Counts these from now on, and the profile of all records; others end, and stay to be asked.
    ///
    /// # Errors
    /// When there are too many, a name cannot be one, or the disk fails.
    pub fn set(&mut self, profiles: &[Profile]) -> Result<(), StoreError> {
        let mut known = self.known.clone();
        known.set(profiles)?;
        self.define(known)
    }

    /// Forgets a profile that is not counted any more: it cannot be asked, and its rows go when parts are merged. False
    /// when there is none of this name, or it is counted.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn forget(&mut self, name: &str) -> Result<bool, StoreError> {
        let mut known = self.known.clone();
        known.profiles.retain(|kept| kept.active || kept.name != name);
        let found = known.profiles.len() < self.known.profiles.len();
        self.define(known)?;
        Ok(found)
    }

    /// The profiles, those that are not counted any more too.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// What was counted.
    pub fn counters(&self) -> RollupCounters {
        self.counters
    }

    /// What was written, by step.
    pub fn written(&self) -> [Counters; 3] {
        self.writers.each_ref().map(Writer::counters)
    }

    /// Bytes of all parts.
    pub fn bytes(&self) -> u64 {
        self.writers.iter().map(|writer| writer.fullness().bytes).sum()
    }

    /// What readers on other threads see, by step.
    pub fn shared(&self) -> [Shared; 3] {
        self.writers.each_ref().map(Writer::shared)
    }

    /// The highest number of a segment that was counted.
    pub(in crate::flow) fn highest(&self) -> u64 {
        let highest = self.writers.iter().map(Writer::highest);
        highest.max().unwrap_or(0)
    }

    /// Counts a generation, unless that was done. An error is the disk's: it has to be tried again before the generation
    /// becomes parts. What fails otherwise is given up and counted.
    pub(in crate::flow) fn count(
        &mut self,
        sequence: u64,
        batches: &[RecordBatch],
    ) -> Result<(), StoreError> {
        if self.counted >= Some(sequence) {
            return Ok(());
        }
        let mut rolled = Rolled::default();
        for batch in batches {
            rolled.count(&self.plan, batch, &|_| true);
        }
        let (plan, writers) = (&self.plan, &mut self.writers);
        match add(writers, sequence, plan, &rolled) {
            Err(error @ (StoreError::Full | StoreError::Disk(_))) => return Err(error),
            Err(_) => self.counters.segments_failed += 1,
            Ok(()) => self.counters.left_out += rolled.left_out,
        }
        self.counted = Some(sequence);
        Ok(())
    }

    /// Merges what is small and lets go what is old.
    pub(in crate::flow) fn maintain(&mut self, now: Time, rows_budget: u64) -> Result<(), StoreError> {
        let each = self.writers.iter_mut();
        each.map(|writer| writer.maintain(now, rows_budget).map(drop))
            .fold(Ok(()), Result::and)
    }

    /// Merges everything that can be.
    pub(in crate::flow) fn finish(&mut self, now: Time) -> Result<(), StoreError> {
        for writer in &mut self.writers {
            while writer.maintain(now, u64::MAX)? {}
        }
        Ok(())
    }

    /// Counts a profile anew from what the store holds in parts, from the first day that is whole there; what was counted
    /// of earlier ones stays. `sequence` gives a number no segment has or will have; `told` hears parts done and parts in
    /// all, and says whether to go on. Gives up the new numbers, and keeps the old ones, when it is not to.
    pub(in crate::flow) fn fill(
        &mut self,
        name: &str,
        parts: &[Arc<Part>],
        mut sequence: impl FnMut() -> u64,
        told: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<bool, StoreError> {
        let mut known = self.known.clone();
        let kept = known
            .profile(name)
            .filter(|kept| kept.active)
            .ok_or_else(|| StoreError::Profile(format!("no profile {name:?} is counted")))?;
        let kept = kept.clone();
        let epoch = known.take_epoch();
        // The number is taken before anything bears it: an attempt that is cut off shares it with nobody.
        self.define(known.clone())?;
        let from = self.fill_from(name, parts)?;
        let plan = Plan::filling(&kept, from, epoch);
        let day = |part: &Part| match part.hour {
            MIXED => MIXED,
            hour => hour.div_euclid(24),
        };
        let mut days = BTreeMap::<i64, Vec<&Arc<Part>>>::new();
        for part in parts {
            days.entry(day(part)).or_default().push(part);
        }
        let mut done = 0;
        for parts_of_day in days.values() {
            let mut rolled = Rolled::default();
            for part in parts_of_day {
                if !told(done, parts.len()) {
                    return Ok(false);
                }
                for batch in part.read(&*self.disk)? {
                    rolled.count(&plan, &batch, &|start| start >= from);
                }
                done += 1;
            }
            self.counters.left_out += rolled.left_out;
            add(&mut self.writers, sequence(), &plan, &rolled)?;
        }
        if let Some(kept) = known.profile_mut(name) {
            kept.turn(from, epoch);
        }
        self.define(known)?;
        told(done, parts.len());
        Ok(true)
    }

    /// The first moment that a profile is counted anew from: when it has numbers of a time before the stored records,
    /// the first whole day of those; otherwise everything.
    fn fill_from(&self, name: &str, parts: &[Arc<Part>]) -> Result<i64, StoreError> {
        let hours = parts.iter().map(|part| part.hour).filter(|hour| *hour != MIXED);
        let day = Step::Day.millis();
        let first = hours.min().map_or(i64::MAX, |hour| hour * HOUR_MS);
        let first_day = first.div_euclid(day).saturating_mul(day);
        let kept = self.known.profile(name);
        for part in self.writers[Step::Day.at()].parts.iter() {
            for batch in part.read(&*self.disk)? {
                let Some(rows) = Rows::of(&batch) else { continue };
                let counts = |row: usize| {
                    let epoch = kept.and_then(|kept| kept.epoch_at(rows.start(row)));
                    rows.profile(row) == name && rows.start(row) < first_day && Some(rows.epoch(row)) == epoch
                };
                if (0..rows.len()).any(counts) {
                    let whole = if first == first_day {
                        first_day
                    } else {
                        first_day.saturating_add(day)
                    };
                    return Ok(whole);
                }
            }
        }
        Ok(i64::MIN)
    }
}

/// Writes what was counted to the tables of all steps.
fn add(writers: &mut [Writer; 3], sequence: u64, plan: &Plan, rolled: &Rolled) -> Result<(), StoreError> {
    for (step, writer) in STEPS.into_iter().zip(writers) {
        let rows = rolled.rows(plan, step);
        if !rows.is_empty() {
            writer.add(sequence, &[super::table::to_batch(step, &rows)?])?;
        }
    }
    Ok(())
}
