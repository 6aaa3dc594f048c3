//! One row a record, or one row a direction. A direction is a matter of names: what came back reads `src_ip` where the
//! responder's address lies, and has no counters of an answer. The same for a record ([`one_way`]) and for columns.

use std::cell::OnceCell;

use weir_model::{FlowRecord, Performance, WayPerformance};
use weir_query::{Bounds, Columns, FLOW_COLUMNS, Selection, Slice, Statistics};

use super::numbers::Lookup;
use super::plan::View;

/// A way to read records as rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Both,
    Forward,
    Reverse,
}

impl View {
    pub(super) fn directions(self) -> &'static [Direction] {
        match self {
            Self::Biflow | Self::Transactions => &[Direction::Both],
            Self::OneWay => &[Direction::Forward, Direction::Reverse],
        }
    }
}

/// Is it no column of flow records? Those of transactions have no direction, and no statistics.
pub(super) fn is_foreign(name: &str) -> bool {
    FLOW_COLUMNS.iter().all(|column| column.name != name)
}

/// What a one-way row has nothing of.
const OF_ANSWERS: [&str; 14] = [
    "dst_packets",
    "dst_bytes",
    "dst_payload_bytes",
    "dst_ttl",
    "dst_retransmitted_packets",
    "dst_out_of_order_packets",
    "dst_delay_min",
    "dst_delay_avg",
    "dst_delay_max",
    "dst_delay_dev",
    "dst_jitter_min",
    "dst_jitter_avg",
    "dst_jitter_max",
    "dst_jitter_dev",
];

impl Direction {
    /// The column of the record that is read for this name; `None`: a row in this direction never has it.
    pub(super) fn column(self, name: &str) -> Option<&'static str> {
        let own = |name: &str| {
            let known = FLOW_COLUMNS.iter().find(|column| column.name == name);
            known.map(|column| column.name)
        };
        if self != Self::Both && OF_ANSWERS.contains(&name) {
            return None;
        }
        if self == Self::Reverse {
            let side = name.strip_prefix("src_").map(|base| format!("dst_{base}"));
            let side = side.or_else(|| name.strip_prefix("dst_").map(|base| format!("src_{base}")));
            if let Some(other) = side.as_deref().and_then(own) {
                return Some(other);
            }
        }
        own(name)
    }

    /// Has no row in this direction the column of flow records?
    pub(super) fn lacks(self, name: &str) -> bool {
        self != Self::Both && OF_ANSWERS.contains(&name)
    }

    /// Of `rows` rows, those that are one in this direction.
    pub(super) fn rows(self, columns: &impl Columns) -> Selection {
        match (self, columns.column("dst_packets")) {
            (Self::Both | Self::Forward, _) => Selection::all(columns.rows()),
            (Self::Reverse, Slice::Numbers(packets, valid)) => valid.keep(|row| packets[row] > 0),
            (Self::Reverse, _) => Selection::none(columns.rows()),
        }
    }

    /// The record as a row of this direction; `None` when it is none.
    pub(super) fn record(self, flow: FlowRecord) -> Option<FlowRecord> {
        match self {
            Self::Both => Some(flow),
            Self::Forward => Some(one_way(flow)),
            Self::Reverse => reversed(flow),
        }
    }
}

/// The figures of a row of one direction. Round trips and response times are the flow's, whichever way the row looks.
fn performance(
    flow: &mut FlowRecord,
    forward: fn(&Performance) -> WayPerformance,
) -> Option<Box<Performance>> {
    let told = flow.performance.take()?;
    let one = Performance {
        forward: forward(&told),
        reverse: WayPerformance::default(),
        ..*told
    };
    one.boxed()
}

/// The record as its forward direction alone.
pub fn one_way(mut flow: FlowRecord) -> FlowRecord {
    FlowRecord {
        performance: performance(&mut flow, |told| told.forward),
        reverse: None,
        reverse_total: None,
        reverse_flags: 0,
        ..flow
    }
}

/// What came back, as a record from the responder to the initiator; `None` when nothing did.
pub fn reversed(mut flow: FlowRecord) -> Option<FlowRecord> {
    let forward = flow.reverse.filter(|back| back.packets > 0)?;
    let mut key = flow.key;
    std::mem::swap(&mut key.initiator_ip, &mut key.responder_ip);
    std::mem::swap(&mut key.initiator_port, &mut key.responder_port);
    Some(FlowRecord {
        performance: performance(&mut flow, |told| told.reverse),
        key,
        forward,
        forward_total: flow.reverse_total.unwrap_or(forward),
        reverse: None,
        reverse_total: None,
        forward_flags: flow.reverse_flags,
        reverse_flags: 0,
        initiator_mac: flow.responder_mac,
        responder_mac: flow.initiator_mac,
        forward_ttl: flow.reverse_ttl,
        initiator_inside: flow.responder_inside,
        responder_inside: flow.initiator_inside,
        ..flow
    })
}

/// Columns read in a direction.
pub(super) struct Directed<'a, C> {
    inner: &'a C,
    direction: Direction,
    zeros: OnceCell<Vec<u64>>,
}

impl<'a, C: Columns> Directed<'a, C> {
    pub(super) fn new(inner: &'a C, direction: Direction) -> Self {
        Self {
            inner,
            direction,
            zeros: OnceCell::new(),
        }
    }
}

impl<C: Columns> Columns for Directed<'_, C> {
    fn rows(&self) -> usize {
        self.inner.rows()
    }

    fn column(&self, name: &str) -> Slice<'_> {
        if is_foreign(name) {
            return self.inner.slice(name);
        }
        // TCP rows have an answer's flags, and none of them is set.
        let quiet = self.direction != Direction::Both && name == "dst_tcp_flags";
        let Some(column) = self.direction.column(name) else {
            return Slice::Missing;
        };
        match self.inner.slice(column) {
            Slice::Numbers(values, valid) if quiet => {
                Slice::Numbers(self.zeros.get_or_init(|| vec![0; values.len()]), valid)
            }
            slice => slice,
        }
    }
}

/// Statistics read in a direction.
pub(super) struct DirectedStatistics<'a, S> {
    pub inner: &'a S,
    pub direction: Direction,
}

impl<S: Statistics> Statistics for DirectedStatistics<'_, S> {
    fn bounds(&self, name: &str) -> Option<Bounds> {
        if is_foreign(name) || (self.direction != Direction::Both && name == "dst_tcp_flags") {
            return None;
        }
        match self.direction.column(name) {
            Some(column) => self.inner.bounds(column),
            None => Some(Bounds::Empty),
        }
    }

    fn complete(&self, name: &str) -> bool {
        self.direction
            .column(name)
            .is_some_and(|column| self.inner.complete(column))
    }
}
