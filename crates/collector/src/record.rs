//! From what an exporter said about a flow to a flow record: times by the exporter's clock, counters raw, sides as sent.

use std::net::IpAddr;

use weir_model::{
    ConnState, Counters, EndReason, FlowId, FlowRecord, Phase, Time, ethertype, proto, tcp_flags,
};
use weir_wire::export::{Header, Moment, Row};

use crate::one_way::{OneWay, number};
use crate::performance;

/// Further than this before or after the export time a flow is not believed: the longest active time-outs are a day,
/// clocks are wrong by years. Such times are replaced by the export time.
const FLOW_AGE_MAX_NS: i64 = 31 * 86_400 * weir_model::NANOS_PER_S;

/// Milliseconds of uptime after which a flow "after" the message is one before the 32-bit counter wrapped.
const UPTIME_AHEAD_MAX_MS: i32 = 3_600_000;

/// The record, or `None` when the row is about no IP flow. `sampling` is one packet of so many.
pub(crate) fn of(row: &Row, header: &Header, exporter: IpAddr, sampling: u32) -> Option<FlowRecord> {
    let mut one = one_way(row, header, exporter, sampling)?;
    let mut out = Vec::with_capacity(1);
    if tells_both(row) {
        both_ways(&mut one, row, &mut out);
    } else {
        one.record(&mut out);
    }
    out.pop()
}

/// What the row tells of the way from its source to its destination; `None` when it is about no IP flow.
pub(crate) fn one_way(row: &Row, header: &Header, exporter: IpAddr, sampling: u32) -> Option<OneWay> {
    let (src, dst) = (row.src?, row.dst?);
    // A template without the protocol (pmacct can be told to aggregate so) still tells who moved how much.
    let counted = row.packets.max(row.packets_total).max(row.bytes) > 0;
    let proto = row.proto.or(counted.then_some(0))?;
    let (start, end) = span(row, header);
    let icmp = icmp(row, proto);
    let (initiator_port, responder_port) = match icmp {
        Some((kind, code)) => icmp_ports(proto, kind, code),
        None => (row.src_port, row.dst_port),
    };
    let counters = Counters {
        packets: first_said(row.packets, row.packets_total),
        bytes: first_said(row.bytes, row.bytes_total),
        payload_bytes: 0,
    };
    let (phase, end_reason) = phase(row.end_reason);
    let v4 = src.is_ipv4();
    Some(OneWay {
        src: number(src),
        dst: number(dst),
        exporter: number(exporter),
        src_port: initiator_port,
        dst_port: responder_port,
        proto,
        ethertype: if v4 { ethertype::IPV4 } else { ethertype::IPV6 },
        vlan: row.vlan,
        start,
        end,
        phase,
        end_reason,
        counters: with_payload(counters, v4, proto),
        flags: row.flags,
        first_flags: first_flags(row, sampling),
        src_mac: row.src_mac,
        dst_mac: row.dst_mac,
        ttl: row.ttl,
        tos: row.tos,
        reverse_flags: row.reverse_flags,
        reverse_ttl: row.reverse_ttl,
        icmp,
        sampling,
        unnamed: None,
        performance: performance::of(row, proto),
        whole: None,
    })
}

/// Does the row tell of both directions?
pub(crate) const fn tells_both(row: &Row) -> bool {
    row.reverse_packets.is_some() || row.reverse_bytes.is_some()
}

/// Appends the record of a row that tells both directions, the first of which is `forward`.
pub(crate) fn both_ways(forward: &mut OneWay, row: &Row, out: &mut Vec<FlowRecord>) {
    let (v4, proto) = (forward.ethertype == ethertype::IPV4, forward.proto);
    let flow = forward.record(out);
    let reverse = Counters {
        packets: row.reverse_packets.unwrap_or(0),
        bytes: row.reverse_bytes.unwrap_or(0),
        payload_bytes: 0,
    };
    flow.reverse = Some(with_payload(reverse, v4, proto));
    flow.reverse_total = flow.reverse;
    // RFC 5103: forward is what the exporter decided; only "reverse initiator" says that it decided otherwise.
    if row.biflow_direction == 2 {
        turn(flow);
    }
    flow.conn_state = conn_state(flow);
}

fn first_said(delta: u64, total: u64) -> u64 {
    if delta > 0 { delta } else { total }
}

/// Start and end, whatever the exporter sends of start, end and duration.
fn span(row: &Row, header: &Header) -> (Time, Time) {
    let moment = |moment| {
        let time = match moment {
            Moment::Unknown => None,
            Moment::Unix(nanos) => Some(Time(nanos)),
            Moment::BeforeExport(micros) => Some(header.export - i64::from(micros) * 1_000),
            Moment::Uptime(millis) => Some(uptime(millis, row, header)),
        };
        time.filter(|time| time.since(header.export).abs() <= FLOW_AGE_MAX_NS)
    };
    let duration = row.duration_ms.map(|millis| i64::from(millis) * 1_000_000);
    let (start, end) = match (moment(row.start), moment(row.end), duration) {
        (Some(start), Some(end), _) => (start, end),
        (Some(start), None, duration) => (start, start + duration.unwrap_or(0)),
        (None, Some(end), duration) => (end - duration.unwrap_or(0), end),
        (None, None, duration) => (header.export - duration.unwrap_or(0), header.export),
    };
    (start.min(end), start.max(end))
}

/// A moment of the exporter's uptime. The counter wraps every 49.7 days, also between the flow and its export.
fn uptime(millis: u32, row: &Row, header: &Header) -> Time {
    if let Some(now) = header.uptime_ms {
        let ago = now.wrapping_sub(millis);
        // A little ahead of the header is the exporter's carelessness; far ahead is a wrap.
        let ago = if (ago as i32) < 0 && (ago as i32) > -UPTIME_AHEAD_MAX_MS {
            i64::from(ago as i32)
        } else {
            i64::from(ago)
        };
        return header.export - ago * 1_000_000;
    }
    let boot = row.boot_ms.and_then(|boot| i64::try_from(boot).ok());
    boot.map_or(header.export, |boot| {
        Time(boot.saturating_mul(1_000_000)) + i64::from(millis) * 1_000_000
    })
}

fn phase(code: u8) -> (Phase, EndReason) {
    match code {
        2 => (Phase::Update, EndReason::Active),
        3 => (Phase::End, EndReason::Finished),
        4 => (Phase::End, EndReason::Forced),
        5 => (Phase::End, EndReason::Resources),
        _ => (Phase::End, EndReason::Idle),
    }
}

/// ICMP type and code: their own element, or the destination port, where NetFlow v5 puts them.
fn icmp(row: &Row, protocol: u8) -> Option<(u8, u8)> {
    if !matches!(protocol, proto::ICMP | proto::ICMP6) {
        return None;
    }
    let [kind, code] = row.dst_port.to_be_bytes();
    Some(row.icmp.filter(|&told| told != (0, 0)).unwrap_or((kind, code)))
}

/// Ports of the key by the Community ID rule.
fn icmp_ports(protocol: u8, kind: u8, code: u8) -> (u16, u16) {
    let counterpart = weir_model::community_id::icmp_counterpart(protocol, kind);
    (kind.into(), counterpart.unwrap_or(code).into())
}

/// Payload estimated from packets and headers without options: exporters do not tell it.
fn with_payload(mut counters: Counters, v4: bool, protocol: u8) -> Counters {
    let network = if v4 { 20 } else { 40 };
    let transport = match protocol {
        proto::TCP => 20,
        proto::UDP | proto::ICMP | proto::ICMP6 => 8,
        _ => 0,
    };
    counters.payload_bytes = counters
        .bytes
        .saturating_sub(counters.packets.saturating_mul(network + transport));
    counters
}

/// Flags of the first packet: told, or certain because there was one packet, or because a SYN is always the first.
fn first_flags(row: &Row, sampling: u32) -> u16 {
    let single = sampling <= 1 && row.packets.max(row.packets_total) == 1;
    match row.first_flags {
        0 if single || row.flags.count_ones() == 1 => row.flags,
        0 => row.flags & tcp_flags::SYN,
        told => told,
    }
}

/// Swaps initiator and responder. An unknown reverse becomes a forward of zero, which is what is known of it.
pub(crate) fn turn(flow: &mut FlowRecord) {
    use std::mem::swap;
    let key = &mut flow.key;
    swap(&mut key.initiator_ip, &mut key.responder_ip);
    swap(&mut key.initiator_port, &mut key.responder_port);
    let (forward, forward_total) = (flow.forward, flow.forward_total);
    flow.forward = flow.reverse.unwrap_or_default();
    flow.forward_total = flow.reverse_total.unwrap_or_default();
    (flow.reverse, flow.reverse_total) = (Some(forward), Some(forward_total));
    swap(&mut flow.forward_flags, &mut flow.reverse_flags);
    swap(&mut flow.initiator_mac, &mut flow.responder_mac);
    swap(&mut flow.forward_ttl, &mut flow.reverse_ttl);
    flow.first_flags = flow.forward_flags & tcp_flags::SYN;
    if let Some(told) = &mut flow.performance {
        told.turn();
    }
    flow.id = FlowId::derive(&flow.key, flow.flow_start);
}

/// Connection state from the union of flags: without their order it is the coarse half of what a meter knows.
pub(crate) fn conn_state(flow: &FlowRecord) -> ConnState {
    use tcp_flags::{ACK, FIN, RST, SYN};
    let (orig, resp) = (flow.forward_flags, flow.reverse_flags);
    let answered = flow.reverse.is_some_and(|reverse| reverse.packets > 0);
    let spoke = flow.forward.packets > 0;
    if flow.key.proto != proto::TCP {
        return match (spoke, answered) {
            (true, true) => ConnState::SF,
            (true, false) => ConnState::S0,
            (false, _) => ConnState::ShR,
        };
    }
    match (orig, resp) {
        _ if !answered && orig & (SYN | ACK) == SYN && orig & FIN == 0 => ConnState::S0,
        (_, resp) if resp & (RST | SYN) == RST && orig & SYN != 0 => ConnState::Rej,
        (_, resp) if resp & RST != 0 => ConnState::RstR,
        (orig, _) if orig & RST != 0 && answered => ConnState::RstO,
        (orig, _) if orig & RST != 0 => ConnState::RstOS0,
        (orig, resp) if orig & resp & FIN != 0 => ConnState::SF,
        (orig, _) if orig & FIN != 0 && answered => ConnState::S2,
        (orig, _) if orig & FIN != 0 => ConnState::Sh,
        (_, resp) if resp & FIN != 0 => ConnState::S3,
        (orig, resp) if orig & resp & SYN != 0 => ConnState::S1,
        _ => ConnState::Oth,
    }
}
