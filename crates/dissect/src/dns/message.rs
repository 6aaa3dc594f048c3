//! One DNS message (RFC 1035 4): header, first question, and a walk over its records. Nothing is decoded before it
//! is asked for, so that a message costs what is kept of it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use weir_wire::Cursor;

use super::{codes, name};
use crate::text;

/// Header bytes (RFC 1035 4.1.1).
pub(crate) const HEADER_BYTES: usize = 12;
/// Type of the EDNS pseudo record (RFC 6891).
const OPT: u16 = 41;
/// Bytes of unknown record data written out; enough to recognise, too few to fill memory.
const RAW_SHOWN_MAX: usize = 32;

/// The fixed head of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) id: u16,
    flags: u16,
    /// Questions, answers, authorities, additionals.
    pub(crate) counts: [u16; 4],
}

impl Header {
    /// Reads the head; None when the message is shorter.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        Some(Self {
            id: cursor.u16()?,
            flags: cursor.u16()?,
            counts: [cursor.u16()?, cursor.u16()?, cursor.u16()?, cursor.u16()?],
        })
    }

    pub(crate) const fn is_answer(self) -> bool {
        self.flags & 0x8000 != 0
    }
    pub(crate) const fn opcode(self) -> u16 {
        self.flags >> 11 & 0xf
    }
    pub(crate) const fn authoritative(self) -> bool {
        self.flags & 0x0400 != 0
    }
    pub(crate) const fn truncated(self) -> bool {
        self.flags & 0x0200 != 0
    }
    pub(crate) const fn recursion_desired(self) -> bool {
        self.flags & 0x0100 != 0
    }
    pub(crate) const fn recursion_available(self) -> bool {
        self.flags & 0x0080 != 0
    }
    /// Bit that must be zero (RFC 1035 4.1.1).
    pub(crate) const fn reserved(self) -> bool {
        self.flags & 0x0040 != 0
    }
    pub(crate) const fn rcode(self) -> u16 {
        self.flags & 0xf
    }
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) kind: u16,
    /// Class without the unicast bit of mDNS (RFC 6762 5.4).
    pub(crate) class: u16,
}

/// Reads the question at `at`; returns it and the position behind it.
pub(crate) fn question(bytes: &[u8], at: usize) -> Option<(Question, usize)> {
    let mut name = String::with_capacity(64);
    let at = name::read(bytes, at, &mut name)?;
    let mut cursor = Cursor::new(bytes.get(at..)?);
    let (kind, class) = (cursor.u16()?, cursor.u16()? & 0x7fff);
    Some((Question { name, kind, class }, at + 4))
}

/// One resource record, undecoded.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) owner_at: usize,
    pub(crate) kind: u16,
    pub(crate) ttl: u32,
    data: Range<usize>,
}

impl Record {
    /// Reads the record at `at`.
    pub(crate) fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let head_at = name::skip(bytes, at)?;
        let mut cursor = Cursor::new(bytes.get(head_at..)?);
        let kind = cursor.u16()?;
        cursor.skip(2)?;
        let ttl = cursor.u32()?;
        let len = usize::from(cursor.u16()?);
        let data = head_at + 10..head_at + 10 + len;
        bytes.get(data.clone())?;
        Some(Self {
            owner_at: at,
            kind,
            ttl,
            data,
        })
    }

    /// Position behind the record.
    pub(crate) const fn end(&self) -> usize {
        self.data.end
    }

    /// High bits of the response code, which EDNS keeps in the TTL of its record.
    pub(crate) fn extended_rcode(&self) -> Option<u16> {
        let [high, ..] = self.ttl.to_be_bytes();
        (self.kind == OPT).then_some(high.into())
    }

    /// The record's data as people write it; text is bounded by [`text::TEXT_MAX`] or by a name's length.
    pub(crate) fn data_text(&self, message: &[u8]) -> Box<str> {
        self.known_text(message).unwrap_or_else(|| self.raw_text(message))
    }

    fn known_text(&self, message: &[u8]) -> Option<Box<str>> {
        let mut cursor = Cursor::new(message.get(self.data.clone())?);
        let name_at = |offset: usize| {
            let mut name = String::new();
            name::read(message, self.data.start + offset, &mut name)?;
            Some(name)
        };
        Some(match codes::known_type(self.kind)? {
            "A" => Ipv4Addr::from(cursor.array::<4>()?).to_string().into(),
            "AAAA" => Ipv6Addr::from(cursor.array::<16>()?).to_string().into(),
            "NS" | "CNAME" | "PTR" | "DNAME" | "SOA" => name_at(0)?.into(),
            "MX" | "SVCB" | "HTTPS" => format!("{} {}", cursor.u16()?, name_at(2)?).into(),
            "SRV" => {
                let (priority, weight, port) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
                format!("{priority} {weight} {port} {}", name_at(6)?).into()
            }
            "TXT" | "SPF" => text::bounded(&strings(cursor)),
            _ => return None,
        })
    }

    fn raw_text(&self, message: &[u8]) -> Box<str> {
        let data = message.get(self.data.clone()).unwrap_or_default();
        let shown = &data[..data.len().min(RAW_SHOWN_MAX)];
        format!("\\# {} {}", data.len(), text::hex(shown)).into()
    }
}

/// Character strings of a TXT record, joined: senders split at 255 bytes without meaning it.
fn strings(mut cursor: Cursor<'_>) -> Vec<u8> {
    let mut joined = Vec::new();
    while let Some(len) = cursor.u8() {
        let part = cursor.take(usize::from(len)).unwrap_or(cursor.rest());
        joined.extend_from_slice(part);
        if joined.len() >= text::TEXT_MAX {
            break;
        }
    }
    joined
}
