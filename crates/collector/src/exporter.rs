//! One exporter: its observation domains within a limit, its counters, its clock against ours.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use ahash::RandomState;
use weir_model::{NANOS_PER_S, Time};
use weir_wire::export::{Format, elements};

use crate::counts::{Counts, ExporterReport};
use crate::domain::Domain;
use crate::habits::Habits;
use crate::state::SessionState;

/// Domains of one exporter (RFC 7011, 3.1). Chassis have one per line card; beyond this the least recently used goes.
pub(crate) const DOMAINS_MAX: usize = 256;

/// A transport session and observation domain of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DomainKey {
    /// Source port: another socket is another session, with templates of its own.
    pub(crate) port: u16,
    /// A connection (TCP, TLS) and not datagrams: its templates end with it.
    pub(crate) stream: bool,
    pub(crate) format: Format,
    pub(crate) domain: u32,
}

/// State of one exporter.
#[derive(Default)]
pub(crate) struct Exporter {
    domains: HashMap<DomainKey, Domain, RandomState>,
    pub(crate) counts: Counts,
    pub(crate) habits: Habits,
    pub(crate) used: u64,
    /// Arrival of the first and of the last message.
    pub(crate) first: Option<Time>,
    pub(crate) last: Time,
    held_bytes: usize,
}

/// Silence after which a domain is forgotten: RFC 7011 (8.4) lets templates over UDP live half an hour; patient exporters
/// are given two.
const DOMAIN_SILENCE_NS: i64 = 7_200 * NANOS_PER_S;

impl Exporter {
    /// Runs `work` on a domain, made if need be; returns the change of bytes held.
    pub(crate) fn with_domain(
        &mut self,
        key: DomainKey,
        (used, now): (u64, Time),
        work: impl FnOnce(&mut Domain, &mut Counts, &mut Habits),
    ) -> isize {
        self.used = used;
        self.last = now;
        let before = self.held_bytes;
        if self.domains.len() >= DOMAINS_MAX && !self.domains.contains_key(&key) {
            self.evict_domain();
        }
        let held = self.domains.get(&key).map_or(0, Domain::held_bytes);
        let domain = self.domains.entry(key).or_default();
        (domain.used, domain.last) = (used, now);
        work(domain, &mut self.counts, &mut self.habits);
        self.held_bytes = self.held_bytes + domain.held_bytes() - held;
        self.held_bytes as isize - before as isize
    }

    /// Forgets the least recently used domain, unproven ones first.
    fn evict_domain(&mut self) {
        let oldest = self
            .domains
            .iter()
            .min_by_key(|(_, domain)| (domain.proven, domain.used));
        let Some((&key, _)) = oldest else { return };
        if let Some(mut domain) = self.domains.remove(&key) {
            self.held_bytes -= domain.held_bytes();
            self.counts.sets_dropped += domain.drop_parked();
            self.counts.domains_evicted += 1;
        }
    }

    /// Forgets the domains of a connection that has ended; returns the change of bytes held.
    pub(crate) fn end_stream(&mut self, port: u16) -> isize {
        self.forget(|key, _| key.stream && key.port == port)
    }

    fn forget(&mut self, ends: impl Fn(&DomainKey, &Domain) -> bool) -> isize {
        let before = self.held_bytes;
        let (held_bytes, counts) = (&mut self.held_bytes, &mut self.counts);
        self.domains.retain(|key, domain| {
            let gone = ends(key, domain);
            if gone {
                *held_bytes -= domain.held_bytes();
                counts.sets_dropped += domain.drop_parked();
            }
            !gone
        });
        self.held_bytes as isize - before as isize
    }

    /// Has any domain delivered a record?
    pub(crate) fn proven(&self) -> bool {
        self.counts.records > 0
    }

    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Forgets domains that have been silent for too long; returns the change of bytes held.
    pub(crate) fn expire(&mut self, now: Time) -> isize {
        self.forget(|_, domain| now.since(domain.last) > DOMAIN_SILENCE_NS)
    }

    /// What is worth keeping over a restart of ours: sessions over UDP, whose templates outlive our absence.
    pub(crate) fn save(&self, address: IpAddr) -> impl Iterator<Item = SessionState> {
        let sessions = self.domains.iter().filter(|(key, _)| !key.stream);
        sessions.map(move |(key, domain)| SessionState {
            exporter: address,
            port: key.port,
            format: key.format,
            domain: key.domain,
            state: domain.save(),
        })
    }

    /// For people.
    pub(crate) fn report(&self, address: IpAddr) -> ExporterReport {
        let formats: BTreeSet<Format> = self.domains.keys().map(|key| key.format).collect();
        let fields = self.domains.values().flat_map(Domain::fields);
        let fields: BTreeSet<(u32, u16)> = fields.map(|field| (field.pen, field.id)).collect();
        let named = fields
            .into_iter()
            .filter(|&(pen, _)| pen != elements::PEN_V9_SCOPE);
        let elements: BTreeSet<String> = named.map(|(pen, id)| elements::name(pen, id)).collect();
        let (active_timeout_s, idle_timeout_s) = self.habits.timeouts.estimate();
        ExporterReport {
            address,
            formats: formats.into_iter().collect(),
            domains: self.domains.len(),
            templates: self.domains.values().map(Domain::templates).sum(),
            elements: elements.into_iter().collect(),
            sampling: self.habits.sampling.clone(),
            active_timeout_s,
            idle_timeout_s,
            first: self.first.unwrap_or(self.last),
            last: self.last,
            skew_ns: self.habits.clock.skew_ns,
            counts: self.counts.clone(),
        }
    }
}
