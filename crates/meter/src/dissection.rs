//! The dissection of one flow: its session, and for TCP the reassembly in front of it.
//! Lives in a box beside the cache entry only while the session wants input, so counting stays cheap.

use weir_dissect::{Input, Session, Side, Sink};
use weir_model::{Anomaly, AnomalyCounts, FlowId, FlowKey, Time, Transaction, Transport};
use weir_wire::packet::Tcp;

use crate::stream::{Budget, Receiver, Segment, Stream};

/// Session and stream state of a flow.
pub(crate) struct Dissection {
    session: Session,
    id: FlowId,
    key: FlowKey,
    stream: Stream,
}

/// Where results of dissection go, and what it may use.
pub(crate) struct Desk<'a> {
    pub(crate) transactions: &'a mut Vec<Transaction>,
    pub(crate) anomalies: &'a mut AnomalyCounts,
    pub(crate) budget: &'a mut Budget,
}

impl Dissection {
    pub(crate) fn new(transport: Transport, id: FlowId, key: FlowKey) -> Self {
        Self {
            session: Session::new(transport),
            id,
            key,
            stream: Stream::default(),
        }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Says where a side's TCP stream begins.
    pub(crate) fn start(&mut self, side: Side, seq: u32) {
        self.stream.start(side, seq);
    }

    /// Feeds one whole datagram or frame payload.
    pub(crate) fn datagram(&mut self, from: Side, time: Time, data: &[u8], desk: &mut Desk<'_>) {
        self.feeder(desk).feed(Input::Bytes { from, time, data });
    }

    /// Feeds one TCP segment: its acknowledgement to the other direction, its payload to its own.
    pub(crate) fn segment(&mut self, from: Side, time: Time, tcp: &Tcp<'_>, ack: bool, desk: &mut Desk<'_>) {
        let (mut feeder, stream, budget) = self.parts(desk);
        if ack {
            stream.acknowledge(from, tcp.ack, budget, &mut feeder);
        }
        if tcp.payload_bytes > 0 && feeder.wants_input() {
            let seq = tcp
                .seq
                .wrapping_add(u32::from(tcp.flags & weir_model::tcp_flags::SYN != 0));
            let cut = tcp.payload_bytes.saturating_sub(tcp.payload.len() as u32);
            stream.segment(
                Segment {
                    from,
                    time,
                    seq,
                    data: tcp.payload,
                    cut,
                },
                budget,
                &mut feeder,
            );
        }
    }

    /// The flow is over.
    pub(crate) fn finish(&mut self, time: Time, desk: &mut Desk<'_>) {
        let (mut feeder, stream, budget) = self.parts(desk);
        stream.finish(budget, &mut feeder);
        feeder.feed(Input::End { time });
    }

    /// Returns what the stream holds to the budget; call before dropping.
    pub(crate) fn discard(&mut self, budget: &mut Budget) {
        self.stream.discard(budget);
    }

    fn parts<'a>(&'a mut self, desk: &'a mut Desk<'_>) -> (Feeder<'a>, &'a mut Stream, &'a mut Budget) {
        let sink = Sink {
            flow: self.id,
            key: &self.key,
            transactions: desk.transactions,
            anomalies: desk.anomalies,
        };
        (
            Feeder {
                session: &mut self.session,
                sink,
            },
            &mut self.stream,
            desk.budget,
        )
    }

    fn feeder<'a>(&'a mut self, desk: &'a mut Desk<'_>) -> Feeder<'a> {
        self.parts(desk).0
    }
}

/// A session with the sink its results go to.
struct Feeder<'a> {
    session: &'a mut Session,
    sink: Sink<'a>,
}

impl Feeder<'_> {
    fn feed(&mut self, input: Input<'_>) {
        self.session.feed(input, &mut self.sink);
    }
}

impl Receiver for Feeder<'_> {
    fn bytes(&mut self, from: Side, time: Time, data: &[u8]) {
        self.feed(Input::Bytes { from, time, data });
    }

    fn gap(&mut self, from: Side, time: Time, len: u64, lost: bool) {
        if lost {
            self.sink.odd(Anomaly::StreamGap);
        }
        self.feed(Input::Gap { from, time, len });
    }

    fn conflict(&mut self) {
        self.sink.odd(Anomaly::StreamConflict);
    }

    fn wants_input(&self) -> bool {
        self.session.wants_input()
    }
}
