//! DOHDET: a host resolves names over HTTPS, past the resolver of the network and whoever watches it. Known resolvers are
//! told by name and address; unknown ones by a host that visits the web without ever asking for a name.

mod meta;
mod resolvers;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;
use weir_model::{
    Facts, FlowFilter, FlowRecord, MethodMeta, NANOS_PER_S, Need, Protocol, Quantity, Target, Time,
    Transaction, proto,
};

use crate::baseline::Distinct;
use crate::names::is_within;
use crate::{CellKey, Cells, Findings, Method, Window};

crate::params! {
    /// Hosts that are watched, as prefixes. Empty: all inside hosts.
    lan_filter: Vec<IpNet> = Vec::new();
    /// Further names of resolvers; names under them are meant too.
    resolver_names: Vec<String> = Vec::new();
    /// Further addresses of resolvers.
    resolver_addresses: Vec<IpAddr> = Vec::new();
    /// Resolvers that are allowed, by name or address as text.
    allowed: Vec<String> = Vec::new();
    /// Look for unknown resolvers. Needs the sensor to see the hosts' own DNS questions, so it is off by default.
    behaviour: bool = false;
    /// Length of a TLS session that may be one with a resolver, minutes.
    session_min: u32 = 10, 1..=1_440;
    /// Mean payload of its packets from the host, bytes at most: questions are short.
    question_bytes_max: f64 = 160.0, 10.0..=1_500.0;
    /// Mean payload of its packets to the host, bytes at most: so are answers.
    answer_bytes_max: f64 = 320.0, 10.0..=1_500.0;
    /// Payload both ways per minute at least, bytes: keeping a channel open takes less.
    rate_min: f64 = 600.0, 1.0..=1_000_000.0;
    /// Web servers the host visited meanwhile.
    visited_min: u32 = 10, 1..=10_000;
    /// Questions by plain DNS it asked meanwhile, at most.
    plain_max: u32 = 0, 0..=1_000;
}

/// Silence that ends a cell, seconds.
const IDLE_S: u32 = 3_600;
/// What is counted beside a session counts for this long, seconds.
const BESIDE_S: i64 = 3_600;
const PORT: u16 = 443;
const KNOWN: u8 = 0;
const BEHAVIOUR: u8 = 1;
const LISTED_MAX: usize = 8;

/// See the file.
pub struct DohDetection;

/// A host and resolvers, or a host and what it does without them.
#[derive(Default)]
pub struct State {
    span: Option<(Time, Time)>,
    uses: u32,
    uploaded: u64,
    downloaded: u64,
    targets: Distinct<LISTED_MAX>,
    listed: Vec<Target>,
    names: Vec<Box<str>>,
    /// Since when the three below count.
    since: Option<Time>,
    plain: u32,
    visited: Distinct<32>,
    session: Option<Session>,
}

/// The latest session that has the shape.
#[derive(Clone, Copy)]
struct Session {
    peer: IpAddr,
    lasted_s: f64,
    question_bytes: f64,
    answer_bytes: f64,
    rate: f64,
    bytes: (u64, u64),
    span: (Time, Time),
}

impl Method for DohDetection {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;

    fn unconfigured(params: &Params) -> Vec<(&'static str, Need)> {
        match params.behaviour {
            true => Vec::new(),
            false => vec![(
                "BehavioralDetection",
                Need::Configured("methods.dohdet.behaviour = true"),
            )],
        }
    }

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        let web = key.responder_port == PORT && !flow.responder_inside;
        let plain = params.behaviour && key.responder_port == 53;
        if !(web || plain) || !flow.initiator_inside || !matches!(key.proto, proto::TCP | proto::UDP) {
            return;
        }
        let known = web && is_resolver(params, key.responder_ip) && spoke(flow);
        if (known || params.behaviour) && watched(params, key.initiator_ip) {
            if known {
                cells.add(CellKey::initiator(key).role(KNOWN));
            }
            if params.behaviour {
                cells.add(CellKey::initiator(key).role(BEHAVIOUR));
            }
        }
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        let key = &transaction.key;
        if transaction.initiator_inside
            && watched(params, key.initiator_ip)
            && name_of(transaction).is_some_and(|name| names_resolver(params, name))
        {
            cells.add(CellKey::initiator(key).role(KNOWN));
        }
    }

    fn on_flow(params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        let key = &flow.key;
        if cell.role == BEHAVIOUR {
            return state.observe(params, flow);
        }
        let target = Target::service(key.responder_ip, key.responder_port);
        state.meet(target, (flow.flow_start, flow.end));
        state.uploaded = state.uploaded.saturating_add(flow.forward.bytes);
        state.downloaded = state.downloaded.saturating_add(flow.reverse_or_zero().bytes);
    }

    fn on_transaction(_: &Params, state: &mut State, _: &CellKey, transaction: &Transaction) {
        let key = &transaction.key;
        let target = Target::service(key.responder_ip, key.responder_port);
        state.meet(target, (transaction.start, transaction.end));
        if let Some(name) = name_of(transaction)
            && state.names.len() < LISTED_MAX
            && !state.names.iter().any(|known| **known == *name)
        {
            state.names.push(name.into());
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        if cell.role == BEHAVIOUR {
            judge_behaviour(params, state, cell, out);
        } else {
            judge_known(state, cell, out);
        }
    }
}

impl State {
    fn meet(&mut self, target: Target, (start, end): (Time, Time)) {
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
        self.uses = self.uses.saturating_add(1);
        if self.targets.add(target) && self.listed.len() < LISTED_MAX {
            self.listed.push(target);
        }
    }

    fn observe(&mut self, params: &Params, flow: &FlowRecord) {
        // A session is compared with what the host did in the hour it lies in.
        if self
            .since
            .is_none_or(|since| flow.end.since(since) > BESIDE_S * NANOS_PER_S)
        {
            (self.plain, self.visited, self.session) = (0, Distinct::default(), None);
            self.since = Some(flow.end);
        }
        if flow.key.responder_port == 53 {
            self.plain = self.plain.saturating_add(1);
        } else if spoke(flow) {
            self.visited.add(flow.key.responder_ip);
            self.session = shape(params, flow).or(self.session);
        }
    }
}

/// The session of a flow, when it is long enough and could be TLS.
fn shape(params: &Params, flow: &FlowRecord) -> Option<Session> {
    let lasted_s = flow.duration_s();
    let other = flow.protocol_by_content && flow.protocol.is_some_and(|protocol| protocol != Protocol::Tls);
    if other || lasted_s < f64::from(params.session_min) * 60.0 {
        return None;
    }
    let (up, down) = (flow.forward_total, flow.reverse_total_or_zero());
    let mean = |bytes: u64, packets: u64| bytes as f64 / packets.max(1) as f64;
    Some(Session {
        peer: flow.key.responder_ip,
        lasted_s,
        question_bytes: mean(up.payload_bytes, up.packets),
        answer_bytes: mean(down.payload_bytes, down.packets),
        rate: up.payload_bytes.saturating_add(down.payload_bytes) as f64 / lasted_s * 60.0,
        bytes: (up.bytes, down.bytes),
        span: (flow.flow_start, flow.end),
    })
}

/// Did both sides say something?
fn spoke(flow: &FlowRecord) -> bool {
    match flow.key.proto {
        proto::TCP => flow.established() && flow.reverse_total_or_zero().payload_bytes > 0,
        _ => flow.answered(),
    }
}

fn watched(params: &Params, host: IpAddr) -> bool {
    params.lan_filter.is_empty() || params.lan_filter.iter().any(|prefix| prefix.contains(&host))
}

fn is_resolver(params: &Params, ip: IpAddr) -> bool {
    (resolvers::is_address(ip) || params.resolver_addresses.contains(&ip))
        && !params.allowed.iter().any(|allowed| allowed.parse() == Ok(ip))
}

fn names_resolver(params: &Params, name: &str) -> bool {
    let under = |known: &String| is_within(name, known);
    (resolvers::is_name(name) || params.resolver_names.iter().any(under)) && !params.allowed.iter().any(under)
}

/// The server's name in a TLS handshake or an HTTP request.
fn name_of(transaction: &Transaction) -> Option<&str> {
    transaction
        .text("tls.sni")
        .or_else(|| transaction.text("http.host"))
}

fn judge_known(state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let Some((first, last)) = state.span.filter(|_| out.due("KnownServers")) else {
        return;
    };
    let known_by = match state.names.is_empty() {
        true => Quantity::Text("its address".into()),
        false => Quantity::Texts(state.names.clone()),
    };
    let facts = Facts::new()
        .input("uses", Quantity::Count(state.uses.into()))
        .input("known_by", known_by)
        .limit("one", Quantity::Count(1));
    if let Some(verdict) = out.judge("KnownServers", facts) {
        verdict
            .targets(state.listed.clone(), state.targets.count())
            .span(first, last)
            .detail("UploadedData", Quantity::Bytes(state.uploaded))
            .detail("DownloadedData", Quantity::Bytes(state.downloaded))
            .detail("TargetCount", Quantity::Count(state.targets.count()))
            .detail("Domains", Quantity::Texts(state.names.clone()))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder_port: Some(PORT),
                ..FlowFilter::default()
            })
            .exact();
    }
}

fn judge_behaviour(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let Some(session) = state.session.filter(|_| out.due("BehavioralDetection")) else {
        return;
    };
    let facts = Facts::new()
        .input("lasted", Quantity::Seconds(session.lasted_s))
        .input("question_bytes", Quantity::Ratio(session.question_bytes))
        .input("answer_bytes", Quantity::Ratio(session.answer_bytes))
        .input("rate", Quantity::Ratio(session.rate))
        .input("visited", Quantity::Count(state.visited.count()))
        .input("plain", Quantity::Count(state.plain.into()))
        .limit(
            "session_min",
            Quantity::Seconds(f64::from(params.session_min) * 60.0),
        )
        .limit("question_bytes_max", Quantity::Ratio(params.question_bytes_max))
        .limit("answer_bytes_max", Quantity::Ratio(params.answer_bytes_max))
        .limit("rate_min", Quantity::Ratio(params.rate_min))
        .limit("visited_min", Quantity::Count(params.visited_min.into()))
        .limit("plain_max", Quantity::Count(params.plain_max.into()));
    if let Some(verdict) = out.judge("BehavioralDetection", facts) {
        verdict
            .target(Target::service(session.peer, PORT))
            .span(session.span.0, session.span.1)
            .detail("UploadedData", Quantity::Bytes(session.bytes.0))
            .detail("DownloadedData", Quantity::Bytes(session.bytes.1))
            .detail("TargetCount", Quantity::Count(1))
            .detail("Domains", Quantity::Texts(Vec::new()))
            .evidence(FlowFilter {
                initiator: Some(cell.host),
                responder: Some(session.peer),
                responder_port: Some(PORT),
                ..FlowFilter::default()
            });
    }
}
