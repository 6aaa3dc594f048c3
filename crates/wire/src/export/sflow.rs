//! sFlow version 5: flow samples with the head of a sampled packet, counter samples counted.
//! A sampled packet becomes one row of one packet; what it stands for is in its sampling rate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_model::proto;

use super::row::{Moment, Row, Sampling};
use super::{Fault, targets};
use crate::packet::{Ip, L4, Net};
use crate::{Cursor, LinkType, decode};

/// Samples a datagram may claim: they are 8 bytes at least and datagrams below 64 KiB.
const SAMPLES_MAX: u32 = 8_192;

/// The header of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The exporter, which is not always the sender.
    pub agent: IpAddr,
    pub sub_agent: u32,
    /// Counts datagrams of the sub-agent.
    pub sequence: u32,
    pub uptime_ms: u32,
    pub samples: u32,
}

/// A datagram whose header has been read.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub header: Header,
    body: &'a [u8],
}

/// What was taken from a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub flow_samples: u64,
    pub counter_samples: u64,
    /// Samples and flow records of kinds not read (other enterprises, frames without an IP packet).
    pub others: u64,
    /// Packets the exporter's sampler lost, by the highest counter seen in this datagram.
    pub drops: u32,
    pub fault: Option<Fault>,
}

/// Reads the header of an sFlow v5 datagram.
///
/// # Errors
/// [`Fault::Header`] for anything else.
pub fn open(bytes: &[u8]) -> Result<Datagram<'_>, Fault> {
    let mut at = Cursor::new(bytes);
    let header = header(&mut at).ok_or(Fault::Header)?;
    if header.samples > SAMPLES_MAX || u64::from(header.samples) * 8 > at.len() as u64 {
        return Err(Fault::Header);
    }
    Ok(Datagram {
        header,
        body: at.rest(),
    })
}

fn header(at: &mut Cursor<'_>) -> Option<Header> {
    if at.u32()? != 5 {
        return None;
    }
    Some(Header {
        agent: address(at)?,
        sub_agent: at.u32()?,
        sequence: at.u32()?,
        uptime_ms: at.u32()?,
        samples: at.u32()?,
    })
}

fn address(at: &mut Cursor<'_>) -> Option<IpAddr> {
    match at.u32()? {
        1 => at.array::<4>().map(|bytes| Ipv4Addr::from(bytes).into()),
        2 => at.array::<16>().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

impl Datagram<'_> {
    /// Appends one row for each sampled IP packet to `rows`. After the first fault nothing more comes.
    pub fn read(&self, rows: &mut Vec<Row>) -> Taken {
        let mut taken = Taken::default();
        let mut at = Cursor::new(self.body);
        for _ in 0..self.header.samples {
            if sample(&mut at, rows, &mut taken).is_none() {
                taken.fault = Some(Fault::Sample);
                break;
            }
        }
        taken
    }
}

/// One sample. Its own length bounds it, so a sample that cannot be read does not spoil the next.
fn sample(at: &mut Cursor<'_>, rows: &mut Vec<Row>, taken: &mut Taken) -> Option<()> {
    let kind = at.u32()?;
    let length = usize::try_from(at.u32()?).ok()?;
    let mut body = Cursor::new(at.take(length)?);
    match kind {
        1 => flow_sample(&mut body, false, rows, taken).or_else(|| spoiled(taken)),
        3 => flow_sample(&mut body, true, rows, taken).or_else(|| spoiled(taken)),
        2 | 4 => {
            taken.counter_samples += 1;
            Some(())
        }
        _ => {
            taken.others += 1;
            Some(())
        }
    }
}

fn spoiled(taken: &mut Taken) -> Option<()> {
    taken.fault = Some(Fault::Sample);
    Some(())
}

fn flow_sample(at: &mut Cursor<'_>, expanded: bool, rows: &mut Vec<Row>, taken: &mut Taken) -> Option<()> {
    taken.flow_samples += 1;
    // Sequence number; source id, which is type and index apart when expanded.
    at.skip(if expanded { 12 } else { 8 })?;
    let rate = at.u32()?;
    at.skip(4)?;
    taken.drops = taken.drops.max(at.u32()?);
    let (ingress, egress) = if expanded {
        (interface(at.u32()?, at.u32()?), interface(at.u32()?, at.u32()?))
    } else {
        let (input, output) = (at.u32()?, at.u32()?);
        (
            interface(input >> 30, input & 0x3fff_ffff),
            interface(output >> 30, output & 0x3fff_ffff),
        )
    };
    let records = at.u32()?;
    for _ in 0..records {
        let format = at.u32()?;
        let length = usize::try_from(at.u32()?).ok()?;
        let body = at.take(length)?;
        let row = match format {
            1 => raw_header(body),
            3 => sampled_ip(body, false),
            4 => sampled_ip(body, true),
            // Switch, router, gateway and user data beside the packet.
            _ => continue,
        };
        match row {
            Some(mut row) => {
                row.ingress = ingress;
                row.egress = egress;
                row.start = Moment::BeforeExport(0);
                row.end = Moment::BeforeExport(0);
                row.sampling = Sampling {
                    interval: rate,
                    ..Sampling::default()
                };
                rows.push(row);
            }
            None => taken.others += 1,
        }
    }
    Some(())
}

/// Interface number; 0 for "dropped" and "several".
fn interface(format: u32, value: u32) -> u32 {
    if format == 0 { value } else { 0 }
}

/// Record 1: the first bytes of the packet, read by the packet decoder.
fn raw_header(body: &[u8]) -> Option<Row> {
    let mut at = Cursor::new(body);
    let link = match at.u32()? {
        1 => LinkType::Ethernet,
        11 | 12 => LinkType::RawIp,
        _ => return None,
    };
    let frame_bytes = at.u32()?;
    // Bytes stripped at the end (checksum) are part of the frame length and of no IP packet.
    at.skip(4)?;
    let kept = usize::try_from(at.u32()?).ok()?;
    let packet = decode(link, at.take(kept)?, frame_bytes);
    let Net::Ip(ip) = packet.net else { return None };
    let mut row = of_ip(&ip);
    row.src_mac = packet.src_mac;
    row.dst_mac = packet.dst_mac;
    row.vlan = packet.vlan;
    row.ethertype = packet.ethertype;
    Some(row)
}

fn of_ip(ip: &Ip<'_>) -> Row {
    let mut row = Row {
        src: Some(ip.src),
        dst: Some(ip.dst),
        proto: Some(ip.proto),
        packets: 1,
        bytes: ip.total_bytes.into(),
        tos: ip.tos,
        ttl: ip.ttl,
        ..Row::default()
    };
    match &ip.transport {
        L4::Tcp(tcp) => {
            (row.src_port, row.dst_port) = (tcp.src_port, tcp.dst_port);
            row.flags = tcp.flags;
        }
        L4::Udp(udp) => (row.src_port, row.dst_port) = (udp.src_port, udp.dst_port),
        L4::Sctp { src_port, dst_port } => (row.src_port, row.dst_port) = (*src_port, *dst_port),
        L4::Icmp(icmp) => row.icmp = Some((icmp.kind, icmp.code)),
        L4::Other => {}
    }
    row
}

/// Records 3 and 4: the fields of the packet, read by the exporter.
fn sampled_ip(body: &[u8], six: bool) -> Option<Row> {
    let mut at = Cursor::new(body);
    let bytes = at.u32()?;
    let protocol = at.u32()?;
    let mut next = || {
        if six {
            at.array::<16>().map(targets::ip6)
        } else {
            at.array::<4>().map(|bytes| IpAddr::from(Ipv4Addr::from(bytes)))
        }
    };
    let (src, dst) = (next()?, next()?);
    let (src_port, dst_port, flags, tos) = (at.u32()?, at.u32()?, at.u32()?, at.u32()?);
    let with_ports = [proto::TCP, proto::UDP, proto::SCTP].contains(&(protocol as u8));
    Some(Row {
        src: Some(src),
        dst: Some(dst),
        proto: Some(protocol as u8),
        src_port: if with_ports { src_port as u16 } else { 0 },
        dst_port: if with_ports { dst_port as u16 } else { 0 },
        packets: 1,
        bytes: bytes.into(),
        flags: flags as u16,
        tos: tos as u8,
        ..Row::default()
    })
}
