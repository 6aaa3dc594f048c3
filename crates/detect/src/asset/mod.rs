//! Which devices are there, and who claims to be whom.

pub mod arpspoof;
pub mod dhcpanom;
