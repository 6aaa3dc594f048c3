//! IPFIX files (RFC 5655): messages one after the other, read in a stream so that a file may be larger than memory.

use std::io::{BufReader, Read};

use weir_model::Time;
use weir_wire::export::Message;

/// Bytes of an IPFIX message header.
const HEADER_BYTES: usize = 16;

/// An open IPFIX file.
pub(super) struct IpfixFile {
    source: BufReader<Box<dyn Read + Send>>,
    message: Vec<u8>,
    /// Why reading ended early, in words.
    pub(super) trouble: Option<String>,
}

impl IpfixFile {
    /// Does the file that begins so hold IPFIX messages, by the header of the first?
    pub(super) fn is_one(head: &[u8]) -> bool {
        let set = head.get(HEADER_BYTES..HEADER_BYTES + 2);
        Message::ipfix_bytes(head).is_some_and(|bytes| bytes > HEADER_BYTES)
            && set.is_some_and(|id| matches!(u16::from_be_bytes([id[0], id[1]]), 2 | 3 | 256..))
    }

    /// Reads messages from `source`.
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        Self {
            source: BufReader::new(source),
            message: Vec::new(),
            trouble: None,
        }
    }

    /// The next message with its export time; `None` at the end, early or not (see `trouble`).
    pub(super) fn next(&mut self) -> Option<(Time, &[u8])> {
        self.message.clear();
        self.fill(HEADER_BYTES)?;
        let Some(bytes) = Message::ipfix_bytes(&self.message) else {
            self.trouble =
                Some("a message does not begin with an IPFIX header; the rest was not read".into());
            return None;
        };
        self.fill(bytes)?;
        let secs = self
            .message
            .get(4..)
            .and_then(<[u8]>::first_chunk)
            .map(|word| u32::from_be_bytes(*word));
        Some((Time::from_secs(secs.unwrap_or(0).into()), &self.message))
    }

    /// Reads until the message has so many bytes.
    fn fill(&mut self, bytes: usize) -> Option<()> {
        let missing = bytes.saturating_sub(self.message.len()) as u64;
        let read = self.source.by_ref().take(missing).read_to_end(&mut self.message);
        match read {
            Err(error) => self.trouble = Some(format!("reading failed: {error}")),
            Ok(_) if self.message.len() < bytes && !self.message.is_empty() => {
                self.trouble = Some("the last message is cut".into());
            }
            Ok(_) => {}
        }
        (self.trouble.is_none() && self.message.len() >= bytes).then_some(())
    }
}
