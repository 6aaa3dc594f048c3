//! The audit trail: who did what. Entries are chained by hashes in the event database.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::problem::{Params, Problem, Result};
use crate::state::clock;

/// Bytes of a name that a stranger gave.
const STRANGER_BYTES: usize = 64;
/// Entries of an answer unless asked for otherwise, and at most.
const ENTRIES: u32 = 100;
const ENTRIES_MAX: u32 = 1000;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParams {
    /// Only entries about this: the id of an event, the name of a user.
    subject: Option<String>,
    /// 1 to 1000; 100 when absent.
    limit: Option<u32>,
}

/// An entry of the trail.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entry {
    seq: i64,
    at: String,
    actor: String,
    action: String,
    subject: String,
    detail: String,
    /// Hash of this entry, which carries the one before.
    hash: String,
}

/// The trail, newest first, and whether it is whole.
#[derive(Serialize, ToSchema)]
pub(crate) struct Trail {
    entries: Vec<Entry>,
    /// Entries that follow from one another, from the first.
    chained: i64,
    /// Where the chain breaks, when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<String>,
}

/// The newest entries of the audit trail, and whether its chain of hashes holds.
#[utoipa::path(get, path = "/audit", tag = "settings", params(AuditParams),
    security(("session" = ["auditor"]), ("token" = ["auditor"])),
    responses((status = 200, body = Trail), (status = 503, body = Problem)))]
pub(crate) async fn trail(
    State(app): State<Arc<App>>,
    Params(params): Params<AuditParams>,
) -> Result<Json<Trail>> {
    let none = || Problem::unavailable("this server keeps no audit trail");
    let store = app.set.events.as_ref().ok_or_else(none)?;
    let limit = params.limit.unwrap_or(ENTRIES).clamp(1, ENTRIES_MAX);
    let entries = store.audit(params.subject.as_deref(), limit).await?.into_iter();
    let chain = store.verify_audit(None).await?;
    let entries = entries.map(|entry| Entry {
        seq: entry.seq,
        at: entry.at,
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        detail: entry.detail,
        hash: entry.hash,
    });
    Ok(Json(Trail {
        entries: entries.collect(),
        chained: chain.entries,
        broken: chain.broken,
    }))
}

/// Adds an entry; without a trail it is told to the log.
pub(crate) async fn note(app: &App, actor: &str, action: &str, subject: &str, detail: &str) -> Result<()> {
    match &app.set.events {
        Some(store) => Ok(store.note(clock(), actor, action, subject, detail).await?),
        None => {
            (app.set.log)(&format!("{actor}: {action} {subject} {detail}"));
            Ok(())
        }
    }
}

/// What a stranger says the name is, short enough to keep.
pub(crate) fn name_of(name: &str) -> &str {
    &name[..name.floor_char_boundary(STRANGER_BYTES)]
}
