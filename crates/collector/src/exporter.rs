//! One exporter: its observation domains within a limit, its counters, its clock against ours.

use std::collections::HashMap;
use std::net::IpAddr;

use ahash::RandomState;
use weir_wire::export::Format;

use crate::counts::{Counts, ExporterReport};
use crate::domain::Domain;

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
    pub(crate) skew_ns: i64,
    pub(crate) used: u64,
    held_bytes: usize,
}

impl Exporter {
    /// Runs `work` on a domain, made if need be; returns the change of bytes held.
    pub(crate) fn with_domain(
        &mut self,
        key: DomainKey,
        used: u64,
        work: impl FnOnce(&mut Domain, &mut Counts),
    ) -> isize {
        self.used = used;
        let before = self.held_bytes;
        if self.domains.len() >= DOMAINS_MAX && !self.domains.contains_key(&key) {
            self.evict_domain();
        }
        let held = self.domains.get(&key).map_or(0, Domain::held_bytes);
        let domain = self.domains.entry(key).or_default();
        domain.used = used;
        work(domain, &mut self.counts);
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
        let before = self.held_bytes;
        let (held_bytes, counts) = (&mut self.held_bytes, &mut self.counts);
        self.domains.retain(|key, domain| {
            let ends = key.stream && key.port == port;
            if ends {
                *held_bytes -= domain.held_bytes();
                counts.sets_dropped += domain.drop_parked();
            }
            !ends
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

    /// For people.
    pub(crate) fn report(&self, address: IpAddr) -> ExporterReport {
        ExporterReport {
            address,
            domains: self.domains.len(),
            templates: self.domains.values().map(Domain::templates).sum(),
            skew_ns: self.skew_ns,
            counts: self.counts.clone(),
        }
    }
}
