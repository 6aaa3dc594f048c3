//! Domain names (RFC 1035 3.1, 4.1.4): labels with compression, as text. Names are lower-cased, because resolvers
//! randomise case against spoofing; bytes that do not print are written `\DDD` (RFC 4343), so a name never lies.

/// Longest name on the wire, bytes (RFC 1035 2.3.4); its text is at most four times as long.
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// Compression pointers followed in one name; real messages use one or two.
const POINTERS_MAX: usize = 32;

/// Appends the name at `at` to `text` and returns the position behind it. None when the name is cut, too long, or
/// its pointers do not lead back.
pub(crate) fn read(message: &[u8], at: usize, text: &mut String) -> Option<usize> {
    let start = text.len();
    let (mut at, mut behind) = (at, None);
    let (mut bytes, mut pointers) = (1, 0);
    loop {
        let head = *message.get(at)?;
        match head >> 6 {
            0 if head == 0 => break,
            0 => {
                let end = at + 1 + usize::from(head);
                let label = message.get(at + 1..end)?;
                bytes += 1 + label.len();
                if bytes > NAME_BYTES_MAX {
                    return None;
                }
                if text.len() > start {
                    text.push('.');
                }
                push_label(label, text);
                at = end;
            }
            3 => {
                let target = usize::from(head & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                pointers += 1;
                // Only backwards: a name cannot contain itself, and the walk ends.
                if target >= at || pointers > POINTERS_MAX {
                    return None;
                }
                behind.get_or_insert(at + 2);
                at = target;
            }
            _ => return None,
        }
    }
    if text.len() == start {
        text.push('.');
    }
    Some(behind.unwrap_or(at + 1))
}

/// Position behind the name at `at`, without following pointers.
pub(crate) fn skip(message: &[u8], mut at: usize) -> Option<usize> {
    let start = at;
    loop {
        let head = *message.get(at)?;
        match head >> 6 {
            0 if head == 0 => return Some(at + 1),
            0 if at - start <= NAME_BYTES_MAX => at += 1 + usize::from(head),
            3 => return message.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
    }
}

fn push_label(label: &[u8], text: &mut String) {
    for &byte in label {
        match byte {
            b'.' | b'\\' => push_escaped(byte, text),
            0x21..=0x7e => text.push(byte.to_ascii_lowercase().into()),
            _ => push_escaped(byte, text),
        }
    }
}

fn push_escaped(byte: u8, text: &mut String) {
    text.push('\\');
    for digit in [byte / 100, byte / 10 % 10, byte % 10] {
        text.push((b'0' + digit).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &[u8], at: usize, expected: Option<(&str, usize)>) {
        let mut text = String::new();
        let behind = read(message, at, &mut text);
        assert_eq!(behind.map(|behind| (text.as_str(), behind)), expected);
    }

    #[test]
    fn plain_compressed_and_root() {
        let message = b"\x03WWW\x07example\x00\x04mail\xc0\x04";
        check(message, 0, Some(("www.example", 13)));
        check(message, 13, Some(("mail.example", 20)));
        check(message, 12, Some((".", 13)));
        assert_eq!(skip(message, 13), Some(20));
    }

    #[test]
    fn hostile_labels_are_escaped() {
        check(b"\x05a.b\x00\xff\x00", 0, Some(("a\\046b\\000\\255", 7)));
    }

    #[test]
    fn loops_and_cuts_are_refused() {
        check(b"\xc0\x00", 0, None);
        check(b"\x01a\xc0\x00", 0, None);
        check(b"\x01a\xc0\x05\x00", 0, None);
        check(b"\x05ab", 0, None);
        check(b"\x80ab", 0, None);
        let long: Vec<u8> = [b"\x0fabcdefghijklmno".as_slice(); 16].concat();
        check(&long, 0, None);
        assert_eq!(skip(&long, 0), None);
    }
}
