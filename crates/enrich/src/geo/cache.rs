//! The last answers, so that the same outside hosts are not looked up record after record.

use std::net::IpAddr;

use weir_model::{Place, Places};

/// Answers kept. Two addresses of one slot take turns, which costs time and nothing else; 16,384 of them take 600 kB.
const SLOTS: usize = 16_384;

/// A fixed table of answers, each in the slot its address belongs to.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    slots: Vec<Option<(IpAddr, Place)>>,
    /// Of the answers.
    generation: u64,
}

impl Cache {
    /// Forgets everything when these may answer otherwise by now. Called once a batch.
    pub(crate) fn renew(&mut self, places: &dyn Places) {
        let generation = places.generation();
        if self.slots.is_empty() || self.generation != generation {
            self.slots = vec![None; SLOTS];
            self.generation = generation;
        }
    }

    /// What is remembered, or else what `places` says.
    pub(crate) fn place(&mut self, ip: IpAddr, places: &dyn Places) -> Place {
        let bits = match ip {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64 ^ ip.to_bits() as u64,
        };
        // Fibonacci hashing; nothing is lost by two addresses in one slot.
        let slot = (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as usize % SLOTS;
        let Some(slot) = self.slots.get_mut(slot) else {
            return places.place(ip);
        };
        match *slot {
            Some((known, place)) if known == ip => place,
            _ => slot.insert((ip, places.place(ip))).1,
        }
    }
}
