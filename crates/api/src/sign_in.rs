//! Logging in through the identity provider, from the browser's side: it is sent there, and what it brings back opens a
//! session. Both are POSTs of a page of ours, so that cookies stay strict and no address of ours changes anything by itself.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::accounts::{AccountError, Entered, Opened, Provided};
use crate::audit;
use crate::guard::{From, cookie, set_sign_in_cookie, sign_in_cookie};
use crate::oidc::{Identity, Oidc, OidcError};
use crate::problem::{Body, Problem, Result};
use crate::session::{Session, opened_response};
use crate::state::clock;

/// Longest wait for others who log in through the provider.
const WAIT: Duration = Duration::from_secs(10);

/// Where to go.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignIn {
    /// Page of the identity provider. It sends the browser back to /sign-in.
    url: String,
}

/// What the identity provider gave the browser.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedIn {
    code: String,
    state: String,
    /// The parameter iss, where there was one.
    iss: Option<String>,
}

/// Begins a log-in through the identity provider.
///
/// Sets a cookie that ties it to this browser; it must end within ten minutes. Needs the header X-Weir-CSRF with any value.
#[utoipa::path(post, path = "/session/provider", tag = "session", security(()),
    responses((status = 200, body = SignIn), (status = 404, body = Problem), (status = 429, body = Problem),
        (status = 502, body = Problem)))]
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    Extension(From(from)): Extension<From>,
) -> Result<Response> {
    let begun = asking(&app, move |oidc| oidc.begin(from, clock())).await?;
    let cookie = set_sign_in_cookie(&begun.cookie, app.set.secure);
    Ok(([(SET_COOKIE, cookie)], Json(SignIn { url: begun.url })).into_response())
}

/// Ends a log-in through the identity provider with what it gave the browser; answers with the session's cookie.
///
/// The account is made at the first log-in, with the role that the groups give; without one nobody is let in. Needs the
/// header X-Weir-CSRF with any value.
#[utoipa::path(post, path = "/session/provider/answer", tag = "session", security(()), request_body = SignedIn,
    responses((status = 200, body = Session), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 502, body = Problem)))]
pub(crate) async fn end(
    State(app): State<Arc<App>>,
    Extension(From(from)): Extension<From>,
    headers: HeaderMap,
    Body(given): Body<SignedIn>,
) -> Result<Response> {
    let browser = sign_in_cookie(&headers, app.set.secure)
        .unwrap_or_default()
        .to_owned();
    let who = asking(&app, move |oidc| {
        oidc.end(&given.code, &given.state, given.iss.as_deref(), &browser, clock())
    })
    .await;
    let detail = format!("from {from}, through the identity provider");
    let entered = match who {
        Ok(who) => enter(&app, who, &detail).await,
        Err(problem) => Err(("nobody".to_owned(), problem)),
    };
    match entered {
        Ok(opened) => {
            if let Some(old) = cookie(&headers, app.set.secure) {
                app.accounts().log_out(old);
            }
            audit::note(&app, &opened.name, "log in", &opened.name, &detail).await?;
            let mut response = opened_response(&app, opened);
            let over = HeaderValue::from_str(&set_sign_in_cookie("", app.set.secure));
            response
                .headers_mut()
                .append(SET_COOKIE, over.map_err(Problem::internal)?);
            Ok(response)
        }
        Err((name, problem)) => {
            let detail = format!("{detail}: {}", problem.detail());
            audit::note(&app, "nobody", "log in refused", audit::name_of(&name), &detail).await?;
            Err(problem)
        }
    }
}

/// Opens the session of whom the provider vouches for; with the name where it is refused.
async fn enter(
    app: &Arc<App>,
    who: Identity,
    detail: &str,
) -> std::result::Result<Opened, (String, Problem)> {
    let named = who.name.clone();
    let failed = |problem: Problem| (named.clone(), problem);
    let provided = Provided {
        issuer: who.issuer,
        subject: who.subject,
    };
    let Some((role, sites)) = who.role else {
        if let Some(name) = app
            .accounts()
            .leave(&provided)
            .map_err(|error| failed(error.into()))?
        {
            let detail = format!("disabled: no group gives a role any more, {detail}");
            let noted = audit::note(app, &name, "change user", &name, &detail).await;
            noted.map_err(failed)?;
        }
        return Err(failed(OidcError::NoRole(who.name).into()));
    };
    let entered = app.accounts().enter(&provided, &who.name, (role, sites), clock());
    let (opened, entered) = entered.map_err(|error| failed(refusal(error)))?;
    let noted = match entered {
        Entered::Same => None,
        Entered::Made => Some(("add user", role.word().to_owned())),
        Entered::OtherRole(before) => Some((
            "change user",
            format!("role {}, was {}", role.word(), before.word()),
        )),
    };
    if let Some((action, what)) = noted {
        let detail = format!("{what}, {detail}");
        let noted = audit::note(app, &opened.name, action, &opened.name, &detail).await;
        noted.map_err(failed)?;
    }
    Ok(opened)
}

fn refusal(error: AccountError) -> Problem {
    match error {
        AccountError::Denied => Problem::new(
            StatusCode::FORBIDDEN,
            "this account is disabled; ask the administrator",
        ),
        AccountError::Name => Problem::new(
            StatusCode::CONFLICT,
            format!(
                "{error}; the provider's name for this person has others: name_claim in [serve.oidc] takes another"
            ),
        ),
        other => other.into(),
    }
}

/// Asks the provider, away from the threads that answer, a few at a time.
async fn asking<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&Oidc) -> std::result::Result<T, OidcError> + Send + 'static,
) -> Result<T> {
    if app.set.oidc.is_none() {
        return Err(Problem::not_found(
            "no identity provider is configured; see [serve.oidc]",
        ));
    }
    let busy = || Problem::later(StatusCode::SERVICE_UNAVAILABLE, "too many log-ins at once", 5);
    let place = tokio::time::timeout(WAIT, app.sign_ins.acquire()).await;
    let place = place.map_err(|_| busy())?.map_err(Problem::internal)?;
    let shared = app.clone();
    let done = tokio::task::spawn_blocking(move || shared.set.oidc.as_ref().map(work)).await;
    drop(place);
    match done.map_err(Problem::internal)? {
        Some(Ok(done)) => Ok(done),
        Some(Err(OidcError::Away(why))) => {
            (app.set.log)(&format!("identity provider: {why}"));
            Err(OidcError::Away(why).into())
        }
        Some(Err(error)) => Err(error.into()),
        None => Err(Problem::internal("the identity provider is gone")),
    }
}

impl std::convert::From<OidcError> for Problem {
    fn from(error: OidcError) -> Self {
        let text = error.to_string();
        match error {
            OidcError::Away(_) => Self::later(StatusCode::BAD_GATEWAY, text, 10),
            OidcError::Full => Self::later(StatusCode::TOO_MANY_REQUESTS, text, 60),
            OidcError::NotBegun | OidcError::Refused(_) => Self::new(StatusCode::UNAUTHORIZED, text),
            OidcError::NoRole(_) => Self::new(StatusCode::FORBIDDEN, text),
        }
    }
}
