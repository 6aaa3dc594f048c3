//! Findings become events: one event per source, method, submethod, feed and instance, with updates and an end.
//! Two methods that see the same attack make one event, which names the other.

mod evidence;
mod open;
mod risk;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use evidence::Recent;
use open::{Identity, OpenEvent};
use rules::InForce;
use weir_model::{Anomaly, AnomalyCounts, Batch, Event, Finding, NANOS_PER_S, Places, Priority, Time};

pub use risk::risk;
pub use rules::{Hidden, RULES_MAX, Rules};

/// Events open at a time; past it the longest silent ones are closed early and counted.
const OPEN_MAX: usize = 10_000;
/// Events closed together when there are too many.
const EVICTED_TOGETHER: usize = 100;
/// Silence after which an event closes once all its cells have closed, seconds (vendor's update interval).
const QUIET_S: i64 = 300;
/// Silence after which an event closes whatever its cells do, seconds.
const SILENT_MAX_S: i64 = 6 * 3600;

/// How much is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// Medium priority and above.
    Quiet,
    /// Every event, one per attack.
    #[default]
    Balanced,
    /// Every event of every method, also when two see the same.
    Everything,
}

impl Preset {
    /// Reads the word of the configuration.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "quiet" => Some(Self::Quiet),
            "balanced" => Some(Self::Balanced),
            "everything" => Some(Self::Everything),
            _ => None,
        }
    }
}

/// What triage is told by configuration.
#[derive(Clone, Debug)]
pub struct TriageConfig {
    pub preset: Preset,
    pub site: &'static str,
    pub feed: &'static str,
    /// Priorities that differ from the methods' own, by `METHOD`, `METHOD.Submethod` or `METHOD/instance`: the last
    /// that is there wins.
    pub priorities: BTreeMap<String, Priority>,
    /// What people said is harmless; shared, and changed while a pipeline runs.
    pub rules: Rules,
    /// Who knows where hosts are registered.
    pub places: Option<Arc<dyn Places>>,
}

impl Default for TriageConfig {
    fn default() -> Self {
        Self {
            preset: Preset::Balanced,
            site: "default",
            feed: "default",
            priorities: BTreeMap::new(),
            rules: Rules::default(),
            places: None,
        }
    }
}

/// What happened to an event.
#[derive(Clone, Debug)]
pub enum Change {
    Opened(Box<Event>),
    Updated(Box<Event>),
    Closed(Box<Event>),
}

/// The open events and what is needed to complete them.
pub struct Triage {
    config: TriageConfig,
    open: BTreeMap<Identity, OpenEvent>,
    /// Identities that stand behind another event.
    behind: BTreeMap<Identity, Identity>,
    recent: Recent,
    in_force: InForce,
    anomalies: AnomalyCounts,
}

impl Triage {
    /// No events yet.
    pub fn new(config: TriageConfig) -> Self {
        Self {
            config,
            open: BTreeMap::new(),
            behind: BTreeMap::new(),
            recent: Recent::default(),
            in_force: InForce::default(),
            anomalies: AnomalyCounts::default(),
        }
    }

    /// Takes a batch and its findings in total order of the pipeline; gives what changed, in that order.
    /// Whose the batch is alone loses nothing by it; of one that others still read the flows are copied.
    pub fn batch(&mut self, batch: Arc<Batch>, findings: Vec<(u64, Finding)>) -> Vec<Change> {
        let (flows, ticks) = match Arc::try_unwrap(batch) {
            Ok(batch) => (batch.flows, batch.ticks),
            Err(batch) => (batch.flows.clone(), batch.ticks.clone()),
        };
        self.recent.push(flows);
        let mut changes = Vec::new();
        self.take_rules(&mut changes);
        let mut findings = findings.into_iter().peekable();
        for tick in &ticks {
            while let Some((_, finding)) = findings.next_if(|(seq, _)| *seq <= tick.seq) {
                self.finding(finding, &mut changes);
            }
            self.close_silent(tick.time, tick.end, &mut changes);
        }
        for (_, finding) in findings {
            self.finding(finding, &mut changes);
        }
        changes
    }

    /// Takes up rules that changed: open events they call harmless end.
    fn take_rules(&mut self, changes: &mut Vec<Change>) {
        let in_force = self.config.rules.snapshot();
        if in_force.same(&self.in_force) {
            return;
        }
        let harmless = self.open.extract_if(.., |_, open| in_force.hides(&open.event));
        let closed = harmless.map(|(_, open)| {
            let now = open.last_heard();
            Change::Closed(Box::new(open.close(now)))
        });
        changes.extend(closed);
        self.in_force = in_force;
    }

    /// What was lost.
    pub fn anomalies(&self) -> &AnomalyCounts {
        &self.anomalies
    }

    fn priority(&self, finding: &Finding) -> Priority {
        let code = finding.method.code;
        let full = format!("{code}.{}", finding.submethod.name);
        let of_instance = format!("{code}/{}", finding.instance);
        let configured = self
            .config
            .priorities
            .get(&of_instance)
            .or_else(|| self.config.priorities.get(&full))
            .or_else(|| self.config.priorities.get(code));
        configured.copied().unwrap_or(finding.method.priority)
    }

    fn finding(&mut self, finding: Finding, changes: &mut Vec<Change>) {
        if self.in_force.hide(&finding, self.config.site, self.config.feed) {
            return;
        }
        let priority = self.priority(&finding);
        if self.config.preset == Preset::Quiet && priority < Priority::Medium {
            return;
        }
        let identity = Identity::of(&finding);
        if let Some(open) = self.open.get_mut(&identity) {
            if open.update(finding, &self.config, &self.recent) {
                changes.push(Change::Updated(Box::new(open.event.clone())));
            }
            return;
        }
        if self.config.preset != Preset::Everything && self.stands_behind(&identity, &finding) {
            return;
        }
        if self.open.len() >= OPEN_MAX {
            self.evict(changes);
        }
        let open = OpenEvent::new(finding, priority, &self.config, &self.recent);
        changes.push(Change::Opened(Box::new(open.event.clone())));
        self.open.insert(identity, open);
    }

    /// Is there an open event of another method about the same attack? Then that one names this method.
    fn stands_behind(&mut self, identity: &Identity, finding: &Finding) -> bool {
        if let Some(front) = self.behind.get(identity) {
            if self.open.contains_key(front) {
                return true;
            }
            self.behind.remove(identity);
        }
        // Identities sort by source first, so the events of this source are neighbours.
        let same_source = self.open.range_mut(identity.first_of_source()..);
        let mut same_source = same_source.take_while(|(known, _)| known.same_source(identity));
        let Some((front, open)) = same_source.find(|(_, open)| open.same_attack(finding)) else {
            return false;
        };
        open.name(finding);
        let front = front.clone();
        // Past the limit it is searched for again the next time, which costs time but no memory.
        if self.behind.len() < OPEN_MAX {
            self.behind.insert(identity.clone(), front);
        }
        true
    }

    fn close_silent(&mut self, now: Time, end: bool, changes: &mut Vec<Change>) {
        let due = |open: &OpenEvent| {
            let silence = now.since(open.last_heard()) / NANOS_PER_S;
            end || silence >= SILENT_MAX_S || (silence >= QUIET_S && open.all_cells_closed())
        };
        let mut closed: Vec<Event> = self
            .open
            .extract_if(.., |_, open| due(open))
            .map(|(_, open)| open.close(now))
            .collect();
        closed.sort_by_key(|event| (event.detected, event.id));
        changes.extend(closed.into_iter().map(|event| Change::Closed(Box::new(event))));
        if self.behind.len() >= OPEN_MAX || self.open.is_empty() {
            self.forget_behind();
        }
    }

    /// Closes the longest silent events, several at a time so that a flood of events does not search all for each one.
    fn evict(&mut self, changes: &mut Vec<Change>) {
        let mut oldest: Vec<(Time, Identity)> = self
            .open
            .iter()
            .map(|(identity, open)| (open.last_heard(), identity.clone()))
            .collect();
        oldest.select_nth_unstable(EVICTED_TOGETHER - 1);
        oldest.truncate(EVICTED_TOGETHER);
        oldest.sort_unstable();
        for (now, identity) in oldest {
            if let Some(open) = self.open.remove(&identity) {
                self.anomalies.count(Anomaly::EventEvicted);
                changes.push(Change::Closed(Box::new(open.close(now))));
            }
        }
        self.forget_behind();
    }

    /// Forgets what stood behind events that are closed.
    fn forget_behind(&mut self) {
        let open = &self.open;
        self.behind.retain(|_, front| open.contains_key(front));
    }
}

#[cfg(test)]
mod tests;
