//! Same input, same events: byte-identical NDJSON over repeated runs, shard counts, and files cut in two.

use std::fs;
use std::path::{Path, PathBuf};

use weir_capture::CaptureFile;

use crate::run::{incident, run};

#[test]
fn shards_and_repetition_do_not_show() {
    let once = run(&[incident()], 1).0.ndjson();
    assert!(once.lines().count() >= 3);
    for shards in [1, 2, 4] {
        assert_eq!(run(&[incident()], shards).0.ndjson(), once, "{shards} shards");
    }
}

#[test]
fn a_capture_cut_in_two_is_the_same_capture() {
    let whole = run(&[incident()], 1).0.ndjson();
    let folder = std::env::temp_dir().join(format!("weir-split-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let parts = split(&incident(), 23_456, &folder);
    let cut = run(&parts, 2).0.ndjson();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(cut, whole);
}

/// Writes the first `count` packets and the rest as two nanosecond pcap files of the same link type.
fn split(capture: &Path, count: u64, folder: &Path) -> Vec<PathBuf> {
    let mut file = CaptureFile::open(capture).expect("a capture");
    let mut parts: [Vec<u8>; 2] = std::array::from_fn(|_| {
        let mut head = Vec::new();
        for word in [0xa1b2_3c4d_u32, 2 | 4 << 16, 0, 0, 262_144, 1] {
            head.extend(word.to_le_bytes());
        }
        head
    });
    let mut packets = 0;
    while let Some(packet) = file.next() {
        let part = &mut parts[usize::from(packets >= count)];
        let (seconds, nanos) = (
            packet.time.0.div_euclid(1_000_000_000),
            packet.time.0.rem_euclid(1_000_000_000),
        );
        for word in [
            seconds as u32,
            nanos as u32,
            packet.data.len() as u32,
            packet.frame_bytes,
        ] {
            part.extend(word.to_le_bytes());
        }
        part.extend_from_slice(packet.data);
        packets += 1;
    }
    assert!(packets > count, "the cut lies behind the end");
    let names = ["first.pcap", "second.pcap"].map(|name| folder.join(name));
    for (name, part) in names.iter().zip(parts) {
        fs::write(name, part).expect("a folder to write to");
    }
    names.to_vec()
}
