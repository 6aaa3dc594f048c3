//! Events: lists, counts, one event with all that proves it, and what people do with them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::problem::{Body, Params, Part, Problem, Result};
use crate::window::Span;

/// Which events. Lists are separated by commas; all conditions must hold.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParams {
    /// Detected at or after: RFC 3339, `now`, `now-2h` (s, m, h, d). A day before `until` when absent.
    pub(crate) since: Option<String>,
    /// Detected before; `now` when absent.
    pub(crate) until: Option<String>,
    /// Words that must all occur in what the event says.
    pub(crate) text: Option<String>,
    /// Codes of methods.
    pub(crate) method: Option<String>,
    pub(crate) submethod: Option<String>,
    /// `informational`, `low`, `medium`, `high`, `critical`.
    pub(crate) priority: Option<String>,
    /// Address or prefix of the source.
    pub(crate) source: Option<String>,
    /// Address or prefix of a target.
    pub(crate) target: Option<String>,
    /// `open` or `closed`: does the traffic go on?
    pub(crate) state: Option<String>,
    /// `new`, `acknowledged`, `resolved`: how far are people?
    pub(crate) workflow: Option<String>,
    pub(crate) label: Option<String>,
    /// ATT&CK; T1110 also finds T1110.001.
    pub(crate) technique: Option<String>,
    pub(crate) assignee: Option<String>,
    pub(crate) feed: Option<String>,
    pub(crate) false_positive: Option<bool>,
    /// `detected` (latest first, the default), `oldest`, `updated`, `risk`. For lists.
    pub(crate) sort: Option<String>,
    /// 1 to 1000; 100 when absent. For lists and counts.
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before. For lists.
    pub(crate) cursor: Option<String>,
    /// Length of a step in seconds; chosen when absent. For histograms.
    pub(crate) step: Option<u32>,
}

/// An event in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EventRow {
    pub(crate) id: String,
    pub(crate) site: String,
    pub(crate) feed: String,
    /// Code of the method: `DICTATTACK`.
    pub(crate) method: String,
    pub(crate) submethod: String,
    pub(crate) title: String,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub(crate) priority: &'static str,
    /// 0 to 100.
    pub(crate) probability: i64,
    /// 0 to 100.
    pub(crate) risk: i64,
    /// `open` or `closed`: does the traffic go on?
    pub(crate) state: String,
    /// `new`, `acknowledged` or `resolved`: how far are people?
    pub(crate) workflow: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) assignee: Option<String>,
    pub(crate) false_positive: bool,
    /// Kept from retention.
    pub(crate) pinned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_user: Option<String>,
    pub(crate) target_count: i64,
    /// RFC 3339 in UTC, as all times.
    pub(crate) first_flow: String,
    pub(crate) detected: String,
    pub(crate) last_update: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
    pub(crate) updates: i64,
    /// Why, in one sentence with numbers.
    pub(crate) reason: String,
    pub(crate) labels: Vec<String>,
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<EventRow>,
    /// Give this as `cursor` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
    pub(crate) span: Span,
}

/// How many events, by what they are.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventFacets {
    pub(crate) total: i64,
    pub(crate) priority: Vec<Count>,
    pub(crate) method: Vec<Count>,
    /// `METHOD.Submethod`.
    pub(crate) submethod: Vec<Count>,
    pub(crate) source: Vec<Count>,
    pub(crate) state: Vec<Count>,
    pub(crate) workflow: Vec<Count>,
    pub(crate) label: Vec<Count>,
    /// ATT&CK.
    pub(crate) technique: Vec<Count>,
    pub(crate) feed: Vec<Count>,
    pub(crate) span: Span,
}

/// A value and how many have it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Count {
    pub(crate) value: String,
    pub(crate) count: i64,
}

/// Events by priority over time.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventHistogram {
    pub(crate) span: Span,
    /// Length of a step.
    pub(crate) step_s: f64,
    /// Steps with events, in order; those without are left out.
    pub(crate) steps: Vec<EventStep>,
}

/// One step of a histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EventStep {
    /// Start of the step, RFC 3339.
    pub(crate) start: String,
    pub(crate) informational: i64,
    pub(crate) low: i64,
    pub(crate) medium: i64,
    pub(crate) high: i64,
    pub(crate) critical: i64,
}

/// Everything that is kept of an event.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventDetail {
    #[serde(flatten)]
    pub(crate) row: EventRow,
    /// The event as it was raised, with its rule and frozen evidence.
    #[schema(value_type = EventDocument)]
    pub(crate) document: Box<RawValue>,
    /// Earlier states, oldest first.
    pub(crate) history: Vec<EventUpdate>,
    pub(crate) comments: Vec<Note>,
    /// Who marked it as false, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) false_positive_mark: Option<Note>,
}

/// An earlier state of an event.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventUpdate {
    pub(crate) state: String,
    pub(crate) updates: i64,
    pub(crate) at: String,
    pub(crate) risk: i64,
    pub(crate) probability: i64,
    pub(crate) target_count: i64,
    pub(crate) reason: String,
}

/// What somebody wrote.
#[derive(Serialize, ToSchema)]
pub(crate) struct Note {
    pub(crate) author: String,
    pub(crate) at: String,
    pub(crate) body: String,
}

/// The event as every output has it, one JSON object. Absent values are left out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventDocument {
    id: String,
    method: String,
    submethod: String,
    title: String,
    priority: String,
    probability: u8,
    risk: u8,
    state: String,
    site: String,
    feed: String,
    instance: String,
    source: EventPeer,
    targets: Vec<EventPeer>,
    target_count: u64,
    first_flow: String,
    detected: String,
    last_update: String,
    end: Option<String>,
    updates: u32,
    reason: String,
    /// Details by their names: numbers, texts, lists.
    #[schema(value_type = Object)]
    detail: (),
    explanation: EventExplanation,
    attack: Vec<EventTechnique>,
    /// `METHOD.Submethod` of others that saw the same.
    also: Option<Vec<String>>,
    /// `ip:...`, `mac:...`, `port:...`.
    entities: Vec<String>,
    evidence: EventEvidence,
}

/// A source or target.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventPeer {
    ip: Option<String>,
    mac: Option<String>,
    port: Option<u16>,
    hostname: Option<String>,
    user: Option<String>,
}

/// The rule that fired, with all its numbers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventExplanation {
    /// `attempts >= attempts_min and spread <= spread_max`
    rule: String,
    /// Measured values by name.
    #[schema(value_type = Object)]
    inputs: (),
    /// Limits by name, from parameters.
    #[schema(value_type = Object)]
    limits: (),
    /// Learned values by name.
    #[schema(value_type = Option<Object>)]
    baseline: (),
    /// The nearest value of each input that would not have fired.
    #[schema(value_type = Object)]
    silent_below: (),
}

/// ATT&CK.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventTechnique {
    tactic: String,
    technique: String,
}

/// What proves the event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is passed on as it was stored")]
pub(crate) struct EventEvidence {
    /// Flows that are frozen here.
    flow_count: u64,
    /// The filter that finds all of them.
    query: String,
    /// Flow records: columns by name.
    #[schema(value_type = Vec<Object>)]
    flows: (),
}

/// Something to do with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    /// Somebody has taken it on.
    Acknowledge,
    /// It is dealt with.
    Close,
    /// It is new again.
    Reopen,
    /// Adds the label `text`.
    Label,
    /// Takes the label `text` off.
    Unlabel,
    /// Writes the comment `text`.
    Comment,
    /// Gives it to the user `text`; without text to nobody.
    Assign,
    /// Marks it as a false positive; `text` says why.
    FalsePositive,
    /// Takes that mark off.
    TruePositive,
    /// Keeps it from retention.
    Pin,
    Unpin,
}

/// The same done to several events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventAction {
    /// Full ids, 1000 at most.
    pub(crate) ids: Vec<String>,
    pub(crate) verb: Verb,
    /// Label, comment, user or reason, as the verb needs it.
    pub(crate) text: Option<String>,
}

/// What became of it, in the order of the ids.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventResults {
    pub(crate) results: Vec<EventResult>,
    /// How many changed.
    pub(crate) changed: usize,
}

/// What became of one.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventResult {
    pub(crate) id: String,
    /// False: it was so already, there is no such event, or it has no room for more.
    pub(crate) changed: bool,
}

/// Events, a page at a time.
#[utoipa::path(get, path = "/events", tag = "events", params(EventParams), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventPage), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Params(params): Params<EventParams>,
) -> Result<Json<EventPage>> {
    let _ = (app, params);
    Err(Problem::unavailable("this server keeps no such records yet"))
}

/// How many events there are, by what they are.
#[utoipa::path(get, path = "/events/facets", tag = "events", params(EventParams), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventFacets), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn facets(
    State(app): State<Arc<App>>,
    Params(params): Params<EventParams>,
) -> Result<Json<EventFacets>> {
    let _ = (app, params);
    Err(Problem::unavailable("this server keeps no such records yet"))
}

/// Events by priority over time.
#[utoipa::path(get, path = "/events/histogram", tag = "events", params(EventParams), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventHistogram), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn histogram(
    State(app): State<Arc<App>>,
    Params(params): Params<EventParams>,
) -> Result<Json<EventHistogram>> {
    let _ = (app, params);
    Err(Problem::unavailable("this server keeps no such records yet"))
}

/// One event with all that proves it. The beginning of an id is enough when it is unique.
#[utoipa::path(get, path = "/events/{id}", tag = "events", params(("id" = String, Path)), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventDetail), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn one(State(app): State<Arc<App>>, Part(id): Part<String>) -> Result<Json<EventDetail>> {
    let _ = (app, id);
    Err(Problem::unavailable("this server keeps no such records yet"))
}

/// Does the same to several events; each has its own result.
#[utoipa::path(post, path = "/events/actions", tag = "events", security(("session" = ["analyst"]), ("token" = ["analyst"])), request_body = EventAction,
    responses((status = 200, body = EventResults), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    Body(body): Body<EventAction>,
) -> Result<Json<EventResults>> {
    let _ = (app, body);
    Err(Problem::unavailable("this server keeps no such records yet"))
}
