//! What the server is like to use under load: `weir serve` as a process of its own, with flow records and events stored,
//! exports arriving over loopback, and people at their screens meanwhile. Measured is what they wait for, and whether
//! every record that was sent is stored.

pub mod client;
pub mod fill;
pub mod users;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_store::LocalDisk;
use weir_store::flow::{Snapshot, Table};

use crate::collect::live::{await_quiet, await_socket, send};
use crate::collect::stream::RECORDS;
use crate::compare::measure::wait;
use client::Client;
use fill::Filled;
use users::{Asked, Kind, Setting, user};

/// How long a server may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(120);
/// Milliseconds within which 99 of 100 lists, and dashboards, must be answered.
const LIST_BAR_MS: f64 = 200.0;
const DASHBOARD_BAR_MS: f64 = 1000.0;
/// Events and hosts that people open.
const OPENED: usize = 200;

/// What to run.
pub struct Options {
    pub weir: PathBuf,
    /// Kept between runs: what is stored when the load begins.
    pub cache: PathBuf,
    pub flows: u64,
    pub events: u64,
    /// Records a second that arrive.
    pub rate: u32,
    pub seconds: u32,
    pub users: usize,
    pub seed: u64,
}

/// What was measured.
pub struct Outcome {
    asked: Vec<Asked>,
    stored_before: u64,
    sent_records: u64,
    dropped_datagrams: u64,
    stored_after: u64,
    seconds: f64,
    cpu_s: f64,
    rss_bytes: u64,
    users: usize,
    events: u64,
}

/// Fills (or takes what was filled before), serves, loads, stops, counts.
pub fn run(options: &Options) -> io::Result<Outcome> {
    let filled = fill::filled(&options.cache, options.flows, options.events, options.seed)?;
    let folder = options.cache.join(format!("run-{}", std::process::id()));
    copy(&filled.folder, &folder)?;
    let outcome = loaded(options, &filled, &folder);
    fs::remove_dir_all(&folder)?;
    outcome
}

fn loaded(options: &Options, filled: &Filled, folder: &Path) -> io::Result<Outcome> {
    let stored_before = rows(folder)?;
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let server = Server::start(&options.weir, folder, port)?;
    let load = server.load(options, filled, port);
    let used = server.stop();
    let (asked, (sent, seconds), dropped_datagrams) = load?;
    let used = used?;
    Ok(Outcome {
        asked,
        stored_before,
        // Templates are sent once a second; the rest carries records.
        sent_records: sent * RECORDS as u64,
        dropped_datagrams,
        stored_after: rows(folder)?,
        seconds,
        cpu_s: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
        rss_bytes: used.rusage.maxrss,
        users: options.users,
        events: options.events,
    })
}

/// What the load came to: questions; datagrams of records and seconds; datagrams the kernel dropped.
type Load = (Vec<Asked>, (u64, f64), u64);

struct Server {
    child: Child,
    lines: Receiver<String>,
    address: String,
    token: String,
}

impl Server {
    fn start(weir: &Path, folder: &Path, port: u16) -> io::Result<Self> {
        let mut child = Command::new(weir)
            .arg("serve")
            .arg("--store")
            .arg(folder)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--collect",
                &format!("udp://127.0.0.1:{port}"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", weir.display())))?;
        let stderr = child.stderr.take();
        let (told, lines) = channel();
        thread::spawn(move || {
            for line in stderr
                .into_iter()
                .flat_map(|pipe| BufReader::new(pipe).lines())
                .map_while(Result::ok)
            {
                // Nobody listens any more once the server is set up.
                let _ = told.send(line);
            }
        });
        let mut server = Self {
            child,
            lines,
            address: String::new(),
            token: String::new(),
        };
        let ready = server.line("open http").and_then(|line| {
            let address = line.split("://").nth(1).unwrap_or_default();
            server.address = address.trim_end_matches('/').to_owned();
            let line = server.line("first start")?;
            server.token = line.rsplit(' ').next().unwrap_or_default().to_owned();
            await_socket(port)
        });
        match ready {
            Ok(()) => Ok(server),
            Err(error) => {
                server.child.kill()?;
                server.child.wait()?;
                Err(error)
            }
        }
    }

    /// Waits for a line of its log.
    fn line(&self, wanted: &str) -> io::Result<String> {
        let until = Instant::now() + PATIENCE;
        let mut seen = String::new();
        while let Ok(line) = self
            .lines
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if line.contains(wanted) {
                return Ok(line);
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        Err(io::Error::other(format!(
            "the server did not say {wanted:?}:\n{seen}"
        )))
    }

    /// Everything at once: exports and people.
    fn load(&self, options: &Options, filled: &Filled, port: u16) -> io::Result<Load> {
        let tokens = self.tokens(options.users)?;
        let setting = self.setting(options, filled, &tokens)?;
        let rate = options.rate;
        let seconds = options.seconds;
        let (asked, sent) = thread::scope(|scope| {
            let people: Vec<_> = (0..)
                .zip(&tokens)
                .map(|(number, token)| {
                    let setting = &setting;
                    scope.spawn(move || user(setting, token, options.seed + number))
                })
                .collect();
            let sent = send(rate, seconds, port);
            let asked: Vec<Asked> = people
                .into_iter()
                .filter_map(|one| one.join().ok())
                .flatten()
                .collect();
            (asked, sent)
        });
        let (datagrams, _, took_s) = sent?;
        Ok((asked, (datagrams, took_s), await_quiet(port)?))
    }

    /// A token for each user, made by the first administrator.
    fn tokens(&self, users: usize) -> io::Result<Vec<String>> {
        let mut client = Client::new(&self.address, "x-weir-csrf: any\r\n".to_owned());
        let set_up =
            json!({"token": self.token, "name": "bench", "password": "correct horse battery staple"});
        let answer = client.post("/setup", &set_up.to_string())?;
        let session: Value = serde_json::from_slice(&answer.body)?;
        let csrf = session["user"]["csrf"].as_str().unwrap_or_default();
        let cookie = answer.cookie.unwrap_or_default();
        let mut client = Client::new(
            &self.address,
            format!("x-weir-csrf: {csrf}\r\ncookie: {cookie}\r\n"),
        );
        (0..users)
            .map(|number| {
                let new = json!({"name": format!("user{number}"), "role": "viewer"});
                let answer = client.post("/tokens", &new.to_string())?;
                let made: Value = serde_json::from_slice(&answer.body)?;
                let secret = made["secret"].as_str().map(str::to_owned);
                secret.ok_or_else(|| io::Error::other(format!("no token: {made}")))
            })
            .collect()
    }

    /// What people will look at.
    fn setting(&self, options: &Options, filled: &Filled, tokens: &[String]) -> io::Result<Setting> {
        let stamp = |time| weir_output::stamp::rfc3339(time);
        let mut window = format!("since={}", stamp(filled.start()));
        window.push_str("&until=now");
        let token = tokens.first().map(String::as_str).unwrap_or_default();
        let mut client = Client::new(&self.address, format!("authorization: Bearer {token}\r\n"));
        let answer = client.get(&format!("/events?{window}&sort=risk&limit={OPENED}"))?;
        let page: Value = serde_json::from_slice(&answer.body)?;
        let words = |name: &str| -> Vec<String> {
            let events = page["events"].as_array().into_iter().flatten();
            events
                .filter_map(|event| Some(event[name].as_str()?.to_owned()))
                .collect()
        };
        Ok(Setting {
            address: self.address.clone(),
            events: words("id"),
            hosts: words("source_ip"),
            window,
            until: Instant::now() + Duration::from_secs(u64::from(options.seconds)),
        })
    }

    /// Asks it to stop, and measures what it used.
    fn stop(self) -> io::Result<wait4::ResUse> {
        // Our own child, not yet waited for, so its id is its own.
        Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()?;
        let used = wait(self.child)?;
        if used.status.success() {
            return Ok(used);
        }
        let log: Vec<String> = self.lines.try_iter().collect();
        Err(io::Error::other(format!(
            "the server ended with {}:\n{}",
            used.status,
            log.join("\n")
        )))
    }
}

/// Flow records stored in a folder.
fn rows(folder: &Path) -> io::Result<u64> {
    let disk = LocalDisk::reading(folder);
    let snapshot = Snapshot::read(&disk, Table::flows(), "default").map_err(io::Error::other)?;
    Ok(snapshot.rows())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Milliseconds below which this share of the questions was answered.
fn quantile(sorted_ms: &[f64], share: f64) -> f64 {
    let at = (sorted_ms.len() as f64 * share).ceil() as usize;
    sorted_ms.get(at.saturating_sub(1)).copied().unwrap_or(0.0)
}

impl Outcome {
    /// Milliseconds of the questions that fit, sorted.
    fn times_ms(&self, fits: impl Fn(&Asked) -> bool) -> Vec<f64> {
        let times = self.asked.iter().filter(|asked| fits(asked));
        let mut times: Vec<f64> = times.map(|asked| asked.took.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        times
    }

    /// Biflows that were added, and those that were sent: both directions of each are a record.
    const fn flows(&self) -> (u64, u64) {
        (self.stored_after - self.stored_before, self.sent_records / 2)
    }

    /// Bars that were missed.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        for (kind, word, bar) in KINDS {
            let p99 = quantile(&self.times_ms(|asked| asked.kind == kind), 0.99);
            if p99 > bar {
                missed.push(format!("p99 of {word} {p99:.0} ms, bar {bar} ms"));
            }
        }
        let (stored, sent) = self.flows();
        if stored != sent || self.dropped_datagrams > 0 {
            missed.push(format!(
                "{sent} flows sent, {stored} stored, {} datagrams dropped by the kernel",
                self.dropped_datagrams
            ));
        }
        let faults: Vec<&String> = self
            .asked
            .iter()
            .filter_map(|asked| asked.fault.as_ref())
            .collect();
        if let Some(first) = faults.first() {
            missed.push(format!("{} questions failed, the first: {first}", faults.len()));
        }
        missed
    }

    /// The figures as Markdown.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from(
            "| serving | questions | p50 ms | p95 ms | p99 ms | most | bar p99 |\n|---|---|---|---|---|---|---|\n",
        );
        let mut line = |name: &str, times: &[f64], bar: &str| {
            let of = |share| quantile(times, share);
            let most = times.last().copied().unwrap_or(0.0);
            let _ = writeln!(
                text,
                "| {name} | {} | {:.0} | {:.0} | {:.0} | {most:.0} | {bar} |",
                times.len(),
                of(0.5),
                of(0.95),
                of(0.99)
            );
        };
        for (kind, word, bar) in KINDS {
            line(
                &format!("**{word}**"),
                &self.times_ms(|asked| asked.kind == kind),
                &bar.to_string(),
            );
            let own = self.asked.iter().filter(|asked| asked.kind == kind);
            let names: BTreeSet<&str> = own.map(|asked| asked.what).collect();
            for name in names {
                line(
                    name,
                    &self.times_ms(|asked| asked.kind == kind && asked.what == name),
                    "",
                );
            }
        }
        let (stored, sent) = self.flows();
        let _ = writeln!(
            text,
            "\n{} users; {} flows and {} events stored before; {} records in {:.0} s arrived ({:.0} a second): {sent} flows sent, \
             {stored} stored, {} datagrams dropped by the kernel. The server used {:.1} CPU-seconds and at most {} MB.",
            self.users,
            self.stored_before,
            self.events,
            self.sent_records,
            self.seconds,
            self.sent_records as f64 / self.seconds,
            self.dropped_datagrams,
            self.cpu_s,
            self.rss_bytes >> 20,
        );
        text
    }
}

const KINDS: [(Kind, &str, f64); 2] = [
    (Kind::List, "lists", LIST_BAR_MS),
    (Kind::Dashboard, "dashboards", DASHBOARD_BAR_MS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let times: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((quantile(&times, 0.5), quantile(&times, 0.99)), (100.0, 198.0));
        assert_eq!((quantile(&[7.0], 0.99), quantile(&[], 0.5)), (7.0, 0.0));
    }
}
