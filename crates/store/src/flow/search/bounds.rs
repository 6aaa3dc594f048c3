//! What a part's own statistics say about the columns of the filter language: least and greatest value per row group
//! or page, and bloom filters over addresses. Everything here may only err towards "maybe".

use std::ops::Range;

use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics as ChunkStatistics;
use weir_query::{Bounds, Check, Expr, FLOW_COLUMNS, Field, Kind, Reads, Set, Statistics, Verdict, verdict};

use super::reading::Asked;
use super::view::{DirectedStatistics, Direction};
use crate::flow::schema::physical;
use crate::flow::{HOUR_MS, MIXED};

/// Single addresses a test may have for bloom filters to be asked; more would cost more than they spare.
const BLOOM_ADDRESSES_MAX: usize = 64;
const NANOS_PER_MS: i64 = 1_000_000;

/// Bounds of a physical column.
#[derive(Clone, Debug, PartialEq)]
enum Physical {
    Unsigned(u64, u64),
    Signed(i64, i64),
    Texts(Box<str>, Box<str>),
    /// No row has a value.
    Empty,
}

/// Statistics of some rows of a part, by physical column.
trait Source {
    /// `None`: the part has no such column.
    fn present(&self, name: &str) -> bool;
    fn physical(&self, name: &str) -> Option<Physical>;
    /// Does every row have a value? False when that is not known.
    fn full(&self, name: &str) -> bool;
}

/// Statistics by the names of the filter language.
struct Logical<S>(S);

impl<S: Source> Logical<S> {
    fn signed(&self, name: &str) -> Option<(i64, i64)> {
        match self.0.physical(name)? {
            Physical::Signed(low, high) => Some((low, high)),
            _ => None,
        }
    }

    fn unsigned(&self, name: &str) -> Option<(u64, u64)> {
        match self.0.physical(name)? {
            Physical::Unsigned(low, high) => Some((low, high)),
            _ => None,
        }
    }

    fn times(&self, (low, high): (i64, i64)) -> Bounds {
        Bounds::Times(
            low.saturating_mul(NANOS_PER_MS),
            high.saturating_mul(NANOS_PER_MS).saturating_add(NANOS_PER_MS - 1),
        )
    }
}

impl<S: Source> Statistics for Logical<S> {
    fn bounds(&self, name: &str) -> Option<Bounds> {
        let column = FLOW_COLUMNS.iter().find(|column| column.name == name)?;
        let first = *physical(name).first()?;
        if !self.0.present(first) {
            return Some(Bounds::Empty);
        }
        match (name, column.kind) {
            ("start", _) => Some(self.times(self.signed("start")?)),
            ("end", _) => {
                let (start, length) = (self.signed("start")?, self.signed("duration_ms")?);
                let low = start.0.checked_add(length.0)?;
                Some(self.times((low, start.1.checked_add(length.1)?)))
            }
            ("flow_start" | "flow_id" | "community_id" | "icmp_error", _) => None,
            (_, Kind::Address) => {
                if self.0.physical(first)? == Physical::Empty {
                    return Some(Bounds::Empty);
                }
                let (high, low) = (self.unsigned(first)?, self.unsigned(physical(name)[1])?);
                let join = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
                Some(if high.0 == high.1 {
                    Bounds::Addresses(join(high.0, low.0), join(high.1, low.1))
                } else {
                    Bounds::Addresses(join(high.0, 0), join(high.1, u64::MAX))
                })
            }
            (_, kind) => match (self.0.physical(name)?, kind) {
                (Physical::Empty, _) => Some(Bounds::Empty),
                (Physical::Unsigned(_, 0x100..), Kind::TcpFlags) => None,
                (Physical::Unsigned(low, high), _) => Some(Bounds::Numbers(low, high)),
                (Physical::Texts(low, high), Kind::Text) => Some(Bounds::Texts(low, high)),
                _ => None,
            },
        }
    }

    fn complete(&self, name: &str) -> bool {
        physical(name).iter().all(|column| self.0.full(column))
    }
}

/// The statistics of a row group.
struct Group<'a> {
    metadata: &'a ParquetMetaData,
    group: usize,
}

fn position(metadata: &ParquetMetaData, name: &str) -> Option<usize> {
    let columns = metadata.file_metadata().schema_descr().columns();
    columns.iter().position(|column| column.path().parts() == [name])
}

/// Unsigned columns lie in signed ones of the file.
fn is_signed(name: &str) -> bool {
    matches!(name, "start" | "duration_ms" | "before_ms")
}

fn whole(name: &str, low: i64, high: i64) -> Physical {
    if is_signed(name) {
        Physical::Signed(low, high)
    } else {
        Physical::Unsigned(low.cast_unsigned(), high.cast_unsigned())
    }
}

fn half(name: &str, low: i32, high: i32) -> Physical {
    if is_signed(name) {
        Physical::Signed(low.into(), high.into())
    } else {
        Physical::Unsigned(low.cast_unsigned().into(), high.cast_unsigned().into())
    }
}

fn texts(low: &[u8], high: &[u8]) -> Option<Physical> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(Box::from);
    Some(Physical::Texts(text(low)?, text(high)?))
}

impl Source for Group<'_> {
    fn present(&self, name: &str) -> bool {
        position(self.metadata, name).is_some()
    }

    fn physical(&self, name: &str) -> Option<Physical> {
        let group = self.metadata.row_group(self.group);
        let statistics = group.column(position(self.metadata, name)?).statistics()?;
        if statistics.null_count_opt() == u64::try_from(group.num_rows()).ok() {
            return Some(Physical::Empty);
        }
        match statistics {
            ChunkStatistics::Boolean(of) => Some(Physical::Unsigned(
                (*of.min_opt()?).into(),
                (*of.max_opt()?).into(),
            )),
            ChunkStatistics::Int32(of) => Some(half(name, *of.min_opt()?, *of.max_opt()?)),
            ChunkStatistics::Int64(of) => Some(whole(name, *of.min_opt()?, *of.max_opt()?)),
            ChunkStatistics::ByteArray(of) => texts(of.min_bytes_opt()?, of.max_bytes_opt()?),
            _ => None,
        }
    }

    fn full(&self, name: &str) -> bool {
        let Some(at) = position(self.metadata, name) else {
            return false;
        };
        let statistics = self.metadata.row_group(self.group).column(at).statistics();
        statistics.is_some_and(|of| of.null_count_opt() == Some(0))
    }
}

/// The statistics of the pages that hold one row.
struct Page<'a> {
    metadata: &'a ParquetMetaData,
    group: usize,
    row: i64,
}

impl Page<'_> {
    fn find(&self, name: &str) -> Option<(&ColumnIndexMetaData, usize)> {
        let at = position(self.metadata, name)?;
        let index = self.metadata.page_index()?;
        let pages = index.offset_index(self.group, at)?.page_locations();
        let after = pages.partition_point(|page| page.first_row_index <= self.row);
        Some((index.column_index(self.group, at)?, after.checked_sub(1)?))
    }
}

impl Source for Page<'_> {
    fn present(&self, name: &str) -> bool {
        position(self.metadata, name).is_some()
    }

    fn physical(&self, name: &str) -> Option<Physical> {
        let (index, page) = self.find(name)?;
        if page as u64 >= index.num_pages() {
            return None;
        }
        if index.is_null_page(page) {
            return Some(Physical::Empty);
        }
        match index {
            ColumnIndexMetaData::BOOLEAN(of) => Some(Physical::Unsigned(
                (*of.min_value(page)?).into(),
                (*of.max_value(page)?).into(),
            )),
            ColumnIndexMetaData::INT32(of) => Some(half(name, *of.min_value(page)?, *of.max_value(page)?)),
            ColumnIndexMetaData::INT64(of) => Some(whole(name, *of.min_value(page)?, *of.max_value(page)?)),
            ColumnIndexMetaData::BYTE_ARRAY(of) => texts(of.min_value(page)?, of.max_value(page)?),
            _ => None,
        }
    }

    fn full(&self, name: &str) -> bool {
        self.find(name)
            .is_some_and(|(index, page)| index.null_count(page) == Some(0))
    }
}

/// What the hour of a part says: when its rows begin.
struct Hour(i64);

impl Statistics for Hour {
    fn bounds(&self, name: &str) -> Option<Bounds> {
        let begin = self.0.checked_mul(HOUR_MS * NANOS_PER_MS)?;
        (name == "start").then(|| Bounds::Times(begin, begin.saturating_add(HOUR_MS * NANOS_PER_MS - 1)))
    }

    fn complete(&self, _: &str) -> bool {
        false
    }
}

/// May a part of this hour hold rows that fit? Both directions of a record begin when it does.
pub(super) fn hour_may_fit(expr: &Expr, hour: i64) -> bool {
    hour == MIXED || verdict(expr, &Hour(hour)) != Verdict::NoRow
}

/// Has no row of the group a value in the column of the filter language, by its statistics?
pub(super) fn is_empty(metadata: &ParquetMetaData, group: usize, name: &str) -> bool {
    Logical(Group { metadata, group }).bounds(name) == Some(Bounds::Empty)
}

/// What is certain about a row group, read in a direction.
pub(super) fn of_group(
    expr: &Expr,
    metadata: &ParquetMetaData,
    group: usize,
    direction: Direction,
) -> Verdict {
    let inner = &Logical(Group { metadata, group });
    verdict(expr, &DirectedStatistics { inner, direction })
}

/// The rows of a row group, of `rows`, that pages do not rule out, as ranges in order. Pages of different columns end
/// at different rows, so the filter is asked once between any two of the ends of `columns`.
pub(super) fn of_pages(
    asked: &[Asked<'_>],
    metadata: &ParquetMetaData,
    group: usize,
    rows: usize,
    columns: &[&str],
) -> Vec<Range<usize>> {
    let mut cuts: Vec<usize> = columns
        .iter()
        .filter_map(|name| {
            metadata
                .page_index()?
                .offset_index(group, position(metadata, name)?)
        })
        .flat_map(|offsets| offsets.page_locations())
        .filter_map(|page| usize::try_from(page.first_row_index).ok())
        .chain([0, rows])
        .filter(|row| *row <= rows)
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut kept: Vec<Range<usize>> = Vec::new();
    for pair in cuts.windows(2) {
        let page = Page {
            metadata,
            group,
            row: pair[0] as i64,
        };
        let inner = &Logical(page);
        let ruled_out = |asked: &Asked<'_>| {
            let direction = asked.direction;
            verdict(&asked.filter, &DirectedStatistics { inner, direction }) == Verdict::NoRow
        };
        if asked.iter().all(ruled_out) {
            continue;
        }
        match kept.last_mut() {
            Some(last) if last.end == pair[0] => last.end = pair[1],
            _ => kept.push(pair[0]..pair[1]),
        }
    }
    kept
}

/// The filter with addresses left out that the bloom filters of a row group do not know. `bloom` gives the filter of a
/// physical column.
pub(super) fn without_unknown(
    expr: &Expr,
    direction: Direction,
    bloom: &mut dyn FnMut(&str) -> Option<Sbbf>,
) -> Expr {
    match expr {
        Expr::Any => Expr::Any,
        Expr::And(parts) => Expr::and(parts.iter().map(|part| without_unknown(part, direction, bloom))),
        Expr::Or(parts) => Expr::or(parts.iter().map(|part| without_unknown(part, direction, bloom))),
        Expr::Not(inner) => without_unknown(inner, direction, bloom).negate(),
        Expr::Test(test) => {
            let Check::Addresses(set) = &test.check else {
                return expr.clone();
            };
            let ranges = set.all().as_slice();
            if ranges.len() > BLOOM_ADDRESSES_MAX || ranges.iter().any(|(low, high)| low != high) {
                return expr.clone();
            }
            let sides = match &test.field.reads {
                Reads::One(column) => vec![*column],
                Reads::Either(src, dst) => vec![*src, *dst],
                _ => return expr.clone(),
            };
            let known = sides.into_iter().map(|column| {
                let stored = direction.column(column.name).unwrap_or(column.name);
                let filter = physical(stored).get(1).and_then(|low| bloom(low));
                let known = ranges.iter().filter(|(address, _)| {
                    filter
                        .as_ref()
                        .is_none_or(|filter| filter.check(&(*address as u64)))
                });
                let field = Field {
                    name: column.name,
                    label: column.label,
                    kind: column.kind,
                    reads: Reads::One(column),
                };
                let left: Vec<(u128, u128)> = known.copied().collect();
                if left.is_empty() {
                    Expr::or([])
                } else {
                    Expr::test(&field, Check::Addresses(Set::of(left)))
                }
            });
            Expr::or(known)
        }
    }
}

/// Does the filter ask for single addresses, so that bloom filters can help?
pub(super) fn names_addresses(expr: &Expr) -> bool {
    match expr {
        Expr::Any => false,
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(names_addresses),
        Expr::Not(inner) => names_addresses(inner),
        Expr::Test(test) => match &test.check {
            Check::Addresses(set) => {
                let ranges = set.all().as_slice();
                ranges.len() <= BLOOM_ADDRESSES_MAX && ranges.iter().all(|(low, high)| low == high)
            }
            _ => false,
        },
    }
}
