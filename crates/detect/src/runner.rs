//! Runs method instances over batches: routes records to cells, expires windows, isolates panics, counts.
//! A shard owns some partitions of every instance's cells; findings are ordered so that the shard count never shows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ahash::RandomState;
use weir_model::{Batch, Finding, Item, MethodMeta, NANOS_PER_S, Need, Time};
use weir_query::Expr;

use crate::cell::{Opens, PARTITIONS, Record};
use crate::learned::{self, Header};
use crate::registry::Make;
use crate::table::{self, Cell, CellTable, Gone};
use crate::{CellKey, Cells, Checkpoint, Findings, Method, RestoreError, Restored};

mod keeping;

/// Cells one instance keeps over all shards: one for each of a hundred thousand busy hosts, not for all their pairs. With a
/// few hundred bytes a cell this bounds a method to tens of MiB; past it the longest silent cell is judged a last time,
/// forgotten and counted.
const CELLS_MAX: usize = 131_072;

/// Cells whose places are looked up together before any is folded, so that their cache misses overlap.
const STEPS: usize = 256;

/// A configured method, ready to be run by any number of shards.
pub struct Instance {
    pub meta: &'static MethodMeta,
    pub name: &'static str,
    /// Submethods that stay silent.
    pub off: Vec<&'static str>,
    /// Submethods the feed is too poor for, with what is missing.
    pub blind: Vec<(&'static str, Vec<Need>)>,
    pub(crate) filter: Option<Arc<Filter>>,
    pub(crate) make: Make,
}

impl Instance {
    /// The same for the records alone that fit.
    #[must_use]
    pub fn filtered(self, filter: Option<Filter>) -> Self {
        Self {
            filter: filter.map(Arc::new),
            ..self
        }
    }
}

/// Which records an instance sees.
#[derive(Clone, Debug)]
pub struct Filter {
    pub flows: Expr,
    pub transactions: Expr,
}

/// A finding with its place in the total order of the pipeline.
#[derive(Clone, Debug)]
pub struct Emission {
    /// `seq` of the record or tick that brought it.
    pub seq: u64,
    /// Instance, then partition: breaks ties without looking at the shard.
    pub tie: (usize, usize),
    pub finding: Finding,
}

/// Counters of one instance in one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardStats {
    pub folds: u64,
    pub judgements: u64,
    pub findings: u64,
    pub cells: usize,
    /// Memory of one cell with its place in the table, bytes, without what it points at.
    pub cell_bytes: usize,
    pub evictions: u64,
    /// Switched off after a panic.
    pub panicked: bool,
}

/// How far an instance has learned, in one shard or (added up) in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub method: &'static str,
    pub instance: &'static str,
    /// Entities it knows.
    pub entities: u64,
    /// Of those, entities it knows long enough to speak of; all, where the method needs no such time.
    pub ready: u64,
    /// Intervals learned and needed, added up over the entities, each counted up to what it needs.
    pub learned: (u64, u64),
    /// The watermark it learned up to.
    pub now: Time,
}

/// One detection worker: all instances over its share of the partitions.
pub struct Shard {
    owned: [bool; PARTITIONS],
    runs: Vec<Box<dyn Run>>,
}

impl Shard {
    /// Shard `index` of `count` (1..=16) over the configured instances.
    pub fn new(index: usize, count: usize, instances: &[Instance]) -> Self {
        let runs = instances.iter().enumerate();
        Self {
            owned: std::array::from_fn(|partition| partition % count.max(1) == index),
            runs: runs
                .map(|(at, instance)| {
                    (instance.make)(at, instance.name, instance.off.clone(), instance.filter.clone())
                })
                .collect(),
        }
    }

    /// Keeps what was learned when the input ends, which closes every cell, for [`Self::learned`] to hand out after it.
    #[must_use]
    pub fn keeping(mut self) -> Self {
        self.runs.iter_mut().for_each(|run| run.keep());
        self
    }

    /// What this shard's part of every instance that learns has learned so far, or had before the input ended. Costs a
    /// copy of the cells as text; call it between batches.
    pub fn learned(&mut self) -> Vec<Checkpoint> {
        let owned = self.owned;
        let working = self.runs.iter_mut().filter(|run| !run.stats().panicked);
        working
            .filter_map(|run| catch_unwind(AssertUnwindSafe(|| run.learned(&owned))).ok()?)
            .collect()
    }

    /// How far this shard's part of every instance that learns has come.
    pub fn progress(&self) -> Vec<Progress> {
        let working = self.runs.iter().filter(|run| !run.panicked());
        working.filter_map(|run| run.progress()).collect()
    }

    /// Takes up what `text` (of [`Checkpoint::text`]) says, as far as it is this shard's. Call it before the first
    /// batch. Cells that cannot be read are counted, not fatal; an error leaves the method as it was.
    pub fn restore(&mut self, text: &str) -> Result<Restored, RestoreError> {
        let (header, lines) = learned::split(text)?;
        let unwanted = || RestoreError::Unwanted {
            method: header.method.clone(),
            instance: header.instance.clone(),
        };
        let named = |run: &&mut Box<dyn Run>| run.name() == (&*header.method, &*header.instance);
        let run = self.runs.iter_mut().find(named).ok_or_else(unwanted)?;
        let owned = &self.owned;
        let restored = catch_unwind(AssertUnwindSafe(|| run.restore(&header, lines, owned)));
        match restored {
            Ok(result) => result?.ok_or_else(unwanted),
            Err(_) => {
                run.forget();
                Err(RestoreError::Broke {
                    method: header.method.clone(),
                })
            }
        }
    }

    /// Runs every instance over the batch. Emissions are in this shard's order; merge shards by `(seq, tie)`, stably.
    pub fn run(&mut self, batch: &Batch) -> Vec<Emission> {
        let mut out = Vec::new();
        // In order once, not once for every method.
        let told = |item: &Item<'_>| !matches!(item, Item::Flow(flow) if flow.duplicate);
        let items: Vec<Item<'_>> = batch.items().filter(told).collect();
        for run in self.runs.iter_mut().filter(|run| !run.panicked()) {
            if catch_unwind(AssertUnwindSafe(|| run.run(&items, &self.owned, &mut out))).is_err() {
                run.disable();
            }
        }
        out.sort_by_key(|emission| (emission.seq, emission.tie));
        out
    }

    /// Counters per instance, in configured order.
    pub fn stats(&self) -> Vec<ShardStats> {
        self.runs.iter().map(|run| run.stats()).collect()
    }
}

/// Object-safe face of a running instance: one virtual call per batch.
pub(crate) trait Run: Send {
    /// Takes what a batch holds, in its total order.
    fn run(&mut self, items: &[Item<'_>], owned: &[bool; PARTITIONS], out: &mut Vec<Emission>);
    fn stats(&self) -> ShardStats;
    fn panicked(&self) -> bool;
    fn disable(&mut self);
    /// Code of the method and name of the instance.
    fn name(&self) -> (&'static str, &'static str);
    /// Keeps what was learned before the input's end.
    fn keep(&mut self);
    /// What was learned; `None` when the method keeps nothing.
    fn learned(&mut self, owned: &[bool; PARTITIONS]) -> Option<Checkpoint>;
    /// Takes up cells of the owned partitions; `None` when the method keeps nothing.
    fn restore(
        &mut self,
        header: &Header,
        lines: std::str::Lines<'_>,
        owned: &[bool; PARTITIONS],
    ) -> Result<Option<Restored>, RestoreError>;
    /// Starts anew without any cell.
    fn forget(&mut self);
    /// How far it has learned; `None` when the method keeps nothing.
    fn progress(&self) -> Option<Progress>;
}

/// A record on its way into one of its cells.
struct Step<'a> {
    record: Record<'a>,
    key: CellKey,
    opens: Opens,
    partition: usize,
    hash: u64,
    /// Where the cell was when it was looked up.
    place: u32,
}

/// A running instance of a method.
pub(crate) struct Typed<M: Method> {
    params: Arc<M::Params>,
    meta: &'static MethodMeta,
    index: usize,
    name: &'static str,
    off: Vec<&'static str>,
    filter: Option<Arc<Filter>>,
    tables: Vec<CellTable<M::State>>,
    hasher: RandomState,
    now: Time,
    stats: ShardStats,
    found: Vec<Finding>,
    /// Keep what was learned when the input ends.
    keeps: bool,
    at_end: Option<Checkpoint>,
}

impl<M: Method> Typed<M> {
    pub(crate) fn new(
        params: Arc<M::Params>,
        meta: &'static MethodMeta,
        index: usize,
        name: &'static str,
        off: Vec<&'static str>,
        filter: Option<Arc<Filter>>,
    ) -> Self {
        Self {
            params,
            meta,
            index,
            name,
            off,
            filter,
            tables: Self::empty(),
            hasher: RandomState::new(),
            now: Time::MIN,
            stats: ShardStats::default(),
            found: Vec::new(),
            keeps: false,
            at_end: None,
        }
    }

    fn empty() -> Vec<CellTable<M::State>> {
        (0..PARTITIONS)
            .map(|_| CellTable::new(CELLS_MAX / PARTITIONS))
            .collect()
    }

    /// Adds the record's cells that this shard owns to the steps.
    fn plan<'a>(
        &self,
        record: Record<'a>,
        cells: &mut Cells,
        owned: &[bool; PARTITIONS],
        steps: &mut Vec<Step<'a>>,
    ) {
        if cells.is_empty() {
            return;
        }
        for (key, opens) in cells.iter() {
            let partition = key.partition();
            if owned[partition] {
                let hash = self.hasher.hash_one(key);
                steps.push(Step {
                    record,
                    key,
                    opens,
                    partition,
                    hash,
                    place: table::NONE,
                });
            }
        }
        cells.clear();
    }

    /// Takes the steps in their order, with the places of their cells looked up before.
    fn take(&mut self, steps: &mut Vec<Step<'_>>, out: &mut Vec<Emission>) {
        for step in steps.iter_mut() {
            step.place = self.tables[step.partition].place(step.hash, &step.key);
        }
        for step in steps.drain(..) {
            self.fold(&step, out);
        }
    }

    fn fold(&mut self, step: &Step<'_>, out: &mut Vec<Emission>) {
        let &Step {
            record,
            key,
            opens,
            partition,
            hash,
            place,
        } = step;
        let seq = record.seq();
        let Self {
            params,
            tables,
            now,
            hasher,
            ..
        } = self;
        let breaks = |state: &M::State| M::breaks(params, state, record.start());
        let hasher = |key: &CellKey| hasher.hash_one(key);
        let Some((at, gone)) = tables[partition].touch((key, hash, place), opens, *now, hasher, breaks)
        else {
            return;
        };
        if let Some(gone) = gone {
            let cell = match gone {
                Gone::Broken(cell) => cell,
                Gone::Evicted(cell) => {
                    self.stats.evictions += 1;
                    cell
                }
            };
            self.close(seq, partition, cell, out);
        }
        let Some(cell) = self.tables[partition].cell(at) else {
            return;
        };
        match record {
            Record::Flow(flow) => M::on_flow(&self.params, &mut cell.state, &key, flow),
            Record::Transaction(transaction) => {
                M::on_transaction(&self.params, &mut cell.state, &key, transaction)
            }
        }
        let mut findings = Findings {
            meta: self.meta,
            instance: self.name,
            cell: &key,
            now: self.now,
            closing: false,
            off: &self.off,
            reported: &mut cell.reported,
            found: &mut self.found,
        };
        M::judge(&self.params, &cell.state, &key, &mut findings);
        self.stats.folds += 1;
        self.stats.judgements += 1;
        self.send(seq, partition, out);
    }

    fn close(&mut self, seq: u64, partition: usize, mut cell: Cell<M::State>, out: &mut Vec<Emission>) {
        let mut findings = Findings {
            meta: self.meta,
            instance: self.name,
            cell: &cell.key,
            now: self.now,
            closing: true,
            off: &self.off,
            reported: &mut cell.reported,
            found: &mut self.found,
        };
        M::judge(&self.params, &cell.state, &cell.key, &mut findings);
        self.stats.judgements += 1;
        self.send(seq, partition, out);
    }

    fn send(&mut self, seq: u64, partition: usize, out: &mut Vec<Emission>) {
        self.stats.findings += self.found.len() as u64;
        let tie = (self.index, partition);
        out.extend(self.found.drain(..).map(|finding| Emission { seq, tie, finding }));
    }

    fn tick(&mut self, seq: u64, now: Time, end: bool, owned: &[bool; PARTITIONS], out: &mut Vec<Emission>) {
        if end && self.keeps {
            self.at_end = self.save(owned);
        }
        let window = M::window(&self.params);
        let before = self.now;
        self.now = before.max(now);
        let boundary = window.tick_s.is_some_and(|tick_s| {
            before != Time::MIN && before.bin(i64::from(tick_s)) != self.now.bin(i64::from(tick_s))
        });
        let limit = if end {
            Time::MAX
        } else {
            self.now - i64::from(window.idle_s).saturating_mul(NANOS_PER_S)
        };
        for partition in (0..PARTITIONS).filter(|&partition| owned[partition]) {
            if boundary {
                self.tick_cells(seq, partition, out);
            }
            let hasher = self.hasher.clone();
            while let Some(cell) = self.tables[partition].pop_idle(limit, |key| hasher.hash_one(key)) {
                self.close(seq, partition, cell, out);
            }
        }
    }

    fn tick_cells(&mut self, seq: u64, partition: usize, out: &mut Vec<Emission>) {
        let Self {
            params,
            meta,
            name,
            off,
            tables,
            now,
            stats,
            found,
            ..
        } = self;
        // Cells are visited as they lie, and speak in the order of their silence.
        let mut told = Vec::new();
        tables[partition].each(|rank, cell| {
            let mut findings = Findings {
                meta,
                instance: name,
                cell: &cell.key,
                now: *now,
                closing: false,
                off,
                reported: &mut cell.reported,
                found,
            };
            M::judge(params, &cell.state, &cell.key, &mut findings);
            M::on_tick(params, &mut cell.state, &cell.key, *now);
            stats.judgements += 1;
            told.extend(found.drain(..).map(|finding| (rank, finding)));
        });
        told.sort_by_key(|&(rank, _)| rank);
        found.extend(told.into_iter().map(|(_, finding)| finding));
        self.send(seq, partition, out);
    }
}

impl<M: Method> Run for Typed<M> {
    fn run(&mut self, items: &[Item<'_>], owned: &[bool; PARTITIONS], out: &mut Vec<Emission>) {
        // Nothing it could say: no reason to look.
        if self.off.len() == self.meta.submethods.len() {
            return;
        }
        let reads = const { M::META.reads };
        let (mut cells, mut steps) = (Cells::default(), Vec::new());
        for item in items {
            if steps.len() >= STEPS {
                self.take(&mut steps, out);
            }
            match *item {
                Item::Flow(flow) => {
                    let wanted = match flow.phase {
                        weir_model::Phase::End => reads.flow_ends,
                        weir_model::Phase::Update => reads.flow_updates,
                        weir_model::Phase::Start => false,
                    };
                    let filter = self.filter.as_deref();
                    if wanted && filter.is_none_or(|filter| filter.flows.matches(flow)) {
                        M::cells_of_flow(&self.params, flow, &mut cells);
                        self.plan(Record::Flow(flow), &mut cells, owned, &mut steps);
                    }
                }
                Item::Transaction(transaction) => {
                    let wanted = reads.wants(transaction.protocol, transaction.kind);
                    let filter = self.filter.as_deref();
                    if wanted
                        && filter.is_none_or(|filter| filter.transactions.matches_transaction(transaction))
                    {
                        M::cells_of_transaction(&self.params, transaction, &mut cells);
                        self.plan(Record::Transaction(transaction), &mut cells, owned, &mut steps);
                    }
                }
                Item::Tick(tick) => {
                    self.take(&mut steps, out);
                    self.tick(tick.seq, tick.time, tick.end, owned, out);
                }
            }
        }
        self.take(&mut steps, out);
    }

    fn stats(&self) -> ShardStats {
        ShardStats {
            cells: self.tables.iter().map(CellTable::len).sum(),
            cell_bytes: CellTable::<M::State>::CELL_BYTES,
            ..self.stats
        }
    }

    fn panicked(&self) -> bool {
        self.stats.panicked
    }

    fn disable(&mut self) {
        self.stats.panicked = true;
    }

    fn name(&self) -> (&'static str, &'static str) {
        (M::META.code, self.name)
    }

    fn keep(&mut self) {
        self.keeps = true;
    }

    fn learned(&mut self, owned: &[bool; PARTITIONS]) -> Option<Checkpoint> {
        self.at_end.take().or_else(|| self.save(owned))
    }

    fn restore(
        &mut self,
        header: &Header,
        lines: std::str::Lines<'_>,
        owned: &[bool; PARTITIONS],
    ) -> Result<Option<Restored>, RestoreError> {
        self.take_up(header, lines, owned)
    }

    fn progress(&self) -> Option<Progress> {
        M::LEARNED?;
        let mut progress = Progress {
            method: self.meta.code,
            instance: self.name,
            entities: 0,
            ready: 0,
            learned: (0, 0),
            now: self.now,
        };
        for cell in self.tables.iter().flat_map(CellTable::cells) {
            let (learned, needed) = M::learning(&self.params, &cell.state).unwrap_or((0, 0));
            progress.entities += 1;
            progress.ready += u64::from(learned >= needed);
            progress.learned.0 += learned.min(needed);
            progress.learned.1 += needed;
        }
        Some(progress)
    }

    fn forget(&mut self) {
        (self.tables, self.now) = (Self::empty(), Time::MIN);
    }
}
