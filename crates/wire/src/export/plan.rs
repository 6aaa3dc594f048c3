//! A template compiled to a list of columns (offset, width, target): what is not wanted costs nothing to pass over.
//! Sets of fixed-size records are copied column by column, those with variable lengths record by record.

use std::sync::OnceLock;

use super::targets::{self, Target};
use super::template::{Field, Template};
use super::{Fault, Format, Row, elements};
use crate::Cursor;

/// Columns of one kind of record.
pub struct Plan {
    /// Bytes of a record; with variable fields the least it can have.
    record_bytes: usize,
    columns: Vec<Column>,
    /// Widths in order with their targets, when a field is of variable length.
    variable: Option<Vec<(Field, Option<Target>)>>,
    options: bool,
    lists: u32,
    unknown: Vec<(u32, u16)>,
    tcp_flags: bool,
    macs: bool,
    both_directions: bool,
}

struct Column {
    offset: usize,
    width: usize,
    target: Target,
}

/// What was taken from a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub records: u64,
    /// Structured fields (RFC 6313) passed over.
    pub lists: u64,
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
            if elements::find(field.pen, field.id).is_none() && field.pen != elements::PEN_V9_SCOPE {
                plan.unknown.push((field.pen, field.id));
            }
            plan.add(field);
        }
        if fields.iter().any(|field| field.width == Field::VARIABLE) {
            let with_target = |field: &Field| (*field, target(field));
            plan.variable = Some(fields.iter().map(with_target).collect());
            plan.columns.clear();
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
                offset: self.record_bytes,
                width,
                target,
            });
        }
        self.record_bytes += width;
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

    /// Appends the records of a set body to `rows`.
    pub fn read(&self, body: &[u8], rows: &mut Vec<Row>) -> Taken {
        if self.record_bytes == 0 {
            return Taken::default();
        }
        let mut taken = if let Some(fields) = &self.variable {
            self.read_each(fields, body, rows)
        } else {
            self.read_columns(body, rows)
        };
        taken.lists = taken.records * u64::from(self.lists);
        taken
    }

    fn read_columns(&self, body: &[u8], rows: &mut Vec<Row>) -> Taken {
        let count = body.len() / self.record_bytes;
        let first = rows.len();
        rows.resize(first + count, Row::default());
        for column in &self.columns {
            column.copy(&mut rows[first..], body, self.record_bytes);
        }
        Taken {
            records: count as u64,
            lists: 0,
            fault: None,
        }
    }

    fn read_each(&self, fields: &[(Field, Option<Target>)], body: &[u8], rows: &mut Vec<Row>) -> Taken {
        let mut taken = Taken::default();
        let mut at = Cursor::new(body);
        // Less than the shortest record is padding.
        while at.len() >= self.record_bytes {
            let mut row = Row::default();
            if read_row(fields, &mut at, &mut row).is_none() {
                // Up to three bytes of padding may look like the start of very short records.
                taken.fault = (at.len() > 3).then_some(Fault::Record);
                break;
            }
            rows.push(row);
            taken.records += 1;
        }
        taken
    }
}

/// The target of a field that is wide enough, and not too wide, for it.
fn target(field: &Field) -> Option<Target> {
    targets::of(field.pen, field.id).filter(|target| match (target, field.width) {
        (_, Field::VARIABLE) => true,
        (Target::Number(_), width) => (1..=8).contains(&width),
        (Target::Ip6(_), width) => width == 16,
    })
}

fn read_row(fields: &[(Field, Option<Target>)], at: &mut Cursor<'_>, row: &mut Row) -> Option<()> {
    let mut ahead = *at;
    for (field, target) in fields {
        let width = match field.width {
            Field::VARIABLE => match ahead.u8()? {
                255 => ahead.u16()?.into(),
                short => usize::from(short),
            },
            fixed => usize::from(fixed),
        };
        let value = ahead.take(width)?;
        match target {
            Some(Target::Number(set)) if (1..=8).contains(&width) => set(row, number(value)),
            Some(Target::Ip6(set)) => {
                if let Ok(bytes) = value.try_into() {
                    set(row, targets::ip6(bytes));
                }
            }
            _ => {}
        }
    }
    *at = ahead;
    Some(())
}

/// A big-endian number of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
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
