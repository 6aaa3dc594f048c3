//! OpenVPN, told by the packet that opens a session: a hard reset whose length, counters and empty list of
//! acknowledgements fit one of the ways to authenticate it. On any port, over UDP and TCP. No transaction: the keys are
//! exchanged inside.

use weir_model::{Protocol, Transport};

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};

/// First byte of the packet that opens a session: operation code in the upper five bits, key id 0 in the others.
/// Client (key method 1, key method 2, with a wrapped key), then server (key method 1, key method 2).
const CLIENT: [u8; 3] = [1 << 3, 7 << 3, 10 << 3];
const WITH_WRAPPED_KEY: u8 = 10 << 3;
const SERVER: [u8; 2] = [2 << 3, 8 << 3];
const SESSION_ID_LEN: usize = 8;
/// Lengths of the authentication codes in use: none, MD5, SHA-1, SHA-256, SHA-384, SHA-512.
const MACS: [usize; 6] = [0, 16, 20, 32, 48, 64];
/// Replay protection: counter and time, four bytes each.
const REPLAY_LEN: usize = 8;
/// An encrypted control channel hides 5 bytes behind a tag of this length.
const CRYPT_TAG_LEN: usize = 32;
/// Times of replay protection before 2008 are chance.
const TIME_MIN: u32 = 1_200_000_000;
/// The largest reset: an encrypted one with a wrapped key of at most 1024 bytes.
const LEN_MAX: usize = 1_200;

/// Nothing is kept.
#[derive(Default)]
pub struct OpenVpn;

impl Dissector for OpenVpn {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::OpenVpn,
        transports: &[Transport::Tcp, Transport::Udp],
        ports: &[1194],
        about: "Recognised by the reset that opens a session, plain, authenticated or encrypted, on any port. No \
                transactions. Not recognised: sessions whose beginning is not seen, and scrambled ones.",
        fields: &[],
    };

    fn probe(data: &[u8], _: Side, ports: (u16, u16)) -> Probe {
        if is_reset(data) {
            return Probe::Match;
        }
        // Over TCP the length stands before each packet.
        let Some((length, packet)) = data.split_first_chunk() else {
            return Probe::NoMatch;
        };
        let length = usize::from(u16::from_be_bytes(*length));
        match packet.get(..length) {
            Some(packet) if is_reset(packet) => Probe::Match,
            None if length <= LEN_MAX && Self::META.is_usual(ports) => Probe::NeedMore,
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, _: Input<'_>, _: &mut Sink<'_>) -> Want {
        Want::Nothing
    }
}

/// A packet that opens a session, whole.
fn is_reset(packet: &[u8]) -> bool {
    let Some((&first, rest)) = packet.split_first() else {
        return false;
    };
    let by_client = CLIENT.contains(&first);
    if (!by_client && !SERVER.contains(&first)) || packet.len() > LEN_MAX {
        return false;
    }
    let Some((session, rest)) = rest.split_first_chunk::<SESSION_ID_LEN>() else {
        return false;
    };
    if *session == [0; SESSION_ID_LEN] {
        return false;
    }
    is_encrypted(first, rest) || MACS.iter().any(|mac| is_open(rest, *mac, by_client))
}

/// After the session: code and replay protection when there is a code, the list of acknowledgements, the number 0.
fn is_open(rest: &[u8], mac: usize, by_client: bool) -> bool {
    let Some(mut rest) = rest.get(mac..) else {
        return false;
    };
    if mac > 0 {
        let Some((replay, after)) = rest.split_first_chunk::<REPLAY_LEN>() else {
            return false;
        };
        if !is_replay_protection(replay) {
            return false;
        }
        rest = after;
    }
    if by_client {
        return rest == [0; 5];
    }
    // The server acknowledges number 0 of the client's session, or nothing yet.
    rest == [0; 5]
        || matches!(rest, [1, 0, 0, 0, 0, session @ .., 0, 0, 0, 0] if session.len() == SESSION_ID_LEN)
}

/// After the session: replay protection, tag, 5 bytes encrypted (more in an answer), and with a wrapped key that key,
/// whose last two bytes are its length.
fn is_encrypted(first: u8, rest: &[u8]) -> bool {
    let Some((replay, after)) = rest.split_first_chunk::<REPLAY_LEN>() else {
        return false;
    };
    let Some(hidden) = after.get(CRYPT_TAG_LEN..) else {
        return false;
    };
    let fits = if first == WITH_WRAPPED_KEY {
        hidden
            .get(5..)
            .and_then(|key| Some((key.len(), key.last_chunk::<2>()?)))
            .is_some_and(|(length, told)| usize::from(u16::from_be_bytes(*told)) == length)
    } else {
        matches!(hidden.len(), 5 | 17)
    };
    fits && is_replay_protection(replay)
}

/// The first counters of a session (the upper bits mark early negotiation), at a time that can be.
fn is_replay_protection(replay: &[u8; REPLAY_LEN]) -> bool {
    let [c0, c1, c2, c3, t0, t1, t2, t3] = *replay;
    let counter = u32::from_be_bytes([c0, c1, c2, c3]) & 0x00ff_ffff;
    (1..=16).contains(&counter) && matches!(c0, 0 | 0x0f) && u32::from_be_bytes([t0, t1, t2, t3]) >= TIME_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: [u8; 8] = [0x92, 0xb8, 0xaf, 0x4a, 0x77, 0x7f, 0xc7, 0x42];
    const REPLAY: [u8; 8] = [0, 0, 0, 1, 0x57, 0x7e, 0x73, 0xb3];

    fn probe(data: &[u8]) -> Probe {
        OpenVpn::probe(data, Side::Initiator, (40_000, 443))
    }

    fn reset(first: u8, after: &[&[u8]]) -> Vec<u8> {
        [&[first][..], &SESSION, &after.concat()].concat()
    }

    #[test]
    fn every_way_to_open() {
        let tag = [7; 32];
        for packet in [
            reset(0x38, &[&[0; 5]]),
            reset(0x38, &[&[9; 20], &REPLAY, &[0; 5]]),
            reset(0x38, &[&[9; 64], &REPLAY, &[0; 5]]),
            reset(0x40, &[&[9; 32], &REPLAY, &[1, 0, 0, 0, 0], &SESSION, &[0; 4]]),
            reset(0x38, &[&REPLAY, &tag, &[5; 5]]),
            reset(0x50, &[&REPLAY, &tag, &[5; 5], &[3; 40], &[0, 42]]),
        ] {
            assert_eq!(probe(&packet), Probe::Match, "{packet:02x?}");
            let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
            let over_tcp = [&length[..], &packet].concat();
            assert_eq!(probe(&over_tcp), Probe::Match, "{over_tcp:02x?}");
            assert_eq!(probe(&packet[..packet.len() - 1]), Probe::NoMatch);
            let on_port = OpenVpn::probe(&over_tcp[..9], Side::Initiator, (40_000, 1194));
            assert_eq!(on_port, Probe::NeedMore);
        }
    }

    /// Another operation, a counter that is far, a time long ago, acknowledgements of nothing, no session.
    #[test]
    fn others() {
        for packet in [
            reset(0x20, &[&[0; 5]]),
            reset(0x38, &[&[0, 0, 0, 0, 1]]),
            reset(0x38, &[&[9; 20], &[0, 0, 9, 1, 0x57, 0x7e, 0x73, 0xb3], &[0; 5]]),
            reset(0x38, &[&[9; 20], &[0, 0, 0, 1, 0, 0, 0, 9], &[0; 5]]),
            [&[0x38][..], &[0; 13]].concat(),
            b"8 bytes of text, and then more of them".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(probe(&packet), Probe::NoMatch, "{packet:02x?}");
        }
    }
}
