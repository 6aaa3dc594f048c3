//! A batch as a search sees it: a row of the flow table or of the transactions, its columns by the names of the filter
//! language, and, where flows are asked about their transactions, what [`Related`] knows of each row.

use std::cell::OnceCell;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use weir_query::{Column, Columns, Selection, Slice};

use super::lifting::bit_of;
use super::related::{Related, Told};
use super::scan::Scan;
use super::view::Direction;
use crate::flow::ArrowColumns;
use crate::flow::columns::Built;
use crate::flow::schema::physical;
use crate::flow::transaction_columns::{FLOW_NUMBER, TransactionColumns};

pub(super) const NANOS_PER_MS: i64 = 1_000_000;

/// What the rows of a scan are.
#[derive(Clone, Copy)]
pub(super) enum Records<'a> {
    Flows(Option<&'a Related>),
    /// With the columns that are asked of them and no flow has.
    Transactions(&'a [Column]),
}

impl Records<'_> {
    /// The physical columns behind a name of the filter language.
    pub(super) fn physical(self, direction: Direction, name: &'static str) -> Vec<&'static str> {
        let known = direction.column(name);
        match self {
            Self::Flows(None) => known.map_or_else(Vec::new, physical),
            // What a transaction says is found by the flow it belongs to.
            Self::Flows(Some(_)) => known.map_or_else(|| physical("flow_id"), physical),
            Self::Transactions(_) if name == "flow_id" || name == FLOW_NUMBER.name => vec!["flow_id"],
            Self::Transactions(own) if own.iter().any(|column| column.name == name) => match name {
                "kind" | "outcome" => vec![name],
                _ => vec!["fields"],
            },
            Self::Transactions(_) => known.map_or_else(Vec::new, physical),
        }
    }
}

enum Shown<'a> {
    Flows(ArrowColumns<'a>),
    Transactions(Box<TransactionColumns<'a>>),
}

/// A batch as columns.
pub(super) struct Seen<'a> {
    columns: Shown<'a>,
    /// The start in milliseconds when that is enough.
    start: Option<(Vec<i64>, Selection)>,
    related: Option<&'a Related>,
    numbers: OnceCell<Vec<u32>>,
    bits: Vec<OnceCell<Built>>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(batch: &'a RecordBatch, scan: &Scan<'a>) -> Self {
        let coarse = || {
            let start = batch.column_by_name("start").filter(|_| scan.coarse_start)?;
            let millis = start.as_primitive_opt::<TimestampMillisecondType>()?.values();
            let nanos = millis.iter().map(|millis| millis.saturating_mul(NANOS_PER_MS));
            Some((nanos.collect(), Selection::all(batch.num_rows())))
        };
        let related = match scan.records {
            Records::Flows(related) => related,
            Records::Transactions(_) => None,
        };
        let bits = related.map_or(0, Related::bits);
        Self {
            columns: match scan.records {
                Records::Flows(_) => Shown::Flows(ArrowColumns::new(batch)),
                Records::Transactions(own) => {
                    Shown::Transactions(Box::new(TransactionColumns::new(batch, own)))
                }
            },
            start: coarse(),
            related,
            numbers: OnceCell::new(),
            bits: (0..bits).map(|_| OnceCell::new()).collect(),
        }
    }

    /// What transactions say of the rows; `None` when nobody asks.
    pub(super) fn told(&self) -> Option<Told<'_>> {
        let related = self.related?;
        let numbers = self.numbers.get_or_init(|| match &self.columns {
            Shown::Flows(flows) => flows
                .flow_numbers()
                .map_or_else(Vec::new, |ids| related.numbers(&ids)),
            Shown::Transactions(_) => Vec::new(),
        });
        Some(Told { related, numbers })
    }
}

impl Columns for Seen<'_> {
    fn rows(&self) -> usize {
        match &self.columns {
            Shown::Flows(columns) => columns.rows(),
            Shown::Transactions(columns) => columns.rows(),
        }
    }

    fn column(&self, name: &str) -> Slice<'_> {
        if let Some((times, all)) = self.start.as_ref().filter(|_| name == "start") {
            return Slice::Times(times, all);
        }
        if let Some((told, bit)) = bit_of(name).and_then(|bit| Some((self.told()?, bit))) {
            let cell = self.bits.get(bit);
            return cell.map_or(Slice::Missing, |cell| {
                cell.get_or_init(|| told.fits(bit, self.rows())).slice()
            });
        }
        match &self.columns {
            Shown::Flows(columns) => columns.column(name),
            Shown::Transactions(columns) => columns.column(name),
        }
    }
}
