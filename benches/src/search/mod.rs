//! What a search costs: CPU seconds of five questions over a filled store, one thread, the pages of its parts in memory;
//! beside them DuckDB, DataFusion and the engine of ClickHouse (chdb) on the same parts, where Python has them, and nfdump
//! on the same records in files of its own.

use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use weir_query::{Catalog, Expr, NoLists, Scalar, parse};
use weir_store::flow::search::{
    Control, Figure, Found, Groups, Key, Measure, Search, Shape, Source, View, run as search, sources,
};
use weir_store::flow::{Snapshot, Table};
use weir_store::{Disk, LocalDisk};

/// A question is asked until so much time is spent on it, or so often.
const SPENT_S: f64 = 3.0;
const TIMES_MAX: u32 = 50;
/// The scripts that ask the peers.
const PEERS: [&str; 2] = [include_str!("peers.py"), include_str!("nfdump.py")];

/// A question and the CPU seconds it may take on ten million rows.
struct Question {
    name: &'static str,
    bar_s: f64,
    search: Search,
}

/// What was measured.
pub struct Outcome {
    rows: u64,
    parts: usize,
    /// Name, bar, CPU seconds of Weir.
    questions: Vec<(&'static str, f64, f64)>,
    peers: Vec<Peer>,
}

/// A peer's name and CPU seconds a question, where it has an answer to it.
type Peer = (String, Vec<Option<f64>>);

/// Measures the questions on the store in the folder, those alone that have `only` in their names, when it is given;
/// `python` asks the peers.
pub fn run(folder: &Path, only: Option<&str>, python: Option<&Path>) -> io::Result<Outcome> {
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::reading(folder));
    let snapshot = Snapshot::read(&*disk, Table::flows(), "default").map_err(io::Error::other)?;
    let sources = sources(&disk, &snapshot);
    let address = some_address(&sources)?;
    let mut measured = Vec::new();
    let wanted = |question: &Question| only.is_none_or(|only| question.name.contains(only));
    for question in questions(address)?.into_iter().filter(wanted) {
        measured.push((question.name, question.bar_s, least(&question.search, &sources)?));
    }
    let peers = match python {
        Some(python) => ask_peers(python, folder, address)?,
        None => Vec::new(),
    };
    Ok(Outcome {
        rows: snapshot.rows(),
        parts: snapshot.parts.len(),
        questions: measured,
        peers,
    })
}

fn grouped(keys: &[&str], measures: Vec<Measure>, order: Option<usize>) -> io::Result<Shape> {
    let keys = keys.iter().map(|name| {
        let field = Catalog::flows().field(name);
        field.and_then(Key::of).ok_or_else(|| io::Error::other(*name))
    });
    Ok(Shape::Groups(Groups {
        keys: keys.collect::<Result<_, _>>()?,
        measures,
        order,
        limit: Some(10),
    }))
}

fn sum_of_bytes() -> io::Result<Measure> {
    let field = Catalog::flows()
        .field("bytes")
        .ok_or_else(|| io::Error::other("bytes"))?;
    Ok(Measure::new("bytes", Figure::Sum(field.clone())))
}

fn asked(filter: &str, shape: Shape) -> io::Result<Search> {
    Ok(Search {
        filter: parse(filter, Catalog::flows(), &NoLists).map_err(io::Error::other)?,
        view: View::Biflow,
        shape,
    })
}

fn questions(address: IpAddr) -> io::Result<Vec<Question>> {
    let flows = || Measure::new("flows", Figure::Records);
    let fan_out = Catalog::flows()
        .field("dst_ip")
        .and_then(Key::of)
        .ok_or_else(|| io::Error::other("dst_ip"))?;
    let both = || -> io::Result<Vec<Measure>> { Ok(vec![flows(), sum_of_bytes()?]) };
    let series = Shape::Series {
        bucket_ns: 1_000_000_000,
        measures: both()?,
    };
    let question = |name, bar_s, search| Question { name, bar_s, search };
    Ok(vec![
        question(
            "one address",
            0.03,
            asked(&format!("ip {address}"), grouped(&[], both()?, None)?)?,
        ),
        question(
            "top 10 sources",
            1.0,
            asked("any", grouped(&["src_ip"], vec![sum_of_bytes()?], Some(0))?)?,
        ),
        question(
            "port and protocol",
            0.8,
            asked("any", grouped(&["proto", "dst_port"], both()?, Some(1))?)?,
        ),
        question("1 s series", 0.4, asked("any", series)?),
        question(
            "fan-out a source",
            2.5,
            asked(
                "any",
                grouped(
                    &["src_ip"],
                    vec![Measure::new("d", Figure::Distinct(fan_out))],
                    Some(0),
                )?,
            )?,
        ),
    ])
}

/// The source of the median flow count: neither the busiest nor a stranger.
fn some_address(sources: &[Source]) -> io::Result<IpAddr> {
    let shape = grouped(&["src_ip"], vec![Measure::new("flows", Figure::Records)], Some(0))?;
    let search_for = Search {
        filter: Expr::Any,
        view: View::Biflow,
        shape,
    };
    let answer = search(&search_for, sources, &Control::default()).map_err(io::Error::other)?;
    match answer.found {
        Found::Table(table) => match table.rows.last().and_then(|row| row[0].clone()) {
            Some(Scalar::Address(number)) => {
                let six = std::net::Ipv6Addr::from_bits(number);
                Ok(six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4))
            }
            _ => Err(io::Error::other("the store is empty")),
        },
        _ => Err(io::Error::other("no table")),
    }
}

/// Least CPU seconds of several runs after one that warms up, as the peers are measured.
fn least(question: &Search, sources: &[Source]) -> io::Result<f64> {
    let ask = || search(question, sources, &Control::default()).map_err(io::Error::other);
    ask()?;
    let (begun, mut best, mut times) = (Instant::now(), f64::INFINITY, 0);
    while times < TIMES_MAX && begun.elapsed().as_secs_f64() < SPENT_S {
        let before = thread_cpu_s()?;
        std::hint::black_box(ask()?);
        best = best.min(thread_cpu_s()? - before);
        times += 1;
    }
    Ok(best)
}

/// CPU seconds of this thread so far, to the nanosecond: the kernel's scheduler counts them. A search on one thread runs
/// on its caller's.
fn thread_cpu_s() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    nanos
        .map(|nanos| nanos / 1e9)
        .ok_or_else(|| io::Error::other("/proc/thread-self/schedstat does not tell CPU time"))
}

fn ask_peers(python: &Path, folder: &Path, address: IpAddr) -> io::Result<Vec<Peer>> {
    let parts = folder.join("flows/site=default/**/*.parquet");
    let number = weir_query::address(address) as u64;
    let mut peers = Vec::new();
    for script in PEERS {
        let done = Command::new(python)
            .args(["-c", script])
            .arg(&parts)
            .arg(number.to_string())
            .output()?;
        if !done.status.success() {
            return Err(io::Error::other(
                String::from_utf8_lossy(&done.stderr).into_owned(),
            ));
        }
        peers.extend(String::from_utf8_lossy(&done.stdout).lines().filter_map(peer));
    }
    Ok(peers)
}

/// A line of the scripts: name and figures, separated by tabs; a dash where there is none.
fn peer(line: &str) -> Option<Peer> {
    let mut fields = line.split('\t');
    let name = fields.next()?.to_owned();
    Some((name, fields.map(|field| field.parse().ok()).collect()))
}

impl Outcome {
    /// Questions that took longer than their bar, which is for ten million rows and grows with them, or longer than the
    /// quicker of the peers that were asked.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        for (at, (name, _, spent)) in self.questions.iter().enumerate() {
            let bar = self.bar(at);
            if *spent > bar {
                missed.push(format!("{name}: {spent:.3} CPU-s, bar {bar:.3}"));
            }
            if let Some((peer, quickest)) = self.quickest(at).filter(|(_, quickest)| spent > quickest) {
                missed.push(format!("{name}: {spent:.3} CPU-s, {peer} {quickest:.3}"));
            }
        }
        missed
    }

    fn bar(&self, question: usize) -> f64 {
        self.questions[question].1 * (self.rows as f64 / 1e7).max(1.0)
    }

    /// The peer that answered a question first. Those that count distinct values exactly do more than is asked.
    fn quickest(&self, question: usize) -> Option<(&str, f64)> {
        let peers = self.peers.iter().filter(|(name, _)| !name.contains("exact"));
        let spent = peers.filter_map(|(name, spent)| Some((name.as_str(), (*spent.get(question)?)?)));
        spent.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// A table of CPU seconds in Markdown, one line a question.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} rows in {} parts; CPU seconds a query, one thread, least of several runs\n\n",
            self.rows, self.parts
        );
        let peers = self.peers.iter().map(|(name, _)| format!(" {name} |"));
        let _ = writeln!(
            text,
            "| question | weir | bar | verdict | beside peers |{}",
            peers.collect::<String>()
        );
        let _ = writeln!(
            text,
            "|---|---:|---:|---|---|{}",
            "---:|".repeat(self.peers.len())
        );
        for (at, (name, _, spent)) in self.questions.iter().enumerate() {
            let bar = self.bar(at);
            let verdict = if *spent > bar { "MISS" } else { "pass" };
            let beside = match self.quickest(at) {
                None => "",
                Some((_, quickest)) if *spent > quickest => "slower",
                Some(_) => "quickest",
            };
            let peers = self
                .peers
                .iter()
                .map(|(_, spent)| match spent.get(at).copied().flatten() {
                    Some(spent) => format!(" {spent:.3} |"),
                    None => " |".to_owned(),
                });
            let peers: String = peers.collect();
            let _ = writeln!(
                text,
                "| {name} | {spent:.3} | {bar:.3} | {verdict} | {beside} |{peers}"
            );
        }
        text
    }
}
