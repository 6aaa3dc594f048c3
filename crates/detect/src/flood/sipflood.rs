//! SIPFLOOD: a telephone server is asked far more than it can answer. The server is the source, as the one that suffers;
//! who asks are the targets.

use std::net::IpAddr;

use weir_model::{
    Clause, Facts, FlowFilter, Kind, Manual, Maturity, MethodMeta, Need, Priority, Protocol, Quantity, Reads,
    Rule, Scope, SubmethodMeta, Target, Technique, Time, Transaction,
};

use crate::baseline::{Distinct, Sliding, Top};
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Requests for each final answer. More makes it quieter.
    threshold: f64 = 5.0, 1.5..=10_000.0;
    /// Requests within five minutes before anything is said, repeats included.
    message_limit: u64 = 200, 10..=10_000_000;
    /// Count for each called party alone: a telephone that is rung without end, on a server with many.
    per_called_party: bool = false;
}

/// The five minutes are kept in intervals of a minute.
const BIN_S: i64 = 60;
const BINS: usize = 5;
/// Silence that ends a flood, seconds.
const IDLE_S: u32 = 300;
/// Askers told apart.
const ASKERS_MAX: usize = 32;
/// Called parties told apart; the least called gives way.
const CALLED_MAX: usize = 32;

/// See the file.
pub struct SipFlood;

/// One called party.
struct Called {
    name: Box<str>,
    requests: Sliding<BINS>,
    answers: Sliding<BINS>,
}

/// Requests of one kind to one server.
#[derive(Default)]
pub struct State {
    requests: Sliding<BINS>,
    answers: Sliding<BINS>,
    identities: Distinct,
    askers: Top<IpAddr, ASKERS_MAX>,
    asker_count: Distinct,
    called: Vec<Called>,
    span: Option<(Time, Time)>,
}

const REASON: &str = "{source} was asked {messages} times by {targets} within five minutes and answered {answers} ({identities} \
                      identities in all)";

const RULES: &[Rule] = &[&[
    Clause::at_least("ratio", "threshold"),
    Clause::at_least("messages", "message_limit"),
]];

const TECHNIQUES: &[Technique] = &[Technique {
    tactic: "TA0040",
    technique: "T1499.002",
}];

const fn submethod(name: &'static str, about: &'static str) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: RULES,
        reason: REASON,
        needs: &[],
        techniques: TECHNIQUES,
    }
}

/// Methods by role of cells.
const METHODS: [(&str, &str); 2] = [("Invite", "INVITE"), ("Register", "REGISTER")];

impl Method for SipFlood {
    const META: MethodMeta = MethodMeta {
        code: "SIPFLOOD",
        slug: "sipflood",
        family: "flood",
        title: "Flood of SIP requests",
        submethods: &[
            submethod("Invite", "A server gets far more calls than it answers."),
            submethod(
                "Register",
                "A server gets far more registrations than it answers.",
            ),
        ],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Responder,
        reads: Reads {
            transactions: &[(Protocol::Sip, Kind::Request)],
            fields: &["sip.method", "sip.client", "sip.status", "sip.repeats", "sip.to"],
            ..Reads::NOTHING
        },
        needs: &[Need::Payload, Need::Unsampled],
        same_as: &["SIPSCAN", "DOS"],
        manual: Manual {
            what: "Calls or registrations come faster than a telephone server can treat them; other callers find it busy.",
            basis: "INVITE or REGISTER requests to a server within five minutes, repeats included, against its final \
                    answers (status 200 and above, challenges too). A server that answers everything is not flooded, \
                    however much it is asked.",
            bias: "Silent where answers are seen. A capture that shows one direction only looks like a flood: both \
                   directions are needed. What is ringing counts as unanswered.",
            false_positives: "A server that is down while its telephones try on; a call centre that lets hundreds ring.",
            response: "See whether the server lives; limit requests per address at the session border, and look \
                       whether the identities are real.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_transaction(_: &Params, transaction: &Transaction, cells: &mut Cells) {
        if let (Some(role), Some((_, server))) = (role(transaction), ends(transaction)) {
            cells.add(CellKey::host(server).role(role));
        }
    }

    fn on_transaction(_: &Params, state: &mut State, _: &CellKey, transaction: &Transaction) {
        let Some((client, _)) = ends(transaction) else {
            return;
        };
        let at = transaction.start;
        let requests = 1 + transaction.number("sip.repeats").unwrap_or_default();
        let answers = u64::from(transaction.number("sip.status").is_some());
        if state.requests.sum() == 0 {
            state.span = None;
        }
        state.requests.add(at, BIN_S, requests);
        state.answers.advance(at, BIN_S);
        state.answers.add(at, BIN_S, answers);
        state.askers.add(client, requests);
        state.asker_count.add(client);
        let (first, last) = state.span.unwrap_or((at, transaction.end));
        state.span = Some((first.min(at), last.max(transaction.end)));
        if let Some(name) = transaction.text("sip.to") {
            state.identities.add(name);
            state.call(name, at, requests, answers);
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        if state.requests.sum() < params.message_limit {
            return;
        }
        let Some(((submethod, _), (first, last))) =
            METHODS.get(usize::from(cell.role)).copied().zip(state.span)
        else {
            return;
        };
        if !out.due(submethod) {
            return;
        }
        let (requests, answers, called) = state.worst(params.per_called_party);
        let ratio = requests as f64 / answers.max(1) as f64;
        let facts = Facts::new()
            .input("ratio", Quantity::Ratio(ratio))
            .input("messages", Quantity::Count(requests))
            .input("answers", Quantity::Count(answers))
            .input("identities", Quantity::Count(state.identities.count()))
            .limit("threshold", Quantity::Ratio(params.threshold))
            .limit("message_limit", Quantity::Count(params.message_limit));
        if let Some(verdict) = out.judge(submethod, facts) {
            let askers = state.askers.heaviest();
            let count = state.asker_count.count();
            let verdict = match called {
                Some(name) => verdict.detail("CalledParty", Quantity::Text(name.into())),
                None => verdict,
            };
            verdict
                .targets(askers.into_iter().map(|(ip, _)| Target::ip(ip)), count)
                .span(first, last)
                .detail("IDCount", Quantity::Count(state.identities.count()))
                .detail("TargetCount", Quantity::Count(count))
                .detail("Ratio", Quantity::Ratio(ratio))
                .evidence(FlowFilter {
                    host: Some(cell.host),
                    protocol: Some(Protocol::Sip),
                    ..FlowFilter::default()
                });
        }
    }
}

impl State {
    /// Counts a request to a called party.
    fn call(&mut self, name: &str, at: Time, requests: u64, answers: u64) {
        let known = self.called.iter().position(|called| &*called.name == name);
        let at_place = known.unwrap_or_else(|| {
            if self.called.len() >= CALLED_MAX {
                let least = (0..self.called.len()).min_by_key(|one| self.called[*one].requests.sum());
                self.called.swap_remove(least.unwrap_or_default());
            }
            self.called.push(Called {
                name: name.into(),
                requests: Sliding::default(),
                answers: Sliding::default(),
            });
            self.called.len() - 1
        });
        let called = &mut self.called[at_place];
        called.requests.add(at, BIN_S, requests);
        called.answers.advance(at, BIN_S);
        called.answers.add(at, BIN_S, answers);
    }

    /// Requests and answers of the server, or of its most called party, with that party's name.
    fn worst(&self, per_called_party: bool) -> (u64, u64, Option<&str>) {
        let most = self.called.iter().max_by_key(|called| called.requests.sum());
        match most.filter(|_| per_called_party) {
            Some(called) => (called.requests.sum(), called.answers.sum(), Some(&called.name)),
            None => (self.requests.sum(), self.answers.sum(), None),
        }
    }
}

fn role(transaction: &Transaction) -> Option<u8> {
    let method = transaction.text("sip.method")?;
    METHODS
        .iter()
        .position(|(_, word)| *word == method)
        .map(|at| at as u8)
}

/// Who asked, and who was asked.
fn ends(transaction: &Transaction) -> Option<(IpAddr, IpAddr)> {
    let client = transaction.ip("sip.client")?;
    let key = &transaction.key;
    let server = if client == key.initiator_ip {
        key.responder_ip
    } else {
        key.initiator_ip
    };
    Some((client, server))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{check, check_with};

    #[test]
    fn calls_without_answer() {
        check::<SipFlood>(
            "@0s tx sip/request every 500ms x300 198.51.100.{1..9} > 10.0.0.9:5060 sip.method=INVITE sip.client=198.51.100.{1..9} sip.to={1..50}@pbx",
            expect![[r#"
                SIPFLOOD.Invite 100 % after 99 s, 2 findings, 9 targets: 10.0.0.9 was asked 300 times by 9 targets within five minutes and answered 0 (50 identities in all)
                  ratio >= threshold and messages >= message_limit; silent at ratio 5, messages 200; ip 10.0.0.9 and app sip
            "#]],
        );
    }

    #[test]
    fn registrations_with_few_answers() {
        check::<SipFlood>(
            "@0s tx sip/request every 500ms x60 198.51.100.7 <> 10.0.0.9:5060 sip.method=REGISTER sip.client=198.51.100.7 sip.to=1@pbx sip.status=401
             @0s tx sip/request every 300ms x100 198.51.100.7 > 10.0.0.9:5060 sip.method=REGISTER sip.client=198.51.100.7 sip.to=1@pbx sip.repeats=3",
            expect![[r#"
                SIPFLOOD.Register 76 % after 12 s, 2 findings, 1 targets: 10.0.0.9 was asked 460 times by 198.51.100.7 within five minutes and answered 60 (1 identities in all)
                  ratio >= threshold and messages >= message_limit; silent at ratio 5, messages 200; ip 10.0.0.9 and app sip
            "#]],
        );
    }

    /// 199 requests; every fifth answered; 300 in a quarter of an hour; all answered.
    #[test]
    fn below_the_limits() {
        let flood = "@0s tx sip/request every 500ms x300 198.51.100.7 > 10.0.0.9:5060 sip.method=INVITE sip.client=198.51.100.7 sip.to=1@pbx";
        check::<SipFlood>(&flood.replace("x300", "x199"), expect![[""]]);
        check::<SipFlood>(&flood.replace("every 500ms", "every 3s"), expect![[""]]);
        check::<SipFlood>(&format!("{flood} sip.status=200"), expect![[""]]);
        check::<SipFlood>(
            &format!("{flood}\n{}", flood.replace("x300", "x80") + " sip.status=486"),
            expect![[""]],
        );
        check::<SipFlood>(&flood.replace("INVITE", "OPTIONS"), expect![[""]]);
    }

    /// One telephone rung without end, on a server that answers many others.
    #[test]
    fn one_called_party() {
        let text = "@0s tx sip/request every 100ms x1500 10.0.0.{11..60} <> 10.0.0.9:5060 sip.method=INVITE sip.client=10.0.0.{11..60} sip.to={1..50}@pbx sip.status=200
             @0s tx sip/request every 500ms x250 198.51.100.7 > 10.0.0.9:5060 sip.method=INVITE sip.client=198.51.100.7 sip.to=boss@pbx";
        check::<SipFlood>(text, expect![[""]]);
        check_with::<SipFlood>(
            r#"{"per_called_party":true}"#,
            text,
            expect![[r#"
            SIPFLOOD.Invite 100 % after 99 s, 2 findings, 51 targets: 10.0.0.9 was asked 250 times by 51 targets within five minutes and answered 0 (51 identities in all)
              ratio >= threshold and messages >= message_limit; silent at ratio 5, messages 200; ip 10.0.0.9 and app sip
        "#]],
        );
    }

    /// More called parties than are told apart: the most called stays.
    #[test]
    fn called_parties_are_bounded() {
        let mut state = State::default();
        for at in 0..1_000 {
            state.call("boss@pbx", Time::from_secs(0), 1, 0);
            state.call(&format!("{at}@pbx"), Time::from_secs(0), 1, 0);
        }
        assert_eq!(state.called.len(), CALLED_MAX);
        assert_eq!(state.worst(true).2, Some("boss@pbx"));
    }
}
