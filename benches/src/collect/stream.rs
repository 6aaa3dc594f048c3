//! NetFlow v9 as a busy edge exporter sends it: 13 fields, 35 bytes a record, 30 records a datagram, both directions of
//! every flow one behind the other. Made once and sent round after round with fresh numbers and times.

use std::net::IpAddr;

use weir_model::FlowRecord;
use weir_wire::export::{Field, Template};

use crate::store::flows::{Flows, Settings};

/// Records in a datagram.
pub const RECORDS: usize = 30;
/// Element and width of each field, in the order of template 256; the others turn it round.
const FIELDS: [(u16, u16); 13] = [
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (6, 1),
    (5, 1),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (10, 2),
    (14, 2),
];
const RECORD_BYTES: usize = 35;
const HEADER_BYTES: usize = 20;
const TEMPLATE_MIN: u16 = 256;
/// Uptime of the exporter when the stream begins, milliseconds.
const UPTIME_MS: u32 = 100_000_000;

/// Datagrams of one exporter.
pub struct Stream {
    datagrams: Vec<Vec<u8>>,
    templates: u16,
    next: usize,
    sequence: u32,
}

/// One direction of a flow, ready to be written.
struct Record {
    ends: [(u32, u16); 2],
    flow: FlowRecord,
}

impl Stream {
    /// A stream of so many different datagrams, whose records use so many templates in turn.
    #[must_use]
    pub fn new(seed: u64, datagrams: usize, templates: u16) -> Self {
        let records = flows(seed, datagrams * RECORDS / 2).flat_map(both).collect();
        Self::of(records, templates)
    }

    /// As [`Stream::new`], of flows that nobody answers.
    #[must_use]
    pub fn one_way(seed: u64, datagrams: usize, templates: u16) -> Self {
        let there = |flow| {
            let [there, _] = both(flow);
            there
        };
        Self::of(flows(seed, datagrams * RECORDS).map(there).collect(), templates)
    }

    fn of(records: Vec<Record>, templates: u16) -> Self {
        let datagrams = records.chunks(RECORDS).enumerate().map(|(at, records)| {
            let template = at as u16 % templates;
            let length = 4 + records.len() * RECORD_BYTES;
            let padding = length.next_multiple_of(4) - length;
            let mut bytes = header(records.len() as u16);
            bytes.extend((TEMPLATE_MIN + template).to_be_bytes());
            bytes.extend(((length + padding) as u16).to_be_bytes());
            for record in records {
                record.write(template, &mut bytes);
            }
            bytes.resize(bytes.len() + padding, 0);
            bytes
        });
        Self {
            datagrams: datagrams.collect(),
            templates,
            next: 0,
            sequence: 0,
        }
    }

    /// The first template, and the data set of the first datagram without its header.
    #[must_use]
    pub fn first(&self) -> (Template, Vec<u8>) {
        let field = |at: usize| Field {
            pen: 0,
            id: FIELDS[at].0,
            width: FIELDS[at].1,
        };
        let template = Template {
            id: TEMPLATE_MIN,
            scope_fields: 0,
            fields: order(0).map(field).collect(),
        };
        (template, self.datagrams[0][HEADER_BYTES + 4..].to_vec())
    }

    /// The datagram that defines the templates, exported at this second after so many milliseconds of the stream.
    pub fn define(&mut self, export_s: u32, elapsed_ms: u32) -> Vec<u8> {
        let mut bytes = header(self.templates);
        let length = 4 + usize::from(self.templates) * (4 + FIELDS.len() * 4);
        bytes.extend([0, length as u16].map(u16::to_be_bytes).concat());
        for template in 0..self.templates {
            bytes.extend(
                [TEMPLATE_MIN + template, FIELDS.len() as u16]
                    .map(u16::to_be_bytes)
                    .concat(),
            );
            for at in order(template) {
                let (element, width) = FIELDS[at];
                bytes.extend([element, width].map(u16::to_be_bytes).concat());
            }
        }
        stamp(&mut bytes, export_s, elapsed_ms, self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
        bytes
    }

    /// The next datagram of [`RECORDS`] records, stamped likewise.
    pub fn next(&mut self, export_s: u32, elapsed_ms: u32) -> &[u8] {
        let at = self.next;
        self.next = (self.next + 1) % self.datagrams.len();
        let bytes = &mut self.datagrams[at];
        stamp(bytes, export_s, elapsed_ms, self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
        bytes
    }
}

fn flows(seed: u64, flows: usize) -> Flows {
    Flows::new(Settings {
        seed,
        flows: flows as u64,
        seconds: 60,
    })
}

fn header(count: u16) -> Vec<u8> {
    let mut bytes = [9, count].map(u16::to_be_bytes).concat();
    bytes.resize(HEADER_BYTES, 0);
    bytes
}

fn stamp(bytes: &mut [u8], export_s: u32, elapsed_ms: u32, sequence: u32) {
    let numbers = [UPTIME_MS.wrapping_add(elapsed_ms), export_s, sequence, 0];
    bytes[4..HEADER_BYTES].copy_from_slice(&numbers.map(u32::to_be_bytes).concat());
}

/// Fields of a template, in order.
fn order(template: u16) -> impl Iterator<Item = usize> {
    (0..FIELDS.len()).map(move |at| (at + usize::from(template)) % FIELDS.len())
}

/// The flow's record and its answer's.
fn both(flow: FlowRecord) -> [Record; 2] {
    let bits = |ip| match ip {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(_) => 0,
    };
    let from = (bits(flow.key.initiator_ip), flow.key.initiator_port);
    let to = (bits(flow.key.responder_ip), flow.key.responder_port);
    let there = Record {
        ends: [from, to],
        flow: flow.clone(),
    };
    let back = Record {
        ends: [to, from],
        flow,
    };
    [there, back]
}

impl Record {
    fn write(&self, template: u16, out: &mut Vec<u8>) {
        let [(src, src_port), (dst, dst_port)] = self.ends;
        let flow = &self.flow;
        let duration_ms = (flow.end.since(flow.start) / 1_000_000) as u32;
        let values: [u32; FIELDS.len()] = [
            src,
            dst,
            src_port.into(),
            dst_port.into(),
            flow.key.proto.into(),
            flow.forward_flags.into(),
            flow.tos.into(),
            flow.forward.packets as u32,
            flow.forward.bytes as u32,
            UPTIME_MS - 1_000 - duration_ms,
            UPTIME_MS - 1_000,
            1,
            2,
        ];
        for at in order(template) {
            let width = usize::from(FIELDS[at].1);
            out.extend(&values[at].to_be_bytes()[4 - width..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use weir_collector::Collector;
    use weir_model::Time;

    use super::*;

    #[test]
    fn every_record_is_taken_and_paired() {
        let mut stream = Stream::new(1, 40, 20);
        let (mut collector, mut out) = (Collector::default(), Vec::new());
        let from = SocketAddr::from(([192, 0, 2, 1], 2055));
        let arrival = Time::from_secs(1_790_000_000);
        collector.datagram(from, arrival, &stream.define(1_790_000_000, 0), &mut out);
        for _ in 0..80 {
            collector.datagram(from, arrival, stream.next(1_790_000_000, 0), &mut out);
        }
        collector.finish(&mut out);
        let (counts, pairing) = (collector.counts(), collector.pairing());
        assert_eq!((counts.records, counts.templates), (80 * RECORDS as u64, 20));
        assert_eq!((counts.lost, counts.malformed, pairing.lone), (0, 0, 0));
        assert_eq!(out.len(), 40 * RECORDS);
        assert!(
            out.iter()
                .any(|flow| flow.key.responder_port == 443 && flow.forward.packets > 0)
        );
    }
}
