//! The collecting process on live input: datagrams to ordered batches and ticks, with event time that goes on when the
//! exporters are quiet. Gets every time as an argument, so that tests need no patience.

use std::time::Duration;

use weir_collector::Collector;
use weir_model::{Batch, FlowRecord, Time};

use super::queue::Item;
use crate::order::Order;

/// Records waiting to be put in order; some 60 MiB, and more than a second at 100,000 records/s.
const ORDER_MAX: usize = 131_072;
/// Records further ahead of our clock than this do not move event time: a device set to next year must not end today.
const AHEAD_MAX_NS: i64 = 300 * weir_model::NANOS_PER_S;

/// Now, by the two clocks the program owns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Time of day.
    pub(super) wall: Time,
    /// Time since the start, which nobody sets.
    pub(super) running: Duration,
}

/// Event time on live input: the latest end of a record that is believed, and from there on at the pace of the clock.
#[derive(Default)]
struct EventTime {
    base: Option<(Time, Duration)>,
}

impl EventTime {
    fn at(&self, running: Duration) -> Option<Time> {
        let (time, since) = self.base?;
        let passed = running.saturating_sub(since).as_nanos();
        Some(time + i64::try_from(passed).unwrap_or(i64::MAX))
    }

    fn see(&mut self, end: Time, now: Now) {
        let end = end.min(now.wall + AHEAD_MAX_NS);
        if self.at(now.running).is_none_or(|time| end > time) {
            self.base = Some((end, now.running));
        }
    }
}

/// Collector, order and event time.
pub(super) struct Live {
    pub(super) collector: Collector,
    order: Order,
    time: EventTime,
    flows: Vec<FlowRecord>,
    /// How long records are held to be put in order.
    hold: Duration,
    /// When the first of the records held came.
    held_since: Option<Duration>,
    /// Flow records handed on.
    pub(super) handed_on: u64,
}

impl Live {
    pub(super) fn new(collector: Collector, hold: Duration) -> Self {
        Self {
            collector,
            order: Order::default(),
            time: EventTime::default(),
            flows: Vec::new(),
            hold,
            held_since: None,
            handed_on: 0,
        }
    }

    /// Takes what a receiver handed on.
    pub(super) fn take(&mut self, item: &Item, now: Now) {
        match item {
            Item::Closed(from) => self.collector.end_stream(*from),
            Item::Chunk(chunk) => {
                for (from, bytes) in chunk.datagrams() {
                    let (arrival, flows) = (chunk.arrival, &mut self.flows);
                    if chunk.stream {
                        self.collector.stream_message(from, arrival, bytes, flows);
                    } else {
                        self.collector.datagram(from, arrival, bytes, flows);
                    }
                }
                self.wait(now);
            }
        }
    }

    /// Lets time pass for what waits for a counterpart.
    pub(super) fn pass(&mut self, now: Now) {
        self.collector.advance(now.wall, &mut self.flows);
        self.wait(now);
    }

    fn wait(&mut self, now: Now) {
        for flow in self.flows.drain(..) {
            self.time.see(flow.end, now);
            self.held_since.get_or_insert(now.running);
            self.order.push(flow);
        }
    }

    /// Have records been held long enough, or are there too many?
    pub(super) fn due(&self, now: Now) -> bool {
        let waited = self
            .held_since
            .is_some_and(|since| now.running >= since + self.hold);
        waited || self.order.len() > ORDER_MAX
    }

    /// Fills an empty batch with what is due; true when there may be more.
    pub(super) fn release(&mut self, now: Now, batch: &mut Batch) -> bool {
        let all = self
            .held_since
            .is_some_and(|since| now.running >= since + self.hold);
        let latest = now.wall + AHEAD_MAX_NS;
        while batch.len() < Batch::RECORDS_MAX && (all || self.order.len() > ORDER_MAX) {
            if !self.order.release_until(latest, batch) {
                self.held_since = None;
                break;
            }
        }
        self.handed_on += batch.flows.len() as u64;
        let more = batch.len() >= Batch::RECORDS_MAX;
        // Quiet exporters do not stop time: windows close and events end. Nothing still held may come late by it.
        if let Some(time) = self.time.at(now.running).filter(|_| !more) {
            let lag = i64::try_from(self.hold.as_nanos() * 2).unwrap_or(i64::MAX);
            self.order.advance(time - lag, batch);
        }
        more
    }

    /// Fills an empty batch with what is left at the end; true when that was all.
    pub(super) fn finish_some(&mut self, now: Now, batch: &mut Batch) -> bool {
        self.collector.finish(&mut self.flows);
        self.wait(now);
        let ended = self.order.finish_some(batch);
        self.handed_on += batch.flows.len() as u64;
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::queue::Chunk;
    use std::net::SocketAddr;

    const HOLD: Duration = Duration::from_secs(15);

    fn now(secs: u64) -> Now {
        Now {
            wall: Time::from_secs(1_700_000_000 + secs as i64),
            running: Duration::from_secs(secs),
        }
    }

    /// NetFlow v5 of one flow that ended `ago_s` before an export at `export_s`.
    fn v5(export_s: u32, ago_s: u32, port: u16) -> Item {
        let uptime = 9_000_000u32;
        let mut bytes = [5u16, 1].map(u16::to_be_bytes).concat();
        bytes.extend([uptime, export_s, 0, 0, 0].map(u32::to_be_bytes).concat());
        let span = uptime - ago_s * 1_000;
        let head = [0x0a00_0001u32, 0x0a00_0002, 0, 0, 3, 4_000, span, span];
        bytes.extend(head.map(u32::to_be_bytes).concat());
        bytes.extend([40_000, port].map(u16::to_be_bytes).concat());
        bytes.extend([0, 0x1b, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut chunk = Chunk::new(now(0).wall, false);
        chunk.push(SocketAddr::from(([192, 0, 2, 1], 2_055)), &bytes);
        Item::Chunk(chunk)
    }

    #[test]
    fn held_ordered_and_time_goes_on_in_silence() {
        let mut live = Live::new(Collector::default(), HOLD);
        for (ago, port) in [(10, 1_001), (60, 1_002), (30, 1_003)] {
            live.take(&v5(1_700_000_000, ago, port), now(0));
        }
        let mut batch = Batch::default();
        assert!(!live.due(now(20)));
        live.pass(now(20));
        assert!(!live.due(now(34)) && live.due(now(35)));
        live.release(now(35), &mut batch);
        let ports: Vec<u16> = batch.flows.iter().map(|flow| flow.key.responder_port).collect();
        assert_eq!(ports, [1_002, 1_003, 1_001]);
        // The last record ended 10 s before; 15 s passed since it was believed, and the hold counts twice.
        let last = batch.ticks.last().map(|tick| tick.time);
        assert_eq!(last, Some(Time::from_secs(1_700_000_000 - 10)));
        batch = Batch::default();
        live.release(now(95), &mut batch);
        assert!(batch.flows.is_empty());
        assert_eq!(batch.ticks[0].time, Time::from_secs(1_700_000_000 - 10 + 75 - 30));
    }

    #[test]
    fn a_clock_ahead_does_not_move_time() {
        let mut live = Live::new(Collector::default(), HOLD);
        live.take(&v5(1_700_000_000 + 86_400, 0, 1_001), now(0));
        live.pass(now(20));
        let mut batch = Batch::default();
        live.release(now(40), &mut batch);
        assert_eq!(batch.flows.len(), 1);
        assert!(
            batch
                .ticks
                .iter()
                .all(|tick| tick.time <= now(40).wall + AHEAD_MAX_NS)
        );
    }

    #[test]
    fn records_waiting_are_bounded() {
        let mut live = Live::new(Collector::default(), HOLD);
        let mut handed_on = 0;
        for at in 0..(ORDER_MAX as u32 * 2 / 1_000) {
            for port in 0..1_000u16 {
                live.take(&v5(1_700_000_000, at % 50, port), now(0));
            }
            live.pass(now(0));
            let mut batch = Batch::default();
            while live.due(now(0)) {
                live.release(now(0), &mut batch);
                handed_on += std::mem::take(&mut batch).flows.len();
            }
        }
        assert!(live.order.len() <= ORDER_MAX);
        let held = live.order.len();
        let mut batch = Batch::default();
        let mut left = 0;
        while !live.finish_some(now(0), &mut batch) {
            left += std::mem::take(&mut batch).flows.len();
        }
        left += batch.flows.len();
        assert!(left >= held);
        assert_eq!(live.handed_on, (handed_on + left) as u64);
        let pairing = live.collector.pairing();
        assert_eq!(
            live.collector.counts().records,
            pairing.lone + pairing.biflows + 2 * pairing.pairs
        );
        assert_eq!(live.handed_on, pairing.lone + pairing.biflows + pairing.pairs);
    }
}
