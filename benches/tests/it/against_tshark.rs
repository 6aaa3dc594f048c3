//! The same file as tshark reads it: no malformed packet, no bad checksum, the same names. Skipped, visibly, where
//! tshark is not installed.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use weir_benches::mix::Settings;
use weir_benches::mix::truth::{Kind, NameTally};

use crate::generator::mix;

const CHECKSUMS: [&str; 6] = [
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "tcp.check_checksum:TRUE",
    "-o",
    "udp.check_checksum:TRUE",
];

/// Values of `field` in the packets that match `filter`.
fn tshark(file: &Path, filter: &str, field: &str) -> Vec<String> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(CHECKSUMS)
        .args(["-Y", filter, "-T", "fields", "-e", field])
        .output()
        .expect("tshark runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn tshark_agrees() {
    if Command::new("tshark").arg("--version").output().is_err() {
        // Straight to the terminal, because the test harness hides what print macros write.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED tshark_agrees: tshark is not installed (apt-get install tshark)"
        );
        return;
    }
    let (bytes, truth, _) = mix(Settings {
        seed: 7,
        flows: 400,
        seconds: 20,
    });
    let file = std::env::temp_dir().join(format!("weir-benches-{}-tshark.pcap", std::process::id()));
    fs::write(&file, bytes).expect("writes");

    let bad = "_ws.malformed || tcp.analysis.flags || ip.checksum.status == 0 || tcp.checksum.status == 0 \
               || udp.checksum.status == 0 || dns.unsolicited";
    assert_eq!(
        tshark(&file, bad, "frame.number"),
        Vec::<String>::new(),
        "frames tshark complains about"
    );
    assert_eq!(tshark(&file, "frame", "frame.number").len() as u64, truth.packets);
    let fields = [
        (
            Kind::Tls,
            "tls.handshake.type == 1",
            "tls.handshake.extensions_server_name",
        ),
        (Kind::Dns, "dns.flags.response == 0", "dns.qry.name"),
        (Kind::Http, "http.request", "http.host"),
    ];
    for (kind, filter, field) in fields {
        let mut tally = NameTally::default();
        tshark(&file, filter, field)
            .iter()
            .for_each(|name| tally.add(name));
        assert_eq!(tally.summary(), *truth.names(kind), "{kind:?}");
    }
    assert_eq!(
        tshark(&file, "http.response", "http.response.code").len() as u64,
        truth.flows.http
    );
    assert_eq!(
        tshark(&file, "dns.response_to", "dns.id").len() as u64,
        truth.flows.dns,
        "every question is answered"
    );
    // The selected version stands in an extension of each of the two hellos.
    let hellos = tshark(
        &file,
        "tls.handshake.type == 2",
        "tls.handshake.extensions.supported_version",
    );
    assert_eq!(hellos.len() as u64, truth.flows.tls);
    assert!(
        hellos.iter().all(|version| version == "0x0304"),
        "TLS 1.3 everywhere"
    );
    fs::remove_file(file).expect("removes");
}
