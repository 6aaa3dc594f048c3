//! Template and options template records of NetFlow v9 (RFC 3954) and IPFIX (RFC 7011), as values.

use super::Fault;
use super::elements::PEN_V9_SCOPE;
use crate::Cursor;

/// Bit of an IPFIX field id that says an enterprise number follows.
const ENTERPRISE: u16 = 0x8000;
/// Set ids from here on are templates' own.
const DATA_SET_MIN: u16 = 256;

/// One field of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Enterprise number; 0 is the IANA registry.
    pub pen: u32,
    pub id: u16,
    /// Width in bytes, or [`Field::VARIABLE`].
    pub width: u16,
}

impl Field {
    /// Width of fields whose length stands in each record (IPFIX).
    pub const VARIABLE: u16 = 0xffff;
}

/// The layout of data records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub id: u16,
    /// Leading fields that are scope; 0 in templates of flows.
    pub scope_fields: u16,
    pub fields: Vec<Field>,
}

impl Template {
    /// Fields a template may have. The largest seen in the wild have about 130; at 512 one compiles to some 12 kB.
    pub const FIELDS_MAX: usize = 512;

    /// Is this the layout of options data?
    pub const fn is_options(&self) -> bool {
        self.scope_fields > 0
    }
}

/// One record of a template set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    Template(Template),
    /// This template is no longer valid (IPFIX).
    Withdraw(u16),
    /// All templates (false) or options templates (true) are no longer valid (IPFIX).
    WithdrawAll(bool),
}

/// Reads the records of a template set. After the first fault nothing more comes.
#[derive(Clone, Debug)]
pub struct Definitions<'a> {
    rest: Cursor<'a>,
    ipfix: bool,
    options: bool,
}

impl<'a> Definitions<'a> {
    pub(super) const fn new(body: &'a [u8], ipfix: bool, options: bool) -> Self {
        Self {
            rest: Cursor::new(body),
            ipfix,
            options,
        }
    }

    fn read(&mut self) -> Result<Definition, Fault> {
        let cut = Fault::Template;
        let id = self.rest.u16().ok_or(cut)?;
        let count = self.rest.u16().ok_or(cut)?;
        if self.ipfix && count == 0 {
            return match id {
                2 => Ok(Definition::WithdrawAll(false)),
                3 => Ok(Definition::WithdrawAll(true)),
                DATA_SET_MIN.. => Ok(Definition::Withdraw(id)),
                _ => Err(cut),
            };
        }
        if id < DATA_SET_MIN {
            return Err(cut);
        }
        let (scope_fields, count) = match (self.options, self.ipfix) {
            (false, _) => (0, count),
            (true, true) => (self.rest.u16().ok_or(cut)?, count),
            (true, false) => {
                // NetFlow v9 gives bytes of scope and of options, four for each field.
                let option_bytes = self.rest.u16().ok_or(cut)?;
                (count / 4, (count / 4).saturating_add(option_bytes / 4))
            }
        };
        if self.options && self.ipfix && (scope_fields == 0 || scope_fields > count) {
            return Err(cut);
        }
        let fields = self.fields(count, scope_fields)?;
        // An options template of NetFlow v9 without scope exists; it must not pass for flows.
        let scope_fields = scope_fields.max(u16::from(self.options));
        Ok(Definition::Template(Template {
            id,
            scope_fields,
            fields,
        }))
    }

    fn fields(&mut self, count: u16, scope_fields: u16) -> Result<Vec<Field>, Fault> {
        if usize::from(count) > Template::FIELDS_MAX {
            return Err(Fault::TemplateFields);
        }
        // Four bytes at least for each: what cannot be there is not allocated for.
        if self.rest.len() < usize::from(count) * 4 {
            return Err(Fault::Template);
        }
        let mut fields = Vec::with_capacity(count.into());
        for index in 0..count {
            let field = self.field(index < scope_fields).ok_or(Fault::Template)?;
            fields.push(field);
        }
        if fields.iter().all(|field| field.width == 0) {
            return Err(Fault::Template);
        }
        Ok(fields)
    }

    fn field(&mut self, scope: bool) -> Option<Field> {
        let id = self.rest.u16()?;
        let width = self.rest.u16()?;
        let (pen, id) = if self.ipfix && id & ENTERPRISE != 0 {
            (self.rest.u32()?, id & !ENTERPRISE)
        } else if scope && !self.ipfix {
            (PEN_V9_SCOPE, id)
        } else {
            (0, id)
        };
        Some(Field { pen, id, width })
    }
}

impl Iterator for Definitions<'_> {
    type Item = Result<Definition, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        // Fewer than four bytes, or zeros, are padding.
        if self.rest.len() < 4 || self.rest.rest().iter().all(|&byte| byte == 0) {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = Cursor::new(&[]);
        }
        Some(read)
    }
}
