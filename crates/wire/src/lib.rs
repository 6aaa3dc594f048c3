//! Bytes to values: link, network and transport headers of one packet, fragments, and checked reading of bytes.
//! Nothing here panics, trusts a length, or knows where the bytes came from.

pub mod cursor;
pub mod packet;

pub use cursor::Cursor;
