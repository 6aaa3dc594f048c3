//! The engine behind SSHDICT and RDPDICT: long hunts with pauses up to half an hour, seen from the attacker, from the
//! victim (many attackers) and, for spraying, over a day of one attacker. Bias: silent unless most sessions are tries.

use std::net::IpAddr;

use weir_model::{
    Clause, Facts, FlowFilter, FlowKey, FlowRecord, NANOS_PER_S, Outcome, Protocol, Quantity, Rule, Target,
    Time, Transaction, proto,
};

use super::service::{self, Shape};
use crate::baseline::{Distinct, Spread, Top};
use crate::{CellKey, Cells, Findings, Verdict};

/// One source over all its targets.
const SOURCE: u8 = 0;
/// One target over all its sources.
const VICTIM: u8 = 1;
/// One source over a day, for spraying.
const DAY: u8 = 2;
/// Length of that day, seconds.
const DAY_S: i64 = 86_400;
/// A cell is put away after this silence at least: a slow spray pauses longer than any hole.
pub(super) const IDLE_MIN_S: u32 = 7_200;
/// Peers kept by name, the busiest; more are only counted.
const PEERS_MAX: usize = 32;
/// A session this many times larger than the mean try, right after enough tries, is a log-in that worked (SSHCure:
/// "the flow leaves the band as the attack stops").
const LEAP: f64 = 3.0;
/// Largest number of tries one session may stand for.
const TRIES_MAX: u64 = 64;

/// What differs between services.
pub(super) struct Service {
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) shape: &'static Shape,
    /// May sessions without a verdict count as spraying? Not where automation looks alike.
    pub(super) spray_by_shape: bool,
}

/// Limits from the parameters.
pub(super) struct Limits {
    pub(super) attempts_min: u32,
    pub(super) hole_s: u32,
    pub(super) targets_min: u32,
    pub(super) sources_min: u32,
    pub(super) spray_targets_min: u32,
    pub(super) share_min: f64,
    pub(super) tries_per_target_min: f64,
}

pub(super) const DISTRIBUTED: Rule = &[
    Clause::at_least("sources", "sources_min"),
    Clause::at_least("attempts", "attempts_min"),
    Clause::at_least("share", "share_min"),
];
pub(super) const PERSISTENT: Rule = &[
    Clause::at_least("attempts", "attempts_min"),
    Clause::at_least("targets", "targets_min"),
    Clause::at_least("share", "share_min"),
    Clause::at_least("tries_per_target", "tries_per_target_min"),
];
/// The same by verdict alone, where one try at each target is enough.
pub(super) const REFUSED: Rule = &[
    Clause::at_least("refused", "attempts_min"),
    Clause::at_least("targets", "targets_min"),
    Clause::at_least("share", "share_min"),
];
pub(super) const SPRAYED: Rule = &[
    Clause::at_least("sprayed", "spray_targets_min"),
    Clause::at_least("share", "share_min"),
];

/// A hunt, from one of the three sides.
#[derive(Default)]
pub struct Hunt {
    role: u8,
    attempts: u64,
    /// Sessions that were tries, and sessions that were not: accepted, or too large for a try.
    tries: u64,
    others: u64,
    /// Tries that were seen to be refused.
    refused: u64,
    success: bool,
    first: Time,
    last: Time,
    uploaded: u64,
    flows: u64,
    bytes: Spread,
    /// The other side: targets of a source, sources of a victim, by tries.
    peers: Top<IpAddr, PEERS_MAX>,
    peers_all: Distinct,
}

impl Hunt {
    /// A pause longer than the hole ends the hunt; a day ends after a day.
    pub(super) fn breaks(&self, limits: &Limits, start: Time) -> bool {
        if self.attempts == 0 {
            return false;
        }
        if self.role == DAY {
            start.since(self.first) > DAY_S * NANOS_PER_S
        } else {
            start.since(self.last) > i64::from(limits.hole_s) * NANOS_PER_S
        }
    }

    fn attempt(&mut self, peer: IpAddr, tries: u64, start: Time, end: Time) {
        if self.attempts == 0 {
            // What went before the first try is no part of the hunt.
            (self.first, self.last, self.others) = (start, end, 0);
        }
        self.first = self.first.min(start);
        self.last = self.last.max(end);
        self.attempts += tries;
        self.tries += 1;
        self.peers.add(peer, tries);
        self.peers_all.add(peer);
    }

    /// Folds an ended flow of the service.
    pub(super) fn flow(&mut self, service: &Service, limits: &Limits, cell: &CellKey, flow: &FlowRecord) {
        self.role = cell.role;
        let peer = peer(cell, &flow.key);
        let both = flow.forward_total.bytes + flow.reverse_total_or_zero().bytes;
        if flow.logins.any() {
            // Counted by its transactions before it ended.
            if flow.logins.accepted == 0 {
                self.size(flow, both);
            }
        } else if service.shape.holds(flow) {
            self.attempt(peer, 1, flow.flow_start, flow.end);
            self.size(flow, both);
        } else if service.shape.exceeded_by(flow) {
            self.others += 1;
            let guessed = self.peers.weight(peer) >= u64::from(limits.attempts_min);
            self.success |= guessed && both as f64 >= LEAP * self.bytes.mean();
        }
    }

    fn size(&mut self, flow: &FlowRecord, both: u64) {
        self.bytes.add(both as f64);
        self.uploaded += flow.forward_total.bytes;
        self.flows += 1;
    }

    /// Folds a log-in with a verdict.
    pub(super) fn login(&mut self, limits: &Limits, cell: &CellKey, login: &Transaction) {
        self.role = cell.role;
        let peer = peer(cell, &login.key);
        let tries = login.number("ssh.attempts").unwrap_or(1).clamp(1, TRIES_MAX);
        match login.outcome {
            Outcome::Refused => {
                self.refused += tries;
                self.attempt(peer, tries, login.start, login.end);
            }
            Outcome::Accepted => {
                self.success |= self.peers.weight(peer) >= u64::from(limits.attempts_min);
                self.others += 1;
            }
            Outcome::Unknown => {}
        }
    }

    /// Lets the rules decide about the hunt.
    pub(super) fn judge(&self, service: &Service, limits: &Limits, cell: &CellKey, out: &mut Findings<'_>) {
        let peers = self.peers_all.count();
        let enough = match cell.role {
            SOURCE => self.attempts >= limits.attempts_min.into(),
            VICTIM => self.attempts >= limits.attempts_min.into() && peers >= limits.sources_min.into(),
            _ => peers >= limits.spray_targets_min.into(),
        };
        if !enough || !out.due("General") {
            return;
        }
        let (sources, targets) = if cell.role == VICTIM {
            (peers, 1)
        } else {
            (1, peers)
        };
        let sprayed = if cell.role == DAY { peers } else { 0 };
        let share = self.tries as f64 / (self.tries + self.others).max(1) as f64;
        let per_target = self.attempts as f64 / targets.max(1) as f64;
        let facts = Facts::new()
            .input("attempts", Quantity::Count(self.attempts))
            .input("targets", Quantity::Count(targets))
            .input("sources", Quantity::Count(sources))
            .input("sprayed", Quantity::Count(sprayed))
            .input("share", Quantity::Ratio(share))
            .input("refused", Quantity::Count(self.refused))
            .input("tries_per_target", Quantity::Ratio(per_target))
            .limit(
                "tries_per_target_min",
                Quantity::Ratio(limits.tries_per_target_min),
            )
            .limit("attempts_min", Quantity::Count(limits.attempts_min.into()))
            .limit("targets_min", Quantity::Count(limits.targets_min.into()))
            .limit("sources_min", Quantity::Count(limits.sources_min.into()))
            .limit(
                "spray_targets_min",
                Quantity::Count(limits.spray_targets_min.into()),
            )
            .limit("share_min", Quantity::Ratio(limits.share_min));
        if let Some(verdict) = out.judge("General", facts) {
            self.complete(service, cell, verdict);
        }
    }

    fn complete(&self, service: &Service, cell: &CellKey, verdict: Verdict<'_>) {
        let peers = self.peers.heaviest();
        let victim = cell.role == VICTIM;
        let port = if cell.port == 0 { service.port } else { cell.port };
        let source = if victim {
            peers.first().map_or(cell.host, |(peer, _)| *peer)
        } else {
            cell.host
        };
        let targets: Vec<Target> = if victim {
            vec![Target::service(cell.host, port)]
        } else {
            peers
                .iter()
                .map(|(peer, _)| Target::service(*peer, port))
                .collect()
        };
        let count = if victim { 1 } else { self.peers_all.count() };
        let by = if victim {
            format!("{} sources ({source} most)", self.peers_all.count())
        } else {
            source.to_string()
        };
        let success = if self.success {
            "a session that worked followed"
        } else {
            "no success seen"
        };
        let mut verdict = verdict
            .source(source)
            .targets(targets, count)
            .span(self.first, self.last)
            .detail("Success", Quantity::Flag(self.success))
            .detail("Distributed", Quantity::Flag(victim))
            .detail("TargetCount", Quantity::Count(count))
            .detail("UploadedData", Quantity::Bytes(self.uploaded))
            .detail("FlowCount", Quantity::Count(self.flows.max(1)))
            .detail("PortList", Quantity::Counts(vec![port.into()]))
            .detail("By", Quantity::Text(by.into()))
            .detail("Outcome", Quantity::Text(success.into()));
        if victim {
            let names = peers.iter().map(|(peer, _)| peer.to_string().into());
            verdict = verdict.detail("Sources", Quantity::Texts(names.collect()));
        }
        verdict.evidence(FlowFilter {
            initiator: (!victim).then_some(cell.host),
            responder: if victim {
                Some(cell.host)
            } else {
                peers.first().map(|(peer, _)| *peer).filter(|_| count == 1)
            },
            responder_port: Some(port),
            proto: Some(proto::TCP),
            ..FlowFilter::default()
        });
    }
}

/// Names the cells of an ended flow of the service.
pub(super) fn cells_of_flow(service: &Service, more_ports: &[u16], flow: &FlowRecord, cells: &mut Cells) {
    let by_content = flow.protocol_by_content.then_some(flow.protocol).flatten();
    let ours = match by_content {
        // RDP turns to TLS; on its port that is RDP still.
        Some(Protocol::Tls) => flow.key.responder_port == service.port,
        Some(protocol) => protocol == service.protocol,
        None => {
            flow.key.proto == proto::TCP
                && (flow.key.responder_port == service.port || more_ports.contains(&flow.key.responder_port))
        }
    };
    if !ours || !service::hides_verdicts(flow) {
        return;
    }
    let is_try = service.shape.holds(flow);
    if flow.logins.any() || is_try || service.shape.exceeded_by(flow) {
        sides(
            service,
            &flow.key,
            is_try && !flow.logins.any() && service.spray_by_shape,
            cells,
        );
    }
}

/// Names the cells of a log-in of the service; without a verdict the flow rule counts its flow.
pub(super) fn cells_of_login(service: &Service, login: &Transaction, cells: &mut Cells) {
    if login.protocol == service.protocol && login.outcome != Outcome::Unknown {
        sides(service, &login.key, true, cells);
    }
}

fn sides(service: &Service, key: &FlowKey, day: bool, cells: &mut Cells) {
    let port = if key.responder_port == service.port {
        0
    } else {
        key.responder_port
    };
    let at = |cell: CellKey, role| CellKey { port, ..cell }.role(role);
    cells.add(at(CellKey::initiator(key), SOURCE));
    cells.add(at(CellKey::responder(key), VICTIM));
    if day {
        cells.add(at(CellKey::initiator(key), DAY));
    }
}

fn peer(cell: &CellKey, key: &FlowKey) -> IpAddr {
    if cell.role == VICTIM {
        key.initiator_ip
    } else {
        key.responder_ip
    }
}
