//! Several sites under one roof (ADR 16): each has stores, streams and jobs of its own, and so an [`App`] of its own. A request
//! names its site in the parameter `site`; here it is taken out and the request goes to that site's routes, where the guard
//! decides. What belongs to the server as a whole (accounts, settings) is with the first.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::Response;
use tower::ServiceExt as _;

use crate::App;
use crate::guard;
use crate::openapi::ROOT;
use crate::ui;

/// Parameter of a request that names its site.
pub(crate) const SITE: &str = "site";

/// To whom a route belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// To whoever asks: sessions, tokens of one's own.
    Own,
    /// To the server: accounts, settings. Not for those who are limited to sites.
    Server,
    /// To all sites together, but looked at from one: lists and patterns. Not for those who are limited to sites.
    Shared,
    /// To a site. For those who may see it.
    Site,
}

/// Whom the routes below a word belong to. A word that does not stand here denies its routes.
const SCOPES: &[(&str, Scope)] = &[
    ("session", Scope::Own),
    ("setup", Scope::Own),
    ("tokens", Scope::Own),
    ("users", Scope::Server),
    ("settings", Scope::Server),
    ("indicators", Scope::Shared),
    ("patterns", Scope::Shared),
    ("audit", Scope::Shared),
    ("events", Scope::Site),
    ("exporters", Scope::Site),
    ("false-positives", Scope::Site),
    ("filter", Scope::Site),
    ("flows", Scope::Site),
    ("health", Scope::Site),
    ("hosts", Scope::Site),
    ("jobs", Scope::Site),
    ("methods", Scope::Site),
    ("overview", Scope::Site),
    ("perspectives", Scope::Site),
    ("profiles", Scope::Site),
    ("searches", Scope::Site),
    ("sources", Scope::Site),
    ("start", Scope::Site),
    ("stream", Scope::Site),
];

impl Scope {
    /// Whom a path of the interface belongs to.
    pub fn of(path: &str) -> Option<Self> {
        let word = path.strip_prefix(ROOT)?.split('/').nth(1)?;
        SCOPES
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, scope)| *scope)
    }

    /// Is it the same whatever the site?
    pub const fn is_of_first(self) -> bool {
        matches!(self, Self::Own | Self::Server)
    }
}

/// A request for a site that is not there. The guard says so, to whoever may know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nowhere;

/// Sites and their routes.
pub(crate) struct Roof {
    first: Arc<App>,
    routers: BTreeMap<String, Router>,
}

impl Roof {
    /// `routes` makes those of one site. The first site is the server's own.
    pub(crate) fn new(apps: &[Arc<App>], routes: impl Fn(&Arc<App>) -> Router) -> Option<Self> {
        let routers = apps.iter().map(|app| (app.set.site.clone(), routes(app)));
        Some(Self {
            first: apps.first()?.clone(),
            routers: routers.collect(),
        })
    }
}

/// Sends a request to the routes of its site; what is no request of the interface gets a file.
pub(crate) async fn send(State(roof): State<Arc<Roof>>, mut request: Request) -> Response {
    if !request.uri().path().starts_with(ROOT) {
        return ui::serve(request).await;
    }
    let named = take_site(&mut request);
    let of_first = Scope::of(request.uri().path()).is_none_or(Scope::is_of_first);
    let first = &roof.first.set.site;
    let site = match named {
        _ if of_first => first.clone(),
        Some(named) => named,
        None => guard::usual_site(&roof.first, request.headers()),
    };
    let router = roof.routers.get(&site).or_else(|| {
        request.extensions_mut().insert(Nowhere);
        roof.routers.get(first)
    });
    let Some(router) = router else {
        return Response::default();
    };
    router
        .clone()
        .oneshot(request)
        .await
        .unwrap_or_else(|never: Infallible| match never {})
}

/// Takes the site out of the address, so that nobody behind needs to know the parameter.
fn take_site(request: &mut Request) -> Option<String> {
    let query = request.uri().query()?;
    let mut named = None;
    let rest: Vec<&str> = query
        .split('&')
        .filter(|pair| match pair.split_once('=') {
            Some((SITE, value)) => {
                named = Some(value.to_owned());
                false
            }
            _ => true,
        })
        .collect();
    named.as_ref()?;
    let address = format!("{}?{}", request.uri().path(), rest.join("&"));
    let address = address.trim_end_matches('?').parse::<PathAndQuery>().ok()?;
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(address);
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    named
}
