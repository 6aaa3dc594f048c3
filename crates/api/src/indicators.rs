//! Lists of indicators: how old each is, what it holds, what went wrong, and fetching one now.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::audit;
use crate::guard::Who;
use crate::jobs::{Begun, Job, JobKind, Task};
use crate::problem::{Part, Problem, Result};
use crate::settings::off_thread;

/// A list of indicators.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IndicatorList {
    pub name: String,
    /// It is fetched from a server; otherwise it is read from a file when the configuration is.
    pub fetched: bool,
    /// Server and path; nothing that may be a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indicators: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// When the server last answered as it should. RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<String>,
    /// When its content changed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    /// When it is fetched again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Failures since it was confirmed.
    pub failures: u32,
    /// What went wrong last; the copy before is still in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What reading it came to, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// All lists of indicators.
#[utoipa::path(get, path = "/indicators", tag = "indicators",
    security(("session" = ["viewer"]), ("token" = ["viewer"])), responses((status = 200, body = [IndicatorList])))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<IndicatorList>>> {
    Ok(Json(off_thread(&app, |app| app.set.program.indicators()).await?))
}

/// Fetches a list now, whatever its time. 202: ask the job what came of it.
#[utoipa::path(post, path = "/indicators/{name}/refresh", tag = "indicators", params(("name" = String, Path)),
    security(("session" = ["editor"]), ("token" = ["editor"])),
    responses((status = 202, body = Job), (status = 404, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn refresh(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(name): Part<String>,
) -> Result<Begun> {
    let all = off_thread(&app, |app| app.set.program.indicators()).await?;
    if !all.iter().any(|list| list.fetched && list.name == name) {
        return Err(Problem::not_found(format!("no list {name:?} is fetched")));
    }
    audit::note(&app, &who.name, "refresh indicators", &name, "").await?;
    crate::jobs::run(
        &app,
        &who,
        JobKind::ListRefresh,
        name.clone(),
        Task::RefreshList(name),
    )
}
