//! SMTPANOMALY: mail that goes where it should not, or from where it should not. A server that is not among the mail
//! servers of the network is used, or a station sends many times what its equals send.

mod meta;
mod stations;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{
    Facts, FlowFilter, FlowRecord, MethodMeta, NANOS_PER_S, Need, Protocol, Quantity, Target, Time,
    Transaction, proto,
};

use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Learned, Method, Window};
use stations::{BIN_S, BINS, Stations};

crate::params! {
    /// Mail servers, as prefixes. Mail of others that goes elsewhere is reported. Empty: UndefinedServer says nothing.
    servers_filter: Vec<IpNet> = Vec::new();
    /// The servers themselves may send to each other only: for a network whose mail leaves through one relay.
    strict_mode: bool = false;
    /// A station is reported when it sends this many times the mean of the others in an hour.
    multiplicator: f64 = 10.0, 1.5..=10_000.0;
    /// Mails per hour from which a station takes part, in the mean and as a suspect.
    minimal_mail_limit: u32 = 30, 1..=10_000_000;
    /// Other stations that must take part, so that a mean says something.
    stations_min: u32 = 3, 1..=10_000;
    /// Mails per hour that are reported whatever the others do, when they go to `spam_servers_min` servers.
    spam_counter: u32 = 300, 1..=10_000_000;
    /// Different servers a station hands mail to in the hour: a client has one, a spammer asks each recipient's.
    spam_servers_min: u32 = 20, 2..=100_000;
    /// Stations that may send much, as prefixes: newsletters, monitoring.
    exclude_mail_servers: Vec<IpNet> = Vec::new();
    /// Connections to 465 do not count.
    ignore_secured_smtp: bool = false;
    /// Connections that nobody answered do not count.
    ignore_scans: bool = true;
    /// Connections to 587, where clients hand in mail with a password, do not count.
    ignore_tcp587: bool = false;
}

/// The cell of all stations, and that of one client of unknown servers.
const NETWORK: u8 = 0;
const CLIENT: u8 = 1;
/// Silence that ends a client's event and after which the network is forgotten, seconds.
const IDLE_S: u32 = 86_400;
/// Silence after which use of an unknown server is a new event.
const CLIENT_GAP_S: i64 = 3_600;
/// Payload a client sends with the shortest mail, bytes: greetings of a health check take less.
const MAIL_BYTES_MIN: u64 = 400;
const LISTED_MAX: usize = 16;

/// See the file.
pub struct SmtpAnomaly;

/// All stations, or what one client does with unknown servers.
#[derive(Default, serde::Serialize, serde::Deserialize)]
pub struct State {
    stations: Stations,
    flows: u32,
    unknown: Distinct<LISTED_MAX>,
    listed: Vec<(IpAddr, u16)>,
    span: Option<(Time, Time)>,
}

impl Method for SmtpAnomaly {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn unconfigured(params: &Params) -> Vec<(&'static str, Need)> {
        match params.servers_filter.is_empty() {
            true => vec![(
                "UndefinedServer",
                Need::Configured("the mail servers in methods.smtpanomaly.servers_filter"),
            )],
            false => Vec::new(),
        }
    }

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(BIN_S as u32)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let port = match key.responder_port {
            25 => true,
            465 => !params.ignore_secured_smtp,
            587 => !params.ignore_tcp587,
            _ => false,
        };
        let unanswered = params.ignore_scans && !flow.established();
        if !port || key.proto != proto::TCP || unanswered {
            return;
        }
        // Outside senders are the business of our own server.
        let past_ours = flow.initiator_inside
            && !params.servers_filter.is_empty()
            && !within(&params.servers_filter, key.responder_ip)
            && (params.strict_mode || !within(&params.servers_filter, key.initiator_ip));
        if past_ours {
            cells.add(CellKey::initiator(key).role(CLIENT));
        }
        if flow.established() && flow.forward_total.payload_bytes >= MAIL_BYTES_MIN {
            cells.add(CellKey::network());
        }
    }

    fn cells_of_transaction(params: &Params, mail: &Transaction, cells: &mut Cells) {
        let ignored = params.ignore_tcp587 && mail.key.responder_port == 587;
        if mail.initiator_inside && !ignored {
            cells.add(CellKey::network());
        }
    }

    fn breaks(_: &Params, state: &State, start: Time) -> bool {
        state
            .span
            .is_some_and(|(_, last)| start.since(last) > CLIENT_GAP_S * NANOS_PER_S)
    }

    fn on_flow(params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        let key = &flow.key;
        if cell.role == NETWORK {
            state.stations.serves(key.responder_ip, flow.end);
            // What is seen in the clear is counted mail by mail.
            let seen = flow.protocol_by_content && flow.protocol == Some(Protocol::Smtp);
            if flow.initiator_inside && !excluded(params, key.initiator_ip) {
                let mails = u64::from(!seen);
                state
                    .stations
                    .send(key.initiator_ip, key.responder_ip, mails, (flow.start, flow.end));
            }
            return;
        }
        let (first, last) = state.span.unwrap_or((flow.flow_start, flow.end));
        state.span = Some((first.min(flow.flow_start), last.max(flow.end)));
        state.flows = state.flows.saturating_add(1);
        if state.unknown.add((key.responder_ip, key.responder_port)) && state.listed.len() < LISTED_MAX {
            state.listed.push((key.responder_ip, key.responder_port));
        }
    }

    fn on_transaction(params: &Params, state: &mut State, _: &CellKey, mail: &Transaction) {
        let key = &mail.key;
        if !excluded(params, key.initiator_ip) {
            state
                .stations
                .send(key.initiator_ip, key.responder_ip, 1, (mail.start, mail.end));
        }
    }

    fn on_tick(params: &Params, state: &mut State, cell: &CellKey, now: Time) {
        if cell.role == NETWORK {
            state.stations.tick(params.minimal_mail_limit.into(), now);
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        if cell.role == CLIENT {
            judge_client(state, cell, out);
        } else {
            judge_stations(params, &state.stations, out);
        }
    }
}

fn within(prefixes: &[IpNet], ip: IpAddr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(&ip))
}

fn excluded(params: &Params, ip: IpAddr) -> bool {
    within(&params.exclude_mail_servers, ip) || within(&params.servers_filter, ip)
}

fn judge_client(state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let Some((first, last)) = state.span.filter(|_| out.due("UndefinedServer")) else {
        return;
    };
    let facts = Facts::new()
        .input("flows", Quantity::Count(state.flows.into()))
        .limit("one", Quantity::Count(1));
    if let Some(verdict) = out.judge("UndefinedServer", facts) {
        let targets = state.listed.iter().map(|(ip, port)| Target::service(*ip, *port));
        let one = state.listed.first().filter(|_| state.unknown.count() == 1);
        verdict
            .targets(targets, state.unknown.count())
            .span(first, last)
            .detail("Service", Quantity::Text("SMTP".into()))
            .detail("TargetCount", Quantity::Count(state.unknown.count()))
            .detail("FlowCount", Quantity::Count(state.flows.into()))
            .detail(
                "Description",
                Quantity::Text("mail through an unknown server".into()),
            )
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder: one.map(|(ip, _)| *ip),
                responder_port: one.map(|(_, port)| *port),
                ..FlowFilter::default()
            })
            .exact();
    }
}

fn judge_stations(params: &Params, stations: &Stations, out: &mut Findings<'_>) {
    let Some((ip, station)) = stations.newest() else {
        return;
    };
    let sent = station.sent();
    if station.serves
        || sent < u64::from(params.minimal_mail_limit.min(params.spam_counter))
        || !out.due_about(Some(ip), "SpammingClient")
    {
        return;
    }
    let (mean, others) = stations.others(station);
    let facts = Facts::new()
        .input("mails", Quantity::Count(sent))
        .input("stations", Quantity::Count(others))
        .input("servers", Quantity::Count(station.servers()))
        .limit(
            "mails_max",
            Quantity::Ratio((mean * params.multiplicator).round()),
        )
        .limit(
            "minimal_mail_limit",
            Quantity::Count(params.minimal_mail_limit.into()),
        )
        .limit("stations_min", Quantity::Count(params.stations_min.into()))
        .limit("spam_counter", Quantity::Count(params.spam_counter.into()))
        .limit(
            "spam_servers_min",
            Quantity::Count(params.spam_servers_min.into()),
        )
        .baseline("mean_of_others", Quantity::Ratio(mean));
    let hour = BINS as i64 * BIN_S * NANOS_PER_S;
    if let Some(verdict) = out.judge_about(Some(ip), "SpammingClient", facts) {
        let (first, last) = station.span();
        verdict
            .source(ip)
            .targets(station.listed().map(Target::ip), station.servers())
            .span(first.max(last - hour), last)
            .detail("Service", Quantity::Text("SMTP".into()))
            .detail("TargetCount", Quantity::Count(station.servers()))
            .detail("FlowCount", Quantity::Count(sent))
            .detail(
                "Description",
                Quantity::Text("far more mail than other stations".into()),
            )
            .detail("ComparedValue", Quantity::Ratio(mean))
            .evidence(FlowFilter {
                initiator: Some(ip),
                proto: Some(proto::TCP),
                ..FlowFilter::default()
            });
    }
}
