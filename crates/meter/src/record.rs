//! From a cache entry to a flow record: deltas since the last record, totals beside them.
//! Pure: the same entry gives the same record.

use weir_model::{ConnState, Counters, EndReason, FlowRecord, Phase, Place, proto};

use crate::flow::Flow;
use crate::performance;

/// A record of the flow as it stands, for the interval since the last update. `seq` is set by the caller.
pub(crate) fn of(flow: &Flow, phase: Phase, end_reason: EndReason) -> FlowRecord {
    let [forward_total, reverse_total] = flow.totals;
    let reported = flow.reported.as_deref().copied().unwrap_or_default();
    let first = flow.start.min(flow.end);
    let (forward, reverse) = (
        minus(forward_total, reported[0]),
        minus(reverse_total, reported[1]),
    );
    let packets = forward_total.packets + reverse_total.packets;
    let told = || {
        let tcp = flow.key.proto() == proto::TCP;
        let sent = [forward, reverse].map(|sent| tcp && sent.packets > 0);
        performance::told(&flow.exchanges, flow.ways.as_deref(), sent)
    };
    let performance = if packets > 1 { told() } else { None };
    FlowRecord {
        seq: 0,
        id: flow.id,
        key: flow.key.oriented(flow.initiator_low),
        phase,
        flow_start: flow.flow_start.min(first),
        start: first,
        end: flow.end,
        end_reason,
        forward,
        reverse: Some(reverse),
        forward_total,
        reverse_total: Some(reverse_total),
        forward_flags: flow.flags[0],
        reverse_flags: flow.flags[1],
        first_flags: flow.first_flags,
        initiator_mac: flow.macs[0],
        responder_mac: flow.macs[1],
        forward_ttl: flow.ttls[0],
        reverse_ttl: flow.ttls[1],
        tos: flow.tos,
        syn_bytes: flow.syn_bytes,
        syn_window: flow.syn_window,
        icmp: flow.icmp,
        icmp_error: flow.icmp_error,
        icmp_payload_max: flow.icmp_payload_max,
        initiator_reason: flow.reason,
        conn_state: conn_state(flow),
        history: flow.history,
        protocol: flow.protocol,
        protocol_by_content: flow.protocol_by_content,
        logins: flow.logins,
        performance,
        initiator_inside: false,
        responder_inside: false,
        initiator_place: Place::default(),
        responder_place: Place::default(),
        sampling: 1,
        exporter: None,
        duplicate: false,
        unnamed: None,
        sightings: None,
    }
}

/// Record of a flow's beginning: nothing counted yet.
pub(crate) fn of_start(flow: &Flow) -> FlowRecord {
    let mut record = FlowRecord::new(flow.key.oriented(flow.initiator_low), flow.flow_start);
    record.id = flow.id;
    record.phase = Phase::Start;
    record.end_reason = EndReason::Active;
    record.reverse = Some(Counters::default());
    record.reverse_total = Some(Counters::default());
    record.initiator_reason = flow.reason;
    record
}

fn conn_state(flow: &Flow) -> ConnState {
    let [forward, reverse] = flow.totals;
    match (flow.key.proto(), forward.packets > 0, reverse.packets > 0) {
        (proto::TCP, ..) => flow
            .tcp
            .conn_state(forward.payload_bytes + reverse.payload_bytes > 0),
        (proto::UDP | proto::ICMP | proto::ICMP6, true, true) => ConnState::SF,
        (proto::UDP | proto::ICMP | proto::ICMP6, true, false) => ConnState::S0,
        (proto::UDP | proto::ICMP | proto::ICMP6, false, true) => ConnState::ShR,
        _ => ConnState::Oth,
    }
}

fn minus(total: Counters, reported: Counters) -> Counters {
    Counters {
        packets: total.packets - reported.packets,
        bytes: total.bytes - reported.bytes,
        payload_bytes: total.payload_bytes - reported.payload_bytes,
    }
}
