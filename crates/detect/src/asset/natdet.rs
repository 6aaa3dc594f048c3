//! NATDET: several systems behind one address, told by traits that one system has once: the size and window of its SYN,
//! its time to live, and the operating system its browsers name. The traits vote.

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Kind, Manual, Maturity, MethodMeta, NANOS_PER_S, Need, Priority,
    Protocol, Quantity, Reads, Scope, SubmethodMeta, Technique, Time, Transaction, proto,
};

use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Different sizes of SYN packets from which the trait agrees.
    distinct_syn_size: u32 = 2, 2..=6;
    /// Different times to live from which the trait agrees.
    distinct_ttl: u32 = 2, 2..=6;
    /// Different TCP windows in SYN packets from which the trait agrees.
    distinct_tcp_window: u32 = 2, 2..=6;
    /// Different operating systems in browsers' names from which the trait agrees.
    distinct_os: u32 = 2, 2..=6;
    /// Share of the four traits that must agree, per cent.
    minimal_probability_pct: f64 = 60.0, 25.0..=100.0;
    /// Times a value must be seen before it counts.
    seen_min: u32 = 3, 1..=100;
    /// Hosts that may be gateways, as prefixes.
    ignore: Vec<IpNet> = Vec::new();
}

/// Window, seconds: a machine that starts another system within it looks like two.
const WINDOW_S: u32 = 3_600;
/// One connection in so many is looked at. Behind a gateway there are plenty, and every connection of the feed would
/// otherwise cost a look.
const SAMPLE: u64 = 4;
/// Values told apart per trait; more say nothing more.
const VALUES_MAX: usize = 6;
/// Words in a browser's name and the system they stand for; the first that fits counts (an iPhone also says Mac).
const SYSTEMS: &[(&str, u16)] = &[
    ("Windows", 1),
    ("iPhone", 2),
    ("iPad", 2),
    ("Android", 3),
    ("Macintosh", 4),
    ("CrOS", 5),
    ("Linux", 6),
];
const TRAITS: f64 = 4.0;

/// See the file.
pub struct NatDetection;

/// Different values and how often each was seen.
#[derive(Default)]
struct Values {
    seen: [(u16, u16); VALUES_MAX],
}

impl Values {
    fn add(&mut self, value: u16) {
        let known = self
            .seen
            .iter_mut()
            .find(|(known, times)| *times == 0 || *known == value);
        if let Some((known, times)) = known {
            (*known, *times) = (value, times.saturating_add(1));
        }
    }

    fn count(&self, seen_min: u32) -> u64 {
        self.seen
            .iter()
            .filter(|(_, times)| u32::from(*times) >= seen_min)
            .count() as u64
    }
}

/// Traits of one address.
#[derive(Default)]
pub struct State {
    sizes: Values,
    ttls: Values,
    windows: Values,
    systems: Values,
    span: Option<(Time, Time)>,
}

impl Method for NatDetection {
    const META: MethodMeta = MethodMeta {
        code: "NATDET",
        slug: "natdet",
        family: "asset",
        title: "Several systems behind one address",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "Most traits show two or more systems behind one address",
            rules: &[&[Clause::at_least("agreeing", "minimal_probability")]],
            reason: "{source} hides {devices} systems or more; different in {span}: SYN sizes {syn_sizes}, times to live {ttls}, TCP windows {windows}, operating systems {systems}; agreeing traits: {agreeing} %",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0003",
                technique: "T1200",
            }],
        }],
        priority: Priority::Informational,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[(Protocol::Http, Kind::Request)],
            fields: &["http.user_agent"],
            ..Reads::ENDED_FLOWS
        },
        needs: &[Need::Packets],
        same_as: &[],
        manual: Manual {
            what: "A router or a hot spot that somebody brought hides devices nobody manages, and gives strangers a way in.",
            basis: "Established TCP connections of inside hosts to the outside, one in four: size and window of the SYN, time to live; and the system that browsers name in clear requests. A value counts once it was seen seen_min times.",
            bias: "Connections that were not established do not count, so that scanners with made packets do not look like many. Without clear HTTP three traits are left, and all must agree. Gateways that rewrite every packet are not found.",
            false_positives: "A machine with virtual machines behind it, which is the same thing; a machine that starts another system within the hour; known gateways: put them into ignore.",
            response: "Look for the device at the switch port.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(WINDOW_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        if flow.syn_bytes > 0
            && flow.id.0.is_multiple_of(SAMPLE)
            && flow.key.proto == proto::TCP
            && flow.initiator_inside
            && !flow.responder_inside
            && flow.established()
            && !ignored(params, flow.key.initiator_ip)
        {
            cells.add(CellKey::initiator(&flow.key));
        }
    }

    fn cells_of_transaction(params: &Params, request: &Transaction, cells: &mut Cells) {
        let key = &request.key;
        if request.initiator_inside
            && !request.responder_inside
            && system(request).is_some()
            && !ignored(params, key.initiator_ip)
        {
            cells.add(CellKey::initiator(key));
        }
    }

    fn breaks(_: &Params, state: &State, start: Time) -> bool {
        state
            .span
            .is_some_and(|(first, _)| start.since(first) > i64::from(WINDOW_S) * NANOS_PER_S)
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        state.reach(flow.flow_start, flow.end);
        state.sizes.add(flow.syn_bytes);
        state.windows.add(flow.syn_window);
        state.ttls.add(flow.forward_ttl.into());
    }

    fn on_transaction(_: &Params, state: &mut State, _: &CellKey, request: &Transaction) {
        state.reach(request.start, request.end);
        if let Some(system) = system(request) {
            state.systems.add(system);
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let ttls = state.ttls.count(params.seen_min);
        let sizes = state.sizes.count(params.seen_min);
        let systems = state.systems.count(params.seen_min);
        // One trait alone never suffices.
        if ttls.max(sizes).max(systems) < 2 || !out.due("General") {
            return;
        }
        let windows = state.windows.count(params.seen_min);
        let agree = [
            sizes >= params.distinct_syn_size.into(),
            ttls >= params.distinct_ttl.into(),
            windows >= params.distinct_tcp_window.into(),
            systems >= params.distinct_os.into(),
        ];
        let agreeing = agree.iter().filter(|agrees| **agrees).count() as f64 / TRAITS * 100.0;
        let devices = sizes.max(ttls).max(systems);
        let facts = Facts::new()
            .input("agreeing", Quantity::Ratio(agreeing))
            .input("devices", Quantity::Count(devices))
            .input("syn_sizes", Quantity::Count(sizes))
            .input("ttls", Quantity::Count(ttls))
            .input("windows", Quantity::Count(windows))
            .input("systems", Quantity::Count(systems))
            .limit(
                "minimal_probability",
                Quantity::Ratio(params.minimal_probability_pct),
            );
        let Some((first, last)) = state.span else { return };
        if let Some(verdict) = out.judge("General", facts) {
            verdict
                .span(first, last)
                .detail("DistinctSYNSize", Quantity::Count(sizes))
                .detail("DistinctTTL", Quantity::Count(ttls))
                .detail("DistinctTCPWindow", Quantity::Count(windows))
                .detail("DistinctOS", Quantity::Count(systems))
                .detail("DeviceCount", Quantity::Count(devices))
                .detail("Probability", Quantity::Ratio(agreeing))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    proto: Some(proto::TCP),
                    ..FlowFilter::default()
                });
        }
    }
}

impl State {
    fn reach(&mut self, start: Time, end: Time) {
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
    }
}

fn ignored(params: &Params, host: std::net::IpAddr) -> bool {
    params.ignore.iter().any(|prefix| prefix.contains(&host))
}

/// The operating system a browser names.
fn system(request: &Transaction) -> Option<u16> {
    let agent = request.text("http.user_agent")?;
    SYSTEMS
        .iter()
        .find(|(word, _)| agent.contains(word))
        .map(|(_, system)| *system)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    const WINDOWS: &str =
        "@0s every 1s x60 192.168.1.5 <> 203.0.113.{1..60}:443 tcp APSF 900/9 9000/9 ttl=127 syn=52/64240\n";
    const PHONE: &str =
        "@0s every 1s x60 192.168.1.5 <> 198.51.100.{1..60}:443 tcp APSF 900/9 9000/9 ttl=63 syn=60/65535\n";

    #[test]
    fn two_systems() {
        check::<NatDetection>(
            &format!("{WINDOWS}{PHONE}"),
            expect![[r#"
            NATDET.General 63 % after 21 s, 2 findings, 0 targets: 192.168.1.5 hides 2 systems or more; different in 58 s: SYN sizes 2, times to live 2, TCP windows 2, operating systems 0; agreeing traits: 75 %
              agreeing >= minimal_probability; silent at agreeing 60; src ip 192.168.1.5 and proto tcp
        "#]],
        );
    }

    /// Browsers speak up where the SYNs are alike.
    #[test]
    fn by_what_browsers_say() {
        check::<NatDetection>(
            "@0s every 1s x60 192.168.1.5 <> 203.0.113.{1..60}:443 tcp APSF 900/9 9000/9 ttl={63,127} syn={60,52}/64240
             @1s tx http/request every 1s x8 192.168.1.5 <> 203.0.113.9:80 http.user_agent=Mozilla/5.0({Windows,Android})",
            expect![[r#"
                NATDET.General 63 % after 9 s, 2 findings, 0 targets: 192.168.1.5 hides 2 systems or more; different in 58 s: SYN sizes 2, times to live 2, TCP windows 1, operating systems 2; agreeing traits: 75 %
                  agreeing >= minimal_probability; silent at agreeing 60; src ip 192.168.1.5 and proto tcp
            "#]],
        );
    }

    /// One system; two that differ in two traits; a scanner's made packets; known gateways; a value seen now and then.
    #[test]
    fn below_the_limits() {
        check::<NatDetection>(WINDOWS, expect![[""]]);
        check::<NatDetection>(
            &format!("{WINDOWS}{}", PHONE.replace("60/65535", "60/64240")),
            expect![[""]],
        );
        check::<NatDetection>(
            "@0s every 1s x200 192.168.1.5 <> 203.0.113.{1..60}:443 tcp S/RA ttl={40..60} syn=44/{1024,2048,3072,4096}",
            expect![[""]],
        );
        check_with::<NatDetection>(
            r#"{"ignore": ["192.168.1.5/32"]}"#,
            &format!("{WINDOWS}{PHONE}"),
            expect![[""]],
        );
        check_with::<NatDetection>(
            r#"{"seen_min": 100}"#,
            &format!("{WINDOWS}{PHONE}"),
            expect![[""]],
        );
    }
}
