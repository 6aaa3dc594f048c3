//! What travels between stages: up to 1,024 records with the ticks of event time among them, in one total order.
//! The order is what makes results independent of threads, so it travels with the records.

use crate::{FlowRecord, Time, Transaction};

/// A moment of event time that all of the pipeline passes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    pub seq: u64,
    /// The watermark: no later record is expected to begin before it (late ones are still accepted).
    pub time: Time,
    /// The input ends here: windows close, events are finished.
    pub end: bool,
}

/// Records and ticks in order of `seq`, each list sorted by it.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub flows: Vec<FlowRecord>,
    pub transactions: Vec<Transaction>,
    pub ticks: Vec<Tick>,
}

/// One step of a batch in its total order.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    Flow(&'a FlowRecord),
    Transaction(&'a Transaction),
    Tick(Tick),
}

impl Batch {
    /// Records that make a batch full.
    pub const RECORDS_MAX: usize = 1024;

    /// Number of records, ticks not counted.
    pub fn len(&self) -> usize {
        self.flows.len() + self.transactions.len()
    }

    /// Neither records nor ticks?
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.ticks.is_empty()
    }

    /// Everything in order of `seq`.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let (mut flow, mut transaction, mut tick) = (0, 0, 0);
        std::iter::from_fn(move || {
            let flow_seq = self.flows.get(flow).map_or(u64::MAX, |record| record.seq);
            let transaction_seq = self
                .transactions
                .get(transaction)
                .map_or(u64::MAX, |record| record.seq);
            let tick_seq = self.ticks.get(tick).map_or(u64::MAX, |tick| tick.seq);
            let first = flow_seq.min(transaction_seq).min(tick_seq);
            if first == u64::MAX {
                None
            } else if first == flow_seq {
                flow += 1;
                Some(Item::Flow(&self.flows[flow - 1]))
            } else if first == transaction_seq {
                transaction += 1;
                Some(Item::Transaction(&self.transactions[transaction - 1]))
            } else {
                tick += 1;
                Some(Item::Tick(self.ticks[tick - 1]))
            }
        })
    }
}
