//! What a detection method says of itself: codes, submethods, rules, parameters, manual. The same data feeds the
//! evaluation, the explanation, `weir methods`, the reference and the configuration.

use std::fmt;

use crate::{Facts, Kind, Protocol};

/// How much an event matters, from a perspective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Priority {
    /// All of them, the least first: as numbers they are their places here.
    pub const ALL: [Self; 5] = [
        Self::Informational,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// Lower-case word in outputs and configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads the word; also "info".
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|priority| priority.word() == word)
            .or((word == "info").then_some(Self::Informational))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How far a method has proven itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maturity {
    /// Proven on captures with few false alarms.
    Stable,
    /// Works on the cases it was built for; parameters may still move.
    Preview,
}

/// Which entity a method keeps a cell of state for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One cell per initiator address.
    Initiator,
    /// One cell per responder address.
    Responder,
    /// One cell per initiator and responder.
    Pair,
    /// One cell per initiator, responder and responder port.
    Service,
    /// One cell per hardware address, or per address claimed on the link.
    Link,
    /// One cell for the whole feed: comparisons between hosts.
    Network,
}

/// Which records a method is called for; the runner skips the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    /// Ended flows (phase End).
    pub flow_ends: bool,
    /// Flows that go on (phase Update): for volumes of long flows.
    pub flow_updates: bool,
    /// Transactions of these protocols and kinds.
    pub transactions: &'static [(Protocol, Kind)],
    /// Transactions of every protocol and kind: people say later which.
    pub every_transaction: bool,
    /// Names of transaction fields the method looks at; checked against the dissectors' tables by a test.
    pub fields: &'static [&'static str],
}

impl Reads {
    /// Ended flows only.
    pub const ENDED_FLOWS: Self = Self {
        flow_ends: true,
        flow_updates: false,
        transactions: &[],
        every_transaction: false,
        fields: &[],
    };
    /// Ended flows and updates of running ones.
    pub const ALL_FLOWS: Self = Self {
        flow_updates: true,
        ..Self::ENDED_FLOWS
    };
    /// Are transactions of this kind read?
    pub fn wants(&self, protocol: Protocol, kind: Kind) -> bool {
        self.every_transaction || self.transactions.contains(&(protocol, kind))
    }

    /// Are transactions of any kind read?
    pub const fn any_transaction(&self) -> bool {
        self.every_transaction || !self.transactions.is_empty()
    }

    /// No flows; add transactions.
    pub const NOTHING: Self = Self {
        flow_ends: false,
        ..Self::ENDED_FLOWS
    };
}

/// What a method needs of a feed to be right; the coverage report compares it with what the feed has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Packets, not only flow records.
    Packets,
    /// TCP flags in flow records.
    TcpFlags,
    /// Hardware addresses.
    Macs,
    /// Payload dissected (application protocol fields).
    Payload,
    /// Both directions of a conversation.
    BothDirections,
    /// Every packet: sampling breaks it.
    Unsampled,
    /// Inside networks configured, not guessed.
    InsideConfigured,
    /// Something only the operator knows; the words name the parameter. No feed offers it.
    Configured(&'static str),
    /// At least one configured list of indicators.
    Lists,
    /// At least one briefing with its indicators.
    Briefings,
    /// A file that tells the country of an address.
    Countries,
}

impl Need {
    /// Words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::TcpFlags => "TCP flags",
            Self::Macs => "hardware addresses",
            Self::Payload => "payload",
            Self::BothDirections => "both directions",
            Self::Unsampled => "unsampled traffic",
            Self::InsideConfigured => "configured inside networks",
            Self::Configured(parameter) => parameter,
            Self::Lists => "a configured indicator list",
            Self::Briefings => "a configured briefing",
            Self::Countries => "a configured country database",
        }
    }
}

/// An ATT&CK tactic and technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Technique {
    pub tactic: &'static str,
    pub technique: &'static str,
}

/// Comparison in a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `==`; for flags and exact counts.
    Is,
}

impl Op {
    /// The sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::Is => "==",
        }
    }

    /// Does the input stand so to the limit?
    pub fn holds(self, input: f64, limit: f64) -> bool {
        match self {
            Self::AtLeast => input >= limit,
            Self::Above => input > limit,
            Self::AtMost => input <= limit,
            Self::Below => input < limit,
            Self::Is => input == limit,
        }
    }
}

/// One inequality: the name of an input compared with the name of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    pub input: &'static str,
    pub op: Op,
    pub limit: &'static str,
}

impl Clause {
    /// `input >= limit`
    pub const fn at_least(input: &'static str, limit: &'static str) -> Self {
        Self {
            input,
            op: Op::AtLeast,
            limit,
        }
    }
    /// `input > limit`
    pub const fn above(input: &'static str, limit: &'static str) -> Self {
        Self {
            input,
            op: Op::Above,
            limit,
        }
    }
    /// `input <= limit`
    pub const fn at_most(input: &'static str, limit: &'static str) -> Self {
        Self {
            input,
            op: Op::AtMost,
            limit,
        }
    }
    /// `input < limit`
    pub const fn below(input: &'static str, limit: &'static str) -> Self {
        Self {
            input,
            op: Op::Below,
            limit,
        }
    }
    /// `input == limit`
    pub const fn is(input: &'static str, limit: &'static str) -> Self {
        Self {
            input,
            op: Op::Is,
            limit,
        }
    }
}

/// A conjunction of clauses. The first clause is the leading one: it sets the probability and "silent below".
pub type Rule = &'static [Clause];

/// A submethod: what exactly was recognised, by which rule, told in which words.
#[derive(Debug)]
pub struct SubmethodMeta {
    /// Name in events: `SambaProtocol`.
    pub name: &'static str,
    /// What it recognises, one sentence.
    pub about: &'static str,
    /// It fires when any of these rules holds.
    pub rules: &'static [Rule],
    /// One sentence with `{input}` placeholders filled from facts and details; `{source}`, `{target}`, `{targets}`
    /// and `{span}` are always there.
    pub reason: &'static str,
    /// What it needs of a feed beyond the method's own needs; where the feed lacks it, the runner leaves it off and says so.
    pub needs: &'static [Need],
    pub techniques: &'static [Technique],
}

impl SubmethodMeta {
    /// The first rule that holds for the facts. A fact that a rule names but the method did not give is a bug.
    pub fn holds(&self, facts: &Facts) -> Option<Rule> {
        self.rules.iter().copied().find(|rule| {
            rule.iter().all(|clause| {
                let (input, limit) = (facts.input_number(clause.input), facts.limit_number(clause.limit));
                debug_assert!(
                    input.is_some() && limit.is_some(),
                    "{}: {clause:?} lacks a fact",
                    self.name
                );
                matches!((input, limit), (Some(input), Some(limit)) if clause.op.holds(input, limit))
            })
        })
    }
}

/// Prints a rule: `attempts >= attempts_min and spread <= spread_max`.
pub fn rule_text(rule: Rule) -> String {
    let clauses: Vec<String> = rule
        .iter()
        .map(|clause| format!("{} {} {}", clause.input, clause.op.sign(), clause.limit))
        .collect();
    clauses.join(" and ")
}

/// The manual page of a method, in the order people read it.
#[derive(Debug)]
pub struct Manual {
    /// What it recognises and why it matters.
    pub what: &'static str,
    /// How it decides, on which traits of traffic.
    pub basis: &'static str,
    /// What it does when in doubt.
    pub bias: &'static str,
    /// What harmless traffic may look the same.
    pub false_positives: &'static str,
    /// What to do about an event.
    pub response: &'static str,
}

/// A parameter of a method, as the manual shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamMeta {
    pub name: &'static str,
    /// Effect for the operator, with the unit.
    pub about: &'static str,
    /// Default as TOML.
    pub default: String,
    /// Lowest and highest legal value, where there are bounds.
    pub bounds: Option<(f64, f64)>,
}

/// Everything a method says of itself.
#[derive(Debug)]
pub struct MethodMeta {
    /// Code in events: `DICTATTACK`.
    pub code: &'static str,
    /// File, configuration key, manual page and golden folder: `dictattack`.
    pub slug: &'static str,
    /// Folder in `detect/`: `brute`.
    pub family: &'static str,
    /// Title of events for people: "Dictionary attack".
    pub title: &'static str,
    pub submethods: &'static [SubmethodMeta],
    /// Default priority under the stock perspective "security".
    pub priority: Priority,
    pub maturity: Maturity,
    pub scope: Scope,
    pub reads: Reads,
    pub needs: &'static [Need],
    /// `METHOD` or `METHOD.Submethod` of others that see the same attack: when both see it, one event stands and names the other.
    pub same_as: &'static [&'static str],
    pub manual: Manual,
}

impl MethodMeta {
    /// The submethod of this name.
    pub fn submethod(&self, name: &str) -> Option<&'static SubmethodMeta> {
        self.submethods.iter().find(|submethod| submethod.name == name)
    }
}
