//! The append log: segments of checksummed frames, each frame an Arrow IPC stream of its own, so that any frame can be
//! read without the others. Columns without a value in a frame are left out of it: most records lack most columns. A segment is written once, never appended to after a restart, and removed when its rows
//! are in parts.
//!
//! Frame: `WEIRLOG1`, number of its first row (u64), rows (u32), payload bytes (u32), CRC-32 of the payload, CRC-32 of
//! the header so far; then the payload. Little endian.

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;

use super::rows::is_empty;

const MAGIC: &[u8; 8] = b"WEIRLOG1";
const HEADER_BYTES: usize = 32;
/// A longer frame is not ours: the writer closes a frame at some 16,000 rows, a few MiB.
const PAYLOAD_BYTES_MAX: usize = 256 << 20;

/// Rows of one frame and the number of the first of them.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) first_row: u64,
    pub(crate) batches: Vec<RecordBatch>,
}

impl Frame {
    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// What a segment holds that can be read.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) frames: Vec<Frame>,
    /// Bytes at the end that are no whole frame: the writer was stopped there.
    pub(crate) torn_bytes: u64,
    /// Stretches in front of readable frames that a checksum refused.
    pub(crate) corrupt: u64,
}

/// Rows as a frame.
pub(crate) fn frame(first_row: u64, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let columns = batch.columns().iter().enumerate();
    let kept: Vec<usize> = columns
        .filter(|(_, column)| !is_empty(column))
        .map(|(at, _)| at)
        .collect();
    let batch = batch.project(&kept)?;
    let mut bytes = vec![0; HEADER_BYTES];
    let mut stream = StreamWriter::try_new(&mut bytes, batch.schema_ref())?;
    stream.write(&batch)?;
    stream.finish()?;
    drop(stream);
    let (header, payload) = bytes.split_at_mut(HEADER_BYTES);
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&first_row.to_le_bytes());
    header[16..20].copy_from_slice(&(batch.num_rows() as u32).to_le_bytes());
    header[20..24].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[24..28].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let check = crc32fast::hash(&header[..28]);
    header[28..].copy_from_slice(&check.to_le_bytes());
    Ok(bytes)
}

/// Reads a segment: every frame whose checksums hold. A frame that fails is passed over, to the next header found.
pub(crate) fn read(bytes: &[u8]) -> Segment {
    let mut segment = Segment::default();
    let mut at = 0;
    let mut skipped = 0;
    while at < bytes.len() {
        if let Some((frame, length)) = read_frame(&bytes[at..]) {
            segment.frames.push(frame);
            segment.corrupt += u64::from(skipped > 0);
            (at, skipped) = (at + length, 0);
        } else {
            let next = memchr::memmem::find(&bytes[at + 1..], MAGIC);
            let step = next.map_or(bytes.len() - at, |next| next + 1);
            (at, skipped) = (at + step, skipped + step);
        }
    }
    segment.torn_bytes = skipped as u64;
    segment
}

/// The frame at the start of `bytes` and its length; `None` when it is not one, is cut or is damaged.
fn read_frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let header = bytes.get(..HEADER_BYTES)?;
    let word = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    if header[..8] != *MAGIC || word(28)? != crc32fast::hash(&header[..28]) {
        return None;
    }
    let length = word(20)? as usize;
    if length > PAYLOAD_BYTES_MAX {
        return None;
    }
    let payload = bytes.get(HEADER_BYTES..HEADER_BYTES + length)?;
    if crc32fast::hash(payload) != word(24)? {
        return None;
    }
    let stream = StreamReader::try_new(payload, None).ok()?;
    let frame = Frame {
        first_row: u64::from_le_bytes(header[8..16].try_into().ok()?),
        batches: stream.collect::<Result<_, _>>().ok()?,
    };
    (frame.rows() == word(16)? as usize).then_some((frame, HEADER_BYTES + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::tests::records::plain;
    use crate::flow::to_batch;

    fn segment() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for first in [0_u32, 3, 6] {
            let flows: Vec<_> = (first..first + 3).map(plain).collect();
            bytes.extend(frame(first.into(), &to_batch(&flows).unwrap()).unwrap());
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn rows(segment: &Segment) -> Vec<u64> {
        segment.frames.iter().map(|frame| frame.first_row).collect()
    }

    #[test]
    fn a_torn_tail_is_cut_and_counted() {
        let (bytes, ends) = segment();
        assert_eq!(rows(&read(&bytes)), [0, 3, 6]);
        for cut in (0..bytes.len()).step_by(97) {
            let read = read(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(read.frames.len(), whole, "cut at {cut}");
            let rest = cut - if whole == 0 { 0 } else { ends[whole - 1] };
            assert_eq!((read.torn_bytes, read.corrupt), (rest as u64, 0), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_costs_its_frame_only() {
        let (bytes, ends) = segment();
        for at in (0..bytes.len()).step_by(61) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let read = read(&damaged);
            let hit = ends.iter().position(|end| at < *end).unwrap();
            let left: Vec<u64> = [0, 3, 6]
                .into_iter()
                .filter(|row| *row != hit as u64 * 3)
                .collect();
            assert_eq!(rows(&read), left, "bit of byte {at}");
            assert_eq!(
                (read.corrupt, read.torn_bytes > 0),
                if hit == 2 { (0, true) } else { (1, false) }
            );
        }
    }
}
