//! L3ANOMALY: packets whose addresses cannot be: neither end ours, a group as sender, or a host that writes to itself.
//! One cell per sender and kind; the verdict on a packet is exact, only their number is a matter of degree.

use std::net::IpAddr;

use weir_model::{
    Clause, Counters, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Need, Priority, Quantity,
    Reads, Rule, Scope, SubmethodMeta, Target, Technique, Time, proto, tcp_flags,
};

use crate::address::is_group;
use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Method, Window};

/// Peers listed in an event.
const PEERS_LISTED_MAX: usize = 32;
const KINDS: [&str; 3] = ["IPSpoof", "SourceMulticast", "SameIPs"];

crate::params! {
    /// Packets of one sender before it is reported. More ignores strays.
    packets_min: u64 = 10, 1..=1_000_000_000;
}

/// What one sender did.
#[derive(Default)]
pub struct State {
    span: Option<(Time, Time)>,
    sent: Counters,
    peers: Distinct,
    peers_listed: Vec<IpAddr>,
    mac: Option<weir_model::Mac>,
}

/// See the file.
pub struct L3Anomaly;

const RULES: &[Rule] = &[&[Clause::at_least("packets", "packets_min")]];

const fn kind(
    name: &'static str,
    about: &'static str,
    reason: &'static str,
    needs: &'static [Need],
    techniques: &'static [Technique],
) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: RULES,
        reason,
        needs,
        techniques,
    }
}

impl Method for L3Anomaly {
    const META: MethodMeta = MethodMeta {
        code: "L3ANOMALY",
        slug: "l3anomaly",
        family: "policy",
        title: "Impossible addresses",
        submethods: &[
            kind(
                "IPSpoof",
                "Neither end is in an inside network, so the sender's address is forged or the route is wrong (RFC 2827)",
                "{source} sent {packets} packets to {targets} in {span}, and neither is inside",
                &[Need::InsideConfigured],
                &[],
            ),
            kind(
                "SourceMulticast",
                "A multicast or broadcast address as the sender",
                "{packets} packets to {targets} in {span} name the group {source} as their sender",
                &[],
                &[],
            ),
            kind(
                "SameIPs",
                "Sender and receiver are the same address (LAND)",
                "{packets} packets in {span} name {source} both as sender and as receiver",
                &[],
                &[Technique {
                    tactic: "TA0040",
                    technique: "T1499.004",
                }],
            ),
        ],
        priority: Priority::Medium,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads::ALL_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "Packets with addresses that no correct configuration produces: a sign of forged senders, of attacks on old network stacks, or of a wrong route.",
            basis: "Addresses alone. IPSpoof needs the inside networks to be configured, because a guess would make every unknown network a forger. Multicast, link-local, unspecified and loopback addresses are left out of IPSpoof; SameIPs counts only what nobody answers (openings of TCP, packets from a port to itself), because a capture on a host's own loopback shows it talking to itself.",
            bias: "IPSpoof stays off without configured inside networks. Fewer packets than packets_min are taken for strays.",
            false_positives: "Transit traffic at a provider's edge; inside networks missing in the configuration; captures with anonymised addresses.",
            response: "Find the port of the switch by the hardware address. Filter forged senders where they enter (RFC 2827, RFC 3704).",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_params: &Params) -> Window {
        Window::idle_s(300)
    }

    fn cells_of_flow(_params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        if !key.is_ip() {
            return;
        }
        if key.initiator_ip == key.responder_ip {
            if is_land(flow) {
                cells.add(CellKey::initiator(key).role(2));
            }
            return;
        }
        if let Some(sender) = group_sender(flow) {
            cells.add(CellKey::host(sender).role(1));
        } else if !flow.initiator_inside
            && !flow.responder_inside
            && routable(key.initiator_ip)
            && routable(key.responder_ip)
        {
            cells.add(CellKey::initiator(key).role(0));
        }
    }

    fn on_flow(_params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        let key = &flow.key;
        let (first, last) = state.span.unwrap_or((flow.start, flow.end));
        state.span = Some((first.min(flow.start), last.max(flow.end)));
        let (sent, peer, mac) = if key.initiator_ip == cell.host {
            (flow.forward, key.responder_ip, flow.initiator_mac)
        } else {
            (flow.reverse_or_zero(), key.initiator_ip, flow.responder_mac)
        };
        state.sent.add(sent);
        state.mac = state.mac.or(mac);
        if state.peers.add(peer) && state.peers_listed.len() < PEERS_LISTED_MAX {
            state.peers_listed.push(peer);
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let (Some(submethod), Some((first, last))) = (KINDS.get(usize::from(cell.role)), state.span) else {
            return;
        };
        if state.sent.packets < params.packets_min || !out.due(submethod) {
            return;
        }
        let facts = Facts::new()
            .input("packets", Quantity::Count(state.sent.packets))
            .limit("packets_min", Quantity::Count(params.packets_min));
        if let Some(verdict) = out.judge(submethod, facts) {
            verdict
                .exact()
                .source_mac(state.mac)
                .targets(
                    state.peers_listed.iter().copied().map(Target::ip),
                    state.peers.count(),
                )
                .span(first, last)
                .detail("UploadedData", Quantity::Bytes(state.sent.bytes))
                .detail("PacketCount", Quantity::Count(state.sent.packets))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    ..FlowFilter::default()
                });
        }
    }
}

/// Is it a packet to its own sender, as LAND sends them? A host may well talk to its own address, and a capture on its
/// loopback sees that, sometimes one way only (logs by UDP) or joined in the middle; so only what gets no answer counts,
/// and of that, openings of TCP and packets from a port to itself.
fn is_land(flow: &FlowRecord) -> bool {
    let key = &flow.key;
    let same_port = key.initiator_port == key.responder_port;
    let opening = flow.forward_flags & (tcp_flags::SYN | tcp_flags::ACK) == tcp_flags::SYN;
    let odd = match key.proto {
        proto::TCP => opening || same_port,
        proto::UDP => same_port,
        _ => true,
    };
    odd && !flow.answered() && !key.initiator_ip.is_loopback() && !key.initiator_ip.is_unspecified()
}

/// The group that is named as a sender, if one is.
fn group_sender(flow: &FlowRecord) -> Option<IpAddr> {
    let key = &flow.key;
    if is_multicast(key.initiator_ip) && flow.forward.packets > 0 {
        Some(key.initiator_ip)
    } else {
        (is_multicast(key.responder_ip) && flow.reverse_or_zero().packets > 0).then_some(key.responder_ip)
    }
}

/// Certain groups only: x.y.z.255 may be a host of a large subnet.
fn is_multicast(ip: IpAddr) -> bool {
    ip.is_multicast() || matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

/// May the address take part in routed traffic? Not groups, 0/8, loopback and link-local.
fn routable(ip: IpAddr) -> bool {
    !is_group(ip)
        && !ip.is_loopback()
        && match ip {
            IpAddr::V4(ip) => ip.octets()[0] != 0 && !ip.is_link_local(),
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_unicast_link_local(),
        }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::check;

    #[test]
    fn ip_spoof() {
        check::<L3Anomaly>(
            "x2 203.0.113.5 <> 198.51.100.{1,2}:80 tcp SA 300/5 300/5\nx2 203.0.113.6 <> 198.51.100.{1,2}:80 tcp SA 300/4 300/4",
            expect![[r#"
                L3ANOMALY.IPSpoof 100 % after 0 s, 2 findings, 2 targets: 203.0.113.5 sent 10 packets to 2 targets in 0 s, and neither is inside
                  packets >= packets_min; silent at packets 10; src ip 203.0.113.5
            "#]],
        );
    }

    #[test]
    fn inside_link_local_and_groups_are_not_spoofed() {
        check::<L3Anomaly>(
            "10.0.0.5 <> 198.51.100.1:80 tcp SA 3000/50 300/5\n169.254.1.1 > 224.0.0.251:5353 udp 3000/50
            fe80::1 > ff02::fb udp 3000/50\n0.0.0.0:68 > 255.255.255.255:67 udp 3000/50\n203.0.113.5 > 239.1.1.1:5004 udp 3000/50",
            expect![[""]],
        );
    }

    #[test]
    fn source_multicast() {
        check::<L3Anomaly>(
            "x10 239.1.1.1:7 > 10.0.0.9:7 udp 100/1 mac=02:00:00:00:00:66\nx9 239.1.1.2:7 > 10.0.0.9:7 udp 100/1\nx50 10.0.0.9 > 239.1.1.1:5004 udp 100/1",
            expect![[r#"
                L3ANOMALY.SourceMulticast 100 % after 0 s, 2 findings, 1 targets: 10 packets to 10.0.0.9 in 0 s name the group 239.1.1.1 as their sender
                  packets >= packets_min; silent at packets 10; src ip 239.1.1.1
            "#]],
        );
    }

    #[test]
    fn same_ips() {
        check::<L3Anomaly>(
            "x10 10.0.0.9:139 > 10.0.0.9:139 tcp S\nx9 10.0.0.8:139 > 10.0.0.8:139 tcp S\nx50 127.0.0.1 <> 127.0.0.1:80 tcp SAF\nx50 ::1 <> [::1]:80 tcp SAF\nx50 10.0.0.7 <> 10.0.0.7:80 tcp SAF\nx50 10.0.0.7 > 10.0.0.7:514 udp\nx50 10.0.0.7 > 10.0.0.7:9001 tcp AP 300/3 first=A",
            expect![[r#"
                L3ANOMALY.SameIPs 100 % after 0 s, 2 findings, 1 targets: 10 packets in 0 s name 10.0.0.9 both as sender and as receiver
                  packets >= packets_min; silent at packets 10; src ip 10.0.0.9
            "#]],
        );
    }
}
