//! The headers of one packet as values that borrow its bytes.
//! Lengths of the headers stand beside what the capture kept, because both are wanted and they differ.

use std::net::IpAddr;

use weir_model::{Anomaly, Mac};

/// A decoded packet. Lengths named `*_bytes` come from headers; slices hold what the capture kept of them.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Sender on this link; inside an Ethernet pseudowire the inner one.
    pub src_mac: Option<Mac>,
    pub dst_mac: Option<Mac>,
    /// Outer VLAN id; a priority tag (id 0) is none.
    pub vlan: Option<u16>,
    /// EtherType behind all tags and labels; below 1536 an LLC frame (its DSAP).
    pub ethertype: u16,
    /// Bytes of the frame on the wire.
    pub frame_bytes: u32,
    pub net: Net<'a>,
    /// First thing that was wrong with the headers; a payload cut by the capture is not.
    pub anomaly: Option<Anomaly>,
}

/// What the frame carries.
#[derive(Clone, Copy, Debug)]
pub enum Net<'a> {
    Ip(Ip<'a>),
    /// ARP payload of the frame (RFC 826), undecoded.
    Arp(&'a [u8]),
    /// Any other payload, or headers too broken to tell.
    Other(&'a [u8]),
}

/// An IPv4 or IPv6 packet behind its extension headers.
#[derive(Clone, Copy, Debug)]
pub struct Ip<'a> {
    pub src: IpAddr,
    pub dst: IpAddr,
    /// Protocol behind options and extension headers; in a fragment, of the first header in the fragmented part.
    pub proto: u8,
    pub ttl: u8,
    /// Type of service / traffic class.
    pub tos: u8,
    /// Length of the IP packet by its header, bytes (frame rest where the header says 0: offloaded segments).
    pub total_bytes: u32,
    /// Length of what follows the IP headers, by the headers, bytes.
    pub payload_bytes: u32,
    /// What the capture kept of it; never longer than `payload_bytes`.
    pub payload: &'a [u8],
    pub fragment: Option<Fragment>,
    /// Decoded from `payload` unless this is a fragment behind the first.
    pub transport: L4<'a>,
}

/// Place of a fragment in its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub id: u32,
    /// Offset in bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
}

/// Transport header.
#[derive(Clone, Copy, Debug)]
pub enum L4<'a> {
    Tcp(Tcp<'a>),
    Udp(Udp<'a>),
    /// SCTP common header.
    Sctp {
        src_port: u16,
        dst_port: u16,
    },
    Icmp(Icmp<'a>),
    /// Another protocol, a fragment behind the first, or a header cut short.
    Other,
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Tcp<'a> {
    pub src_port: u16,
    pub dst_port: u16,
    pub seq: u32,
    pub ack: u32,
    /// Control bits (see `weir_model::tcp_flags`).
    pub flags: u16,
    pub window: u16,
    /// Length of the payload by the headers, bytes.
    pub payload_bytes: u32,
    /// What the capture kept of it.
    pub payload: &'a [u8],
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct Udp<'a> {
    pub src_port: u16,
    pub dst_port: u16,
    /// Length of the payload by the headers, bytes.
    pub payload_bytes: u32,
    pub payload: &'a [u8],
}

/// An ICMP or ICMPv6 message.
#[derive(Clone, Copy, Debug)]
pub struct Icmp<'a> {
    pub kind: u8,
    pub code: u8,
    /// Identifier of echo messages, 0 for others.
    pub id: u16,
    /// Length of what follows the 8-byte ICMP header, bytes.
    pub payload_bytes: u32,
    pub payload: &'a [u8],
    /// Errors quote the packet that caused them.
    pub quoted: Option<Quoted>,
}

/// Addresses and ports of the packet an ICMP error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub proto: u8,
    /// Zero for protocols without ports.
    pub src_port: u16,
    pub dst_port: u16,
}
