//! Long flows that exporters cut by their active time-out, put together again: every part carries the totals and the start
//! of the whole, and a flow whose last part does not say so still gets an end, as from a meter of our own.
//! Works where exporters tell why they sent a record (`flowEndReason`); others' parts cannot be told from whole flows.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use ahash::RandomState;
use weir_model::{Counters, EndReason, FlowId, FlowRecord, NANOS_PER_S, Phase, Time};

/// Flows followed; some 30 MiB. Beyond it the one longest followed gets its end early.
const FLOWS_MAX: usize = 65_536;
/// Silence after which a flow that was cut is over: twice the longest active time-out in use.
const SILENCE_NS: i64 = 3_600 * NANOS_PER_S;

/// What was put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StitchingCounts {
    /// Parts that continue a flow told of before.
    pub parts: u64,
    /// Ends given to flows that nobody ended.
    pub ends: u64,
    /// Of those, early, because too many flows went on.
    pub evicted: u64,
}

/// Flows that go on.
#[derive(Default)]
pub(crate) struct Stitching {
    flows: HashMap<Name, Open, RandomState>,
    /// Flows with the arrival of the part they were queued for, oldest first.
    order: VecDeque<(Name, Time)>,
    counts: StitchingCounts,
}

/// Exporter and flow, whichever side a part takes for the initiator: later parts have no SYN to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Name {
    exporter: Option<IpAddr>,
    proto: u8,
    vlan: Option<u16>,
    low: (IpAddr, u16),
    high: (IpAddr, u16),
}

impl Name {
    fn of(flow: &FlowRecord) -> Self {
        let key = &flow.key;
        let (one, other) = (
            (key.initiator_ip, key.initiator_port),
            (key.responder_ip, key.responder_port),
        );
        Self {
            exporter: flow.exporter,
            proto: key.proto,
            vlan: key.vlan,
            low: one.min(other),
            high: one.max(other),
        }
    }
}

/// The last part, with the totals of all.
struct Open {
    last: FlowRecord,
    arrival: Time,
}

impl Stitching {
    /// Takes a record that came at `now` and gives it the totals of its flow; ends of other flows go to `out`.
    pub(crate) fn push(&mut self, flow: &mut FlowRecord, now: Time, out: &mut Vec<FlowRecord>) {
        if self.flows.is_empty() && flow.phase != Phase::Update {
            return;
        }
        let name = Name::of(flow);
        if let Some(open) = self.flows.remove(&name) {
            if open.last.end.since(flow.start) > SILENCE_NS || flow.start.since(open.last.end) > SILENCE_NS {
                self.end(open.last, out);
            } else {
                self.counts.parts += 1;
                join(flow, &open.last);
            }
        }
        if flow.phase != Phase::Update {
            return;
        }
        if self.flows.len() >= FLOWS_MAX {
            self.evict(out);
        }
        let open = Open {
            last: flow.clone(),
            arrival: now,
        };
        self.flows.insert(name, open);
        self.order.push_back((name, now));
    }

    /// Ends what has been silent for too long by `now`.
    pub(crate) fn advance(&mut self, now: Time, out: &mut Vec<FlowRecord>) {
        while let Some(&(name, arrival)) = self.order.front() {
            let current = self.flows.get(&name).is_some_and(|open| open.arrival == arrival);
            if current && now.since(arrival) <= SILENCE_NS {
                break;
            }
            self.order.pop_front();
            if current && let Some(open) = self.flows.remove(&name) {
                self.end(open.last, out);
            }
        }
    }

    /// Ends the input: what goes on ends here.
    pub(crate) fn finish(&mut self, out: &mut Vec<FlowRecord>) {
        self.advance(Time::MAX, out);
    }

    /// What was put together so far.
    pub(crate) const fn counts(&self) -> StitchingCounts {
        self.counts
    }

    fn evict(&mut self, out: &mut Vec<FlowRecord>) {
        while let Some((name, arrival)) = self.order.pop_front() {
            let current = self.flows.get(&name).is_some_and(|open| open.arrival == arrival);
            if current && let Some(open) = self.flows.remove(&name) {
                self.counts.evicted += 1;
                return self.end(open.last, out);
            }
        }
    }

    /// A record that says nothing but that the flow is over.
    fn end(&mut self, mut last: FlowRecord, out: &mut Vec<FlowRecord>) {
        last.phase = Phase::End;
        last.end_reason = EndReason::Idle;
        last.start = last.end;
        last.forward = Counters::default();
        last.reverse = last.reverse.map(|_| Counters::default());
        self.counts.ends += 1;
        out.push(last);
    }
}

/// Makes `flow` a later part of the flow that `before` told of.
fn join(flow: &mut FlowRecord, before: &FlowRecord) {
    let ends = |flow: &FlowRecord| (flow.key.initiator_ip, flow.key.initiator_port);
    if ends(flow) != ends(before) {
        crate::record::turn(flow);
    }
    flow.flow_start = before.flow_start.min(flow.flow_start);
    flow.id = FlowId::derive(&flow.key, flow.flow_start);
    let mut total = before.forward_total;
    total.add(flow.forward);
    flow.forward_total = total;
    flow.reverse_total = match (before.reverse_total, flow.reverse) {
        (None, None) => None,
        (total, delta) => {
            let mut total = total.unwrap_or_default();
            total.add(delta.unwrap_or_default());
            Some(total)
        }
    };
    flow.forward_flags |= before.forward_flags;
    flow.reverse_flags |= before.reverse_flags;
    flow.first_flags = before.first_flags;
    flow.initiator_reason = before.initiator_reason;
    flow.conn_state = crate::record::conn_state(flow);
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testkit::notation;

    fn part(start_s: i64, phase: Phase) -> FlowRecord {
        let mut flow = notation::batch("10.0.0.5 <> 10.0.0.9:443 tcp").flows.remove(0);
        flow.flow_start = Time::from_secs(start_s);
        flow.start = flow.flow_start;
        flow.end = flow.start + 60 * NANOS_PER_S;
        flow.id = FlowId::derive(&flow.key, flow.flow_start);
        flow.phase = phase;
        flow.forward.packets = 10;
        flow.forward_total = flow.forward;
        flow
    }

    #[test]
    fn parts_carry_the_whole() {
        let (mut stitching, mut out) = (Stitching::default(), Vec::new());
        let mut ids = Vec::new();
        for (at, phase) in [
            (0, Phase::Update),
            (60, Phase::Update),
            (120, Phase::End),
            (180, Phase::End),
        ] {
            let mut flow = part(at, phase);
            if at == 60 {
                crate::record::turn(&mut flow);
                flow.reverse_total = flow.reverse;
            }
            stitching.push(&mut flow, Time::from_secs(at + 60), &mut out);
            ids.push((
                flow.id,
                flow.flow_start.bin(1),
                flow.forward.packets,
                flow.forward_total.packets,
            ));
        }
        assert_eq!(
            ids.iter().map(|row| (row.1, row.2, row.3)).collect::<Vec<_>>(),
            [(0, 10, 10), (0, 10, 20), (0, 10, 30), (180, 10, 10)]
        );
        assert!(ids[0].0 == ids[2].0 && ids[3].0 != ids[2].0 && out.is_empty());
    }

    #[test]
    fn who_never_ends_is_ended_once_and_the_table_is_bounded() {
        let (mut stitching, mut out) = (Stitching::default(), Vec::new());
        for at in 0..FLOWS_MAX as u32 + 10 {
            let mut flow = part(0, Phase::Update);
            flow.key.initiator_ip = IpAddr::from((0x0a00_0000 + at).to_be_bytes());
            stitching.push(&mut flow, Time(at.into()), &mut out);
        }
        assert_eq!((out.len(), stitching.flows.len()), (10, FLOWS_MAX));
        assert_eq!(stitching.counts().evicted, 10);
        stitching.finish(&mut out);
        assert_eq!((out.len(), stitching.flows.len()), (FLOWS_MAX + 10, 0));
        assert!(
            out.iter()
                .all(|flow| flow.phase == Phase::End && flow.forward.packets == 0)
        );
        assert!(out.iter().all(|flow| flow.forward_total.packets == 10));
        assert_eq!(stitching.counts().ends, FLOWS_MAX as u64 + 10);
    }
}
