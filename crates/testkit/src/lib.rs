//! Test helpers: flow notation, packet builders, servers to speak to. Used by tests only.

pub mod mmdb;
pub mod notation;
pub mod packets;
pub mod server;
