//! WEBSHARE: hosts that visit file-sharing sites, or move much with them, told by the server's name. A handshake names
//! the site, the flow it belongs to tells the bytes.

mod sites;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use ipnet::IpNet;
use weir_model::{
    Clause, Facts, FlowFilter, FlowId, FlowRecord, Kind, Manual, Maturity, MethodMeta, Need, Priority,
    Protocol, Quantity, Reads, Scope, SubmethodMeta, Target, Technique, Time, Transaction,
};

use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Method, Window};
use sites::{SITES, site};

crate::params! {
    /// Hosts whose transfers are measured, as prefixes. Empty: visits of all inside hosts are told, not amounts.
    lan_filter: Vec<IpNet> = Vec::new();
    /// Flows in which one side said nothing do not count.
    ignore_sngl: bool = true;
    /// Bytes sent to sites before a transfer is reported, MiB.
    minimal_up_mib: f64 = 10.0, 0.001..=1_000_000.0;
    /// Bytes received from sites before a transfer is reported, MiB.
    minimal_down_mib: f64 = 100.0, 0.001..=1_000_000.0;
    /// Drives of cloud providers count beside sites for anybody's files.
    cloud_services: bool = true;
    /// Visits before they are reported.
    visits_min: u32 = 1, 1..=100_000;
}

/// Silence that ends an event, seconds.
const IDLE_S: u32 = 3_600;
/// Connections to sites whose ends are awaited; a browser holds a handful.
const OPEN_MAX: usize = 32;
/// Flows shorter than this are not looked up: they move nothing worth telling.
const FLOW_BYTES_MIN: u64 = 16 << 10;
const MIB: f64 = 1_048_576.0;
const LISTED_MAX: usize = 8;
const TECHNIQUES: &[Technique] = &[Technique {
    tactic: "TA0010",
    technique: "T1567.002",
}];

/// See the file.
pub struct WebShare;

/// Sites of one host.
#[derive(Default)]
pub struct State {
    visits: u32,
    names: Vec<Box<str>>,
    targets: Distinct<LISTED_MAX>,
    listed: Vec<Target>,
    /// Connections to sites, oldest first.
    open: VecDeque<FlowId>,
    up: u64,
    down: u64,
    span: Option<(Time, Time)>,
}

impl Method for WebShare {
    const META: MethodMeta = MethodMeta {
        code: "WEBSHARE",
        slug: "webshare",
        family: "policy",
        title: "File sharing by web",
        submethods: &[
            SubmethodMeta {
                name: "SiteVisit",
                about: "A host visits a file-sharing site or a cloud drive",
                rules: &[&[Clause::at_least("visits", "visits_min")]],
                reason: "{source} visited {Description}: connections in {span}: {visits}",
                needs: &[],
                techniques: TECHNIQUES,
            },
            SubmethodMeta {
                name: "SiteTransfer",
                about: "A host moves much data with file-sharing sites or cloud drives",
                rules: &[
                    &[Clause::at_least("uploaded", "minimal_up")],
                    &[Clause::at_least("downloaded", "minimal_down")],
                ],
                reason: "{source} moved data with {Description} in {span} ({Direction}): {uploaded} sent, {downloaded} received",
                needs: &[Need::BothDirections],
                techniques: TECHNIQUES,
            },
        ],
        priority: Priority::Low,
        maturity: Maturity::Stable,
        scope: Scope::Initiator,
        reads: Reads {
            transactions: &[(Protocol::Tls, Kind::Handshake), (Protocol::Http, Kind::Request)],
            fields: &["tls.sni", "http.host"],
            ..Reads::ALL_FLOWS
        },
        needs: &[Need::Payload],
        same_as: &["UPLOAD", "HIGHTRANSF"],
        manual: Manual {
            what: "Files that go to strangers' servers leave the reach of the organisation; files that come from there were checked by nobody.",
            basis: "Server names of TLS handshakes and hosts of HTTP requests of inside hosts against a table of sites. With lan_filter set, the bytes of those connections per host; without it, visits are told.",
            bias: "Names hidden by encrypted hellos are not seen, nor sites that are not in the table. Bytes of a connection count when it was named before and is among the host's last 32.",
            false_positives: "Sites the organisation uses itself; links in pages that load from there.",
            response: "Ask whether the site is allowed. A large upload from a server is an incident.",
        },
    };
    type Params = Params;
    type State = State;

    fn unconfigured(params: &Params) -> Vec<(&'static str, Need)> {
        match params.lan_filter.is_empty() {
            true => vec![(
                "SiteTransfer",
                Need::Configured("hosts in methods.webshare.lan_filter"),
            )],
            false => Vec::new(),
        }
    }

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let (up, down) = (flow.forward.bytes, flow.reverse_or_zero().bytes);
        if matches!(key.responder_port, 80 | 443)
            && up.saturating_add(down) >= FLOW_BYTES_MIN
            && !flow.responder_inside
            && (!params.ignore_sngl || (up > 0 && down > 0))
            && params
                .lan_filter
                .iter()
                .any(|prefix| prefix.contains(&key.initiator_ip))
        {
            cells.add(CellKey::initiator(key));
        }
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        let key = &transaction.key;
        let watched = if params.lan_filter.is_empty() {
            transaction.initiator_inside
        } else {
            params
                .lan_filter
                .iter()
                .any(|prefix| prefix.contains(&key.initiator_ip))
        };
        if watched && visited(params, transaction).is_some() {
            cells.add(CellKey::initiator(key));
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        if state.open.contains(&flow.id) {
            state.up = state.up.saturating_add(flow.forward.bytes);
            state.down = state.down.saturating_add(flow.reverse_or_zero().bytes);
            state.reach(flow.start, flow.end);
        }
    }

    fn on_transaction(params: &Params, state: &mut State, _: &CellKey, transaction: &Transaction) {
        let Some(site) = visited(params, transaction) else {
            return;
        };
        state.reach(transaction.start, transaction.end);
        state.visits = state.visits.saturating_add(1);
        let name = SITES[site].name;
        if state.names.len() < LISTED_MAX && !state.names.iter().any(|known| **known == *name) {
            state.names.push(name.into());
        }
        let target = Target::service(transaction.key.responder_ip, transaction.key.responder_port);
        if state.targets.add(target) && state.listed.len() < LISTED_MAX {
            state.listed.push(target);
        }
        if !params.lan_filter.is_empty() && !state.open.contains(&transaction.flow) {
            if state.open.len() >= OPEN_MAX {
                state.open.pop_front();
            }
            state.open.push_back(transaction.flow);
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let submethod = if params.lan_filter.is_empty() {
            "SiteVisit"
        } else {
            "SiteTransfer"
        };
        let Some((first, last)) = state.span.filter(|_| out.due(submethod)) else {
            return;
        };
        let facts = Facts::new()
            .input("visits", Quantity::Count(state.visits.into()))
            .input("uploaded", Quantity::Bytes(state.up))
            .input("downloaded", Quantity::Bytes(state.down))
            .limit("visits_min", Quantity::Count(params.visits_min.into()))
            .limit(
                "minimal_up",
                Quantity::Bytes((params.minimal_up_mib * MIB) as u64),
            )
            .limit(
                "minimal_down",
                Quantity::Bytes((params.minimal_down_mib * MIB) as u64),
            );
        if let Some(verdict) = out.judge(submethod, facts) {
            let direction = match (state.up > state.down, submethod) {
                (_, "SiteVisit") => "not measured",
                (true, _) => "upload",
                (false, _) => "download",
            };
            verdict
                .targets(state.listed.clone(), state.targets.count())
                .span(first, last)
                .detail("Description", Quantity::Texts(state.names.clone()))
                .detail("Direction", Quantity::Text(direction.into()))
                .detail("UploadedData", Quantity::Bytes(state.up))
                .detail("DownloadedData", Quantity::Bytes(state.down))
                .evidence(FlowFilter {
                    initiator: Some(cell.host),
                    responder: state
                        .listed
                        .first()
                        .and_then(|one| one.ip)
                        .filter(|_| state.targets.count() == 1),
                    ..FlowFilter::default()
                });
        }
    }
}

impl State {
    fn reach(&mut self, start: Time, end: Time) {
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
    }
}

/// Index of the site whose name the transaction carries.
fn visited(params: &Params, transaction: &Transaction) -> Option<usize> {
    let name = transaction
        .text("tls.sni")
        .or_else(|| transaction.text("http.host"))?;
    let name = name.split_once(':').map_or(name, |(host, _)| host);
    site(name, params.cloud_services)
}
