//! What the interface may ask of the running program.

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

use super::configured::Configured;
use super::site::Site;
use super::tasks::{self, Past};
use super::{LEARNED, reports};
use crate::trial::Trial;

/// The running program, as the interface of a site sees it.
pub(super) struct Running(pub(super) Site);

impl Running {
    fn shared(&self) -> &Configured {
        &self.0.configured.shared
    }
}

impl Program for Running {
    fn rules(&self, rules: Vec<FalsePositiveRule>) {
        self.0.stores.rules.set(rules);
    }

    fn settings(&self) -> Settings {
        self.shared().settings()
    }

    fn inside(&self) -> Option<Vec<String>> {
        self.0.configured.own_inside()
    }

    fn list(&self, name: &str) -> Option<Vec<String>> {
        self.shared().checked().lists.get(name).cloned()
    }

    fn methods(&self) -> Vec<MethodSettings> {
        self.shared().methods()
    }

    fn change(&self, patch: &Value, etag: Option<&str>, dry_run: bool) -> Result<Reload, ChangeError> {
        self.shared().change(patch, etag, dry_run)
    }

    fn reload(&self) -> Reload {
        self.shared().reload()
    }

    fn exporters(&self) -> Vec<Exporter> {
        reports::exporters(&self.shared().checked(), &self.0.board, &self.0.folder)
    }

    fn indicators(&self) -> Vec<IndicatorList> {
        reports::indicators(&self.shared().checked())
    }

    fn patterns(&self) -> Vec<PatternShown> {
        reports::patterns(&self.shared().checked(), &self.shared().layers())
    }

    fn check_pattern(&self, pattern: &NewPattern) -> Result<String, String> {
        let read = reports::read_pattern(&self.shared().checked(), pattern)?;
        Ok(read.compiled.behaviour().to_string())
    }

    fn learned(&self) -> Learned {
        let folder = self.0.folder.join(LEARNED);
        reports::learned(&self.shared().checked(), &folder).unwrap_or_default()
    }

    fn run(&self, task: &Task, work: &Work) -> Result<(String, Value), String> {
        if !self.0.stores.in_folder() && !matches!(task, Task::RefreshList(_)) {
            return Err(
                "this needs flow records in the folder of `weir serve`, and they go elsewhere (serve.flows)"
                    .to_owned(),
            );
        }
        let past = |since: Time, until: Time| Past {
            store: &self.0.folder,
            site: self.0.name,
            since,
            until,
        };
        let done = match task {
            Task::RefreshList(name) => {
                let checked = self.shared().checked();
                let remote = checked.remotes.iter().find(|remote| remote.name == *name);
                let remote = remote.ok_or_else(|| format!("no list {name:?} is fetched any more"))?;
                tasks::refresh(remote, work)
            }
            Task::TestPattern {
                pattern,
                since,
                until,
            } => {
                let read = reports::read_pattern(&self.shared().checked(), pattern)?;
                let trial = Trial::new(read.compiled);
                self.0
                    .configured
                    .config()
                    .and_then(|config| tasks::test_pattern(config, trial, &past(*since, *until), work))
            }
            Task::TryPresets { since, until } => {
                tasks::try_presets(|| self.0.configured.config(), &past(*since, *until), work)
            }
        };
        done.map_err(|error| format!("{error:#}"))
    }
}
