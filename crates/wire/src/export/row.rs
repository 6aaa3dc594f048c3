//! What one exported record says about a flow, in the exporter's words: nothing scaled, paired or turned round yet.
//! The collector makes a flow record of it with the clock and the sampling of the exporter.

use std::net::IpAddr;

use weir_model::Mac;

/// A moment as an exporter tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    #[default]
    Unknown,
    /// Milliseconds of the exporter's uptime; needs the uptime of the message.
    Uptime(u32),
    /// Nanoseconds since 1970.
    Unix(i64),
    /// Microseconds before the export time of the message.
    BeforeExport(u32),
}

/// What a record (usually an options record) says about sampling. Zero: not said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// One packet of so many (34, 50, or the sFlow rate).
    pub interval: u32,
    /// Packets taken in a row (305), and passed over after them (306).
    pub packet_interval: u32,
    pub packet_space: u32,
    /// `n` of `population` (309, 310).
    pub size: u32,
    pub population: u32,
    /// Probability that a packet is taken (311).
    pub probability: f64,
    /// Sampler or selector (48, 302) that this speaks of, or that the flow went through.
    pub selector: Option<u64>,
}

impl Sampling {
    /// One of how many packets is counted; `None` when nothing was said.
    pub fn one_of(&self) -> Option<u32> {
        if self.interval > 0 {
            Some(self.interval)
        } else if self.packet_interval > 0 {
            let cycle = self.packet_interval.saturating_add(self.packet_space);
            Some(ratio(cycle, self.packet_interval))
        } else if self.size > 0 && self.population >= self.size {
            Some(ratio(self.population, self.size))
        } else if self.probability > 0.0 && self.probability <= 1.0 {
            // A probability below 1 in 2^32 saturates; no sampler goes there.
            Some((1.0 / self.probability).round() as u32)
        } else {
            None
        }
    }
}

fn ratio(all: u32, taken: u32) -> u32 {
    (f64::from(all) / f64::from(taken)).round() as u32
}

/// What is said of network performance. Zero: not said, or not measured, which exporters do not tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Round trip of the handshake and its two parts, microseconds; sums over `connections` where that is told.
    pub rtt_us: u32,
    pub client_us: u32,
    pub server_us: u32,
    pub connections: u32,
    /// Server response time, microseconds; a sum over `responses` where that is told.
    pub srt_us: u32,
    pub srt_min_us: u32,
    pub srt_max_us: u32,
    pub responses: u32,
    /// Packets sent again and packets overtaken, forward and reverse; one more than was told.
    pub retransmitted: [u32; 2],
    pub out_of_order: [u32; 2],
    /// Least, mean, greatest, deviation of the forward direction, microseconds.
    pub delay_us: [u32; 4],
    pub jitter_us: [u32; 4],
}

/// One exported record. Zero and `None` mean "not said".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    pub src: Option<IpAddr>,
    pub dst: Option<IpAddr>,
    pub src_port: u16,
    pub dst_port: u16,
    /// IP protocol; `None` in records that are not about IP flows.
    pub proto: Option<u8>,
    pub packets: u64,
    pub bytes: u64,
    /// Totals since the flow began (85, 86), where the exporter sends no deltas.
    pub packets_total: u64,
    pub bytes_total: u64,
    /// `Some` as soon as the template has a reverse counter: zero then means that nothing came back.
    pub reverse_packets: Option<u64>,
    pub reverse_bytes: Option<u64>,
    pub flags: u16,
    pub reverse_flags: u16,
    /// Flags of the first packet alone, where the exporter tells (YAF).
    pub first_flags: u16,
    pub start: Moment,
    pub end: Moment,
    /// Duration in milliseconds, for exporters that send only one of start and end.
    pub duration_ms: Option<u32>,
    /// When the exporter started, milliseconds since 1970 (160).
    pub boot_ms: Option<u64>,
    pub tos: u8,
    pub ttl: u8,
    pub reverse_ttl: u8,
    pub vlan: Option<u16>,
    pub ethertype: u16,
    pub src_mac: Option<Mac>,
    pub dst_mac: Option<Mac>,
    /// ICMP type and code.
    pub icmp: Option<(u8, u8)>,
    pub end_reason: u8,
    /// 1: the source is the initiator, 2: the destination is (RFC 5103); 0 not said.
    pub biflow_direction: u8,
    pub ingress: u32,
    pub egress: u32,
    /// Firewall event (233, NSEL): 1 created, 2 deleted, 3 denied, 5 updated.
    pub firewall_event: u8,
    pub sampling: Sampling,
    pub told: Told,
    /// First and last plus one byte of the text (see [`Reading`](super::Reading)) in which elements without a name stand;
    /// nothing when both are the same.
    pub unnamed: (u32, u32),
}
