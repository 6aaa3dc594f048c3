//! Bytes of one side of a stream that do not make a whole message yet. Whole messages are read where they lie, in
//! the input; only what is left over is copied, so that usual traffic costs no copy.

/// The start of a message whose end has not come.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    held: Vec<u8>,
}

/// More bytes than allowed belong to one message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl Pending {
    /// Passes what is held and `data` as one slice to `consume`, which says how many bytes it has used up; the rest is
    /// held for the next call. Fails, and forgets, when more than `max` bytes would be held.
    pub(crate) fn feed(
        &mut self,
        data: &[u8],
        max: usize,
        mut consume: impl FnMut(&[u8]) -> usize,
    ) -> Result<(), Overflow> {
        if self.held.is_empty() {
            let used = consume(data).min(data.len());
            self.held.extend_from_slice(&data[used..]);
        } else {
            self.held.extend_from_slice(data);
            let used = consume(&self.held).min(self.held.len());
            self.held.drain(..used);
        }
        if self.held.is_empty() {
            // Flows live long after their last message: an empty buffer must not hold memory.
            self.held = Vec::new();
        }
        if self.held.len() > max {
            self.held = Vec::new();
            return Err(Overflow);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_cut_anywhere_come_whole() {
        let stream = b"ab.cde..f.";
        for cut in 0..stream.len() {
            let mut pending = Pending::default();
            let mut seen = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                let fed = pending.feed(part, 8, |bytes| {
                    let end = bytes
                        .iter()
                        .rposition(|&byte| byte == b'.')
                        .map_or(0, |at| at + 1);
                    seen.extend_from_slice(&bytes[..end]);
                    end
                });
                assert_eq!(fed, Ok(()));
            }
            assert_eq!(seen, stream);
        }
    }

    #[test]
    fn what_never_ends_is_forgotten() {
        let mut pending = Pending::default();
        assert_eq!(pending.feed(b"12345", 4, |_| 0), Err(Overflow));
        assert!(pending.held.is_empty());
    }
}
