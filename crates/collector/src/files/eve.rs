//! Suricata's EVE log: `flow` records (both directions) and `netflow` records (one each). Other records are counted and
//! passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use weir_model::{EndReason, FlowRecord, Phase, Protocol, proto};
use weir_wire::export::Row;

use super::{Bad, FileCounts, Format, stamp, told};

/// One record, of any type.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    src_ip: Option<&'a RawValue>,
    #[serde(borrow)]
    src_port: Option<&'a RawValue>,
    #[serde(borrow)]
    dest_ip: Option<&'a RawValue>,
    #[serde(borrow)]
    dest_port: Option<&'a RawValue>,
    #[serde(borrow)]
    proto: Option<&'a RawValue>,
    #[serde(borrow)]
    app_proto: Option<Cow<'a, str>>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    vlan: Option<Vec<u16>>,
    #[serde(borrow)]
    flow: Option<Flow<'a>>,
    #[serde(borrow)]
    netflow: Option<Flow<'a>>,
    #[serde(borrow)]
    tcp: Option<Tcp<'a>>,
}

/// Counters of a record: of both directions in `flow`, of one in `netflow`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Flow<'a> {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    pkts: u64,
    bytes: u64,
    min_ttl: u8,
    #[serde(borrow)]
    start: Option<&'a RawValue>,
    #[serde(borrow)]
    end: Option<&'a RawValue>,
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
}

/// Flags in hexadecimal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tcp<'a> {
    #[serde(borrow)]
    tcp_flags: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tcp_flags_ts: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tcp_flags_tc: Option<Cow<'a, str>>,
}

/// Reader of an EVE log.
pub(super) struct Eve {
    /// `flow` records are in the log: `netflow` records tell the same flows once more.
    flows: bool,
}

impl Eve {
    /// A reader of the log that begins with `head`.
    pub(super) fn new(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let flows = text.contains("\"event_type\":\"flow\"") || text.contains("\"event_type\": \"flow\"");
        Self { flows }
    }
}

impl Format for Eve {
    fn take(&mut self, line: &str, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Result<(), Bad> {
        let record: Record<'_> = serde_json::from_str(line).map_err(|_| Bad::Syntax)?;
        let Some(kind) = record.event_type.as_deref() else {
            return Err(Bad::Field);
        };
        let flow = match (kind, &record.flow, &record.netflow) {
            ("flow", Some(flow), _) => {
                self.flows = true;
                both_ways(&record, flow)?
            }
            ("netflow", _, Some(_)) if self.flows => {
                counts.repeated += 1;
                return Ok(());
            }
            ("netflow", _, Some(flow)) => one_way(&record, flow)?,
            ("flow" | "netflow", ..) => return Err(Bad::Field),
            _ => {
                counts.others += 1;
                return Ok(());
            }
        };
        out.push(flow);
        Ok(())
    }
}

fn both_ways(record: &Record<'_>, flow: &Flow<'_>) -> Result<FlowRecord, Bad> {
    let mut row = row(record, flow)?;
    (row.packets, row.bytes) = (flow.pkts_toserver, flow.bytes_toserver);
    (row.reverse_packets, row.reverse_bytes) = (Some(flow.pkts_toclient), Some(flow.bytes_toclient));
    if let Some(tcp) = &record.tcp {
        row.flags = hex(tcp.tcp_flags_ts.as_deref());
        row.reverse_flags = hex(tcp.tcp_flags_tc.as_deref());
    }
    let mut made = told::biflow(&row, None).ok_or(Bad::Field)?;
    (made.phase, made.end_reason) = match (flow.reason.as_deref(), flow.state.as_deref()) {
        (Some("forced" | "shutdown"), _) => (Phase::End, EndReason::Forced),
        (_, Some("closed")) => (Phase::End, EndReason::Finished),
        _ => (Phase::End, EndReason::Idle),
    };
    // "By content" promises the exchanges that were read in it (log-ins, queries), which flow records do not have.
    made.protocol = record.app_proto.as_deref().and_then(app);
    Ok(made)
}

fn one_way(record: &Record<'_>, flow: &Flow<'_>) -> Result<FlowRecord, Bad> {
    let mut row = row(record, flow)?;
    (row.packets, row.bytes, row.ttl) = (flow.pkts, flow.bytes, flow.min_ttl);
    if let Some(tcp) = &record.tcp {
        row.flags = hex(tcp.tcp_flags.as_deref());
    }
    told::flow(&row, None, 1).ok_or(Bad::Field)
}

/// What both kinds of record have.
fn row(record: &Record<'_>, flow: &Flow<'_>) -> Result<Row, Bad> {
    let plain = |value| told::plain(value).ok_or(Bad::Field);
    let (src, dst) = (
        told::address(plain(record.src_ip)?)?,
        told::address(plain(record.dest_ip)?)?,
    );
    let protocol = told::protocol(plain(record.proto)?, src.is_ipv6())?;
    let start = stamp::moment(plain(flow.start)?)?;
    let end = told::plain(flow.end).map_or(Ok(start), stamp::moment)?;
    let mut row = told::row(src, dst, protocol, start, end);
    let port = |value| told::plain(value).map_or(Ok(0), told::number);
    (row.src_port, row.dst_port) = (port(record.src_port)?, port(record.dest_port)?);
    if matches!(protocol, proto::ICMP | proto::ICMP6) {
        row.icmp = record.icmp_type.map(|kind| (kind, record.icmp_code.unwrap_or(0)));
        (row.src_port, row.dst_port) = (0, 0);
    }
    row.vlan = record.vlan.as_ref().and_then(|ids| ids.first().copied());
    Ok(row)
}

/// TCP flags in hexadecimal.
fn hex(text: Option<&str>) -> u16 {
    text.and_then(|text| u16::from_str_radix(text, 16).ok())
        .unwrap_or(0)
}

/// The protocol Suricata recognised.
fn app(word: &str) -> Option<Protocol> {
    match word {
        "krb5" => Some(Protocol::Kerberos),
        "rfb" => Some(Protocol::Vnc),
        "http1" | "http2" => Some(Protocol::Http),
        _ => Protocol::ALL
            .iter()
            .copied()
            .find(|protocol| protocol.word() == word),
    }
}
