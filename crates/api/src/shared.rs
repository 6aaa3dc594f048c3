//! Dashboards, computed once for all who ask the same in the same second: twenty people at the same screen cost what one
//! costs. What somebody changes through the interface is seen by the next question.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::OnceCell;

use crate::App;
use crate::openapi::ROOT;
use crate::problem::Problem;

/// How old an answer may be, counted from when it was begun. Less than the interface waits after news before it asks
/// again, so that nobody is shown a state from before the news.
const AGE_MAX: Duration = Duration::from_secs(1);
/// Different questions of one second; more are answered each by itself.
const QUESTIONS_MAX: usize = 64;
/// Bytes of an answer at most: more than the largest.
const BYTES_MAX: usize = 16 << 20;
/// What is shared: questions whose answers are sums over a window, the same for everybody who may ask.
const SHARED: [&str; 5] = [
    "/overview",
    "/events/facets",
    "/events/histogram",
    "/flows/series",
    "/flows/groups",
];

/// An answer that several get.
#[derive(Clone)]
struct Kept {
    kind: Option<HeaderValue>,
    body: Bytes,
}

type Answer = Arc<OnceCell<Kept>>;

/// Answers of the last second, by address.
#[derive(Default)]
pub(crate) struct Answers(Mutex<HashMap<String, (Instant, Answer)>>);

impl Answers {
    /// The answer of this question, perhaps still being computed by who asked first; `None`: there are too many.
    fn of(&self, question: &str, now: Instant) -> Option<Answer> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|_, (begun, _)| now.saturating_duration_since(*begun) < AGE_MAX);
        if let Some((_, answer)) = answers.get(question) {
            return Some(answer.clone());
        }
        if answers.len() >= QUESTIONS_MAX {
            return None;
        }
        let answer = Answer::default();
        answers.insert(question.to_owned(), (now, answer.clone()));
        Some(answer)
    }

    /// The next question is answered anew.
    fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Lets who ask the same share one answer. Inside the guard: who may not ask does not come here.
pub(crate) async fn share(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !request.method().is_safe() {
        let response = next.run(request).await;
        app.answers.forget();
        return response;
    }
    let path = request.uri().path().strip_prefix(ROOT);
    let shared = request.method() == Method::GET && path.is_some_and(|path| SHARED.contains(&path));
    let question = request.uri().to_string();
    let answer = if shared {
        app.answers.of(&question, Instant::now())
    } else {
        None
    };
    let Some(answer) = answer else {
        return next.run(request).await;
    };
    let computed = answer
        .get_or_try_init(|| async {
            let response = next.run(request).await;
            // A fault is told to who met it; whoever comes next tries anew.
            if response.status() != StatusCode::OK {
                return Err(response);
            }
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, BYTES_MAX).await.map_err(Problem::internal);
            Ok(Kept {
                kind: parts.headers.get(CONTENT_TYPE).cloned(),
                body: body.map_err(IntoResponse::into_response)?,
            })
        })
        .await;
    computed.map_or_else(|fault| fault, |kept| kept.clone().into_response())
}

impl IntoResponse for Kept {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        if let Some(kind) = self.kind {
            response.headers_mut().insert(CONTENT_TYPE, kind);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_and_so_many() {
        let answers = Answers::default();
        let now = Instant::now();
        let first = answers.of("/a", now).unwrap();
        let same = |at| Arc::ptr_eq(&first, &answers.of("/a", at).unwrap());
        assert!(same(now + AGE_MAX / 2));
        assert!(!same(now + AGE_MAX), "counted from when it was begun");
        let later = now + AGE_MAX * 3;
        for at in 0..QUESTIONS_MAX {
            assert!(answers.of(&format!("/{at}"), later).is_some());
        }
        assert!(answers.of("/more", later).is_none());
        assert!(answers.of("/0", later).is_some(), "what is there is still shared");
        assert!(
            answers.of("/more", later + AGE_MAX).is_some(),
            "room is made by time"
        );
        answers.forget();
        assert!(answers.0.lock().unwrap().is_empty());
    }
}
