//! Contact with what is known to be bad: lists and briefings.

pub mod blacklist;
mod listed;
pub mod threats;
