//! OTCLANOM: an interval of a master and its outstation is unlike any group of intervals that was learned.

use serde::{Deserialize, Serialize};
use weir_model::{
    Clause, Facts, Kind, Mac, Manual, Maturity, MethodMeta, Need, Priority, Protocol, Quantity, Reads, Rule,
    Scope, SubmethodMeta, Technique, Time, Transaction,
};

use super::clusters::{Clusters, Nearest};
use super::features::{FAMILIES, Tally, role};
use super::learning::{Held, Season};
use crate::{CellKey, Cells, Findings, Learned, Method, Window};

crate::params! {
    /// Hours a pair is learned before anything is said. Learn anew after devices were added: forget the learned state.
    learning_duration_h: u32 = 24, 1..=720;
    /// Radii of the nearest group an interval may lie away from it. More is quieter.
    tolerance: f64 = 3.0, 1.0..=10.0;
}

const BIN_S: u32 = 300;
/// A pair that is silent for longer is learned anew, seconds.
const IDLE_S: u32 = 2_592_000;

/// See the file.
pub struct OtClusters;

/// An interval that fits no group.
#[derive(Clone, Serialize, Deserialize)]
struct Outlier {
    nearest: Nearest,
    value: f64,
    messages: u64,
    span: (Time, Time),
    port: u16,
}

/// A pair in one protocol.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    season: Season,
    now: Tally,
    span: Option<(Time, Time)>,
    held: Held<(Tally, (Time, Time))>,
    port: u16,
    clusters: Clusters,
    outlier: Option<Outlier>,
}

const RULES: &[Rule] = &[&[
    Clause::above("distance", "distance_max"),
    Clause::at_least("known_h", "learning_duration_h"),
]];

const TECHNIQUES: &[Technique] = &[Technique {
    tactic: "TA0106",
    technique: "T0836",
}];

const fn submethod(name: &'static str, about: &'static str) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: RULES,
        reason: "{source} and {target}, known for {known_h} hours, differ from every group of intervals that was learned: \
                 {metric} {value} where {usual} is usual ({messages} messages in {span})",
        needs: &[],
        techniques: TECHNIQUES,
    }
}

impl Method for OtClusters {
    const META: MethodMeta = MethodMeta {
        code: "OTCLANOM",
        slug: "otclanom",
        family: "ot",
        title: "Unusual traffic in a control network",
        submethods: &[
            submethod(
                "Modbus",
                "Five minutes of Modbus between two hosts fit no group that was learned.",
            ),
            submethod(
                "DNP3",
                "Five minutes of DNP3 between two hosts fit no group that was learned.",
            ),
            submethod(
                "IEC104",
                "Five minutes of IEC 60870-5-104 between two hosts fit no group that was learned.",
            ),
            submethod(
                "GOOSE",
                "Five minutes of a device's GOOSE messages (IEC 61850) to a group fit no group of intervals that was \
                 learned.",
            ),
        ],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Pair,
        reads: Reads {
            transactions: &[
                (Protocol::Modbus, Kind::Request),
                (Protocol::Dnp3, Kind::Request),
                (Protocol::Iec104, Kind::Request),
                (Protocol::Goose, Kind::Request),
            ],
            fields: &[
                "modbus.class",
                "modbus.exception",
                "modbus.request_bytes",
                "modbus.response_bytes",
                "dnp3.class",
                "dnp3.iin",
                "dnp3.request_bytes",
                "dnp3.response_bytes",
                "iec104.frame",
                "iec104.sender",
                "iec104.type",
                "iec104.cause",
                "iec104.negative",
                "iec104.objects",
                "iec104.bytes",
                "goose.sequence",
                "goose.test",
                "goose.bytes",
            ],
            ..Reads::NOTHING
        },
        needs: &[Need::Payload, Need::Unsampled],
        same_as: &["OTPAANOM", "OTSMANOM"],
        manual: Manual {
            what: "Machines talk like machines: the same questions at the same pace. New kinds of commands, other amounts \
                   or errors mean a changed programme, a fault, or a hand that does not belong there.",
            basis: "For each pair and protocol, intervals of five minutes: requests, answers, bytes, time to answer, \
                    messages by class (read, write, control, diagnostic ...), errors; of GOOSE messages number and size, \
                    least, most and mean, changes of state, tests. While a pair is learned its \
                    intervals form up to eight groups (sequential k-means over logarithms); afterwards an interval is \
                    judged by its distance to the nearest group in radii of that group.",
            bias: "Silent for learning_duration_h hours and twelve intervals. An interval is judged when the next one is over; beside \
                   a silent one only more than usual counts, and silence itself is not judged. What was \
                   going on while learning counts as usual, also an attack. Nothing is learned afterwards.",
            false_positives: "A fault in the grid makes GOOSE change its state as an attack does. Maintenance, a new recipe, a device that was added: learn anew.",
            response: "Look at the metric: a new kind of command is more than a slow answer. See OTPAANOM for the order \
                       of messages, and ask whoever runs the plant.",
        },
    };
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(BIN_S)
    }

    fn cells_of_transaction(_: &Params, transaction: &Transaction, cells: &mut Cells) {
        if let Some(role) = role(transaction) {
            cells.add(CellKey::pair(&transaction.key).role(role));
        }
    }

    fn on_transaction(_: &Params, state: &mut State, cell: &CellKey, transaction: &Transaction) {
        let Some(family) = FAMILIES.get(usize::from(cell.role)) else {
            return;
        };
        state.season.see(transaction.start);
        state.now.take(family, transaction);
        let (first, last) = state.span.unwrap_or((transaction.start, transaction.end));
        state.span = Some((first.min(transaction.start), last.max(transaction.end)));
        state.port = transaction.key.responder_port;
    }

    fn on_tick(params: &Params, state: &mut State, cell: &CellKey, now: Time) {
        state.outlier = None;
        let Some(family) = FAMILIES.get(usize::from(cell.role)) else {
            return;
        };
        let tally = std::mem::take(&mut state.now);
        let interval = state.span.take().map(|span| (tally, span));
        let Some(((tally, span), inner)) = state.held.pass(interval) else {
            return;
        };
        let values = tally.values(family);
        if !state.season.over(now, params.learning_duration_h) {
            state.season.intervals += 1;
            state.clusters.learn(&values);
            return;
        }
        state.outlier = state.clusters.nearest(&values, inner).and_then(|nearest| {
            let far = nearest.distance > params.tolerance * nearest.radius;
            far.then(|| Outlier {
                nearest,
                value: values[nearest.feature],
                messages: tally.messages,
                span,
                port: state.port,
            })
        });
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let (Some(outlier), Some(family)) = (&state.outlier, FAMILIES.get(usize::from(cell.role))) else {
            return;
        };
        if !out.due(family.submethod) {
            return;
        }
        let Nearest {
            distance,
            radius,
            feature,
            usual,
        } = outlier.nearest;
        let metric = family.features.get(feature).copied().unwrap_or_default();
        let known_h = state.season.hours(outlier.span.1);
        let facts = Facts::new()
            .input("distance", Quantity::Ratio(distance))
            .input("known_h", Quantity::Ratio(known_h))
            .input("metric", Quantity::Text(metric.into()))
            .input("value", Quantity::Ratio(outlier.value))
            .input("messages", Quantity::Count(outlier.messages))
            .limit("distance_max", Quantity::Ratio(params.tolerance * radius))
            .limit(
                "learning_duration_h",
                Quantity::Count(params.learning_duration_h.into()),
            )
            .baseline("usual", Quantity::Ratio(usual))
            .baseline("groups", Quantity::Count(state.clusters.len() as u64));
        if let (Some(peer), Some(verdict)) = (cell.peer, out.judge(family.submethod, facts)) {
            verdict
                .source_mac(Mac::of_link_local(cell.host).filter(|_| family.protocol == Protocol::Goose))
                .target(super::target(peer, outlier.port))
                .span(outlier.span.0, outlier.span.1)
                .detail("Measure", Quantity::Text(metric.into()))
                .detail("CurrentValue", Quantity::Ratio(outlier.value))
                .detail("ComparedValue", Quantity::Ratio(usual))
                .detail("PortList", Quantity::Counts(vec![outlier.port.into()]))
                .evidence(super::evidence(cell.host, peer, family.protocol));
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    /// Thirty hours of polling each second minute, then what comes.
    fn polled_then(line: &str) -> String {
        format!(
            "@1s tx modbus/request every 10s x10800 10.0.0.5 <> 10.0.0.9:502 dur=20ms outcome=accepted modbus.class=read modbus.request_bytes=12 modbus.response_bytes={{29,29,31}}
             @30h {line}"
        )
    }

    const WRITES: &str = "tx modbus/request every 20s x5 10.0.0.5 <> 10.0.0.9:502 dur=20ms outcome=accepted modbus.class=write modbus.request_bytes=12 modbus.response_bytes=12
        @30h tx modbus/request every 10s x90 10.0.0.5 <> 10.0.0.9:502 dur=20ms outcome=accepted modbus.class=read modbus.request_bytes=12 modbus.response_bytes=29";

    #[test]
    fn a_new_kind_of_command() {
        check::<OtClusters>(
            &polled_then(WRITES),
            expect![[r#"
                OTCLANOM.Modbus 83 % after 108600 s, 2 findings, 1 targets: 10.0.0.5 and 10.0.0.9:502, known for 30.1 hours, differ from every group of intervals that was learned: write 5 where 0 is usual (35 messages in 4.83 min)
                  distance > distance_max and known_h >= learning_duration_h; silent at distance 1.05, known_h 24; src ip 10.0.0.5 and dst ip 10.0.0.9 and app modbus
            "#]],
        );
    }

    #[test]
    fn dnp3_restarts() {
        check_with::<OtClusters>(
            r#"{"learning_duration_h":2}"#,
            "@1s tx dnp3/request every 5s x1700 10.0.0.5 <> 10.0.0.9:20000 dur=50ms outcome=accepted dnp3.class=read dnp3.request_bytes=20 dnp3.response_bytes=120
             @2h tx dnp3/request every 60s x6 10.0.0.5 <> 10.0.0.9:20000 dur=50ms outcome=accepted dnp3.class=control dnp3.request_bytes=30 dnp3.response_bytes=30",
            expect![[r#"
                OTCLANOM.DNP3 83 % after 7801 s, 2 findings, 1 targets: 10.0.0.5 and 10.0.0.9:20000, known for 2.08 hours, differ from every group of intervals that was learned: control 5 where 0 is usual (65 messages in 4.93 min)
                  distance > distance_max and known_h >= learning_duration_h; silent at distance 1.05, known_h 2; src ip 10.0.0.5 and dst ip 10.0.0.9 and app dnp3
            "#]],
        );
    }

    #[test]
    fn iec104_interrogations() {
        check_with::<OtClusters>(
            r#"{"learning_duration_h":2}"#,
            "@1s tx iec104/request every 5s x1700 10.0.0.5 <> 10.0.0.9:2404 iec104.frame=I iec104.sender=10.0.0.9 iec104.type=13 iec104.cause=3 iec104.objects=1 iec104.bytes=20
             @2h tx iec104/request every 20s x15 10.0.0.5 <> 10.0.0.9:2404 iec104.frame=I iec104.sender=10.0.0.5 iec104.type=45 iec104.cause=6 iec104.objects=1 iec104.bytes=16",
            expect![[r#"
                OTCLANOM.IEC104 100 % after 7801 s, 2 findings, 1 targets: 10.0.0.5 and 10.0.0.9:2404, known for 2.08 hours, differ from every group of intervals that was learned: bytes of the master 240 where 0 is usual (75 messages in 4.93 min)
                  distance > distance_max and known_h >= learning_duration_h; silent at distance 1.05, known_h 2; src ip 10.0.0.5 and dst ip 10.0.0.9 and app iec104
            "#]],
        );
    }

    const GOOSE: &str =
        "fe80::216:3eff:fe01:203 > fe80::30c:cdff:fe01:1 flow=1 goose.bytes={148,150,152} goose.sequence";

    /// A device that sends each second second; somebody sends changes of state in its name, then only one.
    #[test]
    fn goose_changes_of_state() {
        let short = r#"{"learning_duration_h":2}"#;
        let steady = format!("@1s tx goose/request every 2s x4200 {GOOSE}=7\n@125min tx goose/request ");
        check_with::<OtClusters>(
            short,
            &format!("{steady} every 4ms x60 {GOOSE}=0"),
            expect![[r#"
                OTCLANOM.GOOSE 100 % after 8101 s, 2 findings, 1 targets: fe80::216:3eff:fe01:203 and fe80::30c:cdff:fe01:1, known for 2.17 hours, differ from every group of intervals that was learned: changes of state 60 where 0 is usual (210 messages in 4.98 min)
                  distance > distance_max and known_h >= learning_duration_h; silent at distance 1.05, known_h 2; src mac 00:16:3e:01:02:03 and app goose
            "#]],
        );
        check_with::<OtClusters>(short, &format!("{steady} x1 {GOOSE}=0"), expect![[""]]);
        check_with::<OtClusters>(
            short,
            &format!("@1s tx goose/request every 2s x4200 {GOOSE}=7"),
            expect![[""]],
        );
    }

    /// One write; within the season; a pair of which nothing is known; twice the tolerance; a pause.
    #[test]
    fn below_the_limits() {
        check::<OtClusters>(&polled_then(&WRITES.replace("x5", "x1")), expect![[""]]);
        check::<OtClusters>(
            &polled_then(WRITES)
                .replace("@30h", "@20h")
                .replace("x10800", "x7200"),
            expect![[""]],
        );
        check::<OtClusters>(&WRITES.replace("@30h", "@0s"), expect![[""]]);
        check_with::<OtClusters>(r#"{"tolerance":10}"#, &polled_then(WRITES), expect![[""]]);
        check::<OtClusters>(
            &polled_then(
                "@31h tx modbus/request every 10s x120 10.0.0.5 <> 10.0.0.9:502 dur=20ms outcome=accepted modbus.class=read modbus.request_bytes=12 modbus.response_bytes=29",
            ),
            expect![[""]],
        );
    }
}
