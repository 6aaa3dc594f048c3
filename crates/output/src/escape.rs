//! Text from traffic made safe to show: what moves a terminal's cursor or turns writing direction is spelled out.
//! Names in traffic are chosen by attackers, and a terminal obeys what it is shown.

use std::borrow::Cow;

/// The text with control, bidirectional and invisible characters as `\u{..}`. Borrowed when there is nothing to do.
pub fn shown(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| !is_tricky(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_tricky(c) {
            safe.extend(c.escape_unicode())
        } else {
            safe.push(c)
        }
    }
    Cow::Owned(safe)
}

fn is_tricky(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_stay_in_hand() {
        assert_eq!(shown("plain ünïcode"), "plain ünïcode");
        assert_eq!(shown("a\x1b[31mb\u{202e}c\n"), "a\\u{1b}[31mb\\u{202e}c\\u{a}");
    }
}
