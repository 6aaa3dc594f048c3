//! Figures of groups: what each keeps per group (a word, or a sketch a word points to), how a batch of rows is folded
//! in, how two partial results become one, and the value in the end. A figure runs over the whole batch before the
//! next one does.

use weir_query::{Catalog, Column, Field, Kind, Reads, Scalar, Unit};

use super::SearchError;
use super::control::Control;
use super::distinct::{self, Distinct};
use super::keys::{Hashed, Nested, Packing, Side};
use super::numbers::{Lookup, Numbers, Scratch, numbers, to_time};
use super::plan::{Figure, Key, Measure};
use super::quantile::Quantiles;
use super::related::{Spread, Told};
use super::table::Table;

const FIX: &str = "ask for fewer distinct counts or quantiles, narrow the filter, or raise the memory limit";

/// What is kept per group for one field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Op {
    Rows,
    /// Rows that have the value.
    Present,
    Sum,
    Least,
    Greatest,
    Or,
    Distinct,
    Quantiles,
}

impl Op {
    /// The word of a group without rows.
    fn fresh(self) -> u64 {
        match self {
            Self::Least => u64::MAX,
            _ => 0,
        }
    }

    fn join(self, a: u64, b: u64) -> u64 {
        match self {
            Self::Rows | Self::Present | Self::Sum => a.saturating_add(b),
            Self::Least => a.min(b),
            Self::Greatest => a.max(b),
            Self::Or => a | b,
            Self::Distinct | Self::Quantiles => a,
        }
    }
}

struct Kept {
    op: Op,
    field: Option<Field>,
    /// Of a distinct count.
    key: Option<Packing>,
}

/// The figures of one search, compiled.
pub(super) struct Figures {
    kept: Vec<Kept>,
    outputs: Vec<Output>,
}

/// A measure: its words, and what they become.
struct Output {
    figure: Figure,
    at: [usize; 3],
    /// Where rows with a value are counted; `None`: every row has one.
    presence: Option<usize>,
}

/// Sketches of one table; words of groups are numbers of sketches plus one, zero while there is none.
#[derive(Default)]
pub(super) struct Sketches {
    distinct: Vec<Distinct>,
    quantiles: Vec<Quantiles>,
    pub(super) bytes: usize,
}

/// Buffers that batches use one after another.
#[derive(Default)]
pub(super) struct Buffers {
    scratch: Scratch,
    keys: Vec<u64>,
    spread: Spread,
}

/// The rows of a batch that are folded, and the group of each.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub rows: &'a [u32],
    pub groups: &'a [u32],
}

impl Figures {
    pub(super) fn new(measures: &[Measure]) -> Result<Self, SearchError> {
        let mut figures = Self {
            kept: Vec::new(),
            outputs: Vec::new(),
        };
        for measure in measures {
            let at = figures.compile(&measure.what)?;
            let presence = figures.presence(&measure.what)?;
            figures.outputs.push(Output {
                figure: measure.what.clone(),
                at,
                presence,
            });
        }
        Ok(figures)
    }

    /// The words of a new group.
    pub(super) fn fresh(&self) -> Vec<u64> {
        self.kept.iter().map(|kept| kept.op.fresh()).collect()
    }

    fn compile(&mut self, figure: &Figure) -> Result<[usize; 3], SearchError> {
        Ok(match figure {
            Figure::Records => [self.keep(Op::Rows, None)?, 0, 0],
            Figure::Sum(field) => [self.keep(Op::Sum, Some(field))?, 0, 0],
            Figure::Mean(field) => [self.keep(Op::Sum, Some(field))?, self.keep(Op::Rows, None)?, 0],
            Figure::Least(field) => [self.keep(Op::Least, Some(field))?, 0, 0],
            Figure::Greatest(field) => [self.keep(Op::Greatest, Some(field))?, 0, 0],
            Figure::Flags(field) => [self.keep(Op::Or, Some(field))?, 0, 0],
            Figure::Quantile(field, _) => [self.keep(Op::Quantiles, Some(field))?, 0, 0],
            Figure::Distinct(key) => [self.keep_key(key)?, 0, 0],
            Figure::Rate(field, _) => {
                let (start, end) = (moment("start")?, moment("end")?);
                [
                    self.keep(Op::Sum, Some(field))?,
                    self.keep(Op::Least, Some(start))?,
                    self.keep(Op::Greatest, Some(end))?,
                ]
            }
            Figure::Quotient(part, whole) => [
                self.keep(Op::Sum, Some(part))?,
                self.keep(Op::Sum, Some(whole))?,
                0,
            ],
        })
    }

    /// A figure of a field that rows may lack needs to know how many have it.
    fn presence(&mut self, figure: &Figure) -> Result<Option<usize>, SearchError> {
        let (Figure::Sum(field)
        | Figure::Mean(field)
        | Figure::Least(field)
        | Figure::Greatest(field)
        | Figure::Flags(field)) = figure
        else {
            return Ok(None);
        };
        let sure = |column: &Column| !column.nullable;
        let always = match &field.reads {
            Reads::Span(from, to) => sure(from) && sure(to),
            reads => reads.columns().iter().any(sure),
        };
        if always {
            Ok(None)
        } else {
            self.keep(Op::Present, Some(field)).map(Some)
        }
    }

    /// The number of what is kept; the same is kept once.
    fn keep(&mut self, op: Op, field: Option<&Field>) -> Result<usize, SearchError> {
        if let Some(field) = field {
            check(op, field)?;
        }
        let same = |kept: &Kept| kept.op == op && kept.key.is_none() && kept.field.as_ref() == field;
        if let Some(at) = self.kept.iter().position(same) {
            return Ok(at);
        }
        self.kept.push(Kept {
            op,
            field: field.cloned(),
            key: None,
        });
        Ok(self.kept.len() - 1)
    }

    fn keep_key(&mut self, key: &Key) -> Result<usize, SearchError> {
        self.kept.push(Kept {
            op: Op::Distinct,
            field: None,
            key: Some(Packing::hashed(key)?),
        });
        Ok(self.kept.len() - 1)
    }

    /// Folds rows into their groups; `told` is what transactions say of the batch.
    #[expect(
        clippy::too_many_arguments,
        reason = "what a batch is and where it goes, used in one place"
    )]
    pub(super) fn fold(
        &self,
        columns: &dyn Lookup,
        told: Option<Told<'_>>,
        rows: Rows<'_>,
        table: &mut Table,
        sketches: &mut Sketches,
        buffers: &mut Buffers,
        control: &Control,
    ) -> Result<(), SearchError> {
        for (at, kept) in self.kept.iter().enumerate() {
            if let Some(packing) = &kept.key {
                match told.filter(|_| packing.nested()) {
                    Some(told) => {
                        told.spread(rows.rows, &mut buffers.spread, control)?;
                        let spread = &buffers.spread;
                        let groups = spread.from.iter().map(|from| rows.groups[*from as usize]);
                        let groups: Vec<u32> = groups.collect();
                        let rows = Rows {
                            rows: &spread.rows,
                            groups: &groups,
                        };
                        let nested = Some(Nested {
                            columns: told.related,
                            rows: &spread.values,
                        });
                        let keys = &mut buffers.keys;
                        fold_distinct(packing, columns, nested, rows, table, at, sketches, keys, control)?;
                    }
                    None => {
                        let keys = &mut buffers.keys;
                        fold_distinct(packing, columns, None, rows, table, at, sketches, keys, control)?;
                    }
                }
                continue;
            }
            let Some(field) = &kept.field else {
                let (words, stride) = table.column_mut(at);
                for group in rows.groups {
                    words[*group as usize * stride] += 1;
                }
                continue;
            };
            if kept.op == Op::Present {
                fold_presence(&field.reads, columns, rows, table, at, &mut buffers.scratch);
                continue;
            }
            let Some(found) = numbers(&field.reads, columns, &mut buffers.scratch) else {
                continue;
            };
            if kept.op == Op::Quantiles {
                fold_quantiles(&found, rows, table, at, sketches, control)?;
                continue;
            }
            let (words, stride) = table.column_mut(at);
            match kept.op {
                Op::Sum => fold_words(&found, rows, words, stride, u64::saturating_add),
                Op::Least => fold_words(&found, rows, words, stride, u64::min),
                Op::Greatest => fold_words(&found, rows, words, stride, u64::max),
                _ => fold_words(&found, rows, words, stride, |a, b| a | b),
            }
        }
        Ok(())
    }

    /// Adds a group of another table to one of this.
    pub(super) fn merge(
        &self,
        table: &mut Table,
        group: usize,
        sketches: &mut Sketches,
        (other, others): (&[u64], &Sketches),
        control: &Control,
    ) -> Result<(), SearchError> {
        let words = table.figures_mut(group);
        for ((kept, word), theirs) in self.kept.iter().zip(words).zip(other) {
            let mut grown = 0;
            match (kept.op, theirs.checked_sub(1)) {
                (Op::Distinct, Some(at)) => {
                    grown += fresh_sketch(&mut sketches.distinct, word);
                    grown += sketches.distinct[*word as usize - 1].merge(&others.distinct[at as usize]);
                }
                (Op::Quantiles, Some(at)) => {
                    grown += fresh_sketch(&mut sketches.quantiles, word);
                    grown += sketches.quantiles[*word as usize - 1].merge(&others.quantiles[at as usize]);
                }
                (Op::Distinct | Op::Quantiles, None) => {}
                (op, _) => *word = op.join(*word, *theirs),
            }
            sketches.charge(grown, control)?;
        }
        Ok(())
    }

    /// The value of measure `index` for a group with these words.
    pub(super) fn value(&self, index: usize, words: &[u64], sketches: &Sketches) -> Option<Scalar<'static>> {
        let output = &self.outputs[index];
        let word = |at: usize| words[output.at[at]];
        let rows = || output.presence.map_or(1, |at| words[at]);
        let there = || rows() > 0;
        match &output.figure {
            Figure::Records => Some(Scalar::Number(word(0))),
            Figure::Sum(_) | Figure::Flags(_) => there().then(|| Scalar::Number(word(0))),
            Figure::Least(field) | Figure::Greatest(field) => there().then(|| match field.kind {
                Kind::Time => Scalar::Time(to_time(word(0))),
                _ => Scalar::Number(word(0)),
            }),
            Figure::Mean(_) => {
                let rows = output.presence.map_or(word(1), |at| words[at]);
                (rows > 0).then(|| Scalar::Rate(word(0) as f64 / rows as f64))
            }
            Figure::Distinct(_) => {
                let sketch = word(0).checked_sub(1).map(|at| &sketches.distinct[at as usize]);
                Some(Scalar::Number(sketch.map_or(0, Distinct::count)))
            }
            Figure::Quantile(_, share) => {
                let sketch = word(0)
                    .checked_sub(1)
                    .map(|at| &sketches.quantiles[at as usize])?;
                sketch.at(*share).map(Scalar::Rate)
            }
            Figure::Rate(_, factor) => {
                let nanos = word(2).checked_sub(word(1)).filter(|nanos| *nanos > 0)?;
                Some(Scalar::Rate(word(0) as f64 * factor / nanos as f64))
            }
            Figure::Quotient(..) => (word(1) > 0).then(|| Scalar::Rate(word(0) as f64 / word(1) as f64)),
        }
    }

    /// The value of measure `index` where there were no rows.
    pub(super) fn nothing(&self, index: usize) -> Option<Scalar<'static>> {
        match self.outputs[index].figure {
            Figure::Records | Figure::Sum(_) | Figure::Distinct(_) => Some(Scalar::Number(0)),
            _ => None,
        }
    }

    /// Type of measure `index`.
    pub(super) fn kind(&self, index: usize) -> Kind {
        match &self.outputs[index].figure {
            Figure::Records | Figure::Distinct(_) => Kind::Number(Unit::Count),
            Figure::Sum(field) | Figure::Least(field) | Figure::Greatest(field) | Figure::Flags(field) => {
                field.kind
            }
            Figure::Mean(field) | Figure::Quantile(field, _) | Figure::Quotient(field, _) => match field.kind
            {
                Kind::Number(unit) => Kind::Rate(unit),
                _ => Kind::Rate(Unit::Count),
            },
            Figure::Rate(..) => Kind::Rate(Unit::Count),
        }
    }
}

/// The columns that fields and keys of measures read.
pub(super) fn read(measures: &[Measure]) -> Vec<Column> {
    let of = |measure: &Measure| match &measure.what {
        Figure::Records => Vec::new(),
        Figure::Distinct(key) => key.columns(),
        Figure::Quotient(part, whole) => [part.reads.columns(), whole.reads.columns()].concat(),
        Figure::Sum(field)
        | Figure::Least(field)
        | Figure::Greatest(field)
        | Figure::Mean(field)
        | Figure::Flags(field)
        | Figure::Quantile(field, _)
        | Figure::Rate(field, _) => field.reads.columns(),
    };
    measures.iter().flat_map(of).collect()
}

/// Names of the columns that measures need.
pub(super) fn columns(measures: &[Measure], names: &mut Vec<&'static str>) {
    names.extend(read(measures).iter().map(|column| column.name));
    if measures
        .iter()
        .any(|measure| matches!(measure.what, Figure::Rate(..)))
    {
        names.extend(["start", "end"]);
    }
}

fn moment(name: &str) -> Result<&'static Field, SearchError> {
    Catalog::flows().field(name).ok_or(SearchError::Field {
        name: name.to_owned(),
        reason: "is missing, and rates need it",
    })
}

/// Can the figure be made of the field?
fn check(op: Op, field: &Field) -> Result<(), SearchError> {
    let single = matches!(
        field.reads,
        Reads::One(_) | Reads::Sum(..) | Reads::Union(..) | Reads::Span(..)
    );
    let fits = match (op, field.kind) {
        (Op::Or, kind) => kind == Kind::TcpFlags,
        (Op::Least | Op::Greatest | Op::Present, Kind::Time) => true,
        (_, Kind::Number(_)) => true,
        (Op::Present, Kind::TcpFlags) => true,
        _ => false,
    };
    if single && fits {
        return Ok(());
    }
    Err(SearchError::Field {
        name: field.name.to_owned(),
        reason: "holds no numbers of this kind",
    })
}

fn fold_words(
    found: &Numbers<'_>,
    rows: Rows<'_>,
    words: &mut [u64],
    stride: usize,
    join: impl Fn(u64, u64) -> u64,
) {
    let pairs = rows.rows.iter().zip(rows.groups);
    match found.valid {
        None => {
            for (row, group) in pairs {
                let word = &mut words[*group as usize * stride];
                *word = join(*word, found.values[*row as usize]);
            }
        }
        Some(valid) => {
            for (row, group) in pairs.filter(|(row, _)| valid.contains(**row as usize)) {
                let word = &mut words[*group as usize * stride];
                *word = join(*word, found.values[*row as usize]);
            }
        }
    }
}

fn fold_presence(
    reads: &Reads,
    columns: &dyn Lookup,
    rows: Rows<'_>,
    table: &mut Table,
    at: usize,
    scratch: &mut Scratch,
) {
    // A column that is always there needs no look at its values.
    let Some(found) = numbers(reads, columns, scratch) else {
        return;
    };
    let (words, stride) = table.column_mut(at);
    for (row, group) in rows.rows.iter().zip(rows.groups) {
        let there = found.valid.is_none_or(|valid| valid.contains(*row as usize));
        words[*group as usize * stride] += u64::from(there);
    }
}

fn fold_quantiles(
    found: &Numbers<'_>,
    rows: Rows<'_>,
    table: &mut Table,
    at: usize,
    sketches: &mut Sketches,
    control: &Control,
) -> Result<(), SearchError> {
    let (words, stride) = table.column_mut(at);
    let mut grown = 0;
    for (row, group) in rows.rows.iter().zip(rows.groups) {
        let row = *row as usize;
        if found.valid.is_none_or(|valid| valid.contains(row)) {
            let word = &mut words[*group as usize * stride];
            grown += fresh_sketch(&mut sketches.quantiles, word);
            grown += sketches.quantiles[*word as usize - 1].add(found.values[row]);
        }
    }
    sketches.charge(grown, control)
}

#[expect(clippy::too_many_arguments, reason = "one figure's inputs, used in one place")]
fn fold_distinct(
    packing: &Packing,
    columns: &dyn Lookup,
    nested: Option<Nested<'_>>,
    rows: Rows<'_>,
    table: &mut Table,
    at: usize,
    sketches: &mut Sketches,
    keys: &mut Vec<u64>,
    control: &Control,
) -> Result<(), SearchError> {
    let sides = if packing.either {
        &[Side::Src, Side::Dst][..]
    } else {
        &[Side::Src]
    };
    for side in sides {
        packing.pack(columns, rows.rows, nested, *side, &mut Hashed, keys)?;
        let (words, stride) = table.column_mut(at);
        let mut grown = 0;
        for (key, group) in keys.chunks_exact(packing.words).zip(rows.groups) {
            if !packing.any_present(key) {
                continue;
            }
            let word = &mut words[*group as usize * stride];
            grown += fresh_sketch(&mut sketches.distinct, word);
            grown += sketches.distinct[*word as usize - 1].add(distinct::hash(key));
        }
        sketches.charge(grown, control)?;
    }
    Ok(())
}

/// Makes the sketch of a group that has none; tells what it costs.
fn fresh_sketch<T: Default>(sketches: &mut Vec<T>, word: &mut u64) -> usize {
    if *word > 0 {
        return 0;
    }
    let before = sketches.capacity();
    sketches.push(T::default());
    *word = sketches.len() as u64;
    (sketches.capacity() - before) * size_of::<T>()
}

impl Sketches {
    fn charge(&mut self, bytes: usize, control: &Control) -> Result<(), SearchError> {
        self.bytes += bytes;
        if bytes > 0 {
            control.take(bytes, FIX)
        } else {
            Ok(())
        }
    }
}
