//! Events: lists, counts, one event with all that proves it, and what people do with them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use weir_model::{NANOS_PER_S, Priority, Time};
use weir_store::event::{
    Action, EventStore, Facet, Filter, Note as NoteRow, Row, Sort, SourceFilter, StoreError, Workflow,
};

use crate::App;
use crate::guard::Who;
use crate::problem::{Body, Params, Part, Problem, Result};
use crate::state::clock;
use crate::window::{Span, Window, rfc3339};

/// Rows of a list, values of a facet when nothing is asked; and what may be asked for.
const LIST: u32 = 100;
const FACET: u32 = 50;
const LIMIT_MAX: u32 = 1000;
/// Events that one action may be done to.
const IDS_MAX: usize = 1000;
/// The one site there is.
pub(crate) const SITE: &str = "default";

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
#[utoipa::path(get, path = "/events", tag = "events", params(EventParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventPage), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Params(params): Params<EventParams>,
) -> Result<Json<EventPage>> {
    let asked = Asked::read(&app, &params)?;
    let sort = match params.sort.as_deref() {
        None | Some("detected") => Sort::Detected,
        Some("oldest") => Sort::Oldest,
        Some("updated") => Sort::Updated,
        Some("risk") => Sort::Risk,
        Some(_) => return Err(Problem::at("sort", "must be detected, oldest, updated or risk")),
    };
    let limit = limit(params.limit, LIST)?;
    let page = store(&app)?
        .list(&asked.filter, sort, limit, params.cursor.as_deref())
        .await?;
    Ok(Json(EventPage {
        events: page.rows.into_iter().map(EventRow::from).collect(),
        next_cursor: page.next,
        span: asked.window.span(),
    }))
}

/// How many events there are, by what they are.
#[utoipa::path(get, path = "/events/facets", tag = "events", params(EventParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventFacets), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn facets(
    State(app): State<Arc<App>>,
    Params(params): Params<EventParams>,
) -> Result<Json<EventFacets>> {
    let Asked { filter, window } = Asked::read(&app, &params)?;
    let limit = limit(params.limit, FACET)?;
    let store = store(&app)?;
    let by = async |facet| counts(store, &filter, facet, limit).await;
    Ok(Json(EventFacets {
        total: store.count(&filter).await?,
        priority: by(Facet::Priority).await?,
        method: by(Facet::Method).await?,
        submethod: by(Facet::Submethod).await?,
        source: by(Facet::Source).await?,
        state: by(Facet::State).await?,
        workflow: by(Facet::Workflow).await?,
        label: by(Facet::Label).await?,
        technique: by(Facet::Technique).await?,
        feed: by(Facet::Feed).await?,
        span: window.span(),
    }))
}

/// Counts by a column, most first.
pub(crate) async fn counts(
    store: &EventStore,
    filter: &Filter,
    facet: Facet,
    limit: u32,
) -> Result<Vec<Count>> {
    let found = store.facet(filter, facet, limit).await?;
    Ok(found
        .into_iter()
        .map(|(value, count)| Count { value, count })
        .collect())
}

/// Events by priority over time.
#[utoipa::path(get, path = "/events/histogram", tag = "events", params(EventParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventHistogram), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn histogram(
    State(app): State<Arc<App>>,
    Params(params): Params<EventParams>,
) -> Result<Json<EventHistogram>> {
    let Asked { filter, window } = Asked::read(&app, &params)?;
    let (step_ns, found) = store(&app)?
        .histogram(&filter, window.step_ns(params.step))
        .await?;
    let mut steps: Vec<EventStep> = Vec::new();
    for one in found {
        let start = rfc3339(Time(one.start_ns));
        if steps.last().is_none_or(|step| step.start != start) {
            steps.push(EventStep {
                start,
                ..EventStep::default()
            });
        }
        let Some(step) = steps.last_mut() else { continue };
        match one.priority {
            "critical" => step.critical = one.events,
            "high" => step.high = one.events,
            "medium" => step.medium = one.events,
            "low" => step.low = one.events,
            _ => step.informational = one.events,
        }
    }
    Ok(Json(EventHistogram {
        span: window.span(),
        step_s: step_ns as f64 / NANOS_PER_S as f64,
        steps,
    }))
}

/// One event with all that proves it. The beginning of an id is enough when it is unique.
#[utoipa::path(get, path = "/events/{id}", tag = "events", params(("id" = String, Path)),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventDetail), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn one(State(app): State<Arc<App>>, Part(id): Part<String>) -> Result<Json<EventDetail>> {
    let store = store(&app)?;
    let detail = store.get(&store.find(&id).await?).await?;
    let note = |note: NoteRow| Note {
        author: note.author,
        at: note.at,
        body: note.body,
    };
    let history = detail.history.into_iter().map(|update| EventUpdate {
        state: update.state,
        updates: update.updates,
        at: update.at,
        risk: update.risk,
        probability: update.probability,
        target_count: update.target_count,
        reason: update.reason,
    });
    Ok(Json(EventDetail {
        row: EventRow::from(detail.row),
        document: RawValue::from_string(detail.document).map_err(Problem::internal)?,
        history: history.collect(),
        comments: detail.comments.into_iter().map(note).collect(),
        false_positive_mark: detail.false_positive_mark.map(note),
    }))
}

/// Does the same to several events; each has its own result.
#[utoipa::path(post, path = "/events/actions", tag = "events", request_body = EventAction,
    security(("session" = ["analyst"]), ("token" = ["analyst"])),
    responses((status = 200, body = EventResults), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(asked): Body<EventAction>,
) -> Result<Json<EventResults>> {
    if asked.ids.is_empty() || asked.ids.len() > IDS_MAX {
        return Err(Problem::at("/ids", format!("give 1 to {IDS_MAX} ids")));
    }
    let action = action(asked.verb, asked.text)?;
    let changed = store(&app)?.act(&asked.ids, &action, &who.name, clock()).await?;
    let results = asked.ids.into_iter().zip(changed);
    let results: Vec<EventResult> = results.map(|(id, changed)| EventResult { id, changed }).collect();
    Ok(Json(EventResults {
        changed: results.iter().filter(|result| result.changed).count(),
        results,
    }))
}

fn action(verb: Verb, text: Option<String>) -> Result<Action> {
    let text = text
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    let needs = text
        .clone()
        .ok_or_else(|| Problem::at("/text", "this verb needs a text"));
    Ok(match verb {
        Verb::Acknowledge => Action::Work(Workflow::Acknowledged),
        Verb::Close => Action::Work(Workflow::Resolved),
        Verb::Reopen => Action::Work(Workflow::New),
        Verb::Label => Action::Label(needs?),
        Verb::Unlabel => Action::Unlabel(needs?),
        Verb::Comment => Action::Comment(needs?),
        Verb::Assign => Action::Assign(text),
        Verb::FalsePositive => Action::FalsePositive(text.unwrap_or_default()),
        Verb::TruePositive => Action::TruePositive,
        Verb::Pin => Action::Pin(true),
        Verb::Unpin => Action::Pin(false),
    })
}

/// The event database, when there is one.
pub(crate) fn store(app: &App) -> Result<&EventStore> {
    let none = || Problem::unavailable("this server keeps no events");
    app.set.events.as_ref().ok_or_else(none)
}

/// A question, understood.
struct Asked {
    filter: Filter,
    window: Window,
}

impl Asked {
    fn read(app: &App, params: &EventParams) -> Result<Self> {
        let window = Window::read(params.since.as_deref(), params.until.as_deref(), app.now())?;
        let words = |list: &Option<String>| -> Vec<String> {
            let words = list.as_deref().unwrap_or_default().split(',');
            words
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let range = |place: &str, text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => SourceFilter::parse(text)
                .map(Some)
                .ok_or_else(|| Problem::at(place, "must be an address or a prefix such as 10.0.0.0/8")),
        };
        let known = |place: &str, options: &str| Problem::at(place, format!("must be of {options}"));
        let priorities = words(&params.priority)
            .iter()
            .map(|word| Priority::from_word(word))
            .collect();
        let priorities: Option<Vec<Priority>> = priorities;
        let workflow = words(&params.workflow);
        let workflow = workflow
            .iter()
            .map(|word| Workflow::ALL.into_iter().find(|one| one.word() == word));
        let workflow: Option<Vec<Workflow>> = workflow.collect();
        let open = match params.state.as_deref() {
            None | Some("") => None,
            Some("open") => Some(true),
            Some("closed") => Some(false),
            Some(_) => return Err(known("state", "open, closed")),
        };
        let filter = Filter {
            methods: words(&params.method),
            submethods: words(&params.submethod),
            feeds: words(&params.feed),
            labels: words(&params.label),
            priorities: priorities
                .ok_or_else(|| known("priority", "informational, low, medium, high, critical"))?,
            workflow: workflow.ok_or_else(|| known("workflow", "new, acknowledged, resolved"))?,
            source: range("source", &params.source)?,
            target: range("target", &params.target)?,
            open,
            false_positive: params.false_positive,
            technique: params.technique.clone().filter(|text| !text.is_empty()),
            assignee: params.assignee.clone().filter(|text| !text.is_empty()),
            text: params.text.clone().filter(|text| !text.is_empty()),
            ..within(window)
        };
        Ok(Self { filter, window })
    }
}

/// Events of a span.
pub(crate) fn within(window: Window) -> Filter {
    Filter {
        since_ns: Some(window.since.0),
        until_ns: Some(window.until.0),
        sites: vec![SITE.to_owned()],
        ..Filter::default()
    }
}

/// A limit that may be asked for.
pub(crate) fn limit(asked: Option<u32>, default: u32) -> Result<u32> {
    match asked.unwrap_or(default) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::at("limit", format!("must be 1 to {LIMIT_MAX}"))),
    }
}

impl From<Row> for EventRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            site: row.site,
            feed: row.feed,
            method: row.method,
            submethod: row.submethod,
            title: row.title,
            priority: row.priority,
            probability: row.probability,
            risk: row.risk,
            state: row.state,
            workflow: row.workflow,
            assignee: row.assignee,
            false_positive: row.false_positive,
            pinned: row.pinned,
            source_ip: row.source_ip,
            source_mac: row.source_mac,
            source_name: row.source_name,
            source_user: row.source_user,
            target_count: row.target_count,
            first_flow: row.first_flow,
            detected: row.detected,
            last_update: row.last_update,
            ended: row.ended,
            updates: row.updates,
            reason: row.reason,
            labels: row.labels,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Unknown(_) => Self::not_found(text),
            StoreError::Ambiguous(_) => Self::new(StatusCode::CONFLICT, text),
            StoreError::Cursor(_) => Self::at("cursor", text),
            StoreError::TooLong { .. } => Self::at("/text", text),
            _ => Self::internal(text),
        }
    }
}
