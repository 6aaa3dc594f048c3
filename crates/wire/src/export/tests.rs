//! Export formats: hand-made messages whose values are known, and bytes that mean harm.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use weir_model::Time;

use super::elements::PEN_REVERSE;
use super::*;

/// A message written field by field.
#[derive(Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Bytes {
    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }
    pub(super) fn u16(mut self, values: &[u16]) -> Self {
        self.0.extend(values.iter().flat_map(|value| value.to_be_bytes()));
        self
    }
    pub(super) fn u32(mut self, values: &[u32]) -> Self {
        self.0.extend(values.iter().flat_map(|value| value.to_be_bytes()));
        self
    }
    pub(super) fn set(self, id: u16, body: Self) -> Self {
        let length = body.0.len() as u16 + 4;
        let mut all = self.u16(&[id, length]);
        all.0.extend(body.0);
        all
    }
    pub(super) fn ipfix(self) -> Vec<u8> {
        let length = self.0.len() as u16 + 16;
        let mut all = Self::default().u16(&[10, length]).u32(&[1_700_000_000, 7, 42]).0;
        all.extend(self.0);
        all
    }
    fn v9(self, count: u16) -> Vec<u8> {
        let mut all = Self::default()
            .u16(&[9, count])
            .u32(&[60_000, 1_700_000_000, 3, 42])
            .0;
        all.extend(self.0);
        all
    }
}

/// Reads one message with the templates it brings.
fn read(bytes: &[u8]) -> (Vec<Row>, Vec<Fault>, u64) {
    let (rows, faults, taken, _) = read_all(bytes);
    (rows, faults, taken.lists)
}

/// As [`read`], with what is told of lists and of elements without a name.
pub(super) fn read_all(bytes: &[u8]) -> (Vec<Row>, Vec<Fault>, Taken, String) {
    let (mut rows, mut faults, mut sum) = (Vec::new(), Vec::new(), Taken::default());
    let (mut unnamed, mut unknown) = (String::new(), Vec::new());
    let mut plans = std::collections::HashMap::new();
    let message = match Message::open(bytes) {
        Ok(message) => message,
        Err(fault) => return (rows, vec![fault], sum, unnamed),
    };
    for set in message.sets() {
        let taken = match set {
            Err(fault) => {
                faults.push(fault);
                continue;
            }
            Ok(Set::Templates(definitions)) => {
                for definition in definitions {
                    match definition {
                        Ok(Definition::Template(template)) => {
                            plans.insert(template.id, Plan::new(&template));
                        }
                        Ok(_) => {}
                        Err(fault) => faults.push(fault),
                    }
                }
                continue;
            }
            Ok(set) => {
                let (plan, body) = match set {
                    Set::Data { id, body } => (plans.get(&id), body),
                    Set::Fixed(body) => (Some(Plan::fixed(message.header.format)), body),
                    Set::Templates(_) => continue,
                };
                plan.map(|plan| {
                    let mut reading = Reading {
                        rows: &mut rows,
                        unnamed: &mut unnamed,
                        unknown: &mut unknown,
                        plans: &|id| plans.get(&id),
                    };
                    plan.read(body, &mut reading)
                })
            }
        };
        let taken = taken.unwrap_or_default();
        sum.lists += taken.lists;
        sum.lists_passed += taken.lists_passed;
        sum.unnamed_cut += taken.unnamed_cut;
        faults.extend(taken.fault);
    }
    (rows, faults, sum, unnamed)
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse::<Ipv4Addr>().unwrap().into())
}

#[test]
fn netflow5() {
    let record = Bytes::default()
        .u32(&[0x0a00_0001, 0x0a00_0002, 0])
        .u16(&[1, 2])
        .u32(&[10, 4_000, 50_000, 59_000])
        .u16(&[40_000, 443])
        .u8(0)
        .u8(0x1b)
        .u8(6)
        .u8(0x20)
        .u16(&[0, 0, 0, 0]);
    let mut bytes = Bytes::default()
        .u16(&[5, 1])
        .u32(&[60_000, 1_700_000_000, 500_000_000, 99])
        .u16(&[0x0102, 0x4064]);
    bytes.0.extend(record.0);
    let header = Message::open(&bytes.0).unwrap().header;
    assert_eq!(
        (header.sequence, header.domain, header.sampling),
        (99, 0x0102, 100)
    );
    assert_eq!(header.export, Time(1_700_000_000_500_000_000));
    let (rows, faults, _) = read(&bytes.0);
    assert!(faults.is_empty());
    let [row] = rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.src, row.dst), (ip("10.0.0.1"), ip("10.0.0.2")));
    assert_eq!(
        (row.packets, row.bytes, row.src_port, row.dst_port),
        (10, 4_000, 40_000, 443)
    );
    assert_eq!((row.proto, row.flags, row.tos), (Some(6), 0x1b, 0x20));
    assert_eq!(
        (row.start, row.end),
        (Moment::Uptime(50_000), Moment::Uptime(59_000))
    );
    assert_eq!(sniff(&bytes.0), Some(Format::NetFlow5));
    assert_eq!(read(&bytes.0[..70]).1, [Fault::MessageLength]);
}

#[test]
fn netflow9_with_reduced_widths_and_padding() {
    let template = Bytes::default().u16(&[256, 4, 8, 4, 12, 4, 1, 3, 4, 1]);
    let data = Bytes::default()
        .u32(&[0x0a00_0001, 0x0a00_0002])
        .u8(1)
        .u8(0)
        .u8(0)
        .u8(17)
        .u16(&[0]);
    let bytes = Bytes::default().set(0, template).set(256, data).v9(2);
    let (rows, faults, _) = read(&bytes);
    assert!(faults.is_empty());
    assert_eq!((rows.len(), rows[0].bytes, rows[0].proto), (1, 65_536, Some(17)));
    assert_eq!(sniff(&bytes), Some(Format::NetFlow9));
}

#[test]
fn netflow9_options_tell_sampling() {
    let template = Bytes::default().u16(&[257, 4, 8, 1, 4, 34, 4, 35, 1, 0]);
    let data = Bytes::default().u32(&[0, 512]).u8(2).u8(0).u16(&[0]);
    let (rows, faults, _) = read(&Bytes::default().set(1, template).set(257, data).v9(2));
    assert!(faults.is_empty());
    assert_eq!(rows[0].sampling.one_of(), Some(512));
    assert_eq!(rows[0].proto, None);
}

#[test]
fn ipfix_with_variable_length_reverse_and_list() {
    let template = Bytes::default()
        .u16(&[300, 5, 8, 4, 96, 0xffff, 0x8000 | 1, 8])
        .u32(&[PEN_REVERSE])
        .u16(&[291, 0xffff, 1, 4]);
    let record = |name: &[u8]| {
        let mut bytes = Bytes::default().u32(&[0x0a00_0001]).u8(name.len() as u8);
        bytes.0.extend(name);
        bytes.u32(&[0, 77]).u8(255).u16(&[3]).u8(1).u16(&[2]).u32(&[5]).0
    };
    let mut data = Bytes(record(b"dns"));
    data.0.extend(record(b""));
    let data = data.u16(&[0]);
    let bytes = Bytes::default().set(2, template).set(300, data).ipfix();
    let (rows, faults, lists) = read(&bytes);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!((rows.len(), lists), (2, 2));
    assert_eq!((rows[1].reverse_bytes, rows[1].bytes), (Some(77), 5));
    assert_eq!(rows[1].reverse_packets, None);
}

#[test]
fn withdrawals_and_broken_templates() {
    let all = |body: Bytes| Definitions::new(&body.0, true, false).collect::<Vec<_>>();
    assert_eq!(
        all(Bytes::default().u16(&[256, 0])),
        [Ok(Definition::Withdraw(256))]
    );
    assert_eq!(
        all(Bytes::default().u16(&[2, 0])),
        [Ok(Definition::WithdrawAll(false))]
    );
    assert_eq!(all(Bytes::default().u16(&[255, 1, 8, 4])), [Err(Fault::Template)]);
    assert_eq!(all(Bytes::default().u16(&[256, 2, 8, 4])), [Err(Fault::Template)]);
    assert_eq!(all(Bytes::default().u16(&[256, 1, 8, 0])), [Err(Fault::Template)]);
    assert_eq!(
        all(Bytes::default().u16(&[256, 600, 8, 0])),
        [Err(Fault::TemplateFields)]
    );
    assert_eq!(all(Bytes::default().u16(&[0, 0])), []);
}

#[test]
fn sampling_in_every_way_it_is_told() {
    let said = |sampling: Sampling| sampling.one_of();
    assert_eq!(said(Sampling::default()), None);
    assert_eq!(
        said(Sampling {
            packet_interval: 1,
            packet_space: 99,
            ..Sampling::default()
        }),
        Some(100)
    );
    assert_eq!(
        said(Sampling {
            size: 2,
            population: 100,
            ..Sampling::default()
        }),
        Some(50)
    );
    assert_eq!(
        said(Sampling {
            probability: 0.01,
            ..Sampling::default()
        }),
        Some(100)
    );
    assert_eq!(
        said(Sampling {
            probability: f64::NAN,
            ..Sampling::default()
        }),
        None
    );
}

#[test]
fn sflow_sample_of_a_packet() {
    let frame = {
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .udp(5_000, 53);
        let mut frame = Vec::new();
        builder.write(&mut frame, &[0; 18]).unwrap();
        frame
    };
    let length = frame.len() as u32;
    let mut raw = Bytes::default().u32(&[1, length + 4, 4, length]);
    raw.0.extend(frame);
    let mut sample = Bytes::default().u32(&[1, 3, 1_000, 5_000, 2, 7, 0x4000_0000, 1, 1, raw.0.len() as u32]);
    sample.0.extend(raw.0);
    let mut bytes = Bytes::default().u32(&[
        5,
        1,
        0x0a00_0009,
        0,
        1,
        60_000,
        2,
        2,
        4,
        0,
        1,
        sample.0.len() as u32,
    ]);
    bytes.0.extend(sample.0);
    let datagram = sflow::open(&bytes.0).unwrap();
    let mut rows = Vec::new();
    let taken = datagram.read(&mut rows);
    assert_eq!(
        (
            taken.flow_samples,
            taken.counter_samples,
            taken.drops,
            taken.fault
        ),
        (1, 1, 2, None)
    );
    let [row] = rows[..] else { panic!("{rows:?}") };
    assert_eq!(
        (row.src, row.dst_port, row.bytes, row.packets),
        (ip("10.0.0.1"), 53, 46, 1)
    );
    assert_eq!(
        (row.sampling.one_of(), row.ingress, row.egress),
        (Some(1_000), 7, 0)
    );
    assert_eq!(sniff(&bytes.0), Some(Format::Sflow5));
    bytes.0.pop();
    assert_eq!(
        sflow::open(&bytes.0).unwrap().read(&mut rows).fault,
        Some(Fault::Sample)
    );
}

proptest! {
    /// Any bytes behind any version give rows or faults, and never more rows than bytes.
    #[test]
    fn hostile_bytes(version in prop::sample::select(vec![1u16, 5, 7, 9, 10]), body in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut bytes = version.to_be_bytes().to_vec();
        bytes.extend(body);
        let (rows, _, _) = read(&bytes);
        prop_assert!(rows.len() <= bytes.len());
        let _ = sniff(&bytes);
    }

    /// Random templates with random data behind them.
    #[test]
    fn hostile_templates(
        ipfix: bool,
        options: bool,
        fields in prop::collection::vec((0u16..500, prop_oneof![0u16..20, Just(0xffff), any::<u16>()]), 1..40),
        data in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut template = Bytes::default().u16(&[256, fields.len() as u16]);
        if options {
            template = template.u16(&[1]);
        }
        for (id, width) in fields {
            template = template.u16(&[id, width]);
        }
        let set = match (ipfix, options) { (true, false) => 2, (true, true) => 3, (false, _) => u16::from(options) };
        let bytes = Bytes::default().set(set, template).set(256, Bytes(data));
        let bytes = if ipfix { bytes.ipfix() } else { bytes.v9(2) };
        let (rows, _, _) = read(&bytes);
        prop_assert!(rows.len() <= bytes.len());
    }

    #[test]
    fn hostile_sflow(samples in 0u32..4, body in prop::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..400)) {
        let mut bytes = Bytes::default().u32(&[5, 1, 0, 0, 0, 0, samples]);
        bytes.0.extend(body);
        if let Ok(datagram) = sflow::open(&bytes.0) {
            let mut rows = Vec::new();
            datagram.read(&mut rows);
            prop_assert!(rows.len() <= bytes.0.len());
        }
    }
}
