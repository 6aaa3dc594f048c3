//! `weir profiles`: the counted views of a store, their numbers over time, and counting one anew from stored records.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use weir_model::{Quantity, Time};
use weir_output::stamp::rfc3339;
use weir_store::flow::StoreError;
use weir_store::flow::profile::{
    CLASSES, Class, Kept, Point, STEPS, Series, SeriesError, View, series, table,
};
use weir_store::flow::search::Table;

use super::eprint_line;
use super::flows::{print, when};
use crate::storing::{self, Store};

const DAY_MS: i64 = 86_400_000;
/// Steps that are taken when none is asked for: the finest that gives no more than so many lines.
const STEPS_MS: [i64; 8] = [
    30_000,
    60_000,
    300_000,
    900_000,
    3_600_000,
    21_600_000,
    DAY_MS,
    7 * DAY_MS,
];
const LINES_MAX: i64 = 100;
/// Times the store is looked at anew because another process merged its parts.
const TRIES_MAX: usize = 5;

pub(super) const EXAMPLES: &str = "\
In the configuration:
  [[profiles]]
  name = \"servers\"
  title = \"Our servers\"
  filter = \"dst ip in [@servers]\"
  channels = [{ name = \"web\", filter = \"dst port in [80 443]\" }, { name = \"mail\", filter = \"dst port 25\" }]

Examples:
  weir profiles --store DIR                            what is counted, and since when
  weir profiles --store DIR show servers               its filters
  weir profiles --store DIR series servers             all of it over all time that is known
  weir profiles --store DIR series servers --channel web -t yesterday --step 5m
  weir profiles --store DIR series all --class icmp --step 1h --output csv
  weir profiles --store DIR fill servers               count it anew from the records that are stored

Every channel is counted in steps of 30 seconds, 5 minutes and a day, for all records and for TCP, UDP, ICMP and the
rest; longer steps are added up of these. A record belongs to the step it begins in. A long flow that is reported several
times counts each time. What is counted stays when the records are gone (serve.keep_days_30s and the like).";

/// See the file.
#[derive(Args)]
pub(super) struct ProfilesArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The store's folder, as given to `weir -r FILE --store DIR`, or s3://BUCKET/PREFIX; the environment's WEIR_STORE
    /// when absent.
    #[arg(long, value_name = "DIR", global = true)]
    store: Option<PathBuf>,
    /// The site that is meant.
    #[arg(long, default_value = "default", value_name = "NAME", global = true)]
    site: String,
}

#[derive(Subcommand)]
enum Verb {
    /// Names, channels, and since when each step is known.
    List,
    /// Title and filters of a profile.
    Show {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// The numbers of a channel over time.
    Series(SeriesArgs),
    /// Counts a profile anew from all records that are stored; nobody else may be writing to the store. Numbers of days
    /// before the oldest stored record stay.
    Fill {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Forgets a profile that is not counted any more, and its numbers.
    Forget {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Args)]
struct SeriesArgs {
    #[arg(value_name = "NAME")]
    name: String,
    /// A channel; the first when absent.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Steps that begin in this window (UTC): 'last 2 hours', 'yesterday', '2026-11-22 03:00 - 04:00' ...; all that is
    /// known when absent.
    #[arg(short = 't', long = "time", value_name = "WINDOW")]
    time: Option<String>,
    /// Length of a step, a multiple of 30s: 1m, 5m, 1h, 1d; such that about a hundred lines come when absent.
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Which records: all, tcp, udp, icmp, other.
    #[arg(long, default_value = "all", value_name = "CLASS", value_parser = class)]
    class: Class,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Form::Text, value_name = "FORM")]
    output: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    /// One object a line.
    Json,
    Csv,
}

fn class(word: &str) -> Result<Class, String> {
    Class::from_word(word).ok_or_else(|| format!("one of {}", CLASSES.map(Class::word).join(", ")))
}

/// Runs the command.
pub(super) fn run(args: &ProfilesArgs) -> Result<ExitCode> {
    let named = std::env::var_os("WEIR_STORE").map(PathBuf::from);
    let Some(store) = args.store.clone().or(named) else {
        bail!("which profiles? give --store DIR (or set WEIR_STORE)");
    };
    let view = || -> Result<View> { Ok(View::read(storing::reading(&store)?, &args.site)?) };
    let mut out = BufWriter::new(io::stdout().lock());
    match &args.verb {
        None | Some(Verb::List) => out.write_all(list(&view()?).as_bytes())?,
        Some(Verb::Show { name }) => out.write_all(show(kept(&view()?, name)?).as_bytes())?,
        Some(Verb::Series(asked)) => {
            let mut tries = 1;
            let table = loop {
                match counted(&view()?, asked) {
                    // Its parts were merged meanwhile.
                    Err(error) if tries < TRIES_MAX && is_gone(&error) => tries += 1,
                    other => break other?,
                }
            };
            match asked.output {
                Form::Text => print::text(&table, &[], &mut out)?,
                Form::Json => print::json(&table, &mut out)?,
                Form::Csv => print::csv(&table, &mut out)?,
            }
        }
        Some(Verb::Fill { name }) => fill(&store, name)?,
        Some(Verb::Forget { name }) => forget(&store, name)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn kept<'a>(view: &'a View, name: &str) -> Result<&'a Kept> {
    let names = || {
        let names = view.known.profiles.iter().map(|kept| kept.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let found = view.known.profile(name);
    found.with_context(|| format!("there is no profile {name:?}; there are {}", names()))
}

fn moment(millis: i64) -> String {
    rfc3339(Time(millis.saturating_mul(1_000_000)))
}

fn list(view: &View) -> String {
    let mut text = String::new();
    for kept in &view.known.profiles {
        let channels: Vec<&str> = kept
            .channels
            .iter()
            .map(|channel| channel.name.as_str())
            .collect();
        let ended = if kept.active { "" } else { ", not counted any more" };
        let _ = writeln!(
            text,
            "{:<20} {}: {}{ended}",
            kept.name,
            kept.title,
            channels.join(", ")
        );
    }
    for step in STEPS {
        if let Some(since) = view.since(step) {
            let _ = writeln!(text, "steps of {:<11} since {}", step.word(), moment(since));
        }
    }
    text
}

fn show(kept: &Kept) -> String {
    let mut text = format!("{}\n{}\nfilter  {}\n", kept.name, kept.title, kept.filter);
    for channel in &kept.channels {
        let _ = writeln!(text, "channel {}: {}", channel.name, channel.filter);
    }
    for (name, items) in &kept.lists {
        let _ = writeln!(text, "list    @{name}: {}", items.join(" "));
    }
    if !kept.active {
        text += "not counted any more\n";
    }
    text
}

/// Is a file of the store not there any more?
fn is_gone(error: &anyhow::Error) -> bool {
    let store = error.downcast_ref::<SeriesError>();
    matches!(store, Some(SeriesError::Store(StoreError::Disk(error))) if error.kind() == io::ErrorKind::NotFound)
}

fn counted(view: &View, args: &SeriesArgs) -> Result<Table> {
    let kept = kept(view, &args.name)?;
    let channel = match &args.channel {
        Some(channel) => channel,
        None => &kept.channels.first().context("the profile has no channel")?.name,
    };
    let ask = |step_ms: i64, (from_ms, to_ms): (i64, i64)| -> Result<Vec<Point>> {
        let asked = Series {
            profile: &args.name,
            channel,
            step_ms,
            from_ms,
            to_ms,
        };
        Ok(series(&asked, view)?)
    };
    let window = match &args.time {
        Some(text) => {
            let window = when::window(text, now())?;
            let millis = |nanos: i64| nanos.div_euclid(1_000_000);
            (millis(window.start), millis(window.end))
        }
        None => (i64::MIN, i64::MAX),
    };
    let step_ms = match &args.step {
        Some(text) => {
            let nanos = when::length(text);
            let nanos =
                nanos.with_context(|| format!("{text:?} is no length of time; say 30s, 5m, 1h or 1d"))?;
            if nanos % 30_000_000_000 != 0 {
                bail!("{text} is no multiple of 30 seconds, the finest step that is counted");
            }
            nanos / 1_000_000
        }
        None => fitting(&ask(DAY_MS, window)?, window),
    };
    let points = ask(step_ms, window)?;
    Ok(table(&points, args.class, step_ms))
}

/// The finest step that gives few enough lines for these days.
fn fitting(days: &[Point], (from_ms, to_ms): (i64, i64)) -> i64 {
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return DAY_MS;
    };
    let from = first.start_ms.max(from_ms);
    let to = last.start_ms.saturating_add(DAY_MS).min(to_ms);
    let fits = |step: &&i64| to.saturating_sub(from) / **step <= LINES_MAX;
    STEPS_MS.iter().find(fits).copied().unwrap_or(7 * DAY_MS)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The store for writing; parts for an object store go up with the next run that writes there.
fn writing(name: &Path) -> Result<Store> {
    storing::reading(name)?;
    storing::open_as_it_is(name)
}

fn fill(name: &Path, profile: &str) -> Result<()> {
    let mut store = writing(name)?;
    let store = store.own().context("the store")?;
    let mut shown = 0;
    let mut told = |done: usize, all: usize| {
        let percent = (done * 100).checked_div(all).unwrap_or(100);
        if percent >= shown + 10 && io::stderr().is_terminal() {
            shown = percent;
            eprint_line(&format!(
                "weir: {percent} % of {} parts",
                Quantity::Count(all as u64)
            ));
        }
        true
    };
    store.fill_profile(profile, Time(now()), &mut told)?;
    let left_out = store.profiles().counters().left_out;
    if left_out > 0 {
        bail!(
            "{left_out} records found no room: they begin at too many different times for one day's numbers"
        );
    }
    Ok(())
}

fn forget(name: &Path, profile: &str) -> Result<()> {
    let mut store = writing(name)?;
    let store = store.own().context("the store")?;
    if !store.forget_profile(profile)? {
        bail!("{profile:?} is no profile that has ended: take it out of the configuration first");
    }
    Ok(())
}
