//! The list of dissectors. A new protocol is one line here; nothing else finds it, so that the order of probes is
//! written down and can be argued about.

use std::sync::LazyLock;

use weir_model::{Protocol, Transport};

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};

/// A dissector behind its static functions.
pub struct Entry {
    pub meta: &'static DissectorMeta,
    pub probe: fn(&[u8], Side, (u16, u16)) -> Probe,
    pub(crate) create: fn() -> Box<dyn Dissect>,
}

/// Object-safe face of a [`Dissector`], so that a flow can hold any.
pub(crate) trait Dissect: Send {
    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want;
}

impl<T: Dissector> Dissect for T {
    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        Dissector::feed(self, input, sink)
    }
}

/// The registry entry of a dissector.
pub const fn entry<T: Dissector>() -> Entry {
    Entry {
        meta: const { &T::META },
        probe: T::probe,
        create: || Box::new(T::default()),
    }
}

/// Every dissector, most specific probe first.
pub const REGISTRY: &[Entry] = &[
    entry::<crate::tls::Tls>(),
    entry::<crate::sip::Sip>(),
    entry::<crate::http::Http>(),
    entry::<crate::dns::Dns>(),
    entry::<crate::dhcp::Dhcp>(),
    entry::<crate::arp::Arp>(),
    entry::<crate::goose::Goose>(),
    entry::<crate::nd::Nd>(),
    entry::<crate::smb::Smb>(),
    entry::<crate::ssh::Ssh>(),
    entry::<crate::ftp::Ftp>(),
    entry::<crate::smtp::Smtp>(),
    entry::<crate::imap::Imap>(),
    entry::<crate::pop3::Pop3>(),
    entry::<crate::vnc::Vnc>(),
    entry::<crate::kerberos::Kerberos>(),
    entry::<crate::dnp3::Dnp3>(),
    entry::<crate::iec104::Iec104>(),
    entry::<crate::modbus::Modbus>(),
    entry::<crate::rdp::Rdp>(),
    entry::<crate::stratum::Stratum>(),
    entry::<crate::bittorrent::BitTorrent>(),
    entry::<crate::openvpn::OpenVpn>(),
    entry::<crate::wireguard::WireGuard>(),
    entry::<crate::telnet::Telnet>(),
];

/// The protocol whose usual port this is; of several, the one that is probed first.
pub fn usual(transport: Transport, port: u16) -> Option<Protocol> {
    type Ports = Vec<Option<Protocol>>;
    // Asked for every record, and mostly of ports that are nobody's: a table for each transport that has ports.
    static USUAL: LazyLock<[Ports; 2]> = LazyLock::new(|| {
        [Transport::Tcp, Transport::Udp].map(|transport| {
            let mut ports = vec![None; usize::from(u16::MAX) + 1];
            for entry in REGISTRY
                .iter()
                .filter(|entry| entry.meta.transports.contains(&transport))
            {
                for port in entry.meta.ports {
                    ports[usize::from(*port)].get_or_insert(entry.meta.protocol);
                }
            }
            ports
        })
    });
    let [tcp, udp] = &*USUAL;
    match transport {
        Transport::Tcp => tcp[usize::from(port)],
        Transport::Udp => udp[usize::from(port)],
        Transport::Icmp6 | Transport::Link => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_ports() {
        assert_eq!(usual(Transport::Tcp, 443), Some(Protocol::Tls));
        assert_eq!(usual(Transport::Udp, 53), Some(Protocol::Dns));
        assert_eq!(usual(Transport::Udp, 22), None);
        assert_eq!(usual(Transport::Tcp, u16::MAX), None);
        assert_eq!(usual(Transport::Link, 0), None);
        for entry in REGISTRY {
            for transport in entry.meta.transports {
                let found = entry
                    .meta
                    .ports
                    .iter()
                    .filter_map(|port| usual(*transport, *port));
                let ports = match transport {
                    Transport::Tcp | Transport::Udp => entry.meta.ports.len(),
                    Transport::Icmp6 | Transport::Link => 0,
                };
                assert_eq!(found.count(), ports, "{:?}", entry.meta.protocol);
            }
        }
    }
}
