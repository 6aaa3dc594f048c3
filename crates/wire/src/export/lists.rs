//! Structured fields (RFC 6313): what a basicList, subTemplateList or subTemplateMultiList says of the flow whose record it
//! stands in. YAF tells TCP flags and hardware addresses so. The first value, or the first record of each template, is
//! taken. A list may as well be of other flows (their addresses, counters and times): those never become this flow's.

use super::Row;
use super::plan::{self, Plan};
use super::template::Field;
use super::unnamed::Text;
use crate::Cursor;

#[cfg(test)]
mod tests;

/// Lists inside lists that are looked into; deeper ones are passed over. Exporters use two.
const DEPTH_MAX: u8 = 4;
/// Templates of one subTemplateMultiList that are looked into.
const TEMPLATES_MAX: usize = 16;
/// Bit of a field id that says an enterprise number follows.
const ENTERPRISE: u16 = 0x8000;

/// The three structured types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Basic,
    SubTemplate,
    SubTemplateMulti,
}

impl Kind {
    /// Is the field one?
    pub(super) fn of(field: &Field) -> Option<Self> {
        match super::elements::find(field.pen, field.id)?.kind {
            "basicList" => Some(Self::Basic),
            "subTemplateList" => Some(Self::SubTemplate),
            "subTemplateMultiList" => Some(Self::SubTemplateMulti),
            _ => None,
        }
    }
}

/// What the lists of one record say of its flow.
pub(super) struct Traits<'a, 'b, 'p> {
    said: Row,
    text: &'a mut Text<'b>,
    unknown: &'a mut Vec<(u32, u16)>,
    plans: &'p dyn Fn(u16) -> Option<&'p Plan>,
    depth: u8,
    /// Lists that nothing could be taken from.
    pub(super) passed: u64,
}

impl<'a, 'b, 'p> Traits<'a, 'b, 'p> {
    pub(super) fn new(
        text: &'a mut Text<'b>,
        unknown: &'a mut Vec<(u32, u16)>,
        plans: &'p dyn Fn(u16) -> Option<&'p Plan>,
    ) -> Self {
        Self {
            said: Row::default(),
            text,
            unknown,
            plans,
            depth: 0,
            passed: 0,
        }
    }

    /// Takes a list.
    pub(super) fn take(&mut self, kind: Kind, value: &[u8]) {
        self.depth += 1;
        let mut at = Cursor::new(value);
        // "None of", "exactly one of" and "one or more of" do not say that the first is so.
        let holds = at.u8().is_some_and(|semantic| semantic >= 3);
        let taken = (holds && self.depth <= DEPTH_MAX).then(|| match kind {
            Kind::Basic => self.basic(&mut at),
            Kind::SubTemplate => at.u16().and_then(|id| self.record(id, at.rest())),
            Kind::SubTemplateMulti => self.multi(&mut at),
        });
        self.passed += u64::from(taken.flatten().is_none());
        self.depth -= 1;
    }

    fn basic(&mut self, at: &mut Cursor<'_>) -> Option<()> {
        let (id, width) = (at.u16()?, at.u16()?);
        let pen = if id & ENTERPRISE == 0 { 0 } else { at.u32()? };
        let field = Field {
            pen,
            id: id & !ENTERPRISE,
            width,
        };
        if at.is_empty() {
            return Some(());
        }
        let width = match width {
            Field::VARIABLE => plan::variable_width(at)?,
            fixed => fixed.into(),
        };
        self.field(&field, at.take(width)?);
        Some(())
    }

    fn multi(&mut self, at: &mut Cursor<'_>) -> Option<()> {
        let mut taken = None;
        for _ in 0..TEMPLATES_MAX {
            if at.is_empty() {
                break;
            }
            let (id, length) = (at.u16()?, at.u16()?);
            let body = at.take(usize::from(length).checked_sub(4)?)?;
            taken = self.record(id, body).or(taken);
        }
        taken
    }

    /// The first record of this template; `None` when the template is not known or the record is cut.
    fn record(&mut self, id: u16, body: &[u8]) -> Option<()> {
        if body.is_empty() {
            return Some(());
        }
        (self.plans)(id)?.first(body, |field, value| self.field(field, value))
    }

    fn field(&mut self, field: &Field, value: &[u8]) {
        if let Some(kind) = Kind::of(field) {
            self.take(kind, value);
        } else if let Some(target) = plan::target(field) {
            target.fill(&mut self.said, value);
        } else if plan::unknown(field) {
            self.unknown.push((field.pen, field.id));
            self.text.add(field, value);
        }
    }

    /// A row that holds what was said, but for what makes a flow that flow: ends, counters and times.
    pub(super) fn row(&self) -> Row {
        let said = &self.said;
        Row {
            flags: said.flags,
            reverse_flags: said.reverse_flags,
            first_flags: said.first_flags,
            tos: said.tos,
            ttl: said.ttl,
            reverse_ttl: said.reverse_ttl,
            vlan: said.vlan,
            src_mac: said.src_mac,
            dst_mac: said.dst_mac,
            icmp: said.icmp,
            end_reason: said.end_reason,
            biflow_direction: said.biflow_direction,
            firewall_event: said.firewall_event,
            sampling: said.sampling,
            ..Row::default()
        }
    }
}
