//! The project's captures, broken in every way a wire, a tap or a disk breaks them, the same way each time: nothing
//! panics, no method is switched off, and every packet read is in exactly one flow record.

use std::fs;
use std::path::{Path, PathBuf};

use weir_capture::CaptureFile;
use weir_model::Anomaly;

use crate::run::{Kept, case, root, run};

/// Packets taken of each capture; the mutations matter, not the length.
const PACKETS_MAX: usize = 600;

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

#[derive(Clone)]
struct Packet {
    nanos: i64,
    bytes: Vec<u8>,
    frame_bytes: u32,
}

/// A way of breaking a capture.
type Break = fn(&mut Vec<Packet>, &mut Dice);

const BREAKS: &[(&str, Break)] = &[
    ("few bits flipped", |packets, dice| flip(packets, dice, 200)),
    ("many bits flipped", |packets, dice| flip(packets, dice, 12)),
    ("packets cut short", |packets, dice| {
        for packet in packets {
            let len = dice.roll(packet.bytes.len() + 1);
            packet.bytes.truncate(len);
        }
    }),
    ("packets twice", |packets, dice| {
        for at in (0..packets.len()).rev() {
            if dice.roll(3) == 0 {
                let twin = packets[at].clone();
                packets.insert(at + dice.roll((packets.len() - at).min(40)), twin);
            }
        }
    }),
    ("packets in disorder", |packets, dice| {
        for at in 0..packets.len() {
            let other = (at + dice.roll(30)).min(packets.len() - 1);
            packets.swap(at, other);
        }
    }),
    ("half of the packets lost", |packets, dice| {
        packets.retain(|_| dice.roll(2) == 0);
    }),
    ("payloads of others", |packets, dice| {
        for at in 0..packets.len() {
            let other = packets[dice.roll(packets.len())].bytes.clone();
            let head = 54.min(packets[at].bytes.len());
            packets[at].bytes.truncate(head);
            packets[at].bytes.extend(other.get(54..).unwrap_or_default());
            packets[at].frame_bytes = packets[at].bytes.len() as u32;
        }
    }),
    ("stamps from 1970 to 2106", |packets, dice| {
        for packet in packets {
            packet.nanos = match dice.roll(6) {
                0 => 0,
                1 => i64::from(u32::MAX) * 1_000_000_000,
                2 => packet.nanos - dice.roll(10_000_000_000_000) as i64,
                _ => packet.nanos,
            };
        }
    }),
    ("everything at one moment, backwards", |packets, _| {
        packets.reverse();
        packets.iter_mut().for_each(|packet| packet.nanos = 1);
    }),
];

fn flip(packets: &mut [Packet], dice: &mut Dice, one_in: usize) {
    for packet in packets {
        for _ in 0..packet.bytes.len() / one_in + usize::from(dice.roll(2) == 0) {
            if let Some(byte) = {
                let at = dice.roll(packet.bytes.len());
                packet.bytes.get_mut(at)
            } {
                *byte ^= 1 << dice.roll(8);
            }
        }
    }
}

#[test]
fn broken_packets_are_counted_once_and_break_nothing() {
    let folder = folder("packets");
    for (name, packets) in captures() {
        for (number, (how, broken)) in BREAKS.iter().enumerate() {
            let mut dice = Dice(0x9e37_79b9 + number as u64);
            let mut packets = packets.clone();
            broken(&mut packets, &mut dice);
            let file = folder.join("broken.pcap");
            fs::write(&file, pcap(&packets)).unwrap();
            let (kept, summary) = run(&[file], 1 + number % 3);
            let case = format!("{name}: {how}");
            assert_eq!(summary.anomalies.of(Anomaly::PluginPanic), 0, "{case}");
            assert!(!summary.failed, "{case}");
            assert_eq!(packets_of(&kept), packets.len() as u64, "{case}");
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn broken_files_are_read_as_far_as_they_go() {
    let folder = folder("files");
    let mut dice = Dice(0x2545_f491);
    for (name, packets) in captures() {
        let good = pcap(&packets[..packets.len().min(300)]);
        for round in 0..12 {
            let mut bytes = good.clone();
            for _ in 0..round {
                let at = dice.roll(bytes.len());
                bytes[at] = dice.roll(256) as u8;
            }
            if round % 3 == 2 {
                bytes.truncate(dice.roll(good.len()));
            }
            if round % 4 == 3 {
                bytes.extend_from_within(dice.roll(bytes.len())..);
            }
            let file = folder.join("broken.pcap");
            fs::write(&file, &bytes).unwrap();
            let read = count(&file);
            let (kept, summary) = run(&[file], 1);
            let case = format!("{name}: round {round}");
            assert_eq!(summary.anomalies.of(Anomaly::PluginPanic), 0, "{case}");
            assert_eq!(packets_of(&kept), read, "{case}");
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

/// A folder of this test's own.
fn folder(test: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("weir-hostile-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for broken captures");
    folder
}

/// The project's captures by name, the first packets of each.
fn captures() -> Vec<(String, Vec<Packet>)> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root().join("captures"))
        .expect("the project's captures")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let captures = folders.iter().filter_map(|folder| {
        let name = folder.file_name()?.to_string_lossy().into_owned();
        Some((name, packets(&case(folder)?)))
    });
    let captures: Vec<_> = captures.filter(|(_, packets)| !packets.is_empty()).collect();
    assert!(captures.len() >= 3, "the project has captures");
    captures
}

fn packets(file: &Path) -> Vec<Packet> {
    let mut file = CaptureFile::open(file).expect("the project's captures open");
    let mut packets = Vec::new();
    while packets.len() < PACKETS_MAX
        && let Some(packet) = file.next()
    {
        packets.push(Packet {
            nanos: packet.time.0,
            bytes: packet.data.to_vec(),
            frame_bytes: packet.frame_bytes,
        });
    }
    packets
}

/// Packets the reader gets out of a file, however broken; none when it does not open.
fn count(file: &Path) -> u64 {
    let Ok(mut file) = CaptureFile::open(file) else {
        return 0;
    };
    let mut packets = 0;
    while file.next().is_some() {
        packets += 1;
    }
    packets
}

/// A nanosecond capture file of Ethernet.
fn pcap(packets: &[Packet]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d_u32, 2 | 4 << 16, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for packet in packets {
        let (seconds, nanos) = (
            packet.nanos.div_euclid(1_000_000_000) as u32,
            packet.nanos.rem_euclid(1_000_000_000) as u32,
        );
        let len = packet.bytes.len() as u32;
        for word in [seconds, nanos, len, packet.frame_bytes.max(len)] {
            file.extend(word.to_le_bytes());
        }
        file.extend_from_slice(&packet.bytes);
    }
    file
}

/// Packets in the flow records: what each record adds to those before it.
fn packets_of(kept: &Kept) -> u64 {
    let counted = kept.flows.iter();
    counted
        .map(|flow| flow.forward.packets + flow.reverse_or_zero().packets)
        .sum()
}
