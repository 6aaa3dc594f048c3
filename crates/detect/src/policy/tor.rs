//! TOR: hosts inside that enter the Tor network, and its relays at our servers, told by the published addresses of the
//! relays and by the handshake. There is no list in the program, because it changes by the hour: the operator names one.

mod handshake;
mod meta;
mod relays;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{
    Facts, FlowFilter, FlowKey, FlowRecord, MethodMeta, Need, Quantity, Target, Time, Transaction, proto,
};

use crate::baseline::{Distinct, Top};
use crate::{CellKey, Cells, Findings, Method, Window};
use relays::Relays;

crate::params! {
    /// Relays as `address` or `address:port`, best as `{ file = "relays.txt" }` with one a line (any published relay
    /// or exit list). Empty: nothing is said.
    relays: Relays = Relays::default();
    /// Tries of inside hosts that came to nothing do not count.
    client_ignore_unsuc: bool = true;
    /// Tries of relays at our servers that came to nothing do not count.
    server_ignore_unsuc: bool = true;
    /// Hosts that are watched, as prefixes. Empty: all inside hosts.
    monitored_devices: Vec<IpNet> = Vec::new();
    /// Flows before anything is said. More is quieter.
    flows_min: u32 = 1, 1..=100_000;
    /// Handshakes of Tor's kind before anything is said.
    handshakes_min: u32 = 1, 1..=100_000;
}

/// Silence that ends an event, seconds.
const IDLE_S: u32 = 3_600;
const TARGETS_LISTED_MAX: usize = 16;
const CLIENT: u8 = 0;
const SERVER: u8 = 1;
const HANDSHAKE: u8 = 2;

/// See the file.
pub struct Tor;

/// Flows of one host with relays, or of one relay with hosts, or handshakes of one host.
#[derive(Default)]
pub struct State {
    flows: u32,
    handshakes: u32,
    /// Name asked for and certificate shown, of the latest handshake.
    names: (Box<str>, Box<str>),
    answered: bool,
    uploaded: u64,
    downloaded: u64,
    peers: Distinct<TARGETS_LISTED_MAX>,
    listed: Vec<Target>,
    ports: Top<u16, 8>,
    span: Option<(Time, Time)>,
}

impl Method for Tor {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;

    fn unconfigured(params: &Params) -> Vec<(&'static str, Need)> {
        if !params.relays.is_empty() {
            return Vec::new();
        }
        let list = Need::Configured("a list of relays in methods.tor.relays");
        vec![("ClientDirectAccess", list), ("ServerAccess", list)]
    }

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        if params.relays.is_empty()
            || flow.initiator_inside == flow.responder_inside
            || !matches!(key.proto, proto::TCP | proto::UDP)
            || flow.forward_total.packets == 0
        {
            return;
        }
        let worked = match key.proto {
            proto::TCP => flow.established(),
            _ => flow.answered(),
        };
        if flow.initiator_inside {
            if (worked || !params.client_ignore_unsuc)
                && params.relays.enters(key.responder_ip, key.responder_port)
                && watched(params, key.initiator_ip)
            {
                cells.add(CellKey::initiator(key).role(CLIENT));
            }
        } else if (worked || !params.server_ignore_unsuc)
            && params.relays.has(key.initiator_ip)
            && watched(params, key.responder_ip)
        {
            cells.add(CellKey::initiator(key).role(SERVER));
        }
    }

    fn cells_of_transaction(params: &Params, handshake: &Transaction, cells: &mut Cells) {
        let key = &handshake.key;
        if handshake.initiator_inside
            && !handshake.responder_inside
            && watched(params, key.initiator_ip)
            && handshake::is_tors(handshake)
        {
            cells.add(CellKey::initiator(key).role(HANDSHAKE));
        }
    }

    fn on_transaction(_: &Params, state: &mut State, _: &CellKey, handshake: &Transaction) {
        state.reach(handshake.start, handshake.end, &handshake.key);
        state.handshakes = state.handshakes.saturating_add(1);
        let name = |field| Box::from(handshake.text(field).unwrap_or_default());
        state.names = (name("tls.sni"), name("tls.cert_subject"));
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        state.reach(flow.flow_start, flow.end, &flow.key);
        state.flows = state.flows.saturating_add(1);
        state.answered |= flow.answered();
        state.uploaded = state.uploaded.saturating_add(flow.forward_total.bytes);
        state.downloaded = state
            .downloaded
            .saturating_add(flow.reverse_total_or_zero().bytes);
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let submethod = match cell.role {
            CLIENT => "ClientDirectAccess",
            SERVER => "ServerAccess",
            _ => "ClientHandshake",
        };
        let Some((first, last)) = state.span.filter(|_| out.due(submethod)) else {
            return;
        };
        let facts = if cell.role == HANDSHAKE {
            Facts::new()
                .input("handshakes", Quantity::Count(state.handshakes.into()))
                .limit("handshakes_min", Quantity::Count(params.handshakes_min.into()))
        } else {
            Facts::new()
                .input("flows", Quantity::Count(state.flows.into()))
                .limit("flows_min", Quantity::Count(params.flows_min.into()))
        };
        let Some(verdict) = out.judge(submethod, facts) else {
            return;
        };
        let mut ports: Vec<u64> = state
            .ports
            .heaviest()
            .iter()
            .map(|(port, _)| u64::from(*port))
            .collect();
        ports.sort_unstable();
        let one = state.listed.first().filter(|_| state.peers.count() == 1);
        let verdict = verdict
            .targets(state.listed.clone(), state.peers.count())
            .span(first, last)
            .detail("TargetCount", Quantity::Count(state.peers.count()))
            .detail("PortList", Quantity::Counts(ports));
        let verdict = if cell.role == HANDSHAKE {
            verdict
                .detail("name", Quantity::Text(state.names.0.to_string().into()))
                .detail("certificate", Quantity::Text(state.names.1.to_string().into()))
        } else {
            verdict
                .detail("Success", Quantity::Flag(state.answered))
                .detail("UploadedData", Quantity::Bytes(state.uploaded))
                .detail("DownloadedData", Quantity::Bytes(state.downloaded))
        };
        verdict
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder: one.and_then(|target| target.ip),
                ..FlowFilter::default()
            })
            .exact();
    }
}

impl State {
    /// A flow or handshake more: its time, peer and port.
    fn reach(&mut self, start: Time, end: Time, key: &FlowKey) {
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
        self.ports.add(key.responder_port, 1);
        let target = Target::service(key.responder_ip, key.responder_port);
        if self.peers.add(target) && self.listed.len() < TARGETS_LISTED_MAX {
            self.listed.push(target);
        }
    }
}

fn watched(params: &Params, host: IpAddr) -> bool {
    params.monitored_devices.is_empty()
        || params
            .monitored_devices
            .iter()
            .any(|prefix| prefix.contains(&host))
}
