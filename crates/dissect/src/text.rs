//! Bounded text from hostile bytes: what text protocols share.
//! Nothing here trusts an encoding: what is not valid is replaced or ends the reading.

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

/// The bytes in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> Box<str> {
    let mut digits = Ascii::with_capacity(2 * bytes.len());
    digits.push_hex(bytes);
    digits.text()
}

/// ASCII text that grows by numbers: fingerprints are long lists of them, and formatting machinery would cost more than
/// all the rest of a handshake.
pub struct Ascii(Vec<u8>);

impl Ascii {
    /// An empty text with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends a character; what is not ASCII becomes a question mark.
    pub fn push(&mut self, byte: u8) {
        self.0.push(if byte.is_ascii() { byte } else { b'?' });
    }

    /// Appends ASCII text.
    pub fn push_text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.push(byte));
    }

    /// Appends what another text has from this byte on.
    pub fn push_from(&mut self, other: &Self, start: usize) {
        self.0.extend_from_slice(other.0.get(start..).unwrap_or_default());
    }

    /// Appends bytes as lower-case hexadecimal digits.
    pub fn push_hex(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in bytes {
            let pair = [byte >> 4, byte & 0xf].map(|nibble| DIGITS[usize::from(nibble)]);
            self.0.extend_from_slice(&pair);
        }
    }

    /// Appends a decimal number.
    pub fn push_decimal(&mut self, number: u16) {
        let count = match number {
            0..10 => 1,
            10..100 => 2,
            100..1000 => 3,
            1000..10_000 => 4,
            _ => 5,
        };
        let (mut digits, mut rest) = ([0; 5], number);
        for digit in digits[..count].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        // All five at once, then cut: cheaper than a copy of unknown length.
        let end = self.0.len() + count;
        self.0.extend_from_slice(&digits);
        self.0.truncate(end);
    }

    /// The text, in as many bytes as it has.
    pub fn text(&self) -> Box<str> {
        String::from_utf8_lossy(&self.0).into()
    }
}

/// Decodes base64 (RFC 4648, either alphabet) up to the first byte that is none of it; an incomplete byte at the end
/// is left out. Own code, because a library would refuse the whole of what is cut or followed by something else.
pub fn base64(encoded: &[u8]) -> Vec<u8> {
    let (mut bits, mut count, mut decoded) = (0u32, 0, Vec::with_capacity(encoded.len() / 4 * 3));
    for &symbol in encoded {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = (bits << 6 | u32::from(value)) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            decoded.push(byte);
        }
    }
    decoded
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

    #[test]
    fn digits() {
        assert_eq!(&*hex(&[0x0a, 0xff]), "0aff");
        for number in [0, 7, 10, 99, 100, 999, 1_000, 1_009, 9_999, 10_000, 65_535] {
            let mut text = Ascii::with_capacity(0);
            text.push_decimal(number);
            assert_eq!(*text.text(), number.to_string());
        }
        let mut text = Ascii::with_capacity(0);
        text.push_text("aé");
        assert_eq!(&*text.text(), "a??");
    }

    #[test]
    fn base64_stops_at_its_end() {
        assert_eq!(base64(b"a2ltOnNlY3JldA=="), b"kim:secret");
        assert_eq!(base64(b"a2l!tOn"), b"ki");
        assert_eq!(base64(b"YQ"), b"a");
        assert_eq!(base64(b""), b"");
    }
}
