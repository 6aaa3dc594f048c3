//! How the program is, and where its traffic comes from.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use weir_store::event::Filter;

use crate::App;
use crate::problem::Result;
use crate::status::{SourceState, SourceStatus, Status};

/// How much the data can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// Nothing is missing.
    Good,
    /// Something is missing or has not come yet.
    Warning,
    /// Something is broken.
    Bad,
}

/// The light in the header, and why it has its colour.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DataHealth {
    pub(crate) level: Level,
    /// What is wrong, worst first.
    pub(crate) reasons: Vec<String>,
    /// Sources that deliver or have been read to their end.
    pub(crate) sources_connected: usize,
    pub(crate) sources: usize,
}

/// Health.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    #[serde(flatten)]
    data: DataHealth,
    status: Status,
}

/// Sources, books that must come out even, stores.
#[utoipa::path(get, path = "/health", tag = "health", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = Health)))]
pub(crate) async fn health(State(app): State<Arc<App>>) -> Result<Json<Health>> {
    let mut status = Status::clone(&*app.status());
    // Only the database knows how many events it has; the program counts their states.
    if let (Some(store), Some(events)) = (
        &app.set.events,
        status.stores.iter_mut().find(|store| store.name == "events"),
    ) {
        events.rows = store.count(&Filter::default()).await?.unsigned_abs();
    }
    Ok(Json(Health {
        data: judge(&status),
        status,
    }))
}

/// Where traffic comes from.
#[utoipa::path(get, path = "/sources", tag = "health", security(("session" = ["viewer"]), ("token" = ["viewer"])),
    responses((status = 200, body = [SourceStatus])))]
pub(crate) async fn sources(State(app): State<Arc<App>>) -> Json<Vec<SourceStatus>> {
    Json(app.status().sources.clone())
}

/// Can the data be trusted?
pub(crate) fn judge(status: &Status) -> DataHealth {
    let mut reasons: Vec<(Level, String)> = Vec::new();
    for source in &status.sources {
        let name = &source.name;
        if let Some(trouble) = &source.trouble {
            reasons.push((Level::Bad, format!("{name}: {trouble}")));
        } else if source.state == SourceState::Silent {
            reasons.push((Level::Warning, format!("{name} has fallen silent")));
        }
        if source.lost > 0 {
            reasons.push((
                Level::Warning,
                format!("{name}: {} were lost on the way", source.lost),
            ));
        }
    }
    if status.sources.is_empty() {
        reasons.push((Level::Warning, "there is no source yet".to_owned()));
    }
    for book in status.books.iter().filter(|book| !book.even) {
        reasons.push((
            Level::Bad,
            format!("the book \"{}\" does not come out even", book.name),
        ));
    }
    for store in &status.stores {
        if let Some(trouble) = &store.trouble {
            reasons.push((Level::Bad, format!("the store of {}: {trouble}", store.name)));
        }
    }
    for notice in &status.notices {
        reasons.push((Level::Warning, format!("{}: {}", notice.check, notice.text)));
    }
    reasons.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    let connected = |source: &&SourceStatus| matches!(source.state, SourceState::Live | SourceState::Done);
    DataHealth {
        level: reasons.first().map_or(Level::Good, |(level, _)| *level),
        reasons: reasons.into_iter().map(|(_, reason)| reason).collect(),
        sources_connected: status.sources.iter().filter(connected).count(),
        sources: status.sources.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Book, Counted, SourceKind};

    #[test]
    fn the_worst_comes_first() {
        let mut status = Status::default();
        assert_eq!(judge(&status).level, Level::Warning, "no source");
        status.sources.push(SourceStatus {
            name: "a.pcap".to_owned(),
            kind: SourceKind::File,
            state: SourceState::Done,
            packets: 1,
            bytes: 1,
            flows: 1,
            lost: 0,
            flows_per_s: 0.0,
            first: None,
            last: None,
            trouble: None,
        });
        status.books.push(Book::new(
            "records",
            3,
            vec![Counted::new("stored", 2), Counted::new("dropped", 1)],
        ));
        let health = judge(&status);
        assert_eq!(
            (health.level, health.sources_connected, health.reasons.len()),
            (Level::Good, 1, 0)
        );
        status.sources[0].lost = 2;
        assert_eq!(judge(&status).level, Level::Warning);
        status.notices.push(crate::status::NoticeShown {
            check: "MinSingle".to_owned(),
            at: String::new(),
            text: "one way".to_owned(),
        });
        assert!(judge(&status).reasons.contains(&"MinSingle: one way".to_owned()));
        status
            .books
            .push(Book::new("datagrams", 3, vec![Counted::new("parsed", 2)]));
        let health = judge(&status);
        assert_eq!(health.level, Level::Bad);
        assert_eq!(health.reasons[0], "the book \"datagrams\" does not come out even");
    }
}
