//! Guessing of passwords: many log-ins at one service, judged by the protocol's own verdict where it can be seen and by
//! the sameness of short sessions where it cannot.

pub mod dictattack;
mod engine;
pub mod httpdict;
pub mod rdpdict;
mod service;
pub mod sshdict;
