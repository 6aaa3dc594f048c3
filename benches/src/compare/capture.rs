//! Walks a capture file, classic pcap or pcapng, without looking into packets: counts them, and copies a first part for
//! the memory comparison. Reading the whole file also brings it into the page cache before anything is measured.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

const BUFFER_BYTES: usize = 1 << 20;
/// Longest packet or block accepted; above it the file is taken to be damaged.
const RECORD_MAX: usize = 16 << 20;

/// Packets and their captured bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub packets: u64,
    pub bytes: u64,
}

/// Counts the packets of `path`.
pub fn count(path: &Path) -> io::Result<Size> {
    walk(path, u64::MAX, &mut io::sink())
}

/// Copies the first `packets` packets of `path` to `out`.
pub fn copy_first(path: &Path, packets: u64, out: &Path) -> io::Result<Size> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(out)?);
    let size = walk(path, packets, &mut out)?;
    out.flush()?;
    Ok(size)
}

fn walk(path: &Path, packets_max: u64, out: &mut dyn Write) -> io::Result<Size> {
    let file = File::open(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut magic = [0; 4];
    input.read_exact(&mut magic)?;
    out.write_all(&magic)?;
    match u32::from_le_bytes(magic) {
        0xa1b2_c3d4 | 0xa1b2_3c4d => walk_pcap(&mut input, u32::from_le_bytes, packets_max, out),
        0xd4c3_b2a1 | 0x4d3c_b2a1 => walk_pcap(&mut input, u32::from_be_bytes, packets_max, out),
        0x0a0d_0d0a => walk_pcapng(&mut input, packets_max, out),
        other => Err(io::Error::other(format!(
            "{}: not a capture file (magic {other:08x})",
            path.display()
        ))),
    }
}

fn walk_pcap(
    input: &mut impl Read,
    number: fn([u8; 4]) -> u32,
    packets_max: u64,
    out: &mut dyn Write,
) -> io::Result<Size> {
    let mut header = [0; 20];
    input.read_exact(&mut header)?;
    out.write_all(&header)?;
    let mut size = Size::default();
    let mut packet = Vec::new();
    while size.packets < packets_max {
        let mut header = [0; 16];
        if !read_whole(input, &mut header)? {
            break;
        }
        let length = number([header[8], header[9], header[10], header[11]]) as usize;
        packet.resize(checked(length)?, 0);
        // A file cut in the middle of a packet ends with the last whole one.
        if !read_whole(input, &mut packet)? {
            break;
        }
        out.write_all(&header)?;
        out.write_all(&packet)?;
        size.packets += 1;
        size.bytes += length as u64;
    }
    Ok(size)
}

/// The four bytes of the first block type have been read and written already.
fn walk_pcapng(input: &mut impl Read, packets_max: u64, out: &mut dyn Write) -> io::Result<Size> {
    const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
    let mut size = Size::default();
    let mut kind = SECTION;
    let mut number: fn([u8; 4]) -> u32 = u32::from_le_bytes;
    let mut body = Vec::new();
    loop {
        let mut length = [0; 4];
        let mut order = [0; 4];
        if !read_whole(input, &mut length)? {
            break;
        }
        let section = kind == SECTION;
        if section {
            input.read_exact(&mut order)?;
            number = if order == [0x4d, 0x3c, 0x2b, 0x1a] {
                u32::from_le_bytes
            } else {
                u32::from_be_bytes
            };
        }
        let known = if section { 12 } else { 8 };
        let rest = checked(number(length) as usize)?
            .checked_sub(known)
            .ok_or_else(damaged)?;
        body.resize(rest, 0);
        if !read_whole(input, &mut body)? {
            break;
        }
        out.write_all(&length)?;
        out.write_all(&order[..known - 8])?;
        out.write_all(&body)?;
        // Enhanced packet, simple packet, obsolete packet.
        if [6, 3, 2].contains(&number(kind)) && !section {
            size.packets += 1;
            size.bytes += body.get(12..16).map_or(0, |field| {
                u64::from(number([field[0], field[1], field[2], field[3]]))
            });
        }
        if size.packets >= packets_max || !read_whole(input, &mut kind)? {
            break;
        }
        out.write_all(&kind)?;
    }
    Ok(size)
}

fn checked(length: usize) -> io::Result<usize> {
    if length > RECORD_MAX {
        Err(damaged())
    } else {
        Ok(length)
    }
}

fn damaged() -> io::Error {
    io::Error::other("damaged capture file: impossible length")
}

/// False at the end of the input, also in the middle of `bytes`.
fn read_whole(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
