//! What exporters encode is what comes out: records of NetFlow v5, of v9 with templates in any order and any widths, and
//! sFlow samples, written here by hand and read by the collector.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;
use weir_collector::Collector;
use weir_model::{Counters, FlowRecord, NANOS_PER_S, Time, proto};

const EXPORTER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 2055);
const UPTIME_MS: u32 = 900_000_000;
const EXPORT_S: u32 = 1_790_000_000;

/// One direction of a flow, as every format can tell it.
#[derive(Clone, Debug)]
struct Said {
    ends: (u32, u32),
    /// The source's is a client's port, so that nobody turns the record round.
    ports: (u16, u16),
    proto: u8,
    packets: u32,
    bytes: u32,
    flags: u8,
    tos: u8,
    /// Start before the export, and how long it lasted, milliseconds.
    ago_ms: u32,
    lasted_ms: u32,
    sampling: u16,
}

fn said() -> impl Strategy<Value = Said> {
    let unicast = || (1_u32..0xdfff_ffff).prop_filter("one host", |bits| *bits >> 24 != 127);
    (
        (unicast(), unicast()),
        (1_024_u16.., 1_u16..1_024),
        prop_oneof![Just(proto::TCP), Just(proto::UDP), Just(proto::SCTP)],
        (1_u32.., 1_u32..),
        any::<(u8, u8)>(),
        (0_u32..1_000_000, 0_u32..1_000_000),
        0_u16..0x4000,
    )
        .prop_map(
            |(ends, ports, proto, (packets, bytes), (flags, tos), (after, lasted_ms), sampling)| Said {
                ends,
                ports,
                proto,
                packets,
                bytes,
                flags,
                tos,
                ago_ms: after + lasted_ms,
                lasted_ms,
                sampling,
            },
        )
        .prop_filter("two ends", |said| said.ends.0 != said.ends.1)
}

impl Said {
    fn first_ms(&self) -> u32 {
        UPTIME_MS - self.ago_ms
    }

    fn last_ms(&self) -> u32 {
        self.first_ms() + self.lasted_ms
    }
}

type Shown = (
    (IpAddr, IpAddr),
    (u16, u16),
    (u8, u8, u16),
    (u64, u64),
    (Time, Time),
    u32,
);

/// What must come out, in the words of the model.
fn want(said: &Said, export: Time) -> Shown {
    let ip = |bits| IpAddr::from(Ipv4Addr::from_bits(bits));
    let start = export - i64::from(said.ago_ms) * 1_000_000;
    (
        (ip(said.ends.0), ip(said.ends.1)),
        said.ports,
        (said.proto, said.tos, said.flags.into()),
        (said.packets.into(), said.bytes.into()),
        (start, start + i64::from(said.lasted_ms) * 1_000_000),
        u32::from(said.sampling.max(1)),
    )
}

fn got(flow: &FlowRecord) -> Shown {
    let Counters { packets, bytes, .. } = flow.forward;
    (
        (flow.key.initiator_ip, flow.key.responder_ip),
        (flow.key.initiator_port, flow.key.responder_port),
        (flow.key.proto, flow.tos, flow.forward_flags),
        (packets, bytes),
        (flow.start, flow.end),
        flow.sampling,
    )
}

/// Gives the datagrams to a collector and compares, whatever order records come out in.
fn check(datagrams: &[Vec<u8>], mut want: Vec<Shown>) -> Result<(), TestCaseError> {
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    for bytes in datagrams {
        collector.datagram(EXPORTER, Time::from_secs(EXPORT_S.into()), bytes, &mut out);
    }
    collector.finish(&mut out);
    let counts = collector.counts();
    prop_assert_eq!(
        (counts.malformed, counts.lost, counts.late, counts.not_flows),
        (0, 0, 0, 0)
    );
    let mut got: Vec<Shown> = out.iter().map(got).collect();
    got.sort_unstable();
    want.sort_unstable();
    prop_assert_eq!(got, want);
    Ok(())
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn halves(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|half| half.to_be_bytes()).collect()
}

fn v5(records: &[Said], nanos: u32, sequence: u32) -> Vec<u8> {
    let mut bytes = halves(&[5, records.len() as u16]);
    bytes.extend(words(&[UPTIME_MS, EXPORT_S, nanos, sequence]));
    // Mode 1 of two bits, and the interval; all records of a datagram share it.
    bytes.extend(halves(&[0x0102, 0x4000 | records[0].sampling]));
    for said in records {
        bytes.extend(words(&[said.ends.0, said.ends.1, 0]));
        bytes.extend(halves(&[1, 2]));
        bytes.extend(words(&[
            said.packets,
            said.bytes,
            said.first_ms(),
            said.last_ms(),
        ]));
        bytes.extend(halves(&[said.ports.0, said.ports.1]));
        bytes.extend([0, said.flags, said.proto, said.tos]);
        bytes.extend([0; 8]);
    }
    bytes
}

/// Element, the widths it may have, and its value.
type FieldRow = (u16, &'static [usize], fn(&Said) -> u64);

const FIELDS: &[FieldRow] = &[
    (8, &[4], |said| said.ends.0.into()),
    (12, &[4], |said| said.ends.1.into()),
    (7, &[2, 4], |said| said.ports.0.into()),
    (11, &[2, 4], |said| said.ports.1.into()),
    (4, &[1, 2], |said| said.proto.into()),
    (2, &[4, 5, 8], |said| said.packets.into()),
    (1, &[4, 7, 8], |said| said.bytes.into()),
    (6, &[1, 2], |said| said.flags.into()),
    (5, &[1], |said| said.tos.into()),
    (22, &[4], |said| said.first_ms().into()),
    (21, &[4], |said| said.last_ms().into()),
    (34, &[2, 4], |said| said.sampling.max(1).into()),
    // Known and not read, unknown, and padding.
    (10, &[2, 4], |_| 7),
    (33_333, &[1, 3, 11], |_| 0xff),
    (210, &[1, 4], |_| 0),
];

fn v9(records: &[Said], layout: &[(usize, usize)], sequence: u32) -> Vec<u8> {
    let mut template = halves(&[300, layout.len() as u16]);
    let mut data = Vec::new();
    for &(field, width) in layout {
        template.extend(halves(&[FIELDS[field].0, width as u16]));
    }
    for said in records {
        for &(field, width) in layout {
            let value = u128::from((FIELDS[field].2)(said)).to_be_bytes();
            data.extend(&value[16 - width..]);
        }
    }
    data.resize(data.len().next_multiple_of(4), 0);
    let mut bytes = halves(&[9, 1 + records.len() as u16]);
    bytes.extend(words(&[UPTIME_MS, EXPORT_S, sequence, 3]));
    for (id, body) in [(0, template), (300, data)] {
        bytes.extend(halves(&[id, 4 + body.len() as u16]));
        bytes.extend(body);
    }
    bytes
}

/// All fields in some order, each of a width it may have.
fn layout() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let all: Vec<usize> = (0..FIELDS.len()).collect();
    (
        Just(all).prop_shuffle(),
        prop::collection::vec(any::<prop::sample::Index>(), FIELDS.len()),
    )
        .prop_map(|(order, picks)| {
            let width = |(field, pick): (usize, prop::sample::Index)| (field, *pick.get(FIELDS[field].1));
            order.into_iter().zip(picks).map(width).collect()
        })
}

/// An Ethernet frame of one packet with so many bytes of payload.
fn frame(said: &Said, payload: usize) -> Vec<u8> {
    let octets = |bits: u32| bits.to_be_bytes();
    let transport = if said.proto == proto::TCP { 20 } else { 8 };
    let mut bytes = [[2; 6], [4; 6]].concat();
    bytes.extend([8, 0, 0x45, said.tos]);
    bytes.extend(halves(&[(20 + transport + payload) as u16, 0, 0]));
    bytes.extend([64, said.proto, 0, 0]);
    bytes.extend([octets(said.ends.0), octets(said.ends.1)].concat());
    bytes.extend(halves(&[said.ports.0, said.ports.1]));
    if said.proto == proto::TCP {
        bytes.extend([0; 8]);
        bytes.extend([0x50, said.flags, 0, 0, 0, 0, 0, 0]);
    } else {
        bytes.extend(halves(&[(8 + payload) as u16, 0]));
    }
    bytes.resize(bytes.len() + payload, 0);
    bytes
}

/// A datagram of flow samples, each the head of one packet, in the short or the long form.
fn sflow(records: &[Said], expanded: bool, sequence: u32) -> Vec<u8> {
    let mut bytes = words(&[5, 1, 0xc000_0201, 0, sequence, UPTIME_MS, records.len() as u32]);
    for said in records {
        let frame = frame(said, usize::from(said.tos));
        let mut raw = words(&[1, frame.len() as u32 + 4, 4, frame.len() as u32]);
        raw.extend(&frame);
        raw.resize(raw.len().next_multiple_of(4), 0);
        let rate = u32::from(said.sampling.max(1));
        let mut sample = if expanded {
            words(&[1, 0, 3, rate, 9_000, 0, 0, 7, 0, 8, 1])
        } else {
            words(&[1, 3, rate, 9_000, 0, 7, 8, 1])
        };
        sample.extend(words(&[1, raw.len() as u32]));
        sample.extend(raw);
        bytes.extend(words(&[if expanded { 3 } else { 1 }, sample.len() as u32]));
        bytes.extend(sample);
    }
    bytes
}

proptest! {
    #[test]
    fn netflow5(datagrams in prop::collection::vec((prop::collection::vec(said(), 1..=30), 0..NANOS_PER_S as u32), 1..5)) {
        let (mut bytes, mut expected, mut sequence) = (Vec::new(), Vec::new(), 0);
        for (records, nanos) in &datagrams {
            bytes.push(v5(records, *nanos, sequence));
            sequence += records.len() as u32;
            let export = Time::from_secs(EXPORT_S.into()) + i64::from(*nanos);
            expected.extend(records.iter().map(|said| {
                want(&Said { sampling: records[0].sampling, ..said.clone() }, export)
            }));
        }
        check(&bytes, expected)?;
    }

    #[test]
    fn netflow9(datagrams in prop::collection::vec((prop::collection::vec(said(), 1..=30), layout()), 1..5)) {
        // Every datagram defines its template anew, mostly with another meaning.
        let bytes: Vec<_> = datagrams.iter().enumerate().map(|(at, (records, layout))| v9(records, layout, at as u32)).collect();
        let export = Time::from_secs(EXPORT_S.into());
        let expected = datagrams.iter().flat_map(|(records, _)| records).map(|said| want(said, export)).collect();
        check(&bytes, expected)?;
    }

    #[test]
    fn sflow5(datagrams in prop::collection::vec((prop::collection::vec(said(), 1..=8), any::<bool>()), 1..5)) {
        let mut expected = Vec::new();
        let bytes: Vec<_> = datagrams.iter().enumerate().map(|(at, (records, expanded))| {
            let records: Vec<Said> = records.iter().map(|said| {
                // A sample is one packet, now.
                let headers = if said.proto == proto::TCP { 40 } else { 28 };
                Said {
                    packets: 1,
                    bytes: headers + u32::from(said.tos),
                    proto: if said.proto == proto::TCP { proto::TCP } else { proto::UDP },
                    flags: if said.proto == proto::TCP { said.flags } else { 0 },
                    ago_ms: 0,
                    lasted_ms: 0,
                    ..said.clone()
                }
            }).collect();
            expected.extend(records.iter().map(|said| want(said, Time::from_secs(EXPORT_S.into()))));
            sflow(&records, *expanded, at as u32)
        }).collect();
        check(&bytes, expected)?;
    }
}
