//! The same flow told by several exporters that it passed: the first to tell it stands, the others are marked, so that
//! nothing counts twice because a network measures in two places.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use ahash::RandomState;
use weir_model::{FlowRecord, NANOS_PER_S, Time};

/// Flows remembered; some 8 MiB. At higher rates the oldest are forgotten, and their doubles pass unmarked.
const FLOWS_MAX: usize = 65_536;
/// Records of one flow from two places overlap, or clocks differ by this much.
const APART_MAX_NS: i64 = 5 * NANOS_PER_S;

/// Who told of which flow.
#[derive(Default)]
pub(crate) struct Duplicates {
    told: HashMap<Ends, Told, RandomState>,
    /// Flows in the order they were first told.
    order: VecDeque<Ends>,
}

/// What passed, whoever measured it: protocol and both ends, in order.
type Ends = (u8, (IpAddr, u16), (IpAddr, u16));

#[derive(Clone, Copy)]
struct Told {
    by: Option<IpAddr>,
    start: Time,
    end: Time,
}

impl Duplicates {
    /// Has another exporter told of this flow? Remembers it otherwise.
    pub(crate) fn seen(&mut self, flow: &FlowRecord) -> bool {
        let key = &flow.key;
        let (one, other) = (
            (key.initiator_ip, key.initiator_port),
            (key.responder_ip, key.responder_port),
        );
        let ends = (key.proto, one.min(other), one.max(other));
        let told = Told {
            by: flow.exporter,
            start: flow.start,
            end: flow.end,
        };
        if let Some(before) = self.told.get_mut(&ends) {
            let apart =
                told.start.since(before.end) > APART_MAX_NS || before.start.since(told.end) > APART_MAX_NS;
            if before.by != told.by && !apart {
                return true;
            }
            *before = told;
            return false;
        }
        if self.told.len() >= FLOWS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
        self.told.insert(ends, told);
        self.order.push_back(ends);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_testkit::notation;

    #[test]
    fn the_second_place_is_a_double_the_next_connection_is_not() {
        let mut duplicates = Duplicates::default();
        let mut flow = notation::batch("10.0.0.5 <> 10.0.0.9:443 tcp").flows.remove(0);
        let (here, there) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        flow.exporter = here;
        assert!(!duplicates.seen(&flow));
        assert!(!duplicates.seen(&flow), "the same exporter sends parts");
        flow.exporter = there;
        assert!(duplicates.seen(&flow));
        flow.start = flow.end + 60 * NANOS_PER_S;
        flow.end = flow.start;
        assert!(!duplicates.seen(&flow), "ports are used again");
    }

    #[test]
    fn the_table_is_bounded() {
        let mut duplicates = Duplicates::default();
        let mut flow = notation::batch("10.0.0.5 <> 10.0.0.9:443 tcp").flows.remove(0);
        for at in 0..FLOWS_MAX as u32 + 1_000 {
            flow.key.initiator_ip = IpAddr::from((0x0a00_0000 + at).to_be_bytes());
            assert!(!duplicates.seen(&flow));
        }
        assert_eq!(
            (duplicates.told.len(), duplicates.order.len()),
            (FLOWS_MAX, FLOWS_MAX)
        );
    }
}
