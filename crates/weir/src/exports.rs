//! Flow exports as input: captures that carry them and IPFIX files, told by content, become batches as packets do.
//! Records are put in order of their end, because exporters send each flow when it expires and methods read time forward.

mod files;
mod ipfix;
mod records;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use weir_capture::{CaptureFile, Input, RawPacket};
use weir_collector::{Collector, ExporterReport};
use weir_model::{Batch, FlowRecord, Need, Quantity, Time};
use weir_wire::export::sniff;
use weir_wire::packet::{L4, Net};

use crate::order::Order;
use files::Files;
pub(crate) use records::RecordFile;
use records::{Content, FILE_EXPORTER};

/// Packets looked at to learn what the records of a capture tell. Templates come within minutes.
const LOOK_PACKETS: u64 = 2_000;
/// Of those, packets that decide whether the capture is one of exports.
const DECIDE_PACKETS: u64 = 200;
/// Share of exports among them that decides, percent: the rest is ARP and the like on the collector's wire.
const EXPORTS_PERCENT: u64 = 90;
/// Records waiting to be put in order; some 60 MiB. Exporters hold flows back by up to their active time-out, and this
/// is five minutes at 400 records/s; faster inputs are in order over shorter stretches only.
const ORDER_MAX: usize = 131_072;

/// What the input holds, by its first file.
pub(crate) enum Looked {
    /// Packets. A file is open already where it can be opened only once (standard input).
    Packets(Option<Box<CaptureFile>>),
    /// Flow exports.
    Exports(Exports),
    /// The first file cannot be read: why, in words.
    Failed(String),
}

/// Input that is flow exports.
pub(crate) struct Exports {
    /// What the records offer to methods.
    pub(crate) have: Vec<Need>,
    /// The first file, when it holds records and not packets with exports in them.
    pub(crate) first: Option<RecordFile>,
}

/// Tells by the first file whether the input is flow exports. A capture from standard input cannot be looked through and
/// counts as packets.
pub(crate) fn look(files: &[PathBuf]) -> Looked {
    let Some(first) = files.first() else {
        return Looked::Packets(None);
    };
    match Input::open(first) {
        Ok(Input::Capture(file)) if first.as_os_str() == "-" => Looked::Packets(Some(file)),
        Ok(Input::Capture(file)) => match look_through(*file) {
            Some(have) => Looked::Exports(Exports { have, first: None }),
            None => Looked::Packets(None),
        },
        Ok(Input::Other(other)) => match RecordFile::open(other) {
            Ok(file) => Looked::Exports(Exports {
                have: file.have.clone(),
                first: Some(file),
            }),
            Err(error) => Looked::Failed(error.to_string()),
        },
        Err(error) => Looked::Failed(error.to_string()),
    }
}

/// What the exports in a capture offer; `None` when it is not one of exports.
fn look_through(mut file: CaptureFile) -> Option<Vec<Need>> {
    let (mut collector, mut flows) = (Collector::default(), Vec::new());
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
    Some(collector.counts().offers())
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
    /// Records read from files that are no exports on the wire.
    files: Files,
}

impl Collecting {
    /// Takes a packet of the capture.
    pub(crate) fn packet(&mut self, raw: &RawPacket<'_>, batch: &mut Batch) {
        match datagram(raw) {
            Some((from, bytes)) => self.take(from, raw.time, bytes, batch),
            None => self.others += 1,
        }
    }

    /// Reads a file of flow records; `full` is called now and then with the batch and says whether to go on. Returns what
    /// was wrong, in words.
    pub(crate) fn record_file(
        &mut self,
        file: RecordFile,
        batch: &mut Batch,
        mut full: impl FnMut(&mut Batch, u64) -> bool,
    ) -> Option<String> {
        let bytes_read = file.bytes_read;
        let mut full = |batch: &mut Batch| {
            batch.len() < Batch::RECORDS_MAX || full(batch, bytes_read.load(Ordering::Relaxed))
        };
        match file.content {
            Content::Ipfix(mut file) => {
                while let Some((time, message)) = file.next() {
                    self.take(FILE_EXPORTER, time, message, batch);
                    if !full(batch) {
                        break;
                    }
                }
                file.trouble
            }
            Content::Flows(mut file) => {
                let (mut read, mut ready, mut more) = (Vec::new(), Vec::new(), true);
                while more {
                    more = file.step(&mut read);
                    self.files.pair(file.kind(), &mut read, &mut ready);
                    ready.drain(..).for_each(|flow| self.order.push(flow));
                    self.release_surplus(batch);
                    more &= full(batch);
                }
                self.files.count(&file);
                file.trouble()
            }
        }
    }

    fn take(&mut self, from: SocketAddr, time: Time, bytes: &[u8], batch: &mut Batch) {
        let mut flows = std::mem::take(&mut self.flows);
        self.collector.datagram(from, time, bytes, &mut flows);
        flows.drain(..).for_each(|flow| self.order.push(flow));
        self.flows = flows;
        self.release_surplus(batch);
    }

    fn release_surplus(&mut self, batch: &mut Batch) {
        while self.order.len() > ORDER_MAX {
            self.order.release(batch);
        }
    }

    /// Hands on up to a batch of what is left; true when that was all, with the last tick behind it.
    pub(crate) fn finish_some(&mut self, batch: &mut Batch) -> bool {
        let mut flows = Vec::new();
        self.collector.finish(&mut flows);
        self.files.finish(&mut flows);
        flows.into_iter().for_each(|flow| self.order.push(flow));
        self.order.finish_some(batch)
    }

    /// Who exported.
    pub(crate) fn exporters(&self) -> Vec<ExporterReport> {
        self.collector.exporters()
    }

    /// What was collected, in lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = self.files.lines();
        let (counts, pairing) = (self.collector.counts(), self.collector.pairing());
        if counts.messages == 0 && !lines.is_empty() {
            return lines;
        }
        let number = Quantity::Count;
        lines.push(format!(
            "read as flow exports: {} records in {} messages of {} exporters; {} pairs, {} biflows, {} one-way",
            number(counts.records),
            number(counts.messages),
            self.collector.exporters().len(),
            number(pairing.pairs),
            number(pairing.biflows),
            number(pairing.lone),
        ));
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
