//! SIPPROXY: a telephone address suddenly speaks for another identity. Identities of an address are learned for a season;
//! one that is new after it is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_model::{
    Clause, Facts, FlowFilter, Kind, Manual, Maturity, MethodMeta, NANOS_PER_S, Need, Outcome, Priority,
    Protocol, Quantity, Reads, Scope, SubmethodMeta, Target, Technique, Time, Transaction,
};

use crate::{CellKey, Cells, Findings, Learned, Method, Window};

crate::params! {
    /// Days an address is learned before a new identity is reported.
    closed_season_d: u32 = 7, 1..=365;
    /// Days of silence after which an identity is forgotten, and is new again.
    time_to_death_d: u32 = 30, 1..=365;
    /// Identities of one address past which it is an exchange or a gateway, and nothing is said.
    identities_max: u32 = 8, 2..=64;
}

const DAY_S: u32 = 86_400;
/// Ages are looked at every hour.
const TICK_S: u32 = 3_600;
/// Identities remembered of an address; more make it a gateway for good.
const IDENTITIES_KEPT: usize = 64;

/// See the file.
pub struct SipProxy;

#[derive(Serialize, Deserialize)]
struct Identity {
    first: Time,
    last: Time,
    /// Came after the season, and is not told enough of.
    new: bool,
}

/// The identities one address speaks for.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    since: Option<Time>,
    identities: BTreeMap<Box<str>, Identity>,
    /// It had more identities than are kept.
    gateway: bool,
    server: Option<Target>,
}

impl Method for SipProxy {
    const META: MethodMeta = MethodMeta {
        code: "SIPPROXY",
        slug: "sipproxy",
        family: "policy",
        title: "New telephone identity at a known address",
        submethods: &[SubmethodMeta {
            name: "General",
            about: "An address whose identities are known registers or calls as another one, with success.",
            rules: &[&[
                Clause::at_least("identities", "two"),
                Clause::at_most("identities", "identities_max"),
                Clause::at_least("learned", "season"),
            ]],
            reason: "{source} speaks for {fresh} since {span}; in the time before it was {known} alone",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0005",
                technique: "T1078",
            }],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[(Protocol::Sip, Kind::Request)],
            fields: &["sip.method", "sip.client", "sip.from"],
            ..Reads::NOTHING
        },
        needs: &[Need::Payload],
        same_as: &[],
        manual: Manual {
            what: "A stolen telephone account is used from where another one lives; or a telephone was turned into a \
                   relay for calls of strangers.",
            basis: "Identities (From) of an address's REGISTER and INVITE requests that were accepted. An identity that \
                    appears after closed_season_d days is new until it was seen for a day.",
            bias: "Tries without success do not count: SIPSCAN tells of those. An address with more than identities_max \
                   identities is an exchange and is left alone.",
            false_positives: "A second line on a telephone, a new colleague at a desk, addresses given anew by DHCP.",
            response: "Ask who uses the identity, and whether it is registered elsewhere at the same time.",
        },
    };
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn window(params: &Params) -> Window {
        Window::idle_s(params.time_to_death_d * DAY_S).tick_s(TICK_S)
    }

    fn cells_of_transaction(_: &Params, transaction: &Transaction, cells: &mut Cells) {
        let counts = matches!(transaction.text("sip.method"), Some("REGISTER" | "INVITE"))
            && transaction.outcome == Outcome::Accepted
            && transaction.text("sip.from").is_some_and(|from| !from.is_empty());
        if let Some(client) = transaction.ip("sip.client").filter(|_| counts) {
            cells.add(CellKey::host(client));
        }
    }

    fn on_transaction(params: &Params, state: &mut State, cell: &CellKey, transaction: &Transaction) {
        let at = transaction.end;
        let since = *state.since.get_or_insert(at);
        let Some(name) = transaction.text("sip.from") else {
            return;
        };
        let key = &transaction.key;
        state.server = Some(match cell.host == key.initiator_ip {
            true => Target::service(key.responder_ip, key.responder_port),
            false => Target::service(key.initiator_ip, key.initiator_port),
        });
        if let Some(known) = state.identities.get_mut(name) {
            known.last = known.last.max(at);
        } else if state.identities.len() >= IDENTITIES_KEPT {
            state.gateway = true;
        } else {
            let new = at.since(since) >= span(params.closed_season_d);
            state.identities.insert(
                name.into(),
                Identity {
                    first: at,
                    last: at,
                    new,
                },
            );
        }
    }

    fn on_tick(params: &Params, state: &mut State, _: &CellKey, now: Time) {
        state
            .identities
            .retain(|_, known| now.since(known.last) < span(params.time_to_death_d));
        for known in state.identities.values_mut() {
            known.new &= now.since(known.first) < span(1);
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let fresh = || state.identities.iter().filter(|(_, known)| known.new);
        let Some((_, first)) = fresh().min_by_key(|(_, known)| known.first) else {
            return;
        };
        if state.gateway || !out.due("General") {
            return;
        }
        let names = |new: bool| {
            let all = state.identities.iter().filter(|(_, known)| known.new == new);
            Quantity::Texts(all.map(|(name, _)| name.clone()).collect())
        };
        let last = fresh().map(|(_, known)| known.last).max().unwrap_or(first.last);
        let since = state.since.unwrap_or(first.first);
        let days = first.first.since(since) / span(1);
        let facts = Facts::new()
            .input("identities", Quantity::Count(state.identities.len() as u64))
            .input("learned", Quantity::Count(days.unsigned_abs()))
            .input("fresh", names(true))
            .input("known", names(false))
            .limit("two", Quantity::Count(2))
            .limit("identities_max", Quantity::Count(params.identities_max.into()))
            .limit("season", Quantity::Count(params.closed_season_d.into()));
        if let Some(verdict) = out.judge("General", facts) {
            verdict
                .targets(state.server, u64::from(state.server.is_some()))
                .span(first.first, last)
                .detail("IDList", names(true))
                .evidence(FlowFilter {
                    host: Some(cell.host),
                    protocol: Some(Protocol::Sip),
                    ..FlowFilter::default()
                });
        }
    }
}

/// Days in nanoseconds.
fn span(days: u32) -> i64 {
    i64::from(days) * i64::from(DAY_S) * NANOS_PER_S
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::check;

    /// Ten days with one identity, then another one.
    fn then(line: &str) -> String {
        format!(
            "@0s tx sip/request every 12h x21 10.0.0.5 <> 10.0.0.9:5060 outcome=accepted sip.method=REGISTER sip.client=10.0.0.5 sip.from=kim@pbx
             {line}"
        )
    }

    const OTHER: &str = "@10d tx sip/request every 1h x3 10.0.0.5 <> 10.0.0.9:5060 outcome=accepted sip.method=REGISTER sip.client=10.0.0.5 sip.from=boss@pbx";

    #[test]
    fn another_identity() {
        check::<SipProxy>(
            &then(OTHER),
            expect![[r#"
            SIPPROXY.General 50 % after 864000 s, 4 findings, 1 targets: 10.0.0.5 speaks for boss@pbx since 2 h; in the time before it was kim@pbx alone
              identities >= two and identities <= identities_max and learned >= season; silent at identities 2, identities 8, learned 7; ip 10.0.0.5 and app sip
        "#]],
        );
    }

    /// Refused; within the season; the only one; an exchange; asked, not asking.
    #[test]
    fn nothing_new() {
        check::<SipProxy>(&then(&OTHER.replace("accepted", "refused")), expect![[""]]);
        check::<SipProxy>(&then(&OTHER.replace("@10d", "@5d")), expect![[""]]);
        check::<SipProxy>(OTHER, expect![[""]]);
        check::<SipProxy>(
            &then(OTHER)
                .replace("x21", "x189")
                .replace("12h", "80min")
                .replace("kim@pbx", "{1..9}@pbx"),
            expect![[""]],
        );
        check::<SipProxy>(
            &then(&OTHER.replace("sip.client=10.0.0.5", "sip.client=10.0.0.9")),
            expect![[""]],
        );
    }
}
