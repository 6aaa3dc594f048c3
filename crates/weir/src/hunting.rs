//! Hunting in the past: indicators that came later than the traffic, looked for in what is stored. What they find says
//! so, wherever its events go.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use weir_enrich::Slot;
use weir_enrich::indicator::Snapshot;
use weir_model::{Batch, NANOS_PER_S, Quantity, Time};
use weir_triage::Change;

use crate::config::{Config, Purpose};
use crate::pipeline::Consumer;
use crate::replay::{self, Again, HAVE};

/// How far back a hunt beside a live line looks, seconds. Most stores keep some weeks of flows.
const BACK_S: i64 = 30 * 86_400;

/// Key of the mark in an event's details.
const MARK: &str = "Retroactive";

/// Looks for indicators in the store that a live line fills, gently; the stop ends it. Says in a line what came of it.
pub(crate) fn beside(
    store: &Path,
    site: &str,
    new: Arc<Snapshot>,
    mut config: Config,
    (now, stop): (Time, &AtomicBool),
    consumer: impl Consumer,
) -> Result<String> {
    config.indicators = Arc::new(Slot::new(Some(new)));
    (config.has_lists, config.purpose) = (true, Purpose::Hunt);
    // What is learned belongs to the line that is live.
    config.learned = None;
    let instances = config.instances_for(HAVE, true)?;
    let again = Again {
        store,
        site,
        since: now - BACK_S * NANOS_PER_S,
        until: now,
        stop: Some(stop),
        gentle: true,
    };
    let found = Counting {
        inner: Afterwards(consumer),
        events: 0,
    };
    let (found, _, passed) = replay::run(&again, &config, &instances, found)?;
    Ok(format!(
        "new indicators looked for in {} flow records and {} transactions of the past: {} events{}",
        Quantity::Count(passed.flows),
        Quantity::Count(passed.transactions),
        Quantity::Count(found.events),
        if passed.stopped { "; stopped early" } else { "" }
    ))
}

/// Counts events. The records passed once already: they are not kept again.
struct Counting<C> {
    inner: Afterwards<C>,
    events: u64,
}

impl<C: Consumer> Consumer for Counting<C> {
    fn batch(&mut self, _: &Batch) -> io::Result<()> {
        Ok(())
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        self.events += u64::from(matches!(change, Change::Closed(_)));
        self.inner.change(change)
    }
}

/// Marks events as found in traffic that had passed before the indicator was known.
pub(crate) struct Afterwards<C>(pub(crate) C);

impl<C: Consumer> Consumer for Afterwards<C> {
    fn batch(&mut self, batch: &Batch) -> io::Result<()> {
        self.0.batch(batch)
    }

    fn change(&mut self, mut change: Change) -> io::Result<()> {
        let (Change::Opened(event) | Change::Updated(event) | Change::Closed(event)) = &mut change;
        event.lead.detail.push((MARK, Quantity::Flag(true)));
        self.0.change(change)
    }
}
