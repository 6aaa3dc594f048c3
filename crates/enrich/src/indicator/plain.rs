//! Plain lists: one indicator a line, comments behind `#`, `;` or `//`, anything behind the first word passed over.

use super::{Entries, Entry, lines};

pub(super) fn read(bytes: &[u8], entries: &mut Entries<'_>) {
    for (number, line) in lines(bytes) {
        entries.at_line(number);
        match line {
            None => entries.fault("line too long"),
            Some(line) if is_comment(&line) => {}
            Some(line) => entries.text(&first(&line), &Entry::default()),
        }
    }
}

/// Nothing to read here: empty, or a comment.
pub(super) fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("//")
}

/// The indicator at the start of a line: its first word, or the three words of `1.2.3.4 - 1.2.3.9`.
fn first(line: &str) -> String {
    let mut words = line.split_whitespace();
    let word = words.next().unwrap_or_default();
    if words.next() == Some("-") {
        return format!("{word}-{}", words.next().unwrap_or_default());
    }
    // In a URL these signs mean something else.
    if word.contains("://") {
        return word.to_owned();
    }
    let end = word.find([';', ',', '#']).unwrap_or(word.len());
    word[..end].to_owned()
}
