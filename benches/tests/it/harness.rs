//! The whole comparison with a stand-in for Weir, a shell script that prints what it is told: right output passes every
//! content bar, missing output and unknown flags are misses, absent peers are skips.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use weir_benches::compare::report::Report;
use weir_benches::compare::{Options, capture, compare};
use weir_benches::mix::Settings;
use weir_benches::mix::truth::{Kind, Truth};

use crate::generator::mix;

const FLOWS: u64 = 40;

struct Fixture(PathBuf);

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes a mix with its truth and transactions as Weir would print them, the first `missing` left out.
fn fixture(name: &str, missing: usize) -> Fixture {
    let directory = std::env::temp_dir().join(format!("weir-benches-{}-{name}", std::process::id()));
    fs::create_dir_all(&directory).expect("creates");
    let (bytes, truth, names) = mix(Settings {
        seed: 3,
        flows: FLOWS,
        seconds: 5,
    });
    fs::write(directory.join("mix.pcap"), bytes).expect("writes");
    truth.write(&directory.join("mix.json")).expect("writes");
    let line = |(flow, (kind, name)): (usize, &(Kind, String))| {
        let key = ["tls.sni", "dns.query", "http.host"][*kind as usize];
        format!("{{\"flow_id\":\"{flow}\",\"fields\":{{\"{key}\":\"{name}\"}}}}\n")
    };
    let lines: String = names.iter().enumerate().skip(missing).map(line).collect();
    fs::write(directory.join("transactions"), lines).expect("writes");
    let flows: String = (0..=FLOWS).map(|flow| format!("{flow},tcp\n")).collect();
    fs::write(directory.join("flows"), flows).expect("writes");
    Fixture(directory)
}

fn run(directory: &Path, cases: &str, peers: &[&str]) -> Report {
    let weir = directory.join("weir");
    fs::write(
        &weir,
        format!(
            "#!/bin/sh\ncd {}\ncase \"$*\" in\n{cases}\nesac\n",
            directory.display()
        ),
    )
    .expect("writes");
    fs::set_permissions(&weir, fs::Permissions::from_mode(0o755)).expect("sets mode");
    compare(&Options {
        capture: directory.join("mix.pcap"),
        weir,
        runs: 2,
        peers: peers.iter().map(|peer| (*peer).to_owned()).collect(),
        truth: Some(directory.join("mix.json")),
        lists: None,
        scratch: directory.to_path_buf(),
    })
    .expect("compares")
}

fn content_misses(report: &Report) -> Vec<&String> {
    // The mix is too small for rates to mean anything here.
    report
        .missed()
        .iter()
        .filter(|miss| !miss.contains("Mpps") && !miss.contains("start-up"))
        .collect()
}

#[test]
fn complete_output_passes() {
    let fixture = fixture("complete", 0);
    let cases = "*--transactions*) cat transactions;;\n*'--no-dissect --no-detect'*) cat flows;;\n*--flows*) cat flows;;";
    let report = run(&fixture.0, cases, &[]);
    assert!(
        content_misses(&report).is_empty(),
        "{:#?}\n{}",
        report.missed(),
        report.text()
    );
    let rows = [
        "weir metering",
        "weir metering, flows",
        "weir dissecting",
        "weir whole line",
    ];
    assert!(
        rows.iter()
            .all(|row| report.text().contains(&format!("| {row} |"))),
        "{}",
        report.text()
    );
    assert!(
        report
            .text()
            .contains("| tls.sni | 22 | 22 | 0 | 100.000 | name |"),
        "{}",
        report.text()
    );
    assert!(
        report
            .text()
            .contains("| flows | 40 | 40 | 0 | 100.000 | count |"),
        "{}",
        report.text()
    );
    assert!(
        !report.text().contains(&fixture.0.display().to_string()),
        "no machine paths:\n{}",
        report.text()
    );
}

#[test]
fn lost_names_and_unknown_flags_are_misses() {
    let fixture = fixture("lossy", 4);
    let cases = "*--transactions*) cat transactions;;\n*--flows*) echo 'unknown flag' >&2; exit 2;;";
    let report = run(&fixture.0, cases, &[]);
    let misses = content_misses(&report);
    assert!(
        misses.iter().any(|miss| miss.starts_with("completeness of")),
        "{misses:#?}"
    );
    assert!(
        misses
            .iter()
            .any(|miss| miss.starts_with("flows:") && miss.contains("unknown flag")),
        "{misses:#?}"
    );
    assert!(
        misses
            .iter()
            .any(|miss| miss.starts_with("weir metering, flows: failed")),
        "{misses:#?}"
    );
}

#[test]
fn captures_are_counted_and_cut() {
    let fixture = fixture("cut", 0);
    let (whole, half) = (fixture.0.join("mix.pcap"), fixture.0.join("half.pcap"));
    let truth = Truth::read(&fixture.0.join("mix.json")).expect("reads");
    let size = capture::count(&whole).expect("counts");
    assert_eq!((size.packets, size.bytes), (truth.packets, truth.bytes));
    let cut = capture::copy_first(&whole, 10, &half).expect("copies");
    assert_eq!((cut.packets, capture::count(&half).expect("counts")), (10, cut));
    let bytes = fs::read(&whole).expect("reads");
    assert!(bytes.starts_with(&fs::read(&half).expect("reads")));
    // A file cut in the middle of a packet counts up to its last whole one.
    fs::write(&half, &bytes[..bytes.len() - 1]).expect("writes");
    assert_eq!(capture::count(&half).expect("counts").packets, truth.packets - 1);
    fs::write(&half, b"text").expect("writes");
    assert!(capture::count(&half).is_err());
}

#[test]
fn pcapng_is_counted_and_cut() {
    let fixture = fixture("pcapng", 0);
    let file = fixture.0.join("three.pcapng");
    let block = |kind: u32, body: &[u8]| {
        let length = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    };
    let packet = |captured: u8| {
        let mut body = vec![0; 20 + captured as usize];
        body[12] = captured;
        body[16] = captured;
        block(6, &body)
    };
    let section = block(
        0x0a0d_0d0a,
        &[
            0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
        ],
    );
    let head = [section, block(1, &[1, 0, 0, 0, 0, 0, 4, 0])].concat();
    let bytes = [head.clone(), packet(64), packet(60), packet(8)].concat();
    fs::write(&file, &bytes).expect("writes");
    assert_eq!(
        capture::count(&file).expect("counts"),
        capture::Size {
            packets: 3,
            bytes: 132
        }
    );
    let cut = fixture.0.join("two.pcapng");
    assert_eq!(
        capture::copy_first(&file, 2, &cut).expect("copies"),
        capture::Size {
            packets: 2,
            bytes: 124
        }
    );
    assert_eq!(
        fs::read(&cut).expect("reads"),
        [head, packet(64), packet(60)].concat()
    );
}
