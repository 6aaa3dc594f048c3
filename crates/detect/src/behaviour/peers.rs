//! PEERS: a host suddenly has far more partners than in any hour of its own past. It is judged against itself only, so
//! it is silent until a day was learned; the history is learned state.

use std::collections::VecDeque;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{
    Clause, Facts, FlowFilter, FlowRecord, Manual, Maturity, MethodMeta, Priority, Quantity, Reads, Scope,
    SubmethodMeta, Target, Technique, Time,
};

use crate::address::is_group;
use crate::baseline::{Distinct, Spread};
use crate::{CellKey, Cells, Findings, Learned, Method, Window};

crate::params! {
    /// Hours of history a host is compared with. A week keeps nights and week-ends apart from mornings.
    window_length_h: u32 = 168, 24..=720;
    /// Hours to learn before anything is said.
    learn_h: u32 = 24, 12..=720;
    /// Standard deviations above the mean of past hours.
    sigmas: f64 = 3.0, 1.0..=100.0;
    /// Growth over the mean of past hours, per cent.
    threshold_pct: f64 = 100.0, 10.0..=100_000.0;
    /// Partners in an hour below which no growth is reported.
    partners_min_count: u32 = 50, 2..=1_000_000;
    /// Packets a host sends to a partner in one flow before it counts as one.
    packets_min_count: u64 = 1, 1..=1000;
    /// Hosts that are left out, as prefixes: resolvers, proxies, mail servers.
    exclude_servers: Vec<IpNet> = Vec::new();
}

const HOUR_S: u32 = 3_600;
/// A host that was away for longer starts to learn anew, seconds.
const IDLE_S: u32 = 259_200;
/// Least share of the mean taken for the standard deviation.
const SIGMA_FLOOR: f64 = 0.1;
/// Partners of the hour that are named, from half of those that a report needs: most hours have nothing to tell.
const TARGETS_LISTED_MAX: usize = 32;

/// See the file.
pub struct Peers;

/// A host's hour and its past hours.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    partners: Distinct,
    listed: Vec<Target>,
    span: Option<(Time, Time)>,
    /// Partners of past hours, oldest first; at most `window_length_h`.
    past: VecDeque<u32>,
}

impl Method for Peers {
    const META: MethodMeta = MethodMeta {
        code: "PEERS",
        slug: "peers",
        family: "behaviour",
        title: "Unusually many partners",
        submethods: &[SubmethodMeta {
            name: "PeersIncrease",
            about: "A host opens conversations with far more hosts within an hour than in any hour before",
            rules: &[&[
                Clause::above("partners", "usual_max"),
                Clause::above("partners", "peak"),
                Clause::at_least("partners", "partners_min_count"),
                Clause::at_least("increase", "threshold"),
                Clause::at_least("learned", "learn_min"),
            ]],
            reason: "{source} has {partners} partners this hour; over {learned} hours before it had {mean} with sigma {sigma}, at most {peak}",
            needs: &[],
            techniques: &[Technique {
                tactic: "TA0007",
                technique: "T1046",
            }],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads::ENDED_FLOWS,
        needs: &[],
        same_as: &["SCANS", "DIVCOM"],
        manual: Manual {
            what: "A host that knew a few others and now talks to hundreds spreads, searches, or has got a new task.",
            basis: "Different responders of an inside host's flows per hour, against mean, sigma and the highest hour of its own past. Hours without traffic count as none.",
            bias: "Silent until learn_h hours of the host were seen; without learned state (--learned) the history is lost at a restart. The highest past hour must be exceeded as well, so that mornings after quiet nights say nothing. An hour that was reported is not learned.",
            false_positives: "A new server in service, a migration, a program update by peer-to-peer.",
            response: "Look at the ports and at who answered; see whether SCANS or DIVCOM name the same host.",
        },
    };
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn learning(params: &Params, state: &State) -> Option<(u64, u64)> {
        Some((state.past.len() as u64, params.learn_h.into()))
    }

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(HOUR_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        if key.is_ip()
            && flow.initiator_inside
            && flow.forward_total.packets >= params.packets_min_count
            && !is_group(key.responder_ip)
            && !params
                .exclude_servers
                .iter()
                .any(|prefix| prefix.contains(&key.initiator_ip))
        {
            cells.add(CellKey::initiator(key));
        }
    }

    fn on_flow(params: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let (first, last) = state.span.unwrap_or((flow.flow_start, flow.end));
        state.span = Some((first.min(flow.flow_start), last.max(flow.end)));
        if state.partners.add(flow.key.responder_ip)
            && state.listed.len() < TARGETS_LISTED_MAX
            && state.partners.count() * 2 > params.partners_min_count.into()
        {
            state.listed.push(Target::ip(flow.key.responder_ip));
        }
    }

    fn on_tick(params: &Params, state: &mut State, _: &CellKey, _: Time) {
        let reported = facts(params, state).is_some_and(|facts| {
            Self::META
                .submethods
                .iter()
                .any(|one| one.holds(&facts).is_some())
        });
        if !reported {
            while state.past.len() >= params.window_length_h as usize {
                state.past.pop_front();
            }
            state
                .past
                .push_back(u32::try_from(state.partners.count()).unwrap_or(u32::MAX));
        }
        (state.partners, state.span) = (Distinct::default(), None);
        state.listed.clear();
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some((first, last)) = state.span.filter(|_| out.due("PeersIncrease")) else {
            return;
        };
        let Some(facts) = facts(params, state) else { return };
        let (mean, increase) = (facts.limit_number("mean"), facts.input_number("increase"));
        let partners = state.partners.count();
        if let Some(verdict) = out.judge("PeersIncrease", facts) {
            verdict
                .targets(state.listed.clone(), partners)
                .span(first, last)
                .detail("CurrentValue", Quantity::Count(partners))
                .detail("ComparedValue", Quantity::Ratio(mean.unwrap_or_default()))
                .detail("Increase", Quantity::Ratio(increase.unwrap_or_default()))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    ..FlowFilter::default()
                });
        }
    }
}

/// The hour beside the past; nothing while the rule cannot hold, to spare the sums.
fn facts(params: &Params, state: &State) -> Option<Facts> {
    let partners = state.partners.count();
    if partners < params.partners_min_count.into() || state.past.len() < params.learn_h as usize {
        return None;
    }
    let mut spread = Spread::default();
    state.past.iter().for_each(|count| spread.add(f64::from(*count)));
    let sigma = spread.deviation().max(SIGMA_FLOOR * spread.mean());
    let growth = (partners as f64 / spread.mean().max(1.0) - 1.0) * 100.0;
    let peak = state.past.iter().copied().max().unwrap_or_default();
    Some(
        Facts::new()
            .input("partners", Quantity::Count(partners))
            .input("increase", Quantity::Ratio(growth))
            .input("learned", Quantity::Count(state.past.len() as u64))
            .baseline("mean", Quantity::Ratio(spread.mean()))
            .baseline("sigma", Quantity::Ratio(sigma))
            .baseline("peak", Quantity::Count(peak.into()))
            .baseline(
                "usual_max",
                Quantity::Ratio(spread.mean() + params.sigmas * sigma),
            )
            .limit(
                "partners_min_count",
                Quantity::Count(params.partners_min_count.into()),
            )
            .limit("threshold", Quantity::Ratio(params.threshold_pct))
            .limit("learn_min", Quantity::Count(params.learn_h.into())),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::check;

    /// Thirty hours with ten partners each, then many.
    fn day_then(count: u32) -> String {
        format!(
            "@1s every 60s x1800 10.0.0.5 <> 10.0.0.{{11..20}}:443 tcp APRSF 900/9 9000/9
             @30h every 1s x{count} 10.0.0.5 <> 10.0.1.{{1..250}}:443 tcp APRSF 900/9 9000/9"
        )
    }

    #[test]
    fn a_host_that_spreads() {
        check::<Peers>(
            &day_then(60),
            expect![[r#"
            PEERS.PeersIncrease 100 % after 108049 s, 2 findings, 60 targets: 10.0.0.5 has 60 partners this hour; over 30 hours before it had 10 with sigma 1, at most 10
              partners > usual_max and partners > peak and partners >= partners_min_count and increase >= threshold and learned >= learn_min; silent at partners 13, partners 10, partners 50, increase 100, learned 24; src ip 10.0.0.5
        "#]],
        );
    }

    /// Too few; not a day learned; a morning like yesterday's; an outside host.
    #[test]
    fn below_the_limits() {
        check::<Peers>(&day_then(49), expect![[""]]);
        check::<Peers>(
            &day_then(60).replace("x1800", "x1300").replace("@30h", "@22h"),
            expect![[""]],
        );
        check::<Peers>(
            "@8h every 10s x200 10.0.0.5 <> 10.0.1.{1..100}:443 tcp APRSF 900/9 9000/9
             @9h every 600s x138 10.0.0.5 <> 10.0.1.1:443 tcp APRSF 900/9 9000/9
             @32h every 10s x200 10.0.0.5 <> 10.0.2.{1..100}:443 tcp APRSF 900/9 9000/9",
            expect![[""]],
        );
        check::<Peers>(&day_then(60).replace("10.0.0.5 ", "198.51.100.5 "), expect![[""]]);
    }
}
