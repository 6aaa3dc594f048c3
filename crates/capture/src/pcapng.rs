//! The pcapng format: blocks with their length at both ends, several sections and interfaces in one file.
//!
//! A block whose two lengths differ is broken; the next sound block is looked for behind it. Unknown blocks
//! are passed over. Interfaces are numbered through the whole file, because every section counts from 0
//! again. Format: draft-ietf-opsawg-pcapng; the obsolete Packet Block is read too.

use weir_model::Time;

use crate::interface::Interface;
use crate::reading::{Order, RESYNC_BYTES, Reading, Record};

pub(crate) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const BYTE_ORDER_LITTLE: [u8; 4] = [0x4d, 0x3c, 0x2b, 0x1a];
const BYTE_ORDER_BIG: [u8; 4] = [0x1a, 0x2b, 0x3c, 0x4d];

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAME_RESOLUTION: u32 = 4;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
const CUSTOM: u32 = 0x0bad;
const CUSTOM_LOCAL: u32 = 0x4000_0bad;

/// Type and length before the body, length behind it.
const FRAMING_BYTES: usize = 12;
/// Bytes of a block that is read whole. Packets are at most 256 KiB; options and names are small.
const BLOCK_BYTES_MAX: usize = 1 << 20;
/// Bytes of a block that is passed over unread, such as a long key log: what Wireshark allows.
const SKIPPED_BYTES_MAX: usize = 16 << 20;
/// Interfaces in one section; captures on hosts with very many virtual ones have some hundreds.
const INTERFACES_MAX: usize = 65_536;

/// Reader of one pcapng file.
pub(crate) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Interfaces of the sections before this one.
    interfaces_before: u32,
    /// Time of the last packet, which Simple Packet Blocks borrow: they have none.
    last: Time,
}

/// First fields of a block.
#[derive(Clone, Copy)]
struct Head {
    kind: u32,
    order: Order,
    bytes: usize,
}

/// What a block gave.
enum Content {
    Packet(Record),
    Nothing,
    /// Its fields contradict each other.
    Corrupt,
}

impl Pcapng {
    pub(crate) fn new() -> Self {
        Self {
            order: Order::Little,
            interfaces: Vec::new(),
            interfaces_before: 0,
            last: Time(0),
        }
    }

    /// The next packet.
    pub(crate) fn next(&mut self, reading: &mut Reading) -> Option<Record> {
        loop {
            let bytes = reading.window.fill(FRAMING_BYTES);
            if bytes.len() < FRAMING_BYTES {
                let incomplete = (!bytes.is_empty()).then_some("the header of the last block");
                reading.end(incomplete);
                return None;
            }
            match self.head_at(bytes, 0) {
                Some(head) if head.bytes <= BLOCK_BYTES_MAX => {
                    if let Some(record) = self.block(reading, head)? {
                        return Some(record);
                    }
                }
                Some(head) if !is_packet(head.kind) => self.pass_over(reading, head)?,
                _ => self.resync_or_end(reading)?,
            }
        }
    }

    /// One block that fits the window; outer `None` ends the file.
    fn block(&mut self, reading: &mut Reading, head: Head) -> Option<Option<Record>> {
        let available = reading.window.fill(head.bytes);
        let Some(block) = available.get(..head.bytes) else {
            if !self.resync(reading) {
                reading.end(Some("the last block"));
                return None;
            }
            return Some(None);
        };
        if !is_closed(block, head) {
            self.resync_or_end(reading)?;
            return Some(None);
        }
        let body = block.get(8..head.bytes - 4).unwrap_or_default();
        match self.content(body, head) {
            Content::Packet(mut record) => {
                record.position += reading.window.position() + 8;
                reading.window.pass(head.bytes);
                Some(Some(record))
            }
            Content::Nothing => {
                reading.window.pass(head.bytes);
                Some(None)
            }
            Content::Corrupt => {
                reading.skip_corrupt(head.bytes, "a block");
                Some(None)
            }
        }
    }

    #[inline]
    fn content(&mut self, body: &[u8], head: Head) -> Content {
        let content = match head.kind {
            ENHANCED_PACKET => self.enhanced_packet(body, self.order.u32_at(body, 0)),
            // Interface and drop counter were 16 bits each; what follows is the same.
            PACKET => self.enhanced_packet(body, self.order.u16_at(body, 0).map(u32::from)),
            SIMPLE_PACKET => self.simple_packet(body),
            INTERFACE => self.interface(body),
            SECTION => self.section(body, head.order),
            _ => Some(Content::Nothing),
        };
        content.unwrap_or(Content::Corrupt)
    }

    /// A new section: its byte order holds from here, and its interfaces count from 0.
    fn section(&mut self, body: &[u8], order: Order) -> Option<Content> {
        if order.u16_at(body, 4)? != 1 {
            return None;
        }
        self.order = order;
        let count = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        self.interfaces_before = self.interfaces_before.saturating_add(count);
        self.interfaces.clear();
        Some(Content::Nothing)
    }

    fn interface(&mut self, body: &[u8]) -> Option<Content> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return None;
        }
        self.interfaces.push(Interface::parse(body, self.order)?);
        Some(Content::Nothing)
    }

    /// Enhanced Packet Block: interface, time in two halves, length kept, length on the wire, packet,
    /// options.
    #[inline]
    fn enhanced_packet(&mut self, body: &[u8], id: Option<u32>) -> Option<Content> {
        let id = id?;
        let interface = self.interfaces.get(id as usize)?;
        let (&[_, _, _, _, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p], packet) =
            body.split_first_chunk()?;
        let ticks = u64::from(self.order.u32([a, b, c, d])) << 32 | u64::from(self.order.u32([e, f, g, h]));
        let kept_bytes = self.order.u32([i, j, k, l]);
        if kept_bytes as usize > packet.len() {
            return None;
        }
        let time = interface.time(ticks);
        self.last = time;
        Some(Content::Packet(Record {
            time,
            link: interface.link,
            frame_bytes: self.order.u32([m, n, o, p]).max(kept_bytes),
            interface: self.interfaces_before.saturating_add(id),
            position: 20,
            kept_bytes: kept_bytes as usize,
        }))
    }

    /// Simple Packet Block: length on the wire and packet of the first interface, cut at its snap length.
    fn simple_packet(&mut self, body: &[u8]) -> Option<Content> {
        let interface = self.interfaces.first()?;
        let frame_bytes = self.order.u32_at(body, 0)?;
        let snap_bytes = if interface.snap_bytes == 0 {
            u32::MAX
        } else {
            interface.snap_bytes
        };
        Some(Content::Packet(Record {
            time: self.last,
            link: interface.link,
            frame_bytes,
            interface: self.interfaces_before,
            position: 4,
            kept_bytes: (frame_bytes.min(snap_bytes) as usize).min(body.len() - 4),
        }))
    }

    /// Type, byte order and length at a place; `None` when they make no sense.
    #[inline]
    fn head_at(&self, bytes: &[u8], at: usize) -> Option<Head> {
        let (kind, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let order = if *kind != SECTION_HEADER {
            self.order
        } else {
            match *rest.first_chunk::<4>()? {
                BYTE_ORDER_LITTLE => Order::Little,
                BYTE_ORDER_BIG => Order::Big,
                _ => return None,
            }
        };
        let bytes = order.u32(*length) as usize;
        let sane = (FRAMING_BYTES..=SKIPPED_BYTES_MAX).contains(&bytes) && bytes.is_multiple_of(4);
        sane.then_some(Head {
            kind: order.u32(*kind),
            order,
            bytes,
        })
    }

    /// A block too long to be read whole, in steps of the window; `None` ends the file.
    fn pass_over(&mut self, reading: &mut Reading, head: Head) -> Option<()> {
        let mut left = head.bytes - 4;
        while left > 0 {
            let step = left.min(BLOCK_BYTES_MAX);
            if reading.window.fill(step).len() < step {
                reading.end(Some("the last block"));
                return None;
            }
            reading.window.pass(step);
            left -= step;
        }
        let trailer = head.order.u32_at(reading.window.fill(4), 0);
        if trailer.map(|bytes| bytes as usize) == Some(head.bytes) {
            reading.window.pass(4);
            return Some(());
        }
        self.resync_or_end(reading)
    }

    fn resync_or_end(&mut self, reading: &mut Reading) -> Option<()> {
        if self.resync(reading) {
            return Some(());
        }
        reading.end_corrupt("a block");
        None
    }

    /// Moves to the next block of a known type whose two lengths agree; false when there is none.
    fn resync(&self, reading: &mut Reading) -> bool {
        let bytes = reading.window.fill(RESYNC_BYTES + BLOCK_BYTES_MAX);
        let found = (1..bytes.len().min(RESYNC_BYTES)).find(|&at| {
            self.head_at(bytes, at)
                .filter(|head| is_known(head.kind))
                .is_some_and(|head| {
                    bytes
                        .get(at..at + head.bytes)
                        .is_some_and(|block| is_closed(block, head))
                })
        });
        match found {
            Some(at) => {
                reading.skip_corrupt(at, "a block");
                true
            }
            None => false,
        }
    }
}

/// Does the block end with the length it began with?
#[inline]
fn is_closed(block: &[u8], head: Head) -> bool {
    let trailer = block.last_chunk::<4>().map(|length| head.order.u32(*length));
    trailer.map(|bytes| bytes as usize) == Some(head.bytes)
}

fn is_packet(kind: u32) -> bool {
    matches!(kind, PACKET | SIMPLE_PACKET | ENHANCED_PACKET)
}

fn is_known(kind: u32) -> bool {
    let other = matches!(
        kind,
        NAME_RESOLUTION | INTERFACE_STATISTICS | DECRYPTION_SECRETS | CUSTOM | CUSTOM_LOCAL
    );
    other || is_packet(kind) || matches!(kind, SECTION | INTERFACE)
}
