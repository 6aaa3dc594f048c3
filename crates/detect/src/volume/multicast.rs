//! MULTICAST: one host speaks to groups beyond limits, as storms of small packets or as streams. Windows and printers
//! chatter to groups all day in few packets a second, so only rate and volume count, never the variety of groups.

use std::net::IpAddr;

use weir_model::{
    Clause, Counters, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Phase, Priority, Quantity,
    Reads, Scope, SubmethodMeta, Target, Time,
};

use crate::address::is_group;
use crate::baseline::{Distinct, Top};
use crate::words::counted;
use crate::{CellKey, Cells, Findings, Method, Window};

/// Rates are taken over at least this long, seconds: the chatter of a booting host comes in short bursts.
const RATE_S_MIN: f64 = 10.0;
/// Groups listed in an event.
const GROUPS_LISTED_MAX: usize = 32;

crate::params! {
    /// Window of counting, seconds.
    window_s: u32 = 300, 10..=3600;
    /// Leave broadcast out and count multicast alone.
    ignore_broadcast: bool = false;
    /// Flows to groups below which nothing is a storm.
    attempts_min: u32 = 100, 1..=1_000_000_000;
    /// Packets a second to groups that make a storm.
    packets_per_s_min: f64 = 50.0, 0.1..=1e9;
    /// Mean bytes of IP a packet above which a storm is a stream, to be judged by volume instead.
    packet_max: u64 = 512, 28..=65_535;
    /// Bytes to groups within the window that make a stream.
    transferred_min: u64 = 104_857_600, 1024..=1e15;
}

/// What one host sent to groups.
#[derive(Default)]
pub struct State {
    span: Option<(Time, Time)>,
    window_s: u32,
    flows: u32,
    sent: Counters,
    groups: Distinct,
    groups_listed: Vec<IpAddr>,
    ports: Top<u16, 8>,
}

/// See the file.
pub struct Multicast;

impl Method for Multicast {
    const META: MethodMeta = MethodMeta {
        code: "MULTICAST",
        slug: "multicast",
        family: "volume",
        title: "Much multicast or broadcast",
        submethods: &[SubmethodMeta {
            name: "MulticastDetection",
            about: "Traffic of one host to 224/4, ff00::/8, 255.255.255.255 or x.y.z.255 beyond the limits",
            rules: &[
                &[
                    Clause::at_least("packets_per_s", "packets_per_s_min"),
                    Clause::at_least("attempts", "attempts_min"),
                    Clause::at_most("packet", "packet_max"),
                ],
                &[Clause::at_least("transferred", "transferred_min")],
            ],
            reason: "{source} sent {transferred} in {PacketCount} packets to {Groups} in {span}, {packets_per_s} a second",
            needs: &[],
            techniques: &[],
        }],
        priority: Priority::Low,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads::ALL_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "A host that loads the whole segment: a storm of small packets to groups (a loop, a broken device, an attack), or a stream that every port of the switch may carry.",
            basis: "Per host and window: flows, packets a second over at least 10 s, and bytes to multicast and broadcast addresses. A storm is many flows of small packets at a high rate; a stream is judged by its bytes alone, because it is one long flow.",
            bias: "Quiet on ordinary service discovery (SSDP, mDNS, LLMNR, NetBIOS, DHCP), which stays far below these rates.",
            false_positives: "Wanted television and video distribution; routing protocols and clusters on a busy segment.",
            response: "Find out whether the stream is wanted and whether IGMP snooping keeps it from ports that do not listen. For a storm look for a loop or a failing network card.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(params: &Params) -> Window {
        Window::idle_s(params.window_s)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let group = flow.key.responder_ip;
        if flow.key.is_ip() && is_group(group) && (group.is_multicast() || !params.ignore_broadcast) {
            cells.add(CellKey::initiator(&flow.key));
        }
    }

    fn breaks(_params: &Params, state: &State, start: Time) -> bool {
        state
            .span
            .is_some_and(|(first, _)| start.secs_since(first) > f64::from(state.window_s))
    }

    fn on_flow(params: &Params, state: &mut State, _cell: &CellKey, flow: &FlowRecord) {
        let (first, last) = state.span.unwrap_or((flow.start, flow.end));
        state.span = Some((first.min(flow.start), last.max(flow.end)));
        state.window_s = params.window_s;
        state.flows += u32::from(flow.phase == Phase::End);
        state.sent.add(flow.forward);
        state.ports.add(flow.key.responder_port, flow.forward.packets);
        let group = flow.key.responder_ip;
        if state.groups.add(group) && state.groups_listed.len() < GROUPS_LISTED_MAX {
            state.groups_listed.push(group);
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some((first, last)) = state.span else { return };
        if state.flows < params.attempts_min && state.sent.bytes < params.transferred_min
            || !out.due("MulticastDetection")
        {
            return;
        }
        let packets = state.sent.packets;
        let rate = packets as f64 / last.secs_since(first).max(RATE_S_MIN);
        let facts = Facts::new()
            .input("attempts", Quantity::Count(u64::from(state.flows)))
            .input("packets_per_s", Quantity::Ratio(rate))
            .input("packet", Quantity::Bytes(state.sent.bytes / packets.max(1)))
            .input("transferred", Quantity::Bytes(state.sent.bytes))
            .input("groups", Quantity::Count(state.groups.count()))
            .limit("attempts_min", Quantity::Count(u64::from(params.attempts_min)))
            .limit("packets_per_s_min", Quantity::Ratio(params.packets_per_s_min))
            .limit("packet_max", Quantity::Bytes(params.packet_max))
            .limit("transferred_min", Quantity::Bytes(params.transferred_min));
        let Some(verdict) = out.judge("MulticastDetection", facts) else {
            return;
        };
        let ports = state.ports.heaviest();
        verdict
            .targets(
                state.groups_listed.iter().copied().map(Target::ip),
                state.groups.count(),
            )
            .span(first, last)
            .detail(
                "Groups",
                Quantity::Text(counted(state.groups.count(), "group", "groups").into()),
            )
            .detail("FlowCount", Quantity::Count(u64::from(state.flows)))
            .detail(
                "PortList",
                Quantity::Counts(ports.iter().map(|(port, _)| u64::from(*port)).collect()),
            )
            .detail("UploadedData", Quantity::Bytes(state.sent.bytes))
            .detail("PacketCount", Quantity::Count(packets))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
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
    fn storm() {
        check::<Multicast>(
            "every 100ms x100 10.0.0.5:{1024..} > 239.1.1.1:9000 udp 500/5\n@0s every 100ms x99 10.0.0.6:{1024..} > 239.1.1.1:9000 udp 600/6",
            expect![[r#"
                MULTICAST.MulticastDetection 50 % after 9 s, 2 findings, 1 targets: 10.0.0.5 sent 48.8 KiB in 500 packets to 1 group in 9.9 s, 50 a second
                  packets_per_s >= packets_per_s_min and attempts >= attempts_min and packet <= packet_max; silent at packets_per_s 50, attempts 100, packet 512 B; src ip 10.0.0.5
            "#]],
        );
    }

    #[test]
    fn stream() {
        check::<Multicast>(
            "10.0.0.5 > 239.1.1.1:5004 udp 100MiB/80000 dur=60s\n@0s 10.0.0.6 > 239.1.1.1:5004 udp 99MiB/80000 dur=60s",
            expect![[r#"
                MULTICAST.MulticastDetection 50 % after 60 s, 2 findings, 1 targets: 10.0.0.5 sent 100 MiB in 80,000 packets to 1 group in 60 s, 1333 a second
                  transferred >= transferred_min; silent at transferred 100 MiB; src ip 10.0.0.5
            "#]],
        );
    }

    #[test]
    fn discovery_is_not_a_storm() {
        check::<Multicast>(
            "every 20ms x200 10.0.0.5:{1024..} > 224.0.0.252:5355 udp 120/2\n@0s every 1s x300 10.0.0.5:{50000..} > 239.255.255.250:1900 udp 600/3
            @0s every 500ms x300 10.0.0.5:137 > 10.0.0.255:137 udp 234/3\n@0s every 1s x300 fe80::5 > ff02::fb udp 300/3",
            expect![[""]],
        );
    }

    #[test]
    fn broadcast_can_be_left_out() {
        check_with::<Multicast>(
            r#"{"ignore_broadcast": true}"#,
            "every 10ms x1000 10.0.0.5:{1024..} > 10.0.0.255:9000 udp 500/5",
            expect![[""]],
        );
    }
}
