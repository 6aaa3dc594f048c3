//! Keys of groups packed into words: numbers share a word where their widths allow it, texts become numbers of an
//! interner, addresses keep their two words, and one bit says whether there is a value. Columns are packed one after
//! another, so the kind of a column is looked at once per batch.

use std::borrow::Cow;
use std::collections::HashMap;

use weir_query::{Column, Kind, Scalar, Selection, Slice, greatest};

use super::SearchError;
use super::control::Control;
use super::distinct::hash;
use super::numbers::{Lookup, of_time, partial, to_time};
use super::plan::{Cut, Key, KeyValue};
use super::table::KEY_WORDS_MAX;

/// Texts and their numbers.
#[derive(Clone, Default)]
pub(super) struct Interner {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Interner {
    /// Number of the text; asks for the memory of a new one.
    pub(super) fn number(&mut self, text: &str, control: &Control) -> Result<u32, SearchError> {
        if let Some(number) = self.numbers.get(text) {
            return Ok(*number);
        }
        let number = u32::try_from(self.texts.len()).map_err(|_| SearchError::TooManyGroups)?;
        control.take(
            2 * text.len() + 64,
            "group by a column with fewer different texts, or narrow the filter",
        )?;
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        Ok(number)
    }

    fn text(&self, number: u64) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }
}

/// Gives texts numbers that fit their place in the key.
pub(super) trait TextNumbers {
    /// Equal for equal texts.
    fn number_of(&mut self, text: &str) -> Result<u64, SearchError>;
}

/// Numbers that an interner knows the text of again.
pub(super) struct Interned<'a> {
    pub interner: &'a mut Interner,
    pub control: &'a Control,
}

impl TextNumbers for Interned<'_> {
    fn number_of(&mut self, text: &str) -> Result<u64, SearchError> {
        self.interner.number(text, self.control).map(u64::from)
    }
}

/// Hashes: the same in every run and thread, without the way back.
pub(super) struct Hashed;

impl TextNumbers for Hashed {
    fn number_of(&mut self, text: &str) -> Result<u64, SearchError> {
        let words = text.as_bytes().chunks(8).map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        });
        let words: Vec<u64> = words.chain([text.len() as u64]).collect();
        Ok(hash(&words))
    }
}

/// Where each key lies in the words.
pub(super) struct Packing {
    parts: Vec<Part>,
    pub(super) words: usize,
    pub(super) either: bool,
}

struct Part {
    key: Key,
    word: usize,
    shift: u32,
    bits: u32,
    /// Bit of the last word that says the value is there.
    present: u32,
}

/// Values of transactions for rows of flows: which of them each row reads.
#[derive(Clone, Copy)]
pub(super) struct Nested<'a> {
    pub columns: &'a dyn Lookup,
    pub rows: &'a [u32],
}

/// Which side keys on both sides are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Src,
    Dst,
}

/// Bits of the number of a text: of an interner, or a hash.
const INTERNED_BITS: u32 = 32;
const HASHED_BITS: u32 = 64;

impl Packing {
    /// Keys whose texts an interner numbers.
    pub(super) fn new(keys: &[Key]) -> Result<Self, SearchError> {
        Self::with(keys, INTERNED_BITS)
    }

    /// Keys that are only compared: texts are hashed.
    pub(super) fn hashed(key: &Key) -> Result<Self, SearchError> {
        Self::with(std::slice::from_ref(key), HASHED_BITS)
    }

    fn with(keys: &[Key], text_bits: u32) -> Result<Self, SearchError> {
        let mut widths: Vec<(usize, u32)> = Vec::with_capacity(keys.len());
        for (at, key) in keys.iter().enumerate() {
            widths.push((at, bits(key, text_bits)?));
        }
        // Addresses first, then the widest: a simple filling that wastes little.
        widths.sort_by_key(|(_, bits)| std::cmp::Reverse(*bits));
        let mut free: Vec<u32> = Vec::new();
        let mut places = vec![(0_usize, 0_u32, 0_u32); keys.len()];
        for (at, bits) in widths {
            if bits == 128 {
                places[at] = (free.len(), 0, bits);
                free.extend([0, 0]);
                continue;
            }
            let word = free.iter().position(|left| *left >= bits).unwrap_or_else(|| {
                free.push(64);
                free.len() - 1
            });
            places[at] = (word, 64 - free[word], bits);
            free[word] -= bits;
        }
        let nulls = keys.len() as u32;
        if free.last().is_none_or(|left| *left < nulls) {
            free.push(64);
        }
        if free.len() > KEY_WORDS_MAX || keys.len() > 32 {
            return Err(SearchError::TooManyKeys);
        }
        let parts = keys.iter().zip(places).enumerate();
        Ok(Self {
            parts: parts
                .map(|(at, (key, (word, shift, bits)))| Part {
                    key: key.clone(),
                    word,
                    shift,
                    bits,
                    present: 63 - at as u32,
                })
                .collect(),
            words: free.len(),
            either: keys.iter().any(|key| matches!(key.value, KeyValue::Either(..))),
        })
    }

    /// Writes the keys of `rows`, one after another; those of transactions are read where `nested` says, row by row.
    pub(super) fn pack(
        &self,
        columns: &dyn Lookup,
        rows: &[u32],
        nested: Option<Nested<'_>>,
        side: Side,
        texts: &mut dyn TextNumbers,
        keys: &mut Vec<u64>,
    ) -> Result<(), SearchError> {
        keys.clear();
        keys.resize(rows.len() * self.words, 0);
        for part in &self.parts {
            let column = match (&part.key.value, side) {
                (KeyValue::Column(column), _)
                | (KeyValue::Either(column, _), Side::Src)
                | (KeyValue::Either(_, column), Side::Dst) => column,
            };
            let (columns, rows) = match nested.filter(|_| column.of_transactions_alone()) {
                Some(nested) => (nested.columns, nested.rows),
                None => (columns, rows),
            };
            part.pack(columns.slice(column.name), rows, texts, keys, self.words)?;
        }
        Ok(())
    }

    /// The values of a key.
    pub(super) fn unpack(&self, words: &[u64], interner: &Interner) -> Vec<Option<Scalar<'static>>> {
        let part = |part: &Part| part.unpack(words, interner);
        self.parts.iter().map(part).collect()
    }

    /// The column and the width when the only key is a span of time that begins on one side.
    pub(super) fn lone_span(&self) -> Option<(&'static str, i64)> {
        match self.parts.as_slice() {
            [part] => match (&part.key.value, part.key.cut) {
                (KeyValue::Column(column), Cut::Span(nanos)) => Some((column.name, nanos)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The key of the span that begins then, when spans are the only key.
    pub(super) fn span_key(&self, begin: i64) -> Vec<u64> {
        let mut key = vec![0; self.words];
        for part in &self.parts {
            key[part.word] = of_time(begin);
            key[self.words - 1] |= 1 << part.present;
        }
        key
    }

    /// Number of keys.
    pub(super) fn keys(&self) -> usize {
        self.parts.len()
    }

    /// Does any key have a value?
    pub(super) fn any_present(&self, words: &[u64]) -> bool {
        let present = self.parts.iter().fold(0, |bits, part| bits | 1 << part.present);
        words[self.words - 1] & present != 0
    }

    /// Is a key read from transactions?
    pub(super) fn nested(&self) -> bool {
        self.parts.iter().any(|part| part.key.of_transactions_alone())
    }

    /// Has any key that is read from transactions a value?
    pub(super) fn any_nested(&self, words: &[u64]) -> bool {
        let nested = self.parts.iter().filter(|part| part.key.of_transactions_alone());
        let present = nested.fold(0, |bits, part| bits | 1 << part.present);
        words[self.words - 1] & present != 0
    }

    /// The same key with the texts of another interner.
    pub(super) fn translate(
        &self,
        words: &mut [u64],
        from: &Interner,
        to: &mut Interner,
        control: &Control,
    ) -> Result<(), SearchError> {
        for part in &self.parts {
            let there = words[words.len() - 1] >> part.present & 1 == 1;
            if there && matches!(part.key.kind(), Kind::Text | Kind::Texts) {
                let old = words[part.word] >> part.shift & mask(part.bits);
                let new = u64::from(to.number(from.text(old), control)?);
                words[part.word] ^= (old ^ new) << part.shift;
            }
        }
        Ok(())
    }
}

fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits.clamp(1, 64))
}

fn bits(key: &Key, text_bits: u32) -> Result<u32, SearchError> {
    let column: Column = match key.value {
        KeyValue::Column(column) | KeyValue::Either(column, _) => column,
    };
    let refused = || SearchError::Field {
        name: key.name.clone(),
        reason: "cannot be cut this way",
    };
    match (column.kind, key.cut) {
        (Kind::Address, Cut::Whole) => Ok(128),
        (Kind::Address, Cut::Prefix { v4, v6 }) if v4 <= 32 && v6 <= 128 => Ok(128),
        (Kind::Time, Cut::Whole) => Ok(64),
        (Kind::Time, Cut::Span(nanos)) if nanos > 0 => Ok(64),
        (_, Cut::Prefix { .. } | Cut::Span(_)) => Err(refused()),
        (Kind::Text | Kind::Texts, Cut::Whole) => Ok(text_bits),
        (Kind::Flag, Cut::Whole) => Ok(1),
        (Kind::TcpFlags, Cut::Whole) => Ok(16),
        (Kind::Mac, Cut::Whole) => Ok(48),
        (Kind::Number(_), Cut::Whole) => Ok((64 - greatest(column.name).leading_zeros()).max(1)),
        (Kind::Rate(_), Cut::Whole) => Err(SearchError::Field {
            name: key.name.clone(),
            reason: "is computed and cannot be grouped by",
        }),
    }
}

impl Part {
    fn pack(
        &self,
        slice: Slice<'_>,
        rows: &[u32],
        numbers_of: &mut dyn TextNumbers,
        keys: &mut [u64],
        words: usize,
    ) -> Result<(), SearchError> {
        let (word, shift) = (self.word, self.shift);
        let places = Places {
            rows,
            words,
            present: 1 << self.present,
        };
        match slice {
            Slice::Missing => {}
            Slice::Numbers(values, valid) => {
                let most = mask(self.bits);
                places.fill(valid, keys, |row, key| {
                    key[word] |= values[row].min(most) << shift;
                });
            }
            Slice::Times(values, valid) => {
                let mut span = Spans::new(self.key.cut);
                places.fill(valid, keys, |row, key| {
                    key[word] = of_time(span.begin(values[row]));
                });
            }
            Slice::Addresses(values, valid) => {
                let (v4, v6) = prefixes(self.key.cut);
                places.fill(valid, keys, |row, key| {
                    let address = values[row] & if is_v4(values[row]) { v4 } else { v6 };
                    key[word] = (address >> 64) as u64;
                    key[word + 1] = address as u64;
                });
            }
            Slice::Texts(codes, texts, valid) => {
                let text = |code: usize| Cow::Borrowed(&*texts[code]);
                places.texts(codes, texts.len(), &text, valid, keys, (word, shift), numbers_of)?;
            }
            // A list is one value: its texts in their order.
            Slice::Lists(codes, lists, valid) => {
                let text = |code: usize| Cow::Owned(lists[code].join(", "));
                places.texts(codes, lists.len(), &text, valid, keys, (word, shift), numbers_of)?;
            }
        }
        Ok(())
    }

    fn unpack(&self, words: &[u64], interner: &Interner) -> Option<Scalar<'static>> {
        if words[words.len() - 1] >> self.present & 1 == 0 {
            return None;
        }
        let number = words[self.word] >> self.shift & mask(self.bits);
        Some(match self.key.kind() {
            Kind::Address => {
                Scalar::Address(u128::from(words[self.word]) << 64 | u128::from(words[self.word + 1]))
            }
            Kind::Time => Scalar::Time(to_time(words[self.word])),
            Kind::Text | Kind::Texts => Scalar::Text(interner.text(number).to_owned().into()),
            Kind::Flag => Scalar::Flag(number != 0),
            Kind::Mac => Scalar::Mac(number),
            Kind::Number(_) | Kind::Rate(_) | Kind::TcpFlags => Scalar::Number(number),
        })
    }
}

/// Where a column's values go.
struct Places<'a> {
    rows: &'a [u32],
    words: usize,
    present: u64,
}

impl Places<'_> {
    /// Lets `numbers_of` number the distinct texts that rows have, each once.
    #[expect(
        clippy::too_many_arguments,
        reason = "what a dictionary column is, used in one place"
    )]
    fn texts<'t>(
        &self,
        codes: &[u32],
        distinct: usize,
        text: &dyn Fn(usize) -> Cow<'t, str>,
        valid: &Selection,
        keys: &mut [u64],
        (word, shift): (usize, u32),
        numbers_of: &mut dyn TextNumbers,
    ) -> Result<(), SearchError> {
        let mut numbers: Vec<Option<u64>> = vec![None; distinct];
        let valid = partial(valid);
        let last = self.words - 1;
        for (row, key) in self.rows.iter().zip(keys.chunks_exact_mut(self.words)) {
            let row = *row as usize;
            if valid.is_none_or(|valid| valid.contains(row)) {
                let code = codes[row] as usize;
                let number = match numbers[code] {
                    Some(number) => number,
                    None => *numbers[code].insert(numbers_of.number_of(&text(code))?),
                };
                key[last] |= self.present;
                key[word] |= number << shift;
            }
        }
        Ok(())
    }

    /// Lets `write` fill the words of each row that has a value; absence leaves zeros.
    fn fill(&self, valid: &Selection, keys: &mut [u64], mut write: impl FnMut(usize, &mut [u64])) {
        let rows = self.rows.iter().zip(keys.chunks_exact_mut(self.words));
        let last = self.words - 1;
        match partial(valid) {
            None => {
                for (row, key) in rows {
                    key[last] |= self.present;
                    write(*row as usize, key);
                }
            }
            Some(valid) => {
                for (row, key) in rows.filter(|(row, _)| valid.contains(**row as usize)) {
                    key[last] |= self.present;
                    write(*row as usize, key);
                }
            }
        }
    }
}

const V4_IN_V6: u128 = 0xffff_0000_0000;

/// Is the address number one of IPv4?
pub(super) fn is_v4(address: u128) -> bool {
    address >> 32 == V4_IN_V6 >> 32
}

/// Masks for IPv4 in IPv6 and for IPv6.
fn prefixes(cut: Cut) -> (u128, u128) {
    let leading = |bits: u32| u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    match cut {
        Cut::Prefix { v4, v6 } => (leading(96 + u32::from(v4)), leading(v6.into())),
        Cut::Whole | Cut::Span(_) => (u128::MAX, u128::MAX),
    }
}

/// Beginnings of spans; the last one is remembered, because neighbours mostly share it.
pub(super) struct Spans {
    nanos: i64,
    begin: i64,
}

impl Spans {
    pub(super) fn new(cut: Cut) -> Self {
        match cut {
            Cut::Span(nanos) => Self { nanos, begin: 0 },
            Cut::Whole | Cut::Prefix { .. } => Self { nanos: 1, begin: 0 },
        }
    }

    pub(super) fn begin(&mut self, time: i64) -> i64 {
        if self.nanos == 1 {
            return time;
        }
        let into = time.wrapping_sub(self.begin);
        if into < 0 || into >= self.nanos || self.begin > time {
            self.begin = time.saturating_sub(time.rem_euclid(self.nanos));
        }
        self.begin
    }
}
