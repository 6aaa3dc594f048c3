//! The one layer that decides: every request of the API passes here, and what is not allowed by name is denied.
//! Which role a route needs stands in its OpenAPI description and nowhere else.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::{OpenApi, PathItem};

use crate::App;
use crate::accounts::{Role, Sites};
use crate::problem::{Cause, Problem};
use crate::secret;
use crate::sites::{Nowhere, Scope};
use crate::state::clock;

/// Header of requests that change something.
pub(crate) const CSRF: &str = "x-weir-csrf";
/// The cookie over TLS; its prefix makes browsers insist on what it promises.
const COOKIE_TLS: &str = "__Host-weir";
/// The cookie on loopback without TLS.
const COOKIE_PLAIN: &str = "weir";
/// The cookie of a log-in at the identity provider.
const SIGN_IN_TLS: &str = "__Host-weir-sign-in";
const SIGN_IN_PLAIN: &str = "weir-sign-in";
/// The visitor of a demonstration.
const GUEST: &str = "guest";

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Anybody, without being known.
    Nobody,
    /// Whoever has at least this role.
    Role(Role),
}

/// What every route needs, by method and path.
#[derive(Clone, Debug)]
pub struct Needs(HashMap<(String, String), Need>);

impl Needs {
    /// Read from the descriptions. A route without a readable need is left out, which denies it.
    pub fn of(document: &OpenApi) -> Self {
        let mut needs = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(&mut item.clone()) {
                let Some(security) = &operation.security else {
                    continue;
                };
                let schemes = serde_json::to_value(security).unwrap_or_default();
                let words = schemes[0].as_object();
                let need = match words.map(|words| words.values().next()) {
                    Some(None) => Some(Need::Nobody),
                    Some(Some(roles)) => roles[0].as_str().and_then(Role::from_word).map(Need::Role),
                    None => None,
                };
                if let Some(need) = need {
                    needs.insert((method.to_owned(), path.clone()), need);
                }
            }
        }
        Self(needs)
    }

    /// What the route needs; `None`: it does not exist.
    pub fn get(&self, method: &str, path: &str) -> Option<Need> {
        self.0.get(&(method.to_owned(), path.to_owned())).copied()
    }

    /// Every route.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, Need)> {
        self.0
            .iter()
            .map(|((method, path), need)| (method.as_str(), path.as_str(), *need))
    }
}

/// The operations of a path that routes may have.
pub(crate) fn operations(
    item: &mut PathItem,
) -> impl Iterator<Item = (&'static str, &mut utoipa::openapi::path::Operation)> {
    [
        ("GET", &mut item.get),
        ("POST", &mut item.post),
        ("PUT", &mut item.put),
        ("PATCH", &mut item.patch),
        ("DELETE", &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// Name, for the audit trail.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Sites that may be seen.
    pub(crate) sites: Sites,
    /// What requests that change something must bring; `None`: known by a token, which no browser sends by itself.
    pub(crate) csrf: Option<String>,
    pub(crate) guest: bool,
}

impl Who {
    /// The user, also when a token of the user's asks.
    pub(crate) fn user(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From(pub(crate) IpAddr);

/// Lets a request through, or says why not.
pub(crate) async fn guard(
    State((app, needs)): State<(Arc<App>, Arc<Needs>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    request
        .extensions_mut()
        .insert(From(from.unwrap_or(IpAddr::from([0, 0, 0, 0]))));
    let response = match admit(&app, &needs, &request) {
        Ok(who) => {
            if let Some(who) = who {
                request.extensions_mut().insert(who);
            }
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    if let Some(Cause(cause)) = response.extensions().get::<Cause>() {
        (app.set.log)(cause);
    }
    response
}

fn admit(app: &App, needs: &Needs, request: &Request) -> Result<Option<Who>, Problem> {
    let headers = request.headers();
    check_host(app, headers)?;
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let nothing = || {
        Problem::not_found(format!(
            "there is no {} {}",
            request.method(),
            request.uri().path()
        ))
    };
    // A HEAD is answered by the handler of GET and may be asked by whoever may GET.
    let method = if request.method() == Method::HEAD {
        "GET"
    } else {
        request.method().as_str()
    };
    let need = path
        .and_then(|path| needs.get(method, path))
        .ok_or_else(nothing)?;
    let who = known(app, headers);
    if !request.method().is_safe() {
        check_origin(headers, who.as_ref())?;
    }
    match (need, &who) {
        (Need::Nobody, _) => Ok(who),
        (Need::Role(_), None) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "log in first (POST /api/v1/session), or send a token: Authorization: Bearer weir_...",
        )),
        (Need::Role(role), Some(known)) if known.role.may(role) => {
            let elsewhere = request.extensions().get::<Nowhere>().is_some();
            check_site(app, path.and_then(Scope::of), known, elsewhere)?;
            Ok(who)
        }
        (Need::Role(role), Some(known)) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!(
                "this needs the role {}; {} has {}",
                role.word(),
                known.name,
                known.role.word()
            ),
        )),
    }
}

/// Is it a matter of somebody who sees these sites only? A site that may not be seen is not told from one that is not there.
fn check_site(app: &App, scope: Option<Scope>, who: &Who, elsewhere: bool) -> Result<(), Problem> {
    match scope {
        Some(Scope::Own) => Ok(()),
        Some(Scope::Server | Scope::Shared) if !who.sites.is_all() => Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!("this belongs to all sites; {} is limited to some", who.name),
        )),
        Some(Scope::Site | Scope::Shared) if elsewhere || !who.sites.has(&app.set.site) => {
            let known = shown_sites(app, &who.sites).join(", ");
            let detail = format!("there is no such site; {} sees: {known}", who.name);
            Err(Problem::not_found(detail))
        }
        Some(_) => Ok(()),
        None => Err(Problem::not_found("this belongs to nobody")),
    }
}

/// Names of the sites that there are and that may be seen.
pub(crate) fn shown_sites(app: &App, sites: &Sites) -> Vec<String> {
    app.set
        .sites
        .iter()
        .filter(|site| sites.has(site))
        .cloned()
        .collect()
}

/// The site of a request that names none: the server's own, or the first that the asker may see.
pub(crate) fn usual_site(first: &App, headers: &HeaderMap) -> String {
    let own = &first.set.site;
    let seen = known(first, headers).filter(|who| !who.sites.has(own));
    let other = seen.and_then(|who| shown_sites(first, &who.sites).into_iter().next());
    other.unwrap_or_else(|| own.clone())
}

/// A page of another name that resolves to this server must not be able to use it.
fn check_host(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let hosts = &app.set.hosts;
    if hosts.is_empty() || hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        format!("this server is called {}", hosts.join(" or ")),
    ))
}

/// A change must come from our own page or from a program, never from a page elsewhere.
fn check_origin(headers: &HeaderMap, who: Option<&Who>) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let refused = |why: &str| Err(Problem::new(StatusCode::FORBIDDEN, why.to_owned()));
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return refused("changes are not taken from other sites");
    }
    if let Some(origin) = text(ORIGIN.as_str()) {
        let host = origin.split_once("://").map(|(_, host)| host);
        if host.is_none() || host != text(HOST.as_str()) {
            return refused("changes are not taken from other sites");
        }
    }
    let given = text(CSRF);
    let right = match who {
        None => given.is_some_and(|given| !given.is_empty()),
        Some(Who { csrf: None, .. }) => true,
        Some(Who { csrf: Some(csrf), .. }) => given.is_some_and(|given| secret::same(given, csrf)),
    };
    if right {
        return Ok(());
    }
    refused("changes need the header X-Weir-CSRF with the value of GET /api/v1/session")
}

fn known(app: &App, headers: &HeaderMap) -> Option<Who> {
    let now = clock();
    let accounts = app.accounts();
    if let Some(given) = headers.get(AUTHORIZATION) {
        // Whoever sends a token means it: a wrong one is not made good by a cookie.
        let secret = given.to_str().ok()?.strip_prefix("Bearer ")?;
        let (name, role, sites) = accounts.token(secret.trim(), now)?;
        return Some(Who {
            name,
            role,
            sites,
            csrf: None,
            guest: false,
        });
    }
    let session = cookie(headers, app.set.secure).and_then(|secret| accounts.session(secret, now));
    if let Some(session) = session {
        return Some(Who {
            name: session.name,
            role: session.role,
            sites: session.sites,
            csrf: Some(session.csrf),
            guest: false,
        });
    }
    app.set.demo.then(|| Who {
        name: GUEST.to_owned(),
        role: Role::Analyst,
        sites: Sites::all(),
        csrf: Some(app.guest_csrf.clone()),
        guest: true,
    })
}

/// The secret in the session cookie.
pub(crate) fn cookie(headers: &HeaderMap, secure: bool) -> Option<&str> {
    cookie_named(headers, if secure { COOKIE_TLS } else { COOKIE_PLAIN })
}

/// The secret of the browser that began a log-in at the identity provider.
pub(crate) fn sign_in_cookie(headers: &HeaderMap, secure: bool) -> Option<&str> {
    cookie_named(headers, if secure { SIGN_IN_TLS } else { SIGN_IN_PLAIN })
}

fn cookie_named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(known, secret)| (known == name).then_some(secret))
}

/// The `Set-Cookie` that opens a session, or with an empty secret ends it.
pub(crate) fn set_cookie(secret: &str, secure: bool) -> String {
    set_cookie_named(if secure { COOKIE_TLS } else { COOKIE_PLAIN }, secret, secure)
}

/// The `Set-Cookie` that ties a log-in at the identity provider to this browser, or with an empty secret ends it.
pub(crate) fn set_sign_in_cookie(secret: &str, secure: bool) -> String {
    set_cookie_named(if secure { SIGN_IN_TLS } else { SIGN_IN_PLAIN }, secret, secure)
}

fn set_cookie_named(name: &str, secret: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    let age = if secret.is_empty() { "; Max-Age=0" } else { "" };
    format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict{secure}{age}")
}
