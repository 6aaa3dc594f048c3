//! A template compiled to a list of columns (offset, width, target): what is not wanted costs nothing to pass over.
//! Sets of fixed-size records are copied column by column, those with variable lengths record by record.

use std::sync::OnceLock;

use super::targets::{self, Target};
use super::template::{Field, Template};
use super::{Fault, Format, Row, elements, lists, unnamed};
use crate::Cursor;

/// Columns of one kind of record.
pub struct Plan {
    /// Bytes of a record; with variable fields the least it can have.
    record_bytes: usize,
    columns: Vec<Column>,
    /// Columns of elements that no table names: offset, width, element.
    unnamed: Vec<(usize, usize, Field)>,
    /// Fields in order with what is done with them, when one is of variable length or a list.
    variable: Option<Vec<(Field, Use)>>,
    options: bool,
    lists: u32,
    unknown: Vec<(u32, u16)>,
    tcp_flags: bool,
    macs: bool,
    both_directions: bool,
}

struct Column {
    field: Field,
    offset: usize,
    width: usize,
    target: Target,
}

/// What is done with a field that is read in its turn.
#[derive(Clone, Copy)]
enum Use {
    Pass,
    Fill(Target),
    List(lists::Kind),
    Unnamed,
}

/// Where the records of a set go, and what reading them needs.
pub struct Reading<'a> {
    pub rows: &'a mut Vec<Row>,
    /// Elements that no table names, as text; rows say which part is theirs.
    pub unnamed: &'a mut String,
    /// Elements in lists that no table names, once each time they come.
    pub unknown: &'a mut Vec<(u32, u16)>,
    /// The plan of a template of the same domain, for lists that name one.
    pub plans: &'a dyn Fn(u16) -> Option<&'a Plan>,
}

/// What was taken from a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub records: u64,
    /// Structured fields (RFC 6313), and how many of them nothing could be taken from: broken, too deep, of a template
    /// not known, or saying what is not.
    pub lists: u64,
    pub lists_passed: u64,
    /// Values without a name that were too long to be kept.
    pub unnamed_cut: u64,
    pub fault: Option<Fault>,
}

impl Plan {
    /// Compiles a template.
    pub fn new(template: &Template) -> Self {
        let fields = &template.fields;
        let has = |wanted: &[(u32, u16)]| fields.iter().any(|field| wanted.contains(&(field.pen, field.id)));
        let mut plan = Self {
            record_bytes: 0,
            columns: Vec::new(),
            unnamed: Vec::new(),
            variable: None,
            options: template.is_options(),
            lists: 0,
            unknown: Vec::new(),
            tcp_flags: has(&[(0, 6), (6871, 14), (6871, 15)]),
            macs: has(&[(0, 56), (0, 80)]),
            both_directions: has(&[
                (0, 232),
                (0, 299),
                (29_305, 1),
                (29_305, 2),
                (29_305, 85),
                (29_305, 86),
            ]),
        };
        for field in fields {
            plan.lists += u32::from(elements::is_list(field.pen, field.id));
            if unknown(field) {
                plan.unknown.push((field.pen, field.id));
            }
            plan.add(field);
        }
        if plan.lists > 0 || fields.iter().any(|field| field.width == Field::VARIABLE) {
            let with_use = |field: &Field| (*field, plan.use_of(field));
            plan.variable = Some(fields.iter().map(with_use).collect());
            plan.columns.clear();
            plan.unnamed.clear();
        }
        plan
    }

    fn add(&mut self, field: &Field) {
        let width = if field.width == Field::VARIABLE {
            1
        } else {
            usize::from(field.width)
        };
        if let Some(target) = target(field) {
            self.columns.push(Column {
                field: *field,
                offset: self.record_bytes,
                width,
                target,
            });
        } else if unknown(field) && !self.options {
            self.unnamed.push((self.record_bytes, width, *field));
        }
        self.record_bytes += width;
    }

    /// What is done with a field in records that are read field by field.
    fn use_of(&self, field: &Field) -> Use {
        match (target(field), lists::Kind::of(field)) {
            (_, Some(kind)) => Use::List(kind),
            (Some(target), None) => Use::Fill(target),
            // Options are about the exporter: what they say without a name belongs to no flow.
            (None, None) if unknown(field) && !self.options => Use::Unnamed,
            (None, None) => Use::Pass,
        }
    }

    /// The plan of a format whose layout never changes.
    pub fn fixed(format: Format) -> &'static Self {
        static PLANS: OnceLock<[Plan; 3]> = OnceLock::new();
        let plans = PLANS.get_or_init(|| [V1, V5, V7].map(|fields| Self::new(&layout(fields))));
        match format {
            Format::NetFlow1 => &plans[0],
            Format::NetFlow7 => &plans[2],
            _ => &plans[1],
        }
    }

    /// Are these options records?
    pub const fn is_options(&self) -> bool {
        self.options
    }

    /// Elements that no table names.
    pub fn unknown(&self) -> &[(u32, u16)] {
        &self.unknown
    }

    /// Do records tell TCP flags, hardware addresses, both directions?
    pub const fn tells(&self) -> (bool, bool, bool) {
        (self.tcp_flags, self.macs, self.both_directions)
    }

    /// Reads the records of a set body.
    pub fn read(&self, body: &[u8], reading: &mut Reading<'_>) -> Taken {
        if self.record_bytes == 0 {
            return Taken::default();
        }
        let mut taken = if let Some(fields) = &self.variable {
            self.read_each(fields, body, reading)
        } else {
            self.read_columns(body, reading)
        };
        taken.lists = taken.records * u64::from(self.lists);
        taken
    }

    fn read_columns(&self, body: &[u8], reading: &mut Reading<'_>) -> Taken {
        let count = body.len() / self.record_bytes;
        let first = reading.rows.len();
        reading.rows.resize(first + count, Row::default());
        for column in &self.columns {
            column.copy(&mut reading.rows[first..], body, self.record_bytes);
        }
        let mut taken = Taken {
            records: count as u64,
            ..Taken::default()
        };
        if !self.unnamed.is_empty() {
            let records = body.chunks_exact(self.record_bytes);
            for (row, record) in reading.rows[first..].iter_mut().zip(records) {
                let mut text = unnamed::Text::begin(reading.unnamed);
                for &(offset, width, field) in &self.unnamed {
                    text.add(&field, record.get(offset..offset + width).unwrap_or_default());
                }
                (row.unnamed, taken.unnamed_cut) = (text.part(), taken.unnamed_cut + text.cut);
            }
        }
        taken
    }

    fn read_each(&self, fields: &[(Field, Use)], body: &[u8], reading: &mut Reading<'_>) -> Taken {
        let mut taken = Taken::default();
        let mut at = Cursor::new(body);
        // Less than the shortest record is padding.
        while at.len() >= self.record_bytes {
            let (mut row, mut before) = (Row::default(), at);
            let mut text = unnamed::Text::begin(reading.unnamed);
            if self.lists > 0 {
                // What lists say of the flow first: the record's own words come after, and count.
                let mut traits = lists::Traits::new(&mut text, reading.unknown, reading.plans);
                // A record that is cut is judged below.
                let _ = walk(fields, &mut before, |_, how, value| {
                    if let Use::List(kind) = how {
                        traits.take(kind, value);
                    }
                });
                (row, taken.lists_passed) = (traits.row(), taken.lists_passed + traits.passed);
            }
            let whole = walk(fields, &mut at, |field, how, value| match how {
                Use::Fill(target) => target.fill(&mut row, value),
                Use::Unnamed => text.add(field, value),
                Use::List(_) | Use::Pass => {}
            });
            if whole.is_none() {
                // Up to three bytes of padding may look like the start of very short records.
                taken.fault = (at.len() > 3).then_some(Fault::Record);
                break;
            }
            (row.unnamed, taken.unnamed_cut) = (text.part(), taken.unnamed_cut + text.cut);
            reading.rows.push(row);
            taken.records += 1;
        }
        taken
    }

    /// Tells the fields of the first record in `body`; `None` when it is cut. For records inside lists.
    pub(super) fn first(&self, body: &[u8], mut tell: impl FnMut(&Field, &[u8])) -> Option<()> {
        if let Some(fields) = &self.variable {
            return walk(fields, &mut Cursor::new(body), |field, _, value| {
                tell(field, value)
            });
        }
        let record = body.get(..self.record_bytes)?;
        for column in &self.columns {
            tell(
                &column.field,
                record.get(column.offset..column.offset + column.width)?,
            );
        }
        for &(offset, width, field) in &self.unnamed {
            tell(&field, record.get(offset..offset + width)?);
        }
        Some(())
    }
}

/// Tells the fields of one record and goes past it; `None`, and nowhere, when it is cut.
fn walk(
    fields: &[(Field, Use)],
    at: &mut Cursor<'_>,
    mut tell: impl FnMut(&Field, Use, &[u8]),
) -> Option<()> {
    let mut ahead = *at;
    for (field, how) in fields {
        let width = match field.width {
            Field::VARIABLE => variable_width(&mut ahead)?,
            fixed => usize::from(fixed),
        };
        tell(field, *how, ahead.take(width)?);
    }
    *at = ahead;
    Some(())
}

/// The width in front of a value of variable length (RFC 7011, 7).
pub(super) fn variable_width(at: &mut Cursor<'_>) -> Option<usize> {
    Some(match at.u8()? {
        255 => at.u16()?.into(),
        short => short.into(),
    })
}

/// Does no table name this field's element?
pub(super) fn unknown(field: &Field) -> bool {
    field.pen != elements::PEN_V9_SCOPE && elements::find(field.pen, field.id).is_none()
}

/// The target of a field that is wide enough, and not too wide, for it.
pub(super) fn target(field: &Field) -> Option<Target> {
    targets::of(field.pen, field.id).filter(|target| match (target, field.width) {
        (_, Field::VARIABLE) => true,
        (Target::Number(_), width) => (1..=8).contains(&width),
        (Target::Ip6(_), width) => width == 16,
    })
}

/// A big-endian number of up to eight bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

impl Column {
    /// Copies this column of all records. Width is decided outside the loop.
    fn copy(&self, rows: &mut [Row], body: &[u8], record_bytes: usize) {
        match (self.target, self.width) {
            (Target::Number(set), 1) => {
                self.each(rows, body, record_bytes, |row, [a]: [u8; 1]| set(row, a.into()))
            }
            (Target::Number(set), 2) => {
                self.each(rows, body, record_bytes, |row, bytes| {
                    set(row, u16::from_be_bytes(bytes).into())
                });
            }
            (Target::Number(set), 4) => {
                self.each(rows, body, record_bytes, |row, bytes| {
                    set(row, u32::from_be_bytes(bytes).into())
                });
            }
            (Target::Number(set), 8) => {
                self.each(rows, body, record_bytes, |row, bytes| {
                    set(row, u64::from_be_bytes(bytes))
                });
            }
            (Target::Number(set), width) => {
                for (row, record) in rows.iter_mut().zip(body.chunks_exact(record_bytes)) {
                    if let Some(value) = record.get(self.offset..self.offset + width) {
                        set(row, number(value));
                    }
                }
            }
            (Target::Ip6(set), _) => {
                self.each(rows, body, record_bytes, |row, bytes| {
                    set(row, targets::ip6(bytes))
                });
            }
        }
    }

    fn each<const N: usize>(
        &self,
        rows: &mut [Row],
        body: &[u8],
        record_bytes: usize,
        set: impl Fn(&mut Row, [u8; N]),
    ) {
        for (row, record) in rows.iter_mut().zip(body.chunks_exact(record_bytes)) {
            if let Some(bytes) = record.get(self.offset..).and_then(<[u8]>::first_chunk) {
                set(row, *bytes);
            }
        }
    }
}

/// Fields (element, width) of the fixed formats; element 210 is padding.
type Layout = &'static [(u16, u16)];

const V1: Layout = &[
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 2),
    (14, 2),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
    (210, 2),
    (4, 1),
    (5, 1),
    (6, 1),
    (210, 11),
];
const V5: Layout = &[
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 2),
    (14, 2),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
    (210, 1),
    (6, 1),
    (4, 1),
    (5, 1),
    (16, 2),
    (17, 2),
    (9, 1),
    (13, 1),
    (210, 2),
];
const V7: Layout = &[
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 2),
    (14, 2),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
    (210, 1),
    (6, 1),
    (4, 1),
    (5, 1),
    (16, 2),
    (17, 2),
    (9, 1),
    (13, 1),
    (210, 6),
];

fn layout(fields: Layout) -> Template {
    let field = |&(id, width): &(u16, u16)| Field { pen: 0, id, width };
    Template {
        id: 0,
        scope_fields: 0,
        fields: fields.iter().map(field).collect(),
    }
}
