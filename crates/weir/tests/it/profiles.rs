//! `weir profiles` as people meet it: counted while a capture is stored, and the same as the records say when asked.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::run::incident;

/// A folder of this test that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("weir-profiles-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("set-up of the test");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Exit code, standard output, standard error.
fn weir(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"));
    let done = weir
        .args(arguments)
        .env_remove("WEIR_STORE")
        .output()
        .expect("weir starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

fn printed(arguments: &[&str]) -> String {
    let (code, out, told) = weir(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {told}");
    out
}

/// Beginning, flows, packets and bytes of each line that counts something.
fn figures(lines: &str) -> Vec<(String, [u64; 3])> {
    let lines = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("a JSON object a line");
        let number = |key: &str| line[key].as_u64().unwrap_or(0);
        let time = line["time"].as_str().expect("a time").to_owned();
        (time, [number("flows"), number("packets"), number("bytes")])
    });
    lines.filter(|(_, figures)| figures[0] > 0).collect()
}

/// Stores the incident, counting a profile of TCP; gives configuration, store and capture.
fn stored(folder: &Folder) -> [String; 3] {
    let (config, store) = (folder.path("weir.toml"), folder.path("store"));
    let text = r#"
        lists.web = ["80", "443"]
        [[profiles]]
        name = "tcp"
        title = "TCP alone"
        filter = "proto tcp"
        channels = [{ name = "web", filter = "port in [@web]" }, { name = "rest", filter = "not port in [@web]" }]
    "#;
    std::fs::write(&config, text).expect("set-up of the test");
    let all = [config, store, incident().to_string_lossy().into_owned()];
    store_again(&all);
    all
}

fn store_again([config, store, capture]: &[String; 3]) {
    printed(&[
        "-r",
        capture,
        "--store",
        store,
        "--config",
        config,
        "--no-detect",
        "-q",
    ]);
}

/// A channel's numbers are what the records say when they are asked, at every step.
fn compare(store: &str, channel: &[&str], filter: &str) {
    for step in ["30s", "1m", "5m", "1d"] {
        let base = [
            "profiles", "--store", store, "series", "--output", "json", "--step", step,
        ];
        let counted = figures(&printed(&[&base, channel].concat()));
        let asked = printed(&[
            "flows", "--store", store, "--series", step, "-o", "json", "-q", filter,
        ]);
        assert!(!counted.is_empty());
        assert_eq!(counted, figures(&asked), "{channel:?} in steps of {step}");
    }
}

const REST: (&[&str], &str) = (
    &["tcp", "--channel", "rest"],
    "proto tcp and not port in [80 443]",
);

#[test]
fn counted_as_the_records_say() {
    let folder = Folder::new("counted");
    let [_, store, _] = stored(&folder);
    let list = printed(&["profiles", "--store", &store]);
    assert!(list.contains("all                  All sources: all\n"), "{list}");
    assert!(
        list.contains("tcp                  TCP alone: web, rest\n"),
        "{list}"
    );
    let steps = list.lines().filter(|line| line.starts_with("steps of"));
    assert_eq!(steps.count(), 3, "{list}");
    let shown = printed(&["profiles", "--store", &store, "show", "tcp"]);
    assert!(
        shown.contains("filter  proto tcp") && shown.contains("list    @web: 80 443"),
        "{shown}"
    );
    compare(&store, &["all"], "any");
    compare(&store, &["all", "--class", "udp"], "proto udp");
    compare(&store, REST.0, REST.1);
    let series = ["profiles", "--store", &store, "series", "all"];
    let table = printed(&series);
    assert!(
        table.starts_with("time") && table.contains("p95(duration)"),
        "{table}"
    );
    let csv = printed(&[&series[..], &["--output", "csv", "--class", "tcp"]].concat());
    assert_eq!(
        csv.lines().next(),
        Some(
            "time,flows,packets,bytes,bps,avg(rtt),avg(srt),retransmitted_packets,out_of_order_packets,rtr,\
             retransmission_index"
        )
    );
}

#[test]
fn counted_anew_ended_and_forgotten() {
    let folder = Folder::new("anew");
    let all = stored(&folder);
    let [config, store, _] = &all;
    printed(&["profiles", "--store", store, "fill", "tcp"]);
    compare(store, REST.0, REST.1);
    std::fs::write(config, "profiles = []\n").expect("set-up of the test");
    store_again(&all);
    let list = printed(&["profiles", "--store", store]);
    assert!(list.contains("web, rest, not counted any more"), "{list}");
    compare(store, &["all"], "any");
    printed(&["profiles", "--store", store, "forget", "tcp"]);
    assert!(!printed(&["profiles", "--store", store]).contains("tcp"));
}

#[test]
fn slips_are_told() {
    let folder = Folder::new("slips");
    let store = folder.path("store");
    let capture = incident().to_string_lossy().into_owned();
    let told = |arguments: &[&str]| {
        let (code, _, told) = weir(arguments);
        assert_ne!(code, Some(0), "{arguments:?}");
        told
    };
    assert!(told(&["profiles", "--store", &store]).contains("there is no store at"));
    assert!(told(&["profiles"]).contains("give --store DIR"));
    printed(&["-r", &capture, "--store", &store, "--no-detect", "-q"]);
    let base = ["profiles", "--store", &store];
    let of = |rest: &[&str]| told(&[&base, rest].concat());
    assert!(of(&["series", "al"]).contains("there is no profile \"al\"; there are all"));
    assert!(of(&["series", "all", "--channel", "b"]).contains("has no channel \"b\"; it has all"));
    assert!(of(&["series", "all", "--step", "45s"]).contains("no multiple of 30 seconds"));
    assert!(of(&["series", "all", "--step", "soon"]).contains("is no length of time"));
    assert!(of(&["series", "all", "--class", "sctp"]).contains("one of all, tcp, udp, icmp, other"));
    assert!(of(&["fill", "none"]).contains("no profile \"none\" is counted"));
    assert!(of(&["forget", "all"]).contains("no profile that has ended"));
    let config = folder.path("weir.toml");
    std::fs::write(&config, "[[profiles]]\nname = \"a\"\n").expect("set-up of the test");
    let outside = told(&[
        "-r",
        &capture,
        "--store",
        "clickhouse://127.0.0.1:1/weir",
        "--config",
        &config,
    ]);
    assert!(outside.contains("not in a ClickHouse"), "{outside}");
}
