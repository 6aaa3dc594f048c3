//! Packet notation: one line of text becomes one Ethernet frame, so tests say what is on the wire in words.
//! Bytes come from `etherparse`, which is independent of the decoder under test.
//!
//! A line is `<seconds> <kind> <from> > <to> [flags] [key=value ...]`:
//! ```text
//! 0.0  tcp 10.0.0.5:1000 > 10.0.0.9:80 S seq=1 win=64000
//! 0.1  tcp 10.0.0.9:80 > 10.0.0.5:1000 SA seq=9 ack=2
//! 0.2  tcp 10.0.0.5:1000 > 10.0.0.9:80 PA seq=2 ack=10 data=hello
//! 1    udp [fd00::1]:5000 > [fd00::2]:53 len=30 vlan=7
//! 2    icmp 10.0.0.5 > 10.0.0.9 8/0 len=56
//! 3    icmp 10.0.0.9 > 10.0.0.5 3/3 quote=udp,10.0.0.5:5000,10.0.0.9:53
//! 4    arp-request 10.0.0.5 > 10.0.0.9
//! 4    arp-reply 10.0.0.9 > 10.0.0.5
//! ```
//! Keys: `seq ack win ttl vlan len data hex quote`. `len=n` is n bytes of the pattern 0, 1, 2 ...; `hex` takes any bytes;
//! MACs follow the addresses.
//! A line that cannot be read panics with its text: it is a mistake in the test.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use etherparse::{PacketBuilder, PacketBuilderStep};
use weir_model::{Mac, NANOS_PER_S, Time};

/// Bytes of an untagged Ethernet header.
const ETHERNET_BYTES: usize = 14;
/// Flag in the fragment field of an IPv4 header (RFC 791).
const MORE_FRAGMENTS: u16 = 0x2000;

/// A frame with its stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub time: Time,
    /// Ethernet frame, nothing cut off.
    pub bytes: Vec<u8>,
}

/// The frames of a text, one per line; empty lines and lines that begin with `#` are left out.
pub fn frames(text: &str) -> Vec<Frame> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(frame)
        .collect()
}

/// The frame of one line.
///
/// # Panics
/// When the line does not follow the notation.
pub fn frame(line: &str) -> Frame {
    read(line).unwrap_or_else(|| panic!("not a packet: {line:?}"))
}

/// The hardware address that stands for an IP address: 02:00 and its last four bytes; groups get ff:ff:ff:ff:ff:ff.
pub fn mac_of(ip: IpAddr) -> Mac {
    let group = ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    if group {
        return Mac::BROADCAST;
    }
    let tail = match ip {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => ip.to_bits() as u32,
    };
    let [a, b, c, d] = tail.to_be_bytes();
    Mac([2, 0, a, b, c, d])
}

/// The value of a `hex=` key for these bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .filter_map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok())
        .collect()
}

/// The IPv4 packet of an untagged frame as two fragments, the first with `at` bytes of IP payload (a multiple of 8).
///
/// # Panics
/// When the frame is shorter than that.
pub fn fragments(frame: &Frame, at: usize) -> [Frame; 2] {
    const PAYLOAD: usize = ETHERNET_BYTES + 20;
    let (head, payload) = frame.bytes.split_at(PAYLOAD);
    let (first, rest) = payload.split_at(at);
    [(first, MORE_FRAGMENTS), (rest, (at / 8) as u16)].map(|(piece, place)| {
        let mut bytes = [head, piece].concat();
        let total = (bytes.len() - ETHERNET_BYTES) as u16;
        bytes[ETHERNET_BYTES + 2..ETHERNET_BYTES + 4].copy_from_slice(&total.to_be_bytes());
        bytes[ETHERNET_BYTES + 6..ETHERNET_BYTES + 8].copy_from_slice(&place.to_be_bytes());
        Frame {
            time: frame.time,
            bytes,
        }
    })
}

/// A line in pieces.
struct Line<'a> {
    kind: &'a str,
    from: &'a str,
    to: &'a str,
    /// Flags or ICMP type and code.
    word: &'a str,
    values: Vec<(&'a str, &'a str)>,
}

impl<'a> Line<'a> {
    fn value<T: FromStr>(&self, key: &str) -> Option<T> {
        let (_, text) = self.values.iter().find(|(known, _)| *known == key)?;
        text.parse().ok()
    }

    fn payload(&self) -> Vec<u8> {
        if let Some(text) = self.value::<String>("hex") {
            return unhex(&text);
        }
        match self.value::<String>("data") {
            Some(text) => text.into_bytes(),
            None => (0..self.value("len").unwrap_or(0u32)).map(|i| i as u8).collect(),
        }
    }
}

fn read(text: &str) -> Option<Frame> {
    let mut words = text.split_whitespace();
    let seconds: f64 = words.next()?.parse().ok()?;
    let kind = words.next()?;
    let from = words.next()?;
    let to = words.nth(1)?;
    let (values, plain): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('='));
    let values = values
        .into_iter()
        .filter_map(|value| value.split_once('='))
        .collect();
    let line = Line {
        kind,
        from,
        to,
        word: plain.first().copied().unwrap_or_default(),
        values,
    };
    let time = Time((seconds * NANOS_PER_S as f64).round() as i64);
    Some(Frame {
        time,
        bytes: bytes(&line)?,
    })
}

fn bytes(line: &Line<'_>) -> Option<Vec<u8>> {
    match line.kind {
        "tcp" => tcp(line),
        "udp" => udp(line),
        "icmp" => icmp(line),
        "arp-request" => arp(line, 1),
        "arp-reply" => arp(line, 2),
        _ => None,
    }
}

fn tcp(line: &Line<'_>) -> Option<Vec<u8>> {
    let (from, to): (SocketAddr, SocketAddr) = (line.from.parse().ok()?, line.to.parse().ok()?);
    let payload = line.payload();
    let seq = line.value("seq").unwrap_or(0);
    let window = line.value("win").unwrap_or(64_000);
    let ack = line.value("ack").unwrap_or(0);
    let mut step = ip(line, from.ip(), to.ip())?.tcp(from.port(), to.port(), seq, window);
    for flag in line.word.chars() {
        step = match flag {
            'F' => step.fin(),
            'S' => step.syn(),
            'R' => step.rst(),
            'P' => step.psh(),
            'A' => step.ack(ack),
            'U' => step.urg(0),
            '.' => step,
            _ => return None,
        };
    }
    let mut frame = Vec::with_capacity(step.size(payload.len()));
    step.write(&mut frame, &payload).ok()?;
    Some(frame)
}

fn udp(line: &Line<'_>) -> Option<Vec<u8>> {
    let (from, to): (SocketAddr, SocketAddr) = (line.from.parse().ok()?, line.to.parse().ok()?);
    let payload = line.payload();
    let step = ip(line, from.ip(), to.ip())?.udp(from.port(), to.port());
    let mut frame = Vec::with_capacity(step.size(payload.len()));
    step.write(&mut frame, &payload).ok()?;
    Some(frame)
}

fn icmp(line: &Line<'_>) -> Option<Vec<u8>> {
    let (from, to): (IpAddr, IpAddr) = (line.from.parse().ok()?, line.to.parse().ok()?);
    let (kind, code) = line.word.split_once('/')?;
    let (kind, code) = (kind.parse().ok()?, code.parse().ok()?);
    let payload = match line.value::<String>("quote") {
        Some(quote) => quoted(&quote)?,
        None => line.payload(),
    };
    let step = ip(line, from, to)?;
    let mut frame = Vec::new();
    if from.is_ipv4() {
        step.icmpv4_raw(kind, code, [0; 4])
            .write(&mut frame, &payload)
            .ok()?;
    } else {
        step.icmpv6_raw(kind, code, [0; 4])
            .write(&mut frame, &payload)
            .ok()?;
    }
    Some(frame)
}

/// The IP packet `kind,from,to` as an ICMP error quotes it: headers and eight bytes.
fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split(',');
    let line = Line {
        kind: parts.next()?,
        from: parts.next()?,
        to: parts.next()?,
        word: parts.next().unwrap_or("8/0"),
        values: vec![("len", "8")],
    };
    let line = if line.kind == "tcp" {
        Line { word: "S", ..line }
    } else {
        line
    };
    Some(bytes(&line)?.split_off(ETHERNET_BYTES))
}

fn arp(line: &Line<'_>, operation: u8) -> Option<Vec<u8>> {
    let (from, to): (Ipv4Addr, Ipv4Addr) = (line.from.parse().ok()?, line.to.parse().ok()?);
    let sender = mac_of(from.into());
    let target = if operation == 1 || from == to {
        Mac::BROADCAST
    } else {
        mac_of(to.into())
    };
    let mut frame = [&target.0[..], &sender.0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation]].concat();
    frame.extend(sender.0);
    frame.extend(from.octets());
    frame.extend(if operation == 1 { [0; 6] } else { target.0 });
    frame.extend(to.octets());
    Some(frame)
}

fn ip(line: &Line<'_>, from: IpAddr, to: IpAddr) -> Option<PacketBuilderStep<etherparse::IpHeaders>> {
    let ttl = line.value("ttl").unwrap_or(64);
    let link = PacketBuilder::ethernet2(mac_of(from).0, mac_of(to).0);
    let headers = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let header =
                etherparse::Ipv4Header::new(0, ttl, etherparse::ip_number::TCP, from.octets(), to.octets())
                    .ok()?;
            etherparse::IpHeaders::Ipv4(header, Default::default())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let header = etherparse::Ipv6Header {
                hop_limit: ttl,
                source: from.octets(),
                destination: to.octets(),
                ..Default::default()
            };
            etherparse::IpHeaders::Ipv6(header, Default::default())
        }
        _ => return None,
    };
    Some(match line.value("vlan") {
        Some(vlan) => link
            .single_vlan(etherparse::VlanId::try_new(vlan).ok()?)
            .ip(headers),
        None => link.ip(headers),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_what_the_text_says() {
        let frame = frame("1.5 tcp 10.0.0.5:1000 > 10.0.0.9:80 SA seq=7 ack=8 data=hello vlan=3");
        assert_eq!(frame.time, Time(1_500_000_000));
        let packet = etherparse::SlicedPacket::from_ethernet(&frame.bytes).unwrap();
        assert_eq!(packet.vlan_ids().len(), 1);
        let Some(etherparse::TransportSlice::Tcp(tcp)) = packet.transport else {
            panic!()
        };
        assert!(tcp.syn() && tcp.ack() && !tcp.fin());
        assert_eq!(
            (tcp.sequence_number(), tcp.acknowledgment_number(), tcp.payload()),
            (7, 8, &b"hello"[..])
        );
    }

    #[test]
    fn errors_quote_a_packet() {
        let frame = frame("0 icmp 10.0.0.9 > 10.0.0.5 3/3 quote=udp,10.0.0.5:5000,10.0.0.9:53");
        assert_eq!(frame.bytes.len(), 14 + 20 + 8 + 20 + 8 + 8);
    }
}
