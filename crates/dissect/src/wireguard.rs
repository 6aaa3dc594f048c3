//! WireGuard, told by its handshake (Donenfeld, NDSS 2017, 5.4): a type, three zero bytes, and a fixed length. On any
//! port. No transaction: everything else is encrypted.

use weir_model::{Protocol, Transport};

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};

/// Length of a packet of each handshake type: initiation, response, cookie reply.
const HANDSHAKE: [(u8, usize); 3] = [(1, 148), (2, 92), (3, 64)];
/// A packet with data: its header and tag are 32 bytes, what it carries is padded to 16.
const DATA: u8 = 4;
const DATA_MIN: usize = 32;
const PADDED_TO: usize = 16;

/// Nothing is kept.
#[derive(Default)]
pub struct WireGuard;

impl Dissector for WireGuard {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::WireGuard,
        transports: &[Transport::Udp],
        ports: &[51820],
        about: "Recognised by its handshake on any port, and by packets with data on its usual port. No transactions.",
        fields: &[],
    };

    fn probe(data: &[u8], _: Side, ports: (u16, u16)) -> Probe {
        let Some(([kind, 0, 0, 0], rest)) = data.split_first_chunk() else {
            return Probe::NoMatch;
        };
        let handshake = HANDSHAKE.contains(&(*kind, data.len())) && rest.iter().any(|byte| *byte != 0);
        let carries = *kind == DATA
            && data.len() >= DATA_MIN
            && data.len().is_multiple_of(PADDED_TO)
            && Self::META.is_usual(ports);
        if handshake || carries {
            Probe::Match
        } else {
            Probe::NoMatch
        }
    }

    fn feed(&mut self, _: Input<'_>, _: &mut Sink<'_>) -> Want {
        Want::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, len: usize) -> Vec<u8> {
        let mut packet = vec![0xa5; len];
        packet[..4].copy_from_slice(&[kind, 0, 0, 0]);
        packet
    }

    #[test]
    fn handshakes_anywhere_and_data_on_the_port() {
        let probe = |data: &[u8], port| WireGuard::probe(data, Side::Initiator, (40_000, port));
        for (kind, len) in HANDSHAKE {
            assert_eq!(probe(&packet(kind, len), 443), Probe::Match);
            assert_eq!(probe(&packet(kind, len + 1), 443), Probe::NoMatch);
        }
        assert_eq!(probe(&packet(DATA, 112), 51820), Probe::Match);
        assert_eq!(probe(&packet(DATA, 112), 443), Probe::NoMatch);
        assert_eq!(probe(&packet(DATA, 111), 51820), Probe::NoMatch);
        assert_eq!(
            probe(&[&[1, 0, 0, 0][..], &[0; 144]].concat(), 443),
            Probe::NoMatch
        );
        assert_eq!(probe(&[], 51820), Probe::NoMatch);
    }
}
