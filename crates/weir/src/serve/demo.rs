//! The demonstration: a store that lives as long as the program, a capture replayed faster than life through the very
//! same pipeline, and an interface that asks nobody to log in.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use weir_api::status::SourceKind;
use weir_store::flow::Retention;

use super::configured::Configured;
use super::http::Server;
use super::keeping::Places;
use super::site::Site;
use super::{House, Listening, Sources, folder};
use crate::config::{DEFAULT_SITE, MANAGED};
use crate::shutdown;

/// What to show.
pub struct Demo {
    /// The capture.
    pub file: PathBuf,
    pub listen: SocketAddr,
    /// Event time passes so many times as fast as the clock.
    pub speed: f64,
}

/// A folder that goes with its owner.
struct Temporary(PathBuf);

impl Temporary {
    fn make() -> io::Result<Self> {
        let base = std::env::temp_dir();
        for attempt in 0..1000 {
            let folder = base.join(format!("weir-demo-{}-{attempt}", std::process::id()));
            match std::fs::DirBuilder::new().create(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the folder of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Shows until SIGINT or SIGTERM.
pub fn demo(demo: Demo, say: fn(&str)) -> Result<()> {
    if !demo.listen.ip().is_loopback() {
        bail!(
            "{}: a demonstration lets everybody in, so it listens on this machine only",
            demo.listen
        );
    }
    let stop = shutdown::flag()?;
    let temporary = Temporary::make().context("a temporary folder for the demonstration")?;
    let managed = temporary.0.join(MANAGED);
    let configured = Arc::new(Configured::read(None, Some(managed))?);
    let places = Places {
        site: DEFAULT_SITE,
        folder: &temporary.0,
        retention: Retention::default(),
        profiles: &[],
        keep_profiles: Default::default(),
        flows: None,
        events_copy: None,
    };
    let site = Site::open(&places, DEFAULT_SITE, &configured)?;
    let sites = vec![site.clone()];
    // A port that is taken must not spoil the first impression.
    let at = |address| Listening {
        address,
        tls: None,
        oidc: None,
        demo: true,
    };
    let start = |address| Server::start(&sites, &temporary.0, &at(address), say);
    let any = SocketAddr::new(demo.listen.ip(), 0);
    // A port that is taken must not spoil the first impression.
    let server = start(demo.listen).or_else(|_| start(any))?;
    let mut house = House {
        sites,
        server,
        configured,
        sources: Sources::new(stop.clone(), say),
        refresher: None,
        lists: Arc::default(),
        say,
    };
    let name = Path::new(&demo.file)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    say(&format!(
        "replaying {} at {}x into a temporary store; Ctrl-C ends and deletes it",
        demo.file.display(),
        demo.speed
    ));
    say(&format!("open {}", house.server.shown().0));
    let keeping = house.keeping(0)(&name, SourceKind::File).paced(demo.speed);
    house.sources.spawn((0, "replay"), move || {
        let done = folder::replay(&demo.file, site.configured.config()?, &site.board, &name, keeping);
        match done {
            Ok(()) => say("the replay is over; look around as long as you like"),
            Err(_) if stop.load(std::sync::atomic::Ordering::Relaxed) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    })?;
    let stop = house.sources.stop.clone();
    house.keep(&stop, &AtomicBool::new(false), None);
    let ended = house.end();
    drop(temporary);
    ended
}
