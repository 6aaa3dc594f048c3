//! Flow records of layout 1: a common part, required extensions, and further ones in the order an extension map gives.

use std::collections::HashMap;

use weir_wire::Cursor;

use super::{Told, ip4, ip6, mac};

/// Extension maps and extensions of one that are remembered. nfdump itself knows 65,536 maps; files have a dozen.
const MAPS_MAX: usize = 4_096;
const EXTENSIONS_MAX: usize = 128;

/// Extension maps by number.
#[derive(Default)]
pub(super) struct Maps {
    maps: HashMap<u16, Vec<u16>>,
}

/// Bits of a record's flags.
const IP6: u16 = 1;
const PACKETS_64: u16 = 2;
const BYTES_64: u16 = 4;
const EVENT: u16 = 64;
const SAMPLED: u16 = 128;

impl Maps {
    /// Learns a map from a record's body.
    pub(super) fn learn(&mut self, body: &[u8]) -> Option<()> {
        let mut at = Cursor::new(body);
        let number = at.u16_le()?;
        at.skip(2)?;
        let mut extensions = Vec::new();
        while let Some(extension) = at.u16_le().filter(|&id| id != 0) {
            if extensions.len() >= EXTENSIONS_MAX {
                return None;
            }
            extensions.push(extension);
        }
        if self.maps.len() < MAPS_MAX || self.maps.contains_key(&number) {
            self.maps.insert(number, extensions);
        }
        Some(())
    }

    /// Reads a flow record's body; `newer` ones have wider flags and the exporter's number.
    pub(super) fn flow(&self, newer: bool, body: &[u8]) -> Option<Told> {
        let mut at = Cursor::new(body);
        let mut told = Told::default();
        let flags = if newer { at.u16_le()? } else { at.u8()?.into() };
        if !newer {
            at.skip(1)?;
        }
        let map = at.u16_le()?;
        let (first_ms, last_ms) = (at.u16_le()?, at.u16_le()?);
        let (first, last) = (at.u32_le()?, at.u32_le()?);
        let moment = |secs: u32, millis: u16| u64::from(secs) * 1_000 + u64::from(millis);
        told.times(moment(first, first_ms), moment(last, last_ms));
        at.skip(1)?;
        told.row.flags = at.u8()?.into();
        told.row.proto = Some(at.u8()?);
        told.row.tos = at.u8()?;
        (told.row.src_port, told.row.dst_port) = (at.u16_le()?, at.u16_le()?);
        if newer {
            told.exporter_number = at.u16_le()?;
            at.skip(2)?;
        }
        let wide = |at: &mut Cursor<'_>, bit: u16| match flags & bit {
            0 => at.u32_le().map(u64::from),
            _ => at.u64_le(),
        };
        if flags & IP6 == 0 {
            told.endpoints(ip4(at.u32_le()?), ip4(at.u32_le()?));
        } else {
            let (src, dst) = (ip6(at.u64_le()?, at.u64_le()?), ip6(at.u64_le()?, at.u64_le()?));
            told.endpoints(src, dst);
        }
        told.row.packets = wide(&mut at, PACKETS_64)?;
        told.row.bytes = wide(&mut at, BYTES_64)?;
        (told.scaled, told.event) = (flags & SAMPLED != 0, flags & EVENT != 0);
        // Behind an extension nobody knows the length of, nothing can be found; what came before stands.
        for &extension in self.maps.get(&map).into_iter().flatten() {
            if read(extension, &mut at, &mut told).is_none() {
                break;
            }
        }
        Some(told.settle())
    }
}

/// Reads one extension, or passes over it.
fn read(extension: u16, at: &mut Cursor<'_>, told: &mut Told) -> Option<()> {
    match extension {
        4 => (told.row.ingress, told.row.egress) = (at.u16_le()?.into(), at.u16_le()?.into()),
        5 => (told.row.ingress, told.row.egress) = (at.u32_le()?, at.u32_le()?),
        13 => {
            told.row.vlan = Some(at.u16_le()? & 0xfff).filter(|&id| id > 0);
            at.skip(2)?;
        }
        14 => told.out_packets = at.u32_le()?.into(),
        15 => told.out_packets = at.u64_le()?,
        16 => told.out_bytes = at.u32_le()?.into(),
        17 => told.out_bytes = at.u64_le()?,
        20 => {
            told.row.src_mac = mac(at.u64_le()?);
            at.skip(8)?;
        }
        21 => {
            told.row.dst_mac = mac(at.u64_le()?);
            at.skip(8)?;
        }
        23 => told.exporter = Some(ip4(at.u32_le()?)),
        24 => told.exporter = Some(ip6(at.u64_le()?, at.u64_le()?)),
        6 | 8 | 9 | 11 | 18 | 25 | 38 => at.skip(4)?,
        7 | 19 | 26 | 27 | 39 | 47 | 48 => at.skip(8)?,
        46 => at.skip(12)?,
        10 | 12 => at.skip(16)?,
        37 => at.skip(20)?,
        41 | 42 | 45 => at.skip(24)?,
        40 => at.skip(32)?,
        22 => at.skip(40)?,
        43 => at.skip(72)?,
        _ => return None,
    }
    Some(())
}
