//! Observation points: capture files (and later interfaces) as packets.
//! Everything here hands on raw frames with their time and link type; `weir-wire` decodes them.

mod error;
mod file;
mod interface;
mod kind;
mod pcap;
mod pcapng;
mod reading;
mod source;
mod window;

pub use error::CaptureError;
pub use file::{CaptureFile, Input, OtherInput, RawPacket};
