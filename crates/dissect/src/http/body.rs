//! Message bodies (RFC 9112 6): counted, not kept. A body is passed over in as few steps as the input has pieces,
//! because most bytes of HTTP are bodies.

/// Digits of a chunk size; 16 fill 64 bits.
const SIZE_DIGITS_MAX: u8 = 16;
/// Bytes of chunk extension or trailer line passed over before the framing counts as lost.
const LINE_BYTES_MAX: u16 = 8192;

/// Where a side's stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Body {
    /// Between messages: a head comes next.
    #[default]
    None,
    /// This many bytes are left.
    Length(u64),
    Chunked(Chunk),
    /// Everything up to the end of the connection.
    UntilEnd,
}

/// Where a chunked body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    Size {
        size: u64,
        digits: u8,
    },
    Extension {
        size: u64,
        bytes: u16,
    },
    Data {
        left: u64,
    },
    /// Line end behind the data.
    DataEnd,
    /// Lines behind the last chunk.
    Trailer {
        line: u16,
    },
}

/// A body of chunks, at its start.
pub(crate) const CHUNKED: Body = Body::Chunked(Chunk::Size { size: 0, digits: 0 });

/// What a step has passed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step<'a> {
    pub(crate) used: usize,
    /// The body's own bytes among them, framing left out.
    pub(crate) content: &'a [u8],
}

impl Body {
    /// Passes over the next bytes. None when the framing makes no sense. The body is [`Body::None`] when it has ended.
    pub(crate) fn step<'a>(&mut self, bytes: &'a [u8]) -> Option<Step<'a>> {
        let left = match self {
            Self::None => 0,
            Self::Length(left) | Self::Chunked(Chunk::Data { left }) => *left,
            Self::UntilEnd => u64::MAX,
            Self::Chunked(chunk) => {
                let mut used = 0;
                while !matches!(chunk, Chunk::Data { .. }) && used < bytes.len() {
                    let byte = bytes[used];
                    used += 1;
                    match chunk.next(byte)? {
                        Some(next) => *chunk = next,
                        None => {
                            *self = Self::None;
                            break;
                        }
                    }
                }
                return Some(Step { used, content: &[] });
            }
        };
        let used = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.pass(used as u64);
        Some(Step {
            used,
            content: &bytes[..used],
        })
    }

    /// Passes over bytes of the body, seen or missing; false when they reach beyond what is known to be body.
    pub(crate) fn pass(&mut self, count: u64) -> bool {
        match self {
            Self::None => count == 0,
            Self::UntilEnd => true,
            Self::Length(left) | Self::Chunked(Chunk::Data { left }) if count < *left => {
                *left -= count;
                true
            }
            Self::Length(left) if count == *left => {
                *self = Self::None;
                true
            }
            Self::Chunked(Chunk::Data { left }) if count == *left => {
                *self = Self::Chunked(Chunk::DataEnd);
                true
            }
            _ => false,
        }
    }
}

impl Chunk {
    /// State behind this framing byte: inner None at the end of the body, outer None when it cannot stand here.
    fn next(self, byte: u8) -> Option<Option<Self>> {
        let line = |size| match size {
            0 => Self::Trailer { line: 0 },
            left => Self::Data { left },
        };
        Some(Some(match (self, byte) {
            (Self::Size { digits: 0, .. }, b'\r' | b'\n' | b';') => return None,
            (Self::Size { size, .. } | Self::Extension { size, .. }, b'\n') => line(size),
            (Self::Size { size, .. }, b'\r' | b';' | b' ' | b'\t') => Self::Extension { size, bytes: 0 },
            (Self::Size { size, digits }, byte) if digits < SIZE_DIGITS_MAX => Self::Size {
                size: size << 4 | u64::from(char::from(byte).to_digit(16)?),
                digits: digits + 1,
            },
            (Self::Extension { size, bytes }, _) if bytes < LINE_BYTES_MAX => Self::Extension {
                size,
                bytes: bytes + 1,
            },
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size { size: 0, digits: 0 },
            (Self::Trailer { line: 0 }, b'\n') => return Some(None),
            (Self::Trailer { .. }, b'\n') => Self::Trailer { line: 0 },
            (Self::Trailer { line }, b'\r') => Self::Trailer { line },
            (Self::Trailer { line }, _) if line < LINE_BYTES_MAX => Self::Trailer { line: line + 1 },
            _ => return None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of content, bytes used, and whether the body has ended.
    fn run(mut body: Body, bytes: &[u8], piece: usize) -> Option<(u64, usize, bool)> {
        let (mut content, mut used) = (0, 0);
        for mut rest in bytes.chunks(piece) {
            while !rest.is_empty() && body != Body::None {
                let step = body.step(rest)?;
                content += step.content.len() as u64;
                used += step.used;
                rest = &rest[step.used..];
            }
        }
        Some((content, used, body == Body::None))
    }

    #[test]
    fn framings() {
        let chunks = b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nSum: 1\r\n\r\nHTTP";
        for piece in 1..40 {
            assert_eq!(run(CHUNKED, chunks, piece), Some((6, chunks.len() - 4, true)));
            assert_eq!(run(Body::Length(5), b"helloHTTP", piece), Some((5, 5, true)));
            assert_eq!(run(Body::UntilEnd, b"hello", piece), Some((5, 5, false)));
            assert_eq!(run(CHUNKED, b"xyz\r\n", piece), None);
            assert_eq!(run(CHUNKED, b"11111111111111111\r\n", piece), None);
            assert_eq!(run(CHUNKED, b"1\r\nab\r\n", piece), None);
        }
    }

    #[test]
    fn missing_bytes() {
        let mut body = Body::Length(10);
        assert!(body.pass(4));
        assert!(!body.pass(7));
        assert!(body.pass(6));
        assert_eq!(body, Body::None);
    }
}
