//! Heads of HTTP/1.x requests and responses (RFC 9112), read line by line where they lie. The reading is laxer than a
//! server's, which is why no library does it: requests that scanners and exploits bend out of shape are those to see.

use memchr::{memchr, memchr_iter, memmem};

/// Longest method word; WebDAV's longest is 17.
const METHOD_BYTES_MAX: usize = 24;

/// The first line of a head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Start<'a> {
    Request { method: &'a [u8], uri: &'a [u8] },
    Response { status: u16 },
}

/// A head: first line and header lines.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) start: Start<'a>,
    lines: &'a [u8],
}

/// Length of the head at the start of `bytes`, its empty line included; None when its end has not come.
pub(crate) fn end(bytes: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', bytes).find_map(|at| match bytes.get(at + 1..) {
        Some([b'\n', ..]) => Some(at + 2),
        Some([b'\r', b'\n', ..]) => Some(at + 3),
        _ => None,
    })
}

impl<'a> Head<'a> {
    /// Reads a whole head; None when its first line is neither a request's nor a response's.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let line_end = memchr(b'\n', bytes)?;
        let start = Start::read(bytes[..line_end].trim_ascii_end())?;
        let lines = &bytes[line_end + 1..];
        Some(Self { start, lines })
    }

    /// Names and values of the headers, blanks around them removed.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.lines.split(|&byte| byte == b'\n').filter_map(|line| {
            let colon = memchr(b':', line)?;
            Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
        })
    }
}

impl<'a> Start<'a> {
    fn read(line: &'a [u8]) -> Option<Self> {
        if let Some(rest) = line.strip_prefix(b"HTTP/1.") {
            let digits = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '))?;
            let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
            return Some(Self::Response { status });
        }
        let blank = memchr(b' ', line)?;
        let method = &line[..blank];
        let rest = &line[blank + 1..];
        let uri = rest[..memmem::rfind(rest, b" HTTP/1.")?].trim_ascii();
        (is_method(method) && !uri.is_empty()).then_some(Self::Request { method, uri })
    }
}

/// Could this word be a method?
pub(crate) fn is_method(word: &[u8]) -> bool {
    (3..=METHOD_BYTES_MAX).contains(&word.len())
        && word
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lax_about_everything_but_the_shape() {
        let head = Head::read(b"GET /a b\x01c HTTP/1.1\nHost :x \r\nbad line\r\n: y\r\n\r\n").unwrap();
        assert_eq!(
            head.start,
            Start::Request {
                method: b"GET",
                uri: b"/a b\x01c"
            }
        );
        let headers: Vec<_> = head.headers().collect();
        assert_eq!(headers, [(b"Host".as_slice(), b"x".as_slice()), (b"", b"y")]);
        assert!(Head::read(b"GET /\r\n\r\n").is_none());
        assert!(Head::read(b"OPTIONS sip:a SIP/2.0\r\n\r\n").is_none());
        assert!(Head::read(b"HTTP/1.1 2x0 OK\r\n\r\n").is_none());
    }

    #[test]
    fn ends() {
        assert_eq!(end(b"GET / HTTP/1.1\r\n\r\nbody"), Some(18));
        assert_eq!(end(b"GET / HTTP/1.1\n\nbody"), Some(16));
        assert_eq!(end(b"GET / HTTP/1.1\r\n\r"), None);
    }
}
