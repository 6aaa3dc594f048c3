//! Counts rows of the flow table: which channels of which profiles each belongs to, and what they came to in every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use weir_query::{Columns, Expr, Selection, Slice, select};

use super::known::Known;
use super::table::{CLASSES, Class, Counts, Quality, Row, Sketches};
use super::{STEPS, Step};
use crate::flow::ArrowColumns;
use crate::flow::rows::starts;
use crate::flow::search::quantile::Tally;

/// Half minutes, of all channels together, that one segment of the log is counted into. Stamps are hostile: records of
/// further ones are counted as left out.
const SPANS_MAX: usize = 400_000;
/// Half minutes whose numbers, times 30,000, are milliseconds: nothing else is a moment.
const SPAN_MS: i64 = 30_000;

/// What is counted, ready to be compared with rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    profiles: Vec<PlannedProfile>,
}

#[derive(Clone, Debug)]
struct PlannedProfile {
    name: Arc<str>,
    filter: Expr,
    /// Name and filter.
    channels: Vec<(Arc<str>, Expr)>,
    epochs: Epochs,
}

/// Which epoch rows are counted for.
#[derive(Clone, Debug)]
enum Epochs {
    /// The one that counts at the time.
    Current(super::Kept),
    /// This one, from a moment on.
    Filling { from: i64, epoch: u32 },
}

impl Plan {
    /// Every profile that is counted.
    pub(super) fn of(known: &Known) -> Self {
        let active = known.profiles.iter().filter(|kept| kept.active);
        let planned = active.filter_map(|kept| planned(kept, Epochs::Current(kept.clone())));
        Self {
            profiles: planned.collect(),
        }
    }

    /// One profile, for an epoch of its own.
    pub(super) fn filling(kept: &super::Kept, from: i64, epoch: u32) -> Self {
        Self {
            profiles: planned(kept, Epochs::Filling { from, epoch })
                .into_iter()
                .collect(),
        }
    }

    /// One channel of one profile.
    pub(super) fn only(kept: &super::Kept, channel: &str) -> Self {
        let mut planned = planned(kept, Epochs::Current(kept.clone()));
        if let Some(planned) = &mut planned {
            planned.channels.retain(|(name, _)| &**name == channel);
        }
        Self {
            profiles: planned.into_iter().collect(),
        }
    }
}

fn planned(kept: &super::Kept, epochs: Epochs) -> Option<PlannedProfile> {
    let profile = kept.profile()?;
    let channels = profile.channels.into_iter();
    Some(PlannedProfile {
        name: profile.name.into(),
        filter: profile.filter,
        channels: channels
            .map(|channel| (channel.name.into(), channel.filter))
            .collect(),
        epochs,
    })
}

/// What one channel's records of a step came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Span {
    /// By class; the first is the sum of the others.
    pub(super) counts: [Counts; CLASSES.len()],
    pub(super) sketches: Sketches,
}

impl Span {
    pub(super) fn merge(&mut self, other: &Self) {
        for (own, other) in self.counts.iter_mut().zip(&other.counts) {
            own.add(*other);
        }
        self.sketches.merge(&other.sketches);
    }
}

/// Numbers on their way into the sketches of a span.
#[derive(Debug, Default)]
struct Tallies {
    duration: Tally,
    record_bytes: Tally,
    packet_bytes: Tally,
    rtt: Tally,
    srt: Tally,
}

/// Rows counted so far.
#[derive(Debug)]
pub(super) struct Rolled {
    /// By profile, channel (their places in the plan) and half minute.
    spans: BTreeMap<(u16, u16, i64), Span>,
    /// How many there may be.
    room: usize,
    /// Records that belong to a channel and found no room.
    pub(super) left_out: u64,
    tallies: Tallies,
}

fn number(slice: &Slice<'_>, row: usize) -> Option<u64> {
    match slice {
        Slice::Numbers(values, valid) if valid.contains(row) => Some(values[row]),
        _ => None,
    }
}

/// Network performance of the rows; nothing when no row has any.
fn qualities(rows: usize, columns: &ArrowColumns<'_>, packets: &[u64]) -> Vec<Quality> {
    let slices = [
        "rtt",
        "srt",
        "src_retransmitted_packets",
        "dst_retransmitted_packets",
        "src_out_of_order_packets",
        "dst_out_of_order_packets",
    ]
    .map(|name| columns.column(name));
    let any = |slice: &Slice<'_>| matches!(slice, Slice::Numbers(_, valid) if !valid.is_empty());
    if !slices.iter().any(any) {
        return Vec::new();
    }
    let [rtt, srt, src_again, dst_again, src_late, dst_late] = slices;
    let one = |row: usize| {
        let (rtt_us, srt_us) = (number(&rtt, row), number(&srt, row));
        let both = [number(&src_again, row), number(&dst_again, row)];
        let judged = both.iter().any(Option::is_some);
        let sum = |sides: [Option<u64>; 2]| sides.into_iter().flatten().fold(0, u64::saturating_add);
        Quality {
            rtt_us: rtt_us.unwrap_or(0),
            rtt_flows: rtt_us.is_some().into(),
            srt_us: srt_us.unwrap_or(0),
            srt_flows: srt_us.is_some().into(),
            judged_flows: judged.into(),
            judged_packets: if judged { packets[row] } else { 0 },
            retransmitted_packets: sum(both),
            out_of_order_packets: sum([number(&src_late, row), number(&dst_late, row)]),
        }
    };
    (0..rows).map(one).collect()
}

/// The numbers of a batch that are counted.
struct Numbers {
    spans: Vec<i64>,
    classes: Vec<Class>,
    packets: Vec<u64>,
    bytes: Vec<u64>,
    nanos: Vec<u64>,
    /// Of rows that have any of it; empty when none has.
    quality: Vec<Quality>,
}

impl Numbers {
    fn of(batch: &RecordBatch, columns: &ArrowColumns<'_>) -> Self {
        let rows = batch.num_rows();
        let slices = ["proto", "src_packets", "dst_packets", "src_bytes", "dst_bytes"];
        let [proto, src_packets, dst_packets, src_bytes, dst_bytes] = slices.map(|name| columns.column(name));
        let sum = |src: &Slice<'_>, dst: &Slice<'_>| -> Vec<u64> {
            let one = |row| {
                let both = [src, dst].map(|side| number(side, row).unwrap_or(0));
                both[0].saturating_add(both[1])
            };
            (0..rows).map(one).collect()
        };
        let nanos = match (columns.column("start"), columns.column("end")) {
            (Slice::Times(from, _), Slice::Times(to, _)) => from
                .iter()
                .zip(to)
                .map(|(from, to)| to.saturating_sub(*from).max(0).cast_unsigned())
                .collect(),
            _ => vec![0; rows],
        };
        let packets = sum(&src_packets, &dst_packets);
        Self {
            spans: starts(batch)
                .iter()
                .map(|start| start.div_euclid(SPAN_MS))
                .collect(),
            classes: (0..rows)
                .map(|row| Class::of_proto(number(&proto, row)))
                .collect(),
            quality: qualities(rows, columns, &packets),
            packets,
            bytes: sum(&src_bytes, &dst_bytes),
            nanos,
        }
    }

    /// Counts rows that all belong to the span.
    fn count(&self, rows: &[usize], span: &mut Span, tallies: &mut Tallies) {
        for &row in rows {
            let (packets, bytes) = (self.packets[row], self.bytes[row]);
            let quality = self.quality.get(row).copied().unwrap_or_default();
            let counts = Counts {
                flows: 1,
                packets,
                bytes,
                quality,
            };
            tallies.rtt.count(quality.rtt_us, quality.rtt_flows);
            tallies.srt.count(quality.srt_us, quality.srt_flows);
            span.counts[0].add(counts);
            span.counts[self.classes[row].at()].add(counts);
            tallies.duration.count(self.nanos[row], 1);
            tallies.record_bytes.count(bytes, 1);
            if let Some(mean) = bytes.checked_div(packets) {
                tallies.packet_bytes.count(mean, packets);
            }
        }
        tallies.duration.pour(&mut span.sketches.duration);
        tallies.record_bytes.pour(&mut span.sketches.record_bytes);
        tallies.packet_bytes.pour(&mut span.sketches.packet_bytes);
        tallies.rtt.pour(&mut span.sketches.rtt);
        tallies.srt.pour(&mut span.sketches.srt);
    }
}

impl Default for Rolled {
    fn default() -> Self {
        Self::within(SPANS_MAX)
    }
}

impl Rolled {
    /// Nothing counted, and room for so many half minutes.
    pub(super) fn within(room: usize) -> Self {
        Self {
            spans: BTreeMap::new(),
            room,
            left_out: 0,
            tallies: Tallies::default(),
        }
    }

    /// Counts the rows of a batch of the flow table for which `wanted` holds.
    pub(super) fn count(&mut self, plan: &Plan, batch: &RecordBatch, wanted: &dyn Fn(i64) -> bool) {
        let columns = ArrowColumns::new(batch);
        let rows = starts(batch);
        if rows.len() != batch.num_rows() {
            return;
        }
        let within = Selection::from_fn(rows.len(), |row| wanted(rows[row]));
        if within.is_empty() {
            return;
        }
        let mut numbers = None;
        for (at, profile) in (0..).zip(&plan.profiles) {
            let own = select(&profile.filter, &columns, &within);
            for (channel, (_, filter)) in (0..).zip(&profile.channels) {
                let own = select(filter, &columns, &own);
                if !own.is_empty() {
                    let numbers = numbers.get_or_insert_with(|| Numbers::of(batch, &columns));
                    self.count_rows((at, channel), &own, numbers);
                }
            }
        }
    }

    fn count_rows(&mut self, (profile, channel): (u16, u16), rows: &Selection, numbers: &Numbers) {
        let mut rows: Vec<usize> = rows.iter().collect();
        rows.sort_by_key(|row| numbers.spans[*row]);
        for rows in rows.chunk_by(|one, next| numbers.spans[*one] == numbers.spans[*next]) {
            let key = (profile, channel, numbers.spans[rows[0]]);
            if self.spans.len() >= self.room && !self.spans.contains_key(&key) {
                self.left_out += rows.len() as u64;
                continue;
            }
            numbers.count(rows, self.spans.entry(key).or_default(), &mut self.tallies);
        }
    }

    /// What was counted, as rows of a step's table.
    pub(super) fn rows(&self, plan: &Plan, step: Step) -> Vec<Row> {
        let mut steps = BTreeMap::<(u16, u16, i64), Span>::new();
        for ((profile, channel, span), own) in &self.spans {
            let start = span.saturating_mul(SPAN_MS).div_euclid(step.millis());
            steps.entry((*profile, *channel, start)).or_default().merge(own);
        }
        let mut rows = Vec::new();
        for ((profile, channel, at), span) in steps {
            let planned = &plan.profiles[usize::from(profile)];
            let start = at.saturating_mul(step.millis());
            let epoch = match &planned.epochs {
                Epochs::Current(kept) => kept.epoch_at(start),
                Epochs::Filling { from, epoch } => (start >= *from).then_some(*epoch),
            };
            let Some(epoch) = epoch else { continue };
            for class in CLASSES {
                let counts = span.counts[class.at()];
                if counts != Counts::default() {
                    rows.push(Row {
                        start,
                        epoch,
                        profile: planned.name.clone(),
                        channel: planned.channels[usize::from(channel)].0.clone(),
                        class,
                        counts,
                        sketches: (class == Class::All).then(|| span.sketches.clone()),
                    });
                }
            }
        }
        rows
    }

    /// The half minutes of the only channel of a plan, in milliseconds since 1970.
    pub(super) fn into_spans(self) -> impl Iterator<Item = (i64, Span)> {
        let spans = self.spans.into_iter();
        spans.map(|((_, _, span), own)| (span.saturating_mul(SPAN_MS), own))
    }
}

/// The coarsest kept step that `millis` is a multiple of.
pub(super) fn step_for(millis: i64) -> Option<Step> {
    let fits = |step: &Step| millis > 0 && millis % step.millis() == 0;
    STEPS.into_iter().rev().find(fits)
}
