//! COUNTRY: a host exchanges far more with a country than the other hosts do. A comparison between hosts within the
//! hour, apart for what was begun inside and what was begun outside; it needs a file that tells countries.

mod book;
mod meta;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{Country, FlowFilter, FlowRecord, MethodMeta, Quantity, Time};

use crate::{CellKey, Cells, Findings, Learned, Method, Window};
use book::{Book, Pair};

crate::params! {
    /// MiB a host sends to a country within an hour before it is reported.
    minimal_data_transfer_u_mib: u64 = 20, 1..=1_000_000;
    /// MiB a host receives from a country within an hour before it is reported.
    minimal_data_transfer_d_mib: u64 = 20, 1..=1_000_000;
    /// Times the mean of the other hosts. More makes it quieter.
    min_quota: f64 = 10.0, 1.5..=100_000.0;
    /// Times the others' ratio of sent to received bytes; 0 leaves the ratio out.
    ratio_quota: f64 = 0.0, 0.0..=100_000.0;
    /// Other hosts that must exchange something with a country, so that their mean says something. Of a country with
    /// fewer the mean of all countries is taken, which needs as many.
    others_min: u32 = 4, 2..=10_000;
    /// Hosts that are left out, as prefixes: mail servers, public servers, back-up.
    exclude_hosts: Vec<IpNet> = Vec::new();
    /// Countries that are left out, as two letters.
    exclude_countries: Vec<Country> = Vec::new();
}

/// The hour is kept in intervals of five minutes.
const BIN_S: u32 = 300;
/// The table is forgotten after this silence of the whole feed.
const IDLE_S: u32 = 86_400;

/// See the file.
pub struct CountryTraffic;

/// What hosts exchange with countries.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    book: Book,
    /// Who was written down last: the only one that can have come over a limit.
    newest: Option<(IpAddr, Country, bool)>,
}

impl Method for CountryTraffic {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(BIN_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        if Exchange::of(params, flow).is_some() {
            cells.add(CellKey::network());
        }
    }

    fn on_flow(params: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let Some(exchange) = Exchange::of(params, flow) else {
            return;
        };
        let Exchange {
            host,
            country,
            initiated,
            sent,
            received,
        } = exchange;
        let written = state
            .book
            .write((host, country, initiated), (sent, received), flow);
        state.newest = written.then_some((host, country, initiated));
    }

    fn on_tick(_: &Params, state: &mut State, _: &CellKey, now: Time) {
        state.book.settle(now);
        state.newest = None;
    }

    fn judge(params: &Params, state: &State, _: &CellKey, out: &mut Findings<'_>) {
        let Some((host, country, initiated)) = state.newest else {
            return;
        };
        if !out.due_about(Some(host), "IncreasedCommunication") {
            return;
        }
        let Some(pair) = state.book.pair(host, country, initiated) else {
            return;
        };
        if !may_fire(params, pair) {
            return;
        }
        let others = state.book.others(pair, params.others_min.into());
        let facts = meta::facts(params, pair, &others);
        if let Some(verdict) = out.judge_about(Some(host), "IncreasedCommunication", facts) {
            verdict
                .span(pair.first, pair.last)
                .detail("Country", Quantity::Text(country.to_string().into()))
                .detail("Measure1", Quantity::Text("bytes sent".into()))
                .detail("CurrentValue1", Quantity::Bytes(pair.sent.sum()))
                .detail("ComparedValue1", Quantity::Bytes(others.mean_sent() as u64))
                .detail("Measure2", Quantity::Text("bytes received".into()))
                .detail("CurrentValue2", Quantity::Bytes(pair.received.sum()))
                .detail("ComparedValue2", Quantity::Bytes(others.mean_received() as u64))
                .evidence(FlowFilter {
                    host: Some(host),
                    ..FlowFilter::default()
                });
        }
    }
}

/// Cheap: could any rule hold?
fn may_fire(params: &Params, pair: &Pair) -> bool {
    pair.sent.sum() >= params.minimal_data_transfer_u_mib << 20
        || pair.received.sum() >= params.minimal_data_transfer_d_mib << 20
}

/// What a flow between inside and outside moves, seen from the inside host.
struct Exchange {
    host: IpAddr,
    country: Country,
    /// Begun by the inside host.
    initiated: bool,
    sent: u64,
    received: u64,
}

impl Exchange {
    fn of(params: &Params, flow: &FlowRecord) -> Option<Self> {
        let key = &flow.key;
        let initiated = flow.initiator_inside;
        if initiated == flow.responder_inside {
            return None;
        }
        let (forward, reverse) = (flow.forward.bytes, flow.reverse_or_zero().bytes);
        let (host, place, sent, received) = match initiated {
            true => (key.initiator_ip, flow.responder_place, forward, reverse),
            false => (key.responder_ip, flow.initiator_place, reverse, forward),
        };
        let country = place.country?;
        let left_out = params.exclude_countries.contains(&country)
            || params.exclude_hosts.iter().any(|prefix| prefix.contains(&host));
        (!left_out).then_some(Self {
            host,
            country,
            initiated,
            sent,
            received,
        })
    }
}
