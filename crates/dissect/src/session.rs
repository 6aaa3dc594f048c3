//! One flow's dissection: probes its first bytes, then feeds the dissector that matched until it wants no more.
//! A dissector that panics is dropped for this flow and counted; the flow itself goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use weir_model::{Anomaly, Protocol, Time, Transport};

use crate::registry::{Dissect, Entry, REGISTRY, usual};
use crate::{Input, Probe, Side, Sink, Want};

/// First bytes of a side kept while probes still need more.
const PROBE_BYTES_MAX: usize = 512;

/// The dissection of one flow. Starts by probing; ends in a dissector or in nothing.
pub struct Session {
    state: State,
    transport: Transport,
    protocol: Option<Protocol>,
    by_content: bool,
}

enum State {
    Probing(Option<Box<Probing>>),
    Active(Box<dyn Dissect>),
    Done,
}

/// First bytes of both sides, while nobody could tell.
#[derive(Default)]
struct Probing {
    initiator: Vec<u8>,
    responder: Vec<u8>,
    decided_no: [bool; 2],
}

impl Session {
    /// A session for a flow of this transport.
    pub const fn new(transport: Transport) -> Self {
        Self {
            state: State::Probing(None),
            transport,
            protocol: None,
            by_content: false,
        }
    }

    /// Protocol found so far.
    pub const fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Did content decide (true), or the port alone?
    pub const fn by_content(&self) -> bool {
        self.by_content
    }

    /// Does the session still want input? When not, reassembly of the flow is a waste.
    pub const fn wants_input(&self) -> bool {
        !matches!(self.state, State::Done)
    }

    /// Feeds one input, in order. Bytes are probed until a dissector matches or nobody can.
    pub fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) {
        match (&mut self.state, input) {
            (State::Done, _) => {}
            (State::Active(_), input) => self.feed_active(input, sink),
            (State::Probing(_), Input::Bytes { from, time, data }) if !data.is_empty() => {
                self.probe(from, time, data, sink);
            }
            // A hole before anything was recognised: what follows cannot be trusted to be a beginning.
            (State::Probing(_), Input::Gap { .. } | Input::End { .. }) => self.give_up(sink),
            (State::Probing(_), Input::Bytes { .. }) => {}
        }
    }

    fn feed_active(&mut self, input: Input<'_>, sink: &mut Sink<'_>) {
        let State::Active(dissector) = &mut self.state else {
            return;
        };
        match catch_unwind(AssertUnwindSafe(|| dissector.feed(input, sink))) {
            Ok(Want::More) => {}
            Ok(Want::Nothing) => self.state = State::Done,
            Ok(Want::HandOver(protocol)) => self.hand_over(protocol),
            Err(_) => {
                sink.odd(Anomaly::PluginPanic);
                self.state = State::Done;
            }
        }
    }

    fn hand_over(&mut self, protocol: Protocol) {
        self.state = match REGISTRY.iter().find(|entry| entry.meta.protocol == protocol) {
            Some(entry) => State::Active((entry.create)()),
            None => State::Done,
        };
    }

    fn probe(&mut self, from: Side, time: Time, data: &[u8], sink: &mut Sink<'_>) {
        let State::Probing(held) = &self.state else {
            return;
        };
        let before = held.as_ref().map_or(&[][..], |held| held.of(from));
        let joined;
        let bytes = if before.is_empty() {
            data
        } else {
            joined = [before, data].concat();
            &joined
        };
        match self.best_match(bytes, from, sink) {
            Verdict::Entry(entry) => self.start(entry, from, time, bytes, sink),
            Verdict::NeedMore if bytes.len() < PROBE_BYTES_MAX => self.hold(from, data),
            Verdict::NeedMore | Verdict::Nobody => self.decide_no(from, data, sink),
        }
    }

    fn best_match(&self, bytes: &[u8], from: Side, sink: &Sink<'_>) -> Verdict {
        let ports = match from {
            Side::Initiator => (sink.key.initiator_port, sink.key.responder_port),
            Side::Responder => (sink.key.responder_port, sink.key.initiator_port),
        };
        let of_transport = || {
            REGISTRY
                .iter()
                .filter(|entry| entry.meta.transports.contains(&self.transport))
        };
        let usual = |entry: &&Entry| entry.meta.is_usual(ports);
        let mut need_more = false;
        // The protocol that usually lives on the port gets the first look; content decides all the same.
        for entry in of_transport()
            .filter(usual)
            .chain(of_transport().filter(|entry| !usual(entry)))
        {
            match (entry.probe)(bytes, from, ports) {
                Probe::Match => return Verdict::Entry(entry),
                Probe::NeedMore => need_more = true,
                Probe::NoMatch => {}
            }
        }
        if need_more {
            Verdict::NeedMore
        } else {
            Verdict::Nobody
        }
    }

    /// Hands the dissector what was held back of the other side, then all `bytes` of this one.
    fn start(&mut self, entry: &'static Entry, from: Side, time: Time, bytes: &[u8], sink: &mut Sink<'_>) {
        let State::Probing(held) = std::mem::replace(&mut self.state, State::Active((entry.create)())) else {
            return;
        };
        self.protocol = Some(entry.meta.protocol);
        self.by_content = true;
        let other = from.other();
        if let Some(held) = held.filter(|held| !held.of(other).is_empty()) {
            let data = held.of(other);
            self.feed_active(
                Input::Bytes {
                    from: other,
                    time,
                    data,
                },
                sink,
            );
        }
        let data = bytes;
        self.feed_active(Input::Bytes { from, time, data }, sink);
    }

    fn hold(&mut self, from: Side, data: &[u8]) {
        let State::Probing(held) = &mut self.state else {
            return;
        };
        let held = held.get_or_insert_default();
        let kept = held.of_mut(from);
        let room = PROBE_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&data[..data.len().min(room)]);
    }

    /// Nobody wants this side's bytes: wait for the other side once, datagrams for a few more, then stop.
    fn decide_no(&mut self, from: Side, data: &[u8], sink: &mut Sink<'_>) {
        let State::Probing(held) = &mut self.state else {
            return;
        };
        let held = held.get_or_insert_default();
        held.decided_no[from as usize] = true;
        if held.decided_no == [true, true] {
            self.give_up(sink);
        } else if held.of(from).len() + data.len() <= PROBE_BYTES_MAX && self.transport == Transport::Tcp {
            self.hold(from, data);
        } else if self.transport == Transport::Tcp {
            self.give_up(sink);
        }
    }

    fn give_up(&mut self, sink: &Sink<'_>) {
        self.state = State::Done;
        self.protocol = usual(self.transport, sink.key.responder_port);
    }
}

enum Verdict {
    Entry(&'static Entry),
    NeedMore,
    Nobody,
}

impl Probing {
    fn of(&self, side: Side) -> &[u8] {
        match side {
            Side::Initiator => &self.initiator,
            Side::Responder => &self.responder,
        }
    }

    fn of_mut(&mut self, side: Side) -> &mut Vec<u8> {
        match side {
            Side::Initiator => &mut self.initiator,
            Side::Responder => &mut self.responder,
        }
    }
}
