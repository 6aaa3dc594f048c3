//! What collecting costs: CPU time of each record decoded and paired inside one process, then received, decoded and stored
//! over loopback by Weir and, on the same stream at the same rate, by nfcapd and nfacctd.

pub mod live;
pub mod stream;

use std::fmt::Write;
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use weir_collector::Collector;
use weir_model::Time;

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

/// What was measured.
pub struct Outcome {
    /// CPU nanoseconds a record: of one exporter, of many.
    one_ns: f64,
    many_ns: f64,
    live: Vec<live::Run>,
}

/// Measures inside the process and, with `options`, over loopback.
pub fn run(options: Option<&live::Options>) -> io::Result<Outcome> {
    let one_ns = (0..3).map(|_| inside(1, 1)).collect::<io::Result<Vec<_>>>()?;
    let many_ns = (0..3)
        .map(|_| inside(EXPORTERS, TEMPLATES))
        .collect::<io::Result<Vec<_>>>()?;
    Ok(Outcome {
        one_ns: crate::compare::measure::minimum(one_ns),
        many_ns: crate::compare::measure::minimum(many_ns),
        live: options.map(live::run).transpose()?.unwrap_or_default(),
    })
}

/// CPU nanoseconds for each record that the collector takes from so many exporters in turn, the making not counted.
fn inside(exporters: usize, templates: u16) -> io::Result<f64> {
    let rounds = RECORDS_INSIDE / RECORDS;
    // Every exporter its own stream, within the memory of one.
    let datagrams = (20_000 / exporters).max(usize::from(templates));
    let mut streams: Vec<_> = (0..exporters)
        .map(|seed| Stream::new(seed as u64, datagrams, templates))
        .collect();
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
        let rate = 1e9 / self.one_ns;
        if rate < RATE_BAR {
            missed.push(format!(
                "{:.2} M records decoded and paired a CPU-second, bar {:.1}",
                rate / 1e6,
                RATE_BAR / 1e6
            ));
        }
        let more = self.many_ns / self.one_ns;
        if more > MANY_BAR {
            missed.push(format!(
                "records of {EXPORTERS} exporters cost {more:.2} times those of one, bar {MANY_BAR}"
            ));
        }
        missed.extend(self.live.iter().filter_map(live::Run::missed));
        missed
    }

    /// The figures as Markdown.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from(
            "| collecting, inside the process | ns CPU a record | M records a CPU-s | bar |\n|---|---|---|---|\n",
        );
        for (name, ns, bar) in [
            (
                "v9, 1 exporter, 1 template, decoded and paired".to_owned(),
                self.one_ns,
                format!("{:.1} M", RATE_BAR / 1e6),
            ),
            (
                format!("v9, {EXPORTERS} exporters x {TEMPLATES} templates, likewise"),
                self.many_ns,
                format!("{:.0} ns", self.one_ns * MANY_BAR),
            ),
        ] {
            let _ = writeln!(text, "| {name} | {ns:.0} | {:.2} | {bar} |", 1e3 / ns);
        }
        if !self.live.is_empty() {
            text.push_str(&live::table(&self.live));
        }
        text
    }
}
