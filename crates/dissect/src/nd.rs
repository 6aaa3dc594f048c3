//! IPv6 neighbour discovery (RFC 4861): one transaction per message, because who claims which address is what counts.
//! Input is the whole ICMPv6 message, from its type byte on; without its first 8 bytes it is taken too, less its flags.

use std::net::{IpAddr, Ipv6Addr};

use weir_model::{Anomaly, FlowKey, Kind, Mac, Protocol, Time, Transport, Value};
use weir_wire::Cursor;

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};

/// Type, code, checksum and four bytes that differ per type.
const HEAD_BYTES: usize = 8;
/// Options looked at; real messages have one to six.
const OPTIONS_MAX: usize = 16;

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// Option numbers (RFC 4861 4.6).
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

mod fields {
    crate::fields::fields! {
        KIND = text("nd.kind", "Message: rs, ra, ns, na");
        TARGET = ip("nd.target", "Address asked for, or claimed");
        LINK_ADDRESS = mac("nd.link_address", "Hardware address of the sender, as it says");
        ROUTER = flag("nd.router", "Sender is a router");
        SOLICITED = flag("nd.solicited", "Sent because asked for");
        OVERRIDE = flag("nd.override", "Replaces what neighbours know");
        LIFETIME_S = number("nd.lifetime_s", "Lifetime as default router, seconds");
    }
}

/// Neighbour discovery keeps nothing between messages.
#[derive(Default)]
pub struct Nd;

impl Dissector for Nd {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Nd,
        transports: &[Transport::Icmp6],
        ports: &[],
        about: "ICMPv6 neighbour and router solicitations and advertisements, every message. Not seen: redirects, \
                prefixes and name servers of router advertisements.",
        fields: fields::ALL,
    };

    fn probe(data: &[u8], _: Side, ports: (u16, u16)) -> Probe {
        // `ports.0` is the type of the sender's messages, whoever it is.
        match message(data, ports.0) {
            Some(_) => Probe::Match,
            None => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { from, time, data } => {
                match message(data, type_of(sink.key, from)) {
                    Some(message) => message.emit(time, sink),
                    None => sink.odd(Anomaly::ProtocolError),
                }
                Want::More
            }
            Input::Gap { .. } => Want::More,
            Input::End { .. } => Want::Nothing,
        }
    }
}

/// Type of this side's messages, as the flow key has it: the type for the initiator, its counterpart for the responder.
const fn type_of(key: &FlowKey, from: Side) -> u16 {
    match from {
        Side::Initiator => key.initiator_port,
        Side::Responder => key.responder_port,
    }
}

/// A message, undecoded.
struct Message<'a> {
    kind: u8,
    /// The four bytes behind the checksum, when they are there.
    flags: Option<[u8; 4]>,
    body: &'a [u8],
}

/// Takes a message with or without its head. The first byte of a head is 133 to 136, which starts no address a
/// neighbour can have and no option.
fn message(data: &[u8], type_of_flow: u16) -> Option<Message<'_>> {
    let message = match data.split_first_chunk::<HEAD_BYTES>() {
        Some((
            &[
                kind @ ROUTER_SOLICITATION..=NEIGHBOUR_ADVERTISEMENT,
                0,
                _,
                _,
                a,
                b,
                c,
                d,
            ],
            body,
        )) => Message {
            kind,
            flags: Some([a, b, c, d]),
            body,
        },
        _ => Message {
            kind: u8::try_from(type_of_flow).ok()?,
            flags: None,
            body: data,
        },
    };
    let fixed_bytes = match message.kind {
        ROUTER_SOLICITATION => 0,
        ROUTER_ADVERTISEMENT => 8,
        NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT => 16,
        _ => return None,
    };
    (message.body.len() >= fixed_bytes).then_some(message)
}

impl Message<'_> {
    fn emit(&self, time: Time, sink: &mut Sink<'_>) {
        let mut transaction = sink.begin(Protocol::Nd, Kind::Query, time);
        let mut cursor = Cursor::new(self.body);
        let kind = match self.kind {
            ROUTER_SOLICITATION => "rs",
            ROUTER_ADVERTISEMENT => "ra",
            NEIGHBOUR_SOLICITATION => "ns",
            _ => "na",
        };
        transaction.set_text(&fields::KIND, kind);
        match (self.kind, self.flags) {
            (ROUTER_ADVERTISEMENT, flags) => {
                cursor.skip(8);
                transaction.set(&fields::ROUTER, Value::Flag(true));
                if let Some([_, _, high, low]) = flags {
                    transaction.set_number(&fields::LIFETIME_S, u16::from_be_bytes([high, low]));
                }
            }
            (NEIGHBOUR_ADVERTISEMENT, Some([bits, ..])) => {
                for (field, bit) in [
                    (&fields::ROUTER, 0x80),
                    (&fields::SOLICITED, 0x40),
                    (&fields::OVERRIDE, 0x20),
                ] {
                    transaction.set(field, Value::Flag(bits & bit != 0));
                }
            }
            _ => {}
        }
        if matches!(self.kind, NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT)
            && let Some(target) = cursor.array::<16>()
        {
            transaction.set(&fields::TARGET, Value::Ip(IpAddr::V6(Ipv6Addr::from(target))));
        }
        match link_address(cursor) {
            Ok(Some(mac)) => transaction.set(&fields::LINK_ADDRESS, Value::Mac(mac)),
            Ok(None) => {}
            Err(Cut) => sink.odd(Anomaly::ProtocolError),
        }
        sink.emit(transaction);
    }
}

/// The options end before they say.
struct Cut;

/// The sender's hardware address among the options. Lengths are in units of 8 bytes, zero is forbidden.
fn link_address(mut cursor: Cursor<'_>) -> Result<Option<Mac>, Cut> {
    for _ in 0..OPTIONS_MAX {
        let Some([kind, len]) = cursor.array() else {
            break;
        };
        let bytes = (usize::from(len) * 8).checked_sub(2).ok_or(Cut)?;
        let value = cursor.take(bytes).ok_or(Cut)?;
        if matches!(kind, SOURCE_LINK_ADDRESS | TARGET_LINK_ADDRESS)
            && let Some(&mac) = value.first_chunk()
        {
            return Ok(Some(Mac(mac)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use weir_model::proto;

    use super::*;
    use crate::Side::{Initiator, Responder};
    use crate::testing::{Part, check_datagrams, key, run, text};

    const TARGET: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

    fn flow() -> FlowKey {
        let mut key = key(proto::ICMP6, NEIGHBOUR_ADVERTISEMENT.into());
        key.initiator_port = NEIGHBOUR_SOLICITATION.into();
        key
    }

    fn message(kind: u8, flags: [u8; 4], fixed: &[u8], option: u8) -> Vec<u8> {
        let link = [option, 1, 2, 0, 0, 0, 0, 9];
        [&[kind, 0, 0xaa, 0xbb], flags.as_slice(), fixed, &link].concat()
    }

    #[test]
    fn messages() {
        let parts: &[Part<'_>] = &[
            (Initiator, &message(NEIGHBOUR_SOLICITATION, [0; 4], &TARGET, 1)),
            (
                Responder,
                &message(NEIGHBOUR_ADVERTISEMENT, [0x60, 0, 0, 0], &TARGET, 2),
            ),
            (Initiator, &message(ROUTER_SOLICITATION, [0; 4], &[], 1)),
            (
                Initiator,
                &message(ROUTER_ADVERTISEMENT, [64, 0, 7, 8], &[0; 8], 1),
            ),
        ];
        expect![[r#"
            query unknown 0s
              nd.kind ns
              nd.target fe80::9
              nd.link_address 02:00:00:00:00:09
            query unknown 0s
              nd.kind na
              nd.router false
              nd.solicited true
              nd.override true
              nd.target fe80::9
              nd.link_address 02:00:00:00:00:09
            query unknown 0s
              nd.kind rs
              nd.link_address 02:00:00:00:00:09
            query unknown 0s
              nd.kind ra
              nd.router true
              nd.lifetime_s 1800
              nd.link_address 02:00:00:00:00:09
        "#]]
        .assert_eq(&text(&run::<Nd>(&flow(), parts)));
        check_datagrams::<Nd>(&flow(), parts);
    }

    #[test]
    fn without_its_head_the_flow_tells_the_kind() {
        let whole = message(NEIGHBOUR_ADVERTISEMENT, [0x60, 0, 0, 0], &TARGET, 2);
        let output = run::<Nd>(&flow(), &[(Responder, &whole[HEAD_BYTES..])]);
        let transaction = &output.transactions[0];
        assert_eq!(transaction.text("nd.kind"), Some("na"));
        assert_eq!(transaction.ip("nd.target"), Some(TARGET.into()));
        assert_eq!(transaction.flag("nd.override"), None);
        assert_eq!(Nd::probe(&[0; 64], Initiator, (128, 129)), Probe::NoMatch);
    }
}
