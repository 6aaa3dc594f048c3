//! One process: sources, detection, stores, the HTTP interface, for one site or several. All of its threads are made here: one
//! per source, one for the interface, and the calling thread, which looks after signals, syncs and the status.

mod configured;
mod connections;
mod control;
mod copying;
mod demo;
mod folder;
mod http;
mod keeping;
mod pinning;
mod program;
mod records;
mod reports;
mod setting;
mod site;
mod status;
mod tasks;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::SIGHUP;
use weir_api::status::{SourceKind, SourceState, Status};
use weir_enrich::Slot;
use weir_enrich::indicator::Snapshot;
use weir_store::flow::Retention;
use weir_store::flow::profile::Profile;

use crate::collect::{self, Listen};
use crate::config::{DEFAULT_SITE, MANAGED};
use crate::fetch::Refresher;
use crate::hunting;
use crate::shutdown;
use configured::{Configured, told};
use control::Control;
use http::Server;
use keeping::{Keeping, Places};
use setting::now;
use site::Site;

pub use control::ask;
pub use demo::{Demo, demo};
pub use http::Listening;
pub use tls::Files as TlsFiles;

/// How often signals, syncs and the status are looked after.
const TICK: Duration = Duration::from_millis(200);
/// How often the status is made.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// How long sources may take to end; then the program ends without them. Part of the 10 s a stop may take.
const SOURCES_END: Duration = Duration::from_secs(6);
/// Threads of sources, each of which may tell one failure.
const SOURCES_MAX: usize = 256;
/// Folder of what methods learn, beside the stores.
const LEARNED: &str = "learned";
/// Seconds that collected records are held to be put in order.
const HOLD: Duration = Duration::from_secs(15);

/// What to serve.
pub struct Serve {
    /// Text of the configuration file, and where it was read.
    pub config: Option<PathBuf>,
    /// Folder of stores, accounts and learned state.
    pub store: PathBuf,
    /// Where and how the interface listens.
    pub listen: Listening,
    /// Folder whose capture files are read.
    pub watch: Option<PathBuf>,
    /// Where flow exports are taken.
    pub collect: Vec<Listen>,
    /// How long flow records and transactions are kept.
    pub retention: Retention,
    /// URL of an object store or a ClickHouse for flow records; in the folder without it.
    pub flows: Option<PathBuf>,
    /// URL of a database that every event goes to as well.
    pub events_copy: Option<String>,
    /// What is counted of them beside the profile of all records, and how long that is kept, by step.
    pub profiles: Vec<Profile>,
    pub keep_profiles: [Retention; 3],
}

/// Serves until SIGINT or SIGTERM. `say` gets lines for people; it is called from several threads.
pub fn run(serve: Serve, say: fn(&str)) -> Result<()> {
    let stop = shutdown::flag()?;
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, reload.clone())?;
    let managed = serve.store.join(MANAGED);
    let configured = Arc::new(Configured::read(serve.config.clone(), Some(managed))?);
    let others = configured.config()?.sites;
    if serve.flows.is_some() && !others.is_empty() {
        bail!("serve.flows is for one site: with [[sites]] flow records stay in the folders of the sites");
    }
    let places = Places {
        site: DEFAULT_SITE,
        folder: &serve.store,
        retention: serve.retention.clone(),
        profiles: &serve.profiles,
        keep_profiles: serve.keep_profiles.clone(),
        flows: serve.flows.as_deref(),
        events_copy: serve.events_copy.as_deref(),
    };
    let names = others.iter().map(|site| site.name.as_str());
    let sites = [DEFAULT_SITE].into_iter().chain(names);
    let sites = sites.map(|name| Site::open(&places, name, &configured));
    let sites = sites.collect::<Result<Vec<_>>>()?;
    let control = Control::open(&serve.store).context("the control socket in the folder of stores")?;
    let server = Server::start(&sites, &serve.store, &serve.listen, say)?;
    let mut house = House {
        sites,
        server,
        configured,
        sources: Sources::new(stop.clone(), say),
        refresher: None,
        lists: Arc::default(),
        say,
    };
    house.announce();
    house.refresh()?;
    house.collect(0, serve.collect.clone())?;
    house.watch(0, serve.watch.as_deref())?;
    for (at, site) in (1..).zip(others) {
        house.collect(at, site.collect)?;
        house.watch(at, site.watch.as_deref())?;
    }
    house.keep(&stop, &reload, Some(&control));
    house.end()
}

/// Threads of the sources, and how they ended.
struct Sources {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// What failed, and at which site.
    failed: Receiver<(usize, anyhow::Error)>,
    fail: SyncSender<(usize, anyhow::Error)>,
    say: fn(&str),
}

impl Sources {
    fn new(stop: Arc<AtomicBool>, say: fn(&str)) -> Self {
        let (fail, failed) = sync_channel(SOURCES_MAX);
        Self {
            stop,
            threads: Vec::new(),
            failed,
            fail,
            say,
        }
    }

    /// Begins a source of a site.
    fn spawn(
        &mut self,
        (at, name): (usize, &str),
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let fail = self.fail.clone();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            if let Err(error) = work() {
                // Nobody listens only when everything ends anyway.
                let _ = fail.send((at, error));
            }
        });
        self.threads.push(thread?);
        Ok(())
    }

    /// Waits for all of them, but not longer than a stop may take.
    fn join(self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let until = Instant::now() + SOURCES_END;
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() >= until {
                (self.say)("a source did not end in time; what it held is lost");
                return false;
            }
            thread::sleep(TICK / 10);
        }
        true
    }
}

/// Everything that runs.
struct House {
    /// The default one first.
    sites: Vec<Site>,
    server: Server,
    configured: Arc<Configured>,
    sources: Sources,
    /// Fetches lists of indicators, where some are fetched.
    refresher: Option<Refresher>,
    /// The indicators that all collectors look for.
    lists: Arc<Slot>,
    say: fn(&str),
}

impl House {
    fn announce(&self) {
        let (address, certificate) = self.server.shown();
        (self.say)(&format!("open {address}"));
        if let Some(print) = certificate {
            (self.say)(&format!("its certificate has the SHA-256 fingerprint {print}"));
        }
        if !weir_api::is_built() {
            (self.say)("this program was built without the web interface; the API is served");
        }
        if let Some(token) = self.server.apps()[0].accounts().setup_token(now()) {
            (self.say)(&format!(
                "first start: make the administrator there, with this token (valid once, for an hour): {token}"
            ));
        }
    }

    /// Makes consumers for sources of a site.
    fn keeping(&self, at: usize) -> impl Fn(&str, SourceKind) -> Keeping + Send + 'static {
        let (site, app, stop) = (
            self.sites[at].clone(),
            self.server.apps()[at].clone(),
            self.sources.stop.clone(),
        );
        move |source, kind| {
            let (stores, board) = (site.stores.clone(), site.board.clone());
            Keeping::new(stores, board, app.clone(), stop.clone(), (source, kind))
        }
    }

    /// Keeps the lists of the configuration fresh, and looks for what they bring in what is stored, at every site.
    fn refresh(&mut self) -> Result<()> {
        let config = self.configured.config()?;
        let (stop, say) = (self.sources.stop.clone(), self.say);
        let sites: Vec<_> = (0..self.sites.len())
            .map(|at| (self.sites[at].clone(), self.keeping(at)))
            .collect();
        let hunt = move |new: Arc<Snapshot>| {
            for (site, keeping) in &sites {
                if !site.stores.in_folder() {
                    say(
                        "new indicators were not looked for in the past: that needs flow records in the folder",
                    );
                    continue;
                }
                let keeping = keeping("hunt", SourceKind::File);
                let found = site.configured.config().and_then(|config| {
                    hunting::beside(
                        &site.folder,
                        site.name,
                        new.clone(),
                        config,
                        (now(), &stop),
                        keeping,
                    )
                });
                match found {
                    Ok(line) => say(&line),
                    Err(error) => say(&format!(
                        "new indicators were not looked for in the past: {error:#}"
                    )),
                }
            }
        };
        self.refresher = Refresher::start(&config, self.sources.stop.clone(), say, hunt)?;
        self.lists = config.indicators;
        Ok(())
    }

    /// Collects flow exports of a site, where it has listeners.
    fn collect(&mut self, at: usize, listen: Vec<Listen>) -> Result<()> {
        if listen.is_empty() {
            return Ok(());
        }
        let site = self.sites[at].clone();
        let mut config = site.configured.config()?;
        config.learned = Some(site.folder.join(LEARNED));
        // One copy for all, which is kept fresh.
        config.indicators = self.lists.clone();
        let job = collect::Job {
            config,
            listen,
            receivers: 1,
            allowed: None,
            tls: None,
            hold: HOLD,
            state: Some(site.folder.clone()),
            correct_clocks: false,
            detect: true,
            store: None,
            stop: self.sources.stop.clone(),
        };
        for listen in &job.listen {
            site.board
                .source(&listen.to_string(), SourceKind::Listener, SourceState::Waiting);
        }
        site.board.exporters_in(&site.folder);
        let (keeping, say) = (self.keeping(at)("collector", SourceKind::Listener), self.say);
        self.configured.live.store(true, Ordering::Relaxed);
        self.sources.spawn((at, "collect"), move || {
            let (keeping, _) = collect::run(job, keeping, say)?;
            keeping.finish();
            Ok(())
        })
    }

    /// Reads the capture files of a site, where it has a folder for them.
    fn watch(&mut self, at: usize, folder: Option<&Path>) -> Result<()> {
        let Some(folder) = folder else {
            return Ok(());
        };
        if !folder.is_dir() {
            bail!(
                "{}: is no folder; make it, or give another with --watch",
                folder.display()
            );
        }
        let site = &self.sites[at];
        let watched = folder::Watched {
            folder: folder.to_owned(),
            ledger: site.folder.join("watched.json"),
            config: site.configured.clone(),
            stop: self.sources.stop.clone(),
            board: site.board.clone(),
            say: self.say,
        };
        let keeping = self.keeping(at);
        self.sources.spawn((at, "watch"), move || {
            watched.run(|file| keeping(file, SourceKind::File))
        })
    }

    /// Looks after everything until the stop.
    fn keep(&mut self, stop: &AtomicBool, reload: &AtomicBool, control: Option<&Control>) {
        let mut status_at = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            if reload.swap(false, Ordering::Relaxed) {
                (self.say)(&told(&self.configured.reload()));
            }
            if let Some(control) = control {
                control.answer(|| {
                    let reload = self.configured.reload();
                    (self.say)(&told(&reload));
                    reload
                });
            }
            while let Ok((at, error)) = self.sources.failed.try_recv() {
                (self.say)(&format!("{error:#}"));
                self.sites[at].board.failed(&format!("{error:#}"));
            }
            if Instant::now() >= status_at {
                status_at = Instant::now() + STATUS_EVERY;
                self.sites.iter().for_each(|site| site.stores.tick());
                self.publish();
            }
            thread::sleep(TICK);
        }
    }

    fn publish(&self) {
        for (site, app) in self.sites.iter().zip(self.server.apps()) {
            app.publish(Status {
                reload: self.configured.latest(),
                ..site.board.status(&site.stores)
            });
            app.stream().tell("status", "{}");
        }
    }

    /// Sources first, so that what they still hold is stored; then the interface; then the stores.
    fn end(self) -> Result<()> {
        (self.say)("stopping");
        let Self {
            sites,
            server,
            sources,
            refresher,
            ..
        } = self;
        let whole = sources.join();
        if let Some(refresher) = refresher {
            refresher.end();
        }
        server.end();
        for site in sites {
            site.stores.finish().context("the stores could not be closed")?;
        }
        if whole {
            Ok(())
        } else {
            bail!("stopped before every source had ended")
        }
    }
}

#[cfg(test)]
mod tests;
