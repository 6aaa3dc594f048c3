//! Rules of false positives: proposed from an event, previewed over stored events, put in force, taken back.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weir_model::{Conditions, FalsePositiveRule, NANOS_PER_S, Time};
use weir_store::event::{Filter, KeptRule};

use crate::App;
use crate::events::{self, EventRow};
use crate::guard::Who;
use crate::hosts::prefix;
use crate::problem::{Body, Params, Part, Problem, Result};
use crate::secret;
use crate::state::clock;
use crate::window::{Window, rfc3339};

/// Days a rule may last; longer ones are rules without an end.
const DAYS_MAX: u32 = 3660;
/// Events shown of a preview.
const SHOWN: usize = 20;
/// Days without a hit after which a rule is proposed for removal.
const UNUSED_DAYS: i64 = 90;

/// What is harmless. A list that is empty or absent asks nothing; one entry of a list must fit, and all lists must.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RuleConditions {
    /// `METHOD` or `METHOD.Submethod`.
    pub(crate) methods: Vec<String>,
    /// Instances of methods.
    pub(crate) instances: Vec<String>,
    pub(crate) feeds: Vec<String>,
    /// Addresses or prefixes of the source.
    pub(crate) sources: Vec<String>,
    /// Hardware addresses of the source.
    pub(crate) macs: Vec<String>,
    /// Addresses or prefixes; every target of the event must lie in one of them.
    pub(crate) targets: Vec<String>,
    /// Every target of the event must have one of these ports.
    pub(crate) ports: Vec<u16>,
}

/// A rule.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleShown {
    id: String,
    conditions: RuleConditions,
    author: String,
    /// RFC 3339, as all times.
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// Past its end: it hides nothing any more.
    expired: bool,
    note: String,
    /// Findings it hid. Up to a second old.
    hits: i64,
    /// When the last of those was detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_hit: Option<String>,
    /// Stored events that carry its mark.
    marked: i64,
    /// Hid nothing for 90 days: a candidate for removal.
    unused: bool,
}

/// A rule to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRule {
    conditions: RuleConditions,
    /// Why it is harmless.
    #[serde(default)]
    note: String,
    /// Days it holds; absent: until it is removed.
    days: Option<u32>,
    /// Marks the stored events it fits as false positives, too.
    #[serde(default)]
    mark_stored: bool,
}

/// A rule that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeRule {
    id: String,
    /// Stored events that were marked.
    marked: u64,
}

/// A rule to be tried over stored events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleTrial {
    conditions: RuleConditions,
    /// RFC 3339, `now`, `now-7d`. Thirty days before `until` when absent.
    since: Option<String>,
    until: Option<String>,
}

/// What a rule would have hidden.
#[derive(Serialize, ToSchema)]
pub(crate) struct RulePreview {
    /// Stored events it fits.
    events: usize,
    /// Of those, events that people worked on: acknowledged, closed, assigned or commented as real.
    worked_on: usize,
    /// False: there are more stored events than were looked at (the latest 20,000).
    whole: bool,
    /// The latest of them.
    latest: Vec<EventRow>,
    since: String,
    until: String,
}

/// The rule that an event proposes.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProposedRule {
    /// This method and submethod, this source, these targets and ports.
    conditions: RuleConditions,
    note: String,
}

/// How a rule is removed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Removal {
    /// Takes the marks it made off stored events as well.
    #[serde(default)]
    unmark: bool,
}

/// What became of a removal.
#[derive(Serialize, ToSchema)]
pub(crate) struct Removed {
    /// Events whose mark was taken off.
    unmarked: u64,
}

/// Rules in the order of creation, which is the order they are asked in.
#[utoipa::path(get, path = "/false-positives", tag = "events", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [RuleShown]), (status = 503, body = Problem)))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<RuleShown>>> {
    let rules = events::store(&app)?.rules(Some(&app.set.site)).await?;
    let now = app.now();
    Ok(Json(rules.into_iter().map(|kept| shown(kept, now)).collect()))
}

/// The rule an event proposes: its method, source, targets and ports. Widen or narrow it, preview it, then make it.
#[utoipa::path(get, path = "/events/{id}/false-positive", tag = "events", params(("id" = String, Path)),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = ProposedRule), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn propose(
    State(app): State<Arc<App>>,
    Part(id): Part<String>,
) -> Result<Json<ProposedRule>> {
    let store = events::store(&app)?;
    let detail = store.get(&store.find(&id).await?).await?;
    let row = detail.row;
    let document: serde_json::Value = serde_json::from_str(&detail.document).map_err(Problem::internal)?;
    let mut conditions = RuleConditions {
        methods: vec![format!("{}.{}", row.method, row.submethod)],
        ..RuleConditions::default()
    };
    if row.instance != "default" {
        conditions.instances.push(row.instance);
    }
    match (row.source_ip, row.source_mac) {
        (Some(ip), _) => conditions.sources.push(ip),
        (None, Some(mac)) => conditions.macs.push(mac),
        (None, None) => {}
    }
    let targets = document["targets"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    // A rule for more targets than are listed could not name them all: then it names none.
    let named = row.target_count <= targets.len() as i64
        && targets.len() <= weir_model::FALSE_POSITIVE_ENTRIES_MAX
        && targets.iter().all(|target| target["ip"].is_string());
    if named {
        for target in targets {
            let ip = target["ip"].as_str().unwrap_or_default().to_owned();
            if !conditions.targets.contains(&ip) {
                conditions.targets.push(ip);
            }
        }
        let ports = targets.iter().map(|target| target["port"].as_u64());
        let ports = ports.map(|port| port.and_then(|port| u16::try_from(port).ok()));
        if let Some(mut ports) = ports.collect::<Option<Vec<u16>>>() {
            ports.sort_unstable();
            ports.dedup();
            conditions.ports = ports;
        }
    }
    Ok(Json(ProposedRule {
        conditions,
        note: String::new(),
    }))
}

/// Which stored events would the rule have hidden?
#[utoipa::path(post, path = "/false-positives/preview", tag = "events", request_body = RuleTrial,
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = RulePreview), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn preview(
    State(app): State<Arc<App>>,
    Body(trial): Body<RuleTrial>,
) -> Result<Json<RulePreview>> {
    let conditions = read(&trial.conditions)?;
    let since = trial.since.as_deref().unwrap_or("now-30d");
    let window = Window::read(Some(since), trial.until.as_deref(), app.now())?;
    let fitting = events::store(&app)?
        .fitting(&conditions, &events::within(window))
        .await?;
    let worked = |row: &&weir_store::event::Row| !row.false_positive && row.workflow != "new";
    Ok(Json(RulePreview {
        events: fitting.events.len(),
        worked_on: fitting.events.iter().filter(worked).count(),
        whole: fitting.whole,
        latest: fitting
            .events
            .into_iter()
            .take(SHOWN)
            .map(EventRow::from)
            .collect(),
        since: rfc3339(window.since),
        until: rfc3339(window.until),
    }))
}

/// Makes a rule. What it fits is hidden from now on; with `mark_stored` the stored events it fits are marked as well.
#[utoipa::path(post, path = "/false-positives", tag = "events", request_body = NewRule,
    security(("session" = ["analyst"]), ("token" = ["analyst"])),
    responses((status = 201, body = MadeRule), (status = 400, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(new): Body<NewRule>,
) -> Result<(StatusCode, Json<MadeRule>)> {
    let conditions = read(&new.conditions)?;
    let created = clock();
    let expires = match new.days {
        None => None,
        // Rules end by the time of the traffic, which in a demonstration is not the clock's.
        Some(days @ 1..=DAYS_MAX) => Some(app.now() + i64::from(days) * 86_400 * NANOS_PER_S),
        Some(_) => return Err(Problem::at("/days", format!("must be 1 to {DAYS_MAX}"))),
    };
    let store = events::store(&app)?;
    let mark = if new.mark_stored {
        let all = Filter {
            sites: vec![app.set.site.clone()],
            ..Filter::default()
        };
        let fitting = store.fitting(&conditions, &all).await?;
        fitting.events.into_iter().map(|row| row.id).collect()
    } else {
        Vec::new()
    };
    let rule = FalsePositiveRule {
        id: secret::short_id(),
        site: app.set.site.clone(),
        conditions,
        author: who.name,
        created,
        expires,
        note: new.note.trim().to_owned(),
    };
    let marked = store.add_rule(&rule, &mark).await?;
    enforce(&app).await?;
    Ok((StatusCode::CREATED, Json(MadeRule { id: rule.id, marked })))
}

/// Removes a rule: what it hid from now on shows again; with `unmark` the stored events it marked do, too.
#[utoipa::path(delete, path = "/false-positives/{id}", tag = "events", params(("id" = String, Path), Removal),
    security(("session" = ["analyst"]), ("token" = ["analyst"])),
    responses((status = 200, body = Removed), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Part(id): Part<String>,
    Params(removal): Params<Removal>,
) -> Result<Json<Removed>> {
    let store = events::store(&app)?;
    let unmarked = store
        .remove_rule(&app.set.site, &id, removal.unmark, &who.name, clock())
        .await?;
    enforce(&app).await?;
    Ok(Json(Removed { unmarked }))
}

/// Tells the pipelines which rules there are.
async fn enforce(app: &App) -> Result<()> {
    let rules = events::store(app)?.rules(None).await?;
    app.set
        .program
        .rules(rules.into_iter().map(|kept| kept.rule).collect());
    Ok(())
}

fn read(asked: &RuleConditions) -> Result<Conditions> {
    let nets = |place: &str, list: &[String]| {
        list.iter()
            .map(|text| prefix(&format!("/conditions/{place}"), text.trim()))
            .collect::<Result<Vec<IpNet>>>()
    };
    let words = |list: &[String]| list.iter().map(|word| word.trim().to_owned()).collect::<Vec<_>>();
    let macs = asked.macs.iter().map(|text| {
        text.trim()
            .parse()
            .map_err(|why: String| Problem::at("/conditions/macs", why))
    });
    let conditions = Conditions {
        methods: words(&asked.methods),
        instances: words(&asked.instances),
        feeds: words(&asked.feeds),
        sources: nets("sources", &asked.sources)?,
        macs: macs.collect::<Result<_>>()?,
        targets: nets("targets", &asked.targets)?,
        ports: asked.ports.clone(),
    };
    let texts = [&conditions.methods, &conditions.instances, &conditions.feeds];
    if texts
        .into_iter()
        .flatten()
        .any(|word| word.is_empty() || word.len() > 128)
    {
        return Err(Problem::at("/conditions", "a name has 1 to 128 bytes"));
    }
    match conditions.check() {
        Ok(()) => Ok(conditions),
        Err(why) => Err(Problem::at("/conditions", why.to_string())),
    }
}

fn shown(kept: KeptRule, now: Time) -> RuleShown {
    let KeptRule {
        rule,
        hits,
        last_hit,
        marked,
    } = kept;
    let used = last_hit.unwrap_or(rule.created).max(rule.created);
    let nets = |nets: &[IpNet]| {
        let texts = nets.iter().map(|net| {
            let single = net.prefix_len() == net.max_prefix_len();
            if single {
                net.addr().to_string()
            } else {
                net.to_string()
            }
        });
        texts.collect::<Vec<_>>()
    };
    let conditions = &rule.conditions;
    RuleShown {
        conditions: RuleConditions {
            methods: conditions.methods.clone(),
            instances: conditions.instances.clone(),
            feeds: conditions.feeds.clone(),
            sources: nets(&conditions.sources),
            macs: conditions.macs.iter().map(ToString::to_string).collect(),
            targets: nets(&conditions.targets),
            ports: conditions.ports.clone(),
        },
        id: rule.id,
        author: rule.author,
        created: rfc3339(rule.created),
        expires: rule.expires.map(rfc3339),
        expired: rule.expires.is_some_and(|expires| expires <= now),
        note: rule.note,
        hits,
        last_hit: last_hit.map(rfc3339),
        marked,
        unused: now.since(used) > UNUSED_DAYS * 86_400 * NANOS_PER_S,
    }
}
