//! Who began a flow: decided once, at its first packet, and kept with its reason.
//! A capture often begins in the middle of things, so the sender of the first packet is only the last resort.

use std::net::IpAddr;

use weir_model::tcp_flags::{ACK, SYN};
use weir_model::{InitiatorReason, proto};
use weir_wire::packet::{Ip, L4};
use weir_wire::{Arp, ArpOp};

/// Verdict on the first packet of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Is the packet's sender the initiator?
    pub(crate) sender: bool,
    pub(crate) reason: InitiatorReason,
}

/// Registered ports at which servers listen although they are not below 1024 (IANA, and common practice), sorted.
const SERVICE_PORTS: &[u16] = &[
    1080, 1194, 1433, 1434, 1521, 1701, 1723, 1812, 1813, 1883, 1900, 1911, 2049, 2082, 2083, 2222, 2375,
    2376, 2379, 2404, 3000, 3128, 3260, 3268, 3269, 3306, 3389, 3478, 3702, 4222, 4500, 4786, 4789, 4840,
    5000, 5004, 5060, 5061, 5222, 5269, 5351, 5353, 5355, 5432, 5601, 5671, 5672, 5683, 5684, 5900, 5901,
    5902, 5903, 5985, 5986, 6379, 6443, 6514, 6667, 6881, 7001, 8000, 8008, 8080, 8081, 8086, 8088, 8443,
    8883, 8888, 9000, 9042, 9090, 9092, 9100, 9200, 9300, 9418, 9993, 10000, 10050, 10051, 11211, 20000,
    25565, 27017, 34962, 34963, 34964, 44818, 47808, 50000, 51820,
];

/// DHCP and DHCPv6 client ports: both ports are below 1024, so only the protocol tells.
const DHCP_CLIENT: [(u16, u16); 2] = [(68, 67), (546, 547)];

/// ICMP types that ask, by protocol; their counterparts answer (see `community_id::icmp_counterpart`).
const ICMP_REQUESTS: [u8; 5] = [8, 10, 13, 15, 17];
const ICMP6_REQUESTS: [u8; 6] = [128, 130, 133, 135, 139, 144];

/// Decides by the first packet of an IP flow with these ports (sender, receiver; ICMP types for ICMP).
pub(crate) fn of_ip(ip: &Ip<'_>, ports: (u16, u16), one_way: bool) -> Verdict {
    let verdict = match &ip.transport {
        L4::Tcp(tcp) if tcp.flags & SYN != 0 => Some(Verdict {
            sender: tcp.flags & ACK == 0,
            reason: InitiatorReason::Syn,
        }),
        L4::Icmp(icmp) if !one_way => {
            let requests: &[u8] = if ip.proto == proto::ICMP6 {
                &ICMP6_REQUESTS
            } else {
                &ICMP_REQUESTS
            };
            Some(Verdict {
                sender: requests.contains(&icmp.kind),
                reason: InitiatorReason::Protocol,
            })
        }
        L4::Icmp(_) | L4::Other => None,
        L4::Tcp(_) | L4::Udp(_) | L4::Sctp { .. } => by_ports(ports),
    };
    match verdict {
        // A group cannot begin anything: an unasked answer to it is the sender's own doing.
        Some(verdict) if verdict.sender || !is_group(ip.dst) => verdict,
        _ => FIRST_PACKET,
    }
}

/// Decides for ARP: the requester is the initiator, also when only the reply was seen.
pub(crate) fn of_arp(arp: &Arp) -> Verdict {
    match arp.op {
        ArpOp::Request => Verdict {
            sender: true,
            reason: InitiatorReason::Protocol,
        },
        ArpOp::Reply if !arp.is_gratuitous() => Verdict {
            sender: false,
            reason: InitiatorReason::Protocol,
        },
        ArpOp::Reply | ArpOp::Other(_) => FIRST_PACKET,
    }
}

/// Nothing better is known.
pub(crate) const FIRST_PACKET: Verdict = Verdict {
    sender: true,
    reason: InitiatorReason::FirstPacket,
};

fn by_ports((from, to): (u16, u16)) -> Option<Verdict> {
    if DHCP_CLIENT.contains(&(from, to)) {
        return Some(Verdict {
            sender: true,
            reason: InitiatorReason::Protocol,
        });
    }
    if DHCP_CLIENT.contains(&(to, from)) {
        return Some(Verdict {
            sender: false,
            reason: InitiatorReason::Protocol,
        });
    }
    if serves(to, from) {
        return Some(Verdict {
            sender: true,
            reason: InitiatorReason::Port,
        });
    }
    serves(from, to).then_some(Verdict {
        sender: false,
        reason: InitiatorReason::Port,
    })
}

/// Is `port` a service and `other` an ephemeral port talking to it?
fn serves(port: u16, other: u16) -> bool {
    other >= 1024 && other > port && (port < 1024 || SERVICE_PORTS.binary_search(&port).is_ok())
}

fn is_group(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_ports_are_sorted() {
        assert!(SERVICE_PORTS.is_sorted());
    }

    #[test]
    fn ports_decide_only_when_they_differ_in_kind() {
        let sender = |from, to| by_ports((from, to)).map(|verdict| verdict.sender);
        assert_eq!(sender(53, 40000), Some(false));
        assert_eq!(sender(40000, 53), Some(true));
        assert_eq!(sender(3389, 50001), Some(false));
        assert_eq!(sender(3389, 1025), None);
        assert_eq!(sender(123, 123), None);
        assert_eq!(sender(40000, 50001), None);
        assert_eq!(sender(67, 68), Some(false));
    }
}
