//! The last flows that passed, so that an event can freeze those that prove it when it is raised.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_model::{Batch, Event, FlowFilter, FlowRecord};

/// Records kept for evidence: at some 400 bytes a record about 50 MiB, and minutes of a busy feed.
const RECORDS_MAX: usize = 131_072;

/// A sliding window over the batches of the pipeline; shares them, copies nothing.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    batches: VecDeque<Arc<Batch>>,
    records: usize,
}

impl Recent {
    /// Adds a batch; the oldest leave.
    pub(crate) fn push(&mut self, batch: Arc<Batch>) {
        self.records += batch.len();
        self.batches.push_back(batch);
        while self.records > RECORDS_MAX
            && let Some(oldest) = self.batches.pop_front()
        {
            self.records -= oldest.len();
        }
    }

    /// The first flows that match, by start, at most [`Event::EVIDENCE_MAX`].
    pub(crate) fn first(&self, filter: &FlowFilter) -> Vec<FlowRecord> {
        let flows = self.batches.iter().flat_map(|batch| &batch.flows);
        let mut found: Vec<&FlowRecord> = flows.filter(|flow| filter.matches(flow)).collect();
        found.sort_by_key(|flow| (flow.start, flow.seq));
        found.truncate(Event::EVIDENCE_MAX);
        found.into_iter().cloned().collect()
    }
}
