//! Files of flow-tools (`flow-capture`), stream version 3, plain or zlib, in either byte order, with NetFlow v5 and v7
//! records (layout: ftlib.h of flow-tools). Aggregates (v8) have no endpoints and are refused by name.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};

use flate2::read::ZlibDecoder;
use weir_model::{FlowRecord, Time};
use weir_wire::export::{Format, Header, Moment, Row};

use super::{Bad, FileCounts, Reader, Untold};
use crate::record;

/// How such files begin.
pub(super) const MAGIC: [u8; 2] = [0xcf, 0x10];
/// Longest header: comments and interface names of a router.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// Bytes of a v5 record, and of v7's.
const V5_BYTES: usize = 64;
const V7_BYTES: usize = 68;
/// Records read at once.
const RECORDS_PER_STEP: usize = 512;
/// Tag of the export version, and of the flags, in the header.
const TAG_EXPORT_VERSION: u16 = 2;
const TAG_FLAGS: u16 = 8;
/// Flag: records are compressed.
const COMPRESSED: u32 = 2;

/// What the header says.
#[derive(Clone, Copy, Debug)]
struct Layout {
    little: bool,
    version: u16,
    flags: u32,
}

impl Layout {
    /// Reads the header from the start of a file.
    fn of(head: &[u8]) -> Result<Self, String> {
        let [_, _, order, stream, ..] = *head else {
            return Err("its header is cut".into());
        };
        let little = match order {
            1 => true,
            2 => false,
            _ => return Err(format!("its byte order {order} is none")),
        };
        if stream != 3 {
            return Err(format!(
                "it is a flow-tools file of stream version {stream}; Weir reads version 3 (`flow-cat` writes it)"
            ));
        }
        let header_bytes = number4(head, 4, little).ok_or("its header is cut")?;
        let mut layout = Self {
            little,
            version: 0,
            flags: 0,
        };
        if !(8..=HEADER_BYTES_MAX).contains(&header_bytes) {
            return Err(format!("its header claims {header_bytes} bytes"));
        }
        let mut at = 8;
        while at + 4 <= header_bytes as usize {
            let (Some(tag), Some(bytes)) = (number2(head, at, little), number2(head, at + 2, little)) else {
                break;
            };
            match tag {
                TAG_EXPORT_VERSION => layout.version = number2(head, at + 4, little).unwrap_or(0),
                TAG_FLAGS => layout.flags = number4(head, at + 4, little).unwrap_or(0),
                _ => {}
            }
            at += 4 + usize::from(bytes);
        }
        layout.record_bytes().map(|_| layout)
    }

    fn record_bytes(self) -> Result<usize, String> {
        match self.version {
            5 => Ok(V5_BYTES),
            7 => Ok(V7_BYTES),
            8 => Err(
                "it is a flow-tools file of NetFlow v8 aggregates, which have no endpoints; \
                      give the file they were made from"
                    .into(),
            ),
            other => Err(format!(
                "it is a flow-tools file of export version {other}; Weir reads versions 5 and 7"
            )),
        }
    }
}

/// Can this file be read?
pub(super) fn check(head: &[u8]) -> Result<(), Untold> {
    Layout::of(head).map(|_| ()).map_err(|why| Untold(Some(why)))
}

/// A flow-tools file being read.
pub(super) struct FlowTools {
    body: Body,
    trouble: Option<String>,
    records: Vec<u8>,
}

enum Body {
    Plain(Layout, Box<dyn Read + Send>),
    Packed(Layout, Box<ZlibDecoder<Box<dyn Read + Send>>>),
    None,
}

impl FlowTools {
    pub(super) fn new(mut stream: Box<dyn Read + Send>) -> Self {
        let opened = open(&mut stream);
        let (body, trouble) = match opened {
            Ok(layout) if layout.flags & COMPRESSED != 0 => {
                (Body::Packed(layout, Box::new(ZlibDecoder::new(stream))), None)
            }
            Ok(layout) => (Body::Plain(layout, stream), None),
            Err(why) => (Body::None, Some(why)),
        };
        Self {
            body,
            trouble,
            records: Vec::new(),
        }
    }
}

/// Reads the header; what is left of the stream are records.
fn open(stream: &mut Box<dyn Read + Send>) -> Result<Layout, String> {
    let mut head = Vec::new();
    let mut read = |bytes: usize, head: &mut Vec<u8>| {
        let part = stream.by_ref().take(bytes as u64).read_to_end(head);
        part.map_err(|error| format!("reading failed: {error}"))
    };
    read(8, &mut head)?;
    let little = head.get(2) == Some(&1);
    let header_bytes = number4(&head, 4, little).unwrap_or(0).min(HEADER_BYTES_MAX) as usize;
    read(header_bytes.saturating_sub(8), &mut head)?;
    Layout::of(&head)
}

impl Reader for FlowTools {
    fn step(&mut self, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> bool {
        let (layout, stream): (Layout, &mut dyn Read) = match &mut self.body {
            Body::Plain(layout, stream) => (*layout, stream),
            Body::Packed(layout, stream) => (*layout, stream),
            Body::None => return false,
        };
        let Ok(record_bytes) = layout.record_bytes() else {
            return false;
        };
        self.records.clear();
        let wanted = (record_bytes * RECORDS_PER_STEP) as u64;
        let read = stream.take(wanted).read_to_end(&mut self.records);
        for bytes in self.records.chunks_exact(record_bytes) {
            match flow(bytes, layout.little) {
                Some(flow) => out.push(flow),
                None => counts.bad(Bad::Record),
            }
        }
        if !self.records.len().is_multiple_of(record_bytes) {
            counts.bad(Bad::Record);
            self.trouble = Some("the last record is cut".into());
        }
        if let Err(error) = read {
            counts.bad(Bad::Block);
            self.trouble = Some(format!("its records cannot be unpacked further ({error})"));
            return false;
        }
        self.records.len() as u64 == wanted
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}

/// The record of `bytes`, which are as many as the layout has.
fn flow(bytes: &[u8], little: bool) -> Option<FlowRecord> {
    let four = |at| number4(bytes, at, little);
    let two = |at| number2(bytes, at, little);
    let ip = |at| four(at).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
    let header = Header {
        format: Format::NetFlow5,
        export: Time::from_secs(four(0)?.into()) + i64::from(four(4)?),
        uptime_ms: four(8),
        sequence: 0,
        domain: 0,
        sampling: 0,
        count: 1,
    };
    let row = Row {
        src: ip(16),
        dst: ip(20),
        ingress: two(28)?.into(),
        egress: two(30)?.into(),
        packets: four(32)?.into(),
        bytes: four(36)?.into(),
        start: Moment::Uptime(four(40)?),
        end: Moment::Uptime(four(44)?),
        src_port: two(48)?,
        dst_port: two(50)?,
        proto: bytes.get(52).copied(),
        tos: *bytes.get(53)?,
        flags: (*bytes.get(54)?).into(),
        ..Row::default()
    };
    record::of(&row, &header, ip(12)?, 1)
}

fn number4(bytes: &[u8], at: usize, little: bool) -> Option<u32> {
    let four = *bytes.get(at..)?.first_chunk()?;
    Some(if little {
        u32::from_le_bytes(four)
    } else {
        u32::from_be_bytes(four)
    })
}

fn number2(bytes: &[u8], at: usize, little: bool) -> Option<u16> {
    let two = *bytes.get(at..)?.first_chunk()?;
    Some(if little {
        u16::from_le_bytes(two)
    } else {
        u16::from_be_bytes(two)
    })
}
