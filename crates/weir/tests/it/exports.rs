//! Flow exports as input: told by content, and with a real exporter in between the same attacks are found as in packets.
//! The second part runs softflowd and takes seconds; it is switched on by `WEIR_SLOW`.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};
use weir_wire::export::Encoder;

use crate::run::{Kept, case, files_below, incident, root, run, shared, skipped};

/// Wanted for the socket that softflowd sends to, bytes.
const BUFFER_BYTES: usize = 32 << 20;

#[test]
fn captures_of_exports_are_told_by_content() {
    let Some(shared) = shared() else { return };
    let mut seen = 0;
    for path in files_below(&shared.join("flow")) {
        if path
            .extension()
            .is_some_and(|end| end == "pcap" || end == "ipfix")
        {
            let (kept, summary) = run(std::slice::from_ref(&path), 2);
            // Every capture there carries exports; most of the IPFIX files are broken on purpose.
            let capture = path.extension().is_some_and(|end| end == "pcap");
            assert!(!summary.exports.is_empty() || !capture, "{}", path.display());
            assert!(!kept.flows.is_empty() || !capture, "{}", path.display());
            assert!(kept.flows.is_sorted_by_key(|flow| flow.end), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 9);
    let (_, summary) = run(&[incident()], 1);
    assert!(summary.exports.is_empty(), "packets are not exports");
}

/// Method and submethod, source, targets: what must not depend on packets or records.
fn kinds(path: &Path) -> BTreeSet<String> {
    kinds_of(&run(&[path.to_owned()], 2).0)
}

fn kinds_of(kept: &Kept) -> BTreeSet<String> {
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

#[test]
fn softflowd_between_gives_the_same_events() {
    if std::env::var_os("WEIR_SLOW").is_none() {
        return skipped("set WEIR_SLOW=1 to run softflowd");
    }
    let folder = std::env::temp_dir().join(format!("weir-softflowd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let capture = folder.join("incident.pcap");
    let packed = std::fs::File::open(incident()).expect("the incident");
    let unpacked = Command::new("zstdcat")
        .stdin(packed)
        .output()
        .expect("zstdcat runs");
    std::fs::write(&capture, unpacked.stdout).expect("room for the capture");
    let want = kinds(&capture);
    for version in ["5", "9", "10"] {
        let exports = folder.join(format!("v{version}.pcap"));
        if !export(&capture, &exports, version) {
            return skipped("softflowd is not there");
        }
        assert_eq!(kinds(&exports), want, "softflowd -v {version}");
    }
    std::fs::remove_dir_all(&folder).expect("the temporary folder goes");
}

/// Every recording of the project's lab, by name.
fn recordings() -> Vec<(String, std::path::PathBuf)> {
    let folders = std::fs::read_dir(root().join("captures")).expect("the recordings");
    let mut found: Vec<_> = folders
        .flatten()
        .filter(|entry| entry.path().join("truth.tsv").is_file())
        .filter_map(|entry| {
            Some((
                entry.file_name().to_string_lossy().into_owned(),
                case(&entry.path())?,
            ))
        })
        .collect();
    found.sort();
    found
}

/// What docs/guide/collector.md says is lost (or otherwise) when the records of this exporter are read in place of the
/// packets: rows of its table as `exporter: recording: event`.
fn documented(exporter: &str) -> BTreeSet<String> {
    let guide = std::fs::read_to_string(root().join("docs/guide/collector.md")).expect("the guide");
    let rows = guide.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split('|').map(str::trim).collect();
        let [event, exporters, recordings, ..] = cells.as_slice() else {
            return None;
        };
        let event = event.trim_matches('`');
        let told = exporters.split(", ").any(|one| one == exporter) && event.contains('.');
        told.then(|| {
            recordings
                .split(", ")
                .map(move |recording| format!("{recording}: {event}"))
        })
    });
    rows.flatten().collect()
}

/// The events of one side that the other does not have, without source and targets.
fn beyond(recording: &str, these: &BTreeSet<String>, those: &BTreeSet<String>) -> Vec<String> {
    let name = |event: &String| event.split(' ').next().unwrap_or_default().to_owned();
    these
        .difference(those)
        .map(|event| format!("{recording}: {}", name(event)))
        .collect()
}

/// The events of a recording by name, with those that were merged into another: records may lack what made them one.
fn named(recording: &str, kept: &Kept) -> BTreeSet<String> {
    let events = kept.events.iter().flat_map(|event| {
        let lead = format!("{}.{}", event.lead.method.code, event.lead.submethod.name);
        event.also.iter().map(ToString::to_string).chain([lead])
    });
    events.map(|name| format!("{recording}: {name}")).collect()
}

/// Weir's own export in between: every event of the packets but those that the guide names, and no other.
#[test]
fn our_own_ipfix_file_gives_the_events_records_can() {
    let folder = std::env::temp_dir().join(format!("weir-ipfix-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let (mut compared, mut lost) = (0, BTreeSet::new());
    let (mut added, mut said) = (BTreeSet::new(), BTreeSet::new());
    for (name, capture) in recordings() {
        let (kept, _) = run(std::slice::from_ref(&capture), 2);
        let (mut encoder, mut bytes) = (Encoder::new(0), Vec::new());
        for flow in &kept.flows {
            bytes.extend(encoder.push(flow).unwrap_or_default());
        }
        bytes.extend(encoder.finish().unwrap_or_default());
        let file = folder.join(&name);
        std::fs::write(&file, bytes).expect("room for the file");
        let (want, got) = (kinds_of(&kept), kinds(&file));
        added.extend(beyond(&name, &got, &want));
        said.extend(named(&name, &kept));
        lost.extend(beyond(&name, &want, &got));
        compared += got.len();
    }
    assert!(compared >= 19, "{compared}");
    assert_eq!(lost, documented("own IPFIX"));
    assert!(added.is_subset(&said), "more than the packets say: {added:?}");
    std::fs::remove_dir_all(&folder).expect("the temporary folder goes");
}

/// softflowd in between, over every recording: what it loses is what the guide names, and it adds nothing.
#[test]
fn softflowd_between_loses_what_the_guide_names() {
    if std::env::var_os("WEIR_SLOW").is_none() {
        return skipped("set WEIR_SLOW=1 to run softflowd");
    }
    let folder = std::env::temp_dir().join(format!("weir-softflowd-all-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let (mut compared, mut lost) = (0, BTreeSet::new());
    let (mut added, mut said) = (BTreeSet::new(), BTreeSet::new());
    for (name, capture) in recordings() {
        let plain = folder.join(format!("{name}.pcap"));
        let unpacked = Command::new("zstdcat").arg("-f").arg(&capture).output();
        std::fs::write(&plain, unpacked.expect("zstdcat runs").stdout).expect("room for the capture");
        let exports = folder.join(format!("{name}.ipfix.pcap"));
        if !export(&plain, &exports, "10") {
            return skipped("softflowd is not there");
        }
        let ((kept, _), got) = (run(std::slice::from_ref(&plain), 2), kinds(&exports));
        let want = kinds_of(&kept);
        said.extend(named(&name, &kept));
        added.extend(beyond(&name, &got, &want));
        lost.extend(beyond(&name, &want, &got));
        compared += got.len();
    }
    assert!(compared >= 15, "{compared}");
    assert_eq!(lost, documented("softflowd"));
    assert!(added.is_subset(&said), "more than the packets say: {added:?}");
    std::fs::remove_dir_all(&folder).expect("the temporary folder goes");
}

/// Lets softflowd export a capture to a socket of ours and writes what came as a capture of raw IP packets.
fn export(capture: &Path, to: &Path, version: &str) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    // softflowd sends all in one burst; only root may go beyond the system's limit.
    if setsockopt(&socket, RcvBufForce, &BUFFER_BYTES).is_err() {
        setsockopt(&socket, RcvBuf, &BUFFER_BYTES).expect("a larger buffer");
    }
    socket
        .set_read_timeout(Some(Duration::from_secs(2)))
        .expect("a time-out");
    let port = socket.local_addr().expect("an address").port();
    let mut command = Command::new("softflowd");
    command
        .arg("-r")
        .arg(capture)
        .args(["-d", "-a", "-m", "1000000", "-c", "none", "-v", version]);
    command
        .args(["-n", &format!("127.0.0.1:{port}"), "-p"])
        .arg(to.with_extension("pid"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return false };
    // Nothing but receiving in this loop.
    let (mut bytes, mut datagrams) = ([0; 65_535], Vec::new());
    while let Ok((length, _)) = socket.recv_from(&mut bytes) {
        datagrams.push(bytes[..length].to_vec());
    }
    let head: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 101];
    let mut file = head.map(u32::to_le_bytes).concat();
    for datagram in datagrams {
        let total = datagram.len() as u16 + 28;
        let words = [1_800_000_000, 0, total.into(), u32::from(total)];
        file.extend(words.map(u32::to_le_bytes).concat());
        file.extend([0x45, 0]);
        file.extend(total.to_be_bytes());
        file.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        file.extend([40_000, 2_055, total - 20, 0].map(u16::to_be_bytes).concat());
        file.extend(datagram);
    }
    std::fs::write(to, file).expect("room for the exports");
    child.wait().is_ok_and(|status| status.success())
}
