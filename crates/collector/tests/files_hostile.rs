//! Whatever bytes a file has: readers end, never panic, never make more of it than there is, and count what they drop.

#![expect(clippy::unwrap_used, reason = "tests may")]

use std::io::Cursor;

use proptest::prelude::*;
use weir_collector::files::{FileKind, FlowFile, HEAD_BYTES};

const KINDS: [FileKind; 9] = [
    FileKind::Nfcapd,
    FileKind::FlowTools,
    FileKind::ZeekTsv,
    FileKind::ZeekJson,
    FileKind::Eve,
    FileKind::Argus,
    FileKind::AwsVpc,
    FileKind::Azure,
    FileKind::GcpVpc,
];

/// A sound file of each kind, as a start for damage; nfdump's in both layouts and with every packing.
fn seeds() -> Vec<(FileKind, Vec<u8>)> {
    let texts: [(FileKind, &str); 7] = [
        (
            FileKind::ZeekTsv,
            "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\tconn_state\thistory\torig_pkts\tresp_pkts\n\
             1300475167.096535\t10.0.0.5\t40000\t10.0.0.9\t22\ttcp\t2.5\t1000\tSF\tShADadFf\t12\t14\n",
        ),
        (
            FileKind::ZeekJson,
            r#"{"ts":1300475167.09,"id.orig_h":"10.0.0.5","id.orig_p":8,"id.resp_h":"10.0.0.9","id.resp_p":0,"proto":"icmp","orig_pkts":2}"#,
        ),
        (
            FileKind::Eve,
            r#"{"timestamp":"x","event_type":"flow","src_ip":"10.0.0.5","src_port":4,"dest_ip":"10.0.0.9","dest_port":445,"proto":"TCP","flow":{"pkts_toserver":10,"bytes_toserver":1200,"start":"2026-11-22T04:14:08.123456+0000","end":"2026-11-22T05:14:09Z"},"tcp":{"tcp_flags_ts":"1b"}}"#,
        ),
        (
            FileKind::Argus,
            "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,TotPkts,TotBytes,SrcBytes\n\
             2011/08/10 09:46:53.047277,3550.1,tcp,10.0.0.5,0x20,  <->,10.0.0.9,6881,FSA_SA,12,875,413\n",
        ),
        (
            FileKind::AwsVpc,
            "2 123456789010 eni-1 10.0.0.9 10.0.0.5 22 40000 6 15 4000 1418530010 1418530070 ACCEPT OK\n",
        ),
        (
            FileKind::Azure,
            r#"{"records":[{"macAddress":"000D3AF8801A","properties":{"flows":[{"flows":[{"flowTuples":["1542110437,10.5.16.4,203.0.113.67,59831,443,T,O,A,E,1,66,1,60"]}]}]}}]}"#,
        ),
        (
            FileKind::GcpVpc,
            r#"[{"jsonPayload":{"bytes_sent":"4000","connection":{"dest_ip":"10.0.0.5","src_ip":"10.0.0.9","protocol":6},"end_time":"2019-03-05T19:34:37.212Z","packets_sent":15,"start_time":"2019-03-05T19:34:36.5Z"}}]"#,
        ),
    ];
    let mut seeds: Vec<_> = texts.map(|(kind, text)| (kind, text.as_bytes().to_vec())).into();
    let mut tools = vec![
        0xcf, 0x10, 2, 3, 0, 0, 0, 22, 0, 2, 0, 2, 0, 5, 0, 8, 0, 4, 0, 0, 0, 8,
    ];
    tools.extend([7; 128]);
    seeds.push((FileKind::FlowTools, tools));
    // Elements 1 (generic, 52 bytes) and 2 (IPv4) of layout 2; the older record with a map of one extension of layout 1.
    let mut v3 = vec![11, 0, 76, 0, 2, 0, 0, 0, 1, 0, 2, 9, 1, 0, 52, 0];
    v3.extend([1; 48]);
    v3.extend([2, 0, 12, 0, 5, 0, 0, 10, 9, 0, 0, 10]);
    let mut v1 = vec![2, 0, 12, 0, 3, 0, 4, 0, 14, 0, 0, 0, 10, 0, 52, 0, 0, 0, 3, 0];
    v1.extend([6; 44]);
    let lzo = [&[21, 11, 0, 76, 0][..], &[32 | 8, 3 << 2, 0, 17, 0, 0]].concat();
    for (packing, block) in [
        (0, v3.clone()),
        (1, lzo),
        (2, Vec::from(*b"BZh91AY&SY\x17\x72\x45\x38\x50\x90\0\0\0\0")),
        (3, lz4_flex::block::compress(&v3)),
        (4, zstd::encode_all(&v3[..], 1).unwrap()),
    ] {
        let mut file = vec![0x0c, 0xa5, 2, 0, 0, 1, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, packing, 0];
        file.resize(40, 0);
        file.extend([1, 0, 0, 0]);
        file.extend((block.len() as u32).to_le_bytes());
        file.extend([3, 0, 0, 0]);
        file.extend(block);
        seeds.push((FileKind::Nfcapd, file));
    }
    let mut file = vec![0x0c, 0xa5, 1, 0];
    file.resize(276, 0);
    file.extend([2, 0, 0, 0]);
    file.extend((v1.len() as u32).to_le_bytes());
    file.extend([2, 0, 0, 0]);
    file.extend(v1);
    seeds.push((FileKind::Nfcapd, file));
    seeds
}

/// Reads the file to its end; the number of its records.
fn read(kind: FileKind, bytes: &[u8]) -> usize {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let mut file = FlowFile::new(kind, head, Box::new(Cursor::new(bytes.to_vec())));
    let (mut flows, mut steps) = (Vec::new(), 0);
    while file.step(&mut flows) {
        steps += 1;
        assert!(steps <= bytes.len() + 1, "a reader that does not end");
    }
    assert_eq!(file.counts().records as usize, flows.len());
    flows.len()
}

#[test]
fn sound_files_have_records() {
    for (kind, bytes) in seeds() {
        assert_eq!(FileKind::of(&bytes), Ok(kind), "{}", kind.word());
        let packed_nothing = kind == FileKind::Nfcapd && matches!(bytes[16], 1 | 2);
        assert!(
            packed_nothing || read(kind, &bytes) > 0,
            "{} {:?}",
            kind.word(),
            &bytes[..20]
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600), which in 0..KINDS.len()) {
        let _ = FileKind::of(&bytes);
        read(KINDS[which], &bytes);
    }

    #[test]
    fn damaged_files(
        which in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let seeds = seeds();
        let (kind, mut bytes) = seeds[which.index(seeds.len())].clone();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.extend_from_within(..cut.index(bytes.len()));
        let _ = FileKind::of(&bytes);
        read(kind, &bytes);
    }
}
