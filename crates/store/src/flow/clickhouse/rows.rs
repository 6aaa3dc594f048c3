//! ClickHouse's RowBinary: values of a row one after another, little-endian, a byte before each that may be missing.

/// Writes values behind each other.
#[derive(Debug)]
pub(super) struct Row<'a>(pub(super) &'a mut Vec<u8>);

impl Row<'_> {
    /// The mark of a value that may be missing; tells whether it is there.
    pub(super) fn mark(&mut self, there: bool) -> bool {
        self.0.push(u8::from(!there));
        there
    }

    /// The low `bytes` bytes of a number.
    pub(super) fn number(&mut self, number: u64, bytes: usize) {
        self.0.extend_from_slice(&number.to_le_bytes()[..bytes]);
    }

    /// IPv6, in the order of the network.
    pub(super) fn address(&mut self, address: u128) {
        self.0.extend_from_slice(&address.to_be_bytes());
    }

    /// A text behind its length.
    pub(super) fn text(&mut self, text: &str) {
        let mut length = text.len();
        while length >= 0x80 {
            self.0.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.0.push(length as u8);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Reads them back. Every reader gives `None` where the bytes end early.
#[derive(Debug)]
pub(in crate::flow) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(in crate::flow) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(in crate::flow) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// Is a value there?
    pub(in crate::flow) fn mark(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(true),
            [1] => Some(false),
            _ => None,
        }
    }

    pub(in crate::flow) fn number(&mut self, bytes: usize) -> Option<u64> {
        let mut wide = [0; 8];
        wide.get_mut(..bytes)?.copy_from_slice(self.take(bytes)?);
        Some(u64::from_le_bytes(wide))
    }

    pub(in crate::flow) fn address(&mut self) -> Option<u128> {
        Some(u128::from_be_bytes(self.take(16)?.try_into().ok()?))
    }

    pub(in crate::flow) fn text(&mut self) -> Option<&'a str> {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = *self.take(1)?.first()?;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                break;
            }
            shift += 7;
            if shift > 56 {
                return None;
            }
        }
        std::str::from_utf8(self.take(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let mut bytes = Vec::new();
        let mut row = Row(&mut bytes);
        let long = "x".repeat(300);
        row.number(0x0102, 2);
        row.mark(true);
        row.number(u64::MAX, 8);
        row.mark(false);
        row.address(7);
        row.text("");
        row.text(&long);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.number(2), Some(0x0102));
        assert_eq!((reader.mark(), reader.number(8)), (Some(true), Some(u64::MAX)));
        assert_eq!((reader.mark(), reader.address()), (Some(false), Some(7)));
        assert_eq!((reader.text(), reader.text()), (Some(""), Some(long.as_str())));
        assert!(reader.is_empty());
        assert_eq!(
            (reader.mark(), reader.number(1), reader.text()),
            (None, None, None)
        );
    }

    #[test]
    fn lengths_that_are_none() {
        for bytes in [&[0xff; 12][..], &[0x05, b'a'], &[0x80]] {
            assert_eq!(Reader::new(bytes).text(), None);
        }
        assert_eq!(Reader::new(&[9]).mark(), None);
        assert_eq!(Reader::new(&[0; 20]).number(9), None);
    }
}
