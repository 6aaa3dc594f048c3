//! What the server has stored when the load begins: flow records and events of the 24 hours before, kept between runs.
//! Events are spread over the same 24 hours, so that every window of the interface holds all of them: harder than life.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use weir_detect::REGISTRY;
use weir_model::{Batch, NANOS_PER_S, Time};
use weir_store::event::{EventRecord, EventStore, Place};
use weir_store::flow::{FlowStore, Limits};

use crate::mix::random::Random;
use crate::store::flows::{Flows, Settings};

/// Time they are spread over.
const SPAN_S: u32 = 86_400;
/// What is older is made anew: its 24 hours have passed.
const AGE_MAX: Duration = Duration::from_secs(12 * 3600);
/// Records appended at once, and events stored at once.
const BATCH: usize = 1024;
const EVENTS: usize = 256;
/// Sources of events.
const SOURCES: u64 = 20_000;
/// Targets of an event at most, and flows frozen with it.
const TARGETS: u64 = 8;
const EVIDENCE: usize = 5;

/// A filled folder.
pub struct Filled {
    pub folder: PathBuf,
    /// The end of its 24 hours.
    pub end: Time,
}

impl Filled {
    /// The beginning of its 24 hours.
    #[must_use]
    pub fn start(&self) -> Time {
        self.end - i64::from(SPAN_S) * NANOS_PER_S
    }
}

/// A folder with so many flow records and events, from the cache or made now.
pub fn filled(cache: &Path, flows: u64, events: u64, seed: u64) -> io::Result<Filled> {
    let folder = cache.join(format!("filled-{flows}-{events}-{seed}"));
    let mark = folder.join("end_ns");
    if let Ok(text) = fs::read_to_string(&mark) {
        let fresh = fs::metadata(&mark)?
            .modified()?
            .elapsed()
            .is_ok_and(|age| age < AGE_MAX);
        if let (true, Ok(end)) = (fresh, text.trim().parse()) {
            return Ok(Filled {
                folder,
                end: Time(end),
            });
        }
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(io::Error::other)?;
    let end = Time(now.as_nanos() as i64);
    fill_flows(&folder, flows, seed, end)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(fill_events(&folder, events, seed, end))?;
    fs::write(mark, end.0.to_string())?;
    Ok(Filled { folder, end })
}

fn fill_flows(folder: &Path, flows: u64, seed: u64, end: Time) -> io::Result<()> {
    let mut made = Flows::new(Settings {
        seed,
        flows,
        seconds: SPAN_S,
    })
    .peekable();
    // The generator's own time lies fixed; its first record ends at its beginning.
    let Some(first) = made.peek().map(|flow| flow.end) else {
        return Ok(());
    };
    let later = end.since(first) - i64::from(SPAN_S) * NANOS_PER_S;
    let mut store = FlowStore::open(folder, "default", &Limits::default()).map_err(io::Error::other)?;
    let mut now = first + later;
    loop {
        let mut flows: Vec<_> = made.by_ref().take(BATCH).collect();
        if flows.is_empty() {
            break;
        }
        for flow in &mut flows {
            flow.start = flow.start + later;
            flow.end = flow.end + later;
            now = now.max(flow.end);
        }
        let batch = Batch {
            flows,
            ..Batch::default()
        };
        store.append(&batch, now).map_err(io::Error::other)?;
    }
    store.finish(now).map_err(io::Error::other)
}

async fn fill_events(folder: &Path, events: u64, seed: u64, end: Time) -> io::Result<()> {
    let store = EventStore::open(&Place::Folder(folder.to_owned()))
        .await
        .map_err(io::Error::other)?;
    let mut random = Random::new(seed ^ 0x6576_656e);
    let mut records = Vec::with_capacity(EVENTS);
    for number in 0..events {
        let back_ns = i64::from(SPAN_S) * NANOS_PER_S * (events - number) as i64 / events as i64;
        let line = event(&mut random, number, end - back_ns);
        records.push(EventRecord::from_line(&line).map_err(io::Error::other)?);
        if records.len() == EVENTS || number + 1 == events {
            store.put(&records).await.map_err(io::Error::other)?;
            records.clear();
        }
    }
    store.close().await;
    Ok(())
}

/// An event by the contract, of a method that there is.
fn event(random: &mut Random, number: u64, detected: Time) -> String {
    let method = loop {
        let entry = &REGISTRY[random.below(REGISTRY.len() as u64) as usize];
        // Those of patterns have theirs from the configuration.
        if !entry.meta.submethods.is_empty() {
            break entry.meta;
        }
    };
    let submethod = &method.submethods[random.below(method.submethods.len() as u64) as usize];
    // The square of an even number crowds: few sources raise most.
    let rank = random.below(SOURCES) * random.below(SOURCES) / SOURCES;
    let source = format!("10.{}.{}.{}", rank >> 16, rank >> 8 & 255, rank & 255);
    let targets: Vec<_> = (0..=random.below(TARGETS))
        .map(|_| {
            let ip = format!("192.168.{}.{}", random.below(256), random.below(256));
            json!({"ip": ip, "port": random.pick(&[22, 80, 443, 445, 3389])})
        })
        .collect();
    let stamp = |time: Time| weir_output::stamp::rfc3339(time);
    let first = detected - NANOS_PER_S * (1 + random.below(60) as i64);
    let flow = json!({"flow_id": format!("{number:016x}"), "start": stamp(first), "src_ip": source, "src_port": 40_000,
        "dst_ip": targets[0]["ip"], "dst_port": targets[0]["port"], "proto": 6, "src_packets": 5, "src_bytes": 981,
        "dst_packets": 6, "dst_bytes": 828, "src_tcp_flags": ".AP.SF", "dst_tcp_flags": ".AP.SF"});
    let attack: Vec<_> = submethod
        .techniques
        .iter()
        .map(|technique| json!({"tactic": technique.tactic, "technique": technique.technique}))
        .collect();
    let id = (detected.0.max(0) / 1_000_000) as u64;
    json!({
        "id": format!("{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}", id >> 16, id & 0xffff, random.below(4096),
            random.below(4096), number),
        "method": method.code, "submethod": submethod.name, "title": method.title,
        "priority": random.pick(&["informational", "low", "low", "medium", "medium", "medium", "high", "critical"]),
        "probability": 50 + random.below(51), "risk": random.below(101),
        "state": if random.chance(5) { "open" } else { "closed" },
        "site": "default", "feed": "default", "instance": "default",
        "source": {"ip": source}, "targets": targets, "target_count": targets.len(),
        "first_flow": stamp(first), "detected": stamp(detected), "last_update": stamp(detected + NANOS_PER_S),
        "updates": 1,
        "reason": format!("{} connections from {source}, {} of them refused", 10 + random.below(1000), random.below(10)),
        "detail": {"FlowCount": 10 + random.below(1000), "DurationMs": random.below(60_000)},
        "explanation": {"rule": "attempts >= attempts_min", "inputs": {"attempts": 195}, "limits": {"attempts_min": 20}},
        "attack": attack, "entities": [format!("ip:{source}")],
        "evidence": {"flow_count": EVIDENCE, "query": format!("src ip {source}"), "flows": vec![flow; EVIDENCE]},
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_and_made_again_alike() {
        let at = Time::from_secs(1_790_000_000);
        let lines = |seed| {
            let mut random = Random::new(seed);
            (0..200)
                .map(|number| event(&mut random, number, at))
                .collect::<Vec<_>>()
        };
        let made = lines(1);
        assert_eq!(made, lines(1));
        for line in &made {
            EventRecord::from_line(line).unwrap();
        }
        let ids: std::collections::HashSet<String> = made
            .iter()
            .map(|line| EventRecord::from_line(line).unwrap().id().to_owned())
            .collect();
        assert_eq!(ids.len(), made.len());
    }
}
