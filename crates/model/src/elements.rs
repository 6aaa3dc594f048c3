//! The one table of flow columns: IPFIX element, producer, label and how to read it from a record.
//! A new column is one row here plus its producer; outputs, filter words and the reference come from the table.

use std::net::IpAddr;

use crate::{FlowRecord, Mac, Measured, Performance, Phase, Time, community_id};

/// A cell of a flow table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Number(u64),
    Ip(IpAddr),
    Mac(Mac),
    Time(Time),
    Text(String),
    Flag(bool),
}

/// One column of flow records.
#[derive(Debug)]
pub struct Element {
    /// Column name in outputs.
    pub name: &'static str,
    /// IPFIX information element (IANA name), or empty for our own.
    pub ipfix: &'static str,
    /// What fills it.
    pub producer: &'static str,
    /// Label for people, with the unit.
    pub label: &'static str,
    /// Reads the value; `None` where the record has none.
    pub cell: fn(&FlowRecord) -> Option<Cell>,
}

/// A row of the table; its parts stand in the order of the fields of [`Element`].
const fn row(
    name: &'static str,
    ipfix: &'static str,
    producer: &'static str,
    label: &'static str,
    cell: fn(&FlowRecord) -> Option<Cell>,
) -> Element {
    Element {
        name,
        ipfix,
        producer,
        label,
        cell,
    }
}

fn text(word: impl Into<String>) -> Option<Cell> {
    Some(Cell::Text(word.into()))
}

fn number(value: impl Into<u64>) -> Option<Cell> {
    Some(Cell::Number(value.into()))
}

/// A number that is nothing to tell of when it is zero.
fn nonzero(value: impl Into<u64>) -> Option<Cell> {
    Some(value.into()).filter(|&value| value > 0).and_then(number)
}

/// A figure of network performance, where it was measured.
fn measured(f: &FlowRecord, figure: fn(&Performance) -> Measured) -> Option<Cell> {
    let number = figure(f.performance.as_deref()?).get()?;
    Some(Cell::Number(number.into()))
}

/// A cell that only IP traffic has.
fn of_ip(f: &FlowRecord, cell: Cell) -> Option<Cell> {
    f.key.is_ip().then_some(cell)
}

fn with_ports(f: &FlowRecord) -> bool {
    use crate::proto::{SCTP, TCP, UDP};
    matches!(f.key.proto, TCP | UDP | SCTP)
}

fn has_addresses(f: &FlowRecord) -> bool {
    f.key.has_addresses()
}

/// TCP flags as nfdump prints them: `.APRS.`, with C and E in front when set.
pub fn flags_text(flags: u16) -> String {
    let base: String = [
        (0x20, 'U'),
        (0x10, 'A'),
        (0x08, 'P'),
        (0x04, 'R'),
        (0x02, 'S'),
        (0x01, 'F'),
    ]
    .into_iter()
    .map(|(bit, letter)| if flags & bit != 0 { letter } else { '.' })
    .collect();
    let cwr = if flags & 0x80 != 0 { "C" } else { "" };
    let ece = if flags & 0x40 != 0 { "E" } else { "" };
    format!("{cwr}{ece}{base}")
}

/// Every column, in the order of outputs.
pub const ELEMENTS: &[Element] = &[
    row("flow_id", "flowId", "meter", "Flow id", |f| {
        text(f.id.to_string())
    }),
    row("phase", "", "meter", "Record phase", |f| {
        text(match f.phase {
            Phase::Start => "start",
            Phase::Update => "update",
            Phase::End => "end",
        })
    }),
    row("flow_start", "", "meter", "First packet of the flow", |f| {
        Some(Cell::Time(f.flow_start))
    }),
    row(
        "start",
        "flowStartNanoseconds",
        "meter",
        "First packet of the record",
        |f| Some(Cell::Time(f.start)),
    ),
    row(
        "end",
        "flowEndNanoseconds",
        "meter",
        "Last packet of the record",
        |f| Some(Cell::Time(f.end)),
    ),
    row(
        "end_reason",
        "flowEndReason",
        "meter",
        "End reason (IPFIX code)",
        |f| number(f.end_reason.code()),
    ),
    row("ethertype", "ethernetType", "wire", "EtherType", |f| {
        number(f.key.ethertype)
    }),
    row("vlan", "dot1qVlanId", "wire", "VLAN id", |f| {
        f.key.vlan.and_then(number)
    }),
    row("proto", "protocolIdentifier", "wire", "IP protocol", |f| {
        of_ip(f, Cell::Number(f.key.proto.into()))
    }),
    row(
        "src_ip",
        "sourceIPv4Address/sourceIPv6Address",
        "wire",
        "Initiator address",
        |f| has_addresses(f).then_some(Cell::Ip(f.key.initiator_ip)),
    ),
    row("src_port", "sourceTransportPort", "wire", "Initiator port", |f| {
        with_ports(f).then(|| Cell::Number(f.key.initiator_port.into()))
    }),
    row(
        "dst_ip",
        "destinationIPv4Address/destinationIPv6Address",
        "wire",
        "Responder address",
        |f| has_addresses(f).then_some(Cell::Ip(f.key.responder_ip)),
    ),
    row(
        "dst_port",
        "destinationTransportPort",
        "wire",
        "Responder port",
        |f| with_ports(f).then(|| Cell::Number(f.key.responder_port.into())),
    ),
    row(
        "initiator_reason",
        "biflowDirection",
        "meter",
        "How the initiator was decided",
        |f| text(f.initiator_reason.word()),
    ),
    row("src_packets", "packetDeltaCount", "meter", "Packets sent", |f| {
        number(f.forward.packets)
    }),
    row("src_bytes", "octetDeltaCount", "meter", "IP bytes sent", |f| {
        number(f.forward.bytes)
    }),
    row("src_payload_bytes", "", "meter", "Payload bytes sent", |f| {
        number(f.forward.payload_bytes)
    }),
    row(
        "dst_packets",
        "reversePacketDeltaCount",
        "meter",
        "Packets received",
        |f| f.reverse.and_then(|r| number(r.packets)),
    ),
    row(
        "dst_bytes",
        "reverseOctetDeltaCount",
        "meter",
        "IP bytes received",
        |f| f.reverse.and_then(|r| number(r.bytes)),
    ),
    row("dst_payload_bytes", "", "meter", "Payload bytes received", |f| {
        f.reverse.and_then(|r| number(r.payload_bytes))
    }),
    row(
        "src_tcp_flags",
        "tcpControlBits",
        "meter",
        "TCP flags sent",
        |f| (f.key.proto == crate::proto::TCP).then(|| Cell::Text(flags_text(f.forward_flags))),
    ),
    row(
        "dst_tcp_flags",
        "reverseTcpControlBits",
        "meter",
        "TCP flags received",
        |f| (f.key.proto == crate::proto::TCP).then(|| Cell::Text(flags_text(f.reverse_flags))),
    ),
    row(
        "src_mac",
        "sourceMacAddress",
        "wire",
        "Initiator hardware address",
        |f| f.initiator_mac.map(Cell::Mac),
    ),
    row(
        "dst_mac",
        "destinationMacAddress",
        "wire",
        "Responder hardware address",
        |f| f.responder_mac.map(Cell::Mac),
    ),
    row("src_ttl", "ipTTL", "meter", "TTL of the first packet sent", |f| {
        of_ip(f, Cell::Number(f.forward_ttl.into()))
    }),
    row(
        "dst_ttl",
        "reverseIpTTL",
        "meter",
        "TTL of the first packet received",
        |f| (f.key.is_ip() && f.answered()).then(|| Cell::Number(f.reverse_ttl.into())),
    ),
    row("tos", "ipClassOfService", "meter", "Type of service", |f| {
        of_ip(f, Cell::Number(f.tos.into()))
    }),
    row(
        "syn_bytes",
        "",
        "meter",
        "IP length of the first SYN, bytes",
        |f| nonzero(f.syn_bytes),
    ),
    row(
        "syn_window",
        "tcpWindowSize",
        "meter",
        "TCP window of the first SYN",
        |f| (f.syn_bytes > 0).then(|| Cell::Number(f.syn_window.into())),
    ),
    row(
        "icmp_type",
        "icmpTypeIPv4/icmpTypeIPv6",
        "wire",
        "ICMP type",
        |f| f.icmp.and_then(|(kind, _)| number(kind)),
    ),
    row(
        "icmp_code",
        "icmpCodeIPv4/icmpCodeIPv6",
        "wire",
        "ICMP code",
        |f| f.icmp.and_then(|(_, code)| number(code)),
    ),
    row(
        "icmp_error",
        "",
        "meter",
        "ICMP error that answered (type/code)",
        |f| {
            f.icmp_error
                .map(|(kind, code)| Cell::Text(format!("{kind}/{code}")))
        },
    ),
    row("community_id", "", "meter", "Community ID", |f| {
        community_id::of(&f.key, 0).map(Cell::Text)
    }),
    row("conn_state", "", "meter", "Connection state (Zeek)", |f| {
        of_ip(f, Cell::Text(f.conn_state.word().into()))
    }),
    row("history", "", "meter", "History letters (Zeek)", |f| {
        let letters = f.history.as_str();
        (!letters.is_empty()).then(|| Cell::Text(letters.into()))
    }),
    row("app", "applicationName", "dissect", "Application protocol", |f| {
        f.protocol.and_then(|app| text(app.word()))
    }),
    row("app_by", "", "dissect", "Application known by", |f| {
        f.protocol
            .and_then(|_| text(if f.protocol_by_content { "content" } else { "port" }))
    }),
    row("logins_refused", "", "dissect", "Log-ins refused", |f| {
        nonzero(f.logins.refused)
    }),
    row("logins_accepted", "", "dissect", "Log-ins accepted", |f| {
        nonzero(f.logins.accepted)
    }),
    row("src_inside", "", "enrich", "Initiator is inside", |f| {
        of_ip(f, Cell::Flag(f.initiator_inside))
    }),
    row("dst_inside", "", "enrich", "Responder is inside", |f| {
        of_ip(f, Cell::Flag(f.responder_inside))
    }),
    row(
        "src_country",
        "",
        "enrich",
        "Country of the initiator (ISO 3166-1)",
        |f| {
            f.initiator_place
                .country
                .and_then(|country| text(country.as_str()))
        },
    ),
    row(
        "dst_country",
        "",
        "enrich",
        "Country of the responder (ISO 3166-1)",
        |f| {
            f.responder_place
                .country
                .and_then(|country| text(country.as_str()))
        },
    ),
    row(
        "src_asn",
        "bgpSourceAsNumber",
        "enrich",
        "Autonomous system of the initiator",
        |f| f.initiator_place.as_number.and_then(|asn| number(asn.get())),
    ),
    row(
        "dst_asn",
        "bgpDestinationAsNumber",
        "enrich",
        "Autonomous system of the responder",
        |f| f.responder_place.as_number.and_then(|asn| number(asn.get())),
    ),
    row(
        "rtt",
        "npmRoundTripTime (39499)",
        "meter",
        "Round trip of the TCP handshake, SYN to ACK, microseconds",
        |f| measured(f, |p| p.rtt_us),
    ),
    row(
        "rtt_client",
        "",
        "meter",
        "Its part between here and the initiator, microseconds",
        |f| measured(f, |p| p.rtt_client_us),
    ),
    row(
        "rtt_server",
        "",
        "meter",
        "Its part between here and the responder, microseconds",
        |f| measured(f, |p| p.rtt_server_us),
    ),
    row(
        "srt",
        "npmServerResponseTime (39499)",
        "meter",
        "Server response time, mean of the exchanges, microseconds",
        |f| measured(f, |p| p.srt_us),
    ),
    row(
        "srt_min",
        "",
        "meter",
        "Shortest server response time, microseconds",
        |f| measured(f, |p| p.srt_min_us),
    ),
    row(
        "srt_max",
        "",
        "meter",
        "Longest server response time, microseconds",
        |f| measured(f, |p| p.srt_max_us),
    ),
    row(
        "srt_count",
        "",
        "meter",
        "Exchanges whose response time was measured",
        |f| measured(f, |p| p.srt_count),
    ),
    row(
        "src_retransmitted_packets",
        "npmTcpRetransmission (39499)",
        "meter",
        "TCP segments sent that had been sent before",
        |f| measured(f, |p| p.forward.retransmitted),
    ),
    row(
        "src_out_of_order_packets",
        "npmTcpOutOfOrder (39499)",
        "meter",
        "TCP segments sent that were overtaken",
        |f| measured(f, |p| p.forward.out_of_order),
    ),
    row(
        "dst_retransmitted_packets",
        "",
        "meter",
        "TCP segments received that had been sent before",
        |f| measured(f, |p| p.reverse.retransmitted),
    ),
    row(
        "dst_out_of_order_packets",
        "",
        "meter",
        "TCP segments received that were overtaken",
        |f| measured(f, |p| p.reverse.out_of_order),
    ),
    row(
        "src_delay_min",
        "npmDelayMin (39499)",
        "meter",
        "Shortest time between packets sent, microseconds",
        |f| measured(f, |p| p.forward.delay.min_us),
    ),
    row(
        "src_delay_avg",
        "npmDelayAvg (39499)",
        "meter",
        "Mean time between packets sent, microseconds",
        |f| measured(f, |p| p.forward.delay.avg_us),
    ),
    row(
        "src_delay_max",
        "npmDelayMax (39499)",
        "meter",
        "Longest time between packets sent, microseconds",
        |f| measured(f, |p| p.forward.delay.max_us),
    ),
    row(
        "src_delay_dev",
        "npmDelayDev (39499)",
        "meter",
        "Deviation of the time between packets sent, microseconds",
        |f| measured(f, |p| p.forward.delay.dev_us),
    ),
    row(
        "dst_delay_min",
        "",
        "meter",
        "Shortest time between packets received, microseconds",
        |f| measured(f, |p| p.reverse.delay.min_us),
    ),
    row(
        "dst_delay_avg",
        "",
        "meter",
        "Mean time between packets received, microseconds",
        |f| measured(f, |p| p.reverse.delay.avg_us),
    ),
    row(
        "dst_delay_max",
        "",
        "meter",
        "Longest time between packets received, microseconds",
        |f| measured(f, |p| p.reverse.delay.max_us),
    ),
    row(
        "dst_delay_dev",
        "",
        "meter",
        "Deviation of the time between packets received, microseconds",
        |f| measured(f, |p| p.reverse.delay.dev_us),
    ),
    row(
        "src_jitter_min",
        "npmJitterMin (39499)",
        "meter",
        "Smallest difference between neighbouring delays of packets sent, microseconds",
        |f| measured(f, |p| p.forward.jitter.min_us),
    ),
    row(
        "src_jitter_avg",
        "npmJitterAvg (39499)",
        "meter",
        "Mean difference between neighbouring delays of packets sent, microseconds",
        |f| measured(f, |p| p.forward.jitter.avg_us),
    ),
    row(
        "src_jitter_max",
        "npmJitterMax (39499)",
        "meter",
        "Largest difference between neighbouring delays of packets sent, microseconds",
        |f| measured(f, |p| p.forward.jitter.max_us),
    ),
    row(
        "src_jitter_dev",
        "npmJitterDev (39499)",
        "meter",
        "Deviation of the difference between neighbouring delays of packets sent, microseconds",
        |f| measured(f, |p| p.forward.jitter.dev_us),
    ),
    row(
        "dst_jitter_min",
        "",
        "meter",
        "Smallest difference between neighbouring delays of packets received, microseconds",
        |f| measured(f, |p| p.reverse.jitter.min_us),
    ),
    row(
        "dst_jitter_avg",
        "",
        "meter",
        "Mean difference between neighbouring delays of packets received, microseconds",
        |f| measured(f, |p| p.reverse.jitter.avg_us),
    ),
    row(
        "dst_jitter_max",
        "",
        "meter",
        "Largest difference between neighbouring delays of packets received, microseconds",
        |f| measured(f, |p| p.reverse.jitter.max_us),
    ),
    row(
        "dst_jitter_dev",
        "",
        "meter",
        "Deviation of the difference between neighbouring delays of packets received, microseconds",
        |f| measured(f, |p| p.reverse.jitter.dev_us),
    ),
    row(
        "sampling",
        "samplingInterval",
        "collector",
        "One packet counted of so many",
        |f| (f.sampling > 1).then(|| Cell::Number(f.sampling.into())),
    ),
    row(
        "exporter",
        "exporterIPv4Address/exporterIPv6Address",
        "collector",
        "Exporter of the record",
        |f| f.exporter.map(Cell::Ip),
    ),
    row(
        "duplicate",
        "",
        "collector",
        "Told by another exporter before: methods pass it over",
        |f| f.exporter.map(|_| Cell::Flag(f.duplicate)),
    ),
    row(
        "unnamed",
        "",
        "collector",
        "Elements that no table names, raw (e<enterprise>id<number>=<hexadecimal>)",
        |f| f.unnamed.as_ref().and_then(|told| text(told.as_str())),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ELEMENTS.iter().map(|element| element.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn flags_as_nfdump_prints_them() {
        assert_eq!(flags_text(0x1a), ".AP.S.");
        assert_eq!(flags_text(0xc2), "CE....S.");
    }
}
