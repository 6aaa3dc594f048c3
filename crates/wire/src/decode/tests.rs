//! What the tables of cases are written with: packets to vary, and one line of text per decoded packet.

use std::fmt::Write;

use etherparse::PacketBuilder;
use expect_test::{Expect, expect};

use super::*;
use crate::packet::{L4, Packet, Quoted};

mod headers;
mod links;
mod properties;

/// A UDP datagram "hi" over IPv4, 30 bytes.
fn udp4() -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(1111, 53);
    builder.write(&mut bytes, b"hi").unwrap();
    bytes
}

/// A TCP segment "hello" over IPv4, 45 bytes.
fn tcp4() -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(1111, 80, 7, 512)
        .syn();
    builder.write(&mut bytes, b"hello").unwrap();
    bytes
}

/// An IPv6 packet with the given next header and payload.
fn ip6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x6a, 0xb0, 0, 0];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend([next, 64]);
    bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend(payload);
    bytes
}

const UDP_HI: [u8; 10] = [0x04, 0x57, 0, 53, 0, 10, 0, 0, b'h', b'i'];
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// Bytes written as hexadecimal digits with spaces, and what follows them.
fn hex(digits: &str, rest: &[u8]) -> Vec<u8> {
    let pairs = digits
        .split_whitespace()
        .map(|pair| u8::from_str_radix(pair, 16).unwrap());
    pairs.chain(rest.iter().copied()).collect()
}

fn ethernet(behind_macs: &[&[u8]]) -> Vec<u8> {
    [&MACS[..], &behind_macs.concat()].concat()
}

fn decode_whole(link: LinkType, frame: &[u8]) -> Packet<'_> {
    decode(link, frame, frame.len() as u32)
}

/// One line per packet: last byte of the addresses, EtherType, then lengths as total/payload/kept.
fn line(packet: &Packet<'_>) -> String {
    let mut text = String::new();
    if let (Some(src), Some(dst)) = (packet.src_mac, packet.dst_mac) {
        write!(text, "mac {:x}>{:x} ", src.0[5], dst.0[5]).unwrap();
    }
    if let Some(vlan) = packet.vlan {
        write!(text, "vlan {vlan} ").unwrap();
    }
    write!(text, "{:04x} ", packet.ethertype).unwrap();
    match packet.net {
        Net::Ip(ip) => write!(text, "{}", ip_line(&ip)).unwrap(),
        Net::Arp(bytes) => write!(text, "arp {}", bytes.len()).unwrap(),
        Net::Other(bytes) => write!(text, "other {}", bytes.len()).unwrap(),
    }
    if let Some(anomaly) = packet.anomaly {
        write!(text, " !{anomaly}").unwrap();
    }
    text
}

fn ip_line(ip: &Ip<'_>) -> String {
    let mut text = format!(
        "{} > {} proto {} {}/{}/{}",
        ip.src,
        ip.dst,
        ip.proto,
        ip.total_bytes,
        ip.payload_bytes,
        ip.payload.len()
    );
    if let Some(place) = ip.fragment {
        let more = if place.more { "+" } else { "" };
        write!(text, " fragment {}@{}{more}", place.id, place.offset).unwrap();
    }
    match ip.transport {
        L4::Tcp(tcp) => write!(
            text,
            " tcp {}>{} flags {:x} {}/{}",
            tcp.src_port,
            tcp.dst_port,
            tcp.flags,
            tcp.payload_bytes,
            tcp.payload.len()
        ),
        L4::Udp(udp) => {
            write!(
                text,
                " udp {}>{} {}/{}",
                udp.src_port,
                udp.dst_port,
                udp.payload_bytes,
                udp.payload.len()
            )
        }
        L4::Sctp { src_port, dst_port } => write!(text, " sctp {src_port}>{dst_port}"),
        L4::Icmp(icmp) => {
            write!(
                text,
                " icmp {}/{} id {}{}",
                icmp.kind,
                icmp.code,
                icmp.id,
                quoted_line(icmp.quoted)
            )
        }
        L4::Other => write!(text, " -"),
    }
    .unwrap();
    text
}

fn quoted_line(quoted: Option<Quoted>) -> String {
    quoted.map_or(String::new(), |quoted| {
        let Quoted {
            src,
            dst,
            proto,
            src_port,
            dst_port,
        } = quoted;
        format!(" quotes {src}:{src_port} > {dst}:{dst_port} proto {proto}")
    })
}

fn check(cases: &[(&str, LinkType, Vec<u8>)], expected: Expect) {
    let mut text = String::new();
    for (name, link, frame) in cases {
        writeln!(text, "{name}: {}", line(&decode_whole(*link, frame))).unwrap();
    }
    expected.assert_eq(&text);
}
