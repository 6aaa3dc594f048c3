//! All exporters known, within a limit: a flood of spoofed senders costs a bounded table and constant work each, and
//! drives out other strangers before it drives out anyone who has delivered records.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use ahash::RandomState;
use weir_model::{NANOS_PER_S, Time};

use crate::exporter::Exporter;

/// Silence after which an exporter that never delivered a record is forgotten.
const STRANGER_SILENCE_NS: i64 = 600 * NANOS_PER_S;
/// Silence after which any exporter is forgotten: its templates are not to be trusted any more.
const SILENCE_NS: i64 = 86_400 * NANOS_PER_S;

/// Exporters by address, with the order in which they would be forgotten.
#[derive(Default)]
pub(crate) struct Crowd {
    exporters: HashMap<IpAddr, Exporter, RandomState>,
    /// Address and number of the last message when queued; who has sent since goes to the back.
    strangers: VecDeque<(IpAddr, u64)>,
    proven: VecDeque<(IpAddr, u64)>,
}

impl Crowd {
    pub(crate) fn len(&self) -> usize {
        self.exporters.len()
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.exporters.contains_key(&address)
    }

    pub(crate) fn get_mut(&mut self, address: IpAddr) -> Option<&mut Exporter> {
        self.exporters.get_mut(&address)
    }

    /// The exporter, made if need be.
    pub(crate) fn enter(&mut self, address: IpAddr, used: u64) -> &mut Exporter {
        self.exporters.entry(address).or_insert_with(|| {
            self.strangers.push_back((address, used));
            Exporter::default()
        })
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Exporter> {
        self.exporters.values()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (IpAddr, &Exporter)> {
        self.exporters.iter().map(|(&address, one)| (address, one))
    }

    /// Takes out who is to be forgotten next: the longest silent of those that never delivered a record, else of all.
    pub(crate) fn evict(&mut self) -> Option<Exporter> {
        while let Some((address, stamp)) = self.strangers.pop_front() {
            match self.exporters.get(&address) {
                None => {}
                Some(one) if one.proven() => self.proven.push_back((address, one.used)),
                Some(one) if one.used > stamp => self.strangers.push_back((address, one.used)),
                Some(_) => return self.exporters.remove(&address),
            }
        }
        while let Some((address, stamp)) = self.proven.pop_front() {
            match self.exporters.get(&address) {
                None => {}
                Some(one) if one.used > stamp => self.proven.push_back((address, one.used)),
                Some(_) => return self.exporters.remove(&address),
            }
        }
        None
    }

    /// Lets every exporter forget domains that have been silent for too long; gives the changes of bytes held.
    pub(crate) fn expire_domains(&mut self, now: Time) -> impl Iterator<Item = isize> {
        self.exporters.values_mut().map(move |one| one.expire(now))
    }

    /// Takes out everyone who has been silent for too long.
    pub(crate) fn expire(&mut self, now: Time) -> Vec<Exporter> {
        let silent = |one: &Exporter| {
            let limit = if one.proven() {
                SILENCE_NS
            } else {
                STRANGER_SILENCE_NS
            };
            now.since(one.last) > limit
        };
        let gone: Vec<IpAddr> = self
            .iter()
            .filter(|(_, one)| silent(one))
            .map(|(address, _)| address)
            .collect();
        let gone: Vec<_> = gone
            .iter()
            .filter_map(|address| self.exporters.remove(address))
            .collect();
        if !gone.is_empty() {
            let known = &self.exporters;
            self.strangers.retain(|(address, _)| known.contains_key(address));
            self.proven.retain(|(address, _)| known.contains_key(address));
        }
        gone
    }
}
