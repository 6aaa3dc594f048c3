//! `weir pattern`: patterns of behaviour before they are switched on. `check` says whether they can be read and what they
//! mean; `test` passes stored records or captures through one and shows what it would have said, how often, of whom.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use weir_detect::behaviour::bpatterns::{Compiled, Pattern};
use weir_model::{Quantity, Time};
use weir_output::text::{self, Style};
use weir_query::behaviour::Behaviour;
use weir_query::{Catalog, Lists, parse_behaviour};

use super::again::{PastArgs, Told};
use crate::config::patterns::{self, ReadPattern, USER_PREFIX};
use crate::config::{Config, Purpose};
use crate::shutdown;
use crate::trial::{SHOWN_MAX, Trial};

pub(super) const EXAMPLES: &str = "\
A pattern: [from flows|transactions] where FILTER [having CONDITIONS] [per KEYS] [within TIME]
  where dst port 445 and internal having distinct dst ip > 20 per src ip within 5m
  from transactions where dns and dns.query ~ '*.example' having count > 100 per src ip within 1h
Conditions: count, distinct FIELD, sum FIELD, avg FIELD, min FIELD, max FIELD, joined by and; or between alternatives.
Keys: src ip, dst ip, dst port, src mac, or feed for all together.

Examples:
  weir pattern check mine.toml                       can it be read, and what does it mean?
  weir pattern test mine.toml --store DIR -t 'last 7 days'
  weir pattern test WormSpread -r capture.pcap       one of those that come with the program
  weir pattern test 'where dst port 23 having count > 5' --store DIR";

/// Sources shown.
const SOURCES_SHOWN: usize = 10;
/// Hours shown one by one.
const HOURS_SHOWN: usize = 48;
/// Columns of a sample.
const WIDTH: usize = 110;

/// See the file.
#[derive(Args)]
pub(super) struct PatternArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Says whether patterns can be read, and what they mean.
    Check {
        /// Files of a pattern each, names, or texts; none: every pattern of the program and the configuration.
        #[arg(value_name = "PATTERN|FILE|NAME")]
        which: Vec<String>,
        /// Configuration file: named lists, and patterns of one's own.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Passes records of the past through a pattern and shows what it would have said.
    Test {
        /// A file, a name, or the text of a pattern.
        #[arg(value_name = "PATTERN|FILE|NAME")]
        which: String,
        #[command(flatten)]
        past: PastArgs,
        /// Configuration file: named lists, inside networks, patterns of one's own.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Runs the command.
pub(super) fn run(args: PatternArgs) -> Result<ExitCode> {
    let text = match args.verb {
        Verb::Check { which, config } => check(&which, &read_config(config.as_deref())?)?,
        Verb::Test { which, past, config } => test(&which, &past, read_config(config.as_deref())?)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn read_config(path: Option<&Path>) -> Result<Config> {
    Ok(match path {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    })
}

/// The pattern that is meant: a file, a name, a text.
fn meant(which: &str, config: &Config) -> Result<ReadPattern> {
    let path = Path::new(which);
    if path.is_file() {
        return Ok(patterns::of_file(path, USER_PREFIX, &config.lists)?);
    }
    let named = |pattern: &&ReadPattern| {
        let name = pattern.compiled.name();
        name.eq_ignore_ascii_case(which)
            || name
                .strip_prefix(USER_PREFIX)
                .is_some_and(|own| own.eq_ignore_ascii_case(which))
    };
    if let Some(known) = patterns::shipped().iter().chain(&config.patterns).find(named) {
        return Ok(known.clone());
    }
    if !which.contains(' ') {
        let known = patterns::shipped().iter().map(|pattern| pattern.compiled.name());
        bail!(
            "there is neither a file nor a pattern {which:?}{}",
            crate::config::did_you_mean(which, known)
        );
    }
    Ok(ReadPattern {
        compiled: Arc::new(Compiled::new(Pattern {
            name: format!("{USER_PREFIX}TEST"),
            title: "Pattern on trial".to_owned(),
            detail: String::new(),
            techniques: Vec::new(),
            blames_responder: false,
            behaviour: behaviour(which, &config.lists)?,
        })?),
        about: String::new(),
        priority: None,
        enabled: true,
    })
}

fn behaviour(text: &str, lists: &dyn Lists) -> Result<Behaviour> {
    let fields = weir_dissect::REGISTRY.iter().flat_map(|entry| entry.meta.fields);
    let transactions = Catalog::transactions(fields.copied());
    Ok(parse_behaviour(text, Catalog::flows(), &transactions, lists)?)
}

fn check(which: &[String], config: &Config) -> Result<String> {
    let all = if which.is_empty() {
        patterns::shipped()
            .iter()
            .chain(&config.patterns)
            .cloned()
            .collect()
    } else {
        let read = which
            .iter()
            .map(|one| meant(one, config).with_context(|| one.clone()));
        read.collect::<Result<Vec<_>>>()?
    };
    let mut text = String::new();
    for pattern in all {
        let state = if pattern.enabled { "" } else { " (off)" };
        let _ = writeln!(
            text,
            "{}: {}{state}",
            pattern.compiled.name(),
            pattern.compiled.title()
        );
        let _ = writeln!(text, "    {}", pattern.compiled.behaviour());
    }
    Ok(text)
}

fn test(which: &str, past: &PastArgs, mut config: Config) -> Result<String> {
    let pattern = meant(which, &config)?;
    config.purpose = Purpose::Try(pattern.compiled.clone());
    let stop = shutdown::flag()?;
    let trial = Trial::new(pattern.compiled);
    let (trial, told) = past.pass(config, trial, Some(&stop))?;
    Ok(report(&trial, &told))
}

/// The trial for people.
fn report(trial: &Trial, told: &Told) -> String {
    let mut text = String::new();
    let pattern = &trial.pattern;
    let _ = writeln!(text, "{}: {}", pattern.name(), pattern.title());
    let _ = writeln!(text, "    {}\n", pattern.behaviour());
    let _ = writeln!(text, "{}", told.line);
    let hours = (told.span_s / 3600.0).max(1.0);
    let _ = writeln!(
        text,
        "{} {} passed the filter, {} events: {} an hour",
        Quantity::Count(trial.matching),
        pattern.behaviour().records.word(),
        Quantity::Count(trial.events),
        Quantity::Ratio(trial.events as f64 / hours),
    );
    if trial.events == 0 {
        return text;
    }
    text.push_str("\nhour (UTC)            records  events\n");
    for (hour, (records, events)) in trial.hours.iter().take(HOURS_SHOWN) {
        let start = Time::from_secs(hour * 3600).to_string();
        let start = start.get(..16).unwrap_or(&start).replace('T', " ");
        let _ = writeln!(text, "{start:<20} {records:>8} {events:>7}");
    }
    if let Some(more) = trial
        .hours
        .len()
        .checked_sub(HOURS_SHOWN)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(text, "and {more} more hours");
    }
    text.push_str("\nevents  source\n");
    let sources = trial.sources();
    for (name, events) in sources.iter().take(SOURCES_SHOWN) {
        let _ = writeln!(text, "{events:>6}  {name}");
    }
    let more = sources.len().saturating_sub(SOURCES_SHOWN) as u64 + trial.other_sources;
    if more > 0 {
        let _ = writeln!(text, "        and {more} more");
    }
    text.push_str("\nfirst events\n");
    let style = Style {
        colour: false,
        width: WIDTH,
        verbose: true,
    };
    for event in &trial.shown {
        text.push_str(&text::event(event, style));
        for flow in event.evidence.iter().take(SHOWN_MAX) {
            let _ = writeln!(text, "      {}", weir_output::csv::flow(flow));
        }
    }
    text
}
