//! Flow records: lists, groups and series over the flow store, in the filter language.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use weir_model::{FlowRecord, NANOS_PER_S, Time};
use weir_query::Kind;
use weir_store::flow::search::{Cut, Found, Groups, Key, RowOrder, Shape, Table};

use crate::App;
use crate::events::limit;
use crate::problem::{Params, Problem, Result};
use crate::window::{Span, Window};
use crate::{filter, search};

/// Rows of a list, and groups, when nothing is asked.
const LIST: u32 = 100;
const TOP: u32 = 10;
/// Groups that a series tells apart, when nothing is asked and at most: each adds a line to every step.
const TOLD_APART: u32 = 8;
const TOLD_APART_MAX: u32 = 50;
/// Words to group by.
const KEYS_MAX: usize = 3;
/// Records of one moment that a list can page through.
const SAME_MOMENT_MAX: usize = 100_000;

/// Which flows, as a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FlowParams {
    /// Began at or after: RFC 3339, `now`, `now-2h` (s, m, h, d). A day before `until` when absent.
    pub(crate) since: Option<String>,
    /// Began before; `now` when absent.
    pub(crate) until: Option<String>,
    /// In the filter language, for example `dst port 445 and bytes > 1M`.
    pub(crate) filter: Option<String>,
    /// A word of the filter language, greatest first; the latest first when absent.
    pub(crate) sort: Option<String>,
    /// 1 to 1000; 100 when absent.
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before; only without `sort`.
    pub(crate) cursor: Option<String>,
}

/// Flow records.
#[derive(Serialize, ToSchema)]
pub(crate) struct FlowPage {
    pub(crate) span: Span,
    /// The filter, normalised.
    pub(crate) filter: String,
    /// Columns by name, as `GET /flows/columns` lists them; absent values are left out.
    #[schema(value_type = Vec<Object>)]
    pub(crate) flows: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
    pub(crate) cost: Cost,
}

/// Which flows, in groups.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GroupParams {
    /// As for lists.
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) filter: Option<String>,
    /// One to three words of the filter language, separated by commas: `src_ip`, `ip`, `dst_port,proto`. An address may
    /// be cut: `src_ip/24`.
    pub(crate) by: String,
    /// What decides and comes first: `bytes` (the default), `packets`, `flows`.
    pub(crate) order: Option<String>,
    /// 1 to 1000; 10 when absent.
    pub(crate) limit: Option<u32>,
}

/// Which flows, over time.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesParams {
    /// As for lists.
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) filter: Option<String>,
    /// Length of a step in seconds; chosen when absent.
    pub(crate) step: Option<u32>,
    /// Fields to group by, as for groups: each step then has a line for each of the greatest groups of the span that it
    /// holds flows of, and one for all others together, whose column `rest` is true.
    pub(crate) by: Option<String>,
    /// What decides which groups are the greatest: `bytes` (the default), `packets`, `flows`.
    pub(crate) order: Option<String>,
    /// Groups that are told apart: 1 to 50; 8 when absent.
    pub(crate) limit: Option<u32>,
}

/// A table of answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct FlowTable {
    pub(crate) span: Span,
    /// The filter, normalised.
    pub(crate) filter: String,
    /// Length of a step, for a series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step_s: Option<f64>,
    pub(crate) columns: Vec<FlowColumn>,
    /// Cells in the order of the columns: number, text, true, false or null.
    #[schema(value_type = Vec<Vec<Object>>)]
    pub(crate) rows: Vec<Vec<serde_json::Value>>,
    /// Groups there were before the limit.
    pub(crate) groups: u64,
    pub(crate) cost: Cost,
}

/// A column of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FlowColumn {
    pub(crate) name: String,
    /// `number`, `bytes`, `duration` (nanoseconds), `time` (RFC 3339), `address`, `mac`, `tcp_flags`, `text`, `flag`, `ratio`.
    pub(crate) kind: &'static str,
}

/// What had to be read for an answer.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Cost {
    /// Rows there are.
    pub(crate) rows: u64,
    /// Rows that were looked at; the rest was ruled out.
    pub(crate) rows_read: u64,
    /// Rows that fit.
    pub(crate) rows_fitting: u64,
    pub(crate) took_ms: f64,
}

/// A column of flow records.
#[derive(Serialize, ToSchema)]
pub(crate) struct ElementShown {
    pub(crate) name: &'static str,
    /// For people, with the unit.
    pub(crate) label: &'static str,
}

/// Flow records, latest first.
#[utoipa::path(get, path = "/flows", tag = "flows", params(FlowParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = FlowPage), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Params(params): Params<FlowParams>,
) -> Result<Json<FlowPage>> {
    let mut window = Window::read(params.since.as_deref(), params.until.as_deref(), app.now())?;
    let span = window.span();
    let filter = filter::read(&app, "filter", params.filter.as_deref())?;
    let limit = limit(params.limit, LIST)? as usize;
    let word = params.sort.as_deref().unwrap_or("start");
    let unknown = || Problem::at("sort", format!("there is no field {word:?}"));
    let value = app.set.catalog.field(word).cloned().ok_or_else(unknown)?;
    let by_time = params.sort.is_none();
    let mut seen = 0;
    if let Some(cursor) = &params.cursor {
        let wrong = || Problem::at("cursor", "is no place to continue from; start again without it");
        let (last, rows) = cursor.split_once('.').filter(|_| by_time).ok_or_else(wrong)?;
        let last: i64 = last.parse().map_err(|_| wrong())?;
        seen = rows
            .parse()
            .ok()
            .filter(|rows| *rows <= SAME_MOMENT_MAX)
            .ok_or_else(wrong)?;
        // Rows of the last moment are read again, and those seen are left out.
        window.until = window.until.min(Time(last) + 1);
    }
    let shown = filter.to_string();
    let shape = Shape::List {
        order: RowOrder::By {
            value,
            descending: true,
        },
        limit: Some(seen + limit + 1),
    };
    let answered = search::run(&app, window, filter, shape).await?;
    let Found::Records(records) = answered.found else {
        return Err(Problem::internal("records were asked for"));
    };
    let more = records.len() > seen + limit;
    let page: Vec<&FlowRecord> = records.iter().skip(seen).take(limit).collect();
    let next_cursor = page.last().filter(|_| more && by_time).map(|last| {
        let same = records
            .iter()
            .take(seen + limit)
            .filter(|record| record.start == last.start);
        format!("{}.{}", last.start.0, same.count())
    });
    let line = |record: &&FlowRecord| RawValue::from_string((app.set.flow_line)(record));
    let flows = page.iter().map(line).collect::<std::result::Result<_, _>>();
    Ok(Json(FlowPage {
        span,
        filter: shown,
        flows: flows.map_err(Problem::internal)?,
        next_cursor,
        cost: answered.cost,
    }))
}

/// Flow records in groups, greatest first.
#[utoipa::path(get, path = "/flows/groups", tag = "flows", params(GroupParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = FlowTable), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn groups(
    State(app): State<Arc<App>>,
    Params(params): Params<GroupParams>,
) -> Result<Json<FlowTable>> {
    let window = Window::read(params.since.as_deref(), params.until.as_deref(), app.now())?;
    let filter = filter::read(&app, "filter", params.filter.as_deref())?;
    let limit = limit(params.limit, TOP)? as usize;
    let groups = asked_groups(&app, &params.by, params.order.as_deref(), limit)?;
    let shown = filter.to_string();
    let shape = Shape::Groups(groups);
    let (found, cost) = search::table(&app, window, filter, shape).await?;
    Ok(Json(table(window, shown, None, &found, cost)))
}

/// Groups by these words, the greatest first.
fn asked_groups(app: &App, by: &str, order: Option<&str>, limit: usize) -> Result<Groups> {
    let measures = search::measures(app)?;
    let order = order.unwrap_or("bytes");
    let order = measures.iter().position(|measure| measure.name == order);
    let order = order.ok_or_else(|| Problem::at("order", "must be bytes, packets or flows"))?;
    let words: Vec<&str> = by.split(',').map(str::trim).collect();
    if words.len() > KEYS_MAX {
        return Err(Problem::at("by", format!("must be 1 to {KEYS_MAX} fields")));
    }
    let keys = words.into_iter().map(|word| cut_key(app, word));
    Ok(Groups {
        keys: keys.collect::<Result<_>>()?,
        measures,
        order: Some(order),
        limit: Some(limit),
    })
}

/// `src_ip` or `src_ip/24`.
fn cut_key(app: &App, word: &str) -> Result<Key> {
    let Some((name, bits)) = word.split_once('/') else {
        return search::key(app, "by", word);
    };
    let mut key = search::key(app, "by", name)?;
    let bits: u8 = bits.parse().ok().filter(|bits| *bits <= 128).ok_or_else(|| {
        Problem::at(
            "by",
            format!("{word:?}: a prefix has 0 to 32 bits (IPv4) or 0 to 128 (IPv6)"),
        )
    })?;
    if key.kind() != Kind::Address {
        return Err(Problem::at(
            "by",
            format!("{name} is no address; only addresses are cut"),
        ));
    }
    key.cut = Cut::Prefix {
        v4: bits.min(32),
        v6: bits,
    };
    key.name = word.to_owned();
    Ok(key)
}

/// Flow records over time.
#[utoipa::path(get, path = "/flows/series", tag = "flows", params(SeriesParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = FlowTable), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn series(
    State(app): State<Arc<App>>,
    Params(params): Params<SeriesParams>,
) -> Result<Json<FlowTable>> {
    let window = Window::read(params.since.as_deref(), params.until.as_deref(), app.now())?;
    let filter = filter::read(&app, "filter", params.filter.as_deref())?;
    let bucket_ns = window.step_ns(params.step);
    let step_s = bucket_ns as f64 / NANOS_PER_S as f64;
    let shown = filter.to_string();
    let by = params.by.as_deref().filter(|by| !by.is_empty());
    if by.is_none() && (params.order.is_some() || params.limit.is_some()) {
        return Err(Problem::at("by", "order and limit are about groups: say by what"));
    }
    let Some(by) = by else {
        let shape = Shape::Series {
            bucket_ns,
            measures: search::measures(&app)?,
        };
        let (found, cost) = search::table(&app, window, filter, shape).await?;
        return Ok(Json(table(window, shown, Some(step_s), &found, cost)));
    };
    let limit = params.limit.unwrap_or(TOLD_APART);
    if !(1..=TOLD_APART_MAX).contains(&limit) {
        return Err(Problem::at("limit", format!("must be 1 to {TOLD_APART_MAX}")));
    }
    let groups = asked_groups(&app, by, params.order.as_deref(), limit as usize)?;
    let (found, cost) = search::table(&app, window, filter, Shape::TopOverTime { groups, bucket_ns }).await?;
    let mut told = table(window, shown, Some(step_s), &found, cost);
    told.columns.push(FlowColumn {
        name: "rest".to_owned(),
        kind: "flag",
    });
    for row in &mut told.rows {
        row.push(false.into());
    }
    for at in found.rest {
        if let Some(told) = told.rows.get_mut(at).and_then(|row| row.last_mut()) {
            *told = true.into();
        }
    }
    Ok(Json(told))
}

fn table(window: Window, filter: String, step_s: Option<f64>, found: &Table, cost: Cost) -> FlowTable {
    let rows = found
        .rows
        .iter()
        .map(|row| row.iter().map(search::cell).collect());
    FlowTable {
        span: window.span(),
        filter,
        step_s,
        columns: search::columns(found),
        rows: rows.collect(),
        groups: found.groups,
        cost,
    }
}

/// The columns of flow records.
#[utoipa::path(get, path = "/flows/columns", tag = "flows", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [ElementShown])))]
pub(crate) async fn columns() -> Json<Vec<ElementShown>> {
    let shown = weir_model::elements::ELEMENTS.iter().map(|element| ElementShown {
        name: element.name,
        label: element.label,
    });
    Json(shown.collect())
}
