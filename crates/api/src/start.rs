//! The first day: what is done and what is left, which networks look like one's own, how much each preset would say.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weir_store::flow::search::{Cut, Figure, Measure};

use crate::App;
use crate::guard::Who;
use crate::health::{Level, judge};
use crate::jobs::{Begun, Job, JobKind, Task};
use crate::problem::{Body, Problem, Result};
use crate::settings::{Origin, off_thread};
use crate::status::{SourceState, Status};
use crate::window::Window;
use crate::{filter, search};

/// Networks that are looked at.
const NETWORKS_MAX: usize = 1000;
/// Networks that are shown of each block.
const SHOWN_MAX: usize = 20;
/// A public network that begins at least this share of all flows is asked about.
const OWN_SHARE: f64 = 0.2;
/// Blocks that nobody routes to, by RFC 1918 and RFC 4193.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// A step of the first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Somebody can log in.
    Administrator,
    /// Traffic comes in, and becomes flow records.
    Sources,
    /// It is said which networks are inside.
    Networks,
    /// It is said how much is told.
    Preset,
    /// Lists of indicators are there and fresh.
    Indicators,
    /// Methods have learned what is normal.
    Learning,
    /// There is room on the disk.
    Disk,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepState {
    Done,
    /// Somebody has to do something.
    Todo,
    /// It comes by itself.
    Waiting,
    /// Something is wrong.
    Failed,
}

/// A line of the checklist.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StepShown {
    pub(crate) step: Step,
    pub(crate) state: StepState,
    /// How it stands, with numbers.
    pub(crate) note: String,
}

/// How far methods are that learn.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// Methods that learn and are switched on.
    pub methods: usize,
    /// Of those: methods that have learned enough of something to speak of it.
    pub ready: usize,
    /// How far the slowest is, in words; absent: none counts what it learned.
    pub rest: Option<String>,
}

/// A network that was seen.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NetworkSeen {
    /// /24 of IPv4, /64 of IPv6.
    prefix: String,
    /// At least so many: those of the side with more.
    hosts: u64,
    flows: u64,
}

/// A network that may be inside.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NetworkProposed {
    prefix: String,
    /// Private by its address: taken unless somebody says otherwise. Public ones are only asked about.
    private: bool,
    /// Is it inside as the settings stand?
    configured: bool,
    /// Why it is proposed.
    why: String,
    /// What was seen in it, most flows first.
    seen: Vec<NetworkSeen>,
}

/// What each preset would have said.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PresetShown {
    /// `quiet`, `balanced`, `everything`
    pub preset: String,
    pub events: u64,
    /// Events a day at this rate.
    pub per_day: f64,
    /// By priority, highest first.
    pub priorities: Vec<crate::status::Counted>,
}

/// Which records are passed through the presets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PresetTrial {
    /// As for lists; an hour before `until` when absent.
    since: Option<String>,
    until: Option<String>,
}

/// The checklist.
#[utoipa::path(get, path = "/start", tag = "health", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [StepShown])))]
pub(crate) async fn checklist(State(app): State<Arc<App>>) -> Result<Json<Vec<StepShown>>> {
    let (set, lists, learned, own_inside) = off_thread(&app, |app| {
        let program = &app.set.program;
        let own_inside = program.inside();
        (
            program.settings(),
            program.indicators(),
            program.learned(),
            own_inside,
        )
    })
    .await?;
    let status = app.status();
    let origin = |key: &str| {
        let mut values = set.values.iter();
        values
            .find(|value| value.key == key)
            .map_or(Origin::Default, |value| value.origin)
    };
    let line = |step, state, note: String| StepShown { step, state, note };
    let failed = lists.iter().filter(|list| list.error.is_some()).count();
    let lists = match (lists.len(), failed) {
        (0, _) => line(
            Step::Indicators,
            StepState::Todo,
            "no list is configured".to_owned(),
        ),
        (all, 0) => line(Step::Indicators, StepState::Done, format!("{all} lists in force")),
        (all, failed) => line(
            Step::Indicators,
            StepState::Failed,
            format!("{failed} of {all} lists could not be fetched"),
        ),
    };
    let said = |key: &str, step, done: &str, todo: &str| match origin(key) {
        Origin::Default => line(step, StepState::Todo, todo.to_owned()),
        Origin::File | Origin::Managed => line(step, StepState::Done, done.to_owned()),
    };
    Ok(Json(vec![
        line(Step::Administrator, StepState::Done, "made".to_owned()),
        sources(&status),
        match own_inside {
            Some(own) => line(
                Step::Networks,
                StepState::Done,
                format!("the site's own: {}", own.join(", ")),
            ),
            None => said(
                "inside",
                Step::Networks,
                "confirmed",
                "guessed from the traffic; some methods need it said",
            ),
        },
        said(
            "preset",
            Step::Preset,
            "chosen",
            "balanced until somebody chooses",
        ),
        lists,
        learning(&learned),
        disk(&status),
    ]))
}

fn sources(status: &Status) -> StepShown {
    let delivering = status.sources.iter().filter(|source| source.flows > 0).count();
    let live: f64 = status.sources.iter().map(|source| source.flows_per_s).sum();
    let failed = status.sources.iter().find_map(|source| source.trouble.as_ref());
    let waiting = |source: &crate::status::SourceStatus| source.state == SourceState::Waiting;
    let (state, note) = match (delivering, failed) {
        (0, Some(trouble)) => (StepState::Failed, trouble.clone()),
        (0, None) if status.sources.iter().any(waiting) => {
            (StepState::Todo, "ports are open, nothing has come yet".to_owned())
        }
        (0, None) => (StepState::Todo, "there is no source yet".to_owned()),
        (all, _) => (
            StepState::Done,
            match all {
                1 => format!("one source delivers, {live:.0} flow records a second"),
                all => format!("{all} sources deliver, {live:.0} flow records a second"),
            },
        ),
    };
    StepShown {
        step: Step::Sources,
        state,
        note,
    }
}

fn learning(learned: &Learned) -> StepShown {
    let Learned { methods, ready, rest } = learned;
    let state = if ready >= methods {
        StepState::Done
    } else {
        StepState::Waiting
    };
    let rest = rest.as_ref().map_or_else(
        || "; rules and lists are active meanwhile".to_owned(),
        |rest| format!("; {rest}; rules and lists are active meanwhile"),
    );
    let note = format!("{ready} of {methods} methods that learn know what is normal");
    StepShown {
        step: Step::Learning,
        note: if state == StepState::Done {
            note
        } else {
            note + &rest
        },
        state,
    }
}

fn disk(status: &Status) -> StepShown {
    let days = status.stores.iter().filter_map(|store| store.days_left);
    let days = days.min_by(f64::total_cmp);
    let trouble = status.stores.iter().find_map(|store| store.trouble.as_ref());
    let (state, note) = match (trouble, days) {
        (Some(trouble), _) => (StepState::Failed, trouble.clone()),
        (None, Some(days)) => (
            StepState::Done,
            format!("{days:.0} days left at the present rate; the oldest records go first"),
        ),
        (None, None) if judge(status).level == Level::Bad => (StepState::Waiting, "see health".to_owned()),
        (None, None) => (StepState::Done, "room enough".to_owned()),
    };
    StepShown {
        step: Step::Disk,
        state,
        note,
    }
}

/// Networks that may be inside, from the traffic of the last day.
#[utoipa::path(get, path = "/start/networks", tag = "health",
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [NetworkProposed]), (status = 503, body = Problem)))]
pub(crate) async fn networks(State(app): State<Arc<App>>) -> Result<Json<Vec<NetworkProposed>>> {
    let (set, own) = off_thread(&app, |app| (app.set.program.settings(), app.set.program.inside())).await?;
    let inside = set.values.iter().find(|value| value.key == "inside");
    let inside = inside.and_then(|value| value.value.as_array());
    let texts = inside.into_iter().flatten().filter_map(|text| text.as_str());
    let inside: Vec<IpNet> = match &own {
        Some(own) => own.iter().filter_map(|text| text.parse().ok()).collect(),
        None => texts.filter_map(|text| text.parse().ok()).collect(),
    };
    let begun = by_network(&app, "src_ip").await?;
    let seen = joined(&begun, by_network(&app, "dst_ip").await?);
    let all: u64 = begun.iter().map(|(_, seen)| seen.flows).sum();
    let known = |prefix: &IpNet| inside.iter().any(|network| network.contains(prefix));
    let mut proposed: Vec<NetworkProposed> = Vec::new();
    for block in PRIVATE.iter().filter_map(|text| text.parse::<IpNet>().ok()) {
        let within = seen.iter().filter(|(prefix, _)| block.contains(prefix));
        let within: Vec<NetworkSeen> = within.map(|(_, seen)| seen.clone()).collect();
        if !within.is_empty() {
            proposed.push(NetworkProposed {
                prefix: block.to_string(),
                private: true,
                configured: known(&block),
                why: format!(
                    "private by its address; {} networks of it were seen",
                    within.len()
                ),
                seen: within.into_iter().take(SHOWN_MAX).collect(),
            });
        }
    }
    let private = |prefix: &IpNet| PRIVATE.iter().any(|block| holds(block, prefix));
    for (prefix, seen) in begun.iter().filter(|(prefix, _)| !private(prefix)) {
        let share = seen.flows as f64 / all.max(1) as f64;
        if share >= OWN_SHARE {
            proposed.push(NetworkProposed {
                prefix: prefix.to_string(),
                private: false,
                configured: known(prefix),
                why: format!("{:.0} % of all flows begin there: is it yours?", share * 100.0),
                seen: vec![seen.clone()],
            });
        }
    }
    Ok(Json(proposed))
}

fn holds(block: &str, prefix: &IpNet) -> bool {
    block.parse::<IpNet>().is_ok_and(|block| block.contains(prefix))
}

/// Both sides together, most flows first.
fn joined(begun: &[(IpNet, NetworkSeen)], answered: Vec<(IpNet, NetworkSeen)>) -> Vec<(IpNet, NetworkSeen)> {
    let mut all: BTreeMap<IpNet, NetworkSeen> = begun.iter().cloned().collect();
    for (prefix, seen) in answered {
        let both = all.entry(prefix).or_insert_with(|| NetworkSeen {
            flows: 0,
            hosts: 0,
            prefix: seen.prefix,
        });
        both.flows += seen.flows;
        both.hosts = both.hosts.max(seen.hosts);
    }
    by_flows(all)
}

fn by_flows(networks: BTreeMap<IpNet, NetworkSeen>) -> Vec<(IpNet, NetworkSeen)> {
    let mut networks: Vec<_> = networks.into_iter().collect();
    networks.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.flows));
    networks
}

/// Networks by the flows of a side, most first; multicast, loopback and link-local ones left out.
async fn by_network(app: &Arc<App>, side: &str) -> Result<Vec<(IpNet, NetworkSeen)>> {
    let window = Window::read(None, None, app.now())?;
    let mut key = search::key(app, "by", side)?;
    let hosts = Measure::new("hosts", Figure::Distinct(search::key(app, "by", side)?));
    key.cut = Cut::Prefix { v4: 24, v6: 64 };
    let measures = vec![Measure::new("flows", Figure::Records), hosts];
    let shape = search::groups(vec![key], measures, 0, NETWORKS_MAX);
    let (table, _) = search::table(app, window, filter::read(app, "filter", None)?, shape).await?;
    let mut found = BTreeMap::new();
    for row in &table.rows {
        let address = search::text(row, 0).and_then(|text| text.parse::<IpAddr>().ok());
        let Some(address) = address.filter(is_somewhere) else {
            continue;
        };
        let bits = if address.is_ipv4() { 24 } else { 64 };
        let Ok(prefix) = IpNet::new(address, bits) else {
            continue;
        };
        let seen = NetworkSeen {
            prefix: prefix.to_string(),
            flows: search::number(row, 1),
            hosts: search::number(row, 2),
        };
        found.insert(prefix, seen);
    }
    Ok(by_flows(found))
}

/// An address that a host of some network can have.
pub(crate) fn is_somewhere(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            !(four.is_multicast()
                || four.is_loopback()
                || four.is_link_local()
                || four.octets()[0] == 0
                || four.octets()[0] == 255)
        }
        IpAddr::V6(six) => {
            !(six.is_multicast() || six.is_loopback() || six.is_unspecified() || six.is_unicast_link_local())
        }
    }
}

/// Passes stored records through every preset; the job's result is a list of `PresetShown`.
#[utoipa::path(post, path = "/start/presets", tag = "health", request_body = PresetTrial,
    security(("session" = ["editor"]), ("token" = ["editor"])),
    responses((status = 202, body = Job), (status = 400, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn presets(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(asked): Body<PresetTrial>,
) -> Result<Begun> {
    let since = asked.since.as_deref().or(Some("now-1h"));
    let window = Window::read(since, asked.until.as_deref(), app.now())?;
    let span = window.span();
    let about = format!("{} to {}", span.since, span.until);
    let task = Task::TryPresets {
        since: window.since,
        until: window.until,
    };
    crate::jobs::run(&app, &who, JobKind::PresetTrial, about, task)
}
