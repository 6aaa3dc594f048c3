//! Looking for hosts and services.

pub mod scans;
pub mod sipscan;
