//! SCANS: one source knocks at many doors that do not open. Every shape of probe is counted in a cell of its own, by
//! distinct hosts, ports and pairs, and judged by the share of failures, so that busy but welcome hosts stay silent.

mod meta;
mod probes;
mod shape;
#[cfg(test)]
mod tests;

use ipnet::IpNet;
use weir_model::{Facts, FlowFilter, FlowRecord, MethodMeta, Quantity, Time, ethertype};

use crate::baseline::Distinct;
use crate::{CellKey, Cells, Findings, Method, Window};
use probes::Probes;
use shape::Shape;

/// Seconds between looks at the windows of all cells.
const TICK_S: u32 = 60;
/// Silence after which a reported scan is over, seconds: longer than the interval between reports of one event, so that
/// its last figures are told before they go.
const OVER_S: f64 = 360.0;

crate::params! {
    /// Window in which probes are counted, seconds. Longer finds slower scans and remembers more unlucky clients.
    window_s: u32 = 300, 10..=3600;
    /// Window of ARP scans, seconds.
    arp_window_s: u32 = 60, 10..=3600;
    /// Window of slow scans, hours.
    slow_window_h: u32 = 24, 1..=168;
    /// Distinct hosts on one port that fail before a horizontal scan is reported. More is quieter.
    hosts_min: u32 = 30, 3..=100_000;
    /// Distinct ports on one host that fail before a vertical scan is reported. More is quieter.
    ports_min: u32 = 30, 3..=65_536;
    /// Distinct pairs of host and port that fail before a chaotic scan is reported. More is quieter.
    pairs_min: u32 = 100, 3..=1_000_000;
    /// Share of failures in all tries of that port, host or source, 0 to 1. Lower also finds scans that meet many open doors.
    failed_min: f64 = 0.8, 0.1..=1.0;
    /// Pairs per host or port of a chaotic scan. Lower also takes peer-to-peer programs for scanners.
    repetition_min: f64 = 2.0, 1.0..=100.0;
    /// Distinct ports on one host that suffice when they come within `burst_s` and nothing answers.
    burst_ports_min: u32 = 20, 3..=65_536;
    /// Longest duration of such a burst, seconds.
    burst_s: f64 = 30.0, 1.0..=3600.0;
    /// Pairs probed with FIN, no flags or FIN+PSH+URG alone: no system sends these, so few suffice.
    odd_pairs_min: u32 = 10, 1..=100_000;
    /// Different impossible flag combinations from one source that make a fingerprinting attempt.
    odd_kinds_min: u32 = 3, 1..=5;
    /// Distinct IP protocol numbers tried on one host without an answer.
    protocols_min: u32 = 10, 3..=255;
    /// Distinct addresses asked for by ARP within `arp_window_s`.
    arp_hosts_min: u32 = 50, 5..=100_000;
    /// Share of ARP requests nobody answers, 0 to 1. A router asks too, but mostly for hosts that are there.
    arp_failed_min: f64 = 0.5, 0.0..=1.0;
    /// Sources that may scan, as prefixes: vulnerability scanners, monitoring.
    ignore_sources: Vec<IpNet> = Vec::new();
    /// Destination ports that never count.
    ignore_ports: Vec<u16> = Vec::new();
}

/// Counters of one source and shape.
#[derive(Default)]
pub struct State {
    recent: Probes,
    /// A rule holds for the recent window; it then lasts until the source falls silent.
    scanning: bool,
    /// TCP without flags was answered without flags: the exporter gives none.
    flagless: bool,
    /// Failures and answers of the day; SYN only.
    day: Probes,
    /// A fast scan was seen in this day, which then says nothing more of slow ones.
    day_taken: bool,
    /// Kinds of impossible flags seen, as bits.
    odd_kinds: u8,
}

/// See the file.
pub struct Scans;

impl Method for Scans {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;

    fn window(params: &Params) -> Window {
        Window::idle_s(params.slow_window_h * 3600).tick_s(TICK_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let Some((shape, _)) = shape::of(flow) else { return };
        let source = flow.key.initiator_ip;
        if params
            .ignore_sources
            .iter()
            .any(|prefix| prefix.contains(&source))
            || params.ignore_ports.contains(&flow.key.responder_port)
        {
            return;
        }
        cells.add(CellKey::initiator(&flow.key).role(shape as u8));
        let odd = flow.key.proto == weir_model::proto::TCP && shape::odd(shape::first_flags(flow)).is_some();
        if odd && shape != Shape::Odd {
            cells.add(CellKey::initiator(&flow.key).role(Shape::Odd as u8));
        }
    }

    fn on_flow(params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        let (Some((_, fate)), Some(shape)) = (shape::of(flow), shape_of(cell)) else {
            return;
        };
        if shape == Shape::Odd {
            state.odd_kinds |= shape::odd(shape::first_flags(flow)).unwrap_or(0);
        }
        state.flagless |= shape == Shape::Null && fate == shape::Fate::Answered;
        renew(params, state, shape, flow.start);
        let port = match shape {
            Shape::Ping | Shape::Arp => 0,
            Shape::Protocol => u16::from(flow.key.proto),
            _ => flow.key.responder_port,
        };
        let (host, span) = (flow.key.responder_ip, (flow.start, flow.end));
        state.recent.add(host, port, fate, span);
        if shape == Shape::Syn {
            state.day.add(host, port, fate, span);
        }
        if fate == shape::Fate::Failed && !state.scanning && worth(params, shape, state.recent.failed()) {
            let rules = Self::META.submethod(shape.submethod());
            let facts = facts(params, &state.recent, state.odd_kinds);
            state.scanning = rules.is_some_and(|meta| meta.holds(&facts).is_some());
            state.day_taken |= state.scanning;
        }
    }

    fn on_tick(params: &Params, state: &mut State, cell: &CellKey, now: Time) {
        let Some(shape) = shape_of(cell) else { return };
        let over = |probes: &Probes, window_s: f64| {
            probes
                .span()
                .is_some_and(|(_, last)| now.secs_since(last) > window_s.max(OVER_S))
        };
        if over(&state.recent, window_s(params, shape)) {
            state.recent = Probes::default();
            (state.scanning, state.odd_kinds) = (false, 0);
        }
        if over(&state.day, f64::from(params.slow_window_h) * 3600.0) {
            state.day = Probes::default();
            state.day_taken = false;
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some(shape) = shape_of(cell) else { return };
        if state.scanning {
            let blind = shape == Shape::Null && (state.flagless || !out.is_on("TCPNull"));
            let submethod = if blind { "PortBased" } else { shape.submethod() };
            report(
                params,
                &state.recent,
                state.odd_kinds,
                (shape, submethod),
                cell,
                out,
            );
        } else if shape == Shape::Syn && !state.day_taken && worth(params, shape, state.day.failed()) {
            report(params, &state.day, 0, (shape, "SlowScan"), cell, out);
        }
    }
}

fn shape_of(cell: &CellKey) -> Option<Shape> {
    Shape::ALL.into_iter().find(|shape| *shape as u8 == cell.role)
}

fn window_s(params: &Params, shape: Shape) -> f64 {
    f64::from(if shape == Shape::Arp {
        params.arp_window_s
    } else {
        params.window_s
    })
}

/// Begins new windows where the old ones are full; a window with a scan in it goes on until the source falls silent.
fn renew(params: &Params, state: &mut State, shape: Shape, start: Time) {
    if let Some((first, last)) = state.recent.span() {
        let over = if state.scanning {
            start.secs_since(last) > window_s(params, shape).max(OVER_S)
        } else {
            start.secs_since(first) > window_s(params, shape)
        };
        if over {
            state.recent = Probes::default();
            (state.scanning, state.odd_kinds) = (false, 0);
        }
    }
    if let Some((first, _)) = state.day.span()
        && start.secs_since(first) > f64::from(params.slow_window_h) * 3600.0
    {
        state.day = Probes::default();
        state.day_taken = false;
    }
}

/// Could a rule of this shape hold? Spares the facts while a source has failed only here and there.
fn worth(params: &Params, shape: Shape, failed: u64) -> bool {
    let least = match shape {
        Shape::Syn | Shape::Ack | Shape::Udp => params
            .hosts_min
            .min(params.ports_min)
            .min(params.pairs_min)
            .min(params.burst_ports_min),
        Shape::Fin | Shape::Null | Shape::Xmas => params.odd_pairs_min,
        Shape::Arp => params.arp_hosts_min,
        Shape::Ping => params.hosts_min,
        Shape::Protocol => params.protocols_min,
        Shape::Odd => 1,
    };
    failed >= u64::from(least)
}

fn facts(params: &Params, probes: &Probes, odd_kinds: u8) -> Facts {
    use Quantity::{Count, Ratio, Seconds};
    let (port, host) = (probes.by_port.best(), probes.by_host.best());
    let count = |failed: Option<&Distinct>| Count(failed.map_or(0, Distinct::count));
    let limit = |value: u32| Count(u64::from(value));
    Facts::new()
        .input("hosts_on_port", count(port.map(|focus| &focus.failed)))
        .input(
            "failed_on_port",
            Ratio(port.map_or(0.0, probes::Focus::failed_share)),
        )
        .input("ports_on_host", count(host.map(|focus| &focus.failed)))
        .input(
            "failed_on_host",
            Ratio(host.map_or(0.0, probes::Focus::failed_share)),
        )
        .input("answers_of_host", count(host.map(|focus| &focus.answered)))
        .input(
            "host_s",
            Seconds(host.map_or(0.0, |focus| focus.last.secs_since(focus.first))),
        )
        .input("pairs", Count(probes.failed()))
        .input("hosts", Count(probes.hosts()))
        .input("failed", Ratio(probes.failed_share()))
        .input("repetition", Ratio(probes.repetition()))
        .input("odd_kinds", Count(u64::from(odd_kinds.count_ones())))
        .limit("hosts_min", limit(params.hosts_min))
        .limit("ports_min", limit(params.ports_min))
        .limit("pairs_min", limit(params.pairs_min))
        .limit("failed_min", Ratio(params.failed_min))
        .limit("repetition_min", Ratio(params.repetition_min))
        .limit("burst_ports_min", limit(params.burst_ports_min))
        .limit("burst_s", Seconds(params.burst_s))
        .limit("no_answers", Count(0))
        .limit("odd_pairs_min", limit(params.odd_pairs_min))
        .limit("odd_kinds_min", limit(params.odd_kinds_min))
        .limit("protocols_min", limit(params.protocols_min))
        .limit("arp_hosts_min", limit(params.arp_hosts_min))
        .limit("arp_failed_min", Ratio(params.arp_failed_min))
}

fn report(
    params: &Params,
    probes: &Probes,
    odd_kinds: u8,
    (shape, submethod): (Shape, &'static str),
    cell: &CellKey,
    out: &mut Findings<'_>,
) {
    let Some((first, last)) = probes.span() else {
        return;
    };
    // The day's counters stay after a slow scan has ended; they are not told again every five minutes.
    let ended = submethod == "SlowScan" && out.now().secs_since(last) > OVER_S && !out.closing();
    if ended || !out.due(submethod) {
        return;
    }
    let Some(verdict) = out.judge(submethod, facts(params, probes, odd_kinds)) else {
        return;
    };
    let is_arp = shape == Shape::Arp;
    let mut filter = FlowFilter {
        initiator: Some(cell.host),
        proto: shape.proto(cell.host),
        ethertype: is_arp.then_some(ethertype::ARP),
        ..FlowFilter::default()
    };
    let (ports, class) = (probes.port_list(), probes.class());
    if class == "vertical" && probes.hosts() == 1 {
        filter.responder = probes.targets().next().and_then(|target| target.ip);
    }
    if let ([port], true) = (&ports[..], filter.proto.is_some()) {
        filter.responder_port = u16::try_from(*port).ok();
    }
    let mut verdict = verdict
        .targets(probes.targets(), probes.hosts())
        .span(first, last)
        .detail("Type", Quantity::Text(class.into()))
        .detail("SuccessfulCount", Quantity::Count(probes.answered_of_class()))
        .detail("UnsuccessfulCount", Quantity::Count(probes.failed()))
        .detail("TargetCount", Quantity::Count(probes.hosts()))
        .detail("PortCount", Quantity::Count(probes.ports()))
        .detail("Protocol", Quantity::Text(shape.protocol().into()));
    if !matches!(shape, Shape::Arp | Shape::Ping) {
        verdict = verdict.detail("PortList", Quantity::Counts(ports));
    }
    verdict.evidence(filter);
}
