//! A channel's numbers over time, out of the counted steps and what is in the log alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Step;
use super::known::Known;
use super::roll::{Plan, Rolled, Span, step_for};
use super::table::{CLASSES, Class, Counts, Rows, Sketches};
use crate::disk::Disk;
use crate::flow::part::MIXED;
use crate::flow::rows::{by_hour, starts};
use crate::flow::search::BUCKETS_MAX;
use crate::flow::snapshot::Covered;
use crate::flow::{HOUR_MS, Part, Shared, Snapshot, StoreError, Table};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series<'a> {
    pub profile: &'a str,
    pub channel: &'a str,
    /// Length of a step, milliseconds: any multiple of 30 seconds. The coarsest kept step that divides it answers.
    pub step_ms: i64,
    /// Moments, milliseconds since 1970: inclusive, exclusive; widened to whole steps.
    pub from_ms: i64,
    pub to_ms: i64,
}

/// A step of the answer. Steps without records are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Where it begins, milliseconds since 1970.
    pub start_ms: i64,
    counts: [Counts; CLASSES.len()],
    pub sketches: Sketches,
}

impl Point {
    /// What a class came to.
    pub fn counts(&self, class: Class) -> Counts {
        self.counts[class.at()]
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    #[error("there is no profile {0:?}")]
    Profile(String),
    #[error("the profile {0:?} has no channel {1:?}; it has {2}")]
    Channel(String, String, String),
    #[error("a step has to be a multiple of 30 seconds")]
    Step,
    #[error("more than {BUCKETS_MAX} steps: take longer ones, or a shorter time")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the numbers are, at one moment.
pub struct View {
    pub disk: Arc<dyn Disk>,
    pub known: Known,
    /// The flow table, of which what is in the log alone is counted here.
    pub flows: Snapshot,
    /// By step.
    pub steps: [Snapshot; 3],
}

impl View {
    /// What is on the disk; another process may be writing.
    ///
    /// # Errors
    /// When the folder cannot be read, or was written by a later version.
    pub fn read(disk: Arc<dyn Disk>, site: &str) -> Result<Self, StoreError> {
        // Flows first: what became parts since is then read as counted, and its log left out.
        let flows = Snapshot::read(&*disk, Table::flows(), site)?;
        let step = |step| Snapshot::read(&*disk, Table::profiles(step), site);
        Ok(Self {
            known: Known::read(&*disk)?,
            flows,
            steps: [
                step(Step::HalfMinute)?,
                step(Step::FiveMinutes)?,
                step(Step::Day)?,
            ],
            disk,
        })
    }

    /// What the writer of this process has.
    ///
    /// # Errors
    /// When the definitions cannot be read.
    pub fn shared(disk: Arc<dyn Disk>, flows: &Shared, steps: &[Shared; 3]) -> Result<Self, StoreError> {
        let flows = (*flows.latest()).clone();
        Ok(Self {
            known: Known::read(&*disk)?,
            flows,
            steps: steps.each_ref().map(|step| (*step.latest()).clone()),
            disk,
        })
    }

    /// Beginning of the oldest partition of a step that is still kept, milliseconds since 1970.
    pub fn since(&self, step: Step) -> Option<i64> {
        let parts = self.steps[step.at()].parts.iter();
        let hours = parts.map(|part| part.hour).filter(|hour| *hour != MIXED);
        hours.min().map(|hour| hour.saturating_mul(HOUR_MS))
    }
}

/// Answers.
///
/// # Errors
/// When the profile, its channel or the step is none, the answer too long, or the store cannot be read.
pub fn series(asked: &Series<'_>, view: &View) -> Result<Vec<Point>, SeriesError> {
    let kept = view.known.profile(asked.profile);
    let kept = kept.ok_or_else(|| SeriesError::Profile(asked.profile.to_owned()))?;
    if !kept.channels.iter().any(|channel| channel.name == asked.channel) {
        let names: Vec<&str> = kept
            .channels
            .iter()
            .map(|channel| channel.name.as_str())
            .collect();
        return Err(SeriesError::Channel(
            asked.profile.to_owned(),
            asked.channel.to_owned(),
            names.join(", "),
        ));
    }
    let step = step_for(asked.step_ms).ok_or(SeriesError::Step)?;
    let from = asked
        .from_ms
        .div_euclid(asked.step_ms)
        .saturating_mul(asked.step_ms);
    let (from, to) = (from.max(i64::MIN / 2), asked.to_ms);
    let within =
        |start: i64| start >= from && start.div_euclid(asked.step_ms).saturating_mul(asked.step_ms) < to;
    let mut points = BTreeMap::<i64, Span>::new();
    let mut add = |start: i64, span: &Span| {
        let start = start.div_euclid(asked.step_ms).saturating_mul(asked.step_ms);
        points.entry(start).or_default().merge(span);
        if points.len() as u64 > BUCKETS_MAX {
            return Err(SeriesError::TooMany);
        }
        Ok(())
    };
    let snapshot = &view.steps[step.at()];
    for part in snapshot
        .parts
        .iter()
        .filter(|part| touches(part, from, to, asked.step_ms))
    {
        for batch in part.read(&*view.disk)? {
            let Some(rows) = Rows::of(&batch) else { continue };
            for row in 0..rows.len() {
                let (start, epoch) = (rows.start(row), Some(rows.epoch(row)));
                let own = rows.profile(row) == asked.profile && rows.channel(row) == asked.channel;
                let Some(class) = rows.class(row).filter(|_| own && within(start)) else {
                    continue;
                };
                if kept.epoch_at(start) == epoch {
                    let mut span = Span::default();
                    span.counts[class.at()] = rows.counts(row);
                    span.sketches = rows.sketches(row).unwrap_or_default();
                    add(start, &span)?;
                }
            }
        }
    }
    if kept.active {
        for (start, span) in uncounted(asked, view, step, &within)? {
            add(start, &span)?;
        }
    }
    let points = points.into_iter().map(|(start_ms, span)| Point {
        start_ms,
        counts: span.counts,
        sketches: span.sketches,
    });
    Ok(points.collect())
}

fn touches(part: &Part, from: i64, to: i64, step_ms: i64) -> bool {
    let first = part.hour.saturating_mul(HOUR_MS);
    let last = first.saturating_add(part.hours * HOUR_MS);
    part.hour == MIXED || (last >= from && first < to.saturating_add(step_ms))
}

/// Rows of the log that no part of the step has counted.
fn uncounted(
    asked: &Series<'_>,
    view: &View,
    step: Step,
    within: &dyn Fn(i64) -> bool,
) -> Result<Vec<(i64, Span)>, SeriesError> {
    let Some(kept) = view.known.profile(asked.profile) else {
        return Ok(Vec::new());
    };
    let plan = Plan::only(kept, asked.channel);
    let covered = Covered::of(view.steps[step.at()].parts.iter().map(|part| &**part));
    let wide = Table::profiles(step).hours;
    let mut rolled = Rolled::default();
    for (batch, sequence) in view.flows.memory.iter().zip(&view.flows.generations) {
        if !starts(batch).iter().any(|start| within(*start)) {
            continue;
        }
        for (hour, batches) in by_hour(std::slice::from_ref(batch), wide)? {
            // Rows of a segment that told of too many partitions lie together.
            if !covered.covers(hour, *sequence) && !covered.covers(MIXED, *sequence) {
                for batch in &batches {
                    rolled.count(&plan, batch, within);
                }
            }
        }
    }
    Ok(rolled.into_spans().collect())
}
