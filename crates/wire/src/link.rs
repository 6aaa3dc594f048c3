//! Link types of capture files: the number that says which header every frame begins with. Numbers are the
//! LINKTYPE_ values of <https://www.tcpdump.org/linktypes.html>; those Weir cannot decode keep theirs.

use std::fmt;

macro_rules! link_types {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal $(| $alias:literal)*, $word:literal;)*) => {
        /// Which header the frames of an interface begin with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum LinkType {
            $($(#[doc = $doc])* $name,)*
            /// A type Weir cannot decode, by its LINKTYPE_ number.
            Unknown(u16),
        }

        impl LinkType {
            /// Every type that `decode` knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$name,)*];

            /// The type with a LINKTYPE_ number.
            pub const fn from_number(number: u16) -> Self {
                match number {
                    $($number $(| $alias)* => Self::$name,)*
                    unknown => Self::Unknown(unknown),
                }
            }

            /// The LINKTYPE_ number; the registered one where several mean the same.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)*
                    Self::Unknown(number) => number,
                }
            }

            const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                    Self::Unknown(_) => "unknown",
                }
            }
        }
    };
}

link_types! {
    /// BSD loopback: four bytes of address family in the byte order of the machine that captured.
    Null = 0, "BSD loopback";
    /// Ethernet II and IEEE 802.3.
    Ethernet = 1, "Ethernet";
    /// PPP, with or without the HDLC address and control bytes.
    Ppp = 9, "PPP";
    /// PPP in HDLC-like framing (RFC 1662), or Cisco HDLC.
    PppHdlc = 50, "PPP in HDLC framing";
    /// PPP over Ethernet, beginning with the PPPoE header (RFC 2516).
    PppEther = 51, "PPPoE";
    /// IPv4 or IPv6 without a link header; 12 and 14 are what BSD systems wrote for it.
    RawIp = 101 | 12 | 14, "raw IP";
    /// IEEE 802.11.
    Ieee80211 = 105, "IEEE 802.11";
    /// OpenBSD loopback: four bytes of address family in network byte order.
    Loop = 108, "OpenBSD loopback";
    /// Linux "cooked" capture, version 1.
    LinuxSll = 113, "Linux cooked capture";
    /// IEEE 802.11 behind a Prism monitor header.
    Prism = 119, "IEEE 802.11 with Prism header";
    /// IEEE 802.11 behind a radiotap header.
    Radiotap = 127, "IEEE 802.11 with radiotap header";
    /// IEEE 802.11 behind an AVS header.
    Avs = 163, "IEEE 802.11 with AVS header";
    /// IPv4 without a link header.
    Ipv4 = 228, "raw IPv4";
    /// IPv6 without a link header.
    Ipv6 = 229, "raw IPv6";
    /// Linux "cooked" capture, version 2.
    LinuxSll2 = 276, "Linux cooked capture v2";
}

impl LinkType {
    /// Can `decode` read frames of this type?
    pub const fn is_known(self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (link type {})", self.word(), self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for &link in LinkType::KNOWN {
            assert_eq!(LinkType::from_number(link.number()), link);
            assert!(link.is_known());
        }
        assert_eq!(LinkType::from_number(12), LinkType::RawIp);
        assert_eq!(LinkType::from_number(147), LinkType::Unknown(147));
        assert_eq!(LinkType::Unknown(147).to_string(), "unknown (link type 147)");
    }
}
