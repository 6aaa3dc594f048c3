//! ICMPANOM: ICMP that is no honest echo, such as sweeps, floods, Smurf and tunnels, or errors above the habit. One kind
//! of cell per question: the asking host, the pair, the host behind a broadcast echo, and the receiver of unreachables.

mod meta;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use weir_model::{Counters, Facts, FlowFilter, FlowRecord, Mac, MethodMeta, Quantity, Target, Time, proto};

use crate::address::is_group;
use crate::baseline::{Distinct, Spread, Top};
use crate::{CellKey, Cells, Findings, Learned, Method, Window};

/// Kinds of cells, by role.
const SWEEP: u8 = 0;
const PAIR: u8 = 1;
const SMURF: u8 = 2;
const ERRORS: u8 = 3;
/// Length of the windows and of the intervals of the habit, seconds.
const WINDOW_S: i64 = 300;
/// Rates are taken over at least this long, so that one burst is no rate; seconds.
const RATE_S_MIN: f64 = 60.0;
/// Hosts listed in an event.
const HOSTS_LISTED_MAX: usize = 64;

crate::params! {
    /// Distinct hosts asked by echo, timestamp, information or mask within 5 min that make a scan. More is quieter.
    hosts_min: u32 = 30, 3..=100_000;
    /// Distinct hosts that suffice when they are asked within `burst_s`.
    burst_hosts_min: u32 = 15, 3..=100_000;
    /// Longest duration of such a burst, seconds.
    burst_s: f64 = 10.0, 0.1..=300.0;
    /// Share of asked hosts that never answer, 0 to 1. A monitor asks hosts that are there, a scanner asks everybody.
    silent_min: f64 = 0.2, 0.0..=1.0;
    /// Echo requests a minute from one host to another that make a flood.
    flood_per_minute_min: u32 = 1000, 60..=100_000_000;
    /// Echo requests a minute to broadcast addresses, or unasked replies a minute, that make a Smurf attack.
    smurf_per_minute_min: u32 = 100, 10..=100_000_000;
    /// Distinct hosts that answer them.
    smurf_repliers_min: u32 = 3, 1..=100_000;
    /// Replies per request above which somebody talks through the echo. Honest echo gives one.
    replies_min: f64 = 1.5, 1.1..=100.0;
    /// Difference of mean payload between requests and replies, as a share of the larger. Honest echo gives back what it got.
    skew_min: f64 = 0.2, 0.05..=1.0;
    /// Packets each way before replies and skew are judged. More is quieter.
    tunnel_packets_min: u32 = 20, 3..=100_000;
    /// Mean payload of a pair above which echo is too large, bytes; ping sends 32 or 56.
    payload_min: u64 = 200, 64..=65_535;
    /// Packets of a pair before the mean payload is judged; a short test with large packets stays silent.
    payload_packets_min: u32 = 200, 10..=1_000_000;
    /// Destination unreachable messages in 5 min to one host below which its habit does not matter.
    unreachables_min: u32 = 100, 5..=100_000_000;
    /// The same for the whole network.
    unreachables_network_min: u32 = 500, 5..=100_000_000;
    /// Times its mean the number must exceed.
    unreachables_factor: f64 = 3.0, 1.1..=1000.0;
    /// Intervals of 5 min in the history before it is judged, up to 24 h back.
    intervals_min: u32 = 12, 2..=288;
}

/// Counters of one cell; each kind of cell uses some.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    span: Option<(Time, Time)>,
    last_request: Option<Time>,
    requests: Counters,
    replies: Counters,
    /// Requests of flows that were answered: only these can be compared with their replies.
    asked: Counters,
    payload_max: u16,
    hosts: Distinct,
    silent: Distinct,
    hosts_listed: Vec<IpAddr>,
    /// Real sender of forged requests.
    mac: Option<Mac>,
    unreachables: u64,
    /// Unreachables of past intervals.
    habit: Spread,
    receivers: Top<IpAddr, 8>,
}

impl State {
    fn extend(&mut self, flow: &FlowRecord) {
        let (first, last) = self.span.unwrap_or((flow.start, flow.end));
        self.span = Some((first.min(flow.start), last.max(flow.end)));
    }

    fn host(&mut self, ip: IpAddr) {
        if self.hosts.add(ip) && self.hosts_listed.len() < HOSTS_LISTED_MAX {
            self.hosts_listed.push(ip);
        }
    }

    fn per_minute(&self, packets: u64) -> f64 {
        let span_s = self.span.map_or(0.0, |(first, last)| last.secs_since(first));
        packets as f64 / span_s.max(RATE_S_MIN) * 60.0
    }
}

/// See the file.
pub struct IcmpAnomaly;

impl Method for IcmpAnomaly {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn learning(params: &Params, state: &State) -> Option<(u64, u64)> {
        Some((state.habit.count(), params.intervals_min.into()))
    }

    fn window(_params: &Params) -> Window {
        Window::idle_s(86_400).tick_s(WINDOW_S as u32)
    }

    fn cells_of_flow(_params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        match Message::of(flow) {
            Some(Message::Request) if is_group(key.responder_ip) => {
                cells.add(CellKey::initiator(key).role(SMURF));
            }
            Some(Message::Request) => {
                cells.add(CellKey::initiator(key).role(SWEEP));
                cells.add(CellKey::pair(key).role(PAIR));
            }
            Some(Message::UnaskedReply) => cells.add(CellKey::initiator(key).role(SMURF)),
            // It counts where requests in the name of its receiver were seen, and says nothing by itself.
            Some(Message::ReplyAlone) => cells.add_known(CellKey::responder(key).role(SMURF)),
            Some(Message::Unreachable) => {
                cells.add(CellKey::responder(key).role(ERRORS));
                cells.add(CellKey::network().role(ERRORS));
            }
            None => {}
        }
    }

    fn breaks(_params: &Params, state: &State, start: Time) -> bool {
        state
            .span
            .is_some_and(|(first, _)| start.secs_since(first) > WINDOW_S as f64)
    }

    fn on_flow(_params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        if cell.role == ERRORS {
            state.unreachables += flow.forward.packets;
            state.receivers.add(flow.key.responder_ip, flow.forward.packets);
            return;
        }
        if matches!(Message::of(flow), Some(Message::ReplyAlone)) {
            if state.requests.packets > 0 {
                state.extend(flow);
                state.replies.add(flow.forward);
                state.host(flow.key.initiator_ip);
            }
            return;
        }
        state.extend(flow);
        state.last_request = state.last_request.max(Some(flow.start));
        state.requests.add(flow.forward);
        state.replies.add(flow.reverse_or_zero());
        if flow.answered() {
            state.asked.add(flow.forward);
        }
        state.payload_max = state.payload_max.max(flow.icmp_payload_max);
        match cell.role {
            SMURF if flow.forward_total.packets > 0 => state.mac = flow.initiator_mac.or(state.mac),
            SMURF => state.host(flow.key.responder_ip),
            SWEEP => {
                state.host(flow.key.responder_ip);
                if !flow.answered() {
                    state.silent.add(flow.key.responder_ip);
                }
            }
            _ => {}
        }
    }

    fn on_tick(_params: &Params, state: &mut State, cell: &CellKey, now: Time) {
        if cell.role == ERRORS {
            state.habit.add(state.unreachables as f64);
            state.unreachables = 0;
            state.receivers = Top::default();
        } else if state
            .span
            .is_some_and(|(_, last)| now.secs_since(last) > WINDOW_S as f64)
        {
            *state = State::default();
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        match cell.role {
            SWEEP => judge_sweep(params, state, cell, out),
            PAIR => judge_pair(params, state, cell, out),
            SMURF => judge_smurf(params, state, cell, out),
            _ => judge_errors(params, state, cell, out),
        }
    }
}

/// What an ICMP flow is, for these questions.
#[derive(Clone, Copy)]
enum Message {
    Request,
    /// Replies without a request: the meter makes the receiver the initiator.
    UnaskedReply,
    /// Replies in a record of one direction: what was asked is not known.
    ReplyAlone,
    Unreachable,
}

impl Message {
    fn of(flow: &FlowRecord) -> Option<Self> {
        let (kind, _) = flow.icmp?;
        let asked = flow.forward_total.packets > 0;
        match (flow.key.proto, kind) {
            (proto::ICMP, 8 | 13 | 15 | 17) | (proto::ICMP6, 128) if asked => Some(Self::Request),
            (proto::ICMP, 0) | (proto::ICMP6, 129) if asked && flow.reverse_total.is_none() => {
                Some(Self::ReplyAlone)
            }
            (proto::ICMP, 0) | (proto::ICMP6, 129) if asked => Some(Self::Request),
            (proto::ICMP, 0) | (proto::ICMP6, 129) => Some(Self::UnaskedReply),
            (proto::ICMP, 3) | (proto::ICMP6, 1) => Some(Self::Unreachable),
            _ => None,
        }
    }
}

fn count(value: u32) -> Quantity {
    Quantity::Count(u64::from(value))
}

/// The flows of the cell's host.
fn evidence(cell: &CellKey) -> FlowFilter {
    FlowFilter {
        initiator: Some(cell.host),
        responder: cell.peer,
        proto: Some(if cell.host.is_ipv4() {
            proto::ICMP
        } else {
            proto::ICMP6
        }),
        ..FlowFilter::default()
    }
}

fn judge_sweep(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let hosts = state.hosts.count();
    let Some((first, last)) = state.span else { return };
    if hosts < u64::from(params.hosts_min.min(params.burst_hosts_min)) || !out.due("ICMPScan") {
        return;
    }
    let silent = state.silent.count();
    let asked_s = state
        .last_request
        .map_or(0.0, |request| request.secs_since(first));
    let facts = Facts::new()
        .input("hosts", Quantity::Count(hosts))
        .input("silent", Quantity::Ratio(silent as f64 / hosts.max(1) as f64))
        .input("asked_s", Quantity::Seconds(asked_s))
        .limit("hosts_min", count(params.hosts_min))
        .limit("burst_hosts_min", count(params.burst_hosts_min))
        .limit("burst_s", Quantity::Seconds(params.burst_s))
        .limit("silent_min", Quantity::Ratio(params.silent_min));
    if let Some(verdict) = out.judge("ICMPScan", facts) {
        verdict
            .targets(state.hosts_listed.iter().copied().map(Target::ip), hosts)
            .span(first, last)
            .detail("TargetCount", Quantity::Count(hosts))
            .detail("SilentCount", Quantity::Count(silent))
            .detail("SentPacketCount", Quantity::Count(state.requests.packets))
            .detail("ReceivedPacketCount", Quantity::Count(state.replies.packets))
            .detail(
                "ICMPType",
                Quantity::Text("echo, timestamp or mask request".into()),
            )
            .evidence(evidence(cell));
    }
}

fn judge_pair(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let (requests, replies) = (state.requests, state.replies);
    let least = params
        .tunnel_packets_min
        .min(params.payload_packets_min)
        .min(params.flood_per_minute_min);
    let Some((first, last)) = state.span else { return };
    if requests.packets + replies.packets < u64::from(least) {
        return;
    }
    let mean = |counters: Counters| counters.payload_bytes as f64 / counters.packets.max(1) as f64;
    let (asked, given) = (mean(state.asked), mean(replies));
    let skew = if replies.packets == 0 {
        0.0
    } else {
        (asked - given).abs() / asked.max(given).max(1.0)
    };
    for submethod in ["PingFlood", "LargePayload"] {
        if !out.due(submethod) {
            continue;
        }
        let mut all = requests;
        all.add(replies);
        let facts = Facts::new()
            .input("per_minute", Quantity::Ratio(state.per_minute(requests.packets)))
            .input("requests", Quantity::Count(requests.packets))
            .input("replies", Quantity::Count(replies.packets))
            .input(
                "replies_per_request",
                Quantity::Ratio(replies.packets as f64 / requests.packets.max(1) as f64),
            )
            .input("skew", Quantity::Ratio(skew))
            .input("packets", Quantity::Count(all.packets))
            .input("payload", Quantity::Bytes(mean(all) as u64))
            .limit("flood_per_minute_min", count(params.flood_per_minute_min))
            .limit("replies_min", Quantity::Ratio(params.replies_min))
            .limit("skew_min", Quantity::Ratio(params.skew_min))
            .limit("tunnel_packets_min", count(params.tunnel_packets_min))
            .limit("payload_packets_min", count(params.payload_packets_min))
            .limit("payload_min", Quantity::Bytes(params.payload_min));
        let Some(verdict) = out.judge(submethod, facts) else {
            continue;
        };
        verdict
            .targets(cell.peer.map(Target::ip), 1)
            .span(first, last)
            .detail("SentPacketCount", Quantity::Count(requests.packets))
            .detail("ReceivedPacketCount", Quantity::Count(replies.packets))
            .detail("PayloadMax", Quantity::Bytes(u64::from(state.payload_max)))
            .detail("ICMPType", Quantity::Text("echo".into()))
            .evidence(evidence(cell));
    }
}

fn judge_smurf(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let (asked, given) = (
        state.per_minute(state.requests.packets),
        state.per_minute(state.replies.packets),
    );
    let Some((first, last)) = state.span else { return };
    if asked.max(given) < f64::from(params.smurf_per_minute_min) || !out.due("SmurfAttack") {
        return;
    }
    let facts = Facts::new()
        .input("broadcast_per_minute", Quantity::Ratio(asked))
        .input("replies_per_minute", Quantity::Ratio(given))
        .input("repliers", Quantity::Count(state.hosts.count()))
        .limit("smurf_per_minute_min", count(params.smurf_per_minute_min))
        .limit("smurf_repliers_min", count(params.smurf_repliers_min));
    if let Some(verdict) = out.judge("SmurfAttack", facts) {
        verdict
            .source_mac(state.mac)
            .targets(
                state.hosts_listed.iter().copied().map(Target::ip),
                state.hosts.count(),
            )
            .span(first, last)
            .detail("SentPacketCount", Quantity::Count(state.requests.packets))
            .detail("ReceivedPacketCount", Quantity::Count(state.replies.packets))
            .detail("TargetCount", Quantity::Count(state.hosts.count()))
            .detail("ICMPType", Quantity::Text("echo".into()))
            .evidence(evidence(cell));
    }
}

fn judge_errors(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
    let network = cell.host.is_unspecified();
    let (submethod, least) = if network {
        ("DestinationUnreachNetwork", params.unreachables_network_min)
    } else {
        ("DestinationUnreachIP", params.unreachables_min)
    };
    if state.unreachables < u64::from(least)
        || state.habit.count() < u64::from(params.intervals_min)
        || !out.due(submethod)
    {
        return;
    }
    let mean = state.habit.mean();
    let facts = Facts::new()
        .input("unreachables", Quantity::Count(state.unreachables))
        .input("intervals", Quantity::Count(state.habit.count()))
        .limit("unreachables_min", count(least))
        .limit("intervals_min", count(params.intervals_min))
        .baseline("unreachables_mean", Quantity::Ratio(mean))
        .baseline(
            "unreachables_usual_max",
            Quantity::Ratio(mean * params.unreachables_factor),
        );
    let heaviest = state.receivers.heaviest();
    let now = out.now();
    let Some(verdict) = out.judge(submethod, facts) else {
        return;
    };
    let host = heaviest.first().map_or(cell.host, |(ip, _)| *ip);
    verdict
        .source(host)
        .span(now - WINDOW_S * weir_model::NANOS_PER_S, now)
        .detail("CurrentValue", Quantity::Count(state.unreachables))
        .detail("ComparedValue", Quantity::Ratio(mean))
        .detail(
            "Measure",
            Quantity::Text("destination unreachable messages in 5 min".into()),
        )
        .detail("ICMPType", Quantity::Text("destination unreachable".into()))
        .evidence(FlowFilter {
            responder: Some(host),
            proto: Some(if host.is_ipv4() { proto::ICMP } else { proto::ICMP6 }),
            ..FlowFilter::default()
        });
}
