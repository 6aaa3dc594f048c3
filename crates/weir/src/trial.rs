//! A pattern on trial: what it makes of records that pass, kept in bounds, for the command line and the interface.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use weir_detect::behaviour::bpatterns::Compiled;
use weir_model::{Batch, Event, Time};
use weir_query::behaviour::Records;
use weir_triage::Change;

use crate::pipeline::Consumer;

/// Events that are kept to be shown.
pub(crate) const SHOWN_MAX: usize = 5;
/// Sources counted; the rest are counted together.
const SOURCES_MAX: usize = 10_000;

/// What the pattern made of the records.
pub(crate) struct Trial {
    pub(crate) pattern: Arc<Compiled>,
    /// Records that passed the filter.
    pub(crate) matching: u64,
    /// Records that passed, and events, by the hour they ended in.
    pub(crate) hours: BTreeMap<i64, (u64, u64)>,
    pub(crate) events: u64,
    pub(crate) sources: BTreeMap<String, u64>,
    pub(crate) other_sources: u64,
    pub(crate) shown: Vec<Event>,
}

impl Trial {
    /// Of this pattern; nothing has passed.
    pub(crate) fn new(pattern: Arc<Compiled>) -> Self {
        Self {
            pattern,
            matching: 0,
            hours: BTreeMap::new(),
            events: 0,
            sources: BTreeMap::new(),
            other_sources: 0,
            shown: Vec::new(),
        }
    }

    /// Sources by events, most first.
    pub(crate) fn sources(&self) -> Vec<(&str, u64)> {
        let mut sources: Vec<_> = self
            .sources
            .iter()
            .map(|(name, events)| (name.as_str(), *events))
            .collect();
        sources.sort_by_key(|(name, events)| (std::cmp::Reverse(*events), *name));
        sources
    }

    fn hour(&mut self, at: Time) -> &mut (u64, u64) {
        self.hours.entry(at.bin(3600)).or_default()
    }
}

impl Consumer for Trial {
    fn batch(&mut self, batch: &Batch) -> io::Result<()> {
        let pattern = self.pattern.clone();
        let filter = &pattern.behaviour().filter;
        let ends: Vec<Time> = match pattern.behaviour().records {
            Records::Flows => {
                let fitting = batch.flows.iter().filter(|flow| filter.matches(flow));
                fitting.map(|flow| flow.end).collect()
            }
            Records::Transactions => {
                let fitting = batch
                    .transactions
                    .iter()
                    .filter(|one| filter.matches_transaction(one));
                fitting.map(|one| one.end).collect()
            }
        };
        for end in ends {
            self.matching += 1;
            self.hour(end).0 += 1;
        }
        Ok(())
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        let Change::Closed(event) = change else {
            return Ok(());
        };
        self.events += 1;
        self.hour(event.detected).1 += 1;
        let source = event.source.to_string();
        if self.sources.len() < SOURCES_MAX || self.sources.contains_key(&source) {
            *self.sources.entry(source).or_default() += 1;
        } else {
            self.other_sources += 1;
        }
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(*event);
        }
        Ok(())
    }
}
