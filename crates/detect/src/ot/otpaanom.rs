//! OTPAANOM: the messages of an IEC 60870-5-104 pair come in an order that was never learned. A probabilistic automaton
//! (a Markov chain over kinds of messages) gives each interval a likelihood.

use serde::{Deserialize, Serialize};
use weir_model::{
    Clause, Facts, FlowFilter, Kind, Manual, Maturity, MethodMeta, Need, Priority, Protocol, Quantity, Reads,
    Scope, SubmethodMeta, Target, Technique, Time, Transaction,
};

use super::learning::Season;
use crate::{CellKey, Cells, Findings, Learned, Method, Window};

crate::params! {
    /// Hours a pair is learned before anything is said.
    learning_duration_h: u32 = 24, 1..=720;
    /// What a step that was never learned counts for, in steps. More forgives strange steps.
    model_tolerance: f64 = 0.01, 0.000_001..=1.0;
    /// An interval is reported when its likelihood is below this share of the lowest one learned. Less is quieter.
    threshold: f64 = 0.5, 0.001..=1.0;
    /// Steps never learned within an interval from which it is reported whatever its likelihood.
    unknown_min: u32 = 3, 1..=100_000;
    /// Messages below which an interval is not judged by likelihood.
    messages_min: u32 = 20, 2..=100_000;
}

/// Length of an interval: the vendor's batch, seconds.
const BATCH_S: u32 = 300;
/// A pair that is silent for longer is learned anew, seconds.
const IDLE_S: u32 = 2_592_000;
/// Steps of one pair that are remembered; more count as never learned. The standard has 66 types, and few pairs use ten.
const STEPS_MAX: usize = 1_024;
/// Stands for the beginning of a connection.
const BEGINNING: u32 = u32::MAX;

/// See the file.
pub struct OtAutomaton;

/// From one kind of message to the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Step {
    from: u32,
    to: u32,
}

/// What an interval came to.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Batch {
    messages: u32,
    log_sum: f64,
    unknown: u32,
    bytes: [u64; 2],
    /// The step that was learned least.
    strangest: Option<(f64, Step)>,
    span: Option<(Time, Time)>,
}

impl Batch {
    /// Geometric mean of the likelihoods of its steps.
    fn likelihood(&self) -> f64 {
        (self.log_sum / f64::from(self.messages.max(1))).exp()
    }
}

/// One pair.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    season: Season,
    /// Learned steps with their counts, sorted by step.
    steps: Vec<(Step, u32)>,
    last: Option<u32>,
    last_flow: u64,
    now: Batch,
    /// The lowest likelihood of an interval in the second half of the season, when the automaton was about whole.
    lowest: Option<f64>,
    judged: Option<Batch>,
    port: u16,
}

impl Method for OtAutomaton {
    const META: MethodMeta = MethodMeta {
        code: "OTPAANOM",
        slug: "otpaanom",
        family: "ot",
        title: "Unusual order of messages in a control network",
        submethods: &[SubmethodMeta {
            name: "IEC104",
            about: "Messages of IEC 60870-5-104 between two hosts follow each other as they never did while learned.",
            rules: &[
                &[
                    Clause::below("likelihood", "likelihood_min"),
                    Clause::at_least("messages", "messages_min"),
                    Clause::at_least("known_h", "learning_duration_h"),
                ],
                &[
                    Clause::at_least("unknown", "unknown_min"),
                    Clause::at_least("known_h", "learning_duration_h"),
                ],
            ],
            reason: "{unknown} of {messages} messages between {source} and {target} follow in an order never learned, the strangest: {strangest}; likelihood {likelihood}, at least {lowest} while learned",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0106",
                technique: "T0836",
            }],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Pair,
        reads: Reads {
            transactions: &[(Protocol::Iec104, Kind::Request)],
            fields: &[
                "iec104.frame",
                "iec104.sender",
                "iec104.type",
                "iec104.cause",
                "iec104.bytes",
            ],
            ..Reads::NOTHING
        },
        needs: &[Need::Payload, Need::Unsampled],
        same_as: &["OTCLANOM", "OTSMANOM"],
        manual: Manual {
            what: "A master asks and an outstation answers in a fixed dance. A command without the selection before it, an \
                   interrogation at the wrong time, a restart of the link: somebody else leads.",
            basis: "Each message is a kind: sender, type, cause, or the name of a link frame. While learned, the steps from \
                    kind to kind are counted; afterwards each step has the likelihood it had then, and an interval of \
                    five minutes the geometric mean of its steps, against the lowest interval of the season's second half.",
            bias: "Silent for learning_duration_h hours and twelve intervals. What was going on while learning counts as \
                   usual. The first message of a connection follows a beginning of its own.",
            false_positives: "Maintenance, a master that was changed, an outstation after a failure of power.",
            response: "Look who sent the strangest message and whether the plant did what it says.",
        },
    };
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(BATCH_S)
    }

    fn cells_of_transaction(_: &Params, transaction: &Transaction, cells: &mut Cells) {
        cells.add(CellKey::pair(&transaction.key));
    }

    fn on_transaction(params: &Params, state: &mut State, cell: &CellKey, transaction: &Transaction) {
        let master = transaction.ip("iec104.sender") == Some(cell.host);
        let (to, at) = (kind(transaction, master), transaction.start);
        state.season.see(at);
        let from = state
            .last
            .filter(|_| state.last_flow == transaction.flow.0)
            .unwrap_or(BEGINNING);
        (state.last, state.last_flow) = (Some(to), transaction.flow.0);
        state.port = transaction.key.responder_port;
        let step = Step { from, to };
        let (likelihood, known) = state.likelihood(step, params.model_tolerance);
        if !state.season.over(at, params.learning_duration_h) {
            state.learn(step);
        }
        let now = &mut state.now;
        now.messages = now.messages.saturating_add(1);
        now.log_sum += likelihood.ln();
        now.unknown = now.unknown.saturating_add(u32::from(!known));
        let bytes = transaction.number("iec104.bytes").unwrap_or_default();
        let sum = &mut now.bytes[usize::from(!master)];
        *sum = sum.saturating_add(bytes);
        if now.strangest.is_none_or(|(least, _)| likelihood < least) {
            now.strangest = Some((likelihood, step));
        }
        let (first, last) = now.span.unwrap_or((at, at));
        now.span = Some((first.min(at), last.max(at)));
    }

    fn on_tick(params: &Params, state: &mut State, _: &CellKey, now: Time) {
        let batch = std::mem::take(&mut state.now);
        state.judged = None;
        if batch.messages == 0 {
            return;
        }
        if state.season.over(now, params.learning_duration_h) {
            state.judged = Some(batch);
            return;
        }
        state.season.intervals += 1;
        if state.season.hours(now) * 2.0 >= f64::from(params.learning_duration_h)
            && batch.messages >= params.messages_min
        {
            let likelihood = batch.likelihood();
            state.lowest = Some(state.lowest.map_or(likelihood, |lowest| lowest.min(likelihood)));
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some(batch) = &state.judged else { return };
        let (Some((first, last)), Some((_, strangest))) = (batch.span, batch.strangest) else {
            return;
        };
        if !out.due("IEC104") {
            return;
        }
        // Never enough messages while learned: only steps never seen are told.
        let lowest = state.lowest.unwrap_or_default();
        let facts = Facts::new()
            .input("likelihood", Quantity::Ratio(batch.likelihood()))
            .input("unknown", Quantity::Count(batch.unknown.into()))
            .input("messages", Quantity::Count(batch.messages.into()))
            .input("known_h", Quantity::Ratio(state.season.hours(first)))
            .input("strangest", Quantity::Text(words(strangest).into()))
            .limit("likelihood_min", Quantity::Ratio(params.threshold * lowest))
            .limit("unknown_min", Quantity::Count(params.unknown_min.into()))
            .limit("messages_min", Quantity::Count(params.messages_min.into()))
            .limit(
                "learning_duration_h",
                Quantity::Count(params.learning_duration_h.into()),
            )
            .baseline("lowest", Quantity::Ratio(lowest))
            .baseline("steps", Quantity::Count(state.steps.len() as u64));
        if let (Some(peer), Some(verdict)) = (cell.peer, out.judge("IEC104", facts)) {
            verdict
                .target(Target::service(peer, state.port))
                .span(first, last)
                .detail("UploadedData", Quantity::Bytes(batch.bytes[0]))
                .detail("DownloadedData", Quantity::Bytes(batch.bytes[1]))
                .detail("PacketCount", Quantity::Count(batch.messages.into()))
                .detail("PortList", Quantity::Counts(vec![state.port.into()]))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    responder: Some(peer),
                    protocol: Some(Protocol::Iec104),
                    ..FlowFilter::default()
                });
        }
    }
}

impl State {
    fn learn(&mut self, step: Step) {
        match self.steps.binary_search_by_key(&step, |(known, _)| *known) {
            Ok(at) => self.steps[at].1 = self.steps[at].1.saturating_add(1),
            Err(at) if self.steps.len() < STEPS_MAX => self.steps.insert(at, (step, 1)),
            Err(_) => {}
        }
    }

    /// Likelihood of a step (counts with a little added to each, Lidstone), and whether it was ever learned.
    fn likelihood(&self, step: Step, little: f64) -> (f64, bool) {
        let begin = self.steps.partition_point(|(known, _)| known.from < step.from);
        let same = self.steps[begin..]
            .iter()
            .take_while(|(known, _)| known.from == step.from);
        let (mut total, mut kinds, mut count) = (0.0, 1.0, 0);
        for (known, times) in same {
            total += f64::from(*times);
            kinds += 1.0;
            if *known == step {
                count = *times;
            }
        }
        let likelihood = (f64::from(count) + little) / (total + little * kinds);
        // After a kind that was never learned every step is as strange as can be.
        let likelihood = if total == 0.0 { little } else { likelihood };
        (likelihood.clamp(f64::MIN_POSITIVE, 1.0), count > 0)
    }
}

/// Bit that marks messages of the master.
const MASTER: u32 = 1 << 24;
/// Bit that marks link frames; below it their place in [`FRAMES`].
const LINK: u32 = 1 << 25;
const FRAMES: [&str; 6] = [
    "STARTDT act",
    "STARTDT con",
    "STOPDT act",
    "STOPDT con",
    "TESTFR act",
    "TESTFR con",
];

/// The kind of a message as a number.
fn kind(transaction: &Transaction, master: bool) -> u32 {
    let side = if master { MASTER } else { 0 };
    let frame = transaction.text("iec104.frame").unwrap_or_default();
    if let Some(at) = FRAMES.iter().position(|known| *known == frame) {
        return side | LINK | at as u32;
    }
    let of = |name| transaction.number(name).unwrap_or_default() as u32 & 0xff;
    side | of("iec104.type") << 8 | of("iec104.cause")
}

/// A step for people.
fn words(Step { from, to }: Step) -> String {
    let one = |kind: u32| {
        let who = if kind & MASTER != 0 {
            "the master"
        } else {
            "the outstation"
        };
        match kind {
            BEGINNING => "the beginning".to_owned(),
            link if link & LINK != 0 => {
                let name = FRAMES.get((link & 0xff) as usize).copied().unwrap_or_default();
                format!("{name} of {who}")
            }
            unit => format!("type {} with cause {} of {who}", unit >> 8 & 0xff, unit & 0xff),
        }
    };
    format!("{} after {}", one(to), one(from))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::check_with;

    const SHORT: &str = r#"{"learning_duration_h":2}"#;
    const UNIT: &str =
        "10.0.0.5:4000 <> 10.0.0.9:2404 flow=1 iec104.frame=I iec104.objects=1 iec104.bytes=20";

    /// Two hours and more: the outstation tells values, and every 50 s the master interrogates and gets its receipt.
    fn dance(hours: u32) -> String {
        let rounds = hours * 72;
        format!(
            "@1s tx iec104/request every 5s x{} {UNIT} iec104.sender=10.0.0.9 iec104.type=13 iec104.cause=3
             @2s tx iec104/request every 50s x{rounds} {UNIT} iec104.sender=10.0.0.5 iec104.type=100 iec104.cause=6
             @3s tx iec104/request every 50s x{rounds} {UNIT} iec104.sender=10.0.0.9 iec104.type=100 iec104.cause=7\n",
            hours * 720
        )
    }

    #[test]
    fn commands_from_nowhere() {
        let commands = format!(
            "@130min tx iec104/request every 20s x4 {UNIT} iec104.sender=10.0.0.5 iec104.type=45 iec104.cause=6"
        );
        check_with::<OtAutomaton>(
            SHORT,
            &(dance(3) + &commands),
            expect![[r#"
                OTPAANOM.IEC104 59 % after 8101 s, 2 findings, 1 targets: 8 of 76 messages between 10.0.0.5 and 10.0.0.9:2404 follow in an order never learned, the strangest: type 45 with cause 6 of the master after type 13 with cause 3 of the outstation; likelihood 0.33, at least 0.76 while learned
                  likelihood < likelihood_min and messages >= messages_min and known_h >= learning_duration_h; silent at likelihood 0.38, messages 20, known_h 2; src ip 10.0.0.5 and dst ip 10.0.0.9 and app iec104
            "#]],
        );
    }

    /// Known steps, far more often than before.
    #[test]
    fn interrogations_without_end() {
        let storm = format!(
            "@130min tx iec104/request every 100ms x900 {UNIT} iec104.sender=10.0.0.5 iec104.type=100 iec104.cause=6"
        );
        check_with::<OtAutomaton>(
            SHORT,
            &(dance(3) + &storm),
            expect![[r#"
                OTPAANOM.IEC104 100 % after 8101 s, 2 findings, 1 targets: 902 of 972 messages between 10.0.0.5 and 10.0.0.9:2404 follow in an order never learned, the strangest: type 100 with cause 6 of the master after type 100 with cause 6 of the master; likelihood 0, at least 0.76 while learned
                  likelihood < likelihood_min and messages >= messages_min and known_h >= learning_duration_h; silent at likelihood 0.38, messages 20, known_h 2; src ip 10.0.0.5 and dst ip 10.0.0.9 and app iec104
            "#]],
        );
    }

    /// As always; one strange message; within the season.
    #[test]
    fn below_the_limits() {
        check_with::<OtAutomaton>(SHORT, &dance(4), expect![[""]]);
        let one =
            format!("@130min tx iec104/request {UNIT} iec104.sender=10.0.0.5 iec104.type=45 iec104.cause=6");
        check_with::<OtAutomaton>(SHORT, &(dance(3) + &one), expect![[""]]);
        let early = format!(
            "@70min tx iec104/request every 20s x4 {UNIT} iec104.sender=10.0.0.5 iec104.type=45 iec104.cause=6"
        );
        check_with::<OtAutomaton>(SHORT, &(dance(3) + &early), expect![[""]]);
    }

    #[test]
    fn steps_are_bounded() {
        let mut state = State::default();
        for to in 0..STEPS_MAX as u32 + 9 {
            state.learn(Step { from: 1, to });
        }
        assert_eq!(state.steps.len(), STEPS_MAX);
        assert!(
            !state
                .likelihood(
                    Step {
                        from: 1,
                        to: u32::MAX
                    },
                    0.01
                )
                .1
        );
    }
}
