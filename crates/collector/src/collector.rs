//! The collecting process: one datagram or message after another, whatever its format, into flow records.
//! One collector belongs to one thread; who receives decides which exporters go to which.

use std::net::{IpAddr, SocketAddr};

use weir_model::{FlowRecord, Time};
use weir_wire::export::{Format, Header, Message, Row, sflow};

use crate::counts::{Counts, ExporterReport, Unknown};
use crate::crowd::Crowd;
use crate::duplicates::{Duplicates, Mark};
use crate::exporter::{DomainKey, Exporter};
use crate::intake::Intake;
use crate::pairing::{Pairing, PairingCounts};
use crate::plans::Plans;
use crate::sampling::Samplers;
use crate::state::SessionState;
use crate::stitching::{Stitching, StitchingCounts};

/// Bounds of what exporters can make the collector remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Exporters (source addresses). Large networks have thousands of devices; a spoofing flood has millions.
    pub exporters: usize,
    /// Bytes of templates and parked data of all exporters together.
    pub held_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            exporters: 4_096,
            held_bytes: 64 << 20,
        }
    }
}

/// What is used again from message to message, and what is counted for all exporters.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) rows: Vec<Row>,
    /// Text of elements without a name, which rows refer to.
    pub(crate) unnamed: String,
    /// Elements without a name found in lists.
    pub(crate) in_lists: Vec<(u32, u16)>,
    pub(crate) unknown: Unknown,
    pub(crate) plans: Plans,
}

impl Scratch {
    /// Makes room for the next set.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.unnamed.clear();
        self.in_lists.clear();
    }
}

/// Who sends, and how.
#[derive(Clone, Copy)]
struct Session {
    from: SocketAddr,
    stream: bool,
}

/// Exports in, flow records out.
pub struct Collector {
    limits: Limits,
    exporters: Crowd,
    /// Counters of exporters forgotten.
    forgotten: Counts,
    pairing: Pairing,
    stitching: Stitching,
    duplicates: Duplicates,
    scratch: Scratch,
    correct_clocks: bool,
    held_bytes: usize,
    messages: u64,
    now: Time,
}

impl Default for Collector {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Collector {
    /// A collector that knows no exporter yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            exporters: Crowd::default(),
            forgotten: Counts::default(),
            pairing: Pairing::default(),
            stitching: Stitching::default(),
            duplicates: Duplicates::default(),
            scratch: Scratch::default(),
            correct_clocks: false,
            held_bytes: 0,
            messages: 0,
            now: Time::MIN,
        }
    }

    /// From now on times of exporters whose clocks are off are corrected by the difference measured when messages arrive.
    pub const fn correct_clocks(&mut self, correct: bool) {
        self.correct_clocks = correct;
    }

    /// Takes a datagram that came from `from` at `arrival`; records that are ready are appended to `out`.
    pub fn datagram(&mut self, from: SocketAddr, arrival: Time, bytes: &[u8], out: &mut Vec<FlowRecord>) {
        let session = Session { from, stream: false };
        self.take(session, arrival, bytes, out);
    }

    /// As [`Collector::datagram`] for a message of the connection (TCP, TLS) from `from`.
    pub fn stream_message(
        &mut self,
        from: SocketAddr,
        arrival: Time,
        message: &[u8],
        out: &mut Vec<FlowRecord>,
    ) {
        let session = Session { from, stream: true };
        self.take(session, arrival, message, out);
    }

    /// The connection from `from` has ended, and with it its templates (RFC 7011, 8).
    pub fn end_stream(&mut self, from: SocketAddr) {
        if let Some(exporter) = self.exporters.get_mut(from.ip()) {
            let change = exporter.end_stream(from.port());
            self.held_bytes = self.held_bytes.saturating_add_signed(change);
        }
    }

    /// Notes that so many messages of an exporter were shed before they came here.
    pub fn shed(&mut self, exporter: IpAddr, messages: u64) {
        let known = self.exporters.get_mut(exporter);
        let counts = known.map_or(&mut self.forgotten, |one| &mut one.counts);
        counts.shed += messages;
    }

    /// Time passes without messages: what has waited long enough for a counterpart waits no longer.
    pub fn advance(&mut self, now: Time, out: &mut Vec<FlowRecord>) {
        self.now = self.now.max(now);
        let ready = out.len();
        self.pairing.advance(self.now, out);
        self.complete(ready, out);
    }

    /// Forgets exporters and domains that have been silent for too long by `now`. To be called now and then.
    pub fn expire(&mut self, now: Time) {
        for gone in self.exporters.expire(now) {
            self.forget(&gone);
            self.forgotten.exporters_expired += 1;
        }
        for change in self.exporters.expire_domains(now) {
            self.held_bytes = self.held_bytes.saturating_add_signed(change);
        }
    }

    fn forget(&mut self, gone: &Exporter) {
        self.held_bytes = self.held_bytes.saturating_sub(gone.held_bytes());
        self.forgotten.merge(&gone.counts);
    }

    /// Templates and sampling of every session over UDP, sorted.
    pub fn save(&self) -> Vec<SessionState> {
        let mut sessions: Vec<_> = self
            .exporters
            .iter()
            .flat_map(|(address, one)| one.save(address))
            .filter(|session| session.state.worth_keeping())
            .collect();
        sessions.sort_by_key(|session| (session.exporter, session.port, session.format, session.domain));
        sessions
    }

    /// Takes what an earlier run saved, as if it had come at `now`, within the same limits.
    pub fn restore(&mut self, sessions: Vec<SessionState>, now: Time) {
        for session in sessions {
            self.make_room(session.exporter);
            let exporter = self.exporters.enter(session.exporter, self.messages);
            let key = DomainKey {
                port: session.port,
                stream: false,
                format: session.format,
                domain: session.domain,
            };
            let plans = &mut self.scratch.plans;
            let change = exporter.with_domain(key, (self.messages, now), |domain, counts, _| {
                domain.restore(session.state, counts, plans);
            });
            self.held_bytes = self.held_bytes.saturating_add_signed(change);
        }
    }

    fn take(&mut self, session: Session, arrival: Time, bytes: &[u8], out: &mut Vec<FlowRecord>) {
        let from = session.from;
        self.now = self.now.max(arrival);
        self.messages += 1;
        self.make_room(from.ip());
        let exporter = self.exporters.enter(from.ip(), self.messages);
        (exporter.used, exporter.last) = (self.messages, arrival);
        exporter.first = exporter.first.or(Some(arrival));
        let faults = exporter.counts.fault_count();
        let ready = out.len();
        if let Ok(datagram) = sflow::open(bytes) {
            self.sflow(session, arrival, &datagram, out);
        } else {
            self.message(session, arrival, bytes, out);
        }
        if let Some(exporter) = self.exporters.get_mut(from.ip()) {
            exporter.counts.malformed += u64::from(exporter.counts.fault_count() > faults);
        }
        self.pairing.advance(self.now, out);
        self.complete(ready, out);
    }

    /// Flow records made from `ready` on get what needs others than themselves: doubles are marked, parts of long flows
    /// carry the whole, and all are counted with the exporter they came from.
    fn complete(&mut self, ready: usize, out: &mut Vec<FlowRecord>) {
        let several = self.exporters.len() > 1;
        if several {
            self.duplicates.expect(&out[ready..]);
        }
        let mut ends = Vec::new();
        for run in out[ready..].chunk_by_mut(|one, other| one.exporter == other.exporter) {
            let known = run[0]
                .exporter
                .and_then(|address| self.exporters.get_mut(address));
            // Forgotten in the meantime, or an sFlow agent behind another sender.
            let counts = known.map_or(&mut self.forgotten, |one| &mut one.counts);
            for flow in run {
                match flow.reverse {
                    None => counts.one_way += 1,
                    Some(_) => counts.two_way += 1,
                }
                // Samples are packets: two agents that sample one flow rarely take the same.
                if several && flow.sampling <= 1 {
                    let mark = self.duplicates.see(flow);
                    flow.duplicate = mark == Mark::Double;
                    counts.duplicates += u64::from(flow.duplicate);
                    counts.marks_displaced += u64::from(mark == Mark::Displacing);
                }
                if !flow.duplicate {
                    self.stitching.push(flow, self.now, &mut ends);
                }
            }
        }
        self.stitching.advance(self.now, &mut ends);
        out.append(&mut ends);
    }

    /// Ends the input: what waits for a counterpart, or for its end, waits no longer.
    pub fn finish(&mut self, out: &mut Vec<FlowRecord>) {
        let ready = out.len();
        self.pairing.finish(out);
        self.complete(ready, out);
        self.stitching.finish(out);
    }

    /// What stitching did.
    pub const fn stitching(&self) -> StitchingCounts {
        self.stitching.counts()
    }

    fn message(&mut self, session: Session, arrival: Time, bytes: &[u8], out: &mut Vec<FlowRecord>) {
        let from = session.from;
        let exporter = self.exporters.enter(from.ip(), self.messages);
        exporter.counts.messages += 1;
        let message = match Message::open(bytes) {
            Ok(message) => message,
            Err(fault) => {
                exporter.counts.fault(fault);
                return;
            }
        };
        let header = message.header;
        exporter.habits.clock.see(arrival, header.export);
        let key = DomainKey {
            port: from.port(),
            stream: session.stream,
            format: header.format,
            domain: header.domain,
        };
        let scratch = &mut self.scratch;
        let mut intake = Intake {
            exporter: from.ip(),
            now: self.now,
            correct_clocks: self.correct_clocks,
            pairing: &mut self.pairing,
            out,
        };
        let change = exporter.with_domain(key, (self.messages, arrival), |domain, counts, habits| {
            domain.message(&message, counts, scratch, |rows, header, samplers, counts| {
                intake.take(rows, header, samplers, counts, habits);
            });
        });
        self.held_bytes = self.held_bytes.saturating_add_signed(change);
    }

    fn sflow(
        &mut self,
        session: Session,
        arrival: Time,
        datagram: &sflow::Datagram<'_>,
        out: &mut Vec<FlowRecord>,
    ) {
        let from = session.from;
        let exporter = self.exporters.enter(from.ip(), self.messages);
        let counts = &mut exporter.counts;
        counts.messages += 1;
        let rows = &mut self.scratch.rows;
        rows.clear();
        let taken = datagram.read(rows);
        counts.counter_samples += taken.counter_samples;
        counts.other_samples += taken.others;
        counts.sampler_drops = counts.sampler_drops.max(taken.drops.into());
        if let Some(fault) = taken.fault {
            counts.fault(fault);
        }
        // sFlow has no wall clock: the time of arrival is the time of the samples.
        let agent = datagram.header;
        let header = Header {
            format: Format::Sflow5,
            export: arrival,
            uptime_ms: Some(agent.uptime_ms),
            sequence: agent.sequence,
            domain: agent.sub_agent,
            sampling: 0,
            count: 0,
        };
        let mut intake = Intake {
            exporter: agent.agent,
            now: self.now,
            correct_clocks: false,
            pairing: &mut self.pairing,
            out,
        };
        intake.take(
            (rows, ""),
            &header,
            &Samplers::default(),
            counts,
            &mut exporter.habits,
        );
        let samples = rows.len() as u64;
        counts.told((true, true, false), samples);
        let key = DomainKey {
            port: from.port(),
            stream: session.stream,
            format: Format::Sflow5,
            domain: agent.sub_agent,
        };
        let change = exporter.with_domain(key, (self.messages, arrival), |domain, counts, _| {
            domain.proven |= samples > 0;
            domain.datagram(agent.sequence, agent.uptime_ms, counts);
        });
        self.held_bytes = self.held_bytes.saturating_add_signed(change);
    }

    /// Forgets exporters until another one fits. Those that never delivered a record go first, then the longest silent.
    fn make_room(&mut self, coming: IpAddr) {
        while self.held_bytes > self.limits.held_bytes
            || (self.exporters.len() >= self.limits.exporters && !self.exporters.contains(coming))
        {
            let Some(gone) = self.exporters.evict() else { break };
            self.forget(&gone);
            self.forgotten.exporters_evicted += 1;
        }
    }

    /// Counters of all exporters, those forgotten included.
    pub fn counts(&self) -> Counts {
        let mut all = self.forgotten.clone();
        for exporter in self.exporters.values() {
            all.merge(&exporter.counts);
        }
        all
    }

    /// What pairing did.
    pub const fn pairing(&self) -> PairingCounts {
        self.pairing.counts()
    }

    /// Elements that no table names.
    pub const fn unknown(&self) -> &Unknown {
        &self.scratch.unknown
    }

    /// Every exporter known, by address.
    pub fn exporters(&self) -> Vec<ExporterReport> {
        let mut reports: Vec<_> = self
            .exporters
            .iter()
            .map(|(address, one)| one.report(address))
            .collect();
        reports.sort_by_key(|report| report.address);
        reports
    }

    /// Bytes of templates and parked data held.
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}
