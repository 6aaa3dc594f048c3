//! Elements that no table names, kept as they came: `e<enterprise>id<number>=<bytes in hexadecimal>`, a blank between two.
//! Text, because whoever meets one wants to read it, and because every output can carry text.

use std::fmt::Write;

use super::Field;
use super::elements;

/// Characters kept of one record: some 250 bytes of values. Records with more are rare, and what is cut is counted.
pub(super) const CHARS_MAX: usize = 512;

/// The text of one record, at the end of what is written for others.
pub(super) struct Text<'a> {
    all: &'a mut String,
    start: usize,
    /// Values that did not fit.
    pub(super) cut: u64,
}

impl<'a> Text<'a> {
    pub(super) fn begin(all: &'a mut String) -> Self {
        let start = all.len();
        Self { all, start, cut: 0 }
    }

    /// Adds a value, whole or not at all.
    pub(super) fn add(&mut self, field: &Field, value: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let before = self.all.len();
        if before > self.start {
            self.all.push(' ');
        }
        // Writing to a string cannot fail.
        let _ = write!(self.all, "{}=", elements::name(field.pen, field.id));
        if self.all.len() - self.start + value.len() * 2 > CHARS_MAX {
            self.all.truncate(before);
            self.cut += 1;
            return;
        }
        for byte in value {
            for nibble in [byte >> 4, byte & 0xf] {
                self.all.push(DIGITS[usize::from(nibble)].into());
            }
        }
    }

    /// Where it stands.
    pub(super) fn part(&self) -> (u32, u32) {
        (self.start as u32, self.all.len() as u32)
    }
}
