//! IPV6TUNNEL: IPv6 carried in IPv4, past filters that look at one of them only. Told by protocol number and port of the
//! outer packets; single qualification probes of a system are left out by thresholds.

use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Phase, Priority, Quantity, Reads,
    Rule, Scope, SubmethodMeta, Target, Technique, Time, proto,
};

use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Tunnel flows of one host within an hour's chain before they are reported, however small.
    connections_threshold: u32 = 20, 1..=1_000_000;
    /// Bytes sent into the tunnel before a single flow is reported.
    upload_data_threshold: u64 = 102_400, 1..=1e12;
    /// Bytes received from the tunnel before a single flow is reported.
    download_data_threshold: u64 = 102_400, 1..=1e12;
    /// Flows in which only one side spoke do not count.
    ignore_failed_connections: bool = true;
}

const TEREDO_PORT: u16 = 3544;
/// IPv6 in IPv4 (RFC 4213): 6in4, 6to4, ISATAP.
const IPV6_IN_IPV4: u8 = 41;
/// Silence that ends a chain of flows, seconds.
const IDLE_S: u32 = 3_600;
const TARGETS_LISTED_MAX: usize = 16;
const KINDS: [&str; 2] = ["TeredoTunnel", "6in4Tunnel"];

/// See the file.
pub struct Ipv6Tunnel;

/// One host's tunnels of one kind.
#[derive(Default)]
pub struct State {
    flows: u32,
    answered: u32,
    up: u64,
    down: u64,
    peers: Distinct,
    listed: Vec<Target>,
    span: Option<(Time, Time)>,
}

const RULES: &[Rule] = &[
    &[Clause::at_least("flows", "connections_threshold")],
    &[Clause::at_least("uploaded", "upload_data_threshold")],
    &[Clause::at_least("downloaded", "download_data_threshold")],
];
const TUNNELING: &[Technique] = &[Technique {
    tactic: "TA0011",
    technique: "T1572",
}];

impl Method for Ipv6Tunnel {
    const META: MethodMeta = MethodMeta {
        code: "IPV6TUNNEL",
        slug: "ipv6tunnel",
        family: "policy",
        title: "IPv6 in a tunnel",
        submethods: &[
            SubmethodMeta {
                name: "TeredoTunnel",
                about: "A host keeps up a Teredo tunnel (UDP 3544)",
                rules: RULES,
                reason: "{source} used Teredo servers {targets} in {span}: {flows} flows, {uploaded} sent, {downloaded} received",
                needs: &[],
                techniques: TUNNELING,
            },
            SubmethodMeta {
                name: "6in4Tunnel",
                about: "A host exchanges IPv6 packets within IPv4 (protocol 41)",
                rules: RULES,
                reason: "{source} tunnelled IPv6 in IPv4 to {targets} in {span}: {flows} flows, {uploaded} sent, {downloaded} received",
                needs: &[],
                techniques: TUNNELING,
            },
        ],
        priority: Priority::Low,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads::ALL_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "A tunnel carries IPv6 past firewalls and monitoring that know IPv4 only, and gives a host an address the whole Internet can reach.",
            basis: "Flows of IP protocol 41, and UDP flows to port 3544, per initiator: many of them, or enough bytes in either direction.",
            bias: "Answered flows count only, unless ignore_failed_connections is off. Teredo speaks to its relays on other ports: of them only the talk with the server is seen, so its amounts are too low. The IPv6 inside is not looked at.",
            false_positives: "A tunnel broker that the network's owner uses on purpose; ISATAP of old Windows networks; a system that qualifies for Teredo all day.",
            response: "Switch the tunnel off at the host (netsh interface teredo set state disabled), block UDP 3544 and protocol 41 at the edge, or give the network IPv6.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let role = match key.proto {
            proto::UDP if key.responder_port == TEREDO_PORT => 0,
            IPV6_IN_IPV4 => 1,
            _ => return,
        };
        let spoke = flow.forward_total.packets > 0 && flow.answered();
        if key.is_ip() && (spoke || !params.ignore_failed_connections) {
            cells.add(CellKey::initiator(key).role(role));
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let (first, last) = state.span.unwrap_or((flow.start, flow.end));
        state.span = Some((first.min(flow.start), last.max(flow.end)));
        state.flows += u32::from(flow.phase == Phase::End);
        state.answered += u32::from(flow.phase == Phase::End && flow.answered());
        state.up += flow.forward.bytes;
        state.down += flow.reverse_or_zero().bytes;
        if state.peers.add(flow.key.responder_ip) && state.listed.len() < TARGETS_LISTED_MAX {
            state.listed.push(Target::ip(flow.key.responder_ip));
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let submethod = KINDS[usize::from(cell.role).min(1)];
        let Some((first, last)) = state.span.filter(|_| out.due(submethod)) else {
            return;
        };
        let facts = Facts::new()
            .input("flows", Quantity::Count(state.flows.into()))
            .input("uploaded", Quantity::Bytes(state.up))
            .input("downloaded", Quantity::Bytes(state.down))
            .limit(
                "connections_threshold",
                Quantity::Count(params.connections_threshold.into()),
            )
            .limit(
                "upload_data_threshold",
                Quantity::Bytes(params.upload_data_threshold),
            )
            .limit(
                "download_data_threshold",
                Quantity::Bytes(params.download_data_threshold),
            );
        let Some(verdict) = out.judge(submethod, facts) else {
            return;
        };
        let teredo = cell.role == 0;
        verdict
            .targets(state.listed.clone(), state.peers.count())
            .span(first, last)
            .detail(
                "Description",
                Quantity::Text(if teredo { "Teredo" } else { "6in4" }.into()),
            )
            .detail("FlowCount", Quantity::Count(state.flows.into()))
            .detail("SuccessfulCount", Quantity::Count(state.answered.into()))
            .detail("UploadedData", Quantity::Bytes(state.up))
            .detail("DownloadedData", Quantity::Bytes(state.down))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                proto: Some(if teredo { proto::UDP } else { IPV6_IN_IPV4 }),
                responder_port: teredo.then_some(TEREDO_PORT),
                ..FlowFilter::default()
            });
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    #[test]
    fn tunnels_in_use() {
        check::<Ipv6Tunnel>(
            "@0s every 30s x20 10.0.0.5 <> 203.0.113.9:3544 udp 89/1 137/1
             @0s 10.0.0.6 <> 203.0.113.41 41 100KiB/300 20000/200 dur=60s",
            expect![[r#"
                IPV6TUNNEL.6in4Tunnel 50 % after 60 s, 2 findings, 1 targets: 10.0.0.6 tunnelled IPv6 in IPv4 to 203.0.113.41 in 60 s: 1 flows, 100 KiB sent, 19.5 KiB received
                  uploaded >= upload_data_threshold; silent at uploaded 100 KiB; src ip 10.0.0.6 and proto 41
                IPV6TUNNEL.TeredoTunnel 50 % after 570 s, 2 findings, 1 targets: 10.0.0.5 used Teredo servers 203.0.113.9 in 9.5 min: 20 flows, 1.74 KiB sent, 2.68 KiB received
                  flows >= connections_threshold; silent at flows 20; src ip 10.0.0.5 and proto udp and dst port 3544
            "#]],
        );
    }

    /// Nineteen probes; a byte too few each way; tries that nobody answers; a chain broken by an hour.
    #[test]
    fn below_the_limits() {
        let tries = "every 30s x40 10.0.0.7 > 203.0.113.9:3544 udp 89/1";
        check::<Ipv6Tunnel>(
            &format!(
                "@0s every 30s x19 10.0.0.5 <> 203.0.113.9:3544 udp 89/1 137/1
                 @0s 10.0.0.6 <> 203.0.113.41 41 102399/300 102399/200 dur=60s
                 @0s {tries}
                 @2h every 30s x19 10.0.0.5 <> 203.0.113.9:3544 udp 89/1 137/1"
            ),
            expect![[""]],
        );
        check_with::<Ipv6Tunnel>(
            r#"{"ignore_failed_connections": false}"#,
            tries,
            expect![[r#"
            IPV6TUNNEL.TeredoTunnel 90 % after 570 s, 4 findings, 1 targets: 10.0.0.7 used Teredo servers 203.0.113.9 in 19.5 min: 40 flows, 3.48 KiB sent, 0 B received
              flows >= connections_threshold; silent at flows 20; src ip 10.0.0.7 and proto udp and dst port 3544
        "#]],
        );
    }

    /// Plain IPv6, other tunnels, the port on the client's side.
    #[test]
    fn no_tunnels() {
        check::<Ipv6Tunnel>(
            "@0s every 1s x90 fd00::5 <> 2001:db8::9:443 tcp APRSF 9000/20 90000/80
             @0s 10.0.0.5 <> 203.0.113.41 47 1MiB/1000 1MiB/1000
             @0s every 1s x90 10.0.0.5:3544 <> 203.0.113.9:443 udp 9000/9 9000/9",
            expect![[""]],
        );
    }
}
