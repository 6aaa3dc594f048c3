//! What networks and strangers do to exports on their way: loss, doubles, reordering, mutation, spoofing; and TLS.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use weir::collect::TlsFiles;

use super::{Running, Scratch, ipfix, settle, v5};
use crate::run::skipped;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A network in between: loses some of 1,000 datagrams, doubles some, and hands the others on out of order by up to so
/// many places. Returns what arrives, and how many were lost between those that arrived.
fn proxy(
    datagrams: &[Vec<u8>],
    lose_per_1000: u64,
    double_per_1000: u64,
    reorder: usize,
) -> (Vec<Vec<u8>>, u64) {
    let mut dice = Dice(7);
    let (mut arriving, mut lost) = (Vec::new(), 0);
    for (at, datagram) in datagrams.iter().enumerate() {
        // Losses before the first and after the last that arrives leave no gap, so the ends stay.
        let inner = at > 0 && at + 1 < datagrams.len();
        if inner && dice.roll(1_000) < lose_per_1000 {
            lost += 1;
            continue;
        }
        arriving.push(datagram.clone());
        if dice.roll(1_000) < double_per_1000 {
            arriving.push(datagram.clone());
        }
    }
    if reorder > 0 {
        let last = arriving.len() - 1;
        for block in arriving[1..last].chunks_mut(reorder + 1) {
            block.reverse();
        }
    }
    (arriving, lost)
}

#[test]
fn gaps_are_what_the_network_lost() {
    let datagrams: Vec<_> = (0..6_000u32)
        .map(|at| v5(1_024 + (at % 50_000) as u16, at))
        .collect();
    for (lose, double, reorder) in [
        (1, 0, 0),
        (20, 0, 0),
        (500, 0, 0),
        (0, 0, 63),
        (10, 0, 8),
        (0, 20, 0),
    ] {
        let (arriving, lost) = proxy(&datagrams, lose, double, reorder);
        let running = Running::start(&["udp://127.0.0.1:0"], None);
        let to = SocketAddr::from(([127, 0, 0, 1], running.ports[0]));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (at, datagram) in arriving.iter().enumerate() {
            socket.send_to(datagram, to).unwrap();
            if at % 200 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        settle();
        let (_, summary, _) = running.stop();
        let counts = &summary.exporters[0].counts;
        let case = format!("lose {lose}, double {double}, reorder {reorder}: {counts:?}");
        assert_eq!(counts.messages, arriving.len() as u64, "{case}");
        assert!(counts.lost.abs_diff(lost) * 100 <= lost, "{lost} lost; {case}");
        assert_eq!(counts.restarts, 0, "{case}");
        assert!(
            double == 0 || counts.late == arriving.len() as u64 - 6_000,
            "{case}"
        );
        assert!(!summary.exports.join(" ").contains("do not agree"), "{case}");
    }
}

#[test]
fn two_places_that_tell_the_same_count_once() {
    let running = Running::start(&["udp://127.0.0.1:0"], None);
    let to = SocketAddr::from(([127, 0, 0, 1], running.ports[0]));
    for address in ["127.0.0.1:0", "127.0.0.2:0"] {
        let socket = UdpSocket::bind(address).unwrap();
        for at in 0..50u32 {
            socket.send_to(&v5(1_024 + at as u16, at), to).unwrap();
        }
    }
    settle();
    let (kept, summary, _) = running.stop();
    let marked = kept.flows.iter().filter(|flow| flow.duplicate).count();
    assert_eq!((kept.flows.len(), marked), (100, 50), "{:?}", summary.exports);
    assert!(
        summary
            .exports
            .join(" ")
            .contains("50 told by another exporter before")
    );
}

/// Most memory this process has had, MiB.
fn memory_most_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}

/// 60,000 datagrams; two million with `WEIR_SLOW=1`. At 60,000 a second, as far as sender and kernel go.
#[test]
fn mutated_datagrams_leave_it_alive_and_its_log_short() {
    let running = Running::start(&["udp://127.0.0.1:0"], None);
    let to = SocketAddr::from(([127, 0, 0, 1], running.ports[0]));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut dice = Dice(1);
    let seeds = [
        v5(443, 1),
        ipfix(1, 9),
        super::v9(1_000, 1, &[0, 12, 256, 1, 8, 4]),
    ];
    let slow = std::env::var_os("WEIR_SLOW").is_some();
    let sent = if slow { 2_000_000 } else { 60_000 };
    let (began, mut settled_mib) = (Instant::now(), 0);
    for at in 0..sent {
        let mut bytes = seeds[at % seeds.len()].clone();
        for _ in 0..=dice.roll(8) {
            let place = dice.roll(bytes.len() as u64) as usize;
            bytes[place] = dice.roll(256) as u8;
        }
        bytes.truncate(1 + dice.roll(bytes.len() as u64 * 2) as usize);
        let _ = socket.send_to(&bytes, to);
        if at % 600 == 0 {
            let due = Duration::from_micros(at as u64 * 1_000 / 60);
            std::thread::sleep(due.saturating_sub(began.elapsed()).max(Duration::from_millis(1)));
        }
        if at == sent / 4 {
            settled_mib = memory_most_mib();
        }
    }
    // The listener reads what the kernel holds before the honest one comes.
    settle();
    let honest = UdpSocket::bind("127.0.0.2:0").unwrap();
    honest.send_to(&v5(4_443, 1), to).unwrap();
    settle();
    let (kept, summary, said) = running.stop();
    assert!(
        kept.flows
            .iter()
            .any(|flow| flow.key.responder_port == 4_443 && flow.exporter == "127.0.0.2".parse().ok())
    );
    let books = summary.exports.join("\n");
    assert!(!books.contains("do not agree"), "{books}");
    assert!(said.iter().map(String::len).sum::<usize>() < 100_000, "{said:?}");
    let (grown_mib, took) = (memory_most_mib() - settled_mib, began.elapsed());
    if slow {
        // What tests beside this one need is in it, and the records kept for it to look at.
        let figures =
            format!("{sent} datagrams in {took:?}, {grown_mib} MiB more than after a quarter\n{books}\n");
        std::io::stdout().write_all(figures.as_bytes()).unwrap();
        assert!(grown_mib < 256, "{grown_mib} MiB");
    }
}

/// A certificate of its own authority, made by openssl; `None` when that is not there.
fn certificate(scratch: &Scratch) -> Option<TlsFiles> {
    let (certificate, key) = (scratch.0.join("cert.pem"), scratch.0.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args([
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:false", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    made.is_ok_and(|output| output.status.success())
        .then_some(TlsFiles {
            certificate,
            key,
            clients: None,
        })
}

#[test]
fn ipfix_over_tls() {
    let scratch = Scratch::new("tls");
    let Some(files) = certificate(&scratch) else {
        return skipped("openssl is not there");
    };
    let running = Running::start_with(&["tls://127.0.0.1:0"], |job| job.tls = Some(files.clone()));
    let to = SocketAddr::from(([127, 0, 0, 1], running.ports[0]));
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&files.certificate).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut exporter = StreamOwned::new(connection, TcpStream::connect(to).unwrap());
    for at in 0..10 {
        exporter.write_all(&ipfix(at * 5, 5)).unwrap();
    }
    exporter.flush().unwrap();
    // Who speaks no TLS there is no exporter.
    TcpStream::connect(to).unwrap().write_all(&ipfix(0, 5)).unwrap();
    settle();
    let (kept, summary, _) = running.stop();
    let books = summary.exports.join("\n");
    assert_eq!(kept.flows.len(), 50, "{books}");
    assert!(
        books.contains("2 accepted, 0 refused, 1 closed for what they sent"),
        "{books}"
    );
}
