//! THREATS: the indicators of one briefing, each briefing a submethod of its own. What BLACKLIST is to lists, this is to
//! reports on a campaign: the event carries the report's words.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{
    Clause, FlowRecord, Kind, ListClass, Manual, Maturity, MethodMeta, Need, Priority, Protocol, Quantity,
    Reads, Rule, Scope, Sighting, Sightings, SubmethodMeta, Technique, Transaction,
};

use super::listed::{Contacts, IDLE_S, Ignore};
use crate::{CellKey, Cells, Findings, Method, Window};

/// What a briefing says beside its indicators.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Briefing {
    /// Name of the submethod and of the list of its indicators.
    pub name: String,
    /// One line.
    pub title: String,
    /// What people should know, a few paragraphs.
    pub text: String,
}

crate::params! {
    /// Flows or exchanges with what a briefing names before a host is reported.
    sightings_min: u32 = 1, 1..=100_000;
    /// Reputation up to which an indicator counts: 0 is the worst, 100 safe.
    score_max: u8 = 60, 0..=100;
    /// Flows that ICMP says found nobody do not count.
    ignore_unreachable: bool = true;
    /// Attempts from outside that failed do not count.
    ignore_unsucc_ext: bool = true;
    /// Attempts of our hosts that failed do not count.
    ignore_unsucc_int: bool = false;
    /// Responder ports that do not count.
    ignore_ports: Vec<u16> = Vec::new();
    /// Hosts that are not reported, as prefixes.
    ignore_sources: Vec<IpNet> = Vec::new();
    /// The briefings; filled from the files that [[briefings]] names.
    briefings: Vec<Briefing> = Vec::new();
}

/// Briefings in one instance: the role of a cell is the briefing's number.
pub const BRIEFINGS_MAX: usize = 255;

const RULES: &[Rule] = &[&[
    Clause::at_least("sightings", "sightings_min"),
    Clause::at_most("score", "score_max"),
]];

/// See the file.
pub struct Threats;

fn ignore(params: &Params) -> Ignore<'_> {
    Ignore {
        unreachable: params.ignore_unreachable,
        unsuccessful_external: params.ignore_unsucc_ext,
        unsuccessful_internal: params.ignore_unsucc_int,
        ports: &params.ignore_ports,
        sources: &params.ignore_sources,
    }
}

/// Number of the briefing a sighting belongs to.
fn briefing_of(params: &Params, seen: &Sighting) -> Option<u8> {
    if seen.class != ListClass::Bundle {
        return None;
    }
    let at = params
        .briefings
        .iter()
        .position(|briefing| *briefing.name == *seen.list)?;
    u8::try_from(at).ok()
}

fn cells_of(params: &Params, sightings: &[Sighting], key: &weir_model::FlowKey, cells: &mut Cells) {
    let mut seen: Vec<u8> = sightings
        .iter()
        .filter_map(|seen| briefing_of(params, seen))
        .collect();
    seen.sort_unstable();
    seen.dedup();
    for role in seen.into_iter().take(Cells::MAX) {
        cells.add(CellKey::initiator(key).role(role));
    }
}

fn of_cell<'a>(
    params: &'a Params,
    sightings: &'a Sightings,
    cell: &CellKey,
) -> impl Iterator<Item = &'a Sighting> {
    let role = cell.role;
    sightings
        .iter()
        .flat_map(|all| all.iter())
        .filter(move |seen| briefing_of(params, seen) == Some(role))
}

impl Method for Threats {
    const META: MethodMeta = MethodMeta {
        code: "THREATS",
        slug: "threats",
        family: "c2",
        title: "Contact that a briefing warns of",
        submethods: &[SubmethodMeta {
            name: "Briefing",
            about: "Contact with an indicator of a briefing. Every configured briefing stands here under its own name.",
            rules: RULES,
            reason: "{Contacts} of {source} with {targets} in {span}: {Indicator} belongs to {Briefing} \
                     ({IndicatorAge})",
            needs: &[Need::Briefings],
            techniques: &[Technique {
                tactic: "TA0011",
                technique: "T1071",
            }],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[
                (Protocol::Dns, Kind::Query),
                (Protocol::Http, Kind::Request),
                (Protocol::Tls, Kind::Handshake),
            ],
            ..Reads::ALL_FLOWS
        },
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "A report on a campaign names its hosts, domains, URLs and fingerprints. A host that touches one of them \
                   has to do with that campaign, and the event says with which and what is known of it.",
            basis: "The files of [[briefings]] hold a name, a title, a text and the indicators. They are looked up as those \
                    of BLACKLIST, with the same exceptions, and told under the briefing's name.",
            bias: "Silent without briefings. What a list names as well is told by BLACKLIST, too: the briefing is to be read.",
            false_positives: "Indicators that many share: addresses of content networks, file exchanges. Take them out of \
                              the briefing.",
            response: "Read the briefing in the event's detail; it says what the intruder does next.",
        },
    };
    type Params = Params;
    type State = Contacts;

    /// One submethod per briefing. Lives as long as the program: made once for each time the configuration is read.
    fn meta(params: &Params) -> &'static MethodMeta {
        let model = &Self::META.submethods[0];
        if params.briefings.is_empty() {
            return const { &Self::META };
        }
        let submethods = params
            .briefings
            .iter()
            .take(BRIEFINGS_MAX)
            .map(|briefing| SubmethodMeta {
                name: briefing.name.clone().leak(),
                about: briefing.title.clone().leak(),
                rules: model.rules,
                reason: model.reason,
                needs: model.needs,
                techniques: model.techniques,
            });
        let submethods: Vec<SubmethodMeta> = submethods.collect();
        Box::leak(Box::new(MethodMeta {
            submethods: submethods.leak(),
            ..Self::META
        }))
    }

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        if let Some(sightings) = &flow.sightings
            && !ignore(params).flow(flow)
        {
            cells_of(params, sightings, &flow.key, cells);
        }
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        if let Some(sightings) = &transaction.sightings
            && !ignore(params).transaction(transaction)
        {
            cells_of(params, sightings, &transaction.key, cells);
        }
    }

    fn on_flow(params: &Params, state: &mut Contacts, cell: &CellKey, flow: &FlowRecord) {
        state.flow(flow, of_cell(params, &flow.sightings, cell));
    }

    fn on_transaction(params: &Params, state: &mut Contacts, cell: &CellKey, transaction: &Transaction) {
        state.transaction(transaction, of_cell(params, &transaction.sightings, cell));
    }

    fn judge(params: &Params, state: &Contacts, cell: &CellKey, out: &mut Findings<'_>) {
        let Some(briefing) = params.briefings.get(usize::from(cell.role)) else {
            return;
        };
        if !out.due(&briefing.name) {
            return;
        }
        let facts = state.facts(params.sightings_min, params.score_max);
        if let Some(verdict) = out.judge(&briefing.name, facts) {
            let verdict = verdict
                .detail("Briefing", Quantity::Text(briefing.title.as_str().into()))
                .detail("BriefingText", Quantity::Text(briefing.text.as_str().into()));
            state.tell(cell.host, verdict);
        }
    }
}

#[cfg(test)]
mod tests;
