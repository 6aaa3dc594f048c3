//! Work that takes longer than a request: it has progress, can be cancelled, and leaves a file for whoever began it.
//! Jobs live as long as the program; their files lie in a folder of their own that every start clears.

mod table;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, LOCATION};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::stream;
use serde::Serialize;
use utoipa::ToSchema;
use weir_model::Time;
use weir_store::flow::search::Control;

use crate::App;
use crate::accounts::Role;
use crate::guard::Who;
use crate::openapi::ROOT;
use crate::patterns::NewPattern;
use crate::problem::{Part, Problem, Result};

pub(crate) use table::Jobs;

/// Bytes of a result that are read at once.
const PIECE: usize = 64 << 10;
/// Parts of a million: how finely progress is told.
const WHOLE: f64 = 1e6;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Flow records into a file.
    FlowExport,
    /// Events into a file.
    EventExport,
    /// Fetches a list of indicators now.
    ListRefresh,
    /// Passes stored records through a pattern.
    PatternTest,
    /// Passes stored records through every preset.
    PresetTrial,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Others run.
    Waiting,
    Running,
    Done,
    /// The note says why.
    Failed,
    Cancelled,
}

impl JobState {
    /// Is it over?
    pub fn ended(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// A job.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) kind: JobKind,
    /// What exactly: a filter, the name of a list.
    pub(crate) about: String,
    /// Who began it.
    pub(crate) owner: String,
    pub(crate) state: JobState,
    /// 0 to 1.
    pub(crate) progress: f64,
    pub(crate) began: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
    /// What came of it, or went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// The file it left, at `/jobs/{id}/result`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<JobFile>,
}

/// The file of a job.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct JobFile {
    /// Name to save it under.
    pub(crate) name: String,
    pub(crate) media_type: &'static str,
    pub(crate) bytes: u64,
}

/// What running work tells and hears.
#[derive(Debug, Default)]
pub struct Work {
    cancelled: AtomicBool,
    /// Millionths.
    progress: AtomicU32,
    /// The search that runs for it now.
    search: Mutex<Option<Arc<Control>>>,
}

impl Work {
    /// Somebody wants it to end. To be looked at at least every second.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The same as a flag that others look at.
    pub fn cancelled(&self) -> &AtomicBool {
        &self.cancelled
    }

    /// So much of it is done, 0 to 1.
    pub fn progress(&self, part: f64) {
        // Saturating: a part beyond the whole is the whole.
        let millionths = (part.clamp(0.0, 1.0) * WHOLE) as u32;
        self.progress.store(millionths, Ordering::Relaxed);
    }

    /// This search ends with it.
    pub(crate) fn searches(&self, control: Option<Arc<Control>>) {
        *self.search.lock().unwrap_or_else(PoisonError::into_inner) = control;
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        let search = self.search.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(search) = &*search {
            search.cancel();
        }
    }

    fn done(&self) -> f64 {
        f64::from(self.progress.load(Ordering::Relaxed)) / WHOLE
    }
}

/// What work leaves.
pub(crate) struct Made {
    /// Name to save the file under.
    pub(crate) name: String,
    pub(crate) media_type: &'static str,
    /// What came of it, for people.
    pub(crate) note: String,
}

/// A job that was begun: 202 and where to ask for it.
pub(crate) struct Begun(pub(crate) Job);

impl IntoResponse for Begun {
    fn into_response(self) -> Response {
        let place = format!("{ROOT}/jobs/{}", self.0.id);
        (StatusCode::ACCEPTED, [(LOCATION, place)], Json(self.0)).into_response()
    }
}

/// Begins work on a thread that may block. It writes its result to the path it is given; an error is for people.
pub(crate) fn begin(
    app: &Arc<App>,
    who: &Who,
    kind: JobKind,
    about: String,
    work: impl FnOnce(&Work, &Path) -> std::result::Result<Made, String> + Send + 'static,
) -> Result<Begun> {
    let (job, handle, path) = app.jobs.add(who.user(), kind, about)?;
    let (app, id) = (app.clone(), job.id.clone());
    tokio::spawn(async move {
        // The semaphore is never closed.
        let Ok(place) = app.jobs.places().acquire_owned().await else {
            return;
        };
        if !app.jobs.starts(&id) {
            return;
        }
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            let made = work(&handle, &path);
            (made, std::fs::metadata(&path).map_or(0, |file| file.len()))
        });
        let (made, bytes) = done
            .await
            .unwrap_or_else(|_| (Err("it failed inside".to_owned()), 0));
        app.jobs.ends(&id, made, bytes);
        app.stream()
            .tell("job", &serde_json::json!({ "id": id }).to_string());
    });
    Ok(Begun(job))
}

/// Work that the program does; its result is JSON.
#[derive(Clone, Debug)]
pub enum Task {
    /// Fetches a list of indicators now.
    RefreshList(String),
    /// Passes stored records through a pattern.
    TestPattern {
        pattern: NewPattern,
        since: Time,
        until: Time,
    },
    /// Passes stored records through every preset.
    TryPresets { since: Time, until: Time },
}

/// Begins work of the program's.
pub(crate) fn run(app: &Arc<App>, who: &Who, kind: JobKind, about: String, task: Task) -> Result<Begun> {
    let running = app.clone();
    begin(app, who, kind, about, move |work, path| {
        let (note, result) = running.set.program.run(&task, work)?;
        std::fs::write(path, result.to_string()).map_err(|error| error.to_string())?;
        Ok(Made {
            name: "weir-result.json".to_owned(),
            media_type: "application/json",
            note,
        })
    })
}

/// One's own jobs, latest first; administrators see those of others, too.
#[utoipa::path(get, path = "/jobs", tag = "jobs", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [Job])))]
pub(crate) async fn list(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Json<Vec<Job>> {
    Json(app.jobs.of(seen_by(&who)))
}

/// One job.
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs", params(("id" = String, Path)),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = Job), (status = 404, body = Problem)))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(id): Part<String>,
) -> Result<Json<Job>> {
    let (job, _) = app.jobs.get(&id, seen_by(&who))?;
    Ok(Json(job))
}

/// Cancels a job that runs; forgets one that has ended, with its file.
#[utoipa::path(delete, path = "/jobs/{id}", tag = "jobs", params(("id" = String, Path)),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(id): Part<String>,
) -> Result<StatusCode> {
    app.jobs.cancel(&id, seen_by(&who))?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a job left.
#[utoipa::path(get, path = "/jobs/{id}/result", tag = "jobs", params(("id" = String, Path)),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, description = "The file"), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn result(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(id): Part<String>,
) -> Result<Response> {
    let (job, path) = app.jobs.get(&id, seen_by(&who))?;
    let Some(made) = job.result else {
        let why = if job.state.ended() {
            "the job left nothing"
        } else {
            "the job is not done yet"
        };
        return Err(Problem::new(StatusCode::CONFLICT, why));
    };
    let file = File::open(&path).map_err(Problem::internal)?;
    let pieces = stream::try_unfold(file, |mut file| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece)?;
            piece.truncate(read);
            Ok::<_, io::Error>((read > 0).then_some((piece, file)))
        });
        read.await.map_err(io::Error::other)?
    });
    let headers: [(HeaderName, String); 2] = [
        (CONTENT_TYPE, made.media_type.to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", made.name),
        ),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Whose jobs somebody sees; `None`: everybody's.
fn seen_by(who: &Who) -> Option<&str> {
    (who.role != Role::Admin).then(|| who.user())
}
