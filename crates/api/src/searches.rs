//! Searches people keep: one's own, and those others share.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use weir_store::event::SavedSearch;

use crate::App;
use crate::events::store;
use crate::guard::Who;
use crate::problem::{Body, Part, Problem, Result};
use crate::secret;
use crate::state::clock;
use crate::window::rfc3339;

/// Lists that can be searched.
const KINDS: [&str; 3] = ["flows", "events", "hosts"];

/// A search to be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSearch {
    /// `flows`, `events` or `hosts`.
    kind: String,
    name: String,
    /// What the interface needs to ask again: filter, span, columns.
    #[schema(value_type = Object)]
    query: Value,
    /// Others of the site see it, too.
    #[serde(default)]
    shared: bool,
}

/// A kept search.
#[derive(Serialize, ToSchema)]
pub(crate) struct SearchShown {
    id: String,
    kind: String,
    name: String,
    #[schema(value_type = Object)]
    query: Value,
    shared: bool,
    owner: String,
    /// One's own: it may be changed and removed.
    own: bool,
    changed: String,
}

/// A search that was kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeptSearch {
    id: String,
}

/// One's own searches and those that are shared, by name.
#[utoipa::path(get, path = "/searches", tag = "filter", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [SearchShown]), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Vec<SearchShown>>> {
    let owner = who.user();
    let found = store(&app)?.searches(&app.set.site, owner).await?.into_iter();
    let shown = found.map(|search| SearchShown {
        query: serde_json::from_str(&search.query).unwrap_or_default(),
        own: search.owner == owner,
        id: search.id,
        kind: search.kind,
        name: search.name,
        shared: search.shared,
        owner: search.owner,
        changed: rfc3339(search.changed),
    });
    Ok(Json(shown.collect()))
}

/// Keeps a search.
#[utoipa::path(post, path = "/searches", tag = "filter", request_body = NewSearch,
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 201, body = KeptSearch), (status = 400, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(new): Body<NewSearch>,
) -> Result<(StatusCode, Json<KeptSearch>)> {
    let id = secret::short_id();
    keep(&app, &who, new, id.clone()).await?;
    Ok((StatusCode::CREATED, Json(KeptSearch { id })))
}

/// Replaces a search of one's own.
#[utoipa::path(put, path = "/searches/{id}", tag = "filter", params(("id" = String, Path)), request_body = NewSearch,
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 204, description = "Replaced"), (status = 400, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(id): Part<String>,
    Body(new): Body<NewSearch>,
) -> Result<StatusCode> {
    let own = store(&app)?.searches(&app.set.site, who.user()).await?;
    if !own.iter().any(|search| search.id == id) {
        return Err(Problem::not_found(format!(
            "there is no saved search of yours {id:?}"
        )));
    }
    keep(&app, &who, new, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a search of one's own.
#[utoipa::path(delete, path = "/searches/{id}", tag = "filter", params(("id" = String, Path)),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 204, description = "Forgotten"), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn forget(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(id): Part<String>,
) -> Result<StatusCode> {
    store(&app)?.forget_search(&app.set.site, who.user(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn keep(app: &App, who: &Who, new: NewSearch, id: String) -> Result<()> {
    if !KINDS.contains(&new.kind.as_str()) {
        return Err(Problem::at("/kind", "must be flows, events or hosts"));
    }
    let name = new.name.trim().to_owned();
    if name.is_empty() {
        return Err(Problem::at("/name", "must not be empty"));
    }
    let search = SavedSearch {
        id,
        site: app.set.site.clone(),
        owner: who.user().to_owned(),
        kind: new.kind,
        name,
        query: new.query.to_string(),
        shared: new.shared,
        changed: clock(),
    };
    Ok(store(app)?.keep_search(&search).await?)
}
