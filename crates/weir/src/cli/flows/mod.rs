//! `weir flows`: the flow store (or a capture) asked with nfdump's habits. Words become a search here; `store` answers it.

mod ask;
mod connections;
mod elsewhere;
mod info;
pub(super) mod print;
mod source;
mod transactions;
pub(super) mod when;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use weir_model::FlowRecord;
use weir_output::{csv, json};
use weir_query::{Check, Expr, NoLists, Scalar, Set};
use weir_store::flow::search::{
    Answer, Control, Cost, Figure, Found, Groups, Key, Measure, RowOrder, Search, SearchError, Shape, View,
    records_to_parquet, table_to_parquet,
};

use super::eprint_line;
use super::remote::RemoteArgs;
use crate::config::DEFAULT_SITE;
use ask::Words;
use print::Look;
use source::Rows;

/// Lines of a statistic when `-n` does not say, as in nfdump.
const TOP_DEFAULT: usize = 10;
const MIB: usize = 1 << 20;
/// Columns assumed where the terminal does not say.
const WIDTH_DEFAULT: usize = 110;

pub(super) const EXAMPLES: &str = "\
Examples:
  weir flows --store DIR 'dst port 445'                 records, oldest first
  weir flows --store DIR -t 'last 2 hours' 'bytes > 1G' -O bytes -c 20
                                                        the twenty biggest
  weir flows --store DIR -s srcip/bytes -n 10           who sent and received most
  weir flows --store DIR -s dstport:p/flows -s app      several statistics at once
  weir flows --store DIR -s 'srcip/distinct(dstip)' 'flags S and not dst flags A'
                                                        who knocks at most doors
  weir flows --store DIR -A srcip/24,dstport -O bytes   grouped by prefix and port
  weir flows --store DIR -a 'ip 10.0.0.9'               connections, records of one added up
  weir flows --store DIR --series 5m 'app dns'          a histogram over time
  weir flows --store DIR -s srcip/bytes -n 3 --series 1h
                                                        the top three over time
  weir flows --store DIR -s 'dstip/avg(rtt)/p95(srt)'   slow ways, and slow servers
  weir flows --store DIR 'rtt > 200 or srt > 2s'        milliseconds where no unit stands
  weir flows -r capture.pcap -s app/bytes               straight from a capture
  weir flows --remote https://weir.example:8844 --token-file token -s srcip/bytes
                                                        of a server: lists, one -s or -A, --series
  weir flows --store DIR -s http.host/bytes             by what HTTP, TLS, DNS, SMB ... said:
  weir flows --store DIR -A srcip,tls.sni 'app tls'     a flow counts once for each value that
  weir flows --store DIR 'smb.file ~ \"*.docm\"'          one of its transactions has
  weir flows --store DIR --transactions -s 'dns.query/transactions/p95(duration)'
                                                        the transactions themselves, and how
                                                        long their answers took

Fields to group by and to add up: srcip dstip ip srcport dstport port proto app vlan
srcmac dstmac conn_state exporter ... (docs/reference/elements.md has all); functions
distinct() avg() min() max() sum() flags() p50() p95() of a field. Fields of transactions
(http.host tls.sni dns.query smb.file smb.user krb.client ...) are in docs/reference/
dissectors.md; comparisons of them joined by `and` hold for one and the same transaction,
`not` means that no transaction of the flow fits. Filters: weir flows
'dst net 10.0.0.0/8 and not port in [80 443]'; docs/reference/query.md has the language.";

/// Questions to the flow store.
#[derive(Args)]
pub(super) struct FlowsArgs {
    /// Which records count, for example 'dst port 445 and bytes > 1M'; all when absent.
    filter: Vec<String>,
    /// The store's folder, as given to `weir -r FILE --store DIR`, s3://BUCKET/PREFIX or clickhouse://HOST/DATABASE; the
    /// environment's WEIR_STORE when absent.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    #[command(flatten)]
    remote: RemoteArgs,
    /// The site whose records are meant.
    #[arg(long, default_value = "default", value_name = "NAME")]
    site: String,
    /// Read these captures instead of a store.
    #[arg(
        short = 'r',
        long = "read",
        value_name = "FILE",
        num_args = 1,
        conflicts_with = "store"
    )]
    read: Vec<PathBuf>,
    /// Records that begin in this window (UTC): 'last 2 hours', 'yesterday', '2026-11-22 03:00 - 04:00' ...
    #[arg(short = 't', long = "time", value_name = "WINDOW")]
    time: Option<String>,
    /// A statistic: FIELD[:p][/BITS][/FIGURE...], for example srcip/bytes, dstport:p/flows, srcip/24/bps. May be repeated.
    #[arg(short = 's', long = "statistic", value_name = "STAT", conflicts_with_all = ["aggregate", "connections", "biflows"])]
    statistics: Vec<String>,
    /// Groups by these fields, for example srcip,dstport or srcip/24,proto.
    #[arg(short = 'A', long = "aggregate", value_name = "FIELDS")]
    aggregate: Option<String>,
    /// Groups by connection: protocol, addresses and ports, each direction apart.
    #[arg(short = 'a', long, conflicts_with_all = ["aggregate", "biflows"])]
    connections: bool,
    /// Groups by connection, both directions in one line.
    #[arg(short = 'b', long, conflicts_with = "aggregate")]
    biflows: bool,
    /// Lines of a statistic or grouping; 0: all. 10 for -s, all for the others.
    #[arg(short = 'n', long = "top", value_name = "N")]
    top: Option<usize>,
    /// Records to print at most.
    #[arg(short = 'c', long = "count", value_name = "N")]
    count: Option<usize>,
    /// What comes first: a figure, greatest first, or tstart, tend for earliest first.
    #[arg(short = 'O', long = "order", value_name = "FIGURE")]
    order: Option<String>,
    /// More figures, for example 'distinct(dstip),p95(bytes),avg(duration)'.
    #[arg(long, value_name = "FIGURES")]
    show: Option<String>,
    /// Over time, in steps of so long: 1s, 5m, 1h, 1d.
    #[arg(long, value_name = "STEP")]
    series: Option<String>,
    /// Only tell whether there is a record: yes or no.
    #[arg(long, conflicts_with_all = ["statistics", "aggregate", "connections", "biflows", "series"])]
    exists: bool,
    /// Tell what the store holds instead: records, parts, bytes, oldest and newest, days left.
    #[arg(long, conflicts_with_all = ["filter", "read", "statistics", "aggregate", "connections", "biflows", "series", "exists"])]
    info: bool,
    /// Each direction counts as a record of its own, as nfdump counts.
    #[arg(long)]
    one_way: bool,
    /// Ask the transactions (requests, look-ups, log-ins ...) instead of the flows they were part of.
    #[arg(long, conflicts_with_all = ["one_way", "connections", "biflows"])]
    transactions: bool,
    /// How answers are printed.
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Form::Text, value_name = "FORM")]
    form: Form,
    /// Write to this file instead of standard output (Parquet needs one).
    #[arg(short = 'w', long = "write", value_name = "FILE")]
    write: Option<PathBuf>,
    /// Threads of the search; answers do not depend on it.
    #[arg(long, value_name = "N", default_value_t = threads(), value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// Memory for groups, sketches and records, MiB; a search that needs more is refused.
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    memory: u32,
    /// Only results: no summary.
    #[arg(short, long)]
    quiet: bool,
}

fn threads() -> u8 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(64) as u8)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Tables and lines for people.
    Text,
    /// nfdump's look of a record, one direction a line.
    Line,
    /// The same with flags and type of service.
    Long,
    /// One JSON object per line.
    Json,
    Csv,
    /// A Parquet file (with -w).
    Parquet,
}

/// Words of the command line that make no question.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

fn usage(error: impl std::fmt::Display) -> Usage {
    Usage(format!("{error:#}"))
}

/// Runs the command.
pub(super) fn run(args: &FlowsArgs) -> Result<ExitCode> {
    let local = args.store.is_some() || !args.read.is_empty();
    // Unless a site is named the server takes the one that the token is for.
    let site = Some(args.site.as_str()).filter(|site| *site != DEFAULT_SITE);
    if let Some(server) = args.remote.server(local, site)? {
        return elsewhere::run(args, &server);
    }
    if args.form == Form::Parquet && args.write.is_none() {
        return Err(usage("a Parquet file does not belong on a terminal: add -w FILE").into());
    }
    if args.info {
        let json = match args.form {
            Form::Text => false,
            Form::Json => true,
            _ => return Err(usage("--info is told as text or, with -o json, as JSON").into()),
        };
        let told = info::of(&Rows::new(args)?)?;
        io::stdout().write_all(told.shown(json).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let shapes = shapes(args).map_err(usage)?;
    let filter = filter(args)?;
    let rows = Rows::new(args)?;
    let mut out: Box<dyn Write> = match &args.write {
        Some(path) => {
            let file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let mut cost = Cost::default();
    for (at, (title, shape)) in shapes.into_iter().enumerate() {
        if at > 0 && args.form == Form::Text {
            writeln!(out)?;
        }
        let question = Search {
            filter: filter.clone(),
            view: view(args),
            shape,
        };
        let answer = ask(args, &rows, &question)?;
        cost = answer.cost;
        show(args, &rows, &question, &title, answer, &mut out)?;
    }
    out.flush()?;
    if rows.outside() {
        // Not every server tells.
        if !args.quiet && cost.rows_read > 0 {
            eprint_line(&format!("ClickHouse read {} records", cost.rows_read));
        }
    } else if !args.quiet {
        eprint_line(&format!(
            "{} records fit; {} of {} read, {} of {} pieces ruled out",
            cost.rows_fitting, cost.rows_read, cost.rows, cost.pieces_pruned, cost.pieces
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The words that may be asked of what is asked.
fn words(args: &FlowsArgs) -> Words {
    if args.transactions {
        Words::transactions()
    } else {
        Words::flows()
    }
}

fn view(args: &FlowsArgs) -> View {
    if args.transactions {
        return View::Transactions;
    }
    let lines = matches!(args.form, Form::Line | Form::Long);
    if args.one_way || args.connections || lines {
        View::OneWay
    } else {
        View::Biflow
    }
}

/// The filter of the command line within its window.
fn filter(args: &FlowsArgs) -> Result<Expr> {
    let text = args.filter.join(" ");
    let words = words(args);
    let filter = weir_query::parse(&text, words.catalog(), &NoLists)?;
    let Some(window) = &args.time else {
        return Ok(filter);
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    let window = when::window(window, now).map_err(usage)?;
    let start = words.field("start")?;
    let within = Expr::test(&start, Check::Times(Set::of([(window.start, window.end - 1)])));
    Ok(Expr::and([within, filter]))
}

/// Figures every table has.
fn figures(args: &FlowsArgs) -> Result<Vec<Measure>> {
    let names: &[&str] = if args.transactions {
        &["transactions", "first", "last", "avg(duration)"]
    } else {
        &["flows", "packets", "bytes", "first", "last", "pps", "bps", "bpp"]
    };
    let words = words(args);
    names.iter().map(|name| words.measure(name)).collect()
}

/// Puts a figure among the others; gives its place.
fn place(measures: &mut Vec<Measure>, wanted: Measure) -> usize {
    let known = measures.iter().position(|measure| measure.name == wanted.name);
    known.unwrap_or_else(|| {
        measures.push(wanted);
        measures.len() - 1
    })
}

/// What is asked for, with a title for each table.
fn shapes(args: &FlowsArgs) -> Result<Vec<(String, Shape)>> {
    let words = words(args);
    let mut measures = figures(args)?;
    for measure in args
        .show
        .as_deref()
        .map(|text| words.measures(text))
        .transpose()?
        .unwrap_or_default()
    {
        place(&mut measures, measure);
    }
    let bucket = args.series.as_deref().map(|text| {
        when::length(text).with_context(|| format!("{text:?} is no length of time; say 30s, 5m, 1h or 1d"))
    });
    let bucket = bucket.transpose()?;
    if args.exists {
        return Ok(vec![(String::new(), Shape::Exists)]);
    }
    let keys = match &args.aggregate {
        Some(fields) => Some(words.keys(fields)?),
        None if args.connections || args.biflows => Some(words.keys(&ask::FIVE_TUPLE.join(","))?),
        None => None,
    };
    if let Some(keys) = keys {
        let order = args
            .order
            .as_deref()
            .map(|word| words.measure(word))
            .transpose()?;
        let order = order.map(|order| place(&mut measures, order));
        let groups = Groups {
            keys,
            measures,
            order,
            limit: args.top.filter(|top| *top > 0),
        };
        return Ok(vec![(String::new(), over(groups, bucket))]);
    }
    if args.statistics.is_empty() {
        return Ok(vec![(
            String::new(),
            match bucket {
                Some(bucket_ns) => Shape::Series {
                    bucket_ns,
                    measures: series_figures(args, &measures)?,
                },
                None => Shape::List {
                    order: row_order(words, args.order.as_deref())?,
                    limit: args.count,
                },
            },
        )]);
    }
    let mut shapes = Vec::new();
    for text in &args.statistics {
        let statistic = words.statistic(text)?;
        for order in statistic.orders {
            let mut measures = measures.clone();
            let title = format!("Top {} by {}", names(&statistic.keys), order.name);
            let groups = Groups {
                keys: statistic.keys.clone(),
                order: Some(place(&mut measures, order)),
                measures,
                limit: Some(args.top.unwrap_or(TOP_DEFAULT)).filter(|top| *top > 0),
            };
            shapes.push((title, over(groups, bucket)));
        }
    }
    Ok(shapes)
}

fn over(groups: Groups, bucket: Option<i64>) -> Shape {
    match bucket {
        Some(bucket_ns) => Shape::TopOverTime { groups, bucket_ns },
        None => Shape::Groups(groups),
    }
}

fn names(keys: &[Key]) -> String {
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    names.join(", ")
}

/// A series says when by itself; the first figure has the bars.
fn series_figures(args: &FlowsArgs, measures: &[Measure]) -> Result<Vec<Measure>> {
    let usual = if args.transactions {
        "transactions"
    } else {
        "bytes"
    };
    let first = words(args).measure(args.order.as_deref().unwrap_or(usual))?;
    let mut found = vec![first];
    for measure in measures {
        let spans = matches!(
            measure.what,
            Figure::Least(_) | Figure::Greatest(_) | Figure::Rate(..)
        );
        if !spans
            || args
                .show
                .as_ref()
                .is_some_and(|shown| shown.contains(&measure.name))
        {
            place(&mut found, measure.clone());
        }
    }
    Ok(found)
}

fn row_order(words: Words, word: Option<&str>) -> Result<RowOrder> {
    let (field, descending) = match word.unwrap_or("tstart") {
        "stored" => return Ok(RowOrder::Stored),
        "tstart" => ("start", false),
        "tend" => ("end", false),
        other => (other, true),
    };
    Ok(RowOrder::By {
        value: words.field(field)?,
        descending,
    })
}

/// Runs a search with a bar on the terminal.
fn ask(args: &FlowsArgs, rows: &Rows, question: &Search) -> Result<Answer> {
    rows.ask(|rows| {
        let control = Control::new(args.threads.into(), args.memory as usize * MIB);
        if args.quiet || !io::stderr().is_terminal() {
            return rows.search(question, &control);
        }
        std::thread::scope(|scope| {
            let running = scope.spawn(|| rows.search(question, &control));
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {eta} left") {
                bar.set_style(style);
            }
            while !running.is_finished() {
                let (done, all) = control.progress();
                bar.set_length(all);
                bar.set_position(done);
                std::thread::sleep(Duration::from_millis(20));
            }
            bar.finish_and_clear();
            running
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

fn show(
    args: &FlowsArgs,
    rows: &Rows,
    question: &Search,
    title: &str,
    answer: Answer,
    out: &mut impl Write,
) -> Result<()> {
    match answer.found {
        Found::Exists(found) => writeln!(out, "{}", if found { "yes" } else { "no" })?,
        Found::Records(records) => show_records(args.form, &records, out)?,
        Found::Transactions(rows) => transactions::show(args.form, &rows, out)?,
        Found::Table(mut table) => {
            if args.biflows {
                connections::one_line_each(&mut table);
            }
            match args.form {
                Form::Json => print::json(&table, out)?,
                Form::Csv => print::csv(&table, out)?,
                Form::Parquet => out.write_all(&table_to_parquet(&table)?)?,
                Form::Text | Form::Line | Form::Long => match &question.shape {
                    Shape::Series { .. } => print::bars(&table, 1, width(), out)?,
                    _ => {
                        if !title.is_empty() {
                            writeln!(out, "{title} ({} in all):", table.groups)?;
                        }
                        print::text(&table, &totals(args, rows, question)?, out)?;
                    }
                },
            }
        }
    }
    Ok(())
}

fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH_DEFAULT, |(width, _)| width.0.into())
}

fn show_records(form: Form, records: &[FlowRecord], out: &mut impl Write) -> Result<()> {
    let look = match form {
        Form::Json => {
            return Ok(records
                .iter()
                .try_for_each(|flow| writeln!(out, "{}", json::flow(flow)))?);
        }
        Form::Csv => {
            writeln!(out, "{}", csv::flow_header())?;
            return Ok(records
                .iter()
                .try_for_each(|flow| writeln!(out, "{}", csv::flow(flow)))?);
        }
        Form::Parquet => return Ok(out.write_all(&records_to_parquet(records)?)?),
        Form::Text => Look::Biline,
        Form::Line => Look::Line,
        Form::Long => Look::Long,
    };
    writeln!(out, "{}", print::heading(look))?;
    Ok(records
        .iter()
        .try_for_each(|flow| writeln!(out, "{}", print::record(flow, look)))?)
}

/// Flows, packets and bytes of all rows that fit, for the shares in a table.
fn totals(args: &FlowsArgs, rows: &Rows, question: &Search) -> Result<Vec<(String, u64)>> {
    let names: &[&str] = if args.transactions {
        &["transactions"]
    } else {
        &["flows", "packets", "bytes"]
    };
    let measures = names.iter().map(|name| words(args).measure(name));
    let question = Search {
        shape: Shape::Groups(Groups {
            keys: Vec::new(),
            measures: measures.collect::<Result<_>>()?,
            order: None,
            limit: None,
        }),
        ..question.clone()
    };
    let Found::Table(table) = ask(args, rows, &question)?.found else {
        return Ok(Vec::new());
    };
    let first = table.rows.into_iter().next().unwrap_or_default();
    let named = table.columns.into_iter().zip(first);
    Ok(named
        .filter_map(|(column, cell)| match cell {
            Some(Scalar::Number(number)) => Some((column.name, number)),
            _ => None,
        })
        .collect())
}

/// Exit by usage: the words of the command line make no question.
pub(super) fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<Usage>()
        || matches!(
            error.downcast_ref::<SearchError>(),
            Some(SearchError::Field { .. })
        )
}
