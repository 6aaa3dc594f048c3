//! One side's SSH stream: banner line, then packets whose length is readable, then encrypted bytes.
//! At most one packet's head is held; what is longer than any handshake packet ends the readable part.

/// Longest banner, RFC 4253 4.2; lines before it count too.
const BANNER_MAX: usize = 255;
/// Lines a server may say before its banner.
const LINES_MAX: usize = 16;
/// Held of one handshake packet: the longest KEXINITs seen are near 4 KiB.
const PACKET_HELD_MAX: usize = 16 * 1024;
/// Longest packet believed; OpenSSH takes 256 KiB.
const PACKET_MAX: usize = 256 * 1024;
/// SSH_MSG_NEWKEYS.
const NEWKEYS: u8 = 21;

/// State of one side.
#[derive(Default)]
pub(super) struct Stream {
    phase: Phase,
    held: Vec<u8>,
    /// Bytes of the packet at hand that nobody reads.
    skip: usize,
    /// Lines that came before the banner.
    lines: usize,
    /// Length of MAC or tag behind a packet, when packet lengths are readable in the encrypted part.
    pub(super) tag_len: Option<usize>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Banner,
    Handshake,
    Encrypted,
}

/// What came off the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Banner(&'a [u8]),
    /// A handshake message: number and payload behind it, cut at the limit.
    Message(u8, &'a [u8]),
    /// An encrypted packet of this length, or a segment of several.
    Encrypted(usize),
    /// No SSH.
    Nonsense,
}

impl Stream {
    /// Takes off the next piece; `None` when more bytes are needed. Call until then.
    pub(super) fn next(&mut self, data: &mut &[u8], on_piece: impl FnOnce(Piece<'_>)) -> Option<()> {
        match self.phase {
            _ if data.is_empty() => None,
            _ if self.skip > 0 => {
                let passed = data.len().min(self.skip);
                self.skip -= passed;
                *data = &data[passed..];
                Some(())
            }
            Phase::Encrypted => self.encrypted(data, on_piece),
            Phase::Banner => self.banner(data, on_piece),
            Phase::Handshake => self.handshake(data, on_piece),
        }
    }

    /// Puts bytes of a line or packet into the buffer up to this many; true when they are all there.
    fn fill(&mut self, data: &mut &[u8], wanted: usize) -> bool {
        let taken = data.len().min(wanted.saturating_sub(self.held.len()));
        self.held.extend_from_slice(&data[..taken]);
        *data = &data[taken..];
        self.held.len() >= wanted
    }

    /// Length of the packet whose head is held; it does not count itself (RFC 4253 6).
    fn packet_len(&self) -> Option<usize> {
        self.held
            .first_chunk()
            .map(|len| u32::from_be_bytes(*len) as usize)
    }

    fn banner(&mut self, data: &mut &[u8], on_piece: impl FnOnce(Piece<'_>)) -> Option<()> {
        let end = memchr::memchr(b'\n', data);
        let len = end.map_or(data.len(), |at| at + 1);
        if self.held.len() + len > BANNER_MAX || self.lines > LINES_MAX {
            *data = &[];
            on_piece(Piece::Nonsense);
            return Some(());
        }
        self.fill(data, self.held.len() + len);
        end?;
        let line = std::mem::take(&mut self.held);
        self.lines += 1;
        if line.starts_with(b"SSH-") {
            self.phase = Phase::Handshake;
            on_piece(Piece::Banner(line.trim_ascii_end()));
        }
        Some(())
    }

    fn handshake(&mut self, data: &mut &[u8], on_piece: impl FnOnce(Piece<'_>)) -> Option<()> {
        if !self.fill(data, 6) {
            return None;
        }
        let len = self.packet_len()?;
        let padding = usize::from(self.held[4]);
        if len > PACKET_MAX || len < padding + 2 {
            *data = &[];
            on_piece(Piece::Nonsense);
            return Some(());
        }
        let wanted = 4 + len.min(PACKET_HELD_MAX);
        if !self.fill(data, wanted) {
            return None;
        }
        self.skip = 4 + len - wanted;
        let packet = std::mem::take(&mut self.held);
        let message = packet[5];
        if message == NEWKEYS {
            self.phase = Phase::Encrypted;
        }
        let end = (4 + len - padding).min(packet.len());
        on_piece(Piece::Message(message, packet.get(6..end).unwrap_or_default()));
        Some(())
    }

    fn encrypted(&mut self, data: &mut &[u8], on_piece: impl FnOnce(Piece<'_>)) -> Option<()> {
        let Some(tag) = self.tag_len else {
            let len = data.len();
            *data = &[];
            on_piece(Piece::Encrypted(len));
            return Some(());
        };
        if !self.fill(data, 4) {
            return None;
        }
        let len = self.packet_len()?;
        self.held.clear();
        if len > PACKET_MAX {
            *data = &[];
            on_piece(Piece::Nonsense);
            return Some(());
        }
        self.skip = len + tag;
        on_piece(Piece::Encrypted(4 + len + tag));
        Some(())
    }
}
