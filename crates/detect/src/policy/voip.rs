//! VOIP: a host telephones over the network, told by the ports that telephony programs and their relays use. Knowledge
//! for the operator, no alarm.

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Priority, Protocol, Quantity, Reads,
    Scope, SubmethodMeta, Target, Time, proto,
};

use crate::address::is_group;
use crate::baseline::Top;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Hosts that are watched, as prefixes. Empty: all inside hosts.
    lan_filter: Vec<IpNet> = Vec::new();
    /// Packets each way before a program counts: fewer are searches for a way out and probes.
    packets_min: u64 = 20, 1..=1_000_000;
}

/// Silence that ends an event, seconds.
const IDLE_S: u32 = 3_600;
/// Peers whose packets are told apart.
const PEERS_MAX: usize = 8;

/// Telephony by service port: words, protocol numbers, first and last port. From the IANA register (SIP, H.323, MGCP,
/// SCCP, IAX, STUN/TURN) and the makers' lists of ports for firewalls (Teams, Meet, Zoom, Webex).
const PROGRAMS: &[(&str, &[u8], u16, u16)] = &[
    ("SIP", &[proto::UDP, proto::TCP], 5060, 5061),
    ("H.323", &[proto::TCP], 1720, 1720),
    ("MGCP", &[proto::UDP], 2427, 2427),
    ("MGCP", &[proto::UDP], 2727, 2727),
    ("SCCP (Skinny)", &[proto::TCP], 2000, 2000),
    ("IAX2", &[proto::UDP], 4569, 4569),
    (
        "a call through STUN or TURN, such as Teams",
        &[proto::UDP],
        3478,
        3481,
    ),
    ("Google Meet", &[proto::UDP], 19_302, 19_309),
    ("Zoom", &[proto::UDP], 8801, 8810),
    ("Webex", &[proto::UDP], 9000, 9000),
];

/// See the file.
pub struct Voip;

/// One program of one host.
#[derive(Default)]
pub struct State {
    up: (u64, u64),
    down: (u64, u64),
    peers: Top<Target, PEERS_MAX>,
    span: Option<(Time, Time)>,
}

impl Method for Voip {
    const META: MethodMeta = MethodMeta {
        code: "VOIP",
        slug: "voip",
        family: "policy",
        title: "Telephony",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "A host uses a telephony program or service",
            rules: &[&[Clause::at_least("packets", "packets_min")]],
            reason: "{source} telephones ({Description}) with {targets} in {span}: {uploaded} sent, {downloaded} received",
            needs: &[],
            techniques: &[],
        }],
        priority: Priority::Informational,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads::ALL_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "Telephony needs bandwidth and open ports, and calls cost money: it is worth knowing who has it.",
            basis: "Flows of inside hosts on the ports of telephony protocols and of well-known conference programs, with packets both ways.",
            bias: "Ports are taken at their word unless content shows another protocol. Calls over web ports and pictures and sound on ports chosen for the call are not seen.",
            false_positives: "Games and browsers that use STUN for other ends; other programs on these ports.",
            response: "Nothing, unless telephony is not meant to be here.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let Some(at) = program(key.proto, key.responder_port) else {
            return;
        };
        let watched = params.lan_filter.is_empty()
            || params
                .lan_filter
                .iter()
                .any(|prefix| prefix.contains(&key.initiator_ip));
        if flow.initiator_inside
            && watched
            && flow.forward_total.packets > 0
            && flow.answered()
            && !is_group(key.responder_ip)
            && !(flow.protocol_by_content && flow.protocol.is_some_and(|known| known != Protocol::Sip))
        {
            cells.add(CellKey::initiator(key).role(at as u8));
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let (up, down) = (flow.forward, flow.reverse_or_zero());
        let (first, last) = state.span.unwrap_or((flow.start, flow.end));
        state.span = Some((first.min(flow.start), last.max(flow.end)));
        state.up = (
            state.up.0.saturating_add(up.packets),
            state.up.1.saturating_add(up.bytes),
        );
        state.down = (
            state.down.0.saturating_add(down.packets),
            state.down.1.saturating_add(down.bytes),
        );
        let peer = Target::service(flow.key.responder_ip, flow.key.responder_port);
        state.peers.add(peer, up.packets.saturating_add(down.packets));
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some((words, numbers, low, high)) = PROGRAMS.get(usize::from(cell.role)) else {
            return;
        };
        let Some((first, last)) = state.span.filter(|_| out.due("General")) else {
            return;
        };
        let facts = Facts::new()
            .input("packets", Quantity::Count(state.up.0.min(state.down.0)))
            .input("uploaded", Quantity::Bytes(state.up.1))
            .input("downloaded", Quantity::Bytes(state.down.1))
            .limit("packets_min", Quantity::Count(params.packets_min));
        if let Some(verdict) = out.judge("General", facts) {
            let peers = state.peers.heaviest();
            let count = peers.len() as u64;
            verdict
                .targets(peers.into_iter().map(|(peer, _)| peer), count)
                .span(first, last)
                .detail("Description", Quantity::Text((*words).into()))
                .detail("TargetCount", Quantity::Count(count))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    proto: Some(numbers[0]).filter(|_| numbers.len() == 1),
                    responder_port: Some(*low).filter(|_| low == high),
                    ..FlowFilter::default()
                });
        }
    }
}

fn program(number: u8, port: u16) -> Option<usize> {
    PROGRAMS
        .iter()
        .position(|(_, numbers, low, high)| (*low..=*high).contains(&port) && numbers.contains(&number))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    #[test]
    fn programs() {
        check::<Voip>(
            "@0s 10.0.0.5 <> 203.0.113.9:5060 udp 9000/20 9000/20 dur=60s
             @1s 10.0.0.5 <> 203.0.113.9:5061 tcp APS 9000/20 9000/20 dur=60s
             @2s 10.0.0.6 <> 203.0.113.9:1720 tcp APSF 9000/20 9000/20 dur=60s
             @2s 10.0.0.8 <> 203.0.113.9:5060 udp 9000/20 9000/20 app=sip
             @3s 10.0.0.7 <> 203.0.113.9:3479 udp 9MiB/9000 9MiB/9000 dur=60s",
            expect![[r#"
                VOIP.General 50 % after 2 s, 2 findings, 1 targets: 10.0.0.8 telephones (SIP) with 203.0.113.9:5060 in 0 s: 8.79 KiB sent, 8.79 KiB received
                  packets >= packets_min; silent at packets 20; src ip 10.0.0.8
                VOIP.General 90 % after 60 s, 2 findings, 2 targets: 10.0.0.5 telephones (SIP) with 2 targets in 61 s: 17.6 KiB sent, 17.6 KiB received
                  packets >= packets_min; silent at packets 20; src ip 10.0.0.5
                VOIP.General 50 % after 62 s, 2 findings, 1 targets: 10.0.0.6 telephones (H.323) with 203.0.113.9:1720 in 60 s: 8.79 KiB sent, 8.79 KiB received
                  packets >= packets_min; silent at packets 20; src ip 10.0.0.6 and proto tcp and dst port 1720
                VOIP.General 100 % after 63 s, 2 findings, 1 targets: 10.0.0.7 telephones (a call through STUN or TURN, such as Teams) with 203.0.113.9:3479 in 60 s: 9 MiB sent, 9 MiB received
                  packets >= packets_min; silent at packets 20; src ip 10.0.0.7 and proto udp
            "#]],
        );
    }

    /// A packet less, nobody answers, another protocol by content, not inside, and not watched.
    #[test]
    fn nothing_of_the_kind() {
        check::<Voip>(
            "@0s 10.0.0.5 <> 203.0.113.9:5060 udp 9000/20 9000/19
             @1s 10.0.0.6 > 203.0.113.9:3478 udp 9000/90
             @2s 10.0.0.7 <> 203.0.113.9:2000 tcp APSF 9000/20 9000/20 app=ssh
             @3s 203.0.113.9 <> 10.0.0.7:5060 udp 9000/20 9000/20
             @4s 10.0.0.7 <> 203.0.113.9:5062 udp 9000/20 9000/20",
            expect![[""]],
        );
        check_with::<Voip>(
            r#"{"lan_filter": ["10.9.0.0/16"]}"#,
            "10.0.0.5 <> 203.0.113.9:5060 udp 9000/20 9000/20",
            expect![[""]],
        );
    }
}
