//! What is wrong with a filter, said so that it can be mended without the manual: where, what was expected, what was
//! perhaps meant.

use std::fmt;
use std::ops::Range;

/// Characters of the filter shown on either side of the fault.
const SHOWN_AROUND: usize = 60;
/// Expected words shown before "...".
const EXPECTED_SHOWN: usize = 12;
/// Similarity (Jaro-Winkler) below which a known word is no hint.
const NEAR_ENOUGH: f64 = 0.75;

/// A fault in the text of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// What is wrong, without the place.
    pub message: String,
    /// Bytes of the text that are meant; empty at its end.
    pub span: Range<usize>,
    /// Words that would have been right there.
    pub expected: Vec<String>,
    /// The known word nearest to the one found.
    pub nearest: Option<String>,
    line: Box<str>,
    /// First character under the caret line's marks, and how many: at most 60 each.
    caret: (u8, u8),
}

impl QueryError {
    /// A fault at `span` of `text`. Keeps only the piece of the line around it, harmless to print.
    pub(crate) fn new(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let start = floor(text, span.start);
        let end = floor(text, span.end.max(span.start)).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let before: Vec<char> = text[line_start..start].chars().collect();
        let skipped = before.len().saturating_sub(SHOWN_AROUND);
        let behind = text[start..line_end].chars().take(SHOWN_AROUND);
        let line = before[skipped..].iter().copied().chain(behind);
        let caret_len = text[start..end.min(line_end).max(start)].chars().count();
        Self {
            message: message.into(),
            span: start..end,
            expected: Vec::new(),
            nearest: None,
            line: line.map(|c| if c.is_control() { ' ' } else { c }).collect(),
            caret: (short(before.len() - skipped), short(caret_len.max(1))),
        }
    }

    pub(crate) fn expecting(mut self, words: Vec<String>) -> Self {
        self.expected = words;
        self
    }

    pub(crate) fn near<'a>(mut self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.nearest = nearest(word, known);
        self
    }
}

/// A number of characters, at most those shown.
fn short(count: usize) -> u8 {
    count.min(SHOWN_AROUND) as u8
}

/// The greatest character boundary at or below `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// From 0 to 1. One slip of the finger (a letter wrong, missing, too many, or two changed about) is nearer than anything else; in
/// short words Jaro and Winkler do not see it.
fn similarity(word: &str, name: &str) -> f64 {
    if word.len() >= 3 && strsim::osa_distance(word, name) == 1 {
        0.99
    } else {
        strsim::jaro_winkler(word, name)
    }
}

/// The known word most similar to `word`, whatever the case, when it is similar at all.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word: String = word.chars().take(64).collect::<String>().to_lowercase();
    known
        .into_iter()
        .map(|name| (similarity(&word, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= NEAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.len().cmp(&a.1.len())))
        .map(|(_, name)| name.to_owned())
}

/// Message, line, caret line, hint.
impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.message)?;
        writeln!(f, "  {}", self.line)?;
        let (at, len) = self.caret;
        write!(f, "  {}{}", " ".repeat(at.into()), "^".repeat(len.into()))?;
        if let Some(nearest) = &self.nearest {
            write!(f, "\ndid you mean {nearest}?")?;
        } else if !self.expected.is_empty() {
            let shown = self.expected.len().min(EXPECTED_SHOWN);
            let more = if shown < self.expected.len() { " ..." } else { "" };
            write!(f, "\nexpected {}{more}", self.expected[..shown].join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for QueryError {}
