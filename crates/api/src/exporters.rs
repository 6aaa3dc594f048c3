//! Exporters: what each sends, how well it arrives, and what the methods can see of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::problem::{Part, Problem, Result};
use crate::settings::off_thread;
use crate::status::{Counted, SourceState};

/// How far a method works on what an exporter sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MethodReach {
    /// All of its submethods can work.
    Full,
    /// Some submethods stay silent.
    Part,
    /// None can work.
    Blind,
}

/// A method on an exporter's records.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Covered {
    /// Code of the method.
    pub method: String,
    pub reach: MethodReach,
    /// What is missing, for submethods that stay silent.
    pub missing: Vec<Missing>,
}

/// What a submethod lacks.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Missing {
    /// Absent: the whole method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submethod: Option<String>,
    /// What the records would have to carry.
    pub needs: String,
}

/// Somebody who exports to a listener.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Exporter {
    pub address: String,
    pub state: SourceState,
    /// `IPFIX`, `NetFlow v9` ...
    pub formats: Vec<String>,
    pub domains: usize,
    pub templates: usize,
    /// Names of the information elements of its templates.
    pub elements: Vec<String>,
    /// One of so many packets; 1: every one.
    pub sampling: Vec<u32>,
    /// As its records show it, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_timeout_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_s: Option<u32>,
    /// RFC 3339; by our clock.
    pub first: String,
    pub last: String,
    /// Its clock behind ours, seconds; below zero: ahead.
    pub skew_s: f64,
    /// Records a second lately.
    pub records_per_s: f64,
    pub records: u64,
    pub messages: u64,
    /// By sequence numbers.
    pub lost: u64,
    /// Share of records that found no counterpart, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_way: Option<f64>,
    /// Everything else that was counted.
    pub counts: Vec<Counted>,
    /// What spoils detection, and what to do.
    pub notes: Vec<String>,
    /// Every method that is switched on.
    pub methods: Vec<Covered>,
}

/// All exporters, by address.
#[utoipa::path(get, path = "/exporters", tag = "health", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [Exporter])))]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<Exporter>>> {
    Ok(Json(off_thread(&app, |app| app.set.program.exporters()).await?))
}

/// One exporter.
#[utoipa::path(get, path = "/exporters/{address}", tag = "health", params(("address" = String, Path)),
    security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = Exporter), (status = 404, body = Problem)))]
pub(crate) async fn one(State(app): State<Arc<App>>, Part(address): Part<String>) -> Result<Json<Exporter>> {
    let all = off_thread(&app, |app| app.set.program.exporters()).await?;
    let found = all.into_iter().find(|exporter| exporter.address == address);
    found
        .map(Json)
        .ok_or_else(|| Problem::not_found("no exporter of that address has sent anything"))
}
