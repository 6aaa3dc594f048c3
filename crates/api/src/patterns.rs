//! Patterns of behaviour: those of the program and people's own, whether one can be read, and what it would have said.
//! People's own are kept by `PATCH /settings` (`patterns`), beside those of the operator's file.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::guard::Who;
use crate::jobs::{Begun, Job, JobKind, Task};
use crate::problem::{Body, Problem, Result};
use crate::settings::{Origin, off_thread};
use crate::window::Window;

/// A pattern as people write it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPattern {
    /// Letters, digits and `_`; events of it are `BPATTERNS.USER_<name>`.
    pub name: String,
    /// For people, in a line.
    pub title: String,
    /// `[from flows|transactions] where FILTER [having CONDITIONS] [per KEYS] [within TIME]`
    pub pattern: String,
    /// Why it is there and what else looks the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What an event says, with names of what was counted in braces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// `TA0011/T1071.004`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attack: Option<Vec<String>>,
    /// Who is to blame: `initiator` or `responder`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A pattern there is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PatternShown {
    /// Submethod of BPATTERNS.
    pub name: String,
    pub title: String,
    /// The pattern in its own words, normalised.
    pub pattern: String,
    /// `flows` or `transactions`
    pub records: String,
    pub about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    pub enabled: bool,
    /// `default`: it comes with the program.
    pub origin: Origin,
    /// As it was written, for those made here: to be changed and sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<NewPattern>,
}

/// Whether a pattern can be read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PatternChecked {
    pub valid: bool,
    /// The pattern in its own words, normalised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    /// What is wrong, with a mark under the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A pattern on trial.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatternTrial {
    pattern: NewPattern,
    /// Records that began at or after: RFC 3339, `now-7d`. A day before `until` when absent.
    since: Option<String>,
    until: Option<String>,
}

/// What a pattern would have said of stored records.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct PatternVerdict {
    /// Flow records and transactions that were looked at.
    pub records: u64,
    /// Those that passed its filter.
    pub matching: u64,
    pub events: u64,
    /// Events an hour of traffic.
    pub events_per_hour: f64,
    /// Hours with matching records.
    pub hours: Vec<HourShown>,
    /// Sources by events, most first.
    pub sources: Vec<SourceShown>,
    /// Sources that are not shown.
    pub other_sources: u64,
    /// The first events, by the event contract.
    #[schema(value_type = Vec<Object>)]
    pub samples: Vec<serde_json::Value>,
}

/// An hour of a trial.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HourShown {
    /// RFC 3339; its begin.
    pub hour: String,
    pub records: u64,
    pub events: u64,
}

/// A source of a trial.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SourceShown {
    pub source: String,
    pub events: u64,
}

/// All patterns: people's own first.
#[utoipa::path(get, path = "/patterns", tag = "patterns", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [PatternShown])))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<PatternShown>>> {
    Ok(Json(off_thread(&app, |app| app.set.program.patterns()).await?))
}

/// Can it be read, and what does it say? Nothing is kept.
#[utoipa::path(post, path = "/patterns/check", tag = "patterns", request_body = NewPattern,
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = PatternChecked), (status = 400, body = Problem)))]
pub(crate) async fn check(
    State(app): State<Arc<App>>,
    Body(pattern): Body<NewPattern>,
) -> Result<Json<PatternChecked>> {
    let read = off_thread(&app, move |app| app.set.program.check_pattern(&pattern)).await?;
    Ok(Json(PatternChecked {
        valid: read.is_ok(),
        canonical: read.as_ref().ok().cloned(),
        error: read.err(),
    }))
}

/// Passes stored records through a pattern; the job's result is a `PatternVerdict`.
#[utoipa::path(post, path = "/patterns/test", tag = "patterns", request_body = PatternTrial,
    security(("session" = ["hunter"]), ("token" = ["hunter"])),
    responses((status = 202, body = Job), (status = 400, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(asked): Body<PatternTrial>,
) -> Result<Begun> {
    let window = Window::read(asked.since.as_deref(), asked.until.as_deref(), app.now())?;
    let pattern = asked.pattern.clone();
    let read = off_thread(&app, move |app| app.set.program.check_pattern(&pattern)).await?;
    let about = read.map_err(|why| Problem::at("/pattern", why))?;
    let task = Task::TestPattern {
        pattern: asked.pattern,
        since: window.since,
        until: window.until,
    };
    crate::jobs::run(&app, &who, JobKind::PatternTest, about, task)
}
