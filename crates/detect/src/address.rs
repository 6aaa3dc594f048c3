//! Kinds of addresses that methods treat alike: groups nobody owns, and flows in which only one side ever spoke.

use std::net::IpAddr;

use weir_model::{Counters, FlowRecord};

/// Is it a group of receivers: multicast, the limited broadcast, or by its last octet a subnet broadcast? The prefix
/// length is not known here, so x.y.z.255 counts as broadcast also where a large subnet has a host of that number.
pub(crate) fn is_group(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_multicast() || ip.octets()[3] == 255,
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

/// A flow in which one side sent nothing, told from the silent side. The meter may have made either the initiator:
/// an unasked answer looks like the second half of a question that was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OneWay {
    pub(crate) silent: IpAddr,
    pub(crate) silent_port: u16,
    pub(crate) speaker: IpAddr,
    pub(crate) speaker_port: u16,
    pub(crate) sent: Counters,
}

impl OneWay {
    /// The flow as a one-way flow; `None` when both sides spoke, or when the reverse direction is unknown.
    pub(crate) fn of(flow: &FlowRecord) -> Option<Self> {
        let key = &flow.key;
        let (forward, reverse) = (flow.forward_total, flow.reverse_total?);
        if reverse.packets == 0 {
            Some(Self {
                silent: key.responder_ip,
                silent_port: key.responder_port,
                speaker: key.initiator_ip,
                speaker_port: key.initiator_port,
                sent: forward,
            })
        } else if forward.packets == 0 {
            Some(Self {
                silent: key.initiator_ip,
                silent_port: key.initiator_port,
                speaker: key.responder_ip,
                speaker_port: key.responder_port,
                sent: reverse,
            })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        for (ip, group) in [
            ("224.0.0.251", true),
            ("10.1.2.255", true),
            ("255.255.255.255", true),
            ("ff02::fb", true),
            ("10.1.2.254", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_group(ip.parse().unwrap()), group, "{ip}");
        }
    }
}
