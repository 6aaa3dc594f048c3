//! What one pattern has counted for one host, pair or service in its window: bins of an eighth of the window, and
//! different values with the bin each was seen in last. The window is therefore up to an eighth longer than written.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;
use weir_model::{
    FlowFilter, FlowId, FlowKey, FlowRecord, NANOS_PER_S, Quantity, Target, Time, Transaction, proto,
};
use weir_query::Scalar;
use weir_query::behaviour::Aggregate;

use super::pattern::Compiled;
use crate::baseline::{Distinct, Top};
use crate::findings::Verdict;

/// Parts of a window.
const BINS: i64 = 8;
/// Long flows known to be counted already; more at once are counted again with every record.
const RUNNING_MAX: usize = 16;
const TARGETS_MAX: usize = 32;
const PORTS_MAX: usize = 8;
const SAMPLES_MAX: usize = 5;
/// Characters of a sample shown.
const SAMPLE_CHARS_MAX: usize = 120;

/// See the file.
#[derive(Default)]
pub struct Counts {
    bins: VecDeque<Bin>,
    /// For each aggregate that counts different values: hash and bin of the last sight. Longest unseen first.
    distinct: Vec<VecDeque<(u32, i64)>>,
    running: VecDeque<FlowId>,
    /// Flows or exchanges ever, while the cell lives.
    total: u64,
    uploaded: u64,
    downloaded: u64,
    targets: Distinct,
    listed: Vec<Target>,
    ports: Top<u16, PORTS_MAX>,
    samples: Vec<Box<str>>,
    span: Option<(Time, Time)>,
}

/// An eighth of the window.
#[derive(Default)]
struct Bin {
    index: i64,
    count: u64,
    /// For each numeric aggregate.
    figures: Vec<Figure>,
}

#[derive(Clone, Copy, Default)]
struct Figure {
    sum: f64,
    values: u64,
    least: f64,
    greatest: f64,
}

impl Figure {
    fn add(&mut self, value: f64) {
        (self.least, self.greatest) = if self.values == 0 {
            (value, value)
        } else {
            (self.least.min(value), self.greatest.max(value))
        };
        self.sum += value;
        self.values += 1;
    }

    fn join(self, other: Self) -> Self {
        match (self.values, other.values) {
            (0, _) => other,
            (_, 0) => self,
            _ => Self {
                sum: self.sum + other.sum,
                values: self.values + other.values,
                least: self.least.min(other.least),
                greatest: self.greatest.max(other.greatest),
            },
        }
    }
}

impl Counts {
    pub(super) fn flow(&mut self, pattern: &Compiled, flow: &FlowRecord) {
        // A long flow comes in several records and is one flow.
        let again = flow.start != flow.flow_start && self.running.contains(&flow.id);
        if !again && flow.phase != weir_model::Phase::End {
            if self.running.len() == RUNNING_MAX {
                self.running.pop_front();
            }
            self.running.push_back(flow.id);
        }
        let (up, down) = (flow.forward, flow.reverse_or_zero());
        self.uploaded = self.uploaded.saturating_add(up.scaled(flow.sampling).bytes);
        self.downloaded = self.downloaded.saturating_add(down.scaled(flow.sampling).bytes);
        self.count(pattern, flow.end, u64::from(!again), &mut |field| {
            field.of_flow(flow)
        });
        self.tell_of(pattern, &flow.key, flow.flow_start, flow.end);
    }

    pub(super) fn transaction(&mut self, pattern: &Compiled, transaction: &Transaction) {
        self.count(pattern, transaction.end, 1, &mut |field| {
            field.of_transaction(transaction)
        });
        for field in &pattern.samples {
            if let Some(Scalar::Text(text)) = field.of_transaction(transaction)
                && self.samples.len() < SAMPLES_MAX
            {
                let sample: String = text.chars().take(SAMPLE_CHARS_MAX).collect();
                if !self.samples.iter().any(|known| **known == *sample) {
                    self.samples.push(sample.into());
                }
            }
        }
        self.tell_of(pattern, &transaction.key, transaction.start, transaction.end);
    }

    fn tell_of(&mut self, pattern: &Compiled, key: &FlowKey, start: Time, end: Time) {
        let with_port = matches!(key.proto, proto::TCP | proto::UDP);
        if with_port {
            self.ports.add(key.responder_port, 1);
        }
        let target = if pattern.blames_responder() {
            Target::ip(key.initiator_ip)
        } else if with_port {
            Target::service(key.responder_ip, key.responder_port)
        } else {
            Target::ip(key.responder_ip)
        };
        if self.targets.add(target) && self.listed.len() < TARGETS_MAX {
            self.listed.push(target);
        }
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
    }

    /// Adds one record to the newest bin; one that comes late counts as of now.
    fn count<'a>(
        &mut self,
        pattern: &Compiled,
        at: Time,
        flows: u64,
        value: &mut dyn FnMut(&weir_query::Field) -> Option<Scalar<'a>>,
    ) {
        let width = i64::from(pattern.behaviour.within_s) * NANOS_PER_S / BINS;
        let newest = self.bins.back().map_or(i64::MIN, |bin| bin.index);
        let index = at.0.div_euclid(width).max(newest);
        if index > newest {
            while self.bins.front().is_some_and(|bin| bin.index < index - BINS) {
                self.bins.pop_front();
            }
            self.bins.push_back(Bin {
                index,
                count: 0,
                figures: vec![Figure::default(); pattern.figures()],
            });
        }
        self.distinct.resize_with(pattern.aggregates.len(), VecDeque::new);
        let Some(bin) = self.bins.back_mut() else { return };
        bin.count += flows;
        self.total += flows;
        let mut figure = 0;
        for (at, (aggregate, _)) in pattern.aggregates.iter().enumerate() {
            let Some(field) = aggregate.field() else { continue };
            let found = value(field);
            if let Aggregate::Distinct(_) = aggregate {
                let seen = &mut self.distinct[at];
                while seen.front().is_some_and(|(_, bin)| *bin < index - BINS) {
                    seen.pop_front();
                }
                if let Some(found) = found {
                    let hash = hash(&found);
                    match seen.iter().position(|(known, _)| *known == hash) {
                        Some(known) => drop(seen.remove(known)),
                        None if seen.len() >= pattern.distinct_max(at) => drop(seen.pop_front()),
                        None => {}
                    }
                    seen.push_back((hash, index));
                }
                continue;
            }
            match found {
                Some(Scalar::Number(number)) => bin.figures[figure].add(number as f64),
                Some(Scalar::Rate(rate)) => bin.figures[figure].add(rate),
                _ => {}
            }
            figure += 1;
        }
    }

    /// The values of all aggregates, in their order; none while one has no value.
    pub(super) fn values(&self, pattern: &Compiled) -> Option<Vec<f64>> {
        let mut figure = 0;
        let value = |(at, (aggregate, _)): (usize, &(Aggregate, &str))| match aggregate {
            Aggregate::Count => Some(self.bins.iter().map(|bin| bin.count).sum::<u64>() as f64),
            Aggregate::Distinct(_) => Some(self.distinct.get(at)?.len() as f64),
            _ => {
                let all = self
                    .bins
                    .iter()
                    .filter_map(|bin| bin.figures.get(figure).copied());
                let all = all.fold(Figure::default(), Figure::join);
                figure += 1;
                (all.values > 0).then_some(match aggregate {
                    Aggregate::Sum(_) => all.sum,
                    Aggregate::Average(_) => all.sum / all.values as f64,
                    Aggregate::Least(_) => all.least,
                    _ => all.greatest,
                })
            }
        };
        pattern.aggregates.iter().enumerate().map(value).collect()
    }

    /// Completes a finding with what was counted.
    pub(super) fn tell(&self, pattern: &Compiled, verdict: Verdict<'_>, evidence: FlowFilter) {
        let Some((first, last)) = self.span else { return };
        let mut ports: Vec<u64> = self
            .ports
            .heaviest()
            .iter()
            .map(|(port, _)| u64::from(*port))
            .collect();
        ports.sort_unstable();
        let samples = match self.samples.as_slice() {
            [] => Quantity::Text("none".into()),
            samples => Quantity::Texts(samples.to_vec()),
        };
        verdict
            .targets(self.listed.clone(), self.targets.count())
            .span(first, last)
            .detail("Type", Quantity::Text(pattern.title.into()))
            .detail("FlowCount", Quantity::Count(self.total))
            .detail("UploadedData", Quantity::Bytes(self.uploaded))
            .detail("DownloadedData", Quantity::Bytes(self.downloaded))
            .detail("TargetCount", Quantity::Count(self.targets.count()))
            .detail("PortList", Quantity::Counts(ports))
            .detail("Samples", samples)
            .evidence(evidence);
    }

    /// The one responder port there was, for the evidence.
    pub(super) fn only_port(&self) -> Option<u16> {
        match self.ports.heaviest().as_slice() {
            [(port, _)] => Some(*port),
            _ => None,
        }
    }

    /// The one target there was.
    pub(super) fn only_target(&self) -> Option<Target> {
        self.listed.first().copied().filter(|_| self.targets.count() == 1)
    }
}

#[cfg(test)]
impl Counts {
    /// Lengths of what may grow.
    pub(super) fn sizes(&self) -> [usize; 4] {
        let distinct = self.distinct.iter().map(VecDeque::len).sum();
        [self.bins.len(), distinct, self.listed.len(), self.samples.len()]
    }
}

/// Keyed by constants: results must not differ between runs.
fn hash(value: &Scalar<'_>) -> u32 {
    let mut hash = SipHasher13::new_with_keys(0x7061_7474, 0x6572_6e73);
    match value {
        Scalar::Number(number) | Scalar::Mac(number) => number.hash(&mut hash),
        Scalar::Rate(rate) => rate.to_bits().hash(&mut hash),
        Scalar::Time(time) => time.hash(&mut hash),
        Scalar::Address(address) => address.hash(&mut hash),
        Scalar::Flag(flag) => flag.hash(&mut hash),
        Scalar::Text(text) => text.hash(&mut hash),
        Scalar::Texts(all) => all.hash(&mut hash),
    }
    hash.finish() as u32
}
