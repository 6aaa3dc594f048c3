//! Hardware addresses (EUI-48), printed lower-case with colons.
//! Some of their bits tell who made them up, which is what methods on the link ask.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An EUI-48 hardware address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Group bit: multicast or broadcast.
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Locally administered bit: randomised by a phone, or made up by a hypervisor or a tool.
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 == 2
    }

    /// Virtual router addresses of VRRP, HSRP and CARP, which several machines claim by design (RFC 5798, RFC 2281).
    pub fn is_virtual_router(self) -> bool {
        let m = self.0;
        m.starts_with(&[0x00, 0x00, 0x5e, 0x00])
            || m.starts_with(&[0x00, 0x00, 0x0c, 0x07, 0xac])
            || m.starts_with(&[0x00, 0x00, 0x0c, 0x9f])
    }

    /// All zero: an address not filled in.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }

    /// The link-local address it stands for (RFC 4291, appendix A): how a device without an address is named.
    pub fn link_local(self) -> IpAddr {
        let [a, b, c, d, e, f] = self.0.map(u16::from);
        IpAddr::V6(Ipv6Addr::new(
            0xfe80,
            0,
            0,
            0,
            (a ^ 2) << 8 | b,
            c << 8 | 0xff,
            0xfe00 | d,
            e << 8 | f,
        ))
    }

    /// The hardware address that [`Self::link_local`] made this of; `None` for other addresses.
    pub fn of_link_local(ip: IpAddr) -> Option<Self> {
        let IpAddr::V6(ip) = ip else { return None };
        match ip.octets() {
            [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, 0xff, 0xfe, d, e, f] => {
                Some(Self([a ^ 2, b, c, d, e, f]))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2);
            *byte = part
                .and_then(|part| u8::from_str_radix(part, 16).ok())
                .ok_or_else(|| format!("{text:?} is not a MAC address such as 1c:75:08:04:7a:5f"))?;
        }
        match parts.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(format!("{text:?} has more than six bytes")),
        }
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        let mac: Mac = "1C-75-08-04-7a-5f".parse().unwrap();
        assert_eq!(mac.to_string(), "1c:75:08:04:7a:5f");
        assert_eq!(mac.link_local().to_string(), "fe80::1e75:8ff:fe04:7a5f");
        assert_eq!(Mac::of_link_local(mac.link_local()), Some(mac));
        assert_eq!(Mac::of_link_local("fe80::1".parse().unwrap()), None);
        assert!("1c:75".parse::<Mac>().is_err());
        assert!("1c:75:08:04:7a:5f:00".parse::<Mac>().is_err());
    }
}
