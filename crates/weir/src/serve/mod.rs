//! One process: sources, detection, stores, the HTTP interface. All of its threads are made here: one per source, one
//! for the interface, and the calling thread, which looks after signals, syncs and the status.

mod configured;
mod connections;
mod control;
mod demo;
mod folder;
mod http;
mod keeping;
mod program;
mod records;
mod reports;
mod setting;
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
use weir_store::flow::Retention;
use weir_store::flow::profile::Profile;

use crate::collect::{self, Listen};
use crate::config::{Config, MANAGED};
use crate::fetch::Refresher;
use crate::hunting;
use crate::shutdown;
use configured::{Configured, told};
use control::Control;
use http::Server;
use keeping::{Keeping, Places, SITE, Stores};
use setting::now;
use status::Board;

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
const SOURCES_MAX: usize = 64;
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
    /// What is counted of them beside the profile of all records, and how long that is kept, by step.
    pub profiles: Vec<Profile>,
    pub keep_profiles: [Retention; 3],
}

/// Serves until SIGINT or SIGTERM. `say` gets lines for people; it is called from several threads.
pub fn run(serve: Serve, say: fn(&str)) -> Result<()> {
    let stop = shutdown::flag()?;
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, reload.clone())?;
    let board = Arc::new(Board::new());
    let stores = Arc::new(Stores::open(Places {
        folder: &serve.store,
        retention: serve.retention.clone(),
        profiles: &serve.profiles,
        keep_profiles: serve.keep_profiles.clone(),
        flows: serve.flows.as_deref(),
    })?);
    let managed = serve.store.join(MANAGED);
    let configured = Configured::read(serve.config.clone(), Some(managed), stores.rules.clone())?;
    let configured = Arc::new(configured);
    let control = Control::open(&serve.store).context("the control socket in the folder of stores")?;
    let server = Server::start(&stores, (&configured, &board), &serve.store, &serve.listen, say)?;
    let mut house = House {
        board: board.clone(),
        stores,
        server,
        configured,
        sources: Sources::new(stop.clone(), say),
        refresher: None,
        say,
    };
    house.announce();
    if serve.collect.is_empty() {
        let config = house.configured.config()?;
        house.refresh(&config, &serve.store)?;
    } else {
        house.collect(serve.collect.clone(), &serve.store)?;
    }
    if let Some(folder) = &serve.watch {
        house.watch(folder, &serve.store)?;
    }
    house.keep(&stop, &reload, Some(&control));
    house.end()
}

/// Threads of the sources, and how they ended.
struct Sources {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    failed: Receiver<anyhow::Error>,
    fail: SyncSender<anyhow::Error>,
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

    fn spawn(&mut self, name: &str, work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
        let fail = self.fail.clone();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            if let Err(error) = work() {
                // Nobody listens only when everything ends anyway.
                let _ = fail.send(error);
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
    board: Arc<Board>,
    stores: Arc<Stores>,
    server: Server,
    configured: Arc<Configured>,
    sources: Sources,
    /// Fetches lists of indicators, where some are fetched.
    refresher: Option<Refresher>,
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
        if let Some(token) = self.server.app().accounts().setup_token(now()) {
            (self.say)(&format!(
                "first start: make the administrator there, with this token (valid once, for an hour): {token}"
            ));
        }
    }

    fn keeping(&self, source: &str, kind: SourceKind) -> Keeping {
        Keeping::new(
            self.stores.clone(),
            self.board.clone(),
            self.server.app().clone(),
            self.sources.stop.clone(),
            (source, kind),
        )
    }

    /// Keeps the fetched lists of the configuration fresh, and looks for what they bring in what is stored.
    fn refresh(&mut self, config: &Config, store: &Path) -> Result<()> {
        let (stores, board, app) = (self.stores.clone(), self.board.clone(), self.server.app().clone());
        let (configured, stop, say) = (self.configured.clone(), self.sources.stop.clone(), self.say);
        let store = store.to_owned();
        let hunt = move |new| {
            if !stores.in_folder() {
                say("new indicators were not looked for in the past: that needs flow records in the folder");
                return;
            }
            let source = ("hunt", SourceKind::File);
            let keeping = Keeping::new(stores.clone(), board.clone(), app.clone(), stop.clone(), source);
            let found = configured
                .config()
                .and_then(|config| hunting::beside(&store, SITE, new, config, (now(), &stop), keeping));
            match found {
                Ok(line) => say(&line),
                Err(error) => say(&format!(
                    "new indicators were not looked for in the past: {error:#}"
                )),
            }
        };
        self.refresher = Refresher::start(config, self.sources.stop.clone(), say, hunt)?;
        Ok(())
    }

    fn collect(&mut self, listen: Vec<Listen>, state: &Path) -> Result<()> {
        let mut config = self.configured.config()?;
        config.learned = Some(state.join(LEARNED));
        self.refresh(&config, state)?;
        let job = collect::Job {
            config,
            listen,
            receivers: 1,
            allowed: None,
            tls: None,
            hold: HOLD,
            state: Some(state.to_owned()),
            correct_clocks: false,
            detect: true,
            store: None,
            stop: self.sources.stop.clone(),
        };
        for listen in &job.listen {
            self.board
                .source(&listen.to_string(), SourceKind::Listener, SourceState::Waiting);
        }
        self.board.exporters_in(state);
        let (keeping, say) = (self.keeping("collector", SourceKind::Listener), self.say);
        self.configured.live.store(true, Ordering::Relaxed);
        self.sources.spawn("collect", move || {
            let (keeping, _) = collect::run(job, keeping, say)?;
            keeping.finish();
            Ok(())
        })
    }

    fn watch(&mut self, folder: &Path, state: &Path) -> Result<()> {
        if !folder.is_dir() {
            bail!(
                "{}: is no folder; make it, or give another with --watch",
                folder.display()
            );
        }
        let watched = folder::Watched {
            folder: folder.to_owned(),
            ledger: state.join("watched.json"),
            config: self.configured.clone(),
            stop: self.sources.stop.clone(),
            board: self.board.clone(),
            say: self.say,
        };
        let (stores, board) = (self.stores.clone(), self.board.clone());
        let (app, stop) = (self.server.app().clone(), self.sources.stop.clone());
        self.sources.spawn("watch", move || {
            watched.run(|file| {
                let source = (file, SourceKind::File);
                Keeping::new(stores.clone(), board.clone(), app.clone(), stop.clone(), source)
            })
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
            while let Ok(error) = self.sources.failed.try_recv() {
                (self.say)(&format!("{error:#}"));
                self.board.failed(&format!("{error:#}"));
            }
            if Instant::now() >= status_at {
                status_at = Instant::now() + STATUS_EVERY;
                self.stores.tick();
                self.publish();
            }
            thread::sleep(TICK);
        }
    }

    fn publish(&self) {
        let app = self.server.app();
        app.publish(Status {
            reload: self.configured.latest(),
            ..self.board.status(&self.stores)
        });
        app.stream().tell("status", "{}");
    }

    /// Sources first, so that what they still hold is stored; then the interface; then the stores.
    fn end(self) -> Result<()> {
        (self.say)("stopping");
        let Self {
            stores,
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
        stores.finish().context("the stores could not be closed")?;
        if whole {
            Ok(())
        } else {
            bail!("stopped before every source had ended")
        }
    }
}

#[cfg(test)]
mod tests;
