//! Hosts: who was seen in the flows, with what, and what events say about them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::events::EventRow;
use crate::problem::{Params, Part, Problem, Result};
use crate::window::Span;

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
    /// `bytes` (the default), `flows`, `peers`.
    pub(crate) order: Option<String>,
    /// 1 to 1000; 100 when absent.
    pub(crate) limit: Option<u32>,
}

/// Which span, for one host.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HostSpan {
    /// As for the list.
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
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
}

/// One host.
#[derive(Serialize, ToSchema)]
pub(crate) struct HostDetail {
    pub(crate) span: Span,
    /// Absent: it was not seen in the flows of the span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Host>,
    /// Hardware addresses seen beside it, most flows first; a router's when it is not on the link.
    pub(crate) macs: Vec<HostMac>,
    /// Services others used on it.
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
#[derive(Serialize, ToSchema)]
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
#[utoipa::path(get, path = "/hosts", tag = "hosts", params(HostParams), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = HostPage), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Params(params): Params<HostParams>,
) -> Result<Json<HostPage>> {
    let _ = (app, params);
    Err(Problem::unavailable("this server keeps no such records yet"))
}

/// One host: services, peers, events.
#[utoipa::path(get, path = "/hosts/{ip}", tag = "hosts", params(("ip" = String, Path), HostSpan), security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = HostDetail), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Part(ip): Part<String>,
    Params(params): Params<HostSpan>,
) -> Result<Json<HostDetail>> {
    let _ = (app, ip, params);
    Err(Problem::unavailable("this server keeps no such records yet"))
}
