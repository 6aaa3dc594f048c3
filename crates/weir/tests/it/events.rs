//! `weir -r --events` and `weir events`: the program as people call it, over a database in a folder of the test's own.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::run::incident;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-cli-events-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn weir(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command
            .args(arguments)
            .arg("--store")
            .arg(&self.0)
            .env("USER", "kim");
        command.output().expect("the binary runs")
    }

    /// Standard output of `weir events ...`, which must succeed.
    fn events(&self, arguments: &[&str]) -> String {
        let output = self.weir(&[&["events"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn read(&self) -> (String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .arg("-r")
            .arg(incident())
            .args(["--quiet", "--output", "json", "--events"])
            .arg(&self.0)
            .output()
            .expect("the binary runs");
        assert!(output.status.success());
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(output.stdout), text(output.stderr))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// What is printed is stored, to the byte; twice over changes nothing, and storing changes nothing of what is printed.
#[test]
fn what_is_told_is_stored() {
    let folder = Folder::new("told");
    let (told, troubles) = folder.read();
    assert_eq!((folder.read().0, troubles.as_str()), (told.clone(), ""));
    let plain = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("-r")
        .arg(incident())
        .args(["--quiet", "--output", "json"])
        .output()
        .expect("the binary runs");
    assert_eq!(String::from_utf8_lossy(&plain.stdout), told);
    let told = lines(&told);
    assert!(!told.is_empty());
    let listed = lines(&folder.events(&["-o", "json", "-n", "1000"]));
    assert_eq!(listed.len(), told.len());
    for event in told {
        let id = event["id"].as_str().expect("an id");
        let shown = lines(&folder.events(&["show", id, "-o", "json"]));
        assert_eq!(shown[0]["event"], event);
        assert_eq!(shown[0]["state"], "closed");
    }
}

#[test]
fn people_work_with_events() {
    let folder = Folder::new("work");
    folder.read();
    let listed = lines(&folder.events(&["-o", "json", "--method", "DICTATTACK"]));
    let id = listed[0]["id"].as_str().expect("an id")[..18].to_owned();
    for work in [
        &["ack", &id][..],
        &["label", "to watch", &id],
        &["category", "case 7", &id, "--progress", "in-work"],
        &["comment", "called the owner", &id, "--as", "lee"],
        &["assign", "lee", &id],
        &["false-positive", &id, "--note", "our scanner"],
        &["pin", &id],
    ] {
        assert!(folder.events(work).ends_with(" done\n"), "{work:?}");
    }
    assert!(folder.events(&["ack", &id]).ends_with("was so already\n"));
    // The next run stores the same events anew; the work stays.
    folder.read();
    let text = folder.events(&["show", &id]);
    for part in [
        "acknowledged, false positive, pinned, lee [to watch]",
        "our scanner",
        "lee: called the owner",
        "case 7 (in work) by kim",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(
        folder.events(&["--false-positives", "without", "--with-label", "to watch"]),
        "0 of 0 events\n"
    );
    assert!(
        folder
            .events(&["count", "--by", "workflow"])
            .contains("1  acknowledged")
    );
    assert!(
        folder
            .events(&["histogram", "--step", "1h", "-o", "csv"])
            .starts_with("start,step_s,priority,events\n")
    );
    assert!(folder.events(&["-o", "csv"]).lines().count() > 1);

    let audit = folder.events(&["audit", &id]);
    assert_eq!(audit.lines().count(), 7, "{audit}");
    let verified = folder.events(&["audit", "--verify"]);
    let head = verified
        .split_whitespace()
        .skip_while(|word| *word != "head")
        .nth(1)
        .expect("a head");
    folder.events(&["retain", "--older-than", "1s"]);
    assert_eq!(
        folder.events(&["count", "--by", "method"]).trim(),
        "1  DICTATTACK"
    );
    folder.events(&["audit", "--verify", "--head", head]);
    let lost = folder.weir(&["events", "audit", "--verify", "--head", "0123"]);
    assert_eq!(lost.status.code(), Some(1));
}

const PERSPECTIVES: &str = r#"{"format": "weir perspectives 1", "perspectives": [
    {"name": "servers", "title": "Servers", "otherwise": "hidden", "rules": [
        {"methods": ["DICTATTACK"], "target": "port 445", "give": "critical"},
        {"methods": ["UPLOAD"], "give": "informational"}]},
    {"name": "listed", "title": "Listed", "rules": [{"source": "ip in @servers", "give": "hidden"}], "otherwise": "own"},
    {"name": "Bad Name", "title": "Bad", "otherwise": "own"}]}"#;

#[test]
fn events_are_seen_from_a_perspective() {
    let folder = Folder::new("perspective");
    folder.read();
    let file = folder.0.join("perspectives.json");
    std::fs::write(&file, PERSPECTIVES).expect("written");
    let file = file.to_str().expect("text");
    let kept = folder.events(&["perspectives", "--import", file]);
    assert!(
        kept.starts_with("servers kept\nlisted kept\nBad Name not kept: /name: "),
        "{kept}"
    );
    let seen = lines(&folder.events(&["--perspective", "servers", "-o", "json", "--sort", "oldest"]));
    let seen: Vec<(&str, &str)> = seen
        .iter()
        .map(|event| {
            (
                event["method"].as_str().unwrap_or(""),
                event["priority"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(seen, [("DICTATTACK", "critical"), ("UPLOAD", "informational")]);
    let count = folder.events(&["count", "--by", "priority", "--perspective", "servers"]);
    assert!(
        count.contains("1  critical") && count.contains("1  informational") && count.lines().count() == 2,
        "{count}"
    );
    let listed = folder.events(&["perspectives"]);
    assert!(
        listed.contains("security") && listed.contains("Servers (2 rules, otherwise hidden)"),
        "{listed}"
    );
    let exported = folder.events(&["perspectives", "--export"]);
    std::fs::write(file, &exported).expect("written");
    folder.events(&["perspectives", "--import", file]);
    assert_eq!(folder.events(&["perspectives", "--export"]), exported);
    let said = |arguments: &[&str]| {
        let output = folder.weir(arguments);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let none = said(&["events", "--perspective", "none"]);
    assert!(none.contains("`weir events perspectives` lists them"), "{none}");
    let lists = said(&["events", "--perspective", "listed"]);
    assert!(lists.contains("--remote"), "{lists}");
}

/// What methods learn is kept in files, taken up again, and a file that is damaged costs its method's memory alone.
#[test]
fn learned_state_outlives_the_program() {
    let folder = Folder::new("learned");
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .arg("-r")
            .arg(incident())
            .args(["--quiet", "--output", "json", "--shards", "3", "--learned"])
            .arg(&folder.0)
            .output()
            .expect("the binary runs");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_eq!(run(), "");
    let dos = folder.0.join("dos.default.learned");
    let first = std::fs::read(&dos).expect("DOS keeps what it learns");
    assert_eq!(run(), "");
    assert_ne!(
        std::fs::read(&dos).expect("kept again"),
        first,
        "the second run added to the first"
    );
    std::fs::write(&dos, &first[..first.len() / 2]).expect("writable");
    let said = run();
    assert!(
        said.contains("dos.default.learned: its method learns anew"),
        "{said}"
    );
    assert_eq!(run(), "");
}

#[test]
fn errors_say_what_to_do() {
    let folder = Folder::new("errors");
    let said = |arguments: &[&str]| {
        let output = folder.weir(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["events"]).contains("fill one with: weir -r capture.pcap --events"));
    folder.read();
    assert!(said(&["events", "show", "ffffffff"]).contains("`weir events` lists them"));
    assert!(said(&["events", "ack"]).contains("say which events"));
    assert!(said(&["events", "--since", "yesterday"]).contains("24h"));
    assert!(said(&["events", "--after", "d1"]).contains("start again without it"));
    let none = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("events")
        .output()
        .expect("the binary runs");
    assert!(String::from_utf8_lossy(&none.stderr).contains("--store DIR"));
    let elsewhere = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("-r")
        .arg(incident())
        .args(["--events", "mysql://db/weir"])
        .output()
        .expect("the binary runs");
    assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("there is no mysql:// database"));
}
