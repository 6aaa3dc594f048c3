//! Any bytes as a Suricata EVE log.
#![no_main]

use weir_collector::files::FileKind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::flow_file(FileKind::Eve, bytes));
