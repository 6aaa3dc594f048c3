//! DOS: a host is sent more than it can answer. The cell is the victim's alone, with sketches for the attackers, because
//! forged sources are endless; the victim is the source of the event and the attackers are its targets.

mod interval;
mod meta;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use weir_model::{Facts, FlowFilter, FlowRecord, MethodMeta, Phase, Quantity, Target, Time, proto};

use crate::address::{OneWay, is_group};
use crate::words::counted;
use crate::{CellKey, Cells, Findings, Learned, Method, Window};
use interval::{Interval, Usual};

/// Length of an interval, seconds; the ratio is learned per interval.
const INTERVAL_S: u32 = 300;

/// Packets of one answered flow from which its responder is followed: most hosts only ever serve small exchanges.
const OPENING_PACKETS: u64 = 16;

crate::params! {
    /// History of the ratio of received to sent packets, hours. Longer forgets habits more slowly.
    history_h: u32 = 1, 1..=24;
    /// Standard deviations by which the ratio must exceed its mean. More is quieter.
    sigmas: f64 = 5.0, 1.0..=100.0;
    /// Intervals of 5 min in the history before the ratio is judged at all.
    intervals_min: u32 = 6, 2..=288;
    /// Packets received in 5 min below which the ratio is not judged.
    packets_min: u64 = 10_000, 100..=1e10;
    /// Received packets per sent packet below which a host still copes, whatever its habits.
    ratio_min: f64 = 5.0, 1.0..=1000.0;
    /// Distinct senders a flood judged by habits has. One sender is often a stream that somebody wanted.
    attackers_min: u32 = 3, 1..=100_000;
    /// Unanswered flows within 10 s that are a flood without any history.
    burst_flows_min: u32 = 500, 50..=10_000_000;
    /// Distinct senders of such a burst: fewer are scanners.
    burst_attackers_min: u32 = 100, 2..=1_000_000;
    /// Share of unanswered flows in all flows to the victim, 0 to 1, for bursts.
    unanswered_min: f64 = 0.8, 0.1..=1.0;
    /// Bytes of unasked answers from amplifying services in 5 min.
    reflected_bytes_min: u64 = 1_048_576, 1024..=1e12;
    /// Distinct reflectors of such answers.
    reflectors_min: u32 = 10, 1..=1_000_000;
    /// Mean size of such answers, bytes of IP a packet: ordinary answers are small, amplified ones fill the packet.
    reflected_packet_min: u64 = 500, 60..=65_535;
    /// TCP tries in 5 min that the initiator never completes.
    half_open_min: u32 = 1000, 10..=1_000_000_000;
    /// Share of unfinished tries in all tries, 0 to 1.
    unfinished_min: f64 = 0.8, 0.1..=1.0;
    /// Packets per unfinished try: systems repeat an unanswered SYN several times, floods do not.
    try_packets_max: f64 = 2.0, 1.0..=10.0;
    /// Ports of the victim a flood by few senders aims at; more ports are a scan.
    flood_ports_max: u32 = 10, 1..=65_535;
    /// Connections in 5 min that only the victim closes.
    half_closed_min: u32 = 1000, 10..=1_000_000_000;
    /// Share of them in all completed connections, 0 to 1.
    half_closed_share_min: f64 = 0.8, 0.1..=1.0;
}

/// The victim's running interval and its habits.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    now: Interval,
    /// The interval was prolonged once, to tell the whole of an attack.
    prolonged: bool,
    usual: Usual,
}

/// See the file.
pub struct DenialOfService;

impl Method for DenialOfService {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn learning(params: &Params, state: &State) -> Option<(u64, u64)> {
        Some((state.usual.len() as u64, params.intervals_min.into()))
    }

    fn window(params: &Params) -> Window {
        Window::idle_s(params.history_h * 3600).tick_s(INTERVAL_S)
    }

    fn cells_of_flow(_params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        // Floods of ICMP are ICMPANOM's; a flow that never left its host has no victim.
        if !key.is_ip()
            || matches!(key.proto, proto::ICMP | proto::ICMP6)
            || key.initiator_ip == key.responder_ip
        {
            return;
        }
        let one_way = OneWay::of(flow);
        let victim = one_way.map_or(key.responder_ip, |one_way| one_way.silent);
        if is_group(victim) || victim.is_unspecified() {
            return;
        }
        let much = flow.forward.packets >= OPENING_PACKETS;
        if much || one_way.is_some() || flow.reverse.is_none() || interval::is_left(flow) {
            cells.add(CellKey::host(victim));
        } else {
            cells.add_known(CellKey::host(victim));
        }
    }

    fn on_flow(_params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        state.now.count_packets(flow, cell.host);
        if flow.phase == Phase::End {
            state.now.count_flow(flow);
        }
    }

    fn on_tick(params: &Params, state: &mut State, _cell: &CellKey, _now: Time) {
        let attacked = worth(params, state) && {
            let facts = facts(params, state);
            Self::META
                .submethods
                .iter()
                .any(|submethod| submethod.holds(&facts).is_some())
        };
        if attacked && !state.prolonged {
            state.prolonged = true;
            return;
        }
        if !attacked {
            let intervals_max = params.history_h as usize * 3600 / INTERVAL_S as usize;
            state.usual.learn(state.now.ratio(), intervals_max);
        }
        state.now = Interval::default();
        state.prolonged = false;
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        if !worth(params, state) {
            return;
        }
        for submethod in Self::META.submethods {
            if out.due(submethod.name) {
                report(params, state, submethod.name, cell, out);
            }
        }
    }
}

/// Could any rule hold? Spares the facts for nearly every flow.
fn worth(params: &Params, state: &State) -> bool {
    let (now, attack) = (&state.now, state.now.attack());
    now.packets_in >= params.packets_min && state.usual.len() >= params.intervals_min as usize
        || attack.burst.peak >= params.burst_flows_min
        || attack.half_open >= params.half_open_min
        || now.half_closed >= params.half_closed_min
        || attack.reflected.bytes >= params.reflected_bytes_min
}

fn facts(params: &Params, state: &State) -> Facts {
    use Quantity::{Bytes, Count, Ratio};
    let (now, attack, usual) = (&state.now, state.now.attack(), &state.usual);
    let count = |value: u32| Count(u64::from(value));
    let share = |part: u32, whole: u32| Ratio(f64::from(part) / f64::from(whole.max(1)));
    let per = |amount: u64, things: u64| amount as f64 / things.max(1) as f64;
    Facts::new()
        .input("packets", Count(now.packets_in))
        .input("ratio", Ratio(now.ratio().unwrap_or(0.0)))
        .input("intervals", Count(usual.len() as u64))
        .input("attackers", Count(attack.attackers.count()))
        .input("burst_flows", count(attack.burst.peak))
        .input("unanswered", share(attack.unanswered, now.flows))
        .input("reflected", Bytes(attack.reflected.bytes))
        .input("reflectors", Count(attack.reflectors.count()))
        .input(
            "reflected_packet",
            Bytes(per(attack.reflected.bytes, attack.reflected.packets) as u64),
        )
        .input("half_open", count(attack.half_open))
        .input("unfinished", share(attack.half_open, now.tries))
        .input(
            "try_packets",
            Ratio(per(attack.half_open_packets, attack.half_open.into())),
        )
        .input("flood_ports", Count(attack.half_open_ports.count()))
        .input("half_closed", count(now.half_closed))
        .input("half_closed_share", share(now.half_closed, now.completed))
        .baseline("ratio_mean", Ratio(usual.mean()))
        .baseline("ratio_sigma", Ratio(usual.sigma()))
        .baseline(
            "ratio_usual_max",
            Ratio(usual.mean() + params.sigmas * usual.sigma()),
        )
        .limit("sigmas", Ratio(params.sigmas))
        .limit("intervals_min", count(params.intervals_min))
        .limit("packets_min", Count(params.packets_min))
        .limit("ratio_min", Ratio(params.ratio_min))
        .limit("attackers_min", count(params.attackers_min))
        .limit("burst_flows_min", count(params.burst_flows_min))
        .limit("burst_attackers_min", count(params.burst_attackers_min))
        .limit("unanswered_min", Ratio(params.unanswered_min))
        .limit("reflected_bytes_min", Bytes(params.reflected_bytes_min))
        .limit("reflectors_min", count(params.reflectors_min))
        .limit("reflected_packet_min", Bytes(params.reflected_packet_min))
        .limit("half_open_min", count(params.half_open_min))
        .limit("unfinished_min", Ratio(params.unfinished_min))
        .limit("try_packets_max", Ratio(params.try_packets_max))
        .limit("flood_ports_max", count(params.flood_ports_max))
        .limit("half_closed_min", count(params.half_closed_min))
        .limit("half_closed_share_min", Ratio(params.half_closed_share_min))
}

fn report(params: &Params, state: &State, submethod: &'static str, cell: &CellKey, out: &mut Findings<'_>) {
    let (now, attack) = (&state.now, state.now.attack());
    let Some((first, last)) = attack.span else { return };
    let Some(verdict) = out.judge(submethod, facts(params, state)) else {
        return;
    };
    let (measure, current, compared) = match submethod {
        "SYNFlood" => (
            "half-open connections",
            f64::from(attack.half_open),
            f64::from(now.tries),
        ),
        "FIN2WAIT" => (
            "half-closed connections",
            f64::from(now.half_closed),
            f64::from(now.completed),
        ),
        _ => (
            "received per sent packets",
            now.ratio().unwrap_or(0.0),
            state.usual.mean(),
        ),
    };
    let ports: Vec<u64> = attack
        .ports
        .heaviest()
        .iter()
        .map(|(port, _)| u64::from(*port))
        .collect();
    let proto = attack.protos.heaviest().first().map(|(number, _)| *number);
    let service = attack
        .services
        .heaviest()
        .first()
        .map_or("unknown", |(port, _)| interval::service(*port));
    let attackers = attack.attackers_listed.iter().copied().map(Target::ip);
    verdict
        .targets(attackers, attack.attackers.count())
        .span(first, last)
        .detail(
            "Senders",
            Quantity::Text(counted(attack.attackers.count(), "sender", "senders").into()),
        )
        .detail(
            "Ports",
            Quantity::Text(counted(attack.half_open_ports.count(), "port", "ports").into()),
        )
        .detail("Signs", Quantity::Text(signs(params, state).into()))
        .detail("Measure", Quantity::Text(measure.into()))
        .detail("CurrentValue", Quantity::Ratio(current))
        .detail("ComparedValue", Quantity::Ratio(compared))
        .detail("PacketCount", Quantity::Count(now.packets_in))
        .detail("Protocol", Quantity::Text(protocol_word(proto).into()))
        .detail("PortList", Quantity::Counts(ports))
        .detail("Service", Quantity::Text(service.into()))
        .detail("TargetCount", Quantity::Count(attack.attackers.count()))
        .evidence(FlowFilter {
            responder: Some(cell.host),
            proto,
            ..FlowFilter::default()
        });
}

/// What besides the ratio speaks for a flood, in words; what does not reach its limit is left out.
fn signs(params: &Params, state: &State) -> String {
    let (attack, usual) = (state.now.attack(), &state.usual);
    let mut text = String::new();
    if attack.burst.peak >= params.burst_flows_min {
        let flows = Quantity::Count(attack.burst.peak.into());
        text += &format!("; {flows} flows without an answer within 10 s");
    }
    if attack.reflected.bytes >= params.reflected_bytes_min {
        let bytes = Quantity::Bytes(attack.reflected.bytes);
        let services = counted(attack.reflectors.count(), "server", "servers");
        text += &format!("; {bytes} of answers nobody asked for, from {services}");
    }
    if usual.len() >= params.intervals_min as usize {
        let (mean, sigma) = (Quantity::Ratio(usual.mean()), Quantity::Ratio(usual.sigma()));
        text += &format!("; usually {mean} (sigma {sigma} over {} intervals)", usual.len());
    }
    text
}

fn protocol_word(proto: Option<u8>) -> &'static str {
    match proto {
        Some(proto::TCP) => "TCP",
        Some(proto::UDP) => "UDP",
        _ => "other",
    }
}
