//! How the blocks of nfdump files are packed. Every block is unpacked by itself, never to more than a block may have.

use std::io::Read;

use super::lzo;

/// How blocks are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Lzo,
    Bzip2,
    Lz4,
    Zstd,
}

impl Packing {
    /// By the flags of a file of layout 1.
    pub(super) const fn of_flags(flags: u32) -> Self {
        if flags & 0x1 != 0 {
            Self::Lzo
        } else if flags & 0x8 != 0 {
            Self::Bzip2
        } else if flags & 0x10 != 0 {
            Self::Lz4
        } else {
            Self::None
        }
    }

    /// By the number in the header of layout 2.
    pub(super) const fn of_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Lzo,
            2 => Self::Bzip2,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    /// Unpacks a block; `None` when it is broken or holds more than `bytes_max`.
    pub(super) fn unpack(self, packed: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
        match self {
            Self::None => (packed.len() <= bytes_max).then(|| packed.to_vec()),
            Self::Lzo => lzo::unpack(packed, bytes_max),
            Self::Bzip2 => read(bzip2_rs::DecoderReader::new(packed), bytes_max),
            Self::Lz4 => lz4(packed, bytes_max),
            Self::Zstd => read(zstd::Decoder::new(packed).ok()?, bytes_max),
        }
    }
}

fn read(stream: impl Read, bytes_max: usize) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    stream
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut unpacked)
        .ok()?;
    (unpacked.len() <= bytes_max).then_some(unpacked)
}

/// LZ4 blocks do not tell how long they are unpacked: room is doubled until it suffices.
fn lz4(packed: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut room = (packed.len().saturating_mul(4)).clamp(4_096, bytes_max);
    loop {
        let mut unpacked = vec![0; room];
        match lz4_flex::block::decompress_into(packed, &mut unpacked) {
            Ok(bytes) => {
                unpacked.truncate(bytes);
                return Some(unpacked);
            }
            Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if room < bytes_max => {
                room = room.saturating_mul(2).min(bytes_max);
            }
            Err(_) => return None,
        }
    }
}
