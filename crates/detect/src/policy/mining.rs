//! MINING: a host works for a pool of miners, told by the protocol that miners and pools speak, whatever the port and
//! whatever the pool is called.

use weir_model::{
    Clause, Facts, FlowFilter, Kind, Manual, Maturity, MethodMeta, Need, Outcome, Priority, Protocol,
    Quantity, Reads, Scope, SubmethodMeta, Target, Technique, Time, Transaction,
};

use crate::baseline::{Distinct, Top};
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Messages of the protocol, of either side, before anything is said. More is quieter.
    messages_min: u64 = 3, 1..=1_000_000;
}

/// Silence that ends an event, seconds: a pool sends work every few minutes.
const IDLE_S: u32 = 3_600;
const TARGETS_LISTED_MAX: usize = 16;

/// See the file.
pub struct Mining;

/// One miner.
#[derive(Default)]
pub struct State {
    messages: u64,
    /// Results handed in.
    results: u64,
    /// Log-ins the pool accepted.
    accepted: u64,
    user: Box<str>,
    agent: Box<str>,
    pools: Distinct<TARGETS_LISTED_MAX>,
    listed: Vec<Target>,
    ports: Top<u16, 8>,
    span: Option<(Time, Time)>,
}

impl Method for Mining {
    const META: MethodMeta = MethodMeta {
        code: "MINING",
        slug: "mining",
        family: "policy",
        title: "Mining of coins",
        submethods: &[SubmethodMeta {
            name: "Stratum",
            about: "A host speaks Stratum, the protocol of mining pools, with a pool.",
            rules: &[&[Clause::at_least("messages", "messages_min")]],
            reason: "{source} mines for {targets}: {messages} messages of Stratum in {span}, {results} results handed in, \
                     {accepted} log-ins accepted",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0040",
                technique: "T1496",
            }],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[
                (Protocol::Stratum, Kind::Login),
                (Protocol::Stratum, Kind::Request),
            ],
            fields: &["stratum.method", "stratum.user", "stratum.agent"],
            ..Reads::NOTHING
        },
        needs: &[Need::Payload],
        same_as: &[],
        manual: Manual {
            what: "Miners are the commonest thing that intruders leave on a host, because they pay at once; they also run \
                   where somebody thought nobody would look. Power and computing time are stolen either way.",
            basis: "Messages of Stratum in its three families (mining.*, eth_*, login/job/submit), read from the connection \
                    itself on any port: messages_min of them between a miner and its pools.",
            bias: "Stratum inside TLS and version 2 are not seen; the names of well-known pools are looked for by the pattern \
                   CryptocurrencyMining. Hosts outside that mine for a pool inside are not reported.",
            false_positives: "Whoever mines on purpose.",
            response: "Look which program holds the connection and how it came there: it was hardly alone. The wallet tells \
                       one intruder from another.",
        },
    };
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_transaction(_: &Params, message: &Transaction, cells: &mut Cells) {
        if message.initiator_inside || !message.responder_inside {
            cells.add(CellKey::initiator(&message.key));
        }
    }

    fn on_transaction(_: &Params, state: &mut State, _: &CellKey, message: &Transaction) {
        let (first, last) = state.span.unwrap_or((message.start, message.end));
        state.span = Some((first.min(message.start), last.max(message.end)));
        state.messages += 1;
        let method = message.text("stratum.method").unwrap_or_default();
        let submits = ["submit", "mining.submit", "eth_submitWork"];
        state.results += u64::from(submits.contains(&method));
        state.accepted += u64::from(message.outcome == Outcome::Accepted);
        for (known, field) in [
            (&mut state.user, "stratum.user"),
            (&mut state.agent, "stratum.agent"),
        ] {
            if let Some(text) = message.text(field).filter(|_| known.is_empty()) {
                *known = text.into();
            }
        }
        let pool = Target::service(message.key.responder_ip, message.key.responder_port);
        state.ports.add(message.key.responder_port, 1);
        if state.pools.add(pool) && state.listed.len() < TARGETS_LISTED_MAX {
            state.listed.push(pool);
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some((first, last)) = state.span.filter(|_| out.due("Stratum")) else {
            return;
        };
        let facts = Facts::new()
            .input("messages", Quantity::Count(state.messages))
            .input("results", Quantity::Count(state.results))
            .input("accepted", Quantity::Count(state.accepted))
            .limit("messages_min", Quantity::Count(params.messages_min));
        let Some(verdict) = out.judge("Stratum", facts) else {
            return;
        };
        let mut ports: Vec<u64> = state
            .ports
            .heaviest()
            .iter()
            .map(|(port, _)| u64::from(*port))
            .collect();
        ports.sort_unstable();
        let text = |text: &str| Quantity::Text(text.to_owned().into());
        let one = state.listed.first().filter(|_| state.pools.count() == 1);
        verdict
            .targets(state.listed.clone(), state.pools.count())
            .span(first, last)
            .detail("TargetCount", Quantity::Count(state.pools.count()))
            .detail("PortList", Quantity::Counts(ports))
            .detail("worker", text(&state.user))
            .detail("agent", text(&state.agent))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder: one.and_then(|pool| pool.ip),
                protocol: Some(Protocol::Stratum),
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

    const POOL: &str = "10.0.0.5 <> 203.0.113.9:5222 flow=1";

    #[test]
    fn a_miner() {
        check::<Mining>(
            &format!(
                "tx stratum/login {POOL} outcome=accepted stratum.method=login stratum.user=4ABC stratum.agent=miner/6
                 @10s tx stratum/request every 60s x3 {POOL} stratum.method=job
                 @20s tx stratum/request every 60s x3 {POOL} stratum.method=submit"
            ),
            expect![[r#"
                MINING.Stratum 100 % after 20 s, 2 findings, 1 targets: 10.0.0.5 mines for 203.0.113.9:5222: 7 messages of Stratum in 2.33 min, 3 results handed in, 1 log-ins accepted
                  messages >= messages_min; silent at messages 3; src ip 10.0.0.5 and dst ip 203.0.113.9 and app stratum
            "#]],
        );
    }

    /// A message less; a pool inside that others use.
    #[test]
    fn hardly_a_miner() {
        let line = "tx stratum/request every 1s x2 ";
        check::<Mining>(
            &format!("{line} {POOL} stratum.method=mining.subscribe"),
            expect![[""]],
        );
        check::<Mining>(
            &line.replace(
                "x2",
                "x9 203.0.113.9 <> 10.0.0.5:3333 flow=1 stratum.method=mining.notify",
            ),
            expect![[""]],
        );
        check_with::<Mining>(
            r#"{"messages_min":10}"#,
            &format!("{} {POOL} stratum.method=submit", line.replace("x2", "x9")),
            expect![[""]],
        );
    }
}
