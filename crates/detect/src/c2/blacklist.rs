//! BLACKLIST: a host talks to, or is visited by, something that a configured list names. Enrichment has looked every record
//! up already; here contacts are gathered per host, so that a beacon is one event and a failed knock from outside none.

use ipnet::IpNet;
use weir_model::{
    Clause, FlowRecord, IndicatorKind, Kind, ListClass, Manual, Maturity, MethodMeta, Need, Priority,
    Protocol, Reads, Rule, Scope, SeenAt, Sighting, SubmethodMeta, Technique, Transaction,
};

use super::listed::{Contacts, IDLE_S, Ignore};
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Flows or exchanges with listed hosts and names before a host is reported.
    sightings_min: u32 = 1, 1..=100_000;
    /// Reputation up to which an indicator counts: 0 is the worst, 100 safe. Lists say how sure they are.
    score_max: u8 = 60, 0..=100;
    /// Flows that ICMP says found nobody do not count.
    ignore_unreachable: bool = true;
    /// Attempts from outside that failed do not count: the noise of the Internet.
    ignore_unsucc_ext: bool = true;
    /// Attempts of our hosts that failed do not count. Off: a failed try is a sign still.
    ignore_unsucc_int: bool = false;
    /// Responder ports that do not count.
    ignore_ports: Vec<u16> = Vec::new();
    /// Hosts that are not reported, as prefixes: resolvers, mail filters, whoever looks at bad things by trade.
    ignore_sources: Vec<IpNet> = Vec::new();
}

const RULES: &[Rule] = &[&[
    Clause::at_least("sightings", "sightings_min"),
    Clause::at_most("score", "score_max"),
]];
const REASON: &str = "{Contacts} of {source} with {targets} in {span}: {Indicator} is on {BlacklistNames} \
                      ({Type}, reputation {score}, {IndicatorAge})";
const WEB: Technique = Technique {
    tactic: "TA0011",
    technique: "T1071.001",
};
const DNS: Technique = Technique {
    tactic: "TA0011",
    technique: "T1071.004",
};
const CHANNEL: Technique = Technique {
    tactic: "TA0011",
    technique: "T1071",
};

const fn submethod(
    name: &'static str,
    about: &'static str,
    needs: &'static [Need],
    techniques: &'static [Technique],
) -> SubmethodMeta {
    SubmethodMeta {
        name,
        about,
        rules: RULES,
        reason: REASON,
        needs,
        techniques,
    }
}

/// See the file.
pub struct Blacklist;

impl Blacklist {
    /// The submethod (index) that tells of a sighting.
    fn submethod_of(seen: &Sighting) -> Option<u8> {
        let name = match (seen.class, seen.kind, seen.at) {
            (ListClass::Bundle, _, _) => return None,
            (ListClass::Application, _, _) => "Application",
            (_, _, SeenAt::DnsName) => "Domain",
            (_, _, SeenAt::WebName | SeenAt::WebTarget) => "Web",
            (_, IndicatorKind::Service, _) => "Service",
            (_, IndicatorKind::Ja3, _) => "JA3",
            (_, IndicatorKind::Ja4, _) => "JA4",
            (_, IndicatorKind::Certificate, _) => "Certificate",
            _ => "Host",
        };
        let at = Self::META
            .submethods
            .iter()
            .position(|known| known.name == name)?;
        Some(at as u8)
    }

    /// Adds a cell for each submethod the sightings belong to, as far as one record may have cells.
    fn cells(sightings: &[Sighting], key: &weir_model::FlowKey, cells: &mut Cells) {
        let mut seen: Vec<u8> = sightings.iter().filter_map(Self::submethod_of).collect();
        seen.sort_unstable();
        seen.dedup();
        for role in seen.into_iter().take(Cells::MAX) {
            cells.add(CellKey::initiator(key).role(role));
        }
    }
}

fn ignore(params: &Params) -> Ignore<'_> {
    Ignore {
        unreachable: params.ignore_unreachable,
        unsuccessful_external: params.ignore_unsucc_ext,
        unsuccessful_internal: params.ignore_unsucc_int,
        ports: &params.ignore_ports,
        sources: &params.ignore_sources,
    }
}

fn of_cell<'a>(sightings: &'a weir_model::Sightings, cell: &CellKey) -> impl Iterator<Item = &'a Sighting> {
    let role = cell.role;
    sightings
        .iter()
        .flat_map(|all| all.iter())
        .filter(move |seen| Blacklist::submethod_of(seen) == Some(role))
}

impl Method for Blacklist {
    const META: MethodMeta = MethodMeta {
        code: "BLACKLIST",
        slug: "blacklist",
        family: "c2",
        title: "Contact with something listed",
        submethods: &[
            submethod("Host", "A flow to or from a listed address.", &[], &[CHANNEL]),
            submethod("Service", "A flow to a listed address and port.", &[], &[CHANNEL]),
            submethod(
                "Web",
                "A web request or TLS handshake for a listed name or URL.",
                &[Need::Payload],
                &[WEB],
            ),
            submethod(
                "Domain",
                "A DNS question for a listed domain.",
                &[Need::Payload],
                &[DNS],
            ),
            submethod(
                "JA3",
                "A TLS client with a listed JA3 fingerprint.",
                &[Need::Payload],
                &[WEB],
            ),
            submethod(
                "JA4",
                "A TLS client with a listed JA4 fingerprint.",
                &[Need::Payload],
                &[WEB],
            ),
            submethod(
                "Certificate",
                "A TLS server with a listed certificate.",
                &[Need::Payload],
                &[WEB],
            ),
            submethod(
                "Application",
                "Contact with a listed class of applications or sites.",
                &[],
                &[],
            ),
        ],
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
        needs: &[Need::Lists],
        same_as: &[],
        manual: Manual {
            what: "Lists name hosts, services, names, URLs and TLS fingerprints of criminals. A host of ours that talks to \
                   one may be theirs already; one of theirs that reaches us is trying.",
            basis: "Every flow and every DNS, web and TLS exchange is looked up in the lists of [[indicators]]. Domains \
                    match themselves and what is below them. Contacts of one initiator are gathered; the event names the \
                    indicator, the list, what it is listed for and how old that is. An expired indicator does not match.",
            bias: "Silent without lists. Attempts from outside that failed do not count, nor what a list of known good \
                   things (allow = true) names, nor prefixes wider than /8, nor public suffixes.",
            false_positives: "Shared hosting and content networks: many sites behind a listed address. Old entries: give \
                              the list expire_days. Resolvers ask for everybody: put them into ignore_sources.",
            response: "Look at the amounts and the regularity, then at the host. Several lists and a young entry weigh more.",
        },
    };
    type Params = Params;
    type State = Contacts;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        if let Some(sightings) = &flow.sightings
            && !ignore(params).flow(flow)
        {
            Self::cells(sightings, &flow.key, cells);
        }
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        if let Some(sightings) = &transaction.sightings
            && !ignore(params).transaction(transaction)
        {
            Self::cells(sightings, &transaction.key, cells);
        }
    }

    fn on_flow(_: &Params, state: &mut Contacts, cell: &CellKey, flow: &FlowRecord) {
        state.flow(flow, of_cell(&flow.sightings, cell));
    }

    fn on_transaction(_: &Params, state: &mut Contacts, cell: &CellKey, transaction: &Transaction) {
        state.transaction(transaction, of_cell(&transaction.sightings, cell));
    }

    fn judge(params: &Params, state: &Contacts, cell: &CellKey, out: &mut Findings<'_>) {
        let Some(submethod) = Self::META.submethods.get(usize::from(cell.role)) else {
            return;
        };
        if !out.due(submethod.name) {
            return;
        }
        let facts = state.facts(params.sightings_min, params.score_max);
        if let Some(verdict) = out.judge(submethod.name, facts) {
            state.tell(cell.host, verdict);
        }
    }
}

#[cfg(test)]
mod tests;
