//! DHCP for IPv4 (RFC 2131, 2132): one transaction per message, because an answer may go to another address than the
//! question came from. Names, vendors and option lists identify devices; offers of a stranger are a rogue server.

use std::net::{IpAddr, Ipv4Addr};

use weir_model::{Anomaly, Kind, Mac, Outcome, Protocol, Transaction, Transport, Value};
use weir_wire::Cursor;

use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want, text};

/// Options read per message; the largest real messages have about 30.
const OPTIONS_MAX: usize = 64;
/// Name servers kept.
const SERVERS_MAX: usize = 8;
/// Parameters of the request list kept as a fingerprint; systems ask for 5 to 30.
const PARAMETERS_MAX: usize = 64;
/// Where the options start: behind the BOOTP fields, with this cookie before them.
const COOKIE_AT: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const ETHERNET: u8 = 1;

/// Option numbers (RFC 2132).
mod option {
    pub(super) const PAD: u8 = 0;
    pub(super) const ROUTER: u8 = 3;
    pub(super) const DNS: u8 = 6;
    pub(super) const HOST_NAME: u8 = 12;
    pub(super) const REQUESTED_IP: u8 = 50;
    pub(super) const LEASE: u8 = 51;
    pub(super) const MESSAGE: u8 = 53;
    pub(super) const SERVER: u8 = 54;
    pub(super) const PARAMETERS: u8 = 55;
    pub(super) const VENDOR_CLASS: u8 = 60;
    pub(super) const END: u8 = 255;
}

mod fields {
    crate::fields::fields! {
        MESSAGE = text("dhcp.message", "Message type");
        XID = number("dhcp.xid", "Transaction id");
        CLIENT_MAC = mac("dhcp.client_mac", "Hardware address of the client");
        CLIENT_IP = ip("dhcp.client_ip", "Address the client has");
        REQUESTED_IP = ip("dhcp.requested_ip", "Address asked for");
        YOUR_IP = ip("dhcp.your_ip", "Address given");
        SERVER_IP = ip("dhcp.server_ip", "Server, as its messages name it");
        RELAY_IP = ip("dhcp.relay_ip", "Relay between client and server");
        HOSTNAME = text("dhcp.hostname", "Name the client gives itself");
        VENDOR_CLASS = text("dhcp.vendor_class", "Vendor class of the client");
        PARAMETERS = text("dhcp.parameters", "Options the client asks for, in its order");
        ROUTER = ip("dhcp.router", "First router given");
        DNS = texts("dhcp.dns", "Name servers given");
        LEASE_S = number("dhcp.lease_s", "Lease time, seconds");
    }
}

/// DHCP keeps nothing between messages.
#[derive(Default)]
pub struct Dhcp;

impl Dissector for Dhcp {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Dhcp,
        transports: &[Transport::Udp],
        ports: &[67, 68],
        about: "DHCP for IPv4, every message: who asks for which address, who gives it, and how the client describes \
                itself. Not seen: DHCPv6, plain BOOTP, options in the file and server name fields.",
        fields: fields::ALL,
    };

    fn probe(data: &[u8], _: Side, _: (u16, u16)) -> Probe {
        let cookie = data.get(COOKIE_AT..COOKIE_AT + COOKIE.len());
        match data.first() {
            Some(1 | 2) if cookie == Some(&COOKIE) => Probe::Match,
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { time, data, .. } => {
                let mut transaction = sink.begin(Protocol::Dhcp, Kind::Lease, time);
                match read(data, &mut transaction) {
                    Some(whole) => {
                        if !whole {
                            sink.odd(Anomaly::ProtocolError);
                        }
                        sink.emit(transaction);
                    }
                    None => sink.odd(Anomaly::ProtocolError),
                }
                Want::More
            }
            Input::Gap { .. } => Want::More,
            Input::End { .. } => Want::Nothing,
        }
    }
}

/// Reads a message; None when it is none, false when its options are cut.
fn read(data: &[u8], transaction: &mut Transaction) -> Option<bool> {
    let mut cursor = Cursor::new(data);
    let [_, hardware, hardware_len, _] = cursor.array()?;
    let xid = cursor.u32()?;
    cursor.skip(4)?;
    let addresses: [[u8; 4]; 4] = [cursor.array()?, cursor.array()?, cursor.array()?, cursor.array()?];
    let mac: [u8; 6] = cursor.array()?;
    cursor.skip(COOKIE_AT - 34)?;
    if cursor.array() != Some(COOKIE) {
        return None;
    }
    transaction.set_number(&fields::XID, xid);
    if hardware == ETHERNET && usize::from(hardware_len) == mac.len() {
        transaction.set(&fields::CLIENT_MAC, Value::Mac(Mac(mac)));
    }
    // The server field of the head is the next server of a boot: the option is the one that counts.
    let [client, yours, _, relay] = addresses;
    for (field, address) in [
        (&fields::CLIENT_IP, client),
        (&fields::YOUR_IP, yours),
        (&fields::RELAY_IP, relay),
    ] {
        if address != [0; 4] {
            transaction.set(field, ip(address));
        }
    }
    Some(options(cursor, transaction))
}

/// Reads the options; false when they are cut or too many.
fn options(mut cursor: Cursor<'_>, transaction: &mut Transaction) -> bool {
    for _ in 0..OPTIONS_MAX {
        let kind = match cursor.u8() {
            Some(option::PAD) => {
                let padding = cursor
                    .rest()
                    .iter()
                    .take_while(|&&byte| byte == option::PAD)
                    .count();
                cursor.skip(padding);
                continue;
            }
            Some(option::END) => return true,
            Some(kind) => kind,
            None => return false,
        };
        let Some(value) = cursor.u8().and_then(|len| cursor.take(len.into())) else {
            return false;
        };
        set_option(kind, value, transaction);
    }
    false
}

fn set_option(kind: u8, value: &[u8], transaction: &mut Transaction) {
    let address = || value.first_chunk::<4>().map(|&octets| ip(octets));
    let texts = [
        (option::HOST_NAME, &fields::HOSTNAME),
        (option::VENDOR_CLASS, &fields::VENDOR_CLASS),
    ];
    let addresses = [
        (option::REQUESTED_IP, &fields::REQUESTED_IP),
        (option::SERVER, &fields::SERVER_IP),
        (option::ROUTER, &fields::ROUTER),
    ];
    if let Some((_, field)) = texts.iter().find(|(known, _)| *known == kind) {
        // Some clients send the terminating zero along.
        let text = value.split(|&byte| byte == 0).next().unwrap_or_default();
        transaction.set_text(field, text::bounded(text));
    } else if let Some((_, field)) = addresses.iter().find(|(known, _)| *known == kind) {
        if let Some(address) = address() {
            transaction.set(field, address);
        }
    } else if kind == option::MESSAGE {
        let (name, outcome) = message(value.first().copied().unwrap_or_default());
        transaction.set_text(&fields::MESSAGE, name);
        transaction.outcome = outcome;
    } else if kind == option::LEASE {
        if let Some(seconds) = Cursor::new(value).u32() {
            transaction.set_number(&fields::LEASE_S, seconds);
        }
    } else if kind == option::PARAMETERS {
        let mut list = text::Ascii::with_capacity(4 * PARAMETERS_MAX);
        for (index, &parameter) in value.iter().take(PARAMETERS_MAX).enumerate() {
            if index > 0 {
                list.push(b',');
            }
            list.push_decimal(parameter.into());
        }
        transaction.set_text(&fields::PARAMETERS, list.text());
    } else if kind == option::DNS {
        let servers = value.as_chunks::<4>().0.iter().take(SERVERS_MAX);
        let servers = servers.map(|&octets| Ipv4Addr::from(octets).to_string().into());
        transaction.set(&fields::DNS, Value::Texts(servers.collect()));
    }
}

/// Name of a message type (RFC 2132 9.6), and the server's verdict in it.
fn message(kind: u8) -> (Box<str>, Outcome) {
    let (name, outcome) = match kind {
        1 => ("DISCOVER", Outcome::Unknown),
        2 => ("OFFER", Outcome::Unknown),
        3 => ("REQUEST", Outcome::Unknown),
        4 => ("DECLINE", Outcome::Unknown),
        5 => ("ACK", Outcome::Accepted),
        6 => ("NAK", Outcome::Refused),
        7 => ("RELEASE", Outcome::Unknown),
        8 => ("INFORM", Outcome::Unknown),
        other => return (format!("TYPE{other}").into(), Outcome::Unknown),
    };
    (name.into(), outcome)
}

fn ip(octets: [u8; 4]) -> Value {
    Value::Ip(IpAddr::V4(Ipv4Addr::from(octets)))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::Side::{Initiator, Responder};
    use crate::testing::{check_datagrams, run, text, udp};

    fn message(op: u8, yours: [u8; 4], options: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; COOKIE_AT];
        bytes[..8].copy_from_slice(&[op, 1, 6, 0, 0, 0, 1, 2]);
        bytes[16..20].copy_from_slice(&yours);
        bytes[28..34].copy_from_slice(&[0x1c, 0x75, 8, 4, 0x7a, 0x5f]);
        [bytes.as_slice(), &COOKIE, options].concat()
    }

    #[track_caller]
    fn check(data: &[u8], expected: &Expect) {
        expected.assert_eq(&text(&run::<Dhcp>(&udp(67), &[(Initiator, data)])));
        assert_eq!(Dhcp::probe(data, Initiator, (68, 67)), Probe::Match);
        check_datagrams::<Dhcp>(&udp(67), &[(Initiator, data), (Responder, data)]);
    }

    #[test]
    fn a_client_describes_itself() {
        let options = [
            &[0, 0, 53, 1, 3, 50, 4, 10, 0, 0, 7, 12, 5][..],
            b"pc33\0",
            &[60, 8],
            b"MSFT 5.0",
            &[55, 4, 1, 3, 6, 15, 255],
        ]
        .concat();
        check(
            &message(1, [0; 4], &options),
            &expect![[r#"
            lease unknown 0s
              dhcp.xid 258
              dhcp.client_mac 1c:75:08:04:7a:5f
              dhcp.message REQUEST
              dhcp.requested_ip 10.0.0.7
              dhcp.hostname pc33
              dhcp.vendor_class MSFT 5.0
              dhcp.parameters 1,3,6,15
        "#]],
        );
    }

    #[test]
    fn a_server_gives() {
        let options = [
            53, 1, 5, 54, 4, 10, 0, 0, 1, 3, 4, 10, 0, 0, 1, 6, 8, 10, 0, 0, 2, 10, 0, 0, 3, 51, 4, 0, 0, 14,
            16, 255,
        ];
        check(
            &message(2, [10, 0, 0, 7], &options),
            &expect![[r#"
            lease accepted 0s
              dhcp.xid 258
              dhcp.client_mac 1c:75:08:04:7a:5f
              dhcp.your_ip 10.0.0.7
              dhcp.message ACK
              dhcp.server_ip 10.0.0.1
              dhcp.router 10.0.0.1
              dhcp.dns 10.0.0.2 | 10.0.0.3
              dhcp.lease_s 3600
        "#]],
        );
    }

    #[test]
    fn refused_and_cut() {
        check(
            &message(2, [0; 4], &[53, 1, 6, 12, 200, b'x']),
            &expect![[r#"
            lease refused 0s
              dhcp.xid 258
              dhcp.client_mac 1c:75:08:04:7a:5f
              dhcp.message NAK
            odd protocol_error x1
        "#]],
        );
        assert_eq!(Dhcp::probe(&[1; 300], Initiator, (68, 67)), Probe::NoMatch);
        let endless = message(2, [0; 4], &[12, 1, b'x'].repeat(100));
        let output = run::<Dhcp>(&udp(67), &[(Initiator, &endless)]);
        assert_eq!(output.anomalies.of(Anomaly::ProtocolError), 1);
    }
}
