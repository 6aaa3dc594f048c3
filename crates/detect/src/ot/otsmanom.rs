//! OTSMANOM: a master or an outstation leaves the range in which its traffic stayed while it was learned. A plain envelope
//! of least and greatest values, easy to check by hand.

use std::collections::VecDeque;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{
    Clause, Facts, Kind, Mac, Manual, Maturity, MethodMeta, Need, Priority, Protocol, Quantity, Reads, Rule,
    Scope, SubmethodMeta, Technique, Time, Transaction,
};

use super::learning::{Held, Season};
use crate::{CellKey, Cells, Findings, Learned, Method, Window};

crate::params! {
    /// Hours a pair is learned before anything is said.
    learning_duration_h: u32 = 24, 1..=720;
    /// How far beyond the learned range a value may go: 1 is the range itself, 2 as much again on either side.
    tolerance: f64 = 3.0, 1.0..=10.0;
    /// Intervals of five minutes whose mean is judged. More is calmer and slower.
    mean_count: u32 = 3, 1..=48;
    /// Masters that are watched, as prefixes. Empty: all.
    monitored_masters: Vec<IpNet> = Vec::new();
}

const BIN_S: u32 = 300;
/// A pair that is silent for longer is learned anew, seconds.
const IDLE_S: u32 = 2_592_000;
/// The least width a range is taken for, as a share of its greatest value: steady machines differ that much.
const WIDTH_MIN: f64 = 0.1;

/// Values measured of an interval.
const VALUES: usize = 6;

/// A protocol, and what is measured of it.
struct Family {
    submethod: &'static str,
    protocol: Protocol,
    values: [&'static str; VALUES],
}

/// The protocols, by role of cells.
const FAMILIES: [Family; 2] = [
    Family {
        submethod: "IEC104",
        protocol: Protocol::Iec104,
        values: [
            "messages of the master",
            "messages of the outstation",
            "bytes of the master",
            "bytes of the outstation",
            "objects of the master",
            "objects of the outstation",
        ],
    },
    Family {
        submethod: "GOOSE",
        protocol: Protocol::Goose,
        values: [
            "messages",
            "bytes",
            "entries of data sets",
            "changes of state",
            "messages marked as a test",
            "messages that need commissioning",
        ],
    },
];

/// See the file.
pub struct OtEnvelope;

/// A value beyond its range.
#[derive(Clone, Serialize, Deserialize)]
struct Outlier {
    value: usize,
    actual: f64,
    range: (f64, f64),
    /// What tolerance allows.
    allowed: (f64, f64),
    span: (Time, Time),
}

impl Outlier {
    /// How far beyond what is allowed, on the side it left.
    fn excess(&self) -> f64 {
        (self.actual - self.allowed.1).max(self.allowed.0 - self.actual)
    }
}

/// One pair.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    season: Season,
    now: [f64; VALUES],
    span: Option<(Time, Time)>,
    held: Held<([f64; VALUES], (Time, Time))>,
    /// The last intervals, at most `mean_count`.
    recent: VecDeque<[f64; VALUES]>,
    /// Least and greatest mean while learned.
    ranges: Option<[(f64, f64); VALUES]>,
    outlier: Option<Outlier>,
    port: u16,
}

const RULES: &[Rule] = &[
    &[
        Clause::above("actual", "allowed_max"),
        Clause::at_least("known_h", "learning_duration_h"),
    ],
    &[
        Clause::below("actual", "allowed_min"),
        Clause::at_least("known_h", "learning_duration_h"),
    ],
];

const fn submethod(name: &'static str, about: &'static str) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: RULES,
        reason: "{measure} between {source} and {target}: {actual} in five minutes; while learned it was between \
                 {learned_min} and {learned_max}",
        needs: &[],
        techniques: &[Technique {
            tactic: "TA0107",
            technique: "T0814",
        }],
    }
}

impl Method for OtEnvelope {
    const META: MethodMeta = MethodMeta {
        code: "OTSMANOM",
        slug: "otsmanom",
        family: "ot",
        title: "Traffic of a control network out of its range",
        submethods: &[
            submethod(
                "IEC104",
                "A master or an outstation sends more or less by IEC 60870-5-104 than it ever did while learned.",
            ),
            submethod(
                "GOOSE",
                "A device sends its group more or fewer GOOSE messages (IEC 61850), or other ones, than it ever did while \
                 learned.",
            ),
        ],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Pair,
        reads: Reads {
            transactions: &[
                (Protocol::Iec104, Kind::Request),
                (Protocol::Goose, Kind::Request),
            ],
            fields: &[
                "iec104.sender",
                "iec104.objects",
                "iec104.bytes",
                "goose.bytes",
                "goose.entries",
                "goose.sequence",
                "goose.test",
                "goose.commission",
            ],
            ..Reads::NOTHING
        },
        needs: &[Need::Payload, Need::Unsampled],
        same_as: &["OTCLANOM", "OTPAANOM"],
        manual: Manual {
            what: "A device that floods, falls silent in one direction, or is asked far more than before: a fault, a denial \
                   of service, a second master.",
            basis: "Messages, bytes and information objects of each side, and of GOOSE messages, bytes, entries, changes of \
                    state, tests, in the mean over mean_count intervals of five \
                    minutes with traffic, against the least and greatest such mean while learned. tolerance widens the \
                    range on both sides; a range is at least a tenth of its greatest value wide.",
            bias: "Silent for learning_duration_h hours and twelve intervals. An interval is judged when the next one is over, silence of both sides and intervals beside it are not. What was \
                   going on while learning counts as usual.",
            false_positives: "Storms of alarms after a real fault, maintenance, a device that was added: learn anew.",
            response: "Look which side left its range; more of the master is a hand, more of the outstation a process.",
        },
    };
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(BIN_S)
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        let (masters, key) = (&params.monitored_masters, &transaction.key);
        if masters.is_empty() || masters.iter().any(|prefix| prefix.contains(&key.initiator_ip)) {
            let role = FAMILIES
                .iter()
                .position(|family| family.protocol == transaction.protocol);
            cells.add(CellKey::pair(key).role(role.unwrap_or_default() as u8));
        }
    }

    fn on_transaction(_: &Params, state: &mut State, cell: &CellKey, transaction: &Transaction) {
        state.season.see(transaction.start);
        let of = |name| transaction.number(name).unwrap_or_default() as f64;
        let is = |name| f64::from(u8::from(transaction.flag(name).unwrap_or_default()));
        let measured = match transaction.protocol {
            Protocol::Goose => [
                1.0,
                of("goose.bytes"),
                of("goose.entries"),
                // Whoever changes state counts its messages from zero again.
                f64::from(u8::from(transaction.number("goose.sequence") == Some(0))),
                is("goose.test"),
                is("goose.commission"),
            ],
            _ => {
                let (bytes, objects) = (of("iec104.bytes"), of("iec104.objects"));
                match transaction.ip("iec104.sender") == Some(cell.host) {
                    true => [1.0, 0.0, bytes, 0.0, objects, 0.0],
                    false => [0.0, 1.0, 0.0, bytes, 0.0, objects],
                }
            }
        };
        for (sum, value) in state.now.iter_mut().zip(measured) {
            *sum += value;
        }
        let (first, last) = state.span.unwrap_or((transaction.start, transaction.end));
        state.span = Some((first.min(transaction.start), last.max(transaction.end)));
        state.port = transaction.key.responder_port;
    }

    fn on_tick(params: &Params, state: &mut State, _: &CellKey, now: Time) {
        state.outlier = None;
        let values = std::mem::take(&mut state.now);
        let interval = state.span.take().map(|span| (values, span));
        let Some(((values, span), inner)) = state.held.pass(interval) else {
            return;
        };
        if !inner {
            // The edge of a pause: means begin anew.
            state.recent.clear();
            return;
        }
        while state.recent.len() >= params.mean_count as usize {
            state.recent.pop_front();
        }
        state.recent.push_back(values);
        if state.recent.len() < params.mean_count as usize {
            return;
        }
        let count = state.recent.len() as f64;
        let mean =
            std::array::from_fn(|at| state.recent.iter().map(|values| values[at]).sum::<f64>() / count);
        if !state.season.over(now, params.learning_duration_h) {
            state.season.intervals += 1;
            let ranges = state.ranges.get_or_insert(mean.map(|value: f64| (value, value)));
            for (range, value) in ranges.iter_mut().zip(mean) {
                *range = (range.0.min(value), range.1.max(value));
            }
            return;
        }
        let outliers = state.ranges.iter().flatten().zip(mean).enumerate();
        let outliers = outliers.map(|(value, (&range, actual))| Outlier {
            value,
            actual,
            range,
            allowed: allowed(range, params.tolerance),
            span,
        });
        // The one that is farthest out, in widths of its range.
        let weight = |outlier: &Outlier| outlier.excess() / width(outlier.range);
        state.outlier = outliers
            .filter(|outlier| outlier.excess() > 0.0)
            .max_by(|one, other| weight(one).total_cmp(&weight(other)));
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let (Some(outlier), Some(family)) = (&state.outlier, FAMILIES.get(usize::from(cell.role))) else {
            return;
        };
        if !out.due(family.submethod) {
            return;
        }
        let measure = family.values.get(outlier.value).copied().unwrap_or_default();
        let facts = Facts::new()
            .input("actual", Quantity::Ratio(outlier.actual))
            .input("known_h", Quantity::Ratio(state.season.hours(outlier.span.0)))
            .input("measure", Quantity::Text(measure.into()))
            .limit("allowed_max", Quantity::Ratio(outlier.allowed.1))
            .limit("allowed_min", Quantity::Ratio(outlier.allowed.0))
            .limit(
                "learning_duration_h",
                Quantity::Count(params.learning_duration_h.into()),
            )
            .baseline("learned_min", Quantity::Ratio(outlier.range.0))
            .baseline("learned_max", Quantity::Ratio(outlier.range.1));
        if let (Some(peer), Some(verdict)) = (cell.peer, out.judge(family.submethod, facts)) {
            verdict
                .source_mac(Mac::of_link_local(cell.host).filter(|_| family.protocol == Protocol::Goose))
                .target(super::target(peer, state.port))
                .span(outlier.span.0, outlier.span.1)
                .detail("Measure", Quantity::Text(measure.into()))
                .detail("ActualValue", Quantity::Ratio(outlier.actual))
                .detail("MinValue", Quantity::Ratio(outlier.range.0))
                .detail("MaxValue", Quantity::Ratio(outlier.range.1))
                .evidence(super::evidence(cell.host, peer, family.protocol));
        }
    }
}

fn width((least, greatest): (f64, f64)) -> f64 {
    (greatest - least).max(WIDTH_MIN * greatest).max(1.0)
}

/// The range with what tolerance adds on both sides.
fn allowed(range: (f64, f64), tolerance: f64) -> (f64, f64) {
    let more = (tolerance - 1.0) * width(range);
    ((range.0 - more).max(0.0), range.1 + more)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::check_with;

    const SHORT: &str = r#"{"learning_duration_h":2}"#;
    const UNIT: &str =
        "10.0.0.5:4000 <> 10.0.0.9:2404 flow=1 iec104.frame=I iec104.objects=1 iec104.bytes=20";

    /// An outstation that tells a value every two seconds and is asked every ten, for three hours; a pause in which it
    /// tells none comes when asked for.
    fn steady(then: &str) -> String {
        format!(
            "@1s tx iec104/request every 2s x3900 {UNIT} iec104.sender=10.0.0.9
             @1s tx iec104/request every 10s x1080 {UNIT} iec104.sender=10.0.0.5
             {then}"
        )
    }

    fn storm(count: u32) -> String {
        format!("@130min tx iec104/request every 1s x{count} {UNIT} iec104.sender=10.0.0.5")
    }

    /// The outstation falls silent at 2 h 10 min, which is below its range; a master asks ten times as much, which is above.
    #[test]
    fn out_of_range() {
        check_with::<OtEnvelope>(
            SHORT,
            &steady(""),
            expect![[r#"
                OTSMANOM.IEC104 50 % after 8401 s, 9 findings, 1 targets: objects of the outstation between 10.0.0.5 and 10.0.0.9:2404: 0 in five minutes; while learned it was between 150 and 150
                  actual < allowed_min and known_h >= learning_duration_h; silent at actual 120, known_h 2; src ip 10.0.0.5 and dst ip 10.0.0.9 and app iec104
            "#]],
        );
        check_with::<OtEnvelope>(
            SHORT,
            &steady(&storm(900)).replace("x3900", "x5400"),
            expect![[r#"
                OTSMANOM.IEC104 100 % after 8400 s, 6 findings, 1 targets: objects of the master between 10.0.0.5 and 10.0.0.9:2404: 130 in five minutes; while learned it was between 30 and 30
                  actual > allowed_max and known_h >= learning_duration_h; silent at actual 36, known_h 2; src ip 10.0.0.5 and dst ip 10.0.0.9 and app iec104
            "#]],
        );
    }

    const GOOSE: &str =
        "fe80::216:3eff:fe01:203 > fe80::30c:cdff:fe01:1 flow=1 goose.bytes=150 goose.entries=2";

    /// Messages in the name of a device, ten a second; fewer of them; a group of another device.
    #[test]
    fn goose_storm() {
        let steady =
            format!("@1s tx goose/request every 2s x5400 {GOOSE} goose.sequence=7\n@130min tx goose/request");
        check_with::<OtEnvelope>(
            SHORT,
            &format!("{steady} every 100ms x9000 {GOOSE} goose.sequence=0"),
            expect![[r#"
                OTSMANOM.GOOSE 100 % after 8400 s, 6 findings, 1 targets: changes of state between fe80::216:3eff:fe01:203 and fe80::30c:cdff:fe01:1: 1000 in five minutes; while learned it was between 0 and 0
                  actual > allowed_max and known_h >= learning_duration_h; silent at actual 2, known_h 2; src mac 00:16:3e:01:02:03 and app goose
            "#]],
        );
        check_with::<OtEnvelope>(
            SHORT,
            &format!("{steady} every 20s x40 {GOOSE} goose.sequence=9"),
            expect![[""]],
        );
        check_with::<OtEnvelope>(
            SHORT,
            &format!("{steady} every 100ms x9000 {GOOSE} goose.sequence=0").replace(
                "130min tx goose/request every 100ms x9000 fe80::216:3eff:fe01:203",
                "130min tx goose/request every 100ms x9000 fe80::216:3eff:fe01:204",
            ),
            expect![[""]],
        );
    }

    /// As always; a little more; within the season; a master that is not watched.
    #[test]
    fn in_range() {
        let good = |text: String| text.replace("x3900", "x5400");
        check_with::<OtEnvelope>(SHORT, &good(steady("")), expect![[""]]);
        check_with::<OtEnvelope>(SHORT, &good(steady(&storm(15))), expect![[""]]);
        check_with::<OtEnvelope>(
            SHORT,
            &good(steady(&storm(900).replace("130min", "60min"))),
            expect![[""]],
        );
        let others = r#"{"learning_duration_h":2,"monitored_masters":["10.1.0.0/16"]}"#;
        check_with::<OtEnvelope>(others, &good(steady(&storm(900))), expect![[""]]);
    }
}
