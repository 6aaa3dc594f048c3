//! Any bytes as a capture file: it opens or says why not, and reading ends with every packet inside the file.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use weir_capture::CaptureFile;

/// Packets read of one input: a compressed one may hold more than a run should take.
const PACKETS_MAX: usize = 10_000;

fuzz_target!(|bytes: &[u8]| {
    match CaptureFile::from_reader(Box::new(Cursor::new(bytes.to_vec())), "fuzz") {
        Ok(mut capture) => {
            for _ in 0..PACKETS_MAX {
                let Some(packet) = capture.next() else {
                    assert!(capture.next().is_none());
                    break;
                };
                assert!(packet.data.len() <= packet.frame_bytes as usize);
            }
            assert!(capture.bytes_read() <= bytes.len() as u64);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
