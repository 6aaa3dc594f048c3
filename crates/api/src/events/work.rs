//! What people do with events: the same to several at once, each with its own result.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weir_store::event::{Action, CategoryState, Workflow};

use super::store;
use crate::App;
use crate::guard::Who;
use crate::problem::{Body, Problem, Result};
use crate::state::clock;

/// Events that one action may be done to.
const IDS_MAX: usize = 1000;

/// Something to do with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    /// Somebody has taken it on.
    Acknowledge,
    /// It is dealt with.
    Close,
    /// It is new again.
    Reopen,
    /// Adds the label `text`.
    Label,
    /// Takes the label `text` off.
    Unlabel,
    /// Puts it into the category `text`, as new there.
    Categorise,
    /// As `categorise`, with the state in work.
    CategoriseInWork,
    /// As `categorise`, with the state solved.
    CategoriseSolved,
    /// Takes it out of the category `text`.
    Uncategorise,
    /// Writes the comment `text`.
    Comment,
    /// Gives it to the user `text`; without text to nobody.
    Assign,
    /// Marks it as a false positive; `text` says why.
    FalsePositive,
    /// Takes that mark off.
    TruePositive,
    /// Keeps it from retention.
    Pin,
    Unpin,
}

/// The same done to several events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventAction {
    /// Full ids, 1000 at most.
    pub(crate) ids: Vec<String>,
    pub(crate) verb: Verb,
    /// Label, comment, user or reason, as the verb needs it.
    pub(crate) text: Option<String>,
}

/// What became of it, in the order of the ids.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventResults {
    pub(crate) results: Vec<EventResult>,
    /// How many changed.
    pub(crate) changed: usize,
}

/// What became of one.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventResult {
    pub(crate) id: String,
    /// False: it was so already, there is no such event, or it has no room for more.
    pub(crate) changed: bool,
}

/// Does the same to several events; each has its own result.
#[utoipa::path(post, path = "/events/actions", tag = "events", request_body = EventAction,
    security(("session" = ["analyst"]), ("token" = ["analyst"])),
    responses((status = 200, body = EventResults), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(asked): Body<EventAction>,
) -> Result<Json<EventResults>> {
    if asked.ids.is_empty() || asked.ids.len() > IDS_MAX {
        return Err(Problem::at("/ids", format!("give 1 to {IDS_MAX} ids")));
    }
    let action = action(asked.verb, asked.text)?;
    let changed = store(&app)?.act(&asked.ids, &action, &who.name, clock()).await?;
    let results = asked.ids.into_iter().zip(changed);
    let results: Vec<EventResult> = results.map(|(id, changed)| EventResult { id, changed }).collect();
    Ok(Json(EventResults {
        changed: results.iter().filter(|result| result.changed).count(),
        results,
    }))
}

fn action(verb: Verb, text: Option<String>) -> Result<Action> {
    let text = text
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    let needs = text
        .clone()
        .ok_or_else(|| Problem::at("/text", "this verb needs a text"));
    Ok(match verb {
        Verb::Acknowledge => Action::Work(Workflow::Acknowledged),
        Verb::Close => Action::Work(Workflow::Resolved),
        Verb::Reopen => Action::Work(Workflow::New),
        Verb::Label => Action::Label(needs?),
        Verb::Unlabel => Action::Unlabel(needs?),
        Verb::Categorise => Action::Categorise(needs?, CategoryState::New),
        Verb::CategoriseInWork => Action::Categorise(needs?, CategoryState::InWork),
        Verb::CategoriseSolved => Action::Categorise(needs?, CategoryState::Solved),
        Verb::Uncategorise => Action::Uncategorise(needs?),
        Verb::Comment => Action::Comment(needs?),
        Verb::Assign => Action::Assign(text),
        Verb::FalsePositive => Action::FalsePositive(text.unwrap_or_default()),
        Verb::TruePositive => Action::TruePositive,
        Verb::Pin => Action::Pin(true),
        Verb::Unpin => Action::Pin(false),
    })
}
