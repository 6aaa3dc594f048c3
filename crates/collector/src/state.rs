//! What a collector keeps over restarts: templates and sampling of every session over UDP, so that data that come before
//! the next template are read and not parked. Values only; how they are written is the program's affair.

use std::net::IpAddr;

use weir_wire::export::{Format, Template};

/// One session and observation domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionState {
    pub exporter: IpAddr,
    pub port: u16,
    pub format: Format,
    pub domain: u32,
    pub state: DomainState,
}

/// What is known of an observation domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainState {
    /// Uptime of the last message: one that goes back says that the exporter restarted, and the templates are void.
    pub uptime_ms: Option<u32>,
    pub boot_ms: Option<u64>,
    pub templates: Vec<Template>,
    pub samplers: SamplerState,
}

impl DomainState {
    pub(crate) fn worth_keeping(&self) -> bool {
        !self.templates.is_empty() || self.samplers != SamplerState::default()
    }
}

/// Samplers: one packet of so many, by selector, by interface, for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SamplerState {
    pub by_selector: Vec<(u64, u32)>,
    pub by_interface: Vec<(u32, u32)>,
    pub whole: Option<u32>,
}
