//! Framing of SMB: the four-byte header of [MS-SMB2] 2.1 (direct TCP) and of NetBIOS session service (RFC 1002 4.3.1).
//! Only the head of a message is kept, the rest is counted down, so that large reads and writes cost nothing.

use memchr::memmem;

/// Kept of one message: header, names and security blob fit; file data does not matter.
pub(super) const HEAD_MAX: usize = 4096;
/// Header of session service.
const HEADER: usize = 4;
/// Bytes needed to know a message again after a gap: session header, protocol id.
const MARK: usize = 8;

/// First byte of a session-service header.
const SESSION_MESSAGE: u8 = 0;
/// Session request to keep-alive, RFC 1002 4.3.1.
const SESSION_CONTROL: std::ops::RangeInclusive<u8> = 0x81..=0x85;

/// Reassembly of one side's messages.
#[derive(Default)]
pub(super) struct Framer {
    /// Session header and head of the message at hand, as far as they came.
    held: Vec<u8>,
    /// Bytes of the message still to skip.
    skip: u64,
    /// Lost: look for the next beginning.
    hunting: bool,
}

/// What came off a side's stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// Head of a message, without session header; may be cut at [`HEAD_MAX`].
    Message(&'a [u8]),
    /// The bytes made no sense; the framer looks for the next message.
    Lost,
}

impl Framer {
    /// Takes the next bytes and calls `on_frame` for every message whose head is there.
    pub(super) fn feed(&mut self, data: &[u8], mut on_frame: impl FnMut(Frame<'_>)) {
        let few = !self.held.is_empty() && self.held.len() < MARK;
        let joined = few.then(|| [&std::mem::take(&mut self.held)[..], data].concat());
        let mut rest = joined.as_deref().unwrap_or(data);
        while !rest.is_empty() {
            rest = if self.hunting {
                self.hunt(rest)
            } else {
                self.step(rest, &mut on_frame)
            };
        }
    }

    /// Passes everything before the next beginning; keeps what may be the start of one.
    fn hunt<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        if let Some(start) = next_message(data) {
            self.hunting = false;
            return &data[start..];
        }
        self.held
            .extend_from_slice(&data[data.len().saturating_sub(MARK - 1)..]);
        &[]
    }

    /// One skip, one message or one piece of it; returns what is left. Here nothing is held, or a header already judged.
    fn step<'a>(&mut self, data: &'a [u8], on_frame: &mut impl FnMut(Frame<'_>)) -> &'a [u8] {
        if self.skip > 0 {
            let passed = data.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.skip -= passed as u64;
            return &data[passed..];
        }
        let header = if self.held.is_empty() { data } else { &self.held };
        let Some(len) = plan(header) else {
            if header.len() < HEADER {
                self.held.extend_from_slice(data);
                return &[];
            }
            // The byte that made no sense is passed, so that hunting cannot find the same place again.
            self.hunting = true;
            on_frame(Frame::Lost);
            return &data[1..];
        };
        let wanted = HEADER + len.min(HEAD_MAX);
        let taken = data.len().min(wanted.saturating_sub(self.held.len()));
        if self.held.is_empty() && taken == wanted {
            // Usual case: the message is read where it lies.
            self.deliver(data[0], &data[HEADER..wanted], len, on_frame);
        } else {
            self.held.extend_from_slice(&data[..taken]);
            if self.held.len() == wanted {
                let held = std::mem::take(&mut self.held);
                self.deliver(held[0], &held[HEADER..], len, on_frame);
            }
        }
        &data[taken..]
    }

    fn deliver(&mut self, kind: u8, head: &[u8], len: usize, on_frame: &mut impl FnMut(Frame<'_>)) {
        self.skip = (len - head.len()) as u64;
        if kind == SESSION_MESSAGE && !head.is_empty() {
            on_frame(Frame::Message(head));
        }
    }

    /// Bytes of this side are missing.
    pub(super) fn gap(&mut self, len: u64, mut on_frame: impl FnMut(Frame<'_>)) {
        if self.skip >= len {
            self.skip -= len;
            return;
        }
        // The head that came so far still tells most; what is missing of it may lie inside the same message.
        let held = std::mem::take(&mut self.held);
        let rest = plan(&held).map(|total| (HEADER + total).saturating_sub(held.len()) as u64);
        if held.len() > HEADER && !self.hunting {
            on_frame(Frame::Message(&held[HEADER..]));
        }
        match rest {
            Some(rest) if rest >= len && !self.hunting => self.skip = rest - len,
            _ => {
                self.skip = 0;
                self.hunting = true;
            }
        }
    }
}

/// Length of the message whose session header starts here; `None` when it is no such header or not there.
fn plan(data: &[u8]) -> Option<usize> {
    let header = data.first_chunk::<HEADER>()?;
    let known = header[0] == SESSION_MESSAGE || SESSION_CONTROL.contains(&header[0]);
    let is_smb = header[0] != SESSION_MESSAGE
        || data.len() < MARK
        || is_protocol_id(&data[HEADER..MARK])
        || header[1..] == [0, 0, 0];
    (known && is_smb).then(|| u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize)
}

/// 0xFF SMB1, 0xFE SMB2, 0xFD encrypted, 0xFC compressed.
pub(super) fn is_protocol_id(data: &[u8]) -> bool {
    matches!(data, [0xfc..=0xff, b'S', b'M', b'B', ..])
}

/// Offset of the first session header with an SMB message behind it.
pub(super) fn next_message(data: &[u8]) -> Option<usize> {
    memmem::find_iter(data, b"SMB")
        .filter(|&at| at > HEADER)
        .map(|at| at - 1 - HEADER)
        .find(|&at| data[at] == SESSION_MESSAGE && is_protocol_id(&data[at + HEADER..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: u32, fill: u8) -> Vec<u8> {
        let mut bytes = len.to_be_bytes().to_vec();
        bytes.extend(b"\xfeSMB");
        bytes.resize(HEADER + len as usize, fill);
        bytes
    }

    fn heads(framer: &mut Framer, data: &[u8], piece: usize) -> Vec<usize> {
        let mut lens = Vec::new();
        for chunk in data.chunks(piece) {
            framer.feed(chunk, |frame| {
                lens.push(match frame {
                    Frame::Message(head) => head.len(),
                    Frame::Lost => 0,
                })
            });
        }
        lens
    }

    #[test]
    fn large_messages_are_skipped() {
        let stream = [message(100, 1), message(70_000, 2), message(4, 3)].concat();
        for piece in [1, 3, 1460, usize::MAX] {
            let mut framer = Framer::default();
            assert_eq!(heads(&mut framer, &stream, piece), [100, HEAD_MAX, 4], "{piece}");
            assert!(framer.held.capacity() <= 2 * HEAD_MAX + MARK);
        }
    }

    #[test]
    fn nonsense_is_passed_until_the_next_message() {
        let stream = [b"GET / HTTP/1.1\r\n\r\n", &message(64, 0)[..]].concat();
        for piece in [1, 5, usize::MAX] {
            assert_eq!(heads(&mut Framer::default(), &stream, piece), [0, 64], "{piece}");
        }
    }

    #[test]
    fn gaps_inside_and_across_messages() {
        let mut framer = Framer::default();
        assert_eq!(
            heads(&mut framer, &message(9000, 0)[..5000], usize::MAX),
            [HEAD_MAX]
        );
        framer.gap(4004, |_| panic!("nothing was held"));
        assert_eq!(heads(&mut framer, &message(10, 0), usize::MAX), [10]);
        framer.gap(1, |_| panic!("nothing was held"));
        assert_eq!(
            heads(&mut framer, &[&[7; 40][..], &message(10, 0)].concat(), 9),
            [10]
        );
    }
}
