//! BitTorrent, told by its first bytes: the handshake between peers (BEP 3), questions of the distributed table (BEP 5),
//! connections over UDP (BEP 29) and to UDP trackers (BEP 15). The name of the protocol is the result: there is no
//! transaction, because what is shared stays between the peers.

use weir_model::{Protocol, Transport};

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};

/// Length of the protocol's name, then the name (BEP 3).
const HANDSHAKE: &[u8] = b"\x13BitTorrent protocol";
/// How messages of the distributed table begin: a dictionary whose first key is `a`, `e` or `r` (BEP 5) or `ip` (BEP 42).
const TABLE: [&[u8]; 4] = [b"d1:ad2:id20:", b"d1:rd2:id20:", b"d1:eli20", b"d2:ip"];
/// How they end: the message type is the last key.
const TABLE_ENDS: [&[u8]; 3] = [b"1:y1:qe", b"1:y1:re", b"1:y1:ee"];
/// The constant with which a client opens a connection to a tracker, then action 0.
const TRACKER_CONNECT: &[u8] = &[0, 0, 0x04, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0];
const TRACKER_CONNECT_LEN: usize = 16;
/// Header of uTP; the packet that opens a connection is this long, with a few bytes more for extensions.
const UTP_LEN: usize = 20;
/// Type 4 (SYN), version 1.
const UTP_SYN: u8 = 0x41;

/// Nothing is kept.
#[derive(Default)]
pub struct BitTorrent;

impl Dissector for BitTorrent {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::BitTorrent,
        transports: &[Transport::Tcp, Transport::Udp],
        ports: &[],
        about: "Recognised by the handshake of peers, the distributed table, uTP and UDP trackers. No transactions. Not \
                recognised: connections with an encrypted handshake.",
        fields: &[],
    };

    fn probe(data: &[u8], _: Side, ports: (u16, u16)) -> Probe {
        if data.starts_with(HANDSHAKE) || is_table(data) || is_tracker(data) || is_utp(data, ports) {
            Probe::Match
        } else if HANDSHAKE.starts_with(data) && !data.is_empty() {
            Probe::NeedMore
        } else {
            Probe::NoMatch
        }
    }

    fn feed(&mut self, _: Input<'_>, _: &mut Sink<'_>) -> Want {
        Want::Nothing
    }
}

fn is_table(data: &[u8]) -> bool {
    data.starts_with(b"d")
        && TABLE.iter().any(|begin| data.starts_with(begin))
        // The type is the last key, since keys stand in order.
        && TABLE_ENDS.iter().any(|end| data.ends_with(end))
}

fn is_tracker(data: &[u8]) -> bool {
    data.len() == TRACKER_CONNECT_LEN && data.starts_with(TRACKER_CONNECT)
}

/// A uTP SYN: sequence number 1, nothing acknowledged, no extension or selective ACKs; programs use high ports.
fn is_utp(data: &[u8], ports: (u16, u16)) -> bool {
    data.first() == Some(&UTP_SYN)
        && data.len() >= UTP_LEN
        && data.len() <= UTP_LEN + 16
        && data[1] <= 2
        && data[16..20] == [0, 1, 0, 0]
        && ports.0 > 1_023
        && ports.1 > 1_023
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(data: &[u8]) -> Probe {
        BitTorrent::probe(data, Side::Initiator, (50_000, 51_413))
    }

    #[test]
    fn every_way_in() {
        let mut handshake = HANDSHAKE.to_vec();
        handshake.extend([0; 48]);
        assert_eq!(probe(&handshake), Probe::Match);
        assert_eq!(probe(&handshake[..7]), Probe::NeedMore);
        let ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
        assert_eq!(probe(ping), Probe::Match);
        let answer = b"d2:ip6:abcdef1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:v4:LT011:y1:re";
        assert_eq!(probe(answer), Probe::Match);
        assert_eq!(
            probe(&[0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 9, 8, 7, 6]),
            Probe::Match
        );
        let mut utp = [
            0x41, 0, 0x12, 0x34, 1, 2, 3, 4, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0,
        ];
        assert_eq!(probe(&utp), Probe::Match);
        utp[17] = 2;
        assert_eq!(probe(&utp), Probe::NoMatch);
    }

    /// A text that begins alike, a bencoded thing of another kind, nothing.
    #[test]
    fn others() {
        for data in [
            &b"\x13BitTorrent protokoll"[..],
            b"d8:announce35:udp://tracker.example",
            b"d1:ad2:id20:short",
            b"",
            b"GET / HTTP/1.1\r\n",
            b"A",
        ] {
            assert_eq!(probe(data), Probe::NoMatch, "{data:?}");
        }
    }
}
