//! How much traffic, where amount or rate alone is the finding.

pub mod anomaly;
pub mod hightransf;
pub mod multicast;
