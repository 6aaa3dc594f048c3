//! Network performance against tshark on the project's recordings, and as `weir flows` tells it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use weir::config::Config;
use weir::pipeline::{self, Job};
use weir_model::{FlowRecord, Measured, proto};

use crate::run::{Kept, incident};

/// Recordings with thousands of connections, some of them refused, broken and sent again.
const RECORDINGS: [&str; 3] = ["benign_office", "services_down", "ssh_guess"];

fn recording(name: &str) -> PathBuf {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures");
    captures.join(name).join(format!("{name}.pcap.zst"))
}

fn metered(file: &Path) -> Vec<FlowRecord> {
    let job = Job {
        files: vec![file.to_owned()],
        config: Config::default(),
        detect: false,
        store: None,
    };
    let (kept, _) = pipeline::run(job, Kept::default(), |_| {}).expect("the pipeline runs");
    kept.flows
}

/// Both ends of a connection, the lower first.
type Ends = [(IpAddr, u16); 2];

/// What tshark says of a connection: round trip of the handshake in seconds, segments sent again or out of order.
#[derive(Default)]
struct Stream {
    rtt_s: Option<f64>,
    again: u32,
}

/// By connection; nothing when there is no tshark.
#[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
fn tshark(file: &Path) -> Option<BTreeMap<Ends, Vec<Stream>>> {
    const FIELDS: [&str; 8] = [
        "tcp.stream",
        "ip.addr",
        "ipv6.addr",
        "tcp.port",
        "tcp.analysis.initial_rtt",
        "tcp.analysis.retransmission",
        "tcp.analysis.out_of_order",
        "tcp.flags.reset",
    ];
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-Y", "tcp", "-T", "fields"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let Ok(done) = command.output() else {
        eprintln!("skipped: no tshark");
        return None;
    };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut streams = BTreeMap::<u32, (Ends, Stream)>::new();
    for line in String::from_utf8_lossy(&done.stdout).lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let ips = if cells[1].is_empty() { cells[2] } else { cells[1] };
        let ips = ips.split(',').map(|ip| ip.parse().expect("an address"));
        let ports = cells[3].split(',').map(|port| port.parse().expect("a port"));
        let mut ends: Vec<(IpAddr, u16)> = ips.zip(ports).collect();
        ends.sort_unstable();
        let number = cells[0].parse().expect("a stream");
        let (_, stream) = streams
            .entry(number)
            .or_insert_with(|| ([ends[0], ends[1]], Stream::default()));
        stream.rtt_s = stream.rtt_s.or(cells[4].parse().ok());
        // We do not count resets, whose numbers are anybody's.
        let counted = !matches!(cells[7], "1" | "True");
        let odd = !cells[5].is_empty() || !cells[6].is_empty();
        stream.again += u32::from(counted && odd);
    }
    let mut by_ends = BTreeMap::<Ends, Vec<Stream>>::new();
    for (ends, stream) in streams.into_values() {
        by_ends.entry(ends).or_default().push(stream);
    }
    Some(by_ends)
}

fn ends(flow: &FlowRecord) -> Ends {
    let key = &flow.key;
    let mut ends = [
        (key.initiator_ip, key.initiator_port),
        (key.responder_ip, key.responder_port),
    ];
    ends.sort_unstable();
    ends
}

/// Every handshake has the round trip that tshark gives it, and as many segments were sent again or overtaken. Which of the
/// two a late segment is, tshark judges by the time since the last new one, we by the time since the hole opened.
#[test]
fn round_trips_and_segments_sent_again_are_tsharks() {
    let (mut compared, mut sent_again) = (0, 0);
    for name in RECORDINGS {
        let file = recording(name);
        let Some(mut streams) = tshark(&file) else { return };
        let mut flows = BTreeMap::<Ends, Vec<FlowRecord>>::new();
        for flow in metered(&file) {
            if flow.key.proto == proto::TCP {
                flows.entry(ends(&flow)).or_default().push(flow);
            }
        }
        for (ends, flows) in flows {
            // Ports used again, and long flows told in parts, are no one to one.
            let (Some(own), [flow]) = (streams.remove(&ends), &flows[..]) else {
                continue;
            };
            let ([stream], Some(told)) = (&own[..], flow.performance.as_deref()) else {
                continue;
            };
            if let Some(rtt_us) = told.rtt_us.get() {
                let theirs_us = stream.rtt_s.expect("tshark saw the handshake") * 1e6;
                assert!((f64::from(rtt_us) - theirs_us).abs() < 2.0, "{name} {ends:?}");
                compared += 1;
            }
            let ways = [told.forward, told.reverse];
            let counts = ways.iter().flat_map(|way| [way.retransmitted, way.out_of_order]);
            let own: u32 = counts.filter_map(Measured::get).sum();
            assert_eq!(own, stream.again, "{name} {ends:?}");
            sent_again += own;
        }
    }
    assert!(compared > 250 && sent_again > 30, "{compared} {sent_again}");
}

fn printed(arguments: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .env_remove("WEIR_STORE")
        .output()
        .expect("weir starts");
    assert!(
        done.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Averages are over the flows that have the value, and slowest first.
#[test]
fn statistics_by_performance() {
    let capture = incident();
    let file = capture.to_str().expect("a path");
    let mut sums = BTreeMap::<String, (u64, u64)>::new();
    let lines = printed(&["flows", "-r", file, "-q", "-o", "json", "exists rtt"]);
    for line in lines.lines() {
        let flow: Value = serde_json::from_str(line).expect("an object a line");
        let to = flow["dst_ip"].as_str().expect("an address").to_owned();
        let (sum, flows) = sums.entry(to).or_default();
        *sum += flow["rtt"].as_u64().expect("the filter asks for it");
        *flows += 1;
    }
    let mut means: Vec<(f64, String)> = sums
        .into_iter()
        .map(|(to, (sum, flows))| (sum as f64 / flows as f64, to))
        .collect();
    means.sort_by(|one, other| other.0.total_cmp(&one.0));
    assert!(means.len() > 3);
    let asked = [
        "flows",
        "-r",
        file,
        "-q",
        "-s",
        "dstip/avg(rtt)",
        "-n",
        "3",
        "-o",
        "json",
        "proto tcp",
    ];
    let told = printed(&asked);
    for (line, (mean, to)) in told.lines().zip(&means) {
        let line: Value = serde_json::from_str(line).expect("an object a line");
        assert_eq!(line["dst_ip"].as_str(), Some(to.as_str()), "{told}");
        assert!(
            (line["avg(rtt)"].as_f64().expect("a mean") - mean).abs() < 1e-6,
            "{told}"
        );
    }
    assert_eq!(told.lines().count(), 3);
    let text = printed(&["flows", "-r", file, "-q", "-s", "dstip/max(srt)", "-n", "1"]);
    assert!(text.contains(" ms"), "{text}");
    let csv = printed(&[
        "flows",
        "-r",
        file,
        "-q",
        "--series",
        "5m",
        "--show",
        "avg(srt),retransmissions",
        "-o",
        "csv",
    ]);
    let head = csv.lines().next().unwrap_or_default();
    assert!(
        head.contains("avg(srt)") && head.contains("retransmitted_packets"),
        "{head}"
    );
}
