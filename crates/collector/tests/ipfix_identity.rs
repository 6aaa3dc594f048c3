//! Weir's own IPFIX export comes back as it went: whatever a flow record says that IPFIX has an element for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;
use weir_collector::Collector;
use weir_model::{
    Counters, EndReason, FlowKey, FlowRecord, Mac, Measured, Performance, Phase, Spread, Time,
    WayPerformance, community_id, ethertype, proto,
};
use weir_wire::export::{Encoder, Message};

const EXPORTER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4739);

type Ends = (IpAddr, IpAddr);

/// Two addresses of one family.
fn ends() -> impl Strategy<Value = Ends> {
    let ip4 = |bits| IpAddr::from(Ipv4Addr::from_bits(bits));
    let ip6 = |low: u64| IpAddr::from(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(low)));
    prop_oneof![
        any::<(u32, u32)>().prop_map(move |(a, b)| (ip4(a), ip4(b))),
        any::<(u64, u64)>().prop_map(move |(a, b)| (ip6(a), ip6(b))),
    ]
}

/// A flow of this protocol that its first address began; type and code when it is ICMP.
fn begun((from, to): Ends, proto: u8, ports: (u16, u16), (kind, code): (u8, u8), start: Time) -> FlowRecord {
    let ip6 = from.is_ipv6();
    let proto = if proto == proto::ICMP && ip6 {
        proto::ICMP6
    } else {
        proto
    };
    let is_icmp = matches!(proto, proto::ICMP | proto::ICMP6);
    // (0, 0) cannot be told from nothing said, and means an echo's answer either way.
    let icmp = (kind, if kind == 0 { 0 } else { code });
    let answer = community_id::icmp_counterpart(proto, icmp.0).unwrap_or(icmp.1);
    let (initiator_port, responder_port) = if is_icmp {
        (icmp.0.into(), answer.into())
    } else {
        ports
    };
    let key = FlowKey {
        initiator_ip: from,
        responder_ip: to,
        initiator_port,
        responder_port,
        proto,
        ethertype: if ip6 { ethertype::IPV6 } else { ethertype::IPV4 },
        vlan: None,
    };
    let mut flow = FlowRecord::new(key, start);
    flow.icmp = is_icmp.then_some(icmp);
    flow
}

/// What a meter measures of such a flow and IPFIX has elements for: numbers of TCP, times of the rest.
fn performance(flow: &FlowRecord, [rtt, srt, counts @ .., min, avg, max, dev]: [u32; 14]) -> Performance {
    let time = |micros: u32| Measured::of(micros.max(1).into());
    let mut told = Performance::default();
    if flow.key.proto != proto::TCP {
        let spread = Spread {
            min_us: Measured::of(min.into()),
            avg_us: time(avg),
            max_us: Measured::of(max.into()),
            dev_us: Measured::of(dev.into()),
        };
        (told.forward.delay, told.forward.jitter) = (spread, spread);
        return told;
    }
    (told.rtt_us, told.srt_us) = (time(rtt), time(srt));
    let way = |again: u32, late: u32| WayPerformance {
        // One more has to fit, and the greatest number of all says that there is none.
        retransmitted: Measured::of((again >> 1).into()),
        out_of_order: Measured::of((late >> 1).into()),
        ..WayPerformance::default()
    };
    told.forward = way(counts[0], counts[1]);
    if flow.reverse.is_some_and(|reverse| reverse.packets > 0) {
        told.reverse = way(counts[2], counts[3]);
    }
    told
}

/// Records of biflows, and of one-way flows that are nobody's answer.
fn record() -> impl Strategy<Value = FlowRecord> {
    let protocol = prop_oneof![
        Just(proto::TCP),
        Just(proto::UDP),
        Just(proto::ICMP),
        Just(proto::GRE)
    ];
    let reason = prop_oneof![
        Just(EndReason::Idle),
        Just(EndReason::Active),
        Just(EndReason::Finished)
    ];
    let counters = || (1_u64..1 << 40, 0_u64..1 << 40);
    let times = (
        1_700_000_000_000_000_000_i64..2_000_000_000_000_000_000,
        0_i64..3_600_000_000_000,
    );
    (
        (
            ends(),
            protocol,
            (1024_u16.., 1_u16..1024),
            any::<(u8, u8)>(),
            times,
        ),
        (counters(), proptest::option::of(counters()), reason),
        (
            any::<[u8; 6]>(),
            any::<[u8; 6]>(),
            1_u32..5_000,
            proptest::option::of(any::<[u32; 14]>()),
        ),
    )
        .prop_map(
            |(flow, (forward, reverse, reason), (bytes, mac, sampling, figures))| {
                let (ends, protocol, ports, icmp, (start, duration)) = flow;
                let mut flow = begun(ends, protocol, ports, icmp, Time(start));
                flow.end = Time(start + duration);
                let count = |(packets, bytes)| Counters {
                    packets,
                    bytes,
                    payload_bytes: 0,
                };
                (flow.forward, flow.reverse) = (count(forward), reverse.map(count));
                let [flags, first, ttl, tos, reverse_flags, reverse_ttl] = bytes;
                // A SYN at least: where nothing is told of the first packet, a SYN among the flags is taken for its.
                flow.first_flags = u16::from(first) | 2;
                flow.forward_flags = u16::from(flags) | flow.first_flags;
                (flow.forward_ttl, flow.tos) = (ttl, tos);
                if flow.reverse.is_some() {
                    (flow.reverse_flags, flow.reverse_ttl) = (reverse_flags.into(), reverse_ttl);
                }
                flow.initiator_mac = Some(Mac(mac)).filter(|mac| !mac.is_zero());
                (flow.sampling, flow.end_reason) = (sampling, reason);
                flow.performance = figures.and_then(|figures| performance(&flow, figures).boxed());
                flow.phase = if reason == EndReason::Active {
                    Phase::Update
                } else {
                    Phase::End
                };
                flow
            },
        )
}

/// What IPFIX carries of a record; the rest is computed from it or has no element.
fn carried(flow: &FlowRecord) -> impl PartialEq + std::fmt::Debug + use<> {
    let count = |counters: Counters| (counters.packets, counters.bytes);
    (
        (
            flow.id,
            flow.key,
            flow.start,
            flow.end,
            flow.phase,
            flow.end_reason,
        ),
        (
            count(flow.forward),
            flow.reverse.map(count),
            flow.icmp,
            flow.sampling,
        ),
        (
            flow.forward_flags,
            flow.reverse_flags,
            flow.forward_ttl,
            flow.reverse_ttl,
            flow.tos,
        ),
        flow.first_flags,
        (flow.initiator_mac, flow.responder_mac),
        flow.performance.as_deref().copied(),
    )
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(flows in proptest::collection::vec(record(), 1..300)) {
        let (mut encoder, mut messages) = (Encoder::new(7), Vec::new());
        for flow in &flows {
            messages.extend(encoder.push(flow));
        }
        messages.extend(encoder.finish());
        let (mut collector, mut got) = (Collector::default(), Vec::new());
        for message in &messages {
            prop_assert!(message.len() <= usize::from(u16::MAX));
            let export = Message::open(message).expect("a sound message").header.export;
            collector.datagram(EXPORTER, export, message, &mut got);
        }
        collector.finish(&mut got);
        let counts = collector.counts();
        prop_assert_eq!((counts.records, counts.lost, counts.faults().count()), (flows.len() as u64, 0, 0));
        // A long flow whose last record never came is ended by one that counts nothing.
        got.retain(|flow| flow.forward.packets > 0);
        // One-way records wait for a counterpart, which changes the order.
        let mut want = flows;
        for flows in [&mut want, &mut got] {
            flows.sort_by_key(|flow| (flow.id, flow.end, flow.forward.bytes));
        }
        let carried = |flows: &[FlowRecord]| flows.iter().map(carried).collect::<Vec<_>>();
        prop_assert_eq!(carried(&got), carried(&want));
    }
}
