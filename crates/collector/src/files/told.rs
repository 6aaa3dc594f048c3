//! From what a file tells about a flow to a flow record, and what is counted on the way.
//! It goes the way exports go (a row, then `record::of`), so that files and exporters cannot come to differ.

use std::net::IpAddr;

use serde_json::value::RawValue;
use weir_model::{ConnState, EndReason, FlowId, FlowRecord, Time, proto};
use weir_wire::export::{Format, Header, Moment, Row};

use crate::record;

/// Why a line, object or block gave no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bad {
    /// Longer than the limit of its format.
    TooLong,
    /// No UTF-8, no JSON, or not of the shape the format has.
    Syntax,
    /// A column or field that every record must have is missing.
    Field,
    /// An address that is none.
    Address,
    /// A number that is none, or too large.
    Number,
    /// A time that is none, or before 1970.
    Time,
    /// A protocol nobody has a number for.
    Protocol,
    /// A block that cannot be unpacked.
    Block,
    /// A binary record that is cut or has an impossible length.
    Record,
}

impl Bad {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 9] = [
        Self::TooLong,
        Self::Syntax,
        Self::Field,
        Self::Address,
        Self::Number,
        Self::Time,
        Self::Protocol,
        Self::Block,
        Self::Record,
    ];

    /// Word in outputs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooLong => "too long",
            Self::Syntax => "syntax",
            Self::Field => "missing field",
            Self::Address => "address",
            Self::Number => "number",
            Self::Time => "time",
            Self::Protocol => "protocol",
            Self::Block => "block",
            Self::Record => "record",
        }
    }
}

/// What became of a file's lines, objects and records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Flow records taken, before pairing.
    pub records: u64,
    /// Records of other things than IP flows (alerts, ARP, statistics), passed over.
    pub others: u64,
    /// Records that tell once more what another record tells, passed over.
    pub repeated: u64,
    /// Records the writer says it left out, where it says so.
    pub lost: u64,
    /// Records some counter of which is estimated, because the file does not tell it.
    pub estimated: u64,
    /// Records whose counters the writer multiplied by a sampling rate that it does not tell.
    pub scaled: u64,
    bad: [u64; Bad::ALL.len()],
}

impl FileCounts {
    /// Counts a broken line, object or record.
    pub fn bad(&mut self, reason: Bad) {
        self.bad[reason as usize] += 1;
    }

    /// Counts the unit when it was broken.
    pub(super) fn judge(&mut self, taken: Result<(), Bad>) {
        if let Err(reason) = taken {
            self.bad(reason);
        }
    }

    /// Reasons that occurred, with how often.
    pub fn reasons(&self) -> impl Iterator<Item = (Bad, u64)> + '_ {
        Bad::ALL
            .into_iter()
            .map(|reason| (reason, self.bad[reason as usize]))
            .filter(|&(_, times)| times > 0)
    }

    /// Adds the counters of another file.
    pub fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.others += other.others;
        self.repeated += other.repeated;
        self.lost += other.lost;
        self.estimated += other.estimated;
        self.scaled += other.scaled;
        for (mine, theirs) in self.bad.iter_mut().zip(other.bad) {
            *mine += theirs;
        }
    }
}

/// Nothing said yet about the flow of these endpoints between these moments.
pub(super) fn row(src: IpAddr, dst: IpAddr, proto: u8, start: Time, end: Time) -> Row {
    Row {
        src: Some(src.to_canonical()),
        dst: Some(dst.to_canonical()),
        proto: Some(proto),
        start: Moment::Unix(start.0),
        end: Moment::Unix(end.0),
        ..Row::default()
    }
}

/// The record of a row with absolute times. `None` when it lacks addresses.
pub(super) fn flow(row: &Row, exporter: Option<IpAddr>, sampling: u32) -> Option<FlowRecord> {
    let end = match row.end {
        Moment::Unix(nanos) => Time(nanos),
        _ => Time::default(),
    };
    // The age of a flow is judged against its export: a log is as good as its own times.
    let header = Header {
        format: Format::Ipfix,
        export: end,
        uptime_ms: None,
        sequence: 0,
        domain: 0,
        sampling: 0,
        count: 0,
    };
    let nobody = IpAddr::from([0; 4]);
    let mut flow = record::of(row, &header, exporter.unwrap_or(nobody), sampling)?;
    flow.exporter = exporter;
    Some(flow)
}

/// The record of a row that tells both directions, its source being the initiator.
pub(super) fn biflow(row: &Row, end_state: Option<ConnState>) -> Option<FlowRecord> {
    let mut flow = flow(row, None, 1)?;
    flow.conn_state = end_state.unwrap_or(flow.conn_state);
    Some(flow)
}

/// As [`flow`] for logs that tell no type of ICMP messages: none is made up, and directions pair by addresses alone.
pub(super) fn flow_without_icmp(row: &Row) -> Result<FlowRecord, Bad> {
    let mut flow = flow(row, None, 1).ok_or(Bad::Field)?;
    if flow.icmp.take().is_some() {
        (flow.key.initiator_port, flow.key.responder_port) = (0, 0);
        flow.id = FlowId::derive(&flow.key, flow.flow_start);
    }
    Ok(flow)
}

/// The flow was refused on its way: the responder never saw it and cannot have answered.
pub(super) const fn refused(row: &mut Row) {
    (row.reverse_packets, row.reverse_bytes) = (Some(0), Some(0));
}

/// Number of a protocol by its name in logs, or written as a number.
pub(super) fn protocol(word: &str, ip6: bool) -> Result<u8, Bad> {
    const NAMES: &[(&str, u8)] = &[
        ("tcp", proto::TCP),
        ("udp", proto::UDP),
        ("icmp6", proto::ICMP6),
        ("icmpv6", proto::ICMP6),
        ("ipv6-icmp", proto::ICMP6),
        ("igmp", proto::IGMP),
        ("gre", proto::GRE),
        ("esp", proto::ESP),
        ("ipsec-esp", proto::ESP),
        ("ah", 51),
        ("ipsec-ah", 51),
        ("sctp", proto::SCTP),
        ("ipip", 4),
        ("ipv6", 41),
        ("eigrp", 88),
        ("ospf", 89),
        ("pim", 103),
        ("vrrp", 112),
        ("l2tp", 115),
        // Argus names what UDP carries.
        ("rtp", proto::UDP),
        ("rtcp", proto::UDP),
        ("udt", proto::UDP),
    ];
    if let Ok(number) = word.parse() {
        return Ok(number);
    }
    if word.eq_ignore_ascii_case("icmp") {
        return Ok(if ip6 { proto::ICMP6 } else { proto::ICMP });
    }
    let named = NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
    named.map(|&(_, number)| number).ok_or(Bad::Protocol)
}

/// A number in decimal.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, Bad> {
    text.parse().map_err(|_| Bad::Number)
}

/// An address in text.
pub(super) fn address(text: &str) -> Result<IpAddr, Bad> {
    text.parse().map_err(|_| Bad::Address)
}

/// The text of a JSON value without its quotes; `null` and empty text are nothing. What needs escapes (no address, number
/// or time does) keeps them and is then broken by its own rules.
pub(super) fn plain(value: Option<&RawValue>) -> Option<&str> {
    let text = value?.get();
    let text = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    (!matches!(text, "" | "-" | "null")).then_some(text)
}

/// How a flow of this state ended.
pub(super) fn end_reason(state: Option<ConnState>) -> EndReason {
    use ConnState::{Rej, RstO, RstOS0, RstR, RstRH, SF};
    match state {
        Some(SF | Rej | RstO | RstR | RstOS0 | RstRH) => EndReason::Finished,
        _ => EndReason::Idle,
    }
}
