//! The message of a mail as it passes: its subject, its size, and its end (RFC 5321 4.5.2: a line that is a lone dot).
//! Headers are read line by line; the body is searched for the end only, and only three bytes of it are kept.

use memchr::memmem;

use crate::lines::{Lines, word};

/// Lines looked at for the subject; mails that passed many relays have a hundred header lines.
const HEADER_LINES_MAX: usize = 256;
const END: &[u8] = b"\r\n.\r\n";

/// State of one message.
#[derive(Debug, Default)]
pub(super) struct Message {
    subject: Option<Box<[u8]>>,
    bytes: u64,
    lines: Lines,
    header_lines: usize,
    in_body: bool,
    /// Last bytes of the body, which may be the beginning of [`END`].
    tail: Vec<u8>,
}

impl Message {
    /// Takes bytes up to the end of the message; true when it is there.
    pub(super) fn feed(&mut self, data: &mut &[u8]) -> bool {
        while !self.in_body && !data.is_empty() {
            let before = data.len();
            let line = self.lines.next(data);
            self.bytes += (before - data.len()) as u64;
            let Some(line) = line else { return false };
            if *line == *b"." {
                return true;
            }
            let line = line.into_owned();
            self.header(&line);
        }
        self.in_body && self.body(data)
    }

    /// Takes bytes of a message sent in chunks of known size.
    pub(super) fn chunk(&mut self, mut data: &[u8]) {
        self.bytes += data.len() as u64;
        while !self.in_body && !data.is_empty() {
            let Some(line) = self.lines.next(&mut data) else {
                return;
            };
            let line = line.into_owned();
            self.header(&line);
        }
    }

    fn header(&mut self, line: &[u8]) {
        self.header_lines += 1;
        if line.is_empty() || self.header_lines > HEADER_LINES_MAX {
            self.in_body = true;
            self.tail = b"\r\n".to_vec();
            return;
        }
        let (name, value) = word(line);
        if name.eq_ignore_ascii_case(b"subject:") && self.subject.is_none() {
            self.subject = Some(value.into());
        }
    }

    fn body(&mut self, data: &mut &[u8]) -> bool {
        // The end may lie across the border of two segments.
        let kept = self.tail.len();
        self.tail
            .extend_from_slice(&data[..data.len().min(END.len() - 1)]);
        let end = match memmem::find(&self.tail, END) {
            Some(at) => Some(at + END.len() - kept),
            None => memmem::find(data, END).map(|at| at + END.len()),
        };
        if let Some(end) = end {
            self.bytes += end as u64;
            *data = &data[end..];
            return true;
        }
        self.bytes += data.len() as u64;
        if data.len() >= END.len() - 1 {
            self.tail = data[data.len() - (END.len() - 1)..].to_vec();
        } else {
            let surplus = self.tail.len().saturating_sub(END.len() - 1);
            self.tail.drain(..surplus);
        }
        *data = &[];
        false
    }

    /// Bytes are missing; they are counted all the same.
    pub(super) fn gap(&mut self, len: u64) {
        self.bytes = self.bytes.saturating_add(len);
        self.lines.gap();
        self.tail.clear();
    }

    /// Subject as written, first line only.
    pub(super) fn subject(&self) -> Option<&[u8]> {
        self.subject.as_deref()
    }

    /// Size with headers and end mark.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}
