//! TLS records and handshake messages of one side (RFC 5246 6.2, RFC 8446 5): a stream cut anywhere in, messages out.
//! A message that lies whole in the input is handed on where it lies; bytes nobody reads are counted down, not kept.

/// Longest handshake message kept; certificate chains of real servers stay below 20 KiB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Longest record (RFC 5246 6.2.3: 2^14 and 2,048 bytes of expansion).
const RECORD_BYTES_MAX: usize = (1 << 14) + 2048;
/// Type, version, length.
const RECORD_HEAD_BYTES: usize = 5;
/// Type and 24-bit length.
const MESSAGE_HEAD_BYTES: usize = 4;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;
const HEARTBEAT: u8 = 24;

pub(crate) const CLIENT_HELLO: u8 = 1;
pub(crate) const SERVER_HELLO: u8 = 2;
pub(crate) const CERTIFICATE: u8 = 11;

/// What a side said.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A hello or certificate, without its head.
    Message {
        kind: u8,
        body: &'a [u8],
    },
    ChangeCipherSpec,
    /// An alert in the clear.
    Alert {
        level: u8,
        description: u8,
    },
    /// Head of a record of application data (in TLS 1.3: of anything encrypted), with its length.
    Application {
        bytes: usize,
    },
    /// A message longer than is kept; it is passed over.
    TooLong,
    /// Not TLS, or no longer.
    Broken,
}

/// What the reader of the events wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Continue,
    /// From here on this side's handshake records are encrypted.
    Opaque,
    Stop,
}

/// The record layer of one side.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Start of a record head cut by the end of the input.
    head: Vec<u8>,
    kind: u8,
    /// Payload bytes of the record that have not come yet.
    left: usize,
    /// Start of a handshake message, or of an alert.
    held: Vec<u8>,
    /// Bytes of a handshake message nobody reads that have not come yet.
    skip: usize,
    opaque: bool,
}

impl Records {
    /// Start of a message whose end has not come: its type and the bytes so far.
    pub(crate) fn unfinished(&self) -> Option<(u8, &[u8])> {
        self.held
            .split_first_chunk::<MESSAGE_HEAD_BYTES>()
            .map(|(head, body)| (head[0], body))
    }

    /// Takes the next bytes. Returns `Stop` as soon as the reader does.
    pub(crate) fn feed(&mut self, mut data: &[u8], on: &mut impl FnMut(Event<'_>) -> Then) -> Then {
        while !data.is_empty() {
            if self.left == 0 {
                match self.head(&mut data, on) {
                    Some(Then::Stop) => return Then::Stop,
                    Some(then) => self.opaque |= then == Then::Opaque,
                    None => break,
                }
                continue;
            }
            let (part, rest) = data.split_at(self.left.min(data.len()));
            self.left -= part.len();
            data = rest;
            let then = match self.kind {
                HANDSHAKE if !self.opaque => self.handshake(part, on),
                ALERT if !self.opaque => self.alert(part, on),
                _ => Then::Continue,
            };
            if then == Then::Stop {
                return Then::Stop;
            }
        }
        Then::Continue
    }

    /// Passes over missing bytes when nobody would have read them; false when something readable is lost.
    pub(crate) fn pass(&mut self, missing: u64) -> bool {
        let Ok(missing) = usize::try_from(missing) else {
            return false;
        };
        if missing > self.left {
            return false;
        }
        if self.kind == HANDSHAKE && !self.opaque {
            if missing > self.skip {
                return false;
            }
            self.skip -= missing;
        } else if self.kind == ALERT && !self.opaque {
            return false;
        }
        self.left -= missing;
        true
    }

    /// Reads a record head; None when its end has not come.
    fn head(&mut self, data: &mut &[u8], on: &mut impl FnMut(Event<'_>) -> Then) -> Option<Then> {
        let head: [u8; RECORD_HEAD_BYTES] = match data.split_first_chunk() {
            Some((head, rest)) if self.head.is_empty() => {
                *data = rest;
                *head
            }
            _ => {
                let (part, rest) = data.split_at(data.len().min(RECORD_HEAD_BYTES - self.head.len()));
                self.head.extend_from_slice(part);
                *data = rest;
                let head = self.head.as_slice().try_into().ok()?;
                self.head = Vec::new();
                head
            }
        };
        let [kind, major, minor, high, low] = head;
        let bytes = usize::from(u16::from_be_bytes([high, low]));
        let known = matches!(kind, CHANGE_CIPHER_SPEC..=HEARTBEAT);
        if !known || major != 3 || minor > 4 || bytes > RECORD_BYTES_MAX {
            on(Event::Broken);
            return Some(Then::Stop);
        }
        (self.kind, self.left) = (kind, bytes);
        Some(match kind {
            CHANGE_CIPHER_SPEC => on(Event::ChangeCipherSpec),
            APPLICATION => on(Event::Application { bytes }),
            _ => Then::Continue,
        })
    }

    fn handshake(&mut self, mut part: &[u8], on: &mut impl FnMut(Event<'_>) -> Then) -> Then {
        while !part.is_empty() {
            let mut then = Then::Continue;
            if self.skip > 0 {
                let passed = self.skip.min(part.len());
                self.skip -= passed;
                part = &part[passed..];
            } else if self.held.is_empty()
                && let Some((kind, end)) = message_head(part)
                && let Some(body) = part.get(MESSAGE_HEAD_BYTES..end)
                && is_read(kind)
            {
                then = on(Event::Message { kind, body });
                part = &part[end..];
            } else {
                part = self.hold(part, on, &mut then);
            }
            if then == Then::Stop {
                return Then::Stop;
            }
        }
        Then::Continue
    }

    /// Keeps bytes of a message that is cut by the end of the record or input, and hands it on when it is whole.
    fn hold<'a>(
        &mut self,
        part: &'a [u8],
        on: &mut impl FnMut(Event<'_>) -> Then,
        then: &mut Then,
    ) -> &'a [u8] {
        let end = message_head(&self.held).map_or(MESSAGE_HEAD_BYTES, |(_, end)| end);
        let (taken, rest) = part.split_at(part.len().min(end - self.held.len()));
        self.held.extend_from_slice(taken);
        let Some((kind, end)) = message_head(&self.held) else {
            return rest;
        };
        if !is_read(kind) || end > MESSAGE_BYTES_MAX {
            if is_read(kind) {
                *then = on(Event::TooLong);
            }
            self.skip = end - self.held.len();
            self.held = Vec::new();
        } else if self.held.len() == end {
            let body = &self.held[MESSAGE_HEAD_BYTES..];
            *then = on(Event::Message { kind, body });
            self.held = Vec::new();
        }
        rest
    }

    fn alert(&mut self, part: &[u8], on: &mut impl FnMut(Event<'_>) -> Then) -> Then {
        // Two bytes are an alert in the clear, more are encrypted; held until the record has ended.
        let room = 3 - self.held.len().min(3);
        self.held.extend_from_slice(&part[..part.len().min(room)]);
        if self.left > 0 {
            return Then::Continue;
        }
        match *std::mem::take(&mut self.held).as_slice() {
            [level, description] => on(Event::Alert { level, description }),
            _ => Then::Continue,
        }
    }
}

/// Type of the message that starts here and where it ends, head included.
fn message_head(bytes: &[u8]) -> Option<(u8, usize)> {
    let [kind, a, b, c] = *bytes.first_chunk()?;
    let len = u32::from_be_bytes([0, a, b, c]) as usize;
    Some((kind, MESSAGE_HEAD_BYTES + len))
}

/// Messages whose content is used; all others are passed over.
fn is_read(kind: u8) -> bool {
    matches!(kind, CLIENT_HELLO | SERVER_HELLO | CERTIFICATE)
}
