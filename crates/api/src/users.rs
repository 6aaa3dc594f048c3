//! Users and API tokens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weir_model::{NANOS_PER_S, Time};

use crate::App;
use crate::accounts::{ALL_SITES, Role, Sites, Token, User};
use crate::audit;
use crate::guard::{Who, shown_sites};
use crate::problem::{Body, Part, Problem, Result};
use crate::session::with_passwords;
use crate::state::clock;
use crate::window::rfc3339;

/// Days a token is valid unless asked for otherwise, and at most.
const TOKEN_DAYS: u32 = 90;
const TOKEN_DAYS_MAX: u32 = 366;

/// A user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserShown {
    name: String,
    role: Role,
    /// Sites that may be seen; `*`: all.
    sites: Vec<String>,
    disabled: bool,
    /// A code is asked for at log-in.
    second_factor: bool,
    /// The identity provider (issuer) that lets this user in; absent: a password of this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    created: String,
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    name: String,
    /// 12 letters at least.
    password: String,
    role: Role,
    /// Sites that may be seen; `*`, and none named: all.
    sites: Option<Vec<String>>,
}

/// What changes about a user; what is absent stays. The user's sessions end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    role: Option<Role>,
    /// `*`: all.
    sites: Option<Vec<String>>,
    disabled: Option<bool>,
    password: Option<String>,
}

/// A token without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenShown {
    id: String,
    name: String,
    owner: String,
    role: Role,
    /// `*`: all that the owner may see.
    sites: Vec<String>,
    created: String,
    expires: String,
    /// Exact since the server started.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
}

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    name: String,
    /// At most the owner's own.
    role: Role,
    /// At most the owner's own; `*`, and none named: all that the owner may see.
    sites: Option<Vec<String>>,
    /// 1 to 366; 90 when absent.
    days: Option<u32>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    id: String,
    /// Shown this once. Send it as `Authorization: Bearer ...`.
    secret: String,
}

/// Users by name.
#[utoipa::path(get, path = "/users", tag = "settings", security(("session" = ["admin"]), ("token" = ["admin"])),
    responses((status = 200, body = [UserShown])))]
pub(crate) async fn users(State(app): State<Arc<App>>) -> Json<Vec<UserShown>> {
    let users = app.accounts().users().into_iter();
    Json(users.map(|(name, user)| user_shown(name, &user)).collect())
}

/// Makes a user.
#[utoipa::path(post, path = "/users", tag = "settings", security(("session" = ["admin"]), ("token" = ["admin"])),
    request_body = NewUser, responses((status = 201, description = "Made"), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn add_user(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(new): Body<NewUser>,
) -> Result<StatusCode> {
    let (name, role) = (new.name.clone(), new.role);
    let sites = asked_sites(&app, new.sites.as_deref(), &who)?.unwrap_or_default();
    let detail = format!("{}, sites {}", role.word(), sites.names().join(" "));
    with_passwords(&app, move |accounts| {
        accounts.add_user(&new.name, &new.password, (new.role, sites), clock())
    })
    .await?;
    audit::note(&app, &who.name, "add user", &name, &detail).await?;
    Ok(StatusCode::CREATED)
}

/// Changes a user and ends the user's sessions.
#[utoipa::path(patch, path = "/users/{name}", tag = "settings", security(("session" = ["admin"]), ("token" = ["admin"])),
    params(("name" = String, Path)), request_body = UserChange,
    responses((status = 204, description = "Changed"), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn change_user(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(name): Part<String>,
    Body(change): Body<UserChange>,
) -> Result<StatusCode> {
    let sites = asked_sites(&app, change.sites.as_deref(), &who)?;
    let words = [
        change.role.map(|role| format!("role {}", role.word())),
        sites
            .as_ref()
            .map(|sites| format!("sites {}", sites.names().join(" "))),
        change
            .disabled
            .map(|disabled| if disabled { "disabled" } else { "enabled" }.to_owned()),
        change.password.as_ref().map(|_| "password".to_owned()),
    ];
    let detail = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let user = name.clone();
    with_passwords(&app, move |accounts| {
        accounts.change_user(
            &user,
            (change.role, sites),
            change.disabled,
            change.password.as_deref(),
        )
    })
    .await?;
    audit::note(&app, &who.name, "change user", &name, &detail).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a user with all tokens and sessions.
#[utoipa::path(delete, path = "/users/{name}", tag = "settings", security(("session" = ["admin"]), ("token" = ["admin"])),
    params(("name" = String, Path)),
    responses((status = 204, description = "Removed"), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn remove_user(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(name): Part<String>,
) -> Result<StatusCode> {
    app.accounts().remove_user(&name)?;
    audit::note(&app, &who.name, "remove user", &name, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tokens: all of them for an administrator, else one's own.
#[utoipa::path(get, path = "/tokens", tag = "settings", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [TokenShown])))]
pub(crate) async fn tokens(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
) -> Json<Vec<TokenShown>> {
    let tokens = app.accounts().tokens().into_iter();
    let seen = tokens.filter(|(_, token)| may_see(&who, token));
    Json(seen.map(|(id, token)| token_shown(id, &token)).collect())
}

/// Makes a token of one's own. Only a session may: a token cannot make another.
#[utoipa::path(post, path = "/tokens", tag = "settings", security(("session" = ["viewer"])), request_body = NewToken,
    responses((status = 201, body = MadeToken), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn add_token(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>)> {
    if who.csrf.is_none() || who.guest {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "log in with name and password to make a token",
        ));
    }
    if !who.role.may(new.role) {
        let detail = format!(
            "a token of {} may have the role {} at most",
            who.name,
            who.role.word()
        );
        return Err(Problem::at("/role", detail));
    }
    let sites = asked_sites(&app, new.sites.as_deref(), &who)?.unwrap_or_default();
    let days = new.days.unwrap_or(TOKEN_DAYS);
    if days == 0 || days > TOKEN_DAYS_MAX {
        return Err(Problem::at("/days", format!("must be 1 to {TOKEN_DAYS_MAX}")));
    }
    let valid_s = i64::from(days) * 86_400;
    let (id, secret) = app
        .accounts()
        .add_token(&who.name, &new.name, (new.role, sites), valid_s, clock())?;
    let detail = format!("{} for {days} days: {}", new.role.word(), new.name);
    audit::note(&app, &who.name, "add token", &id, &detail).await?;
    Ok((StatusCode::CREATED, Json(MadeToken { id, secret })))
}

/// Removes a token: one's own, or any for an administrator.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "settings", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    params(("id" = String, Path)),
    responses((status = 204, description = "Removed"), (status = 404, body = Problem)))]
pub(crate) async fn remove_token(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(id): Part<String>,
) -> Result<StatusCode> {
    // Somebody else's token is not told from one that does not exist.
    let seen = app
        .accounts()
        .tokens()
        .into_iter()
        .any(|(known, token)| known == id && may_see(&who, &token));
    if !seen {
        return Err(Problem::not_found(format!("there is no token {id:?}")));
    }
    app.accounts().remove_token(&id)?;
    audit::note(&app, &who.name, "remove token", &id, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

fn may_see(who: &Who, token: &Token) -> bool {
    who.role == Role::Admin || token.owner == who.user()
}

/// Sites as they are asked for: each must be there, and be the asker's to give.
fn asked_sites(app: &App, asked: Option<&[String]>, who: &Who) -> Result<Option<Sites>> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    let known = shown_sites(app, &who.sites);
    match asked
        .iter()
        .find(|site| *site != ALL_SITES && !known.contains(site))
    {
        Some(odd) => Err(Problem::at(
            "/sites",
            format!("there is no site {odd:?}; there are: {}", known.join(", ")),
        )),
        None => Ok(Some(Sites::of(asked.iter().cloned()))),
    }
}

fn user_shown(name: String, user: &User) -> UserShown {
    UserShown {
        name,
        role: user.role,
        sites: user.sites.names(),
        disabled: user.disabled,
        second_factor: user.has_second(),
        provider: user.provided.as_ref().map(|provided| provided.issuer.clone()),
        created: rfc3339(Time(user.created_ns)),
    }
}

fn token_shown(id: String, token: &Token) -> TokenShown {
    TokenShown {
        id,
        name: token.name.clone(),
        owner: token.owner.clone(),
        role: token.role,
        sites: token.sites.names(),
        created: rfc3339(Time(token.created_ns)),
        // Whole seconds: nobody needs to know more of it.
        expires: rfc3339(Time::from_secs(token.expires_ns / NANOS_PER_S)),
        last_used: token.last_used_ns.map(|ns| rfc3339(Time(ns))),
    }
}
