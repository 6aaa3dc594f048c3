//! Servers that tests speak to: from PyPI, on free ports of this machine, ended with their value. Where one is not installed
//! the test skips and says so; in CI that is a failure.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longest that a server may take to come up on a busy machine.
const START: Duration = Duration::from_secs(90);
/// SeaweedFS listens 10,000 higher as well.
const PORT_MAX: u16 = 55_000;

/// A server that runs as long as this lives.
pub struct Server {
    child: Child,
    folder: PathBuf,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// A program from PyPI that tests/setup.sh installs.
///
/// # Panics
/// In CI when it is not there.
#[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
pub fn installed(name: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let program = target.join("python/bin").join(name);
    if program.exists() {
        return Some(program);
    }
    assert!(std::env::var_os("CI").is_none(), "{name} is not installed");
    eprintln!("SKIPPED: {name} is not installed (tests/setup.sh installs it)");
    None
}

fn folder() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let own = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("weir-server-{}-{own}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a folder for the server");
    path
}

/// A port of this machine that nobody listens on.
pub fn free_port() -> u16 {
    let free = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("its number").port()
    };
    let mut ports = std::iter::repeat_with(free);
    ports.find(|port| *port < PORT_MAX).expect("there are many")
}

/// Waits until the server does what is asked of it.
fn wait(server: Server, ready: impl Fn(u16) -> bool) -> Server {
    let deadline = Instant::now() + START;
    while !ready(server.port) {
        assert!(Instant::now() < deadline, "the server does not come up");
        std::thread::sleep(Duration::from_millis(200));
    }
    server
}

/// Status of an HTTP request without a body.
fn status(port: u16, method: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head[9..]).ok()?.parse().ok()
}

/// SeaweedFS with its S3 interface, which takes any keys, and an empty bucket.
pub fn seaweed(bucket: &str) -> Option<Server> {
    let weed = installed("weed")?;
    let folder = folder();
    let mut ports = BTreeSet::new();
    while ports.len() < 4 {
        ports.insert(free_port());
    }
    let ports = Vec::from_iter(ports);
    let mut command = Command::new(weed);
    command
        .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"])
        .args(["-volume.max=5", &format!("-dir={}", folder.display())]);
    let named = ["master", "volume", "filer", "s3"];
    for (name, port) in named.iter().zip(&ports) {
        command.arg(format!("-{name}.port={port}"));
    }
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let server = Server {
        child: child.expect("SeaweedFS starts"),
        folder,
        port: ports[3],
    };
    let path = format!("/{bucket}");
    // An earlier try may have made the bucket although its answer came too late.
    Some(wait(server, |port| {
        matches!(status(port, "PUT", &path), Some(200 | 409))
    }))
}

/// What speaks MongoDB's protocol, with its data in memory.
pub fn mongodb(port: u16) -> Option<Server> {
    let program = installed("nx-27017")?;
    let child = Command::new(program)
        .args(["--db", "memory", "--host", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let server = Server {
        child: child.expect("nx-27017 starts"),
        folder: folder(),
        port,
    };
    Some(wait(server, |port| {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    }))
}
