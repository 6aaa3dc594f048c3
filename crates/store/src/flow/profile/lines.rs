//! A series as a table of typed cells, as every other answer of the store is one.

use weir_query::{Kind, Scalar, Unit};

use super::series::Point;
use super::table::{Class, Quality, Sketches};
use crate::flow::search::quantile::Quantiles;
use crate::flow::search::{AnswerColumn, Table};

/// Shares of the records whose greatest value is told.
const SHARES: [(f64, &str); 2] = [(0.5, "p50"), (0.95, "p95")];

type Sketched = (&'static str, Kind, fn(&Sketches) -> &Quantiles);

const SKETCHED: [Sketched; 5] = [
    ("duration", Kind::Number(Unit::Nanos), |own| &own.duration),
    ("bytes", Kind::Number(Unit::Bytes), |own| &own.record_bytes),
    ("bpp", Kind::Number(Unit::Bytes), |own| &own.packet_bytes),
    ("rtt", Kind::Number(Unit::Micros), |own| &own.rtt),
    ("srt", Kind::Number(Unit::Micros), |own| &own.srt),
];

type Measured = (&'static str, Kind, fn(&Quality) -> Option<Scalar<'static>>);

/// Network performance of a class, of the records that have it.
const MEASURED: [Measured; 6] = [
    ("avg(rtt)", Kind::Rate(Unit::Micros), |own| {
        mean(own.rtt_us, own.rtt_flows)
    }),
    ("avg(srt)", Kind::Rate(Unit::Micros), |own| {
        mean(own.srt_us, own.srt_flows)
    }),
    ("retransmitted_packets", Kind::Number(Unit::Count), |own| {
        (own.judged_flows > 0).then_some(Scalar::Number(own.retransmitted_packets))
    }),
    ("out_of_order_packets", Kind::Number(Unit::Count), |own| {
        (own.judged_flows > 0).then_some(Scalar::Number(own.out_of_order_packets))
    }),
    // Per record.
    ("rtr", Kind::Rate(Unit::Count), |own| {
        mean(own.retransmitted_packets, own.judged_flows)
    }),
    // Per cent of packets that were not sent before.
    ("retransmission_index", Kind::Rate(Unit::Count), |own| {
        let share = own.retransmitted_packets as f64 / own.judged_packets as f64;
        (own.judged_packets > 0).then_some(Scalar::Rate(100.0 * (1.0 - share)))
    }),
];

fn mean(sum: u64, flows: u64) -> Option<Scalar<'static>> {
    (flows > 0).then(|| Scalar::Rate(sum as f64 / flows as f64))
}

/// One line a step of `step_ms`: when it begins, flows, packets, bytes, bits a second of a class; of all classes
/// together also quantiles, which are within one per cent; then network performance of the class.
pub fn table(points: &[Point], class: Class, step_ms: i64) -> Table {
    let column = |name: &str, kind: Kind| AnswerColumn {
        name: name.to_owned(),
        kind,
    };
    let mut columns = vec![
        column("time", Kind::Time),
        column("flows", Kind::Number(Unit::Count)),
        column("packets", Kind::Number(Unit::Count)),
        column("bytes", Kind::Number(Unit::Bytes)),
        column("bps", Kind::Rate(Unit::Count)),
    ];
    let sketched: &[Sketched] = if class == Class::All { &SKETCHED } else { &[] };
    for (name, kind, _) in sketched {
        let each = SHARES
            .iter()
            .map(|(_, word)| column(&format!("{word}({name})"), *kind));
        columns.extend(each);
    }
    columns.extend(MEASURED.map(|(name, kind, _)| column(name, kind)));
    let rows = points.iter().map(|point| {
        let counts = point.counts(class);
        let bits = counts.bytes as f64 * 8000.0 / step_ms as f64;
        let mut row = vec![
            Some(Scalar::Time(point.start_ms.saturating_mul(1_000_000))),
            Some(Scalar::Number(counts.flows)),
            Some(Scalar::Number(counts.packets)),
            Some(Scalar::Number(counts.bytes)),
            Some(Scalar::Rate(bits)),
        ];
        for (_, _, of) in sketched {
            let sketch = of(&point.sketches);
            let each = SHARES.iter().map(|(share, _)| sketch.at(*share));
            row.extend(each.map(|value| value.map(|value| Scalar::Number(value.round() as u64))));
        }
        row.extend(MEASURED.map(|(_, _, of)| of(&counts.quality)));
        row
    });
    let rows: Vec<_> = rows.collect();
    Table {
        columns,
        groups: rows.len() as u64,
        rest: Vec::new(),
        rows,
    }
}
