//! Is something wrong, where do I start, can I trust the data?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::events::{Count, EventRow};
use crate::health::DataHealth;
use crate::problem::{Params, Problem, Result};
use crate::window::Span;

/// Which span.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OverviewParams {
    /// RFC 3339, `now`, `now-2h` (s, m, h, d). A day before `until` when absent.
    pub(crate) since: Option<String>,
    /// `now` when absent.
    pub(crate) until: Option<String>,
}

/// The first page.
#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    pub(crate) span: Span,
    /// The span of the same length just before, for comparison.
    pub(crate) before: Span,
    /// Events by priority, most urgent first; all five.
    pub(crate) priorities: Vec<PriorityCount>,
    /// Events by method, most first.
    pub(crate) methods: Vec<MethodCount>,
    /// Hosts that events are about, most urgent first.
    pub(crate) sources: Vec<RiskySource>,
    /// Events of the highest risk that nobody has closed.
    pub(crate) worst: Vec<EventRow>,
    /// Absent when no flows are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traffic: Option<Traffic>,
    pub(crate) health: DataHealth,
    /// Where data are, when the span has none of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Span>,
}

/// Events of one priority.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriorityCount {
    pub(crate) priority: &'static str,
    pub(crate) events: i64,
    /// In the span before.
    pub(crate) before: i64,
}

/// Events of one method.
#[derive(Serialize, ToSchema)]
pub(crate) struct MethodCount {
    pub(crate) method: String,
    pub(crate) title: String,
    pub(crate) events: i64,
    /// In the span before.
    pub(crate) before: i64,
}

/// A host that events are about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RiskySource {
    /// Address, or hardware address where there is none.
    pub(crate) source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) events: i64,
    /// The highest risk of an event.
    pub(crate) risk: i64,
    /// The highest priority of an event.
    pub(crate) priority: &'static str,
    /// Methods that found something, most events first.
    pub(crate) methods: Vec<Count>,
}

/// Traffic over time.
#[derive(Serialize, ToSchema)]
pub(crate) struct Traffic {
    pub(crate) step_s: f64,
    pub(crate) points: Vec<TrafficPoint>,
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Over the span.
    pub(crate) bits_per_s_avg: f64,
    /// In the busiest step.
    pub(crate) bits_per_s_max: f64,
    /// Milliseconds; absent where nothing measured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) srt_ms: Option<f64>,
    /// Retransmitted segments per packet; absent where nothing measured it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retransmitted: Option<f64>,
}

/// One step of traffic.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TrafficPoint {
    /// RFC 3339.
    pub(crate) start: String,
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// The first page in one answer.
#[utoipa::path(get, path = "/overview", tag = "overview", params(OverviewParams), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = Overview), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn overview(
    State(app): State<Arc<App>>,
    Params(params): Params<OverviewParams>,
) -> Result<Json<Overview>> {
    let _ = (app, params);
    Err(Problem::unavailable("this server keeps no such records yet"))
}
