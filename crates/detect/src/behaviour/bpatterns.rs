//! BPATTERNS: behaviours that people describe themselves, in the filter language with conditions over what passes. Each
//! pattern is a submethod; the runner's cells count for each host, pair or service what the pattern asks.

mod counts;
mod pattern;

use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weir_model::{
    Clause, Facts, FlowFilter, FlowKey, FlowRecord, Manual, Maturity, MethodMeta, Need, ParamMeta, Priority,
    Reads, Scope, SubmethodMeta, Transaction,
};
use weir_query::behaviour::Per;

use crate::registry::instance_of;
use crate::{CellKey, Cells, Findings, Instance, InstanceError, Method, ParamTable, Window};
use counts::Counts;
pub use pattern::{Compiled, Pattern, PatternError};

/// Patterns of one instance: the role of a cell is the pattern's number. Each costs a look at every record.
pub const PATTERNS_MAX: usize = 255;
/// Silence that ends an event at least, seconds.
const IDLE_S: u32 = 300;

/// Parameters; the patterns are compiled by the program, which knows the words of all dissectors.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Initiators that never count, as prefixes.
    pub ignore_sources: Vec<IpNet>,
    #[serde(skip)]
    patterns: Vec<Arc<Compiled>>,
}

impl ParamTable for Params {
    fn rows() -> Vec<ParamMeta> {
        vec![ParamMeta {
            name: "ignore_sources",
            about: "Initiators that count for no pattern, as prefixes.",
            default: "[]".to_owned(),
            bounds: None,
        }]
    }

    fn check(&self) -> Result<(), String> {
        if self.patterns.len() > PATTERNS_MAX {
            return Err(format!(
                "{} patterns; at most {PATTERNS_MAX} are run",
                self.patterns.len()
            ));
        }
        Ok(())
    }
}

/// An instance that runs these patterns.
///
/// # Errors
/// When there are too many, a parameter is wrong, or `off` names none of them.
pub fn instance(
    patterns: Vec<Arc<Compiled>>,
    params: serde_json::Value,
    name: &'static str,
    off: &[String],
    have: &[Need],
) -> Result<Instance, InstanceError> {
    let params: Params =
        serde_json::from_value(params).map_err(|error| InstanceError::Params(error.to_string()))?;
    let params = Params { patterns, ..params };
    instance_of::<BehaviourPatterns>(params, name, off, have)
}

/// See the file.
pub struct BehaviourPatterns;

impl Params {
    fn ignores(&self, key: &FlowKey) -> bool {
        self.ignore_sources
            .iter()
            .any(|prefix| prefix.contains(&key.initiator_ip))
    }

    fn of_cell(&self, cell: &CellKey) -> Option<&Compiled> {
        self.patterns
            .get(usize::from(cell.role))
            .map(|pattern| &**pattern)
    }
}

impl Compiled {
    /// Is the responder the source of events?
    fn blames_responder(&self) -> bool {
        self.blames_responder || !self.behaviour.per.src_ip && self.behaviour.per.dst_ip
    }

    fn cell(&self, number: usize, key: &FlowKey, mac: Option<weir_model::Mac>) -> Option<CellKey> {
        let Per {
            src_ip,
            dst_ip,
            dst_port,
            src_mac,
        } = self.behaviour.per;
        let host = match (src_ip, dst_ip) {
            (true, _) => CellKey::initiator(key),
            (false, true) => CellKey::responder(key),
            (false, false) => CellKey::network(),
        };
        Some(CellKey {
            mac: if src_mac { Some(mac?) } else { None },
            peer: (src_ip && dst_ip).then_some(key.responder_ip),
            port: if dst_port { key.responder_port } else { 0 },
            role: number as u8,
            ..host
        })
    }
}

impl Method for BehaviourPatterns {
    const META: MethodMeta = MethodMeta {
        code: "BPATTERNS",
        slug: "bpatterns",
        family: "behaviour",
        title: "Behaviour pattern",
        submethods: &[SubmethodMeta {
            name: "Pattern",
            about: "A behaviour that a pattern describes. Every pattern stands here under its own name; those of the \
                    configuration begin with USER_.",
            rules: &[&[Clause::at_least("count", "count_limit")]],
            reason: "{source} with {targets} in {span} (count {count})",
            needs: &[Need::Configured("patterns")],
            techniques: &[],
        }],
        priority: Priority::Medium,
        maturity: Maturity::Preview,
        scope: Scope::Initiator,
        reads: Reads {
            every_transaction: true,
            ..Reads::ALL_FLOWS
        },
        needs: &[],
        same_as: &[],
        manual: Manual {
            what: "Behaviours that no method of its own is worth: one sentence of the filter language says which flows or \
                   exchanges count, for whom, in which time, and how many are too many.",
            basis: "A pattern reads: where FILTER having CONDITIONS per KEYS within TIME, for example where dst port 445 and \
                    internal having distinct dst ip > 20 per src ip within 5m. With from transactions in front it is about \
                    DNS questions, web requests, handshakes and log-ins. Conditions are count, distinct, sum, avg, min and \
                    max with a limit, joined by and; or separates alternatives. The window moves on in eighths. The event \
                    shows every value beside its limit. weir pattern test shows what a pattern would have said.",
            bias: "A pattern says what its author wrote, no more. Values a record lacks do not count. Of different values \
                   about twice the limit are remembered.",
            false_positives: "Whatever else behaves like the pattern: test it against stored flows before it is switched on, \
                              and name the exceptions in its filter.",
            response: "Read the pattern's title and values; the flows behind them are the evidence.",
        },
    };
    type Params = Params;
    type State = Counts;

    /// One submethod per pattern. Lives as long as the program: made once for each time the configuration is read.
    fn meta(params: &Params) -> &'static MethodMeta {
        if params.patterns.is_empty() {
            return const { &Self::META };
        }
        let submethods = params.patterns.iter().map(|pattern| pattern.submethod());
        Box::leak(Box::new(MethodMeta {
            submethods: submethods.collect::<Vec<_>>().leak(),
            ..Self::META
        }))
    }

    fn window(params: &Params) -> Window {
        let longest = params
            .patterns
            .iter()
            .map(|pattern| pattern.behaviour.within_s)
            .max();
        Window::idle_s(longest.unwrap_or(0).max(IDLE_S))
    }

    fn cells_of_flow(params: &Params, flow: &FlowRecord, cells: &mut Cells) {
        let counting = |(_, pattern): &(usize, &Arc<Compiled>)| pattern.counts_flow(flow);
        for (number, pattern) in params.patterns.iter().enumerate().filter(counting) {
            if !params.ignores(&flow.key)
                && let Some(cell) = pattern.cell(number, &flow.key, flow.initiator_mac)
            {
                cells.add_another(cell);
            }
        }
    }

    fn cells_of_transaction(params: &Params, transaction: &Transaction, cells: &mut Cells) {
        let counting = |(_, pattern): &(usize, &Arc<Compiled>)| pattern.counts_transaction(transaction);
        for (number, pattern) in params.patterns.iter().enumerate().filter(counting) {
            if !params.ignores(&transaction.key)
                && let Some(cell) = pattern.cell(number, &transaction.key, None)
            {
                cells.add_another(cell);
            }
        }
    }

    fn on_flow(params: &Params, state: &mut Counts, cell: &CellKey, flow: &FlowRecord) {
        if let Some(pattern) = params.of_cell(cell) {
            state.flow(pattern, flow);
        }
    }

    fn on_transaction(params: &Params, state: &mut Counts, cell: &CellKey, transaction: &Transaction) {
        if let Some(pattern) = params.of_cell(cell) {
            state.transaction(pattern, transaction);
        }
    }

    fn judge(params: &Params, state: &Counts, cell: &CellKey, out: &mut Findings<'_>) {
        let Some(pattern) = params.of_cell(cell).filter(|pattern| out.due(pattern.name())) else {
            return;
        };
        let Some(values) = state.values(pattern) else {
            return;
        };
        if !pattern.holds(&values) {
            return;
        }
        let facts = pattern.facts(&values);
        let Some(verdict) = out.judge(pattern.name(), facts) else {
            return;
        };
        let per = pattern.behaviour.per;
        let target = state.only_target().and_then(|target| target.ip);
        let blames = pattern.blames_responder();
        let (source, initiator, responder) = match (per.src_ip, per.dst_ip) {
            (true, true) if blames => (cell.peer, Some(cell.host), cell.peer),
            (true, true) => (Some(cell.host), Some(cell.host), cell.peer),
            (true, false) => (Some(cell.host), Some(cell.host), target),
            (false, true) => (Some(cell.host), target, Some(cell.host)),
            (false, false) => (None, None, target),
        };
        let verdict = match source {
            Some(ip) => verdict.source(ip),
            None => verdict,
        };
        let verdict = if pattern.exact { verdict.exact() } else { verdict };
        state.tell(
            pattern,
            verdict,
            FlowFilter {
                initiator,
                responder,
                responder_port: state.only_port(),
                initiator_mac: cell.mac,
                ..FlowFilter::default()
            },
        );
    }
}

impl Compiled {
    /// Does one alternative hold? Cheap; what is told is judged by the same clauses.
    fn holds(&self, values: &[f64]) -> bool {
        let holds = |limit: &pattern::Limit| limit.op.holds(values[limit.aggregate], limit.limit);
        self.alternatives.iter().any(|limits| limits.iter().all(holds))
    }

    fn facts(&self, values: &[f64]) -> Facts {
        let inputs = self.aggregates.iter().zip(values).enumerate();
        let facts = inputs.fold(Facts::new(), |facts, (at, ((_, name), value))| {
            facts.input(name, self.quantity(at, *value))
        });
        self.alternatives.iter().flatten().fold(facts, |facts, limit| {
            facts.limit(limit.name, self.quantity(limit.aggregate, limit.limit))
        })
    }
}

#[cfg(test)]
mod tests;
