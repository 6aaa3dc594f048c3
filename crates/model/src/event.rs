//! An event: findings of one method, submethod, source, feed and instance over time. What people see.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::{Finding, FlowRecord, Offender, Priority, Target, Time, Whereabouts};

/// Identity of an event: UUID version 7 layout; time from detection, the rest from a hash, so runs agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u128);

impl EventId {
    /// Id of the event first detected at `detected` whose identity hashes to `hash`.
    pub fn derive(detected: Time, hash: u128) -> Self {
        let millis = (detected.0.max(0) / 1_000_000) as u128 & 0xffff_ffff_ffff;
        let random = hash & 0x0fff_3fff_ffff_ffff_ffff;
        Self(millis << 80 | 0x7000 << 64 | 0x8000_0000_0000_0000 | random)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            id >> 80 & 0xffff,
            id >> 64 & 0xffff,
            id >> 48 & 0xffff,
            id & 0xffff_ffff_ffff
        )
    }
}

/// Where an event is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    Open,
    Closed,
}

/// An event as triage keeps it; outputs render it.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: EventId,
    pub state: EventState,
    pub priority: Priority,
    /// 0..=100.
    pub risk: u8,
    pub site: &'static str,
    pub feed: &'static str,
    pub source: Offender,
    /// At most [`Self::TARGETS_MAX`], sorted.
    pub targets: Vec<Target>,
    pub target_count: u64,
    pub first_flow: Time,
    pub detected: Time,
    pub last_update: Time,
    pub end: Option<Time>,
    /// Findings stored after the first, at most one per update interval.
    pub updates: u32,
    /// The strongest finding: its facts, rule and details are the event's.
    pub lead: Finding,
    /// `METHOD.Submethod` of others that saw the same and stand behind this event.
    pub also: Vec<String>,
    /// First flows that prove it, frozen, at most [`Self::EVIDENCE_MAX`].
    pub evidence: Vec<FlowRecord>,
    /// Where source and targets are registered, as far as somebody knows.
    pub places: BTreeMap<IpAddr, Whereabouts>,
}

impl Event {
    /// Targets listed with an event; more are only counted.
    pub const TARGETS_MAX: usize = 256;
    /// Flows frozen with an event.
    pub const EVIDENCE_MAX: usize = 20;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuid_version_7() {
        let text = EventId::derive(Time::from_secs(1_600_000_000), u128::MAX).to_string();
        assert_eq!(text, "0174876e-8000-7fff-bfff-ffffffffffff");
    }
}
