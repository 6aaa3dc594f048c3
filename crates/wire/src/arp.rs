//! ARP for IPv4 over Ethernet (RFC 826): who claims which address.
//! Other hardware and protocol types do not occur on the networks Weir watches and are not read.

use std::net::Ipv4Addr;

use weir_model::Mac;

use crate::Cursor;

/// What an ARP message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArpOp {
    Request,
    Reply,
    /// Reverse ARP and others, by number.
    Other(u16),
}

/// An ARP message for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    pub op: ArpOp,
    pub sender_mac: Mac,
    /// 0.0.0.0 in the probe of an address not yet taken (RFC 5227).
    pub sender_ip: Ipv4Addr,
    /// Zero in requests.
    pub target_mac: Mac,
    pub target_ip: Ipv4Addr,
}

impl Arp {
    /// Reads the bytes of `Net::Arp`; `None` when cut short or not IPv4 over Ethernet. Padding behind is
    /// ignored.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];
        let mut cursor = Cursor::new(bytes);
        if cursor.array()? != ETHERNET_IPV4 {
            return None;
        }
        Some(Self {
            op: match cursor.u16()? {
                1 => ArpOp::Request,
                2 => ArpOp::Reply,
                other => ArpOp::Other(other),
            },
            sender_mac: Mac(cursor.array()?),
            sender_ip: Ipv4Addr::from(cursor.array::<4>()?),
            target_mac: Mac(cursor.array()?),
            target_ip: Ipv4Addr::from(cursor.array::<4>()?),
        })
    }

    /// Announces an address unasked: sender and target address are the same (RFC 5227, section 3).
    pub fn is_gratuitous(&self) -> bool {
        self.sender_ip == self.target_ip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: [u8; 28] = [
        0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2,
    ];

    #[test]
    fn reads_a_reply_with_padding() {
        let padded = [&REPLY[..], &[0; 18]].concat();
        let arp = Arp::parse(&padded).unwrap();
        assert_eq!(arp.op, ArpOp::Reply);
        assert_eq!(arp.sender_mac, Mac([2, 0, 0, 0, 0, 1]));
        assert_eq!(
            (arp.sender_ip, arp.target_ip),
            (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2))
        );
        assert!(!arp.is_gratuitous());
    }

    #[test]
    fn refuses_cut_and_foreign_messages() {
        for kept in 0..REPLY.len() {
            assert_eq!(Arp::parse(&REPLY[..kept]), None, "{kept} bytes");
        }
        let mut foreign = REPLY;
        foreign[1] = 6;
        assert_eq!(Arp::parse(&foreign), None);
    }
}
