//! Files of nfdump (`nfcapd`), layout 1 (nfdump 1.5 and 1.6) and layout 2 (1.7): a header, then blocks of records, each
//! packed by itself or not. Layouts as nfdump's headers nffile.h, nffileV2.h and nfxV3.h define them, little-endian.

mod lzo;
mod unpack;
mod v1;
mod v3;

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;

use weir_model::FlowRecord;
use weir_wire::Cursor;
use weir_wire::export::{Moment, Row};

use super::{Bad, FileCounts, Reader, Untold, told};
use unpack::Packing;
use v1::Maps;

/// How such files begin on machines of the usual byte order.
pub(super) const MAGIC: [u8; 2] = [0x0c, 0xa5];
/// And on others.
const MAGIC_BIG_ENDIAN: [u8; 2] = [0xa5, 0x0c];
/// Header and statistics of layout 1, header of layout 2.
const V1_HEADER_BYTES: usize = 276;
const V2_HEADER_BYTES: usize = 40;
const BLOCK_HEADER_BYTES: usize = 12;
/// Largest block, packed or not; nfdump fills blocks of 1 to 2 MiB, in buffers of at most 10.
const BLOCK_BYTES_MAX: usize = 16 << 20;
/// Exporters, and their samplers, told apart by their numbers in the file.
const EXPORTERS_MAX: usize = 65_536;
/// Types of records of both layouts.
const EXTENSION_MAP: u16 = 2;
const EXPORTER: u16 = 7;
const SAMPLER: u16 = 9;
/// Types of flow records: two of layout 1, one of layout 2.
const FLOW_V0: u16 = 1;
const FLOW_V1: u16 = 10;
const FLOW_V3: u16 = 11;
/// Family of an exporter's address (Linux numbers).
const FAMILY_IP6: u16 = 10;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    version: u16,
    packing: Packing,
    header_bytes: usize,
}

impl Layout {
    fn of(head: &[u8]) -> Result<Self, String> {
        let cut = || "it is an nfdump file whose header is cut".to_owned();
        if head.starts_with(&MAGIC_BIG_ENDIAN) {
            return Err(
                "it is an nfdump file of a big-endian machine; export it there with `nfdump -o csv`".into(),
            );
        }
        let mut at = Cursor::new(head);
        at.skip(2).ok_or_else(cut)?;
        let version = at.u16_le().ok_or_else(cut)?;
        let flags = at.u32_le().ok_or_else(cut)?;
        match version {
            1 => Ok(Self {
                version,
                packing: Packing::of_flags(flags),
                header_bytes: V1_HEADER_BYTES,
            }),
            2 => {
                at.skip(8).ok_or_else(cut)?;
                let (packing, encryption) = (at.u8().ok_or_else(cut)?, at.u8().ok_or_else(cut)?);
                if encryption != 0 {
                    return Err("it is an encrypted nfdump file; decrypt it with nfdump first".into());
                }
                let packing = Packing::of_number(packing).ok_or_else(|| {
                    format!("it is an nfdump file of compression {packing}, which Weir does not know; rewrite it with `nfdump -J 0`")
                })?;
                Ok(Self {
                    version,
                    packing,
                    header_bytes: V2_HEADER_BYTES,
                })
            }
            other => Err(format!(
                "it is an nfdump file of layout {other}; Weir reads layouts 1 and 2 (nfdump 1.5 to 1.7)"
            )),
        }
    }
}

/// Is this such a file?
///
/// # Errors
/// When it is one that cannot be read.
pub(super) fn check(head: &[u8]) -> Result<bool, Untold> {
    if !head.starts_with(&MAGIC) && !head.starts_with(&MAGIC_BIG_ENDIAN) {
        return Ok(false);
    }
    Layout::of(head).map(|_| true).map_err(|why| Untold(Some(why)))
}

/// An nfdump file being read.
pub(super) struct Nfcapd {
    stream: Box<dyn Read + Send>,
    layout: Option<Layout>,
    packed: Vec<u8>,
    known: Known,
    trouble: Option<String>,
}

/// What records refer to.
#[derive(Default)]
struct Known {
    maps: Maps,
    exporters: HashMap<u16, IpAddr>,
    /// Sampling interval by exporter.
    samplers: HashMap<u16, u32>,
}

impl Nfcapd {
    pub(super) fn new(stream: Box<dyn Read + Send>) -> Self {
        let mut file = Self {
            stream,
            layout: None,
            packed: Vec::new(),
            known: Known::default(),
            trouble: None,
        };
        let mut head = Vec::new();
        file.fill(&mut head, V2_HEADER_BYTES);
        match Layout::of(&head) {
            Ok(layout) => {
                let rest = layout.header_bytes.saturating_sub(head.len());
                file.layout = file.whole(&mut head, rest).map(|()| layout);
            }
            Err(why) => file.trouble = Some(why),
        }
        file
    }

    /// Reads up to `bytes` more into `into`; how many there were. `None`, with trouble, when reading failed.
    fn fill(&mut self, into: &mut Vec<u8>, bytes: usize) -> Option<usize> {
        let read = self.stream.by_ref().take(bytes as u64).read_to_end(into);
        match read {
            Ok(there) => Some(there),
            Err(error) => {
                self.trouble = Some(format!("reading failed: {error}"));
                None
            }
        }
    }

    /// Reads `bytes` more into `into`; `None`, with trouble, when they are not all there.
    fn whole(&mut self, into: &mut Vec<u8>, bytes: usize) -> Option<()> {
        let there = self.fill(into, bytes)?;
        if there < bytes {
            self.trouble = Some("it is cut".into());
        }
        (there == bytes).then_some(())
    }

    /// Reads the next block and unpacks it: its id and records. `None` at the end, early or not.
    fn block(&mut self, layout: Layout) -> Option<Result<(u16, Vec<u8>), Bad>> {
        let mut head = Vec::with_capacity(BLOCK_HEADER_BYTES);
        // Nothing behind the last block is how a file ends.
        if self.fill(&mut head, 1)? == 0 {
            return None;
        }
        self.whole(&mut head, BLOCK_HEADER_BYTES - 1)?;
        let mut at = Cursor::new(&head);
        at.skip(4)?;
        let bytes = at.u32_le()? as usize;
        let (id, flags) = (at.u16_le()?, at.u16_le()?);
        if bytes > BLOCK_BYTES_MAX {
            self.trouble = Some(format!("a block claims {bytes} bytes; the rest was not read"));
            return None;
        }
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        let whole = self.whole(&mut packed, bytes);
        let packing = if flags & 1 != 0 {
            Packing::None
        } else {
            layout.packing
        };
        let records = packing.unpack(&packed, BLOCK_BYTES_MAX);
        self.packed = packed;
        whole.map(|()| records.map(|records| (id, records)).ok_or(Bad::Block))
    }
}

impl Reader for Nfcapd {
    fn step(&mut self, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> bool {
        let Some(layout) = self.layout else {
            return false;
        };
        let Some(block) = self.block(layout) else {
            return false;
        };
        match block {
            // Blocks of flows are 2 in layout 1 and 3 in layout 2; others hold statistics and catalogues.
            Ok((id @ (2 | 3), records)) if id == layout.version + 1 => {
                self.known.records(&records, counts, out)
            }
            Ok(_) => {}
            Err(reason) => counts.bad(reason),
        }
        true
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}

impl Known {
    /// Reads the records of a block: type and size, then what the type says.
    fn records(&mut self, block: &[u8], counts: &mut FileCounts, out: &mut Vec<FlowRecord>) {
        let mut at = Cursor::new(block);
        while !at.is_empty() {
            let record = (|| {
                let mut ahead = at;
                let (kind, bytes) = (ahead.u16_le()?, ahead.u16_le()?);
                let body = ahead.take(usize::from(bytes).checked_sub(4)?)?;
                at = ahead;
                Some((kind, body))
            })();
            let Some((kind, body)) = record else {
                // Without a sound length nothing behind can be found.
                return counts.bad(Bad::Record);
            };
            let taken = match kind {
                FLOW_V0 | FLOW_V1 => self.flow(self.maps.flow(kind == FLOW_V1, body), counts, out),
                FLOW_V3 => self.flow(v3::flow(body), counts, out),
                EXTENSION_MAP => self.maps.learn(body),
                EXPORTER => self.exporter(body),
                SAMPLER => self.sampler(body),
                _ => Some(()),
            };
            if taken.is_none() {
                counts.bad(Bad::Record);
            }
        }
    }

    /// Makes a flow record of what a record tells.
    fn flow(&self, told: Option<Told>, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Option<()> {
        let mut told = told?;
        if told.row.src.is_none() || told.event && told.row.packets == 0 && told.row.reverse_packets.is_none()
        {
            counts.others += 1;
            return Some(());
        }
        let exporter = told
            .exporter
            .or_else(|| self.exporters.get(&told.exporter_number).copied());
        let mut sampling = 1;
        if told.scaled {
            // nfdump multiplies when it collects; the raw counters are what was counted.
            match self.samplers.get(&told.exporter_number) {
                Some(&interval) => {
                    sampling = interval;
                    told.row.packets /= u64::from(interval);
                    told.row.bytes /= u64::from(interval);
                }
                None => counts.scaled += 1,
            }
        }
        out.push(told::flow(&told.row, exporter, sampling)?);
        Some(())
    }

    fn exporter(&mut self, body: &[u8]) -> Option<()> {
        let mut at = Cursor::new(body);
        at.skip(4)?;
        let (high, low) = (at.u64_le()?, at.u64_le()?);
        let (family, number) = (at.u16_le()?, at.u16_le()?);
        let address = match family {
            FAMILY_IP6 => ip6(high, low),
            // The address of four bytes stands in the lower half, in its first four bytes.
            _ => ip4(low as u32),
        };
        if self.exporters.len() < EXPORTERS_MAX {
            self.exporters.insert(number, address);
        }
        Some(())
    }

    fn sampler(&mut self, body: &[u8]) -> Option<()> {
        let mut at = Cursor::new(body);
        at.skip(4)?;
        let interval = at.u32_le()?;
        at.skip(2)?;
        let number = at.u16_le()?;
        if interval > 1 && self.samplers.len() < EXPORTERS_MAX {
            self.samplers.insert(number, interval);
        }
        Some(())
    }
}

/// What a flow record of either layout tells.
#[derive(Default)]
struct Told {
    row: Row,
    /// Number of the exporter in the file, and its address where the record itself has it.
    exporter_number: u16,
    exporter: Option<IpAddr>,
    /// Counters were multiplied by the sampling interval.
    scaled: bool,
    /// Tells of a firewall's or translator's event.
    event: bool,
    /// Counters "out": what came back, what was sent on, or nothing.
    out_packets: u64,
    out_bytes: u64,
}

impl Told {
    fn endpoints(&mut self, src: IpAddr, dst: IpAddr) {
        (self.row.src, self.row.dst) = (Some(src.to_canonical()), Some(dst.to_canonical()));
    }

    fn times(&mut self, first_ms: u64, last_ms: u64) {
        let nanos = |millis: u64| {
            i64::try_from(millis)
                .unwrap_or(i64::MAX)
                .saturating_mul(1_000_000)
        };
        (self.row.start, self.row.end) = (Moment::Unix(nanos(first_ms)), Moment::Unix(nanos(last_ms)));
    }

    /// Settles what the counters "out" are. nfdump stores there what an exporter of biflows saw of the answer, and also
    /// what a router sent on of the same packets: the same figures mean the latter. Zeros may mean that no answer came
    /// or that none was looked for, so the reverse stays unknown.
    fn settle(mut self) -> Self {
        let row = &mut self.row;
        if self.out_packets > 0 && row.packets == 0 {
            (row.packets, row.bytes) = (self.out_packets, self.out_bytes);
        } else if self.out_packets > 0 && self.out_packets != row.packets {
            (row.reverse_packets, row.reverse_bytes) = (Some(self.out_packets), Some(self.out_bytes));
        }
        self
    }
}

fn ip4(bits: u32) -> IpAddr {
    IpAddr::from(bits.to_be_bytes())
}

fn ip6(high: u64, low: u64) -> IpAddr {
    IpAddr::from((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

/// A hardware address in the lower six bytes; zero is none.
fn mac(number: u64) -> Option<weir_model::Mac> {
    let [_, _, bytes @ ..] = number.to_be_bytes();
    Some(weir_model::Mac(bytes)).filter(|mac| !mac.is_zero())
}
