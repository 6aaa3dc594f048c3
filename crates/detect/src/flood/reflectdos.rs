//! REFLECTDOS: an own server answers small questions with very much, to an outside host that most likely never asked:
//! it is misused as an amplifier. The server is the source of the event, since it is ours to repair; the victim its target.

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Need, Phase, Priority, Quantity,
    Reads, Scope, SubmethodMeta, Target, Technique, Time, proto,
};

use crate::address::is_group;
use crate::baseline::Sliding;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Bytes answered per byte asked from which a service amplifies. Ordinary DNS stays below 5, signed zones below 10.
    ratio_min: f64 = 10.0, 2.0..=100_000.0;
    /// Bytes one server sends to one client within an hour before it is reported, MiB.
    replies_min_mib: u64 = 10, 1..=1_000_000;
    /// Mean size of a question, bytes of IP, above which somebody really works with the service: forged questions are
    /// small, or they would not pay.
    question_max: u64 = 300, 60..=1500;
    /// Ports of UDP services that are watched.
    ports: Vec<u16> = PORTS.iter().map(|(port, _)| *port).collect();
    /// Watch clients inside too. Finds the misuse of a server against a neighbour, and reports large caches.
    inside_clients: bool = false;
    /// Own servers that may amplify, as prefixes.
    exclude_servers: Vec<IpNet> = Vec::new();
}

/// Services that answer with much for little (CISA TA14-017A and later finds). SNMP and mDNS stay out: the first is
/// walked by management stations for hours, the second is for the link.
const PORTS: &[(u16, &str)] = &[
    (17, "QOTD"),
    (19, "CharGEN"),
    (53, "DNS"),
    (69, "TFTP"),
    (111, "portmap"),
    (123, "NTP"),
    (389, "CLDAP"),
    (427, "SLP"),
    (1900, "SSDP"),
    (3702, "WS-Discovery"),
    (5683, "CoAP"),
    (11211, "memcached"),
];
const MIB: u64 = 1 << 20;
/// The hour is kept in intervals of five minutes.
const BIN_S: i64 = 300;
const BINS: usize = 12;
const IDLE_S: u32 = 3_600;

/// See the file.
pub struct Reflection;

/// An hour of one server's service with one client.
#[derive(Default)]
pub struct State {
    asked: Sliding<BINS>,
    questions: Sliding<BINS>,
    answered: Sliding<BINS>,
    flows: u64,
    span: Option<(Time, Time)>,
}

impl Method for Reflection {
    const META: MethodMeta = MethodMeta {
        code: "REFLECTDOS",
        slug: "reflectdos",
        family: "flood",
        title: "Own server misused as an amplifier",
        submethods: &[SubmethodMeta {
            name: "Amplification",
            about: "A service of ours answers small questions of one outside address with a multiple of their size, in bulk",
            rules: &[&[
                Clause::at_least("answered", "replies_min"),
                Clause::at_least("ratio", "ratio_min"),
                Clause::at_most("question", "question_max"),
            ]],
            reason: "{source} answered {Service} questions of {asked} with {answered} ({ratio} times as much) to {target} in {span}",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0040",
                technique: "T1498.002",
            }],
        }],
        priority: Priority::Critical,
        maturity: Maturity::Preview,
        scope: Scope::Service,
        reads: Reads::ALL_FLOWS,
        needs: &[Need::BothDirections],
        same_as: &["DOS.Volumetric"],
        manual: Manual {
            what: "Somebody sends questions under the address of a victim to a server of ours, and the server's far larger answers flood the victim. We harm others, and our line is full.",
            basis: "UDP flows to amplifying services of inside servers, per server, outside client and port over an hour: bytes answered, bytes answered per byte asked, mean size of a question.",
            bias: "Silent in doubt: unasked answers (no question seen) and TCP are left out, for they are no misuse that a forged question can bring; so are inside clients unless inside_clients is set. A TFTP server that answers from another port, as RFC 1350 wants it, is not seen. Inside means the configured or guessed networks.",
            false_positives: "A resolver outside that draws a very large signed zone; a cache on port 11211 that is meant to be used from outside over UDP.",
            response: "Close the service to the outside or limit its rate (DNS response rate limiting, NTP without monlist, memcached without UDP). The victim's name helps its operator.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let excluded = |prefixes: &[IpNet]| prefixes.iter().any(|prefix| prefix.contains(&key.responder_ip));
        if key.proto == proto::UDP
            && flow.responder_inside
            && (params.inside_clients || !flow.initiator_inside)
            && params.ports.contains(&key.responder_port)
            && flow.forward_total.packets > 0
            && flow.answered()
            && !is_group(key.initiator_ip)
            && !is_group(key.responder_ip)
            && !excluded(&params.exclude_servers)
        {
            cells.add(CellKey {
                peer: Some(key.initiator_ip),
                port: key.responder_port,
                ..CellKey::responder(key)
            });
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let reverse = flow.reverse_or_zero();
        state.answered.advance(flow.end, BIN_S);
        if state.answered.sum() == 0 {
            (state.span, state.flows) = (None, 0);
        }
        state.asked.add(flow.end, BIN_S, flow.forward.bytes);
        state.questions.add(flow.end, BIN_S, flow.forward.packets);
        state.answered.add(flow.end, BIN_S, reverse.bytes);
        state.flows += u64::from(flow.phase == Phase::End);
        let (first, last) = state.span.unwrap_or((flow.start, flow.end));
        state.span = Some((first.min(flow.start), last.max(flow.end)));
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let (asked, answered) = (state.asked.sum(), state.answered.sum());
        if answered < params.replies_min_mib * MIB || !out.due("Amplification") {
            return;
        }
        let facts = Facts::new()
            .input("answered", Quantity::Bytes(answered))
            .input("asked", Quantity::Bytes(asked))
            .input("ratio", Quantity::Ratio(answered as f64 / asked.max(1) as f64))
            .input("question", Quantity::Bytes(asked / state.questions.sum().max(1)))
            .limit("replies_min", Quantity::Bytes(params.replies_min_mib * MIB))
            .limit("ratio_min", Quantity::Ratio(params.ratio_min))
            .limit("question_max", Quantity::Bytes(params.question_max));
        let (Some((first, last)), Some(client)) = (state.span, cell.peer) else {
            return;
        };
        let Some(verdict) = out.judge("Amplification", facts) else {
            return;
        };
        verdict
            .target(Target::ip(client))
            .span(first, last)
            .detail("Service", Quantity::Text(service(cell.port).into()))
            .detail("UploadedData", Quantity::Bytes(answered))
            .detail("DownloadedData", Quantity::Bytes(asked))
            .detail("FlowCount", Quantity::Count(state.flows.max(1)))
            .detail("PortList", Quantity::Counts(vec![cell.port.into()]))
            .evidence(FlowFilter {
                initiator: Some(client),
                responder: Some(cell.host),
                responder_port: Some(cell.port),
                proto: Some(proto::UDP),
                ..FlowFilter::default()
            });
    }
}

fn service(port: u16) -> &'static str {
    let known = PORTS.iter().find(|(known, _)| *known == port);
    known.map_or("other", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    /// Forged questions for the list of an NTP server, and one long flow to a resolver.
    #[test]
    fn own_servers_amplify() {
        check::<Reflection>(
            "@0s every 100ms x300 198.51.100.9 <> 10.0.0.8:123 udp 36/1 45000/100
             @0s every 5min x3 198.51.100.9:5353 <> 10.0.0.1:53 udp 70000/1000 4MiB/3000 phase=update dur=5min",
            expect![[r#"
                REFLECTDOS.Amplification 65 % after 23 s, 2 findings, 1 targets: 10.0.0.8 answered NTP questions of 10.5 KiB with 12.9 MiB (1250 times as much) to 198.51.100.9 in 29.9 s
                  answered >= replies_min and ratio >= ratio_min and question <= question_max; silent at answered 10 MiB, ratio 10, question 300 B; src ip 198.51.100.9 and dst ip 10.0.0.8 and proto udp and dst port 123
                REFLECTDOS.Amplification 61 % after 900 s, 2 findings, 1 targets: 10.0.0.1 answered DNS questions of 205 KiB with 12 MiB (59.9 times as much) to 198.51.100.9 in 15 min
                  answered >= replies_min and ratio >= ratio_min and question <= question_max; silent at answered 10 MiB, ratio 10, question 300 B; src ip 198.51.100.9 and dst ip 10.0.0.1 and proto udp and dst port 53
            "#]],
        );
    }

    /// Just below each limit: 9.9 MiB, a ratio of 9.9, large questions.
    #[test]
    fn below_the_limits() {
        check::<Reflection>(
            "@0s x99 198.51.100.9 <> 10.0.0.8:123 udp 76/1 104857/234
             @0s x100 198.51.100.10 <> 10.0.0.8:389 udp 20000/100 198000/150
             @0s x100 198.51.100.11 <> 10.0.0.8:11211 udp 4000/10 1MiB/800",
            expect![[""]],
        );
    }

    /// A busy name server, a client inside that fills its cache, our own questions to an outside server, a boot image.
    #[test]
    fn ordinary_service() {
        let text = "@0s every 10ms x60000 198.51.100.{1..9} <> 10.0.0.1:53 udp 75/1 400~50%/1
             @0s 10.0.0.5 <> 10.0.0.9:11211 udp 40000/400 40MiB/30000 dur=60s
             @0s 10.0.0.5 <> 203.0.113.53:53 udp 40000/400 40MiB/30000 dur=60s
             @0s 10.0.0.6 > 10.0.0.2:69 udp 60/1
             @1s 10.0.0.2:33000 <> 10.0.0.6:2000 udp 60MiB/50000 2MiB/50000 dur=60s";
        check::<Reflection>(text, expect![[""]]);
        check_with::<Reflection>(
            r#"{"inside_clients": true}"#,
            text,
            expect![[r#"
            REFLECTDOS.Amplification 100 % after 60 s, 2 findings, 1 targets: 10.0.0.9 answered memcached questions of 39.1 KiB with 40 MiB (1049 times as much) to 10.0.0.5 in 60 s
              answered >= replies_min and ratio >= ratio_min and question <= question_max; silent at answered 10 MiB, ratio 10, question 300 B; src ip 10.0.0.5 and dst ip 10.0.0.9 and proto udp and dst port 11211
        "#]],
        );
    }
}
