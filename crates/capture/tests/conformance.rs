//! Real captures: the pcapng test suite with its packet counts, and every capture at hand opened and read to
//! the end. They lie outside the repository (`WEIR_CAPTURES`, or `../shared/captures` beside it); without
//! them the tests skip.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use weir_capture::{CaptureError, CaptureFile};
use weir_wire::decode;

/// Packets in the files of hadrielk/pcapng-test-generator, as their descriptions and capinfos agree.
const PCAPNG_PACKETS: &[(&str, u64)] = &[
    ("basic/test001", 4),
    ("basic/test002", 0),
    ("basic/test003", 0),
    ("basic/test004", 4),
    ("basic/test005", 4),
    ("basic/test006", 5),
    ("basic/test007", 1),
    ("basic/test008", 4),
    ("basic/test009", 2),
    ("basic/test010", 4),
    ("basic/test011", 4),
    ("basic/test012", 4),
    ("basic/test013", 0),
    ("basic/test014", 0),
    ("basic/test015", 0),
    ("basic/test016", 4),
    ("basic/test017", 0),
    ("basic/test018", 4),
    ("advanced/test100", 5),
    ("advanced/test101", 4),
    ("advanced/test102", 5),
    ("difficult/test200", 0),
    ("difficult/test201", 4),
    ("difficult/test202", 8),
];

/// The folder of captures, or a visible word that there is none.
fn captures(test: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    let folder = std::env::var_os("WEIR_CAPTURES").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {test}: no captures (set WEIR_CAPTURES to their folder)");
    None
}

/// Reads to the end, decoding every packet; the packets read and what went wrong.
fn read(path: &Path) -> Result<(u64, Option<String>), CaptureError> {
    let mut capture = CaptureFile::open(path)?;
    while let Some(packet) = capture.next() {
        let decoded = decode(packet.link, packet.data, packet.frame_bytes);
        assert!(decoded.frame_bytes >= packet.frame_bytes);
    }
    Ok((capture.packets(), capture.trouble().map(str::to_owned)))
}

#[test]
fn pcapng_suite() {
    let Some(captures) = captures("pcapng_suite") else {
        return;
    };
    let suite = captures.join("conf/pcapng/hadrielk+pcapng-test-generator");
    for order in ["output_be", "output_le"] {
        for (name, packets) in PCAPNG_PACKETS {
            let path = suite.join(order).join(name).with_extension("pcapng");
            let outcome = read(&path).map_err(|error| error.to_string());
            assert_eq!(outcome, Ok((*packets, None)), "{order}/{name}");
        }
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            walk(&path, found)?;
        } else if let Some("pcap" | "pcapng" | "cap" | "trace" | "pcap_") = extension {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_capture_reads_to_its_end() {
    let Some(captures) = captures("every_capture_reads_to_its_end") else {
        return;
    };
    let mut files = Vec::new();
    walk(&captures, &mut files).unwrap();
    files.sort();
    let mut packets = 0;
    for path in &files {
        let name = path.strip_prefix(&captures).unwrap().display();
        match read(path) {
            Ok((read, trouble)) => {
                packets += read;
                if let Some(trouble) = trouble {
                    eprintln!("{name}: {trouble}");
                }
            }
            Err(error) => eprintln!("{error}"),
        }
    }
    eprintln!("{packets} packets in {} files", files.len());
    assert!(packets > 0 || files.is_empty());
}
