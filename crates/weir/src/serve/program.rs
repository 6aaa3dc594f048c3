//! What the interface may ask of the running program.

use weir_api::Program;
use weir_model::FalsePositiveRule;
use weir_triage::Rules;

/// The running program, as the interface sees it.
pub(super) struct Running {
    /// Shared with every pipeline.
    pub(super) rules: Rules,
}

impl Program for Running {
    fn rules(&self, rules: Vec<FalsePositiveRule>) {
        self.rules.set(rules);
    }
}
