//! One event while it is open: takes findings, keeps the strongest as its lead, knows which cells still live.
//! Its identity and its id come from the traffic alone, so that every run gives the same events.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};
use weir_model::{
    Event, EventId, EventState, Finding, Mac, MethodMeta, NANOS_PER_S, Offender, Priority, Target, Time,
    Whereabouts,
};

use crate::evidence::Recent;
use crate::{TriageConfig, risk};

/// Seconds between stored updates of an event.
const UPDATE_INTERVAL_S: i64 = 300;
/// Cells told apart within one event; more only add targets.
const CELLS_MAX: usize = 1024;

/// What makes an event the same event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    source: Offender,
    method: &'static str,
    submethod: &'static str,
    instance: &'static str,
}

impl Identity {
    pub(crate) fn of(finding: &Finding) -> Self {
        // A host is known by its address; the hardware address counts only where there is no other.
        let Offender { ip, mac } = finding.source;
        let source = Offender {
            ip,
            mac: if ip.is_some() { None } else { mac },
        };
        Self {
            source,
            method: finding.method.code,
            submethod: finding.submethod.name,
            instance: finding.instance,
        }
    }

    /// The smallest identity of the same source.
    pub(crate) fn first_of_source(&self) -> Self {
        Self {
            source: self.source,
            method: "",
            submethod: "",
            instance: "",
        }
    }

    pub(crate) fn same_source(&self, other: &Self) -> bool {
        self.source == other.source
    }

    fn hash(&self, config: &TriageConfig, first_flow: Time) -> u128 {
        let mut hash = SipHasher13::new_with_keys(0x6576, 0x656e_7473);
        let text = format!(
            "{} {:?} {} {} {} {} {}",
            self.source,
            self.source.mac,
            self.method,
            self.submethod,
            self.instance,
            config.site,
            config.feed
        );
        hash.write(text.as_bytes());
        hash.write_i64(first_flow.0);
        hash.finish128().as_u128()
    }
}

/// An open event.
pub(crate) struct OpenEvent {
    pub(crate) event: Event,
    /// Cells that reported: their strength, and whether they have closed.
    cells: BTreeMap<u64, (f64, bool)>,
    targets: BTreeSet<Target>,
    stored: Time,
    heard: Time,
}

impl OpenEvent {
    /// Opens an event with its first finding.
    pub(crate) fn new(finding: Finding, priority: Priority, config: &TriageConfig, recent: &Recent) -> Self {
        let identity = Identity::of(&finding);
        let mut event = Event {
            id: EventId::derive(finding.detected, identity.hash(config, finding.first_flow)),
            state: EventState::Open,
            priority,
            risk: 0,
            site: config.site,
            feed: config.feed,
            source: finding.source,
            targets: Vec::new(),
            target_count: 0,
            first_flow: finding.first_flow,
            detected: finding.detected,
            last_update: finding.detected,
            end: None,
            updates: 0,
            also: Vec::new(),
            evidence: recent.first(&finding.evidence),
            places: BTreeMap::new(),
            lead: finding.clone(),
        };
        event.source.mac = event.source.mac.or_else(|| mac_of(&event));
        let (stored, heard) = (finding.detected, finding.detected);
        let mut open = Self {
            event,
            cells: BTreeMap::new(),
            targets: BTreeSet::new(),
            stored,
            heard,
        };
        open.absorb(finding);
        open.locate(config);
        open
    }

    /// Takes a further finding. True when it is time to store and send an update.
    pub(crate) fn update(&mut self, finding: Finding, config: &TriageConfig, recent: &Recent) -> bool {
        let detected = finding.detected;
        self.heard = self.heard.max(detected);
        if self.event.evidence.len() < Event::EVIDENCE_MAX {
            let more = recent.first(&finding.evidence);
            if more.len() > self.event.evidence.len() {
                self.event.evidence = more;
            }
        }
        self.absorb(finding);
        self.locate(config);
        self.event.last_update = self.event.last_update.max(detected);
        let due = detected.since(self.stored) >= UPDATE_INTERVAL_S * NANOS_PER_S;
        if due {
            self.stored = detected;
            self.event.updates += 1;
        }
        due
    }

    fn absorb(&mut self, finding: Finding) {
        let strength = finding.strength();
        if self.cells.len() < CELLS_MAX || self.cells.contains_key(&finding.cell) {
            self.cells.insert(finding.cell, (strength, finding.last));
        }
        for &target in &finding.targets {
            if self.targets.len() < Event::TARGETS_MAX || self.targets.contains(&target) {
                self.targets.insert(target);
            }
        }
        let event = &mut self.event;
        event.first_flow = event.first_flow.min(finding.first_flow);
        event.source.mac = event.source.mac.or(finding.source.mac);
        event.target_count = event
            .target_count
            .max(finding.target_count)
            .max(self.targets.len() as u64);
        event.targets = self.targets.iter().copied().collect();
        // The same cell's later figures replace its earlier ones; another cell leads only when it is stronger.
        if finding.cell == event.lead.cell || strength > event.lead.strength() {
            event.lead = finding;
        }
        event.risk = risk(event.priority, event.lead.probability, event.target_count);
    }

    /// Asks where hosts are registered that came with the last finding.
    fn locate(&mut self, config: &TriageConfig) {
        let Some(places) = &config.places else { return };
        let event = &mut self.event;
        let hosts = event.targets.iter().filter_map(|target| target.ip);
        for ip in hosts.chain(event.source.ip) {
            event.places.entry(ip).or_insert_with(|| Whereabouts {
                place: places.place(ip),
                as_name: places.as_name(ip),
            });
        }
    }

    /// When it was last heard of.
    pub(crate) fn last_heard(&self) -> Time {
        self.heard
    }

    /// Has every cell that reported been closed?
    pub(crate) fn all_cells_closed(&self) -> bool {
        self.cells.values().all(|(_, closed)| *closed)
    }

    /// Does the finding of another method tell of the same attack: a method declared the same, source and a target shared?
    pub(crate) fn same_attack(&self, finding: &Finding) -> bool {
        let lead = &self.event.lead;
        let declared = names(finding.method, lead) || names(lead.method, finding);
        let addresses = |targets: &[Target]| {
            targets
                .iter()
                .filter_map(|target| target.ip)
                .collect::<BTreeSet<_>>()
        };
        let (ours, theirs) = (addresses(&self.event.targets), addresses(&finding.targets));
        let shared = ours.is_empty() || theirs.is_empty() || !ours.is_disjoint(&theirs);
        declared && shared && self.event.source.ip == finding.source.ip
    }

    /// Names the method of a finding that stands behind this event.
    pub(crate) fn name(&mut self, finding: &Finding) {
        let name = format!("{}.{}", finding.method.code, finding.submethod.name);
        if !self.event.also.contains(&name) {
            self.event.also.push(name);
            self.event.also.sort();
        }
    }

    /// Closes the event.
    pub(crate) fn close(mut self, now: Time) -> Event {
        self.event.state = EventState::Closed;
        self.event.end = Some(self.event.lead.last_flow.max(self.event.last_update).min(now));
        self.event
    }
}

/// The hardware address the source's frames carry, for hosts inside: its own, or that of the router before it.
fn mac_of(event: &Event) -> Option<Mac> {
    event.evidence.iter().find_map(|flow| {
        let ours = flow.initiator_inside && Some(flow.key.initiator_ip) == event.source.ip;
        ours.then_some(flow.initiator_mac).flatten()
    })
}

/// Does the method declare itself the same as the finding's method or submethod?
fn names(method: &MethodMeta, finding: &Finding) -> bool {
    let (code, submethod) = (finding.method.code, finding.submethod.name);
    method.code != code
        && method.same_as.iter().any(|name| {
            *name == code
                || name
                    .split_once('.')
                    .is_some_and(|(other, sub)| other == code && sub == submethod)
        })
}
