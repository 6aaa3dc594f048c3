//! DHCPANOM: strangers that give addresses, servers that change their hardware, and clients or servers far beyond their
//! habits. One cell per network compares its servers and clients; servers and clients have cells of their own for habits.

mod meta;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{
    Facts, FlowFilter, FlowRecord, Mac, MethodMeta, Outcome, Quantity, Target, Time, Transaction, proto,
};

use crate::baseline::{Distinct, Spread, Top};
use crate::{CellKey, Cells, Findings, Learned, Method, Verdict, Window};

crate::params! {
    /// The servers that may give addresses, as prefixes. Any other is fake; empty: judged by who was there first.
    dhcp_servers: Vec<IpNet> = Vec::new();
    /// Answers of a stranger (or from another hardware address) before it is reported.
    answers_min: u32 = 2, 1..=1000;
    /// Answers of the known server before a newcomer can be a stranger.
    known_answers_min: u32 = 10, 1..=100_000;
    /// How long the known server had been answering, minutes.
    known_for_min_min: u32 = 60, 1..=100_000;
    /// Messages of one client in five minutes that are a flood without any history. Clients in need send about ten.
    flood_min: u32 = 100, 20..=100_000;
    /// Messages of one client in five minutes below which habits and neighbours are not asked.
    oversending_min: u32 = 30, 5..=100_000;
    /// Answers of a server in five minutes below which it copes, whatever its habits.
    overload_min: u32 = 200, 10..=1_000_000;
    /// Times the long-term mean (own or of the network) from which a value is out of the ordinary.
    factor: f64 = 3.0, 1.5..=1000.0;
    /// Intervals of five minutes to learn before habits count: 288 are a day.
    intervals_min: u32 = 288, 2..=8640;
    /// Other clients active in the interval that are needed for a comparison.
    clients_min: u32 = 5, 2..=10_000;
}

const INTERVAL_S: u32 = 300;
/// Habits are forgotten after this silence, seconds.
const IDLE_S: u32 = 172_800;
/// Servers kept per network; a network has few, a flood of forged ones is no reason to grow.
const SERVERS_MAX: usize = 32;
const CLIENTS_LISTED_MAX: usize = 16;
/// A known server still answers if it did within this time, seconds.
const ALIVE_S: i64 = 3_600;
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;

const NETWORK: u8 = 0;
const SERVER: u8 = 1;
const CLIENT: u8 = 2;

/// See the file.
pub struct DhcpAnomaly;

/// A server of a network.
#[derive(Default, Serialize, Deserialize)]
struct Server {
    answers: u32,
    first: Time,
    last: Time,
    clients: Distinct,
}

/// The hardware addresses of a server: the one it had, and another that answers now.
#[derive(Default, Serialize, Deserialize)]
struct Hardware {
    old: Option<Mac>,
    answers: u32,
    first: Time,
    last: Time,
    new: Option<(Mac, u32, Time)>,
}

/// A network's, server's or client's interval and habits; each uses what it needs.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    messages: u32,
    span: Option<(Time, Time)>,
    usual: Spread,
    addresses: Distinct,
    clients: Distinct,
    by_client: Top<Mac, CLIENTS_LISTED_MAX>,
    asked: u32,
    servers: BTreeMap<IpAddr, Server>,
    hardware: Hardware,
}

impl Method for DhcpAnomaly {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn learning(params: &Params, state: &State) -> Option<(u64, u64)> {
        Some((state.usual.count(), params.intervals_min.into()))
    }

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(INTERVAL_S)
    }

    fn cells_of_flow(_: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        if key.proto == proto::UDP
            && (key.initiator_port, key.responder_port) == (CLIENT_PORT, SERVER_PORT)
            && flow.answered()
            && flow.responder_mac.is_some()
            && !crate::address::is_group(key.responder_ip)
        {
            cells.add(CellKey {
                vlan: key.vlan,
                ..CellKey::responder(key).role(SERVER)
            });
        }
    }

    fn cells_of_transaction(_: &Params, transaction: &Transaction, cells: &mut Cells) {
        let vlan = transaction.key.vlan;
        cells.add(CellKey {
            vlan,
            ..CellKey::network().role(NETWORK)
        });
        if from_server(transaction) {
            cells.add(CellKey {
                vlan,
                ..CellKey::host(server_of(transaction)).role(SERVER)
            });
        } else if let Some(mac) = transaction.mac("dhcp.client_mac") {
            cells.add(CellKey {
                vlan,
                ..CellKey::link(mac).role(CLIENT)
            });
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let Some(mac) = flow.responder_mac else { return };
        let hardware = &mut state.hardware;
        let old = *hardware.old.get_or_insert(mac);
        if old == mac {
            if hardware.answers == 0 {
                hardware.first = flow.start;
            }
            hardware.answers += 1;
            hardware.last = flow.end;
        } else {
            match &mut hardware.new {
                Some((new, answers, _)) if *new == mac => *answers += 1,
                slot => *slot = Some((mac, 1, flow.start)),
            }
        }
    }

    fn on_transaction(_: &Params, state: &mut State, cell: &CellKey, transaction: &Transaction) {
        let (first, last) = state.span.unwrap_or((transaction.start, transaction.end));
        state.span = Some((first.min(transaction.start), last.max(transaction.end)));
        let answer = from_server(transaction);
        if cell.role == NETWORK && !answer {
            state.asked += 1;
            if let Some(mac) = transaction.mac("dhcp.client_mac") {
                state.clients.add(mac);
                state.by_client.add(mac, 1);
            }
            return;
        }
        state.messages += 1;
        state.addresses.add(transaction.key.initiator_ip);
        if cell.role == NETWORK && gives(transaction) {
            state.serve(transaction);
        }
    }

    /// A quiet interval teaches as much as a busy one; an attacked one teaches nothing.
    fn on_tick(params: &Params, state: &mut State, _: &CellKey, _: Time) {
        let usual = state.usual.mean() * params.factor;
        let value = f64::from(state.messages);
        let attacked = state.messages >= params.oversending_min
            && (value > usual && state.usual.count() >= params.intervals_min.into());
        if !attacked {
            state.usual.add(value);
        }
        (state.messages, state.asked, state.span) = (0, 0, None);
        (state.addresses, state.clients, state.by_client) =
            (Distinct::default(), Distinct::default(), Top::default());
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        match cell.role {
            NETWORK => {
                judge_servers(params, state, out);
                let busiest = state.servers.iter().max_by_key(|(_, server)| server.answers);
                judge_overload(
                    params,
                    state,
                    "ServerOverloadNetwork",
                    busiest.map(|(ip, _)| *ip),
                    out,
                );
                judge_neighbours(params, state, out);
            }
            SERVER => {
                judge_overload(params, state, "ServerOverloadIP", Some(cell.host), out);
                judge_hardware(params, state, cell, out);
            }
            _ => judge_client(params, state, cell, out),
        }
    }
}

impl State {
    fn serve(&mut self, transaction: &Transaction) {
        let ip = server_of(transaction);
        if self.servers.len() >= SERVERS_MAX && !self.servers.contains_key(&ip) {
            return;
        }
        let server = self.servers.entry(ip).or_default();
        if server.answers == 0 {
            server.first = transaction.start;
        }
        server.answers += 1;
        server.last = transaction.end;
        if let Some(mac) = transaction.mac("dhcp.client_mac") {
            server.clients.add(mac);
        }
    }
}

/// Did a server send this message?
fn from_server(transaction: &Transaction) -> bool {
    matches!(transaction.text("dhcp.message"), Some("OFFER" | "ACK" | "NAK"))
}

/// Does it give an address, straight to a client of this link?
fn gives(transaction: &Transaction) -> bool {
    transaction.outcome != Outcome::Refused && transaction.ip("dhcp.relay_ip").is_none()
}

/// The server as its message names it; without a name the flow's end.
fn server_of(transaction: &Transaction) -> IpAddr {
    transaction
        .ip("dhcp.server_ip")
        .unwrap_or(transaction.key.responder_ip)
}

fn judge_servers(params: &Params, state: &State, out: &mut Findings<'_>) {
    let listed = |ip: IpAddr| params.dhcp_servers.iter().any(|prefix| prefix.contains(&ip));
    for (&ip, server) in &state.servers {
        if server.answers < params.answers_min || !out.due_about(Some(ip), "FakeServer") {
            continue;
        }
        let known = state
            .servers
            .iter()
            .filter(|(other, known)| **other != ip && known.first < server.first)
            .filter(|(_, known)| server.last.secs_since(known.last) < ALIVE_S as f64)
            .max_by_key(|(_, known)| known.answers);
        let (known_ip, known_answers, known_for) = known.map_or((None, 0, 0.0), |(ip, known)| {
            (Some(*ip), known.answers, server.first.secs_since(known.first))
        });
        let by_list = !params.dhcp_servers.is_empty();
        let unlisted = if by_list && !listed(ip) { server.answers } else { 0 };
        let newcomer = if by_list { 0 } else { server.answers };
        let facts = Facts::new()
            .input("unlisted_answers", Quantity::Count(unlisted.into()))
            .input("newcomer_answers", Quantity::Count(newcomer.into()))
            .input("known_answers", Quantity::Count(known_answers.into()))
            .input("known_for", Quantity::Seconds(known_for))
            .input("clients", Quantity::Count(server.clients.count()))
            .limit("answers_min", Quantity::Count(params.answers_min.into()))
            .limit(
                "known_answers_min",
                Quantity::Count(params.known_answers_min.into()),
            )
            .limit("known_for_min", minutes(params.known_for_min_min));
        if let Some(verdict) = out.judge_about(Some(ip), "FakeServer", facts) {
            let known = known_ip.map_or("nobody else".into(), |ip| ip.to_string());
            verdict
                .targets(known_ip.map(Target::ip), 0)
                .span(server.first, server.last)
                .detail("Known", Quantity::Text(known.into()))
                .evidence(answers_of(ip))
                .exact();
        }
    }
}

fn judge_hardware(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let (Some(old), Some((mac, answers, since))) = (state.hardware.old, state.hardware.new) else {
        return;
    };
    if !out.due("ServerChange") {
        return;
    }
    let known_for = state.hardware.last.secs_since(state.hardware.first);
    let facts = Facts::new()
        .input("changed_answers", Quantity::Count(answers.into()))
        .input("known_answers", Quantity::Count(state.hardware.answers.into()))
        .input("known_for", Quantity::Seconds(known_for))
        .limit("answers_min", Quantity::Count(params.answers_min.into()))
        .limit(
            "known_answers_min",
            Quantity::Count(params.known_answers_min.into()),
        )
        .limit("known_for_min", minutes(params.known_for_min_min));
    let now = out.now();
    if let Some(verdict) = out.judge("ServerChange", facts) {
        verdict
            .source_mac(Some(mac))
            .span(since, now)
            .detail("MAC", Quantity::Text(mac.to_string().into()))
            .detail("OldMAC", Quantity::Text(old.to_string().into()))
            .evidence(answers_of(cell.host));
    }
}

fn judge_overload(
    params: &Params,
    state: &State,
    submethod: &'static str,
    server: Option<IpAddr>,
    out: &mut Findings<'_>,
) {
    let (Some(server), Some(span)) = (server, state.span) else {
        return;
    };
    if state.messages < params.overload_min || !out.due(submethod) {
        return;
    }
    let facts = habits(params, state, Facts::new(), "answers", "answers_usual_max")
        .limit("overload_min", Quantity::Count(params.overload_min.into()));
    if let Some(verdict) = out.judge(submethod, facts) {
        measured(verdict.source(server), state, "answers in 5 min", span).evidence(answers_of(server));
    }
}

fn judge_client(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let (Some(mac), Some(span)) = (cell.mac, state.span) else {
        return;
    };
    if state.messages < params.oversending_min.min(params.flood_min) || !out.due("OversendingClientIP") {
        return;
    }
    let facts = habits(params, state, Facts::new(), "messages", "messages_usual_max")
        .input("addresses", Quantity::Count(state.addresses.count()))
        .limit("flood_min", Quantity::Count(params.flood_min.into()))
        .limit("oversending_min", Quantity::Count(params.oversending_min.into()));
    if let Some(verdict) = out.judge("OversendingClientIP", facts) {
        measured(verdict, state, "messages in 5 min", span)
            .detail("MAC", Quantity::Text(mac.to_string().into()))
            .evidence(questions_of(mac));
    }
}

fn judge_neighbours(params: &Params, state: &State, out: &mut Findings<'_>) {
    let Some(&(mac, messages)) = state.by_client.heaviest().first() else {
        return;
    };
    let Some(span) = state.span else { return };
    if messages < params.oversending_min.into() || !out.due("OversendingClientNetwork") {
        return;
    }
    let others = state.clients.count().saturating_sub(1);
    let mean = f64::from(state.asked).max(messages as f64) - messages as f64;
    let mean = mean / others.max(1) as f64;
    let facts = Facts::new()
        .input("messages", Quantity::Count(messages))
        .input("clients", Quantity::Count(others))
        .baseline("others_mean", Quantity::Ratio(mean))
        .baseline("others_max", Quantity::Ratio(mean * params.factor))
        .limit("oversending_min", Quantity::Count(params.oversending_min.into()))
        .limit("clients_min", Quantity::Count(params.clients_min.into()));
    if let Some(verdict) = out.judge("OversendingClientNetwork", facts) {
        verdict
            .source_mac(Some(mac))
            .span(span.0, span.1)
            .detail("MAC", Quantity::Text(mac.to_string().into()))
            .detail("Measure", Quantity::Text("messages in 5 min".into()))
            .detail("CurrentValue", Quantity::Count(messages))
            .detail("ComparedValue", Quantity::Ratio(mean))
            .evidence(questions_of(mac));
    }
}

/// The value of the interval beside the mean of past ones.
fn habits(params: &Params, state: &State, facts: Facts, input: &'static str, limit: &'static str) -> Facts {
    facts
        .input(input, Quantity::Count(state.messages.into()))
        .input("intervals", Quantity::Count(state.usual.count()))
        .baseline("usual", Quantity::Ratio(state.usual.mean()))
        .baseline(limit, Quantity::Ratio(state.usual.mean() * params.factor))
        .limit("intervals_min", Quantity::Count(params.intervals_min.into()))
}

fn measured<'a>(verdict: Verdict<'a>, state: &State, what: &'static str, span: (Time, Time)) -> Verdict<'a> {
    verdict
        .span(span.0, span.1)
        .detail("Measure", Quantity::Text(what.into()))
        .detail("CurrentValue", Quantity::Count(state.messages.into()))
        .detail("ComparedValue", Quantity::Ratio(state.usual.mean()))
}

fn answers_of(server: IpAddr) -> FlowFilter {
    FlowFilter {
        responder: Some(server),
        responder_port: Some(SERVER_PORT),
        proto: Some(proto::UDP),
        ..FlowFilter::default()
    }
}

fn questions_of(mac: Mac) -> FlowFilter {
    FlowFilter {
        initiator_mac: Some(mac),
        responder_port: Some(SERVER_PORT),
        proto: Some(proto::UDP),
        ..FlowFilter::default()
    }
}

fn minutes(minutes: u32) -> Quantity {
    Quantity::Seconds(f64::from(minutes) * 60.0)
}
