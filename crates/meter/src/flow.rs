//! One entry of the flow cache: what is counted and remembered of a flow between its packets.
//! Hot values stand first (key and list links in one cache line, counters and times in the next).

use weir_model::tcp_flags::{ACK, SYN};
use weir_model::{Counters, FlowId, History, InitiatorReason, Logins, Mac, Protocol, Time, proto};

use crate::dissection::Dissection;
use crate::key::Key;
use crate::performance::{Exchanges, Ways};
use crate::tcp::TcpConn;

/// Packets after which a one-sided TCP flow joined in the middle counts as open: some taps see one direction only.
const ONE_SIDED_PACKETS_MIN: u64 = 4;

/// Kind of flow by which time-out and order of eviction are chosen. Each class is one list of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    TcpOpening,
    UdpUnanswered,
    Icmp,
    Other,
    TcpClosed,
    UdpAnswered,
    TcpOpen,
}

impl Class {
    pub(crate) const ALL: [Self; 7] = [
        Self::TcpOpening,
        Self::UdpUnanswered,
        Self::Icmp,
        Self::Other,
        Self::TcpClosed,
        Self::UdpAnswered,
        Self::TcpOpen,
    ];
    /// The first so many classes are those a flood fills: they are evicted first.
    pub(crate) const CHEAP: usize = 4;
}

/// Dissection of a flow over time.
#[derive(Default)]
pub(crate) enum Dissecting {
    #[default]
    NotYet,
    Active(Box<Dissection>),
    Over,
}

/// An entry of the cache. Pairs are indexed by side: 0 = initiator, 1 = responder.
#[repr(C)]
pub(crate) struct Flow {
    pub(crate) key: Key,
    pub(crate) prev: u32,
    pub(crate) next: u32,
    /// Clock second of the last packet; decides expiry.
    pub(crate) touch_s: i64,
    pub(crate) totals: [Counters; 2],
    /// First and last stamp of the interval since the last record.
    pub(crate) start: Time,
    pub(crate) end: Time,

    /// Clock second at which the interval began; decides the active time-out.
    pub(crate) interval_s: i64,
    pub(crate) flags: [u16; 2],
    pub(crate) class: Class,
    pub(crate) initiator_low: bool,
    /// Who sent the first packet: 1 where the verdict was that the other side had begun.
    pub(crate) first_side: u8,
    pub(crate) reason: InitiatorReason,
    pub(crate) tcp: TcpConn,
    pub(crate) dissecting: Dissecting,
    pub(crate) exchanges: Exchanges,
    /// From the third packet on: floods and questions with one answer need none.
    pub(crate) ways: Option<Box<Ways>>,
    pub(crate) icmp_payload_max: u16,

    pub(crate) hash: u64,
    pub(crate) id: FlowId,
    pub(crate) flow_start: Time,
    /// Totals at the last update record.
    pub(crate) reported: Option<Box<[Counters; 2]>>,
    pub(crate) history: History,
    pub(crate) macs: [Option<Mac>; 2],
    pub(crate) ttls: [u8; 2],
    pub(crate) tos: u8,
    pub(crate) first_flags: u16,
    pub(crate) syn_bytes: u16,
    pub(crate) syn_window: u16,
    pub(crate) icmp: Option<(u8, u8)>,
    pub(crate) icmp_error: Option<(u8, u8)>,
    pub(crate) logins: Logins,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) protocol_by_content: bool,
}

impl Flow {
    /// An empty flow that began at `time`; the caller counts its first packet.
    pub(crate) fn new(key: Key, hash: u64, initiator_low: bool, reason: InitiatorReason, time: Time) -> Self {
        Self {
            key,
            prev: 0,
            next: 0,
            touch_s: 0,
            totals: [Counters::default(); 2],
            start: Time::MAX,
            end: Time::MIN,
            interval_s: 0,
            flags: [0; 2],
            class: Class::Other,
            initiator_low,
            first_side: 0,
            reason,
            tcp: TcpConn::default(),
            dissecting: Dissecting::NotYet,
            exchanges: Exchanges::default(),
            ways: None,
            icmp_payload_max: 0,
            hash,
            id: FlowId::derive(&key.oriented(initiator_low), time),
            flow_start: time,
            reported: None,
            history: History::default(),
            macs: [None; 2],
            ttls: [0; 2],
            tos: 0,
            first_flags: 0,
            syn_bytes: 0,
            syn_window: 0,
            icmp: None,
            icmp_error: None,
            logins: Logins::default(),
            protocol: None,
            protocol_by_content: false,
        }
    }

    /// Index of the side that sent a packet.
    pub(crate) fn side(&self, sender_low: bool) -> usize {
        usize::from(sender_low != self.initiator_low)
    }

    /// Adds one packet to the counters.
    pub(crate) fn count(&mut self, side: usize, time: Time, bytes: u32, payload_bytes: u32) {
        let counters = &mut self.totals[side];
        counters.packets += 1;
        counters.bytes += u64::from(bytes);
        counters.payload_bytes += u64::from(payload_bytes);
        self.start = self.start.min(time);
        self.end = self.end.max(time);
    }

    /// The class the flow belongs to by what was seen so far.
    pub(crate) fn class_now(&self) -> Class {
        let [forward, reverse] = &self.totals;
        match self.key.proto() {
            proto::TCP if self.tcp.is_closed() => Class::TcpClosed,
            proto::TCP if self.is_open() => Class::TcpOpen,
            proto::TCP => Class::TcpOpening,
            proto::UDP if forward.packets > 0 && reverse.packets > 0 => Class::UdpAnswered,
            proto::UDP => Class::UdpUnanswered,
            proto::ICMP | proto::ICMP6 => Class::Icmp,
            _ => Class::Other,
        }
    }

    fn is_open(&self) -> bool {
        let [forward, reverse] = self.flags;
        let one_sided = (forward | reverse) & SYN == 0
            && self.totals[0].packets + self.totals[1].packets >= ONE_SIDED_PACKETS_MIN;
        forward & reverse & ACK != 0 || one_sided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The default cap of flows times this is what the cache may take; raise one only with the other in view.
    const FLOW_BYTES_MAX: usize = 384;

    #[test]
    fn an_entry_stays_small() {
        assert!(size_of::<Flow>() <= FLOW_BYTES_MAX, "{}", size_of::<Flow>());
    }

    #[test]
    fn hot_values_lie_in_two_cache_lines() {
        assert_eq!(std::mem::offset_of!(Flow, interval_s), 128);
    }
}
