//! Cost of metering one capture file: reading, decoding, flow cache and, unless `--plain`, dissection.
//! `cargo run --release -p weir-meter --example measure -- FILE [--plain]`; classic little-endian Ethernet pcap only.

use std::fs::File;
use std::io::{BufReader, Read, Write};

use weir_meter::{Meter, MeterConfig};
use weir_model::{Batch, Time};
use weir_wire::{LinkType, decode};

/// Longest packet read; longer means the file is not what we think.
const PACKET_BYTES_MAX: usize = 1 << 18;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args
        .next()
        .ok_or_else(|| std::io::Error::other("usage: measure FILE [--plain]"))?;
    let dissect = args.next().is_none();
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    reader.read_exact(&mut [0; 24])?;
    let mut meter = Meter::new(MeterConfig {
        dissect,
        ..MeterConfig::default()
    });
    let mut batch = Batch::default();
    let (mut header, mut bytes) = ([0; 16], vec![0; PACKET_BYTES_MAX]);
    let began = std::time::Instant::now();
    while reader.read_exact(&mut header).is_ok() {
        let [secs, micros, kept, wire] = [0, 4, 8, 12]
            .map(|at| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
        let frame = &mut bytes[..kept as usize];
        reader.read_exact(frame)?;
        let time = Time::from_secs(i64::from(secs)) + i64::from(micros) * 1000;
        meter.packet(time, &decode(LinkType::Ethernet, frame, wire), &mut batch);
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
