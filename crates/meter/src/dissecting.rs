//! Dissection as a step of the meter: which packets reach a session, and what comes back from it.
//! A flow's session begins with its first payload and is dropped the moment it wants no more.

use std::collections::VecDeque;

use weir_dissect::{Session, Side};
use weir_model::{
    Anomaly, Batch, FlowId, Kind, Logins, Outcome, Time, Transaction, Transport, proto, tcp_flags,
};
use weir_wire::packet::{Ip, L4, Tcp};

use crate::dissection::{Desk, Dissection};
use crate::flow::{Dissecting, Flow};
use crate::meter::Meter;

/// Flows dissected at once: some 1 to 2 KiB each while they hold little, so that floods of half a request stay below
/// 100 MB. Past it the longest silent one is given up, and counted.
const DISSECTIONS_MAX: usize = 65_536;

/// The flows being dissected, about in order of their last packet. Entries of flows that are done are skipped.
#[derive(Default)]
pub(crate) struct Dissected {
    queue: VecDeque<Waiting>,
    active: usize,
}

/// A flow in the queue, and its last packet when it was put there.
struct Waiting {
    slot: u32,
    id: FlowId,
    touch_s: i64,
}

/// ICMPv6 types of neighbour discovery (RFC 4861): router and neighbour solicitation and advertisement, redirect.
const ND_TYPES: std::ops::RangeInclusive<u8> = 133..=137;

impl Meter {
    /// Dissects the payload of a whole IP packet that was counted to the flow in `slot`.
    pub(crate) fn dissect_ip(&mut self, slot: u32, side: usize, time: Time, ip: &Ip<'_>, out: &mut Batch) {
        match &ip.transport {
            L4::Tcp(tcp) => self.dissect_tcp(slot, side, time, tcp, out),
            L4::Udp(udp) => self.dissect_datagram(slot, side, time, Transport::Udp, udp.payload, out),
            L4::Icmp(icmp) if ip.proto == proto::ICMP6 && ND_TYPES.contains(&icmp.kind) => {
                self.dissect_datagram(slot, side, time, Transport::Icmp6, ip.payload, out);
            }
            _ => {}
        }
    }

    /// Dissects a frame without IP.
    pub(crate) fn dissect_frame(
        &mut self,
        slot: u32,
        side: usize,
        time: Time,
        payload: &[u8],
        out: &mut Batch,
    ) {
        if self.config.dissect {
            self.dissect_datagram(slot, side, time, Transport::Link, payload, out);
        }
    }

    fn dissect_datagram(
        &mut self,
        slot: u32,
        side: usize,
        time: Time,
        transport: Transport,
        data: &[u8],
        out: &mut Batch,
    ) {
        if data.is_empty() {
            return;
        }
        self.with_dissection(slot, transport, true, out, |dissection, desk| {
            dissection.datagram(side_of(side), time, data, desk);
        });
    }

    fn dissect_tcp(&mut self, slot: u32, side: usize, time: Time, tcp: &Tcp<'_>, out: &mut Batch) {
        // Bytes of a reset are a reason for people at best, not of the stream (RFC 9293, section 3.5.3).
        if tcp.flags & tcp_flags::RST != 0 {
            return;
        }
        let ack = tcp.flags & tcp_flags::ACK != 0;
        self.with_dissection(
            slot,
            Transport::Tcp,
            tcp.payload_bytes > 0,
            out,
            |dissection, desk| {
                dissection.segment(side_of(side), time, tcp, ack, desk);
            },
        );
    }

    /// Lets the flow's dissection, begun now if `begin`, work; takes its results, and drops it when it is done.
    fn with_dissection(
        &mut self,
        slot: u32,
        transport: Transport,
        begin: bool,
        out: &mut Batch,
        work: impl FnOnce(&mut Dissection, &mut Desk<'_>),
    ) {
        if begin && matches!(self.table.get(slot).dissecting, Dissecting::NotYet) {
            self.begin_dissection(slot, transport, out);
        }
        let flow = self.table.get_mut(slot);
        let Dissecting::Active(dissection) = &mut flow.dissecting else {
            return;
        };
        let before = out.transactions.len();
        let mut desk = Desk {
            transactions: &mut out.transactions,
            anomalies: &mut self.anomalies,
            budget: &mut self.budget,
        };
        work(dissection, &mut desk);
        let done = !dissection.session().wants_input();
        if done {
            dissection.discard(&mut self.budget);
        }
        (flow.protocol, flow.protocol_by_content) = verdict(dissection.session());
        if done {
            flow.dissecting = Dissecting::Over;
            self.dissected.active -= 1;
        }
        self.take_results(slot, before, out);
    }

    fn begin_dissection(&mut self, slot: u32, transport: Transport, out: &mut Batch) {
        while self.dissected.active >= DISSECTIONS_MAX && self.give_up_dissection(out) {}
        let table = &self.table;
        let queue = &mut self.dissected.queue;
        if queue.len() >= 2 * DISSECTIONS_MAX {
            queue.retain(|waiting| waiting.is_dissected(table.get(waiting.slot)));
        }
        let flow = self.table.get_mut(slot);
        queue.push_back(Waiting::of(slot, flow));
        flow.dissecting = Dissecting::Active(dissection_of(flow, transport));
        self.dissected.active += 1;
    }

    /// Ends the dissection of the first flow in the queue, or moves it back when packets came since it was put there.
    /// False when there is none.
    fn give_up_dissection(&mut self, out: &mut Batch) -> bool {
        let Some(first) = self.dissected.queue.pop_front() else {
            return false;
        };
        let flow = self.table.get(first.slot);
        if !first.is_dissected(flow) {
            return true;
        }
        if flow.touch_s > first.touch_s {
            self.dissected.queue.push_back(Waiting::of(first.slot, flow));
        } else {
            self.anomalies.count(Anomaly::DissectionDropped);
            self.end_dissection(first.slot, out);
        }
        true
    }

    /// The flow is over: its session sends what is pending.
    pub(crate) fn end_dissection(&mut self, slot: u32, out: &mut Batch) {
        let flow = self.table.get_mut(slot);
        let Dissecting::Active(mut dissection) = std::mem::replace(&mut flow.dissecting, Dissecting::Over)
        else {
            return;
        };
        self.dissected.active -= 1;
        let before = out.transactions.len();
        dissection.finish(
            flow.end,
            &mut Desk {
                transactions: &mut out.transactions,
                anomalies: &mut self.anomalies,
                budget: &mut self.budget,
            },
        );
        (flow.protocol, flow.protocol_by_content) = verdict(dissection.session());
        self.take_results(slot, before, out);
    }

    /// Numbers the transactions from `before` on and counts their log-ins to the flow.
    fn take_results(&mut self, slot: u32, before: usize, out: &mut Batch) {
        for transaction in &mut out.transactions[before..] {
            transaction.seq = self.next_seq();
            self.stats.transactions += 1;
            count_login(&mut self.table.get_mut(slot).logins, transaction);
        }
    }
}

impl Waiting {
    fn of(slot: u32, flow: &Flow) -> Self {
        Self {
            slot,
            id: flow.id,
            touch_s: flow.touch_s,
        }
    }

    /// Is the flow in the slot still this one, and being dissected?
    fn is_dissected(&self, flow: &Flow) -> bool {
        flow.id == self.id && matches!(flow.dissecting, Dissecting::Active(_))
    }
}

fn dissection_of(flow: &Flow, transport: Transport) -> Box<Dissection> {
    let mut dissection = Dissection::new(transport, flow.id, flow.key.oriented(flow.initiator_low));
    if transport == Transport::Tcp {
        for (index, side) in [Side::Initiator, Side::Responder].into_iter().enumerate() {
            if let Some(seq) = flow.tcp.stream_start(index) {
                dissection.start(side, seq);
            }
        }
    }
    Box::new(dissection)
}

fn verdict(session: &Session) -> (Option<weir_model::Protocol>, bool) {
    (session.protocol(), session.by_content())
}

fn count_login(logins: &mut Logins, transaction: &Transaction) {
    let count = match (transaction.kind, transaction.outcome) {
        (Kind::Login, Outcome::Accepted) => &mut logins.accepted,
        (Kind::Login, Outcome::Refused) => &mut logins.refused,
        _ => return,
    };
    *count = count.saturating_add(1);
}

fn side_of(index: usize) -> Side {
    if index == 0 {
        Side::Initiator
    } else {
        Side::Responder
    }
}
