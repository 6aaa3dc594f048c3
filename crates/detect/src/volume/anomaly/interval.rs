//! Five minutes of a segment: seventeen series, and the heaviest hosts of those that hosts can be blamed for.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use weir_model::{FlowRecord, proto};

use crate::baseline::{Distinct, Top};

/// Submethods in the order of [`Interval::values`], the IP protocol they are about where they are about one, and the
/// divisor that makes their values comparable with `value_min`.
pub(super) const SERIES: [(&str, Option<u8>, f64); 17] = [
    ("SentPackets", None, 1.0),
    ("ReceivedPackets", None, 1.0),
    ("SentBytes", None, 1_000.0),
    ("ReceivedBytes", None, 1_000.0),
    ("SentFlows", None, 1.0),
    ("ReceivedFlows", None, 1.0),
    ("Peers", None, 0.1),
    ("ActiveDevices", None, 0.02),
    ("Requests", None, 1.0),
    ("Responses", None, 1.0),
    ("CountUnpaired", None, 1.0),
    ("PercentUnpaired", None, 0.02),
    ("TCPFlow", Some(proto::TCP), 1.0),
    ("UDPFlow", Some(proto::UDP), 1.0),
    ("OtherFlow", None, 1.0),
    ("ProvidedServices", None, 0.05),
    ("UsedServices", None, 0.05),
];

/// Hosts told apart per measure.
const HOSTS_MAX: usize = 16;

/// Sums of the interval. "Sent" is what the segment's hosts sent, to each other too.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Interval {
    sent_packets: u64,
    received_packets: u64,
    sent_bytes: u64,
    received_bytes: u64,
    sent_flows: u64,
    received_flows: u64,
    requests: u64,
    responses: u64,
    unpaired: u64,
    ended: u64,
    tcp: u64,
    udp: u64,
    other: u64,
    peers: Distinct<64>,
    devices: Distinct<64>,
    provided: Distinct<64>,
    used: Distinct<64>,
    /// Packets, bytes and flows of the heaviest hosts.
    packets_of: Top<IpAddr, HOSTS_MAX>,
    bytes_of: Top<IpAddr, HOSTS_MAX>,
    flows_of: Top<IpAddr, HOSTS_MAX>,
}

impl Interval {
    /// Adds a record; `from_own` and `to_own` tell which ends lie in the segment, `began` and `ended` whether the record
    /// is the flow's first and last.
    pub(super) fn add(
        &mut self,
        flow: &FlowRecord,
        from_own: bool,
        to_own: bool,
        (began, ended): (bool, bool),
    ) {
        let (key, forward, reverse) = (&flow.key, flow.forward, flow.reverse_or_zero());
        for (own, sent, received, ip, other) in [
            (from_own, forward, reverse, key.initiator_ip, key.responder_ip),
            (to_own, reverse, forward, key.responder_ip, key.initiator_ip),
        ] {
            if !own {
                continue;
            }
            self.sent_packets += sent.packets;
            self.sent_bytes = self.sent_bytes.saturating_add(sent.bytes);
            self.received_packets += received.packets;
            self.received_bytes = self.received_bytes.saturating_add(received.bytes);
            self.peers.add(other);
            if sent.packets > 0 {
                self.devices.add(ip);
            }
            self.packets_of.add(ip, sent.packets + received.packets);
            self.bytes_of.add(ip, sent.bytes.saturating_add(received.bytes));
            self.flows_of.add(ip, u64::from(began));
        }
        if began {
            self.sent_flows += u64::from(from_own);
            self.received_flows += u64::from(to_own);
            match key.proto {
                proto::TCP => self.tcp += 1,
                proto::UDP => self.udp += 1,
                _ => self.other += 1,
            }
        }
        if ended {
            let answered = flow.answered();
            self.ended += 1;
            self.unpaired += u64::from(!answered);
            self.requests += u64::from(from_own);
            self.responses += u64::from(to_own && answered);
            if answered && to_own {
                self.provided
                    .add((key.responder_ip, key.proto, key.responder_port));
            }
            if answered && from_own {
                self.used.add((key.responder_ip, key.proto, key.responder_port));
            }
        }
    }

    /// The seventeen values.
    pub(super) fn values(&self) -> [f64; SERIES.len()] {
        [
            self.sent_packets,
            self.received_packets,
            self.sent_bytes,
            self.received_bytes,
            self.sent_flows,
            self.received_flows,
            self.peers.count(),
            self.devices.count(),
            self.requests,
            self.responses,
            self.unpaired,
            self.unpaired * 100 / self.ended.max(1),
            self.tcp,
            self.udp,
            self.other,
            self.provided.count(),
            self.used.count(),
        ]
        .map(|value| value as f64)
    }

    /// The host whose packets, bytes or flows (as fits the series) grew most since the interval before, and its part.
    pub(super) fn grown_most(&self, before: &Self, series: usize) -> Option<(IpAddr, u64)> {
        let (now, before) = match series {
            0 | 1 => (&self.packets_of, &before.packets_of),
            2 | 3 => (&self.bytes_of, &before.bytes_of),
            _ => (&self.flows_of, &before.flows_of),
        };
        now.heaviest()
            .into_iter()
            .max_by_key(|(ip, part)| (part.saturating_sub(before.weight(*ip)), *ip))
    }
}
