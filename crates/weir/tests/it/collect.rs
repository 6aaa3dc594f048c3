//! The live collector against real exporters and hostile ones, over loopback sockets.

mod network;
mod peers;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir::collect::{Job, Listen};
use weir::config::Config;
use weir::summary::Summary;
use weir_model::Networks;

use crate::run::{Kept, incident, run, skipped};

/// A collector on loopback ports that the kernel chose.
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    said: Receiver<String>,
    pub(crate) ports: Vec<u16>,
    thread: JoinHandle<(Kept, Summary)>,
}

impl Running {
    /// Starts one with these listeners (port 0) and waits until they are open.
    pub(crate) fn start(listen: &[&str], allowed: Option<&str>) -> Self {
        Self::start_keeping(listen, allowed, None)
    }

    /// As `start`, with a state directory.
    fn start_keeping(listen: &[&str], allowed: Option<&str>, state: Option<&Path>) -> Self {
        Self::start_with(listen, |job| {
            job.allowed = allowed.map(|prefix| Networks::new([prefix.parse().expect("a prefix")]));
            job.state = state.map(Path::to_owned);
        })
    }

    /// As `start`, with whatever else `set` wants.
    fn start_with(listen: &[&str], set: impl FnOnce(&mut Job)) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut job = Job {
            config: Config::default(),
            listen: listen
                .iter()
                .map(|text| text.parse::<Listen>().expect("a listener"))
                .collect(),
            receivers: 1,
            allowed: None,
            tls: None,
            hold: Duration::from_secs(3),
            state: None,
            correct_clocks: false,
            detect: true,
            store: None,
            stop: Arc::clone(&stop),
        };
        set(&mut job);
        let (sender, said) = channel();
        let thread = std::thread::spawn(move || {
            weir::collect::run(job, Kept::default(), |line| drop(sender.send(line.to_owned())))
                .expect("the collector runs")
        });
        let ports = listen
            .iter()
            .map(|_| {
                let line = said.recv_timeout(Duration::from_secs(10)).expect("it listens");
                let rest = line.rsplit_once("127.0.0.1:").expect("a port").1;
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().expect("a port")
            })
            .collect();
        Self {
            stop,
            said,
            ports,
            thread,
        }
    }

    /// Ends it as SIGTERM would; what it gave, and what it said.
    pub(crate) fn stop(self) -> (Kept, Summary, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let (kept, summary) = self.thread.join().expect("no panic");
        (kept, summary, self.said.iter().collect())
    }
}

/// The incident unpacked, for tools that read plain captures; the folder goes with the value.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("weir-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Self(folder)
    }

    /// The incident as a plain capture.
    pub(crate) fn incident(&self) -> PathBuf {
        let capture = self.0.join("incident.pcap");
        let packed = std::fs::File::open(incident()).expect("the incident");
        let unpacked = Command::new("zstdcat")
            .stdin(packed)
            .output()
            .expect("zstdcat runs");
        std::fs::write(&capture, unpacked.stdout).expect("room for the capture");
        capture
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Method and submethod, source, targets: what must not depend on packets or records.
fn kinds(kept: &Kept) -> BTreeSet<String> {
    let events = kept.events.iter();
    events
        .map(|event| {
            format!(
                "{}.{} {:?} {}",
                event.lead.method.code, event.lead.submethod.name, event.source.ip, event.target_count
            )
        })
        .collect()
}

/// Runs an exporter to its end; false when it is not installed. The end is that of every process it made, since each
/// holds the pipe: pmacctd's first one ends before the one that sends.
fn export(mut command: Command) -> bool {
    let Ok(mut child) = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        return false;
    };
    let mut said = child.stdout.take().expect("a pipe");
    std::io::copy(&mut said, &mut std::io::sink()).is_ok() && child.wait().is_ok()
}

fn softflowd(capture: &Path, version: &str, to: SocketAddr) -> Command {
    let mut command = Command::new("softflowd");
    command.arg("-r").arg(capture);
    command.args(["-d", "-a", "-m", "1000000", "-c", "none", "-v", version]);
    command
        .args(["-n", &to.to_string(), "-p"])
        .arg(capture.with_extension("pid"));
    command
}

/// Time for what was sent to be received and decoded.
fn settle() {
    std::thread::sleep(Duration::from_millis(700));
}

#[test]
fn softflowd_live_gives_the_events_of_the_packets() {
    let scratch = Scratch::new("live");
    let capture = scratch.incident();
    let want = kinds(&run(std::slice::from_ref(&capture), 1).0);
    assert_eq!(want.len(), 3);
    for version in ["5", "9", "10"] {
        let running = Running::start(&["udp://127.0.0.1:0"], None);
        let to = SocketAddr::from(([127, 0, 0, 1], running.ports[0]));
        if !export(softflowd(&capture, version, to)) {
            return skipped("softflowd is not there");
        }
        settle();
        let (kept, summary, _) = running.stop();
        assert_eq!(kinds(&kept), want, "softflowd -v {version}");
        let books = summary.exports.join("\n");
        assert!(books.contains("; 0 dropped by the kernel"), "{books}");
        assert!(books.contains("7159 parsed = 2 x 3579 pairs"), "{books}");
        assert!(!books.contains("do not agree"), "{books}");
        assert_eq!(kept.flows.len(), 3_580);
    }
}

/// One NetFlow v5 datagram of one flow.
fn v5(port: u16, sequence: u32) -> Vec<u8> {
    let mut bytes = [5u16, 1].map(u16::to_be_bytes).concat();
    bytes.extend(
        [9_000_000u32, 1_790_000_000, 0, sequence, 0]
            .map(u32::to_be_bytes)
            .concat(),
    );
    let head = [0x0a00_0001u32, 0x0a00_0002, 0, 0, 3, 4_000, 8_990_000, 8_999_000];
    bytes.extend(head.map(u32::to_be_bytes).concat());
    bytes.extend([40_000, port].map(u16::to_be_bytes).concat());
    bytes.extend([0, 0x1b, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

#[test]
fn the_books_agree_whatever_comes() {
    let running = Running::start(&["udp://127.0.0.1:0"], Some("127.0.0.1/32"));
    let to = SocketAddr::from(([127, 0, 0, 1], running.ports[0]));
    let honest = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    for at in 0..300u32 {
        honest.send_to(&v5(1_000 + at as u16, at), to).unwrap();
        honest
            .send_to(&at.to_be_bytes().repeat(1 + at as usize % 300), to)
            .unwrap();
        stranger.send_to(&v5(9, at), to).unwrap();
        if at % 50 == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    settle();
    let (kept, summary, _) = running.stop();
    let books = summary.exports.join("\n");
    assert!(
        books.contains("received: 900 read = 300 parsed + 300 malformed + 300 refused; 0 dropped"),
        "{books}"
    );
    assert!(
        books.contains("records: 300 parsed = 2 x 0 pairs + 0 biflows + 300 one-way; 300 flow"),
        "{books}"
    );
    assert_eq!(kept.flows.len(), 300);
}

/// An IPFIX message with template 256 (source, destination, packets) and so many records.
fn ipfix(sequence: u32, records: u32) -> Vec<u8> {
    let template = [2u16, 24, 256, 4, 8, 4, 12, 4, 2, 4, 4, 1];
    let mut sets = template.map(u16::to_be_bytes).concat();
    sets.extend([256u16, 4 + 13 * records as u16].map(u16::to_be_bytes).concat());
    for record in 0..records {
        sets.extend(
            [0x0a00_0001u32, 0x0a00_0100 + record, 1]
                .map(u32::to_be_bytes)
                .concat(),
        );
        sets.push(17);
    }
    let mut bytes = [10u16, 16 + sets.len() as u16].map(u16::to_be_bytes).concat();
    bytes.extend([1_790_000_000, sequence, 1].map(u32::to_be_bytes).concat());
    bytes.extend(sets);
    bytes
}

#[test]
fn streams_are_cut_into_messages_and_garbage_is_shown_the_door() {
    let running = Running::start(&["tcp://127.0.0.1:0"], None);
    let to = SocketAddr::from(([127, 0, 0, 1], running.ports[0]));
    // Cut anywhere: messages do not end where segments do.
    let mut good = TcpStream::connect(to).unwrap();
    good.set_nodelay(true).unwrap();
    let bytes: Vec<u8> = (0..20).flat_map(|at| ipfix(at * 5, 5)).collect();
    for piece in bytes.chunks(37) {
        good.write_all(piece).unwrap();
    }
    let mut bad = TcpStream::connect(to).unwrap();
    bad.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut broken = TcpStream::connect(to).unwrap();
    let mut message = ipfix(0, 1);
    message[18..20].copy_from_slice(&[0, 1]);
    broken.write_all(&message).unwrap();
    for stream in [&bad, &broken] {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let started = Instant::now();
        let ended = std::io::Read::read(&mut &*stream, &mut [0; 16]);
        assert!(ended.map_or(true, |length| length == 0) && started.elapsed() < Duration::from_secs(5));
    }
    drop(good);
    settle();
    let (kept, summary, _) = running.stop();
    let books = summary.exports.join("\n");
    assert!(
        books.contains("3 accepted, 0 refused, 2 closed for what they sent"),
        "{books}"
    );
    assert!(
        books.contains("received: 21 read = 20 parsed + 1 malformed + 0 refused"),
        "{books}"
    );
    assert_eq!(kept.flows.len(), 100, "{books}");
}

#[test]
fn the_command_ends_well_on_sigterm() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args([
            "collect",
            "--listen",
            "udp://127.0.0.1:0",
            "--no-state",
            "--flows",
            "csv",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut voice = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut voice, &mut line).unwrap();
    let rest = line.split_once("udp://").expect("it says where it listens").1;
    let to: SocketAddr = rest.split([',', ' ']).next().unwrap().parse().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&v5(443, 0), to).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    let printed = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(printed.lines().count(), 2, "{printed}");
}

/// A NetFlow v9 packet of one set, from a device that is up for so long.
fn v9(uptime_ms: u32, sequence: u32, set: &[u16]) -> Vec<u8> {
    let mut bytes = [9u16, 1].map(u16::to_be_bytes).concat();
    bytes.extend(
        [uptime_ms, 1_790_000_000, sequence, 7]
            .map(u32::to_be_bytes)
            .concat(),
    );
    bytes.extend(set.iter().flat_map(|word| word.to_be_bytes()));
    bytes
}

#[test]
fn a_restart_keeps_templates_unless_the_exporter_restarted_too() {
    let scratch = Scratch::new("state");
    let template = [0, 28, 256, 5, 8, 4, 12, 4, 2, 4, 1, 4, 4, 1];
    // Source and destination, packets, bytes, protocol 17, and padding.
    let data = [256, 24, 0x0a00, 1, 0x0a00, 2, 0, 3, 0, 300, 0x1100, 0];
    let exporter = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut records = Vec::new();
    for sets in [&[&template[..]][..], &[&data], &[&data]] {
        let running = Running::start_keeping(&["udp://127.0.0.1:0"], None, Some(&scratch.0));
        let to = SocketAddr::from(([127, 0, 0, 1], running.ports[0]));
        // The third time the exporter has restarted as well: what it means by 256 now is not known.
        let uptime_ms = if records.len() == 2 { 5_000 } else { 900_000 };
        for set in sets {
            exporter
                .send_to(&v9(uptime_ms, records.len() as u32, set), to)
                .unwrap();
        }
        settle();
        let (kept, summary, said) = running.stop();
        let restored = said
            .iter()
            .any(|line| line.contains("templates of 1 sessions restored"));
        assert_eq!(restored, !records.is_empty(), "{said:?}");
        assert!(!summary.exports.join(" ").contains("do not agree"));
        records.push(kept.flows.len());
    }
    assert_eq!(records, [0, 1, 0]);
    let page = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["exporters", "127.0.0.1", "--output", "json", "--state"])
        .arg(&scratch.0)
        .output()
        .unwrap();
    let page: serde_json::Value = serde_json::from_slice(&page.stdout).expect("one exporter");
    assert_eq!(page["formats"][0], "NetFlow v9");
    assert_eq!(page["counts"]["restarts"], 1);
    assert_eq!(page["methods"]["ARPSPOOF"]["reach"], "blind");
}

#[test]
fn the_page_of_a_capture_of_exports() {
    let Some(shared) = crate::run::shared() else {
        return;
    };
    let capture = crate::run::files_below(&shared.join("flow"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "pcap"))
        .expect("captures of exports");
    let page = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("exporters")
        .arg("-r")
        .arg(capture)
        .output()
        .unwrap();
    let text = String::from_utf8(page.stdout).unwrap();
    for words in [
        "records ",
        "time-outs ",
        "one-way ",
        "fully ",
        "blind ",
        "1 exporters",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
