//! The rules of false positives in force: shared by every pipeline, swapped as a whole between batches, each counting
//! what it hid.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_model::{Event, FalsePositiveRule, Finding, Suspect, Time};

/// Rules in force at most: every finding is asked about each.
pub const RULES_MAX: usize = 1000;

/// A rule, and what it hid since it was last asked.
#[derive(Debug)]
struct Active {
    rule: FalsePositiveRule,
    hits: AtomicU64,
    /// Event time of the last one.
    last_ns: AtomicI64,
}

/// What a rule hid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Id of the rule.
    pub rule: String,
    /// Findings.
    pub hits: u64,
    /// When the last one was detected.
    pub last: Time,
}

/// One set of rules, as a batch sees it.
type Snapshot = Arc<Vec<Arc<Active>>>;

/// The rules in force. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Rules(Arc<Mutex<Snapshot>>);

impl Rules {
    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts these in force, in the order of creation, in the place of all before; beyond [`RULES_MAX`] the latest stay
    /// out. A rule that was there keeps its count. Returns how many stayed out.
    pub fn set(&self, mut rules: Vec<FalsePositiveRule>) -> usize {
        rules.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        let beyond = rules.len().saturating_sub(RULES_MAX);
        rules.truncate(RULES_MAX);
        let mut snapshot = self.lock();
        let known = |rule: FalsePositiveRule| {
            let old = snapshot.iter().find(|active| active.rule == rule);
            old.cloned().unwrap_or_else(|| {
                Arc::new(Active {
                    rule,
                    hits: AtomicU64::new(0),
                    last_ns: AtomicI64::new(i64::MIN),
                })
            })
        };
        *snapshot = Arc::new(rules.into_iter().map(known).collect());
        beyond
    }

    /// What was hidden since the last call.
    pub fn take_hidden(&self) -> Vec<Hidden> {
        let snapshot = self.lock().clone();
        let hidden = snapshot.iter().filter_map(|active| {
            let hits = active.hits.swap(0, Ordering::Relaxed);
            (hits > 0).then(|| Hidden {
                rule: active.rule.id.clone(),
                hits,
                last: Time(active.last_ns.load(Ordering::Relaxed)),
            })
        });
        hidden.collect()
    }

    /// Counts again what could not be written down.
    pub fn give_back(&self, hidden: &Hidden) {
        let snapshot = self.lock().clone();
        if let Some(active) = snapshot.iter().find(|active| active.rule.id == hidden.rule) {
            active.hits.fetch_add(hidden.hits, Ordering::Relaxed);
        }
    }

    pub(crate) fn snapshot(&self) -> InForce {
        InForce(self.lock().clone())
    }
}

/// The rules for the length of a batch.
#[derive(Debug, Default)]
pub(crate) struct InForce(Snapshot);

impl InForce {
    /// Is it the same set?
    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Is the finding harmless? The first rule that says so counts it.
    pub(crate) fn hide(&self, finding: &Finding, site: &str, feed: &str) -> bool {
        let suspect = Suspect {
            method: finding.method.code,
            submethod: finding.submethod.name,
            instance: finding.instance,
            feed,
            source: finding.source.ip,
            mac: finding.source.mac,
            targets: &finding.targets,
            target_count: finding.target_count,
        };
        let mut rules = self.0.iter();
        let Some(active) =
            rules.find(|active| active.rule.site == site && active.rule.holds(&suspect, finding.detected))
        else {
            return false;
        };
        active.hits.fetch_add(1, Ordering::Relaxed);
        active.last_ns.fetch_max(finding.detected.0, Ordering::Relaxed);
        true
    }

    /// Is the open event harmless by now?
    pub(crate) fn hides(&self, event: &Event) -> bool {
        let suspect = Suspect {
            method: event.lead.method.code,
            submethod: event.lead.submethod.name,
            instance: event.lead.instance,
            feed: event.feed,
            source: event.source.ip,
            mac: event.source.mac,
            targets: &event.targets,
            target_count: event.target_count,
        };
        self.0
            .iter()
            .any(|active| active.rule.site == event.site && active.rule.holds(&suspect, event.last_update))
    }
}
