//! Test helpers: flow notation and packet builders. Used by tests only.

pub mod notation;
pub mod packets;
