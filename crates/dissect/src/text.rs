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
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(bytes, &mut text);
    text
}

/// Appends the bytes in lower-case hexadecimal digits.
pub fn push_hex(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0xf] {
            text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
}

/// Appends a decimal number, without the cost of formatting machinery: fingerprints are long lists of them.
pub fn push_decimal(mut number: u16, text: &mut String) {
    let (mut digits, mut start) = ([0; 5], 5);
    loop {
        start -= 1;
        digits[start] = b"0123456789"[usize::from(number % 10)];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend(digits[start..].iter().copied().map(char::from));
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
        assert_eq!(hex(&[0x0a, 0xff]), "0aff");
        for number in [0, 7, 10, 100, 1_009, 65_535] {
            let mut text = String::new();
            push_decimal(number, &mut text);
            assert_eq!(text, number.to_string());
        }
    }

    #[test]
    fn base64_stops_at_its_end() {
        assert_eq!(base64(b"a2ltOnNlY3JldA=="), b"kim:secret");
        assert_eq!(base64(b"a2l!tOn"), b"ki");
        assert_eq!(base64(b"YQ"), b"a");
        assert_eq!(base64(b""), b"");
    }
}
