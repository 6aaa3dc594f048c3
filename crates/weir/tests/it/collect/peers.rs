//! Exporters other than softflowd.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Running, Scratch, export, kinds, settle};
use crate::run::{run, skipped};

/// pmacctd as NetFlow v9 or IPFIX exporter of a capture; false when it is not installed.
fn pmacctd(scratch: &Scratch, capture: &Path, version: &str, to: SocketAddr) -> bool {
    let config = format!(
        "daemonize: false\npcap_savefile: {}\naggregate: src_host, dst_host, src_port, dst_port, \
         proto, tos, tcpflags\nplugins: nfprobe\nnfprobe_receiver: {to}\nnfprobe_version: {version}\n\
         nfprobe_timeouts: tcp=3600:maxlife=36000\n",
        capture.display()
    );
    let path = scratch.0.join("pmacctd.conf");
    std::fs::write(&path, config).expect("room for a configuration");
    let mut command = Command::new("pmacctd");
    command.arg("-f").arg(&path);
    // It ends at the end of the file, when it has sent all it holds.
    export(command)
}

#[test]
fn pmacctd_live_tells_the_attacks() {
    let scratch = Scratch::new("pmacctd");
    let capture = scratch.incident();
    let want = kinds(&run(std::slice::from_ref(&capture), 1).0);
    for version in ["9", "10"] {
        let running = Running::start(&["udp://127.0.0.1:0"], None);
        let to = SocketAddr::from(([127, 0, 0, 1], running.ports[0]));
        if !pmacctd(&scratch, &capture, version, to) {
            return skipped("pmacctd is not there");
        }
        settle();
        let (kept, summary, _) = running.stop();
        let books = summary.exports.join("\n");
        assert!(!books.contains("do not agree"), "{books}");
        assert!(books.contains("7159 parsed = 2 x 3579 pairs"), "{books}");
        assert_eq!(kinds(&kept), want, "pmacctd version {version}: {books}");
    }
}

/// fprobe reads no files: it watches the loopback interface while connections are made there. It tells of most of them
/// (asked to end, it sends some 30 of 40 records), and what it tells is right.
#[test]
fn fprobe_live_tells_connections() {
    const CONNECTIONS: usize = 20;
    // Its times are milliseconds, and both sides of a connection begin in one: the lower port tells who was asked.
    let server = (8_100..8_200).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let server = server.expect("one of a hundred ports is free");
    let port = server.local_addr().unwrap().port();
    let running = Running::start(&["udp://127.0.0.1:0"], None);
    let mut command = Command::new("fprobe");
    command.args(["-i", "lo", "-f", &format!("tcp port {port}"), "-l", "2"]);
    command.arg(format!("127.0.0.1:{}", running.ports[0]));
    let Ok(mut fprobe) = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        return skipped("fprobe is not there");
    };
    let mut said = BufReader::new(fprobe.stdout.take().expect("a pipe")).lines();
    if !said.any(|line| line.is_ok_and(|line| line.contains("collector #1"))) {
        let _ = fprobe.wait();
        return skipped("fprobe may not capture here");
    }
    // It says so just before it begins to listen.
    settle();
    for _ in 0..CONNECTIONS {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut served, _) = server.accept().unwrap();
        client.write_all(&[1; 300]).unwrap();
        served.read_exact(&mut [0; 300]).unwrap();
        served.write_all(&[2; 700]).unwrap();
        drop(served);
        client.read_to_end(&mut Vec::new()).unwrap();
    }
    settle();
    // Asked to end, it sends what it holds.
    Command::new("kill")
        .arg(fprobe.id().to_string())
        .status()
        .unwrap();
    said.for_each(drop);
    fprobe.wait().unwrap();
    settle();
    let (kept, summary, _) = running.stop();
    let books = summary.exports.join("\n");
    assert!(!books.contains("do not agree"), "{books}");
    assert!(kept.flows.len() <= CONNECTIONS, "{books}");
    assert!(
        kept.flows.iter().all(|flow| flow.key.responder_port == port),
        "{books}"
    );
    let both: Vec<_> = kept.flows.iter().filter(|flow| flow.reverse.is_some()).collect();
    assert!(both.len() >= CONNECTIONS / 4, "{books}");
    for flow in both {
        let (there, back) = (flow.forward.payload_bytes, flow.reverse_or_zero().payload_bytes);
        assert!(flow.established() && there >= 300 && back >= 700, "{flow:?}");
    }
}
