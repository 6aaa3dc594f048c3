//! DNSANOMALY: much DNS over TCP, questions to a forbidden resolver, questions to a resolver the client never used.
//! Each client is compared with itself or with what the operator allows; while learning or unconfigured it is silent.

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, NANOS_PER_S, Phase, Priority,
    Protocol, Quantity, Reads, Scope, SubmethodMeta, Target, Technique, Time, proto,
};

use crate::baseline::{Sliding, push_sparing};
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// DNS over TCP of one client, both ways, within five minutes, MiB.
    tcp_transfer_mib: u64 = 5, 1..=100_000;
    /// Resolvers that clients may use, as prefixes. Empty switches ForbiddenServer off.
    dns_servers: Vec<IpNet> = Vec::new();
    /// Flows to a forbidden resolver, without an hour's pause, before it is reported.
    forbidden_flows_min: u32 = 1, 1..=100_000;
    /// Learning of a client's usual resolvers, in cycles of five minutes (2016 = a week); silent until then.
    learn_cycles: u32 = 2_016, 1..=100_000;
    /// Share of a client's active cycles in which a resolver must have been asked to be usual.
    minimal_ratio: f64 = 0.05, 0.0..=1.0;
    /// Flows to unusual resolvers, without an hour's pause, before they are reported.
    unusual_flows_min: u32 = 10, 1..=100_000;
    /// Servers whose traffic is left out, as prefixes: partners of zone transfers.
    servers_to_exclude: Vec<IpNet> = Vec::new();
    /// Clients that are left out, as prefixes: recursive resolvers, secondary name servers, mail filters.
    clients_to_exclude: Vec<IpNet> = Vec::new();
}

const MIB: u64 = 1 << 20;
const PORT: u16 = 53;
/// Five minutes of DNS over TCP are kept in minutes.
const TCP_BIN_S: i64 = 60;
const TCP_BINS: usize = 5;
/// Length of a learning cycle, seconds.
const CYCLE_S: i64 = 300;
/// Active cycles of a client below which shares mean nothing.
const CYCLES_MIN: u32 = 24;
/// Pause that ends a tally, seconds.
const GAP_S: i64 = 3_600;
/// A client is forgotten after this silence: long enough that holidays do not unlearn a week.
const IDLE_S: u32 = 14 * 86_400;
/// Resolvers a client's model knows; the least used gives way.
const MODEL_MAX: usize = 16;
/// Servers listed in a tally; more are only counted as flows.
const LISTED_MAX: usize = 16;

/// DNS anomaly.
pub struct DnsAnomaly;

/// Flows that count for one submethod, until a pause.
#[derive(Default)]
struct Tally {
    flows: u32,
    up: u64,
    down: u64,
    answered: bool,
    first: Time,
    last: Time,
    servers: Vec<IpAddr>,
    /// The newest record counted here.
    touched: bool,
}

impl Tally {
    fn add(&mut self, flow: &FlowRecord) {
        if self.last == Time::default() || flow.start.since(self.last) > GAP_S * NANOS_PER_S {
            *self = Self {
                first: flow.start,
                last: flow.end,
                ..Self::default()
            };
        }
        self.touched = true;
        self.flows += u32::from(flow.phase == Phase::End);
        self.up += flow.forward.bytes;
        self.down += flow.reverse_or_zero().bytes;
        self.answered |= flow.answered();
        self.first = self.first.min(flow.start);
        self.last = self.last.max(flow.end);
        let server = flow.key.responder_ip;
        if self.servers.len() < LISTED_MAX && !self.servers.contains(&server) {
            self.servers.push(server);
        }
    }
}

/// The tally, where there is news to judge. Also once more when the cell closes soon after.
fn fresh<'a>(tally: Option<&'a Tally>, out: &Findings<'_>) -> Option<&'a Tally> {
    tally.filter(|tally| {
        tally.touched || out.closing() && tally.flows > 0 && out.now().since(tally.last) < GAP_S * NANOS_PER_S
    })
}

/// A resolver in a client's model.
struct Known {
    server: IpAddr,
    cycles: u32,
    newest: i64,
}

/// What is known of one client.
#[derive(Default)]
pub struct State {
    tcp_moved: Sliding<TCP_BINS>,
    /// Hardly any client has one of these.
    tcp: Option<Box<Tally>>,
    forbidden: Option<Box<Tally>>,
    unusual: Option<Box<Tally>>,
    /// Share of the least usual resolver in the tally.
    unusual_share: f64,
    model: Vec<Known>,
    active_cycles: u32,
    first_cycle: Option<i64>,
    newest_cycle: i64,
}

impl State {
    /// Cycles since the client was first seen.
    fn learned(&self) -> u32 {
        let first = self.first_cycle.unwrap_or(self.newest_cycle);
        self.newest_cycle
            .saturating_sub(first)
            .clamp(0, i64::from(u32::MAX)) as u32
    }

    /// Notes that the client used the resolver in this cycle; returns the share of cycles in which it did.
    fn learn(&mut self, params: &Params, server: IpAddr, cycle: i64) -> f64 {
        if self.first_cycle.is_none() || cycle > self.newest_cycle {
            self.first_cycle.get_or_insert(cycle);
            self.newest_cycle = cycle;
            self.active_cycles += 1;
        }
        if !self.model.iter().any(|known| known.server == server) {
            if self.model.len() >= MODEL_MAX
                && let Some(least) = (0..MODEL_MAX).min_by_key(|&at| self.model[at].cycles)
            {
                self.model.swap_remove(least);
            }
            let known = Known {
                server,
                cycles: 0,
                newest: i64::MIN,
            };
            push_sparing(&mut self.model, known);
        }
        let mut cycles = 0;
        if let Some(known) = self.model.iter_mut().find(|known| known.server == server) {
            if cycle > known.newest {
                known.cycles += 1;
                known.newest = cycle;
            }
            cycles = known.cycles;
        }
        let share = f64::from(cycles) / f64::from(self.active_cycles.max(1));
        // Old habits fade: past two learning seasons everything counts half.
        if self.active_cycles > params.learn_cycles.saturating_mul(2) {
            self.active_cycles /= 2;
            self.model.iter_mut().for_each(|known| known.cycles /= 2);
        }
        share
    }
}

const RESOLVER: &[Technique] = &[Technique {
    tactic: "TA0011",
    technique: "T1071.004",
}];

const SUBMETHODS: &[SubmethodMeta] = &[
    SubmethodMeta {
        name: "TCPHighTraffic",
        about: "A client moves much data by DNS over TCP: a zone transfer or a tunnel.",
        rules: &[&[Clause::above("moved", "tcp_transfer_max")]],
        reason: "{moved} of DNS over TCP within five minutes between {source} and {targets}",
        needs: &[],
        techniques: RESOLVER,
    },
    SubmethodMeta {
        name: "ForbiddenServer",
        about: "A client asks a resolver that is not among the allowed ones. Silent while dns_servers is empty.",
        rules: &[&[Clause::at_least("flows", "forbidden_flows_min")]],
        reason: "{source} asked {targets}, not among the allowed resolvers ({flows} flows in {span})",
        needs: &[],
        techniques: RESOLVER,
    },
    SubmethodMeta {
        name: "UnusualServer",
        about: "A client asks a resolver that it hardly ever used while its habits were learned.",
        rules: &[&[
            Clause::at_least("flows", "unusual_flows_min"),
            Clause::below("share", "minimal_ratio"),
            Clause::at_least("learned_cycles", "learn_cycles"),
        ]],
        reason: "{source} asked {targets} ({flows} flows in {span}), resolvers it hardly ever used before",
        needs: &[],
        techniques: RESOLVER,
    },
];

impl Method for DnsAnomaly {
    const META: MethodMeta = MethodMeta {
        code: "DNSANOMALY",
        slug: "dnsanomaly",
        family: "dns",
        title: "Unusual use of DNS",
        submethods: SUBMETHODS,
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads::ALL_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "DNS that goes another way than it should: by TCP in bulk, or to another resolver. Malware that \
                   changes the resolver sends every name to its owner.",
            basis: "Flows to port 53 of each inside client: bytes over TCP in five minutes; responders against the \
                    allowed resolvers; responders against the client's own habits, learned in cycles of five minutes \
                    (share of active cycles in which the resolver was asked).",
            bias: "Silent in doubt: without dns_servers there is no ForbiddenServer, and a client is silent for a week \
                   of learning and until it was active in 24 cycles. Another protocol seen on port 53 does not count. \
                   Allowed resolvers are never judged as clients.",
            false_positives: "Secondary name servers, resolvers and mail filters that are not in clients_to_exclude; a \
                              planned change of resolver; laptops that bring a public resolver along.",
            response: "Look at who set the resolver (lease, configuration, malware). For bulk TCP see whether the peer \
                       is a partner of zone transfers.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let dns = key.responder_port == PORT
            && matches!(key.proto, proto::TCP | proto::UDP)
            && (!flow.protocol_by_content || flow.protocol == Some(Protocol::Dns));
        if dns
            && flow.initiator_inside
            && !within(&params.clients_to_exclude, key.initiator_ip)
            && !within(&params.dns_servers, key.initiator_ip)
            && !within(&params.servers_to_exclude, key.responder_ip)
        {
            cells.add(CellKey::initiator(key));
        }
    }

    fn on_flow(params: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let tallies = [&mut state.tcp, &mut state.forbidden, &mut state.unusual];
        for tally in tallies.into_iter().flatten() {
            tally.touched = false;
        }
        if flow.key.proto == proto::TCP && flow.established() {
            let moved = flow.forward.bytes + flow.reverse_or_zero().bytes;
            state.tcp_moved.add(flow.end, TCP_BIN_S, moved);
            state.tcp.get_or_insert_default().add(flow);
        }
        let allowed = within(&params.dns_servers, flow.key.responder_ip);
        if !params.dns_servers.is_empty() && !allowed {
            state.forbidden.get_or_insert_default().add(flow);
        }
        let share = state.learn(params, flow.key.responder_ip, flow.end.bin(CYCLE_S));
        let known_habits = state.learned() >= params.learn_cycles && state.active_cycles >= CYCLES_MIN;
        if known_habits && !allowed && share < params.minimal_ratio {
            state.unusual.get_or_insert_default().add(flow);
            state.unusual_share = share;
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let moved = state.tcp_moved.sum();
        let limit = params.tcp_transfer_mib * MIB;
        if let Some(tally) = fresh(state.tcp.as_deref(), out).filter(|_| moved > limit) {
            let facts = Facts::new()
                .input("moved", Quantity::Bytes(moved))
                .limit("tcp_transfer_max", Quantity::Bytes(limit));
            report(out, "TCPHighTraffic", facts, tally, cell, Some(proto::TCP));
        }
        if let Some(tally) = fresh(state.forbidden.as_deref(), out) {
            let facts = Facts::new()
                .input("flows", Quantity::Count(tally.flows.into()))
                .limit(
                    "forbidden_flows_min",
                    Quantity::Count(params.forbidden_flows_min.into()),
                );
            report(out, "ForbiddenServer", facts, tally, cell, None);
        }
        if let Some(tally) = fresh(state.unusual.as_deref(), out) {
            let facts = Facts::new()
                .input("flows", Quantity::Count(tally.flows.into()))
                .input("share", Quantity::Ratio(state.unusual_share))
                .input("learned_cycles", Quantity::Count(state.learned().into()))
                .limit(
                    "unusual_flows_min",
                    Quantity::Count(params.unusual_flows_min.into()),
                )
                .limit("minimal_ratio", Quantity::Ratio(params.minimal_ratio))
                .limit("learn_cycles", Quantity::Count(params.learn_cycles.into()));
            report(out, "UnusualServer", facts, tally, cell, None);
        }
    }
}

fn report(
    out: &mut Findings<'_>,
    submethod: &str,
    facts: Facts,
    tally: &Tally,
    cell: &CellKey,
    transport: Option<u8>,
) {
    if let Some(verdict) = out.judge(submethod, facts) {
        let one = (tally.servers.len() == 1).then(|| tally.servers[0]);
        let listed = tally.servers.iter().map(|server| Target::service(*server, PORT));
        let names = tally.servers.iter().map(|server| server.to_string().into());
        verdict
            .targets(listed, tally.servers.len() as u64)
            .span(tally.first, tally.last)
            .detail("FlowCount", Quantity::Count(tally.flows.into()))
            .detail("UploadedData", Quantity::Bytes(tally.up))
            .detail("DownloadedData", Quantity::Bytes(tally.down))
            .detail("Success", Quantity::Flag(tally.answered))
            .detail("IPList", Quantity::Texts(names.collect()))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder: one,
                responder_port: Some(PORT),
                proto: transport,
                ..FlowFilter::default()
            });
    }
}

fn within(prefixes: &[IpNet], ip: IpAddr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(&ip))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    #[test]
    fn bulk_over_tcp() {
        check::<DnsAnomaly>(
            "every 20s x9 10.0.0.5 <> 203.0.113.53:53 tcp APRSF 20000/300 1MiB/900 dur=10s",
            expect![[r#"
                DNSANOMALY.TCPHighTraffic 86 % after 90 s, 2 findings, 1 targets: 9.17 MiB of DNS over TCP within five minutes between 10.0.0.5 and 203.0.113.53:53
                  moved > tcp_transfer_max; silent at moved 5 MiB; src ip 10.0.0.5 and dst ip 203.0.113.53 and proto tcp and dst port 53
            "#]],
        );
    }

    /// Just below in any five minutes; over UDP; a partner of zone transfers.
    #[test]
    fn tcp_below_the_limit() {
        check_with::<DnsAnomaly>(
            r#"{"servers_to_exclude": ["198.51.100.0/24"]}"#,
            "@0s every 75s x40 10.0.0.5 <> 203.0.113.53:53 tcp APRSF 20000/300 1MiB/900 dur=10s
             @0s every 1s x100 10.0.0.6 <> 203.0.113.53:53 udp 20000/300 1MiB/900
             @0s 10.0.0.7 <> 198.51.100.53:53 tcp APRSF 20000/300 90MiB/90000 dur=10s",
            expect![[""]],
        );
    }

    #[test]
    fn forbidden_resolver() {
        let text = "every 2s x9 10.0.0.5 <> 10.0.0.1:53 udp 60/1 120/1
             every 2s x9 10.0.0.5 <> 203.0.113.53:53 udp 60/1 120/1
             every 2s x9 10.0.0.1 <> 203.0.113.53:53 udp 60/1 120/1";
        check_with::<DnsAnomaly>(
            r#"{"dns_servers": ["10.0.0.1/32"]}"#,
            text,
            expect![[r#"
            DNSANOMALY.ForbiddenServer 100 % after 18 s, 2 findings, 1 targets: 10.0.0.5 asked 203.0.113.53:53, not among the allowed resolvers (9 flows in 16 s)
              flows >= forbidden_flows_min; silent at flows 1; src ip 10.0.0.5 and dst ip 203.0.113.53 and dst port 53
        "#]],
        );
        // Without a list nothing is forbidden.
        check::<DnsAnomaly>(text, expect![[""]]);
    }

    /// Two hours of habit, then another resolver: ten flows speak, nine do not.
    #[test]
    fn unusual_resolver() {
        let learn = r#"{"learn_cycles": 24}"#;
        let habit = "every 60s x180 10.0.0.5 <> 10.0.0.1:53 udp 60/1 120/1\n";
        let change = "every 1s x10 10.0.0.5 <> 203.0.113.53:53 udp 60/1 120/1";
        check_with::<DnsAnomaly>(
            learn,
            &format!("{habit}{change}"),
            expect![[r#"
            DNSANOMALY.UnusualServer 50 % after 10809 s, 2 findings, 1 targets: 10.0.0.5 asked 203.0.113.53:53 (10 flows in 9 s), resolvers it hardly ever used before
              flows >= unusual_flows_min and share < minimal_ratio and learned_cycles >= learn_cycles; silent at flows 10, share 0.05, learned_cycles 24; src ip 10.0.0.5 and dst ip 203.0.113.53 and dst port 53
        "#]],
        );
        let less = "every 1s x9 10.0.0.5 <> 203.0.113.53:53 udp 60/1 120/1";
        check_with::<DnsAnomaly>(learn, &format!("{habit}{less}"), expect![[""]]);
        // Still learning.
        check::<DnsAnomaly>(&format!("{habit}{change}"), expect![[""]]);
    }

    /// Two resolvers in turn for a long time are both usual; short questions over TCP are ordinary.
    #[test]
    fn ordinary_resolution() {
        check_with::<DnsAnomaly>(
            r#"{"learn_cycles": 24}"#,
            "@0s every 30s x800 10.0.0.5 <> 10.0.0.{1,2}:53 udp 60/1 120/1
             @0s every 30s x800 10.0.0.6 <> 10.0.0.{1,2}:53 tcp APRSF 400/6 3000/5",
            expect![[""]],
        );
    }
}
