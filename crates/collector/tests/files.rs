//! Files of the real programs: nfdump and Argus write them from the project's own recording of the incident, and what is
//! read is compared with what their own tools print. Skipped, visibly, where a program or the captures are not at hand.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "skips are for whoever runs the tests"
)]

use std::fs;
use std::io::Cursor;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use weir_collector::files::{Bad, FileCounts, FileKind, FlowFile, HEAD_BYTES, Untold};
use weir_model::{Counters, FlowKey, FlowRecord, Time, ethertype, proto, tcp_flags};
use weir_wire::export::Encoder;

/// Reads a file: its records as they stand in it, counters, and trouble.
fn read(bytes: &[u8]) -> Result<(Vec<FlowRecord>, FileCounts, Option<String>), Untold> {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let mut file = FlowFile::new(FileKind::of(head)?, head, Box::new(Cursor::new(bytes.to_vec())));
    let mut flows = Vec::new();
    while file.step(&mut flows) {}
    Ok((flows, file.counts().clone(), file.trouble()))
}

/// What is compared: first and last in milliseconds, endpoints, protocol, packets and bytes.
fn line(flow: &FlowRecord) -> String {
    let (key, forward) = (&flow.key, flow.forward);
    let icmp = flow
        .icmp
        .map(|(kind, code)| u32::from(kind) << 8 | u32::from(code));
    let (from_port, to_port) = icmp.map_or((key.initiator_port.into(), key.responder_port.into()), |both| {
        (0, both)
    });
    format!(
        "{} {} {} {from_port} {} {to_port} {} {} {} {}",
        flow.start.0 / 1_000_000,
        flow.end.0 / 1_000_000,
        key.initiator_ip,
        key.responder_ip,
        key.proto,
        forward.packets,
        forward.bytes,
        flow.forward_flags,
    )
}

/// The same lines of what `nfdump -o pipe` prints.
fn nfdump_lines(file: &Path) -> Option<Vec<String>> {
    let output = Command::new("nfdump")
        .arg("-r")
        .arg(file)
        .args(["-q", "-o", "pipe"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().filter_map(nfdump_line).collect())
}

fn nfdump_line(line: &str) -> Option<String> {
    let cells: Vec<u64> = line
        .split('|')
        .map(|cell| cell.trim().parse().unwrap_or(0))
        .collect();
    let [family, first, last, proto, rest @ ..] = &cells[..] else {
        return None;
    };
    let [
        a0,
        a1,
        a2,
        a3,
        from,
        b0,
        b1,
        b2,
        b3,
        to,
        _,
        _,
        _,
        _,
        flags,
        _,
        packets,
        bytes,
        ..,
    ] = rest
    else {
        return None;
    };
    let ip = |a: u64, b: u64, c: u64, d: u64| match family {
        2 => std::net::IpAddr::from((d as u32).to_be_bytes()),
        _ => std::net::IpAddr::from((u128::from(a << 32 | b) << 64 | u128::from(c << 32 | d)).to_be_bytes()),
    };
    Some(format!(
        "{first} {last} {} {from} {} {to} {proto} {packets} {bytes} {flags}",
        ip(*a0, *a1, *a2, *a3),
        ip(*b0, *b1, *b2, *b3),
    ))
}

fn agrees_with_nfdump(file: &Path) -> Option<usize> {
    let Some(want) = nfdump_lines(file) else {
        eprintln!("skipped: no nfdump");
        return None;
    };
    let (flows, counts, trouble) = read(&fs::read(file).unwrap()).unwrap();
    assert_eq!((counts.reasons().count(), trouble), (0, None));
    let got: Vec<_> = flows.iter().map(line).collect();
    let differing = got.iter().zip(&want).find(|(got, want)| got != want);
    assert_eq!((got.len(), differing), (want.len(), None), "{}", file.display());
    Some(got.len())
}

/// A folder of this test's own, and the incident unpacked in it.
fn folder(name: &str) -> (PathBuf, PathBuf) {
    let folder = std::env::temp_dir().join(format!("weir-files-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let packed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../captures/incident/incident.pcap.zst"
    );
    let capture = folder.join("incident.pcap");
    zstd::stream::copy_decode(
        fs::File::open(packed).unwrap(),
        fs::File::create(&capture).unwrap(),
    )
    .unwrap();
    (folder, capture)
}

#[test]
fn nfdump_files_of_every_packing() {
    let (folder, capture) = folder("nfdump");
    let written = Command::new("nfpcapd")
        .arg("-r")
        .arg(&capture)
        .arg("-l")
        .arg(&folder)
        .output();
    if written.is_err() {
        return eprintln!("skipped: no nfpcapd");
    }
    let mut plain: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    plain.retain(|path| path.to_string_lossy().contains("nfcapd.2"));
    plain.sort();
    let mut records = 0;
    for file in &plain {
        records += agrees_with_nfdump(file).unwrap();
    }
    assert!(records > 7_000, "{records} records in {} files", plain.len());
    for option in ["-z", "-y", "-j"] {
        let packed = folder.join(format!("packed{option}"));
        let source = plain
            .iter()
            .max_by_key(|path| fs::metadata(path).unwrap().len())
            .unwrap();
        let status = Command::new("nfdump")
            .arg("-r")
            .arg(source)
            .arg("-w")
            .arg(&packed)
            .arg(option)
            .status();
        assert!(status.unwrap().success());
        assert!(agrees_with_nfdump(&packed).unwrap() > 6_000, "{option}");
    }
    let bytes = fs::read(&plain[0]).unwrap();
    assert_eq!(read(&zstd_packed(&bytes)).unwrap().0, read(&bytes).unwrap().0);
    fs::remove_dir_all(&folder).unwrap();
}

/// The same file with its blocks packed with zstd, which Debian's nfdump cannot write.
fn zstd_packed(file: &[u8]) -> Vec<u8> {
    let (header, mut rest) = file.split_at(40);
    let mut packed = header.to_vec();
    packed[16] = 4;
    while let Some((head, behind)) = rest.split_at_checked(12) {
        let bytes = u32::from_le_bytes(head[4..8].try_into().unwrap()) as usize;
        let (block, behind) = behind.split_at(bytes);
        let block = zstd::encode_all(block, 3).unwrap();
        packed.extend(&head[..4]);
        packed.extend((block.len() as u32).to_le_bytes());
        packed.extend(&head[8..10]);
        packed.extend([0, 0]);
        packed.extend(block);
        rest = behind;
    }
    packed
}

#[test]
fn argus_files() {
    let (folder, capture) = folder("argus");
    let binary = folder.join("incident.argus");
    if Command::new("argus")
        .arg("-r")
        .arg(&capture)
        .arg("-w")
        .arg(&binary)
        .status()
        .is_err()
    {
        return eprintln!("skipped: no argus");
    }
    let columns = "stime,dur,proto,saddr,sport,dir,daddr,dport,state,spkts,dpkts,sbytes,dbytes";
    let print = |columns: &str| {
        let mut command = Command::new("ra");
        command
            .args(["-nn", "-u", "-Z", "b", "-c", ",", "-s", columns, "-r"])
            .arg(&binary);
        command.output().ok().map(|output| output.stdout)
    };
    let Some(text) = print(columns) else {
        return eprintln!("skipped: no ra");
    };
    let (flows, counts, _) = read(&text).unwrap();
    let want: Vec<Vec<&str>> = str::from_utf8(&text)
        .unwrap()
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    let want: Vec<_> = want
        .iter()
        .filter(|cells| ["1", "6", "17"].contains(&cells[2]))
        .collect();
    assert!(want.len() > 3_500);
    assert_eq!((flows.len(), counts.reasons().count()), (want.len(), 0));
    let number = |text: &str| text.parse::<u64>().unwrap();
    for (flow, cells) in flows.iter().zip(want) {
        let back = flow.reverse.unwrap();
        let frames = |counters: weir_model::Counters| counters.bytes + 14 * counters.packets;
        assert_eq!(flow.key.initiator_ip.to_string(), cells[3]);
        assert_eq!(flow.key.responder_ip.to_string(), cells[6]);
        assert_eq!(
            (flow.forward.packets, back.packets),
            (number(cells[9]), number(cells[10]))
        );
        assert_eq!(
            (frames(flow.forward), frames(back)),
            (number(cells[11]), number(cells[12]))
        );
        assert_eq!(flow.start.0 / 1_000, number(&cells[0].replace('.', "")) as i64);
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// The shared captures' folder of flow data, if there.
fn shared(part: &str) -> Option<Vec<PathBuf>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures");
    let root = std::env::var_os("WEIR_CAPTURES").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let mut folders = vec![root.join("flow").join(part)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            eprintln!("skipped: no captures at {}", folder.display());
            return None;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Some(files)
}

#[test]
fn an_nfdump_file_of_layout_1() {
    for file in shared("nfcapd").into_iter().flatten() {
        if let Some(records) = agrees_with_nfdump(&file) {
            assert_eq!(records, 4_593);
        }
    }
}

#[test]
fn flow_tools_files_decode_or_say_what_their_names_do() {
    let Some(files) = shared("spark-netflow") else {
        return;
    };
    let mut samples = Vec::new();
    for file in files.iter().filter(|file| file.to_string_lossy().contains("ftv")) {
        let name = file.to_string_lossy();
        let told = read(&fs::read(file).unwrap());
        match &told {
            Ok((flows, counts, None)) if name.contains("/correct/") || name.contains("large-byte-start") => {
                assert_eq!((flows.len(), counts.reasons().count()), (1_000, 0), "{name}");
                if name.contains("ftv5.2016-01-13") || name.contains("ftv7") {
                    samples.push(flows.iter().map(line).collect::<Vec<_>>());
                }
            }
            Ok((flows, _, None)) if name.ends_with("records1") => assert_eq!(flows.len(), 1),
            Ok((flows, _, None)) if name.ends_with("empty") => assert!(flows.is_empty()),
            // Cut within its packed records: what is whole is read, the rest is told.
            Ok((flows, counts, Some(_))) if name.ends_with("sample-00") => {
                assert_eq!(flows.len(), 553);
                assert!(counts.reasons().any(|(reason, _)| reason == Bad::Block));
            }
            Err(Untold(None)) if name.ends_with("sample-01") => {}
            Err(Untold(Some(why))) if name.contains("ftv8") => assert!(why.contains("v8"), "{why}"),
            _ => panic!(
                "{name}: {:?}",
                told.map(|(flows, counts, trouble)| (flows.len(), counts, trouble))
            ),
        }
    }
    // The same generated flows in either byte order, packed or not.
    assert!(
        samples.iter().all(|sample| *sample == samples[0]),
        "{} samples",
        samples.len()
    );
}

/// Answered and unanswered flows as a meter would tell them.
fn metered(flows: u32) -> impl Iterator<Item = FlowRecord> {
    (0..flows).map(|at| {
        let key = FlowKey {
            initiator_ip: (0x0a00_0000 + at).to_be_bytes().into(),
            responder_ip: [192, 0, 2, (at % 200) as u8].into(),
            initiator_port: 1_024 + (at % 60_000) as u16,
            responder_port: 443,
            proto: proto::TCP,
            ethertype: ethertype::IPV4,
            vlan: None,
        };
        let start = Time::from_secs(1_790_000_000) + i64::from(at) * 1_000_000;
        let mut flow = FlowRecord::new(key, start);
        flow.end = start + 250_000_000;
        flow.forward = Counters {
            packets: 3 + u64::from(at % 7),
            bytes: 1_000 + u64::from(at),
            payload_bytes: 0,
        };
        flow.forward_flags = tcp_flags::SYN | tcp_flags::ACK;
        flow.reverse = (at % 3 > 0).then_some(Counters {
            packets: 2,
            bytes: 900,
            payload_bytes: 0,
        });
        flow
    })
}

/// nfcapd as receiver of our own export: every record arrives there, and its own tool prints what was sent.
#[test]
fn nfcapd_takes_what_weir_exports() {
    let folder = std::env::temp_dir().join(format!("weir-nfcapd-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("nfcapd");
    command.args([
        "-b",
        "127.0.0.1",
        "-p",
        &free.port().to_string(),
        "-B",
        "4000000",
        "-w",
    ]);
    command.arg(&folder).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut nfcapd) = command.spawn() else {
        return eprintln!("skipped: no nfcapd");
    };
    let listens = || {
        let table = fs::read_to_string("/proc/net/udp").unwrap_or_default();
        table.contains(&format!(":{:04X}", free.port()))
    };
    for _ in 0..100 {
        if listens() {
            break;
        }
        sleep(Duration::from_millis(50));
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent: Vec<FlowRecord> = metered(3_000).collect();
    let mut encoder = Encoder::new(7);
    let messages = sent
        .iter()
        .filter_map(|flow| encoder.push(flow))
        .collect::<Vec<_>>();
    for message in messages.into_iter().chain(encoder.finish()) {
        socket.send_to(&message, free).unwrap();
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_millis(500));
    // Our own child, not yet waited for, so its id is its own.
    Command::new("kill")
        .arg(nfcapd.id().to_string())
        .status()
        .unwrap();
    nfcapd.wait().unwrap();
    let written = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut got: Vec<String> = written.filter_map(|file| nfdump_lines(&file)).flatten().collect();
    let mut want: Vec<String> = sent.iter().map(line).collect();
    got.sort();
    want.sort();
    let differing = got.iter().zip(&want).find(|(got, want)| got != want);
    assert_eq!((got.len(), differing), (want.len(), None));
    fs::remove_dir_all(&folder).unwrap();
}
