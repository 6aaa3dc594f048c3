//! Metering process: decoded packets in, flow records and transactions out.
//! Holds the flow cache, TCP reassembly and expiry by event time; knows neither where packets come from nor who reads.

mod arrival;
mod clock;
mod config;
mod dissecting;
mod dissection;
mod flow;
mod fragments;
mod initiator;
mod key;
mod meter;
mod performance;
mod record;
mod stream;
mod table;
mod tcp;

pub use config::{IdleTimeouts, MeterConfig};
pub use meter::{Meter, MeterStats};
