//! Captures that are cut or damaged: what is read, what is skipped, and what is said about it.

use super::*;

/// Ten packets a second apart.
fn ten() -> PcapFile {
    (0..10).fold(PcapFile::new(0xa1b2_c3d4), |file, number| {
        file.packet(100 + number, 0, 60, &[number as u8; 40])
    })
}

/// Place of a record of `ten`.
const fn place(record: usize) -> usize {
    24 + record * 56
}

/// Packets read, with trouble and counters.
fn outcome(bytes: &[u8]) -> String {
    let text = text_of(bytes);
    let (packets, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.contains(" #0 "));
    format!("{} packets; {}", packets.len(), rest.join("; "))
}

#[test]
fn pcap_cut() {
    let bytes = ten().bytes();
    let mut text = String::new();
    for kept in [
        place(10) - 1,
        place(9) + 17,
        place(9) + 16,
        place(9) + 3,
        place(9),
        place(1) - 1,
        25,
        24,
    ] {
        writeln!(text, "{kept}: {}", outcome(&bytes[..kept])).unwrap();
    }
    expect![[r#"
        583: 9 packets; cut after packet 9 at byte 528: the last record is incomplete; capture_cut: 1
        545: 9 packets; cut after packet 9 at byte 528: the last record is incomplete; capture_cut: 1
        544: 9 packets; cut after packet 9 at byte 528: the last record is incomplete; capture_cut: 1
        531: 9 packets; cut after packet 9 at byte 528: the header of the last record is incomplete; capture_cut: 1
        528: 9 packets; 
        79: 0 packets; cut after packet 0 at byte 24: the last record is incomplete; capture_cut: 1
        25: 0 packets; cut after packet 0 at byte 24: the header of the last record is incomplete; capture_cut: 1
        24: 0 packets; 
    "#]].assert_eq(&text);
}

#[test]
fn pcap_damaged_headers() {
    let damaged = |record: usize, field: usize, value: u32| {
        let mut bytes = ten().bytes();
        bytes[place(record) + field * 4..][..4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let mut text = String::new();
    for (name, bytes) in [
        ("huge length", damaged(4, 2, 0x7fff_ffff)),
        ("huge length of the first", damaged(0, 2, 0x7fff_ffff)),
        ("huge length of the last", damaged(9, 2, 0x7fff_ffff)),
        ("length within bounds, but wrong", damaged(4, 2, 50_000)),
        ("length above that on the wire", damaged(4, 3, 30)),
        ("microseconds above a million", damaged(4, 1, 2_500_000)),
        ("time far off", damaged(4, 0, 0x7000_0000)),
        ("64 bytes of another file", {
            let bytes = ten().bytes();
            [&bytes[..place(4)], &[0xee; 64], &bytes[place(4)..]].concat()
        }),
        (
            "nothing but damage",
            [&ten().bytes()[..24], &[0xee; 4_000]].concat(),
        ),
    ] {
        writeln!(text, "{name}: {}", outcome(&bytes)).unwrap();
    }
    expect![[r#"
        huge length: 9 packets; corrupt after packet 4 at byte 248: a record header makes no sense, 56 bytes were skipped; capture_corrupt: 1
        huge length of the first: 9 packets; corrupt after packet 0 at byte 24: a record header makes no sense, 56 bytes were skipped; capture_corrupt: 1
        huge length of the last: 9 packets; corrupt after packet 9 at byte 528: a record header makes no sense and none that does follows within 1 MiB; capture_corrupt: 1
        length within bounds, but wrong: 9 packets; corrupt after packet 4 at byte 248: a record header makes no sense, 56 bytes were skipped; capture_corrupt: 1
        length above that on the wire: 10 packets; capture_corrupt: 1
        microseconds above a million: 10 packets; capture_corrupt: 1
        time far off: 10 packets; 
        64 bytes of another file: 10 packets; corrupt after packet 4 at byte 248: a record header makes no sense, 64 bytes were skipped; capture_corrupt: 1
        nothing but damage: 0 packets; corrupt after packet 0 at byte 24: a record header makes no sense and none that does follows within 1 MiB; capture_corrupt: 1
    "#]].assert_eq(&text);
}

/// Ten packets of 40 bytes behind section and interface; blocks of 72 bytes.
fn ten_blocks() -> PcapngFile {
    let mut file = PcapngFile::new(false);
    file.interface(1, 0, &[]);
    for number in 0..10 {
        file.enhanced(0, u64::from(number) * 1_000_000, 60, &[number; 40]);
    }
    file
}

const fn block_place(block: usize) -> usize {
    28 + 20 + block * 72
}

#[test]
fn pcapng_damaged_blocks() {
    let damaged = |at: usize, value: u32| {
        let mut bytes = ten_blocks().bytes();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let whole = ten_blocks().bytes();
    let mut text = String::new();
    for (name, bytes) in [
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("cut in a header", whole[..block_place(9) + 5].to_vec()),
        ("huge length", damaged(block_place(4) + 4, 0x7fff_fff0)),
        ("length not a multiple of 4", damaged(block_place(4) + 4, 71)),
        ("length 0", damaged(block_place(4) + 4, 0)),
        ("lengths differ", damaged(block_place(4) + 68, 76)),
        ("lengths differ at the end", damaged(block_place(9) + 68, 76)),
        ("no such interface", damaged(block_place(4) + 8, 7)),
        ("packet above block", damaged(block_place(4) + 20, 41)),
        ("no interface at all", [&whole[..28], &whole[48..]].concat()),
        (
            "odd bytes between",
            [&whole[..block_place(4)], &[0xee; 33], &whole[block_place(4)..]].concat(),
        ),
        ("section of another version", damaged(12, 2)),
    ] {
        writeln!(text, "{name}: {}", outcome(&bytes)).unwrap();
    }
    expect![[r#"
        cut: 9 packets; cut after packet 9 at byte 696: the last block is incomplete; capture_cut: 1
        cut in a header: 9 packets; cut after packet 9 at byte 696: the header of the last block is incomplete; capture_cut: 1
        huge length: 9 packets; corrupt after packet 4 at byte 336: a block makes no sense, 72 bytes were skipped; capture_corrupt: 1
        length not a multiple of 4: 9 packets; corrupt after packet 4 at byte 336: a block makes no sense, 72 bytes were skipped; capture_corrupt: 1
        length 0: 9 packets; corrupt after packet 4 at byte 336: a block makes no sense, 72 bytes were skipped; capture_corrupt: 1
        lengths differ: 9 packets; corrupt after packet 4 at byte 336: a block makes no sense, 72 bytes were skipped; capture_corrupt: 1
        lengths differ at the end: 9 packets; corrupt after packet 9 at byte 696: a block makes no sense and none that does follows within 1 MiB; capture_corrupt: 1
        no such interface: 9 packets; corrupt after packet 4 at byte 336: a block makes no sense, 72 bytes were skipped; capture_corrupt: 1
        packet above block: 9 packets; corrupt after packet 4 at byte 336: a block makes no sense, 72 bytes were skipped; capture_corrupt: 1
        no interface at all: 0 packets; corrupt after packet 0 at byte 28: a block makes no sense, 72 bytes were skipped; capture_corrupt: 10
        odd bytes between: 10 packets; corrupt after packet 4 at byte 336: a block makes no sense, 33 bytes were skipped; capture_corrupt: 1
        section of another version: 10 packets; corrupt after packet 0 at byte 0: a block makes no sense, 28 bytes were skipped; capture_corrupt: 1
    "#]].assert_eq(&text);
}

#[test]
fn pcapng_long_blocks_are_passed_over() {
    let mut file = PcapngFile::new(true);
    file.interface(1, 0, &[]);
    file.block(10, &vec![7; 3 << 20]);
    file.enhanced(0, 1, 1, &[1]);
    let bytes = file.bytes();
    check(
        &bytes,
        expect![[r#"
        0.000001000 #0 Ethernet (link type 1) 1/1 Some(1)
    "#]],
    );
    check(
        &bytes[..2 << 20],
        expect![[r#"
        cut after packet 0 at byte 1,048,624: the last block is incomplete
        capture_cut: 1
    "#]],
    );
}
