//! Prefixes of one address family, sorted, each knowing the next wider one that holds it: an address finds all prefixes
//! around it with one search, in memory that grows with the number of prefixes alone.

/// No row.
const NONE: u32 = u32::MAX;

/// An address as a number.
pub(super) trait Bits: Copy + Ord {
    const LEN: u8;
    /// The address with all but its first `len` bits set to one.
    fn last(self, len: u8) -> Self;
    /// The first sixteen bits.
    fn block(self) -> u16;
}

impl Bits for u32 {
    const LEN: u8 = 32;
    fn last(self, len: u8) -> Self {
        self | Self::MAX.checked_shr(len.into()).unwrap_or(0)
    }
    fn block(self) -> u16 {
        (self >> 16) as u16
    }
}

impl Bits for u128 {
    const LEN: u8 = 128;
    fn last(self, len: u8) -> Self {
        self | Self::MAX.checked_shr(len.into()).unwrap_or(0)
    }
    fn block(self) -> u16 {
        (self >> 112) as u16
    }
}

#[derive(Clone, Copy, Debug)]
struct Row<N> {
    start: N,
    len: u8,
    parent: u32,
    meta: u32,
}

/// The table; immutable once built.
#[derive(Debug)]
pub(super) struct Prefixes<N> {
    rows: Vec<Row<N>>,
    /// Which /16 hold anything at all: most addresses are refused by this one look.
    blocks: Box<[u64; 1024]>,
}

impl<N: Bits> Prefixes<N> {
    /// From prefixes (first address, length) with what is kept of them; the same prefix may come several times.
    pub(super) fn new(prefixes: impl IntoIterator<Item = (N, u8, u32)>) -> Self {
        let mut rows: Vec<Row<N>> = prefixes
            .into_iter()
            .map(|(start, len, meta)| Row {
                start,
                len: len.min(N::LEN),
                parent: NONE,
                meta,
            })
            .collect();
        rows.sort_by_key(|row| (row.start, row.len));
        let mut blocks = Box::new([0_u64; 1024]);
        let mut around: Vec<u32> = Vec::new();
        for at in 0..rows.len() {
            let Row { start, len, .. } = rows[at];
            for block in start.block()..=start.last(len).block() {
                blocks[usize::from(block >> 6)] |= 1 << (block & 63);
            }
            while let Some(&wider) = around.last()
                && rows[wider as usize].start.last(rows[wider as usize].len) < start
            {
                around.pop();
            }
            rows[at].parent = around.last().copied().unwrap_or(NONE);
            around.push(at as u32);
        }
        rows.shrink_to_fit();
        Self { rows, blocks }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What is kept of every prefix that holds the address, the narrowest first.
    pub(super) fn around(&self, address: N) -> impl Iterator<Item = (N, u8, u32)> + '_ {
        let block = address.block();
        let somewhere = self.blocks[usize::from(block >> 6)] & 1 << (block & 63) != 0;
        // Prefixes nest or lie apart, so every prefix around the address is the last that starts at or before it, or
        // one of those around that one.
        let above = if somewhere {
            self.rows.partition_point(|row| row.start <= address)
        } else {
            0
        };
        let mut at = above.checked_sub(1).map_or(NONE, |at| at as u32);
        std::iter::from_fn(move || {
            loop {
                let row = self.rows.get(at as usize)?;
                at = row.parent;
                if row.start.last(row.len) >= address {
                    return Some((row.start, row.len, row.meta));
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list that is looked through.
        #[test]
        fn agrees_with_a_list(
            prefixes in proptest::collection::vec((0_u32..0x0400, 8_u8..=32), 0..60),
            addresses in proptest::collection::vec(any::<u32>(), 1..50),
        ) {
            // Few bits in few places, so that prefixes nest and repeat.
            let spread = |few: u32| few << 22 | few & 0x3ff;
            let nets: Vec<(u32, u8, u32)> = (0..)
                .zip(&prefixes)
                .map(|(meta, &(few, len))| (spread(few) & !u32::MAX.checked_shr(len.into()).unwrap_or(0), len, meta))
                .collect();
            let table = Prefixes::new(nets.iter().copied());
            let near = prefixes.iter().map(|&(few, _)| spread(few));
            for address in addresses.iter().copied().chain(near) {
                let mut wanted: Vec<u32> = nets
                    .iter()
                    .filter(|(start, len, _)| *start <= address && address <= start.last(*len))
                    .map(|(_, _, meta)| *meta)
                    .collect();
                let mut found: Vec<u32> = table.around(address).map(|(_, _, meta)| meta).collect();
                wanted.sort_unstable();
                found.sort_unstable();
                prop_assert_eq!(found, wanted);
            }
        }
    }

    #[test]
    fn edges_of_the_address_space() {
        let table = Prefixes::new([(u128::MAX, 128, 1), (0xffff << 112, 16, 2), (0, 16, 3)]);
        let of = |address| table.around(address).map(|(_, _, meta)| meta).collect::<Vec<_>>();
        assert_eq!(of(u128::MAX), [1, 2]);
        assert_eq!(of(0), [3]);
        assert!(of(1 << 112).is_empty());
        assert!(Prefixes::<u32>::new([]).around(7).next().is_none());
    }
}
