//! What the interface is told of the program: methods, words of the filter, the clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use weir_api::accounts::Accounts;
use weir_api::{Csv, MethodPage, Setting};
use weir_model::Time;
use weir_query::Catalog;
use weir_store::event::EventStore;

use super::program::Running;
use super::site::Site;

/// What all sites share.
pub(super) struct Shared {
    pub(super) accounts: Arc<Accounts>,
    pub(super) sites: Arc<[String]>,
    pub(super) address: SocketAddr,
    pub(super) demo: bool,
    pub(super) log: fn(&str),
}

/// Everything the interface of a site needs.
pub(super) fn setting(site: &Site, events: EventStore, shared: &Shared) -> Setting {
    let fields = weir_dissect::REGISTRY
        .iter()
        .flat_map(|entry| entry.meta.fields.iter());
    let methods = weir_detect::REGISTRY.iter().map(|entry| MethodPage {
        meta: entry.meta,
        params: (entry.params)(),
        page: crate::cli::manual_page(entry),
    });
    let port = shared.address.port();
    Setting {
        site: site.name.to_owned(),
        sites: shared.sites.clone(),
        accounts: shared.accounts.clone(),
        oidc: None,
        events: Some(events),
        flows: Some(site.stores.flows()),
        flow_line: weir_output::json::flow,
        csv: Csv {
            flow_header: weir_output::csv::flow_header,
            flow: weir_output::csv::flow,
            cell: weir_output::csv::cell,
        },
        jobs: site.folder.join("jobs"),
        catalog: Catalog::flows().clone().knowing(fields.map(|field| field.name)),
        methods: methods.collect(),
        program: Arc::new(Running(site.clone())),
        demo: shared.demo,
        secure: false,
        // Loopback only: any other name in a request is a page that wants to use this server from outside.
        hosts: vec![
            format!("127.0.0.1:{port}"),
            format!("localhost:{port}"),
            format!("[::1]:{port}"),
        ],
        log: shared.log,
    }
}

/// The time of day: for syncs, sessions and the status, never for records.
pub(super) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time(since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
}

/// RFC 3339, whole seconds.
pub(super) fn stamp(time: Time) -> String {
    weir_output::stamp::rfc3339(Time::from_secs(time.bin(1)))
}
