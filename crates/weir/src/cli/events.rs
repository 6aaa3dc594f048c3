//! `weir events`: lists stored events, shows one with its history, and does what people do with them. It speaks to the
//! event database alone, also while another `weir` writes it.

mod filter;
mod perspectives;
mod print;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use weir_model::{NANOS_PER_S, Time};
use weir_store::event::{Action, CategoryState, EventStore, Facet, Place, Retention, Sort, Workflow};

use filter::{FilterArgs, span_s};
use perspectives::PerspectiveArgs;
use print::Form;

use super::remote::{self, RemoteArgs};
use crate::fetch::server::Server;

const EXAMPLES: &str = "\
Fill a database first: weir -r capture.pcap --events DIR (or a PostgreSQL URL).

Examples:
  weir events --store DIR                                   the latest twenty
  weir events --store DIR --since 24h --priority-min high   what matters of the last day
  weir events --store DIR --source 10.0.0.0/8 --text refused -o csv
  weir events --store DIR show 01a200ed-1094                one event, its history and comments
  weir events --store DIR ack 01a200ed-1094 01a200f1-2201   I take these
  weir events --store DIR label phishing 01a200ed-1094
  weir events --store DIR false-positive 01a200ed-1094 --note 'our own scanner'
  weir events --store DIR count --by source --since 7d      who raises most
  weir events --store DIR histogram --step 1h --since 1d
  weir events --store DIR --perspective servers             as people see it who run the servers
  weir events --store DIR audit --verify                    was the trail tampered with?
  weir events --remote https://weir.example:8844 --token-file token --since 24h
                                                            of a server (list, count, show, and what people do)

An id may be abbreviated as long as it is clear. Times are event time: a moment (2026-11-22, 2026-11-22T08:00:00Z) or
how long ago (30m, 24h, 7d).";

/// Reading and working on stored events.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EventsArgs {
    /// The event database: the folder given to `weir -r --events`, or a postgres:// URL.
    #[arg(
        long = "store",
        visible_alias = "events",
        value_name = "DIR|URL",
        global = true
    )]
    database: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Order of the list.
    #[arg(long, value_enum, default_value_t = Order::Detected, value_name = "ORDER")]
    sort: Order,
    /// Rows, groups or entries to print, 1000 at most.
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N", global = true)]
    limit: u32,
    /// Goes on where a list ended; it says how.
    #[arg(long, value_name = "MARK")]
    after: Option<String>,
    /// How results are printed.
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Form::Text, value_name = "FORM", global = true)]
    form: Form,
    /// Who does it, for the audit trail; by default the user of this terminal.
    #[arg(long = "as", value_name = "NAME", global = true)]
    actor: Option<String>,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Order {
    /// Latest detected first.
    Detected,
    /// Earliest detected first.
    Oldest,
    /// Latest update first.
    Updated,
    /// Highest risk first.
    Risk,
}

#[derive(Subcommand)]
enum What {
    /// Everything kept of one event: with -o json the event as it was stored, evidence included.
    Show { id: String },
    /// Takes events on: their workflow becomes "acknowledged".
    Ack { ids: Vec<String> },
    /// Finishes events: their workflow becomes "resolved".
    #[command(visible_alias = "close")]
    Resolve { ids: Vec<String> },
    /// Makes events new again.
    Reopen { ids: Vec<String> },
    /// Gives events to somebody ("" takes them back).
    Assign { who: String, ids: Vec<String> },
    /// Puts a label on events.
    Label {
        label: String,
        ids: Vec<String>,
        /// Takes it off instead.
        #[arg(long)]
        remove: bool,
    },
    /// Puts events into a category, or sets how far it is.
    Category {
        name: String,
        ids: Vec<String>,
        #[arg(long, value_enum, default_value_t = Progress::New)]
        progress: Progress,
        /// Takes them out instead.
        #[arg(long, conflicts_with = "progress")]
        remove: bool,
    },
    /// Writes a comment on events.
    Comment { body: String, ids: Vec<String> },
    /// Marks events as false positives.
    FalsePositive {
        ids: Vec<String>,
        /// Why.
        #[arg(long, default_value = "")]
        note: String,
        /// Takes the mark off instead.
        #[arg(long, conflicts_with = "note")]
        undo: bool,
    },
    /// Keeps events from `retain`.
    Pin {
        ids: Vec<String>,
        /// No longer.
        #[arg(long)]
        undo: bool,
    },
    /// Counts events by something, most first.
    Count {
        /// method, submethod, priority, state, workflow, site, feed, source, label or technique.
        #[arg(long, default_value = "method", value_name = "WHAT", value_parser = facet)]
        by: Facet,
    },
    /// Counts events by priority over time.
    Histogram {
        /// Length of a step, for example 5m, 1h, 1d.
        #[arg(long, default_value = "1h", value_parser = span_s)]
        step: i64,
    },
    /// Lists perspectives: how much events matter to one audience. --perspective NAME looks through one.
    Perspectives(PerspectiveArgs),
    /// Prints who did what, newest first, or checks that nothing of it was changed.
    Audit {
        /// Only what was done to this event.
        id: Option<String>,
        /// Computes the chain of hashes anew: exit code 1 when it does not hold.
        #[arg(long)]
        verify: bool,
        /// A head printed by an earlier check, which must still be part of the chain.
        #[arg(long, requires = "verify", value_name = "HASH")]
        head: Option<String>,
    },
    /// Removes old events for good; pinned ones stay.
    Retain {
        /// Without an update for so long, for example 90d.
        #[arg(long, value_parser = span_s, required_unless_present = "at_most", value_name = "SPAN")]
        older_than: Option<i64>,
        /// No more events than this: those longest without an update go.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
        at_most: Option<i64>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Progress {
    New,
    InWork,
    Solved,
}

/// Runs the command.
pub(super) fn run(args: EventsArgs) -> Result<ExitCode> {
    if let Some(server) = args.remote.server(args.database.is_some(), args.filter.site()?)? {
        return elsewhere(&args, &server);
    }
    let Some(store) = &args.database else {
        bail!(
            "say where the events are: --store DIR (as given to weir -r --events), a postgres:// URL, or --remote URL"
        );
    };
    let place = Place::parse(store);
    ensure!(
        place.exists(),
        "there is no event database {}; fill one with: weir -r capture.pcap --events {store}",
        place.shown()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = EventStore::open(&place).await?;
        let done = answer(&args, &store).await;
        store.close().await;
        done
    })
}

/// The same over a server.
fn elsewhere(args: &EventsArgs, server: &Server) -> Result<ExitCode> {
    let mut words = args.filter.asked(now())?;
    let mut out = BufWriter::new(io::stdout().lock());
    let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    words.push(("limit", args.limit.to_string()));
    match &args.what {
        None => {
            let sort = match args.sort {
                Order::Detected => "detected",
                Order::Oldest => "oldest",
                Order::Updated => "updated",
                Order::Risk => "risk",
            };
            words.push(("sort", sort.to_owned()));
            words.extend(args.after.clone().map(|mark| ("cursor", mark)));
            let (page, total) = remote::events::list(server, &words)?;
            print::list(&mut out, args.form, &page, total, colour)?;
        }
        Some(What::Count { by }) => {
            print::groups(&mut out, args.form, &remote::events::count(server, &words, *by)?)?;
        }
        Some(What::Perspectives(what)) => perspectives::elsewhere(&mut out, what, args.form, server)?,
        Some(What::Show { id }) => {
            let shown = remote::events::show(server, id, args.filter.perspective.as_deref())?;
            match args.form {
                Form::Json => writeln!(out, "{shown}")?,
                _ => writeln!(out, "{shown:#}")?,
            }
        }
        Some(work) => {
            let Some((ids, action)) = work.action() else {
                bail!(
                    "histogram, audit and retain ask a database: take --store; a server shows and does these itself"
                );
            };
            ensure!(
                !ids.is_empty(),
                "say which events: their ids, as `weir events` lists them"
            );
            for (id, changed) in remote::events::act(server, ids, &action)? {
                writeln!(
                    out,
                    "{id} {}",
                    if changed {
                        "done"
                    } else {
                        "was so already, or is not there"
                    }
                )?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn answer(args: &EventsArgs, store: &EventStore) -> Result<ExitCode> {
    let now = now();
    let mut filter = args.filter.filter(now)?;
    if let Some(name) = &args.filter.perspective {
        filter.lens = perspectives::lens(store, args.filter.site()?, name).await?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut code = ExitCode::SUCCESS;
    match &args.what {
        None => {
            let sort = match args.sort {
                Order::Detected => Sort::Detected,
                Order::Oldest => Sort::Oldest,
                Order::Updated => Sort::Updated,
                Order::Risk => Sort::Risk,
            };
            let page = store
                .list(&filter, sort, args.limit, args.after.as_deref())
                .await?;
            let total = store.count(&filter).await?;
            print::list(&mut out, args.form, &page, total, colour)?;
        }
        Some(What::Show { id }) => {
            let mut detail = store.get(&store.find(id).await?).await?;
            if let Some(lens) = &filter.lens {
                detail.row.priority = store.seen(&detail.row.id, lens).await?.word();
            }
            print::detail(&mut out, args.form, &detail, colour)?;
        }
        Some(What::Count { by }) => {
            let groups = store.facet(&filter, *by, args.limit).await?;
            print::groups(&mut out, args.form, &groups)?;
        }
        Some(What::Perspectives(what)) => {
            let (site, actor) = (args.filter.site()?, args.actor());
            perspectives::run(&mut out, what, args.form, store, site, &actor).await?;
        }
        Some(What::Histogram { step }) => {
            let (step_ns, steps) = store.histogram(&filter, step.saturating_mul(NANOS_PER_S)).await?;
            print::histogram(&mut out, args.form, step_ns, &steps)?;
        }
        Some(What::Audit { id, verify, head }) => {
            let head = verify.then_some(head.as_deref());
            code = audit(args, store, id.as_deref(), head, &mut out).await?;
        }
        Some(What::Retain { older_than, at_most }) => {
            let retention = Retention {
                updated_before_ns: older_than.map(|span_s| (now - span_s.saturating_mul(NANOS_PER_S)).0),
                events_max: *at_most,
            };
            let retired = store.retain(retention, &args.actor(), now).await?;
            writeln!(out, "{} removed; {} pinned stay", retired.removed, retired.pinned)?;
        }
        Some(work) => {
            if let Some((ids, action)) = work.action() {
                act(store, ids, &action, &args.actor(), &mut out).await?;
            }
        }
    }
    out.flush()?;
    Ok(code)
}

/// Prints the trail, or with `head` checks it: up to that head, where one is named.
async fn audit(
    args: &EventsArgs,
    store: &EventStore,
    id: Option<&str>,
    head: Option<Option<&str>>,
    out: &mut impl Write,
) -> Result<ExitCode> {
    if let Some(head) = head {
        let chain = store.verify_audit(head).await?;
        print::chain(out, args.form, &chain)?;
        return Ok(if chain.holds() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let id = match id {
        Some(id) => Some(store.find(id).await?),
        None => None,
    };
    let entries = store.audit(id.as_deref(), args.limit.min(1000)).await?;
    print::audit(out, args.form, &entries)?;
    Ok(ExitCode::SUCCESS)
}

async fn act(
    store: &EventStore,
    ids: &[String],
    action: &Action,
    actor: &str,
    out: &mut impl Write,
) -> Result<()> {
    ensure!(
        !ids.is_empty(),
        "say which events: their ids, as `weir events` lists them"
    );
    let mut full = Vec::with_capacity(ids.len());
    for id in ids {
        full.push(store.find(id).await?);
    }
    let changed = store.act(&full, action, actor, now()).await?;
    for (id, changed) in full.iter().zip(changed) {
        writeln!(out, "{id} {}", if changed { "done" } else { "was so already" })?;
    }
    Ok(())
}

impl EventsArgs {
    /// Who works: as given, or the user of the terminal.
    fn actor(&self) -> String {
        let user = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
        self.actor
            .clone()
            .or_else(user)
            .unwrap_or_else(|| "unknown".to_owned())
    }
}

impl What {
    /// What is done to which events; `None` for what only reads.
    fn action(&self) -> Option<(&[String], Action)> {
        let (ids, action) = match self {
            Self::Ack { ids } => (ids, Action::Work(Workflow::Acknowledged)),
            Self::Resolve { ids } => (ids, Action::Work(Workflow::Resolved)),
            Self::Reopen { ids } => (ids, Action::Work(Workflow::New)),
            Self::Assign { who, ids } => (ids, Action::Assign((!who.is_empty()).then(|| who.clone()))),
            Self::Label {
                label,
                ids,
                remove: false,
            } => (ids, Action::Label(label.clone())),
            Self::Label {
                label,
                ids,
                remove: true,
            } => (ids, Action::Unlabel(label.clone())),
            Self::Category {
                name,
                ids,
                remove: true,
                ..
            } => (ids, Action::Uncategorise(name.clone())),
            Self::Category {
                name, ids, progress, ..
            } => {
                let state = match progress {
                    Progress::New => CategoryState::New,
                    Progress::InWork => CategoryState::InWork,
                    Progress::Solved => CategoryState::Solved,
                };
                (ids, Action::Categorise(name.clone(), state))
            }
            Self::Comment { body, ids } => (ids, Action::Comment(body.clone())),
            Self::FalsePositive { ids, undo: true, .. } => (ids, Action::TruePositive),
            Self::FalsePositive { ids, note, .. } => (ids, Action::FalsePositive(note.clone())),
            Self::Pin { ids, undo } => (ids, Action::Pin(!undo)),
            Self::Show { .. }
            | Self::Count { .. }
            | Self::Histogram { .. }
            | Self::Perspectives(_)
            | Self::Audit { .. }
            | Self::Retain { .. } => return None,
        };
        Some((ids, action))
    }
}

/// Reads what to count by.
fn facet(text: &str) -> Result<Facet> {
    let known = Facet::ALL.into_iter().find(|facet| facet.word() == text);
    let words: Vec<&str> = Facet::ALL.iter().map(|facet| facet.word()).collect();
    known.with_context(|| format!("events are counted by {}", words.join(", ")))
}

/// The wall clock: for what people do, and for "how long ago".
pub(super) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Time(since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
}

/// What `--events` of the reading commands says.
pub(super) fn place(text: &str) -> Result<Place> {
    ensure!(
        !text.is_empty(),
        "--events needs a folder, or a postgres:// or mongodb:// URL"
    );
    let looks_like_url = text.contains("://");
    let place = Place::parse(text);
    if looks_like_url && matches!(place, Place::Folder(_)) {
        let scheme = text.split("://").next().context("a scheme")?;
        bail!(
            "--events takes a folder (SQLite), or a postgres:// or mongodb:// URL; there is no {scheme}:// database"
        );
    }
    Ok(place)
}
