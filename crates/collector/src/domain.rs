//! One observation domain of one exporter's transport session: templates, samplers, sequence, and data ahead of its template.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;
use weir_model::Time;
use weir_wire::export::{Definition, Field, Format, Header, Message, Plan, Reading, Row, Set, Template};

use crate::collector::Scratch;
use crate::counts::Counts;
use crate::parked::{Parked, ParkedSet};
use crate::plans::Plans;
use crate::sampling::Samplers;
use crate::sequence::{Sequence, Step};
use crate::state::DomainState;

/// Templates of one domain. Large routers use dozens; whoever sends more is refused further ones, and keeps what it has.
pub(crate) const TEMPLATES_MAX: usize = 1_024;

/// Uptime that goes back further than this is a restart; less is reordering.
const UPTIME_BACK_MAX_MS: u32 = 60_000;

/// A template with its compiled plan.
#[derive(Clone)]
struct Known {
    template: Template,
    plan: Arc<Plan>,
}

/// State of one domain.
#[derive(Default)]
pub(crate) struct Domain {
    templates: HashMap<u16, Known, RandomState>,
    /// Fields of all templates together.
    fields: usize,
    samplers: Samplers,
    sequence: Sequence,
    parked: Parked,
    uptime_ms: Option<u32>,
    /// When the exporter started (160), where options data tell it for all records.
    boot_ms: Option<u64>,
    /// Running number of the last message, for eviction, and its arrival.
    pub(crate) used: u64,
    pub(crate) last: Time,
    /// Kept from an earlier run: valid only as long as the exporter has not restarted since.
    restored: bool,
    /// Has it ever delivered a record? Those that have are evicted last.
    pub(crate) proven: bool,
}

impl Domain {
    pub(crate) fn templates(&self) -> usize {
        self.templates.len()
    }

    /// Bytes held: the domain itself, template fields, parked data.
    pub(crate) const fn held_bytes(&self) -> usize {
        DOMAIN_BYTES + self.fields * FIELD_BYTES + self.parked.bytes()
    }

    /// Takes a message: rows of flows go to `scratch.rows`, each batch of them told to `taken` with its header.
    pub(crate) fn message(
        &mut self,
        message: &Message<'_>,
        counts: &mut Counts,
        scratch: &mut Scratch,
        mut taken: impl FnMut((&[Row], &str), &Header, &Samplers, &mut Counts),
    ) {
        let header = &message.header;
        self.look_for_restart(header, counts);
        // Data records of this message; `None` when some could not be counted.
        let mut units = Some(0u32);
        for set in message.sets() {
            match set {
                Err(fault) => {
                    counts.fault(fault);
                    units = None;
                }
                Ok(Set::Templates(definitions)) => {
                    for definition in definitions {
                        match definition {
                            Ok(definition) => self.define(definition, counts, scratch, &mut taken),
                            Err(fault) => counts.fault(fault),
                        }
                    }
                }
                Ok(Set::Fixed(body)) => {
                    let plan = Plan::fixed(header.format);
                    self.data(plan, body, header, counts, scratch, &mut taken);
                    units = Some(header.count.into());
                }
                Ok(Set::Data { id, body }) => {
                    let Some(plan) = self.templates.get(&id).map(|known| Arc::clone(&known.plan)) else {
                        units = None;
                        self.park(id, body, header, counts);
                        continue;
                    };
                    let records = self.data(&plan, body, header, counts, scratch, &mut taken);
                    units = units.map(|units| units.wrapping_add(records as u32));
                }
            }
        }
        self.account(header, units, counts);
    }

    /// Takes the number of an sFlow datagram.
    pub(crate) fn datagram(&mut self, sequence: u32, uptime_ms: u32, counts: &mut Counts) {
        let restarted = self.uptime_ms.is_some_and(|before| went_back(before, uptime_ms));
        self.uptime_ms = Some(uptime_ms);
        if restarted {
            counts.restarts += 1;
            self.sequence.restart(None);
        }
        let step = self.sequence.step(sequence, Some(1));
        count(step, counts);
    }

    fn look_for_restart(&mut self, header: &Header, counts: &mut Counts) {
        let Some(uptime_ms) = header.uptime_ms else { return };
        if self.uptime_ms.is_some_and(|before| went_back(before, uptime_ms)) {
            counts.restarts += 1;
            self.sequence.restart(None);
            if std::mem::take(&mut self.restored) {
                self.templates.clear();
                self.fields = 0;
                self.samplers = Samplers::default();
            }
        }
        self.uptime_ms = Some(uptime_ms);
    }

    /// What is worth keeping over a restart of ours.
    pub(crate) fn save(&self) -> DomainState {
        let mut templates: Vec<Template> = self
            .templates
            .values()
            .map(|known| known.template.clone())
            .collect();
        templates.sort_by_key(|template| template.id);
        DomainState {
            uptime_ms: self.uptime_ms,
            boot_ms: self.boot_ms,
            templates,
            samplers: self.samplers.save(),
        }
    }

    /// Takes what an earlier run kept, within the same limits as what exporters send.
    pub(crate) fn restore(&mut self, state: DomainState, counts: &mut Counts, plans: &mut Plans) {
        for template in state.templates {
            if template.fields.len() <= Template::FIELDS_MAX {
                self.learn(template, counts, plans);
            }
        }
        self.samplers = Samplers::restore(state.samplers);
        (self.uptime_ms, self.boot_ms) = (state.uptime_ms, state.boot_ms);
        self.restored = true;
    }

    /// The templates, for people.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.templates.values().flat_map(|known| &known.template.fields)
    }

    fn account(&mut self, header: &Header, units: Option<u32>, counts: &mut Counts) {
        let units = match header.format {
            Format::NetFlow1 => return,
            Format::NetFlow9 => Some(1),
            _ => units,
        };
        count(self.sequence.step(header.sequence, units), counts);
    }

    fn define(
        &mut self,
        definition: Definition,
        counts: &mut Counts,
        scratch: &mut Scratch,
        taken: &mut impl FnMut((&[Row], &str), &Header, &Samplers, &mut Counts),
    ) {
        match definition {
            Definition::Template(template) => {
                let id = template.id;
                if self.learn(template, counts, &mut scratch.plans) {
                    self.replay(id, counts, scratch, taken);
                }
            }
            Definition::Withdraw(id) => {
                let gone = self.templates.remove(&id);
                self.fields -= gone.as_ref().map_or(0, |known| known.template.fields.len());
                counts.templates_withdrawn += u64::from(gone.is_some());
            }
            Definition::WithdrawAll(options) => {
                let before = self.templates.len();
                self.templates
                    .retain(|_, known| known.template.is_options() != options);
                self.fields = self
                    .templates
                    .values()
                    .map(|known| known.template.fields.len())
                    .sum();
                counts.templates_withdrawn += (before - self.templates.len()) as u64;
            }
        }
    }

    /// Learns a template; true when it is new or means something else than before.
    fn learn(&mut self, template: Template, counts: &mut Counts, plans: &mut Plans) -> bool {
        let full = self.templates.len() >= TEMPLATES_MAX;
        match self.templates.get(&template.id) {
            Some(known) if known.template == template => return false,
            Some(_) => counts.templates_changed += 1,
            None if full => {
                counts.templates_refused += 1;
                return false;
            }
            None => counts.templates += 1,
        }
        let plan = plans.of(&template);
        self.fields += template.fields.len();
        let before = self.templates.insert(template.id, Known { template, plan });
        self.fields -= before.map_or(0, |known| known.template.fields.len());
        true
    }

    fn park(&mut self, id: u16, body: &[u8], header: &Header, counts: &mut Counts) {
        counts.sets_parked += 1;
        let set = ParkedSet {
            id,
            header: *header,
            body: body.into(),
        };
        counts.sets_dropped += self.parked.push(set);
    }

    fn replay(
        &mut self,
        id: u16,
        counts: &mut Counts,
        scratch: &mut Scratch,
        taken: &mut impl FnMut((&[Row], &str), &Header, &Samplers, &mut Counts),
    ) {
        if self.parked.is_empty() {
            return;
        }
        let Some(plan) = self.templates.get(&id).map(|known| Arc::clone(&known.plan)) else {
            return;
        };
        for set in self.parked.take(id) {
            counts.sets_replayed += 1;
            self.data(&plan, &set.body, &set.header, counts, scratch, taken);
        }
    }

    /// Reads one data set; returns its number of records.
    fn data(
        &mut self,
        plan: &Plan,
        body: &[u8],
        header: &Header,
        counts: &mut Counts,
        scratch: &mut Scratch,
        taken: &mut impl FnMut((&[Row], &str), &Header, &Samplers, &mut Counts),
    ) -> u64 {
        scratch.clear();
        let templates = &self.templates;
        let read = plan.read(
            body,
            &mut Reading {
                rows: &mut scratch.rows,
                unnamed: &mut scratch.unnamed,
                unknown: &mut scratch.in_lists,
                plans: &|id| templates.get(&id).map(|known| &*known.plan),
            },
        );
        counts.lists += read.lists;
        counts.lists_passed += read.lists_passed;
        counts.unnamed_cut += read.unnamed_cut;
        if let Some(fault) = read.fault {
            counts.fault(fault);
        }
        for &element in plan.unknown() {
            scratch.unknown.count(element, read.records);
        }
        for element in scratch.in_lists.drain(..) {
            scratch.unknown.count(element, 1);
        }
        if plan.is_options() {
            counts.options += read.records;
            for row in &scratch.rows {
                self.samplers.learn(row);
                self.boot_ms = row.boot_ms.or(self.boot_ms);
            }
        } else {
            self.proven |= read.records > 0;
            if self.boot_ms.is_some() {
                for row in &mut scratch.rows {
                    row.boot_ms = row.boot_ms.or(self.boot_ms);
                }
            }
            counts.told(plan.tells(), read.records);
            taken((&scratch.rows, &scratch.unnamed), header, &self.samplers, counts);
        }
        read.records
    }

    /// Forgets everything parked, when the domain is evicted.
    pub(crate) fn drop_parked(&mut self) -> u64 {
        self.parked.clear()
    }
}

/// What a template field takes: itself and its column.
const FIELD_BYTES: usize = 64;
/// What an empty domain takes, its place in the tables included.
const DOMAIN_BYTES: usize = 1_024;

fn went_back(before: u32, now: u32) -> bool {
    let back = before.wrapping_sub(now);
    // In the upper half the counter went forward (or wrapped); a little back is reordering.
    back > UPTIME_BACK_MAX_MS && back < u32::MAX / 2
}

fn count(step: Step, counts: &mut Counts) {
    counts.lost = (counts.lost + step.lost).saturating_sub(step.found);
    counts.late += u64::from(step.late);
    counts.restarts += u64::from(step.restart);
}
