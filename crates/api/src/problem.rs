//! What went wrong, as RFC 9457 problem details: a sentence for people, places for programs, no internals.
//! The cause of a failure of ours goes to the log under the id that the caller is shown.

use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use weir_query::QueryError;

use crate::secret;

/// What a handler returns.
pub(crate) type Result<T> = std::result::Result<T, Problem>;

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says the kind.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The kind in words.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// What is wrong and how to mend it.
    detail: Box<str>,
    /// Id of this occurrence; failures of the server are in its log under it.
    instance: Box<str>,
    /// Places that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    #[serde(skip)]
    retry_after_s: Option<u32>,
    #[serde(skip)]
    cause: Option<Box<str>>,
}

/// One place that is wrong.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// Query parameter, or JSON pointer into the body.
    pub place: String,
    /// What is wrong there.
    pub detail: String,
    /// In a filter: first byte that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<usize>,
    /// In a filter: byte behind the last that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<usize>,
    /// In a filter: words that would have been right there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<String>,
    /// In a filter: the known word nearest to the one found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// In a filter: message, line, and marks under it, for a fixed-width font.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caret: Option<String>,
}

impl Fault {
    /// The fault of a filter.
    pub(crate) fn of_filter(place: &str, error: &QueryError) -> Self {
        Self {
            place: place.to_owned(),
            detail: error.message.clone(),
            from: Some(error.span.start),
            to: Some(error.span.end),
            expected: error.expected.clone(),
            nearest: error.nearest.clone(),
            caret: Some(error.to_string()),
        }
    }
}

/// The cause of a failure, kept for the log.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub(crate) String);

impl Problem {
    /// A problem of this status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<Box<str>>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: detail.into(),
            instance: format!("urn:weir:problem:{}", secret::short_id()).into(),
            errors: Vec::new(),
            retry_after_s: None,
            cause: None,
        }
    }

    /// What is wrong, for people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// A query parameter or a member of the body is wrong.
    pub(crate) fn at(place: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem = Self::new(StatusCode::BAD_REQUEST, format!("{place}: {detail}"));
        problem.errors.push(Fault {
            place: place.to_owned(),
            detail,
            ..Fault::default()
        });
        problem
    }

    /// Is it a failure of the server's own?
    pub(crate) const fn is_ours(&self) -> bool {
        self.status >= 500
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.title = status.canonical_reason().unwrap_or("Problem");
        self.status = status.as_u16();
        self
    }

    /// A filter is wrong.
    pub(crate) fn filter(place: &str, error: &QueryError) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, format!("{place}: {}", error.message));
        problem.errors.push(Fault::of_filter(place, error));
        problem
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Something this server does not have, or not now.
    pub(crate) fn unavailable(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Try again in so many seconds.
    pub(crate) fn later(status: StatusCode, detail: impl Into<Box<str>>, seconds: u32) -> Self {
        Self {
            retry_after_s: Some(seconds),
            ..Self::new(status, detail)
        }
    }

    /// A failure of ours. The caller sees only the id.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        let detail = "the server failed; its log has the cause under this problem's id";
        Self {
            cause: Some(cause.to_string().into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(cause) = self.cause {
            let cause = Cause(format!("{}: {cause}", self.instance));
            response.extensions_mut().insert(cause);
        }
        response
    }
}

/// Query parameters; what does not fit is a problem, not plain text.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Query(params) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, why.body_text()))?;
        Ok(Self(params))
    }
}

/// One part of the path; as [`Params`].
pub(crate) struct Part<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Part<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Path(part) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, why.body_text()))?;
        Ok(Self(part))
    }
}

/// A JSON body; as [`Params`].
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let Json(body) = Json::<T>::from_request(request, state)
            .await
            .map_err(|why| Problem::new(why.status(), why.body_text()))?;
        Ok(Self(body))
    }
}
