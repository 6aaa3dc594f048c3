//! Both formats in both byte orders, damage of every kind, compression, and errors as people read them.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use expect_test::{Expect, expect};

use super::*;

mod build;
mod damage;
mod properties;

use build::{PcapFile, PcapngFile};

fn open_bytes(bytes: &[u8]) -> Result<CaptureFile, CaptureError> {
    CaptureFile::from_reader(Box::new(Cursor::new(bytes.to_vec())), "test")
}

/// One line per packet, then what went wrong.
fn text_of(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut capture = match open_bytes(bytes) {
        Ok(capture) => capture,
        Err(error) => return format!("{error}\n"),
    };
    while let Some(packet) = capture.next() {
        let RawPacket {
            time,
            link,
            frame_bytes,
            data,
            interface,
        } = packet;
        writeln!(
            text,
            "{time} #{interface} {link} {}/{frame_bytes} {:?}",
            data.len(),
            data.first()
        )
        .unwrap();
    }
    assert!(capture.next().is_none(), "the end stays the end");
    if let Some(trouble) = capture.trouble() {
        writeln!(text, "{trouble}").unwrap();
    }
    for (anomaly, times) in capture.anomalies().seen() {
        writeln!(text, "{anomaly}: {times}").unwrap();
    }
    text
}

fn check(bytes: &[u8], expected: Expect) {
    expected.assert_eq(&text_of(bytes));
}

/// Packets as (time in ns, length on the wire, bytes).
fn packets_of(bytes: &[u8]) -> Vec<(i64, u32, Vec<u8>)> {
    let mut capture = open_bytes(bytes).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = capture.next() {
        packets.push((packet.time.0, packet.frame_bytes, packet.data.to_vec()));
    }
    assert_eq!(capture.trouble(), None);
    assert_eq!(capture.packets(), packets.len() as u64);
    packets
}

#[test]
fn pcap_variants() {
    let mut text = String::new();
    for (name, file) in [
        ("microseconds", PcapFile::new(0xa1b2_c3d4)),
        ("nanoseconds", PcapFile::new(0xa1b2_3c4d)),
        ("24-byte records", PcapFile::new(0xa1b2_cd34)),
    ] {
        let little = file.packet(100, 5, 60, &[1, 2, 3]).packet(101, 6, 3, &[4, 5, 6]);
        let big = little.clone().big_endian();
        assert_eq!(text_of(&little.bytes()), text_of(&big.bytes()));
        writeln!(text, "{name}\n{}", text_of(&big.bytes())).unwrap();
    }
    expect![[r#"
        microseconds
        100.000005000 #0 Ethernet (link type 1) 3/60 Some(1)
        101.000006000 #0 Ethernet (link type 1) 3/3 Some(4)

        nanoseconds
        100.000000005 #0 Ethernet (link type 1) 3/60 Some(1)
        101.000000006 #0 Ethernet (link type 1) 3/3 Some(4)

        24-byte records
        100.000005000 #0 Ethernet (link type 1) 3/60 Some(1)
        101.000006000 #0 Ethernet (link type 1) 3/3 Some(4)

    "#]]
    .assert_eq(&text);
}

#[test]
fn pcap_of_an_unknown_link_type() {
    let file = PcapFile::new(0xa1b2_c3d4)
        .link(147)
        .packet(100, 5, 60, &[1, 2, 3]);
    check(
        &file.bytes(),
        expect![[r#"
        100.000005000 #0 unknown (link type 147) 3/60 Some(1)
        link_type_unknown: 1
    "#]],
    );
}

#[test]
fn pcapng_blocks() {
    let build = |big_endian: bool| {
        let mut file = PcapngFile::new(big_endian);
        file.interface(1, 0, &[]);
        file.interface(101, 4, &[(9, &[9])]);
        file.enhanced(0, 1_000_001, 60, &[1, 2, 3]);
        file.enhanced(1, 7, 3, &[4, 5, 6]);
        file.block(0x1234, &[0; 16]);
        file.block(5, &[0; 12]);
        file.simple(9, &[7; 9]);
        file.obsolete(1, 8, 2, &[8, 8]);
        file.section();
        file.interface(1, 4, &[(9, &[0x80 | 1])]);
        file.simple(9, &[9; 4]);
        file.enhanced(0, 3, 1, &[10]);
        file.bytes()
    };
    assert_eq!(text_of(&build(false)), text_of(&build(true)));
    check(
        &build(true),
        expect![[r#"
        1.000001000 #0 Ethernet (link type 1) 3/60 Some(1)
        0.000000007 #1 raw IP (link type 101) 3/3 Some(4)
        0.000000007 #0 Ethernet (link type 1) 9/9 Some(7)
        0.000000008 #1 raw IP (link type 101) 2/2 Some(8)
        0.000000008 #2 Ethernet (link type 1) 4/9 Some(9)
        1.500000000 #2 Ethernet (link type 1) 1/1 Some(10)
    "#]],
    );
}

#[test]
fn sections_of_both_byte_orders() {
    let mut little = PcapngFile::new(false);
    little.interface(1, 0, &[]).enhanced(0, 1, 1, &[1]);
    let mut big = PcapngFile::new(true);
    big.interface(1, 0, &[]).enhanced(0, 2, 1, &[2]);
    check(
        &[little.bytes(), big.bytes(), little.bytes()].concat(),
        expect![[r#"
            0.000001000 #0 Ethernet (link type 1) 1/1 Some(1)
            0.000002000 #1 Ethernet (link type 1) 1/1 Some(2)
            0.000001000 #2 Ethernet (link type 1) 1/1 Some(1)
        "#]],
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_captures() {
    let mut file = PcapFile::new(0xa1b2_c3d4);
    for number in 0..1_000 {
        file = file.packet(100 + number, number, 60, &number.to_be_bytes());
    }
    let plain = file.bytes();
    let expected = packets_of(&plain);
    let (front, back) = plain.split_at(1_000);
    assert_eq!(
        packets_of(&[gzip(front), gzip(back)].concat()),
        expected,
        "gzip of two members"
    );
    let frames = [
        zstd::encode_all(front, 1).unwrap(),
        zstd::encode_all(back, 1).unwrap(),
    ]
    .concat();
    assert_eq!(packets_of(&frames), expected, "zstd of two frames");
    for packed in [gzip(&plain), frames] {
        let mut capture = open_bytes(&packed[..packed.len() / 2]).unwrap();
        while capture.next().is_some() {}
        assert!(capture.packets() > 0);
        assert_eq!(capture.anomalies().of(Anomaly::CaptureCut), 1);
        assert!(
            capture.trouble().unwrap().starts_with("stopped after packet "),
            "{:?}",
            capture.trouble()
        );
        assert_eq!(capture.bytes_read(), packed.len() as u64 / 2);
    }
}

#[test]
fn errors_say_what_to_do() {
    let mut text = String::new();
    for bytes in [
        &b""[..],
        &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0],
        &[0x0c, 0xa5, 1, 0, 0, 0],
        b"#separator \\x09\n#path\tconn\n",
        b"{\"event_type\": \"flow\"}\n",
        &[0xde, 0xad, 0xbe, 0xef, 0, 0],
        &gzip(b"hello"),
        &gzip(&gzip(b"hello")),
        &[0x1f, 0x8b, 0xff],
        &[0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff, 0xff],
    ] {
        text.push_str(&text_of(bytes));
    }
    for path in ["no/such/file.pcap", "src"] {
        let error = CaptureFile::open(Path::new(path)).err().unwrap();
        writeln!(text, "{error}").unwrap();
    }
    expect![[r#"
        test is empty; the program that wrote it may not have flushed its first packets yet
        test ends inside its file header; copy or record it again
        test is not a capture: it is an nfdump file, which holds flow records; Weir reads pcap and pcapng, plain, gzip or zstd
        test is not a capture: it is a Zeek log; Weir reads pcap and pcapng, plain, gzip or zstd
        test is not a capture: it is JSON text; Weir reads pcap and pcapng, plain, gzip or zstd
        test is not a capture: it starts with de ad be ef 00 00; Weir reads pcap and pcapng, plain, gzip or zstd
        test is not a capture: it is text; Weir reads pcap and pcapng, plain, gzip or zstd
        test is not a capture: it is compressed twice; unpack it once; Weir reads pcap and pcapng, plain, gzip or zstd
        test is not a capture: its gzip data cannot be unpacked (unexpected end of file); Weir reads pcap and pcapng, plain, gzip or zstd
        test is not a capture: its zstd data cannot be unpacked (incomplete frame); Weir reads pcap and pcapng, plain, gzip or zstd
        no/such/file.pcap: there is no such file; check the path
        src is a directory; name one capture file in it
    "#]].assert_eq(&text);
}
