//! Test helpers: flow notation and packet builders. Used by tests only.

pub mod mmdb;
pub mod notation;
pub mod packets;
