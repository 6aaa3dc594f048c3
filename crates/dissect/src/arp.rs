//! ARP for IPv4 over Ethernet (RFC 826): one transaction per frame, because who claims which address is what counts.
//! Input is the frame's payload behind the EtherType; the flow has no ports.

use std::net::{IpAddr, Ipv4Addr};

use weir_model::{Anomaly, Kind, Mac, Protocol, Transaction, Transport, Value};
use weir_wire::Cursor;

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};

/// Hardware Ethernet, protocol IPv4, address lengths 6 and 4.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

mod fields {
    crate::fields::fields! {
        OP = text("arp.op", "Request or reply");
        SENDER_MAC = mac("arp.sender_mac", "Hardware address of the sender, as it says");
        SENDER_IP = ip("arp.sender_ip", "Address the sender claims");
        TARGET_MAC = mac("arp.target_mac", "Hardware address of the target");
        TARGET_IP = ip("arp.target_ip", "Address asked for, or told");
        GRATUITOUS = flag("arp.gratuitous", "Sender announces its own address");
    }
}

/// ARP keeps nothing between frames.
#[derive(Default)]
pub struct Arp;

impl Dissector for Arp {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Arp,
        transports: &[Transport::Link],
        ports: &[],
        about: "ARP requests and replies for IPv4 over Ethernet, every frame. Not seen: RARP and other hardware.",
        fields: fields::ALL,
    };

    fn probe(data: &[u8], _: Side, _: (u16, u16)) -> Probe {
        if data.starts_with(&ETHERNET_IPV4) {
            Probe::Match
        } else {
            Probe::NoMatch
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { time, data, .. } => {
                let mut transaction = sink.begin(Protocol::Arp, Kind::Query, time);
                match read(data, &mut transaction) {
                    Some(()) => sink.emit(transaction),
                    None => sink.odd(Anomaly::ProtocolError),
                }
                Want::More
            }
            Input::Gap { .. } => Want::More,
            Input::End { .. } => Want::Nothing,
        }
    }
}

fn read(data: &[u8], transaction: &mut Transaction) -> Option<()> {
    let mut cursor = Cursor::new(data);
    if cursor.array() != Some(ETHERNET_IPV4) {
        return None;
    }
    let op = match cursor.u16()? {
        1 => "request",
        2 => "reply",
        _ => return None,
    };
    let (sender_mac, sender) = (Mac(cursor.array()?), Ipv4Addr::from(cursor.array::<4>()?));
    let (target_mac, target) = (Mac(cursor.array()?), Ipv4Addr::from(cursor.array::<4>()?));
    transaction.fields.extend([
        (&fields::OP, Value::Text(op.into())),
        (&fields::SENDER_MAC, Value::Mac(sender_mac)),
        (&fields::SENDER_IP, Value::Ip(IpAddr::V4(sender))),
        (&fields::TARGET_MAC, Value::Mac(target_mac)),
        (&fields::TARGET_IP, Value::Ip(IpAddr::V4(target))),
        // A probe (RFC 5227) has sender 0.0.0.0: it asks, and claims nothing.
        (&fields::GRATUITOUS, Value::Flag(sender == target)),
    ]);
    Some(())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::Side::{Initiator, Responder};
    use crate::testing::{check_datagrams, key, run, text};

    fn frame(op: u8, sender: u8, target: u8) -> Vec<u8> {
        let mut frame = [ETHERNET_IPV4.as_slice(), &[0, op]].concat();
        frame.extend([2, 0, 0, 0, 0, sender, 10, 0, 0, sender]);
        frame.extend([2, 0, 0, 0, 0, target, 10, 0, 0, target]);
        frame
    }

    #[test]
    fn frames() {
        let parts: &[(Side, &[u8])] = &[
            (Initiator, &frame(1, 5, 9)),
            (Responder, &frame(2, 9, 5)),
            (Responder, &frame(2, 9, 9)),
            (Responder, &frame(7, 9, 9)),
        ];
        expect![[r#"
            query unknown 0s
              arp.op request
              arp.sender_mac 02:00:00:00:00:05
              arp.sender_ip 10.0.0.5
              arp.target_mac 02:00:00:00:00:09
              arp.target_ip 10.0.0.9
              arp.gratuitous false
            query unknown 0s
              arp.op reply
              arp.sender_mac 02:00:00:00:00:09
              arp.sender_ip 10.0.0.9
              arp.target_mac 02:00:00:00:00:05
              arp.target_ip 10.0.0.5
              arp.gratuitous false
            query unknown 0s
              arp.op reply
              arp.sender_mac 02:00:00:00:00:09
              arp.sender_ip 10.0.0.9
              arp.target_mac 02:00:00:00:00:09
              arp.target_ip 10.0.0.9
              arp.gratuitous true
            odd protocol_error x1
        "#]]
        .assert_eq(&text(&run::<Arp>(&key(0, 0), parts)));
        assert_eq!(Arp::probe(parts[0].1, Initiator, (0, 0)), Probe::Match);
        assert_eq!(Arp::probe(&[0; 28], Initiator, (0, 0)), Probe::NoMatch);
        check_datagrams::<Arp>(&key(0, 0), parts);
    }
}
