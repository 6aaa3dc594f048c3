//! Network performance over time: how long round trips and servers took, and what was sent again. Averages are over the
//! records that have the value, and say over how many.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use weir_query::{Field, Scalar};
use weir_store::flow::search::{Figure, Measure, Shape};

use crate::problem::{Problem, Result};
use crate::window::Window;
use crate::{App, filter, search};

/// Records that know what was sent again: TCP, metered by us or by an exporter that tells.
const COUNTED: &str = "proto tcp and (exists src_retransmitted_packets or exists dst_retransmitted_packets)";

/// Sources told apart.
const SOURCES: usize = 20;

/// Network performance of the span.
#[derive(Serialize, ToSchema)]
pub(crate) struct Performance {
    /// Round trip of TCP handshakes; absent when none was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rtt: Option<Times>,
    /// Server response time; absent when none was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) srt: Option<Times>,
    /// Absent when no record tells of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retransmissions: Option<Retransmissions>,
    /// In the steps of `traffic`; steps in which nothing was measured are left out.
    pub(crate) points: Vec<PerformancePoint>,
    /// What was sent again by the source that delivered the records, most packets first; the first twenty.
    pub(crate) sources: Vec<PerformanceSource>,
}

/// One source.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PerformanceSource {
    /// Absent: measured here, not by an exporter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exporter: Option<String>,
    #[serde(flatten)]
    pub(crate) retransmissions: Retransmissions,
}

/// Times of a span.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Times {
    /// Mean of the records, milliseconds.
    pub(crate) avg_ms: f64,
    pub(crate) max_ms: f64,
    /// Records that have the value.
    pub(crate) flows: u64,
}

/// What was sent again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Retransmissions {
    /// 100 x (1 - retransmitted packets / TCP packets), per cent: 100 is the best.
    pub(crate) index: f64,
    /// Retransmitted packets per record (RTR).
    pub(crate) rtr_avg: f64,
    pub(crate) retransmitted_packets: u64,
    pub(crate) out_of_order_packets: u64,
    /// TCP packets of the records that count retransmissions.
    pub(crate) packets: u64,
    pub(crate) flows: u64,
}

/// One step.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct PerformancePoint {
    /// RFC 3339.
    pub(crate) start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rtt: Option<Times>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) srt: Option<Times>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retransmissions: Option<Retransmissions>,
}

/// Numbers of one step: records, then what was asked.
type Line = (String, Vec<u64>);

/// The performance of a span; none when nothing of it was measured, or no flows are kept.
pub(crate) async fn performance(app: &Arc<App>, window: Window) -> Result<Option<Performance>> {
    if app.set.flows.is_none() {
        return Ok(None);
    }
    let mut points = BTreeMap::<String, PerformancePoint>::new();
    let rtts = lines(app, window, "exists rtt", &[sum("rtt"), greatest("rtt")]).await?;
    for (start, numbers) in &rtts {
        at(&mut points, start).rtt = times(numbers);
    }
    // Exporters that tell the mean alone have no longest one.
    let asked = [sum("srt"), greatest("srt"), greatest("srt_max")];
    let mut srts = lines(app, window, "exists srt", &asked).await?;
    for (start, numbers) in &mut srts {
        let longest = numbers.pop().unwrap_or(0);
        if let Some(mean) = numbers.last_mut() {
            *mean = longest.max(*mean);
        }
        at(&mut points, start).srt = times(numbers);
    }
    let again = lines(app, window, COUNTED, &AGAIN).await?;
    for (start, numbers) in &again {
        at(&mut points, start).retransmissions = retransmissions(numbers);
    }
    if points.is_empty() {
        return Ok(None);
    }
    Ok(Some(Performance {
        rtt: times(&total(&rtts, Some(2))),
        srt: times(&total(&srts, Some(2))),
        retransmissions: retransmissions(&total(&again, None)),
        points: points.into_values().collect(),
        sources: sources(app, window).await?,
    }))
}

/// The point of the step that begins here.
fn at<'a>(points: &'a mut BTreeMap<String, PerformancePoint>, start: &str) -> &'a mut PerformancePoint {
    points
        .entry(start.to_owned())
        .or_insert_with(|| PerformancePoint {
            start: start.to_owned(),
            ..PerformancePoint::default()
        })
}

/// A field, and what is made of it.
type Asked = (&'static str, fn(Field) -> Figure);

/// What [`retransmissions`] reads, behind the number of records.
const AGAIN: [Asked; 3] = [
    sum("packets"),
    sum("retransmitted_packets"),
    sum("out_of_order_packets"),
];

const fn sum(field: &'static str) -> Asked {
    (field, Figure::Sum)
}

const fn greatest(field: &'static str) -> Asked {
    (field, Figure::Greatest)
}

/// What was sent again by exporter.
async fn sources(app: &Arc<App>, window: Window) -> Result<Vec<PerformanceSource>> {
    let keys = vec![search::key(app, "by", "exporter")?];
    let filter = filter::read(app, "filter", Some(COUNTED))?;
    let shape = search::groups(keys, measures(app, &AGAIN)?, 1, SOURCES);
    let (found, _) = search::table(app, window, filter, shape).await?;
    let told = found.rows.iter().filter_map(|line| {
        let numbers: Vec<u64> = (1..line.len()).map(|at| search::number(line, at)).collect();
        Some(PerformanceSource {
            exporter: search::text(line, 0),
            retransmissions: retransmissions(&numbers)?,
        })
    });
    Ok(told.collect())
}

/// The number of records, and these figures of theirs.
fn measures(app: &App, asked: &[Asked]) -> Result<Vec<Measure>> {
    let mut measures = vec![Measure::new("flows", Figure::Records)];
    for (word, figure) in asked {
        let field = app.set.catalog.field(word).cloned();
        let field = field.ok_or_else(|| Problem::internal(format!("no field {word}")))?;
        measures.push(Measure::new(*word, figure(field)));
    }
    Ok(measures)
}

/// Records that fit, and these figures of theirs, by step.
async fn lines(app: &Arc<App>, window: Window, fitting: &str, asked: &[Asked]) -> Result<Vec<Line>> {
    let shape = Shape::Series {
        bucket_ns: window.step_ns(None),
        measures: measures(app, asked)?,
    };
    let filter = filter::read(app, "filter", Some(fitting))?;
    let (found, _) = search::table(app, window, filter, shape).await?;
    let number = |cell: &Option<Scalar<'static>>| match cell {
        Some(Scalar::Number(number)) => *number,
        _ => 0,
    };
    let lines = found.rows.iter().map(|line| {
        let numbers = line.iter().skip(1).map(number).collect();
        (search::text(line, 0).unwrap_or_default(), numbers)
    });
    Ok(lines
        .filter(|(_, numbers): &Line| numbers.first().is_some_and(|flows| *flows > 0))
        .collect())
}

/// All steps as one: sums, and at one place the greatest.
fn total(lines: &[Line], greatest: Option<usize>) -> Vec<u64> {
    let mut total: Vec<u64> = Vec::new();
    for (_, numbers) in lines {
        total.resize(numbers.len(), 0);
        for (at, (sum, number)) in total.iter_mut().zip(numbers).enumerate() {
            *sum = if greatest == Some(at) {
                (*sum).max(*number)
            } else {
                sum.saturating_add(*number)
            };
        }
    }
    total
}

/// Of records, the sum of their microseconds and the greatest.
fn times(numbers: &[u64]) -> Option<Times> {
    let [flows, sum_us, max_us] = *numbers else {
        return None;
    };
    (flows > 0).then(|| Times {
        avg_ms: sum_us as f64 / flows as f64 / 1e3,
        max_ms: max_us as f64 / 1e3,
        flows,
    })
}

/// Of records, packets, retransmitted and overtaken ones.
fn retransmissions(numbers: &[u64]) -> Option<Retransmissions> {
    let [flows, packets, again, late] = *numbers else {
        return None;
    };
    (flows > 0 && packets > 0).then(|| Retransmissions {
        index: 100.0 * (1.0 - again as f64 / packets as f64),
        rtr_avg: again as f64 / flows as f64,
        retransmitted_packets: again,
        out_of_order_packets: late,
        packets,
        flows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_over_the_records_that_have_the_value() {
        let lines = [
            ("a".to_owned(), vec![1, 1_000, 1_000]),
            ("b".to_owned(), vec![3, 9_000, 4_000]),
        ];
        let all = times(&total(&lines, Some(2))).unwrap();
        assert_eq!((all.avg_ms, all.max_ms, all.flows), (2.5, 4.0, 4));
        assert!(times(&total(&[], Some(2))).is_none());
    }

    #[test]
    fn the_index_falls_with_every_packet_sent_again() {
        let none = retransmissions(&[10, 100, 0, 3]).unwrap();
        assert_eq!(
            (none.index, none.rtr_avg, none.out_of_order_packets),
            (100.0, 0.0, 3)
        );
        let some = retransmissions(&[10, 1_000, 2, 0]).unwrap();
        assert!((some.index - 99.8).abs() < 1e-9 && (some.rtr_avg - 0.2).abs() < 1e-9);
        assert!(retransmissions(&[]).is_none());
    }
}
