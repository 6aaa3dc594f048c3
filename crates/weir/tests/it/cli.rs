//! The command line as people meet it: forms, exit codes, errors with the fix in them.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::run::{incident, root};

fn weir(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("weir starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn capture() -> String {
    incident().to_string_lossy().into_owned()
}

#[test]
fn json_is_one_object_a_line() {
    let done = weir(&["-r", &capture(), "--output", "json", "-q"]);
    assert_eq!(done.status.code(), Some(0));
    assert!(done.stderr.is_empty(), "{}", text(&done.stderr));
    for line in text(&done.stdout).lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["state"], "closed");
        assert!(!line.contains("null"));
    }
}

#[test]
fn flows_and_transactions() {
    let csv = text(&weir(&["-r", &capture(), "--flows", "csv", "-q"]).stdout);
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().count() > 3000);
    assert!(csv.lines().all(|line| line.split(',').count() == columns));
    let transactions = text(&weir(&["-r", &capture(), "--transactions", "json", "-q"]).stdout);
    let refused = transactions
        .lines()
        .filter(|line| line.contains(r#""smb.status":"C000006D""#))
        .count();
    assert_eq!(refused, 196, "195 guesses and one mistyped password");
}

#[test]
fn standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["-r", "-", "--output", "json", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = std::fs::read(incident()).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(&bytes));
    let done = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert_eq!(text(&done.stdout).lines().count(), 3);
}

#[test]
fn a_summary_for_people() {
    let done = weir(&["-r", &capture()]);
    let said = text(&done.stderr);
    assert!(
        said.contains("69,720 packets") && said.contains("3 events"),
        "{said}"
    );
    assert!(said.contains("inside networks guessed: private ranges"), "{said}");
    assert!(
        text(&done.stdout).contains("195 Samba log-ins"),
        "{}",
        text(&done.stdout)
    );
}

#[test]
fn errors_name_the_fix() {
    let missing = weir(&["-r", "/nonexistent.pcap"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing.stderr).contains("/nonexistent.pcap"),
        "{}",
        text(&missing.stderr)
    );
    let not_a_capture = weir(&["-r", &root().join("Cargo.toml").to_string_lossy()]);
    assert_eq!(not_a_capture.status.code(), Some(1));
    assert!(
        text(&not_a_capture.stderr).contains("pcap"),
        "{}",
        text(&not_a_capture.stderr)
    );
    assert_eq!(weir(&[]).status.code(), Some(2));
    assert_eq!(weir(&["--no-such-flag"]).status.code(), Some(2));
    let nearest = weir(&["methods", "DICTATACK"]);
    assert!(
        text(&nearest.stderr).contains("DICTATTACK"),
        "{}",
        text(&nearest.stderr)
    );
}

#[test]
fn one_bad_file_does_not_hide_the_good_one() {
    let done = weir(&["-r", "/nonexistent.pcap", &capture(), "--output", "json"]);
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(text(&done.stdout).lines().count(), 3);
}

#[test]
fn configuration_is_checked() {
    let folder = std::env::temp_dir().join(format!("weir-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("weir.toml");
    let run = |toml: &str| {
        std::fs::write(&path, toml).unwrap();
        let done = weir(&[
            "-r",
            &capture(),
            "--output",
            "json",
            "-q",
            "--config",
            &path.to_string_lossy(),
        ]);
        (
            done.status.code(),
            text(&done.stdout).lines().count(),
            text(&done.stderr),
        )
    };
    assert_eq!(run("[methods.dictattack]\nenabled = false\n").1, 2);
    assert_eq!(run("[methods.scans]\noff = [\"TCPSYN\"]\n").1, 2);
    let (code, _, said) = run("[methods.dictattack]\nattempts_mn = 5\n");
    assert_eq!(code, Some(2));
    assert!(said.contains("attempts_min"), "{said}");
    let (code, _, said) = run("[methods.dictattack]\nattempts_min = 0\n");
    assert_eq!(code, Some(2));
    assert!(said.contains("between"), "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_manual() {
    let list = text(&weir(&["methods"]).stdout);
    let page = text(&weir(&["methods", "dictattack"]).stdout);
    assert!(list.contains("DICTATTACK") && list.contains("attempts_min"));
    for heading in [
        "What it recognises",
        "How it decides",
        "When in doubt",
        "False positives",
        "Submethods",
        "Parameters",
    ] {
        assert!(page.contains(heading), "{heading}");
    }
}
