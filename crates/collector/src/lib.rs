//! Collecting process: export datagrams and messages in, flow records out; no sockets, no clock of its own.
//! Keeps what formats alone cannot know: templates, sampling, sequence and uptime of every exporter, each within a limit,
//! and pairs one-way records into biflows.

mod collector;
mod counts;
mod domain;
mod exporter;
pub mod files;
mod pairing;
mod parked;
mod record;
mod sampling;
mod sequence;

pub use collector::{Collector, Limits};
pub use counts::{Counts, ExporterReport, Unknown};
pub use pairing::{Pairing, PairingCounts};
