//! Which flow records stay while an event is open: those of the hours its evidence lies in, whatever their age and however
//! little room there is, within the store's bounds.

use std::time::{Duration, Instant};

use weir_model::{Event, Time};
use weir_store::flow::Pins;
use weir_triage::Change;

/// How long pins of an earlier run are kept: its events do not close any more when it was cut off.
const INHERITED: Duration = Duration::from_secs(24 * 3600);

/// What is pinned, and whether the store has been told.
pub(super) struct Pinning {
    pins: Pins,
    /// Events of an earlier run, until this moment.
    inherited: Option<(Vec<String>, Instant)>,
    changed: bool,
    /// Events for which there was no room among the pins.
    refused: u64,
}

impl Pinning {
    /// Goes on with what the store has pinned.
    pub(super) fn new(pins: Pins) -> Self {
        let names: Vec<String> = pins.names().map(str::to_owned).collect();
        Self {
            inherited: (!names.is_empty()).then(|| (names, Instant::now() + INHERITED)),
            pins,
            changed: false,
            refused: 0,
        }
    }

    /// Hears of an event.
    pub(super) fn hear(&mut self, change: &Change) {
        match change {
            Change::Opened(event) | Change::Updated(event) => {
                let (from, to) = span(event);
                let pinned = self.pins.pin(&event.id.to_string(), from, to);
                self.refused += u64::from(!pinned);
            }
            Change::Closed(event) => self.pins.unpin(&event.id.to_string()),
        }
        self.changed = true;
    }

    /// What the store is to keep, when that is not what it was told last.
    pub(super) fn take(&mut self) -> Option<Pins> {
        if let Some((names, until)) = &self.inherited
            && Instant::now() >= *until
        {
            for name in names {
                self.pins.unpin(name);
            }
            (self.inherited, self.changed) = (None, true);
        }
        std::mem::take(&mut self.changed).then(|| self.pins.clone())
    }

    /// The store did not take it: it is told again.
    pub(super) fn again(&mut self) {
        self.changed = true;
    }

    /// Events that nothing is kept for, because there are too many.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}

/// When the flows that prove it began; without any, from its first flow to its last finding.
fn span(event: &Event) -> (Time, Time) {
    let starts = || event.evidence.iter().map(|flow| flow.start);
    let first = starts().min().unwrap_or(event.first_flow);
    (first, starts().max().unwrap_or(event.last_update))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use weir_store::flow::PINS_MAX;

    use super::*;
    use crate::config::Config;
    use crate::pipeline::{self, Consumer, Job};

    /// The changes of the recorded incident.
    struct Changes(Vec<Change>);

    impl Consumer for Changes {
        fn batch(&mut self, _: &weir_model::Batch) -> std::io::Result<()> {
            Ok(())
        }

        fn change(&mut self, change: Change) -> std::io::Result<()> {
            self.0.push(change);
            Ok(())
        }
    }

    fn changes() -> Vec<Change> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let job = Job {
            files: vec![root.join("captures/incident/incident.pcap.zst")],
            config: Config::default(),
            detect: true,
            store: None,
        };
        let (changes, _) = pipeline::run(job, Changes(Vec::new()), |_| {}).unwrap();
        changes.0
    }

    #[test]
    fn evidence_is_kept_while_its_event_is_open() {
        let mut pinning = Pinning::new(Pins::default());
        assert!(pinning.take().is_none());
        let changes = changes();
        let mut most = 0;
        for change in &changes {
            pinning.hear(change);
            let pins = pinning.take().unwrap();
            most = most.max(pins.names().count());
            if let Change::Opened(event) = change {
                assert!(pins.names().any(|name| name == event.id.to_string()));
                let (from, to) = span(event);
                assert!(!event.evidence.is_empty() && from <= to);
                assert!(
                    event
                        .evidence
                        .iter()
                        .all(|flow| (from..=to).contains(&flow.start))
                );
            }
        }
        assert!(most >= 1, "{most} events at a time");
        assert_eq!(pinning.pins, Pins::default(), "all events have closed");
        assert!(pinning.take().is_none());
        pinning.again();
        assert!(pinning.take().is_some());
    }

    #[test]
    fn too_many_are_counted_and_those_of_before_end() {
        let mut pins = Pins::default();
        for event in 0..PINS_MAX {
            assert!(pins.pin(&format!("event {event}"), Time(0), Time(1)));
        }
        let mut pinning = Pinning::new(pins);
        let opened = changes()
            .into_iter()
            .find(|change| matches!(change, Change::Opened(_)));
        pinning.hear(&opened.unwrap());
        assert_eq!(pinning.refused(), 1);
        pinning.inherited.as_mut().unwrap().1 = Instant::now();
        assert_eq!(pinning.take().unwrap(), Pins::default());
    }
}
