//! The real router over real stores: what clients see.

mod access;
mod events;
mod flows;
mod house;
mod stream;
