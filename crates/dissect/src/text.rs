//! Bounded text from hostile bytes: what text protocols share.

/// Longest text kept in a field, bytes; DNS names and URIs of real life fit.
pub const TEXT_MAX: usize = 512;

/// The bytes as text: invalid UTF-8 replaced, cut at [`TEXT_MAX`] bytes on a character border.
pub fn bounded(bytes: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_MAX)]);
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_on_a_character_border() {
        let long = "é".repeat(TEXT_MAX);
        assert!(bounded(long.as_bytes()).len() <= TEXT_MAX);
        assert_eq!(&*bounded(b"a\xffb"), "a\u{fffd}b");
    }
}
