//! Settings of the metering process: time-outs, caps and what is wanted of it.
//! All times are event time, so a file replayed at any speed gives the same records.

/// Settings of one [`Meter`](crate::Meter). The defaults suit a sensor of one busy link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterConfig {
    /// Time-outs of silence, per kind of flow.
    pub idle: IdleTimeouts,
    /// A flow that lasts longer is reported this often, seconds (1..=86,400). Default 300: the habit of collectors.
    pub active_timeout_s: u32,
    /// Send a record with zero counters when a flow begins. Default off: few consumers want it.
    pub start_records: bool,
    /// Reassemble and dissect application protocols. Default on; off gives flow records only.
    pub dissect: bool,
    /// Flows held at once. Default 500,000: about 160 MB of entries, so the process stays below 300 MB.
    /// When full, the longest silent unanswered flow is sent early, then the longest silent of the others.
    pub flows_max: usize,
    /// Out-of-order bytes held per direction of a flow (and at most 64 segments). Default 64 KiB: one classic TCP window.
    pub stream_bytes_max: usize,
    /// Out-of-order bytes held over all flows. Default 64 MiB: a thousand flows at their own limit.
    pub stream_bytes_total_max: usize,
}

/// Seconds of silence after which a flow is over. Silence is noticed at whole seconds, so up to one second late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimeouts {
    /// TCP whose handshake is not complete. Default 10: covers the SYN retries at 1, 3 and 7 s, and lets
    /// floods and scans leave the cache (and reach detection) quickly.
    pub tcp_opening_s: u32,
    /// Established TCP. Default 300: keeps interactive sessions whole between key strokes and keep-alives.
    pub tcp_open_s: u32,
    /// TCP closed by FIN both ways or by RST. Default 2: takes in the last ACKs and retransmissions.
    pub tcp_closed_s: u32,
    /// UDP with packets both ways. Default 30: the shortest NAT binding in common use.
    pub udp_answered_s: u32,
    /// UDP nobody answered. Default 10: resolvers give up after about 5 s.
    pub udp_unanswered_s: u32,
    /// ICMP and ICMPv6. Default 10: joins the packets of one ping run.
    pub icmp_s: u32,
    /// ARP, other IP protocols and other frames. Default 10.
    pub other_s: u32,
}

impl Default for IdleTimeouts {
    fn default() -> Self {
        Self {
            tcp_opening_s: 10,
            tcp_open_s: 300,
            tcp_closed_s: 2,
            udp_answered_s: 30,
            udp_unanswered_s: 10,
            icmp_s: 10,
            other_s: 10,
        }
    }
}

impl Default for MeterConfig {
    fn default() -> Self {
        Self {
            idle: IdleTimeouts::default(),
            active_timeout_s: 300,
            start_records: false,
            dissect: true,
            flows_max: 500_000,
            stream_bytes_max: 64 * 1024,
            stream_bytes_total_max: 64 * 1024 * 1024,
        }
    }
}
