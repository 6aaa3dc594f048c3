//! The past asked again: `weir hunt`, `weir learn` and `weir pattern test` over a store that the demo incident filled, and
//! over the capture itself, which must say the same.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::run::incident;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-past-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder to write to");
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    /// A store of the incident.
    fn store(&self) -> String {
        let store = self.path("store");
        let capture = incident().to_string_lossy().into_owned();
        let done = weir(&["-r", &capture, "--no-detect", "--quiet", "--store", &store]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        store
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn weir(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .output()
        .expect("the binary runs")
}

/// What a run that succeeds prints.
fn said(arguments: &[&str]) -> String {
    let output = weir(arguments);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    String::from_utf8(output.stdout).expect("text")
}

/// What a run that fails complains of.
fn complains(arguments: &[&str]) -> String {
    let output = weir(arguments);
    assert!(!output.status.success(), "{arguments:?} was taken");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn events(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn what_was_not_known_then_is_found_now() {
    let folder = Folder::new("hunt");
    let store = folder.store();
    let found = events(&said(&[
        "hunt",
        "203.0.113.80",
        "intranet.corp.example",
        "--store",
        &store,
        "--output",
        "json",
    ]));
    let mut told: Vec<String> = found
        .iter()
        .map(|event| {
            format!(
                "{} {}",
                event["submethod"].as_str().unwrap(),
                event["detail"]["Indicator"].as_str().unwrap()
            )
        })
        .collect();
    told.sort();
    told.dedup();
    assert!(told.contains(&"Host 203.0.113.80".to_owned()), "{told:?}");
    assert!(
        told.contains(&"Domain intranet.corp.example".to_owned()),
        "{told:?}"
    );
    for event in &found {
        assert_eq!(event["method"], "BLACKLIST");
        assert_eq!(event["instance"], "retroactive");
        assert_eq!(event["detail"]["Retroactive"], true);
        assert!(event["evidence"]["flow_count"].as_u64().is_some());
    }
    let nothing = said(&["hunt", "192.0.2.77", "--store", &store, "--output", "json"]);
    assert_eq!(nothing, "");
    std::fs::write(folder.path("list.txt"), "# a list\n203.0.113.80\n").unwrap();
    let listed = said(&[
        "hunt",
        &folder.path("list.txt"),
        "--store",
        &store,
        "--output",
        "json",
    ]);
    assert_eq!(events(&listed)[0]["detail"]["BlacklistNames"][0], "list");
    let complaint = complains(&["hunt", "no-indicator", "--store", &store]);
    assert!(
        complaint.contains("neither a file nor an indicator"),
        "{complaint}"
    );
    let complaint = complains(&["hunt", "192.0.2.1", "--store", &folder.path("missing")]);
    assert!(complaint.contains("there is no store"), "{complaint}");
}

#[test]
fn a_store_and_its_capture_say_the_same_of_a_pattern() {
    let folder = Folder::new("pattern");
    let store = folder.store();
    let capture = incident().to_string_lossy().into_owned();
    let pattern = "where tcp having count > 20 and distinct dst port > 5 per src ip, dst ip within 5m";
    let of_store = said(&["pattern", "test", pattern, "--store", &store]);
    assert!(of_store.contains("USER_TEST: Pattern on trial"), "{of_store}");
    assert!(!of_store.contains(" 0 events"), "{of_store}");
    let of_capture = said(&["pattern", "test", pattern, "-r", &capture]);
    let counts = |text: &str| {
        text.lines()
            .find(|line| line.contains("passed the filter"))
            .map(str::to_owned)
    };
    assert_eq!(counts(&of_store), counts(&of_capture));
    let checked = said(&["pattern", "check"]);
    assert!(
        checked.contains("WormSpread: ") && checked.contains("from flows where"),
        "{checked}"
    );
    let complaint = complains(&["pattern", "check", "where dst prot 22"]);
    assert!(complaint.contains("did you mean port?"), "{complaint}");
    let complaint = complains(&["pattern", "test", "WrmSpread", "--store", &store]);
    assert!(complaint.contains("did you mean \"WormSpread\"?"), "{complaint}");
}

#[test]
fn taught_from_a_store_as_from_the_capture() {
    let folder = Folder::new("learn");
    let store = folder.store();
    let (one, two) = (folder.path("one"), folder.path("two"));
    let capture = incident().to_string_lossy().into_owned();
    let of_store = said(&[
        "learn",
        "--learned",
        &one,
        "--from",
        &store,
        "--inside",
        "192.168.0.0/16",
    ]);
    assert!(
        of_store.starts_with("method ") && of_store.contains("PEERS"),
        "{of_store}"
    );
    let of_capture = said(&[
        "learn",
        "--learned",
        &two,
        "--from",
        &capture,
        "--inside",
        "192.168.0.0/16",
    ]);
    let entities = |text: &str| -> Vec<Vec<String>> {
        text.lines()
            .map(|line| line.split_whitespace().take(3).map(str::to_owned).collect())
            .collect()
    };
    assert_eq!(entities(&of_store), entities(&of_capture));
    let status = said(&["learn", "--learned", &one, "--status"]);
    assert_eq!(status, of_store);
    let empty = Folder::new("nothing");
    assert!(
        said(&["learn", "--learned", &empty.path("."), "--status"]).starts_with("nothing has been learned")
    );
}

#[test]
fn lists_that_are_fetched_have_their_age() {
    let folder = Folder::new("feeds");
    let config = folder.path("weir.toml");
    let lists = "[[indicators]]\nname = \"far\"\nurl = \"http://127.0.0.1:9/list.txt\"\n";
    std::fs::write(&config, lists).unwrap();
    let listed = said(&["feeds", "list", "--config", &config]);
    assert!(
        listed.contains("list far (fetched): 0 indicators")
            && listed.contains("never")
            && listed.contains("due"),
        "{listed}"
    );
    let update = weir(&["feeds", "update", "--config", &config]);
    let text = String::from_utf8_lossy(&update.stdout).into_owned();
    assert!(
        !update.status.success() && text.contains("127.0.0.1 is not connected to (loopback)"),
        "{text}"
    );
    let listed = said(&["feeds", "list", "--config", &config]);
    assert!(listed.contains("failed 1 times"), "{listed}");
    let complaint = complains(&["feeds", "update", "--config", &config, "fra"]);
    assert!(
        complaint.contains("no list \"fra\" is fetched; did you mean \"far\"?"),
        "{complaint}"
    );
    let wrong = [
        ("url = \"http://user:secret@lists.example/\"", "holds a secret"),
        ("url = \"ftp://lists.example/\"", "must be a URL"),
        (
            "path = \"x\"\nurl = \"http://lists.example/\"",
            "one or the other",
        ),
        ("path = \"x\"\ninterval_s = 60", "is for lists with a url"),
        (
            "url = \"http://lists.example/\"\nvia = \"ftp\"",
            "must be \"file\"",
        ),
    ];
    for (line, why) in wrong {
        std::fs::write(&config, format!("[[indicators]]\nname = \"x\"\n{line}\n")).unwrap();
        let complaint = complains(&["feeds", "list", "--config", &config]);
        assert!(complaint.contains(why), "{line}: {complaint}");
    }
}
