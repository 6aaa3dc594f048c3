//! TCP reassembly: segments in any order in, each side's bytes in order out, holes named as gaps.
//! In-order data passes without a copy; what waits for a hole is bounded per flow and over all flows.

use std::collections::VecDeque;

use weir_dissect::Side;
use weir_model::Time;

/// Segments that wait per direction: bounds the search of the queue, whatever their size.
const SEGMENTS_MAX: usize = 64;

/// Where reassembled bytes go.
pub(crate) trait Receiver {
    /// The next bytes of a side.
    fn bytes(&mut self, from: Side, time: Time, data: &[u8]);
    /// This many bytes of a side will not come. `lost`: not seen at all, as opposed to cut by the snap length.
    fn gap(&mut self, from: Side, time: Time, len: u64, lost: bool);
    /// Bytes of a side were sent twice with different content; the first are kept.
    fn conflict(&mut self);
    /// Are further bytes wanted?
    fn wants_input(&self) -> bool;
}

/// Bounds on what waits.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Bytes per direction of a flow.
    pub(crate) flow_bytes_max: usize,
    /// Bytes over all flows.
    pub(crate) total_bytes_max: usize,
    /// Bytes waiting now, over all flows.
    pub(crate) total_bytes: usize,
}

/// Payload of one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) from: Side,
    pub(crate) time: Time,
    /// Sequence number of the first payload byte.
    pub(crate) seq: u32,
    pub(crate) data: &'a [u8],
    /// Bytes behind `data` that the capture's snap length cut off.
    pub(crate) cut: u32,
}

/// Both directions of a connection, initiator first.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    halves: [Half; 2],
}

/// One direction.
#[derive(Debug, Default)]
struct Half {
    /// Sequence number of the next byte to deliver, once `started`.
    next: u32,
    started: bool,
    /// Highest acknowledgement by the other side.
    acked: Option<u32>,
    /// Segments behind a hole, ordered, without overlap.
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    time: Time,
    seq: u32,
    data: Box<[u8]>,
    cut: u32,
}

impl Stream {
    /// Says where a side's stream begins, when its SYN was seen; otherwise its first segment begins it.
    pub(crate) fn start(&mut self, side: Side, seq: u32) {
        let half = &mut self.halves[side as usize];
        if !half.started {
            half.next = seq;
            half.started = true;
        }
    }

    /// Takes the payload of one segment.
    pub(crate) fn segment(
        &mut self,
        segment: Segment<'_>,
        budget: &mut Budget,
        receiver: &mut impl Receiver,
    ) {
        self.halves[segment.from as usize].accept(segment, budget, receiver);
    }

    /// `side` acknowledges the other's bytes up to `ack`: what is missing below will not be sent again.
    pub(crate) fn acknowledge(
        &mut self,
        side: Side,
        ack: u32,
        budget: &mut Budget,
        receiver: &mut impl Receiver,
    ) {
        let half = &mut self.halves[side.other() as usize];
        if half.acked.is_none_or(|acked| is_before(acked, ack)) {
            half.acked = Some(ack);
            half.pass_acknowledged(side.other(), budget, receiver);
        }
    }

    /// The flow is over: what waits is delivered, with its holes.
    pub(crate) fn finish(&mut self, budget: &mut Budget, receiver: &mut impl Receiver) {
        for side in [Side::Initiator, Side::Responder] {
            let half = &mut self.halves[side as usize];
            while receiver.wants_input() && half.pass_hole(side, budget, receiver) {}
        }
        self.discard(budget);
    }

    /// Drops what waits.
    pub(crate) fn discard(&mut self, budget: &mut Budget) {
        for half in &mut self.halves {
            budget.total_bytes -= half.waiting_bytes;
            half.waiting_bytes = 0;
            half.waiting.clear();
        }
    }
}

impl Half {
    fn accept(&mut self, segment: Segment<'_>, budget: &mut Budget, receiver: &mut impl Receiver) {
        let from = segment.from;
        if !self.started {
            self.next = segment.seq;
            self.started = true;
        }
        let mut rest = segment;
        rest.skip_to(self.next);
        while rest.len() > 0 && rest.seq == self.next && receiver.wants_input() {
            let room = self
                .waiting
                .front()
                .map_or(u32::MAX, |front| front.seq.wrapping_sub(self.next));
            let now = rest.split_front(room);
            self.deliver(&now, receiver);
            self.drain(from, Some(&rest), budget, receiver);
            rest.skip_to(self.next);
        }
        if rest.len() > 0 && receiver.wants_input() {
            self.hold(rest, budget, receiver);
            let full = |half: &Self, budget: &Budget| {
                half.waiting_bytes > budget.flow_bytes_max
                    || half.waiting.len() > SEGMENTS_MAX
                    || budget.total_bytes > budget.total_bytes_max
            };
            while full(self, budget) && receiver.wants_input() && self.pass_hole(from, budget, receiver) {}
            self.pass_acknowledged(from, budget, receiver);
        }
    }

    /// Hands on bytes that begin at `next`.
    fn deliver(&mut self, segment: &Segment<'_>, receiver: &mut impl Receiver) {
        if !segment.data.is_empty() {
            receiver.bytes(segment.from, segment.time, segment.data);
        }
        if segment.cut > 0 {
            receiver.gap(segment.from, segment.time, u64::from(segment.cut), false);
        }
        self.next = self.next.wrapping_add(segment.len());
    }

    /// Delivers what waited and is now in order, comparing it with the `rest` of a segment that overlaps it.
    fn drain(
        &mut self,
        from: Side,
        rest: Option<&Segment<'_>>,
        budget: &mut Budget,
        receiver: &mut impl Receiver,
    ) {
        while receiver.wants_input() {
            let Some(front) = self.waiting.pop_front_if(|front| front.seq == self.next) else {
                return;
            };
            self.waiting_bytes -= front.data.len();
            budget.total_bytes -= front.data.len();
            if rest.is_some_and(|rest| rest.differs(&front)) {
                receiver.conflict();
            }
            self.deliver(&front.as_segment(from), receiver);
        }
    }

    /// Puts a segment behind a hole in its place; bytes that already wait there are kept.
    fn hold(&mut self, segment: Segment<'_>, budget: &mut Budget, receiver: &mut impl Receiver) {
        let mut rest = segment;
        let mut place = 0;
        while rest.len() > 0 {
            let Some(other) = self.waiting.get(place) else {
                let len = rest.len();
                self.insert(place, rest.split_front(len), budget);
                return;
            };
            if is_before(rest.seq, other.seq) {
                let room = other.seq.wrapping_sub(rest.seq);
                let piece = rest.split_front(room);
                self.insert(place, piece, budget);
            } else {
                if rest.differs(other) {
                    receiver.conflict();
                }
                rest.skip_to(other.seq.wrapping_add(other.len()));
            }
            place += 1;
        }
    }

    fn insert(&mut self, place: usize, piece: Segment<'_>, budget: &mut Budget) {
        self.waiting_bytes += piece.data.len();
        budget.total_bytes += piece.data.len();
        let waiting = Waiting {
            time: piece.time,
            seq: piece.seq,
            data: piece.data.into(),
            cut: piece.cut,
        };
        self.waiting.insert(place, waiting);
    }

    /// Gives up the holes whose end the other side has acknowledged.
    fn pass_acknowledged(&mut self, from: Side, budget: &mut Budget, receiver: &mut impl Receiver) {
        let Some(acked) = self.acked else { return };
        while receiver.wants_input()
            && self
                .waiting
                .front()
                .is_some_and(|front| !is_before(acked, front.seq))
            && self.pass_hole(from, budget, receiver)
        {}
    }

    /// Gives up the first hole and delivers what waited behind it; false when nothing waits.
    fn pass_hole(&mut self, from: Side, budget: &mut Budget, receiver: &mut impl Receiver) -> bool {
        let Some(front) = self.waiting.front() else {
            return false;
        };
        let len = front.seq.wrapping_sub(self.next);
        if len > 0 {
            receiver.gap(from, front.time, u64::from(len), true);
        }
        self.next = front.seq;
        self.drain(from, None, budget, receiver);
        true
    }
}

impl<'a> Segment<'a> {
    fn len(&self) -> u32 {
        (self.data.len() as u32).saturating_add(self.cut)
    }

    /// Drops what lies before `seq`.
    fn skip_to(&mut self, seq: u32) {
        let behind = seq.wrapping_sub(self.seq);
        if is_before(self.seq, seq) {
            self.split_front(behind);
        }
    }

    /// Takes the first `count` bytes off; all of them when there are fewer.
    fn split_front(&mut self, count: u32) -> Self {
        let count = count.min(self.len());
        let kept = self.data.len().min(count as usize);
        let (data, rest) = self.data.split_at(kept);
        let cut = count - kept as u32;
        let front = Self { data, cut, ..*self };
        self.seq = self.seq.wrapping_add(count);
        self.data = rest;
        self.cut -= cut;
        front
    }

    /// Do the bytes both hold differ anywhere?
    fn differs(&self, other: &Waiting) -> bool {
        let (mut mine, mut theirs): (&[u8], &[u8]) = (self.data, &other.data);
        if is_before(self.seq, other.seq) {
            let lead = other.seq.wrapping_sub(self.seq) as usize;
            mine = mine.get(lead..).unwrap_or_default();
        } else {
            let lead = self.seq.wrapping_sub(other.seq) as usize;
            theirs = theirs.get(lead..).unwrap_or_default();
        }
        let both = mine.len().min(theirs.len());
        mine[..both] != theirs[..both]
    }
}

impl Waiting {
    fn len(&self) -> u32 {
        (self.data.len() as u32).saturating_add(self.cut)
    }

    fn as_segment(&self, from: Side) -> Segment<'_> {
        Segment {
            from,
            time: self.time,
            seq: self.seq,
            data: &self.data,
            cut: self.cut,
        }
    }
}

/// Sequence number order (RFC 9293, section 3.4): numbers wrap, so half the space lies before any of them.
const fn is_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[cfg(test)]
mod tests;
