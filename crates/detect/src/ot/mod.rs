//! Control networks: masters and outstations that talk the same way day after day, and when they stop doing so.
//! Each pair of hosts is learned for itself; what was learned is kept over restarts.

mod clusters;
mod features;
mod learning;
pub mod otclanom;
pub mod otpaanom;
pub mod otsmanom;

use std::net::IpAddr;

use weir_model::{FlowFilter, Mac, Protocol, Target};

/// The other side of a pair: a service, or a group of GOOSE, which has no port.
const fn target(peer: IpAddr, port: u16) -> Target {
    match port {
        0 => Target::ip(peer),
        port => Target::service(peer, port),
    }
}

/// The flows of a pair in one protocol. Records of GOOSE are found by the hardware address their source stands for.
fn evidence(host: IpAddr, peer: IpAddr, protocol: Protocol) -> FlowFilter {
    let by_mac = Mac::of_link_local(host).filter(|_| protocol == Protocol::Goose);
    match by_mac {
        Some(mac) => FlowFilter {
            initiator_mac: Some(mac),
            protocol: Some(protocol),
            ..FlowFilter::default()
        },
        None => FlowFilter {
            initiator: Some(host),
            responder: Some(peer),
            protocol: Some(protocol),
            ..FlowFilter::default()
        },
    }
}
