//! One suite for both databases: every case is run on SQLite and on PostgreSQL. Where PostgreSQL is not installed its
//! run is skipped and says so; in CI that is a failure.

mod cases;
mod keeping;
mod mongo;
mod people;
mod perspectives;
mod postgres;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::{EventRecord, EventStore, Place};

/// 2026-01-01 00:00 UTC.
const EPOCH_S: i64 = 1_767_225_600;

/// A folder of this test's own, gone with it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("weir-event-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs one asynchronous test as the program does: on one thread.
pub(super) fn block_on<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(what)
}

/// An event as the pipeline prints it; the closure changes it.
pub(super) fn line(number: u32, change: impl FnOnce(&mut Value)) -> String {
    let at = |second: i64| super::audit::stamp(weir_model::Time::from_secs(EPOCH_S + second));
    let second = i64::from(number) * 60;
    let mut event = json!({
        "id": format!("0192{number:04x}-0000-7000-8000-000000000000"),
        "method": "DICTATTACK", "submethod": "SambaProtocol", "title": "Dictionary attack",
        "priority": "high", "probability": 90, "risk": 50 + number % 40, "state": "open",
        "site": "default", "feed": "default", "instance": "default",
        "source": {"ip": format!("10.0.{}.{}", number / 250, number % 250 + 1), "mac": "02:00:00:00:00:01"},
        "targets": [{"ip": "192.0.2.9", "port": 445}, {"ip": "2001:db8::9"}], "target_count": 2,
        "first_flow": at(second), "detected": at(second + 1), "last_update": at(second + 1), "updates": 0,
        "reason": "195 log-ins, all refused",
        "detail": {"FlowCount": 195, "Outcome": "all refused"},
        "explanation": {"rule": "attempts >= attempts_min"},
        "attack": [{"tactic": "TA0006", "technique": "T1110.001"}],
        "entities": ["ip:192.0.2.9"],
        "evidence": {"flow_count": 1, "query": "dst port 445", "flows": [
            {"flow_id": "afc8", "src_ip": "10.0.0.5", "src_port": 4000, "dst_ip": "192.0.2.9", "dst_port": 445,
             "proto": 6, "src_bytes": 981, "src_tcp_flags": ".AP.SF"}]},
    });
    change(&mut event);
    event.to_string()
}

pub(super) fn record(number: u32, change: impl FnOnce(&mut Value)) -> EventRecord {
    EventRecord::from_line(&line(number, change)).unwrap()
}

/// The states an event goes through: opened, updated twice, closed.
pub(super) fn life(number: u32) -> Vec<EventRecord> {
    (0..4)
        .map(|step| {
            record(number, |event| {
                let at = EPOCH_S + i64::from(number) * 60 + 1 + step * 300;
                event["last_update"] = super::audit::stamp(weir_model::Time::from_secs(at)).into();
                event["updates"] = step.min(2).into();
                event["reason"] = format!("step {step}").into();
                event["targets"] = json!([{"ip": format!("192.0.2.{step}")}]);
                if step == 3 {
                    event["state"] = "closed".into();
                    event["end"] = event["last_update"].clone();
                }
            })
        })
        .collect()
}

/// Which case a failure belongs to.
#[expect(clippy::print_stdout, reason = "shown with a failure")]
fn said(name: &str) {
    println!("case {name}");
}

#[test]
fn sqlite() {
    for (name, case) in cases::ALL {
        said(name);
        let folder = Folder::new(name);
        block_on(async {
            let store = EventStore::open(&Place::Folder(folder.path().to_owned()))
                .await
                .unwrap();
            case(store.clone()).await;
            store.close().await;
        });
    }
}

#[test]
fn postgresql() {
    let Some(server) = postgres::Server::start() else {
        return;
    };
    for (name, case) in cases::ALL {
        said(name);
        let place = server.database(name);
        block_on(async {
            let store = EventStore::open(&place).await.unwrap();
            case(store.clone()).await;
            store.close().await;
        });
    }
}
