//! Which devices are there, and who claims to be whom.

pub mod aliendev;
pub mod arpspoof;
pub mod dhcpanom;
pub mod natdet;
