//! Flow records of layout 2: elements that name themselves and their length, in any order.

use weir_wire::Cursor;

use super::{Told, ip4, ip6, mac};

/// Elements of one record; nfdump knows some fifty.
const ELEMENTS_MAX: u16 = 256;
/// Bits of a record's flags.
const EVENT: u8 = 1;
const SAMPLED: u8 = 2;

/// Reads a flow record's body.
pub(super) fn flow(body: &[u8]) -> Option<Told> {
    let mut at = Cursor::new(body);
    let mut told = Told::default();
    let elements = at.u16_le().filter(|&count| count <= ELEMENTS_MAX)?;
    at.skip(2)?;
    told.exporter_number = at.u16_le()?;
    let flags = at.u8()?;
    at.skip(1)?;
    (told.scaled, told.event) = (flags & SAMPLED != 0, flags & EVENT != 0);
    for _ in 0..elements {
        let (kind, bytes) = (at.u16_le()?, at.u16_le()?);
        let element = at.take(usize::from(bytes).checked_sub(4)?)?;
        read(kind, Cursor::new(element), &mut told)?;
    }
    Some(told.settle())
}

/// Reads one element; those of no use here are passed over.
fn read(kind: u16, mut at: Cursor<'_>, told: &mut Told) -> Option<()> {
    match kind {
        1 => {
            let (first_ms, last_ms) = (at.u64_le()?, at.u64_le()?);
            told.times(first_ms, last_ms);
            at.skip(8)?;
            (told.row.packets, told.row.bytes) = (at.u64_le()?, at.u64_le()?);
            (told.row.src_port, told.row.dst_port) = (at.u16_le()?, at.u16_le()?);
            told.row.proto = Some(at.u8()?);
            told.row.flags = at.u8()?.into();
            at.skip(1)?;
            told.row.tos = at.u8()?;
        }
        2 => told.endpoints(ip4(at.u32_le()?), ip4(at.u32_le()?)),
        3 => {
            let (src, dst) = (ip6(at.u64_le()?, at.u64_le()?), ip6(at.u64_le()?, at.u64_le()?));
            told.endpoints(src, dst);
        }
        5 => (told.row.ingress, told.row.egress) = (at.u32_le()?, at.u32_le()?),
        6 => {
            at.skip(8)?;
            (told.out_packets, told.out_bytes) = (at.u64_le()?, at.u64_le()?);
        }
        7 => told.row.vlan = Some((at.u32_le()? & 0xfff) as u16).filter(|&id| id > 0),
        13 => told.exporter = Some(ip4(at.u32_le()?)),
        14 => told.exporter = Some(ip6(at.u64_le()?, at.u64_le()?)),
        16 => {
            told.row.src_mac = mac(at.u64_le()?);
            at.skip(8)?;
            told.row.dst_mac = mac(at.u64_le()?);
        }
        _ => {}
    }
    Some(())
}
