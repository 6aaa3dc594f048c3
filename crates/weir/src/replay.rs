//! What a store holds, through detection once more: for methods that learn from history, for indicators that came later,
//! for patterns that are tried out. Records pass in the order of their end, as they did when they were new.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use weir_detect::Instance;
use weir_enrich::Enricher;
use weir_model::{Batch, Field, FlowRecord, Need, Tick, Time, Transaction};
use weir_store::LocalDisk;
use weir_store::flow::Past;

use crate::config::Config;
use crate::pipeline::{self, Consumer, Ended};

/// What stored records offer. What an exporter of them did not send is not there, and methods find nothing in it.
pub(crate) const HAVE: &[Need] = &[
    Need::Packets,
    Need::TcpFlags,
    Need::Macs,
    Need::Payload,
    Need::BothDirections,
    Need::Unsampled,
];
/// Times a store is opened anew because a part was merged while it was read.
const TRIES_MAX: usize = 5;

/// What to read again.
pub(crate) struct Again<'a> {
    pub(crate) store: &'a Path,
    pub(crate) site: &'a str,
    pub(crate) since: Time,
    pub(crate) until: Time,
    /// Ends the run early.
    pub(crate) stop: Option<&'a AtomicBool>,
    /// Rests as long as it worked after every piece: for work beside a live line.
    pub(crate) gentle: bool,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) flows: u64,
    pub(crate) transactions: u64,
    /// First start and last end.
    pub(crate) span: Option<(Time, Time)>,
    pub(crate) stopped: bool,
}

/// Passes stored records through the instances; what they find goes to the consumer.
pub(crate) fn run<C: Consumer>(
    again: &Again<'_>,
    config: &Config,
    instances: &[Instance],
    consumer: C,
) -> Result<(C, Ended, Passed)> {
    if !again.store.is_dir() {
        let store = again.store.display();
        bail!("there is no store at {store}: fill one with weir -r FILE --store {store}");
    }
    let mut passed = Ok(Passed::default());
    let (consumer, ended) = pipeline::line(config, instances, None, consumer, |feeds| {
        let mut enricher = match config.inside {
            Some(_) => config.enricher(),
            None => {
                let mut enricher = Enricher::again();
                enricher.follow(config.indicators.clone());
                enricher.set_places(config.triage.places.clone());
                enricher
            }
        };
        passed = Passing::default().all(again, |batch| feeds.send(enricher.push(batch)));
    })?;
    Ok((consumer, ended, passed?))
}

/// A record that waits for its turn: by end, then by what distinguishes it, so that how the store lies does not show.
struct Waiting {
    end: Time,
    start: Time,
    id: u64,
    record: Record,
}

enum Record {
    Flow(Box<FlowRecord>),
    Transaction(Box<Transaction>),
}

impl Waiting {
    fn place(&self) -> (Time, Time, u64, bool) {
        (
            self.end,
            self.start,
            self.id,
            matches!(self.record, Record::Flow(_)),
        )
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

/// Puts pieces in order: a record that ends behind its piece waits for the piece it ends in.
#[derive(Default)]
struct Passing {
    waiting: BinaryHeap<Reverse<Waiting>>,
    batch: Batch,
    seq: u64,
    second: Option<i64>,
    last: Time,
    passed: Passed,
}

impl Passing {
    fn all(mut self, again: &Again<'_>, mut send: impl FnMut(Batch) -> bool) -> Result<Passed> {
        let at = || format!("store {}", again.store.display());
        let disk = Arc::new(LocalDisk::reading(again.store));
        let mut past = Past::open(disk.clone(), again.site).with_context(at)?;
        for piece in past.pieces(again.since, again.until).with_context(at)? {
            let began = Instant::now();
            let mut tries = 1;
            let (flows, transactions) = loop {
                match past.read(piece, dissector_field) {
                    Ok(read) => break read,
                    // A part was merged meanwhile: the records are there, elsewhere.
                    Err(_) if tries < TRIES_MAX => {
                        tries += 1;
                        past = Past::open(disk.clone(), again.site).with_context(at)?;
                    }
                    Err(error) => return Err(error).with_context(at),
                }
            };
            self.take(flows, transactions);
            let wanted = self.release(Time(piece.to_ms.saturating_mul(1_000_000)), &mut send);
            self.passed.stopped = again.stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
            if !wanted || self.passed.stopped {
                break;
            }
            if again.gentle {
                std::thread::sleep(began.elapsed());
            }
        }
        if !self.passed.stopped {
            self.release(Time::MAX, &mut send);
        }
        self.tick(self.last, true);
        send(self.batch);
        Ok(self.passed)
    }

    fn take(&mut self, flows: Vec<FlowRecord>, transactions: Vec<Transaction>) {
        self.passed.flows += flows.len() as u64;
        self.passed.transactions += transactions.len() as u64;
        let flows = flows.into_iter().map(|flow| Waiting {
            end: flow.end,
            start: flow.start,
            id: flow.id.0,
            record: Record::Flow(Box::new(flow)),
        });
        let transactions = transactions.into_iter().map(|one| Waiting {
            end: one.end,
            start: one.start,
            id: one.flow.0,
            record: Record::Transaction(Box::new(one)),
        });
        self.waiting.extend(flows.chain(transactions).map(Reverse));
    }

    /// Sends what ends before `until`. False when nobody wants more.
    fn release(&mut self, until: Time, send: &mut impl FnMut(Batch) -> bool) -> bool {
        while self.waiting.peek().is_some_and(|Reverse(next)| next.end < until) {
            let Some(Reverse(Waiting {
                end, start, record, ..
            })) = self.waiting.pop()
            else {
                break;
            };
            self.last = self.last.max(end);
            if self.second.is_none_or(|second| end.bin(1) > second) {
                self.second = Some(end.bin(1));
                self.tick(end, false);
            }
            let (first, last) = self.passed.span.unwrap_or((start, end));
            self.passed.span = Some((first.min(start), last.max(end)));
            match record {
                Record::Flow(mut flow) => {
                    flow.seq = self.seq;
                    self.batch.flows.push(*flow);
                }
                Record::Transaction(mut one) => {
                    one.seq = self.seq;
                    self.batch.transactions.push(*one);
                }
            }
            self.seq += 1;
            if self.batch.len() >= Batch::RECORDS_MAX && !send(std::mem::take(&mut self.batch)) {
                return false;
            }
        }
        true
    }

    fn tick(&mut self, time: Time, end: bool) {
        self.batch.ticks.push(Tick {
            seq: self.seq,
            time,
            end,
        });
        self.seq += 1;
    }
}

/// A field of the dissectors by name.
fn dissector_field(name: &str) -> Option<&'static Field> {
    let fields = weir_dissect::REGISTRY.iter().flat_map(|entry| entry.meta.fields);
    fields.copied().find(|field| field.name == name)
}
