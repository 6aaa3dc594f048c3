//! SRVNA: a service that several clients need answers none of them. The provider is the source of the event, since it
//! suffers; the cell is the provider's, with a bounded list of services, so that a scan of all its ports stays small.

mod meta;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::tcp_flags::{RST, SYN};
use weir_model::{Facts, FlowFilter, FlowRecord, MethodMeta, Quantity, Target, Time, proto};

use crate::address::is_group;
use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Failed tries within five minutes before a service is reported. More makes it quieter and slower.
    attempts_min: u32 = 20, 2..=1_000_000;
    /// Different clients that fail. One client that fails is a scanner or has a fault of its own.
    clients_min: u32 = 3, 1..=100_000;
    /// Share of clients that fail in all clients of the service in the interval, 0 to 1.
    relative_unsuccessful: f64 = 0.8, 0.1..=1.0;
    /// Time over which nobody at all is answered before a service is reported that answered earlier in the interval, seconds.
    /// A service that is started anew stays away for less.
    outage_s: f64 = 30.0, 1.0..=300.0;
    /// Mean tries per failing client of a service that never answered in this feed: somebody who needs it comes back.
    tries_per_client_min: f64 = 3.0, 1.0..=1000.0;
    /// Unanswered UDP flows within five minutes before a service is reported.
    udp_threshold: u32 = 20, 2..=1_000_000;
    /// Answered flows before a UDP service counts as one that answers at all: collectors of logs never do.
    udp_answers_min: u32 = 10, 1..=100_000;
    /// Report refusals (RST) only, not silence.
    only_rejected: bool = false;
    /// Hosts whose services are watched for all clients and ports, as prefixes. Other inside hosts are watched for inside
    /// clients, and below port 1024 for all.
    service_providers: Vec<IpNet> = Vec::new();
}

const INTERVAL_S: u32 = 300;
/// What a service answered is remembered for this long without traffic, seconds.
const IDLE_S: u32 = 86_400;
/// Services kept per provider. Those that once answered stay, so that a scan of dead ports cannot push them out.
const SERVICES_MAX: usize = 24;
/// Clients listed in an event.
const CLIENTS_LISTED_MAX: usize = 32;
/// Registered services of the system range are offered to everybody; above lie the ports of peer-to-peer programs.
const SYSTEM_PORT_MAX: u16 = 1023;

/// See the file.
pub struct ServiceNotAvailable;

/// One port of a provider.
#[derive(Default)]
struct Service {
    proto: u8,
    port: u16,
    /// Answered flows since it is known.
    answers: u32,
    span: Option<(Time, Time)>,
    /// Of this interval.
    succeeded: u32,
    rejected: u32,
    silent: u32,
    clients: Vec<IpAddr>,
    good: Distinct,
    failing: Distinct,
    /// Start of the latest flow that was answered.
    last_answer: Time,
    outage: Option<Outage>,
}

/// Tries that failed while nobody was answered.
#[derive(Default)]
struct Outage {
    span: (Time, Time),
    failures: u32,
    clients: Distinct,
}

impl Service {
    /// Somebody was answered: what failed before is no outage.
    fn answered(&mut self, flow: &FlowRecord) {
        self.answers = self.answers.saturating_add(1);
        self.succeeded += 1;
        self.good.add(flow.key.initiator_ip);
        self.last_answer = self.last_answer.max(flow.flow_start);
        self.outage = self
            .outage
            .take()
            .filter(|outage| outage.span.0 > self.last_answer);
    }

    /// A try failed. Silence is known late, when its flow times out: one from before the last answer is no outage.
    fn failed(&mut self, flow: &FlowRecord) {
        let (client, start) = (flow.key.initiator_ip, flow.flow_start);
        if self.failing.add(client) && self.clients.len() < CLIENTS_LISTED_MAX {
            self.clients.push(client);
        }
        let (first, last) = self.span.unwrap_or((start, flow.end));
        self.span = Some((first.min(start), last.max(flow.end)));
        if start > self.last_answer {
            let outage = self.outage.get_or_insert_with(|| Outage {
                span: (start, start),
                ..Outage::default()
            });
            outage.span = (outage.span.0.min(start), outage.span.1.max(start));
            outage.failures += 1;
            outage.clients.add(client);
        }
    }
}

/// A provider.
#[derive(Default)]
pub struct State {
    /// It sent anything at all: there is such a host.
    alive: bool,
    services: Vec<Service>,
}

/// What became of one try.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    Rejected,
    Silent,
}

fn fate(flow: &FlowRecord) -> Option<Fate> {
    if flow.key.proto == proto::UDP {
        return Some(if flow.answered() {
            Fate::Answered
        } else {
            Fate::Silent
        });
    }
    if flow.reverse_flags & SYN != 0 || flow.established() {
        return Some(Fate::Answered);
    }
    // Without the client's SYN the middle of a connection or backscatter is seen.
    if flow.forward_flags != SYN && flow.forward_flags != (SYN | RST) {
        return None;
    }
    let refused = flow.reverse_flags & RST != 0;
    Some(if refused { Fate::Rejected } else { Fate::Silent })
}

impl Method for ServiceNotAvailable {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(INTERVAL_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let open = flow.initiator_inside || key.responder_port <= SYSTEM_PORT_MAX;
        if matches!(key.proto, proto::TCP | proto::UDP)
            && flow.forward_total.packets > 0
            && flow.reverse_total.is_some()
            && (watched(params, key.responder_ip) || flow.responder_inside && open)
            && !is_group(key.responder_ip)
            && key.initiator_ip != key.responder_ip
        {
            cells.add(CellKey::responder(key));
        }
    }

    fn on_flow(params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        state.alive |= flow.answered();
        let Some(fate) = fate(flow) else { return };
        let Some(service) = state.service(flow, fate) else {
            return;
        };
        // The Internet knocks at dead ports all day long.
        let stranger = !flow.initiator_inside && service.answers == 0;
        if fate != Fate::Answered && stranger && !watched(params, cell.host) {
            return;
        }
        match fate {
            Fate::Answered => return service.answered(flow),
            Fate::Rejected => service.rejected += 1,
            Fate::Silent => service.silent += 1,
        }
        service.failed(flow);
    }

    fn on_tick(_: &Params, state: &mut State, _: &CellKey, _: Time) {
        state.services.retain(|service| service.answers > 0);
        for service in &mut state.services {
            *service = Service {
                proto: service.proto,
                port: service.port,
                answers: service.answers,
                last_answer: service.last_answer,
                ..Service::default()
            };
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        for service in &state.services {
            let failures = service.rejected + service.silent;
            if failures < params.attempts_min.min(params.udp_threshold)
                || service.failing.count() < params.clients_min.into()
            {
                continue;
            }
            let submethod = match (service.proto, service.rejected > service.silent) {
                (proto::UDP, _) => "UDPService",
                (_, true) => "TCPServiceReset",
                (_, false) if params.only_rejected => continue,
                (_, false) => "TCPService",
            };
            if out.due(submethod) {
                report(params, state, service, submethod, cell, out);
            }
        }
    }
}

/// Is the host one of the configured providers?
fn watched(params: &Params, host: IpAddr) -> bool {
    params
        .service_providers
        .iter()
        .any(|prefix| prefix.contains(&host))
}

impl State {
    /// The service a flow went to. A full list lets go of one that never answered, for one that does.
    fn service(&mut self, flow: &FlowRecord, fate: Fate) -> Option<&mut Service> {
        let (proto, port) = (flow.key.proto, flow.key.responder_port);
        let same = |service: &Service| (service.proto, service.port) == (proto, port);
        if let Some(at) = self.services.iter().position(same) {
            return self.services.get_mut(at);
        }
        if self.services.len() >= SERVICES_MAX {
            let dead = self.services.iter().position(|service| service.answers == 0)?;
            if fate != Fate::Answered {
                return None;
            }
            self.services.swap_remove(dead);
        }
        self.services.push(Service {
            proto,
            port,
            ..Service::default()
        });
        self.services.last_mut()
    }
}

fn report(
    params: &Params,
    state: &State,
    service: &Service,
    submethod: &'static str,
    cell: &CellKey,
    out: &mut Findings<'_>,
) {
    let Some((first, last)) = service.span else { return };
    let failures = service.rejected + service.silent;
    let (good, failing) = (service.good.count(), service.failing.count());
    let share = failing as f64 / (good + failing).max(1) as f64;
    let outage = service.outage.as_ref();
    let outage_s = outage.map_or(0.0, |outage| outage.span.1.secs_since(outage.span.0));
    let facts = Facts::new()
        .input(
            "outage_failures",
            count(outage.map_or(0, |outage| outage.failures)),
        )
        .input(
            "outage_clients",
            Quantity::Count(outage.map_or(0, |outage| outage.clients.count())),
        )
        .input("outage", Quantity::Seconds(outage_s))
        .limit("outage_s", Quantity::Seconds(params.outage_s))
        .input("failures", count(failures))
        .input("clients", Quantity::Count(failing))
        .input("share", Quantity::Ratio(share))
        .input(
            "tries_per_client",
            Quantity::Ratio(f64::from(failures) / failing.max(1) as f64),
        )
        .input("answered_before", count(service.answers))
        .input("alive", Quantity::Flag(state.alive))
        .input("rejected", count(service.rejected))
        .limit("attempts_min", count(params.attempts_min))
        .limit("clients_min", count(params.clients_min))
        .limit(
            "relative_unsuccessful",
            Quantity::Ratio(params.relative_unsuccessful),
        )
        .limit(
            "tries_per_client_min",
            Quantity::Ratio(params.tries_per_client_min),
        )
        .limit("udp_threshold", count(params.udp_threshold))
        .limit("udp_answers_min", count(params.udp_answers_min))
        .limit("once", count(1));
    let Some(verdict) = out.judge(submethod, facts) else {
        return;
    };
    let name = if service.proto == proto::UDP { "udp" } else { "tcp" };
    verdict
        .targets(service.clients.iter().copied().map(Target::ip), failing)
        .span(first, last)
        .detail("SuccClients", Quantity::Count(good))
        .detail("UnsuccClients", Quantity::Count(failing))
        .detail("SuccessConnections", count(service.succeeded))
        .detail("RejectedConnections", count(service.rejected))
        .detail("NoResponseConnections", count(service.silent))
        .detail(
            "Service",
            Quantity::Text(format!("{name}/{}", service.port).into()),
        )
        .detail("PortList", Quantity::Counts(vec![service.port.into()]))
        .evidence(FlowFilter {
            responder: Some(cell.host),
            responder_port: Some(service.port),
            proto: Some(service.proto),
            ..FlowFilter::default()
        });
}

fn count(value: u32) -> Quantity {
    Quantity::Count(value.into())
}
