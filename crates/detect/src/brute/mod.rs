//! Guessing of passwords: many log-ins at one service, judged by the protocol's own verdict where it can be seen and by
//! the sameness of short sessions where it cannot.

mod dictattack;
pub mod dictattack;
mod engine;
mod httpdict;
pub mod httpdict;
mod rdpdict;
pub mod rdpdict;
mod service;
mod sshdict;
pub mod sshdict;

pub use dictattack::DictionaryAttack;
pub use httpdict::HttpDictionary;
pub use rdpdict::RdpDictionary;
pub use sshdict::SshDictionary;
