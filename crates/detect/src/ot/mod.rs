//! Control networks: masters and outstations that talk the same way day after day, and when they stop doing so.
//! Each pair of hosts is learned for itself; what was learned is kept over restarts.

mod clusters;
mod features;
mod learning;
pub mod otclanom;
pub mod otpaanom;
pub mod otsmanom;
