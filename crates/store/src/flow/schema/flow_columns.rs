//! The physical columns of the flow table, one row each: name, type, layout, how a record gives the value and how a
//! row takes it back.

use std::num::NonZeroU32;
use std::sync::Arc;

use weir_model::proto::{SCTP, TCP, UDP};
use weir_model::{Counters, Country, FlowRecord, Mac, Measured};

use super::Codec::{Delta, Dictionary, Split};
use super::Form::{self, Flag, I64, Millis, Text, U8, U16, U32, U64, Words};
use super::{Codec, Column, Read, Write};
use crate::flow::row::{self, Moment, Row};

/// A column that every record has.
const fn always(
    name: &'static str,
    form: Form,
    codec: Codec,
    read: fn(&FlowRecord) -> Option<u64>,
    write: fn(&mut Row, u64),
) -> Column {
    Column {
        name,
        form,
        codec,
        nullable: false,
        read: Read::Number(read),
        write: Write::Number(write),
    }
}

/// A column that some records lack.
const fn maybe(
    name: &'static str,
    form: Form,
    codec: Codec,
    read: fn(&FlowRecord) -> Option<u64>,
    write: fn(&mut Row, u64),
) -> Column {
    Column {
        nullable: true,
        ..always(name, form, codec, read, write)
    }
}

fn nonzero(value: impl Into<u64>) -> Option<u64> {
    Some(value.into()).filter(|&value| value > 0)
}

fn with_ports(f: &FlowRecord) -> bool {
    matches!(f.key.proto, TCP | UDP | SCTP)
}

fn has_addresses(f: &FlowRecord) -> bool {
    f.key.has_addresses()
}

fn of_ip(f: &FlowRecord, value: impl Into<u64>) -> Option<u64> {
    f.key.is_ip().then_some(value.into())
}

fn of_tcp(f: &FlowRecord, flags: u16) -> Option<u64> {
    (f.key.proto == TCP).then_some(flags.into())
}

/// Totals where they say more than the record's own counters.
fn forward_total(f: &FlowRecord) -> Option<Counters> {
    (f.forward_total != f.forward).then_some(f.forward_total)
}

fn reverse_total(f: &FlowRecord) -> Option<Counters> {
    f.reverse_total.filter(|_| f.reverse_total != f.reverse)
}

/// Start of the whole flow where it is not the record's.
fn earlier(f: &FlowRecord) -> Option<Moment> {
    (f.flow_start != f.start).then(|| Moment::of(f.flow_start))
}

/// A figure of network performance; times in microseconds.
macro_rules! measured {
    ($name:literal, $codec:ident, $($part:ident).+) => {
        maybe(
            $name,
            U32,
            $codec,
            |f| f.performance.as_deref()?.$($part).+.get().map(u64::from),
            |r, v| r.performance().$($part).+ = Measured::of(v),
        )
    };
}

const PHASES: &[&str] = &["start", "update", "end"];
const APP_BY: &[&str] = &["port", "content"];

/// Every physical column, in the order of the parts.
pub static COLUMNS: &[Column] = &[
    always(
        "start",
        Millis,
        Split,
        |f| Some(Moment::of(f.start).millis as u64),
        |r, v| r.start.millis = v as i64,
    ),
    always(
        "start_us",
        U16,
        Dictionary,
        |f| Some(Moment::of(f.start).us.into()),
        |r, v| r.start.us = v as u16,
    ),
    always(
        "start_ns",
        U16,
        Dictionary,
        |f| Some(Moment::of(f.start).ns.into()),
        |r, v| r.start.ns = v as u16,
    ),
    always(
        "duration_ms",
        I64,
        Split,
        |f| Some((Moment::of(f.end).millis - Moment::of(f.start).millis) as u64),
        |r, v| r.duration_ms = v as i64,
    ),
    always(
        "end_us",
        U16,
        Dictionary,
        |f| Some(Moment::of(f.end).us.into()),
        |r, v| r.end.us = v as u16,
    ),
    always(
        "end_ns",
        U16,
        Dictionary,
        |f| Some(Moment::of(f.end).ns.into()),
        |r, v| r.end.ns = v as u16,
    ),
    maybe(
        "before_ms",
        I64,
        Split,
        |f| earlier(f).map(|flow| (Moment::of(f.start).millis - flow.millis) as u64),
        |r, v| r.flow_start.0 = Some(v as i64),
    ),
    maybe(
        "flow_start_us",
        U16,
        Dictionary,
        |f| earlier(f).map(|flow| flow.us.into()),
        |r, v| r.flow_start.1 = v as u16,
    ),
    maybe(
        "flow_start_ns",
        U16,
        Dictionary,
        |f| earlier(f).map(|flow| flow.ns.into()),
        |r, v| r.flow_start.2 = v as u16,
    ),
    maybe("flow_id", U64, Split, row::other_id, |r, v| r.id = Some(v)),
    always(
        "phase",
        Words(PHASES),
        Dictionary,
        |f| Some(row::phase_code(f.phase)),
        |r, v| r.flow.phase = row::phase(v),
    ),
    always(
        "end_reason",
        U8,
        Dictionary,
        |f| Some(f.end_reason.code().into()),
        |r, v| r.flow.end_reason = row::end_reason(v),
    ),
    always(
        "ethertype",
        U16,
        Dictionary,
        |f| Some(f.key.ethertype.into()),
        |r, v| r.flow.key.ethertype = v as u16,
    ),
    maybe(
        "vlan",
        U16,
        Dictionary,
        |f| f.key.vlan.map(u64::from),
        |r, v| r.flow.key.vlan = Some(v as u16),
    ),
    maybe(
        "proto",
        U8,
        Dictionary,
        |f| of_ip(f, f.key.proto),
        |r, v| r.flow.key.proto = v as u8,
    ),
    maybe(
        "src_ip_hi",
        U64,
        Dictionary,
        |f| has_addresses(f).then(|| row::high(f.key.initiator_ip)),
        |r, v| r.src.0 = v,
    ),
    maybe(
        "src_ip_lo",
        U64,
        Delta,
        |f| has_addresses(f).then(|| row::low(f.key.initiator_ip)),
        |r, v| r.src.1 = v,
    ),
    maybe(
        "src_port",
        U16,
        Split,
        |f| with_ports(f).then(|| f.key.initiator_port.into()),
        |r, v| r.flow.key.initiator_port = v as u16,
    ),
    maybe(
        "dst_ip_hi",
        U64,
        Dictionary,
        |f| has_addresses(f).then(|| row::high(f.key.responder_ip)),
        |r, v| r.dst.0 = v,
    ),
    maybe(
        "dst_ip_lo",
        U64,
        Dictionary,
        |f| has_addresses(f).then(|| row::low(f.key.responder_ip)),
        |r, v| r.dst.1 = v,
    ),
    maybe(
        "dst_port",
        U16,
        Dictionary,
        |f| with_ports(f).then(|| f.key.responder_port.into()),
        |r, v| r.flow.key.responder_port = v as u16,
    ),
    // What stands in the place of ports in the key of other protocols (ICMP types).
    maybe(
        "src_selector",
        U16,
        Dictionary,
        |f| nonzero(f.key.initiator_port).filter(|_| !with_ports(f)),
        |r, v| r.flow.key.initiator_port = v as u16,
    ),
    maybe(
        "dst_selector",
        U16,
        Dictionary,
        |f| nonzero(f.key.responder_port).filter(|_| !with_ports(f)),
        |r, v| r.flow.key.responder_port = v as u16,
    ),
    always(
        "initiator_reason",
        Words(row::INITIATOR_REASONS),
        Dictionary,
        |f| Some(row::initiator_reason_code(f.initiator_reason)),
        |r, v| r.flow.initiator_reason = row::initiator_reason(v),
    ),
    maybe(
        "sampling",
        U32,
        Dictionary,
        |f| Some(f.sampling.into()).filter(|&s| s > 1),
        |r, v| r.flow.sampling = v as u32,
    ),
    maybe(
        "exporter_hi",
        U64,
        Dictionary,
        |f| f.exporter.map(row::high),
        |r, v| r.exporter.get_or_insert_default().0 = v,
    ),
    maybe(
        "exporter_lo",
        U64,
        Dictionary,
        |f| f.exporter.map(row::low),
        |r, v| r.exporter.get_or_insert_default().1 = v,
    ),
    always(
        "src_packets",
        U64,
        Split,
        |f| Some(f.forward.packets),
        |r, v| r.flow.forward.packets = v,
    ),
    always(
        "src_bytes",
        U64,
        Split,
        |f| Some(f.forward.bytes),
        |r, v| r.flow.forward.bytes = v,
    ),
    always(
        "src_payload_bytes",
        U64,
        Split,
        |f| Some(f.forward.payload_bytes),
        |r, v| r.flow.forward.payload_bytes = v,
    ),
    maybe(
        "dst_packets",
        U64,
        Split,
        |f| f.reverse.map(|c| c.packets),
        |r, v| r.reverse().packets = v,
    ),
    maybe(
        "dst_bytes",
        U64,
        Split,
        |f| f.reverse.map(|c| c.bytes),
        |r, v| r.reverse().bytes = v,
    ),
    maybe(
        "dst_payload_bytes",
        U64,
        Split,
        |f| f.reverse.map(|c| c.payload_bytes),
        |r, v| r.reverse().payload_bytes = v,
    ),
    // Totals of the whole flow, where they are not the record's own counters.
    maybe(
        "src_packets_total",
        U64,
        Split,
        |f| forward_total(f).map(|c| c.packets),
        |r, v| r.forward_total().packets = v,
    ),
    maybe(
        "src_bytes_total",
        U64,
        Split,
        |f| forward_total(f).map(|c| c.bytes),
        |r, v| r.forward_total().bytes = v,
    ),
    maybe(
        "src_payload_bytes_total",
        U64,
        Split,
        |f| forward_total(f).map(|c| c.payload_bytes),
        |r, v| r.forward_total().payload_bytes = v,
    ),
    maybe(
        "dst_packets_total",
        U64,
        Split,
        |f| reverse_total(f).map(|c| c.packets),
        |r, v| r.reverse_total().packets = v,
    ),
    maybe(
        "dst_bytes_total",
        U64,
        Split,
        |f| reverse_total(f).map(|c| c.bytes),
        |r, v| r.reverse_total().bytes = v,
    ),
    maybe(
        "dst_payload_bytes_total",
        U64,
        Split,
        |f| reverse_total(f).map(|c| c.payload_bytes),
        |r, v| r.reverse_total().payload_bytes = v,
    ),
    maybe(
        "src_tcp_flags",
        U16,
        Dictionary,
        |f| of_tcp(f, f.forward_flags),
        |r, v| r.flow.forward_flags = v as u16,
    ),
    maybe(
        "dst_tcp_flags",
        U16,
        Dictionary,
        |f| of_tcp(f, f.reverse_flags),
        |r, v| r.flow.reverse_flags = v as u16,
    ),
    maybe(
        "src_first_flags",
        U16,
        Dictionary,
        |f| of_tcp(f, f.first_flags),
        |r, v| r.flow.first_flags = v as u16,
    ),
    maybe(
        "src_mac",
        U64,
        Dictionary,
        |f| f.initiator_mac.map(weir_query::mac_number),
        |r, v| r.flow.initiator_mac = Some(mac(v)),
    ),
    maybe(
        "dst_mac",
        U64,
        Dictionary,
        |f| f.responder_mac.map(weir_query::mac_number),
        |r, v| r.flow.responder_mac = Some(mac(v)),
    ),
    maybe(
        "src_ttl",
        U8,
        Dictionary,
        |f| of_ip(f, f.forward_ttl),
        |r, v| r.flow.forward_ttl = v as u8,
    ),
    maybe(
        "dst_ttl",
        U8,
        Dictionary,
        |f| of_ip(f, f.reverse_ttl).filter(|_| f.answered()),
        |r, v| r.flow.reverse_ttl = v as u8,
    ),
    maybe(
        "tos",
        U8,
        Dictionary,
        |f| of_ip(f, f.tos),
        |r, v| r.flow.tos = v as u8,
    ),
    maybe(
        "syn_bytes",
        U16,
        Dictionary,
        |f| nonzero(f.syn_bytes),
        |r, v| r.flow.syn_bytes = v as u16,
    ),
    maybe(
        "syn_window",
        U16,
        Dictionary,
        |f| nonzero(f.syn_bytes).map(|_| f.syn_window.into()),
        |r, v| r.flow.syn_window = v as u16,
    ),
    maybe(
        "icmp_type",
        U8,
        Dictionary,
        |f| f.icmp.map(|(kind, _)| kind.into()),
        |r, v| r.flow.icmp.get_or_insert_default().0 = v as u8,
    ),
    maybe(
        "icmp_code",
        U8,
        Dictionary,
        |f| f.icmp.map(|(_, code)| code.into()),
        |r, v| r.flow.icmp.get_or_insert_default().1 = v as u8,
    ),
    maybe(
        "icmp_error_type",
        U8,
        Dictionary,
        |f| f.icmp_error.map(|(kind, _)| kind.into()),
        |r, v| r.flow.icmp_error.get_or_insert_default().0 = v as u8,
    ),
    maybe(
        "icmp_error_code",
        U8,
        Dictionary,
        |f| f.icmp_error.map(|(_, code)| code.into()),
        |r, v| r.flow.icmp_error.get_or_insert_default().1 = v as u8,
    ),
    maybe(
        "icmp_payload_max",
        U16,
        Dictionary,
        |f| nonzero(f.icmp_payload_max),
        |r, v| r.flow.icmp_payload_max = v as u16,
    ),
    maybe(
        "conn_state",
        Words(row::CONN_STATES),
        Dictionary,
        |f| of_ip(f, row::conn_state_code(f.conn_state)),
        |r, v| r.flow.conn_state = row::conn_state(v),
    ),
    Column {
        name: "history",
        form: Text,
        codec: Dictionary,
        nullable: true,
        read: Read::Text(|f| Some(f.history.as_str()).filter(|letters| !letters.is_empty())),
        write: Write::Text(|r, letters| letters.bytes().for_each(|letter| r.flow.history.push(letter))),
    },
    maybe(
        "app",
        Words(row::APPS),
        Dictionary,
        |f| f.protocol.and_then(row::app_code),
        |r, v| r.flow.protocol = row::app(v),
    ),
    maybe(
        "app_by",
        Words(APP_BY),
        Dictionary,
        |f| f.protocol.map(|_| f.protocol_by_content.into()),
        |r, v| r.flow.protocol_by_content = v == 1,
    ),
    maybe(
        "logins_refused",
        U16,
        Dictionary,
        |f| nonzero(f.logins.refused),
        |r, v| r.flow.logins.refused = v as u16,
    ),
    maybe(
        "logins_accepted",
        U16,
        Dictionary,
        |f| nonzero(f.logins.accepted),
        |r, v| r.flow.logins.accepted = v as u16,
    ),
    maybe(
        "src_inside",
        Flag,
        Dictionary,
        |f| of_ip(f, f.initiator_inside),
        |r, v| r.flow.initiator_inside = v == 1,
    ),
    maybe(
        "dst_inside",
        Flag,
        Dictionary,
        |f| of_ip(f, f.responder_inside),
        |r, v| r.flow.responder_inside = v == 1,
    ),
    maybe(
        "duplicate",
        Flag,
        Dictionary,
        |f| f.exporter.map(|_| f.duplicate.into()),
        |r, v| r.flow.duplicate = v == 1,
    ),
    Column {
        name: "unnamed",
        form: Text,
        codec: Dictionary,
        nullable: true,
        read: Read::Text(|f| f.unnamed.as_ref().map(|told| told.as_str())),
        write: Write::Text(|r, told| r.flow.unnamed = Some(Arc::new(told.to_owned()))),
    },
    country(
        "src_country",
        Read::Text(|f| f.initiator_place.country.as_ref().map(Country::as_str)),
        Write::Text(|r, code| r.flow.initiator_place.country = Country::from_code(code)),
    ),
    country(
        "dst_country",
        Read::Text(|f| f.responder_place.country.as_ref().map(Country::as_str)),
        Write::Text(|r, code| r.flow.responder_place.country = Country::from_code(code)),
    ),
    maybe(
        "src_asn",
        U32,
        Dictionary,
        |f| f.initiator_place.as_number.map(|asn| asn.get().into()),
        |r, v| r.flow.initiator_place.as_number = NonZeroU32::new(v as u32),
    ),
    maybe(
        "dst_asn",
        U32,
        Dictionary,
        |f| f.responder_place.as_number.map(|asn| asn.get().into()),
        |r, v| r.flow.responder_place.as_number = NonZeroU32::new(v as u32),
    ),
    // Network performance, since version 2.
    measured!("rtt", Split, rtt_us),
    measured!("rtt_client", Split, rtt_client_us),
    measured!("rtt_server", Split, rtt_server_us),
    measured!("srt", Split, srt_us),
    measured!("srt_min", Split, srt_min_us),
    measured!("srt_max", Split, srt_max_us),
    measured!("srt_count", Dictionary, srt_count),
    measured!("src_retransmitted_packets", Dictionary, forward.retransmitted),
    measured!("src_out_of_order_packets", Dictionary, forward.out_of_order),
    measured!("dst_retransmitted_packets", Dictionary, reverse.retransmitted),
    measured!("dst_out_of_order_packets", Dictionary, reverse.out_of_order),
    measured!("src_delay_min", Dictionary, forward.delay.min_us),
    measured!("src_delay_avg", Dictionary, forward.delay.avg_us),
    measured!("src_delay_max", Dictionary, forward.delay.max_us),
    measured!("src_delay_dev", Dictionary, forward.delay.dev_us),
    measured!("dst_delay_min", Dictionary, reverse.delay.min_us),
    measured!("dst_delay_avg", Dictionary, reverse.delay.avg_us),
    measured!("dst_delay_max", Dictionary, reverse.delay.max_us),
    measured!("dst_delay_dev", Dictionary, reverse.delay.dev_us),
    measured!("src_jitter_min", Dictionary, forward.jitter.min_us),
    measured!("src_jitter_avg", Dictionary, forward.jitter.avg_us),
    measured!("src_jitter_max", Dictionary, forward.jitter.max_us),
    measured!("src_jitter_dev", Dictionary, forward.jitter.dev_us),
    measured!("dst_jitter_min", Dictionary, reverse.jitter.min_us),
    measured!("dst_jitter_avg", Dictionary, reverse.jitter.avg_us),
    measured!("dst_jitter_max", Dictionary, reverse.jitter.max_us),
    measured!("dst_jitter_dev", Dictionary, reverse.jitter.dev_us),
];

/// The country of one side, two letters.
const fn country(name: &'static str, read: Read, write: Write) -> Column {
    Column {
        name,
        form: Text,
        codec: Dictionary,
        nullable: true,
        read,
        write,
    }
}

fn mac(number: u64) -> Mac {
    let [_, _, bytes @ ..] = number.to_be_bytes();
    Mac(bytes)
}
