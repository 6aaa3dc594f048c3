//! Which flows prove a finding: a value that selects records and prints itself as a query.
//! Evidence and the query shown beside it come from this one value, so that they cannot disagree.

use std::fmt;
use std::net::IpAddr;

use crate::{FlowRecord, Mac, Protocol, Time, proto};

/// A conjunction over flow fields; empty parts match everything. Prints in the filter language of the flow search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowFilter {
    pub initiator: Option<IpAddr>,
    pub responder: Option<IpAddr>,
    /// Either end.
    pub host: Option<IpAddr>,
    pub responder_port: Option<u16>,
    pub proto: Option<u8>,
    pub ethertype: Option<u16>,
    pub initiator_mac: Option<Mac>,
    pub protocol: Option<Protocol>,
    /// Flows that end before this moment do not match.
    pub since: Option<Time>,
}

impl FlowFilter {
    /// Does the record match?
    pub fn matches(&self, flow: &FlowRecord) -> bool {
        fn fits<T: PartialEq>(wanted: Option<T>, found: T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        let key = &flow.key;
        fits(self.initiator, key.initiator_ip)
            && fits(self.responder, key.responder_ip)
            && self
                .host
                .is_none_or(|host| host == key.initiator_ip || host == key.responder_ip)
            && fits(self.responder_port, key.responder_port)
            && fits(self.proto, key.proto)
            && fits(self.ethertype, key.ethertype)
            && (self.initiator_mac.is_none() || self.initiator_mac == flow.initiator_mac)
            && (self.protocol.is_none() || self.protocol == flow.protocol)
            && self.since.is_none_or(|since| flow.end >= since)
    }
}

impl fmt::Display for FlowFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.initiator.map(|ip| format!("src ip {ip}")));
        parts.extend(self.initiator_mac.map(|mac| format!("src mac {mac}")));
        parts.extend(self.responder.map(|ip| format!("dst ip {ip}")));
        parts.extend(self.host.map(|ip| format!("ip {ip}")));
        parts.extend(self.proto.map(|number| match number {
            proto::TCP => "proto tcp".to_owned(),
            proto::UDP => "proto udp".to_owned(),
            proto::ICMP => "proto icmp".to_owned(),
            proto::ICMP6 => "proto icmp6".to_owned(),
            number => format!("proto {number}"),
        }));
        parts.extend(self.responder_port.map(|port| format!("dst port {port}")));
        parts.extend(self.ethertype.map(|number| format!("ethertype {number:#06x}")));
        parts.extend(self.protocol.map(|protocol| format!("app {}", protocol.word())));
        if parts.is_empty() {
            f.write_str("any")
        } else {
            f.write_str(&parts.join(" and "))
        }
    }
}
