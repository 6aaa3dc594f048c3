//! Flows asked about their transactions. One pass over the transaction table settles which flows have a transaction that
//! fits, and which different values of the fields asked for; the pass over the flows then finds both by the flow's id.
//!
//! - Comparisons of transaction fields that stand together in one `and` hold for one and the same transaction; `not`
//!   means that no transaction fits.
//! - A flow belongs to the group of each value that one of its transactions has, once; without any, to the group
//!   without a value.
//! - Transactions are looked for from a day before the filter's window to a day behind it: what a longer flow exchanged
//!   further away is not seen.

use std::collections::HashSet;

use weir_query::{Column, Columns, Expr, Kind, Scalar, Selection, Slice, select};

use super::control::Control;
use super::keys::{Interned, Interner, Packing, Side};
use super::plan::{Cut, Key, KeyValue, Search, Shape, View};
use super::scan::{Chunk, Fold, Pieces, Scan};
use super::seen::Records;
use super::table::Table;
use super::{SearchError, Source, lifting};
use crate::flow::columns::Built;
use crate::flow::transaction_columns::FLOW_NUMBER;

const FIX: &str = "narrow the filter or the time, or raise the memory limit";

/// What transactions say of their flows.
pub(super) struct Related {
    /// By flow id: bits of the comparisons that fit, and where the flow's values begin and how many there are.
    flows: Table,
    bits: usize,
    /// Different values, those of one flow together; the last row has none.
    columns: Vec<(&'static str, Built)>,
    rows: usize,
}

/// What transactions say of the rows of a batch.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) related: &'a Related,
    /// By row: the flow's number in `related` plus one, 0 for one without transactions.
    pub(super) numbers: &'a [u32],
}

/// The question to the flows alone, and what their transactions say. `transactions` are the sources of their table.
pub(super) fn gather(
    search: &Search,
    transactions: &[Source],
    control: &Control,
) -> Result<(Search, Related), SearchError> {
    let asked = lifting::asked(search)?;
    let key = |column: &Column| Key {
        name: column.name.to_owned(),
        value: KeyValue::Column(*column),
        cut: Cut::Whole,
    };
    let keys: Vec<Key> = std::iter::once(&FLOW_NUMBER)
        .chain(&asked.wanted)
        .map(key)
        .collect();
    let packing = Packing::new(&keys)?;
    let own = asked.columns();
    let mut names: Vec<&'static str> = own.iter().map(|column| column.name).collect();
    names.push(FLOW_NUMBER.name);
    let of_transactions = Search {
        filter: asked.which,
        view: View::Transactions,
        shape: Shape::Exists,
    };
    let scan = Scan::new(&of_transactions, names, &[], Records::Transactions(&own));
    let fold = || Gather {
        packing: &packing,
        lifted: &asked.lifted,
        table: Table::new(packing.words, vec![0]),
        interner: Interner::default(),
        keys: Vec::new(),
        groups: Vec::new(),
    };
    let scanned = Pieces(transactions).scan(&scan, control, fold)?;
    let mut folds = scanned.folds.into_iter();
    let mut whole = folds.next().unwrap_or_else(fold);
    for other in folds {
        whole.take_in(&other, control)?;
    }
    let related = Related::new(&whole, &asked.wanted, asked.lifted.len(), control)?;
    Ok((
        Search {
            filter: asked.filter,
            ..search.clone()
        },
        related,
    ))
}

/// A thread's flows, values and bits.
struct Gather<'a> {
    packing: &'a Packing,
    lifted: &'a [Expr],
    /// By flow and values: the bits.
    table: Table,
    interner: Interner,
    keys: Vec<u64>,
    groups: Vec<u32>,
}

impl Gather<'_> {
    fn take_in(&mut self, other: &Self, control: &Control) -> Result<(), SearchError> {
        let mut group = Vec::new();
        for at in 0..other.table.groups() {
            let mut key = other.table.key(at).to_vec();
            self.packing
                .translate(&mut key, &other.interner, &mut self.interner, control)?;
            self.table.find_all(&key, &mut group, control)?;
            let own = group.first().map_or(0, |group| *group as usize);
            self.table.figures_mut(own)[0] |= other.table.figures(at)[0];
        }
        control.give_back(other.table.bytes());
        Ok(())
    }
}

impl Fold for Gather<'_> {
    fn fold<C: Columns>(&mut self, chunk: &Chunk<'_, C>, control: &Control) -> Result<(), SearchError> {
        let mut texts = Interned {
            interner: &mut self.interner,
            control,
        };
        self.packing.pack(
            chunk.columns,
            chunk.rows,
            None,
            Side::Src,
            &mut texts,
            &mut self.keys,
        )?;
        self.table.find_all(&self.keys, &mut self.groups, control)?;
        let all = Selection::all(chunk.columns.rows());
        for (bit, expr) in self.lifted.iter().enumerate() {
            let fitting = select(expr, chunk.columns, &all);
            for (row, group) in chunk.rows.iter().zip(&self.groups) {
                let fits = u64::from(fitting.contains(*row as usize));
                self.table.figures_mut(*group as usize)[0] |= fits << bit;
            }
        }
        Ok(())
    }
}

impl Related {
    fn new(
        gathered: &Gather<'_>,
        wanted: &[Column],
        bits: usize,
        control: &Control,
    ) -> Result<Self, SearchError> {
        let groups = gathered.table.groups();
        let width = size_of::<(u64, u32)>() + (wanted.len() + 1) * size_of::<Option<Scalar<'_>>>();
        control.take(groups * width, FIX)?;
        let values = |group: usize| {
            gathered
                .packing
                .unpack(gathered.table.key(group), &gathered.interner)
        };
        let flow = |values: &[Option<Scalar<'_>>]| match values.first() {
            Some(Some(Scalar::Number(number))) => *number,
            _ => 0,
        };
        let mut order: Vec<(u64, u32)> = (0..groups)
            .map(|group| (flow(&values(group)), group as u32))
            .collect();
        order.sort_unstable();
        let mut flows = Table::new(1, vec![0, 0, 0]);
        let mut found = Vec::new();
        let mut rows: Vec<Vec<Option<Scalar<'static>>>> = Vec::new();
        for own in order.chunk_by(|a, b| a.0 == b.0) {
            control.check()?;
            let first = rows.len();
            let mut fits = 0;
            for (_, group) in own {
                fits |= gathered.table.figures(*group as usize)[0];
                let line = values(*group as usize);
                if line[1..].iter().any(Option::is_some) {
                    rows.push(line);
                }
            }
            flows.find_all(&[own[0].0], &mut found, control)?;
            let at = found.first().map_or(0, |at| *at as usize);
            flows
                .figures_mut(at)
                .copy_from_slice(&[fits, first as u64, (rows.len() - first) as u64]);
        }
        rows.push(vec![None; wanted.len() + 1]);
        let column = |(at, column): (usize, &Column)| (column.name, built(&rows, at + 1, column.kind));
        let columns = wanted.iter().enumerate().map(column).collect();
        control.give_back(gathered.table.bytes());
        Ok(Self {
            flows,
            bits,
            columns,
            rows: rows.len(),
        })
    }

    /// How many comparisons there are.
    pub(super) fn bits(&self) -> usize {
        self.bits
    }

    /// The numbers of flows with these ids plus one, 0 for those without transactions.
    pub(super) fn numbers(&self, ids: &[u64]) -> Vec<u32> {
        let number = |id: &u64| self.flows.get(&[*id]).map_or(0, |number| number + 1);
        ids.iter().map(number).collect()
    }
}

impl Columns for Related {
    fn rows(&self) -> usize {
        self.rows
    }

    fn column(&self, name: &str) -> Slice<'_> {
        let found = self.columns.iter().find(|(known, _)| *known == name);
        found.map_or(Slice::Missing, |(_, built)| built.slice())
    }
}

impl Told<'_> {
    /// Which rows have a transaction that fits.
    pub(super) fn fits(&self, bit: usize, rows: usize) -> Built {
        let fits = |number: &u32| match number.checked_sub(1) {
            Some(flow) => self.related.flows.figures(flow as usize)[0] >> bit & 1,
            None => 0,
        };
        let bits: Vec<u64> = self.numbers.iter().map(fits).collect();
        Built::Numbers(bits.into(), Selection::all(rows))
    }

    /// Each row once for every value its flow has.
    pub(super) fn spread(
        &self,
        rows: &[u32],
        spread: &mut Spread,
        control: &Control,
    ) -> Result<(), SearchError> {
        spread.clear();
        let before = spread.rows.capacity();
        let none = self.related.rows as u32 - 1;
        for (at, row) in rows.iter().enumerate() {
            let flow = self
                .numbers
                .get(*row as usize)
                .and_then(|number| number.checked_sub(1));
            let (first, count) = flow.map_or((0, 0), |flow| {
                let figures = self.related.flows.figures(flow as usize);
                (figures[1] as u32, figures[2] as u32)
            });
            let values = if count == 0 {
                none..none + 1
            } else {
                first..first + count
            };
            for value in values {
                spread.rows.push(*row);
                spread.values.push(value);
                spread.from.push(at as u32);
            }
        }
        control.take((spread.rows.capacity() - before) * 3 * size_of::<u32>(), FIX)
    }
}

/// Rows and the places of their values.
#[derive(Default)]
pub(super) struct Spread {
    pub(super) rows: Vec<u32>,
    pub(super) values: Vec<u32>,
    /// Places in the rows spread.
    pub(super) from: Vec<u32>,
}

impl Spread {
    fn clear(&mut self) {
        self.rows.clear();
        self.values.clear();
        self.from.clear();
    }

    /// Of the keys of one row, leaves each once, and those without a value only where there is no other.
    pub(super) fn leave_each_once(&mut self, keys: &mut Vec<u64>, packing: &Packing) {
        let words = packing.words;
        let mut known = HashSet::new();
        let (mut kept, mut begin) = (0, 0);
        while begin < self.rows.len() {
            let own = self.from[begin];
            let length = self.from[begin..].iter().take_while(|from| **from == own).count();
            let place = |at: usize| at * words..(at + 1) * words;
            let any = (begin..begin + length).any(|at| packing.any_nested(&keys[place(at)]));
            known.clear();
            for at in begin..begin + length {
                let left_out = any && !packing.any_nested(&keys[place(at)]);
                if left_out || (length > 1 && !known.insert(keys[place(at)].to_vec())) {
                    continue;
                }
                keys.copy_within(place(at), kept * words);
                self.rows[kept] = self.rows[at];
                kept += 1;
            }
            begin += length;
        }
        keys.truncate(kept * words);
        self.rows.truncate(kept);
    }
}

/// A column of these lines.
fn built(lines: &[Vec<Option<Scalar<'static>>>], at: usize, kind: Kind) -> Built {
    let valid = Selection::from_fn(lines.len(), |row| lines[row][at].is_some());
    let cells = || lines.iter().map(|line| line[at].as_ref());
    match kind {
        Kind::Address => {
            let address = |cell: Option<&Scalar<'_>>| match cell {
                Some(Scalar::Address(address)) => *address,
                _ => 0,
            };
            Built::Addresses(cells().map(address).collect(), valid)
        }
        Kind::Text | Kind::Texts => {
            let text = |cell: Option<&Scalar<'_>>| match cell {
                Some(Scalar::Text(text)) => text.to_string(),
                _ => String::new(),
            };
            crate::flow::columns::dictionary(cells().map(text), valid)
        }
        _ => {
            let number = |cell: Option<&Scalar<'_>>| match cell {
                Some(Scalar::Number(number) | Scalar::Mac(number)) => *number,
                Some(Scalar::Flag(flag)) => u64::from(*flag),
                _ => 0,
            };
            Built::Numbers(cells().map(number).collect(), valid)
        }
    }
}
