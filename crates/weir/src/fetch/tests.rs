//! Fetching against servers of our own on loopback: what is taken, what is refused, what stays when something breaks.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};

use super::*;

mod tls;

/// A server that answers by path and query, and notes the headers it was asked with.
struct Double {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Double {
    /// Answers are whole: status line, headers, body.
    fn new(answers: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let double = Self {
            address,
            asked: Arc::default(),
            answers: Arc::default(),
        };
        answers.iter().for_each(|(path, answer)| double.set(path, answer));
        let (asked, answers) = (double.asked.clone(), double.answers.clone());
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> = lines
                    .by_ref()
                    .map_while(|line| line.ok().filter(|line| !line.is_empty()))
                    .collect();
                let path = head
                    .first()
                    .and_then(|line| line.split(' ').nth(1))
                    .unwrap_or_default();
                let answer = answers.lock().unwrap().get(path).cloned();
                asked.lock().unwrap().push(head.join("\n"));
                let answer = answer
                    .unwrap_or_else(|| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned());
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        double
    }

    fn set(&self, path: &str, answer: &str) {
        self.answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), answer.to_owned());
    }

    fn last(&self) -> String {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// A list from here, in a folder of the test.
    fn remote(&self, name: &str, path: &str) -> Remote {
        let folder = std::env::temp_dir().join(format!("weir-fetch-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Remote {
            name: name.to_owned(),
            url: format!("{}{path}", self.address).parse().unwrap(),
            via: Via::File,
            interval_s: 3600,
            bytes_max: 4096,
            timeout_s: 2,
            private: true,
            header_file: None,
            ca_file: None,
            collection: None,
            spec: ListSpec::new(name),
            format: None,
            folder,
        }
    }
}

fn ok(headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn content(remote: &Remote) -> String {
    fs::read_to_string(remote.content()).unwrap_or_else(|error| error.to_string())
}

/// What an update says, and what the state keeps of it.
fn update(remote: &Remote, expect: Expect) {
    let said = match remote.update(false) {
        Ok(fetched) => format!("{fetched:?}"),
        Err(error) => error.to_string(),
    };
    let state = remote.state();
    let shown = format!(
        "{said}; {} indicators, failures {}",
        state.indicators, state.failures
    );
    expect.assert_eq(&shown.replace(&remote.url.to_string(), "URL"));
}

#[test]
fn only_what_changed_is_taken() {
    let list = "192.0.2.1\n192.0.2.2\n";
    let double = Double::new(&[(
        "/a",
        ok(
            "ETag: \"one\"\r\nLast-Modified: Sun, 01 Nov 2026 00:00:00 GMT\r\n",
            list,
        ),
    )]);
    let remote = double.remote("changed", "/a");
    update(&remote, expect!["Changed; 2 indicators, failures 0"]);
    assert_eq!(content(&remote), list);
    assert!(!double.last().contains("If-None-Match"));
    double.set("/a", "HTTP/1.1 304 Not Modified\r\n\r\n");
    update(&remote, expect!["Same; 2 indicators, failures 0"]);
    let asked = double.last();
    assert!(
        asked.contains("If-None-Match: \"one\"\nIf-Modified-Since: Sun, 01 Nov"),
        "{asked}"
    );
    // The same content without marks is the same, too.
    double.set("/a", &ok("", list));
    update(&remote, expect!["Same; 2 indicators, failures 0"]);
    let state = remote.state();
    assert_eq!(remote.due_s(&state), state.tried_s + 3600);
}

#[test]
fn the_last_good_copy_stays() {
    let double = Double::new(&[("/a", ok("", "192.0.2.1\n"))]);
    let remote = double.remote("stays", "/a");
    update(&remote, expect!["Changed; 1 indicators, failures 0"]);
    double.set("/a", &ok("", "<html>come back later</html>"));
    update(
        &remote,
        expect![[
            r#"what came is refused, the copy before stays: no indicator in it, read as plain, first line 1: "<html>come" is neither address, domain, URL nor fingerprint; 1 indicators, failures 1"#
        ]],
    );
    double.set("/a", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    update(
        &remote,
        expect!["the server answers 503; 1 indicators, failures 2"],
    );
    double.set("/a", "what is HTTP?\r\n\r\n");
    update(
        &remote,
        expect!["what answered does not speak HTTP; 1 indicators, failures 3"],
    );
    double.set("/a", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    update(
        &remote,
        expect!["the answer is shorter than it says; 1 indicators, failures 4"],
    );
    assert_eq!(content(&remote), "192.0.2.1\n");
    let state = remote.state();
    assert_eq!(
        remote.due_s(&state),
        state.tried_s + 960,
        "rarer with every failure"
    );
    double.set("/a", &ok("", "192.0.2.1\n192.0.2.9\n"));
    update(&remote, expect!["Changed; 2 indicators, failures 0"]);
}

#[test]
fn a_copy_that_shrank_is_held() {
    let many: String = (0..200).map(|last| format!("198.51.100.{last}\n")).collect();
    let double = Double::new(&[("/a", ok("", &many))]);
    let remote = double.remote("shrank", "/a");
    update(&remote, expect!["Changed; 200 indicators, failures 0"]);
    double.set("/a", &ok("", "192.0.2.1\n"));
    update(
        &remote,
        expect![
            "what came is refused, the copy before stays: 1 indicators where 200 were; weir feeds update shrank --accept takes it; 200 indicators, failures 1"
        ],
    );
    assert_eq!(remote.update(true).unwrap(), Fetched::Changed);
    assert_eq!(content(&remote), "192.0.2.1\n");
}

#[test]
fn nothing_larger_longer_or_elsewhere() {
    let double = Double::new(&[
        ("/large", ok("", &"192.0.2.1\n".repeat(1000))),
        (
            "/endless",
            format!("HTTP/1.1 200 OK\r\n\r\n{}", "192.0.2.1\n".repeat(1000)),
        ),
        (
            "/chunks",
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
                "a".repeat(99)
            ),
        ),
        (
            "/headers",
            format!("HTTP/1.1 200 OK\r\nX: {}\r\n", "a".repeat(80_000)),
        ),
        (
            "/circle",
            "HTTP/1.1 302 Found\r\nLocation: /circle\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ),
        (
            "/cloud",
            "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
        ),
        (
            "/file",
            "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ),
    ]);
    let refused = |path: &str, expect: Expect| update(&double.remote(&path[1..], path), expect);
    refused(
        "/large",
        expect!["it has more than 4096 bytes; size_max_mib allows more; 0 indicators, failures 1"],
    );
    refused(
        "/endless",
        expect!["it has more than 4096 bytes; size_max_mib allows more; 0 indicators, failures 1"],
    );
    refused(
        "/chunks",
        expect!["it has more than 4096 bytes; size_max_mib allows more; 0 indicators, failures 1"],
    );
    refused(
        "/headers",
        expect!["headers without end; 0 indicators, failures 1"],
    );
    refused(
        "/circle",
        expect!["too many redirections; 0 indicators, failures 1"],
    );
    refused(
        "/cloud",
        expect![
            "169.254.169.254 is not connected to (link-local: hosts of clouds keep their secrets there); private = true allows servers inside; 0 indicators, failures 1"
        ],
    );
    refused(
        "/file",
        expect!["file:// is not fetched: http or https; 0 indicators, failures 1"],
    );
}

#[test]
fn nobody_inside_and_nobody_silent() {
    let double = Double::new(&[]);
    let outside = Remote {
        private: false,
        ..double.remote("inside", "/large")
    };
    update(
        &outside,
        expect![
            "127.0.0.1 is not connected to (loopback); private = true allows servers inside; 0 indicators, failures 1"
        ],
    );
    // A server that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = Remote {
        url: format!("http://{}/", silent.local_addr().unwrap())
            .parse()
            .unwrap(),
        timeout_s: 1,
        ..double.remote("silent", "/")
    };
    update(
        &remote,
        expect!["it took too long; timeout_s allows more; 0 indicators, failures 1"],
    );
}

#[test]
fn chunks_gzip_and_secrets() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n192.0.\r\n4\r\n2.1\n\r\n0\r\n\r\n";
    let double = Double::new(&[("/chunks", chunked.to_owned())]);
    let other = Double::new(&[("/there", ok("", "192.0.2.7\n"))]);
    let moved = format!(
        "HTTP/1.1 301 Moved\r\nLocation: {}/there\r\nContent-Length: 0\r\n\r\n",
        other.address
    );
    double.set("/moved", &moved);
    let mut remote = double.remote("chunks", "/chunks");
    update(&remote, expect!["Changed; 1 indicators, failures 0"]);
    let secret = remote.folder.join("secret");
    fs::write(&secret, "Authorization: Bearer abc\n").unwrap();
    remote.header_file = Some(secret.clone());
    remote.url = format!("{}/moved", double.address).parse().unwrap();
    update(&remote, expect!["Changed; 1 indicators, failures 0"]);
    assert!(double.last().contains("Authorization: Bearer abc"));
    assert!(
        !other.last().contains("Authorization"),
        "a secret stays with whom it is for"
    );
    fs::write(&secret, "no header").unwrap();
    assert!(remote.update(false).is_err());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all("192.0.2.1\n".repeat(5000).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(unpacked(packed.clone(), 50_000).unwrap().len(), 50_000);
    assert!(matches!(unpacked(packed, 49_999), Err(FetchError::TooLarge(_))));
}

#[test]
fn a_misp_feed() {
    let event = |value: &str| {
        ok(
            "",
            &format!(
                r#"{{"Event":{{"info":"x","Attribute":[{{"type":"domain","value":"{value}","to_ids":true}}]}}}}"#
            ),
        )
    };
    let (one, two) = (
        "11111111-1111-4111-8111-111111111111",
        "22222222-2222-4222-8222-222222222222",
    );
    let manifest = |entries: &[(&str, u32)]| {
        let all: Vec<String> = entries
            .iter()
            .map(|(uuid, at)| format!(r#""{uuid}":{{"timestamp":"{at}"}}"#))
            .collect();
        ok("", &format!("{{{}}}", all.join(",")))
    };
    let double = Double::new(&[
        (
            "/feed/manifest.json",
            manifest(&[(one, 1), (two, 1), ("../../etc/passwd", 1)]),
        ),
        (&format!("/feed/{one}.json"), event("one.example")),
        (&format!("/feed/{two}.json"), event("two.example")),
    ]);
    let remote = Remote {
        via: Via::Misp,
        ..double.remote("misp", "/feed")
    };
    update(&remote, expect!["Changed; 2 indicators, failures 0"]);
    let asked = double.asked();
    update(&remote, expect!["Same; 2 indicators, failures 0"]);
    assert_eq!(double.asked(), asked + 1, "only the manifest");
    double.set("/feed/manifest.json", &manifest(&[(one, 2)]));
    double.set(&format!("/feed/{one}.json"), &event("new.example"));
    update(&remote, expect!["Changed; 1 indicators, failures 0"]);
    let texts = folder_texts(&remote.content()).unwrap();
    assert_eq!(texts.len(), 1);
    assert!(String::from_utf8_lossy(&texts[0]).contains("new.example"));
    // A crash between the two renames leaves the folder beside its place.
    fs::rename(remote.content(), remote.folder.join("content.old")).unwrap();
    remote.recover();
    assert!(remote.content().is_dir());
}

fn indicator(id: u32, modified: &str, name: &str) -> String {
    format!(
        r#"{{"type":"indicator","spec_version":"2.1","id":"indicator--{id}","modified":"{modified}","pattern_type":"stix","pattern":"[domain-name:value = '{name}']"}}"#
    )
}

fn page(next: &str, last: &str, objects: &[String]) -> String {
    let more = if next.is_empty() {
        "false".to_owned()
    } else {
        format!(r#"true,"next":"{next}""#)
    };
    let body = format!(r#"{{"more":{more},"objects":[{}]}}"#, objects.join(","));
    ok(&format!("X-TAXII-Date-Added-Last: {last}\r\n"), &body)
}

const OBJECTS: &str = "/root/collections/c1/objects/?limit=1000";

/// A server with a closed collection and one of two pages.
fn taxii() -> Double {
    let double = Double::new(&[]);
    let discovery = format!(
        r#"{{"title":"t","default":"{}/root/","api_roots":[]}}"#,
        double.address
    );
    double.set("/taxii2/", &ok("", &discovery));
    double.set(
        "/root/collections/",
        &ok("", r#"{"collections":[{"id":"c0","title":"closed","can_read":false},{"id":"c1","title":"bad names","can_read":true}]}"#),
    );
    let malware = r#"{"type":"malware","id":"malware--1"}"#.to_owned();
    let first = [indicator(1, "a", "one.example"), malware];
    double.set(OBJECTS, &page("n 2", "2026-01-01T00:00:00Z", &first));
    let second = [indicator(2, "a", "two.example")];
    double.set(
        &format!("{OBJECTS}&next=n+2"),
        &page("", "2026-01-02T00:00:00Z", &second),
    );
    double
}

#[test]
fn a_taxii_server() {
    let double = taxii();
    let remote = Remote {
        via: Via::Taxii,
        collection: Some("bad names".to_owned()),
        ..double.remote("taxii", "/taxii2")
    };
    update(&remote, expect!["Changed; 2 indicators, failures 0"]);
    assert!(
        double
            .last()
            .contains("Accept: application/taxii+json;version=2.1")
    );
    let since = format!("{OBJECTS}&added_after=2026-01-02T00%3A00%3A00Z");
    let changed = [indicator(1, "b", "changed.example")];
    double.set(&since, &page("", "2026-01-03T00:00:00Z", &changed));
    update(&remote, expect!["Changed; 2 indicators, failures 0"]);
    let bundle = content(&remote);
    assert!(
        bundle.contains("changed.example") && !bundle.contains("one.example"),
        "{bundle}"
    );
    let since = format!("{OBJECTS}&added_after=2026-01-03T00%3A00%3A00Z");
    double.set(&since, &ok("", "{}"));
    update(&remote, expect!["Same; 2 indicators, failures 0"]);
    double.set(&since, &ok("", "[1,2]"));
    update(
        &remote,
        expect!["the answer is not what TAXII says; 2 indicators, failures 1"],
    );
    let unknown = Remote {
        collection: Some("closed".to_owned()),
        ..remote
    };
    update(
        &unknown,
        expect!["there is no such collection that we may read; 2 indicators, failures 2"],
    );
}
