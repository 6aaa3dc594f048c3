//! The live collector: sockets on threads of their own, a queue bounded in bytes, and on the calling thread one decoder
//! whose records go the same way as those of a file. All of its threads and its only queue are here.

mod books;
mod coverage;
mod listen;
mod live;
mod queue;
mod state;
mod stream;
mod udp;
mod watch;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use weir_collector::Collector;
use weir_enrich::Scope;
use weir_model::{Batch, Networks, Time};

pub(crate) use coverage::remarks;
pub use coverage::{Reach, coverage};
pub use listen::{Listen, Transport};
pub(crate) use state::report_json;
pub use state::{Known, default_directory, load_exporters};

use crate::config::Config;
use crate::pipeline::{self, Consumer, Feeds};
use crate::storing::Store;
use crate::summary::Summary;
use books::Books;
use live::{Live, Now};
use queue::{Popped, Queue};
use stream::{Streams, Surroundings};
use udp::UdpListener;
use watch::Watch;

/// Longest wait for a datagram before other duties are looked at.
const PATIENCE: Duration = Duration::from_millis(50);

/// PEM files of the TLS listeners.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Authorities of exporters' certificates; with them, exporters without one are refused.
    pub clients: Option<PathBuf>,
}

/// What to collect.
pub struct Job {
    pub config: Config,
    pub listen: Vec<Listen>,
    /// Sockets and threads for each UDP listener; the kernel spreads exporters over them.
    pub receivers: usize,
    /// Who may send; `None`: anyone.
    pub allowed: Option<Networks>,
    pub tls: Option<TlsFiles>,
    /// How long records are held so that they can be put in order.
    pub hold: Duration,
    /// Where templates and statistics are kept; `None`: nowhere.
    pub state: Option<PathBuf>,
    /// Add to the times of exporters whose clocks are off what they are off.
    pub correct_clocks: bool,
    /// Look for events.
    pub detect: bool,
    /// Keeps the flow records as well.
    pub store: Option<Store>,
    /// Set by whoever wants the collector to end.
    pub stop: Arc<AtomicBool>,
}

/// Collects until the stop; `say` gets lines for people as things happen.
pub fn run<C: Consumer>(mut job: Job, consumer: C, say: impl FnMut(&str)) -> Result<(C, Summary)> {
    let mut watch = Watch::new(say);
    let store = job.store.take();
    let sockets = open(&job, &mut watch)?;
    let queue = Queue::default();
    let streams = Streams::default();
    let around = Surroundings {
        queue: &queue,
        allowed: job.allowed.as_ref(),
        streams: &streams,
        stop: &job.stop,
    };
    thread::scope(|scope| {
        for socket in &sockets.udp {
            let producer = queue.producer();
            scope.spawn(move || {
                let _producer = producer;
                socket.receive(around.allowed, around.queue, around.stop);
            });
        }
        for (listener, tls) in &sockets.streams {
            let producer = queue.producer();
            scope.spawn(move || {
                let _producer = producer;
                stream::accept(listener, tls.as_ref(), around, scope);
            });
        }
        let decoder = Decoder {
            job: &job,
            sockets: &sockets,
            around,
            started: Instant::now(),
        };
        let done = decoder.run(store, consumer, &mut watch);
        // Also when the output failed: nobody may wait for room in a queue that nobody empties.
        job.stop.store(true, Ordering::Relaxed);
        queue.close();
        done
    })
}

/// Open sockets.
struct Sockets {
    udp: Vec<UdpListener>,
    streams: Vec<(TcpListener, Option<Arc<rustls::ServerConfig>>)>,
}

fn open(job: &Job, watch: &mut Watch<impl FnMut(&str)>) -> Result<Sockets> {
    let mut sockets = Sockets {
        udp: Vec::new(),
        streams: Vec::new(),
    };
    for &listen in &job.listen {
        let failed = || format!("cannot listen on {listen}");
        match listen.transport {
            Transport::Udp => {
                let shared = job.receivers > 1;
                let mut address = listen.address;
                for _ in 0..job.receivers.max(1) {
                    let socket = UdpListener::open(address, shared).with_context(failed)?;
                    address.set_port(socket.local.port());
                    sockets.udp.push(socket);
                }
                watch.opened_udp(sockets.udp.last(), job.receivers.max(1));
            }
            Transport::Tcp | Transport::Tls => {
                let tls = match (listen.transport, &job.tls) {
                    (Transport::Tls, None) => bail!("{listen} needs --tls-cert FILE and --tls-key FILE"),
                    (Transport::Tls, Some(files)) => Some(stream::tls_config(
                        &files.certificate,
                        &files.key,
                        files.clients.as_deref(),
                    )?),
                    _ => None,
                };
                let listener = TcpListener::bind(listen.address).with_context(failed)?;
                listener.set_nonblocking(true).with_context(failed)?;
                watch.opened_stream(listen, listener.local_addr()?);
                sockets.streams.push((listener, tls));
            }
        }
    }
    Ok(sockets)
}

/// The calling thread's part: datagrams to batches, batches to everyone.
struct Decoder<'a> {
    job: &'a Job,
    sockets: &'a Sockets,
    around: Surroundings<'a>,
    started: Instant,
}

impl Decoder<'_> {
    fn run<C: Consumer>(
        &self,
        store: Option<Store>,
        consumer: C,
        watch: &mut Watch<impl FnMut(&str)>,
    ) -> Result<(C, Summary)> {
        let job = self.job;
        let mut live = Live::new(self.collector(watch)?, job.hold);
        // Methods are chosen by what the first records tell, as with a file.
        let mut ended = false;
        while !ended && !live.due(self.now()) {
            ended = self.step(&mut live, watch);
        }
        let have = live.collector.counts().offers();
        let instances = match job.detect {
            true => job.config.instances_for(&have, job.config.inside.is_some())?,
            false => Vec::new(),
        };
        let mut summary = Summary::new(&instances);
        let (consumer, behind) = pipeline::line(&job.config, &instances, store, consumer, |feeds| {
            summary.scope = self.pump(ended, &mut live, &feeds, watch);
        })?;
        summary.ended(&instances, behind);
        self.note_shed(&mut live);
        watch.trouble(self.keep(&live, self.now(), false));
        let books = self.books(&live);
        summary.source = books.source();
        summary.exports = books.lines();
        summary.exporters = live.collector.exporters();
        Ok((consumer, summary))
    }

    /// Takes what came, or waits a moment. True when nothing will come any more.
    fn step(&self, live: &mut Live, watch: &mut Watch<impl FnMut(&str)>) -> bool {
        let popped = self.around.queue.pop(PATIENCE);
        let now = self.now();
        if let Popped::Item(item) = &popped {
            live.take(item, now);
        } else {
            live.pass(now);
        }
        if watch.due(now) {
            live.pass(now);
            live.collector.expire(now.wall);
            self.note_shed(live);
            let reasons = self.around.streams.take_reasons();
            watch.report(now, self.books(live), &reasons, &live.collector);
            let kept = self.keep(live, now, true);
            watch.trouble(kept);
            if let Some(line) = self.job.config.geo.as_ref().and_then(|geo| geo.refresh()) {
                watch.tell(&line);
            }
        }
        matches!(popped, Popped::Ended)
    }

    /// Writes what was shed on the page of who sent it.
    fn note_shed(&self, live: &mut Live) {
        for (exporter, messages) in self.around.queue.take_shed() {
            live.collector.shed(exporter, messages);
        }
    }

    fn pump(
        &self,
        mut ended: bool,
        live: &mut Live,
        feeds: &Feeds,
        watch: &mut Watch<impl FnMut(&str)>,
    ) -> Option<Scope> {
        let mut enricher = self.job.config.enricher();
        let mut batch = Batch::default();
        let mut wanted = true;
        while wanted && !ended {
            let mut more = true;
            while wanted && more {
                more = live.release(self.now(), &mut batch) || live.due(self.now());
                if !batch.is_empty() {
                    wanted = feeds.send(enricher.push(std::mem::take(&mut batch)));
                }
            }
            ended = self.step(live, watch);
        }
        let mut flushed = false;
        while wanted && !flushed {
            flushed = live.finish_some(self.now(), &mut batch);
            wanted = feeds.send(enricher.push(std::mem::take(&mut batch)));
        }
        enricher.scope().cloned()
    }

    /// A collector with what an earlier run kept.
    fn collector(&self, watch: &mut Watch<impl FnMut(&str)>) -> Result<Collector> {
        let mut collector = Collector::default();
        collector.correct_clocks(self.job.correct_clocks);
        if let Some(directory) = &self.job.state {
            let now = self.now().wall;
            let sessions = state::load_templates(directory, now)?;
            watch.restored(sessions.len(), directory);
            collector.restore(sessions, now);
        }
        Ok(collector)
    }

    /// Writes templates and statistics to the state directory.
    fn keep(&self, live: &Live, now: Now, running: bool) -> Result<()> {
        let Some(directory) = &self.job.state else {
            return Ok(());
        };
        state::save_templates(directory, &live.collector.save(), now.wall)?;
        let known = Known {
            written: now.wall,
            running,
            reports: live.collector.exporters(),
        };
        state::save_exporters(directory, &known)
    }

    fn books(&self, live: &Live) -> Books {
        let mut books = Books {
            handed_on: live.handed_on,
            collected: live.collector.counts(),
            pairing: live.collector.pairing(),
            stitching: live.collector.stitching(),
            shed: self.around.queue.shed(),
            queued_bytes_most: self.around.queue.bytes_most() as u64,
            ..Books::default()
        };
        books.sockets(&self.sockets.udp, self.around.streams);
        books
    }

    fn now(&self) -> Now {
        Now {
            wall: wall(),
            running: self.started.elapsed(),
        }
    }
}

/// The time of day. The one place where the collector reads it.
fn wall() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Time(since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
pub(crate) mod testing {
    //! What tests of pages and coverage start from.

    use weir_collector::{Counts, ExporterReport};
    use weir_model::Time;
    use weir_wire::export::Format;

    /// An exporter without flags that has sent 1,000 records in 100 s.
    pub(crate) fn report() -> ExporterReport {
        let mut counts = Counts::default();
        for (name, times) in [
            ("messages", 40),
            ("records", 1_000),
            ("two_way", 400),
            ("one_way", 200),
            ("lost", 30),
        ] {
            assert!(counts.set(name, times));
        }
        ExporterReport {
            address: "192.0.2.1".parse().expect("an address"),
            formats: vec![Format::NetFlow9],
            domains: 1,
            templates: 2,
            elements: vec!["octetDeltaCount".into(), "protocolIdentifier".into()],
            sampling: vec![1],
            active_timeout_s: Some(1_800),
            idle_timeout_s: None,
            first: Time::from_secs(1_790_000_000),
            last: Time::from_secs(1_790_000_100),
            skew_ns: -90_000_000_000,
            counts,
        }
    }
}
