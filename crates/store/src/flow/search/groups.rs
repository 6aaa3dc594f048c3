//! Grouping: each thread folds rows into a table of its own, the tables become one, and the lines asked for are picked.
//! Which lines and in which order follows from values alone: equal figures are told apart by their keys.

use std::cmp::Ordering;

use weir_query::{Columns, Scalar, Slice};

use super::SearchError;
use super::answer::{AnswerColumn, Table as Lines};
use super::control::Control;
use super::figures::{Buffers, Figures, Rows, Sketches};
use super::keys::{Interned, Interner, Nested, Packing, Side};
use super::numbers::of_time;
use super::plan::{Groups, Key};
use super::related::Spread;
use super::scan::{Chunk, Fold};
use super::spans::KnownSpans;
use super::table::Table;

const FIX_LINES: &str = "ask for fewer lines with a limit, or raise the memory limit";

/// A grouping, compiled.
pub(super) struct Grouping {
    packing: Packing,
    pub(super) figures: Figures,
    columns: Vec<AnswerColumn>,
    ranks: Option<Ranks>,
}

/// Groups known before, by their rank, and the span of time a row falls into.
pub(super) struct Ranks {
    keys: Table,
    span: Packing,
    /// Numbers of texts in `keys`.
    interner: Interner,
}

/// Words of a key of rank and span.
const RANKED_WORDS: usize = 2;

impl Grouping {
    pub(super) fn new(groups: &Groups) -> Result<Self, SearchError> {
        let figures = Figures::new(&groups.measures)?;
        let keys = groups.keys.iter().map(|key| AnswerColumn {
            name: key.name.clone(),
            kind: key.kind(),
        });
        let measures = groups
            .measures
            .iter()
            .enumerate()
            .map(|(at, measure)| AnswerColumn {
                name: measure.name.clone(),
                kind: figures.kind(at),
            });
        Ok(Self {
            packing: Packing::new(&groups.keys)?,
            columns: keys.chain(measures).collect(),
            figures,
            ranks: None,
        })
    }

    /// Columns of the answer: keys, then measures.
    pub(super) fn columns(&self) -> &[AnswerColumn] {
        &self.columns
    }

    /// Groups by rank and span instead of by key.
    pub(super) fn ranked(self, ranks: Ranks) -> Self {
        Self {
            ranks: Some(ranks),
            ..self
        }
    }

    /// The moment and the width when rows are grouped by spans of time and nothing else.
    fn lone_span(&self) -> Option<(&'static str, i64)> {
        self.packing.lone_span().filter(|_| self.ranks.is_none())
    }

    fn words(&self) -> usize {
        match self.ranks {
            Some(_) => RANKED_WORDS,
            None => self.packing.words,
        }
    }

    /// An empty fold.
    pub(super) fn fold(&self) -> GroupFold<'_> {
        GroupFold {
            grouping: self,
            table: Table::new(self.words(), self.figures.fresh()),
            sketches: Sketches::default(),
            interner: self
                .ranks
                .as_ref()
                .map_or_else(Interner::default, |ranks| ranks.interner.clone()),
            known_spans: self.lone_span().map(|(_, nanos)| KnownSpans::new(nanos)),
            buffers: Buffers::default(),
            keys: Vec::new(),
            first_side: Vec::new(),
            spans: Vec::new(),
            rows: Vec::new(),
            spread: Spread::default(),
            groups: Vec::new(),
        }
    }

    /// All folds as one.
    pub(super) fn join<'a>(
        &'a self,
        folds: Vec<GroupFold<'a>>,
        control: &Control,
    ) -> Result<GroupFold<'a>, SearchError> {
        let mut folds = folds.into_iter();
        let mut whole = folds.next().unwrap_or_else(|| self.fold());
        let mut group = Vec::new();
        for other in folds {
            for at in 0..other.table.groups() {
                control.check()?;
                let mut key = other.table.key(at).to_vec();
                if self.ranks.is_none() {
                    self.packing
                        .translate(&mut key, &other.interner, &mut whole.interner, control)?;
                }
                whole.table.find_all(&key, &mut group, control)?;
                let own = group.first().map_or(0, |group| *group as usize);
                let theirs = (other.table.figures(at), &other.sketches);
                self.figures
                    .merge(&mut whole.table, own, &mut whole.sketches, theirs, control)?;
            }
            control.give_back(other.table.bytes() + other.sketches.bytes);
        }
        Ok(whole)
    }

    /// The ranks of these groups of a fold, in this order.
    pub(super) fn ranks(
        &self,
        whole: GroupFold<'_>,
        picked: &[u32],
        span: &Key,
        control: &Control,
    ) -> Result<Ranks, SearchError> {
        let mut keys = Table::new(self.packing.words, Vec::new());
        for group in picked {
            keys.find_all(whole.table.key(*group as usize), &mut Vec::new(), control)?;
        }
        control.give_back(whole.table.bytes() + whole.sketches.bytes);
        Ok(Ranks {
            keys,
            span: Packing::new(std::slice::from_ref(span))?,
            interner: whole.interner,
        })
    }

    /// The groups that come first by `order` (a measure, greatest first) or by key, at most `limit`.
    pub(super) fn pick(
        &self,
        whole: &GroupFold<'_>,
        groups: &Groups,
        control: &Control,
    ) -> Result<Vec<u32>, SearchError> {
        let all = whole.table.groups();
        let limit = groups.limit.unwrap_or(all).min(all);
        control.take(all * size_of::<(u8, u64, u32)>(), FIX_LINES)?;
        let weight = |group: usize| match groups.order {
            Some(measure) => weight(&self.figures.value(
                measure,
                whole.table.figures(group),
                &whole.sketches,
            )),
            None => (0, 0),
        };
        let mut weighed: Vec<((u8, u64), u32)> =
            (0..all).map(|group| (weight(group), group as u32)).collect();
        if limit < all && limit > 0 && groups.order.is_some() {
            // Everything as heavy as the last one wanted stays, so that keys decide between equals.
            let (_, (last, _), _) = weighed.select_nth_unstable_by(limit - 1, |a, b| b.0.cmp(&a.0));
            let last = *last;
            weighed.retain(|(weight, _)| *weight >= last);
        }
        control.check()?;
        let width = self.packing.words.max(1) * 2 * size_of::<Option<Scalar<'_>>>();
        control.take(weighed.len() * width, FIX_LINES)?;
        let mut named: Vec<_> = weighed
            .into_iter()
            .map(|(weight, group)| (weight, self.key(whole, group as usize), group))
            .collect();
        named.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| cells(&a.1, &b.1)));
        named.truncate(limit);
        Ok(named.into_iter().map(|(_, _, group)| group).collect())
    }

    fn key(&self, whole: &GroupFold<'_>, group: usize) -> Vec<Option<Scalar<'static>>> {
        self.packing.unpack(whole.table.key(group), &whole.interner)
    }

    fn values(&self, whole: &GroupFold<'_>, group: usize) -> Vec<Option<Scalar<'static>>> {
        let words = whole.table.figures(group);
        let measures = 0..self.columns.len() - self.packing.keys();
        measures
            .map(|at| self.figures.value(at, words, &whole.sketches))
            .collect()
    }

    /// Lines of these groups.
    pub(super) fn lines(
        &self,
        whole: &GroupFold<'_>,
        picked: &[u32],
        control: &Control,
    ) -> Result<Lines, SearchError> {
        control.take(
            picked.len() * self.columns.len() * size_of::<Option<Scalar<'_>>>(),
            FIX_LINES,
        )?;
        let line = |group: &u32| {
            let group = *group as usize;
            let mut line = self.key(whole, group);
            line.extend(self.values(whole, group));
            line
        };
        Ok(Lines {
            columns: self.columns.clone(),
            rows: picked.iter().map(line).collect(),
            groups: whole.table.groups() as u64,
            rest: Vec::new(),
        })
    }

    /// Lines by span and rank; the group of all others has no key.
    pub(super) fn ranked_lines(
        &self,
        whole: &GroupFold<'_>,
        span: &Key,
        control: &Control,
    ) -> Result<Lines, SearchError> {
        let Some(ranks) = &self.ranks else {
            return Ok(Lines::default());
        };
        let mut columns = vec![AnswerColumn {
            name: span.name.clone(),
            kind: span.kind(),
        }];
        columns.extend(self.columns.iter().cloned());
        let all = whole.table.groups();
        control.take(all * columns.len() * size_of::<Option<Scalar<'_>>>(), FIX_LINES)?;
        let mut order: Vec<u32> = (0..all as u32).collect();
        order.sort_unstable_by_key(|group| {
            let key = whole.table.key(*group as usize);
            (key[0], key[1])
        });
        let mut rest = Vec::new();
        let rows = order.into_iter().enumerate().map(|(at, group)| {
            let group = group as usize;
            let [begin, rank] = [0, 1].map(|word| whole.table.key(group)[word]);
            let rank = rank as usize;
            let mut line = vec![Some(Scalar::Time(super::numbers::to_time(begin)))];
            if rank < ranks.keys.groups() {
                line.extend(self.packing.unpack(ranks.keys.key(rank), &whole.interner));
            } else {
                rest.push(at);
                line.extend(std::iter::repeat_n(None, self.packing.keys()));
            }
            line.extend(self.values(whole, group));
            line
        });
        Ok(Lines {
            columns,
            rows: rows.collect(),
            groups: ranks.keys.groups() as u64,
            rest,
        })
    }
}

/// A thread's groups.
pub(super) struct GroupFold<'a> {
    grouping: &'a Grouping,
    pub(super) table: Table,
    sketches: Sketches,
    interner: Interner,
    known_spans: Option<KnownSpans>,
    buffers: Buffers,
    keys: Vec<u64>,
    first_side: Vec<u64>,
    spans: Vec<u64>,
    rows: Vec<u32>,
    spread: Spread,
    groups: Vec<u32>,
}

impl Fold for GroupFold<'_> {
    fn fold<C: Columns>(&mut self, chunk: &Chunk<'_, C>, control: &Control) -> Result<(), SearchError> {
        if self.spans_known(chunk.columns, chunk.rows, control)? {
            return self.figures(chunk, chunk.rows, control);
        }
        self.side(chunk, Side::Src, control)?;
        if self.grouping.packing.either {
            self.side(chunk, Side::Dst, control)?;
        }
        Ok(())
    }
}

impl GroupFold<'_> {
    fn side<C: Columns>(
        &mut self,
        chunk: &Chunk<'_, C>,
        side: Side,
        control: &Control,
    ) -> Result<(), SearchError> {
        let packing = &self.grouping.packing;
        let mut spread = std::mem::take(&mut self.spread);
        let mut left = std::mem::take(&mut self.rows);
        let told = chunk.told.filter(|_| packing.nested());
        let mut texts = Interned {
            interner: &mut self.interner,
            control,
        };
        let rows = if let Some(told) = told {
            told.spread(chunk.rows, &mut spread, control)?;
            let nested = Some(Nested {
                columns: told.related,
                rows: &spread.values,
            });
            packing.pack(
                chunk.columns,
                &spread.rows,
                nested,
                side,
                &mut texts,
                &mut self.keys,
            )?;
            spread.leave_each_once(&mut self.keys, packing);
            &spread.rows
        } else {
            packing.pack(chunk.columns, chunk.rows, None, side, &mut texts, &mut self.keys)?;
            match side {
                Side::Src => {
                    if packing.either {
                        self.first_side.clone_from(&self.keys);
                    }
                    chunk.rows
                }
                Side::Dst => {
                    drop_same(
                        chunk.rows,
                        &self.first_side,
                        &mut self.keys,
                        &mut left,
                        packing.words,
                    );
                    left.as_slice()
                }
            }
        };
        self.rank(chunk.columns, rows, control)?;
        self.table.find_all(&self.keys, &mut self.groups, control)?;
        self.figures(chunk, rows, control)?;
        (self.spread, self.rows) = (spread, left);
        Ok(())
    }

    /// Puts span and rank in the place of keys whose ranks are known.
    fn rank<C: Columns>(&mut self, columns: &C, rows: &[u32], control: &Control) -> Result<(), SearchError> {
        let Some(ranks) = &self.grouping.ranks else {
            return Ok(());
        };
        let mut texts = Interned {
            interner: &mut self.interner,
            control,
        };
        ranks
            .span
            .pack(columns, rows, None, Side::Src, &mut texts, &mut self.spans)?;
        let spans = self.spans.chunks_exact(ranks.span.words);
        let others = ranks.keys.groups() as u64;
        let ranked = spans
            .zip(self.keys.chunks_exact(self.grouping.packing.words))
            .flat_map(|(span, key)| [span[0], ranks.keys.get(key).map_or(others, u64::from)]);
        self.keys = ranked.collect();
        Ok(())
    }

    /// Finds the groups of these rows by their spans alone, when that is all they are grouped by.
    fn spans_known<C: Columns>(
        &mut self,
        columns: &C,
        rows: &[u32],
        control: &Control,
    ) -> Result<bool, SearchError> {
        let (Some(known), Some((name, _))) = (&mut self.known_spans, self.grouping.lone_span()) else {
            return Ok(false);
        };
        let Slice::Times(times, valid) = columns.column(name) else {
            return Ok(false);
        };
        if !valid.is_all() {
            return Ok(false);
        }
        let packing = &self.grouping.packing;
        let key = |begin| packing.span_key(begin);
        known.find_all(times, rows, &mut self.table, &key, &mut self.groups, control)?;
        Ok(true)
    }

    fn figures<C: Columns>(
        &mut self,
        chunk: &Chunk<'_, C>,
        rows: &[u32],
        control: &Control,
    ) -> Result<(), SearchError> {
        let rows = Rows {
            rows,
            groups: &self.groups,
        };
        self.grouping.figures.fold(
            chunk.columns,
            chunk.told,
            rows,
            &mut self.table,
            &mut self.sketches,
            &mut self.buffers,
            control,
        )
    }
}

/// Leaves out rows whose key is the same on both sides: they are in that group already.
fn drop_same(rows: &[u32], first: &[u64], keys: &mut Vec<u64>, left: &mut Vec<u32>, words: usize) {
    left.clear();
    let mut kept = 0;
    for (at, row) in rows.iter().enumerate() {
        let place = at * words..(at + 1) * words;
        if first[place.clone()] != keys[place.clone()] {
            keys.copy_within(place, kept);
            kept += words;
            left.push(*row);
        }
    }
    keys.truncate(kept);
}

/// Order of a figure: absent below all, then by value.
fn weight(value: &Option<Scalar<'_>>) -> (u8, u64) {
    let Some(value) = value else {
        return (0, 0);
    };
    let number = match value {
        Scalar::Number(number) | Scalar::Mac(number) => *number,
        Scalar::Rate(rate) => {
            let bits = rate.to_bits();
            if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
        }
        Scalar::Time(time) => of_time(*time),
        Scalar::Flag(flag) => u64::from(*flag),
        Scalar::Address(_) | Scalar::Text(_) | Scalar::Texts(_) => 0,
    };
    (1, number)
}

/// Order of keys: absent first, then by value, one after another.
fn cells(a: &[Option<Scalar<'_>>], b: &[Option<Scalar<'_>>]) -> Ordering {
    let one = |a: &Option<Scalar<'_>>, b: &Option<Scalar<'_>>| match (a, b) {
        (Some(Scalar::Address(a)), Some(Scalar::Address(b))) => a.cmp(b),
        (Some(Scalar::Text(a)), Some(Scalar::Text(b))) => a.cmp(b),
        _ => weight(a).cmp(&weight(b)),
    };
    let pairs = a.iter().zip(b);
    pairs.fold(Ordering::Equal, |order, (a, b)| order.then_with(|| one(a, b)))
}
