//! `weir -r FILE`: analyses captures and prints events, flow records or transactions.
//! Results go to standard output alone; progress, troubles and the summary go to standard error.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use weir_model::{Batch, Networks};
use weir_output::text::Style;
use weir_output::{csv, json, text};
use weir_query::{Catalog, Expr, Lists, QueryError};
use weir_store::event::Place;
use weir_triage::Change;

use super::ipfix::IpfixFile;
use super::{FlowForm, Output, ReadArgs, eprint_line};
use crate::config::Config;
use crate::events::{Outcome, StoreFirst};
use crate::pipeline::{self, Consumer, Job};
use crate::storing;
use crate::syscheck::Notice;

/// Columns assumed where the terminal does not say.
const WIDTH_DEFAULT: usize = 110;

/// Runs the command.
pub(super) fn run(args: ReadArgs) -> Result<ExitCode> {
    let started = Instant::now();
    let mut config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if !args.inside.is_empty() {
        config.inside = Some(Networks::new(args.inside.iter().copied()));
    }
    if let Some(shards) = args.shards {
        config.shards = shards.into();
    }
    config.learned.clone_from(&args.learned);
    config.meter.dissect &= !args.no_dissect;
    let printer = Printer::new(&args, &config.lists)?;
    let detect = !args.no_detect && matches!(printer.what, What::Events { .. });
    let bar = progress_bar(&args);
    let store = args.store.as_deref();
    let store = store.map(|name| storing::open(name, &config)).transpose()?;
    let job = Job {
        files: args.files.clone(),
        config,
        detect,
        store,
    };
    let place = match (&args.events, &args.store) {
        (Some(events), _) => Some(super::events::place(events)?),
        (None, Some(folder)) if detect && !storing::is_url(folder) => Some(Place::Folder(folder.clone())),
        _ => None,
    };
    let first = StoreFirst::open(place, printer)?;
    let outcome = pipeline::run(job, first, |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    let (first, summary) = outcome?;
    let (mut printer, stored) = first.finish()?;
    printer.finish()?;
    for line in summary.trouble_lines() {
        eprint_line(&format!("weir: {line}"));
    }
    tell(stored.as_ref());
    if !args.quiet {
        eprint_line(&summary.text(printer.events, started.elapsed().as_secs_f64(), args.verbose));
    }
    Ok(if summary.failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Says what went wrong with storing.
pub(super) fn tell(stored: Option<&Outcome>) {
    for line in stored.iter().flat_map(|stored| stored.trouble_lines()) {
        eprint_line(&format!("weir: {line}"));
    }
}

/// A bar on a terminal when there are sizes to show, nothing otherwise.
fn progress_bar(args: &ReadArgs) -> ProgressBar {
    let sizes = args
        .files
        .iter()
        .map(|path| std::fs::metadata(path).map(|meta| meta.len()));
    let total: Option<u64> = sizes.sum::<io::Result<u64>>().ok();
    let Some(total) = total.filter(|_| !args.quiet && io::stderr().is_terminal()) else {
        return ProgressBar::hidden();
    };
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
    let template = "{bar:40} {percent:>3} %  {bytes} of {total_bytes}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// What is printed.
pub(super) enum What {
    Events {
        form: Output,
        style: Style,
        follow: bool,
    },
    Json,
    Csv,
    Ipfix(IpfixFile),
    Transactions,
}

/// The filter of the command line, over the kind of record that is printed.
pub(super) fn filter(text: Option<&str>, of_flows: bool, lists: &dyn Lists) -> Result<Expr, QueryError> {
    let fields: Vec<_> = weir_dissect::REGISTRY
        .iter()
        .flat_map(|entry| entry.meta.fields.iter().copied())
        .collect();
    let catalog = if of_flows {
        Catalog::flows()
            .clone()
            .knowing(fields.iter().map(|field| field.name))
    } else {
        Catalog::transactions(fields)
    };
    weir_query::parse(text.unwrap_or_default(), &catalog, lists)
}

/// Prints results to standard output as they come.
pub(super) struct Printer {
    what: What,
    /// Records that are printed.
    filter: Expr,
    out: BufWriter<Stdout>,
    pub(super) events: u64,
    header_due: bool,
}

impl Printer {
    fn new(args: &ReadArgs, lists: &dyn Lists) -> Result<Self> {
        // A filter that is wrong must not cost the file that is written.
        let filter = filter(args.filter.as_deref(), args.flows.is_some(), lists)?;
        let what = match (&args.flows, args.transactions) {
            (Some(form), _) => What::flows(form)?,
            (None, Some(_)) => What::Transactions,
            (None, None) => What::events(args.output, args.follow_updates, args.verbose),
        };
        Ok(Self::of(what, filter))
    }

    /// Prints `what`, of records those that fit the filter.
    pub(super) fn of(what: What, filter: Expr) -> Self {
        Self {
            header_due: matches!(what, What::Csv),
            filter,
            what,
            out: BufWriter::new(io::stdout()),
            events: 0,
        }
    }

    /// Ends the output: what is buffered goes out.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()?;
        match &mut self.what {
            What::Ipfix(file) => file.finish(),
            _ => Ok(()),
        }
    }
}

impl What {
    /// Flow records.
    pub(super) fn flows(form: &FlowForm) -> Result<Self> {
        Ok(match form {
            FlowForm::Json => Self::Json,
            FlowForm::Csv => Self::Csv,
            FlowForm::Ipfix(path) => Self::Ipfix(IpfixFile::create(path)?),
        })
    }

    /// Events, coloured and as wide as the terminal allows.
    pub(super) fn events(form: Output, follow: bool, verbose: bool) -> Self {
        let style = Style {
            colour: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            width: terminal_size::terminal_size().map_or(WIDTH_DEFAULT, |(width, _)| width.0.into()),
            verbose,
        };
        Self::Events { form, style, follow }
    }
}

impl Consumer for Printer {
    fn notice(&mut self, notice: &Notice) -> io::Result<()> {
        eprint_line(&format!("weir: {}: {}", notice.check, notice.text));
        Ok(())
    }

    fn batch(&mut self, batch: &Batch) -> io::Result<()> {
        if std::mem::take(&mut self.header_due) {
            writeln!(self.out, "{}", csv::flow_header())?;
        }
        let filter = &self.filter;
        let mut flows = batch.flows.iter().filter(|flow| filter.matches(flow));
        match &mut self.what {
            What::Csv => flows.try_for_each(|flow| writeln!(self.out, "{}", csv::flow(flow))),
            What::Json => flows.try_for_each(|flow| writeln!(self.out, "{}", json::flow(flow))),
            What::Ipfix(file) => flows.try_for_each(|flow| file.write(flow)),
            What::Transactions => batch
                .transactions
                .iter()
                .filter(|one| filter.matches_transaction(one))
                .try_for_each(|one| writeln!(self.out, "{}", json::transaction(one))),
            What::Events { .. } => Ok(()),
        }
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        let (event, closed) = match &change {
            Change::Opened(event) | Change::Updated(event) => (event, false),
            Change::Closed(event) => (event, true),
        };
        self.events += u64::from(closed);
        match self.what {
            What::Events {
                form: Output::Json,
                follow,
                ..
            } if closed || follow => {
                writeln!(self.out, "{}", json::event(event))?;
                self.out.flush()
            }
            What::Events {
                form: Output::Text,
                style,
                ..
            } if closed => {
                write!(self.out, "{}", text::event(event, style))?;
                self.out.flush()
            }
            _ => Ok(()),
        }
    }
}
