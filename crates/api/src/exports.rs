//! Flow records and events into files, as jobs: the whole answer to a question, not a page of it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weir_model::{FlowRecord, NANOS_PER_S, Time};
use weir_query::{Expr, Field};
use weir_store::event::{EventStore, Filter, Sort};
use weir_store::flow::search::{Control, Found, RecordsFile, RowOrder, Search, SearchError, Shape, View};

use crate::events::{Asked, EventParams, EventRow, store};
use crate::guard::Who;
use crate::jobs::{Begun, Job, JobKind, Made, Work, begin};
use crate::problem::{Body, Problem, Result};
use crate::search::{ask, during, flows as flows_of};
use crate::window::Window;
use crate::{App, audit, filter};

/// Bytes of a file at most: a disk is shared with the stores.
const BYTES_MAX: u64 = 1 << 30;
/// Memory of the records of one piece.
const MEMORY: usize = 128 << 20;
/// A piece of time at first; pieces with too many records are halved, and those after a piece with few doubled.
const PIECE_NS: i64 = 3600 * NANOS_PER_S;
/// Records of a piece that are few.
const FEW: usize = 20_000;
/// The least piece of time.
const PIECE_MIN_NS: i64 = 1_000_000;
/// Events read together.
const PAGE: u32 = 500;

/// Form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportForm {
    /// RFC 4180 with a header.
    Csv,
    /// One JSON object a line: flows as every output has them, events by the event contract.
    Ndjson,
    /// A Parquet file in the layout of the store. For flows.
    Parquet,
}

impl ExportForm {
    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

/// Which flow records, into what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowExport {
    /// Began at or after: RFC 3339, `now`, `now-2h` (s, m, h, d). A day before `until` when absent.
    since: Option<String>,
    /// Began before; `now` when absent.
    until: Option<String>,
    /// In the filter language; everything when absent.
    filter: Option<String>,
    form: ExportForm,
}

/// Which events, into what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventExport {
    /// The query of `GET /events`: `since=now-7d&priority=high`.
    #[serde(default)]
    query: String,
    /// `csv` or `ndjson`.
    form: ExportForm,
}

/// Writes all flow records that fit into a file, earliest first. 202: ask the job how far it is.
#[utoipa::path(post, path = "/flows/export", tag = "flows", request_body = FlowExport,
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 202, body = Job), (status = 400, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
pub(crate) async fn flows(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(asked): Body<FlowExport>,
) -> Result<Begun> {
    let window = Window::read(asked.since.as_deref(), asked.until.as_deref(), app.now())?;
    let filter = filter::read(&app, "/filter", asked.filter.as_deref())?;
    if app.set.flows.is_none() {
        return Err(Problem::unavailable("this server keeps no flows"));
    }
    let about = filter.to_string();
    audit::note(&app, &who.name, "export flows", &about, &window.words()).await?;
    let app_there = app.clone();
    begin(&app, &who, JobKind::FlowExport, about, move |work, path| {
        let mut file = FlowFile::create(&app_there, asked.form, path).map_err(told)?;
        let cut = flow_pieces(&app_there, window, &filter, work, &mut file)?;
        let records = file.records;
        file.finish().map_err(told)?;
        Ok(Made {
            name: format!("weir-flows.{}", asked.form.ending()),
            media_type: asked.form.media_type(),
            note: note("flow records", records, cut),
        })
    })
}

/// Writes all events that fit into a file, earliest first. 202: ask the job how far it is.
#[utoipa::path(post, path = "/events/export", tag = "events", request_body = EventExport,
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 202, body = Job), (status = 400, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(asked): Body<EventExport>,
) -> Result<Begun> {
    if asked.form == ExportForm::Parquet {
        return Err(Problem::at("/form", "events are written as csv or ndjson"));
    }
    let uri = format!("/?{}", asked.query)
        .parse()
        .map_err(|_| Problem::at("/query", "is no query of a URL"))?;
    let params = axum::extract::Query::<EventParams>::try_from_uri(&uri)
        .map_err(|why| Problem::at("/query", why.body_text()))?;
    let Asked { filter, window } = Asked::read(&app, &params.0).await?;
    let store = store(&app)?.clone();
    audit::note(&app, &who.name, "export events", &asked.query, &window.words()).await?;
    let (runtime, cell) = (tokio::runtime::Handle::current(), app.set.csv.cell);
    begin(
        &app,
        &who,
        JobKind::EventExport,
        asked.query,
        move |work, path| {
            let file = BufWriter::new(File::create(path).map_err(told)?);
            let pages = event_pages(&store, &filter, asked.form, work, (Counted::new(file), cell));
            let (events, cut) = runtime.block_on(pages)?;
            Ok(Made {
                name: format!("weir-events.{}", asked.form.ending()),
                media_type: asked.form.media_type(),
                note: note("events", events, cut),
            })
        },
    )
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn note(what: &str, count: u64, cut: bool) -> String {
    if cut {
        format!(
            "cut after {count} {what}: a file has {} MiB at most; shorten the span",
            BYTES_MAX >> 20
        )
    } else {
        format!("{count} {what}")
    }
}

/// Searches the span piece by piece. True: the file is full.
fn flow_pieces(
    app: &App,
    window: Window,
    filter: &Expr,
    work: &Work,
    file: &mut FlowFile,
) -> std::result::Result<bool, String> {
    let value = app.set.catalog.field("start").cloned();
    let value = value.ok_or_else(|| "there is no field start".to_owned())?;
    let whole = window.until.since(window.since).max(1) as f64;
    let (mut from, mut piece) = (window.since, PIECE_NS);
    while from < window.until {
        if work.is_cancelled() {
            return Ok(false);
        }
        let until = Time(from.0.saturating_add(piece)).min(window.until);
        let one = Window { since: from, until };
        match records(app, one, filter.clone(), value.clone(), work) {
            Ok(records) => {
                file.write(&records).map_err(told)?;
                if file.bytes() >= BYTES_MAX {
                    return Ok(true);
                }
                from = until;
                if records.len() < FEW {
                    piece = piece.saturating_mul(2);
                }
                work.progress(from.since(window.since) as f64 / whole);
            }
            Err(SearchError::Budget { .. }) if piece > PIECE_MIN_NS => piece /= 2,
            // A part was merged away meanwhile: the next snapshot has its records elsewhere.
            Err(SearchError::Gone(_)) => {}
            Err(SearchError::Cancelled) => return Ok(false),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(false)
}

/// All records of a piece of time, earliest first.
fn records(
    app: &App,
    window: Window,
    filter: Expr,
    value: Field,
    work: &Work,
) -> std::result::Result<Vec<FlowRecord>, SearchError> {
    let outside = |problem: Problem| SearchError::Outside(problem.detail().to_owned());
    let search = Search {
        filter: Expr::And(vec![during(app, window).map_err(outside)?, filter]),
        view: View::Biflow,
        shape: Shape::List {
            order: RowOrder::By {
                value,
                descending: false,
            },
            limit: None,
        },
    };
    let flows = flows_of(app).map_err(outside)?;
    let control = Arc::new(Control::new(1, MEMORY));
    work.searches(Some(control.clone()));
    let answer = ask(&flows, window, &search, &control);
    work.searches(None);
    match answer?.found {
        Found::Records(records) => Ok(records),
        Found::Table(_) | Found::Transactions(_) | Found::Exists(_) => Ok(Vec::new()),
    }
}

/// Counts what is written through it.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W> Counted<W> {
    fn new(inner: W) -> Self {
        Self { inner, bytes: 0 }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

type Out = Counted<BufWriter<File>>;

/// A file of flow records.
struct FlowFile {
    form: Form,
    records: u64,
}

enum Form {
    Lines(Out, fn(&FlowRecord) -> String),
    Parquet(Box<RecordsFile<BufWriter<File>>>),
}

impl FlowFile {
    fn create(app: &App, form: ExportForm, path: &Path) -> io::Result<Self> {
        let out = BufWriter::new(File::create(path)?);
        let form = match form {
            ExportForm::Csv => {
                let mut out = Counted::new(out);
                writeln!(out, "{}", (app.set.csv.flow_header)())?;
                Form::Lines(out, app.set.csv.flow)
            }
            ExportForm::Ndjson => Form::Lines(Counted::new(out), app.set.flow_line),
            ExportForm::Parquet => Form::Parquet(Box::new(RecordsFile::new(out).map_err(io::Error::other)?)),
        };
        Ok(Self { form, records: 0 })
    }

    fn write(&mut self, records: &[FlowRecord]) -> io::Result<()> {
        self.records += records.len() as u64;
        match &mut self.form {
            Form::Lines(out, line) => records
                .iter()
                .try_for_each(|record| writeln!(out, "{}", line(record))),
            Form::Parquet(file) => file.write(records).map_err(io::Error::other),
        }
    }

    fn bytes(&self) -> u64 {
        match &self.form {
            Form::Lines(out, _) => out.bytes,
            Form::Parquet(file) => file.bytes(),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self.form {
            Form::Lines(mut out, _) => out.flush(),
            Form::Parquet(file) => file.finish().map_err(io::Error::other)?.flush(),
        }
    }
}

/// Columns of events as CSV.
const EVENT_COLUMNS: [&str; 20] = [
    "id",
    "detected",
    "method",
    "submethod",
    "title",
    "priority",
    "risk",
    "probability",
    "state",
    "workflow",
    "assignee",
    "false_positive",
    "source_ip",
    "source_name",
    "source_user",
    "target_count",
    "first_flow",
    "last_update",
    "labels",
    "reason",
];

/// Writes events page by page; how many, and whether the file was full.
async fn event_pages(
    store: &EventStore,
    filter: &Filter,
    form: ExportForm,
    work: &Work,
    (mut out, cell): (Out, fn(&str) -> String),
) -> std::result::Result<(u64, bool), String> {
    let all = store.count(filter).await.map_err(told)?.max(1) as f64;
    if form == ExportForm::Csv {
        writeln!(out, "{}", EVENT_COLUMNS.join(",")).map_err(told)?;
    }
    let (mut events, mut cursor) = (0_u64, None::<String>);
    loop {
        let page = store.list(filter, Sort::Oldest, PAGE, cursor.as_deref());
        let page = page.await.map_err(told)?;
        for row in page.rows {
            let line = match form {
                ExportForm::Csv => csv_line(&EventRow::from(row), cell),
                _ => store.get(&row.id).await.map_err(told)?.document,
            };
            writeln!(out, "{line}").map_err(told)?;
            events += 1;
        }
        work.progress(events as f64 / all);
        cursor = page.next;
        let full = out.bytes >= BYTES_MAX;
        if cursor.is_none() || full || work.is_cancelled() {
            out.flush().map_err(told)?;
            return Ok((events, full && cursor.is_some()));
        }
    }
}

fn csv_line(row: &EventRow, cell: fn(&str) -> String) -> String {
    let row = serde_json::to_value(row).unwrap_or_default();
    let cells = EVENT_COLUMNS.map(|column| match &row[column] {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => cell(text),
        serde_json::Value::Array(all) => {
            let words: Vec<&str> = all.iter().filter_map(|one| one.as_str()).collect();
            cell(&words.join(" "))
        }
        other => other.to_string(),
    });
    cells.join(",")
}

impl Window {
    fn words(self) -> String {
        let span = self.span();
        format!("{} to {}", span.since, span.until)
    }
}
