//! Flow records of exporters put in the order of their end, with ticks of event time between them: exporters send each
//! flow when it expires, and methods read time forward. The one place where collected records get their place in the
//! pipeline's total order.
//!
//! Records stand still where they were put. What is put in order are their ends: first roughly, by a few milliseconds, and
//! within such a bin when its turn comes. What arrives for a bin whose turn has come already is merged with the rest of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::iter::Peekable;
use std::vec;

use weir_model::{Batch, FlowRecord, Tick, Time, Transport, proto};

/// Bits of the nanoseconds that a bin does not tell apart: some 17 ms, a few thousand records of a busy collector.
const BIN_BITS: u32 = 24;

/// A record's end, number of arrival, and place in `waiting`.
type Entry = (Time, u64, u32);

/// Records by end and order of arrival, earliest first.
#[derive(Default)]
pub(crate) struct Order {
    waiting: Vec<Option<FlowRecord>>,
    free: Vec<u32>,
    /// Bins whose turn has not come, in order of arrival.
    bins: BTreeMap<i64, Vec<Entry>>,
    /// The bin whose turn it is, in order; all ends in `bins` are later than those in it.
    turn: Option<(i64, Peekable<vec::IntoIter<Entry>>)>,
    /// What came for that bin, or an earlier one, since.
    late: BinaryHeap<Reverse<Entry>>,
    arrivals: u64,
    seq: u64,
    watermark: Option<Time>,
}

impl Order {
    /// Takes a record.
    pub(crate) fn push(&mut self, mut flow: FlowRecord) {
        flow.protocol = flow.protocol.or_else(|| protocol_of_port(&flow));
        let end = flow.end;
        let place = match self.free.pop() {
            Some(place) => {
                self.waiting[place as usize] = Some(flow);
                place
            }
            None => {
                self.waiting.push(Some(flow));
                (self.waiting.len() - 1) as u32
            }
        };
        let entry = (end, self.arrivals, place);
        let bin = end.0 >> BIN_BITS;
        if self.turn.as_ref().is_some_and(|(turn, _)| bin <= *turn) {
            self.late.push(Reverse(entry));
        } else {
            self.bins.entry(bin).or_default().push(entry);
        }
        self.arrivals += 1;
    }

    /// Records waiting.
    pub(crate) const fn len(&self) -> usize {
        self.waiting.len() - self.free.len()
    }

    /// Moves the earliest record to the batch, behind the tick of its second. False when there is none.
    pub(crate) fn release(&mut self, batch: &mut Batch) -> bool {
        self.release_until(Time::MAX, batch)
    }

    /// As `release`; a record that ends later than `latest` moves the time no further than that.
    pub(crate) fn release_until(&mut self, latest: Time, batch: &mut Batch) -> bool {
        let Some((end, _, place)) = self.earliest() else {
            return false;
        };
        let held = self.len();
        let Some(mut flow) = self.waiting.get_mut(place as usize).and_then(Option::take) else {
            return true;
        };
        self.free.push(place);
        // In one piece, and no larger than what there is to put in it.
        if batch.flows.capacity() == 0 {
            batch.flows.reserve_exact(held.min(Batch::RECORDS_MAX));
        }
        self.advance(end.min(latest), batch);
        flow.seq = self.seq;
        self.seq += 1;
        batch.flows.push(flow);
        true
    }

    /// The record whose turn it is.
    fn earliest(&mut self) -> Option<Entry> {
        loop {
            let next = self.turn.as_mut().and_then(|(_, bin)| bin.peek());
            let late = self.late.peek().map(|Reverse(entry)| entry);
            match (next, late) {
                (Some(next), Some(late)) if late < next => break,
                (None, Some(_)) => break,
                (Some(_), _) => return self.turn.as_mut().and_then(|(_, bin)| bin.next()),
                (None, None) => {}
            }
            let (bin, mut entries) = self.bins.pop_first()?;
            // Arrivals are in order already, and exporters mostly tell of flows as they end.
            entries.sort_by_key(|(end, ..)| *end);
            self.turn = Some((bin, entries.into_iter().peekable()));
        }
        self.late.pop().map(|Reverse(entry)| entry)
    }

    /// Passes to `time` with a tick, when that is a second further than before.
    pub(crate) fn advance(&mut self, time: Time, batch: &mut Batch) {
        if self.watermark.is_none_or(|before| time.bin(1) > before.bin(1)) {
            self.watermark = Some(time);
            self.tick(time, false, batch);
        }
    }

    /// Hands on up to a batch of what is left; true when that was all, with the last tick behind it.
    pub(crate) fn finish_some(&mut self, batch: &mut Batch) -> bool {
        while batch.len() < Batch::RECORDS_MAX {
            if !self.release(batch) {
                let time = self.watermark.unwrap_or_default();
                self.tick(time, true, batch);
                return true;
            }
        }
        false
    }

    fn tick(&mut self, time: Time, end: bool, batch: &mut Batch) {
        batch.ticks.push(Tick {
            seq: self.seq,
            time,
            end,
        });
        self.seq += 1;
    }
}

/// The protocol whose usual port the responder's is, as the meter says it where content does not tell.
fn protocol_of_port(flow: &FlowRecord) -> Option<weir_model::Protocol> {
    let transport = match flow.key.proto {
        proto::TCP => Transport::Tcp,
        proto::UDP => Transport::Udp,
        _ => return None,
    };
    weir_dissect::usual(transport, flow.key.responder_port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_testkit::notation;

    use super::*;

    fn flow(end: i64, number: u32) -> FlowRecord {
        let mut flow = notation::batch("10.0.0.5 > 10.0.0.9:7 udp").flows.remove(0);
        (flow.end, flow.sampling) = (Time(end), number);
        flow
    }

    proptest! {
        /// However pushes and releases take turns, what leaves is what a list would give: the earliest end, and of those
        /// the first to come.
        #[test]
        fn the_earliest_leaves_first(
            steps in prop::collection::vec(prop::option::weighted(0.6, (0_i64..6, -40_000_000_i64..40_000_000)), 0..200)
        ) {
            let (mut order, mut batch) = (Order::default(), Batch::default());
            let mut model: Vec<(i64, u32)> = Vec::new();
            for (at, step) in steps.iter().enumerate() {
                match step {
                    Some((second, nanos)) => {
                        let end = second * 1_000_000_000 + nanos;
                        order.push(flow(end, at as u32));
                        model.push((end, at as u32));
                    }
                    None => {
                        let least = model.iter().copied().min();
                        prop_assert_eq!(order.release(&mut batch), least.is_some());
                        if let Some(least) = least {
                            model.retain(|one| *one != least);
                            let last = batch.flows.last().unwrap();
                            prop_assert_eq!((last.end.0, last.sampling), least);
                        }
                    }
                }
                prop_assert_eq!(order.len(), model.len());
            }
            while order.release(&mut batch) {}
            prop_assert_eq!(order.len(), 0);
            let mut seqs: Vec<u64> = batch.flows.iter().map(|flow| flow.seq).collect();
            seqs.extend(batch.ticks.iter().map(|tick| tick.seq));
            seqs.sort_unstable();
            prop_assert!(seqs.iter().copied().eq(0..seqs.len() as u64));
        }
    }
}
