//! The second factor of one's own account: begun with the password, confirmed with a first code, taken off again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::audit;
use crate::guard::{From, Who};
use crate::problem::{Body, Part, Problem, Result};
use crate::session::with_passwords;
use crate::state::clock;

/// One's own password, again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnPassword {
    password: String,
}

/// What an authenticator needs; not shown again.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecondFactor {
    /// To type in: base 32; SHA-1, six digits, thirty seconds.
    secret: String,
    /// The same for a picture: `otpauth://totp/...`
    uri: String,
}

/// A code of the authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstCode {
    code: String,
}

/// For whoever loses the authenticator.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Each logs in once in the place of a code. Shown this once.
    recovery: Vec<String>,
}

/// Begins a second factor (TOTP, RFC 6238): give the answer to an authenticator, then confirm with its code.
#[utoipa::path(post, path = "/session/second-factor", tag = "session", security(("session" = ["viewer"])), request_body = OwnPassword,
    responses((status = 200, body = SecondFactor), (status = 401, body = Problem), (status = 403, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Extension(From(from)): Extension<From>,
    Body(given): Body<OwnPassword>,
) -> Result<Json<SecondFactor>> {
    in_person(&who)?;
    let begun = with_passwords(&app, move |accounts| {
        accounts.begin_second(&who.name, &given.password, &from.to_string(), clock())
    })
    .await?;
    Ok(Json(SecondFactor {
        secret: begun.secret,
        uri: begun.uri,
    }))
}

/// Confirms it with the authenticator's code; from now on log-ins need one.
#[utoipa::path(post, path = "/session/second-factor/confirm", tag = "session", security(("session" = ["viewer"])), request_body = FirstCode,
    responses((status = 200, body = RecoveryCodes), (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn confirm(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(given): Body<FirstCode>,
) -> Result<Json<RecoveryCodes>> {
    in_person(&who)?;
    let recovery = app.accounts().confirm_second(&who.name, &given.code, clock())?;
    audit::note(&app, &who.name, "add second factor", &who.name, "").await?;
    Ok(Json(RecoveryCodes { recovery }))
}

/// Takes one's own second factor off.
#[utoipa::path(post, path = "/session/second-factor/end", tag = "session", security(("session" = ["viewer"])), request_body = OwnPassword,
    responses((status = 204, description = "Taken off"), (status = 401, body = Problem), (status = 403, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn end(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Extension(From(from)): Extension<From>,
    Body(given): Body<OwnPassword>,
) -> Result<StatusCode> {
    in_person(&who)?;
    let name = who.name.clone();
    with_passwords(&app, move |accounts| {
        accounts.end_second(&name, &given.password, &from.to_string(), clock())
    })
    .await?;
    audit::note(&app, &who.name, "remove second factor", &who.name, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the second factor off an account whose owner lost authenticator and recovery codes.
#[utoipa::path(delete, path = "/users/{name}/second-factor", tag = "settings", params(("name" = String, Path)),
    security(("session" = ["admin"]), ("token" = ["admin"])),
    responses((status = 204, description = "Taken off"), (status = 404, body = Problem)))]
pub(crate) async fn help(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(name): Part<String>,
) -> Result<StatusCode> {
    app.accounts().drop_second(&name)?;
    audit::note(&app, &who.name, "remove second factor", &name, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Guests and tokens have no account to guard.
fn in_person(who: &Who) -> Result<()> {
    if who.csrf.is_none() || who.guest {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "log in with name and password to change your second factor",
        ));
    }
    Ok(())
}
