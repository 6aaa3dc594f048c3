//! Heads of SIP messages, read line by line where they lie. Laxer than a telephone, because scanners bend the rules.

use std::hash::Hasher;

use memchr::{memchr, memchr_iter};
use siphasher::sip::SipHasher13;

const VERSION: &[u8] = b"SIP/2.0";
/// Longest method word (SUBSCRIBE has 9); more is no method.
const METHOD_BYTES_MAX: usize = 20;

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start<'a> {
    Request { method: &'a [u8], uri: &'a [u8] },
    Response { status: u16 },
}

impl<'a> Start<'a> {
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii_end();
        if let Some(rest) = line.strip_prefix(VERSION) {
            let digits = rest.strip_prefix(b" ")?.get(..3)?;
            let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
            return (100..700).contains(&status).then_some(Self::Response { status });
        }
        let blank = memchr(b' ', line)?;
        let uri = line[blank + 1..].strip_suffix(VERSION)?.trim_ascii();
        let method = &line[..blank];
        (is_method(method) && !uri.is_empty()).then_some(Self::Request { method, uri })
    }
}

fn is_method(word: &[u8]) -> bool {
    (3..=METHOD_BYTES_MAX).contains(&word.len()) && word.iter().all(u8::is_ascii_uppercase)
}

/// The first line that is not blank, when its end is there.
pub(super) fn first_line(data: &[u8]) -> Option<&[u8]> {
    let data = without_blank_lines(data);
    memchr(b'\n', data).map(|end| &data[..end])
}

/// Could this beginning of a line become a first line?
pub(super) fn could_begin(data: &[u8]) -> bool {
    let data = without_blank_lines(data);
    if data.starts_with(VERSION) || VERSION.starts_with(data) {
        return true;
    }
    match memchr(b' ', data) {
        Some(blank) => is_method(&data[..blank]) && has_scheme(&data[blank + 1..]),
        None => data.len() <= METHOD_BYTES_MAX && data.iter().all(u8::is_ascii_uppercase),
    }
}

fn has_scheme(uri: &[u8]) -> bool {
    [b"sip:".as_slice(), b"sips:", b"tel:"].iter().any(|scheme| {
        let len = uri.len().min(scheme.len());
        uri[..len].eq_ignore_ascii_case(&scheme[..len])
    })
}

/// Blank lines may stand before a message (RFC 3261 7.5); telephones send them to keep the way open.
pub(super) fn without_blank_lines(data: &[u8]) -> &[u8] {
    let blank = data
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    &data[blank..]
}

/// Length of the head that starts here, its empty line included; `None` when its end has not come.
pub(super) fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', bytes).find_map(|at| match bytes.get(at + 1..) {
        Some([b'\n', ..]) => Some(at + 2),
        Some([b'\r', b'\n', ..]) => Some(at + 3),
        _ => None,
    })
}

/// What tells requests apart. Programs that guess passwords try one after the other under the same Call-ID and CSeq,
/// which the standard forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    /// Of Call-ID and CSeq: what a response has in common with its request.
    pub(super) exchange: u64,
    /// The same with the credentials.
    attempt: u64,
}

/// What is read of a head.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) start: Start<'a>,
    pub(super) from: Option<&'a [u8]>,
    pub(super) to: Option<&'a [u8]>,
    pub(super) call_id: Option<&'a [u8]>,
    cseq: &'a [u8],
    /// User-Agent of a request, Server of a response; many programs send either in both.
    pub(super) agent: Option<&'a [u8]>,
    pub(super) credentials: Option<&'a [u8]>,
    pub(super) content_length: u64,
}

impl<'a> Message<'a> {
    /// Reads a head, or what there is of it; `None` when the first line is none of SIP.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let line_end = memchr(b'\n', bytes).unwrap_or(bytes.len());
        let mut message = Self {
            start: Start::read(&bytes[..line_end])?,
            from: None,
            to: None,
            call_id: None,
            cseq: &[],
            agent: None,
            credentials: None,
            content_length: 0,
        };
        let rest = bytes.get(line_end + 1..).unwrap_or_default();
        for line in rest.split(|&byte| byte == b'\n') {
            if line.trim_ascii().is_empty() {
                break;
            }
            if let Some(colon) = memchr(b':', line) {
                message.header(line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
            }
        }
        Some(message)
    }

    /// Takes a header; the first of its name counts.
    fn header(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |long: &str, short: &str| {
            name.eq_ignore_ascii_case(long.as_bytes())
                || !short.is_empty() && name.eq_ignore_ascii_case(short.as_bytes())
        };
        if is("From", "f") {
            self.from.get_or_insert(value);
        } else if is("To", "t") {
            self.to.get_or_insert(value);
        } else if is("Call-ID", "i") {
            self.call_id.get_or_insert(value);
        } else if is("CSeq", "") {
            self.cseq = value;
        } else if is("User-Agent", "") || is("Server", "") {
            self.agent.get_or_insert(value);
        } else if is("Authorization", "") || is("Proxy-Authorization", "") {
            self.credentials.get_or_insert(value);
        } else if is("Content-Length", "l") {
            let digits = std::str::from_utf8(value).ok();
            self.content_length = digits.and_then(|digits| digits.parse().ok()).unwrap_or_default();
        }
    }

    /// The method a response answers.
    pub(super) fn cseq_method(&self) -> &'a [u8] {
        let word = self
            .cseq
            .rsplit(u8::is_ascii_whitespace)
            .next()
            .unwrap_or_default();
        if is_method(word) { word } else { b"UNKNOWN" }
    }

    /// What tells this request from others.
    pub(super) fn id(&self) -> Id {
        let mut hash = SipHasher13::new();
        hash.write(self.call_id.unwrap_or_default());
        hash.write_u8(0);
        hash.write(self.cseq);
        let exchange = hash.finish();
        hash.write(self.credentials.unwrap_or_default());
        Id {
            exchange,
            attempt: hash.finish(),
        }
    }
}

/// `kim@example.org` of `"Kim" <sip:kim@example.org;user=phone>;tag=1`.
pub(super) fn identity(value: &[u8]) -> &[u8] {
    let inner = match memchr(b'<', value) {
        Some(open) => value[open + 1..]
            .split(|&byte| byte == b'>')
            .next()
            .unwrap_or_default(),
        None => value,
    };
    let end = inner
        .iter()
        .position(|byte| matches!(byte, b';' | b'?'))
        .unwrap_or(inner.len());
    let address = inner[..end].trim_ascii();
    match memchr(b':', address) {
        Some(colon) if has_scheme(address) => &address[colon + 1..],
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities() {
        for (value, wanted) in [
            (
                "\"Kim\" <sip:kim@example.org;user=phone>;tag=1",
                "kim@example.org",
            ),
            ("sip:100@1.1.1.1;tag=abc", "100@1.1.1.1"),
            ("<SIPS:a@b?x=y>", "a@b"),
            ("<tel:+420123>", "+420123"),
            ("<", ""),
            ("", ""),
        ] {
            assert_eq!(identity(value.as_bytes()), wanted.as_bytes(), "{value}");
        }
    }

    #[test]
    fn first_lines() {
        assert!(Start::read(b"INVITE sip:a@b SIP/2.0\r").is_some());
        assert_eq!(
            Start::read(b"SIP/2.0 200 OK"),
            Some(Start::Response { status: 200 })
        );
        for bad in [
            "GET / HTTP/1.1",
            "SIP/2.0 99 No",
            "SIP/2.0 2x0",
            "invite sip:a SIP/2.0",
            "INVITE SIP/2.0",
        ] {
            assert_eq!(Start::read(bad.as_bytes()), None, "{bad}");
        }
    }
}
