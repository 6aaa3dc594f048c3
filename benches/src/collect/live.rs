//! Subjects that listen on loopback, one after the other on the same stream at the same rate: CPU time from `wait4`, loss
//! from the kernel's own count of datagrams it dropped at the subject's socket.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::books::{self, Books};
use super::stream::{RECORDS, Stream};
use crate::compare::measure::{CommandLine, wait};

/// Peers that can be asked for.
pub const PEERS: [&str; 2] = ["nfcapd", "nfacctd"];
/// Receive buffer for everyone, bytes.
const BUFFER_BYTES: u32 = 64 << 20;
/// CPU microseconds a record may take to be received, decoded and stored.
const STORE_BAR_US: f64 = 1.0;
/// Share of datagrams that may be lost below and from a million records a second.
const LOSS_BAR: f64 = 0.0;
const LOSS_BAR_FAST: f64 = 0.001;
const FAST: u32 = 1_000_000;
/// Different datagrams: 600,000 records, then the same again.
const DATAGRAMS: usize = 20_000;
/// Datagrams sent between two looks at the clock.
const BURST: u64 = 16;
/// How long a subject may take to listen, and to read what the kernel holds.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to run.
pub struct Options {
    pub weir: PathBuf,
    pub peers: Vec<String>,
    pub rate: u32,
    pub seconds: u32,
    /// Emptied of what subjects write after each.
    pub scratch: PathBuf,
}

/// What one subject did.
pub struct Run {
    name: &'static str,
    duty: &'static str,
    outcome: Result<Figures, String>,
    bar_us: Option<f64>,
    rate: u32,
}

struct Figures {
    sent: u64,
    /// By the kernel, and by Weir's own queue.
    dropped: u64,
    cpu_s: f64,
    wall_s: f64,
    rss_bytes: u64,
    written_bytes: u64,
    /// What Weir says of itself at its end.
    books: Option<Books>,
}

struct Subject {
    name: &'static str,
    duty: &'static str,
    command: CommandLine,
    bar_us: Option<f64>,
}

/// Runs every subject.
pub fn run(options: &Options) -> io::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for index in 0.. {
        // A port and a folder of its own for each: nothing of one is left for the next.
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = options
            .scratch
            .join(format!("weir-collect-{}-{index}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let Some(subject) = subjects(options, port, &folder)?.into_iter().nth(index) else {
            fs::remove_dir_all(&folder)?;
            break;
        };
        let outcome = one(&subject, options, port, &folder).map_err(|error| error.to_string());
        fs::remove_dir_all(&folder)?;
        runs.push(Run {
            name: subject.name,
            duty: subject.duty,
            outcome,
            bar_us: subject.bar_us,
            rate: options.rate,
        });
    }
    Ok(runs)
}

fn subjects(options: &Options, port: u16, folder: &Path) -> io::Result<Vec<Subject>> {
    let weir = |more: &[OsString]| {
        let mut arguments: Vec<OsString> =
            ["collect", "--no-state", "--no-detect", "--hold", "2", "--listen"]
                .map(Into::into)
                .to_vec();
        arguments.push(format!("udp://127.0.0.1:{port}").into());
        arguments.extend_from_slice(more);
        CommandLine::new(&options.weir, arguments)
    };
    let mut subjects = vec![
        Subject {
            name: "weir, decoding",
            duty: "receive, decode, pair, order",
            command: weir(&[]),
            bar_us: None,
        },
        Subject {
            name: "weir, storing",
            duty: "the same, and every column into the store: log, parts, indexes",
            command: weir(&["--store".into(), folder.join("store").into()]),
            bar_us: Some(STORE_BAR_US),
        },
    ];
    for peer in &options.peers {
        subjects.push(match peer.as_str() {
            "nfcapd" => Subject {
                name: "nfcapd",
                duty: "receive, decode, write one-way records, LZ4",
                command: CommandLine::new(
                    "nfcapd",
                    [
                        "-p",
                        &port.to_string(),
                        "-b",
                        "127.0.0.1",
                        "-B",
                        &BUFFER_BYTES.to_string(),
                        "-y",
                        "-w",
                    ]
                    .map(OsString::from)
                    .into_iter()
                    .chain([folder.into()]),
                ),
                bar_us: None,
            },
            _ => Subject {
                name: "nfacctd",
                duty: "receive, decode, aggregate by flow in a cache of a million, print CSV",
                command: CommandLine::new("nfacctd", [OsString::from("-f"), nfacctd(port, folder)?.into()]),
                bar_us: None,
            },
        });
    }
    Ok(subjects)
}

/// Writes nfacctd's configuration.
fn nfacctd(port: u16, folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("nfacctd.conf");
    let records = folder.join("records.csv");
    let config = format!(
        "daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_pipe_size: {BUFFER_BYTES}\nplugins: print\n\
         aggregate: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, in_iface, out_iface\n\
         print_output: csv\nprint_output_file: {}\nprint_refresh_time: 60\nprint_cache_entries: 1000003\n\
         plugin_pipe_size: 134217728\nplugin_buffer_size: 1048576\n",
        records.display()
    );
    fs::write(&path, config)?;
    Ok(path)
}

/// One subject from its start to its end.
fn one(subject: &Subject, options: &Options, port: u16, folder: &Path) -> io::Result<Figures> {
    let log = folder.with_extension("log");
    let mut child = start(&subject.command, &log)?;
    let id = child.id();
    let sent = await_socket(port).and_then(|()| {
        let (records, defining, wall_s) = send(options.rate, options.seconds, port)?;
        Ok(((records + defining, wall_s), await_quiet(port)?))
    });
    // Our own child, not yet waited for, so its id is its own. nfacctd's core process outlives SIGTERM.
    let signal = if sent.is_ok() { "-INT" } else { "-KILL" };
    let ended = child.try_wait()?;
    if ended.is_none() {
        Command::new("kill").args([signal, &id.to_string()]).status()?;
    }
    let used = match ended {
        None => wait(child)?,
        Some(status) => return Err(io::Error::other(format!("{}: {status}", subject.command))),
    };
    let ((sent, wall_s), dropped) = sent?;
    let books = Books::read(&fs::read_to_string(&log)?);
    fs::remove_file(&log)?;
    Ok(Figures {
        sent,
        dropped: dropped + books.as_ref().map_or(0, Books::shed),
        cpu_s: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
        wall_s,
        rss_bytes: used.rusage.maxrss,
        written_bytes: bytes_below(folder)?,
        books,
    })
}

/// Starts a subject; what it says on standard error goes to this file.
pub(super) fn start(command: &CommandLine, log: &Path) -> io::Result<Child> {
    Command::new(&command.program)
        .args(&command.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(log)?)
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{command}: {error}")))
}

/// Sends so many records a second for so many seconds; datagrams of records, datagrams that define templates, and the
/// seconds it took.
pub(crate) fn send(rate: u32, seconds: u32, port: u16) -> io::Result<(u64, u64, f64)> {
    let mut stream = Stream::new(1, DATAGRAMS, 1);
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(("127.0.0.1", port))?;
    let records = u64::from(rate) * u64::from(seconds);
    let datagrams = records.div_ceil(RECORDS as u64);
    let a_second = f64::from(rate) / RECORDS as f64;
    let began = Instant::now();
    let now_s = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as u32)
    };
    let (mut sent, mut defined_s) = (0, None);
    let mut made = 0;
    while made < datagrams {
        let elapsed = began.elapsed();
        let elapsed_ms = elapsed.as_millis() as u32;
        if defined_s != Some(elapsed.as_secs()) {
            defined_s = Some(elapsed.as_secs());
            socket.send(&stream.define(now_s(), elapsed_ms))?;
            sent += 1;
        }
        let due = ((elapsed.as_secs_f64() * a_second) as u64).min(datagrams);
        if made >= due {
            sleep(Duration::from_micros(200));
            continue;
        }
        let export_s = now_s();
        for _ in 0..BURST.min(due - made) {
            socket.send(stream.next(export_s, elapsed_ms))?;
            made += 1;
        }
    }
    Ok((made, sent, began.elapsed().as_secs_f64()))
}

/// Bytes waiting and datagrams dropped at the socket that listens on this port, by the kernel's table.
fn socket(port: u16) -> io::Result<Option<(u64, u64)>> {
    let table = fs::read_to_string("/proc/net/udp")?;
    let wanted = format!(":{port:04X}");
    Ok(table.lines().skip(1).find_map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let waiting = cells.get(4)?.split_once(':')?.1;
        let listens = cells.get(1)?.ends_with(&wanted);
        listens.then(|| {
            Some((
                u64::from_str_radix(waiting, 16).ok()?,
                cells.get(12)?.parse().ok()?,
            ))
        })?
    }))
}

pub(crate) fn await_socket(port: u16) -> io::Result<()> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if socket(port)?.is_some() {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    Err(io::Error::other("it does not listen"))
}

/// Waits until the subject has read what the kernel holds for it; datagrams dropped.
pub(crate) fn await_quiet(port: u16) -> io::Result<u64> {
    let began = Instant::now();
    loop {
        sleep(Duration::from_millis(500));
        match socket(port)? {
            None => return Err(io::Error::other("it stopped listening")),
            Some((0, dropped)) => return Ok(dropped),
            Some(_) if began.elapsed() > PATIENCE => return Err(io::Error::other("it does not keep up")),
            Some(_) => {}
        }
    }
}

fn bytes_below(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_below(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

impl Figures {
    fn us(&self) -> f64 {
        let records = (self.sent - self.dropped) * RECORDS as u64;
        self.cpu_s * 1e6 / records.max(1) as f64
    }

    fn loss(&self) -> f64 {
        self.dropped as f64 / self.sent.max(1) as f64
    }

    /// Do the books agree with what was sent, and with themselves?
    fn even(&self) -> bool {
        let sums = self.books.as_ref().map(|books| books.identities(self.sent));
        sums.is_some_and(|sums| sums.iter().all(|(_, one, other)| one == other))
    }
}

impl Run {
    const fn loss_bar(&self) -> f64 {
        if self.rate < FAST { LOSS_BAR } else { LOSS_BAR_FAST }
    }

    /// The bar that was missed, if one was. Peers have none.
    pub(super) fn missed(&self) -> Option<String> {
        let ours = self.name.starts_with("weir");
        match &self.outcome {
            Err(why) => ours.then(|| format!("{}: {why}", self.name)),
            Ok(figures) if ours && figures.loss() > self.loss_bar() => Some(format!(
                "{}: {} of {} datagrams lost",
                self.name, figures.dropped, figures.sent
            )),
            Ok(figures) if ours && !figures.even() => Some(format!("{}: its books do not agree", self.name)),
            Ok(figures) => self
                .bar_us
                .filter(|bar| figures.us() > *bar)
                .map(|bar| format!("{}: {:.2} us CPU a record, bar {bar}", self.name, figures.us())),
        }
    }
}

/// The runs as Markdown.
pub(super) fn table(runs: &[Run]) -> String {
    let mut text = String::from(
        "\n| collecting over loopback | records sent | a second | lost | us CPU a record | bar | B written a record | MB |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for run in runs {
        let bar = run.bar_us.map_or_else(String::new, |bar| bar.to_string());
        let _ = match &run.outcome {
            Ok(figures) => {
                let records = figures.sent * RECORDS as u64;
                writeln!(
                    text,
                    "| {} | {records} | {:.0} | {:.3} % | {:.2} | {bar} | {:.1} | {} |",
                    run.name,
                    records as f64 / figures.wall_s,
                    figures.loss() * 100.0,
                    figures.us(),
                    figures.written_bytes as f64 / records as f64,
                    figures.rss_bytes >> 20,
                )
            }
            Err(why) => writeln!(text, "| {} | not measured: {why} | | | | {bar} | | |", run.name),
        };
    }
    for run in runs {
        let Ok(Figures {
            sent,
            books: Some(books),
            ..
        }) = &run.outcome
        else {
            continue;
        };
        let sums = books::told(&books.identities(*sent));
        let _ = write!(text, "\nBooks of {}:\n\n{sums}", run.name);
    }
    text.push_str("\nDuties:");
    for run in runs {
        let _ = write!(text, " {}: {};", run.name, run.duty);
    }
    text.truncate(text.trim_end_matches(';').len());
    text.push_str(".\n");
    text
}
