//! Checked little-endian reads at an offset: how Microsoft's protocols are laid out, where fields point at each other.
//! A read beyond the bytes is `None`; nothing here panics or trusts a length.

use crate::text::TEXT_MAX;

/// `len` bytes at `at`.
pub(crate) fn bytes(data: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    data.get(at..at.checked_add(len)?)
}

/// One byte at `at`.
pub(crate) fn u8(data: &[u8], at: usize) -> Option<u8> {
    data.get(at).copied()
}

/// Two bytes at `at`.
pub(crate) fn u16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes(data, at, 2)?.try_into().ok()?))
}

/// Four bytes at `at`.
pub(crate) fn u32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes(data, at, 4)?.try_into().ok()?))
}

/// Eight bytes at `at`.
pub(crate) fn u64(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes(data, at, 8)?.try_into().ok()?))
}

/// Sixteen bytes at `at`.
pub(crate) fn u128(data: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_le_bytes(bytes(data, at, 16)?.try_into().ok()?))
}

/// UTF-16 text up to its first NUL, at most [`TEXT_MAX`] bytes of UTF-8; unpaired surrogates are replaced.
pub(crate) fn utf16(data: &[u8]) -> Box<str> {
    let units = data
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .take_while(|&unit| unit != 0);
    let mut text = String::new();
    for decoded in char::decode_utf16(units) {
        let letter = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
        if text.len() + letter.len_utf8() > TEXT_MAX {
            break;
        }
        text.push(letter);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_end_at_the_end() {
        assert_eq!(u16(&[1, 2, 3], 1), Some(0x0302));
        assert_eq!(u16(&[1, 2, 3], 2), None);
        assert_eq!(u32(&[1, 2, 3], usize::MAX), None);
    }

    #[test]
    fn text_stops_at_nul_and_limit() {
        assert_eq!(&*utf16(b"a\0\xe9\0\0\0b\0"), "aé");
        assert_eq!(utf16(&b"x\0".repeat(2000)).len(), TEXT_MAX);
    }
}
