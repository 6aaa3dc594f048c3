//! Unpacking of LZO1X, which nfdump packs blocks with. Our own because the crates at hand panic on broken input or link
//! a C library under another licence. The stream is a row of instructions: copy literals, or copy from what is unpacked.

use weir_wire::Cursor;

/// Distance of the instruction that ends a stream.
const FAR: usize = 16_384;
/// State after four or more literals.
const MANY: usize = 4;

/// Unpacks a stream; `None` when it is broken, has no end, or holds more than `bytes_max`.
pub(super) fn unpack(packed: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut at = Cursor::new(packed);
    let mut out = Vec::with_capacity(packed.len().saturating_mul(2).min(bytes_max));
    // Literals copied by the instruction before: what low codes mean depends on them.
    let mut state = 0;
    if let Some(first @ 18..) = packed.first().copied() {
        at.skip(1)?;
        let count = usize::from(first) - 17;
        literals(&mut at, &mut out, count, bytes_max)?;
        state = count.min(MANY);
    }
    loop {
        let code = usize::from(at.u8()?);
        let (length, distance, trailing) = match code {
            0..16 if state == 0 => {
                let count = 3 + length(&mut at, code, 15)?;
                literals(&mut at, &mut out, count, bytes_max)?;
                state = MANY;
                continue;
            }
            0..16 => {
                let near = (code >> 2) + (usize::from(at.u8()?) << 2) + 1;
                let (length, more) = if state == MANY { (3, 2_048) } else { (2, 0) };
                (length, near + more, code & 3)
            }
            16..32 => {
                let length = 2 + length(&mut at, code & 7, 7)?;
                let word = usize::from(at.u16_le()?);
                let distance = FAR + ((code & 8) << 11) + (word >> 2);
                if distance == FAR {
                    return Some(out);
                }
                (length, distance, word & 3)
            }
            32..64 => {
                let length = 2 + length(&mut at, code & 31, 31)?;
                let word = usize::from(at.u16_le()?);
                (length, (word >> 2) + 1, word & 3)
            }
            _ => {
                let distance = ((code >> 2) & 7) + (usize::from(at.u8()?) << 3) + 1;
                let length = if code < 128 {
                    3 + ((code >> 5) & 1)
                } else {
                    5 + ((code >> 5) & 3)
                };
                (length, distance, code & 3)
            }
        };
        again(&mut out, length, distance, bytes_max)?;
        literals(&mut at, &mut out, trailing, bytes_max)?;
        state = trailing;
    }
}

/// A length that stands in the code, or, when that is zero, behind it: `base`, 255 for each zero byte, and the byte that
/// ends them.
fn length(at: &mut Cursor<'_>, in_code: usize, base: usize) -> Option<usize> {
    if in_code > 0 {
        return Some(in_code);
    }
    let mut length = base;
    loop {
        match at.u8()? {
            0 => length = length.checked_add(255)?,
            last => return length.checked_add(last.into()),
        }
    }
}

fn literals(at: &mut Cursor<'_>, out: &mut Vec<u8>, count: usize, bytes_max: usize) -> Option<()> {
    (out.len().checked_add(count)? <= bytes_max).then_some(())?;
    out.extend_from_slice(at.take(count)?);
    Some(())
}

/// Copies from what is unpacked already; the copy may run into itself, which repeats it.
fn again(out: &mut Vec<u8>, length: usize, distance: usize, bytes_max: usize) -> Option<()> {
    (out.len().checked_add(length)? <= bytes_max).then_some(())?;
    let from = out.len().checked_sub(distance)?;
    for place in from..from + length {
        let byte = *out.get(place)?;
        out.push(byte);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_copies_and_the_end() {
        // Four literals, then ten bytes from four back (an M3 copy), then the end.
        let packed = [21, b'a', b'b', b'c', b'd', 32 | 8, 3 << 2, 0, 17, 0, 0];
        assert_eq!(unpack(&packed, 100).as_deref(), Some(&b"abcdabcdabcdab"[..]));
        assert_eq!(unpack(&packed, 13), None, "more than there is room for");
        assert_eq!(unpack(&packed[..8], 100), None, "no end");
        assert_eq!(
            unpack(&[21, 1, 2, 3, 4, 32 | 8, 4 << 2, 0, 17, 0, 0], 100),
            None,
            "from before the start"
        );
    }
}
