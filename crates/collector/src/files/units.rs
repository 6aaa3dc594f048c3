//! Text cut into the units of its format, each within a limit: lines, and JSON objects behind each other or in arrays.
//! A unit that is too long is passed over to its end and told; nothing grows with what a file claims.

use std::io::{BufRead, BufReader, Read};

use super::Bad;

/// Longest line. Suricata's longest records (many answers, payloads printed) are some hundred kB.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Longest JSON object. An Azure record holds a minute of one interface and grows to some MB on gateways.
const OBJECT_BYTES_MAX: usize = 16 << 20;
/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

type Stream = BufReader<Box<dyn Read + Send>>;

/// Lines of a stream.
pub(super) struct Lines {
    stream: Stream,
    line: Vec<u8>,
    /// Why reading ended early, in words.
    pub(super) trouble: Option<String>,
}

impl Lines {
    pub(super) fn new(stream: Box<dyn Read + Send>) -> Self {
        Self {
            stream: BufReader::with_capacity(BUFFER_BYTES, stream),
            line: Vec::new(),
            trouble: None,
        }
    }

    /// The next line without its end; `None` at the end, early or not.
    pub(super) fn next(&mut self) -> Option<Result<&str, Bad>> {
        self.line.clear();
        let read = self
            .stream
            .by_ref()
            .take(LINE_BYTES_MAX as u64)
            .read_until(b'\n', &mut self.line);
        match read {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => {
                self.trouble = Some(format!("reading failed: {error}"));
                return None;
            }
        }
        if self.line.len() == LINE_BYTES_MAX && self.line.last() != Some(&b'\n') {
            // An error here comes again with the next line.
            let _ = self.stream.skip_until(b'\n');
            return Some(Err(Bad::TooLong));
        }
        while self.line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line.pop();
        }
        Some(std::str::from_utf8(&self.line).map_err(|_| Bad::Syntax))
    }
}

/// JSON objects of a stream: one behind the other, in an array, or in the array `records` of an object around them.
pub(super) struct Objects {
    stream: Stream,
    object: Vec<u8>,
    /// Why reading ended early, in words.
    pub(super) trouble: Option<String>,
}

/// Where the scan of an object is.
#[derive(Default)]
struct Scan {
    depth: u32,
    string: bool,
    escaped: bool,
    too_long: bool,
}

impl Scan {
    /// Takes bytes into `object` up to its end; returns how many were used, and whether it ended.
    fn run(&mut self, bytes: &[u8], object: &mut Vec<u8>) -> (usize, bool) {
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.string => self.escaped = true,
                b'"' => self.string = !self.string,
                _ if self.string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth == 0 {
                self.keep(bytes.get(..=at), object);
                return (at + 1, true);
            }
            // The object around the records: what stands in its array are the objects.
            if self.depth == 2 && byte == b'[' && wraps(object, bytes.get(..at).unwrap_or_default()) {
                object.clear();
                self.depth = 0;
                return (at + 1, false);
            }
        }
        self.keep(Some(bytes), object);
        (bytes.len(), false)
    }

    fn keep(&mut self, bytes: Option<&[u8]>, object: &mut Vec<u8>) {
        let bytes = bytes.unwrap_or_default();
        self.too_long |= object.len() + bytes.len() > OBJECT_BYTES_MAX;
        if self.too_long {
            object.clear();
        } else {
            object.extend_from_slice(bytes);
        }
    }
}

/// Is what was read of the object so far only `{"records":`?
fn wraps(before: &[u8], behind: &[u8]) -> bool {
    let text = before
        .iter()
        .chain(behind)
        .filter(|byte| !byte.is_ascii_whitespace());
    text.eq(b"{\"records\":")
}

impl Objects {
    pub(super) fn new(stream: Box<dyn Read + Send>) -> Self {
        Self {
            stream: BufReader::with_capacity(BUFFER_BYTES, stream),
            object: Vec::new(),
            trouble: None,
        }
    }

    /// The next object; `None` at the end, early or not.
    pub(super) fn next(&mut self) -> Option<Result<&str, Bad>> {
        self.object.clear();
        let mut scan = Scan::default();
        loop {
            let bytes = match self.stream.fill_buf() {
                Ok([]) => {
                    self.trouble = (scan.depth > 0).then(|| "the last object is cut".to_owned());
                    return None;
                }
                Ok(bytes) => bytes,
                Err(error) => {
                    self.trouble = Some(format!("reading failed: {error}"));
                    return None;
                }
            };
            if scan.depth == 0 {
                // Between objects: commas, brackets, line ends; whatever else stands there is passed over.
                let outside = bytes.iter().take_while(|&&byte| byte != b'{').count();
                let all = outside == bytes.len();
                self.stream.consume(outside);
                if all {
                    continue;
                }
            }
            let bytes = self.stream.buffer();
            let (used, ended) = scan.run(bytes, &mut self.object);
            self.stream.consume(used);
            if ended {
                break;
            }
        }
        if scan.too_long {
            return Some(Err(Bad::TooLong));
        }
        Some(std::str::from_utf8(&self.object).map_err(|_| Bad::Syntax))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &'static str) -> (Vec<String>, Option<String>) {
        let mut objects = Objects::new(Box::new(text.as_bytes()));
        let mut found = Vec::new();
        while let Some(object) = objects.next() {
            found.push(object.unwrap().to_owned());
        }
        (found, objects.trouble)
    }

    #[test]
    fn objects_behind_each_other_in_arrays_and_in_records() {
        let want = vec![r#"{"a":"}\"{"}"#.to_owned(), r#"{"b":[{}]}"#.to_owned()];
        for text in [
            "{\"a\":\"}\\\"{\"}\n{\"b\":[{}]}\n",
            "[{\"a\":\"}\\\"{\"},\n{\"b\":[{}]}]",
            "{ \"records\" : [ {\"a\":\"}\\\"{\"}, {\"b\":[{}]}\n]}",
        ] {
            assert_eq!(objects(text), (want.clone(), None), "{text}");
        }
    }

    #[test]
    fn a_cut_object_is_told() {
        assert_eq!(
            objects("[{\"a\":1},{\"b\":").1.as_deref(),
            Some("the last object is cut")
        );
    }

    #[test]
    fn units_that_are_too_long_are_passed_over() {
        let long = vec![b'a'; LINE_BYTES_MAX + 10];
        let mut lines = Lines::new(Box::new(std::io::Cursor::new([&long[..], b"\nb\r\n"].concat())));
        assert_eq!(lines.next(), Some(Err(Bad::TooLong)));
        assert_eq!(lines.next(), Some(Ok("b")));
        assert_eq!(lines.next(), None);
        let mut text = b"{\"a\":\"".to_vec();
        text.resize(OBJECT_BYTES_MAX + 10, b' ');
        text.extend(b"\"}{}");
        let mut objects = Objects::new(Box::new(std::io::Cursor::new(text)));
        assert_eq!(objects.next(), Some(Err(Bad::TooLong)));
        assert_eq!(objects.next(), Some(Ok("{}")));
        assert!(objects.object.capacity() < 2 * OBJECT_BYTES_MAX);
    }
}
