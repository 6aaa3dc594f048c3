//! Questions to the flow store: bounded in number, time and memory, cancelled when nobody waits for the answer any more.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::Value;
use weir_model::Time;
use weir_query::{Expr, Kind, Scalar, Unit};
use weir_store::Disk;
use weir_store::flow::search::{
    self, Answer, Control, Figure, Found, Groups, Key, Measure, Search, SearchError,
};
use weir_store::flow::search::{Shape, Source, Table, View};
use weir_store::flow::{HOUR_MS, MIXED, Shared};

use crate::flows::{Cost, FlowColumn};
use crate::problem::{Problem, Result};
use crate::window::{Window, rfc3339};
use crate::{App, Flows, filter};

/// How long a search may wait for its turn, and run.
const WAIT: Duration = Duration::from_secs(10);
const RUN: Duration = Duration::from_secs(30);
/// Memory of one search.
const MEMORY: usize = 256 << 20;
/// Times a search is begun anew.
const TRIES: usize = 3;

/// Ends the search with the request.
struct CancelOnDrop(Arc<Control>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// An answer and what it cost.
pub(crate) struct Answered {
    pub(crate) found: Found,
    pub(crate) cost: Cost,
}

/// Runs a search over the span; anew when a part it needs was merged away meanwhile.
pub(crate) async fn run(app: &Arc<App>, window: Window, filter: Expr, shape: Shape) -> Result<Answered> {
    let search = Arc::new(Search {
        filter: Expr::And(vec![during(app, window)?, filter]),
        view: View::Biflow,
        shape,
    });
    let begun = Instant::now();
    let mut tries = 0;
    let Answer { found, cost } = loop {
        tries += 1;
        match once(app, window, search.clone()).await? {
            Err(SearchError::Gone(_)) if tries < TRIES => {}
            other => break other?,
        }
    };
    Ok(Answered {
        found,
        cost: Cost {
            rows: cost.rows,
            rows_read: cost.rows_read,
            rows_fitting: cost.rows_fitting,
            took_ms: begun.elapsed().as_secs_f64() * 1e3,
        },
    })
}

async fn once(
    app: &Arc<App>,
    window: Window,
    search: Arc<Search>,
) -> Result<std::result::Result<Answer, SearchError>> {
    let flows = flows(app)?;
    let control = Arc::new(Control::new(1, MEMORY));
    let _cancel = CancelOnDrop(control.clone());
    in_turn(app, move || ask(&flows, window, &search, &control)).await
}

/// Does work that reads the store, on a thread that may block, when it is its turn.
pub(crate) async fn in_turn<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let busy = || Problem::later(StatusCode::SERVICE_UNAVAILABLE, "too many searches at once", 5);
    let place = tokio::time::timeout(WAIT, app.searches.clone().acquire_owned()).await;
    let place = place.map_err(|_| busy())?.map_err(Problem::internal)?;
    let work = tokio::task::spawn_blocking(move || {
        // The place is given back when the work ends, not when somebody stops waiting for it.
        let _place = place;
        work()
    });
    let slow = || {
        Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "the search took longer than 30 s: shorten the span",
        )
    };
    let done = tokio::time::timeout(RUN, work).await;
    done.map_err(|_| slow())?.map_err(Problem::internal)
}

/// The flow table.
pub(crate) fn flows(app: &App) -> Result<Flows> {
    let flows = app.set.flows.clone();
    flows.ok_or_else(|| Problem::unavailable("this server keeps no flows"))
}

/// Asks the table about the span, on a thread that may block.
pub(crate) fn ask(
    flows: &Flows,
    window: Window,
    search: &Search,
    control: &Control,
) -> std::result::Result<Answer, SearchError> {
    match flows {
        Flows::Own { disk, shared, .. } => search::run(search, &sources(disk, shared, window), control),
        Flows::ClickHouse { client, site } => search::run_in_clickhouse(search, client, site, control),
    }
}

/// Everything that may hold records of the span.
fn sources(disk: &Arc<dyn Disk>, shared: &Shared, window: Window) -> Vec<Source> {
    let snapshot = shared.latest();
    let (low, high) = (window.since.0 / 1_000_000, window.until.0 / 1_000_000);
    let parts = snapshot.parts.iter().filter(|part| {
        let from = part.hour.saturating_mul(HOUR_MS);
        part.hour == MIXED || (from <= high && from.saturating_add(HOUR_MS) >= low)
    });
    let parts = parts.map(|part| Source::Part {
        disk: disk.clone(),
        part: part.clone(),
    });
    let memory = snapshot.memory.iter().cloned().map(Source::Batch);
    parts.chain(memory).collect()
}

/// Records that began in the span.
pub(crate) fn during(app: &App, window: Window) -> Result<Expr> {
    let text = format!(
        "start >= {} and start < {}",
        rfc3339(window.since),
        rfc3339(window.until)
    );
    filter::read(app, "since", Some(&text))
}

/// Lines of a grouping; `measures` as in [`measures`].
pub(crate) async fn table(
    app: &Arc<App>,
    window: Window,
    filter: Expr,
    shape: Shape,
) -> Result<(Table, Cost)> {
    let Answered { found, cost } = run(app, window, filter, shape).await?;
    match found {
        Found::Table(table) => Ok((table, cost)),
        Found::Records(_) | Found::Transactions(_) | Found::Exists(_) => {
            Err(Problem::internal("a table was asked for"))
        }
    }
}

/// What is told of every group: flows, packets, bytes.
pub(crate) fn measures(app: &App) -> Result<Vec<Measure>> {
    let field = |word: &str| {
        let field = app.set.catalog.field(word);
        field
            .cloned()
            .ok_or_else(|| Problem::internal(format!("no field {word}")))
    };
    Ok(vec![
        Measure::new("flows", Figure::Records),
        Measure::new("packets", Figure::Sum(field("packets")?)),
        Measure::new("bytes", Figure::Sum(field("bytes")?)),
    ])
}

/// Groups by these words, the greatest measure first.
pub(crate) fn groups(keys: Vec<Key>, measures: Vec<Measure>, order: usize, limit: usize) -> Shape {
    Shape::Groups(Groups {
        keys,
        measures,
        order: Some(order),
        limit: Some(limit),
    })
}

/// The key of a word.
pub(crate) fn key(app: &App, place: &str, word: &str) -> Result<Key> {
    let unknown = || Problem::at(place, format!("there is no field {word:?}"));
    let field = app.set.catalog.field(word).ok_or_else(unknown)?;
    Key::of(field).ok_or_else(|| Problem::at(place, format!("{word} is computed; group by what is stored")))
}

/// The columns of a table.
pub(crate) fn columns(table: &Table) -> Vec<FlowColumn> {
    let columns = table.columns.iter().map(|column| FlowColumn {
        name: column.name.clone(),
        kind: match column.kind {
            Kind::Number(Unit::Count) => "number",
            Kind::Number(Unit::Bytes) => "bytes",
            Kind::Number(Unit::Nanos) => "duration",
            Kind::Number(Unit::Micros) | Kind::Rate(Unit::Micros) => "microseconds",
            Kind::Rate(_) => "ratio",
            Kind::Time => "time",
            Kind::Address => "address",
            Kind::Mac => "mac",
            Kind::TcpFlags => "tcp_flags",
            Kind::Flag => "flag",
            Kind::Text | Kind::Texts => "text",
        },
    });
    columns.collect()
}

/// A cell as JSON.
pub(crate) fn cell(cell: &Option<Scalar<'_>>) -> Value {
    match cell {
        None => Value::Null,
        Some(Scalar::Number(number)) => Value::from(*number),
        Some(Scalar::Rate(rate)) => Value::from(*rate),
        Some(Scalar::Time(time)) => Value::from(rfc3339(Time(*time))),
        Some(Scalar::Address(address)) => Value::from(address_text(*address)),
        Some(Scalar::Mac(mac)) => Value::from(mac_text(*mac)),
        Some(Scalar::Flag(flag)) => Value::from(*flag),
        Some(Scalar::Text(text)) => Value::from(&**text),
        Some(Scalar::Texts(all)) => all.iter().map(|text| Value::from(&**text)).collect(),
    }
}

/// A number of a line, zero where there is none.
pub(crate) fn number(line: &[Option<Scalar<'_>>], at: usize) -> u64 {
    match line.get(at) {
        Some(Some(Scalar::Number(number))) => *number,
        _ => 0,
    }
}

/// A text of a line.
pub(crate) fn text(line: &[Option<Scalar<'_>>], at: usize) -> Option<String> {
    match line.get(at).map(cell) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn address_text(bits: u128) -> String {
    IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical().to_string()
}

fn mac_text(bits: u64) -> String {
    let bytes = bits.to_be_bytes();
    let words: Vec<String> = bytes[2..].iter().map(|byte| format!("{byte:02x}")).collect();
    words.join(":")
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        let text = error.to_string();
        match error {
            SearchError::Cancelled => Self::new(StatusCode::REQUEST_TIMEOUT, text),
            SearchError::Gone(_) => Self::later(StatusCode::SERVICE_UNAVAILABLE, text, 1),
            SearchError::Budget { .. }
            | SearchError::TooManyGroups
            | SearchError::TooManyKeys
            | SearchError::TooManyBuckets(_)
            | SearchError::Field { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, text),
            SearchError::Outside(_) => Self::new(StatusCode::BAD_GATEWAY, text),
            SearchError::Part { .. } | SearchError::Batch(_) => Self::internal(text),
        }
    }
}
