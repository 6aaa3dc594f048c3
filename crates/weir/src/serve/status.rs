//! The board on which sources write how they are, and the status made of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use weir_api::status::{Blind, Book, Counted, NoticeShown, SourceKind, SourceState, SourceStatus, Status};
use weir_collector::ExporterReport;
use weir_detect::Instance;
use weir_model::{Batch, NANOS_PER_S, Time};

use super::keeping::Stores;
use super::setting::{now, stamp};
use crate::collect;
use crate::syscheck::Notice;

/// Sources on the board; of more, those that ended first are taken off.
const SOURCES_MAX: usize = 1000;
/// Exporters shown.
pub(super) const EXPORTERS_MAX: usize = 1000;
/// Silence after which an exporter counts as silent, seconds.
const SILENT_S: i64 = 120;
/// How long a notice is shown that is not repeated; they are repeated every hour, seconds.
const NOTICE_S: i64 = 2 * 3_600;

/// How sources are.
pub(super) struct Board {
    started: Time,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    sources: BTreeMap<String, Source>,
    /// Order in which sources came, for taking off the oldest.
    order: Vec<String>,
    watermark: Option<Time>,
    /// Where the collector keeps what it knows of exporters.
    exporters: Option<PathBuf>,
    /// Records of exporters when their statistics were written last, when that was, and the rate since the time before.
    rates: BTreeMap<IpAddr, (u64, Time, f64)>,
    troubles: Vec<String>,
    /// What methods cannot see in the source that began last.
    blind: Vec<Blind>,
    /// The last notice of each check, and when it came by our clock.
    notices: BTreeMap<&'static str, (NoticeShown, Time)>,
}

struct Source {
    status: SourceStatus,
    first: Option<Time>,
    last: Option<Time>,
    /// Records and moment when the rate was taken last.
    rated: (u64, Time),
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            started: now(),
            notes: Mutex::new(Notes::default()),
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A source is there.
    pub(super) fn source(&self, name: &str, kind: SourceKind, state: SourceState) {
        self.notes().entry(name, kind).status.state = state;
    }

    /// A source is at its end.
    pub(super) fn ended(&self, name: &str, state: SourceState) {
        if let Some(source) = self.notes().sources.get_mut(name)
            && source.status.trouble.is_none()
        {
            source.status.state = state;
        }
    }

    /// A source has a trouble.
    pub(super) fn trouble(&self, name: &str, kind: SourceKind, why: &str) {
        let mut notes = self.notes();
        let source = notes.entry(name, kind);
        source.status.state = SourceState::Failed;
        source.status.trouble = Some(why.to_owned());
    }

    /// What a source counted when it had ended.
    pub(super) fn counted(&self, name: &str, kind: SourceKind, packets: u64, bytes: u64) {
        let mut notes = self.notes();
        let status = &mut notes.entry(name, kind).status;
        (status.packets, status.bytes) = (packets, bytes);
    }

    /// Exporters are told of in this folder.
    pub(super) fn exporters_in(&self, folder: &Path) {
        self.notes().exporters = Some(folder.to_owned());
    }

    /// Records a second that an exporter sent lately.
    pub(super) fn exporter_rate(&self, address: &IpAddr) -> f64 {
        self.notes().rates.get(address).map_or(0.0, |(_, _, rate)| *rate)
    }

    /// Something failed that belongs to no source.
    pub(super) fn failed(&self, why: &str) {
        let mut notes = self.notes();
        if notes.troubles.len() < SOURCES_MAX {
            notes.troubles.push(why.to_owned());
        }
    }

    /// What these methods cannot see, by what is missing.
    pub(super) fn blind(&self, instances: &[Instance]) {
        let mut by_need: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for instance in instances {
            for (submethod, missing) in &instance.blind {
                let missing: Vec<_> = missing.iter().map(|need| need.words()).collect();
                let name = format!("{}.{submethod}", instance.meta.code);
                by_need.entry(missing.join(", ")).or_default().push(name);
            }
        }
        let blind = by_need
            .into_iter()
            .map(|(missing, submethods)| Blind { missing, submethods });
        self.notes().blind = blind.collect();
    }

    /// A check of the input, or of the methods, found something.
    pub(super) fn notice(&self, notice: &Notice) {
        let shown = NoticeShown {
            check: notice.check.to_owned(),
            at: stamp(notice.at),
            text: notice.text.clone(),
        };
        self.notes().notices.insert(notice.check, (shown, now()));
    }

    /// A source gave a batch.
    pub(super) fn batch(&self, name: &str, kind: SourceKind, batch: &Batch) {
        let mut notes = self.notes();
        let source = notes.entry(name, kind);
        source.status.state = SourceState::Live;
        source.status.flows += batch.flows.len() as u64;
        for flow in &batch.flows {
            source.first = Some(source.first.map_or(flow.start, |first| first.min(flow.start)));
            source.last = Some(source.last.map_or(flow.end, |last| last.max(flow.end)));
        }
        // The end's tick lies at the end of time.
        let time = batch
            .ticks
            .iter()
            .filter(|tick| !tick.end)
            .map(|tick| tick.time)
            .max();
        let time = time.max(source.last);
        notes.watermark = notes.watermark.max(time);
    }

    /// The status of everything.
    pub(super) fn status(&self, stores: &Stores) -> Status {
        let (store_status, stored, keeper) = stores.status();
        let given = stores.given.load(Ordering::Relaxed);
        let mut notes = self.notes();
        let now = now();
        for source in notes.sources.values_mut() {
            source.rate(now);
        }
        let exporters = notes
            .exporters
            .clone()
            .map(|folder| exporters(&mut notes.rates, &folder, now));
        let mut sources: Vec<SourceStatus> = notes.sources.values().map(Source::shown).collect();
        sources.extend(exporters.into_iter().flatten());
        sources.extend(notes.troubles.iter().map(|why| SourceStatus {
            trouble: Some(why.clone()),
            ..nothing("source", SourceKind::Listener, SourceState::Failed)
        }));
        let offered = stored.offered;
        Status {
            started: stamp(self.started),
            watermark_ns: notes.watermark.map(|time| time.0),
            sources,
            books: vec![Book::new(
                "flow records: what sources gave was offered to the store",
                given,
                vec![Counted::new("offered", offered)],
            )],
            stores: store_status,
            blind: notes.blind.clone(),
            anomalies: [
                ("flow_records_dropped", stored.dropped),
                ("profile_records_left_out", stored.profiles.left_out),
                ("profile_segments_not_counted", stored.profiles.segments_failed),
                ("evidence_not_pinned", stores.not_pinned()),
                ("events_rejected", keeper.rejected),
                ("events_lost", keeper.lost),
                ("event_spool_torn", keeper.torn),
            ]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| Counted::new(name, count))
            .collect(),
            notices: {
                notes
                    .notices
                    .retain(|_, (_, came)| now.since(*came) < NOTICE_S * NANOS_PER_S);
                notes.notices.values().map(|(shown, _)| shown.clone()).collect()
            },
            reload: None,
        }
    }
}

impl Notes {
    fn entry(&mut self, name: &str, kind: SourceKind) -> &mut Source {
        if !self.sources.contains_key(name) {
            if self.order.len() >= SOURCES_MAX {
                let oldest = self.order.remove(0);
                self.sources.remove(&oldest);
            }
            self.order.push(name.to_owned());
        }
        self.sources.entry(name.to_owned()).or_insert_with(|| Source {
            status: nothing(name, kind, SourceState::Waiting),
            first: None,
            last: None,
            rated: (0, now()),
        })
    }
}

impl Source {
    fn rate(&mut self, now: Time) {
        let (flows, at) = self.rated;
        let passed = now.secs_since(at);
        if passed >= 1.0 {
            self.status.flows_per_s = (self.status.flows - flows) as f64 / passed;
            self.rated = (self.status.flows, now);
        }
    }

    fn shown(&self) -> SourceStatus {
        SourceStatus {
            first: self.first.map(stamp),
            last: self.last.map(stamp),
            ..self.status.clone()
        }
    }
}

fn nothing(name: &str, kind: SourceKind, state: SourceState) -> SourceStatus {
    SourceStatus {
        name: name.to_owned(),
        kind,
        state,
        packets: 0,
        bytes: 0,
        flows: 0,
        lost: 0,
        flows_per_s: 0.0,
        first: None,
        last: None,
        trouble: None,
    }
}

/// Exporters as the collector wrote them down last.
fn exporters(rates: &mut BTreeMap<IpAddr, (u64, Time, f64)>, folder: &Path, now: Time) -> Vec<SourceStatus> {
    let Some(known) = collect::load_exporters(folder).ok().flatten() else {
        return Vec::new();
    };
    let mut fresh = BTreeMap::new();
    let shown = known.reports.iter().take(EXPORTERS_MAX).map(|report| {
        let records = report.counts.records;
        let rate = match rates.get(&report.address) {
            Some(same @ (_, written, _)) if *written == known.written => *same,
            Some((before, written, _)) => {
                let passed_s = known.written.secs_since(*written).max(1.0);
                let rate = records.saturating_sub(*before) as f64 / passed_s;
                (records, known.written, rate)
            }
            None => (records, known.written, 0.0),
        };
        fresh.insert(report.address, rate);
        SourceStatus {
            packets: report.counts.messages,
            flows: records,
            lost: report.counts.lost,
            flows_per_s: rate.2,
            first: Some(stamp(report.first)),
            last: Some(stamp(report.last)),
            ..nothing(
                &report.address.to_string(),
                SourceKind::Exporter,
                exporter_state(report, now),
            )
        }
    });
    let shown = shown.collect();
    *rates = fresh;
    shown
}

/// Does an exporter still send?
pub(super) fn exporter_state(report: &ExporterReport, now: Time) -> SourceState {
    if now.since(report.last) / NANOS_PER_S >= SILENT_S {
        SourceState::Silent
    } else {
        SourceState::Live
    }
}
