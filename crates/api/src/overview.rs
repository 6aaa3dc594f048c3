//! Is something wrong, where do I start, can I trust the data?

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weir_model::{NANOS_PER_S, Priority};
use weir_query::Expr;
use weir_store::event::{Facet, Filter, Sort};
use weir_store::flow::search::Shape;

use crate::App;
use crate::events::{Count, EventRow};
use crate::health::DataHealth;
use crate::peers::RiskyPeer;
use crate::performance::{Performance, performance};
use crate::problem::{Params, Problem, Result};
use crate::window::{Span, Window};
use crate::{events, health, peers, perspectives, search, threat};

/// Methods told apart.
const METHODS: u32 = 100;
/// Events that sources are judged by, and shown.
const WORST_READ: u32 = 1000;
const WORST: usize = 10;
/// Sources shown.
const SOURCES: usize = 10;
/// Seconds shown on either side of the latest event when the span asked for is empty.
const AROUND_S: i64 = 3600;

/// Which span.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OverviewParams {
    /// RFC 3339, `now`, `now-2h` (s, m, h, d). A day before `until` when absent.
    pub(crate) since: Option<String>,
    /// `now` when absent.
    pub(crate) until: Option<String>,
    /// Name of a perspective that events are seen from; `security`, the built-in one, when absent.
    pub(crate) perspective: Option<String>,
}

/// The first page.
#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    pub(crate) span: Span,
    /// The span of the same length just before, for comparison.
    pub(crate) before: Span,
    /// Events by priority, most urgent first; all five.
    pub(crate) priorities: Vec<PriorityCount>,
    /// Events by method, most first.
    pub(crate) methods: Vec<MethodCount>,
    /// Hosts that events are about, most urgent first.
    pub(crate) sources: Vec<RiskySource>,
    /// Hosts outside that events are about, most urgent first.
    pub(crate) peers: Vec<RiskyPeer>,
    /// Events of the highest risk that nobody has closed.
    pub(crate) worst: Vec<EventRow>,
    /// Absent when no flows are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traffic: Option<Traffic>,
    /// Absent when no flows are kept, or nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) performance: Option<Performance>,
    pub(crate) health: DataHealth,
    /// Where data are, when the span has none of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Span>,
}

/// Events of one priority.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriorityCount {
    pub(crate) priority: &'static str,
    pub(crate) events: i64,
    /// In the span before.
    pub(crate) before: i64,
}

/// Events of one method.
#[derive(Serialize, ToSchema)]
pub(crate) struct MethodCount {
    pub(crate) method: String,
    pub(crate) title: String,
    pub(crate) events: i64,
    /// In the span before.
    pub(crate) before: i64,
}

/// A host that events are about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RiskySource {
    /// Address, or hardware address where there is none.
    pub(crate) source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) events: i64,
    /// The highest risk of an event.
    pub(crate) risk: i64,
    /// What its events amount to, 0 to 100.
    pub(crate) threat: f64,
    /// The highest priority of an event.
    pub(crate) priority: &'static str,
    /// Methods that found something, most events first.
    pub(crate) methods: Vec<Count>,
}

/// Traffic over time.
#[derive(Serialize, ToSchema)]
pub(crate) struct Traffic {
    pub(crate) step_s: f64,
    pub(crate) points: Vec<TrafficPoint>,
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Over the span.
    pub(crate) bits_per_s_avg: f64,
    /// In the busiest step.
    pub(crate) bits_per_s_max: f64,
}

/// One step of traffic.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TrafficPoint {
    /// RFC 3339.
    pub(crate) start: String,
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// The first page in one answer.
#[utoipa::path(get, path = "/overview", tag = "overview", params(OverviewParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = Overview), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn overview(
    State(app): State<Arc<App>>,
    Params(params): Params<OverviewParams>,
) -> Result<Json<Overview>> {
    let window = Window::read(params.since.as_deref(), params.until.as_deref(), app.now())?;
    let before = window.before();
    let store = events::store(&app)?;
    let lens = perspectives::lens(&app, params.perspective.as_deref()).await?;
    let within = |window| Filter {
        lens: lens.clone(),
        ..events::within(window)
    };
    let (now_filter, before_filter) = (within(window), within(before));
    let by = async |facet, filter| events::counts(store, filter, facet, METHODS).await;
    let priorities = by(Facet::Priority, &now_filter).await?;
    let priorities_before = by(Facet::Priority, &before_filter).await?;
    let methods = by(Facet::Method, &now_filter).await?;
    let methods_before = by(Facet::Method, &before_filter).await?;
    let worst = store.list(&now_filter, Sort::Risk, WORST_READ, None).await?.rows;
    let worst: Vec<EventRow> = worst.into_iter().map(EventRow::from).collect();
    let threats = store.threats(&now_filter).await?;
    let threats = threats
        .iter()
        .map(|(ip, about)| (ip.as_str(), threat::score(about, app.now()).score))
        .collect();
    let traffic = match &app.set.flows {
        Some(_) => Some(traffic(&app, window).await?),
        None => None,
    };
    let peers = peers::outside(&app, window, &now_filter, &worst).await?;
    let empty = worst.is_empty() && traffic.as_ref().is_none_or(|traffic| traffic.flows == 0);
    Ok(Json(Overview {
        span: window.span(),
        before: before.span(),
        priorities: [
            Priority::Critical,
            Priority::High,
            Priority::Medium,
            Priority::Low,
            Priority::Informational,
        ]
        .map(|priority| PriorityCount {
            priority: priority.word(),
            events: count_of(&priorities, priority.word()),
            before: count_of(&priorities_before, priority.word()),
        })
        .into(),
        methods: methods
            .into_iter()
            .map(|Count { value, count }| MethodCount {
                title: title(&app, &value),
                before: count_of(&methods_before, &value),
                events: count,
                method: value,
            })
            .collect(),
        sources: sources(&worst, &threats),
        peers,
        worst: worst
            .into_iter()
            .filter(|event| event.workflow != "resolved" && !event.false_positive)
            .take(WORST)
            .collect(),
        traffic,
        performance: performance(&app, window).await?,
        health: health::judge(&app.status()),
        data: if empty { data(&app).await? } else { None },
    }))
}

fn count_of(counts: &[Count], value: &str) -> i64 {
    let found = counts.iter().find(|count| count.value == value);
    found.map_or(0, |count| count.count)
}

fn title(app: &App, code: &str) -> String {
    let page = app.set.methods.iter().find(|page| page.meta.code == code);
    page.map_or_else(|| code.to_owned(), |page| page.meta.title.to_owned())
}

/// Sources of these events, which come highest risk first: most urgent first.
fn sources(worst: &[EventRow], threats: &BTreeMap<&str, f64>) -> Vec<RiskySource> {
    let mut sources: Vec<RiskySource> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for event in worst.iter().filter(|event| !event.false_positive) {
        let Some(source) = event.source_ip.as_deref().or(event.source_mac.as_deref()) else {
            continue;
        };
        let at = *places.entry(source).or_insert_with(|| {
            sources.push(RiskySource {
                source: source.to_owned(),
                name: event.source_name.clone(),
                events: 0,
                risk: event.risk,
                threat: threats.get(source).copied().unwrap_or(0.0),
                priority: event.priority,
                methods: Vec::new(),
            });
            sources.len() - 1
        });
        let known = &mut sources[at];
        known.events += 1;
        if Priority::from_word(event.priority) > Priority::from_word(known.priority) {
            known.priority = event.priority;
        }
        match known.methods.iter_mut().find(|count| count.value == event.method) {
            Some(count) => count.count += 1,
            None => known.methods.push(Count {
                value: event.method.clone(),
                count: 1,
            }),
        }
    }
    sources.sort_by(|one, other| {
        let by_threat = other.threat.total_cmp(&one.threat);
        by_threat.then((other.risk, other.events).cmp(&(one.risk, one.events)))
    });
    sources.truncate(SOURCES);
    for source in &mut sources {
        source.methods.sort_by_key(|count| std::cmp::Reverse(count.count));
    }
    sources
}

async fn traffic(app: &Arc<App>, window: Window) -> Result<Traffic> {
    let bucket_ns = window.step_ns(None);
    let shape = Shape::Series {
        bucket_ns,
        measures: search::measures(app)?,
    };
    let (found, _) = search::table(app, window, Expr::Any, shape).await?;
    let points: Vec<TrafficPoint> = found
        .rows
        .iter()
        .map(|line| TrafficPoint {
            start: search::text(line, 0).unwrap_or_default(),
            flows: search::number(line, 1),
            packets: search::number(line, 2),
            bytes: search::number(line, 3),
        })
        .collect();
    let sum = |of: fn(&TrafficPoint) -> u64| points.iter().map(of).fold(0, u64::saturating_add);
    let bytes = sum(|point| point.bytes);
    let step_s = bucket_ns as f64 / NANOS_PER_S as f64;
    let busiest = points.iter().map(|point| point.bytes).max().unwrap_or(0);
    Ok(Traffic {
        step_s,
        flows: sum(|point| point.flows),
        packets: sum(|point| point.packets),
        bytes,
        bits_per_s_avg: bytes as f64 * 8.0 / window.until.secs_since(window.since),
        bits_per_s_max: busiest as f64 * 8.0 / step_s,
        points,
    })
}

/// Where events are, when the span has nothing: a span around the latest.
async fn data(app: &App) -> Result<Option<Span>> {
    let all = Filter::default();
    let latest = events::store(app)?
        .list(&all, Sort::Detected, 1, None)
        .await?
        .rows;
    let now = app.now();
    latest.first().map_or(Ok(None), |event| {
        let at = Window::read(None, Some(&event.last_update), now)?.until;
        Ok(Some(
            Window {
                since: at - AROUND_S * NANOS_PER_S,
                until: at + AROUND_S * NANOS_PER_S,
            }
            .span(),
        ))
    })
}
