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
/// Header of uTP.
const UTP_LEN: usize = 20;
/// Type 4 (SYN), version 1; type 0 (data), version 1.
const UTP_SYN: u8 = 0x41;
const UTP_DATA: u8 = 0x01;
/// Extensions in use: selective acknowledgement (1), bits of extensions (2), reason of a close (3).
const UTP_EXTENSION_MAX: u8 = 3;

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

/// A uTP SYN: no delay measured yet, a window, nothing acknowledged, the extensions fill the rest; programs use high ports.
/// BEP 29 begins sequence numbers at 1, libutp where it likes. Or data of a connection that begins with the handshake.
fn is_utp(data: &[u8], ports: (u16, u16)) -> bool {
    let Some((header, rest)) = data.split_first_chunk::<UTP_LEN>() else {
        return false;
    };
    let [kind, extension, .., ack_high, ack_low] = *header;
    let (delay, window) = (&header[8..12], &header[12..16]);
    let opens = kind == UTP_SYN
        && delay == [0; 4]
        && window != [0; 4]
        && (ack_high, ack_low) == (0, 0)
        && extensions_fill(extension, rest);
    let continues = kind == UTP_DATA && extension == 0 && rest.starts_with(HANDSHAKE);
    (opens || continues) && ports.0 > 1_023 && ports.1 > 1_023
}

/// Is this the chain of extensions, each with the type of the next and its own length, and nothing else?
fn extensions_fill(mut extension: u8, mut rest: &[u8]) -> bool {
    while extension != 0 {
        let [next, len, more @ ..] = rest else {
            return false;
        };
        let Some(after) = more.get(usize::from(*len)..) else {
            return false;
        };
        if extension > UTP_EXTENSION_MAX {
            return false;
        }
        (extension, rest) = (*next, after);
    }
    rest.is_empty()
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
        // libutp: any first sequence number, the bits of extensions.
        utp[1] = 2;
        utp[16] = 0x86;
        let mut libutp = utp.to_vec();
        libutp.extend([0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(probe(&libutp), Probe::Match);
        assert_eq!(probe(&utp), Probe::NoMatch, "the extension is missing");
        assert_eq!(probe(&libutp[..libutp.len() - 1]), Probe::NoMatch);
        libutp[19] = 1;
        assert_eq!(probe(&libutp), Probe::NoMatch, "something is acknowledged");
        // The handshake over uTP, where the first packets were not seen.
        let mut data = vec![1; 1];
        data.extend([0; UTP_LEN - 1]);
        data.extend_from_slice(HANDSHAKE);
        assert_eq!(probe(&data), Probe::Match);
        assert_eq!(
            BitTorrent::probe(&data, Side::Initiator, (53, 51_413)),
            Probe::NoMatch
        );
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
