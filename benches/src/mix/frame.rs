//! Ethernet frames with IPv4 or IPv6 and TCP or UDP, lengths and checksums included. Written by hand because it is the
//! inner loop of the generator and because the tests can then hold it against an independent packet library.

use std::net::IpAddr;

/// TCP flag bits as on the wire.
pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;

/// One end of a flow as the tap sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint {
    pub(super) mac: [u8; 6],
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// TTL or hop limit left when the packet passes the tap.
    pub(super) hops: u8,
}

/// The TCP fields that change from segment to segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    /// Padded by the caller to a multiple of four bytes.
    pub(super) options: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// The frames of one flow in time order, kept in one buffer that is reused for later flows.
#[derive(Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    index: Vec<Slice>,
}

#[derive(Clone, Copy)]
struct Slice {
    time_us: u64,
    start: usize,
    end: usize,
}

impl Frames {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.index.clear();
    }

    /// Frame `position` and its time in microseconds after the start of the capture.
    #[must_use]
    pub(super) fn get(&self, position: usize) -> Option<(u64, &[u8])> {
        let slice = self.index.get(position)?;
        Some((slice.time_us, &self.bytes[slice.start..slice.end]))
    }

    /// Appends a UDP datagram. `identification` is the IPv4 header field.
    pub(super) fn push_udp(
        &mut self,
        time_us: u64,
        from: &Endpoint,
        to: &Endpoint,
        identification: u16,
        payload: &[u8],
    ) {
        let length = 8 + payload.len();
        let start = self.network_header(from, to, PROTOCOL_UDP, identification, length);
        let transport = self.bytes.len();
        self.put16(from.port);
        self.put16(to.port);
        self.put16(length as u16);
        self.put16(0);
        self.bytes.extend_from_slice(payload);
        let checksum = self.transport_checksum(from, to, PROTOCOL_UDP, transport);
        // Zero means "no checksum" in UDP, so a computed zero is sent as its complement (RFC 768).
        let checksum = if checksum == 0 { 0xffff } else { checksum };
        self.finish(time_us, start, transport + 6, checksum);
    }

    /// Appends a TCP segment. `identification` is the IPv4 header field.
    pub(super) fn push_tcp(
        &mut self,
        time_us: u64,
        from: &Endpoint,
        to: &Endpoint,
        identification: u16,
        tcp: Segment<'_>,
    ) {
        debug_assert!(tcp.options.len().is_multiple_of(4) && tcp.options.len() <= 40);
        let header = 20 + tcp.options.len();
        let start = self.network_header(from, to, PROTOCOL_TCP, identification, header + tcp.payload.len());
        let transport = self.bytes.len();
        self.put16(from.port);
        self.put16(to.port);
        self.bytes.extend_from_slice(&tcp.seq.to_be_bytes());
        self.bytes.extend_from_slice(&tcp.ack.to_be_bytes());
        self.bytes.push(((header / 4) << 4) as u8);
        self.bytes.push(tcp.flags);
        self.put16(tcp.window);
        self.put16(0);
        self.put16(0);
        self.bytes.extend_from_slice(tcp.options);
        self.bytes.extend_from_slice(tcp.payload);
        let checksum = self.transport_checksum(from, to, PROTOCOL_TCP, transport);
        self.finish(time_us, start, transport + 16, checksum);
    }

    /// Ethernet and IP header for `length` bytes above them; returns where the frame starts.
    fn network_header(
        &mut self,
        from: &Endpoint,
        to: &Endpoint,
        protocol: u8,
        identification: u16,
        length: usize,
    ) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&to.mac);
        self.bytes.extend_from_slice(&from.mac);
        match (from.address, to.address) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.put16(ETHERTYPE_IPV4);
                let header = self.bytes.len();
                self.bytes.extend_from_slice(&[0x45, 0]);
                self.put16((20 + length) as u16);
                self.put16(identification);
                self.bytes
                    .extend_from_slice(&[0x40, 0, from.hops, protocol, 0, 0]);
                self.bytes.extend_from_slice(&source.octets());
                self.bytes.extend_from_slice(&destination.octets());
                let checksum = fold(sum(&self.bytes[header..]));
                self.bytes[header + 10..header + 12].copy_from_slice(&checksum.to_be_bytes());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.put16(ETHERTYPE_IPV6);
                self.bytes.extend_from_slice(&[0x60, 0, 0, 0]);
                self.put16(length as u16);
                self.bytes.extend_from_slice(&[protocol, from.hops]);
                self.bytes.extend_from_slice(&source.octets());
                self.bytes.extend_from_slice(&destination.octets());
            }
            _ => unreachable!("both ends of a flow speak one IP version"),
        }
        start
    }

    fn transport_checksum(&self, from: &Endpoint, to: &Endpoint, protocol: u8, transport: usize) -> u16 {
        let payload = &self.bytes[transport..];
        let addresses = match (from.address, to.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => sum(&a.octets()) + sum(&b.octets()),
            (IpAddr::V6(a), IpAddr::V6(b)) => sum(&a.octets()) + sum(&b.octets()),
            _ => unreachable!("both ends of a flow speak one IP version"),
        };
        fold(addresses + u64::from(protocol) + payload.len() as u64 + sum(payload))
    }

    fn finish(&mut self, time_us: u64, start: usize, checksum_at: usize, checksum: u16) {
        self.bytes[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
        let end = self.bytes.len();
        self.index.push(Slice { time_us, start, end });
    }

    fn put16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }
}

/// Sum of 32-bit words, which folds to the same 16-bit one's complement sum in half the steps (RFC 1071). A frame is
/// far too short for the 64-bit accumulator to overflow.
fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(4);
    let mut tail = [0; 4];
    tail[..words.remainder().len()].copy_from_slice(words.remainder());
    let last = u64::from(u32::from_be_bytes(tail));
    last + words
        .map(|word| u64::from(u32::from_be_bytes([word[0], word[1], word[2], word[3]])))
        .sum::<u64>()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}
