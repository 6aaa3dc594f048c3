//! A finding: what a method recognised once, with every number that made its rule hold.
//! Sentences are rendered from those numbers, so that text and explanation cannot disagree.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::method::rule_text;
use crate::{FlowFilter, Mac, MethodMeta, Quantity, Rule, SubmethodMeta, Time};

/// The named values of one evaluation: measured inputs, limits from parameters, baselines learned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub inputs: Vec<(&'static str, Quantity)>,
    pub limits: Vec<(&'static str, Quantity)>,
    pub baseline: Vec<(&'static str, Quantity)>,
}

impl Facts {
    /// No facts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a measured value.
    #[must_use]
    pub fn input(mut self, name: &'static str, value: Quantity) -> Self {
        self.inputs.push((name, value));
        self
    }

    /// Adds a limit from the parameters.
    #[must_use]
    pub fn limit(mut self, name: &'static str, value: Quantity) -> Self {
        self.limits.push((name, value));
        self
    }

    /// Adds a learned value.
    #[must_use]
    pub fn baseline(mut self, name: &'static str, value: Quantity) -> Self {
        self.baseline.push((name, value));
        self
    }

    /// An input as a number.
    pub fn input_number(&self, name: &str) -> Option<f64> {
        number(&self.inputs, name)
    }

    /// A limit as a number; a baseline may serve as one.
    pub fn limit_number(&self, name: &str) -> Option<f64> {
        number(&self.limits, name).or_else(|| number(&self.baseline, name))
    }
}

fn number(all: &[(&'static str, Quantity)], name: &str) -> Option<f64> {
    all.iter().find(|(known, _)| *known == name)?.1.number()
}

/// The host an event is about: the offender, or the one that suffers where the method says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offender {
    pub ip: Option<IpAddr>,
    pub mac: Option<Mac>,
}

impl fmt::Display for Offender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip, self.mac) {
            (Some(ip), _) => write!(f, "{ip}"),
            (None, Some(mac)) => write!(f, "{mac}"),
            (None, None) => f.write_str("unknown"),
        }
    }
}

/// A peer of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    pub ip: Option<IpAddr>,
    pub port: Option<u16>,
    pub mac: Option<Mac>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip, self.port, self.mac) {
            (Some(IpAddr::V6(ip)), Some(port), _) => write!(f, "[{ip}]:{port}"),
            (Some(ip), Some(port), _) => write!(f, "{ip}:{port}"),
            (Some(ip), None, _) => write!(f, "{ip}"),
            (None, _, Some(mac)) => write!(f, "{mac}"),
            (None, _, None) => f.write_str("unknown"),
        }
    }
}

impl Target {
    /// A target host.
    pub const fn ip(ip: IpAddr) -> Self {
        Self {
            ip: Some(ip),
            port: None,
            mac: None,
        }
    }
    /// A target service.
    pub const fn service(ip: IpAddr, port: u16) -> Self {
        Self {
            ip: Some(ip),
            port: Some(port),
            mac: None,
        }
    }
}

/// A method's output, once. Built by the detect runner from what the method judged.
#[derive(Clone, Debug)]
pub struct Finding {
    pub method: &'static MethodMeta,
    pub submethod: &'static SubmethodMeta,
    /// Name of the method's instance; "default" unless configured.
    pub instance: &'static str,
    pub source: Offender,
    /// Some of the targets, at most [`Self::TARGETS_MAX`].
    pub targets: Vec<Target>,
    /// How many there are in all.
    pub target_count: u64,
    /// Start of the first flow that counts.
    pub first_flow: Time,
    /// End of the last flow that counts.
    pub last_flow: Time,
    /// Watermark when the rule held.
    pub detected: Time,
    /// 0..=100 %.
    pub probability: u8,
    pub facts: Facts,
    /// The rule that held.
    pub rule: Rule,
    /// Details by the vendor-style keys of the method's row.
    pub detail: Vec<(&'static str, Quantity)>,
    /// The flows that prove it; text and query come from this one value.
    pub evidence: FlowFilter,
    /// The last finding of its cell: the final figures.
    pub last: bool,
    /// The runner's cell this came from: a later finding of the same cell replaces this one's numbers.
    pub cell: u64,
}

impl Finding {
    /// Targets listed with a finding; more are only counted.
    pub const TARGETS_MAX: usize = 64;

    /// The rule as text: `attempts >= attempts_min and spread <= spread_max`.
    pub fn rule_text(&self) -> String {
        rule_text(self.rule)
    }

    /// One sentence for people, rendered from the submethod's template and the values of this finding.
    pub fn reason(&self) -> String {
        let template = self.submethod.reason;
        let mut text = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(&self.word(name));
            rest = behind;
        }
        text.push_str(rest);
        text
    }

    /// The value a placeholder of a reason stands for; an unknown name shows as `?name`, which a test forbids.
    fn word(&self, name: &str) -> String {
        match name {
            "source" => self.source.to_string(),
            "target" => self
                .targets
                .first()
                .map_or_else(|| "nobody".to_owned(), ToString::to_string),
            "targets" => match self.target_count {
                1 => self.word("target"),
                count => format!("{} targets", Quantity::Count(count)),
            },
            "span" => Quantity::Seconds(self.last_flow.secs_since(self.first_flow).max(0.0)).to_string(),
            name => {
                let facts = &self.facts;
                let mut all = facts
                    .inputs
                    .iter()
                    .chain(&facts.limits)
                    .chain(&facts.baseline)
                    .chain(&self.detail);
                all.find(|(known, _)| *known == name)
                    .map_or_else(|| format!("?{name}"), |(_, value)| value.to_string())
            }
        }
    }

    /// Nearest values of each input that would not have fired: the limit itself, by input name.
    pub fn silent_below(&self) -> Vec<(&'static str, Quantity)> {
        self.rule
            .iter()
            .filter_map(|clause| {
                let limits = self.facts.limits.iter().chain(&self.facts.baseline);
                let (_, limit) = limits.into_iter().find(|(name, _)| *name == clause.limit)?;
                Some((clause.input, limit.clone()))
            })
            .collect()
    }

    /// How far the leading clause is over its limit: 1.0 = just so. For probability and for choosing the lead.
    pub fn strength(&self) -> f64 {
        strength(self.rule, &self.facts)
    }
}

/// Leading input divided by its limit (or the inverse for "at most" clauses); 1.0 where that has no meaning.
pub fn strength(rule: Rule, facts: &Facts) -> f64 {
    use crate::Op;
    let Some(clause) = rule.first() else { return 1.0 };
    match (facts.input_number(clause.input), facts.limit_number(clause.limit)) {
        (Some(input), Some(limit)) if input > 0.0 && limit > 0.0 => match clause.op {
            Op::AtLeast | Op::Above => input / limit,
            Op::AtMost | Op::Below => limit / input,
            Op::Is => 1.0,
        },
        _ => 1.0,
    }
}
