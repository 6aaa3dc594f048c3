//! Logging in and out, who one is, and the first start.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::accounts::{AccountError, Accounts, Opened, Role};
use crate::audit;
use crate::guard::{From, Who, cookie, set_cookie, shown_sites};
use crate::problem::{Body, Problem, Result};
use crate::state::clock;
use crate::window::rfc3339;

/// Who is asking, and what the interface has to know before anything else.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// Absent: nobody is logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<SessionUser>,
    /// The first administrator is still missing: see POST /setup.
    needs_setup: bool,
    /// What people call the identity provider that they may log in through: see POST /session/provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    /// A demonstration: a store that is deleted at the end, no log-in.
    demo: bool,
    /// Sites that the user may see. Requests name one in the parameter `site`; without it the first is meant.
    sites: Vec<String>,
    /// Version of the server.
    version: &'static str,
    /// What relative times count from, RFC 3339: the clock, or in a demonstration the end of its data.
    now: String,
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionUser {
    name: String,
    role: Role,
    /// Sees every site, also those that come later: what belongs to the server as a whole is for these only.
    all_sites: bool,
    /// A code is asked for at log-in.
    second_factor: bool,
    /// Logged in through the identity provider: password and second factor are kept there.
    provided: bool,
    /// A visitor of a demonstration, who did not log in.
    guest: bool,
    /// Send this as the header X-Weir-CSRF with everything that is not a GET. Absent for API tokens, which need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf: Option<String>,
}

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    name: String,
    password: String,
    /// For accounts with a second factor: the code of the authenticator, or a recovery code.
    code: Option<String>,
}

/// The first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUp {
    /// As printed when the server started.
    token: String,
    name: String,
    /// 12 letters at least.
    password: String,
}

/// Who am I?
#[utoipa::path(get, path = "/session", tag = "session", security(()),
    responses((status = 200, body = Session)))]
pub(crate) async fn who(State(app): State<Arc<App>>, who: Option<Extension<Who>>) -> Json<Session> {
    let sites = who.as_ref().map(|Extension(who)| shown_sites(&app, &who.sites));
    let user = who.map(|Extension(who)| SessionUser {
        provided: app.accounts().is_provided(who.user()),
        second_factor: app.accounts().has_second(who.user()),
        name: who.name,
        role: who.role,
        all_sites: who.sites.is_all(),
        guest: who.guest,
        csrf: who.csrf,
    });
    Json(session(&app, user, sites.unwrap_or_default()))
}

/// Logs in with name and password; answers with a cookie.
///
/// Needs the header X-Weir-CSRF with any value. After five wrong tries the next one has to wait, longer each time.
#[utoipa::path(post, path = "/session", tag = "session", security(()), request_body = LogIn,
    responses((status = 200, body = Session), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(From(from)): Extension<From>,
    headers: HeaderMap,
    Body(given): Body<LogIn>,
) -> Result<Response> {
    let old = cookie(&headers, app.set.secure).map(str::to_owned);
    let name = given.name.clone();
    let opened = with_passwords(&app, move |accounts| {
        let opened = accounts.log_in(
            &given.name,
            &given.password,
            given.code.as_deref(),
            &from.to_string(),
            clock(),
        )?;
        if let Some(old) = old {
            accounts.log_out(&old);
        }
        Ok(opened)
    })
    .await;
    let detail = format!("from {from}");
    match opened {
        Ok(opened) => {
            audit::note(&app, &name, "log in", &name, &detail).await?;
            Ok(opened_response(&app, opened))
        }
        Err(problem) => {
            audit::note(&app, "nobody", "log in refused", audit::name_of(&name), &detail).await?;
            Err(problem)
        }
    }
}

/// Logs out.
#[utoipa::path(delete, path = "/session", tag = "session", security(("session" = ["viewer"])),
    responses((status = 204, description = "The session has ended")))]
pub(crate) async fn log_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if let Some(secret) = cookie(&headers, app.set.secure) {
        app.accounts().log_out(secret);
    }
    (
        StatusCode::NO_CONTENT,
        [(SET_COOKIE, set_cookie("", app.set.secure))],
    )
        .into_response()
}

/// Makes the first administrator and logs in.
///
/// Works once, with the token that `weir serve` prints when it starts without users; the token is valid for an hour.
/// Needs the header X-Weir-CSRF with any value.
#[utoipa::path(post, path = "/setup", tag = "session", security(()), request_body = SetUp,
    responses((status = 200, body = Session), (status = 403, body = Problem)))]
pub(crate) async fn set_up(
    State(app): State<Arc<App>>,
    Extension(From(from)): Extension<From>,
    Body(given): Body<SetUp>,
) -> Result<Response> {
    let name = given.name.clone();
    let opened = with_passwords(&app, move |accounts| {
        accounts.set_up(&given.token, &given.name, &given.password, clock())?;
        accounts.log_in(&given.name, &given.password, None, &from.to_string(), clock())
    })
    .await?;
    audit::note(&app, &name, "set up", &name, "first administrator").await?;
    Ok(opened_response(&app, opened))
}

pub(crate) fn opened_response(app: &App, opened: Opened) -> Response {
    let cookie = set_cookie(&opened.secret, app.set.secure);
    let sites = shown_sites(app, &opened.user.sites);
    let user = SessionUser {
        name: opened.name,
        role: opened.user.role,
        all_sites: opened.user.sites.is_all(),
        second_factor: opened.user.has_second(),
        provided: opened.user.provided.is_some(),
        guest: false,
        csrf: Some(opened.csrf),
    };
    ([(SET_COOKIE, cookie)], Json(session(app, Some(user), sites))).into_response()
}

fn session(app: &App, user: Option<SessionUser>, sites: Vec<String>) -> Session {
    Session {
        user,
        sites,
        needs_setup: !app.set.demo && app.accounts().needs_setup(),
        provider: app.set.oidc.as_ref().map(|oidc| oidc.name().to_owned()),
        demo: app.set.demo,
        version: env!("CARGO_PKG_VERSION"),
        now: rfc3339(app.now()),
    }
}

/// Does something that hashes a password, away from the threads that answer.
pub(crate) async fn with_passwords<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&Accounts) -> std::result::Result<T, AccountError> + Send + 'static,
) -> Result<T> {
    let busy = || Problem::later(StatusCode::SERVICE_UNAVAILABLE, "too many log-ins at once", 5);
    let place = app.passwords.try_acquire().map_err(|_| busy())?;
    let shared = app.clone();
    let done = tokio::task::spawn_blocking(move || work(shared.accounts())).await;
    drop(place);
    Ok(done.map_err(Problem::internal)??)
}

impl std::convert::From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let text = error.to_string();
        match error {
            AccountError::Denied => Self::new(StatusCode::UNAUTHORIZED, text),
            AccountError::CodeNeeded | AccountError::Code => {
                Self::at("/code", text).with_status(StatusCode::UNAUTHORIZED)
            }
            AccountError::NoEnrolment => Self::new(StatusCode::CONFLICT, text),
            AccountError::Throttled(seconds) => Self::later(StatusCode::TOO_MANY_REQUESTS, text, seconds),
            AccountError::SetupToken => Self::new(StatusCode::FORBIDDEN, text),
            AccountError::Name => Self::at("/name", text),
            AccountError::Password(_) => Self::at("/password", text),
            AccountError::Taken(_)
            | AccountError::LastAdmin
            | AccountError::Provided
            | AccountError::FirstStart
            | AccountError::Full(_) => Self::new(StatusCode::CONFLICT, text),
            AccountError::Unknown(_) => Self::not_found(text),
            AccountError::File { .. } => Self::internal(text),
        }
    }
}
