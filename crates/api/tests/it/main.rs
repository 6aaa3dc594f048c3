//! The real router over real stores: what clients see.

#![expect(
    clippy::unwrap_used,
    reason = "what these helpers need is there, or the test has failed"
)]

mod access;
mod events;
mod false_positives;
mod flows;
mod house;
mod jobs;
mod perspectives;
mod provider;
mod sign_in;
mod sites;
mod stream;
