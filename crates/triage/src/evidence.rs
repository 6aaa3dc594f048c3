//! The last flows that passed, so that an event can freeze those that prove it when it is raised.
//! A batch is indexed by address when it is first searched: under a flood of events a search must not read every flow.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::net::IpAddr;

use weir_model::{Event, FlowFilter, FlowRecord, Time};

/// Flow records kept for evidence: at some 450 bytes a record about 55 MiB, and minutes of a busy feed.
const RECORDS_MAX: usize = 131_072;

/// A sliding window over the flow records of the pipeline: those alone, because whole batches would keep their
/// transactions alive, which are larger and never asked for again.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    batches: VecDeque<Searchable>,
    records: usize,
}

impl Recent {
    /// Adds a batch; the oldest leave.
    pub(crate) fn push(&mut self, mut flows: Vec<FlowRecord>) {
        if flows.is_empty() {
            return;
        }
        if flows.capacity() - flows.len() > flows.len() / 4 {
            flows.shrink_to_fit();
        }
        self.records += flows.len();
        self.batches.push_back(Searchable {
            flows,
            index: OnceCell::new(),
        });
        while self.records > RECORDS_MAX
            && let Some(oldest) = self.batches.pop_front()
        {
            self.records -= oldest.flows.len();
        }
    }

    /// The first flows that match, by start, at most [`Event::EVIDENCE_MAX`].
    pub(crate) fn first(&self, filter: &FlowFilter) -> Vec<FlowRecord> {
        let flows = self.batches.iter().flat_map(|batch| batch.candidates(filter));
        let mut found: Vec<&FlowRecord> = flows.filter(|flow| filter.matches(flow)).collect();
        found.sort_by_key(|flow| (flow.start, flow.seq));
        found.truncate(Event::EVIDENCE_MAX);
        found.into_iter().cloned().collect()
    }
}

/// The flows of a batch and, once they have been searched, their index.
#[derive(Debug)]
struct Searchable {
    flows: Vec<FlowRecord>,
    index: OnceCell<Index>,
}

impl Searchable {
    /// The flows that may match; all of them when the filter names no address.
    fn candidates(&self, filter: &FlowFilter) -> impl Iterator<Item = &FlowRecord> {
        let flows = &self.flows;
        let index = self.index.get_or_init(|| Index::of(flows));
        let ended = filter.since.is_some_and(|since| since > index.last_end);
        let by_initiator = filter.initiator.map(|ip| rows(&index.initiators, ip));
        let by_responder = filter.responder.map(|ip| rows(&index.responders, ip));
        let fewest = by_initiator
            .into_iter()
            .chain(by_responder)
            .min_by_key(|rows| rows.len());
        let all = if fewest.is_some() || ended {
            &[]
        } else {
            flows.as_slice()
        };
        let listed = fewest.filter(|_| !ended).unwrap_or_default();
        listed.iter().map(|&(_, at)| &flows[at as usize]).chain(all)
    }
}

/// Flows of a batch by address: sorted pairs of address and position.
#[derive(Debug)]
struct Index {
    initiators: Vec<(IpAddr, u32)>,
    responders: Vec<(IpAddr, u32)>,
    last_end: Time,
}

impl Index {
    fn of(flows: &[FlowRecord]) -> Self {
        let sorted = |address: fn(&FlowRecord) -> IpAddr| {
            let mut rows: Vec<_> = (0..).zip(flows).map(|(at, flow)| (address(flow), at)).collect();
            rows.sort_unstable();
            rows
        };
        Self {
            initiators: sorted(|flow| flow.key.initiator_ip),
            responders: sorted(|flow| flow.key.responder_ip),
            last_end: flows.iter().map(|flow| flow.end).max().unwrap_or(Time::MIN),
        }
    }
}

fn rows(sorted: &[(IpAddr, u32)], ip: IpAddr) -> &[(IpAddr, u32)] {
    let from = sorted.partition_point(|(known, _)| *known < ip);
    let len = sorted[from..].partition_point(|(known, _)| *known == ip);
    &sorted[from..from + len]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use weir_model::{FlowKey, ethertype, proto};

    fn flow(client: u8, server: u8, responder_port: u16, second: i64) -> FlowRecord {
        let ip = |last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        let key = FlowKey {
            initiator_ip: ip(client),
            responder_ip: ip(server),
            initiator_port: 40_000,
            responder_port,
            proto: proto::TCP,
            ethertype: ethertype::IPV4,
            vlan: None,
        };
        FlowRecord::new(key, Time::from_secs(second))
    }

    #[test]
    fn the_index_finds_what_a_search_of_all_finds() {
        let near = (0..40).map(|second| flow(second as u8 % 3, 9, 443, second));
        let far = (0..40).map(|second| flow(1, second as u8 % 5, 80, 90 - second));
        let flows: Vec<FlowRecord> = near.chain(far).collect();
        let mut recent = Recent::default();
        for half in flows.chunks(32) {
            recent.push(half.to_vec());
        }
        let ip = |last| Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
        for (initiator, responder, responder_port, since) in [
            (None, None, None, None),
            (None, None, None, Some(60)),
            (ip(1), None, None, None),
            (None, ip(9), Some(443), Some(35)),
            (ip(1), ip(3), None, None),
            (ip(7), ip(3), None, None),
        ] {
            let filter = FlowFilter {
                initiator,
                responder,
                responder_port,
                since: since.map(Time::from_secs),
                ..FlowFilter::default()
            };
            let mut wanted: Vec<&FlowRecord> = flows.iter().filter(|flow| filter.matches(flow)).collect();
            wanted.sort_by_key(|flow| (flow.start, flow.seq));
            wanted.truncate(Event::EVIDENCE_MAX);
            assert_eq!(
                recent.first(&filter).iter().collect::<Vec<_>>(),
                wanted,
                "{filter}"
            );
        }
    }
}
