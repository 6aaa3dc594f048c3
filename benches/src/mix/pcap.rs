//! Classic pcap output (little endian, microseconds, Ethernet): the one format every peer reads. Times start at a fixed
//! day, so that a mix does not depend on when it was made.

use std::io::{self, Write};

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const SNAPLEN: u32 = 262_144;
const LINKTYPE_ETHERNET: u32 = 1;
/// 2026-01-01T00:00:00Z, seconds since 1970.
pub const START_S: u64 = 1_767_225_600;

/// Writes the file header; packets follow by [`write_packet`].
pub fn write_header(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&MAGIC_MICROSECONDS.to_le_bytes())?;
    out.write_all(&[2, 0, 4, 0])?;
    for field in [0, 0, SNAPLEN, LINKTYPE_ETHERNET] {
        out.write_all(&field.to_le_bytes())?;
    }
    Ok(())
}

/// Writes one whole frame; `time_us` counts from the start of the capture.
pub fn write_packet(out: &mut dyn Write, time_us: u64, frame: &[u8]) -> io::Result<()> {
    let length = frame.len() as u32;
    let fields = [
        (START_S + time_us / 1_000_000) as u32,
        (time_us % 1_000_000) as u32,
        length,
        length,
    ];
    let mut header = [0; 16];
    for (place, field) in header.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    out.write_all(&header)?;
    out.write_all(frame)
}
