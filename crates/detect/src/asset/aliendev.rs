//! ALIENDEV: a device that does not belong here. Its address is outside the allowed ones, or address or hardware address
//! were never seen while the network was learned.

mod meta;
mod seen;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{
    Facts, FlowFilter, FlowRecord, Mac, MethodMeta, Need, Protocol, Quantity, Target, Time, Transaction,
};

use crate::address::is_group;
use crate::{CellKey, Cells, Findings, Learned, Method, Window};
use seen::{Addresses, Cards};

crate::params! {
    /// Addresses that may be used inside, as prefixes. Empty: KnownSegment says nothing.
    known_segment: Vec<IpNet> = Vec::new();
    /// Hosts that are watched, as prefixes. Empty: all inside hosts.
    lan_filter: Vec<IpNet> = Vec::new();
    /// Days with traffic a network of 256 addresses is learned before a new address in it is reported. 0 switches it off.
    closed_season_d: u32 = 7, 0..=365;
    /// Days of silence after which an address is new again; it takes up to twice as long.
    time_to_death_d: u32 = 30, 1..=365;
    /// Days with traffic hardware addresses are learned before a new one is reported. 0 switches it off.
    closed_season_mac_d: u32 = 7, 0..=365;
    /// Days of silence after which a hardware address is new again.
    time_to_death_mac_d: u32 = 30, 1..=365;
    /// Hardware addresses drawn by lot, as telephones change them, do not count.
    ignore_random_macs: bool = true;
}

const DAY_S: u32 = 86_400;
/// Seconds between looks at ages; new devices are told of at once.
const TICK_S: u32 = 300;
const SEGMENT: u8 = 0;
const ADDRESSES: u8 = 1;
const CARDS: u8 = 2;
/// One flow in so many is looked at for new addresses: a device that stays has plenty.
const SAMPLE: u64 = 4;

/// See the file.
pub struct AlienDevice;

/// One host outside the allowed addresses, one network of 256 addresses, or all hardware addresses.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    flows: u32,
    span: Option<(Time, Time)>,
    addresses: Addresses,
    cards: Cards,
}

impl Method for AlienDevice {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn unconfigured(params: &Params) -> Vec<(&'static str, Need)> {
        let lacks = |missing: bool, submethod, words| missing.then_some((submethod, Need::Configured(words)));
        [
            lacks(
                params.known_segment.is_empty(),
                "KnownSegment",
                "allowed addresses in methods.aliendev.known_segment",
            ),
            lacks(
                params.closed_season_d == 0,
                "IPBased",
                "methods.aliendev.closed_season_d above 0",
            ),
            lacks(
                params.closed_season_mac_d == 0,
                "MACBased",
                "methods.aliendev.closed_season_mac_d above 0",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn window(params: &Params) -> Window {
        let days = params
            .time_to_death_d
            .max(params.time_to_death_mac_d)
            .saturating_mul(2);
        Window::idle_s(days * DAY_S).tick_s(TICK_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let (key, ip) = (&flow.key, flow.key.initiator_ip);
        // Senders that nobody answers may be forged.
        if !key.is_ip() || !flow.answered() || flow.forward_total.packets == 0 || is_group(ip) {
            return;
        }
        if !params.known_segment.is_empty()
            && watched(params, ip, flow.initiator_inside)
            && !params.known_segment.iter().any(|prefix| prefix.contains(&ip))
        {
            cells.add(CellKey::host(ip).role(SEGMENT));
        }
        if let IpAddr::V4(ip4) = ip
            && params.closed_season_d > 0
            && flow.id.0.is_multiple_of(SAMPLE)
            && watched(params, ip, flow.initiator_inside)
        {
            let [a, b, c, _] = ip4.octets();
            cells.add(CellKey::host(IpAddr::V4(Ipv4Addr::new(a, b, c, 0))).role(ADDRESSES));
        }
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        if params.closed_season_mac_d > 0 && card(params, transaction).is_some() {
            cells.add(CellKey::network().role(CARDS));
        }
    }

    fn on_flow(params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        if cell.role == SEGMENT {
            let (first, last) = state.span.unwrap_or((flow.flow_start, flow.end));
            state.span = Some((first.min(flow.flow_start), last.max(flow.end)));
            state.flows = state.flows.saturating_add(1);
        } else if let IpAddr::V4(ip) = flow.key.initiator_ip {
            state
                .addresses
                .see(ip.octets()[3], flow.end, params.closed_season_d);
        }
    }

    fn on_transaction(params: &Params, state: &mut State, _: &CellKey, transaction: &Transaction) {
        if let Some((mac, ip)) = card(params, transaction) {
            state
                .cards
                .see(mac, ip, transaction.end, params.closed_season_mac_d);
        }
    }

    fn on_tick(params: &Params, state: &mut State, cell: &CellKey, now: Time) {
        match cell.role {
            ADDRESSES => state.addresses.tick(now, params.time_to_death_d),
            CARDS => state.cards.tick(now, params.time_to_death_mac_d),
            _ => {}
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        match cell.role {
            SEGMENT => judge_segment(state, cell, out),
            ADDRESSES => judge_addresses(params, state, cell, out),
            _ => judge_cards(params, state, out),
        }
    }
}

fn watched(params: &Params, host: IpAddr, inside: bool) -> bool {
    match params.lan_filter.is_empty() {
        true => inside,
        false => params.lan_filter.iter().any(|prefix| prefix.contains(&host)),
    }
}

/// The hardware address a message on the link gives as its sender's, and the address it has.
fn card(params: &Params, transaction: &Transaction) -> Option<(Mac, Option<IpAddr>)> {
    let (mac, ip) = match transaction.protocol {
        Protocol::Arp => (
            transaction.mac("arp.sender_mac")?,
            transaction.ip("arp.sender_ip"),
        ),
        _ => (
            transaction.mac("dhcp.client_mac")?,
            transaction.ip("dhcp.your_ip"),
        ),
    };
    let random = params.ignore_random_macs && mac.0[0] & 2 != 0;
    let counts = !random && !mac.is_virtual_router() && !mac.is_group() && !mac.is_zero();
    counts.then_some((mac, ip.filter(|ip| !ip.is_unspecified())))
}

fn judge_segment(state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let Some((first, last)) = state.span.filter(|_| out.due("KnownSegment")) else {
        return;
    };
    let facts = Facts::new()
        .input("flows", Quantity::Count(state.flows.into()))
        .limit("one", Quantity::Count(1));
    if let Some(verdict) = out.judge("KnownSegment", facts) {
        verdict
            .span(first, last)
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                ..FlowFilter::default()
            })
            .exact();
    }
}

fn season(learned_d: u32, season_d: u32) -> Facts {
    Facts::new()
        .input("learned", Quantity::Count(learned_d.into()))
        .limit("season", Quantity::Count(season_d.into()))
}

fn judge_addresses(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let IpAddr::V4(network) = cell.host else { return };
    let [a, b, c, _] = network.octets();
    for &(last, at, learned_d) in state.addresses.fresh() {
        let ip = IpAddr::V4(Ipv4Addr::new(a, b, c, last));
        if !out.due_about(Some(ip), "IPBased") {
            continue;
        }
        if let Some(verdict) = out.judge_about(Some(ip), "IPBased", season(learned_d, params.closed_season_d))
        {
            verdict.source(ip).span(at, at).evidence(FlowFilter {
                initiator: Some(ip),
                ..FlowFilter::default()
            });
        }
    }
}

fn judge_cards(params: &Params, state: &State, out: &mut Findings<'_>) {
    for (mac, card) in state.cards.fresh() {
        let ip = mac.link_local();
        if !out.due_about(Some(ip), "MACBased") {
            continue;
        }
        let facts = season(card.learned_d, params.closed_season_mac_d);
        if let Some(verdict) = out.judge_about(Some(ip), "MACBased", facts) {
            verdict
                .source(ip)
                .targets(card.ip.map(Target::ip), u64::from(card.ip.is_some()))
                .span(card.first, card.last)
                .detail("MAC", Quantity::Text(mac.to_string().into()))
                .evidence(FlowFilter {
                    initiator_mac: Some(mac),
                    ..FlowFilter::default()
                });
        }
    }
}
