//! The list of dissectors. A new protocol is one line here; nothing else finds it, so that the order of probes is
//! written down and can be argued about.

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
