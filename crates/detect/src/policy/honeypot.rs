//! HONEYPOT: somebody touches an address that nobody has any business with. Every packet to a decoy counts, so this is
//! silent until decoys are configured.

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Priority, Quantity, Reads, Scope,
    SubmethodMeta, Target, Technique, Time, proto,
};

use crate::baseline::{Distinct, Top};
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Decoy addresses, as prefixes; unused address ranges serve as well. Empty: the method is silent.
    honeypots: Vec<IpNet> = Vec::new();
    /// Hosts that may touch decoys, as prefixes: the decoy's operator, monitoring, vulnerability scanners.
    ignore_access_from: Vec<IpNet> = Vec::new();
    /// Flows of one source to decoys before it is reported.
    flows_min: u32 = 1, 1..=100_000;
}

/// Silence that ends an access, seconds.
const IDLE_S: u32 = 600;
const TARGETS_LISTED_MAX: usize = 32;
const PORTS_LISTED_MAX: usize = 16;

/// See the file.
pub struct Honeypot;

/// What one source did to the decoys.
#[derive(Default)]
pub struct State {
    flows: u32,
    packets: u64,
    answered: bool,
    decoys: Distinct,
    listed: Vec<Target>,
    ports: Distinct,
    ports_listed: Top<u16, PORTS_LISTED_MAX>,
    protos: Top<u8, 4>,
    span: Option<(Time, Time)>,
}

impl Method for Honeypot {
    const META: MethodMeta = MethodMeta {
        code: "HONEYPOT",
        slug: "honeypot",
        family: "policy",
        title: "Access to a decoy",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "A host sends something to a decoy address",
            rules: &[&[Clause::at_least("flows", "flows_min")]],
            reason: "{source} touched {targets}, {flows} flows to {ports} ports in {span}; answered: {Success}",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0043",
                technique: "T1595",
            }],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads::ENDED_FLOWS,
        needs: &[],
        same_as: &["SCANS"],
        manual: Manual {
            what: "A decoy offers nothing to anybody, so whoever talks to it searches, by hand or as a worm.",
            basis: "Ended IP flows to the configured decoys, per source; no limit but their number.",
            bias: "Silent until honeypots are configured. A flow in which only the decoy spoke does not count: a forged sender may have called its answer.",
            false_positives: "Inventory and monitoring that sweep whole networks, name resolution by broadcast: put them into ignore_access_from.",
            response: "A source inside is compromised or curious: look at what else it did in the hour before.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let within = |prefixes: &[IpNet], ip| prefixes.iter().any(|prefix| prefix.contains(&ip));
        let key = &flow.key;
        if !params.honeypots.is_empty()
            && key.is_ip()
            && flow.forward_total.packets > 0
            && within(&params.honeypots, key.responder_ip)
            && !within(&params.honeypots, key.initiator_ip)
            && !within(&params.ignore_access_from, key.initiator_ip)
        {
            cells.add(CellKey::initiator(key));
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let key = &flow.key;
        let (first, last) = state.span.unwrap_or((flow.flow_start, flow.end));
        state.span = Some((first.min(flow.flow_start), last.max(flow.end)));
        state.flows += 1;
        state.packets += flow.forward_total.packets;
        state.answered |= flow.answered();
        state.protos.add(key.proto, 1);
        if matches!(key.proto, proto::TCP | proto::UDP) {
            state.ports.add((key.proto, key.responder_port));
            state.ports_listed.add(key.responder_port, 1);
        }
        if state.decoys.add(key.responder_ip) && state.listed.len() < TARGETS_LISTED_MAX {
            state.listed.push(Target::ip(key.responder_ip));
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some((first, last)) = state.span.filter(|_| out.due("General")) else {
            return;
        };
        let facts = Facts::new()
            .input("flows", Quantity::Count(state.flows.into()))
            .input("ports", Quantity::Count(state.ports.count()))
            .limit("flows_min", Quantity::Count(params.flows_min.into()));
        let Some(verdict) = out.judge("General", facts) else {
            return;
        };
        let heaviest = state.ports_listed.heaviest();
        let mut ports: Vec<u64> = heaviest.iter().map(|(port, _)| u64::from(*port)).collect();
        ports.sort_unstable();
        let protos = state.protos.heaviest();
        let one = state.listed.first().filter(|_| state.decoys.count() == 1);
        verdict
            .targets(state.listed.clone(), state.decoys.count())
            .span(first, last)
            .detail("FlowCount", Quantity::Count(state.flows.into()))
            .detail("PacketCount", Quantity::Count(state.packets))
            .detail(
                "Protocols",
                Quantity::Counts(protos.iter().map(|(number, _)| u64::from(*number)).collect()),
            )
            .detail("PortList", Quantity::Counts(ports))
            .detail("PortCount", Quantity::Count(state.ports.count()))
            .detail("Success", Quantity::Flag(state.answered))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder: one.and_then(|target| target.ip),
                ..FlowFilter::default()
            })
            .exact();
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    const TOUCH: &str = "@0s every 1s x3 10.0.0.5 > 10.0.0.200:{22,445,3389} tcp S
         @5s 10.0.0.5 <> 10.0.0.201 icmp icmp=8/0";

    #[test]
    fn a_decoy_is_touched() {
        check_with::<Honeypot>(
            r#"{"honeypots": ["10.0.0.200/31"]}"#,
            TOUCH,
            expect![[r#"
            HONEYPOT.General 100 % after 0 s, 2 findings, 2 targets: 10.0.0.5 touched 2 targets, 4 flows to 3 ports in 5 s; answered: yes
              flows >= flows_min; silent at flows 1; src ip 10.0.0.5
        "#]],
        );
    }

    #[test]
    fn below_the_limit_and_without_decoys() {
        check_with::<Honeypot>(
            r#"{"honeypots": ["10.0.0.200/31"], "flows_min": 5}"#,
            TOUCH,
            expect![[""]],
        );
        check::<Honeypot>(TOUCH, expect![[""]]);
    }

    /// The operator, the decoy's own talk, backscatter from it, and neighbours of the decoy.
    #[test]
    fn allowed_and_elsewhere() {
        check_with::<Honeypot>(
            r#"{"honeypots": ["10.0.0.200/31"], "ignore_access_from": ["10.0.0.9/32"]}"#,
            "@0s 10.0.0.9 <> 10.0.0.200:22 tcp APRSF 900/8 800/7
             @0s 10.0.0.200 <> 10.0.0.1:53 udp 60/1 120/1
             @0s 10.0.0.7 < 10.0.0.200:80 tcp SA 60/1
             @0s 10.0.0.5 <> 10.0.0.202:80 tcp APRSF 900/8 800/7",
            expect![[""]],
        );
    }
}
