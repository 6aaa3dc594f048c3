//! Perspectives: how much events matter to one audience. Made, tried over the last days, looked through, carried from one
//! server to another. They change what is shown and nothing else: outputs and rights do not depend on them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weir_model::{Perspective, PerspectiveFile as Carried, PerspectiveRule, Priority, Seen};
use weir_store::event::{KeptPerspective, Lens, LensError, RuleTally, Tally};

use crate::App;
use crate::events::store;
use crate::guard::Who;
use crate::problem::{Body, Part, Problem, Result};
use crate::state::clock;
use crate::window::{Span, Window, rfc3339};

/// Perspectives of one import.
const IMPORT_MAX: usize = 100;
/// How far back a preview looks when nothing is said.
const PREVIEW: &str = "now-7d";

/// Which events, and how they are seen. What is empty or absent asks nothing; one entry of a list must fit, and all of them
/// must hold.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerspectiveRuleBody {
    /// `METHOD` or `METHOD.Submethod`.
    #[serde(default)]
    methods: Vec<String>,
    /// Instances of methods.
    #[serde(default)]
    instances: Vec<String>,
    #[serde(default)]
    feeds: Vec<String>,
    /// What the source must be, in the filter language: `ip 10.0.0.0/8 and not ip in @printers`. Words: ip, mac.
    #[serde(default)]
    source: String,
    /// What one of the targets must be: `ip in @servers and port 445`. Words: ip, mac, port.
    #[serde(default)]
    target: String,
    /// What the source or one of the targets must be.
    #[serde(default)]
    host: String,
    /// `hidden`, `informational`, `low`, `medium`, `high`, `critical`.
    give: String,
}

/// A perspective. Of the rules that fit an event one that hides wins, else the one with the highest priority.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerspectiveBody {
    /// Lower-case letters, digits and `-`, 48 at most.
    name: String,
    title: String,
    /// Whom it is for.
    #[serde(default)]
    about: String,
    /// 64 at most.
    #[serde(default)]
    rules: Vec<PerspectiveRuleBody>,
    /// What becomes of events that no rule fits: `own` (the priority of their method), `hidden`, or a priority.
    #[serde(default = "own")]
    otherwise: String,
}

/// A perspective as it is kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct PerspectiveShown {
    #[serde(flatten)]
    perspective: PerspectiveBody,
    /// Comes with the program: it can be looked through, not changed.
    built_in: bool,
    /// The asker's choice.
    chosen: bool,
    /// Counts its changes; send it as If-Match with a change.
    version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<String>,
    /// Why it cannot be looked through any more: a list it names is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<String>,
}

/// A perspective to be tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerspectiveTrial {
    perspective: PerspectiveBody,
    /// RFC 3339, `now`, `now-2h`. Seven days before `until` when absent.
    since: Option<String>,
    until: Option<String>,
}

/// What a perspective makes of stored events.
#[derive(Serialize, ToSchema)]
pub(crate) struct PerspectivePreview {
    pub(crate) span: Span,
    /// By priority, most urgent first; all five.
    priorities: Vec<SeenCount>,
    hidden: i64,
    /// What each rule did, in their order.
    rules: Vec<RuleShare>,
    /// Events that no rule fits.
    otherwise: i64,
}

/// Events of one priority.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeenCount {
    priority: &'static str,
    /// Seen so through the perspective.
    events: i64,
    /// To which their methods gave it.
    own: i64,
}

/// What a rule did.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleShare {
    /// Events it fits.
    fits: i64,
    /// Of those, events it decides about; of the others a stronger rule does, or an equal one before it.
    takes: i64,
}

/// Perspectives to carry elsewhere.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerspectiveFile {
    /// `weir perspectives 1`.
    format: String,
    perspectives: Vec<PerspectiveBody>,
}

/// What became of an import, in the order of the file.
#[derive(Serialize, ToSchema)]
pub(crate) struct PerspectiveResults {
    results: Vec<PerspectiveResult>,
    /// How many were kept.
    kept: usize,
}

/// What became of one.
#[derive(Serialize, ToSchema)]
pub(crate) struct PerspectiveResult {
    name: String,
    kept: bool,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Which perspective one looks through from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerspectiveChoice {
    /// Absent or `security`: the built-in one.
    name: Option<String>,
}

/// A perspective that was kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeptVersion {
    version: i64,
}

fn own() -> String {
    Seen::Own.word().to_owned()
}

/// All perspectives, the built-in one first, then by name.
#[utoipa::path(get, path = "/perspectives", tag = "perspectives",
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [PerspectiveShown]), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Vec<PerspectiveShown>>> {
    let store = store(&app)?;
    let chosen = store.chosen_perspective(&app.set.site, who.user()).await?;
    let kept = store.perspectives(Some(&app.set.site)).await?;
    let lists = |name: &str| app.set.program.list(name);
    let is_chosen = |name: &str| chosen.as_deref().unwrap_or(Perspective::STANDARD) == name;
    let standard = PerspectiveShown {
        perspective: Perspective::standard().into(),
        built_in: true,
        chosen: is_chosen(Perspective::STANDARD),
        version: 0,
        author: None,
        changed: None,
        broken: None,
    };
    let own = kept.into_iter().map(|kept| PerspectiveShown {
        chosen: is_chosen(&kept.perspective.name),
        broken: Lens::new(&kept.perspective, &lists)
            .err()
            .map(|error| error.to_string()),
        perspective: kept.perspective.into(),
        built_in: false,
        version: kept.version,
        author: Some(kept.author),
        changed: Some(rfc3339(kept.changed)),
    });
    Ok(Json(std::iter::once(standard).chain(own).collect()))
}

/// Makes a perspective, or changes the one of this name.
#[utoipa::path(put, path = "/perspectives/{name}", tag = "perspectives", params(("name" = String, Path)),
    request_body = PerspectiveBody, security(("session" = ["editor"]), ("token" = ["editor"])),
    responses((status = 200, body = KeptVersion), (status = 400, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn keep(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(name): Part<String>,
    headers: HeaderMap,
    Body(body): Body<PerspectiveBody>,
) -> Result<Json<KeptVersion>> {
    if body.name != name {
        return Err(Problem::at("/name", "must be the name in the address"));
    }
    let seen = match headers.get("if-match").map(|etag| etag.to_str()) {
        None => None,
        Some(etag) => {
            let number = etag.ok().and_then(|etag| etag.trim_matches('"').parse().ok());
            Some(number.ok_or_else(|| Problem::at("if-match", "must be the version of a perspective"))?)
        }
    };
    let perspective = checked(&app, body)?;
    let version = store(&app)?
        .keep_perspective(&app.set.site, &perspective, seen, &who.name, clock())
        .await?;
    Ok(Json(KeptVersion { version }))
}

/// Removes a perspective. Who looked through it looks through the built-in one again.
#[utoipa::path(delete, path = "/perspectives/{name}", tag = "perspectives", params(("name" = String, Path)),
    security(("session" = ["editor"]), ("token" = ["editor"])),
    responses((status = 204, description = "Removed"), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(name): Part<String>,
) -> Result<StatusCode> {
    store(&app)?
        .remove_perspective(&app.set.site, &name, &who.name, clock())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What would a perspective make of the events of the last seven days?
#[utoipa::path(post, path = "/perspectives/preview", tag = "perspectives", request_body = PerspectiveTrial,
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = PerspectivePreview), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn preview(
    State(app): State<Arc<App>>,
    Body(trial): Body<PerspectiveTrial>,
) -> Result<Json<PerspectivePreview>> {
    let since = trial.since.as_deref().unwrap_or(PREVIEW);
    let window = Window::read(Some(since), trial.until.as_deref(), app.now())?;
    let lens = compiled(&app, &trial.perspective.read("/perspective")?)?;
    let tally = store(&app)?.tally(&lens, window.since, window.until).await?;
    Ok(Json(PerspectivePreview::new(window.span(), &tally)))
}

/// All perspectives of the site in a form that can be imported elsewhere.
#[utoipa::path(get, path = "/perspectives/export", tag = "perspectives",
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = PerspectiveFile), (status = 503, body = Problem)))]
pub(crate) async fn export(State(app): State<Arc<App>>) -> Result<Json<PerspectiveFile>> {
    let kept = store(&app)?.perspectives(Some(&app.set.site)).await?;
    Ok(Json(PerspectiveFile {
        format: Carried::FORMAT.to_owned(),
        perspectives: kept.into_iter().map(|kept| kept.perspective.into()).collect(),
    }))
}

/// Keeps the perspectives of an export, in the place of those of the same names. Each has its own result; an import may be
/// repeated.
#[utoipa::path(post, path = "/perspectives/import", tag = "perspectives", request_body = PerspectiveFile,
    security(("session" = ["editor"]), ("token" = ["editor"])),
    responses((status = 200, body = PerspectiveResults), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn import(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(file): Body<PerspectiveFile>,
) -> Result<Json<PerspectiveResults>> {
    if file.format != Carried::FORMAT {
        return Err(Problem::at(
            "/format",
            format!("must be {:?}, as an export says it", Carried::FORMAT),
        ));
    }
    if file.perspectives.len() > IMPORT_MAX {
        return Err(Problem::at(
            "/perspectives",
            format!("may be {IMPORT_MAX} at most"),
        ));
    }
    let store = store(&app)?;
    let mut results = Vec::with_capacity(file.perspectives.len());
    for body in file.perspectives {
        let name = body.name.clone();
        let kept = match checked(&app, body) {
            Ok(perspective) => store
                .keep_perspective(&app.set.site, &perspective, None, &who.name, clock())
                .await
                .map(|_| ())
                .map_err(Problem::from),
            Err(problem) => Err(problem),
        };
        if kept.as_ref().is_err_and(Problem::is_ours) {
            kept?;
            continue;
        }
        let why = kept.err().map(|problem| problem.detail().to_owned());
        results.push(PerspectiveResult {
            name,
            kept: why.is_none(),
            why,
        });
    }
    let kept = results.iter().filter(|result| result.kept).count();
    Ok(Json(PerspectiveResults { results, kept }))
}

/// Remembers which perspective the asker looks through when nothing else is said.
#[utoipa::path(put, path = "/perspectives/choice", tag = "perspectives", request_body = PerspectiveChoice,
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 204, description = "Remembered"), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn choose(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(choice): Body<PerspectiveChoice>,
) -> Result<StatusCode> {
    let name = choice
        .name
        .as_deref()
        .filter(|name| *name != Perspective::STANDARD);
    store(&app)?
        .choose_perspective(&app.set.site, who.user(), name)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The perspective a question names, ready to be looked through; `None`: the built-in one.
pub(crate) async fn lens(app: &App, name: Option<&str>) -> Result<Option<Arc<Lens>>> {
    let name = name.filter(|name| !name.is_empty() && *name != Perspective::STANDARD);
    let Some(name) = name else { return Ok(None) };
    let kept: KeptPerspective = store(app)?.perspective(&app.set.site, name).await?;
    Ok(Some(Arc::new(compiled(app, &kept.perspective)?)))
}

/// A perspective within bounds whose filters can be read.
fn checked(app: &App, body: PerspectiveBody) -> Result<Perspective> {
    let perspective = body.read("")?;
    compiled(app, &perspective)?;
    Ok(perspective)
}

fn compiled(app: &App, perspective: &Perspective) -> Result<Lens> {
    let lists = |name: &str| app.set.program.list(name);
    Lens::new(perspective, &lists).map_err(|error| match error {
        LensError::Filter { place, error } => Problem::filter(&place, &error),
        LensError::Bounds(error) => Problem::at(&error.place, error.why),
        LensError::TooLarge { .. } => Problem::at("/rules", error.to_string()),
    })
}

impl PerspectiveBody {
    /// The perspective; `at` is where it stands in the request.
    fn read(self, at: &str) -> Result<Perspective> {
        let seen = |place: String, word: &str| {
            let wrong = || {
                Problem::at(
                    &place,
                    "must be hidden, own, informational, low, medium, high or critical",
                )
            };
            Seen::from_word(word).ok_or_else(wrong)
        };
        let rules = self.rules.into_iter().enumerate().map(|(number, rule)| {
            Ok(PerspectiveRule {
                give: seen(format!("{at}/rules/{number}/give"), &rule.give)?,
                methods: rule.methods,
                instances: rule.instances,
                feeds: rule.feeds,
                source: rule.source,
                target: rule.target,
                host: rule.host,
            })
        });
        Ok(Perspective {
            rules: rules.collect::<Result<_>>()?,
            otherwise: seen(format!("{at}/otherwise"), &self.otherwise)?,
            name: self.name,
            title: self.title.trim().to_owned(),
            about: self.about.trim().to_owned(),
        })
    }
}

impl From<Perspective> for PerspectiveBody {
    fn from(perspective: Perspective) -> Self {
        let rules = perspective.rules.into_iter().map(|rule| PerspectiveRuleBody {
            methods: rule.methods,
            instances: rule.instances,
            feeds: rule.feeds,
            source: rule.source,
            target: rule.target,
            host: rule.host,
            give: rule.give.word().to_owned(),
        });
        Self {
            name: perspective.name,
            title: perspective.title,
            about: perspective.about,
            rules: rules.collect(),
            otherwise: perspective.otherwise.word().to_owned(),
        }
    }
}

impl PerspectivePreview {
    fn new(span: Span, tally: &Tally) -> Self {
        let priorities = Priority::ALL.into_iter().rev().map(|priority| SeenCount {
            priority: priority.word(),
            events: tally.seen[priority as usize],
            own: tally.own[priority as usize],
        });
        let rules = tally.rules.iter().map(|RuleTally { fits, takes }| RuleShare {
            fits: *fits,
            takes: *takes,
        });
        Self {
            span,
            priorities: priorities.collect(),
            hidden: tally.hidden,
            rules: rules.collect(),
            otherwise: tally.otherwise,
        }
    }
}
