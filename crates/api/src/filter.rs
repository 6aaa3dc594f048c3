//! The filter language for whoever types it: is it right, what does it say, what can come next.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weir_query::{Expr, NoLists};

use crate::App;
use crate::problem::{Fault, Params, Problem, Result};

/// What is asked about a filter.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CheckParams {
    /// The filter, for example `dst port 445 and bytes > 1M`; empty: everything.
    #[serde(default)]
    filter: String,
}

/// What a filter is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Checked {
    valid: bool,
    /// The filter in its own words, normalised.
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical: Option<String>,
    /// What it finds, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
    /// What is wrong with it, and where.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault>,
}

/// What is being typed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompleteParams {
    /// The text so far.
    #[serde(default)]
    filter: String,
    /// Byte of the text where the cursor is; its end when absent.
    cursor: Option<usize>,
}

/// Something that can be typed next.
#[derive(Serialize, ToSchema)]
pub(crate) struct Suggestion {
    /// Put this in the place of the bytes from..to.
    label: String,
    about: String,
    from: usize,
    to: usize,
}

/// Is the filter right, and what does it find?
#[utoipa::path(get, path = "/filter/check", tag = "filter", params(CheckParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])), responses((status = 200, body = Checked)))]
pub(crate) async fn check(State(app): State<Arc<App>>, Params(params): Params<CheckParams>) -> Json<Checked> {
    Json(
        match weir_query::parse(&params.filter, &app.set.catalog, &NoLists) {
            Ok(expr) => Checked {
                valid: true,
                canonical: Some(expr.to_string()),
                explanation: Some(weir_query::explain(&expr)),
                error: None,
            },
            Err(error) => Checked {
                valid: false,
                canonical: None,
                explanation: None,
                error: Some(Fault::of_filter("filter", &error)),
            },
        },
    )
}

/// What can be typed at the cursor?
#[utoipa::path(get, path = "/filter/complete", tag = "filter", params(CompleteParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])), responses((status = 200, body = [Suggestion])))]
pub(crate) async fn complete(
    State(app): State<Arc<App>>,
    Params(params): Params<CompleteParams>,
) -> Json<Vec<Suggestion>> {
    let cursor = params.cursor.unwrap_or(params.filter.len());
    let found = weir_query::complete(&params.filter, cursor, &app.set.catalog, &NoLists);
    let suggestions = found.into_iter().map(|one| Suggestion {
        label: one.label,
        about: one.documentation,
        from: one.replace.start,
        to: one.replace.end,
    });
    Json(suggestions.collect())
}

/// The filter of a question.
pub(crate) fn read(app: &App, place: &str, text: Option<&str>) -> Result<Expr> {
    let text = text.unwrap_or_default();
    weir_query::parse(text, &app.set.catalog, &NoLists).map_err(|error| Problem::filter(place, &error))
}
