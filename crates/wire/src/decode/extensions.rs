//! Headers between IP and transport: IPv6 extension headers (RFC 8200) and the authentication header (RFC
//! 4302). Encrypted payload (ESP) ends the walk, and so does a fragment header, because what follows may be
//! in other packets.

use weir_model::Anomaly;

use crate::packet::Fragment;

/// Extension headers in one packet; RFC 8200 knows six kinds, each once but for one.
const EXTENSIONS_MAX: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
pub(super) const NO_NEXT_HEADER: u8 = 59;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;
/// Extension header lengths do not count the first 8 bytes; none is shorter.
const EXTENSION_BYTES_MIN: usize = 8;

/// What follows the headers read so far.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    /// Protocol of the next header.
    pub(super) proto: u8,
    /// Length by the headers, bytes.
    pub(super) wire_bytes: u32,
    /// What the capture kept of it.
    pub(super) kept: &'a [u8],
    pub(super) fragment: Option<Fragment>,
}

impl Body<'_> {
    /// Passes over an authentication header, the only one of these that IPv4 has.
    #[inline]
    pub(super) fn behind_ip4(self, anomaly: &mut Option<Anomaly>) -> Self {
        if self.proto == AUTHENTICATION && self.fragment.is_none() {
            self.walk(anomaly, |proto| proto == AUTHENTICATION)
        } else {
            self
        }
    }

    /// Passes over IPv6 extension headers.
    #[inline]
    pub(super) fn behind_ip6(self, anomaly: &mut Option<Anomaly>) -> Self {
        if is_extension(self.proto) {
            self.walk(anomaly, is_extension)
        } else {
            self
        }
    }

    fn walk(mut self, anomaly: &mut Option<Anomaly>, is_extension: fn(u8) -> bool) -> Self {
        for _ in 0..EXTENSIONS_MAX {
            if !is_extension(self.proto) || self.fragment.is_some() {
                return self;
            }
            if self.step().is_none() {
                anomaly.get_or_insert(Anomaly::HeaderCut);
                return self;
            }
        }
        if is_extension(self.proto) && self.fragment.is_none() {
            anomaly.get_or_insert(Anomaly::NestingDeep);
        }
        self
    }

    /// Passes over one header; `None` (and nothing moved) when it is not all there.
    fn step(&mut self) -> Option<()> {
        let header = self.kept.first_chunk::<EXTENSION_BYTES_MIN>()?;
        let header_bytes = match self.proto {
            FRAGMENT => EXTENSION_BYTES_MIN,
            AUTHENTICATION => (usize::from(header[1]) + 2) * 4,
            _ => (usize::from(header[1]) + 1) * 8,
        };
        let header_wire_bytes = super::saturate(header_bytes);
        let wire_bytes = self.wire_bytes.checked_sub(header_wire_bytes)?;
        let kept = self.kept.get(header_bytes..)?;
        if self.proto == FRAGMENT {
            self.fragment = fragment(header);
        }
        self.proto = header[0];
        self.wire_bytes = wire_bytes;
        self.kept = kept;
        Some(())
    }
}

fn is_extension(proto: u8) -> bool {
    matches!(
        proto,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY | HOST_IDENTITY | SHIM6
    )
}

/// Place of a fragment; `None` for an "atomic" one that is whole by itself (RFC 6946).
fn fragment(header: &[u8; EXTENSION_BYTES_MIN]) -> Option<Fragment> {
    let [_, _, high, low, id @ ..] = *header;
    let place = u16::from_be_bytes([high, low]);
    let fragment = Fragment {
        id: u32::from_be_bytes(id),
        offset: u32::from(place & 0xfff8),
        more: place & 1 == 1,
    };
    (fragment.offset != 0 || fragment.more).then_some(fragment)
}
