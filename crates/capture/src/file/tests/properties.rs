//! Properties: what is written is read, and no bytes make reading panic, hang or lend more than there is.

use proptest::prelude::*;

use super::*;

type Packets = Vec<(u32, u32, u32, Vec<u8>)>;

fn packets() -> impl Strategy<Value = Packets> {
    let packet = (
        any::<u32>(),
        0u32..1_000_000,
        0u32..2_000,
        prop::collection::vec(any::<u8>(), 0..200),
    );
    prop::collection::vec(packet, 0..30)
}

fn pcap(packets: &Packets, big_endian: bool) -> Vec<u8> {
    let file = packets
        .iter()
        .fold(PcapFile::new(0xa1b2_c3d4), |file, (secs, micros, more, data)| {
            file.packet(*secs, *micros, data.len() as u32 + more, data)
        });
    if big_endian {
        file.big_endian().bytes()
    } else {
        file.bytes()
    }
}

fn pcapng(packets: &Packets, big_endian: bool) -> Vec<u8> {
    let mut file = PcapngFile::new(big_endian);
    file.interface(1, 0, &[]);
    for (secs, micros, more, data) in packets {
        let ticks = u64::from(*secs) * 1_000_000 + u64::from(*micros);
        file.enhanced(0, ticks, data.len() as u32 + more, data);
    }
    file.bytes()
}

fn read_all(bytes: &[u8]) {
    if let Ok(mut capture) = open_bytes(bytes) {
        while let Some(packet) = capture.next() {
            assert!(packet.data.len() <= packet.frame_bytes as usize);
        }
        assert!(capture.packets() <= bytes.len() as u64);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(packets in packets(), big_endian in any::<bool>()) {
        let expected: Vec<_> = packets
            .iter()
            .map(|(secs, micros, more, data)| {
                let nanos = i64::from(*secs) * 1_000_000_000 + i64::from(*micros) * 1_000;
                (nanos, data.len() as u32 + more, data.clone())
            })
            .collect();
        prop_assert_eq!(&packets_of(&pcap(&packets, big_endian)), &expected);
        prop_assert_eq!(&packets_of(&pcapng(&packets, big_endian)), &expected);
    }

    #[test]
    fn damage_never_panics(
        packets in packets(),
        big_endian in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        kept in any::<prop::sample::Index>(),
    ) {
        for mut bytes in [pcap(&packets, big_endian), pcapng(&packets, big_endian)] {
            for (at, value) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            read_all(&bytes);
            read_all(&bytes[..kept.index(bytes.len())]);
        }
    }

    #[test]
    fn any_bytes_behind_a_header(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        read_all(&bytes);
        for header in [pcap(&Vec::new(), false), pcapng(&Vec::new(), true)] {
            read_all(&[header, bytes.clone()].concat());
        }
    }
}
