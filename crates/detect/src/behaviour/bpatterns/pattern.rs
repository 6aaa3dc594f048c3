//! A pattern as people write it and as it is run: names made to last, clauses for the explanation, a first quick look.

use std::fmt;

use weir_model::{Clause, FlowRecord, Need, Op, Quantity, Rule, SubmethodMeta, Technique, Transaction};
use weir_query::behaviour::{Aggregate, Behaviour, Condition, Records};
use weir_query::{Field, Kind, Ranges, Unit};

/// Fields whose texts are shown as samples.
const SAMPLE_FIELDS_MAX: usize = 3;
/// Placeholders that every pattern's sentence may have.
const PLACEHOLDERS: &[&str] = &[
    "source",
    "target",
    "targets",
    "span",
    "FlowCount",
    "UploadedData",
    "DownloadedData",
    "TargetCount",
    "PortList",
    "Samples",
];

/// What a pattern is made of.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Name of the submethod.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Sentence of the event with `{placeholders}`; empty: one is made.
    pub detail: String,
    /// Tactic and technique of ATT&CK.
    pub techniques: Vec<(String, String)>,
    /// The responder is the source of the event.
    pub blames_responder: bool,
    pub behaviour: Behaviour,
}

/// Why a pattern cannot be run, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

/// A pattern ready to run. Its words live as long as the program: they are made once for each reading of a
/// configuration, and events carry them.
#[derive(Debug)]
pub struct Compiled {
    pub(super) title: &'static str,
    pub(super) behaviour: Behaviour,
    pub(super) blames_responder: bool,
    /// What is counted, each once, with its name in explanations.
    pub(super) aggregates: Vec<(Aggregate, &'static str)>,
    /// Limits: aggregate (index), comparison, value, and name.
    pub(super) alternatives: Vec<Vec<Limit>>,
    /// Texts worth showing: the fields the filter searches.
    pub(super) samples: Vec<Field>,
    /// The leading limit is one: a match, not a matter of degree.
    pub(super) exact: bool,
    ports: Option<Ranges<u64>>,
    pub(super) submethod: SubmethodMeta,
}

/// One inequality.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) aggregate: usize,
    pub(super) op: Op,
    pub(super) limit: f64,
    pub(super) name: &'static str,
}

impl Compiled {
    /// Makes a pattern ready.
    ///
    /// # Errors
    /// When its sentence has a placeholder nothing fills, or its source is not among whom it counts for.
    pub fn new(pattern: Pattern) -> Result<Self, PatternError> {
        let Pattern { behaviour, .. } = &pattern;
        let (per, blames) = (behaviour.per, pattern.blames_responder);
        if blames && !per.dst_ip {
            let why = "the responder can only be the source of patterns that count per dst ip";
            return Err(PatternError(why.to_owned()));
        }
        let aggregates: Vec<(Aggregate, &'static str)> = behaviour
            .aggregates()
            .into_iter()
            .map(|aggregate| (aggregate.clone(), &*aggregate.name().leak()))
            .collect();
        let alternatives = limits(behaviour, &aggregates);
        let template = template(&pattern, &aggregates)?;
        let rules: Vec<Rule> = alternatives
            .iter()
            .map(|limits| {
                let clauses = limits.iter().map(|limit| Clause {
                    input: aggregates[limit.aggregate].1,
                    op: limit.op,
                    limit: limit.name,
                });
                &*clauses.collect::<Vec<Clause>>().leak()
            })
            .collect();
        let techniques: Vec<Technique> = pattern
            .techniques
            .iter()
            .map(|(tactic, technique)| Technique {
                tactic: tactic.clone().leak(),
                technique: technique.clone().leak(),
            })
            .collect();
        let title: &'static str = pattern.title.clone().leak();
        let needs: &'static [Need] = match behaviour.records {
            Records::Flows => &[],
            Records::Transactions => &[Need::Payload],
        };
        let first = alternatives.first().and_then(|limits| limits.first());
        Ok(Self {
            title,
            blames_responder: blames,
            samples: samples(behaviour),
            exact: first.is_some_and(|limit| limit.limit <= 1.0),
            ports: behaviour.ports().cloned(),
            submethod: SubmethodMeta {
                name: pattern.name.leak(),
                about: title,
                rules: rules.leak(),
                reason: template.leak(),
                needs,
                techniques: techniques.leak(),
            },
            aggregates,
            alternatives,
            behaviour: pattern.behaviour,
        })
    }

    /// Name of the submethod.
    pub fn name(&self) -> &'static str {
        self.submethod.name
    }

    /// What it is, one line.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// What it looks for.
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// What the instance says of it.
    pub(super) fn submethod(&self) -> SubmethodMeta {
        let SubmethodMeta {
            name,
            about,
            rules,
            reason,
            needs,
            techniques,
        } = self.submethod;
        SubmethodMeta {
            name,
            about,
            rules,
            reason,
            needs,
            techniques,
        }
    }

    /// How many aggregates are of numbers.
    pub(super) fn figures(&self) -> usize {
        let numeric = |(aggregate, _): &&(Aggregate, _)| {
            !matches!(aggregate, Aggregate::Count | Aggregate::Distinct(_))
        };
        self.aggregates.iter().filter(numeric).count()
    }

    /// Different values remembered of an aggregate: enough to tell, and to show that it was more than just so.
    pub(super) fn distinct_max(&self, aggregate: usize) -> usize {
        let limits = self.alternatives.iter().flatten();
        let own = limits.filter(|limit| limit.aggregate == aggregate);
        let largest = own.map(|limit| limit.limit.max(0.0) as usize).max().unwrap_or(0);
        2 * largest + 16
    }

    /// Does the flow record count?
    pub(super) fn counts_flow(&self, flow: &FlowRecord) -> bool {
        let port = || u64::from(flow.key.responder_port);
        self.behaviour.records == Records::Flows
            && self.ports.as_ref().is_none_or(|ports| ports.contains(port()))
            && self.behaviour.filter.matches(flow)
    }

    /// Does the transaction count?
    pub(super) fn counts_transaction(&self, transaction: &Transaction) -> bool {
        let word = transaction.protocol.word();
        let protocols = self.behaviour.protocols();
        self.behaviour.records == Records::Transactions
            && protocols.is_none_or(|words| words.iter().any(|known| **known == *word))
            && self.behaviour.filter.matches_transaction(transaction)
    }

    /// A value of this aggregate with its unit.
    pub(super) fn quantity(&self, aggregate: usize, value: f64) -> Quantity {
        let (aggregate, _) = &self.aggregates[aggregate];
        let whole = !matches!(aggregate, Aggregate::Average(_))
            && aggregate
                .field()
                .is_none_or(|field| !matches!(field.kind, Kind::Rate(_)));
        match aggregate.unit() {
            Unit::Nanos => Quantity::Seconds(value / 1e9),
            Unit::Micros => Quantity::Seconds(value / 1e6),
            Unit::Bytes if whole => Quantity::Bytes(value as u64),
            Unit::Count if whole && value.fract() == 0.0 => Quantity::Count(value as u64),
            Unit::Bytes | Unit::Count => Quantity::Ratio(value),
        }
    }
}

/// The conditions as limits on the aggregates, each with a name of its own.
fn limits(behaviour: &Behaviour, aggregates: &[(Aggregate, &'static str)]) -> Vec<Vec<Limit>> {
    let mut names: Vec<String> = Vec::new();
    let mut limit = |condition: &Condition| {
        let same = |(known, _): &(Aggregate, _)| *known == condition.aggregate;
        let base = format!("{}_limit", condition.aggregate.name());
        let more = names.iter().filter(|name| name.starts_with(&base)).count();
        let name = if more == 0 {
            base
        } else {
            format!("{base}_{}", more + 1)
        };
        names.push(name.clone());
        Limit {
            aggregate: aggregates.iter().position(same).unwrap_or_default(),
            op: condition.op,
            limit: condition.limit,
            name: name.leak(),
        }
    };
    let all = behaviour.having.iter();
    all.map(|conditions| conditions.iter().map(&mut limit).collect())
        .collect()
}

/// Fields the filter searches, for samples.
fn samples(behaviour: &Behaviour) -> Vec<Field> {
    let fields = behaviour.filter.searched_fields().into_iter();
    fields.take(SAMPLE_FIELDS_MAX).cloned().collect()
}

/// The sentence with placeholders as the finding knows them: `{distinct dst ip}` is `{distinct_dst_ip}`.
fn template(pattern: &Pattern, aggregates: &[(Aggregate, &'static str)]) -> Result<String, PatternError> {
    if pattern.detail.is_empty() {
        let counts: Vec<String> = aggregates
            .iter()
            .map(|(aggregate, name)| format!("{aggregate} {{{name}}}"))
            .collect();
        return Ok(format!(
            "{{source}} with {{targets}} in {{span}}: {} ({})",
            pattern.title.replace(['{', '}'], ""),
            counts.join(", ")
        ));
    }
    let mut text = String::new();
    let mut rest = pattern.detail.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            return Err(PatternError(format!(
                "detail: a \"{{\" is never closed in {:?}",
                pattern.detail
            )));
        };
        let known =
            |name: &str| PLACEHOLDERS.contains(&name) || aggregates.iter().any(|(_, known)| *known == name);
        let plain = name.trim().replace([' ', '.'], "_");
        if !known(&plain) {
            let names: Vec<&str> = aggregates.iter().map(|(_, name)| *name).collect();
            return Err(PatternError(format!(
                "detail: nothing fills {{{name}}}; known are {}",
                [PLACEHOLDERS, &names].concat().join(", ")
            )));
        }
        text.push_str(before);
        text.push_str(&format!("{{{plain}}}"));
        rest = behind;
    }
    text.push_str(rest);
    Ok(text)
}
