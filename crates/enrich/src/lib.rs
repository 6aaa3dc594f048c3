//! Enrichment: tells which side of every record is inside. When nobody configured the inside networks they are guessed
//! from the first records, and the guess is kept in words so that it can be shown. Records are also looked up in lists of
//! indicators, where there are any, and outside hosts get country and autonomous system where there are files that tell.

pub mod geo;
mod guess;
pub mod indicator;
mod slot;

use std::collections::VecDeque;
use std::sync::Arc;

use guess::Guess;
use indicator::Snapshot;
pub use slot::Slot;
use weir_model::{Batch, Networks, Places, Time};

/// Records looked at before the guess is made; enough to see who is at home, few enough to start at once.
const GUESS_RECORDS: usize = 1024;
/// Event time after which the guess is made with what is there, nanoseconds.
const GUESS_SPAN: i64 = 60 * weir_model::NANOS_PER_S;

/// Where the inside networks come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub inside: Networks,
    /// Configured by people, or guessed by us.
    pub configured: bool,
    /// How the guess was made, one sentence; empty when configured.
    pub basis: String,
}

/// Marks records as inside or outside. Holds the first batches back until the guess is made.
#[derive(Debug)]
pub struct Enricher {
    scope: Option<Scope>,
    guess: Guess,
    held: VecDeque<Batch>,
    held_records: usize,
    first_tick: Option<Time>,
    /// Records say already which side is inside.
    told: bool,
    /// Indicators looked for; `None`: no list is configured.
    lists: Option<Arc<Snapshot>>,
    /// Where lists lie that are read anew meanwhile, and how often it had changed when it was looked at.
    slot: Option<(Arc<Slot>, u64)>,
    /// Who knows where addresses belong; `None`: no file is configured.
    places: Option<Arc<dyn Places>>,
    cache: geo::Cache,
}

impl Enricher {
    /// With configured inside networks, or `None` to guess them.
    pub fn new(inside: Option<Networks>) -> Self {
        let scope = inside.map(|inside| Scope {
            inside,
            configured: true,
            basis: String::new(),
        });
        Self {
            scope,
            guess: Guess::default(),
            held: VecDeque::new(),
            held_records: 0,
            first_tick: None,
            told: false,
            lists: None,
            slot: None,
            places: None,
            cache: geo::Cache::default(),
        }
    }

    /// For records that were enriched before: who is inside stays as it was said then, only indicators are looked for.
    pub fn again() -> Self {
        Self {
            told: true,
            ..Self::new(Some(Networks::default()))
        }
    }

    /// Looks for the indicators in this place, whatever is put there later: from the next batch on.
    pub fn follow(&mut self, slot: Arc<Slot>) {
        self.lists = slot.lists();
        let changes = slot.changes();
        self.slot = Some((slot, changes));
    }

    /// Asks these where outside hosts belong, from the next batch on.
    pub fn set_places(&mut self, places: Option<Arc<dyn Places>>) {
        self.places = places;
        self.cache = geo::Cache::default();
    }

    /// The networks in force; `None` until the guess is made.
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// Takes a batch; gives back the batches that are ready, in order.
    pub fn push(&mut self, batch: Batch) -> Vec<Batch> {
        if let Some((slot, seen)) = &mut self.slot
            && slot.changes() != *seen
        {
            (*seen, self.lists) = (slot.changes(), slot.lists());
        }
        if self.scope.is_none() {
            self.guess.observe(&batch);
            self.held_records += batch.len();
            let last = batch.ticks.last().copied();
            self.first_tick = self.first_tick.or(last.map(|tick| tick.time));
            let ended = last.is_some_and(|tick| tick.end);
            let span = last
                .zip(self.first_tick)
                .map_or(0, |(last, first)| last.time.since(first));
            self.held.push_back(batch);
            if self.held_records < GUESS_RECORDS && span < GUESS_SPAN && !ended {
                return Vec::new();
            }
            self.scope = Some(self.guess.decide());
        } else {
            self.held.push_back(batch);
        }
        let mut ready: Vec<Batch> = self.held.drain(..).collect();
        if let Some(scope) = &self.scope {
            for batch in &mut ready {
                if !self.told {
                    mark(batch, &scope.inside);
                }
                if let Some(places) = &self.places {
                    locate(batch, &**places, &mut self.cache);
                }
                if let Some(lists) = &self.lists {
                    indicator::mark(batch, lists);
                }
            }
        }
        ready
    }
}

fn mark(batch: &mut Batch, inside: &Networks) {
    for flow in &mut batch.flows {
        flow.initiator_inside = inside.contains(flow.key.initiator_ip);
        flow.responder_inside = inside.contains(flow.key.responder_ip);
    }
    for transaction in &mut batch.transactions {
        transaction.initiator_inside = inside.contains(transaction.key.initiator_ip);
        transaction.responder_inside = inside.contains(transaction.key.responder_ip);
    }
}

/// Writes down where outside hosts belong. Inside ones belong to whoever runs Weir.
fn locate(batch: &mut Batch, places: &dyn Places, cache: &mut geo::Cache) {
    cache.renew(places);
    for flow in batch.flows.iter_mut().filter(|flow| flow.key.is_ip()) {
        if !flow.initiator_inside {
            flow.initiator_place = cache.place(flow.key.initiator_ip, places);
        }
        if !flow.responder_inside {
            flow.responder_place = cache.place(flow.key.responder_ip, places);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testkit::notation;

    #[test]
    fn holds_back_until_the_guess_is_made() {
        let mut enricher = Enricher::new(None);
        let mut batch = notation::batch("x10 10.0.0.5 <> 198.51.100.7:443 tcp");
        let end = batch.ticks.pop();
        assert!(enricher.push(batch).is_empty());
        let ready = enricher.push(Batch {
            ticks: end.into_iter().collect(),
            ..Batch::default()
        });
        assert_eq!(ready.len(), 2);
        assert!(
            ready[0]
                .flows
                .iter()
                .all(|flow| flow.initiator_inside && !flow.responder_inside)
        );
    }

    #[test]
    fn lists_are_exchanged_between_batches() {
        let lists = |text: &str| {
            let mut builder = indicator::Builder::new();
            let spec = indicator::ListSpec::new("list");
            builder.list(spec, indicator::Format::Plain, [text.as_bytes()]);
            Some(Arc::new(builder.finish()))
        };
        let slot = Arc::new(Slot::new(lists("198.51.100.8")));
        let mut enricher = Enricher::again();
        enricher.follow(slot.clone());
        let mut sighted = || {
            let ready = enricher.push(notation::batch("10.0.0.5 <> 198.51.100.7:443 tcp"));
            let flow = &ready[0].flows[0];
            assert!(flow.initiator_inside, "said before");
            flow.sightings.is_some()
        };
        assert!(!sighted());
        slot.put(lists("198.51.100.7"));
        assert!(sighted());
        slot.put(None);
        assert!(!sighted());
    }

    #[test]
    fn outside_hosts_have_a_place() {
        #[derive(Debug)]
        struct Everywhere;
        impl Places for Everywhere {
            fn place(&self, _: std::net::IpAddr) -> weir_model::Place {
                let country = weir_model::Country::from_code("CZ");
                weir_model::Place {
                    country,
                    as_number: None,
                }
            }
            fn as_name(&self, _: std::net::IpAddr) -> Option<Box<str>> {
                None
            }
        }
        let mut enricher = Enricher::new(Some(Networks::new(["10.0.0.0/8".parse().unwrap()])));
        enricher.set_places(Some(Arc::new(Everywhere)));
        let ready = enricher.push(notation::batch("10.0.0.5 <> 198.51.100.7:443 tcp"));
        let flow = &ready[0].flows[0];
        assert!(flow.initiator_place.is_unknown());
        assert_eq!(flow.responder_place.country.unwrap().to_string(), "CZ");
    }

    #[test]
    fn configured_networks_need_no_guess() {
        let inside = Networks::new(["198.51.100.0/24".parse().unwrap()]);
        let mut enricher = Enricher::new(Some(inside));
        let ready = enricher.push(notation::batch("10.0.0.5 <> 198.51.100.7:443 tcp"));
        assert!(!ready[0].flows[0].initiator_inside && ready[0].flows[0].responder_inside);
    }
}
