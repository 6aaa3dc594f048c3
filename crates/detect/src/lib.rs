//! Detection methods and the runner that gives them cells, windows and explanations. One method = one file in
//! `<family>/`: it folds records into a cell's state and judges the state by the rules it declares.

mod address;
pub mod asset;
pub mod baseline;
pub mod behaviour;
pub mod brute;
pub mod c2;
mod cell;
pub mod dns;
pub mod exfil;
mod findings;
pub mod flood;
mod learned;
mod names;
pub mod ot;
mod params;
pub mod policy;
mod registry;
mod runner;
pub mod scan;
#[cfg(test)]
mod scenarios;
mod table;
#[cfg(test)]
pub(crate) mod testing;
pub mod volume;
mod words;

pub use cell::{CellKey, Cells};
pub use findings::{Findings, Verdict};
pub use learned::{Checkpoint, Learned, RestoreError, Restored};
pub use params::{ParamTable, check_bounds};
pub use registry::{Entry, InstanceError, REGISTRY, entry};
pub use runner::{Emission, Filter, Instance, Progress, Shard, ShardStats};

use weir_model::{FlowRecord, MethodMeta, Need, Time, Transaction};

/// Life of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The cell is judged a last time and forgotten after this much silence, seconds of event time.
    pub idle_s: u32,
    /// [`Method::on_tick`] is called for every cell at each multiple of this, seconds of event time.
    pub tick_s: Option<u32>,
}

impl Window {
    /// Forgotten after this silence; no ticks.
    pub const fn idle_s(idle_s: u32) -> Self {
        Self { idle_s, tick_s: None }
    }

    /// Also ticked at every multiple of `tick_s`.
    #[must_use]
    pub const fn tick_s(mut self, tick_s: u32) -> Self {
        self.tick_s = Some(tick_s);
        self
    }
}

/// A detection method. It never keeps a map of hosts, reads a clock, logs, or knows who listens: the runner owns
/// cells, caps, eviction, expiry, repetition and counters. All functions are pure in their arguments.
pub trait Method: 'static {
    const META: MethodMeta;
    type Params: ParamTable;
    /// What a cell remembers. Bounded: lists inside have named caps.
    type State: Default + Send + 'static;

    /// How the state is kept over restarts; by default it is not. For methods that learn for longer than a restart.
    const LEARNED: Option<Learned<Self::State>> = None;

    /// How many intervals (or days) a cell has learned from, and how many it needs before it speaks; `None` for methods
    /// that learn without such a number.
    fn learning(_params: &Self::Params, _state: &Self::State) -> Option<(u64, u64)> {
        None
    }

    /// Submethods these parameters leave with nothing to work on, with what is missing: the runner leaves them off and
    /// the coverage report says so.
    fn unconfigured(_params: &Self::Params) -> Vec<(&'static str, Need)> {
        Vec::new()
    }

    /// What an instance with these parameters says of itself: [`Self::META`], unless its submethods are configured.
    fn meta(_params: &Self::Params) -> &'static MethodMeta {
        const { &Self::META }
    }

    /// How long a cell lives.
    fn window(params: &Self::Params) -> Window;

    /// Names the cells a flow counts in; none when it does not matter. Called for flows that `META.reads` asks for.
    fn cells_of_flow(_params: &Self::Params, _flow: &FlowRecord, _cells: &mut Cells) {}

    /// Names the cells a transaction counts in. Called for kinds that `META.reads` asks for.
    fn cells_of_transaction(_params: &Self::Params, _transaction: &Transaction, _cells: &mut Cells) {}

    /// Does something at `start` no longer belong to what the state tells of (the gap is too long)? Then the runner
    /// closes the cell, with a last judgement, and opens a fresh one.
    fn breaks(_params: &Self::Params, _state: &Self::State, _start: Time) -> bool {
        false
    }

    /// Folds a flow into the state of one of its cells.
    fn on_flow(_params: &Self::Params, _state: &mut Self::State, _cell: &CellKey, _flow: &FlowRecord) {}

    /// Folds a transaction into the state of one of its cells.
    fn on_transaction(
        _params: &Self::Params,
        _state: &mut Self::State,
        _cell: &CellKey,
        _transaction: &Transaction,
    ) {
    }

    /// A multiple of the window's `tick_s` has passed (`now` is the watermark): move windows, learn, forget.
    /// [`Method::judge`] is called BEFORE it, so that a whole interval can be judged and then put away.
    fn on_tick(_params: &Self::Params, _state: &mut Self::State, _cell: &CellKey, _now: Time) {}

    /// Gathers facts and lets the declared rules decide. Called after every fold, before every tick and when the cell
    /// closes; return early and cheaply while nothing can fire ([`Findings::due`] spares building facts).
    fn judge(params: &Self::Params, state: &Self::State, cell: &CellKey, out: &mut Findings<'_>);
}
