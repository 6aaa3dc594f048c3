//! Hosts: who was seen in the flows, with what, and what events say about them.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weir_query::{Expr, Scalar};
use weir_store::event::{Facet, Filter, Sort, SourceFilter};
use weir_store::flow::search::{Figure, Measure, Table};

use crate::App;
use crate::events::EventRow;
use crate::flows::Cost;
use crate::problem::{Params, Part, Problem, Result};
use crate::threat::ThreatScore;
use crate::window::{Span, Window};
use crate::{events, filter, inventory, perspectives, search, threat};

/// Hosts of a list when nothing is asked, and events shown of one.
const LIST: u32 = 100;
/// Services and peers shown of one host.
const TOP: usize = 50;
/// Addresses looked through for one prefix, and peers of one host.
const GROUPS_MAX: usize = 10_000;
/// Sources that events are counted for.
const FACET_MAX: u32 = 1000;

/// Which hosts.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HostParams {
    /// RFC 3339, `now`, `now-2h` (s, m, h, d). A day before `until` when absent.
    pub(crate) since: Option<String>,
    /// `now` when absent.
    pub(crate) until: Option<String>,
    /// Address or prefix.
    pub(crate) within: Option<String>,
    /// `bytes` (the default), `flows`, `peers`, `threat`.
    pub(crate) order: Option<String>,
    /// 1 to 1000; 100 when absent.
    pub(crate) limit: Option<u32>,
    /// Name of a perspective that events are seen from; `security`, the built-in one, when absent.
    pub(crate) perspective: Option<String>,
}

/// Which span, for one host.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HostSpan {
    /// As for the list.
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    /// As for the list.
    pub(crate) perspective: Option<String>,
}

/// Hosts, in order.
#[derive(Serialize, ToSchema)]
pub(crate) struct HostPage {
    pub(crate) span: Span,
    pub(crate) hosts: Vec<Host>,
    /// How many there are in the span.
    pub(crate) total: u64,
}

/// A host.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Host {
    pub(crate) ip: String,
    /// RFC 3339; in the span.
    pub(crate) first_seen: Option<String>,
    pub(crate) last_seen: Option<String>,
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Different addresses it spoke with (approximate above some hundreds).
    pub(crate) peers: u64,
    /// Events it is the source of, in the span.
    pub(crate) events: i64,
    /// The highest risk of those.
    pub(crate) risk: i64,
    /// What those events amount to, 0 to 100; the terms are with the one host.
    pub(crate) threat: f64,
    /// Events it is a target of, in the span.
    pub(crate) events_as_target: i64,
    /// Hardware address seen beside it most; a router's when it is not on the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mac: Option<String>,
    /// What it seems to be, by the services it answers on: `name server`, `file server` ...
    pub(crate) roles: Vec<&'static str>,
    /// Services it answers on, most flows first; the first few.
    pub(crate) offers: Vec<HostService>,
}

/// One host.
#[derive(Serialize, ToSchema)]
pub(crate) struct HostDetail {
    pub(crate) span: Span,
    /// Absent: it was not seen in the flows of the span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Host>,
    /// What its events amount to, with every term.
    pub(crate) threat: ThreatScore,
    /// Hardware addresses seen beside it, most flows first; a router's when it is not on the link.
    pub(crate) macs: Vec<HostMac>,
    /// Services it answers on.
    pub(crate) offered: Vec<HostService>,
    /// Services it used on others.
    pub(crate) used: Vec<HostService>,
    /// Whom it spoke with.
    pub(crate) peers: Vec<HostPeer>,
    /// Events it is the source of, worst first.
    pub(crate) events_as_source: Vec<EventRow>,
    /// Events it is a target of, worst first.
    pub(crate) events_as_target: Vec<EventRow>,
}

/// A hardware address.
#[derive(Serialize, ToSchema)]
pub(crate) struct HostMac {
    pub(crate) mac: String,
    pub(crate) flows: u64,
}

/// A service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct HostService {
    /// IP protocol number.
    pub(crate) proto: u64,
    pub(crate) port: u64,
    pub(crate) flows: u64,
    pub(crate) bytes: u64,
}

/// Somebody the host spoke with.
#[derive(Serialize, ToSchema)]
pub(crate) struct HostPeer {
    pub(crate) ip: String,
    pub(crate) flows: u64,
    pub(crate) bytes: u64,
}

/// Hosts seen in the flows.
#[utoipa::path(get, path = "/hosts", tag = "hosts", params(HostParams),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = HostPage), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Params(params): Params<HostParams>,
) -> Result<Json<HostPage>> {
    let window = Window::read(params.since.as_deref(), params.until.as_deref(), app.now())?;
    let limit = events::limit(params.limit, LIST)?;
    let about = events_of(&app, window, params.perspective.as_deref()).await?;
    let order = match params.order.as_deref().unwrap_or("bytes") {
        "flows" => FLOWS,
        "bytes" => BYTES,
        "peers" => PEERS,
        // Ordered by events; the flows only add figures.
        "threat" => BYTES,
        _ => return Err(Problem::at("order", "must be bytes, flows, peers or threat")),
    };
    let within = params.within.as_deref().filter(|text| !text.is_empty());
    let prefix = within.map(|text| prefix("within", text)).transpose()?;
    if params.order.as_deref() == Some("threat") {
        return by_threat(&app, window, &about, prefix, limit as usize).await;
    }
    let (mut hosts, mut total) = (Vec::new(), 0);
    // A prefix finds the flows of its hosts, whose peers are groups as well: they are left out after.
    let asked = if prefix.is_some() {
        GROUPS_MAX
    } else {
        limit as usize
    };
    let filter = match &prefix {
        Some(prefix) => filter::read(&app, "within", Some(&format!("ip {prefix}")))?,
        None => Expr::Any,
    };
    let (found, _) = by_host(&app, window, filter, order, asked).await?;
    for line in &found.rows {
        let Some(host) = host(line) else { continue };
        let ip = host.ip.parse::<IpAddr>();
        if prefix.is_none_or(|prefix| ip.is_ok_and(|ip| prefix.contains(&ip))) {
            total += 1;
            if hosts.len() < limit as usize {
                hosts.push(host);
            }
        }
    }
    if prefix.is_none() {
        total = found.groups;
    }
    add_events(&app, &about, &mut hosts).await?;
    inventory::add(&app, window, &about, &mut hosts).await?;
    Ok(Json(HostPage {
        span: window.span(),
        hosts,
        total,
    }))
}

/// Hosts that events are about, greatest threat first; figures of flows where they were seen in flows.
async fn by_threat(
    app: &Arc<App>,
    window: Window,
    about: &Filter,
    prefix: Option<IpNet>,
    limit: usize,
) -> Result<Json<HostPage>> {
    let threats = events::store(app)?.threats(about).await?;
    let mut scored: Vec<(f64, IpAddr)> = threats
        .iter()
        .filter_map(|(ip, about)| Some((threat::score(about, app.now()).score, ip.parse().ok()?)))
        .filter(|(_, ip)| prefix.is_none_or(|prefix| prefix.contains(ip)))
        .collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    let total = scored.len() as u64;
    scored.truncate(limit);
    let mut seen: Vec<Host> = Vec::new();
    if app.set.flows.is_some() && !scored.is_empty() {
        let ips: Vec<String> = scored.iter().map(|(_, ip)| ip.to_string()).collect();
        let filter = filter::read(app, "order", Some(&format!("ip in [{}]", ips.join(", "))))?;
        let (found, _) = by_host(app, window, filter, BYTES, GROUPS_MAX).await?;
        seen = found.rows.iter().filter_map(|line| host(line)).collect();
    }
    let hosts = scored.iter().map(|(_, ip)| {
        let known = seen.iter().find(|host| host.ip.parse() == Ok(*ip));
        known.cloned().unwrap_or_else(|| Host::unseen(*ip))
    });
    let mut hosts: Vec<Host> = hosts.collect();
    add_events(app, about, &mut hosts).await?;
    inventory::add(app, window, about, &mut hosts).await?;
    Ok(Json(HostPage {
        span: window.span(),
        hosts,
        total,
    }))
}

/// One host: services, peers, events.
#[utoipa::path(get, path = "/hosts/{ip}", tag = "hosts", params(("ip" = String, Path), HostSpan),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = HostDetail), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Part(ip): Part<String>,
    Params(params): Params<HostSpan>,
) -> Result<Json<HostDetail>> {
    let window = Window::read(params.since.as_deref(), params.until.as_deref(), app.now())?;
    let ip: IpAddr = ip
        .parse()
        .map_err(|_| Problem::at("ip", format!("{ip:?} is no address")))?;
    let filter = |text: String| filter::read(&app, "ip", Some(&text));
    let (all, from, to) = (
        filter(format!("ip {ip}"))?,
        filter(format!("src ip {ip}"))?,
        filter(format!("dst ip {ip}"))?,
    );
    // The host is on one side of each of these flows, and somebody else of the many on the other.
    let (found, _) = by_host(&app, window, all, FLOWS, GROUPS_MAX).await?;
    let seen = found.rows.iter().filter_map(|line| host(line));
    let (own, others): (Vec<Host>, Vec<Host>) = seen.partition(|host| host.ip.parse() == Ok(ip));
    let mut own = own;
    let events_seen = events_of(&app, window, params.perspective.as_deref()).await?;
    add_events(&app, &events_seen, &mut own).await?;
    let top = async |filter: &Expr, words: &[&str]| top(&app, window, filter, words).await;
    let macs = macs(&app, window, &from, &to).await?;
    let services = |table: Table| -> Vec<HostService> {
        let lines = table.rows.iter();
        lines.map(|line| HostService::of(line, 0)).collect()
    };
    let answered = filter(format!(
        "dst ip {ip} and {} and exists proto",
        inventory::ANSWERED
    ))?;
    let offered = services(top(&answered, &["proto", "dst_port"]).await?);
    inventory::add(&app, window, &events_seen, &mut own).await?;
    let about = SourceFilter::parse(&ip.to_string());
    let worst = async |filter: Filter| -> Result<Vec<EventRow>> {
        let page = events::store(&app)?.list(&filter, Sort::Risk, LIST, None).await?;
        Ok(page.rows.into_iter().map(EventRow::from).collect())
    };
    let only = Filter {
        source: about,
        ..events_seen.clone()
    };
    let threats = events::store(&app)?.threats(&only).await?;
    let threats = threats.into_values().next().unwrap_or_default();
    Ok(Json(HostDetail {
        span: window.span(),
        host: own.pop(),
        threat: threat::score(&threats, app.now()),
        macs,
        offered,
        used: services(top(&from, &["proto", "dst_port"]).await?),
        peers: others
            .into_iter()
            .take(TOP)
            .map(|host| HostPeer {
                ip: host.ip,
                flows: host.flows,
                bytes: host.bytes,
            })
            .collect(),
        events_as_source: worst(Filter {
            source: about,
            ..events_seen.clone()
        })
        .await?,
        events_as_target: worst(Filter {
            target: about,
            ..events_seen.clone()
        })
        .await?,
    }))
}

/// Places of the figures in a line of [`by_host`], counted from the first measure.
const FLOWS: usize = 0;
const BYTES: usize = 2;
const PEERS: usize = 5;

/// One line per address: flows, packets, bytes, first, last, peers.
async fn by_host(
    app: &Arc<App>,
    window: Window,
    filter: Expr,
    order: usize,
    limit: usize,
) -> Result<(Table, Cost)> {
    let field = |word: &str| {
        let field = app.set.catalog.field(word).cloned();
        field.ok_or_else(|| Problem::internal(format!("no field {word}")))
    };
    let mut measures = search::measures(app)?;
    measures.push(Measure::new("first", Figure::Least(field("start")?)));
    measures.push(Measure::new("last", Figure::Greatest(field("end")?)));
    measures.push(Measure::new(
        "peers",
        Figure::Distinct(search::key(app, "ip", "ip")?),
    ));
    let keys = vec![search::key(app, "ip", "ip")?];
    search::table(app, window, filter, search::groups(keys, measures, order, limit)).await
}

impl Host {
    /// Known from events alone.
    fn unseen(ip: IpAddr) -> Self {
        Self {
            ip: ip.to_string(),
            first_seen: None,
            last_seen: None,
            flows: 0,
            packets: 0,
            bytes: 0,
            peers: 0,
            events: 0,
            risk: 0,
            threat: 0.0,
            events_as_target: 0,
            mac: None,
            roles: Vec::new(),
            offers: Vec::new(),
        }
    }
}

impl HostService {
    /// Of a line of groups whose keys from this place on are protocol and port.
    pub(crate) fn of(line: &[Option<Scalar<'static>>], at: usize) -> Self {
        Self {
            proto: search::number(line, at),
            port: search::number(line, at + 1),
            flows: search::number(line, at + 2),
            bytes: search::number(line, at + 4),
        }
    }
}

fn host(line: &[Option<Scalar<'static>>]) -> Option<Host> {
    let ip = search::text(line, 0)?.parse().ok()?;
    Some(Host {
        flows: search::number(line, 1),
        packets: search::number(line, 2),
        bytes: search::number(line, 3),
        first_seen: search::text(line, 4),
        last_seen: search::text(line, 5),
        // Both sides of its flows are counted, and it is one of them.
        peers: search::number(line, 6).saturating_sub(1),
        ..Host::unseen(ip)
    })
}

/// Hardware addresses beside the host, from the flows it began and those it answered; most flows first.
async fn macs(app: &Arc<App>, window: Window, from: &Expr, to: &Expr) -> Result<Vec<HostMac>> {
    let mut macs = Vec::new();
    for (filter, word) in [(from, "src_mac"), (to, "dst_mac")] {
        for line in top(app, window, filter, &[word]).await?.rows {
            let Some(mac) = search::text(&line, 0) else {
                continue;
            };
            let flows = search::number(&line, 1);
            match macs.iter_mut().find(|known: &&mut HostMac| known.mac == mac) {
                Some(known) => known.flows += flows,
                None => macs.push(HostMac { mac, flows }),
            }
        }
    }
    macs.sort_by_key(|mac| std::cmp::Reverse(mac.flows));
    Ok(macs)
}

/// The most used values of some words.
async fn top(app: &Arc<App>, window: Window, filter: &Expr, words: &[&str]) -> Result<Table> {
    let keys = words
        .iter()
        .map(|word| search::key(app, "by", word))
        .collect::<Result<Vec<_>>>()?;
    let shape = search::groups(keys, search::measures(app)?, FLOWS, TOP);
    Ok(search::table(app, window, filter.clone(), shape).await?.0)
}

/// The events of a span, from a perspective.
async fn events_of(app: &App, window: Window, perspective: Option<&str>) -> Result<Filter> {
    Ok(Filter {
        lens: perspectives::lens(app, perspective).await?,
        ..events::within(window)
    })
}

/// What events say about the hosts.
async fn add_events(app: &App, filter: &Filter, hosts: &mut [Host]) -> Result<()> {
    let Some(store) = &app.set.events else {
        return Ok(());
    };
    let counts = events::counts(store, filter, Facet::Source, FACET_MAX).await?;
    let worst = store.list(filter, Sort::Risk, FACET_MAX, None).await?.rows;
    let threats = store.threats(filter).await?;
    for host in hosts {
        let about = threats.get(&host.ip);
        host.threat = about.map_or(0.0, |about| threat::score(about, app.now()).score);
        let own = counts.iter().find(|count| count.value == host.ip);
        host.events = own.map_or(0, |count| count.count);
        // Highest risk first: the first one is the host's highest.
        let first = worst
            .iter()
            .find(|event| event.source_ip.as_deref() == Some(&host.ip));
        host.risk = first.map_or(0, |event| event.risk);
    }
    Ok(())
}

pub(crate) fn prefix(place: &str, text: &str) -> Result<IpNet> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let parsed = text.parse::<IpNet>().ok().map(|net| net.trunc()).or_else(single);
    parsed.ok_or_else(|| Problem::at(place, "must be an address or a prefix such as 10.0.0.0/8"))
}
