//! Collecting process: export datagrams and messages in, flow records out; no sockets, no clock of its own.
//! Keeps what formats alone cannot know: templates, sampling, sequence and uptime of every exporter, each within a limit,
//! and pairs one-way records into biflows.

mod collector;
mod counts;
mod crowd;
mod domain;
mod duplicates;
mod exporter;
pub mod files;
mod habits;
mod intake;
mod one_way;
mod pairing;
mod parked;
mod performance;
mod plans;
mod record;
mod sampling;
mod sequence;
mod state;
mod stitching;
mod timeouts;

pub use collector::{Collector, Limits};
pub use counts::{Counts, ExporterReport, Unknown, offered};
pub use pairing::{Pairing, PairingCounts};
pub use state::{DomainState, SamplerState, SessionState};
pub use stitching::StitchingCounts;
