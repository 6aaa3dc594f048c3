//! The pcap format: a file header, then packets one behind the other, in either byte order.
//!
//! Nothing in it marks where a record begins, so one broken header would make the rest unreadable. The reader
//! judges every header, and behind a broken one looks for the next that is plausible and followed by another.
//! Format: draft-ietf-opsawg-pcap; the 24-byte record headers are those of Kuznetzov's patched libpcap.

use weir_model::{Anomaly, NANOS_PER_S, Time};
use weir_wire::LinkType;

use crate::reading::{Order, RESYNC_BYTES, Reading, Record};

pub(crate) const FILE_HEADER_BYTES: usize = 24;
/// Bytes kept of a packet: the largest snap length that tcpdump and libpcap allow.
const KEPT_BYTES_MAX: u32 = 256 << 10;
/// Length on the wire that is believed while looking for a header: above the largest offloaded segment.
const FRAME_BYTES_MAX: u32 = 1 << 20;
/// How far from the last packet's time the next may be while looking for a header.
const RESYNC_NANOS: u64 = 86_400 * NANOS_PER_S.unsigned_abs();

/// Reader of one pcap file.
pub(crate) struct Pcap {
    order: Order,
    /// Nanoseconds per unit of the second time field.
    unit_nanos: i64,
    header_bytes: usize,
    link: LinkType,
    /// 0 when the file does not say.
    snap_bytes: u32,
    /// Up to version 2.3, some writers had the two lengths the other way round.
    lengths_may_swap: bool,
    last: Option<Time>,
}

/// A record header.
#[derive(Clone, Copy)]
struct Header {
    secs: u32,
    fraction: u32,
    kept_bytes: u32,
    frame_bytes: u32,
}

impl Pcap {
    /// The reader for a file that begins with these bytes; `None` when they are no pcap file header.
    pub(crate) fn new(header: &[u8; FILE_HEADER_BYTES]) -> Option<Self> {
        let [a, b, c, d, ..] = *header;
        let (order, unit_nanos, header_bytes) = match [a, b, c, d] {
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, 1_000, 16),
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, 1_000, 16),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, 1, 16),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, 1, 16),
            [0x34, 0xcd, 0xb2, 0xa1] => (Order::Little, 1_000, 24),
            [0xa1, 0xb2, 0xcd, 0x34] => (Order::Big, 1_000, 24),
            _ => return None,
        };
        let version = (order.u16_at(header, 4)?, order.u16_at(header, 6)?);
        // The upper half of the link type field tells the length of frame checksums.
        let link = (order.u32_at(header, 20)? & 0xffff) as u16;
        Some(Self {
            order,
            unit_nanos,
            header_bytes,
            link: LinkType::from_number(link),
            snap_bytes: order.u32_at(header, 16)?,
            lengths_may_swap: version < (2, 4),
            last: None,
        })
    }

    /// The next packet.
    pub(crate) fn next(&mut self, reading: &mut Reading) -> Option<Record> {
        loop {
            let bytes = reading.window.fill(self.header_bytes);
            let Some(header) = self.header_at(bytes, 0) else {
                let incomplete = (!bytes.is_empty()).then_some("the header of the last record");
                reading.end(incomplete);
                return None;
            };
            let sound = self.is_sound(&header);
            if sound || self.leads_on(reading, &header) {
                let record_bytes = self.header_bytes + header.kept_bytes as usize;
                if reading.window.fill(record_bytes).len() >= record_bytes {
                    return Some(self.take(reading, &header, record_bytes));
                }
                if !self.resync(reading) {
                    reading.end(Some("the last record"));
                    return None;
                }
            } else if !self.resync(reading) {
                reading.end_corrupt("a record header");
                return None;
            }
        }
    }

    #[inline]
    fn take(&mut self, reading: &mut Reading, header: &Header, record_bytes: usize) -> Record {
        let time = self.time(header);
        self.last = Some(time);
        if self.fraction_overflows(header) || header.kept_bytes > header.frame_bytes {
            reading.anomalies.count(Anomaly::CaptureCorrupt);
        }
        let position = reading.window.position() + self.header_bytes;
        reading.window.pass(record_bytes);
        Record {
            time,
            link: self.link,
            frame_bytes: header.frame_bytes.max(header.kept_bytes),
            interface: 0,
            position,
            kept_bytes: header.kept_bytes as usize,
        }
    }

    /// The record header at a place; `None` when it is not all there.
    #[inline]
    fn header_at(&self, bytes: &[u8], at: usize) -> Option<Header> {
        let bytes = bytes.get(at..at + self.header_bytes)?;
        let (&[a, b, c, d], rest) = bytes.split_first_chunk()?;
        let (&[e, f, g, h], rest) = rest.split_first_chunk()?;
        let (&[i, j, k, l], rest) = rest.split_first_chunk()?;
        let (&[m, n, o, p], _) = rest.split_first_chunk()?;
        let header = Header {
            secs: self.order.u32([a, b, c, d]),
            fraction: self.order.u32([e, f, g, h]),
            kept_bytes: self.order.u32([i, j, k, l]),
            frame_bytes: self.order.u32([m, n, o, p]),
        };
        if self.lengths_may_swap && header.kept_bytes > header.frame_bytes {
            let (kept_bytes, frame_bytes) = (header.frame_bytes, header.kept_bytes);
            return Some(Header {
                kept_bytes,
                frame_bytes,
                ..header
            });
        }
        Some(header)
    }

    #[inline]
    fn time(&self, header: &Header) -> Time {
        Time::from_secs(i64::from(header.secs)) + i64::from(header.fraction) * self.unit_nanos
    }

    #[inline]
    fn fraction_overflows(&self, header: &Header) -> bool {
        i64::from(header.fraction) * self.unit_nanos >= NANOS_PER_S
    }

    /// Believed without a second look.
    #[inline]
    fn is_sound(&self, header: &Header) -> bool {
        let snap_bytes = if self.snap_bytes == 0 {
            KEPT_BYTES_MAX
        } else {
            self.snap_bytes
        };
        header.kept_bytes <= snap_bytes.min(KEPT_BYTES_MAX)
            && header.kept_bytes <= header.frame_bytes
            && !self.fraction_overflows(header)
    }

    /// Odd, as some programs write them, but the next record begins (or the file ends) where it says.
    fn leads_on(&self, reading: &mut Reading, header: &Header) -> bool {
        if header.kept_bytes > KEPT_BYTES_MAX {
            return false;
        }
        let record_bytes = self.header_bytes + header.kept_bytes as usize;
        let bytes = reading.window.fill(record_bytes + self.header_bytes);
        let next = self.header_at(bytes, record_bytes);
        let time = (!self.fraction_overflows(header))
            .then(|| self.time(header))
            .or(self.last);
        bytes.len() == record_bytes || next.is_some_and(|next| self.is_plausible(&next, time))
    }

    /// Looks like a header that follows a packet at `last`.
    fn is_plausible(&self, header: &Header, last: Option<Time>) -> bool {
        header.kept_bytes > 0
            && header.kept_bytes <= KEPT_BYTES_MAX
            && header.kept_bytes <= header.frame_bytes
            && header.frame_bytes <= FRAME_BYTES_MAX
            && !self.fraction_overflows(header)
            && last.is_none_or(|last| self.time(header).since(last).unsigned_abs() <= RESYNC_NANOS)
    }

    /// Moves to the next plausible header that is followed by another or by the end; false when there is
    /// none.
    fn resync(&self, reading: &mut Reading) -> bool {
        let look_ahead = RESYNC_BYTES + KEPT_BYTES_MAX as usize + 2 * self.header_bytes;
        let bytes = reading.window.fill(look_ahead);
        let found = (1..bytes.len().min(RESYNC_BYTES)).find(|&at| {
            self.header_at(bytes, at)
                .filter(|header| self.is_plausible(header, self.last))
                .is_some_and(|header| {
                    let next_at = at + self.header_bytes + header.kept_bytes as usize;
                    let next = self.header_at(bytes, next_at);
                    next_at == bytes.len()
                        || next.is_some_and(|next| self.is_plausible(&next, Some(self.time(&header))))
                })
        });
        match found {
            Some(at) => {
                reading.skip_corrupt(at, "a record header");
                true
            }
            None => false,
        }
    }
}
