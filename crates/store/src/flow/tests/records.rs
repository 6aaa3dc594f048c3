//! Random flow records for the store's tests: everything a meter or a collector can say, extremes included.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use proptest::prelude::*;
use weir_model::{
    ConnState, Counters, Country, EndReason, FlowId, FlowKey, FlowRecord, InitiatorReason, Logins, Mac,
    Measured, Performance, Phase, Place, Protocol, Spread, Time, WayPerformance, ethertype, proto,
};

/// A record of a TCP flow with this number in it.
pub(crate) fn plain(number: u32) -> FlowRecord {
    let key = FlowKey {
        initiator_ip: Ipv4Addr::from(0x0a00_0000 + number % 1000).into(),
        responder_ip: Ipv4Addr::from(0xc0a8_0000 + number % 7).into(),
        initiator_port: 1024 + (number % 60_000) as u16,
        responder_port: 443,
        proto: proto::TCP,
        ethertype: ethertype::IPV4,
        vlan: None,
    };
    let start = Time(1_700_000_000_000_000_000 + i64::from(number) * 7_000_000_000);
    let mut flow = FlowRecord::new(key, start);
    flow.forward = Counters {
        packets: u64::from(number),
        bytes: u64::from(number) * 60,
        payload_bytes: 0,
    };
    flow.forward_total = flow.forward;
    flow
}

pub(crate) fn flows(most: usize) -> impl Strategy<Value = Vec<FlowRecord>> {
    prop::collection::vec(flow(), 0..=most)
}

fn counters() -> impl Strategy<Value = Counters> {
    let count = || prop_oneof![0..10_u64, 0..1_000_000_u64, any::<u64>()];
    (count(), count(), count()).prop_map(|(packets, bytes, payload_bytes)| Counters {
        packets,
        bytes,
        payload_bytes,
    })
}

fn time() -> impl Strategy<Value = Time> {
    let near = 1_700_000_000_000_000_000_i64;
    prop_oneof![
        4 => (0..7_200_000_000_000_i64).prop_map(move |nanos| Time(near + nanos)),
        2 => (0..7_200_000_i64).prop_map(move |millis| Time(near + millis * 1_000_000)),
        1 => any::<i64>().prop_map(Time),
        1 => prop::sample::select(vec![Time::MIN, Time::MAX, Time(0), Time(-1)]),
    ]
}

fn measured() -> impl Strategy<Value = Measured> {
    prop_oneof![
        2 => Just(Measured::NONE),
        3 => (0..2_000_u64).prop_map(Measured::of),
        1 => any::<u64>().prop_map(Measured::of),
    ]
}

/// Performance with any of its figures missing.
fn performance() -> impl Strategy<Value = Performance> {
    prop::collection::vec(measured(), 27).prop_map(|numbers| {
        let mut numbers = numbers.into_iter();
        let mut next = || numbers.next().unwrap_or_default();
        let mut way = || {
            let mut spread = || Spread {
                min_us: next(),
                avg_us: next(),
                max_us: next(),
                dev_us: next(),
            };
            let (delay, jitter) = (spread(), spread());
            WayPerformance {
                retransmitted: next(),
                out_of_order: next(),
                delay,
                jitter,
            }
        };
        let (forward, reverse) = (way(), way());
        Performance {
            rtt_us: next(),
            rtt_client_us: next(),
            rtt_server_us: next(),
            srt_us: next(),
            srt_min_us: next(),
            srt_max_us: next(),
            srt_count: next(),
            forward,
            reverse,
        }
    })
}

prop_compose! {
    fn key()(
        kind in 0..5,
        bits in any::<[u128; 2]>(),
        ports in any::<[u16; 2]>(),
        vlan in prop::option::of(0..4096_u16),
        other in any::<u8>(),
    ) -> FlowKey {
        let four = |bits: u128| IpAddr::from(Ipv4Addr::from(bits as u32));
        let six = |bits: u128| IpAddr::from(Ipv6Addr::from(bits));
        let none = IpAddr::from(Ipv4Addr::UNSPECIFIED);
        let (ethertype, ips, proto) = match kind {
            0 | 1 => (ethertype::IPV4, bits.map(four), if other < 200 { proto::TCP } else { other }),
            2 => (ethertype::IPV6, bits.map(six), if other < 99 { proto::UDP } else { proto::ICMP6 }),
            3 => (ethertype::ARP, bits.map(four), 0),
            _ => (0x88cc, [none; 2], 0),
        };
        FlowKey {
            initiator_ip: ips[0],
            responder_ip: ips[1],
            initiator_port: ports[0],
            responder_port: ports[1],
            proto,
            ethertype,
            vlan,
        }
    }
}

prop_compose! {
    /// A record; fields that its kind of traffic does not have stay as a meter leaves them.
    pub(crate) fn flow()(
        key in key(),
        times in [time(), time(), time()],
        one_record in any::<bool>(),
        own_id in prop::option::weighted(0.2, any::<u64>()),
        (phase, end_reason, initiator_reason) in (0..3_usize, 0..5_usize, 0..4_usize),
        (forward, reverse) in (counters(), prop::option::of(counters())),
        totals in prop::option::of((counters(), counters())),
        flags in any::<[u16; 3]>(),
        macs in any::<[Option<[u8; 6]>; 2]>(),
        bytes in any::<[u8; 3]>(),
        syn in prop::option::of((1..=u16::MAX, any::<u16>())),
        (icmp, icmp_error, icmp_payload_max) in (any::<Option<(u8, u8)>>(), any::<Option<(u8, u8)>>(), any::<u16>()),
        (state, history) in (0..ConnState::ALL.len(), "[A-Za-z^]{0,24}"),
        app in prop::option::of((prop::sample::select(Protocol::ALL), any::<bool>())),
        logins in any::<[u16; 2]>(),
        (inside, places) in (any::<[bool; 2]>(), any::<[(bool, u32); 2]>()),
        (sampling, exporter) in (1..3000_u32, prop::option::of(any::<u32>())),
        performance in prop::option::of(performance()),
        (duplicate, unnamed) in (any::<bool>(), prop::option::of("e[0-9]{1,5}id[0-9]=([0-9a-f]{2}){0,4}")),
    ) -> FlowRecord {
        let mut flow = FlowRecord::new(key, times[0]);
        (flow.start, flow.end) = (times[1], times[2]);
        if one_record {
            flow.flow_start = flow.start;
        }
        flow.id = own_id.map_or_else(|| FlowId::derive(&key, flow.flow_start), FlowId);
        flow.phase = [Phase::Start, Phase::Update, Phase::End][phase];
        flow.end_reason = [
            EndReason::Idle, EndReason::Active, EndReason::Finished, EndReason::Forced, EndReason::Resources,
        ][end_reason];
        flow.initiator_reason = [
            InitiatorReason::Syn, InitiatorReason::Protocol, InitiatorReason::Port, InitiatorReason::FirstPacket,
        ][initiator_reason];
        (flow.forward, flow.reverse) = (forward, reverse);
        flow.forward_total = totals.map_or(forward, |totals| totals.0);
        flow.reverse_total = totals.filter(|_| reverse.is_some()).map_or(reverse, |totals| Some(totals.1));
        if key.proto == proto::TCP {
            [flow.forward_flags, flow.reverse_flags, flow.first_flags] = flags;
        }
        [flow.initiator_mac, flow.responder_mac] = macs.map(|mac| mac.map(Mac));
        if key.is_ip() {
            (flow.forward_ttl, flow.tos) = (bytes[0], bytes[2]);
            flow.reverse_ttl = if flow.answered() { bytes[1] } else { 0 };
            flow.conn_state = ConnState::ALL[state];
            [flow.initiator_inside, flow.responder_inside] = inside;
        }
        (flow.syn_bytes, flow.syn_window) = syn.unwrap_or_default();
        (flow.icmp, flow.icmp_error, flow.icmp_payload_max) = (icmp, icmp_error, icmp_payload_max);
        history.bytes().for_each(|letter| flow.history.push(letter));
        if let Some((app, by_content)) = app {
            (flow.protocol, flow.protocol_by_content) = (Some(app), by_content);
        }
        [flow.initiator_place, flow.responder_place] = places.map(|(known, number)| Place {
            country: Country::from_code(["SE", "CZ"][number as usize % 2]).filter(|_| known),
            as_number: NonZeroU32::new(number),
        });
        flow.logins = Logins { refused: logins[0], accepted: logins[1] };
        flow.sampling = sampling;
        flow.exporter = exporter.map(|bits| Ipv4Addr::from(bits).into());
        flow.duplicate = duplicate && flow.exporter.is_some();
        flow.unnamed = unnamed.map(Arc::new);
        flow.performance = performance.and_then(Performance::boxed);
        flow
    }
}
