//! Which information element fills which part of a row. Elements not named here are known or unknown, but not read:
//! the compiled plan passes over them at no cost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_model::Mac;

use super::elements::PEN_REVERSE;
use super::plan::number;
use super::row::{Moment, Row};
use super::time;

/// How a field's bytes get into a row.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// An unsigned number of up to eight bytes, big-endian; reduced sizes are natural.
    Number(fn(&mut Row, u64)),
    /// Sixteen bytes of address.
    Ip6(fn(&mut Row, IpAddr)),
}

impl Target {
    /// Fills a row with a value of any width; one that does not fit is passed over.
    pub(super) fn fill(self, row: &mut Row, value: &[u8]) {
        match self {
            Self::Number(set) if (1..=8).contains(&value.len()) => set(row, number(value)),
            Self::Ip6(set) => {
                if let Ok(bytes) = value.try_into() {
                    set(row, ip6(bytes));
                }
            }
            Self::Number(_) => {}
        }
    }
}

/// Enterprise number of CERT (YAF).
const PEN_CERT: u32 = 6871;

/// Flowmon Networks, ntop (nProbe) and Cisco, for what they tell of network performance.
pub(super) const PEN_FLOWMON: u32 = 39_499;
pub(super) const PEN_NTOP: u32 = 35_632;
const PEN_CISCO: u32 = 9;
/// Elements of enterprises in NetFlow v9: nProbe's begin here, Cisco's have the upper bit.
const NTOP_V9: u16 = 57_472;
const CISCO_V9: u16 = 0x8000;

/// What this element fills, if anything.
pub(super) fn of(pen: u32, id: u16) -> Option<Target> {
    match pen {
        0 => endpoint(id)
            .or_else(|| counter(id))
            .or_else(|| moment(id))
            .or_else(|| header(id))
            .or_else(|| sampling(id))
            .or_else(|| performance(id)),
        PEN_REVERSE => reverse(id),
        PEN_CERT => cert(id),
        PEN_FLOWMON => flowmon(id),
        PEN_NTOP => nprobe(id),
        PEN_CISCO => cisco(id),
        _ => None,
    }
}

/// Exporters that mix address families in one template send the unused one as zero: a real address wins.
fn put(slot: &mut Option<IpAddr>, ip: IpAddr) {
    if slot.is_none() || !ip.is_unspecified() {
        *slot = Some(ip.to_canonical());
    }
}

fn ip4(value: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(value as u32))
}

/// The address of sixteen bytes.
pub(super) fn ip6(bytes: [u8; 16]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(bytes))
}

fn mac(value: u64) -> Option<Mac> {
    let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
    (value != 0).then_some(Mac([a, b, c, d, e, f]))
}

fn endpoint(id: u16) -> Option<Target> {
    use Target::{Ip6, Number};
    Some(match id {
        8 => Number(|row, value| put(&mut row.src, ip4(value))),
        12 => Number(|row, value| put(&mut row.dst, ip4(value))),
        27 => Ip6(|row, ip| put(&mut row.src, ip)),
        28 => Ip6(|row, ip| put(&mut row.dst, ip)),
        7 | 180 | 182 => Number(|row, value| row.src_port |= value as u16),
        11 | 181 | 183 => Number(|row, value| row.dst_port |= value as u16),
        4 => Number(|row, value| row.proto = Some(value as u8)),
        56 => Number(|row, value| row.src_mac = mac(value)),
        80 => Number(|row, value| row.dst_mac = mac(value)),
        58 | 243 => {
            Number(|row, value| row.vlan = row.vlan.or(Some(value as u16 & 0xfff).filter(|&id| id > 0)))
        }
        256 => Number(|row, value| row.ethertype = value as u16),
        10 => Number(|row, value| row.ingress = value as u32),
        14 => Number(|row, value| row.egress = value as u32),
        _ => return None,
    })
}

fn counter(id: u16) -> Option<Target> {
    use Target::Number;
    Some(match id {
        1 | 231 => Number(|row, value| row.bytes = row.bytes.saturating_add(value)),
        2 | 298 => Number(|row, value| row.packets = row.packets.saturating_add(value)),
        85 => Number(|row, value| row.bytes_total = value),
        86 => Number(|row, value| row.packets_total = value),
        232 => Number(|row, value| row.reverse_bytes = Some(value)),
        299 => Number(|row, value| row.reverse_packets = Some(value)),
        _ => return None,
    })
}

fn moment(id: u16) -> Option<Target> {
    use Target::Number;
    Some(match id {
        22 => Number(|row, value| row.start = Moment::Uptime(value as u32)),
        21 => Number(|row, value| row.end = Moment::Uptime(value as u32)),
        150 => Number(|row, value| row.start = Moment::Unix(time::secs(value))),
        151 => Number(|row, value| row.end = Moment::Unix(time::secs(value))),
        152 => Number(|row, value| row.start = Moment::Unix(time::millis(value))),
        153 => Number(|row, value| row.end = Moment::Unix(time::millis(value))),
        154 => Number(|row, value| row.start = Moment::Unix(time::ntp_micros(value))),
        155 => Number(|row, value| row.end = Moment::Unix(time::ntp_micros(value))),
        156 => Number(|row, value| row.start = Moment::Unix(time::ntp(value))),
        157 => Number(|row, value| row.end = Moment::Unix(time::ntp(value))),
        158 => Number(|row, value| row.start = Moment::BeforeExport(value as u32)),
        159 => Number(|row, value| row.end = Moment::BeforeExport(value as u32)),
        160 => Number(|row, value| row.boot_ms = Some(value)),
        161 => Number(|row, value| row.duration_ms = Some(value as u32)),
        162 => Number(|row, value| row.duration_ms = Some((value / 1_000) as u32)),
        // Events of firewalls and translators have one time: it ends what they tell of.
        322 => Number(|row, value| row.end = Moment::Unix(time::secs(value))),
        323 => Number(|row, value| row.end = Moment::Unix(time::millis(value))),
        324 => Number(|row, value| row.end = Moment::Unix(time::ntp_micros(value))),
        325 => Number(|row, value| row.end = Moment::Unix(time::ntp(value))),
        _ => return None,
    })
}

fn header(id: u16) -> Option<Target> {
    use Target::Number;
    Some(match id {
        5 => Number(|row, value| row.tos = value as u8),
        6 => Number(|row, value| row.flags |= value as u16),
        32 | 139 => Number(|row, value| row.icmp = Some(((value >> 8) as u8, value as u8))),
        176 | 178 => {
            Number(|row, value| row.icmp = Some((value as u8, row.icmp.map_or(0, |(_, code)| code))))
        }
        177 | 179 => {
            Number(|row, value| row.icmp = Some((row.icmp.map_or(0, |(kind, _)| kind), value as u8)))
        }
        52 | 192 => Number(|row, value| row.ttl = value as u8),
        136 => Number(|row, value| row.end_reason = value as u8),
        233 => Number(|row, value| row.firewall_event = value as u8),
        239 => Number(|row, value| row.biflow_direction = value as u8),
        _ => return None,
    })
}

fn sampling(id: u16) -> Option<Target> {
    use Target::Number;
    Some(match id {
        34 | 50 => Number(|row, value| row.sampling.interval = value as u32),
        305 => Number(|row, value| row.sampling.packet_interval = value as u32),
        306 => Number(|row, value| row.sampling.packet_space = value as u32),
        309 => Number(|row, value| row.sampling.size = value as u32),
        310 => Number(|row, value| row.sampling.population = value as u32),
        311 => Number(|row, value| row.sampling.probability = float(value)),
        48 | 302 => Number(|row, value| row.sampling.selector = Some(value)),
        _ => return None,
    })
}

/// A float of eight bytes, or of four (reduced size): those have nothing in the upper half.
fn float(value: u64) -> f64 {
    match u32::try_from(value) {
        Ok(short) => f32::from_bits(short).into(),
        Err(_) => f64::from_bits(value),
    }
}

fn reverse(id: u16) -> Option<Target> {
    use Target::Number;
    Some(match id {
        1 | 85 => Number(|row, value| row.reverse_bytes = Some(value)),
        2 | 86 => Number(|row, value| row.reverse_packets = Some(value)),
        6 => Number(|row, value| row.reverse_flags |= value as u16),
        52 | 192 => Number(|row, value| row.reverse_ttl = value as u8),
        _ => return None,
    })
}

/// YAF tells the flags of the first packet apart from those of the rest.
fn cert(id: u16) -> Option<Target> {
    use Target::Number;
    Some(match id {
        14 => Number(|row, value| {
            row.first_flags = value as u16;
            row.flags |= value as u16;
        }),
        15 => Number(|row, value| row.flags |= value as u16),
        // First packet to first answer.
        21 => Number(|row, value| row.told.server_us = of_millis(value)),
        16_398 | 16_399 => Number(|row, value| row.reverse_flags |= value as u16),
        _ => return None,
    })
}

/// Microseconds of microseconds or milliseconds.
fn micros(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn of_millis(value: u64) -> u32 {
    micros(value.saturating_mul(1_000))
}

/// A count of which zero is told as well.
fn counted(value: u64) -> u32 {
    micros(value.saturating_add(1))
}

/// Performance in NetFlow v9 elements, and connections, whose number averages need.
fn performance(id: u16) -> Option<Target> {
    match id {
        278 => Some(Target::Number(|row, value| row.told.connections = micros(value))),
        NTOP_V9.. => nprobe(id - NTOP_V9),
        CISCO_V9.. => cisco(id - CISCO_V9),
        _ => None,
    }
}

/// Flowmon tells microseconds; of one direction, where its probe exports two.
fn flowmon(id: u16) -> Option<Target> {
    use Target::Number;
    Some(match id {
        61 => Number(|row, value| row.told.jitter_us[3] = micros(value)),
        62 => Number(|row, value| row.told.jitter_us[1] = micros(value)),
        63 => Number(|row, value| row.told.jitter_us[0] = micros(value)),
        64 => Number(|row, value| row.told.jitter_us[2] = micros(value)),
        65 => Number(|row, value| row.told.delay_us[3] = micros(value)),
        66 => Number(|row, value| row.told.delay_us[1] = micros(value)),
        67 => Number(|row, value| row.told.delay_us[0] = micros(value)),
        68 => Number(|row, value| row.told.delay_us[2] = micros(value)),
        69 => Number(|row, value| row.told.rtt_us = micros(value)),
        70 => Number(|row, value| row.told.srt_us = micros(value)),
        71 => Number(|row, value| row.told.retransmitted[0] = counted(value)),
        72 => Number(|row, value| row.told.out_of_order[0] = counted(value)),
        _ => return None,
    })
}

/// nProbe tells milliseconds, of the network half of a round trip.
fn nprobe(id: u16) -> Option<Target> {
    use Target::Number;
    Some(match id {
        109 => Number(|row, value| row.told.retransmitted[0] = counted(value)),
        110 => Number(|row, value| row.told.retransmitted[1] = counted(value)),
        111 => Number(|row, value| row.told.out_of_order[0] = counted(value)),
        112 => Number(|row, value| row.told.out_of_order[1] = counted(value)),
        123 => Number(|row, value| row.told.client_us = of_millis(value.saturating_mul(2))),
        124 => Number(|row, value| row.told.server_us = of_millis(value.saturating_mul(2))),
        125 => Number(|row, value| row.told.srt_us = of_millis(value)),
        _ => return None,
    })
}

/// Cisco's application response time tells milliseconds, as sums over responses and over new connections.
fn cisco(id: u16) -> Option<Target> {
    use Target::Number;
    Some(match id {
        9_268 => Number(|row, value| row.told.retransmitted[0] = counted(value)),
        9_270 => Number(|row, value| row.told.retransmitted[1] = counted(value)),
        9_292 => Number(|row, value| row.told.responses = micros(value)),
        9_306 => Number(|row, value| row.told.srt_us = of_millis(value)),
        9_307 => Number(|row, value| row.told.srt_max_us = of_millis(value)),
        9_308 => Number(|row, value| row.told.srt_min_us = of_millis(value)),
        9_313 => Number(|row, value| row.told.rtt_us = of_millis(value)),
        9_316 => Number(|row, value| row.told.client_us = of_millis(value)),
        9_319 => Number(|row, value| row.told.server_us = of_millis(value)),
        _ => return None,
    })
}
