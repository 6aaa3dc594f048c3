//! Zeek's conn.log, tab-separated or JSON. Zeek saw the packets: both directions, states and histories are told, and
//! an unanswered connection is one whose responder is known to have sent nothing.

use serde::Deserialize;
use serde_json::value::RawValue;
use weir_model::{ConnState, FlowRecord, Protocol, proto, tcp_flags};
use weir_wire::export::Row;

use super::columns::{Columns, Place};
use super::{Bad, FileCounts, Format, Untold, stamp, told};

/// What to do with Zeek's other logs.
pub(super) const OTHER_LOG: &str = "it is a Zeek log of something else than connections; give conn.log";

/// Is the log, whose header `text` begins with, one of connections?
pub(super) fn check(text: &str) -> Result<(), Untold> {
    let fields = text.lines().find(|line| line.starts_with("#fields"));
    let connections = match fields {
        Some(fields) => {
            ["id.orig_h", "id.resp_h", "proto", "ts"]
                .iter()
                .all(|name| fields.split('\t').any(|field| field == *name))
                && (fields.contains("\tconn_state") || fields.contains("\torig_"))
        }
        None => false,
    };
    let tabs = text.starts_with("#separator \\x09");
    match (tabs, connections) {
        (true, true) => Ok(()),
        (true, false) => Err(Untold(Some(OTHER_LOG.into()))),
        (false, _) => Err(Untold(Some(
            "it is a Zeek log with another separator than tabs; write it with tabs or as JSON".into(),
        ))),
    }
}

/// One connection, as the log words it.
#[derive(Default, Deserialize)]
struct Conn<'a> {
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(borrow, rename = "id.orig_h")]
    orig_h: Option<&'a RawValue>,
    #[serde(borrow, rename = "id.orig_p")]
    orig_p: Option<&'a RawValue>,
    #[serde(borrow, rename = "id.resp_h")]
    resp_h: Option<&'a RawValue>,
    #[serde(borrow, rename = "id.resp_p")]
    resp_p: Option<&'a RawValue>,
    #[serde(borrow)]
    proto: Option<&'a RawValue>,
    #[serde(borrow)]
    ip_proto: Option<&'a RawValue>,
    #[serde(borrow)]
    service: Option<&'a RawValue>,
    #[serde(borrow)]
    duration: Option<&'a RawValue>,
    #[serde(borrow)]
    orig_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    resp_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    conn_state: Option<&'a RawValue>,
    #[serde(borrow)]
    history: Option<&'a RawValue>,
    #[serde(borrow)]
    orig_pkts: Option<&'a RawValue>,
    #[serde(borrow)]
    orig_ip_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    resp_pkts: Option<&'a RawValue>,
    #[serde(borrow)]
    resp_ip_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    vlan: Option<&'a RawValue>,
    #[serde(borrow)]
    orig_l2_addr: Option<&'a RawValue>,
    #[serde(borrow)]
    resp_l2_addr: Option<&'a RawValue>,
}

/// Names of the cells of a connection, in the order of [`Cells`].
const NAMES: [&str; 20] = [
    "ts",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "ip_proto",
    "service",
    "duration",
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "history",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
    "vlan",
    "orig_l2_addr",
    "resp_l2_addr",
];

/// Cells of a connection in the order of [`NAMES`], whichever way the log is written.
type Cells<'a> = [Option<&'a str>; NAMES.len()];

/// The tab-separated form.
#[derive(Default)]
pub(super) struct Tsv {
    places: [Place; NAMES.len()],
    known: bool,
}

impl Format for Tsv {
    fn take(&mut self, line: &str, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Result<(), Bad> {
        if let Some(header) = line.strip_prefix('#') {
            // Rotated logs put one behind the other have a header each.
            if let Some(names) = header.strip_prefix("fields\t") {
                let columns = Columns::new(names.split('\t'));
                self.places = NAMES.map(|name| columns.place(&[name]));
                self.known = true;
            }
            return Ok(());
        }
        if !self.known {
            return Err(Bad::Field);
        }
        let cells: Vec<&str> = line.split('\t').collect();
        let cells = self
            .places
            .map(|place| place.of(&cells).filter(|&cell| cell != "(empty)"));
        connection(&cells, counts, out)
    }
}

/// The JSON form.
pub(super) struct Json;

impl Format for Json {
    fn take(&mut self, line: &str, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Result<(), Bad> {
        let conn: Conn<'_> = serde_json::from_str(line).map_err(|_| Bad::Syntax)?;
        let cells = [
            conn.ts,
            conn.orig_h,
            conn.orig_p,
            conn.resp_h,
            conn.resp_p,
            conn.proto,
            conn.ip_proto,
            conn.service,
            conn.duration,
            conn.orig_bytes,
            conn.resp_bytes,
            conn.conn_state,
            conn.history,
            conn.orig_pkts,
            conn.orig_ip_bytes,
            conn.resp_pkts,
            conn.resp_ip_bytes,
            conn.vlan,
            conn.orig_l2_addr,
            conn.resp_l2_addr,
        ];
        connection(&cells.map(told::plain), counts, out)
    }
}

fn connection(cells: &Cells<'_>, counts: &mut FileCounts, out: &mut Vec<FlowRecord>) -> Result<(), Bad> {
    let [
        ts,
        orig_h,
        orig_p,
        resp_h,
        resp_p,
        proto_word,
        ip_proto,
        service,
        duration,
        rest @ ..,
    ] = *cells;
    let [orig_bytes, resp_bytes, conn_state, history, counters @ ..] = rest;
    let [
        orig_pkts,
        orig_ip_bytes,
        resp_pkts,
        resp_ip_bytes,
        vlan,
        orig_mac,
        resp_mac,
    ] = counters;
    let address = |cell: Option<&str>| told::address(cell.ok_or(Bad::Field)?);
    let (orig, resp) = (address(orig_h)?, address(resp_h)?);
    let start = stamp::moment(ts.ok_or(Bad::Field)?)?;
    let end = start + duration.map_or(Ok(0), stamp::span)?;
    let protocol = match (ip_proto, proto_word) {
        (Some(number), _) => told::number(number)?,
        // Before `ip_proto` came, this was all that was said of other protocols.
        (None, Some("unknown_transport")) => {
            counts.others += 1;
            return Ok(());
        }
        (None, Some(word)) => told::protocol(word, orig.is_ipv6())?,
        (None, None) => return Err(Bad::Field),
    };
    let mut row = told::row(orig, resp, protocol, start, end);
    let port = |cell: Option<&str>| cell.map_or(Ok(0), told::number::<u16>);
    (row.src_port, row.dst_port) = (port(orig_p)?, port(resp_p)?);
    icmp(&mut row, protocol);
    let payload = (amount(orig_bytes)?, amount(resp_bytes)?);
    (row.packets, row.bytes) = passed(orig_pkts, orig_ip_bytes, payload.0)?;
    // Nothing said of the answer, not even that there was none.
    if resp_pkts.or(resp_bytes).is_some() {
        let (packets, bytes) = passed(resp_pkts, resp_ip_bytes, payload.1)?;
        (row.reverse_packets, row.reverse_bytes) = (Some(packets), Some(bytes));
    }
    counts.estimated += u64::from(orig_pkts.is_none() || resp_pkts.is_none());
    row.vlan = vlan.and_then(|id| id.parse().ok());
    row.src_mac = orig_mac.and_then(|mac| mac.parse().ok());
    row.dst_mac = resp_mac.and_then(|mac| mac.parse().ok());
    let history = history.unwrap_or_default();
    if protocol == proto::TCP {
        (row.flags, row.reverse_flags) = flags(history);
        row.first_flags = first_flags(history);
    }
    let state = conn_state.and_then(state);
    let mut flow = told::biflow(&row, state).ok_or(Bad::Field)?;
    tell(&mut flow, payload, history, service);
    flow.end_reason = told::end_reason(state);
    out.push(flow);
    Ok(())
}

fn amount(cell: Option<&str>) -> Result<u64, Bad> {
    cell.map_or(Ok(0), told::number)
}

/// Packets and IP bytes of one direction. Logs written without these still tell whether there were some.
fn passed(packets: Option<&str>, ip_bytes: Option<&str>, payload: u64) -> Result<(u64, u64), Bad> {
    let bytes = ip_bytes.map_or(Ok(payload), told::number)?;
    let packets = packets.map_or(Ok(u64::from(bytes > 0)), told::number)?;
    Ok((packets, bytes))
}

/// Zeek's ports of ICMP: the type, and the type of the answer where there is one, else the code.
fn icmp(row: &mut Row, protocol: u8) {
    if matches!(protocol, proto::ICMP | proto::ICMP6) {
        let kind = row.src_port as u8;
        let paired = weir_model::community_id::icmp_counterpart(protocol, kind).is_some();
        let code = if paired { 0 } else { row.dst_port as u8 };
        row.icmp = Some((kind, code));
        row.dst_port = u16::from_be_bytes([kind, code]);
    }
}

/// What Zeek tells beyond what exporters do.
fn tell(flow: &mut FlowRecord, payload: (u64, u64), history: &str, service: Option<&str>) {
    flow.forward.payload_bytes = payload.0;
    flow.forward_total = flow.forward;
    if let Some(back) = &mut flow.reverse {
        back.payload_bytes = payload.1;
    }
    flow.reverse_total = flow.reverse;
    let letters = history.bytes().filter(u8::is_ascii);
    letters.for_each(|letter| flow.history.push(letter));
    // "By content" promises the exchanges that were read in it (log-ins, queries), which conn.log does not have.
    flow.protocol = service.and_then(service_of);
}

/// TCP flags of both sides that a history tells of: each letter is a kind of segment that was seen at least once.
fn flags(history: &str) -> (u16, u16) {
    use tcp_flags::{ACK, FIN, PSH, RST, SYN};
    let (mut orig, mut resp) = (0, 0);
    for letter in history.chars() {
        let seen = match letter.to_ascii_lowercase() {
            's' => SYN,
            'h' => SYN | ACK,
            'a' => ACK,
            'd' => PSH | ACK,
            'f' => FIN | ACK,
            'r' => RST,
            // SYN together with FIN or RST.
            'q' => SYN,
            _ => 0,
        };
        if letter.is_ascii_uppercase() {
            orig |= seen;
        } else {
            resp |= seen;
        }
    }
    (orig, resp)
}

/// Flags of the originator's first segment.
fn first_flags(history: &str) -> u16 {
    let first = history.chars().find(char::is_ascii_uppercase);
    first.map_or(0, |letter| flags(letter.encode_utf8(&mut [0; 4])).0)
}

/// Zeek's word for a state.
fn state(word: &str) -> Option<ConnState> {
    use ConnState::*;
    let all = [S0, S1, SF, Rej, S2, S3, RstO, RstR, RstOS0, RstRH, Sh, ShR, Oth];
    all.into_iter().find(|state| state.word() == word)
}

/// The protocol Zeek recognised; with several analysers the innermost comes last or first, so any known one counts.
fn service_of(words: &str) -> Option<Protocol> {
    words.split([',', '-']).find_map(|word| match word {
        "ssl" | "tls" | "quic" => Some(Protocol::Tls),
        "krb" | "krb_tcp" | "krb_udp" => Some(Protocol::Kerberos),
        "rfb" => Some(Protocol::Vnc),
        _ => Protocol::ALL
            .iter()
            .copied()
            .find(|protocol| protocol.word() == word),
    })
}
