//! What happens, told as it happens: server-sent events with resume. A bounded memory of the last messages lets a client
//! that was away go on where it was; one that was away for longer is told to read anew.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::IntoParams;

use crate::App;
use crate::problem::{Params, Problem, Result};
use crate::secret;

/// Messages remembered for those who come back.
const REMEMBERED: usize = 1024;
/// Streams at once.
const STREAMS_MAX: usize = 256;
/// Silence after which a comment is sent, so that nobody on the way closes the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client waits before it comes back.
const RETRY: Duration = Duration::from_secs(3);

/// One message.
#[derive(Clone, Debug)]
struct Message {
    number: u64,
    kind: &'static str,
    data: Arc<str>,
}

/// The messages, told apart from those of other runs of the program.
pub struct Stream {
    run: String,
    messages: Mutex<VecDeque<Message>>,
    /// Number of the last message.
    last: watch::Sender<u64>,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            run: secret::short_id(),
            messages: Mutex::new(VecDeque::new()),
            last: watch::Sender::new(0),
        }
    }
}

impl Stream {
    /// Tells everybody. `data` is one line of JSON.
    pub fn tell(&self, kind: &'static str, data: &str) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *self.last.borrow() + 1;
        if messages.len() >= REMEMBERED {
            messages.pop_front();
        }
        messages.push_back(Message {
            number,
            kind,
            data: data.into(),
        });
        self.last.send_replace(number);
    }

    /// The message after that number, or the first that is remembered.
    fn after(&self, number: u64) -> Option<Message> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let first = messages.front()?.number;
        let at = (number + 1).saturating_sub(first);
        messages.get(usize::try_from(at).ok()?).cloned()
    }

    /// Where a client goes on that says it has read up to `id`: `Err` when that is not remembered any more.
    fn resume(&self, id: &str) -> std::result::Result<u64, u64> {
        let last = *self.last.borrow();
        let Some((run, number)) = id.split_once('-') else {
            return Err(last);
        };
        let number = number.parse().map_err(|_| last)?;
        let remembered = self.after(number).is_none_or(|next| next.number == number + 1);
        if run == self.run && number <= last && remembered {
            Ok(number)
        } else {
            Err(last)
        }
    }
}

/// Parameters of the stream.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamParams {
    /// Id of the last message read; the header Last-Event-ID goes before it.
    after: Option<String>,
}

/// Where one client is.
struct Reader {
    app: Arc<App>,
    last: watch::Receiver<u64>,
    number: u64,
    /// It must read anew first.
    reset: bool,
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// What happens, as it happens.
///
/// Server-sent events. `event` messages carry `{id, change, method, priority, state, last_update, reason}`, where
/// `change` is `opened`, `updated` or `closed`; `status` messages say that health or sources changed; `notice` messages carry
/// `{check, at, text}` of a check of the input; `reset` says that messages were missed and lists should be read anew. Ids resume with Last-Event-ID.
#[utoipa::path(get, path = "/stream", tag = "stream", params(StreamParams), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, description = "Messages", body = String, content_type = "text/event-stream"),
        (status = 503, body = Problem)))]
pub(crate) async fn follow(
    State(app): State<Arc<App>>,
    Params(params): Params<StreamParams>,
    headers: HeaderMap,
) -> Result<Response> {
    let full = || {
        Problem::later(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            "too many streams are open",
            10,
        )
    };
    let place = app.streams.clone().try_acquire_owned().map_err(|_| full())?;
    let header = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok().map(str::to_owned));
    let last = app.stream().last.subscribe();
    let (number, reset) = match header.or(params.after) {
        None => (*last.borrow(), false),
        Some(id) => match app.stream().resume(&id) {
            Ok(number) => (number, false),
            Err(number) => (number, true),
        },
    };
    let reader = Reader {
        app,
        last,
        number,
        reset,
        _place: place,
    };
    let events = futures_util::stream::unfold(reader, next);
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response();
    let headers = response.headers_mut();
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

async fn next(mut reader: Reader) -> Option<(std::result::Result<Event, Infallible>, Reader)> {
    let stream = reader.app.stream();
    let id = |number: u64| format!("{}-{number}", stream.run);
    if std::mem::take(&mut reader.reset) {
        let event = Event::default()
            .event("reset")
            .id(id(reader.number))
            .retry(RETRY)
            .data("{}");
        return Some((Ok(event), reader));
    }
    loop {
        if let Some(message) = stream.after(reader.number) {
            let missed = message.number != reader.number + 1;
            reader.number = message.number;
            let event = if missed {
                // Slower than the messages came: what is remembered no longer follows on what was read.
                reader.number = *reader.last.borrow_and_update();
                Event::default().event("reset").id(id(reader.number)).data("{}")
            } else {
                Event::default()
                    .event(message.kind)
                    .id(id(message.number))
                    .retry(RETRY)
                    .data(&*message.data)
            };
            return Some((Ok(event), reader));
        }
        reader.last.changed().await.ok()?;
    }
}

/// Room for streams.
pub(crate) fn places() -> Arc<tokio::sync::Semaphore> {
    Arc::new(tokio::sync::Semaphore::new(STREAMS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_on_where_one_was() {
        let stream = Stream::default();
        let id = |number: u64| format!("{}-{number}", stream.run);
        assert_eq!(stream.resume(&id(0)), Ok(0));
        for at in 0..REMEMBERED + 10 {
            stream.tell("event", &format!("{at}"));
        }
        let last = REMEMBERED as u64 + 10;
        assert_eq!(stream.after(last - 1).map(|message| message.number), Some(last));
        assert!(stream.after(last).is_none());
        assert_eq!(stream.resume(&id(last)), Ok(last));
        assert_eq!(stream.resume(&id(10)), Ok(10), "the next is the first remembered");
        assert_eq!(stream.resume(&id(9)), Err(last), "the next is forgotten");
        assert_eq!(stream.resume(&id(last + 1)), Err(last), "from the future");
        assert_eq!(stream.resume("0-5"), Err(last), "from another run");
        assert_eq!(stream.resume("nonsense"), Err(last));
    }
}
