//! Test helpers: flow notation, packet builders.
