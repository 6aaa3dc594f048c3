//! VPN: a host keeps up a private tunnel, told by the first packets of OpenVPN and WireGuard on any port, by the ports
//! and protocol numbers of known products, and by the shape of one long, heavy conversation that is nothing known.
//! Knowledge for the operator, no alarm: informational.

mod meta;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{Facts, FlowFilter, FlowRecord, MethodMeta, Phase, Protocol, Quantity, Target, Time, proto};

use crate::address::is_group;
use crate::baseline::Top;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Hosts that are watched, as prefixes. Empty: all inside hosts.
    lan_filter: Vec<IpNet> = Vec::new();
    /// Packets each way before a product's tunnel counts: fewer are probes.
    packets_min: u64 = 10, 1..=1_000_000;
    /// Look for unknown tunnels by their shape. Video calls and games have the same shape, so it is off by default.
    behaviour: bool = false;
    /// Length of a conversation that is a tunnel by its behaviour, minutes.
    minimal_time_min: u32 = 30, 1..=10_080;
    /// Bytes both ways of such a conversation, MiB.
    minimal_data_mib: u64 = 50, 1..=10_000_000;
    /// Share of it in all outside bytes of the host meanwhile, 0 to 1.
    share_min: f64 = 0.6, 0.05..=1.0;
    /// Share of the smaller direction in both, 0 to 1: downloads, uploads and streams go one way.
    balance_min: f64 = 0.1, 0.0..=0.5;
}

/// Silence that ends a tunnel, seconds.
const IDLE_S: u32 = 3_600;
const MIB: u64 = 1 << 20;
/// Peers whose bytes are told apart; the tunnel's end is the heaviest of them.
const PEERS_MAX: usize = 8;
/// The cell of a host's behaviour; roles below are indices into [`PRODUCTS`].
const BEHAVIOUR: u8 = 100;

/// A tunnelling product: submethod, words, protocol number, responder port (`None`: the protocol has no ports).
struct Product {
    submethod: &'static str,
    words: &'static str,
    proto: u8,
    port: Option<u16>,
}

const fn product(submethod: &'static str, words: &'static str, proto: u8, port: Option<u16>) -> Product {
    Product {
        submethod,
        words,
        proto,
        port,
    }
}

/// Ports as registered or as the products' manuals name them.
const PRODUCTS: &[Product] = &[
    product("OpenVPN", "OpenVPN over UDP", proto::UDP, Some(1194)),
    product("OpenVPN", "OpenVPN over TCP", proto::TCP, Some(1194)),
    product(
        "IPSec",
        "IPsec through address translation",
        proto::UDP,
        Some(4500),
    ),
    product("IPSec", "IPsec (ESP)", proto::ESP, None),
    product("MSPPTP", "PPTP", proto::TCP, Some(1723)),
    product("Hamachi", "Hamachi", proto::TCP, Some(12975)),
    product("WireGuard", "WireGuard", proto::UDP, Some(51820)),
    product("InternetTunnel", "L2TP", proto::UDP, Some(1701)),
    product("InternetTunnel", "ZeroTier", proto::UDP, Some(9993)),
    product("InternetTunnel", "Nebula", proto::UDP, Some(4242)),
    product("InternetTunnel", "tinc", proto::TCP, Some(655)),
];

/// See the file.
pub struct Vpn;

/// Bytes of a host with one outside peer and port.
type Peer = (IpAddr, u16, u8);

/// One product of a host, or all its talk with the outside.
#[derive(Default)]
pub struct State {
    span: Option<(Time, Time)>,
    up: (u64, u64),
    down: (u64, u64),
    peers: Top<Peer, PEERS_MAX>,
    /// The longest unknown conversation: its peer, span, bytes up and down.
    longest: Option<(Peer, Time, Time, u64, u64)>,
}

impl Method for Vpn {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let watched = if params.lan_filter.is_empty() {
            flow.initiator_inside
        } else {
            params
                .lan_filter
                .iter()
                .any(|prefix| prefix.contains(&key.initiator_ip))
        };
        let spoke = flow.forward_total.packets > 0 && flow.answered();
        if !watched || !spoke || !key.is_ip() || flow.responder_inside || is_group(key.responder_ip) {
            return;
        }
        if let Some(at) = product_of(flow) {
            cells.add(CellKey::initiator(key).role(at as u8));
        }
        if params.behaviour {
            cells.add(CellKey::initiator(key).role(BEHAVIOUR));
        }
    }

    fn on_flow(_: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        let reverse = flow.reverse_or_zero();
        let (first, last) = state.span.unwrap_or((flow.start, flow.end));
        state.span = Some((first.min(flow.start), last.max(flow.end)));
        state.up = (state.up.0 + flow.forward.packets, state.up.1 + flow.forward.bytes);
        state.down = (state.down.0 + reverse.packets, state.down.1 + reverse.bytes);
        let peer = (flow.key.responder_ip, flow.key.responder_port, flow.key.proto);
        state
            .peers
            .add(peer, flow.forward.bytes.saturating_add(reverse.bytes));
        let longer = state.longest.is_none_or(|(known, start, end, ..)| {
            known == peer || end.since(start) < flow.end.since(flow.flow_start)
        });
        if cell.role == BEHAVIOUR && longer && !ordinary(flow) {
            let (up, down) = (flow.forward_total.bytes, flow.reverse_total_or_zero().bytes);
            state.longest = Some((peer, flow.flow_start, flow.end, up, down));
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        if cell.role == BEHAVIOUR {
            judge_behaviour(params, state, cell, out);
        } else if let Some(product) = PRODUCTS.get(usize::from(cell.role)) {
            judge_product(params, state, product, cell, out);
        }
    }
}

/// Row of the product whose tunnel the flow is. Content decides, where it is known, whatever the port; the port or the
/// protocol number where it is not.
fn product_of(flow: &FlowRecord) -> Option<usize> {
    let key = &flow.key;
    let known = flow.protocol.filter(|_| flow.protocol_by_content);
    PRODUCTS.iter().position(|product| {
        product.proto == key.proto
            && match known {
                Some(Protocol::OpenVpn) => product.submethod == "OpenVPN",
                Some(Protocol::WireGuard) => product.submethod == "WireGuard",
                Some(_) => false,
                None => product.port.is_none_or(|port| port == key.responder_port),
            }
    })
}

/// Has a dissector recognised the content?
fn known_by_content(flow: &FlowRecord) -> bool {
    flow.protocol_by_content && flow.protocol.is_some()
}

/// Conversations whose kind is known, or that look like the web's: they are long and heavy without being a tunnel.
fn ordinary(flow: &FlowRecord) -> bool {
    known_by_content(flow)
        || flow.phase == Phase::Start
        || matches!(flow.key.responder_port, 80 | 443 | 8080 | 8443)
}

fn judge_product(params: &Params, state: &State, product: &Product, cell: &CellKey, out: &mut Findings<'_>) {
    let Some((first, last)) = state.span.filter(|_| out.due(product.submethod)) else {
        return;
    };
    let facts = Facts::new()
        .input("packets", Quantity::Count(state.up.0.min(state.down.0)))
        .input("uploaded", Quantity::Bytes(state.up.1))
        .input("downloaded", Quantity::Bytes(state.down.1))
        .limit("packets_min", Quantity::Count(params.packets_min));
    let Some(verdict) = out.judge(product.submethod, facts) else {
        return;
    };
    let peers = state.peers.heaviest();
    let count = peers.len() as u64;
    let port = peers.first().map(|((_, port, _), _)| *port);
    let same = port.filter(|port| *port != 0 && peers.iter().all(|((_, other, _), _)| other == port));
    verdict
        .targets(
            peers.into_iter().map(|((ip, port, _), _)| target(ip, port)),
            count,
        )
        .span(first, last)
        .detail("Description", Quantity::Text(product.words.into()))
        .detail("TargetCount", Quantity::Count(count))
        .evidence(FlowFilter {
            initiator: Some(cell.host),
            proto: Some(product.proto),
            responder_port: same,
            ..FlowFilter::default()
        });
}

fn judge_behaviour(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let Some((peer, first, last, up, down)) = state.longest else {
        return;
    };
    if up + down < params.minimal_data_mib * MIB || !out.due("BehavioralDetection") {
        return;
    }
    let whole = (state.up.1 + state.down.1).max(up + down);
    let facts = Facts::new()
        .input("moved", Quantity::Bytes(up + down))
        .input("lasted", Quantity::Seconds(last.secs_since(first)))
        .input("share", Quantity::Ratio((up + down) as f64 / whole.max(1) as f64))
        .input(
            "balance",
            Quantity::Ratio(up.min(down) as f64 / (up + down).max(1) as f64),
        )
        .limit("minimal_data", Quantity::Bytes(params.minimal_data_mib * MIB))
        .limit(
            "minimal_time",
            Quantity::Seconds(f64::from(params.minimal_time_min) * 60.0),
        )
        .limit("share_min", Quantity::Ratio(params.share_min))
        .limit("balance_min", Quantity::Ratio(params.balance_min));
    if let Some(verdict) = out.judge("BehavioralDetection", facts) {
        let (ip, port, number) = peer;
        verdict
            .target(target(ip, port))
            .span(first, last)
            .detail(
                "Description",
                Quantity::Text("one long, heavy conversation".into()),
            )
            .detail("TargetCount", Quantity::Count(1))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder: Some(ip),
                proto: Some(number),
                responder_port: (port != 0).then_some(port),
                ..FlowFilter::default()
            });
    }
}

fn target(ip: IpAddr, port: u16) -> Target {
    Target {
        port: (port != 0).then_some(port),
        ..Target::ip(ip)
    }
}
