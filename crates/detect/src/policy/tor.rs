//! TOR: hosts inside that enter the Tor network, and its relays at our servers, told by the published addresses of the
//! relays. There is no list in the program, because it changes by the hour: the operator names one.

mod relays;

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Need, Priority, Quantity, Reads,
    Rule, Scope, SubmethodMeta, Target, Technique, Time, proto,
};

use crate::baseline::{Distinct, Top};
use crate::{CellKey, Cells, Findings, Method, Window};
use relays::Relays;

crate::params! {
    /// Relays as `address` or `address:port`, best as `{ file = "relays.txt" }` with one a line (any published relay
    /// or exit list). Empty: nothing is said.
    relays: Relays = Relays::default();
    /// Tries of inside hosts that came to nothing do not count.
    client_ignore_unsuc: bool = true;
    /// Tries of relays at our servers that came to nothing do not count.
    server_ignore_unsuc: bool = true;
    /// Hosts that are watched, as prefixes. Empty: all inside hosts.
    monitored_devices: Vec<IpNet> = Vec::new();
    /// Flows before anything is said. More is quieter.
    flows_min: u32 = 1, 1..=100_000;
}

/// Silence that ends an event, seconds.
const IDLE_S: u32 = 3_600;
const TARGETS_LISTED_MAX: usize = 16;
const CLIENT: u8 = 0;
const SERVER: u8 = 1;
const RULES: &[Rule] = &[&[Clause::at_least("flows", "flows_min")]];
const PROXY: &[Technique] = &[Technique {
    tactic: "TA0011",
    technique: "T1090.003",
}];

/// See the file.
pub struct Tor;

/// Flows of one host with relays, or of one relay with hosts.
#[derive(Default)]
pub struct State {
    flows: u32,
    answered: bool,
    uploaded: u64,
    downloaded: u64,
    peers: Distinct<TARGETS_LISTED_MAX>,
    listed: Vec<Target>,
    ports: Top<u16, 8>,
    span: Option<(Time, Time)>,
}

impl Method for Tor {
    const META: MethodMeta = MethodMeta {
        code: "TOR",
        slug: "tor",
        family: "policy",
        title: "Tor network",
        submethods: &[
            SubmethodMeta {
                name: "ClientDirectAccess",
                about: "A host inside contacts a Tor relay",
                rules: RULES,
                reason: "{source} contacted Tor relays ({targets}) with {flows} flows in {span}; {UploadedData} sent, {DownloadedData} received, answered: {Success}",
                needs: &[],
                techniques: PROXY,
            },
            SubmethodMeta {
                name: "ServerAccess",
                about: "A Tor relay contacts a server inside",
                rules: RULES,
                reason: "the Tor relay {source} contacted {targets} with {flows} flows in {span}; {UploadedData} sent, {DownloadedData} received, answered: {Success}",
                needs: &[],
                techniques: PROXY,
            },
        ],
        priority: Priority::Medium,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads::ENDED_FLOWS,
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "Tor hides who talks to whom: people use it for privacy, malware to reach its masters, attackers to come unseen.",
            basis: "Ended TCP and UDP flows between inside hosts and the addresses in relays; where the list names a port, only that port of the relay counts as its entrance.",
            bias: "Silent without a list, and the coverage report says so. Bridges are in no list and are not found. A relay's address counts for ServerAccess whatever its port, because exits choose ports freely; relays that are no exits also run ordinary programs.",
            false_positives: "Hosts that share an address with a relay; own relays.",
            response: "Find the program on the host. Refresh the list at least daily: a third of the relays changes within weeks.",
        },
    };
    type Params = Params;
    type State = State;

    fn unconfigured(params: &Params) -> Vec<(&'static str, Need)> {
        if !params.relays.is_empty() {
            return Vec::new();
        }
        let list = Need::Configured("a list of relays in methods.tor.relays");
        vec![("ClientDirectAccess", list), ("ServerAccess", list)]
    }

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        if params.relays.is_empty()
            || flow.initiator_inside == flow.responder_inside
            || !matches!(key.proto, proto::TCP | proto::UDP)
            || flow.forward_total.packets == 0
        {
            return;
        }
        let worked = match key.proto {
            proto::TCP => flow.established(),
            _ => flow.answered(),
        };
        let watched = |ip| {
            params.monitored_devices.is_empty()
                || params.monitored_devices.iter().any(|prefix| prefix.contains(&ip))
        };
        if flow.initiator_inside {
            if (worked || !params.client_ignore_unsuc)
                && params.relays.enters(key.responder_ip, key.responder_port)
                && watched(key.initiator_ip)
            {
                cells.add(CellKey::initiator(key).role(CLIENT));
            }
        } else if (worked || !params.server_ignore_unsuc)
            && params.relays.has(key.initiator_ip)
            && watched(key.responder_ip)
        {
            cells.add(CellKey::initiator(key).role(SERVER));
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let (first, last) = state.span.unwrap_or((flow.flow_start, flow.end));
        state.span = Some((first.min(flow.flow_start), last.max(flow.end)));
        state.flows = state.flows.saturating_add(1);
        state.answered |= flow.answered();
        state.uploaded = state.uploaded.saturating_add(flow.forward_total.bytes);
        state.downloaded = state
            .downloaded
            .saturating_add(flow.reverse_total_or_zero().bytes);
        state.ports.add(flow.key.responder_port, 1);
        let target = Target::service(flow.key.responder_ip, flow.key.responder_port);
        if state.peers.add(target) && state.listed.len() < TARGETS_LISTED_MAX {
            state.listed.push(target);
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let submethod = if cell.role == CLIENT {
            "ClientDirectAccess"
        } else {
            "ServerAccess"
        };
        let Some((first, last)) = state.span.filter(|_| out.due(submethod)) else {
            return;
        };
        let facts = Facts::new()
            .input("flows", Quantity::Count(state.flows.into()))
            .limit("flows_min", Quantity::Count(params.flows_min.into()));
        let Some(verdict) = out.judge(submethod, facts) else {
            return;
        };
        let mut ports: Vec<u64> = state
            .ports
            .heaviest()
            .iter()
            .map(|(port, _)| u64::from(*port))
            .collect();
        ports.sort_unstable();
        let one = state.listed.first().filter(|_| state.peers.count() == 1);
        verdict
            .targets(state.listed.clone(), state.peers.count())
            .span(first, last)
            .detail("Success", Quantity::Flag(state.answered))
            .detail("UploadedData", Quantity::Bytes(state.uploaded))
            .detail("DownloadedData", Quantity::Bytes(state.downloaded))
            .detail("TargetCount", Quantity::Count(state.peers.count()))
            .detail("PortList", Quantity::Counts(ports))
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

    const LIST: &str = r#"{"relays": ["198.51.100.7:9001", "198.51.100.8", "[2001:db8::9]:443"]}"#;

    #[test]
    fn a_client_and_an_exit() {
        check_with::<Tor>(
            LIST,
            "@0s 10.0.0.5 <> 198.51.100.7:9001 tcp APS 60KiB/120 900KiB/700 dur=60s
             @5s 10.0.0.5 <> 198.51.100.8:443 tcp APS 9000/30 20000/30 dur=9s
             @9s fd00::5 <> [2001:db8::9]:443 tcp APS 9000/30 20000/30 dur=9s
             @20s 198.51.100.7 <> 10.0.0.80:80 tcp APSF 900/8 9000/9 dur=1s",
            expect![[r#"
                TOR.ClientDirectAccess 100 % after 14 s, 2 findings, 2 targets: 10.0.0.5 contacted Tor relays (2 targets) with 2 flows in 60 s; 68.8 KiB sent, 920 KiB received, answered: yes
                  flows >= flows_min; silent at flows 1; src ip 10.0.0.5
                TOR.ClientDirectAccess 100 % after 18 s, 2 findings, 1 targets: fd00::5 contacted Tor relays ([2001:db8::9]:443) with 1 flows in 9 s; 8.79 KiB sent, 19.5 KiB received, answered: yes
                  flows >= flows_min; silent at flows 1; src ip fd00::5 and dst ip 2001:db8::9
                TOR.ServerAccess 100 % after 21 s, 2 findings, 1 targets: the Tor relay 198.51.100.7 contacted 10.0.0.80:80 with 1 flows in 1 s; 900 B sent, 8.79 KiB received, answered: yes
                  flows >= flows_min; silent at flows 1; src ip 198.51.100.7 and dst ip 10.0.0.80
            "#]],
        );
    }

    /// Another port of a relay, nobody answers, a host that is nobody's relay, both inside, and not watched.
    #[test]
    fn nothing_of_the_kind() {
        check_with::<Tor>(
            LIST,
            "@0s 10.0.0.5 <> 198.51.100.7:443 tcp APSF 9000/30 20000/30
             @1s 10.0.0.5 > 198.51.100.7:9001 tcp S 180/3
             @2s 10.0.0.5 <> 198.51.100.7:9001 tcp S/RA 60/1 40/1
             @3s 198.51.100.7 > 10.0.0.80:22 tcp S 60/1
             @4s 10.0.0.5 <> 203.0.113.9:9001 tcp APSF 9000/30 20000/30",
            expect![[""]],
        );
        check_with::<Tor>(
            r#"{"relays": ["198.51.100.8"], "monitored_devices": ["10.9.0.0/16"]}"#,
            "10.0.0.5 <> 198.51.100.8:443 tcp APSF 9000/30 20000/30",
            expect![[""]],
        );
        check_with::<Tor>(
            r#"{"relays": ["198.51.100.8"], "flows_min": 2}"#,
            "10.0.0.5 <> 198.51.100.8:443 tcp APSF 9000/30 20000/30",
            expect![[""]],
        );
    }

    #[test]
    fn without_a_list_it_says_so() {
        check::<Tor>(
            "10.0.0.5 <> 198.51.100.7:9001 tcp APSF 9000/30 20000/30",
            expect![[""]],
        );
        let instance = crate::testing::instance::<Tor>("{}");
        let missing: Vec<_> = instance
            .blind
            .iter()
            .map(|(submethod, needs)| format!("{submethod}: {}", needs[0].words()))
            .collect();
        assert_eq!(
            missing,
            [
                "ClientDirectAccess: a list of relays in methods.tor.relays",
                "ServerAccess: a list of relays in methods.tor.relays"
            ]
        );
        assert!(crate::testing::instance::<Tor>(LIST).blind.is_empty());
    }
}
