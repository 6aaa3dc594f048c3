//! The HTTP interface: one file per resource, one layer that decides who may use it, one document that describes it, and
//! the web interface as files. It reads stores and snapshots; it never reaches into the pipeline.

pub mod accounts;
mod audit;
mod events;
pub mod exporters;
mod exports;
mod false_positives;
mod filter;
mod flows;
pub mod guard;
mod headers;
mod health;
mod hosts;
pub mod indicators;
mod inventory;
pub mod jobs;
mod methods;
pub mod oidc;
mod openapi;
mod overview;
pub mod patterns;
mod peers;
mod performance;
mod perspectives;
mod problem;
mod profiles;
mod search;
mod searches;
mod second_factor;
mod secret;
mod servers;
mod session;
pub mod settings;
mod shared;
mod sign_in;
pub mod sites;
pub mod start;
mod state;
pub mod status;
mod stream;
mod threat;
mod ui;
mod users;
mod window;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::IntoResponse;
use axum::{Router, routing};

use sites::Roof;

pub use openapi::document;
pub use state::{App, Csv, Flows, MethodPage, Program, Setting};
pub use stream::Stream;
pub use ui::is_built;

/// Bytes of a request's body at most: a thousand ids and a comment.
const BODY_BYTES_MAX: usize = 128 << 10;

/// Everything that is served, of these sites. The first is the server's own; without any there is nothing.
pub fn router(apps: &[Arc<App>]) -> Router {
    let Some(roof) = Roof::new(apps, routes) else {
        return Router::new();
    };
    let text: Arc<str> = openapi::document().into();
    let secure = apps.iter().any(|app| app.set.secure);
    let described = routing::get(move || async move {
        ([(CONTENT_TYPE, "application/json")], text.to_string()).into_response()
    });
    Router::new()
        .route("/api/v1/openapi.json", described)
        .fallback(sites::send)
        .with_state(Arc::new(roof))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(move |request, next| {
            headers::add(secure, request, next)
        }))
}

/// The interface of one site.
fn routes(app: &Arc<App>) -> Router {
    let (api, document) = openapi::parts();
    let needs = Arc::new(guard::Needs::of(&document));
    api.layer(middleware::from_fn_with_state(app.clone(), shared::share))
        .layer(middleware::from_fn_with_state((app.clone(), needs), guard::guard))
        .fallback(ui::serve)
        .with_state(app.clone())
}
