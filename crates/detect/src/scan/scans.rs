//! SCANS: one source knocks at many doors that do not open. Every shape of probe is counted in a cell of its own, by
//! distinct hosts, ports and pairs, and judged by the share of failures, so that busy but welcome hosts stay silent.

mod meta;
mod probes;
mod shape;
#[cfg(test)]
mod tests;
mod watched;

use ipnet::IpNet;
use weir_model::{Facts, FlowFilter, FlowRecord, MethodMeta, Quantity, Time, ethertype};

use crate::{CellKey, Cells, Findings, Method, Window};
use probes::{Answers, HostId, Probes};
use shape::{Fate, Shape};
use watched::{Failure, Watched};

/// Seconds between looks at the windows of all cells.
const TICK_S: u32 = 60;
/// Silence after which a reported scan is over, seconds: longer than the interval between reports of one event, so that
/// its last figures are told before they go.
const OVER_S: f64 = 360.0;

/// Conversations seen by half that show that answers are not in the feed; fewer are lost packets.
const HALF_SEEN_MIN: u32 = 3;
/// More are not remembered, so that they are forgotten within some minutes.
const HALF_SEEN_MAX: u32 = 64;

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
    /// Ports of one host that were opened and left without a word: behind a gateway that answers for it all seem open.
    opened_ports_min: u32 = 100, 3..=65_536;
    /// Different impossible flag combinations from one source that make a fingerprinting attempt.
    odd_kinds_min: u32 = 3, 1..=5;
    /// Distinct IP protocol numbers tried on one host without an answer.
    protocols_min: u32 = 10, 3..=255;
    /// Distinct addresses asked for by ARP within `arp_window_s`, mostly in order.
    arp_hosts_min: u32 = 50, 5..=100_000;
    /// Share of them that are near the address asked before, 0 to 1. A router asks as its traffic comes; where only
    /// broadcasts are seen nobody seems to answer it.
    arp_order_min: f64 = 0.5, 0.0..=1.0;
    /// Distinct addresses asked for by ARP that suffice in any order.
    arp_any_hosts_min: u32 = 200, 5..=100_000;
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
    recent: Watched,
    /// The last answers, for windows that begin.
    answers: Answers,
    /// A rule holds for the recent window; it then lasts until the source falls silent.
    scanning: bool,
    /// TCP without flags was answered without flags: the exporter gives none.
    flagless: bool,
    /// Failures and answers of the day; SYN only. While there is none, the day is no older than the recent window, which
    /// then tells of both: most sources fail in one window only.
    day: Watched,
    /// A fast scan was seen in this day, which then says nothing more of slow ones.
    day_taken: bool,
    /// Kinds of impossible flags seen, as bits.
    odd_kinds: u8,
    /// Connections opened and left, against those that were used; SYN only.
    opened: Option<Box<Opened>>,
    /// The rule for these holds.
    opening: bool,
    /// Conversations of this source of which one half was not seen; halved at every tick.
    half_seen: u32,
}

impl State {
    /// The recent window is over; it becomes the day, where there is none yet.
    fn end_recent(&mut self, shape: Shape) {
        let over = std::mem::take(&mut self.recent);
        if shape == Shape::Syn && self.day.is_nothing() {
            self.day = over;
        }
        (self.scanning, self.odd_kinds) = (false, 0);
    }
}

/// Connections opened and left as failures, those that were used as answers.
#[derive(Default)]
struct Opened {
    probes: Probes,
    used: Answers,
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
        let Some((shape, fate)) = shape::of(flow) else {
            return;
        };
        let source = flow.key.initiator_ip;
        if params
            .ignore_sources
            .iter()
            .any(|prefix| prefix.contains(&source))
            || params.ignore_ports.contains(&flow.key.responder_port)
        {
            return;
        }
        let cell = CellKey::initiator(&flow.key).role(shape as u8);
        if (shape, fate) == (Shape::Udp, Fate::Answered) {
            // Every client asks for names; what was answered before its first failure is not worth a cell.
            cells.add_known(cell);
        } else {
            cells.add(cell);
        }
        let odd = flow.key.proto == weir_model::proto::TCP && shape::odd(shape::first_flags(flow)).is_some();
        if odd && shape != Shape::Odd {
            cells.add(CellKey::initiator(&flow.key).role(Shape::Odd as u8));
        }
        if shape::half_seen(flow) {
            for unanswered in [Shape::Udp, Shape::Ping] {
                cells.add(CellKey::initiator(&flow.key).role(unanswered as u8));
            }
        }
    }

    fn on_flow(params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        let (Some((_, fate)), Some(shape)) = (shape::of(flow), shape_of(cell)) else {
            return;
        };
        if matches!(shape, Shape::Udp | Shape::Ping) && flow.key.proto == weir_model::proto::TCP {
            state.half_seen = (state.half_seen + 1).min(HALF_SEEN_MAX);
            return;
        }
        if shape == Shape::Odd {
            state.odd_kinds |= shape::odd(shape::first_flags(flow)).unwrap_or(0);
        }
        state.flagless |= shape == Shape::Null && fate == Fate::Answered;
        renew(params, state, shape, flow.start);
        let port = match shape {
            Shape::Ping | Shape::Arp => 0,
            Shape::Protocol => u16::from(flow.key.proto),
            _ => flow.key.responder_port,
        };
        let probe = Failure {
            host: flow.key.responder_ip,
            port,
            span: (flow.start, flow.end),
        };
        if fate == Fate::Failed {
            let notes_first = shape.is_everyday();
            state.recent.fail(probe, &state.answers, notes_first);
            if !state.day.is_nothing() {
                state.day.fail(probe, &state.answers, notes_first);
            }
        } else {
            let host = HostId::of(probe.host);
            state.recent.answer(host, port);
            state.day.answer(host, port);
            state.answers.add(host, port, flow.start);
        }
        if shape == Shape::Syn {
            open(params, state, probe, fate);
        }
        if shape == Shape::Ack
            && fate == Fate::Failed
            && let Watched::Many(recent) = &mut state.recent
        {
            recent.add_source(flow.key.initiator_port);
        }
        let Some(recent) = state.recent.probes().filter(|_| fate == Fate::Failed) else {
            return;
        };
        let blind = state.half_seen >= HALF_SEEN_MIN;
        if !blind && !state.scanning && worth(params, shape, recent.failed()) {
            let rules = Self::META.submethod(shape.submethod());
            let facts = facts(params, recent, state.odd_kinds, None);
            state.scanning = rules.is_some_and(|meta| meta.holds(&facts).is_some());
            state.day_taken |= state.scanning;
        }
    }

    fn on_tick(params: &Params, state: &mut State, cell: &CellKey, now: Time) {
        let Some(shape) = shape_of(cell) else { return };
        state.half_seen /= 2;
        let over = |span: Option<(Time, Time)>, window_s: f64| {
            span.is_some_and(|(_, last)| now.secs_since(last) > window_s.max(OVER_S))
        };
        if over(state.recent.span(), window_s(params, shape)) {
            state.end_recent(shape);
        }
        let opened = state.opened.as_ref().and_then(|opened| opened.probes.span());
        if over(opened, window_s(params, shape)) {
            (state.opened, state.opening) = (None, false);
        }
        if over(state.day.span(), f64::from(params.slow_window_h) * 3600.0) {
            state.day = Watched::Nothing;
            state.day_taken = false;
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some(shape) = shape_of(cell) else { return };
        let recent = state.recent.probes();
        if let (true, Some(recent)) = (state.scanning, recent) {
            let blind = shape == Shape::Null && (state.flagless || !out.is_on("TCPNull"));
            let submethod = if blind { "PortBased" } else { shape.submethod() };
            let facts = facts(params, recent, state.odd_kinds, None);
            report(recent, facts, (shape, submethod), cell, out);
        } else if let (true, Some(opened)) = (state.opening, &state.opened) {
            let facts = facts(params, &Probes::default(), 0, Some(&opened.probes));
            report(&opened.probes, facts, (shape, "TCPSYN"), cell, out);
        } else if let (Shape::Syn, false, Some(day)) = (shape, state.day_taken, state.day.probes().or(recent))
            && worth(params, shape, day.failed())
        {
            let facts = facts(params, day, 0, None);
            report(day, facts, (shape, "SlowScan"), cell, out);
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

/// Counts what was opened and left against what was used, in a window of its own.
fn open(params: &Params, state: &mut State, probe: Failure, fate: Fate) {
    let start = probe.span.0;
    let renew = |opened: &Opened| {
        opened
            .probes
            .span()
            .is_some_and(|(first, _)| start.secs_since(first) > f64::from(params.window_s))
    };
    if !state.opening && state.opened.as_ref().is_some_and(|opened| renew(opened)) {
        state.opened = None;
    }
    match (fate, &mut state.opened) {
        (Fate::Opened, opened) => {
            let opened = opened.get_or_insert_default();
            opened.probes.fail(probe, &opened.used);
            state.opening |= opened.probes.by_host.best().is_some_and(|focus| {
                focus.failed.count() >= u64::from(params.opened_ports_min)
                    && focus.failed_share() >= params.failed_min
            });
        }
        (Fate::Answered, Some(opened)) => {
            let host = HostId::of(probe.host);
            opened.used.add(host, probe.port, start);
            opened.probes.answer(host, probe.port);
        }
        _ => {}
    }
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
            state.end_recent(shape);
        }
    }
    if let Some((first, _)) = state.day.span()
        && start.secs_since(first) > f64::from(params.slow_window_h) * 3600.0
    {
        state.day = Watched::Nothing;
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

fn facts(params: &Params, probes: &Probes, odd_kinds: u8, opened: Option<&Probes>) -> Facts {
    use Quantity::{Count, Ratio, Seconds};
    let (port, host) = (probes.by_port.best(), probes.by_host.best());
    let opened = opened.and_then(|opened| opened.by_host.best());
    let limit = |value: u32| Count(u64::from(value));
    Facts::new()
        .input(
            "hosts_on_port",
            Count(port.map_or(0, |focus| focus.failed.count())),
        )
        .input(
            "failed_on_port",
            Ratio(port.map_or(0.0, probes::Focus::failed_share)),
        )
        .input(
            "ports_on_host",
            Count(host.map_or(0, |focus| focus.failed.count())),
        )
        .input(
            "failed_on_host",
            Ratio(host.map_or(0.0, probes::Focus::failed_share)),
        )
        .input(
            "answers_of_host",
            Count(host.map_or(0, |focus| focus.answered.count())),
        )
        .input(
            "host_s",
            Seconds(host.map_or(0.0, |focus| focus.last.secs_since(focus.first))),
        )
        .input("pairs", Count(probes.failed()))
        .input("hosts", Count(probes.hosts()))
        .input("failed", Ratio(probes.failed_share()))
        .input("repetition", Ratio(probes.repetition()))
        .input("per_source_port", Ratio(probes.per_source_port()))
        .input("in_order", Ratio(probes.in_order()))
        .input(
            "opened_ports",
            Count(opened.map_or(0, |focus| focus.failed.count())),
        )
        .input("opened", Ratio(opened.map_or(0.0, probes::Focus::failed_share)))
        .limit("opened_ports_min", limit(params.opened_ports_min))
        .limit("arp_order_min", Ratio(params.arp_order_min))
        .limit("arp_any_hosts_min", limit(params.arp_any_hosts_min))
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
    probes: &Probes,
    facts: Facts,
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
    let opened_only = facts
        .input_number("opened_ports")
        .is_some_and(|ports| ports > 0.0);
    let Some(verdict) = out.judge(submethod, facts) else {
        return;
    };
    let is_arp = shape == Shape::Arp;
    let mut filter = FlowFilter {
        initiator: Some(cell.host),
        proto: shape.proto(cell.host),
        ethertype: is_arp.then_some(ethertype::ARP),
        ..FlowFilter::default()
    };
    let answered = match shape {
        Shape::Arp | Shape::Ping => probes.answered(),
        _ => probes.answered_of_class(),
    };
    let (ports, class) = (probes.port_list(), probes.class());
    if class == "vertical" && probes.hosts() == 1 {
        filter.responder = probes.targets().next().and_then(|target| target.ip);
    }
    if let ([port], true) = (&ports[..], filter.proto.is_some()) {
        filter.responder_port = u16::try_from(*port).ok();
    }
    let opened = opened_only.then(|| probes.failed());
    let mut verdict = verdict
        .targets(probes.targets(), probes.hosts())
        .span(first, last)
        .detail("Type", Quantity::Text(class.into()))
        .detail("SuccessfulCount", Quantity::Count(opened.unwrap_or(answered)))
        .detail(
            "UnsuccessfulCount",
            Quantity::Count(opened.map_or(probes.failed(), |_| 0)),
        )
        .detail("Tried", Quantity::Text(tried(shape, probes, answered).into()))
        .detail("Answers", Quantity::Text(answers(answered, opened).into()))
        .detail("TargetCount", Quantity::Count(probes.hosts()))
        .detail("PortCount", Quantity::Count(probes.ports()))
        .detail("Protocol", Quantity::Text(shape.protocol().into()));
    if !matches!(shape, Shape::Arp | Shape::Ping) {
        verdict = verdict.detail("PortList", Quantity::Counts(ports));
    }
    verdict.evidence(filter);
}

/// What was tried, in words: the number of probes, and where they went.
fn tried(shape: Shape, probes: &Probes, answered: u64) -> String {
    let about = if probes.is_exact() { "" } else { "about " };
    let number = probes.failed() + answered;
    let pairs = format!("{about}{}", Quantity::Count(number));
    let some = |one: &str| format!("{pairs} {one}{}", if number == 1 { "" } else { "s" });
    let host = probes.targets().next().and_then(|target| target.ip);
    match (shape, probes.hosts(), &probes.port_list()[..]) {
        (Shape::Arp, ..) => format!("{pairs} addresses"),
        (Shape::Ping, ..) => some("host"),
        (Shape::Protocol, 1, _) => {
            format!(
                "{} on {}",
                some("protocol number"),
                host.map_or_else(String::new, |host| host.to_string())
            )
        }
        (Shape::Protocol, hosts, _) => {
            format!(
                "{} in all on {} hosts",
                some("protocol number"),
                Quantity::Count(hosts)
            )
        }
        (_, 1, _) => format!(
            "{} on {}",
            some("port"),
            host.map_or_else(String::new, |host| host.to_string())
        ),
        (_, _, [port]) => format!("port {port} on {}", some("host")),
        (_, hosts, _) => format!("{} in all on {} hosts", some("port"), Quantity::Count(hosts)),
    }
}

/// Who answered, in words.
fn answers(answered: u64, opened: Option<u64>) -> String {
    match (opened, answered) {
        (Some(_), 0) => "all answered and none was used".to_owned(),
        (Some(opened), _) => format!("{} answered and were not used", Quantity::Count(opened)),
        (None, 0) => "none answered".to_owned(),
        (None, answered) => format!("{} answered", Quantity::Count(answered)),
    }
}
