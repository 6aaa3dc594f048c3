//! Profiles: views that are counted while flow records are stored, and their numbers over time.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weir_model::{NANOS_PER_S, Time};
use weir_store::flow::profile::{CLASSES, Class, STEPS, Series, SeriesError, View, series as counted, table};

use crate::flows::FlowColumn;
use crate::problem::{Params, Problem, Result};
use crate::window::{Span, Window, rfc3339};
use crate::{App, Flows, search};

/// Every step is a multiple of this.
const STEP_NS: i64 = 30 * NANOS_PER_S;

/// What is counted.
#[derive(Serialize, ToSchema)]
pub(crate) struct Profiles {
    profiles: Vec<ProfileShown>,
    /// Since when each step is known, finest first.
    steps: Vec<KeptStep>,
}

/// A profile.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProfileShown {
    name: String,
    title: String,
    /// In the filter language.
    filter: String,
    channels: Vec<ChannelShown>,
    /// Is it counted? Otherwise what was counted can still be asked.
    active: bool,
}

/// A channel of a profile.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelShown {
    name: String,
    /// In the filter language, within the profile's.
    filter: String,
}

/// A step that is kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeptStep {
    seconds: i64,
    /// RFC 3339 in UTC; absent when nothing is known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

/// Which numbers.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProfileParams {
    /// Steps that begin at or after: RFC 3339, `now`, `now-2h` (s, m, h, d). A day before `until` when absent.
    since: Option<String>,
    /// And before; `now` when absent.
    until: Option<String>,
    /// A channel; the first when absent.
    channel: Option<String>,
    /// `all`, `tcp`, `udp`, `icmp` or `other`; `all` when absent.
    class: Option<String>,
    /// Seconds of a step, rounded up to a multiple of 30 of which the span has at most 2000; about 120 steps when absent.
    step: Option<u32>,
}

/// Numbers of a channel over time. Steps without records are left out.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProfileSeries {
    span: Span,
    profile: String,
    channel: String,
    /// Which records.
    class: &'static str,
    step_s: f64,
    columns: Vec<FlowColumn>,
    /// Cells in the order of the columns: number, text, true, false or null.
    #[schema(value_type = Vec<Vec<Object>>)]
    rows: Vec<Vec<serde_json::Value>>,
}

async fn view(app: &Arc<App>) -> Result<View> {
    let Flows::Own {
        disk,
        shared,
        profiles,
    } = search::flows(app)?
    else {
        return Err(Problem::unavailable(
            "profiles are counted where flow records lie in a folder or an object store, not in a ClickHouse",
        ));
    };
    let read = search::in_turn(app, move || View::shared(disk, &shared, &profiles)).await?;
    read.map_err(Problem::internal)
}

/// The profiles.
#[utoipa::path(get, path = "/profiles", tag = "profiles", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = Profiles), (status = 503, body = Problem)))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Profiles>> {
    let view = view(&app).await?;
    let steps = STEPS.iter().map(|step| KeptStep {
        seconds: step.millis() / 1000,
        since: view
            .since(*step)
            .map(|millis| rfc3339(Time(millis.saturating_mul(1_000_000)))),
    });
    let steps = steps.collect();
    let profiles = view.known.profiles.into_iter().map(|kept| ProfileShown {
        name: kept.name,
        title: kept.title,
        filter: kept.filter,
        channels: kept
            .channels
            .into_iter()
            .map(|channel| ChannelShown {
                name: channel.name,
                filter: channel.filter,
            })
            .collect(),
        active: kept.active,
    });
    Ok(Json(Profiles {
        profiles: profiles.collect(),
        steps,
    }))
}

/// What a profile counted, over time.
#[utoipa::path(get, path = "/profiles/{name}/series", tag = "profiles", params(("name" = String, Path), ProfileParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = ProfileSeries), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem)))]
pub(crate) async fn series(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Params(params): Params<ProfileParams>,
) -> Result<Json<ProfileSeries>> {
    let window = Window::read(params.since.as_deref(), params.until.as_deref(), app.now())?;
    let class = params.class.as_deref().map_or(Some(Class::All), Class::from_word);
    let known = || format!("must be one of {}", CLASSES.map(Class::word).join(", "));
    let class = class.ok_or_else(|| Problem::at("class", known()))?;
    let step_ns = window.step_ns(params.step);
    let step_ms = (step_ns + STEP_NS - 1) / STEP_NS * STEP_NS / 1_000_000;
    let view = view(&app).await?;
    let first = view.known.profile(&name).and_then(|kept| kept.channels.first());
    let channel = params
        .channel
        .or_else(|| first.map(|channel| channel.name.clone()));
    let channel = channel.unwrap_or_default();
    let (profile, asked_channel) = (name.clone(), channel.clone());
    let points = search::in_turn(&app, move || {
        let asked = Series {
            profile: &profile,
            channel: &asked_channel,
            step_ms,
            from_ms: window.since.0.div_euclid(1_000_000),
            to_ms: window.until.0.div_euclid(1_000_000),
        };
        counted(&asked, &view)
    });
    let points = points.await?.map_err(|error| match error {
        SeriesError::Profile(_) => Problem::not_found(error.to_string()),
        SeriesError::Channel(..) => Problem::at("channel", error.to_string()),
        SeriesError::Step | SeriesError::TooMany => Problem::at("step", error.to_string()),
        SeriesError::Store(error) => Problem::internal(error),
    })?;
    let found = table(&points, class, step_ms);
    let rows = found
        .rows
        .iter()
        .map(|row| row.iter().map(search::cell).collect());
    Ok(Json(ProfileSeries {
        span: window.span(),
        profile: name,
        channel,
        class: class.word(),
        step_s: step_ms as f64 / 1000.0,
        columns: search::columns(&found),
        rows: rows.collect(),
    }))
}
