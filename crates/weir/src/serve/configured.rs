//! The configuration of the running program: read, read again, changed from the interface; each time checked as a whole
//! and told what of it took force.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use weir_api::settings::{ChangeError, MethodSettings, Settings};
use weir_api::status::Reload;

use super::setting::{now, stamp};
use crate::config::{self, Config, Layers};

/// The configuration as it was read last.
pub(super) struct Configured {
    file: Option<PathBuf>,
    managed: Option<PathBuf>,
    state: Mutex<State>,
    /// A collector runs, which keeps what it began with.
    pub(super) live: AtomicBool,
}

struct State {
    /// Checked; taken up by sources when they begin something new.
    layers: Layers,
    /// The same, read; for questions. Its indicators are left out.
    checked: Arc<Config>,
    reload: Option<Reload>,
}

impl Configured {
    pub(super) fn read(file: Option<PathBuf>, managed: Option<PathBuf>) -> Result<Self> {
        let layers = Layers::read(file.as_deref(), managed.as_deref())?;
        let config = layers.config()?;
        Ok(Self {
            file,
            managed,
            state: Mutex::new(State {
                layers,
                checked: for_questions(config),
                reload: None,
            }),
            live: AtomicBool::new(false),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Read anew, for the pipelines of any site.
    pub(super) fn config(&self) -> Result<Config> {
        let layers = self.state().layers.clone();
        Ok(layers.config()?)
    }

    /// As it was read last, for questions about it.
    pub(super) fn checked(&self) -> Arc<Config> {
        self.state().checked.clone()
    }

    /// The files it was read from.
    pub(super) fn layers(&self) -> Layers {
        self.state().layers.clone()
    }

    /// The latest reading or change.
    pub(super) fn latest(&self) -> Option<Reload> {
        self.state().reload.clone()
    }

    /// Reads the files again: what changed, and what became of it.
    pub(super) fn reload(&self) -> Reload {
        let read = Layers::read(self.file.as_deref(), self.managed.as_deref());
        let taken = read.and_then(|layers| Ok((layers.config()?, layers)));
        let mut state = self.state();
        let reload = match taken {
            Ok((config, layers)) => self.take(&mut state, config, layers),
            Err(error) => Reload {
                rejected: Some(error.to_string()),
                ..nothing()
            },
        };
        state.reload = Some(reload.clone());
        reload
    }

    fn take(&self, state: &mut State, config: Config, layers: Layers) -> Reload {
        let reload = self.outcome(&state.layers, &layers);
        state.checked = for_questions(config);
        state.layers = layers;
        reload
    }

    /// What a change from one to the other comes to.
    fn outcome(&self, old: &Layers, new: &Layers) -> Reload {
        let mut reload = nothing();
        let live = self.live.load(Ordering::Relaxed);
        let (old, new) = (old.merged(), new.merged());
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
            let list = if live || config::needs_restart(key) {
                &mut reload.needs_restart
            } else {
                &mut reload.applied
            };
            list.push(key.clone());
        }
        reload
    }

    /// Changes settings as the interface asks.
    pub(super) fn change(
        &self,
        patch: &serde_json::Value,
        etag: Option<&str>,
        dry_run: bool,
    ) -> std::result::Result<Reload, ChangeError> {
        let before = self.state().layers.clone();
        let now = tag(&before);
        if etag.is_some_and(|etag| etag != now) {
            return Err(ChangeError::Stale(now));
        }
        let invalid = |error: config::ConfigError| ChangeError::Invalid(error.to_string());
        let layers = before.patched(patch).map_err(invalid)?;
        let config = layers.config().map_err(invalid)?;
        let mut state = self.state();
        // Reading lists takes its time; somebody else may have been faster.
        if state.layers != before {
            return Err(ChangeError::Stale(tag(&state.layers)));
        }
        if dry_run {
            return Ok(self.outcome(&before, &layers));
        }
        layers
            .write()
            .map_err(|error| ChangeError::Failed(format!("the file of changes: {error}")))?;
        let reload = self.take(&mut state, config, layers);
        state.reload = Some(reload.clone());
        Ok(reload)
    }

    pub(super) fn settings(&self) -> Settings {
        let (layers, indicators, reload) = {
            let state = self.state();
            (
                state.layers.clone(),
                state.checked.list_lines.clone(),
                state.reload.clone(),
            )
        };
        let shown = |path: &std::path::Path| path.display().to_string();
        Settings {
            etag: tag(&layers),
            file: layers.file().map(shown),
            managed: layers.managed_file().map(shown).unwrap_or_default(),
            values: config::values(&layers),
            lists: config::named_lists(&layers),
            indicators,
            reload,
        }
    }

    pub(super) fn methods(&self) -> Vec<MethodSettings> {
        let layers = self.state().layers.clone();
        config::methods(&layers)
    }
}

/// Without what takes memory and no question is about.
fn for_questions(mut config: Config) -> Arc<Config> {
    config.indicators = Arc::default();
    Arc::new(config)
}

fn nothing() -> Reload {
    Reload {
        at: stamp(now()),
        applied: Vec::new(),
        needs_restart: Vec::new(),
        rejected: None,
    }
}

/// A mark of what is set.
fn tag(layers: &Layers) -> String {
    format!("{:08x}", crc32fast::hash(layers.merged().to_string().as_bytes()))
}

/// A reload in words.
pub(super) fn told(reload: &Reload) -> String {
    let list = |keys: &[String]| {
        if keys.is_empty() {
            "nothing".to_owned()
        } else {
            keys.join(", ")
        }
    };
    match &reload.rejected {
        Some(why) => format!("configuration refused, nothing changed: {why}"),
        None => format!(
            "configuration read again: applied {}; needs a restart: {}",
            list(&reload.applied),
            list(&reload.needs_restart)
        ),
    }
}
