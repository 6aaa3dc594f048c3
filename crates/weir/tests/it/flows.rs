//! `weir flows` as people meet it, and its answers held against nfdump's on the same records: they are written to a
//! store, sent as NetFlow v5 to nfcapd over loopback, and both are asked the same.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_model::{Counters, FlowKey, FlowRecord, Time, ethertype, proto};
use weir_store::flow::{Limits, Table, Writer, to_batch};
use weir_store::{Disk, LocalDisk};

use crate::run::{incident, skipped};

/// 2026-11-22T00:00:00Z
const DAY_MS: u64 = 1_795_305_600_000;
const RECORDS: u64 = 3_000;

fn weir(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("flows")
        .args(arguments)
        .env_remove("WEIR_STORE")
        .stdin(Stdio::null())
        .output()
        .expect("weir starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn printed(arguments: &[&str]) -> String {
    let done = weir(arguments);
    assert_eq!(
        done.status.code(),
        Some(0),
        "{arguments:?}: {}",
        text(&done.stderr)
    );
    text(&done.stdout)
}

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-flows-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("nfcapd")).expect("set-up of the test");
        Self(path)
    }

    fn store(&self) -> String {
        self.0.join("store").to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// One-way IPv4 records within an hour, in whole milliseconds, as NetFlow v5 can carry them.
fn records() -> Vec<FlowRecord> {
    let mut state = 7_u64;
    let mut below = |end: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % end
    };
    let record = |_| {
        let protocol = [proto::TCP, proto::TCP, proto::UDP, proto::ICMP][below(4) as usize];
        let ported = protocol != proto::ICMP;
        let key = FlowKey {
            initiator_ip: Ipv4Addr::new(10, 0, 0, below(40) as u8).into(),
            responder_ip: Ipv4Addr::new(10, 1, below(3) as u8, below(20) as u8).into(),
            initiator_port: if ported { 1024 + below(60_000) as u16 } else { 8 },
            responder_port: if ported {
                [22, 53, 80, 443, 445][below(5) as usize]
            } else {
                0
            },
            proto: protocol,
            ethertype: ethertype::IPV4,
            vlan: None,
        };
        let start = DAY_MS + below(3_000_000);
        let mut flow = FlowRecord::new(key, Time(start as i64 * 1_000_000));
        flow.end = Time((start + below(500_000)) as i64 * 1_000_000);
        let packets = 1 + below(50) * below(50);
        flow.forward = Counters {
            packets,
            bytes: packets * (40 + below(1400)) + below(40),
            payload_bytes: 0,
        };
        flow.forward_total = flow.forward;
        flow.tos = [0, 0, 40, 184][below(4) as usize];
        if protocol == proto::TCP {
            flow.forward_flags = below(64) as u16;
        }
        flow
    };
    (0..RECORDS).map(record).collect()
}

fn fill(folder: &Folder, flows: &[FlowRecord]) {
    let disk: Arc<dyn Disk> =
        Arc::new(LocalDisk::new(Path::new(&folder.store())).expect("set-up of the test"));
    let mut writer =
        Writer::open(disk, Table::flows(), "default", Limits::default()).expect("set-up of the test");
    for flows in flows.chunks(500) {
        writer
            .append(to_batch(flows).expect("set-up of the test"), Time(0))
            .expect("set-up of the test");
    }
    writer.finish(Time(1)).expect("set-up of the test");
}

/// NetFlow v5 datagrams of 30 records; the exporter's clock began with the day.
fn datagrams(flows: &[FlowRecord]) -> Vec<Vec<u8>> {
    let uptime_ms = 7_200_000_u32;
    let mut sequence = 0_u32;
    let all = flows.chunks(30).map(|flows| {
        let mut bytes = Vec::new();
        bytes.extend(5_u16.to_be_bytes());
        bytes.extend((flows.len() as u16).to_be_bytes());
        bytes.extend(uptime_ms.to_be_bytes());
        bytes.extend(((DAY_MS / 1000) as u32 + uptime_ms / 1000).to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([0; 4]);
        sequence += flows.len() as u32;
        flows.iter().for_each(|flow| v5_record(flow, &mut bytes));
        bytes
    });
    all.collect()
}

fn v5_record(flow: &FlowRecord, bytes: &mut Vec<u8>) {
    for ip in [flow.key.initiator_ip, flow.key.responder_ip] {
        match ip {
            IpAddr::V4(ip) => bytes.extend(ip.octets()),
            IpAddr::V6(_) => panic!("NetFlow v5 has no IPv6"),
        }
    }
    bytes.extend([0; 8]);
    bytes.extend((flow.forward.packets as u32).to_be_bytes());
    bytes.extend((flow.forward.bytes as u32).to_be_bytes());
    for time in [flow.start, flow.end] {
        bytes.extend(((time.0 / 1_000_000) as u64 - DAY_MS).to_be_bytes()[4..].iter());
    }
    let icmp = flow.key.proto == proto::ICMP;
    let ports = if icmp {
        [0, 8 << 8]
    } else {
        [flow.key.initiator_port, flow.key.responder_port]
    };
    ports.iter().for_each(|port| bytes.extend(port.to_be_bytes()));
    bytes.extend([0, flow.forward_flags as u8, flow.key.proto, flow.tos]);
    bytes.extend([0; 8]);
}

/// Ends nfcapd whatever becomes of the test.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Sends the records to nfcapd and ends it; false when there is none.
fn collect(folder: &Folder, flows: &[FlowRecord]) -> bool {
    let free = UdpSocket::bind("127.0.0.1:0").expect("set-up of the test");
    let address = free.local_addr().expect("set-up of the test");
    drop(free);
    let spool = folder.0.join("nfcapd");
    let started = Command::new("nfcapd")
        .args([
            "-b",
            "127.0.0.1",
            "-t",
            "3600",
            "-p",
            &address.port().to_string(),
            "-w",
        ])
        .arg(&spool)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = started else {
        return false;
    };
    let mut collector = Collector(child);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("set-up of the test");
    let listens = |table: &str| table.contains(&format!("0100007F:{:04X}", address.port()));
    until(|| listens(&std::fs::read_to_string("/proc/net/udp").unwrap_or_default()));
    for datagram in datagrams(flows) {
        socket.send_to(&datagram, address).expect("set-up of the test");
        // Its socket buffer is the only queue there is.
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(300));
    let pid = collector.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("set-up of the test")
            .success()
    );
    until(|| collector.0.try_wait().expect("set-up of the test").is_some());
    true
}

fn until(mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "nfcapd does not answer"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn nfdump(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let done = Command::new("nfdump")
        .arg("-R")
        .arg(folder.0.join("nfcapd"))
        .args(["-q", "-N"])
        .args(arguments)
        .env("TZ", "UTC")
        .output()
        .expect("set-up of the test");
    assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
    text(&done.stdout).lines().map(str::to_owned).collect()
}

fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("set-up of the test"))
        .collect()
}

fn number(object: &Value, name: &str) -> u64 {
    object[name].as_u64().unwrap_or(0)
}

/// Filters in the words of both.
const FILTERS: [&str; 20] = [
    "any",
    "proto tcp",
    "proto icmp",
    "not proto udp",
    "src ip 10.0.0.5",
    "dst ip 10.1.2.7",
    "ip 10.1.1.1",
    "ip in [10.0.0.1 10.0.0.2 10.1.0.3]",
    "src net 10.0.0.0/28",
    "dst net 10.1.1.0/24 or dst net 10.1.2.0/24",
    "dst port 443",
    "port 53",
    "port in [22 80]",
    "src port > 30000 and proto udp",
    "bytes > 100000",
    "packets < 5",
    "duration > 250000",
    "flags S and not flags A and proto tcp",
    "tos 184",
    "(src ip 10.0.0.9 or src ip 10.0.0.10) and not (dst port 445 or bytes < 1000)",
];

#[test]
fn filters_count_what_nfdump_counts() {
    let (folder, flows) = (Folder::new("filters"), records());
    if !collect(&folder, &flows) {
        return skipped("nfdump is not installed");
    }
    fill(&folder, &flows);
    for filter in FILTERS {
        let lines = nfdump(&folder, &["-o", "fmt:%pkt %byt", filter]);
        let mut wanted = [0; 3];
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            let mut fields = line
                .split_whitespace()
                .filter_map(|field| field.parse::<u64>().ok());
            let (Some(packets), Some(bytes)) = (fields.next(), fields.next()) else {
                continue;
            };
            wanted = [wanted[0] + 1, wanted[1] + packets, wanted[2] + bytes];
        }
        let found = printed(&[
            "--store",
            &folder.store(),
            "-A",
            "proto",
            "-o",
            "json",
            "-q",
            filter,
        ]);
        let sum = |name| objects(&found).iter().map(|line| number(line, name)).sum::<u64>();
        assert_eq!([sum("flows"), sum("packets"), sum("bytes")], wanted, "{filter}");
        let list = printed(&["--store", &folder.store(), "-o", "csv", "-q", filter]);
        assert_eq!(list.lines().count() as u64, wanted[0] + 1, "{filter}");
    }
}

/// Statistics in the words of both, and the figure that orders them.
const STATISTICS: [(&str, &str); 10] = [
    ("srcip/bytes", "bytes"),
    ("srcip/packets", "packets"),
    ("dstip/bytes", "bytes"),
    ("ip/flows", "flows"),
    ("ip/bytes", "bytes"),
    ("dstport/bytes", "bytes"),
    ("srcport/bytes", "bytes"),
    ("proto/bytes", "bytes"),
    ("tos/packets", "packets"),
    ("record/bytes", "bytes"),
];

#[test]
fn statistics_are_nfdumps() {
    let (folder, flows) = (Folder::new("statistics"), records());
    if !collect(&folder, &flows) {
        return skipped("nfdump is not installed");
    }
    fill(&folder, &flows);
    for (statistic, by) in STATISTICS {
        // Ports of ICMP are type and code to nfdump, and no ports to Weir.
        let filter = "proto tcp or proto udp";
        let column = ["flows", "packets", "bytes"]
            .iter()
            .position(|name| *name == by)
            .expect("set-up of the test");
        let wanted: Vec<u64> = if statistic.starts_with("record") {
            let lines = nfdump(
                &folder,
                &["-s", statistic, "-n", "5", "-o", "fmt:%fl %pkt %byt", filter],
            );
            let figures = lines.iter().map(|line| {
                let fields = line
                    .split_whitespace()
                    .filter_map(|field| field.parse::<u64>().ok());
                fields.collect::<Vec<u64>>()
            });
            figures
                .filter(|figures| figures.len() == 3)
                .map(|figures| figures[column])
                .collect()
        } else {
            let lines = nfdump(&folder, &["-s", statistic, "-n", "5", "-o", "csv", filter]);
            let rows = lines.iter().map(|line| line.split(',').collect::<Vec<&str>>());
            let rows = rows.filter(|row| row.len() > 9 && row[0] != "ts");
            rows.map(|row| row[[5, 7, 9][column]].parse().expect("set-up of the test"))
                .collect()
        };
        let found = printed(&[
            "--store",
            &folder.store(),
            "-s",
            statistic,
            "-n",
            "5",
            "-o",
            "json",
            "-q",
            filter,
        ]);
        let found: Vec<u64> = objects(&found).iter().map(|line| number(line, by)).collect();
        assert!(wanted.len() >= 2, "{statistic}");
        assert_eq!(found, wanted, "{statistic}");
    }
}

#[test]
fn a_capture_is_asked_directly() {
    let capture = incident().to_string_lossy().into_owned();
    let table = printed(&["-r", &capture, "-s", "app/bytes", "-n", "3", "-q"]);
    let mut lines = table.lines();
    assert!(
        lines
            .next()
            .expect("set-up of the test")
            .starts_with("Top app by bytes ("),
        "{table}"
    );
    assert!(
        lines.next().expect("set-up of the test").starts_with("app"),
        "{table}"
    );
    assert_eq!(lines.count(), 3, "{table}");
    let all = printed(&["-r", &capture, "-o", "csv", "-q"]);
    let direct = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["-r", &capture, "--flows", "csv", "-q"])
        .output()
        .expect("set-up of the test");
    let (mut all, direct) = (all.lines().collect::<Vec<_>>(), text(&direct.stdout));
    let mut direct: Vec<&str> = direct.lines().collect();
    all.sort_unstable();
    direct.sort_unstable();
    assert_eq!(all, direct);
    assert_eq!(
        printed(&["-r", &capture, "--exists", "-q", "ip 203.0.113.255"]),
        "no\n"
    );
    let bars = printed(&["-r", &capture, "--series", "1m", "-q"]);
    assert!(bars.contains('█') && bars.lines().count() > 2, "{bars}");
}

/// What protocols said tells flows apart, from a capture and from a store of it; transactions are asked themselves.
#[test]
fn transactions_tell_flows_apart() {
    let folder = Folder::new("transactions");
    let (capture, store) = (incident().to_string_lossy().into_owned(), folder.store());
    let filled = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["-r", &capture, "--store", &store, "-q"])
        .output()
        .expect("weir starts");
    assert_eq!(filled.status.code(), Some(0), "{}", text(&filled.stderr));
    for place in [["-r", &capture], ["--store", &store]] {
        let ask =
            |arguments: &[&str]| printed(&[place.as_slice(), &["-q", "-o", "json"], arguments].concat());
        let refused = objects(&ask(&[
            "--transactions",
            "-s",
            "smb.status_name/transactions",
            "app smb and outcome refused",
        ]));
        let logins: u64 = refused.iter().map(|line| number(line, "transactions")).sum();
        assert!(
            logins >= 195,
            "each attempt of the incident is a refused log-in: {refused:?}"
        );
        let of_flows = objects(&ask(&["-s", "outcome/flows", "dst port 445"]));
        let flows = of_flows
            .iter()
            .find(|line| line["outcome"] == "refused")
            .expect("refused");
        let tried = number(flows, "flows");
        assert!(tried >= 195, "{of_flows:?}");
        let without = ask(&["-A", "dst_port", "dst port 445 and not outcome refused"]);
        let all = ask(&["-A", "dst_port", "dst port 445"]);
        let count = |text: &str| {
            objects(text)
                .iter()
                .map(|line| number(line, "flows"))
                .sum::<u64>()
        };
        assert_eq!(count(&without) + tried, count(&all), "{without} of {all}");
        let listed = objects(&ask(&["--transactions", "-c", "5", "outcome refused"]));
        assert_eq!(listed.len(), 5, "{listed:?}");
        assert!(
            listed.iter().all(|line| line["outcome"] == "refused"),
            "{listed:?}"
        );
    }
    let told = weir(&["-r", &capture, "-s", "src_ip/http.request_bytes"]);
    let told = text(&told.stderr);
    assert!(told.contains("ask the transactions themselves"), "{told}");
}

#[test]
fn words_that_make_no_question_are_told() {
    let capture = incident().to_string_lossy().into_owned();
    for (arguments, told, code) in [
        (vec!["--exists"], "give --store DIR", 1),
        (
            vec!["--store", "/nonexistent/store"],
            "fill one with weir -r FILE --store",
            1,
        ),
        (
            vec!["-r", &capture, "-s", "srcpi/bytes"],
            "did you mean srcip?",
            2,
        ),
        (vec!["-r", &capture, "-t", "soon"], "is no window of time", 2),
        (vec!["-r", &capture, "dst prot 445"], "^", 2),
        (vec!["-r", &capture, "-o", "parquet"], "add -w FILE", 2),
        (
            vec![
                "-r",
                &capture,
                "--memory",
                "1",
                "-A",
                "srcip,srcport,dstip,dstport,start",
                "--show",
                "p95(bytes),p50(packets),distinct(dstip)",
            ],
            "raise the memory limit",
            1,
        ),
    ] {
        let done = weir(&arguments);
        assert_eq!(
            done.status.code(),
            Some(code),
            "{arguments:?}: {}",
            text(&done.stderr)
        );
        assert!(
            text(&done.stderr).contains(told),
            "{arguments:?}: {}",
            text(&done.stderr)
        );
        assert!(done.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn answers_go_to_files_for_other_tools() {
    let folder = Folder::new("export");
    fill(&folder, &records());
    let file = folder.0.join("out.parquet");
    let path = file.to_string_lossy().into_owned();
    for question in [vec!["-A", "srcip,dstport"], vec!["bytes > 1000"]] {
        let mut arguments = vec!["--store".to_owned(), folder.store()];
        arguments.extend(["-o", "parquet", "-q", "-w", &path].map(str::to_owned));
        arguments.extend(question.iter().map(|word| (*word).to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(printed(&arguments), "");
        let bytes = std::fs::read(&file).expect("set-up of the test");
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    }
}
