//! TEAMVIEWER: a host holds sessions of the remote-control program TeamViewer, told by its port and the names of its
//! servers. What is done in the session is guessed from which side sends how much, with a probability.

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Kind, Manual, Maturity, MethodMeta, Priority, Protocol, Quantity,
    Reads, Scope, SubmethodMeta, Target, Technique, Time, Transaction, proto,
};

use crate::address::is_group;
use crate::names::is_within;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Hosts that are watched, as prefixes. Empty: all inside hosts.
    lan_filter: Vec<IpNet> = Vec::new();
    /// Packets each way on the program's port before it counts: fewer are probes.
    packets_min: u64 = 10, 1..=1_000_000;
}

/// The program's own port, over TCP and UDP (its maker's list of ports).
const PORT: u16 = 5938;
const DOMAIN: &str = "teamviewer.com";
/// First words of the names its servers for sessions carry; the shop and the manual have others.
const SERVERS: &[&str] = &["master", "ping", "relay", "router", "server"];
/// Silence that ends an event, seconds.
const IDLE_S: u32 = 3_600;
/// Bytes per second in both directions together below which the program only waits.
const WAITING_RATE: f64 = 2_048.0;
/// Mean bytes per packet of the heavier side from which a lasting stream is a file and no picture.
const FILE_PACKET_BYTES: u64 = 1_100;
const TARGETS_LISTED_MAX: usize = 16;
const PORTS_LISTED_MAX: usize = 8;

/// See the file.
pub struct TeamViewer;

/// One direction of the longest session.
#[derive(Clone, Copy, Default)]
struct Sent {
    packets: u64,
    bytes: u64,
}

/// TeamViewer at one host.
#[derive(Default)]
pub struct State {
    packets: u64,
    names: u32,
    uploaded: u64,
    downloaded: u64,
    /// The longest session: seconds, up, down.
    session: (f64, Sent, Sent),
    listed: Vec<Target>,
    targets: u64,
    ports: Vec<u64>,
    span: Option<(Time, Time)>,
}

impl Method for TeamViewer {
    const META: MethodMeta = MethodMeta {
        code: "TEAMVIEWER",
        slug: "teamviewer",
        family: "policy",
        title: "TeamViewer in use",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "A host holds TeamViewer sessions",
            rules: &[
                &[Clause::at_least("packets", "packets_min")],
                &[Clause::at_least("names", "one")],
            ],
            reason: "{source} uses TeamViewer with {targets} in {span}: {Activity} ({Probability} %), {uploaded} sent, {downloaded} received",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0011",
                technique: "T1219",
            }],
        }],
        priority: Priority::Low,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[(Protocol::Tls, Kind::Handshake)],
            fields: &["tls.sni"],
            ..Reads::ALL_FLOWS
        },
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "TeamViewer lets somebody elsewhere see and steer the screen: support that is wanted, or a fraud at the telephone.",
            basis: "Flows of inside hosts to port 5938 with packets both ways, and TLS to names of the program's session servers. Activity is guessed from the longest session: nearly nothing is waiting, large packets one way a file, mostly sent a shared screen, mostly received a watched one.",
            bias: "Sessions that go on directly between the two ends over UDP are seen as far as they use the port. Over 443 only the server's name counts. The activity is an estimate, its probability the share of the heavier side.",
            false_positives: "The program may run all day without being used: then it is told to be waiting.",
            response: "Ask whether support was called. Where it is not allowed, block the port and the program's domain.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        if key.responder_port == PORT
            && matches!(key.proto, proto::TCP | proto::UDP)
            && watched(params, key.initiator_ip, flow.initiator_inside)
            && flow.forward_total.packets > 0
            && flow.answered()
            && !is_group(key.responder_ip)
            && !(flow.protocol_by_content && flow.protocol.is_some())
        {
            cells.add(CellKey::initiator(key));
        }
    }

    fn cells_of_transaction(params: &Params, handshake: &Transaction, cells: &mut Cells) {
        let of_session =
            |name: &str| is_within(name, DOMAIN) && SERVERS.iter().any(|server| name.starts_with(server));
        if watched(params, handshake.key.initiator_ip, handshake.initiator_inside)
            && handshake.text("tls.sni").is_some_and(of_session)
        {
            cells.add(CellKey::initiator(&handshake.key));
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let (up, down) = (flow.forward, flow.reverse_or_zero());
        state.packets = state.packets.saturating_add(up.packets.min(down.packets));
        state.uploaded = state.uploaded.saturating_add(up.bytes);
        state.downloaded = state.downloaded.saturating_add(down.bytes);
        state.meet(
            flow.key.responder_ip,
            flow.key.responder_port,
            (flow.flow_start, flow.end),
        );
        let (up, down) = (flow.forward_total, flow.reverse_total_or_zero());
        if flow.duration_s() >= state.session.0 {
            let sent = |packets, bytes| Sent { packets, bytes };
            state.session = (
                flow.duration_s(),
                sent(up.packets, up.bytes),
                sent(down.packets, down.bytes),
            );
        }
    }

    fn on_transaction(_: &Params, state: &mut State, _: &CellKey, handshake: &Transaction) {
        let key = &handshake.key;
        state.names = state.names.saturating_add(1);
        state.meet(
            key.responder_ip,
            key.responder_port,
            (handshake.start, handshake.end),
        );
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some((first, last)) = state.span.filter(|_| out.due("General")) else {
            return;
        };
        let facts = Facts::new()
            .input("packets", Quantity::Count(state.packets))
            .input("names", Quantity::Count(state.names.into()))
            .input("uploaded", Quantity::Bytes(state.uploaded))
            .input("downloaded", Quantity::Bytes(state.downloaded))
            .limit("packets_min", Quantity::Count(params.packets_min))
            .limit("one", Quantity::Count(1));
        let Some(verdict) = out.judge("General", facts) else {
            return;
        };
        let (activity, share) = activity(state.session);
        let one = state.listed.first().filter(|_| state.targets == 1);
        verdict
            .targets(state.listed.clone(), state.targets)
            .span(first, last)
            .detail("PortList", Quantity::Counts(state.ports.clone()))
            .detail("Activity", Quantity::Text(activity.into()))
            .detail("Probability", Quantity::Ratio((share * 100.0).round()))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder: one.and_then(|target| target.ip),
                responder_port: (state.ports.len() == 1).then(|| state.ports[0] as u16),
                ..FlowFilter::default()
            });
    }
}

impl State {
    fn meet(&mut self, ip: IpAddr, port: u16, (start, end): (Time, Time)) {
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
        let target = Target::service(ip, port);
        // Past the list targets may be counted twice; a host has a handful.
        if !self.listed.contains(&target) {
            self.targets += 1;
            if self.listed.len() < TARGETS_LISTED_MAX {
                self.listed.push(target);
            }
        }
        if !self.ports.contains(&port.into()) && self.ports.len() < PORTS_LISTED_MAX {
            self.ports.push(port.into());
            self.ports.sort_unstable();
        }
    }
}

fn watched(params: &Params, host: IpAddr, inside: bool) -> bool {
    inside && (params.lan_filter.is_empty() || params.lan_filter.iter().any(|prefix| prefix.contains(&host)))
}

/// What the longest session looks like, and how sure that is, 0 to 1.
fn activity((lasted_s, up, down): (f64, Sent, Sent)) -> (&'static str, f64) {
    let whole = up.bytes.saturating_add(down.bytes);
    let rate = whole as f64 / lasted_s.max(1.0);
    if whole == 0 {
        return ("unknown, only the name was seen", 0.5);
    }
    if rate < WAITING_RATE {
        return ("waiting", 1.0 - rate / WAITING_RATE / 2.0);
    }
    let (heavier, shares) = if up.bytes >= down.bytes {
        (up, true)
    } else {
        (down, false)
    };
    let share = heavier.bytes as f64 / whole as f64;
    let large = heavier.bytes / heavier.packets.max(1) >= FILE_PACKET_BYTES;
    let words = match (large, shares, share < 0.65) {
        (_, _, true) => "both sides send: voice, video or a conference",
        (true, true, _) => "sends a file",
        (true, false, _) => "receives a file",
        (false, true, _) => "shares its screen",
        (false, false, _) => "watches a screen",
    };
    (words, share)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    #[test]
    fn sessions() {
        check::<TeamViewer>(
            "@0s 10.0.0.5 <> 203.0.113.9:5938 tcp APS 9MiB/12000 900KiB/9000 dur=400s
             @1s 10.0.0.6 <> 203.0.113.9:5938 tcp APS 9000/90 9000/90 dur=400s
             @2s 10.0.0.7 <> 203.0.113.9:5938 udp 900KiB/9000 90MiB/70000 dur=60s
             @3s tx tls/handshake 10.0.0.8 <> 203.0.113.9:443 tls.sni=router7.teamviewer.com",
            expect![[r#"
                TEAMVIEWER.General 50 % after 3 s, 2 findings, 1 targets: 10.0.0.8 uses TeamViewer with 203.0.113.9:443 in 0 s: unknown, only the name was seen (50 %), 0 B sent, 0 B received
                  names >= one; silent at names 1; src ip 10.0.0.8 and dst ip 203.0.113.9 and dst port 443
                TEAMVIEWER.General 100 % after 62 s, 2 findings, 1 targets: 10.0.0.7 uses TeamViewer with 203.0.113.9:5938 in 60 s: receives a file (99 %), 900 KiB sent, 90 MiB received
                  packets >= packets_min; silent at packets 10; src ip 10.0.0.7 and dst ip 203.0.113.9 and dst port 5938
                TEAMVIEWER.General 100 % after 400 s, 2 findings, 1 targets: 10.0.0.5 uses TeamViewer with 203.0.113.9:5938 in 6.67 min: shares its screen (91 %), 9 MiB sent, 900 KiB received
                  packets >= packets_min; silent at packets 10; src ip 10.0.0.5 and dst ip 203.0.113.9 and dst port 5938
                TEAMVIEWER.General 100 % after 401 s, 2 findings, 1 targets: 10.0.0.6 uses TeamViewer with 203.0.113.9:5938 in 6.67 min: waiting (99 %), 8.79 KiB sent, 8.79 KiB received
                  packets >= packets_min; silent at packets 10; src ip 10.0.0.6 and dst ip 203.0.113.9 and dst port 5938
            "#]],
        );
    }

    #[test]
    fn activities() {
        let sent = |packets, bytes| Sent { packets, bytes };
        let shown = |up, down| activity((100.0, up, down)).0;
        assert_eq!(
            shown(sent(9_000, 900_000), sent(9_000, 9_000_000)),
            "watches a screen"
        );
        assert_eq!(
            shown(sent(7_000, 9_000_000), sent(5_000, 300_000)),
            "sends a file"
        );
        assert_eq!(
            shown(sent(9_000, 4_000_000), sent(9_000, 4_000_000)),
            "both sides send: voice, video or a conference"
        );
    }

    /// Nine packets back, no answer, a visit of the shop, another program on the port, from outside, a filter.
    #[test]
    fn nothing_of_the_kind() {
        check::<TeamViewer>(
            "@0s 10.0.0.5 <> 203.0.113.9:5938 tcp APSF 9000/20 900/9
             @1s 10.0.0.6 > 203.0.113.9:5938 tcp S 180/3
             @2s tx tls/handshake 10.0.0.7 <> 203.0.113.9:443 tls.sni=www.teamviewer.com
             @3s tx tls/handshake 10.0.0.7 <> 203.0.113.9:443 tls.sni=router.notteamviewer.com
             @4s 10.0.0.8 <> 203.0.113.9:5938 tcp APSF 9000/20 9000/20 app=ssh
             @5s 203.0.113.9 <> 10.0.0.9:5938 tcp APSF 9000/20 9000/20",
            expect![[""]],
        );
        check_with::<TeamViewer>(
            r#"{"lan_filter": ["10.9.0.0/16"]}"#,
            "10.0.0.5 <> 203.0.113.9:5938 tcp APSF 9000/20 9000/20",
            expect![[""]],
        );
    }
}
