//! ANOMALY: a segment of the network does not do what its last hour foretold. Seventeen series are kept per segment in
//! intervals of five minutes; the one that leaves its range is told, with the host whose share grew most.

mod interval;
mod meta;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{Facts, FlowFilter, FlowRecord, MethodMeta, Need, Phase, Quantity, Time, proto};

use crate::baseline::Spread;
use crate::{CellKey, Cells, Findings, Learned, Method, Window};
use interval::{Interval, SERIES};

crate::params! {
    /// Segments that are watched, each for itself, as prefixes. Empty: nothing is said.
    segments: Segments = Segments::default();
    /// Past intervals of five minutes a value is foretold from. Longer is calmer and slower to follow the day.
    window_length_net: u32 = 12, 4..=288;
    /// Standard deviations between a value and what was foretold. More is quieter.
    sigmas: f64 = 4.0, 1.0..=100.0;
    /// The same as a share of what was foretold, per cent.
    difference_min_pct: f64 = 100.0, 1.0..=100_000.0;
    /// Value below which a series is too small to say anything, in its own unit; bytes are divided by 1000.
    value_min: f64 = 1_000.0, 0.0..=1_000_000_000.0;
}

/// Length of an interval, seconds.
const BIN_S: u32 = 300;
/// Least share of the mean taken for the standard deviation.
const SIGMA_FLOOR: f64 = 0.1;
/// Segments told apart: each is a role of cells. More are refused, not cut.
const SEGMENTS_MAX: usize = 200;
/// A segment without traffic is forgotten after this, seconds.
const IDLE_S: u32 = 604_800;
const VALUES: usize = SERIES.len();

/// See the file.
pub struct Anomaly;

/// The segments, at most [`SEGMENTS_MAX`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "Vec<IpNet>", into = "Vec<IpNet>")]
pub struct Segments(Vec<IpNet>);

impl TryFrom<Vec<IpNet>> for Segments {
    type Error = String;

    fn try_from(all: Vec<IpNet>) -> Result<Self, String> {
        match all.len() {
            0..=SEGMENTS_MAX => Ok(Self(all)),
            count => Err(format!(
                "segments has {count} entries, at most {SEGMENTS_MAX} are watched"
            )),
        }
    }
}

impl From<Segments> for Vec<IpNet> {
    fn from(segments: Segments) -> Self {
        segments.0
    }
}

/// An outlier: its series, value, what was foretold and how far off it is.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Outlier {
    series: usize,
    value: f64,
    mean: f64,
    sigmas_off: f64,
    /// The host whose part grew most, its part, and the part it had.
    host: Option<(IpAddr, u64)>,
}

/// A segment's interval and past.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    now: Interval,
    before: Interval,
    /// Values of past intervals, oldest first; at most `window_length_net`.
    past: VecDeque<[f64; VALUES]>,
    /// Of the last whole interval.
    outliers: Vec<Outlier>,
    span: Option<(Time, Time)>,
    /// Intervals so far; the first begins somewhere and is left out.
    intervals: u32,
}

impl Method for Anomaly {
    const META: MethodMeta = meta::META;
    type Params = Params;
    type State = State;
    const LEARNED: Option<Learned<State>> = Some(Learned::version(1));

    fn learning(params: &Params, state: &State) -> Option<(u64, u64)> {
        Some((state.past.len() as u64, params.window_length_net.into()))
    }

    fn unconfigured(params: &Params) -> Vec<(&'static str, Need)> {
        if !params.segments.0.is_empty() {
            return Vec::new();
        }
        let segments = Need::Configured("the segments in methods.anomaly.segments");
        SERIES.iter().map(|series| (series.0, segments)).collect()
    }

    fn window(_: &Params) -> Window {
        Window::idle_s(IDLE_S).tick_s(BIN_S)
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let key = &flow.key;
        if params.segments.0.is_empty() || !key.is_ip() {
            return;
        }
        // A flow counts in the segment of its initiator and, when that is another, of its responder.
        let [from, to] = [key.initiator_ip, key.responder_ip].map(|ip| segment(params, ip));
        if let Some(at) = from {
            cells.add(cell(params, at));
        }
        if let Some(at) = to.filter(|_| to != from) {
            cells.add(cell(params, at));
        }
    }

    fn on_flow(params: &Params, state: &mut State, cell: &CellKey, flow: &FlowRecord) {
        let own = |ip| segment(params, ip) == Some(usize::from(cell.role));
        let began = flow.start == flow.flow_start;
        let ended = flow.phase == Phase::End;
        state.now.add(
            flow,
            own(flow.key.initiator_ip),
            own(flow.key.responder_ip),
            (began, ended),
        );
        let (first, last) = state.span.unwrap_or((flow.start, flow.end));
        state.span = Some((first.min(flow.start), last.max(flow.end)));
    }

    fn on_tick(params: &Params, state: &mut State, _: &CellKey, _: Time) {
        state.outliers.clear();
        let now = std::mem::take(&mut state.now);
        state.intervals = state.intervals.saturating_add(1);
        let values = now.values();
        if state.intervals > 1 {
            if state.past.len() >= params.window_length_net as usize {
                state.outliers = outliers(params, state, &now, &values);
            }
            // An outlier enters the past as what was foretold, so that it is no measure for the next.
            let mut learned = values;
            for outlier in &state.outliers {
                learned[outlier.series] = outlier.mean;
            }
            while state.past.len() >= params.window_length_net as usize {
                state.past.pop_front();
            }
            state.past.push_back(learned);
        }
        state.before = now;
        if state.outliers.is_empty() {
            state.span = None;
        }
    }

    fn judge(params: &Params, state: &State, _: &CellKey, out: &mut Findings<'_>) {
        let Some((first, last)) = state.span else { return };
        for outlier in &state.outliers {
            let (submethod, number, _) = SERIES[outlier.series];
            if !out.due(submethod) {
                continue;
            }
            let device = outlier.host.map_or(0, |(_, part)| part);
            if let Some(verdict) = out.judge(submethod, facts(params, state, outlier)) {
                let verdict = match outlier.host {
                    Some((ip, _)) => verdict.source(ip),
                    None => verdict,
                };
                verdict
                    .span(first, last)
                    .detail("CurrentValue", Quantity::Ratio(outlier.value))
                    .detail("ComparedValue", Quantity::Ratio(outlier.mean))
                    .detail(
                        "Difference",
                        Quantity::Ratio(difference(outlier.value, outlier.mean)),
                    )
                    .detail("DeviceValue", Quantity::Count(device))
                    .detail(
                        "Protocol",
                        number.map_or(Quantity::Text("any".into()), |number| {
                            Quantity::Count(number.into())
                        }),
                    )
                    .evidence(FlowFilter {
                        initiator: outlier.host.map(|(ip, _)| ip),
                        proto: number.filter(|number| matches!(*number, proto::TCP | proto::UDP)),
                        ..FlowFilter::default()
                    });
            }
        }
    }
}

/// Index of the first segment an address lies in.
fn segment(params: &Params, ip: IpAddr) -> Option<usize> {
    params.segments.0.iter().position(|prefix| prefix.contains(&ip))
}

fn cell(params: &Params, at: usize) -> CellKey {
    CellKey::host(params.segments.0[at].network()).role(at as u8)
}

fn difference(value: f64, mean: f64) -> f64 {
    (value - mean) / mean.abs().max(1.0) * 100.0
}

fn facts(params: &Params, state: &State, outlier: &Outlier) -> Facts {
    let size = outlier.value.max(outlier.mean) / SERIES[outlier.series].2;
    Facts::new()
        .input("sigmas_off", Quantity::Ratio(outlier.sigmas_off))
        .input(
            "difference",
            Quantity::Ratio(difference(outlier.value, outlier.mean).abs()),
        )
        .input("size", Quantity::Ratio(size))
        .input("value", Quantity::Ratio(outlier.value))
        .input("intervals", Quantity::Count(state.past.len() as u64))
        .limit("sigmas", Quantity::Ratio(params.sigmas))
        .limit("difference_min", Quantity::Ratio(params.difference_min_pct))
        .limit("value_min", Quantity::Ratio(params.value_min))
        .baseline("mean", Quantity::Ratio(outlier.mean))
}

/// Series of the interval that left their range.
fn outliers(params: &Params, state: &State, now: &Interval, values: &[f64; VALUES]) -> Vec<Outlier> {
    let candidate = |(series, &value): (usize, &f64)| {
        let mut spread = Spread::default();
        state.past.iter().for_each(|past| spread.add(past[series]));
        let mean = spread.mean();
        let sigma = spread
            .deviation()
            .max(mean.abs() * SIGMA_FLOOR)
            .max(f64::MIN_POSITIVE);
        Outlier {
            series,
            value,
            mean,
            sigmas_off: (value - mean).abs() / sigma,
            host: now.grown_most(&state.before, series),
        }
    };
    let holds = |outlier: &Outlier| {
        Anomaly::META
            .submethod(SERIES[outlier.series].0)
            .is_some_and(|rules| rules.holds(&facts(params, state, outlier)).is_some())
    };
    values.iter().enumerate().map(candidate).filter(holds).collect()
}
