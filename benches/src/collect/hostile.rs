//! Mutated datagrams at a steady rate against the real program: is it alive after them, did its memory stay flat, is its log
//! short, are its books even? That an honest exporter still comes through is a test of the listener. Without detection: what
//! that keeps of millions of invented hosts is bounded by its own caps (`weir-benches detect`), which fill for longer.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::books::{self, Books};
use super::live::{self, Options};
use super::stream::Stream;
use crate::compare::measure::{CommandLine, wait};
use crate::mix::random::Random;

/// Datagrams a second.
const RATE: u64 = 60_000;
/// Most that memory may grow after the first quarter, when every table has its size.
const GROWTH_MAX_KIB: u64 = 32 << 10;
/// Most that may be logged.
const LOG_MAX_BYTES: u64 = 10 << 20;

/// What became of it.
pub struct Outcome {
    datagrams: u64,
    seconds: f64,
    /// Resident after a quarter, and at the end.
    settled_kib: u64,
    end_kib: u64,
    log_bytes: u64,
    books: Option<Books>,
}

/// Sends so many datagrams.
pub fn run(options: &Options, datagrams: u64) -> io::Result<Outcome> {
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let log = options
        .scratch
        .join(format!("weir-hostile-{}.log", std::process::id()));
    let words = ["collect", "--no-state", "--no-detect", "--hold", "2", "--listen"];
    let mut arguments: Vec<OsString> = words.map(Into::into).to_vec();
    arguments.push(format!("udp://127.0.0.1:{port}").into());
    let mut child = live::start(&CommandLine::new(&options.weir, arguments), &log)?;
    let id = child.id();
    let ran = live::await_socket(port).and_then(|()| attack(port, id, datagrams));
    let died = child.try_wait()?;
    if died.is_none() {
        // Our own child, not yet waited for, so its id is its own.
        Command::new("kill").args(["-INT", &id.to_string()]).status()?;
        wait(child)?;
    }
    let (seconds, settled_kib, end_kib) = ran?;
    if let Some(status) = died {
        return Err(io::Error::other(format!(
            "weir died of broken datagrams: {status}"
        )));
    }
    let said = fs::read_to_string(&log)?;
    fs::remove_file(&log)?;
    Ok(Outcome {
        datagrams,
        seconds,
        settled_kib,
        end_kib,
        log_bytes: said.len() as u64,
        books: Books::read(&said),
    })
}

/// Templates and data of an exporter, each time with up to eight bytes changed and a cut somewhere, from a thousand ports.
fn attack(port: u16, id: u32, datagrams: u64) -> io::Result<(f64, u64, u64)> {
    let mut random = Random::new(1);
    let mut stream = Stream::new(1, 500, 20);
    let mut seeds = vec![stream.define(1_790_000_000, 0)];
    seeds.extend((0..500).map(|at| stream.next(1_790_000_000, at).to_vec()));
    let sockets = (0..1_000)
        .map(|_| UdpSocket::bind("127.0.0.1:0"))
        .collect::<io::Result<Vec<_>>>()?;
    let began = Instant::now();
    let mut settled_kib = 0;
    for at in 0..datagrams {
        let any = random.below(seeds.len() as u64) as usize;
        // Every eighth one is, or was, of templates.
        let mut bytes = seeds[if at % 8 == 0 { 0 } else { any }].clone();
        for _ in 0..random.below(8) {
            let place = random.below(bytes.len() as u64) as usize;
            bytes[place] = random.below(256) as u8;
        }
        if random.below(2) == 0 {
            bytes.truncate(1 + random.below(bytes.len() as u64) as usize);
        }
        // A full buffer of the receiver is the kernel's to count; the sender sees nothing of it.
        sockets[random.below(1_000) as usize].send_to(&bytes, ("127.0.0.1", port))?;
        if at % 64 == 0 {
            let due = Duration::from_micros(at * 1_000_000 / RATE);
            sleep(due.saturating_sub(began.elapsed()));
        }
        if at == datagrams / 4 {
            settled_kib = resident_kib(id)?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    live::await_quiet(port)?;
    Ok((seconds, settled_kib, resident_kib(id)?))
}

/// Memory a process has resident, KiB.
fn resident_kib(id: u32) -> io::Result<u64> {
    let status = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.ok_or_else(|| io::Error::other("the process is gone"))
}

impl Outcome {
    /// What is not as it should be.
    pub(super) fn missed(&self) -> Vec<String> {
        let grown = self.end_kib.saturating_sub(self.settled_kib);
        let sums = self.books.as_ref().map(|books| books.identities(self.datagrams));
        let even = sums.is_some_and(|sums| sums.iter().all(|(_, one, other)| one == other));
        [
            (grown > GROWTH_MAX_KIB, "broken datagrams: memory grows"),
            (self.log_bytes > LOG_MAX_BYTES, "broken datagrams: the log grows"),
            (!even, "broken datagrams: the books do not agree"),
        ]
        .into_iter()
        .filter(|&(missed, _)| missed)
        .map(|(_, what)| what.to_owned())
        .collect()
    }

    /// The figures as Markdown.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "\n{} mutated datagrams in {:.1} s ({:.0} a second): alive; {} MiB after a quarter, {} MiB at the end; {} bytes of log\n",
            self.datagrams,
            self.seconds,
            self.datagrams as f64 / self.seconds,
            self.settled_kib >> 10,
            self.end_kib >> 10,
            self.log_bytes,
        );
        if let Some(books) = &self.books {
            text += &books::told(&books.identities(self.datagrams));
        }
        text
    }
}
