//! Flow records of exporters put in the order of their end, with ticks of event time between them: exporters send each
//! flow when it expires, and methods read time forward. The one place where collected records get their place in the
//! pipeline's total order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use weir_model::{Batch, FlowRecord, Tick, Time, Transport, proto};

/// Records by end and order of arrival, earliest first.
#[derive(Default)]
pub(crate) struct Order {
    /// End, number of arrival, place in `waiting`.
    heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
    waiting: Vec<Option<FlowRecord>>,
    free: Vec<u32>,
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
        self.heap.push(Reverse((end, self.arrivals, place)));
        self.arrivals += 1;
    }

    /// Records waiting.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Moves the earliest record to the batch, behind the tick of its second. False when there is none.
    pub(crate) fn release(&mut self, batch: &mut Batch) -> bool {
        self.release_until(Time::MAX, batch)
    }

    /// As `release`; a record that ends later than `latest` moves the time no further than that.
    pub(crate) fn release_until(&mut self, latest: Time, batch: &mut Batch) -> bool {
        let Some(Reverse((end, _, place))) = self.heap.pop() else {
            return false;
        };
        let Some(mut flow) = self.waiting.get_mut(place as usize).and_then(Option::take) else {
            return true;
        };
        self.free.push(place);
        self.advance(end.min(latest), batch);
        flow.seq = self.seq;
        self.seq += 1;
        batch.flows.push(flow);
        true
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
    weir_dissect::REGISTRY
        .iter()
        .map(|entry| entry.meta)
        .find(|meta| meta.transports.contains(&transport) && meta.ports.contains(&flow.key.responder_port))
        .map(|meta| meta.protocol)
}
