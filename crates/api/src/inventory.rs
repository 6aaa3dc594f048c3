//! What hosts are, as their flows show it: the hardware address beside them, services they answer on, and the roles those
//! amount to.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_store::event::{Facet, Filter};
use weir_store::flow::search::Table;

use crate::App;
use crate::hosts::{Host, HostService};
use crate::problem::Result;
use crate::window::Window;
use crate::{events, filter, search};

/// Groups that are looked at for all hosts of a list together.
const GROUPS_MAX: usize = 10_000;
/// Services named of each host.
const OFFERS: usize = 6;
/// Targets that events are counted for.
const FACET_MAX: u32 = 1000;
/// Flows that were answered by more than a refusal. What records do not tell is no reason to leave a service out.
pub(crate) const ANSWERED: &str = "dst packets > 0 and not state REJ";

/// What a service makes of the host that answers on it: protocol, port, role. The first that fits names the role.
const ROLES: &[(u64, &[u64], &str)] = &[
    (6, &[88], "domain controller"),
    (17, &[88], "domain controller"),
    (17, &[53], "name server"),
    (6, &[53], "name server"),
    (17, &[67], "address server (DHCP)"),
    (17, &[123], "time server"),
    (6, &[25, 110, 143, 465, 587, 993, 995], "mail server"),
    (6, &[139, 445, 2049], "file server"),
    (6, &[1433, 1521, 3306, 5432, 27017], "database"),
    (6, &[80, 443, 8443], "web server"),
    (6, &[3128, 8080], "proxy or web server"),
    (6, &[515, 631, 9100], "printer"),
    (6, &[3389, 5900], "remote desktop"),
    (6, &[22, 23], "remote log-in"),
    (17, &[5060], "telephony"),
    (6, &[5060, 5061], "telephony"),
    (6, &[502, 2404, 20000, 44818, 102], "controller (OT)"),
    (6, &[1883, 8883], "message broker (MQTT)"),
];

/// Roles by the services a host answers on, each once, in the order of the table.
pub(crate) fn roles(offered: &[HostService]) -> Vec<&'static str> {
    let mut roles: Vec<&'static str> = Vec::new();
    for (proto, ports, role) in ROLES {
        let fits = |service: &HostService| service.proto == *proto && ports.contains(&service.port);
        if offered.iter().any(fits) && !roles.contains(role) {
            roles.push(role);
        }
    }
    roles
}

/// Adds to hosts of a list what they are; `about` says which events count.
pub(crate) async fn add(app: &Arc<App>, window: Window, about: &Filter, hosts: &mut [Host]) -> Result<()> {
    if hosts.is_empty() {
        return Ok(());
    }
    if let Some(store) = &app.set.events {
        let counts = events::counts(store, about, Facet::Target, FACET_MAX).await?;
        let counts: BTreeMap<&str, i64> = counts.iter().map(|one| (&*one.value, one.count)).collect();
        for host in &mut *hosts {
            host.events_as_target = counts.get(&*host.ip).copied().unwrap_or(0);
        }
    }
    if app.set.flows.is_none() {
        return Ok(());
    }
    let ips: Vec<&str> = hosts.iter().map(|host| &*host.ip).collect();
    let ips = ips.join(", ");
    let ask = async |asked: String, words: &[&str]| top(app, window, &asked, words).await;
    let begun = ask(format!("src ip in [{ips}]"), &["src_ip", "src_mac"]).await?;
    let answered = ask(format!("dst ip in [{ips}]"), &["dst_ip", "dst_mac"]).await?;
    let offers = format!("dst ip in [{ips}] and {ANSWERED} and exists dst_port");
    let offers = ask(offers, &["dst_ip", "proto", "dst_port"]).await?;
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (at, host) in hosts.iter().enumerate() {
        places.insert(host.ip.clone(), at);
    }
    // Most flows first: the first of each host is its own, and what it sent itself counts before what others sent it.
    for line in begun.rows.iter().chain(&answered.rows) {
        let at = search::text(line, 0).and_then(|ip| places.get(&ip).copied());
        if let (Some(at), Some(mac)) = (at, search::text(line, 1)) {
            hosts[at].mac.get_or_insert(mac);
        }
    }
    let mut offered: BTreeMap<usize, Vec<HostService>> = BTreeMap::new();
    for line in &offers.rows {
        if let Some(at) = search::text(line, 0).and_then(|ip| places.get(&ip).copied()) {
            offered.entry(at).or_default().push(HostService::of(line, 1));
        }
    }
    for (at, mut services) in offered {
        hosts[at].roles = roles(&services);
        services.truncate(OFFERS);
        hosts[at].offers = services;
    }
    Ok(())
}

/// Groups of flows by these words, most flows first.
async fn top(app: &Arc<App>, window: Window, asked: &str, words: &[&str]) -> Result<Table> {
    let filter = filter::read(app, "filter", Some(asked))?;
    let keys = words.iter().map(|word| search::key(app, "by", word));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let shape = search::groups(keys, search::measures(app)?, 0, GROUPS_MAX);
    Ok(search::table(app, window, filter, shape).await?.0)
}

#[cfg(test)]
mod tests {
    use super::{HostService, roles};

    fn services(offered: &[(u64, u64)]) -> Vec<HostService> {
        let services = offered.iter().map(|(proto, port)| HostService {
            proto: *proto,
            port: *port,
            flows: 1,
            bytes: 1,
        });
        services.collect()
    }

    #[test]
    fn services_make_roles() {
        assert_eq!(roles(&services(&[(6, 445), (6, 139)])), ["file server"]);
        assert_eq!(
            roles(&services(&[(6, 443), (17, 53), (6, 53), (6, 88)])),
            ["domain controller", "name server", "web server"]
        );
        assert!(roles(&services(&[(17, 443), (6, 40_000)])).is_empty());
    }
}
