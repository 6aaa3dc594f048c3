//! Exporters other than softflowd.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

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
