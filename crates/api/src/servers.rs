//! Servers of the first day: who answers questions for names, who gives addresses, who takes mail, and through whom the
//! traffic leaves, as the flows of the last day show it. Methods that need them said get them with one confirmation.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ipnet::IpNet;
use serde::Serialize;
use utoipa::ToSchema;
use weir_store::flow::search::{Figure, Measure, Table};

use crate::App;
use crate::inventory::ANSWERED;
use crate::problem::{Problem, Result};
use crate::settings::off_thread;
use crate::start::is_somewhere;
use crate::window::Window;
use crate::{filter, search};

/// Hosts proposed for one role.
const PROPOSED: usize = 10;
/// A host with fewer than one client in so many of the busiest one's is somebody who tries something.
const CLIENTS_SHARE: u64 = 10;
/// Hardware addresses that are looked at as ways out, and addresses one may have to be a gateway's rather than a router's for
/// whole networks.
const WAYS_OUT: usize = 3;
const OWN_ADDRESSES: usize = 2;

/// What a host does for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServerRole {
    Names,
    Addresses,
    Mail,
    Gateway,
}

/// Hosts that seem to have a role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServersProposed {
    role: ServerRole,
    /// The setting that says who has it.
    key: &'static str,
    /// As it is set.
    configured: Vec<String>,
    /// Most clients first.
    hosts: Vec<ServerSeen>,
}

/// A host that was seen in a role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerSeen {
    ip: String,
    /// Different hosts it served.
    clients: u64,
    flows: u64,
}

/// Roles that a filter finds, with the setting each belongs to.
const ROLES: [(ServerRole, &str, &str); 3] = [
    (ServerRole::Names, "methods.dnsanomaly.dns_servers", "dst port 53"),
    (
        ServerRole::Addresses,
        "methods.dhcpanom.dhcp_servers",
        "proto udp and dst port 67",
    ),
    (
        ServerRole::Mail,
        "methods.smtpanomaly.servers_filter",
        "dst inside and proto tcp and dst port in [25, 465, 587]",
    ),
];
/// A list of one's own, for filters.
const GATEWAYS: &str = "lists.gateways";

/// Hosts that seem to be servers, from the traffic of the last day.
#[utoipa::path(get, path = "/start/servers", tag = "health",
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [ServersProposed]), (status = 503, body = Problem)))]
pub(crate) async fn servers(State(app): State<Arc<App>>) -> Result<Json<Vec<ServersProposed>>> {
    let (methods, lists) = off_thread(&app, |app| {
        let program = &app.set.program;
        (program.methods(), program.list("gateways"))
    })
    .await?;
    let set = |key: &str| -> Vec<String> {
        let (slug, name) = key
            .trim_start_matches("methods.")
            .split_once('.')
            .unwrap_or_default();
        let method = methods.iter().find(|method| method.slug == slug);
        let params = method.and_then(|method| method.instances.first());
        let param = params.and_then(|instance| instance.params.iter().find(|param| param.name == name));
        let items = param.and_then(|param| param.value.as_array());
        items
            .map(|items| {
                items
                    .iter()
                    .filter_map(|item| Some(single(item.as_str()?)))
                    .collect()
            })
            .unwrap_or_default()
    };
    let mut proposed = Vec::new();
    for (role, key, asked) in ROLES {
        let table = served(&app, &format!("{asked} and {ANSWERED}"), "dst_ip", "src_ip").await?;
        let hosts = busiest(&table);
        let configured = set(key);
        if !hosts.is_empty() || !configured.is_empty() {
            proposed.push(ServersProposed {
                role,
                key,
                configured,
                hosts,
            });
        }
    }
    let hosts = gateways(&app).await?;
    let configured = lists.unwrap_or_default();
    let configured: Vec<String> = configured.iter().map(|item| single(item)).collect();
    if !hosts.is_empty() || !configured.is_empty() {
        proposed.push(ServersProposed {
            role: ServerRole::Gateway,
            key: GATEWAYS,
            configured,
            hosts,
        });
    }
    Ok(Json(proposed))
}

/// A prefix of one address as that address, which is how hosts are named.
fn single(text: &str) -> String {
    match text.parse::<IpNet>() {
        Ok(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => prefix.addr().to_string(),
        _ => text.to_owned(),
    }
}

/// Flows of the last day by one word, with how many different values of another they have: most of those first.
async fn served(app: &Arc<App>, asked: &str, by: &str, clients: &str) -> Result<Table> {
    let window = Window::read(None, None, app.now())?;
    let filter = filter::read(app, "filter", Some(asked))?;
    let measures = vec![
        Measure::new("flows", Figure::Records),
        Measure::new("clients", Figure::Distinct(search::key(app, "by", clients)?)),
    ];
    let shape = search::groups(vec![search::key(app, "by", by)?], measures, 1, PROPOSED);
    Ok(search::table(app, window, filter, shape).await?.0)
}

/// The hosts of a table whose first column is an address, without those that hardly anybody asks.
fn busiest(table: &Table) -> Vec<ServerSeen> {
    let seen = table.rows.iter().filter_map(|line| {
        let ip: IpAddr = search::text(line, 0)?.parse().ok()?;
        is_somewhere(&ip).then(|| ServerSeen {
            ip: ip.to_string(),
            flows: search::number(line, 1),
            clients: search::number(line, 2),
        })
    });
    let mut seen: Vec<ServerSeen> = seen.collect();
    let most = seen.first().map_or(0, |first| first.clients);
    seen.retain(|one| one.clients * CLIENTS_SHARE >= most);
    seen
}

/// Addresses of the hardware through which traffic goes out: what is sent there comes with another address than its own.
async fn gateways(app: &Arc<App>) -> Result<Vec<ServerSeen>> {
    let out = served(
        app,
        "src inside and dst outside and exists dst_mac",
        "dst_mac",
        "src_ip",
    )
    .await?;
    let mut found: Vec<ServerSeen> = Vec::new();
    for line in out.rows.iter().take(WAYS_OUT) {
        let Some(mac) = search::text(line, 0) else {
            continue;
        };
        let (flows, clients) = (search::number(line, 1), search::number(line, 2));
        let begun = served(app, &format!("src inside and src mac {mac}"), "src_ip", "dst_ip").await?;
        let answered = served(app, &format!("dst inside and dst mac {mac}"), "dst_ip", "src_ip").await?;
        let own = begun.rows.iter().chain(&answered.rows);
        let own: BTreeSet<String> = own.filter_map(|line| search::text(line, 0)).collect();
        if own.len() > OWN_ADDRESSES {
            continue;
        }
        let new = own
            .into_iter()
            .filter(|ip| !found.iter().any(|known| known.ip == *ip));
        let new: Vec<String> = new.collect();
        found.extend(new.into_iter().map(|ip| ServerSeen { ip, clients, flows }));
    }
    Ok(found)
}
