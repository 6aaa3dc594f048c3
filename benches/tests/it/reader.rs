//! A second opinion on the generated file that shares no code with the generator: pcap records by hand, packets by
//! etherparse, TCP streams put together by sequence number, names cut out of the streams.

use std::collections::HashMap;
use std::net::IpAddr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// A 5-tuple in the direction of one packet; the first element is the IP protocol.
pub(crate) type Tuple = (u8, IpAddr, u16, IpAddr, u16);

/// What was found in one file.
#[derive(Default)]
pub(crate) struct Parsed {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) last_us: u64,
    /// Packets out of time order, with wrong checksums, or with sequence numbers that leave a gap.
    pub(crate) faults: Vec<String>,
    /// TCP payload by direction.
    pub(crate) streams: HashMap<Tuple, Stream>,
    /// Payload of UDP packets to port 53 and from it.
    pub(crate) questions: Vec<(Tuple, Vec<u8>)>,
    pub(crate) answers: HashMap<Tuple, Vec<u8>>,
}

#[derive(Default)]
pub(crate) struct Stream {
    next_seq: Option<u32>,
    pub(crate) payload: Vec<u8>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
}

pub(crate) fn turned((protocol, a, ap, b, bp): Tuple) -> Tuple {
    (protocol, b, bp, a, ap)
}

/// Reads a little-endian microsecond pcap file.
pub(crate) fn parse(file: &[u8]) -> Parsed {
    assert_eq!(file[..4], [0xd4, 0xc3, 0xb2, 0xa1], "magic");
    assert_eq!(file[20..24], [1, 0, 0, 0], "Ethernet");
    let mut parsed = Parsed::default();
    let mut rest = &file[24..];
    let mut first_s = None;
    let mut previous_us = 0;
    while !rest.is_empty() {
        let field = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().expect("four bytes"));
        let (seconds, micros, length) = (field(0), field(4), field(8) as usize);
        assert_eq!(field(12) as usize, length, "frames are whole");
        let time_us = u64::from(seconds - *first_s.get_or_insert(seconds)) * 1_000_000 + u64::from(micros);
        let frame = &rest[16..16 + length];
        rest = &rest[16 + length..];
        if time_us < previous_us {
            parsed
                .faults
                .push(format!("packet {} goes back in time", parsed.packets));
        }
        previous_us = time_us;
        parsed.packets += 1;
        parsed.bytes += length as u64;
        parsed.last_us = time_us;
        parsed.packet(frame);
    }
    parsed
}

impl Parsed {
    fn packet(&mut self, frame: &[u8]) {
        let sliced = SlicedPacket::from_ethernet(frame).expect("frame parses");
        let (source, destination) = match sliced.net.as_ref().expect("IP") {
            NetSlice::Ipv4(ip) => {
                let header = ip.header().to_header();
                self.expect(
                    "IPv4 checksum",
                    header.header_checksum,
                    header.calc_header_checksum(),
                );
                (
                    IpAddr::V4(header.source.into()),
                    IpAddr::V4(header.destination.into()),
                )
            }
            NetSlice::Ipv6(ip) => (
                IpAddr::V6(ip.header().source_addr()),
                IpAddr::V6(ip.header().destination_addr()),
            ),
            NetSlice::Arp(_) => panic!("no ARP in the mix"),
        };
        match sliced.transport.as_ref().expect("transport") {
            TransportSlice::Tcp(tcp) => {
                let header = tcp.to_header();
                let checksum = match (source, destination) {
                    (IpAddr::V4(a), IpAddr::V4(b)) => {
                        header.calc_checksum_ipv4_raw(a.octets(), b.octets(), tcp.payload())
                    }
                    (IpAddr::V6(a), IpAddr::V6(b)) => {
                        header.calc_checksum_ipv6_raw(a.octets(), b.octets(), tcp.payload())
                    }
                    _ => unreachable!(),
                };
                self.expect("TCP checksum", header.checksum, checksum.expect("payload fits"));
                let tuple = (
                    6,
                    source,
                    header.source_port,
                    destination,
                    header.destination_port,
                );
                self.segment(tuple, &header, tcp.payload());
            }
            TransportSlice::Udp(udp) => {
                let header = udp.to_header();
                let checksum = match (source, destination) {
                    (IpAddr::V4(a), IpAddr::V4(b)) => {
                        header.calc_checksum_ipv4_raw(a.octets(), b.octets(), udp.payload())
                    }
                    (IpAddr::V6(a), IpAddr::V6(b)) => {
                        header.calc_checksum_ipv6_raw(a.octets(), b.octets(), udp.payload())
                    }
                    _ => unreachable!(),
                };
                self.expect("UDP checksum", header.checksum, checksum.expect("payload fits"));
                let tuple = (
                    17,
                    source,
                    header.source_port,
                    destination,
                    header.destination_port,
                );
                if header.destination_port == 53 {
                    self.questions.push((tuple, udp.payload().to_vec()));
                } else {
                    let before = self.answers.insert(tuple, udp.payload().to_vec());
                    assert!(before.is_none(), "one answer per 5-tuple");
                }
            }
            other => panic!("unexpected transport {other:?}"),
        }
    }

    /// Puts a segment behind its stream and holds sequence and acknowledgement against both directions.
    fn segment(&mut self, tuple: Tuple, header: &etherparse::TcpHeader, payload: &[u8]) {
        let acknowledged = self.streams.get(&turned(tuple)).and_then(|other| other.next_seq);
        if header.ack {
            self.expect(
                "acknowledgement",
                Some(header.acknowledgment_number),
                acknowledged,
            );
        }
        let stream = self.streams.entry(tuple).or_default();
        let expected = *stream.next_seq.get_or_insert(header.sequence_number);
        assert!(!(header.syn && stream.syn), "a 5-tuple is used once: {tuple:?}");
        stream.syn |= header.syn;
        stream.fin |= header.fin;
        stream.payload.extend_from_slice(payload);
        let length = payload.len() as u32 + u32::from(header.syn) + u32::from(header.fin);
        stream.next_seq = Some(header.sequence_number.wrapping_add(length));
        self.expect("sequence number", header.sequence_number, expected);
    }

    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        if found != expected {
            self.faults.push(format!(
                "packet {}: {what} {found:?}, expected {expected:?}",
                self.packets
            ));
        }
    }

    /// SNI of every stream towards port 443, after a check of every record's length.
    pub(crate) fn server_names(&self) -> Vec<String> {
        self.requests(443)
            .map(|(_, stream)| server_name(&stream.payload))
            .collect()
    }

    /// Host header of every stream towards port 80.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let host = |stream: &Stream| {
            let text = String::from_utf8_lossy(&stream.payload).into_owned();
            let line = text
                .lines()
                .find(|line| line.starts_with("Host: "))
                .expect("Host header");
            line["Host: ".len()..].trim_end().to_owned()
        };
        self.requests(80).map(|(_, stream)| host(stream)).collect()
    }

    pub(crate) fn requests(&self, port: u16) -> impl Iterator<Item = (&Tuple, &Stream)> {
        self.streams.iter().filter(move |(tuple, _)| tuple.4 == port)
    }
}

/// Name in a DNS message's first question.
pub(crate) fn question(message: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut at = 12;
    while message[at] != 0 {
        let end = at + 1 + message[at] as usize;
        labels.push(String::from_utf8(message[at + 1..end].to_vec()).expect("ASCII"));
        at = end;
    }
    labels.join(".")
}

fn be16(bytes: &[u8], at: usize) -> usize {
    usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1])
}

fn server_name(stream: &[u8]) -> String {
    let mut at = 0;
    while at < stream.len() {
        assert!(
            [20, 22, 23].contains(&stream[at]) && stream[at + 1] == 3,
            "record at {at}"
        );
        at += 5 + be16(stream, at + 3);
    }
    assert_eq!(at, stream.len(), "records fill the stream");
    assert_eq!((stream[0], stream[5]), (22, 1), "starts with a ClientHello");
    // Record header 5, message header 4, version 2, random 32.
    let mut at = 43;
    at += 1 + stream[at] as usize;
    at += 2 + be16(stream, at);
    at += 1 + stream[at] as usize;
    let end = at + 2 + be16(stream, at);
    at += 2;
    assert_eq!(end, 5 + be16(stream, 3), "extensions end with the message");
    while at < end {
        if be16(stream, at) == 0 {
            let length = be16(stream, at + 7);
            return String::from_utf8(stream[at + 9..at + 9 + length].to_vec()).expect("ASCII");
        }
        at += 4 + be16(stream, at + 2);
    }
    panic!("no SNI");
}
