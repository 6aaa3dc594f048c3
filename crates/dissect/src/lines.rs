//! Lines of text protocols, cut anywhere by the network: taken off the input one by one, so that the dissector may
//! change its mind between two lines. A whole line is read where it lies; a long one is cut, its rest passed over.

use std::borrow::Cow;

use crate::Probe;

/// Kept of one line: SMTP allows 1000 bytes (RFC 5321 4.5.3.1.6), SASL answers are longer in places.
pub(crate) const LINE_MAX: usize = 4096;

/// The unfinished line of one side.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    held: Vec<u8>,
    /// The beginning of the line at hand is lost: it is passed over.
    lost: bool,
}

impl Lines {
    /// Takes the next whole line off `data`, without its CR LF; `None` when it is not there yet.
    pub(crate) fn next<'a>(&mut self, data: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
        loop {
            let Some(end) = memchr::memchr(b'\n', data) else {
                let room = LINE_MAX - self.held.len().min(LINE_MAX);
                self.held.extend_from_slice(&data[..data.len().min(room)]);
                *data = &[];
                return None;
            };
            let (line, rest) = (&data[..end], &data[end + 1..]);
            *data = rest;
            if std::mem::take(&mut self.lost) {
                self.held = Vec::new();
                continue;
            }
            if self.held.is_empty() {
                return Some(Cow::Borrowed(without_cr(&line[..line.len().min(LINE_MAX)])));
            }
            let mut whole = std::mem::take(&mut self.held);
            let room = LINE_MAX - whole.len().min(LINE_MAX);
            whole.extend_from_slice(&line[..line.len().min(room)]);
            let len = without_cr(&whole).len();
            whole.truncate(len);
            return Some(Cow::Owned(whole));
        }
    }

    /// Bytes are missing: what is there of the line, and its end, mean nothing.
    pub(crate) fn gap(&mut self) {
        self.held = Vec::new();
        self.lost = true;
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// First word of a line and what stands behind the blanks after it.
pub(crate) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(line.len());
    (&line[..end], line[end..].trim_ascii())
}

/// The first line of what a side says, and whether its end is there.
pub(crate) fn first(data: &[u8]) -> (&[u8], bool) {
    match memchr::memchr(b'\n', data) {
        Some(end) => (&data[..end], true),
        None => (data, false),
    }
}

/// Is the word one of these, whatever its case?
pub(crate) fn is_one_of(word: &[u8], known: &[&[u8]]) -> bool {
    known.iter().any(|name| word.eq_ignore_ascii_case(name))
}

/// Judges a greeting of FTP or SMTP: it counts when its end is there, and when it or the port names the protocol.
pub(crate) fn probe_greeting(line: &[u8], whole: bool, name: &[u8], usual: bool) -> Probe {
    let named = usual || memchr::memmem::find(&line.to_ascii_lowercase(), name).is_some();
    match (whole, named) {
        (true, true) => Probe::Match,
        (true, false) => Probe::NoMatch,
        (false, _) => Probe::NeedMore,
    }
}

/// A reply of FTP or SMTP: its code, and whether more lines of it follow (`250-`).
pub(crate) fn reply(line: &[u8]) -> Option<(u16, bool)> {
    let digits = line.first_chunk::<3>()?;
    let code = digits.iter().try_fold(0, |code, digit| {
        digit
            .is_ascii_digit()
            .then(|| code * 10 + u16::from(digit - b'0'))
    })?;
    match line.get(3) {
        None | Some(b' ') => Some((code, false)),
        Some(b'-') => Some((code, true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines, text: &[u8], piece: usize) -> Vec<String> {
        let mut found = Vec::new();
        for mut data in text.chunks(piece) {
            while let Some(line) = lines.next(&mut data) {
                found.push(String::from_utf8_lossy(&line).into_owned());
            }
        }
        found
    }

    #[test]
    fn cut_anywhere() {
        for piece in 1..20 {
            let mut lines = Lines::default();
            assert_eq!(
                all(&mut lines, b"USER kim\r\n\nPASS x\nQU", piece),
                ["USER kim", "", "PASS x"]
            );
            assert_eq!(lines.held, b"QU");
        }
    }

    #[test]
    fn long_and_lost_lines() {
        let long = [&[b'x'; 3 * LINE_MAX][..], b"\nshort\n"].concat();
        for piece in [1, 1000, usize::MAX] {
            let mut lines = Lines::default();
            let found = all(&mut lines, &long, piece);
            assert_eq!((found[0].len(), found[1].as_str()), (LINE_MAX, "short"));
            lines.gap();
            assert_eq!(all(&mut lines, b"half\nwhole\n", piece), ["whole"]);
        }
    }

    #[test]
    fn replies() {
        assert_eq!(reply(b"230 hello"), Some((230, false)));
        assert_eq!(reply(b"250-SIZE"), Some((250, true)));
        assert_eq!(reply(b"250"), Some((250, false)));
        assert_eq!(reply(b"hello"), None);
    }
}
