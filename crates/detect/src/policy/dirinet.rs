//! DIRINET: a host of a closed segment talks to somebody outside it. What is closed only the operator knows, so this is
//! silent until a segment is configured.

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Phase, Priority, Quantity, Reads,
    Scope, SubmethodMeta, Target, Technique, Time,
};

use crate::address::is_group;
use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// The closed segment, as prefixes: cameras, printers, controllers. Empty: the method is silent.
    lan_segment: Vec<IpNet> = Vec::new();
    /// Hosts outside the segment that it may talk to, as prefixes: its name and time servers, its proxy.
    allowed: Vec<IpNet> = Vec::new();
    /// Report tries that nobody answered.
    report_tries: bool = true;
    /// Report communication that was answered.
    report_communication: bool = true;
    /// Bytes both ways before answered communication is reported.
    minimal_transfer: u64 = 0, 0..=1_000_000_000;
    /// Unanswered tries of one host before they are reported.
    tries_min: u32 = 5, 1..=100_000;
}

/// Silence that ends a chain of flows, seconds.
const IDLE_S: u32 = 3_600;
const TARGETS_LISTED_MAX: usize = 32;

/// See the file.
pub struct Closed;

/// What one host of the segment did outside it.
#[derive(Default)]
pub struct State {
    flows: u32,
    tries: u32,
    up: u64,
    down: u64,
    peers: Distinct,
    listed: Vec<Target>,
    span: Option<(Time, Time)>,
}

impl Method for Closed {
    const META: MethodMeta = MethodMeta {
        code: "DIRINET",
        slug: "dirinet",
        family: "policy",
        title: "Closed segment talks outside",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "A host of a closed segment talks, or tries to talk, to a host outside it",
            rules: &[
                &[
                    Clause::at_least("answered", "answered_min"),
                    Clause::at_least("transferred", "minimal_transfer"),
                ],
                &[Clause::at_least("tries", "tries_min")],
            ],
            reason: "{source} of a closed segment talked to {targets} in {span}: {answered} answered flows, {tries} tries, {transferred}",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0011",
                technique: "T1095",
            }],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads::ENDED_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "Cameras, controllers and till systems have nothing to do outside their segment. If they try, they are misconfigured, call home, or are somebody's foothold.",
            basis: "Ended flows that a host of lan_segment opened to an address outside it, per host: answered ones by their bytes, unanswered ones by their number.",
            bias: "Silent until lan_segment is configured. Flows opened from outside the segment do not count, nor do multicast and broadcast.",
            false_positives: "Updates, time and names that the segment is meant to fetch: put their servers into allowed.",
            response: "Find out what the host wanted; close the gap in the firewall if the flow was answered.",
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
        let wanted = if flow.answered() {
            params.report_communication
        } else {
            params.report_tries
        };
        if wanted
            && key.is_ip()
            && flow.phase == Phase::End
            && flow.forward_total.packets > 0
            && within(&params.lan_segment, key.initiator_ip)
            && !within(&params.lan_segment, key.responder_ip)
            && !within(&params.allowed, key.responder_ip)
            && !is_group(key.responder_ip)
        {
            cells.add(CellKey::initiator(key));
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let (first, last) = state.span.unwrap_or((flow.flow_start, flow.end));
        state.span = Some((first.min(flow.flow_start), last.max(flow.end)));
        if flow.answered() {
            state.flows += 1;
            state.up += flow.forward_total.bytes;
            state.down += flow.reverse_total_or_zero().bytes;
        } else {
            state.tries += 1;
        }
        if state.peers.add(flow.key.responder_ip) && state.listed.len() < TARGETS_LISTED_MAX {
            state
                .listed
                .push(Target::service(flow.key.responder_ip, flow.key.responder_port));
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some((first, last)) = state.span.filter(|_| out.due("General")) else {
            return;
        };
        let facts = Facts::new()
            .input("answered", Quantity::Count(state.flows.into()))
            .input("transferred", Quantity::Bytes(state.up + state.down))
            .input("tries", Quantity::Count(state.tries.into()))
            .limit("answered_min", Quantity::Count(1))
            .limit("minimal_transfer", Quantity::Bytes(params.minimal_transfer))
            .limit("tries_min", Quantity::Count(params.tries_min.into()));
        let Some(verdict) = out.judge("General", facts) else {
            return;
        };
        let one = state.listed.first().filter(|_| state.peers.count() == 1);
        verdict
            .targets(state.listed.clone(), state.peers.count())
            .span(first, last)
            .detail("Success", Quantity::Flag(state.flows > 0))
            .detail("FlowCount", Quantity::Count((state.flows + state.tries).into()))
            .detail("UploadedData", Quantity::Bytes(state.up))
            .detail("DownloadedData", Quantity::Bytes(state.down))
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

    const SEGMENT: &str = r#"{"lan_segment": ["10.9.0.0/24"], "allowed": ["10.0.0.1/32"]}"#;

    #[test]
    fn a_camera_calls_home() {
        check_with::<Closed>(
            SEGMENT,
            "@0s 10.9.0.5 <> 203.0.113.9:443 tcp APRSF 9000/20 4000/20 dur=5s
             @0s every 10s x5 10.9.0.6 > 203.0.113.9:8000 tcp S 180/3",
            expect![[r#"
                DIRINET.General 100 % after 5 s, 2 findings, 1 targets: 10.9.0.5 of a closed segment talked to 203.0.113.9:443 in 5 s: 1 answered flows, 0 tries, 12.7 KiB
                  answered >= answered_min and transferred >= minimal_transfer; silent at answered 1, transferred 0 B; src ip 10.9.0.5 and dst ip 203.0.113.9
                DIRINET.General 100 % after 40 s, 2 findings, 1 targets: 10.9.0.6 of a closed segment talked to 203.0.113.9:8000 in 40 s: 0 answered flows, 5 tries, 0 B
                  tries >= tries_min; silent at tries 5; src ip 10.9.0.6 and dst ip 203.0.113.9
            "#]],
        );
    }

    /// Four tries; too few bytes; without a segment.
    #[test]
    fn below_the_limits() {
        let text = "@0s every 10s x4 10.9.0.6 > 203.0.113.9:8000 tcp S 180/3";
        check_with::<Closed>(SEGMENT, text, expect![[""]]);
        let small = "@0s 10.9.0.5 <> 203.0.113.9:443 tcp APRSF 500/9 499/9";
        check_with::<Closed>(
            r#"{"lan_segment": ["10.9.0.0/24"], "minimal_transfer": 1000}"#,
            small,
            expect![[""]],
        );
        check::<Closed>(small, expect![[""]]);
    }

    /// Within the segment, to an allowed server, asked from outside, and to everybody.
    #[test]
    fn what_the_segment_may_do() {
        check_with::<Closed>(
            SEGMENT,
            "@0s every 1s x9 10.9.0.5 <> 10.9.0.9:554 tcp APRSF 9000/20 4000/20
             @0s every 1s x9 10.9.0.5 <> 10.0.0.1:123 udp 76/1 76/1
             @0s every 1s x9 10.0.0.7 <> 10.9.0.5:80 tcp APRSF 900/9 4000/9
             @0s every 1s x9 10.9.0.5 > 239.255.255.250:1900 udp 300/2",
            expect![[""]],
        );
    }
}
