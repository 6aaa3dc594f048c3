//! All threads and queues of the program, and nothing else: reading and metering on the calling thread, detection
//! shards, one thread for triage and output, and one for the store when there is one. Data flows forward only; every queue is bounded.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use weir_capture::RawPacket;
use weir_detect::{Checkpoint, Emission, Instance, Shard, ShardStats};
use weir_enrich::Scope;
use weir_meter::Meter;
use weir_model::{AnomalyCounts, Batch};
use weir_triage::{Change, Triage};

use crate::config::Config;
use crate::exports::{self, Collecting, Exports, Looked, RecordFile};
use crate::learning::Learning;
use crate::reading::Reading;
use crate::storing::{self, Kept, Store};
use crate::summary::{Census, Summary};
use crate::syscheck::{Notice, SysCheck};

/// Batches in flight to each consumer. From a file the reader waits, so a short queue costs no speed and keeps memory
/// flat: 16 batches of 1,024 records are some 6 MiB.
const BATCHES_QUEUED: usize = 16;
/// Packets between two looks at the batch and the progress bar.
const PACKETS_PER_STEP: usize = 512;
/// Ticks that make a batch full: quiet captures have few records and many seconds.
const TICKS_MAX: usize = 1024;

/// What a run of the pipeline does.
pub struct Job {
    pub files: Vec<PathBuf>,
    pub config: Config,
    /// Look for events. Off: metering (and dissecting) only.
    pub detect: bool,
    /// Keeps flow records and transactions as well.
    pub store: Option<Store>,
}

/// Who gets the results, on the output thread, in order.
pub trait Consumer: Send {
    /// A batch has been enriched. Called before the changes it brings.
    fn batch(&mut self, batch: &Batch) -> std::io::Result<()>;
    /// An event opened, was updated or closed.
    fn change(&mut self, change: Change) -> std::io::Result<()>;
    /// Something about the watching itself is worth knowing. Whoever shows nothing to people may pass over it.
    fn notice(&mut self, _notice: &Notice) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the output thread returns.
struct Finished<C> {
    consumer: C,
    triage: AnomalyCounts,
    census: Census,
    error: Option<std::io::Error>,
}

/// Runs the job to its end. `progress` is told the compressed bytes read so far, from the calling thread.
pub fn run<C: Consumer>(
    job: Job,
    consumer: C,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<(C, Summary)> {
    let Job {
        files,
        config,
        detect,
        store,
    } = job;
    let looked = exports::look(&files);
    let instances = match &looked {
        _ if !detect => Vec::new(),
        Looked::Exports(exports) => config.instances_for(&exports.have, config.inside.is_some())?,
        Looked::Packets(_) | Looked::Failed(_) => config.instances(config.inside.is_some())?,
    };
    let mut reading = Reading::new(files);
    let mut summary = Summary::new(&instances);
    summary.lists = config.list_lines.clone();
    let (consumer, ended) = line(&config, &instances, store, consumer, |feeds| {
        let source = Source {
            config: &config,
            feeds,
        };
        summary.scope = match looked {
            Looked::Exports(exports) => {
                source.pump_exports(exports, &mut reading, &mut summary, &mut progress)
            }
            Looked::Packets(first) => {
                reading.begin(first);
                source.pump(&mut reading, &mut summary, &mut progress)
            }
            Looked::Failed(why) => {
                reading.fail_first(why);
                source.pump(&mut reading, &mut summary, &mut progress)
            }
        };
    })?;
    summary.ended(&instances, ended);
    summary.reading(&reading);
    Ok((consumer, summary))
}

/// What the stages behind the source counted.
pub(crate) struct Ended {
    pub(crate) triage: AnomalyCounts,
    pub(crate) census: Census,
    pub(crate) shards: Vec<Vec<ShardStats>>,
    /// What the store took, when there was one.
    pub(crate) stored: Option<Kept>,
    /// What went wrong with learned state.
    pub(crate) learning: Vec<String>,
}

/// Where a source sends its batches.
pub(crate) struct Feeds(Vec<SyncSender<Arc<Batch>>>);

impl Feeds {
    /// Sends batches to every consumer, waiting for room. False when nobody listens any more (the output was closed).
    pub(crate) fn send(&self, ready: Vec<Batch>) -> bool {
        ready
            .into_iter()
            .map(Arc::new)
            .all(|batch| self.0.iter().all(|feed| feed.send(batch.clone()).is_ok()))
    }
}

/// Everything behind the source: detection shards and the output thread, fed by `source` on the calling thread until it
/// returns. No instances: no shards, records go to the consumer (and the store) only.
pub(crate) fn line<C: Consumer>(
    config: &Config,
    instances: &[Instance],
    store: Option<Store>,
    consumer: C,
    source: impl FnOnce(Feeds),
) -> anyhow::Result<(C, Ended)> {
    let shard_count = if instances.is_empty() { 0 } else { config.shards };
    let triage = Triage::new(config.triage());
    let check = SysCheck::new(config.syscheck);
    let learning = match &config.learned {
        Some(folder) if shard_count > 0 => Some(Learning::open(folder, shard_count)?),
        _ => None,
    };
    let (consumer, mut ended) = thread::scope(|scope| {
        let (mut feeds, mut results) = (Vec::new(), Vec::new());
        let mut shards = Vec::new();
        for index in 0..shard_count {
            let (feed, batches) = sync_channel::<Arc<Batch>>(BATCHES_QUEUED);
            let (sent, received) = sync_channel::<Vec<Emission>>(BATCHES_QUEUED);
            let shard = Shard::new(index, shard_count, instances);
            let learning = learning.as_ref();
            let shard = match learning {
                Some(learning) => learning.teach(shard),
                None => shard,
            };
            shards.push(scope.spawn(move || detect_batches(shard, index, &batches, &sent, learning)));
            feeds.push(feed);
            results.push(received);
        }
        let (feed, batches) = sync_channel::<Arc<Batch>>(BATCHES_QUEUED);
        feeds.push(feed);
        let writer = scope.spawn(move || write(&batches, &results, (triage, check), consumer));
        let store = store.map(|store| {
            let (feed, batches) = sync_channel::<Arc<Batch>>(BATCHES_QUEUED);
            feeds.push(feed);
            scope.spawn(move || storing::store(store, &batches))
        });
        source(Feeds(feeds));
        let joined = shards.into_iter().map(|shard| shard.join().ok());
        let joined: Vec<Option<(Vec<ShardStats>, Vec<Checkpoint>)>> = joined.collect();
        let finished = writer
            .join()
            .map_err(|_| anyhow::anyhow!("the output thread panicked"))?;
        let stored = store.map(|store| store.join()).transpose();
        let stored = stored.map_err(|_| anyhow::anyhow!("the store's thread panicked"))?;
        if let Some(error) = finished.error {
            return Err(error.into());
        }
        // What a shard that broke down had learned is on disk from the minute before.
        let whole = joined.iter().all(Option::is_some);
        let (shards, learned) = joined.into_iter().map(Option::unwrap_or_default).unzip();
        if let Some(learning) = learning.as_ref().filter(|_| whole) {
            learning.write(learned);
        }
        let ended = Ended {
            triage: finished.triage,
            census: finished.census,
            shards,
            stored: stored.transpose()?,
            learning: Vec::new(),
        };
        anyhow::Ok((finished.consumer, ended))
    })?;
    ended.learning = learning.map(Learning::into_troubles).unwrap_or_default();
    Ok((consumer, ended))
}

/// The calling thread's part: packets to batches, batches to everyone.
struct Source<'a> {
    config: &'a Config,
    feeds: Feeds,
}

impl Source<'_> {
    fn pump(
        self,
        reading: &mut Reading,
        summary: &mut Summary,
        progress: &mut impl FnMut(u64),
    ) -> Option<Scope> {
        let mut meter = Meter::new(self.config.meter);
        let mut enricher = self.config.enricher();
        let mut batch = Batch::default();
        let mut wanted = true;
        let mut more = true;
        while wanted && more {
            more = reading.step(PACKETS_PER_STEP, |raw| {
                // A silence can end every flow at once: they leave batch by batch, so that memory stays flat.
                while !meter.advance_some(raw.time, &mut batch) {
                    wanted = wanted && self.feeds.send(enricher.push(std::mem::take(&mut batch)));
                }
                meter_packet(&mut meter, &raw, &mut batch);
            });
            if batch.len() >= Batch::RECORDS_MAX || batch.ticks.len() >= TICKS_MAX {
                wanted = wanted && self.feeds.send(enricher.push(std::mem::take(&mut batch)));
            }
            progress(reading.bytes_read());
        }
        let mut ended = false;
        while wanted && !ended {
            ended = meter.finish_some(&mut batch);
            wanted = self.feeds.send(enricher.push(std::mem::take(&mut batch)));
        }
        summary.meter = meter.stats();
        summary.anomalies.merge(meter.anomalies());
        enricher.scope().cloned()
    }

    /// As `pump`, with a collector in the place of the meter.
    fn pump_exports(
        self,
        exports: Exports,
        reading: &mut Reading,
        summary: &mut Summary,
        progress: &mut impl FnMut(u64),
    ) -> Option<Scope> {
        let mut collecting = Collecting::default();
        let mut enricher = self.config.enricher();
        let mut batch = Batch::default();
        let mut wanted = true;
        if let Some(first) = exports.first {
            let mut first = Some(first);
            for path in reading.take_files() {
                let opened = first.take().map_or_else(|| RecordFile::open_path(&path), Ok);
                let trouble = match opened {
                    Ok(file) => collecting.record_file(file, &mut batch, |batch, bytes| {
                        progress(bytes);
                        wanted = self.feeds.send(enricher.push(std::mem::take(batch)));
                        wanted
                    }),
                    Err(error) => {
                        reading.fail(error.to_string());
                        None
                    }
                };
                reading.note(&path, trouble);
            }
        }
        while wanted && reading.step(PACKETS_PER_STEP, |raw| collecting.packet(&raw, &mut batch)) {
            if batch.len() >= Batch::RECORDS_MAX {
                wanted = self.feeds.send(enricher.push(std::mem::take(&mut batch)));
            }
            progress(reading.bytes_read());
        }
        let mut ended = false;
        while wanted && !ended {
            ended = collecting.finish_some(&mut batch);
            wanted = self.feeds.send(enricher.push(std::mem::take(&mut batch)));
        }
        summary.exports = collecting.lines();
        summary.exporters = collecting.exporters();
        enricher.scope().cloned()
    }
}

fn meter_packet(meter: &mut Meter, raw: &RawPacket<'_>, batch: &mut Batch) {
    let packet = weir_wire::decode(raw.link, raw.data, raw.frame_bytes);
    meter.packet(raw.time, &packet, batch);
}

/// A detection shard's thread. Returns its counters and, where that is kept, what it has learned.
fn detect_batches(
    mut shard: Shard,
    index: usize,
    batches: &Receiver<Arc<Batch>>,
    sent: &SyncSender<Vec<Emission>>,
    learning: Option<&Learning>,
) -> (Vec<ShardStats>, Vec<Checkpoint>) {
    let mut due = Learning::due();
    for batch in batches {
        let found = shard.run(&batch);
        // Whoever holds it last need not copy what is kept of it.
        drop(batch);
        if sent.send(found).is_err() {
            break;
        }
        if let Some(learning) = learning {
            learning.gather(index, &mut shard, &mut due);
        }
    }
    let learned = learning.map(|_| shard.learned()).unwrap_or_default();
    (shard.stats(), learned)
}

/// The output thread: merges what the shards found for each batch, lets triage make events of it, hands them on.
fn write<C: Consumer>(
    batches: &Receiver<Arc<Batch>>,
    results: &[Receiver<Vec<Emission>>],
    (mut triage, mut check): (Triage, SysCheck),
    mut consumer: C,
) -> Finished<C> {
    let mut census = Census::default();
    let mut error = None;
    for batch in batches {
        census.count(&batch);
        check.batch(&batch);
        let mut emissions: Vec<Emission> = results
            .iter()
            .filter_map(|shard| shard.recv().ok())
            .flatten()
            .collect();
        emissions.sort_by_key(|emission| (emission.seq, emission.tie));
        let findings = emissions
            .into_iter()
            .filter(|emission| check.hears(&emission.finding))
            .map(|emission| (emission.seq, emission.finding))
            .collect();
        let handed = consumer.batch(&batch).and_then(|()| {
            // Without methods there are no events, and nothing to prove.
            let changes = match results.is_empty() {
                true => Vec::new(),
                false => triage.batch(batch, findings),
            };
            changes.into_iter().try_for_each(|change| {
                if let Change::Opened(event) = &change {
                    check.opened(event);
                }
                consumer.change(change)
            })?;
            check.take().iter().try_for_each(|notice| consumer.notice(notice))
        });
        if let Err(why) = handed {
            error = Some(why);
            break;
        }
    }
    Finished {
        consumer,
        triage: triage.anomalies().clone(),
        census,
        error,
    }
}
