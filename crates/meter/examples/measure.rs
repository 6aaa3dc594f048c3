//! Cost of metering one capture file: reading, decoding, flow cache and, unless `--plain`, dissection.
//! `cargo run --release -p weir-meter --example measure -- FILE [--plain]`; take the best of several runs.

use std::io::{Error, Write};
use std::path::Path;

use weir_capture::CaptureFile;
use weir_meter::{Meter, MeterConfig};
use weir_model::Batch;
use weir_wire::decode;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args
        .next()
        .ok_or_else(|| Error::other("usage: measure FILE [--plain]"))?;
    let dissect = args.next().is_none();
    let mut file = CaptureFile::open(Path::new(&path)).map_err(Error::other)?;
    let mut meter = Meter::new(MeterConfig {
        dissect,
        ..MeterConfig::default()
    });
    let mut batch = Batch::default();
    let began = std::time::Instant::now();
    while let Some(raw) = file.next() {
        meter.packet(raw.time, &decode(raw.link, raw.data, raw.frame_bytes), &mut batch);
        if batch.len() >= Batch::RECORDS_MAX {
            clear(&mut batch);
        }
    }
    while !meter.finish_some(&mut batch) {
        clear(&mut batch);
    }
    let stats = meter.stats();
    let nanos = began.elapsed().as_nanos() as f64 / stats.packets as f64;
    writeln!(std::io::stdout(), "{nanos:.0} ns per packet, {stats:?}")?;
    for (anomaly, times) in meter.anomalies().seen() {
        writeln!(std::io::stdout(), "{anomaly} {times}")?;
    }
    Ok(())
}

fn clear(batch: &mut Batch) {
    batch.flows.clear();
    batch.transactions.clear();
    batch.ticks.clear();
}
