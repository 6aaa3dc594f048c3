//! The conditions of `weir events`, from words of the command line.

use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};
use weir_model::{NANOS_PER_S, Priority, Time};
use weir_store::event::{Filter, SourceFilter, Workflow};

/// Words of all priorities.
const PRIORITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

#[derive(Args)]
pub(super) struct FilterArgs {
    /// Detected since this moment, or so long ago.
    #[arg(long, value_name = "WHEN", global = true)]
    since: Option<String>,
    /// Detected before this moment, or so long ago.
    #[arg(long, value_name = "WHEN", global = true)]
    until: Option<String>,
    /// Of this method, for example DICTATTACK or DICTATTACK.SambaProtocol; may be given several times.
    #[arg(long, value_name = "CODE", global = true)]
    method: Vec<String>,
    /// Of this priority: critical, high, medium, low, informational; may be given several times.
    #[arg(long, value_name = "PRIORITY", value_parser = priority, global = true)]
    priority: Vec<Priority>,
    /// Of this priority or above.
    #[arg(long, value_name = "PRIORITY", value_parser = priority, global = true)]
    priority_min: Option<Priority>,
    /// With this source: an address or a network.
    #[arg(long, value_name = "IP|CIDR", value_parser = range, global = true)]
    source: Option<Range>,
    /// With a target among these: an address or a network.
    #[arg(long, value_name = "IP|CIDR", value_parser = range, global = true)]
    target: Option<Range>,
    /// Whose traffic goes on, or is over.
    #[arg(long, value_enum, value_name = "STATE", global = true)]
    state: Option<State>,
    /// How far people are: new, acknowledged or resolved; may be given several times.
    #[arg(long, value_name = "WORKFLOW", value_parser = workflow, global = true)]
    workflow: Vec<Workflow>,
    /// With one of these labels; may be given several times.
    #[arg(long = "with-label", value_name = "LABEL", global = true)]
    labels: Vec<String>,
    /// In this category.
    #[arg(long = "in-category", value_name = "NAME", global = true)]
    category: Option<String>,
    /// Of this ATT&CK technique, sub-techniques included.
    #[arg(long, value_name = "T....", global = true)]
    technique: Option<String>,
    /// Given to this person.
    #[arg(long, value_name = "NAME", global = true)]
    assignee: Option<String>,
    /// Of this site.
    #[arg(long, value_name = "SITE", global = true)]
    site: Vec<String>,
    /// Marked as false positives: only those, or all but those.
    #[arg(long = "false-positives", value_enum, value_name = "WHICH", global = true)]
    false_positives: Option<Which>,
    /// Seen from this perspective: priorities are what it gives, and what it hides is left out.
    #[arg(long, value_name = "NAME", global = true)]
    pub(super) perspective: Option<String>,
    /// Every one of these words occurs in what the event says.
    #[arg(long, value_name = "WORDS", global = true)]
    text: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Open,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Only,
    Without,
}

impl FilterArgs {
    /// The conditions; `now` is what "ago" counts from.
    pub(super) fn filter(&self, now: Time) -> Result<Filter> {
        let ns = |when: &Option<String>| -> Result<Option<i64>> {
            when.as_deref()
                .map(|text| moment(text, now).map(|time| time.0))
                .transpose()
        };
        let (mut methods, mut submethods) = (Vec::new(), Vec::new());
        for code in &self.method {
            let (method, submethod) = code.split_once('.').unwrap_or((code, ""));
            methods.push(method.to_uppercase());
            if !submethod.is_empty() {
                submethods.push(submethod.to_owned());
            }
        }
        if !submethods.is_empty() && submethods.len() < methods.len() {
            bail!("give --method either always with a submethod or never");
        }
        Ok(Filter {
            lens: None,
            since_ns: ns(&self.since)?,
            until_ns: ns(&self.until)?,
            sites: self.site.clone(),
            feeds: Vec::new(),
            methods,
            submethods,
            priorities: self.priority.clone(),
            priority_min: self.priority_min,
            source: self.source.as_ref().map(|range| range.read),
            target: self.target.as_ref().map(|range| range.read),
            open: self.state.map(|state| matches!(state, State::Open)),
            workflow: self.workflow.clone(),
            false_positive: self.false_positives.map(|which| which == Which::Only),
            labels: self.labels.clone(),
            category: self.category.clone(),
            technique: self.technique.clone(),
            assignee: self.assignee.clone(),
            text: self.text.clone(),
        })
    }
}

impl FilterArgs {
    /// The site, where one is named.
    pub(super) fn site(&self) -> Result<Option<&str>> {
        match self.site.as_slice() {
            [] => Ok(None),
            [site] => Ok(Some(site)),
            _ => bail!("a server is asked about one site at a time"),
        }
    }

    /// The same conditions as the interface of a server has them; all times unless some are given.
    pub(super) fn asked(&self, now: Time) -> Result<Vec<(&'static str, String)>> {
        if self.category.is_some() {
            bail!("a server does not narrow by category; leave --in-category out");
        }
        let filter = self.filter(now)?;
        let stamp = |ns: i64| weir_output::stamp::rfc3339(Time(ns));
        let list = |words: Vec<&str>| (!words.is_empty()).then(|| words.join(","));
        let texts = |all: &[String]| list(all.iter().map(String::as_str).collect());
        let mut priorities = filter.priorities.clone();
        if let Some(least) = filter.priority_min {
            let fits = |one: &Priority| *one >= least && (priorities.is_empty() || priorities.contains(one));
            let fitting: Vec<Priority> = PRIORITIES
                .into_iter()
                .filter_map(Priority::from_word)
                .filter(fits)
                .collect();
            priorities = fitting;
        }
        let words = [
            ("since", Some(stamp(filter.since_ns.unwrap_or_default()))),
            ("until", filter.until_ns.map(stamp)),
            ("method", texts(&filter.methods)),
            ("submethod", texts(&filter.submethods)),
            (
                "priority",
                list(priorities.iter().map(|one| one.word()).collect()),
            ),
            ("source", self.source.as_ref().map(|range| range.text.clone())),
            ("target", self.target.as_ref().map(|range| range.text.clone())),
            (
                "state",
                filter
                    .open
                    .map(|open| if open { "open" } else { "closed" }.to_owned()),
            ),
            (
                "workflow",
                list(filter.workflow.iter().map(|one| one.word()).collect()),
            ),
            ("label", texts(&filter.labels)),
            ("technique", filter.technique),
            ("assignee", filter.assignee),
            (
                "false_positive",
                filter.false_positive.map(|only| only.to_string()),
            ),
            ("text", filter.text),
            ("perspective", self.perspective.clone()),
        ];
        Ok(words
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect())
    }
}

fn workflow(text: &str) -> Result<Workflow> {
    Workflow::ALL
        .into_iter()
        .find(|one| one.word() == text)
        .ok_or_else(|| anyhow!("it is new, acknowledged or resolved"))
}

fn priority(text: &str) -> Result<Priority> {
    Priority::from_word(&text.to_lowercase())
        .ok_or_else(|| anyhow!("it is critical, high, medium, low or informational"))
}

/// An address or a network, as it was written and as it was read.
#[derive(Clone)]
struct Range {
    text: String,
    read: SourceFilter,
}

fn range(text: &str) -> Result<Range> {
    let read = SourceFilter::parse(text)
        .ok_or_else(|| anyhow!("this is no address or network such as 10.0.0.5 or 10.0.0.0/8"))?;
    Ok(Range {
        text: text.to_owned(),
        read,
    })
}

/// Seconds of `90s`, `30m`, `24h`, `7d` or `2w`.
pub(super) fn span_s(text: &str) -> Result<i64> {
    let wrong = || anyhow!("{text:?} is no span such as 30m, 24h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let unit_s = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let number: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    if number <= 0 {
        return Err(wrong());
    }
    Ok(number.saturating_mul(unit_s))
}

/// A date, a moment, or a span before `now`.
fn moment(text: &str, now: Time) -> Result<Time> {
    if let Ok(ago_s) = span_s(text) {
        return Ok(now - ago_s.saturating_mul(NANOS_PER_S));
    }
    let full = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.replacen(' ', "T", 1)
    };
    weir_output::stamp::parse(&full).ok_or_else(|| {
        anyhow!("{text:?} is no moment (2026-11-22, 2026-11-22T08:00:00Z) and no span (30m, 24h, 7d)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let now = Time::from_secs(1_000_000);
        for (text, second) in [
            ("90s", 999_910),
            ("1d", 913_600),
            ("1970-01-02", 86_400),
            ("1970-01-02T00:00:01Z", 86_401),
            ("1970-01-02 01:00:00+01:00", 86_400),
        ] {
            assert_eq!(moment(text, now).unwrap(), Time::from_secs(second), "{text}");
        }
        for wrong in ["", "d", "-1d", "0h", "5x", "tomorrow", "1970-13-02", "1é"] {
            assert!(moment(wrong, now).is_err(), "{wrong}");
        }
        assert!(moment("99999999999999w", now).unwrap() < Time::from_secs(0));
    }
}
