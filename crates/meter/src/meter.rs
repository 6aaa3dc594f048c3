//! The metering process: packets in, flow records, transactions and ticks out, in one total order.
//! One meter belongs to one thread; it reads no clock and its output depends on its input alone.

use weir_model::{
    Anomaly, AnomalyCounts, Batch, EndReason, FlowRecord, Phase, Tick, Time, ethertype, proto, tcp_flags,
};
use weir_wire::packet::{Icmp, Ip, L4, Net, Packet};
use weir_wire::{Fragments, decode_ip_payload};

use crate::arrival::Arrival;
use crate::clock::{EventClock, Step};
use crate::config::MeterConfig;
use crate::dissecting::Dissected;
use crate::flow::{Class, Flow};
use crate::fragments::FragmentFlows;
use crate::key::Sighting;
use crate::record;
use crate::stream::Budget;
use crate::table::Table;

/// Silence after which a SYN with another initial sequence number begins a new flow on the same ports, seconds.
/// SYN retries keep their number, so a new one this late is a new connection whose predecessor's end was missed.
const REUSE_SILENCE_S: i64 = 5;

/// What the reassembly of fragments counts by itself.
const FRAGMENT_ANOMALIES: [Anomaly; 2] = [Anomaly::FragmentOverlap, Anomaly::FragmentDropped];

/// Figures of a meter, running totals unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeterStats {
    pub packets: u64,
    /// Bytes of the frames on the wire.
    pub bytes: u64,
    pub flows_created: u64,
    /// Flows in the cache now.
    pub flows_active: u64,
    /// Flows sent early because the cache was full.
    pub flows_evicted: u64,
    pub records: u64,
    pub transactions: u64,
    /// Out-of-order TCP bytes held now.
    pub stream_bytes_waiting: u64,
}

/// How far event time has been moved for the packet that comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moving {
    /// Not yet.
    Still,
    /// A new second has begun; flows that are due remain.
    Expiring,
    /// All that was due is sent.
    Moved,
}

/// A metering process (RFC 5470): flow cache, expiry, reassembly and dissection of one stream of packets.
pub struct Meter {
    pub(crate) config: MeterConfig,
    clock: EventClock,
    pub(crate) table: Table,
    pub(crate) dissected: Dissected,
    fragment_flows: FragmentFlows,
    fragments: Fragments,
    pub(crate) budget: Budget,
    pub(crate) anomalies: AnomalyCounts,
    pub(crate) stats: MeterStats,
    seq: u64,
    moving: Moving,
    /// Slots still to be flushed, last first, once the input has ended.
    closing: Option<Vec<u32>>,
    ended: bool,
}

impl Meter {
    /// A meter with an empty cache.
    pub fn new(config: MeterConfig) -> Self {
        Self {
            config,
            clock: EventClock::new(),
            table: Table::new(),
            dissected: Dissected::default(),
            fragment_flows: FragmentFlows::default(),
            fragments: Fragments::new(),
            budget: Budget {
                flow_bytes_max: config.stream_bytes_max,
                total_bytes_max: config.stream_bytes_total_max,
                total_bytes: 0,
            },
            anomalies: AnomalyCounts::default(),
            stats: MeterStats::default(),
            seq: 0,
            moving: Moving::Still,
            closing: None,
            ended: false,
        }
    }

    /// Takes one decoded packet with its stamp. What is due goes to `out`, in order of `seq`; a silence in the input
    /// may end many flows at once, so `out` can grow past [`Batch::RECORDS_MAX`] within one call, unless
    /// [`Self::advance_some`] was called for the packet before.
    pub fn packet(&mut self, time: Time, packet: &Packet<'_>, out: &mut Batch) {
        self.stats.packets += 1;
        self.stats.bytes += u64::from(packet.frame_bytes);
        if let Some(anomaly) = packet.anomaly {
            self.anomalies.count(anomaly);
        }
        while !self.advance_some(time, out) {}
        self.moving = Moving::Still;
        match &packet.net {
            Net::Ip(ip) => self.ip(time, packet, ip, out),
            Net::Arp(payload) => {
                let arrival = Arrival::of_frame(time, packet, payload);
                let (slot, side) = self.meter(&arrival, out);
                self.dissect_frame(slot, side, time, payload, out);
            }
            Net::Other(payload) => {
                let (slot, side) = self.meter(&Arrival::of_frame(time, packet, payload), out);
                if packet.ethertype == ethertype::GOOSE {
                    self.dissect_frame(slot, side, time, payload, out);
                }
            }
        }
    }

    /// End of input: every open flow is sent ([`EndReason::Forced`], by start and id), then the last tick.
    pub fn finish(&mut self, out: &mut Batch) {
        while !self.finish_some(out) {}
    }

    /// One step of [`Self::finish`]: about a batch of records; true when all is sent. No packets after the first call.
    pub fn finish_some(&mut self, out: &mut Batch) -> bool {
        if self.ended {
            return true;
        }
        let mut closing = self.closing.take().unwrap_or_else(|| self.closing_order());
        let records_end = out.len() + Batch::RECORDS_MAX;
        while out.len() < records_end
            && let Some(slot) = closing.pop()
        {
            self.end(slot, EndReason::Forced, out);
        }
        self.ended = closing.is_empty();
        if self.ended {
            self.with_fragments(Fragments::finish);
            self.tick(self.clock.final_time(), true, out);
        }
        self.closing = Some(closing);
        self.ended
    }

    /// What was odd in packets, streams and content so far.
    pub const fn anomalies(&self) -> &AnomalyCounts {
        &self.anomalies
    }

    /// Figures so far.
    pub fn stats(&self) -> MeterStats {
        MeterStats {
            flows_active: self.table.len() as u64,
            stream_bytes_waiting: self.budget.total_bytes as u64,
            ..self.stats
        }
    }

    fn ip(&mut self, time: Time, packet: &Packet<'_>, ip: &Ip<'_>, out: &mut Batch) {
        let sighting = self.fragment_flows.sight(ip, packet.vlan);
        let arrival = Arrival::of_ip(time, packet, ip, sighting);
        let (slot, side) = self.meter(&arrival, out);
        if let L4::Icmp(icmp) = &ip.transport {
            self.mark_refused(icmp, packet.vlan);
        }
        if !self.config.dissect {
            return;
        }
        if ip.fragment.is_none() {
            return self.dissect_ip(slot, side, time, ip, out);
        }
        if let Some(payload) = self.put_together(time, packet.vlan, ip) {
            let (ip, _) = decode_ip_payload(ip, &payload);
            self.dissect_ip(slot, side, time, &ip, out);
        }
    }

    /// Takes a fragment; gives the payload of the whole packet when it was the last one missing.
    fn put_together(&mut self, time: Time, vlan: Option<u16>, ip: &Ip<'_>) -> Option<Vec<u8>> {
        let now = if self.clock.now() == Time::MIN {
            time
        } else {
            self.clock.now()
        };
        self.with_fragments(|fragments| fragments.push(now, vlan, ip))
    }

    /// Lets the reassembly of fragments work, and takes over what it counts.
    fn with_fragments<T>(&mut self, work: impl FnOnce(&mut Fragments) -> T) -> T {
        let before = FRAGMENT_ANOMALIES.map(|anomaly| self.fragments.anomalies().of(anomaly));
        let result = work(&mut self.fragments);
        for (anomaly, before) in FRAGMENT_ANOMALIES.into_iter().zip(before) {
            let times = self.fragments.anomalies().of(anomaly) - before;
            self.anomalies.add(anomaly, times);
        }
        result
    }

    /// Open flows in the order in which the end of input sends them, reversed to be popped.
    fn closing_order(&self) -> Vec<u32> {
        let mut slots = self.table.all();
        slots.sort_unstable_by_key(|&slot| {
            let flow = self.table.get(slot);
            std::cmp::Reverse((flow.flow_start.min(flow.start), flow.id))
        });
        slots
    }

    /// Counts the packet to its flow, which may begin with it; gives the flow's slot and the sender's side.
    fn meter(&mut self, arrival: &Arrival<'_>, out: &mut Batch) -> (u32, usize) {
        let slot = self.slot_for(arrival, out);
        let now_s = self.clock.now_s();
        let flow = self.table.get_mut(slot);
        let side = flow.side(arrival.sighting.sender_low);
        arrival.note(flow, side);
        let class = flow.class_now();
        self.table.touch(slot, now_s, class);
        if arrival.time.bin(1) > now_s {
            self.table.ahead(slot);
        }
        (slot, side)
    }

    fn slot_for(&mut self, arrival: &Arrival<'_>, out: &mut Batch) -> u32 {
        let hash = self.table.hash(arrival.key());
        let Some(slot) = self.table.find(arrival.key(), hash) else {
            return self.create(arrival, hash, out);
        };
        if let Some(reason) = self.superseded(slot, arrival) {
            self.end(slot, reason, out);
            return self.create(arrival, hash, out);
        }
        let now_s = self.clock.now_s();
        let flow = self.table.get(slot);
        if now_s.saturating_sub(flow.interval_s) >= i64::from(self.config.active_timeout_s) {
            self.update(slot, now_s, out);
        }
        slot
    }

    /// Is the packet a SYN that begins another connection on the ports of a closed or forgotten one? Says how that ended.
    fn superseded(&self, slot: u32, arrival: &Arrival<'_>) -> Option<EndReason> {
        let tcp = arrival.tcp()?;
        if tcp.flags & (tcp_flags::SYN | tcp_flags::ACK) != tcp_flags::SYN {
            return None;
        }
        let flow = self.table.get(slot);
        let side = flow.side(arrival.sighting.sender_low);
        if !flow.tcp.is_other_isn(side, tcp.seq) {
            None
        } else if flow.class == Class::TcpClosed {
            Some(EndReason::Finished)
        } else {
            let silence_s = self.clock.now_s().saturating_sub(flow.touch_s);
            (silence_s > REUSE_SILENCE_S).then_some(EndReason::Idle)
        }
    }

    fn create(&mut self, arrival: &Arrival<'_>, hash: u64, out: &mut Batch) -> u32 {
        while self.table.len() >= self.config.flows_max.clamp(1, Table::SLOTS_MAX) {
            self.evict(out);
        }
        let verdict = arrival.verdict();
        let initiator_low = arrival.sighting.sender_low == verdict.sender;
        let mut flow = Flow::new(*arrival.key(), hash, initiator_low, verdict.reason, arrival.time);
        flow.interval_s = self.clock.now_s();
        if !verdict.sender && matches!(flow.key.proto(), proto::TCP | proto::UDP) {
            flow.history.push(b'^');
        }
        if self.config.start_records {
            self.send(record::of_start(&flow), out);
        }
        self.stats.flows_created += 1;
        self.table.insert(flow, self.clock.now_s())
    }

    /// Makes room: flows of the cheap classes go first, so that a flood pushes out itself and not real connections.
    fn evict(&mut self, out: &mut Batch) {
        let (cheap, dear) = Class::ALL.split_at(Class::CHEAP);
        if let Some(slot) = self.table.oldest_of(cheap).or_else(|| self.table.oldest_of(dear)) {
            self.stats.flows_evicted += 1;
            self.anomalies.count(Anomaly::FlowEvicted);
            self.end(slot, EndReason::Resources, out);
        }
    }

    /// An ICMP error came back for a packet of an initiator: the flow it quotes was refused or filtered.
    fn mark_refused(&mut self, icmp: &Icmp<'_>, vlan: Option<u16>) {
        let Some(quoted) = &icmp.quoted else { return };
        let sighting = Sighting::of_quoted(quoted, vlan);
        let hash = self.table.hash(&sighting.key);
        if let Some(slot) = self.table.find(&sighting.key, hash) {
            let flow = self.table.get_mut(slot);
            if flow.side(sighting.sender_low) == 0 {
                flow.icmp_error = Some((icmp.kind, icmp.code));
            }
        }
    }

    /// Moves event time for the packet that is taken next, and sends about a batch of what is due; true when all is
    /// sent. Optional: whoever empties `out` between the calls needs little memory when a flood ends all at once.
    pub fn advance_some(&mut self, time: Time, out: &mut Batch) -> bool {
        if self.moving == Moving::Still {
            self.moving = self.advance(time, out);
        }
        if self.moving == Moving::Expiring && self.expire_some(out) {
            self.tick(self.clock.now(), false, out);
            self.moving = Moving::Moved;
        }
        self.moving == Moving::Moved
    }

    /// Moves event time; a new second ends what is due and is then announced by a tick.
    fn advance(&mut self, time: Time, out: &mut Batch) -> Moving {
        let outliers = self.clock.outliers();
        let step = self.clock.advance(time);
        self.anomalies
            .add(Anomaly::ClockOutlier, self.clock.outliers() - outliers);
        match step {
            Step::Same => Moving::Moved,
            Step::Started => {
                self.table.touch_all(self.clock.now_s());
                self.tick(self.clock.now(), false, out);
                Moving::Moved
            }
            Step::Second => {
                self.table.catch_up(self.clock.now_s());
                Moving::Expiring
            }
        }
    }

    /// Ends about a batch of the flows that are due; true when all are ended.
    fn expire_some(&mut self, out: &mut Batch) -> bool {
        let now_s = self.clock.now_s();
        let records_end = out.len() + Batch::RECORDS_MAX;
        for class in Class::ALL {
            let (timeout_s, reason) = self.timeout(class);
            while let Some(slot) = self.table.oldest(class)
                && now_s.saturating_sub(self.table.get(slot).touch_s) > timeout_s
            {
                if out.len() >= records_end {
                    return false;
                }
                self.end(slot, reason, out);
            }
        }
        true
    }

    /// Silence in seconds that ends flows of a class, and what that end is called.
    fn timeout(&self, class: Class) -> (i64, EndReason) {
        let idle = &self.config.idle;
        let timeout_s = match class {
            Class::TcpOpening => idle.tcp_opening_s,
            Class::TcpOpen => idle.tcp_open_s,
            Class::TcpClosed => idle.tcp_closed_s,
            Class::UdpAnswered => idle.udp_answered_s,
            Class::UdpUnanswered => idle.udp_unanswered_s,
            Class::Icmp => idle.icmp_s,
            Class::Other => idle.other_s,
        };
        let reason = if class == Class::TcpClosed {
            EndReason::Finished
        } else {
            EndReason::Idle
        };
        (i64::from(timeout_s), reason)
    }

    /// Active time-out: reports the interval up to the packet before, and begins the next one.
    fn update(&mut self, slot: u32, now_s: i64, out: &mut Batch) {
        let flow = self.table.get_mut(slot);
        let record = record::of(flow, Phase::Update, EndReason::Active);
        flow.flow_start = record.flow_start;
        flow.reported = Some(Box::new(flow.totals));
        (flow.start, flow.end) = (Time::MAX, Time::MIN);
        flow.interval_s = now_s;
        flow.exchanges.begin_part();
        if let Some(ways) = &mut flow.ways {
            ways.begin_part();
        }
        self.send(record, out);
    }

    /// Ends a flow: its last transactions, its record, and its place in the cache is free.
    fn end(&mut self, slot: u32, reason: EndReason, out: &mut Batch) {
        self.end_dissection(slot, out);
        let record = record::of(self.table.get(slot), Phase::End, reason);
        self.send(record, out);
        self.table.remove(slot);
    }

    fn send(&mut self, mut record: FlowRecord, out: &mut Batch) {
        record.seq = self.next_seq();
        self.stats.records += 1;
        out.flows.push(record);
    }

    fn tick(&mut self, time: Time, end: bool, out: &mut Batch) {
        let seq = self.next_seq();
        out.ticks.push(Tick { seq, time, end });
    }

    pub(crate) fn next_seq(&mut self) -> u64 {
        let seq = self.seq;
        self.seq += 1;
        seq
    }
}

#[cfg(test)]
mod dissection_tests;
#[cfg(test)]
mod tests;
