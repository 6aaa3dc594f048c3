//! Flow exports as input: captures that carry them and IPFIX files, told by content, become batches as packets do.
//! Records are put in order of their end, because exporters send each flow when it expires and methods read time forward.

mod ipfix;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use weir_capture::{CaptureFile, RawPacket};
use weir_collector::Collector;
use weir_model::{Batch, FlowRecord, Need, Quantity, Time};
use weir_wire::export::sniff;
use weir_wire::packet::{L4, Net};

use crate::order::Order;
use ipfix::IpfixFile;

/// Packets looked at to learn what the records of a capture tell. Templates come within minutes.
const LOOK_PACKETS: u64 = 2_000;
/// Of those, packets that decide whether the capture is one of exports.
const DECIDE_PACKETS: u64 = 200;
/// Share of exports among them that decides, percent: the rest is ARP and the like on the collector's wire.
const EXPORTS_PERCENT: u64 = 90;
/// Records waiting to be put in order; some 60 MiB. Exporters hold flows back by up to their active time-out, and this
/// is five minutes at 400 records/s; faster inputs are in order over shorter stretches only.
const ORDER_MAX: usize = 131_072;
/// Sender assumed for IPFIX files, which name none.
const FILE_EXPORTER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// What the input holds when it is flow exports.
pub(crate) struct Exports {
    /// IPFIX messages in a row (RFC 5655) and not a capture?
    pub(crate) ipfix: bool,
    /// What the records offer to methods.
    pub(crate) have: Vec<Need>,
}

/// Tells by the first file whether the input is flow exports. Standard input cannot be looked at and counts as packets.
pub(crate) fn look(files: &[PathBuf]) -> Option<Exports> {
    let first = files.first().filter(|path| path.as_os_str() != "-")?;
    let (mut collector, mut flows) = (Collector::default(), Vec::new());
    let ipfix = if let Ok(Some(mut file)) = IpfixFile::open(first) {
        for _ in 0..LOOK_PACKETS {
            let Some((time, message)) = file.next() else { break };
            collector.datagram(FILE_EXPORTER, time, message, &mut flows);
            flows.clear();
        }
        true
    } else {
        let mut file = CaptureFile::open(first).ok()?;
        let (mut packets, mut exports) = (0, 0);
        let rare = |packets: u64, exports: u64| exports * 100 < packets * EXPORTS_PERCENT;
        while packets < LOOK_PACKETS
            && let Some(raw) = file.next()
        {
            packets += 1;
            if let Some((from, bytes)) = datagram(&raw)
                && sniff(bytes).is_some()
            {
                exports += 1;
                collector.datagram(from, raw.time, bytes, &mut flows);
                flows.clear();
            }
            if packets == DECIDE_PACKETS && rare(packets, exports) {
                return None;
            }
        }
        if packets == 0 || rare(packets, exports) {
            return None;
        }
        false
    };
    Some(Exports {
        ipfix,
        have: offers(&collector),
    })
}

/// What records as those seen so far offer to methods. Directions are paired where the exporter does not.
pub(crate) fn offers(collector: &Collector) -> Vec<Need> {
    let (flags, macs) = collector.tells_flags_and_macs();
    [
        (true, Need::BothDirections),
        (flags, Need::TcpFlags),
        (macs, Need::Macs),
        (!collector.sampled(), Need::Unsampled),
    ]
    .into_iter()
    .filter_map(|(offered, need)| offered.then_some(need))
    .collect()
}

/// Sender and payload of a UDP datagram that is no fragment.
fn datagram<'a>(raw: &RawPacket<'a>) -> Option<(SocketAddr, &'a [u8])> {
    let packet = weir_wire::decode(raw.link, raw.data, raw.frame_bytes);
    let Net::Ip(ip) = packet.net else { return None };
    match ip.transport {
        L4::Udp(udp) if ip.fragment.is_none() => Some((SocketAddr::new(ip.src, udp.src_port), udp.payload)),
        _ => None,
    }
}

/// Collecting in the place of metering: datagrams in, batches of records and ticks out, in one total order.
#[derive(Default)]
pub(crate) struct Collecting {
    collector: Collector,
    flows: Vec<FlowRecord>,
    order: Order,
    /// Packets that were no export.
    others: u64,
}

impl Collecting {
    /// Takes a packet of the capture.
    pub(crate) fn packet(&mut self, raw: &RawPacket<'_>, batch: &mut Batch) {
        match datagram(raw) {
            Some((from, bytes)) => self.take(from, raw.time, bytes, batch),
            None => self.others += 1,
        }
    }

    /// Reads an IPFIX file; `full` is called now and then and says whether to go on. Returns what was wrong, in words.
    pub(crate) fn ipfix_file(
        &mut self,
        path: &Path,
        batch: &mut Batch,
        mut full: impl FnMut(&mut Batch) -> bool,
    ) -> Option<String> {
        let mut file = match IpfixFile::open(path) {
            Ok(Some(file)) => file,
            Ok(None) => return Some("it is no IPFIX file, as the first was".into()),
            Err(error) => return Some(error.to_string()),
        };
        while let Some((time, message)) = file.next() {
            self.take(FILE_EXPORTER, time, message, batch);
            if batch.len() >= Batch::RECORDS_MAX && !full(batch) {
                break;
            }
        }
        file.trouble
    }

    fn take(&mut self, from: SocketAddr, time: Time, bytes: &[u8], batch: &mut Batch) {
        let mut flows = std::mem::take(&mut self.flows);
        self.collector.datagram(from, time, bytes, &mut flows);
        flows.drain(..).for_each(|flow| self.order.push(flow));
        self.flows = flows;
        while self.order.len() > ORDER_MAX {
            self.order.release(batch);
        }
    }

    /// Hands on up to a batch of what is left; true when that was all, with the last tick behind it.
    pub(crate) fn finish_some(&mut self, batch: &mut Batch) -> bool {
        let mut flows = Vec::new();
        self.collector.finish(&mut flows);
        flows.into_iter().for_each(|flow| self.order.push(flow));
        self.order.finish_some(batch)
    }

    /// What was collected, in lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let (counts, pairing) = (self.collector.counts(), self.collector.pairing());
        let number = Quantity::Count;
        let mut lines = vec![format!(
            "read as flow exports: {} records in {} messages of {} exporters; {} pairs, {} biflows, {} one-way",
            number(counts.records),
            number(counts.messages),
            self.collector.exporters().len(),
            number(pairing.pairs),
            number(pairing.biflows),
            number(pairing.lone),
        )];
        let mut lacks: Vec<String> = [
            ("lost by sequence", counts.lost),
            ("late or twice", counts.late),
            ("exporter restarts", counts.restarts),
            ("sets without template", counts.sets_parked - counts.sets_replayed),
            ("packets that are no export", self.others),
        ]
        .into_iter()
        .filter(|&(_, times)| times > 0)
        .map(|(what, times)| format!("{what} {times}"))
        .collect();
        lacks.extend(
            counts
                .faults()
                .map(|(fault, times)| format!("broken {} {times}", fault.word())),
        );
        let unknown = self.collector.unknown().named().count();
        if unknown > 0 {
            lacks.push(format!("unknown elements {unknown}"));
        }
        if !lacks.is_empty() {
            lines.push(format!("exports: {}", lacks.join(", ")));
        }
        lines
    }
}
