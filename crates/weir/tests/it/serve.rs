//! The whole program: first start, a capture dropped into the watched folder, the events over HTTP, the stop.

#![expect(
    clippy::unwrap_used,
    reason = "what these helpers need is there, or the test has failed"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::{Value, json};
use weir_testkit::server;

mod any_call;
mod remote;

const PATIENCE: Duration = Duration::from_secs(60);

struct House {
    child: Child,
    lines: Receiver<String>,
    folder: PathBuf,
    address: String,
    cookie: String,
    csrf: String,
}

impl House {
    fn start(name: &str, args: &[&str]) -> Self {
        Self::start_at(name, args, "127.0.0.1:0")
    }

    fn start_at(name: &str, args: &[&str], listen: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("weir-serve-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("watched")).unwrap();
        let mut house = Self {
            child: Self::spawn(&folder, args, listen),
            lines: channel().1,
            folder,
            address: String::new(),
            cookie: String::new(),
            csrf: String::new(),
        };
        house.listen();
        house
    }

    fn spawn(folder: &Path, args: &[&str], listen: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(args)
            .args(["--listen", listen])
            .env("TMPDIR", folder)
            .env("AWS_ACCESS_KEY_ID", "any")
            .env("AWS_SECRET_ACCESS_KEY", "thing")
            .stderr(Stdio::piped())
            .current_dir(folder)
            .spawn()
            .unwrap()
    }

    fn listen(&mut self) {
        let stderr = self.child.stderr.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        self.lines = lines;
        let line = self.line("open http");
        self.address = line.split("://").nth(1).unwrap().trim_end_matches('/').to_owned();
    }

    /// Waits for a line that has this in it.
    fn line(&self, wanted: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut all = Vec::new();
        while let Ok(line) = self
            .lines
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if line.contains(wanted) {
                return line;
            }
            all.push(line);
        }
        panic!("no line with {wanted:?}: {all:?}");
    }

    fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map_or_else(String::new, |body| body.to_string());
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} /api/v1{path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             cookie: {}\r\nx-weir-csrf: {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.cookie,
            self.csrf,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        if let Some((_, cookie)) = head.split_once("set-cookie: ") {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Makes the administrator and logs in.
    fn set_up(&mut self) {
        let token = self.line("first start").rsplit(' ').next().unwrap().to_owned();
        assert_eq!(self.ask("GET", "/events", None).0, 401);
        self.csrf = "any".to_owned();
        let set_up = json!({"token": token, "name": "ann", "password": "correct horse battery staple"});
        let (status, session) = self.ask("POST", "/setup", Some(set_up));
        assert_eq!(status, 200, "{session}");
        self.csrf = session["user"]["csrf"].as_str().unwrap().to_owned();
    }

    /// Asks until the answer is as wanted.
    fn until(&mut self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let (_, answer) = self.ask("GET", path, None);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{path}: {answer}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Makes the rule the event proposes, and lets the same traffic come again: it is hidden and counted.
    fn call_it_harmless(&mut self, id: &str) {
        let (_, mut rule) = self.ask("GET", &format!("/events/{id}/false-positive"), None);
        rule["note"] = "a test of ours".into();
        let (status, made) = self.ask("POST", "/false-positives", Some(rule));
        assert_eq!(status, 201, "{made}");
        std::fs::copy(incident(), self.folder.join("watched/same-again.pcap.zst")).unwrap();
        self.line("read same-again.pcap.zst");
        let rules = self.until("/false-positives", |rules| rules[0]["hits"].as_i64() > Some(0));
        assert_eq!(rules[0]["author"], "ann");
    }

    /// Stops it as an operator would; returns how it ended and how long that took.
    fn stop(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let ended = self.child.wait().unwrap();
        (ended.code(), begun.elapsed())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn incident() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/incident/incident.pcap.zst")
}

const SPAN: &str = "since=2026-11-22T00:00:00Z&until=2026-11-23T00:00:00Z";

#[test]
fn from_the_first_start_to_the_stop() {
    let args = ["serve", "--store", "store", "--watch", "watched", "--no-collect"];
    let mut house = House::start("whole", &args);
    house.set_up();
    std::fs::copy(incident(), house.folder.join("watched/incident.pcap.zst")).unwrap();
    house.line("read incident.pcap.zst");
    let page = house.until(&format!("/events?{SPAN}"), |page| {
        page["events"].as_array().is_some_and(|all| all.len() == 3)
    });
    let methods: Vec<&str> = page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["method"].as_str().unwrap())
        .collect();
    assert_eq!(methods, ["UPLOAD", "SCANS", "DICTATTACK"]);
    // As many as `weir -r` tells; what is not synced yet is not shown.
    let overview = format!("/overview?{SPAN}");
    let told = house.until(&overview, |overview| overview["traffic"]["flows"] == 3648);
    let performance = &told["performance"];
    let points = performance["points"].as_array().unwrap();
    let flows = points.iter().filter_map(|point| point["rtt"]["flows"].as_u64());
    assert_eq!(
        Some(flows.sum()),
        performance["rtt"]["flows"].as_u64(),
        "{performance}"
    );
    let index = performance["retransmissions"]["index"].as_f64().unwrap();
    assert!(index > 99.0 && index <= 100.0, "{performance}");
    assert!(performance["srt"]["avg_ms"].as_f64() <= performance["srt"]["max_ms"].as_f64());
    let health = house.until("/health", |health| {
        health["status"]["sources"][0]["state"] == "done"
    });
    assert_eq!(health["level"], "good", "{health}");
    assert_eq!(health["status"]["books"][0]["even"], true);
    house.call_it_harmless(page["events"][2]["id"].as_str().unwrap());
    let (code, took) = house.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    // Again: everything is there, nobody is asked to set up, and no file is read twice.
    house.child = House::spawn(&house.folder, &args, "127.0.0.1:0");
    house.listen();
    let (_, session) = house.ask("GET", "/session", None);
    assert_eq!(
        (&session["needs_setup"], &session["user"]),
        (&json!(false), &Value::Null),
        "sessions end"
    );
    let log_in = json!({"name": "ann", "password": "correct horse battery staple"});
    let (_, session) = house.ask("POST", "/session", Some(log_in));
    house.csrf = session["user"]["csrf"].as_str().unwrap().to_owned();
    std::thread::sleep(Duration::from_secs(3));
    let (_, again) = house.ask("GET", &overview, None);
    assert_eq!(again["traffic"]["flows"], 2 * 3648);
    assert_eq!(house.stop().0, Some(0));
}

/// Flow records in an object store: searched there, counted in health, told by `--info`. Events in a MongoDB as well, which is
/// away for a while.
#[test]
fn flows_and_events_go_elsewhere() {
    let Some(seaweed) = server::seaweed("flows") else {
        return;
    };
    let mongo_port = server::free_port();
    let folder = std::env::temp_dir().join(format!("weir-serve-elsewhere-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let url = format!(
        "s3://flows/site?endpoint=http://127.0.0.1:{}&region=any&local={}",
        seaweed.port,
        folder.join("local").display()
    );
    let copy = format!("mongodb://127.0.0.1:{mongo_port}/siem");
    let text = format!("[serve]\nflows = {url:?}\nevents_copy = {copy:?}\n");
    std::fs::write(folder.join("weir.toml"), text).unwrap();
    let args = [
        "serve",
        "--store",
        "store",
        "--watch",
        "watched",
        "--no-collect",
        "--config",
        "weir.toml",
    ];
    let mut house = House::start("elsewhere", &args);
    house.set_up();
    std::fs::copy(incident(), house.folder.join("watched/incident.pcap.zst")).unwrap();
    house.line("read incident.pcap.zst");
    house.until(&format!("/overview?{SPAN}"), |overview| {
        overview["traffic"]["flows"] == 3648
    });
    let store = |health: &Value, name: &str| -> Value {
        let stores = health["status"]["stores"].as_array().cloned().unwrap_or_default();
        let found = stores.into_iter().find(|store| store["name"] == name);
        found.unwrap_or_default()
    };
    let away = house.until("/health", |health| {
        store(health, "events-copy")["trouble"].is_string() && store(health, "flows")["rows"] == 3648
    });
    assert!(store(&away, "flows")["trouble"].is_null(), "{away}");
    let Some(_mongo) = server::mongodb(mongo_port) else {
        return;
    };
    house.until("/health", |health| {
        let copy = store(health, "events-copy");
        copy["trouble"].is_null() && copy["rows"].as_u64() >= Some(3)
    });
    let grouped = format!("/flows/groups?{SPAN}&by=dst_port&filter=dst%20port%20445");
    let (status, groups) = house.ask("GET", &grouped, None);
    assert!(status == 200 && groups["rows"][0][0] == 445, "{groups}");
    assert_eq!(house.stop().0, Some(0));
    // Parts that are up, and those on their way.
    let info = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["flows", "--store", &url, "--info", "-o", "json"])
        .env("AWS_ACCESS_KEY_ID", "any")
        .env("AWS_SECRET_ACCESS_KEY", "thing")
        .output()
        .unwrap();
    let info: Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_eq!(
        (&info["flows"]["rows"], &info["flows"]["rows_in_log"]),
        (&json!(3648), &json!(0))
    );
    assert!(
        info["flows"]["bytes"].as_u64() > Some(10_000) && info["flows"]["oldest"].is_string(),
        "{info}"
    );
}

#[test]
fn the_demonstration_leaves_nothing() {
    let capture = incident();
    let mut house = House::start("demo", &["demo", capture.to_str().unwrap(), "--speed", "100000"]);
    let now = house.until("/events", |page| {
        page["events"].as_array().is_some_and(|all| all.len() == 3)
    });
    assert_eq!(
        now["events"][2]["method"], "DICTATTACK",
        "a span that ends now holds the story"
    );
    let left = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("weir-demo"))
            .count()
    };
    assert_eq!(left(&house.folder), 1);
    assert_eq!(house.stop().0, Some(0));
    assert_eq!(left(&house.folder), 0, "deleted on exit");
}

#[test]
fn beyond_this_machine_it_speaks_tls() {
    let args = ["serve", "--store", "store", "--no-collect"];
    let mut house = House::start_at("tls", &args, "0.0.0.0:0");
    let print = house.line("fingerprint");
    let cert = house.folder.join("store/tls/cert.pem");
    let chain: Vec<CertificateDer> = CertificateDer::pem_file_iter(&cert)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let port: u16 = house.address.rsplit(':').next().unwrap().parse().unwrap();
    let mut client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut stream = rustls::Stream::new(&mut client, &mut socket);
    write!(
        stream,
        "GET /api/v1/session HTTP/1.1\r\nhost: sensor\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security"), "{answer}");
    // Plain HTTP gets no answer, and whoever says nothing is hung up on.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(plain, "GET / HTTP/1.1\r\nhost: sensor\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    let mode = std::fs::metadata(house.folder.join("store/tls/key.pem"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0, "the key is its owner's alone");
    assert_eq!(house.stop().0, Some(0));
    house.child = House::spawn(&house.folder, &args, "0.0.0.0:0");
    house.listen();
    assert_eq!(house.line("fingerprint"), print, "the certificate stays");
    assert_eq!(house.stop().0, Some(0));
}

#[test]
fn a_running_server_reads_its_file_again() {
    let folder = std::env::temp_dir().join(format!("weir-ctl-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("weir.toml");
    std::fs::write(&file, "preset = \"quiet\"\n").unwrap();
    let config = file.to_str().unwrap();
    let args = ["serve", "--store", "store", "--no-collect", "--config", config];
    let mut house = House::start("ctl", &args);
    let ctl = |store: &Path| {
        let done = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["ctl", "reload", "--store"])
            .arg(store)
            .output()
            .unwrap();
        let both = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8(both).unwrap())
    };
    let store = house.folder.join("store");
    std::fs::write(&file, "preset = \"everything\"\nserve.watch = \"x\"\n").unwrap();
    assert_eq!(
        ctl(&store),
        (Some(0), "applied: preset\nneeds a restart: serve\n".to_owned())
    );
    std::fs::write(&file, "prest = 1\n").unwrap();
    let (code, said) = ctl(&store);
    assert!(
        code == Some(1) && said.contains("did you mean \"preset\""),
        "{said}"
    );
    assert_eq!(house.stop().0, Some(0));
    let (code, said) = ctl(&store);
    assert!(
        code == Some(1) && said.contains("no `weir serve` answers"),
        "{said}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A capture of a minute ago: a connection from inside to 203.0.113.80, and a question for a name.
fn minute_old_capture() -> Vec<u8> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1];
    let mut bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    let frames = weir_testkit::packets::frames(
        "0.0 tcp 10.0.0.5:40000 > 203.0.113.80:443 S seq=1
         0.1 tcp 203.0.113.80:443 > 10.0.0.5:40000 SA seq=9 ack=2
         0.2 tcp 10.0.0.5:40000 > 203.0.113.80:443 PA seq=2 ack=10 data=hello
         0.3 tcp 203.0.113.80:443 > 10.0.0.5:40000 FA seq=10 ack=7
         0.4 tcp 10.0.0.5:40000 > 203.0.113.80:443 FA seq=7 ack=11",
    );
    for frame in frames {
        let seconds = now.as_secs() as u32 - 60;
        let micros = (frame.time.0.rem_euclid(1_000_000_000) / 1_000) as u32;
        let length = frame.bytes.len() as u32;
        bytes.extend(
            [seconds, micros, length, length]
                .into_iter()
                .flat_map(u32::to_le_bytes),
        );
        bytes.extend(frame.bytes);
    }
    bytes
}

/// A list is edited while the server runs: what it names anew is looked for in what is stored already.
#[test]
fn indicators_that_come_later_are_looked_for_in_the_past() {
    let folder = std::env::temp_dir().join(format!("weir-late-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, list) = (folder.join("weir.toml"), folder.join("bad.txt"));
    std::fs::write(
        &file,
        "inside = [\"10.0.0.0/8\"]\n[[indicators]]\npath = \"bad.txt\"\n",
    )
    .unwrap();
    std::fs::write(&list, "192.0.2.99\n").unwrap();
    let config = file.to_string_lossy().into_owned();
    let args = [
        "serve",
        "--config",
        &config,
        "--store",
        "store",
        "--watch",
        "watched",
        "--no-collect",
    ];
    let mut house = House::start("late", &args);
    let token = house.line("first start").rsplit(' ').next().unwrap().to_owned();
    house.csrf = "any".to_owned();
    let set_up = json!({"token": token, "name": "ann", "password": "correct horse battery staple"});
    let (_, session) = house.ask("POST", "/setup", Some(set_up));
    house.csrf = session["user"]["csrf"].as_str().unwrap().to_owned();
    std::fs::write(house.folder.join("watched/late.part"), minute_old_capture()).unwrap();
    let [part, whole] = ["part", "pcap"].map(|end| house.folder.join(format!("watched/late.{end}")));
    std::fs::rename(part, whole).unwrap();
    house.line("read late.pcap");
    house.until("/overview", |overview| overview["traffic"]["flows"] == 1);
    let (_, page) = house.ask("GET", "/events", None);
    assert_eq!(page["events"], json!([]), "not known yet");

    std::fs::write(&list, "192.0.2.99\n203.0.113.80 # came later\n").unwrap();
    house.line("lists read again: 2 indicators");
    house.line("new indicators looked for in 1 flow record");
    let page = house.until("/events", |page| {
        page["events"].as_array().is_some_and(|all| all.len() == 1)
    });
    let event = &page["events"][0];
    assert_eq!(
        (&event["method"], &event["instance"]),
        (&json!("BLACKLIST"), &json!("retroactive")),
        "{event}"
    );
    // A list that cannot be read any more leaves what was in force.
    std::fs::remove_file(&list).unwrap();
    house.line("those before stay in force");
    assert_eq!(house.stop().0, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}
