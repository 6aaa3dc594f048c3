//! What one host had to do with listed hosts and names: the common half of BLACKLIST and THREATS. Which sightings count,
//! what a cell remembers of them, and how it is told.

use ipnet::IpNet;
use weir_model::{
    Facts, FlowFilter, FlowRecord, IndicatorKind, Quantity, SeenAt, Sighting, Target, Time, Transaction,
    proto,
};

use crate::baseline::{Distinct, Top};
use crate::findings::Verdict;
use crate::words::counted;

/// Silence that ends an event, seconds: implants call home every few minutes to an hour.
pub(super) const IDLE_S: u32 = 3_600;
/// Targets kept by name; more are only counted.
const TARGETS_MAX: usize = 32;
/// Indicators kept; more are only counted.
const INDICATORS_MAX: usize = 8;
const PORTS_MAX: usize = 8;
const PROTOS_MAX: usize = 4;

/// What an operator does not want to hear of.
pub(super) struct Ignore<'a> {
    pub(super) unreachable: bool,
    pub(super) unsuccessful_external: bool,
    pub(super) unsuccessful_internal: bool,
    pub(super) ports: &'a [u16],
    pub(super) sources: &'a [IpNet],
}

impl Ignore<'_> {
    /// Is the flow one of those? What a one-way export does not show is not taken for failed.
    pub(super) fn flow(&self, flow: &FlowRecord) -> bool {
        let key = &flow.key;
        let unreachable = matches!(flow.icmp_error, Some((3, _)) if key.initiator_ip.is_ipv4())
            || matches!(flow.icmp_error, Some((1, _)) if key.initiator_ip.is_ipv6());
        let succeeded = match key.proto {
            proto::TCP => {
                flow.established() || flow.reverse_total.is_none() && flow.forward_total.packets > 2
            }
            _ => flow.answered() || flow.reverse_total.is_none(),
        };
        let unsuccessful = if flow.initiator_inside {
            self.unsuccessful_internal
        } else {
            self.unsuccessful_external
        };
        self.unreachable && unreachable
            || unsuccessful && !succeeded
            || self.endpoint(key.initiator_ip, key.responder_port)
    }

    /// Is the exchange one of those?
    pub(super) fn transaction(&self, transaction: &Transaction) -> bool {
        self.endpoint(transaction.key.initiator_ip, transaction.key.responder_port)
    }

    fn endpoint(&self, source: std::net::IpAddr, port: u16) -> bool {
        self.ports.contains(&port) || self.sources.iter().any(|prefix| prefix.contains(&source))
    }
}

/// Contacts of one host.
#[derive(Default)]
pub struct Contacts {
    /// Flows or exchanges that count.
    sightings: u64,
    uploaded: u64,
    downloaded: u64,
    /// Flows count their bytes; exchanges have none.
    flows: bool,
    by_name: bool,
    answered: bool,
    protos: Top<u8, PROTOS_MAX>,
    ports: Top<u16, PORTS_MAX>,
    targets: Distinct,
    listed: Vec<Target>,
    indicators: Vec<Sighting>,
    distinct: Distinct,
    span: Option<(Time, Time)>,
}

impl Contacts {
    /// Counts a flow with what was sighted in it.
    pub(super) fn flow<'a>(&mut self, flow: &FlowRecord, sighted: impl Iterator<Item = &'a Sighting>) {
        let key = &flow.key;
        let Some(first) = self.sighted(sighted) else {
            return;
        };
        // A long flow comes in several records; it is one contact.
        self.sightings += u64::from(flow.start == flow.flow_start || self.sightings == 0);
        self.flows = true;
        self.answered |= flow.answered();
        let (forward, reverse) = (
            flow.forward.scaled(flow.sampling),
            flow.reverse_or_zero().scaled(flow.sampling),
        );
        self.uploaded = self.uploaded.saturating_add(forward.bytes);
        self.downloaded = self.downloaded.saturating_add(reverse.bytes);
        self.protos.add(key.proto, 1);
        let with_port = matches!(key.proto, proto::TCP | proto::UDP);
        if with_port {
            self.ports.add(key.responder_port, 1);
        }
        // The listed end of a service is told with its port, a listed host or attacker without.
        let target = match first {
            IndicatorKind::Service if with_port => Target::service(key.responder_ip, key.responder_port),
            _ => Target::ip(key.responder_ip),
        };
        self.target(target);
        self.moment(flow.flow_start, flow.end);
    }

    /// Counts an exchange with what was sighted in it.
    pub(super) fn transaction<'a>(
        &mut self,
        transaction: &Transaction,
        sighted: impl Iterator<Item = &'a Sighting>,
    ) {
        let key = &transaction.key;
        let mut sighted = sighted.peekable();
        self.by_name |= sighted.peek().is_some_and(|seen| seen.at == SeenAt::DnsName);
        if self.sighted(sighted).is_none() {
            return;
        }
        self.sightings += 1;
        self.protos.add(key.proto, 1);
        self.ports.add(key.responder_port, 1);
        self.target(Target::service(key.responder_ip, key.responder_port));
        self.moment(transaction.start, transaction.end);
    }

    /// Notes the indicators; the kind of the first.
    fn sighted<'a>(&mut self, sighted: impl Iterator<Item = &'a Sighting>) -> Option<IndicatorKind> {
        let mut first = None;
        for seen in sighted {
            first = first.or(Some(seen.kind));
            if self.distinct.add((&seen.list, &seen.indicator)) && self.indicators.len() < INDICATORS_MAX {
                self.indicators.push(seen.clone());
            }
        }
        first
    }

    fn target(&mut self, target: Target) {
        if self.targets.add(target) && self.listed.len() < TARGETS_MAX {
            self.listed.push(target);
        }
    }

    fn moment(&mut self, start: Time, end: Time) {
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
    }

    /// The worst indicator; of equals the first.
    fn worst(&self) -> Option<&Sighting> {
        self.indicators.iter().min_by_key(|seen| seen.score)
    }

    /// The facts that rules ask for.
    pub(super) fn facts(&self, sightings_min: u32, score_max: u8) -> Facts {
        let score = self.worst().map_or(100, |seen| seen.score);
        Facts::new()
            .input("sightings", Quantity::Count(self.sightings))
            .input("score", Quantity::Count(score.into()))
            .limit("sightings_min", Quantity::Count(sightings_min.into()))
            .limit("score_max", Quantity::Count(score_max.into()))
    }

    /// Completes a finding.
    pub(super) fn tell(&self, host: std::net::IpAddr, verdict: Verdict<'_>) {
        let (Some(worst), Some((first, last))) = (self.worst(), self.span) else {
            return;
        };
        let mut names: Vec<&str> = self.indicators.iter().map(|seen| &*seen.list).collect();
        names.sort_unstable();
        names.dedup();
        let texts = |all: &mut dyn Iterator<Item = &str>| Quantity::Texts(all.map(Into::into).collect());
        let one = self.listed.first().filter(|_| self.targets.count() == 1);
        let mut ports: Vec<u64> = self
            .ports
            .heaviest()
            .iter()
            .map(|(port, _)| u64::from(*port))
            .collect();
        ports.sort_unstable();
        let protos = self
            .protos
            .heaviest()
            .iter()
            .map(|(number, _)| u64::from(*number))
            .collect();
        let age = match worst.age_s {
            Some(age_s) => format!("confirmed {} before", Quantity::Seconds(age_s as f64)),
            None => "age not said".to_owned(),
        };
        let contacts = if self.flows {
            counted(self.sightings, "flow", "flows")
        } else {
            counted(self.sightings, "exchange", "exchanges")
        };
        let verdict = verdict
            .targets(self.listed.clone(), self.targets.count())
            .span(first, last)
            .detail("BlacklistNames", texts(&mut names.into_iter()))
            .detail("Type", Quantity::Text(worst.category.clone()))
            .detail("Indicator", Quantity::Text(worst.indicator.clone()))
            .detail("IndicatorKind", Quantity::Text(worst.kind.word().into()))
            .detail("IndicatorAge", Quantity::Text(age.into()))
            .detail(
                "Indicators",
                texts(&mut self.indicators.iter().map(|seen| &*seen.indicator)),
            )
            .detail("IndicatorCount", Quantity::Count(self.distinct.count()))
            .detail("Contacts", Quantity::Text(contacts.into()))
            .detail("FlowCount", Quantity::Count(self.sightings))
            .detail("Protocol", Quantity::Counts(protos))
            .detail("PortList", Quantity::Counts(ports))
            .detail(
                "Communication",
                Quantity::Text(if self.by_name { "DNS" } else { "Direct" }.into()),
            );
        let verdict = if self.flows {
            verdict
                .detail("Success", Quantity::Flag(self.answered))
                .detail("UploadedData", Quantity::Bytes(self.uploaded))
                .detail("DownloadedData", Quantity::Bytes(self.downloaded))
        } else {
            verdict
        };
        verdict
            .evidence(FlowFilter {
                initiator: Some(host),
                responder: one.and_then(|target| target.ip),
                responder_port: one.and_then(|target| target.port),
                ..FlowFilter::default()
            })
            .exact();
    }
}
