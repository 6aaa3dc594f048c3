//! What the interface may ask of the running program.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use weir_api::Program;
use weir_api::exporters::Exporter;
use weir_api::indicators::IndicatorList;
use weir_api::jobs::{Task, Work};
use weir_api::patterns::{NewPattern, PatternShown};
use weir_api::settings::{ChangeError, MethodSettings, Settings};
use weir_api::start::Learned;
use weir_api::status::Reload;
use weir_model::{FalsePositiveRule, Time};
use weir_triage::Rules;

use super::configured::Configured;
use super::status::Board;
use super::tasks::{self, Past};
use super::{LEARNED, reports};
use crate::trial::Trial;

/// The running program, as the interface sees it.
pub(super) struct Running {
    /// Shared with every pipeline.
    pub(super) rules: Rules,
    pub(super) configured: Arc<Configured>,
    pub(super) board: Arc<Board>,
    /// Folder of stores.
    pub(super) folder: PathBuf,
    /// Are flow records in that folder, and not elsewhere?
    pub(super) in_folder: bool,
}

impl Program for Running {
    fn rules(&self, rules: Vec<FalsePositiveRule>) {
        self.rules.set(rules);
    }

    fn settings(&self) -> Settings {
        self.configured.settings()
    }

    fn methods(&self) -> Vec<MethodSettings> {
        self.configured.methods()
    }

    fn change(&self, patch: &Value, etag: Option<&str>, dry_run: bool) -> Result<Reload, ChangeError> {
        self.configured.change(patch, etag, dry_run)
    }

    fn reload(&self) -> Reload {
        self.configured.reload()
    }

    fn exporters(&self) -> Vec<Exporter> {
        reports::exporters(&self.configured.checked(), &self.board, &self.folder)
    }

    fn indicators(&self) -> Vec<IndicatorList> {
        reports::indicators(&self.configured.checked())
    }

    fn patterns(&self) -> Vec<PatternShown> {
        reports::patterns(&self.configured.checked(), &self.configured.layers())
    }

    fn check_pattern(&self, pattern: &NewPattern) -> Result<String, String> {
        let read = reports::read_pattern(&self.configured.checked(), pattern)?;
        Ok(read.compiled.behaviour().to_string())
    }

    fn learned(&self) -> Learned {
        let folder = self.folder.join(LEARNED);
        reports::learned(&self.configured.checked(), &folder).unwrap_or_default()
    }

    fn run(&self, task: &Task, work: &Work) -> Result<(String, Value), String> {
        if !self.in_folder && !matches!(task, Task::RefreshList(_)) {
            return Err(
                "this needs flow records in the folder of `weir serve`, and they go elsewhere (serve.flows)"
                    .to_owned(),
            );
        }
        let past = |since: Time, until: Time| Past {
            store: &self.folder,
            since,
            until,
        };
        let done = match task {
            Task::RefreshList(name) => {
                let checked = self.configured.checked();
                let remote = checked.remotes.iter().find(|remote| remote.name == *name);
                let remote = remote.ok_or_else(|| format!("no list {name:?} is fetched any more"))?;
                tasks::refresh(remote, work)
            }
            Task::TestPattern {
                pattern,
                since,
                until,
            } => {
                let read = reports::read_pattern(&self.configured.checked(), pattern)?;
                let trial = Trial::new(read.compiled);
                self.configured
                    .config()
                    .and_then(|config| tasks::test_pattern(config, trial, &past(*since, *until), work))
            }
            Task::TryPresets { since, until } => {
                tasks::try_presets(|| self.configured.config(), &past(*since, *until), work)
            }
        };
        done.map_err(|error| format!("{error:#}"))
    }
}
