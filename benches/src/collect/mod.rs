//! What collecting costs: CPU time of each record decoded and paired inside one process, then received, decoded and stored
//! over loopback by Weir and, on the same stream at the same rate, by nfcapd and nfacctd. And what broken datagrams do.

mod books;
pub mod hostile;
pub mod live;
pub mod stream;

use std::fmt::Write;
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use weir_collector::Collector;
use weir_model::Time;
use weir_wire::export::{Plan, Reading};

use crate::store::cpu_s;
use stream::{RECORDS, Stream};

/// Records of each measurement inside the process.
const RECORDS_INSIDE: usize = 3_000_000;
/// Exporters and templates of each that must cost no more than one of each does.
const EXPORTERS: usize = 1_000;
const TEMPLATES: u16 = 20;
/// Records decoded and paired in a CPU-second.
const RATE_BAR: f64 = 3e6;
/// How much more a record of many exporters may cost than one of one.
const MANY_BAR: f64 = 1.2;
/// Records a second at which exports arrive by event time.
const EVENT_RATE: usize = 400_000;

/// What was measured: CPU nanoseconds a record, and live runs.
pub struct Outcome {
    /// Bytes of a data set to rows by the compiled template, nothing else.
    decoded_ns: f64,
    /// Datagram to flow records in our batches, of one exporter: both directions paired; nobody answers.
    one_ns: f64,
    unanswered_ns: f64,
    /// As `one_ns`, of many exporters in turn.
    many_ns: f64,
    live: Vec<live::Run>,
    hostile: Option<hostile::Outcome>,
}

/// Measures inside the process and, with `options`, over loopback; with `hostile`, what so many broken datagrams do.
pub fn run(options: Option<&live::Options>, hostile: Option<u64>) -> io::Result<Outcome> {
    let best = |mut measure: Box<dyn FnMut() -> io::Result<f64>>| -> io::Result<f64> {
        let runs = (0..3).map(|_| measure()).collect::<io::Result<Vec<_>>>()?;
        Ok(crate::compare::measure::minimum(runs))
    };
    let streams = |exporters: usize, templates: u16| {
        // Every exporter its own stream, within the memory of one.
        let datagrams = (20_000 / exporters).max(usize::from(templates));
        (0..exporters).map(move |seed| Stream::new(seed as u64, datagrams, templates))
    };
    Ok(Outcome {
        decoded_ns: best(Box::new(decoding))?,
        one_ns: best(Box::new(|| inside(streams(1, 1).collect())))?,
        unanswered_ns: best(Box::new(|| inside(vec![Stream::one_way(1, 20_000, 1)])))?,
        many_ns: best(Box::new(|| inside(streams(EXPORTERS, TEMPLATES).collect())))?,
        live: options.map(live::run).transpose()?.unwrap_or_default(),
        hostile: options
            .zip(hostile)
            .map(|(options, datagrams)| hostile::run(options, datagrams))
            .transpose()?,
    })
}

/// CPU nanoseconds for each record of a data set that becomes a row.
fn decoding() -> io::Result<f64> {
    let (template, body) = Stream::new(1, 1, 1).first();
    let plan = Plan::new(&template);
    let (mut rows, mut unnamed, mut unknown) = (Vec::new(), String::new(), Vec::new());
    let before = cpu_s()?;
    for _ in 0..RECORDS_INSIDE / RECORDS {
        rows.clear();
        let reading = &mut Reading {
            rows: &mut rows,
            unnamed: &mut unnamed,
            unknown: &mut unknown,
            plans: &|_| None,
        };
        plan.read(black_box(&body), reading);
        assert_eq!(black_box(&rows).len(), RECORDS, "every record is read");
    }
    Ok((cpu_s()? - before) * 1e9 / RECORDS_INSIDE as f64)
}

/// CPU nanoseconds for each record that the collector takes from these exporters in turn, the making not counted.
fn inside(mut streams: Vec<Stream>) -> io::Result<f64> {
    let rounds = RECORDS_INSIDE / RECORDS;
    let exporters = streams.len();
    let from = |at: usize| SocketAddr::from((Ipv4Addr::from_bits(0xc000_0200 + at as u32), 2_055));
    let (mut collector, mut out) = (Collector::default(), Vec::new());
    let start = Time::from_secs(1_790_000_000);
    for (at, stream) in streams.iter_mut().enumerate() {
        collector.datagram(from(at), start, &stream.define(1_790_000_000, 0), &mut out);
    }
    let mut spent = 0.0;
    let mut round = 0;
    while round < rounds {
        // A stretch at a time, so that stamping is timed apart and memory stays small.
        let stretch: Vec<(SocketAddr, Time, Vec<u8>)> = (round..(round + 2_000).min(rounds))
            .map(|round| {
                let elapsed_ms = (round * RECORDS * 1_000 / EVENT_RATE) as u32;
                let at = round % exporters;
                let bytes = streams[at].next(1_790_000_000 + elapsed_ms / 1_000, elapsed_ms);
                (
                    from(at),
                    start + i64::from(elapsed_ms) * 1_000_000,
                    bytes.to_vec(),
                )
            })
            .collect();
        round += stretch.len();
        let before = cpu_s()?;
        for (from, arrival, bytes) in &stretch {
            collector.datagram(*from, *arrival, bytes, &mut out);
            black_box(&out);
            out.clear();
        }
        spent += cpu_s()? - before;
    }
    let counts = collector.counts();
    assert_eq!(
        (counts.records, counts.lost),
        ((rounds * RECORDS) as u64, 0),
        "every record is taken"
    );
    Ok(spent * 1e9 / (rounds * RECORDS) as f64)
}

impl Outcome {
    /// Bars that were missed.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        for (what, ns) in self.rows() {
            if 1e3 / ns < RATE_BAR / 1e6 {
                missed.push(format!(
                    "{what}: {:.2} M records a CPU-second, bar {:.1}",
                    1e3 / ns,
                    RATE_BAR / 1e6
                ));
            }
        }
        let more = self.many_ns / self.one_ns;
        if more > MANY_BAR {
            missed.push(format!(
                "records of {EXPORTERS} exporters cost {more:.2} times those of one, bar {MANY_BAR}"
            ));
        }
        missed.extend(self.live.iter().filter_map(live::Run::missed));
        missed.extend(self.hostile.iter().flat_map(hostile::Outcome::missed));
        missed
    }

    /// What [`RATE_BAR`] is about.
    const fn rows(&self) -> [(&'static str, f64); 3] {
        [
            ("v9, data set to rows", self.decoded_ns),
            (
                "v9, datagram to biflows in batches, 1 exporter, 1 template",
                self.one_ns,
            ),
            ("v9, likewise, flows that nobody answers", self.unanswered_ns),
        ]
    }

    /// The figures as Markdown.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from(
            "| collecting, inside the process | ns CPU a record | M records a CPU-s | bar |\n|---|---|---|---|\n",
        );
        let bar = format!("{:.1} M", RATE_BAR / 1e6);
        let mut rows: Vec<_> = self
            .rows()
            .map(|(name, ns)| (name.to_owned(), ns, bar.clone()))
            .into();
        rows.push((
            format!("v9, datagram to biflows in batches, {EXPORTERS} exporters x {TEMPLATES} templates"),
            self.many_ns,
            format!("{:.0} ns", self.one_ns * MANY_BAR),
        ));
        for (name, ns, bar) in rows {
            let _ = writeln!(text, "| {name} | {ns:.0} | {:.2} | {bar} |", 1e3 / ns);
        }
        if !self.live.is_empty() {
            text.push_str(&live::table(&self.live));
        }
        if let Some(hostile) = &self.hostile {
            text.push_str(&hostile.text());
        }
        text
    }
}
