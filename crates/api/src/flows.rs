//! Flow records: lists, groups and series over the flow store, in the filter language.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::problem::{Params, Problem, Result};
use crate::window::Span;

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
    pub(crate) flows: Vec<Box<serde_json::value::RawValue>>,
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
    /// `number`, `bytes`, `duration` (nanoseconds), `time` (RFC 3339), `address`, `mac`, `text`, `flag`, `ratio`.
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
#[utoipa::path(get, path = "/flows", tag = "flows", params(FlowParams), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = FlowPage), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Params(params): Params<FlowParams>,
) -> Result<Json<FlowPage>> {
    let _ = (app, params);
    Err(Problem::unavailable("this server keeps no such records yet"))
}

/// Flow records in groups, greatest first.
#[utoipa::path(get, path = "/flows/groups", tag = "flows", params(GroupParams), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = FlowTable), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn groups(
    State(app): State<Arc<App>>,
    Params(params): Params<GroupParams>,
) -> Result<Json<FlowTable>> {
    let _ = (app, params);
    Err(Problem::unavailable("this server keeps no such records yet"))
}

/// Flow records over time.
#[utoipa::path(get, path = "/flows/series", tag = "flows", params(SeriesParams), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = FlowTable), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn series(
    State(app): State<Arc<App>>,
    Params(params): Params<SeriesParams>,
) -> Result<Json<FlowTable>> {
    let _ = (app, params);
    Err(Problem::unavailable("this server keeps no such records yet"))
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
