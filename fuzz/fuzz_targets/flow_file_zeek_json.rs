//! Any bytes as a Zeek conn.log in JSON.
#![no_main]

use weir_collector::files::FileKind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| weir_fuzz::flow_file(FileKind::ZeekJson, bytes));
