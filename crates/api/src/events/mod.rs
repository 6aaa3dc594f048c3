//! Events: lists, counts, one event with all that proves it, and what people do with them.

mod asked;
mod shown;
mod work;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::IntoParams;
use weir_model::{NANOS_PER_S, Time};
use weir_store::event::{EventStore, Facet, Filter, Note as NoteRow, Sort, StoreError};

use crate::App;
use crate::perspectives;
use crate::problem::{Params, Part, Problem, Result};
use crate::window::rfc3339;

pub(crate) use asked::{Asked, EventParams, within};
pub(crate) use shown::{
    Count, EventCategory, EventDetail, EventDocument, EventFacets, EventHistogram, EventPage, EventRow,
    EventStep, EventUpdate, Note,
};
#[doc(hidden)]
pub(crate) use work::{__path_act, act};

/// Rows of a list, values of a facet when nothing is asked; and what may be asked for.
const LIST: u32 = 100;
const FACET: u32 = 50;
const LIMIT_MAX: u32 = 1000;

/// Events, a page at a time.
#[utoipa::path(get, path = "/events", tag = "events", params(EventParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventPage), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Params(params): Params<EventParams>,
) -> Result<Json<EventPage>> {
    let asked = Asked::read(&app, &params).await?;
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
    let Asked { filter, window } = Asked::read(&app, &params).await?;
    let limit = limit(params.limit, FACET)?;
    let store = store(&app)?;
    let by = async |facet| counts(store, &filter, facet, limit).await;
    Ok(Json(EventFacets {
        total: store.count(&filter).await?,
        priority: by(Facet::Priority).await?,
        method: by(Facet::Method).await?,
        submethod: by(Facet::Submethod).await?,
        source: by(Facet::Source).await?,
        target: by(Facet::Target).await?,
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
    let Asked { filter, window } = Asked::read(&app, &params).await?;
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

/// From where an event is looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeenFrom {
    /// Name of a perspective: the priority is what it gives, or `hidden`.
    perspective: Option<String>,
}

/// One event with all that proves it. The beginning of an id is enough when it is unique.
#[utoipa::path(get, path = "/events/{id}", tag = "events", params(("id" = String, Path), SeenFrom),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = EventDetail), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Part(id): Part<String>,
    Params(from): Params<SeenFrom>,
) -> Result<Json<EventDetail>> {
    let store = store(&app)?;
    let mut detail = store.get(&store.find(&id).await?).await?;
    if let Some(lens) = perspectives::lens(&app, from.perspective.as_deref()).await? {
        // Whoever has the link sees the event also where lists do not show it; its own priority stands in the document.
        detail.row.priority = store.seen(&detail.row.id, &lens).await?.word();
    }
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
    let categories = detail.categories.into_iter().map(|one| EventCategory {
        category: one.category,
        state: one.state,
        author: one.author,
        at: one.at,
    });
    Ok(Json(EventDetail {
        row: EventRow::from(detail.row),
        document: RawValue::from_string(detail.document).map_err(Problem::internal)?,
        history: history.collect(),
        comments: detail.comments.into_iter().map(note).collect(),
        categories: categories.collect(),
        false_positive_mark: detail.false_positive_mark.map(note),
    }))
}

/// The event database, when there is one.
pub(crate) fn store(app: &App) -> Result<&EventStore> {
    let none = || Problem::unavailable("this server keeps no events");
    app.set.events.as_ref().ok_or_else(none)
}

/// A limit that may be asked for.
pub(crate) fn limit(asked: Option<u32>, default: u32) -> Result<u32> {
    match asked.unwrap_or(default) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::at("limit", format!("must be 1 to {LIMIT_MAX}"))),
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Unknown(_) | StoreError::NoSuch { .. } => Self::not_found(text),
            StoreError::Full { .. } => Self::new(StatusCode::CONFLICT, text),
            StoreError::Ambiguous(_) => Self::new(StatusCode::CONFLICT, text),
            StoreError::Changed { .. } => Self::new(StatusCode::PRECONDITION_FAILED, text),
            StoreError::Cursor(_) => Self::at("cursor", text),
            StoreError::TooLong { .. } => Self::at("/text", text),
            _ => Self::internal(text),
        }
    }
}
