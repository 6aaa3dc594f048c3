//! Bytes to values: link, network and transport headers of one packet, fragments, and checked reading of
//! bytes. Nothing here panics, trusts a length, or knows where the bytes came from.

mod arp;
pub mod cursor;
mod decode;
pub mod export;
pub mod fragments;
mod link;
pub mod packet;

pub use arp::{Arp, ArpOp};
pub use cursor::Cursor;
pub use decode::{decode, decode_ip_payload};
pub use fragments::Fragments;
pub use link::LinkType;
