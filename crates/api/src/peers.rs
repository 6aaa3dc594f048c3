//! Hosts outside that events are about, as sources or as targets. Who is outside is what the flow records say, so that it
//! was true when the traffic passed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use weir_model::Priority;
use weir_store::event::Filter;

use crate::App;
use crate::events::{Count, EventRow};
use crate::problem::Result;
use crate::window::Window;
use crate::{events, filter, search};

/// Lines of targets and methods that are read.
const TARGETS_READ: u32 = 1000;
/// Addresses that the flows are asked about.
const ASKED: usize = 200;
/// Hosts shown.
const SHOWN: usize = 10;

/// A host outside that events are about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RiskyPeer {
    pub(crate) ip: String,
    pub(crate) events: i64,
    /// The highest risk of an event.
    pub(crate) risk: i64,
    /// The highest priority of an event.
    pub(crate) priority: &'static str,
    /// Methods that found something, most events first.
    pub(crate) methods: Vec<Count>,
    /// Flow records with it in the span.
    pub(crate) flows: u64,
    pub(crate) bytes: u64,
}

/// The most urgent of them; none where no flows are kept. `about` says which events count, and `worst` are the first of
/// them, highest risk first.
pub(crate) async fn outside(
    app: &Arc<App>,
    window: Window,
    about: &Filter,
    worst: &[EventRow],
) -> Result<Vec<RiskyPeer>> {
    if app.set.flows.is_none() {
        return Ok(Vec::new());
    }
    let mut peers: BTreeMap<String, RiskyPeer> = BTreeMap::new();
    let mut add = |ip: &str, method: &str, events: i64, risk: i64, priority: &'static str| {
        let peer = peers.entry(ip.to_owned()).or_insert_with(|| RiskyPeer {
            ip: ip.to_owned(),
            events: 0,
            risk,
            priority,
            methods: Vec::new(),
            flows: 0,
            bytes: 0,
        });
        peer.events += events;
        peer.risk = peer.risk.max(risk);
        if Priority::from_word(priority) > Priority::from_word(peer.priority) {
            peer.priority = priority;
        }
        match peer.methods.iter_mut().find(|known| known.value == method) {
            Some(known) => known.count += events,
            None => peer.methods.push(Count {
                value: method.to_owned(),
                count: events,
            }),
        }
    };
    let store = events::store(app)?;
    for target in store.targeted(about, TARGETS_READ).await? {
        add(
            &target.ip,
            &target.method,
            target.events,
            target.risk,
            target.priority,
        );
    }
    for event in worst.iter().filter(|event| !event.false_positive) {
        if let Some(ip) = &event.source_ip {
            add(ip, &event.method, 1, event.risk, event.priority);
        }
    }
    let mut peers: Vec<RiskyPeer> = peers.into_values().collect();
    peers.sort_by(|one, other| (other.risk, other.events, &one.ip).cmp(&(one.risk, one.events, &other.ip)));
    peers.truncate(ASKED);
    let mut seen = traffic(app, window, &peers).await?;
    peers.retain_mut(|peer| match seen.remove(&peer.ip) {
        Some((flows, bytes)) => {
            (peer.flows, peer.bytes) = (flows, bytes);
            peer.methods.sort_by_key(|method| std::cmp::Reverse(method.count));
            true
        }
        None => false,
    });
    peers.truncate(SHOWN);
    Ok(peers)
}

/// Flows and bytes of those that were outside, by address.
async fn traffic(
    app: &Arc<App>,
    window: Window,
    peers: &[RiskyPeer],
) -> Result<BTreeMap<String, (u64, u64)>> {
    let mut seen: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let ips = peers.iter().filter_map(|peer| peer.ip.parse::<IpAddr>().ok());
    let ips: Vec<String> = ips.map(|ip| ip.to_string()).collect();
    if ips.is_empty() {
        return Ok(seen);
    }
    for side in ["src", "dst"] {
        let asked = format!("{side} outside and {side} ip in [{}]", ips.join(", "));
        let filter = filter::read(app, "filter", Some(&asked))?;
        let key = search::key(app, "by", &format!("{side}_ip"))?;
        let shape = search::groups(vec![key], search::measures(app)?, 0, ASKED);
        for line in search::table(app, window, filter, shape).await?.0.rows {
            let Some(ip) = search::text(&line, 0) else {
                continue;
            };
            let known = seen.entry(ip).or_default();
            known.0 += search::number(&line, 1);
            known.1 += search::number(&line, 3);
        }
    }
    Ok(seen)
}
