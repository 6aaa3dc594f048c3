//! Longer work that the interface begins: fetching a list, trying a pattern or the presets over what is stored.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use weir_api::jobs::Work;
use weir_api::patterns::{HourShown, PatternVerdict, SourceShown};
use weir_api::start::PresetShown;
use weir_api::status::Counted;
use weir_model::{Batch, Priority, Quantity, Time};
use weir_triage::{Change, Preset};

use super::setting::stamp;
use crate::config::{Config, Purpose};
use crate::fetch::Remote;
use crate::pipeline::Consumer;
use crate::replay::{self, Again, HAVE, Passed};
use crate::trial::Trial;

/// How often a list is looked at that is being fetched.
const LOOK: Duration = Duration::from_millis(200);
/// How long the thread that fetches may take to begin, beside the time-out of the fetch itself.
const BEGINS: Duration = Duration::from_secs(20);
/// Sources of a trial that are shown.
const SOURCES_SHOWN: usize = 20;
/// Hours of a trial that are shown: a month.
const HOURS_SHOWN: usize = 31 * 24;

/// What passes, and where it lies.
pub(super) struct Past<'a> {
    pub(super) store: &'a Path,
    pub(super) site: &'a str,
    pub(super) since: Time,
    pub(super) until: Time,
}

/// Has a list fetched by the thread that looks after it, and waits for what comes of it.
pub(super) fn refresh(remote: &Remote, work: &Work) -> Result<(String, Value)> {
    remote.make_due().context("it cannot be marked as due")?;
    let until = Instant::now() + BEGINS + Duration::from_secs(remote.timeout_s.into());
    loop {
        let state = remote.state();
        if state.tried_s > 0 {
            let note = match &state.error {
                Some(error) => bail!("{error}; the copy before stays in force"),
                None => format!("{} indicators", Quantity::Count(state.indicators)),
            };
            return Ok((
                note,
                json!({"indicators": state.indicators, "bytes": state.bytes}),
            ));
        }
        if work.is_cancelled() || Instant::now() >= until {
            bail!("nothing has fetched it yet: it stays marked as due");
        }
        thread::sleep(LOOK);
    }
}

/// What a pattern would have said.
pub(super) fn test_pattern(
    mut config: Config,
    trial: Trial,
    past: &Past<'_>,
    work: &Work,
) -> Result<(String, Value)> {
    config.purpose = Purpose::Try(trial.pattern.clone());
    let (trial, passed) = pass(&config, trial, past, work, (0.0, 1.0))?;
    let span_s = passed.span.map_or(0.0, |(first, last)| last.secs_since(first));
    let sources = trial.sources();
    let verdict = PatternVerdict {
        records: passed.flows + passed.transactions,
        matching: trial.matching,
        events: trial.events,
        events_per_hour: trial.events as f64 / (span_s / 3600.0).max(1.0),
        hours: trial
            .hours
            .iter()
            .take(HOURS_SHOWN)
            .map(|(hour, (records, events))| HourShown {
                hour: stamp(Time::from_secs(hour * 3600)),
                records: *records,
                events: *events,
            })
            .collect(),
        other_sources: sources.len().saturating_sub(SOURCES_SHOWN) as u64 + trial.other_sources,
        sources: sources
            .iter()
            .take(SOURCES_SHOWN)
            .map(|(source, events)| SourceShown {
                source: (*source).to_owned(),
                events: *events,
            })
            .collect(),
        samples: trial
            .shown
            .iter()
            .map(|event| serde_json::from_str(&weir_output::json::event(event)).unwrap_or_default())
            .collect(),
    };
    let note = format!(
        "{} events; {} of {} records fit",
        Quantity::Count(verdict.events),
        Quantity::Count(verdict.matching),
        Quantity::Count(verdict.records)
    );
    Ok((note, serde_json::to_value(verdict)?))
}

/// What every preset would have said.
pub(super) fn try_presets(
    config: impl Fn() -> Result<Config>,
    past: &Past<'_>,
    work: &Work,
) -> Result<(String, Value)> {
    let mut shown = Vec::new();
    let mut note = Vec::new();
    for (at, word) in ["quiet", "balanced", "everything"].into_iter().enumerate() {
        let mut config = config()?;
        config.triage.preset = Preset::from_word(word).context("a preset of that name")?;
        let part = (at as f64 / 3.0, (at + 1) as f64 / 3.0);
        let (counting, passed) = pass(&config, Counting::default(), past, work, part)?;
        let span_s = passed.span.map_or(0.0, |(first, last)| last.secs_since(first));
        note.push(format!("{word} {}", counting.events));
        shown.push(PresetShown {
            preset: word.to_owned(),
            events: counting.events,
            per_day: counting.events as f64 * 86_400.0 / span_s.max(3600.0),
            priorities: counting
                .priorities
                .iter()
                .rev()
                .map(|(priority, count)| Counted::new(priority.word(), *count))
                .collect(),
        });
    }
    let note = format!("events of the span: {}", note.join(", "));
    Ok((note, serde_json::to_value(shown)?))
}

/// Counts events by priority.
#[derive(Default)]
struct Counting {
    events: u64,
    priorities: BTreeMap<Priority, u64>,
}

impl Consumer for Counting {
    fn batch(&mut self, _: &Batch) -> io::Result<()> {
        Ok(())
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        if let Change::Closed(event) = change {
            self.events += 1;
            *self.priorities.entry(event.priority).or_default() += 1;
        }
        Ok(())
    }
}

/// Passes stored records to a consumer, gently, and tells how far they are as a part of the whole work.
fn pass<C: Consumer>(
    config: &Config,
    consumer: C,
    past: &Past<'_>,
    work: &Work,
    part: (f64, f64),
) -> Result<(C, Passed)> {
    let instances = config.instances_for(HAVE, config.inside.is_some())?;
    let again = Again {
        store: past.store,
        site: past.site,
        since: past.since,
        until: past.until,
        stop: Some(work.cancelled()),
        gentle: true,
    };
    let watched = Watched {
        inner: consumer,
        work,
        span: (past.since, past.until),
        part,
    };
    let (watched, _, passed) = replay::run(&again, config, &instances, watched)?;
    work.progress(part.1);
    Ok((watched.inner, passed))
}

/// Tells how far the records are.
struct Watched<'a, C> {
    inner: C,
    work: &'a Work,
    span: (Time, Time),
    part: (f64, f64),
}

impl<C: Consumer> Consumer for Watched<'_, C> {
    fn batch(&mut self, batch: &Batch) -> io::Result<()> {
        if let Some(tick) = batch.ticks.iter().rfind(|tick| !tick.end) {
            let (since, until) = self.span;
            let done = tick.time.secs_since(since) / until.secs_since(since).max(1.0);
            let (from, to) = self.part;
            self.work.progress(from + (to - from) * done.clamp(0.0, 1.0));
        }
        self.inner.batch(batch)
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        self.inner.change(change)
    }
}
