//! How fast capture files are read, and how many packets are in them: `read_rate FILE...`, best of three
//! passes each. Run with `cargo run --release -p weir-capture --example read_rate`; the floor for small
//! packets is 8 M packets/s.

#![allow(clippy::print_stdout, reason = "a measurement prints its result")]

use std::path::Path;
use std::time::{Duration, Instant};

use weir_capture::{CaptureError, CaptureFile};

const PASSES: usize = 3;

fn main() -> Result<(), CaptureError> {
    for path in std::env::args().skip(1) {
        let (mut packets, mut bytes, mut best) = (0, 0, Duration::MAX);
        for _ in 0..PASSES {
            let start = Instant::now();
            let mut capture = CaptureFile::open(Path::new(&path))?;
            bytes = 0;
            while let Some(packet) = capture.next() {
                bytes += packet.data.len() as u64;
            }
            packets = capture.packets();
            best = best.min(start.elapsed());
        }
        let rate = packets as f64 / best.as_secs_f64() / 1e6;
        println!("{path}: {packets} packets, {bytes} bytes, {rate:.1} M packets/s");
    }
    Ok(())
}
