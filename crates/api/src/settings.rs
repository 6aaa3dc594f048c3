//! Settings: what is in force and where it comes from, changed as a whole or not at all. The program keeps changes in a
//! file of its own over the operator's, which it never writes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::audit;
use crate::guard::Who;
use crate::problem::{Body, Params, Problem, Result};
use crate::status::Reload;

/// Bytes of a change in the audit trail.
const AUDIT_BYTES: usize = 4000;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The operator's configuration file.
    File,
    /// The file of changes made here.
    Managed,
}

/// One value that is in force.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SettingValue {
    /// `methods.dictattack.attempts_min`
    pub key: String,
    /// As JSON; null: not set, and without a default of its own.
    pub value: Value,
    pub default: Value,
    pub origin: Origin,
    /// Effect for the operator, with unit and bounds.
    pub about: String,
    /// Takes force only after a restart.
    pub needs_restart: bool,
}

/// A method with its instances.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MethodSettings {
    pub code: String,
    /// Key in the configuration: `methods.<slug>`.
    pub slug: String,
    pub title: String,
    pub family: String,
    pub what: String,
    pub submethods: Vec<SubmethodSetting>,
    /// One named "default" unless there are several.
    pub instances: Vec<InstanceSettings>,
    pub origin: Origin,
}

/// What exactly a method recognises.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SubmethodSetting {
    pub name: String,
    pub about: String,
}

/// One instance of a method.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InstanceSettings {
    pub name: String,
    pub enabled: bool,
    /// Submethods that are switched off.
    pub off: Vec<String>,
    /// Priority of its events.
    pub priority: String,
    /// The records it sees; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    pub params: Vec<ParamSetting>,
}

/// A parameter of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ParamSetting {
    pub name: String,
    /// Effect, with the unit.
    pub about: String,
    pub value: Value,
    pub default: Value,
    pub origin: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// A named list, `@name` in filters.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NamedList {
    pub name: String,
    /// The first thousand.
    pub items: Vec<String>,
    /// How many there are.
    pub total: usize,
    pub origin: Origin,
}

/// Everything that is set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Settings {
    /// Changes when a setting changes; send it as If-Match with a change.
    pub etag: String,
    /// The operator's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The file of changes made here.
    pub managed: String,
    pub values: Vec<SettingValue>,
    pub lists: Vec<NamedList>,
    /// What reading the lists of indicators came to, a line each.
    pub indicators: Vec<String>,
    /// What became of the latest change or reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload: Option<Reload>,
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// Somebody else changed something since; with the etag of now.
    Stale(String),
    /// It is no valid configuration: the place, and why.
    Invalid(String),
    /// It could not be written.
    Failed(String),
}

/// How a change is made.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangeParams {
    /// Only says what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// Everything that is set, with origins.
#[utoipa::path(get, path = "/settings", tag = "settings", security(("session" = ["editor"]), ("token" = ["editor"])),
    responses((status = 200, body = Settings)))]
pub(crate) async fn all(State(app): State<Arc<App>>) -> Result<Json<Settings>> {
    Ok(Json(off_thread(&app, |app| app.set.program.settings()).await?))
}

/// Methods with their instances and parameters.
#[utoipa::path(get, path = "/settings/methods", tag = "settings",
    security(("session" = ["viewer"]), ("token" = ["viewer"])), responses((status = 200, body = [MethodSettings])))]
pub(crate) async fn methods(State(app): State<Arc<App>>) -> Result<Json<Vec<MethodSettings>>> {
    Ok(Json(off_thread(&app, |app| app.set.program.methods()).await?))
}

/// Changes settings: a JSON merge patch (RFC 7396) over what was changed here before. null takes a change back, so that
/// the operator's file or the default holds again. The whole is checked first; nothing changes when it is not right.
///
/// `{"preset": "quiet", "inside": ["10.0.0.0/8"], "methods": {"dictattack": {"attempts_min": 30, "off": ["HTTPProtocol"]}},
/// "lists": {"servers": ["10.0.0.1"]}}`. The tables serve and detect, and names of files, are the operator's alone.
#[utoipa::path(patch, path = "/settings", tag = "settings", params(ChangeParams), request_body = Object,
    security(("session" = ["editor"]), ("token" = ["editor"])),
    responses((status = 200, body = Reload), (status = 400, body = Problem), (status = 412, body = Problem)))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Params(params): Params<ChangeParams>,
    headers: HeaderMap,
    Body(patch): Body<Value>,
) -> Result<Json<Reload>> {
    let etag = headers
        .get("if-match")
        .and_then(|etag| etag.to_str().ok())
        .map(|etag| etag.trim_matches('"').to_owned());
    let told = patch.to_string();
    let made = off_thread(&app, move |app| {
        app.set.program.change(&patch, etag.as_deref(), params.dry_run)
    })
    .await?;
    let reload = made.map_err(|error| match error {
        ChangeError::Stale(now) => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            format!("settings were changed since; their etag is {now} now"),
        ),
        ChangeError::Invalid(why) => Problem::at("/", why),
        ChangeError::Failed(why) => Problem::internal(why),
    })?;
    if !params.dry_run {
        let keys = [reload.applied.as_slice(), &reload.needs_restart]
            .concat()
            .join(", ");
        let told = &told[..told.floor_char_boundary(AUDIT_BYTES)];
        audit::note(&app, &who.name, "change settings", &keys, told).await?;
    }
    Ok(Json(reload))
}

/// Reads the operator's file again, as SIGHUP and `weir ctl reload` do.
#[utoipa::path(post, path = "/settings/reload", tag = "settings",
    security(("session" = ["admin"]), ("token" = ["admin"])), responses((status = 200, body = Reload)))]
pub(crate) async fn reload(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Reload>> {
    let reload = off_thread(&app, |app| app.set.program.reload()).await?;
    let detail = reload.rejected.clone().unwrap_or_default();
    audit::note(&app, &who.name, "reload", "configuration", &detail).await?;
    Ok(Json(reload))
}

/// The program reads and writes files for it.
pub(crate) async fn off_thread<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&App) -> T + Send + 'static,
) -> Result<T> {
    let app = app.clone();
    tokio::task::spawn_blocking(move || work(&app))
        .await
        .map_err(Problem::internal)
}
