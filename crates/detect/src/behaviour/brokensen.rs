//! BROKENSEN: a device that reports regularly has fallen silent, is stuck, or talks otherwise than it used to. Each pair
//! of a sensor and its server is compared with its own past intervals.

mod meta;
#[cfg(test)]
mod tests;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{Facts, FlowFilter, FlowRecord, MethodMeta, Need, Phase, Quantity, Target, Time};

use crate::baseline::Spread;
use crate::{CellKey, Cells, Findings, Learned, Method, Window};

crate::params! {
    /// Devices that report regularly, as prefixes. Empty: nothing is said.
    sensors: Vec<IpNet> = Vec::new();
    /// Interval that is compared with past ones, seconds: at least three times the pause between two reports.
    interval_s: u32 = 300, 10..=86_400;
    /// Intervals to learn before anything is said.
    intervals_min: u32 = 12, 3..=10_000;
    /// Difference from the learned mean, per cent.
    difference_min_pct: f64 = 50.0, 1.0..=10_000.0;
    /// The same in learned standard deviations: devices that vary by nature need more.
    sigmas: f64 = 3.0, 0.0..=100.0;
    /// Silence after which a pair is forgotten, hours.
    forget_h: u32 = 168, 1..=8_760;
}

/// Least share of the mean taken for the standard deviation: clocks drift, so counts differ by one now and then.
const SIGMA_FLOOR: f64 = 0.1;
/// Submethods, in the order of [`Interval::values`].
const MEASURES: [&str; 4] = ["Bytes", "Duration", "Packets", "Period"];

/// See the file.
pub struct BrokenSensor;

/// An interval of one pair.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Interval {
    bytes: u64,
    packets: u64,
    flows: u64,
    /// Ended flows and the sum of their lengths.
    ended: u64,
    ended_s: f64,
}

impl Interval {
    /// Bytes, mean length of a flow, packets, mean pause between flows. Silence is told once, by the pause.
    fn values(&self, interval_s: f64, silent_s: f64) -> [Option<f64>; 4] {
        [
            (self.packets > 0).then_some(self.bytes as f64),
            (self.ended > 0).then(|| self.ended_s / self.ended as f64),
            (self.packets > 0).then_some(self.packets as f64),
            Some(match self.flows {
                0 => silent_s.max(interval_s),
                flows => interval_s / flows as f64,
            }),
        ]
    }
}

/// What a pair does and used to do.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    now: Interval,
    /// The last whole interval: its values, and what was learned when it ended.
    closed: Option<([Option<f64>; 4], Time)>,
    learned: [Spread; 4],
    /// Whole intervals so far; the first begins somewhere and is left out.
    intervals: u32,
    port: u16,
    first: Time,
    last: Time,
}

impl Method for BrokenSensor {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn learning(params: &Params, state: &State) -> Option<(u64, u64)> {
        let most = state.learned.iter().map(Spread::count).max();
        Some((most.unwrap_or(0), params.intervals_min.into()))
    }

    fn unconfigured(params: &Params) -> Vec<(&'static str, Need)> {
        if !params.sensors.is_empty() {
            return Vec::new();
        }
        let sensors = Need::Configured("the devices in methods.brokensen.sensors");
        MEASURES.iter().map(|submethod| (*submethod, sensors)).collect()
    }

    fn window(params: &Params) -> Window {
        Window::idle_s(params.forget_h * 3_600).tick_s(params.interval_s)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        if key.is_ip()
            && params
                .sensors
                .iter()
                .any(|prefix| prefix.contains(&key.initiator_ip))
        {
            cells.add(CellKey::pair(key));
        }
    }

    fn on_flow(_: &Params, state: &mut State, _: &CellKey, flow: &FlowRecord) {
        let reverse = flow.reverse_or_zero();
        let now = &mut state.now;
        now.bytes = now
            .bytes
            .saturating_add(flow.forward.bytes)
            .saturating_add(reverse.bytes);
        now.packets = now
            .packets
            .saturating_add(flow.forward.packets)
            .saturating_add(reverse.packets);
        // A running flow is told of again and again; it began once.
        now.flows += u64::from(flow.start == flow.flow_start);
        if flow.phase == Phase::End {
            now.ended += 1;
            now.ended_s += flow.duration_s();
        }
        if state.port == 0 {
            (state.port, state.first) = (flow.key.responder_port, flow.flow_start);
        }
        state.last = state.last.max(flow.end);
    }

    fn on_tick(params: &Params, state: &mut State, _: &CellKey, now: Time) {
        let interval = std::mem::take(&mut state.now);
        state.intervals = state.intervals.saturating_add(1);
        if state.intervals == 1 {
            return;
        }
        let values = interval.values(params.interval_s.into(), now.secs_since(state.last));
        let odd = MEASURES
            .iter()
            .zip(facts(params, &state.learned, values))
            .any(|(name, facts)| {
                let rules = Self::META.submethod(name);
                facts.is_some_and(|facts| rules.is_some_and(|rules| rules.holds(&facts).is_some()))
            });
        if odd {
            state.closed = Some((values, now));
            return;
        }
        state.closed = None;
        for (learned, value) in state.learned.iter_mut().zip(values) {
            value.into_iter().for_each(|value| learned.add(value));
        }
    }

    fn judge(params: &Params, state: &State, cell: &CellKey, out: &mut Findings<'_>) {
        let Some((values, at)) = state.closed else { return };
        for (submethod, facts) in MEASURES.iter().zip(facts(params, &state.learned, values)) {
            let Some(facts) = facts.filter(|_| out.due(submethod)) else {
                continue;
            };
            let current = facts.input_number("value").unwrap_or_default();
            let mean = facts.limit_number("mean").unwrap_or_default();
            if let Some(verdict) = out.judge(submethod, facts) {
                let target = Target {
                    port: Some(state.port).filter(|port| *port != 0),
                    ..Target::ip(cell.peer.unwrap_or(cell.host))
                };
                verdict
                    .target(target)
                    .span(state.last.min(at), at)
                    .detail("CurrentValue", Quantity::Ratio(current))
                    .detail("ComparedValue", Quantity::Ratio(mean))
                    .detail("Difference", Quantity::Ratio((current - mean).abs()))
                    .detail("Increase", Quantity::Flag(current > mean))
                    .evidence(FlowFilter {
                        initiator: Some(cell.host),
                        responder: cell.peer,
                        ..FlowFilter::default()
                    });
            }
        }
    }
}

/// Each measure beside what was learned of it; nothing where there is no value.
fn facts(params: &Params, learned: &[Spread; 4], values: [Option<f64>; 4]) -> [Option<Facts>; 4] {
    std::array::from_fn(|at| {
        let (value, learned) = (values[at]?, &learned[at]);
        let mean = learned.mean();
        let sigma = learned.deviation().max(mean * SIGMA_FLOOR);
        let off = (value - mean).abs();
        Some(
            Facts::new()
                .input("value", Quantity::Ratio(value))
                .input(
                    "difference",
                    Quantity::Ratio(off / mean.max(f64::MIN_POSITIVE) * 100.0),
                )
                .input("sigmas_off", Quantity::Ratio(off / sigma.max(f64::MIN_POSITIVE)))
                .input("learned", Quantity::Count(learned.count()))
                .limit("difference_min", Quantity::Ratio(params.difference_min_pct))
                .limit("sigmas", Quantity::Ratio(params.sigmas))
                .limit("intervals_min", Quantity::Count(params.intervals_min.into()))
                .baseline("mean", Quantity::Ratio(mean)),
        )
    })
}
