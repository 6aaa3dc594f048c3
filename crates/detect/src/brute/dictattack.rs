//! DICTATTACK: one host tries passwords at one service, try after try. Counts refusals where the protocol speaks its
//! verdict, and short sessions of one size where it is encrypted; in doubt it stays silent.

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowId, FlowRecord, Kind, Manual, Maturity, MethodMeta, NANOS_PER_S, Outcome,
    Priority, Protocol, Quantity, Reads, Rule, Scope, SubmethodMeta, Target, Technique, Time, Transaction,
    proto,
};

use super::service::{self, SERVICES};
use crate::baseline::{Distinct, Spread};
use crate::{CellKey, Cells, Findings, Method, Verdict, Window};

crate::params! {
    /// Tries before anything is said. More makes it quieter and later.
    attempts_min: u32 = 20, 3..=100_000;
    /// Tries before anything is said for telnet and FTP, where people rarely log in often.
    attempts_min_plain: u32 = 10, 3..=100_000;
    /// Longest pause between two tries of one attack, seconds. Longer catches slower guessing and joins more chance
    /// failures to one chain.
    max_gap_s: u32 = 10, 1..=300;
    /// Largest spread of bytes per session (standard deviation divided by mean) that still counts as "alike".
    spread_max: f64 = 0.25, 0.0..=2.0;
    /// Shifts the largest spread: 0 neutral, +1 doubles it (looser), -1 allows only equal sizes (stricter).
    tolerance: f64 = 0.0, -1.0..=1.0;
    /// Share of judged tries that must be refused for a chain to go on; a chain that succeeds more often starts anew.
    refused_share_min: f64 = 0.8, 0.1..=1.0;
    /// Password spraying: hosts that refused the same source before anything is said.
    spray_targets_min: u32 = 15, 3..=10_000;
    /// Password spraying: longest pause between two refusals, seconds.
    spray_gap_s: u32 = 300, 1..=600;
    /// Sources that are never reported, as prefixes: password auditors, health checks with wrong credentials.
    ignore_sources: Vec<IpNet> = Vec::new();
}

/// Pauses are checked against `max_gap_s`; this only says when a silent cell is put away, and outlasts any pause.
const IDLE_S: u32 = 600;
/// Role of the cells that count one source over all targets; below it the role is the service's number.
const SPRAY: u8 = 16;
/// Targets listed for a spraying source; more are only counted.
const LISTED_MAX: usize = 32;
/// Sessions remembered to count each once; guessing tools keep up to 16 open at a time.
const RECENT_MAX: usize = 16;

/// Dictionary attack.
pub struct DictionaryAttack;

/// One chain of tries.
#[derive(Default)]
pub struct State {
    spray: bool,
    refused: u32,
    /// Short sessions whose verdict nobody could see.
    unjudged: u32,
    accepted: u32,
    /// A log-in was accepted after enough tries to make an attack.
    success: bool,
    flows: u32,
    recent: Vec<FlowId>,
    first: Time,
    last_start: Time,
    last: Time,
    bytes: Spread,
    targets: Distinct,
    listed: Vec<Target>,
}

impl State {
    fn attempts(&self) -> u32 {
        self.refused + self.unjudged
    }

    fn attempt(&mut self, start: Time, end: Time) {
        if self.attempts() == 0 {
            (self.first, self.last_start, self.last) = (start, start, end);
        }
        self.first = self.first.min(start);
        self.last_start = self.last_start.max(start);
        self.last = self.last.max(end);
    }

    /// Spread of bytes per session; 1 while too few sessions have ended to say that they are alike.
    fn spread(&self) -> f64 {
        if self.bytes.count() * 2 < u64::from(self.attempts()) {
            1.0
        } else {
            self.bytes.variation()
        }
    }

    /// Counts the session of a try once, also when several sessions take turns.
    fn session(&mut self, flow: FlowId) {
        if !self.recent.contains(&flow) {
            self.flows += 1;
            if self.recent.len() >= RECENT_MAX {
                self.recent.remove(0);
            }
            self.recent.push(flow);
        }
    }

    fn outcome(&self) -> String {
        let mut text = match (self.refused, self.unjudged) {
            (_, 0) if self.accepted == 0 => "all refused".to_owned(),
            (refused, 0) => format!("{refused} refused"),
            (0, _) => "verdicts not visible, sessions alike".to_owned(),
            (refused, _) => format!("{refused} refused, the other verdicts not visible"),
        };
        match self.accepted {
            0 => {}
            accepted if self.success => text += &format!(", then {accepted} accepted: the guess succeeded"),
            accepted => text += &format!(", {accepted} accepted"),
        }
        text
    }
}

const SPRAYED: Rule = &[Clause::at_least("targets", "spray_targets_min")];
const ALIKE: Rule = &[
    Clause::at_least("attempts", "attempts_min"),
    Clause::at_most("spread", "spread_max"),
];
const REFUSED: Rule = &[Clause::at_least("refused", "attempts_min")];

const GUESSING: &[Technique] = &[
    Technique {
        tactic: "TA0006",
        technique: "T1110.001",
    },
    Technique {
        tactic: "TA0006",
        technique: "T1110.003",
    },
];

const fn submethod(name: &'static str, about: &'static str, reason: &'static str) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: &[SPRAYED, ALIKE, REFUSED],
        reason,
        needs: &[],
        techniques: GUESSING,
    }
}

macro_rules! of_service {
    ($name:literal, $words:literal) => {
        submethod(
            $name,
            concat!("Passwords are guessed at ", $words, "."),
            concat!(
                "{attempts} ",
                $words,
                " log-ins in {span} from {source} to {targets}, {Outcome}"
            ),
        )
    };
}

const READS: Reads = Reads {
    transactions: &[
        (Protocol::Smtp, Kind::Login),
        (Protocol::Smb, Kind::Login),
        (Protocol::Vnc, Kind::Login),
        (Protocol::Imap, Kind::Login),
        (Protocol::Pop3, Kind::Login),
        (Protocol::Ftp, Kind::Login),
        (Protocol::Ssh, Kind::Login),
        (Protocol::Telnet, Kind::Login),
        (Protocol::Http, Kind::Login),
    ],
    fields: &["ssh.attempts"],
    ..Reads::ENDED_FLOWS
};

const MANUAL: Manual = Manual {
    what: "A host tries one password after the other at a service. It matters because guessing is loud before it \
           succeeds and silent afterwards.",
    basis: "Tries of one source at one service are chained while the pause stays below max_gap_s. Where the protocol \
            speaks its verdict in the clear, only refusals count. Where it is encrypted, or only flow records arrive, \
            sessions of the size of a failed log-in count, and they must be alike. A second count per source looks for \
            many hosts that refused it (spraying), by verdict only. An accepted log-in among few refusals starts the \
            chain anew, so that people who mistype never add up.",
    bias: "Silent in doubt: web log-ins count only when refused by status, never by flow size; a clear-text protocol \
           without a seen log-in counts as none; half-open connections never count.",
    false_positives: "A service or scheduled job with an outdated password; a gateway or web mail front end that logs \
                      in for many users over an encrypted protocol; key-driven automation over SSH seen only as flows.",
    response: "Look at the first accepted log-in after the refusals (detail Success). If there is one, lock the account \
               and treat the target as entered. Otherwise block the source or limit the rate at the service.",
};

impl Method for DictionaryAttack {
    const META: MethodMeta = MethodMeta {
        code: "DICTATTACK",
        slug: "dictattack",
        family: "brute",
        title: "Dictionary attack",
        submethods: &[
            of_service!("SMTPProtocol", "SMTP"),
            of_service!("SambaProtocol", "Samba"),
            of_service!("VNCProtocol", "VNC"),
            of_service!("IMAPProtocol", "IMAP"),
            of_service!("POP3Protocol", "POP3"),
            of_service!("FTPProtocol", "FTP"),
            of_service!("SSHProtocol", "SSH"),
            of_service!("TelnetProtocol", "telnet"),
            of_service!("RDPProtocol", "RDP"),
            of_service!("HTTPProtocol", "HTTP"),
        ],
        priority: Priority::High,
        maturity: Maturity::Stable,
        scope: Scope::Service,
        reads: READS,
        needs: &[],
        same_as: &["SSHDICT", "RDPDICT", "HTTPDICT"],
        manual: MANUAL,
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let Some(at) = service::of_flow(flow) else { return };
        // A session that only ever succeeded is no try, whatever else the source is doing.
        if (flow.logins.refused > 0 || is_try(at, flow)) && !ignored(params, &flow.key) {
            cells.add(CellKey::service(&flow.key).role(at));
        }
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        let Some(at) = service::of_protocol(transaction.protocol) else {
            return;
        };
        if transaction.outcome != Outcome::Unknown && !ignored(params, &transaction.key) {
            cells.add(CellKey::service(&transaction.key).role(at));
            cells.add(CellKey::initiator(&transaction.key).role(SPRAY + at));
        }
    }

    fn breaks(params: &Params, state: &State, start: Time) -> bool {
        let gap_s = if state.spray {
            params.spray_gap_s
        } else {
            params.max_gap_s
        };
        state.attempts() > 0 && start.since(state.last) > i64::from(gap_s) * NANOS_PER_S
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let both = flow.forward_total.bytes + flow.reverse_total_or_zero().bytes;
        state.bytes.add(both as f64);
        // A flow with verdicts was counted by its transactions, before it ended.
        if !flow.logins.any() {
            state.attempt(flow.flow_start, flow.end);
            state.session(flow.id);
            state.unjudged += 1;
        }
    }

    fn on_transaction(params: &Params, state: &mut State, cell: &CellKey, transaction: &Transaction) {
        state.spray = cell.role >= SPRAY;
        let tries = transaction.number("ssh.attempts").unwrap_or(1).clamp(1, 64) as u32;
        if transaction.outcome == Outcome::Refused {
            state.attempt(transaction.start, transaction.end);
            state.session(transaction.flow);
            state.refused += tries;
            if state.spray && state.targets.add(transaction.key.responder_ip) {
                let target = Target::service(transaction.key.responder_ip, transaction.key.responder_port);
                state
                    .listed
                    .extend((state.listed.len() < LISTED_MAX).then_some(target));
            }
            return;
        }
        state.accepted += 1;
        state.success |= state.attempts() >= attempts_min(params, cell);
        state.last = state.last.max(transaction.end);
        let judged = f64::from(state.refused + state.accepted);
        if f64::from(state.refused) < params.refused_share_min * judged {
            *state = State {
                spray: state.spray,
                ..State::default()
            };
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let enough = if state.spray {
            state.targets.count() >= u64::from(params.spray_targets_min)
        } else {
            state.attempts() >= attempts_min(params, cell)
        };
        let name = SERVICES[usize::from(cell.role % SPRAY)].submethod;
        if enough && out.due(name) {
            let facts = facts(params, state, cell);
            if let Some(verdict) = out.judge(name, facts) {
                complete(state, cell, verdict);
            }
        }
    }
}

fn ignored(params: &Params, key: &weir_model::FlowKey) -> bool {
    params
        .ignore_sources
        .iter()
        .any(|prefix| prefix.contains(&key.initiator_ip))
}

/// A session that counts as a try by its shape alone.
fn is_try(at: u8, flow: &FlowRecord) -> bool {
    !flow.logins.any()
        && service::hides_verdicts(flow)
        && SERVICES[usize::from(at)]
            .shape
            .as_ref()
            .is_some_and(|shape| shape.holds(flow))
}

fn attempts_min(params: &Params, cell: &CellKey) -> u32 {
    if SERVICES[usize::from(cell.role % SPRAY)].plain_terminal {
        params.attempts_min_plain
    } else {
        params.attempts_min
    }
}

fn facts(params: &Params, state: &State, cell: &CellKey) -> Facts {
    let targets = if state.spray { state.targets.count() } else { 1 };
    let spread_max = params.spread_max * (1.0 + params.tolerance);
    Facts::new()
        .input("attempts", Quantity::Count(state.attempts().into()))
        .input("spread", Quantity::Ratio(state.spread()))
        .input("refused", Quantity::Count(state.refused.into()))
        .input("targets", Quantity::Count(targets))
        .limit("attempts_min", Quantity::Count(attempts_min(params, cell).into()))
        .limit("spread_max", Quantity::Ratio(spread_max))
        .limit(
            "spray_targets_min",
            Quantity::Count(params.spray_targets_min.into()),
        )
}

fn complete(state: &State, cell: &CellKey, verdict: Verdict<'_>) {
    let pauses = i64::from(state.attempts().saturating_sub(1).max(1));
    let milliseconds = |nanos: i64| Quantity::Count(((nanos + 500_000) / 1_000_000).max(0) as u64);
    let (listed, count) = match cell.peer {
        Some(peer) => (vec![Target::service(peer, cell.port)], 1),
        None => (state.listed.clone(), state.targets.count()),
    };
    let mut ports: Vec<u64> = listed
        .iter()
        .filter_map(|target| target.port)
        .map(u64::from)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    verdict
        .targets(listed, count)
        .span(state.first, state.last)
        .detail("FlowCount", Quantity::Count(state.flows.into()))
        .detail("PortList", Quantity::Counts(ports))
        .detail("DurationMs", milliseconds(state.last.since(state.first)))
        .detail(
            "AverageIntervalMs",
            milliseconds(state.last_start.since(state.first) / pauses),
        )
        .detail("TargetCount", Quantity::Count(count))
        .detail("Success", Quantity::Flag(state.success))
        .detail("Outcome", Quantity::Text(state.outcome().into()))
        .evidence(FlowFilter {
            initiator: Some(cell.host),
            responder: cell.peer,
            responder_port: cell.peer.map(|_| cell.port),
            proto: Some(proto::TCP),
            protocol: cell
                .peer
                .is_none()
                .then(|| SERVICES[usize::from(cell.role % SPRAY)].protocol),
            ..FlowFilter::default()
        });
}

#[cfg(test)]
mod tests;
