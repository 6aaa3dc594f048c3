//! Naive replay of a capture file: TCP in order by sequence number, UDP as it comes, one session per flow.
//! Good enough as a bench for dissectors; the meter does this for real.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use pcap_parser::{Linktype, PcapBlockOwned, create_reader};
use weir_dissect::{Input, Session, Side, Sink};
use weir_model::{Anomaly, AnomalyCounts, FlowId, FlowKey, Time, Transaction, Transport, ethertype, proto};

/// Bytes ahead of a hole before the hole is taken as lost.
const AHEAD_MAX: usize = 1 << 20;

/// Folder of the captures.
fn folder() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");
    std::env::var_os("WEIR_CAPTURES").map_or_else(|| PathBuf::from(beside), PathBuf::from)
}

/// Every capture file below the folder, sorted.
pub(crate) fn all() -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_capture = path
                .extension()
                .is_some_and(|kind| kind == "pcap" || kind == "pcapng");
            match path.is_dir() {
                true => folders.push(path),
                false if is_capture => files.push(path),
                false => {}
            }
        }
    }
    files.sort();
    files
}

/// The capture's path, or `None` (said on standard error) when captures are not there.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    existing(name).filter(|path| path.is_file())
}

/// A folder of captures, or `None` (said on standard error) when captures are not there.
pub(crate) fn find_folder(name: &str) -> Option<PathBuf> {
    existing(name).filter(|path| path.is_dir())
}

fn existing(name: &str) -> Option<PathBuf> {
    let path = folder().join(name);
    if !path.exists() {
        eprintln!("skipped: no capture {name}");
        return None;
    }
    Some(path)
}

/// Everything the sessions of a capture emitted, in order of emission.
pub(crate) fn transactions(path: &PathBuf) -> Vec<Transaction> {
    let mut replay = Replay::default();
    for (time, link, frame) in frames(path) {
        replay.frame(time, link, &frame);
    }
    replay.end()
}

/// Frames of a pcap or pcapng file with time in nanoseconds and link type.
fn frames(path: &PathBuf) -> Vec<(i64, Linktype, Vec<u8>)> {
    let file = std::fs::read(path).unwrap();
    // The whole file is one buffer: no refilling.
    let reader = create_reader(file.len() + 1, std::io::Cursor::new(file));
    let Ok(mut reader) = reader else { return Vec::new() };
    let mut links = vec![Linktype::ETHERNET];
    let mut frames = Vec::new();
    loop {
        match reader.next() {
            Ok((used, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => links[0] = header.network,
                    PcapBlockOwned::Legacy(packet) => {
                        let nanos =
                            i64::from(packet.ts_sec) * 1_000_000_000 + i64::from(packet.ts_usec) * 1000;
                        frames.push((nanos, links[0], packet.data.to_vec()));
                    }
                    PcapBlockOwned::NG(pcap_parser::Block::SectionHeader(_)) => links.clear(),
                    PcapBlockOwned::NG(pcap_parser::Block::InterfaceDescription(interface)) => {
                        links.push(interface.linktype);
                    }
                    PcapBlockOwned::NG(pcap_parser::Block::EnhancedPacket(packet)) => {
                        let micros = i64::from(packet.ts_high) << 32 | i64::from(packet.ts_low);
                        let link = links.get(packet.if_id as usize).copied();
                        let len = (packet.caplen as usize).min(packet.data.len());
                        frames.push((
                            micros.saturating_mul(1000),
                            link.unwrap_or(Linktype::ETHERNET),
                            packet.data[..len].to_vec(),
                        ));
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(used);
            }
            Err(_) => return frames,
        }
    }
}

#[derive(Default)]
struct Replay {
    flows: HashMap<(u8, IpAddr, u16, IpAddr, u16), usize>,
    sessions: Vec<Flow>,
    transactions: Vec<Transaction>,
    time: Time,
}

struct Flow {
    key: FlowKey,
    session: Session,
    sides: [Stream; 2],
    anomalies: AnomalyCounts,
}

#[derive(Default)]
struct Stream {
    next: Option<u32>,
    ahead: BTreeMap<u32, Vec<u8>>,
}

impl Replay {
    fn frame(&mut self, nanos: i64, link: Linktype, frame: &[u8]) {
        self.time = Time(nanos);
        let _ = self.packet(link, frame);
    }

    fn packet(&mut self, link: Linktype, frame: &[u8]) -> Option<()> {
        let mut at = match link {
            Linktype::ETHERNET => 12,
            Linktype::LINUX_SLL => 14,
            Linktype::NULL => return self.ip(frame.get(4..)?),
            Linktype::RAW | Linktype::IPV4 => return self.ip(frame),
            _ => return None,
        };
        while matches!(frame.get(at..at + 2)?, [0x81, 0] | [0x88, 0xa8]) {
            at += 4;
        }
        matches!(frame.get(at..at + 2)?, [8, 0] | [0x86, 0xdd]).then_some(())?;
        self.ip(&frame[at + 2..])
    }

    fn ip(&mut self, packet: &[u8]) -> Option<()> {
        let be16 = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        let (proto, source, destination, payload) = match packet.first()? >> 4 {
            4 => {
                let header = usize::from(packet[0] & 15) * 4;
                let total = usize::from(be16(2)?).max(header).min(packet.len());
                let total = if be16(2)? == 0 { packet.len() } else { total };
                let ip = |at: usize| Some(IpAddr::V4(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?)));
                (*packet.get(9)?, ip(12)?, ip(16)?, packet.get(header..total)?)
            }
            6 => {
                let total = (usize::from(be16(4)?) + 40).min(packet.len());
                let ip = |at: usize| {
                    Some(IpAddr::V6(Ipv6Addr::from(
                        *packet.get(at..)?.first_chunk::<16>()?,
                    )))
                };
                (*packet.get(6)?, ip(8)?, ip(24)?, packet.get(40..total)?)
            }
            _ => return None,
        };
        let port = |at: usize| Some(u16::from_be_bytes([*payload.get(at)?, *payload.get(at + 1)?]));
        let (from, to) = ((source, port(0)?), (destination, port(2)?));
        match proto {
            proto::TCP => {
                let seq = u32::from_be_bytes(*payload.get(4..)?.first_chunk()?);
                let data = payload.get(usize::from(*payload.get(12)? >> 4) * 4..)?;
                let flags = *payload.get(13)?;
                self.tcp(from, to, seq, flags, data);
            }
            proto::UDP => {
                let (index, side) = self.flow(proto, from, to, false);
                self.give(index, side, payload.get(8..)?);
            }
            _ => {}
        }
        Some(())
    }

    /// The flow of a packet and the side that sent it; a SYN starts anew.
    fn flow(&mut self, proto: u8, from: (IpAddr, u16), to: (IpAddr, u16), syn: bool) -> (usize, Side) {
        let forward = (proto, from.0, from.1, to.0, to.1);
        let reverse = (proto, to.0, to.1, from.0, from.1);
        if let Some(&index) = self.flows.get(&reverse) {
            return (index, Side::Responder);
        }
        if let Some(&index) = self.flows.get(&forward).filter(|_| !syn) {
            return (index, Side::Initiator);
        }
        let key = FlowKey {
            initiator_ip: from.0,
            responder_ip: to.0,
            initiator_port: from.1,
            responder_port: to.1,
            proto,
            ethertype: if from.0.is_ipv4() {
                ethertype::IPV4
            } else {
                ethertype::IPV6
            },
            vlan: None,
        };
        let transport = if proto == proto::TCP {
            Transport::Tcp
        } else {
            Transport::Udp
        };
        self.flows.insert(forward, self.sessions.len());
        self.sessions.push(Flow {
            key,
            session: Session::new(transport),
            sides: Default::default(),
            anomalies: AnomalyCounts::default(),
        });
        (self.sessions.len() - 1, Side::Initiator)
    }

    fn tcp(&mut self, from: (IpAddr, u16), to: (IpAddr, u16), seq: u32, flags: u8, data: &[u8]) {
        let (index, side) = self.flow(proto::TCP, from, to, flags & 0x12 == 2);
        let stream = &mut self.sessions[index].sides[side as usize];
        if flags & 2 != 0 {
            stream.next = Some(seq.wrapping_add(1));
            return;
        }
        if data.is_empty() {
            return;
        }
        stream.next.get_or_insert(seq);
        stream.ahead.insert(seq, data.to_vec());
        self.drain(index, side);
    }

    /// Gives the session what is in order; a hole too large becomes a gap.
    fn drain(&mut self, index: usize, side: Side) {
        loop {
            let stream = &mut self.sessions[index].sides[side as usize];
            let Some(next) = stream.next else { return };
            let distance = |seq: u32| seq.wrapping_sub(next) as i32;
            let Some(&seq) = stream.ahead.keys().min_by_key(|&&seq| distance(seq)) else {
                return;
            };
            let hole = distance(seq);
            let held: usize = stream.ahead.values().map(Vec::len).sum();
            if hole > 0 && held < AHEAD_MAX {
                return;
            }
            if hole > 0 {
                stream.next = Some(seq);
                let (from, time) = (side, self.time);
                self.feed(
                    index,
                    Input::Gap {
                        from,
                        time,
                        len: hole as u64,
                    },
                );
                continue;
            }
            let data = stream.ahead.remove(&seq).unwrap_or_default();
            let old = hole.unsigned_abs() as usize;
            if let Some(fresh) = data.get(old..).filter(|fresh| !fresh.is_empty()) {
                stream.next = Some(next.wrapping_add(fresh.len() as u32));
                self.give(index, side, fresh);
            }
        }
    }

    fn give(&mut self, index: usize, from: Side, data: &[u8]) {
        let time = self.time;
        self.feed(index, Input::Bytes { from, time, data });
    }

    fn feed(&mut self, index: usize, input: Input<'_>) {
        let flow = &mut self.sessions[index];
        let mut sink = Sink {
            flow: FlowId(index as u64),
            key: &flow.key,
            transactions: &mut self.transactions,
            anomalies: &mut flow.anomalies,
        };
        flow.session.feed(input, &mut sink);
    }

    fn end(mut self) -> Vec<Transaction> {
        let time = self.time;
        for index in 0..self.sessions.len() {
            self.feed(index, Input::End { time });
            assert_eq!(self.sessions[index].anomalies.of(Anomaly::PluginPanic), 0);
        }
        self.transactions
    }
}
