//! A window of buffered bytes that moves over a stream, so that packets can be lent without copying them.
//! It grows only as far as a reader asks, and every reader asks for bounded lengths.

use std::io::{self, Read};

/// Bytes read at once: large enough that a system call per read does not show, small enough for the cache.
const BUFFER_BYTES: usize = 1 << 20;
/// The buffer holds this many times the longest look ahead, so that moving its rest to the front stays rare.
const LOOK_AHEAD_FACTOR: usize = 2;

/// Buffered bytes of a stream and the place of the reader in them.
pub(crate) struct Window {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Bytes of `buffer` between `start` and `end` are read from the source but not passed over.
    start: usize,
    end: usize,
    /// Bytes of the stream before `start`.
    offset: u64,
    ended: bool,
    failure: Option<io::Error>,
}

impl Window {
    pub(crate) fn new(source: Box<dyn Read + Send>) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        Self {
            source,
            buffer,
            start: 0,
            end: 0,
            offset: 0,
            ended: false,
            failure: None,
        }
    }

    /// All buffered bytes, at least `wanted` unless the stream ends before.
    #[inline]
    pub(crate) fn fill(&mut self, wanted: usize) -> &[u8] {
        if self.end - self.start < wanted && !self.ended {
            self.read(wanted);
        }
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    #[cold]
    fn read(&mut self, wanted: usize) {
        if self.start + wanted > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < wanted && !self.ended {
            if self.end == self.buffer.len() {
                self.buffer.resize(wanted.saturating_mul(LOOK_AHEAD_FACTOR), 0);
            }
            match self
                .source
                .read(self.buffer.get_mut(self.end..).unwrap_or_default())
            {
                Ok(0) => self.ended = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    self.ended = true;
                }
            }
        }
    }

    /// Passes over buffered bytes; they stay readable through `slice` until the next `fill`.
    #[inline]
    pub(crate) fn pass(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Place of the next byte in the buffer, for `slice`.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.start
    }

    /// Bytes by their place in the buffer; valid until the next `fill`.
    #[inline]
    pub(crate) fn slice(&self, position: usize, bytes: usize) -> &[u8] {
        self.buffer.get(position..position + bytes).unwrap_or_default()
    }

    /// Bytes of the stream passed over so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Why the source failed, if it did.
    pub(crate) fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out one to seven bytes at a time, interrupted now and then, and fails at the end if told so.
    struct Slow {
        bytes: Vec<u8>,
        at: usize,
        fails: bool,
    }

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.at += 1;
            if self.at.is_multiple_of(5) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = (self.at % 7 + 1).min(self.bytes.len()).min(into.len());
            if count == 0 && self.fails {
                return Err(io::Error::other("unplugged"));
            }
            into[..count].copy_from_slice(&self.bytes[..count]);
            self.bytes.drain(..count);
            Ok(count)
        }
    }

    #[test]
    fn passes_over_everything_in_order() {
        let bytes: Vec<u8> = (0..200).collect();
        let mut window = Window::new(Box::new(Slow {
            bytes: bytes.clone(),
            at: 0,
            fails: true,
        }));
        let mut seen = Vec::new();
        while !window.fill(9).is_empty() {
            let position = window.position();
            let count = window.fill(9).len().min(9);
            window.pass(count);
            seen.extend_from_slice(window.slice(position, count));
        }
        assert_eq!(seen, bytes);
        assert_eq!(window.offset(), 200);
        assert_eq!(
            window.failure().map(ToString::to_string).as_deref(),
            Some("unplugged")
        );
    }

    #[test]
    fn grows_for_a_long_look_ahead() {
        let bytes = vec![7; 3 * BUFFER_BYTES];
        let mut window = Window::new(Box::new(io::Cursor::new(bytes)));
        window.fill(1);
        window.pass(1);
        assert!(window.fill(2 * BUFFER_BYTES).len() >= 2 * BUFFER_BYTES);
        assert_eq!(window.fill(9 * BUFFER_BYTES).len(), 3 * BUFFER_BYTES - 1);
    }
}
