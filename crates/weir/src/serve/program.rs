//! What the interface may ask of the running program.

use std::sync::Arc;

use serde_json::Value;
use weir_api::Program;
use weir_api::settings::{ChangeError, MethodSettings, Settings};
use weir_api::status::Reload;
use weir_model::FalsePositiveRule;
use weir_triage::Rules;

use super::configured::Configured;

/// The running program, as the interface sees it.
pub(super) struct Running {
    /// Shared with every pipeline.
    pub(super) rules: Rules,
    pub(super) configured: Arc<Configured>,
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
}
