//! Message headers of NetFlow v1, v5, v7, v9 and IPFIX, and the sets behind them.

use weir_model::Time;

use super::{Definitions, Fault};
use crate::Cursor;

/// Bytes of a v5 record, and of v1's and v7's.
const V1_RECORD: usize = 52;
const V5_RECORD: usize = 48;
const V7_RECORD: usize = 52;
/// Records a v5 datagram may hold; 30 by the book, some exporters fill larger datagrams.
const V5_RECORDS_MAX: usize = 64;

/// Export format, told from the first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    NetFlow1,
    NetFlow5,
    NetFlow7,
    NetFlow9,
    Ipfix,
    Sflow5,
}

impl Format {
    /// Every format, in the order of declaration.
    pub const ALL: [Self; 6] = [
        Self::NetFlow1,
        Self::NetFlow5,
        Self::NetFlow7,
        Self::NetFlow9,
        Self::Ipfix,
        Self::Sflow5,
    ];

    /// The format of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    /// Name for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NetFlow1 => "NetFlow v1",
            Self::NetFlow5 => "NetFlow v5",
            Self::NetFlow7 => "NetFlow v7",
            Self::NetFlow9 => "NetFlow v9",
            Self::Ipfix => "IPFIX",
            Self::Sflow5 => "sFlow v5",
        }
    }
}

/// What a message header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub format: Format,
    /// Export time, by the exporter's clock.
    pub export: Time,
    /// Uptime of the exporter in milliseconds (NetFlow).
    pub uptime_ms: Option<u32>,
    /// v5, v7: flows before this message; v9: packets; IPFIX: data records; v1: none, 0.
    pub sequence: u32,
    /// Observation domain, source id, or engine type and id.
    pub domain: u32,
    /// v5: one packet of so many; 0 not said.
    pub sampling: u32,
    /// Records by the header: v1, v5, v7; v9 counts template records too; IPFIX has none, 0.
    pub count: u16,
}

/// A message whose header has been read.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub header: Header,
    body: &'a [u8],
}

/// One set of a message.
#[derive(Clone, Debug)]
pub enum Set<'a> {
    /// Templates or options templates.
    Templates(Definitions<'a>),
    /// Records of the template `id`, perhaps with padding behind them.
    Data { id: u16, body: &'a [u8] },
    /// Records of v1, v5 and v7, whose layout is fixed (`Plan::fixed`).
    Fixed(&'a [u8]),
}

/// The export format of a datagram by strict checks of its header, for telling exports from other traffic.
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    if super::sflow::open(bytes).is_ok() {
        return Some(Format::Sflow5);
    }
    let message = Message::open(bytes).ok()?;
    let header = message.header;
    // Exports older than flow exports themselves (1996) or with nothing in them are chance.
    let recent = header.export >= Time::from_secs(820_454_400);
    let filled = header.format == Format::Ipfix || header.count > 0;
    let framed = header.format != Format::NetFlow9 || message.sets().all(|set| set.is_ok());
    (recent && filled && framed).then_some(header.format)
}

impl<'a> Message<'a> {
    /// Reads the header of a datagram (not of sFlow, see [`super::sflow::open`]).
    ///
    /// # Errors
    /// [`Fault::Header`] for anything else, [`Fault::MessageLength`] when the header claims more than there is.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut at = Cursor::new(bytes);
        let version = at.u16().ok_or(Fault::Header)?;
        match version {
            1 | 5 | 7 => Self::fixed(version, at),
            9 => Self::netflow9(at),
            10 => Self::ipfix(at),
            _ => Err(Fault::Header),
        }
    }

    /// Length of the IPFIX message at the start of `bytes`, by its header; files are such messages in a row.
    pub fn ipfix_bytes(bytes: &[u8]) -> Option<usize> {
        match bytes {
            [0, 10, high, low, ..] => {
                Some(usize::from(u16::from_be_bytes([*high, *low]))).filter(|&all| all >= 16)
            }
            _ => None,
        }
    }

    fn fixed(version: u16, mut at: Cursor<'a>) -> Result<Self, Fault> {
        let count = at.u16().ok_or(Fault::Header)?;
        let uptime_ms = at.u32().ok_or(Fault::Header)?;
        let export = stamp(&mut at).ok_or(Fault::Header)?;
        let mut header = Header {
            format: Format::NetFlow1,
            export,
            uptime_ms: Some(uptime_ms),
            sequence: 0,
            domain: 0,
            sampling: 0,
            count,
        };
        let record = match version {
            1 => V1_RECORD,
            5 => {
                header.format = Format::NetFlow5;
                header.sequence = at.u32().ok_or(Fault::Header)?;
                header.domain = at.u16().ok_or(Fault::Header)?.into();
                // Two bits of mode; exporters that sample set an interval with or without one.
                header.sampling = (at.u16().ok_or(Fault::Header)? & 0x3fff).into();
                V5_RECORD
            }
            _ => {
                header.format = Format::NetFlow7;
                header.sequence = at.u32().ok_or(Fault::Header)?;
                at.skip(4).ok_or(Fault::Header)?;
                V7_RECORD
            }
        };
        if usize::from(count) > V5_RECORDS_MAX {
            return Err(Fault::MessageLength);
        }
        let body = at.take(usize::from(count) * record).ok_or(Fault::MessageLength)?;
        Ok(Self { header, body })
    }

    fn netflow9(mut at: Cursor<'a>) -> Result<Self, Fault> {
        let mut read = || {
            Some(Header {
                count: at.u16()?,
                uptime_ms: Some(at.u32()?),
                export: Time::from_secs(at.u32()?.into()),
                sequence: at.u32()?,
                domain: at.u32()?,
                format: Format::NetFlow9,
                sampling: 0,
            })
        };
        let header = read().ok_or(Fault::Header)?;
        let body = at.rest();
        Ok(Self { header, body })
    }

    fn ipfix(mut at: Cursor<'a>) -> Result<Self, Fault> {
        let length = usize::from(at.u16().ok_or(Fault::Header)?);
        let mut read = || {
            Some(Header {
                export: Time::from_secs(at.u32()?.into()),
                sequence: at.u32()?,
                domain: at.u32()?,
                format: Format::Ipfix,
                uptime_ms: None,
                sampling: 0,
                count: 0,
            })
        };
        let header = read().ok_or(Fault::Header)?;
        let body_bytes = length.checked_sub(16).ok_or(Fault::MessageLength)?;
        let body = at.take(body_bytes).ok_or(Fault::MessageLength)?;
        Ok(Self { header, body })
    }

    /// The sets, in order. After the first fault nothing more comes.
    pub const fn sets(&self) -> Sets<'a> {
        Sets {
            format: self.header.format,
            rest: Cursor::new(self.body),
        }
    }
}

/// Seconds and nanoseconds, as in v1, v5 and v7.
fn stamp(at: &mut Cursor<'_>) -> Option<Time> {
    let secs = Time::from_secs(at.u32()?.into());
    Some(secs + i64::from(at.u32()?))
}

/// Iterator over the sets of a message.
#[derive(Clone, Debug)]
pub struct Sets<'a> {
    format: Format,
    rest: Cursor<'a>,
}

impl<'a> Sets<'a> {
    fn read(&mut self) -> Result<Set<'a>, Fault> {
        let id = self.rest.u16().ok_or(Fault::SetLength)?;
        let length = self.rest.u16().ok_or(Fault::SetLength)?;
        let body_bytes = usize::from(length).checked_sub(4).ok_or(Fault::SetLength)?;
        let body = self.rest.take(body_bytes).ok_or(Fault::SetLength)?;
        let ipfix = self.format == Format::Ipfix;
        match (id, ipfix) {
            (0, false) | (2, true) => Ok(Set::Templates(Definitions::new(body, ipfix, false))),
            (1, false) | (3, true) => Ok(Set::Templates(Definitions::new(body, ipfix, true))),
            (256.., _) => Ok(Set::Data { id, body }),
            _ => Err(Fault::SetId),
        }
    }
}

impl<'a> Iterator for Sets<'a> {
    type Item = Result<Set<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if matches!(
            self.format,
            Format::NetFlow1 | Format::NetFlow5 | Format::NetFlow7
        ) {
            let body = std::mem::replace(&mut self.rest, Cursor::new(&[]));
            return Some(Ok(Set::Fixed(body.rest())));
        }
        // Some exporters fill a v9 datagram with zeros to a fixed size.
        if self.format == Format::NetFlow9 && self.rest.rest().iter().all(|&byte| byte == 0) {
            return None;
        }
        let read = self.read();
        // A reserved id has a sound length: what follows can be read.
        if read.as_ref().is_err_and(|&fault| fault != Fault::SetId) {
            self.rest = Cursor::new(&[]);
        }
        Some(read)
    }
}
