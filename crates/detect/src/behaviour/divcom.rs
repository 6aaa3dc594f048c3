//! DIVCOM: a host talks to many hosts on many service ports at once. Product of both over five minutes, with a floor for
//! each, so that neither a resolver (many hosts, one port) nor a peer-to-peer program (high ports) is meant.

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Priority, Quantity, Reads, Scope,
    SubmethodMeta, Target, Technique, Time, proto,
};

use crate::address::{OneWay, is_group};
use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Different targets times different service ports within five minutes from which a host is reported.
    communication_factor: u64 = 2_000, 100..=1_000_000_000;
    /// Different targets that are needed whatever the product.
    targets_min: u32 = 20, 2..=100_000;
    /// Different service ports that are needed whatever the product.
    ports_min: u32 = 20, 2..=65_535;
    /// Highest port that counts. Above it lie the ports that programs pick by chance.
    port_max: u16 = 10_239, 1..=65_535;
    /// Hosts that may do this, as prefixes: vulnerability scanners, proxies, monitoring.
    exclude_servers: Vec<IpNet> = Vec::new();
}

const INTERVAL_S: u32 = 300;
/// Names, time and the web: who wants nothing else is not followed; who does is followed from then on.
const EVERYDAY_PORTS: [u16; 4] = [53, 80, 123, 443];
const TARGETS_LISTED_MAX: usize = 32;

/// See the file.
pub struct DiverseCommunication;

/// Five minutes of one host.
#[derive(Default)]
pub struct State {
    targets: Distinct,
    ports: Distinct,
    /// Targets met once half of the ports are: nearly every host has a cell, and hardly any is ever told of.
    listed: Vec<Target>,
    flows: u64,
    span: Option<(Time, Time)>,
}

impl Method for DiverseCommunication {
    const META: MethodMeta = MethodMeta {
        code: "DIVCOM",
        slug: "divcom",
        family: "behaviour",
        title: "Diverse communication",
        submethods: &[SubmethodMeta {
            name: "VariousCommunication",
            about: "A host talks to many hosts on many service ports within five minutes",
            rules: &[&[
                Clause::at_least("product", "communication_factor"),
                Clause::at_least("hosts", "targets_min"),
                Clause::at_least("ports", "ports_min"),
            ]],
            reason: "{source} talked to {hosts} hosts on {ports} service ports within five minutes",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0007",
                technique: "T1046",
            }],
        }],
        priority: Priority::Low,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads::ENDED_FLOWS,
        needs: &[],
        same_as: &["SCANS"],
        manual: Manual {
            what: "A host that suddenly wants everything of everybody explores the network: a worm, an intruder, or a tool of the administrator.",
            basis: "Ended TCP and UDP flows per initiator in intervals of five minutes: different targets, different responder ports up to port_max, and their product. Answered flows count as much as unanswered ones, so that a patient scan of what is really there is found too.",
            bias: "Silent about one host scanned on many ports and about one port on many hosts: those are SCANS'. A flow in which only the responder spoke does not count, nor do those to 53, 80, 123 and 443 before the first to another port. Targets are named from half of ports_min ports on, and counted from the first.",
            false_positives: "Vulnerability scanners, monitoring, a proxy or an address translator with many users behind it: put them into exclude_servers.",
            response: "See whether SCANS names the same host. Look at which of the ports answered.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(INTERVAL_S).tick_s(INTERVAL_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let unasked = OneWay::of(flow).is_some_and(|one_way| one_way.silent == key.initiator_ip);
        if matches!(key.proto, proto::TCP | proto::UDP)
            && (1..=params.port_max).contains(&key.responder_port)
            && !unasked
            && !is_group(key.responder_ip)
            && !params
                .exclude_servers
                .iter()
                .any(|prefix| prefix.contains(&key.initiator_ip))
        {
            if EVERYDAY_PORTS.contains(&key.responder_port) {
                cells.add_known(CellKey::initiator(key));
            } else {
                cells.add(CellKey::initiator(key));
            }
        }
    }

    fn on_flow(params: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let key = &flow.key;
        let (first, last) = state.span.unwrap_or((flow.flow_start, flow.end));
        state.span = Some((first.min(flow.flow_start), last.max(flow.end)));
        state.flows += 1;
        state.ports.add((key.proto, key.responder_port));
        let many_ports = state.ports.count() * 2 >= params.ports_min.into();
        if state.targets.add(key.responder_ip) && state.listed.len() < TARGETS_LISTED_MAX && many_ports {
            state.listed.push(Target::ip(key.responder_ip));
        }
    }

    fn on_tick(_: &Params, state: &mut State, _: &CellKey, _: Time) {
        *state = State::default();
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let (targets, ports) = (state.targets.count(), state.ports.count());
        let Some((first, last)) = state.span else { return };
        if targets * ports < params.communication_factor || !out.due("VariousCommunication") {
            return;
        }
        let facts = Facts::new()
            .input("product", Quantity::Count(targets * ports))
            .input("hosts", Quantity::Count(targets))
            .input("ports", Quantity::Count(ports))
            .limit(
                "communication_factor",
                Quantity::Count(params.communication_factor),
            )
            .limit("targets_min", Quantity::Count(params.targets_min.into()))
            .limit("ports_min", Quantity::Count(params.ports_min.into()));
        if let Some(verdict) = out.judge("VariousCommunication", facts) {
            verdict
                .targets(state.listed.clone(), targets)
                .span(first, last)
                .detail("TargetCount", Quantity::Count(targets))
                .detail("PortCount", Quantity::Count(ports))
                .detail("FlowCount", Quantity::Count(state.flows))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    ..FlowFilter::default()
                });
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::check;

    /// Fifty hosts on forty ports each, all answered; then one port less.
    #[test]
    fn a_patient_explorer() {
        check::<DiverseCommunication>(
            "every 100ms x2000 10.0.0.5 <> 10.0.1.{1..50}:{1..40} tcp APRSF 400/6 500/5",
            expect![[r#"
                DIVCOM.VariousCommunication 50 % after 4 s, 2 findings, 50 targets: 10.0.0.5 talked to 50 hosts on 40 service ports within five minutes
                  product >= communication_factor and hosts >= targets_min and ports >= ports_min; silent at product 2000, hosts 20, ports 20; src ip 10.0.0.5
            "#]],
        );
        check::<DiverseCommunication>(
            "every 100ms x2000 10.0.0.5 <> 10.0.1.{1..50}:{1..39} tcp APRSF 400/6 500/5",
            expect![[""]],
        );
    }

    /// A resolver, a vertical scan, a peer-to-peer program, an ordinary client, unasked answers.
    #[test]
    fn many_of_one_kind() {
        check::<DiverseCommunication>(
            "@0s every 20ms x9000 10.0.0.53 <> 198.51.{1..97}.{1..250}:53 udp 70/1 180/1
             @0s every 20ms x9000 10.0.0.6 <> 10.0.0.{1..19}:{1..1000} tcp S/RA
             @0s every 20ms x9000 10.0.0.7 <> 198.51.{1..97}.{1..250}:{10240..60000} udp 130/1 300/1
             @0s every 20ms x9000 10.0.0.8 <> 198.51.{1..97}.{1..250}:{80,443,25,53,123,993,587,5222,8080,8443} tcp APRSF 900/9 9000/9
             @0s every 20ms x9000 10.0.0.9 < 198.51.{1..97}.{1..250}:{1..1000} tcp SA 60/1",
            expect![[""]],
        );
    }
}
